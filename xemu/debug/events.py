"""What has happened to a guest, by time: exceptions, stops, output, system calls, signals, checkpoints.

The list is filled while the guest is live; repeating the past adds nothing. It is bounded: where there are too many, older
events of the frequent kinds are left out, and those that stay say how many they stand for.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xemu.core.engine import SKIPPED
from xemu.debug.arm_frames import exception_name
from xemu.debug.episodes import ENTERED
from xemu.debug.event import ANY, KINDS, Event
from xemu.debug.machine import is_asynchronous
from xemu.debug.outputs import TEXT, Lines, shown
from xemu.debug.stops import Position, Stop, StopKind
from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.debugger import Debugger
    from xemu.debug.history import Branch

LIMIT = 16_384           # events
WAITING = 4_096          # exceptions that are noted before events are made of them
FREQUENT = frozenset({"irq", "output", "call"})
#: what the debugger's motions do by themselves: no events
SILENT = frozenset({StopKind.STEP, StopKind.REACHED, StopKind.HISTORY_BEGIN, StopKind.HISTORY_END, StopKind.SYSCALL_ENTRY,
                    StopKind.SYSCALL_RETURN, StopKind.EXCEPTION, StopKind.IRQ, StopKind.SIGNAL})


_event = Event._make


class Events:
    """The events of one guest, told of by its debugger."""

    def __init__(self, d: Debugger, limit: int = LIMIT) -> None:
        self.debugger, self.system, self.limit = d, d.system, limit
        self.items: list[Event] = []                     # in order
        self.beats: dict[str, list[int]] = {kind: [] for kind in KINDS}
        self._lines: dict[str, Lines] = {}
        self._futures: dict[int, list[Event]] = {}       # of branches
        self._checkpoints: dict[str, Position] = {}
        self._raw: list[tuple[int, int, int, int]] = []  # exceptions that are no events yet: beat, transition, insns, number
        self._recorded = d.history.end is not None       # a recording from elsewhere: it is never live
        self.machine: Any = getattr(d.system, "machine", None)
        catches, signals = d.system.catches, d.system.signals

        def caught(kind: str, number: int, name: str) -> bool:
            self._caught(kind, number)
            return catches(kind, number, name)

        def signalled(number: int) -> bool:
            self._signalled(number)
            return signals(number)

        d.system.catches, d.system.signals = caught, signalled
        if self.machine is None:
            self._listen_to_calls(d.system)
        if self.machine is not None:
            self._listen(self.machine)
        d.events = self

    def _listen_to_calls(self, system: Any) -> None:
        """Note system calls when they are entered."""
        about_to = system.about_to

        def told(what: str, number: int) -> Any:
            if what == ENTERED and system.live:
                self._called(system.call_name(number))
            return about_to(what, number)

        system.about_to = told

    def _called(self, name: str) -> None:
        """A system call is about to be made."""
        if name not in ("write", "writev") or not self._printed(name):
            self.add(Event(*self._place(), "call", name))

    def _listen(self, machine: Any) -> None:
        """Note exceptions that a live machine enters: these are many, and nobody else may want to know."""
        d, engine, door, entered, raw = self.debugger, machine.engine, machine.door, machine.on_exception, self._raw
        cells = engine.cells

        def note(number: int) -> bool:
            if door.at is not None:
                return bool(entered(number))
            insns = engine.insns                         # exact: native code is not running
            raw.append((insns + cells[SKIPPED], machine.moved + machine.events.done, insns, number))
            if len(raw) >= WAITING:
                self._flush()
            return bool(d.points.by_id or d.stepping) and bool(entered(number))

        machine.on_exception = note

    # -- being told ------------------------------------------------------------------------------------------------------
    def add(self, event: Event) -> None:
        """Put an event in its place."""
        if self._raw:
            self._flush()
        items, beats = self.items, self.beats[event[3]]
        if not items or items[-1][0] < event[0] or items[-1] < event:
            items.append(event)
        else:
            at = bisect_left(items, event)
            if at < len(items) and items[at] == event:
                return
            items.insert(at, event)
        if not beats or beats[-1] <= event[0]:
            beats.append(event[0])
        else:
            insort(beats, event.beat)
        if len(items) > self.limit:
            self._thin()

    def _flush(self) -> None:
        """Make events of the exceptions that were noted."""
        raw = self._raw[:]
        self._raw.clear()
        kinds = {number: ("irq" if is_asynchronous(number) else "exception", exception_name(number)) for number in {r[3] for r in raw}}
        made = [_event((beat, transition, insns, *kinds[number], "", 1)) for beat, transition, insns, number in raw]
        if self.items and self.items[-1] > made[0]:
            for event in made:
                self.add(event)
            return
        self.items += made
        for kind in ("irq", "exception"):
            self.beats[kind] += [event[0] for event in made if event[3] == kind]
        if len(self.items) > self.limit:
            self._thin()

    def _place(self) -> tuple[int, int, int]:
        if self.machine is not None:
            insns = self.machine.engine.count
            return insns + self.machine.engine.skipped, self.machine.transitions, insns
        position = self.system.position
        return position.beat, position.transition, position.insns

    def _caught(self, kind: str, number: int) -> None:
        """Something happened that can be caught."""
        if not (self.system.live or self._recorded) or (self.system.live and kind in ("irq", "exception")):
            return
        if kind in ("irq", "exception"):
            self.add(Event(*self._place(), kind, exception_name(number)))
        elif kind != "syscall":                      # these are noted when they are entered
            self.add(Event(*self._place(), "process", f"{kind} {number}" if number else kind))

    def _signalled(self, number: int) -> None:
        from xemu.user.strace_names import SIGNALS

        if self.system.live:
            self.add(Event(*self._place(), "signal", SIGNALS.get(number, f"SIG{number}")))

    def stopped(self, stop: Stop) -> None:
        """The guest stands, and the user sees it."""
        if self.system.live:
            for lines in self._lines.values():
                lines.end()
                lines.settle()
        if stop.kind not in SILENT:
            p = stop.position
            event = Event(p.beat, p.transition, p.insns, "stop", stop.kind.value, "" if stop.text == stop.kind.value else stop.text)
            self.add(event)

    def _sync(self) -> None:
        """Have checkpoints in the list as the debugger has them, and nothing that can no longer be reached."""
        if self.items and self.items[0].beat < self.debugger.history.first.beat:
            self._replace(self.items[bisect_left(self.items, (self.debugger.history.first.beat, ANY)):])
        now = self.debugger.checkpoints
        if now != self._checkpoints:
            self._replace([e for e in self.items if e.kind != "checkpoint"])
            for name, p in now.items():
                self.add(Event(p.beat, p.transition, p.insns, "checkpoint", name))
            self._checkpoints = dict(now)

    # -- output ----------------------------------------------------------------------------------------------------------
    def output(self, channel: str, data: bytes) -> None:
        """Take what a machine sends, at once: an event for each line, at the beat of its first byte."""
        if not self.system.live or not data:
            return
        lines = self._lines.get(channel)
        if lines is None:
            lines = self._lines[channel] = Lines(channel, self.add, self._grow)
        if not lines.goes_on(data):
            lines.take(data, self.machine.written_at(len(data)), self.machine.engine.skipped)

    def _grow(self, event: Event, lines: int) -> Event:
        """Have an output event that is in the list stand for more lines."""
        grown = event._replace(times=event.times + lines)
        at = bisect_left(self.items, event)
        if at < len(self.items) and self.items[at] == event:             # it may be left out by now
            self.items[at] = grown
        return grown

    def _printed(self, name: str) -> bool:
        """Note that a program is about to write to its output or error channel; False: it writes elsewhere."""
        process = self.system.process  # type: ignore[attr-defined]
        fd, address, length = (process.argument(index) for index in range(3))
        if fd not in (1, 2):
            return False
        text = ""
        if name == "write":
            text = shown(self.system.read_memory(address, min(length, TEXT)))
        self.add(Event(*self._place(), "output", "stdout" if fd == 1 else "stderr", text))
        return True

    # -- bounds ----------------------------------------------------------------------------------------------------------
    def _replace(self, items: list[Event]) -> None:
        self.items = items
        self.beats = {kind: [] for kind in KINDS}
        for event in items:
            self.beats[event.kind].append(event.beat)

    def _thin(self) -> None:
        """Leave out every second of the older half of each frequent kind; the one before it stands for it, too."""
        half = len(self.items) // 2
        kept: list[Event] = []
        last: dict[tuple[str, str], int] = {}            # where the one before stands that takes the next one in
        for event in self.items[:half]:
            key = event.kind, event.name
            if event.kind in FREQUENT and key in last:
                at = last.pop(key)
                kept[at] = kept[at]._replace(times=kept[at].times + event.times)
            else:
                last[key] = len(kept)
                kept.append(event)
        if len(kept) > self.limit * 3 // 8:              # what is rare is too much as well
            kept = kept[len(kept) // 4:]
        self._replace(kept + self.items[half:])

    # -- other futures ---------------------------------------------------------------------------------------------------
    def cut(self, branch: Branch | None) -> None:
        """Another future begins here: what was after this place belongs to a branch."""
        place = self.system.position
        at = bisect_right(self.items, (place.beat, place.transition + 1))
        self._lines.clear()
        if self._raw:
            self._flush()
        if branch is not None:
            self._futures[branch.number] = self.items[at:]
        self._replace(self.items[:at])

    def switched(self, number: int, other: Branch) -> None:
        """A branch has become the future; the guest stands where they part."""
        self.cut(other)
        for event in self._futures.pop(number, []):
            self.add(event)

    # -- asking ----------------------------------------------------------------------------------------------------------
    def all(self) -> list[Event]:
        """Return all events in their order."""
        if self._raw:
            self._flush()
        self._sync()
        return self.items

    def find(self, *, back: bool, kind: str = "", name: str = "") -> Event | None:
        """Return the next event after the guest's place, or the last one before it."""
        here = self.system.position
        items = self.all()
        at = bisect_left(items, (here.beat, ANY))
        if back:
            found: Iterator[Event] = (e for e in reversed(items[:bisect_right(items, (here.beat + 1,))]) if _before(e, here))
        else:
            found = (e for e in items[at:] if _after(e, here))
        return next((e for e in found if kind in ("", e.kind) and name in ("", e.name)), None)

    def present(self) -> Event | None:
        """Return the last event that is not after the guest's place."""
        here = self.system.position
        items = self.all()
        for i in range(bisect_right(items, (here.beat + 1,)) - 1, -1, -1):
            if not _after(items[i], here):
                return items[i]
        return None

    def go(self, event: Event) -> Stop:
        """Seek to an event."""
        stop = self._seek(event)
        known = next((e for e in self.items[bisect_left(self.items, event[:4]):] if e[:4] == event[:4]), event)
        self.debugger.stop = replace(stop, text=known.words or stop.text)
        return self.debugger.stop

    def _seek(self, event: Event) -> Stop:
        d = self.debugger
        if event.transition == ANY:
            return d.seek(f"{event.beat / self.system.rate:.12f}s")
        same = [e for e in self.items[bisect_left(self.items, (event.beat, event.transition)):] if e.beat == event.beat]
        places = [e.transition for e in same if e.kind in ("irq", "exception") and e.insns == event.insns]
        transition = event.transition
        while event.kind in ("irq", "exception") and transition + 1 in places:       # one after the other, with no place between
            transition += 1
        return d.seek(Position(event.beat, transition, event.insns))

    def go_between(self, low: int, high: int) -> Stop:
        """Seek to the foremost of the events between two beats, or else to the first beat."""
        items = self.all()
        found = items[bisect_left(items, (low, ANY)):bisect_left(items, (high + 1, ANY))]
        if not found:
            first, last = self.debugger.history.first, self.debugger.history.last
            return self.debugger.seek(f"{max(first.beat, min(low, last.beat)) / self.system.rate:.12f}s")
        return self.go(min(found, key=lambda event: KINDS.index(event.kind)))

    def go_next(self, *, back: bool, same: bool = False) -> Stop:
        """Seek to the next event after here, or the last before; `same`: as the one that was last."""
        kind = name = ""
        if same and (now := self.present()) is not None:
            kind, name = now.kind, now.name if now.kind not in ("stop", "checkpoint") else ""
        event = self.find(back=back, kind=kind, name=name)
        if event is None:
            raise UsageError(f"no {name or kind or 'event'} {'before' if back else 'after'} this place is known")
        return self.go(event)


def events_of(d: Debugger) -> Events:
    """Return a guest's events; from the first time on they are collected."""
    return d.events or Events(d)


def _before(event: Event, here: Position) -> bool:
    return event.beat < here.beat or (event.beat == here.beat and ANY < event.transition < here.transition)


def _after(event: Event, here: Position) -> bool:
    return event.beat > here.beat or (event.beat == here.beat and event.transition > here.transition)


__all__ = ["ANY", "KINDS", "Event", "Events", "events_of"]
