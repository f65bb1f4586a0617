"""The processor itself: CPUID, time, XCR0, what is undefined and what user mode may not do (SDM vol. 1, 5.1.16, 5.20; vol. 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, const, mux, slt, ult, zext
from xemu.core.record import when
from xemu.targets.x86.cpuid import FIRST_EXTENDED, LAST_BASIC, LAST_EXTENDED, TOPOLOGY, XCR0, table
from xemu.targets.x86.isa import TOO_LONG_PATTERN, x86
from xemu.targets.x86.layout import BOUND, DEBUG, GENERAL_PROTECTION, OVERFLOW

if TYPE_CHECKING:
    from xemu.targets.x86.operands import Memory, Operand
    from xemu.targets.x86.state import X86Cpu

RAX, RCX, RDX, RBX = 0, 1, 2, 3


def in_range(x: Bits, first: int, last: int) -> Bits:
    """Return whether first <= x <= last, unsigned."""
    return ~(ult(x, first) | ult(const(last, x.width), x))


@x86("0F A2", "cpuid")
def cpuid(cpu: X86Cpu) -> None:
    """CPU identification: see cpuid.py. SDM vol. 2A."""
    leaf, subleaf = cpu.R[RAX][31:0], cpu.R[RCX][31:0]
    known = in_range(leaf, 0, LAST_BASIC) | in_range(leaf, FIRST_EXTENDED, LAST_EXTENDED)
    leaf = mux(known, leaf, const(LAST_BASIC, 32))
    results = [const(0, 32)] * 4
    for (number, sub), values in table(cpu.bits).items():
        here = leaf == number if sub is None else (leaf == number) & (subleaf == sub)
        results = [mux(here, const(v, 32), r) for v, r in zip(values, results, strict=True)]
    results[2] = results[2] | mux(leaf == TOPOLOGY, zext(subleaf[7:0], 32), const(0, 32))
    for n, value in zip((RAX, RBX, RCX, RDX), results, strict=True):
        cpu.R[n] = zext(value, 64)


def _pair(cpu: X86Cpu, value: Bits) -> None:
    """Return 64 bits in EDX:EAX."""
    cpu.R[RAX], cpu.R[RDX] = zext(value[31:0], 64), zext(value[63:32], 64)


@x86("0F 31", "rdtsc")
def rdtsc(cpu: X86Cpu) -> None:
    """Read time-stamp counter: one for each instruction. SDM vol. 2B."""
    _pair(cpu, cpu.insns())


@x86("NP 0F 01 F9", "rdtscp")
def rdtscp(cpu: X86Cpu) -> None:
    """Read time-stamp counter and processor number: the processor is number 0. SDM vol. 2B."""
    _pair(cpu, cpu.insns())
    cpu.R[RCX] = const(0, 64)


@x86("NP 0F 01 D0", "xgetbv")
def xgetbv(cpu: X86Cpu) -> None:
    """Get an extended control register. SDM vol. 2D."""
    with when(cpu.R[RCX][31:0] != 0):
        cpu.abort("exception", GENERAL_PROTECTION)
    _pair(cpu, const(XCR0, 64))


# -- exceptions ------------------------------------------------------------------------------------------------------------


@x86("0F 0B", "ud2")
@x86("0F B9 /r", "ud1")
@x86("0F FF /r", "ud0")
def undefined(cpu: X86Cpu) -> None:
    """Undefined by definition. SDM vol. 2D, UD."""
    cpu.undefined()


@x86(TOO_LONG_PATTERN, "toolong")
def too_long(cpu: X86Cpu) -> None:
    """More than 15 bytes: #GP(0). SDM vol. 2A, 2.3.11."""
    cpu.abort("exception", GENERAL_PROTECTION)


