"""All rows of x86: importing this registers them."""

from __future__ import annotations

from xemu.targets.x86 import (
    avx,
    control,
    crypto,
    integer,
    sse_integer,
    sse_move,
    sse_shuffle,
    strings42,
)

__all__ = [
    "avx",
    "control",
    "crypto",
    "integer",
    "sse_integer",
    "sse_move",
    "sse_shuffle",
    "strings42",
]
