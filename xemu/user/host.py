"""Host system calls that Python's `os` does not offer, or offers in a form that retries or hides data.

Every function raises OSError with the host's error number (InterruptedError for EINTR, not retried).
Pointers are host addresses; callers get them only from memory views they have checked.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from ctypes import c_int, c_int64, c_size_t, c_uint, c_void_p, get_errno
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_libc = ctypes.CDLL(None, use_errno=True)
SECOND = 1_000_000_000
POLLIN, POLLPRI, POLLOUT, POLLERR, POLLHUP, POLLNVAL, POLLRDHUP = 1, 2, 4, 8, 16, 32, 0x2000

_X86 = os.uname().machine == "x86_64"
# numbers of calls the C library does not wrap: (x86-64, generic table of AArch64 and newer)
_NUMBERS = {
    "futex": (202, 98), "gettid": (186, 178), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "openat2": (437, 437),
    "close_range": (436, 436), "statx": (332, 291), "renameat2": (316, 276), "faccessat2": (439, 439),
    "io_setup": (206, 0), "getdents64": (217, 61), "mknodat": (259, 33), "linkat": (265, 37), "waitid": (247, 95),
    "sched_getattr": (315, 275), "ioprio_get": (252, 31), "ioprio_set": (251, 30), "kcmp": (312, 272),
}  # fmt: skip


def _function(name: str, *types: Any, result: Any = c_int) -> Callable[..., int]:
    function = getattr(_libc, name)
    function.argtypes, function.restype = types, result

    def checked(*arguments: Any) -> int:
        value = function(*arguments)
        if value == -1:
            number = get_errno()
            raise OSError(number, os.strerror(number))
        return int(value)

    return checked


_syscall = _libc.syscall
_syscall.restype = ctypes.c_long


def syscall(name: str, *arguments: int) -> int:
    """Make a raw system call by name."""
    number = _NUMBERS[name][0 if _X86 else 1]
    value = _syscall(ctypes.c_long(number), *[ctypes.c_long(a) for a in arguments])
    if value == -1:
        error = get_errno()
        raise OSError(error, os.strerror(error))
    return int(value)


_ppoll = _function("ppoll", c_void_p, c_size_t, c_void_p, c_void_p)
_POLLFD = struct.Struct("=ihh")


def poll(descriptors: Iterable[tuple[int, int]], timeout: int | None) -> list[tuple[int, int]]:
    """Wait for (descriptor, events); `timeout` in ns, None for ever; a signal gives an empty answer."""
    pairs = list(descriptors)
    buffer = ctypes.create_string_buffer(b"".join(_POLLFD.pack(fd, events, 0) for fd, events in pairs), 8 * len(pairs) or 1)
    limit = None
    if timeout is not None:
        limit = ctypes.create_string_buffer(struct.pack("=qq", *divmod(max(timeout, 0), SECOND)), 16)
    try:
        count = _ppoll(buffer, len(pairs), limit, None)
    except InterruptedError:
        return []
    if not count:
        return []
    return [(fd, revents) for fd, _, revents in _POLLFD.iter_unpack(buffer.raw[: 8 * len(pairs)]) if revents]


def poll_results(descriptors: list[tuple[int, int]]) -> list[int]:
    """Return the events that are there now, one entry per descriptor (duplicates allowed)."""
    buffer = ctypes.create_string_buffer(b"".join(_POLLFD.pack(fd, events, 0) for fd, events in descriptors))
    zero = ctypes.create_string_buffer(16)
    try:
        _ppoll(buffer, len(descriptors), zero, None)
    except InterruptedError:
        return [0] * len(descriptors)
    return [revents for _, _, revents in _POLLFD.iter_unpack(buffer.raw[: 8 * len(descriptors)])]


_signalfd = _function("signalfd", c_int, c_void_p, c_int)


def signalfd(signals: Iterable[int], fd: int = -1) -> int:
    """Make a descriptor that delivers signals (non-blocking, close on exec)."""
    mask = ctypes.create_string_buffer(mask_of(signals).to_bytes(8, sys.byteorder), 128)
    return _signalfd(fd, mask, os.O_NONBLOCK | os.O_CLOEXEC)


def mask_of(signals: Iterable[int]) -> int:
    """Return the bit mask of signal numbers."""
    mask = 0
    for number in signals:
        mask |= 1 << (number - 1)
    return mask


epoll_create1 = _function("epoll_create1", c_int)
_epoll_ctl = _function("epoll_ctl", c_int, c_int, c_int, c_void_p)
_epoll_wait = _function("epoll_wait", c_int, c_void_p, c_int, c_int)
_EPOLL = struct.Struct("=IQ" if _X86 else "=I4xQ")


def epoll_ctl(epoll: int, operation: int, fd: int, events: int, data: int) -> int:
    """epoll_ctl(2)."""
    return _epoll_ctl(epoll, operation, fd, ctypes.create_string_buffer(_EPOLL.pack(events, data), 16))


def epoll_wait(epoll: int, limit: int) -> list[tuple[int, int]]:
    """Return what is ready now as (events, data)."""
    buffer = ctypes.create_string_buffer(_EPOLL.size * limit)
    try:
        count = _epoll_wait(epoll, buffer, limit, 0)
    except InterruptedError:
        return []
    return list(_EPOLL.iter_unpack(buffer.raw[: count * _EPOLL.size]))


timerfd_create = _function("timerfd_create", c_int, c_int)
_timerfd_settime = _function("timerfd_settime", c_int, c_int, c_void_p, c_void_p)
_timerfd_gettime = _function("timerfd_gettime", c_int, c_void_p)
_ITIMERSPEC = struct.Struct("=qqqq")


def timerfd_settime(fd: int, flags: int, spec: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Set a timer to (interval s, ns, value s, ns); return the old setting."""
    new, old = ctypes.create_string_buffer(_ITIMERSPEC.pack(*spec)), ctypes.create_string_buffer(32)
    _timerfd_settime(fd, flags, new, old)
    return _ITIMERSPEC.unpack(old.raw)


