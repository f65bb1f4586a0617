"""The list of events around the present place."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from xemu.debug.events import KINDS, Event, events_of
from xemu.tui.queries import query

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger


class Listed(NamedTuple):
    """Events in order; `here`: before which of them the guest stands. `kinds`: those that there are, with how many are known."""

    events: tuple[Event, ...]
    here: int
    live: bool
    rate: int
    machine: bool
    kinds: tuple[tuple[str, int], ...]


@query(live=True)
def events(d: Debugger, *, kind: str = "", count: int = 300) -> Listed:
    """Return up to `count` events of one kind or all, those around the present place."""
    found = events_of(d)
    items, here = found.all(), d.position
    if kind:
        items = [event for event in items if event.kind == kind]
    at = bisect_left(items, (here.beat, here.transition + 1))
    first = max(0, min(at - count * 2 // 3, len(items) - count))
    kinds = tuple((name, len(found.beats[name])) for name in KINDS if found.beats[name])
    return Listed(tuple(items[first:first + count]), at - first, d.system.live, d.system.rate, d.system.kind == "machine", kinds)
