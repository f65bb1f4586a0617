"""Random PowerPC states: what stands in registers goes with the instruction that will look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.oracle.numbers import floating, integer, lanes
from tests.oracle.ppc import decimals
from tests.oracle.ppc.state import NJ, SAT, WRITABLE, State

if TYPE_CHECKING:
    from random import Random

    from tests.oracle.ppc.state import Machine

# bits of FPSCR (Book I, 4.2.2)
FX, FEX, VX, FR, FI, FPRF = 1 << 31, 1 << 30, 1 << 29, 1 << 18, 1 << 17, 0x1F << 12
INVALID: Final = 0x01F8_0700                                  # VXSNAN to VXVC, VXSOFT, VXSQRT, VXCVI
STICKY: Final = FX | 0x1E00_0000 | INVALID                    # OX UX ZX XX
#: an enabling bit, and the exceptions that it enables
ENABLES: Final = {0x80: INVALID, 0x40: 1 << 28, 0x20: 1 << 27, 0x10: 1 << 26, 0x08: 1 << 25}
QUIET: Final = {52: 1 << 51, 23: 1 << 22}


def widen(single: int) -> int:
    """Return a single-precision number as registers hold it (Book I, 4.6.2)."""
    sign, exponent, fraction = single >> 31, single >> 23 & 0xFF, single & 0x7F_FFFF
    if exponent == 0xFF:
        wide = 0x7FF
    elif exponent:
        wide = exponent + 896
    elif fraction:
        shift = 24 - fraction.bit_length()
        wide, fraction = 897 - shift, fraction << shift & 0x7F_FFFF
    else:
        wide = 0
    return sign << 63 | wide << 52 | fraction << 29


def scalar(rng: Random) -> int:
    """Return a double-precision number; half of them are singles."""
    return floating(rng, "double") if rng.random() < 0.5 else widen(floating(rng, "single"))


def vector(rng: Random, name: str) -> int:
    """Return 128 bits of a kind: "scalar", "quad", "single", "double", "int8", …, "decimal", "packed", "digits", "zoned", …; "": any."""
    if name in ("scalar", "decimal"):
        high = scalar(rng) if name == "scalar" else decimals.decimal(rng, 64)
        return high << 64 | rng.getrandbits(64)
    if name in ("packed", "digits", "zoned", "national"):
        value: int = getattr(decimals, name)(rng)
        return value
    if name == "quad":
        return floating(rng, "quad")
    if name == "half":                # one for each word, and one for each doubleword, is looked at
        return lanes(rng, "half", 8, 16)
    if not name:
        name = rng.choice(("int8", "int16", "int32", "int64", "single", "double"))
    width = {"single": 32, "double": 64}.get(name) or int(name[3:])
    if rng.random() < 0.2:
        return lanes(rng, name, 1, width) * (((1 << 128) - 1) // ((1 << width) - 1))
    return lanes(rng, name, 128 // width, width)


def fpscr(rng: Random, *, enabled: float, bits: int) -> int:
    """Return modes and exceptions; one of them is enabled with this probability, and then not set: it would be told at once."""
    value = 0
    if rng.random() < 0.6:
        value = rng.getrandbits(32) & (STICKY | FR | FI | FPRF)
        if rng.random() < 0.6:
            value |= rng.getrandbits(2) | (rng.getrandbits(3) << 32 if bits == 64 else 0)
    if rng.random() < enabled:
        for enable, exceptions in ENABLES.items():
            if rng.random() < 0.5:
                value = (value | enable) & ~exceptions
    if value & INVALID:
        value |= VX
    return value


def gpr(rng: Random, bits: int) -> int:
    """Return what may stand in a general register: numbers, at times a pointer."""
    if rng.random() < 0.2:
        return WRITABLE + 0x800 + rng.randrange(0x1000)
    return integer(rng, bits)


def random_state(rng: Random, machine: Machine, *, kind: str | None = "", enabled: float = 0.0) -> State:
    """Return a state for a case; `kind` is that of the numbers in vector and floating-point registers (None: nobody looks at them)."""
    bits = machine.bits
    s = State([gpr(rng, bits) for _ in range(32)])
    s.cr = rng.getrandbits(32)
    s.xer = rng.getrandbits(32) & machine.xer
    if rng.random() < 0.5:
        s.xer &= ~0x7F | rng.randrange(1, 32)
    s.lr, s.ctr = (gpr(rng, bits) for _ in range(2))
    s.fpscr = fpscr(rng, enabled=enabled, bits=bits)
    if machine.vector:
        s.vrsave = rng.getrandbits(32)
        s.vscr = rng.choice((NJ, NJ, 0)) | rng.choice((0, SAT))
    if kind is None:
        s.vsr = [rng.getrandbits(128) for _ in range(64)]
    else:
        s.vsr = [vector(rng, kind if rng.random() < 0.9 else "") for _ in range(64)]
    if bits == 64:
        s.tar = gpr(rng, bits)
        if kind == "decimal":
            for n in range(0, 32, 2):                         # pairs of floating-point registers hold numbers of 128 bits
                if rng.random() < 0.5:
                    number = decimals.decimal(rng, 128)
                    s.vsr[n], s.vsr[n + 1] = number >> 64 << 64 | 5, (number & (1 << 64) - 1) << 64 | 7
    else:
        keep = ((1 << 128) - 1) >> 64 << 64
        s.vsr = [s.vsr[n] & keep if n < 32 else s.vsr[n] if machine.vector else 0 for n in range(64)]
        if not machine.vector:
            s.vscr = 0
    return s