def timerfd_gettime(fd: int) -> tuple[int, int, int, int]:
    """Return (interval s, ns, remaining s, ns)."""
    now = ctypes.create_string_buffer(32)
    _timerfd_gettime(fd, now)
    return _ITIMERSPEC.unpack(now.raw)


FUTEX_WAIT, FUTEX_WAKE = 0, 1


def futex_wait(address: int, value: int, timeout: int) -> int:
    """Sleep on a shared word at a host address while it is `value`, at most `timeout` ns."""
    limit = ctypes.create_string_buffer(struct.pack("=qq", *divmod(timeout, SECOND)))
    return syscall("futex", address, FUTEX_WAIT, value, ctypes.addressof(limit), 0, 0)


def futex_wake(address: int, count: int) -> int:
    """Wake sleepers in other processes on a shared word."""
    return syscall("futex", address, FUTEX_WAKE, count, 0, 0, 0)


ioctl = _function("ioctl", c_int, ctypes.c_ulong, c_void_p)
socket = _function("socket", c_int, c_int, c_int)
socketpair = _function("socketpair", c_int, c_int, c_int, c_void_p)
bind = _function("bind", c_int, c_void_p, c_uint)
connect = _function("connect", c_int, c_void_p, c_uint)
listen = _function("listen", c_int, c_int)
accept4 = _function("accept4", c_int, c_void_p, c_void_p, c_int)
getsockname = _function("getsockname", c_int, c_void_p, c_void_p)
getpeername = _function("getpeername", c_int, c_void_p, c_void_p)
sendto = _function("sendto", c_int, c_void_p, c_size_t, c_int, c_void_p, c_uint, result=ctypes.c_ssize_t)
recvfrom = _function("recvfrom", c_int, c_void_p, c_size_t, c_int, c_void_p, c_void_p, result=ctypes.c_ssize_t)
sendmsg = _function("sendmsg", c_int, c_void_p, c_int, result=ctypes.c_ssize_t)
recvmsg = _function("recvmsg", c_int, c_void_p, c_int, result=ctypes.c_ssize_t)
shutdown = _function("shutdown", c_int, c_int)
getsockopt = _function("getsockopt", c_int, c_int, c_int, c_void_p, c_void_p)
setsockopt = _function("setsockopt", c_int, c_int, c_int, c_void_p, c_uint)
inotify_init1 = _function("inotify_init1", c_int)
inotify_add_watch = _function("inotify_add_watch", c_int, ctypes.c_char_p, c_uint)
inotify_rm_watch = _function("inotify_rm_watch", c_int, c_int)
shmget = _function("shmget", c_int, c_size_t, c_int)
shmat = _function("shmat", c_int, c_void_p, c_int, result=ctypes.c_ssize_t)
shmctl = _function("shmctl", c_int, c_int, c_void_p)
semget = _function("semget", c_int, c_int, c_int)
semop = _function("semop", c_int, c_void_p, c_size_t)
semctl = _function("semctl", c_int, c_int, c_int, ctypes.c_ulong)
msgget = _function("msgget", c_int, c_int)
msgsnd = _function("msgsnd", c_int, c_void_p, c_size_t, c_int)
msgrcv = _function("msgrcv", c_int, c_void_p, c_size_t, ctypes.c_long, c_int, result=ctypes.c_ssize_t)
msgctl = _function("msgctl", c_int, c_int, c_void_p)
tee = _function("tee", c_int, c_int, c_size_t, c_uint, result=ctypes.c_ssize_t)
fallocate = _function("fallocate", c_int, c_int, c_int64, c_int64)
sync_file_range = _function("sync_file_range", c_int, c_int64, c_int64, c_uint)
readahead = _function("readahead", c_int, c_int64, c_size_t, result=ctypes.c_ssize_t)
syncfs = _function("syncfs", c_int)
mount = _function("mount", c_void_p, c_void_p, c_void_p, ctypes.c_ulong, c_void_p)
umount2 = _function("umount2", c_void_p, c_int)
_statfs = _function("statfs", ctypes.c_char_p, c_void_p)
_fstatfs = _function("fstatfs", c_int, c_void_p)
_STATFS = struct.Struct("=qqQQQQQiiqqq32x")


def statfs(target: bytes | int) -> tuple[int, ...]:
    """statfs(2) of a path or descriptor: type bsize blocks bfree bavail files ffree fsid0 fsid1 namelen frsize flags."""
    buffer = ctypes.create_string_buffer(_STATFS.size)
    if isinstance(target, int):
        _fstatfs(target, buffer)
    else:
        _statfs(target, buffer)
    return _STATFS.unpack(buffer.raw)


def sigqueue(pid: int, signal: int, info: bytes) -> int:
    """rt_sigqueueinfo(2) with a host siginfo."""
    buffer = ctypes.create_string_buffer(info, 128)
    return syscall("rt_sigqueueinfo", pid, signal, ctypes.addressof(buffer))


def set_name(name: bytes) -> None:
    """Show the host the guest's name of this process (ps, /proc/PID/comm)."""
    buffer = ctypes.create_string_buffer(name[:15], 16)
    prctl(15, ctypes.addressof(buffer))


_prctl = _function("prctl", c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)


def prctl(option: int, *arguments: int) -> int:
    """prctl(2)."""
    return _prctl(option, *(*arguments, 0, 0, 0, 0)[:4])
