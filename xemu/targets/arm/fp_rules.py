"""ARM's floating-point rules in `Bits`: the slow functions behind native code, and operations no host has.

`slow` is exact for every operand and control word and leaves nothing to the host but the rounded result of an IEEE
operation and its exceptions. It does not depend on what hosts differ in: NaNs are chosen here, and "tiny" (ARM: before
rounding, A2.7.4) is read off a second run towards zero, where a result is below the smallest normal number exactly if
the unrounded one is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, cat, const, mux, sext, ule
from xemu.core.fp import Parts, any_of, exceptions, host
from xemu.core.fp_slow import converted_nan, half, half_overflows, holds, integer, related, widened, zero_times_infinity
from xemu.core.softfloat import UNORDERED
from xemu.core.softnumber import FORMATS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xemu.core.fp_slow import Result


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
        return comparison(name, fmt, args, ctl)
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
        bad = zero_times_infinity(operands[0], operands[1]) & operands[2].is_quiet
        chosen = mux(bad, default_nan(fmt), choose_nan([operands[2], *operands[:2]], ctl[4]))
        signal = signal | bad
    result = mux(nan, chosen, result)
    return result, mux(nan, exceptions(invalid=signal), flags) | exceptions(input_denormal=denormal)


def _underflow(towards_zero: Parts, raw: Parts, raised: Bits, lost: Bits, flush: Bits) -> Result:
    """Return result and exceptions with tininess detected before rounding; a tiny result is flushed if `flush` is 1."""
    inexact = lost[4]
    tiny = (towards_zero.is_zero & inexact) | towards_zero.is_denormal
    kept = (raised & 0b10111) | exceptions(underflow=tiny & inexact)
    gone = flush & tiny
    return mux(gone, towards_zero.signed_zero, raw.bits), mux(gone, exceptions(underflow=1), kept)


# -- comparisons -------------------------------------------------------------------------------------------------------


def comparison(name: str, fmt: str, args: Sequence[Bits], ctl: Bits) -> Result:
    """Return one bit: does the comparison hold? With "_s" any NaN is invalid, else a signalling one (FPCompare)."""
    given = [Parts(a, fmt) for a in args]
    x, y = (p.flushed(ctl[3]) for p in given)
    relation = related(x, y)
    invalid = relation == UNORDERED if name.endswith("_s") else x.is_signalling | y.is_signalling
    denormal = ctl[3] & any_of([p.is_denormal for p in given])
    return holds(name, relation), exceptions(invalid=invalid, input_denormal=denormal)


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
    result = mux(a.is_nan, mux(ctl[4], default_nan(target), converted_nan(a, target)), result)
    flags = mux(a.is_nan, exceptions(invalid=a.is_signalling), flags)
    return result, flags | exceptions(input_denormal=ctl[3] & given.is_denormal)


# -- half precision ----------------------------------------------------------------------------------------------------------


def half_conversion(fmt: tuple[str, str], x: Bits, ctl: Bits) -> Result:
    """Return FPHalfToSingle, FPSingleToHalf or the same with doubles (FPv5).

    Halves are never flushed; control bit 5 chooses the alternative format, without infinities and NaNs.
    """
    source, target = fmt
    if source != "f16":
        return _to_half(x, source, ctl)
    given = Parts(x, "f16")
    nan = given.is_nan & ~ctl[5]
    quiet = mux(ctl[4], default_nan(target), converted_nan(given, target))
    return mux(nan, quiet, widened(given, target, special=~ctl[5]).bits), exceptions(invalid=nan & given.is_signalling)


def _to_half(x: Bits, source: str, ctl: Bits) -> Result:
    given = Parts(x, source)
    a, alternative = given.flushed(ctl[3]), ctl[5]
    sign = cat(a.sign, const(0, 15))
    rounded, flags = _round_to_half(a, ctl)
    nan = mux(alternative, sign, mux(ctl[4], default_nan("f16"), converted_nan(a, "f16")))
    infinite = sign | mux(alternative, const(0x7FFF, 16), const(0x7C00, 16))
    value = mux(a.is_nan, nan, mux(a.is_infinity, infinite, mux(a.is_zero, sign, sign | rounded)))
    special = a.is_nan | a.is_infinity
    invalid = a.is_signalling | (special & alternative)
    flags = mux(special, exceptions(invalid=invalid), mux(a.is_zero, const(0, 8), flags))
    return value, flags | exceptions(input_denormal=ctl[3] & given.is_denormal)


def _round_to_half(a: Parts, ctl: Bits) -> Result:
    """Return the magnitude of a number rounded to half precision and its exceptions (FPRound)."""
    total, inexact, tiny = half(a, ctl[1:0])
    over, limit = half_overflows(total, a.sign, ctl[1:0])
    over, saturated = over & ~ctl[5], ule(const(0x8000, 32), total) & ctl[5]
    value = mux(saturated, const(0x7FFF, 16), mux(over, limit, total[15:0]))
    flags = mux(saturated, exceptions(invalid=1),
                mux(over, exceptions(overflow=1, inexact=1), exceptions(inexact=inexact, underflow=tiny & inexact)))
    return value, flags


# -- integers and fixed point -------------------------------------------------------------------------------------------------


def to_integer(x: Bits, fmt: str, width: int, fbits: Bits | int, mode: Bits, ctl: Bits, *, signed: bool) -> Result:
    """Return FPToFixed(): x * 2**fbits as an integer of `width` ≤ 32 bits, saturated; `mode` is the rounding mode.

    `fbits` is an int or a 16-bit value.
    """
    given = Parts(x, fmt)
    a = given.flushed(ctl[3])
    size, bad, lost, _ = integer(a, width, mode, signed=signed, fbits=fbits)
    magnitude = mux(a.is_nan, const(0, 64), size)
    value = mux(a.sign, -magnitude, magnitude)[width - 1:0]
    return value, exceptions(invalid=bad, inexact=~bad & lost, input_denormal=ctl[3] & given.is_denormal)


def scaled(x: Bits, fmt: str, fbits: Bits) -> Bits:
    """Return x / 2**fbits (signed) for an x from an integer conversion: never so small that it would underflow."""
    f = FORMATS[fmt]
    step = sext(fbits, f.width) << f.fraction
    return mux(Parts(x, fmt).is_zero, x, x - step)
