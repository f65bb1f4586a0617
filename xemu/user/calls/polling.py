"""Waiting for descriptors: poll, select, epoll. poll(2), select(2), epoll(7)."""

from __future__ import annotations

import os
from errno import EINVAL
from typing import TYPE_CHECKING, Any

from xemu.core.memory import READ, WRITE
from xemu.user import host
from xemu.user.calls.signals import with_mask
from xemu.user.calls.times import read_time, write_time
from xemu.user.clock import SECOND
from xemu.user.descriptors import STREAM, Descriptor
from xemu.user.rows import call
from xemu.user.task import Interrupted, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from xemu.user.task import Task

MAX_POLL = 65536
MS = 1_000_000
IN_EVENTS, OUT_EVENTS, EXCEPT_EVENTS = 1 | 16 | 8 | 64 | 128, 4 | 8 | 256 | 512, 2
EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD = 1, 2, 3


def _restore_mask(task: Task) -> None:
    """Put the mask back after a call that changed it and did not wait."""
    if task.saved_mask is not None:
        task.blocked, task.saved_mask = task.saved_mask, None


def _use_mask(task: Task, address: int, size: int) -> None:
    if not address:
        return
    if size != 8:
        raise OSError(EINVAL, "sigset size")
    with_mask(task, task.process.abi.bitmap(task.space.view(address, 8, READ)))


def _until(task: Task, attempt: Callable[[], int], descriptors: list[tuple[int, int]], limit: int | None,
           finish: Callable[[int | None], None] | None = None) -> Any:
    """Try, then wait for descriptors and try again until `limit` ns have passed."""
    clock = task.process.clock
    deadline = None if limit is None else clock.monotonic() + limit
    try:
        result = attempt()
    except BaseException:
        _restore_mask(task)
        raise
    signal_waits = task.saved_mask is not None and task.process.signals.next_for(task, peek=True)
    if result or (limit == 0 and not signal_waits):
        if finish:
            finish(deadline)
        _restore_mask(task)
        return result

    def waiting() -> Generator[Wait, Wait, int]:
        try:
            while True:
                wait = yield Wait(descriptors, deadline)
                found = attempt()
                if found or wait.timed_out:
                    return found
        except Interrupted:
            if finish:
                finish(deadline)
            raise
        finally:
            if finish and task.interrupted is None:
                finish(deadline)

    return waiting()


# --- poll ---------------------------------------------------------------------------------------


def _poll(task: Task, address: int, count: int, limit: int | None, finish: Any = None) -> Any:
    if count > MAX_POLL:
        return -EINVAL
    view = task.space.view(address, 8 * count, READ | WRITE) if count else memoryview(bytearray())
    codes = task.process.abi.layouts["pollfd"].struct
    wanted = list(codes.iter_unpack(view))
    table = task.fds.table
    hosts = []
    for fd, events, _ in wanted:
        entry = table.get(fd)
        hosts.append((entry.host if entry else -1, events if entry else 0))

    def attempt() -> int:
        results = host.poll_results(hosts) if hosts else []
        ready = 0
        for index, ((fd, events, _), revents) in enumerate(zip(wanted, results, strict=True)):
            if fd >= 0 and hosts[index][0] < 0:
                revents = host.POLLNVAL  # noqa: PLW2901
            ready += bool(revents)
            codes.pack_into(view, 8 * index, fd, events, revents)
        return ready

    return _until(task, attempt, [pair for pair in hosts if pair[0] >= 0], limit, finish)


@call("poll out:pollfds uint int", restart=False)
def poll(task: Task, address: int, count: int, timeout: int) -> Any:
    """poll(2)."""
    return _poll(task, address, count, None if timeout < 0 else timeout * MS)


def _write_left(task: Task, address: int, layout: str, scale: int = 1) -> Callable[[int | None], None]:
    """Return what writes the time left back, as the raw ppoll and pselect do."""

    def write(deadline: int | None) -> None:
        if deadline is not None:
            left = max(deadline - task.process.clock.monotonic(), 0)
            try:
                write_time(task, address, layout, left, scale)
            except Exception:  # noqa: BLE001 - the kernel ignores a read-only timeout too
                return

    return write


def _ppoll(name: str, layout: str) -> None:
    @call(f"{name} out:pollfds uint struct:{layout} sigset size", restart=False)
    def run(task: Task, address: int, count: int, timeout: int, mask: int, size: int) -> Any:
        limit = read_time(task, timeout, layout) if timeout else None
        _use_mask(task, mask, size)
        try:
            return _poll(task, address, count, limit, _write_left(task, timeout, layout) if timeout else None)
        except BaseException:
            _restore_mask(task)
            raise


_ppoll("ppoll", "timespec")
_ppoll("ppoll_time64", "timespec64")


# --- select -------------------------------------------------------------------------------------


def _select(task: Task, count: int, sets: tuple[int, int, int], limit: int | None, finish: Any = None) -> Any:
    if count < 0:
        return -EINVAL
    count = min(count, max([*task.fds.table, 1023]) + 1)
    abi = task.process.abi
    size = (count + abi.bits - 1) // abi.bits * abi.word.size
    views = [task.space.view(address, size, READ | WRITE) if address and size else None for address in sets]
    masks = [abi.bitmap(view) & ((1 << count) - 1) if view is not None else 0 for view in views]
    wanted: dict[int, int] = {}
    for mask, events in zip(masks, (host.POLLIN, host.POLLOUT, host.POLLPRI), strict=True):
        rest = mask
        while rest:
            low = rest & -rest
            wanted[low.bit_length() - 1] = wanted.get(low.bit_length() - 1, 0) | events
            rest ^= low
    pairs = [(task.fds.host(fd), events) for fd, events in wanted.items()]

    def attempt() -> int:
        results = host.poll_results(pairs) if pairs else []
        found = [0, 0, 0]
        for fd, revents in zip(wanted, results, strict=True):
            for which, events in enumerate((IN_EVENTS, OUT_EVENTS, EXCEPT_EVENTS)):
                if revents & events and masks[which] >> fd & 1:
                    found[which] |= 1 << fd
        for view, bits in zip(views, found, strict=True):
            if view is not None:
                view[:] = abi.bitmap_bytes(bits, size)
        return sum(bits.bit_count() for bits in found)

    return _until(task, attempt, pairs, limit, finish)


