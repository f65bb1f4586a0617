"""Advanced SIMD, three registers of different lengths, integers (ARM ARM A7.4.2).

Size 3 of these encodings belongs to VEXT, VTBL, VDUP and the two-register group.
"""

from __future__ import annotations

from xemu.core.bits import Bits, Lanes
from xemu.targets.arm.neon_lanes import (
    absolute_difference,
    doubled_product,
    polynomial_product,
    saturating,
    widened,
)
from xemu.targets.arm.simd import simd

# -- long and wide addition and subtraction ---------------------------------------------------------------------------


@simd("1111001 U 1 D size Vn Qd3 0 0000 N 0 M 0 Vm", "vaddl.{su}{esize} {Qd}, {Dn}, {Dm}", where="size != 3")
def VADDL(cpu, Qd, Dn, Dm, U, size):
    """VADDL, A1/T1. ARM ARM A8.8.285."""
    cpu.Q128[Qd] = (widened(cpu.D[Dn], 8 << size, U) + widened(cpu.D[Dm], 8 << size, U)).bits


@simd("1111001 U 1 D size Qn3 0 Qd3 0 0001 N 0 M 0 Vm", "vaddw.{su}{esize} {Qd}, {Qn}, {Dm}", where="size != 3")
def VADDW(cpu, Qd, Qn, Dm, U, size):
    """VADDW, A1/T1. ARM ARM A8.8.285."""
    cpu.Q128[Qd] = (Lanes(cpu.Q128[Qn], 16 << size) + widened(cpu.D[Dm], 8 << size, U)).bits


@simd("1111001 U 1 D size Vn Qd3 0 0010 N 0 M 0 Vm", "vsubl.{su}{esize} {Qd}, {Dn}, {Dm}", where="size != 3")
def VSUBL(cpu, Qd, Dn, Dm, U, size):
    """VSUBL, A1/T1. ARM ARM A8.8.417."""
    cpu.Q128[Qd] = (widened(cpu.D[Dn], 8 << size, U) - widened(cpu.D[Dm], 8 << size, U)).bits


@simd("1111001 U 1 D size Qn3 0 Qd3 0 0011 N 0 M 0 Vm", "vsubw.{su}{esize} {Qd}, {Qn}, {Dm}", where="size != 3")
def VSUBW(cpu, Qd, Qn, Dm, U, size):
    """VSUBW, A1/T1. ARM ARM A8.8.417."""
    cpu.Q128[Qd] = (Lanes(cpu.Q128[Qn], 16 << size) - widened(cpu.D[Dm], 8 << size, U)).bits


# -- high half of a sum or difference ---------------------------------------------------------------------------------


def _high_half(x: Lanes, *, rounding: bool) -> Bits:
    half = x.size // 2
    return ((x + (1 << (half - 1)) if rounding else x) >> half).narrow().bits


@simd("1111001 0 1 D size Qn3 0 Vd 0100 N 0 M 0 Qm3 0", "vaddhn.i{esize2} {Dd}, {Qn}, {Qm}", where="size != 3")
def VADDHN(cpu, Dd, Qn, Qm, size):
    """VADDHN, A1/T1. ARM ARM A8.8.284."""
    cpu.D[Dd] = _high_half(Lanes(cpu.Q128[Qn], 16 << size) + Lanes(cpu.Q128[Qm], 16 << size), rounding=False)


@simd("1111001 1 1 D size Qn3 0 Vd 0100 N 0 M 0 Qm3 0", "vraddhn.i{esize2} {Dd}, {Qn}, {Qm}", where="size != 3")
def VRADDHN(cpu, Dd, Qn, Qm, size):
    """VRADDHN, A1/T1. ARM ARM A8.8.383."""
    cpu.D[Dd] = _high_half(Lanes(cpu.Q128[Qn], 16 << size) + Lanes(cpu.Q128[Qm], 16 << size), rounding=True)


@simd("1111001 0 1 D size Qn3 0 Vd 0110 N 0 M 0 Qm3 0", "vsubhn.i{esize2} {Dd}, {Qn}, {Qm}", where="size != 3")
def VSUBHN(cpu, Dd, Qn, Qm, size):
    """VSUBHN, A1/T1. ARM ARM A8.8.416."""
    cpu.D[Dd] = _high_half(Lanes(cpu.Q128[Qn], 16 << size) - Lanes(cpu.Q128[Qm], 16 << size), rounding=False)


@simd("1111001 1 1 D size Qn3 0 Vd 0110 N 0 M 0 Qm3 0", "vrsubhn.i{esize2} {Dd}, {Qn}, {Qm}", where="size != 3")
def VRSUBHN(cpu, Dd, Qn, Qm, size):
    """VRSUBHN, A1/T1. ARM ARM A8.8.394."""
    cpu.D[Dd] = _high_half(Lanes(cpu.Q128[Qn], 16 << size) - Lanes(cpu.Q128[Qm], 16 << size), rounding=True)


# -- absolute difference and multiplication, long ---------------------------------------------------------------------


