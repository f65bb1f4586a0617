"""Cores of a machine, threads of a program, tasks of a real-time kernel: what each does, and where it is."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from xemu.errors import XemuError
from xemu.tui.queries import query
from xemu.tui.queries.pointers import name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xemu.debug.debugger import Debugger
    from xemu.debug.frames import Frame
    from xemu.debug.tasks import Task

DEEPEST = 32             # frames of an opened thread


class Call(NamedTuple):
    """A frame of a call stack, in words and as an address."""

    text: str
    pc: int
    guessed: bool = False


class Thread(NamedTuple):
    """A core, thread or task. `kind` and `id` name it in `opened`."""

    kind: str                                      # "core" "thread" "task"
    id: int
    name: str
    state: str
    where: str                                     # "main+0x12", a line of source where one is known
    running: bool = False
    priority: int | None = None
    stack: tuple[int, int] | None = None           # bytes in use, bytes there are
    calls: tuple[Call, ...] = ()                   # of an opened one


class Threads(NamedTuple):
    """All of them."""

    rows: tuple[Thread, ...]
    kernel: str = ""                               # whose tasks they are
    problem: str = ""                              # why there are not all tasks


@query()
def threads(d: Debugger, *, opened: tuple[tuple[str, int], ...] = ()) -> Threads:
    """Return cores or threads, then tasks."""
    kind = "core" if d.system.kind == "machine" else "thread"
    rows = []
    for info in d.system.threads():
        calls: Sequence[Frame] = ()
        if (kind, info.id) in opened:
            with suppress(XemuError):                        # its registers are not known
                calls = d.backtrace(info.id, limit=DEEPEST)
        pc = d.read_register("pc", info.id)
        rows.append(Thread(kind, info.id, info.name, info.state, place(d, pc), info.id == d.system.thread, calls=tuple(map(call, calls))))
    if d.system.kind != "machine":
        return Threads(tuple(rows))
    from xemu.debug.tasks import find_reader, tasks

    reader = find_reader(d)
    problem = ""
    try:
        rows += [_task(d, task, opened) for task in sorted(tasks(d), key=lambda task: task.id)]
    except XemuError as error:
        problem = str(error)
    return Threads(tuple(rows), reader.name if reader is not None else "", problem)


def _task(d: Debugger, task: Task, opened: tuple[tuple[str, int], ...]) -> Thread:
    from xemu.debug.tasks import backtrace

    sp = d.read_register("psp") if task.running else (task.registers or {}).get(d.source.architecture.sp)
    pc = d.pc if task.running else (task.registers or {}).get(d.source.architecture.pc)
    low, high = task.stack or (0, 0)
    stack = (high - sp, high - low) if sp is not None and low < high and sp <= high else None
    calls = backtrace(d, task, DEEPEST) if ("task", task.id) in opened else []
    return Thread("task", task.id, task.name, task.state, place(d, pc), task.running, task.priority, stack, tuple(map(call, calls)))


def place(d: Debugger, pc: int | None) -> str:
    """Return an address of code in words."""
    if pc is None:
        return ""
    code = d.source.architecture.code(pc)
    function, found = d.modules.function(code), d.source.place(code)
    if function is not None and found is not None and found.line:
        return f"{function.name} {found.name.rpartition('/')[2]}"
    return name_of(d, pc) or f"{pc:#x}"


def call(frame: Frame) -> Call:
    """Return a frame in words."""
    if frame.signal or frame.exception:
        return Call(f"<{frame.function}>", frame.pc)
    known = frame.place is not None and frame.place.line
    name = frame.function or f"{frame.pc:#x}"
    where = f" {frame.place.name.rpartition('/')[2]}" if known and frame.place else f"+{frame.offset:#x}" if frame.function else ""
    return Call(name + where, frame.pc, frame.method.endswith("?"))
