"""The engine: exact budgets, code that changes, wild jumps, and what a warm start imports."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from xemu.core import decoder
from xemu.core.compiler import compile_region
from xemu.core.engine import Engine, ExitKind, Options
from xemu.core.library import CONTEXTS
from xemu.core.memory import EXEC, READ, WRITE, AddressSpace
from xemu.core.region import MOST_LINES, Code, RegionEmitter
from xemu.targets.registry import get_target

if TYPE_CHECKING:
    from collections.abc import Iterator

CODE, DATA = 0x1_0000, 0x2_0000
TIERS = {"interpreter": Options(jit=False), "default": Options(), "eager": Options(eager=True)}
# mov r0,#0; loop: ldr r3,[r1]; add r3,r0; str r3,[r1],#4; cmp r1,r2; subeq r1,r2,#256; add r0,#1; bl f; b loop; f: eor r5,r0; bx lr
PROGRAM = (0xE3A00000, 0xE5913000, 0xE0833000, 0xE4813004, 0xE1510002, 0x02421C01, 0xE2800001, 0xEB000000,
           0xEAFFFFF7, 0xE0255000, 0xE12FFF1E)


def machine(options: Options, words: tuple[int, ...] = PROGRAM) -> Engine:
    space = AddressSpace(32)
    engine = Engine(get_target("arm"), space, options)
    space.map(CODE, 4096, READ | WRITE | EXEC)
    space.map(DATA, 4096, READ | WRITE)
    space.write(CODE, struct.pack(f"<{len(words)}I", *words))
    engine.state.write("r1", DATA)
    engine.state.write("r2", DATA + 256)
    engine.state.pc = CODE
    return engine


def view(engine: Engine) -> tuple[object, ...]:
    names = ["pc", "cpsr", "sp", "lr", *(f"r{i}" for i in range(13))]
    return (engine.insns, *(engine.state.read(n) for n in names), bytes(engine.space.read(DATA, 256)))


@pytest.fixture(scope="module")
def evaluated() -> dict[int, tuple[object, ...]]:
    """What the evaluator says after each of 3,000 instructions."""
    engine, out = machine(Options(jit=False)), {}
    for _ in range(3000):
        assert engine.evaluate_one() is None
        out[engine.insns] = view(engine)
    return out


@pytest.mark.parametrize("tier", TIERS)
def test_a_budget_is_exact_in_every_tier(tier: str, evaluated: dict[int, tuple[object, ...]]) -> None:
    engine, chance = machine(TIERS[tier]), random.Random(7)
    while engine.insns < 2900:
        before, budget = engine.insns, chance.choice((1, 2, 3, 7, 50, 90))
        assert engine.run(budget).kind is ExitKind.BUDGET
        assert engine.insns == before + budget
        assert view(engine) == evaluated[engine.insns]


@pytest.mark.parametrize("tier", TIERS)
def test_a_store_to_code_acts_on_the_next_instruction(tier: str) -> None:
    # str r4,[pc] (the instruction after the next); nop; mov r5,#1 -> overwritten by mov r5,#2; b .
    words = (0xE58F4000, 0xE1A00000, 0xE3A05001, 0xEAFFFFFE)
    engine = machine(TIERS[tier], words)
    engine.state.write("r4", 0xE3A05002)
    for _ in range(3):
        engine.state.pc = CODE
        assert engine.run(20).kind is ExitKind.BUDGET
        assert engine.state.read("r5") == 2
        engine.space.write(CODE + 8, struct.pack("<I", 0xE3A05001))      # by the system: seen as well
        engine.space.code_changed(CODE + 8, 4)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("target", [0, 4, DATA, 0xFFFFFFFC, 0x7FFFFFF0])
def test_a_jump_to_what_is_not_code_is_a_fault_there(tier: str, target: int) -> None:
    engine = machine(TIERS[tier], (0xE12FFF16,))                          # bx r6
    engine.state.write("r6", target)
    left = engine.run(10)
    assert left.kind is ExitKind.FAULT
    assert left.fault is not None
    assert (left.address, left.fault.address, left.fault.access) == (target, target, EXEC)
    assert engine.insns == 1


@pytest.mark.parametrize("tier", TIERS)
def test_a_fault_changes_no_register_and_no_count(tier: str) -> None:
    engine = machine(TIERS[tier], (0xE4913004, 0xEAFFFFFD))               # loop: ldr r3,[r1],#4
    engine.state.write("r1", DATA + 4096 - 400)
    left = engine.run(1000)
    assert left.kind is ExitKind.FAULT
    assert left.fault is not None
    assert (left.fault.address, left.fault.kind) == (DATA + 4096, "MAPERR")
    assert (engine.insns, engine.state.read("r1"), left.address) == (200, DATA + 4096, CODE)


def test_what_has_no_row_is_undefined() -> None:
    left = machine(Options(jit=False), (0xE7F000F0,)).run(5)
    assert (left.kind, left.address) == (ExitKind.UNDEFINED, CODE)


def with_region(engine: Engine, context: int, head: int, targets: list[int]) -> Engine:
    """Compile the region at `head` and install it."""
    region = compile_region(engine.target, context, {CODE: bytes(engine.space.read(CODE, 4096))}, head, targets=targets)
    assert region is not None
    assert head in region.entries
    engine.library._publish(context, region.blob, region.entries, region.granules, region.inside)
    return engine


#: loop: subs r0,#1; cmp r6,#0; bne away; cmp r0,#0; bne loop; str r4,[r7]; mov r6,#1; mov r0,#2; b loop; 128 bytes on: away
PATCHED = (0xE2500001, 0xE3560000, 0x1A00001C, 0xE3500000, 0x1AFFFFFA, 0xE5874000, 0xE3A06001, 0xE3A00002, 0xEAFFFFF6,
           *[0] * 23, 0xE3A05001, 0xEAFFFFFE)                              # away: mov r5,#1; b .


def patched() -> Engine:
    """Give a loop that in the end overwrites the first instruction of `away`, which has never run, and goes there."""
    engine = machine(Options(jit=False), PATCHED)
    for name, value in {"r0": 100, "r4": 0xE3A05002, "r6": 0, "r7": CODE + 128}.items():
        engine.state.write(name, value)
    return engine


def test_a_store_to_code_of_a_region_that_has_never_run_is_seen() -> None:
    engine = patched()
    with_region(engine, engine.state.context, CODE, [])
    assert engine.run(1000).kind is ExitKind.BUDGET
    assert engine.state.read("r5") == 2


def test_a_region_is_taken_though_data_beside_its_code_has_changed() -> None:
    engine = patched()
    code = {CODE: bytes(engine.space.read(CODE, 4096))}
    done = compile_region(engine.target, engine.state.context, code, CODE, targets=[])
    assert done is not None
    answer = (done.blob, done.entries, done.pages, done.inside, done.variants, done.granules)
    engine.page(CODE, engine.state.context)
    for at, regions in ((CODE + 128, 0), (CODE + 2048, 1)):                # the region's code, and what is data to it
        before = engine.space.read(at, 4)
        engine.space.write(at, b"data")
        engine.library._region_done(engine.state.context, CODE, code, {CODE: engine.page(CODE, engine.state.context).generation}, answer)
        assert len(engine.library.regions) == regions
        engine.space.write(at, before)


def test_a_region_does_not_run_inside_an_it_block() -> None:
    engine = machine(Options(jit=False), (0xBF082800, 0xE7FE2201))        # cmp r0,#0; it eq; moveq r2,#1; b .
    engine.state.context = 1
    engine.state.write("r0", 5)
    engine.state.write("r2", 7)
    with_region(engine, 1, CODE + 4, []).run(4)
    assert engine.state.read("r2") == 7


def interpreter_of(operations: int) -> tuple[int, ...]:
    """A32 code of a threaded interpreter: each operation ends in an indirect jump to the next."""
    # add r0,#i; eor r0,r0,r0,ror #3; and r2,r0,#operations-1; ldr pc,[r6,r2,lsl #2]
    return tuple(word for i in range(operations) for word in (0xE2800000 | i, 0xE02001E0, 0xE2002000 | operations - 1, 0xE796F102))


@pytest.mark.parametrize("operations", [8, 16, 32], ids=["a jump of its own each", "at the limit", "one dispatch for all"])
def test_indirect_jumps_of_a_threaded_interpreter_stay_exact(operations: int) -> None:
    targets = [CODE + 16 * i for i in range(operations)]
    engines = [machine(Options(jit=False), interpreter_of(operations)) for _ in range(2)]
    for engine in engines:
        engine.space.write(DATA, struct.pack(f"<{operations}I", *targets))
        engine.state.write("r6", DATA)
        engine.state.write("r0", 0x12345)
    with_region(engines[1], 0, CODE, targets)
    for budget in (1, 2, 3, 50, 7, 1001, 20_000):
        for engine in engines:
            assert engine.run(budget).kind is ExitKind.BUDGET
        assert view(engines[0]) == view(engines[1])


def test_a_linkage_table_is_no_large_region() -> None:
    table = (0xE28FC600, 0xE28CCA01, 0xE5BCF008) * 300                    # add ip,pc,#0; add ip,#4096; ldr pc,[ip,#8]!
    engine = machine(Options(jit=False), table)
    code = Code({CODE: bytes(engine.space.read(CODE, 4096))})
    text = RegionEmitter(engine.target, 0, code, decoder.tries(engine.target), targets=[CODE + 12 * i for i in range(300)]).build(CODE)
    assert text is not None
    assert text.text.count("\n") < MOST_LINES / 2


HEAVY = ("llvmlite", "capstone", "lief", "elftools", "textual", "dataclasses", "inspect", "argparse", "subprocess", "hashlib",
         "xemu.core.bits", "xemu.core.isa", "xemu.core.region", "xemu.core.llvm", "xemu.targets.arm.rows", "xemu.targets.arm.isa")


def modules_of_a_run(program: Path, cache: Path) -> Iterator[str]:
    command = [sys.executable, "-X", "importtime", "-c", "from xemu.cli.main import entry; entry()", "run", program]
    done = subprocess.run(command, env={"XDG_CACHE_HOME": str(cache), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
                          check=True, timeout=300)
    for line in done.stderr.splitlines():
        if line.startswith("import time:"):
            yield line.rsplit("|", 1)[1].strip()


def test_a_warm_run_imports_no_compiler_and_no_rows(tmp_path: Path) -> None:
    program = Path(__file__).parents[1] / "samples/arm/hello"
    for _ in range(4):                                   # until everything it needs is in the cache
        modules = set(modules_of_a_run(program, tmp_path))
        if "xemu.targets.arm.rows" not in modules:
            break
    assert "xemu.core.engine" in modules
    assert not modules & set(HEAVY)


def test_a_saved_state_with_any_context_is_taken() -> None:
    engine = machine(Options(cache=False))
    for context in (0x3F00, 0xFFFF, (1 << 64) - 1):
        saved = engine.state.save()
        engine.state.restore(saved[:8] + context.to_bytes(8, "little") + saved[16:])
        engine.run(1)
    assert engine.state.context < CONTEXTS
