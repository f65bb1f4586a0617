"""All rows of x86: importing this registers them."""

from __future__ import annotations

from xemu.targets.x86 import control, integer, x87_arithmetic, x87_control, x87_move

__all__ = ["control", "integer", "x87_arithmetic", "x87_control", "x87_move"]
