"""Control flow, the stack, flags and the ways into the kernel (SDM vol. 1, chapter 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, cat, const, sext, ult, zext
from xemu.core.record import when
from xemu.targets.x86.isa import x86
from xemu.targets.x86.layout import BREAKPOINT, GENERAL_PROTECTION, INT80, OVERFLOW, SYSCALL, SYSENTER
from xemu.targets.x86.operands import Memory
from xemu.targets.x86.state import RSP, condition

if TYPE_CHECKING:
    from xemu.targets.x86.operands import Operand
    from xemu.targets.x86.state import X86Cpu

RAX, RCX, RDX, RBP, R11 = 0, 1, 2, 5, 11


def relative(cpu: X86Cpu, offset: Operand, size: int) -> Bits:
    """Return the target of a branch; with an operand size of 16 bits it is cut to them."""
    target = cpu.next_pc + offset.read()
    return zext(target[15:0], 32) if size == 16 else target


@x86("EB cb", "jmp Jb")
@x86("E9 cz", "jmp Jz")
def jmp(cpu: X86Cpu, offset: Operand, size: int) -> None:
    """Jump, relative. SDM vol. 2A."""
    cpu.branch(relative(cpu, offset, size))


@x86("FF /4", "jmp Ev", near=True)
def jmp_indirect(cpu: X86Cpu, target: Operand) -> None:
    """Jump, indirect. SDM vol. 2A."""
    cpu.branch(zext(target.read(), cpu.bits))


@x86("E8 cz", "call Jz")
def call(cpu: X86Cpu, offset: Operand, size: int) -> None:
    """Call, relative. SDM vol. 2A."""
    cpu.push(cpu.next_pc[size - 1:0])
    cpu.branch(relative(cpu, offset, size), kind="call")


@x86("FF /2", "call Ev", near=True)
def call_indirect(cpu: X86Cpu, target: Operand) -> None:
    """Call, indirect. SDM vol. 2A."""
    to = zext(target.read(), cpu.bits)
    cpu.push(cpu.next_pc[target.width - 1:0])
    cpu.branch(to, kind="call")


@x86("C3", "ret", near=True)
def ret(cpu: X86Cpu, size: int) -> None:
    """Return. SDM vol. 2B."""
    cpu.branch(zext(cpu.pop(size), cpu.bits), kind="return")


@x86("C2 iw", "ret Iw", near=True)
def ret_pop(cpu: X86Cpu, count: Operand, size: int) -> None:
    """Return and pop arguments. SDM vol. 2B."""
    target = zext(cpu.pop(size), cpu.bits)
    top = cpu.address(cpu.R[RSP]) + zext(count.read(), cpu.bits)
    cpu.R[RSP] = zext(top, 64)
    cpu.branch(target, kind="return")


for cc, suffix in enumerate(["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"]):
    def jcc(cpu: X86Cpu, offset: Operand, size: int, *, cc: int) -> None:
        """Jump if a condition is met. SDM vol. 2A."""
        with when(condition(cpu, cc)):
            cpu.branch(relative(cpu, offset, size))
    x86.row(jcc, f"{0x70 + cc:02X} cb", f"j{suffix} Jb", cc=cc)
    x86.row(jcc, f"0F {0x80 + cc:02X} cz", f"j{suffix} Jz", cc=cc)


def _counter(cpu: X86Cpu, a67: int) -> tuple[Bits, int]:
    """Return rCX as the address size has it, and its width."""
    width = cpu.bits // 2 if a67 else cpu.bits
    return cpu.R[RCX][width - 1:0], width


for short in (0, 1):
    def jcxz(cpu: X86Cpu, offset: Operand, size: int, *, short: int) -> None:
        """Jump if rCX is 0. SDM vol. 2A."""
        with when(_counter(cpu, short)[0] == 0):
            cpu.branch(relative(cpu, offset, size))

    def loop(cpu: X86Cpu, offset: Operand, size: int, *, short: int, kind: int) -> None:
        """Decrement rCX, jump unless it is 0; LOOPNE, LOOPE: and by ZF. SDM vol. 2A."""
        count, width = _counter(cpu, short)
        left = count - 1
        again = left != 0
        if kind < 2:
            again = again & (cpu.ZF if kind else ~cpu.ZF)
        if width == 16:
            cpu.W[4] = left
        else:
            cpu.R[RCX] = zext(left, 64)
        with when(again):
            cpu.branch(relative(cpu, offset, size))
    x86.row(jcxz, "E3 cb", "jrcxz Jb", where={"a67": short}, short=short)
    for kind, name in enumerate(("loopne", "loope", "loop")):
        x86.row(loop, f"E{kind} cb", f"{name} Jb", where={"a67": short}, short=short, kind=kind)


# -- the stack ------------------------------------------------------------------------------------------------------------


@x86("FF /6", "push Ev", stack=True)
@x86("50+r", "push Zv", stack=True)
def push(cpu: X86Cpu, src: Operand) -> None:
    """Push. SDM vol. 2B."""
    cpu.push(src.read())


@x86("68 iz", "push Iz", stack=True)
@x86("6A ib", "push Ib", stack=True)
def push_immediate(cpu: X86Cpu, src: Operand, size: int) -> None:
    """Push an immediate, sign-extended. SDM vol. 2B."""
    value = src.read()
    cpu.push(sext(value, size) if value.width < size else value)


@x86("58+r", "pop Zv", stack=True)
def pop(cpu: X86Cpu, dst: Operand) -> None:
    """Pop a register. SDM vol. 2B."""
    value = cpu.pop(dst.width)
    dst.write(value)


@x86("8F /0", "pop Ev", stack=True)
def pop_memory(cpu: X86Cpu, dst: Any) -> None:
    """Pop to memory: its address is computed with the new rSP. SDM vol. 2B."""
    top = cpu.address(cpu.R[RSP])
    value = cpu.load(top, dst.width // 8)
    cpu.R[RSP] = zext(top + dst.width // 8, 64)
    if hasattr(dst, "fields"):
        dst = Memory(cpu, dst.fields, dst.width)
    dst.write(value)


@x86("9C", "pushf", stack=True)
def pushf(cpu: X86Cpu, size: int) -> None:
    """Push EFLAGS. SDM vol. 2B."""
    word = cpu.flags_word()
    cpu.push(zext(word, size) if size > 32 else word[size - 1:0])


@x86("9D", "popf", stack=True)
def popf(cpu: X86Cpu, size: int) -> None:
    """Pop EFLAGS. SDM vol. 2B."""
    value = cpu.pop(size)
    low = value[31:0] if size > 16 else cat(cpu.EFL[31:16], value)
    cpu.set_flags_word(low)


@x86("C9", "leave", stack=True)
def leave(cpu: X86Cpu, size: int) -> None:
    """High-level procedure exit. SDM vol. 2A."""
    top = cpu.address(cpu.R[RBP])
    value = cpu.load(top, size // 8)
    cpu.R[RSP] = zext(top + size // 8, 64)
    if size == 16:
        cpu.W[RBP * 4] = value
    else:
        cpu.R[RBP] = zext(value, 64)


@x86("60", "pusha", stack=True, mode=32)
def pusha(cpu: X86Cpu, size: int) -> None:
    """Push all general registers. SDM vol. 2B, PUSHA/PUSHAD."""
    top = cpu.address(cpu.R[RSP])
    values = [cpu.R[n][size - 1:0] for n in range(8)]
    for n, value in enumerate(values):
        cpu.store(top - (n + 1) * size // 8, value)
    cpu.R[RSP] = zext(top - size, 64)


@x86("61", "popa", stack=True, mode=32)
def popa(cpu: X86Cpu, size: int) -> None:
    """Pop all general registers but ESP. SDM vol. 2B, POPA/POPAD."""
    top = cpu.address(cpu.R[RSP])
    values = [cpu.load(top + n * size // 8, size // 8) for n in range(8)]
    for n, value in zip(range(7, -1, -1), values, strict=True):
        if n != RSP and size == 16:
            cpu.W[n * 4] = value
        elif n != RSP:
            cpu.R[n] = zext(value, 64)
    if size == 32:
        cpu.R[RSP] = zext(top + size, 64)
    else:
        cpu.W[RSP * 4] = (top + size)[15:0]


@x86("C8 iw ib", "enter", stack=True)
def enter(cpu: X86Cpu, size: int, imm: Bits) -> None:
    """Make a stack frame, with copies of the enclosing ones' pointers. SDM vol. 2A."""
    step = size // 8
    room, level = imm[15:0], imm[20:16]
    frame, outer = cpu.address(cpu.R[RSP]) - step, cpu.address(cpu.R[RBP])
    last = frame - zext(level, cpu.bits) * step
    copied = [(ult(const(n, 5), level), n * step) for n in range(1, 31)]
    # All is probed before anything is written: begun again, it would read what it has written.
    cpu.probe(frame, step, write=True)
    for wanted, distance in copied:
        with when(wanted):
            cpu.probe(outer - distance, step)
            cpu.probe(frame - distance, step, write=True)
    with when(level != 0):
        cpu.probe(last, step, write=True)
    top = last - zext(room, cpu.bits)
    cpu.probe(top, step, write=True)
    cpu.store(frame, cpu.R[RBP][size - 1:0], checked=False)
    for wanted, distance in copied:
        with when(wanted):
            cpu.store(frame - distance, cpu.load(outer - distance, step, checked=False), checked=False)
    with when(level != 0):
        cpu.store(last, frame[size - 1:0], checked=False)
    if size == 16:
        cpu.W[RBP * 4] = frame[15:0]
    else:
        cpu.R[RBP] = zext(frame, 64)
    cpu.R[RSP] = zext(top, 64)


