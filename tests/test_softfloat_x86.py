"""SSE's rules: the definition against values that processors gave, and the slow functions against the definition."""

from __future__ import annotations

import random

import pytest

from tests.support.slow_floats import HOSTS, Checker, known, operands
from xemu.core.softfloat import evaluate_flags, evaluate_value
from xemu.targets.x86.fp_rules import slow

IE, ZE, OE, UE, PE, DE = 1, 2, 4, 8, 16, 128
DOWN, UP, ZERO, FTZ, DAZ, NO_UM, NO_OM = 2, 1, 3, 8, 16, 32, 64
ONE, INF, DENORMAL, LEAST = 0x3F800000, 0x7F800000, 0x00000005, 0x00800000
NANS = (0x7FC00001, 0x7FC00002, 0x7FC00003)


@pytest.mark.parametrize(("name", "operands", "ctl", "value", "flags"), [
    ("add", (0x7FC00001, 0xFFA00002), 0, 0x7FC00001, IE),            # the first NaN, a signalling one does not go before it
    ("add", (0x7FA00001, 0x7FC00002), 0, 0x7FE00001, IE),
    ("sub", (INF, INF), 0, 0xFFC00000, IE),                          # the default NaN is negative
    ("add", (DENORMAL, ONE), 0, ONE, DE | PE),
    ("add", (DENORMAL, NANS[0]), 0, NANS[0], 0),                     # a NaN goes before a denormal operand
    ("add", (DENORMAL, ONE), DAZ, ONE, 0),
    ("mul", (INF, DENORMAL), 0, INF, DE),
    ("div", (DENORMAL, 0), 0, INF, ZE),                              # … and a division by zero
    ("sqrt", (0x80000001,), 0, 0xFFC00000, IE),
    ("mul", (LEAST, 0x3F000000), 0, 0x00400000, 0),                  # tiny but exact
    ("mul", (LEAST, 0x3F000000), NO_UM, 0x00400000, UE),
    ("mul", (LEAST, 0x3F000000), FTZ, 0, UE | PE),
    ("mul", (0x00FFFFFF, 0x3F000000), 0, LEAST, UE | PE),            # tiny although it is rounded to the smallest normal number
    ("mul", (0x00800001, 0x3F7FFFFE), 0, LEAST, PE),                 # it is not tiny once it is rounded to its precision
    ("mul", (0x7F000000, 0x40800000), 0, INF, OE | PE),
    ("mul", (0x7F000000, 0x40800000), NO_OM, INF, OE),               # exact but for the exponent
    ("fma", NANS, 0, NANS[0], 0),
    ("fma", (ONE, NANS[1], NANS[2]), 0, NANS[1], 0),
    ("fma", (INF, 0, NANS[2]), 0, NANS[2], 0),                       # no exception
    ("fma", (INF, 0, ONE), 0, 0xFFC00000, IE),
    ("fms", (ONE, ONE, NANS[2]), 0, NANS[2], 0),                     # a NaN keeps its sign
    ("fms", (ONE, ONE, ONE), DOWN, 0x80000000, 0),
    ("fnma", (ONE, ONE, 0x40000000), 0, ONE, 0),
    ("fnms", (ONE, ONE, ONE), 0, 0xC0000000, 0),
    ("lesser", (0x80000000, 0), 0, 0, 0),                            # the second of two zeros
    ("lesser", (ONE, 0x7FC00002), 0, 0x7FC00002, IE),                # the second operand where one is a NaN
    ("greater", (0x7FC00002, ONE), 0, ONE, IE),
    ("greater", (0x7FC00002, 0x80000001), DAZ, 0x80000000, IE),
    ("cmp1", (ONE, NANS[0]), 0, 0, IE),                              # less than, signalling
    ("cmp17", (ONE, NANS[0]), 0, 0, 0),
    ("cmp5", (ONE, NANS[0]), 0, 0xFFFFFFFF, IE),
    ("cmp12", (ONE, NANS[0]), 0, 0, 0),
    ("cmp4", (ONE, NANS[0]), 0, 0xFFFFFFFF, 0),
    ("cmp15", (ONE, DENORMAL), 0, 0xFFFFFFFF, DE),
    ("cmp13", (ONE, ONE), 0, 0xFFFFFFFF, 0),
    ("rint", (0x3FC00000,), ZERO, ONE, PE),
    ("rint", (DENORMAL,), UP, ONE, PE),                              # here a denormal is no exception
    ("round_int", (0x3FC00000,), 0, 0x40000000, 0),
])  # fmt: skip
def test_rules(name: str, operands: tuple[int, ...], ctl: int, value: int, flags: int) -> None:
    attr, widths = (name, "f32", 1, "x86"), [*[32] * len(operands), 8]
    assert f"{evaluate_value(32, attr, widths, *operands, ctl):x}" == f"{value:x}"
    assert evaluate_flags(8, attr, widths, *operands, ctl) == flags


@pytest.mark.parametrize(("fmt", "width", "operand", "value", "flags"), [
    (("f64", 32, "zero", 0), 64, 0xC000000000000000, 0xFFFFFFFE, 0),
    (("f64", 32, "zero", 0), 64, 0x41E0000000000000, 0x80000000, IE),           # 2**31 does not fit
    (("f64", 32, "zero", 0), 64, 0xC1E0000000100000, 0x80000000, PE),           # just below -2**31 is cut to it
    (("f64", 64, "current", 0), 64, 0x7FF8000000000000, 1 << 63, IE),
    (("f32", 64, "current", 0), 32, 0x3FC00000, 2, PE),
    (("f32", 32, "current", 0), 32, DENORMAL, 0, PE),
])  # fmt: skip
def test_integers(fmt: tuple[object, ...], width: int, operand: int, value: int, flags: int) -> None:
    attr = ("to_sint", fmt, 1, "x86")
    assert evaluate_value(fmt[1], attr, [width, 8], operand, 0) == value  # type: ignore[arg-type]
    assert evaluate_flags(8, attr, [width, 8], operand, 0) == flags


# -- slow functions ---------------------------------------------------------------------------------------------------


@HOSTS
@pytest.mark.parametrize(("name", "fmt"), known(slow))
def test_slow_function_equals_the_definition(name: str, fmt: object, monkeypatch: pytest.MonkeyPatch, *, tiny_after: bool) -> None:
    checker, rng = Checker("x86", slow, monkeypatch, tiny_after=tiny_after), random.Random(f"{name} {fmt} {tiny_after}")
    for _ in range(120):
        ctl = rng.randrange(4) | rng.choice((0, FTZ, DAZ, FTZ | DAZ, NO_UM, NO_OM, NO_UM | NO_OM | DAZ))
        checker.check(name, fmt, operands(rng, name, fmt), ctl)


@pytest.mark.parametrize(("name", "values", "ctl"), [
    ("mul", (0x7456C96EFE99958F, 0x7CB0000000000000), NO_UM | NO_OM), ("div", (0x7FD12AF355FDCCF5, 0x8000000000000001), NO_OM),
    ("div", (0xFFD8000000000000, 0x0010000000000000), NO_UM | NO_OM | UP),
    ("fma", (0xFF8D2C5AA907F86E, 0xF230000000000000, 0), NO_OM | ZERO),
    ("fma", (0x7FE0000000000001, 0x7FE0000000000000, 1), NO_OM),
])  # fmt: skip
def test_results_far_too_large_are_as_exact_as_they_are(
    name: str, values: tuple[int, ...], ctl: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where overflow is not masked, what counts is whether the result fits the precision, were exponents unbounded."""
    Checker("x86", slow, monkeypatch, tiny_after=True).check(name, "f64", list(values), ctl)
