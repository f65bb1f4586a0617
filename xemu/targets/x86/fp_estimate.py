"""RCPSS and RSQRTSS in `Bits`, as Intel's processors have them (softfloat.estimate)."""

from __future__ import annotations

from xemu.core.bits import Bits, cat, const, mux, slt, udiv, ule, zext
from xemu.core.fp import Parts
from xemu.core.softnumber import FORMATS

SINGLE = FORMATS["f32"]


def estimate(x: Bits, *, root: bool) -> Bits:
    """Return 12 bits of 1/x or 1/sqrt(x)."""
    a = Parts(x, "f32")
    biased = zext(a.exponent, 16)
    if root:
        middle = (zext(a.fraction[22:13], 64) * 2 + 2049) << zext(~biased[0], 64)
        digits, exponent = _root(udiv(const(1 << 39, 64), middle)), 190 - ((biased + 1) >> 1)
    else:
        middle = zext(a.fraction[22:12], 64) * 2 + 4097
        digits, exponent = udiv(const(1 << 26, 64), middle), 2 * SINGLE.bias - 1 - biased
    digits = (digits + 1) >> 1
    number = mux(slt(exponent, 1), a.signed_zero, cat(a.sign, exponent[7:0], digits[11:0], const(0, 11)))
    result = mux(a.is_infinity, a.signed_zero, number)
    if root:
        result = mux(a.sign, const(SINGLE.sign | SINGLE.infinity | SINGLE.quiet, 32), result)
    result = mux(biased == 0, a.signed_zero | SINGLE.infinity, result)
    return mux(a.is_nan, x | SINGLE.quiet, result)


def _root(x: Bits) -> Bits:
    """Return the integer square root of a number below 2**28."""
    result = const(0, 64)
    for bit in reversed(range(14)):
        more = result | 1 << bit
        result = mux(ule(more * more, x), more, result)
    return result