@x86("62 /r", "bound Gv, Mv", mode=32)
def bound(cpu: X86Cpu, src: Operand, limits: Memory) -> None:
    """Check an array index against bounds. SDM vol. 2A."""
    x, size = src.read(), limits.width // 8
    lower, upper = cpu.load(limits.address, size), cpu.load(limits.address + size, size)
    with when(slt(x, lower) | slt(upper, x)):
        cpu.abort("exception", BOUND)


@x86("CE", "into", mode=32)
def into(cpu: X86Cpu) -> None:
    """Interrupt if OF is set. SDM vol. 2A, INT n."""
    with when(cpu.OF):
        cpu.trap("event", OVERFLOW)


@x86("F1", "int1")
def int1(cpu: X86Cpu) -> None:
    """Debug trap. SDM vol. 2A, INT n."""
    cpu.trap("event", DEBUG)


def privileged(cpu: X86Cpu) -> None:
    """Instructions that user mode may not execute: #GP(0). Those that read descriptor tables too: UMIP is set."""
    cpu.abort("exception", GENERAL_PROTECTION)


for opcode, name in (
    ("F4", "hlt"), ("FA", "cli"), ("FB", "sti"), ("0F 06", "clts"), ("0F 08", "invd"), ("0F 09", "wbinvd"), ("0F 30", "wrmsr"),
    ("0F 32", "rdmsr"), ("0F 33", "rdpmc"), ("0F 35", "sysexit"), ("E4 ib", "in"), ("E5 ib", "in"), ("EC", "in"), ("ED", "in"),
    ("E6 ib", "out"), ("E7 ib", "out"), ("EE", "out"), ("EF", "out"), ("6C", "insb"), ("6D", "insd"), ("6E", "outsb"),
    ("6F", "outsd"), ("NP 0F 01 D1", "xsetbv"),
):
    x86.row(privileged, opcode, name, name=f"{name}_privileged")
for opcode, text in (
    ("0F 00 /0", "sldt Ew"), ("0F 00 /1", "str Ew"), ("0F 00 /2", "lldt Ew"), ("0F 00 /3", "ltr Ew"), ("0F 01 /0", "sgdt Mb"),
    ("0F 01 /1", "sidt Mb"), ("0F 01 /2", "lgdt Mb"), ("0F 01 /3", "lidt Mb"), ("0F 01 /4", "smsw Ew"), ("0F 01 /6", "lmsw Ew"),
    ("0F 01 /7", "invlpg Mb"),
):
    def privileged_operand(cpu: X86Cpu, _operand: Operand) -> None:
        """The same, with an operand that does not count."""
        privileged(cpu)
    x86.row(privileged_operand, opcode, text)


@x86("0F 20 /r", "mov", name="mov_from_control")
@x86("0F 22 /r", "mov", name="mov_to_control")
def control_register(cpu: X86Cpu, reg: Bits) -> None:
    """Move from and to control registers: CR0, CR2, CR3, CR4 and CR8 exist. SDM vol. 2B."""
    with when((reg != 0) & (reg != 2) & (reg != 3) & (reg != 4) & (reg != 8)):
        cpu.undefined()
    privileged(cpu)


@x86("0F 21 /r", "mov", name="mov_from_debug")
@x86("0F 23 /r", "mov", name="mov_to_debug")
def debug_register(cpu: X86Cpu, reg: Bits) -> None:
    """Move from and to debug registers: there are eight. SDM vol. 2B."""
    with when(reg[3]):
        cpu.undefined()
    privileged(cpu)


x86.row(privileged, "0F 07", "sysret", mode=64)
x86.row(privileged, "0F 01 F8", "swapgs", mode=64)


# -- caches ----------------------------------------------------------------------------------------------------------------


@x86("NP 0F AE /7", "clflush Mb")
@x86("66 0F AE /7", "clflushopt Mb")
@x86("66 0F AE /6", "clwb Mb")
def clflush(cpu: X86Cpu, line: Memory) -> None:
    """Flush or write back a cache line: nothing but a read that may fault. SDM vol. 2A."""
    cpu.probe(line.address, 1)
