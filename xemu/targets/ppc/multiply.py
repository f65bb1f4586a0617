"""Fixed-point multiplication and division. Power ISA Book I, 3.3.9 and 3.3.9.1.

What the manual leaves undefined is as QEMU has it: a quotient that does not exist is the dividend (extended forms: 0), a remainder 0.
"""

from __future__ import annotations

from xemu.core.bits import Bits, cat, clz, const, mux, sdiv, sext, udiv, ult, zext
from xemu.targets.ppc.fixed_point import finish
from xemu.targets.ppc.isa import ppc, ppc64


def widen(value: Bits, width: int, *, signed: bool) -> Bits:
    """Return a value sign- or zero-extended."""
    return sext(value, width) if signed else zext(value, width)


# -- multiplication --------------------------------------------------------------------------------------------------


@ppc("7:6 RT RA SI", "mulli {RT}, {RA}, {SI}")
def mulli(cpu, RT, RA, SI):
    """Multiply Low Immediate. Book I, 3.3.9."""
    cpu.GPR[RT] = cpu.GPR[RA] * sext(SI, cpu.xlen)


@ppc("31:6 RT RA RB OE 235:9 Rc", "mullw{o}{Rc} {RT}, {RA}, {RB}")
def mullw(cpu, RT, RA, RB, OE, Rc):
    """Multiply Low Word: 64 bits of result where registers have them. Book I, 3.3.9."""
    product = sext(cpu.GPR[RA][31:0], 64) * sext(cpu.GPR[RB][31:0], 64)
    finish(cpu, RT, product[cpu.xlen - 1:0], OE, Rc, product != sext(product[31:0], 64))


@ppc64("31:6 RT RA RB OE 233:9 Rc", "mulld{o}{Rc} {RT}, {RA}, {RB}")
def mulld(cpu, RT, RA, RB, OE, Rc):
    """Multiply Low Doubleword. Book I, 3.3.9.1."""
    x, y = cpu.GPR[RA], cpu.GPR[RB]
    overflow = None
    if OE:
        product = sext(x, 128) * sext(y, 128)
        overflow = product != sext(product[63:0], 128)
    finish(cpu, RT, x * y, OE, Rc, overflow)


@ppc("31:6 RT RA RB - 75:9 Rc", "mulhw{Rc} {RT}, {RA}, {RB}", size=32, signed=True)
@ppc("31:6 RT RA RB - 11:9 Rc", "mulhwu{Rc} {RT}, {RA}, {RB}", size=32, signed=False)
@ppc64("31:6 RT RA RB - 73:9 Rc", "mulhd{Rc} {RT}, {RA}, {RB}", size=64, signed=True)
@ppc64("31:6 RT RA RB - 9:9 Rc", "mulhdu{Rc} {RT}, {RA}, {RB}", size=64, signed=False)
def multiply_high(cpu, RT, RA, RB, Rc, size, signed):
    """Multiply High. Book I, 3.3.9."""
    x, y = (widen(cpu.GPR[r][size - 1:0], 2 * size, signed=signed) for r in (RA, RB))
    finish(cpu, RT, cpu.extend((x * y)[2 * size - 1:size]), 0, Rc)


@ppc64("4:6 RT RA RB RC 48:6", "maddhd {RT}, {RA}, {RB}, {RC}", signed=True)
@ppc64("4:6 RT RA RB RC 49:6", "maddhdu {RT}, {RA}, {RB}, {RC}", signed=False)
def maddhd(cpu, RT, RA, RB, RC, signed):
    """Multiply-Add High Doubleword. Book I, 3.3.9.1."""
    x, y, z = (widen(cpu.GPR[r], 128, signed=signed) for r in (RA, RB, RC))
    cpu.GPR[RT] = (x * y + z)[127:64]


@ppc64("4:6 RT RA RB RC 51:6", "maddld {RT}, {RA}, {RB}, {RC}")
def maddld(cpu, RT, RA, RB, RC):
    """Multiply-Add Low Doubleword. Book I, 3.3.9.1."""
    cpu.GPR[RT] = cpu.GPR[RA] * cpu.GPR[RB] + cpu.GPR[RC]


# -- division --------------------------------------------------------------------------------------------------------


def impossible(x: Bits, y: Bits, *, signed: bool) -> Bits:
    """Return whether x / y does not exist: y is 0, or the quotient has one bit too many."""
    zero = y == 0
    return zero | ((x == const(1 << (x.width - 1), x.width)) & (y == const(-1, y.width))) if signed else zero


@ppc("31:6 RT RA RB OE 491:9 Rc", "divw{o}{Rc} {RT}, {RA}, {RB}", size=32, signed=True)
@ppc("31:6 RT RA RB OE 459:9 Rc", "divwu{o}{Rc} {RT}, {RA}, {RB}", size=32, signed=False)
@ppc64("31:6 RT RA RB OE 489:9 Rc", "divd{o}{Rc} {RT}, {RA}, {RB}", size=64, signed=True)
@ppc64("31:6 RT RA RB OE 457:9 Rc", "divdu{o}{Rc} {RT}, {RA}, {RB}", size=64, signed=False)
def divide(cpu, RT, RA, RB, OE, Rc, size, signed):
    """Divide. Book I, 3.3.9."""
    x, y = cpu.GPR[RA][size - 1:0], cpu.GPR[RB][size - 1:0]
    quotient = mux(y == 0, x, sdiv(x, y) if signed else udiv(x, y))
    finish(cpu, RT, cpu.extend(quotient), OE, Rc, impossible(x, y, signed=signed) if OE else None)


