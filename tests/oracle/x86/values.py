"""Random x86 states: registers, MXCSR, the x87's stack and its 80-bit numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.oracle.numbers import integer, vector
from tests.oracle.x86 import driver as d
from tests.oracle.x86.state import CODE32, CODE64, DATA, DF, ID, STATUS, State

if TYPE_CHECKING:
    from random import Random

MXCSR_DEFAULT, MASKS = 0x1F80, 0x1F80
DAZ, FTZ = 0x40, 0x8000
BASES: Final = (d.WRITABLE, d.WRITABLE + 0x800, d.WRITABLE + 0x1000)    # of the segments that set_thread_area gave the driver
TLS: Final = tuple(zip((0x63, 0x6B, 0x73), BASES, strict=True))         # with their selectors


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
