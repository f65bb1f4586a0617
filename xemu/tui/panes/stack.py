"""The call stack: a frame that is selected is the one whose code, registers and variables the other panes show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.tui.keys import Key
from xemu.tui.pane import Pane
from xemu.tui.panes.registers import pointed_spans
from xemu.tui.text import Line, Span, line

if TYPE_CHECKING:
    from xemu.tui.queries.stack import Row, Word
    from xemu.tui.queries.stack import Stack as Data

METHOD_FROM = 44         # columns from which on there is room for how a frame was found, where that is not a guess


def frame_line(row: Row, selected: int, digits: int, *, method: bool) -> Line:
    """Return the line of a frame: ▶ the newest, ◁ the selected one, "?" behind a method that is a guess."""
    mark = "◁" if row.level == selected and selected else "▶" if row.level == 0 else " "
    words = [Span(mark, "pc"), Span(f"#{row.level:<2} ", "dim")]
    if row.kind in ("exception", "signal"):
        words.append(Span(f"<{row.function}>", "keyword"))
    else:
        offset = f"+{row.offset:#x}" if row.offset and row.function and not row.place else ""
        words.append(Span((row.function or "??") + offset, "title" if row.level == selected else ""))
        words.append(Span(" " + (row.place or row.module), "comment" if row.place else "dim"))
        if row.kind == "inline":
            words.append(Span(" inlined", "keyword"))
        elif not row.place:
            words.append(Span(f" {row.pc:0{digits}x}", "dim"))
    if row.method.endswith("?"):
        words.append(Span(f" [{row.method}]", "error"))
    elif method and row.kind != "inline":
        words.append(Span(f" [{row.method}]", "dim"))
    return Line(tuple(words), ("frame", row.level), "current" if row.level == selected else "", ("frame", row.level))


def word_line(word: Word, sp: int, digits: int, *, changed: bool) -> Line:
    """Return the line of a word of the stack."""
    spans = [Span("▶" if word.address == sp else " ", "pc"), Span(f"{word.address:0{digits}x} ", "dim"),
             Span(f"{word.value:0{digits}x}", "changed" if changed else "", ("goto", "memory", word.address))]
    if word.note:
        spans.append(Span(f" {word.note}", "label"))
    spans += pointed_spans(word.pointed)
    kind = word.pointed.kind if word.pointed is not None else ""
    there = ("goto", "memory", word.value if kind else word.address)
    if word.pointed is not None and kind == "code":
        there = ("goto", "code", word.pointed.place)
    return Line(tuple(spans), ("word", word.address), act=there)


def stack_lines(data: Data, before: Data | None, bits: int, width: int = 80) -> list[Line]:
    """Return the frames, then the words from the stack pointer up."""
    digits = bits // 4
    lines = [frame_line(row, data.frame, digits, method=width >= METHOD_FROM) for row in data.rows]
    if data.more:
        lines.append(line(("  … more frames: Enter", "dim"), key="more", act=("more",)))
    old = {w.address: w.value for w in before.words} if before is not None else {}
    if data.words:
        lines.append(line((f"stack from sp{f' of #{data.frame}' if data.frame else ''} up", "title"), key="stack"))
    lines += [word_line(w, data.sp, digits, changed=old.get(w.address, w.value) != w.value) for w in data.words]
    return lines


class Stack(Pane):
    """The call stack of the selected thread."""

    pane, title, group = "stack", "Stack", 3
    query_name = "stack.stack"
    keys = (Key("less_than_sign", "up", "Select the caller's frame"), Key("greater_than_sign", "down", "Select the called frame"))

    def __init__(self) -> None:
        super().__init__()
        self.limit = 64

    def arguments(self) -> dict[str, Any]:
        """Return what the stack is asked with."""
        return {**self.screen_app.selection, "limit": self.limit}

    def view(self, data: Data, before: Any) -> list[Line]:
        """Return the lines."""
        hello = self.screen_app.hello
        self.subtitle(f"thread {data.thread}" if data.thread != 1 else "")
        return stack_lines(data, before, hello.bits if hello else 32, self.size.width)

    def act_frame(self, level: int) -> None:
        """Select a frame."""
        self.screen_app.select(self.screen_app.thread, level)

    def act_more(self) -> None:
        """Find more frames."""
        self.limit *= 4
        self.ask()

    def action_up(self) -> None:
        """Select the caller."""
        self._turn(1)

    def action_down(self) -> None:
        """Select the frame that was called."""
        self._turn(-1)

    def _turn(self, count: int) -> None:
        rows = getattr(self.data, "rows", ())
        level = self.screen_app.frame + count
        if 0 <= level < len(rows):
            self.act_frame(level)
            self.move_to(next((i for i, item in enumerate(self.lines) if item.key == ("frame", level)), self.cursor))


PANES = (Stack,)
