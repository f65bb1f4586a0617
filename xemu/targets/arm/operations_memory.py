"""What loads and stores of both instruction sets do: single and dual transfers, register lists, exclusives.

A row gives the offset as a value (its sign applied) and the addressing form as a Python string. Registers are written
in the manual's order, base first: a load that overwrites its own base keeps what it loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, cat, const, mux, popcount, sext, zext
from xemu.core.record import RegNo, when
from xemu.targets.arm.operations import load_result

if TYPE_CHECKING:
    from xemu.targets.arm.state import ArmCpu

OFFSET, PRE, POST = "offset", "pre-indexed", "post-indexed"
FORMS = {OFFSET: (1, 0), PRE: (1, 1), POST: (0, 0)}  # P and W


def address(cpu: ArmCpu, Rn: RegNo, offset: Bits, form: str) -> tuple[Bits, Bits]:
    """Return (the address accessed, the new base)."""
    base = cpu.R[Rn]
    moved = base + offset
    return (base if form == POST else moved), moved


def load(cpu: ArmCpu, Rt: RegNo, Rn: RegNo, offset: Bits, form: str, size: int, *, signed: bool = False) -> None:
    """Load a byte, halfword or word to Rt; a word may go to the PC."""
    at, moved = address(cpu, Rn, offset, form)
    value = cpu.mem_read(at, size)
    if form != OFFSET:
        cpu.R[Rn] = moved
    _loaded(cpu, Rt, value, signed=signed)


def load_literal(cpu: ArmCpu, Rt: RegNo, at: Bits, size: int, *, signed: bool = False) -> None:
    """Load from an address that is known when decoding."""
    _loaded(cpu, Rt, cpu.mem_read(at, size), signed=signed)


def _loaded(cpu: ArmCpu, Rt: RegNo, value: Bits, *, signed: bool) -> None:
    if value.width == 32:
        load_result(cpu, Rt, value)
    else:
        cpu.R[Rt] = sext(value, 32) if signed else zext(value, 32)


def store(cpu: ArmCpu, Rt: RegNo, Rn: RegNo, offset: Bits, form: str, size: int) -> None:
    """Store the low bytes of Rt."""
    at, moved = address(cpu, Rn, offset, form)
    cpu.mem_write(at, cpu.R[Rt][8 * size - 1 : 0])
    if form != OFFSET:
        cpu.R[Rn] = moved


# -- doublewords: two words, the first at the lower address whatever the endianness ----------------------------------


def read_pair(cpu: ArmCpu, at: Bits) -> tuple[Bits, Bits]:
    """Return the words at `at` and `at` + 4, read as one where the order of their bytes allows it."""
    if cpu.context.E:
        return cpu.mem_read(at, 4), cpu.mem_read(at + 4, 4)
    both = cpu.mem_read(at, 8)
    return both[31:0], both[63:32]


def write_pair(cpu: ArmCpu, at: Bits, first: Bits, second: Bits) -> None:
    """Write words to `at` and `at` + 4."""
    if cpu.context.E:
        cpu.mem_write(at, first)
        cpu.mem_write(at + 4, second)
    else:
        cpu.mem_write(at, cat(second, first))


def load_dual(cpu: ArmCpu, Rt: RegNo, Rt2: RegNo, Rn: RegNo, offset: Bits, form: str) -> None:
    """Load two registers."""
    at, moved = address(cpu, Rn, offset, form)
    first, second = read_pair(cpu, at)
    if form != OFFSET:
        cpu.R[Rn] = moved
    cpu.R[Rt] = first
    cpu.R[Rt2] = second


def store_dual(cpu: ArmCpu, Rt: RegNo, Rt2: RegNo, Rn: RegNo, offset: Bits, form: str) -> None:
    """Store two registers."""
    at, moved = address(cpu, Rn, offset, form)
    write_pair(cpu, at, cpu.R[Rt], cpu.R[Rt2])
    if form != OFFSET:
        cpu.R[Rn] = moved


def even_pair(number: Bits) -> tuple[RegNo, RegNo]:
    """Return registers 2n and 2n + 1: A32's doublewords, whose Rt must be even."""
    return RegNo(cat(number, const(0, 1))), RegNo(cat(number, const(1, 1)))


# -- register lists (A8.8.58-61, A8.8.199-202): the lowest register at the lowest address ----------------------------


def list_start(registers: Bits, mode: str) -> tuple[Bits, Bits, Bits]:
    """Return offsets from the base: of the lowest address and of the new base; and the bytes transferred."""
    size = popcount(zext(registers, 32)) << 2
    low, end = {"IA": (const(0, 32), size), "IB": (const(4, 32), size), "DA": (4 - size, -size), "DB": (-size, -size)}[
        mode
    ]
    return low, end, size


def load_multiple(cpu: ArmCpu, Rn: RegNo, registers: Bits, pc: int, mode: str, *, writeback: int) -> None:
    """Load the registers of a 15-bit list, and the PC if `pc` is 1."""
    low, end, size = list_start(cat(const(pc, 1), registers), mode)
    base = cpu.R[Rn]
    at = base + low
    cpu.probe(at, size)
    if writeback:
        cpu.R[Rn] = base + end
    for i in range(registers.width):
        with when(registers[i]):
            cpu.R[i] = cpu.mem_read(at, 4, checked=False)
        at = at + (zext(registers[i], 32) << 2)
    if pc:
        cpu.bx_to(cpu.mem_read(at, 4, checked=False), kind="return")


def store_multiple(cpu: ArmCpu, Rn: RegNo, registers: Bits, mode: str, *, writeback: int) -> None:
    """Store the registers of a 16-bit list; a base in the list is stored as it was."""
    low, end, size = list_start(registers, mode)
    base = cpu.R[Rn]
    at = base + low
    cpu.probe(at, size, write=True)
    for i in range(registers.width):
        with when(registers[i]):
            cpu.mem_write(at, cpu.R[i], checked=False)
        at = at + (zext(registers[i], 32) << 2)
    if writeback:
        cpu.R[Rn] = base + end


# -- the exclusive monitor (A3.4): an address, a size and the value that was read ------------------------------------


def load_exclusive(cpu: ArmCpu, at: Bits, size: int) -> Bits:
    """Read memory and set the monitor."""
    value = cpu.mem_read(at, size, align=size)
    cpu.EXADDR, cpu.EXSIZE, cpu.EXVALUE = at, const(size, 8), zext(value, 64)
    return value


def store_exclusive(cpu: ArmCpu, at: Bits, value: Bits) -> Bits:
    """Write memory if the monitor is still set for it; return the status: 0 where it was written.

    Memory must still hold what LDREX read: another process may have written it (the order of A3.4.5 allows the test).
    """
    size = value.width // 8
    ours = (at == cpu.EXADDR) & (size == cpu.EXSIZE)
    with when(ours):
        cpu.probe(at, size, write=True, align=size)
        done = cpu.compare_store(at, cpu.EXVALUE[value.width - 1 : 0], value, big=bool(cpu.context.E) and size > 1)
    cpu.EXSIZE = const(0, 8)
    return zext(~mux(ours, done, const(0, 1)), 32)


def exclusive_pair(cpu: ArmCpu, first: Bits, second: Bits) -> Bits:
    """Join (or, applied to a value's halves, part) the words of LDREXD/STREXD: the first at the lower address."""
    return cat(first, second) if cpu.context.E else cat(second, first)
