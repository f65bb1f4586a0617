"""Fixed-point rotates and shifts. Power ISA Book I, 3.3.14."""

from __future__ import annotations

from xemu.core.bits import Bits, cat, const, mux, ror, sar, sext, ule, zext
from xemu.targets.ppc.isa import ppc, ppc64
from xemu.targets.ppc.logical import put


def rotl(value: Bits, count: Bits) -> Bits:
    """Return a value rotated left; the count has log2 of its width in bits."""
    return ror(value, zext(-count, value.width))


def mask(begin: Bits, end: Bits, width: int) -> tuple[Bits, Bits]:
    """Return MASK(begin, end): ones from bit `begin` to bit `end`, counted from the left, round the end; and whether it wraps."""
    ones = const(-1, width)
    right, left = ones >> zext(begin, width), ones << zext(~end, width)
    wraps = ~ule(begin, end)
    return mux(wraps, right | left, right & left), wraps


# -- words: with 64 bits the word is rotated as a pair of itself, and a mask that wraps holds its upper one (3.3.14.1) --


def word_mask(cpu, MB: Bits, ME: Bits) -> Bits:
    """Return MASK(MB + 32, ME + 32)."""
    low, wraps = mask(MB, ME, 32)
    return cat(mux(wraps, const(-1, 32), const(0, 32)), low) if cpu.context.SF else low


def rotated_word(cpu, RS, count: Bits) -> Bits:
    """Return ROTL32."""
    word = rotl(cpu.GPR[RS][31:0], count)
    return cat(word, word) if cpu.context.SF else word


@ppc("21:6 RS RA SH MB ME Rc", "rlwinm{Rc} {RA}, {RS}, {SH}, {MB}, {ME}")
def rlwinm(cpu, RA, RS, SH, MB, ME, Rc):
    """Rotate Left Word Immediate then AND with Mask. Book I, 3.3.14.1."""
    put(cpu, RA, rotated_word(cpu, RS, SH) & word_mask(cpu, MB, ME), Rc)


@ppc("23:6 RS RA RB MB ME Rc", "rlwnm{Rc} {RA}, {RS}, {RB}, {MB}, {ME}")
def rlwnm(cpu, RA, RS, RB, MB, ME, Rc):
    """Rotate Left Word then AND with Mask. Book I, 3.3.14.1."""
    put(cpu, RA, rotated_word(cpu, RS, cpu.GPR[RB][4:0]) & word_mask(cpu, MB, ME), Rc)


@ppc("20:6 RS RA SH MB ME Rc", "rlwimi{Rc} {RA}, {RS}, {SH}, {MB}, {ME}")
def rlwimi(cpu, RA, RS, SH, MB, ME, Rc):
    """Rotate Left Word Immediate then Mask Insert. Book I, 3.3.14.1."""
    m = word_mask(cpu, MB, ME)
    put(cpu, RA, (rotated_word(cpu, RS, SH) & m) | (cpu.GPR[RA] & ~m), Rc)


# -- doublewords (3.3.14.1) --------------------------------------------------------------------------------------------


def first(begin: Bits) -> Bits:
    """Return MASK(begin, 63)."""
    return const(-1, 64) >> zext(begin, 64)


def last(end: Bits) -> Bits:
    """Return MASK(0, end)."""
    return const(-1, 64) << zext(~end, 64)


@ppc64("30:6 RS RA SH mb5 mb1 0:3 sh1 Rc", "rldicl{Rc} {RA}, {RS}, {sh6}, {mb6}", edge=first)
@ppc64("30:6 RS RA SH mb5 mb1 1:3 sh1 Rc", "rldicr{Rc} {RA}, {RS}, {sh6}, {mb6}", edge=last)
def rotate_immediate(cpu, RA, RS, sh6, mb6, Rc, edge):
    """Rotate Left Doubleword Immediate then Clear Left (Right). Book I, 3.3.14.1."""
    put(cpu, RA, rotl(cpu.GPR[RS], sh6) & edge(mb6), Rc)


@ppc64("30:6 RS RA SH mb5 mb1 2:3 sh1 Rc", "rldic{Rc} {RA}, {RS}, {sh6}, {mb6}")
def rldic(cpu, RA, RS, sh6, mb6, Rc):
    """Rotate Left Doubleword Immediate then Clear. Book I, 3.3.14.1."""
    put(cpu, RA, rotl(cpu.GPR[RS], sh6) & mask(mb6, ~sh6, 64)[0], Rc)


