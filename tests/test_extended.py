"""80-bit floating point: the definition against the host's x87, and native code against the definition."""

from __future__ import annotations

import ctypes
import random
from typing import TYPE_CHECKING, Any

import pytest

from xemu.core import extended, extended_host, extended_slow, fp
from xemu.core.bits import Bits, const, make, new_graph
from xemu.core.extended import TRANSCENDENTAL, define, operand_widths, perform, result_widths
from xemu.core.extended_number import C0, C1, C2, C3, DE, EXCEPTIONS, IE, OE, PE, UE, ZE
from xemu.core.llvm import compile_text
from xemu.core.lower import Emitter
from xemu.core.lower_fp_slow import extended_functions
from xemu.core.objects import CodeMemory
from xemu.core.state import ENGINE_CELLS

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGN, TOP = 1 << 79, 1 << 63
INFINITY, INDEFINITE = 0x7FFF << 64 | TOP, 0xFFFF << 64 | 3 << 62
ONE, LARGEST, SMALLEST = 0x3FFF << 64 | TOP, 0x7FFE << 64 | (1 << 64) - 1, 1 << 64 | TOP
USUAL = 0x37F
SPECIAL = (
    0, 1, TOP - 1, TOP, TOP | 1, (1 << 64) - 1, SMALLEST, 1 << 64 | 5, ONE, 0x3FFF << 64, 0x3FFE << 64 | TOP, 0x4000 << 64 | 3 << 62,
    INFINITY, 0x7FFF << 64, 0x7FFF << 64 | 3 << 62, INFINITY | 5, INFINITY | 9, (0x7FFF << 64 | 3 << 62) + 5, LARGEST, 0x7FFE << 64 | TOP,
    0x403E << 64 | TOP, 0x403D << 64 | (1 << 64) - 1, 0x400D << 64 | 0xFFFE << 48, 0x400E << 64 | TOP, 0x401E << 64 | TOP,
    0x403A << 64 | 0xDE0B6B3A763FFFF0, 0x403A << 64 | 0xDE0B6B3A763FFFF8, 0x403A << 64 | 0xDE0B6B3A76400000,
)
KINDS = ("f80", "f32", "f64", "i16", "i32")
NAMES = (
    *[f"{n}.{k}" for n in ("add", "sub", "subr", "mul", "div", "divr", "com") for k in KINDS], "ucom.f80", "test",
    "sqrt", "rint", "scale", "rem", "rem1", "extract", *[f"load.{k}" for k in ("f32", "f64", "i16", "i32", "i64", "bcd")],
    *[f"store.{k}" for k in ("f32", "f64", "i16", "i32", "i64", "bcd")], *[f"chop.{k}" for k in ("i16", "i32", "i64")],
)  # fmt: skip
x87_host = pytest.mark.skipif(not extended_host.AVAILABLE, reason="this host has no x87")


def number(rng: random.Random) -> int:
    """Return an 80-bit number: special, anywhere, near 1, near the ends of the formats; all kinds of significands."""
    sign = rng.getrandbits(1) << 79
    if rng.random() < 0.3:
        return sign | rng.choice(SPECIAL)
    significand = rng.getrandbits(64)
    if rng.random() < 0.4:
        significand &= -1 << rng.randrange(64)
    for keep in (40, 11, 0):                                  # halfway between two singles or doubles, and near that
        if rng.random() < 0.2:
            half = 1 << keep >> 1
            significand = significand >> keep << keep | rng.choice((0, half, half | 1, max(half - 1, 0)))
    significand |= TOP if rng.random() < 0.95 else 0
    exponent = rng.choice((
        rng.randrange(32768), 16383 + rng.randrange(-70, 70), 16383 + rng.randrange(-70, 70), rng.randrange(70), 32766 - rng.randrange(70),
        16383 - rng.randrange(120, 160), 16383 - rng.randrange(1015, 1080), 16383 + 127 + rng.randrange(-2, 3),
        16383 + 1023 + rng.randrange(-2, 3)))
    if exponent == 0 and rng.random() < 0.8:
        significand &= TOP - 1
    return sign | exponent << 64 | significand


def with_exponent(x: int, exponent: int) -> int:
    return x & ~(0x7FFF << 64) | max(1, min(exponent, 0x7FFE)) << 64 | TOP


