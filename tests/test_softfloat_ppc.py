"""PowerPC's rules: the definition against Power ISA Book I, 4.4, and the slow functions against the definition."""

from __future__ import annotations

import random

import pytest

from tests.support.slow_floats import HOSTS, SINGLE_LEAST, Checker, known, operands
from xemu.core.softfloat import evaluate_flags, evaluate_value
from xemu.targets.ppc.fp_rules import with_quads as slow

VX, ZX, OX, UX, XX, FR = 1, 2, 4, 8, 16, 32
SNAN, ISI, IDI, ZDZ, IMZ, VC, SQRT, CVI = (VX | 1 << n for n in range(8, 16))
UP, DOWN, ZERO, AWAY, UE, OE = 1, 2, 3, 4, 32, 64
ONE, INF, NAN, LEAST = 0x3FF << 52, 0x7FF << 52, 0x7FF8 << 48, 1 << 52
MINUS = 1 << 63
LARGEST = INF - 1
#: the largest single, as a double
SINGLE_MAX = 0x47EFFFFFE0000000


@pytest.mark.parametrize(("name", "operands", "ctl", "value", "flags"), [
    ("add", (NAN | 1, NAN | MINUS | 2), 0, NAN | 1, 0),
    ("add", (NAN | 1, INF | 2), 0, NAN | 1, SNAN),                              # a signalling NaN does not go before the first
    ("sub", (INF, INF), 0, NAN, ISI),
    ("mul", (INF, 0), 0, NAN, IMZ),
    ("div", (INF, INF | MINUS), 0, NAN, IDI),
    ("div", (0, 0), 0, NAN, ZDZ),
    ("div", (ONE, MINUS), 0, INF | MINUS, ZX),
    ("sqrt", (ONE | MINUS,), 0, NAN, SQRT),
    ("sqrt", (MINUS,), 0, MINUS, 0),
    ("fma", (NAN | 1, NAN | 2, NAN | 3), 0, NAN | 1, 0),
    ("fma", (ONE, NAN | 2, NAN | 3), 0, NAN | 3, 0),                            # FRB, the addend, goes before FRC
    ("fma", (INF, 0, NAN | 3), 0, NAN | 3, IMZ),
    ("fma", (INF, 0, INF | 3), 0, NAN | 3, IMZ | SNAN),
    ("fma", (INF, ONE, INF | MINUS), 0, NAN, ISI),
    ("fms", (ONE, ONE, NAN | 5), 0, NAN | 5, 0),                                # a NaN keeps its sign
    ("fms", (ONE, ONE, ONE), DOWN, MINUS, 0),
    ("add", (ONE, 1), 0, ONE, XX),
    ("add", (ONE, 1), UP, ONE + 1, XX | FR),
    ("mul", (LARGEST, LARGEST), 0, INF, OX | XX | FR),
    ("mul", (LARGEST, LARGEST), ZERO, LARGEST, OX | XX),
    ("mul", (0x7FE << 52, 0x402 << 52), OE, (2046 + 3 - 1536) << 52, OX),       # 2**1026, exact: the exponent less 1536
    ("mul", (LEAST, 0x3FE << 52), 0, LEAST >> 1, 0),                            # tiny but exact
    ("mul", (LEAST, 0x3FE << 52), UE, (1536) << 52, UX),
    ("mul", (1, 0x3FE << 52), 0, 0, UX | XX),
    ("mul", (1, 0x3FE << 52), UE, (1536 - 52) << 52, UX),
    ("mul", (0x001FFFFFFFFFFFFF, 0x3FE << 52), 0, LEAST, UX | XX | FR),         # tiny before it is rounded
    ("fma", (1, 1, 0), UE | UP, (1023 - 2148 + 1536) << 52, UX),
    ("fma", (1, 1, 1 | MINUS), UE, MINUS | (1 - 52 + 1536) << 52, UX | XX | FR),
    ("add", (0x7FE << 52, 0x7FE << 52), OE, (2047 - 1536) << 52, OX),
    ("add", (LARGEST, 1), OE | UP, (2047 - 1536) << 52, OX | XX | FR),
    ("add_f32", (ONE, 0x3C8 << 52), 0, ONE, XX),
    ("add_f32", (0x3FF0000010000000, 1), 0, 0x3FF0000020000000, XX | FR),       # rounded once: it is no tie
    ("mul_f32", (SINGLE_MAX, SINGLE_MAX), 0, INF, OX | XX | FR),
    ("mul_f32", (SINGLE_MAX, SINGLE_MAX), ZERO, SINGLE_MAX, OX | XX),
    ("mul_f32", (SINGLE_LEAST, SINGLE_LEAST), 0, 0, UX | XX),
    ("mul_f32", (SINGLE_LEAST, SINGLE_LEAST), UE, (1023 - 252 + 192) << 52, UX),
    ("round_f32", (0x3FF0000010000000,), 0, ONE, XX),
    ("round_f32", (NAN | 0x12345678,), 0, NAN, 0),
    ("round_f32", (1,), UP, 0x36A << 52, UX | XX | FR),
    ("round_f32", (LARGEST,), OE, (2047 - 192) << 52, OX | XX | FR),
    ("minnum", (NAN, ONE), 0, ONE, 0),
    ("maxnum", (INF | 2, ONE), 0, NAN | 2, SNAN),
    ("max", (ONE, NAN | 2), 0, NAN | 2, 0),
    ("maxnum", (MINUS, 0), 0, 0, 0),
    ("rint", (0x3FF8 << 48,), ZERO, ONE, XX),
    ("rint", (0x3FF8 << 48,), 0, 0x400 << 52, XX | FR),
    ("round_int", (0x4004 << 48,), AWAY, 0x4008 << 48, 0),
    ("round_int", (0x3FDFFFFFFFFFFFFF,), AWAY, 0, 0),
])  # fmt: skip
def test_rules(name: str, operands: tuple[int, ...], ctl: int, value: int, flags: int) -> None:
    attr, widths = (name, "f64", 1, "ppc"), [*[64] * len(operands), 8]
    assert f"{evaluate_value(64, attr, widths, *operands, ctl):x}" == f"{value:x}"
    assert f"{evaluate_flags(16, attr, widths, *operands, ctl):x}" == f"{flags:x}"


