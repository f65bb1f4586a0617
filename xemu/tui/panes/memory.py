"""Memory in hexadecimal, of any address, with names and what has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from xemu.tui.keys import Key
from xemu.tui.pane import Pane
from xemu.tui.text import Line, Span

if TYPE_CHECKING:
    from textual import events

    from xemu.tui.messages import Hello
    from xemu.tui.queries.memory import Memory as Data

SIZES = (1, 2, 4, 8)


def cells(data: bytes, size: int, *, little: bool) -> list[str]:
    """Return bytes as words of a size, in hexadecimal."""
    out = []
    for at in range(0, len(data), size):
        word = data[at:at + size]
        out.append((word[::-1] if little else word).hex().rjust(2 * size))
    return out


def ascii_text(data: bytes) -> str:
    """Return bytes as text, dots for what is none."""
    return "".join(chr(c) if 0x20 <= c < 0x7F else "." for c in data)


def memory_lines(data: Data, before: Data | None, digits: int, size: int, *, little: bool) -> list[Line]:
    """Return rows of memory; names stand in a line of their own above the row that they begin in."""
    old: dict[int, int] = {}
    if before is not None:
        for number, row in enumerate(before.data):
            old.update({before.address + number * before.row + i: c for i, c in enumerate(row or b"")})
    lines: list[Line] = []
    for number, row in enumerate(data.data):
        at = data.address + number * data.row
        names = [(address, name, length) for address, name, length in data.labels if at <= address < at + data.row]
        if names:
            text = "┊" + "  ".join(f"{name}[{length}]" if length > 8 else name for _, name, length in names[:4])
            lines.append(Line((Span(" " * (digits + 1)), Span(text, "label")), ("label", at)))
        spans = [Span(f"{at:0{digits}x}  ", "dim")]
        if row is None:
            spans.append(Span("· " * min(data.row, 8) + " nothing here", "dim"))
            lines.append(Line(tuple(spans), at))
            continue
        changed = {i for i, c in enumerate(row) if old.get(at + i, c) != c}
        for index, word in enumerate(cells(row, size, little=little)):
            first = index * size
            style = "changed" if changed & set(range(first, first + size)) else "dim" if not any(row[first:first + size]) else ""
            marks = [name for name, address in data.pointers if at + first <= address < at + first + size]
            gap = "  " if first and first % 8 == 0 else " "
            spans += [Span(f"{gap}" if not marks else f"{gap[:-1]}▸", "pc"), Span(word, style)]
        missing = data.row - len(row)
        spans.append(Span(" " * (missing // size * (2 * size + 1)) + "  "))
        for i, c in enumerate(row):
            spans.append(Span(ascii_text(bytes([c])), "changed" if i in changed else "dim" if not 0x20 <= c < 0x7F else "string"))
        lines.append(Line(tuple(spans), at))
    return lines


class Memory(Pane):
    """A window of memory."""

    pane, title, group = "memory", "Memory", 5
    query_name = "memory.memory"
    keys = (Key("x", "size", "Bytes, halfwords, words, doublewords"), Key("e", "edit", "Change the memory under the cursor"),
            Key("asterisk", "follow", "Show what the word under the cursor points to"))

    kept: ClassVar = {"unit": SIZES}

    def __init__(self) -> None:
        super().__init__()
        self.address: int | None = None
        self.unit = 1
        self.row = 16

    def arguments(self) -> dict[str, Any]:
        """Return what the window is asked with."""
        return {"address": self.address or 0, "rows": max(self.size.height, 1), "row": self.row}

    def met(self, hello: Hello) -> None:
        """Start at the stack pointer: something is always there."""
        del hello

        async def start() -> None:
            if self.address is None:
                self.act_goto(await self.screen_app.client.do("address_of", text="$sp"))

        self.screen_app.go(start())

    def view(self, data: Data, before: Any) -> list[Line]:
        """Return the lines."""
        hello = self.screen_app.hello
        self.border_subtitle = f"{data.region} {data.address:x} u{8 * self.unit}"
        return memory_lines(data, before, (hello.bits if hello else 32) // 4, self.unit, little=hello is None or hello.little)

    def act_goto(self, address: int) -> None:
        """Show an address."""
        self.address = address & ~(self.row - 1)
        self.cursor = 0
        self.ask()

    def scroll_window(self, rows: int) -> None:
        """Move the window."""
        top = 1 << (self.screen_app.hello.bits if self.screen_app.hello else 32)
        self.address = max(0, min((self.address or 0) + rows * self.row, top - self.row))
        self.ask()

    def action_cursor(self, count: int) -> None:
        """Move the cursor; beyond the edge, the window."""
        wanted = self.cursor + count
        self.move_to(wanted)
        height = min(len(self.lines), self.size.height)
        if wanted < 0:
            self.scroll_window(max(wanted, -1000))
        elif wanted >= height:
            self.scroll_window(min(wanted - height + 1, 1000))

    def action_page(self, count: int) -> None:
        """Move the window by a page."""
        self.scroll_window(count * max(self.size.height - 1, 1))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move the window."""
        event.stop()
        self.scroll_window(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move the window."""
        event.stop()
        self.scroll_window(-3)

    def action_size(self) -> None:
        """Show words of another size."""
        self.unit = SIZES[(SIZES.index(self.unit) + 1) % len(SIZES)]
        self.redraw()


PANES = (Memory,)
