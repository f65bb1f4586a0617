"""FPv5's rules in `Bits`: rounding to integral numbers, the larger and the smaller of two numbers. DDI 0403E A2.5, D6.

Exact for every operand and control word (fp.py), without the host: these are rare, and the core has no slow functions for
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, const, mux, sar, slt
from xemu.core.fp import Parts, exceptions
from xemu.core.fp_slow import integral
from xemu.core.softnumber import FORMATS
from xemu.targets.arm.fp_rules import choose_nan

if TYPE_CHECKING:
    from xemu.core.fp_slow import Result


def round_to_integral(fmt: str, x: Bits, mode: Bits, ctl: Bits, *, exact: bool) -> Result:
    """Return FPRoundInt(): x rounded to an integral number of its format; `exact` says when it changed."""
    given = Parts(x, fmt)
    a = given.flushed(ctl[3])
    result, lost, _ = integral(a, mode)
    inexact = lost if exact else const(0, 1)
    return mux(a.is_nan, choose_nan([a], ctl[4]), result), exceptions(
        invalid=a.is_signalling, inexact=inexact & ~a.is_nan, input_denormal=ctl[3] & given.is_denormal)


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
