"""FPv5's operations against the exact definition of floating point (softfloat.py)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import pytest

from tests.test_softfloat import random_number
from xemu.core import softfloat, softnumber
from xemu.core.bits import Bits, const, new_graph
from xemu.core.softnumber import FORMATS, Operation
from xemu.targets.arm.fp_rules import half_conversion, to_integer
from xemu.targets.arm.fp_rules5 import max_num, round_to_integral

if TYPE_CHECKING:
    from collections.abc import Callable

CASES: Final = 1500
AWAY: Final = 4                  # softfloat's number of "to the nearest, halves away from zero"
Result = tuple[Bits, Bits]


def number(rng: random.Random, fmt: str) -> int:
    """Return a number, often one with a fraction of a half or near it."""
    if rng.random() < 0.6:
        return random_number(rng, fmt)
    f = FORMATS[fmt]
    exponent = f.bias + rng.randrange(-3, min(f.fraction + 2, 34))
    fraction = rng.getrandbits(f.fraction) & -1 << rng.randrange(f.fraction + 1) & (1 << f.fraction) - 1
    return (rng.getrandbits(1) << (f.width - 1) | exponent << f.fraction | fraction) + rng.randrange(-1, 2) & (1 << f.width) - 1


def control(rng: random.Random, rounding: int | None) -> tuple[int, int]:
    """Return a control word as the instruction sees it, and with the rounding mode of the instruction in its place."""
    ctl = rng.choice((0, rng.getrandbits(2), rng.getrandbits(2) | rng.getrandbits(2) << 3))
    return ctl, ctl if rounding is None else ctl & ~7 | rounding


def check(mine: Result, definition: Callable[[Operation], int], ctl: int, note: str) -> None:
    op = Operation(softnumber.RULES["arm"], ctl)
    value = definition(op) & (1 << mine[0].width) - 1
    assert (int(mine[0]), int(mine[1])) == (value, op.flags), f"{note} control {ctl:#x}"


@pytest.mark.parametrize("rounding", [None, 0, 1, 2, 3, AWAY])
@pytest.mark.parametrize("fmt", ["f32", "f64"])
def test_rounding_to_integral_numbers(fmt: str, rounding: int | None) -> None:
    rng = random.Random(f"{fmt}{rounding}")
    for _ in range(CASES):
        x, (ctl, wanted), exact = number(rng, fmt), control(rng, rounding), rng.random() < 0.5
        new_graph()
        mode = const(wanted & 7, 3)
        mine = round_to_integral(fmt, const(x, FORMATS[fmt].width), mode, const(ctl, 8), exact=exact)
        check(mine, lambda op, x=x, exact=exact: softfloat.round_int(op, FORMATS[fmt], x, exact=exact), wanted, f"{x:#x}")


@pytest.mark.parametrize("rounding", [0, 1, 2, AWAY])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("fmt", ["f32", "f64"])
def test_conversion_to_integers_in_any_direction(fmt: str, rounding: int, *, signed: bool) -> None:
    rng = random.Random(f"{fmt}{rounding}{signed}")
    for _ in range(CASES):
        x, (ctl, wanted) = number(rng, fmt), control(rng, rounding)
        new_graph()
        mode = const(rounding, 3)
        mine = to_integer(const(x, FORMATS[fmt].width), fmt, 32, 0, mode, const(ctl, 8), signed=signed)
        check(mine, lambda op, x=x: softfloat.to_integer(op, FORMATS[fmt], x, width=32, rounding="", fbits=0, signed=signed),
              wanted, f"{x:#x}")


@pytest.mark.parametrize("smallest", [False, True])
@pytest.mark.parametrize("fmt", ["f32", "f64"])
def test_larger_and_smaller_number(fmt: str, *, smallest: bool) -> None:
    rng = random.Random(f"{fmt}{smallest}")
    for _ in range(CASES):
        x, y, (ctl, _) = number(rng, fmt), number(rng, fmt), control(rng, None)
        new_graph()
        width = FORMATS[fmt].width
        mine = max_num(fmt, const(x, width), const(y, width), const(ctl, 8), smallest=smallest)
        check(mine, lambda op, x=x, y=y: softfloat.minmax(op, FORMATS[fmt], x, y, largest=not smallest, numbers=True),
              ctl, f"{x:#x} {y:#x}")


@pytest.mark.parametrize("pair", [("f16", "f64"), ("f64", "f16")])
def test_halves_and_doubles(pair: tuple[str, str]) -> None:
    rng = random.Random(str(pair))
    for _ in range(2 * CASES):
        x, ctl = number(rng, pair[0]), rng.getrandbits(2) | rng.getrandbits(3) << 3
        new_graph()
        mine = half_conversion(pair, const(x, FORMATS[pair[0]].width), const(ctl, 8))
        check(mine, lambda op, x=x: softfloat.convert(op, FORMATS[pair[0]], FORMATS[pair[1]], x), ctl, f"{x:#x}")