@ppc64("30:6 RS RA SH mb5 mb1 3:3 sh1 Rc", "rldimi{Rc} {RA}, {RS}, {sh6}, {mb6}")
def rldimi(cpu, RA, RS, sh6, mb6, Rc):
    """Rotate Left Doubleword Immediate then Mask Insert. Book I, 3.3.14.1."""
    m = mask(mb6, ~sh6, 64)[0]
    put(cpu, RA, (rotl(cpu.GPR[RS], sh6) & m) | (cpu.GPR[RA] & ~m), Rc)


@ppc64("30:6 RS RA RB mb5 mb1 8:4 Rc", "rldcl{Rc} {RA}, {RS}, {RB}, {mb6}", edge=first)
@ppc64("30:6 RS RA RB mb5 mb1 9:4 Rc", "rldcr{Rc} {RA}, {RS}, {RB}, {mb6}", edge=last)
def rotate(cpu, RA, RS, RB, mb6, Rc, edge):
    """Rotate Left Doubleword then Clear Left (Right). Book I, 3.3.14.1."""
    put(cpu, RA, rotl(cpu.GPR[RS], cpu.GPR[RB][5:0]) & edge(mb6), Rc)


# -- shifts (3.3.14.2): counts have a bit more than the width needs; shifts are total ------------------------------------


@ppc("31:6 RS RA RB 24:10 Rc", "slw{Rc} {RA}, {RS}, {RB}", size=32, left=True)
@ppc("31:6 RS RA RB 536:10 Rc", "srw{Rc} {RA}, {RS}, {RB}", size=32, left=False)
@ppc64("31:6 RS RA RB 27:10 Rc", "sld{Rc} {RA}, {RS}, {RB}", size=64, left=True)
@ppc64("31:6 RS RA RB 539:10 Rc", "srd{Rc} {RA}, {RS}, {RB}", size=64, left=False)
def shift(cpu, RA, RS, RB, Rc, size, left):
    """Shift Left (Right). Book I, 3.3.14.2."""
    value, count = cpu.GPR[RS][size - 1:0], cpu.GPR[RB] & (2 * size - 1)
    count = count[size - 1:0]
    put(cpu, RA, cpu.extend(value << count if left else value >> count), Rc)


def shift_right_algebraic(cpu, RA, value: Bits, count: Bits, Rc: int) -> None:
    """Shift right; CA (and CA32) say whether a negative value lost ones. Book I, 3.3.14.2."""
    lost = (value & ~(const(-1, value.width) << count)) != 0
    cpu.CA = carry = value[value.width - 1] & lost
    if cpu.context.SF:
        cpu.CA32 = carry
    put(cpu, RA, sext(sar(value, count), cpu.xlen), Rc)


@ppc("31:6 RS RA RB 792:10 Rc", "sraw{Rc} {RA}, {RS}, {RB}", size=32)
@ppc64("31:6 RS RA RB 794:10 Rc", "srad{Rc} {RA}, {RS}, {RB}", size=64)
def sraw(cpu, RA, RS, RB, Rc, size):
    """Shift Right Algebraic. Book I, 3.3.14.2."""
    count = cpu.GPR[RB] & (2 * size - 1)
    shift_right_algebraic(cpu, RA, cpu.GPR[RS][size - 1:0], count[size - 1:0], Rc)


@ppc("31:6 RS RA SH 824:10 Rc", "srawi{Rc} {RA}, {RS}, {SH}")
def srawi(cpu, RA, RS, SH, Rc):
    """Shift Right Algebraic Word Immediate. Book I, 3.3.14.2."""
    shift_right_algebraic(cpu, RA, cpu.GPR[RS][31:0], zext(SH, 32), Rc)


@ppc64("31:6 RS RA SH 413:9 sh1 Rc", "sradi{Rc} {RA}, {RS}, {sh6}")
def sradi(cpu, RA, RS, sh6, Rc):
    """Shift Right Algebraic Doubleword Immediate. Book I, 3.3.14.2."""
    shift_right_algebraic(cpu, RA, cpu.GPR[RS], zext(sh6, 64), Rc)


@ppc64("31:6 RS RA SH 445:9 sh1 Rc", "extswsli{Rc} {RA}, {RS}, {sh6}")
def extswsli(cpu, RA, RS, sh6, Rc):
    """Extend Sign Word and Shift Left Immediate. Book I, 3.3.14.2."""
    put(cpu, RA, sext(cpu.GPR[RS][31:0], 64) << zext(sh6, 64), Rc)
