"""Multiplies and divides of both instruction sets. ARM ARM A4.4.3, A4.4.4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, cat, sdiv, sext, udiv, zext
from xemu.targets.arm.operations import half, set_q

if TYPE_CHECKING:
    from xemu.core.record import RegNo
    from xemu.targets.arm.state import ArmCpu


def multiply(cpu: ArmCpu, S: int, Rd: RegNo, Rn: RegNo, Rm: RegNo, Ra: RegNo | None, *, subtract: bool = False) -> None:
    """MUL, MLA, MLS: the low word of a product, added to or subtracted from Ra."""
    result = cpu.R[Rn] * cpu.R[Rm]
    if Ra is not None:
        result = cpu.R[Ra] - result if subtract else cpu.R[Ra] + result
    cpu.R[Rd] = result
    if S:
        cpu.set_nz(result)


def write_long(cpu: ArmCpu, RdLo: RegNo, RdHi: RegNo, result: Bits) -> None:
    """Write a doubleword to two registers, the high one first: QEMU's order where they are the same."""
    cpu.R[RdLo] = result[31:0]
    cpu.R[RdHi] = result[63:32]


def read_long(cpu: ArmCpu, RdLo: RegNo, RdHi: RegNo) -> Bits:
    """Return the doubleword in two registers."""
    return cat(cpu.R[RdHi], cpu.R[RdLo])


def multiply_long(
    cpu: ArmCpu, S: int, RdLo: RegNo, RdHi: RegNo, Rn: RegNo, Rm: RegNo, *, signed: bool, add: bool
) -> None:
    """SMULL, SMLAL, UMULL, UMLAL."""
    widen = sext if signed else zext
    result = widen(cpu.R[Rn], 64) * widen(cpu.R[Rm], 64)
    if add:
        result = result + read_long(cpu, RdLo, RdHi)
    write_long(cpu, RdLo, RdHi, result)
    if S:
        cpu.set_nz(result)


def umaal(cpu: ArmCpu, RdLo: RegNo, RdHi: RegNo, Rn: RegNo, Rm: RegNo) -> None:
    """UMAAL: the product and two words; the sum cannot overflow."""
    product = zext(cpu.R[Rn], 64) * zext(cpu.R[Rm], 64)
    write_long(cpu, RdLo, RdHi, product + zext(cpu.R[RdHi], 64) + zext(cpu.R[RdLo], 64))


def _add_word(cpu: ArmCpu, Rd: RegNo, value: Bits, Ra: RegNo | None) -> None:
    """Write value + Ra cut to 32 bits; Q says that the exact sum does not fit. `value` has 64 bits."""
    exact = value if Ra is None else value + sext(cpu.R[Ra], 64)
    result = exact[31:0]
    cpu.R[Rd] = result
    set_q(cpu, sext(result, 64) != exact)


def multiply_halves(cpu: ArmCpu, Rd: RegNo, Rn: RegNo, Rm: RegNo, Ra: RegNo | None, n: int, m: int) -> None:
    """SMLA<x><y>, SMUL<x><y>: halves of two registers (1: the top one)."""
    product = sext(half(cpu.R[Rn], n), 64) * sext(half(cpu.R[Rm], m), 64)
    if Ra is None:
        cpu.R[Rd] = product[31:0]
    else:
        _add_word(cpu, Rd, product, Ra)


def multiply_halves_long(cpu: ArmCpu, RdLo: RegNo, RdHi: RegNo, Rn: RegNo, Rm: RegNo, n: int, m: int) -> None:
    """SMLAL<x><y>."""
    product = sext(half(cpu.R[Rn], n), 64) * sext(half(cpu.R[Rm], m), 64)
    write_long(cpu, RdLo, RdHi, read_long(cpu, RdLo, RdHi) + product)


def multiply_word_half(cpu: ArmCpu, Rd: RegNo, Rn: RegNo, Rm: RegNo, Ra: RegNo | None, m: int) -> None:
    """SMLAW<y>, SMULW<y>: a word by a half, the top 32 of 48 bits."""
    product = (sext(cpu.R[Rn], 64) * sext(half(cpu.R[Rm], m), 64))[47:16]
    if Ra is None:
        cpu.R[Rd] = product
    else:
        _add_word(cpu, Rd, sext(product, 64), Ra)


def _dual(cpu: ArmCpu, Rn: RegNo, Rm: RegNo, swap: int, subtract: int) -> Bits:
    """Return the sum or difference of the products of the bottom and the top halves, exact in 64 bits."""
    x, y = cpu.R[Rn], cpu.R[Rm]
    low = sext(x[15:0], 64) * sext(half(y, swap), 64)
    high = sext(x[31:16], 64) * sext(half(y, 1 - swap), 64)
    return low - high if subtract else low + high


def multiply_dual(cpu: ArmCpu, Rd: RegNo, Rn: RegNo, Rm: RegNo, Ra: RegNo | None, M: int, *, subtract: int) -> None:
    """SMUAD, SMUSD, SMLAD, SMLSD; M exchanges the halves of Rm."""
    _add_word(cpu, Rd, _dual(cpu, Rn, Rm, M, subtract), Ra)


def multiply_dual_long(cpu: ArmCpu, RdLo: RegNo, RdHi: RegNo, Rn: RegNo, Rm: RegNo, M: int, *, subtract: int) -> None:
    """SMLALD, SMLSLD."""
    write_long(cpu, RdLo, RdHi, read_long(cpu, RdLo, RdHi) + _dual(cpu, Rn, Rm, M, subtract))


def multiply_top(
    cpu: ArmCpu, Rd: RegNo, Rn: RegNo, Rm: RegNo, Ra: RegNo | None, R: int, *, subtract: bool = False
) -> None:
    """SMMUL, SMMLA, SMMLS: the top word of a doubleword; R rounds."""
    result = sext(cpu.R[Rn], 64) * sext(cpu.R[Rm], 64)
    if Ra is not None:
        accumulator = zext(cpu.R[Ra], 64) << 32
        result = accumulator - result if subtract else accumulator + result
    if R:
        result = result + 0x8000_0000
    cpu.R[Rd] = result[63:32]


def divide(cpu: ArmCpu, Rd: RegNo, Rn: RegNo, Rm: RegNo, *, signed: bool) -> None:
    """SDIV, UDIV: a division by zero gives zero (A8.8.165: no trap in ARMv7-A)."""
    cpu.R[Rd] = (sdiv if signed else udiv)(cpu.R[Rn], cpu.R[Rm])
