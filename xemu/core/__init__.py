"""The translating core: the Bits language, its evaluator, and the native tiers. It knows no instruction set."""
