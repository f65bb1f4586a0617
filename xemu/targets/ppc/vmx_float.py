"""Vector floating point: four singles, no exceptions. Power ISA Book I, 6.10.

While VSCR.NJ is 1 (context JAVA 0), denormal operands count as zeros and denormal results become zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, Lanes, const, zext
from xemu.core.fp import LaneParts, fp_op, pick
from xemu.core.softnumber import DOWN, NEAREST, UP, ZERO
from xemu.targets.ppc.isa import ppc

if TYPE_CHECKING:
    from xemu.targets.ppc.state import PpcCpu

FLUSH, FRACTION, BIAS = 8, 23, 127
ONE, INFINITY, QUIET, SIGN, NAN = 0x3F800000, 0x7F800000, 1 << 22, 1 << 31, 0x7FC00000
UNIT = 1 << FRACTION


def constant(value: int) -> Lanes:
    """Return a value in all elements."""
    return Lanes.splat(const(value, 32), 4)


def operate(cpu: PpcCpu, name: str, *args: Bits) -> Bits:
    """Do an operation on four singles."""
    return fp_op(cpu, name, "f32", args, 0 if cpu.context.JAVA else FLUSH, "vmx", 4, raises=False)


def operand(cpu: PpcCpu, value: Bits) -> LaneParts:
    """Return an operand of what is done with integers, flushed if the mode says so."""
    parts = LaneParts(Lanes(value, 32), "f32")
    return parts if cpu.context.JAVA else parts.flushed()


def first_nan(result: Lanes, *operands: LaneParts) -> Lanes:
    """Return the result, or the first operand that is a NaN, made quiet."""
    for x in reversed(operands):
        result = pick(x.is_nan, x.bits | QUIET, result)
    return result


# -- arithmetic (Book I, 6.10.1) --------------------------------------------------------------------------------------------


def arithmetic(cpu, VRT, VRA, VRB, f):
    """Vector Add, Subtract Floating-Point."""
    cpu.set_vr(VRT, operate(cpu, f, cpu.vr(VRA), cpu.vr(VRB)))


ppc.row(arithmetic, "4:6 VRT VRA VRB 10:11", "vaddfp {VRT}, {VRA}, {VRB}", f="add")
ppc.row(arithmetic, "4:6 VRT VRA VRB 74:11", "vsubfp {VRT}, {VRA}, {VRB}", f="sub")


@ppc("4:6 VRT VRA VRB VRC 46:6", "vmaddfp {VRT}, {VRA}, {VRC}, {VRB}")
def vmaddfp(cpu, VRT, VRA, VRB, VRC):
    """Vector Multiply-Add Floating-Point."""
    cpu.set_vr(VRT, operate(cpu, "fma", cpu.vr(VRA), cpu.vr(VRC), cpu.vr(VRB)))


@ppc("4:6 VRT VRA VRB VRC 47:6", "vnmsubfp {VRT}, {VRA}, {VRC}, {VRB}")
def vnmsubfp(cpu, VRT, VRA, VRB, VRC):
    """Vector Negative Multiply-Subtract Floating-Point: a NaN keeps its sign."""
    result = LaneParts(Lanes(operate(cpu, "fms", cpu.vr(VRA), cpu.vr(VRC), cpu.vr(VRB)), 32), "f32")
    cpu.set_vr(VRT, (result.bits ^ (~result.is_nan & SIGN)).bits)


def extreme(cpu, VRT, VRA, VRB, least):
    """Vector Maximum, Minimum Floating-Point: -0 is less than +0."""
    x, y = operand(cpu, cpu.vr(VRA)), operand(cpu, cpu.vr(VRB))
    less = x.order.op("slt", y.order)
    cpu.set_vr(VRT, first_nan(pick(less, x.bits, y.bits) if least else pick(less, y.bits, x.bits), x, y).bits)


ppc.row(extreme, "4:6 VRT VRA VRB 1034:11", "vmaxfp {VRT}, {VRA}, {VRB}", least=False)
ppc.row(extreme, "4:6 VRT VRA VRB 1098:11", "vminfp {VRT}, {VRA}, {VRB}", least=True)


# -- rounding and conversion (Book I, 6.10.2) ----------------------------------------------------------------------------------


def to_integral(cpu, VRT, VRB, mode):
    """Vector Round to Floating-Point Integer."""
    cpu.set_vr(VRT, fp_op(cpu, "round_int", "f32", [operand(cpu, cpu.vr(VRB)).bits.bits], mode, "vmx", 4, raises=False))


for _name, _opcode, _mode in ("vrfin", 522, NEAREST), ("vrfiz", 586, ZERO), ("vrfip", 650, UP), ("vrfim", 714, DOWN):
    ppc.row(to_integral, f"4:6 VRT 00000 VRB {_opcode}:11", f"{_name} {{VRT}}, {{VRB}}", mode=_mode)


def scale_of(UIM: Bits) -> Lanes:
    """Return what the exponents of 2**UIM and 1 differ by, in place."""
    return Lanes.splat(zext(UIM, 32) << FRACTION, 4)


def from_integers(cpu, VRT, UIM, VRB, f):
    """Vector Convert From Signed or Unsigned Fixed-Point Word."""
    number = Lanes(fp_op(cpu, f, (32, "f32", 0), [cpu.vr(VRB)], 0, "vmx", 4, raises=False), 32)
    zero = number.op("eq", 0)
    cpu.set_vr(VRT, (number - (scale_of(UIM) & ~zero)).bits)


ppc.row(from_integers, "4:6 VRT UIM VRB 842:11", "vcfsx {VRT}, {VRB}, {UIM}", f="from_sint")
ppc.row(from_integers, "4:6 VRT UIM VRB 778:11", "vcfux {VRT}, {VRB}, {UIM}", f="from_uint")


def to_integers(cpu, VRT, UIM, VRB, signed):
    """Vector Convert To Signed or Unsigned Fixed-Point Word, Saturate: towards zero, 0 for NaNs."""
    x = LaneParts(Lanes(cpu.vr(VRB), 32), "f32")
    scaled = x.magnitude + scale_of(UIM)                      # of zeros and denormals this is a number below 1
    exponent, negative = scaled >> FRACTION, x.bits.sar(31)
    significand = scaled & UNIT - 1 | UNIT
    size = (significand << exponent - (BIAS + FRACTION)) | (significand >> constant(BIAS + FRACTION) - exponent)
    if signed:
        least = (negative & 1) + 0x7FFFFFFF                   # the largest magnitude
        over = constant(BIAS + 30).op("ult", exponent) & ~(negative & scaled.op("eq", BIAS + 31 << FRACTION))
        value, limit = (size ^ negative) - negative, least
    else:
        over = constant(BIAS + 31).op("ult", exponent) | (negative & ~size.op("eq", 0))
        value, limit = size, ~negative
    over = over & ~x.is_nan
    cpu.SAT |= over.any()
    cpu.set_vr(VRT, (pick(over, limit, value) & ~x.is_nan).bits)


ppc.row(to_integers, "4:6 VRT UIM VRB 970:11", "vctsxs {VRT}, {VRB}, {UIM}", signed=True)
ppc.row(to_integers, "4:6 VRT UIM VRB 906:11", "vctuxs {VRT}, {VRB}, {UIM}", signed=False)


# -- comparison (Book I, 6.10.3) ----------------------------------------------------------------------------------------------


def ordered(x: LaneParts) -> Lanes:
    """Return integers that order like the numbers, both zeros as 0."""
    return x.order & ~x.magnitude.op("eq", 0)


def compare(cpu, VRT, VRA, VRB, Rc, relation):
    """Vector Compare Equal to, Greater Than or Equal to, Greater Than Floating-Point."""
    x, y = operand(cpu, cpu.vr(VRA)), operand(cpu, cpu.vr(VRB))
    p, q = ordered(x), ordered(y)
    holds = {"eq": lambda: p.op("eq", q), "ge": lambda: q.op("sle", p), "gt": lambda: q.op("slt", p)}[relation]()
    holds = holds & ~(x.is_nan | y.is_nan)
    cpu.set_vr(VRT, holds.bits)
    if Rc:
        cpu.set_cr(6, [holds.bits == -1, const(0, 1), holds.bits == 0, const(0, 1)])


for _name, _opcode in ("eq", 198), ("ge", 454), ("gt", 710):
    ppc.row(compare, f"4:6 VRT VRA VRB Rc {_opcode}:10", f"vcmp{_name}fp{{Rc}} {{VRT}}, {{VRA}}, {{VRB}}", relation=_name)


@ppc("4:6 VRT VRA VRB Rc 966:10", "vcmpbfp{Rc} {VRT}, {VRA}, {VRB}")
def vcmpbfp(cpu, VRT, VRA, VRB, Rc):
    """Vector Compare Bounds Floating-Point: bits 0 and 1 of an element say that it is above VRB, below -VRB."""
    x, y = operand(cpu, cpu.vr(VRA)), operand(cpu, cpu.vr(VRB))
    p, q = ordered(x), ordered(y)
    nan = x.is_nan | y.is_nan
    opposite = ordered(LaneParts(y.bits ^ SIGN, "f32"))
    outside = ((nan | q.op("slt", p)) & SIGN) | ((nan | p.op("slt", opposite)) & SIGN >> 1)
    cpu.set_vr(VRT, outside.bits)
    if Rc:
        cpu.set_cr(6, [const(0, 1), const(0, 1), outside.bits == 0, const(0, 1)])


# -- estimates (Book I, 6.10.4) -----------------------------------------------------------------------------------------------


@ppc("4:6 VRT 00000 VRB 266:11", "vrefp {VRT}, {VRB}")
def vrefp(cpu, VRT, VRB):
    """Vector Reciprocal Estimate Floating-Point: the quotient itself."""
    cpu.set_vr(VRT, operate(cpu, "div", constant(ONE).bits, cpu.vr(VRB)))


@ppc("4:6 VRT 00000 VRB 330:11", "vrsqrtefp {VRT}, {VRB}")
def vrsqrtefp(cpu, VRT, VRB):
    """Vector Reciprocal Square Root Estimate Floating-Point: from the root, rounded."""
    cpu.set_vr(VRT, operate(cpu, "div", constant(ONE).bits, operate(cpu, "sqrt", cpu.vr(VRB))))


def bulge(fraction: Lanes) -> Lanes:
    """Return about 0.344 f (1 - f) of a fraction of 23 bits: how far the logarithm of 1 + f is above f."""
    high = fraction >> 7
    return ((high * (constant(1 << 16) - high)) >> 9) * 88 >> 8


@ppc("4:6 VRT 00000 VRB 394:11", "vexptefp {VRT}, {VRB}")
def vexptefp(cpu, VRT, VRB):
    """Vector 2 Raised to the Exponent Estimate Floating-Point: of integers exact."""
    x = operand(cpu, cpu.vr(VRB))
    exponent, negative = x.magnitude >> FRACTION, x.bits.sar(31)
    significand = x.magnitude & UNIT - 1 | UNIT
    size = (significand << exponent - BIAS) | (significand >> constant(BIAS) - exponent)        # in units of 2**-23
    large = constant(BIAS + 6).op("ult", exponent)                                               # 128 or more
    power = (size ^ negative) - negative
    fraction = power & UNIT - 1
    result = power + BIAS * UNIT - bulge(fraction)
    result = result & ~result.op("slt", UNIT)                                                    # too small
    result = pick(large, ~negative & INFINITY, result)
    cpu.set_vr(VRT, first_nan(result, x).bits)


@ppc("4:6 VRT 00000 VRB 458:11", "vlogefp {VRT}, {VRB}")
def vlogefp(cpu, VRT, VRB):
    """Vector Log Base 2 Estimate Floating-Point: of powers of two exact."""
    x = operand(cpu, cpu.vr(VRB))
    low = x.magnitude.op("ult", UNIT)
    lead = (x.magnitude.unary("clz") - 8) & low
    scaled = ((x.magnitude << lead) & UNIT - 1) | pick(low, constant(1) - lead, x.magnitude >> FRACTION) << FRACTION
    power = scaled + bulge(scaled & UNIT - 1) - BIAS * UNIT                                      # in units of 2**-23
    number = Lanes(fp_op(cpu, "from_sint", (32, "f32", 0), [power.bits], 0, "vmx", 4, raises=False), 32)
    result = number - (~number.op("eq", 0) & FRACTION * UNIT)
    result = pick(x.magnitude.op("eq", INFINITY), constant(INFINITY), result)
    result = pick(x.bits.sar(31), constant(NAN), result)
    result = pick(x.magnitude.op("eq", 0), constant(INFINITY | SIGN), result)
    cpu.set_vr(VRT, first_nan(result, x).bits)
