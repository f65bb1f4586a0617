"""The x87 inside a row: the register stack, exceptions, tags. SDM vol. 1, chapter 8.

The registers are FPR[0…7]; st(i) is FPR[(FTOP + i) & 7], FVALID has a bit for each that is not empty. FSW lacks TOP, and ES and B,
which are 1 exactly if an exception in it is not masked; that can be so only in a context with X87 = 1. Exceptions are then seen
to: an unmasked one leaves an instruction without effect but for the status word, and the next waiting instruction gives #MF.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, cat, const, mux, zext
from xemu.core.extended import INDEFINITE, conditions, indefinite, result_widths
from xemu.core.extended_number import C0, C1, C2, C3, EXCEPTIONS, IE, SF
from xemu.core.fp import extended
from xemu.core.record import RegNo, when
from xemu.targets.x86.layout import X87_ERROR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xemu.targets.x86.operands import Memory
    from xemu.targets.x86.state import X86Cpu

CONDITIONS = C0 | C1 | C2 | C3
BEFORE = 0b000111                # exceptions that are found before an operation: it does not happen
TO_MEMORY = 0b011111             # exceptions that keep a result out of memory
INITIAL = 0x37F
CONTROL_BITS = 0x1F3F            # of the control word; bit 6 is always 1

STATUS_BITS = 0x477F             # of the status word, in FSW


class X87:
    """The x87 as one instruction sees it; what the instruction does to stack and status is recorded at once."""

    def __init__(self, cpu: X86Cpu, operand: Memory | None = None, *, waits: bool = True, counts: bool = True) -> None:
        """Take the operand in memory, if there is one.

        `waits`: an exception that is pending comes first. `counts`: it is no control instruction, so FIP points to it, and FDP to
        its operand where it raises an exception that is not masked.
        """
        self.cpu, self.masked = cpu, not cpu.context.X87
        self.top: Bits = cpu.FTOP
        self.valid: Bits = cpu.FVALID
        self.before: Bits = cpu.FSW
        self.control: Bits = cpu.FCW | EXCEPTIONS if self.masked else cpu.FCW
        self.blocked = const(0, 1)
        self.address = operand.address if operand is not None else None
        if waits and not self.masked:
            with when(self.pending(self.before, self.control)):
                cpu.abort("exception", X87_ERROR)
        if counts:
            cpu.FLAST[0] = zext(cpu.pc, 64)

    @staticmethod
    def pending(status: Bits, control: Bits, which: int = EXCEPTIONS) -> Bits:
        """Return whether an exception of the status word is not masked."""
        return (status & ~control & which) != 0

    # -- the stack -------------------------------------------------------------------------------------------------------
    def number(self, i: Bits | int) -> Bits:
        """Return the register that st(i) is."""
        return (self.top + i) & 7

    def read(self, i: Bits | int = 0) -> Bits:
        """Return st(i)."""
        value: Bits = self.cpu.FPR[_at(self.number(i))]
        return value

    def empty(self, i: Bits | int = 0) -> Bits:
        """Return whether st(i) is empty."""
        return ~(self.valid >> self.number(i))[0]

    def write(self, i: Bits | int, value: Bits | int) -> None:
        """Change st(i), unless an exception blocks it; it is then not empty."""
        with when(~self.blocked):
            self.cpu.FPR[_at(self.number(i))] = value
        self._set_valid(self.valid | self._bit(self.number(i)))

    def pop(self, count: int = 1) -> None:
        """Make st(0) (and st(1)) empty and move the top, unless an exception blocks it."""
        valid = self.valid
        for i in range(count):
            valid = valid & ~self._bit(self.number(i))
        self._set_valid(valid)
        with when(~self.blocked):
            self.cpu.FTOP = self.number(count)

    def push(self, value: Bits | int) -> None:
        """Move the top and write st(0), unless an exception blocks it."""
        self.write(7, value)
        with when(~self.blocked):
            self.cpu.FTOP = self.number(7)

    def _set_valid(self, valid: Bits) -> None:
        self.valid = mux(self.blocked, self.valid, valid)
        self.cpu.FVALID = self.valid

    @staticmethod
    def _bit(number: Bits) -> Bits:
        return const(1, 8) << number

    # -- exceptions ------------------------------------------------------------------------------------------------------
    def set_status(self, status: Bits, blocking: int = BEFORE) -> None:
        """Set the status word; from now on the exceptions in `blocking` prevent changes where they are not masked."""
        self.cpu.FSW = status
        if not self.masked:
            self.blocked = self.pending(status, self.control, blocking)
            if self.address is not None:
                with when(self.pending(status, self.control)):
                    self.cpu.FLAST[1] = zext(self.address, 64)

    def clear_c1(self) -> None:
        """Set the status word of an instruction that raises nothing."""
        self.set_status(self.before & ~C1)

    def fault(self, *, overflow: Bits | int = 0, cleared: int = 0) -> Bits:
        """Return the status word after a stack fault; C1: it was an overflow. `cleared` are more conditions that become 0."""
        up = const(overflow, 1) if isinstance(overflow, int) else overflow
        status: Bits = self.before & ~(C1 | cleared) & 0xFFFF | IE | SF | mux(up, const(C1, 16), const(0, 16))
        return status

    def compute(self, name: str, operands: Sequence[Bits], empty: Bits, *, overflow: Bits | None = None) -> list[Bits]:
        """Do an operation (core/extended.py), or have a stack fault where `empty` or `overflow`; return its results."""
        overflow = const(0, 1) if overflow is None else overflow
        fault = empty | overflow
        status, *results = extended(name, operands, self.control, self.before)
        changed = conditions(name) | C1
        faulty = self.fault(overflow=overflow & ~empty, cleared=conditions(name) & C2) | (0 if result_widths(name) else C0 | C2 | C3)
        status = mux(fault, faulty, self.before & ~changed & 0xFFFF | status)
        self.set_status(status, TO_MEMORY if name.startswith(("store", "chop")) else IE if name.startswith("load") else BEFORE)
        nothing = const(indefinite(name), results[0].width) if results else None
        return [mux(fault, nothing, r) for r in results] if nothing is not None else []


def _at(number: Bits) -> RegNo:
    return RegNo(number.attr if number.op == "const" else number)


def set_control(cpu: X86Cpu, value: Bits, *, status: Bits | None = None) -> None:
    """Set the control word; go on in the context that it means."""
    control = value & CONTROL_BITS | 0x40
    cpu.FCW = control
    if status is not None:
        cpu.FSW = status
    masked = (control & EXCEPTIONS) == EXCEPTIONS
    other = cpu.context._replace(X87=1 - cpu.context.X87)
    with when(~masked if not cpu.context.X87 else masked):
        cpu.branch(cpu.next_pc, context=const(other.word, 16))


def status_word(fpu: X87) -> Bits:
    """Return the whole status word."""
    word: Bits = fpu.before | zext(fpu.top & 7, 16) << 11
    if fpu.masked:
        return word
    summary: Bits = mux(fpu.pending(fpu.before, fpu.control), const(0x8080, 16), const(0, 16))
    return word | summary


def tag_word(fpu: X87) -> Bits:
    """Return the tag word: for each register 0 valid, 1 zero, 2 special, 3 empty (8.1.7)."""
    tags = []
    for n in reversed(range(8)):
        value = fpu.cpu.FPR[n]
        exponent, significand = value[78:64], value[63:0]
        special = (exponent == 0x7FFF) | ~significand[63]
        zero = (exponent == 0) & (significand == 0)
        tag = mux(zero, const(1, 2), mux(special | (exponent == 0), const(2, 2), const(0, 2)))
        tags.append(mux(fpu.valid[n], tag, const(3, 2)))
    return cat(*tags)


__all__ = ["INDEFINITE", "INITIAL", "STATUS_BITS", "X87", "set_control", "status_word", "tag_word"]
