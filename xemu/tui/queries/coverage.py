"""How often code was executed, and what runs it. Counts are exact: the past is repeated with counting interpreters.

How far back is bounded by time: `counted` says from where on. What came before is known only as far as decoded code tells.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from xemu.core.records import PINNED
from xemu.debug.excursion import counts
from xemu.tui.queries import query

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xemu.debug.debugger import Debugger

BUDGET = 0.04            # seconds that a question may take, about
FIRST = 50_000           # instructions that are counted first; more at a time where that is quick
ENOUGH = 4_000_000       # instructions that are counted without being told to


class Coverage(NamedTuple):
    """`times`: executions up to the present place, None where that is not known. `tier`: never interpreted compiled."""

    times: int | None
    tier: str


class Window(NamedTuple):
    """What was counted: from one instruction count to another; `whole`: since the history began."""

    start: int
    end: int
    whole: bool


class Counted:
    """The executions between two instruction counts of one guest's past."""

    def __init__(self) -> None:
        self.start = self.end = 0
        self.step = FIRST
        self.future: tuple[int, ...] | None = None
        self.counts: Counter[int] = Counter()

    def move(self, d: Debugger, budget: float) -> None:
        """Count up to the present place, and as far back as there is time for."""
        d.need_history()
        began, here, first = monotonic(), d.position.insns, d.history.first.insns
        future = tuple(branch.number for branch in d.branches)
        if future != self.future or abs(here - self.end) > max(FIRST, self.end - self.start) or self.start < first or here < self.start:
            self.counts, self.start, self.end, self.future = Counter(), here, here, future
        if here > self.end:
            self.counts.update(counts(d, self.end, here))
        elif here < self.end:
            self.counts.subtract(counts(d, here, self.end))
        self.end = here
        while self.start > first and monotonic() - began < budget and self.end - self.start < ENOUGH:
            start, before = max(first, self.start - self.step), monotonic()
            self.counts.update(counts(d, start, self.start))
            self.start = start
            self.step = self.step * 4 if monotonic() - before < 2 * budget else max(FIRST, self.step // 4)


_COUNTED: WeakKeyDictionary[Debugger, Counted] = WeakKeyDictionary()


def counted(d: Debugger, budget: float = BUDGET) -> tuple[Counter[int], Window]:
    """Return how often each instruction was executed up to the present place, and since when that was counted."""
    found = _COUNTED.setdefault(d, Counted())
    found.move(d, budget)
    return found.counts, Window(found.start, found.end, found.start <= d.history.first.insns)


def coverage(d: Debugger, addresses: Iterable[int], budget: float = BUDGET) -> dict[int, Coverage]:
    """Return how often instructions were executed in the recorded past, up to the present place, and what runs them."""
    numbers: Counter[int] = Counter()
    whole = False
    if d.recording:
        numbers, (_, _, whole) = counted(d, budget)
    compiled = {pc for region in d.engine.library.regions for pc in region.inside}
    out = {}
    for address in addresses:
        count: int | None = numbers.get(address, 0)
        ran = _decoded(d, address)
        tier = "compiled" if address in compiled else "interpreted" if count or ran else "never"
        if not count:
            if whole:
                tier = "never"
            elif tier != "never":
                count = None                         # it was, but not in what was counted
        out[address] = Coverage(count, tier)
    return out


def _decoded(d: Debugger, address: int) -> bool:
    """Whether an instruction was decoded, or belongs to a region's entry: then it was executed at some time."""
    engine = d.engine
    for context in {c for _, c in engine.pages}:
        page = engine.pages.get((address & ~4095, context))
        if page is None or address & (page.geometry.unit - 1):
            continue
        body = ctypes.c_uint64.from_address(page.record(address) + 8).value
        flags = ctypes.c_uint32.from_address(page.cold(address) + 12).value
        if body or (flags & PINNED and address not in engine.points):
            return True
    return False


@query()
def executed(d: Debugger, *, addresses: tuple[int, ...]) -> Any:
    """Return `coverage` for the screen, with the window that was counted."""
    found = coverage(d, addresses)
    window = counted(d, 0.0)[1] if d.recording else Window(0, 0, whole=False)
    return found, window
