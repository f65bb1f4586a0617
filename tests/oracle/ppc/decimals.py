"""Decimal numbers in their three forms: densely packed (DFP), packed with a sign (BCD), zoned and national digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from random import Random


class Format(NamedTuple):
    """A decimal floating-point format (Book I, 5.5.1)."""

    width: int
    exponent: int                     # bits of the exponent's continuation
    digits: int

    @property
    def limit(self) -> int:
        """Return the number of biased exponents."""
        return 3 << self.exponent

    @property
    def bias(self) -> int:
        """Return what is added to exponents: the coefficient is an integer."""
        return {32: 101, 64: 398, 128: 6176}[self.width]


FORMATS: Final = {32: Format(32, 6, 7), 64: Format(64, 8, 16), 128: Format(128, 12, 34)}


def declet(number: int) -> int:
    """Return three digits in ten bits (Book I, appendix B.1)."""
    x, y, z = number // 100, number // 10 % 10, number % 10
    a, e, i = x >> 3, y >> 3, z >> 3
    low = (x & 1) << 7 | (y & 1) << 4 | z & 1
    if not i:
        tail = (z >> 1 & 3) << 1
        if not a:
            return low | (x >> 1) << 8 | ((y >> 1) << 5 | tail if not e else (z >> 1) << 5 | 0b1010)
        return low | (z >> 1) << 8 | ((y >> 1) << 5 | 0b1100 if not e else 0b0001110)
    if not a:
        return low | (x >> 1) << 8 | ((y >> 1) << 5 | 0b1000 if not e else 0b1001110)
    return low | ((y >> 1) << 8 | 0b0101110 if not e else 0b1101110)


def encode(form: Format, sign: int, exponent: int, coefficient: int) -> int:
    """Return sign and coefficient × 10**(exponent - bias)."""
    first, rest = divmod(coefficient, 10 ** (form.digits - 1))
    high, low = exponent >> form.exponent, exponent & (1 << form.exponent) - 1
    combination = high << 3 | first if first < 8 else 0b11000 | high << 1 | first & 1
    trailing = 0
    for n in reversed(range((form.digits - 1) // 3)):
        trailing = trailing << 10 | declet(rest // 1000 ** n % 1000)
    return ((sign << 5 | combination) << form.exponent | low) << (form.digits - 1) // 3 * 10 | trailing


def decimal(rng: Random, width: int) -> int:
    """Return a decimal floating-point number: special ones, neighbours of limits, small ones, any bits."""
    form = FORMATS[width]
    kind, sign = rng.randrange(14), rng.getrandbits(1)
    if kind == 0:
        return rng.getrandbits(width)
    if kind == 1:                     # infinities and NaNs, at times with a payload
        special = rng.choice((0b11110, 0b11111)) << width - 6 | rng.getrandbits(1) << width - 7
        return sign << width - 1 | special | rng.choice((0, 0, rng.getrandbits(width - 12)))
    most = 10 ** form.digits - 1
    if kind == 2:
        coefficient = rng.choice((0, 0, 1, most, most - 1, 10 ** (form.digits - 1), most // 2, 5 * 10 ** (form.digits - 1)))
    elif kind < 6:
        coefficient = rng.randrange(1000)
    else:
        coefficient = rng.randrange(10 ** rng.randrange(1, form.digits + 1))
        if rng.random() < 0.3:        # ties
            coefficient = coefficient // 10 ** (n := rng.randrange(1, form.digits)) * 10 ** n + 5 * 10 ** (n - 1)
    if kind == 7:
        exponent = rng.choice((0, 1, form.limit - 1, form.limit - 2, rng.randrange(form.limit)))
    else:
        exponent = min(max(form.bias + rng.randrange(-form.digits - 3, form.digits // 2), 0), form.limit - 1)
    return encode(form, sign, exponent, coefficient)


def packed(rng: Random) -> int:
    """Return 31 digits and a sign (Book I, 6.17); at times with what is no digit or no sign."""
    digits = rng.randrange(10 ** rng.randrange(32)) if rng.random() < 0.9 else rng.choice((0, 10 ** 31 - 1, 1))
    value = int(str(digits), 16) << 4 | rng.choice((0xC, 0xD, 0xC, 0xD, 0xA, 0xB, 0xE, 0xF))
    if rng.random() < 0.1:
        value = value & ~(15 << (at := 4 * rng.randrange(32))) | rng.getrandbits(4) << at
    return value


def digits(rng: Random) -> int:
    """Return 32 digits; at times with what is none."""
    return int(str(rng.randrange(10 ** rng.randrange(33))), 16) if rng.random() < 0.95 else packed(rng)


def zoned(rng: Random) -> int:
    """Return 15 digits in bytes with a zone, the sign in the last one's (Book I, 6.17.1)."""
    text = f"{rng.randrange(10 ** rng.randrange(17)):016d}"[-16:]
    zone = rng.choice((3, 0xF))
    value = sum((zone << 4 | int(digit)) << 8 * n for n, digit in enumerate(reversed(text)))
    value = value & ~0xF0 | rng.choice((3, 7, 0xC, 0xD, 0xF, 0xB, 0xA)) << 4
    return value if rng.random() < 0.9 else value ^ rng.getrandbits(4) << 4 * rng.randrange(32)


def national(rng: Random) -> int:
    """Return seven digits and a sign in halfwords (Book I, 6.17.1)."""
    text = f"{rng.randrange(10 ** rng.randrange(8)):07d}"
    value = sum((0x30 | int(digit)) << 16 * (n + 1) for n, digit in enumerate(reversed(text))) | rng.choice((0x2B, 0x2D))
    return value if rng.random() < 0.9 else value ^ rng.getrandbits(4) << 4 * rng.randrange(32)
