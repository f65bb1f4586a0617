"""Help for binary coded decimals in general registers. Power ISA Book I, 3.3.15."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, cat, const, join, mux
from xemu.targets.ppc.isa import ppc64

if TYPE_CHECKING:
    from collections.abc import Callable


@ppc64("31:6 RT RA RB - 74:9 -", "addg6s {RT}, {RA}, {RB}")
def addg6s(cpu, RT, RA, RB):
    """Add and Generate Sixes: 6 in each digit that a sum does not carry out of. Book I, 3.3.15."""
    x, y = (cat(const(0, 1), cpu.GPR[r]) for r in (RA, RB))
    carries = (x + y) ^ x ^ y                     # bit n: the carry into it
    six, none = const(6, 4), const(0, 4)
    cpu.GPR[RT] = join([mux(carries[4 * n + 4], none, six) for n in range(16)])


def words(value: Bits, convert: Callable[[Bits], Bits]) -> Bits:
    """Return a doubleword whose words' lowest six (or five) parts are converted; zeros before them."""
    parts = []
    for at in (0, 32):
        converted = convert(value[at + 31:at])
        parts.append(cat(const(0, 32 - converted.width), converted))
    return join(parts)


@ppc64("31:6 RS RA ----- 282:10 -", "cdtbcd {RA}, {RS}")
def cdtbcd(cpu, RA, RS):
    """Convert Declets To Binary Coded Decimal. Book I, 3.3.15."""
    cpu.GPR[RA] = words(cpu.GPR[RS], lambda word: cat(digits(word[19:10]), digits(word[9:0])))


@ppc64("31:6 RS RA ----- 314:10 -", "cbcdtd {RA}, {RS}")
def cbcdtd(cpu, RA, RS):
    """Convert Binary Coded Decimal To Declets. Book I, 3.3.15."""
    cpu.GPR[RA] = words(cpu.GPR[RS], lambda word: cat(declet(word[23:12]), declet(word[11:0])))


# -- densely packed decimal (Book I, appendix B) ------------------------------------------------------------------------


def digits(packed: Bits) -> Bits:
    """Return the three digits (12 bits) of a declet (10 bits). Book I, B.2."""
    pq, st, v, wx = packed[9:8], packed[6:5], packed[3], packed[2:1]
    all_large = v & (wx == 3)                     # two digits are 8 or 9, or three: st says which one is not
    first = digit((v & (wx == 2)) | (all_large & (st != 2)), pq, packed[7])
    second = digit((v & (wx == 1)) | (all_large & (st != 1)), mux(all_large, pq, st), packed[4])
    third = digit((v & (wx == 0)) | (all_large & (st != 0)), mux(v, mux(wx == 1, st, pq), wx), packed[0])
    return cat(first, second, third)


def digit(large: Bits, middle: Bits, lowest: Bits) -> Bits:
    """Return a digit: 8 or 9, or a smaller one."""
    return mux(large, cat(const(4, 3), lowest), cat(const(0, 1), middle, lowest))


def declet(three: Bits) -> Bits:
    """Return the declet (10 bits) of three digits (12 bits). Book I, B.1."""
    a, e, i = three[11], three[7], three[3]       # which digits are 8 or 9
    bc, fg, jk = three[10:9], three[6:5], three[2:1]
    pq = mux(a, mux(i, mux(e, const(0, 2), fg), jk), bc)
    st = mux(e, mux(i, cat(const(1, 1), a), mux(a, const(0, 2), jk)), mux(a & i, const(1, 2), fg))
    several = (a & e) | (a & i) | (e & i)
    wx = mux(several, const(3, 2), mux(a, const(2, 2), mux(e, const(1, 2), mux(i, const(0, 2), jk))))
    return cat(pq, three[8], st, three[4], a | e | i, wx, three[0])
