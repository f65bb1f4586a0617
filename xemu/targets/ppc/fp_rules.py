"""PowerPC's floating-point rules in `Bits`: the slow functions behind native code. Power ISA Book I, 4.3, 4.4, 4.6.

`slow` is exact for every operand and control word (fp.py) and leaves nothing to the host but the rounded result of an IEEE operation
and its exceptions. It does not depend on what hosts differ in: NaNs are chosen here, "tiny" (before rounding) and FR are read off the
same operation rounded towards zero, and a result whose exponent is adjusted comes from operands scaled into the middle of the range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, clz, const, mux, slt, ult, zext
from xemu.core.fp import Parts, any_of, host
from xemu.core.fp_slow import first_nan, holds, related, widened, zero_times_infinity
from xemu.core.softfloat import UNORDERED
from xemu.core.softnumber import FORMATS
from xemu.targets.ppc import fp_quad
from xemu.targets.ppc.fp_convert import convert, from_integer, round_to_integral, single, to_integer
from xemu.targets.ppc.fp_word import raised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xemu.core.fp_slow import Result

#: bits of the control word: denormals are zeros, underflow and overflow are enabled
FLUSH, UNDERFLOW_ENABLED, OVERFLOW_ENABLED = 3, 5, 6
TOWARDS_ZERO = 3


def slow(name: str, fmt: Any, args: Sequence[Bits], ctl: Bits) -> Result:
    """Return the value and all exceptions (16 bits) of the scalar operation `name` of an "fp" node with PowerPC's rules."""
    if "f128" in fmt:
        raise KeyError(name)
    match name:
        case "add" | "sub" | "mul" | "div" | "sqrt" | "fma" | "fms":
            return arithmetic(name, fmt, args, ctl)
        case "add_f32" | "sub_f32" | "mul_f32" | "div_f32" | "sqrt_f32" | "fma_f32" | "fms_f32":
            return arithmetic(name.removesuffix("_f32"), fmt, args, ctl, narrow=True)
        case "round_f32":
            return rounded_to_single(args[0], ctl)
        case "lt" | "le" | "eq" | "unordered" | "lt_s" | "le_s" | "eq_s" | "unordered_s":
            code, flags = relation(fmt, args, ctl, signals=name.endswith("_s"))
            return holds(name, code), flags
        case "relation" | "relation_s":
            return relation(fmt, args, ctl, signals=name.endswith("_s"))
        case "min" | "max" | "minnum" | "maxnum":
            return extreme(fmt, args, ctl, largest=name.startswith("max"), numbers=name.endswith("num"))
        case "rint" | "round_int":
            return round_to_integral(_flushed(Parts(args[0], fmt), ctl), ctl[2:0], exact=name == "rint")
        case "to_float":
            return convert(fmt, args[0], ctl)
        case "widen":
            return widened(Parts(args[0], "f32"), "f64").bits, const(0, 16)
        case "to_sint" | "to_uint":
            source, width, rounding, _ = fmt
            mode = const(TOWARDS_ZERO, 3) if rounding == "zero" else ctl[2:0]
            return to_integer(_flushed(Parts(args[0], source), ctl), width, mode, signed=name == "to_sint")
        case "from_sint" | "from_uint" | "from_sint_f32" | "from_uint_f32":
            return from_integer(name, fmt, args[0], ctl)
    raise KeyError(name)


def with_quads(name: str, fmt: Any, args: Sequence[Bits], ctl: Bits) -> Result:
    """Return the same where there is quad precision."""
    return (fp_quad.slow if "f128" in fmt else slow)(name, fmt, args, ctl)


def _flushed(x: Parts, ctl: Bits) -> Parts:
    return x.flushed(ctl[FLUSH])


def default_nan(fmt: str) -> Bits:
    """Return the NaN of an invalid operation."""
    f = FORMATS[fmt]
    return const(f.infinity | f.quiet, f.width)


# -- arithmetic -------------------------------------------------------------------------------------------------------


