"""Advanced SIMD, two registers, miscellaneous; integers (ARM ARM A7.4.5). Floating-point rows are in neon_fp.py."""

from __future__ import annotations

from xemu.core.bits import Lanes
from xemu.targets.arm.neon_lanes import narrow_saturated, negated, saturating, shift_right, whole, widened
from xemu.targets.arm.simd import add_vector, simd, vector

# -- order of elements ------------------------------------------------------------------------------------------------


def VREV(cpu, V, d, m, size, group):
    """VREV16, VREV32, VREV64, A1/T1. ARM ARM A8.8.386. Elements change places within groups of `group` bits."""
    x = Lanes(V[m], 8 << size)
    flip = group // x.size - 1
    V[d] = x.shuffle(x, [i ^ flip for i in range(x.count)]).bits


for _group, _op, _where in (64, "0000", "size != 3"), (32, "0001", "size != 2, size != 3"), (16, "0010", "size == 0"):
    add_vector(VREV, f"1111001 1 1 D 11 size 00 Vd 0 {_op} Q M 0 Vm", f"vrev{_group}.{{esize}} {{d}}, {{m}}",
               where=_where, name=f"VREV{_group}", bound={"group": _group})


@vector("1111001 1 1 D 11 00 10 Vd 0 0000 Q M 0 Vm", "vswp {d}, {m}")
def VSWP(cpu, V, d, m):
    """VSWP, A1/T1. ARM ARM A8.8.418."""
    V[d], V[m] = V[m], V[d]


@vector("1111001 1 1 D 11 size 10 Vd 0 0001 Q M 0 Vm", "vtrn.{esize} {d}, {m}", where="size != 3")
def VTRN(cpu, V, d, m, size):
    """VTRN, A1/T1. ARM ARM A8.8.420."""
    x, y = Lanes(V[d], 8 << size), Lanes(V[m], 8 << size)
    even = range(0, x.count, 2)
    V[d] = x.shuffle(y, [i for e in even for i in (e, e + x.count)]).bits
    V[m] = x.shuffle(y, [i for e in even for i in (e + 1, e + 1 + x.count)]).bits


def VUZP(cpu, V, d, m, size):
    """VUZP, A1/T1. ARM ARM A8.8.422."""
    x, y = Lanes(V[d], 8 << size), Lanes(V[m], 8 << size)
    both = range(2 * x.count)
    V[d] = x.shuffle(y, both[0::2]).bits
    V[m] = x.shuffle(y, both[1::2]).bits


def VZIP(cpu, V, d, m, size):
    """VZIP, A1/T1. ARM ARM A8.8.423."""
    x, y = Lanes(V[d], 8 << size), Lanes(V[m], 8 << size)
    order = [i for pair in range(x.count) for i in (pair, pair + x.count)]
    V[d] = x.shuffle(y, order[:x.count]).bits
    V[m] = x.shuffle(y, order[x.count:]).bits


for _function, _op in (VUZP, "0010"), (VZIP, "0011"):        # on doublewords, words would make them VTRN: undefined
    for _form, _where in ("D", "size != 3, size != 2"), ("Q", "size != 3"):
        add_vector(_function, f"1111001 1 1 D 11 size 10 Vd 0 {_op} Q M 0 Vm",
                   f"{_function.__name__.lower()}.{{esize}} {{d}}, {{m}}", where=_where, forms=_form)

# -- counting and logic -----------------------------------------------------------------------------------------------


@vector("1111001 1 1 D 11 size 00 Vd 0 1000 Q M 0 Vm", "vcls.s{esize} {d}, {m}", where="size != 3")
def VCLS(cpu, V, d, m, size):
    """VCLS, A1/T1. ARM ARM A8.8.299."""
    x = Lanes(V[m], 8 << size)
    V[d] = ((x ^ x.sar(x.size - 1)).unary("clz") - 1).bits


