"""Operations that some hosts have an instruction for, on plain integers.

Sums of products and of differences of lanes, carry-less products, AES (FIPS 197), SHA (FIPS 180-4).

`expand.py` has the same in terms of simpler operations, for hosts that have no instructions for them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

M32 = 0xFFFFFFFF
#: round constants are the program's business; these are the functions f of SHA-1's four stages
CHOOSE, PARITY, MAJORITY = range(3)
SHA1_FUNCTIONS = (CHOOSE, PARITY, MAJORITY, PARITY)
SHA1_CONSTANTS = (0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6)
#: coefficients of MixColumns and its inverse (FIPS 197, 5.1.3 and 5.3.3)
MIX = {"forward": (2, 3, 1, 1), "inverse": (14, 11, 13, 9)}


def _lanes(x: int, width: int, size: int, *, signed: bool = False) -> list[int]:
    values = [x >> at & (1 << size) - 1 for at in range(0, width, size)]
    return [v - (v >> size - 1 << size) for v in values] if signed else values


def _joined(values: list[int], size: int) -> int:
    return sum((v & (1 << size) - 1) << i * size for i, v in enumerate(values))


def byte_distances(width: int, _attr: None, _widths: list[int], x: int, y: int) -> int:
    """Sum the absolute differences of eight unsigned bytes, in each quadword."""
    distances = [abs(a - b) for a, b in zip(_lanes(x, width, 8), _lanes(y, width, 8), strict=True)]
    return _joined([sum(distances[i:i + 8]) for i in range(0, len(distances), 8)], 64)


def byte_products(width: int, _attr: None, _widths: list[int], x: int, y: int) -> int:
    """Sum two neighbouring products of an unsigned and a signed byte, saturated to 16 bits."""
    products = [a * b for a, b in zip(_lanes(x, width, 8), _lanes(y, width, 8, signed=True), strict=True)]
    return _joined([max(-0x8000, min(0x7FFF, sum(products[i:i + 2]))) for i in range(0, len(products), 2)], 16)


def fraction_products(width: int, _attr: None, _widths: list[int], x: int, y: int) -> int:
    """Multiply words that are signed fractions of 15 bits, rounded to nearest."""
    return _joined([(a * b >> 14) + 1 >> 1 for a, b in zip(*(_lanes(v, width, 16, signed=True) for v in (x, y)), strict=True)], 16)


def clmul(_width: int, _attr: None, widths: list[int], x: int, y: int) -> int:
    """Multiply as polynomials over {0, 1}."""
    total = 0
    for bit in range(widths[1]):
        if y >> bit & 1:
            total ^= x << bit
    return total


def times(x: int, y: int) -> int:
    """Multiply in AES's field of 256 elements (FIPS 197, 4.2)."""
    total = 0
    while y:
        if y & 1:
            total ^= x
        x = x << 1 ^ (0x11B if x & 0x80 else 0)
        y >>= 1
    return total


@cache
def s_box(direction: str) -> bytes:
    """Return the table of SubBytes or its inverse (FIPS 197, 5.1.1 and 5.3.2)."""
    forward = bytearray(256)
    for x in range(256):
        inverse = next((y for y in range(256) if times(x, y) == 1), 0)
        turned = inverse * 0x101
        forward[x] = (inverse ^ turned >> 7 ^ turned >> 6 ^ turned >> 5 ^ turned >> 4 ^ 0x63) & 0xFF
    if direction == "forward":
        return bytes(forward)
    return bytes(forward.index(x) for x in range(256))


def shifted_rows(direction: str) -> list[int]:
    """Return for each byte which byte ShiftRows, or its inverse, moves there; a column is four bytes (FIPS 197, 5.1.2)."""
    sign = 1 if direction == "forward" else -1
    return [(4 * (column + sign * row) + row) % 16 for column in range(4) for row in range(4)]


def aes_sub(_width: int, direction: str, _widths: list[int], x: int) -> int:
    """Apply ShiftRows and SubBytes, or their inverses."""
    data, box = x.to_bytes(16, "little"), s_box(direction)
    return int.from_bytes(bytes(box[data[i]] for i in shifted_rows(direction)), "little")


def aes_mix(_width: int, direction: str, _widths: list[int], x: int) -> int:
    """Apply MixColumns or its inverse."""
    data, factors = x.to_bytes(16, "little"), MIX[direction]
    out = bytearray(16)
    for at in range(16):
        for k, factor in enumerate(factors):
            out[at] ^= times(data[at & 12 | (at + k) & 3], factor)
    return int.from_bytes(out, "little")


def _rotate_right(x: int, n: int) -> int:
    return (x >> n | x << 32 - n) & M32


def _words(x: int) -> list[int]:
    return [x >> at & M32 for at in range(0, x.bit_length() + 32, 32)] + [0, 0, 0]


def sha1_rounds(_width: int, stage: int, _widths: list[int], abcd: int, we: int) -> int:
    """Do four rounds of SHA-1 in a stage 0…3: a is in the top word; the words of the schedule likewise, e added to the first."""
    (d, c, b, a), w = _words(abcd)[:4], _words(we)
    e = 0
    for i in range(4):
        f = (b & c ^ ~b & d, b ^ c ^ d, b & c ^ b & d ^ c & d)[SHA1_FUNCTIONS[stage]] & M32
        total = f + _rotate_right(a, 27) + w[3 - i] + SHA1_CONSTANTS[stage] + e & M32
        a, b, c, d, e = total, a, _rotate_right(b, 2), c, d
    return a << 96 | b << 64 | c << 32 | d


def sha256_rounds(_width: int, _attr: None, _widths: list[int], cdgh: int, abef: int, wk: int) -> int:
    """Do two rounds of SHA-256: return a, b, e, f; words of the schedule with constants added, the first in the low word."""
    (f, e, b, a), (h, g, d, c), w = _words(abef)[:4], _words(cdgh)[:4], _words(wk)
    for i in range(2):
        one = _rotate_right(e, 6) ^ _rotate_right(e, 11) ^ _rotate_right(e, 25)
        zero = _rotate_right(a, 2) ^ _rotate_right(a, 13) ^ _rotate_right(a, 22)
        t = (e & f ^ ~e & M32 & g) + one + w[i] + h
        a, b, c, d, e, f, g, h = (t + (a & b ^ a & c ^ b & c) + zero) & M32, a, b, c, (t + d) & M32, e, f, g
    return a << 96 | b << 64 | e << 32 | f


HOST_OPERATIONS: dict[str, Callable[..., int]] = {
    "byte_distances": byte_distances, "byte_products": byte_products, "fraction_products": fraction_products, "clmul": clmul,
    "aes_sub": aes_sub, "aes_mix": aes_mix, "sha1_rounds": sha1_rounds, "sha256_rounds": sha256_rounds}
