"""Every row of PowerPC against QEMU: evaluator, interpreter and regions, all state.

The seed changes from run to run and is printed; XEMU_LAW_SEED repeats one. The long campaign: python -m tests.oracle.ppc --cases 1000.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.conftest import give_up
from tests.oracle.ppc.compare import differences
from tests.oracle.ppc.generate import one
from tests.oracle.ppc.machine import Qemu, missing
from tests.oracle.ppc.rows import exists, forms
from tests.oracle.ppc.state import CODE, MACHINES, NJ, PROLOGUE, SLOT, WRITABLE, Case, Outcome, State
from tests.oracle.ppc.tiers import TIERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.oracle.ppc.state import Machine

SEED = int(os.environ.get("XEMU_LAW_SEED") or random.randrange(1 << 20))
PARTS = 4
NATIVE_SAMPLE = 40                    # rows that a short run compiles
USUAL = ("power9", "7400")


@pytest.fixture(autouse=True)
def _programs() -> None:
    if why := missing("ppc64le", "ppc"):
        give_up(why)
    print(f"seed {SEED}")


def check(machine: Machine, names: Sequence[str], cases: int, tiers: Sequence[str], *, enabled: float = 0.0) -> None:
    """Compare; `enabled` is the probability of enabled floating-point exceptions."""
    from tests.oracle.ppc.campaign import run

    found = forms(machine.name)
    results = list(run({name: found[name] for name in names}, machine, SEED, cases, tiers, enabled=enabled))
    assert sum(result.cases for result in results) > cases * len(names) * 0.9
    wrong = [result for result in results if result.wrong]
    text = "\n".join(f"{result.summary()}\n{result.details(1)}" for result in wrong[:8])
    assert not wrong, f"seed {SEED}: {len(wrong)} of {len(results)} rows differ\n{text}"


def names(machine: Machine) -> list[str]:
    return sorted(name for name, form in forms(machine.name).items() if exists(form, machine.cpu))


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("cpu", USUAL)
def test_every_row_agrees_with_qemu_in_the_evaluator(cpu: str, part: int) -> None:
    check(MACHINES[cpu], names(MACHINES[cpu])[part::PARTS], 4, ("evaluator",))


@pytest.mark.parametrize("cpu", USUAL)
def test_a_sample_of_rows_agrees_with_qemu_in_native_code(cpu: str) -> None:
    found = names(MACHINES[cpu])
    check(MACHINES[cpu], random.Random(SEED).sample(found, min(NATIVE_SAMPLE, len(found))), 2, TIERS)


def test_rows_that_only_e500mc_has_agree_with_it() -> None:
    found = [form.name for form in forms("ppc").values() if not exists(form, "7400")]
    assert found
    check(MACHINES["e500mc"], found, 20, TIERS)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS * 4))
@pytest.mark.parametrize("cpu", USUAL)
def test_every_row_agrees_with_qemu_in_native_code(cpu: str, part: int) -> None:
    check(MACHINES[cpu], names(MACHINES[cpu])[part::PARTS * 4], 60, TIERS)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("cpu", USUAL)
def test_every_row_agrees_with_qemu_where_exceptions_are_enabled(cpu: str, part: int) -> None:
    check(MACHINES[cpu], names(MACHINES[cpu])[part::PARTS], 60, ("evaluator",), enabled=0.6)


# -- what the comparison stands on ---------------------------------------------------------------------------------------
def qemu(cpu: str, *cases: tuple[list[int], State]) -> list[Outcome]:
    """Run code in QEMU."""
    machine = MACHINES[cpu]
    with Qemu(machine) as running:
        return running.run([Case(words, state, machine, at=CODE + i * SLOT + PROLOGUE) for i, (words, state) in enumerate(cases)])


@pytest.mark.parametrize("cpu", MACHINES)
def test_a_state_goes_through_qemu_unchanged(cpu: str) -> None:
    """All registers that a machine has are set before a case and read after it."""
    machine, rng = MACHINES[cpu], random.Random(SEED)
    from tests.oracle.ppc.values import random_state

    states = [random_state(rng, machine, enabled=0.3) for _ in range(40)]
    outcomes = qemu(cpu, *(([0x6000_0000], state) for state in states))             # nop
    for i, (state, outcome) in enumerate(zip(states, outcomes, strict=True)):
        after = state.copy()
        after.pc = CODE + i * SLOT + PROLOGUE + 4
        case = Case([0x6000_0000], state, machine)
        assert differences(case, outcome, Outcome("done", after)) == []
        assert outcome.state.fpscr == state.fpscr


@pytest.mark.parametrize("cpu", MACHINES)
def test_signals_of_a_case_are_reported(cpu: str) -> None:
    state = State(vscr=NJ if MACHINES[cpu].vector else 0)
    state.r[4] = 0x7000_0010
    words = {"undefined": 0, "trap": 0x7FE0_0008, "segv": 0x8064_0000, "done": 0x3860_0007}       # 0; trap; lwz 3,0(4); li 3,7
    outcomes = qemu(cpu, *(([word], state) for word in words.values()))
    assert [outcome.ended for outcome in outcomes] == list(words)
    assert outcomes[2].address == 0x7000_0010
    assert outcomes[3].state.r[3] == 7


@pytest.mark.parametrize("cpu", USUAL)
def test_a_generated_address_points_where_memory_was_set_up(cpu: str) -> None:
    """Loads find the contents that the case put there."""
    machine, rng = MACHINES[cpu], random.Random(SEED)
    (form,) = forms(machine.name, "lwz").values()
    found = [one(form, machine, rng, CODE + i * SLOT + PROLOGUE) for i in range(200)]
    cases = [case for case in found if case is not None and any(any(data) for data in case.memory.values())]
    with Qemu(machine) as running:
        outcomes = running.run(cases)
    loaded = 0
    for case, outcome in zip(cases, outcomes, strict=True):
        (data,) = case.memory.values()
        new = outcome.state.r[case.words[0] >> 21 & 31].to_bytes(8, machine.order)  # type: ignore[arg-type]
        loaded += outcome.ended == "done" and (new[:4] if machine.order == "little" else new[4:]) in data
    assert loaded > 0.6 * len(cases)


def test_a_wrong_result_is_found() -> None:
    """The comparison can fail, in every part of the state."""
    machine = MACHINES["power9"]
    case = Case([0x6000_0000], State(), machine)

    def outcome() -> Outcome:
        return Outcome("done", State(), {WRITABLE: bytes(8)})
    assert differences(case, outcome(), outcome()) == []
    for change in ("r", "vsr"):
        wrong = outcome()
        getattr(wrong.state, change)[3] ^= 1
        assert len(differences(case, outcome(), wrong)) == 1
    for change in ("pc", "lr", "ctr", "tar", "cr", "xer", "vrsave", "fpscr", "vscr"):
        wrong = outcome()
        setattr(wrong.state, change, getattr(wrong.state, change) ^ 1)
        assert len(differences(case, outcome(), wrong)) == 1
    wrong = outcome()
    wrong.memory = {WRITABLE: b"1" + bytes(7)}
    assert differences(case, outcome(), wrong) == [f"[{WRITABLE:x}]: 3100000000000000, expected 0000000000000000"]
    fault, elsewhere = (Outcome("segv", State(), {}, address) for address in (16, 20))
    assert differences(case, fault, elsewhere) == ["segv at 0x14, expected segv at 0x10"]
    assert differences(case, fault, outcome()) == ["done, expected segv at 0x10"]
