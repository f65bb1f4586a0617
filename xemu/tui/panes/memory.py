"""Memory of any address, with names, what has changed and what was read and written."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, ClassVar

from xemu.errors import UsageError
from xemu.tui.keys import Key
from xemu.tui.text import Line, Span
from xemu.tui.window import WindowPane

if TYPE_CHECKING:

    from xemu.tui.messages import Hello, StopView
    from xemu.tui.queries.memory import Heat
    from xemu.tui.queries.memory import Memory as Data

#: how bytes are shown: name -> (bytes of a cell, characters of a cell, struct's letter or "" for hexadecimal)
FORMS = {"u8": (1, 2, ""), "u16": (2, 4, ""), "u32": (4, 8, ""), "u64": (8, 16, ""), "i8": (1, 4, "b"), "i16": (2, 6, "h"),
         "i32": (4, 11, "i"), "f32": (4, 13, "f"), "f64": (8, 23, "d")}
FADE = 3                 # stops for which a change is seen
RECENT = 500             # instructions for which a touch is bright


def cells(data: bytes, form: str, *, little: bool) -> list[str]:
    """Return bytes as cells of a form."""
    size, width, letter = FORMS[form]
    out = []
    for at in range(0, len(data), size):
        part = data[at:at + size]
        if len(part) < size:
            out.append("??".rjust(width))
        elif letter:
            number = struct.unpack(("<" if little else ">") + letter, part)[0]
            out.append((f"{number:.6g}" if letter in "fd" else str(number)).rjust(width)[:width])
        else:
            out.append((part[::-1] if little else part).hex())
    return out


def memory_lines(data: Data, digits: int, form: str, *, little: bool, ages: dict[int, int], heat: Heat | None = None) -> list[Line]:
    """Return rows of memory; names stand in a line of their own above the row that they begin in.

    `ages`: stops since a byte has changed. `heat` colours bytes by what was done to them instead.
    """
    lines: list[Line] = []
    for number, row in enumerate(data.data):
        at = data.address + number * data.row
        names = [(name, length) for address, name, length in data.labels if at <= address < at + data.row]
        if names:
            text = "  ".join(f"{name}[{length}]" if length > 8 else name for name, length in names[:4])
            lines.append(Line((Span(" " * (digits + 1)), Span("┊" + text, "label")), ("label", at)))
        spans = [Span(f"{at:0{digits}x}  ", "dim")]
        if row is None:
            lines.append(Line((*spans, Span("· · · ·  nothing is here", "dim")), at))
            continue
        size, width, _ = FORMS[form]
        styles = [byte_style(at + i, c, ages, heat) for i, c in enumerate(row)]
        for index, cell in enumerate(cells(row, form, little=little)):
            first = index * size
            marked = any(at + first <= address < at + first + size for _, address in data.pointers)
            style = next((s for s in styles[first:first + size] if s not in ("", "dim")), styles[first])
            spans += [Span(" " if first and first % 8 == 0 else ""), Span("▸" if marked else " ", "pc"),
                      Span(cell, style, ("edit", at + first, size))]
        spans.append(Span(" " * ((data.row - len(row)) // size * (width + 1)) + "  "))
        spans += [Span(chr(c) if 0x20 <= c < 0x7F else ".", style or "string") for c, style in zip(row, styles, strict=True)]
        lines.append(Line(tuple(spans), at, act=("edit", at, size)))
    return lines


def byte_style(address: int, value: int, ages: dict[int, int], heat: Heat | None) -> str:
    """Return the style of a byte."""
    if heat is not None:
        kind, ago = heat.touches.get(address, ("", 0))
        return "" if not kind else ("write" if kind == "w" else "read") + (" bold" if ago < RECENT else "")
    age = ages.get(address, FADE)
    return "changed" if age == 0 else "faded" if age < FADE else "dim" if not value else ""


class Memory(WindowPane):
    """A window of memory."""

    pane, title, group = "memory", "Memory", 5
    query_name = "memory.memory"
    keys = (Key("x", "form", "Bytes, words, signed, floating point"), Key("e", "enter", "Change the memory under the cursor"),
            Key("asterisk", "follow", "Show what the word under the cursor points to"),
            Key("H", "heat", "What the last instructions have read and written"), Key("plus", "wider(2)", "Wider rows"),
            Key("minus", "wider(0.5)", "Narrower rows"))

    kept: ClassVar = {"form": tuple(FORMS), "row": (8, 16, 32, 64), "hot": (True, False)}

    def __init__(self) -> None:
        super().__init__()
        self.address: int | None = None
        self.form = "u8"
        self.row = 16
        self.hot = False
        self.bytes: dict[int, int] = {}              # as they were seen last
        self.ages: dict[int, int] = {}               # address -> stops since it has changed
        self.pattern = ""

    # -- what is asked ---------------------------------------------------------------------------------------------------
    @property
    def queries(self) -> dict[str, str]:
        """Whether heat is asked for, too."""
        return {"heat": "memory.heat"} if self.hot else {}

    def arguments(self) -> dict[str, Any]:
        """Return what the window is asked with."""
        return {"address": self.address or 0, "rows": max(self.size.height, 1), "row": self.row}

    def arguments_of(self, name: str) -> dict[str, Any]:
        """Return the range whose heat is asked."""
        del name
        return {"address": self.address or 0, "length": max(self.size.height, 1) * self.row}

    def met(self, hello: Hello) -> None:
        """Start where there is something to see."""
        del hello

        async def start() -> None:
            if self.address is None:
                self.act_goto(await self.screen_app.client.do("memory.home"))

        self.screen_app.go(start())

    def stopped(self, stop: StopView) -> None:
        """Changes grow older."""
        del stop
        self.ages = {at: age + 1 for at, age in self.ages.items() if age + 1 < FADE}

    def put(self, data: Any, stop: int) -> None:
        """Take a window; what differs from when it was last seen has changed."""
        if hasattr(data, "data"):
            for number, row in enumerate(data.data):
                at = data.address + number * data.row
                for i, c in enumerate(row or b""):
                    if self.bytes.get(at + i, c) != c:
                        self.ages[at + i] = 0
                    self.bytes[at + i] = c
        super().put(data, stop)

    def view(self, data: Data, before: Any) -> list[Line]:
        """Return the lines."""
        del before
        hello = self.screen_app.hello
        heat = self.extra.get("heat") if self.hot else None
        about = f" · read and written in the last {heat.insns:,} insns" if heat is not None else ""
        self.subtitle(f"{data.region} {data.address:x} {self.form}{about}")
        return memory_lines(data, (hello.bits if hello else 32) // 4, self.form, little=hello is None or hello.little,
                            ages=self.ages, heat=heat)

    # -- moving the window -----------------------------------------------------------------------------------------------
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

    # -- keys ------------------------------------------------------------------------------------------------------------
    def action_form(self) -> None:
        """Show bytes another way."""
        names = list(FORMS)
        self.form = names[(names.index(self.form) + 1) % len(names)]
        self.redraw()

    def action_wider(self, factor: float) -> None:
        """Change the bytes of a row."""
        self.row = max(8, min(int(self.row * factor), 64))
        self.ask()

    def action_heat(self) -> None:
        """Show what was read and written, or what has changed."""
        self.hot = not self.hot
        self.extra.clear()
        self.ask()
        self.redraw()

    def action_follow(self) -> None:
        """Show what the word under the cursor points to."""
        at, hello = self.here.key, self.screen_app.hello
        size = (hello.bits if hello else 32) // 8
        word = bytes(self.bytes[at + i] for i in range(size) if isinstance(at, int) and at + i in self.bytes)
        if len(word) == size:
            self.act_goto(int.from_bytes(word, "little" if hello is None or hello.little else "big"))

    def act_edit(self, address: int, size: int) -> None:
        """Change memory: a number of the cell's size, bytes ("de ad"), or a text in quotes."""
        async def write(text: str) -> None:
            data = typed(text, size, little=self.screen_app.hello is None or self.screen_app.hello.little)
            await self.screen_app.client.do("write_memory", address=address, data=data)

        self.screen_app.prompt.open(f"{address:x} =", "", lambda text: self.screen_app.go(write(text)))

    def find(self, words: str, *, back: bool = False) -> bool:
        """Search memory."""
        del back

        async def search() -> None:
            here = self.here.key if isinstance(self.here.key, int) else self.address or 0
            start = here + self.row if words == self.pattern else self.address or 0
            self.pattern = words
            found = await self.screen_app.client.do("memory.search", text=words, start=start)
            if found is None:
                raise UsageError(f"{words}: not found in memory")
            self.act_goto(found)
            self.screen_app.say(f"found at {found:#x}")

        self.screen_app.go(search())
        return True


def typed(text: str, size: int, *, little: bool) -> bytes:
    """Return the bytes that a user means; UsageError."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1].encode()
    try:
        if " " in text:
            return bytes.fromhex(text)
        number = int(text, 0)
        return number.to_bytes(size, "little" if little else "big", signed=number < 0)
    except OverflowError:
        raise UsageError(f"{text} does not fit in {8 * size} bits; key x shows larger cells") from None
    except ValueError:
        raise UsageError(f'{text}: neither a number, nor bytes such as "de ad", nor a text in quotes') from None


class Memory2(Memory):
    """Another window."""

    pane, title = "memory2", "2"


class Memory3(Memory):
    """And another one."""

    pane, title = "memory3", "3"


PANES: tuple[type[WindowPane], ...] = (Memory, Memory2, Memory3)
