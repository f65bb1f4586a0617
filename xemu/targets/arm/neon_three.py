"""Advanced SIMD, three registers of the same length, integers (ARM ARM A7.4.1).

Floating-point rows of this group are in neon_fp.py.
"""

from __future__ import annotations

import operator

from xemu.core.bits import Lanes
from xemu.targets.arm.neon_lanes import (
    absolute_difference,
    choose,
    doubled_high_half,
    flag_saturation,
    halved,
    limits,
    negated,
    pairs,
    polynomial_product,
    rounding_shift_right,
    saturating,
    shift_right,
    unsigned_or_signed,
    whole,
)
from xemu.targets.arm.simd import simd, vector

# -- bitwise ----------------------------------------------------------------------------------------------------------


@vector("1111001 0 0 D 00 Vn Vd 0001 N Q M 1 Vm", "vand {d}, {n}, {m}")
def VAND_register(cpu, V, d, n, m):
    """VAND (register), A1/T1. ARM ARM A8.8.287."""
    V[d] = (whole(V[n]) & whole(V[m])).bits


@vector("1111001 0 0 D 01 Vn Vd 0001 N Q M 1 Vm", "vbic {d}, {n}, {m}")
def VBIC_register(cpu, V, d, n, m):
    """VBIC (register), A1/T1. ARM ARM A8.8.289."""
    V[d] = (whole(V[n]) & ~whole(V[m])).bits


@vector("1111001 0 0 D 10 Vn Vd 0001 N Q M 1 Vm", "vorr {d}, {n}, {m}")
def VORR_register(cpu, V, d, n, m):
    """VORR (register) and VMOV (register), A1/T1. ARM ARM A8.8.360, A8.8.340."""
    V[d] = (whole(V[n]) | whole(V[m])).bits


@vector("1111001 0 0 D 11 Vn Vd 0001 N Q M 1 Vm", "vorn {d}, {n}, {m}")
def VORN_register(cpu, V, d, n, m):
    """VORN (register), A1/T1. ARM ARM A8.8.358."""
    V[d] = (whole(V[n]) | ~whole(V[m])).bits


@vector("1111001 1 0 D 00 Vn Vd 0001 N Q M 1 Vm", "veor {d}, {n}, {m}")
def VEOR(cpu, V, d, n, m):
    """VEOR, A1/T1. ARM ARM A8.8.315."""
    V[d] = (whole(V[n]) ^ whole(V[m])).bits


@vector("1111001 1 0 D 01 Vn Vd 0001 N Q M 1 Vm", "vbsl {d}, {n}, {m}")
def VBSL(cpu, V, d, n, m):
    """VBSL, A1/T1. ARM ARM A8.8.290."""
    V[d] = (whole(V[n]) & whole(V[d]) | whole(V[m]) & ~whole(V[d])).bits


@vector("1111001 1 0 D 10 Vn Vd 0001 N Q M 1 Vm", "vbit {d}, {n}, {m}")
def VBIT(cpu, V, d, n, m):
    """VBIT, A1/T1. ARM ARM A8.8.290."""
    V[d] = (whole(V[n]) & whole(V[m]) | whole(V[d]) & ~whole(V[m])).bits


@vector("1111001 1 0 D 11 Vn Vd 0001 N Q M 1 Vm", "vbif {d}, {n}, {m}")
def VBIF(cpu, V, d, n, m):
    """VBIF, A1/T1. ARM ARM A8.8.290."""
    V[d] = (whole(V[d]) & whole(V[m]) | whole(V[n]) & ~whole(V[m])).bits


# -- addition and subtraction -----------------------------------------------------------------------------------------


@vector("1111001 0 0 D size Vn Vd 1000 N Q M 0 Vm", "vadd.i{esize} {d}, {n}, {m}")
def VADD_integer(cpu, V, d, n, m, size):
    """VADD (integer), A1/T1. ARM ARM A8.8.282."""
    V[d] = (Lanes(V[n], 8 << size) + Lanes(V[m], 8 << size)).bits


@vector("1111001 1 0 D size Vn Vd 1000 N Q M 0 Vm", "vsub.i{esize} {d}, {n}, {m}")
def VSUB_integer(cpu, V, d, n, m, size):
    """VSUB (integer), A1/T1. ARM ARM A8.8.414."""
    V[d] = (Lanes(V[n], 8 << size) - Lanes(V[m], 8 << size)).bits


