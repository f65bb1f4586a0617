"""Vector comparison, logic, rotates and shifts, counts, permutations of bits. Power ISA Book I, 6.9.3 to 6.9.7, 6.12 to 6.16."""

from __future__ import annotations

from xemu.core.bits import Bits, Lanes, cat, const, zext
from xemu.targets.ppc.isa import ppc, ppc64
from xemu.targets.ppc.vmx_lanes import SIZES, B, D, Q, lanes_of, pick, signs, vx, whole, zeros

# -- comparison -------------------------------------------------------------------------------------------------------------


def set_cr6(cpu, result: Bits) -> None:
    """Say in CR6 whether all elements or none are ones."""
    no = const(0, 1)
    cpu.set_cr(6, [result == (1 << Q) - 1, no, result == 0, no])


def compare(cpu, VRT, VRA, VRB, Rc, size, relation):
    """Vector Compare Equal, Not Equal (or Zero), Greater Than. Book I, 6.9.3."""
    x, y = Lanes(cpu.vr(VRA), size), Lanes(cpu.vr(VRB), size)
    match relation:
        case "ne":
            result = ~x.op("eq", y)
        case "nez":
            result = ~x.op("eq", y) | x.op("eq", 0) | y.op("eq", 0)
        case _:
            result = y.op(relation, x)
    cpu.set_vr(VRT, result.bits)
    if Rc:
        set_cr6(cpu, result.bits)


for letter, opcodes in {"b": (6, 518, 774, 7, 263), "h": (70, 582, 838, 71, 327), "w": (134, 646, 902, 135, 391),
                        "d": (199, 711, 967)}.items():
    names = (f"equ{letter}", "eq"), (f"gtu{letter}", "ult"), (f"gts{letter}", "slt"), (f"ne{letter}", "ne"), (f"nez{letter}", "nez")
    for opcode, (name, relation) in zip(opcodes, names, strict=False):
        family = ppc64 if letter == "d" or name.startswith("ne") else ppc
        family.row(compare, f"4:6 VRT VRA VRB Rc {opcode}:10", f"vcmp{name}{{Rc}} {{VRT}}, {{VRA}}, {{VRB}}",
                   size=SIZES[letter], relation=relation)


# -- logic -----------------------------------------------------------------------------------------------------------------


def logical_and(a: Bits, b: Bits) -> Bits:
    """Vector Logical AND. Book I, 6.9.4."""
    return (whole(a) & whole(b)).bits


def logical_andc(a: Bits, b: Bits) -> Bits:
    """Vector Logical AND with Complement. Book I, 6.9.4."""
    return (whole(a) & ~whole(b)).bits


def logical_or(a: Bits, b: Bits) -> Bits:
    """Vector Logical OR. Book I, 6.9.4."""
    return (whole(a) | whole(b)).bits


def logical_orc(a: Bits, b: Bits) -> Bits:
    """Vector OR with Complement. Book I, 6.9.4."""
    return (whole(a) | ~whole(b)).bits


def logical_xor(a: Bits, b: Bits) -> Bits:
    """Vector Logical XOR. Book I, 6.9.4."""
    return (whole(a) ^ whole(b)).bits


def logical_nor(a: Bits, b: Bits) -> Bits:
    """Vector Logical NOR. Book I, 6.9.4."""
    return (~(whole(a) | whole(b))).bits


def logical_nand(a: Bits, b: Bits) -> Bits:
    """Vector NAND. Book I, 6.9.4."""
    return (~(whole(a) & whole(b))).bits


def equivalence(a: Bits, b: Bits) -> Bits:
    """Vector Equivalence. Book I, 6.9.4."""
    return (~(whole(a) ^ whole(b))).bits


for name, opcode, function, isa in (
    ("vand", 1028, logical_and, ppc), ("vandc", 1092, logical_andc, ppc), ("vor", 1156, logical_or, ppc), ("vxor", 1220, logical_xor, ppc),
    ("vnor", 1284, logical_nor, ppc), ("vorc", 1348, logical_orc, ppc64), ("vnand", 1412, logical_nand, ppc64),
    ("veqv", 1668, equivalence, ppc64),
):  # fmt: skip
    vx(name, opcode, function, isa=isa)


# -- rotates and shifts -----------------------------------------------------------------------------------------------------


def rotated(x: Lanes, count: Lanes) -> Lanes:
    """Return lanes rotated left by counts modulo their size."""
    return x.op("ror", zeros(x.size) - count)


def rotate_left(a: Bits, b: Bits, *, size: int) -> Bits:
    """Vector Rotate Left. Book I, 6.9.7."""
    return rotated(Lanes(a, size), Lanes(b, size)).bits


def shift(a: Bits, b: Bits, *, size: int, operation: str) -> Bits:
    """Vector Shift Left/Right (Algebraic): by counts modulo the size. Book I, 6.9.7."""
    return Lanes(a, size).op(operation, Lanes(b, size) & size - 1).bits


