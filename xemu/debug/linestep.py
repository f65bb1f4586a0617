"""One step by a line, forwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.debug import arm_frames
from xemu.debug.expressions import Binary, Const, Register, Unary
from xemu.debug.rangestep import PATIENCE, exits

if TYPE_CHECKING:
    from xemu.debug.stepping import Stepping
    from xemu.debug.stops import Stop


class LineStep:
    """One step forwards."""

    def __init__(self, stepping: Stepping, *, into: bool) -> None:
        self.motion, self.debugger, self.code, self.into = stepping, stepping.debugger, stepping.code, into
        self.pc = self.debugger.pc
        self.row = self.code.row(self.pc)
        self.routine = self.code.routine(self.pc)
        self.chain = self.code.chain(self.pc)
        hidden = stepping.source.hidden
        if hidden and self.row is not None:
            call = self.code.starting(self.pc)[hidden - 1]
            self.row, self.chain = self.row._replace(file=call.file, line=call.line), self.chain[:-hidden]
        self.stepped = 0                           # instructions of this line
        self._look_out()

    def _look_out(self) -> None:
        """Find where this frame returns to, and the stack pointer there."""
        caller = self.motion.caller()
        self.returns: int | None = caller.pc if caller is not None else None
        self.outside = caller.sp if caller is not None else 0

    def run(self) -> Stop:
        """Go on until the line is left."""
        while True:
            stop = self.motion.breathe() or self._go() or self._judge()
            if stop is not None:
                return stop

    def _go(self) -> Stop | None:
        """Execute an instruction and what it calls, or a loop inside of the line."""
        motion, debugger = self.motion, self.debugger
        self.stepped += 1
        if self.stepped > PATIENCE and (around := exits(motion, self._within(), into=self.into)) and debugger.pc not in around:
            self.stepped = 0
            depth, thread, within = motion.sp, motion.thread, self._within()
            inside = Unary("not", Binary("less_unsigned", Register(motion.source.architecture.sp), Const(depth)))
            stop = motion.run_to(around, lambda: motion.system.thread == thread, inside)
            if stop is not None or debugger.pc not in within:
                return stop
        following, context = motion.following(debugger.pc, motion.mode()), motion.context()
        stop = motion.single()
        if stop is not None:
            return stop
        self.pc = debugger.pc
        if self.pc == following:
            return motion.arrived()
        returns = motion.called(following)
        if returns is not None:
            return self._call(returns, motion.caller_sp)
        if motion.in_fault():
            return motion.done()
        if motion.context() != context and (there := motion.interrupted()) is not None:
            return motion.run_out(*there)          # the handler of SVC
        if self._is_exception_return():
            return None
        if self._is_tail_call():
            assert self.returns is not None
            return self._call(self.returns, self.outside)
        return motion.arrived()

    def _is_exception_return(self) -> bool:
        """Whether the next instruction is the return from an exception, at an address that is none."""
        return self.motion.system.kind == "machine" and self.pc >= arm_frames.EXC_RETURN

    def _call(self, returns: int, sp: int) -> Stop | None:
        motion = self.motion
        if not self.into:
            return motion.arrived() or motion.run_out(returns, sp)
        found = motion.arrived() or motion.entered(returns, sp)
        return motion.before_inlined(len(self.code.starting(self.debugger.pc))) if found is True else found or None

    def _is_tail_call(self) -> bool:
        """Whether a function was jumped to that returns to this one's caller."""
        if self.returns is None or self.motion.caller_sp != self.outside or self.pc == self.returns:
            return False
        routine = self.code.routine(self.pc)
        return self.code.between(self.pc) or (routine is not None and self.code.enters(self.pc, routine) and routine != self.routine)

    def _judge(self) -> Stop | None:
        """Say whether the guest has come to another line; or take this one for the one to leave."""
        pc = self.pc = self.debugger.pc
        code = self.code
        if self._is_exception_return():
            return None
        row, routine = code.row(pc), code.routine(pc)
        left = routine is None or self.routine is None or routine.key != self.routine.key
        if row is None or (left and not row.line):
            return self.motion.done()
        if not row.line:
            return None                            # code that belongs to no line, in the middle of a function
        if left:
            self.routine, self.stepped = routine, 0
            self._look_out()
        starting = code.starting(pc)
        if starting and not left and code.chain(pc)[:-len(starting)] == self.chain:
            same = self.row is not None and self.row.same(starting[-1])
            if same and not self.into:
                return None                        # through a call that is in this line
            return self.motion.before_inlined(len(starting) - same)
        if row.same(self.row):
            return None
        if row.start == pc:
            deeper = code.chain(pc)
            if not self.into and not left and len(deeper) > len(self.chain) and deeper[:len(self.chain)] == self.chain:
                return None                        # an inlined call
            if row.statement:
                return self.motion.before_inlined(len(starting))
            if not left:
                return None
        elif not self.into and not left and len(code.chain(pc)) > len(self.chain):
            return None
        self.row, self.stepped = row, 0
        self.chain = code.chain(pc)
        return None

    # -- loops in a line ---------------------------------------------------------------------------------------------------
    def _within(self) -> range:
        return range(*self.code.group(self.debugger.pc))

    def out_of_inlined(self) -> Stop:
        """Leave the innermost inlined call."""
        depth, routine = len(self.chain), self.routine
        while True:
            stop = self.motion.breathe() or self._go()
            if stop is not None:
                return stop
            pc = self.debugger.pc
            if self.code.routine(pc) != routine or len(self.code.chain(pc)) < depth:
                return self.motion.done()


__all__ = ["LineStep"]
