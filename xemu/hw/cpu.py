"""What a machine needs of its CPU. Each kind of CPU is a part of the board and owns exceptions and interrupt entry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from xemu.core.target import Target
    from xemu.hw.machine import Machine


class Interrupt(NamedTuple):
    """One interrupt or exception."""

    number: int
    name: str
    enabled: bool
    pending: bool
    active: bool
    priority: int
    wire: str = ""                     # the line it comes by


class Interrupts(NamedTuple):
    """The state of the interrupt controller."""

    running: str                       # what is being handled, "" for none
    priority: int | None               # only what comes before this interrupts; None: everything does
    masks: str                         # what holds interrupts back: "PRIMASK"
    lines: tuple[Interrupt, ...]       # those that are enabled, pending or active


class Countdown(NamedTuple):
    """The CPU's own timer."""

    name: str
    running: bool
    value: int
    reload: int
    due: int | None                    # the beat at which it comes to zero


class Cpu(ABC):
    """One core."""

    address_bits: ClassVar[int] = 32
    machine: Machine
    sleeping: bool = False             # waits for an interrupt: time may be skipped

    @abstractmethod
    def target(self) -> Target:
        """Return the instruction set."""

    @abstractmethod
    def attach(self, machine: Machine, name: str) -> None:
        """Take the place the board gives."""

    @abstractmethod
    def start(self) -> None:
        """Get ready: the engine is there."""

    @abstractmethod
    def reset(self) -> None:
        """Start from the reset vector."""

    @abstractmethod
    def interrupts(self) -> None:
        """Take what is pending, before the next instruction."""

    @abstractmethod
    def run(self, budget: int) -> None:
        """Execute at most so many instructions and deal with why they ended."""

    @abstractmethod
    def check_access(self, address: int, size: int, *, write: bool) -> None:
        """Raise GuestFault where the CPU's own protection forbids an access to a device."""

    def read_register(self, name: str) -> int | None:
        """Return a register by its name, as debuggers know it; None where there is none."""
        try:
            return self.machine.engine.state.read(name)
        except KeyError:
            return None

    def write_register(self, name: str, value: int) -> bool:
        """Change a register (between instructions); False where there is none. The door is the caller's matter."""
        try:
            self.machine.engine.state.write(name, value)
        except KeyError:
            return False
        return True

    def interrupt_state(self) -> Interrupts | None:
        """Return what debuggers show of interrupts, without effect."""
        return None

    def countdown(self) -> Countdown | None:
        """Return the CPU's own timer, if it has one."""
        return None

    @abstractmethod
    def save(self) -> Any:
        """Return the state as plain data."""

    @abstractmethod
    def load(self, data: Any) -> None:
        """Take back what `save` gave."""
