"""Integer instructions: arithmetic, logic, shifts, bit tests, moves, conversions (SDM vol. 1, 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, bswap, cat, clz, const, ctz, mux, ror, sar, sext, udiv, ult, zext
from xemu.core.record import when
from xemu.targets.x86.isa import x86
from xemu.targets.x86.layout import DIVIDE_ERROR
from xemu.targets.x86.operands import Immediate, Register
from xemu.targets.x86.state import condition

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.targets.x86.operands import Operand
    from xemu.targets.x86.state import X86Cpu

RAX, RCX, RDX, RBX = 0, 1, 2, 3


# -- two operands: ADD OR ADC SBB AND SUB XOR CMP ----------------------------------------------------------------------


def add(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """ADD. SDM vol. 2A."""
    y = src.read()
    x, total = dst.update(lambda x: x + y)
    cpu.set_add(x, y, total)


def or_(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Logical inclusive OR. SDM vol. 2B."""
    y = src.read()
    cpu.set_logic(dst.update(lambda x: x | y)[1])


def adc(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """ADD with carry. SDM vol. 2A."""
    y, carry = src.read(), cpu.CF
    x, total = dst.update(lambda x: x + y + zext(carry, x.width))
    cpu.set_add(x, y, total)


def sbb(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Subtract with borrow. SDM vol. 2B."""
    y, carry = src.read(), cpu.CF
    x, total = dst.update(lambda x: x - y - zext(carry, x.width))
    cpu.set_sub(x, y, total)


def and_(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Logical AND. SDM vol. 2A."""
    y = src.read()
    cpu.set_logic(dst.update(lambda x: x & y)[1])


def sub(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Subtract. SDM vol. 2B."""
    y = src.read()
    x, total = dst.update(lambda x: x - y)
    cpu.set_sub(x, y, total)


def xor(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Exclusive OR. SDM vol. 2D."""
    y = src.read()
    cpu.set_logic(dst.update(lambda x: x ^ y)[1])


def cmp(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Compare. SDM vol. 2A."""
    x, y = dst.read(), src.read()
    cpu.set_sub(x, y, x - y)


for n, (name, function) in enumerate((("add", add), ("or", or_), ("adc", adc), ("sbb", sbb), ("and", and_), ("sub", sub), ("xor", xor),
                                      ("cmp", cmp))):
    lock = name != "cmp"
    for at, operands in enumerate(("Eb, Gb", "Ev, Gv", "Gb, Eb", "Gv, Ev", "AL, Ib", "rAX, Iz")):
        x86.row(function, f"{n * 8 + at:02X}{'' if at > 3 else ' /r'}", f"{name} {operands}", lock=lock and at < 2)
    x86.row(function, f"80 /{n} ib", f"{name} Eb, Ib", lock=lock)
    x86.row(function, f"81 /{n} iz", f"{name} Ev, Iz", lock=lock)
    x86.row(function, f"82 /{n} ib", f"{name} Eb, Ib", lock=lock, mode=32)
    x86.row(function, f"83 /{n} ib", f"{name} Ev, Ib", lock=lock)


@x86("84 /r", "test Eb, Gb")
@x86("85 /r", "test Ev, Gv")
@x86("A8 ib", "test AL, Ib")
@x86("A9 iz", "test rAX, Iz")
@x86("F6 /0 ib", "test Eb, Ib")
@x86("F6 /1 ib", "test Eb, Ib")
@x86("F7 /0 iz", "test Ev, Iz")
@x86("F7 /1 iz", "test Ev, Iz")
def test(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Logical compare. SDM vol. 2B."""
    cpu.set_logic(dst.read() & src.read())


# -- one operand ---------------------------------------------------------------------------------------------------------


def _step(cpu: X86Cpu, dst: Operand, by: int) -> None:
    """Add 1 or -1; CF stays."""
    carry = cpu.CF
    x, total = dst.update(lambda x: x + by)
    cpu.set_result(total)
    edge = 1 << (x.width - 1)
    cpu.set_carries(carry, total == (edge if by > 0 else edge - 1), (x ^ total)[4])


@x86("FE /0", "inc Eb", lock=True)
@x86("FF /0", "inc Ev", lock=True)
@x86("40+r", "inc Zv", mode=32)
def inc(cpu: X86Cpu, dst: Operand) -> None:
    """Increment by 1. SDM vol. 2A."""
    _step(cpu, dst, 1)


@x86("FE /1", "dec Eb", lock=True)
@x86("FF /1", "dec Ev", lock=True)
@x86("48+r", "dec Zv", mode=32)
def dec(cpu: X86Cpu, dst: Operand) -> None:
    """Decrement by 1. SDM vol. 2A."""
    _step(cpu, dst, -1)


@x86("F6 /2", "not Eb", lock=True)
@x86("F7 /2", "not Ev", lock=True)
def not_(_cpu: X86Cpu, dst: Operand) -> None:
    """One's complement. SDM vol. 2B."""
    dst.update(lambda x: ~x)


@x86("F6 /3", "neg Eb", lock=True)
@x86("F7 /3", "neg Ev", lock=True)
def neg(cpu: X86Cpu, dst: Operand) -> None:
    """Two's complement. SDM vol. 2B."""
    x, total = dst.update(lambda x: -x)
    cpu.set_sub(const(0, x.width), x, total)


# -- multiplication and division ------------------------------------------------------------------------------------------


def _accumulator(cpu: X86Cpu, width: int) -> tuple[Operand, Operand]:
    """Return (low, high) of the double-width accumulator: AL and AH, AX and DX …"""
    if width == 8:
        return Register(cpu, const(RAX, 8), 8), Register(cpu, const(4, 8), 8, const(0, 1))
    return Register(cpu, const(RAX, 8), width), Register(cpu, const(RDX, 8), width)


def _product_flags(cpu: X86Cpu, low: Bits, *, lost: Bits) -> None:
    """CF and OF say that the high half counts; SF and PF are those of the low half, ZF and AF are clear (undefined: as Intel's do)."""
    cpu.set_status(low)
    cpu.set_carries(lost, lost, const(0, 1))


@x86("F6 /4", "mul Eb")
@x86("F7 /4", "mul Ev")
def mul(cpu: X86Cpu, src: Operand) -> None:
    """Unsigned multiply. SDM vol. 2B."""
    _multiply(cpu, src, zext)


@x86("F6 /5", "imul Eb")
@x86("F7 /5", "imul Ev")
def imul(cpu: X86Cpu, src: Operand) -> None:
    """Signed multiply, one operand. SDM vol. 2A."""
    _multiply(cpu, src, sext)


def _multiply(cpu: X86Cpu, src: Operand, widen: Callable[[Bits, int], Bits]) -> None:
    w = src.width
    low, high = _accumulator(cpu, w)
    product = widen(low.read(), 2 * w) * widen(src.read(), 2 * w)
    _product_flags(cpu, product[w - 1:0], lost=product != widen(product[w - 1:0], 2 * w))
    low.write(product[w - 1:0])
    high.write(product[2 * w - 1:w])


@x86("0F AF /r", "imul Gv, Ev")
def imul2(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Signed multiply, two operands. SDM vol. 2A."""
    imul3(cpu, dst, dst, src)


@x86("69 /r iz", "imul Gv, Ev, Iz")
@x86("6B /r ib", "imul Gv, Ev, Ib")
def imul3(cpu: X86Cpu, dst: Operand, first: Operand, second: Operand) -> None:
    """Signed multiply, three operands. SDM vol. 2A."""
    w = dst.width
    product = sext(first.read(), 2 * w) * sext(second.read(), 2 * w)
    low = product[w - 1:0]
    _product_flags(cpu, low, lost=product != sext(low, 2 * w))
    dst.write(low)


@x86("F6 /6", "div Eb")
@x86("F7 /6", "div Ev")
def div(cpu: X86Cpu, src: Operand) -> None:
    """Unsigned divide; flags stay. SDM vol. 2A."""
    w = src.width
    low, high = _accumulator(cpu, w)
    divisor, upper, lower = src.read(), high.read(), low.read()
    with when(~ult(upper, divisor)):                                 # also division by zero
        cpu.abort("exception", DIVIDE_ERROR)
    quotient, remainder = divide(upper, lower, divisor)
    low.write(quotient)
    high.write(remainder)


def divide(upper: Bits, lower: Bits, divisor: Bits) -> tuple[Bits, Bits]:
    """Return quotient and remainder of upper:lower / divisor, where upper < divisor."""
    w = lower.width
    if w < 64:
        dividend = cat(upper, lower)
        quotient = udiv(dividend, zext(divisor, 2 * w))
        return quotient[w - 1:0], (dividend - quotient * zext(divisor, 2 * w))[w - 1:0]
    return divide128(upper, lower, divisor)


def divide128(upper: Bits, lower: Bits, divisor: Bits) -> tuple[Bits, Bits]:
    """The same for 64 bits: no host divides 128 bits portably; long division in base 2**32 (Knuth, volume 2, 4.3.1, D)."""
    simple = upper == 0
    shift = clz(divisor)
    d = divisor << shift
    n = cat(upper, lower) << zext(shift, 128)
    d1, d0 = zext(d[63:32], 64), zext(d[31:0], 64)
    q1, rest = _digit(n[127:64], n[63:32], d, d1, d0)
    q0, rest = _digit(rest, n[31:0], d, d1, d0)
    long_q = (q1 << 32) | q0
    long_r = rest >> shift
    short_q = udiv(lower, divisor)
    short_r = lower - short_q * divisor
    return mux(simple, short_q, long_q), mux(simple, short_r, long_r)


def _digit(high: Bits, low: Bits, d: Bits, d1: Bits, d0: Bits) -> tuple[Bits, Bits]:
    """Return one digit of 32 bits of (high:low) / d, and the remainder; d is normalised, high < d."""
    q = udiv(high, d1)
    r = high - q * d1
    for _ in range(2):
        large = (~(q[63:32] == 0) | ult(cat(r[31:0], low), q * d0)) & (r[63:32] == 0)
        q, r = mux(large, q - 1, q), mux(large, r + d1, r)
    return q, cat(high[31:0], low) - q * d


@x86("F6 /7", "idiv Eb")
@x86("F7 /7", "idiv Ev")
def idiv(cpu: X86Cpu, src: Operand) -> None:
    """Signed divide; flags stay. SDM vol. 2A."""
    w = src.width
    low, high = _accumulator(cpu, w)
    divisor, dividend = src.read(), cat(high.read(), low.read())
    negative, opposite = dividend[2 * w - 1], divisor[w - 1]
    magnitude = mux(negative, -dividend, dividend)
    by = mux(opposite, -divisor, divisor)
    upper, lower = magnitude[2 * w - 1:w], magnitude[w - 1:0]
    fits = ult(upper, by)
    quotient, remainder = divide(mux(fits, upper, const(0, w)), lower, mux(fits, by, const(1, w)))
    differ = negative ^ opposite
    limit = zext(differ, w) + ((1 << (w - 1)) - 1)
    with when(~fits | ult(limit, quotient)):
        cpu.abort("exception", DIVIDE_ERROR)
    low.write(mux(differ, -quotient, quotient))
    high.write(mux(negative, -remainder, remainder))


# -- shifts and rotates ---------------------------------------------------------------------------------------------------


def _count(dst: Operand, src: Operand) -> Bits:
    """Return the count modulo 32 or 64, as wide as the operand."""
    return zext(src.read()[5 if dst.width == 64 else 4:0], dst.width) if dst.width > 8 else zext(src.read()[4:0], 8)


def _shift(cpu: X86Cpu, dst: Operand, src: Operand, shift: Callable[[Bits, Bits], tuple[Bits, Bits]],
           overflow: Callable[[Bits], Bits]) -> None:
    """Shift by a count; a count of 0 changes no flag. `shift`: (value, count) -> (result, carry).

    `overflow`: OF of a shift by 1; it is undefined for others, and Intel's processors set it as if they were by 1.
    """
    count = _count(dst, src)
    x, result = dst.update(lambda x: shift(x, count)[0])
    with when(count != 0):
        cpu.set_result(result)
        cpu.set_carries(shift(x, count)[1], overflow(x), const(0, 1))


def top_bits_differ(x: Bits) -> Bits:
    """Return whether the sign changes when a value is shifted left by 1."""
    return x[x.width - 1] ^ x[x.width - 2]


def _shl(x: Bits, n: Bits) -> tuple[Bits, Bits]:
    return x << n, (x << (n - 1))[x.width - 1]


def _shr(x: Bits, n: Bits) -> tuple[Bits, Bits]:
    return x >> n, (x >> (n - 1))[0]


def _sar(x: Bits, n: Bits) -> tuple[Bits, Bits]:
    return sar(x, n), sar(x, n - 1)[0]


def _group2(digit: int, name: str, function: Callable[..., None]) -> None:
    for opcode, operands in (("C0", "Eb, Ib"), ("C1", "Ev, Ib"), ("D0", "Eb, 1"), ("D1", "Ev, 1"), ("D2", "Eb, CL"), ("D3", "Ev, CL")):
        x86.row(function, f"{opcode} /{digit}{' ib' if 'I' in operands else ''}", f"{name} {operands}")


def shl(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Shift left. SDM vol. 2B, SAL/SAR/SHL/SHR."""
    _shift(cpu, dst, src, _shl, top_bits_differ)


def shr(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Shift right, unsigned. SDM vol. 2B."""
    _shift(cpu, dst, src, _shr, lambda x: x[x.width - 1])


def sar_(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Shift right, signed. SDM vol. 2B."""
    _shift(cpu, dst, src, _sar, lambda _: const(0, 1))


def _rotate(cpu: X86Cpu, dst: Operand, src: Operand, turn: Callable[[Bits, Bits], Bits],
            flags: Callable[[Bits, Bits], tuple[Bits, Bits]]) -> None:
    """Rotate by a count. `flags`: (old, result) -> (CF, OF as if by 1).

    By an immediate other than 1 registers are rotated without a change of OF (it is undefined: Intel's processors do so).
    """
    count = _count(dst, src)
    x, result = dst.update(lambda x: turn(x, count))
    carry, overflow = flags(x, result)
    if isinstance(src, Immediate) and isinstance(dst, Register):
        overflow = mux(count == 1, overflow, cpu.OF)
    with when(count != 0):
        cpu.set_flags(CF=carry, OF=overflow)


def rol(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Rotate left. SDM vol. 2B, RCL/RCR/ROL/ROR."""
    _rotate(cpu, dst, src, lambda x, n: ror(x, -n), lambda x, result: (result[0], top_bits_differ(x)))


def ror_(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Rotate right. SDM vol. 2B."""
    top = dst.width - 1
    _rotate(cpu, dst, src, ror, lambda x, result: (result[top], x[top] ^ x[0]))


def _through_carry(dst: Operand, count: Bits) -> Bits:
    """Return the count of RCL and RCR: modulo 9 and 17 for 8 and 16 bits."""
    if dst.width > 16:
        return count
    by = const(dst.width + 1, count.width)
    return count - udiv(count, by) * by


def rcl(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Rotate left through the carry; OF as if by 1. SDM vol. 2B."""
    w, count, carry = dst.width, _through_carry(dst, _count(dst, src)), cpu.CF
    x, _ = dst.update(lambda x: mux(count == 0, x, x << count | x >> 1 >> (w - count) | zext(carry, w) << (count - 1)))
    with when(count != 0):
        cpu.set_flags(CF=(x >> (w - count))[0], OF=top_bits_differ(x))


def rcr(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Rotate right through the carry; OF as if by 1. SDM vol. 2B."""
    w, count, carry = dst.width, _through_carry(dst, _count(dst, src)), cpu.CF
    x, _ = dst.update(lambda x: mux(count == 0, x, x >> count | x << 1 << (w - count) | zext(carry, w) << (w - count)))
    with when(count != 0):
        cpu.set_flags(CF=(x >> (count - 1))[0], OF=x[w - 1] ^ carry)


for digit, (name, function) in enumerate((("rol", rol), ("ror", ror_), ("rcl", rcl), ("rcr", rcr), ("shl", shl), ("shr", shr),
                                          ("sal", shl), ("sar", sar_))):
    _group2(digit, name, function)


def _double_shift(cpu: X86Cpu, dst: Operand, count: Bits, shift: Callable[[Bits], tuple[Bits, Bits]],
                  overflow: Callable[[Bits], Bits]) -> None:
    """Shift bits of another register in; OF as if by 1. `shift`: value -> (result, carry), for a count that is not 0."""
    x, result = dst.update(lambda x: mux(count == 0, x, shift(x)[0]))
    with when(count != 0):
        cpu.set_result(result)
        cpu.set_carries(shift(x)[1], overflow(x), const(0, 1))


@x86("0F A4 /r ib", "shld Ev, Gv, Ib")
@x86("0F A5 /r", "shld Ev, Gv, CL")
def shld(cpu: X86Cpu, dst: Operand, src: Operand, by: Operand) -> None:
    """Double precision shift left; 16 bits by more than that go on with the destination's. SDM vol. 2B."""
    w, count, y = dst.width, _count(dst, by), src.read()

    def shift(x: Bits) -> tuple[Bits, Bits]:
        if w > 16:
            return x << count | y >> (w - count), (x >> (w - count))[0]
        before = cat(x, y, x) << zext(count - 1, 48)
        return before[46:31], before[47]
    _double_shift(cpu, dst, count, shift, top_bits_differ)


@x86("0F AC /r ib", "shrd Ev, Gv, Ib")
@x86("0F AD /r", "shrd Ev, Gv, CL")
def shrd(cpu: X86Cpu, dst: Operand, src: Operand, by: Operand) -> None:
    """Double precision shift right; 16 bits by more than that go on with the destination's. SDM vol. 2B."""
    w, count, y = dst.width, _count(dst, by), src.read()

    def shift(x: Bits) -> tuple[Bits, Bits]:
        if w > 16:
            return x >> count | y << (w - count), (x >> (count - 1))[0]
        before = cat(x, y, x) >> zext(count - 1, 48)
        return before[16:1], before[0]
    _double_shift(cpu, dst, count, shift, lambda x: x[w - 1] ^ y[0])


# -- moves ------------------------------------------------------------------------------------------------------------------


@x86("88 /r", "mov Eb, Gb")
@x86("89 /r", "mov Ev, Gv")
@x86("8A /r", "mov Gb, Eb")
@x86("8B /r", "mov Gv, Ev")
@x86("A0", "mov AL, Ob")
@x86("A1", "mov rAX, Ov")
@x86("A2", "mov Ob, AL")
@x86("A3", "mov Ov, rAX")
@x86("B0+r ib", "mov Zb, Ib")
@x86("B8+r iv", "mov Zv, Iv")
@x86("C6 /0 ib", "mov Eb, Ib")
@x86("C7 /0 iz", "mov Ev, Iz")
def mov(_cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Move. SDM vol. 2B."""
    dst.write(src.read())


@x86("NP 0F C3 /r", "movnti My, Gy")
def movnti(_cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Store a register past the caches. SDM vol. 2B."""
    dst.write(src.read())


@x86("0F B6 /r", "movzx Gv, Eb")
@x86("0F B7 /r", "movzx Gv, Ew")
def movzx(_cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Move with zero-extend. SDM vol. 2B."""
    value = src.read()
    dst.write(zext(value, dst.width) if value.width < dst.width else value)


@x86("0F BE /r", "movsx Gv, Eb")
@x86("0F BF /r", "movsx Gv, Ew")
@x86("63 /r", "movsxd Gv, Ez", mode=64)
def movsx(_cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Move with sign-extension. SDM vol. 2B."""
    value = src.read()
    dst.write(sext(value, dst.width) if value.width < dst.width else value)


@x86("8D /r", "lea Gv, Mb")
def lea(_cpu: X86Cpu, dst: Operand, src: Any) -> None:
    """Load effective address: without the segment's base. SDM vol. 2A."""
    offset = src.offset
    dst.write(offset[dst.width - 1:0] if offset.width >= dst.width else zext(offset, dst.width))


@x86("86 /r", "xchg Eb, Gb", lock=True)
@x86("87 /r", "xchg Ev, Gv", lock=True)
def xchg(_cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Exchange; with memory always as if under LOCK. SDM vol. 2D."""
    y = src.read()
    if hasattr(dst, "lock"):
        dst.lock = 1
    src.write(dst.update(lambda _: y)[0])


@x86("90+r", "xchg Zv, rAX")
def xchg_accumulator(_cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Exchange with the accumulator. SDM vol. 2D."""
    x, y = dst.read(), src.read()
    dst.write(y)
    src.write(x)


@x86("0F C0 /r", "xadd Eb, Gb", lock=True)
@x86("0F C1 /r", "xadd Ev, Gv", lock=True)
def xadd(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Exchange and add. SDM vol. 2D."""
    y = src.read()
    if hasattr(dst, "lock"):
        x, total = dst.update(lambda x: x + y)
        src.write(x)
    else:
        x = dst.read()
        total = x + y
        src.write(x)
        dst.write(total)                                             # the second write counts where they are the same register
    cpu.set_add(x, y, total)


@x86("0F B0 /r", "cmpxchg Eb, Gb", lock=True)
@x86("0F B1 /r", "cmpxchg Ev, Gv", lock=True)
def cmpxchg(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Compare and exchange; the destination is written in any case. SDM vol. 2A."""
    accumulator = Register(cpu, const(RAX, 8), dst.width)
    y, expected = src.read(), accumulator.read()
    if isinstance(dst, Register):                                    # where it differs the upper half stays, too
        x = dst.read()
        with when(x == expected):
            dst.write(y)
    else:
        x, _ = dst.update(lambda x: mux(x == expected, y, x))
    cpu.set_sub(expected, x, expected - x)
    with when(x != expected):
        accumulator.write(x)


@x86("0F C7 /1", "cmpxchg8b Mq", lock=True, where={"W": 0})
def cmpxchg8b(cpu: X86Cpu, dst: Operand) -> None:
    """Compare and exchange 8 bytes. SDM vol. 2A."""
    a, c, d, b = (cpu.R[n][31:0] for n in (RAX, RCX, RDX, RBX))
    expected, new = cat(d, a), cat(c, b)
    old, _ = dst.update(lambda x: mux(x == expected, new, x))
    same = old == expected
    cpu.set_flags(ZF=same)
    with when(~same):
        cpu.R[RAX] = zext(old[31:0], 64)
        cpu.R[RDX] = zext(old[63:32], 64)


@x86("REX.W 0F C7 /1", "cmpxchg16b Mdq", lock=True)
def cmpxchg16b(cpu: X86Cpu, dst: Any) -> None:
    """Compare and exchange 16 bytes, aligned. SDM vol. 2A."""
    a, c, d, b = (cpu.R[n] for n in (RAX, RCX, RDX, RBX))
    expected, new = cat(d, a), cat(c, b)
    dst.align = 16
    old, _ = dst.update(lambda x: mux(x == expected, new, x))
    same = old == expected
    cpu.set_flags(ZF=same)
    with when(~same):
        cpu.R[RAX] = old[63:0]
        cpu.R[RDX] = old[127:64]


@x86("0F C8+r", "bswap Zv")
def bswap_(_cpu: X86Cpu, dst: Operand) -> None:
    """Byte swap; of 16 bits undefined: 0, as Intel's do. SDM vol. 2A."""
    x = dst.read()
    dst.write(const(0, 16) if dst.width == 16 else bswap(x))


@x86("98", "cbw", sizes="v")
def cbw(cpu: X86Cpu, size: int) -> None:
    """CBW, CWDE, CDQE. SDM vol. 2A."""
    half = Register(cpu, const(RAX, 8), size // 2).read()
    Register(cpu, const(RAX, 8), size).write(sext(half, size))


@x86("99", "cwd", sizes="v")
def cwd(cpu: X86Cpu, size: int) -> None:
    """CWD, CDQ, CQO. SDM vol. 2A."""
    sign = Register(cpu, const(RAX, 8), size).read()[size - 1]
    Register(cpu, const(RDX, 8), size).write(sext(sign, size))


for cc, suffix in enumerate(["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"]):
    def setcc(cpu: X86Cpu, dst: Operand, *, cc: int) -> None:
        """Set byte on condition. SDM vol. 2B."""
        dst.write(zext(condition(cpu, cc), 8))

    def cmovcc(cpu: X86Cpu, dst: Operand, src: Operand, *, cc: int) -> None:
        """Conditional move; the source is read in any case. SDM vol. 2A."""
        x, y = dst.read(), src.read()
        dst.write(mux(condition(cpu, cc), y, x))
    x86.row(setcc, f"0F {0x90 + cc:02X} /r", f"set{suffix} Eb", cc=cc)
    x86.row(cmovcc, f"0F {0x40 + cc:02X} /r", f"cmov{suffix} Gv, Ev", cc=cc)


# -- bits ------------------------------------------------------------------------------------------------------------------


def _bit(cpu: X86Cpu, dst: Any, src: Operand, function: Callable[[Bits, Bits], Bits] | None) -> None:
    """Copy a bit to CF, and change it. With a register as source, memory is a string of bits (SDM vol. 2A, BT)."""
    w = dst.width
    number = src.read()
    if isinstance(src, Register) and hasattr(dst, "address"):
        dst = dst.moved(_bytes_of(number, cpu.bits))
    mask = const(1, w) << (number & (w - 1))
    if function is None:
        x = dst.read()
    else:
        x, _ = dst.update(lambda x: function(x, mask))
    cpu.set_flags(CF=(x & mask) != 0)


def _bytes_of(number: Bits, bits: int) -> Bits:
    """Return the byte offset of the word of a bit string that has a bit."""
    w = number.width
    words = sar(number, w.bit_length() - 1)
    offset = words << (w.bit_length() - 4)
    return sext(offset, bits) if w < bits else offset[bits - 1:0]


for at, digit, name, change in ((0xA3, 4, "bt", None), (0xAB, 5, "bts", lambda x, m: x | m), (0xB3, 6, "btr", lambda x, m: x & ~m),
                                (0xBB, 7, "btc", lambda x, m: x ^ m)):
    def bt(cpu: X86Cpu, dst: Operand, src: Operand, *, change: Any) -> None:
        """Bit test (and set, reset, complement). SDM vol. 2A."""
        _bit(cpu, dst, src, change)
    x86.row(bt, f"0F {at:02X} /r", f"{name} Ev, Gv", change=change, lock=change is not None)
    x86.row(bt, f"0F BA /{digit} ib", f"{name} Ev, Ib", change=change, lock=change is not None)


def _scan(cpu: X86Cpu, dst: Operand, src: Operand, function: Callable[[Bits], Bits]) -> None:
    """Find a bit; the whole destination stays where the source is 0. PF is the number's (undefined: as Intel's do)."""
    x = src.read()
    found = function(x)
    with when(x != 0):
        dst.write(found)
    cpu.set_status(mux(x == 0, const(0, x.width), found), x == 0)


@x86("0F BC /r", "bsf Gv, Ev")
def bsf(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Bit scan forward. SDM vol. 2A."""
    _scan(cpu, dst, src, ctz)


@x86("0F BD /r", "bsr Gv, Ev")
def bsr(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """Bit scan reverse. SDM vol. 2A."""
    _scan(cpu, dst, src, lambda x: const(x.width - 1, x.width) - clz(x))
