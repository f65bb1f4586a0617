"""A user-mode process as the debugger drives it.

What happens between two runs of native code (a system call, a signal's delivery, a change of thread) is an *episode*. Its
effects on registers and memory are written down, whatever caused them; to repeat the past, native code runs to the same
instruction and the effects are put there again. No system call is made twice, and the process's own tables stay those of the present.
"""

from __future__ import annotations

import os
from contextlib import suppress
from time import monotonic
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from xemu.core.engine import ExitKind
from xemu.core.memory import PAGE_SHIFT
from xemu.debug.delivery import Delivery
from xemu.debug.episodes import CALL, OTHER, TRAP, Episode, PastProcess, SavedState
from xemu.debug.history import HistoryError
from xemu.debug.linkmap import LinkMap
from xemu.debug.stops import Position, StopKind
from xemu.debug.system import Event, Library, ThreadInfo
from xemu.user.task import ProcessExit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xemu.core.engine import Engine, Exit
    from xemu.user.process import Process
    from xemu.user.task import Task

SLICE = 0.01             # seconds between two looks at what front ends want
BEFORE = (ExitKind.FAULT, ExitKind.UNDEFINED, ExitKind.BREAKPOINT)      # exits whose instruction did not happen


class Left(Exception):  # noqa: N818  not an error: it takes the debugger out of the process's loop
    """The loop is left for an event."""

    def __init__(self, event: Event) -> None:
        super().__init__(event)
        self.event = event


