"""Decimal floating point (IEEE 754, densely packed): what the operation "decimal" means, on Python's decimal numbers.

There is no native code for it: programs that use it are rare. A row that does is executed by the evaluator.
Operations give (result, exceptions, incremented?): exceptions as in fp.py in bits 7:0, which kind of invalid in bits 15:8.
"""

from __future__ import annotations

import decimal
from decimal import Decimal
from typing import TYPE_CHECKING

from xemu.core.decimal_numbers import FORMATS, ROUNDING, Format, Parts, decoded, encoded, joined, parts, quiet_nan

if TYPE_CHECKING:
    from collections.abc import Callable

    Result = tuple[int, int, int]

INVALID, DIVISION, OVERFLOW, UNDERFLOW, INEXACT = 1, 2, 4, 8, 16
SNAN, INF_MINUS_INF, INF_BY_INF, ZERO_BY_ZERO, INF_TIMES_ZERO, COMPARISON, _, CONVERSION = (1 << n | INVALID for n in range(8, 16))
TOWARDS_ZERO = 1
#: bits of the mode beside the number: an underflow, an overflow is not masked: its result has as much exponent as it needs, moved by this
UNDERFLOW_ENABLED, OVERFLOW_ENABLED = 8, 16
MOVED = {32: 192, 64: 576, 128: 9216}
LARGEST, SMALLEST = (1 << 63) - 1, -1 << 63         # of signed doublewords
SIGN_NIBBLES = {0xA: 0, 0xB: 1, 0xC: 0, 0xD: 1, 0xE: 0, 0xF: 0}


# -- operations with two operands --------------------------------------------------------------------------------------


def propagated(operands: list[Parts], form: Format) -> Result | None:
    """Return the result of an operation on NaNs: the first signaling one, else the first one, quiet; None without NaNs."""
    chosen = next((p for p in operands if p.kind == "snan"), None) or next((p for p in operands if p.kind == "nan"), None)
    if chosen is None:
        return None
    signals = any(p.kind == "snan" for p in operands)
    return joined(chosen._replace(kind="nan"), form), SNAN if signals else 0, 0


def flags_of(context: decimal.Context) -> int:
    """Return the exceptions that a context has met, but for invalid."""
    met = context.flags
    return (DIVISION * met[decimal.DivisionByZero] | OVERFLOW * met[decimal.Overflow] | UNDERFLOW * met[decimal.Underflow]
            | INEXACT * met[decimal.Inexact])


def finished(form: Format, mode: int, compute: Callable[[decimal.Context], Decimal]) -> Result:
    """Return what an operation on numbers gives; the magnitude was incremented if rounding towards 0 gives another."""
    context = form.context(mode)
    value, moved = compute(context), 0
    flags = flags_of(context)
    if flags & OVERFLOW and mode & OVERFLOW_ENABLED:
        flags, moved = OVERFLOW, -MOVED[form.width]
    elif context.flags[decimal.Subnormal] and mode & UNDERFLOW_ENABLED:
        flags, moved = UNDERFLOW, MOVED[form.width]
    if moved:
        context = form.context(mode, bounded=False)
        value = compute(context)
        flags |= INEXACT * context.flags[decimal.Inexact]
    incremented = bool(flags & INEXACT) and compute(form.context(TOWARDS_ZERO, bounded=not moved)) != value
    return encoded(value.scaleb(moved, context) if moved else value, form), flags, int(incremented)


def arithmetic(name: str, form: Format, mode: int, a: int, b: int) -> Result:
    """Add, subtract, multiply or divide."""
    pa, pb = parts(a, form), parts(b, form)
    nan = propagated([pa, pb], form)
    if nan is not None:
        return nan
    x, y = decoded(pa, form), decoded(pb, form)
    if name in ("add", "sub"):
        kind = INF_MINUS_INF if x.is_infinite() and y.is_infinite() and (pa.sign != pb.sign) == (name == "add") else 0
    elif name == "mul":
        kind = INF_TIMES_ZERO if (x.is_infinite() and y == 0) or (y.is_infinite() and x == 0) else 0
    else:
        kind = INF_BY_INF if x.is_infinite() and y.is_infinite() else ZERO_BY_ZERO if x == 0 and y == 0 else 0
    if kind:
        return quiet_nan(form), kind, 0
    method = {"add": "add", "sub": "subtract", "mul": "multiply", "div": "divide"}[name]
    return finished(form, mode, lambda context: getattr(context, method)(x, y))


