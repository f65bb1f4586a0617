"""The strip of time under the header."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.tui.header import Bar, time_text
from xemu.tui.text import Line, Span, line

if TYPE_CHECKING:
    from textual import events

    from xemu.tui.messages import Hello
    from xemu.tui.queries.timeline import Strip

EDGE = 2                 # columns in front of the strip
LABELLED = 100           # columns of a screen that has room for words beside the strip
WORDS = 34
NARROW_WORDS = 12
HEIGHTS = "▁▂▃▄"         # few to many interrupts or system calls
#: kind -> what it looks like; the foremost first, as `xemu.debug.events.KINDS`
MARKS = {"checkpoint": ("◆", "label"), "stop": ("■", "break"), "signal": ("✗", "error"), "exception": ("✗", "error"),
         "process": ("▲", "keyword"), "output": ("o", "string")}


def mark(found: tuple[tuple[str, int], ...]) -> tuple[str, str]:
    """Return what a column with some events looks like, and its style."""
    counts = dict(found)
    often = counts.get("irq", 0) + counts.get("call", 0)
    kind = next((name for name in MARKS if name in counts), "")
    if kind == "output" and often:
        return "┴", "string"
    if kind:
        return MARKS[kind]
    return HEIGHTS[min(often.bit_length() - 1, len(HEIGHTS) - 1)], "device" if "irq" in counts else "read"


def words_beside(width: int) -> int:
    """Return how many columns words beside the strip get."""
    return WORDS if width >= LABELLED else NARROW_WORDS


def strip_width(width: int) -> int:
    """Return the columns of time on a screen of some width."""
    return max(width - EDGE - 1 - words_beside(width), 2)


def strip_line(strip: Strip, hello: Hello | None, width: int) -> Line:
    """Draw the strip, what was last, and how long all of it is."""
    here = strip.column(strip.here)
    spans = [Span(" ├", "dim")]
    quiet = 0
    for column in range(strip.width):
        found = strip.columns.get(column)
        if column != here and not found:
            quiet += 1
            continue
        if quiet:
            spans.append(Span("─" * quiet, "dim"))
            quiet = 0
        spans.append(Span("●", "changed") if column == here else Span(*mark(found or ())))
    if quiet:
        spans.append(Span("─" * quiet, "dim"))
    spans.append(Span("┤", "dim"))
    room = words_beside(width)
    if hello is not None and hello.kind == "machine":
        length = time_text(strip.last - strip.first, hello.rate)
    else:
        length = f"{strip.last - strip.first:,}"
    words = f" {length}"
    if strip.near is not None and room == WORDS:
        words += f" {'●' if strip.near_here else '◂'} {strip.near.words}"
    words = words if len(words) <= room else words[:room - 1] + "…"
    return Line((*spans, Span(words, "time")))


class Timeline(Bar):
    """What happened when, and where in the recorded time the guest is."""

    def __init__(self) -> None:
        super().__init__(id="timeline")
        self.data: Strip | None = None
        self._asked = 0

    def ask(self, *, again: bool = False) -> None:
        """Ask for as many columns as there are."""
        width = strip_width(self.size.width)
        if self.size.width and (again or width != self._asked):
            self._asked = width
            self.debug_app.client.want("timeline", "timeline.timeline", width=width)

    def on_resize(self) -> None:
        """Ask again."""
        if self.debug_app.hello is not None:
            self.ask()

    def put(self, data: Strip) -> None:
        """Take new data."""
        if hasattr(data, "columns"):                 # else the query has failed, which the log says
            self.data = data
        self.refresh()

    def content(self) -> Line:
        """Return the line."""
        return line() if self.data is None else strip_line(self.data, self.debug_app.hello, self.size.width)

    def on_click(self, event: events.Click) -> None:
        """Go to what is there, or to that time."""
        strip = self.data
        if strip is not None and 0 <= event.x - EDGE < strip.width:
            low, high = strip.beats(event.x - EDGE)
            self.debug_app.act_do("seek_between", low=low, high=high)
