"""Guest buffers, and reading and writing what may block: try first, wait in a generator if need be."""

from __future__ import annotations

import os
import stat
from errno import EAGAIN, EINVAL, EOPNOTSUPP, EPIPE, ESPIPE
from typing import TYPE_CHECKING, Any

from xemu.core.memory import READ, GuestFault
from xemu.user import host
from xemu.user.task import Interrupted, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from xemu.user.descriptors import Descriptor
    from xemu.user.task import Task

MAX_IOV = 1024
MAX_COUNT = 0x7FFFF000
NOWAIT = os.RWF_NOWAIT


# --- views of guest buffers ---------------------------------------------------------------------


def buffer(task: Task, address: int, count: int, access: int) -> memoryview:
    """Return a view of a buffer, cut short where it stops being valid (as the kernel copies); GuestFault."""
    count = min(count, MAX_COUNT)
    try:
        return task.space.view(address, count, access)
    except GuestFault as fault:
        good = fault.address - address
        if good <= 0:
            raise
        return task.space.view(address, good, access)


def vector(task: Task, address: int, count: int, access: int) -> list[memoryview]:
    """Return views for an iovec array; OSError(EINVAL), GuestFault."""
    if not 0 <= count <= MAX_IOV:
        raise OSError(EINVAL, os.strerror(EINVAL))
    layout = task.process.abi.layouts["iovec"].struct
    views, room = [], MAX_COUNT
    for base, length in layout.iter_unpack(task.space.view(address, count * layout.size, READ)):
        if length >> task.process.abi.bits - 1:
            raise OSError(EINVAL, os.strerror(EINVAL))
        length = min(length, room)  # noqa: PLW2901 - the kernel transfers no more at once
        room -= length
        if length:
            views.append(task.space.view(base, length, access))
    return views


# --- reading and writing what may block ---------------------------------------------------------


def nonblocking(fd: int) -> bool:
    """Tell whether the open file has O_NONBLOCK."""
    return not os.get_blocking(fd)


def _flips(fd: int) -> bool:
    """Tell whether a file may be made non-blocking for a moment: not a terminal, which others share."""
    mode = os.fstat(fd).st_mode
    return stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode)


def without_blocking(function: Callable[[], int], *fds: int) -> int:
    """Run a host call with sockets and pipes made non-blocking meanwhile."""
    changed = [fd for fd in fds if not nonblocking(fd) and _flips(fd)]
    for fd in changed:
        os.set_blocking(fd, False)
    try:
        return function()
    finally:
        for fd in changed:
            os.set_blocking(fd, True)


def read_stream(task: Task, entry: Descriptor, views: list[memoryview]) -> Any:
    """Read what may block: the result, or a generator that waits."""
    if entry.data is not None and hasattr(entry.data, "mask"):
        return _read_signals(task, entry, views)
    got = try_read(entry, views)
    if got is not None:
        task.process.scheduler.attention = True  # a signal its writer sent before must not come after it
        return got
    if nonblocking(entry.host):
        return -EAGAIN
    return _wait_and_read(task, entry, views)


def _read_signals(task: Task, entry: Descriptor, views: list[memoryview]) -> Any:
    """Read a signalfd."""
    from xemu.user.calls.signals import read_signals

    if not views:
        return -EINVAL
    got = read_signals(task, entry.data, views[0])  # type: ignore[arg-type]
    if got is not None:
        return got
    if nonblocking(entry.host):
        return -EAGAIN

    def waiting() -> Generator[Wait, Wait, int]:
        while True:
            yield Wait(((entry.host, host.POLLIN),))
            again = read_signals(task, entry.data, views[0])  # type: ignore[arg-type]
            if again is not None:
                return again

    return waiting()


def try_read(entry: Descriptor, views: list[memoryview]) -> int | None:
    """Read without waiting; None if there is nothing yet."""
    got = _try(entry, views, host.POLLIN, os.preadv, os.readv)
    if got and entry.file.records is not None:
        put_back(views, entry.file.records.to_guest(b"".join(views)[:got]))
    return got


def try_write(entry: Descriptor, views: list[memoryview]) -> int | None:
    """Write without waiting; None if there is no room."""
    if entry.file.records is not None:
        views = [memoryview(entry.file.records.to_host(b"".join(views)))]
    return _try(entry, views, host.POLLOUT, os.pwritev, os.writev)


def put_back(views: list[memoryview], data: bytes) -> None:
    """Replace what has been read into views."""
    for view in views:
        view[: len(data)] = data[: len(view)]
        data = data[len(view) :]


def _try(
    entry: Descriptor,
    views: list[memoryview],
    events: int,
    at_once: Callable[[int, list[memoryview], int, int], int],
    plain: Callable[[int, list[memoryview]], int],
) -> int | None:
    """Transfer with `at_once`, which can be told not to wait, or with `plain` when `events` say that it need not."""
    fd = entry.host
    if entry.nowait:
        try:
            return at_once(fd, views, -1, NOWAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno not in (EOPNOTSUPP, EINVAL, ESPIPE):
                raise
            entry.nowait = False
    if not nonblocking(fd) and not host.poll(((fd, events),), 0):
        return None
    try:
        return without_blocking(lambda: plain(fd, views), fd)
    except BlockingIOError:
        return None


def _wait_and_read(_task: Task, entry: Descriptor, views: list[memoryview]) -> Generator[Wait, Wait, int]:
    while True:
        yield Wait(((entry.host, host.POLLIN),))
        got = try_read(entry, views)
        if got is not None:
            return got


def write_stream(task: Task, entry: Descriptor, views: list[memoryview]) -> Any:
    """Write what may block: the result, or a generator that waits."""
    total = sum(len(view) for view in views)
    try:
        done = try_write(entry, views)
    except BrokenPipeError:
        task.process.scheduler.attention = True  # SIGPIPE waits in the signalfd
        return -EPIPE
    if done == total:
        return done
    if nonblocking(entry.host):
        return done or -EAGAIN
    return _wait_and_write(task, entry, views, done or 0)


def _wait_and_write(task: Task, entry: Descriptor, views: list[memoryview], done: int) -> Generator[Wait, Wait, int]:
    views = _skip(views, done)
    while views:
        try:
            yield Wait(((entry.host, host.POLLOUT),))
        except Interrupted:
            if done:
                return done
            raise
        try:
            step = try_write(entry, views) or 0
        except BrokenPipeError:
            task.process.scheduler.attention = True
            return done or -EPIPE
        done += step
        views = _skip(views, step)
    return done


def _skip(views: list[memoryview], count: int) -> list[memoryview]:
    rest = []
    for view in views:
        if count >= len(view):
            count -= len(view)
        else:
            rest.append(view[count:])
            count = 0
    return rest


def file_offset(offset: int) -> int:
    """Refuse negative offsets (-1 would mean the file position to the host)."""
    if offset < 0 or offset >> 63:
        raise OSError(EINVAL, os.strerror(EINVAL))
    return offset
