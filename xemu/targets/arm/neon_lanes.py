"""What Advanced SIMD rows have in common: lane-wise selection, shifts, rounding and saturation (ARM ARM A2.6, A7.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, Lanes, cat, const, extract, zext
from xemu.core.record import RegNo

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.targets.arm.state import ArmCpu


def choose(mask: Lanes, x: Lanes, y: Lanes) -> Lanes:
    """Return x where the lanes of mask are all ones, y where they are zeros."""
    return x & mask | y & ~mask


def whole(value: Bits) -> Lanes:
    """Return a register as doublewords, for bitwise operations: LLVM keeps vectors in vector registers."""
    return Lanes(value, 64)


def negated(x: Lanes) -> Lanes:
    """Return 0 - x."""
    return Lanes(const(0, x.bits.width), x.size) - x


def unsigned_or_signed(U: int, name: str) -> str:
    """Return the name of the unsigned or signed form of a lane operation: adds, subs, lt, le, max, min."""
    return ("u" if U else "s") + name


def shift_right(x: Lanes, count: Lanes | int, *, signed: bool) -> Lanes:
    """Shift right, arithmetically if signed."""
    return x.sar(count) if signed else x >> count


def rounding_shift_right(x: Lanes, count: Lanes, *, signed: bool) -> Lanes:
    """Shift right by 1 or more and round half up: as if x + (1 << (count - 1)) had one bit more."""
    return shift_right(x, count, signed=signed) + (shift_right(x, count - 1, signed=signed) & 1)


def saturated_to(x: Lanes, size: int, *, signed_in: bool, signed_out: bool) -> Lanes:
    """Clamp lanes to the range of `size` bits; the lanes keep their width."""
    high = (1 << (size - int(signed_out))) - 1
    if not signed_in:
        return x.op("umin", high)
    return x.op("smin", high).op("smax", -(high + 1) if signed_out else 0)


def flag_saturation(cpu: ArmCpu, differences: Bits) -> None:
    """Set FPSCR.QC if any bit of `differences` (saturated XOR plain result, or a mask) is set."""
    cpu.FPQC = cpu.FPQC | (differences != 0)


def narrow_saturated(cpu: ArmCpu, x: Lanes, *, signed_in: bool, signed_out: bool) -> Bits:
    """Return the lanes saturated to half their width, joined; sets FPSCR.QC."""
    clamped = saturated_to(x, x.size // 2, signed_in=signed_in, signed_out=signed_out)
    flag_saturation(cpu, clamped.bits ^ x.bits)
    return clamped.narrow().bits


def saturating(cpu: ArmCpu, name: str, x: Lanes, y: Lanes) -> Lanes:
    """Return x and y combined by uadds, sadds, usubs or ssubs; sets FPSCR.QC."""
    result = x.op(name, y)
    plain = x + y if name.endswith("adds") else x - y
    flag_saturation(cpu, result.bits ^ plain.bits)
    return result


def doubled_high_half(cpu: ArmCpu, x: Lanes, y: Lanes, *, rounding: bool) -> Bits:
    """Return the high half of 2 * x * y, signed and saturated, perhaps rounded; sets FPSCR.QC."""
    size = x.size
    product = x.widen(signed=True) * y.widen(signed=True)
    if rounding:
        product = product + (1 << (size - 2))
    return narrow_saturated(cpu, product.sar(size - 1), signed_in=True, signed_out=True)


def doubled_product(cpu: ArmCpu, x: Lanes, y: Lanes) -> Lanes:
    """Return 2 * x * y in lanes twice as wide, signed and saturated; sets FPSCR.QC."""
    product = x.widen(signed=True) * y.widen(signed=True)
    return saturating(cpu, "sadds", product, product)


def limits(x: Lanes, U: int) -> Lanes:
    """Return where each lane of x goes when it overflows: the unsigned maximum, or the signed limit of its sign."""
    if U:
        return Lanes(const(-1, x.bits.width), x.size)
    return x.sar(x.size - 1) ^ ((1 << (x.size - 1)) - 1)


def scalar(value: Bits, index: Bits, size: int) -> Bits:
    """Return lane `index` of a doubleword."""
    return extract(value >> (zext(index, 64) * size), 0, size)


def with_scalar(value: Bits, index: Bits, element: Bits) -> Bits:
    """Return a doubleword with lane `index` replaced."""
    at = zext(index, 64) * element.width
    hole = ~(const((1 << element.width) - 1, 64) << at)
    return value & hole | zext(element, 64) << at


def scalar_operand(cpu: ArmCpu, Vm: Bits, M: Bits, size: int) -> Bits:
    """Return the scalar that M:Vm name: Dm<2:0>[M:Vm<3>] for halfwords, Dm<3:0>[M] for words (ARM ARM A7.4.3)."""
    if size == 1:
        return scalar(cpu.D[RegNo(Vm[2:0])], cat(M, Vm[3]), 16)
    return scalar(cpu.D[RegNo(Vm)], M, 32)


def pairs(cpu: ArmCpu, n: RegNo, m: RegNo, size: int) -> tuple[Lanes, Lanes]:
    """Return the even and the odd lanes of Dm:Dn: the operands of VPADD, VPMAX and VPMIN."""
    x, y = Lanes(cpu.D[n], size), Lanes(cpu.D[m], size)
    both = range(2 * x.count)
    return x.shuffle(y, both[0::2]), x.shuffle(y, both[1::2])


def absolute_difference(x: Lanes, y: Lanes, U: int) -> Lanes:
    """Return |x - y|, which fits an unsigned lane."""
    return x.op(unsigned_or_signed(U, "max"), y) - x.op(unsigned_or_signed(U, "min"), y)


def widened(value: Bits, size: int, U: int) -> Lanes:
    """Return the lanes of `size` bits extended to twice that."""
    return Lanes(value, size).widen(signed=not U)


def polynomial_product(x: Lanes, y: Lanes) -> Lanes:
    """Multiply lanes as polynomials over {0, 1}, cut to the lane; only the low 8 bits of y count."""
    total = x ^ x
    for bit in range(8):
        chosen = (y & 1 << bit).op("eq", 1 << bit)
        total = total ^ x & chosen
        x = x + x
    return total


def halved(name: Callable[[Lanes, Lanes], Lanes], x: Bits, y: Bits, size: int, U: int) -> Bits:
    """Return (x name y) >> 1, computed without overflow."""
    total = name(widened(x, size, U), widened(y, size, U))
    return (total >> 1).narrow().bits
