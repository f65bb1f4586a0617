"""The door: all that enters a machine from outside, in order, with the place in time where it entered.

Serial input, pins, values of sensors, packets, what a debugger writes and what semihosting calls gave: each is an entry. A
machine that runs again (after it went back to a snapshot) takes its input from here and touches nothing outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.errors import XemuError
from xemu.hw.events import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.hw.machine import Machine


class Entry(NamedTuple):
    """Something that entered at (beat, transition). `kind` says how it acts (see KINDS), `name` where."""

    beat: int
    transition: int
    kind: str
    name: str
    value: Any


class ReplayError(XemuError):
    """A run that is repeated went another way than the first time."""


class Door:
    """The entries of one machine. `at` is the next one to be taken while the machine runs again, None while it is live."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.entries: list[Entry] = []
        self.at: int | None = None
        self.limit = (NEVER, NEVER)          # what entered at or after this (beat, transition) stays outside

    @property
    def replaying(self) -> bool:
        """Whether the machine repeats what it has done."""
        return self.at is not None

    def note(self, kind: str, name: str, value: Any) -> None:
        """Write down something that has just entered (not while the machine runs again)."""
        if self.at is None:
            self.entries.append(Entry(self.machine.now, self.machine.transitions, kind, name, value))
            self.machine.moved += 1

    def answer(self, kind: str, name: str, ask: Callable[[], Any]) -> Any:
        """Return what the outside says to something the guest asks; while the machine runs again, what it said then."""
        if self.at is None:
            value = ask()
            self.note(kind, name, value)
            return value
        entry = self._next()
        if entry is None or (entry.kind, entry.name) != (kind, name):
            raise ReplayError(f"replay diverged at beat {self.machine.now}: the guest asks {name}, which it did not then")
        self.at += 1
        self.machine.moved += 1
        return entry.value

    def _next(self) -> Entry | None:
        assert self.at is not None
        return self.entries[self.at] if self.at < len(self.entries) else None

    @property
    def next_beat(self) -> int:
        """The beat of the next entry to be taken by itself, NEVER where none comes."""
        if self.at is None:
            return NEVER
        entry = self._next()
        return NEVER if entry is None or entry.kind not in KINDS else entry.beat

    def feed(self) -> None:
        """Let in what entered at this place the first time."""
        while self.at is not None:
            entry = self._next()
            machine = self.machine
            if entry is None or entry.kind not in KINDS or entry[:2] > (machine.now, machine.transitions) or entry[:2] >= self.limit:
                return
            if entry[:2] != (machine.now, machine.transitions):
                raise ReplayError(f"replay diverged at beat {machine.now}: {entry.kind} {entry.name} came at beat {entry.beat}")
            KINDS[entry.kind](machine, entry.name, entry.value)
            self.at += 1
            machine.moved += 1

    def swap(self, future: list[Entry]) -> list[Entry]:
        """Put other entries in the place of those that are still to come, which are returned."""
        if self.at is None:
            return []
        coming, self.entries[self.at:] = self.entries[self.at:], future
        return coming


def _serial(machine: Machine, name: str, value: Any) -> None:
    next(line for line in machine.serials if line.name == name).arrive(value)


def _pin(machine: Machine, name: str, value: Any) -> None:
    from xemu.hw.start import drive_pin

    drive_pin(machine, name, value)


def _set(machine: Machine, name: str, value: Any) -> None:
    from xemu.hw.start import put_value

    put_value(machine, name, value)


def _feel(machine: Machine, name: str, value: Any) -> None:
    part, _, variable = name.partition(".")
    machine[part].take(variable, value)


def _packet(machine: Machine, name: str, value: Any) -> None:
    machine[name].take_packet(*value)


def _memory(machine: Machine, name: str, value: Any) -> None:
    machine.debug_write(int(name, 16), value)


def _register(machine: Machine, name: str, value: Any) -> None:
    machine.cpu.write_register(name, value)


#: how entries that come by themselves act: kind -> function(machine, name, value)
KINDS: dict[str, Callable[[Machine, str, Any], None]] = {
    "serial": _serial, "pin": _pin, "set": _set, "feel": _feel, "packet": _packet, "memory": _memory, "register": _register,
}
