"""Vector cryptography: AES, SHA-2, polynomial multiplication, permute and exclusive-OR. Power ISA Book I, 6.11."""

from __future__ import annotations

from xemu.core.bits import Bits, Lanes, cat, make, zext
from xemu.core.hostops import shifted_rows
from xemu.targets.ppc.isa import ppc64
from xemu.targets.ppc.vmx_lanes import SIZES, B, D, H, W, choose, even, lanes_of, odd, pick, reversed_bytes, va, vx, whole, zeros

# -- AES: FIPS 197's first byte is byte 0, the leftmost; the language's operations begin with the rightmost -----------------


def sub(x: Bits, direction: str) -> Bits:
    """Apply ShiftRows and SubBytes or their inverses."""
    return make("aes_sub", 128, (x,), direction)


def mix(x: Bits, direction: str) -> Bits:
    """Apply MixColumns or its inverse."""
    return make("aes_mix", 128, (x,), direction)


def with_key(state: Bits, key: Bits) -> Bits:
    """Apply AddRoundKey to a state of the language's byte order."""
    return (whole(state) ^ whole(reversed_bytes(key))).bits


def cipher(a: Bits, b: Bits, *, last: bool) -> Bits:
    """Vector AES Cipher (Last). Book I, 6.11.1."""
    state = sub(reversed_bytes(a), "forward")
    return reversed_bytes(with_key(state if last else mix(state, "forward"), b))


def inverse_cipher(a: Bits, b: Bits, *, last: bool) -> Bits:
    """Vector AES Inverse Cipher (Last): the key before InvMixColumns. Book I, 6.11.1."""
    state = with_key(sub(reversed_bytes(a), "inverse"), b)
    return reversed_bytes(state if last else mix(state, "inverse"))


def sub_bytes(a: Bits) -> Bits:
    """Vector AES SubBytes. Book I, 6.11.1."""
    lanes = Lanes(a, B)
    return sub(lanes.shuffle(lanes, shifted_rows("inverse")).bits, "forward")       # its ShiftRows finds all in place


for name, opcode, function in ("vcipher", 1288, cipher), ("vncipher", 1352, inverse_cipher):
    vx(name, opcode, function, isa=ppc64, last=False)
    vx(name + "last", opcode + 1, function, isa=ppc64, last=True)
vx("vsbox", 1480, sub_bytes, operands="VRT VRA -----", isa=ppc64)


# -- SHA-2 (FIPS 180-4, 4.1.2, 4.1.3) -----------------------------------------------------------------------------------------

#: size, ST -> rotations right and, if any, shift right of the functions that a 0 and a 1 in SIX choose
SIGMA = {
    (W, 0): (((7, 18), 3), ((17, 19), 10)), (W, 1): (((2, 13, 22), 0), ((6, 11, 25), 0)),
    (D, 0): (((1, 8), 7), ((19, 61), 6)), (D, 1): (((28, 34, 39), 0), ((14, 18, 41), 0)),
}  # fmt: skip


def sigma(a: Bits, ST: int, SIX: Bits, *, size: int) -> Bits:
    """Vector SHA-256/512 Sigma: a bit of SIX chooses for each word; for doublewords, every other bit. Book I, 6.11.2."""
    x, results = Lanes(a, size), []
    for rotations, shift in SIGMA[size, ST]:
        total = x >> shift if shift else zeros(size)
        for by in rotations:
            total = total ^ x.op("ror", by)
        results.append(total)
    bits = lanes_of([1, 2, 4, 8] if size == W else [2, 8], size)
    return choose((Lanes.splat(zext(SIX, size), x.count) & bits).op("eq", bits), results[1], results[0]).bits


for letter, opcode in ("w", 1666), ("d", 1730):
    vx(f"vshasigma{letter}", opcode, sigma, operands="VRT VRA ST SIX", isa=ppc64, size=SIZES[letter])


# -- polynomials over {0, 1} ---------------------------------------------------------------------------------------------------


def polynomial_product(x: Lanes, y: Lanes) -> Lanes:
    """Multiply lanes whose upper halves are 0."""
    total = zeros(x.size)
    for bit in range(x.size // 2):
        total = total ^ x << bit & zeros(x.size) - (y >> bit & 1)
    return total


def multiply_sum(a: Bits, b: Bits, *, size: int) -> Bits:
    """Vector Polynomial Multiply-Sum Byte/Halfword: of two neighbours. Book I, 6.11.3."""
    x, y = ([half(v, size, signed=False) for half in (even, odd)] for v in (a, b))
    return (polynomial_product(x[0], y[0]) ^ polynomial_product(x[1], y[1])).bits


def carryless(x: Bits, y: Bits) -> Bits:
    """Multiply numbers of up to 64 bits."""
    return make("clmul", 128, (zext(x, 64), zext(y, 64)))


def multiply_sum_words(a: Bits, b: Bits) -> Bits:
    """Vector Polynomial Multiply-Sum Word. Book I, 6.11.3."""
    w, x, y, z = (carryless(a[at + 31:at], b[at + 31:at])[63:0] for at in (96, 64, 32, 0))
    return cat(w ^ x, y ^ z)


def multiply_sum_doublewords(a: Bits, b: Bits) -> Bits:
    """Vector Polynomial Multiply-Sum Doubleword. Book I, 6.11.3."""
    return (whole(carryless(a[127:64], b[127:64])) ^ whole(carryless(a[63:0], b[63:0]))).bits


vx("vpmsumb", 1032, multiply_sum, isa=ppc64, size=B)
vx("vpmsumh", 1096, multiply_sum, isa=ppc64, size=H)
vx("vpmsumw", 1160, multiply_sum_words, isa=ppc64)
vx("vpmsumd", 1224, multiply_sum_doublewords, isa=ppc64)


# -- permute and exclusive-OR ------------------------------------------------------------------------------------------------------


def permute_xor(a: Bits, b: Bits, c: Bits) -> Bits:
    """Vector Permute and Exclusive-OR: a byte of a by the upper four bits, one of b by the lower. Book I, 6.11.4."""
    numbers = ~Lanes(c, B)
    return (whole(pick(numbers >> 4 & 15, a)) ^ whole(pick(numbers & 15, b))).bits


va("vpermxor", 45, permute_xor, isa=ppc64)
