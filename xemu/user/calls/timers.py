"""Timers that send signals or make descriptors readable. setitimer(2), timer_create(2), timerfd_create(2)."""

from __future__ import annotations

import os
from errno import EINVAL
from typing import TYPE_CHECKING

from xemu.user import host
from xemu.user import signals as sig
from xemu.user.calls.times import nanoseconds_of, read_clock
from xemu.user.clock import SECOND
from xemu.user.descriptors import STREAM, Descriptor
from xemu.user.rows import call
from xemu.user.signals import SigInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.user.process import Process
    from xemu.user.schedule import Timer
    from xemu.user.task import Task

ITIMER_SIGNALS = {0: sig.SIGALRM, 1: sig.SIGVTALRM, 2: sig.SIGPROF}
SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD_ID = 0, 1, 4
TIMER_ABSTIME, TFD_ABSTIME = 1, 1
CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME_ALARM = 0, 1, 7, 8
OVERRUN_MAX = 0x7FFFFFFF


class Periodic:
    """A timer with an interval, on the process' monotonic clock."""

    def __init__(self, process: Process, fire: Callable[[int], None]) -> None:
        """`fire(expirations)` runs when it is due."""
        self.process = process
        self.fire = fire
        self.interval = 0
        self.due = 0
        self._timer: Timer | None = None

    def set(self, due: int, interval: int) -> None:
        """Start for a time of the monotonic clock (0: stop)."""
        self.cancel()
        self.interval, self.due = interval, due
        if due:
            self._timer = self.process.scheduler.at(due, self._expire)

    def cancel(self) -> None:
        """Stop."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self.due = None, 0

    def left(self) -> int:
        """Nanoseconds until it is due, 0 when stopped."""
        return max(self.due - self.process.clock.monotonic(), 1) if self.due else 0

    def _expire(self) -> None:
        times = 1
        if self.interval:
            times += (self.process.clock.monotonic() - self.due) // self.interval
            self.due += times * self.interval
            self._timer = self.process.scheduler.at(self.due, self._expire)
        else:
            self.due = 0
        self.fire(times)


# --- interval timers ----------------------------------------------------------------------------


def _itimer(task: Task, which: int) -> Periodic:
    timers = task.process.interval_timers
    if which not in timers:
        process, number = task.process, ITIMER_SIGNALS[which]
        timers[which] = Periodic(process, lambda _times: process.signals.send(SigInfo(number, sig.SI_KERNEL)))
    return timers[which]  # type: ignore[no-any-return]


def _pack_itimer(task: Task, timer: Periodic) -> bytes:
    layout = task.process.abi.layouts["itimerval"]
    (seconds, rest), (interval, part) = divmod(timer.left(), SECOND), divmod(timer.interval, SECOND)
    return layout.pack(sec=seconds, usec=rest // 1000, interval_sec=interval, interval_usec=part // 1000)


@call("setitimer enum:itimer struct:itimerval struct:itimerval")
def setitimer(task: Task, which: int, new: int, old: int) -> int:
    """setitimer(2); the virtual ones run on the wall clock too."""
    if which not in ITIMER_SIGNALS:
        return -EINVAL
    timer = _itimer(task, which)
    before = _pack_itimer(task, timer)
    due = interval = 0
    if new:
        codes = task.process.abi.layouts["itimerval"].struct
        interval_s, interval_us, seconds, micros = task.space.unpack(codes, new)
        if min(interval_s, seconds) < 0 or not (0 <= interval_us < 1_000_000 and 0 <= micros < 1_000_000):
            return -EINVAL
        length = seconds * SECOND + micros * 1000
        interval = interval_s * SECOND + interval_us * 1000
        due = task.process.clock.monotonic() + length if length else 0
    timer.set(due, interval)
    if old:
        task.space.write(old, before)
    return 0


@call("getitimer enum:itimer struct:itimerval")
def getitimer(task: Task, which: int, address: int) -> int:
    """getitimer(2)."""
    if which not in ITIMER_SIGNALS:
        return -EINVAL
    task.space.write(address, _pack_itimer(task, _itimer(task, which)))
    return 0


@call("alarm uint")
def alarm(task: Task, seconds: int) -> int:
    """alarm(2)."""
    timer = _itimer(task, 0)
    left = timer.left()
    seconds = min(seconds, 0x7FFFFFFF)
    timer.set(task.process.clock.monotonic() + seconds * SECOND if seconds else 0, 0)
    return (left + SECOND - 1) // SECOND


# --- POSIX timers -------------------------------------------------------------------------------


class PosixTimer(Periodic):
    """A timer_create(2) timer."""

    def __init__(self, task: Task, number: int, clock: int, event: tuple[int, int, int, int]) -> None:
        """`event`: value, signal, how to notify, thread."""
        super().__init__(task.process, self._notify)
        self.number = number
        self.clock = clock
        self.value, self.signo, self.how, self.tid = event
        self.overrun = 0

    def _notify(self, times: int) -> None:
        self.overrun = min(times - 1, OVERRUN_MAX)
        if self.how == SIGEV_NONE:
            return
        info = SigInfo(self.signo, sig.SI_TIMER, "timer", self.number, self.overrun, self.value)
        target = self.process.tasks.get(self.tid) if self.how & SIGEV_THREAD_ID else None
        queue = target.pending if target else self.process.signals.pending
        for waiting in queue:
            if waiting.signo == self.signo and waiting.form == "timer" and waiting.values[0] == self.number:
                self.overrun = min(waiting.values[1] + times, OVERRUN_MAX)
                waiting.values = (self.number, self.overrun, self.value)
                return
        self.process.signals.send(info, target)


@call("timer_create enum:clock struct:sigevent out:4")
def timer_create(task: Task, clock: int, event: int, address: int) -> int:
    """timer_create(2)."""
    read_clock(task, clock)
    timers = task.process.posix_timers
    number = next(n for n in range(len(timers) + 1) if n not in timers)
    wanted = (number, sig.SIGALRM, SIGEV_SIGNAL, 0)
    if event:
        wanted = task.space.unpack(task.process.abi.layouts["sigevent"].struct, event)  # type: ignore[assignment]
        how = wanted[2]
        if how not in (SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD_ID) or (how != SIGEV_NONE and not 1 <= wanted[1] <= sig.LAST):
            return -EINVAL
        if how == SIGEV_THREAD_ID and wanted[3] not in task.process.tasks:
            return -EINVAL
    task.space.write_u32(address, number)
    timers[number] = PosixTimer(task, number, clock, wanted)
    return 0


def _posix_timer(task: Task, number: int) -> PosixTimer:
    timer = task.process.posix_timers.get(number)
    if timer is None:
        raise OSError(EINVAL, os.strerror(EINVAL))
    return timer  # type: ignore[no-any-return]


def _pack_spec(task: Task, layout: str, left: int, interval: int) -> bytes:
    (seconds, rest), (interval_s, part) = divmod(left, SECOND), divmod(interval, SECOND)
    return task.process.abi.layouts[layout].pack(sec=seconds, nsec=rest, interval_sec=interval_s, interval_nsec=part)


def _read_spec(task: Task, layout: str, address: int) -> tuple[int, int]:
    """Return (value, interval) in ns; OSError(EINVAL)."""
    interval_s, part, seconds, rest = task.space.unpack(task.process.abi.layouts[layout].struct, address)
    if layout == "itimerspec64":
        part, rest = nanoseconds_of(task, part), nanoseconds_of(task, rest)
    if min(interval_s, seconds) < 0 or not (0 <= part < SECOND and 0 <= rest < SECOND):
        raise OSError(EINVAL, "timer")
    return seconds * SECOND + rest, interval_s * SECOND + part


def _posix_calls(suffix: str, layout: str) -> None:
    set_name, get_name = ("timer_settime" + suffix, "timer_gettime" + suffix)

    @call(f"{set_name} int int struct:{layout} struct:{layout}")
    def set_(task: Task, number: int, flags: int, new: int, old: int) -> int:
        timer = _posix_timer(task, number)
        value, interval = _read_spec(task, layout, new)
        before = _pack_spec(task, layout, timer.left(), timer.interval)
        now = task.process.clock.monotonic()
        if value and flags & TIMER_ABSTIME:
            value = max(value - read_clock(task, timer.clock), 1)
        timer.set(now + value if value else 0, interval)
        if old:
            task.space.write(old, before)
        return 0

    @call(f"{get_name} int struct:{layout}")
    def get(task: Task, number: int, address: int) -> int:
        timer = _posix_timer(task, number)
        task.space.write(address, _pack_spec(task, layout, timer.left(), timer.interval))
        return 0


_posix_calls("", "itimerspec")
_posix_calls("64", "itimerspec64")


@call("timer_getoverrun int")
def timer_getoverrun(task: Task, number: int) -> int:
    """timer_getoverrun(2)."""
    return _posix_timer(task, number).overrun


@call("timer_delete int")
def timer_delete(task: Task, number: int) -> int:
    """timer_delete(2)."""
    _posix_timer(task, number).cancel()
    del task.process.posix_timers[number]
    return 0


# --- timerfd ------------------------------------------------------------------------------------


class VirtualTimerFile:
    """A timerfd under the virtual clock: an eventfd that counts expirations."""

    def __init__(self, process: Process, fd: int, clock: int) -> None:
        """`fd` is our own copy of the eventfd."""
        self.clock = clock
        self.timer = Periodic(process, lambda times: os.eventfd_write(fd, times))


@call("timerfd_create enum:clock flags:open")
def timerfd_create(task: Task, clock: int, flags: int) -> int:
    """timerfd_create(2)."""
    flags = task.process.abi.open_flags(flags)
    if flags & ~(os.O_NONBLOCK | os.O_CLOEXEC):
        return -EINVAL
    cloexec = bool(flags & os.O_CLOEXEC)
    if not task.process.clock.virtual:
        fd = host.timerfd_create(clock, flags | os.O_CLOEXEC)
        return task.fds.add(Descriptor(fd, cloexec=cloexec, kind=STREAM))
    if clock not in (CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME_ALARM, 9):
        return -EINVAL
    fd = os.eventfd(0, os.EFD_CLOEXEC | flags & os.O_NONBLOCK)
    data = VirtualTimerFile(task.process, os.dup(fd), clock)
    return task.fds.add(Descriptor(fd, cloexec=cloexec, kind=STREAM, data=data))


def _timerfd_set(task: Task, fd: int, flags: int, new: int, old: int, layout: str) -> int:
    entry = task.fds.get(fd)
    value, interval = _read_spec(task, layout, new)
    if isinstance(entry.data, VirtualTimerFile):
        timer = entry.data.timer
        before = (timer.left(), timer.interval)
        if value and flags & TFD_ABSTIME:
            value = max(value - read_clock(task, entry.data.clock), 1)
        timer.set(task.process.clock.monotonic() + value if value else 0, interval)
    else:
        spec = (*divmod(interval, SECOND), *divmod(value, SECOND))
        now = host.timerfd_settime(entry.host, flags, spec)
        before = (now[2] * SECOND + now[3], now[0] * SECOND + now[1])
    if old:
        task.space.write(old, _pack_spec(task, layout, *before))
    return 0


def _timerfd_get(task: Task, fd: int, address: int, layout: str) -> int:
    entry = task.fds.get(fd)
    if isinstance(entry.data, VirtualTimerFile):
        pair = (entry.data.timer.left(), entry.data.timer.interval)
    else:
        now = host.timerfd_gettime(entry.host)
        pair = (now[2] * SECOND + now[3], now[0] * SECOND + now[1])
    task.space.write(address, _pack_spec(task, layout, *pair))
    return 0


def _timerfd_calls(suffix: str, layout: str) -> None:
    @call(f"timerfd_settime{suffix} fd int struct:{layout} struct:{layout}")
    def set_(task: Task, fd: int, flags: int, new: int, old: int) -> int:
        return _timerfd_set(task, fd, flags, new, old, layout)

    @call(f"timerfd_gettime{suffix} fd struct:{layout}")
    def get(task: Task, fd: int, address: int) -> int:
        return _timerfd_get(task, fd, address, layout)


_timerfd_calls("", "itimerspec")
_timerfd_calls("64", "itimerspec64")


# --- eventfd ------------------------------------------------------------------------------------


@call("eventfd2 uint flags:eventfd")
def eventfd2(task: Task, value: int, flags: int) -> int:
    """eventfd2(2)."""
    if flags & ~0o2004001:
        return -EINVAL
    fd = os.eventfd(value, flags | os.EFD_CLOEXEC)
    return task.fds.add(Descriptor(fd, cloexec=bool(flags & 0o2000000), kind=STREAM))


@call("eventfd uint")
def eventfd(task: Task, value: int) -> int:
    """eventfd(2)."""
    return eventfd2(task, value, 0)


