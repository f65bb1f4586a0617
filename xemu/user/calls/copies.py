"""Copies between descriptors inside the host: sendfile, splice, tee, copy_file_range. splice(2)."""

from __future__ import annotations

import os
import stat
from errno import EBADF, EINVAL
from typing import TYPE_CHECKING, Any

from xemu.core.memory import READ, WRITE
from xemu.user import host
from xemu.user.calls.files import readv, writev
from xemu.user.calls.streams import file_offset, nonblocking, without_blocking
from xemu.user.rows import call
from xemu.user.task import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from xemu.user.descriptors import Descriptor
    from xemu.user.task import Task

MAX_COUNT = 0x7FFFF000


# --- copies inside the host ---------------------------------------------------------------------


def _offset_pointer(task: Task, address: int, size: int) -> tuple[int | None, memoryview | None]:
    if not address:
        return None, None
    view = task.space.view(address, size, READ | WRITE)
    return file_offset(int.from_bytes(view, task.space.byteorder)), view


def _ready(entry: Descriptor, events: int) -> bool:
    """Tell whether a copy may go ahead: the descriptor is ready, or does not block."""
    return not entry.blocks() or nonblocking(entry.host) or bool(host.poll(((entry.host, events),), 0))


def _copy_when_ready(source: Descriptor, target: Descriptor, copy: Callable[[], int]) -> Any:
    """Copy inside the host as soon as both sides are ready; a part is enough."""
    waits = [(e, events) for e, events in ((source, host.POLLIN), (target, host.POLLOUT)) if e.blocks() and not nonblocking(e.host)]
    if not waits:
        return copy()

    def attempt() -> int | None:
        if not all(_ready(entry, events) for entry, events in waits):
            return None
        try:
            return without_blocking(copy, source.host, target.host)
        except BlockingIOError:
            return None

    done = attempt()
    if done is not None:
        return done

    def waiting() -> Generator[Wait, Wait, int]:
        while True:
            unready = [(entry.host, events) for entry, events in waits if not _ready(entry, events)]
            yield Wait(unready[:1] or [(target.host, host.POLLOUT)])
            result = attempt()
            if result is not None:
                return result

    return waiting()


def _sendfile(task: Task, out: int, source: int, address: int, count: int, size: int) -> Any:
    target, origin = task.fds.get(out), task.fds.get(source)
    offset, view = _offset_pointer(task, address, size)

    def copy() -> int:
        sent = os.sendfile(target.host, origin.host, offset, min(count, MAX_COUNT))
        if view is not None and offset is not None:
            view[:] = (offset + sent).to_bytes(size, task.space.byteorder)
        return sent

    return _copy_when_ready(origin, target, copy)


@call("sendfile fd fd ptr size")
def sendfile(task: Task, out: int, source: int, offset: int, count: int) -> Any:
    """sendfile(2) with an offset that is a long."""
    return _sendfile(task, out, source, offset, count, task.process.abi.word.size)


@call("sendfile64 fd fd ptr size")
def sendfile64(task: Task, out: int, source: int, offset: int, count: int) -> Any:
    """sendfile(2)."""
    return _sendfile(task, out, source, offset, count, 8)


def _two_offsets(task: Task, source: int, target: int, copy: Any) -> int:
    first, first_view = _offset_pointer(task, source, 8)
    second, second_view = _offset_pointer(task, target, 8)
    done: int = copy(first, second)
    for view, offset in ((first_view, first), (second_view, second)):
        if view is not None and offset is not None:
            view[:] = (offset + done).to_bytes(8, task.space.byteorder)
    return done


@call("splice fd ptr fd ptr size flags:hex")
def splice(task: Task, source: int, source_at: int, target: int, target_at: int, count: int, flags: int) -> Any:
    """splice(2)."""
    origin, goal = task.fds.get(source), task.fds.get(target)

    def copy() -> int:
        def run(first: int | None, second: int | None) -> int:
            return os.splice(origin.host, goal.host, count, first, second, flags)

        return _two_offsets(task, source_at, target_at, run)

    return _copy_when_ready(origin, goal, copy)


@call("tee fd fd size flags:hex")
def tee(task: Task, source: int, target: int, count: int, flags: int) -> Any:
    """tee(2)."""
    origin, goal = task.fds.get(source), task.fds.get(target)
    return _copy_when_ready(origin, goal, lambda: host.tee(origin.host, goal.host, count, flags))


@call("copy_file_range fd ptr fd ptr size uint")
def copy_file_range(task: Task, source: int, source_at: int, target: int, target_at: int, count: int, flags: int) -> int:
    """copy_file_range(2)."""
    if flags:
        return -EINVAL
    origin, goal = task.fds.host(source), task.fds.host(target)
    return _two_offsets(task, source_at, target_at, lambda a, b: os.copy_file_range(origin, goal, count, a, b))


@call("vmsplice fd iov:2 size flags:hex")
def vmsplice(task: Task, fd: int, address: int, count: int, _flags: int) -> Any:
    """vmsplice(2), by copying."""
    entry = task.fds.get(fd)
    if not stat.S_ISFIFO(os.fstat(entry.host).st_mode):
        return -EBADF
    if _access_mode(entry.host) == os.O_RDONLY:
        return readv(task, fd, address, count)
    return writev(task, fd, address, count)


def _access_mode(fd: int) -> int:
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