class Recorder:
    """Runs the engine for the process's scheduler, and writes down what happens in between."""

    def __init__(self, system: ProcessSystem) -> None:
        self.system, self.process, self.engine = system, system.process, system.engine
        self.episodes: list[Episode] = []
        self.exit = b""                            # the state when native code was left
        self.cause = OTHER
        self.threads: tuple[int, ...] = ()
        self.wrote: list[tuple[int, int]] = []     # ranges that were handed out for writing since then
        self.open: list[tuple[int, int]] = []      # … and that calls which wait still hold
        self.steps = 0                             # how often such calls had gone on then
        self.changed: list[tuple[int, int]] = []   # ranges whose mapping changed
        self.held: dict[int, Exit] = {}            # thread -> system call that somebody looks at before it is made
        self.calls: dict[int, int] = {}            # thread -> number of the call it makes, where its end is waited for
        self.delivery = Delivery(self.process)
        self.goal: int | None = None
        self.until = 0.0
        self.detached = False

    def start(self) -> None:
        """Begin to write down."""
        self.attach()
        self.process.forked.append(self.detach)
        self.process.executed.append(self.system.note_exec)
        self.threads = self._threads()
        self.exit = self.engine.state.save()

    def attach(self) -> None:
        """Be told of what others than instructions write and map: while the process is live."""
        space = self.process.space
        space.wrote = lambda address, length: self.wrote.append((address, length))
        space.changing = self._changing

    def detach(self) -> None:
        """Let a forked child run free."""
        self.detached = True
        space = self.process.space
        space.wrote = space.changing = space.keep = None
        self.process.scheduler.observer = None
        for address in list(self.engine.points):
            self.engine.clear_point(address)
        self.engine.watch([])
        self.engine.keep_no_pages()

    def _threads(self) -> tuple[int, ...]:
        return tuple(sorted(self.process.tasks))

    def _changing(self, address: int, length: int) -> None:
        """Keep what a change of mappings destroys."""
        space = self.process.space
        for page in space.held(address, length):
            self.engine.keep_page(page)
        self.changed.append((address, length))

    # -- episodes --------------------------------------------------------------------------------------------------------
    def close(self) -> None:
        """End the episode that is under way: write down what it changed."""
        process, state = self.process, self.engine.state
        now = state.save()
        threads = self._threads()
        parked = any(task.call is not None for task in process.scheduler.parked)
        went_on, self.steps = self.steps != process.scheduler.steps, process.scheduler.steps
        if now == self.exit and not self.wrote and not self.changed and not (self.open and went_on) and threads == self.threads:
            return
        writes = self._writes(parked=parked, went_on=went_on)
        areas, emptied = None, tuple(self.changed)
        if self.changed:
            areas = [a.part(a.start, a.end) for a in process.space.areas()]
            writes = (*writes, *self._mapped())
        delta = _delta(self.exit, now)
        if delta is None and not writes and areas is None and threads == self.threads:
            return
        current = process.scheduler.current
        if current is not None:
            self.system.running = current.tid
        self.episodes.append(Episode(self.engine.insns, self.cause, self.system.running, threads if threads != self.threads else None,
                                     delta, writes, areas, emptied))
        self.threads, self.exit, self.cause = threads, now, OTHER

    def _writes(self, *, parked: bool, went_on: bool) -> tuple[tuple[int, bytes], ...]:
        """Return what stands in the ranges that were handed out. Those of calls that wait may be written when one of them goes on."""
        mem, limit = self.process.space.mem, self.process.space.limit
        ranges = dict.fromkeys([*(self.open if went_on else ()), *self.wrote])
        self.open, self.wrote = list(dict.fromkeys([*self.open, *self.wrote])) if parked else [], []
        return tuple((at, bytes(mem[at:at + n])) for at, n in ranges if n and at + n <= limit and self.process.space.area_at(at))

    def _mapped(self) -> tuple[tuple[int, bytes], ...]:
        """Return the contents of ranges that were mapped."""
        space, out = self.process.space, []
        for address, length in self.changed:
            for page in space.held(address, length):
                self.engine.keep_absence(page)
                out.append((page << PAGE_SHIFT, space.page(page)))
        self.changed.clear()
        return tuple(out)

    def touch_open(self) -> None:
        """After a snapshot: ranges that calls still hold may change unnoticed, so take them for changed."""
        for address, length in self.open:
            for page in range(address >> PAGE_SHIFT, (address + length - 1 >> PAGE_SHIFT) + 1):
                if self.process.space.area_at(page << PAGE_SHIFT) is not None:
                    self.engine.keep_page(page)

    # -- what the scheduler calls ----------------------------------------------------------------------------------------
    def leave(self, event: Event) -> None:
        """Leave the scheduler's loop."""
        self.process.scheduler.attention = True
        raise Left(event)

    def run(self, budget: int) -> Any:
        """Run the engine for at most so many instructions."""
        if self.detached:
            return self.engine.run(budget)
        current = self.process.scheduler.current
        if self.held and current is not None and (waiting := self.held.pop(current.tid, None)) is not None:
            return waiting
        self.close()
        self._before()
        engine = self.engine
        if self.goal is not None:
            if engine.insns >= self.goal:
                self.leave(Event(StopKind.REACHED))
            budget = min(budget, self.goal - engine.insns)
        left = engine.run(budget)
        kind = left.kind
        self.exit = engine.state.save()
        self.cause = CALL if kind is ExitKind.SYSCALL else TRAP if kind in BEFORE else OTHER
        if kind is ExitKind.POINT:
            self.leave(Event(StopKind.BREAKPOINT))
        elif kind is ExitKind.WATCH:
            self.leave(Event(StopKind.WATCHPOINT, watch=left.number))
        elif kind is ExitKind.SYSCALL:
            self._call(left)
        elif self.goal is not None and engine.insns >= self.goal and kind is ExitKind.BUDGET:
            self.leave(Event(StopKind.REACHED))
        return left

    def _before(self) -> None:
        """Look around before native code runs."""
        if (number := self.system.outside()) >= 0:
            self.leave(Event(StopKind.WATCHPOINT, watch=number, done=True))
        current = self.process.scheduler.current
        if current is not None:
            self.system.running = current.tid
            made = self.calls.pop(current.tid, None)
            if made is not None:
                name = self.system.call_name(made)
                self.leave(Event(StopKind.SYSCALL_RETURN, made, name, f"returned from {name}"))
        if self.process.new_child is not None:
            kind, child, parent = self.process.new_child
            self.process.new_child = None
            if self.system.catches(kind, child, ""):
                self.process.scheduler.interject(parent)
                self.system.turn_to(parent)
                self.leave(Event(StopKind(kind), child, kind, f"{kind}: the child is {child}"))
        if self.system.exec_seen:
            self.system.exec_seen = False
            if self.system.catches("exec", 0, ""):
                self.leave(Event(StopKind.EXEC, text=f"executes {os.fsdecode(self.process.exe_host)}"))
        self.look()

    def look(self) -> None:
        """Leave where somebody waits, a slice is over, or nobody is left to run."""
        only = self.process.scheduler.only
        if only is not None and only.isdisjoint(self.process.tasks):
            self.system.turn_to(next(iter(self.process.tasks.values())))
            self.leave(Event(StopKind.HELD, text="every thread that may run has ended; the others are held"))
        if self.system.pausing:
            self.system.pausing = False
            self.leave(Event(StopKind.PAUSE))
        if self.system.nudged or monotonic() >= self.until:
            self.system.nudged = False
            self.leave(Event(None))

    def _call(self, left: Exit) -> None:
        number = self.system.call_number()
        name = self.system.call_name(number)
        task = self.process.scheduler.current
        if task is None or not self.system.catches("syscall", number, name):
            return
        self.held[task.tid] = left
        self.calls[task.tid] = number
        self.leave(Event(StopKind.SYSCALL_ENTRY, number, name, f"about to make system call {name}"))

    def signal(self, task: Task, info: Any) -> bool:
        """Show a signal before it is delivered; returns whether it is."""
        if self.detached:
            return True
        decided = self.delivery.decided(info)
        if decided is not None:
            return decided
        if not self.system.signals(info.signo):
            return True
        self.delivery.show(task, info)
        self.system.running = task.tid
        self.close()
        from xemu.user.strace_names import SIGNALS

        name = SIGNALS.get(info.signo, f"SIG{info.signo}")
        where = f" at {info.address:#x}" if getattr(info, "kind", "") == "fault" else ""
        self.leave(Event(StopKind.SIGNAL, info.signo, name, f"signal {name}{where}"))
        return True


