"""All Advanced SIMD rows that are not floating point; the order is that of ARM ARM A7.4 and A7.7."""

from __future__ import annotations

from xemu.targets.arm import neon_load, neon_long, neon_misc, neon_move, neon_scalar, neon_shift, neon_three

__all__ = ["neon_load", "neon_long", "neon_misc", "neon_move", "neon_scalar", "neon_shift", "neon_three"]
