"""Signals: dispositions, queues, what arrives from the host, default actions. signal(7), sigaction(2).

Most host signals stay blocked and are read with their siginfo from a signalfd; those a terminal sends
(Ctrl-C …) have a tiny Python handler that queues and kicks the engine, so they act at once. No handler does
guest work: schedule.py delivers at an exact instruction.
"""

from __future__ import annotations

import contextlib
import os
import signal
import struct
from collections import deque
from typing import TYPE_CHECKING, Any

from xemu.user import host
from xemu.user.task import ProcessExit

if TYPE_CHECKING:
    from types import FrameType

    from xemu.user.process import Process
    from xemu.user.task import Task

(SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE,
 SIGALRM, SIGTERM, SIGSTKFLT, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGXCPU, SIGXFSZ,
 SIGVTALRM, SIGPROF, SIGWINCH, SIGIO, SIGPWR, SIGSYS) = range(1, 32)  # fmt: skip
LAST, FIRST_RT = 64, 32
SIG_DFL, SIG_IGN = 0, 1
SA_NOCLDSTOP, SA_NOCLDWAIT, SA_SIGINFO = 1, 2, 4
SA_RESTORER, SA_ONSTACK, SA_RESTART, SA_NODEFER, SA_RESETHAND = 0x04000000, 0x08000000, 0x10000000, 0x40000000, 0x80000000
CLD_TRAPPED = 4  # this and the greater codes: the child lives
SI_USER, SI_KERNEL, SI_QUEUE, SI_TIMER, SI_TKILL = 0, 0x80, -1, -2, -6
SEGV_MAPERR, SEGV_ACCERR, BUS_ADRALN, BUS_ADRERR, ILL_ILLOPC, ILL_ILLOPN, TRAP_BRKPT = 1, 2, 1, 2, 1, 2, 1
FPE_INTDIV, FPE_FLTDIV, FPE_FLTOVF, FPE_FLTUND, FPE_FLTRES, FPE_FLTINV = 1, 3, 4, 5, 6, 7

IGNORED = frozenset((SIGCHLD, SIGCONT, SIGURG, SIGWINCH))
STOPS = frozenset((SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU))
CORES = frozenset((SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS))
UNBLOCKABLE = host.mask_of((SIGKILL, SIGSTOP))
HANDLED = (SIGHUP, SIGINT, SIGQUIT, SIGTERM)  # Python handler: they must reach a busy engine at once
MIRRORED = (SIGTSTP, SIGTTIN, SIGTTOU)  # the host must know the guest's disposition (terminal access)
SYNCHRONOUS = (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP)  # left to the host: they could be ours
ALONE = frozenset((SIGKILL, SIGSTOP, 32, 33, *HANDLED, *MIRRORED, *SYNCHRONOUS))
THROUGH_FD = tuple(n for n in range(1, LAST + 1) if n not in ALONE)

_SIGNALFD = struct.Struct("=IiiIIiIIIIiiQQQQHHiQIQ20x")


def name_of(number: int) -> str:
    """Return SIGINT or SIGRT_5."""
    if number < FIRST_RT:
        try:
            return signal.Signals(number).name
        except ValueError:
            pass
    return f"SIGRT_{number - FIRST_RT}"


class SigInfo:
    """A siginfo_t: number, code and the fields of one of its forms."""

    __slots__ = ("code", "errno", "form", "raw", "signo", "values")

    def __init__(self, signo: int, code: int, form: str = "kill", *values: int) -> None:
        """`form`: kill(pid uid) rt(pid uid value) timer(id overrun value) chld(pid uid status utime stime) fault(addr) poll(band fd)."""
        self.signo = signo
        self.code = code
        self.errno = 0
        self.form = form
        self.values = values
        self.raw: bytes | None = None

    def pack(self, bits: int, order: str) -> bytes:
        """Return the 128 bytes the guest sees."""
        if self.raw is not None:
            return self.raw
        word, long = ("I", "i") if bits == 32 else ("Q", "q")
        codes = {
            "kill": "iI", "rt": "iI" + word, "timer": "iI" + word, "chld": "iIi" + ("" if bits == 32 else "4x") + long * 2,
            "fault": word, "poll": long + "i", "sys": word + "iI",
        }[self.form]  # fmt: skip
        head = struct.pack(order + "iii", self.signo, self.errno, self.code)
        if bits == 64:
            head += bytes(4)
        values = [_fit(value, code) for value, code in zip(self.values, codes.replace("4x", ""), strict=False)]
        values += [0] * (len(codes.replace("4x", "")) - len(values))
        return (head + struct.pack(order + codes, *values)).ljust(128, b"\0")