@vector("1111001 1 1 D 11 size 00 Vd 0 1001 Q M 0 Vm", "vclz.i{esize} {d}, {m}", where="size != 3")
def VCLZ(cpu, V, d, m, size):
    """VCLZ, A1/T1. ARM ARM A8.8.302."""
    V[d] = Lanes(V[m], 8 << size).unary("clz").bits


@vector("1111001 1 1 D 11 00 00 Vd 0 1010 Q M 0 Vm", "vcnt.8 {d}, {m}")
def VCNT(cpu, V, d, m):
    """VCNT, A1/T1. ARM ARM A8.8.304."""
    V[d] = Lanes(V[m], 8).unary("popcount").bits


@vector("1111001 1 1 D 11 00 00 Vd 0 1011 Q M 0 Vm", "vmvn {d}, {m}")
def VMVN_register(cpu, V, d, m):
    """VMVN (register), A1/T1. ARM ARM A8.8.354."""
    V[d] = (~whole(V[m])).bits


# -- pairwise long addition; U stands in bit 7 ------------------------------------------------------------------------


def _pair_sums(value, size, U) -> Lanes:
    """Return the sums of neighbouring lanes, in lanes twice as wide."""
    both, half = Lanes(value, 16 << size), 8 << size
    return shift_right(both, half, signed=not U) + shift_right(both << half, half, signed=not U)


@vector("1111001 1 1 D 11 size 00 Vd 0 010 U Q M 0 Vm", "vpaddl.{su}{esize} {d}, {m}", where="size != 3")
def VPADDL(cpu, V, d, m, U, size):
    """VPADDL, A1/T1. ARM ARM A8.8.364."""
    V[d] = _pair_sums(V[m], size, U).bits


@vector("1111001 1 1 D 11 size 00 Vd 0 110 U Q M 0 Vm", "vpadal.{su}{esize} {d}, {m}", where="size != 3")
def VPADAL(cpu, V, d, m, U, size):
    """VPADAL, A1/T1. ARM ARM A8.8.361."""
    V[d] = (Lanes(V[d], 16 << size) + _pair_sums(V[m], size, U)).bits


# -- sign -------------------------------------------------------------------------------------------------------------


@vector("1111001 1 1 D 11 size 01 Vd 0 0110 Q M 0 Vm", "vabs.s{esize} {d}, {m}", where="size != 3")
def VABS_integer(cpu, V, d, m, size):
    """VABS (integer), A1/T1. ARM ARM A8.8.280."""
    x = Lanes(V[m], 8 << size)
    V[d] = x.op("smax", negated(x)).bits


@vector("1111001 1 1 D 11 size 01 Vd 0 0111 Q M 0 Vm", "vneg.s{esize} {d}, {m}", where="size != 3")
def VNEG_integer(cpu, V, d, m, size):
    """VNEG (integer), A1/T1. ARM ARM A8.8.355."""
    V[d] = negated(Lanes(V[m], 8 << size)).bits


@vector("1111001 1 1 D 11 size 00 Vd 0 1110 Q M 0 Vm", "vqabs.s{esize} {d}, {m}", where="size != 3")
def VQABS(cpu, V, d, m, size):
    """VQABS, A1/T1. ARM ARM A8.8.369."""
    x = Lanes(V[m], 8 << size)
    V[d] = x.op("smax", saturating(cpu, "ssubs", x ^ x, x)).bits


@vector("1111001 1 1 D 11 size 00 Vd 0 1111 Q M 0 Vm", "vqneg.s{esize} {d}, {m}", where="size != 3")
def VQNEG(cpu, V, d, m, size):
    """VQNEG, A1/T1. ARM ARM A8.8.375."""
    x = Lanes(V[m], 8 << size)
    V[d] = saturating(cpu, "ssubs", x ^ x, x).bits


# -- comparison with zero ---------------------------------------------------------------------------------------------


