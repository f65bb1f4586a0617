"""Registers, variables, stack and the last output in four lines: under the one pane that a small terminal has room for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from textual.widget import Widget

from xemu.tui.messages import Failed
from xemu.tui.text import Line, Span, line

if TYPE_CHECKING:
    from textual.strip import Strip

    from xemu.tui.app import Debug
    from xemu.tui.queries.summary import Summary as Data

NAME = "summary"         # of what is asked


def summary_lines(data: Data | None, before: Data | None, output: str) -> list[Line]:
    """Return the lines; what has changed is marked."""
    if data is None:
        return [line(), line(), line(), line()]
    old = dict(before.registers) if before is not None else {}
    registers: list[Span] = []
    for name, value in sorted(data.registers, key=lambda row: not (row[0] in old and old[row[0]] != row[1])):      # what has changed first
        changed = name in old and old[name] != value
        registers += [Span(f" {name} ", "label"), Span(f"{value:x}" + ("*" if changed else ""), "changed" if changed else "")]
    was = dict(before.locals) if before is not None else {}
    variables: list[Span] = []
    for name, text in data.locals:
        changed = name in was and was[name] != text
        variables += [Span(f" {name}=", "label"), Span(text, "changed" if changed else "")]
        if changed:
            variables.append(Span(f" (was {was[name]})", "dim"))
    frames = " ← ".join(data.frames)
    return [Line(tuple(registers)), Line(tuple(variables or (Span(" no variables here", "dim"),))), line((f" {frames}", "")),
            line((f" {output}", "dim"))]


class Summary(Widget):
    """The four lines."""

    def __init__(self) -> None:
        super().__init__(id=NAME)
        self.data: Data | None = None
        self.before: Data | None = None
        self.number = 0
        self.output = ""

    @property
    def debug_app(self) -> Debug:
        """The app, by its own type."""
        return cast("Debug", self.app)

    def ask(self, *, on: bool) -> None:
        """Say whether it is seen."""
        self.display = on
        self.debug_app.client.want(NAME, "summary.summary" if on else "")

    def put(self, data: Any, number: int) -> None:
        """Take new data."""
        if isinstance(data, Failed):
            return
        if number != self.number:
            self.before, self.number = self.data, number
        self.data = data
        self.refresh()

    def printed(self, text: str) -> None:
        """Remember the last line that the guest has printed."""
        last = [part for part in (self.output + text).replace("\r", "").split("\n") if part.strip()]
        self.output = last[-1][-200:] if last else ""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw a line."""
        lines = summary_lines(self.data, self.before, self.output)
        return self.debug_app.styles_by_name.strip(lines[y] if y < len(lines) else line(), self.size.width, base=self.rich_style)
