"""Vector integer addition, subtraction, sums, averages, maxima, negation, extension. Power ISA Book I, 6.9.1, 6.9.2."""

from __future__ import annotations

from functools import reduce

from xemu.core.bits import Bits, Lanes, carry_of, cat, const, zext
from xemu.targets.ppc.isa import ppc, ppc64
from xemu.targets.ppc.vmx_lanes import SIZES, B, D, H, Q, W, clamp, even, odd, va, vx, zeros

# -- addition and subtraction ----------------------------------------------------------------------------------------------


def add_modulo(a: Bits, b: Bits, *, size: int) -> Bits:
    """Vector Add Unsigned Modulo. Book I, 6.9.1.1."""
    return (Lanes(a, size) + Lanes(b, size)).bits


def subtract_modulo(a: Bits, b: Bits, *, size: int) -> Bits:
    """Vector Subtract Unsigned Modulo. Book I, 6.9.1.2."""
    return (Lanes(a, size) - Lanes(b, size)).bits


def saturating(name: str, x: Lanes, y: Lanes) -> tuple[Bits, Bits]:
    """Return x and y combined by uadds, sadds, usubs or ssubs, and what that changed."""
    result = x.op(name, y)
    plain = x + y if name.endswith("adds") else x - y
    return result.bits, result.bits ^ plain.bits


def add_saturate(a: Bits, b: Bits, *, size: int, kind: str) -> tuple[Bits, Bits]:
    """Vector Add Signed/Unsigned Saturate. Book I, 6.9.1.1."""
    return saturating(kind + "adds", Lanes(a, size), Lanes(b, size))


def subtract_saturate(a: Bits, b: Bits, *, size: int, kind: str) -> tuple[Bits, Bits]:
    """Vector Subtract Signed/Unsigned Saturate. Book I, 6.9.1.2."""
    return saturating(kind + "subs", Lanes(a, size), Lanes(b, size))


def add_carry_words(a: Bits, b: Bits) -> Bits:
    """Vector Add and Write Carry-Out Unsigned Word. Book I, 6.9.1.1."""
    x = Lanes(a, W)
    return ((x + Lanes(b, W)).op("ult", x) & 1).bits


def subtract_carry_words(a: Bits, b: Bits) -> Bits:
    """Vector Subtract and Write Carry-Out Unsigned Word. Book I, 6.9.1.2."""
    return (Lanes(b, W).op("ule", Lanes(a, W)) & 1).bits


def total(a: Bits, b: Bits, c: Bits | None, *, subtract: bool, carry: bool) -> Bits:
    """Return a + b or a + ~b, plus 1 or the lowest bit of c, or the carry out of that."""
    y = ~b if subtract else b
    result = a + y + (zext(c[0], Q) if c is not None else const(subtract, Q))
    return zext(carry_of(a, y, result), Q) if carry else result


def add_quadword(a: Bits, b: Bits, *, carry: bool) -> Bits:
    """Vector Add Unsigned Quadword Modulo, & write Carry. Book I, 6.9.1.1."""
    return total(a, b, None, subtract=False, carry=carry)


def add_extended(a: Bits, b: Bits, c: Bits, *, carry: bool) -> Bits:
    """Vector Add Extended Unsigned Quadword Modulo, & write Carry. Book I, 6.9.1.1."""
    return total(a, b, c, subtract=False, carry=carry)


def subtract_quadword(a: Bits, b: Bits, *, carry: bool) -> Bits:
    """Vector Subtract Unsigned Quadword Modulo, & write Carry. Book I, 6.9.1.2."""
    return total(a, b, None, subtract=True, carry=carry)


def subtract_extended(a: Bits, b: Bits, c: Bits, *, carry: bool) -> Bits:
    """Vector Subtract Extended Unsigned Quadword Modulo, & write Carry. Book I, 6.9.1.2."""
    return total(a, b, c, subtract=True, carry=carry)


for n, letter in enumerate("bhwd"):
    where = ppc64 if letter == "d" else ppc
    vx(f"vaddu{letter}m", 64 * n, add_modulo, isa=where, size=SIZES[letter])
    vx(f"vsubu{letter}m", 1024 + 64 * n, subtract_modulo, isa=where, size=SIZES[letter])
    if letter != "d":
        for sign, opcode in ("u", 512), ("s", 768):
            vx(f"vadd{sign}{letter}s", opcode + 64 * n, add_saturate, size=SIZES[letter], kind=sign)
            vx(f"vsub{sign}{letter}s", opcode + 1024 + 64 * n, subtract_saturate, size=SIZES[letter], kind=sign)
vx("vaddcuw", 384, add_carry_words)
vx("vsubcuw", 1408, subtract_carry_words)
for name, opcode, carry in ("uqm", 256, False), ("cuq", 320, True):
    vx(f"vadd{name}", opcode, add_quadword, isa=ppc64, carry=carry)
    vx(f"vsub{name}", opcode + 1024, subtract_quadword, isa=ppc64, carry=carry)
for name, opcode, carry in ("euqm", 60, False), ("ecuq", 61, True):
    va(f"vadd{name}", opcode, add_extended, isa=ppc64, carry=carry)
    va(f"vsub{name}", opcode + 2, subtract_extended, isa=ppc64, carry=carry)


