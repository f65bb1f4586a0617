"""Cores, threads and tasks, each with its call stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.tui.pane import Pane
from xemu.tui.text import Line, Span, line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.tui.queries.threads import Thread
    from xemu.tui.queries.threads import Threads as Data

LEAST_STACK = 8          # a task that has less than this part of its stack left is marked


def threads_lines(data: Data, before: Data | None, opened: set[tuple[str, int]],
                  selected: tuple[int | None, int] = (None, 0)) -> list[Line]:
    """Return a line for each, and the calls of those that are opened; `selected`: the thread and frame that other panes show."""
    old = {(row.kind, row.id): row for row in before.rows} if before is not None else {}
    width = max((len(row.name) for row in data.rows), default=0)
    lines: list[Line] = []
    titled = False
    for row in data.rows:
        if row.kind == "task" and not titled:
            titled = True
            lines.append(line((f"tasks of {data.kernel}", "title"), key="kernel"))
        lines += _thread(row, old.get((row.kind, row.id)), min(width, 16), opened, selected)
    if data.problem:
        lines.append(line((data.problem, "error"), key="problem"))
    return lines


def _thread(row: Thread, old: Thread | None, width: int, opened: set[tuple[str, int]],
            selected: tuple[int | None, int]) -> Iterator[Line]:
    key = row.kind, row.id
    chosen = selected[0] == row.id
    changed = old is not None and old.state != row.state
    words = [Span("▶" if row.running else "◁" if chosen else " ", "pc"), Span("▾ " if key in opened else "▸ ", "", ("open", key)),
             Span(f"{row.id} " if row.kind == "thread" else "", "dim"), Span(f"{row.name:<{width}} ", "title" if row.running else "label"),
             Span(f"{row.priority:>3} " if row.priority is not None else "", "constant"),
             Span(row.state, "changed" if changed else "good" if row.running else ""), Span(" ◂" if changed else "", "changed"),
             Span(f"  {row.where}" if row.where else "", "code")]
    if row.stack is not None:
        used, size = row.stack
        tight = (size - used) * LEAST_STACK < size
        words.append(Span(f"  stack {used}/{size}" + (" !" if tight else ""), "error" if tight else "dim"))
    yield Line(tuple(words), key, act=("open", key))
    for number, call in enumerate(row.calls):
        mark = "   ◁ " if chosen and number == selected[1] else "     "
        yield Line((Span(mark, "pc"), Span(f"#{number:<2} ", "dim"), Span(call.text, "code"), Span(" ?" if call.guessed else "", "error")),
                   (*key, number), act=("frame", None if row.running else row.id, number))
    if key in opened and not row.calls:
        yield line(("     no call stack", "dim"), key=(*key, -1))


class Threads(Pane):
    """Cores, threads and tasks. Enter shows the call stack of one; all panes show what is selected here, until the next stop."""

    pane, title, group = "threads", "Threads", 4
    query_name = "threads.threads"

    def __init__(self) -> None:
        super().__init__()
        self.opened: set[tuple[str, int]] = set()

    def arguments(self) -> dict[str, Any]:
        """Return whose call stacks are wanted."""
        return {"opened": tuple(sorted(self.opened))}

    def view(self, data: Data, before: Any) -> list[Line]:
        """Return the lines."""
        return threads_lines(data, before, self.opened, (self.screen_app.thread, self.screen_app.frame))

    def selected(self) -> None:
        """Mark what is selected."""
        self.redraw()

    def act_open(self, key: tuple[str, int]) -> None:
        """Show a call stack and select it, or hide it."""
        self.opened ^= {key}
        running = any(row.running for row in self.data.rows if (row.kind, row.id) == key)
        self.screen_app.select(key[1] if key in self.opened and not running else None)
        self.redraw()

    def act_frame(self, thread: int | None, level: int) -> None:
        """Select a call."""
        self.screen_app.select(thread, level)


PANES = (Threads,)
