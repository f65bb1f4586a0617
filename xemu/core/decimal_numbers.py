"""Decimal floating-point numbers as they are encoded: formats, densely packed digits, parts of a number (IEEE 754, 3.5)."""

from __future__ import annotations

import decimal
from decimal import Decimal
from functools import cache
from typing import NamedTuple

#: rounding modes by number: to nearest even, towards 0, +infinity, -infinity, to nearest and ties away, ties towards 0, away, 05up
ROUNDING = (decimal.ROUND_HALF_EVEN, decimal.ROUND_DOWN, decimal.ROUND_CEILING, decimal.ROUND_FLOOR, decimal.ROUND_HALF_UP,
            decimal.ROUND_HALF_DOWN, decimal.ROUND_UP, decimal.ROUND_05UP)


class Format(NamedTuple):
    """An interchange format."""

    width: int
    exponent: int        # bits of the exponent behind the combination field
    digits: int
    bias: int            # of the exponent of an integer coefficient

    @property
    def trailing(self) -> int:
        """Bits of the coefficient but for its first digit."""
        return (self.digits - 1) // 3 * 10

    @property
    def largest(self) -> int:
        """Return the largest biased exponent."""
        return (3 << self.exponent) - 1

    def context(self, mode: int, *, bounded: bool = True) -> decimal.Context:
        """Return Python's context for a rounding mode; `bounded`: exponents are those of the format."""
        lowest = self.digits - 1 - self.bias if bounded else -99999
        return decimal.Context(prec=self.digits, rounding=ROUNDING[mode & 7], Emin=lowest, Emax=1 - lowest, clamp=int(bounded), flags=[],
                               traps=[])


FORMATS = {32: Format(32, 6, 7, 101), 64: Format(64, 8, 16, 398), 128: Format(128, 12, 34, 6176)}
NAN, INFINITY = 0b11111, 0b11110


# -- densely packed decimal ------------------------------------------------------------------------------------------


@cache
def declets() -> tuple[list[int], list[int]]:
    """Return the number of each declet (10 bits), and the declet of each number below 1000."""
    numbers = [_number(d) for d in range(1024)]
    packed = [0] * 1000
    for d in reversed(range(1024)):             # of several declets for one number the canonical one is the lowest
        packed[numbers[d]] = d
    return numbers, packed


def _number(declet: int) -> int:
    pq, r, st, u = declet >> 8, declet >> 7 & 1, declet >> 5 & 3, declet >> 4 & 1
    v, wx, y = declet >> 3 & 1, declet >> 1 & 3, declet & 1
    first, second, third = pq, st, wx           # without their lowest bits; 4: 8 or 9
    if v and wx != 3:
        first, second, third = ((pq, st, 4), (pq, 4, st), (4, st, pq))[wx]
    elif v:
        first, second, third = ((4, 4, pq), (4, pq, 4), (pq, 4, 4), (4, 4, 4))[st]
    return 100 * (2 * first + r) + 10 * (2 * second + u) + 2 * third + y


def unpack(field: int, count: int) -> int:
    """Return the number in `count` declets."""
    numbers = declets()[0]
    return sum(numbers[field >> 10 * n & 1023] * 1000 ** n for n in range(count))


def pack(number: int, count: int) -> int:
    """Return the lowest 3 * count digits of a number as declets."""
    packed = declets()[1]
    return sum(packed[number // 1000 ** n % 1000] << 10 * n for n in range(count))


class Parts(NamedTuple):
    """A number taken apart. `kind`: "", "inf", "nan", "snan"; a special one has digits, too (the first is 0)."""

    sign: int
    kind: str
    exponent: int        # biased
    coefficient: int


def parts(word: int, form: Format) -> Parts:
    """Take a number apart."""
    sign, combination = word >> (form.width - 1), word >> (form.width - 6) & 31
    coefficient = unpack(word & ((1 << form.trailing) - 1), form.trailing // 10)
    rest = word >> form.trailing & ((1 << form.exponent) - 1)
    if combination >= INFINITY:
        kind = "inf" if combination == INFINITY else "snan" if rest >> (form.exponent - 1) else "nan"
        return Parts(sign, kind, 0, coefficient)
    high, first = (combination >> 1 & 3, 8 | combination & 1) if combination >= 24 else (combination >> 3, combination & 7)
    return Parts(sign, "", high << form.exponent | rest, first * 10 ** (form.digits - 1) + coefficient)


def joined(number: Parts, form: Format) -> int:
    """Put a number together."""
    first = number.coefficient // 10 ** (form.digits - 1) % 10
    if number.kind:
        combination, rest = INFINITY if number.kind == "inf" else NAN, (number.kind == "snan") << (form.exponent - 1)
    else:
        high, rest = number.exponent >> form.exponent, number.exponent & ((1 << form.exponent) - 1)
        combination = 24 | high << 1 | first & 1 if first > 7 else high << 3 | first
    head = (number.sign << 5 | combination) << form.exponent | rest
    return head << form.trailing | pack(number.coefficient, form.trailing // 10)


def quiet_nan(form: Format) -> int:
    """Return the default NaN."""
    return joined(Parts(0, "nan", 0, 0), form)


def encoded(value: Decimal, form: Format) -> int:
    """Return the encoding of a number that fits, of an infinity or of the default NaN."""
    sign, figures, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return joined(Parts(sign, "inf" if exponent == "F" else "nan", 0, 0), form)
    return joined(Parts(sign, "", exponent + form.bias, int("".join(map(str, figures)))), form)


def decoded(number: Parts, form: Format) -> Decimal:
    """Return a finite number or an infinity."""
    if number.kind == "inf":
        return Decimal("-Infinity" if number.sign else "Infinity")
    return Decimal((number.sign, tuple(map(int, str(number.coefficient))), number.exponent - form.bias))
