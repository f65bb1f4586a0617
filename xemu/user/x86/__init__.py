"""Linux on x86, 32-bit and 64-bit: numbers, layouts, registers, signal frames, segments."""
