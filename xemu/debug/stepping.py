"""Motions by lines and functions, forwards.

Rules are GDB's. A step ends at the first instruction of another line, if it is the beginning of a statement; where code of another
line is entered in its middle (a return to the caller, say), that line becomes the one to leave. Calls are run through at full speed,
to a breakpoint behind them that looks at the stack pointer, so that deeper calls of the same function do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xemu.debug import arm_frames
from xemu.debug.code import Code
from xemu.debug.expressions import Binary, Const, Register, Unary
from xemu.debug.points import Breakpoint
from xemu.debug.stops import Stop, StopKind
from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xemu.debug.debugger import Debugger
    from xemu.debug.expressions import Expression
    from xemu.debug.system import Event
    from xemu.debug.unwind import Frame

MOST_INLINED = 64        # frames of one function
BREATH = 64              # instructions between looks at what front ends want
MOST_AFTER_JUMP = 32     # instructions of `longjmp` between taking back the stack and its end
FAULTS = range(3, 8)      # HardFault to SecureFault


@dataclass(eq=False)
class CallEnd(Breakpoint):
    """Where a call ends: behind it, with the right stack, or in functions that jump out of calls."""

    returns: int = 0

    def condition_at(self, address: int) -> Expression | None:
        """Return what must hold at an address."""
        return self.condition if address == self.returns else None


class Stepping:
    """The motions of one debugger."""

    def __init__(self, debugger: Debugger) -> None:
        self.debugger, self.system, self.source = debugger, debugger.system, debugger.source
        self.code = Code(debugger)
        self.thread = 0
        self._breaths = 0

    # -- parts -------------------------------------------------------------------------------------------------------------
    def _register(self, name: str) -> int:
        return self.system.read_register(name) or 0

    @property
    def sp(self) -> int:
        """The stack pointer."""
        return self._register(self.source.architecture.sp)

    def done(self, text: str = "") -> Stop:
        """End a motion where the guest is."""
        stop = self.source.described(self.debugger._stop(StopKind.STEP))  # noqa: SLF001  a part of the debugger
        if not text:
            return stop
        self.debugger.stop = made = Stop(stop.kind, stop.position, stop.pc, stop.thread, text=f"{stop.text}; {text}")
        return made

    def breathe(self) -> Stop | None:
        """Let others do what they have posted, now and then; the stop if one of them wants a pause."""
        self._breaths += 1
        if self._breaths % BREATH == 0:
            self.debugger.on_slice()
        if not self.system.pausing:
            return None
        self.system.pausing = False
        return self.debugger._stop(StopKind.PAUSE)  # noqa: SLF001

    def instruction(self, thread: int | None = None) -> Stop:
        """Execute an instruction of a thread; others may run before."""
        self.thread = thread if thread is not None else self.system.thread
        if all(info.id != self.thread for info in self.system.threads()):
            raise UsageError(f"there is no thread {self.thread}")
        if self.system.live and self.debugger.only is not None and self.thread not in self.debugger.only:
            raise UsageError(f"thread {self.thread} is held")
        return self.single() or self.debugger.stop

    def single(self) -> Stop | None:
        """Execute an instruction of the thread that is stepped; a stop: something else has happened."""
        debugger, system = self.debugger, self.system
        if system.thread != self.thread and (stop := self._until_turn()) is not None:
            return stop
        while True:
            before, pc, sp, mode = debugger.position, debugger.pc, self.sp, self.mode()
            found: Stop | None = debugger._step()  # noqa: SLF001
            if found is not None and found.kind is not StopKind.STEP:
                return self.source.described(found)
            if system.thread != self.thread:
                found = self._until_turn()                               # another one has executed an instruction
            elif debugger.entered and not debugger.into_handlers:
                made = debugger.position.insns > before.insns            # a system call that the signal has ended
                found = self.run_out(self.following(pc, mode) if made else pc, sp)
                if made:
                    return found
            else:
                return None
            if found is not None:
                return found

    def _until_turn(self) -> Stop | None:
        """Run until it is the thread's turn, where it is."""
        pc = self.system.read_register(self.source.architecture.pc, self.thread)
        if pc is None:
            return self.debugger._stop(StopKind.THREAD, f"thread {self.thread} has ended")  # noqa: SLF001
        return self.run_to([pc], lambda: self.system.thread == self.thread)

    def run_to(self, addresses: Iterable[int], accept: Callable[[], bool] = lambda: True, condition: Expression | None = None,
               own: Breakpoint | None = None) -> Stop | None:
        """Run until one of some addresses is reached and `accept`ed; a stop: something has come before."""
        debugger = self.debugger
        own = own or Breakpoint(owner="step", addresses=tuple(dict.fromkeys(addresses)), condition=condition)
        debugger.points.add(own)
        debugger.apply()
        debugger._pass_point()  # noqa: SLF001
        try:
            while True:
                event = debugger._advance()  # noqa: SLF001
                if self._is_own(event, own):
                    if (stop := self.arrived(own)) is not None:
                        return stop
                    if debugger._holds(own) and accept():  # noqa: SLF001
                        return None
                    debugger.engine.pass_point()
                    continue
                found = debugger._judge(event)  # noqa: SLF001
                if found is not None:
                    return self.source.described(found)
        finally:
            debugger.delete(own)

    def _is_own(self, event: Event, own: Breakpoint) -> bool:
        return event.kind in (StopKind.BREAKPOINT, StopKind.HISTORY_END) and self.debugger.pc in own.addresses

    def arrived(self, own: Breakpoint | None = None) -> Stop | None:
        """Return the stop at somebody's breakpoint where the guest has come to."""
        debugger = self.debugger
        points = [p for p in debugger.points.breakpoints(debugger.pc) if p is not own]
        hits = debugger._met(points) if points else None  # noqa: SLF001
        if hits is None:
            return None
        return self.source.described(debugger._stop(StopKind.BREAKPOINT, points=hits))  # noqa: SLF001

    def _stack_is(self, sp: int) -> Expression:
        """Return the condition that the stack is what it was before a call, but for arguments that the function may have taken off."""
        arch = self.source.architecture
        register, known = Register(arch.sp), Const(sp)
        if not arch.pops:
            return Binary("equal", register, known)
        return Unary("not", Binary("less_unsigned", Const(arch.pops), Binary("sub", register, known)))

    def is_back(self, sp: int) -> bool:
        """Whether the stack is what it was before a call."""
        return 0 <= self.sp - sp <= self.source.architecture.pops

    def run_out(self, returns: int, sp: int) -> Stop | None:
        """Run to where a function returns to, with the stack as it was before the call; or to where that has been left by a jump."""
        jumps = self.code.jumps()
        own = CallEnd(owner="step", addresses=(returns, *jumps), returns=returns, condition=self._stack_is(sp))

        def accept() -> bool:
            return self.debugger.pc == returns

        while True:
            stop = self.run_to((), lambda: accept() or self.debugger.pc in jumps, own=own)
            if stop is not None or accept():
                return stop
            entered, thread = self.sp, self.thread
            while self.sp <= entered or self.system.thread != thread:        # until the stack has been taken back
                if (stop := self.breathe() or self.single()) is not None:
                    return stop
            inside = self.code.routine(self.debugger.pc)
            for _ in range(MOST_AFTER_JUMP):
                if self.code.routine(self.debugger.pc) != inside:
                    break
                if (stop := self.single()) is not None:
                    return stop
            if self.sp >= sp:
                return self.arrived()

    # -- calls -------------------------------------------------------------------------------------------------------------
    def following(self, pc: int, mode: str) -> int:
        """Return the address behind the instruction at an address."""
        return pc + self.source.rules.size(self.source.read_memory, pc, mode)

    def mode(self) -> str:
        """Return which instructions the CPU executes ("thumb"); "" where there is one kind only."""
        arch = self.source.architecture
        return arch.mode_of({name: value for name, _ in arch.thumb if (value := self.system.read_register(name)) is not None})

    def returns(self) -> int:
        """Return where a function returns to whose first instruction is the next one."""
        arch = self.source.architecture
        if arch.link:
            return self._register(arch.link)
        data = self.source.read_memory(self.sp, arch.address_bytes)
        return arch.number(data) if data is not None else 0

    @property
    def caller_sp(self) -> int:
        """What the stack pointer will be when the function has returned whose first instruction is the next one."""
        return self.sp + self.source.architecture.pushed

    def called(self, following: int) -> int | None:
        """Return where the function returns to that has just been called; None: the instruction in front of `following` was no call."""
        if self.debugger.pc == following:
            return None
        return following if self.source.architecture.code(self.returns()) == following else None

    def context(self) -> object:
        """Return what tells threads, and handlers of exceptions, from each other."""
        level = self.system.level()
        return level[0] if level else None

    def in_fault(self) -> bool:
        """Whether the handler of a fault starts here: nobody wants to run through that."""
        status = self.system.read_register("xpsr")
        return status is not None and status & 0x1FF in FAULTS and self._register(self.source.architecture.link) >= arm_frames.EXC_RETURN

    def interrupted(self) -> tuple[int, int] | None:
        """Return (pc, sp) of what goes on after the exception's handler that starts here."""
        link = self._register(self.source.architecture.link)
        if self.system.kind != "machine" or link < arm_frames.EXC_RETURN:
            return None
        found = arm_frames.unstack_exception(link, self.source.registers(), self.source.read_memory)
        return (found.registers["pc"], found.registers["sp"]) if found is not None else None

    def entered(self, returns: int, sp: int) -> bool | Stop | None:
        """Go into the function that starts here: True if it has lines; None: it has none and has been run through."""
        code = self.code
        for _ in range(64):
            if not code.between(self.debugger.pc):
                break
            if (stop := self.single()) is not None:
                return stop
        routine = code.routine(self.debugger.pc)
        if routine is None or not routine.lines:
            target = self._linked()
            routine = code.routine(target) if target is not None else None
        if routine is None or not routine.lines:
            return self.run_out(returns, sp)
        body = code.body(routine)
        if body == self.debugger.pc:
            return self.arrived() or True
        thread = self.system.thread

        def accept() -> bool:
            return self.system.thread == thread and (self.debugger.pc == body or self.is_back(sp))

        stop = self.run_to([body, returns], accept)
        return stop or (True if self.debugger.pc == body else None)

    def _linked(self) -> int | None:
        """Return the function that the loader is about to look up."""
        name = self.source.rules.linked(self.source)
        if not name:
            return None
        for file in self.source.latest:
            symbol = file.find(name)
            if symbol is not None and symbol.kind == "function" and file.stub_start(symbol.address) is None:
                return symbol.address
        return None

    # -- lines -------------------------------------------------------------------------------------------------------------
    def line(self, *, into: bool, back: bool = False) -> Stop:
        """Go to another line: into functions, or not."""
        debugger = self.debugger
        if back:
            from xemu.debug.backwards import Backwards

            debugger.need_history()
            return Backwards(self).line(into=into)
        if debugger._at_end():  # noqa: SLF001
            return debugger.stop
        self.source.modules                                    # noqa: B018  files may have come
        self.thread = self.system.thread
        hidden = self.source.hidden
        if hidden and into:                                    # the call begins here: that is all there is to do
            return self.before_inlined(hidden - 1)
        row = self.code.row(debugger.pc)
        if row is None and (stop := self._leave_unknown()) is not None:
            return stop
        from xemu.debug.linestep import LineStep

        return LineStep(self, into=into).run()

    def before_inlined(self, count: int) -> Stop:
        """End a motion in front of some inlined calls that begin where the guest is."""
        self.source.hide(count)
        return self.done()

    def _leave_unknown(self) -> Stop | None:
        """Run to the end of a function without lines."""
        frames = self.source.frames(limit=2)
        if len(frames) < 2 or frames[0].cfa is None:
            return self.single() or self.done()
        return self.run_out(frames[1].pc, frames[1].sp) or (None if self.code.row(self.debugger.pc) else self.done())

    # -- functions ---------------------------------------------------------------------------------------------------------
    def caller(self) -> Frame | None:
        """Return the frame to which the newest function returns, a handler's frame of its own included."""
        newest: Frame | None = None
        for frame in self.source.unwinding().frames(MOST_INLINED):
            if newest is None:
                newest = frame
            elif frame.registers is not newest.registers:
                return frame
        return None

    def outer(self, frames: list[Frame]) -> Frame:
        """Return the frame to which the newest one's function returns; UsageError."""
        found = next((f for f in frames if f.registers is not frames[0].registers and not f.signal and not f.exception), None)
        if found is None:
            raise UsageError(f"nobody can say who has called {frames[0].function or 'this code'}")
        return found

    def finish(self, *, back: bool = False) -> Stop:
        """Run to the end of the newest frame, or back to its call."""
        debugger = self.debugger
        frames = self.source.frames(limit=32)
        if back:
            from xemu.debug.backwards import Backwards

            debugger.need_history()
            return Backwards(self).finish(frames)
        if debugger._at_end():  # noqa: SLF001
            return debugger.stop
        self.thread = self.system.thread
        if frames[0].inline:
            from xemu.debug.linestep import LineStep

            return LineStep(self, into=False).out_of_inlined()
        from xemu.debug.returned import returned

        caller, name = self.outer(frames), frames[0].function
        stop = self.run_out(caller.pc, caller.sp)
        if stop is not None:
            return stop
        value = returned(self.source, frames[0])
        return self.done(f"{name} returned {value}" if value else "")

    def until(self, where: int | str | None) -> Stop:
        """Run to a place in this frame or an outer one, or to the end of this frame."""
        debugger = self.debugger
        if where is not None:
            return self._to(where, same_frame=True)
        start, sp, end = debugger.pc, self.sp, self.code.group(debugger.pc)[1]
        routine = self.code.routine(start)
        while True:
            stop = self.line(into=False)
            here = self.code.routine(debugger.pc)
            if stop.kind is not StopKind.STEP or here != routine or self.sp != sp or debugger.pc >= end or debugger.pc == start:
                return stop

    def advance(self, where: int | str, *, back: bool = False) -> Stop:
        """Run to a place, or to the end of this frame."""
        if not back:
            return self._to(where, same_frame=False)
        debugger = self.debugger
        point = debugger.break_at(where, owner="step")
        try:
            stop = debugger.cont(back=True)
        finally:
            debugger.delete(point)
        return self.done() if stop.points == (point,) else stop

    def _to(self, where: int | str, *, same_frame: bool) -> Stop:
        debugger = self.debugger
        if debugger._at_end():  # noqa: SLF001
            return debugger.stop
        unit = debugger._unit  # noqa: SLF001
        targets = [address & -unit for address in self.source.addresses(where)]
        frames = self.source.frames(limit=32)
        caller = next((f for f in frames if f.registers is not frames[0].registers and not f.signal and not f.exception), None)
        thread, depth = self.system.thread, self.sp

        def accept() -> bool:
            if debugger.pc in targets and not same_frame:
                return True
            if self.system.thread != thread:
                return False
            if debugger.pc in targets and self.sp >= depth:
                return True
            return caller is not None and debugger.pc == caller.pc and self.is_back(caller.sp)

        stop = self.run_to([*targets, *([caller.pc] if caller is not None else [])], accept)
        return stop or self.done()

__all__ = ["Stepping"]
