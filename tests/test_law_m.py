"""The law for the M profile: evaluator = interpreter = region, on processors with and without each extension."""

from __future__ import annotations

from typing import Final

import pytest

from tests.support.law import Law, LawCase
from tests.test_law import IT_CONDITIONS, IT_MASKS, SEED, check, variants
from xemu.targets.arm.layout import FPV4_SP, FPV5_DP, V6M, V7EM, V7M, MContext

CONTEXTS: Final = {
    "v6-M": MContext(ARCH=V6M, STRICT=1),
    "v7-M": MContext(ARCH=V7M),
    "v7E-M with FPv4-SP": MContext(ARCH=V7EM, FPU=FPV4_SP),
    "v7E-M with FPv5-DP": MContext(ARCH=V7EM, FPU=FPV5_DP),
    "aligned accesses only": MContext(ARCH=V7EM, FPU=FPV5_DP, STRICT=1),
    "unusual FPSCR": MContext(ARCH=V7EM, FPU=FPV5_DP, FP=1),
    "FP waits for the machine": MContext(ARCH=V7EM, FPU=FPV4_SP, FPOFF=1),
}
PART: Final = 220                # variants of a context in one run


def one_each(law: Law, context: int) -> list[LawCase]:
    found = variants(law, context)
    law.random.shuffle(found)
    return [law.case([v], context) for v in found]


def sequences(law: Law, context: MContext, count: int, length: int) -> list[LawCase]:
    """Return random instructions in a row, often behind an IT instruction."""
    found, cases = variants(law, context.word), []
    for _ in range(count):
        prefix = b""
        if context.ARCH != V6M and law.random.random() < 0.4:
            prefix = bytes([law.random.choice(IT_MASKS) | law.random.choice(IT_CONDITIONS), 0xBF])
        cases.append(law.case([law.random.choice(found) for _ in range(length)], context.word, prefix))
    return cases


@pytest.mark.parametrize("name", CONTEXTS)
def test_rows_in_every_tier(name: str) -> None:
    """One encoding of some variants, of others each time."""
    law = Law("arm-m", seed=SEED)
    check(law, one_each(law, CONTEXTS[name].word)[:PART])


@pytest.mark.parametrize("name", CONTEXTS)
def test_sequences_in_every_tier(name: str) -> None:
    law = Law("arm-m", seed=SEED)
    check(law, sequences(law, CONTEXTS[name], 60, 5))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize("name", CONTEXTS)
def test_the_long_campaign(name: str, part: int) -> None:
    law = Law("arm-m", seed=SEED * 32 + part)
    check(law, one_each(law, CONTEXTS[name].word))
    check(law, sequences(law, CONTEXTS[name], 600, 8))
