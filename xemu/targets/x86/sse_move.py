"""Moves of vectors and of parts of them: MMX, SSE to SSE4.1, AVX (SDM vol. 1, 9.4.1, 10.4.1, 11.4.1)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from xemu.core.bits import Bits, Lanes, cat, const, mux, zext
from xemu.core.record import when
from xemu.targets.x86.isa import x86
from xemu.targets.x86.operands import segment_base
from xemu.targets.x86.vectors import destructive, enter_mmx, one_source, parts, plain, set_parts, signs

if TYPE_CHECKING:
    from xemu.targets.x86.operands import Operand, Vector
    from xemu.targets.x86.state import X86Cpu

RDI = 7


def move(_cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Copy; a shorter source clears the rest of a vector register."""
    set_parts(dst, *parts(src))


def move_mmx(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Copy from or to an MMX register."""
    enter_mmx(cpu)
    value = src.read()
    dst.write(zext(value, dst.width) if value.width < dst.width else value[dst.width - 1:0])


def move_low(_cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Store, or copy to, the low bits of a vector register: as many as the destination has."""
    dst.write(src.read()[dst.width - 1:0])


# -- whole registers --------------------------------------------------------------------------------------------------------

for prefix, load, store, name, align in (("NP", "28", "29", "movaps", 16), ("66", "28", "29", "movapd", 16),
                                         ("66", "6F", "7F", "movdqa", 16), ("NP", "10", "11", "movups", 1),
                                         ("66", "10", "11", "movupd", 1), ("F3", "6F", "7F", "movdqu", 1)):
    x86.row(move, f"{prefix} 0F {load} /r", f"{name} Vx, Wx", align=align)
    x86.row(move, f"{prefix} 0F {store} /r", f"{name} Wx, Vx", align=align)
    x86.row(move, f"VEX.{prefix}.0F.WIG {load} /r", f"v{name} Vx, Wx", align=align)
    x86.row(move, f"VEX.{prefix}.0F.WIG {store} /r", f"v{name} Wx, Vx", align=align)
for prefix, opcode, name in ("NP", "2B", "movntps"), ("66", "2B", "movntpd"), ("66", "E7", "movntdq"):
    x86.row(move, f"{prefix} 0F {opcode} /r", f"{name} Mx, Vx")
    x86.row(move, f"VEX.{prefix}.0F.WIG {opcode} /r", f"v{name} Mx, Vx", align=16)
x86.row(move, "66 0F 38 2A /r", "movntdqa Vx, Mx")
x86.row(move, "VEX.66.0F38.WIG 2A /r", "vmovntdqa Vx, Mx", align=16)
x86.row(move, "F2 0F F0 /r", "lddqu Vx, Mx", align=1)
x86.row(move, "VEX.F2.0F.WIG F0 /r", "vlddqu Vx, Mx")

# -- MOVD and MOVQ ------------------------------------------------------------------------------------------------------------

x86.row(move_mmx, "NP 0F 6E /r", "movd Pq, Ey")
x86.row(move_mmx, "NP 0F 7E /r", "movd Ey, Pq")
x86.row(move_mmx, "NP 0F 6F /r", "movq Pq, Qq")
x86.row(move_mmx, "NP 0F 7F /r", "movq Qq, Pq")
x86.row(move_mmx, "NP 0F E7 /r", "movntq Mq, Pq")
x86.row(move_mmx, "F3 0F D6 /r", "movq2dq Vdq, Nq")
x86.row(move_mmx, "F2 0F D6 /r", "movdq2q Pq, Udq")
x86.row(move, "66 0F 6E /r", "movd Vdq, Ey")
x86.row(move, "VEX.128.66.0F 6E /r", "vmovd Vdq, Ey")
x86.row(move_low, "66 0F 7E /r", "movd Ey, Vdq")
x86.row(move_low, "VEX.128.66.0F 7E /r", "vmovd Ey, Vdq")
x86.row(move, "F3 0F 7E /r", "movq Vdq, Wq")
x86.row(move, "VEX.128.F3.0F.WIG 7E /r", "vmovq Vdq, Wq")
x86.row(move, "66 0F D6 /r", "movq Wq, Vq")
x86.row(move, "VEX.128.66.0F.WIG D6 /r", "vmovq Wq, Vq")


# -- scalars and halves ---------------------------------------------------------------------------------------------------------


def move_scalar(_cpu: X86Cpu, dst: Vector, src: Operand) -> None:
    """MOVSS, MOVSD between registers: the low element; the rest stays. SDM vol. 2B."""
    dst.write_low(src.read())


def merge_low(x: Bits, y: Bits) -> Bits:
    """VMOVSS, VMOVSD of registers, VMOVLPS, VMOVLPD: the low bits of y, as many as it has, in x."""
    lanes = Lanes(x, y.width)
    return lanes.shuffle(Lanes(zext(y, 128), y.width), [lanes.count, *range(1, lanes.count)]).bits


def merge_high(x: Bits, y: Bits) -> Bits:
    """MOVLHPS, MOVHPS, MOVHPD: the low quadword of y behind that of x."""
    return Lanes(x, 64).shuffle(Lanes(zext(y, 128), 64), (0, 2)).bits


def high_to_low(x: Bits, y: Bits) -> Bits:
    """MOVHLPS: the high quadword of y in the low one of x."""
    return Lanes(x, 64).shuffle(Lanes(y, 64), (3, 1)).bits


def store_high(_cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """MOVHPS, MOVHPD to memory. SDM vol. 2B."""
    dst.write(src.read()[127:64])


for prefix, name, size in ("F3", "movss", "d"), ("F2", "movsd", "q"):
    x86.row(move_scalar, f"{prefix} 0F 10 /r", f"{name} Vdq, U{size}")
    x86.row(move_scalar, f"{prefix} 0F 11 /r", f"{name} Udq, V{size}")
    x86.row(move, f"{prefix} 0F 10 /r", f"{name} Vdq, M{size}")
    x86.row(move_low, f"{prefix} 0F 11 /r", f"{name} M{size}, V{size}")
    x86.row(plain, f"VEX.LIG.{prefix}.0F.WIG 10 /r", f"v{name} Vdq, Hdq, U{size}", f=merge_low)
    x86.row(plain, f"VEX.LIG.{prefix}.0F.WIG 11 /r", f"v{name} Udq, Hdq, V{size}", f=merge_low)
    x86.row(move, f"VEX.LIG.{prefix}.0F.WIG 10 /r", f"v{name} Vdq, M{size}")
    x86.row(move_low, f"VEX.LIG.{prefix}.0F.WIG 11 /r", f"v{name} M{size}, V{size}")
for prefix, suffix in ("NP", "ps"), ("66", "pd"):
    x86.row(move_scalar, f"{prefix} 0F 12 /r", f"movl{suffix} Vdq, Mq")
    x86.row(plain, f"VEX.128.{prefix}.0F.WIG 12 /r", f"vmovl{suffix} Vdq, Hdq, Mq", f=merge_low)
    x86.row(destructive, f"{prefix} 0F 16 /r", f"movh{suffix} Vdq, Mq", f=merge_high)
    x86.row(plain, f"VEX.128.{prefix}.0F.WIG 16 /r", f"vmovh{suffix} Vdq, Hdq, Mq", f=merge_high)
    x86.row(move_low, f"{prefix} 0F 13 /r", f"movl{suffix} Mq, Vdq")
    x86.row(move_low, f"VEX.128.{prefix}.0F.WIG 13 /r", f"vmovl{suffix} Mq, Vdq")
    x86.row(store_high, f"{prefix} 0F 17 /r", f"movh{suffix} Mq, Vdq")
    x86.row(store_high, f"VEX.128.{prefix}.0F.WIG 17 /r", f"vmovh{suffix} Mq, Vdq")
for opcode, name, f in ("12", "movhlps", high_to_low), ("16", "movlhps", merge_high):
    x86.row(destructive, f"NP 0F {opcode} /r", f"{name} Vdq, Udq", f=f)
    x86.row(plain, f"VEX.128.NP.0F.WIG {opcode} /r", f"v{name} Vdq, Hdq, Udq", f=f)


def doubled(x: Bits, *, size: int, odd: int) -> Bits:
    """MOVSLDUP, MOVSHDUP, MOVDDUP: the even or odd lanes twice."""
    lanes = Lanes(x, size)
    return lanes.shuffle(lanes, [i & ~1 | odd for i in range(lanes.count)]).bits


one_source("movsldup", "0F 12", partial(doubled, size=32, odd=0), prefix="F3")
one_source("movshdup", "0F 16", partial(doubled, size=32, odd=1), prefix="F3")
x86.row(plain, "F2 0F 12 /r", "movddup Vdq, Wq", f=lambda x: Lanes.splat(x, 2).bits)
x86.row(plain, "VEX.128.F2.0F.WIG 12 /r", "vmovddup Vdq, Wq", f=lambda x: Lanes.splat(x, 2).bits)
x86.row(plain, "VEX.256.F2.0F.WIG 12 /r", "vmovddup Vqq, Wqq", f=partial(doubled, size=64, odd=0))


# -- masks ------------------------------------------------------------------------------------------------------------------------


def movmsk(_cpu: X86Cpu, dst: Operand, src: Operand, *, size: int) -> None:
    """MOVMSKPS, MOVMSKPD, PMOVMSKB: the signs of all lanes. SDM vol. 2B."""
    low, high = parts(src)
    mask = signs(low, size) if high is None else cat(signs(high, size), signs(low, size))
    dst.write(zext(mask, dst.width))


def pmovmskb_mmx(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """PMOVMSKB of an MMX register. SDM vol. 2B."""
    enter_mmx(cpu)
    movmsk(cpu, dst, src, size=8)


x86.row(pmovmskb_mmx, "NP 0F D7 /r", "pmovmskb Gd, Nq")
for prefix, opcode, name, lane in ("NP", "50", "movmskps", 32), ("66", "50", "movmskpd", 64), ("66", "D7", "pmovmskb", 8):
    x86.row(movmsk, f"{prefix} 0F {opcode} /r", f"{name} Gd, Ux", size=lane)
    x86.row(movmsk, f"VEX.{prefix}.0F.WIG {opcode} /r", f"v{name} Gd, Ux", size=lane)


def maskmov(cpu: X86Cpu, src: Operand, mask: Operand, seg: Bits, a67: Bits) -> None:
    """MASKMOVDQU, MASKMOVQ: store the bytes whose mask bytes are negative at rDI. SDM vol. 2B."""
    if src.width == 64:
        enter_mmx(cpu)
        with cpu.on_fault():
            enter_mmx(cpu)
    value, chosen = src.read(), signs(mask.read(), 8)
    at = cpu.R[RDI][cpu.bits - 1:0]
    short = at & ((1 << cpu.bits // 2) - 1)
    at = mux(a67, short, at) + segment_base(cpu, {"seg": seg})
    for offset in reversed(range(0, src.width // 8, 8)):               # what processors look at, whatever the mask
        cpu.probe(at + offset, 8, write=True)
    for i in range(src.width // 8):
        with when(chosen[i]):
            cpu.store(at + i, value[8 * i + 7:8 * i], checked=False)


x86.row(maskmov, "66 0F F7 /r", "maskmovdqu Vdq, Udq")
x86.row(maskmov, "VEX.128.66.0F.WIG F7 /r", "vmaskmovdqu Vdq, Udq")
x86.row(maskmov, "NP 0F F7 /r", "maskmovq Pq, Nq")


@x86("NP 0F 77", "emms")
def emms(cpu: X86Cpu) -> None:
    """Empty the x87 registers. SDM vol. 2A."""
    enter_mmx(cpu)
    cpu.FVALID = const(0, 8)


def vzero(cpu: X86Cpu, *, every: int) -> None:
    """VZEROUPPER, VZEROALL. SDM vol. 2C."""
    for n in range(16 if cpu.context.L else 8):
        cpu.X[2 * n + 1] = const(0, 128)
        if every:
            cpu.X[2 * n] = const(0, 128)


x86.row(vzero, "VEX.128.NP.0F.WIG 77", "vzeroupper", every=0)
x86.row(vzero, "VEX.256.NP.0F.WIG 77", "vzeroall", every=1)
