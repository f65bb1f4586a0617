"""A process's own tables at every place of its past: what it takes to go on from there.

They are taken where a call, a signal or a wait may have changed them, and belong to a number of episodes that have happened. Most
calls change nothing, or only how far a file has been read, which is written down alone.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.user import tables
from xemu.user.tables import ALL, CHANGES, NOTHING, OFFSET, Files, State, Tables

if TYPE_CHECKING:
    from collections.abc import Collection

    from xemu.user.descriptors import OpenFile
    from xemu.user.process import Process


class Tail(NamedTuple):
    """What was written down after a place."""

    files: list[tuple[int, Files]]
    states: list[tuple[int, State]]
    offsets: list[tuple[int, OpenFile, int]]


class Journal:
    """What a process consisted of, by the number of episodes."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.files: list[tuple[int, Files]] = []
        self.states: list[tuple[int, State]] = []
        self.offsets: list[tuple[int, OpenFile, int]] = []
        self.changes: dict[int, int] = {}            # call number -> what it changes
        process.fds.remember = True
        self.note(0, ALL)

    def change_of(self, number: int) -> int:
        """Return what a system call may change: NOTHING, OFFSET, STATE or ALL."""
        found = self.changes.get(number)
        if found is None:
            table = self.process.table
            entry = table[number] if number < len(table) else self.process.private_calls.get(number)
            found = self.changes[number] = NOTHING if entry is None else CHANGES.get(entry[2].name, ALL)
        return found

    def note(self, at: int, change: int, descriptor: int = -1, held: Collection[int] = ()) -> None:
        """Write down what may have changed with the last of so many episodes. `held`: threads that are about to make a call."""
        if change == NOTHING:
            return
        if change == OFFSET:
            entry = self.process.fds.table.get(descriptor)
            if entry is not None and (place := tables.offset_of(entry)) is not None:
                self.offsets.append((at, entry.file, place))
            return
        state = tables.take_state(self.process, held)
        if self.states and not state.due:            # running timers: what is left of them depends on the time
            state = state._replace(now=self.states[-1][1].now)
        _append(self.states, at, state)
        if change == ALL:
            _append(self.files, at, tables.take_files(self.process))

    def at(self, at: int) -> Tables:
        """Return what it consisted of after so many episodes."""
        taken, files = self.files[bisect_right(self.files, at, key=_number) - 1]
        state = self.states[bisect_right(self.states, at, key=_number) - 1][1]
        first, last = (bisect_right(self.offsets, n, key=_number) for n in (taken, at))
        return Tables(files, state, {file: place for _, file, place in self.offsets[first:last]})

    def cut(self, at: int) -> Tail:
        """Forget what comes after so many episodes; returns it."""
        tail = []
        for notes in (self.files, self.states, self.offsets):
            first = bisect_right(notes, at, key=_number)
            tail.append(notes[first:])
            del notes[first:]
        return Tail(*tail)                                     # type: ignore[arg-type]

    def extend(self, tail: Tail) -> None:
        """Take back what was cut off."""
        self.files += tail.files
        self.states += tail.states
        self.offsets += tail.offsets


def _append(notes: list[tuple[int, Any]], at: int, new: Any) -> None:
    """Append what has changed; what is as before is kept once."""
    last = notes[-1][1] if notes else None
    if last is None:
        notes.append((at, new))
    elif new != last:
        notes.append((at, type(new)(*[before if before == now else now for before, now in zip(last, new, strict=True)])))


def _number(note: tuple[Any, ...]) -> int:
    return int(note[0])


__all__ = ["Journal", "Tail"]
