"""Systems that are opened from recordings: they have a past and no present."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from xemu.core.memory import PAGE, PAGE_SHIFT, make_space
from xemu.core.state import ENGINE_BYTES, STATE_HEAD
from xemu.debug.episodes import CALL, OTHER, TRAP, Episode, PastProcess
from xemu.debug.history import HistoryError
from xemu.debug.machine import MachineSystem
from xemu.debug.sections import RecordingError
from xemu.debug.stops import Position, StopKind
from xemu.debug.system import Event, Library
from xemu.errors import XemuError
from xemu.hw.events import Outside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xemu.core.target import Target
    from xemu.debug.codec import Saved
    from xemu.debug.debugger import Debugger
    from xemu.debug.recording import Recording
    from xemu.hw.machine import Machine

MOST_AUXV = 1024         # bytes of an auxiliary vector
FIXED = "a recording cannot be changed"


# -- events by name ----------------------------------------------------------------------------------------------------------


def name_events(system: Any, state: dict[str, Any]) -> dict[str, Any]:
    """Return a machine's state with its events' owners by name; TypeError for one that has none."""
    machine = system.machine
    events, sequence, done = state["events"]
    named = [(beat, number, _owner(machine, action)) for beat, number, action in events if not isinstance(action, Outside)]
    return {**state, "events": (named, sequence, done)}


def _owner(machine: Machine, action: Any) -> tuple[Any, ...]:
    owner: Any = getattr(action, "__self__", None)
    if action == machine.reset:
        return ("reset",)
    for line in machine.serials:
        if action == line._deliver:  # noqa: SLF001  the one action of lines
            return "serial", line.number
    device = getattr(owner, "device", None)
    title, name = str(getattr(device, "name", "")), getattr(owner, "name", "")
    if device is not None and machine.parts.get(title) is device and getattr(device, name, None) is owner:
        method = action.__name__
        if getattr(owner, method, None) == action:
            return "part", title, name, method
    raise TypeError(f"something is planned that has no name: {getattr(action, '__qualname__', action)}")


def _action(machine: Machine, owner: tuple[Any, ...]) -> Any:
    match owner:
        case ("reset",):
            return machine.reset
        case ("serial", int(number)):
            return machine.serials[number]._deliver  # noqa: SLF001
        case ("part", str(device), str(name), "_expire" as method):
            return getattr(getattr(machine.parts[device], name), method)
    raise ValueError(f"it plans something that does not exist: {owner!r}")


# -- machines ----------------------------------------------------------------------------------------------------------------


class RecordedMachine(MachineSystem):
    """A machine that only repeats."""

    live = False

    def __init__(self, machine: Machine, recording: Recording) -> None:
        super().__init__(machine)
        self._libraries = [Library(path, bias) for path, bias in code_files(recording)]
        _name_addresses(machine, self._libraries)
        machine.door.entries, machine.door.at = list(recording.inputs), recording.first.state["door"]

    def resume(self, *, cut: bool = False) -> None:
        if cut:
            raise HistoryError(FIXED)

    def libraries(self) -> list[Library]:
        return self._libraries

    def difference(self, state: Any) -> str:
        try:
            return super().difference(state)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, StopIteration):
            return "a state that is none"

    def run(self, *, insns: int | None = None, beat: int | None = None) -> Event:
        try:
            return super().run(insns=insns, beat=beat)
        except XemuError:
            raise
        except Exception as error:  # noqa: BLE001  whatever devices make of a state that no device would be in
            return Event(StopKind.DIVERGED, text=_misfit(error))

    def reach(self, goal: Position) -> str:
        try:
            return super().reach(goal)
        except XemuError:
            raise
        except Exception as error:  # noqa: BLE001  as above
            return _misfit(error)


def _misfit(error: Exception) -> str:
    return f"the recording does not fit this machine ({type(error).__name__}: {error})"


def restore_machine(recording: Recording, machine: Machine) -> None:
    """Put a machine into the state at the start of a recording; RecordingError where it does not fit."""
    from xemu.hw.memory import Memory

    state = recording.first.state["machine"]
    template = {**machine.save(memory=False), "events": state.get("events")}
    where = _misshapen(template, state, "")
    if where:
        raise RecordingError(f"{recording.path} does not fit {machine.name} ({where}): was that board another then?")
    try:
        for part in machine.parts.values():
            if isinstance(part, Memory):
                first = part.at >> PAGE_SHIFT
                part.load({page - first << PAGE_SHIFT: recording.pages[page]
                           for page in range(first, first + part.size // PAGE) if page in recording.pages})
        events, sequence, done = state["events"]
        named = [(int(beat), int(number), _action(machine, owner)) for beat, number, owner in events]
        machine.load({**state, "events": (named, int(sequence), int(done))})
    except XemuError:
        raise
    except Exception as error:  # noqa: BLE001  whatever devices make of a state that no device would be in
        raise RecordingError(f"{recording.path} does not fit {machine.name}: {type(error).__name__}: {error}") from None


def _misshapen(template: Any, value: Any, where: str) -> str:
    """Return where a saved state is not like the one of a machine that was just made; "" where it is."""
    if template is None or value is None or (isinstance(template, (bool, int)) and isinstance(value, (bool, int))):
        return ""
    if type(template) is not type(value):
        return where or "all"
    if isinstance(template, bytes) and where.endswith("cpu.state"):
        return where if len(value) != len(template) else ""
    if isinstance(template, (list, tuple)) and where.endswith(".registers"):
        return where if len(value) != len(template) or not all(isinstance(n, int) and 0 <= n < 1 << 64 for n in value) else ""
    if isinstance(template, dict):
        if all(isinstance(key, str) for key in template) and template.keys() != value.keys() and template:
            return where or "its parts"
        return next((bad for key, item in template.items() if key in value and (bad := _misshapen(item, value[key], f"{where}.{key}"))), "")
    return ""


def _make_machine(recording: Recording, board: str | None, options: Any) -> Machine:
    """Make the machine that was recorded."""
    from hashlib import sha256
    from pathlib import Path

    from xemu.hw.machine import make_machine

    wanted = recording.head["board"]
    if wanted["file"] and board is None:
        raise RecordingError(f"{recording.path} was recorded on {wanted['name']}, a board of {wanted['file']}: "
                             "name that file with --machine")
    if not wanted["file"] and board not in (None, wanted["name"]):
        raise RecordingError(f"{recording.path} was recorded on {wanted['name']}, not on {board}")
    machine = make_machine(board or wanted["name"], options)
    if machine.name != wanted["name"]:
        raise RecordingError(f"{recording.path} was recorded on {wanted['name']}, not on {machine.name}")
    if wanted["file"]:
        file = Path(str(board).partition(".py:")[0].removesuffix(".py") + ".py")
        if sha256(file.read_bytes()).hexdigest() != wanted["digest"]:
            recording.notes.append(f"{file} has changed since {recording.path} was made")
    machine.no_reboot, machine.__dict__["epoch"] = bool(recording.head.get("no_reboot")), int(recording.head.get("epoch") or 0)
    if recording.head.get("svd") is not None:
        from xemu.hw.svd import SvdMap

        machine.svd = SvdMap.of(recording.head["svd"])
    return machine


def _name_addresses(machine: Machine, libraries: list[Library]) -> None:
    from xemu.loaders.symbols import load_symbols

    for library in libraries:
        with suppress(XemuError):                    # damaged symbols are as good as none
            machine.symbols.append(load_symbols(library.path))


# -- processes ---------------------------------------------------------------------------------------------------------------


class RecordedProcess(PastProcess):
    """A process that only repeats; nothing of it exists on this host."""

    live = False

    def __init__(self, recording: Recording, engine: Any) -> None:
        super().__init__(recording.head["name"], engine, recording.first.state["thread"])
        self._episodes: list[Episode] = recording.inputs
        self._libraries = [Library(path, bias) for path, bias in code_files(recording)]
        self.auxv: bytes | None = None               # the auxiliary vector, where the recording begins with the program

    @property
    def exe_path(self) -> str:
        """The program's path."""
        return self.program()

    @property
    def episodes(self) -> Sequence[Episode]:
        return self._episodes

    def rewind(self) -> None:
        """It is in the past already."""

    def resume(self, *, cut: bool = False) -> None:
        if cut:
            raise HistoryError(FIXED)

    def write_register(self, name: str, value: int, thread: int | None = None) -> bool:  # noqa: ARG002  as the base has it
        raise HistoryError(FIXED)

    def write_memory(self, address: int, data: bytes) -> bool:  # noqa: ARG002
        raise HistoryError(FIXED)

    def libraries(self) -> list[Library]:
        return self._libraries

    def difference(self, state: Any) -> str:
        try:
            return super().difference(state)
        except (KeyError, TypeError, ValueError, IndexError):
            return "a state that is none"


