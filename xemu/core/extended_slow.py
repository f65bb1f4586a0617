"""80-bit operations in `Bits`, for hosts that have no such numbers: exact as extended.py, and slow.

`slow` gives what an "extended" node means; native code calls it as a function (lower_extended.py). The rarest operations
are not here: on such hosts the evaluator has them. Only what all operations share is explained; the rest is in extended.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xemu.core.bits import Bits, cat, clz, const, mux, sar, sext, slt, ule, ult, zext
from xemu.core.extended import INDEFINITE, WIDTHS, indefinite
from xemu.core.extended_number import C0, C1, C2, C3, DE, EXCEPTIONS, IE, OE, PE, RANGES, UE, WRAP, ZE
from xemu.core.softnumber import FORMATS

if TYPE_CHECKING:
    from collections.abc import Sequence

ARITHMETIC = ("add", "sub", "subr", "mul", "div", "divr")
NAMES = (
    *[f"{n}.{k}" for n in (*ARITHMETIC, "com", "ucom") for k in ("f80", "f32", "f64", "i16", "i32") if n != "ucom" or k == "f80"],
    "test", "sqrt", "rint", "scale", *[f"load.{k}" for k in ("f32", "f64", "i16", "i32", "i64")],
    *[f"store.{k}" for k in ("f32", "f64", "i16", "i32", "i64")], *[f"chop.{k}" for k in ("i16", "i32", "i64")],
)  # fmt: skip
BIAS = 16383


def flag(condition: Bits, bit: int) -> Bits:
    """Return a bit of the status word where a condition holds."""
    return mux(condition, const(bit, 16), const(0, 16))


@dataclass
class Number:
    """An operand taken apart: value = significand / 2**63 * 2**(exponent - bias), the significand's top bit 1 unless it is zero."""

    bits: Bits
    tiny: Bits                 # it was a denormal in its own format

    def __post_init__(self) -> None:
        fraction, exponent = self.bits[63:0], self.bits[78:64]
        self.sign = self.bits[79]
        low, top, integer = exponent == 0, exponent == 0x7FFF, fraction[63]
        self.bad = ~low & ~integer
        self.zero = low & (fraction == 0)
        self.infinity = top & (fraction == 1 << 63)
        self.nan = top & integer & ~self.infinity
        self.quiet = self.nan & fraction[62]
        self.denormal = self.tiny | (low & (fraction != 0))
        lead = clz(fraction)
        self.significand = fraction << lead
        self.exponent = zext(exponent, 32) + zext(low, 32) - lead[31:0]


def number(bits: Bits, kind: str = "f80") -> Number:
    """Return an operand in a format as an extended number."""
    none = const(0, 1)
    if kind == "f80":
        return Number(bits, none)
    if kind[0] == "i":
        return Number(from_integer(sext(bits, 64)), none)
    fmt = FORMATS[kind]
    sign, exponent, fraction = bits[fmt.width - 1], bits[fmt.width - 2:fmt.fraction], bits[fmt.fraction - 1:0]
    low, top = exponent == 0, exponent == fmt.top
    significand = cat(~low, fraction, const(0, 63 - fmt.fraction))
    lead = clz(significand)
    power = zext(exponent, 32) + zext(low, 32) - lead[31:0] + (BIAS - fmt.bias)
    power = mux(top, const(0x7FFF, 32), mux(significand == 0, const(0, 32), power))
    return Number(cat(sign, power[14:0], significand << lead), low & (fraction != 0))


def from_integer(value: Bits) -> Bits:
    """Return a signed 64-bit integer as a number."""
    size = mux(value[63], -value, value)
    lead = clz(size)
    exponent = mux(size == 0, const(0, 32), BIAS + 63 - lead[31:0])
    return cat(value[63], exponent[14:0], size << lead)


