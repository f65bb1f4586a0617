"""Descriptors: open, read, write, seek, duplicate, pipes."""

from __future__ import annotations

import os
import stat
from errno import EBADF, EINVAL, EOPNOTSUPP
from typing import TYPE_CHECKING, Any

from xemu.core.memory import READ, WRITE
from xemu.user import host
from xemu.user.calls.streams import buffer, file_offset, read_stream, vector, write_stream
from xemu.user.descriptors import FILE, STREAM, Descriptor
from xemu.user.paths import AT_FDCWD, path_argument
from xemu.user.procfs import Listing
from xemu.user.rows import call
from xemu.user.task import Interrupted, Wait

if TYPE_CHECKING:
    from collections.abc import Generator

    from xemu.user.task import Task



@call("read fd out:ret size")
def read(task: Task, fd: int, address: int, count: int) -> Any:
    """read(2)."""
    entry = task.fds.table.get(fd)
    if entry is None:
        return -EBADF
    view = buffer(task, address, count, WRITE) if count else memoryview(bytearray())
    if entry.kind == FILE or not entry.blocks():
        return os.readv(entry.host, [view])
    return read_stream(task, entry, [view])


@call("write fd in:2 size")
def write(task: Task, fd: int, address: int, count: int) -> Any:
    """write(2)."""
    entry = task.fds.table.get(fd)
    if entry is None:
        return -EBADF
    view = buffer(task, address, count, READ)
    if entry.kind == FILE or not entry.blocks():
        return os.write(entry.host, view)
    return write_stream(task, entry, [view])


@call("readv fd iov:2 int")
def readv(task: Task, fd: int, address: int, count: int) -> Any:
    """readv(2)."""
    entry = task.fds.get(fd)
    views = vector(task, address, count, WRITE)
    return read_stream(task, entry, views) if entry.blocks() else os.readv(entry.host, views)


@call("writev fd iov:2 int")
def writev(task: Task, fd: int, address: int, count: int) -> Any:
    """writev(2)."""
    entry = task.fds.get(fd)
    views = vector(task, address, count, READ)
    return write_stream(task, entry, views) if entry.blocks() else os.writev(entry.host, views)


@call("pread64 fd out:ret size off64")
def pread64(task: Task, fd: int, address: int, count: int, offset: int) -> int:
    """pread(2)."""
    return os.preadv(task.fds.host(fd), [buffer(task, address, count, WRITE)], file_offset(offset))


@call("pwrite64 fd in:2 size off64")
def pwrite64(task: Task, fd: int, address: int, count: int, offset: int) -> int:
    """pwrite(2)."""
    return os.pwrite(task.fds.host(fd), buffer(task, address, count, READ), file_offset(offset))


def _position(task: Task, low: int, high: int) -> int:
    """Return the offset that two longs hold: on 64-bit machines the first alone does."""
    return (low | high << task.process.abi.bits) & 0xFFFFFFFFFFFFFFFF


@call("preadv fd iov:2 int ulong ulong")
def preadv(task: Task, fd: int, address: int, count: int, low: int, high: int) -> int:
    """preadv(2)."""
    return os.preadv(task.fds.host(fd), vector(task, address, count, WRITE), file_offset(_position(task, low, high)))


@call("pwritev fd iov:2 int ulong ulong")
def pwritev(task: Task, fd: int, address: int, count: int, low: int, high: int) -> int:
    """pwritev(2)."""
    return os.pwritev(task.fds.host(fd), vector(task, address, count, READ), file_offset(_position(task, low, high)))


@call("preadv2 fd iov:2 int ulong ulong int")
def preadv2(task: Task, fd: int, address: int, count: int, low: int, high: int, flags: int) -> Any:
    """preadv2(2)."""
    offset = _position(task, low, high)
    if offset in (0xFFFFFFFFFFFFFFFF, (1 << task.process.abi.bits) - 1):
        if flags:
            return os.preadv(task.fds.host(fd), vector(task, address, count, WRITE), -1, flags)
        return readv(task, fd, address, count)
    return os.preadv(task.fds.host(fd), vector(task, address, count, WRITE), file_offset(offset), flags)


