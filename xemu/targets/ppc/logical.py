"""Fixed-point logic, counting and permuting of bits. Power ISA Book I, 3.3.13."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, Lanes, cat, clz, const, ctz, join, mux, popcount, sext
from xemu.targets.ppc.isa import ppc, ppc64

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.record import RegNo


def put(cpu, RA: RegNo, result: Bits, Rc: int) -> None:
    """Write a result and CR0 (Rc = 1)."""
    cpu.GPR[RA] = result
    if Rc:
        cpu.record(result)


#: mnemonic, opcode, operation, is the immediate shifted?, does CR0 record it?
IMMEDIATE: list[tuple[str, int, Callable[[Bits, Bits], Bits], int, int]] = [
    ("andi.", 28, lambda x, y: x & y, 0, 1), ("andis.", 29, lambda x, y: x & y, 16, 1),
    ("ori", 24, lambda x, y: x | y, 0, 0), ("oris", 25, lambda x, y: x | y, 16, 0),
    ("xori", 26, lambda x, y: x ^ y, 0, 0), ("xoris", 27, lambda x, y: x ^ y, 16, 0),
]


def logical_immediate(cpu, RA, RS, UI, operation, shift, Rc):
    """Logic with an immediate (shifted). Book I, 3.3.13."""
    value = cat(const(0, cpu.xlen - 16 - shift), UI, const(0, shift)) if shift else cpu.extend(UI)
    put(cpu, RA, operation(cpu.GPR[RS], value), Rc)


for _name, _opcode, _operation, _shift, _Rc in IMMEDIATE:
    ppc.row(logical_immediate, f"{_opcode}:6 RS RA UI", f"{_name} {{RA}}, {{RS}}, {{UI}}", operation=_operation, shift=_shift, Rc=_Rc)

#: mnemonic, extended opcode, operation
REGISTERS: list[tuple[str, int, Callable[[Bits, Bits], Bits]]] = [
    ("and", 28, lambda x, y: x & y), ("or", 444, lambda x, y: x | y), ("xor", 316, lambda x, y: x ^ y),
    ("nand", 476, lambda x, y: ~(x & y)), ("nor", 124, lambda x, y: ~(x | y)), ("eqv", 284, lambda x, y: ~(x ^ y)),
    ("andc", 60, lambda x, y: x & ~y), ("orc", 412, lambda x, y: x | ~y),
]


def logical(cpu, RA, RS, RB, Rc, operation):
    """Logic of two registers. Book I, 3.3.13."""
    put(cpu, RA, operation(cpu.GPR[RS], cpu.GPR[RB]), Rc)


for _name, _opcode, _operation in REGISTERS:
    ppc.row(logical, f"31:6 RS RA RB {_opcode}:10 Rc", f"{_name}{{Rc}} {{RA}}, {{RS}}, {{RB}}", operation=_operation)


@ppc("31:6 RS RA ----- 954:10 Rc", "extsb{Rc} {RA}, {RS}", size=8)
@ppc("31:6 RS RA ----- 922:10 Rc", "extsh{Rc} {RA}, {RS}", size=16)
@ppc64("31:6 RS RA ----- 986:10 Rc", "extsw{Rc} {RA}, {RS}", size=32)
def extend_sign(cpu, RA, RS, Rc, size):
    """Extend Sign. Book I, 3.3.13."""
    put(cpu, RA, sext(cpu.GPR[RS][size - 1:0], cpu.xlen), Rc)


@ppc("31:6 RS RA ----- 26:10 Rc", "cntlzw{Rc} {RA}, {RS}", size=32, count=clz)
@ppc64("31:6 RS RA ----- 58:10 Rc", "cntlzd{Rc} {RA}, {RS}", size=64, count=clz)
@ppc64("31:6 RS RA ----- 538:10 Rc", "cnttzw{Rc} {RA}, {RS}", size=32, count=ctz)
@ppc64("31:6 RS RA ----- 570:10 Rc", "cnttzd{Rc} {RA}, {RS}", size=64, count=ctz)
def count_zeros(cpu, RA, RS, Rc, size, count):
    """Count Leading (Trailing) Zeros. Book I, 3.3.13."""
    put(cpu, RA, cpu.extend(count(cpu.GPR[RS][size - 1:0])), Rc)


@ppc64("31:6 RS RA ----- 122:10 -", "popcntb {RA}, {RS}", size=8)
@ppc64("31:6 RS RA ----- 378:10 -", "popcntw {RA}, {RS}", size=32)
@ppc64("31:6 RS RA ----- 506:10 -", "popcntd {RA}, {RS}", size=64)
def count_ones(cpu, RA, RS, size):
    """Population Count of each byte, word or the doubleword. Book I, 3.3.13."""
    value = cpu.GPR[RS]
    cpu.GPR[RA] = popcount(value) if size == 64 else Lanes(value, size).unary("popcount").bits


@ppc64("31:6 RS RA ----- 154:10 -", "prtyw {RA}, {RS}", size=32)
@ppc64("31:6 RS RA ----- 186:10 -", "prtyd {RA}, {RS}", size=64)
def parity(cpu, RA, RS, size):
    """Parity of the lowest bits of the bytes. Book I, 3.3.13."""
    lowest = cpu.GPR[RS] & 0x0101010101010101
    cpu.GPR[RA] = join([cat(const(0, size - 1), popcount(lowest[at + size - 1:at])[0]) for at in range(0, 64, size)])


@ppc64("31:6 RS RA RB 508:10 -", "cmpb {RA}, {RS}, {RB}")
def cmpb(cpu, RA, RS, RB):
    """Compare Bytes: ones where they are equal. Book I, 3.3.13."""
    cpu.GPR[RA] = Lanes(cpu.GPR[RS], 8).op("eq", Lanes(cpu.GPR[RB], 8)).bits


@ppc64("31:6 RS RA RB 252:10 -", "bpermd {RA}, {RS}, {RB}")
def bpermd(cpu, RA, RS, RB):
    """Bit Permute Doubleword: eight bits picked by the bytes of RS, 0 from outside. Book I, 3.3.13."""
    picks, source = cpu.GPR[RS], cpu.GPR[RB]
    bits = []
    for n in range(8):                            # n counts from the right; bit numbers of the manual from the left
        index = picks[8 * n + 7:8 * n]
        shifted = source << cpu.extend(index[5:0])
        bits.append(mux(index[7:6] == 0, shifted[63], const(0, 1)))
    cpu.GPR[RA] = cpu.extend(join(bits))
