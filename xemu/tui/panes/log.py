"""The log: what xemu has to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.tui.pane import Pane
from xemu.tui.text import Line, line

if TYPE_CHECKING:
    from collections.abc import Sequence


class Log(Pane):
    """Lines of the log, the newest at the end."""

    pane, title, group = "log", "Log", 6
    follows = True

    def view(self, data: Sequence[str], before: Any) -> list[Line]:
        """Return the lines."""
        del before
        return [line(text) for text in data]

    def empty(self) -> list[Line]:
        """Return what is shown while nothing was said."""
        return [line(("nothing to report", "dim"))]


PANES = (Log,)