def arithmetic(name: str, fmt: str, args: Sequence[Bits], ctl: Bits, *, narrow: bool = False) -> Result:
    """Return x op y of a format; `narrow`: of doubles, rounded once to a single, as a double."""
    operands = [_flushed(Parts(a, fmt), ctl) for a in args]
    in_order = [operands[0], operands[2], operands[1]] if len(operands) == 3 else operands       # FRA, FRB, FRC
    nan, chosen, signal = any_of([x.is_nan for x in operands]), first_nan(in_order), any_of([x.is_signalling for x in operands])
    kinds, invalid = _invalid(name, operands)
    if name == "fms":
        name, operands = "fma", [*operands[:2], Parts(operands[2].bits ^ FORMATS[fmt].sign, fmt)]
    values = [x.bits for x in operands]
    cut, lost = host(name, fmt, values, TOWARDS_ZERO)
    if narrow:
        odd = Parts(cut | zext(lost[4], 64), fmt)
        result, flags = single(odd, ctl)
        if name in ("add", "sub", "fma"):                    # the sign of a sum that is zero depends on the rounding mode
            result = mux(odd.is_zero, host(name, fmt, values, ctl[1:0])[0], result)
        flags = flags | raised(divide_by_zero=lost[1])
        result, flags = mux(odd.is_infinity, odd.bits, result), mux(odd.is_infinity, raised(divide_by_zero=lost[1]), flags)
        chosen = chosen & ~((1 << 29) - 1)
    else:
        result, flags = _rounded(name, fmt, operands, Parts(cut, fmt), lost[4], ctl)
    result = mux(nan, chosen, mux(invalid, default_nan(fmt), result))
    return result, mux(nan | invalid, kinds | raised(signalling=signal), flags)


def _invalid(name: str, operands: Sequence[Parts]) -> tuple[Bits, Bits]:
    """Return the exceptions of an invalid operation but for signalling NaNs, and whether it gives the default NaN."""
    x, y = operands[0], operands[1] if len(operands) > 1 else operands[0]
    number = ~any_of([v.is_nan for v in operands])
    zero = const(0, 1)
    match name:
        case "add" | "sub":
            bad = x.is_infinity & y.is_infinity & (x.sign ^ y.sign ^ (name == "sub"))
            return raised(infinities=bad), bad
        case "mul":
            bad = zero_times_infinity(x, y)
            return raised(times_zero=bad), bad
        case "div":
            infinite, zeros = x.is_infinity & y.is_infinity, x.is_zero & y.is_zero
            return raised(by_infinity=infinite, zeros=zeros), infinite | zeros
        case "sqrt":
            bad = x.sign & ~x.is_zero & ~x.is_nan
            return raised(root=bad), bad
    z = operands[2]
    bad = zero_times_infinity(x, y)
    infinite = (x.is_infinity | y.is_infinity) & ~bad & z.is_infinity & (x.sign ^ y.sign ^ z.sign ^ (name == "fms")) & number
    return raised(times_zero=bad, infinities=infinite), (bad & ~z.is_nan) | infinite | zero


def _rounded(name: str, fmt: str, operands: Sequence[Parts], cut: Parts, lost: Bits, ctl: Bits) -> Result:
    """Return the rounded result of an operation of which the result rounded towards zero is known, and its exceptions."""
    f = FORMATS[fmt]
    raw, what = host(name, fmt, [x.bits for x in operands], ctl[1:0])
    up = lost & (raw != cut.bits)
    if name == "sqrt":                                       # never tiny or too large
        return raw, raised(inexact=lost, up=up)
    tiny = (cut.is_zero & lost) | cut.is_denormal
    over = what[2]
    gone = ctl[FLUSH] & tiny
    flags = raised(divide_by_zero=what[1], overflow=over, underflow=tiny & (lost | ctl[FLUSH]), inexact=lost & ~gone, up=up & ~gone)
    result = mux(gone, cut.signed_zero, raw)
    trapped = (tiny & ctl[UNDERFLOW_ENABLED]) | (over & ctl[OVERFLOW_ENABLED])
    number, base, inexact, increased = _unbounded(name, fmt, operands, ctl)
    step = const(3 << (f.exponent - 2), 16)
    moved = zext(base + mux(tiny, step, -step), f.width) << f.fraction
    adjusted = (((number & (f.sign - 1)) + moved) & (f.sign - 1)) | (number & f.sign)
    return (mux(trapped, adjusted, result),
            mux(trapped, raised(overflow=~tiny, underflow=tiny, inexact=inexact, up=increased), flags))


