"""The past of a user-mode process: what has been written down about it, and repeating that without the process.

What happens between two runs of native code (a system call, a signal's delivery, a change of thread) is an *episode*. To repeat
the past, native code runs to the same instruction and the episode's effects are put there. No system call is made.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.core.engine import ExitKind
from xemu.core.memory import EXEC, PAGE
from xemu.core.state import ENGINE_BYTES, StateBlock
from xemu.debug.architectures import ARCHITECTURES
from xemu.debug.stops import Position, StopKind
from xemu.debug.system import Event, MapEntry, System, ThreadInfo
from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xemu.core.engine import Engine
    from xemu.core.memory import AddressSpace, Area

CHUNK = 1 << 24          # instructions that are repeated between two looks
CALL, TRAP, OTHER = "call", "trap", ""                                  # what an episode came from
ENTERED, SIGNALLED, LEFT, EXECUTED = "call", "signal", "return", "exec"     # what it was …
SIGSEGV = 11
PC_END = 8               # where the program counter ends in a saved state
NOTES = frozenset({ENTERED, SIGNALLED, LEFT, EXECUTED, "fork", "vfork"})


class Episode(NamedTuple):
    """What happened after `insns` instructions, before the next one."""

    insns: int
    cause: str                                     # CALL: of the instruction just executed; TRAP: instead of the next one
    thread: int                                    # that runs afterwards
    threads: tuple[int, ...] | None                # all there are, if that changed
    state: tuple[int, bytes] | None                # offset and bytes of what changed in the saved state
    writes: tuple[tuple[int, bytes], ...]
    areas: list[Area] | None                       # all mappings, if they changed
    emptied: tuple[tuple[int, int], ...] = ()      # ranges whose contents are new: `writes`, else zeros
    notes: tuple[tuple[str, int], ...] = ()        # what it was: (ENTERED, call), (LEFT, call), (SIGNALLED, signal), ("fork", child) …


class SavedState(StateBlock):
    """The registers of a thread that does not run, from what `EngineState.save` gave."""

    def __init__(self, engine: Engine, data: bytes) -> None:
        super().__init__(engine.target.layout, bytearray(ENGINE_BYTES) + bytearray(data[16:]))
        self.engine = engine
        self.pc, self.context = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:16], "little")

    def save(self) -> bytes:
        """Return the same again."""
        return self.pc.to_bytes(8, "little") + self.context.to_bytes(8, "little") + bytes(self.buffer[ENGINE_BYTES:])


class PastProcess(System):
    """A process as far as its past goes: memory, registers and episodes. It needs no process, no program and no host."""

    kind = "process"

    def __init__(self, name: str, engine: Engine, running: int) -> None:
        super().__init__()
        self.name, self.engine, self.arch = name, engine, engine.target.name
        self.counter = ARCHITECTURES[self.arch].pc                    # what this processor's manuals call PC
        self.call_register = ARCHITECTURES[self.arch].calls
        self.space: AddressSpace = engine.space
        self.running = running
        self.at = 0                                # the episode that is repeated next
        self.shadow: dict[int, bytes] = {}         # registers of threads that do not run, in the past
        self.past_threads: tuple[int, ...] = ()
        self.told = (-1, 0)                        # up to which note of which episode its beginning has been told
        self.due: list[Event] = []                 # what has happened and is to be told
        self._call_names: dict[int, str] = {}

    @property
    def episodes(self) -> Sequence[Episode]:
        """All that is known to have happened."""
        raise NotImplementedError

    def last_turn(self, thread: int, before: Position) -> int | None:
        """Return up to which instruction, before a place, a thread ran that does not run there; None where it never did."""
        episodes = self.episodes
        at = bisect_left(episodes, before.insns, key=lambda episode: episode.insns)
        while at > 0 and (at >= len(episodes) or episodes[at].thread == thread):
            at -= 1
        for number in range(at, 0, -1):
            if episodes[number].thread != thread and episodes[number - 1].thread == thread:
                return episodes[number].insns
        return None

    # -- what episodes are -----------------------------------------------------------------------------------------------
    def call_name(self, number: int) -> str:
        """Return the name of a system call."""
        if not self._call_names:
            from xemu.user.abi import get_abi

            self._call_names = {n: name for name, n in get_abi(self.arch, self.name, self.name).numbers.items()}
        return self._call_names.get(number, f"syscall_{number}")

    def about_to(self, what: str, number: int) -> Event | None:
        """Return the event of a call that is about to be made or a signal to be delivered, if somebody waits for it."""
        if what == ENTERED and self.catches("syscall", number, ""):
            name = self.call_name(number)
            return Event(StopKind.SYSCALL_ENTRY, number, name, f"about to make system call {name}")
        if what == SIGNALLED and number == SIGSEGV and self.pc in self.engine.points:
            area = self.space.area_at(self.pc)
            if area is None or not area.prot & EXEC:   # no code, as on the stack, to which debuggers let functions return
                return Event(StopKind.BREAKPOINT)
        if what == SIGNALLED and not self.engine.is_quiet and self.signals(number):
            from xemu.user.strace_names import SIGNALS

            name = SIGNALS.get(number, f"SIG{number}")
            return Event(StopKind.SIGNAL, number, name, f"signal {name}")
        return None

    def happened(self, episode: Episode) -> None:
        """Note what is over as far as somebody waits for it."""
        for what, number in episode.notes:
            if what == LEFT and self.catches("syscall", number, ""):
                name = self.call_name(number)
                self.due.append(Event(StopKind.SYSCALL_RETURN, number, name, f"returned from {name}", done=True))
            elif what == SIGNALLED and episode.state is not None and episode.state[0] < PC_END and self.catches("handler", number, ""):
                self.due.append(Event(StopKind.SIGNAL, number, done=True))
            elif what in ("fork", "vfork") and self.catches(what, number, ""):
                self.due.append(Event(StopKind(what), number, what, f"{what}: the child is {number}", done=True))
            elif what == EXECUTED and self.catches("exec", 0, ""):
                self.due.append(Event(StopKind.EXEC, text=f"executes {self.program()}", done=True))

    def program(self) -> str:
        """Return the path of the program on the host, as far as it is known."""
        libraries = self.libraries()
        return libraries[0].path if libraries else self.name

    def call_of(self, thread: int) -> int:
        """Return the number of the system call that a thread is about to make, in, or has just come back from; -1: it is in none."""
        episodes, place = self.episodes, self.position
        if thread == self.running and self.told[0] == place.transition < len(episodes):
            for what, number in episodes[place.transition].notes[:self.told[1]]:
                if what == ENTERED:
                    return number
        until = place.insns                        # where it runs last
        for at in range(place.transition - 1, -1, -1):
            episode, before = episodes[at], episodes[at - 1].thread if at else self.running
            notes = dict(episode.notes)
            if episode.thread == thread:
                if until > episode.insns:          # it has executed something since
                    return -1
                if LEFT in notes:
                    return notes[LEFT]
            if before == thread:
                if ENTERED in notes:
                    return notes[ENTERED]
                until = episode.insns
        return -1

    def pass_event(self) -> None:
        if self.at < len(self.episodes):
            self.told = self.at, len(self.episodes[self.at].notes)

    def _begins(self, episode: Episode) -> Event | None:
        """Return what an episode begins with that somebody waits for and has not been told of."""
        first = self.told[1] if self.told[0] == self.at else 0
        for place, (what, number) in enumerate(episode.notes[first:], first):
            event = self.about_to(what, number)
            if event is not None:
                self.told = self.at, place + 1
                return event
        return None

    # -- running ---------------------------------------------------------------------------------------------------------
    @property
    def position(self) -> Position:
        insns = self.engine.insns
        return Position(insns, self.at, insns)

    def run(self, *, insns: int | None = None, beat: int | None = None) -> Event:
        return self._again(beat if insns is None else insns if beat is None else min(insns, beat))

    def restrict(self, only: frozenset[int] | None, *, follow: bool = False) -> None:
        del follow                                 # what is repeated has its own order
        unknown = (only or frozenset()) - {info.id for info in self.threads()}
        if unknown or only == frozenset():
            raise UsageError(f"there is no thread {min(unknown)}" if unknown else "one thread has to run at least")
        self.only = only

    def _again(self, goal: int | None) -> Event:
        """Repeat up to an instruction count, the calls made by its instruction included."""
        engine, episodes = self.engine, self.episodes
        end = engine.insns + CHUNK
        while True:
            if self.due:
                return self.due.pop(0)
            episode = episodes[self.at] if self.at < len(episodes) else None
            target = end if goal is None else min(goal, end)
            if episode is not None:
                target = min(target, episode.insns)
            if engine.insns < target or (episode is not None and episode.cause == TRAP and episode.insns == engine.insns
                                         and (goal is None or engine.insns < goal)):
                event = self._native(max(target - engine.insns, 1), episode)
                if event is not None:
                    return event
            if engine.insns > target:
                return self._lost(episode)
            here = episode is not None and episode.insns == engine.insns
            if episode is not None and here and (goal is None or engine.insns < goal or episode.cause == CALL):
                if (event := self._begins(episode)) is not None:
                    return event
                self._apply(episode)
                self.happened(episode)
                if (number := self.outside()) >= 0:
                    return Event(StopKind.WATCHPOINT, watch=number, done=True)
                continue
            if goal is not None and engine.insns >= goal:
                return Event(StopKind.REACHED)
            if self.pausing:
                self.pausing = False
                return Event(StopKind.PAUSE)
            if engine.insns >= end:
                return Event(None)

    def _native(self, budget: int, episode: Episode | None) -> Event | None:
        """Run native code; what it is left for must be what it was left for then."""
        left = self.engine.run(budget)
        kind = left.kind
        if kind is ExitKind.POINT:
            return Event(StopKind.BREAKPOINT)
        if kind is ExitKind.WATCH:
            return Event(StopKind.WATCHPOINT, watch=left.number)
        if kind in (ExitKind.BUDGET, ExitKind.KICK):
            return None
        if episode is not None and episode.insns == self.engine.insns:
            return None
        if kind is ExitKind.SYSCALL:                 # a call without effect left no episode
            return None
        return self._lost(episode)

    def _lost(self, episode: Episode | None) -> Event:
        then = "" if episode is None else f", where something happened after instruction {episode.insns:,}"
        return Event(StopKind.DIVERGED, text=f"replay diverged at instruction {self.engine.insns:,}{then}")

    def _apply(self, episode: Episode) -> None:
        engine, space = self.engine, self.space
        if episode.thread != self.running:
            self.shadow[self.running] = engine.state.save()
            self.shadow.pop(episode.thread, None)
            self.running = episode.thread
        if episode.threads is not None:
            self.past_threads = episode.threads
        if episode.areas is not None:
            self._change_areas(episode.areas, episode.emptied)
        for address, data in episode.writes:
            if space.is_own(address):
                space.poke(address, data)
        if episode.state is not None:
            at, data = episode.state
            before = engine.state.save()
            engine.state.restore(before[:at] + data + before[at + len(data):])
        self.at += 1

    def _change_areas(self, areas: list[Area], emptied: tuple[tuple[int, int], ...]) -> None:
        """Change mappings as they changed then, keeping what goes."""
        space = self.space
        for start, length in emptied:
            for page in space.held(start, length):
                self.engine.keep_page(page)
        space.set_areas(areas)
        for start, length in emptied:
            space.empty(start, length)

    def settle(self) -> Event | None:
        episodes = self.episodes
        while not self.live and self.at < len(episodes) and episodes[self.at].insns == self.engine.insns \
                and episodes[self.at].cause != TRAP:
            self._apply(episodes[self.at])
        return None

    def cross(self, goal: Position) -> Event | None:
        episodes = self.episodes
        while self.at < min(goal.transition, len(episodes)) and episodes[self.at].insns == self.engine.insns:
            if self.due:
                return self.due.pop(0)
            if (event := self._begins(episode := episodes[self.at])) is not None:
                return event
            self._apply(episode)
            self.happened(episode)
            if (number := self.outside()) >= 0:
                return Event(StopKind.WATCHPOINT, watch=number, done=True)
        return self.due.pop(0) if self.due else None

    def arrive(self) -> list[str]:
        said: list[str] = []
        while True:
            self.settle()
            episode = self.episodes[self.at] if self.at < len(self.episodes) else None
            if episode is None or episode.insns != self.engine.insns or self._native(1, episode) is not None:
                return said
            self._apply(episode)                     # the instruction faults: `settle` leaves that to whoever executes it
            said.append("fault")

    def reach(self, goal: Position) -> str:
        episodes = self.episodes
        while self.engine.insns < goal.beat or self.at < goal.transition:
            episode = episodes[self.at] if self.at < len(episodes) else None
            target = goal.beat if episode is None else min(goal.beat, episode.insns)
            if self.engine.insns < target:
                event = self._native(min(target - self.engine.insns, CHUNK), episode)
                if event is not None:
                    return event.text or "replay diverged"
                if self.pausing:
                    self.pausing = False
                    return "interrupted"
                continue
            if episode is None or self.at >= goal.transition or episode.insns != self.engine.insns:
                return f"replay diverged at instruction {self.engine.insns:,}"
            self._apply(episode)
        return "" if self.position == goal else f"replay diverged: {self.position} instead of {goal}"

    # -- the past --------------------------------------------------------------------------------------------------------
    def save(self) -> Any:
        return self._state(dict(self.shadow), self.past_threads)

    def _state(self, shadow: dict[int, bytes], threads: tuple[int, ...]) -> Any:
        return {"state": self.engine.state.save(), "insns": self.engine.insns, "hash": self.engine.trace_hash,
                "at": self.position.transition, "thread": self.running, "threads": threads, "shadow": shadow,
                "areas": [a.part(a.start, a.end) for a in self.space.areas()]}

    def load(self, state: Any) -> None:
        self.engine.state.restore(state["state"])
        self.engine.insns, self.engine.trace_hash, self.at = state["insns"], state["hash"], state["at"]
        self.running, self.past_threads, self.shadow = state["thread"], state["threads"], dict(state["shadow"])
        self.told, self.due = (-1, 0), []
        self.engine.kicked = False

    def map_as(self, state: Any) -> None:
        self.space.set_areas(state["areas"])

    def difference(self, state: Any) -> str:
        now = self.save()
        for name in ("insns", "at", "thread", "hash"):
            if now[name] != state[name]:
                return name
        if now["state"] != state["state"]:
            for cell in self.engine.target.layout.owners():
                for i in range(cell.count):
                    at = 16 + cell.at(i) - ENGINE_BYTES
                    if now["state"][at:at + cell.stride] != state["state"][at:at + cell.stride] and \
                            not self.engine.target.is_scratch(cell.name, i):
                        return cell.names[i] if i < len(cell.names) else cell.name
            if now["state"][:16] != state["state"][:16]:
                return "pc"
        return ""

    # -- state -----------------------------------------------------------------------------------------------------------
    @property
    def thread(self) -> int:
        return self.running

    def threads(self) -> list[ThreadInfo]:
        return [ThreadInfo(tid, self.name, "running" if tid == self.running else "waiting") for tid in self.past_threads]

    def _registers(self, thread: int) -> bytes | None:
        """Return the registers of a thread that does not run."""
        return self.shadow.get(thread)

    def read_register(self, name: str, thread: int | None = None) -> int | None:
        if name == self.call_register and (number := self.call_of(self.running if thread is None else thread)) >= 0:
            return number
        if thread is not None and thread != self.running:
            data = self._registers(thread)
            return None if data is None else _read(SavedState(self.engine, data), self.engine, name)
        try:
            return int(self.engine.state.read(name))
        except KeyError:
            return None

    def read_memory(self, address: int, length: int) -> bytes:
        space, out = self.space, b""
        while len(out) < length:
            at = address + len(out)
            step = min(length - len(out), PAGE - at % PAGE)
            data = space.peek(at, step) if 0 <= at < space.limit else None
            if data is None:
                break
            out += data
        return out

    def memory_map(self) -> list[MapEntry]:
        out = []
        for a in self.space.areas():
            rights = "".join(c if a.prot & bit else "-" for c, bit in (("r", 1), ("w", 2), ("x", 4)))
            out.append(MapEntry(a.start, a.end, rights, a.path, "file" if a.inode != (0, 0) else "ram", offset=a.offset))
        return out

    def level(self) -> Any:
        return self.running, self.engine.state.read("sp")

    def close(self) -> None:
        self.engine.close()


def _read(saved: SavedState, engine: Engine, name: str) -> int | None:
    if name == "pc":
        return saved.pc
    special = engine.target.read(saved, name)
    if special is not None:
        return special
    found = engine.state._names.get(name)  # noqa: SLF001  the one table of register names
    return None if found is None else saved.get(*found)
