"""The lines at the top and bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.widget import Widget

from xemu.tui.keys import KEYS
from xemu.tui.text import Line, Palette, Span, line

if TYPE_CHECKING:
    from textual import events
    from textual.strip import Strip

    from xemu.tui.app import Debug
    from xemu.tui.messages import Hello, Moving, StopView, Stub


SMALL, LARGE = 100, 180  # columns


def time_text(beat: int, rate: int) -> str:
    """Return a virtual time: "12.041 ms"."""
    seconds = beat / rate
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= factor or unit == "µs":
            return f"{seconds / factor:.3f} {unit}"
    raise AssertionError


def header_line(hello: Hello | None, stop: StopView | None, moving: Moving | None, insns: int, beat: int, ended: str | None, *,
                stale: bool = False, stub: Stub | None = None, width: int = 200) -> Line:
    """Return what is known about the guest, in one line; of a small width what matters most."""
    short = width < SMALL
    if hello is None:
        return line((" xemu ", "title"), ("loading …" if ended is None else "the guest could not be loaded", "dim"))
    words: list[Span] = [Span(" xemu ", "title"), Span(hello.name, "title")]
    if stale:
        words.append(Span(" ↻ built anew: R loads it", "changed"))
    machine = hello.machine if width >= LARGE else hello.machine.partition(" (")[0]
    words.append(Span(" │ " if short else f" · {machine} │ ", "dim"))
    words.append(Span(f"insn {insns:,}"))
    if hello.kind == "machine" and not short:
        words.append(Span(f" · {time_text(beat, hello.rate)}"))
    if stop is not None and not stop.live and moving is None:
        words.append(Span(" │ in the past" if short else f" │ in the past −{stop.last - insns:,}", "changed"))
    if stub is not None:
        clients = f" {stub.clients} client{'s' * (stub.clients > 1)}" if stub.clients else ""
        words.append(Span(f" │ gdb {stub.place.rpartition('/')[2]}{clients}", "dim"))
        if stub.controls:
            words.append(Span(" controls", "changed"))
        elif stub.waits:
            words.append(Span(" waits", "dim"))
    words.append(Span(" │ ", "dim"))                 # the longest comes last: it may be cut
    if ended is not None:
        words.append(Span("✗ ENDED", "error"))
    elif moving is not None:
        words.append(Span("◀ RUNNING BACK" if moving.back else "▶ RUNNING", "good"))
    elif stop is not None:
        words += [Span("■ ", "break"), Span(stop.text, "changed")]
    return line(*words)


class Bar(Widget):
    """One line."""

    def content(self) -> Line:
        """Return the line."""
        raise NotImplementedError

    @property
    def debug_app(self) -> Debug:
        """The app, by its own type."""
        return cast("Debug", self.app)

    def render_line(self, y: int) -> Strip:
        """Draw it."""
        del y
        palette: Palette = self.debug_app.styles_by_name
        return palette.strip(self.content(), self.size.width, base=self.rich_style)


class Header(Bar):
    """What runs, and where it is."""

    def __init__(self) -> None:
        super().__init__(id="header")

    def content(self) -> Line:
        """Return the line."""
        app = self.debug_app
        return header_line(app.hello, app.stop, app.moving, app.insns, app.beat, app.ended, stale=app.life.stale, stub=app.stub,
                           width=self.size.width)


class Footer(Bar):
    """The keys, or what there is to say."""

    def __init__(self) -> None:
        super().__init__(id="footer")
        self.text, self.error = "", False

    def say(self, text: str, *, error: bool) -> None:
        """Show a text until the next key."""
        self.text, self.error = text.partition("\n")[0], error
        self.refresh()

    def content(self) -> Line:
        """Return the line."""
        if self.text:
            return line((" " + self.text, "error" if self.error else "good"))
        words: list[Span] = []
        for key in KEYS:
            if key.short:
                press = ("press", key.action)
                words += [Span(" "), Span(self.debug_app.label(key), "label", press), Span(" " + key.short, "dim", press)]
        return line(*words, ("  SNFC back", "dim"))

    def on_click(self, event: events.Click) -> None:
        """Do what a key does."""
        from xemu.tui.text import span_at

        span = span_at(self.content(), event.x)
        if span is not None and span.act:
            self.debug_app.run_action_soon(span.act[1])
