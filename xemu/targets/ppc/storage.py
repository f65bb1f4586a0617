"""Caches, order of memory accesses, waiting and random numbers. Power ISA Book II, 4.3, 4.6.3, 4.6.4; Book I, 3.3.9.

Memory is one and accesses happen in order: hints and barriers do nothing. What a program stores is what it fetches.
"""

from __future__ import annotations

from xemu.core.bits import Bits, const, mux
from xemu.targets.ppc.isa import ppc, ppc32, ppc64

LINE32, LINE64 = 32, 128             # bytes of a cache line, as AT_DCACHEBSIZE announces


@ppc("31:6 --- LS:2 - ---- ----- 598:10 -", "sync {LS}")
@ppc("19:6 ----- ----- ----- 150:10 -", "isync")
@ppc("31:6 ----- ----- ----- 854:10 -", "eieio")
@ppc("31:6 --- -- ----- ----- 30:10 -", "wait")
@ppc32("31:6 ----- ----- ----- 62:10 -", "wait")
@ppc64("31:6 ----- ----- ----- 838:10 -", "cpabort")
@ppc("31:6 ----- RA RB 278:10 -", "dcbt {RA}, {RB}")
@ppc("31:6 ----- RA RB 246:10 -", "dcbtst {RA}, {RB}")
@ppc("31:6 - ---- RA RB 22:10 -", "icbt {RA}, {RB}")
@ppc("31:6 ----- RA RB 758:10 -", "dcba {RA}, {RB}")
def nothing(cpu):
    """Barriers and hints. Book II, 4.3 and 4.6."""


def reserved_nop(cpu):
    """Do nothing: hints of later processors, as HASHST and HASHCHK of Power ISA 3.1. Book I, 1.8.3 and appendix."""


for _opcode in (530, 562, 594, 626, 658, 690, 722, 754):
    ppc64.row(reserved_nop, f"31:6 ----- ----- ----- {_opcode}:10 -", "reserved-nop")


@ppc("31:6 ----- RA0 RB 86:10 -", "dcbf {RA0}, {RB}")
@ppc("31:6 ----- RA0 RB 54:10 -", "dcbst {RA0}, {RB}")
def flush(cpu, RA0, RB):
    """Data Cache Block Flush and Store: as a load. Book II, 4.3.2."""
    cpu.probe(cpu.base(RA0) + cpu.GPR[RB], 1)


def block(cpu, RA0, RB) -> tuple[Bits, int]:
    """Return the address and the size of the cache block that an instruction is about."""
    size = LINE64 if cpu.context.SF else LINE32
    return (cpu.base(RA0) + cpu.GPR[RB]) & -size, size


@ppc("31:6 ----- RA0 RB 982:10 -", "icbi {RA0}, {RB}")
def icbi(cpu, RA0, RB):
    """Instruction Cache Block Invalidate: as a load. Book II, 4.3.1."""
    cpu.probe(block(cpu, RA0, RB)[0], 1)


@ppc("31:6 ----- RA0 RB 1014:10 -", "dcbz {RA0}, {RB}")
def dcbz(cpu, RA0, RB):
    """Data Cache Block set to Zero. Book II, 4.3.2."""
    at, size = block(cpu, RA0, RB)
    cpu.probe(at, size, write=True, align=size)
    for offset in range(0, size, 16):
        cpu.mem_write(at + offset, const(0, 128), checked=False)


@ppc64("31:6 RT --- 0:2 ----- 755:10 -", "darn {RT}, 0", keep=32)
@ppc64("31:6 RT --- 1:2 ----- 755:10 -", "darn {RT}, 1", keep=64)
@ppc64("31:6 RT --- 2:2 ----- 755:10 -", "darn {RT}, 2", keep=64)
def darn(cpu, RT, keep):
    """Deliver A Random Number: made from the count of instructions, so that runs repeat. Book I, 3.3.9."""
    value = scattered(cpu.insns())
    value = value if keep == 64 else value & 0xFFFFFFFF
    cpu.GPR[RT] = mux(value == const(-1, 64), const(0, 64), value)        # all ones say that there is none


@ppc64("31:6 RT --- 3:2 ----- 755:10 -", "darn {RT}, 3")
def darn_error(cpu, RT):
    """Deliver A Random Number of a kind that does not exist. Book I, 3.3.9."""
    cpu.GPR[RT] = const(-1, 64)


def scattered(value: Bits) -> Bits:
    """Return a value with its bits mixed (SplitMix64: Steele, Lea and Flood, 2014)."""
    value = (value + 1) * 0x9E3779B97F4A7C15
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB
    return value ^ (value >> 31)