def check_pages(pages: Any) -> None:
    """Check contents of pages as they are read; ValueError."""
    if not isinstance(pages, dict):
        raise TypeError("its memory is none")
    for page, data in pages.items():
        if not isinstance(page, int) or not 0 <= page < 1 << 52 or not isinstance(data, bytes) or len(data) != PAGE:
            raise ValueError("its memory does not come in pages")


def check_machine(states: list[Saved]) -> None:
    """Check the outline of a machine's states; ValueError. The machine itself knows the rest."""
    for saved in states:
        if not isinstance(saved.state["machine"], dict) or not isinstance(saved.state["door"], int) or saved.state["door"] < 0:
            raise TypeError("a state is none")


def check_process(states: list[Saved], episodes: list[Any]) -> None:
    """Check what a process's recording says, as far as its processor does not matter; ValueError."""
    for saved in states:
        state = saved.state
        if not isinstance(state["state"], bytes) or not isinstance(state["shadow"], dict) or not isinstance(state["threads"], tuple):
            raise TypeError("a state is none")
        for name in ("insns", "hash", "at", "thread"):
            if not isinstance(state[name], int) or not 0 <= state[name] < 1 << 64:
                raise ValueError(f"{name} is out of range")
        if any(not isinstance(tid, int) or not isinstance(data, bytes) for tid, data in state["shadow"].items()):
            raise TypeError("a thread's registers are none")
        check_areas(state["areas"])
    if states[0].state["at"] or states[0].position.transition:
        raise ValueError("it does not begin at its start")
    before = 0
    for episode in episodes:
        if not isinstance(episode, Episode) or episode.insns < before or episode.cause not in (CALL, TRAP, OTHER):
            raise ValueError("its episodes are not in order")
        before = episode.insns
        if episode.areas is not None:
            check_areas(episode.areas)


