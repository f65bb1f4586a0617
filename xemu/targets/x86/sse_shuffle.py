"""Shuffles, blends, insertion and extraction of lanes: MMX to SSE4.1 and their AVX forms (SDM vol. 1, 10.4.3, 11.4.2, 12)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from xemu.core.bits import Bits, Lanes, const, mux, ult, zext
from xemu.targets.x86.isa import x86
from xemu.targets.x86.vectors import (
    bytes_of,
    choose,
    chosen_lanes,
    destructive,
    enter_mmx,
    lane_at,
    lanes_of,
    mmx_destructive,
    mmx_plain,
    one_source,
    pick,
    plain,
    selectors,
    set_parts,
    two_sources,
    vex_row,
    with_lane,
)

if TYPE_CHECKING:
    from xemu.targets.x86.operands import Operand
    from xemu.targets.x86.state import X86Cpu

B, W, D, Q = 8, 16, 32, 64


# -- by an immediate ------------------------------------------------------------------------------------------------------


def shuffle_lanes(x: Bits, imm: Bits, *, size: int, first: int = 0) -> Bits:
    """PSHUFD, PSHUFW: four lanes by two bits each; PSHUFLW, PSHUFHW: of four words from `first` on, the others stay."""
    count = x.width // size
    chosen = selectors(imm, size, count, 2)
    if count > 4:
        moved = selectors(imm, size, 4, 2) + first
        stays = lanes_of(range(4 - first, 8 - first), size)
        both = moved.shuffle(stays, range(8)) if first == 0 else stays.shuffle(moved, range(8))
        chosen = both
    return pick(bytes_of(chosen), x)


def shuffle_two(x: Bits, y: Bits, imm: Bits, *, size: int) -> Bits:
    """SHUFPS, SHUFPD: lanes of x in the low half, of y in the high half."""
    count = 128 // size
    chosen = selectors(imm, size, count, 2 if size == D else 1)
    from_y = lanes_of([count * (i >= count // 2) for i in range(count)], size)
    return pick(bytes_of(chosen + from_y), x, y)


def align_right(x: Bits, y: Bits, imm: Bits) -> Bits:
    """PALIGNR: x:y shifted right by bytes."""
    n = x.width // 8
    count = imm[7:0]
    limited = Lanes.splat(mux(ult(count, 2 * n), count, 2 * n), n)
    return pick(lanes_of(range(n), 8) + limited, y, x)


def shuffle_bytes(x: Bits, y: Bits) -> Bits:
    """PSHUFB: bytes of x by the bytes of y; 0 where bit 7 is set."""
    return pick(Lanes(y, 8) & (0x7F + x.width // 8), x)


one_source("pshufd", "0F 70", partial(shuffle_lanes, size=D), imm=", Ib")
one_source("pshuflw", "0F 70", partial(shuffle_lanes, size=W), prefix="F2", imm=", Ib")
one_source("pshufhw", "0F 70", partial(shuffle_lanes, size=W, first=4), prefix="F3", imm=", Ib")
x86.row(mmx_plain, "NP 0F 70 /r ib", "pshufw Pq, Qq, Ib", f=partial(shuffle_lanes, size=W))
two_sources("shufps", "0F C6", partial(shuffle_two, size=D), prefix="NP", imm=", Ib")
two_sources("palignr", "0F 3A 0F", align_right, mmx="NP", imm=", Ib")
two_sources("pshufb", "0F 38 00", shuffle_bytes, mmx="NP")
two_sources("shufpd", "0F C6", partial(shuffle_two, size=Q), imm=", Ib", step=2)


# -- blends ----------------------------------------------------------------------------------------------------------------


def blend(x: Bits, y: Bits, imm: Bits, *, size: int) -> Bits:
    """BLENDPS, PBLENDW …: lanes of y where the immediate has ones."""
    return choose(chosen_lanes(imm, size, x.width), Lanes(y, size), Lanes(x, size)).bits


def blend_by_signs(x: Bits, y: Bits, mask: Bits, *, size: int) -> Bits:
    """PBLENDVB, BLENDVPS, BLENDVPD: lanes of y where the mask's lanes are negative."""
    return choose(Lanes(mask, size).sar(size - 1), Lanes(y, size), Lanes(x, size)).bits