# -- flags ------------------------------------------------------------------------------------------------------------------


@x86("F8", "clc")
def clc(cpu: X86Cpu) -> None:
    """Clear CF. SDM vol. 2A."""
    cpu.set_flags(CF=0)


@x86("F9", "stc")
def stc(cpu: X86Cpu) -> None:
    """Set CF. SDM vol. 2B."""
    cpu.set_flags(CF=1)


@x86("F5", "cmc")
def cmc(cpu: X86Cpu) -> None:
    """Complement CF. SDM vol. 2A."""
    cpu.set_flags(CF=~cpu.CF)


@x86("FC", "cld")
def cld(cpu: X86Cpu) -> None:
    """Clear DF. SDM vol. 2A."""
    cpu.DF = const(0, 1)


@x86("FD", "std")
def std(cpu: X86Cpu) -> None:
    """Set DF. SDM vol. 2B."""
    cpu.DF = const(1, 1)


@x86("9E", "sahf")
def sahf(cpu: X86Cpu) -> None:
    """Store AH into flags. SDM vol. 2B."""
    value = cpu.B[1]
    cpu.set_flags(CF=value[0], PF=value[2], AF=value[4], ZF=value[6], SF=value[7])


@x86("9F", "lahf")
def lahf(cpu: X86Cpu) -> None:
    """Load flags into AH. SDM vol. 2A."""
    cpu.B[1] = cpu.flags_word()[7:0]


