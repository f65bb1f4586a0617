"""Recordings: files with which a run can be repeated elsewhere, and snapshots, which are recordings of nothing.

What a file holds: who was recorded, the state at its start with all memory, everything that came from outside (door entries of
a machine, episodes of a process), states on the way to compare with, the end. See docs/recordings.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

from xemu.core.memory import PAGE_SHIFT
from xemu.debug.codec import Saved
from xemu.debug.episodes import Episode, PastProcess
from xemu.debug.recorded import check_machine, check_pages, check_process, name_events
from xemu.debug.sections import RecordingError, SectionWriter, read_sections
from xemu.debug.stops import Position, StopKind
from xemu.hw.door import Entry
from xemu.hw.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xemu.debug.debugger import Debugger
    from xemu.debug.system import System

HEAD, FILE, STATE, PAGES, INPUT, MARK, LAST = b"HEAD", b"FILE", b"STAT", b"PAGE", b"INPT", b"MARK", b"LAST"
CHUNK = 256                  # pages in a section
FLUSH = 1 << 20              # bytes of input in a section, about
EVERY = 0.25                 # seconds between two states to compare with, at least
COST = 40                    # … and at least so many times what the last one cost
MOST_FILE = 256 << 20        # bytes of a file that is packed
MACHINE, PROCESS = "machine", "process"


# -- writing -----------------------------------------------------------------------------------------------------------------


class Spool:
    """Stands in for a list that only grows: what is appended goes to the file."""

    def __init__(self, tape: Tape, count: int) -> None:
        self.tape, self.count, self.size = tape, count, 0
        self.waiting: list[Any] = []

    def __len__(self) -> int:
        return self.count

    def append(self, item: Any) -> None:
        """Take an entry or episode."""
        self.count += 1
        self.waiting.append(item)
        self.size += 200 + (sum(len(data) for _, data in item.writes) if isinstance(item, Episode) else 0)
        if self.size > FLUSH:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self.waiting:
            self.tape.put(INPUT, self.waiting)
            self.waiting, self.size = [], 0


class Tape:
    """A recording that is being written. `start` it where the system stands, `end` it where that has come to."""

    def __init__(self, path: str, system: System) -> None:
        self.system = system
        self.out: SectionWriter | None = SectionWriter(path)
        self.first: Position
        self.spool: Spool | None = None
        self.trouble = ""                            # why there will be no recording
        self._due = 0.0
        self._door = 0                               # entries before the start

    def put(self, tag: bytes, value: Any) -> None:
        """Write a section. Where that fails while the system runs, the recording is over (`trouble`), and the system runs on."""
        if self.out is None:
            return
        try:
            self.out.put(tag, value)
        except (TypeError, RecordingError) as error:
            self.abandon()
            self.trouble = f"the run is not recorded: {error}"
            if self.spool is None:
                raise RecordingError(self.trouble) from None

    def start(self) -> None:
        """Write who it is and the state here."""
        system, state = self.system, self.system.save()
        self.first = system.position
        self._door = state["door"] if system.kind == MACHINE else 0
        self.put(HEAD, _head(system))
        try:
            saved = self._saved(self.first, state)
        except TypeError as error:
            self.abandon()
            raise RecordingError(f"the run is not recorded: {error}") from None
        self.put(STATE, saved)
        pages = _pages(system)
        while chunk := dict(item for _, item in zip(range(CHUNK), pages, strict=False)):
            self.put(PAGES, chunk)

    def _saved(self, position: Position, state: Any) -> Saved:
        """Return a state as it is written: counted from the start of this recording. What is planned matters at the start only."""
        if self.system.kind == MACHINE:
            machine = state["machine"]
            named = name_events(self.system, machine) if position == self.first else {**machine, "events": ()}
            return Saved(position, {"machine": named, "door": state["door"] - self._door})
        skipped = self.first.transition
        return Saved(Position(position.beat, position.transition - skipped, position.insns), {**state, "at": state["at"] - skipped})

    def follow(self) -> None:
        """From now on write what comes from outside as it comes."""
        system: Any = self.system
        owner, name = (system.machine.door, "entries") if system.kind == MACHINE else (system.recorder, "episodes")
        self.spool = Spool(self, len(getattr(owner, name)))
        setattr(owner, name, self.spool)
        if system.kind == PROCESS:
            owner.stream()
        self._due = monotonic() + EVERY

    def tick(self) -> None:
        """Now and then write a state to compare with: call it where the system can be saved."""
        began = monotonic()
        if began >= self._due and self.out is not None and self.system.live:
            self.mark(self.system.position, self.system.save())
            self._due = monotonic() + max(EVERY, COST * (monotonic() - began))

    def mark(self, position: Position, state: Any) -> None:
        """Write a state to compare with."""
        self.put(MARK, self._saved(position, state))

    def inputs(self, items: Iterable[Any]) -> None:
        """Write what came from outside."""
        spool = Spool(self, 0)
        for item in items:
            spool.append(item)
        spool.flush()

    def end(self, kind: StopKind, text: str = "", *, code: int = 0, number: int = 0, symbols: bool = False,
            files: Iterable[str] = ()) -> None:
        """Write the end and put the file in its place. `files`: code of machines; processes know theirs."""
        if self.spool is not None:
            self.spool.flush()
        if self.out is None:
            return
        known = []
        for path, bias in _files(self.system, files):
            described = _described(path, bias)
            if described is None:
                continue
            if symbols:
                described["packed"] = self._pack(path)
            known.append(described)
        last = self._saved(self.system.position, self.system.save())
        self.put(LAST, {"last": last, "kind": kind.value, "text": text, "code": code, "number": number, "files": known})
        if self.out is not None:
            self.out.finish()
            self.out = None

    def _pack(self, path: str) -> bool:
        with open(path, "rb") as file:
            data = file.read(MOST_FILE + 1)
        if len(data) > MOST_FILE:
            return False
        self.put(FILE, {"path": path, "data": data})
        return True

    def let_go(self) -> None:
        """Write nothing more, in a child that the guest has forked; the file is the parent's."""
        self.out = None

    def abandon(self) -> None:
        """Leave nothing behind."""
        if self.out is not None:
            self.out.abandon()
            self.out = None


