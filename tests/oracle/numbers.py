"""Random numbers that find mistakes: corner values of integers and of floating-point formats, alone and in vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

FORMATS: Final = {"half": (5, 10), "single": (8, 23), "double": (11, 52), "quad": (15, 112)}
POWERS: Final = (7, 8, 15, 16, 31, 32, 63)


def integer(rng: Random, width: int) -> int:
    """Return an integer of `width` bits: half of them corner values."""
    mask = (1 << width) - 1
    kind = rng.randrange(12)
    if kind < 5:
        return rng.getrandbits(width)
    if kind == 5:
        return rng.choice((0, 1, mask, mask >> 1, mask >> 1 ^ mask, 2, mask - 1))
    if kind == 6:
        return 1 << rng.randrange(width)
    if kind == 7:
        return (1 << rng.randrange(width)) - 1
    if kind == 8:
        return mask ^ (1 << rng.randrange(width))
    if kind == 9:
        return (1 << rng.choice(POWERS)) + rng.randrange(-2, 3) & mask
    if kind == 10:
        return rng.randrange(70) & mask
    return -rng.randrange(70) & mask


def floating(rng: Random, name: str) -> int:
    """Return a number of an IEEE format: specials, neighbours of limits, integers and halves, and any bits."""
    exponent, fraction = FORMATS[name]
    width, top = exponent + fraction + 1, (1 << exponent) - 1
    bias = top >> 1
    sign = rng.getrandbits(1) << width - 1
    ones = (1 << fraction) - 1
    some = rng.getrandbits(fraction)
    kind = rng.randrange(16)
    if kind < 4:
        return rng.getrandbits(width)
    if kind == 4:
        return sign | rng.choice((0, 0, 1, ones, 1 << rng.randrange(fraction), some))          # zeros and denormals
    if kind == 5:
        return sign | top << fraction | rng.choice((0, 0, 1 << fraction - 1, 1, some, some | 1 << fraction - 1))
    if kind == 6:
        return sign | rng.choice((1, 2, top - 1, top - 2)) << fraction | rng.choice((0, ones, some))
    if kind == 7:                                                                       # a small integer or half
        return sign | encode(rng.randrange(1, 9), -1, exponent, fraction)
    if kind == 8:                                                                       # round about 2**n, limits of integers
        n = rng.choice((7, 8, 15, 16, 31, 32, 52, 53, 63, 64, 23, 24)) + rng.randrange(-1, 2)
        at = min(bias + n, top - 1) << fraction
        return sign | at + rng.randrange(-3, 4)
    if kind == 9:
        return sign | encode(rng.getrandbits(rng.randrange(1, 64)) | 1, -rng.randrange(0, 8), exponent, fraction)
    if kind < 13:                                                                       # near 1: sums and products that round
        return sign | (bias + rng.randrange(-3, 4)) << fraction | rng.choice((0, ones, 1, some, some))
    if kind == 13:
        return sign | (bias + rng.randrange(-fraction - 2, fraction + 3)) << fraction & top << fraction | some
    if kind == 14:                                                                      # squares and products near the limits
        half = rng.choice((bias // 2, bias + bias // 2)) + rng.randrange(-fraction, fraction)
        return sign | (half & top) << fraction | some
    return sign | bias << fraction


def encode(mantissa: int, power: int, exponent: int, fraction: int) -> int:
    """Return mantissa × 2**power as a positive number of a format, cut to its precision."""
    length = mantissa.bit_length()
    bias, top = (1 << exponent - 1) - 1, (1 << exponent) - 1
    biased = bias + power + length - 1
    if biased <= 0:
        return 1
    if biased >= top:
        return top << fraction
    rest = mantissa ^ 1 << length - 1
    cut = rest << fraction - length + 1 if length <= fraction + 1 else rest >> length - 1 - fraction
    return biased << fraction | cut


def lanes(rng: Random, name: str, count: int, width: int) -> int:
    """Return `count` lanes of a format ("single", "int16", …)."""
    value = 0
    for i in range(count):
        one = integer(rng, width) if name.startswith("int") else floating(rng, name)
        value |= one << i * width
    return value


def vector(rng: Random, name: str, bits: int = 256) -> int:
    """Return a vector of numbers of one format; where no format is known, of any."""
    if not name:
        name = rng.choice(("int8", "int16", "int32", "int64", "single", "double"))
    width = int(name[3:]) if name.startswith("int") else sum(FORMATS[name]) + 1
    if rng.random() < 0.2:                                                              # the same in all lanes
        return lanes(rng, name, 1, width) * (((1 << bits) - 1) // ((1 << width) - 1))
    return lanes(rng, name, bits // width, width)
