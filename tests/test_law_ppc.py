"""The law over PowerPC: evaluator = interpreter = region, for both targets and in every context (see test_law.py)."""

from __future__ import annotations

import os
import re
import time
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.support.law import Law, LawCase

if TYPE_CHECKING:
    from xemu.core.isa import Variant

SEED = int(os.environ.get("XEMU_LAW_SEED") or time.time_ns() % 1_000_000)
BATCH = 150
PARTS = 40               # a part of the variants is tested in each run
SLOW_PARTS = 10
NAMES = ("ppc", "ppc64le")
USUAL, FP, JAVA = 0, 1, 2


@cache
def variants(name: str) -> list[Variant]:
    return list(Law(name).target.iset(0).narrow.variants)


def check(law: Law, cases: list[LawCase]) -> None:
    complaints = []
    for i in range(0, len(cases), BATCH):
        complaints += law.run(cases[i:i + BATCH])
    assert not complaints, f"seed {SEED}: {len(complaints)} of {len(cases)}\n" + "\n".join(complaints[:8])


@pytest.mark.parametrize("name", NAMES)
def test_some_rows_in_every_tier(name: str) -> None:
    """One encoding of a part of the variants, another part's each time."""
    law = Law(name, seed=SEED)
    check(law, [law.case([v], USUAL) for v in variants(name)[SEED % PARTS::PARTS]])


@pytest.mark.parametrize("name", NAMES)
def test_sequences_in_every_tier(name: str) -> None:
    law = Law(name, seed=SEED)
    some = law.random.sample(variants(name), 60)
    check(law, [law.case(law.random.choices(some, k=5), USUAL) for _ in range(60)])


@pytest.mark.parametrize("name", NAMES)
def test_fpscr_between_operations(name: str) -> None:
    """What an operation has raised is there when FPSCR is read behind it, and only then."""
    law = Law(name, seed=SEED)
    asks = [v for v in variants(name) if re.match(r"p\d\d\.(mffs|mtfsb|mtfsf|mcrfs)", v.name)]
    operations = [v for v in variants(name) if re.match(r"p\d\d\.(fadd|fdivs|fsqrt|fctiwz|frsp|fcmpo)\b", v.name)]
    check(law, law.cases_around(asks, operations, USUAL, 30))


@pytest.mark.parametrize("name", NAMES)
def test_some_rows_in_other_contexts(name: str) -> None:
    """With rounding modes and enabled exceptions, and vectors that keep denormals."""
    law = Law(name, seed=SEED)
    found = variants(name)[SEED // PARTS % (4 * PARTS)::4 * PARTS]
    check(law, [law.case([v], context) for v in found for context in (FP, JAVA, FP | JAVA)])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(SLOW_PARTS))
@pytest.mark.parametrize("name", NAMES)
def test_the_long_campaign(name: str, part: int) -> None:
    law = Law(name, seed=SEED * 64 + part)
    found = variants(name)[part::SLOW_PARTS]
    check(law, [law.case([v], USUAL) for v in found for _ in range(3)])
    check(law, [law.case([v], context) for v in found for context in (FP, JAVA)])
    check(law, [law.case(law.random.choices(found, k=6), USUAL) for _ in range(100)])
