"""Conditions of points mean the same in native code as in Python."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from xemu.debug import open_machine
from xemu.debug.expressions import OPERATIONS, Binary, Const, EvaluationError, Expression, Extend, Load, Register, Select, Unary
from xemu.debug.stops import StopKind

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger

IMAGE = Path(__file__).parent.parent / "samples" / "firmware" / "elf" / "mps2-an385" / "kernel.elf"
RAM = 0x2000_0000
INTERESTING = (0, 1, 2, 31, 63, 64, 0x7F, 0x80, 0xFFFF_FFFF, 1 << 31, 1 << 63, (1 << 64) - 1)


@pytest.fixture(scope="module")
def debugger() -> Debugger:
    return open_machine(IMAGE, "mps2-an385")


def random_tree(rng: random.Random, depth: int) -> Expression:
    kind = rng.randrange(3 if depth == 0 else 9)
    if kind == 0:
        return Const(rng.choice((rng.choice(INTERESTING), rng.getrandbits(64))))
    if kind in (1, 2):
        return Register(f"r{rng.randrange(13)}")
    below = lambda: random_tree(rng, depth - 1)  # noqa: E731  short for what follows
    if kind == 3:
        return Extend(below(), rng.randrange(1, 65), rng.random() < 0.5)
    if kind == 4:
        return Unary(rng.choice(("not", "invert")), below())
    if kind == 5:
        return Select(below(), below(), below())
    if kind == 6:
        place = Binary("add", Const(RAM), Extend(below(), 12, False))
        return Load(rng.choice((1, 2, 4, 8)), place, rng.random() < 0.5)
    return Binary(rng.choice(list(OPERATIONS)), below(), below())


def test_random_conditions(debugger: Debugger) -> None:
    seed = time.time_ns() % 1_000_000
    rng = random.Random(seed)
    d = debugger
    d.break_at("main", once=True)
    d.cont()
    d.step(2)
    second = d.pc
    d.step(back=True)
    first = d.position
    for _ in range(60):
        tree = random_tree(rng, 4)
        d.seek(first)
        for i in range(13):
            d.write_register(f"r{i}", rng.choice((rng.choice(INTERESTING) & 0xFFFF_FFFF, rng.getrandbits(32))))
        d.write_memory(RAM, rng.randbytes(4096 + 8))
        first = d.position
        point = d.break_at(second, condition=tree)
        assert d._applied[second] is not None
        stop = d.run_to(insns=first.insns + 3)
        stopped = stop.kind is StopKind.BREAKPOINT
        if stopped:
            assert d.pc == second
        else:
            d.seek(first.insns + 1)
        try:
            wanted = tree.evaluate(d.read_register, d.read_memory) != 0
        except EvaluationError:
            wanted = True                                             # cannot be evaluated: it stops
        assert stopped == wanted, f"seed {seed}: {tree}"
        d.delete(point)


def test_what_only_python_knows_is_left_to_it(debugger: Debugger) -> None:
    d = debugger
    d.seek("start")
    d.step(5)
    at = d.pc
    d.step(back=True)
    for value, kind in ((d.read_register("msp"), StopKind.BREAKPOINT), (1, StopKind.REACHED)):
        point = d.break_at(at, condition=Binary("equal", Register("msp"), Const(value or 0)))
        assert d._applied[at] is None
        assert d.run_to(insns=d.position.insns + 1 + (kind is StopKind.BREAKPOINT)).kind is kind
        d.delete(point)
        d.step(back=True)


@pytest.mark.parametrize("tree", [Load(4, Const(0xFFFF_FFFE)), Load(8, Const(0x4000_0000)), Binary("div_unsigned", Const(1), Const(0))])
def test_what_has_no_value_stops(debugger: Debugger, tree: Any) -> None:
    d = debugger
    d.seek("start")
    d.step(5)
    at = d.pc
    d.step(back=True)
    said: list[str] = []
    d.log = said.append
    point = d.break_at(at, condition=tree)
    stop = d.run_to(insns=d.position.insns + 2)
    d.delete(point)
    assert stop.kind is StopKind.BREAKPOINT or tree == Load(8, Const(0x4000_0000))        # a device reads as something
    assert bool(said) == (tree != Load(8, Const(0x4000_0000)))
