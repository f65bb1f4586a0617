"""Directories: listing, the working directory, roots and mounts, inotify."""

from __future__ import annotations

import ctypes
import os
import struct
from errno import EINVAL, EPERM, ERANGE
from typing import TYPE_CHECKING

from xemu.core.memory import WRITE
from xemu.user import host
from xemu.user.descriptors import STREAM, Descriptor
from xemu.user.paths import PATH_MAX, plain_path
from xemu.user.procfs import Listing
from xemu.user.rows import call

if TYPE_CHECKING:
    from xemu.user.task import Task

_HEAD64 = struct.Struct("=QqHB")  # the host's struct linux_dirent64
DT_DIR, DT_LNK = 4, 10


def _host_entries(task: Task, entry: Descriptor, size: int) -> bytearray:
    """Return getdents64(2) records of a host directory; offsets as a program can have them."""
    data = ctypes.create_string_buffer(size)
    used = host.syscall("getdents64", entry.host, ctypes.addressof(data), size)
    records, at = bytearray(data.raw[:used]), 0
    while task.process.abi.bits == 32 and at < used:
        inode, offset, length, kind = _HEAD64.unpack_from(records, at)
        _HEAD64.pack_into(records, at, inode, entry.file.short_offset(offset), length, kind)
        at += length
    return records


def _made_up(task: Task, listing: Listing, size: int) -> bytes:
    """Return records of a directory of numbers; the place of each is its own, so a program may close what it reads of."""
    numbers = task.process.proc.listing(listing.path) or []
    kind_of_numbers = DT_DIR if listing.path.rstrip(b"/").endswith(b"task") else DT_LNK
    entries = [(0, b".", DT_DIR), (1, b"..", DT_DIR), *((int(name) + 2, name, kind_of_numbers) for name in numbers)]
    records = b""
    for place, name, kind in entries:
        if place < listing.position:
            continue
        length = (_HEAD64.size + len(name) + 8) & -8
        if len(records) + length > size:
            if not records:
                raise OSError(EINVAL, "buffer")
            break
        listing.position = place + 1
        records += (_HEAD64.pack(place + 2, place + 1, length, kind) + name).ljust(length, b"\0")
    return records


def first_entry(task: Task, fd: int) -> tuple[int, int, bytes] | None:
    """Take one entry of a directory: inode, offset of the next, name."""
    entry = task.fds.get(fd)
    if isinstance(entry.data, Listing):
        records = _made_up(task, entry.data, _HEAD64.size + PATH_MAX)
    else:
        records = bytes(_host_entries(task, entry, _HEAD64.size + PATH_MAX))
    if not records:
        return None
    inode, offset, length, _ = _HEAD64.unpack_from(records)
    if isinstance(entry.data, Listing):
        entry.data.position = offset
    else:
        os.lseek(entry.host, entry.file.long_offset(offset), os.SEEK_SET)
    return inode, offset, records[_HEAD64.size : length].split(b"\0", 1)[0]


@call("getdents64 fd out:8 size")
def getdents64(task: Task, fd: int, address: int, size: int) -> int:
    """getdents64(2)."""
    entry = task.fds.get(fd)
    size = min(size, 1 << 20)
    if isinstance(entry.data, Listing):
        data = _in_guest_order(task, _made_up(task, entry.data, size))
        task.space.write(address, data)
        return len(data)
    view = task.space.view(address, size, WRITE) if size else memoryview(bytearray())
    records = _in_guest_order(task, _host_entries(task, entry, size))
    view[: len(records)] = records
    return len(records)


def _in_guest_order(task: Task, records: bytes | bytearray) -> bytes | bytearray:
    """Return records of getdents64(2), which have the same layout everywhere."""
    if not task.process.abi.foreign:
        return records
    result, at, codes = bytearray(records), 0, task.process.abi.layouts["dirent64"].struct
    while at < len(records):
        head = _HEAD64.unpack_from(records, at)
        codes.pack_into(result, at, *head)
        at += head[2]
    return result


@call("getdents fd out:8 size")
def getdents(task: Task, fd: int, address: int, size: int) -> int:
    """getdents(2): the old record of longs; never larger than the 64-bit one, so the same count fits."""
    word = task.process.abi.word
    mask = (1 << task.process.abi.bits) - 1
    entry = task.fds.get(fd)
    size = min(size, 1 << 20)
    listed = isinstance(entry.data, Listing)
    records = bytearray(_made_up(task, entry.data, size)) if listed else _host_entries(task, entry, size)  # type: ignore[arg-type]
    result, at = b"", 0
    while at < len(records):
        inode, offset, length, kind = _HEAD64.unpack_from(records, at)
        name = bytes(records[at + _HEAD64.size : at + length]).split(b"\0", 1)[0]
        total = (2 * word.size + 2 + len(name) + 1 + 1 + word.size - 1) & -word.size
        head = word.pack(inode & mask) + word.pack(offset & mask) + struct.pack(task.process.abi.order + "H", total)
        result += (head + name).ljust(total - 1, b"\0") + bytes((kind,))
        at += length
    task.space.write(address, result)
    return len(result)


@call("getcwd out:8 size")
def getcwd(task: Task, address: int, size: int) -> int:
    """getcwd(2): returns the length with the zero byte."""
    path = os.getcwdb() + b"\0"
    if len(path) > size:
        return -ERANGE
    task.space.write(address, path)
    return len(path)


@call("chdir path")
def chdir(task: Task, path: int) -> int:
    """chdir(2)."""
    os.chdir(plain_path(task, path))
    return 0


@call("fchdir fd")
def fchdir(task: Task, fd: int) -> int:
    """fchdir(2)."""
    os.fchdir(task.fds.host(fd))
    return 0


@call("chroot path")
def chroot(task: Task, path: int) -> int:
    """chroot(2)."""
    task.process.load_all()
    os.chroot(plain_path(task, path))
    return 0


@call("mount path path str flags:hex ptr")
def mount(task: Task, source: int, target: int, kind: int, flags: int, data: int) -> int:
    """mount(2)."""
    texts = [task.space.c_string(a, PATH_MAX) if a else None for a in (source, target, kind, data)]
    return host.mount(texts[0], texts[1], texts[2], flags, texts[3])


@call("umount2 path flags:hex")
def umount2(task: Task, path: int, flags: int) -> int:
    """umount(2)."""
    return host.umount2(plain_path(task, path), flags)


@call("pivot_root path path")
def pivot_root(_task: Task, _new: int, _old: int) -> int:
    """pivot_root(2): not offered."""
    return -EPERM


# --- inotify ------------------------------------------------------------------------------------


@call("inotify_init1 flags:open")
def inotify_init1(task: Task, flags: int) -> int:
    """inotify_init1(2); the events have the same layout everywhere."""
    flags = task.process.abi.open_flags(flags)
    fd = host.inotify_init1(flags | os.O_CLOEXEC)
    return task.fds.add(Descriptor(fd, cloexec=bool(flags & os.O_CLOEXEC), kind=STREAM))


@call("inotify_init")
def inotify_init(task: Task) -> int:
    """inotify_init(2)."""
    return inotify_init1(task, 0)


@call("inotify_add_watch fd path flags:hex")
def inotify_add_watch(task: Task, fd: int, path: int, mask: int) -> int:
    """inotify_add_watch(2)."""
    return host.inotify_add_watch(task.fds.host(fd), plain_path(task, path), mask)


@call("inotify_rm_watch fd int")
def inotify_rm_watch(task: Task, fd: int, watch: int) -> int:
    """inotify_rm_watch(2)."""
    return host.inotify_rm_watch(task.fds.host(fd), watch)


