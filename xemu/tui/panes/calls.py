"""The tree of calls that led here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.tui.lookback import LookbackPane
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


class Calls(LookbackPane):
    """The calls on the way to the present place."""

    pane, title = "calls", "Calls"
    query_name = "calls.tree"
    first, furthest = FIRST, MOST

    def view(self, data: Tree, before: Any) -> list[Line]:
        """Return the lines."""
        del before
        return tree_lines(data)


PANES = (Calls,)
