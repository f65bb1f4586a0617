"""80-bit extended floating point on Python integers: what the x87 operations of the language mean.

An operation is (name, operands, control word, exceptions before) -> (status word, results). A name may say after a dot
in which format its second operand is, or its result: "add.f32", "store.i16". Numbers and rounding: extended_number.py.
SDM vol. 1, chapter 8, and the pages of the F… instructions in vol. 2A.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core import extended_host, softfloat
from xemu.core.extended_functions import FUNCTIONS, TRIGONOMETRIC
from xemu.core.extended_number import C0, C1, C2, C3, EXCEPTIONS, F80, OE, RANGES, UE, Extended, UnsupportedError, number
from xemu.core.softnumber import DIVIDE_BY_ZERO, FORMATS, INEXACT, INFINITY, INVALID, NUMBER, SIGNALLING, ZERO, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

INDEFINITE = 0xFFFF << 64 | 3 << 62
BCD_INDEFINITE = 0xFFFF << 64 | 3 << 62
UNORDERED = C3 | C2 | C0
WIDTHS = {"f32": 32, "f64": 64, "f80": 80, "i16": 16, "i32": 32, "i64": 64, "bcd": 80}
TRANSCENDENTAL = FUNCTIONS.keys() | TRIGONOMETRIC.keys()
PAIRS = frozenset({"sincos", "tan", "extract"})


def operand_widths(name: str) -> tuple[int, ...]:
    """Return the widths of an operation's operands."""
    base, _, kind = name.partition(".")
    if base == "load":
        return (WIDTHS[kind],)
    if base in ("store", "chop", "test", "sqrt", "rint", "extract", "sin", "cos", "sincos", "tan", "exp2m1"):
        return (80,)
    return (80, WIDTHS[kind or "f80"])


def result_widths(name: str) -> tuple[int, ...]:
    """Return the widths of an operation's results."""
    base, _, kind = name.partition(".")
    if base in ("com", "ucom", "test"):
        return ()
    return (WIDTHS[kind],) if base in ("store", "chop") else (80, 80) if base in PAIRS else (80,)


def conditions(name: str) -> int:
    """Return the condition bits of the status word that an operation sets."""
    base = name.partition(".")[0]
    if base in ("com", "ucom", "test"):
        return C3 | C2 | C0
    return C3 | C2 | C1 | C0 if base in ("rem", "rem1") else C2 | C1 if base in ("sin", "cos", "sincos", "tan") else C1


def perform(name: str, operands: Sequence[int], control: int, before: int) -> tuple[int, list[int]]:
    """Do an operation; return (status word: exceptions and C0 to C3, results)."""
    if name in TRANSCENDENTAL and extended_host.AVAILABLE:
        status, results = extended_host.run(name, operands, control, result_widths(name))
        return status & (EXCEPTIONS | conditions(name)) | before & EXCEPTIONS, results
    return define(name, operands, control, before)


def define(name: str, operands: Sequence[int], control: int, before: int) -> tuple[int, list[int]]:
    """Do an operation in Python; transcendental ones differ from hosts in the last bit now and then."""
    base, _, kind = name.partition(".")
    op = Extended(control)
    try:
        results = _OPERATIONS[base](op, kind, *operands)
    except UnsupportedError:
        op.nans, op.flags = True, INVALID
        op.condition = UNORDERED if base in ("com", "ucom", "test") else 0
        results = [indefinite(name)] * len(result_widths(name))
    return op.status(before), results


def evaluate(width: int, attr: str, widths: list[int], *values: int) -> int:  # noqa: ARG001  as all evaluators
    """Evaluate an "extended" node: the status word above the results, the first lowest."""
    status, results = perform(attr, values[:-2], values[-2], values[-1])
    total, at = 0, 0
    for value, size in zip(results, result_widths(attr), strict=True):
        total, at = total | value << at, at + size
    return total | status << at


def indefinite(name: str) -> int:
    """Return what an invalid operation gives."""
    base, _, kind = name.partition(".")
    if base in ("store", "chop"):
        if kind[0] == "f":
            return Extended(0x37F).rules.default_nan(FORMATS[kind])
        return BCD_INDEFINITE if kind == "bcd" else 1 << (WIDTHS[kind] - 1)
    return INDEFINITE


