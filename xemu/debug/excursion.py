"""Looking at the past without moving the guest: pieces of it are repeated, then the guest stands again where it stood."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from xemu.core.aside import Aside
from xemu.debug.history import HistoryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.debugger import Debugger


@contextmanager
def excursion(d: Debugger) -> Iterator[None]:
    """Move the guest in its past as you like: afterwards it is where it was, and as live as it was."""
    d.need_history()
    here, live, stop, catches = d.position, d.system.live, d.stop, d.system.catches
    d.history.leave_present()
    d.system.catches = lambda _kind, _number, _name: False
    try:
        yield
    finally:
        d.engine.quiet(on=False)
        d.system.catches = catches
        if live:
            d.history.resume()
        else:
            d.history.seek(here)
        d.stop = stop


def go(d: Debugger, insns: int) -> None:
    """Go to an instruction count in the past; in an excursion."""
    history = d.history
    number = history.find_insns(insns)
    if number < 0:
        raise HistoryError(f"that is before the start of the history (instruction {history.first.insns:,})")
    history.place(number)
    history.repeat(insns)


def counts(d: Debugger, start: int, end: int) -> Counter[int]:
    """Return how often each instruction was executed between two instruction counts of the past."""
    start, end = max(start, d.history.first.insns), min(end, d.history.last.insns)
    if start >= end:
        return Counter()
    with excursion(d):
        go(d, start)
        with Aside(d.engine) as aside:
            d.history.repeat(end)
            return Counter(aside.counts)


__all__ = ["counts", "excursion", "go"]
