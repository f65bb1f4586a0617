"""Singles as floating-point registers hold them: as doubles. Moves between the two forms raise nothing. Power ISA Book I, 4.6.2, 4.6.3."""

from __future__ import annotations

from xemu.core.bits import Bits, cat, clz, const, mux, ult, zext
from xemu.core.fp import Parts

#: biased exponents of doubles: the smallest normal single, the smallest denormal one
LEAST, LEAST_DENORMAL = 897, 874


def to_double(x: Bits) -> Bits:
    """Return a single as a double; NaNs of both kinds keep their payload."""
    a = Parts(x, "f32")
    lead = clz(cat(a.fraction, const(0, 9)))
    denormal = cat(LEAST - 1 - zext(lead[10:0], 11), (zext(a.fraction, 32) << lead + 1)[22:0], const(0, 29))
    normal = cat(x[30], *[mux(a.exponent == 255, const(1, 1), ~x[30])] * 3, x[29:0], const(0, 29))
    value = mux(a.exponent != 0, normal, mux(a.is_zero, const(0, 63), denormal))
    return cat(a.sign, value)


def to_single(x: Bits) -> Bits:
    """Return the single that a double holds; below the smallest denormal one: zero."""
    a = Parts(x, "f64")
    shift = 926 - zext(a.exponent, 64)
    denormal = mux(ult(a.exponent, LEAST_DENORMAL), const(0, 23), (zext(cat(const(1, 1), a.fraction), 64) >> shift)[22:0])
    return mux(ult(a.exponent, LEAST), cat(a.sign, const(0, 8), denormal), cat(x[63:62], x[58:29]))
