"""String instructions: MOVS CMPS SCAS LODS STOS, and their repetition (SDM vol. 1, 7.3.9).

One iteration of a repeated instruction is one step: until the last it branches to itself. So a fault, a breakpoint or the end of a
run leaves rCX, rSI and rDI as they are between two iterations, as the processor does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, mux, zext
from xemu.core.record import when
from xemu.targets.x86.isa import x86
from xemu.targets.x86.operands import half, segment_base, write_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.targets.x86.operands import Operand, StringElement
    from xemu.targets.x86.state import X86Cpu

RCX, RBX = 1, 3
REPE = 3                         # a repeat prefix F3; for MOVS, STOS and LODS both are the same


def repeated(cpu: X86Cpu, a67: Bits, rep: int, step: Callable[[], tuple[Bits, Bits] | None]) -> None:
    """Take one step; with a repeat prefix none if rCX is 0, and again while it is not.

    What a step has compared (two values) decides about REPE and REPNE and sets the flags, but only when the instruction ends: a fault
    before that finds them as they were (SDM vol. 2B, REP).
    """
    if not rep:
        _set_flags(cpu, step())
        return
    whole = cpu.address(cpu.R[RCX])
    count = mux(a67, half(cpu, whole), whole)
    with when(count != 0):
        compared = step()
        left = count - 1
        write_address(cpu, RCX, a67, left)
        again = left != 0
        if compared is not None:
            x, y = compared
            again = again & (x == y if rep == REPE else x != y)
        with when(again):
            cpu.branch(cpu.pc)
        with when(~again):
            _set_flags(cpu, compared)


def _set_flags(cpu: X86Cpu, compared: tuple[Bits, Bits] | None) -> None:
    if compared is not None:
        x, y = compared
        cpu.set_sub(x, y, x - y)


@x86("A4", "movs Yb, Xb", repeat=True)
@x86("A5", "movs Yv, Xv", repeat=True)
def movs(cpu: X86Cpu, dst: StringElement, src: StringElement, a67: Bits, rep: int) -> None:
    """Move string. SDM vol. 2B."""
    def step() -> None:
        dst.write(src.read())
        src.advance()
        dst.advance()
    repeated(cpu, a67, rep, step)


@x86("AA", "stos Yb, AL", repeat=True)
@x86("AB", "stos Yv, rAX", repeat=True)
def stos(cpu: X86Cpu, dst: StringElement, src: Operand, a67: Bits, rep: int) -> None:
    """Store string. SDM vol. 2B."""
    def step() -> None:
        dst.write(src.read())
        dst.advance()
    repeated(cpu, a67, rep, step)


@x86("AC", "lods AL, Xb", repeat=True)
@x86("AD", "lods rAX, Xv", repeat=True)
def lods(cpu: X86Cpu, dst: Operand, src: StringElement, a67: Bits, rep: int) -> None:
    """Load string. SDM vol. 2A."""
    def step() -> None:
        dst.write(src.read())
        src.advance()
    repeated(cpu, a67, rep, step)


@x86("A6", "cmps Xb, Yb", repeat=True)
@x86("A7", "cmps Xv, Yv", repeat=True)
def cmps(cpu: X86Cpu, first: StringElement, second: StringElement, a67: Bits, rep: int) -> None:
    """Compare string operands. SDM vol. 2A."""
    def step() -> tuple[Bits, Bits]:
        y = second.read()                       # first, as processors do: it faults first
        x = first.read()
        first.advance()
        second.advance()
        return x, y
    repeated(cpu, a67, rep, step)


@x86("AE", "scas AL, Yb", repeat=True)
@x86("AF", "scas rAX, Yv", repeat=True)
def scas(cpu: X86Cpu, first: Operand, second: StringElement, a67: Bits, rep: int) -> None:
    """Scan string. SDM vol. 2B."""
    def step() -> tuple[Bits, Bits]:
        x, y = first.read(), second.read()
        second.advance()
        return x, y
    repeated(cpu, a67, rep, step)


@x86("D7", "xlat")
def xlat(cpu: X86Cpu, a67: Bits, seg: Bits) -> None:
    """Table look-up translation. SDM vol. 2D, XLAT/XLATB."""
    offset = cpu.address(cpu.R[RBX]) + zext(cpu.B[0], cpu.bits)
    cpu.B[0] = cpu.load(mux(a67, half(cpu, offset), offset) + segment_base(cpu, {"seg": seg}), 1)
