"""All points of all owners."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from xemu.debug.catches import words_of
from xemu.debug.points import Breakpoint, Catchpoint, Watchpoint
from xemu.tui.pointwords import Options
from xemu.tui.queries import query

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger
    from xemu.debug.points import Point


class Row(NamedTuple):
    """A point. `kind`: "break", "watch", "read", "access" or "catch"."""

    number: int
    kind: str
    what: str                                        # as it was set
    place: str                                       # "kernel.c:72", of a breakpoint
    addresses: tuple[int, ...]
    hits: int
    enabled: bool
    owner: str
    options: Options = Options()
    pending: bool = False                            # its place is not there yet


@query()
def points(d: Debugger) -> tuple[Row, ...]:
    """Return all points but the debugger's own, by number."""
    return tuple(_row(d, point) for number, point in sorted(d.points.by_id.items()) if number > 0)


@query()
def point_at(d: Debugger, *, address: int) -> Row | None:
    """Return the user's breakpoint at an address."""
    for number, point in sorted(d.points.by_id.items()):
        if number > 0 and point.owner == "user" and isinstance(point, Breakpoint) and address in point.addresses:
            return _row(d, point)
    return None


def _row(d: Debugger, point: Point) -> Row:
    kind, what, place, pending = "catch", "", "", False
    addresses: tuple[int, ...] = ()
    if isinstance(point, Breakpoint):
        kind, addresses, pending = "break", point.addresses, not point.addresses
        line = d.source_line(point.address) if addresses else None
        place = line.name if line is not None and line.line else ""
        what = point.where or d.modules.where(point.address).partition(" ")[0]
        place = "" if place == what else place
    elif isinstance(point, Watchpoint):
        kind = {"w": "watch", "r": "read", "a": "access"}[point.access]
        addresses = () if point.register else (point.address,)
        what = point.where or f"{point.length} bytes at {point.address:#x}"
    elif isinstance(point, Catchpoint):
        what = f"{point.kind} {words_of(d, point.kind, point.detail)}".strip()
    condition = "" if point.condition is None else getattr(point.condition, "text", "as its owner says")
    log = point.log or ("as its owner says" if point.action is not None else "")
    return Row(point.id, kind, what, place, addresses, point.hits, point.enabled, point.owner,
               Options(condition, point.ignore, point.thread, point.once, log), pending)
