"""Random encodings of an instruction pattern and random states to run them from.

A pattern is the bit diagram of a row, as `xemu/targets/arm` writes it: "cond 0000100 S Rn Rd imm5 type 0 Rm".
Tokens are fields (their width from WIDTHS), literal bits, "-" (any bit), "(0)"/"(1)" (kept as they are) and
"value:width" (a decimal literal).
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final

from tests.oracle.machine import POINTER, USER_CPSR, Case, State

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

WIDTHS: Final[dict[str, int]] = {
    **dict.fromkeys(["cond", "Rn", "Rd", "Rm", "Rt", "Rs", "Ra", "Rt2", "RdHi", "RdLo", "Vd", "Vn", "Vm"], 4),
    **dict.fromkeys(["opcode", "cmode", "mask", "firstcond", "coproc", "CRd", "CRn", "CRm", "option"], 4),
    **dict.fromkeys(["S", "U", "P", "W", "D", "N", "M", "Q", "R", "B", "H", "F", "T", "i", "op", "sz", "tb", "a"], 1),
    **dict.fromkeys(["type", "size", "rotate"], 2),
    "register_list": 16, "registers": 16, "lsb": 5, "msb": 5, "width": 5, "widthm1": 5, "rotation": 2,
}  # fmt: skip
BOUNDARIES: Final = (0, 1, 2, 31, 32, 33, 0xFF, 0x7F, 0x80, 0x7FFF, 0x8000, 0xFFFF, 0x1_0000,
                     0x7FFF_FFFF, 0x8000_0000, 0x8000_0001, 0xFFFF_FFFE, 0xFFFF_FFFF)  # fmt: skip
SINGLES: Final = (0, 1, 0x007F_FFFF, 0x0080_0000, 0x3F00_0000, 0x3F80_0000, 0x3FC0_0000, 0x4B00_0000, 0x4F00_0000,
                  0x4F80_0000, 0x7F7F_FFFF, 0x7F80_0000, 0x7F80_0001, 0x7FA1_2345, 0x7FC0_0000, 0x7FEA_BCDE)  # fmt: skip
DOUBLES: Final = (0, 1, 0x000F_FFFF_FFFF_FFFF, 0x0010_0000_0000_0000, 0x3FE0_0000_0000_0000, 0x3FF0_0000_0000_0000,
                  0x3810_0000_0000_0000, 0x36A0_0000_0000_0000, 0x41E0_0000_0000_0000, 0x41F0_0000_0000_0000,
                  0x47EF_FFFF_F000_0000, 0x7FEF_FFFF_FFFF_FFFF, 0x7FF0_0000_0000_0000, 0x7FF0_0000_0000_0001,
                  0x7FF4_DEAD_BEEF_0001, 0x7FF8_0000_0000_0000, 0x7FFA_BCDE_F012_3456)  # fmt: skip


def field_width(name: str) -> int:
    """Return a field's width in bits: from the table, or the number its name ends in (imm5: 5)."""
    if name in WIDTHS:
        return WIDTHS[name]
    if match := re.search(r"(\d+)$", name):
        return int(match[1])
    message = f"no width known for field {name!r}"
    raise ValueError(message)


def tokens(pattern: str) -> list[tuple[str | None, int, int | None]]:
    """Split a bit diagram into (field or None, width, literal or None), most significant first."""
    found: list[tuple[str | None, int, int | None]] = []
    for token in pattern.split():
        if re.fullmatch(r"[01]+", token):
            found.append((None, len(token), int(token, 2)))
        elif match := re.fullmatch(r"\(([01]+)\)", token):
            found.append((None, len(match[1]), int(match[1], 2)))
        elif re.fullmatch(r"-+", token):
            found.append((None, len(token), None))
        elif match := re.fullmatch(r"(\d+):(\d+)", token):
            found.append((None, int(match[2]), int(match[1])))
        else:
            found.append((token, field_width(token), None))
    return found


def encode(pattern: str, rng: random.Random, fields: Mapping[str, int] | None = None) -> int:
    """Return an encoding of the pattern: `fields` where given, random bits elsewhere."""
    word = 0
    for name, width, literal in tokens(pattern):
        value = (fields or {}).get(name or "", literal)
        if value is None:
            value = rng.getrandbits(width)
        if value >> width:
            message = f"{name}={value} does not fit {width} bits"
            raise ValueError(message)
        word = word << width | value
    return word


def width_of(pattern: str) -> int:
    """Return the width of an instruction, 16 or 32."""
    return sum(width for _, width, _ in tokens(pattern))


def code_bytes(word: int, width: int, *, thumb: bool) -> bytes:
    """Return an instruction's bytes as they lie in memory (T32: two little-endian halves, high half first)."""
    if not thumb:
        return struct.pack("<I", word)
    return struct.pack("<H", word) if width == 16 else struct.pack("<HH", word >> 16, word & 0xFFFF)


