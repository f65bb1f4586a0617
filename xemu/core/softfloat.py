"""Exact floating point on Python integers: what the floating-point operations of the language mean.

An operation gets a control word (see fp.py), and `Rules` for what IEEE 754 leaves open: which NaN comes out, when a
result counts as tiny, what an integer conversion gives that does not fit. A finite number is sign, significand and
exponent as Python ints, so every intermediate result is exact and there is one rounding, in `Operation.round`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import isqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

#: exceptions, as bits of the result of evaluate_flags (the IEEE five, and ARM's "input denormal")
INVALID, DIVIDE_BY_ZERO, OVERFLOW, UNDERFLOW, INEXACT, INPUT_DENORMAL = 1, 2, 4, 8, 16, 128
#: rounding modes, as in bits 2:0 of the control word
NEAREST, UP, DOWN, ZERO, AWAY = range(5)
#: kinds of numbers
NUMBER, INFINITY, QUIET, SIGNALLING = range(4)


@dataclass(frozen=True)
class Format:
    """A binary interchange format: so many bits of exponent and of fraction."""

    name: str
    width: int
    fraction: int

    @cached_property
    def exponent(self) -> int:
        """Return the bits of the exponent field."""
        return self.width - 1 - self.fraction

    @cached_property
    def bias(self) -> int:
        """Return the exponent bias."""
        return (1 << (self.exponent - 1)) - 1

    @cached_property
    def top(self) -> int:
        """Return the exponent field of infinities and NaNs."""
        return (1 << self.exponent) - 1

    @cached_property
    def infinity(self) -> int:
        """Return the bits of +infinity."""
        return self.top << self.fraction

    @cached_property
    def quiet(self) -> int:
        """Return the fraction bit that makes a NaN quiet."""
        return 1 << (self.fraction - 1)

    @cached_property
    def sign(self) -> int:
        """Return the sign bit."""
        return 1 << (self.width - 1)


FORMATS = {"f16": Format("f16", 16, 10), "f32": Format("f32", 32, 23), "f64": Format("f64", 64, 52)}


@dataclass(frozen=True)
class Value:
    """An unpacked operand: (-1)**sign * significand * 2**exponent if it is a NUMBER. `bits` are those before flushing."""

    kind: int
    sign: int
    significand: int = 0
    exponent: int = 0
    bits: int = 0

    @property
    def is_nan(self) -> bool:
        """Return whether this is a NaN of either kind."""
        return self.kind >= QUIET

    @property
    def is_zero(self) -> bool:
        """Return whether this is a zero."""
        return self.kind == NUMBER and self.significand == 0


class Rules:
    """What a target does where IEEE 754 leaves a choice. These are ARM's; others override."""

    tiny_after_rounding = False
    default_nan_sign = 0

    def default_nan(self, fmt: Format) -> int:
        """Return the NaN that an invalid operation gives."""
        return self.default_nan_sign << (fmt.width - 1) | fmt.infinity | fmt.quiet

    def nan(self, op: Operation, fmt: Format, operands: list[Value]) -> int:
        """Return the result where at least one operand is a NaN: the first signalling one, else the first (FPProcessNaNs)."""
        if op.default_nans:
            return self.default_nan(fmt)
        first = next((v for v in operands if v.kind == SIGNALLING), None) or next(v for v in operands if v.is_nan)
        return first.bits | fmt.quiet

    def fma_nan(self, op: Operation, fmt: Format, a: Value, b: Value, c: Value) -> int:
        """Return the result of a * b + c where one is a NaN: the addend comes first (FPMulAdd)."""
        if c.kind == QUIET and not (a.is_nan or b.is_nan) and is_zero_times_infinity(a, b):
            op.flags |= INVALID
            return self.default_nan(fmt)
        return self.nan(op, fmt, [c, a, b])

    def integer(self, value: Value, width: int, *, signed: bool, sign: int) -> int:  # noqa: ARG002  width: for x86
        """Return the integer for a NaN (0) or for a number that is too large or too small (the nearest)."""
        if value.is_nan:
            return 0
        low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
        return low if sign else high