@vector("1111001 U 0 D size Vn Vd 0000 N Q M 1 Vm", "vqadd.{su}{esize} {d}, {n}, {m}")
def VQADD(cpu, V, d, n, m, U, size):
    """VQADD, A1/T1. ARM ARM A8.8.370."""
    x, y = Lanes(V[n], 8 << size), Lanes(V[m], 8 << size)
    V[d] = saturating(cpu, unsigned_or_signed(U, "adds"), x, y).bits


@vector("1111001 U 0 D size Vn Vd 0010 N Q M 1 Vm", "vqsub.{su}{esize} {d}, {n}, {m}")
def VQSUB(cpu, V, d, n, m, U, size):
    """VQSUB, A1/T1. ARM ARM A8.8.382."""
    x, y = Lanes(V[n], 8 << size), Lanes(V[m], 8 << size)
    V[d] = saturating(cpu, unsigned_or_signed(U, "subs"), x, y).bits


@vector("1111001 U 0 D size Vn Vd 0000 N Q M 0 Vm", "vhadd.{su}{esize} {d}, {n}, {m}", where="size != 3")
def VHADD(cpu, V, d, n, m, U, size):
    """VHADD, A1/T1. ARM ARM A8.8.319."""
    V[d] = halved(operator.add, V[n], V[m], 8 << size, U)


@vector("1111001 U 0 D size Vn Vd 0001 N Q M 0 Vm", "vrhadd.{su}{esize} {d}, {n}, {m}", where="size != 3")
def VRHADD(cpu, V, d, n, m, U, size):
    """VRHADD, A1/T1. ARM ARM A8.8.387."""
    V[d] = halved(lambda x, y: x + y + 1, V[n], V[m], 8 << size, U)


@vector("1111001 U 0 D size Vn Vd 0010 N Q M 0 Vm", "vhsub.{su}{esize} {d}, {n}, {m}", where="size != 3")
def VHSUB(cpu, V, d, n, m, U, size):
    """VHSUB, A1/T1. ARM ARM A8.8.319."""
    V[d] = halved(operator.sub, V[n], V[m], 8 << size, U)


@simd("1111001 0 0 D size Vn Vd 1011 N 0 M 1 Vm", "vpadd.i{esize} {Dd}, {Dn}, {Dm}", where="size != 3")
def VPADD_integer(cpu, Dd, Dn, Dm, size):
    """VPADD (integer), A1/T1. ARM ARM A8.8.362."""
    even, odd = pairs(cpu, Dn, Dm, 8 << size)
    cpu.D[Dd] = (even + odd).bits


# -- comparison -------------------------------------------------------------------------------------------------------


@vector("1111001 U 0 D size Vn Vd 0011 N Q M 0 Vm", "vcgt.{su}{esize} {d}, {n}, {m}", where="size != 3")
def VCGT_register(cpu, V, d, n, m, U, size):
    """VCGT (register) and VCLT (register), A1/T1. ARM ARM A8.8.295, A8.8.300."""
    V[d] = Lanes(V[m], 8 << size).op(unsigned_or_signed(U, "lt"), Lanes(V[n], 8 << size)).bits


@vector("1111001 U 0 D size Vn Vd 0011 N Q M 1 Vm", "vcge.{su}{esize} {d}, {n}, {m}", where="size != 3")
def VCGE_register(cpu, V, d, n, m, U, size):
    """VCGE (register) and VCLE (register), A1/T1. ARM ARM A8.8.293, A8.8.297."""
    V[d] = Lanes(V[m], 8 << size).op(unsigned_or_signed(U, "le"), Lanes(V[n], 8 << size)).bits


@vector("1111001 1 0 D size Vn Vd 1000 N Q M 1 Vm", "vceq.i{esize} {d}, {n}, {m}", where="size != 3")
def VCEQ_register(cpu, V, d, n, m, size):
    """VCEQ (register), A1/T1. ARM ARM A8.8.291."""
    V[d] = Lanes(V[n], 8 << size).op("eq", Lanes(V[m], 8 << size)).bits


@vector("1111001 0 0 D size Vn Vd 1000 N Q M 1 Vm", "vtst.{esize} {d}, {n}, {m}", where="size != 3")
def VTST(cpu, V, d, n, m, size):
    """VTST, A1/T1. ARM ARM A8.8.421."""
    V[d] = (~(Lanes(V[n], 8 << size) & Lanes(V[m], 8 << size)).op("eq", 0)).bits


