"""What stops the guest: breakpoints, watchpoints, catchpoints. Each belongs to whoever set it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xemu.debug.expressions import Expression

ACCESSES = {"r": 1, "w": 2, "a": 3}          # watchpoint access -> READ | WRITE of the core

#: owners of points that the debugger sets for itself
OWN = {"step", "libraries", "scope"}

#: what can be caught -> what its `detail` names
CATCHES = {"syscall": "numbers", "signal": "numbers", "exception": "numbers", "irq": "numbers", "device": "PART.REGISTER",
           "fork": "", "vfork": "", "exec": "", "thread": ""}


@dataclass(eq=False)
class Point:
    """Common to all points. `hits` counts how often it was met with its condition true."""

    id: int = 0
    owner: str = "user"
    condition: Expression | None = None
    ignore: int = 0                  # hits that do not stop
    once: bool = False               # goes with its first stop
    thread: int | None = None        # stops this thread only
    action: Callable[[], None] | None = None          # done at a hit, which then does not stop (log points)
    log: str = ""                    # the text that a log point says
    enabled: bool = True
    hits: int = 0


@dataclass(eq=False)
class Breakpoint(Point):
    """Stops before the instructions at `addresses`: several for a line or function that is in several places."""

    address: int = 0                 # the first of them
    hardware: bool = False           # as its owner asked for it; there is no difference here
    where: str = ""                  # the words it was set with
    addresses: tuple[int, ...] = ()  # none: it waits for a library (`pending`)
    pending: bool = False            # its place need not exist yet
    words: str = ""                  # a place that is looked up again whenever a library is loaded
    stays: bool = False              # stops a guest that stands there, too: its owner takes it out to go on, as GDB does

    def __post_init__(self) -> None:
        if self.addresses:
            self.address = self.addresses[0]
        elif not self.pending:
            self.addresses = (self.address,)

    def condition_at(self, address: int) -> Expression | None:
        """Return the condition as it is at one of the addresses: variables are elsewhere in each."""
        at = getattr(self.condition, "at", None)
        return self.condition if at is None else at(address)

    def __str__(self) -> str:
        return f"breakpoint {self.id} at {self.where or hex(self.address)}"


@dataclass(eq=False)
class Watchpoint(Point):
    """Stops at accesses to `length` bytes from `address`: "r", "w" or "a"; or at changes of a register (`register`)."""

    address: int = 0
    length: int = 1
    access: str = "w"
    register: str = ""
    where: str = ""

    def __str__(self) -> str:
        return f"watchpoint {self.id} on {self.where or self.register or f'{self.length} bytes at {self.address:#x}'}"


@dataclass(eq=False)
class Catchpoint(Point):
    """Stops at events of a kind (see CATCHES); `detail` None: at all of them."""

    kind: str = ""
    detail: Any = None

    def __str__(self) -> str:
        return f"catchpoint {self.id} ({self.kind})"


@dataclass
class Points:
    """All points, by number."""

    by_id: dict[int, Point] = field(default_factory=dict)
    last: int = 0

    def add(self, point: Point) -> None:
        """Give a point its number: a negative one if it is the debugger's own."""
        if point.owner in OWN:
            point.id = min([0, *self.by_id]) - 1
        else:
            self.last += 1
            point.id = self.last
        self.by_id[point.id] = point

    def __iter__(self) -> Iterator[Point]:
        return iter([p for p in self.by_id.values() if p.enabled])

    def breakpoints(self, address: int) -> list[Breakpoint]:
        """Return the enabled breakpoints at an address."""
        return [p for p in self if isinstance(p, Breakpoint) and address in p.addresses]

    def watchpoints(self) -> list[Watchpoint]:
        """Return the enabled watchpoints on memory."""
        return [p for p in self if isinstance(p, Watchpoint) and not p.register]

    def registers(self) -> list[Watchpoint]:
        """Return the enabled watchpoints on registers."""
        return [p for p in self if isinstance(p, Watchpoint) and p.register]

    def catches(self, *kinds: str) -> list[Catchpoint]:
        """Return the enabled catchpoints of some kinds."""
        return [p for p in self if isinstance(p, Catchpoint) and p.kind in kinds]


__all__ = ["ACCESSES", "CATCHES", "Breakpoint", "Catchpoint", "Point", "Points", "Watchpoint"]
