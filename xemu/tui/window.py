"""Panes that are a window on something without end: the guest's process is asked for what is in it, and moving it asks again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.tui.pane import WHEEL, Pane

if TYPE_CHECKING:
    from textual import events

FURTHEST = 1_000         # rows that one key moves a window


class WindowPane(Pane):
    """A pane that shows just as much as it has room for."""

    def scroll_window(self, rows: int) -> None:
        """Move the window."""
        raise NotImplementedError

    def action_cursor(self, count: int) -> None:
        """Move the cursor; beyond the edge, the window."""
        wanted, height = self.cursor + count, min(len(self.lines), self.size.height)
        self.move_to(min(wanted, height - 1))
        if wanted < 0:
            self.scroll_window(max(wanted, -FURTHEST))
        elif wanted >= height:
            self.scroll_window(min(wanted - height + 1, FURTHEST))

    def action_page(self, count: int) -> None:
        """Move the window by a page."""
        self.scroll_window(count * max(self.size.height - 1, 1))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move the window."""
        event.stop()
        self.scroll_window(WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move the window."""
        event.stop()
        self.scroll_window(-WHEEL)
