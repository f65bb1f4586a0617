"""PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM vol. 1, 12.10; vol. 2B, 4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, Lanes, clz, const, ctz, mux, ult, zext
from xemu.targets.x86.isa import x86
from xemu.targets.x86.vectors import lanes_of

if TYPE_CHECKING:
    from xemu.targets.x86.operands import Operand
    from xemu.targets.x86.state import X86Cpu

RAX, RCX, RDX = 0, 1, 2


class Strings:
    """Two strings of elements of one size. `a` is the set, the ranges or what is looked for; `b` is what is looked at."""

    def __init__(self, a: Bits, b: Bits, lengths: tuple[Bits, Bits], size: int) -> None:
        self.size, self.count = size, 128 // size
        self.a, self.b = Lanes(a, size), Lanes(b, size)
        places = lanes_of(range(self.count), size)
        self.valid_a, self.valid_b = (places.op("ult", Lanes.splat(zext(n, size), self.count)) for n in lengths)

    def each(self, lanes: Lanes, i: int) -> Lanes:
        """Return a lane in all lanes."""
        return lanes.shuffle(lanes, [i] * self.count)

    def equal_any(self) -> Lanes:
        """Which elements of b are in the set a?"""
        total = self.a ^ self.a
        for i in range(self.count):
            total = total | self.each(self.a, i).op("eq", self.b) & self.each(self.valid_a, i)
        return total & self.valid_b

    def ranges(self, signed: Bits) -> Lanes:
        """Which elements of b are in one of the ranges from an even element of a to the odd one behind it?"""
        bias = Lanes.splat(mux(signed, const(1 << self.size - 1, self.size), 0), self.count)
        a, b = self.a ^ bias, self.b ^ bias
        total = a ^ a
        for i in range(0, self.count, 2):
            inside = self.each(a, i).op("ule", b) & b.op("ule", self.each(a, i + 1))
            total = total | inside & self.each(self.valid_a, i + 1)
        return total & self.valid_b

    def equal_each(self) -> Lanes:
        """Which elements are the same, or behind the end of both strings?"""
        both, neither = self.valid_a & self.valid_b, ~(self.valid_a | self.valid_b)
        return self.a.op("eq", self.b) & both | neither

    def equal_ordered(self) -> Lanes:
        """Where does a, as far as b goes, stand in b?"""
        ones = ~(self.a ^ self.a)
        total = ones
        for i in range(self.count):
            here = self.each(self.a, i).op("eq", self.b) & self.valid_b | ~self.each(self.valid_a, i)
            total = total & here.shuffle(ones, [min(k + i, self.count) for k in range(self.count)])
        return total

    def compared(self, imm: Bits) -> Lanes:
        """Return lanes of ones where bits 3:2 of the immediate say so, turned round as bits 5:4 say."""
        plain = choose_bits(imm[3], choose_bits(imm[2], self.equal_ordered(), self.equal_each()),
                            choose_bits(imm[2], self.ranges(imm[1]), self.equal_any()))
        turned = mux(imm[5], self.valid_b.bits, const(-1, 128))
        return plain ^ Lanes(mux(imm[4], turned, const(0, 128)), self.size)


def choose_bits(c: Bits, x: Lanes, y: Lanes) -> Lanes:
    """Return x where c is 1, else y."""
    return Lanes(mux(c, x.bits, y.bits), x.size)


def explicit_length(cpu: X86Cpu, register: int, wide: Bits, count: int) -> Bits:
    """Return the magnitude of a register, at most `count`."""
    full, short = cpu.R[register], cpu.R[register][31:0]
    negative = mux(wide, full[63], short[31])
    magnitude = mux(wide, mux(negative, -full, full), zext(mux(negative, -short, short), 64))
    return mux(ult(magnitude, count), magnitude[7:0], const(count, 8))


def implicit_length(x: Bits, size: int) -> Bits:
    """Return how many elements stand before the first that is 0."""
    zeros = Lanes(x, size).op("eq", 0).narrow(1).bits
    return zext(ctz(zeros), 8) if zeros.width <= 8 else ctz(zeros)[7:0]


def pcmpstr(cpu: X86Cpu, x: Operand, y: Operand, imm: Operand, W: Bits, *, explicit: bool, index: bool) -> None:
    """PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM. SDM vol. 2B."""
    a, b, control = x.read(), y.read(), imm.read()[7:0]
    W = W if cpu.context.L else const(0, 1)
    results = []
    for size in (8, 16):
        count = 128 // size
        if explicit:
            lengths = explicit_length(cpu, RAX, W, count), explicit_length(cpu, RDX, W, count)
        else:
            lengths = implicit_length(a, size), implicit_length(b, size)
        lanes = Strings(a, b, lengths, size).compared(control)
        mask = zext(lanes.narrow(1).bits, 16)
        short = [ult(n, count) for n in lengths]
        results.append((lanes.bits, mask, *short, const(count, 16)))
    lanes_, mask, a_ends, b_ends, count_ = (mux(control[0], wide, narrow) for narrow, wide in zip(*results, strict=True))
    cpu.set_flags(CF=mask != 0, ZF=b_ends, SF=a_ends, OF=mask[0], AF=0, PF=0)
    if index:
        last = const(15, 16) - clz(mask)
        found = mux(mask == 0, count_, mux(control[6], last, ctz(mask)))
        cpu.R[RCX] = zext(found, 64)
    else:
        cpu.X[0] = mux(control[6], lanes_, zext(mask, 128))
        if x.vex:  # type: ignore[attr-defined]
            cpu.X[1] = const(0, 128)


for opcode, name, explicit, index in (("60", "pcmpestrm", True, False), ("61", "pcmpestri", True, True),
                                      ("62", "pcmpistrm", False, False), ("63", "pcmpistri", False, True)):
    x86.row(pcmpstr, f"66 0F 3A {opcode} /r ib", f"{name} Vdq, Wdq, Ib", align=1, explicit=explicit, index=index)
    x86.row(pcmpstr, f"VEX.128.66.0F3A {opcode} /r ib", f"v{name} Vdq, Wdq, Ib", explicit=explicit, index=index)

