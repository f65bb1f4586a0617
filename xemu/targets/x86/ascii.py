"""Decimal arithmetic: DAA DAS AAA AAS AAM AAD, and SALC (SDM vol. 1, 5.1.3). All but SALC undefined flags as Intel's set them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, const, mux, udiv, ult, zext
from xemu.core.record import when
from xemu.targets.x86.isa import x86
from xemu.targets.x86.layout import DIVIDE_ERROR

if TYPE_CHECKING:
    from xemu.targets.x86.operands import Operand
    from xemu.targets.x86.state import X86Cpu

AL, AH = 0, 1                    # elements of B
AX = 0                           # of W


@x86("27", "daa", mode=32)
def daa(cpu: X86Cpu) -> None:
    """Decimal adjust AL after addition. SDM vol. 2A."""
    _decimal(cpu, 1)


@x86("2F", "das", mode=32)
def das(cpu: X86Cpu) -> None:
    """Decimal adjust AL after subtraction. SDM vol. 2A."""
    _decimal(cpu, -1)


def _decimal(cpu: X86Cpu, sign: int) -> None:
    old, carry = cpu.B[AL], cpu.CF
    low = ult(const(9, 8), old & 15) | cpu.AF
    high = ult(const(0x99, 8), old) | carry
    result = old + mux(low, const(6 * sign, 8), const(0, 8)) + mux(high, const(0x60 * sign, 8), const(0, 8))
    borrow = low & ult(old, 6) if sign < 0 else const(0, 1)          # DAS: that of AL - 6 counts, too
    cpu.B[AL] = result
    cpu.set_result(result)
    cpu.set_carries(high | borrow, const(0, 1), low)


@x86("37", "aaa", mode=32)
def aaa(cpu: X86Cpu) -> None:
    """ASCII adjust AL after addition. SDM vol. 2A."""
    _ascii(cpu, 0x106)


@x86("3F", "aas", mode=32)
def aas(cpu: X86Cpu) -> None:
    """ASCII adjust AL after subtraction. SDM vol. 2A."""
    _ascii(cpu, -0x106)


def _ascii(cpu: X86Cpu, by: int) -> None:
    ax = cpu.W[AX]
    adjust = ult(const(9, 4), ax[3:0]) | cpu.AF
    changed = mux(adjust, ax + (by & 0xFFFF), ax)
    cpu.W[AX] = changed & 0xFF0F
    cpu.set_status(zext(changed[3:0], 8), changed[3:0] == 0)
    cpu.set_carries(adjust, const(0, 1), adjust)


@x86("D4 ib", "aam Ib", mode=32)
def aam(cpu: X86Cpu, base: Operand) -> None:
    """ASCII adjust AX after multiply. SDM vol. 2A."""
    al, by = cpu.B[AL], base.read()
    with when(by == 0):
        cpu.abort("exception", DIVIDE_ERROR)
    high = udiv(al, by)
    low = al - high * by
    cpu.B[AL], cpu.B[AH] = low, high
    cpu.set_logic(low)


@x86("D5 ib", "aad Ib", mode=32)
def aad(cpu: X86Cpu, base: Operand) -> None:
    """ASCII adjust AX before division; flags are those of the addition. SDM vol. 2A."""
    al, tens = cpu.B[AL], cpu.B[AH] * base.read()
    total = al + tens
    cpu.B[AL], cpu.B[AH] = total, const(0, 8)
    cpu.set_add(al, tens, total)


@x86("D6", "salc", mode=32)
def salc(cpu: X86Cpu) -> None:
    """Set AL from CF: FFh or 0. Not in the SDM; processors have it."""
    cpu.B[AL] = all_ones(cpu.CF)


def all_ones(bit: Bits) -> Bits:
    """Return a byte of copies of a bit."""
    return mux(bit, const(0xFF, 8), const(0, 8))