def second(op: Extended, kind: str, bits: int) -> int:
    """Return a second operand as an extended number."""
    if kind == "f80":
        return bits
    if kind[0] == "f":
        return op.widen(FORMATS[kind], bits)
    width = WIDTHS[kind]
    value = bits - (1 << width) if bits >> (width - 1) else bits
    return number(int(value < 0), abs(value), 0)


# -- arithmetic -------------------------------------------------------------------------------------------------------


def _arithmetic(function: Callable[..., int], *, swapped: bool = False) -> Callable[..., list[int]]:
    def apply(op: Extended, kind: str, x: int, y: int) -> list[int]:
        operands = (x, second(op, kind, y))
        for bits in operands:                                # an unsupported operand counts before a NaN
            Extended(0).unpack(F80, bits)
        return [function(op, F80, *(reversed(operands) if swapped else operands))]
    return apply


def _sqrt(op: Extended, _kind: str, x: int) -> list[int]:
    return [softfloat.sqrt(op, F80, x)]


def _round_to_integer(op: Extended, _kind: str, x: int) -> list[int]:
    """FRNDINT."""
    a = op.unpack(F80, x)
    if a.kind != NUMBER or a.is_zero:
        return [op.nan(F80, a) if a.is_nan else x]
    whole, inexact = op.round_to(a.sign, a.significand, a.exponent, 0)
    op.flags |= INEXACT if inexact else 0
    return [number(a.sign, whole, 0)]


def _nan(op: Extended, *operands: Value) -> int | None:
    return op.nan(F80, *operands) if any(v.is_nan for v in operands) else None


def _scale(op: Extended, _kind: str, x: int, y: int) -> list[int]:
    """FSCALE: x * 2**trunc(y); the precision control does not count."""
    a, b = op.unpack(F80, x), op.unpack(F80, y)
    nan = _nan(op, a, b)
    if nan is not None:
        return [nan]
    if b.kind == INFINITY:
        if (a.is_zero and not b.sign) or (a.kind == INFINITY and b.sign):
            return [op.invalid(F80)]
        return [op.zero(F80, a.sign) if b.sign else op.infinity(F80, a.sign)]
    if a.kind == INFINITY or a.is_zero:
        return [x]
    power = min(b.significand >> -b.exponent if b.exponent < 0 else b.significand << min(b.exponent, 20), 1 << 16)
    return [op.fit(F80, RANGES["f80"], a.sign, a.significand, a.exponent + (-power if b.sign else power))]


def _remainder(op: Extended, x: int, y: int, *, nearest: bool) -> list[int]:
    a, b = op.unpack(F80, x), op.unpack(F80, y)
    nan = _nan(op, a, b)
    if nan is not None:
        return [nan]
    if a.kind == INFINITY or b.is_zero:
        return [op.invalid(F80)]
    if a.is_zero or b.kind == INFINITY:
        return [op.fit(F80, RANGES["f80"], a.sign, a.significand, a.exponent) if a.significand else op.zero(F80, a.sign)]
    distance = (a.significand.bit_length() + a.exponent) - (b.significand.bit_length() + b.exponent)
    low = min(a.exponent, b.exponent)
    p, q = a.significand << (a.exponent - low), b.significand << (b.exponent - low)
    if distance < 64:
        quotient, rest = divmod(p, q)
        if nearest and (2 * rest > q or (2 * rest == q and quotient & 1)):
            quotient, rest = quotient + 1, rest - q
        op.condition = (C0 if quotient & 4 else 0) | (C3 if quotient & 2 else 0) | (C1 if quotient & 1 else 0)
    else:                                                    # a part of the work: 32 to 63 bits of the quotient
        step = q << (distance - (32 + distance % 32))
        rest, op.condition = p % step, C2
    sign = a.sign ^ int(rest < 0)
    return [op.fit(F80, RANGES["f80"], sign, abs(rest), low) if rest else op.zero(F80, a.sign)]


def _extract(op: Extended, _kind: str, x: int) -> list[int]:
    """FXTRACT: the significand, 1 ≤ |s| < 2, comes out on top, the exponent below it."""
    a = op.unpack(F80, x)
    if a.is_nan:
        nan = op.nan(F80, a)
        return [nan, nan]
    if a.kind == INFINITY:
        return [op.infinity(F80, 0), x]
    if a.is_zero:
        op.flags |= DIVIDE_BY_ZERO
        return [op.infinity(F80, 1), x]
    digits = a.significand.bit_length()
    power = a.exponent + digits - 1
    return [number(int(power < 0), abs(power), 0), number(a.sign, a.significand, 1 - digits)]