@vector("1111001 1 1 D 11 size 01 Vd 0 0000 Q M 0 Vm", "vcgt.s{esize} {d}, {m}, #0", where="size != 3")
def VCGT_zero(cpu, V, d, m, size):
    """VCGT (immediate #0), A1/T1. ARM ARM A8.8.296."""
    V[d] = (~Lanes(V[m], 8 << size).op("sle", 0)).bits


@vector("1111001 1 1 D 11 size 01 Vd 0 0001 Q M 0 Vm", "vcge.s{esize} {d}, {m}, #0", where="size != 3")
def VCGE_zero(cpu, V, d, m, size):
    """VCGE (immediate #0), A1/T1. ARM ARM A8.8.294."""
    V[d] = (~Lanes(V[m], 8 << size).op("slt", 0)).bits


@vector("1111001 1 1 D 11 size 01 Vd 0 0010 Q M 0 Vm", "vceq.i{esize} {d}, {m}, #0", where="size != 3")
def VCEQ_zero(cpu, V, d, m, size):
    """VCEQ (immediate #0), A1/T1. ARM ARM A8.8.292."""
    V[d] = Lanes(V[m], 8 << size).op("eq", 0).bits


@vector("1111001 1 1 D 11 size 01 Vd 0 0011 Q M 0 Vm", "vcle.s{esize} {d}, {m}, #0", where="size != 3")
def VCLE_zero(cpu, V, d, m, size):
    """VCLE (immediate #0), A1/T1. ARM ARM A8.8.298."""
    V[d] = Lanes(V[m], 8 << size).op("sle", 0).bits


@vector("1111001 1 1 D 11 size 01 Vd 0 0100 Q M 0 Vm", "vclt.s{esize} {d}, {m}, #0", where="size != 3")
def VCLT_zero(cpu, V, d, m, size):
    """VCLT (immediate #0), A1/T1. ARM ARM A8.8.301."""
    V[d] = Lanes(V[m], 8 << size).op("slt", 0).bits


# -- narrowing and widening -------------------------------------------------------------------------------------------


@simd("1111001 1 1 D 11 size 10 Vd 0 0100 0 M 0 Qm3 0", "vmovn.i{esize2} {Dd}, {Qm}", where="size != 3")
def VMOVN(cpu, Dd, Qm, size):
    """VMOVN, A1/T1. ARM ARM A8.8.347."""
    cpu.D[Dd] = Lanes(cpu.Q128[Qm], 16 << size).narrow().bits


@simd("1111001 1 1 D 11 size 10 Vd 0 0100 1 M 0 Qm3 0", "vqmovun.s{esize2} {Dd}, {Qm}", where="size != 3")
def VQMOVUN(cpu, Dd, Qm, size):
    """VQMOVUN, A1/T1. ARM ARM A8.8.374."""
    cpu.D[Dd] = narrow_saturated(cpu, Lanes(cpu.Q128[Qm], 16 << size), signed_in=True, signed_out=False)


@simd("1111001 1 1 D 11 size 10 Vd 0 0101 U M 0 Qm3 0", "vqmovn.{su}{esize2} {Dd}, {Qm}", where="size != 3")
def VQMOVN(cpu, Dd, Qm, U, size):
    """VQMOVN, A1/T1. ARM ARM A8.8.374."""
    cpu.D[Dd] = narrow_saturated(cpu, Lanes(cpu.Q128[Qm], 16 << size), signed_in=not U, signed_out=not U)


@simd("1111001 1 1 D 11 size 10 Qd3 0 0 0110 0 M 0 Vm", "vshll.i{esize} {Qd}, {Dm}, #{esize}", where="size != 3")
def VSHLL_maximum(cpu, Qd, Dm, size):
    """VSHLL by the element size, A2/T2. ARM ARM A8.8.397."""
    x = widened(cpu.D[Dm], 8 << size, 1)
    cpu.Q128[Qd] = (x << (8 << size)).bits
