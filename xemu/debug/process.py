"""A user-mode process as the debugger drives it.

What happens between two runs of native code (a system call, a signal's delivery, a change of thread) is an *episode*. Its
effects on registers and memory are written down, whatever caused them; to repeat the past, native code runs to the same
instruction and the effects are put there again. No system call is made twice. What else the process consists of (descriptors,
signals, threads) is kept in a journal: where something is changed in the past, it is put back, and another future begins.
"""

from __future__ import annotations

import os
from contextlib import suppress
from time import monotonic
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.core.engine import PLAIN_CALL
from xemu.debug.episodes import CALL, Episode, PastProcess, SavedState
from xemu.debug.history import HistoryError
from xemu.debug.linkmap import LinkMap
from xemu.debug.recorder import SLICE, Left, Recorder
from xemu.debug.stops import Position, StopKind
from xemu.debug.system import Event, Library, ThreadInfo
from xemu.user import tables
from xemu.user.descriptors import LostError
from xemu.user.task import ProcessExit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xemu.core.engine import Engine, Exit
    from xemu.debug.journal import Tail
    from xemu.user.process import Process
    from xemu.user.tables import Tables
    from xemu.user.task import Task


class Future(NamedTuple):
    """What came after a place, up to a live end: what was written down, and how the process stood there."""

    episodes: list[Episode]
    journal: Tail
    tables: Tables
    present: bytes
    held: dict[int, Exit]
    ended: Event | None


