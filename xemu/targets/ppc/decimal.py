"""Decimal floating point. Power ISA Book I, chapter 5. What the operations mean: xemu/core/decimals.py.

A quadword operand stands in two registers, the even one first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, cat, const, make, mux, zext
from xemu.core.record import RegNo, when
from xemu.targets.ppc.isa import ppc64
from xemu.targets.ppc.layout import FLOATING_POINT

if TYPE_CHECKING:
    from collections.abc import Sequence

INEXACT, INVALID = 4, 0           # bits of the exceptions
VE = 7                            # bit of FPCTL
LONG, QUAD = 64, 128
OPCODES = {LONG: 59, QUAD: 63}
#: rounding by RMC, primary and secondary (R = 1); None: as DRN says (Book I, 5.5.2)
PRIMARY, SECONDARY = (0, 1, 4, None), (2, 3, 6, 5)


def operand(cpu, number: RegNo, size: int) -> Bits:
    """Return a decimal number: of a register, or of a pair that begins with an even one."""
    if size <= LONG:
        value: Bits = cpu.fpr(number)[size - 1:0]
        return value
    high, low = pair(number)
    return cat(cpu.fpr(high), cpu.fpr(low))


def pair(number: RegNo) -> tuple[RegNo, RegNo]:
    """Return the registers of a pair."""
    first = number.as_bits()[4:1]
    return RegNo(cat(first, const(0, 1))), RegNo(cat(first, const(1, 1)))


def put(cpu, number: RegNo, value: Bits) -> None:
    """Write a decimal number to a register or a pair."""
    if value.width == LONG:
        cpu.set_fpr(number, value)
        return
    for register, half in zip(pair(number), (value[127:64], value[63:0]), strict=True):
        cpu.set_fpr(register, half)


class Outcome:
    """What an operation gives."""

    def __init__(self, name: str, size: int, mode: Bits, args: Sequence[Bits], width: int) -> None:
        """Make the operation; its result has `width` bits."""
        node = make("decimal", width + 22, (mode, *args), (name, size))
        self.value, self.exceptions, self.incremented, self.kind = node[width + 21:22], node[21:6], node[5], node[4:0]
