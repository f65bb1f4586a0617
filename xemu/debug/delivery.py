"""Signals of a process that a debugger has been shown before they are delivered: what is to become of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xemu.user.process import Process
    from xemu.user.signals import SigInfo
    from xemu.user.task import Task

SIGTRAP, SIGSTOP = 5, 19
SIZE = 128               # of siginfo_t


@dataclass(eq=False)
class Shown:
    """A signal that waits for its thread to go on."""

    thread: int
    info: SigInfo
    deliver: bool = True
    decided: bool = False    # the thread has been let go; it may wait for its turn still


class Delivery:
    """The signals of one process that have been shown. Each belongs to the thread that stopped for it, as under ptrace(2)."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.shown: list[Shown] = []

    def of(self, thread: int) -> Shown | None:
        """Return the signal that a thread stands still for."""
        return next((shown for shown in reversed(self.shown) if shown.thread == thread and not shown.decided), None)

    def show(self, task: Task, info: SigInfo) -> None:
        """Keep a signal for a thread until that goes on."""
        pending = self.process.signals.pending
        if info in pending:                          # sent to the process: no other thread takes it now
            pending.remove(info)
            task.pending.insert(0, info)
        self.shown.append(Shown(task.tid, info))

    def decided(self, info: SigInfo) -> bool | None:
        """Return whether a signal is delivered, and forget it; None: it has not been shown."""
        found = next((shown for shown in self.shown if shown.info is info), None)
        if found is None:
            return None
        self.shown.remove(found)
        return found.deliver

    def resume_with(self, thread: int, signal: int) -> None:
        """Say which signal a thread goes on with (0: none): the one it stopped for, or another."""
        shown, task = self.of(thread), self.process.tasks.get(thread)
        if shown is not None:
            shown.deliver, shown.decided = signal == shown.info.signo, True
        if not signal or task is None or (shown is not None and shown.deliver):
            return
        import os

        from xemu.user.signals import SigInfo

        info = SigInfo(signal, 0, "kill", self.process.pids.own(), os.getuid())
        self.shown.append(Shown(thread, info, decided=True))           # no stop for what the debugger itself sends
        self.process.signals.send(info, task)

    def siginfo(self, thread: int, *, stopped: bool) -> bytes:
        """Return the siginfo_t of a thread's signal; of another stop what ptrace(2) makes of it."""
        shown = self.of(thread)
        if shown is not None:
            abi = self.process.abi
            return bytes(shown.info.pack(abi.bits, abi.order))
        number = SIGTRAP if stopped else SIGSTOP
        return number.to_bytes(4, "little" if self.process.abi.order == "<" else "big").ljust(SIZE, b"\0")

    def change(self, thread: int, offset: int, data: bytes) -> bool:
        """Change the siginfo_t that a thread's handler will see; False where no signal waits."""
        shown = self.of(thread)
        if shown is None or offset + len(data) > SIZE:
            return False
        before = self.siginfo(thread, stopped=True)
        shown.info.raw = before[:offset] + data + before[offset + len(data):]
        return True

    def forget(self, *_ignored: Any) -> None:
        """Forget everything: another program runs."""
        self.shown.clear()


__all__ = ["Delivery", "Shown"]
