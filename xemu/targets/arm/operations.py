"""Pseudocode functions of the ARM ARM that rows share: shifts, expanded immediates, saturation, the ALU.

A shift gives (result, carry out); the carry out costs nothing where no row uses it. `None` as carry says "C stays".
"""

from __future__ import annotations

from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, add_carry, cat, const, mux, ror, sar, sext, slt, zext
from xemu.core.record import when

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.record import RegNo
    from xemu.targets.arm.state import ArmCpu

LSL, LSR, ASR, ROR = range(4)
Carry = Bits | None


# -- shifts (A8.4.3) -------------------------------------------------------------------------------------------------


def imm_shift(x: Bits, type: int, imm5: Bits) -> tuple[Bits, Bits]:
    """Return DecodeImmShift() and Shift_C() for an immediate that is not LSL #0 or RRX: those have other rows.

    Right shifts by 1…32 (0 means 32) are made in two steps, the first by 0…31: its bit 0 is the carry.
    """
    n = zext(imm5, 32)
    if type == LSL:
        return x << n, (x >> zext(-imm5, 32))[0]
    if type == ROR:
        result = ror(x, n)
        return result, result[31]
    shift = sar if type == ASR else Bits.__rshift__
    before = shift(x, zext(imm5 - 1, 32))
    return shift(before, 1), before[0]


def rrx(cpu: ArmCpu, x: Bits) -> tuple[Bits, Bits]:
    """Return RRX_C(): a rotation by one through the carry flag."""
    return cat(cpu.C, x[31:1]), x[0]


def any_imm_shift(cpu: ArmCpu, x: Bits, type: int, imm5: Bits) -> Bits:
    """Return Shift() for any immediate, LSL #0 and RRX included, without the carry."""
    result, _ = imm_shift(x, type, imm5)
    return mux(imm5 == 0, rrx(cpu, x)[0], result) if type == ROR else result


def reg_shift(cpu: ArmCpu, x: Bits, type: int, amount: Bits) -> tuple[Bits, Bits]:
    """Return Shift_C() by the bottom byte of a register, 0…255; a count of 0 leaves the carry."""
    n = zext(amount[7:0], 32)
    if type == ROR:
        result = ror(x, n)
        return result, mux(n == 0, cpu.C, result[31])
    n64 = zext(n, 64)
    if type == LSL:
        result, out = x << n, (zext(x, 64) << n64)[32]
    elif type == LSR:
        result, out = x >> n, (cat(const(0, 31), x, const(0, 1)) >> n64)[0]
    else:
        result, out = sar(x, n), sar(cat(sext(x, 63), const(0, 1)), n64)[0]
    return result, mux(n == 0, cpu.C, out)


# -- immediates ------------------------------------------------------------------------------------------------------


def arm_expand_imm(rotation: Bits, imm8: Bits) -> Bits:
    """Return ARMExpandImm(rotation:imm8) (A5.2.4). The carry out is bit 31 where the rotation is not 0."""
    return ror(zext(imm8, 32), zext(rotation, 32) << 1)


def thumb_expand_imm(i: Bits, imm3: Bits, imm8: Bits) -> Bits:
    """Return ThumbExpandImm(i:imm3:imm8) (A6.3.2). The carry out is bit 31 where i:imm3 is 4 or more."""
    zero = const(0, 8)
    pattern = mux(
        imm3[1],
        mux(imm3[0], cat(imm8, imm8, imm8, imm8), cat(imm8, zero, imm8, zero)),
        mux(imm3[0], cat(zero, imm8, zero, imm8), zext(imm8, 32)),
    )
    rotated = ror(zext(cat(const(1, 1), imm8[6:0]), 32), zext(cat(i, imm3, imm8[7]), 32))
    return mux(cat(i, imm3[2]) == 0, pattern, rotated)


def add_offset(x: Bits, offset: Bits, up: Bits | int) -> Bits:
    """Return x + offset or x - offset, as a load or store's U bit says."""
    if isinstance(up, int):
        return x + offset if up else x - offset
    return x + mux(up, offset, -offset)


# -- writing the PC --------------------------------------------------------------------------------------------------


def write_result(cpu: ArmCpu, rd: RegNo, result: Bits) -> None:
    """Write a result to a register; to the PC as ALUWritePC() does: A32 may change to T32, T32 does not change."""
    with when(rd == 15):
        if cpu.context.T:
            cpu.branch_to(result)
        else:
            cpu.bx_to(result)
    with when(rd != 15):
        cpu.R[rd] = result


def load_result(cpu: ArmCpu, rt: RegNo, value: Bits, kind: str = "jump") -> None:
    """Write a loaded word to a register; to the PC as LoadWritePC() does."""
    with when(rt == 15):
        cpu.bx_to(value, kind=kind)
    with when(rt != 15):
        cpu.R[rt] = value


def pc_relative(cpu: ArmCpu, offset: Bits | int) -> Bits:
    """Return Align(PC, 4) + offset."""
    result: Bits = (cpu.pc & -4) + (4 if cpu.context.T else 8) + offset
    return result


# -- the ALU: what the 16 data-processing instructions (and ORN) do --------------------------------------------------


@dataclass(frozen=True)
class AluOp:
    """One data-processing operation: its name, and its result and flags from two operands and the shifter's carry."""

    name: str
    apply: Callable[[ArmCpu, Bits, Bits, Carry, int], Bits]  # cpu, x, y, carry, set flags -> result
    logical: bool = False  # the shifter's carry out becomes C
    has_rn: bool = True
    has_rd: bool = True


