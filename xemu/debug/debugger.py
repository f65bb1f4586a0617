"""`Debugger`: everything a front end can do with a guest. Motions go forwards and backwards; all of them return a `Stop`.

from xemu.debug import open_machine
d = open_machine("firmware.elf")
d.break_at("main")
print(d.cont().text, hex(d.read_register("r0")))
d.watch("counter", 4)
d.cont(); d.cont(back=True)            # who wrote it, and who before
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from xemu.core.memory import GuestFault
from xemu.debug.history import LIMIT, Branch, History, HistoryError, Saved
from xemu.debug.points import ACCESSES, CATCHES, Breakpoint, Catchpoint, Point, Points, Watchpoint
from xemu.debug.source import SourceLevel
from xemu.debug.stops import Position, Stop, StopKind, WatchHit
from xemu.debug.system import Event
from xemu.errors import XemuError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from xemu.debug.events import Events
    from xemu.debug.expressions import Expression
    from xemu.debug.system import System

BLOCK = 5                # instructions in a block, about
PIECE = 200_000          # instructions that a search backwards looks through first; doubles while nothing is found
TIMES = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


class DebuggerError(XemuError):
    """Something that cannot be done with this guest, now."""


class Debugger(SourceLevel):
    """One guest under control. Call it from the engine's thread only (scripts have no other; see `Session`)."""

    def __init__(self, system: System, *, history: bool = True, limit: int = LIMIT) -> None:
        self.system, self.engine = system, system.engine
        self.points = Points()
        self.history = History(system, limit)
        self.checkpoints: dict[str, Position] = {}
        self.step_into_irq = False               # steps stop in handlers of interrupts and signals that come meanwhile
        self.bound: int | None = None            # the beat at which motions pause that go on until something stops the guest
        self.into_handlers = False               # steps of a thread end where signals' handlers begin, which run through otherwise
        self.before_access = False               # watchpoints stop before the access (as GDB wants it on some processors)
        self.on_slice: Callable[[], None] = lambda: None
        self.log: Callable[[str], None] = lambda _text: None
        self._applied: dict[int, tuple[Any, ...] | None] = {}        # address -> condition, as the engine has them
        self._engine_watches: list[Any] = []
        self._outside: dict[int, bytes] = {}     # watch -> what its memory held before something that is no instruction touched it
        self._old = b""
        #: the last branch, the registers and the instruction where it began
        self._left: tuple[Branch, dict[str, int], int] | None = None
        self._about_to_access: Position | None = None        # where a watchpoint has stopped the guest before its access
        self.stepping = False
        self.entered = False                     # the last step has ended in front of the first instruction of a signal's handler
        self.searching = False                   # looking for the last stop before a place: hits on the way are not final
        self.events: Events | None = None        # what has happened, where somebody wants to know
        self.ended: Stop | None = None          # how the guest ended, at the end of its history
        system.catches = self._caught
        system.signals = self.stops_for_signal
        system.tasks = self._task_registers
        self.recording = history
        if history:
            self.history.start()
        self.stop = Stop(StopKind.STEP, self.position, self.pc, system.thread, text="at the start")

    # -- where -----------------------------------------------------------------------------------------------------------
    @property
    def position(self) -> Position:
        """The place in time."""
        return self.system.position

    @property
    def pc(self) -> int:
        """The address of the next instruction."""
        return self.system.pc

    def _task_registers(self, number: int) -> Mapping[str, int] | None:
        from xemu.debug.tasks import registers_of

        return registers_of(self, number)

    def _stop(self, kind: StopKind, text: str = "", **more: Any) -> Stop:
        self.stop = Stop(kind, self.position, self.pc, self.system.thread, text=text or kind.value, **more)
        return self.stop

    # -- threads ---------------------------------------------------------------------------------------------------------
    @property
    def only(self) -> frozenset[int] | None:
        """The threads that run; None: all."""
        return self.system.only

    @only.setter
    def only(self, threads: Iterable[int] | None) -> None:
        """Hold all other threads, new ones too, in motions forwards, until it is None again; XemuError.

        In the past, what happened happens again. A motion whose threads all wait goes on until `pause`.
        """
        self.system.restrict(None if threads is None else frozenset(threads))

    # -- running forwards ------------------------------------------------------------------------------------------------
    def _advance(self, insns: int | None = None, beat: int | None = None) -> Event:
        """Run to a count or time, or to what comes before; in the past not beyond its end."""
        system, history = self.system, self.history
        self._outside.clear()
        if system.live:
            history.went_on()
            bound = self.bound if insns is None and beat is None else None
            while True:
                event = system.run(insns=insns, beat=beat if bound is None else bound)
                if self.recording:
                    history.tick()
                if event.kind is StopKind.REACHED and bound is not None:
                    return Event(StopKind.PAUSE, text="paused at its limit")
                if event.kind is not None:
                    return event
                self.on_slice()
        end = history.last
        goal = end.beat if beat is None else min(beat, end.beat)
        while True:
            check = history.next_check(self.position)
            event = system.run(insns=insns, beat=goal if check is None else min(goal, check.position.beat))
            if event.kind is None:
                self.on_slice()
                continue
            if event.kind is not StopKind.REACHED:
                return event
            here = self.position
            there = (insns is not None and here.insns >= insns) or (beat is not None and here.beat >= beat and here.beat < end.beat)
            if check is not None and check.position.beat <= here.beat and not there:
                crossed = self._check(check)
                if crossed is not None:
                    return crossed
                if here.beat < goal:
                    continue
            if there:
                return event
            history.resume()
            return Event(StopKind.HISTORY_END, text=history.ending)

    def _check(self, then: Saved) -> Event | None:
        """Go on to a place at this beat whose state is known, and compare; what stops on the way, or that it differs."""
        if self.position <= then.position:
            event = self.system.cross(then.position)
            if event is not None:
                return event
        trouble = self.history.diverged(then) if self.position <= then.position else ""
        return Event(StopKind.DIVERGED, text=trouble) if trouble else None

    def cont(self, *, back: bool = False) -> Stop:
        """Run until something stops the guest."""
        if back:
            return self._cont_back()
        return self._run_on(None, None)

    def run_to(self, *, insns: int | None = None, beat: int | None = None) -> Stop:
        """Run until an instruction count or beat is reached, or something stops the guest before."""
        return self._run_on(insns, beat)

    def _run_on(self, insns: int | None, beat: int | None) -> Stop:
        if self._at_end():
            return self.stop
        if self.points.registers():
            return self.source.described(self.register_motions.forwards(insns, beat))
        if self.pc != self.stop.pc or any(point.stays for point in self.points.breakpoints(self.pc)):
            self.engine.pass_nothing()               # a guest that was put elsewhere is stopped by a point there at once
        else:
            self._pass_point()
        while True:
            stop = self._judge(self._advance(insns, beat))
            if stop is not None:
                return self.source.described(stop)

    def _pass_point(self) -> None:
        """Have the point where the guest stands not stop it at once. One whose native condition does not hold will not anyway."""
        if self._about_to_access == self.position:
            self.engine.pass_watches()
        if self.stop.kind in (StopKind.SYSCALL_ENTRY, StopKind.SIGNAL) and self.stop.position == self.position:
            self.system.pass_event()
        points = self.points.breakpoints(self.pc)
        if len(points) != 1 or self._native(points[0], self.pc) is None or self._holds(points[0]):
            self.engine.pass_point()

    def _at_end(self) -> bool:
        """Whether the guest has ended and stands there: it cannot move on."""
        if self.ended is None or not self.system.live:
            return False
        self.stop = self.ended
        return True

    def _judge(self, event: Event) -> Stop | None:
        """Turn an event into a stop; None: nothing that anybody wants to see."""
        kind = event.kind
        assert kind is not None
        if kind is StopKind.SIGNAL and event.done:   # steps only end where handlers begin
            return None
        if kind is StopKind.BREAKPOINT:
            hits = self._met(self.points.breakpoints(self.pc))
            if hits is None:
                self.engine.pass_point()
                return None
            return self._stop(kind, ", ".join(map(str, hits)), points=hits)
        if kind is StopKind.WATCHPOINT:
            return self._changed_outside(event.watch) if event.done else self._watched(event.watch)
        if kind in (StopKind.EXCEPTION, StopKind.IRQ, StopKind.SIGNAL, StopKind.SYSCALL_ENTRY, StopKind.SYSCALL_RETURN, StopKind.FORK,
                    StopKind.VFORK, StopKind.EXEC, StopKind.THREAD):
            hits = self._met([p for p in self.points.catches(_catch_of(kind)) if p.detail is None or event.number in p.detail])
            text = event.text or f"{kind.value} {event.name or event.number}"
            if hits is None and not (kind is StopKind.SIGNAL and self.stops_for_signal(event.number)):
                return None
            return self._stop(kind, text, points=hits or (), number=event.number, name=event.name)
        if kind is StopKind.HISTORY_END and (hits := self._met(self.points.breakpoints(self.pc))):
            return self._stop(StopKind.BREAKPOINT, ", ".join(map(str, hits)), points=hits)
        stop = self._stop(kind, event.text, number=event.number, name=event.name, code=event.code)
        if kind.final:
            self.ended = stop
        return stop

    def stops_for_signal(self, number: int) -> bool:
        """Whether a signal stops the guest before it is delivered."""
        return number not in self.pass_signals

    tells = frozenset({"exec", "fork", "vfork"})     # events that it can stop at
    #: Linux signals that are delivered without a stop: those that programs use to tell themselves something, as in GDB
    pass_signals: frozenset[int] = frozenset({14, 17, 23, 26, 27, 28, 29, *range(32, 65)})

    def _met(self, points: list[Any]) -> tuple[Point, ...] | None:
        """Count a hit of points; return those that stop, None where none does."""
        stopping = []
        for point in points:
            if point.thread is not None and point.thread != self.system.thread:
                continue
            if not self._holds(point):
                continue
            point.hits += 1
            if point.hits <= point.ignore:
                continue
            if point.action is not None:
                if self.system.live:
                    point.action()
                continue
            stopping.append(point)
            if point.once and not self.searching:
                self.delete(point)
        return tuple(stopping) or None

    def _holds(self, point: Point) -> bool:
        """Evaluate a condition; one that cannot be evaluated holds, and says why."""
        condition = point.condition_at(self.pc) if isinstance(point, Breakpoint) else point.condition
        try:
            return condition is None or bool(condition.evaluate(self.system.read_register, self.system.read_memory))
        except XemuError as error:
            self.log(f"condition of {point}: {error}")
            return True

    # -- watchpoints -----------------------------------------------------------------------------------------------------
    def _watched(self, number: int) -> Stop | None:
        """The next instruction makes an access that is watched: make it and see what has changed."""
        touched = self._engine_watches[number]
        access = "w" if self.engine.watch_access & 2 else "r"
        if isinstance(touched, Catchpoint):
            hits = self._met([touched])
            old = b""
        else:
            old = self.system.read_memory(touched.address, touched.length)
            hits = None
        before = self.position
        if self.before_access and isinstance(touched, Watchpoint):
            hits = self._met([touched])
            if hits is None:
                self.engine.pass_watches()
                return None
            self._about_to_access = before
            return self._stop(StopKind.WATCHPOINT, f"{touched}: about to be {'written' if access == 'w' else 'read'}", points=hits,
                              watch=WatchHit(touched, touched.address, access, old, old))
        self.engine.pass_watches()
        self.engine.pass_point()
        event = self._advance(insns=before.insns + 1)
        if event.kind is not StopKind.REACHED:
            return self._judge(event)
        if isinstance(touched, Catchpoint):
            return None if hits is None else self._stop(StopKind.DEVICE, f"access to {touched.detail}", points=hits)
        new = self.system.read_memory(touched.address, touched.length)
        self._change = before, old, new
        hits = self._met([touched])
        if hits is None:
            return None
        text = f"{touched}: {old.hex()} → {new.hex()}" if access == "w" else f"{touched}: read {new.hex()}"
        return self._stop(StopKind.WATCHPOINT, text, points=hits, watch=WatchHit(touched, touched.address, access, old, new))

    _change: tuple[Position, bytes, bytes] | None = None

    def _seen(self, address: int, length: int, access: int) -> None:
        """Remember what watched memory holds before something that is no instruction may change it."""
        if not access & 2 or not self.engine.watching:
            return
        for number, point in enumerate(self._engine_watches):
            if isinstance(point, Watchpoint) and number not in self._outside and ACCESSES[point.access] & 2 \
                    and point.address < address + length and address < point.address + point.length:
                self._outside[number] = self.system.read_memory(point.address, point.length)

    def _find_outside(self) -> int:
        """Return the number of a watchpoint whose memory such a thing has changed, or -1."""
        while self._outside:
            number, old = self._outside.popitem()
            point = self._engine_watches[number]
            if self.system.read_memory(point.address, point.length) != old:
                self._old = old
                return number
        return -1

    def _changed_outside(self, number: int) -> Stop | None:
        point, old = self._engine_watches[number], self._old
        new = self.system.read_memory(point.address, point.length)
        hits = self._met([point])
        if hits is None:
            return None
        return self._stop(StopKind.WATCHPOINT, f"{point}: {old.hex()} → {new.hex()}, not by an instruction", points=hits,
                          watch=WatchHit(point, point.address, "w", old, new))

    # -- steps -----------------------------------------------------------------------------------------------------------
    def step(self, count: int = 1, *, back: bool = False, thread: int | None = None) -> Stop:
        """Execute instructions; what interrupts them runs through. `thread`: forwards, others run until it has executed them."""
        stop = self.stop
        for _ in range(count):
            stop = self._step_back() if back else self.motions.instruction(thread) if thread is not None else self._step()
            if stop.kind is not StopKind.STEP:
                break
        return stop

    def step_range(self, low: int, high: int, *, back: bool = False, thread: int | None = None) -> Stop:
        """Step until the next instruction is outside [low, high). `thread`: as for `step`."""
        if not back:
            from xemu.debug.rangestep import step_range

            return step_range(self.motions, range(low, high), thread)
        while True:
            stop = self.step(back=True)
            if stop.kind is not StopKind.STEP or not low <= self.pc < high:
                return stop

    def _step(self) -> Stop:
        if self._at_end():
            return self.stop
        pc, level = self.pc, self.system.level()
        goal = self.position.insns + 1
        self._pass_point()
        while True:
            self.stepping = True
            try:
                event = self._advance(insns=goal)
            finally:
                self.stepping = False
            self.entered = event.kind is StopKind.SIGNAL and event.done
            if event.kind is StopKind.REACHED or self.entered:
                return self._stop(StopKind.STEP)
            if event.kind is StopKind.IRQ and not self.step_into_irq and not self._wanted(event):
                stop = self._run_until_return(pc, level)
                if stop is not None:
                    return stop
                goal = self.position.insns + 1
                continue
            stop = self._judge(event)
            if stop is not None:
                return stop

    def _wanted(self, event: Event) -> bool:
        return any(p.detail is None or event.number in p.detail for p in self.points.catches("irq"))

    def _run_until_return(self, pc: int, level: Any) -> Stop | None:
        """Run a handler that came between to its end; None: the guest is back where it was."""
        own = self.break_at(pc, owner="step")
        try:
            while True:
                event = self._advance()
                if event.kind is StopKind.BREAKPOINT and self.pc == pc:
                    back = self.system.level() == level          # whoever has a point there: it does not stop again
                    if back or self.points.breakpoints(pc) == [own]:
                        self.engine.pass_point()
                        if back:
                            return None
                        continue
                stop = self._judge(event)
                if stop is not None:
                    return stop
        finally:
            self.delete(own)

    def _caught(self, kind: str, number: int, name: str) -> bool:
        """Say whether something that just happened stops the guest."""
        del name
        if not self.points.by_id and not self.stepping:
            return False
        if self.engine.is_quiet:                     # on the way to a place
            return False
        if self.stepping and ((kind == "irq" and not self.step_into_irq) or kind == "handler"):
            return True
        return any(p.detail is None or number in p.detail for p in self.points.catches(kind))

    # -- backwards -------------------------------------------------------------------------------------------------------
    def need_history(self) -> None:
        """DebuggerError where nothing is recorded."""
        if not self.recording:
            raise DebuggerError("there is no history: recording is off")

    def _step_back(self) -> Stop:
        self.need_history()
        history, here, pc = self.history, self.position, self.pc
        history.leave_present()
        wanted = here.insns - 1
        number = history.find_insns(wanted) if wanted >= 0 else -1
        if number < 0:
            return self._to_begin()
        history.place(number)
        history.repeat(wanted)
        self.system.settle()
        before = self.position
        if before >= here:                           # nothing was executed since the start of the history
            return self._to_begin()
        history.repeat(here.insns)
        if self.position < here and self.pc != pc:   # an exception or signal came between: that is the step back
            return self._stop(StopKind.STEP)
        history.seek(before)
        return self._stop(StopKind.STEP)

    def _to_begin(self) -> Stop:
        self.history.leave_present()
        self.history.place(0)
        return self._stop(StopKind.HISTORY_BEGIN, "the start of the history")

    def _cont_back(self) -> Stop:
        """Find the last place before this one at which a point would have stopped the guest."""
        self.need_history()
        history, goal = self.history, self.position
        history.leave_present()
        if self.points.registers():
            return self.source.described(self.register_motions.backwards())
        piece, inside = PIECE, False
        keep = {id(p): p.hits for p in self.points.by_id.values()}
        while True:
            number = history.find(goal)
            while number >= 0 and history.snapshots[number].position >= goal:      # two, where memory was changed there
                number -= 1
            if number < 0:
                return self._to_begin()
            while goal.insns - history.snapshots[number].position.insns > 2 * piece:
                history.place(number)
                before = self.position
                history.repeat(goal.insns - piece)
                if not before < self.position < goal:
                    break
                history.insert()
                number += 1
            history.place(number)
            self.searching = True
            try:
                found = self._last_stop_before(goal, inside=inside)
            finally:
                self.searching = False
            then = history.next_check(history.snapshots[number].position)
            if then is not None and then.position == goal == self.position and (trouble := history.diverged(then)):
                return self._stop(StopKind.DIVERGED, trouble)
            for point in self.points.by_id.values():
                point.hits = keep.get(id(point), point.hits)
            if found is not None:
                history.seek(found.position)
                for point in found.points:
                    if point.once:
                        self.delete(point)
                self.stop = found
                return self.source.described(found)
            if self.system.pausing:
                self.system.pausing = False
                return self._stop(StopKind.PAUSE)
            goal, inside = history.snapshots[number].position, True
            piece *= 2

    def _last_stop_before(self, goal: Position, *, inside: bool = False) -> Stop | None:
        """Run from here to `goal`; return the last stop on the way, as it is met going backwards: before its access.

        `inside`: what has led to `goal` itself without an instruction counts too; what its next instruction does never counts.
        """
        keep, self.before_access = self.before_access, False
        try:
            return self._search(goal, inside=inside)
        finally:
            self.before_access = keep

    def _search(self, goal: Position, *, inside: bool) -> Stop | None:
        found: Stop | None = None
        while True:
            event = self.system.run(insns=goal.insns + 1, beat=goal.beat)
            if event.kind is StopKind.REACHED and self.position < goal:
                event = self.system.cross(goal) or event
            if event.kind is None:
                self.on_slice()
                continue
            led_here = inside and self.position == goal and (event.done or event.kind in (StopKind.EXCEPTION, StopKind.IRQ))
            if event.kind is StopKind.REACHED or event.kind.final or (self.position >= goal and not led_here):
                return found
            at = self.position
            self._change = None
            stop = self._judge(event)
            if stop is None or stop.kind is StopKind.PAUSE:
                if stop is not None:
                    self.system.pausing = True
                    return found
                continue
            if stop.kind is StopKind.SIGNAL and not stop.points and any(p.owner == "step" for p in self.points):
                continue                             # a step goes back through handlers
            if stop.kind is StopKind.WATCHPOINT and self._change is not None:
                stop = Stop(stop.kind, self._change[0], 0, stop.thread, stop.points, stop.watch, text=stop.text)
            elif stop.kind is StopKind.BREAKPOINT:
                self.engine.pass_point()
            if led_here or (at < goal and stop.position < goal):
                found = stop

    def seek(self, where: Position | int | str) -> Stop:
        """Go to a place in time: a position, an instruction count, "12.5ms", "start", "end", a checkpoint's name."""
        goal = self._place(where)
        self.need_history()
        history = self.history
        if isinstance(goal, Position):
            if goal == history.last:
                if not self.system.live:
                    history.resume()
            else:
                history.leave_present()
                history.seek(goal)
            return self._stop(StopKind.REACHED)
        insns, beat = (goal[1], None) if goal[0] == "insns" else (None, goal[1])
        last = history.last
        if (insns if insns is not None else beat or 0) > (last.insns if insns is not None else last.beat):
            if not self.system.live:
                history.resume()
            return self.run_to(insns=insns, beat=beat)
        number = history.find_insns(insns) if insns is not None else history.find(Position(beat or 0))
        if number < 0:
            raise HistoryError(f"that is before the start of the history (instruction {history.first.insns:,})")
        history.place(number)
        history.repeat(insns, beat)
        return self._stop(StopKind.REACHED)

    def _place(self, where: Position | int | str) -> Position | tuple[str, int]:
        if isinstance(where, Position):
            return where
        if isinstance(where, int):
            return "insns", where
        if where == "start":
            return self.history.first
        if where == "end":
            return self.history.last
        if where in self.checkpoints:
            return self.checkpoints[where]
        found = re.fullmatch(r"([0-9]*\.?[0-9]+)(ns|us|ms|s)", where)
        if found:
            return "beat", round(float(found[1]) * TIMES[found[2]] * self.system.rate)
        if where.replace(",", "").isdecimal():
            return "insns", int(where.replace(",", ""))
        raise DebuggerError(f"{where!r} is no place in time: an instruction count, a time like 12.5ms, start, end"
                            + "".join(f", {name}" for name in self.checkpoints))

    def checkpoint(self, name: str = "") -> str:
        """Give the present place a name for `seek`; returns it."""
        self.need_history()
        name = name or next(str(i) for i in range(1, 1 << 30) if str(i) not in self.checkpoints)
        self.checkpoints[name] = self.position
        return name

    def branch_trace(self, count: int) -> list[tuple[int, int]]:
        """Return the last blocks that ran, newest first: addresses of their first and last instructions. Found by repeating."""
        self.need_history()
        here, history, lengths = self.position, self.history, {}
        start = max(history.first.insns, here.insns - BLOCK * count)
        if start >= here.insns:
            return [(self.pc, self.pc)]
        history.leave_present()
        history.place(history.find_insns(start))
        history.repeat(start)
        blocks, begin = [], self.pc
        self.engine.quiet(on=True)
        try:
            while self.position.insns < here.insns:
                pc, context = self.pc, self.engine.state.context
                if pc not in lengths:
                    lengths[pc] = self._length(pc, context)
                if self.system.run(insns=self.position.insns + 1).kind is not StopKind.REACHED:
                    break
                if self.pc != pc + lengths[pc]:
                    blocks.append((begin, pc))
                    begin = self.pc
        finally:
            self.engine.quiet(on=False)
        self.seek(here)
        return [(begin, self.pc), *blocks[::-1]][:count]

    # -- points ----------------------------------------------------------------------------------------------------------
    def _length(self, pc: int, context: int) -> int:
        """Return the length of the instruction at pc in bytes, 0 where there is none."""
        try:
            decoded = self.engine.library.decode(pc, context)
        except GuestFault:
            return 0
        return decoded.length if decoded is not None else 0

    def break_at(self, where: int | str, *, condition: Expression | str | None = None, ignore: int = 0, once: bool = False,
                 action: Callable[[], None] | None = None, log: str | None = None, thread: int | None = None, owner: str = "user",
                 hardware: bool = False, pending: bool = False) -> Breakpoint:
        """Stop before an instruction: an address or a place in words (see `resolve`).

        `condition`: in C, or a tree. `log`: a text for `self.log` instead of a stop, with {EXPRESSION}s. `pending`: the place may
        be in a library that is not loaded yet.
        """
        words = where if isinstance(where, str) and not where.startswith("*") else ""
        from xemu.debug.conditions import check

        try:
            found = self.source.addresses(where)
        except XemuError:
            if not pending:
                raise
            found = []
        point = Breakpoint(owner=owner, condition=self._condition(condition), ignore=ignore, once=once, thread=thread,
                           action=action if log is None else self._log_action(log), log=log or "", hardware=hardware, pending=pending,
                           words=words, addresses=tuple(dict.fromkeys(a & -self._unit for a in found)),
                           where=where if isinstance(where, str) else "")
        if words:
            self.source.listen()
        if isinstance(condition, str):
            check(self.source, condition, point.addresses)
        self.points.add(point)
        self.apply()
        return point

    @property
    def _unit(self) -> int:
        """Bytes of the smallest instruction."""
        return min(min(s.bits) for s in self.engine.target.sets) // 8

    def watch(self, where: int | str, length: int | None = None, access: str = "w", *, condition: Expression | str | None = None,
              ignore: int = 0, once: bool = False, action: Callable[[], None] | None = None, log: str | None = None,
              thread: int | None = None, owner: str = "user") -> Watchpoint:
        """Stop at accesses to memory: "r" reads, "w" writes, "a" both.

        An expression in C ("s->len") says the address, and the length, too. A register ("$r4") is watched by stepping.
        """
        point, end = self._watched_place(where, length, access)
        point.owner, point.condition, point.ignore, point.once, point.thread = owner, self._condition(condition), ignore, once, thread
        point.action, point.log = action if log is None else self._log_action(log), log or ""
        self.points.add(point)
        if end is not None:
            self.points.add(end)
        self.apply()
        return point

    def catch(self, kind: str, detail: Any = None, *, condition: Expression | None = None, owner: str = "user") -> Catchpoint:
        """Stop at events; `detail` narrows them (numbers, or PART.REGISTER for devices)."""
        if kind not in CATCHES:
            import difflib

            near = difflib.get_close_matches(kind, CATCHES, 1)
            raise DebuggerError(f"{kind!r} cannot be caught" + (f"; did you mean {near[0]}?" if near else f": {', '.join(CATCHES)}"))
        point = Catchpoint(owner=owner, condition=condition, kind=kind, detail=detail)
        if kind == "device":
            self.system.register_range(str(detail))                  # says what is wrong with it
        self.points.add(point)
        self.apply()
        return point

    def delete(self, point: Point) -> None:
        """Remove a point."""
        if self.points.by_id.pop(point.id, None) is not None:
            for other in list(self.points.by_id.values()):   # a watchpoint, and what ends it with its frame
                if getattr(other, "watchpoint", None) is point or getattr(point, "watchpoint", None) is other:
                    del self.points.by_id[other.id]
            self.apply()

    def delete_owned(self, owner: str) -> None:
        """Remove all points of somebody."""
        for point in [p for p in self.points.by_id.values() if p.owner == owner]:
            del self.points.by_id[point.id]
        self.apply()

    def apply(self) -> None:
        """Bring the engine up to date after a change of points (`enabled` too)."""
        wanted: dict[int, tuple[Any, ...] | None] = {}
        for point in self.points:
            if isinstance(point, Breakpoint):            # where there are several, Python looks at them
                for address in point.addresses:
                    wanted[address] = None if address in wanted else self._native(point, address)
        for address in self._applied.keys() - wanted.keys():
            self.engine.clear_point(address)
        for address, condition in wanted.items():
            if address not in self._applied or self._applied[address] != condition:
                self.engine.set_point(address, condition)
        self._applied = wanted
        self.system.show_exceptions(on=bool(self.points.catches("exception", "irq")))
        self._engine_watches = list(self._watches())
        self._outside.clear()
        wanted_outside = any(isinstance(p, Watchpoint) for p in self._engine_watches)
        self.engine.space.seen = self._seen if wanted_outside else None
        self.system.watch_outside(self._find_outside if wanted_outside else None)
        self.engine.watch([(a, n, k) for a, n, k, _ in self._watch_ranges(self._engine_watches)])

    def _native(self, point: Breakpoint, address: int) -> tuple[Any, ...] | None:
        """Return a breakpoint's condition as the core compiles it, if it can be."""
        condition = point.condition_at(address)
        if condition is None or point.thread is not None:
            return None
        return condition.native(lambda name: self.engine.state.place(name) if name != "pc" else None)

    def _watches(self) -> Iterator[Watchpoint | Catchpoint]:
        for point in self.points:
            if (isinstance(point, Watchpoint) and not point.register) or (isinstance(point, Catchpoint) and point.kind == "device"):
                yield point

    def _watch_ranges(self, points: list[Any]) -> Iterator[tuple[int, int, int, Any]]:
        for point in points:
            if isinstance(point, Watchpoint):
                yield point.address, point.length, ACCESSES[point.access], point
            else:
                at, length = self.system.register_range(str(point.detail))
                yield at, length, 3, point

    def resolve(self, where: int | str) -> int:
        """Return the address of a place in words; XemuError.

        A number, a function (behind its prologue; "*NAME": its first instruction), FILE:LINE, a symbol, "*EXPRESSION".
        """
        return self.source.addresses(where)[0]

    # -- state -----------------------------------------------------------------------------------------------------------
    def read_register(self, name: str, thread: int | None = None) -> int | None:
        """Return a register by name; None where there is none."""
        return self.system.read_register(name, thread)

    def write_register(self, name: str, value: int, thread: int | None = None) -> bool:
        """Change a register. In the past another future begins, unless the value is what it is already."""
        if not self.system.live and self.system.read_register(name, thread) == value:
            return True
        self._branch()
        done = self.system.write_register(name, value, thread)
        self._return_from_branch()
        return done

    def read_memory(self, address: int, length: int) -> bytes:
        """Return memory as far as it can be read, without effect on devices."""
        return self.system.read_memory(address, length)

    def write_memory(self, address: int, data: bytes) -> bool:
        """Change memory. In the past another future begins."""
        self._branch()
        done = self.system.write_memory(address, data)
        self._outside.clear()
        return done

    def set_pin(self, name: str, level: int | None) -> None:
        """Drive a pin of a machine from outside ("gpioa.5"; None: let go). In the past another future begins. XemuError."""
        self._branch()
        self.system.set_pin(name, level)

    def set_value(self, name: str, text: str) -> None:
        """Set what a device of a machine feels ("temp.celsius"). In the past another future begins. XemuError."""
        self._branch()
        self.system.set_value(name, text)

    def _branch(self) -> None:
        if not self.system.live:
            registers, place = self._all_registers(), self.position
            first = not self.history.branches
            branch = self.history.cut(self.ended)
            if first and self.system.branch_note:
                self.log(self.system.branch_note)
            if self.events is not None:
                self.events.cut(branch)
            self._left = (branch, registers, place.insns) if branch is not None else None
            self.ended = None

    def _return_from_branch(self) -> None:
        """If all registers are again what they were where a branch began (GDB has called a function there), go back to before."""
        if self._left is None or not self.system.live:
            return
        branch, registers, insns = self._left
        if self.position.insns <= insns or branch not in self.history.branches:
            return
        now = self._all_registers()
        if self.system.calls_again(registers["pc"]):
            now["pc"] = registers["pc"]
        if now == registers:
            self.switch(branch.number)

    def _all_registers(self) -> dict[str, int]:
        """Return what a front end can read of the running thread's registers."""
        arch = self.source.architecture
        names = {*arch.dwarf.values(), *arch.status, "pc"} - ({arch.pc} - {"pc"})
        return {name: value for name in names if (value := self.system.read_register(name)) is not None}

    def reset(self) -> Stop:
        """Have the guest start anew, as it was first; what it has done is another future. A recording goes back to its start."""
        self.need_history()
        history = self.history
        if history.first.beat:
            raise DebuggerError(f"the start is not in the history any more, which begins at {history.first}")
        history.leave_present()
        history.place(0)
        if history.end is None:
            self._branch()
        return self._stop(StopKind.REACHED, "reset")

    @property
    def branches(self) -> list[Branch]:
        """Other futures that began where something was changed in the past."""
        return self.history.branches

    def switch(self, number: int) -> Stop:
        """Put another future in the place of the present one; the guest stands where they part."""
        branch = next((b for b in self.branches if b.number == number), None)
        if branch is None:
            known = ", ".join(str(b.number) for b in self.branches) or "none"
            raise DebuggerError(f"no branch {number}; there are {known}")
        self._left = None
        other = self.history.switch(branch, self.ended)
        if self.events is not None:
            self.events.switched(number, other)
        self.ended = branch.ended
        return self._stop(StopKind.REACHED, f"where branch {number} begins")


def _catch_of(kind: StopKind) -> str:
    """Return what a catchpoint for such stops is called."""
    return "syscall" if kind in (StopKind.SYSCALL_ENTRY, StopKind.SYSCALL_RETURN) else kind.value


__all__ = ["Debugger", "DebuggerError"]
