"""Random numbers that find mistakes: corner values of integers and of floating-point formats, and whole random states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.oracle.x86 import driver as d
from tests.oracle.x86.state import CODE32, CODE64, DATA, DF, ID, STATUS, State

if TYPE_CHECKING:
    from random import Random

FORMATS: Final = {"half": (5, 10), "single": (8, 23), "double": (11, 52)}
MXCSR_DEFAULT, MASKS = 0x1F80, 0x1F80
DAZ, FTZ = 0x40, 0x8000
BASES: Final = (d.WRITABLE, d.WRITABLE + 0x800, d.WRITABLE + 0x1000)    # of the segments that set_thread_area gave the driver
TLS: Final = tuple(zip((0x63, 0x6B, 0x73), BASES, strict=True))         # with their selectors
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


def extended(rng: Random) -> int:
    """Return an 80-bit number: from other formats, corner cases, pseudo-denormals and unnormals, any bits."""
    kind = rng.randrange(14)
    sign = rng.getrandbits(1) << 79
    some = rng.getrandbits(63)
    one = 1 << 63
    if kind < 2:
        return rng.getrandbits(80)
    if kind == 2:
        return sign | rng.choice((0, 0, 1, one, one - 1, some, one | some))             # zeros, (pseudo-)denormals
    if kind == 3:
        return sign | 0x7FFF << 64 | rng.choice((one, one, one | 1 << 62, one | 1, one | some, some, 0))
    if kind == 4:
        return sign | rng.choice((1, 2, 0x7FFE, 0x7FFD)) << 64 | rng.choice((one, one | some, 2 * one - 1))
    if kind == 5:
        return sign | rng.randrange(1, 0x7FFF) << 64 | some                             # unnormal: invalid
    if kind < 9:
        n = rng.randrange(1, 1 << rng.randrange(1, 64))
        shift = 64 - n.bit_length()
        return sign | (16383 + 63 - shift - rng.choice((0, 0, 1, 2))) << 64 | n << shift
    if kind == 9:                                                                       # what rounds to single or double
        return sign | (16383 + rng.randrange(-5, 6)) << 64 | one | some & rng.choice((~0x7FF, ~0x3FF, ~(1 << 40) + 1, -1 << 39))
    if kind == 10:
        limit = rng.choice((-1022, 1023, -126, 127, -1074, -149, -16382, 15))
        return sign | (16383 + limit + rng.randrange(-2, 3)) % 0x7FFF << 64 | rng.choice((one, one | some, 2 * one - 1))
    if kind == 11:
        return sign | rng.randrange(1, 0x7FFF) << 64 | one | some
    return sign | (16383 + rng.randrange(-70, 70)) << 64 | one | some


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


def mxcsr(rng: Random) -> int:
    """Return modes and flags; exceptions are masked but for one in twelve."""
    if rng.random() < 0.3:
        return MXCSR_DEFAULT
    value = rng.getrandbits(6) | rng.getrandbits(2) << 13
    value |= rng.choice((0, 0, 0, DAZ, FTZ, DAZ | FTZ))
    return value | (MASKS if rng.random() < 0.92 else rng.getrandbits(6) << 7)


def x87(rng: Random, state: State) -> None:
    """Fill the x87 part: TOP, tags, control and status words, registers."""
    state.fcw = 0x37F if rng.random() < 0.4 else 0x40 | rng.getrandbits(2) << 10 | rng.choice((0, 2, 3, 3)) << 8 | 0x3F
    if rng.random() < 0.05:
        state.fcw = state.fcw & ~0x3F | rng.getrandbits(6)
    flags = rng.getrandbits(6) if rng.random() < 0.5 else 0
    state.fsw = rng.randrange(8) << 11 | rng.choice((0, 0x100, 0x200, 0x400, 0x4000, 0x4700)) | flags
    if flags & ~state.fcw & 0x3F:
        state.fsw |= 0x8080                       # ES and B: an exception waits
    state.valid = rng.choice((0xFF, 0xFF, 0xFF, 0, rng.getrandbits(8)))
    state.fpr = [extended(rng) for _ in range(8)]


def random_state(rng: Random, bits: int, *, fp: str = "", want_x87: bool = False) -> State:
    """Return a state for a case in `bits`-bit mode; `fp` is the format of the numbers in the vector registers."""
    s = State()
    s.flags = 2 | rng.getrandbits(12) & STATUS | rng.choice((0, 0, 0, DF)) | rng.choice((0, ID))
    width = 64 if bits == 64 else 32
    s.r = [integer(rng, width) for _ in range(16)]
    s.r[4] = d.WRITABLE + 0x1800 + rng.randrange(-64, 64) * 8 + (rng.randrange(8) if rng.random() < 0.1 else 0)
    if rng.random() < 0.5:
        s.r[5] = d.WRITABLE + 0x1900 + rng.randrange(64) * 8
    s.v = [vector(rng, fp) for _ in range(16)]
    s.mxcsr = mxcsr(rng)
    if want_x87:
        x87(rng, s)
    elif rng.random() < 0.5:
        s.fpr = [rng.getrandbits(80) for _ in range(8)]
    if bits == 32:
        s.cs, s.ds, s.es = CODE32, DATA, DATA
        (s.fs, s.fs_base), (s.gs, s.gs_base) = rng.choice(TLS), rng.choice(TLS)
        s.r[8:] = [0] * 8
        s.v[8:] = [0] * 8
    else:
        s.cs = CODE64
        s.fs_base, s.gs_base = (d.WRITABLE + rng.randrange(0x1000) for _ in range(2))
    return s
