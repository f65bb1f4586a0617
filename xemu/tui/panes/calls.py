"""The tree of calls that led here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.tui.keys import Key
from xemu.tui.pane import Pane
from xemu.tui.text import Line, Span, line

if TYPE_CHECKING:
    from xemu.tui.queries.calls import Row, Tree

FIRST, MOST = 500, 16_000


def row_line(row: Row) -> Line:
    """Return a call's line."""
    words = [Span(f"{row.insns:>11,}  ", "time"), Span("│ " * row.depth, "dim")]
    if row.handler:
        words.append(Span("▲", "device"))
    words.append(Span(row.name, "pc" if row.open else "label"))
    if row.times > 1:
        words.append(Span(f" ×{row.times:,}", "changed"))
    words.append(Span(f"  {row.inside:,}{' …' if row.open else ''}", "dim"))
    return Line(tuple(words), (row.insns, row.transition, row.depth), act=("seek", row.beat, row.transition, row.insns))


def tree_lines(data: Tree) -> list[Line]:
    """Return all lines: when a function was entered, its name, the instructions until its return."""
    since = "since the start" if data.whole else f"in the last {data.end - data.start:,} instructions"
    top = line((f"calls {since}", "dim"), ("" if data.whole else "   m: more", "dim"), key="top", act=() if data.whole else ("more",))
    return [top, *map(row_line, data.rows)]


class Calls(Pane):
    """The calls on the way to the present place."""

    pane, title, group = "calls", "Calls", 6
    query_name = "calls.tree"
    keys = (Key("m", "more", "Look further back"),)

    def __init__(self) -> None:
        super().__init__()
        self.most = FIRST

    def arguments(self) -> dict[str, Any]:
        """Return what is asked for."""
        return {"most": self.most}

    def view(self, data: Tree, before: Any) -> list[Line]:
        """Return the lines."""
        del before
        return tree_lines(data)

    def put(self, data: Any, stop: int) -> None:
        """Take new data; after a stop the present place is in view."""
        moved = stop and stop != self.stop
        super().put(data, stop)
        if moved:
            self.look_at(len(self.lines) - 1)

    def action_more(self) -> None:
        """Look further back."""
        self.most = min(self.most * 2, MOST)
        self.ask()

    act_more = action_more

    def act_seek(self, beat: int, transition: int, insns: int) -> None:
        """Go to where a function was entered."""
        self.screen_app.act_do("seek_position", beat=beat, transition=transition, insns=insns)


PANES = (Calls,)
