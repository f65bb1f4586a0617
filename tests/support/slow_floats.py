"""Slow floating-point functions against their definition: which there are, operands that find mistakes, the comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from xemu.core import softfloat, softnumber
from xemu.core.bits import Bits, const, new_graph
from xemu.core.evaluate import EVALUATE
from xemu.core.fp import SLOW_OPERATIONS, operands_of, source_width
from xemu.core.softfloat import evaluate_flags, evaluate_value
from xemu.core.softnumber import FORMATS, Operation

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

SINGLE_LEAST = 0x381 << 52                   # as a double
#: hosts that detect tininess before or after rounding, and have either sign of their NaN
HOSTS = pytest.mark.parametrize("tiny_after", [True, False])


def known(slow: Callable[..., Any]) -> list[tuple[str, Any]]:
    """Return the operations of which a target has slow functions."""
    found = []
    for name, fmt in SLOW_OPERATIONS:
        new_graph()
        try:
            slow(name, fmt, [const(0, source_width(fmt))] * operands_of(name, fmt), const(0, 8))
        except KeyError:
            continue
        found.append((name, fmt))
    return found


def number(rng: Random, fmt: str) -> int:
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


def operands(rng: Random, name: str, fmt: Any) -> list[int]:
    """Return operands; often the result lies at the edge of the normal numbers, or of a narrower format's."""
    source = fmt if isinstance(fmt, str) else fmt[0]
    if isinstance(source, int):
        top = 1 << (source - 1)
        return [rng.choice((rng.getrandbits(source), rng.getrandbits(20), 2 * top - 1 - rng.getrandbits(4), top))]
    f = FORMATS[source]
    values = [number(rng, source) for _ in range(operands_of(name, fmt))]
    op, edge = Operation(softnumber.RULES["host"], 0), (1 << f.fraction) - rng.randrange(-3, 4)
    if name.endswith("_f32"):
        edge = SINGLE_LEAST + rng.choice((0, 1 << 28, 1 << 29, -1 << 28, -23 << 52)) + rng.randrange(-2, 3)
        if rng.random() < 0.5:
            values = [v & -1 << 29 for v in values]
        if name.startswith("round") and rng.random() < 0.5:
            values[0] = edge
    if name.startswith("mul") and rng.random() < 0.4:
        values[1] = softfloat.div(op, f, edge, values[0])
    elif name.startswith("div") and rng.random() < 0.4:
        values[0] = softfloat.mul(op, f, edge, values[1])
    elif name.startswith(("fm", "fnm")) and rng.random() < 0.5:
        values[2] = (softfloat.mul(op, f, *values[:2]) ^ f.sign) + rng.randrange(-2, 3) & ((1 << f.width) - 1)
    elif name in ("add", "sub") and rng.random() < 0.3:
        values[1] = values[0] + rng.randrange(-3, 4) & ((1 << f.width) - 1)
    elif fmt == ("f64", "f32") and rng.random() < 0.5:
        values[0] = SINGLE_LEAST + rng.choice((-1 << 28, -1 << 29, 0, -1 << 30)) + rng.randrange(-2, 3)
    elif fmt in (("f32", "f16"), ("f64", "f16")) and rng.random() < 0.5:
        values[0] = (f.bias - 14 << f.fraction) + (rng.choice((-1, -2, 0, -4)) << f.fraction - 11) + rng.randrange(-2, 3)
    return values


def evaluated(node: Bits, memo: dict[int, int]) -> int:
    """Return the value of a node of constants."""
    if node.op == "const":
        return int(node.attr)
    if node.id not in memo:
        arguments = [evaluated(a, memo) for a in node.args]
        memo[node.id] = EVALUATE[node.op](node.width, node.attr, [a.width for a in node.args], *arguments)
    return memo[node.id]


class Checker:
    """A target's slow functions, on one kind of host."""

    def __init__(self, rules: str, slow: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, *, tiny_after: bool) -> None:
        """Take the name of the target's rules and its functions."""
        self.rules, self.slow = rules, slow
        monkeypatch.setattr(softnumber.RULES["host"], "tiny_after_rounding", tiny_after)
        monkeypatch.setattr(softnumber.RULES["host"], "default_nan_sign", int(tiny_after))

    def check(self, name: str, fmt: Any, values: list[int], ctl: int) -> None:
        """Compare value and exceptions of an operation with what it is defined to give."""
        new_graph()
        width = source_width(fmt)
        value, flags = self.slow(name, fmt, [const(v, width) for v in values], const(ctl, 8))
        attr, widths = (name, fmt, 1, self.rules), [*[width] * len(values), 8]
        mine = evaluated(value, {}), evaluated(flags, {})
        theirs = evaluate_value(value.width, attr, widths, *values, ctl), evaluate_flags(flags.width, attr, widths, *values, ctl)
        assert [hex(x) for x in mine] == [hex(x) for x in theirs], ([hex(v) for v in values], hex(ctl))
