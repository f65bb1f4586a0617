"""The memory map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.tui.pane import Pane
from xemu.tui.text import Line, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xemu.tui.queries.map import Range

STYLES = {"ram": "ram", "rom": "constant", "flash": "constant", "device": "device", "hole": "dim", "file": "code"}


def size_text(size: int) -> str:
    """Return a number of bytes in the unit that fits: "64K", "1.5M"."""
    for unit, shift in (("G", 30), ("M", 20), ("K", 10)):
        if size >= 1 << shift:
            return f"{size / (1 << shift):.4g}{unit}"
    return str(size)


def map_lines(ranges: Sequence[Range], before: Sequence[Range] | None, digits: int) -> list[Line]:
    """Return a line for each range; new ones are marked."""
    known = {(r.start, r.end, r.rights) for r in before} if before is not None else None
    lines = []
    for r in ranges:
        new = known is not None and (r.start, r.end, r.rights) not in known
        words = [Span("▶ " if "pc" in r.here else "  ", "pc"), Span(f"{r.start:0{digits}x}-{r.end - 1:0{digits}x}", "value"),
                 Span(f" {size_text(r.end - r.start):>6}", "dim"), Span(f" {r.rights} "), Span(f"{r.kind:<7}", STYLES.get(r.kind, "")),
                 Span(f" {r.name}", "label"), Span(" ◂new" if new else "", "changed"),
                 Span("  ← " + " ".join(r.here) if r.here else "", "pc")]
        lines.append(Line(tuple(words), (r.start, r.end), act=("goto", "memory", r.start)))
    return lines


class Map(Pane):
    """What is where in memory; Enter shows it."""

    pane, title, group = "map", "Map", 4
    query_name = "map.ranges"

    def view(self, data: Sequence[Range], before: Any) -> list[Line]:
        """Return the lines."""
        hello = self.screen_app.hello
        return map_lines(data, before, (hello.bits if hello else 32) // 4)


PANES = (Map,)
