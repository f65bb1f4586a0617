"""Host memory calls: reserve a window, map into it, release parts of it.

The only module that knows the host's `mmap` and `sigaction` constants (Linux, the same on x86-64, AArch64 and POWER).
Addresses are integers; every function raises OSError with the host's error number.
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC = 0, 1, 2, 4
MAP_SHARED, MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS, MAP_NORESERVE = 1, 2, 0x10, 0x20, 0x4000
MREMAP_MAYMOVE, MREMAP_FIXED = 1, 2
MADV_DONTNEED, MADV_DONTDUMP = 4, 16
FAILED = ctypes.c_void_p(-1).value
HOST_PAGE = os.sysconf("SC_PAGESIZE")
MANY_PAGES = 1 << 16                  # more are not looked at one by one
FILL_PIECE = 1 << 21                  # bytes that `fill` maps again and again
PAGEMAP_SCAN, SCAN_BYTES, SCAN_RANGES = 0xC0606610, 96, 1024
PAGE_IS_HELD = 1 << 3 | 1 << 4        # PAGE_IS_PRESENT, PAGE_IS_SWAPPED

_libc = ctypes.CDLL(None, use_errno=True)
_size, _pointer, _int = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int
_mmap = _libc.mmap
_mmap.restype, _mmap.argtypes = _pointer, (_pointer, _size, _int, _int, _int, ctypes.c_int64)
_munmap = _libc.munmap
_munmap.restype, _munmap.argtypes = _int, (_pointer, _size)
_mremap = _libc.mremap
_mremap.restype, _mremap.argtypes = _pointer, (_pointer, _size, _size, _int, _pointer)
_madvise = _libc.madvise
_madvise.restype, _madvise.argtypes = _int, (_pointer, _size, _int)
_libc.ioctl.argtypes = (_int, ctypes.c_ulong, _pointer)
_msync = _libc.msync
_msync.restype, _msync.argtypes = _int, (_pointer, _size, _int)
_mprotect = _libc.mprotect
_mprotect.restype, _mprotect.argtypes = _int, (_pointer, _size, _int)


SIGBUS = 7
SA_SIGINFO, SA_NODEFER, SA_RESTART = 4, 0x40000000, 0x10000000
SI_ADDR = 16                          # offset of the address in a siginfo_t of 64 bits


class _Action(ctypes.Structure):
    """The C library's struct sigaction."""

    _fields_ = (("handler", _pointer), ("mask", ctypes.c_uint64 * 16), ("flags", _int), ("restorer", _pointer))


_Handler = ctypes.CFUNCTYPE(None, _int, _pointer, _pointer)


def _fail() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def mmap(address: int, length: int, prot: int, flags: int, fd: int = -1, offset: int = 0) -> int:
    """Map memory and return its host address (address 0: anywhere)."""
    result = _mmap(address, length, prot, flags, fd, offset)
    if result is None or result == FAILED:
        raise _fail()
    return int(result)


def reserve(address: int, length: int, *, near: int = 0) -> int:
    """Reserve inaccessible address space: at `address` if it is not 0, replacing what is there; else `near` if there is room."""
    fixed, address = (MAP_FIXED, address) if address else (0, near)
    flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | fixed
    return mmap(address, length, PROT_NONE, flags)


def anonymous(address: int, length: int, *, shared: bool = False) -> int:
    """Map zeroed readable and writable memory; at `address` if it is not 0."""
    kind = MAP_SHARED if shared else MAP_PRIVATE | MAP_NORESERVE
    fixed = MAP_FIXED if address else 0
    return mmap(address, length, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS | fixed)


def fill(address: int, length: int, value: int) -> None:
    """Map writable memory at `address` that is full of one byte value and takes space only where it is written to."""
    if value == 0:
        anonymous(address, length)
        return
    piece = min(length, FILL_PIECE)
    try:
        fd = os.memfd_create("fill")
    except OSError:                       # no descriptor is free
        anonymous(address, length)
        ctypes.memset(address, value, length)
        return
    try:
        os.write(fd, bytes((value,)) * piece)
        for at in range(address, address + length, piece):
            part = min(piece, address + length - at)
            mmap(at, part, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, fd)
    finally:
        os.close(fd)


def unmap(address: int, length: int) -> None:
    """Return memory to the host."""
    if _munmap(address, length):
        raise _fail()