class HostRules(Rules):
    """What a raw operation of the host gives. Slow functions must not depend on what hosts differ in; tests vary it."""

    tiny_after_rounding = True
    default_nan_sign = 1

    def fma_nan(self, op: Operation, fmt: Format, a: Value, b: Value, c: Value) -> int:
        """Return some NaN."""
        return self.nan(op, fmt, [a, b, c])


#: name in the attribute of a node -> rules
RULES: dict[str, Rules] = {"arm": Rules(), "host": HostRules()}


def is_zero_times_infinity(a: Value, b: Value) -> bool:
    """Return whether a * b is invalid."""
    return (a.kind == INFINITY and b.is_zero) or (a.is_zero and b.kind == INFINITY)


class Operation:
    """One operation in progress: its control word taken apart, and the exceptions so far."""

    def __init__(self, rules: Rules, ctl: int) -> None:
        self.rules = rules
        self.rounding = ctl & 7
        self.flush = bool(ctl & 8)
        self.default_nans = bool(ctl & 16)
        self.alternative_half = bool(ctl & 32)
        self.flags = 0

    # -- in ------------------------------------------------------------------------------------------------------
    def unpack(self, fmt: Format, bits: int) -> Value:
        """Take a number apart. With flush-to-zero a denormal (but for halves) is a zero and raises INPUT_DENORMAL."""
        sign = bits >> (fmt.width - 1)
        fraction, exponent = bits & ((1 << fmt.fraction) - 1), bits >> fmt.fraction & fmt.top
        lowest = 1 - fmt.bias - fmt.fraction
        if exponent == fmt.top and not (fmt.width == 16 and self.alternative_half):
            if fraction == 0:
                return Value(INFINITY, sign, bits=bits)
            return Value(QUIET if fraction & fmt.quiet else SIGNALLING, sign, bits=bits)
        if exponent == 0:
            if fraction and self.flush and fmt.width != 16:
                self.flags |= INPUT_DENORMAL
                fraction = 0
            return Value(NUMBER, sign, fraction, lowest, bits)
        return Value(NUMBER, sign, fraction | 1 << fmt.fraction, lowest + exponent - 1, bits)

    # -- out -----------------------------------------------------------------------------------------------------
    def invalid(self, fmt: Format) -> int:
        """Raise INVALID; return the default NaN."""
        self.flags |= INVALID
        return self.rules.default_nan(fmt)

    def nan(self, fmt: Format, *operands: Value) -> int:
        """Return the NaN that comes out of these operands; INVALID if one is signalling."""
        self.signal(*operands)
        return self.rules.nan(self, fmt, list(operands))

    def signal(self, *operands: Value) -> None:
        """Raise INVALID for signalling NaNs."""
        if any(v.kind == SIGNALLING for v in operands):
            self.flags |= INVALID

    def zero(self, fmt: Format, sign: int) -> int:
        """Return a zero."""
        return sign << (fmt.width - 1)

    def infinity(self, fmt: Format, sign: int) -> int:
        """Return an infinity."""
        return sign << (fmt.width - 1) | fmt.infinity

    def round(self, fmt: Format, sign: int, significand: int, exponent: int) -> int:
        """Return the bits of a non-zero number (-1)**sign * significand * 2**exponent, rounded once."""
        top = significand.bit_length() - 1 + exponent          # 2**top <= number < 2**(top + 1)
        lowest = 1 - fmt.bias
        tiny = top < lowest
        if tiny and self.flush and fmt.width != 16:
            self.flags |= UNDERFLOW
            return self.zero(fmt, sign)
        unit = max(top, lowest) - fmt.fraction
        rounded, inexact = self.round_to(sign, significand, exponent, unit)
        if tiny and inexact and not (self.rules.tiny_after_rounding and self._grows(fmt, sign, significand, exponent)):
            self.flags |= UNDERFLOW
        if rounded >> (fmt.fraction + 1):                      # carried into the next power of two
            rounded, unit = rounded >> 1, unit + 1
        biased = unit + fmt.fraction + fmt.bias if rounded >> fmt.fraction else 0
        if biased >= fmt.top and self._overflows(fmt, biased):
            return self._overflow(fmt, sign)
        if inexact:
            self.flags |= INEXACT
        return sign << (fmt.width - 1) | biased << fmt.fraction | (rounded & ((1 << fmt.fraction) - 1))

    def round_to(self, sign: int, significand: int, exponent: int, unit: int) -> tuple[int, bool]:
        """Return the number as a multiple of 2**unit, rounded, and whether that lost anything."""
        shift = unit - exponent
        if shift <= 0:
            return significand << -shift, False
        whole, rest, half = significand >> shift, significand & ((1 << shift) - 1), 1 << (shift - 1)
        match self.rounding:
            case 0: up = rest > half or (rest == half and whole & 1 == 1)
            case 1: up = rest != 0 and not sign
            case 2: up = rest != 0 and sign == 1
            case 3: up = False
            case _: up = rest >= half
        return whole + up, rest != 0

    def _grows(self, fmt: Format, sign: int, significand: int, exponent: int) -> bool:
        """Return whether a number below the normal ones rounds up to one, were the exponent unbounded."""
        top = significand.bit_length() - 1 + exponent
        rounded, _ = self.round_to(sign, significand, exponent, top - fmt.fraction)
        return top == -fmt.bias and rounded >> (fmt.fraction + 1) != 0

    def _overflows(self, fmt: Format, biased: int) -> bool:
        return biased > fmt.top or not (fmt.width == 16 and self.alternative_half)

    def _overflow(self, fmt: Format, sign: int) -> int:
        """Return infinity or the largest number; the alternative half format has neither: INVALID."""
        if fmt.width == 16 and self.alternative_half:
            self.flags |= INVALID
            return sign << 15 | 0x7FFF
        self.flags |= OVERFLOW | INEXACT
        towards_zero = self.rounding == ZERO or self.rounding == (UP if sign else DOWN)
        return self.infinity(fmt, sign) - (1 if towards_zero else 0)


