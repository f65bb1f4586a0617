"""Cases of many rows through the host and through xemu, and what came out, row by row."""

from __future__ import annotations

import random
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.oracle.x86 import driver as d
from tests.oracle.x86.compare import differences, situation
from tests.oracle.x86.generate import group
from tests.oracle.x86.native import Native
from tests.oracle.x86.rows import LEFT_OUT, disassembled, lacking
from tests.oracle.x86.tiers import TIERS, tiers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.oracle.x86.encode import Form
    from tests.oracle.x86.state import Case, Outcome

HEXADECIMAL = re.compile(r"[0-9a-f]{3,}|\d+")
STEP = 512                            # cases that are compiled together
STATES = 5                            # that an encoding starts from: compiling it costs more than running it


@dataclass
class Result:
    """What came out for one row."""

    form: Form
    cases: int = 0
    skipped: int = 0                  # the host lacks a feature, or had no answer
    wrong: list[tuple[Case, str, list[str]]] = field(default_factory=list)     # case, tier, differences

    def summary(self) -> str:
        """Return a line."""
        head = f"{self.form.name:<24} {self.form.column:<22} {self.form.text:<28}"
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        where = sorted({tier for _, tier, _ in self.wrong}, key=TIERS.index)
        bad = len({id(case) for case, _, _ in self.wrong})
        return f"{head} {self.cases} cases{skipped}" + (f", {bad} WRONG ({', '.join(where)})" if bad else "")

    def details(self, limit: int) -> str:
        """Return mismatches, each of another kind as long as there are any."""
        cases: dict[int, list[tuple[Case, str, list[str]]]] = {}
        for entry in self.wrong:
            cases.setdefault(id(entry[0]), []).append(entry)
        kinds: dict[str, list[tuple[Case, str, list[str]]]] = {}
        for entries in cases.values():
            case, _, lines = entries[0]
            same = ", ".join(tier for _, tier, other in entries if other == lines)
            kind = " ".join([str(case.bits), same, *(HEXADECIMAL.sub("", line) for line in lines)])
            kinds.setdefault(kind, []).append((case, same, lines))
        ordered = [found[n] for n in range(limit) for found in kinds.values() if n < len(found)]
        return "\n".join(f"  {describe(*entry)}" for entry in ordered[:limit])


def describe(case: Case, tier: str, lines: Sequence[str]) -> str:
    """Return a mismatch as text: bytes, disassembly, state before, differences."""
    text = disassembled(case.code, case.bits, case.at)
    seen = [lines[i] for i in range(min(len(lines), 8))] + ([f"… and {len(lines) - 8} more"] if len(lines) > 8 else [])
    head = f"{case.bits}-bit {case.code.hex(' ')}: {text}  [{tier}]"
    return "\n      ".join([head, situation(case, text), *(f"→ {line}" for line in seen)])


def run(forms: Mapping[str, Form], seed: int, count: int, wanted: Sequence[str] = TIERS, *, masked: bool = False) -> Iterator[Result]:
    """Yield a result for each form, `count` cases each. A row's cases depend on the seed and its name alone."""
    with Native() as native:
        pending: list[tuple[Result, Case]] = []
        results: list[Result] = []
        for name, form in forms.items():
            result = Result(form)
            results.append(result)
            rng = random.Random(seed ^ zlib.crc32(name.encode()))
            for done in range(0, count, STATES):
                at = d.CODE + len(pending) * d.CASE_BYTES
                cases = group(form, rng.choice(form.modes), rng, at, min(STATES, count - done), masked=masked)
                pending += [(result, case) for case in cases]
                if len(pending) >= STEP:
                    check(native, pending, wanted)
                    pending = []
            if not pending:
                yield from results
                results = []
        check(native, pending, wanted)
        yield from results


def check(native: Native, pending: list[tuple[Result, Case]], wanted: Sequence[str]) -> None:
    """Run cases and note what differs in their rows' results."""
    for bits in (64, 32):
        entries = [(result, case) for result, case in pending if case.bits == bits]
        if not entries:
            continue
        cases = [case for _, case in entries]
        expected = native.run(cases)
        got = tiers(bits).outcomes(cases, wanted)
        for i, (result, case) in enumerate(entries):
            _judge(result, case, expected[i], {tier: outcomes[i] for tier, outcomes in got.items()})


def _judge(result: Result, case: Case, expected: Outcome, got: Mapping[str, Outcome | None]) -> None:
    result.cases += 1
    if expected.ended in ("endless", "killed") or (expected.vector == 6 and lacking(case.code, case.bits, case.at)):
        result.skipped += 1
        return
    for tier, outcome in got.items():
        if outcome is not None and (lines := differences(case, expected, outcome, result.form.mnemonic)):
            if disassembled(case.code, case.bits, case.at).partition(" ")[0].removesuffix("64") in LEFT_OUT:
                result.skipped += 1                       # LFENCE's opcode with an operand in memory is XRSTOR
                return
            result.wrong.append((case, tier, lines))
