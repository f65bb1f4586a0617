"""All rows of x86: importing this registers them."""

from __future__ import annotations

from importlib import import_module

MODULES = """
    ascii
    avx
    bits
    control
    crypto
    fma
    integer
    segments
    sse_arithmetic
    sse_compare
    sse_convert
    sse_integer
    sse_lanes
    sse_mmx
    sse_move
    sse_shuffle
    sse_state
    string
    strings42
    system
    x87_arithmetic
    x87_control
    x87_move
"""

for name in MODULES.split():
    import_module(f"xemu.targets.x86.{name}")