def source(rng: random.Random, kind: str) -> int:
    """Return an operand in a format."""
    if kind == "f80":
        return number(rng)
    if kind == "bcd":
        return rng.getrandbits(1) << 79 | int("".join(rng.choice("0123456789") for _ in range(rng.randrange(1, 19))), 16)
    if kind[0] == "f":
        fraction, exponent = (23, 8) if kind == "f32" else (52, 11)
        f = rng.choice((rng.getrandbits(fraction), 0, 1, (1 << fraction) - 1, 1 << fraction - 1))
        e = rng.choice((0, 0, 1, (1 << exponent) - 1, (1 << exponent) - 2, (1 << exponent - 1) - 1, rng.getrandbits(exponent)))
        return rng.getrandbits(1) << (fraction + exponent) | e << fraction | f
    width = int(kind[1:])
    return rng.choice((0, 1, 1 << width - 1, rng.getrandbits(width), (1 << width) - 1))


def operands(rng: random.Random, name: str) -> list[int]:
    """Return operands with which an operation does something of interest."""
    base, _, kind = name.partition(".")
    if base == "load":
        return [source(rng, kind)]
    x = number(rng)
    if base in ("store", "chop", "sqrt", "rint", "extract", "test", "sin", "cos", "sincos", "tan", "exp2m1"):
        return [x]
    y, exponent = source(rng, kind or "f80"), x >> 64 & 0x7FFF
    if base in ("rem", "rem1") and rng.random() < 0.7:
        x = with_exponent(x, (y >> 64 & 0x7FFF) + rng.choice((rng.randrange(-3, 70), rng.randrange(60, 300))))
    if base == "scale" and rng.random() < 0.7:
        y = with_exponent(y, 16383 + rng.randrange(-2, 17))
    if base in ("mul", "div") and kind == "f80" and rng.random() < 0.4:          # results at the ends of the range
        end = rng.choice((0, 1, -63, -64, -30, 0x7FFE, 0x7FFF)) + rng.randrange(-2, 3)
        y = with_exponent(y, end - exponent + 16383 if base == "mul" else exponent - end + 16383)
    return [x, y]


def control_word(rng: random.Random) -> int:
    """Return a control word: any rounding and precision, often all exceptions masked."""
    masks = EXCEPTIONS if rng.random() < 0.6 else rng.getrandbits(6)
    return 0x40 | rng.getrandbits(2) << 10 | rng.choice((0, 2, 3, 3, 1)) << 8 | masks


def blocked(name: str, status: int, control: int) -> bool:
    """Return whether an exception leaves no result."""
    to_memory = name.startswith(("store", "chop"))
    return status & ~control & (0x1F if to_memory else 7) != 0


@x87_host
@pytest.mark.parametrize("name", NAMES)
def test_the_definition_equals_the_hosts_x87(name: str) -> None:
    rng = random.Random(name)
    for _ in range(150):
        given, control = operands(rng, name), control_word(rng)
        placed = [0, *given] if name.startswith("load") else given
        host, expected = extended_host.run(name, placed, control, result_widths(name))
        status, results = define(name, given, control, 0)
        none = blocked(name, host, control)
        mask = EXCEPTIONS | C1 | extended.conditions(name)
        if name in ("rem", "rem1") and (none or results[0] >> 64 & 0x7FFF == 0x7FFF):
            mask = EXCEPTIONS                                 # the host's conditions are those of an earlier operation
        text = (name, hex(control), [hex(v) for v in given], hex(host), [hex(v) for v in expected], hex(status), [hex(v) for v in results])
        assert host & mask == status & mask, text
        assert none or results == expected, text


@x87_host
@pytest.mark.parametrize("name", sorted(TRANSCENDENTAL))
def test_transcendental_functions_are_within_one_unit_of_the_hosts(name: str) -> None:
    rng, count = random.Random(name), 2 if name in ("ylog2", "ylog2p1", "atan") else 1
    for _ in range(60):
        given = [number(rng) for _ in range(count)]
        if rng.random() < 0.8:                                # where the function is defined
            high = {"exp2m1": 0, "ylog2p1": -2}.get(name, 60)
            given[0] = with_exponent(given[0], 16383 + rng.choice((rng.randrange(-66, high), high - 1)))
            given[0] &= -1 if name != "ylog2" else SIGN - 1
        control = 0x37F | rng.getrandbits(2) << 10
        host, expected = extended_host.run(name, given, control, result_widths(name))
        status, results = define(name, given, control, 0)
        mask = IE | DE | ZE | OE | PE | extended.conditions(name) & C2
        text = (name, hex(control), [hex(v) for v in given], hex(host), [hex(v) for v in expected], hex(status), [hex(v) for v in results])
        assert host & mask == status & mask, text
        for x, y in zip(results, expected, strict=True):
            assert host & C2 or abs(order(x) - order(y)) <= 1, text