@call("pwritev2 fd iov:2 int ulong ulong int")
def pwritev2(task: Task, fd: int, address: int, count: int, low: int, high: int, flags: int) -> Any:
    """pwritev2(2)."""
    offset = _position(task, low, high)
    if offset in (0xFFFFFFFFFFFFFFFF, (1 << task.process.abi.bits) - 1):
        if flags:
            return os.pwritev(task.fds.host(fd), vector(task, address, count, READ), -1, flags)
        return writev(task, fd, address, count)
    return os.pwritev(task.fds.host(fd), vector(task, address, count, READ), file_offset(offset), flags)


# --- opening ------------------------------------------------------------------------------------


def open_at(task: Task, dirfd: int, address: int, guest_flags: int, mode: int) -> Any:
    """Open by guest path and flags; returns the guest descriptor."""
    process = task.process
    path = path_argument(task, address)
    flags = process.abi.open_flags(guest_flags)
    cloexec = bool(flags & os.O_CLOEXEC)
    dir_fd = None
    if path.startswith(b"/"):
        if path.startswith((b"/proc/", b"/dev/")):
            made = _open_made_up(task, path, cloexec=cloexec)
            if made is not None:
                return made
        path = process.paths.translate(path, follow=not flags & os.O_NOFOLLOW)
    elif dirfd != AT_FDCWD:
        entry = task.fds.get(dirfd)
        if isinstance(entry.data, Listing):
            made = _open_made_up(task, entry.data.path.rstrip(b"/") + b"/" + path, cloexec=cloexec)
            if made is not None:
                return made
        dir_fd = entry.host
    if not flags & (os.O_NONBLOCK | os.O_PATH | os.O_DIRECTORY) and _is_fifo(path, dir_fd):
        return _open_fifo(task, path, flags, mode, dir_fd)
    fd = os.open(path, flags, mode & 0o7777, dir_fd=dir_fd)
    return task.fds.add(Descriptor(fd, cloexec=cloexec))


def _open_made_up(task: Task, path: bytes, *, cloexec: bool) -> int | None:
    """Open a file or directory of /proc that xemu makes up; None for others."""
    proc = task.process.proc
    names = proc.listing(path)
    if names is not None:
        fd = os.open("/proc/self/" + ("task" if path.rstrip(b"/").endswith(b"task") else "fd"), os.O_RDONLY | os.O_DIRECTORY)
        return task.fds.add(Descriptor(fd, cloexec=cloexec, kind=FILE, data=Listing(path)))
    contents = proc.contents(path)
    if contents is None:
        return None
    fd = os.memfd_create("proc")
    os.write(fd, contents)
    os.lseek(fd, 0, os.SEEK_SET)
    return task.fds.add(Descriptor(fd, cloexec=cloexec, kind=FILE))


def _is_fifo(path: bytes, dir_fd: int | None) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path, dir_fd=dir_fd).st_mode)
    except OSError:
        return False


def _open_fifo(task: Task, path: bytes, flags: int, mode: int, dir_fd: int | None) -> Any:
    if len(task.process.tasks) > 1:
        return _open_fifo_polling(task, path, flags, dir_fd)
    try:
        with task.process.signals.interruptible():
            fd = os.open(path, flags, mode & 0o7777, dir_fd=dir_fd)
    except InterruptedError:
        return _interrupted()
    return task.fds.add(Descriptor(fd, cloexec=bool(flags & os.O_CLOEXEC), kind=STREAM))


def _interrupted() -> Generator[Wait, Wait, int]:
    """Be a call that a signal has just interrupted."""
    wait = Wait()
    wait.woken = True
    yield wait
    raise Interrupted


def _open_fifo_polling(task: Task, path: bytes, flags: int, dir_fd: int | None) -> Generator[Wait, Wait, int]:
    """Open a FIFO while other guest threads run: try again until the other side is there."""
    while True:
        try:
            fd = os.open(path, flags | os.O_NONBLOCK, dir_fd=dir_fd)
        except OSError as error:
            if error.errno != 6:
                raise
            yield Wait(deadline=task.process.clock.monotonic() + 10_000_000)
            continue
        os.set_blocking(fd, True)
        return task.fds.add(Descriptor(fd, cloexec=bool(flags & os.O_CLOEXEC), kind=STREAM))


