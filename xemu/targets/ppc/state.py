"""PowerPC's registers and flags, and the `cpu` that its rows see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, cat, const, mux, sext, slt, zext
from xemu.core.record import Recorder, RegNo, when
from xemu.targets.ppc.layout import BITS, COMPARED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xemu.targets.ppc.layout import PpcContext

LT, GT, EQ, SUMMARY = range(4)       # bits of a field of CR


class PpcCpu(Recorder):
    """The processor inside a PowerPC row."""

    context: PpcContext

    @property
    def xlen(self) -> int:
        """Width of general registers and addresses."""
        return 64 if self.context.SF else 32

    # -- general registers -------------------------------------------------------------------------------------------
    def base(self, RA: RegNo) -> Bits:
        """Return (RA|0); the field is RA0 in diagrams."""
        return mux(RA == 0, const(0, self.xlen), self.GPR[RA])

    def extend(self, value: Bits) -> Bits:
        """Return a narrower value as wide as a register, zeros before it."""
        return value if value.width == self.xlen else zext(value, self.xlen)

    # -- CR (Book I, 2.3.1) ------------------------------------------------------------------------------------------
    # What an integer comparison says is kept as its operands: in a region a branch behind it becomes one comparison of them, and nothing
    # else is computed where CR is not read.

    def set_cr(self, field: Bits | int, bits: Sequence[Bits]) -> None:
        """Set a field of CR to four bits LT, GT, EQ, SO."""
        for n, bit in enumerate(bits):
            self.CRB[crb(field, n)] = bit
        self.CRKIND[RegNo(field)] = const(BITS, 8)

    def cr(self, field: Bits | int) -> list[Bits]:
        """Return the four bits of a field of CR."""
        number = field if isinstance(field, Bits) else const(field, 3)
        return [self.cr_bit(cat(number, const(n, 2))) for n in range(4)]

    def cr_bit(self, number: Bits) -> Bits:
        """Return a bit of CR, numbered as branches do."""
        field, which = RegNo(number[4:2]), number[1:0]
        kind, x, y = self.CRKIND[field], self.CRX[field], self.CRY[field]
        stored: Bits = self.CRB[RegNo(number)]
        compared = mux(which[1], x == y, mux(which[0], slt(y, x), slt(x, y)))
        return mux((kind == BITS) | (which == SUMMARY), stored, compared)

    def compare(self, field: Bits | int, x: Bits, y: Bits, *, signed: bool) -> None:
        """Set a field of CR from a comparison of integers."""
        number, operands = RegNo(field), [(sext if signed else zext)(v, self.xlen) for v in (x, y)]
        if not signed and x.width == self.xlen:             # with their top bits inverted they compare as signed ones do
            operands = [v ^ 1 << (self.xlen - 1) for v in operands]
        self.CRX[number], self.CRY[number] = operands
        self.CRKIND[number] = const(COMPARED, 8)
        self.CRB[crb(field, SUMMARY)] = self.SO

    def record(self, result: Bits) -> None:
        """Set CR0 from a result (Rc = 1), by the width of the mode. After a change of SO."""
        self.compare(0, result, const(0, result.width), signed=True)

    # -- XER (Book I, 3.2.2) -----------------------------------------------------------------------------------------
    def set_overflow(self, overflow: Bits, overflow32: Bits | None = None) -> None:
        """Set OV and SO (OE = 1), and OV32 where there is one."""
        self.OV = overflow
        self.SO |= overflow
        if self.context.SF:
            self.OV32 = overflow if overflow32 is None else overflow32

    # -- floating-point, vector and vector-scalar registers ------------------------------------------------------------
    def fpr(self, number: RegNo) -> Bits:
        """Return a floating-point register."""
        value: Bits = self.D[doubleword(number, 1)]
        return value

    def set_fpr(self, number: RegNo, value: Bits) -> None:
        """Set a floating-point register; the other half of the vector-scalar register is 0 then, as processors have it."""
        self.D[doubleword(number, 1)] = value
        if self.context.SF:
            self.D[doubleword(number, 0)] = const(0, 64)

    def vr(self, number: RegNo) -> Bits:
        """Return a vector register."""
        value: Bits = self.VSR[plus32(number)]
        return value

    def set_vr(self, number: RegNo, value: Bits) -> None:
        """Set a vector register."""
        self.VSR[plus32(number)] = value

    # -- memory in the byte order of the mode --------------------------------------------------------------------------
    @property
    def big(self) -> bool:
        """Is data big-endian?"""
        return not self.context.LE

    def mem_read(self, addr: Bits, size: int, *, reverse: bool = False, **how: Any) -> Bits:
        """Read memory (MEM); `reverse`: in the other byte order. See Recorder.load."""
        return self.load(addr, size, big=self.big != reverse, **how)

    def mem_write(self, addr: Bits, value: Bits, *, reverse: bool = False, **how: Any) -> None:
        """Write memory; see Recorder.store."""
        self.store(addr, value, big=self.big != reverse, **how)

    # -- exceptions ----------------------------------------------------------------------------------------------------
    def undefined(self) -> None:
        """Illegal instruction: nothing of it happens."""
        self.abort("undefined")


def crb(field: Bits | int, n: int) -> RegNo:
    """Return the number of a bit of a field of CR."""
    return RegNo(field * 4 + n if isinstance(field, int) else cat(field, const(n, 2)))


def _joined(high: Bits | None, number: RegNo, low: Bits | None) -> RegNo:
    value = number.number
    if isinstance(value, int):
        value = const(value, 6 if value > 31 else 5)
    return RegNo(cat(*[part for part in (high, value, low) if part is not None]))


def doubleword(number: RegNo, half: int) -> RegNo:
    """Return the number in D of the upper (1: doubleword 0) or lower half of a vector-scalar register."""
    return _joined(None, number, const(half, 1))


def plus32(number: RegNo) -> RegNo:
    """Return the number in VSR of a vector register."""
    return _joined(const(1, 1), number, None)


__all__ = ["EQ", "GT", "LT", "SUMMARY", "PpcCpu", "when"]