def _delta(before: bytes, now: bytes) -> tuple[int, bytes] | None:
    """Return offset and bytes of what differs, in one piece."""
    if before == now:
        return None
    if len(before) != len(now):
        return 0, now
    size = len(now)
    first = next(i for i in range(0, size, 64) if before[i:i + 64] != now[i:i + 64])
    last = next(i for i in range(size, 0, -64) if before[max(i - 64, 0):i] != now[max(i - 64, 0):i])
    return first, now[first:last]


class ProcessSystem(PastProcess):
    """One guest process, now and in its past. `start` it on the host's main thread."""

    def __init__(self, process: Process) -> None:
        super().__init__(os.path.basename(os.fsdecode(process.exe_host)), process.engine,
                         process.scheduler.current.tid if process.scheduler.current else 1)
        self.process = process
        self.recorder = Recorder(self)
        self.exec_seen = False
        self.ended: Event | None = None
        self._restricting = self._follow = False
        self._abandoned: dict[tuple[int, int], int] = {}     # (thread, where a call would have returned) -> bytes of its instruction
        self._link_map: tuple[Any, LinkMap] | None = None
        self._host_paths: dict[bytes, str] = {}
        process.signals.attach()
        process.scheduler.observer = self.recorder
        self.recorder.start()

    @property
    def episodes(self) -> Sequence[Episode]:
        return self.recorder.episodes

    # -- running ---------------------------------------------------------------------------------------------------------
    @property
    def position(self) -> Position:
        insns = self.engine.insns
        return Position(insns, len(self.recorder.episodes) if self.live else self.at, insns)

    def nudge(self) -> None:
        super().nudge()
        with suppress(OSError):
            os.write(self.process.signals.wake[1], b"\0")

    def run(self, *, insns: int | None = None, beat: int | None = None) -> Event:
        if not self.live:
            return super().run(insns=insns, beat=beat)
        goal = beat if insns is None else insns if beat is None else min(insns, beat)
        if self.ended is not None:
            return self.ended
        recorder = self.recorder
        if goal is not None and goal <= self.engine.insns and self.running not in recorder.held:
            return Event(StopKind.REACHED)
        if self._restricting:
            self._hold()
        recorder.goal, recorder.until = goal, monotonic() + SLICE
        try:
            self.process.scheduler.run()
        except Left as left:
            return left.event
        except ProcessExit as end:
            if self.process.is_child:
                self.process._end_child(end)  # noqa: SLF001  a forked child ends here, as in Process.run
            recorder.cause = CALL
            recorder.close()
            if end.signal:
                from xemu.user.strace_names import SIGNALS

                name = SIGNALS.get(end.signal, f"SIG{end.signal}")
                self.ended = Event(StopKind.KILLED, end.signal, name, f"killed by {name}")
            else:
                self.ended = Event(StopKind.EXITED, code=end.status, text=f"exited with {end.status}")
            return self.ended
        raise AssertionError("the scheduler's loop ended")

    def restrict(self, only: frozenset[int] | None, *, follow: bool = False) -> None:
        super().restrict(only)
        self._restricting, self._follow = True, follow
        if self.live and self.ended is None:
            self._hold()

    def give_way(self) -> None:
        if self.live:
            self.process.scheduler.give_way()

    def _hold(self) -> None:
        """Have the scheduler give turns to those threads only that may run. One of them runs from here on."""
        scheduler = self.process.scheduler
        self._restricting, scheduler.follow = False, self._follow
        if scheduler.only == self.only:
            return
        self.recorder.close()                      # what the debugger has changed belongs to the thread that ran
        scheduler.restrict(self.only)
        if self.only is not None and self.running not in self.only:
            tasks = self.process.tasks
            task = scheduler.current or next((tasks[tid] for tid in sorted(self.only) if tid in tasks), None)
            if task is not None:
                self.turn_to(task)

    def turn_to(self, task: Task) -> None:
        """Have a thread be the one that is looked at; it stands still."""
        if task.registers is not None:
            self.engine.state.load(task.registers)
        self.running = task.tid
        self.recorder.close()

    # -- the past --------------------------------------------------------------------------------------------------------
    def save(self) -> Any:
        if not self.live:
            return super().save()
        return self._state({t.tid: t.registers for t in self.process.tasks.values() if t.registers is not None}, self.recorder.threads)

    def rewind(self) -> None:
        space = self.process.space
        space.wrote = space.changing = None
        self._present = self.recorder.exit
        self.live = False

    def resume(self, *, cut: bool = False) -> None:
        if cut:
            raise HistoryError("the past of a process cannot be changed: its files and signals are those of the present; "
                               "go there first (seek end)")
        self.live = True
        self.recorder.attach()
        self.recorder.exit = self._present

    def marked(self) -> None:
        self.recorder.touch_open()

    # -- state -----------------------------------------------------------------------------------------------------------
    def note_exec(self) -> None:
        """The process has become another program, with one thread."""
        self.exec_seen = True
        self.recorder.held.clear()
        self.recorder.delivery.forget()
        self._abandoned.clear()
        if self.only is not None:
            self.only = self.process.scheduler.only = frozenset(self.process.tasks)

    def call_number(self) -> int:
        """Return the number of the system call the running thread makes."""
        return int(self.engine.state.read(self.process.abi.number_register))

    def call_name(self, number: int) -> str:
        """Return its name."""
        table = self.process.table
        entry = table[number] if number < len(table) else self.process.private_calls.get(number)
        return entry[2].name if entry is not None else f"syscall_{number}"

    def threads(self) -> list[ThreadInfo]:
        if not self.live:
            return super().threads()
        out = []
        for tid, task in sorted(self.process.tasks.items()):
            waits = f"waits in {task.call_row.name}" if task.call is not None and task.call_row is not None else "ready"
            out.append(ThreadInfo(tid, os.fsdecode(task.comm), "running" if tid == self.running else waits))
        return out

    def _registers(self, thread: int) -> bytes | None:
        if not self.live:
            return super()._registers(thread)
        task = self.process.tasks.get(thread)
        return None if task is None else task.registers

    def write_register(self, name: str, value: int, thread: int | None = None) -> bool:
        if name == "pc":
            value = self._leave_call(self.running if thread is None else thread, value)
        if thread not in (None, self.running):
            task = self.process.tasks.get(thread or 0)
            if task is None or task.registers is None:
                return False
            saved = SavedState(self.engine, task.registers)
            if not _write(saved, self.engine, name, value):
                return False
            task.registers = saved.save()
            return True
        try:
            self.engine.state.write(name, value)
        except KeyError:
            return False
        current = self.process.tasks.get(self.running)
        if current is not None and current.registers is not None:          # it waits: this is what it goes on with
            current.registers = self.engine.state.save()
        return True

    def _leave_call(self, thread: int, pc: int) -> int:
        """A thread goes on somewhere else: the call that it waits in ends. Return where; the call starts again where it comes back."""
        task = self.process.tasks.get(thread)
        if (size := self._abandoned.pop((thread, pc), 0)):
            return pc - size
        before = self.read_register("pc", thread)
        if task is not None and task.call is not None and before is not None and before != pc:
            state = SimpleNamespace(read=lambda name: self.read_register(name, thread))
            self._abandoned[thread, before] = self.process.abi.syscall_size(state)
            self.process.scheduler.abandon(task)
            self.recorder.calls.pop(thread, None)
        return pc

    def write_memory(self, address: int, data: bytes) -> bool:
        return 0 <= address < self.space.limit - len(data) and self.space.poke(address, data)

    def resume_with(self, signals: dict[int, int]) -> None:
        """Say which signal each of some threads goes on with (0: none). The past has its own."""
        if self.live:
            for thread, signal in signals.items():
                self.recorder.delivery.resume_with(thread, signal)

    def siginfo(self, thread: int, *, stopped: bool) -> bytes:
        """Return the siginfo_t of what a thread has stopped for."""
        return self.recorder.delivery.siginfo(thread, stopped=stopped)

    def change_siginfo(self, thread: int, offset: int, data: bytes) -> bool:
        """Change a part of the siginfo_t of the signal that a thread is about to get; False where none waits."""
        return self.live and self.recorder.delivery.change(thread, offset, data)

    # -- files -----------------------------------------------------------------------------------------------------------
    @property
    def pid(self) -> int:
        """The process's number."""
        return int(self.process.pids.own())

    @property
    def exe_path(self) -> str:
        """The program as the guest names it."""
        return os.fsdecode(self.process.exe)

    def auxv(self) -> bytes:
        """Return the auxiliary vector as it was put on the stack."""
        return bytes(self.process.proc.auxv())

    @property
    def link_map(self) -> LinkMap:
        """The loader's list of files."""
        process = self.process
        key = process.exe_host, process.program_bias, self.auxv()
        if self._link_map is None or self._link_map[0] != key:
            made = LinkMap(self.read_memory, key[2], process.program_bias, size=process.abi.bits // 8, order=process.abi.order)
            self._link_map = key, made
        return self._link_map[1]

    def libraries(self) -> list[Library]:
        """Return the program, its loader and the shared libraries, as the loader's list has them."""
        process, links = self.process, self.link_map
        entries = links.entries()
        program = entries[0] if entries else None
        out = [Library(os.fsdecode(process.exe_host), process.program_bias, self.exe_path, links.dynamic, program.link if program else 0)]
        out += [Library(self._host_path(e.name, e.dynamic), e.bias, os.fsdecode(e.name), e.dynamic, e.link) for e in entries[1:] if e.name]
        if links.base and all(library.bias != links.base for library in out[1:]):          # it has not entered itself yet
            out.append(Library(self._host_path(links.interpreter, links.base), links.base, os.fsdecode(links.interpreter)))
        return out

    def _host_path(self, name: bytes, address: int) -> str:
        """Return the host's file of a guest's name; where there is none, the one that is mapped at an address."""
        known = self._host_paths.get(name)
        if known is None:
            known = os.fsdecode(self.process.paths.translate(name) if name.startswith(b"/") else name)
            if not os.path.exists(known) and (area := self.process.space.area_at(address)) is not None and area.path:
                known = area.path
            self._host_paths[name] = known
        return known


def _write(saved: SavedState, engine: Engine, name: str, value: int) -> bool:
    if name == "pc":
        saved.pc = value
        return True
    if engine.target.write(saved, name, value):
        return True
    found = engine.state._names.get(name)  # noqa: SLF001
    if found is None:
        return False
    saved.set(found[0], found[1], value & ((1 << found[0].width) - 1))
    return True
