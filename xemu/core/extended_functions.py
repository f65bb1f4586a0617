"""Transcendental functions of 80-bit numbers, correctly rounded: what they give on hosts that have no x87.

Sixty digits of Python's decimal numbers are enough to round to 64 bits. The trigonometric functions reduce their operand with
the x87's own value of pi, which has 66 bits (SDM vol. 1, 8.3.8): their results are those for that pi.
"""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING

from xemu.core.extended_number import C2, F80, RANGES, Extended, number
from xemu.core.softnumber import DIVIDE_BY_ZERO, INEXACT, INFINITY, NUMBER, Value

if TYPE_CHECKING:
    from collections.abc import Callable

DIGITS = Context(prec=80, Emin=-99999, Emax=99999)
#: significand and power of two
PI_66 = (0xC90FDAA22168C234C >> 2, 64)
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803")
SMALL = -100                     # below this power of two a series has one term
BITS = 200


def _decimal(v: Value) -> Decimal:
    size = Decimal(v.significand) * Decimal(2) ** v.exponent
    return -size if v.sign else size


def _round(op: Extended, x: Decimal, sign: int | None = None) -> int:
    """Return a number, which is never exact, in the extended format."""
    sign = int(x < 0) if sign is None else sign
    if x == 0:
        op.flags |= INEXACT
        return op.zero(F80, sign)
    power = int(x.copy_abs().logb() * Decimal("3.3219280948873623")) - BITS
    significand = int(x.copy_abs() * Decimal(2) ** -power)
    return op.fit(F80, RANGES["f80"], sign, significand << 1 | 1, power - 1)


def _near(op: Extended, v: Value, *, larger: bool) -> int:
    """Return the rounding of something barely larger or smaller than a number."""
    return op.fit(F80, RANGES["f80"], v.sign, (v.significand << 80) + (1 if larger else -1), v.exponent - 80)


def _series(first: Decimal, ratio: Callable[[int], Decimal]) -> Decimal:
    """Return first * (1 + ratio(1) * (1 + ratio(2) * (…)))."""
    total = term = first
    for n in range(1, 200):
        term *= ratio(n)
        if total + term == total:
            break
        total += term
    return total


def _sine(r: Decimal) -> Decimal:
    return _series(r, lambda n: -r * r / (2 * n * (2 * n + 1)))


def _cosine(r: Decimal) -> Decimal:
    return _series(Decimal(1), lambda n: -r * r / (2 * n * (2 * n - 1)))


def _reduced(v: Value) -> tuple[int, Decimal]:
    """Return (quadrant, rest) of a number: the rest lies within pi/4 around 0."""
    pi, power = PI_66
    low = min(v.exponent, -power - 1)
    quarter = pi << (-power - 1 - low)                       # pi / 2 in units of 2**low
    quadrant, rest = divmod(v.significand << (v.exponent - low), quarter)
    if 2 * rest > quarter:
        quadrant, rest = quadrant + 1, rest - quarter
    size = Decimal(rest) * Decimal(2) ** low
    return (-quadrant & 3, -size) if v.sign else (quadrant & 3, size)


def _top(v: Value) -> int:
    """Return the power of two of a number's first bit."""
    return v.exponent + v.significand.bit_length() - 1


def trigonometric(op: Extended, kind: str, x: int) -> list[int]:
    """FSIN, FCOS, FSINCOS, FPTAN: C2 if the operand is 2**63 or larger."""
    v, pair = op.unpack(F80, x), kind in ("sincos", "tan")
    if v.is_nan or v.kind == INFINITY:
        result = op.nan(F80, v) if v.is_nan else op.invalid(F80)
        return [result] * (2 if pair else 1)
    if not v.is_zero and _top(v) >= 63:
        op.condition, op.flags = C2, 0
        return [x] * (2 if pair else 1)
    one = number(0, 1, 0)
    if v.is_zero:
        return {"sin": [x], "cos": [one], "sincos": [x, one], "tan": [x, one]}[kind]
    if _top(v) < SMALL:
        cosine, sine = _near(op, Value(NUMBER, 0, 1, 0), larger=False), _near(op, v, larger=kind == "tan")
    else:
        quadrant, rest = _reduced(v)
        s, c = _sine(rest), _cosine(rest)
        s, c = ((s, c), (c, -s), (-s, -c), (-c, s))[quadrant]
        if kind == "tan":
            return [_round(op, s / c), one]
        cosine, sine = (_round(op, c), _round(op, s))
    return {"sin": [sine], "cos": [cosine], "sincos": [sine, cosine], "tan": [sine, one]}[kind]


def exp2m1(op: Extended, _kind: str, x: int) -> list[int]:
    """F2XM1: 2**x - 1 for x from -1 to 1; outside the operand itself."""
    v = op.unpack(F80, x)
    if v.is_nan:
        return [op.nan(F80, v)]
    if v.kind == INFINITY:
        return [number(1, 1, 0) if v.sign else x]
    if v.is_zero:
        return [x]
    value = _decimal(v)
    if abs(value) > 1:
        op.flags |= INEXACT
        return [x]
    if abs(value) == 1:
        return [number(1, 1, -1) if v.sign else x]
    y = value * Decimal(2).ln()
    return [_round(op, _series(y, lambda n: y / (n + 1)))]


