"""FPv5's rules in `Bits`: rounding to integral numbers, the larger and the smaller of two numbers. DDI 0403E A2.5, D6.

Exact for every operand and control word (fp.py), without the host: these are rare, and the core has no slow functions for
them.
"""

from __future__ import annotations

from xemu.core.bits import Bits, cat, const, mux, sar, slt, zext
from xemu.core.fp import Parts, exceptions
from xemu.core.softnumber import FORMATS
from xemu.targets.arm.fp_rules import Result, choose_nan, rounds_up

Rounding = int | None       # a rounding mode 0…3 (nearest even, up, down, towards zero); None: nearest, halves away from zero


def direction(rounding: Rounding) -> Bits | None:
    """Return a rounding mode as a value."""
    return None if rounding is None else const(rounding, 2)


def round_to_integral(fmt: str, x: Bits, mode: Bits | None, ctl: Bits, *, exact: bool) -> Result:
    """Return FPRoundInt(): x rounded to an integral number of its format; `exact` says when it changed."""
    f, given = FORMATS[fmt], Parts(x, fmt)
    a, width = given.flushed(ctl[3]), FORMATS[fmt].width
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
    up = rounds_up(rest, odd, a.sign, mode)
    one = const(f.bias << f.fraction, width)
    kept = mux(small, mux(up, one, const(0, width)), (magnitude & -unit) + mux(up, unit, const(0, width)))
    result = mux(whole, a.bits, kept | a.signed_zero)
    quiet = choose_nan([a], ctl[4])
    inexact = ~whole & (rest != 0) if exact else const(0, 1)
    return mux(a.is_nan, quiet, result), exceptions(invalid=a.is_signalling, inexact=inexact & ~a.is_nan,
                                                    input_denormal=ctl[3] & given.is_denormal)


def max_num(fmt: str, x: Bits, y: Bits, ctl: Bits, *, smallest: bool) -> Result:
    """Return FPMaxNum() or FPMinNum(): a quiet NaN loses against anything else."""
    f = FORMATS[fmt]
    given = [Parts(x, fmt), Parts(y, fmt)]
    a, b = (p.flushed(ctl[3]) for p in given)
    lowest = const(f.infinity if smallest else f.infinity | f.sign, f.width)
    left = Parts(mux(a.is_quiet & ~b.is_quiet, lowest, a.bits), fmt)
    right = Parts(mux(b.is_quiet & ~a.is_quiet, lowest, b.bits), fmt)
    less = slt(_ordered(left.bits), _ordered(right.bits))             # -0 below +0, as the manual has it
    number = mux(less, left.bits, right.bits) if smallest else mux(less, right.bits, left.bits)
    nan = left.is_nan | right.is_nan
    value = mux(nan, choose_nan([left, right], ctl[4]), number)
    denormal = ctl[3] & (given[0].is_denormal | given[1].is_denormal)
    return value, exceptions(invalid=left.is_signalling | right.is_signalling, input_denormal=denormal)


def _ordered(x: Bits) -> Bits:
    """Return a signed integer that orders like the number."""
    return x ^ (sar(x, x.width - 1) >> 1)
