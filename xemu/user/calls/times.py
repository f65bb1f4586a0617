"""Clocks, sleeping, and what was used."""

from __future__ import annotations

import os
import resource
from errno import EINVAL, EPERM
from typing import TYPE_CHECKING, Any

from xemu.core.memory import WRITE
from xemu.user.clock import SECOND
from xemu.user.rows import call
from xemu.user.task import Interrupted, Wait

if TYPE_CHECKING:
    from collections.abc import Generator

    from xemu.user.task import Task

CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS, CLOCK_THREAD = 0, 1, 2, 3
TIMER_ABSTIME = 1
MASK32 = 0xFFFFFFFF
EINTR = 4


def write_time(task: Task, address: int, layout: str, nanoseconds: int, scale: int = 1) -> None:
    """Write a timespec or timeval (scale 1000)."""
    codes = task.process.abi.layouts[layout].struct
    seconds, rest = divmod(nanoseconds, SECOND)
    if codes.size == 8:
        seconds = (seconds + (1 << 31)) % (1 << 32) - (1 << 31)
    task.space.view(address, codes.size, WRITE)[:] = codes.pack(seconds, rest // scale)


def read_time(task: Task, address: int, layout: str, scale: int = 1) -> int:
    """Read a timespec or timeval in ns; OSError(EINVAL) if it is not normal."""
    seconds, rest = task.space.unpack(task.process.abi.layouts[layout].struct, address)
    if layout == "timespec64":
        rest = nanoseconds_of(task, rest)
    if seconds < 0 or not 0 <= rest * scale < SECOND:
        raise OSError(EINVAL, "time")
    return seconds * SECOND + rest * scale


def nanoseconds_of(task: Task, value: int) -> int:
    """Return tv_nsec of a 64-bit timespec; for 32-bit programs its upper half is padding."""
    return (value & MASK32) - (value & 0x80000000) * 2 if task.process.abi.bits == 32 else value


def read_clock(task: Task, clock: int) -> int:
    """Read a clock by the guest's number; OSError(EINVAL)."""
    if clock == CLOCK_MONOTONIC:
        return task.process.clock.monotonic()
    if clock == CLOCK_REALTIME:
        return task.process.clock.realtime()
    if clock < 0:
        return task.process.clock.read(_cpu_clock(task, clock))
    return task.process.clock.read(clock)


def _cpu_clock(task: Task, clock: int) -> int:
    """Translate the CPU-time clock of a process or thread."""
    pid = ~(clock >> 3)
    if pid in (0, *task.process.tasks):
        return CLOCK_THREAD if clock & 4 else CLOCK_PROCESS
    return ~task.process.pids.host(pid) << 3 | clock & 7


@call("clock_gettime enum:clock out:timespec")
def clock_gettime(task: Task, clock: int, address: int) -> int:
    """clock_gettime(2)."""
    write_time(task, address, "timespec", read_clock(task, clock))
    return 0


@call("clock_gettime64 enum:clock out:timespec64")
def clock_gettime64(task: Task, clock: int, address: int) -> int:
    """clock_gettime(2) with 64-bit times."""
    write_time(task, address, "timespec64", read_clock(task, clock))
    return 0


def _resolution(name: str, layout: str) -> None:
    @call(f"{name} enum:clock out:{layout}")
    def run(task: Task, clock: int, address: int) -> int:
        value = task.process.clock.resolution(_cpu_clock(task, clock) if clock < 0 else clock)
        if address:
            write_time(task, address, layout, value)
        return 0


_resolution("clock_getres", "timespec")
_resolution("clock_getres_time64", "timespec64")


@call("clock_settime enum:clock struct:timespec")
def clock_settime(task: Task, clock: int, address: int) -> int:
    """clock_settime(2): setting the host's clock is refused."""
    read_time(task, address, "timespec")
    return -EPERM if clock == 0 else -EINVAL


@call("clock_settime64 enum:clock struct:timespec64")
def clock_settime64(task: Task, clock: int, address: int) -> int:
    """clock_settime(2): setting the host's clock is refused."""
    read_time(task, address, "timespec64")
    return -EPERM if clock == 0 else -EINVAL


@call("gettimeofday struct:timeval ptr")
def gettimeofday(task: Task, address: int, zone: int) -> int:
    """gettimeofday(2)."""
    if address:
        write_time(task, address, "timeval", task.process.clock.realtime(), 1000)
    if zone:
        task.space.write(zone, bytes(8))
    return 0


@call("settimeofday struct:timeval ptr")
def settimeofday(_task: Task, _address: int, _zone: int) -> int:
    """settimeofday(2): refused."""
    return -EPERM


@call("adjtimex ptr")
def adjtimex(_task: Task, _address: int) -> int:
    """adjtimex(2): refused."""
    return -EPERM


# --- sleeping -----------------------------------------------------------------------------------


def _sleep(task: Task, deadline: int, remain: int, layout: str) -> Generator[Wait, Wait, int]:
    """Sleep until a time of the monotonic clock; an interruption reports what is left."""
    try:
        while True:
            wait = yield Wait(deadline=deadline)
            if wait.timed_out:
                return 0
    except Interrupted:
        if remain:
            write_time(task, remain, layout, max(deadline - task.process.clock.monotonic(), 0))
        return -EINTR


def _nanosleep(task: Task, wanted: int, remain: int, layout: str) -> Any:
    return _sleep(task, task.process.clock.monotonic() + read_time(task, wanted, layout), remain, layout)


@call("nanosleep struct:timespec struct:timespec", restart=False)
def nanosleep(task: Task, wanted: int, remain: int) -> Any:
    """nanosleep(2)."""
    return _nanosleep(task, wanted, remain, "timespec")


def _clock_nanosleep(name: str, layout: str) -> None:
    @call(f"{name} enum:clock int struct:{layout} struct:{layout}", restart=False)
    def run(task: Task, clock: int, flags: int, wanted: int, remain: int) -> Any:
        if clock == CLOCK_THREAD:
            return -EINVAL
        length = read_time(task, wanted, layout)
        now = read_clock(task, clock)
        if flags & TIMER_ABSTIME:
            length, remain = length - now, 0
        return _sleep(task, task.process.clock.monotonic() + max(length, 0), remain, layout)


_clock_nanosleep("clock_nanosleep", "timespec")
_clock_nanosleep("clock_nanosleep_time64", "timespec64")


# --- use ----------------------------------------------------------------------------------------


def write_usage(task: Task, address: int, who: int) -> None:
    """Write a struct rusage of this process (0), its children (-1) or the thread (1)."""
    layout = task.process.abi.layouts["rusage"]
    u = resource.getrusage(who)
    user, system = u.ru_utime, u.ru_stime
    if task.process.clock.virtual:
        user, system = (task.process.clock.monotonic() / SECOND if who >= 0 else 0.0), 0.0
    task.space.write(address, layout.pack(
        utime=int(user), utime_us=int(user % 1 * 1e6), stime=int(system), stime_us=int(system % 1 * 1e6),
        maxrss=u.ru_maxrss, minflt=u.ru_minflt, majflt=u.ru_majflt, inblock=u.ru_inblock, oublock=u.ru_oublock,
        nvcsw=u.ru_nvcsw & 0x7FFFFFFF, nivcsw=u.ru_nivcsw & 0x7FFFFFFF,
    ))  # fmt: skip


@call("getrusage int struct:rusage")
def getrusage(task: Task, who: int, address: int) -> int:
    """getrusage(2)."""
    if who not in (0, -1, 1):
        return -EINVAL
    write_usage(task, address, who)
    return 0


@call("times struct:tms")
def times(task: Task, address: int) -> int:
    """times(2): ticks of 1/100 s."""
    t = os.times()
    values = (t.user, t.system, t.children_user, t.children_system)
    if task.process.clock.virtual:
        values = (task.process.clock.monotonic() / SECOND, 0.0, 0.0, 0.0)
    if address:
        layout = task.process.abi.layouts["tms"].struct
        task.space.write(address, layout.pack(*(int(v * 100) & 0x7FFFFFFF for v in values)))
    ticks = task.process.clock.monotonic() // 10_000_000
    return ticks & (1 << task.process.abi.bits - 1) - 1


@call("time ptr")
def time_(task: Task, address: int) -> int:
    """time(2)."""
    now = task.process.clock.realtime() // SECOND
    if address:
        task.write_word(address, now)
    return now


@call("stime ptr")
def stime(task: Task, address: int) -> int:
    """stime(2): refused."""
    task.read_word(address)
    return -EPERM