def _unbounded(name: str, fmt: str, operands: Sequence[Parts], ctl: Bits) -> tuple[Bits, Bits, Bits, Bits]:
    """Return a result divided by 2**base as rounded were exponents unbounded, base, and whether it is inexact and was increased.

    An operand (or product) far below the other counts as if it were just far enough below not to matter but for being there.
    """
    f = FORMATS[fmt]
    (mx, ex), (my, ey) = (_scaled(v) for v in operands[:2])
    far = const(-(2 * f.fraction + 14), 16)

    def at(mantissa: Bits, exponent: Bits) -> Bits:
        """Return a mantissa times 2**exponent, which is limited below."""
        limited = mux(slt(exponent, far), far, exponent)
        number = mantissa + (zext(limited, f.width) << f.fraction)
        return mux(Parts(mantissa, fmt).is_zero, mantissa, number)

    def larger(a: Bits, b: Bits) -> Bits:
        return mux(slt(a, b), b, a)
    if name in ("add", "sub"):
        base = larger(ex, ey)
        given = [at(mx, ex - base), at(my, ey - base)]
    elif name == "div":
        base, given = ex - ey, [mx, my]
    elif name == "mul":
        base, given = ex + ey, [mx, my]
    else:
        mz, ez = _scaled(operands[2])
        product = mux(operands[0].is_zero | operands[1].is_zero, const(NOTHING, 16), ex + ey)
        base = larger(product, ez)
        given = [mx, at(my, product - base), at(mz, ez - base)]
    result, what = host(name, fmt, given, ctl[1:0])
    cut, _ = host(name, fmt, given, TOWARDS_ZERO)
    return result, base, what[4], what[4] & (result != cut)


#: an exponent below all others: of zero
NOTHING = -20000


def _scaled(x: Parts) -> tuple[Bits, Bits]:
    """Return a number divided by a power of two so that it is from 1 to 2, and the exponent of that power (16 bits)."""
    f = FORMATS[x.fmt]
    lead = clz(x.magnitude) - (f.width - 1 - f.fraction)               # of a denormal: how far its first bit is below the implicit one
    fraction = mux(x.exponent == 0, (x.magnitude << lead) & ((1 << f.fraction) - 1), zext(x.fraction, f.width))
    exponent = mux(x.exponent == 0, 1 - lead[15:0], zext(x.exponent, 16)) - f.bias
    number = x.signed_zero | const(f.bias << f.fraction, f.width) | fraction
    return mux(x.is_zero, x.bits, number), mux(x.is_zero, const(NOTHING, 16), exponent)


def rounded_to_single(x: Bits, ctl: Bits) -> Result:
    """Return frsp: a double rounded to a single, as a double."""
    a = Parts(x, "f64")
    result, flags = single(a, ctl)
    nan = (x | FORMATS["f64"].quiet) & ~((1 << 29) - 1)
    result = mux(a.is_nan, nan, mux(a.is_infinity, x, result))
    return result, mux(a.is_nan | a.is_infinity, raised(signalling=a.is_signalling), flags)


# -- comparisons -------------------------------------------------------------------------------------------------------


def relation(fmt: str, args: Sequence[Bits], ctl: Bits, *, signals: bool) -> Result:
    """Return the relation of x to y as softfloat.relate numbers it."""
    x, y = (_flushed(Parts(a, fmt), ctl) for a in args)
    code = related(x, y)
    return code, raised(signalling=x.is_signalling | y.is_signalling, compared=code == UNORDERED if signals else 0)


def extreme(fmt: str, args: Sequence[Bits], ctl: Bits, *, largest: bool, numbers: bool) -> Result:
    """Return the smaller or larger number, -0 is below +0; `numbers`: a number goes before a quiet NaN (xsmindp, xsmaxdp)."""
    x, y = (_flushed(Parts(a, fmt), ctl) for a in args)
    signal = x.is_signalling | y.is_signalling
    below = mux(x.sign ^ y.sign, x.sign, mux(x.sign, ult(y.bits, x.bits), ult(x.bits, y.bits)))
    picked = mux(below, y.bits, x.bits) if largest else mux(below, x.bits, y.bits)
    alone = mux(x.is_nan, y.bits, x.bits)
    both = (x.is_nan & y.is_nan) | signal if numbers else x.is_nan | y.is_nan
    value = mux(both, first_nan([x, y]), mux(x.is_nan | y.is_nan, alone, picked))
    return value, raised(signalling=signal)
