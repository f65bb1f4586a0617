"""Every row of x86 against the host's processor: evaluator, interpreter and regions, all state.

The seed changes from run to run and is printed; XEMU_LAW_SEED repeats one. The long campaign: python -m tests.oracle.x86 --cases 1000.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.conftest import give_up
from tests.oracle.x86 import driver as d
from tests.oracle.x86.compare import differences
from tests.oracle.x86.encode import Form
from tests.oracle.x86.generate import one
from tests.oracle.x86.native import Native, missing
from tests.oracle.x86.state import Case, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

SEED = int(os.environ.get("XEMU_LAW_SEED") or random.randrange(1 << 20))
PARTS = 4
NATIVE_SAMPLE = 60                    # rows that a short run compiles


@pytest.fixture(autouse=True)
def _host() -> None:
    if why := missing():
        give_up(why)
    print(f"seed {SEED}")


def check(names: Sequence[str], cases: int, tiers: Sequence[str], *, masked: bool = True) -> None:
    """Compare; `masked`: exceptions of floating point are."""
    from tests.oracle.x86.campaign import run
    from tests.oracle.x86.rows import forms

    found = forms()
    results = list(run({name: found[name] for name in names}, SEED, cases, tiers, masked=masked))
    assert sum(result.cases for result in results) == cases * len(names)
    wrong = [result for result in results if result.wrong]
    text = "\n".join(f"{result.summary()}\n{result.details(1)}" for result in wrong[:8])
    assert not wrong, f"seed {SEED}: {len(wrong)} of {len(results)} rows differ\n{text}"


def names() -> list[str]:
    from tests.oracle.x86.rows import forms

    return sorted(forms())


@pytest.mark.parametrize("part", range(PARTS))
def test_every_row_agrees_with_the_host_in_the_evaluator(part: int) -> None:
    check(names()[part::PARTS], 4, ("evaluator",))


def test_a_sample_of_rows_agrees_with_the_host_in_native_code() -> None:
    some = random.Random(SEED).sample(names(), NATIVE_SAMPLE)
    check(some, 2, ("evaluator", "handlers", "region"))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS * 4))
def test_every_row_agrees_with_the_host_in_native_code(part: int) -> None:
    check(names()[part::PARTS * 4], 60, ("evaluator", "handlers", "region"))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_every_row_agrees_with_the_host_where_exceptions_are_not_masked(part: int) -> None:
    check(names()[part::PARTS], 40, ("evaluator",), masked=False)


# -- what the comparison stands on ---------------------------------------------------------------------------------------
def generated(form: Form, bits: int, count: int) -> list[Case]:
    rng = random.Random(SEED)
    return [one(form, bits, rng, d.CODE + i * d.CASE_BYTES) for i in range(count)]


@pytest.mark.parametrize("bits", [64, 32])
def test_a_generated_address_points_where_memory_was_set_up(bits: int) -> None:
    """Loads of every addressing form find the contents that the case put there."""
    cases = [case for case in generated(Form("8B /r", "mov Gv, Mv"), bits, 400) if any(case.memory.values())]
    with Native() as native:
        outcomes = native.run(cases)
    found = 0
    for case, outcome in zip(cases, outcomes, strict=True):
        changed = [new for new, old in zip(outcome.state.r, case.state.r, strict=True) if new != old]
        (data,) = case.memory.values()
        low = int.from_bytes(data[:2], "little")
        found += outcome.ended == "done" and any(value & 0xFFFF == low for value in changed)
    assert found > 0.75 * len(cases)


def test_a_wrong_result_is_found() -> None:
    """The comparison can fail, in every part of the state."""
    case = generated(Form("10 /r", "adc Eb, Gb"), 64, 1)[0]

    def outcome() -> Outcome:
        return Outcome("done", case.state.copy(), {d.WRITABLE: 5})
    assert differences(case, outcome(), outcome()) == []
    for change in ("r", "v", "fpr"):
        wrong = outcome()
        getattr(wrong.state, change)[3] ^= 1
        assert len(differences(case, outcome(), wrong)) == 1
    for change in ("rip", "flags", "mxcsr", "fcw", "fsw", "valid", "fs_base", "gs_base", "ds"):
        wrong = outcome()
        setattr(wrong.state, change, getattr(wrong.state, change) ^ 1)
        assert len(differences(case, outcome(), wrong)) == 1
    wrong = outcome()
    wrong.memory = {d.WRITABLE: 6}
    assert differences(case, outcome(), wrong) == [f"[{d.WRITABLE:x}]: 0000000000000006, expected 0000000000000005"]
    fault = Outcome("fault", case.state.copy(), {}, 14, address=16)
    elsewhere = Outcome("fault", case.state.copy(), {}, 14, address=20)
    assert differences(case, fault, elsewhere) == ["fault #PF at 0x14, expected fault #PF at 0x10"]
    assert differences(case, fault, outcome()) == ["done, expected fault #PF at 0x10"]
