"""Code: the source, instructions, or both, with breakpoints and where the guest stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from xemu.tui.keys import Key
from xemu.tui.text import Line, Span, line
from xemu.tui.window import WindowPane

if TYPE_CHECKING:

    from xemu.tui.messages import StopView
    from xemu.tui.queries.code import Ahead, Row
    from xemu.tui.queries.code import Code as Data

CALLS = {"svc", "bkpt"}
MODES = ("mixed", "source", "assembly")
TIERS = {"compiled": ("J", "good"), "interpreted": ("i", ""), "never": ("·", "never")}        # never alone by colour


def count_text(number: int | None) -> str:
    """Return a count in four characters."""
    if not number:
        return ""
    for unit, factor in (("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)):
        if number >= factor:
            return f"{number / factor:.1f}{unit}" if number < 10 * factor else f"{number // factor}{unit}"
    return str(number)


def count_spans(found: Any) -> list[Span]:
    """Return how often code was executed, and by what: J compiled, i interpreted, · never."""
    if found is None:
        return [Span(" " * 6)]
    letter, style = TIERS[found.tier]
    return [Span(letter, style), Span(f"{count_text(found.times):>4} ", "dim")]


def mark_spans(row: Row) -> list[Span]:
    """Return the gutter: ● breakpoint, ○ one that is off, ◆ one that logs; ▶ where the guest stands, ◁ the selected frame."""
    point = "●" if "b" in row.marks else "◆" if "l" in row.marks else "○" if "o" in row.marks else " "
    return [Span(point, "break" if point != "○" else "off", ("toggle", row.address) if row.address is not None else ()),
            Span("▶" if "p" in row.marks else "◁" if "f" in row.marks else " ", "pc")]


def ahead_text(row: Row, found: Ahead) -> str:
    """Return what an instruction will do: "r0=20000400 r1=40", "[20000410]=1", "↓ will branch"."""
    words = [f"{name}={value:x}" for name, value in found.values[:3]]
    for kind, address, value, _ in found.accesses[:2]:
        known = "" if value is None else f"={value:x}" if kind == "r" else f"←{value:x}"
        words.append(f"[{address:x}]{known}")
    arrow = "↓" if found.target > (row.address or 0) else "↑"
    if found.taken:
        words.append(f"{arrow} will branch")
    elif row.target is not None and not found.end and row.mnemonic not in CALLS:
        words.append("will not branch")
    if found.end:
        words.append(f"({found.end})")
    return " ".join(words)


def code_line(row: Row, digits: int, *, opcodes: bool, ahead: Ahead | None = None, count: Any = None) -> Line:
    """Return the line of a row."""
    current = "current" if "p" in row.marks or "f" in row.marks else ""
    if row.kind == "label":
        return line((f"  {row.text}:", "title"))
    if row.kind == "source":
        style = "" if row.address is not None or row.marks else "dim" if not row.text.strip() else ""
        return Line((*mark_spans(row), *count_spans(count), Span(f"{row.line:5} ", "pc" if "p" in row.marks or "c" in row.marks else "dim"),
                     Span(row.text, style)), row.address if row.address is not None else ("line", row.line), current)
    words = [*mark_spans(row), *count_spans(count), Span(f"{row.address:0{digits}x}  ", "dim")]
    if opcodes:
        words.append(Span(f"{row.code.hex():<10} ", "dim"))
    there = ("goto", "code", row.target) if row.target is not None else ()
    words += [Span(f"{row.mnemonic:<8}", "mnemonic"), Span(row.operands, "", there)]
    if row.comment:
        words.append(Span(f"  ; {row.comment}", "comment"))
    if ahead is not None and (text := ahead_text(row, ahead)):
        words.append(Span(f"{' ' if row.comment else '  ;'} {text}", "ahead"))
    return Line(tuple(words), row.address, current)


def code_lines(data: Data, bits: int, *, opcodes: bool, ahead: dict[int, Ahead] | None = None,
               counts: dict[int, Any] | None = None) -> list[Line]:
    """Return the lines of a window."""
    return [code_line(row, bits // 4, opcodes=opcodes, ahead=(ahead or {}).get(row.address or -1),
                      count=(counts or {}).get(row.address or -1)) for row in data.rows]


class Code(WindowPane):
    """A window of code that follows the guest."""

    pane, title, group = "code", "Code", 2
    query_name = "code.code"
    keys = (Key("m", "mode", "Source, instructions or both"), Key("enter", "until", "Run to the cursor"),
            Key("x", "opcodes", "Show the bytes of instructions"))
    kept: ClassVar[dict[str, tuple[Any, ...] | None]] = {"mode": MODES, "opcodes": (None, True, False)}

    def __init__(self) -> None:
        super().__init__()
        self.mode = "mixed"
        self.top: int | None = None                  # where the window starts; None: where the guest stands is in view
        self.address: int | None = None              # what is to be in view instead
        self.file = ""
        self.opcodes: bool | None = None
        self.place: tuple[Any, ...] = ()             # the stop and frame that the cursor was put on

    @property
    def queries(self) -> dict[str, str]:
        """What comes."""
        return {"ahead": "code.ahead", "counts": "coverage.executed"}

    def arguments_of(self, name: str) -> dict[str, Any]:
        """Return the addresses whose executions are counted."""
        if name != "counts":
            return {}
        return {"addresses": tuple(row.address for row in getattr(self.data, "rows", ()) if row.address is not None)}

    def arguments(self) -> dict[str, Any]:
        """Return what the window is asked with."""
        return {"mode": self.mode, "top": self.top, "file": self.file, "address": self.address, "rows": max(self.size.height, 1),
                **self.screen_app.selection}

    def stopped(self, stop: StopView) -> None:
        """Follow the guest again."""
        del stop
        if self.address is not None or self.top is not None:
            self.top, self.address, self.file = None, None, ""
            self.ask()

    def selected(self) -> None:
        """Show the frame's code."""
        self.top, self.address, self.file = None, None, ""

    def put(self, data: Any, stop: int) -> None:
        """Take a window, the cursor on the guest's place when it has moved."""
        place = stop, *self.screen_app.selection.values()
        super().put(data, stop)
        if place != self.place and self.top is None and hasattr(data, "rows"):
            mark = "f" if any("f" in row.marks for row in data.rows) else "p"
            found = next((i for i, row in enumerate(data.rows) if mark in row.marks), None)
            if found is not None:                    # else it is the window of before: the right one comes
                self.cursor, self.place = found, place
                self.refresh()
        self.ask()                                   # for the counts of what is in the window now

    def view(self, data: Data, before: Any) -> list[Line]:
        """Return the lines."""
        del before
        note = f"[bold]{data.note}[/] · " if data.note else ""
        self.subtitle(f"{note}{data.title} · {data.mode}")
        opcodes = self.size.width >= 100 if self.opcodes is None else self.opcodes
        bits = self.screen_app.hello.bits if self.screen_app.hello else 32
        counts = self.extra.get("counts")
        return code_lines(data, bits, opcodes=opcodes, ahead=self.extra.get("ahead"), counts=counts[0] if counts else None)

    # -- moving the window -----------------------------------------------------------------------------------------------
    def scroll_window(self, count: int) -> None:
        """Move the window by rows."""
        data = self.data
        if not hasattr(data, "rows") or not data.rows:
            return
        if data.mode == "source":
            self.file, self.top = data.file, max(1, data.top + count)
            self.ask()
            return
        addresses = [row.address for row in data.rows if row.kind == "insn" and row.address is not None]
        if count > 0 and addresses:
            self.top = addresses[min(count, len(addresses) - 1)]
            self.ask()
        elif addresses:
            async def up() -> None:
                self.top = await self.screen_app.client.do("code.above", address=addresses[0], count=-count)
                self.ask()

            self.screen_app.go(up())

    def act_goto(self, address: int) -> None:
        """Show an address."""
        self.address, self.top, self.file = address, None, ""
        self.ask()

    def act_home(self) -> None:
        """Show where the guest stands."""
        self.address, self.top, self.file = None, None, ""
        self.ask(again=True)

    # -- keys ------------------------------------------------------------------------------------------------------------
    def action_mode(self) -> None:
        """Show source, instructions or both."""
        self.mode = MODES[(MODES.index(self.mode) + 1) % len(MODES)]
        self.top = None
        self.ask()

    def action_opcodes(self) -> None:
        """Show the bytes of instructions, or not."""
        self.opcodes = not (self.size.width >= 100 if self.opcodes is None else self.opcodes)
        self.redraw()

    def action_until(self) -> None:
        """Run to the cursor."""
        self.screen_app.action_until_cursor()

    def act_toggle(self, address: int) -> None:
        """Set or delete a breakpoint."""
        self.screen_app.act_do("toggle_break", address=address)


PANES = (Code,)
