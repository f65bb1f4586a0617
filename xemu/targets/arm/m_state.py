"""The `cpu` that M-profile rows see. ARMv7-M ARM (DDI 0403E) B1.4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, const, mux
from xemu.targets.arm.layout import NO_COPROCESSOR
from xemu.targets.arm.state import ArmCpu

if TYPE_CHECKING:
    from xemu.core.state import Cell
    from xemu.targets.arm.layout import MContext

SP = 13


class MCpu(ArmCpu):
    """The processor inside an M-profile row."""

    context: MContext  # type: ignore[assignment]
    doublewords = 16                   # D16-D31 do not exist

    # -- registers ---------------------------------------------------------------------------------------------------------
    def write(self, cell: Cell, index: int | Bits, value: Bits | int) -> None:
        """Record a register write; bits 1:0 of R13 stay 0 (B1.4.1). Which register it is, decoding knows."""
        if cell.name == "R" and (isinstance(index, int) or index.width > 3):
            value = value if isinstance(value, Bits) else const(value, 32)
            is_sp = const(int(index == SP), 1) if isinstance(index, int) else index == SP
            value = mux(is_sp, value & -4, value)
        super().write(cell, index, value)

    @property
    def privileged(self) -> Bits:
        """Whether the instruction may do everything: in Handler mode, or in Thread mode with CONTROL.nPRIV clear."""
        result: Bits = (self.IPSR != 0) | ~self.CONTROL[0]
        return result

    @property
    def uses_process_stack(self) -> Bits:
        """Whether R13 is the process stack pointer."""
        result: Bits = (self.IPSR == 0) & self.CONTROL[1]
        return result

    # -- memory ------------------------------------------------------------------------------------------------------------
    def _alignment(self, size: int, align: int) -> int:
        """Return what an access must be aligned to: doublewords and lists to words (A3.2.1), all others where STRICT."""
        if size == 8 and align == 1:
            return 4
        return max(align, min(size, 4)) if self.context.STRICT else align

    def mem_read(self, addr: Bits, size: int, *, align: int = 1, **how: Any) -> Bits:
        """Read memory, little-endian."""
        if how.get("checked", True):
            align = self._alignment(size, align)
        return self.load(addr, size, align=align, **how)

    def mem_write(self, addr: Bits, value: Bits, *, align: int = 1, **how: Any) -> None:
        """Write memory, little-endian."""
        if how.get("checked", True):
            align = self._alignment(value.width // 8, align)
        self.store(addr, value, align=align, **how)

    def probe(self, addr: Bits, size: Bits | int, *, write: bool = False, align: int = 1) -> None:
        """Check a range; a register list (its size is no number of the instruction's) must stand at a word."""
        super().probe(addr, size, write=write, align=align if isinstance(size, int) else max(align, 4))

    # -- control -----------------------------------------------------------------------------------------------------------
    def bx_to(self, target: Bits, kind: str = "jump") -> None:
        """BXWritePC(), LoadWritePC(): bit 0 goes to EPSR.T (A2.3.1). EXC_RETURN is a jump to where no code can be."""
        self.branch(target & -2, context=self.context_word(target[0]), kind=kind)

    def no_coprocessor(self) -> None:
        """NOCP: nothing of this instruction happens."""
        self.abort("exception", NO_COPROCESSOR)
