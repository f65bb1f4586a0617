"""Vector-scalar comparisons, and maxima by other languages' rules. Power ISA Book I, 7.6.1.5, 7.6.1.7."""

from __future__ import annotations

from xemu.core.bits import Bits, Lanes, const, mux, sext, ult
from xemu.core.fp import LaneParts, Parts
from xemu.core.record import when
from xemu.targets.ppc.floating import Floating
from xemu.targets.ppc.fp_arithmetic import compare_numbers
from xemu.targets.ppc.fp_word import raised
from xemu.targets.ppc.isa import ppc64
from xemu.targets.ppc.status import VE
from xemu.targets.ppc.vsx import SIZES, scalar, xx3
from xemu.targets.ppc.vsx_arithmetic import write_scalar

#: x > y and x >= y are y < x and y <= x, comparisons for order, which signal quiet NaNs
ORDERS = {"gt": "lt", "ge": "le"}


def relation(fp: Floating, name: str, fmt: str, x: Bits, y: Bits, lanes: int = 1) -> Bits:
    """Return whether x is equal to y, greater, or not less. A signalling NaN is no VXVC, too, where invalid operations are enabled."""
    if name == "eq":
        return fp(name, fmt, x, y, lanes=lanes)
    if not fp.cpu.context.FP:
        return fp(f"{ORDERS[name]}_s", fmt, y, x, lanes=lanes)
    a, b = (LaneParts(Lanes(v, SIZES[fmt]), fmt) for v in (x, y))
    signalling = a.is_signalling | b.is_signalling
    compared = (a.is_nan | b.is_nan) & ~(signalling & Lanes.splat(sext(fp.cpu.FPCTL[VE], SIZES[fmt]), lanes))
    fp.raises(raised(signalling=signalling.any(), compared=compared.any()))
    return fp(ORDERS[name], fmt, y, x, lanes=lanes, raises=False)


def scalar_mask(cpu, XT, XA, XB, f):
    """VSX Scalar Compare Equal, Greater Than, Greater Than or Equal Double-Precision: ones where it holds."""
    fp = Floating(cpu)
    holds = relation(fp, f, "f64", scalar(cpu, XA), scalar(cpu, XB))
    write_scalar(cpu, XT, sext(holds, 64), fp.finish_vector())


def vector_mask(cpu, XT, XA, XB, Rc, f, fmt):
    """VSX Vector Compare Equal, Greater Than, Greater Than or Equal; CR6 says if it holds for all elements or none."""
    fp = Floating(cpu)
    mask = relation(fp, f, fmt, cpu.VSR[XA], cpu.VSR[XB], 128 // SIZES[fmt])
    with when(fp.finish_vector()):
        cpu.VSR[XT] = mask
        if Rc:
            cpu.set_cr(6, [mask == -1, const(0, 1), mask == 0, const(0, 1)])


for _number, _name in enumerate(("eq", "gt", "ge")):
    xx3(f"xscmp{_name}dp", 8 * _number + 3, scalar_mask, f=_name)
    for _suffix, _fmt, _opcode in ("sp", "f32", 67), ("dp", "f64", 99):
        ppc64.row(vector_mask, f"60:6 T A B Rc {_opcode + 8 * _number}:7 AX BX TX",
                  f"xvcmp{_name}{_suffix}{{Rc}} {{XT}}, {{XA}}, {{XB}}", f=_name, fmt=_fmt)


@ppc64("60:6 BF -- A B 35:8 AX BX 0", "xscmpudp {BF}, {XA}, {XB}", signals=False)
@ppc64("60:6 BF -- A B 43:8 AX BX 0", "xscmpodp {BF}, {XA}, {XB}", signals=True)
def scalar_compare(cpu, BF, XA, XB, signals):
    """VSX Scalar Compare Unordered, Ordered Double-Precision."""
    compare_numbers(cpu, BF, scalar(cpu, XA), scalar(cpu, XB), signals=signals)


# -- maximum and minimum as C and Java have them -----------------------------------------------------------------------------------


def below(x: Parts, y: Parts) -> Bits:
    """Return whether x is less than y, or a zero with another sign; neither is a NaN."""
    return mux(x.sign ^ y.sign, x.sign, mux(x.sign, ult(y.bits, x.bits), ult(x.bits, y.bits)))


def signals(fp: Floating, x: Parts, y: Parts) -> None:
    """Raise what signalling NaNs are."""
    fp.raises(raised(signalling=x.is_signalling | y.is_signalling))


def extreme_c(cpu, XT, XA, XB, largest):
    """VSX Scalar Maximum, Minimum Type-C Double-Precision: the second operand where one is a NaN."""
    fp, x, y = Floating(cpu), Parts(scalar(cpu, XA), "f64"), Parts(scalar(cpu, XB), "f64")
    signals(fp, x, y)
    zeros = x.is_zero & y.is_zero
    first = mux(zeros, const(largest, 1), below(y, x) | (x.bits == y.bits) if largest else below(x, y))
    value = mux(first & ~(x.is_nan | y.is_nan), x.bits, y.bits)
    write_scalar(cpu, XT, value, fp.finish_vector())


def extreme_java(cpu, XT, XA, XB, largest):
    """VSX Scalar Maximum, Minimum Type-J Double-Precision: the first operand that is a NaN; -0 is less than +0."""
    fp, x, y = Floating(cpu), Parts(scalar(cpu, XA), "f64"), Parts(scalar(cpu, XB), "f64")
    signals(fp, x, y)
    number = mux(below(y, x) if largest else below(x, y), x.bits, y.bits)
    value = mux(x.is_nan, x.bits, mux(y.is_nan, y.bits, number))
    write_scalar(cpu, XT, value, fp.finish_vector())


for _function, _letter, _opcode in (extreme_c, "c", 128), (extreme_java, "j", 144):
    xx3(f"xsmax{_letter}dp", _opcode, _function, largest=True)
    xx3(f"xsmin{_letter}dp", _opcode + 8, _function, largest=False)
