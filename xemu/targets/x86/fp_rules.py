"""SSE's floating-point rules in `Bits`: the slow functions behind native code. SDM vol. 1, 4.8, 4.9, 11.5.

`slow` is exact for every operand and control word (fp.py) and leaves nothing to the host but the rounded result of an IEEE
operation and its exceptions. It does not depend on what hosts differ in: NaNs are chosen here, and "tiny" (after rounding, as if
exponents had no limit) is read off the same operation on an operand scaled into the middle of the range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, const, mux, ult
from xemu.core.fp import Parts, any_of, exceptions, host
from xemu.core.fp_slow import first_nan, holds, related
from xemu.core.softfloat import FUSED, GREATER, LESS, UNORDERED
from xemu.core.softnumber import FORMATS
from xemu.targets.x86.fp_convert import convert, round_to_integral, to_integer
from xemu.targets.x86.fp_estimate import estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xemu.core.fp_slow import Result


def slow(name: str, fmt: Any, args: Sequence[Bits], ctl: Bits) -> Result:
    """Return the value and all exceptions of the scalar operation `name` of an "fp" node with x86's rules."""
    if "f128" in fmt:
        raise KeyError(name)
    match name:
        case "add" | "sub" | "mul" | "div" | "sqrt" | "fma" | "fms" | "fnma" | "fnms":
            return arithmetic(name, fmt, args, ctl)
        case "lesser" | "greater":
            return second_unless(name, fmt, args, ctl)
        case "lt" | "eq" | "unordered" | "lt_s" | "eq_s" | "unordered_s":
            code, flags = relation(fmt, args, ctl, signals=name.endswith("_s"))
            return holds(name, code), flags
        case "relation" | "relation_s":
            return relation(fmt, args, ctl, signals=name.endswith("_s"))
        case "rint" | "round_int":
            return round_to_integral(fmt, args[0], ctl, exact=name == "rint")
        case "rcp" | "rsqrt":
            return estimate(args[0], root=name == "rsqrt"), const(0, 8)
        case "to_float" if "f16" not in fmt or "f64" not in fmt:
            return convert(fmt, args[0], ctl)
        case "to_sint":
            source, width, rounding, _ = fmt
            return to_integer(args[0], source, width, const(3, 2) if rounding == "zero" else ctl[1:0], ctl)
        case "from_sint":
            return host(name, fmt, args, ctl[1:0])
    raise KeyError(name)


def default_nan(fmt: str) -> Bits:
    """Return the "real indefinite" value."""
    f = FORMATS[fmt]
    return const(f.sign | f.infinity | f.quiet, f.width)


# -- arithmetic -------------------------------------------------------------------------------------------------------


def arithmetic(name: str, fmt: str, args: Sequence[Bits], ctl: Bits) -> Result:
    """Return x op y: flushed operands, the host's result, SSE's NaNs, underflow and flushing."""
    operands = [Parts(a, fmt).flushed(ctl[4]) for a in args]
    nan, chosen = any_of([x.is_nan for x in operands]), first_nan(operands)
    signal = any_of([x.is_signalling for x in operands])
    if name in FUSED:
        (minus, less), (x, y, z) = FUSED[name], operands
        name, operands = "fma", [_negated(x, minus), y, _negated(z, less)]
    raw, raised = host(name, fmt, [x.bits for x in operands], ctl[1:0])
    number = Parts(raw, fmt)
    result, flags = raw, raised & 0b10111
    if name != "sqrt":                                       # the square root of a number is never tiny or too large
        tiny, lost = _tiny(name, fmt, operands, number, raised[4], ctl)
        gone = ctl[3] & tiny
        result = mux(gone, number.signed_zero, result)
        trapped = mux(tiny, ctl[5], raised[2] & ctl[6])
        inexact = mux(trapped, lost, raised[4])
        flags = (raised & 0b111) | exceptions(underflow=tiny & (raised[4] | ctl[5] | ctl[3]), inexact=inexact | gone)
    invalid = number.is_nan & ~nan
    denormal = any_of([x.is_denormal for x in operands]) & ~invalid & ~flags[1]
    result = mux(nan, chosen, mux(invalid, default_nan(fmt), result))
    return result, mux(nan, exceptions(invalid=signal), flags | exceptions(input_denormal=denormal))


def _negated(x: Parts, wanted: int) -> Parts:
    return Parts(x.bits ^ FORMATS[x.fmt].sign, x.fmt) if wanted else x