@ppc64("31:6 RT RA RB 779:10 -", "modsw {RT}, {RA}, {RB}", size=32, signed=True)
@ppc64("31:6 RT RA RB 267:10 -", "moduw {RT}, {RA}, {RB}", size=32, signed=False)
@ppc64("31:6 RT RA RB 777:10 -", "modsd {RT}, {RA}, {RB}", size=64, signed=True)
@ppc64("31:6 RT RA RB 265:10 -", "modud {RT}, {RA}, {RB}", size=64, signed=False)
def modulo(cpu, RT, RA, RB, size, signed):
    """Modulo. Book I, 3.3.9."""
    x, y = cpu.GPR[RA][size - 1:0], cpu.GPR[RB][size - 1:0]
    quotient = sdiv(x, y) if signed else udiv(x, y)
    cpu.GPR[RT] = widen(mux(y == 0, const(0, size), x - quotient * y), 64, signed=signed)


@ppc64("31:6 RT RA RB OE 427:9 Rc", "divwe{o}{Rc} {RT}, {RA}, {RB}")
def divwe(cpu, RT, RA, RB, OE, Rc):
    """Divide Word Extended: the dividend has 32 zeros behind it. Book I, 3.3.9."""
    x, y = cat(cpu.GPR[RA][31:0], const(0, 32)), sext(cpu.GPR[RB][31:0], 64)
    quotient = sdiv(x, y)
    overflow = impossible(x, y, signed=True) | (quotient != sext(quotient[31:0], 64))
    finish(cpu, RT, mux(overflow, const(0, 64), quotient), OE, Rc, overflow)


@ppc64("31:6 RT RA RB OE 395:9 Rc", "divweu{o}{Rc} {RT}, {RA}, {RB}")
def divweu(cpu, RT, RA, RB, OE, Rc):
    """Divide Word Extended Unsigned. Book I, 3.3.9."""
    x, y = cpu.GPR[RA][31:0], cpu.GPR[RB][31:0]
    overflow = ~ult(x, y)
    quotient = udiv(cat(x, const(0, 32)), zext(y, 64))
    finish(cpu, RT, mux(overflow, const(0, 64), quotient), OE, Rc, overflow)


@ppc64("31:6 RT RA RB OE 425:9 Rc", "divde{o}{Rc} {RT}, {RA}, {RB}", signed=True)
@ppc64("31:6 RT RA RB OE 393:9 Rc", "divdeu{o}{Rc} {RT}, {RA}, {RB}", signed=False)
def divide_extended(cpu, RT, RA, RB, OE, Rc, signed):
    """Divide Doubleword Extended: the dividend has 64 zeros behind it. Book I, 3.3.9.1."""
    x, y = cpu.GPR[RA], cpu.GPR[RB]
    if not signed:
        overflow = ~ult(x, y)
        quotient = quotient128(mux(overflow, const(0, 64), x), mux(overflow, const(1, 64), y))
    else:
        magnitude, by = (mux(v[63], -v, v) for v in (x, y))
        too_large = ~ult(magnitude, by)
        size = quotient128(mux(too_large, const(0, 64), magnitude), mux(too_large, const(1, 64), by))
        negative = x[63] ^ y[63]
        overflow = too_large | mux(negative, ult(const(1 << 63, 64), size), size[63])
        quotient = mux(negative, -size, size)
    finish(cpu, RT, mux(overflow, const(0, 64), quotient), OE, Rc, overflow)


def quotient128(x: Bits, y: Bits) -> Bits:
    """Return x * 2**64 / y for x < y: long division in base 2**32 (Knuth, volume 2, 4.3.1, D); no host divides 128 bits portably."""
    shift = clz(y)
    d, n = y << shift, x << shift
    high, rest = _digit(n, d)
    low, _ = _digit(rest, d)
    return cat(high, low)


def _digit(n: Bits, d: Bits) -> tuple[Bits, Bits]:
    """Return 32 bits of the quotient n * 2**32 / d, and the remainder; d has its top bit, n < d."""
    top, bottom = zext(d[63:32], 64), zext(d[31:0], 64)
    q = udiv(n, top)
    r = n - q * top
    for _ in range(2):           # the estimate is at most 2 too large
        large = (r[63:32] == 0) & (ult(const(0xFFFFFFFF, 64), q) | ult(cat(r[31:0], const(0, 32)), q * bottom))
        q, r = mux(large, q - 1, q), mux(large, r + top, r)
    return q[31:0], cat(n[31:0], const(0, 32)) - q * d