@call("open path flags:open mode:optional")
def open_(task: Task, path: int, flags: int, mode: int) -> Any:
    """open(2)."""
    return open_at(task, AT_FDCWD, path, flags, mode)


@call("openat dirfd path flags:open mode:optional")
def openat(task: Task, dirfd: int, path: int, flags: int, mode: int) -> Any:
    """openat(2)."""
    return open_at(task, dirfd, path, flags, mode)


@call("openat2 dirfd path struct:open_how size")
def openat2(task: Task, dirfd: int, path: int, how: int, size: int) -> Any:
    """openat2(2), without restrictions on resolving."""
    if size < 24:
        return -EINVAL
    flags, mode, resolve = task.space.unpack(task.process.abi.layouts["open_how"].struct, how)
    if resolve:
        return -EOPNOTSUPP
    return open_at(task, dirfd, path, flags, mode)


@call("creat path mode")
def creat(task: Task, path: int, mode: int) -> Any:
    """creat(2)."""
    return open_at(task, AT_FDCWD, path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode)


@call("close fd")
def close(task: Task, fd: int) -> int:
    """close(2)."""
    task.fds.close(fd)
    return 0


@call("close_range uint uint flags:close_range")
def close_range(task: Task, first: int, last: int, flags: int) -> int:
    """close_range(2)."""
    if first > last or flags & ~6:
        return -EINVAL
    for number in [n for n in task.fds.table if first <= n <= last]:
        if flags & 4:  # CLOSE_RANGE_CLOEXEC
            task.fds.table[number].cloexec = True
        else:
            task.fds.close(number)
    return 0


# --- position and size --------------------------------------------------------------------------


@call("lseek fd off enum:whence")
def lseek(task: Task, fd: int, offset: int, whence: int) -> int:
    """lseek(2)."""
    entry = task.fds.get(fd)
    return _seek(entry, offset, whence)


@call("_llseek fd ulong ulong out:8 enum:whence")
def _llseek(task: Task, fd: int, high: int, low: int, result: int, whence: int) -> int:
    """llseek(2)."""
    offset = high << 32 | low
    if offset >> 63:
        offset -= 1 << 64
    entry = task.fds.get(fd)
    view = task.space.view(result, 8, WRITE)
    view[:] = _seek(entry, offset, whence).to_bytes(8, task.space.byteorder)
    return 0


def _seek(entry: Descriptor, offset: int, whence: int) -> int:
    if isinstance(entry.data, Listing):
        entry.data.position = offset
        return offset
    if whence == os.SEEK_SET:
        offset = entry.file.long_offset(offset)
    place = os.lseek(entry.host, offset, whence)
    return entry.file.short_offset(place) if entry.file.is_shortened else place


@call("ftruncate fd off")
def ftruncate(task: Task, fd: int, length: int) -> int:
    """ftruncate(2)."""
    os.ftruncate(task.fds.host(fd), length)
    return 0


@call("ftruncate64 fd off64")
def ftruncate64(task: Task, fd: int, length: int) -> int:
    """ftruncate(2)."""
    os.ftruncate(task.fds.host(fd), length)
    return 0


@call("fallocate fd flags:fallocate off64 off64")
def fallocate(task: Task, fd: int, mode: int, offset: int, length: int) -> int:
    """fallocate(2)."""
    return host.fallocate(task.fds.host(fd), mode, offset, length)


@call("fsync fd")
def fsync(task: Task, fd: int) -> int:
    """fsync(2)."""
    os.fsync(task.fds.host(fd))
    return 0


@call("fdatasync fd")
def fdatasync(task: Task, fd: int) -> int:
    """fdatasync(2)."""
    os.fdatasync(task.fds.host(fd))
    return 0


@call("sync")
def sync(_task: Task) -> int:
    """sync(2)."""
    os.sync()
    return 0


@call("syncfs fd")
def syncfs(task: Task, fd: int) -> int:
    """syncfs(2)."""
    return host.syncfs(task.fds.host(fd))


