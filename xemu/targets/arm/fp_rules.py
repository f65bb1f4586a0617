"""ARM's floating-point rules in `Bits`: the slow functions behind native code, and operations no host has.

`slow` is exact for every operand and control word and leaves nothing to the host but the rounded result of an IEEE
operation and its exceptions. It does not depend on what hosts differ in: NaNs are chosen here, and "tiny" (ARM: before
rounding, A2.7.4) is read off a second run towards zero, where a result is below the smallest normal number exactly if
the unrounded one is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, cat, clz, const, mux, sext, slt, ule, ult, zext
from xemu.core.fp import Parts, any_of, exceptions, host
from xemu.core.softnumber import FORMATS

if TYPE_CHECKING:
    from collections.abc import Sequence

Result = tuple[Bits, Bits]         # value, exceptions


def slow(name: str, fmt: Any, args: Sequence[Bits], ctl: Bits) -> Result:
    """Return the value and all exceptions of the scalar operation `name` of an "fp" node with ARM rules.

    The result for lanes is this for each lane. `ctl` as in fp.py; rounding mode 4 does not occur on ARMv7.
    """
    if "f128" in fmt:
        raise KeyError(name)
    if name in ("add", "sub", "mul", "div", "sqrt", "fma"):
        return arithmetic(name, fmt, args, ctl)
    if name == "to_float":
        return half_conversion(fmt, args[0], ctl) if "f16" in fmt else float_conversion(fmt, args[0], ctl)
    if name in ("to_sint", "to_uint", "from_sint", "from_uint") and 64 in fmt:
        raise KeyError(name)
    if name in ("to_sint", "to_uint"):
        source, width, rounding, fbits = fmt
        mode = const(3, 2) if rounding == "zero" else ctl[1:0]
        return to_integer(args[0], source, width, fbits, mode, ctl, signed=name == "to_sint")
    if name in ("from_sint", "from_uint"):
        return host(name, fmt, args, ctl[1:0])
    if name.removesuffix("_s") in ("lt", "le", "eq", "unordered"):
        return comparison(name.removesuffix("_s"), fmt, args, ctl, signals=name.endswith("_s"))
    raise KeyError(name)


def default_nan(fmt: str) -> Bits:
    """Return FPDefaultNaN()."""
    f = FORMATS[fmt]
    return const(f.infinity | f.quiet, f.width)


def choose_nan(operands: Sequence[Parts], default: Bits) -> Bits:
    """Return FPProcessNaNs(): the first signalling NaN made quiet, else the first NaN (given that there is one)."""
    fmt = operands[0].fmt
    result = operands[-1].bits
    for x in reversed(operands[:-1]):
        result = mux(x.is_nan, x.bits, result)
    for x in reversed(operands):
        result = mux(x.is_signalling, x.bits, result)
    return mux(default, default_nan(fmt), result | FORMATS[fmt].quiet)


# -- arithmetic -------------------------------------------------------------------------------------------------------


def arithmetic(name: str, fmt: str, args: Sequence[Bits], ctl: Bits) -> Result:
    """Return x op y (FPAdd, FPMul …): flushed operands, the host's result, ARM's NaNs and ARM's underflow."""
    flush = ctl[3]
    given = [Parts(a, fmt) for a in args]
    operands = [x.flushed(flush) for x in given]
    denormal = flush & any_of([x.is_denormal for x in given])
    values = [x.bits for x in operands]
    raw, raised = host(name, fmt, values, ctl[1:0])
    result, flags = raw, raised
    if name != "sqrt":                                       # the square root of a number is never tiny
        towards_zero, lost = host(name, fmt, values, 3)
        result, flags = _underflow(Parts(towards_zero, fmt), Parts(raw, fmt), raised, lost, flush)
    result = mux(Parts(raw, fmt).is_nan, default_nan(fmt), result)
    nan, signal = any_of([x.is_nan for x in operands]), any_of([x.is_signalling for x in operands])
    chosen = choose_nan(operands, ctl[4])
    if name == "fma":
        bad = _zero_times_infinity(operands[0], operands[1]) & operands[2].is_quiet
        chosen = mux(bad, default_nan(fmt), choose_nan([operands[2], *operands[:2]], ctl[4]))
        signal = signal | bad
    result = mux(nan, chosen, result)
    return result, mux(nan, exceptions(invalid=signal), flags) | exceptions(input_denormal=denormal)


def _zero_times_infinity(x: Parts, y: Parts) -> Bits:
    return (x.is_zero & y.is_infinity) | (x.is_infinity & y.is_zero)


def _underflow(towards_zero: Parts, raw: Parts, raised: Bits, lost: Bits, flush: Bits) -> Result:
    """Return result and exceptions with tininess detected before rounding; a tiny result is flushed if `flush` is 1."""
    inexact = lost[4]
    tiny = (towards_zero.is_zero & inexact) | towards_zero.is_denormal
    kept = (raised & 0b10111) | exceptions(underflow=tiny & inexact)
    gone = flush & tiny
    return mux(gone, towards_zero.signed_zero, raw.bits), mux(gone, exceptions(underflow=1), kept)