def _long_distance(x: Bits, y: Bits, size: int, U: int) -> Lanes:
    return absolute_difference(Lanes(x, 8 << size), Lanes(y, 8 << size), U).widen(signed=False)


@simd("1111001 U 1 D size Vn Qd3 0 0101 N 0 M 0 Vm", "vabal.{su}{esize} {Qd}, {Dn}, {Dm}", where="size != 3")
def VABAL(cpu, Qd, Dn, Dm, U, size):
    """VABAL, A2/T2. ARM ARM A8.8.277."""
    cpu.Q128[Qd] = (Lanes(cpu.Q128[Qd], 16 << size) + _long_distance(cpu.D[Dn], cpu.D[Dm], size, U)).bits


@simd("1111001 U 1 D size Vn Qd3 0 0111 N 0 M 0 Vm", "vabdl.{su}{esize} {Qd}, {Dn}, {Dm}", where="size != 3")
def VABDL_integer(cpu, Qd, Dn, Dm, U, size):
    """VABDL (integer), A2/T2. ARM ARM A8.8.278."""
    cpu.Q128[Qd] = _long_distance(cpu.D[Dn], cpu.D[Dm], size, U).bits


@simd("1111001 U 1 D size Vn Qd3 0 1100 N 0 M 0 Vm", "vmull.{su}{esize} {Qd}, {Dn}, {Dm}", where="size != 3")
def VMULL_integer(cpu, Qd, Dn, Dm, U, size):
    """VMULL (integer), A2/T2. ARM ARM A8.8.350."""
    cpu.Q128[Qd] = (widened(cpu.D[Dn], 8 << size, U) * widened(cpu.D[Dm], 8 << size, U)).bits


@simd("1111001 0 1 D 00 Vn Qd3 0 1110 N 0 M 0 Vm", "vmull.p8 {Qd}, {Dn}, {Dm}")
def VMULL_polynomial(cpu, Qd, Dn, Dm):
    """VMULL (polynomial), A2/T2. ARM ARM A8.8.350."""
    cpu.Q128[Qd] = polynomial_product(widened(cpu.D[Dn], 8, 1), widened(cpu.D[Dm], 8, 1)).bits


@simd("1111001 U 1 D size Vn Qd3 0 1000 N 0 M 0 Vm", "vmlal.{su}{esize} {Qd}, {Dn}, {Dm}", where="size != 3")
def VMLAL_integer(cpu, Qd, Dn, Dm, U, size):
    """VMLAL (integer), A2/T2. ARM ARM A8.8.336."""
    product = widened(cpu.D[Dn], 8 << size, U) * widened(cpu.D[Dm], 8 << size, U)
    cpu.Q128[Qd] = (Lanes(cpu.Q128[Qd], 16 << size) + product).bits


@simd("1111001 U 1 D size Vn Qd3 0 1010 N 0 M 0 Vm", "vmlsl.{su}{esize} {Qd}, {Dn}, {Dm}", where="size != 3")
def VMLSL_integer(cpu, Qd, Dn, Dm, U, size):
    """VMLSL (integer), A2/T2. ARM ARM A8.8.336."""
    product = widened(cpu.D[Dn], 8 << size, U) * widened(cpu.D[Dm], 8 << size, U)
    cpu.Q128[Qd] = (Lanes(cpu.Q128[Qd], 16 << size) - product).bits


@simd("1111001 0 1 D size Vn Qd3 0 1101 N 0 M 0 Vm", "vqdmull.s{esize} {Qd}, {Dn}, {Dm}", where="size != 0, size != 3")
def VQDMULL(cpu, Qd, Dn, Dm, size):
    """VQDMULL, A1/T1. ARM ARM A8.8.373."""
    cpu.Q128[Qd] = doubled_product(cpu, Lanes(cpu.D[Dn], 8 << size), Lanes(cpu.D[Dm], 8 << size)).bits


@simd("1111001 0 1 D size Vn Qd3 0 1001 N 0 M 0 Vm", "vqdmlal.s{esize} {Qd}, {Dn}, {Dm}", where="size != 0, size != 3")
def VQDMLAL(cpu, Qd, Dn, Dm, size):
    """VQDMLAL, A1/T1. ARM ARM A8.8.371."""
    product = doubled_product(cpu, Lanes(cpu.D[Dn], 8 << size), Lanes(cpu.D[Dm], 8 << size))
    cpu.Q128[Qd] = saturating(cpu, "sadds", Lanes(cpu.Q128[Qd], 16 << size), product).bits


@simd("1111001 0 1 D size Vn Qd3 0 1011 N 0 M 0 Vm", "vqdmlsl.s{esize} {Qd}, {Dn}, {Dm}", where="size != 0, size != 3")
def VQDMLSL(cpu, Qd, Dn, Dm, size):
    """VQDMLSL, A1/T1. ARM ARM A8.8.371."""
    product = doubled_product(cpu, Lanes(cpu.D[Dn], 8 << size), Lanes(cpu.D[Dm], 8 << size))
    cpu.Q128[Qd] = saturating(cpu, "ssubs", Lanes(cpu.Q128[Qd], 16 << size), product).bits
