"""Some lines above the footer that say what there is to do: `xemu demo` has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.strip import Strip
from textual.widget import Widget

from xemu.tui.text import line

if TYPE_CHECKING:
    from xemu.tui.app import Debug


class Hint(Widget):
    """A text of some lines; Escape or a click hides it."""

    def __init__(self, text: str) -> None:
        super().__init__(id="hint")
        self.rows = text.strip().splitlines()
        self.display = bool(self.rows)
        self.styles.height = len(self.rows)

    def render_line(self, y: int) -> Strip:
        """Draw a line."""
        if y >= len(self.rows):
            return Strip.blank(self.size.width, self.rich_style)
        app = cast("Debug", self.app)
        return app.styles_by_name.strip(line((" " + self.rows[y], "constant")), self.size.width, base=self.rich_style)

    def on_click(self) -> None:
        """Hide it."""
        self.display = False