# -- sums across elements --------------------------------------------------------------------------------------------------


def parts(value: Bits, size: int, *, signed: bool) -> list[Lanes]:
    """Return the elements of each word, extended to words: all first ones, all second ones, …"""
    words, n = Lanes(value, W), W // size
    if signed:
        return [(words << size * i).sar(W - size) for i in range(n)]
    return [words >> W - size * (i + 1) & (1 << size) - 1 for i in range(n)]


def sum_quarter(a: Bits, b: Bits, *, size: int, kind: str) -> tuple[Bits, Bits]:
    """Vector Sum across Quarter Signed/Unsigned Saturate. Book I, 6.9.1.5."""
    across = reduce(lambda x, y: x + y, parts(a, size, signed=kind == "s"))
    return saturating(kind + "adds", across, Lanes(b, W))


def sum_half(a: Bits, b: Bits) -> tuple[Bits, Bits]:
    """Vector Sum across Half Signed Word Saturate: to the odd words. Book I, 6.9.1.5."""
    exact = even(a, W, signed=True) + odd(a, W, signed=True) + odd(b, W, signed=True)
    limited = clamp(exact, W, signed=True)
    return (limited & 0xFFFFFFFF).bits, limited.bits ^ exact.bits


def sum_all(a: Bits, b: Bits) -> tuple[Bits, Bits]:
    """Vector Sum across Signed Word Saturate: to word 3. Book I, 6.9.1.5."""
    exact = (even(a, W, signed=True) + odd(a, W, signed=True)).reduce("add") + odd(b, W, signed=True).lane(0)
    limited = clamp(Lanes(exact, D), W, signed=True).bits
    return cat(const(0, 96), limited[31:0]), limited ^ exact


vx("vsum4ubs", 1544, sum_quarter, size=B, kind="u")
vx("vsum4sbs", 1800, sum_quarter, size=B, kind="s")
vx("vsum4shs", 1608, sum_quarter, size=H, kind="s")
vx("vsum2sws", 1672, sum_half)
vx("vsumsws", 1928, sum_all)


# -- averages, differences, maxima, minima --------------------------------------------------------------------------------------


def average(a: Bits, b: Bits, *, size: int, kind: str) -> Bits:
    """Vector Average Signed/Unsigned: rounded up. Book I, 6.9.1.7."""
    x, y = (Lanes(v, size).widen(signed=kind == "s") for v in (a, b))
    return (x + y + 1 >> 1).narrow().bits


def absolute_difference(a: Bits, b: Bits, *, size: int) -> Bits:
    """Vector Absolute Difference Unsigned. Book I, 6.9.1.8."""
    x, y = Lanes(a, size), Lanes(b, size)
    return (x.op("umax", y) - x.op("umin", y)).bits


def maximum(a: Bits, b: Bits, *, size: int, kind: str) -> Bits:
    """Vector Maximum Signed/Unsigned. Book I, 6.9.1.9."""
    return Lanes(a, size).op(kind + "max", Lanes(b, size)).bits


def minimum(a: Bits, b: Bits, *, size: int, kind: str) -> Bits:
    """Vector Minimum Signed/Unsigned. Book I, 6.9.1.9."""
    return Lanes(a, size).op(kind + "min", Lanes(b, size)).bits


for n, letter in enumerate("bhwd"):
    where = ppc64 if letter == "d" else ppc
    for kind, opcode in ("u", 0), ("s", 256):
        vx(f"vmax{kind}{letter}", opcode + 64 * n + 2, maximum, isa=where, size=SIZES[letter], kind=kind)
        vx(f"vmin{kind}{letter}", opcode + 64 * n + 514, minimum, isa=where, size=SIZES[letter], kind=kind)
        if letter != "d":
            vx(f"vavg{kind}{letter}", opcode + 64 * n + 1026, average, size=SIZES[letter], kind=kind)
    if letter != "d":
        vx(f"vabsdu{letter}", 1027 + 64 * n, absolute_difference, isa=ppc64, size=SIZES[letter])


# -- negation, extension ---------------------------------------------------------------------------------------------------------


def negate(b: Bits, *, size: int) -> Bits:
    """Vector Negate. Book I, 6.9.1.6."""
    return (zeros(size) - Lanes(b, size)).bits


def extend_sign(b: Bits, *, size: int, to: int) -> Bits:
    """Vector Extend Sign: the rightmost part of each element. Book I, 6.9.2."""
    return (Lanes(b, to) << to - size).sar(to - size).bits


for opcode, letter in (6, "w"), (7, "d"):
    vx(f"vneg{letter}", 1538, negate, operands=f"VRT {opcode}:5 VRB", isa=ppc64, size=SIZES[letter])
for opcode, letter, to in (16, "b", "w"), (17, "h", "w"), (24, "b", "d"), (25, "h", "d"), (26, "w", "d"):
    vx(f"vexts{letter}2{to}", 1538, extend_sign, operands=f"VRT {opcode}:5 VRB", isa=ppc64, size=SIZES[letter], to=SIZES[to])
