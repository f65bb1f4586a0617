"""SSE's conversions in `Bits`, exact for every operand and control word: between formats, to integers, to integral numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, cat, clz, const, mux, ule, ult, zext
from xemu.core.fp import Parts, exceptions, host
from xemu.core.fp_slow import converted_nan, half, half_overflows, integer, integral, outwards, widened
from xemu.core.softnumber import FORMATS

if TYPE_CHECKING:
    from xemu.core.fp_slow import Result


# -- integers -----------------------------------------------------------------------------------------------------------


def to_integer(x: Bits, fmt: str, width: int, mode: Bits, ctl: Bits) -> Result:
    """Return x as an integer of 32 or 64 bits; what does not fit is the "integer indefinite" value."""
    a = Parts(x, fmt).flushed(ctl[4])
    size, bad, lost, _ = integer(a, width, mode, signed=True)
    value = mux(a.sign, -size, size)[width - 1:0]
    return mux(bad, const(1 << (width - 1), width), value), exceptions(invalid=bad, inexact=~bad & lost)


def round_to_integral(fmt: str, x: Bits, ctl: Bits, *, exact: bool) -> Result:
    """Return x rounded to an integral number of its format; `exact` says when it changed."""
    a = Parts(x, fmt).flushed(ctl[4])
    result, lost, _ = integral(a, ctl[1:0])
    inexact = lost if exact else const(0, 1)
    return mux(a.is_nan, a.bits | FORMATS[fmt].quiet, result), exceptions(invalid=a.is_signalling, inexact=inexact & ~a.is_nan)


# -- formats -----------------------------------------------------------------------------------------------------------


def convert(fmt: tuple[str, str], x: Bits, ctl: Bits) -> Result:
    """Return x in another format."""
    source, target = fmt
    if source == "f16":
        given = Parts(x, source)
        return mux(given.is_nan, converted_nan(given, target), widened(given, target).bits), exceptions(invalid=given.is_signalling)
    a = Parts(x, source).flushed(ctl[4])
    if target == "f16":
        value, flags = _to_half(a, ctl)
    else:
        raw, raised = host("to_float", fmt, [a.bits], ctl[1:0])
        value, flags = raw, raised & 0b10111
        if source == "f64":
            tiny = _tiny_single(a, ctl)
            gone = tiny & ctl[3]
            value = mux(gone, Parts(raw, target).signed_zero, raw)
            lost = _lost(a, "f32")
            inexact = mux(mux(tiny, ctl[5], raised[2] & ctl[6]), lost, raised[4])
            flags = (raised & 0b111) | exceptions(underflow=tiny & (raised[4] | ctl[5] | ctl[3]), inexact=inexact | gone)
    flags = flags | exceptions(input_denormal=a.is_denormal)
    value = mux(a.is_nan, converted_nan(a, target), value)
    return value, mux(a.is_nan, exceptions(invalid=a.is_signalling), flags)


def _lost(a: Parts, target: str) -> Bits:
    """Return whether a number has more bits than fit another format's precision, whatever its exponent."""
    significand = zext(cat(a.exponent != 0, a.fraction), 64)
    first = significand << clz(significand)
    return first[62 - FORMATS[target].fraction:0] != 0


def _tiny_single(a: Parts, ctl: Bits) -> Bits:
    """Return whether a double is below 2**-126 after rounding to 24 bits, were exponents unbounded."""
    least = (1023 - 126) << 52
    nearest, away = const(least - (1 << 28), 64), const(least - (1 << 29) + 1, 64)
    limit = mux(ctl[1:0] == 0, nearest, mux(outwards(a.sign, ctl[1:0]), away, const(least, 64)))
    return ult(a.magnitude, limit) & ~a.is_zero


def _to_half(a: Parts, ctl: Bits) -> Result:
    """Return a single as a half, which is never flushed."""
    sign, mode = cat(a.sign, const(0, 15)), ctl[1:0]
    total, inexact, below = half(a, mode)
    over, limit = half_overflows(total, a.sign, mode)
    value = mux(over, limit, total[15:0])
    tiny = below & ~_half_grows(a, ctl)
    lost = _lost(a, "f16") | a.is_denormal       # processors do not normalise it
    flags = mux(over, exceptions(overflow=1, inexact=~ctl[6] | lost),
                exceptions(inexact=mux(tiny & ctl[5], lost, inexact), underflow=tiny & (inexact | ctl[5])))
    plain = mux(a.is_zero | a.is_infinity, const(0, 8), flags)
    return sign | mux(a.is_infinity, const(0x7C00, 16), mux(a.is_zero, const(0, 16), value)), plain


def _half_grows(a: Parts, ctl: Bits) -> Bits:
    """Return whether a single below 2**-14 rounds up to it at a half's precision, were exponents unbounded."""
    least = 113 << 23
    away = mux(outwards(a.sign, ctl[1:0]), const(least - (1 << 13) + 1, 32), const(least, 32))
    limit = mux(ctl[1:0] == 0, const(least - (1 << 12), 32), away)
    return ule(limit, a.magnitude)
