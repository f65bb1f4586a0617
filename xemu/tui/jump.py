"""The jump overlay: letters on all that can be clicked; typing the letters clicks it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget

from xemu.tui.text import line

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.app import ComposeResult

    from xemu.tui.app import Debug
    from xemu.tui.pane import Pane

LETTERS = "asdfghjklqwertyuiopzxcvbnm"


class Spot(NamedTuple):
    """Something that can be clicked, and where on the screen it is."""

    x: int
    y: int
    click: Callable[[], Any]


def labels(count: int) -> list[str]:
    """Return so many labels, none of which begins another: letters, or pairs of letters if there are too few."""
    if count <= len(LETTERS):
        return list(LETTERS[:count])
    return [first + second for first in LETTERS for second in LETTERS][:count]


def spots(app: Debug) -> list[Spot]:
    """Return what can be clicked, in reading order; not the footer, whose keys are there to be pressed."""
    found: list[Spot] = []
    for frame in app.desk.arrangement.frames():
        pane = app.desk.top(frame)
        if pane is not None and pane.display:
            found += _tabs(app, pane) + _lines(pane)
    return sorted(found, key=lambda spot: (spot.y, spot.x))


def _tabs(app: Debug, pane: Pane) -> list[Spot]:
    """Return the tabs in a pane's frame."""
    from textual.content import Content

    title = pane.border_title or ""
    content = Content.from_markup(title) if isinstance(title, str) else title
    found = []
    for span in content.spans:
        action = getattr(span.style, "meta", None) or {}
        name = str(action.get("@click", "")) if isinstance(action, dict) else ""
        name = name or str(span.style)
        if "app.show(" in name:
            target = name.partition("app.show('")[2].partition("'")[0]
            found.append(Spot(pane.region.x + 3 + span.start, pane.region.y, partial(app.desk.show, target)))
    return found


def _lines(pane: Pane) -> list[Spot]:
    """Return the spans and lines of a pane that do anything, as far as they are in view."""
    found: list[Spot] = []
    left, top = pane.scroll_offset
    region = pane.content_region
    for number in range(top, min(top + region.height, len(pane.lines))):
        item, at, y = pane.lines[number], -left, region.y + number - top
        before = len(found)
        for span in item.spans:
            if span.act and 0 <= at < region.width:
                found.append(Spot(region.x + at, y, partial(_click, pane, number, span.act)))
            at += len(span.text)
        if item.act and len(found) == before:
            found.append(Spot(region.x, y, partial(_click, pane, number, item.act)))
    return found


def _click(pane: Pane, number: int, act: tuple[Any, ...]) -> None:
    pane.screen_app.desk.show(pane.pane)
    pane.move_to(number)
    pane.act(act)


class Overlay(Widget):
    """The screen as it was, with the letters that are still possible."""

    def __init__(self, below: list[Strip], marks: dict[str, Spot]) -> None:
        super().__init__(id="jump")
        self.below, self.marks, self.typed = below, marks, ""

    def render_line(self, y: int) -> Strip:
        """Draw a line."""
        palette = cast("Debug", self.app).styles_by_name
        strip = self.below[y] if y < len(self.below) else Strip.blank(self.size.width)
        for mark, spot in self.marks.items():
            if spot.y == y and mark.startswith(self.typed):
                words = palette.strip(line((mark[len(self.typed):], "jump")), len(mark) - len(self.typed))
                strip = Strip.join([strip.crop(0, spot.x), words, strip.crop(spot.x + words.cell_length, strip.cell_length)])
        return strip


class JumpScreen(ModalScreen[None]):
    """Takes the letters; anything else leaves."""

    def __init__(self, app: Debug) -> None:
        super().__init__(id="jump-screen")
        found = spots(app)
        marks = dict(zip(labels(len(found)), found, strict=False))
        self.overlay = Overlay(app.main._compositor.render_strips(), marks)  # noqa: SLF001  what is seen now is nowhere else

    def compose(self) -> ComposeResult:
        """Yield what it is made of."""
        yield self.overlay

    def on_key(self, event: events.Key) -> None:
        """Take a letter."""
        event.stop()
        event.prevent_default()
        overlay = self.overlay
        typed = overlay.typed + (event.character or "\0")
        possible = [mark for mark in overlay.marks if mark.startswith(typed)]
        if typed in overlay.marks:
            click = overlay.marks[typed].click
            self.dismiss()
            self.app.call_later(click)
        elif possible:
            overlay.typed = typed
            overlay.refresh()
        else:
            self.dismiss()

    def on_click(self) -> None:
        """The mouse needs no letters."""
        self.dismiss()


__all__ = ["JumpScreen", "labels", "spots"]
