"""The strip of time: what happened when, in as many pieces as there are columns."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from xemu.debug.events import KINDS, Event, events_of
from xemu.tui.queries import query

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger


class Strip(NamedTuple):
    """Columns of equal time, from beat `first` to `last`. `columns`: by number, what is in them: (kind, how often), as KINDS has them."""

    width: int
    first: int
    last: int
    here: int
    columns: dict[int, tuple[tuple[str, int], ...]]
    near: Event | None                               # the last event up to the present place
    near_here: bool                                  # the guest stands at it

    def column(self, beat: int) -> int:
        """Return the column of a beat."""
        return min(max(beat - self.first, 0) * (self.width - 1) // max(self.last - self.first, 1), self.width - 1)

    def beats(self, column: int) -> tuple[int, int]:
        """Return the first and last beat of a column."""
        span, pieces = max(self.last - self.first, 1), max(self.width - 1, 1)
        return self.first - (-column * span // pieces), self.first - (-(column + 1) * span // pieces) - 1


@query(live=True)
def timeline(d: Debugger, *, width: int) -> Strip:
    """Return the strip for so many columns."""
    events = events_of(d)
    events.all()
    here = d.position
    first, last = (d.history.first.beat, max(d.history.last.beat, here.beat)) if d.recording else (0, here.beat)
    strip = Strip(max(width, 2), first, last, here.beat, {}, None, near_here=False)
    for kind in KINDS:
        beats = events.beats[kind]
        at = 0
        while at < len(beats):
            column = strip.column(beats[at])
            after = bisect_left(beats, strip.beats(column)[1] + 1, at + 1)
            strip.columns[column] = (*strip.columns.get(column, ()), (kind, after - at))
            at = after
    near = events.present()
    return strip._replace(near=near, near_here=near is not None and near.beat == here.beat)
