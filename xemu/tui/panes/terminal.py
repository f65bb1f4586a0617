"""Terminals: one for each channel on which the guest talks. Enter gives one all keys, Ctrl-] takes them back."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from textual.geometry import Size

from xemu.tui.header import time_text
from xemu.tui.keys import Key
from xemu.tui.pane import Pane
from xemu.tui.terminal import NARROW, Teletype
from xemu.tui.text import Line, Span, line
from xemu.tui.vt import Emulator

if TYPE_CHECKING:
    from textual import events
    from textual.strip import Strip

    from xemu.tui.messages import Hello, Output, StopView

FRAME = 1 / 30           # seconds between two pictures of a guest that prints
LEAVE = "ctrl+right_square_bracket"
PROGRAM = "terminal"     # the channel of a program
DEAF = ("itm",)          # channels on which nothing can be typed
TIME = 14                # columns of a time in front of a line

#: Textual's name of a key -> what an xterm sends; cursor keys, with application mode on, send ESC O
CURSOR_KEYS = {"up": "A", "down": "B", "right": "C", "left": "D", "home": "H", "end": "F"}
KEYS = {"enter": "\r", "tab": "\t", "backspace": "\x7f", "escape": "\x1b", "shift+tab": "\x1b[Z", "insert": "\x1b[2~", "delete": "\x1b[3~",
        "pageup": "\x1b[5~", "pagedown": "\x1b[6~", "f1": "\x1bOP", "f2": "\x1bOQ", "f3": "\x1bOR", "f4": "\x1bOS", "f5": "\x1b[15~",
        "f6": "\x1b[17~", "f7": "\x1b[18~", "f8": "\x1b[19~", "f9": "\x1b[20~", "f10": "\x1b[21~", "f11": "\x1b[23~", "f12": "\x1b[24~",
        "ctrl+space": "\0", "ctrl+at": "\0", "ctrl+backslash": "\x1c", "ctrl+circumflex_accent": "\x1e", "ctrl+underscore": "\x1f",
        "ctrl+delete": "\x1b[3;5~", "ctrl+up": "\x1b[1;5A", "ctrl+down": "\x1b[1;5B", "ctrl+right": "\x1b[1;5C", "ctrl+left": "\x1b[1;5D"}


def key_bytes(key: str, character: str | None, *, application: bool = False) -> bytes:
    """Return what a terminal sends for a key; b"" for keys that it does not have."""
    if key in CURSOR_KEYS:
        return f"\x1b{'O' if application else '['}{CURSOR_KEYS[key]}".encode()
    if key in KEYS:
        return KEYS[key].encode()
    if key.startswith("ctrl+") and len(key) == 6:
        return bytes([ord(key[5].upper()) & 0x1F])
    if key.startswith("alt+"):
        rest = key_bytes(key[4:], character)
        return b"\x1b" + rest if rest else b""
    if character is not None:
        return character.encode()
    return key.encode() if len(key) == 1 else b""


class Terminal(Pane):
    """What was printed on a channel, and typing on it."""

    group = 6
    follows = True
    keys = (Key("a", "times", "Times in front of lines, or none"),
            Key("D", "clear", "Forget what has scrolled away"))

    def __init__(self, channel: str, rate: int) -> None:
        self.pane = self.title = self.channel = channel
        super().__init__()
        self.rate = rate                             # beats per second
        self.terminal: Teletype | Emulator = Emulator() if channel == PROGRAM else Teletype()
        self.lines = self.terminal.lines             # always: it is the terminal that changes them
        self.typing = self.times = False
        self.printed_until = 0                       # beat of the last output
        self._drawn = 0.0
        self._waiting = False                        # for the next picture

    @property
    def quiet(self) -> bool:
        """Whether the guest has sent nothing."""
        return not self.terminal.received

    # -- what happens ----------------------------------------------------------------------------------------------------
    def met(self, hello: Hello) -> None:
        """The guest is loaded again."""
        self.rate = hello.rate
        if self.terminal.received:
            self.terminal.mark("loaded again")
            self.printed_until = 0
            self.draw()

    def output(self, message: Output) -> None:
        """Show what the guest has sent."""
        if message.channel != self.channel:
            return
        self.printed_until = max(self.printed_until, message.beat)
        before = self.terminal.dropped
        answer = self.terminal.feed(message.data, message.beat)
        gone = self.terminal.dropped - before
        if gone:
            self.cursor = max(self.cursor - gone, 0)
            if not self.at_end:
                self.scroll_to(y=max(self.scroll_offset.y - gone, 0), animate=False)
        if answer:
            self.screen_app.client.type(self.channel, answer)
        if self._waiting or not self.display:
            return
        pause = self._drawn + FRAME - monotonic()
        if pause <= 0:
            self.draw()
        else:
            self._waiting = True
            self.set_timer(pause, self._draw_now)

    def stopped(self, stop: StopView) -> None:
        """What was printed stays, also where time has gone back to before that: a mark says so."""
        if not stop.live and stop.beat < self.printed_until:
            self.terminal.mark(f"back at {self.time_text(stop.beat)}")
            self.draw()
        elif stop.live:
            self.printed_until = min(self.printed_until, stop.beat)

    def time_text(self, beat: int) -> str:
        """Return a beat as words."""
        return f"instruction {beat:,}" if self.channel == PROGRAM else time_text(beat, self.rate)

    # -- drawing ---------------------------------------------------------------------------------------------------------
    @property
    def at_end(self) -> bool:
        """Whether the last lines are seen."""
        return self.scroll_offset.y + self.size.height >= self.virtual_size.height

    def _draw_now(self) -> None:
        self._waiting = False
        self.draw()

    def draw(self) -> None:
        """Show the lines as they are now."""
        self._drawn = monotonic()
        at_end = self.at_end or self.typing
        count = len(self.lines) + (self.channel != PROGRAM)          # below the last line something can be typed
        width = self.terminal.columns + (TIME if self.times else 0)
        self.virtual_size = Size(min(width, self.size.width) if at_end else width, count)
        if at_end:
            self.cursor = max(len(self.lines) - 1, 0)
            self.scroll_to(y=count, animate=False, immediate=True)
        self.refresh()

    def redraw(self) -> None:
        """Draw everything."""
        self.draw()

    def line_at(self, number: int) -> Line:
        """Return a line as it is shown."""
        item = self.lines[number] if number < len(self.lines) else line()
        if self.typing and number == self.terminal.cursor[0] and getattr(self.terminal, "visible", True):
            item = with_cursor(item, self.terminal.cursor[1])
        if self.times and self.channel != PROGRAM:
            words = "" if not isinstance(item.key, int) else f"{time_text(item.key, self.rate)}"
            item = item._replace(spans=(Span(f"{words:>{TIME - 1}} ", "time"), *item.spans))
        return item

    def render_line(self, y: int) -> Strip:
        """Draw a line."""
        left, top = self.scroll_offset
        number = top + y
        cursor = number == self.cursor and self.has_focus and not self.typing and not self.at_end
        return self.screen_app.styles_by_name.strip(self.line_at(number), self.size.width, left, base=self.rich_style, cursor=cursor)

    def on_resize(self) -> None:
        """Have the terminal as large as there is room; the program is told."""
        if self.size.width < NARROW or self.size.height < 2:
            return
        at_end = self.at_end
        self.terminal.resize(self.size.height, self.size.width - (TIME if self.times else 0))
        if self.channel == PROGRAM:
            self.screen_app.client.resize(self.size.height, max(self.size.width, NARROW))
        self.draw()
        if at_end:
            self.call_after_refresh(self.scroll_to, y=len(self.lines) + 1, animate=False)

    def on_show(self) -> None:
        """Nothing was drawn while it was hidden."""
        self.call_after_refresh(self.draw)

    def on_focus(self) -> None:
        """Say what Enter does."""
        self._say()

    def _say(self) -> None:
        if self.channel not in DEAF:
            self.subtitle(" typing: ^] ends " if self.typing else " Enter types " if self.has_focus else "")
        self.set_class(self.typing, "-typing")

    # -- typing ----------------------------------------------------------------------------------------------------------
    def action_enter(self) -> None:
        """Give the terminal all keys."""
        if self.channel in DEAF:
            self.screen_app.say(f"{self.channel} only sends")
            return
        self.typing = True
        self._say()
        self.draw()

    def stop_typing(self) -> None:
        """Take the keys back."""
        if self.typing:
            self.typing = False
            self.draw()
        self._say()

    def on_blur(self) -> None:
        """Another pane has the keys."""
        self.stop_typing()

    def on_key(self, event: events.Key) -> None:
        """Send what is typed."""
        if not self.typing:
            return
        event.stop()
        event.prevent_default()
        if event.key == LEAVE:
            self.stop_typing()
            return
        self.type(key_bytes(event.key, event.character, application=getattr(self.terminal, "application", False)))

    def on_paste(self, event: events.Paste) -> None:
        """Send what was pasted."""
        if self.typing:
            event.stop()
            data = event.text.replace("\r\n", "\r").replace("\n", "\r").encode()
            self.type(b"\x1b[200~" + data.replace(b"\x1b", b"") + b"\x1b[201~" if getattr(self.terminal, "bracketed", False) else data)

    def type(self, data: bytes) -> None:
        """Send bytes, if the guest can take them."""
        app = self.screen_app
        if self.channel != PROGRAM and app.moving is None and app.stop is not None and not app.stop.live:
            app.say("in the past nothing can be typed; t end goes to the present", error=True)
        elif data:
            app.client.type(self.channel, data)

    # -- what else can be done -------------------------------------------------------------------------------------------
    def action_times(self) -> None:
        """Show times, or none. With times each byte is noted at its own instant, without them at the end of a slice."""
        if self.channel == PROGRAM:
            self.screen_app.say("a program's terminal has no lines of a time: it changes all of its screen", error=True)
            return
        self.times = not self.times
        self.screen_app.act_do("exact_times", channel=self.channel, on=self.times)
        self.on_resize()

    def action_clear(self) -> None:
        """Forget what has scrolled away."""
        self.terminal.clear()
        self.cursor = 0
        self.draw()

    def view(self, data: Any, before: Any) -> list[Line]:
        """Return the lines: they come by `output` alone."""
        del data, before
        return self.lines


def with_cursor(item: Line, column: int) -> Line:
    """Return a line with a cursor at a column."""
    spans, at = [], 0
    for span in item.spans:
        if at <= column < at + len(span.text):
            inside = column - at
            spans += [span._replace(text=span.text[:inside]), Span(span.text[inside], span.style + " a-reverse"),
                      span._replace(text=span.text[inside + 1:])]
        else:
            spans.append(span)
        at += len(span.text)
    if column >= at:
        spans += [Span(" " * (column - at)), Span(" ", "a-reverse")]
    return item._replace(spans=tuple(s for s in spans if s.text))


PANES = ()               # they come with the guest's channels