def order(x: int) -> int:
    """Return an integer that orders like a number: its neighbours are those of the number."""
    size = (x >> 64 & 0x7FFF) << 63 | x & (TOP - 1)
    return -size if x & SIGN else size


@pytest.mark.parametrize(("name", "given", "control", "status", "results"), [
    ("add.f80", (ONE, 0x3FBF << 64 | TOP), USUAL, PE, [ONE]),                                  # 2**-64: a tie, to even
    ("add.f80", (ONE, 0x3FBF << 64 | TOP), USUAL | 0x800, PE | C1, [ONE + 1]),                 # up
    ("add.f80", (ONE + 1, 0), 0x7F, PE, [ONE]),                                                # 24 bits
    ("div.f80", (ONE, 0), USUAL, ZE, [INFINITY]),
    ("div.f80", (1, 0), USUAL, ZE, [INFINITY]),                                                # no denormal beside a division by 0
    ("sub.f80", (INFINITY, INFINITY), USUAL, IE, [INDEFINITE]),
    ("add.f80", (0x3FFF << 64, ONE), USUAL, IE, [INDEFINITE]),                                 # an unnormal
    ("add.f80", (TOP, 0), USUAL, DE, [SMALLEST]),                                              # a pseudo-denormal
    ("mul.f80", (LARGEST, LARGEST), USUAL, OE | PE | C1, [INFINITY]),
    ("mul.f80", (LARGEST, LARGEST), USUAL & ~OE, OE | PE, [0x5FFE << 64 | (1 << 64) - 2]),     # unmasked: 2**24576 smaller
    ("mul.f80", (SMALLEST, 0x3FFE << 64 | TOP), USUAL, 0, [TOP >> 1]),                         # tiny and exact
    ("mul.f80", (SMALLEST, 0x3FFE << 64 | TOP), USUAL & ~UE, UE, [0x6000 << 64 | TOP]),        # unmasked: 2**24576 larger
    ("add.f80", (INFINITY | 5, 0x7FFF << 64 | 3 << 62 | 1), USUAL, IE, [0x7FFF << 64 | 3 << 62 | 1]),    # of two kinds the quiet one
    ("add.f80", (INFINITY | 5, INFINITY | 9), USUAL, IE, [(0x7FFF << 64 | 3 << 62) + 9]),      # else the larger
    ("com.f80", (ONE, 0), USUAL, 0, []), ("com.f80", (0, ONE), USUAL, C0, []), ("com.f80", (0, SIGN), USUAL, C3, []),
    ("com.f80", (ONE, 0x7FFF << 64 | 3 << 62), USUAL, IE | C3 | C2 | C0, []),
    ("ucom.f80", (ONE, 0x7FFF << 64 | 3 << 62), USUAL, C3 | C2 | C0, []),
    ("store.i16", (0x400E << 64 | TOP,), USUAL, IE, [0x8000]),
    ("store.bcd", (SIGN | 0x4005 << 64 | 0xF6 << 56,), USUAL, 0, [SIGN | 0x123]),
    ("chop.i32", (0x3FFF << 64 | 0xFF << 56,), USUAL, PE, [1]),
    ("rem", (0x4001 << 64 | 0xE0 << 56, ONE + (1 << 62)), USUAL, C0, [ONE]),   # 7 - 4 * 1.5 = 1
])  # fmt: skip
def test_values(name: str, given: tuple[int, ...], control: int, status: int, results: list[int]) -> None:
    assert define(name, given, control, 0) == (status, results)


# -- native code --------------------------------------------------------------------------------------------------------


class Parameters(Emitter):
    """Operands are in memory, 16 bytes each."""

    def op_param(self, node: Bits) -> str:
        return self.let(f"load i{node.width}, ptr {self.cell(16 * node.attr, '%in')}")


def function(index: int, name: str, *, masked: bool) -> str:
    """Return the text of a function (state, operands, where the node's value goes)."""
    new_graph()
    params = [make("param", width, (), i) for i, width in enumerate(operand_widths(name))]
    control, status = make("param", 16, (), 2), make("param", 16, (), 3)
    parts = fp.extended(name, params, control | EXCEPTIONS if masked else control, status)
    em = Parameters()
    for i, part in enumerate(parts):
        em.put(f"store i{part.width} {em.value(part)}, ptr {em.cell(16 * i, '%out')}")
    return "\n".join([f"define dso_local void @f{index}(ptr %st, ptr %in, ptr %out) #0 {{", "entry:", *em.lines, "  ret void", "}", ""])


