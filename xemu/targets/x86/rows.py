"""All rows of x86: importing this registers them."""

from __future__ import annotations

from xemu.targets.x86 import control, integer

__all__ = ["control", "integer"]
