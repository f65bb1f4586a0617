"""Tasks of real-time kernels: what they are called, what they wait for, and where each stands. docs/adding-a-task-reader.md.

A `TaskReader` knows one kernel: by its symbols it recognises a program, from the types in the debug information it reads the
kernel's lists. Nothing of a kernel is known anywhere else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from xemu.debug.tasks.program import Program, View
from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from xemu.debug.debugger import Debugger
    from xemu.debug.frames import Frame

__all__ = ["Program", "Task", "TaskReader", "View", "backtrace", "find_reader", "task_reader", "tasks"]

OURS = ("sample", "freertos", "zephyr")        # readers that come with xemu: modules here
MOST = 1000                                    # tasks that are read: more is a list that is damaged


class Task(NamedTuple):
    """A task of a kernel."""

    id: int                                    # tells it from others: the address of its control block
    name: str
    state: str                                 # "running", "ready", or what it waits for
    priority: int | None = None
    running: bool = False                      # its registers are the processor's
    registers: Mapping[str, int] | None = None  # where it goes on, by the names of `Architecture.dwarf`; None: it has none
    stack: tuple[int, int] | None = None       # its lowest address, and the one behind its highest


class TaskReader(ABC):
    """What knows one kernel. `symbols`: a program that has all of these may be made with it."""

    name: ClassVar[str]
    symbols: ClassVar[tuple[str, ...]]

    def fits(self, program: Program) -> bool:
        """Return whether the program is made with this kernel, in a form that this reader knows."""
        return all(program.has(name) for name in self.symbols)

    @abstractmethod
    def tasks(self, program: Program) -> Iterable[Task]:
        """Yield the tasks; UsageError where debug information or memory is not as expected."""


R = TypeVar("R", bound=type[TaskReader])
_READERS: list[TaskReader] = []
_KNOWN: WeakKeyDictionary[Debugger, tuple[Any, dict[int, Task]]] = WeakKeyDictionary()     # as they were at a place in time


def task_reader(cls: R) -> R:
    """Register a class of readers; the last one registered is asked first."""
    _READERS[:] = [reader for reader in _READERS if reader.name != cls.name]
    _READERS.insert(0, cls())
    return cls


def find_reader(debugger: Debugger) -> TaskReader | None:
    """Return the reader that knows the debugger's program."""
    for module in OURS if not any(type(r).__module__.startswith(f"{__name__}.") for r in _READERS) else ():
        users = list(_READERS)
        import_module(f"{__name__}.{module}")
        _READERS[:] = [*users, *(r for r in _READERS if r not in users)]
    program = Program(debugger)
    return next((reader for reader in _READERS if reader.fits(program)), None)


def tasks(debugger: Debugger) -> list[Task]:
    """Return the tasks of the program's kernel; none where it has no kernel that a reader knows. UsageError."""
    reader = find_reader(debugger)
    found: list[Task] = []
    for task in reader.tasks(Program(debugger)) if reader is not None else ():
        if len(found) == MOST:
            raise UsageError(f"{reader.name if reader else ''}: more than {MOST} tasks: its lists are damaged")
        found.append(task)
    return found


def registers_of(debugger: Debugger, number: int) -> Mapping[str, int] | None:
    """Return the registers of a task by its id: None where they are the processor's, none where there is no such task."""
    here = debugger.position, debugger.system.live
    known = _KNOWN.get(debugger)
    if known is None or known[0] != here:
        try:
            known = here, {task.id: task for task in tasks(debugger)}
        except UsageError:
            known = here, {}
        _KNOWN[debugger] = known
    task = known[1].get(number)
    return {} if task is None else None if task.running else task.registers or {}


def backtrace(debugger: Debugger, task: Task, limit: int = 32) -> list[Frame]:
    """Return the call stack of a task, newest frame first."""
    if task.running:
        return debugger.backtrace(limit=limit)
    if task.registers is None:
        return []
    from xemu.debug.unwind import Unwinding

    source = debugger.source
    return list(Unwinding(task.registers, source.read_memory, source.modules, architecture=source.architecture).frames(limit))
