"""The user's breakpoints, watchpoints and catchpoints as plain values: what is kept between runs and builds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.debug.points import Breakpoint, Catchpoint, Watchpoint
from xemu.tui.queries import query

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger
    from xemu.debug.points import Point

Row = dict[str, Any]


@query()
def points(d: Debugger) -> tuple[Row, ...]:
    """Return what describes each point of the user."""
    found = [(number, point) for number, point in d.points.by_id.items() if number > 0 and point.owner == "user" and not point.once]
    return tuple(_row(d, point) for _, point in sorted(found, key=lambda pair: pair[0]))


def _row(d: Debugger, point: Point) -> Row:
    row: Row = {"condition": str(point.condition) if point.condition is not None else "", "ignore": point.ignore, "log": point.log,
                "enabled": point.enabled}
    if isinstance(point, Breakpoint):
        return {"kind": "break", **_place(d, point), **row}
    if isinstance(point, Watchpoint):
        return {"kind": "watch", "where": point.where or f"{point.address:#x}", "length": point.length, "access": point.access, **row}
    assert isinstance(point, Catchpoint)
    return {"kind": "catch", "catch": point.kind, "detail": point.detail, **row}


def _place(d: Debugger, point: Breakpoint) -> Row:
    """Return where a breakpoint is, in words that another build understands, too.

    They are the user's, else file and line, else function and offset. Who has set it at an `address` finds it there in this build.
    """
    module = d.modules.at(point.address) if point.addresses else None
    place = d.source_line(point.address) if module is not None else None
    row: Row = {"address": None if point.words else point.address, "where": point.words or f"*{point.address:#x}"}
    if place is not None and place.line:
        row |= {"file": place.file, "line": place.line, "text": d.source.sources.line(place.file, place.line, module).strip()}
        if place.start == point.address if not point.words else point.words.rpartition(":")[2].isdecimal():
            row["where"] = f"{place.file}:{place.line}"
            return row
    if module is not None and not point.words:
        row["where"] = f"*{d.modules.where(point.address)}".partition(" ")[0]
    return row