@vector("1111001 U 0 D size Vn Vd 0110 N Q M 0 Vm", "vmax.{su}{esize} {d}, {n}, {m}", where="size != 3")
def VMAX_integer(cpu, V, d, n, m, U, size):
    """VMAX (integer), A1/T1. ARM ARM A8.8.334."""
    V[d] = Lanes(V[n], 8 << size).op(unsigned_or_signed(U, "max"), Lanes(V[m], 8 << size)).bits


@vector("1111001 U 0 D size Vn Vd 0110 N Q M 1 Vm", "vmin.{su}{esize} {d}, {n}, {m}", where="size != 3")
def VMIN_integer(cpu, V, d, n, m, U, size):
    """VMIN (integer), A1/T1. ARM ARM A8.8.334."""
    V[d] = Lanes(V[n], 8 << size).op(unsigned_or_signed(U, "min"), Lanes(V[m], 8 << size)).bits


@simd("1111001 U 0 D size Vn Vd 1010 N 0 M 0 Vm", "vpmax.{su}{esize} {Dd}, {Dn}, {Dm}", where="size != 3")
def VPMAX_integer(cpu, Dd, Dn, Dm, U, size):
    """VPMAX (integer), A1/T1. ARM ARM A8.8.365."""
    even, odd = pairs(cpu, Dn, Dm, 8 << size)
    cpu.D[Dd] = even.op(unsigned_or_signed(U, "max"), odd).bits


@simd("1111001 U 0 D size Vn Vd 1010 N 0 M 1 Vm", "vpmin.{su}{esize} {Dd}, {Dn}, {Dm}", where="size != 3")
def VPMIN_integer(cpu, Dd, Dn, Dm, U, size):
    """VPMIN (integer), A1/T1. ARM ARM A8.8.365."""
    even, odd = pairs(cpu, Dn, Dm, 8 << size)
    cpu.D[Dd] = even.op(unsigned_or_signed(U, "min"), odd).bits


@vector("1111001 U 0 D size Vn Vd 0111 N Q M 0 Vm", "vabd.{su}{esize} {d}, {n}, {m}", where="size != 3")
def VABD_integer(cpu, V, d, n, m, U, size):
    """VABD (integer), A1/T1. ARM ARM A8.8.278."""
    V[d] = absolute_difference(Lanes(V[n], 8 << size), Lanes(V[m], 8 << size), U).bits


@vector("1111001 U 0 D size Vn Vd 0111 N Q M 1 Vm", "vaba.{su}{esize} {d}, {n}, {m}", where="size != 3")
def VABA(cpu, V, d, n, m, U, size):
    """VABA, A1/T1. ARM ARM A8.8.277."""
    distance = absolute_difference(Lanes(V[n], 8 << size), Lanes(V[m], 8 << size), U)
    V[d] = (Lanes(V[d], 8 << size) + distance).bits


# -- shifts by a register: each lane of Vn holds a signed count in its low byte ---------------------------------------