@pytest.mark.parametrize(("name", "operands", "flags"), [
    ("lt", (ONE, NAN), 0), ("lt", (ONE, INF | 1), SNAN), ("relation_s", (ONE, NAN), VC), ("relation_s", (INF | 1, NAN), VC | SNAN),
])  # fmt: skip
def test_comparisons(name: str, operands: tuple[int, ...], flags: int) -> None:
    assert evaluate_flags(16, (name, "f64", 1, "ppc"), [64, 64, 8], *operands, 0) == flags


@pytest.mark.parametrize(("name", "width", "rounding", "operand", "value", "flags"), [
    ("to_sint", 32, "zero", 0xC1E0000000100000, 0x80000000, XX),
    ("to_sint", 32, "zero", 0x41E << 52, 0x7FFFFFFF, CVI),
    ("to_sint", 32, "current", 0x3FF8 << 48, 2, XX | FR),
    ("to_sint", 64, "zero", NAN, 1 << 63, CVI),
    ("to_sint", 64, "zero", INF | 1, 1 << 63, CVI | SNAN),
    ("to_sint", 64, "zero", 0x43E << 52, (1 << 63) - 1, CVI),
    ("to_uint", 64, "zero", 0x43E << 52, 1 << 63, 0),
    ("to_uint", 64, "zero", NAN, 0, CVI),
    ("to_uint", 32, "zero", 0xBFE << 52, 0, XX),
    ("to_uint", 32, "zero", 0xBFF << 52, 0, CVI),
])  # fmt: skip
def test_integers(name: str, width: int, rounding: str, operand: int, value: int, flags: int) -> None:
    attr = (name, ("f64", width, rounding, 0), 1, "ppc")
    assert evaluate_value(width, attr, [64, 8], operand, 0) == value
    assert evaluate_flags(16, attr, [64, 8], operand, 0) == flags


# -- slow functions ---------------------------------------------------------------------------------------------------


@HOSTS
@pytest.mark.parametrize(("name", "fmt"), known(slow))
def test_slow_function_equals_the_definition(name: str, fmt: object, monkeypatch: pytest.MonkeyPatch, *, tiny_after: bool) -> None:
    checker, rng = Checker("ppc", slow, monkeypatch, tiny_after=tiny_after), random.Random(f"{name} {fmt} {tiny_after}")
    for _ in range(120):
        values = operands(rng, name, fmt)
        ctl = rng.randrange(5 if name == "round_int" else 4) | rng.choice((0, 0, UE, OE, UE | OE))
        if fmt == "f32" and rng.random() < 0.2:
            ctl = 8                                                             # vectors of singles flush denormals
        checker.check(name, fmt, values, ctl)
