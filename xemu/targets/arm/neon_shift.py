"""Advanced SIMD, two registers and a shift amount (ARM ARM A7.4.4). VCVT with fixed point is in neon_fp.py.

The element size is where the leading one of L:imm6 stands, so each operation has a row for each size; the bits below
it are the shift amount, of a left shift as it is, of a right shift subtracted from the size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, Lanes, const, zext
from xemu.targets.arm.neon_lanes import (
    choose,
    flag_saturation,
    limits,
    narrow_saturated,
    rounding_shift_right,
    shift_right,
    widened,
)
from xemu.targets.arm.simd import add_simd, add_vector

if TYPE_CHECKING:
    from collections.abc import Callable

#: element size in bits -> tokens that stand for imm6 and for L
_AMOUNTS = {8: ("001 amount:3", "0"), 16: ("01 amount:4", "0"), 32: ("1 amount:5", "0"), 64: ("amount:6", "1")}


def shift(pattern: str, template: str):
    """Register the decorated function for elements of 8 to 64 bits; `amount` is a field, `esize` a bound int.

    The diagram has the manual's imm6 and L, or imm6 and Q only: then the elements named by imm6 are the halves (or the
    source) of a narrowing or widening shift, of 8 to 32 bits.
    """
    def register(function: Callable[..., None]) -> Callable[..., None]:
        sizes = (8, 16, 32, 64) if " L " in pattern else (8, 16, 32)
        for esize in sizes:
            imm6, L = _AMOUNTS[esize]
            diagram = pattern.replace("imm6", imm6).replace(" L ", f" {L} ")
            add = add_vector if " Q " in diagram else add_simd
            add(function, diagram, template, name=f"{function.__name__}_{esize}", bound={"esize": esize})
        return function
    return register


def _right(amount: Bits, x: Lanes) -> Lanes:
    """Return the count of a right shift, 1 … element size, in lanes like those of x."""
    size = 1 << amount.width
    return Lanes.splat(const(size, x.size) - zext(amount, x.size), x.count)


def _left(amount: Bits, x: Lanes) -> Lanes:
    """Return the count of a left shift in lanes like those of x."""
    return Lanes.splat(zext(amount, x.size), x.count)


# -- right shifts -----------------------------------------------------------------------------------------------------


@shift("1111001 U 1 D imm6 Vd 0000 L Q M 1 Vm", "vshr.{su}{esize} {d}, {m}, {right}")
def VSHR(cpu, V, d, m, U, amount, esize):
    """VSHR, A1/T1. ARM ARM A8.8.398."""
    x = Lanes(V[m], esize)
    V[d] = shift_right(x, _right(amount, x), signed=not U).bits


@shift("1111001 U 1 D imm6 Vd 0001 L Q M 1 Vm", "vsra.{su}{esize} {d}, {m}, {right}")
def VSRA(cpu, V, d, m, U, amount, esize):
    """VSRA, A1/T1. ARM ARM A8.8.402."""
    x = Lanes(V[m], esize)
    V[d] = (Lanes(V[d], esize) + shift_right(x, _right(amount, x), signed=not U)).bits


@shift("1111001 U 1 D imm6 Vd 0010 L Q M 1 Vm", "vrshr.{su}{esize} {d}, {m}, {right}")
def VRSHR(cpu, V, d, m, U, amount, esize):
    """VRSHR, A1/T1. ARM ARM A8.8.389."""
    x = Lanes(V[m], esize)
    V[d] = rounding_shift_right(x, _right(amount, x), signed=not U).bits


@shift("1111001 U 1 D imm6 Vd 0011 L Q M 1 Vm", "vrsra.{su}{esize} {d}, {m}, {right}")
def VRSRA(cpu, V, d, m, U, amount, esize):
    """VRSRA, A1/T1. ARM ARM A8.8.393."""
    x = Lanes(V[m], esize)
    V[d] = (Lanes(V[d], esize) + rounding_shift_right(x, _right(amount, x), signed=not U)).bits


@shift("1111001 1 1 D imm6 Vd 0100 L Q M 1 Vm", "vsri.{esize} {d}, {m}, {right}")
def VSRI(cpu, V, d, m, amount, esize):
    """VSRI, A1/T1. ARM ARM A8.8.403."""
    x = Lanes(V[m], esize)
    count = _right(amount, x)
    ones = Lanes(const(-1, x.bits.width), esize)
    V[d] = choose(ones >> count, x >> count, Lanes(V[d], esize)).bits


# -- left shifts ------------------------------------------------------------------------------------------------------


@shift("1111001 0 1 D imm6 Vd 0101 L Q M 1 Vm", "vshl.i{esize} {d}, {m}, {left}")
def VSHL_immediate(cpu, V, d, m, amount, esize):
    """VSHL (immediate), A1/T1. ARM ARM A8.8.395."""
    x = Lanes(V[m], esize)
    V[d] = (x << _left(amount, x)).bits


@shift("1111001 1 1 D imm6 Vd 0101 L Q M 1 Vm", "vsli.{esize} {d}, {m}, {left}")
def VSLI(cpu, V, d, m, amount, esize):
    """VSLI, A1/T1. ARM ARM A8.8.400."""
    x = Lanes(V[m], esize)
    count = _left(amount, x)
    ones = Lanes(const(-1, x.bits.width), esize)
    V[d] = choose(ones << count, x << count, Lanes(V[d], esize)).bits


@shift("1111001 U 1 D imm6 Vd 0111 L Q M 1 Vm", "vqshl.{su}{esize} {d}, {m}, {left}")
def VQSHL_immediate(cpu, V, d, m, U, amount, esize):
    """VQSHL (immediate), A1/T1. ARM ARM A8.8.380."""
    x = Lanes(V[m], esize)
    count = _left(amount, x)
    shifted = x << count
    fits = shift_right(shifted, count, signed=not U).op("eq", x)
    flag_saturation(cpu, ~fits.bits)
    V[d] = choose(fits, shifted, limits(x, U)).bits


@shift("1111001 1 1 D imm6 Vd 0110 L Q M 1 Vm", "vqshlu.s{esize} {d}, {m}, {left}")
def VQSHLU_immediate(cpu, V, d, m, amount, esize):
    """VQSHLU (immediate), A1/T1. ARM ARM A8.8.380."""
    x = Lanes(V[m], esize)
    count = _left(amount, x)
    shifted = x << count
    negative = x.op("slt", 0)
    fits = (shifted >> count).op("eq", x) & ~negative
    flag_saturation(cpu, ~fits.bits)
    V[d] = (choose(fits, shifted, ~negative)).bits


# -- narrowing and widening -------------------------------------------------------------------------------------------


@shift("1111001 0 1 D imm6 Vd 1000 0 0 M 1 Qm3 0", "vshrn.i{esize2} {Dd}, {Qm}, {right}")
def VSHRN(cpu, Dd, Qm, amount, esize):
    """VSHRN, A1/T1. ARM ARM A8.8.399."""
    x = Lanes(cpu.Q128[Qm], 2 * esize)
    cpu.D[Dd] = (x >> _right(amount, x)).narrow().bits


@shift("1111001 0 1 D imm6 Vd 1000 0 1 M 1 Qm3 0", "vrshrn.i{esize2} {Dd}, {Qm}, {right}")
def VRSHRN(cpu, Dd, Qm, amount, esize):
    """VRSHRN, A1/T1. ARM ARM A8.8.390."""
    x = Lanes(cpu.Q128[Qm], 2 * esize)
    cpu.D[Dd] = rounding_shift_right(x, _right(amount, x), signed=False).narrow().bits


@shift("1111001 1 1 D imm6 Vd 1000 0 0 M 1 Qm3 0", "vqshrun.s{esize2} {Dd}, {Qm}, {right}")
def VQSHRUN(cpu, Dd, Qm, amount, esize):
    """VQSHRUN, A1/T1. ARM ARM A8.8.381."""
    x = Lanes(cpu.Q128[Qm], 2 * esize)
    cpu.D[Dd] = narrow_saturated(cpu, x.sar(_right(amount, x)), signed_in=True, signed_out=False)


@shift("1111001 1 1 D imm6 Vd 1000 0 1 M 1 Qm3 0", "vqrshrun.s{esize2} {Dd}, {Qm}, {right}")
def VQRSHRUN(cpu, Dd, Qm, amount, esize):
    """VQRSHRUN, A1/T1. ARM ARM A8.8.378."""
    x = Lanes(cpu.Q128[Qm], 2 * esize)
    shifted = rounding_shift_right(x, _right(amount, x), signed=True)
    cpu.D[Dd] = narrow_saturated(cpu, shifted, signed_in=True, signed_out=False)


@shift("1111001 U 1 D imm6 Vd 1001 0 0 M 1 Qm3 0", "vqshrn.{su}{esize2} {Dd}, {Qm}, {right}")
def VQSHRN(cpu, Dd, Qm, U, amount, esize):
    """VQSHRN, A1/T1. ARM ARM A8.8.381."""
    x = Lanes(cpu.Q128[Qm], 2 * esize)
    shifted = shift_right(x, _right(amount, x), signed=not U)
    cpu.D[Dd] = narrow_saturated(cpu, shifted, signed_in=not U, signed_out=not U)


@shift("1111001 U 1 D imm6 Vd 1001 0 1 M 1 Qm3 0", "vqrshrn.{su}{esize2} {Dd}, {Qm}, {right}")
def VQRSHRN(cpu, Dd, Qm, U, amount, esize):
    """VQRSHRN, A1/T1. ARM ARM A8.8.378."""
    x = Lanes(cpu.Q128[Qm], 2 * esize)
    shifted = rounding_shift_right(x, _right(amount, x), signed=not U)
    cpu.D[Dd] = narrow_saturated(cpu, shifted, signed_in=not U, signed_out=not U)


@shift("1111001 U 1 D imm6 Qd3 0 1010 0 0 M 1 Vm", "vshll.{su}{esize} {Qd}, {Dm}, {left}")
def VSHLL(cpu, Qd, Dm, U, amount, esize):
    """VSHLL, A1/T1. ARM ARM A8.8.397."""
    x = widened(cpu.D[Dm], esize, U)
    cpu.Q128[Qd] = (x << _left(amount, x)).bits


def VMOVL(cpu, Qd, Dm, U, esize):
    """VMOVL, A1/T1: VSHLL by 0. ARM ARM A8.8.346."""
    cpu.Q128[Qd] = widened(cpu.D[Dm], esize, U).bits


for _esize, _imm6 in (8, "001000"), (16, "010000"), (32, "100000"):
    add_simd(VMOVL, f"1111001 U 1 D {_imm6} Qd3 0 1010 0 0 M 1 Vm", "vmovl.{su}{esize} {Qd}, {Dm}",
             name=f"VMOVL_{_esize}", bound={"esize": _esize})