def _head(system: System) -> dict[str, Any]:
    from xemu import __version__

    head: dict[str, Any] = {"xemu": __version__, "kind": system.kind, "target": system.arch, "name": system.name,
                            "tracing": system.engine.options.tracing}
    if system.kind == MACHINE:
        machine: Any = system.machine  # type: ignore[attr-defined]
        head |= {"board": _board(machine), "no_reboot": machine.no_reboot, "epoch": machine.epoch,
                 "svd": None if machine.svd is None else [tuple(r) for r in machine.svd.registers]}
    return head


def _board(machine: Any) -> dict[str, str]:
    """Return a board's name, and file and digest if it is none of xemu's own."""
    from hashlib import sha256
    from pathlib import Path

    from xemu.hw.machine import BOARDS
    from xemu.hw.machines import MODULES

    board = BOARDS.get(machine.name)
    if machine.name in MODULES or board is None:
        return {"name": machine.name, "file": "", "digest": ""}
    file = Path(board.build.__code__.co_filename)
    text = file.read_bytes() if file.exists() else b""
    return {"name": machine.name, "file": file.name, "digest": sha256(text).hexdigest()}


def _pages(system: System) -> Iterator[tuple[int, bytes]]:
    """Yield (page number, contents) of all memory that is not zero."""
    space, empty = system.engine.space, bytes(1 << PAGE_SHIFT)
    ranges = [(area.start, area.end) for area in space.areas()]
    if system.kind == MACHINE:                       # without the aliases of memories
        parts = system.machine.parts.values()  # type: ignore[attr-defined]
        ranges = [(part.at, part.at + part.size) for part in parts if isinstance(part, Memory)]
    for start, end in ranges:
        for page in space.held(start, end - start):
            data = space.page(page)
            if data != empty:
                yield page, data


