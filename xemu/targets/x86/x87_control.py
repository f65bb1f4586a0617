"""x87: control instructions and the environment. SDM vol. 1, 8.1.7 to 8.1.10 and 8.3.11."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, cat, const, zext
from xemu.core.extended_number import C1, EXCEPTIONS
from xemu.core.record import RegNo
from xemu.targets.x86.isa import x86
from xemu.targets.x86.x87 import INITIAL, STATUS_BITS, X87, set_control, status_word, tag_word

if TYPE_CHECKING:
    from xemu.targets.x86.operands import Memory
    from xemu.targets.x86.state import X86Cpu


# -- control and status word -----------------------------------------------------------------------------------------------


@x86("D9 /5", "fldcw Mw")
def fldcw(cpu: X86Cpu, src: Memory) -> None:
    """Load the control word."""
    X87(cpu, counts=False)
    set_control(cpu, src.read())


@x86("D9 /7", "fnstcw Mw")
def fnstcw(cpu: X86Cpu, dst: Memory) -> None:
    """Store the control word."""
    dst.write(cpu.FCW)


@x86("DD /7", "fnstsw Mw")
def fnstsw(cpu: X86Cpu, dst: Memory) -> None:
    """Store the status word."""
    dst.write(status_word(X87(cpu, waits=False, counts=False)))


@x86("DF E0", "fnstsw AX")
def fnstsw_ax(cpu: X86Cpu, dst: Memory) -> None:
    """Store the status word in AX."""
    dst.write(status_word(X87(cpu, waits=False, counts=False)))


@x86("DB E2", "fnclex")
def fnclex(cpu: X86Cpu) -> None:
    """Clear exceptions and SF."""
    cpu.FSW = cpu.FSW & 0x7F00


@x86("DB E3", "fninit")
def fninit(cpu: X86Cpu) -> None:
    """Initialize: everything is as after a reset but the registers."""
    initialize(cpu)


def initialize(cpu: X86Cpu) -> None:
    """Do what FNINIT does."""
    cpu.FTOP, cpu.FVALID = 0, 0
    for n in range(3):
        cpu.FLAST[n] = 0
    set_control(cpu, const(INITIAL, 16), status=const(0, 16))


@x86("9B", "fwait")
def fwait(cpu: X86Cpu) -> None:
    """Have a pending exception delivered."""
    X87(cpu, counts=False)


@x86("D9 D0", "fnop")
def fnop(cpu: X86Cpu) -> None:
    """Do nothing but wait."""
    X87(cpu)


def nothing(cpu: X86Cpu) -> None:
    """FNENI, FNDISI, FNSETPM: what the 8087 and the 287 did with them is done no longer."""


for _pattern, _name in (("DB E0", "fneni"), ("DB E1", "fndisi"), ("DB E4", "fnsetpm")):
    x86.row(nothing, _pattern, _name)


# -- the stack ----------------------------------------------------------------------------------------------------------------


def rotate(cpu: X86Cpu, step: int) -> None:
    """FINCSTP, FDECSTP: move the top; no register is filled or emptied."""
    fpu = X87(cpu)
    cpu.FTOP = fpu.number(step)
    fpu.set_status(fpu.before & ~C1)


x86.row(rotate, "D9 F7", "fincstp", step=1)
x86.row(rotate, "D9 F6", "fdecstp", step=7)


def free(cpu: X86Cpu, base: Bits, *, pops: bool) -> None:
    """FFREE: make st(i) empty; FFREEP pops then."""
    fpu = X87(cpu)
    fpu.clear_c1()
    cpu.FVALID = fpu.valid & ~(const(1, 8) << fpu.number(zext(base, 8) & 7))
    if pops:
        fpu.valid = cpu.FVALID
        fpu.pop()


x86.row(free, "DD C0+i", "ffree", pops=False)
x86.row(free, "DF C0+i", "ffreep", pops=True)


# -- environment and all of it ---------------------------------------------------------------------------------------------------


def environment(cpu: X86Cpu, size: int) -> list[tuple[int, Bits]]:
    """Return (offset, value) of what an environment consists of; `size` 16 or 32. Selectors read as 0."""
    fpu = X87(cpu, waits=False, counts=False)
    words = [cpu.FCW, status_word(fpu), tag_word(fpu)]
    pointer, data, opcode = (cpu.FLAST[n] for n in range(3))
    zero = const(0, 16)
    if size == 16:
        return list(zip(range(0, 14, 2), [*words, pointer[15:0], zero, data[15:0], zero], strict=True))
    ones = const(0xFFFF, 16)
    values = [*[cat(ones, w) for w in words], pointer[31:0], cat(const(0, 5), opcode[10:0], zero), data[31:0], cat(ones, zero)]
    return list(zip(range(0, 28, 4), values, strict=True))


def load_environment(cpu: X86Cpu, at: Bits, size: int) -> None:
    """Load an environment from checked memory."""
    step = size // 8
    words = [cpu.load(at + n * step, step, checked=False) for n in range(7)]
    control, status, tags = (w[15:0] for w in words[:3])
    cpu.FVALID = cat(*[(tags[2 * n + 1:2 * n] != 3) for n in reversed(range(8))])
    cpu.FTOP = zext(status[13:11], 8)
    cpu.FLAST[0], cpu.FLAST[1] = zext(words[3], 64), zext(words[5], 64)
    cpu.FLAST[2] = zext(words[4][26:16], 64) if size == 32 else const(0, 64)
    set_control(cpu, control, status=status & STATUS_BITS)


def probe_area(cpu: X86Cpu, at: Bits, size: int, registers: int, *, write: bool) -> None:
    """Fault unless an environment (and registers) can be accessed: as processors do, for its first word, or else its last byte."""
    cpu.probe(at, min(size, 32) // 8, write=write)
    cpu.probe(at + ((14 if size == 16 else 28) + registers - 1), 1, write=write)


@x86("D9 /6", "fnstenv Md", sizes="v")
def fnstenv(cpu: X86Cpu, dst: Memory, size: int) -> None:
    """Store the environment; mask all exceptions."""
    values = environment(cpu, min(size, 32))
    probe_area(cpu, dst.address, size, 0, write=True)
    for offset, value in values:
        cpu.store(dst.address + offset, value, checked=False)
    set_control(cpu, cpu.FCW | EXCEPTIONS)


@x86("D9 /4", "fldenv Md", sizes="v")
def fldenv(cpu: X86Cpu, src: Memory, size: int) -> None:
    """Load the environment."""
    X87(cpu, counts=False)
    probe_area(cpu, src.address, size, 0, write=False)
    load_environment(cpu, src.address, min(size, 32))


@x86("DD /6", "fnsave Md", sizes="v")
def fnsave(cpu: X86Cpu, dst: Memory, size: int) -> None:
    """Store the environment and st(0) to st(7); initialize."""
    values, head = environment(cpu, min(size, 32)), 14 if size == 16 else 28
    probe_area(cpu, dst.address, size, 80, write=True)
    for offset, value in values:
        cpu.store(dst.address + offset, value, checked=False)
    for i in range(8):
        value = cpu.FPR[RegNo(cpu.FTOP + i & 7)]
        cpu.store(dst.address + (head + 10 * i), value[63:0], checked=False)
        cpu.store(dst.address + (head + 10 * i + 8), value[79:64], checked=False)
    initialize(cpu)


@x86("DD /4", "frstor Md", sizes="v")
def frstor(cpu: X86Cpu, src: Memory, size: int) -> None:
    """Load the environment and st(0) to st(7)."""
    head = 14 if size == 16 else 28
    X87(cpu, counts=False)
    probe_area(cpu, src.address, size, 80, write=False)
    load_environment(cpu, src.address, min(size, 32))
    top = cpu.FTOP
    for i in range(8):
        at = src.address + (head + 10 * i)
        cpu.FPR[RegNo(top + i & 7)] = cat(cpu.load(at + 8, 2, checked=False), cpu.load(at, 8, checked=False))
