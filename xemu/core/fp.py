"""Floating-point operations of the language: the nodes rows build, and the pieces for writing more in `Bits`.

The control word of an operation (8 bits): 2:0 rounding (0 nearest even, 1 up, 2 down, 3 towards zero, 4 nearest away, 5 to odd: a
last bit that is 1 may say that something is missing), 3 flush denormals to zero, 4 default NaNs, 5 ARM's alternative half format. With
x86's rules bit 3 is for results alone, 4 flushes denormal operands, 5 and 6 say that underflow and overflow are not masked: an exact tiny
result is one, and what is inexact is the result with as much exponent as it needs. With PowerPC's, bits 5 and 6 say that underflow and
overflow are enabled: the exponents of such results are adjusted. Exceptions (8 bits): 0 invalid, 1 division by zero, 2 overflow,
3 underflow, 4 inexact, 7 input denormal. PowerPC's have 16: 15:8 say which kind of invalid, and bit 5, which is never gathered, that
rounding made the magnitude larger.
What the operations mean: softfloat.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, Lanes, cat, const, extract, make, mux, ult, zext
from xemu.core.extended import result_widths
from xemu.core.softfloat import COMPARES, FUSED, NARROWED, RELATIONS
from xemu.core.softnumber import FORMATS, QUIETLY, RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xemu.core.record import Recorder

#: control words: round to nearest and nothing else; ARM's "standard FPSCR value" (flush to zero, default NaNs)
DEFAULT, STANDARD = 0, 0b11000

#: operations of which a target has slow functions: (name, format); the order is that of the table native code calls through
SLOW_OPERATIONS: tuple[tuple[str, Any], ...] = (
    *[(name, fmt) for fmt in ("f32", "f64") for name in ("add", "sub", "mul", "div", "sqrt", "fma")],
    *[(name, fmt) for fmt in ("f32", "f64") for name in ("lt", "eq", "unordered", "lt_s", "eq_s", "unordered_s")],
    ("to_float", ("f32", "f64")), ("to_float", ("f64", "f32")),
    *[(name, (fmt, 32, mode, 0)) for name in ("to_sint", "to_uint") for fmt in ("f32", "f64") for mode in ("zero", "current")],
    *[(name, (32, fmt, 0)) for name in ("from_sint", "from_uint") for fmt in ("f32", "f64")],
    *[("to_sint", (fmt, 64, mode, 0)) for fmt in ("f32", "f64") for mode in ("zero", "current")],
    *[("from_sint", (64, fmt, 0)) for fmt in ("f32", "f64")],
    *[(name, fmt) for fmt in ("f32", "f64")
      for name in ("lesser", "greater", "rint", "round_int", "relation", "relation_s", "fms", "fnma", "fnms")],
    ("to_float", ("f16", "f32")), ("to_float", ("f32", "f16")), ("rcp", "f32"), ("rsqrt", "f32"),
    ("to_float", ("f16", "f64")), ("to_float", ("f64", "f16")), ("widen", ("f32", "f64")),
    *[(name, fmt) for fmt in ("f32", "f64") for name in ("le", "le_s", "min", "max", "minnum", "maxnum")],
    *[(f"{name}_f32", (64, "f64", 0) if name.startswith("from") else "f64") for name in sorted(NARROWED)],
    *[("to_uint", (fmt, 64, mode, 0)) for fmt in ("f32", "f64") for mode in ("zero", "current")],
    *[("from_uint", (64, fmt, 0)) for fmt in ("f32", "f64")],
    *[(name, "f128") for name in ("add", "sub", "mul", "div", "sqrt", "fma", "fms", "rint", "round_int", "relation", "relation_s")],
    *[("to_float", fmt) for fmt in (("f128", "f64"), ("f64", "f128"), ("f128", "f79"))],
    *[(name, ("f128", width, "zero", 0)) for name in ("to_sint", "to_uint") for width in (32, 64)],
    *[(name, (64, "f128", 0)) for name in ("from_sint", "from_uint")],
)
#: the place in that table of the function behind "fpagain": the exceptions of an operation given by its number
AGAIN = 511
#: bits that are never gathered among the exceptions
NEVER_STICKY = 0x60
#: an operand on which any operation gives an exact result, by format: 1
BENIGN = {"f16": 0x3C00, "f32": 0x3F800000, "f64": 0x3FF0000000000000}


def fp_op(cpu: Recorder, name: str, fmt: Any, args: Sequence[Bits], ctl: Bits | int, rules: str = "arm",
          lanes: int = 1, *, raises: bool = True) -> Bits:
    """Build a floating-point operation and gather its exceptions. Names and formats: softfloat.lane.

    A scalar comparison gives one bit, one on lanes gives lanes of ones or zeros. `raises` False leaves the exceptions
    to another operation on the same operands. PowerPC's rules take a constant control word here, else `fp_apart`.
    """
    width = result_width(name, fmt, lanes)
    if cpu.predicate is not None:          # inside `when`: the operation happens always, but on numbers that raise nothing
        args = [mux(cpu.predicate, a, _benign(name, fmt, a.width)) for a in args]
    control = ctl if isinstance(ctl, Bits) else const(ctl, 8)
    node = make("fp", width, (*args, control), (name, fmt, lanes, rules))
    if raises and rules not in QUIETLY:
        cpu.raise_flags(node, harmless=True)
    return node


def fp_apart(name: str, fmt: Any, args: Sequence[Bits], ctl: Bits, rules: str, lanes: int = 1) -> tuple[Bits, Bits]:
    """Build an operation that gathers nothing; return its value and its exceptions."""
    attr = (name, fmt, lanes, rules)
    return (make("fp", result_width(name, fmt, lanes), (*args, ctl), attr),
            make("fpflags", RULES[rules].width, (*args, ctl), attr))


def _benign(name: str, fmt: Any, width: int) -> Bits:
    """Return an operand (of all lanes) that raises nothing."""
    if name.startswith("from_"):
        return const(0, width)
    source = fmt if isinstance(fmt, str) else fmt[0]
    size = FORMATS[source].width
    return const(sum(BENIGN[source] << i for i in range(0, width, size)), width)


def operands_of(name: str, fmt: Any) -> int:
    """Return how many operands an operation has."""
    name = name.removesuffix("_f32")
    if name in FUSED:
        return 3
    return 1 if name in ("sqrt", "rint", "round_int", "rcp", "rsqrt", "round") or not isinstance(fmt, str) else 2


def source_width(fmt: Any) -> int:
    """Return the width of (a lane of) an operand."""
    source = fmt if isinstance(fmt, str) else fmt[0]
    return source if isinstance(source, int) else FORMATS[source].width


def result_width(name: str, fmt: Any, lanes: int = 1) -> int:
    """Return the width of an operation's result."""
    if name in COMPARES:
        return 1 if lanes == 1 else FORMATS[fmt].width * lanes
    if name in RELATIONS:
        return 8 * lanes
    if name in ("to_sint", "to_uint"):
        return int(fmt[1]) * lanes
    return FORMATS[fmt if isinstance(fmt, str) else fmt[1]].width * lanes


