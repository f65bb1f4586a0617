"""SSE's conversions in `Bits`, exact for every operand and control word: between formats, to integers, to integral numbers."""

from __future__ import annotations

from xemu.core.bits import Bits, cat, clz, const, mux, slt, ule, ult, zext
from xemu.core.fp import Parts, exceptions, host
from xemu.core.softnumber import FORMATS

Result = tuple[Bits, Bits]         # value, exceptions


def rounds_up(rest: Bits, odd: Bits, sign: Bits, mode: Bits) -> Bits:
    """Return whether the magnitude is increased: `rest` is what was cut off, its top bit worth a half."""
    half = 1 << (rest.width - 1)
    nearest = ult(const(half, rest.width), rest) | ((rest == half) & odd)
    directed = (rest != 0) & mux(mode == 1, ~sign, (mode == 2) & sign)
    return mux(mode == 0, nearest, directed)


# -- integers -----------------------------------------------------------------------------------------------------------


def to_integer(x: Bits, fmt: str, width: int, mode: Bits, ctl: Bits) -> Result:
    """Return x as an integer of 32 or 64 bits; what does not fit is the "integer indefinite" value."""
    f = FORMATS[fmt]
    a = Parts(x, fmt).flushed(ctl[4])
    significand = zext(cat(a.exponent != 0, a.fraction), 64)
    power = zext(a.exponent, 16) + zext(a.exponent == 0, 16) - (f.bias + f.fraction)              # of the lowest bit
    right = -power
    left = slt(right, 1)
    far = slt(const(63, 16), right)
    whole = mux(left, significand << zext(power, 64), significand >> zext(right, 64))
    whole = mux(far, const(0, 64), whole)
    rest = mux(far, zext(significand != 0, 64), significand << zext(64 - right, 64))
    rest = mux(left, const(0, 64), rest)
    number = whole + zext(rounds_up(rest, whole[0], a.sign, mode), 64)
    limit = const((1 << (width - 1)) - 1, 64) + zext(a.sign, 64)
    large = slt(const(63 - f.fraction, 16), power) & (significand != 0)
    bad = a.is_nan | a.is_infinity | large | ult(limit, number)
    value = mux(a.sign, -number, number)[width - 1:0]
    return mux(bad, const(1 << (width - 1), width), value), exceptions(invalid=bad, inexact=~bad & (rest != 0))


def round_to_integral(fmt: str, x: Bits, ctl: Bits, *, exact: bool) -> Result:
    """Return x rounded to an integral number of its format; `exact` says when it changed."""
    f, a, width = FORMATS[fmt], Parts(x, fmt).flushed(ctl[4]), FORMATS[fmt].width
    exponent, magnitude = zext(a.exponent, 16), a.magnitude
    drop = zext(f.bias + f.fraction - exponent, width)                # how many bits of the fraction are below the point
    whole = slt(const(f.bias + f.fraction - 1, 16), exponent)
    small = slt(exponent, const(f.bias, 16))                          # below 1: the result is 0 or 1
    half = exponent == f.bias - 1
    below = mux(half, cat(const(1, 1), a.fraction, const(0, width - 1 - f.fraction)), zext(magnitude != 0, width))
    rest = mux(small, below, magnitude << (width - drop))
    unit = const(1, width) << drop
    # the exponent's lowest bit is 1 for numbers from 1 to 2, so it serves as the bit above their fraction
    odd = mux(small, const(0, 1), (magnitude >> drop)[0])
    up = rounds_up(rest, odd, a.sign, ctl[1:0])
    kept = mux(small, mux(up, const(f.bias << f.fraction, width), const(0, width)), (magnitude & -unit) + mux(up, unit, const(0, width)))
    result = mux(whole, a.bits, kept | a.signed_zero)
    inexact = ~whole & (rest != 0) if exact else const(0, 1)
    return mux(a.is_nan, a.bits | f.quiet, result), exceptions(invalid=a.is_signalling, inexact=inexact & ~a.is_nan)


# -- formats -----------------------------------------------------------------------------------------------------------


