"""Exact floating point: against the host's own arithmetic, and ARM's slow functions against the definition."""

from __future__ import annotations

import ctypes
import ctypes.util
import math
import random
import struct
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.slow_floats import HOSTS, Checker, operands
from xemu.core import softfloat, softnumber
from xemu.core.fp import operands_of
from xemu.core.softfloat import COMPARES, evaluate_flags, evaluate_value
from xemu.core.softnumber import FORMATS, Operation
from xemu.targets.arm.fp_rules import slow

if TYPE_CHECKING:
    from collections.abc import Iterator

F32, F64 = FORMATS["f32"], FORMATS["f64"]
SPECIAL: Final = {
    "f16": (0, 1, 2, 0x3FF, 0x400, 0x3C00, 0x7BFF, 0x7C00, 0x7C01, 0x7E00, 0x7FFF),
    "f32": (0, 1, 2, 0x7FFFFF, 0x800000, 0x800001, 0xFFFFFF, 0x1000000, 0x3F000000, 0x3F7FFFFF, 0x3F800000, 0x4EFFFFFF,
            0x4F000000, 0x4F7FFFFF, 0x4F800000, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FA12345, 0x7FC00001),
    "f64": (0, 1, 2, (1 << 52) - 1, 1 << 52, (1 << 52) + 1, 0x3FE << 52, 0x3FF << 52, 0x41E << 52, 0x380FFFFFFFFFFFFF,
            0x381 << 52, 0x36A << 52, 0x369FFFFFFFFFFFFF, 0x47EFFFFFEFFFFFFF, 0x47EFFFFFFFFFFFFF, 0x7FEFFFFFFFFFFFFF,
            0x7FF << 52, 0x7FF0000000000001, 0x7FF8000000000005),
}  # fmt: skip


def random_number(rng: random.Random, name: str) -> int:
    """Return a number's bits: special, ordinary, near a power of two, or near the smallest normal number."""
    fmt, kind = FORMATS[name], rng.random()
    sign = rng.getrandbits(1) << (fmt.width - 1)
    if kind < 0.35:
        return sign | rng.choice(SPECIAL[name])
    if kind < 0.5:
        return rng.getrandbits(fmt.width)
    fraction = rng.getrandbits(fmt.fraction)
    if rng.random() < 0.5:
        fraction &= -1 << rng.randrange(fmt.fraction)
    if rng.random() < 0.2:
        fraction = (1 << fmt.fraction) - 1 - rng.randrange(4)
    reach = (fmt.bias + rng.randrange(-30, 35), fmt.bias // 2 + rng.randrange(-8, 8), fmt.bias - rng.randrange(10, 28), rng.randrange(4))
    return sign | rng.choice(reach) % fmt.top << fmt.fraction | fraction


def as_double(bits: int) -> float:
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])


def double_bits(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def as_single(bits: int) -> float:
    return float(struct.unpack("<f", struct.pack("<I", bits))[0])


def single_bits(value: float) -> int:
    """Return a double rounded to single: innocuous double rounding for + - * / and square root."""
    return int.from_bytes(bytes(ctypes.c_float(value)), "little")


def host(name: str, x: float, y: float) -> float:
    """Do an operation as IEEE 754 does where Python would raise."""
    match name:
        case "add": return x + y
        case "sub": return x - y
        case "mul": return x * y
        case "sqrt": return math.sqrt(x) if x >= 0 else math.nan
    if y == 0:
        return math.nan if x == 0 or math.isnan(x) else math.copysign(math.inf, x) * math.copysign(1, y)
    return x / y


def same(fmt: softnumber.Format, x: int, y: int) -> bool:
    """Compare bits; all NaNs are alike."""
    return x == y or all(v & (fmt.sign - 1) > fmt.infinity for v in (x, y))


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "sqrt"])
def test_arithmetic_equals_the_hosts(name: str) -> None:
    rng = random.Random(name)
    for _ in range(3000):
        for fmt, load, store in (F32, as_single, single_bits), (F64, as_double, double_bits):
            x, y = random_number(rng, fmt.name), random_number(rng, fmt.name)
            operands = [x] if name == "sqrt" else [x, y]
            mine = softfloat.SIMPLE[name](Operation(softnumber.RULES["arm"], 0), fmt, *operands)
            assert same(fmt, mine, store(host(name, load(x), load(y)))), (name, hex(x), hex(y), hex(mine))


def test_fused_multiply_add_equals_the_hosts() -> None:
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    library.fma.restype, library.fma.argtypes = ctypes.c_double, [ctypes.c_double] * 3
    rng = random.Random(1)
    for _ in range(4000):
        x, y, z = (random_number(rng, "f64") for _ in range(3))
        if rng.random() < 0.5:                       # nearly -x * y
            z = softfloat.mul(Operation(softnumber.RULES["arm"], 0), F64, x, y) ^ F64.sign
        mine = softfloat.fma(Operation(softnumber.RULES["arm"], 0), F64, x, y, z)
        assert same(F64, mine, double_bits(library.fma(as_double(x), as_double(y), as_double(z)))), (hex(x), hex(y), hex(z))


def test_directed_rounding_brackets_the_exact_product() -> None:
    rng = random.Random(2)
    for _ in range(3000):
        x, y = (rng.getrandbits(31) & 0x7FFFFFFF for _ in range(2))
        if max(x, y) >= 0x7F800000:
            continue
        exact = Fraction(as_single(x)) * Fraction(as_single(y))
        results = [softfloat.mul(Operation(softnumber.RULES["arm"], mode), F32, x, y) for mode in range(5)]
        nearest, up, down, zero, away = results
        assert down == zero
        assert up in (down, down + 1)
        assert {nearest, away} <= {up, down}
        if up < 0x7F800000:
            assert Fraction(as_single(down)) <= exact <= Fraction(as_single(up))
            assert (up == down) == (Fraction(as_single(down)) == exact)


