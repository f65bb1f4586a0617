"""What the debugger drives: a machine or a process. Only the engine's thread may call anything here but `kick`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.debug.stops import StopKind
from xemu.errors import XemuError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xemu.core.engine import Engine
    from xemu.debug.stops import Position


class Event(NamedTuple):
    """Why `System.run` returned. `kind` None: the end of a slice, run on."""

    kind: StopKind | None
    number: int = 0
    name: str = ""
    text: str = ""
    code: int = 0
    watch: int = -1                  # number of the engine's watch that was touched
    done: bool = False               # … by something that is no instruction, and is over


@dataclass(frozen=True)
class ThreadInfo:
    """A thread of execution: a core of a machine, a thread of a process."""

    id: int
    name: str
    state: str                       # "running", "sleeping", …
    core: int = 0


@dataclass(frozen=True)
class MapEntry:
    """A range of the address space."""

    start: int
    end: int
    rights: str                      # "rwx" with dashes
    name: str
    kind: str                        # "ram" "rom" "flash" "device" "hole" "file"
    block: int = 0                   # of flash: the bytes that are erased together
    offset: int = 0                  # of files


@dataclass(frozen=True)
class Library:
    """A file of code that is in memory."""

    path: str                        # on the host
    bias: int                        # what its addresses are off by
    name: str = ""                   # as the guest names it
    dynamic: int = 0                 # address of its dynamic section
    link: int = 0                    # address of its entry in the loader's list




class System(ABC):
    """One machine or process under a debugger."""

    kind: str                        # "machine" or "process"
    name: str
    arch: str                        # the target's name
    engine: Engine
    live = True                      # False while it repeats what it has done
    branch_note = ""                 # what whoever changes the past should know
    only: frozenset[int] | None = None            # threads that run, where others are held
    alone = False                    # nobody outside sends anything: a guest that waits for that waits for ever
    pausing = nudged = False
    catches: Callable[[str, int, str], bool]          # told of (kind, number, name): True stops
    signals: Callable[[int], bool]                    # whether a signal is looked at before it is delivered

    def __init__(self) -> None:
        self.catches = lambda _kind, _number, _name: False
        self.signals = lambda _number: False
        self.outside: Callable[[], int] = lambda: -1
        #: registers of a kernel's task by its number; None: it runs, they are the processor's; empty: there is none
        self.tasks: Callable[[int], Mapping[str, int] | None] = lambda _number: {}

    # -- running ---------------------------------------------------------------------------------------------------------
    @property
    @abstractmethod
    def position(self) -> Position:
        """Where in time the system is."""

    @abstractmethod
    def run(self, *, insns: int | None = None, beat: int | None = None) -> Event:
        """Run to an instruction count or beat (event REACHED), to what stops it, or to the end of a slice (about 10 ms)."""

    def pass_event(self) -> None:
        """Have what is about to happen here not stop the system again. In the past only."""
        return

    @abstractmethod
    def settle(self) -> Event | None:
        """Do what comes before the next instruction (interrupts, signals); None: it is about to be executed."""

    def arrive(self) -> list[str]:
        """Do what comes before the next instruction that completes; return what it was, in words. In the past only."""
        said = []
        while (event := self.settle()) is not None and event.kind in (StopKind.EXCEPTION, StopKind.IRQ):
            said.append(event.text)
        return said

    @abstractmethod
    def cross(self, goal: Position) -> Event | None:
        """Repeat what comes before the next instruction up to a position at this beat; the first of it that stops, else None."""

    @abstractmethod
    def reach(self, goal: Position) -> str:
        """Repeat up to a position that lies ahead in the recorded past; return what is wrong if that is not possible."""

    def kick(self) -> None:
        """Have `run` return PAUSE soon; any thread may call it."""
        self.pausing = True
        self.nudge()

    def nudge(self) -> None:
        """Have `run` end its slice soon; any thread may call it."""
        self.nudged = True
        self.engine.kick()

    def restrict(self, only: frozenset[int] | None, *, follow: bool = False) -> None:
        """Have only some threads run forwards, in the present, None: all. What is repeated is what happened. XemuError.

        `follow`: threads that they begin run, too.
        """
        del follow
        if only is not None:
            raise XemuError("the cores of a machine run together")

    def give_way(self) -> None:
        """Let other threads that may run have a short turn next; a debugger steps one that would keep its turn for long."""
        return

    # -- state -----------------------------------------------------------------------------------------------------------
    @abstractmethod
    def save(self) -> Any:
        """Return all that is not in memory pages."""

    @abstractmethod
    def load(self, state: Any) -> None:
        """Take back what `save` gave; memory is the caller's matter."""

    def map_as(self, state: Any) -> None:
        """Map memory as it was in a saved state; contents are the caller's matter. Machines never change their map."""
        del state

    @abstractmethod
    def rewind(self) -> None:
        """From now on repeat what has been recorded; a state is loaded next."""

    @abstractmethod
    def resume(self, *, cut: bool = False) -> Any:
        """Go on live from here; `cut`: what was recorded after this place is another future, which is returned."""

    def drop_future(self, future: Any) -> None:
        """Forget another future."""
        del future

    def swap_future(self, future: Any) -> Any:
        """Put another future of this place in the past in the place of the present one, which is returned."""
        raise XemuError(f"{self.name} has one future only: {type(future).__name__}")

    @property
    def pc(self) -> int:
        """The address of the next instruction."""
        return self.engine.pc

    def calls_again(self, behind: int) -> bool:
        """Whether the running thread has come back to a call to the system, which it makes again; `behind`: the address after it."""
        del behind
        return False

    @property
    @abstractmethod
    def thread(self) -> int:
        """The thread that runs."""

    @abstractmethod
    def threads(self) -> list[ThreadInfo]:
        """Return all threads."""

    @abstractmethod
    def read_register(self, name: str, thread: int | None = None) -> int | None:
        """Return a register; None where there is none of that name."""

    @abstractmethod
    def write_register(self, name: str, value: int, thread: int | None = None) -> bool:
        """Change a register; False where there is none."""

    @abstractmethod
    def read_memory(self, address: int, length: int) -> bytes:
        """Return what is there, without effect, as far as it can be read."""

    @abstractmethod
    def write_memory(self, address: int, data: bytes) -> bool:
        """Change memory whatever the guest's rights; False where that is impossible."""

    @abstractmethod
    def memory_map(self) -> list[MapEntry]:
        """Return what is where."""

    def level(self) -> Any:
        """Return what tells apart code from the handlers that interrupt it."""
        return None

    rate = 1_000_000_000                 # beats per second

    def address_of(self, name: str) -> int | None:
        """Return the address of a symbol."""
        del name
        return None

    def watch_outside(self, changed: Callable[[], int] | None) -> None:
        """Stop at changes that no instruction makes (DMA, system calls): `changed` says which watch they touched, or -1."""
        self.outside = changed or (lambda: -1)

    def show_exceptions(self, *, on: bool) -> None:
        """Tell of all exceptions that are entered, also of those that cost nothing otherwise."""
        del on

    def register_range(self, name: str) -> tuple[int, int]:
        """Return address and length of a device's register, PART.REGISTER; XemuError."""
        raise XemuError(f"{self.name} has no devices: {name}")

    def set_pin(self, name: str, level: int | None) -> None:
        """Drive a pin from outside; XemuError."""
        raise XemuError(f"{self.name} has no pins: {name} = {level}")

    def set_value(self, name: str, text: str) -> None:
        """Set a value of a device from outside; XemuError."""
        raise XemuError(f"{self.name} has no devices: {name} = {text}")

    def libraries(self) -> list[Library]:
        """Return the code files in memory, the program first."""
        return []

    def marked(self) -> None:
        """Called when all pages have been marked as unchanged: say which may change unnoticed."""
        return

    @abstractmethod
    def difference(self, state: Any) -> str:
        """Return the name of the first thing that is not as in a saved state; "" where nothing differs."""

    def where(self, address: int) -> str:
        """Return an address in words."""
        return f"{address:#x}"

    @abstractmethod
    def close(self) -> None:
        """End it."""


__all__ = ["Event", "Library", "MapEntry", "System", "ThreadInfo"]
