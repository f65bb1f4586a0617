"""Exact floating point on Python integers: what the floating-point operations of the language mean.

Numbers, rounding and the rules of targets are in softnumber.py; here are the operations and the nodes they define.
"""

from __future__ import annotations

from functools import partial
from math import isqrt
from typing import TYPE_CHECKING, Any

from xemu.core.softnumber import (
    DIVIDE_BY_ZERO,
    DOWN,
    FORMATS,
    INEXACT,
    INFINITY,
    INFINITY_BY_INFINITY,
    INFINITY_LESS_INFINITY,
    INFINITY_TIMES_ZERO,
    INPUT_DENORMAL,
    INVALID,
    NAN_COMPARED,
    NO_INTEGER,
    NUMBER,
    QUIET,
    ROOT_OF_NEGATIVE,
    RULES,
    SIGNALLING,
    ZERO,
    ZERO_BY_ZERO,
    Format,
    Operation,
    Value,
    is_zero_times_infinity,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# -- arithmetic -----------------------------------------------------------------------------------------------------


def add(op: Operation, fmt: Format, x: int, y: int) -> int:
    """Return x + y."""
    return _sum(op, fmt, op.unpack(fmt, x), op.unpack(fmt, y))


def sub(op: Operation, fmt: Format, x: int, y: int) -> int:
    """Return x - y. A NaN y comes out with its own sign."""
    a, b = op.unpack(fmt, x), op.unpack(fmt, y)
    if a.is_nan or b.is_nan:
        return op.nan(fmt, a, b)
    return _sum(op, fmt, a, Value(b.kind, b.sign ^ 1, b.significand, b.exponent))


def _sum(op: Operation, fmt: Format, a: Value, b: Value) -> int:
    if a.is_nan or b.is_nan:
        return op.nan(fmt, a, b)
    if INFINITY in (a.kind, b.kind):
        if a.kind == b.kind and a.sign != b.sign:
            return op.invalid(fmt, INFINITY_LESS_INFINITY)
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
    """Return x * y."""
    a, b = op.unpack(fmt, x), op.unpack(fmt, y)
    if a.is_nan or b.is_nan:
        return op.nan(fmt, a, b)
    if is_zero_times_infinity(a, b):
        return op.invalid(fmt, INFINITY_TIMES_ZERO)
    sign = a.sign ^ b.sign
    if INFINITY in (a.kind, b.kind):
        return op.infinity(fmt, sign)
    if a.is_zero or b.is_zero:
        return op.zero(fmt, sign)
    return op.round(fmt, sign, a.significand * b.significand, a.exponent + b.exponent)


def div(op: Operation, fmt: Format, x: int, y: int) -> int:
    """Return x / y."""
    a, b = op.unpack(fmt, x), op.unpack(fmt, y)
    if a.is_nan or b.is_nan:
        return op.nan(fmt, a, b)
    if (a.kind == INFINITY and b.kind == INFINITY) or (a.is_zero and b.is_zero):
        return op.invalid(fmt, ZERO_BY_ZERO if a.is_zero else INFINITY_BY_INFINITY)
    sign = a.sign ^ b.sign
    if a.kind == INFINITY:
        return op.infinity(fmt, sign)
    if a.is_zero or b.kind == INFINITY:
        return op.zero(fmt, sign)
    if b.is_zero:
        op.flags |= DIVIDE_BY_ZERO
        op.denormal = False
        return op.infinity(fmt, sign)
    shift = 2 * fmt.fraction + 8                               # enough quotient bits below the unit of any result
    quotient, rest = divmod(a.significand << shift, b.significand)
    return op.round(fmt, sign, quotient << 1 | (rest != 0), a.exponent - b.exponent - shift - 1)


def sqrt(op: Operation, fmt: Format, x: int) -> int:
    """Return the square root of x."""
    a = op.unpack(fmt, x)
    if a.is_nan:
        return op.nan(fmt, a)
    if a.is_zero:
        return op.zero(fmt, a.sign)
    if a.sign:
        return op.invalid(fmt, ROOT_OF_NEGATIVE)
    if a.kind == INFINITY:
        return op.infinity(fmt, 0)
    shift = 2 * fmt.fraction + 8
    shift += (a.exponent - shift) & 1                          # an even exponent
    number = a.significand << shift
    root = isqrt(number)
    return op.round(fmt, 0, root << 1 | (root * root != number), (a.exponent - shift) // 2 - 1)


def fma(op: Operation, fmt: Format, x: int, y: int, z: int, *, minus: int = 0, less: int = 0) -> int:
    """Return x * y + z with one rounding. `minus` negates the product, `less` the addend, but not if they are NaNs."""
    a, b, c = op.unpack(fmt, x), op.unpack(fmt, y), op.unpack(fmt, z)
    if a.is_nan or b.is_nan or c.is_nan:
        op.signal(a, b, c)
        return op.rules.fma_nan(op, fmt, a, b, c)
    if is_zero_times_infinity(a, b):
        return op.invalid(fmt, INFINITY_TIMES_ZERO)
    infinite = INFINITY in (a.kind, b.kind)
    return _sum(op, fmt, Value(INFINITY if infinite else NUMBER, a.sign ^ b.sign ^ minus, a.significand * b.significand,
                               a.exponent + b.exponent), Value(c.kind, c.sign ^ less, c.significand, c.exponent))


# -- comparisons -----------------------------------------------------------------------------------------------------


def compare(op: Operation, fmt: Format, x: int, y: int, *, relation: str, signals: bool) -> int:
    """Return 1 where the relation lt, le, eq or unordered holds. `signals`: quiet NaNs raise INVALID too."""
    a, b = op.unpack(fmt, x), op.unpack(fmt, y)
    if a.is_nan or b.is_nan:
        op.signal(a, b)
        if signals:
            op.raises(INVALID | NAN_COMPARED)
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


def second_unless(op: Operation, fmt: Format, x: int, y: int, *, largest: bool) -> int:
    """Return x if it is smaller (larger) than y, else y: also of two zeros and where one is a NaN, which is INVALID."""
    a, b = op.unpack(fmt, x), op.unpack(fmt, y)
    if a.is_nan or b.is_nan:
        op.invalid(fmt)
        return op.zero(fmt, b.sign) if b.is_zero else y
    p, q = _rank(fmt, a), _rank(fmt, b)
    pick = a if (p > q if largest else p < q) else b
    return op.zero(fmt, pick.sign) if pick.is_zero else pick.bits


#: what `relate` gives
LESS, EQUAL, GREATER, UNORDERED = range(4)


def relate(op: Operation, fmt: Format, x: int, y: int, *, signals: bool) -> int:
    """Return the relation of x to y. `signals`: quiet NaNs raise INVALID too."""
    if compare(op, fmt, x, y, relation="unordered", signals=signals):
        return UNORDERED
    p, q = (_rank(fmt, op.unpack(fmt, v)) for v in (x, y))
    return LESS if p < q else EQUAL if p == q else GREATER


#: comparisons by number: the relations for which they hold, a bit each (SDM vol. 2A, table 3-1)
HOLDS = (0b0010, 0b0001, 0b0011, 0b1000, 0b1101, 0b1110, 0b1100, 0b0111, 0b1010, 0b1001, 0b1011, 0b0000, 0b0101, 0b0110, 0b0100, 0b1111)


def holds(number: int) -> int:
    """Return for which relations a numbered comparison holds."""
    return HOLDS[number & 15]


def is_signalling(number: int) -> bool:
    """Return whether a numbered comparison raises INVALID for quiet NaNs."""
    return bool((number & 3 in (1, 2)) ^ (number >> 4 & 1))


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
    if target.width == 16 and op.denormal and not op.adjusts:
        op.raises(INEXACT)                                     # so it is as a half; x86 says so even where underflow is not masked
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
    op.denormal = False
    if rounding == "zero":
        op.rounding = ZERO
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
    if a.kind == NUMBER:
        whole, inexact = op.round_to(a.sign, a.significand, a.exponent + fbits, 0)
        whole = -whole if a.sign else whole
        if low <= whole <= high:
            op.note(inexact=inexact, up=inexact and abs(whole) << -(a.exponent + fbits) > a.significand)
            return whole
    op.signal(a)
    op.raises(INVALID | NO_INTEGER)
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
    op.denormal = False
    if a.is_nan:
        return op.nan(fmt, a)
    if a.kind == INFINITY or a.is_zero:
        return op.infinity(fmt, a.sign) if a.kind == INFINITY else op.zero(fmt, a.sign)
    whole, inexact = op.round_to(a.sign, a.significand, a.exponent, 0)
    if exact:
        op.note(inexact=inexact, up=inexact and whole << -a.exponent > a.significand)
    return op.round(fmt, a.sign, whole, 0) if whole else op.zero(fmt, a.sign)


def widen(op: Operation, source: Format, target: Format, x: int) -> int:
    """Return x in a wider format as loads do: nothing is an exception, and a signalling NaN stays one."""
    a, kept = op.unpack(source, x), op.flags
    number = convert(op, source, target, x)
    op.flags = kept
    return number ^ target.quiet if a.kind == SIGNALLING else number


def cut(x: int) -> int:
    """Return a double's bits as a single's as stores do: what does not fit is cut off, and nothing is an exception."""
    sign, exponent, fraction = x >> 63, x >> 52 & 0x7FF, x & ((1 << 52) - 1)
    if exponent > 896:
        return x >> 62 << 30 | x >> 29 & 0x3FFFFFFF
    return sign << 31 | (1 << 23 | fraction >> 29) >> (897 - exponent) & 0x7FFFFF


def narrowed(op: Operation, name: str, fmt: Any, values: list[int]) -> int:
    """Do an operation on doubles; return its result, rounded once to a single, as a double."""
    op.narrow = True
    if name == "round":
        a = op.unpack(FORMATS[fmt], *values)
        if a.is_nan:
            number = op.nan(FORMATS[fmt], a)
        else:
            number = a.bits if a.kind == INFINITY or a.is_zero else op.round(FORMATS[fmt], a.sign, a.significand, a.exponent)
    else:
        number = lane(op, name, fmt, values)
    op.narrow = False
    f = FORMATS["f64"]
    return number & -1 << 29 if number & (f.sign - 1) > f.infinity else number


def estimate(op: Operation, fmt: Format, x: int, *, root: bool) -> int:
    """Return RCPSS or RSQRTSS as Intel's processors have it: 12 bits of 1/m or 1/sqrt(m), where m is in the middle of its first bits."""
    a = op.unpack(fmt, x)
    fraction, biased = x & ((1 << fmt.fraction) - 1), x >> fmt.fraction & fmt.top
    if a.is_nan:
        return x | fmt.quiet
    if biased == 0:
        return op.infinity(fmt, a.sign)
    if root and a.sign:
        return op.rules.default_nan(fmt)
    if a.kind == INFINITY:
        return op.zero(fmt, a.sign)
    if root:
        odd = biased & 1 ^ 1
        middle = (2 * (fraction >> 13) + 2049) << odd                     # 2**11 * m
        digits, exponent = (isqrt((1 << 39) // middle) + 1) // 2, 190 - (biased + 1) // 2
    else:
        middle = 2 * (fraction >> 12) + 4097                              # 2**12 * m
        digits, exponent = ((1 << 26) // middle + 1) // 2, 2 * fmt.bias - 1 - biased
    if exponent <= 0:
        return op.zero(fmt, a.sign)
    return a.sign << (fmt.width - 1) | exponent << fmt.fraction | (digits & 0xFFF) << 11


# -- the nodes ---------------------------------------------------------------------------------------------------------

#: fused multiplications: is the product negated, is the addend
FUSED = {"fma": (0, 0), "fms": (0, 1), "fnma": (1, 0), "fnms": (1, 1)}
#: operations whose format is one name
SIMPLE: dict[str, Callable[..., int]] = {
    "add": add, "sub": sub, "mul": mul, "div": div, "sqrt": sqrt,
    "min": lambda op, f, x, y: minmax(op, f, x, y, largest=False, numbers=False),
    "max": lambda op, f, x, y: minmax(op, f, x, y, largest=True, numbers=False),
    "minnum": lambda op, f, x, y: minmax(op, f, x, y, largest=False, numbers=True),
    "maxnum": lambda op, f, x, y: minmax(op, f, x, y, largest=True, numbers=True),
    "round_int": lambda op, f, x: round_int(op, f, x, exact=False),
    "rint": lambda op, f, x: round_int(op, f, x, exact=True),
    **{name: partial(fma, minus=minus, less=less) for name, (minus, less) in FUSED.items()},
    "rcp": partial(estimate, root=False), "rsqrt": partial(estimate, root=True),
    "lesser": lambda op, f, x, y: second_unless(op, f, x, y, largest=False),
    "greater": lambda op, f, x, y: second_unless(op, f, x, y, largest=True),
}
COMPARES = {f"{r}{s}": (r, bool(s)) for r in ("lt", "le", "eq", "unordered") for s in ("", "_s")}
#: comparisons by number give ones or zeros as wide as their operands
NUMBERED = {f"cmp{n}": n for n in range(32)}
ESTIMATES = frozenset({"rcp", "rsqrt"})
#: operations on doubles whose result is a single in the format of doubles: these names and "_f32"
NARROWED = frozenset({"add", "sub", "mul", "div", "sqrt", "fma", "fms", "round", "from_sint", "from_uint"})
RELATIONS = {"relation": False, "relation_s": True}


def lane(op: Operation, name: str, fmt: Any, values: list[int]) -> int:
    """Do one operation on one lane; the result may be a negative integer."""
    if name in SIMPLE:
        return SIMPLE[name](op, FORMATS[fmt], *values)
    if name in COMPARES:
        relation, signals = COMPARES[name]
        return compare(op, FORMATS[fmt], *values, relation=relation, signals=signals)
    if name in NUMBERED:
        n = NUMBERED[name]
        return -(holds(n) >> relate(op, FORMATS[fmt], *values, signals=is_signalling(n)) & 1)
    if name in RELATIONS:
        return relate(op, FORMATS[fmt], *values, signals=RELATIONS[name])
    if name.endswith("_f32"):
        return narrowed(op, name.removesuffix("_f32"), fmt, values)
    if name == "cut":
        return cut(*values)
    if name in ("to_float", "widen"):
        return (convert if name == "to_float" else widen)(op, FORMATS[fmt[0]], FORMATS[fmt[1]], *values)
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
        op.rounding, op.denormal = rounding, False
        result = lane(op, name, fmt, [v >> (i * w // lanes) & ((1 << (w // lanes)) - 1) for v, w in zip(values, widths, strict=True)])
        if name in ESTIMATES:
            op.denormal = False
        if op.denormal and op.rules.separate_flushing:
            op.flags |= INPUT_DENORMAL
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
    return op.flags & op.rules.exceptions


def evaluate_host(width: int, attr: Any, widths: list[int], *values: int) -> int:
    """Evaluate a "hostfp" node: attr is (operation, format), the last argument the rounding mode 0…3."""
    name, fmt = attr
    return _evaluate(width, name, fmt, 1, Operation(RULES["host"], values[-1] & 3), widths[:-1], values[:-1])


def evaluate_host_flags(width: int, attr: Any, widths: list[int], *values: int) -> int:  # noqa: ARG001  as all evaluators
    """Return the exceptions that the same raw operation raises."""
    name, fmt = attr
    op = Operation(RULES["host"], values[-1] & 3)
    _evaluate(widths[0], name, fmt, 1, op, widths[:-1], values[:-1])
    return op.flags & op.rules.exceptions


def evaluate_again(width: int, attr: str, widths: list[int], number: int, *values: int) -> int:  # noqa: ARG001  as all evaluators
    """Evaluate an "fpagain" node: the exceptions of an operation of rules `attr` by its number, 64-bit operands, control word."""
    from xemu.core.fp import SLOW_OPERATIONS, operands_of, source_width

    if not 1 <= number <= len(SLOW_OPERATIONS):
        return 0
    name, fmt = SLOW_OPERATIONS[number - 1]
    *operands, ctl = values
    size, op = source_width(fmt), Operation(RULES[attr], ctl)
    try:
        lane(op, name, fmt, [v & ((1 << size) - 1) for v in operands[:operands_of(name, fmt)]])
    except KeyError:
        return 0
    return op.flags & op.rules.exceptions