def test_conversions_equal_the_hosts() -> None:
    rng = random.Random(3)
    for _ in range(3000):
        x = random_number(rng, "f64")
        mine = softfloat.convert(Operation(softnumber.RULES["arm"], 0), F64, F32, x)
        assert same(F32, mine, single_bits(as_double(x))), hex(x)
        h = random_number(rng, "f16")
        mine = softfloat.convert(Operation(softnumber.RULES["arm"], 0), FORMATS["f16"], F64, h)
        assert same(F64, mine, double_bits(struct.unpack("<e", struct.pack("<H", h))[0])), hex(h)
        n = rng.getrandbits(32) - (1 << 31)
        assert softfloat.from_integer(Operation(softnumber.RULES["arm"], 0), F32, n & 0xFFFFFFFF, width=32, fbits=0, signed=True) \
            == single_bits(float(n))


@pytest.mark.parametrize(("name", "operands", "ctl", "value", "flags"), [
    ("add", (0x7FA00001, 0x7FC00002), 0, 0x7FE00001, 0x01),          # the first operand's payload, made quiet
    ("add", (0x7FC00002, 0x7FA00001), 0, 0x7FE00001, 0x01),          # a signalling one goes before a quiet one
    ("add", (0x7FC00002, 0x7FC00001), 0, 0x7FC00002, 0x00),
    ("add", (0x7FC00002, 0xFFC00001), 16, 0x7FC00000, 0x00),         # default NaN
    ("sub", (0x7F800000, 0x7F800000), 0, 0x7FC00000, 0x01),
    ("sub", (0x3F800000, 0x3F800000), 2, 0x80000000, 0x00),          # x - x is -0 when rounding down
    ("div", (0x3F800000, 0x80000000), 0, 0xFF800000, 0x02),
    ("mul", (0x7F7FFFFF, 0x7F7FFFFF), 3, 0x7F7FFFFF, 0x14),
    ("mul", (0x00800000, 0x3F7FFFFF), 0, 0x00800000, 0x18),          # tiny before rounding
    ("mul", (0x00800000, 0x3F7FFFFF), 8, 0x00000000, 0x08),          # flushed: underflow alone
    ("add", (0x00000001, 0x00000001), 0, 0x00000002, 0x00),          # tiny but exact
    ("add", (0x00000001, 0x3F800000), 8, 0x3F800000, 0x80),          # a flushed operand
    ("fma", (0x7F800000, 0x00000000, 0x7FC12345), 0, 0x7FC00000, 0x01),
    ("max", (0x80000000, 0x00000000), 0, 0x00000000, 0x00),
    ("min", (0x80000000, 0x00000000), 0, 0x80000000, 0x00),
])  # fmt: skip
def test_arm_rules(name: str, operands: tuple[int, ...], ctl: int, value: int, flags: int) -> None:
    attr, widths = (name, "f32", 1, "arm"), [*[32] * len(operands), 8]
    assert evaluate_value(32, attr, widths, *operands, ctl) == value
    assert evaluate_flags(8, attr, widths, *operands, ctl) == flags


def test_lanes_gather_their_exceptions() -> None:
    attr = ("div", "f32", 2, "arm")
    one_zero, zero_inf = 0x3F800000 << 32 | 0x00000000, 0x00000000 << 32 | 0x7F800000
    assert evaluate_value(64, attr, [64, 64, 8], one_zero, zero_inf, 0) == 0x7F800000 << 32
    assert evaluate_flags(8, attr, [64, 64, 8], one_zero, zero_inf, 0) == softnumber.DIVIDE_BY_ZERO
    compare = ("lt", "f32", 2, "arm")
    assert evaluate_value(64, compare, [64, 64, 8], zero_inf, one_zero, 0) == 0xFFFFFFFF << 32


# -- slow functions ---------------------------------------------------------------------------------------------------


def slow_operations() -> Iterator[tuple[str, object, int]]:
    """Yield every (name, format, operands) that slow() must know."""
    for fmt in "f32", "f64":
        yield from ((name, fmt, n) for name, n in (("add", 2), ("sub", 2), ("mul", 2), ("div", 2), ("sqrt", 1), ("fma", 3)))
        yield from ((name, fmt, 2) for name in COMPARES)
        for name in "to_sint", "to_uint":
            yield from ((name, (fmt, width, mode, fbits), 1)
                        for width in (16, 32) for mode in ("zero", "current") for fbits in (0, 1, 16))
        yield from ((name, (32, fmt, 0), 1) for name in ("from_sint", "from_uint"))
    yield from (("to_float", pair, 1) for pair in (("f32", "f64"), ("f64", "f32"), ("f16", "f32"), ("f32", "f16")))


@HOSTS
@pytest.mark.parametrize(("name", "fmt", "count"), list(slow_operations()))
def test_slow_function_equals_the_definition(
    name: str, fmt: object, count: int, monkeypatch: pytest.MonkeyPatch, *, tiny_after: bool
) -> None:
    checker, rng = Checker("arm", slow, monkeypatch, tiny_after=tiny_after), random.Random(f"{name} {fmt} {tiny_after}")
    assert count == operands_of(name, fmt)
    for _ in range(150):
        ctl = rng.choice((0, 0, rng.getrandbits(2), 24, rng.getrandbits(2) | rng.getrandbits(3) << 3))
        checker.check(name, fmt, operands(rng, name, fmt), ctl)