def _logical(compute: Callable[[Bits, Bits], Bits]) -> Callable[[ArmCpu, Bits, Bits, Carry, int], Bits]:
    def apply(cpu: ArmCpu, x: Bits, y: Bits, carry: Carry, flags: int) -> Bits:
        result = compute(x, y)
        if flags and carry is None:
            cpu.set_nz(result)
        elif flags and carry is not None:
            cpu.set_nzc(result, carry)
        return result

    return apply


def _sum(
    operands: Callable[[Bits, Bits], tuple[Bits, Bits]], carry_in: int | None
) -> Callable[[ArmCpu, Bits, Bits, Carry, int], Bits]:
    """Build AddWithCarry() of chosen operands; `carry_in` None means the C flag."""

    def apply(cpu: ArmCpu, x: Bits, y: Bits, carry: Carry, flags: int) -> Bits:
        a, b = operands(x, y)
        total = add_carry(a, b, cpu.C if carry_in is None else const(carry_in, 1))
        if flags:
            cpu.set_nzcv_add(a, b, total)
        return total

    return apply


_AND, _EOR = _logical(lambda x, y: x & y), _logical(lambda x, y: x ^ y)
_SUB, _ADD = _sum(lambda x, y: (x, ~y), 1), _sum(lambda x, y: (x, y), 0)

#: by the 4-bit opcode of A5.2
ALU = {
    0b0000: AluOp("AND", _AND, logical=True),
    0b0001: AluOp("EOR", _EOR, logical=True),
    0b0010: AluOp("SUB", _SUB),
    0b0011: AluOp("RSB", _sum(lambda x, y: (y, ~x), 1)),
    0b0100: AluOp("ADD", _ADD),
    0b0101: AluOp("ADC", _sum(lambda x, y: (x, y), None)),
    0b0110: AluOp("SBC", _sum(lambda x, y: (x, ~y), None)),
    0b0111: AluOp("RSC", _sum(lambda x, y: (y, ~x), None)),
    0b1000: AluOp("TST", _AND, logical=True, has_rd=False),
    0b1001: AluOp("TEQ", _EOR, logical=True, has_rd=False),
    0b1010: AluOp("CMP", _SUB, has_rd=False),
    0b1011: AluOp("CMN", _ADD, has_rd=False),
    0b1100: AluOp("ORR", _logical(lambda x, y: x | y), logical=True),
    0b1101: AluOp("MOV", _logical(lambda _x, y: y), logical=True, has_rn=False),
    0b1110: AluOp("BIC", _logical(lambda x, y: x & ~y), logical=True),
    0b1111: AluOp("MVN", _logical(lambda _x, y: ~y), logical=True, has_rn=False),
}
ORN = AluOp("ORN", _logical(lambda x, y: x | ~y), logical=True)
BY_NAME = {op.name: op for op in [*ALU.values(), ORN]}


def alu(cpu: ArmCpu, op: AluOp, S: int, Rd: RegNo | None, x: Bits, y: Bits, carry: Carry = None) -> None:
    """Do a data-processing operation: the result to Rd (None: compare only), flags where S is 1.

    SUBS and MOVS to the PC are exception returns (B9.3.20): undefined in user mode. The other operations are not used
    for that; they do what they say, as QEMU's do.
    """
    result = op.apply(cpu, x, y, carry, S)
    if Rd is None:
        return
    if S and op.name in ("SUB", "MOV"):
        with when(Rd == 15):
            cpu.undefined()
    write_result(cpu, Rd, result)


# -- saturation (A2.2.1 and appendix P.4) ----------------------------------------------------------------------------


def signed_sat(x: Bits, bits: int | Bits) -> tuple[Bits, Bits]:
    """Return SignedSatQ(x, bits), as wide as x, and whether it saturated. `bits` may be a value as wide as x."""
    top = const((1 << (bits - 1)) - 1, x.width) if isinstance(bits, int) else (const(1, x.width) << (bits - 1)) - 1
    return _clamp(x, ~top, top)


def unsigned_sat(x: Bits, bits: int | Bits) -> tuple[Bits, Bits]:
    """Return UnsignedSatQ(x, bits) of a signed x, as wide as x, and whether it saturated."""
    top = const((1 << bits) - 1, x.width) if isinstance(bits, int) else (const(1, x.width) << bits) - 1
    return _clamp(x, const(0, x.width), top)


def _clamp(x: Bits, low: Bits, high: Bits) -> tuple[Bits, Bits]:
    above, below = slt(high, x), slt(x, low)
    return mux(above, high, mux(below, low, x)), above | below


def set_q(cpu: ArmCpu, saturated: Bits) -> None:
    """Set Q where an operation saturated or overflowed; nothing but MSR clears it."""
    cpu.Q = cpu.Q | saturated


# -- rows as tables --------------------------------------------------------------------------------------------------


def titled(function: Callable[..., None], name: str, title: str, section: str) -> Callable[..., None]:
    """Return a copy of a row function that a table shares, with a name and a first docstring line of its own."""
    copy = FunctionType(function.__code__, function.__globals__, name, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__doc__ = f"{title}. ARM ARM {section}."
    return copy


def half(x: Bits, top: Any) -> Bits:
    """Return a halfword of a register: the top one where `top` is 1 (a split field or a bit)."""
    if isinstance(top, Bits):
        return mux(top, x[31:16], x[15:0])
    return x[31:16] if top else x[15:0]