# -- arithmetic -----------------------------------------------------------------------------------------------------


def add(op: Operation, fmt: Format, x: int, y: int) -> int:
    """x + y."""
    return _sum(op, fmt, op.unpack(fmt, x), op.unpack(fmt, y))


def sub(op: Operation, fmt: Format, x: int, y: int) -> int:
    """x - y. A NaN y comes out with its own sign."""
    a, b = op.unpack(fmt, x), op.unpack(fmt, y)
    if a.is_nan or b.is_nan:
        return op.nan(fmt, a, b)
    return _sum(op, fmt, a, Value(b.kind, b.sign ^ 1, b.significand, b.exponent))


def _sum(op: Operation, fmt: Format, a: Value, b: Value) -> int:
    if a.is_nan or b.is_nan:
        return op.nan(fmt, a, b)
    if a.kind == INFINITY or b.kind == INFINITY:
        if a.kind == b.kind and a.sign != b.sign:
            return op.invalid(fmt)
        return op.infinity(fmt, a.sign if a.kind == INFINITY else b.sign)
    exponent = min(a.exponent, b.exponent)
    total = _integer(a, exponent) + _integer(b, exponent)
    if total == 0:
        return op.zero(fmt, a.sign if a.sign == b.sign else int(op.rounding == DOWN))
    return op.round(fmt, int(total < 0), abs(total), exponent)


def _integer(v: Value, exponent: int) -> int:
    """Return a number in units of 2**exponent."""
    return (v.significand << (v.exponent - exponent)) * (-1 if v.sign else 1)


