"""Floating-point rows of ARM (VFP and Advanced SIMD) in the evaluator: against QEMU, and against the manual's formulas."""

from __future__ import annotations

import random
from dataclasses import replace
from math import sqrt
from typing import TYPE_CHECKING, Final

import pytest

from tests.oracle.compare import report
from tests.oracle.machine import State, run_cases
from tests.oracle.rows import row_cases
from tests.support.evaluator import Machine, Memory, run_case
from tests.support.programs import QEMU
from tests.test_softfloat import random_number
from xemu.core.bits import Lanes, const, new_graph
from xemu.targets.arm import target as arm
from xemu.targets.arm.isa import a32, t32

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from xemu.core.isa import FixedWidthIsa, Variant

MINE: Final = ("vfp.py", "vfp_transfer.py", "neon_fp.py")
PC: Final = 15


def edge_state(rng: random.Random, state: State) -> State:
    """Return the state with registers full of numbers near the limits of their format."""
    double = rng.random() < 0.4
    d = [random_number(rng, "f64") if double else random_number(rng, "f32") | random_number(rng, "f32") << 32 for _ in range(32)]
    return replace(state, d=tuple(d))


def is_mine(variant: Variant, word: int) -> bool:
    """Take floating-point rows; leave out what the manual calls UNPREDICTABLE or what writes to code: PC as a base."""
    if not variant.row.source.startswith(MINE):
        return False
    place = variant.row.places.get("Rn")
    return place is None or word >> place.shift & 15 != PC


@pytest.mark.parametrize("isa", [a32, t32], ids=lambda isa: isa.name)
def test_rows_equal_qemu(isa: FixedWidthIsa, need: Callable[..., str], tmp_path: Path) -> None:
    need("qemu-arm", "arm-linux-gnueabihf-gcc")
    arm.load_rows()
    rng = random.Random(7)
    cases = list(row_cases([isa], rng, 6, accept=is_mine))
    cases = [replace(c, before=edge_state(rng, c.before)) if rng.random() < 0.5 else c for c in cases]
    expected = run_cases(cases, QEMU, tmp_path)
    got = [replace(outcome, pc=0) for outcome in map(run_case, cases)]
    done = [i for i, outcome in enumerate(expected) if outcome.kind == "done" and got[i].kind == "done"]
    assert len(done) > 0.7 * len(cases)
    assert not report([cases[i] for i in done], [expected[i] for i in done], [got[i] for i in done])
    assert [o.kind == "undefined" for o in expected] == [o.kind == "undefined" for o in got]


# -- FPSCR --------------------------------------------------------------------------------------------------------------


def machine(words: list[int], fpscr: int = 0, **r: int) -> Machine:
    """Return a machine about to execute A32 words at 0x1000."""
    code = b"".join(w.to_bytes(4, "little") for w in words)
    out = Machine(Memory({0x1000: bytearray(code)}), pc=0x1000)
    out.load_state(State(tuple(r.get(f"r{i}", 0) for i in range(15)), 0, fpscr), thumb=False)
    return out


def test_vmsr_changes_the_context_and_vmrs_reads_back() -> None:
    m = machine([0xEEE10A10, 0xEEF11A10], r0=0xFFFFFFFF)              # vmsr fpscr, r0; vmrs r1, fpscr
    assert m.step() == ""
    assert m.state.context == 4
    assert m.pc == 0x1004
    assert m.step() == ""
    assert m.get("R", 1) == 0xFFF7009F
    m = machine([0xEEE10A10], fpscr=0x00C00000, r0=0x30000010)
    assert m.state.context == 4
    m.step()
    assert m.state.context == 0


def test_rounding_mode_counts_in_the_next_instruction() -> None:
    for mode, expected in enumerate((0x3F800000, 0x3F800001, 0x3F800000, 0x3F800000)):
        m = machine([0xEEE10A10, 0xEE300A20], r0=mode << 22)           # vmsr fpscr, r0; vadd.f32 s0, s0, s1
        m.set("S", 0, 0x3F800000)
        m.set("S", 1, 0x30000000)
        m.step()
        m.step()
        assert m.get("S", 0) == expected
        assert m.get("FPFLAGS") == 0x10


def test_short_vectors_are_undefined() -> None:
    for word in (0xEE300A20, 0xEEB00A40, 0xEEB00A00):                  # vadd.f32, vmov.f32 s0, s0, vmov.f32 s0, #2.0
        assert machine([word], fpscr=0x00010000).step() == "undefined"
    assert machine([0xEEB40A40], fpscr=0x00010000).step() == ""        # vcmp.f32 s0, s0


def test_too_long_register_lists_are_undefined() -> None:
    assert machine([0xECF00B20 | 15 << 12]).step() == "undefined"     # vldmia r0!, {d31 … d46}
    assert machine([0xEC900B00]).step() == "undefined"                # vldmia r0, {}


# -- estimates ------------------------------------------------------------------------------------------------------------


def test_reciprocal_estimates_are_the_manuals() -> None:
    """Compare with recip_estimate() and recip_sqrt_estimate() of the manual (A2.7.5), which use doubles."""
    arm.load_rows()                        # rows are numbered in the order in which their modules are imported
    from xemu.targets.arm import neon_estimate

    new_graph()
    for q in range(256, 512):
        expected = int(256.0 / ((q + 0.5) / 512.0) + 0.5)
        assert int(neon_estimate.recip_estimate(Lanes(const(q, 32), 32)).bits) == expected
    for q in range(128, 256):
        for limit, scale in (1 << 27, 256.0), (1 << 28, 512.0):
            expected = int(256.0 / sqrt((q + 0.5) / scale) + 0.5)
            got = neon_estimate.rsqrt_estimate(Lanes(const(q, 32), 32), Lanes(const(limit, 32), 32))
            assert int(got.bits) == expected


# -- the decoder sees what the manual lists ------------------------------------------------------------------------------------


def test_a32_and_t32_have_the_same_rows() -> None:
    arm.load_rows()
    names = [{r.name.split(".", 1)[1] for r in isa.rows if r.source.startswith(MINE)} for isa in (a32, t32)]
    assert names[0] == names[1]
    assert len(names[0]) > 150
