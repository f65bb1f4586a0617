"""Parts and classes of numbers: exponents, significands, data classes, tests for software division. Power ISA Book I, 7.6.1.6 to 7.6.1.8.

None of these raises an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from xemu.core.bits import Bits, Lanes, cat, const, join, mux, sle, ult, zext
from xemu.core.fp import Parts
from xemu.core.softnumber import FORMATS
from xemu.targets.ppc.isa import ppc64
from xemu.targets.ppc.vsx import SIZES, scalar, set_comparison, set_scalar
from xemu.targets.ppc.vsx_moves import one_operand, two_operands

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.targets.ppc.state import PpcCpu


def lanes_of(fmt: str, f: Callable[..., Bits]) -> Callable[..., Bits]:
    """Return a function of whole registers that is `f` on each element of a format."""
    size = SIZES[fmt]

    def apply(*values: Bits) -> Bits:
        return join([f(*[Lanes(v, size).lane(i) for v in values]) for i in range(128 // size)])
    return apply


# -- exponents and significands --------------------------------------------------------------------------------------------


def exponent(x: Bits, fmt: str) -> Bits:
    """Return the biased exponent, as wide as the number."""
    return zext(Parts(x, fmt).exponent, x.width)


def significand(x: Bits, fmt: str) -> Bits:
    """Return the fraction with the implicit bit of normal numbers, as wide as the number."""
    a, f = Parts(x, fmt), FORMATS[fmt]
    return zext(cat(~((a.exponent == 0) | (a.exponent == f.top)), a.fraction), x.width)


def with_exponent(x: Bits, y: Bits, fmt: str) -> Bits:
    """Return x with the exponent that the low bits of y say."""
    a, f = Parts(x, fmt), FORMATS[fmt]
    return cat(a.sign, y[f.exponent - 1:0], a.fraction)


@ppc64("60:6 RT 00000 B 347:9 BX -", "xsxexpdp {RT}, {XB}", f=exponent)
@ppc64("60:6 RT 00001 B 347:9 BX -", "xsxsigdp {RT}, {XB}", f=significand)
def part_of_double(cpu, RT, XB, f):
    """VSX Scalar Extract Exponent or Significand Double-Precision."""
    cpu.GPR[RT] = f(scalar(cpu, XB), "f64")


@ppc64("60:6 T RA RB 918:10 TX", "xsiexpdp {XT}, {RA}, {RB}")
def xsiexpdp(cpu, XT, RA, RB):
    """VSX Scalar Insert Exponent Double-Precision."""
    set_scalar(cpu, XT, with_exponent(cpu.GPR[RA], cpu.GPR[RB], "f64"))


for _name, _fmt, _middle, _insert in ("dp", "f64", "0000", 248), ("sp", "f32", "0100", 216):
    for _bit, _part, _function in ("0", "exp", exponent), ("1", "sig", significand):
        ppc64.row(one_operand, f"60:6 T {_middle}{_bit} B 475:9 BX TX", f"xvx{_part}{_name} {{XT}}, {{XB}}",
                  f=lanes_of(_fmt, lambda x, function=_function, fmt=_fmt: function(x, fmt)))
    ppc64.row(two_operands, f"60:6 T A B {_insert}:8 AX BX TX", f"xviexp{_name} {{XT}}, {{XA}}, {{XB}}",
              f=lanes_of(_fmt, lambda x, y, fmt=_fmt: with_exponent(x, y, fmt)))


def exponents_compared(x: Bits, y: Bits, fmt: str) -> list[Bits]:
    """Return less, greater, equal, unordered of the exponents of two numbers."""
    a, b = Parts(x, fmt), Parts(y, fmt)
    nan = a.is_nan | b.is_nan
    return [~nan & ult(a.exponent, b.exponent), ~nan & ult(b.exponent, a.exponent), ~nan & (a.exponent == b.exponent), nan]


@ppc64("60:6 BF -- A B 59:8 AX BX -", "xscmpexpdp {BF}, {XA}, {XB}")
def xscmpexpdp(cpu, BF, XA, XB):
    """VSX Scalar Compare Exponents Double-Precision."""
    set_comparison(cpu, BF, exponents_compared(scalar(cpu, XA), scalar(cpu, XB), "f64"))


# -- data classes ------------------------------------------------------------------------------------------------------------


def is_of_class(x: Bits, fmt: str, classes: Bits, *, denormal: Bits | None = None) -> Bits:
    """Return whether a number is of one of the classes that DCMX says; `denormal`: if others than the format's count as such."""
    a = Parts(x, fmt)
    small = a.is_denormal if denormal is None else denormal
    kinds = ((a.is_infinity, 4), (a.is_zero, 2), (small, 0))
    signed = [kind & mux(a.sign, classes[low], classes[low + 1]) for kind, low in kinds]
    return reduce(lambda p, q: p | q, signed, a.is_nan & classes[6])


def is_single(x: Bits) -> Bits:
    """Return whether a double is what single format has, too."""
    a = Parts(x, "f64")
    large = ult(const(1150, 11), a.exponent) & (a.exponent != 2047)
    # the lowest bit of a denormal single is worth 2**-149
    unit = zext(const(926, 16) - zext(a.exponent, 16), 64)
    lost = zext(cat(const(1, 1), a.fraction), 64) << 64 - unit
    denormal = ult(const(873, 11), a.exponent) & (lost == 0)
    return mux(ult(a.exponent, 897), a.is_zero | denormal, ~large & (a.fraction[28:0] == 0))


