"""Loads and stores of several registers: multiple and string. Power ISA Book I, 3.3.6 and 3.3.7.

In little-endian mode they cause an alignment exception.
"""

from __future__ import annotations

from xemu.core.bits import Bits, cat, const, mux, ule, ult, zext
from xemu.core.record import RegNo, when
from xemu.targets.ppc.isa import ppc32, ppc64
from xemu.targets.ppc.layout import ALIGNMENT
from xemu.targets.ppc.load_store import displacement

# -- multiple (3.3.6): words to or from the low halves of registers RT to 31 --------------------------------------------


def transfers(first: RegNo) -> list[tuple[int, Bits, Bits]]:
    """Return for each register: its number, whether it takes part, and its distance from the address."""
    start = zext(first.as_bits(), 32)
    return [(n, ule(start, const(n, 32)), (n - start) << 2) for n in range(32)]


@ppc32("46:6 RT RA0 D", "lmw {RT}, {D}({RA0})")
def lmw(cpu, RT, RA0, D):
    """Load Multiple Word. Book I, 3.3.6."""
    at = cpu.base(RA0) + displacement(cpu, D)
    cpu.probe(at, (32 - zext(RT.as_bits(), 32)) << 2)
    for n, takes_part, offset in transfers(RT):
        with when(takes_part):
            cpu.GPR[n] = cpu.mem_read(at + offset, 4, checked=False)


@ppc32("47:6 RS RA0 D", "stmw {RS}, {D}({RA0})")
def stmw(cpu, RS, RA0, D):
    """Store Multiple Word. Book I, 3.3.6."""
    at = cpu.base(RA0) + displacement(cpu, D)
    cpu.probe(at, (32 - zext(RS.as_bits(), 32)) << 2, write=True)
    for n, takes_part, offset in transfers(RS):
        with when(takes_part):
            cpu.mem_write(at + offset, cpu.GPR[n], checked=False)


# -- strings (3.3.7): bytes, four to a register, from the left; after register 31 comes register 0 -----------------------


def string_register(first: RegNo, words: int) -> RegNo:
    """Return the register so many words after the first one."""
    return RegNo(first.as_bits()[4:0] + words)


def in_range(number: RegNo, first: RegNo, count: Bits) -> Bits:
    """Return whether a register is one that `count` bytes go to."""
    distance = (number.as_bits() - first.as_bits())[4:0]
    return ult(zext(distance, 32), (count + 3) >> 2)


def load_string(cpu, RT: RegNo, at: Bits, count: Bits, most: int) -> None:
    """Load `count` bytes, at most `most`; the last register has zeros behind them."""
    cpu.probe(at, count)
    rest, tail = count[1:0], []
    behind = at + (count & -4)
    for n in range(3):
        present = ult(const(n, 2), rest)
        with when(present):
            byte = cpu.mem_read(behind + n, 1, checked=False)
        tail.append(mux(present, byte, const(0, 8)))
    last = cat(*tail, const(0, 8))
    for word in range(most // 4):
        whole = ule(const(4 * word + 4, 32), count)
        with when(whole):
            value = cpu.mem_read(at + 4 * word, 4, checked=False)
        with when(ult(const(4 * word, 32), count)):
            cpu.GPR[string_register(RT, word)] = mux(whole, value, last)


def store_string(cpu, RS: RegNo, at: Bits, count: Bits, most: int) -> None:
    """Store `count` bytes, at most `most`."""
    cpu.probe(at, count, write=True)
    last = const(0, 32)
    for word in range(most // 4):
        value = cpu.GPR[string_register(RS, word)]
        last = mux(count >> 2 == word, value, last)
        with when(ule(const(4 * word + 4, 32), count)):
            cpu.mem_write(at + 4 * word, value, checked=False)
    rest, behind = count[1:0], at + (count & -4)
    for n in range(3):
        with when(ult(const(n, 2), rest)):
            cpu.mem_write(behind + n, last[31 - 8 * n:24 - 8 * n], checked=False)


def immediate_count(NB: Bits) -> Bits:
    """Return the number of bytes of an immediate form: 0 means 32."""
    return mux(NB == 0, const(32, 32), zext(NB, 32))


@ppc32("31:6 RT RA0 NB 597:10 -", "lswi {RT}, {RA0}, {NB}")
def lswi(cpu, RT, RA0, NB):
    """Load String Word Immediate. Book I, 3.3.7."""
    count = immediate_count(NB)
    with when((RA0 != 0) & in_range(RA0, RT, count)):              # an invalid form
        cpu.undefined()
    load_string(cpu, RT, cpu.base(RA0), count, 32)


@ppc32("31:6 RT RA0 RB 533:10 -", "lswx {RT}, {RA0}, {RB}")
def lswx(cpu, RT, RA0, RB):
    """Load String Word Indexed. Book I, 3.3.7."""
    count = zext(cpu.LEN, 32)
    overlap = ((RA0 != 0) & in_range(RA0, RT, count)) | in_range(RB, RT, count)
    with when((count != 0) & overlap):                             # an invalid form
        cpu.undefined()
    load_string(cpu, RT, cpu.base(RA0) + cpu.GPR[RB], count, 128)


@ppc32("31:6 RS RA0 NB 725:10 -", "stswi {RS}, {RA0}, {NB}")
def stswi(cpu, RS, RA0, NB):
    """Store String Word Immediate. Book I, 3.3.7."""
    store_string(cpu, RS, cpu.base(RA0), immediate_count(NB), 32)


@ppc32("31:6 RS RA0 RB 661:10 -", "stswx {RS}, {RA0}, {RB}")
def stswx(cpu, RS, RA0, RB):
    """Store String Word Indexed. Book I, 3.3.7."""
    store_string(cpu, RS, cpu.base(RA0) + cpu.GPR[RB], zext(cpu.LEN, 32), 128)


@ppc64("46:6 RT RA D", "lmw {RT}, {D}({RA})")
@ppc64("47:6 RT RA D", "stmw {RT}, {D}({RA})")
@ppc64("31:6 RT RA RB 533:10 -", "lswx {RT}, {RA}, {RB}")
@ppc64("31:6 RT RA RB 597:10 -", "lswi {RT}, {RA}, {RB}")
@ppc64("31:6 RT RA RB 661:10 -", "stswx {RT}, {RA}, {RB}")
@ppc64("31:6 RT RA RB 725:10 -", "stswi {RT}, {RA}, {RB}")
def little_endian(cpu):
    """Several registers in little-endian mode. Book I, 3.3.6 and 3.3.7."""
    cpu.abort("exception", ALIGNMENT)