def in_it_block(code: bytes, condition: int) -> bytes:
    """Prefix a T32 instruction with "IT condition"; condition 14 (always) and 15 do not occur."""
    return struct.pack("<H", 0xBF08 | condition << 4) + code


def random_register(rng: random.Random) -> int:
    """Return a 32-bit value: a pointer into the window, a small, boundary or random number."""
    kind = rng.random()
    if kind < 0.35:
        return POINTER + (rng.randrange(-64, 64) & -4)
    if kind < 0.42:
        return POINTER + rng.randrange(-64, 64)
    if kind < 0.6:
        return rng.choice(BOUNDARIES)
    if kind < 0.75:
        return rng.randrange(-64, 64) & 0xFFFF_FFFF
    return rng.getrandbits(32)


def random_single(rng: random.Random) -> int:
    """Return the bits of a single-precision number: special values, ordinary sizes, or any bits."""
    sign = rng.getrandbits(1) << 31
    kind = rng.random()
    if kind < 0.35:
        return sign | rng.choice(SINGLES)
    if kind < 0.75:
        return sign | rng.randrange(0x7F - 24, 0x7F + 34) << 23 | _fraction(rng, 23)
    return rng.getrandbits(32)


def random_double(rng: random.Random) -> int:
    """Return the bits of a double-precision number: special values, ordinary sizes, or any bits."""
    sign = rng.getrandbits(1) << 63
    kind = rng.random()
    if kind < 0.35:
        return sign | rng.choice(DOUBLES)
    if kind < 0.75:
        return sign | rng.randrange(0x3FF - 53, 0x3FF + 66) << 52 | _fraction(rng, 52)
    return rng.getrandbits(64)


def _fraction(rng: random.Random, bits: int) -> int:
    """Return fraction bits: often with few bits set, so that results are exact or lie half way."""
    value = rng.getrandbits(bits)
    return value if rng.random() < 0.5 else value & -1 << rng.randrange(bits)


def random_vector(rng: random.Random) -> int:
    """Return a doubleword register: a double, two singles, or small or random lanes."""
    kind = rng.random()
    if kind < 0.35:
        return random_double(rng)
    if kind < 0.7:
        return random_single(rng) | random_single(rng) << 32
    if kind < 0.85:
        lanes = [rng.choice((0, 1, 2, 7, 8, 0x7F, 0x80, 0x81, 0xFE, 0xFF)) for _ in range(8)]
        return int.from_bytes(bytes(lanes), "little")
    return rng.getrandbits(64)


def random_state(rng: random.Random, *, vector: bool = False) -> State:
    """Return a random state; with `vector` also floating-point registers, rounding and flush modes."""
    r = tuple(random_register(rng) for _ in range(15))
    cpsr = rng.getrandbits(32) & USER_CPSR
    if not vector:
        return State(r, cpsr)
    d = tuple(random_vector(rng) for _ in range(32))
    modes = rng.choice((0, 0, rng.getrandbits(4) << 22))  # RMode, FZ and DN
    fpscr = modes | rng.getrandbits(4) << 28 | rng.choice((0, 0x0800_009F & rng.getrandbits(32)))
    return State(r, cpsr, fpscr, d)


def with_registers(state: State, values: Mapping[int, int]) -> State:
    """Return the state with some of r0-r14 replaced."""
    r = list(state.r)
    for number, value in values.items():
        if number < len(r):
            r[number] = value & 0xFFFF_FFFF
    return State(tuple(r), state.cpsr, state.fpscr, state.d)


def pattern_cases(
    pattern: str,
    rng: random.Random,
    count: int,
    *,
    thumb: bool = False,
    vector: bool = False,
    fields: Mapping[str, int] | None = None,
    accept: Callable[[int], bool] = lambda _word: True,
) -> list[Case]:
    """Return `count` cases of a pattern's random encodings in random states.

    `accept` judges encodings (unpredictable ones, writes of PC). Half of the T32 cases stand in an IT block.
    Raises ValueError if almost no encoding is accepted.
    """
    cases: list[Case] = []
    width = width_of(pattern)
    for _ in range(200 * count):
        if len(cases) == count:
            return cases
        word = encode(pattern, rng, fields)
        if not accept(word):
            continue
        code = code_bytes(word, width, thumb=thumb)
        if thumb and rng.getrandbits(1):
            code = in_it_block(code, rng.randrange(14))
        cases.append(Case(code, random_state(rng, vector=vector), thumb, note=pattern))
    message = f"only {len(cases)} of {count} encodings accepted: {pattern}"
    raise ValueError(message)
