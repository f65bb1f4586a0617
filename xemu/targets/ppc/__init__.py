"""PowerPC: 32-bit big-endian and ppc64le. Manual: Power ISA Version 3.0B, Books I and II."""
