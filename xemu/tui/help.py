"""The help: all keys and commands, made of the same rows that do the work. What is typed narrows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.binding import Binding
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.scroll_view import ScrollView
from textual.widgets import Input

from xemu.tui.commands import commands
from xemu.tui.keys import KEYS, PANE_KEYS
from xemu.tui.text import Line, line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.app import ComposeResult
    from textual.strip import Strip

    from xemu.tui.app import Debug
    from xemu.tui.keys import Key
    from xemu.tui.pane import Pane

NAME = 14                # columns of a key
USAGE = 38               # columns of a command

Section = tuple[str, list[Line]]


def key_line(key: Key, label: Callable[[Key], str]) -> Line:
    """Return a key and what it does; the aliases behind it."""
    from xemu.tui.keys import key_name

    more = " ".join(key_name(alias) for alias in key.aliases.split())
    return line((f"  {label(key):<{NAME}}", "label"), key.text, (f"  ({more})" if more else "", "dim"))


def sections(pane: Pane | None, label: Callable[[Key], str]) -> list[Section]:
    """Return all help: the keys of a pane first, then those of all, the commands at the end."""
    found: list[Section] = []
    if pane is not None and pane.keys:
        found.append((f"Keys of {pane.title}", [key_line(key, label) for key in pane.keys]))
    found += [(name, [key_line(key, label) for key in KEYS if key.section == name]) for name in dict.fromkeys(key.section for key in KEYS)]
    found.append(("In every pane", [key_line(key, label) for key in PANE_KEYS]))
    for name in dict.fromkeys(row.section for row in commands().values()):
        rows = [row for row in commands().values() if row.section == name]
        found.append((f"Commands: {name}", [
            line((f"  {row.usage:<{USAGE}} ", "label"), row.help, (f"  ({row.aliases.replace(' ', ', ')})" if row.aliases else "", "dim"))
            for row in rows]))
    return found


def help_lines(found: Iterable[Section], words: str = "") -> list[Line]:
    """Return help as lines: what has all of the words, and the titles above it."""
    wanted = words.lower().split()
    lines: list[Line] = []
    for title, rows in found:
        kept = [row for row in rows if all(word in f"{title} {row.text}".lower() for word in wanted)]
        if kept:
            lines += [*([line()] if lines else []), line((title, "title")), *kept]
    return lines or [line((f"nothing about {words}", "dim"))]


class Lines(ScrollView, can_focus=False):
    """Lines that scroll."""

    def show(self, lines: list[Line]) -> None:
        """Show other lines."""
        self.lines = lines
        self.virtual_size = Size(self.size.width, len(lines))
        self.scroll_to(y=0, animate=False)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw a line."""
        number = self.scroll_offset.y + y
        lines = getattr(self, "lines", [])
        item = lines[number] if number < len(lines) else line()
        return cast("Debug", self.app).styles_by_name.strip(item, self.size.width, base=self.rich_style)


class HelpScreen(ModalScreen[None]):
    """The help above the desk."""

    BINDINGS: ClassVar[list[Any]] = [
        Binding("escape,f1", "dismiss", show=False), Binding("down", "scroll(1)", show=False), Binding("up", "scroll(-1)", show=False),
        Binding("pagedown", "scroll(20)", show=False), Binding("pageup", "scroll(-20)", show=False)]

    def __init__(self, pane: Pane | None, label: Callable[[Key], str]) -> None:
        super().__init__(id="help-screen")
        self.found = sections(pane, label)
        self.text = Lines(id="help")

    def compose(self) -> ComposeResult:
        """Yield what it is made of."""
        self.text.border_title = " Help: type to search, Esc leaves "
        yield Input(id="help-search", placeholder="search", compact=True)
        yield self.text

    def on_mount(self) -> None:
        """Show everything."""
        self.query_one(Input).focus()
        self.call_after_refresh(self.text.show, help_lines(self.found))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what fits."""
        self.text.show(help_lines(self.found, event.value))

    def on_input_submitted(self) -> None:
        """Enter leaves, too."""
        self.dismiss()

    def action_scroll(self, count: int) -> None:
        """Scroll."""
        self.text.scroll_to(y=self.text.scroll_offset.y + count, animate=False)
