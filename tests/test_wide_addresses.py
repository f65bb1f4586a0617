"""Guests with 64-bit addresses: what lies at and above the end of the window faults there, in every tier."""

from __future__ import annotations

import gc
import struct
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import wide
from tests.support.wide import word
from xemu.core.compiler import compile_region
from xemu.core.engine import Engine, Exit, ExitKind, Options
from xemu.core.memory import EXEC, READ, WRITE, AddressSpace, GuestFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CODE, DATA = 0x1_0000, 0x2_0000
TIERS = ("evaluator", "interpreter", "region")
MASK = (1 << 64) - 1
FAR = (1 << 45, 1 << 48, CODE | 1 << 48, DATA | 1 << 46, 1 << 47, 0xFFFF_8000_0000_0000, MASK - 7, MASK - 3, MASK)


@pytest.fixture(scope="module", autouse=True)
def _room() -> None:
    """Give the address space of earlier guests back: the host has room for one or two of this size."""
    gc.collect()


@pytest.fixture(params=[46, 38])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Engine]]:
    """Give a function that makes an engine with code, data, and memory at both ends of the window."""
    wide.install(monkeypatch)
    space = AddressSpace(request.param)

    def make(*words: int, at: int = CODE, **registers: int) -> Engine:
        space.map(0, 4096, READ | WRITE | EXEC)
        space.map(space.limit - 4096, 4096, READ | WRITE | EXEC)
        space.map(CODE, 8192, READ | WRITE | EXEC)
        space.map(DATA, 4096, READ | WRITE)
        engine = Engine(wide.TARGET, space, Options(jit=False, cache=False))
        for page in (0, DATA, space.limit - 4096):
            space.write(page, bytes(range(1, 129)) * 16)
            space.write(page + 2048, bytes(range(128, 0, -1)) * 16)
        space.write(at, struct.pack(f"<{len(words)}I", *words))
        for name, value in registers.items():
            engine.state.write(name, value)
        engine.state.pc = at
        return engine

    yield make
    space.close()


def run(engine: Engine, tier: str, budget: int = 20) -> Exit:
    """Run in one tier; for regions, one is made from where the guest stands."""
    if tier == "evaluator":
        for _ in range(budget):
            try:
                out = engine.evaluate_one()
            except GuestFault as error:                                   # there is no instruction: as the engine's loop says it
                return engine._fault(error.address, error.access)
            if out is not None:
                return out
        return Exit(ExitKind.BUDGET, engine.pc)
    if tier == "region":
        publish(engine)
    return engine.run(budget)


def publish(engine: Engine, targets: list[int] | None = None) -> None:
    """Make a region of the code where the guest stands."""
    context, head = engine.state.context, engine.pc
    page = head & ~4095
    done = compile_region(engine.target, context, {page: bytes(engine.space.mem[page:page + 4096])}, head, targets=targets)
    assert done is not None
    engine.library._publish(context, done.blob, done.entries, done.granules, done.inside)
    assert engine.stats["regions"] >= 1


