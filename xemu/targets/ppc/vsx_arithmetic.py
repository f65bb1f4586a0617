"""Vector-scalar arithmetic and rounding to integral numbers, of scalars and of vectors. Power ISA Book I, 7.6.1.5, 7.6.1.6.

A scalar sets FR, FI and FPRF; neither form writes its result where an exception is enabled that leaves none (Book I, 7.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, const
from xemu.core.record import when
from xemu.core.softnumber import FORMATS
from xemu.targets.ppc.floating import AWAY, DOWN, UP, ZERO, Floating, negated_lanes
from xemu.targets.ppc.isa import ppc64
from xemu.targets.ppc.vsx import SIZES, scalar, set_scalar, splat, xx2, xx3

if TYPE_CHECKING:
    from xemu.core.record import RegNo
    from xemu.targets.ppc.state import PpcCpu

#: suffix of the mnemonic -> format
VECTORS = {"sp": "f32", "dp": "f64"}


def one(fmt: str) -> Bits:
    """Return 1."""
    f = FORMATS[fmt]
    return const(f.bias << f.fraction, f.width)


def write_scalar(cpu: PpcCpu, XT: RegNo, value: Bits, written: Bits) -> None:
    """Write a scalar if its instruction has a result."""
    with when(written):
        set_scalar(cpu, XT, value)


def write_vector(cpu: PpcCpu, XT: RegNo, f: Floating, value: Bits) -> None:
    """Write a vector if its instruction has a result."""
    with when(f.finish_vector()):
        cpu.VSR[XT] = value


# -- two operands, and one ----------------------------------------------------------------------------------------------------


def scalar_two(cpu, XT, XA, XB, f):
    """VSX Scalar Add, Subtract, Multiply, Divide."""
    write_scalar(cpu, XT, *Floating(cpu).scalar(f, "f64", scalar(cpu, XA), scalar(cpu, XB)))


def scalar_one(cpu, XT, XB, f):
    """VSX Scalar Square Root, Round to Single-Precision."""
    write_scalar(cpu, XT, *Floating(cpu).scalar(f, "f64", scalar(cpu, XB)))


def vector_two(cpu, XT, XA, XB, f, fmt):
    """VSX Vector Add, Subtract, Multiply, Divide, Maximum, Minimum."""
    fp = Floating(cpu)
    write_vector(cpu, XT, fp, fp(f, fmt, cpu.VSR[XA], cpu.VSR[XB], lanes=128 // SIZES[fmt]))


def vector_one(cpu, XT, XB, f, fmt, rounding=None):
    """VSX Vector Square Root, Round to Integer."""
    fp = Floating(cpu)
    write_vector(cpu, XT, fp, fp(f, fmt, cpu.VSR[XB], lanes=128 // SIZES[fmt], rounding=rounding))


for _number, _name in enumerate(("add", "sub", "mul", "div")):
    xx3(f"xs{_name}sp", 8 * _number, scalar_two, f=f"{_name}_f32")
    xx3(f"xs{_name}dp", 8 * _number + 32, scalar_two, f=_name)
    xx3(f"xv{_name}sp", 8 * _number + 64, vector_two, f=_name, fmt="f32")
    xx3(f"xv{_name}dp", 8 * _number + 96, vector_two, f=_name, fmt="f64")
xx2("xssqrtsp", 11, scalar_one, f="sqrt_f32")
xx2("xssqrtdp", 75, scalar_one, f="sqrt")
xx2("xvsqrtsp", 139, vector_one, f="sqrt", fmt="f32")
xx2("xvsqrtdp", 203, vector_one, f="sqrt", fmt="f64")
xx2("xsrsp", 281, scalar_one, f="round_f32")
for _name, _op, _opcode in ("max", "maxnum", 192), ("min", "minnum", 200):
    xx3(f"xv{_name}sp", _opcode, vector_two, f=_op, fmt="f32")
    xx3(f"xv{_name}dp", _opcode + 32, vector_two, f=_op, fmt="f64")


# -- multiply-add ---------------------------------------------------------------------------------------------------------------


def factors(cpu: PpcCpu, XT: RegNo, XA: RegNo, XB: RegNo, *, addend: bool, read: Any) -> tuple[Bits, Bits, Bits]:
    """Return x, y, z of x * y + z: what is written was the addend (A forms) or a factor (M forms)."""
    a, b, t = (read(cpu, n) for n in (XA, XB, XT))
    return (a, b, t) if addend else (a, t, b)


def scalar_fused(cpu, XT, XA, XB, f, addend, negate):
    """VSX Scalar (Negative) Multiply-Add or Multiply-Subtract."""
    operands = factors(cpu, XT, XA, XB, addend=addend, read=scalar)
    write_scalar(cpu, XT, *Floating(cpu).scalar(f, "f64", *operands, negate=negate))


def vector_fused(cpu, XT, XA, XB, f, addend, negate, fmt):
    """VSX Vector (Negative) Multiply-Add or Multiply-Subtract."""
    fp = Floating(cpu)
    operands = factors(cpu, XT, XA, XB, addend=addend, read=lambda cpu, n: cpu.VSR[n])
    value = fp(f, fmt, *operands, lanes=128 // SIZES[fmt])
    write_vector(cpu, XT, fp, negated_lanes(value, fmt) if negate else value)


for _name, _op, _negate, _opcode in (("madd", "fma", False, 1), ("msub", "fms", False, 17), ("nmadd", "fma", True, 129),
                                     ("nmsub", "fms", True, 145)):
    for _letter, _addend, _more in ("a", True, 0), ("m", False, 8):
        _bound = {"addend": _addend, "negate": _negate}
        xx3(f"xs{_name}{_letter}sp", _opcode + _more, scalar_fused, f=f"{_op}_f32", **_bound)
        xx3(f"xs{_name}{_letter}dp", _opcode + _more + 32, scalar_fused, f=_op, **_bound)
        xx3(f"xv{_name}{_letter}sp", _opcode + _more + 64, vector_fused, f=_op, fmt="f32", **_bound)
        xx3(f"xv{_name}{_letter}dp", _opcode + _more + 96, vector_fused, f=_op, fmt="f64", **_bound)


# -- estimates: here they are what they estimate -----------------------------------------------------------------------------------


def scalar_reciprocal(cpu, XT, XB, root, single):
    """VSX Scalar Reciprocal (Square Root) Estimate."""
    f, x = Floating(cpu), scalar(cpu, XB)
    value = f("div_f32" if single else "div", "f64", one("f64"), f("sqrt", "f64", x) if root else x)
    write_scalar(cpu, XT, value, f.finish_scalar(value, single=single))


def vector_reciprocal(cpu, XT, XB, root, fmt):
    """VSX Vector Reciprocal (Square Root) Estimate."""
    f, x, lanes = Floating(cpu), cpu.VSR[XB], 128 // SIZES[fmt]
    x = f("sqrt", fmt, x, lanes=lanes) if root else x
    write_vector(cpu, XT, f, f("div", fmt, splat(one(fmt)), x, lanes=lanes))


for _name, _root, _opcode in ("re", False, 26), ("rsqrte", True, 10):
    xx2(f"xs{_name}sp", _opcode, scalar_reciprocal, root=_root, single=True)
    xx2(f"xs{_name}dp", _opcode + 64, scalar_reciprocal, root=_root, single=False)
    xx2(f"xv{_name}sp", _opcode + 128, vector_reciprocal, root=_root, fmt="f32")
    xx2(f"xv{_name}dp", _opcode + 192, vector_reciprocal, root=_root, fmt="f64")


# -- integral numbers -----------------------------------------------------------------------------------------------------------------


def scalar_integral(cpu, XT, XB, rounding):
    """VSX Scalar Round to Double-Precision Integer in a mode: no exception for a result that is not exact."""
    f = Floating(cpu)
    value = f("round_int", "f64", scalar(cpu, XB), rounding=rounding)
    write_scalar(cpu, XT, value, f.finish_scalar(value))


#: letter of the mnemonic -> rounding mode, opcodes of doubles and singles
for _letter, _rounding, _double, _single in (("", AWAY, 73, 137), ("z", ZERO, 89, 153), ("p", UP, 105, 169), ("m", DOWN, 121, 185)):
    xx2(f"xsrdpi{_letter}", _double, scalar_integral, rounding=_rounding)
    xx2(f"xvrdpi{_letter}", _double + 128, vector_one, f="round_int", fmt="f64", rounding=_rounding)
    xx2(f"xvrspi{_letter}", _single, vector_one, f="round_int", fmt="f32", rounding=_rounding)
xx2("xsrdpic", 107, scalar_one, f="rint")
xx2("xvrdpic", 235, vector_one, f="rint", fmt="f64")
xx2("xvrspic", 171, vector_one, f="rint", fmt="f32")


# -- maximum and minimum of scalars --------------------------------------------------------------------------------------------------


@ppc64("60:6 T A B 160:8 AX BX TX", "xsmaxdp {XT}, {XA}, {XB}", f="maxnum")
@ppc64("60:6 T A B 168:8 AX BX TX", "xsmindp {XT}, {XA}, {XB}", f="minnum")
def scalar_extreme(cpu, XT, XA, XB, f):
    """VSX Scalar Maximum, Minimum Double-Precision: FR, FI and FPRF stay."""
    fp = Floating(cpu)
    value = fp(f, "f64", scalar(cpu, XA), scalar(cpu, XB))
    write_scalar(cpu, XT, value, fp.finish_vector())
