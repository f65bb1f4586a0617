"""Motions by lines and functions, backwards: to the places where steps forwards would have stopped.

Steps back are made on a `Tape`. Calls are passed at full speed: back to the call before the place where they return to, with the
stack pointer that belongs to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.debug.arm_frames import EXC_RETURN
from xemu.debug.code import Row
from xemu.debug.disassembly import disassemble
from xemu.debug.expressions import Binary, Const, Register
from xemu.debug.points import Breakpoint, Catchpoint
from xemu.debug.stops import StopKind
from xemu.debug.tape import Moment, Tape
from xemu.errors import UsageError

if TYPE_CHECKING:
    from xemu.debug.code import Routine
    from xemu.debug.stepping import Stepping
    from xemu.debug.stops import Stop
    from xemu.debug.unwind import Frame

SVC_BYTES = 2
PATIENCE = 1_000         # instructions of one line that are walked through
MOST_AROUND = 4_000      # bytes of a function in which that is cut short
MOST_ODD = 32            # rows in a sequence that are no statements


class EndedError(Exception):
    """Something has ended the motion."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(stop.text)
        self.stop = stop


class Entry:
    """The condition that an exception has been entered from a moment: it returns there, with the stack as it was."""

    def __init__(self, motion: Stepping, here: Moment) -> None:
        self.motion, self.wanted = motion, (here.pc, here.sp)

    def evaluate(self, _read_register: Any, _read_memory: Any) -> int:
        """Return 1 or 0."""
        return int(self.motion.interrupted() == self.wanted)

    def native(self, _place: Any) -> None:
        """There is no native form."""
        return