def _rotated_and_mask(a: Bits, b: Bits, size: int) -> tuple[Lanes, Lanes]:
    """Return the rotated elements, and ones from bit mb to bit me (round the end, if me is less)."""
    fields, ones = Lanes(b, size), Lanes(const(-1, Q), size)
    mb, me = fields >> 16 & size - 1, fields >> 8 & size - 1
    mask = ones >> mb ^ ones >> me + 1 ^ me.op("ult", mb)
    return rotated(Lanes(a, size), fields & size - 1), mask


def rotate_and_mask(a: Bits, b: Bits, *, size: int) -> Bits:
    """Vector Rotate Left then AND with Mask. Book I, 6.9.7."""
    value, mask = _rotated_and_mask(a, b, size)
    return (value & mask).bits


def rotate_insert(t: Bits, a: Bits, b: Bits, *, size: int) -> Bits:
    """Vector Rotate Left then Mask Insert. Book I, 6.9.7."""
    value, mask = _rotated_and_mask(a, b, size)
    return (value & mask | Lanes(t, size) & ~mask).bits


for n, letter in enumerate("bhwd"):
    family, last = (ppc64 if letter == "d" else ppc), letter == "d"
    vx(f"vrl{letter}", 4 + 64 * n, rotate_left, isa=family, size=SIZES[letter])
    for name, opcode, operation in ("vsl", 1476 if last else 260 + 64 * n, "shl"), ("vsr", 1732 if last else 516 + 64 * n, "shr"), \
            ("vsra", 964 if last else 772 + 64 * n, "sar"):
        vx(f"{name}{letter}", opcode, shift, isa=family, size=SIZES[letter], operation=operation)
for letter, nm, mi in ("w", 389, 133), ("d", 453, 197):
    vx(f"vrl{letter}nm", nm, rotate_and_mask, isa=ppc64, size=SIZES[letter])
    vx(f"vrl{letter}mi", mi, rotate_insert, isa=ppc64, size=SIZES[letter])


# -- counts and parity ------------------------------------------------------------------------------------------------------


def count(b: Bits, *, size: int, operation: str) -> Bits:
    """Vector Count Leading/Trailing Zeros, Population Count. Book I, 6.13 to 6.15."""
    return Lanes(b, size).unary(operation).bits


def parity(b: Bits, *, size: int) -> Bits:
    """Vector Parity Byte: of the lowest bits of an element's bytes. Book I, 6.9.5."""
    lanes, by = Lanes(b, size), size // 2
    while by >= B:
        lanes, by = lanes ^ lanes >> by, by // 2
    return (lanes & 1).bits


for n, letter in enumerate("bhwd"):
    size = SIZES[letter]
    vx(f"vclz{letter}", 1794 + 64 * n, count, operands="VRT ----- VRB", isa=ppc64, size=size, operation="clz")
    vx(f"vpopcnt{letter}", 1795 + 64 * n, count, operands="VRT ----- VRB", isa=ppc64, size=size, operation="popcount")
    vx(f"vctz{letter}", 1538, count, operands=f"VRT {28 + n}:5 VRB", isa=ppc64, size=size, operation="ctz")
for opcode, letter in (8, "w"), (9, "d"), (10, "q"):
    vx(f"vprtyb{letter}", 1538, parity, operands=f"VRT {opcode}:5 VRB", isa=ppc64, size=SIZES[letter])


# -- permutations of bits ------------------------------------------------------------------------------------------------------

def _chosen_bits(table: Bits, numbers: Lanes, first: Lanes) -> Bits:
    """Return the bits of a table that bytes number, byte 0's in the top bit.

    Numbers count from the left of byte `first`; a byte outside of the table has zeros.
    """
    found = pick(first - (numbers >> 3), table)
    bit = pick(numbers & 7, lanes_of([0x80 >> i for i in range(8)] * 2, B).bits)
    return signs(~(Lanes(found, B) & Lanes(bit, B)).op("eq", 0))


def permute_bits_quadword(a: Bits, b: Bits) -> Bits:
    """Vector Bit Permute Quadword. Book I, 6.16."""
    return cat(const(0, 48), _chosen_bits(a, Lanes(b, B), lanes_of([15] * 16, B)), const(0, 64))


def permute_bits_doubleword(a: Bits, b: Bits) -> Bits:
    """Vector Bit Permute Doubleword. Book I, 6.16."""
    numbers = Lanes(b, B)
    outside = ~numbers.op("ult", 64)
    chosen = _chosen_bits(a, numbers | outside, lanes_of([7] * 8 + [15] * 8, B))
    return cat(zext(chosen[15:8], D), zext(chosen[7:0], D))


def gather_bits(b: Bits) -> Bits:
    """Vector Gather Bits by Bytes by Doubleword: a matrix of 8 by 8 bits transposed. Book I, 6.12."""
    x = Lanes(b, D)
    for by, mask in (7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0x00000000F0F0F0F0):
        exchanged = (x ^ x >> by) & mask
        x = x ^ exchanged ^ exchanged << by
    return x.bits


vx("vbpermq", 1356, permute_bits_quadword, isa=ppc64)
vx("vbpermd", 1484, permute_bits_doubleword, isa=ppc64)
vx("vgbbd", 1292, gather_bits, operands="VRT ----- VRB", isa=ppc64)
