"""The console: what was typed at the command line, and what came of it."""

from __future__ import annotations

from typing import Any

from xemu.tui.keys import Key
from xemu.tui.pane import Pane
from xemu.tui.text import Line, line

LIMIT = 5000             # lines that are kept


class Console(Pane):
    """Commands and their answers, the newest at the end."""

    pane, title, group = "console", "Console", 6
    follows = True
    keys = (Key("enter", "enter", "Type a command"), Key("D", "clear", "Forget what is shown"))

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Line] = []

    def typed(self, text: str) -> None:
        """Show a command."""
        self._add([line((": ", "dim"), (text, "title"))])

    def answer(self, text: str, *, error: bool = False) -> None:
        """Show what came of it."""
        if text:
            self._add([line(("✗ " if error and not number else "  ", "error"), (words.expandtabs(8), "error" if error else ""))
                       for number, words in enumerate(text.splitlines())])

    def _add(self, lines: list[Line]) -> None:
        self.shown += lines
        del self.shown[:-LIMIT]
        self.put(list(self.shown), 0)

    def view(self, data: list[Line], before: Any) -> list[Line]:
        """Return the lines."""
        del before
        return data

    def empty(self) -> list[Line]:
        """Return what is shown while nothing was typed."""
        return [line((": types a command, Tab completes it; help lists all; ! is Python", "dim"))]

    def action_enter(self) -> None:
        """Type a command."""
        self.screen_app.action_command()

    def action_clear(self) -> None:
        """Forget what is shown."""
        self.shown.clear()
        self.put(None, 0)


PANES = (Console,)
