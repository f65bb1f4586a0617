"""What has happened: interrupts, stops, output, system calls, signals, checkpoints, by time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.tui.header import time_text
from xemu.tui.keys import Key
from xemu.tui.pane import Pane
from xemu.tui.text import Line, Span, line
from xemu.tui.timeline import MARKS

if TYPE_CHECKING:
    from xemu.debug.events import Event
    from xemu.tui.queries.events import Listed

NAMES = {"call": "system call", "irq": "interrupt"}
SIGNS = {**MARKS, "irq": ("▂", "device"), "call": ("▂", "read")}


def event_line(event: Event, data: Listed) -> Line:
    """Return an event's line."""
    sign, style = SIGNS[event.kind]
    when = time_text(event.beat, data.rate) if data.machine else f"{event.insns:,}"
    many = f" ×{event.times:,}" if event.times > 1 else ""
    words = [Span(f"{when:>13} ", "time"), Span(f"{sign} ", style), Span(f"{event.name}{many}", "label")]
    if event.text:
        words.append(Span(f"  {event.text}", "string" if event.kind == "output" else ""))
    return Line(tuple(words), event[:5], act=("seek", event.beat, event.transition, event.insns, event.kind))


def events_lines(data: Listed, kind: str) -> list[Line]:
    """Return all lines; the place where the guest stands is one if it is in the past."""
    lines = [event_line(event, data) for event in data.events]
    if not data.live:
        lines.insert(data.here, line(("            ─●─ the guest is here", "changed"), key="here"))
    if kind:
        lines.insert(0, line((f"only: {NAMES.get(kind, kind)}", "title"), ("  x: other kinds", "dim"), key="title"))
    return lines or [line(("nothing has happened yet", "dim"))]


class Events(Pane):
    """The events around the present place."""

    pane, title, group = "events", "Events", 6
    query_name = "events.events"
    follows = True
    keys = (Key("x", "kind", "All events, or those of one kind only"),)

    def __init__(self) -> None:
        super().__init__()
        self.kind = ""

    def arguments(self) -> dict[str, Any]:
        """Return what is asked for."""
        return {"kind": self.kind}

    def view(self, data: Listed, before: Any) -> list[Line]:
        """Return the lines."""
        del before
        return events_lines(data, self.kind)

    def put(self, data: Any, stop: int) -> None:
        """Take new data; at a stop the place where the guest stands is in view."""
        moved = stop and stop != self.stop
        super().put(data, stop)
        if moved:
            here = next((i for i, item in enumerate(self.lines) if item.key == "here"), len(self.lines) - 1)
            self.look_at(here)

    def action_kind(self) -> None:
        """Show another kind alone, or all."""
        kinds = ["", *(name for name, _ in getattr(self.data, "kinds", ()))]
        self.kind = kinds[(kinds.index(self.kind) + 1) % len(kinds)] if self.kind in kinds else ""
        self.ask()

    def act_seek(self, beat: int, transition: int, insns: int, kind: str) -> None:
        """Go to an event."""
        self.screen_app.act_do("seek_event", beat=beat, transition=transition, insns=insns, kind=kind)


PANES = (Events,)
