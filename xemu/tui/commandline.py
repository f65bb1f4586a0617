"""The screen's side of the command line: history, completion, and doing what commands ask of the screen."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xemu.config import state_home, write_atomically
from xemu.errors import XemuError
from xemu.tui.commands import find
from xemu.tui.desk import LAYOUTS

if TYPE_CHECKING:
    from xemu.tui.app import Debug
    from xemu.tui.commands import Reply
    from xemu.tui.panes.console import Console

LABEL = ":"
KEPT = 1000              # commands


class CommandLine:
    """What is typed behind ":"."""

    def __init__(self, app: Debug) -> None:
        self.app = app
        self.last = ""                               # what an empty line does
        self._read = False
        self.busy = 0                                # commands that are not done

    # -- typing ----------------------------------------------------------------------------------------------------------
    @property
    def path(self) -> Path:
        """The file with the history."""
        return Path(state_home()) / "history"

    def _written(self) -> list[str]:
        try:
            return self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []

    def _history(self) -> list[str]:
        history = self.app.prompt.histories.setdefault(LABEL, [])
        if not self._read:
            self._read = True
            history[:0] = self._written()[-KEPT:]
        return history

    def _keep(self) -> None:
        """Write the history, with what another xemu has written since."""
        history = self._history()
        lines = [*[text for text in self._written() if text not in history], *history][-KEPT:]
        with suppress(OSError):
            write_atomically(str(self.path), "\n".join(lines) + "\n")

    def open(self, words: str = "") -> None:
        """Ask for a command."""
        self._history()
        self.app.prompt.open(LABEL, words, self.do, allow_empty=bool(self.last), complete=self.complete)

    async def complete(self, text: str) -> tuple[int, tuple[str, ...]]:
        """Return what could be in front of the cursor."""
        with suppress(XemuError):
            row, _, rest = find(text)
            if row.completes in ("pane", "layout"):
                names = self.app.desk.panes if row.completes == "pane" else LAYOUTS
                return len(text) - len(rest), tuple(sorted(name for name in names if name.startswith(rest)))
        found = await self.app.client.do("completion.complete", text=text, **self.app.selection)
        return found.start, found.candidates

    # -- doing -----------------------------------------------------------------------------------------------------------
    @property
    def pane(self) -> Console:
        """Where answers go."""
        return self.app.pane("console")  # type: ignore[return-value]

    def do(self, text: str) -> None:
        """Do a command; an empty one does the last again, or goes on behind it."""
        text = text.strip()
        if not text:
            text = self.last
        else:
            self._keep()
            self.last = ""
            with suppress(XemuError):
                row, form, _ = find(text)
                self.last = {"same": text, "on": f"{row.name}/{form}" if form else row.name}.get(row.again, "")
        if text:
            self.pane.typed(text)
            self.busy += 1
            self.app.run_worker(self._do(text), exit_on_error=False)

    async def _do(self, text: str) -> None:
        try:
            await self._answered(text)
        finally:
            self.busy -= 1

    async def _answered(self, text: str) -> None:
        try:
            reply: Reply = await self.app.client.do("command", text=text, **self.app.selection)
        except XemuError as error:
            self.pane.answer(str(error), error=True)
            self._show(str(error), error=True)
            return
        self.pane.answer(reply.text)
        self.pane.answer(reply.error, error=True)
        self._show(reply.error or reply.text, error=bool(reply.error))
        for act in reply.acts:
            try:
                self._act(*act)
            except XemuError as error:
                self.pane.answer(str(error), error=True)

    def _show(self, text: str, *, error: bool = False) -> None:
        """See to it that an answer is seen: one line at the bottom, more in the console."""
        lines = text.splitlines()
        if len(lines) > 1 and not self.pane.display:
            self.app.desk.arrangement.active[self.pane.group] = self.pane.pane
            self.app.desk.arrangement.front[self.app.desk.arrangement.frame_of(self.pane.group).groups] = self.pane.group
            self.app.desk.rearrange(focus=False)
        elif len(lines) == 1 and not self.pane.display:
            self.app.say(lines[0], error=error)

    def _act(self, what: str, *arguments: Any) -> None:
        """Do what a command wants of the screen."""
        app = self.app
        if what == "select":
            app.select(*arguments)
        elif what == "press":
            app.run_action_soon(arguments[0])
        elif what == "goto":
            app.act_goto(*arguments)
        elif what == "show":
            app.desk.show(_named(arguments[0], app.desk.panes, "pane"))
        elif what == "layout":
            if arguments[0]:
                app.desk.arrangement.layout = _named(arguments[0], LAYOUTS, "layout")
                app.desk.rearrange()
            else:
                app.action_layout()


def _named(word: str, names: Any, what: str) -> str:
    """Return the name that begins with a word."""
    found = [name for name in names if name == word] or [name for name in names if word and name.startswith(word)]
    if len(found) != 1:
        raise XemuError(f"{word or 'nothing'}: no {what}; there are {', '.join(names)}")
    return str(found[0])
