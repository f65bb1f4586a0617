"""Call stacks, and the words on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from xemu.errors import XemuError
from xemu.tui.queries import query
from xemu.tui.queries.pointers import Pointed, follow

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger
    from xemu.debug.frames import Frame

LIMIT = 64               # frames that are found unasked
WORDS = 48               # of the stack that are shown


class Row(NamedTuple):
    """A frame. `kind`: "call", "inline", "exception" or "signal"."""

    level: int
    function: str
    offset: int
    place: str                                       # "kernel.c:72"
    module: str                                      # of a frame without a place: its file
    pc: int
    method: str                                      # how it was found; guesses end in "?"
    kind: str


class Word(NamedTuple):
    """A word of the stack. `note`: what lies there: "#1 lr", a register's saved value; "#1" where a frame's part begins."""

    address: int
    value: int
    pointed: Pointed | None
    note: str = ""


class Stack(NamedTuple):
    """The stack of a thread; the words are those from the chosen frame's stack pointer up."""

    thread: int
    frame: int
    rows: tuple[Row, ...]
    more: bool                                       # there are more frames
    sp: int
    words: tuple[Word, ...]


def chosen(d: Debugger, thread: int | None, frame: int) -> Frame | None:
    """Return the frame that the user has selected; None: the newest of the thread that runs, as when nothing is selected."""
    if frame == 0 and thread in (None, d.system.thread):
        return None
    frames = d.backtrace(thread, frame + 1)
    if frame >= len(frames):
        raise XemuError(f"there is no frame {frame}")
    return frames[frame]


def chosen_code(d: Debugger, thread: int | None, frame: int) -> Frame | None:
    """Return the frame whose code is shown: of an exception's or a signal's frame, what was interrupted."""
    found = chosen(d, thread, frame)
    if found is None or not (found.exception or found.signal):
        return found
    frames = d.backtrace(thread, frame + 2)
    return frames[frame + 1] if len(frames) > frame + 1 else found


@query()
def stack(d: Debugger, *, thread: int | None = None, frame: int = 0, limit: int = LIMIT) -> Stack:
    """Return a call stack."""
    frames = d.backtrace(thread, limit + 1)
    more = len(frames) > limit
    del frames[limit:]
    here = frames[min(frame, len(frames) - 1)]
    return Stack(d.system.thread if thread is None else thread, frame, tuple(map(_row, frames)), more, here.sp,
                 tuple(_words(d, here.sp, frames)))


def _row(frame: Frame) -> Row:
    kind = "exception" if frame.exception else "signal" if frame.signal else "inline" if frame.inline else "call"
    place = frame.place.name if frame.place is not None and frame.place.line else ""
    module = frame.module.name.rpartition("/")[2] if frame.module is not None else ""
    return Row(frame.level, frame.function, frame.offset, place, module, frame.pc, frame.method, kind)


def _words(d: Debugger, sp: int, frames: list[Frame]) -> list[Word]:
    """Return the words from `sp` up as far as memory goes."""
    arch = d.source.architecture
    size = arch.word
    data = d.read_memory(sp, size * WORDS)
    notes: dict[int, list[str]] = {}
    for frame in frames:
        if frame.sp % size == 0 and not frame.inline:
            notes.setdefault(frame.sp, []).append(f"#{frame.level}")
        for name, address in frame.saved.items():
            found = notes.setdefault(address, [])
            if name not in found:
                found.append(name)
    found_words = []
    for at in range(0, len(data) - size + 1, size):
        value = arch.number(data[at:at + size])
        found_words.append(Word(sp + at, value, follow(d, value) if value else None, " ".join(notes.get(sp + at, ()))))
    return found_words