# -- comparisons -------------------------------------------------------------------------------------------------------


def comparison(relation: str, fmt: str, args: Sequence[Bits], ctl: Bits, *, signals: bool) -> Result:
    """Return one bit: does the relation hold? With `signals` any NaN is invalid, else a signalling one (FPCompare)."""
    given = [Parts(a, fmt) for a in args]
    x, y = (p.flushed(ctl[3]) for p in given)
    unordered = x.is_nan | y.is_nan
    equal = (x.bits == y.bits) | (x.is_zero & y.is_zero)
    less = mux(x.sign, mux(y.sign, ult(y.bits, x.bits), ~(x.is_zero & y.is_zero)), ~y.sign & ult(x.bits, y.bits))
    holds = {"eq": equal, "lt": less, "le": less | equal, "unordered": unordered}[relation]
    value = holds if relation == "unordered" else holds & ~unordered
    invalid = unordered if signals else x.is_signalling | y.is_signalling
    denormal = ctl[3] & any_of([p.is_denormal for p in given])
    return value, exceptions(invalid=invalid, input_denormal=denormal)


# -- conversions between single and double --------------------------------------------------------------------------------


def float_conversion(fmt: tuple[str, str], x: Bits, ctl: Bits) -> Result:
    """Return FPSingleToDouble or FPDoubleToSingle."""
    source, target = fmt
    given = Parts(x, source)
    a = given.flushed(ctl[3])
    result, flags = host("to_float", fmt, [a.bits], ctl[1:0])
    if FORMATS[target].width < FORMATS[source].width:
        towards_zero, lost = host("to_float", fmt, [a.bits], 3)
        result, flags = _underflow(Parts(towards_zero, target), Parts(result, target), flags, lost, ctl[3])
    result = mux(a.is_nan, mux(ctl[4], default_nan(target), _converted_nan(a, target)), result)
    flags = mux(a.is_nan, exceptions(invalid=a.is_signalling), flags)
    return result, flags | exceptions(input_denormal=ctl[3] & given.is_denormal)


def _converted_nan(x: Parts, target: str) -> Bits:
    """Return a NaN in another format: quiet, with the top of its payload."""
    keep = min(FORMATS[x.fmt].fraction, FORMATS[target].fraction) - 1
    low = FORMATS[x.fmt].fraction - 1 - keep
    rest = FORMATS[target].fraction - 1 - keep
    head = cat(x.sign, const(-1, FORMATS[target].exponent + 1), x.bits[low + keep - 1:low])
    return cat(head, const(0, rest)) if rest else head


# -- half precision ----------------------------------------------------------------------------------------------------------


def half_conversion(fmt: tuple[str, str], x: Bits, ctl: Bits) -> Result:
    """Return FPHalfToSingle, FPSingleToHalf or the same with doubles (FPv5).

    Halves are never flushed; control bit 5 chooses the alternative format.
    """
    if fmt[0] != "f16":
        return _to_half(x, fmt[0], ctl)
    single, flags = _half_to_single(x, ctl)
    return (single if fmt[1] == "f32" else _as_double(single)), flags


def _as_double(x: Bits) -> Bits:
    """Return a single that is no denormal and no signalling NaN as a double."""
    single = Parts(x, "f32")
    exponent = mux(single.exponent == 255, const(2047, 11), mux(single.exponent == 0, const(0, 11), zext(single.exponent, 11) + 896))
    return cat(single.sign, exponent, single.fraction, const(0, 29))


def _half_to_single(x: Bits, ctl: Bits) -> Result:
    half = Parts(x, "f16")
    special = (half.exponent == 31) & ~ctl[5]
    nan = special & (half.fraction != 0)
    # a denormal's fraction moves up until its first one is the implicit bit
    lead = zext(clz(zext(half.fraction, 16)), 32) - 5
    small = zext(half.fraction, 32) << lead
    number = mux(half.exponent == 0, cat((113 - lead)[8:0], small[9:0], const(0, 13)),
                 cat(zext(half.exponent, 9) + 112, half.fraction, const(0, 13)))
    number = mux(half.is_zero, const(0, 32), number)
    infinite = cat(const(0x1FE >> 1, 9), nan, half.fraction[8:0], const(0, 13))
    infinite = mux(nan & ctl[4], const(0x7FC00000, 32), infinite)
    sign = cat(half.sign & ~(nan & ctl[4]), const(0, 31))
    return mux(special, infinite, number) | sign, exceptions(invalid=nan & half.is_signalling)


def _to_half(x: Bits, source: str, ctl: Bits) -> Result:
    given = Parts(x, source)
    a, alternative = given.flushed(ctl[3]), ctl[5]
    sign = cat(a.sign, const(0, 15))
    rounded, flags = _round_to_half(a, ctl)
    nan = mux(alternative, sign, mux(ctl[4], const(0x7E00, 16), _converted_nan(a, "f16")))
    infinite = sign | mux(alternative, const(0x7FFF, 16), const(0x7C00, 16))
    value = mux(a.is_nan, nan, mux(a.is_infinity, infinite, mux(a.is_zero, sign, sign | rounded)))
    special = a.is_nan | a.is_infinity
    invalid = a.is_signalling | (special & alternative)
    flags = mux(special, exceptions(invalid=invalid), mux(a.is_zero, const(0, 8), flags))
    return value, flags | exceptions(input_denormal=ctl[3] & given.is_denormal)


