"""Why the guest stands still, and where in time. Plain frozen data that every front end reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xemu.debug.points import Point, Watchpoint


@dataclass(frozen=True, order=True)
class Position:
    """A place in the guest's time: beat (of a process: instructions), then what happened at that beat without an instruction."""

    beat: int
    transition: int = 0
    insns: int = field(default=0, compare=False)     # instructions executed until there

    def __str__(self) -> str:
        return f"instruction {self.insns:,}"


class StopKind(Enum):
    """What made the guest stop."""

    STEP = "step"                    # a motion came to its end
    BREAKPOINT = "breakpoint"
    WATCHPOINT = "watchpoint"
    SYSCALL_ENTRY = "syscall entry"
    SYSCALL_RETURN = "syscall return"
    SIGNAL = "signal"                # about to be delivered
    EXCEPTION = "exception"          # a processor's exception was entered
    IRQ = "irq"
    DEVICE = "device"                # a device's register was accessed
    FORK = "fork"
    VFORK = "vfork"
    EXEC = "exec"
    THREAD = "thread"
    HELD = "held"                    # every thread that may run has ended
    PAUSE = "pause"
    EXITED = "exited"                # `code`: status
    KILLED = "killed"                # `number`: Linux signal
    IDLE = "idle"                    # nothing can wake the processor any more
    LOCKUP = "lockup"
    STRICT = "strict"                # something is not modelled, under --strict
    REACHED = "reached"              # the instruction count or time that was asked for
    HISTORY_BEGIN = "start of history"
    HISTORY_END = "end of history"
    DIVERGED = "diverged"            # a repeated run went another way: nothing after this is to be trusted
    REQUEST = "request"              # a script or device asked for it

    @property
    def final(self) -> bool:
        """Whether the guest cannot run on from there."""
        return self in (StopKind.EXITED, StopKind.KILLED, StopKind.LOCKUP)


@dataclass(frozen=True)
class WatchHit:
    """The access that a watchpoint saw. `old` and `new` are the watched bytes before and after."""

    point: Watchpoint
    address: int
    access: str                      # "r" or "w"
    old: bytes
    new: bytes


@dataclass(frozen=True)
class Stop:
    """One stop. `text` says it in plain words."""

    kind: StopKind
    position: Position
    pc: int
    thread: int = 1
    points: tuple[Point, ...] = ()
    watch: WatchHit | None = None
    number: int = 0                  # of the signal (Linux), system call or exception
    name: str = ""
    code: int = 0                    # exit status
    text: str = ""


__all__ = ["Position", "Stop", "StopKind", "WatchHit"]
