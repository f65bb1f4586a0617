"""The law over x86: evaluator = interpreter = region, in 64-bit and in 32-bit mode (see test_law.py)."""

from __future__ import annotations

import os
import re
import time
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.support.law import Law, LawCase
from tests.support.x86 import get
from xemu.targets.x86.isa import TOO_LONG_PATTERN
from xemu.targets.x86.scan import MEM67, RIP

if TYPE_CHECKING:
    from xemu.core.isa import Variant

SEED = int(os.environ.get("XEMU_LAW_SEED") or time.time_ns() % 1_000_000)
BATCH = 150
PARTS = 40               # a part of the variants is tested in each run
MODES = {"x86_64": 1, "i386": 0}


@cache
def variants(name: str) -> list[Variant]:
    """Return the variants that a mode has, and that `random_word` can write."""
    law, mode64 = Law(name), MODES[name]
    return [v for v in law.target.iset(0).narrow.variants if _exists(v, mode64)]


def _exists(v: Variant, mode64: int) -> bool:
    if v.row.pattern == TOO_LONG_PATTERN or (get(v.mask, "mode64") and get(v.value, "mode64") != mode64):
        return False
    return bool(mode64) or not (v.splits.get("form") in (RIP, MEM67) or (get(v.value, "W") and not get(v.value, "vex")))


def check(law: Law, cases: list[LawCase]) -> None:
    complaints = []
    for i in range(0, len(cases), BATCH):
        complaints += law.run(cases[i:i + BATCH])
    assert not complaints, f"seed {SEED}: {len(complaints)} of {len(cases)}\n" + "\n".join(complaints[:8])


@pytest.mark.parametrize("name", MODES)
def test_some_rows_in_every_tier(name: str) -> None:
    """One encoding of a part of the variants, another part's each time."""
    law = Law(name, seed=SEED)
    found = variants(name)[SEED % PARTS::PARTS]
    check(law, [law.case([v], 0) for v in found])


@pytest.mark.parametrize("name", MODES)
def test_sequences_in_every_tier(name: str) -> None:
    law = Law(name, seed=SEED)
    some = law.random.sample(variants(name), 60)
    check(law, [law.case(law.random.choices(some, k=5), 0) for _ in range(60)])


@pytest.mark.parametrize("name", MODES)
def test_mxcsr_between_operations(name: str) -> None:
    """What an operation has raised is there when MXCSR is read behind it, and still there if its store faults."""
    law = Law(name, seed=SEED)
    asks = [v for v in variants(name) if re.match(r"x86\.(ldmxcsr|stmxcsr|fxsave|fxrstor)\b", v.name)]
    operations = [v for v in variants(name) if re.match(r"x86\.(addsd|divss|sqrtpd|mulps|cvtsd2ss)\b", v.name)]
    check(law, law.cases_around(asks, operations, 0, 30))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", MODES)
def test_the_long_campaign(name: str, part: int) -> None:
    law = Law(name, seed=SEED * 64 + part)
    found = variants(name)[part::PARTS]
    check(law, [law.case([v], 0) for v in found for _ in range(3)])
    check(law, [law.case(law.random.choices(found, k=6), 0) for _ in range(100)])