@call("sync_file_range2 fd flags:hex off64 off64")
def sync_file_range2(task: Task, fd: int, flags: int, offset: int, length: int) -> int:
    """sync_file_range2(2): the argument order where 64-bit arguments start in an even register."""
    return host.sync_file_range(task.fds.host(fd), offset, length, flags)


@call("sync_file_range fd off64 off64 flags:hex")
def sync_file_range(task: Task, fd: int, offset: int, length: int, flags: int) -> int:
    """sync_file_range(2)."""
    return host.sync_file_range(task.fds.host(fd), offset, length, flags)


@call("readahead fd off64 size")
def readahead(task: Task, fd: int, offset: int, count: int) -> int:
    """readahead(2)."""
    return host.readahead(task.fds.host(fd), offset, count)


@call("fadvise64 fd off64 size enum:fadvise")
def fadvise64(task: Task, fd: int, offset: int, length: int, advice: int) -> int:
    """posix_fadvise(2) of a length that fits a long."""
    os.posix_fadvise(task.fds.host(fd), offset, length, advice)
    return 0


@call("fadvise64_64 fd off64 off64 enum:fadvise")
def fadvise64_64(task: Task, fd: int, offset: int, length: int, advice: int) -> int:
    """posix_fadvise(2)."""
    os.posix_fadvise(task.fds.host(fd), offset, length, advice)
    return 0


@call("ppc_fadvise64_64 fd enum:fadvise off64 off64")
@call("arm_fadvise64_64 fd enum:fadvise off64 off64")
def fadvise(task: Task, fd: int, advice: int, offset: int, length: int) -> int:
    """posix_fadvise(2) in the same order."""
    os.posix_fadvise(task.fds.host(fd), offset, length, advice)
    return 0


# --- duplicates and pipes -----------------------------------------------------------------------


def duplicate(task: Task, fd: int, at_least: int = 0, *, cloexec: bool = False) -> int:
    """Duplicate a guest descriptor under the lowest free number."""
    return task.fds.add(task.fds.get(fd).copy(cloexec=cloexec), at_least)


@call("dup fd")
def dup(task: Task, fd: int) -> int:
    """dup(2)."""
    return duplicate(task, fd)


@call("dup2 fd fd")
def dup2(task: Task, old: int, new: int) -> int:
    """dup2(2)."""
    task.fds.get(old)
    return new if old == new else _dup_to(task, old, new, cloexec=False)


@call("dup3 fd fd flags:open")
def dup3(task: Task, old: int, new: int, flags: int) -> int:
    """dup3(2)."""
    host_flags = task.process.abi.open_flags(flags)
    if old == new or host_flags & ~os.O_CLOEXEC:
        return -EINVAL
    return _dup_to(task, old, new, cloexec=bool(host_flags))


def _dup_to(task: Task, old: int, new: int, *, cloexec: bool) -> int:
    entry = task.fds.get(old)
    if not 0 <= new < task.fds.limit:
        return -EBADF
    task.fds.put(new, entry.copy(cloexec=cloexec))
    return new


@call("pipe out:8")
def pipe(task: Task, address: int) -> int:
    """pipe(2)."""
    return pipe2(task, address, 0)


@call("pipe2 out:8 flags:open")
def pipe2(task: Task, address: int, flags: int) -> int:
    """pipe2(2)."""
    view = task.space.view(address, 8, WRITE)
    host_flags = task.process.abi.open_flags(flags)
    ends = os.pipe2(host_flags | os.O_CLOEXEC)
    cloexec = bool(host_flags & os.O_CLOEXEC)
    numbers = [task.fds.add(Descriptor(end, cloexec=cloexec, kind=STREAM)) for end in ends]
    view[:] = b"".join(n.to_bytes(4, task.space.byteorder) for n in numbers)
    return 0


@call("memfd_create str flags:memfd")
def memfd_create(task: Task, name: int, flags: int) -> int:
    """memfd_create(2)."""
    text = task.space.c_string(name, 250)
    fd = os.memfd_create(os.fsdecode(text), flags | os.MFD_CLOEXEC)
    return task.fds.add(Descriptor(fd, cloexec=bool(flags & os.MFD_CLOEXEC), kind=FILE))
