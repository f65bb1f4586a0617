"""x86: the instruction sets i386 and x86-64, up to x86-64-v3."""
