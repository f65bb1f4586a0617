"""Setting points again that were kept, in the guest's process: in the same build where they were, in another by line or symbol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.errors import XemuError
from xemu.tui.actions import action
from xemu.tui.queries.keeping import points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xemu.debug.debugger import Debugger
    from xemu.tui.queries.keeping import Row

DESCRIPTION = ("kind", "where", "condition", "log", "length", "access", "catch", "detail")


@action
def restore_points(d: Debugger, *, rows: Sequence[Row], same_build: bool) -> tuple[list[str], list[Row]]:
    """Set points again; returns what there is to say about those that have moved, and the points that are not possible in this build."""
    notes: list[str] = []
    failed: list[Row] = []
    for row in rows:
        if not any(_described(row) == _described(known) for known in points(d)):
            try:
                _restore(d, row, notes, same_build=same_build)
            except (XemuError, KeyError, TypeError, ValueError) as error:
                what = row.get("where") or row.get("catch") or "a point"
                notes.append(f"{what}: not set again: {error if isinstance(error, XemuError) else 'its description is damaged'}")
                failed.append(row)
    return notes, failed


@action
def break_once_more(d: Debugger, *, where: str) -> None:
    """Set a breakpoint unless there is one at this place."""
    found = set(d.source.addresses(where))
    if not any(found <= set(getattr(point, "addresses", ())) for point in d.points.by_id.values() if point.owner == "user"):
        d.break_at(where)


def _described(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in DESCRIPTION)


def _restore(d: Debugger, row: Row, notes: list[str], *, same_build: bool) -> None:
    more: dict[str, Any] = {"condition": row.get("condition") or None, "ignore": int(row.get("ignore", 0)), "log": row.get("log") or None}
    if row["kind"] == "break":
        where = _where(d, row, notes, same_build=same_build)
        point: Any = d.break_at(where, pending=isinstance(where, str), **more)
        if point.pending and not point.addresses:
            notes.append(f"{row['where']}: not found; the breakpoint waits for it")
    elif row["kind"] == "watch":
        register = str(row["where"]).startswith("$")
        named = register or not str(row["where"])[:1].isdigit()      # then this build says its length
        point = d.watch(row["where"], None if named else int(row["length"]), row["access"], **more)
    else:
        detail = row["detail"]
        point = d.catch(row["catch"], tuple(detail) if isinstance(detail, list) else detail)
    if not row.get("enabled", True):
        point.enabled = False
        d.apply()


def _where(d: Debugger, row: Row, notes: list[str], *, same_build: bool) -> int | str:
    """Return where a breakpoint goes; the line may have moved."""
    words, address = str(row["where"]), row.get("address")
    if isinstance(address, int) and same_build and (d.system.kind == "machine" or d.modules.at(address) is not None):
        return address
    file, line, text = row.get("file"), row.get("line"), row.get("text")
    if same_build or not file or words != f"{file}:{line}":
        return words
    module = next((m for m in d.modules if m.lines is not None and file in m.lines.files()), None)
    lines = d.source.sources.lines(file, module)
    now = moved(lines, int(line or 0), str(text or ""))
    name = str(file).rpartition("/")[2]
    if now is None:
        notes.append(f"the breakpoint at {name}:{line} stays there, but the line has changed: it was {text}")
        return words
    if now != line:
        notes.append(f"the breakpoint at {name}:{line} has moved with its line to {name}:{now}")
    return f"{file}:{now}"


def moved(lines: Sequence[str], line: int, text: str) -> int | None:
    """Return the line that now has a text, the nearest to where it was; None where it is gone. A text that is not known has not moved."""
    if not lines or not text:
        return line
    found = [number for number, other in enumerate(lines, 1) if other.strip() == text]
    return min(found, key=lambda number: (abs(number - line), number), default=None)
