"""All rows of x86: importing this registers them."""

from __future__ import annotations

from xemu.targets.x86 import control, integer, sse_arithmetic, sse_compare, sse_convert, sse_state

__all__ = ["control", "integer", "sse_arithmetic", "sse_compare", "sse_convert", "sse_state"]