def quantize(form: Format, mode: int, number: Parts, exponent: int) -> Result:
    """Give a finite number another exponent (biased)."""
    value, unit = decoded(number, form), Decimal((0, (1,), exponent - form.bias))
    context = form.context(mode)
    result = context.quantize(value, unit)
    if result.is_nan():
        return quiet_nan(form), CONVERSION, 0
    inexact = context.flags[decimal.Inexact]
    incremented = bool(inexact) and form.context(TOWARDS_ZERO).quantize(value, unit) != result
    return encoded(result, form), INEXACT * inexact, int(incremented)


def quantize_like(form: Format, mode: int, a: int, b: int) -> Result:
    """Give b the exponent of a."""
    pa, pb = parts(a, form), parts(b, form)
    nan = propagated([pa, pb], form)
    if nan is not None:
        return nan
    if pa.kind or pb.kind:
        return (joined(Parts(pb.sign, "inf", 0, 0), form), 0, 0) if pa.kind == pb.kind else (quiet_nan(form), CONVERSION, 0)
    return quantize(form, mode, pb, pa.exponent)


def quantize_to(form: Format, mode: int, exponent: int, b: int) -> Result:
    """Give b an exponent (unbiased, five bits with sign)."""
    pb = parts(b, form)
    nan = propagated([pb], form)
    if nan is not None:
        return nan
    if pb.kind:
        return quiet_nan(form), CONVERSION, 0
    return quantize(form, mode, pb, form.bias + (exponent ^ 16) - 16)


