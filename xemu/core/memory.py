"""The guest's memory in user mode and on machines without MMU: a window of host memory and a flag byte per page.

Guest address A is host address `space.base + A`. Guest protection lives only in the flag table, which
native code checks before each access; the host maps what it holds readable and writable. Lengths and
addresses are bytes; addresses given to `map`, `unmap` and `protect` are page aligned.

Guests with 32-bit addresses have a window for all of them. Those with 64-bit addresses have one of 2**46 bytes, or of 2**38
where the host refuses that; what lies above is not mapped. Nothing here takes time or memory in proportion to the window.
"""

from __future__ import annotations

import ctypes
import gc
import os
from bisect import bisect_left, bisect_right
from errno import EACCES, EINVAL, ENOMEM
from typing import TYPE_CHECKING, Literal

from xemu.core import hostmem
from xemu.errors import XemuError

if TYPE_CHECKING:
    import struct
    from collections.abc import Callable, Iterator

PAGE = 4096
PAGE_SHIFT = 12
READ, WRITE, EXEC, SLOW, CODE, CLEAN, SHARED = 1, 2, 4, 8, 16, 32, 64
# With 32-bit addresses native code reaches the flag table from the window's base: the flag of page P is at
# base - FLAGS_BELOW + P.
FLAGS_BELOW = 0x201000
# With 64-bit addresses native code refuses those of WINDOW_BITS bits and more, and looks all others up in the flag table.
WINDOW_BITS, SMALL_WINDOW_BITS = 46, 38
LOW = 1 << 36            # host address near which hosts put nothing: half of what they have must stay in one piece
# What native code tests: READ for loads (a SLOW page has it cleared), and for stores this bit, which is set where
# WRITE is and none of SLOW, CODE, CLEAN.
FAST_WRITE = 128
PROTECTION = READ | WRITE | EXEC
MANY = 1 << 16           # pages: flags of more are never gone through in one piece, and not at all where that can be avoided

# _REFUSED[access] maps a flag byte to 1 where that access is not allowed.
_REFUSED = {
    access: bytes(int(flag & access != access) for flag in range(256))
    for access in (0, READ, WRITE, EXEC, READ | WRITE)
}
_IS_CODE = bytes(int(flag & CODE != 0) for flag in range(256))
_ACCESS_NAMES = {READ: "read", WRITE: "write", EXEC: "execute", READ | WRITE: "read and write"}


class GuestFault(Exception):  # noqa: N818 - what the guest did, not an error of ours
    """An access by address that the guest's memory does not allow."""

    def __init__(self, address: int, access: int, *, mapped: bool) -> None:
        """Keep the first bad address, the access (READ, WRITE, EXEC) and whether a page is there."""
        super().__init__(address, access, mapped)
        self.address = address
        self.access = access
        self.mapped = mapped

    def __str__(self) -> str:
        """Say what happened."""
        why = "not allowed" if self.mapped else "not mapped"
        return f"{_ACCESS_NAMES.get(self.access, 'access')} at {self.address:#x}: {why}"


def with_fast_write(flag: int) -> int:
    """Return a flag byte with FAST_WRITE as its other bits say."""
    fast = flag & (WRITE | SLOW | CODE | CLEAN) == WRITE
    return flag & ~FAST_WRITE | (FAST_WRITE if fast else 0)


_CLEANED = bytes(with_fast_write(flag | CLEAN) for flag in range(256))


