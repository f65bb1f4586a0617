"""The operations of hostops.py in terms of simpler ones, for hosts that have no instruction for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, Lanes, cat, const, ror, zext
from xemu.core.hostops import MAJORITY, MIX, PARITY, SHA1_CONSTANTS, SHA1_FUNCTIONS, s_box, shifted_rows

if TYPE_CHECKING:
    from collections.abc import Callable


def byte_distances(node: Bits) -> Bits:
    """Add neighbouring differences until they are quadwords."""
    x, y = (Lanes(a, 8) for a in node.args)
    total = (x.op("umax", y) - x.op("umin", y)).bits
    for size in (16, 32, 64):
        lanes = Lanes(total, size)
        total = ((lanes & (1 << size // 2) - 1) + (lanes >> size // 2)).bits
    return total


def byte_products(node: Bits) -> Bits:
    """Multiply in doublewords, narrow with saturation."""
    def halves(a: Bits, *, signed: bool) -> tuple[Lanes, Lanes]:
        lanes = Lanes(a, 8)
        even, odd = (lanes.shuffle(lanes, range(first, lanes.count, 2)) for first in (0, 1))
        return even.widen(signed=signed, size=32), odd.widen(signed=signed, size=32)
    (a, b), (c, d) = halves(node.args[0], signed=False), halves(node.args[1], signed=True)
    return (a * c + b * d).op("smax", -0x8000).op("smin", 0x7FFF).narrow().bits


def fraction_products(node: Bits) -> Bits:
    """Multiply in doublewords."""
    x, y = (Lanes(a, 16).widen(signed=True) for a in node.args)
    return ((x * y >> 14) + 1 >> 1).narrow().bits


def clmul(node: Bits) -> Bits:
    """Add the shifted copies of x that the bits of y choose."""
    x, y = (zext(a, node.width) for a in node.args)
    total = const(0, node.width)
    for bit in range(node.args[1].width):
        chosen = const(0, node.width) - (y >> bit & 1)
        total = total ^ (x << bit) & chosen
    return total


def aes_sub(node: Bits) -> Bits:
    """Move the bytes, then look them up."""
    moved = Lanes(node.args[0], 8)
    moved = moved.shuffle(moved, shifted_rows(node.attr))
    box = const(int.from_bytes(s_box(node.attr), "little"), 2048)
    return moved.lookup(box, const(0, 128)).bits


def aes_mix(node: Bits) -> Bits:
    """Sum the multiples of the four bytes of each column."""
    x = Lanes(node.args[0], 8)
    multiples = {1: x}
    for factor in (2, 4, 8):
        half = multiples[factor // 2]
        multiples[factor] = half + half ^ half.op("slt", 0) & 0x1B
    total = Lanes(const(0, 128), 8)
    for k, factor in enumerate(MIX[node.attr]):
        order = [at & 12 | (at + k) & 3 for at in range(16)]
        for power in (1, 2, 4, 8):
            if factor & power:
                total = total ^ multiples[power].shuffle(x, order)
    return total.bits


def _words(x: Bits) -> list[Bits]:
    return [x[at + 31:at] for at in range(0, x.width, 32)]


def sha1_rounds(node: Bits) -> Bits:
    """Do the rounds one by one."""
    (d, c, b, a), w = (_words(x) for x in node.args)
    kind, constant = SHA1_FUNCTIONS[node.attr], SHA1_CONSTANTS[node.attr]
    e = const(0, 32)
    for i in range(4):
        f = b ^ c ^ d if kind == PARITY else b & c | (b | c) & d if kind == MAJORITY else d ^ b & (c ^ d)
        a, b, c, d, e = f + ror(a, 27) + w[3 - i] + constant + e, a, ror(b, 2), c, d
    return cat(a, b, c, d)


def sha256_rounds(node: Bits) -> Bits:
    """Do the rounds one by one."""
    (h, g, d, c), (f, e, b, a), w = (_words(x) for x in node.args)
    for i in range(2):
        one, zero = ror(e, 6) ^ ror(e, 11) ^ ror(e, 25), ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)
        t = (g ^ e & (f ^ g)) + one + w[i] + h
        a, b, c, d, e, f, g, h = t + (a & b | (a | b) & c) + zero, a, b, c, t + d, e, f, g
    return cat(a, b, e, f)


EXPANSIONS: dict[str, Callable[[Bits], Bits]] = {
    "byte_distances": byte_distances, "byte_products": byte_products, "fraction_products": fraction_products, "clmul": clmul,
    "aes_sub": aes_sub, "aes_mix": aes_mix, "sha1_rounds": sha1_rounds, "sha256_rounds": sha256_rounds}