def fault(out: Exit) -> tuple[int, int, str]:
    assert out.kind is ExitKind.FAULT, out
    assert out.fault is not None
    return out.fault


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name", ["load8", "store8", "load1", "store1", "aligned", "pair"])
def test_accesses_inside_the_window_succeed(machine: Any, tier: str, name: str) -> None:
    size = {"load1": 1, "store1": 1, "pair": 16}.get(name, 8)
    engine = machine(word("add", 3, 3, 1), word(name, 2, 1), word("b"), r2=0x1122_3344_5566_7788)
    end = engine.space.limit
    for at in (0, DATA + 8, DATA + 4096 - size, end - 4096, end - size, *((DATA + 3, end - size - 1) if name[-1] in "18" else ())):
        engine.state.pc = CODE
        engine.state.write("r1", at)
        before = engine.space.read(at, size)
        value = engine.state.read("r2")
        assert run(engine, tier, 4).kind is ExitKind.BUDGET
        if name.startswith("store"):
            assert engine.space.read(at, size) == value.to_bytes(8, "little")[:size]
        else:
            parts = [int.from_bytes(before[i:i + 8], "little", signed=size == 1) for i in range(0, size, 8)]
            assert engine.state.read("r2") == (parts[0] ^ parts[-1] if size == 16 else parts[0]) & MASK


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name", ["load8", "store8", "load1", "store1", "aligned", "pair", "last"])
def test_accesses_outside_the_window_fault_at_the_first_byte_outside(machine: Any, tier: str, name: str) -> None:
    size = {"load1": 1, "store1": 1, "pair": 16}.get(name, 8)
    engine = machine(word("add", 3, 3, 1), word(name, 2, 1), word("b"), r2=0x5555, r0=size)
    end, access = engine.space.limit, WRITE if "store" in name else READ
    cases = [(at, at) for at in (end, end + 8, end + DATA, *FAR)] + ([(end - 4, end), (DATA + 4096 - 4, DATA + 4096)] if size > 1 else [])
    memory = [engine.space.read(page, 4096) for page in (0, DATA, end - 4096)]
    for count, (at, outside) in enumerate(cases, 1):
        odd = at & {"aligned": 7, "pair": 3}.get(name, 0)
        bad, kind = (at, "ALIGN") if odd else (outside, "MAPERR")
        engine.state.pc = CODE
        engine.state.write("r1", at)
        assert fault(run(engine, tier)) == (bad, access, kind), f"{at:#x}"
        assert (engine.pc, engine.insns, engine.state.read("r2"), engine.state.read("r3")) == (CODE + 4, count, 0x5555, count)
    assert memory == [engine.space.read(page, 4096) for page in (0, DATA, end - 4096)]


@pytest.mark.parametrize("tier", TIERS)
def test_a_loop_runs_up_to_the_end_of_the_window(machine: Any, tier: str) -> None:
    engine = machine(word("load8", 2, 1), word("add", 1, 1, 8), word("bnz", 0, 1, -2), r1=0)
    end = engine.space.limit
    engine.state.write("r1", end - 4096)
    assert fault(run(engine, tier, 10_000)) == (end, READ, "MAPERR")
    assert (engine.insns, engine.pc, engine.state.read("r1")) == (512 * 3, CODE, end)


@pytest.mark.parametrize("tier", TIERS)
def test_jumps_out_of_the_window_fault_at_their_target(machine: Any, tier: str) -> None:
    engine = machine(word("add", 3, 3, 1), word("jump", 0, 1), word("b"))
    for count, target in enumerate((engine.space.limit, engine.space.limit + CODE, CODE | 1 << 48, *FAR), 1):
        engine.state.pc = CODE
        engine.state.write("r1", target)
        assert fault(run(engine, tier)) == (target, EXEC, "MAPERR")
        assert (engine.pc, engine.state.pc, engine.insns, engine.state.read("r3")) == (target, target, 2 * count, count)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("context", [0, 1, 0x8003])
def test_an_address_is_not_taken_for_a_context(machine: Any, tier: str, context: int) -> None:
    # the place is known in every context: `switch` goes there
    engine = machine(word("switch", 0, 4, 1), word("switch", 0, 4, 0x8003), word("jump", 0, 4), word("jump", 0, 1),
                     word("add", 5, 5, 1), word("b"))
    place = CODE + 16
    engine.state.write("r4", place)
    for start in (0, 4, 8):
        engine.state.context = 0
        engine.state.pc = CODE + start
        assert engine.run(4).kind is ExitKind.BUDGET
    assert engine.state.read("r5") == 3
    engine.state.context = context
    for bits in (1, 2, 3, 0x8000, 0x8003, 0xFFFF):
        engine.state.pc = CODE + 12
        engine.state.write("r1", place | bits << 48)
        if tier == "region":
            publish(engine, [place, CODE + 20])
        assert fault(run(engine, "interpreter" if tier == "region" else tier)) == (place | bits << 48, EXEC, "MAPERR")
        assert (engine.state.read("r5"), engine.state.context) == (3, context)