def _tiny(name: str, fmt: str, operands: Sequence[Parts], result: Parts, inexact: Bits, ctl: Bits) -> tuple[Bits, Bits]:
    """Return whether a result is below the smallest normal number after rounding to its precision, were exponents unbounded.

    And whether such a result, or one that is too large, is inexact at that precision.
    """
    f = FORMATS[fmt]
    power = 1 << (f.exponent - 2)                            # of two: 64 or 512
    least = const((power + 1) << f.fraction, f.width)        # the smallest normal number, scaled
    large = ult(const(f.bias << f.fraction, f.width), result.magnitude)
    near, lost = _scaled(name, fmt, operands, power, large)
    scaled, raised = host(name, fmt, near, ctl[1:0])
    at_least = (result.magnitude == 1 << f.fraction) & inexact & ult(Parts(scaled, fmt).magnitude, least)
    inexact_there = raised[4] | lost
    if name not in ("add", "sub"):                           # tiny or too large even then
        nearer, lost = _scaled_more(name, fmt, operands, power, large)
        _, again = host(name, fmt, nearer, ctl[1:0])
        beyond = mux(large, raised[2], ult(Parts(scaled, fmt).magnitude, 1 << f.fraction))
        inexact_there = mux(beyond, again[4] | lost, inexact_there)
    return result.is_denormal | (result.is_zero & inexact) | at_least, inexact_there


def _times(number: Bits, fmt: str, power: int) -> tuple[Bits, Bits]:
    """Return a number times 2**power, and whether that is inexact."""
    f = FORMATS[fmt]
    value, raised = host("mul", fmt, [number, const((f.bias + power) << f.fraction, f.width)], 0)
    return value, raised[4]


def _scaled(name: str, fmt: str, operands: Sequence[Parts], power: int, large: Bits) -> tuple[list[Bits], Bits]:
    """Return operands that give a result 2**power times as large (if it is `large`: as small), and whether one was inexact.

    It is right where the result is near the smallest normal number or too large: then one of two factors is far from 1 that way.
    """
    f = FORMATS[fmt]
    x, y = operands[:2]

    def moved(number: Parts, sign: int) -> tuple[Bits, Bits]:
        (up, _), (down, lost) = (_times(number.bits, fmt, p) for p in (sign * power, -sign * power))
        return mux(large, down, up), large & lost
    if name in ("add", "sub"):
        both = [moved(v, 1) for v in (x, y)]
        return [v for v, _ in both], both[0][1] | both[1][1]
    below = ult(x.magnitude, const(f.bias << f.fraction, f.width) if name == "div" else y.magnitude)
    first = below ^ large
    a, b = moved(x, 1)[0], moved(y, -1 if name == "div" else 1)[0]
    factors = [mux(first, a, x.bits), mux(first, y.bits, b)]
    if name != "fma":
        return factors, const(0, 1)
    addend, lost = moved(operands[2], 1)
    return [*factors, addend], lost


def _scaled_more(name: str, fmt: str, operands: Sequence[Parts], power: int, large: Bits) -> tuple[list[Bits], Bits]:
    """Return operands for results that are far beyond either end even then: 2**(3 * power) instead, and whether the addend was inexact."""
    def times(number: Bits, steps: int) -> tuple[Bits, Bits]:
        lost = const(0, 1)
        for _ in range(abs(steps)):
            sign = 1 if steps > 0 else -1
            (up, _), (down, inexact) = _times(number, fmt, sign * power), _times(number, fmt, -sign * power)
            number, lost = mux(large, down, up), lost | (large & inexact)
        return number, lost
    x, y = (v.bits for v in operands[:2])
    if name == "div":
        return [times(x, 2)[0], times(y, -1)[0]], const(0, 1)
    first = ult(operands[0].magnitude, operands[1].magnitude) ^ large            # the one that can be moved further
    factors = [mux(first, times(x, 2)[0], times(x, 1)[0]), mux(first, times(y, 1)[0], times(y, 2)[0])]
    if name != "fma":
        return factors, const(0, 1)
    addend, lost = times(operands[2].bits, 3)
    return [*factors, addend], lost


# -- comparisons -------------------------------------------------------------------------------------------------------


def relation(fmt: str, args: Sequence[Bits], ctl: Bits, *, signals: bool) -> Result:
    """Return the relation of x to y as softfloat.relate numbers it."""
    x, y = (Parts(a, fmt).flushed(ctl[4]) for a in args)
    code = related(x, y)
    unordered = code == UNORDERED
    invalid = unordered if signals else x.is_signalling | y.is_signalling
    denormal = (x.is_denormal | y.is_denormal) & ~unordered
    return code, exceptions(invalid=invalid, input_denormal=denormal)


def second_unless(name: str, fmt: str, args: Sequence[Bits], ctl: Bits) -> Result:
    """Return MIN or MAX: the second operand unless the first is really smaller or larger (SDM vol. 2B, MINPS)."""
    code, flags = relation(fmt, args, ctl, signals=True)
    x, y = (Parts(a, fmt).flushed(ctl[4]).bits for a in args)
    return mux(code == (LESS if name == "lesser" else GREATER), x, y), flags
