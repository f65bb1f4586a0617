"""Vector permute and formatting: pack, unpack, merge, splat, permute, select, shift; extract and insert. Power ISA Book I, 6.8."""

from __future__ import annotations

from xemu.core.bits import Bits, Lanes, clz, const, ctz, sext, zext
from xemu.targets.ppc.isa import ppc, ppc64
from xemu.targets.ppc.vmx_lanes import (
    SIZES,
    B,
    D,
    H,
    Q,
    W,
    choose,
    clamp,
    lanes_of,
    pick,
    shifted_bytes,
    va,
    vx,
    whole,
    zeros,
)

# -- pack and unpack -------------------------------------------------------------------------------------------------------


def joined(a: Bits, b: Bits, size: int) -> Lanes:
    """Return the elements of a and, behind them, those of b."""
    low = Lanes(b, size)
    return low.shuffle(Lanes(a, size), range(2 * low.count))


def pack_modulo(a: Bits, b: Bits, *, size: int) -> Bits:
    """Vector Pack Unsigned Modulo. Book I, 6.8.1."""
    return joined(a, b, size).narrow().bits


def pack_saturate(a: Bits, b: Bits, *, size: int, of: str, to: str) -> tuple[Bits, Bits]:
    """Vector Pack Signed/Unsigned Saturate. Book I, 6.8.1."""
    wide = joined(a, b, size)
    limited = clamp(wide, size // 2, signed=to == "signed", of=of)
    return limited.narrow().bits, limited.bits ^ wide.bits


def pack_pixel(a: Bits, b: Bits) -> Bits:
    """Vector Pack Pixel: words of 8-8-8-8 bits to halfwords of 1-5-5-5. Book I, 6.8.1."""
    wide = joined(a, b, W)
    return (wide >> 9 & 0xFC00 | wide >> 6 & 0x03E0 | wide >> 3 & 0x001F).narrow().bits


def unpack(b: Bits, *, size: int, high: bool) -> Bits:
    """Vector Unpack High/Low Signed. Book I, 6.8.1."""
    lanes = Lanes(b, size)
    half = lanes.count // 2
    return lanes.shuffle(lanes, range(half * high, half * high + half)).widen(signed=True).bits


def unpack_pixel(b: Bits, *, high: bool) -> Bits:
    """Vector Unpack High/Low Pixel: halfwords of 1-5-5-5 bits to words of 8-8-8-8. Book I, 6.8.1."""
    wide = Lanes(unpack(b, size=H, high=high), W)
    return (wide.sar(15) << 24 | (wide & 0x7C00) << 6 | (wide & 0x03E0) << 3 | wide & 0x001F).bits


for name, opcode, size, isa in ("vpkuhum", 14, H, ppc), ("vpkuwum", 78, W, ppc), ("vpkudum", 1102, D, ppc64):
    vx(name, opcode, pack_modulo, isa=isa, size=size)
for name, opcode, size, of, to, isa in (
    ("vpkuhus", 142, H, "unsigned", "unsigned", ppc), ("vpkuwus", 206, W, "unsigned", "unsigned", ppc),
    ("vpkudus", 1230, D, "unsigned", "unsigned", ppc64), ("vpkshus", 270, H, "signed", "unsigned", ppc),
    ("vpkswus", 334, W, "signed", "unsigned", ppc), ("vpksdus", 1358, D, "signed", "unsigned", ppc64),
    ("vpkshss", 398, H, "signed", "signed", ppc), ("vpkswss", 462, W, "signed", "signed", ppc),
    ("vpksdss", 1486, D, "signed", "signed", ppc64),
):  # fmt: skip
    vx(name, opcode, pack_saturate, isa=isa, size=size, of=of, to=to)
vx("vpkpx", 782, pack_pixel)
for name, opcode, size, high, isa in (("vupkhsb", 526, B, True, ppc), ("vupkhsh", 590, H, True, ppc), ("vupkhsw", 1614, W, True, ppc64),
                                      ("vupklsb", 654, B, False, ppc), ("vupklsh", 718, H, False, ppc), ("vupklsw", 1742, W, False, ppc64)):
    vx(name, opcode, unpack, operands="VRT 00000 VRB", isa=isa, size=size, high=high)
vx("vupkhpx", 846, unpack_pixel, operands="VRT 00000 VRB", high=True)
vx("vupklpx", 974, unpack_pixel, operands="VRT 00000 VRB", high=False)


# -- merge and splat -------------------------------------------------------------------------------------------------------


def merge_half(a: Bits, b: Bits, *, size: int, high: bool) -> Bits:
    """Vector Merge High/Low: elements of one half of a and b in turns. Book I, 6.8.2."""
    n = Q // size
    return Lanes(b, size).shuffle(Lanes(a, size), [i for k in range(n // 2) for i in (k + high * n // 2, n + k + high * n // 2)]).bits


def merge_words(a: Bits, b: Bits, *, first: int) -> Bits:
    """Vector Merge Even/Odd Word. Book I, 6.8.2."""
    return Lanes(b, W).shuffle(Lanes(a, W), [1 - first, 5 - first, 3 - first, 7 - first]).bits


def splat(b: Bits, UIM: Bits, *, size: int) -> Bits:
    """Vector Splat: an element in all. Book I, 6.8.3."""
    lane = Q // size - 1 - zext(UIM, B)
    first = lane * (size // 8)
    return pick(Lanes.splat(first, 16) + lanes_of([i % (size // 8) for i in range(16)], B), b)


def splat_immediate(SIM: Bits, *, size: int) -> Bits:
    """Vector Splat Immediate Signed. Book I, 6.8.3."""
    return Lanes.splat(sext(SIM, size), Q // size).bits


for letter, high_opcode, low_opcode in ("b", 12, 268), ("h", 76, 332), ("w", 140, 396):
    vx(f"vmrgh{letter}", high_opcode, merge_half, size=SIZES[letter], high=True)
    vx(f"vmrgl{letter}", low_opcode, merge_half, size=SIZES[letter], high=False)
vx("vmrgew", 1932, merge_words, isa=ppc64, first=0)
vx("vmrgow", 1676, merge_words, isa=ppc64, first=1)
for letter, opcode, field in ("b", 524, "- UIM:4"), ("h", 588, "-- UIM:3"), ("w", 652, "--- UIM:2"):
    vx(f"vsplt{letter}", opcode, splat, operands=f"VRT {field} VRB", size=SIZES[letter])
for letter, opcode in ("b", 780), ("h", 844), ("w", 908):
    vx(f"vspltis{letter}", opcode, splat_immediate, operands="VRT SIM -----", size=SIZES[letter])


# -- permute and select ------------------------------------------------------------------------------------------------------


def picked(places: Lanes, a: Bits, b: Bits) -> Bits:
    """Return bytes of a and b by the lower bits of their places, which count from the right; one register is often both."""
    return pick(places & 15, a) if a is b else pick(places & 31, b, a)


def permute(a: Bits, b: Bits, c: Bits) -> Bits:
    """Vector Permute: bytes of a and b by numbers from the left. Book I, 6.8.4."""
    return picked(~Lanes(c, B), a, b)


def permute_right(a: Bits, b: Bits, c: Bits) -> Bits:
    """Vector Permute Right-indexed. Book I, 6.8.4."""
    return picked(Lanes(c, B), a, b)


def select(a: Bits, b: Bits, c: Bits) -> Bits:
    """Vector Select: bits of b where c has ones. Book I, 6.8.5."""
    return choose(whole(c), whole(b), whole(a)).bits


va("vperm", 43, permute)
va("vpermr", 59, permute_right, isa=ppc64)
va("vsel", 42, select)


# -- shifts of the whole register ----------------------------------------------------------------------------------------------


def shift_double_octets(a: Bits, b: Bits, SHB: Bits) -> Bits:
    """Vector Shift Left Double by Octet Immediate: 16 bytes of a and b. Book I, 6.8.6."""
    return pick(lanes_of(range(16, 32), B) - Lanes.splat(zext(SHB, B), 16), b, a)


def shift_octets(a: Bits, b: Bits, *, left: bool) -> Bits:
    """Vector Shift Left/Right by Octet: the count is in bits 121:124. Book I, 6.8.6."""
    return shifted_bytes(a, zext(b[6:3], B), left=left)


def shift_bits(a: Bits, b: Bits, *, left: bool) -> Bits:
    """Vector Shift Left/Right: by 0 to 7 bits. Book I, 6.8.6."""
    x, by = whole(a), zext(b[2:0], D)
    count, rest = Lanes.splat(by, 2), Lanes.splat(D - by, 2)
    if left:
        return (x << count | zeros(D).shuffle(x, (0, 2)) >> rest).bits
    return (x >> count | x.shuffle(zeros(D), (1, 2)) << rest).bits


def shift_bytes_variable(a: Bits, b: Bits, *, left: bool) -> Bits:
    """Vector Shift Left/Right Variable: each byte and its neighbour by a count of its own. Book I, 6.8.6."""
    lanes, count = Lanes(a, B), (Lanes(b, B) & 7).widen(signed=False)
    if left:
        neighbour = zeros(B).shuffle(lanes, [0, *range(16, 31)])
        return ((lanes.widen(signed=False) << 8 | neighbour.widen(signed=False)) << count >> 8).narrow().bits
    neighbour = zeros(B).shuffle(lanes, [*range(17, 32), 0])
    return ((neighbour.widen(signed=False) << 8 | lanes.widen(signed=False)) >> count).narrow().bits


va("vsldoi", 44, shift_double_octets, operands="VRT VRA VRB - SHB")
for name, opcode, left in ("vslo", 1036, True), ("vsro", 1100, False):
    vx(name, opcode, shift_octets, left=left)
for name, opcode, left in ("vsl", 452, True), ("vsr", 708, False):
    vx(name, opcode, shift_bits, left=left)
for name, opcode, left in ("vslv", 1860, True), ("vsrv", 1796, False):
    vx(name, opcode, shift_bytes_variable, isa=ppc64, left=left)


# -- extract and insert ------------------------------------------------------------------------------------------------------


def _first(UIM: Bits, size: int) -> Bits:
    """Return the lowest byte (8 bits) of the element whose leftmost byte has this number."""
    return 16 - size // 8 - zext(UIM, B)


def extract_element(b: Bits, UIM: Bits, *, size: int) -> Bits:
    """Vector Extract: the element at a byte's place, to the right end of doubleword 0. Book I, 6.8.7."""
    moved = pick(Lanes.splat(_first(UIM, size) - 8, 16) + lanes_of(range(16), B), b)
    return (whole(moved) & whole(const((1 << size) - 1 << 64, Q))).bits


def insert_element(t: Bits, b: Bits, UIM: Bits, *, size: int) -> Bits:
    """Vector Insert: the element at the right end of doubleword 0, to a byte's place. Book I, 6.8.7."""
    distance = lanes_of(range(16), B) - Lanes.splat(_first(UIM, size), 16)
    return choose(distance.op("ult", size // 8), Lanes(pick(distance + 8, b), B), Lanes(t, B)).bits


for letter, extract_opcode, insert_opcode in ("b", 525, 781), ("h", 589, 845), ("w", 653, 909), ("d", 717, 973):
    name = "vextract" + ("d" if letter == "d" else "u" + letter)
    vx(name, extract_opcode, extract_element, operands="VRT - UIM:4 VRB", isa=ppc64, size=SIZES[letter])
    vx("vinsert" + letter, insert_opcode, insert_element, operands="VRT - UIM:4 VRB", isa=ppc64, size=SIZES[letter])


def extract_indexed(cpu, RT, RA, VRB, size, left):
    """Vector Extract Unsigned Left/Right-Indexed: to a general register. Book I, 6.8.8."""
    count = zext(cpu.GPR[RA][3:0], B)
    moved = shifted_bytes(cpu.vr(VRB), count, left=left)
    value = moved[Q - 1:Q - size] if left else moved[size - 1:0]
    cpu.GPR[RT] = zext(value, 64)


for letter, left_opcode, right_opcode in ("b", 1549, 1805), ("h", 1613, 1869), ("w", 1677, 1933):
    for side, opcode in ("l", left_opcode), ("r", right_opcode):
        ppc64.row(extract_indexed, f"4:6 RT RA VRB {opcode}:11", f"vextu{letter}{side}x {{RT}}, {{RA}}, {{VRB}}",
                  size=SIZES[letter], left=side == "l")


@ppc64("4:6 RT 0:5 VRB 1538:11", "vclzlsbb {RT}, {VRB}", count=clz)
@ppc64("4:6 RT 1:5 VRB 1538:11", "vctzlsbb {RT}, {VRB}", count=ctz)
def count_bytes(cpu, RT, VRB, count):
    """Vector Count Leading/Trailing Zero Least-Significant Bits Byte. Book I, 6.8.9."""
    odd = (Lanes(cpu.vr(VRB), B) & 1).bits
    cpu.GPR[RT] = (count(odd) >> 3)[63:0]