# -- the kernel, and nothing ----------------------------------------------------------------------------------------------


@x86("0F 05", "syscall", mode=64)
def syscall(cpu: X86Cpu) -> None:
    """Fast system call. SDM vol. 2B."""
    cpu.R[RCX] = cpu.next_pc
    cpu.R[R11] = zext(cpu.flags_word(), 64)
    cpu.trap("syscall", SYSCALL)


@x86("0F 34", "sysenter", mode=32)
def sysenter(cpu: X86Cpu) -> None:
    """Fast system call of 32-bit programs. SDM vol. 2B."""
    cpu.trap("syscall", SYSENTER)


@x86("CD ib", "int Ib")
def int_(cpu: X86Cpu, number: Operand) -> None:
    """INT n: 80h is the system call of 32-bit programs, 3 and 4 are exceptions; the rest is protected. SDM vol. 2A."""
    n = number.read()
    with when((n != 0x80) & (n != BREAKPOINT) & (n != OVERFLOW)):
        cpu.abort("exception", GENERAL_PROTECTION)
    with when(n == 0x80):
        cpu.trap("syscall", INT80)
    with when((n == BREAKPOINT) | (n == OVERFLOW)):
        cpu.trap("event", zext(n, 32))


@x86("CC", "int3")
def int3(cpu: X86Cpu) -> None:
    """Breakpoint. SDM vol. 2A."""
    cpu.trap("event", BREAKPOINT)


def nothing(_cpu: X86Cpu, *_operands: Operand) -> None:
    """NOP, and hints that are NOPs to this processor. SDM vol. 2B."""


x86.row(nothing, "90", "nop", where={"base": 0})
x86.row(nothing, "F3 90", "pause", where={"base": 0})
x86.row(nothing, "0F 1F /r", "nop Ev")
for byte in (0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E):
    x86.row(nothing, f"0F {byte:02X} /r", "nop Ev")
x86.row(nothing, "0F 0D /r", "prefetchw Eb")
for digit, name in ((5, "lfence"), (6, "mfence"), (7, "sfence")):
    x86.row(nothing, f"NP 0F AE /{digit}", f"{name} Rb")
