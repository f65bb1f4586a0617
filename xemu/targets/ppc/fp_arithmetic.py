"""Floating-point arithmetic, rounding, conversion, comparison, select. Power ISA Book I, 4.6.6 to 4.6.9."""

from __future__ import annotations

from typing import Any

from xemu.core.bits import Bits, cat, const, mux, sext, sle, slt, zext
from xemu.core.fp import Parts, fp_op
from xemu.core.record import when
from xemu.targets.ppc.floating import AWAY, DOWN, UP, ZERO, Floating
from xemu.targets.ppc.fp_word import raised
from xemu.targets.ppc.isa import Family, ppc, ppc64
from xemu.targets.ppc.status import VE, record

MINUS = 1 << 63


def _write(cpu, FRT, value: Bits, written: Bits, Rc: int) -> None:
    with when(written):
        cpu.set_fpr(FRT, value)
    if Rc:
        record(cpu)


# -- arithmetic -------------------------------------------------------------------------------------------------------


def two(cpu, FRT, FRA, FRB, Rc, operation):
    """Floating add, subtract, divide. Book I, 4.6.6.1."""
    _write(cpu, FRT, *Floating(cpu).scalar(operation, "f64", cpu.fpr(FRA), cpu.fpr(FRB)), Rc)


def product(cpu, FRT, FRA, FRC, Rc, operation):
    """Floating multiply. Book I, 4.6.6.1."""
    _write(cpu, FRT, *Floating(cpu).scalar(operation, "f64", cpu.fpr(FRA), cpu.fpr(FRC)), Rc)


def root(cpu, FRT, FRB, Rc, operation):
    """Floating square root. Book I, 4.6.6.1."""
    _write(cpu, FRT, *Floating(cpu).scalar(operation, "f64", cpu.fpr(FRB)), Rc)


def fused(cpu, FRT, FRA, FRC, FRB, Rc, operation, negate):
    """Floating multiply-add and its like. Book I, 4.6.6.2."""
    operands = cpu.fpr(FRA), cpu.fpr(FRC), cpu.fpr(FRB)
    _write(cpu, FRT, *Floating(cpu).scalar(operation, "f64", *operands, negate=negate), Rc)


def reciprocal(cpu, FRT, FRB, Rc, suffix):
    """Floating reciprocal estimate: here it is the reciprocal. Book I, 4.6.6.1."""
    f = Floating(cpu)
    value = f("div" + suffix, "f64", const(0x3FF << 52, 64), cpu.fpr(FRB))
    _write(cpu, FRT, value, f.finish_scalar(value, single=bool(suffix)), Rc)


def reciprocal_root(cpu, FRT, FRB, Rc, suffix):
    """Floating reciprocal square root estimate: here it is the reciprocal of the rounded root. Book I, 4.6.6.1."""
    f = Floating(cpu)
    value = f("div" + suffix, "f64", const(0x3FF << 52, 64), f("sqrt", "f64", cpu.fpr(FRB)))
    _write(cpu, FRT, value, f.finish_scalar(value, single=bool(suffix)), Rc)


#: mnemonic, function, diagram between the register FRT and Rc (the extended opcode at its end), assembly operands, bound arguments;
#: singles ("s", primary opcode 59) are the same with another operation
A_FORM: tuple[tuple[str, Any, str, str, dict[str, Any]], ...] = (
    ("fadd", two, "FRA FRB ----- 21:5", "{FRA}, {FRB}", {"operation": "add"}),
    ("fsub", two, "FRA FRB ----- 20:5", "{FRA}, {FRB}", {"operation": "sub"}),
    ("fdiv", two, "FRA FRB ----- 18:5", "{FRA}, {FRB}", {"operation": "div"}),
    ("fmul", product, "FRA ----- FRC 25:5", "{FRA}, {FRC}", {"operation": "mul"}),
    ("fsqrt", root, "----- FRB ----- 22:5", "{FRB}", {"operation": "sqrt"}),
    ("fmadd", fused, "FRA FRB FRC 29:5", "{FRA}, {FRC}, {FRB}", {"operation": "fma", "negate": False}),
    ("fmsub", fused, "FRA FRB FRC 28:5", "{FRA}, {FRC}, {FRB}", {"operation": "fms", "negate": False}),
    ("fnmadd", fused, "FRA FRB FRC 31:5", "{FRA}, {FRC}, {FRB}", {"operation": "fma", "negate": True}),
    ("fnmsub", fused, "FRA FRB FRC 30:5", "{FRA}, {FRC}, {FRB}", {"operation": "fms", "negate": True}),
    ("fre", reciprocal, "----- FRB ----- 24:5", "{FRB}", {}),
    ("frsqrte", reciprocal_root, "----- FRB ----- 26:5", "{FRB}", {}),
)
#: those that 32-bit processors do not have
ONLY_64 = frozenset({"fsqrt", "fsqrts", "fre", "frsqrtes"})

