"""Quad precision: arithmetic, rounding, conversion, comparison. Power ISA Book I, 7.6.1.5 to 7.6.1.7. Quads are in vector registers.

No host has such numbers: slow functions do it all, whose exceptions are values, so FR, FI and FPRF are set at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, cat, const, mux, sext, zext
from xemu.core.fp import Parts, fp_apart
from xemu.core.record import when
from xemu.core.softfloat import EQUAL, GREATER, LESS, UNORDERED
from xemu.targets.ppc.floating import AWAY, DOWN, NEAREST, TRAPS, UP, ZERO, Floating
from xemu.targets.ppc.isa import ppc64
from xemu.targets.ppc.state import plus32
from xemu.targets.ppc.status import VE, classified
from xemu.targets.ppc.vsx import scalar, set_comparison, set_scalar

if TYPE_CHECKING:
    from xemu.core.record import RegNo
    from xemu.targets.ppc.state import PpcCpu

ODD, QUAD = 5, "f128"


def operate(f: Floating, name: str, fmt: Any, *args: Bits, rounding: int | None = None) -> tuple[Bits, Bits]:
    """Do an operation; return its value and its exceptions."""
    return fp_apart(name, fmt, args, f.ctl if rounding is None else f.ctl & TRAPS | rounding, "ppc")


def mode(RO: int) -> int | None:
    """Return the rounding mode of forms with an o: to odd."""
    return ODD if RO else None


def quad_class(value: Bits) -> Bits:
    """Return FPRF for a quad (Book I, 7.2.2)."""
    x = Parts(value, QUAD)
    number = ~x.is_zero & ~x.is_nan
    odd = x.is_nan | (x.sign & x.is_zero) | x.is_denormal
    return cat(odd, x.sign & number, ~x.sign & number, x.is_zero, x.is_nan | x.is_infinity)


def write_quad(cpu: PpcCpu, VRT: RegNo, f: Floating, value: Bits, flags: Bits, *, rounds: bool = True) -> None:
    """Write a quad and FPSCR."""
    with when(f.finish_known(flags, quad_class(value), rounds=rounds)):
        cpu.set_vr(VRT, value)


def negated(value: Bits) -> Bits:
    """Return a quad negated, but for NaNs."""
    return mux(Parts(value, QUAD).is_nan, value, value ^ 1 << 127)


# -- arithmetic ----------------------------------------------------------------------------------------------------------------


def arithmetic(cpu, VRT, VRA, VRB, RO, operation):
    """VSX Scalar Add, Subtract, Multiply, Divide Quad-Precision (using round to Odd)."""
    f = Floating(cpu)
    write_quad(cpu, VRT, f, *operate(f, operation, QUAD, cpu.vr(VRA), cpu.vr(VRB), rounding=mode(RO)))


for _name, _opcode in ("add", 4), ("mul", 36), ("sub", 516), ("div", 548):
    ppc64.row(arithmetic, f"63:6 VRT VRA VRB {_opcode}:10 RO", f"xs{_name}qp{{RO}} {{VRT}}, {{VRA}}, {{VRB}}", operation=_name)


def fused(cpu, VRT, VRA, VRB, RO, operation, negate):
    """VSX Scalar (Negative) Multiply-Add or Multiply-Subtract Quad-Precision (using round to Odd)."""
    f = Floating(cpu)
    value, flags = operate(f, operation, QUAD, cpu.vr(VRA), cpu.vr(VRB), cpu.vr(VRT), rounding=mode(RO))
    write_quad(cpu, VRT, f, negated(value) if negate else value, flags)


for _name, _opcode, _op, _negate in (("madd", 388, "fma", False), ("msub", 420, "fms", False), ("nmadd", 452, "fma", True),
                                     ("nmsub", 484, "fms", True)):
    ppc64.row(fused, f"63:6 VRT VRA VRB {_opcode}:10 RO", f"xs{_name}qp{{RO}} {{VRT}}, {{VRA}}, {{VRB}}", operation=_op, negate=_negate)


@ppc64("63:6 VRT 27:5 VRB 804:10 RO", "xssqrtqp{RO} {VRT}, {VRB}")
def xssqrtqp(cpu, VRT, VRB, RO):
    """VSX Scalar Square Root Quad-Precision (using round to Odd)."""
    f = Floating(cpu)
    write_quad(cpu, VRT, f, *operate(f, "sqrt", QUAD, cpu.vr(VRB), rounding=mode(RO)))


# -- rounding --------------------------------------------------------------------------------------------------------------------


#: rounding modes by R and RMC; None: FPSCR's (R = 0, RMC = 1 and 2 are reserved)
MODES = ((AWAY, NEAREST, NEAREST, None), (NEAREST, ZERO, UP, DOWN))


@ppc64("63:6 VRT 0000 R VRB RMC 5:8 EX", "xsrqpi{EX} {R}, {VRT}, {VRB}, {RMC}")
def xsrqpi(cpu, VRT, R, VRB, RMC, EX):
    """VSX Scalar Round to Quad-Precision Integer (with Inexact)."""
    f = Floating(cpu)
    value, flags = operate(f, "rint" if EX else "round_int", QUAD, cpu.vr(VRB), rounding=MODES[R][RMC])
    write_quad(cpu, VRT, f, value, flags, rounds=bool(EX))


@ppc64("63:6 VRT 0000 R VRB RMC 37:8 0", "xsrqpxp {R}, {VRT}, {VRB}, {RMC}")
def xsrqpxp(cpu, VRT, R, VRB, RMC):
    """VSX Scalar Round Quad-Precision to Double-Extended Precision."""
    f = Floating(cpu)
    value, flags = operate(f, "to_float", (QUAD, "f79"), cpu.vr(VRB), rounding=MODES[R][RMC])
    write_quad(cpu, VRT, f, cat(value, const(0, 49)), flags)


# -- conversion -------------------------------------------------------------------------------------------------------------------


@ppc64("63:6 VRT 20:5 VRB 836:10 RO", "xscvqpdp{RO} {VRT}, {VRB}")
def xscvqpdp(cpu, VRT, VRB, RO):
    """VSX Scalar Convert Quad-Precision to Double-Precision (using round to Odd)."""
    f = Floating(cpu)
    value, flags = operate(f, "to_float", (QUAD, "f64"), cpu.vr(VRB), rounding=mode(RO))
    with when(f.finish_known(flags, classified(value, const(0, 1)))):
        set_scalar(cpu, plus32(VRT), value)


@ppc64("63:6 VRT 22:5 VRB 836:10 0", "xscvdpqp {VRT}, {VRB}")
def xscvdpqp(cpu, VRT, VRB):
    """VSX Scalar Convert Double-Precision to Quad-Precision."""
    f = Floating(cpu)
    write_quad(cpu, VRT, f, *operate(f, "to_float", ("f64", QUAD), scalar(cpu, plus32(VRB))))


@ppc64("63:6 VRT 10:5 VRB 836:10 0", "xscvsdqp {VRT}, {VRB}", operation="from_sint")
@ppc64("63:6 VRT 2:5 VRB 836:10 0", "xscvudqp {VRT}, {VRB}", operation="from_uint")
def from_integer(cpu, VRT, VRB, operation):
    """VSX Scalar Convert Signed or Unsigned Doubleword to Quad-Precision."""
    f = Floating(cpu)
    write_quad(cpu, VRT, f, *operate(f, operation, (64, QUAD, 0), scalar(cpu, plus32(VRB))))


def to_integer(cpu, VRT, VRB, operation, width):
    """VSX Scalar Convert with round to zero Quad-Precision to Signed or Unsigned Doubleword or Word."""
    f = Floating(cpu)
    value, flags = operate(f, operation, (QUAD, width, "zero", 0), cpu.vr(VRB))
    value = sext(value, 64) if operation == "to_sint" else zext(value, 64)
    with when(f.finish_known(flags, const(0, 5))):
        set_scalar(cpu, plus32(VRT), value)


for _name, _middle, _op, _width in (("xscvqpuwz", 1, "to_uint", 32), ("xscvqpswz", 9, "to_sint", 32), ("xscvqpudz", 17, "to_uint", 64),
                                    ("xscvqpsdz", 25, "to_sint", 64)):
    ppc64.row(to_integer, f"63:6 VRT {_middle}:5 VRB 836:10 0", f"{_name} {{VRT}}, {{VRB}}", operation=_op, width=_width)


# -- comparison -------------------------------------------------------------------------------------------------------------------


@ppc64("63:6 BF 00 VRA VRB 644:10 0", "xscmpuqp {BF}, {VRA}, {VRB}", signals=False)
@ppc64("63:6 BF 00 VRA VRB 132:10 0", "xscmpoqp {BF}, {VRA}, {VRB}", signals=True)
def compare(cpu, BF, VRA, VRB, signals):
    """VSX Scalar Compare Unordered, Ordered Quad-Precision."""
    f, x, y = Floating(cpu), cpu.vr(VRA), cpu.vr(VRB)
    code, flags = operate(f, "relation_s" if signals else "relation", QUAD, x, y)
    if signals and cpu.context.FP:                            # VXVC is not set, too, where VXSNAN is enabled
        flags = flags & ~mux(flags[8] & cpu.FPCTL[VE], const(1 << 13, 16), const(0, 16))
    f.raises(flags)
    f.finish_vector()
    set_comparison(cpu, BF, [code == n for n in (LESS, GREATER, EQUAL, UNORDERED)])
