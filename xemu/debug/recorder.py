"""Writes down what a process does between two runs of native code, as episodes, and leaves its loop for what somebody waits for."""

from __future__ import annotations

import os
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING, Any

from xemu.core.engine import PLAIN_CALL, ExitKind
from xemu.core.memory import PAGE_SHIFT
from xemu.debug.delivery import Delivery
from xemu.debug.episodes import CALL, ENTERED, EXECUTED, LEFT, OTHER, SIGNALLED, TRAP, Episode
from xemu.debug.journal import Journal
from xemu.debug.stops import StopKind
from xemu.debug.system import Event
from xemu.user.tables import ALL, NOTHING, STATE

if TYPE_CHECKING:
    from xemu.core.engine import Exit
    from xemu.debug.process import ProcessSystem
    from xemu.user.task import Task

SLICE = 0.01             # seconds between two looks at what front ends want
BEFORE = (ExitKind.FAULT, ExitKind.UNDEFINED, ExitKind.BREAKPOINT, ExitKind.EXCEPTION)      # exits whose instruction did not happen


class Left(Exception):  # noqa: N818  not an error: it takes the debugger out of the process's loop
    """The loop is left for an event."""

    def __init__(self, event: Event) -> None:
        super().__init__(event)
        self.event = event


class Recorder:
    """Runs the engine for the process's scheduler, and writes down what happens in between."""

    def __init__(self, system: ProcessSystem) -> None:
        self.system, self.process, self.engine = system, system.process, system.engine
        self.episodes: list[Episode] = []
        self.exit = b""                            # the state when native code was left
        self.cause = OTHER
        self.threads: tuple[int, ...] = ()
        self.wrote: list[tuple[int, int]] = []     # ranges that were handed out for writing since then
        self.open: list[tuple[int, int]] = []      # … and that calls which wait still hold
        self.steps = 0                             # how often such calls had gone on then
        self.changed: list[tuple[int, int]] = []   # ranges whose mapping changed
        self.held: dict[int, Exit] = {}            # thread -> system call that somebody looks at before it is made
        self.made = -1                             # number of the call that native code was left for
        self.late = -1                             # … of one that is made after others have run
        self.argument = -1                         # … and its first argument
        self.calls: dict[int, int] = {}            # thread -> number of the call it makes
        self.left: Exit = PLAIN_CALL               # how native code was left for the last call
        self.notes: list[tuple[str, int]] = []     # what the episode under way was
        self.journal: Journal | None = None        # where the past may be changed
        self.delivery = Delivery(self.process)
        self.parent: Task | None = None            # who has made the last child
        self.goal: int | None = None
        self.until = 0.0
        self.detached = False
        self._number, self._block, self._first = self.process.call_access()

    def start(self) -> None:
        """Begin to write down."""
        self.attach()
        self.process.forked.append(self.detach)
        self.process.executed.append(self.system.note_exec)
        self.journal = Journal(self.process)
        self.begin()

    def begin(self) -> None:
        """Begin at a place of which nothing is under way."""
        self.threads = self._threads()
        self.exit, self.cause = self.engine.state.save(), OTHER
        self.made, self.held, self.process.new_child = -1, {}, None
        self.delivery.forget()
        self.calls, self.notes, self.wrote, self.open, self.changed = {}, [], [], [], []

    def stream(self) -> None:
        """Episodes go to a file: nobody goes back to change the past."""
        self.journal, self.process.fds.remember = None, False

    def attach(self) -> None:
        """Be told of what others than instructions write and map: while the process is live."""
        space = self.process.space
        space.wrote = lambda address, length: self.wrote.append((address, length))
        space.changing = self._changing

    def detach(self) -> None:
        """Let a forked child run free."""
        self.detached = True
        self.system.let_go()
        space = self.process.space
        space.wrote = space.changing = space.keep = None
        self.process.scheduler.observer = None
        for address in list(self.engine.points):
            self.engine.clear_point(address)
        self.engine.watch([])
        self.engine.keep_no_pages()

    def _threads(self) -> tuple[int, ...]:
        return tuple(sorted(self.process.tasks))

    def _changing(self, address: int, length: int) -> None:
        """Keep what a change of mappings destroys."""
        space = self.process.space
        for page in space.held(address, length):
            self.engine.keep_page(page)
        self.changed.append((address, length))

    # -- episodes --------------------------------------------------------------------------------------------------------
    def close(self) -> None:
        """End the episode that is under way: write down what it changed."""
        process, state, scheduler = self.process, self.engine.state, self.process.scheduler
        now = state.save()
        threads = self._threads()
        change, notes = self._what()
        quiet = not notes and not change and threads == self.threads
        went_on, self.steps = self.steps != scheduler.steps, scheduler.steps
        if quiet and now == self.exit and not self.wrote and not self.changed and not (self.open and went_on):
            return
        writes = self._writes(parked=bool(scheduler.parked), went_on=went_on) if self.wrote or self.open else ()
        areas, emptied = None, tuple(self.changed)
        if self.changed:
            areas = [a.part(a.start, a.end) for a in process.space.areas()]
            writes = (*writes, *self._mapped())
        delta = _delta(self.exit, now)
        if quiet and delta is None and not writes and areas is None:
            return
        current = scheduler.current
        if current is not None and current.tid != self.system.running:
            self.system.running = current.tid
            change = max(change, STATE)
        episode = Episode(self.engine.insns, self.cause, self.system.running, threads if threads != self.threads else None,
                          delta, writes, areas, emptied, notes)
        self.episodes.append(episode)
        if self.journal is not None:
            change = change if self.cause is CALL else max(change, STATE)
            self.journal.note(len(self.episodes), change, self.argument, self.held)
        if notes:
            self.system.happened(episode)
        self.threads, self.exit, self.cause = threads, now, OTHER

    def _what(self) -> tuple[int, tuple[tuple[str, int], ...]]:
        """Return what an episode may have changed in the process's tables, and what it was."""
        process, notes = self.process, self.notes
        change = NOTHING
        made, self.made = self.made, -1
        if self.late >= 0 and self.journal is not None:
            change = self.journal.change_of(self.late)
        self.late = -1
        current = process.scheduler.current
        tid = self.system.running if current is None else current.tid
        if made >= 0 and self.system.running in self.held:
            self.notes.append((ENTERED, made))       # the call itself is made later
        elif made >= 0:
            if self.journal is not None:
                change = self.journal.change_of(made)
            if not process.scheduler.changed and not notes and process.new_child is None and not self.system.exec_seen:
                self.calls.pop(tid, None)
                return change, _plain_call(made)     # the usual case
            notes.insert(0, (ENTERED, made))
        if current is not None and tid in self.calls and tid not in self.held:
            notes.append((LEFT, self.calls.pop(tid)))
        if process.scheduler.changed:
            process.scheduler.changed, change = False, ALL
        if process.new_child is not None:
            kind, child, self.parent = process.new_child
            notes.append((kind, child))
            process.new_child = None
        if self.system.exec_seen:
            notes.append((EXECUTED, 0))
            self.system.exec_seen = False
        self.notes = []
        return change, tuple(notes)

    def _writes(self, *, parked: bool, went_on: bool) -> tuple[tuple[int, bytes], ...]:
        """Return what stands in the ranges that were handed out. Those of calls that wait may be written when one of them goes on."""
        mem, limit = self.process.space.mem, self.process.space.limit
        ranges = dict.fromkeys([*(self.open if went_on else ()), *self.wrote])
        self.open, self.wrote = list(dict.fromkeys([*self.open, *self.wrote])) if parked else [], []
        return tuple((at, bytes(mem[at:at + n])) for at, n in ranges if n and at + n <= limit and self.process.space.area_at(at))

    def _mapped(self) -> tuple[tuple[int, bytes], ...]:
        """Return the contents of ranges that were mapped."""
        space, out = self.process.space, []
        for address, length in self.changed:
            for page in space.held(address, length):
                self.engine.keep_absence(page)
                out.append((page << PAGE_SHIFT, space.page(page)))
        self.changed.clear()
        return tuple(out)

    def touch_open(self) -> None:
        """After a snapshot: ranges that calls still hold may change unnoticed, so take them for changed."""
        for address, length in self.open:
            for page in range(address >> PAGE_SHIFT, (address + length - 1 >> PAGE_SHIFT) + 1):
                if self.process.space.area_at(page << PAGE_SHIFT) is not None:
                    self.engine.keep_page(page)

    # -- what the scheduler calls ----------------------------------------------------------------------------------------
    def leave(self, event: Event) -> None:
        """Leave the scheduler's loop."""
        self.process.scheduler.attention = True
        raise Left(event)

    def run(self, budget: int) -> Any:
        """Run the engine for at most so many instructions."""
        if self.detached:
            return self.engine.run(budget)
        current = self.process.scheduler.current
        if self.held and current is not None and (waiting := self.held.pop(current.tid, None)) is not None:
            if self.made < 0:                        # others have run meanwhile
                self.late, self.argument = self._number(), self._argument()
            return waiting
        self.close()
        self._before()
        engine = self.engine
        if self.goal is not None:
            if engine.insns >= self.goal:
                self.leave(Event(StopKind.REACHED))
            budget = min(budget, self.goal - engine.insns)
        left = engine.run(budget)
        kind = left.kind
        self.exit = engine.state.save()
        self.cause = CALL if kind is ExitKind.SYSCALL else TRAP if kind in BEFORE else OTHER
        if kind is ExitKind.POINT:
            self.leave(Event(StopKind.BREAKPOINT))
        elif kind is ExitKind.WATCH:
            self.leave(Event(StopKind.WATCHPOINT, watch=left.number))
        elif kind is ExitKind.SYSCALL:
            self._call(left)
        elif self.goal is not None and engine.insns >= self.goal and kind is ExitKind.BUDGET:
            self.leave(Event(StopKind.REACHED))
        return left

    def _before(self) -> None:
        """Look around before native code runs: what has just happened may be what somebody waits for."""
        if (number := self.system.outside()) >= 0:
            self.leave(Event(StopKind.WATCHPOINT, watch=number, done=True))
        if self.system.due:
            event = self.system.due.pop(0)
            if event.kind in (StopKind.FORK, StopKind.VFORK) and self.parent is not None:
                self.process.scheduler.interject(self.parent)
                self.system.turn_to(self.parent)
            self.leave(event)
        self.look()

    def look(self) -> None:
        """Leave where somebody waits, a slice is over, or nobody is left to run."""
        only = self.process.scheduler.only
        if only is not None and only.isdisjoint(self.process.tasks):
            self.system.turn_to(next(iter(self.process.tasks.values())))
            self.leave(Event(StopKind.HELD, text="every thread that may run has ended; the others are held"))
        if self.system.alone and self._waits_for_ever():
            self.leave(Event(StopKind.IDLE, text="waits for input"))
        if self.system.pausing:
            self.system.pausing = False
            self.leave(Event(StopKind.PAUSE))
        if self.system.nudged or monotonic() >= self.until:
            self.system.nudged = False
            self.leave(Event(None))

    def _waits_for_ever(self) -> bool:
        """Whether all threads wait, for each other or for what somebody types."""
        process, scheduler = self.process, self.process.scheduler
        if scheduler.current is not None or scheduler.ready or scheduler.timers or process.children:
            return False
        waits = [task.wait for task in scheduler.parked]
        return all(wait is not None and wait.deadline is None and not wait.woken and all(map(os.isatty, dict(wait.descriptors)))
                   for wait in waits)

    def _call(self, left: Exit) -> None:
        self.enter(left)
        if (event := self.system.about_to(ENTERED, self.made)) is not None:
            self.held[self.system.running] = left
            self.leave(event)

    def enter(self, left: Exit) -> None:
        """Note that native code was left for a system call."""
        self.left, self.made, self.argument = left, self._number(), self._argument()
        task = self.process.scheduler.current
        if task is not None:
            self.calls[task.tid] = self.made

    def _argument(self) -> int:
        return int.from_bytes(self._block[self._first:self._first + 4], "little", signed=True)

    def end(self) -> None:
        """The process has ended: write down the last episode."""
        self.calls.clear()
        self.cause, self.process.scheduler.changed = CALL, True
        self.close()

    def shows(self, number: int) -> bool:
        """Say whether signals of a number stop the process before they are delivered."""
        return not self.detached and self.system.signals(number)

    def signal(self, task: Task, info: Any) -> bool:
        """Show a signal before it is delivered; returns whether it is."""
        if self.detached:
            return True
        decided = self.delivery.decided(info)
        if decided is not None:
            if decided:
                self.notes.append((SIGNALLED, info.signo))
            return decided
        event = self.system.about_to(SIGNALLED, info.signo)
        if event is None:
            self.notes.append((SIGNALLED, info.signo))
            return True
        self.delivery.show(task, info)
        self.system.running = task.tid
        self.close()
        where = f" at {info.address:#x}" if getattr(info, "kind", "") == "fault" else ""
        self.leave(event._replace(text=event.text + where))
        return True


@cache
def _plain_call(number: int) -> tuple[tuple[str, int], ...]:
    """Return what the episode of a system call is that nothing came between."""
    return (ENTERED, number), (LEFT, number)


def _delta(before: bytes, now: bytes) -> tuple[int, bytes] | None:
    """Return offset and bytes of what differs, in one piece."""
    if before == now:
        return None
    if len(before) != len(now):
        return 0, now
    first, last = 0, len(now)
    while before[first:first + 64] == now[first:first + 64]:
        first += 64
    while last - 64 > first and before[last - 64:last] == now[last - 64:last]:
        last -= 64
    return first, now[first:last]


__all__ = ["SLICE", "Left", "Recorder"]