class Rounding:
    """Control word, and the results of rounding a number: significand of 128 bits, its top bit 1 (the last one stands for more)."""

    def __init__(self, control: Bits) -> None:
        self.mode = control[11:10]
        self.masked = control[5:0]
        self.drop = mux(control[9:8] == 0, const(104, 128), mux(control[9:8] == 2, const(75, 128), const(64, 128)))

    def cut(self, significand: Bits, drop: Bits, sign: Bits) -> tuple[Bits, Bits, Bits]:
        """Return (the bits above `drop`, rounded; was anything lost; was it rounded up)."""
        whole, rest = significand >> drop, significand << (128 - drop)
        half = const(1 << 127, 128)
        nearest = ult(half, rest) | ((rest == half) & whole[0])
        directed = (rest != 0) & mux(self.mode == 2, ~sign, (self.mode == 1) & sign)
        up = mux(self.mode == 0, nearest, directed)
        return whole + zext(up, 128), rest != 0, up

    def fit(self, sign: Bits, exponent: Bits, significand: Bits, *, kind: str = "f80", full: bool = False) -> tuple[Bits, Bits]:
        """Return (bits, status) of a number that is not zero. `full`: the precision control does not count."""
        limits, fmt = RANGES[kind], FORMATS.get(kind)
        lowest, highest = limits.lowest + BIAS, limits.highest + BIAS
        drop = const(128 - limits.precision, 128) if full or fmt else self.drop
        whole, inexact, up = self.cut(significand, drop, sign)
        carry = (whole >> (128 - drop))[0]
        power = exponent + zext(carry, 32)
        over, tiny = slt(const(highest, 32), power), slt(power, lowest)
        # below the normal numbers: a shorter significand; far below only whether there is something
        short = lowest - exponent + drop[31:0]
        far = slt(const(128, 32), short)
        small, lost, small_up = self.cut(mux(far, const(1, 128), significand), mux(far, const(127, 128), zext(short, 128)), sign)
        masked_under, masked_over = tiny & self.masked[4], over & self.masked[3]
        wrapped = mux(over, power - WRAP, mux(tiny, power + WRAP, power))
        beyond, below = over & ~masked_over & slt(const(highest, 32), wrapped), tiny & slt(wrapped, lowest)
        whole, inexact, up = (mux(masked_under, a, b) for a, b in ((small, whole), (lost, inexact), (small_up, up)))
        to_infinity = beyond | mux(self.mode == 0, const(1, 1), mux(self.mode == 2, ~sign, (self.mode == 1) & sign))
        place = drop - 64                                    # the significand's last bit among 64
        final = (whole << place)[63:0]
        final = mux(carry & ~masked_under, const(1 << 63, 64), final)
        final = mux(below & ~masked_under, const(0, 64), final)
        biased = mux(masked_under, zext(final[63], 32) * lowest, mux(below, const(0, 32), wrapped))
        huge = masked_over | beyond
        largest = ((const(1, 128) << (128 - drop)) - 1 << place)[63:0]
        final = mux(huge, mux(to_infinity, const(1 << 63, 64), largest), final)
        biased = mux(huge, mux(to_infinity, const(0x7FFF, 32), const(highest, 32)), biased)
        gone = below & ~masked_under
        status = (flag(over, OE) | flag(inexact | huge | gone, PE) | flag(tiny & (inexact | ~self.masked[4]), UE)
                  | flag(mux(huge, to_infinity, mux(gone, const(0, 1), inexact & up)), C1))
        if fmt is None:
            return cat(sign, biased[14:0], final), status
        field = mux(biased == 0x7FFF, const(fmt.top, 32), mux(final[63], biased - (lowest - 1), const(0, 32)))
        return cat(sign, field[fmt.exponent - 1:0], final[62:63 - fmt.fraction]), status


def normal(exponent: Bits, significand: Bits) -> tuple[Bits, Bits]:
    """Return a number of which the exponent is that of the top bit, with that bit 1."""
    lead = clz(significand)
    return exponent - lead[31:0], significand << lead


def choose(x: Number, y: Number) -> Bits:
    """Return the NaN that comes out (ExtendedRules.nan)."""
    larger = ult(y.bits[63:0], x.bits[63:0]) | ((x.bits[63:0] == y.bits[63:0]) & ~x.sign)
    first = mux(x.quiet == y.quiet, larger, x.quiet)
    return mux(x.nan & (~y.nan | first), x.bits, y.bits) | 1 << 62


