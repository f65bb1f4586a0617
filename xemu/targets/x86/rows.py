"""All rows of x86: importing this registers them."""

from __future__ import annotations

from xemu.targets.x86 import ascii, bits, control, integer, segments, string, system  # noqa: A004

__all__ = ["ascii", "bits", "control", "integer", "segments", "string", "system"]