def mul(op: Operation, fmt: Format, x: int, y: int) -> int:
    """x * y."""
    a, b = op.unpack(fmt, x), op.unpack(fmt, y)
    if a.is_nan or b.is_nan:
        return op.nan(fmt, a, b)
    if is_zero_times_infinity(a, b):
        return op.invalid(fmt)
    sign = a.sign ^ b.sign
    if a.kind == INFINITY or b.kind == INFINITY:
        return op.infinity(fmt, sign)
    if a.is_zero or b.is_zero:
        return op.zero(fmt, sign)
    return op.round(fmt, sign, a.significand * b.significand, a.exponent + b.exponent)


def div(op: Operation, fmt: Format, x: int, y: int) -> int:
    """x / y."""
    a, b = op.unpack(fmt, x), op.unpack(fmt, y)
    if a.is_nan or b.is_nan:
        return op.nan(fmt, a, b)
    if (a.kind == INFINITY and b.kind == INFINITY) or (a.is_zero and b.is_zero):
        return op.invalid(fmt)
    sign = a.sign ^ b.sign
    if a.kind == INFINITY:
        return op.infinity(fmt, sign)
    if a.is_zero or b.kind == INFINITY:
        return op.zero(fmt, sign)
    if b.is_zero:
        op.flags |= DIVIDE_BY_ZERO
        return op.infinity(fmt, sign)
    shift = 2 * fmt.fraction + 8                               # enough quotient bits below the unit of any result
    quotient, rest = divmod(a.significand << shift, b.significand)
    return op.round(fmt, sign, quotient << 1 | (rest != 0), a.exponent - b.exponent - shift - 1)