# -- operations -------------------------------------------------------------------------------------------------------------


def add(r: Rounding, x: Number, y: Number, negate: int) -> tuple[Bits, Bits, Bits, Bits]:
    """Return (bits, status, invalid, division by zero) of x + y or x - y."""
    sign_y = y.sign ^ negate
    swap = slt(x.exponent, y.exponent) | ((x.exponent == y.exponent) & ult(x.significand, y.significand))
    a, b = mux(swap, y.significand, x.significand), mux(swap, x.significand, y.significand)
    high, low = mux(swap, y.exponent, x.exponent), mux(swap, x.exponent, y.exponent)
    distance = mux(ult(const(127, 32), high - low), const(127, 32), high - low)
    big, small = zext(a, 128) << 63, zext(b, 128) << 63
    moved = small >> zext(distance, 128)
    moved = moved | zext((moved << zext(distance, 128)) != small, 128)
    sign = mux(swap, sign_y, x.sign)
    total = mux(x.sign == sign_y, big + moved, big - moved)
    bits, status = r.fit(sign, *normal(high + 1, total))
    none = total == 0
    zero = cat(mux(x.sign == sign_y, x.sign, r.mode == 1), const(0, 79))
    bits, status = mux(none, zero, bits), mux(none, const(0, 16), status)
    infinite = x.infinity | y.infinity
    bits = mux(infinite, cat(mux(x.infinity, x.sign, sign_y), const(0x7FFF << 64 | 1 << 63, 79)), bits)
    invalid = x.infinity & y.infinity & (x.sign != sign_y)
    return bits, mux(infinite, const(0, 16), status), invalid, const(0, 1)


def product(r: Rounding, x: Number, y: Number, *, divide: bool) -> tuple[Bits, Bits, Bits, Bits]:
    """Return (bits, status, invalid, division by zero) of x * y or x / y."""
    sign = x.sign ^ y.sign
    if divide:
        quotient, rest = const(0, 68), zext(x.significand, 66)
        divisor = zext(y.significand, 66)
        for _ in range(68):
            fits = ule(divisor, rest)
            quotient = cat(quotient[66:0], fits)
            rest = mux(fits, rest - divisor, rest) << 1
        significand = cat(quotient, const(0, 59), rest != 0)
        exponent = x.exponent - y.exponent + BIAS
        invalid = (x.zero & y.zero) | (x.infinity & y.infinity)
        infinite, none, by_zero = x.infinity | y.zero, x.zero | y.infinity, y.zero & ~x.infinity
    else:
        significand, exponent = zext(x.significand, 128) * zext(y.significand, 128), x.exponent + y.exponent - (BIAS - 1)
        invalid = (x.zero & y.infinity) | (x.infinity & y.zero)
        infinite, none, by_zero = x.infinity | y.infinity, x.zero | y.zero, const(0, 1)
    bits, status = r.fit(sign, *normal(exponent, significand))
    bits = mux(infinite, cat(sign, const(0x7FFF << 64 | 1 << 63, 79)), mux(none, cat(sign, const(0, 79)), bits))
    return bits, mux(infinite | none, const(0, 16), status), invalid, by_zero


def sqrt(r: Rounding, x: Number) -> tuple[Bits, Bits, Bits, Bits]:
    """Return (bits, status, invalid, division by zero) of the square root."""
    power = x.exponent - BIAS
    odd = power[0]
    radicand = cat(const(0, 1), x.significand, const(0, 67)) << zext(odd, 132)       # 2 bits before the point, 130 after
    root, rest = const(0, 68), const(0, 72)
    for i in range(66):
        rest = cat(rest[69:0], radicand[131 - 2 * i:130 - 2 * i])
        trial = zext(cat(root, const(1, 2)), 72)
        fits = ule(trial, rest)
        rest = mux(fits, rest - trial, rest)
        root = cat(root[66:0], fits)
    significand = cat(root[65:0], const(0, 61), rest != 0)
    bits, status = r.fit(x.sign, sar(power - zext(odd, 32), 1) + BIAS, significand)
    plain = x.zero | x.infinity
    return mux(plain, x.bits, bits), mux(plain, const(0, 16), status), x.sign & ~x.zero, const(0, 1)


