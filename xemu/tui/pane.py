"""A pane: data of one query, drawn as lines. All panes scroll, have a cursor, and show in their frame what fails in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBarRender
from textual.strip import Strip

from xemu.tui.keys import PANE_KEYS, Key
from xemu.tui.messages import Failed
from xemu.tui.text import Line, line, span_at

if TYPE_CHECKING:
    from textual import events
    from textual.geometry import Region

    from xemu.tui.app import Debug as App
    from xemu.tui.messages import Hello, Output, StopView

WHEEL = 3                # lines a turn of the wheel moves


class AsciiBar(ScrollBarRender):
    """A scroll bar of blanks: it is seen by its colour."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8


class Pane(ScrollView, can_focus=True):
    """`view` is a pure function of the data; the rest is common to all panes."""

    pane: str                                        # its name, in layouts, commands and tests
    title: str
    group: ClassVar[int]                             # the frame it is a tab of
    query_name: ClassVar[str] = ""                   # what it shows ("module.function"); "": it is told otherwise
    follows: ClassVar[bool] = False                  # new lines at the end keep the end in view
    keys: ClassVar[tuple[Key, ...]] = ()             # beside those of every pane
    kept: ClassVar[dict[str, tuple[Any, ...] | None]] = {}       # attributes that are saved, with the values they may have (None: any)
    BINDINGS: ClassVar[list[Any]] = [key.binding() for key in PANE_KEYS]

    def __init_subclass__(cls, **more: Any) -> None:
        if "keys" in cls.__dict__:
            cls.BINDINGS = [key.binding() for key in cls.keys]
        super().__init_subclass__(**more)

    def __init__(self) -> None:
        super().__init__(id=self.pane)
        self.data: Any = None
        self.before: Any = None                      # what the stop before this one showed
        self.newest: Any = None                      # what the last stop showed of the newest frame, not of one that was selected
        self.stop = 0                                # whose data it is
        self.lines: list[Line] = []
        self._subtitle = ""
        self.cursor = 0
        self.extra: dict[str, Any] = {}              # the data of further queries
        self.asked: Any = None                       # the arguments of the queries that were asked last

    @property
    def screen_app(self) -> App:
        """The app, by its own type."""
        return cast("App", self.app)

    # -- what a pane says about itself -----------------------------------------------------------------------------------
    def arguments(self) -> dict[str, Any]:
        """Return what the query is asked with, at the present size."""
        return {}

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to see in it yet: it has no tab then, and is found by the palette and by turning the tabs."""
        return False

    @property
    def queries(self) -> dict[str, str]:
        """Further queries, by a name: their data may come later, and is in `extra`."""
        return {}

    def arguments_of(self, name: str) -> dict[str, Any]:
        """Return what one of the further queries is asked with."""
        del name
        return {}

    def view(self, data: Any, before: Any) -> list[Line]:
        """Return the lines that show some data; `before` is that of the stop before, None at the first."""
        raise NotImplementedError

    def empty(self) -> list[Line]:
        """Return what is shown while there is no data."""
        return [line(("…", "dim"))]

    def saved(self) -> dict[str, Any]:
        """Return what is kept of it per program: plain values."""
        values = {name: getattr(self, name) for name in self.kept}
        return {name: sorted(value) if isinstance(value, set) else value for name, value in values.items()}

    def restore(self, values: dict[str, Any]) -> None:
        """Take what was kept; what makes no sense is left out."""
        for name, allowed in self.kept.items():
            now, value = getattr(self, name), values.get(name, getattr(self, name))
            if isinstance(now, set) and isinstance(value, list):
                value = {item for item in value if isinstance(item, str)}
            fits = any(value is one or (type(value) is type(one) and value == one) for one in allowed) if allowed is not None else \
                type(value) is type(now)
            if fits:
                setattr(self, name, value)

    # -- what happens ----------------------------------------------------------------------------------------------------
    def met(self, hello: Hello) -> None:
        """The guest is loaded."""

    def stopped(self, stop: StopView) -> None:
        """The guest stands still; data comes by `put`."""

    def selected(self) -> None:
        """The user has selected a thread or frame; its data comes by `put`."""

    def output(self, message: Output) -> None:
        """The guest has sent something on a channel."""

    # -- data ------------------------------------------------------------------------------------------------------------
    def ask(self, *, again: bool = False) -> None:
        """Say what this pane shows, if that has changed."""
        if not self.query_name:
            return
        queries = {self.pane: (self.query_name, self.arguments() if self.display else None)}
        for name, query in self.queries.items():
            queries[f"{self.pane}.{name}"] = query, self.arguments_of(name) if self.display else None
        queries |= {key: ("", None) for key in self.asked or () if key not in queries}
        if not again and queries == self.asked:
            return
        for key, (query, arguments) in queries.items():
            if again or self.asked is None or self.asked.get(key) != (query, arguments):
                if arguments is None:
                    self.screen_app.client.want(key, "")
                else:
                    self.screen_app.client.want(key, query, **arguments)
        self.asked = queries

    def put(self, data: Any, stop: int) -> None:
        """Take new data; `stop` 0: the guest runs."""
        if stop != self.stop:
            self.before, self.stop = self.newest, stop
        if stop and not getattr(data, "frame", 0):
            self.newest = data
        self.data = data
        self.redraw()

    def put_more(self, name: str, data: Any) -> None:
        """Take the data of a further query."""
        self.extra[name] = None if isinstance(data, Failed) else data
        self.redraw()

    def redraw(self) -> None:
        """Draw the data again."""
        if isinstance(self.data, Failed):
            self.show([line((self.data.text, "error"))])
            return
        try:
            before = None if isinstance(self.before, Failed) else self.before
            lines = self.empty() if self.data is None else self.view(self.data, before)
        except Exception as error:  # noqa: BLE001  the pane's own fault: it says so, the rest lives
            self.screen_app.report(f"pane {self.pane}", error)
            lines = [line((f"{type(error).__name__}: {error}", "error")), line(("this pane has failed; see the log", "dim"))]
        self.show(lines)

    def subtitle(self, text: str) -> None:
        """Write into the lower edge of the frame: only what is new there costs time."""
        if text != self._subtitle:
            self._subtitle = self.border_subtitle = text

    def show(self, lines: list[Line]) -> None:
        """Show lines, the cursor on the same thing as before."""
        at_end = self.follows and self.scroll_offset.y + self.size.height >= len(self.lines)
        if lines == self.lines:
            return                                   # as most of what a running guest shows
        key = self.lines[self.cursor].key if self.cursor < len(self.lines) else None
        self.lines = lines
        if key is not None:
            self.cursor = next((i for i, item in enumerate(lines) if item.key == key), self.cursor)
        self.cursor = min(self.cursor, max(len(lines) - 1, 0))
        width = max((sum(len(span.text) for span in item.spans) for item in lines), default=0)
        self.virtual_size = Size(max(self.size.width, width), len(lines))
        if at_end:
            self.cursor = max(len(lines) - 1, 0)
            self.scroll_to(y=len(lines), animate=False)
        self.refresh()

    # -- drawing ---------------------------------------------------------------------------------------------------------
    def render_line(self, y: int) -> Strip:
        """Draw a line."""
        left, top = self.scroll_offset
        number = top + y
        palette, width = self.screen_app.styles_by_name, self.size.width
        if number >= len(self.lines):
            return Strip.blank(width, self.rich_style)
        cursor = number == self.cursor and self.has_focus
        return palette.strip(self.lines[number], width, left, base=self.rich_style, cursor=cursor)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw lines with their frame."""
        return [self.screen_app.styles_by_name.allowed(strip) for strip in super().render_lines(crop)]

    def on_mount(self) -> None:
        """Have the scroll bar in ASCII, too."""
        if self.screen_app.styles_by_name.ascii_only:
            self.vertical_scrollbar.renderer = AsciiBar  # type: ignore[misc]

    def on_resize(self) -> None:
        """Ask for as much as there is room for."""
        self.ask()
        self.redraw()

    def on_show(self) -> None:
        """Ask again: nothing came while it was hidden."""
        self.ask(again=True)

    def on_hide(self) -> None:
        """Ask for nothing any more."""
        self.ask()

    # -- the cursor ------------------------------------------------------------------------------------------------------
    @property
    def here(self) -> Line:
        """The line under the cursor."""
        return self.lines[self.cursor] if self.cursor < len(self.lines) else line()

    def action_cursor(self, count: int) -> None:
        """Move the cursor."""
        self.move_to(self.cursor + count)

    def move_to(self, number: int) -> None:
        """Put the cursor on a line and bring it into view."""
        self.cursor = max(0, min(number, len(self.lines) - 1))
        top, height = self.scroll_offset.y, max(self.size.height, 1)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False)
        self.refresh()

    def action_edge(self, end: int) -> None:
        """Move the cursor to the first or last line."""
        self.move_to(len(self.lines) * end)

    def look_at(self, number: int) -> None:
        """Put the cursor on a line of new data, and bring it into view when there is room."""
        self.move_to(number)
        self.call_after_refresh(self.move_to, number)

    def action_page(self, count: int) -> None:
        """Move the cursor by a page."""
        self.action_cursor(count * max(self.size.height - 1, 1))

    def action_pan(self, columns: int) -> None:
        """Show what is further right or left."""
        self.scroll_to(x=self.scroll_offset.x + columns, animate=False)

    def action_enter(self) -> None:
        """Do what the line under the cursor offers."""
        self.act(self.here.act)

    def act(self, what: tuple[Any, ...]) -> None:
        """Call the pane's, or else the app's, method `act_…`."""
        if what:
            name, *arguments = what
            method = getattr(self, f"act_{name}", None) or getattr(self.screen_app, f"act_{name}")
            method(*arguments)

    def find(self, words: str, *, back: bool = False) -> bool:
        """Put the cursor on the next line with some words; returns whether there is one."""
        count = len(self.lines)
        for step in range(1, count + 1):
            number = (self.cursor + (-step if back else step)) % count
            if words.lower() in self.lines[number].text.lower():
                self.move_to(number)
                return True
        return False

    # -- the mouse -------------------------------------------------------------------------------------------------------
    def on_click(self, event: events.Click) -> None:
        """Move the cursor; on something that does anything, do it; twice: as Enter."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        number = self.scroll_offset.y + offset.y
        if number >= len(self.lines):
            return
        self.move_to(number)
        span = span_at(self.lines[number], self.scroll_offset.x + offset.x)
        if span is not None and span.act:
            self.act(span.act)
        elif event.chain == 2:
            self.action_enter()
