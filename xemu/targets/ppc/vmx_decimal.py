"""Decimal integers in vector registers. Power ISA Book I, 6.17.

A packed decimal number has 31 digits and a sign in the lowest four bits: A, C, E, F are plus, B and D minus. Results for operands
that are no numbers are undefined in the manual; here they are what the arithmetic makes of them.
"""

from __future__ import annotations

from xemu.core.bits import Bits, Lanes, carry_of, cat, const, mux, slt, udiv, ult, zext
from xemu.targets.ppc.isa import ppc64
from xemu.targets.ppc.vmx_lanes import B, D, H, Q, W, vx

NINES, SIXES, EIGHTS, ONES = (digit * ((1 << Q) - 1) // 15 for digit in (9, 6, 8, 1))
MINUS = 0xD
LARGEST = 10**31 - 1


def is_minus(x: Bits) -> Bits:
    """Return whether a packed number has a minus."""
    return (x[3:0] == 0xB) | (x[3:0] == 0xD)


def magnitude(x: Bits) -> Bits:
    """Return the digits of a packed number, the last one in the lowest four bits."""
    return x >> 4


def sign(minus: Bits, PS: Bits) -> Bits:
    """Return the preferred sign code: D, and C or F as PS says."""
    return mux(minus, const(MINUS, 4), cat(const(3, 2), PS, PS))


def packed(digits: Bits, code: Bits) -> Bits:
    """Return the packed number of the lowest 31 digits of a value."""
    return cat(digits[123:0], code)


def wrong_digits(digits: Bits) -> Bits:
    """Return whether any digit is above 9."""
    return (digits & (digits << 1 | digits << 2) & EIGHTS) != 0


def invalid(x: Bits) -> Bits:
    """Return whether this is no packed number."""
    return wrong_digits(magnitude(x)) | ult(x[3:0], 10)


def decimal_sum(x: Bits, y: Bits, carry: Bits) -> Bits:
    """Return the sum of 32 digits, modulo 10**32."""
    raised = x + SIXES                               # a digit that carries does so at 16
    total = raised + y + zext(carry, Q)
    carries = cat(const(0, 3), carry_of(raised, y, total), (raised ^ y ^ total)[127:4])
    stays = ~carries & ONES
    return total - (stays << 2 | stays << 1)


def finish(cpu, VRT, result: Bits, bad: Bits, minus: Bits, zero: Bits, overflow: Bits | int = 0) -> None:
    """Write a result and CR6: less, greater or equal 0; not a number or overflow."""
    good = ~bad
    cpu.set_vr(VRT, result)
    cpu.set_cr(6, [good & minus & ~zero, good & ~minus & ~zero, good & zero, bad | overflow])


# -- addition, subtraction ---------------------------------------------------------------------------------------------------


@ppc64("4:6 VRT VRA VRB 1 PS 1:9", "bcdadd. {VRT}, {VRA}, {VRB}, {PS}", name="bcdadd", subtract=0)
@ppc64("4:6 VRT VRA VRB 1 PS 65:9", "bcdsub. {VRT}, {VRA}, {VRB}, {PS}", name="bcdsub", subtract=1)
def add(cpu, VRT, VRA, VRB, PS, subtract):
    """Decimal Add/Subtract Modulo & record. Book I, 6.17.1."""
    a, b = cpu.vr(VRA), cpu.vr(VRB)
    x, y, minus_a, minus_b = magnitude(a), magnitude(b), is_minus(a), is_minus(b) ^ subtract
    less, differ = ult(x, y), minus_a ^ minus_b
    large, small = mux(less, y, x), mux(less, x, y)
    total = decimal_sum(large, mux(differ, NINES - small, small), differ)      # the ten's complement takes away
    zero, minus = total == 0, mux(less, minus_b, minus_a)
    finish(cpu, VRT, packed(total, sign(minus & ~zero, PS)), invalid(a) | invalid(b), minus, zero, total[127:124] != 0)


# -- format conversion ---------------------------------------------------------------------------------------------------------


def gathered(x: Bits, size: int) -> Bits:
    """Return the lowest four bits of each element, joined."""
    return cat(*[x[at + 3:at] for at in reversed(range(0, Q, size))])


@ppc64("4:6 VRT 7:5 VRB 1 PS 385:9", "bcdcfn. {VRT}, {VRB}, {PS}", name="bcdcfn")
def from_national(cpu, VRT, VRB, PS):
    """Decimal Convert From National & record: seven digits and a sign in halfwords of Unicode. Book I, 6.17.2."""
    b = cpu.vr(VRB)
    digits, minus = gathered(b, H)[31:4], b[15:0] == ord("-")
    wrong = ~(Lanes(b, H) - ord("0")).op("ult", 10)
    bad = (wrong.bits[127:16] != 0) | ~(minus | (b[15:0] == ord("+")))
    finish(cpu, VRT, packed(zext(digits, Q), sign(minus, PS)), bad, minus, digits == 0)


@ppc64("4:6 VRT 6:5 VRB 1 PS 385:9", "bcdcfz. {VRT}, {VRB}, {PS}", name="bcdcfz")
def from_zoned(cpu, VRT, VRB, PS):
    """Decimal Convert From Zoned & record: PS: zones and signs are EBCDIC's. Book I, 6.17.2."""
    b = cpu.vr(VRB)
    digits, code = gathered(b, B), b[7:4]
    minus = mux(PS, is_minus(zext(code, 8)), code[2])
    zone = mux(PS, const(0xF0, B), const(0x30, B))
    wrong = ~(Lanes(b, B) - Lanes.splat(zone, 16)).op("ult", 10)
    bad = (wrong.bits[127:8] != 0) | ult(const(9, 4), b[3:0]) | PS & ult(code, 10)
    finish(cpu, VRT, packed(zext(digits, Q), sign(minus, const(0, 1))), bad, minus, digits == 0)


@ppc64("4:6 VRT 5:5 VRB 1 0 385:9", "bcdctn. {VRT}, {VRB}", name="bcdctn")
def to_national(cpu, VRT, VRB):
    """Decimal Convert To National & record. Book I, 6.17.2."""
    b = cpu.vr(VRB)
    minus = is_minus(b)
    digits = [cat(const(3, 12), b[at + 3:at]) for at in range(28, 0, -4)]
    result = cat(*digits, mux(minus, const(ord("-"), H), ord("+")))
    finish(cpu, VRT, result, invalid(b), minus, magnitude(b) == 0, b[127:32] != 0)


@ppc64("4:6 VRT 4:5 VRB 1 PS 385:9", "bcdctz. {VRT}, {VRB}, {PS}", name="bcdctz")
def to_zoned(cpu, VRT, VRB, PS):
    """Decimal Convert To Zoned & record: PS: zones and signs are EBCDIC's. Book I, 6.17.2."""
    b = cpu.vr(VRB)
    minus, zone = is_minus(b), cat(PS, PS, const(3, 2))
    code = mux(PS, mux(minus, const(0xD, 4), 0xC), mux(minus, const(7, 4), 3))
    nibbles = [part for at in range(64, 4, -4) for part in (zone, b[at + 3:at])]
    finish(cpu, VRT, cat(*nibbles, code, b[7:4]), invalid(b), minus, magnitude(b) == 0, b[127:68] != 0)


def eights(number: Bits) -> list[Bits]:
    """Return a number below 10**31 in groups of eight decimal digits, the lowest first, each a word."""
    limbs, groups = [number[127:96], number[95:64], number[63:32], number[31:0]], []
    while len(limbs) > 1:
        rest, quotient = limbs[0], []
        for limb in limbs[1:]:
            value = cat(rest, limb)
            q = udiv(value, const(10**8, D))
            rest = (value - q * 10**8)[31:0]
            quotient.append(q[31:0])
        groups.append(rest)
        limbs = quotient
    return [*groups, *limbs]


def digits_of(number: Bits) -> Bits:
    """Return the decimal digits of a number below 10**31: eights, fours, pairs, single ones."""
    wide = Lanes(cat(*reversed(eights(number))), W).widen(signed=False)
    fours = (wide * 3518437209) >> 45                              # / 10000
    words = (fours << 16 | wide - fours * 10000).narrow()
    wide = Lanes(words.bits, H).widen(signed=False)
    pairs = (wide * 5243) >> 19                                    # / 100
    halves = (pairs << 8 | wide - pairs * 100).narrow()
    wide = Lanes(halves.bits, B).widen(signed=False)
    tens = (wide * 103) >> 10                                      # / 10
    return (wide + tens * 6).narrow().bits


@ppc64("4:6 VRT 2:5 VRB 1 PS 385:9", "bcdcfsq. {VRT}, {VRB}, {PS}", name="bcdcfsq")
def from_signed(cpu, VRT, VRB, PS):
    """Decimal Convert From Signed Quadword & record. Book I, 6.17.2."""
    b = cpu.vr(VRB)
    minus = b[127]
    number = mux(minus, -b, b)
    zero, never = b == 0, const(0, 1)
    finish(cpu, VRT, packed(digits_of(number), sign(minus, PS)), never, minus, zero, ult(const(LARGEST, Q), number))


@ppc64("4:6 VRT 0:5 VRB 1 - 385:9", "bcdctsq. {VRT}, {VRB}", name="bcdctsq")
def to_signed(cpu, VRT, VRB):
    """Decimal Convert To Signed Quadword & record: digits to pairs, to fours, … Book I, 6.17.2."""
    b = cpu.vr(VRB)
    minus, number = is_minus(b), magnitude(b)
    for half in 4, 8, 16, 32, 64:
        lanes = Lanes(number, 2 * half)
        number = (lanes - (lanes >> half) * ((1 << half) - 10 ** (half // 4))).bits
    finish(cpu, VRT, mux(minus, -number, number), invalid(b), minus, number == 0)


# -- signs ---------------------------------------------------------------------------------------------------------------------


@ppc64("4:6 VRT VRA VRB 833:11", "bcdcpsgn. {VRT}, {VRA}, {VRB}", name="bcdcpsgn")
def copy_sign(cpu, VRT, VRA, VRB):
    """Decimal Copy Sign & record. Book I, 6.17.3."""
    a, b = cpu.vr(VRA), cpu.vr(VRB)
    finish(cpu, VRT, cat(a[127:4], b[3:0]), invalid(a) | invalid(b), is_minus(b), magnitude(a) == 0)


@ppc64("4:6 VRT 31:5 VRB 1 PS 385:9", "bcdsetsgn. {VRT}, {VRB}, {PS}", name="bcdsetsgn")
def set_sign(cpu, VRT, VRB, PS):
    """Decimal Set Sign & record: to the preferred code. Book I, 6.17.3."""
    b = cpu.vr(VRB)
    minus, digits = is_minus(b), magnitude(b)
    finish(cpu, VRT, packed(digits, sign(minus, PS)), invalid(b), minus, digits == 0)


# -- shifts, truncation --------------------------------------------------------------------------------------------------------


def limited(count: Bits, most: int) -> Bits:
    """Return four times a count of digits, which are not more than `most`, as a count of bits for a register."""
    return zext(mux(ult(count, most), count, most), Q) << 2


def shifted(cpu, VRA, digits: Bits, most: int) -> tuple[Bits, Bits, Bits, Bits]:
    """Return whether byte 7 of VRA says left; digits moved left and right by that many; whether any is lost on the left."""
    count = cpu.vr(VRA)[71:64]
    left = slt(const(0, B), count)
    by = limited(mux(left, count, -count), most)
    return left, digits << by, digits >> by, left & (digits >> 4 * most - by != 0)


@ppc64("4:6 VRT VRA VRB 1 PS 193:9", "bcds. {VRT}, {VRA}, {VRB}, {PS}", name="bcds", rounding=False)
@ppc64("4:6 VRT VRA VRB 1 PS 449:9", "bcdsr. {VRT}, {VRA}, {VRB}, {PS}", name="bcdsr", rounding=True)
def shift(cpu, VRT, VRA, VRB, PS, rounding):
    """Decimal Shift (and Round) & record. Book I, 6.17.4."""
    b = cpu.vr(VRB)
    digits, minus = magnitude(b), is_minus(b)
    left, more, _, lost = shifted(cpu, VRA, digits, 31)
    _, _, less, _ = shifted(cpu, VRA, digits << 4, 31)               # with the digit behind
    rest = less >> 4
    if rounding:
        rest = decimal_sum(rest, const(0, Q), ult(const(4, 4), less[3:0]))
    finish(cpu, VRT, packed(mux(left, more, rest), sign(minus, PS)), invalid(b), minus, digits == 0, lost)


@ppc64("4:6 VRT VRA VRB 1 - 129:9", "bcdus. {VRT}, {VRA}, {VRB}", name="bcdus")
def shift_unsigned(cpu, VRT, VRA, VRB):
    """Decimal Unsigned Shift & record: 32 digits. Book I, 6.17.4."""
    b = cpu.vr(VRB)
    left, more, less, lost = shifted(cpu, VRA, b, 32)
    finish(cpu, VRT, mux(left, more, less), wrong_digits(b), const(0, 1), b == 0, lost)


def truncated(cpu, VRA, digits: Bits, most: int) -> tuple[Bits, Bits]:
    """Return as many digits as halfword 3 of VRA says, and whether any other was not 0."""
    by = limited(cpu.vr(VRA)[79:64], most)
    return digits & ~(const(-1, Q) << by), digits >> by != 0


@ppc64("4:6 VRT VRA VRB 1 PS 257:9", "bcdtrunc. {VRT}, {VRA}, {VRB}, {PS}", name="bcdtrunc")
def truncate(cpu, VRT, VRA, VRB, PS):
    """Decimal Truncate & record. Book I, 6.17.5."""
    b = cpu.vr(VRB)
    minus, digits = is_minus(b), magnitude(b)
    kept, lost = truncated(cpu, VRA, digits, 31)
    finish(cpu, VRT, packed(kept, sign(minus, PS)), invalid(b), minus, digits == 0, lost)


@ppc64("4:6 VRT VRA VRB 1 - 321:9", "bcdutrunc. {VRT}, {VRA}, {VRB}", name="bcdutrunc")
def truncate_unsigned(cpu, VRT, VRA, VRB):
    """Decimal Unsigned Truncate & record: 32 digits. Book I, 6.17.5."""
    b = cpu.vr(VRB)
    kept, lost = truncated(cpu, VRA, b, 32)
    finish(cpu, VRT, kept, wrong_digits(b), const(0, 1), b == 0, lost)


# -- multiplication by 10 ------------------------------------------------------------------------------------------------------


def times_ten(a: Bits, digit: Bits, *, carry: bool) -> Bits:
    """Return 10 * a + digit, or what does not fit a quadword."""
    low = zext(a[63:0], Q) * 10 + zext(digit, Q)
    high = zext(a[127:64], Q) * 10 + (low >> 64)
    return high >> 64 if carry else cat(high[63:0], low[63:0])


def multiply_ten(a: Bits, *, carry: bool) -> Bits:
    """Vector Multiply-by-10 (& write Carry) Unsigned Quadword. Book I, 6.17.6."""
    return times_ten(a, const(0, 4), carry=carry)


def multiply_ten_extended(a: Bits, b: Bits, *, carry: bool) -> Bits:
    """Vector Multiply-by-10 Extended (& write Carry) Unsigned Quadword. Book I, 6.17.6."""
    return times_ten(a, b[3:0], carry=carry)


vx("vmul10uq", 513, multiply_ten, operands="VRT VRA 00000", isa=ppc64, carry=False)
vx("vmul10cuq", 1, multiply_ten, operands="VRT VRA 00000", isa=ppc64, carry=True)
vx("vmul10euq", 577, multiply_ten_extended, isa=ppc64, carry=False)
vx("vmul10ecuq", 65, multiply_ten_extended, isa=ppc64, carry=True)