def whole(r: Rounding, x: Number) -> tuple[Bits, Bits, Bits, Bits]:
    """Return (magnitude rounded to an integer of 65 bits, lost anything, up, too large)."""
    power = x.exponent - BIAS
    large = slt(const(63, 32), power)
    far = slt(power, -1)
    significand = cat(x.significand, const(0, 64))
    drop = mux(far, const(127, 32), 127 - power)
    value, inexact, up = r.cut(mux(far, zext(~x.zero, 128), significand), zext(drop, 128), x.sign)
    return value[64:0], inexact & ~large, up & inexact & ~large, large


def rint(r: Rounding, x: Number) -> tuple[Bits, Bits, Bits, Bits]:
    """Return (bits, status, invalid, division by zero) of the nearest integral number."""
    value, inexact, up, large = whole(r, x)
    low = value[63:0]
    lead = clz(low)
    bits = cat(x.sign, mux(low == 0, const(0, 15), (BIAS + 63 - lead[31:0])[14:0]), low << lead)
    same = large | x.zero | x.infinity
    return mux(same, x.bits, bits), mux(same, const(0, 16), flag(inexact, PE) | flag(up, C1)), const(0, 1), const(0, 1)


def scale(r: Rounding, x: Number, y: Number) -> tuple[Bits, Bits, Bits, Bits]:
    """Return (bits, status, invalid, division by zero) of x * 2**trunc(y)."""
    power = y.exponent - BIAS
    size = mux(slt(power, 0), const(0, 32), (y.significand >> zext(63 - power, 64))[31:0])
    size = mux(slt(const(16, 32), power) | ult(const(1 << 17, 32), size), const(1 << 17, 32), size)
    bits, status = r.fit(x.sign, x.exponent + mux(y.sign, -size, size), cat(x.significand, const(0, 64)), full=True)
    same = x.zero | x.infinity
    bits, status = mux(same, x.bits, bits), mux(same | y.infinity, const(0, 16), status)
    bits = mux(y.infinity, cat(x.sign, mux(y.sign, const(0, 79), const(0x7FFF << 64 | 1 << 63, 79))), bits)
    invalid = y.infinity & mux(y.sign, x.infinity, x.zero)
    return bits, status, invalid, const(0, 1)


def compare(x: Number, y: Number) -> Bits:
    """Return C3, C2 and C0."""
    size_x, size_y = cat(x.exponent ^ 1 << 31, x.significand), cat(y.exponent ^ 1 << 31, y.significand)
    equal = (x.zero & y.zero) | ((x.sign == y.sign) & (size_x == size_y) & (x.zero == y.zero))
    smaller = mux(x.zero, ~y.zero, ~y.zero & ult(size_x, size_y))          # in size
    larger = mux(y.zero, ~x.zero, ~x.zero & ult(size_y, size_x))
    less = mux(x.sign, mux(y.sign, larger, ~(x.zero & y.zero)), ~y.sign & smaller)
    return flag(equal, C3) | flag(less & ~equal, C0)


# -- the whole ----------------------------------------------------------------------------------------------------------------


