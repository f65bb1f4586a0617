"""Mismatches of random instructions with an oracle, counted by kind."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = 3                 # of a kind, that are kept


@dataclass
class Kind:
    """Mismatches of one kind."""

    count: int = 0
    first: list[tuple[Any, str, list[str]]] = field(default_factory=list)


class Kinds(dict[str, Kind]):
    """All kinds by their names."""

    def add(self, name: str, case: Any, lines: list[str]) -> None:
        """Count a case with what differs in the evaluator; addresses in the name do not make another kind."""
        kind = self.setdefault(re.sub("at 0x[0-9a-f]+", "at …", name), Kind())
        kind.count += 1
        if len(kind.first) < EXAMPLES:
            kind.first.append((case, "evaluator", lines))

    def report(self, describe: Callable[..., str], show: int) -> int:
        """Print them, the most frequent first, with `show` examples of each; return 1 if there are any."""
        for name, kind in sorted(self.items(), key=lambda item: -item[1].count):
            print(f"{kind.count:5} {name}")
            for entry in kind.first[:show]:
                print(f"  {describe(*entry)}")
        return int(bool(self))