def sqrt(op: Operation, fmt: Format, x: int) -> int:
    """Square root of x."""
    a = op.unpack(fmt, x)
    if a.is_nan:
        return op.nan(fmt, a)
    if a.is_zero:
        return op.zero(fmt, a.sign)
    if a.sign:
        return op.invalid(fmt)
    if a.kind == INFINITY:
        return op.infinity(fmt, 0)
    shift = 2 * fmt.fraction + 8
    shift += (a.exponent - shift) & 1                          # an even exponent
    number = a.significand << shift
    root = isqrt(number)
    return op.round(fmt, 0, root << 1 | (root * root != number), (a.exponent - shift) // 2 - 1)


def fma(op: Operation, fmt: Format, x: int, y: int, z: int) -> int:
    """x * y + z with one rounding."""
    a, b, c = op.unpack(fmt, x), op.unpack(fmt, y), op.unpack(fmt, z)
    if a.is_nan or b.is_nan or c.is_nan:
        op.signal(a, b, c)
        return op.rules.fma_nan(op, fmt, a, b, c)
    if is_zero_times_infinity(a, b):
        return op.invalid(fmt)
    infinite = INFINITY in (a.kind, b.kind)
    return _sum(op, fmt, Value(INFINITY if infinite else NUMBER, a.sign ^ b.sign, a.significand * b.significand,
                               a.exponent + b.exponent), c)


# -- comparisons -----------------------------------------------------------------------------------------------------


def compare(op: Operation, fmt: Format, x: int, y: int, *, relation: str, signals: bool) -> int:
    """Return 1 where the relation lt, le, eq or unordered holds. `signals`: quiet NaNs raise INVALID too."""
    a, b = op.unpack(fmt, x), op.unpack(fmt, y)
    if a.is_nan or b.is_nan:
        op.signal(a, b)
        if signals:
            op.flags |= INVALID
        return int(relation == "unordered")
    p, q = _rank(fmt, a), _rank(fmt, b)
    return int({"lt": p < q, "le": p <= q, "eq": p == q, "unordered": False}[relation])


def _rank(fmt: Format, v: Value) -> int:
    """Return an integer that orders like the number; zeros (also flushed ones) are 0."""
    size = 0 if v.is_zero else v.bits & (fmt.sign - 1)
    return -size if v.sign else size


def minmax(op: Operation, fmt: Format, x: int, y: int, *, largest: bool, numbers: bool) -> int:
    """Return FPMin/FPMax: -0 is below +0. `numbers`: a number beats a quiet NaN (FPMinNum/FPMaxNum)."""
    a, b = op.unpack(fmt, x), op.unpack(fmt, y)
    if numbers and {a.kind, b.kind} & {QUIET} and not (a.is_nan and b.is_nan) and SIGNALLING not in (a.kind, b.kind):
        a = b = a if b.is_nan else b
    if a.is_nan or b.is_nan:
        return op.nan(fmt, a, b)
    pick = (max if largest else min)(a, b, key=lambda v: (_rank(fmt, v), -v.sign))
    return op.zero(fmt, pick.sign) if pick.is_zero else pick.bits


# -- conversions -----------------------------------------------------------------------------------------------------


def convert(op: Operation, source: Format, target: Format, x: int) -> int:
    """Return x in another format."""
    a = op.unpack(source, x)
    if a.is_nan:
        return _convert_nan(op, source, target, a)
    if a.kind == INFINITY:
        if target.width == 16 and op.alternative_half:
            op.flags |= INVALID
            return a.sign << 15 | 0x7FFF
        return op.infinity(target, a.sign)
    if a.is_zero:
        return op.zero(target, a.sign)
    return op.round(target, a.sign, a.significand, a.exponent)


def _convert_nan(op: Operation, source: Format, target: Format, a: Value) -> int:
    """Return a NaN in another format: quiet, the top bits of the payload kept. The alternative half format has none."""
    op.signal(a)
    if target.width == 16 and op.alternative_half:
        op.flags |= INVALID
        return op.zero(target, a.sign)
    if op.default_nans:
        return op.rules.default_nan(target)
    payload = a.bits & ((1 << source.fraction) - 1)
    shift = target.fraction - source.fraction
    payload = payload << shift if shift >= 0 else payload >> -shift
    return op.infinity(target, a.sign) | target.quiet | payload


def to_integer(op: Operation, fmt: Format, x: int, *, width: int, rounding: str, fbits: int, signed: bool) -> int:
    """Return x * 2**fbits as an integer; what does not fit is INVALID and goes by the rules."""
    a = op.unpack(fmt, x)
    if rounding == "zero":
        op.rounding = ZERO
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
    if a.kind == NUMBER:
        whole, inexact = op.round_to(a.sign, a.significand, a.exponent + fbits, 0)
        whole = -whole if a.sign else whole
        if low <= whole <= high:
            op.flags |= INEXACT if inexact else 0
            return whole
    op.flags |= INVALID
    return op.rules.integer(a, width, signed=signed, sign=a.sign)


def from_integer(op: Operation, fmt: Format, x: int, *, width: int, fbits: int, signed: bool) -> int:
    """Return the integer x / 2**fbits as a number."""
    number = x - (1 << width) if signed and x >> (width - 1) else x
    if number == 0:
        return 0
    return op.round(fmt, int(number < 0), abs(number), -fbits)


def round_int(op: Operation, fmt: Format, x: int, *, exact: bool) -> int:
    """Return x rounded to an integral number; INEXACT if `exact` and it was not one."""
    a = op.unpack(fmt, x)
    if a.is_nan:
        return op.nan(fmt, a)
    if a.kind == INFINITY or a.is_zero:
        return op.infinity(fmt, a.sign) if a.kind == INFINITY else op.zero(fmt, a.sign)
    whole, inexact = op.round_to(a.sign, a.significand, a.exponent, 0)
    if inexact and exact:
        op.flags |= INEXACT
    return op.round(fmt, a.sign, whole, 0) if whole else op.zero(fmt, a.sign)


# -- the nodes ---------------------------------------------------------------------------------------------------------

#: operations whose format is one name
SIMPLE: dict[str, Callable[..., int]] = {
    "add": add, "sub": sub, "mul": mul, "div": div, "sqrt": sqrt, "fma": fma,
    "min": lambda op, f, x, y: minmax(op, f, x, y, largest=False, numbers=False),
    "max": lambda op, f, x, y: minmax(op, f, x, y, largest=True, numbers=False),
    "minnum": lambda op, f, x, y: minmax(op, f, x, y, largest=False, numbers=True),
    "maxnum": lambda op, f, x, y: minmax(op, f, x, y, largest=True, numbers=True),
    "round_int": lambda op, f, x: round_int(op, f, x, exact=False),
    "rint": lambda op, f, x: round_int(op, f, x, exact=True),
}
COMPARES = {f"{r}{s}": (r, bool(s)) for r in ("lt", "le", "eq", "unordered") for s in ("", "_s")}


def lane(op: Operation, name: str, fmt: Any, values: list[int]) -> int:
    """Do one operation on one lane; the result may be a negative integer."""
    if name in SIMPLE:
        return SIMPLE[name](op, FORMATS[fmt], *values)
    if name in COMPARES:
        relation, signals = COMPARES[name]
        return compare(op, FORMATS[fmt], *values, relation=relation, signals=signals)
    if name == "to_float":
        return convert(op, FORMATS[fmt[0]], FORMATS[fmt[1]], *values)
    if name in ("to_sint", "to_uint"):
        source, width, rounding, fbits = fmt
        return to_integer(op, FORMATS[source], *values, width=width, rounding=rounding, fbits=fbits, signed=name == "to_sint")
    if name in ("from_sint", "from_uint"):
        width, target, fbits = fmt
        return from_integer(op, FORMATS[target], *values, width=width, fbits=fbits, signed=name == "from_sint")
    raise KeyError(name)


def _evaluate(width: int, name: str, fmt: Any, lanes: int, op: Operation, widths: list[int], values: tuple[int, ...]) -> int:
    """Return all lanes of the result; the exceptions of all lanes gather in `op`. A scalar comparison has one bit."""
    size, total = width // lanes, 0
    rounding = op.rounding
    for i in range(lanes):
        op.rounding = rounding
        result = lane(op, name, fmt, [v >> (i * w // lanes) & ((1 << (w // lanes)) - 1) for v, w in zip(values, widths, strict=True)])
        if name in COMPARES:
            result = -result
        total |= (result & ((1 << size) - 1)) << (i * size)
    return total


def evaluate_value(width: int, attr: Any, widths: list[int], *values: int) -> int:
    """Evaluate an "fp" node: attr is (operation, format, lanes, rules), the last argument the control word."""
    name, fmt, lanes, rules = attr
    return _evaluate(width, name, fmt, lanes, Operation(RULES[rules], values[-1]), widths[:-1], values[:-1])


def evaluate_flags(width: int, attr: Any, widths: list[int], *values: int) -> int:  # noqa: ARG001  as all evaluators
    """Return the exceptions that the same operation raises."""
    name, fmt, lanes, rules = attr
    op = Operation(RULES[rules], values[-1])
    _evaluate(widths[0], name, fmt, lanes, op, widths[:-1], values[:-1])
    return op.flags


def evaluate_host(width: int, attr: Any, widths: list[int], *values: int) -> int:
    """Evaluate a "hostfp" node: attr is (operation, format), the last argument the rounding mode 0…3."""
    name, fmt = attr
    return _evaluate(width, name, fmt, 1, Operation(RULES["host"], values[-1] & 3), widths[:-1], values[:-1])


def evaluate_host_flags(width: int, attr: Any, widths: list[int], *values: int) -> int:  # noqa: ARG001  as all evaluators
    """Return the exceptions that the same raw operation raises."""
    name, fmt = attr
    op = Operation(RULES["host"], values[-1] & 3)
    _evaluate(widths[0], name, fmt, 1, op, widths[:-1], values[:-1])
    return op.flags