def convert(fmt: tuple[str, str], x: Bits, ctl: Bits) -> Result:
    """Return x in another format."""
    source, target = fmt
    if source == "f16":
        return _from_half(x)
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
    value = mux(a.is_nan, _converted_nan(a, target), value)
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
    mode = ctl[1:0]
    outwards = mux(a.sign, mode == 2, mode == 1)
    limit = mux(mode == 0, nearest, mux(outwards, away, const(least, 64)))
    return ult(a.magnitude, limit) & ~a.is_zero


def _converted_nan(x: Parts, target: str) -> Bits:
    """Return a NaN in another format: quiet, with the top of its payload."""
    keep = min(FORMATS[x.fmt].fraction, FORMATS[target].fraction) - 1
    low = FORMATS[x.fmt].fraction - 1 - keep
    rest = FORMATS[target].fraction - 1 - keep
    head = cat(x.sign, const(-1, FORMATS[target].exponent + 1), x.bits[low + keep - 1:low])
    return cat(head, const(0, rest)) if rest else head


def _from_half(x: Bits) -> Result:
    half = Parts(x, "f16")
    special = half.exponent == 31
    nan = special & (half.fraction != 0)
    # a denormal's fraction moves up until its first one is the implicit bit
    lead = zext(clz(zext(half.fraction, 16)), 32) - 5
    small = zext(half.fraction, 32) << lead
    number = mux(half.exponent == 0, cat((113 - lead)[8:0], small[9:0], const(0, 13)),
                 cat(zext(half.exponent, 9) + 112, half.fraction, const(0, 13)))
    number = mux(half.is_zero, const(0, 32), number)
    infinite = cat(const(0xFF, 9), nan | half.fraction[9], half.fraction[8:0], const(0, 13))
    sign = cat(half.sign, const(0, 31))
    return mux(special, infinite, number) | sign, exceptions(invalid=nan & half.is_signalling)


def _to_half(a: Parts, ctl: Bits) -> Result:
    """Return a single as a half, which is never flushed."""
    sign = cat(a.sign, const(0, 15))
    exponent = zext(a.exponent, 16)
    below = ult(exponent, 113)                                   # below 2**-14; the smallest unit is 2**-24
    shift = mux(below, 126 - exponent, const(13, 16))
    significand = zext(cat(a.exponent != 0, a.fraction), 64) << 32
    moved = significand >> zext(shift, 64)
    moved = mux(ult(const(32, 16), shift), zext(significand != 0, 64), moved)  # far below the smallest half: just not zero
    up = rounds_up(moved[31:0], moved[32], a.sign, ctl[1:0])
    units = moved[47:32] + zext(up, 16)
    inexact = moved[31:0] != 0
    total = mux(below, const(0, 32), zext(exponent - 113, 32) << 10) + zext(units, 32)
    over = ule(const(0x7C00, 32), total)
    outwards = mux(a.sign, ctl[1:0] == 2, ctl[1:0] == 1)
    finite = (ctl[1:0] != 0) & ~outwards                         # rounded towards zero
    value = mux(over, mux(finite, const(0x7BFF, 16), const(0x7C00, 16)), total[15:0])
    tiny = below & ~_half_grows(a, ctl)
    lost = _lost(a, "f16")
    flags = mux(over, exceptions(overflow=1, inexact=~ctl[6] | lost),
                exceptions(inexact=mux(tiny & ctl[5], lost, inexact), underflow=tiny & (inexact | ctl[5])))
    plain = mux(a.is_zero | a.is_infinity, const(0, 8), flags)
    return sign | mux(a.is_infinity, const(0x7C00, 16), mux(a.is_zero, const(0, 16), value)), plain


def _half_grows(a: Parts, ctl: Bits) -> Bits:
    """Return whether a single below 2**-14 rounds up to it at a half's precision, were exponents unbounded."""
    least = 113 << 23
    mode = ctl[1:0]
    outwards = mux(a.sign, mode == 2, mode == 1)
    limit = mux(mode == 0, const(least - (1 << 12), 32), mux(outwards, const(least - (1 << 13) + 1, 32), const(least, 32)))
    return ule(limit, a.magnitude)
