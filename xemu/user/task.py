"""A guest thread, and how a system call says that it must wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.core.memory import WRITE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from xemu.user.descriptors import Descriptors
    from xemu.user.process import Process
    from xemu.user.signals import SigInfo


MINSIGSTKSZ = 2048


class Keep:
    """The type of KEEP: a system call that already set the registers, or will never return."""


KEEP = Keep()


class Inner(NamedTuple):
    """The result of a call that stands for another one (socketcall), which must wait: its generator and its row."""

    call: Any
    row: Any


class Interrupted(Exception):  # noqa: N818 - thrown into a waiting call, not an error
    """A signal is to be delivered; a call that does not catch it restarts or returns EINTR."""


class ProcessExit(BaseException):
    """The guest process ends: with a status, or by a signal."""

    def __init__(self, status: int = 0, signal: int = 0) -> None:
        """Keep the exit status (0-255) or the fatal signal."""
        super().__init__(status, signal)
        self.status = status
        self.signal = signal


class Wait:
    """What a parked thread waits for; any of its conditions ends the wait."""

    __slots__ = ("deadline", "descriptors", "ready", "timed_out", "woken")

    def __init__(self, descriptors: Iterable[tuple[int, int]] = (), deadline: int | None = None) -> None:
        """`descriptors`: (host fd, poll events); `deadline`: of the monotonic clock, ns."""
        self.descriptors = tuple(descriptors)
        self.deadline = deadline
        self.woken = False  # set by whoever ends the wait from inside (futex, child, signal)
        self.ready: list[tuple[int, int]] = []  # descriptors that are ready, with their events
        self.timed_out = False


Waiting = "Generator[Wait, Wait, int]"


class Task:
    """A guest thread. Its registers are in the engine while it runs, else in `registers`."""

    def __init__(self, process: Process, tid: int) -> None:
        """Start with no signals and nothing to clear."""
        self.process = process
        self.space = process.space
        self.fds: Descriptors = process.fds
        self.tid = tid
        self.registers: bytes | None = None
        self.call: Generator[Wait, Wait, Any] | None = None  # the system call that waits
        self.call_row: Any = None
        self.wait: Wait | None = None
        self.blocked = 0  # signal mask: bit n-1 is signal n
        self.result: int | None = None  # of a call that ended while another thread ran
        self.saved_mask: int | None = None  # to restore after sigsuspend, ppoll, …
        self.wait_set = 0  # signals this thread waits for (sigtimedwait)
        self.pending: list[SigInfo] = []
        self.stack_sp = 0
        self.stack_size = 0
        self.clear_tid = 0
        self.robust_list = 0
        self.robust_size = 0
        self.comm = process.comm
        self.restart = False  # the call in `interrupted` may start again
        self.interrupted: Any = None  # row of a call that was interrupted and whose result is open
        self.fault: tuple[int, int, int] = (0, 0, 0)  # trap number, error code, address for frames
        self.cpu_time = 0  # ns of the virtual or host clock, for CLOCK_THREAD_CPUTIME_ID
        self.dead = False

    def read_word(self, address: int) -> int:
        """Read an unsigned long of the program; GuestFault."""
        return int(self.space.unpack(self.process.abi.word, address)[0])

    def write_word(self, address: int, value: int) -> None:
        """Write an unsigned long, cut to its width; GuestFault."""
        abi = self.process.abi
        self.space.view(address, abi.word.size, WRITE)[:] = abi.word.pack(value & (1 << abi.bits) - 1)

    def reset_for_exec(self, comm: bytes) -> None:
        """Forget what execve(2) forgets; mask and pending signals stay."""
        self.stack_sp = self.stack_size = self.clear_tid = self.robust_list = 0
        self.saved_mask = self.interrupted = None
        self.comm = comm

    def on_stack(self, sp: int) -> bool:
        """Tell whether a stack pointer is inside the alternate signal stack."""
        return self.stack_sp < sp <= self.stack_sp + self.stack_size

    def stack_flags_now(self, sp: int) -> int:
        """Return SS_DISABLE (2), SS_ONSTACK (1) or 0, as sigaltstack(2) reports."""
        if not self.stack_size:
            return 2
        return int(self.on_stack(sp))

    def restore_stack(self, sp: int, flags: int, size: int) -> None:
        """Set the alternate stack again when a handler returns; nonsense is ignored as the kernel does."""
        if flags & 2:
            self.stack_sp = self.stack_size = 0
        elif size >= MINSIGSTKSZ:
            self.stack_sp, self.stack_size = sp, size

    def __repr__(self) -> str:
        """Show id and state."""
        return f"<Task {self.tid} {'waits' if self.call else 'runs'}>"
