"""Advanced SIMD, two registers and a scalar, integers (ARM ARM A7.4.3)."""

from __future__ import annotations

from xemu.core.bits import Bits, Lanes
from xemu.targets.arm.neon_lanes import doubled_high_half, doubled_product, saturating, scalar_operand, widened
from xemu.targets.arm.simd import simd, vector

HALF_OR_WORD = "size != 0, size != 3"


def _same_length(cpu, x: Bits, M, Vm, size) -> tuple[Lanes, Lanes]:
    """Return the lanes of x, and the scalar in as many."""
    lanes = Lanes(x, 8 << size)
    return lanes, Lanes.splat(scalar_operand(cpu, Vm, M, size), lanes.count)


def _long(cpu, Dn, M, Vm, U, size) -> Lanes:
    """Return the products of the lanes of Dn and the scalar."""
    x, y = _same_length(cpu, cpu.D[Dn], M, Vm, size)
    return widened(x.bits, x.size, U) * widened(y.bits, y.size, U)


@vector("1111001 Q 1 D size Vn Vd 0000 N 1 M 0 Vm", "vmla.i{esize} {d}, {n}, {scalar}",
        where=HALF_OR_WORD, quads="dn")
def VMLA_by_scalar(cpu, V, d, n, M, Vm, size):
    """VMLA (by scalar, integer), A1/T1. ARM ARM A8.8.338."""
    x, y = _same_length(cpu, V[n], M, Vm, size)
    V[d] = (Lanes(V[d], x.size) + x * y).bits


@vector("1111001 Q 1 D size Vn Vd 0100 N 1 M 0 Vm", "vmls.i{esize} {d}, {n}, {scalar}",
        where=HALF_OR_WORD, quads="dn")
def VMLS_by_scalar(cpu, V, d, n, M, Vm, size):
    """VMLS (by scalar, integer), A1/T1. ARM ARM A8.8.338."""
    x, y = _same_length(cpu, V[n], M, Vm, size)
    V[d] = (Lanes(V[d], x.size) - x * y).bits


@vector("1111001 Q 1 D size Vn Vd 1000 N 1 M 0 Vm", "vmul.i{esize} {d}, {n}, {scalar}",
        where=HALF_OR_WORD, quads="dn")
def VMUL_by_scalar(cpu, V, d, n, M, Vm, size):
    """VMUL (by scalar, integer), A1/T1. ARM ARM A8.8.352."""
    x, y = _same_length(cpu, V[n], M, Vm, size)
    V[d] = (x * y).bits


@vector("1111001 Q 1 D size Vn Vd 1100 N 1 M 0 Vm", "vqdmulh.s{esize} {d}, {n}, {scalar}",
        where=HALF_OR_WORD, quads="dn")
def VQDMULH_by_scalar(cpu, V, d, n, M, Vm, size):
    """VQDMULH (by scalar), A2/T2. ARM ARM A8.8.372."""
    x, y = _same_length(cpu, V[n], M, Vm, size)
    V[d] = doubled_high_half(cpu, x, y, rounding=False)


@vector("1111001 Q 1 D size Vn Vd 1101 N 1 M 0 Vm", "vqrdmulh.s{esize} {d}, {n}, {scalar}",
        where=HALF_OR_WORD, quads="dn")
def VQRDMULH_by_scalar(cpu, V, d, n, M, Vm, size):
    """VQRDMULH (by scalar), A2/T2. ARM ARM A8.8.376."""
    x, y = _same_length(cpu, V[n], M, Vm, size)
    V[d] = doubled_high_half(cpu, x, y, rounding=True)


@simd("1111001 U 1 D size Vn Qd3 0 0010 N 1 M 0 Vm", "vmlal.{su}{esize} {Qd}, {Dn}, {scalar}",
      where=HALF_OR_WORD)
def VMLAL_by_scalar(cpu, Qd, Dn, M, Vm, U, size):
    """VMLAL (by scalar), A2/T2. ARM ARM A8.8.338."""
    cpu.Q128[Qd] = (Lanes(cpu.Q128[Qd], 16 << size) + _long(cpu, Dn, M, Vm, U, size)).bits


@simd("1111001 U 1 D size Vn Qd3 0 0110 N 1 M 0 Vm", "vmlsl.{su}{esize} {Qd}, {Dn}, {scalar}",
      where=HALF_OR_WORD)
def VMLSL_by_scalar(cpu, Qd, Dn, M, Vm, U, size):
    """VMLSL (by scalar), A2/T2. ARM ARM A8.8.338."""
    cpu.Q128[Qd] = (Lanes(cpu.Q128[Qd], 16 << size) - _long(cpu, Dn, M, Vm, U, size)).bits


@simd("1111001 U 1 D size Vn Qd3 0 1010 N 1 M 0 Vm", "vmull.{su}{esize} {Qd}, {Dn}, {scalar}",
      where=HALF_OR_WORD)
def VMULL_by_scalar(cpu, Qd, Dn, M, Vm, U, size):
    """VMULL (by scalar), A2/T2. ARM ARM A8.8.352."""
    cpu.Q128[Qd] = _long(cpu, Dn, M, Vm, U, size).bits


@simd("1111001 0 1 D size Vn Qd3 0 1011 N 1 M 0 Vm", "vqdmull.s{esize} {Qd}, {Dn}, {scalar}",
      where=HALF_OR_WORD)
def VQDMULL_by_scalar(cpu, Qd, Dn, M, Vm, size):
    """VQDMULL (by scalar), A2/T2. ARM ARM A8.8.373."""
    x, y = _same_length(cpu, cpu.D[Dn], M, Vm, size)
    cpu.Q128[Qd] = doubled_product(cpu, x, y).bits


@simd("1111001 0 1 D size Vn Qd3 0 0011 N 1 M 0 Vm", "vqdmlal.s{esize} {Qd}, {Dn}, {scalar}",
      where=HALF_OR_WORD)
def VQDMLAL_by_scalar(cpu, Qd, Dn, M, Vm, size):
    """VQDMLAL (by scalar), A2/T2. ARM ARM A8.8.371."""
    x, y = _same_length(cpu, cpu.D[Dn], M, Vm, size)
    cpu.Q128[Qd] = saturating(cpu, "sadds", Lanes(cpu.Q128[Qd], 2 * x.size), doubled_product(cpu, x, y)).bits


@simd("1111001 0 1 D size Vn Qd3 0 0111 N 1 M 0 Vm", "vqdmlsl.s{esize} {Qd}, {Dn}, {scalar}",
      where=HALF_OR_WORD)
def VQDMLSL_by_scalar(cpu, Qd, Dn, M, Vm, size):
    """VQDMLSL (by scalar), A2/T2. ARM ARM A8.8.371."""
    x, y = _same_length(cpu, cpu.D[Dn], M, Vm, size)
    cpu.Q128[Qd] = saturating(cpu, "ssubs", Lanes(cpu.Q128[Qd], 2 * x.size), doubled_product(cpu, x, y)).bits
