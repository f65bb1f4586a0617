"""Vector integer multiplication, sums of products. Power ISA Book I, 6.9.1.3, 6.9.1.4."""

from __future__ import annotations

from xemu.core.bits import Bits, Lanes, zext
from xemu.targets.ppc.isa import ppc, ppc64
from xemu.targets.ppc.vmx_arithmetic import parts, saturating
from xemu.targets.ppc.vmx_lanes import SIZES, B, H, Q, W, clamp, even, odd, va, vx


def multiply_even(a: Bits, b: Bits, *, size: int, kind: str) -> Bits:
    """Vector Multiply Even Signed/Unsigned. Book I, 6.9.1.3."""
    return (even(a, size, signed=kind == "s") * even(b, size, signed=kind == "s")).bits


def multiply_odd(a: Bits, b: Bits, *, size: int, kind: str) -> Bits:
    """Vector Multiply Odd Signed/Unsigned. Book I, 6.9.1.3."""
    return (odd(a, size, signed=kind == "s") * odd(b, size, signed=kind == "s")).bits


def multiply_words(a: Bits, b: Bits) -> Bits:
    """Vector Multiply Unsigned Word Modulo. Book I, 6.9.1.3."""
    return (Lanes(a, W) * Lanes(b, W)).bits


for n, letter in enumerate("bhw"):
    where = ppc64 if letter == "w" else ppc
    for kind, opcode in ("u", 0), ("s", 256):
        vx(f"vmule{kind}{letter}", opcode + 64 * n + 520, multiply_even, isa=where, size=SIZES[letter], kind=kind)
        vx(f"vmulo{kind}{letter}", opcode + 64 * n + 8, multiply_odd, isa=where, size=SIZES[letter], kind=kind)
vx("vmuluwm", 137, multiply_words, isa=ppc64)


# -- products and sums ---------------------------------------------------------------------------------------------------------


def multiply_high_add(a: Bits, b: Bits, c: Bits, *, rounding: int) -> tuple[Bits, Bits]:
    """Vector Multiply-High-(Round-)Add Signed Halfword Saturate. Book I, 6.9.1.4."""
    x, y, z = (Lanes(v, H).widen(signed=True) for v in (a, b, c))
    exact = (x * y + rounding).sar(15) + z
    limited = clamp(exact, H, signed=True)
    return limited.narrow().bits, limited.bits ^ exact.bits


def multiply_low_add(a: Bits, b: Bits, c: Bits) -> Bits:
    """Vector Multiply-Low-Add Unsigned Halfword Modulo. Book I, 6.9.1.4."""
    return (Lanes(a, H) * Lanes(b, H) + Lanes(c, H)).bits


def products(a: Bits, b: Bits, size: int, signs: str) -> list[Lanes]:
    """Return the products of the elements of each word, as words."""
    x, y = parts(a, size, signed=signs[0] == "s"), parts(b, size, signed=signs[1] == "s")
    return [p * q for p, q in zip(x, y, strict=True)]


def multiply_sum_modulo(a: Bits, b: Bits, c: Bits, *, size: int, signs: str) -> Bits:
    """Vector Multiply-Sum Modulo. Book I, 6.9.1.4."""
    return sum(products(a, b, size, signs), start=Lanes(c, W)).bits


def multiply_sum_unsigned(a: Bits, b: Bits, c: Bits) -> tuple[Bits, Bits]:
    """Vector Multiply-Sum Unsigned Halfword Saturate. Book I, 6.9.1.4."""
    even_product, odd_product = products(a, b, H, "uu")
    first, lost_first = saturating("uadds", even_product, odd_product)
    result, lost = saturating("uadds", Lanes(first, W), Lanes(c, W))
    return result, lost | lost_first


def multiply_sum_signed(a: Bits, b: Bits, c: Bits) -> tuple[Bits, Bits]:
    """Vector Multiply-Sum Signed Halfword Saturate. Book I, 6.9.1.4."""
    even_product, odd_product = products(a, b, H, "ss")
    exact = even_product.widen(signed=True) + odd_product.widen(signed=True) + Lanes(c, W).widen(signed=True)
    limited = clamp(exact, W, signed=True)
    return limited.narrow().bits, limited.bits ^ exact.bits


def multiply_sum_doublewords(a: Bits, b: Bits, c: Bits) -> Bits:
    """Vector Multiply-Sum Unsigned Doubleword Modulo. Book I, 6.9.1.4."""
    return zext(a[127:64], Q) * zext(b[127:64], Q) + zext(a[63:0], Q) * zext(b[63:0], Q) + c


va("vmhaddshs", 32, multiply_high_add, rounding=0)
va("vmhraddshs", 33, multiply_high_add, rounding=0x4000)
va("vmladduhm", 34, multiply_low_add)
va("vmsumudm", 35, multiply_sum_doublewords, isa=ppc64)
va("vmsumubm", 36, multiply_sum_modulo, size=B, signs="uu")
va("vmsummbm", 37, multiply_sum_modulo, size=B, signs="su")
va("vmsumuhm", 38, multiply_sum_modulo, size=H, signs="uu")
va("vmsumuhs", 39, multiply_sum_unsigned)
va("vmsumshm", 40, multiply_sum_modulo, size=H, signs="ss")
va("vmsumshs", 41, multiply_sum_signed)
