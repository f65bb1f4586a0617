"""The instructions that led here, with what each changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from xemu.tui.lookback import LookbackPane
from xemu.tui.text import Line, Span, line

if TYPE_CHECKING:
    from xemu.debug.trace import Step
    from xemu.tui.queries.trace import Trace as Data

FIRST, MOST = 200, 6_400
WIDE = 110               # columns from which on addresses have room


def number(value: int | None) -> str:
    """Return a value in digits."""
    return "?" if value is None else f"{value:x}"


def short(place: str, width: int) -> str:
    """Return a place in so many columns; a name that is too long loses its end, not the offset."""
    name, plus, offset = place.partition("+")
    room = width - len(plus) - len(offset)
    return (place if len(place) <= width else f"{name[:room - 1]}…{plus}{offset}").ljust(width)


def place_spans(insns: int, pc: int, place: str, *, wide: bool) -> list[Span]:
    """Return when and where an instruction is executed."""
    if wide:
        return [Span(f"{insns:>11,} ", "time"), Span(f"{pc:08x} ", "dim"), Span(short(place, 20) + " ", "label")]
    return [Span(f"{insns:>9,} ", "time"), Span(short(place or f"{pc:08x}", 16) + " ", "label")]


def step_line(step: Step, *, wide: bool) -> Line:
    """Return the line of an instruction, or of what came between."""
    key = step.insns, step.transition, bool(step.note)
    act = "seek", step.beat, step.transition, step.insns
    if step.note:
        return line(*place_spans(step.insns, step.pc, step.place, wide=wide), (f"── {step.note}", "device"), key=key, act=act)
    text = step.text.partition("  ;")[0]
    words = [*place_spans(step.insns, step.pc, step.place, wide=wide), Span(f"{text:<28} " if wide else f"{text:<20} ", "mnemonic")]
    for (name, new), old in zip(step.registers, step.old, strict=True):
        words += [Span(f" {name} ", "dim"), Span(f"{number(old)}→", "dim"), Span(number(new), "changed")]
    for access in step.accesses:
        sign, style = ("→", "read") if access.kind == "r" else ("←", "write")
        words += [Span(f" [{access.address:x}]", "dim"), Span(f"{sign}{number(access.value)}", style)]
    return Line(tuple(words), key, act=act)


def trace_lines(data: Data, *, wide: bool = True) -> list[Line]:
    """Return all lines, and the instruction that comes next."""
    top = line(("the start of the history" if data.whole else "m: more", "dim"), key="top", act=() if data.whole else ("more",))
    here = line(*place_spans(data.insns, data.pc, data.where, wide=wide), ("▶ ", "pc"), (data.next.partition("  ;")[0], "pc"), key="here")
    return [top, *(step_line(step, wide=wide) for step in data.steps), here]


class Trace(LookbackPane):
    """The last instructions before the present place."""

    pane, title = "trace", "Trace"
    query_name = "trace.steps"
    first, furthest = FIRST, MOST

    def view(self, data: Data, before: Any) -> list[Line]:
        """Return the lines."""
        del before
        return trace_lines(data, wide=self.size.width >= WIDE)

    def find(self, words: str, *, back: bool = True) -> bool:
        """Put the cursor on the line before this one in which a regular expression is found."""
        try:
            pattern = re.compile(words, re.IGNORECASE)
        except re.error:
            pattern = re.compile(re.escape(words), re.IGNORECASE)
        count = len(self.lines)
        for step in range(1, count + 1):
            at = (self.cursor + (-step if back else step)) % count
            if pattern.search(self.lines[at].text):
                self.move_to(at)
                return True
        return False


PANES = (Trace,)