class Backwards:
    """One motion backwards."""

    def __init__(self, motion: Stepping) -> None:
        self.motion, self.debugger, self.code = motion, motion.debugger, motion.code
        self.system, self.source = motion.system, motion.source
        self.tape = Tape(motion)

    # -- lines -------------------------------------------------------------------------------------------------------------
    def line(self, *, into: bool) -> Stop:
        """Go back to the beginning of the line before this place."""
        try:
            return self._line(into=into)
        except EndedError as end:
            return end.stop

    def _line(self, *, into: bool) -> Stop:
        self.source.modules                                    # noqa: B018  files may have gone
        here, origin = self.tape.now(), self.debugger.position
        hidden = self.source.hidden
        chain = self.code.chain(here.pc)[:-hidden or None]
        walked = 0                                         # instructions of one line
        if (stop := self._out_of_call(here, hidden, into=into)) is not None:
            return stop
        while True:
            if (paused := self.motion.breathe()) is not None:
                self._seek(here)
                return self.debugger._stop(paused.kind)  # noqa: SLF001
            before = self._before(here)
            if before is None and here.position != origin and self.tape.before(here.position) is not None:
                return self._stop(here)                                  # the first instruction of a thread
            if before is None:
                return self.debugger._to_begin()  # noqa: SLF001
            returned = self._call_before(before, here)
            stepped = into and self._has_lines(before.pc)
            executed = before if returned is None or stepped else before._replace(pc=returned)
            if here.position != origin and self._begins(here, executed, chain, into=into):
                starting = self.code.starting(here.pc)
                outside = bool(starting) and not into and self.code.chain(here.pc)[:-len(starting)] == chain
                return self._stop(here, before, len(starting) if outside else 0)
            if returned is None:
                entered = self._entered_from(before, here)
                if entered is not None and entered != before.pc:         # through the loader, or a veneer
                    found = self._back_to(here, entered, here.sp + self.source.architecture.pushed)
                    if isinstance(found, Moment) and self._has_lines(found.pc):
                        here = found
                        continue
                    return found if not isinstance(found, Moment) else self._stop(found)
                if entered is not None and not self._has_lines(before.pc):
                    return self._stop(before)                            # the caller has no lines to go back to
                if entered is not None:
                    chain = self.code.chain(before.pc)
                walked = walked + 1 if before.pc in self._line_around(here) else 0
                here = before if walked < PATIENCE else self._to_first(before)
                walked %= PATIENCE
            elif stepped:
                here, chain = before, self.code.chain(before.pc)
            else:
                found = self._back_to(here, returned, self._sp_at_call(before, here))
                if not isinstance(found, Moment):
                    return found
                here = found

    def _line_around(self, here: Moment) -> range:
        return range(*self.code.group(here.pc))

    def _to_first(self, here: Moment) -> Moment:
        """Go to the first instruction that was executed of a line in a loop: by points at all others of the function."""
        module, debugger, within = self.code.module(here.pc), self.debugger, self._line_around(here)
        function = module.source_function(here.pc) if module is not None else None
        if module is None or function is None or sum(end - start for start, end in function.ranges) > MOST_AROUND:
            return here
        code = [a for start, end in function.ranges for a in self._starts(range(start + module.bias, end + module.bias))]
        stack = Binary("equal", Register(self.source.architecture.sp), Const(here.sp))
        self._seek(here)
        around = Breakpoint(owner="step", addresses=tuple(a for a in code if a not in within), condition=stack)
        debugger.points.add(around)
        debugger.apply()
        try:
            stop = debugger.cont(back=True)
        finally:
            debugger.delete(around)
        if stop.points != (around,):
            raise EndedError(stop)
        found = self.motion.run_to(self._starts(within), condition=stack)
        if found is not None:
            raise EndedError(found)
        return self.tape.now()

    def _starts(self, within: range) -> list[int]:
        """Return where instructions start in some code."""
        source, found, at = self.source, [], within.start
        mode = self.motion.mode()
        if source.architecture.unit > 1:                                 # in either state: data stands between them, too
            return list(within[::source.architecture.unit])
        while at in within:
            found.append(at)
            at += source.rules.size(source.read_memory, at, mode) or 1
        return found

    def _out_of_call(self, here: Moment, hidden: int, *, into: bool) -> Stop | None:
        """Go in front of an inlined call that starts here, without moving, where a step forwards would have stopped."""
        starting = self.code.starting(here.pc)
        if len(starting) <= hidden:
            return None
        before = self._before(here)
        outer = self.code.chain(here.pc)[:-len(starting)]
        row = self._line_before(before, outer, into=into) if before is not None else None
        same = row is not None and before is not None and row.same(starting[-1]) and self.code.chain(before.pc) == outer
        if len(starting) - same <= hidden:
            return None
        self._seek(here)
        return self.motion.before_inlined(hidden + 1)

    def _before(self, here: Moment) -> Moment | None:
        """Return the moment before one, in the same thread and outside of handlers that came between."""
        found = self.tape.before(here.position)
        if found is None or self._starts_handler(here):
            return found
        skip = getattr(self.system, "last_turn", None)
        while found is not None and found.context != here.context:
            if skip is None and self._is_call_to_system(here):
                back = self._back_to(here, here.pc - SVC_BYTES, here.sp)
                if not isinstance(back, Moment):
                    raise EndedError(back)
                return back
            if skip is None:
                if not self._to_entry(here, found):
                    return None
            else:
                insns = skip(here.context, found.position)
                if insns is None:
                    return None
                self.debugger.seek(insns)
            found = self.tape.before(self.debugger.position)
        if found is not None and self._is_signal_return(found, here):
            frame = found.sp
            while found is not None and (found.sp <= frame or found.context != here.context):
                found = self.tape.before(found.position)
        return found

    def _is_call_to_system(self, here: Moment) -> bool:
        """Whether SVC is before a moment (T16: 11011111 imm8)."""
        data = self.source.read_memory(here.pc - SVC_BYTES, SVC_BYTES)
        return data is not None and data[1] == 0b11011111

    def _to_entry(self, here: Moment, found: Moment) -> bool:
        """Go to where the exception was entered that has returned to a moment; `found` is in its handler. False: nowhere."""
        debugger = self.debugger
        condition = Entry(self.motion, here)
        own = [Catchpoint(owner="step", kind=kind, condition=condition) for kind in ("irq", "exception")]
        self._seek(found)
        for point in own:
            debugger.points.add(point)
        try:
            stop = debugger.cont(back=True)
        finally:
            for point in own:
                debugger.delete(point)
        if stop.kind is not StopKind.HISTORY_BEGIN and not any(point in own for point in stop.points):
            raise EndedError(stop)
        return stop.kind is not StopKind.HISTORY_BEGIN

    def _starts_handler(self, here: Moment) -> bool:
        """Whether an exception's handler starts at a moment: before it is what was interrupted."""
        routine = self.code.routine(here.pc)
        return self.system.kind == "machine" and here.returns >= EXC_RETURN and routine is not None and routine.start == here.pc

    def _is_signal_return(self, before: Moment, here: Moment) -> bool:
        """Whether an instruction is the system call with which a signal's handler ended."""
        if before.sp >= here.sp or self.system.kind != "process" or here.pc == self.motion.following(before.pc, before.mode):
            return False
        return self.source.rules.is_system_call(*self._instruction(before))

    def _instruction(self, moment: Moment) -> tuple[str, str]:
        """Return mnemonic and operands."""
        line = disassemble(self.source.read_memory, moment.pc, 1, moment.mode, self.source.latest, self.source.architecture)[0]
        return line.mnemonic, line.operands

    def _call_before(self, before: Moment, here: Moment) -> int | None:
        """Return the call that has just returned here; None: no function has returned."""
        rules = self.source.rules
        if here.pc == self.motion.following(before.pc, before.mode) and self.code.routine(before.pc) == self.code.routine(here.pc):
            return None
        mnemonic, operands = self._instruction(before)
        if rules.flow(mnemonic, operands) != "jump" or (operands.startswith(("#", "0x")) and not rules.is_return(mnemonic, operands)):
            return None
        call = self._call_address(here)
        if call is None:
            return None
        ours = self.code.routine(here.pc)
        if ours is not None and self.code.routine(before.pc) == ours and not rules.is_return(mnemonic, operands):
            return None                                    # a jump through a table
        return call

    def _sp_at_call(self, before: Moment, here: Moment) -> int:
        """Return the stack pointer at the call that the instruction at `before` has returned from; that may take arguments off, too."""
        pushed = self.source.architecture.pushed
        return before.sp + pushed if pushed and self.source.rules.is_return(*self._instruction(before)) else here.sp

    def _call_address(self, here: Moment) -> int | None:
        """Return the address of the call behind which a place is; None: there is none."""
        return self.source.rules.call_before(self.source.read_memory, here.pc, here.mode, self.source.latest)

    def _entered_from(self, before: Moment, here: Moment) -> int | None:
        """Return the call by which the function was entered that starts here; None: it starts elsewhere."""
        routine = self.code.routine(here.pc)
        if routine is None or not self.code.enters(here.pc, routine):
            return None
        returns = self.source.architecture.code(here.returns)
        if returns == self.motion.following(before.pc, before.mode):
            return before.pc
        if before.context != here.context or self._jumps_within(before, routine):
            return None
        if not self.code.between(before.pc) and (caller := self.code.routine(before.pc)) is not None and caller.lines:
            return None                                    # a jump to another function, as the last thing that one did
        return self._call_address(here._replace(pc=returns, mode=self.source.architecture.mode_at(here.returns, here.mode)))

    def _jumps_within(self, before: Moment, routine: Routine) -> bool:
        """Whether a function has jumped to its own start."""
        return self.code.routine(before.pc) == routine

    def _begins(self, here: Moment, before: Moment, chain: tuple[int, ...], *, into: bool) -> bool:
        """Whether a step forwards would have stopped at a moment."""
        code = self.code
        routine = code.routine(here.pc)
        if routine is not None and routine.lines:
            body = code.body(routine)
            if here.pc == body:
                return True
            if routine.start <= here.pc < body:
                return False
        starting, deeper = code.starting(here.pc), code.chain(here.pc)
        if starting and into:
            return True
        if starting and code.routine(before.pc) == routine and deeper[:-len(starting)] == chain:
            row = self._line_before(before, chain, into=into)
            return row is None or not row.same(starting[-1])
        begun = code.begins(here.pc)
        if begun is None or begun.same(self._line_before(before, chain, into=into)):
            return False
        return into or not (len(deeper) > len(chain) and deeper[:len(chain)] == chain)

    def _line_before(self, before: Moment, chain: tuple[int, ...], *, into: bool) -> Row | None:
        """Return the line that a step forwards would be leaving after a moment: beginnings of no statement do not count.

        An inlined call that is stepped over belongs to the line it is on.
        """
        code, row = self.code, self.code.row(before.pc)
        for _ in range(MOST_ODD):
            deeper = code.chain(before.pc)
            if not into and len(deeper) > len(chain) and deeper[:len(chain)] == chain:
                return self._line_of_call(before, len(deeper) - len(chain))
            if row is None or row.statement or row.start != before.pc:
                break
            found = self._before(before)
            if found is None:
                break
            returned = self._call_before(found, before)
            stepped = into and self._has_lines(found.pc)
            before = found if returned is None or stepped else found._replace(pc=returned)
            row = code.row(before.pc)
        return row

    def _line_of_call(self, moment: Moment, number: int) -> Row | None:
        """Return the line of an inlined call around a moment, counted from the innermost."""
        module = self.code.module(moment.pc)
        calls = module.calls_at(moment.pc) if module is not None else []
        return Row(calls[number - 1].file, calls[number - 1].line, moment.pc, moment.pc, statement=True) if number <= len(calls) else None

    def _has_lines(self, pc: int) -> bool:
        routine = self.code.routine(pc)
        return routine is not None and routine.lines

    def _seek(self, moment: Moment) -> None:
        self.debugger.history.leave_present()
        self.debugger.history.seek(moment.position)

    def _stop(self, moment: Moment, before: Moment | None = None, hidden: int = 0) -> Stop:
        """End the motion at a moment; `before` has been executed before it: what came between is still to come."""
        self._seek(moment)
        if before is not None and before.position.insns + 1 < moment.position.insns:
            self._seek(before)
            self.debugger.history.repeat(before.position.insns + 1)
            if (self.debugger.pc, self.motion.sp) != (moment.pc, moment.sp):
                self._seek(moment)
        return self.motion.arrived() or self.motion.before_inlined(hidden)

    def _back_to(self, here: Moment, address: int, sp: int) -> Moment | Stop:
        """Go back to the last time an address was executed with a stack pointer; a stop: something else comes before."""
        self._seek(here)
        debugger = self.debugger
        own = Breakpoint(owner="step", addresses=(address,), condition=Binary("equal", Register(self.source.architecture.sp), Const(sp)))
        debugger.points.add(own)
        debugger.apply()
        try:
            stop = debugger.cont(back=True)
        finally:
            debugger.delete(own)
        return self.tape.now() if stop.points == (own,) else stop

    # -- functions ---------------------------------------------------------------------------------------------------------
    def finish(self, frames: list[Frame]) -> Stop:
        """Go back to the call of the newest frame's function."""
        try:
            return self._finish(frames)
        except EndedError as end:
            return end.stop

    def _finish(self, frames: list[Frame]) -> Stop:
        frame, arch = frames[0], self.source.architecture
        if frame.inline:
            return self._out_of_inlined()
        caller = self.motion.outer(frames)
        here = self.tape.now()
        if not any(f.exception or f.signal for f in frames[:caller.level]):
            call = self._call_address(here._replace(pc=caller.pc, mode=caller.mode))
            if call is None:
                raise UsageError(f"there is no call in front of {caller.pc:#x}, where {frame.function or 'this code'} returns to")
            found = self._back_to(here, call, caller.sp)
            return self.motion.done() if isinstance(found, Moment) else found
        routine = self.code.routine(frame.lookup)
        if routine is None or frame.cfa is None:
            raise UsageError("nobody can say where this handler starts")
        if here.pc != routine.start or here.sp != frame.cfa:
            found = self._back_to(here, routine.start, frame.cfa if arch.link else frame.cfa - arch.address_bytes)
            if not isinstance(found, Moment):
                return found
        before: Moment | None = self.tape.now()
        while before is not None and before.context == here.context:     # a handler may have jumped to this function
            before = self.tape.before(before.position)
        if before is None:
            return self.debugger._to_begin()  # noqa: SLF001
        return self._stop(before)

    def _out_of_inlined(self) -> Stop:
        """Go back to the instruction before the innermost inlined call."""
        here = self.tape.now()
        depth = len(self.code.chain(here.pc))
        while True:
            before = self._before(here)
            if before is None:
                return self.debugger._to_begin()  # noqa: SLF001
            call = self._call_before(before, here)
            if call is not None:
                found = self._back_to(here, call, self._sp_at_call(before, here))
                if not isinstance(found, Moment):
                    return found
                here = found
                continue
            here = before
            if len(self.code.chain(here.pc)) < depth:
                return self._stop(here)


__all__ = ["Backwards"]