def _round_to_half(a: Parts, ctl: Bits) -> Result:
    """Return the magnitude of a number rounded to half precision and its exceptions (FPRound)."""
    bias, fraction = FORMATS[a.fmt].bias, FORMATS[a.fmt].fraction
    exponent = zext(a.exponent, 16)
    tiny = ult(exponent, bias - 14)                              # below 2**-14; the smallest unit is 2**-24
    shift = mux(tiny, bias - 1 - exponent, const(13, 16))
    significand = zext(cat(a.exponent != 0, a.fraction), 64) << (55 - fraction)
    moved = significand >> zext(shift, 64)
    if a.fmt == "f64":                                           # more bits than fit: whether any was lost counts
        moved = moved | zext((moved << zext(shift, 64)) != significand, 64)
    moved = mux(ult(const(32, 16), shift), const(1, 64), moved)  # far below the smallest half: just not zero
    up = rounds_up(moved[31:0], moved[32], a.sign, ctl[1:0])
    units = moved[47:32] + zext(up, 16)
    inexact = moved[31:0] != 0
    # units carry into the exponent by themselves; a normal number's implicit one counts as one exponent step
    total = mux(tiny, const(0, 32), zext(exponent - (bias - 14), 32) << 10) + zext(units, 32)
    over = ule(const(0x7C00, 32), total) & ~ctl[5]
    saturated = ule(const(0x8000, 32), total) & ctl[5]
    towards_zero = (ctl[1:0] == 3) | (ctl[1:0] == mux(a.sign, const(1, 2), const(2, 2)))
    value = mux(saturated, const(0x7FFF, 16), mux(over, mux(towards_zero, const(0x7BFF, 16), const(0x7C00, 16)), total[15:0]))
    flags = mux(saturated, exceptions(invalid=1),
                mux(over, exceptions(overflow=1, inexact=1), exceptions(inexact=inexact, underflow=tiny & inexact)))
    return value, flags


def rounds_up(rest: Bits, odd: Bits, sign: Bits, mode: Bits | None) -> Bits:
    """Return whether the magnitude is increased: `rest` is what was cut off, its top bit worth a half.

    `mode` None: to the nearest, halves away from zero.
    """
    if mode is None:
        return rest[rest.width - 1]
    half = 1 << (rest.width - 1)
    nearest = ult(const(half, rest.width), rest) | ((rest == half) & odd)
    directed = (rest != 0) & mux(mode == 1, ~sign, (mode == 2) & sign)
    return mux(mode == 0, nearest, directed)


# -- integers and fixed point -------------------------------------------------------------------------------------------------


def to_integer(x: Bits, fmt: str, width: int, fbits: Bits | int, mode: Bits | None, ctl: Bits, *, signed: bool) -> Result:
    """Return FPToFixed(): x * 2**fbits as an integer of `width` ≤ 32 bits, saturated; `mode` is the rounding mode.

    None: halves away from zero. `fbits` is an int or a 16-bit value.
    """
    f, given = FORMATS[fmt], Parts(x, fmt)
    a = given.flushed(ctl[3])
    significand = zext(cat(a.exponent != 0, a.fraction), 64)
    power = zext(a.exponent, 16) + zext(a.exponent == 0, 16) - (f.bias + f.fraction) + fbits      # of the lowest bit
    right = -power
    left = slt(right, 1)
    far = slt(const(63, 16), right)
    whole = mux(left, significand << zext(power, 64), significand >> zext(right, 64))
    whole = mux(far, const(0, 64), whole)
    rest = mux(far, zext(significand != 0, 64), significand << zext(64 - right, 64))
    rest = mux(left, const(0, 64), rest)
    number = whole + zext(rounds_up(rest, whole[0], a.sign, mode), 64)
    low = const(1 << (width - 1) if signed else 0, 64)
    high = const((1 << (width - signed)) - 1, 64)
    limit = mux(a.sign, low, high)
    large = slt(const(63 - f.fraction, 16), power) & (significand != 0)
    bad = a.is_nan | a.is_infinity | large | ult(limit, number)
    magnitude = mux(a.is_nan, const(0, 64), mux(bad, limit, number))
    value = mux(a.sign, -magnitude, magnitude)[width - 1:0]
    return value, exceptions(invalid=bad, inexact=~bad & (rest != 0), input_denormal=ctl[3] & given.is_denormal)


def scaled(x: Bits, fmt: str, fbits: Bits) -> Bits:
    """Return x / 2**fbits (signed) for an x from an integer conversion: never so small that it would underflow."""
    f = FORMATS[fmt]
    step = sext(fbits, f.width) << f.fraction
    return mux(Parts(x, fmt).is_zero, x, x - step)