for _name, _function, _diagram, _operands, _bound in A_FORM:
    for _primary, _s in ((63, ""), (59, "s")):
        _arguments = dict(_bound)
        if "operation" in _bound:
            _arguments["operation"] += "_f32" if _s else ""
        else:
            _arguments["suffix"] = "_f32" if _s else ""
        (ppc64 if _name + _s in ONLY_64 else ppc).row(_function, f"{_primary}:6 FRT {_diagram} Rc",
                                                      f"{_name}{_s}{{Rc}} {{FRT}}, {_operands}", **_arguments)


def ftdiv(cpu, BF, FRA, FRB):
    """Floating Test for software Divide. Book I, 4.6.6.1."""
    a, b = Parts(cpu.fpr(FRA), "f64"), Parts(cpu.fpr(FRB), "f64")
    x, y = (zext(v.exponent, 16) - 1023 for v in (a, b))
    far = sle(const(1023, 16), x - y) | sle(x - y, const(-1021 & 0xFFFF, 16)) | sle(x, const(-970 & 0xFFFF, 16))
    special = a.is_infinity | b.is_infinity | b.is_zero
    bad = a.is_nan | b.is_nan | sle(y, const(-1022 & 0xFFFF, 16)) | sle(const(1021, 16), y) | (~a.is_zero & far)
    cpu.set_cr(BF, [const(1, 1), special | b.is_denormal, special | bad, const(0, 1)])


def ftsqrt(cpu, BF, FRB):
    """Floating Test for software Square Root. Book I, 4.6.6.1."""
    b = Parts(cpu.fpr(FRB), "f64")
    special = b.is_infinity | b.is_zero
    bad = b.is_nan | b.sign | sle(zext(b.exponent, 16) - 1023, const(-970 & 0xFFFF, 16))
    cpu.set_cr(BF, [const(1, 1), special | b.is_denormal, special | bad, const(0, 1)])


ppc64.row(ftdiv, "63:6 BF -- FRA FRB 128:10 -", "ftdiv {BF}, {FRA}, {FRB}")
ppc64.row(ftsqrt, "63:6 BF -- ----- FRB 160:10 -", "ftsqrt {BF}, {FRB}")


# -- rounding and conversion ----------------------------------------------------------------------------------------------


def to_single(cpu, FRT, FRB, Rc):
    """Floating Round to Single-Precision. Book I, 4.6.7.1."""
    _write(cpu, FRT, *Floating(cpu).scalar("round_f32", "f64", cpu.fpr(FRB)), Rc)


def to_integer(cpu, FRT, FRB, Rc, operation, width, rounding):
    """Floating convert to integer. Book I, 4.6.7.2. The upper half for a word is its sign."""
    value, written = Floating(cpu).scalar(operation, ("f64", width, rounding, 0), cpu.fpr(FRB))
    _write(cpu, FRT, sext(value, 64) if operation == "to_sint" else zext(value, 64), written, Rc)


def from_integer(cpu, FRT, FRB, Rc, operation):
    """Floating convert from integer. Book I, 4.6.7.2."""
    _write(cpu, FRT, *Floating(cpu).scalar(operation, (64, "f64", 0), cpu.fpr(FRB)), Rc)


def to_integral(cpu, FRT, FRB, Rc, rounding):
    """Floating round to integer. Book I, 4.6.7.3."""
    f = Floating(cpu)
    value = f("round_int", "f64", cpu.fpr(FRB), rounding=rounding)
    _write(cpu, FRT, value, f.finish_scalar(value), Rc)


#: mnemonic, function, primary and extended opcode, bound arguments, whether 32-bit processors have it
X_FORM: tuple[tuple[str, Any, int, int, dict[str, Any], Family], ...] = (
    ("frsp", to_single, 63, 12, {}, ppc),
    ("fctiw", to_integer, 63, 14, {"operation": "to_sint", "width": 32, "rounding": "current"}, ppc),
    ("fctiwz", to_integer, 63, 15, {"operation": "to_sint", "width": 32, "rounding": "zero"}, ppc),
    ("fctiwu", to_integer, 63, 142, {"operation": "to_uint", "width": 32, "rounding": "current"}, ppc64),
    ("fctiwuz", to_integer, 63, 143, {"operation": "to_uint", "width": 32, "rounding": "zero"}, ppc64),
    ("fctid", to_integer, 63, 814, {"operation": "to_sint", "width": 64, "rounding": "current"}, ppc64),
    ("fctidz", to_integer, 63, 815, {"operation": "to_sint", "width": 64, "rounding": "zero"}, ppc64),
    ("fctidu", to_integer, 63, 942, {"operation": "to_uint", "width": 64, "rounding": "current"}, ppc64),
    ("fctiduz", to_integer, 63, 943, {"operation": "to_uint", "width": 64, "rounding": "zero"}, ppc64),
    ("fcfid", from_integer, 63, 846, {"operation": "from_sint"}, ppc64),
    ("fcfidu", from_integer, 63, 974, {"operation": "from_uint"}, ppc64),
    ("fcfids", from_integer, 59, 846, {"operation": "from_sint_f32"}, ppc64),
    ("fcfidus", from_integer, 59, 974, {"operation": "from_uint_f32"}, ppc64),
    ("frin", to_integral, 63, 392, {"rounding": AWAY}, ppc64),
    ("friz", to_integral, 63, 424, {"rounding": ZERO}, ppc64),
    ("frip", to_integral, 63, 456, {"rounding": UP}, ppc64),
    ("frim", to_integral, 63, 488, {"rounding": DOWN}, ppc64),
)