def _counts(counts: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """Return (mask of the lanes that shift right, left counts, right counts); a count of the other way is huge."""
    spare = counts.size - 8
    left = (counts << spare).sar(spare) if spare else counts
    return left.op("slt", 0), left, negated(left)


def _shift_left_saturated(cpu, x: Lanes, left: Lanes, right_mask: Lanes, U: int) -> Lanes:
    """Shift left and saturate; FPSCR.QC is set for lanes outside right_mask."""
    shifted = x << left
    fits = shift_right(shifted, left, signed=not U).op("eq", x)
    flag_saturation(cpu, (~(fits | right_mask)).bits)
    return choose(fits, shifted, limits(x, U))


@vector("1111001 U 0 D size Vn Vd 0100 N Q M 0 Vm", "vshl.{su}{esize} {d}, {m}, {n}")
def VSHL_register(cpu, V, d, n, m, U, size):
    """VSHL (register), A1/T1. ARM ARM A8.8.396."""
    x = Lanes(V[m], 8 << size)
    goes_right, left, right = _counts(Lanes(V[n], 8 << size))
    V[d] = choose(goes_right, shift_right(x, right, signed=not U), x << left).bits


@vector("1111001 U 0 D size Vn Vd 0101 N Q M 0 Vm", "vrshl.{su}{esize} {d}, {m}, {n}")
def VRSHL(cpu, V, d, n, m, U, size):
    """VRSHL, A1/T1. ARM ARM A8.8.388."""
    x = Lanes(V[m], 8 << size)
    goes_right, left, right = _counts(Lanes(V[n], 8 << size))
    V[d] = choose(goes_right, rounding_shift_right(x, right, signed=not U), x << left).bits


@vector("1111001 U 0 D size Vn Vd 0100 N Q M 1 Vm", "vqshl.{su}{esize} {d}, {m}, {n}")
def VQSHL_register(cpu, V, d, n, m, U, size):
    """VQSHL (register), A1/T1. ARM ARM A8.8.379."""
    x = Lanes(V[m], 8 << size)
    goes_right, left, right = _counts(Lanes(V[n], 8 << size))
    saturated = _shift_left_saturated(cpu, x, left, goes_right, U)
    V[d] = choose(goes_right, shift_right(x, right, signed=not U), saturated).bits


@vector("1111001 U 0 D size Vn Vd 0101 N Q M 1 Vm", "vqrshl.{su}{esize} {d}, {m}, {n}")
def VQRSHL(cpu, V, d, n, m, U, size):
    """VQRSHL, A1/T1. ARM ARM A8.8.377."""
    x = Lanes(V[m], 8 << size)
    goes_right, left, right = _counts(Lanes(V[n], 8 << size))
    saturated = _shift_left_saturated(cpu, x, left, goes_right, U)
    V[d] = choose(goes_right, rounding_shift_right(x, right, signed=not U), saturated).bits


# -- multiplication ---------------------------------------------------------------------------------------------------


@vector("1111001 0 0 D size Vn Vd 1001 N Q M 1 Vm", "vmul.i{esize} {d}, {n}, {m}", where="size != 3")
def VMUL_integer(cpu, V, d, n, m, size):
    """VMUL (integer), A1/T1. ARM ARM A8.8.350."""
    V[d] = (Lanes(V[n], 8 << size) * Lanes(V[m], 8 << size)).bits


@vector("1111001 1 0 D 00 Vn Vd 1001 N Q M 1 Vm", "vmul.p8 {d}, {n}, {m}")
def VMUL_polynomial(cpu, V, d, n, m):
    """VMUL (polynomial), A1/T1. ARM ARM A8.8.350."""
    V[d] = polynomial_product(Lanes(V[n], 8), Lanes(V[m], 8)).bits


@vector("1111001 0 0 D size Vn Vd 1001 N Q M 0 Vm", "vmla.i{esize} {d}, {n}, {m}", where="size != 3")
def VMLA_integer(cpu, V, d, n, m, size):
    """VMLA (integer), A1/T1. ARM ARM A8.8.336."""
    V[d] = (Lanes(V[d], 8 << size) + Lanes(V[n], 8 << size) * Lanes(V[m], 8 << size)).bits


@vector("1111001 1 0 D size Vn Vd 1001 N Q M 0 Vm", "vmls.i{esize} {d}, {n}, {m}", where="size != 3")
def VMLS_integer(cpu, V, d, n, m, size):
    """VMLS (integer), A1/T1. ARM ARM A8.8.336."""
    V[d] = (Lanes(V[d], 8 << size) - Lanes(V[n], 8 << size) * Lanes(V[m], 8 << size)).bits


@vector("1111001 0 0 D size Vn Vd 1011 N Q M 0 Vm", "vqdmulh.s{esize} {d}, {n}, {m}", where="size != 0, size != 3")
def VQDMULH(cpu, V, d, n, m, size):
    """VQDMULH, A1/T1. ARM ARM A8.8.372."""
    V[d] = doubled_high_half(cpu, Lanes(V[n], 8 << size), Lanes(V[m], 8 << size), rounding=False)


@vector("1111001 1 0 D size Vn Vd 1011 N Q M 0 Vm", "vqrdmulh.s{esize} {d}, {n}, {m}", where="size != 0, size != 3")
def VQRDMULH(cpu, V, d, n, m, size):
    """VQRDMULH, A1/T1. ARM ARM A8.8.376."""
    V[d] = doubled_high_half(cpu, Lanes(V[n], 8 << size), Lanes(V[m], 8 << size), rounding=True)
