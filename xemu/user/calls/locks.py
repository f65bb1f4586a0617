"""fcntl and file locks. fcntl(2), flock(2)."""

from __future__ import annotations

import fcntl as host_fcntl
import os
import struct
from errno import EACCES, EAGAIN, EINVAL
from typing import TYPE_CHECKING, Any

from xemu.core.memory import READ, WRITE
from xemu.user.calls.files import duplicate
from xemu.user.rows import call
from xemu.user.task import Interrupted, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from xemu.user.task import Task

(F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_SETOWN, F_GETOWN, F_SETSIG,
 F_GETSIG, F_GETLK64, F_SETLK64, F_SETLKW64, F_SETOWN_EX, F_GETOWN_EX) = range(17)  # fmt: skip
F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW = 36, 37, 38
F_SETLEASE, F_GETLEASE, F_NOTIFY, F_DUPFD_CLOEXEC, F_SETPIPE_SZ, F_GETPIPE_SZ = 1024, 1025, 1026, 1030, 1031, 1032
F_ADD_SEALS, F_GET_SEALS = 1033, 1034
HOST_GETLK, HOST_SETLK, HOST_SETLKW = 5, 6, 7  # 64-bit hosts have one form
FD_CLOEXEC = 1
LOCK_NB = 4
SETTABLE = os.O_APPEND | os.O_NONBLOCK | os.O_ASYNC | os.O_DIRECT | os.O_NOATIME
_HOST_FLOCK = struct.Struct("=hh4xqqi4x")
_LOCKS = {
    F_GETLK: ("flock", HOST_GETLK), F_SETLK: ("flock", HOST_SETLK), F_SETLKW: ("flock", HOST_SETLKW),
    F_GETLK64: ("flock64", HOST_GETLK), F_SETLK64: ("flock64", HOST_SETLK), F_SETLKW64: ("flock64", HOST_SETLKW),
    F_OFD_GETLK: ("flock64", F_OFD_GETLK), F_OFD_SETLK: ("flock64", F_OFD_SETLK), F_OFD_SETLKW: ("flock64", F_OFD_SETLKW),
}  # fmt: skip
_NON_WAITING = {HOST_SETLKW: HOST_SETLK, F_OFD_SETLKW: F_OFD_SETLK}
LOOK_AGAIN = 5_000_000  # ns between tries of a lock while other guest threads run


def _fcntl(task: Task, fd: int, command: int, argument: int) -> Any:
    """fcntl(2): one branch per command."""
    entry = task.fds.get(fd)
    if command in _LOCKS:
        return _lock(task, entry.host, *_LOCKS[command], argument)
    if command in (F_DUPFD, F_DUPFD_CLOEXEC):
        if not 0 <= argument < task.fds.limit:
            return -EINVAL
        return duplicate(task, fd, argument, cloexec=command == F_DUPFD_CLOEXEC)
    if command == F_GETFD:
        return int(entry.cloexec)
    if command == F_SETFD:
        entry.cloexec = bool(argument & FD_CLOEXEC)
        return 0
    if command == F_GETFL:
        return task.process.abi.guest_open_flags(host_fcntl.fcntl(entry.host, F_GETFL))
    if command == F_SETFL:
        return host_fcntl.fcntl(entry.host, F_SETFL, task.process.abi.open_flags(argument) & SETTABLE)
    if command == F_SETOWN:
        pid = argument - (1 << 32) if argument >> 31 else argument
        return host_fcntl.fcntl(entry.host, F_SETOWN_HOST, _sign(pid) * task.process.pids.host(abs(pid)))
    if command == F_GETOWN:
        owner = host_fcntl.fcntl(entry.host, F_GETOWN_HOST)
        return _sign(owner) * task.process.pids.guest(abs(owner))
    if command in (F_SETSIG, F_GETSIG, F_SETLEASE, F_GETLEASE, F_NOTIFY, F_SETPIPE_SZ, F_GETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS):
        return host_fcntl.fcntl(entry.host, command, argument & 0x7FFFFFFF)
    return -EINVAL


F_SETOWN_HOST, F_GETOWN_HOST = 8, 9


def _sign(value: int) -> int:
    return -1 if value < 0 else 1


def _lock(task: Task, fd: int, layout_name: str, command: int, address: int) -> Any:
    layout = task.process.abi.layouts[layout_name]
    lock = layout.unpack(task.space.view(address, layout.size, READ))
    data = _HOST_FLOCK.pack(lock.type, lock.whence, lock.start, lock.len, lock.pid if command == F_OFD_GETLK else 0)
    if command in (HOST_GETLK, F_OFD_GETLK):
        kind, whence, start, length, pid = _HOST_FLOCK.unpack(host_fcntl.fcntl(fd, command, data))
        pid = task.process.pids.guest(pid) if pid > 0 else pid
        result = layout.pack(type=kind, whence=whence, start=start, len=length, pid=pid)
        task.space.view(address, layout.size, WRITE)[:] = result
        return 0
    if command in _NON_WAITING:
        return _take(task, lambda c: host_fcntl.fcntl(fd, c, data), _NON_WAITING[command], command)
    host_fcntl.fcntl(fd, command, data)
    return 0


def _take(task: Task, attempt: Callable[[int], Any], trying: int, waiting: int) -> Any:
    """Take a lock: at once if it is free, else by waiting where nothing else has to run."""
    try:
        attempt(trying)
    except OSError as error:
        if error.errno not in (EAGAIN, EACCES):
            raise
    else:
        return 0
    if len(task.process.tasks) == 1:
        return _take_blocking(task, attempt, waiting)
    return _take_polling(task, attempt, trying)


def _take_blocking(task: Task, attempt: Callable[[int], Any], waiting: int) -> Any:
    try:
        with task.process.signals.interruptible():
            attempt(waiting)
    except InterruptedError:
        return _interrupted()
    return 0


def _interrupted() -> Generator[Wait, Wait, int]:
    wait = Wait()
    wait.woken = True
    yield wait
    raise Interrupted


def _take_polling(task: Task, attempt: Callable[[int], Any], trying: int) -> Generator[Wait, Wait, int]:
    while True:
        yield Wait(deadline=task.process.clock.monotonic() + LOOK_AGAIN)
        try:
            attempt(trying)
        except OSError as error:
            if error.errno not in (EAGAIN, EACCES):
                raise
        else:
            return 0


@call("fcntl64 fd enum:fcntl ulong")
def fcntl64(task: Task, fd: int, command: int, argument: int) -> Any:
    """fcntl64(2)."""
    return _fcntl(task, fd, command, argument)


@call("fcntl fd enum:fcntl ulong")
def fcntl(task: Task, fd: int, command: int, argument: int) -> Any:
    """fcntl(2)."""
    return -EINVAL if command in (F_GETLK64, F_SETLK64, F_SETLKW64) else _fcntl(task, fd, command, argument)


@call("flock fd flags:flock")
def flock(task: Task, fd: int, operation: int) -> Any:
    """flock(2)."""
    host_fd = task.fds.host(fd)
    if operation & LOCK_NB:
        host_fcntl.flock(host_fd, operation)
        return 0
    return _take(task, lambda op: host_fcntl.flock(host_fd, op), operation | LOCK_NB, operation)


