"""Memory: brk, mmap and its relatives. The kernel's mm/ directory decides the error numbers."""

from __future__ import annotations

import os
from errno import EACCES, EBADF, EEXIST, EFAULT, EINVAL, ENODEV, ENOMEM
from typing import TYPE_CHECKING

from xemu.core import hostmem
from xemu.core.memory import EXEC, PAGE, PROTECTION, READ, WRITE
from xemu.user.rows import call

if TYPE_CHECKING:
    from xemu.user.task import Task

MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE, MAP_TYPE = 1, 2, 3, 15
MAP_FIXED, MAP_ANONYMOUS, MAP_GROWSDOWN, MAP_FIXED_NOREPLACE = 0x10, 0x20, 0x100, 0x100000
MREMAP_MAYMOVE, MREMAP_FIXED, MREMAP_DONTUNMAP = 1, 2, 4
PROT_GROWSDOWN = 0x01000000
LOWEST = 0x1000
MADV_DONTNEED, MADV_FREE, MADV_DONTNEED_LOCKED = 4, 8, 24
KNOWN_ADVICE = frozenset((0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25))


def _round(length: int) -> int:
    return (length + PAGE - 1) & -PAGE


@call("brk ptr", "hex")
def brk(task: Task, address: int) -> int:
    """brk(2): the raw call returns the break, changed or not."""
    process, space = task.process, task.space
    if address < process.brk_start:
        return process.brk
    old, new = _round(process.brk), _round(address)
    if new > old:
        if new > process.mmap_top or not space.is_free(old, new - old):
            return process.brk
        space.map(old, new - old, READ | WRITE, path="[heap]")
    elif new < old:
        space.unmap(new, old - new)
    process.brk = address
    return address


def _place(task: Task, address: int, length: int, flags: int) -> int:
    """Choose where a mapping goes; OSError."""
    process, space = task.process, task.space
    top = process.abi.task_size
    if flags & (MAP_FIXED | MAP_FIXED_NOREPLACE):
        if address & (PAGE - 1):
            raise OSError(EINVAL, "address")
        if address + length > top:
            raise OSError(ENOMEM, "address")
        if flags & MAP_FIXED_NOREPLACE and not space.is_free(address, length):
            raise OSError(EEXIST, "address")
        return address
    low = task.process.abi.low_map_flag
    if low and flags & low:
        top = min(top, 1 << 31)
    hint = address & -PAGE
    if hint >= LOWEST and hint + length <= top and space.is_free(hint, length):
        return hint
    found = space.find_free(length, LOWEST, min(process.mmap_top, top))
    if found is None and process.mmap_top < top:
        found = space.find_free(length, process.mmap_top, top)
    if found is None:
        raise OSError(ENOMEM, "no room")
    return found


def map_memory(task: Task, address: int, length: int, prot: int, flags: int, fd: int, offset: int) -> int:
    """mmap(2) with the offset in bytes."""
    kind = flags & MAP_TYPE
    if not length or kind not in (MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE) or offset & (PAGE - 1):
        return -EINVAL
    length = _round(length)
    if length > task.process.abi.task_size:
        return -ENOMEM
    shared = kind != MAP_PRIVATE
    host_fd = -1
    if not flags & MAP_ANONYMOUS:
        host_fd = task.fds.host(fd)
        _check_file(host_fd, prot, shared=shared)
    place = _place(task, address, length, flags)
    if task.process.personality & 0x400000 and prot & READ:  # READ_IMPLIES_EXEC
        prot |= EXEC
    task.space.map(place, length, prot & PROTECTION, fd=host_fd, offset=offset, shared=shared)
    return place


def _check_file(fd: int, prot: int, *, shared: bool) -> None:
    import fcntl

    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    if flags & os.O_PATH:
        raise OSError(EBADF, os.strerror(EBADF))
    mode = flags & os.O_ACCMODE
    if mode == os.O_WRONLY or (shared and prot & WRITE and mode != os.O_RDWR):
        raise OSError(EACCES, os.strerror(EACCES))


@call("mmap2 ptr size flags:prot flags:map fd ulong", "hex")
def mmap2(task: Task, address: int, length: int, prot: int, flags: int, fd: int, page: int) -> int:
    """mmap2(2): the offset counts 4096-byte units."""
    return map_memory(task, address, length, prot, flags, fd, page << 12)


@call("mmap ptr size flags:prot flags:map fd ulong", "hex")
def mmap(task: Task, address: int, length: int, prot: int, flags: int, fd: int, offset: int) -> int:
    """mmap(2)."""
    return map_memory(task, address, length, prot, flags, fd, offset)


@call("munmap ptr size")
def munmap(task: Task, address: int, length: int) -> int:
    """munmap(2)."""
    if address & (PAGE - 1) or not length or address + length > task.process.abi.task_size:
        return -EINVAL
    task.space.unmap(address, length)
    return 0