@call("_newselect int set set set struct:timeval", restart=False)
@call("select int set set set struct:timeval", restart=False)
def select(task: Task, count: int, read: int, write: int, error: int, timeout: int) -> Any:
    """select(2); writes the time left back."""
    limit = None
    if timeout:
        seconds, micros = task.space.unpack(task.process.abi.layouts["timeval"].struct, timeout)
        if seconds < 0 or micros < 0:
            return -EINVAL
        limit = seconds * SECOND + micros * 1000
    return _select(task, count, (read, write, error), limit, _write_left(task, timeout, "timeval", 1000) if timeout else None)


def _pselect(name: str, layout: str) -> None:
    @call(f"{name} int set set set struct:{layout} ptr", restart=False)
    def run(task: Task, count: int, read: int, write: int, error: int, timeout: int, pair: int) -> Any:
        limit = read_time(task, timeout, layout) if timeout else None
        if pair:
            mask, size = task.read_word(pair), task.read_word(pair + task.process.abi.word.size)
            _use_mask(task, mask, size)
        try:
            return _select(task, count, (read, write, error), limit, _write_left(task, timeout, layout) if timeout else None)
        except BaseException:
            _restore_mask(task)
            raise


@call("old_select struct:old_select", restart=False)
def old_select(task: Task, address: int) -> Any:
    """select(2) with its arguments in memory."""
    word = task.process.abi.word.size
    return select(task, task.space.read_i32(address), *(task.read_word(address + n * word) for n in range(1, 5)))


_pselect("pselect6", "timespec")
_pselect("pselect6_time64", "timespec64")


# --- epoll --------------------------------------------------------------------------------------


@call("epoll_create1 flags:open")
def epoll_create1(task: Task, flags: int) -> int:
    """epoll_create1(2)."""
    flags = task.process.abi.open_flags(flags)
    if flags & ~os.O_CLOEXEC:
        return -EINVAL
    fd = host.epoll_create1(os.O_CLOEXEC)
    return task.fds.add(Descriptor(fd, cloexec=bool(flags), kind=STREAM))


@call("epoll_create int")
def epoll_create(task: Task, size: int) -> int:
    """epoll_create(2)."""
    return epoll_create1(task, 0) if size > 0 else -EINVAL


@call("epoll_ctl fd enum:epoll_ctl fd struct:epoll_event")
def epoll_ctl(task: Task, epoll: int, operation: int, fd: int, event: int) -> int:
    """epoll_ctl(2): the host's epoll holds the guest's data words."""
    events = data = 0
    if operation != EPOLL_CTL_DEL:
        events, data = task.space.unpack(task.process.abi.layouts["epoll_event"].struct, event)
    return host.epoll_ctl(task.fds.host(epoll), operation, task.fds.host(fd), events, data)


def _epoll_wait(task: Task, epoll: int, address: int, limit: int, timeout: int | None) -> Any:
    layout = task.process.abi.layouts["epoll_event"].struct
    if not 0 < limit <= 0x7FFFFFFF // layout.size:
        return -EINVAL
    fd = task.fds.host(epoll)
    view = task.space.view(address, layout.size * min(limit, 4096), WRITE)

    def attempt() -> int:
        found = host.epoll_wait(fd, min(limit, 4096))
        for index, pair in enumerate(found):
            layout.pack_into(view, index * layout.size, *pair)
        return len(found)

    return _until(task, attempt, [(fd, host.POLLIN)], timeout)


@call("epoll_wait fd out:epoll_event int int", restart=False)
def epoll_wait(task: Task, epoll: int, address: int, limit: int, timeout: int) -> Any:
    """epoll_wait(2)."""
    return _epoll_wait(task, epoll, address, limit, None if timeout < 0 else timeout * MS)


@call("epoll_pwait fd out:epoll_event int int sigset size", restart=False)
def epoll_pwait(task: Task, epoll: int, address: int, limit: int, timeout: int, mask: int, size: int) -> Any:
    """epoll_pwait(2)."""
    _use_mask(task, mask, size)
    try:
        return _checked(task, _epoll_wait(task, epoll, address, limit, None if timeout < 0 else timeout * MS))
    except BaseException:
        _restore_mask(task)
        raise


@call("epoll_pwait2 fd out:epoll_event int struct:timespec64 sigset size", restart=False)
def epoll_pwait2(task: Task, epoll: int, address: int, limit: int, timeout: int, mask: int, size: int) -> Any:
    """epoll_pwait2(2)."""
    length = read_time(task, timeout, "timespec64") if timeout else None
    _use_mask(task, mask, size)
    try:
        return _checked(task, _epoll_wait(task, epoll, address, limit, length))
    except BaseException:
        _restore_mask(task)
        raise


def _checked(task: Task, result: Any) -> Any:
    if isinstance(result, int):
        _restore_mask(task)
    return result