@pytest.mark.parametrize("tier", TIERS)
def test_known_places_are_jumped_to_inside_a_region(machine: Any, tier: str) -> None:
    engine = machine(word("add", 3, 3, 1), word("jump", 0, 1), word("add", 5, 5, 1), word("jump", 0, 6), r1=CODE + 8, r6=CODE)
    if tier == "region":
        publish(engine, [CODE, CODE + 8])
    assert run(engine, "interpreter" if tier == "region" else tier, 400).kind is ExitKind.BUDGET
    assert (engine.state.read("r3"), engine.state.read("r5"), engine.pc) == (100, 100, CODE)


@pytest.mark.parametrize("tier", TIERS)
def test_execution_leaves_the_window_at_its_end(machine: Any, tier: str) -> None:
    for words, last in (((word("add", 3, 3, 1), word("add", 3, 3, 1)), 0), ((word("add", 3, 3, 1), word("b", imm=5)), 16)):
        engine = machine()
        end = engine.space.limit
        engine.space.write(end - 8, struct.pack("<2I", *words))
        engine.state.pc = end - 8
        assert fault(run(engine, tier)) == (end + last, EXEC, "MAPERR")
        assert (engine.pc, engine.insns) == (end + last, 2)


@pytest.mark.parametrize("tier", TIERS)
def test_a_branch_to_before_the_first_address_is_one_to_the_last(machine: Any, tier: str) -> None:
    engine = machine(word("add", 3, 3, 1), word("bnz", 0, 3, -2), at=0)
    assert fault(run(engine, tier)) == (MASK - 3, EXEC, "MAPERR")
    assert (engine.pc, engine.insns) == (MASK - 3, 2)


def test_conditions_of_points_stop_where_their_memory_is_out_of_reach(machine: Any) -> None:
    engine = machine(word("add", 3, 3, 1), word("b", imm=-1))
    engine.space.write(DATA, bytes(8))
    at = wide.LAYOUT.cells["R"].at(1)
    engine.set_point(CODE, ("load", 8, 0, ("state", at, 64)))
    for address in (DATA, DATA + 2048, DATA + 4092, engine.space.limit - 4, *FAR):
        engine.state.write("r1", address)
        engine.state.pc = CODE
        assert (engine.run(10).kind is ExitKind.POINT) == (address != DATA), f"{address:#x}"


def test_watches_may_reach_out_of_the_window(machine: Any) -> None:
    engine = machine(word("store8", 2, 1), word("b"))
    end = engine.space.limit
    engine.watch([(end - 8, 64, WRITE), (1 << 60, 1 << 20, READ | WRITE), (MASK - 7, 8, READ)])
    for address, kind in ((DATA, ExitKind.BUDGET), (end - 16, ExitKind.BUDGET), (end - 12, ExitKind.WATCH), (end - 8, ExitKind.WATCH)):
        engine.state.write("r1", address)
        engine.state.pc = CODE
        assert engine.run(4).kind is kind
        engine.state.pc = CODE
        out = engine.evaluate_one()
        assert (out.kind if out else ExitKind.BUDGET) is kind


def test_a_saved_state_keeps_any_address(machine: Any) -> None:
    engine = machine(word("b"))
    for pc in (engine.space.limit, MASK - 3):
        engine.state.write("pc", pc)
        saved = engine.state.save()
        engine.state.write("pc", CODE)
        engine.state.restore(saved)
        assert engine.state.read("pc") == pc
        assert fault(engine.run(1)) == (pc, EXEC, "MAPERR")


def test_hot_loops_run_up_to_the_end_of_the_window(machine: Any) -> None:
    engine = machine(word("load8", 2, 1), word("store8", 2, 1), word("add", 1, 1, 8), word("jump", 0, 6), r6=CODE)
    eager = Engine(wide.TARGET, engine.space, Options(eager=True, cache=False))
    end = eager.space.limit
    eager.state.write("r1", end - 4096)
    eager.state.write("r6", CODE)
    eager.state.pc = CODE
    while (out := eager.run(60)).kind is ExitKind.BUDGET:
        assert eager.insns <= 512 * 4
    assert fault(out) == (end, READ, "MAPERR")
    assert (eager.insns, eager.pc, eager.state.read("r1")) == (512 * 4, CODE, end)
    assert eager.stats["regions"] >= 1
