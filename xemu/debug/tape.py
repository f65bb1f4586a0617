"""Pieces of the past, instruction by instruction: repeated once, so that many steps back can be made on them."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.errors import UsageError

if TYPE_CHECKING:
    from xemu.debug.stepping import Stepping
    from xemu.debug.stops import Position

LENGTH = 48              # instructions of the first piece of tape; later ones are longer
LONGEST = 4_096


class Moment(NamedTuple):
    """The guest before one instruction."""

    position: Position
    pc: int
    sp: int
    returns: int             # where a function returns to that starts here
    mode: str                # which instructions the CPU executes
    context: Any             # thread, or what exceptions are active: handlers and other threads are passed over


class Tape:
    """The instructions before a place."""

    def __init__(self, motion: Stepping) -> None:
        self.motion, self.debugger, self.system = motion, motion.debugger, motion.system
        self.moments: list[Moment] = []
        self._keys: list[Position] = []
        self._length = LENGTH

    def now(self) -> Moment:
        """Return the moment where the guest is."""
        motion = self.motion
        return Moment(self.debugger.position, self.debugger.pc, motion.sp, motion.returns(), motion.mode(), motion.context())

    def before(self, position: Position) -> Moment | None:
        """Return the moment of the instruction executed before a place; None at the start of the history."""
        number = bisect_left(self._keys, position) - 1
        if number < 0 or (self._keys[-1] < position and not self._joined(position)):
            self._record(position)
            number = bisect_left(self._keys, position) - 1
        return self.moments[number] if number >= 0 else None

    def _joined(self, position: Position) -> bool:
        return self._keys[-1].insns + 1 == position.insns

    def _record(self, goal: Position) -> None:
        """Repeat what comes before a place, instruction by instruction."""
        history, system, debugger = self.debugger.history, self.system, self.debugger
        history.leave_present()
        start = max(goal.insns - self._length, history.first.insns)
        self._length = min(2 * self._length, LONGEST)
        self.moments, self._keys = [], []
        number = history.find_insns(start)
        if number < 0:
            return
        history.place(number)
        debugger.history.repeat(start)
        debugger.engine.quiet(on=True)
        try:
            while debugger.position < goal:
                system.settle()
                if not debugger.position < goal:
                    break
                here = self.now()
                self.moments.append(here)
                self._keys.append(here.position)
                while system.run(insns=here.position.insns + 1).kind is None:
                    pass
                if debugger.position == here.position:
                    break
        finally:
            debugger.engine.quiet(on=False)
        if self.moments and self.moments[-1].position.insns + 1 < goal.insns:        # it went another way: nothing to rely on
            raise UsageError("the past could not be repeated exactly")


__all__ = ["Moment", "Tape"]