class Area:
    """One mapping, as a line of /proc/self/maps shows it."""

    __slots__ = ("end", "inode", "may_write", "offset", "path", "prot", "shared", "start")

    def __init__(
        self,
        start: int,
        end: int,
        prot: int,
        *,
        shared: bool = False,
        path: str = "",
        offset: int = 0,
        inode: tuple[int, int] = (0, 0),
        may_write: bool = True,
    ) -> None:
        """Describe the bytes from `start` up to `end`; `may_write`: the host allows writing them."""
        self.start = start
        self.end = end
        self.prot = prot
        self.shared = shared
        self.path = path
        self.offset = offset
        self.inode = inode
        self.may_write = may_write

    def part(self, start: int, end: int) -> Area:
        """Return the piece between two addresses inside this area."""
        offset = self.offset + start - self.start if self.inode != (0, 0) else 0
        return Area(start, end, self.prot, shared=self.shared, path=self.path, offset=offset,
                    inode=self.inode, may_write=self.may_write)  # fmt: skip

    def joins(self, after: Area) -> bool:
        """Tell whether `after` continues this area."""
        if self.end != after.start or self.prot != after.prot or self.shared != after.shared:
            return False
        if self.path != after.path or self.inode != after.inode or self.may_write != after.may_write:
            return False
        if self.inode == (0, 0):
            return not self.shared
        return self.offset + self.end - self.start == after.offset

    def key(self) -> tuple[int, int, int, bool, str, int]:
        """Return what tells this mapping from others."""
        return self.start, self.end, self.prot, self.shared, self.path, self.offset

    def __repr__(self) -> str:
        """Look like a line of /proc/self/maps."""
        rwx = "".join(c if self.prot & bit else "-" for c, bit in (("r", 1), ("w", 2), ("x", 4)))
        kind = "s" if self.shared else "p"
        return f"{self.start:08x}-{self.end:08x} {rwx}{kind} {self.offset:08x} {self.path}"


def _nothing(_address: int, _length: int) -> None:
    pass