def _files(system: System, files: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield (path, bias) of the files whose code the system runs."""
    found = dict.fromkeys((path, 0) for path in files)
    for library in system.libraries():
        found.setdefault((library.path, library.bias))
    for entry in system.memory_map() if system.kind == PROCESS else ():
        if entry.kind == "file" and entry.offset == 0 and entry.name not in [path for path, _ in found]:
            found.setdefault((entry.name, entry.start))
    yield from found


def _described(path: str, bias: int) -> dict[str, Any] | None:
    """Return what tells an ELF file from others; None for what is none."""
    from hashlib import sha256

    from xemu.debug.elffile import ElfFile
    from xemu.errors import XemuError

    try:
        elf = ElfFile.open(path)
        with open(path, "rb") as file:
            digest = sha256(file.read()).hexdigest()
    except (XemuError, OSError):
        return None
    return {"path": path, "bias": bias, "id": elf.build_id, "digest": digest, "packed": False}


# -- reading -----------------------------------------------------------------------------------------------------------------


@dataclass
class Recording:
    """What is in a file, checked as far as that is possible without the machine."""

    path: str
    head: dict[str, Any]
    first: Saved
    pages: dict[int, bytes]
    inputs: list[Any]
    marks: list[Saved]
    last: Saved
    ending: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)        # packed ones, by path
    notes: list[str] = field(default_factory=list)               # what the user should know

    HEAD_TYPES: ClassVar[dict[str, type]] = {"xemu": str, "kind": str, "target": str, "name": str, "tracing": bool}
    LAST_TYPES: ClassVar[dict[str, type]] = {"last": Saved, "kind": str, "text": str, "code": int, "number": int, "files": list}
    FILE_TYPES: ClassVar[dict[str, type]] = {"path": str, "bias": int, "id": str, "digest": str, "packed": bool}
    BOARD_TYPES: ClassVar[dict[str, type]] = {"name": str, "file": str, "digest": str}

    @property
    def kind(self) -> str:
        """Of a machine or of a process."""
        return str(self.head["kind"])

    @property
    def how_it_ended(self) -> str:
        """The end in words that a terminal can be shown."""
        text = self.ending["text"] or self.ending["kind"]
        return "".join(c if c.isprintable() else "?" for c in text[:300])

    @property
    def is_snapshot(self) -> bool:
        """Whether nothing happens in it."""
        return self.first.position == self.last.position

    @classmethod
    def read(cls, path: str) -> Recording:
        """Read a file; RecordingError."""
        found: dict[bytes, list[Any]] = {tag: [] for tag in (HEAD, FILE, STATE, PAGES, INPUT, MARK, LAST)}
        for tag, value in read_sections(path):
            if tag not in found:
                raise RecordingError(f"{path} is damaged: there are no sections {tag!r}")
            found[tag].append(value)
        if any(len(found[tag]) != 1 for tag in (HEAD, STATE, LAST)):
            raise RecordingError(f"{path} is damaged: a part is missing")
        try:
            return cls._of(path, found)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise RecordingError(f"{path} is damaged: {error or type(error).__name__}") from None

    @classmethod
    def _of(cls, path: str, found: dict[bytes, list[Any]]) -> Recording:
        head, ending = found[HEAD][0], found[LAST][0]
        _typed(head, cls.HEAD_TYPES)
        _typed(ending, cls.LAST_TYPES)
        for file in ending["files"]:
            _typed(file, cls.FILE_TYPES)
        StopKind(ending["kind"])
        pages: dict[int, bytes] = {}
        for chunk in found[PAGES]:
            check_pages(chunk)
            pages |= chunk
        inputs = [item for chunk in found[INPUT] for item in chunk]
        marks = [*found[MARK], ending["last"]]
        states = [found[STATE][0], *marks]
        if not all(isinstance(s, Saved) for s in states) or any(b.position < a.position for a, b in pairwise(states)):
            raise ValueError("its states are not in order")
        if head["kind"] == PROCESS:
            check_process(states, inputs)
        elif head["kind"] == MACHINE:
            _typed(head["board"], cls.BOARD_TYPES)
            check_machine(states)
            if not all(isinstance(item, Entry) for item in inputs) or any(b[:2] < a[:2] for a, b in pairwise(inputs)):
                raise ValueError("its input is not in order")
        else:
            raise ValueError("it is neither of a machine nor of a process")
        files = {}
        for packed in found[FILE]:
            _typed(packed, {"path": str, "data": bytes})
            files[packed["path"]] = packed["data"]
        return cls(path, head, states[0], pages, inputs, marks[:-1], marks[-1], ending, files)

    @classmethod
    def write(cls, path: str, debugger: Debugger, *, symbols: bool = False, files: Iterable[str] = ()) -> None:
        """Write all that a debugger's history holds; the debugger stays where it is."""
        system, history = debugger.system, debugger.history
        debugger.need_history()
        here, live = system.position, system.live
        tape = Tape(path, system)
        try:
            history.leave_present()
            snapshots, end = list(history.snapshots), history.last
            history.place(0)
            tape.start()
            first = snapshots[0].state
            tape.inputs(system.episodes[first["at"]:] if isinstance(system, PastProcess)
                        else system.machine.door.entries[first["door"]:])  # type: ignore[attr-defined]
            for snapshot in snapshots[1:]:
                tape.mark(snapshot.position, snapshot.state)
            history.seek(end)
            stop = debugger.ended
            kind, text = (StopKind.HISTORY_END, "") if stop is None else (stop.kind, stop.text)
            tape.end(kind, text, code=stop.code if stop else 0, number=stop.number if stop else 0, symbols=symbols, files=files)
        except BaseException:
            tape.abandon()
            raise
        finally:
            if live:
                history.resume()
            else:
                history.seek(here)


def _typed(value: Any, types: dict[str, type]) -> None:
    """Check that a dictionary has what it must; ValueError."""
    if not isinstance(value, dict):
        raise TypeError("a part of it is not what it should be")
    for name, kind in types.items():
        if type(value.get(name)) is not kind:
            raise ValueError(f"its {name} is not what it should be")


def verify(debugger: Debugger, recording: Recording) -> str:
    """Repeat a recording from its start and compare; say what differs first, "" where nothing does."""
    system = debugger.system
    before = recording.first.position
    for mark in (*recording.marks, recording.last):
        trouble = system.reach(mark.position) or system.difference(mark.state)
        if trouble:
            return f"replay diverged between {before} and {mark.position}: first {trouble}"
        before = mark.position
    return ""


__all__ = ["Recording", "RecordingError", "Tape", "verify"]