def check_areas(areas: Any) -> None:
    """Check mappings: in order, of whole pages, apart; ValueError."""
    end = 0
    for area in areas:
        if not end <= area.start < area.end or area.start % PAGE or area.end % PAGE or area.prot > 7:
            raise ValueError("a mapping is out of place")
        end = area.end


def _check_registers(recording: Recording, target: Target, limit: int) -> None:
    """Check what depends on the processor, whose memory ends at `limit`; ValueError."""
    size = STATE_HEAD + target.layout.size - ENGINE_BYTES
    states = [recording.first.state, *(mark.state for mark in (*recording.marks, recording.last))]
    for state in states:
        for data in (state["state"], *state["shadow"].values()):
            if len(data) != size:
                raise ValueError("registers are missing")
        _check_ends(state["areas"], limit)
    for episode in recording.inputs:
        if episode.state is not None and episode.state[0] + len(episode.state[1]) > size:
            raise ValueError("registers are out of range")
        if any(at + len(data) > limit for at, data in episode.writes) or any(at + n > limit for at, n in episode.emptied):
            raise ValueError("an episode writes where there is no memory")
        _check_ends(episode.areas or (), limit)


def _check_ends(areas: Any, limit: int) -> None:
    if any(area.end > limit for area in areas):
        raise ValueError(f"a mapping ends above {limit:#x}, the most that this host gives")


