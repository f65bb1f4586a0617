"""Who called whom on the way to the present place, as a tree in order of time."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from xemu.debug.calltree import Call, Recorder, entries
from xemu.debug.excursion import counts
from xemu.debug.names import Names
from xemu.tui.queries import query
from xemu.tui.queries.coverage import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xemu.debug.debugger import Debugger

NEAR = 200_000           # instructions that are added to what is known; more: all is looked for anew
SHORTEST = 1_000         # instructions that are looked at, however many calls they make


class Row(NamedTuple):
    """A call, or (`times`) several in a row of one function that made none. `inside`: instructions until the return or until now."""

    depth: int
    name: str
    beat: int
    transition: int
    insns: int
    inside: int
    open: bool
    handler: bool
    times: int = 1


class Tree(NamedTuple):
    """The calls since `start`; `whole`: that is where the history begins."""

    rows: tuple[Row, ...]
    start: int
    end: int
    whole: bool


class Known:
    """The calls of one guest between two instruction counts."""

    def __init__(self, d: Debugger) -> None:
        self.names = Names(d.system, d.modules)
        self.recorder = Recorder(d, set())
        self.start = self.end = 0
        self.most = 0
        self.future: tuple[int, ...] | None = None

    def know(self, d: Debugger, most: int) -> None:
        """Know about `most` calls up to the present place."""
        here = d.position.insns
        future = tuple(branch.number for branch in d.branches)
        if self.future == future and self.most == most and self.start <= here:
            much = self.start <= d.history.first.insns or here - self.start > (self.end - self.start) // 4
            if here <= self.end and much:
                return
            if self.end < here <= self.end + NEAR:
                executed = counts(d, self.end, here)
                begins = entries(d, self.names, executed)
                if sum(executed[address] for address in begins) <= most // 2:
                    self.recorder.begins |= begins
                    self.recorder.record(self.end, here)
                    self.end = here
                    return
        self.future, self.most = future, most
        executed, window = counted(d)
        begins = entries(d, self.names, executed)
        start = window.start
        made = sum(executed[address] for address in begins)
        if made > most:                              # about as long a part of it as has so many
            start = max(start, here - max(SHORTEST, (here - start) * most // made))
        self.recorder = Recorder(d, begins)
        self.recorder.record(start, here)
        self.start, self.end = start, here


_KNOWN: WeakKeyDictionary[Debugger, Known] = WeakKeyDictionary()


@query()
def tree(d: Debugger, *, most: int = 500) -> Tree:
    """Return the last calls before the present place, about `most` if there are so many."""
    d.need_history()
    known = _KNOWN.setdefault(d, Known(d))
    known.names.modules = d.modules
    known.know(d, most)
    here = d.position.insns
    made = known.recorder.calls
    made = made[:bisect_left(made, here, key=lambda call: call.position.insns)]
    return Tree(tuple(_rows(made, known.names, here)), known.start, here, known.start <= d.history.first.insns)


def _rows(calls: list[Call], names: Names, here: int) -> list[Row]:
    rows: list[Row] = []
    functions: Mapping[int, str] = {pc: names.where(pc) or f"{pc:#x}" for pc in {call.pc for call in calls}}
    for i, call in enumerate(calls):
        is_open = call.end < 0 or call.end > here
        inside = (here if is_open else call.end) - call.position.insns
        row = Row(call.depth, functions[call.pc], call.position.beat, call.position.transition, call.position.insns, inside, is_open,
                  call.handler)
        leaf = i + 1 == len(calls) or calls[i + 1].depth <= call.depth
        last = rows[-1] if rows else None
        if last is not None and leaf and not is_open and not last.open and last[:2] == row[:2] and last.handler == row.handler:
            rows[-1] = last._replace(times=last.times + 1, inside=last.inside + inside)
        else:
            rows.append(row)
    return rows