def variants() -> Iterator[tuple[str, bool]]:
    for name in (*NAMES, *sorted(TRANSCENDENTAL)):
        yield name, True
        yield name, False


@pytest.fixture(scope="module")
def native() -> dict[tuple[str, bool], Any]:
    text = "".join(function(i, name, masked=masked) for i, (name, masked) in enumerate(variants()))
    memory = CodeMemory()
    addresses = memory.load(compile_text(text))
    return {v: ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)(addresses[f"f{i}"]) for i, v in enumerate(variants())}


@x87_host
def test_native_code_equals_the_definition(native: dict[tuple[str, bool], Any]) -> None:
    """One operation after the other, so that the host's status word is whatever they left."""
    rng, state = random.Random(1), ctypes.create_string_buffer(2048)
    for _ in range(4000):
        name, masked = rng.choice(list(native))
        given, control = operands(rng, name) if name not in TRANSCENDENTAL else [number(rng), number(rng)], control_word(rng)
        given = given[:len(operand_widths(name))]
        control |= EXCEPTIONS if masked else 0
        before = rng.getrandbits(6) & control                 # what is pending is delivered, so no operation begins with it
        block = b"".join(v.to_bytes(16, "little") for v in (*given, *[0] * (2 - len(given)), control, before))
        out = ctypes.create_string_buffer(64)
        native[name, masked](state, block, out)
        expected, results = perform(name, given, control, before)
        status = int.from_bytes(out.raw[:2], "little")
        text = (name, hex(control), hex(before), [hex(v) for v in given], hex(status), hex(expected))
        none = blocked(name, expected, control)
        conditions = not (name in ("rem", "rem1") and (none or results[0] >> 64 & 0x7FFF == 0x7FFF))
        assert status & (EXCEPTIONS | (C0 | C1 | C2 | C3) * conditions) == expected & (EXCEPTIONS | (C0 | C1 | C2 | C3) * conditions), text
        if not none and not (expected & C2 and name in TRANSCENDENTAL):
            got = [int.from_bytes(out.raw[16 + 16 * i:16 + 16 * i + w // 8], "little") for i, w in enumerate(result_widths(name))]
            assert got == results, text


# -- hosts without an x87 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", extended_slow.NAMES)
def test_a_slow_function_equals_the_definition(name: str) -> None:
    rng = random.Random(name)
    for _ in range(60):
        given, control = operands(rng, name), control_word(rng)
        new_graph()
        params = [const(v, w) for v, w in zip(given, operand_widths(name), strict=True)]
        status, result = extended_slow.slow(name, params, const(control, 16), const(0, 16))
        expected, results = define(name, given, control, 0)
        text = (name, hex(control), [hex(v) for v in given], hex(int(status)), hex(int(result)), hex(expected), [hex(v) for v in results])
        assert int(status) == expected, text
        assert not results or blocked(name, expected, control) or int(result) == results[0], text


def test_native_code_calls_slow_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extended_host, "AVAILABLE", False)
    names, memory = ("div.f80", "add.f32", "store.f64", "com.i16", "load.i64", "sqrt"), CodeMemory()
    text, declared = extended_functions()
    text += "".join(function(i, name, masked=True) for i, name in enumerate(names))
    addresses = memory.load(compile_text(text + "\n".join(sorted(declared))))
    table = (ctypes.c_uint64 * 512)(*[addresses.get(f"fp_{i}", 0) for i in range(512)])
    state = ctypes.create_string_buffer(2048)
    ctypes.c_uint64.from_buffer(state, ENGINE_CELLS["fp_slow"]).value = ctypes.addressof(table)
    rng = random.Random(1)
    for _ in range(300):
        at = rng.randrange(len(names))
        name, control, before = names[at], control_word(rng) | EXCEPTIONS, rng.getrandbits(6)
        given, out = operands(rng, name), ctypes.create_string_buffer(64)
        block = b"".join(v.to_bytes(16, "little") for v in (*given, *[0] * (2 - len(given)), control, before))
        ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)(addresses[f"f{at}"])(state, block, out)
        expected, results = define(name, given, control, before)
        assert int.from_bytes(out.raw[:2], "little") == expected, (name, [hex(v) for v in given])
        got = [int.from_bytes(out.raw[16:16 + w // 8], "little") for w in result_widths(name)]
        assert got == results, (name, [hex(v) for v in given])


def test_constants_fold() -> None:
    new_graph()
    status, result = fp.extended("add.f80", [const(ONE, 80), const(ONE, 80)], const(USUAL, 16), const(IE, 16))
    assert (int(status), int(result)) == (IE, 0x4000 << 64 | TOP)
