"""Breakpoints, watchpoints and catchpoints, whoever has set them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from xemu.errors import XemuError
from xemu.tui.keys import Key
from xemu.tui.pane import Pane
from xemu.tui.pointwords import SYNTAX, options_text, parse_options, parse_point
from xemu.tui.text import Line, Span, line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xemu.tui.queries.points import Row

LABELS = {"break": "", "watch": "watch ", "read": "rwatch ", "access": "awatch ", "catch": "catch "}


def point_lines(row: Row, old: Row | None) -> list[Line]:
    """Return a point's line, and one more for what belongs to it."""
    mark = "○" if not row.enabled else "◆" if row.options.log else "●"
    hit = old is not None and old.hits != row.hits
    spans = [Span(mark, "break" if row.enabled else "off", ("toggle", row.number)), Span(f"{row.number:<3}", "dim"),
             Span(LABELS[row.kind], "keyword"), Span(row.what, "" if row.enabled else "off")]
    if row.place:
        spans.append(Span(f" {row.place}", "comment"))
    if row.pending:
        spans.append(Span(" waits for its library", "dim"))
    if len(row.addresses) > 1:
        spans.append(Span(f" {len(row.addresses)} places", "dim"))
    if row.hits:
        spans.append(Span(f" ×{row.hits}", "changed" if hit else "label"))
    if row.owner != "user":
        spans.append(Span(f" [{row.owner}]", "keyword"))
    lines = [Line(tuple(spans), row.number, act=("code", row.number))]
    more = options_text(row.options)
    if more:
        lines.append(Line((Span("    "), Span(more, "string" if row.options.log else "")), ("more", row.number), act=("code", row.number)))
    return lines


def points_lines(data: Sequence[Row], before: Sequence[Row] | None) -> list[Line]:
    """Return all points."""
    old = {row.number: row for row in before or ()}
    return [item for row in data for item in point_lines(row, old.get(row.number))]


class Points(Pane):
    """All points."""

    pane, title, group = "points", "Points", 3
    query_name = "points.points"
    keys: ClassVar[tuple[Key, ...]] = (
        Key("space", "switch", "Switch it on or off"), Key("e", "edit", "Change its condition, ignore count, thread, log text"),
        Key("d", "delete", "Delete it", aliases="delete"), Key("a", "add", "Set a breakpoint, watchpoint or catchpoint"))

    def view(self, data: Sequence[Row], before: Any) -> list[Line]:
        """Return the lines."""
        return points_lines(data, before) or [
            line((text, "dim")) for text in ("a sets one:", "  main.c:88 if n > 2   *0x8000 once", "  watch s->len   rwatch buf",
                                             "  catch irq 15   catch syscall write", "  catch device uart0.DATA")]

    def row(self, number: int | None = None) -> Row | None:
        """Return a point by number, or the one under the cursor."""
        key = self.here.key
        wanted = number if number is not None else key[1] if isinstance(key, tuple) else key
        return next((row for row in self.data or () if getattr(row, "number", 0) == wanted), None)

    def act_code(self, number: int) -> None:
        """Show the code, or the memory of a watchpoint."""
        row = self.row(number)
        if row is not None and row.addresses:
            self.screen_app.act_goto("code" if row.kind == "break" else "memory", row.addresses[0])

    def act_toggle(self, number: int) -> None:
        """Switch a point on or off."""
        row = self.row(number)
        if row is not None:
            self.screen_app.act_do("enable", number=number, on=not row.enabled)

    def action_switch(self) -> None:
        """Switch the point under the cursor on or off."""
        row = self.row()
        if row is not None:
            self.act_toggle(row.number)

    def action_delete(self) -> None:
        """Delete the point under the cursor."""
        row = self.row()
        if row is not None:
            self.screen_app.act_do("delete", number=row.number)

    def action_edit(self) -> None:
        """Change what belongs to the point under the cursor."""
        row = self.row()
        if row is not None:
            self.edit(row)

    def edit(self, row: Row, more: str = "") -> None:
        """Ask for what belongs to a point; `more` is there already."""
        app = self.screen_app
        if row.owner != "user":
            app.say(f"{row.number} is {row.owner}'s: change it there", error=True)
            return

        def take(text: str) -> None:
            try:
                options = parse_options(text)
            except XemuError as error:
                app.say(str(error), error=True)
            else:
                app.act_do("change_point", number=row.number, **options._asdict())

        text = options_text(row.options)
        app.prompt.open(f"{row.number}: {SYNTAX}", f"{text} {more}".strip() if more else text, take, allow_empty=True)

    def action_add(self) -> None:
        """Ask for a point."""
        self.screen_app.prompt.open(f"FILE:LINE, FUNCTION, *ADDRESS, watch EXPRESSION or catch KIND, then {SYNTAX}", "", self.set)

    def set(self, text: str) -> None:
        """Set a point that was typed."""
        app = self.screen_app

        async def work() -> None:
            name, arguments = parse_point(text)
            app.say(f"set {await app.client.do(name, **arguments)}")

        app.go(work())


PANES = (Points,)
