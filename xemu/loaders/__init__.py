"""Readers of program files: bytes in, `Image` out."""