def host(name: str, fmt: Any, args: Sequence[Bits], rounding: Bits | int) -> tuple[Bits, Bits]:
    """Build the host's own IEEE operation in a rounding mode 0…3; return (value, the exceptions it raises).

    Only for slow functions: which NaN comes out and when a result counts as tiny depends on the host.
    """
    mode = rounding if isinstance(rounding, Bits) else const(rounding, 2)
    operands = (*args, zext(mode, 8))
    return (make("hostfp", result_width(name, fmt), operands, (name, fmt)),
            make("hostfpflags", 8, operands, (name, fmt)))


def extended(name: str, operands: Sequence[Bits], control: Bits, status: Bits) -> tuple[Bits, ...]:
    """Build an operation on 80-bit numbers (extended.py) with the x87's control word; return (status word, *results).

    `status` is the status word before it: the exceptions in it stay set. It raises nothing but in the status word.
    """
    widths = result_widths(name)
    node = make("extended", 16 + sum(widths), (*operands, control, status), name)
    at, results = 0, []
    for width in widths:
        results.append(extract(node, at, width))
        at += width
    return (extract(node, at, 16), *results)


@dataclass(frozen=True)
class Parts:
    """The parts of a scalar number, as values."""

    bits: Bits
    fmt: str

    @property
    def sign(self) -> Bits:
        """Sign bit."""
        return self.bits[self.bits.width - 1]

    @property
    def exponent(self) -> Bits:
        """Biased exponent field."""
        return self.bits[self.bits.width - 2:FORMATS[self.fmt].fraction]

    @property
    def fraction(self) -> Bits:
        """Fraction field."""
        return self.bits[FORMATS[self.fmt].fraction - 1:0]

    @property
    def magnitude(self) -> Bits:
        """All but the sign, as wide as the number."""
        return self.bits & (FORMATS[self.fmt].sign - 1)

    @property
    def is_nan(self) -> Bits:
        """Is it a NaN?"""
        return ult(const(FORMATS[self.fmt].infinity, self.bits.width), self.magnitude)

    @property
    def is_quiet(self) -> Bits:
        """Is it a quiet NaN?"""
        return ~ult(self.magnitude, FORMATS[self.fmt].infinity | FORMATS[self.fmt].quiet)

    @property
    def is_signalling(self) -> Bits:
        """Is it a signalling NaN?"""
        return self.is_nan & ~self.is_quiet

    @property
    def is_infinity(self) -> Bits:
        """Is it an infinity?"""
        return self.magnitude == FORMATS[self.fmt].infinity

    @property
    def is_zero(self) -> Bits:
        """Is it a zero?"""
        return self.magnitude == 0

    @property
    def is_denormal(self) -> Bits:
        """Is it below the smallest normal number, but not zero?"""
        return ult(self.magnitude - 1, (1 << FORMATS[self.fmt].fraction) - 1)

    @property
    def signed_zero(self) -> Bits:
        """Zero with this number's sign."""
        return self.bits & FORMATS[self.fmt].sign

    def flushed(self, flush: Bits) -> Parts:
        """Return the number, or zero with its sign if it is a denormal and `flush` is 1."""
        return Parts(mux(flush & self.is_denormal, self.signed_zero, self.bits), self.fmt)