def _fit(value: int, code: str) -> int:
    bits = 32 if code in "iI" else 64
    value &= (1 << bits) - 1
    return value - (1 << bits) if code in "iq" and value >> (bits - 1) else value


class Action:
    """A disposition as the guest set it."""

    __slots__ = ("flags", "handler", "mask", "restorer")

    def __init__(self, handler: int = SIG_DFL, flags: int = 0, mask: int = 0, restorer: int = 0) -> None:
        """Keep the guest's values."""
        self.handler = handler
        self.flags = flags
        self.mask = mask
        self.restorer = restorer


class Signals:
    """The signal state of one guest process."""

    def __init__(self, process: Process) -> None:
        """Start with what the host process inherited: ignored signals stay ignored."""
        self.process = process
        self.actions = [Action() for _ in range(LAST + 1)]
        self.pending: list[SigInfo] = []
        self.caught: deque[int] = deque()
        self.fd = -1
        self.wake = (-1, -1)
        self.in_host_call = False
        self.files: list[tuple[int, Any]] = []  # guest signalfds: (host eventfd, SignalFile)

    # --- the host's side ------------------------------------------------------------------------

    def attach(self) -> None:
        """Take over the host's signals; call once in each host process, on its main thread."""
        for number in (n for n in range(1, SIGSYS + 1) if n not in (SIGKILL, SIGSTOP, SIGPIPE, SIGXFSZ)):
            if signal.getsignal(number) == signal.SIG_IGN and not self.actions[number].handler:
                self.actions[number].handler = SIG_IGN
        for number in HANDLED:
            signal.signal(number, self._catch)
        signal.pthread_sigmask(signal.SIG_BLOCK, THROUGH_FD)
        self.fd = host.signalfd(THROUGH_FD)
        self._make_wake()

    def after_fork(self) -> None:
        """Give a forked child its own wake pipe and empty queues."""
        os.close(self.wake[0])
        os.close(self.wake[1])
        self._make_wake()
        self.pending.clear()
        self.caught.clear()

    def _make_wake(self) -> None:
        self.wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self.wake[1], warn_on_full_buffer=False)

    def _catch(self, number: int, _frame: FrameType | None) -> None:
        """Queue a host signal; the only thing that runs in signal context."""
        self.caught.append(number)
        self.process.scheduler.look()
        if self.in_host_call:
            self.in_host_call = False
            raise InterruptedError(4, os.strerror(4))
        if self.process.scheduler.observer is not None:
            return  # who keeps the history wants the end between two instructions
        if number in HANDLED and self.actions[number].handler == SIG_DFL and not self._blocked_by_all(number):
            self.caught.clear()
            raise ProcessExit(signal=number)  # at once, whatever xemu is doing: Ctrl-C must not wait for a compilation

    def _blocked_by_all(self, number: int) -> bool:
        return all(task.blocked >> (number - 1) & 1 for task in self.process.tasks.values())

    @contextlib.contextmanager
    def interruptible(self) -> Any:
        """Let any signal break a host call that cannot be polled (flock, opening a FIFO): InterruptedError."""
        old = {}
        for number in THROUGH_FD:
            action = self.actions[number]
            if action.handler != SIG_IGN and not (action.handler == SIG_DFL and number in IGNORED):
                old[number] = signal.signal(number, self._catch)
        self.in_host_call = True
        signal.pthread_sigmask(signal.SIG_UNBLOCK, old)
        try:
            if self.process.scheduler.attention and self.has_unblocked():
                raise InterruptedError(4, os.strerror(4))
            yield
        finally:
            self.in_host_call = False
            signal.pthread_sigmask(signal.SIG_BLOCK, THROUGH_FD)
            for number, handler in old.items():
                signal.signal(number, handler)

    def has_unblocked(self) -> bool:
        """Tell whether a signal waits that some thread would take."""
        self.take_from_host()
        return any(self.next_for(task, peek=True) for task in self.process.tasks.values())

    def mirror(self, number: int) -> None:
        """Show the host a disposition it acts on itself: terminal stops, ignored children."""
        handler = self.actions[number].handler
        if number in MIRRORED:
            signal.signal(number, {SIG_DFL: signal.SIG_DFL, SIG_IGN: signal.SIG_IGN}.get(handler, self._catch))
        elif number == SIGCHLD:
            ignored = handler == SIG_IGN or self.actions[SIGCHLD].flags & SA_NOCLDWAIT
            signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)

    def mirror_mask(self, mask: int) -> None:
        """Block the terminal's stop signals in the host as the guest does."""
        blocked = {n for n in MIRRORED if mask >> (n - 1) & 1}
        signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, set(MIRRORED) - blocked)

    def take_from_host(self) -> bool:
        """Move what the host delivered to the guest's queues; True if anything came."""
        came = False
        while self.caught:
            came = True
            self.send(SigInfo(self.caught.popleft(), SI_KERNEL))
        try:
            data = os.read(self.fd, 128 * 16)
        except BlockingIOError:
            return came
        for fields in _SIGNALFD.iter_unpack(data):
            self._take(fields)
        return True

    def drain_wake(self) -> None:
        """Empty the wake pipe."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.wake[0], 4096)

    def _take(self, fields: tuple[int, ...]) -> None:
        signo, errno, code, pid, uid, fd, _tid, band, overrun, _trap, status, integer, pointer, utime, stime, *_ = fields
        if signo == SIGCHLD and code > 0:
            self.process.scheduler.child_changed()
            if pid not in self.process.children and pid not in self.process.reaped:
                return  # xemu's own child: the compiler
            if code >= CLD_TRAPPED and self.actions[SIGCHLD].flags & SA_NOCLDSTOP:
                return
            if code < CLD_TRAPPED:
                self.process.reaped.discard(pid)
            info = SigInfo(signo, code, "chld", self.process.pids.guest(pid), uid, status, utime, stime)
        elif code == SI_QUEUE or code < SI_TKILL:
            info = SigInfo(signo, code, "rt", pid, uid, pointer or integer)
        elif code == SI_TIMER:
            info = SigInfo(signo, code, "timer", 0, overrun, pointer)
        elif signo == SIGIO and code > 0:
            info = SigInfo(signo, code, "poll", band, self.process.guest_fd(fd))
        else:
            info = SigInfo(signo, code, "kill", self.process.pids.guest(pid), uid)
        info.errno = errno
        self.send(info)

    # --- sending --------------------------------------------------------------------------------

    def send(self, info: SigInfo, task: Task | None = None) -> None:
        """Queue a signal for the process or one thread, unless it is ignored."""
        number = info.signo
        if number == SIGCONT:
            self._drop(STOPS)
        elif number in STOPS:
            self._drop((SIGCONT,))
        targets = [task] if task else list(self.process.tasks.values())
        bit = 1 << (number - 1)
        blocked = all((t.blocked | (t.saved_mask or 0)) & bit for t in targets)
        if not blocked and self._is_dropped(number) and not any(t.wait_set & bit for t in targets):
            return
        queue = task.pending if task else self.pending
        if number < FIRST_RT and any(other.signo == number for other in queue):
            return
        queue.append(info)
        for waiting in targets:
            if waiting.wait_set & bit and waiting.wait is not None:
                waiting.wait.woken = True
        if self.files:
            self.update_files()
        self.process.scheduler.attention = self.process.scheduler.changed = True

    def update_files(self) -> None:
        """Make each guest signalfd readable exactly while a signal of its set waits."""
        for fd, file in self.files:
            waits = any(file.mask >> (info.signo - 1) & 1 for info in self._all_pending())
            readable = bool(host.poll(((fd, host.POLLIN),), 0))
            if readable and not waits:
                os.eventfd_read(fd)
            elif waits and not readable:
                os.eventfd_write(fd, 1)

    def _all_pending(self) -> list[SigInfo]:
        return [*self.pending, *(info for task in self.process.tasks.values() for info in task.pending)]

    def _drop(self, numbers: Any) -> None:
        for queue in (self.pending, *(t.pending for t in self.process.tasks.values())):
            queue[:] = [info for info in queue if info.signo not in numbers]

    def is_ignored(self, number: int) -> bool:
        """Tell whether a signal has no effect."""
        handler = self.actions[number].handler
        return handler == SIG_IGN or (handler == SIG_DFL and number in IGNORED)

    def _is_dropped(self, number: int) -> bool:
        """Tell whether nobody will notice a signal; a debugger sees ignored ones, too (ptrace(2))."""
        observer = self.process.scheduler.observer
        return self.is_ignored(number) and not (observer is not None and observer.shows(number))

    def force(self, task: Task, info: SigInfo) -> None:
        """Queue a fault; it cannot be blocked or ignored (then it kills)."""
        action, bit = self.actions[info.signo], 1 << (info.signo - 1)
        if task.blocked & bit or action.handler == SIG_IGN:
            self.actions[info.signo] = Action()
            task.blocked &= ~bit
        task.pending.insert(0, info)
        self.process.scheduler.attention = self.process.scheduler.changed = True

    # --- taking ---------------------------------------------------------------------------------

    def next_for(self, task: Task, *, peek: bool = False, among: int | None = None) -> SigInfo | None:
        """Take (or look at) the next signal a thread should act on; `among`: only those of a set (sigwait)."""
        if not task.pending and not self.pending:
            return None
        allowed = ~task.blocked if among is None else among
        for queue in (task.pending, self.pending):
            best = None
            for info in queue:
                if not allowed >> (info.signo - 1) & 1:
                    continue
                if among is None and self._is_dropped(info.signo):
                    continue
                if best is None or _order(info) < _order(best):
                    best = info
            if best is not None:
                if not peek:
                    queue.remove(best)
                return best
        return None

    def pending_mask(self, task: Task) -> int:
        """Return the signals that wait while blocked (sigpending(2))."""
        waiting = host.mask_of(info.signo for info in (*task.pending, *self.pending))
        return waiting & task.blocked

    def flush_ignored(self, number: int) -> None:
        """Forget queued instances when a signal becomes ignored."""
        if self.is_ignored(number):
            self._drop((number,))

    def reset_for_exec(self) -> None:
        """Handlers become default, ignored signals stay ignored (execve(2))."""
        for number, action in enumerate(self.actions):
            if action.handler != SIG_IGN:
                self.actions[number] = Action()
                if number in MIRRORED or number == SIGCHLD:
                    self.mirror(number)

    def before_native(self, blocked: int) -> None:
        """Give the host the dispositions and mask a native program must inherit."""
        signal.set_wakeup_fd(-1)
        for number in range(1, LAST + 1):
            if number in (SIGKILL, SIGSTOP, 32, 33):
                continue
            ignored = self.actions[number].handler == SIG_IGN
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)
        mask = {n for n in range(1, LAST + 1) if blocked >> (n - 1) & 1}
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def stop(self, number: int) -> None:
        """Stop this host process as the guest's default action says; returns when it is continued."""
        if number == SIGSTOP:
            os.kill(os.getpid(), SIGSTOP)
            return
        old = signal.signal(number, signal.SIG_DFL)
        mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
        os.kill(os.getpid(), number)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(number, old)

    def die(self, number: int) -> None:
        """End this host process by a signal, without a core file."""
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number != SIGKILL:
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
        os.kill(os.getpid(), number)
        os._exit(128 + number)


def _order(info: SigInfo) -> tuple[bool, int]:
    """Faults first, then by number, as Linux picks them."""
    return (info.signo not in SYNCHRONOUS, info.signo)