# -- comparisons --------------------------------------------------------------------------------------------------------


def _compare(op: Extended, kind: str, x: int, y: int, *, quiet: bool) -> list[int]:
    operands = (x, second(op, kind, y))
    a, b = (op.unpack(F80, v) for v in operands)
    if a.is_nan or b.is_nan:
        op.condition = UNORDERED
        if not quiet or SIGNALLING in (a.kind, b.kind):
            op.flags |= INVALID
        return []
    p, q = _order(a), _order(b)
    op.condition = C0 if p < q else C3 if p == q else 0
    return []


def _order(v: Value) -> int:
    """Return what orders like the number."""
    size = 1 << 40000 if v.kind == INFINITY else v.significand << (v.exponent + 16382 + 63)
    return -size if v.sign else size


# -- conversions --------------------------------------------------------------------------------------------------------


def _load(op: Extended, kind: str, y: int) -> list[int]:
    """FLD m32, m64; FILD; FBLD."""
    if kind == "bcd":
        value = sum((y >> (4 * i) & 15) * 10**i for i in range(18))
        return [number(y >> 79, value, 0)]
    bits = second(op, kind, y)
    a = op.unpack(F80, bits)
    return [op.nan(F80, a) if a.is_nan else bits]


def _store(op: Extended, kind: str, x: int, *, chop: bool = False) -> list[int]:
    """FST m32, m64; FIST, FISTTP, FBSTP: a denormal is no exception here."""
    a = op.unpack(F80, x)
    op.flags, op.blocking = 0, op.blocking | OE | UE         # to memory there are no wrapped results
    if kind[0] == "f":
        return [_narrow(op, kind, a)]
    op.rounding = ZERO if chop else op.rounding
    width = WIDTHS[kind]
    limit = 10**18 - 1 if kind == "bcd" else (1 << (width - 1)) - 1 + a.sign
    if a.kind == NUMBER:
        whole, inexact = op.round_to(a.sign, a.significand, a.exponent, 0)
        if whole <= limit:
            op.flags |= INEXACT if inexact else 0
            if kind == "bcd":
                return [a.sign << 79 | int(str(whole), 16)]
            return [(-whole if a.sign else whole) & ((1 << width) - 1)]
    op.up = False
    op.flags = INVALID
    return [indefinite(f"store.{kind}")]


def _narrow(op: Extended, kind: str, a: Value) -> int:
    fmt = FORMATS[kind]
    if a.is_nan:
        op.signal(a)
        return op.infinity(fmt, a.sign) | fmt.quiet | a.bits >> (63 - fmt.fraction) & (fmt.quiet - 1)
    if a.kind == INFINITY:
        return op.infinity(fmt, a.sign)
    if a.is_zero:
        return op.zero(fmt, a.sign)
    return op.round(fmt, a.sign, a.significand, a.exponent)


_OPERATIONS: dict[str, Callable[..., list[int]]] = {
    "add": _arithmetic(softfloat.add), "mul": _arithmetic(softfloat.mul),
    "sub": _arithmetic(softfloat.sub), "subr": _arithmetic(softfloat.sub, swapped=True),
    "div": _arithmetic(softfloat.div), "divr": _arithmetic(softfloat.div, swapped=True),
    "sqrt": _sqrt, "rint": _round_to_integer, "scale": _scale, "extract": _extract,
    "rem": lambda op, _kind, x, y: _remainder(op, x, y, nearest=False),
    "rem1": lambda op, _kind, x, y: _remainder(op, x, y, nearest=True),
    "com": lambda op, kind, x, y: _compare(op, kind, x, y, quiet=False),
    "ucom": lambda op, kind, x, y: _compare(op, kind, x, y, quiet=True),
    "test": lambda op, _kind, x: _compare(op, "f80", x, 0, quiet=False),
    "load": _load, "store": _store, "chop": lambda op, kind, x: _store(op, kind, x, chop=True),
    **FUNCTIONS, **TRIGONOMETRIC,
}  # fmt: skip