def reround(form: Format, mode: int, significance: int, b: int) -> Result:
    """Round b to so many digits."""
    pb = parts(b, form)
    nan = propagated([pb], form)
    if nan is not None:
        return nan
    figures = len(str(pb.coefficient))
    if pb.kind or not significance or figures <= significance or not pb.coefficient:
        return joined(pb._replace(coefficient=0) if pb.kind else pb, form), 0, 0
    exponent = pb.exponent + figures - significance
    if exponent > form.largest:
        return quiet_nan(form), CONVERSION, 0
    result, flags, incremented = quantize(form, mode, pb, exponent)
    rounded = parts(result, form)
    if len(str(rounded.coefficient)) > significance:                # 99.5 became 100: one digit less
        if exponent == form.largest:
            return quiet_nan(form), CONVERSION, 0
        result = joined(rounded._replace(coefficient=rounded.coefficient // 10, exponent=exponent + 1), form)
    return result, flags, incremented


def to_integer(form: Format, mode: int, b: int) -> Result:
    """Round b to an integer in its own format."""
    pb = parts(b, form)
    nan = propagated([pb], form)
    if nan is not None:
        return nan
    if pb.kind or pb.exponent >= form.bias:
        return joined(pb._replace(coefficient=0) if pb.kind else pb, form), 0, 0
    return quantize(form, mode, pb, form.bias)


# -- conversions -------------------------------------------------------------------------------------------------------


def convert(form: Format, mode: int, source: int, a: int) -> Result:
    """Convert to this format from another one. A signaling NaN stays one where the short format takes part."""
    old = FORMATS[source]
    p = parts(a, old)
    if p.kind:
        signals = p.kind == "snan" and 32 not in (form.width, source)
        kept = p.coefficient % 10 ** (form.digits - 1)
        return joined(Parts(p.sign, "nan" if signals else p.kind, 0, 0 if p.kind == "inf" else kept), form), SNAN if signals else 0, 0
    value = decoded(p, old)
    return finished(form, mode, lambda context: context.plus(value) if value else _zero(context, value))


def _zero(context: decimal.Context, value: Decimal) -> Decimal:
    """Return a zero with its sign and an exponent that fits (`plus` would lose the sign)."""
    return context.copy_sign(context.plus(value), value)


def from_integer(form: Format, mode: int, a: int) -> Result:
    """Convert a signed doubleword."""
    value = Decimal(a - (1 << 64) if a >> 63 else a)
    return finished(form, mode, lambda context: context.plus(value))


def to_doubleword(form: Format, mode: int, b: int) -> Result:
    """Convert to a signed doubleword."""
    pb = parts(b, form)
    if pb.kind in ("nan", "snan"):
        return SMALLEST & (1 << 64) - 1, CONVERSION | (SNAN if pb.kind == "snan" else 0), 0
    if pb.kind == "inf":
        whole, inexact, incremented = SMALLEST - 1 if pb.sign else LARGEST + 1, 0, 0
    else:
        value = decoded(pb, form)
        huge = bool(value) and value.adjusted() > 20
        exact = Decimal((LARGEST + 1) * (-2 if pb.sign else 2)) if huge else value
        wide = decimal.Context(prec=60, rounding=ROUNDING[mode & 7], Emin=-9999, Emax=9999, flags=[], traps=[])
        rounded = wide.to_integral_exact(exact)
        whole, inexact = int(rounded), int(rounded != exact)
        incremented = int(abs(rounded) > abs(exact))
    if not SMALLEST <= whole <= LARGEST:
        return (SMALLEST if whole < 0 else LARGEST) & (1 << 64) - 1, CONVERSION, 0
    return whole & (1 << 64) - 1, INEXACT * inexact, incremented


def to_bcd(form: Format, mode: int, b: int) -> Result:
    """Convert the lowest digits to packed decimal; the "mode" says the sign: 0, 1 none, 2: C or D, 3: F or D."""
    p, count = parts(b, form), form.width // 4
    figures = int(str(p.coefficient)[-count:], 16)
    if mode < 2:
        return figures & (1 << form.width) - 1, 0, 0
    sign = 0xD if p.sign else 0xC if mode == 2 else 0xF
    return (figures << 4 | sign) & (1 << form.width) - 1, 0, 0


def from_bcd(form: Format, mode: int, b: int) -> Result:
    """Convert packed decimal; "mode" 1: the last digit is a sign."""
    text = f"{b:0{form.width // 4}x}"
    sign = 0
    if mode:
        if int(text[-1], 16) not in SIGN_NIBBLES:
            return quiet_nan(form), CONVERSION, 0
        sign, text = SIGN_NIBBLES[int(text[-1], 16)], text[:-1]
    if not text.isdecimal():
        return quiet_nan(form), CONVERSION, 0
    return joined(Parts(sign, "", form.bias, int(text)), form), 0, 0


# -- parts of numbers --------------------------------------------------------------------------------------------------


def extract_exponent(form: Format, _mode: int, b: int) -> Result:
    """Return the biased exponent, or -1, -2, -3 for infinity, quiet and signaling NaNs."""
    p = parts(b, form)
    value = {"": p.exponent, "inf": -1, "nan": -2, "snan": -3}[p.kind]
    return value & (1 << 64) - 1, 0, 0


def insert_exponent(form: Format, _mode: int, a: int, b: int) -> Result:
    """Return b with a biased exponent, or made an infinity or NaN."""
    p, exponent = parts(b, form), a - (1 << 64) if a >> 63 else a
    if 0 <= exponent <= form.largest:
        return joined(p._replace(kind="", exponent=exponent), form), 0, 0
    special = joined(Parts(p.sign, {-1: "inf", -3: "snan"}.get(exponent, "nan"), 0, 0), form)
    return special | b & ((1 << form.trailing) - 1), 0, 0


def shift_left(form: Format, _mode: int, a: int, count: int) -> Result:
    """Shift the digits left."""
    p = parts(a, form)
    kept = 10 ** (form.digits - (1 if p.kind else 0))
    return joined(p._replace(coefficient=p.coefficient * 10 ** count % kept), form), 0, 0


def shift_right(form: Format, _mode: int, a: int, count: int) -> Result:
    """Shift the digits right."""
    p = parts(a, form)
    return joined(p._replace(coefficient=p.coefficient // 10 ** count), form), 0, 0


# -- tests: LT, GT, EQ, SO in bits 3:0 -----------------------------------------------------------------------------------

LESS, GREATER, EQUAL, UNORDERED = 8, 4, 2, 1


def compare(form: Format, ordered: int, a: int, b: int) -> Result:
    """Compare; "ordered" comparisons of quiet NaNs are invalid, too."""
    pa, pb = parts(a, form), parts(b, form)
    kinds = (pa.kind, pb.kind)
    if "snan" in kinds:
        return UNORDERED, SNAN | (COMPARISON if ordered else 0), 0
    if "nan" in kinds:
        return UNORDERED, COMPARISON if ordered else 0, 0
    x, y = decoded(pa, form), decoded(pb, form)
    return LESS if x < y else GREATER if x > y else EQUAL, 0, 0


def compare_exponents(form: Format, _mode: int, a: int, b: int) -> Result:
    """Compare the exponents; infinities have one, NaNs have one."""
    pa, pb = parts(a, form), parts(b, form)
    ka, kb = pa.kind.removeprefix("s"), pb.kind.removeprefix("s")
    if ka or kb:
        return EQUAL if ka == kb else UNORDERED, 0, 0
    return LESS if pa.exponent < pb.exponent else GREATER if pa.exponent > pb.exponent else EQUAL, 0, 0


def compare_significance(form: Format, _mode: int, significance: int, b: int) -> Result:
    """Compare a number of digits with those that b has."""
    p = parts(b, form)
    if p.kind:
        return UNORDERED, 0, 0
    figures = len(str(p.coefficient)) if p.coefficient else 0
    if not significance:
        return GREATER, 0, 0
    return LESS if significance < figures else GREATER if significance > figures else EQUAL, 0, 0


def is_subnormal(p: Parts, form: Format) -> bool:
    """Return whether a finite number is below the smallest normal one."""
    return bool(p.coefficient) and p.exponent + len(str(p.coefficient)) - 1 < form.digits - 1


def test_class(form: Format, classes: int, a: int) -> Result:
    """Test for classes: 0, subnormal, normal, infinity, quiet, signaling NaN in bits 5:0."""
    p = parts(a, form)
    place = {"inf": 2, "nan": 1, "snan": 0}.get(p.kind, 5 if not p.coefficient else 4 if is_subnormal(p, form) else 3)
    return LESS * p.sign | EQUAL * (classes >> place & 1), 0, 0


def test_group(form: Format, groups: int, a: int) -> Result:
    """Test for groups of numbers: by the leftmost digit and whether the exponent is extreme."""
    p = parts(a, form)
    extreme = p.exponent in (0, form.largest)
    if p.kind:
        place = 0
    elif not p.coefficient:
        place = 4 if extreme else 5
    elif extreme or is_subnormal(p, form):
        place = 3
    else:
        place = 1 if len(str(p.coefficient)) == form.digits else 2
    return LESS * p.sign | EQUAL * (groups >> place & 1), 0, 0


OPERATIONS: dict[str, Callable[..., Result]] = {
    **{name: (lambda form, mode, a, b, name=name: arithmetic(name, form, mode, a, b)) for name in ("add", "sub", "mul", "div")},
    "quantize_like": quantize_like, "quantize_to": quantize_to, "reround": reround, "to_integer": to_integer,
    "from32": lambda form, mode, a: convert(form, mode, 32, a), "from64": lambda form, mode, a: convert(form, mode, 64, a),
    "from128": lambda form, mode, a: convert(form, mode, 128, a), "from_integer": from_integer, "to_doubleword": to_doubleword,
    "to_bcd": to_bcd, "from_bcd": from_bcd, "extract_exponent": extract_exponent, "insert_exponent": insert_exponent,
    "shift_left": shift_left, "shift_right": shift_right, "compare": compare, "compare_exponents": compare_exponents,
    "compare_significance": compare_significance, "test_class": test_class, "test_group": test_group,
}


def result_class(p: Parts, form: Format) -> int:
    """Return C, FL, FG, FE, FU for a number."""
    if p.kind in ("nan", "snan"):
        return 0b10001 if p.kind == "nan" else 0b00001
    size = 0b00101 if p.kind == "inf" else 0b00010 if not p.coefficient else 0b10100 if is_subnormal(p, form) else 0b00100
    if not p.sign:
        return size
    return 0b10010 if size == 0b00010 else (size & 0b10001) | 0b01000


def evaluate(width: int, attr: tuple[str, int], _widths: list[int], mode: int, *args: int) -> int:
    """Evaluate the operation: `attr` is its name and the width of its format.

    Result; 16 bits of exceptions, of which bit 5 says that the magnitude was incremented; five bits of class, if the result is a number.
    """
    name, size = attr
    form = FORMATS[size]
    result, exceptions, incremented = OPERATIONS[name](form, mode, *args)
    kind = result_class(parts(result, form), form) if width == size + 21 else 0
    return ((result & (1 << width - 21) - 1) << 16 | exceptions | incremented << 5) << 5 | kind