for _name, _function, _primary, _opcode, _bound, _family in X_FORM:
    _family.row(_function, f"{_primary}:6 FRT ----- FRB {_opcode}:10 Rc", f"{_name}{{Rc}} {{FRT}}, {{FRB}}", **_bound)


# -- comparison and select ------------------------------------------------------------------------------------------------


def compare(cpu, BF, FRA, FRB, signals):
    """Floating compare. Book I, 4.6.8."""
    compare_numbers(cpu, BF, cpu.fpr(FRA), cpu.fpr(FRB), signals=signals)


def compare_numbers(cpu, BF, x, y, *, signals) -> None:
    """Set a field of CR and FPCC. A signalling NaN is no VXVC, too, where invalid operations are enabled."""
    f = Floating(cpu)

    def holds(name: str, a: Bits, b: Bits) -> Bits:
        return fp_op(cpu, name, "f64", (a, b), 0, "ppc", raises=False)
    bits = [holds("lt", x, y), holds("lt", y, x), holds("eq", x, y), holds("unordered", x, y)]
    if not cpu.context.FP:
        f("unordered_s" if signals else "unordered", "f64", x, y)
    else:
        signal = Parts(x, "f64").is_signalling | Parts(y, "f64").is_signalling
        compared = bits[3] & ~(signal & cpu.FPCTL[VE]) if signals else const(0, 1)
        f.finish_compare(raised(signalling=signal, compared=compared))
    cpu.set_cr(BF, bits)
    cpu.FPCC = cat(const(1, 1), *bits)


ppc.row(compare, "63:6 BF -- FRA FRB 0:10 -", "fcmpu {BF}, {FRA}, {FRB}", signals=False)
ppc.row(compare, "63:6 BF -- FRA FRB 32:10 -", "fcmpo {BF}, {FRA}, {FRB}", signals=True)


@ppc("63:6 FRT FRA FRB FRC 23:5 Rc", "fsel{Rc} {FRT}, {FRA}, {FRC}, {FRB}")
def fsel(cpu, FRT, FRA, FRB, FRC, Rc):
    """Floating Select. Book I, 4.6.9. Nothing is an exception."""
    x = cpu.fpr(FRA)
    at_least_zero = (~slt(x, 0) & sle(x, const(0x7FF << 52, 64))) | (x == MINUS)
    _write(cpu, FRT, mux(at_least_zero, cpu.fpr(FRC), cpu.fpr(FRB)), const(1, 1), Rc)


# -- moves ----------------------------------------------------------------------------------------------------------------


def move(cpu, FRT, FRB, Rc, operation):
    """Floating move register, negate, absolute value. Book I, 4.6.5. They look at no number."""
    x = cpu.fpr(FRB)
    value = {"fmr": x, "fneg": x ^ MINUS, "fabs": x & MINUS - 1, "fnabs": x | MINUS}[operation]
    _write(cpu, FRT, value, const(1, 1), Rc)


for _name, _opcode in {"fmr": 72, "fneg": 40, "fabs": 264, "fnabs": 136}.items():
    ppc.row(move, f"63:6 FRT ----- FRB {_opcode}:10 Rc", f"{_name}{{Rc}} {{FRT}}, {{FRB}}", operation=_name)


@ppc64("63:6 FRT FRA FRB 8:10 Rc", "fcpsgn{Rc} {FRT}, {FRA}, {FRB}")
def fcpsgn(cpu, FRT, FRA, FRB, Rc):
    """Floating Copy Sign. Book I, 4.6.5."""
    _write(cpu, FRT, cat(cpu.fpr(FRA)[63], cpu.fpr(FRB)[62:0]), const(1, 1), Rc)


@ppc64("63:6 FRT FRA FRB 838:10 -", "fmrgow {FRT}, {FRA}, {FRB}", low=0)
@ppc64("63:6 FRT FRA FRB 966:10 -", "fmrgew {FRT}, {FRA}, {FRB}", low=32)
def merge(cpu, FRT, FRA, FRB, low):
    """Floating Merge Odd or Even Word. Book I, 4.6.5."""
    cpu.set_fpr(FRT, cat(cpu.fpr(FRA)[low + 31:low], cpu.fpr(FRB)[low + 31:low]))