def remap(old: int, old_length: int, new_length: int, new: int = 0) -> int:
    """Resize in place (`new` 0) or move to `new` a mapping."""
    flags = MREMAP_MAYMOVE | MREMAP_FIXED if new else 0
    result = _mremap(old, old_length, new_length, flags, new)
    if result is None or result == FAILED:
        raise _fail()
    return int(result)


def mirror(source: int, length: int, target: int) -> None:
    """Show the memory of a shared mapping at `target` too (mremap(2): an old length of 0 duplicates)."""
    result = _mremap(source, 0, length, MREMAP_MAYMOVE | MREMAP_FIXED, target)
    if result is None or result == FAILED:
        raise _fail()


def advise(address: int, length: int, advice: int) -> None:
    """madvise(2)."""
    if _madvise(address, length, advice):
        raise _fail()


def resident(address: int, length: int) -> list[int]:
    """Return which pages of a private anonymous mapping, by number, are in memory (or swapped out); the others are zeros."""
    count = length // HOST_PAGE
    with open("/proc/self/pagemap", "rb", buffering=0) as file:       # Documentation/admin-guide/mm/pagemap.rst
        if count > MANY_PAGES and (found := _scan(file.fileno(), address, count)) is not None:
            return found
        file.seek(address // HOST_PAGE * 8)
        out: list[int] = []
        for first in range(0, count, MANY_PAGES):
            entries = memoryview(file.read(min(MANY_PAGES, count - first) * 8)).cast("Q")
            out += [first + i for i, entry in enumerate(entries) if entry >> 62]       # present or swapped
    return out


def copied(address: int, length: int) -> int:
    """Return how many pages of a private mapping of a file are this process's own by now: they have been written."""
    with open("/proc/self/pagemap", "rb", buffering=0) as file:
        file.seek(address // HOST_PAGE * 8)
        entries = memoryview(file.read(length // HOST_PAGE * 8)).cast("Q")
    return sum(entry >> 61 in (2, 4) for entry in entries)            # swapped out or present, and none of a file's


def _scan(pagemap: int, address: int, count: int) -> list[int] | None:
    """Do the same for many pages in a time that depends on those found; None where the host cannot (before Linux 6.7)."""
    out: list[int] = []
    ranges = (ctypes.c_uint64 * (3 * SCAN_RANGES))()                  # start, end, categories each
    start, end = address, address + count * HOST_PAGE
    while start < end:
        words = (SCAN_BYTES, 0, start, end, 0, ctypes.addressof(ranges), SCAN_RANGES, 0, 0, 0, PAGE_IS_HELD, PAGE_IS_HELD)
        argument = (ctypes.c_uint64 * len(words))(*words)
        found = _libc.ioctl(pagemap, PAGEMAP_SCAN, argument)
        if found < 0:
            return None
        for i in range(found):
            out += range((ranges[3 * i] - address) // HOST_PAGE, (ranges[3 * i + 1] - address) // HOST_PAGE)
        start = argument[4]
    return out


def sync(address: int, length: int, flags: int) -> None:
    """msync(2)."""
    if _msync(address, length, flags):
        raise _fail()


def protect(address: int, length: int, prot: int) -> None:
    """mprotect(2)."""
    if _mprotect(address, length, prot):
        raise _fail()


def survive_bus_errors(start: int, end: int, lost: Callable[[int], None]) -> object:
    """Give the host addresses from `start` up to `end` a zero page where a file ends before its mapping does.

    `lost` is told each such address. It runs inside the access: it may note something, no more. The signal comes from
    native code, or from a copy that Python makes of guest memory; both can be continued. Elsewhere SIGBUS ends xemu.
    The handler lives as long as the object returned.
    """
    def caught(_number: int, info: int, _context: int) -> None:
        address = ctypes.c_uint64.from_address(info + SI_ADDR).value
        try:
            if start <= address < end:
                anonymous(address & -HOST_PAGE, HOST_PAGE)
                lost(address)
                return
        except OSError:                               # no memory for the page: the access would fault for ever
            pass
        _libc.sigaction(SIGBUS, ctypes.byref(_Action()), None)

    handler = _Handler(caught)
    action = _Action(ctypes.cast(handler, _pointer).value, flags=SA_SIGINFO | SA_NODEFER)
    if _libc.sigaction(SIGBUS, ctypes.byref(action), None):
        raise _fail()
    return handler


def handle_natively(number: int, handler: int) -> None:
    """Let native code at `handler` handle a signal."""
    action = _Action(handler, flags=SA_SIGINFO | SA_RESTART)
    if _libc.sigaction(number, ctypes.byref(action), None):
        raise _fail()