def ylog2(op: Extended, _kind: str, x: int, y: int) -> list[int]:
    """FYL2X: y * log2(x)."""
    a, b = op.unpack(F80, x), op.unpack(F80, y)
    if a.is_nan or b.is_nan:
        return [op.nan(F80, a, b)]
    if a.sign and not a.is_zero:
        return [op.invalid(F80)]
    if a.is_zero:
        if b.is_zero:
            return [op.invalid(F80)]
        op.flags |= 0 if b.kind == INFINITY else DIVIDE_BY_ZERO
        return [op.infinity(F80, b.sign ^ 1)]
    if a.kind == INFINITY:
        return [op.invalid(F80) if b.is_zero else op.infinity(F80, b.sign)]
    one = a.significand & (a.significand - 1) == 0 and _top(a) == 0
    below = _top(a) < 0
    if b.kind == INFINITY:
        return [op.invalid(F80) if one else op.infinity(F80, b.sign ^ below)]
    if one or b.is_zero:
        return [op.zero(F80, b.sign ^ below)]
    if a.significand & (a.significand - 1) == 0:
        return [_round(op, _decimal(b) * _top(a))]
    return [_round(op, _decimal(b) * (_decimal(a).ln() / Decimal(2).ln()))]


def ylog2p1(op: Extended, _kind: str, x: int, y: int) -> list[int]:
    """FYL2XP1: y * log2(x + 1) for small x."""
    a, b = op.unpack(F80, x), op.unpack(F80, y)
    if a.is_nan or b.is_nan:
        return [op.nan(F80, a, b)]
    sign = a.sign ^ b.sign
    if INFINITY in (a.kind, b.kind):
        bad = (a.kind == INFINITY and (a.sign or b.is_zero)) or a.is_zero
        return [op.invalid(F80) if bad else op.infinity(F80, sign)]
    if a.is_zero or b.is_zero:
        return [op.zero(F80, sign)]
    value = _decimal(a)
    if value <= -1:
        op.flags |= INEXACT
        return [x]
    if _top(a) > -20:
        return [_round(op, _decimal(b) * ((1 + value).ln() / Decimal(2).ln()))]
    return [_round(op, _decimal(b) * _series(value, lambda n: -value * n / (n + 1)) / Decimal(2).ln())]


def atan(op: Extended, _kind: str, x: int, y: int) -> list[int]:
    """FPATAN: the angle of the point (x, y)."""
    a, b = op.unpack(F80, x), op.unpack(F80, y)
    if a.is_nan or b.is_nan:
        return [op.nan(F80, a, b)]
    if b.is_zero or (a.kind == INFINITY and b.kind != INFINITY):
        return [_round(op, PI, b.sign) if a.sign else op.zero(F80, b.sign)]
    if b.kind == INFINITY:
        parts = (3 if a.sign else 1) if a.kind == INFINITY else 2
        return [_round(op, PI * parts / 4, b.sign)]
    if a.is_zero:
        return [_round(op, PI / 2, b.sign)]
    distance = _top(b) - _top(a)
    if abs(distance) > 300:                                   # as if one were 0, but for the rounding
        tiny = Decimal(2) ** -300
        if distance < 0 and not a.sign:
            return [_quotient(op, b, a)]
        return [_round(op, PI / 2 + (tiny if a.sign else -tiny) if distance > 0 else PI - tiny, b.sign)]
    quotient = abs(_decimal(b)) / abs(_decimal(a))
    angle = _arctangent(quotient)
    return [_round(op, PI - angle if a.sign else angle, b.sign)]


def _quotient(op: Extended, y: Value, x: Value) -> int:
    """Return something barely smaller than y / x."""
    quotient, rest = divmod(y.significand << 300, x.significand)
    quotient = (quotient << 80) - (0 if rest else 1)
    return op.fit(F80, RANGES["f80"], y.sign, quotient | 1, y.exponent - x.exponent - 380)


def _arctangent(q: Decimal) -> Decimal:
    if q > 1:
        return PI / 2 - _arctangent(1 / q)
    for _ in range(5):                                        # halve the angle until the series is short
        q = q / (1 + (1 + q * q).sqrt())
    return 32 * _series(q, lambda n: -q * q * (2 * n - 1) / (2 * n + 1))


def precisely(function: Callable[..., list[int]]) -> Callable[..., list[int]]:
    """Return a function that computes with enough digits."""
    def apply(*args: object) -> list[int]:
        with localcontext(DIGITS):
            return function(*args)
    return apply


FUNCTIONS: dict[str, Callable[..., list[int]]] = {
    "exp2m1": precisely(exp2m1), "ylog2": precisely(ylog2), "ylog2p1": precisely(ylog2p1), "atan": precisely(atan),
}
TRIGONOMETRIC: dict[str, Callable[..., list[int]]] = {
    name: precisely(lambda op, _kind, x, name=name: trigonometric(op, name, x)) for name in ("sin", "cos", "sincos", "tan")
}