class AddressSpace:
    """A guest's memory; see the module text."""

    def __init__(self, bits: int = 32, byteorder: Literal["little", "big"] = "little") -> None:
        """Reserve a window of 2**bits bytes with a guard page on either side, and the flag table below it.

        `byteorder`: the guest's, of the words that are read and written here.
        """
        if hostmem.HOST_PAGE > PAGE:
            raise XemuError(f"this host has pages of {hostmem.HOST_PAGE} bytes; xemu needs 4096")
        self.bits = bits
        self.byteorder = byteorder
        self.limit = 1 << bits
        self.pages = self.limit >> PAGE_SHIFT
        below = FLAGS_BELOW if bits <= 32 else (1 << WINDOW_BITS - PAGE_SHIFT) + PAGE
        self._reserved = below + self.limit + 2 * PAGE
        try:
            self._reservation = hostmem.reserve(0, self._reserved, near=0 if bits <= 32 else LOW)
            self.base = self._reservation + below + PAGE
            # one page more: native code looks one ahead
            self.flags_base = hostmem.anonymous(self.base - below, self.pages + PAGE)
            hostmem.advise(self.flags_base, self.pages + PAGE, hostmem.MADV_DONTDUMP)
            if SMALL_WINDOW_BITS <= bits < WINDOW_BITS:       # native code looks there too: nothing is mapped
                unused = self.flags_base + self.pages + PAGE
                hostmem.protect(unused, self.base - PAGE - unused, hostmem.PROT_READ)
        except OSError as error:
            message = f"the host refuses to reserve 2**{bits} bytes ({error.strerror}); see ulimit -v"
            raise XemuError(message) from None
        self.flags = _memory(self.flags_base, self.pages)
        self.mem = _memory(self.base, self.limit)
        self.code_changed: Callable[[int, int], None] = _nothing
        self.lost: list[int] = []          # addresses touched past the end of a mapped file; they read as zero now
        self.page_lost: Callable[[], None] = lambda: None
        self.mirrors: dict[int, tuple[int, ...]] = {}     # page number -> the other pages that show the same memory
        self.hidden: dict[int, int] = {}      # watched page -> READ where its flag byte hides that (see slowpages.py)
        self.watched: dict[int, int] = {}     # page number -> accesses that a debugger wants to see
        self.rights_changed: Callable[[], None] = lambda: None       # called when flags were set anew while pages are watched
        self.keep: Callable[[int], None] | None = None    # told of each CLEAN page before its first change
        self.wrote: Callable[[int, int], None] | None = None         # told of each range that others than instructions may write
        self.changing: Callable[[int, int], None] | None = None      # told of each range before its mapping changes
        self.seen: Callable[[int, int, int], None] | None = None     # told of accesses by others than instructions to watched pages
        self.alone = False                    # whether no other process sees any of it (machines)
        self._copies: set[tuple[object, ...]] = set()      # … and whose memory is the guest's own since it put them back
        self._stashed: dict[tuple[object, ...], tuple[int, bool]] = {}     # shared mappings that `set_areas` has taken away
        self._guard: object = None
        self._areas: list[Area] = []
        self._starts: list[int] = []

    def close(self) -> None:
        """Give the window back; the object must not be used afterwards."""
        self.mem.release()
        self.flags.release()
        self.__del__()

    def __del__(self) -> None:
        """Give the window back: nothing else would, for the host knows nothing of its owner."""
        reservation, self._reservation = getattr(self, "_reservation", 0), 0
        if reservation:
            hostmem.unmap(reservation, self._reserved)

    # --- mappings -------------------------------------------------------------------------------

    def map(
        self,
        addr: int,
        length: int,
        prot: int,
        *,
        fd: int = -1,
        offset: int = 0,
        shared: bool = False,
        path: str = "",
    ) -> None:
        """Map memory or a file at a fixed place, replacing what was there; OSError as mmap(2).

        `path` is what /proc/self/maps shows; for files it is asked from the host when left out.
        """
        length = self._whole_pages(addr, length)
        self._about_to_change(addr, length)
        if fd < 0:
            self._forget_code(addr, length)
            hostmem.anonymous(self.base + addr, length, shared=shared)
            area = Area(addr, addr + length, prot, shared=shared, path=path)
        else:
            area = self._map_file(addr, length, prot, fd, offset, shared=shared, path=path)
        self._remove_areas(addr, addr + length)
        self._insert(area)
        self._set_flags(addr, length, (prot & PROTECTION) | (SHARED if shared else 0))

    def _map_file(
        self, addr: int, length: int, prot: int, fd: int, offset: int, *, shared: bool, path: str
    ) -> Area:
        status = os.fstat(fd)
        if self._guard is None:
            self._guard = hostmem.survive_bus_errors(self.base, self.base + self.limit, self._page_lost)
        kind = hostmem.MAP_SHARED if shared else hostmem.MAP_PRIVATE | hostmem.MAP_NORESERVE
        kind |= hostmem.MAP_FIXED
        self._forget_code(addr, length)
        may_write = True
        both = hostmem.PROT_READ | hostmem.PROT_WRITE
        try:
            hostmem.mmap(self.base + addr, length, both, kind, fd, offset)
        except OSError as error:
            if error.errno != EACCES or not shared or prot & WRITE:
                raise
            hostmem.mmap(self.base + addr, length, hostmem.PROT_READ, kind, fd, offset)
            may_write = False
        if not path:
            path = os.readlink(f"/proc/self/fd/{fd}")
        inode = (status.st_dev, status.st_ino)
        return Area(addr, addr + length, prot, shared=shared, path=path, offset=offset,
                    inode=inode, may_write=may_write)  # fmt: skip

    def alias(self, addr: int, length: int, of: int, prot: int) -> None:
        """Show the memory at `of` (mapped shared) at `addr` too; stores through either are seen in both, code included."""
        hostmem.mirror(self.base + of, length, self.base + addr)
        self._insert(Area(addr, addr + length, prot, shared=True, path=self._path_of(of)))
        self._set_flags(addr, length, prot & PROTECTION)
        for i in range(length >> PAGE_SHIFT):
            a, b = (addr >> PAGE_SHIFT) + i, (of >> PAGE_SHIFT) + i
            group = {a, b, *self.mirrors.get(b, ())}
            for page in group:
                self.mirrors[page] = tuple(group - {page})

    def _path_of(self, addr: int) -> str:
        area = self.area_at(addr)
        return area.path if area else ""

    def _page_lost(self, address: int) -> None:
        self.lost.append(address - self.base)
        self.page_lost()

    def unmap(self, addr: int, length: int) -> None:
        """Make a range inaccessible; holes in it are fine."""
        length = self._whole_pages(addr, length)
        self._about_to_change(addr, length)
        self._forget_code(addr, length)
        hostmem.reserve(self.base + addr, length)
        self._remove_areas(addr, addr + length)
        self._set_flags(addr, length, 0)

    def protect(self, addr: int, length: int, prot: int) -> None:
        """Change the guest's rights; OSError(ENOMEM) where nothing is mapped, EACCES as mprotect(2)."""
        length = self._whole_pages(addr, length)
        end = addr + length
        inside = list(self._overlapping(addr, end))
        covered = sum(min(a.end, end) - max(a.start, addr) for a in inside)
        if covered != length:
            raise OSError(ENOMEM, os.strerror(ENOMEM))
        if prot & WRITE and not all(a.may_write for a in inside):
            raise OSError(EACCES, os.strerror(EACCES))
        self._about_to_change(addr, length)
        self._forget_code(addr, length)
        pieces = [a.part(max(a.start, addr), min(a.end, end)) for a in inside]
        self._remove_areas(addr, end)
        for piece in pieces:
            piece.prot = prot
            self._insert(piece)
            shared = SHARED if piece.shared else 0
            self._set_flags(piece.start, piece.end - piece.start, (prot & PROTECTION) | shared)

    def move(self, old: int, old_length: int, new_length: int, new: int) -> None:
        """Move a mapping (one area) to `new`, which is replaced, and resize it; OSError as mremap(2)."""
        old_length, new_length = _round(old_length), _round(new_length)
        area = self._one_area(old, old_length)
        self._whole_pages(new, new_length)
        self._about_to_change(old, old_length)
        self._forget_code(old, old_length)
        self.unmap(new, new_length)
        hostmem.remap(self.base + old, old_length, new_length, self.base + new)
        hostmem.reserve(self.base + old, old_length)
        moved = area.part(old, old + min(old_length, new_length))
        moved.start, moved.end = new, new + new_length
        self._remove_areas(old, old + old_length)
        self._set_flags(old, old_length, 0)
        self._insert(moved)
        shared = SHARED if moved.shared else 0
        self._set_flags(new, new_length, (moved.prot & PROTECTION) | shared)

    def grow(self, addr: int, old_length: int, new_length: int) -> bool:
        """Extend a mapping in place if the room after it is free; OSError(EFAULT) if it is not one area."""
        old_length, new_length = _round(old_length), _round(new_length)
        area = self._one_area(addr, old_length)
        end, new_end = addr + old_length, addr + new_length
        if area.end != end or new_end > self.limit or any(True for _ in self._overlapping(end, new_end)):
            return False
        self._about_to_change(end, new_end - end)
        hostmem.unmap(self.base + end, new_end - end)
        try:
            hostmem.remap(self.base + addr, old_length, new_length)
        except OSError:
            hostmem.reserve(self.base + end, new_end - end)
            return False
        area.end = new_end
        shared = SHARED if area.shared else 0
        self._set_flags(end, new_end - end, (area.prot & PROTECTION) | shared)
        return True

    def empty(self, addr: int, length: int) -> None:
        """Fill what is mapped privately in a range with zeros."""
        self._forget_code(addr, length)
        for area in self._overlapping(addr, addr + length):
            if not area.shared:
                start = max(area.start, addr)
                hostmem.anonymous(self.base + start, min(area.end, addr + length) - start)

    def is_own(self, addr: int) -> bool:
        """Tell whether memory is there that nobody outside sees."""
        area = self.area_at(addr)
        return area is not None and (self.alone or not area.shared or area.key() in self._copies)

    def held(self, addr: int, length: int) -> list[int]:
        """Return the pages of a range (by number) that are mapped and may hold something other than zeros."""
        out: list[int] = []
        for area in self._overlapping(addr, addr + length):
            start, end = max(area.start, addr), min(area.end, addr + length)
            if area.inode == (0, 0) and not area.shared:
                out += [(start >> PAGE_SHIFT) + i for i in hostmem.resident(self.base + start, end - start)]
            else:
                out += range(start >> PAGE_SHIFT, end >> PAGE_SHIFT)
        return out

    def page(self, number: int) -> bytes:
        """Return the contents of a mapped page; zeros behind the end of a file."""
        lost = len(self.lost)
        data = bytes(self.mem[number << PAGE_SHIFT:(number + 1) << PAGE_SHIFT])
        del self.lost[lost:]
        return data

    def discard(self, addr: int, length: int) -> None:
        """Drop private pages' contents (MADV_DONTNEED); they read as zero or as the file again."""
        length = self._whole_pages(addr, length)
        self._about_to_change(addr, length)
        self._forget_code(addr, length)
        for area in list(self._overlapping(addr, addr + length)):
            start, end = max(area.start, addr), min(area.end, addr + length)
            hostmem.advise(self.base + start, end - start, hostmem.MADV_DONTNEED)

    def clear(self) -> None:
        """Unmap everything (execve)."""
        self._about_to_change(0, self.limit)
        self._areas.clear()
        self._starts.clear()
        hostmem.reserve(self.base, self.limit)
        hostmem.anonymous(self.flags_base, self.pages)            # a fresh mapping is cheaper than clearing a megabyte

    def set_areas(self, areas: list[Area]) -> None:
        """Map what was mapped at another time: what is new is empty, contents of what was there already stay."""
        before = list(self._areas)
        if [a.key() for a in before] == [a.key() for a in areas]:
            return
        keys, known = {a.key() for a in areas}, {a.key(): a.may_write for a in before}
        for area in before:
            if area.shared and area.key() not in keys:           # it must not lose what it shares: it waits elsewhere
                self._stash(area)
        private, wanted = [a for a in before if not a.shared], [a for a in areas if not a.shared]
        for start, end in _without(private, wanted):
            self._forget_code(start, end - start)
            hostmem.reserve(self.base + start, end - start)
            self._set_flags(start, end - start, 0)
        for start, end in _without(wanted, private):
            hostmem.anonymous(self.base + start, end - start)
        for area in areas:
            if area.shared and area.key() not in known:
                known[area.key()] = self._unstash(area)
        self._areas = [a.part(a.start, a.end) for a in areas]
        self._starts = [a.start for a in areas]
        before_keys = {a.key() for a in before}
        for area in self._areas:
            area.may_write = known.get(area.key(), True)
            if area.key() not in before_keys:
                self._forget_code(area.start, area.end - area.start)
                self._set_flags(area.start, area.end - area.start, (area.prot & PROTECTION) | (SHARED if area.shared else 0))

    def _stash(self, area: Area) -> None:
        length, at = area.end - area.start, self.base + area.start
        self._forget_code(area.start, length)
        place = hostmem.reserve(0, length)
        hostmem.remap(at, length, length, place)
        hostmem.reserve(at, length)
        self._set_flags(area.start, length, 0)
        self._stashed[area.key()] = place, area.may_write

    def _unstash(self, area: Area) -> bool:
        """Put a shared mapping back, or memory in its place; return whether the host lets it be written."""
        length, at = area.end - area.start, self.base + area.start
        if area.key() not in self._stashed:
            hostmem.anonymous(at, length)
            self._copies.add(area.key())
            return True
        place, may_write = self._stashed.pop(area.key())
        hostmem.remap(place, length, length, at)
        return may_write

    def areas(self) -> Iterator[Area]:
        """Yield the mappings by address."""
        return iter(self._areas)

    def area_at(self, addr: int) -> Area | None:
        """Return the mapping that holds an address."""
        index = bisect_right(self._starts, addr) - 1
        if index >= 0 and addr < self._areas[index].end:
            return self._areas[index]
        return None

    def is_free(self, addr: int, length: int) -> bool:
        """Tell whether nothing is mapped in a range."""
        return not any(True for _ in self._overlapping(addr, addr + length))

    def find_free(self, length: int, low: int, high: int, *, top_down: bool = True) -> int | None:
        """Return the address of a free range inside [low, high), or None."""
        length = _round(length)
        areas = self._areas
        if top_down:
            end = high
            for index in range(bisect_left(self._starts, high) - 1, -1, -1):
                area = areas[index]
                if area.end <= end - length:
                    break
                end = min(end, area.start)
                if end - length < low:
                    return None
            return end - length if end - length >= low else None
        start = low
        for area in areas:
            if area.end <= start:
                continue
            if area.start >= start + length:
                break
            start = area.end
        return start if start + length <= high else None

    def _whole_pages(self, addr: int, length: int) -> int:
        length = _round(length)
        if addr & (PAGE - 1) or length <= 0:
            raise OSError(EINVAL, os.strerror(EINVAL))
        if addr < 0 or addr + length > self.limit:
            raise OSError(ENOMEM, os.strerror(ENOMEM))
        return length

    def _about_to_change(self, addr: int, length: int) -> None:
        if self.changing is not None:
            self.changing(addr, length)

    def _one_area(self, addr: int, length: int) -> Area:
        area = self.area_at(addr)
        if area is None or addr + length > area.end:
            raise OSError(14, os.strerror(14))
        return area

    def _overlapping(self, start: int, end: int) -> Iterator[Area]:
        index = max(bisect_right(self._starts, start) - 1, 0)
        while index < len(self._areas):
            area = self._areas[index]
            if area.start >= end:
                return
            if area.end > start:
                yield area
            index += 1

    def _remove_areas(self, start: int, end: int) -> None:
        first = max(bisect_right(self._starts, start) - 1, 0)
        last = bisect_left(self._starts, end)
        kept: list[Area] = []
        for area in self._areas[first:last]:
            if area.end <= start:
                kept.append(area)
                continue
            if area.start < start:
                kept.append(area.part(area.start, start))
            if area.end > end:
                kept.append(area.part(end, area.end))
        self._areas[first:last] = kept
        self._starts[first:last] = [a.start for a in kept]

    def _insert(self, area: Area) -> None:
        index = bisect_left(self._starts, area.start)
        if index < len(self._areas) and area.joins(self._areas[index]):
            area.end = self._areas[index].end
            del self._areas[index], self._starts[index]
        if index and self._areas[index - 1].joins(area):
            self._areas[index - 1].end = area.end
            return
        self._areas.insert(index, area)
        self._starts.insert(index, area.start)

    def mark_code(self, address: int, *, code: bool) -> None:
        """Say whether the page at `address` has decoded instructions: stores to it are then watched."""
        page = address >> PAGE_SHIFT
        flag = self.flags[page]
        self.flags[page] = with_fast_write(flag | CODE if code else flag & ~CODE)

    # --- flags ----------------------------------------------------------------------------------

    def _set_flags(self, addr: int, length: int, flag: int) -> None:
        if self.keep is not None and flag & PROTECTION:
            flag |= CLEAN
        flag = with_fast_write(flag)
        first, count = addr >> PAGE_SHIFT, length >> PAGE_SHIFT
        if count == 1:
            self.flags[first] = flag
        elif count <= MANY:
            self.flags[first : first + count] = bytes((flag,)) * count
        else:
            self._set_many_flags(first, first + count, flag)
        if self.watched:
            self.rights_changed()

    def _set_many_flags(self, first: int, end: int, flag: int) -> None:
        """Set the flags of many pages: allocators and sanitizers map terabytes, of which they use little."""
        inner, inner_end = _round(first), end & -PAGE
        hostmem.fill(self.flags_base + inner, inner_end - inner, flag)
        self.flags[first:inner] = bytes((flag,)) * (inner - first)
        self.flags[inner_end:end] = bytes((flag,)) * (end - inner_end)

    def mark_clean(self) -> None:
        """Have the first change of every page told to `keep` again (pages without rights are kept whenever they change)."""
        for area in self._areas:
            if area.prot & PROTECTION:
                first, last = area.start >> PAGE_SHIFT, area.end >> PAGE_SHIFT
                for at in range(first, last, MANY):
                    end = min(at + MANY, last)
                    flags = bytes(self.flags[at:end])
                    if (cleaned := flags.translate(_CLEANED)) != flags:
                        self.flags[at:end] = cleaned

    def _forget_code(self, addr: int, length: int) -> None:
        first, count = addr >> PAGE_SHIFT, length >> PAGE_SHIFT
        if count > MANY or 1 in bytes(self.flags[first : first + count]).translate(_IS_CODE):
            self.code_changed(addr, length)

    # --- access ---------------------------------------------------------------------------------

    def view(self, addr: int, length: int, access: int) -> memoryview:
        """Return the guest's bytes (writable for WRITE); GuestFault names the first bad byte."""
        first = addr >> PAGE_SHIFT
        last = (addr + length - 1) >> PAGE_SHIFT
        if addr < 0 or addr + length > self.limit:
            raise GuestFault(self._first_refused(addr, access), access, mapped=False)
        if first == last:
            flag = self.flags[first]
            if flag & access != access and (flag | self.hidden.get(first, 0)) & access != access:
                raise GuestFault(addr, access, mapped=flag & PROTECTION != 0 or self.area_at(addr) is not None)
        elif length <= 0:
            return self.mem[0:0]
        else:
            if last - first >= MANY or 1 in bytes(self.flags[first : last + 1]).translate(_REFUSED[access]):
                bad = self._refused_page(first, last + 1, access)
                if bad >= 0:
                    where = max(addr, bad << PAGE_SHIFT)
                    raise GuestFault(where, access, mapped=self.area_at(where) is not None)
            flag = CODE | CLEAN if access & WRITE else 0
        if access & WRITE and flag & (CODE | CLEAN):
            self._before_write(addr, length, first, last)
        if self.wrote is not None and access & WRITE:
            self.wrote(addr, length)
        if self.seen is not None and not self.watched.keys().isdisjoint(range(first, last + 1)):
            self.seen(addr, length, access)
        return self.mem[addr : addr + length]

    def _first_refused(self, addr: int, access: int) -> int:
        if not 0 <= addr < self.limit:
            return addr
        bad = self._refused_page(addr >> PAGE_SHIFT, self.pages, access) if access else -1
        return self.limit if bad < 0 else max(addr, bad << PAGE_SHIFT)

    def _refused_page(self, first: int, end: int, access: int) -> int:
        """Return the number of the first page that does not allow an access, or -1."""
        while first < end:
            flags = bytes(self.flags[first : min(first + MANY, end)])
            bad = flags.translate(_REFUSED[access]).find(1)
            if bad >= 0 and self.hidden:
                flags = bytes(flag | self.hidden.get(first + i, 0) for i, flag in enumerate(flags))
                bad = flags.translate(_REFUSED[access]).find(1)
            if bad >= 0:
                return first + bad
            first += MANY
        return -1

    def _before_write(self, addr: int, length: int, first: int, last: int) -> None:
        """Tell the engine about written code and mark clean pages as written."""
        flags = self.flags
        if any(flags[page] & CODE for page in range(first, last + 1)):
            self.code_changed(addr, length)
        for page in range(first, last + 1):
            if flags[page] & CLEAN:
                if self.keep is not None:
                    self.keep(page)
                flags[page] = with_fast_write(flags[page] & ~CLEAN)
            elif self.keep is not None and not flags[page] & (PROTECTION | SLOW):
                self.keep(page)

    def read(self, addr: int, length: int) -> bytes:
        """Copy guest memory out; GuestFault."""
        return bytes(self.view(addr, length, READ))

    def write(self, addr: int, data: bytes | bytearray | memoryview) -> None:
        """Copy into guest memory; GuestFault."""
        if data:
            self.view(addr, len(data), WRITE)[:] = data

    def read_u32(self, addr: int) -> int:
        """Read a word of the guest; GuestFault."""
        return int.from_bytes(self.view(addr, 4, READ), self.byteorder)

    def read_i32(self, addr: int) -> int:
        """Read a signed word; GuestFault."""
        return int.from_bytes(self.view(addr, 4, READ), self.byteorder, signed=True)

    def write_u32(self, addr: int, value: int) -> None:
        """Write a word, cut to 32 bits; GuestFault."""
        self.view(addr, 4, WRITE)[:] = (value & 0xFFFFFFFF).to_bytes(4, self.byteorder)

    def read_u64(self, addr: int) -> int:
        """Read a doubleword; GuestFault."""
        return int.from_bytes(self.view(addr, 8, READ), self.byteorder)

    def write_u64(self, addr: int, value: int) -> None:
        """Write a doubleword; GuestFault."""
        self.view(addr, 8, WRITE)[:] = (value & 0xFFFFFFFFFFFFFFFF).to_bytes(8, self.byteorder)

    def unpack(self, layout: struct.Struct, addr: int) -> tuple[int, ...]:
        """Read one struct; GuestFault."""
        return layout.unpack(self.view(addr, layout.size, READ))

    def c_string(self, addr: int, limit: int = 4096) -> bytes:
        """Read up to a zero byte, at most `limit` bytes; GuestFault."""
        parts = []
        while limit > 0:
            step = min(limit, PAGE - (addr & (PAGE - 1)))
            data = bytes(self.view(addr, step, READ))
            end = data.find(0)
            if end >= 0:
                parts.append(data[:end])
                break
            parts.append(data)
            addr += step
            limit -= step
        return b"".join(parts)

    def peek(self, addr: int, length: int) -> bytes | None:
        """Copy out for a debugger: any mapped page, whatever its rights; None where there is a hole."""
        at = addr
        while at < addr + length:
            area = self.area_at(at)
            if area is None:
                return None
            at = area.end
        return bytes(self.mem[addr : addr + length])

    def poke(self, addr: int, data: bytes) -> bool:
        """Write for a debugger or loader, whatever the rights; False where the host cannot."""
        at = addr
        while at < addr + len(data):
            area = self.area_at(at)
            if area is None or not area.may_write:
                return False
            at = area.end
        if data:
            first, last = addr >> PAGE_SHIFT, (addr + len(data) - 1) >> PAGE_SHIFT
            self._before_write(addr, len(data), first, last)
            if self.wrote is not None:
                self.wrote(addr, len(data))
            if self.seen is not None and not self.watched.keys().isdisjoint(range(first, last + 1)):
                self.seen(addr, len(data), WRITE)
            self.mem[addr : addr + len(data)] = data
        return True


