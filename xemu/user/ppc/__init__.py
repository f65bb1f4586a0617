"""What 32-bit and 64-bit little-endian PowerPC have of their own in user mode."""