two_sources("pblendw", "0F 3A 0E", partial(blend, size=W), imm=", Ib")
two_sources("blendps", "0F 3A 0C", partial(blend, size=D), imm=", Ib", step=4)
two_sources("blendpd", "0F 3A 0D", partial(blend, size=Q), imm=", Ib", step=2)
x86.row(plain, "VEX.66.0F3A.W0 02 /r ib", "vpblendd Vx, Hx, Wx, Ib", f=partial(blend, size=D), step=4)
for opcode, old, new, name, size in (("10", "pblendvb", "4C", "vpblendvb", B), ("14", "blendvps", "4A", "vblendvps", D),
                                     ("15", "blendvpd", "4B", "vblendvpd", Q)):
    f = partial(blend_by_signs, size=size)
    x86.row(destructive, f"66 0F 38 {opcode} /r", f"{old} Vdq, Wdq, xmm0", f=f)
    x86.row(plain, f"VEX.66.0F3A.W0 {new} /r /is4", f"{name} Vx, Hx, Wx, Lx", f=f)


# -- single lanes -----------------------------------------------------------------------------------------------------------


def insert(x: Bits, value: Bits, imm: Bits, *, size: int) -> Bits:
    """PINSR: replace the lane that the immediate numbers."""
    position = zext(imm[(x.width // size).bit_length() - 2:0], size)
    return with_lane(x, position, value[size - 1:0])


def extract_lane(x: Bits, imm: Bits, *, size: int) -> Bits:
    """Return the lane that the immediate numbers."""
    return lane_at(x, zext(imm[(x.width // size).bit_length() - 2:0], 8), size)


def pextr(_cpu: X86Cpu, dst: Operand, src: Operand, imm: Operand, *, lane: int) -> None:
    """PEXTRB, PEXTRW, PEXTRD, PEXTRQ, EXTRACTPS: zero-extended to a register. SDM vol. 2B."""
    value = extract_lane(src.read(), imm.read(), size=lane)
    dst.write(zext(value, dst.width))


def pextrw_mmx(cpu: X86Cpu, dst: Operand, src: Operand, imm: Operand) -> None:
    """PEXTRW from an MMX register. SDM vol. 2B."""
    enter_mmx(cpu)
    pextr(cpu, dst, src, imm, lane=W)


def pextr_y(cpu: X86Cpu, dst: Operand, src: Operand, imm: Operand) -> None:
    """PEXTRD, PEXTRQ: by operand size. SDM vol. 2B."""
    pextr(cpu, dst, src, imm, lane=dst.width)


def pinsr_y(_cpu: X86Cpu, dst: Operand, x: Operand, src: Operand, imm: Operand) -> None:
    """VPINSRD, VPINSRQ: by operand size. SDM vol. 2B."""
    dst.write(insert(x.read(), src.read(), imm.read(), size=src.width))


def pinsr_y_destructive(cpu: X86Cpu, dst: Operand, src: Operand, imm: Operand) -> None:
    """PINSRD, PINSRQ: by operand size. SDM vol. 2B."""
    pinsr_y(cpu, dst, dst, src, imm)


x86.row(pextr_y, "66 0F 3A 16 /r ib", "pextrd Ey, Vdq, Ib")
x86.row(pextr_y, "VEX.128.66.0F3A 16 /r ib", "vpextrd Ey, Vdq, Ib")
x86.row(pinsr_y_destructive, "66 0F 3A 22 /r ib", "pinsrd Vdq, Ey, Ib")
x86.row(pinsr_y, "VEX.128.66.0F3A 22 /r ib", "vpinsrd Vdq, Hdq, Ey, Ib")
for opcode, name, size, memory in ("14", "pextrb", B, "Mb"), ("15", "pextrw", W, "Mw"), ("17", "extractps", D, "Md"):
    for operand in ("Rd", memory):
        x86.row(pextr, f"66 0F 3A {opcode} /r ib", f"{name} {operand}, Vdq, Ib", lane=size)
        x86.row(pextr, f"VEX.128.66.0F3A.WIG {opcode} /r ib", f"v{name} {operand}, Vdq, Ib", lane=size)
x86.row(pextr, "66 0F C5 /r ib", "pextrw Gd, Udq, Ib", lane=W)
x86.row(pextr, "VEX.128.66.0F.WIG C5 /r ib", "vpextrw Gd, Udq, Ib", lane=W)
x86.row(pextrw_mmx, "NP 0F C5 /r ib", "pextrw Gd, Nq, Ib")
for opcode, name, size, memory in ("0F C4", "pinsrw", W, "Mw"), ("0F 3A 20", "pinsrb", B, "Mb"):
    for operand in ("Rd", memory):
        f = partial(insert, size=size)
        x86.row(destructive, f"66 {opcode} /r ib", f"{name} Vdq, {operand}, Ib", f=f)
        vex_row(plain, "66", opcode, " /r ib", f"v{name} Vdq, Hdq, {operand}, Ib", length="128", f=f)
for operand in ("Rd", "Mw"):
    x86.row(mmx_destructive, "NP 0F C4 /r ib", f"pinsrw Pq, {operand}, Ib", f=partial(insert, size=W))


def insert_single(x: Bits, y: Bits, imm: Bits, *, memory: bool) -> Bits:
    """INSERTPS: a lane of y (or a single from memory) into a lane of x, then zeros where the immediate has ones."""
    value = y if memory else lane_at(y, zext(imm[7:6], 8), D)
    placed = with_lane(x, zext(imm[5:4], D), value)
    zeros = chosen_lanes(imm, D, 128)
    return choose(zeros, Lanes(const(0, 128), D), Lanes(placed, D)).bits


for operand in ("Udq", "Md"):
    f = partial(insert_single, memory=operand == "Md")
    x86.row(destructive, "66 0F 3A 21 /r ib", f"insertps Vdq, {operand}, Ib", f=f)
    x86.row(plain, "VEX.128.66.0F3A.WIG 21 /r ib", f"vinsertps Vdq, Hdq, {operand}, Ib", f=f)


# -- widening ---------------------------------------------------------------------------------------------------------------


def pmovx(_cpu: X86Cpu, dst: Operand, src: Operand, *, size: int, to: int, signed: bool) -> None:
    """PMOVSX, PMOVZX: extend lanes to `to` bits, as many from the low lanes of the source as the destination has. SDM vol. 2B."""
    lanes, count = Lanes(src.read(), size), 128 // to
    wide = [lanes.shuffle(lanes, range(at, at + count)).widen(signed=signed, size=to).bits for at in range(0, dst.width // to, count)]
    set_parts(dst, *wide)


OPERANDS = {16: "Ww", 32: "Wd", 64: "Wq", 128: "Wdq"}
LETTERS = {B: "b", W: "w", D: "d", Q: "q"}
for n, (size, to) in enumerate(((B, W), (B, D), (B, Q), (W, D), (W, Q), (D, Q))):
    for base, letter in (0x20, "s"), (0x30, "z"):
        name, opcode = f"pmov{letter}x{LETTERS[size]}{LETTERS[to]}", f"{base + n:02X}"
        for pattern, target, width in (f"66 0F 38 {opcode}", f"{name} Vdq", 128), (f"VEX.128.66.0F38.WIG {opcode}", f"v{name} Vdq", 128), \
                (f"VEX.256.66.0F38.WIG {opcode}", f"v{name} Vqq", 256):
            x86.row(pmovx, f"{pattern} /r", f"{target}, {OPERANDS[width * size // to]}", size=size, to=to, signed=letter == "s")