class ProcessSystem(PastProcess):
    """One guest process, now and in its past. `start` it on the host's main thread."""

    def __init__(self, process: Process) -> None:
        super().__init__(os.path.basename(os.fsdecode(process.exe_host)), process.engine,
                         process.scheduler.current.tid if process.scheduler.current else 1)
        self.process = process
        self.recorder = Recorder(self)
        self.exec_seen = False
        self._present = b""                        # the registers at the end, while the system is in the past
        self._end: Tables | None = None            # what the process is at the end of this future, if it is another's now
        self._futures: list[Future] = []           # others
        self.ended: Event | None = None
        self._restricting = self._follow = False
        self._abandoned: dict[tuple[int, int], int] = {}     # (thread, where a call would have returned) -> bytes of its instruction
        self._returned: set[tuple[int, int]] = set()         # such a thread that has come back, and to where
        self._link_map: tuple[Any, LinkMap] | None = None
        self._host_paths: dict[bytes, str] = {}
        process.signals.attach()
        process.scheduler.observer = self.recorder
        self.recorder.start()

    branch_note = ("the past of the process has been changed: another future begins. Files have their offsets of then and their "
                   "contents of now; pipes, sockets and children that have ended do not come back")

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
        if self.running in recorder.held and self.process.scheduler.current is self.process.tasks.get(self.running):
            self.process.scheduler.attention = False         # the call comes before anything else
        try:
            self.process.scheduler.run()
        except Left as left:
            return left.event
        except ProcessExit as end:
            if self.process.is_child:
                self.process._end_child(end)  # noqa: SLF001  a forked child ends here, as in Process.run
            recorder.end()
            if end.signal:
                from xemu.user.strace_names import SIGNALS

                name = SIGNALS.get(end.signal, f"SIG{end.signal}")
                self.ended = Event(StopKind.KILLED, end.signal, name, f"killed by {name}")
            else:
                self.ended = Event(StopKind.EXITED, code=end.status, text=f"exited with {end.status}")
            return self.ended
        except LostError as error:
            recorder.held[self.running] = recorder.left      # who goes on makes the call again
            return Event(StopKind.LOST, recorder.made, self.call_name(recorder.made), str(error))
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

    def resume(self, *, cut: bool = False) -> Any:
        recorder, future = self.recorder, None
        if cut:
            future = self._cut()
        else:
            if self._end is not None:
                held = recorder.held.get(self.running)
                tables.put_back(self.process, self._end, self._end.state.current, {})
                recorder.begin()
                self._end = None
                if held is not None:
                    recorder.enter(held)
                    recorder.held[self.running] = held
            recorder.exit = self._present
        self.live = True
        recorder.attach()
        return future

    def _cut(self) -> Future:
        """Be what the process was here; what came afterwards is another future, which is returned."""
        recorder = self.recorder
        if recorder.journal is None:
            raise HistoryError("the past of this process cannot be changed: what it had open then is not known")
        following = self.episodes[self.at] if self.at < len(self.episodes) else None
        then, threads = recorder.journal.at(self.at), dict(self.shadow)
        future = self._leave()
        tables.put_back(self.process, then, self.running, threads)
        recorder.begin()
        if following is not None and following.insns == self.engine.insns and following.cause == CALL:
            recorder.enter(PLAIN_CALL)                       # the call is about to be made
            recorder.held[self.running], recorder.cause = PLAIN_CALL, CALL
        self.told, self.due = (-1, 0), []
        return future

    def _leave(self) -> Future:
        """Take what comes after this place."""
        recorder, journal = self.recorder, self.recorder.journal
        assert journal is not None
        end = self._end if self._end is not None else tables.take(self.process, recorder.held)
        future = Future(recorder.episodes[self.at:], journal.cut(self.at), end, self._present, recorder.held, self.ended)
        del recorder.episodes[self.at:]
        self._futures.append(future)
        self._end, recorder.held, self.ended = None, {}, None
        self._abandoned.clear()
        return future

    def swap_future(self, future: Any) -> Any:
        mine, recorder, journal = self._leave(), self.recorder, self.recorder.journal
        assert journal is not None
        self._futures.remove(future)
        recorder.episodes += future.episodes
        journal.extend(future.journal)
        self._end, self._present, recorder.held, self.ended = future.tables, future.present, future.held, future.ended
        return mine

    def drop_future(self, future: Any) -> None:
        self._futures.remove(future)
        self._close(future.tables)

    def _close(self, of: Tables) -> None:
        """Close descriptors that nothing else has."""
        used = {row.entry for other in (*(f.tables for f in self._futures), *([self._end] if self._end else ()))
                for row in other.files.entries}
        used |= set(self.process.fds.table.values())
        for row in of.files.entries:
            if row.entry not in used and row.entry.host >= 0:
                row.entry.close()

    def let_go(self) -> None:
        """Close what only other futures have, in a child that the guest has forked."""
        futures, self._futures = self._futures, []
        for future in futures:
            self._close(future.tables)

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

    def program(self) -> str:
        return os.fsdecode(self.process.exe_host) if self.live else super().program()

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

    def call_of(self, thread: int) -> int:
        calls = self.recorder.calls if self.live else {}
        return calls[thread] if thread in calls else super().call_of(thread)

    def write_register(self, name: str, value: int, thread: int | None = None) -> bool:
        if name in ("pc", self.counter):
            value = self._leave_call(self.running if thread is None else thread, value)
        if thread not in (None, self.running):
            task = self.process.tasks.get(thread or 0)
            if task is None or task.registers is None:
                return False
            saved = SavedState(self.engine, task.registers)
            if not _write(saved, self.engine, name, value):
                return False
            task.registers = saved.save()
            self.process.scheduler.changed = True
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
            self._returned = {(thread, pc)}
            return pc - size
        before = self.read_register("pc", thread)
        held = self.recorder.held.pop(thread, None)          # about to make a call, or in one
        if task is not None and (held or task.call is not None) and before is not None and before != pc:
            state = SimpleNamespace(read=lambda name: self.read_register(name, thread))
            self._abandoned[thread, before] = self.process.abi.syscall_size(state)
            if held is None:
                self.process.scheduler.abandon(task)
            self.recorder.calls.pop(thread, None)
            self.recorder.made = -1
        elif held is not None:
            self.recorder.held[thread] = held
        return pc

    def calls_again(self, behind: int) -> bool:
        return (self.running, behind) in self._returned and self.pc != behind

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
