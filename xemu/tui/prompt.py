"""The line at the bottom in which something is typed: a command, a place, a new value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding
from textual.widgets import Input

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.suggester import Suggester

    Completer = Callable[[str], Awaitable[tuple[int, tuple[str, ...]]]]


class Prompt(Input):
    """One line of input; Enter takes it, Escape gives it up."""

    BINDINGS: ClassVar[list[Any]] = [Binding("escape", "close", show=False), Binding("up", "older", show=False),
                                     Binding("down", "newer", show=False), Binding("tab", "complete", show=False)]

    def __init__(self) -> None:
        super().__init__(id="prompt", compact=True)
        self.is_open = self.allow_empty = False
        self.label = ""
        self.histories: dict[str, list[str]] = {}
        self._at = 0
        self._take: Callable[[str], Any] = lambda _text: None
        self._complete: Completer | None = None

    def open(self, label: str, text: str, take: Callable[[str], Any], *, suggester: Suggester | None = None,
             allow_empty: bool = False, complete: Completer | None = None) -> None:
        """Ask for a text; `take` gets it. `complete`: what Tab asks for what may stand in front of the cursor."""
        self.label, self._take, self.allow_empty, self._complete = label, take, allow_empty, complete
        self.is_open = True
        self.placeholder = label
        self.suggester = suggester
        self.value = text
        self._at = len(self.histories.setdefault(label, []))
        self.add_class("-open")
        self.focus()
        self.cursor_position = len(text)

    def action_close(self) -> None:
        """Give it up."""
        self.is_open = False
        self.remove_class("-open")
        pane = self.app.desk.focused_pane            # type: ignore[attr-defined]
        if pane is not None:
            pane.focus()

    def action_older(self) -> None:
        """Show what was typed before."""
        self._turn(-1)

    def action_newer(self) -> None:
        """Show what was typed after that."""
        self._turn(1)

    def _turn(self, step: int) -> None:
        history = self.histories.get(self.label, [])
        self._at = max(0, min(self._at + step, len(history)))
        self.value = history[self._at] if self._at < len(history) else ""
        self.cursor_position = len(self.value)

    def action_complete(self) -> None:
        """Complete what stands in front of the cursor, as far as that is certain; again: show what there is."""
        if self._complete is not None:
            self.app.go(self._completed(self._complete, self.value[:self.cursor_position]))        # type: ignore[attr-defined]

    async def _completed(self, complete: Completer, before: str) -> None:
        start, candidates = await complete(before)
        if before != self.value[:self.cursor_position] or not candidates:
            return
        common = _common(candidates)
        word = common + " " if len(candidates) == 1 and common[-1:].isalnum() else common
        rest = self.value[self.cursor_position:]
        self.value = before[:start] + word + (rest.removeprefix(" ") if word.endswith(" ") else rest)
        self.cursor_position = start + len(word)
        if len(candidates) > 1:
            self.app.say("  ".join(candidates))      # type: ignore[attr-defined]

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take what was typed."""
        event.stop()
        text = self.value.strip()
        history = self.histories.setdefault(self.label, [])
        if text and history[-1:] != [text]:
            history.append(text)
        self.action_close()
        if text or self.allow_empty:
            self._take(text)


def _common(words: tuple[str, ...]) -> str:
    """Return what all words begin with."""
    first, last = min(words), max(words)
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:length]
