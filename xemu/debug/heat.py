"""Which bytes of a range the last instructions have read and written: found by repeating them with a watch on the range."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from xemu.debug.accesses import Accesses
from xemu.debug.excursion import excursion, go
from xemu.debug.names import Names
from xemu.debug.stops import StopKind

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger
    from xemu.debug.stops import Position

MOST = 0.1               # seconds that a look may take
WINDOWS = (300, 3_000, 30_000)       # instructions: the longest for which there is time


class Touch(NamedTuple):
    """The last access to a byte."""

    kind: str                                        # "r" or "w"
    ago: int                                         # instructions


def touched(debugger: Debugger, start: int, length: int, seconds: float = MOST) -> tuple[dict[int, Touch], int]:
    """Return the bytes that the last instructions have touched, by address, and how many instructions were looked at.

    The guest stands as before.
    """
    here, history = debugger.position, debugger.history
    if not debugger.recording or history.first.insns >= here.insns:
        return {}, 0
    until = monotonic() + seconds
    found: dict[int, Touch] = {}
    seen = 0
    with excursion(debugger):
        debugger.system.watch_outside(None)
        debugger.engine.watch([(start, length, 3)])
        try:
            for insns in WINDOWS:
                first = max(here.insns - insns, history.first.insns)
                go(debugger, first)
                more = _look(debugger, start, length, here, until)
                if more is None:
                    break
                found, seen = more, here.insns - first
        finally:
            debugger.apply()
    return found, seen


def _look(debugger: Debugger, start: int, length: int, here: Position, until: float) -> dict[int, Touch] | None:
    """Repeat up to a place; None where time has run out."""
    out: dict[int, Touch] = {}
    system, names, accesses = debugger.system, Names(debugger.system), Accesses(debugger.system)
    while monotonic() < until:
        event = system.run(insns=here.insns, beat=here.beat)
        if event.kind is StopKind.BREAKPOINT:
            debugger.engine.pass_point()
        elif event.kind is StopKind.WATCHPOINT:
            code = names.line(debugger.pc)
            for access in accesses.before(code) if code is not None else ():
                for at in range(max(access.address, start), min(access.address + access.size, start + length)):
                    out[at] = Touch(access.kind, here.insns - debugger.position.insns)
            debugger.engine.pass_watches()
        elif event.kind is not None:
            return out
    return None


__all__ = ["Touch", "touched"]
