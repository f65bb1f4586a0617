"""PowerPC's conversions in `Bits`, exact for every operand and control word: to narrower formats, integers, integral numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, cat, clz, const, mux, slt, ult, zext
from xemu.core.fp import Parts, host
from xemu.core.fp_slow import at_unit, integer, integral, outwards, rounds_up, widened
from xemu.core.softnumber import FORMATS
from xemu.targets.ppc.fp_word import raised

if TYPE_CHECKING:
    from xemu.core.fp_slow import Result
    from xemu.core.softnumber import Format

DOUBLE, SINGLE = FORMATS["f64"], FORMATS["f32"]
UNDERFLOW_ENABLED, OVERFLOW_ENABLED = 5, 6


# -- narrower formats ---------------------------------------------------------------------------------------------------


def narrowed(a: Parts, target: Format, ctl: Bits) -> tuple[Bits, Bits, Bits]:
    """Return a double (no NaN, no infinity) rounded to a narrower format's precision and range, as a double; exceptions; is it adjusted?"""
    drop, least = DOUBLE.fraction - target.fraction, DOUBLE.bias - target.bias + 1        # … exponent of the smallest normal number
    exponent = zext(a.exponent, 16)
    tiny = slt(exponent, least) & ~a.is_zero
    more = mux(tiny, const(drop + least, 16) - exponent, const(drop, 16))
    lowest = const(least - target.fraction, 16)
    number, lost, up = at_unit(a, more, lowest, ctl[2:0])
    largest = ((DOUBLE.bias + target.bias + 1) << DOUBLE.fraction) - (1 << drop)
    over = ult(const(largest, 64), number)
    infinite = (ctl[2:0] == 0) | outwards(a.sign, ctl[2:0])
    limit = mux(infinite, const(DOUBLE.infinity, 64), const(largest, 64))
    flags = mux(over, raised(overflow=1, inexact=1, up=infinite), raised(inexact=lost, underflow=tiny & lost, up=up))
    trapped = (tiny & ctl[UNDERFLOW_ENABLED]) | (over & ctl[OVERFLOW_ENABLED])
    adjusted, more_flags = _adjusted(a, target, drop, tiny, ctl)
    result = mux(trapped, adjusted, mux(over, limit, number))
    return result | a.signed_zero, mux(trapped, more_flags, flags), trapped


def _adjusted(a: Parts, target: Format, drop: int, tiny: Bits, ctl: Bits) -> Result:
    """Return a double rounded to a narrower format's precision with its exponent adjusted, and the exceptions."""
    lead = clz(a.magnitude) - (63 - DOUBLE.fraction)                   # of a denormal
    denormal = a.exponent == 0
    fraction = mux(denormal, a.magnitude << lead, a.magnitude)[DOUBLE.fraction - 1:0]
    exponent = mux(denormal, 1 - lead[15:0], zext(a.exponent, 16))
    rest = cat(fraction[drop - 1:0], const(0, 64 - drop))
    up = rounds_up(rest, fraction[drop], a.sign, ctl[2:0])
    step = const(3 << (target.exponent - 2), 16)
    moved = exponent + mux(tiny, step, -step)
    number = (zext(moved, 64) << DOUBLE.fraction) + zext(cat(fraction[DOUBLE.fraction - 1:drop], const(0, drop)), 64)
    number = number + mux(up, const(1 << drop, 64), const(0, 64))
    return number & (DOUBLE.sign - 1), raised(overflow=~tiny, underflow=tiny, inexact=rest != 0, up=up)


def single(a: Parts, ctl: Bits) -> Result:
    """Return a double (no NaN, no infinity) rounded to a single, as a double."""
    return narrowed(a, SINGLE, ctl)[:2]


def packed(a: Parts, target: Format, adjusted: Bits) -> Bits:
    """Return a double that has a value of a narrower format, as that format; a NaN keeps the top of its payload.

    The exponent of an `adjusted` one is cut to its field.
    """
    drop, least = DOUBLE.fraction - target.fraction, DOUBLE.bias - target.bias + 1
    exponent = zext(a.exponent, 16)
    normal = (a.magnitude >> drop) - ((least - 1) << target.fraction)
    small = (const(1 << DOUBLE.fraction, 64) | zext(a.fraction, 64)) >> zext(const(drop + least, 16) - exponent, 64)
    number = mux(slt(exponent, least) & ~adjusted, mux(a.is_zero, const(0, 64), small), normal)
    special = const(target.infinity, 64) | zext(a.fraction[DOUBLE.fraction - 1:drop], 64)
    return cat(a.sign, mux(a.exponent == DOUBLE.top, special, number)[target.width - 2:0])


def convert(fmt: tuple[str, str], x: Bits, ctl: Bits) -> Result:
    """Return x in another format (xscvdpsp and its like)."""
    source, target = fmt
    given = Parts(x, source)
    double = given if source == "f64" else widened(given, "f64")
    flags = raised(signalling=given.is_signalling)
    quiet = double.bits | mux(given.is_nan, const(DOUBLE.quiet, 64), const(0, 64))
    if target == "f64":
        return quiet, flags
    number, what, adjusted = narrowed(double, FORMATS[target], ctl)
    special = double.exponent == DOUBLE.top
    return packed(Parts(mux(special, quiet, number), "f64"), FORMATS[target], adjusted & ~special), mux(special, flags, what)


# -- integers -----------------------------------------------------------------------------------------------------------


def to_integer(a: Parts, width: int, mode: Bits, *, signed: bool) -> Result:
    """Return a number as an integer of 32 or 64 bits: what does not fit is the nearest, a NaN the least."""
    size, bad, lost, up = integer(a, width, mode, signed=signed)
    magnitude = mux(a.is_nan, const(1 << (width - 1) if signed else 0, 64), size)
    value = mux(a.sign | a.is_nan, -magnitude, magnitude)[width - 1:0]
    return value, mux(bad, raised(no_integer=1, signalling=a.is_signalling), raised(inexact=lost, up=up))


def round_to_integral(a: Parts, mode: Bits, *, exact: bool) -> Result:
    """Return a number rounded to an integral one of its format; `exact` says when it changed."""
    result, lost, up = integral(a, mode)
    flags = raised(inexact=lost, up=up) if exact else const(0, 16)
    return mux(a.is_nan, a.bits | FORMATS[a.fmt].quiet, result), mux(a.is_nan, raised(signalling=a.is_signalling), flags)


def from_integer(name: str, fmt: Any, x: Bits, ctl: Bits) -> Result:
    """Return an integer as a number; "_f32": rounded to a single, as a double."""
    width, target, _ = fmt
    signed, narrow = name.startswith("from_sint"), name.endswith("_f32")
    half, wide = const(0, 1), x
    if not signed and width == 64:                     # halved, the last bit kept as what is missing
        half = x[63]
        wide = mux(half, (x >> 1) | zext(x[0], 64), x)
    elif not signed:
        wide = zext(x, 64)
    source = (wide.width, target, 0)
    cut, lost = host("from_sint", source, [wide], 3)
    raw, _ = (cut, lost) if narrow else host("from_sint", source, [wide], ctl[1:0])
    double = zext(half, FORMATS[target].width) << FORMATS[target].fraction
    if narrow:
        return single(Parts((cut + double) | zext(lost[4], 64), "f64"), ctl)
    return raw + double, raised(inexact=lost[4], up=lost[4] & (raw != cut))
