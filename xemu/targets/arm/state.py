"""ARM's registers, flags and context, and the `cpu` that ARM rows see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, carry_of, cat, const, equal_signs, mux, overflow_of, sext, zext
from xemu.core.record import Recorder
from xemu.targets.arm.layout import LAYOUT, ArmContext

if TYPE_CHECKING:
    from xemu.core.state import Cell


class ArmCpu(Recorder):
    """The processor inside an ARM row."""

    context: ArmContext
    doublewords = 32                   # registers D0, D1 …

    def special_read(self, cell: Cell, index: int | Bits) -> Bits | None:
        """R15 reads as the address of the instruction plus 8 (A32) or 4 (T32)."""
        if cell.name == "R" and isinstance(index, int) and index == 15:
            address: Bits = self.pc + (4 if self.context.T else 8)
            return address
        return None

    # -- flags: derived from what produced them ----------------------------------------------------------------------
    @property
    def N(self) -> Bits:
        """Negative."""
        return self.NZ[63]

    @property
    def Z(self) -> Bits:
        """Zero."""
        return self.NZ[31:0] == 0

    @property
    def C(self) -> Bits:
        """Carry."""
        return carry_of(self.CX, ~self.CY, self.CS)

    @property
    def V(self) -> Bits:
        """Overflow."""
        return overflow_of(self.CX, ~self.CY, self.CS)

    def set_nz(self, result: Bits) -> None:
        """Set N and Z from a 32- or 64-bit result; C and V stay."""
        if result.width == 32:
            self.NZ = sext(result, 64)
        else:
            self.NZ = cat(result[63:63], const(0, 31), zext(result != 0, 32))

    def set_nzcv_add(self, x: Bits, y: Bits, total: Bits) -> None:
        """Set all flags from total = x + y + carry in. A subtraction passes y inverted, as AddWithCarry() does.

        CY keeps ~y: for a compare that is a register as it stands, so its flags cost nothing until they are read.
        """
        self.NZ = sext(total, 64)
        self.CX, self.CY, self.CS = x, ~y, total

    def set_cv(self, c: Bits, v: Bits) -> None:
        """Set C and V to given bits; N and Z stay."""
        top = const(0, 31)
        self.CX, self.CY = cat(c, top), cat(~c, top)
        self.CS = cat(c ^ v, top)

    def set_nzc(self, result: Bits, c: Bits) -> None:
        """Set N, Z from a 32-bit result and C to a bit; V stays."""
        v = self.V
        self.set_nz(result)
        self.set_cv(c, v)

    def set_nzcv(self, nzcv: Bits) -> None:
        """Set the four flags from a 4-bit value N:Z:C:V."""
        self.NZ = cat(nzcv[3], const(0, 62), ~nzcv[2])
        self.set_cv(nzcv[1], nzcv[0])

    @property
    def nzcv(self) -> Bits:
        """N:Z:C:V as a 4-bit value."""
        return cat(self.N, self.Z, self.C, self.V)

    # -- memory in the current data endianness -------------------------------------------------------------------------
    def mem_read(self, addr: Bits, size: int, **how: Any) -> Bits:
        """Read memory: MemU[] (align=1), MemA[] (align=size); see Recorder.load."""
        return self.load(addr, size, big=bool(self.context.E) and size > 1, **how)

    def mem_write(self, addr: Bits, value: Bits, **how: Any) -> None:
        """Write memory; see Recorder.store."""
        self.store(addr, value, big=bool(self.context.E) and value.width > 8, **how)

    # -- control ---------------------------------------------------------------------------------------------------------
    def context_word(self, t: Bits) -> Bits:
        """Return this context's word with another bit T."""
        return cat(const(self.context.word >> 1, 15), t)

    def branch_to(self, target: Bits, kind: str = "jump") -> None:
        """BranchWritePC(): stay in the instruction set; the low bits are ignored."""
        self.branch(target & (-2 if self.context.T else -4), kind=kind)

    def bx_to(self, target: Bits, kind: str = "jump") -> None:
        """BXWritePC(): bit 0 selects T32; bit 1 is ignored for A32."""
        t = target[0]
        aligned = cat(target[31:2], target[1] & t, const(0, 1))
        self.branch(aligned, context=self.context_word(t), kind=kind)

    def undefined(self) -> None:
        """UNDEFINED: nothing of this instruction happens."""
        self.abort("undefined")


def advance(_cpu: ArmCpu, itstate: Bits) -> Bits:
    """ITAdvance() (ARM ARM A2.5.2): the state after one instruction of the block."""
    rest = cat(itstate[7:5], itstate[3:0], const(0, 1))
    return mux(itstate[2:0] == 0, const(0, 8), rest)


def condition(cpu: ArmCpu, cond: int) -> Bits:
    """ConditionPassed() for a condition 0…13 (ARM ARM A8.3)."""
    match cond >> 1:
        case 0: result = cpu.Z
        case 1: result = cpu.C
        case 2: result = cpu.N
        case 3: result = cpu.V
        case 4: result = cpu.C & ~cpu.Z
        case 5: result = equal_signs(cpu.N, cpu.V)
        case 6: result = equal_signs(cpu.N, cpu.V) & ~cpu.Z
        case _: return const(1, 1)
    return ~result if cond & 1 else result


__all__ = ["LAYOUT", "ArmContext", "ArmCpu", "advance", "condition", "mux"]
