"""What the slow floating-point functions of all targets share, in `Bits`: NaNs, relations, rounding, integers, formats.

Exact, and without the host. A target's rules (fp_rules.py of each) say when operands are flushed, which NaN comes out and what is an
exception. Rounding modes are those of a control word (fp.py): 2 bits, or 3 where there is 4, to the nearest with halves away from zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, cat, clz, const, mux, slt, ule, ult, zext
from xemu.core.fp import Parts, any_of
from xemu.core.softfloat import EQUAL, GREATER, LESS, UNORDERED
from xemu.core.softnumber import AWAY, DOWN, FORMATS, NEAREST, UP

if TYPE_CHECKING:
    from collections.abc import Sequence

Result = tuple[Bits, Bits]         # value, exceptions
#: the relations for which comparisons hold
HOLDS = {"lt": (LESS,), "le": (LESS, EQUAL), "eq": (EQUAL,), "unordered": (UNORDERED,)}


# -- operands -----------------------------------------------------------------------------------------------------------


def first_nan(operands: Sequence[Parts]) -> Bits:
    """Return the first operand that is a NaN, made quiet (given that there is one)."""
    result = operands[-1].bits
    for x in reversed(operands[:-1]):
        result = mux(x.is_nan, x.bits, result)
    return result | FORMATS[operands[0].fmt].quiet


def zero_times_infinity(x: Parts, y: Parts) -> Bits:
    """Return whether one is zero and the other infinite."""
    return (x.is_zero & y.is_infinity) | (x.is_infinity & y.is_zero)


def related(x: Parts, y: Parts) -> Bits:
    """Return the relation of x to y as softfloat.relate numbers it."""
    equal = (x.bits == y.bits) | (x.is_zero & y.is_zero)
    less = mux(x.sign, mux(y.sign, ult(y.bits, x.bits), ~(x.is_zero & y.is_zero)), ~y.sign & ult(x.bits, y.bits))
    ordered = mux(equal, const(EQUAL, 8), mux(less, const(LESS, 8), const(GREATER, 8)))
    return mux(x.is_nan | y.is_nan, const(UNORDERED, 8), ordered)


def holds(comparison: str, relation: Bits) -> Bits:
    """Return whether a comparison (of softfloat.COMPARES) holds."""
    return any_of([relation == r for r in HOLDS[comparison.removesuffix("_s")]])


# -- rounding -----------------------------------------------------------------------------------------------------------


def rounds_up(rest: Bits, odd: Bits, sign: Bits, mode: Bits) -> Bits:
    """Return whether the magnitude is increased: `rest` is what was cut off, its top bit worth a half."""
    half = 1 << (rest.width - 1)
    nearest = ult(const(half, rest.width), rest) | ((rest == half) & odd)
    directed = (rest != 0) & mux(mode == UP, ~sign, (mode == DOWN) & sign)
    if mode.width > 2:
        directed = mux(mode == AWAY, rest[rest.width - 1], directed)
    return mux(mode == NEAREST, nearest, directed)


def outwards(sign: Bits, mode: Bits) -> Bits:
    """Return whether a mode rounds numbers of a sign away from zero, whatever is cut off."""
    return mux(sign, mode == DOWN, mode == UP)


def at_unit(a: Parts, drop: Bits, least: Bits, mode: Bits) -> tuple[Bits, Bits, Bits]:
    """Return a magnitude rounded to a multiple of a power of two, whether that lost anything, and whether it grew.

    `drop` is how many bits of the fraction are below that power; `least` is its exponent field: a number below it becomes it or zero.
    """
    f, width = FORMATS[a.fmt], FORMATS[a.fmt].width
    exponent, magnitude = zext(a.exponent, 16), a.magnitude
    small = slt(exponent, least)
    half = exponent == least - 1
    below = mux(half, cat(const(1, 1), a.fraction, const(0, width - 1 - f.fraction)), zext(magnitude != 0, width))
    wide = zext(drop, width)
    rest = mux(small, below, magnitude << (width - wide))
    unit = const(1, width) << wide
    # where all of the fraction is dropped, the implicit bit is the last one kept
    odd = mux(small, const(0, 1), (drop == f.fraction) | (magnitude >> wide)[0])
    up = rounds_up(rest, odd, a.sign, mode)
    one = zext(least, width) << f.fraction
    number = mux(small, mux(up, one, const(0, width)), (magnitude & -unit) + mux(up, unit, const(0, width)))
    return number, rest != 0, up


def integral(a: Parts, mode: Bits) -> tuple[Bits, Bits, Bits]:
    """Return a number rounded to an integral one of its format, whether that lost anything, and whether its magnitude grew."""
    f = FORMATS[a.fmt]
    exponent = zext(a.exponent, 16)
    fractional = ~slt(const(f.bias + f.fraction - 1, 16), exponent)
    number, lost, up = at_unit(a, const(f.bias + f.fraction, 16) - exponent, const(f.bias, 16), mode)
    return mux(fractional, number | a.signed_zero, a.bits), fractional & lost, fractional & up


def integer(a: Parts, width: int, mode: Bits, *, signed: bool, fbits: Bits | int = 0) -> tuple[Bits, Bits, Bits, Bits]:
    """Return the magnitude (64 bits) of a number times 2**fbits as an integer of `width` ≤ 64 bits, and three bits.

    They say whether it does not fit (or is no number: then it is the nearest), whether rounding lost anything, and whether it grew.
    """
    f = FORMATS[a.fmt]
    significand = zext(cat(a.exponent != 0, a.fraction), 64)
    power = zext(a.exponent, 16) + zext(a.exponent == 0, 16) - (f.bias + f.fraction) + fbits      # of the lowest bit
    right = -power
    left = slt(right, 1)
    far = slt(const(63, 16), right)
    whole = mux(left, significand << zext(power, 64), significand >> zext(right, 64))
    whole = mux(far, const(0, 64), whole)
    rest = mux(far, zext(significand != 0, 64), significand << zext(64 - right, 64))
    rest = mux(left, const(0, 64), rest)
    up = rounds_up(rest, whole[0], a.sign, mode)
    number = whole + zext(up, 64)
    limit = mux(a.sign, const(1 << (width - 1) if signed else 0, 64), const((1 << (width - signed)) - 1, 64))
    large = slt(const(63 - f.fraction, 16), power) & (significand != 0)
    bad = a.is_nan | a.is_infinity | large | ult(limit, number)
    return mux(bad, limit, number), bad, rest != 0, up


# -- formats ------------------------------------------------------------------------------------------------------------


def converted_nan(x: Parts, target: str) -> Bits:
    """Return a NaN in another format: quiet, with the top of its payload."""
    keep = min(FORMATS[x.fmt].fraction, FORMATS[target].fraction) - 1
    low = FORMATS[x.fmt].fraction - 1 - keep
    rest = FORMATS[target].fraction - 1 - keep
    head = cat(x.sign, const(-1, FORMATS[target].exponent + 1), x.bits[low + keep - 1:low])
    return cat(head, const(0, rest)) if rest else head


def widened(a: Parts, target: str, *, special: Bits | int = 1) -> Parts:
    """Return a number in a wider format; a signalling NaN stays one. Where `special` is 0 there are neither NaNs nor infinities."""
    f, to = FORMATS[a.fmt], FORMATS[target]
    up, bias = to.fraction - f.fraction, to.bias - f.bias
    magnitude = zext(a.magnitude, to.width)
    lead = clz(magnitude) - (to.width - 1 - f.fraction)                # of a denormal
    small = cat(const(0, 1), (1 + bias - lead)[to.exponent - 1:0], (magnitude << lead)[f.fraction - 1:0], const(0, up))
    number = (magnitude << up) + (bias << to.fraction)
    number = mux(a.exponent == 0, mux(a.is_zero, const(0, to.width), small), number)
    number = mux((a.exponent == f.top) & special, const(to.infinity, to.width) | zext(a.fraction, to.width) << up, number)
    return Parts(cat(a.sign, number[to.width - 2:0]), target)


def half(a: Parts, mode: Bits) -> tuple[Bits, Bits, Bits]:
    """Return the magnitude of a number as a half whose exponent has no limit (32 bits), is it inexact, and is it below 2**-14."""
    bias, fraction = FORMATS[a.fmt].bias, FORMATS[a.fmt].fraction
    exponent = zext(a.exponent, 16)
    tiny = ult(exponent, bias - 14)                              # the smallest unit is 2**-24
    shift = mux(tiny, bias - 1 - exponent, const(13, 16))
    significand = zext(cat(a.exponent != 0, a.fraction), 64) << (55 - fraction)
    moved = significand >> zext(shift, 64)
    if a.fmt == "f64":                                           # more bits than fit: whether any was lost counts
        moved = moved | zext((moved << zext(shift, 64)) != significand, 64)
    moved = mux(ult(const(32, 16), shift), zext(significand != 0, 64), moved)  # far below the smallest half: just not zero
    units = moved[47:32] + zext(rounds_up(moved[31:0], moved[32], a.sign, mode), 16)
    # units carry into the exponent by themselves; a normal number's implicit one counts as one exponent step
    total = mux(tiny, const(0, 32), zext(exponent - (bias - 14), 32) << 10) + zext(units, 32)
    return total, moved[31:0] != 0, tiny


def half_overflows(total: Bits, sign: Bits, mode: Bits) -> tuple[Bits, Bits]:
    """Return whether such a magnitude is too large for a half, and what is there instead."""
    largest = (mode != NEAREST) & ~outwards(sign, mode)
    return ule(const(FORMATS["f16"].infinity, 32), total), mux(largest, const(0x7BFF, 16), const(0x7C00, 16))
