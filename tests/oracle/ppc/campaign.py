"""Cases of many rows through QEMU and through xemu, and what came out, row by row."""

from __future__ import annotations

import random
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.oracle.ppc.compare import differences, situation
from tests.oracle.ppc.generate import one
from tests.oracle.ppc.machine import Qemu
from tests.oracle.ppc.rows import disassembled, exists
from tests.oracle.ppc.state import BATCH, CODE, PROLOGUE, SLOT
from tests.oracle.ppc.tiers import TIERS, tiers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.oracle.ppc.rows import Form
    from tests.oracle.ppc.state import Case, Machine

HEXADECIMAL = re.compile(r"\b[0-9a-f_]{3,}\b|\d+")


@dataclass
class Result:
    """What came out for one row."""

    form: Form
    cases: int = 0
    skipped: int = 0                  # QEMU had no answer, or the row has no defined encoding
    wrong: list[tuple[Case, str, list[str]]] = field(default_factory=list)     # case, tier, differences

    def summary(self) -> str:
        """Return a line."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        where = sorted({tier for _, tier, _ in self.wrong}, key=TIERS.index)
        bad = len({id(case) for case, _, _ in self.wrong})
        return f"{self.form.name:<18} {self.form.row.source:<24} {self.cases} cases{skipped}" + (
            f", {bad} WRONG ({', '.join(where)})" if bad else "")

    def details(self, limit: int) -> str:
        """Return mismatches, each of another kind as long as there are any, those with the fewest differences first."""
        cases: dict[int, list[tuple[Case, str, list[str]]]] = {}
        for entry in self.wrong:
            cases.setdefault(id(entry[0]), []).append(entry)
        kinds: dict[str, list[tuple[Case, str, list[str]]]] = {}
        for entries in sorted(cases.values(), key=lambda entries: len(entries[0][2])):
            case, _, lines = entries[0]
            same = ", ".join(tier for _, tier, other in entries if other == lines)
            kind = " ".join([same, *(HEXADECIMAL.sub("", line) for line in lines)])
            kinds.setdefault(kind, []).append((case, same, lines))
        ordered = [found[n] for n in range(limit) for found in kinds.values() if n < len(found)]
        return "\n".join(f"  {describe(*entry)}" for entry in ordered[:limit])


def describe(case: Case, tier: str, lines: Sequence[str]) -> str:
    """Return a mismatch as text: code, disassembly, state before, differences."""
    text = "; ".join(disassembled(case.words, case.machine.name))
    seen = [*lines[:8], *([f"… and {len(lines) - 8} more"] if len(lines) > 8 else [])]
    head = f"{case.machine.cpu} {' '.join(f'{word:08x}' for word in case.words)}: {text}  [{tier}]"
    return "\n      ".join([head, situation(case, text), *(f"→ {line}" for line in seen)])


def run(forms: Mapping[str, Form], machine: Machine, seed: int, count: int, wanted: Sequence[str] = TIERS, *,
        enabled: float = 0.05) -> Iterator[Result]:
    """Yield a result for each form, `count` cases each. A row's cases depend on the seed and its name alone."""
    with Qemu(machine) as qemu:
        pending: list[tuple[Result, Case]] = []
        results: list[Result] = []
        for name, form in forms.items():
            if not exists(form, machine.cpu):
                continue
            result = Result(form)
            results.append(result)
            rng = random.Random(seed ^ zlib.crc32(name.encode()))
            for _ in range(count):
                case = one(form, machine, rng, CODE + len(pending) * SLOT + PROLOGUE, enabled=enabled)
                if case is None:
                    result.skipped += 1
                    continue
                pending.append((result, case))
                if len(pending) == BATCH:
                    check(qemu, pending, wanted)
                    pending = []
            if not pending:
                yield from results
                results = []
        if pending:
            check(qemu, pending, wanted)
        yield from results


def check(qemu: Qemu, pending: list[tuple[Result, Case]], wanted: Sequence[str]) -> None:
    """Run cases and note what differs in their rows' results."""
    cases = [case for _, case in pending]
    expected = qemu.run(cases)
    got = tiers(qemu.machine).outcomes(cases, wanted)
    for i, (result, case) in enumerate(pending):
        result.cases += 1
        if expected[i].ended in ("endless", "killed"):
            result.skipped += 1
            continue
        for tier, outcomes in got.items():
            if lines := differences(case, expected[i], outcomes[i], result.form.mnemonic):
                result.wrong.append((case, tier, lines))
