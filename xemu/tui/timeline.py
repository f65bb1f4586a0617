"""The strip of time under the header."""

from __future__ import annotations

from typing import Any

from xemu.tui.header import Bar
from xemu.tui.text import Line, line


class Timeline(Bar):
    """Where in the recorded time the guest is."""

    def __init__(self) -> None:
        super().__init__(id="timeline")
        self.data: Any = None

    def put(self, data: Any) -> None:
        """Take new data."""
        self.data = data
        self.refresh()

    def content(self) -> Line:
        """Return the line."""
        stop, width = self.debug_app.stop, max(self.size.width - 6, 1)
        if stop is None:
            return line()
        span = max(stop.last - stop.first, 1)
        at = min(width - 1, max(0, (self.debug_app.insns - stop.first) * (width - 1) // span))
        return line((" ├", "dim"), ("─" * at, "dim"), ("●", "changed"), ("─" * (width - 1 - at), "dim"), ("┤", "dim"))