@call("mprotect ptr size flags:prot")
def mprotect(task: Task, address: int, length: int, prot: int) -> int:
    """mprotect(2)."""
    if address & (PAGE - 1) or prot & ~(PROTECTION | 8 | PROT_GROWSDOWN | PROT_GROWSDOWN << 1):
        return -EINVAL
    if not length:
        return 0
    task.space.protect(address, length, prot & PROTECTION)
    return 0


@call("mremap ptr size size flags:mremap ptr:optional", "hex")
def mremap(task: Task, old: int, old_length: int, new_length: int, flags: int, new: int) -> int:
    """mremap(2)."""
    space, top = task.space, task.process.abi.task_size
    if old & (PAGE - 1) or flags & ~3 or not new_length or (flags & MREMAP_FIXED and not flags & MREMAP_MAYMOVE):
        return -EINVAL
    old_length, new_length = _round(old_length), _round(new_length)
    area = space.area_at(old)
    if area is None:
        return -EFAULT
    if not old_length:
        return -EINVAL  # duplicating shared mappings is not offered
    if flags & MREMAP_FIXED:
        if new & (PAGE - 1) or new + new_length > top or (new < old + old_length and old < new + new_length):
            return -EINVAL
        if old_length > new_length:
            space.unmap(old + new_length, old_length - new_length)
            old_length = new_length
        space.move(old, old_length, new_length, new)
        return new
    if new_length <= old_length:
        if new_length < old_length:
            space.unmap(old + new_length, old_length - new_length)
        return old
    if old + old_length > area.end:
        return -EFAULT
    if old + new_length <= top and space.grow(old, old_length, new_length):
        return old
    if not flags & MREMAP_MAYMOVE:
        return -ENOMEM
    place = _place(task, 0, new_length, 0)
    space.move(old, old_length, new_length, place)
    return place


@call("madvise ptr size enum:madvise")
def madvise(task: Task, address: int, length: int, advice: int) -> int:
    """madvise(2): only discarding has an effect."""
    if address & (PAGE - 1) or advice not in KNOWN_ADVICE:
        return -EINVAL
    if not length:
        return 0
    length = _round(length)
    if address + length > task.process.abi.task_size:
        return -ENOMEM
    if advice in (MADV_DONTNEED, MADV_FREE, MADV_DONTNEED_LOCKED):
        task.space.discard(address, length)
    return 0 if not _has_hole(task, address, length) else -ENOMEM


def _has_hole(task: Task, address: int, length: int) -> bool:
    at, end = address, address + length
    while at < end:
        area = task.space.area_at(at)
        if area is None:
            return True
        at = area.end
    return False


@call("msync ptr size flags:msync")
def msync(task: Task, address: int, length: int, flags: int) -> int:
    """msync(2)."""
    if address & (PAGE - 1) or flags & ~7 or flags & 5 == 5:
        return -EINVAL
    length = _round(length)
    if not length:
        return 0
    if address + length > task.process.abi.task_size or _has_hole(task, address, length):
        return -ENOMEM
    hostmem.sync(task.space.base + address, length, flags)
    return 0


@call("mincore ptr size out:8")
def mincore(task: Task, address: int, length: int, vector: int) -> int:
    """mincore(2): everything mapped is in memory."""
    if address & (PAGE - 1):
        return -EINVAL
    pages = _round(length) >> 12
    if address + (pages << 12) > task.process.abi.task_size or (pages and _has_hole(task, address, pages << 12)):
        return -ENOMEM
    task.space.write(vector, b"\1" * pages)
    return 0


@call("mlock ptr size")
def mlock(task: Task, address: int, length: int) -> int:
    """mlock(2): checked, then nothing to do."""
    start, end = address & -PAGE, _round(address + length)
    return -ENOMEM if end > start and _has_hole(task, start, end - start) else 0


@call("mlock2 ptr size uint")
def mlock2(task: Task, address: int, length: int, flags: int) -> int:
    """mlock2(2)."""
    return -EINVAL if flags & ~1 else mlock(task, address, length)


@call("munlock ptr size")
def munlock(task: Task, address: int, length: int) -> int:
    """munlock(2)."""
    return mlock(task, address, length)


@call("mlockall flags:hex")
def mlockall(task: Task, flags: int) -> int:
    """mlockall(2): nothing to do."""
    return -EINVAL if not flags or flags & ~task.process.abi.lock_flags else 0


@call("munlockall")
def munlockall(_task: Task) -> int:
    """munlockall(2)."""
    return 0


@call("remap_file_pages ptr size int size flags:map")
def remap_file_pages(_task: Task, _address: int, _size: int, _prot: int, _offset: int, _flags: int) -> int:
    """remap_file_pages(2): only for mappings xemu does not track page by page."""
    return -ENODEV