def slow(name: str, args: Sequence[Bits], control: Bits, before: Bits) -> tuple[Bits, Bits]:
    """Return (status word, result) of an operation; comparisons have a result of one bit that means nothing."""
    base, _, kind = name.partition(".")
    r = Rounding(control)
    blocking = IE | DE | ZE
    if base == "load":
        x = y = number(args[0], kind)
        value, status, invalid, by_zero = x.bits, const(0, 16), const(0, 1), const(0, 1)
    else:
        x = number(args[0])
        y = number(const(0, 80)) if base == "test" else number(args[1], kind or "f80") if len(args) > 1 else x
        if base in ("store", "chop"):
            return _store(r, x, kind, control, before, chop=base == "chop")
        if base in ("com", "ucom", "test"):
            return _compared(x, y, control, before, quiet=base == "ucom"), const(0, 1)
        a, b = (y, x) if base in ("subr", "divr") else (x, y)
        match base:
            case "add" | "sub" | "subr": value, status, invalid, by_zero = add(r, a, b, int(base != "add"))
            case "mul" | "div" | "divr": value, status, invalid, by_zero = product(r, a, b, divide=base != "mul")
            case "sqrt": value, status, invalid, by_zero = sqrt(r, x)
            case "rint": value, status, invalid, by_zero = rint(r, x)
            case _: value, status, invalid, by_zero = scale(r, x, y)
    bad, nan = x.bad | y.bad, x.nan | y.nan
    invalid = bad | mux(nan, (x.nan & ~x.quiet) | (y.nan & ~y.quiet), invalid)
    value = mux(bad | (invalid & ~nan), const(INDEFINITE, 80), mux(nan, choose(x, y), value))
    by_zero = by_zero & ~nan & ~invalid
    raised = mux(nan | invalid, const(0, 16), status) | flag(invalid, IE) | flag(by_zero, ZE)
    raised = raised | flag((x.denormal | y.denormal) & ~(nan | invalid | by_zero), DE)
    return _final(raised, control, before, blocking), value


def _final(raised: Bits, control: Bits, before: Bits, blocking: int, kept: int = 0) -> Bits:
    """Return the status word: where an exception leaves no result, those found before it are all."""
    blocked = (raised & ~control & blocking) != 0
    return mux(blocked, raised & (blocking | kept), raised) | before & EXCEPTIONS


def _compared(x: Number, y: Number, control: Bits, before: Bits, *, quiet: bool) -> Bits:
    bad, nan = x.bad | y.bad, x.nan | y.nan
    signals = (x.nan & ~x.quiet) | (y.nan & ~y.quiet)
    invalid = bad | (signals if quiet else nan)
    status = mux(bad | nan, const(C3 | C2 | C0, 16), compare(x, y)) | flag(invalid, IE)
    status = status | flag((x.denormal | y.denormal) & ~bad & ~nan, DE)
    return _final(status, control, before, IE | DE | ZE, C3 | C2 | C0)


def _store(r: Rounding, x: Number, kind: str, control: Bits, before: Bits, *, chop: bool) -> tuple[Bits, Bits]:
    width, nothing = WIDTHS[kind], const(indefinite(f"store.{kind}"), WIDTHS[kind])
    if kind[0] == "f":
        fmt = FORMATS[kind]
        value, status = r.fit(x.sign, x.exponent, cat(x.significand, const(0, 64)), kind=kind)
        nan = cat(x.sign, const((1 << fmt.exponent + 1) - 1, fmt.exponent + 1), x.bits[61:63 - fmt.fraction])
        special = cat(x.sign, mux(x.infinity, const(fmt.infinity, width - 1), const(0, width - 1)))
        value = mux(x.nan, nan, mux(x.infinity | x.zero, special, value))
        invalid = x.bad | (x.nan & ~x.quiet)
        value = mux(x.bad, nothing, value)
        status = mux(x.bad | x.nan | x.infinity | x.zero, flag(invalid, IE), status)
    else:
        r.mode = const(3, 2) if chop else r.mode
        size, inexact, up, large = whole(r, x)
        limit = const((1 << width - 1) - 1, 65) + zext(x.sign, 65)
        invalid = x.bad | x.nan | x.infinity | large | ult(limit, size)
        low = size[63:0]
        value = mux(invalid, nothing, mux(x.sign, -low, low)[width - 1:0])
        status = mux(invalid, const(IE, 16), flag(inexact, PE) | flag(up, C1))
    return _final(status, control, before, IE | DE | ZE | OE | UE), value


__all__ = ["NAMES", "slow"]
