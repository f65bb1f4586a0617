"""The past of a system: snapshots, and going to any place between them by repeating what happened.

Between two neighbouring snapshots stands a set of pages. While memory is after such an interval it holds what the pages were
before it, while memory is before, what they are after: passing an interval swaps its pages with memory.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.core.memory import CODE, PAGE, PAGE_SHIFT
from xemu.errors import XemuError

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.debug.stops import Position
    from xemu.debug.system import System

Pages = dict[int, "bytes | None"]            # page number -> contents; None: not mapped

EVERY = 0.02             # seconds of running between snapshots, at least
COST = 20                # … and at least so many times what the last one cost
KEEP = 24                # snapshots in each doubling of age, about
LIMIT = 512 << 20        # bytes of pages
NEAR = 20_000            # instructions: a way back that is longer leaves a snapshot NEAR / 10 before its end


class HistoryError(XemuError):
    """The past cannot be reached."""


class Saved(NamedTuple):
    """A state, as `System.save` gave it, and its place."""

    position: Position
    state: Any


@dataclass(eq=False)
class Snapshot:
    """A place in time: all state but memory, and the pages that change between here and the next snapshot."""

    position: Position
    state: Any
    taken: float                     # when, in seconds of recording
    pages: Pages = field(default_factory=dict)
    forks: int = 0                   # other futures that begin here


@dataclass(eq=False)
class Branch:
    """Another future: what came after `fork` before something was changed there."""

    number: int
    fork: Snapshot
    pages: Pages                     # that change between the fork and the first snapshot of `tail`
    tail: list[Snapshot]
    future: Any                      # what the system keeps of it
    ended: Any                       # how the guest ended in it, if it did

    @property
    def end(self) -> Position:
        """Where it ends."""
        return self.tail[-1].position

    @property
    def size(self) -> int:
        """Bytes of its pages."""
        return PAGE * (len(self.pages) + sum(len(s.pages) for s in self.tail))


class History:
    """The recording of one system. `limit`: bytes of pages that are kept."""

    def __init__(self, system: System, limit: int = LIMIT) -> None:
        self.system, self.engine, self.limit = system, system.engine, limit
        self.snapshots: list[Snapshot] = []
        self.branches: list[Branch] = []
        self._numbers = 0
        self.base = 0                        # memory is that of this snapshot, plus what the engine has kept since
        self.size = 0                        # bytes of all pages
        self.recorded = 0.0                  # seconds of running that were recorded
        self.end: Position | None = None     # where a recording ends that was made elsewhere; there is no snapshot of it
        self.ending = ""                     # … and how, in words
        self.marks: list[Saved] = []         # … and states on the way, to compare with
        self._due = 0.0
        self._looked = 0.0
        self.progress: Callable[[float], None] = lambda _part: None

    # -- recording -------------------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Begin: the first snapshot."""
        self.engine.keep_pages()
        self._snapshot()
        self._looked = monotonic()

    def went_on(self) -> None:
        """Note that the system is about to run live after a stop: the time of the stop does not count."""
        self._looked = monotonic()

    def tick(self) -> None:
        """Take a snapshot if one is due: call it at the ends of slices."""
        now = monotonic()
        self.recorded += now - self._looked
        self._looked = now
        if self.recorded >= self._due and self.system.live and self.snapshots:
            self._snapshot()
            self._thin()

    def _snapshot(self) -> Snapshot:
        """Take a snapshot at the live end."""
        began = monotonic()
        if self.snapshots:
            self._close_interval()
        new = Snapshot(self.system.position, self.system.save(), self.recorded)
        self.snapshots.append(new)
        self.base = len(self.snapshots) - 1
        self._mark_clean()
        self._due = self.recorded + max(EVERY, COST * (monotonic() - began))
        return new

    def _close_interval(self) -> None:
        """Put what has changed since the base snapshot into its interval."""
        interval = self.snapshots[self.base]
        for page, contents in self.engine.take_kept():
            if page not in interval.pages:
                interval.pages[page] = contents
                self.size += PAGE

    def _mark_clean(self) -> None:
        """Have the first change of every page noticed again."""
        self.engine.space.mark_clean()
        self.system.marked()

    # -- bounds ----------------------------------------------------------------------------------------------------------
    def _thin(self) -> None:
        """Merge intervals so that they get longer with age, and forget the oldest where the limit is passed."""
        keep = KEEP
        i = 1
        while i < len(self.snapshots) - 1:
            age = self.recorded - self.snapshots[i].taken
            if not self.snapshots[i].forks and self.snapshots[i + 1].taken - self.snapshots[i - 1].taken < age / keep:
                self._merge(i)
            else:
                i += 1
        while self.size > self.limit and len(self.snapshots) > 2:
            self.size -= PAGE * len(self.snapshots[0].pages)
            gone = self.snapshots.pop(0)
            for branch in [b for b in self.branches if b.fork is gone]:
                self._drop(branch)
            self.base -= 1

    def _merge(self, i: int) -> None:
        """Remove snapshot i. Both intervals lie before memory, or both after."""
        before, after = self.snapshots[i - 1], self.snapshots[i]
        old = len(before.pages) + len(after.pages)
        before.pages = {**after.pages, **before.pages} if self.base >= i else {**before.pages, **after.pages}
        self.size -= PAGE * (old - len(before.pages))
        del self.snapshots[i]
        if self.base >= i:
            self.base -= 1

    # -- going there -----------------------------------------------------------------------------------------------------
    @property
    def first(self) -> Position:
        """The earliest place that can be reached."""
        return self.snapshots[0].position

    @property
    def last(self) -> Position:
        """Where the recording ends."""
        return self.system.position if self.system.live else self.end or self.snapshots[-1].position

    def find(self, position: Position) -> int:
        """Return the number of the last snapshot that is not after a position."""
        return bisect.bisect_right(self.snapshots, position, key=lambda s: s.position) - 1

    def find_insns(self, insns: int) -> int:
        """Return the number of the last snapshot with no more instructions than that."""
        return bisect.bisect_right(self.snapshots, insns, key=lambda s: s.position.insns) - 1

    def leave_present(self) -> None:
        """Stop being live; the present stays the last snapshot."""
        if not self.system.live:
            return
        if self.snapshots[-1].position != self.system.position or self.engine.has_kept:
            self._snapshot()
        self.system.rewind()

    def place(self, number: int) -> None:
        """Put the system where a snapshot was taken."""
        self.leave_present()
        changed: Pages = {}
        for page, contents in self.engine.take_kept():                 # what a repeated run has changed since its base
            changed.setdefault(page, contents)
        self._write(changed, self.snapshots[self.base].state)
        while self.base != number:
            back = number < self.base
            interval = self.snapshots[self.base - 1 if back else self.base]
            target = self.snapshots[self.base - 1 if back else self.base + 1]
            old: Pages = {page: self._read(page) for page in interval.pages}
            self._write(interval.pages, target.state)
            interval.pages = old
            self.base += -1 if back else 1
        self.engine.take_kept()
        self._mark_clean()
        self.system.load(self.snapshots[number].state)
        self.engine.pass_nothing()

    def _read(self, page: int) -> bytes | None:
        space = self.engine.space
        return space.page(page) if space.is_own(page << PAGE_SHIFT) else None

    def _write(self, pages: Pages, state: Any) -> None:
        """Put pages into memory as it is mapped in a state."""
        space = self.engine.space
        self.system.map_as(state)
        for page, contents in pages.items():
            at = page << PAGE_SHIFT
            if contents is None or not space.is_own(at) or space.mem[at:at + PAGE] == contents:
                continue
            if space.flags[page] & CODE:
                self.engine.code_changed(at, PAGE)
            space.mem[at:at + PAGE] = contents

    def seek(self, goal: Position) -> None:
        """Go to a recorded place; HistoryError where that fails."""
        number = self.find(goal)
        if number < 0:
            raise HistoryError(f"{goal} is before the start of the history (instruction {self.first.insns:,})")
        here = self.system.position
        ahead = not self.system.live and here <= goal and self.find(here) == number and self.base == number
        if not ahead:
            self.place(number)
        self._run_to(goal)

    def _run_to(self, goal: Position) -> None:
        """Repeat up to a place; a long way leaves a snapshot shortly before."""
        if goal.insns - self.system.position.insns > NEAR:
            self.repeat(goal.insns - 1)
        self.engine.quiet(on=True)
        try:
            trouble = self.system.reach(goal) if goal != self.system.position else ""
        finally:
            self.engine.quiet(on=False)
        if trouble:
            raise HistoryError(trouble)

    def repeat(self, insns: int | None, beat: int | None = None) -> None:
        """Repeat up to an instruction count or a beat; a long way to a count leaves a snapshot shortly before."""
        self.engine.quiet(on=True)
        try:
            if insns is not None and insns - self.system.position.insns > NEAR:
                self._to_count(insns - NEAR // 10)
                self.insert()
            self._to_count(insns, beat)
        finally:
            self.engine.quiet(on=False)

    def _to_count(self, insns: int | None, beat: int | None = None) -> None:
        while self.system.run(insns=insns, beat=beat).kind is None:
            pass

    def insert(self) -> None:
        """Make a snapshot of a place in the past, where the system is."""
        here = self.snapshots[self.base]
        if here.position == self.system.position:
            return
        changed: Pages = {}
        for page, contents in self.engine.take_kept():
            changed.setdefault(page, contents)
        ahead, part = dict(here.pages), here.taken + EVERY
        if self.base + 1 < len(self.snapshots):      # else nobody knows yet what changes after here
            part = (here.taken + self.snapshots[self.base + 1].taken) / 2
            for page in changed:                     # not changed after here: then it stays as it is now
                ahead.setdefault(page, self._read(page))
        new = Snapshot(self.system.position, self.system.save(), part, ahead)
        self.size += PAGE * (len(changed) + len(ahead) - len(here.pages))
        here.pages = changed
        self.snapshots.insert(self.base + 1, new)
        self.base += 1
        self._mark_clean()

    # -- comparing -------------------------------------------------------------------------------------------------------
    def next_check(self, here: Position) -> Saved | None:
        """Return the next place, after one, whose state is known: whoever repeats the past compares there."""
        known: list[Saved] = []
        for kept in (self.snapshots, self.marks):
            at = bisect.bisect_right(kept, here, key=lambda s: s.position)
            known += [Saved(s.position, s.state) for s in kept[at:at + 1]]
        return min(known, key=lambda s: s.position, default=None)

    def diverged(self, then: Saved) -> str:
        """Compare the state, repeated up to a place, with what it was there; where it differs, say so and leave the wrong way.

        The system stands at the last place that is known to be right.
        """
        trouble = self.system.difference(then.state) if self.system.position == then.position else "the time"
        if not trouble:
            return ""
        number = max(bisect.bisect_left(self.snapshots, then.position, key=lambda s: s.position) - 1, 0)
        before = self.snapshots[number].position
        known = self.find(then.position)
        self.place(known)
        return f"replay diverged between {before} and {then.position}: first {trouble}"

    def verify(self, progress: Callable[[int], None] = lambda _number: None) -> str:
        """Repeat all that is recorded and compare at every snapshot; say what differs first, "" where nothing does."""
        self.leave_present()
        self.place(0)
        self.engine.quiet(on=True)
        try:
            for number in range(1, len(self.snapshots)):
                before, goal = self.snapshots[number - 1], self.snapshots[number]
                trouble = self.system.reach(goal.position)
                trouble = trouble or self.system.difference(goal.state) or self._page_difference(before.pages)
                if trouble:
                    return f"replay diverged between {before.position} and {goal.position}: first {trouble}"
                self.place(number)
                progress(number)
        finally:
            self.engine.quiet(on=False)
        return ""

    def _page_difference(self, then: Pages) -> str:
        """Compare memory after a repeated interval with what it was; returns the first address that differs, in words."""
        kept = self.engine.take_kept()
        wanted: Pages = {}
        for page, contents in kept:                  # changed now, though not then: it should be as before
            wanted.setdefault(page, contents)
        self.engine.kept[:0] = kept
        wanted |= then
        for page in sorted(wanted):
            data, now = wanted[page], self._read(page)
            if data is None or now is None or data == now:
                continue
            at = next(i for i in range(PAGE) if data[i] != now[i])
            return f"memory at {self.system.where((page << PAGE_SHIFT) + at)}"
        return ""

    def cut(self, ended: Any) -> Branch | None:
        """Be live at a place in the past: another future begins. Returns the one that was, which `switch` brings back."""
        if self.system.live:
            return None
        future = self.system.resume(cut=True)        # says so where that is not possible
        self.insert()
        branch = self._take_tail(future, ended)
        self.branches.append(branch)
        while self.size + sum(b.size for b in self.branches) > self.limit and len(self.branches) > 1:
            self._drop(self.branches[0])
        self.recorded = self.snapshots[self.base].taken
        self._due = 0.0
        self._looked = monotonic()
        return branch

    def _drop(self, branch: Branch) -> None:
        self.branches.remove(branch)
        branch.fork.forks -= 1
        self.system.drop_future(branch.future)

    def _take_tail(self, future: Any, ended: Any) -> Branch:
        """Take what comes after the base snapshot off the line."""
        fork = self.snapshots[self.base]
        self._numbers += 1
        branch = Branch(self._numbers, fork, fork.pages, self.snapshots[self.base + 1:], future, ended)
        del self.snapshots[self.base + 1:]
        fork.pages = {}
        fork.forks += 1
        self.size -= branch.size
        return branch

    def switch(self, branch: Branch, ended: Any) -> Branch:
        """Put another future in the place of the present one, which becomes a branch; the system stands where they part."""
        if branch.fork not in self.snapshots:
            raise HistoryError(f"branch {branch.number} leaves another future than this one: switch to that first")
        self.leave_present()
        self.place(self.snapshots.index(branch.fork))
        other = self._take_tail(self.system.swap_future(branch.future), ended)
        self.branches[self.branches.index(branch)] = other
        branch.fork.pages, branch.fork.forks = branch.pages, branch.fork.forks - 1
        self.snapshots += branch.tail
        self.size += branch.size
        return other

    def resume(self) -> None:
        """Go to the end of the recording and be live again, unless it was made elsewhere."""
        if self.end is not None:
            self.seek(self.end)
            return
        self.place(len(self.snapshots) - 1)
        self.system.resume()
        self._looked = monotonic()


__all__ = ["History", "HistoryError", "Saved", "Snapshot"]
