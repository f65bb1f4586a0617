"""Quad precision without arithmetic: signs, parts, classes. Power ISA Book I, 7.6.1.6, 7.6.1.7. Quads are in vector registers."""

from __future__ import annotations

from xemu.core.bits import const
from xemu.targets.ppc.isa import ppc64
from xemu.targets.ppc.state import plus32
from xemu.targets.ppc.vsx import scalar, set_comparison, set_scalar
from xemu.targets.ppc.vsx_parts import exponent, exponents_compared, is_of_class, significand, with_exponent

SIGN, MAGNITUDE = 1 << 127, (1 << 127) - 1


def one_operand(cpu, VRT, VRB, f):
    """VSX Scalar Absolute Value, Negative Absolute Value, Negate, Extract Significand Quad-Precision."""
    cpu.set_vr(VRT, f(cpu.vr(VRB)))


for _name, _middle, _function in (("abs", 0, lambda x: x & MAGNITUDE), ("nabs", 8, lambda x: x | SIGN), ("neg", 16, lambda x: x ^ SIGN),
                                  ("xsig", 18, lambda x: significand(x, "f128"))):
    ppc64.row(one_operand, f"63:6 VRT {_middle}:5 VRB 804:10 0", f"xs{_name}qp {{VRT}}, {{VRB}}", f=_function)


@ppc64("63:6 VRT 2:5 VRB 804:10 0", "xsxexpqp {VRT}, {VRB}")
def xsxexpqp(cpu, VRT, VRB):
    """VSX Scalar Extract Exponent Quad-Precision."""
    set_scalar(cpu, plus32(VRT), exponent(cpu.vr(VRB), "f128")[63:0])


@ppc64("63:6 VRT VRA VRB 868:10 0", "xsiexpqp {VRT}, {VRA}, {VRB}")
def xsiexpqp(cpu, VRT, VRA, VRB):
    """VSX Scalar Insert Exponent Quad-Precision."""
    power = scalar(cpu, plus32(VRB))
    cpu.set_vr(VRT, with_exponent(cpu.vr(VRA), power, "f128"))


@ppc64("63:6 VRT VRA VRB 100:10 0", "xscpsgnqp {VRT}, {VRA}, {VRB}")
def xscpsgnqp(cpu, VRT, VRA, VRB):
    """VSX Scalar Copy Sign Quad-Precision."""
    cpu.set_vr(VRT, (cpu.vr(VRA) & SIGN) | (cpu.vr(VRB) & MAGNITUDE))


@ppc64("63:6 BF 00 VRA VRB 164:10 0", "xscmpexpqp {BF}, {VRA}, {VRB}")
def xscmpexpqp(cpu, BF, VRA, VRB):
    """VSX Scalar Compare Exponents Quad-Precision."""
    set_comparison(cpu, BF, exponents_compared(cpu.vr(VRA), cpu.vr(VRB), "f128"))


@ppc64("63:6 BF DCMX VRB 708:10 0", "xststdcqp {BF}, {VRB}, {DCMX}")
def xststdcqp(cpu, BF, VRB, DCMX):
    """VSX Scalar Test Data Class Quad-Precision."""
    x, zero = cpu.vr(VRB), const(0, 1)
    set_comparison(cpu, BF, [x[127], zero, is_of_class(x, "f128", DCMX), zero])
