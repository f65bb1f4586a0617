"""Panes that look back from the present place: as far as is asked for, and further with a key."""

from __future__ import annotations

from typing import Any, ClassVar

from xemu.tui.keys import Key
from xemu.tui.pane import Pane


class LookbackPane(Pane):
    """A pane whose last line is the present place; Enter on another goes there."""

    group = 6
    keys = (Key("m", "more", "Look further back"),)
    first: ClassVar[int]                             # how far it looks at first …
    furthest: ClassVar[int]                          # … and at most

    def __init__(self) -> None:
        super().__init__()
        self.most = self.first

    def arguments(self) -> dict[str, Any]:
        """Return what is asked for."""
        return {"most": self.most}

    def put(self, data: Any, stop: int) -> None:
        """Take new data; after a stop the present place is in view."""
        moved = stop and stop != self.stop
        super().put(data, stop)
        if moved:
            self.look_at(len(self.lines) - 1)

    def action_more(self) -> None:
        """Look further back."""
        self.most = min(self.most * 2, self.furthest)
        self.ask()

    act_more = action_more

    def act_seek(self, beat: int, transition: int, insns: int) -> None:
        """Go to the moment of a line."""
        self.screen_app.act_do("seek_position", beat=beat, transition=transition, insns=insns)
