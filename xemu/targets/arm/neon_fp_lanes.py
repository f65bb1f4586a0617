"""What floating-point rows of Advanced SIMD share: lanes of singles, and exceptions of lanes.

Advanced SIMD always works with the "standard FPSCR value" (ARM ARM A2.7.7): denormals are zeros, NaNs come out as the
default NaN, rounding is to nearest. Exceptions gather in FPSCR all the same.
"""

from __future__ import annotations

from xemu.core.bits import Bits, Lanes, const
from xemu.core.fp import STANDARD, exceptions, fp_op
from xemu.targets.arm.vfp import gather

HALF, TWO, THREE = 0x3F000000, 0x40000000, 0x40400000
SIGNS = 0x80000000
NAN, INFINITY = 0x7FC00000, 0x7F800000


def singles(bits: Bits) -> Lanes:
    """Return a register as lanes of 32 bits."""
    return Lanes(bits, 32)


def splat(value: int | Bits, like: Bits) -> Bits:
    """Return a single in every lane of a register like `like`."""
    return Lanes.splat(value if isinstance(value, Bits) else const(value, 32), like.width // 32).bits


def fp(cpu, name: str, *args: Bits, fmt="f32") -> Bits:
    """Do an arithmetic operation on all lanes."""
    return fp_op(cpu, name, fmt, args, STANDARD, lanes=args[0].width // 32)


def negated(x: Bits) -> Bits:
    """Return FPNeg() of all lanes."""
    return x ^ splat(SIGNS, x)


def raise_lanes(cpu, *, invalid: Lanes | None = None, denormal: Lanes | None = None, divide_by_zero: Lanes | None = None,
                underflow: Lanes | None = None, inexact: Lanes | None = None) -> None:
    """Add the exceptions of lanes: each is a mask."""
    def any_lane(mask):
        return 0 if mask is None else mask.any()
    gather(cpu, exceptions(invalid=any_lane(invalid), input_denormal=any_lane(denormal), inexact=any_lane(inexact),
                           divide_by_zero=any_lane(divide_by_zero), underflow=any_lane(underflow)))


def magnitudes(*values: Bits) -> list[Bits]:
    """Return FPAbs() of all lanes."""
    return [x & splat(0x7FFFFFFF, x) for x in values]


def lanes_of(value: int, like: Lanes) -> Lanes:
    """Return a constant in as many lanes."""
    return Lanes.splat(const(value, like.size), like.count)
