"""What only AVX and AVX2 have: broadcasts, moves across halves, masked loads and stores, gathers (SDM vol. 1, 14.1, 14.7)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from xemu.core.bits import Bits, Lanes, cat, clz, const, ctz, join, mux, zext
from xemu.core.record import RegNo, when
from xemu.targets.x86.isa import x86
from xemu.targets.x86.operands import index as number_of
from xemu.targets.x86.scan import NONE
from xemu.targets.x86.sse_shuffle import shuffle_lanes, shuffle_two
from xemu.targets.x86.vectors import bytes_of, parts, pick, plain, selectors, set_parts, signs

if TYPE_CHECKING:
    from xemu.targets.x86.operands import Operand, Vector, VectorIndexed
    from xemu.targets.x86.state import X86Cpu

B, W, D, Q = 8, 16, 32, 64


# -- broadcasts -----------------------------------------------------------------------------------------------------------


def broadcast(x: Bits) -> Bits:
    """Return copies of a scalar."""
    return Lanes.splat(x, 128 // x.width).bits


for opcode, name, source in (("18", "vbroadcastss", "d"), ("58", "vpbroadcastd", "d"), ("59", "vpbroadcastq", "q"),
                             ("78", "vpbroadcastb", "b"), ("79", "vpbroadcastw", "w")):
    x86.row(plain, f"VEX.66.0F38.W0 {opcode} /r", f"{name} Vx, W{source}", f=broadcast)
x86.row(plain, "VEX.256.66.0F38.W0 19 /r", "vbroadcastsd Vqq, Wq", f=broadcast)
x86.row(plain, "VEX.256.66.0F38.W0 1A /r", "vbroadcastf128 Vqq, Mdq", f=lambda x: x)
x86.row(plain, "VEX.256.66.0F38.W0 5A /r", "vbroadcasti128 Vqq, Mdq", f=lambda x: x)


# -- permutations -----------------------------------------------------------------------------------------------------------


def permute_two(x: Bits, control: Bits) -> Bits:
    """VPERMILPD: each double by bit 1 of its control."""
    return pick(bytes_of(Lanes(control, Q) >> 1 & 1), x)


def permute_four(x: Bits, control: Bits) -> Bits:
    """VPERMILPS: each single by two bits of its control."""
    return pick(bytes_of(Lanes(control, D) & 3), x)


x86.row(plain, "VEX.66.0F3A.W0 04 /r ib", "vpermilps Vx, Wx, Ib", f=partial(shuffle_lanes, size=D))
x86.row(plain, "VEX.66.0F3A.W0 05 /r ib", "vpermilpd Vx, Wx, Ib", f=lambda x, imm: shuffle_two(x, x, imm, size=Q), step=2)
x86.row(plain, "VEX.66.0F38.W0 0C /r", "vpermilps Vx, Hx, Wx", f=permute_four)
x86.row(plain, "VEX.66.0F38.W0 0D /r", "vpermilpd Vx, Hx, Wx", f=permute_two)


def permute_words(_cpu: X86Cpu, dst: Operand, control: Operand, src: Operand) -> None:
    """VPERMD, VPERMPS: doublewords of all 256 bits. SDM vol. 2C."""
    table = halves(src)
    set_parts(dst, *[pick(bytes_of(Lanes(c, D) & 7), *table) for c in halves(control)])


def permute_quads(_cpu: X86Cpu, dst: Operand, src: Operand, imm: Operand) -> None:
    """VPERMQ, VPERMPD: quadwords of all 256 bits by two bits each. SDM vol. 2C."""
    table, control = halves(src), imm.read()
    set_parts(dst, *[pick(bytes_of(selectors(control >> at, Q, 2, 2)), *table) for at in (0, 4)])


def permute_halves(_cpu: X86Cpu, dst: Operand, x: Operand, y: Operand, imm: Operand) -> None:
    """VPERM2F128, VPERM2I128: each half one of four, or 0. SDM vol. 2C."""
    (a, b), (c, d), control = halves(x), halves(y), imm.read()
    set_parts(dst, *[mux(control[at + 3], const(0, 128), mux(control[at + 1], mux(control[at], d, c), mux(control[at], b, a)))
                     for at in (0, 4)])


def halves(operand: Operand) -> tuple[Bits, Bits]:
    """Return both halves of a 256-bit operand."""
    low, high = parts(operand)
    assert high is not None
    return low, high


x86.row(permute_words, "VEX.256.66.0F38.W0 36 /r", "vpermd Vqq, Hqq, Wqq")
x86.row(permute_words, "VEX.256.66.0F38.W0 16 /r", "vpermps Vqq, Hqq, Wqq")
x86.row(permute_quads, "VEX.256.66.0F3A.W1 00 /r ib", "vpermq Vqq, Wqq, Ib")
x86.row(permute_quads, "VEX.256.66.0F3A.W1 01 /r ib", "vpermpd Vqq, Wqq, Ib")
x86.row(permute_halves, "VEX.256.66.0F3A.W0 06 /r ib", "vperm2f128 Vqq, Hqq, Wqq, Ib")
x86.row(permute_halves, "VEX.256.66.0F3A.W0 46 /r ib", "vperm2i128 Vqq, Hqq, Wqq, Ib")


def insert_half(_cpu: X86Cpu, dst: Operand, x: Operand, y: Operand, imm: Operand) -> None:
    """VINSERTF128, VINSERTI128. SDM vol. 2C."""
    (low, high), value, second = halves(x), y.read(), imm.read()[0]
    set_parts(dst, mux(second, low, value), mux(second, value, high))


def extract_half(_cpu: X86Cpu, dst: Operand, src: Operand, imm: Operand) -> None:
    """VEXTRACTF128, VEXTRACTI128. SDM vol. 2C."""
    low, high = halves(src)
    dst.write(mux(imm.read()[0], high, low))


for opcodes, letter in (("18", "19"), "f"), (("38", "39"), "i"):
    x86.row(insert_half, f"VEX.256.66.0F3A.W0 {opcodes[0]} /r ib", f"vinsert{letter}128 Vqq, Hqq, Wdq, Ib")
    x86.row(extract_half, f"VEX.256.66.0F3A.W0 {opcodes[1]} /r ib", f"vextract{letter}128 Wdq, Vqq, Ib")


# -- masked moves: no fault where the mask is 0 --------------------------------------------------------------------------------


def masked_load(cpu: X86Cpu, dst: Operand, mask: Operand, src: Operand, *, size: int) -> None:
    """VMASKMOVPS, VMASKMOVPD, VPMASKMOV: lanes whose mask lane is negative are loaded, the others are 0. SDM vol. 2C."""
    results, step = [], size // 8
    for half, m in enumerate(present(mask)):
        chosen, lanes = signs(m, size), []
        for i in range(128 // size):
            with when(chosen[i]):
                value = cpu.load(address_of(src) + 16 * half + step * i, step)
            lanes.append(mux(chosen[i], value, 0))
        results.append(join(lanes))
    set_parts(dst, *results)


def masked_store(cpu: X86Cpu, dst: Operand, mask: Operand, src: Operand, *, size: int) -> None:
    """VMASKMOVPS, VMASKMOVPD, VPMASKMOV: lanes whose mask lane is negative are stored. SDM vol. 2C."""
    step, width = size // 8, 128 // size
    values = [lanes.lane(i) for lanes in (Lanes(v, size) for v in present(src)) for i in range(width)]
    chosen = zext(cat(*[signs(m, size) for m in reversed(present(mask))]), cpu.bits)
    first = address_of(dst)
    with when(chosen != 0):                                          # what lies between may be in two pages, not in more
        cpu.probe(first + ctz(chosen) * step, 1, write=True)
        cpu.probe(first + (cpu.bits - clz(chosen)) * step - 1, 1, write=True)
    for i, value in enumerate(values):
        with when(chosen[i]):
            cpu.store(first + step * i, value, checked=False)


def present(operand: Operand) -> list[Bits]:
    """Return the halves that an operand has."""
    return [half for half in parts(operand) if half is not None]


def address_of(operand: Operand) -> Bits:
    """Return the address of a memory operand."""
    address: Bits = operand.address  # type: ignore[attr-defined]
    return address


for load, store, w, name, size in (("2C", "2E", "W0", "vmaskmovps", D), ("2D", "2F", "W0", "vmaskmovpd", Q),
                                   ("8C", "8E", "W0", "vpmaskmovd", D), ("8C", "8E", "W1", "vpmaskmovq", Q)):
    x86.row(masked_load, f"VEX.66.0F38.{w} {load} /r", f"{name} Vx, Hx, Mx", size=size)
    x86.row(masked_store, f"VEX.66.0F38.{w} {store} /r", f"{name} Mx, Hx, Vx", size=size)


# -- gathers -----------------------------------------------------------------------------------------------------------------


def gather(cpu: X86Cpu, dst: Vector, src: VectorIndexed, mask: Vector, *, size: int, index: int, L: int) -> None:
    """VPGATHER, VGATHER: lanes whose mask lane is negative are loaded. SDM vol. 2C.

    Where a lane faults, those before it stay loaded, with their mask lanes cleared, and the others' mask lanes are all ones:
    the instruction can begin again. All of the mask's register is looked at then, but for the upper half in 128-bit forms.
    In 128-bit forms a lane that has been loaded has cleared the upper half by then.
    """
    if src.short:
        cpu.abort("undefined")
    with when((dst.reg == mask.reg) | (dst.reg == src.reg) | (mask.reg == src.reg) | (src.reg == NONE)):
        cpu.abort("undefined")
    count, zero = L // max(size, index), const(0, size)
    numbers = Lanes(cat(src.indices(1), src.indices(0)), index)
    lanes, masks = (Lanes(cat(*[cpu.X[register(operand, h)] for h in (1, 0)]), size) for operand in (dst, mask))
    chosen, values = signs(masks.bits, size), [lanes.lane(i) for i in range(lanes.count)]
    left = [masks.sar(size - 1).lane(i) if i < L // size else zero for i in range(lanes.count)]

    def write() -> None:
        for operand, items in (dst, values), (mask, left):
            both = join(items)
            for h in (0, 1):
                cpu.X[register(operand, h)] = both[128 * h + 127:128 * h]

    for k in range(count):
        with cpu.on_fault():
            write()
        with when(chosen[k]):
            value = cpu.load(src.address(numbers.lane(k)), size // 8)
        values[k], left[k] = mux(chosen[k], value, values[k]), zero
        if L == 128:
            values[128 // size:] = [mux(chosen[k], zero, upper) for upper in values[128 // size:]]
    values[count:], left[:] = [zero] * (lanes.count - count), [zero] * lanes.count
    write()


def register(operand: Vector, half: int) -> RegNo:
    """Return the number of a half of a vector register."""
    return number_of((operand.reg << 1) + half)


for opcode, name, index in ("90", "vpgatherd", D), ("91", "vpgatherq", Q), ("92", "vgatherdp", D), ("93", "vgatherqp", Q):
    for w, suffix, size in ("W0", "s" if name[-1] == "p" else "d", D), ("W1", "d" if name[-1] == "p" else "q", Q):
        for length in (128, 256):
            target = "qq" if length // max(index, size) * size == 256 else "dq"
            x86.row(gather, f"VEX.{length}.66.0F38.{w} {opcode} /r", f"{name}{suffix} V{target}, Mvm, H{target}",
                    size=size, index=index, L=length)
