"""The machine's events: what happens at which beat, in the order of (beat, sequence)."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from xemu.errors import XemuError

if TYPE_CHECKING:
    from collections.abc import Callable

NEVER = 1 << 63          # a beat nobody reaches


class Event:
    """Something due at a beat."""

    __slots__ = ("action", "beat", "sequence")

    def __init__(self, beat: int, sequence: int, action: Callable[[], None] | None) -> None:
        self.beat, self.sequence, self.action = beat, sequence, action

    def __lt__(self, other: Event) -> bool:
        return (self.beat, self.sequence) < (other.beat, other.sequence)


class Outside:
    """An action of the world outside, planned in machine time. It is no part of the machine: a repeated run does without."""

    def __init__(self, action: Callable[[], None], replaying: Callable[[], bool]) -> None:
        self.action, self.replaying = action, replaying

    def __call__(self) -> None:
        if not self.replaying():
            self.action()


class Events:
    """A queue of events. `sooner` is called when one becomes due before all others, `failed` when an action raises."""

    def __init__(self, sooner: Callable[[int], None], failed: Callable[[Any, Exception], None]) -> None:
        self.heap: list[Event] = []
        self.sequence = 0
        self.sooner, self.failed = sooner, failed
        self.beat: int | None = None         # of the event that is being run
        self.done = 0                        # events that were run

    def at(self, beat: int, action: Callable[[], None]) -> Event:
        """Have `action` called at a beat."""
        self.sequence += 1
        event = Event(beat, self.sequence, action)
        heapq.heappush(self.heap, event)
        if self.heap[0] is event:
            self.sooner(beat)
        return event

    @staticmethod
    def cancel(event: Event) -> None:
        """Forget an event."""
        event.action = None

    @property
    def next(self) -> int:
        """The beat of the next event, or NEVER."""
        heap = self.heap
        while heap and heap[0].action is None:
            heapq.heappop(heap)
        return heap[0].beat if heap else NEVER

    def run(self, now: int) -> None:
        """Do what is due at `now`."""
        try:
            while self.next <= now:
                event = heapq.heappop(self.heap)
                action, event.action = event.action, None
                self.beat = event.beat
                if action is not None:
                    self.done += not isinstance(action, Outside)
                    self._do(action)
        finally:
            self.beat = None

    def _do(self, action: Callable[[], None]) -> None:
        try:
            action()
        except XemuError:
            raise
        except Exception as e:  # noqa: BLE001  a mistake in a device model must not end the run
            self.failed(action, e)

    def save(self) -> list[tuple[int, int, Any]]:
        """Return what is to come, in order: beat, sequence, action."""
        return [(e.beat, e.sequence, e.action) for e in sorted(self.heap) if e.action is not None]

    def load(self, saved: list[tuple[int, int, Any]], sequence: int) -> None:
        """Put what devices have planned anew into the order it had, and plan what no device knows of."""
        planned: dict[Any, Event] = {(e.beat, e.action): e for e in self.heap if e.action is not None}
        for beat, number, action in saved:
            known = planned.get((beat, action))
            if known is None:
                self.heap.append(Event(beat, number, action))
            else:
                known.sequence = number
        self.sequence = sequence
        heapq.heapify(self.heap)

    def upcoming(self, count: int) -> list[tuple[int, str]]:
        """Return the next events of the machine: their beats, and what is due."""
        planned = (e for e in self.heap if e.action is not None and not isinstance(e.action, Outside))
        return [(e.beat, _title(e.action)) for e in heapq.nsmallest(count, planned)]

    def clear(self) -> None:
        """Forget all."""
        for event in self.heap:
            event.action = None
        self.heap.clear()


def _title(action: Any) -> str:
    """Return an action in words: "timer0.clock", "uart0 deliver"."""
    owner = getattr(action, "__self__", None)
    title = getattr(owner, "title", None)
    if isinstance(title, str):
        return title
    what = getattr(action, "__name__", "event").strip("_")
    return f"{name} {what}" if (name := getattr(owner, "name", "")) else what
