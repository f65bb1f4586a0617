"""What SSE's floating-point rows have in common: MXCSR's modes as control words, exceptions, scalars and halves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, cat, const, make, mux, unique
from xemu.core.fp import fp_op, result_width
from xemu.core.record import when
from xemu.targets.x86.layout import SIMD_ERROR
from xemu.targets.x86.operands import Vector, VectorMemory

if TYPE_CHECKING:
    from types import TracebackType

    from xemu.targets.x86.operands import Operand
    from xemu.targets.x86.state import X86Cpu

SIZES = {"f32": 32, "f64": 64}
HALF = 128
#: exceptions that are there before the operation is done: invalid, division by zero, denormal operand (SDM vol. 1, 11.5.1)
BEFORE = 0x83


def control(cpu: X86Cpu) -> Bits:
    """Return MXCSR's modes as a control word (fp.py); the usual ones are 0. The flush bit counts only where underflow is masked."""
    if not cpu.context.FP:
        return const(0, 8)
    mode = cpu.MXMODE
    return cat(const(0, 1), ~mode[10], ~mode[11], mode[6], mode[15] & mode[11], const(0, 1), mode[13], mode[14])


def masks(cpu: X86Cpu) -> Bits:
    """Return MXCSR's exception masks in the order of fp.py."""
    mode = cpu.MXMODE
    return cat(mode[8], const(0, 2), mode[12], mode[11], mode[10], mode[9], mode[7])


def host_exceptions() -> Bits:
    """Return the exceptions that native code has gathered in the host's register since it was last read."""
    return make("hostflags", 8, (), unique())


class Floating:
    """The floating-point operations of one instruction, whose exceptions count together: `with Floating(cpu) as f: …`."""

    def __init__(self, cpu: X86Cpu) -> None:
        self.cpu, self.ctl = cpu, control(cpu)
        self.raised: list[Bits] = []

    def __call__(self, name: str, fmt: Any, *args: Bits, lanes: int = 1, ctl: Bits | None = None, raises: bool = True) -> Bits:
        """Do an operation; names and formats as in softfloat.lane."""
        word = self.ctl if ctl is None else ctl
        if word.op == "const":
            return fp_op(self.cpu, name, fmt, args, word, "x86", lanes, raises=raises)
        value, flags = self.both(name, fmt, *args, lanes=lanes, ctl=word)
        if raises:
            self.raises(flags)
        return value

    def both(self, name: str, fmt: Any, *args: Bits, lanes: int, ctl: Bits) -> tuple[Bits, Bits]:
        """Do an operation whose control word is not constant; return its value and what it would raise."""
        attr = (name, fmt, lanes, "x86")
        return make("fp", result_width(name, fmt, lanes), (*args, ctl), attr), make("fpflags", 8, (*args, ctl), attr)

    def raises(self, flags: Bits) -> None:
        """Add exceptions."""
        self.raised.append(flags)

    def __enter__(self) -> Floating:  # noqa: PYI034
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        """Gather the exceptions. One that is not masked: #XM, and none that comes after the operation if it came before."""
        if not self.raised or kind is not None:
            return
        total = self.raised[0]
        for flags in self.raised[1:]:
            total = total | flags
        if not self.cpu.context.FP:
            self.cpu.raise_flags(total)
            return
        unmasked = ~masks(self.cpu)
        early = total & unmasked & BEFORE
        total = mux(early != 0, total & BEFORE, total)
        self.cpu.raise_flags(total)
        with when(total & unmasked != 0):
            self.cpu.abort("exception", SIMD_ERROR)


def lanes_of(fmt: str) -> int:
    """Return how many numbers are in 128 bits."""
    return HALF // SIZES[fmt]


def halves(*operands: Operand) -> list[tuple[Bits, ...]]:
    """Return the values of operands, 128 bits at a time."""
    count = max(1, operands[0].width // HALF)
    return [tuple(_half(o, i) for o in operands) for i in range(count)]


def _half(operand: Operand, i: int) -> Bits:
    assert isinstance(operand, (Vector, VectorMemory))
    return operand.read(i)


def write_halves(dst: Operand, values: list[Bits]) -> None:
    """Write 128 bits at a time."""
    assert isinstance(dst, (Vector, VectorMemory))
    for i, value in enumerate(values):
        dst.write(value, i)