def _open_process(recording: Recording, *, jit: bool) -> RecordedProcess:
    from xemu.core.engine import Engine, Options
    from xemu.targets.registry import get_target

    target = get_target(recording.head["target"])
    space = make_space(target.address_bits)
    try:
        _check_registers(recording, target, space.limit)
    except ValueError as error:
        raise RecordingError(f"{recording.path} is damaged: {error}") from None
    engine = Engine(target, space, Options(jit=jit, tracing=recording.head["tracing"]))
    system = RecordedProcess(recording, engine)
    state = recording.first.state
    space.set_areas(state["areas"])
    for page, data in recording.pages.items():
        if not space.poke(page << PAGE_SHIFT, data):
            raise RecordingError(f"{recording.path} is damaged: it has memory at {page << PAGE_SHIFT:#x} where nothing is mapped")
    system.load(state)
    if recording.first.position.insns == 0:
        system.auxv = _auxiliary_vector(system)
    return system


def _auxiliary_vector(system: RecordedProcess) -> bytes:
    """Return what the kernel has put on the stack behind arguments and environment. System V ABI, "Process Initialization"."""
    size = system.engine.target.address_bits // 8
    at = (system.read_register("sp") or 0) + size
    out, zeros = bytearray(), 0
    while len(out) < MOST_AUXV:
        word = system.read_memory(at, size)
        if len(word) < size:
            break
        at += size
        if zeros < 2:                                # arguments, environment
            zeros += not any(word)
            continue
        value = system.read_memory(at, size)
        at += size
        out += word + value
        if not any(word):                            # AT_NULL
            break
    return bytes(out)


# -- both --------------------------------------------------------------------------------------------------------------------


def code_files(recording: Recording) -> list[tuple[str, int]]:
    """Return (path, bias) of the recorded code's files: packed ones are unpacked, others must be what they were."""
    from hashlib import sha256

    out = []
    for file in recording.ending["files"]:
        path = file["path"]
        if path in recording.files:
            path = _unpacked(recording.files[path], os.path.basename(path))
        else:
            try:
                with open(path, "rb") as opened:
                    same = sha256(opened.read()).hexdigest() == file["digest"]
            except (OSError, ValueError):
                recording.notes.append(f"{path} is not here: nothing in it has a name (--with-symbols packs it)")
                continue
            if not same:
                recording.notes.append(f"{path} is another file now: nothing in it has a name")
                continue
        out.append((path, file["bias"]))
    return out


def _unpacked(data: bytes, name: str) -> str:
    """Put a packed file where tools can read it, until this process ends."""
    import atexit
    import shutil
    import tempfile

    directory = tempfile.mkdtemp(prefix="xemu-recording-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    path = os.path.join(directory, name.replace("\0", "") or "program")
    with open(path, "wb") as file:
        file.write(data)
    return path


def open_system(recording: Recording, *, machine: str | None = None, jit: bool = True) -> RecordedMachine | RecordedProcess:
    """Return the recorded system at the start of its recording; RecordingError."""
    if recording.kind == "process":
        if machine is not None:
            raise RecordingError(f"{recording.path} is of a program: it has no machine")
        return _open_process(recording, jit=jit)
    from xemu.core.engine import Options

    made = _make_machine(recording, machine, Options(jit=jit, tracing=recording.head["tracing"]))
    restore_machine(recording, made)
    return RecordedMachine(made, recording)


def open_debugger(recording: Recording, *, at: str = "start", machine: str | None = None, jit: bool = True) -> Debugger:
    """Return a debugger that stands at the start or end of a recording."""
    from xemu.debug.debugger import Debugger

    debugger = Debugger(open_system(recording, machine=machine, jit=jit))
    debugger.history.end = recording.last.position
    debugger.history.marks = [*recording.marks, recording.last]
    debugger.history.ending = f"end of the recording: {recording.how_it_ended}"
    if at == "end":
        debugger.seek("end")
    return debugger


__all__ = ["RecordedMachine", "RecordedProcess", "check_machine", "check_pages", "check_process", "name_events", "open_debugger",
           "open_system"]
