"""Quad precision in `Bits`, exact for every operand and control word: what native code calls. Power ISA Book I, 7.3.2, 7.4.

A number is taken apart to a significand of 128 bits whose top bit is 1 and an exponent biased as the format's; results are rounded
once, in `fit`. What is below the last bit of a significand is told by that bit being 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, cat, clz, const, mux, sar, slt, ule, ult, zext
from xemu.core.softfloat import EQUAL, GREATER, LESS, UNORDERED
from xemu.core.softnumber import (
    AWAY,
    DIVIDE_BY_ZERO,
    DOWN,
    FORMATS,
    INEXACT,
    INFINITY_BY_INFINITY,
    INFINITY_LESS_INFINITY,
    INFINITY_TIMES_ZERO,
    INVALID,
    NAN_COMPARED,
    NEAREST,
    NO_INTEGER,
    ODD,
    OVERFLOW,
    ROOT_OF_NEGATIVE,
    ROUNDED_UP,
    SIGNALLING_NAN,
    UNDERFLOW,
    UP,
    ZERO,
    ZERO_BY_ZERO,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    Result = tuple[Bits, Bits]                 # value, exceptions

WIDTH, BIAS, TOP = 128, 16383, 0x7FFF
FRACTION = 112
SPARE = 127 - FRACTION                         # bits of a significand below the format's
#: less than the exponent of any product
NOTHING = -(1 << 20)


def flag(condition: Bits, bits: int) -> Bits:
    """Return exceptions where a condition holds."""
    return mux(condition, const(bits, 16), const(0, 16))


@dataclass(frozen=True)
class Number:
    """An operand taken apart; `bits` is it as a quad, with NaNs as they were."""

    bits: Bits
    exponent: Bits
    significand: Bits

    @property
    def sign(self) -> Bits:
        """Sign bit."""
        return self.bits[127]

    @property
    def zero(self) -> Bits:
        """Is it a zero?"""
        return self.bits[126:0] == 0

    @property
    def infinity(self) -> Bits:
        """Is it an infinity?"""
        return self.bits[126:0] == TOP << FRACTION

    @property
    def nan(self) -> Bits:
        """Is it a NaN?"""
        return ult(const(TOP << FRACTION, 127), self.bits[126:0])

    @property
    def signalling(self) -> Bits:
        """Is it a signalling NaN?"""
        return self.nan & ~self.bits[FRACTION - 1]

    @property
    def quieted(self) -> Bits:
        """The NaN, made quiet."""
        return self.bits | 1 << FRACTION - 1

    @property
    def short(self) -> Bits:
        """The significand without spare bits, for products."""
        return self.significand >> SPARE


def number(bits: Bits, fmt: str = "f128") -> Number:
    """Return a quad or a double taken apart."""
    f = FORMATS[fmt]
    sign, exponent, fraction = bits[f.width - 1], bits[f.width - 2:f.fraction], bits[f.fraction - 1:0]
    low = exponent == 0
    whole = cat(~low, fraction, const(0, 127 - f.fraction))
    lead = clz(whole)
    significand = whole << lead
    power = zext(exponent, 32) + zext(low, 32) - lead[31:0] + (BIAS - f.bias)
    if fmt == "f128":
        return Number(bits, power, significand)
    field = mux(exponent == f.top, const(TOP, 32), mux(whole == 0, const(0, 32), power))
    return Number(cat(sign, field[14:0], significand[126:SPARE]), power, significand)


class Rounding:
    """The control word: rounding mode 2:0, bits 5 and 6 for results that underflow or overflow and are adjusted."""

    def __init__(self, ctl: Bits) -> None:
        self.mode, self.adjusts_tiny, self.adjusts_large = ctl[2:0], ctl[5], ctl[6]

    def cut(self, significand: Bits, drop: Bits, sign: Bits) -> tuple[Bits, Bits, Bits]:
        """Return (the bits above `drop`, rounded; was anything lost; was the magnitude increased)."""
        whole, rest, half, mode = significand >> drop, significand << (128 - drop), 1 << 127, self.mode
        above, lost = ult(const(half, 128), rest), rest != 0
        up = (mode == NEAREST) & (above | ((rest == half) & whole[0]))
        up = up | ((mode == UP) & lost & ~sign) | ((mode == DOWN) & lost & sign)
        up = up | ((mode == AWAY) & rest[127]) | ((mode == ODD) & lost & ~whole[0])
        return whole + zext(up, 128), lost, up

    def fit(self, sign: Bits, exponent: Bits, significand: Bits, fmt: str = "f128") -> Result:
        """Return a number that is not zero in a format."""
        f = FORMATS[fmt]
        lowest, highest = 1 - f.bias + BIAS, f.bias + BIAS
        drop = 127 - f.fraction
        whole, inexact, up = self.cut(significand, const(drop, 128), sign)
        power = exponent + zext(whole[f.fraction + 1], 32)
        over, tiny = slt(const(highest, 32), power), slt(exponent, lowest)
        # below the normal numbers: a shorter significand; far below only whether there is something
        shift = lowest - exponent + drop
        far = slt(const(127, 32), shift)
        small, lost, small_up = self.cut(mux(far, const(1, 128), significand), mux(far, const(127, 128), zext(shift, 128)), sign)
        step = 3 << f.exponent - 2
        adjusted_tiny, adjusted_large = tiny & self.adjusts_tiny, over & self.adjusts_large
        denormal, huge = tiny & ~self.adjusts_tiny, over & ~self.adjusts_large
        whole, inexact, up = (mux(denormal, a, b) for a, b in ((small, whole), (lost, inexact), (small_up, up)))
        field = power - (lowest - 1) + mux(adjusted_tiny, const(step, 32), mux(adjusted_large, const(-step, 32), const(0, 32)))
        field = mux(denormal, zext(small[f.fraction], 32), field)
        outwards = mux(sign, self.mode == DOWN, self.mode == UP)
        infinite = (self.mode == NEAREST) | (self.mode == AWAY) | outwards
        magnitude = mux(huge, const(f.infinity, f.width - 1) - zext(~infinite, f.width - 1),
                        cat(field[f.exponent - 1:0], whole[f.fraction - 1:0]))
        flags = flag(over, OVERFLOW) | flag(adjusted_tiny | (tiny & inexact), UNDERFLOW) | flag(huge | inexact, INEXACT)
        return cat(sign, magnitude), flags | flag(mux(huge, infinite, up), ROUNDED_UP)


def compressed(exponent: Bits, wide: Bits) -> tuple[Bits, Bits]:
    """Return exponent and significand of a number of 256 bits, of which the exponent is that of the top bit."""
    lead = clz(wide)
    moved = wide << lead
    return exponent - lead[31:0], moved[255:128] | zext(moved[127:0] != 0, 128)


# -- arithmetic ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Term:
    """A term of a sum: bit 254 of its 256 is 1 (none is where it is zero), and has the exponent."""

    sign: Bits
    exponent: Bits
    wide: Bits


def term(x: Number) -> Term:
    """Return a number as a term."""
    return Term(x.sign, mux(x.zero, const(NOTHING, 32), x.exponent), zext(x.significand, 256) << 127)


def product(x: Number, y: Number) -> Term:
    """Return the exact product as a term."""
    total = zext(x.short, 256) * zext(y.short, 256)
    large = total[2 * FRACTION + 1]
    exponent = x.exponent + y.exponent - BIAS + zext(large, 32)
    return Term(x.sign ^ y.sign, mux(x.zero | y.zero, const(NOTHING, 32), exponent), total << mux(large, const(29, 256), const(30, 256)))


def total(r: Rounding, x: Term, y: Term) -> Result:
    """Return the sum, rounded once."""
    swap = slt(x.exponent, y.exponent) | ((x.exponent == y.exponent) & ult(x.wide, y.wide))
    big, small = mux(swap, y.wide, x.wide), mux(swap, x.wide, y.wide)
    high, low = mux(swap, y.exponent, x.exponent), mux(swap, x.exponent, y.exponent)
    distance = zext(mux(ult(const(255, 32), high - low), const(255, 32), high - low), 256)
    moved = small >> distance
    moved = moved | zext((moved << distance) != small, 256)
    same = x.sign == y.sign
    result = mux(same, big + moved, big - moved)
    value, flags = r.fit(mux(swap, y.sign, x.sign), *compressed(high + 1, result))
    none = result == 0
    return mux(none, cat(mux(same, x.sign, r.mode == DOWN), const(0, 127)), value), mux(none, const(0, 16), flags)


def infinity(sign: Bits) -> Bits:
    """Return an infinity."""
    return cat(sign, const(TOP << FRACTION, 127))


def add(r: Rounding, x: Number, y: Number, *, negated: bool = False) -> Result:
    """Return x + y or x - y where neither is a NaN; of exceptions also those that leave no number."""
    b = term(y)
    b = Term(~b.sign, b.exponent, b.wide) if negated else b
    value, flags = total(r, term(x), b)
    infinite = x.infinity | y.infinity
    invalid = x.infinity & y.infinity & (x.sign != b.sign)
    return (mux(infinite, infinity(mux(x.infinity, x.sign, b.sign)), value),
            mux(infinite, flag(invalid, INVALID | INFINITY_LESS_INFINITY), flags))


def multiply(r: Rounding, x: Number, y: Number) -> Result:
    """Return x * y, likewise."""
    p = product(x, y)
    value, flags = r.fit(p.sign, *compressed(p.exponent + 1, p.wide))
    infinite, none = x.infinity | y.infinity, x.zero | y.zero
    value = mux(infinite, infinity(p.sign), mux(none, cat(p.sign, const(0, 127)), value))
    return value, mux(infinite | none, flag(infinite & none, INVALID | INFINITY_TIMES_ZERO), flags)


def fused(r: Rounding, x: Number, y: Number, z: Number, *, negated: bool) -> Result:
    """Return x * y + z or x * y - z, likewise."""
    p, c = product(x, y), term(z)
    c = Term(~c.sign, c.exponent, c.wide) if negated else c
    value, flags = total(r, p, c)
    factor = x.infinity | y.infinity
    bad = factor & (x.zero | y.zero)
    opposed = factor & z.infinity & (p.sign != c.sign)
    value = mux(factor | z.infinity, infinity(mux(factor, p.sign, c.sign)), value)
    wrong = flag(bad, INVALID | INFINITY_TIMES_ZERO) | flag(opposed & ~bad, INVALID | INFINITY_LESS_INFINITY)
    return value, mux(factor | z.infinity, wrong, flags)


def divide(r: Rounding, x: Number, y: Number) -> Result:
    """Return x / y, likewise."""
    sign, rest, divisor = x.sign ^ y.sign, x.short, y.short
    quotient = const(0, 117)
    for _ in range(117):
        fits = ule(divisor, rest)
        quotient = cat(quotient[115:0], fits)
        rest = mux(fits, rest - divisor, rest) << 1
    significand = cat(quotient, const(0, 10), rest != 0)
    lead = ~significand[127]
    value, flags = r.fit(sign, x.exponent - y.exponent + BIAS - zext(lead, 32), significand << zext(lead, 128))
    infinite, none = x.infinity | y.zero, x.zero | y.infinity
    value = mux(infinite, infinity(sign), mux(none, cat(sign, const(0, 127)), value))
    wrong = flag(x.infinity & y.infinity, INVALID | INFINITY_BY_INFINITY) | flag(x.zero & y.zero, INVALID | ZERO_BY_ZERO)
    return value, mux(infinite | none, wrong | flag(y.zero & ~x.zero & ~x.infinity, DIVIDE_BY_ZERO), flags)


def root(r: Rounding, x: Number) -> Result:
    """Return the square root, likewise."""
    power = x.exponent - BIAS
    radicand = cat(const(0, 1), x.short[112:0], const(0, 118)) << zext(power[0], 232)       # 2 bits before the point, 230 after
    found, rest = const(0, 116), const(0, 120)
    for i in range(116):
        rest = cat(rest[117:0], radicand[231 - 2 * i:230 - 2 * i])
        trial = zext(cat(found, const(1, 2)), 120)
        fits = ule(trial, rest)
        rest = mux(fits, rest - trial, rest)
        found = cat(found[114:0], fits)
    value, flags = r.fit(const(0, 1), sar(power - zext(power[0], 32), 1) + BIAS, cat(found, const(0, 11), rest != 0))
    plain = x.zero | (x.infinity & ~x.sign)
    return mux(plain, x.bits, value), mux(plain, const(0, 16), mux(x.sign, const(INVALID | ROOT_OF_NEGATIVE, 16), flags))


def finished(result: Result, nans: Sequence[Number]) -> Result:
    """Return the result of operands that may be NaNs: the first of them, made quiet; or the one of an invalid operation."""
    value, flags = result
    value = mux(flags[0], const(TOP << FRACTION | 1 << FRACTION - 1, 128), value)
    signals = const(0, 1)
    for x in nans:
        signals = signals | x.signalling
    nan = const(0, 1)
    for x in reversed(nans):
        value, nan = mux(x.nan, x.quieted, value), nan | x.nan
    return value, mux(nan, flag(signals, INVALID | SIGNALLING_NAN), flags)


# -- integers and integral numbers -----------------------------------------------------------------------------------------------


def whole(r: Rounding, x: Number) -> tuple[Bits, Bits, Bits]:
    """Return (magnitude rounded to an integer of at most 113 bits, lost anything, up)."""
    power = x.exponent - BIAS
    far = slt(power, -1)
    drop = mux(far, const(127, 32), 127 - power)
    return r.cut(mux(far, zext(~x.zero, 128), x.significand), zext(drop, 128), x.sign)


def integral(r: Rounding, x: Number, *, exact: bool) -> Result:
    """Return x rounded to an integral number; `exact` says when it changed."""
    size, lost, up = whole(r, x)
    lead = clz(size)
    value = cat(x.sign, mux(size == 0, const(0, 15), (BIAS + 127 - lead[31:0])[14:0]), (size << lead)[126:SPARE])
    same = slt(const(BIAS + FRACTION - 1, 32), x.exponent) | x.zero
    flags = flag(lost, INEXACT) | flag(up, ROUNDED_UP) if exact else const(0, 16)
    return mux(x.nan, x.quieted, mux(same, x.bits, value)), mux(same, flag(x.signalling, INVALID | SIGNALLING_NAN), flags)


def to_integer(r: Rounding, x: Number, width: int, *, signed: bool) -> Result:
    """Return x as an integer: what does not fit is the nearest, a NaN the least."""
    size, lost, up = whole(r, x)
    large = slt(const(BIAS + 63, 32), x.exponent)
    limit = const((1 << width - 1) - 1, 128) + zext(x.sign, 128) if signed else mux(x.sign, const(0, 128), const((1 << width) - 1, 128))
    bad = x.nan | large | ult(limit, size)
    size = mux(bad, limit, size)
    value = mux(x.sign, -size, size)[width - 1:0]
    value = mux(x.nan, const(1 << width - 1 if signed else 0, width), value)
    invalid = flag(bad, INVALID | NO_INTEGER) | flag(x.signalling, SIGNALLING_NAN)
    return value, mux(bad, invalid, flag(lost, INEXACT) | flag(up, ROUNDED_UP))


def from_integer(value: Bits, *, signed: bool) -> Result:
    """Return an integer as a quad."""
    sign = value[value.width - 1] if signed else const(0, 1)
    size = zext(mux(sign, -value, value), 128)
    lead = clz(size)
    exponent = mux(size == 0, const(0, 32), BIAS + 127 - lead[31:0])
    return cat(sign, exponent[14:0], (size << lead)[126:SPARE]), const(0, 16)


# -- comparisons and formats ---------------------------------------------------------------------------------------------------


def relation(x: Number, y: Number, *, signals: bool) -> Result:
    """Return the relation of x to y as softfloat.relate numbers it."""
    unordered = x.nan | y.nan
    equal = (x.bits == y.bits) | (x.zero & y.zero)
    less = mux(x.sign, mux(y.sign, ult(y.bits, x.bits), const(1, 1)), ~y.sign & ult(x.bits, y.bits))
    code = mux(unordered, const(UNORDERED, 8), mux(equal, const(EQUAL, 8), mux(less, const(LESS, 8), const(GREATER, 8))))
    flags = flag(x.signalling | y.signalling, INVALID | SIGNALLING_NAN)
    return code, flags | flag(unordered, INVALID | NAN_COMPARED) if signals else flags


def convert(r: Rounding, x: Number, fmt: str) -> Result:
    """Return x in another format."""
    f = FORMATS[fmt]
    if fmt == "f128":
        return mux(x.nan, x.quieted, x.bits), flag(x.signalling, INVALID | SIGNALLING_NAN)
    value, flags = r.fit(x.sign, x.exponent, x.significand, fmt)
    special = cat(x.sign, mux(x.zero, const(0, f.width - 1), const(f.infinity, f.width - 1)))
    nan = cat(x.sign, const(-1, f.exponent + 1), x.bits[FRACTION - 2:FRACTION - f.fraction])
    plain = x.zero | x.infinity
    return (mux(x.nan, nan, mux(plain, special, value)),
            mux(x.nan | plain, flag(x.signalling, INVALID | SIGNALLING_NAN), flags))


# -- the whole -----------------------------------------------------------------------------------------------------------------


def slow(name: str, fmt: Any, args: Sequence[Bits], ctl: Bits) -> Result:
    """Return value and exceptions of an operation; names and formats as in softfloat.lane."""
    r = Rounding(ctl)
    if isinstance(fmt, tuple):
        return _converted(r, name, fmt, args[0])
    x, y, z = [*[number(a) for a in args], *[number(args[0])] * 2][:3]
    match name:
        case "add" | "sub": return finished(add(r, x, y, negated=name == "sub"), [x, y])
        case "mul": return finished(multiply(r, x, y), [x, y])
        case "div": return finished(divide(r, x, y), [x, y])
        case "sqrt": return finished(root(r, x), [x])
        case "fma" | "fms":
            value, flags = finished(fused(r, x, y, z, negated=name == "fms"), [x, z, y])
            bad = (x.infinity & y.zero) | (x.zero & y.infinity)
            return value, flags | flag(bad, INVALID | INFINITY_TIMES_ZERO)
        case "rint" | "round_int": return integral(r, x, exact=name == "rint")
        case "relation" | "relation_s": return relation(x, y, signals=name == "relation_s")
    raise KeyError(name)


def _converted(r: Rounding, name: str, fmt: tuple[Any, ...], value: Bits) -> Result:
    if name == "to_float":
        return convert(r, number(value, fmt[0]), fmt[1])
    if name in ("to_sint", "to_uint"):
        _, width, rounding, _ = fmt
        r.mode = const(ZERO, 3) if rounding == "zero" else r.mode
        return to_integer(r, number(value), width, signed=name == "to_sint")
    return from_integer(value, signed=name == "from_sint")