@dataclass(frozen=True)
class LaneParts:
    """The same on lanes of one format: tests give lanes of ones or zeros."""

    bits: Lanes
    fmt: str

    def _constant(self, value: int) -> Lanes:
        return Lanes.splat(const(value, self.bits.size), self.bits.count)

    @property
    def magnitude(self) -> Lanes:
        """All but the signs."""
        return self.bits & (FORMATS[self.fmt].sign - 1)

    @property
    def is_nan(self) -> Lanes:
        """Where is a NaN?"""
        return self._constant(FORMATS[self.fmt].infinity).op("ult", self.magnitude)

    @property
    def is_signalling(self) -> Lanes:
        """Where is a signalling NaN?"""
        return self.is_nan & self.magnitude.op("ult", FORMATS[self.fmt].infinity | FORMATS[self.fmt].quiet)

    @property
    def is_denormal(self) -> Lanes:
        """Where is a denormal?"""
        return (self.magnitude - 1).op("ult", (1 << FORMATS[self.fmt].fraction) - 1)

    @property
    def order(self) -> Lanes:
        """Signed integers that order like the numbers, -0 below +0."""
        return self.bits ^ (self.bits.sar(self.bits.size - 1) >> 1)

    def flushed(self) -> LaneParts:
        """Return the numbers with denormals replaced by zeros of their sign."""
        return LaneParts(pick(self.is_denormal, self.bits & FORMATS[self.fmt].sign, self.bits), self.fmt)


def pick(mask: Lanes, x: Lanes, y: Lanes) -> Lanes:
    """Return lanes of x where the mask's lane is ones, of y where it is zeros."""
    return y ^ ((x ^ y) & mask)


def exceptions(*, invalid: Bits | int = 0, divide_by_zero: Bits | int = 0, underflow: Bits | int = 0,
               inexact: Bits | int = 0, input_denormal: Bits | int = 0, overflow: Bits | int = 0) -> Bits:
    """Return exception bits joined into a word."""
    bit = [b if isinstance(b, Bits) else const(b, 1)
           for b in (input_denormal, const(0, 1), const(0, 1), inexact, underflow, overflow, divide_by_zero, invalid)]
    return cat(*bit)


def any_of(bits: Sequence[Bits]) -> Bits:
    """Return whether one of the bits is 1."""
    result = bits[0]
    for b in bits[1:]:
        result = result | b
    return result
