"""AES, carry-less multiplication, SHA (SDM vol. 1, 12.13, 5.20)."""

from __future__ import annotations

from functools import partial

from xemu.core.bits import Bits, Lanes, const, make, mux, zext
from xemu.core.hostops import shifted_rows
from xemu.targets.x86.isa import x86
from xemu.targets.x86.vectors import destructive, plain, whole

D = 32


# -- AES: state in one register, column by column ----------------------------------------------------------------------------


def sub(x: Bits, direction: str) -> Bits:
    """Apply ShiftRows and SubBytes or their inverses."""
    return make("aes_sub", 128, (x,), direction)


def mix(x: Bits, direction: str) -> Bits:
    """Apply MixColumns or its inverse."""
    return make("aes_mix", 128, (x,), direction)


def aes_round(x: Bits, key: Bits, *, direction: str, last: bool) -> Bits:
    """AESENC, AESENCLAST, AESDEC, AESDECLAST."""
    state = sub(x, direction)
    return (whole(state if last else mix(state, direction)) ^ whole(key)).bits


def key_assist(x: Bits, imm: Bits) -> Bits:
    """AESKEYGENASSIST: SubWord of the odd doublewords, and that rotated with a round constant."""
    words = Lanes(Lanes(x, D).shuffle(Lanes(x, D), (1, 1, 3, 3)).bits, 8)
    boxed = Lanes(sub(words.shuffle(words, shifted_rows("inverse")).bits, "forward"), D)          # its ShiftRows finds all in place
    turned = boxed >> 8 | boxed << 24
    return boxed.shuffle(turned ^ Lanes.splat(zext(imm[7:0], D), 4), (0, 5, 2, 7)).bits


for opcode, name, direction, last in (("DC", "aesenc", "forward", False), ("DD", "aesenclast", "forward", True),
                                      ("DE", "aesdec", "inverse", False), ("DF", "aesdeclast", "inverse", True)):
    f = partial(aes_round, direction=direction, last=last)
    x86.row(destructive, f"66 0F 38 {opcode} /r", f"{name} Vdq, Wdq", f=f)
    x86.row(plain, f"VEX.128.66.0F38.WIG {opcode} /r", f"v{name} Vdq, Hdq, Wdq", f=f)
x86.row(plain, "66 0F 38 DB /r", "aesimc Vdq, Wdq", f=partial(mix, direction="inverse"))
x86.row(plain, "VEX.128.66.0F38.WIG DB /r", "vaesimc Vdq, Wdq", f=partial(mix, direction="inverse"))
x86.row(plain, "66 0F 3A DF /r ib", "aeskeygenassist Vdq, Wdq, Ib", f=key_assist)
x86.row(plain, "VEX.128.66.0F3A.WIG DF /r ib", "vaeskeygenassist Vdq, Wdq, Ib", f=key_assist)


# -- carry-less multiplication -------------------------------------------------------------------------------------------------


def clmul(x: Bits, y: Bits, imm: Bits) -> Bits:
    """PCLMULQDQ: of the quadwords that bits 0 and 4 of the immediate choose."""
    return make("clmul", 128, (mux(imm[0], x[127:64], x[63:0]), mux(imm[4], y[127:64], y[63:0])))


x86.row(destructive, "66 0F 3A 44 /r ib", "pclmulqdq Vdq, Wdq, Ib", f=clmul)
x86.row(plain, "VEX.128.66.0F3A.WIG 44 /r ib", "vpclmulqdq Vdq, Hdq, Wdq, Ib", f=clmul)


# -- SHA -------------------------------------------------------------------------------------------------------------------------


def sha1_rounds(abcd: Bits, we: Bits, imm: Bits) -> Bits:
    """SHA1RNDS4: the stage is in the immediate."""
    first, second, third, fourth = (make("sha1_rounds", 128, (abcd, we), stage) for stage in range(4))
    return mux(imm[1], mux(imm[0], fourth, third), mux(imm[0], second, first))


def rotated(x: Lanes, left: int) -> Lanes:
    """Return doublewords rotated left."""
    return x << left | x >> D - left


def sha1_next_e(x: Bits, y: Bits) -> Bits:
    """SHA1NEXTE: a rotated by 30 added to the top doubleword."""
    top = Lanes(const(0xFFFFFFFF << 96, 128), D)
    return (Lanes(y, D) + (rotated(Lanes(x, D), 30) & top)).bits


def sha1_schedule1(x: Bits, y: Bits) -> Bits:
    """SHA1MSG1."""
    a = Lanes(x, D)
    return (a ^ Lanes(y, D).shuffle(a, (2, 3, 4, 5))).bits


def sha1_schedule2(x: Bits, y: Bits) -> Bits:
    """SHA1MSG2: the last word needs the first."""
    zeros = Lanes(const(0, 128), D)
    first = rotated(Lanes(x, D) ^ Lanes(y, D).shuffle(zeros, (4, 0, 1, 2)), 1)
    return (first ^ rotated(zeros.shuffle(first, (7, 0, 0, 0)), 1)).bits


def sha256_rounds(cdgh: Bits, abef: Bits, wk: Bits) -> Bits:
    """SHA256RNDS2."""
    return make("sha256_rounds", 128, (cdgh, abef, wk))


def sha256_schedule1(x: Bits, y: Bits) -> Bits:
    """SHA256MSG1."""
    a = Lanes(x, D)
    w = a.shuffle(Lanes(y, D), (1, 2, 3, 4))
    return (a + (rotated(w, 25) ^ rotated(w, 14) ^ w >> 3)).bits


def sha256_schedule2(x: Bits, y: Bits) -> Bits:
    """SHA256MSG2: the last two words need the first two."""
    zeros = Lanes(const(0, 128), D)

    def sigma(w: Lanes) -> Lanes:
        return rotated(w, 15) ^ rotated(w, 13) ^ w >> 10
    first = Lanes(x, D) + sigma(Lanes(y, D).shuffle(zeros, (2, 3, 4, 4)))
    return (first + sigma(first.shuffle(zeros, (4, 4, 0, 1)))).bits


for opcode, name, function in (("C8", "sha1nexte", sha1_next_e), ("C9", "sha1msg1", sha1_schedule1), ("CA", "sha1msg2", sha1_schedule2),
                               ("CC", "sha256msg1", sha256_schedule1), ("CD", "sha256msg2", sha256_schedule2)):
    x86.row(destructive, f"NP 0F 38 {opcode} /r", f"{name} Vdq, Wdq", f=function)
x86.row(destructive, "NP 0F 38 CB /r", "sha256rnds2 Vdq, Wdq, xmm0", f=sha256_rounds)
x86.row(destructive, "NP 0F 3A CC /r ib", "sha1rnds4 Vdq, Wdq, Ib", f=sha1_rounds)