@ppc64("60:6 BF DCMX B 362:9 BX -", "xststdcdp {BF}, {XB}, {DCMX}", single=False)
@ppc64("60:6 BF DCMX B 298:9 BX -", "xststdcsp {BF}, {XB}, {DCMX}", single=True)
def test_class(cpu, BF, XB, DCMX, single):
    """VSX Scalar Test Data Class Double-Precision or Single-Precision."""
    x = scalar(cpu, XB)
    a, zero = Parts(x, "f64"), const(0, 1)
    small = ult(a.exponent, 897) & ~a.is_zero if single else None
    match = is_of_class(x, "f64", DCMX, denormal=small)
    set_comparison(cpu, BF, [a.sign, zero, match, ~is_single(x) if single else zero])


@ppc64("60:6 T dx B 15:4 dc 101 dm BX TX", "xvtstdcdp {XT}, {XB}, {DCMXv}", fmt="f64")
@ppc64("60:6 T dx B 13:4 dc 101 dm BX TX", "xvtstdcsp {XT}, {XB}, {DCMXv}", fmt="f32")
def test_classes(cpu, XT, XB, DCMXv, fmt):
    """VSX Vector Test Data Class Double-Precision or Single-Precision."""
    size = SIZES[fmt]
    hits = lanes_of(fmt, lambda x: cat(*[is_of_class(x, fmt, DCMXv)] * size))
    cpu.VSR[XT] = hits(cpu.VSR[XB])


# -- software division and square root ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Limits:
    """Unbiased exponents of a format and how many bits its fraction has."""

    fmt: str

    @property
    def greatest(self) -> int:
        """Exponent of the largest numbers."""
        return FORMATS[self.fmt].bias

    @property
    def least(self) -> int:
        """Exponent of the smallest normal numbers."""
        return 1 - FORMATS[self.fmt].bias

    @property
    def steps(self) -> int:
        """Bits of the fraction."""
        return FORMATS[self.fmt].fraction

    def unbiased(self, a: Parts) -> Bits:
        """Return the exponent, 16 bits wide."""
        return zext(a.exponent, 16) - self.greatest


def division_is_hard(x: Bits, y: Bits, fmt: str) -> tuple[Bits, Bits]:
    """Return whether x or y is no number to divide by steps (FG), and whether an error or a loss is possible then (FE)."""
    a, b, limits = Parts(x, fmt), Parts(y, fmt), Limits(fmt)
    ea, eb = limits.unbiased(a), limits.unbiased(b)
    special = a.is_infinity | b.is_infinity | b.is_zero
    far = sle(eb, limits.least & 0xFFFF) | sle(const(limits.greatest - 2, 16), eb)
    apart = sle(const(limits.greatest, 16), ea - eb) | sle(ea - eb, limits.least + 1 & 0xFFFF)
    apart = apart | sle(ea, limits.least + limits.steps & 0xFFFF)
    return special | b.is_denormal, special | a.is_nan | b.is_nan | far | (~a.is_zero & apart)


def root_is_hard(x: Bits, fmt: str) -> tuple[Bits, Bits]:
    """Return the same for a square root."""
    a, limits = Parts(x, fmt), Limits(fmt)
    special = a.is_infinity | a.is_zero
    small = sle(limits.unbiased(a), limits.least + limits.steps & 0xFFFF)
    return special | a.is_denormal, special | a.is_nan | a.sign | small


def set_hardness(cpu: PpcCpu, BF, pairs: list[tuple[Bits, Bits]]) -> None:
    """Set a field of CR from the tests of all elements."""
    fg, fe = (reduce(lambda p, q: p | q, column) for column in zip(*pairs, strict=True))
    cpu.set_cr(BF, [const(1, 1), fg, fe, const(0, 1)])


def test_division(cpu, BF, XA, XB, fmt, count):
    """VSX Scalar or Vector Test for software Divide."""
    size = SIZES[fmt]
    x, y = (scalar(cpu, n) if count == 1 else cpu.VSR[n] for n in (XA, XB))
    set_hardness(cpu, BF, [division_is_hard(Lanes(x, size).lane(i), Lanes(y, size).lane(i), fmt) for i in range(count)])


def test_root(cpu, BF, XB, fmt, count):
    """VSX Scalar or Vector Test for software Square Root."""
    x = scalar(cpu, XB) if count == 1 else cpu.VSR[XB]
    set_hardness(cpu, BF, [root_is_hard(Lanes(x, SIZES[fmt]).lane(i), fmt) for i in range(count)])


for _name, _divide, _root, _fmt, _count in ("xs", 61, 106, "f64", 1), ("xv", 125, 234, "f64", 2), ("xv", 93, 170, "f32", 4):
    _suffix = "dp" if _fmt == "f64" else "sp"
    ppc64.row(test_division, f"60:6 BF -- A B {_divide}:8 AX BX -", f"{_name}tdiv{_suffix} {{BF}}, {{XA}}, {{XB}}",
              fmt=_fmt, count=_count)
    ppc64.row(test_root, f"60:6 BF -- ----- B {_root}:9 BX -", f"{_name}tsqrt{_suffix} {{BF}}, {{XB}}", fmt=_fmt, count=_count)
