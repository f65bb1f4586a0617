"""The instructions that led to the present place, with what each changed: found by repeating them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from xemu.debug.excursion import excursion
from xemu.debug.names import Names
from xemu.debug.stops import Position
from xemu.debug.trace import Step, trace
from xemu.tui.queries import query

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger


class Trace(NamedTuple):
    """Instructions, the last that was executed at the end. `whole`: the first is where the history begins."""

    steps: tuple[Step, ...]
    whole: bool
    pc: int
    next: str                                        # the instruction that comes next
    where: str
    insns: int


class Taken:
    """What is known of one guest's past, from one instruction count to another."""

    def __init__(self, d: Debugger) -> None:
        self.names = Names(d.system, d.modules)
        self.steps: list[Step] = []
        self.start = self.end = 0
        self.future = _future(d)

    def known(self, d: Debugger, first: int, end: int) -> None:
        """Make known what was executed between two instruction counts."""
        if _future(d) != self.future or not self.start <= first <= self.end:
            self.steps, self.start, self.end, self.future = [], first, first, _future(d)
        if end > self.end:
            with excursion(d):
                self.steps += trace(d, self.names, self.end, Position(0, 0, end))
            self.end = end
        if len(self.steps) > 8 * (end - first) + 1024:
            self.steps = [step for step in self.steps if step.insns >= first]
            self.start = first


def _future(d: Debugger) -> tuple[int, ...]:
    """Return what tells futures apart."""
    return tuple(branch.number for branch in d.branches)


_TAKEN: WeakKeyDictionary[Debugger, Taken] = WeakKeyDictionary()


@query()
def steps(d: Debugger, *, most: int = 200) -> Trace:
    """Return the last `most` instructions before the present place, and what came between them."""
    d.need_history()
    here = d.position.insns
    first = max(d.history.first.insns, here - most)
    taken = _TAKEN.setdefault(d, Taken(d))
    taken.names.modules = d.modules
    taken.known(d, first, here)
    found = tuple(step for step in taken.steps if first <= step.insns < here)
    line = taken.names.line(d.pc)
    return Trace(found, first == d.history.first.insns, d.pc, line.text if line else "", taken.names.where(d.pc), here)
