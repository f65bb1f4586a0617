"""SSE's rules: the definition against values that processors gave, and the slow functions against the definition."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from xemu.core import softfloat, softnumber
from xemu.core.bits import const, new_graph
from xemu.core.evaluate import EVALUATE
from xemu.core.fp import SLOW_OPERATIONS
from xemu.core.lower_fp_slow import operands_of
from xemu.core.softfloat import evaluate_flags, evaluate_value
from xemu.core.softnumber import FORMATS, Operation
from xemu.targets.x86.fp_rules import slow

if TYPE_CHECKING:
    from xemu.core.bits import Bits

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


def known() -> list[tuple[str, object]]:
    """Return the operations of which x86 has slow functions."""
    found = []
    for name, fmt in SLOW_OPERATIONS:
        new_graph()
        source = fmt if isinstance(fmt, str) else fmt[0]
        width = source if isinstance(source, int) else FORMATS[source].width
        try:
            slow(name, fmt, [const(0, width)] * operands_of(name, fmt), const(0, 8))
        except KeyError:
            continue
        found.append((name, fmt))
    return found


def number(rng: random.Random, fmt: str) -> int:
    """Return a number of a format: often a special one, a denormal, or near a limit."""
    f = FORMATS[fmt]
    sign, some = rng.getrandbits(1) * f.sign, rng.getrandbits(f.fraction)
    match rng.randrange(8):
        case 0: return sign
        case 1: return sign | rng.choice((1, some, (1 << f.fraction) - 1))
        case 2: return sign | f.infinity | rng.choice((0, 0, some, some | f.quiet))
        case 3: return sign | rng.choice((1, 2, f.top - 1, f.top - 2)) << f.fraction | rng.choice((0, some, (1 << f.fraction) - 1))
        case 4: return sign | (f.bias // 2 + rng.randrange(-3, 4)) << f.fraction | some
        case 5: return sign | (f.bias + f.bias // 2 + rng.randrange(-3, 4)) << f.fraction | some
        case 6: return sign | (f.bias + rng.randrange(-f.fraction - 2, min(66, f.bias))) << f.fraction | some
        case _: return sign | f.bias << f.fraction | rng.choice((0, 1, some))


def operands(rng: random.Random, name: str, fmt: object) -> tuple[list[int], int]:
    """Return operands and their width; often the result lies at the edge of the normal numbers."""
    source = fmt if isinstance(fmt, str) else fmt[0]  # type: ignore[index]
    if isinstance(source, int):
        return [rng.choice((rng.getrandbits(source), rng.getrandbits(20), 1 << (source - 1)))], source
    f = FORMATS[source]
    values = [number(rng, source) for _ in range(operands_of(name, fmt))]
    op, edge = Operation(softnumber.RULES["host"], 0), (1 << f.fraction) - rng.randrange(-3, 4)
    if name == "mul" and rng.random() < 0.4:
        values[1] = softfloat.div(op, f, edge, values[0])
    elif name == "div" and rng.random() < 0.4:
        values[0] = softfloat.mul(op, f, edge, values[1])
    elif name.startswith("f") and rng.random() < 0.5:
        values[2] = (softfloat.mul(op, f, *values[:2]) ^ f.sign) + rng.randrange(-2, 3) & ((1 << f.width) - 1)
    elif fmt == ("f64", "f32") and rng.random() < 0.5:
        values[0] = (1023 - 126 << 52) + rng.choice((-1 << 28, -1 << 29, 0, -1 << 30)) + rng.randrange(-2, 3)
    elif fmt == ("f32", "f16") and rng.random() < 0.5:
        values[0] = (127 - 14 << 23) + rng.choice((-1 << 12, -1 << 13, 0, -1 << 14)) + rng.randrange(-2, 3)
    return values, f.width


def evaluated(node: Bits, memo: dict[int, int]) -> int:
    """Return the value of a node of constants."""
    if node.op == "const":
        return int(node.attr)
    if node.id not in memo:
        arguments = [evaluated(a, memo) for a in node.args]
        memo[node.id] = EVALUATE[node.op](node.width, node.attr, [a.width for a in node.args], *arguments)
    return memo[node.id]


@pytest.mark.parametrize("tiny_after", [True, False])
@pytest.mark.parametrize(("name", "fmt"), known())
def test_slow_function_equals_the_definition(name: str, fmt: object, monkeypatch: pytest.MonkeyPatch, *, tiny_after: bool) -> None:
    """On hosts that detect tininess before or after rounding, and with either sign of their NaN."""
    monkeypatch.setattr(softnumber.RULES["host"], "tiny_after_rounding", tiny_after)
    monkeypatch.setattr(softnumber.RULES["host"], "default_nan_sign", int(tiny_after))
    rng = random.Random(f"{name} {fmt} {tiny_after}")
    for _ in range(120):
        values, width = operands(rng, name, fmt)
        ctl = rng.randrange(4) | rng.choice((0, FTZ, DAZ, FTZ | DAZ, NO_UM, NO_OM, NO_UM | NO_OM | DAZ))
        new_graph()
        value, flags = slow(name, fmt, [const(v, width) for v in values], const(ctl, 8))
        attr, widths = (name, fmt, 1, "x86"), [*[width] * len(values), 8]
        mine = evaluated(value, {}), evaluated(flags, {})
        assert mine == (evaluate_value(value.width, attr, widths, *values, ctl), evaluate_flags(8, attr, widths, *values, ctl)), (
            [hex(v) for v in values], hex(ctl))