def make_space(address_bits: int, byteorder: Literal["little", "big"] = "little") -> AddressSpace:
    """Make the memory of a guest whose addresses have so many bits, with as large a window as the host gives."""
    if address_bits <= 32:
        return AddressSpace(address_bits, byteorder)
    try:
        return AddressSpace(WINDOW_BITS, byteorder)
    except XemuError:
        gc.collect()                          # a host has room for one: that of an earlier guest may be garbage
    try:
        return AddressSpace(WINDOW_BITS, byteorder)
    except XemuError:
        return AddressSpace(SMALL_WINDOW_BITS, byteorder)


def _round(length: int) -> int:
    return (length + PAGE - 1) & -PAGE


def _without(some: list[Area], others: list[Area]) -> Iterator[tuple[int, int]]:
    """Yield the ranges that are in `some` and not in `others`; both are sorted."""
    i = 0
    for area in some:
        at = area.start
        while i < len(others) and others[i].end <= at:
            i += 1
        j = i
        while at < area.end:
            if j == len(others) or others[j].start >= area.end:
                yield at, area.end
                break
            if others[j].start > at:
                yield at, others[j].start
            at = max(at, others[j].end)
            j += 1


def _memory(address: int, length: int) -> memoryview:
    """Make a writable byte view of host memory of any size."""
    return memoryview((ctypes.c_char * length).from_address(address)).cast("B")
