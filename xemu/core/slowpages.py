"""Pages whose accesses leave the fast path: devices, and memory whose rights differ within a page.

The page's flag byte has SLOW and no rights; a table has the host address of a block for each such page. A device block has one
cell of 32 bits for each word of the page: native code answers reads of cells marked readable and keeps writes to posted
cells in a ring; everything else calls the machine's function. A fine block has a byte of rights for each 32 bytes.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from xemu.core import host
from xemu.core.memory import CLEAN, CODE, FAST_WRITE, PAGE, PAGE_SHIFT, READ, SLOW, WRITE, GuestFault, with_fast_write
from xemu.core.records import CELL_BLOCK, CELL_COUNTS, CELL_POSTS, CELL_READS, CELL_VALUES, COUNTER_BYTES, FINE, GRAIN

if TYPE_CHECKING:
    from xemu.core.memory import AddressSpace


class DeviceCells:
    """The cells of one device page: values, and which access sizes native code may do (bits of value 1, 2, 4).

    `counts`: how often native code has read the cells that are marked COUNTED.
    """

    __slots__ = ("address", "counts", "posts", "reads", "values")

    def __init__(self) -> None:
        self.address = host.reserve(CELL_BLOCK)
        block = memoryview((ctypes.c_uint8 * CELL_BLOCK).from_address(self.address)).cast("B")
        self.values = block[CELL_VALUES:CELL_READS].cast("I")
        self.reads = block[CELL_READS:CELL_POSTS]
        self.posts = block[CELL_POSTS:CELL_COUNTS]
        self.counts = block[CELL_COUNTS:CELL_BLOCK].cast("I")


class Counters:
    """Counters that native code works out: (start ± ticks since `base`) modulo `modulus`, ticks = (elapsed * hz + remainder) // den.

    An entry is valid for `limit` beats after `base`; beyond, the machine is asked, which enters it anew.
    """

    ROOM = 1024

    def __init__(self) -> None:
        self.address = host.reserve(self.ROOM * COUNTER_BYTES)
        self.words = memoryview((ctypes.c_uint64 * (self.ROOM * COUNTER_BYTES // 8)).from_address(self.address)).cast("B").cast("Q")
        self.used = 0

    def allocate(self) -> int | None:
        """Return the number of a new counter, or None where there is no room."""
        if self.used == self.ROOM:
            return None
        self.used += 1
        return self.used - 1

    def set(self, number: int, *, base: int, hz: int, remainder: int, den: int, start: int, down: bool, modulus: int) -> None:
        """Enter a counter; `base` in beats."""
        limit = ((1 << 63) - remainder) // max(hz, 1)
        at = number * COUNTER_BYTES // 8
        for i, word in enumerate((base, hz, remainder, den, start % modulus, int(down), modulus, limit)):
            self.words[at + i] = word


class SlowPages:
    """The slow pages of an address space."""

    def __init__(self, space: AddressSpace) -> None:
        self.space = space
        self._table = host.Table(space.pages * 8 + PAGE)
        self.table = self._table.address
        self.devices: dict[int, DeviceCells] = {}          # by page number
        self.rights: dict[int, bytes] = {}                 # of fine pages, by page number
        self.read_only: set[int] = set()                   # pages of memory whose writes go to the machine
        self._nothing = DeviceCells()
        self.counters = Counters()
        self._fine: dict[int, ctypes.Array[ctypes.c_char]] = {}
        self.watched: dict[int, int] = {}                  # page number -> accesses that a debugger wants to see
        self._hiding: dict[int, tuple[int, Any]] = {}      # watched page -> table entry before, block of rights meanwhile
        space.rights_changed = self.rewatch

    def _enter(self, page: int, block: int) -> None:
        ctypes.c_uint64.from_address(self.table + page * 8).value = block
        self.space.flags[page] = SLOW | (self.space.flags[page] & (CODE | CLEAN) if block & FINE else 0)

    def device(self, address: int) -> DeviceCells:
        """Make the page at `address` a device's (once) and return its cells."""
        page = address >> PAGE_SHIFT
        if page not in self.devices:
            self.devices[page] = DeviceCells()
            self._enter(page, self.devices[page].address)
        return self.devices[page]

    def window(self, address: int, length: int) -> None:
        """Send all accesses of pages that are nobody's yet to the machine: one block without cells serves them all."""
        first, count = address >> PAGE_SHIFT, -(-length // PAGE)
        table = memoryview((ctypes.c_uint64 * count).from_address(self.table + first * 8)).cast("B").cast("Q")
        for i in range(count) if any(table) else ():
            if not table[i]:
                self._enter(first + i, self._nothing.address)
        if not any(table):
            ctypes.memmove(self.table + first * 8, self._nothing.address.to_bytes(8, "little") * count, count * 8)
            self.space.flags[first:first + count] = bytes((SLOW,)) * count

    def hide(self, address: int, *, hidden: bool) -> None:
        """Have all accesses of a device's page seen by the machine, or let native code use its cells again."""
        page = address >> PAGE_SHIFT
        block = self._nothing if hidden else self.devices[page]
        ctypes.c_uint64.from_address(self.table + page * 8).value = block.address

    def is_device(self, page: int) -> bool:
        """Whether a page's accesses all go to the machine (or its cells)."""
        entry: int = ctypes.c_uint64.from_address(self.table + page * 8).value
        return entry != 0 and not entry & FINE and page not in self.read_only

    def watch_writes(self, address: int) -> None:
        """Have stores to a page that may not be written go to the machine, as those to devices."""
        page = address >> PAGE_SHIFT
        self.read_only.add(page)
        ctypes.c_uint64.from_address(self.table + page * 8).value = self._nothing.address

    def fine(self, address: int, rights: bytes) -> None:
        """Give each 32 bytes of the memory page at `address` rights of its own (READ, WRITE)."""
        page = address >> PAGE_SHIFT
        block = self._fine.get(page)
        if block is None:
            block = self._fine[page] = ctypes.create_string_buffer(PAGE // GRAIN)
        ctypes.memmove(block, rights, PAGE // GRAIN)
        self.rights[page] = rights
        self._enter(page, ctypes.addressof(block) | FINE)           # malloc aligns by 16

    def plain(self, address: int, prot: int) -> None:
        """Make a fine page whole again, with the same rights everywhere."""
        page = address >> PAGE_SHIFT
        self.rights.pop(page, None)
        block = self._nothing.address if page in self.read_only else 0
        ctypes.c_uint64.from_address(self.table + page * 8).value = block
        self.space.flags[page] = with_fast_write(prot | self.space.flags[page] & (CODE | CLEAN))

    def watch(self, pages: dict[int, int]) -> None:
        """Send accesses (READ, WRITE) of these pages, and of no others, down the slow path. What the guest may do stays."""
        for page in list(self.space.hidden):
            self._unhide(page)
        self.watched = self.space.watched = pages
        self.rewatch()

    def rewatch(self) -> None:
        """Bring the watched pages up to date with rights that have changed."""
        for page in self.watched:
            self._hide(page)

    def _hide(self, page: int) -> None:
        flags, entry = self.space.flags, ctypes.c_uint64.from_address(self.table + page * 8)
        if page in self.space.hidden and flags[page] & SLOW:                     # as it was left
            return
        before, block = self._hiding.pop(page, (0, None))
        if block is not None and entry.value == ctypes.addressof(block) | FINE:
            entry.value = before
        self.space.hidden.pop(page, None)
        if self.is_device(page) or page in self.rights or not flags[page] & (READ | WRITE):
            return                                                               # all accesses are slow, or none is allowed
        reads = self.watched[page] & READ
        if reads or not entry.value:
            block = ctypes.create_string_buffer(bytes((flags[page] & (READ | WRITE),)) * (PAGE // GRAIN), PAGE // GRAIN)
            self._hiding[page] = entry.value, block
            entry.value = ctypes.addressof(block) | FINE
        self.space.hidden[page] = flags[page] & READ if reads else 0
        flags[page] = flags[page] & ~(FAST_WRITE | (READ if reads else 0)) | SLOW

    def _unhide(self, page: int) -> None:
        read = self.space.hidden.pop(page)
        if page in self._hiding:
            ctypes.c_uint64.from_address(self.table + page * 8).value = self._hiding.pop(page)[0]
        flags = self.space.flags
        if flags[page] & SLOW:
            flags[page] = with_fast_write(flags[page] & ~SLOW | read)

    def allowed(self, address: int, length: int, access: int) -> None:
        """Check the grains of a fine page; GuestFault names the first byte that may not be touched."""
        rights = self.rights[address >> PAGE_SHIFT]
        for at in range(address & -GRAIN, address + length, GRAIN):
            if rights[(at & (PAGE - 1)) // GRAIN] & access != access:
                raise GuestFault(max(at, address), access, mapped=True)
