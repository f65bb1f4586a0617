"""Words of exceptions as PowerPC's floating-point rules have them: 16 bits (fp.py)."""

from __future__ import annotations

from xemu.core.bits import Bits, cat, const
from xemu.core.fp import any_of

#: kinds of invalid operations, bit 8 first: VXSNAN VXISI VXIDI VXZDZ VXIMZ VXVC VXSQRT VXCVI
KINDS = ("signalling", "infinities", "by_infinity", "zeros", "times_zero", "compared", "root", "no_integer")


def raised(*, divide_by_zero: Bits | int = 0, overflow: Bits | int = 0, underflow: Bits | int = 0, inexact: Bits | int = 0,
           up: Bits | int = 0, **kinds: Bits | int) -> Bits:
    """Return exceptions joined into a word; a kind of invalid operation makes it invalid."""
    def bit(b: Bits | int) -> Bits:
        return b if isinstance(b, Bits) else const(b, 1)
    which = [bit(kinds.pop(name, 0)) for name in KINDS]
    assert not kinds, kinds
    low = [bit(b) for b in (up, inexact, underflow, overflow, divide_by_zero)]
    return cat(*reversed(which), const(0, 2), *low, any_of(which))
