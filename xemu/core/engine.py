"""The translator engine: it runs guest instructions in native code and says why it stopped.

`run(budget)` executes exactly so many instructions, whichever tier runs them. Records change only here, between slices.
"""

from __future__ import annotations

import ctypes
import os
import struct
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.core import host, hostmem
from xemu.core.library import CONTEXTS, Library
from xemu.core.memory import EXEC, READ, SLOW, WRITE, GuestFault
from xemu.core.objects import CodeMemory
from xemu.core.records import (
    COLD,
    COLD_FLAGS,
    COMPLETE,
    F_ACCESS,
    F_ALIGN,
    F_FULL,
    F_SLOW,
    F_WATCH,
    FAULT,
    GUARD,
    HASH_MULTIPLIER,
    JUMP_CACHE,
    JUMP_ENTRIES,
    KEPT,
    NEED_HANDLER,
    NEW_PAGE,
    NO_ROW,
    PAGE_ENTRY,
    PAGE_HASH,
    PINNED,
    POINT,
    POSTED,
    RECORD,
    RING,
    STATE_BYTES,
    STOP,
    TARGET,
    TRAP_BASE,
    TRAPS,
    WATCH,
    WATCHES,
    Geometry,
)
from xemu.core.slowpages import SlowPages
from xemu.core.state import ENGINE_BYTES, ENGINE_CELLS, StateBlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.memory import AddressSpace
    from xemu.core.state import Cell
    from xemu.core.target import IsaSet, Target

    DeviceAccess = Callable[[int, int, bool, int], int]

SLICE = 1 << 22          # instructions native code runs before the engine looks around
MASK64 = (1 << 64) - 1
CELL = {name: offset // 8 for name, offset in ENGINE_CELLS.items()}
CTX_KEY, INSN_END, BUDGET, DEFERRED = CELL["ctx_key"], CELL["insn_end"], CELL["budget"], CELL["deferred"]
SKIPPED = CELL["skipped"]
EXIT_REASON, EXIT_RECORD, EXIT_PC, CODE_WRITE = CELL["exit_reason"], CELL["exit_record"], CELL["exit_pc"], CELL["code_write"]
BLOCK_CHUNK = 16 << 20
MOST_COPIED = 64 << 10  # bytes of records that are copied into each new block; more are mapped
POSTED_ROOM = 1 << 16   # writes that devices may have waiting
KEPT_ROOM = 1024        # pages whose old contents may wait
EAGER_HEAT = 8           # the same with --eager-jit
_COMPLETE = range(TRAP_BASE, TRAP_BASE + COMPLETE)
HEAT = 600               # executions of a branch target before it is offered to the compiler


class ExitKind(Enum):
    """Why `run` returned."""

    BUDGET = "budget"
    SYSCALL = "syscall"
    UNDEFINED = "undefined"
    BREAKPOINT = "breakpoint"
    FAULT = "fault"
    KICK = "kick"
    EVENT = "event"              # a row of the target asks the machine to look: its instruction is complete
    EXCEPTION = "exception"      # … its instruction did not happen
    POINT = "point"              # the next instruction is one that a debugger wants to see first
    WATCH = "watch"              # … makes an access that a debugger wants to see first (`number`: which watch)


class Fault(NamedTuple):
    """An access the guest may not make. kind: MAPERR, ACCERR, ALIGN or BUS."""

    address: int
    access: int
    kind: str


class Exit(NamedTuple):
    """Where and why the guest stopped. `address` is -1 where nobody needs it (system calls): ask the engine's pc."""

    kind: ExitKind
    address: int
    number: int = 0
    fault: Fault | None = None


#: the exit of a system call with immediate 0; its address is not worked out (ask the engine's pc)
PLAIN_CALL = Exit(ExitKind.SYSCALL, -1, 0)


class Options(NamedTuple):
    """How the engine works: `jit` compiles hot code, `eager` at first sight, `tracing` keeps the trace hash."""

    jit: bool = True
    eager: bool = False
    tracing: bool = False
    cache: bool = True
    timing: bool = False          # measure the time in native code and in the evaluator


class CodePage:
    """The records of one guest page in one context."""

    __slots__ = ("address", "block", "context", "generation", "geometry")

    def __init__(self, address: int, context: int, block: int, geometry: Geometry) -> None:
        self.address, self.context, self.block, self.geometry = address, context, block, geometry
        self.generation = 0

    def record(self, pc: int) -> int:
        """Return the address of the record of an instruction in this page."""
        return self.block + ((pc & 4095 & -self.geometry.unit) << self.geometry.shift)

    def cold(self, pc: int) -> int:
        """Return the address of the cold part of that record."""
        return self.block + self.geometry.cold + ((pc & 4095) // self.geometry.unit) * COLD


class EngineState(StateBlock):
    """The registers of the guest thread that is running; pc and context included."""

    def __init__(self, engine: Engine, address: int) -> None:
        self.engine, self.address = engine, address
        self.target = engine.target
        size = engine.target.layout.size
        super().__init__(engine.target.layout, memoryview((ctypes.c_uint8 * size).from_address(address)).cast("B"))
        self._names: dict[str, tuple[Cell, int]] = {}
        for cell in engine.target.layout.cells.values():
            for i, name in enumerate(cell.names):
                self._names.setdefault(name, (cell, i))

    @property
    def pc(self) -> int:
        """Address of the next instruction."""
        return self.engine.pc

    @pc.setter
    def pc(self, value: int) -> None:
        self.engine.set_position(value, self.context)

    @property
    def context(self) -> int:
        """The context word."""
        return self.engine.cells[CELL["ctx_key"]] >> 48

    @context.setter
    def context(self, word: int) -> None:
        if word != self.context:
            pc = self.engine.pc
            self.engine.cells[CELL["ctx_key"]] = word << 48
            self.engine.set_position(pc, word)

    def read(self, name: str) -> int:
        """Return a register by name (r0 … sp lr pc cpsr fpscr d0 …)."""
        if name == "pc":
            return self.engine.pc
        special = self.target.read(self, name)
        if special is not None:
            return special
        cell, index = self._names[name]
        return self.get(cell, index)

    def write(self, name: str, value: int) -> None:
        """Change a register by name."""
        if name == "pc":
            self.pc = value & ((1 << self.target.address_bits) - 1)
        elif not self.target.write(self, name, value):
            cell, index = self._names[name]
            self.set(cell, index, value & ((1 << cell.width) - 1))

    def place(self, name: str) -> tuple[int, int] | None:
        """Return where a register lies in the state block, in bytes, and its bits; None for those that are worked out."""
        if self.target.read(self, name) is not None or name not in self._names:
            return None
        cell, index = self._names[name]
        return cell.at(index), cell.width

    def save(self) -> bytes:
        """Return everything a guest thread has in registers."""
        return struct.pack("<QQ", self.engine.pc, self.context) + bytes(self.buffer[ENGINE_BYTES:])

    def restore(self, data: bytes) -> None:
        """Take back exactly what `save` gave: the same thread, monitors included."""
        pc, context = struct.unpack_from("<QQ", data)
        context &= CONTEXTS - 1                                         # it may come from a file: native code relies on both
        self.buffer[ENGINE_BYTES:] = data[16:]
        self.engine.cells[CELL["ctx_key"]] = context << 48
        self.engine.set_position(pc & ((1 << self.target.address_bits) - 1) & -self.target.iset(context).geometry.unit, context)

    def load(self, data: bytes) -> None:
        """Continue as another guest thread."""
        pc, context = struct.unpack_from("<QQ", data)
        self.buffer[ENGINE_BYTES:] = data[16:]
        for name in self.target.monitors:
            self.set(self.layout.cells[name], 0, 0)
        self.engine.cells[CELL["ctx_key"]] = context << 48
        self.engine.set_position(pc, context)


class SpaceMemory:
    """The address space as the evaluator sees it."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.space = engine, engine.space

    @staticmethod
    def _aligned(addr: int, align: int, access: int) -> None:
        if align > 1 and addr & (align - 1):
            raise AlignmentFaultError(addr, access)

    def _slow(self, addr: int, size: int) -> bool:
        flags, limit = self.space.flags, self.space.limit
        return addr < limit and bool((flags[addr >> 12] | flags[min(addr + size, limit) - 1 >> 12]) & SLOW)

    def load(self, addr: int, size: int, align: int) -> int:
        """Read."""
        self._aligned(addr, align, READ)
        if self.engine.watches:
            self.engine.check_watches(addr, size, READ)
        if self._slow(addr, size):
            return self.engine.slow_access(addr, size, write=False)
        return int.from_bytes(self.space.read(addr, size), "little")

    def store(self, addr: int, size: int, align: int, value: int) -> None:
        """Write."""
        self._aligned(addr, align, WRITE)
        if self.engine.watches:
            self.engine.check_watches(addr, size, WRITE)
        if self._slow(addr, size) or (addr >> 12 in self.engine.slow.read_only and not self.space.flags[addr >> 12] & WRITE):
            self.engine.slow_access(addr, size, write=True, value=value)
        else:
            self.space.write(addr, value.to_bytes(size, "little"))

    def probe(self, addr: int, size: int, align: int, *, write: bool) -> None:
        """Check a range; device pages allow everything here."""
        access = WRITE if write else READ
        self._aligned(addr, align, access)
        at = addr
        while at < addr + size:
            part = min(addr + size, (at | 4095) + 1) - at
            if at >= self.space.limit or not self.space.flags[at >> 12] & SLOW:
                if not (write and at >> 12 in self.engine.slow.read_only):
                    self.space.view(at, part, access)
            elif at >> 12 in self.engine.slow.rights:
                self.engine.slow.allowed(at, part, access)
            at += part


class AlignmentFaultError(Exception):
    """A misaligned access in the evaluator."""

    def __init__(self, address: int, access: int) -> None:
        super().__init__(address, access)
        self.address, self.access = address, access


class WatchError(Exception):
    """An access in the evaluator that somebody watches."""

    def __init__(self, number: int, access: int) -> None:
        super().__init__(number, access)
        self.number, self.access = number, access


class Engine:
    """Runs one address space on the host."""

    def __init__(self, target: Target, space: AddressSpace, options: Options | None = None) -> None:
        self.target, self.space, self.options = target, space, options or Options()
        self.exit_kinds = ExitKind
        self.in_native = False             # native code is waiting for a device access
        self.insns = 0
        self.kicked = False
        self.stats: dict[str, Any] = {"evaluated": 0, "regions": 0, "handlers": 0, "cache_hits": 0}
        self.code = CodeMemory()
        self.block = host.reserve(STATE_BYTES)
        self.cells = memoryview((ctypes.c_uint64 * (ENGINE_BYTES // 8)).from_address(self.block)).cast("B").cast("Q")
        self.pages: dict[tuple[int, int], CodePage] = {}
        self.rewritten: dict[int, int] = {}        # how often the guest stored to decoded code of a page
        self._by_block: dict[tuple[int, int], CodePage] = {}
        self._blocks: dict[str, list[int]] = {}            # by instruction set: blocks that are free
        self._template_files: dict[str, int] = {}
        self._block_next: dict[int, tuple[int, int]] = {}
        self._templates: dict[str, bytes] = {}
        self._table_size = 0
        self.library = Library(self)
        self._set_up()
        self.state = EngineState(self, self.block)
        self._memory = SpaceMemory(self)
        self._pc = 0                       # -1: not worked out since native code stopped
        self._record = 0                   # 0: not known
        self._address_mask = (1 << target.address_bits) - 1
        self._inside = [(i.geometry.block - 1, i.geometry.shift) for i in target.sets]
        self._looks = 0
        self.points: dict[int, dict[str, int]] = {}        # address of an instruction -> by instruction set, what runs instead of it
        self.passing = -1                          # address of a point that does not stop the next time it is reached
        self.watches: list[tuple[int, int, int]] = []      # first and last address, accesses (READ, WRITE)
        self.watch_access = 0                      # … of the last one that stopped the run
        self._unwatched = False                    # the next instruction makes its accesses unseen
        self.kept: list[tuple[int, bytes | None]] = []     # see `keep_pages`
        space.code_changed = self.code_changed

    # -- construction --------------------------------------------------------------------------------------------
    def _set_up(self) -> None:
        """Fill the engine cells and allocate the tables."""
        natives = self.library.natives
        cells = self.cells
        for name in ("stop", "jump", "resume", "trap"):
            cells[CELL[name]] = natives[name]
        cells[CELL["load"]] = cells[CELL["store"]] = natives["access"]
        cells[CELL["memory"]], cells[CELL["flags"]] = self.space.base, self.space.flags_base
        self._granules = host.Table(self.space.pages * 8 + 4096)
        self.granules = self._granules.address
        cells[CELL["granules"]] = self.granules
        self.slow = SlowPages(self.space)
        cells[CELL["slow_pages"]] = self.slow.table
        cells[CELL["counters"]] = self.slow.counters.address
        cells[CELL["jump_cache"]] = self.block + JUMP_CACHE
        self._forget_jumps()
        self._ring = (ctypes.c_uint64 * RING)()
        cells[CELL["ring"]] = ctypes.addressof(self._ring)
        cells[CELL["heat"]] = EAGER_HEAT if self.options.eager else HEAT
        cells[CELL["decode_tables"]] = self.library.tables
        cells[CELL["fp_slow"]] = self.library.fp_table
        self._new_page_table(4096)
        self._enter = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(natives["enter"])

        if self.options.timing:
            self._enter = self._timed(self._enter, "native")
            self.evaluate_one = self._timed(self.evaluate_one, "evaluator")  # type: ignore[method-assign]

    def _timed(self, function: Any, name: str) -> Any:
        """Return a function that adds its seconds to the statistics."""
        from time import perf_counter

        self.stats[f"{name} seconds"] = 0.0

        def timed(*args: Any) -> Any:
            began = perf_counter()
            try:
                return function(*args)
            finally:
                self.stats[f"{name} seconds"] += perf_counter() - began
        return timed

    def _new_page_table(self, entries: int) -> None:
        self._table_size = entries
        self._table = host.reserve(entries * PAGE_ENTRY)
        self._slots = memoryview((ctypes.c_uint64 * (entries * 4)).from_address(self._table)).cast("B").cast("Q")
        self.cells[CELL["page_table"]] = self._table
        self.cells[CELL["page_table_mask"]] = entries - 1
        for page in self.pages.values():
            self._enter_page(page)

    def _enter_page(self, page: CodePage) -> None:
        key = page.address | page.context << 48 | 1
        slot = (key * PAGE_HASH & MASK64) >> 40
        while True:
            at = (slot & (self._table_size - 1)) * 4
            if self._slots[at] in (0, key):
                break
            slot += 1
        iset = self.target.iset(page.context)
        self._slots[at:at + 4] = memoryview(struct.pack(
            "<QQQQ", key, page.block, page.geometry.shift, self.library.natives[f"heat_{iset.name}"])).cast("B").cast("Q")

    # -- position ------------------------------------------------------------------------------------------------
    @property
    def pc(self) -> int:
        """Address of the next instruction (worked out from the record when somebody asks)."""
        if self._pc < 0:
            self._locate(self._record)
        return self._pc

    def set_position(self, pc: int, context: int) -> None:
        """Continue at another address or in another context."""
        self._pc, self._record = pc, 0
        self.cells[CELL["ctx_key"]] = context << 48

    def _locate(self, record: int) -> None:
        """Remember the record native code stopped at, and its address."""
        context = self.cells[CELL["ctx_key"]] >> 48
        inside, shift = self._inside[self.target.set_of(context)]
        self._pc = self.cells[CELL["page_va"]] + ((record & inside) >> shift) & self._address_mask
        self._record = record

    # -- pages ---------------------------------------------------------------------------------------------------
    def _allocate_block(self, iset: IsaSet) -> int:
        """Return a block for the records of a page, nothing of which is decoded."""
        g, free, mapped = iset.geometry, self._blocks.setdefault(iset.name, []), iset.geometry.count * RECORD > MOST_COPIED
        if free and mapped:
            return free.pop()
        if free:
            block = free.pop()
        else:
            block, end = self._block_next.get(g.block, (0, 0))
            if block == end:
                block = host.reserve(BLOCK_CHUNK, align=g.block)
                end = block + BLOCK_CHUNK
            self._block_next[g.block] = (block + g.block, end)
        if mapped:
            hostmem.mmap(block, len(self._template(iset)), hostmem.PROT_READ | hostmem.PROT_WRITE,
                         hostmem.MAP_PRIVATE | hostmem.MAP_FIXED | hostmem.MAP_NORESERVE, self._template_file(iset))
        else:
            ctypes.memmove(block, self._template(iset), len(self._template(iset)))
        return block

    def release_block(self, page: CodePage) -> None:
        """Take back the block of a page that has been forgotten: its memory goes back to the host."""
        hostmem.advise(page.block, page.geometry.block, hostmem.MADV_DONTNEED)
        self._blocks.setdefault(self.target.iset(page.context).name, []).append(page.block)

    def _template_file(self, iset: IsaSet) -> int:
        """Return a descriptor of the template: pages that nobody changes are shared, and go back to it when they are given up."""
        if iset.name not in self._template_files:
            fd = self._template_files[iset.name] = os.memfd_create("records")
            os.write(fd, self._template(iset))
        return self._template_files[iset.name]

    def _template(self, iset: IsaSet) -> bytes:
        """Return the hot part of a page nothing of which is decoded."""
        text = self._templates.get(iset.name)
        if text is None:
            natives, g = self.library.natives, iset.geometry
            record = struct.pack("<Q24x", natives[f"decode_{iset.name}"])
            end = struct.pack("<Q24x", natives[f"page_end_{iset.name}"])
            text = self._templates[iset.name] = record * g.count + end * g.beyond
        return text

    def page(self, address: int, context: int) -> CodePage:
        """Return the records of a page; raises GuestFault if it must not be executed."""
        where, address = address, address & ~4095
        page = self.pages.get((address, context))
        if page is None:
            self.space.view(where, 1, EXEC)  # raises GuestFault
            iset = self.target.iset(context)
            self.library.prepare(context)
            page = CodePage(address, context, self._allocate_block(iset), iset.geometry)
            self.pages[address, context] = page
            self._by_block[page.geometry.block, page.block] = page
            if len(self.pages) * 2 > self._table_size:
                self._new_page_table(self._table_size * 2)
            else:
                self._enter_page(page)
            self._mark_code(address)
            self._pin_points(page)
            self.library.page_decoded(page)
        return page

    def record(self, pc: int, context: int) -> int:
        """Return the address of the record of an instruction; raises GuestFault."""
        page = self.page(pc, context)
        self.cells[CELL["page_va"]] = page.address
        return page.record(pc)

    def code_changed(self, address: int, length: int) -> None:
        """Forget what was decoded from these bytes (mapping changes, writes by system calls), where they are mirrored too."""
        first, last = address >> 12, (address + max(length, 1) - 1) >> 12
        for page in range(first, last + 1) if self.space.mirrors else ():
            for other in self.space.mirrors.get(page, ()):
                self._forget_pages(other, other)
        self._forget_pages(first, last)

    def _forget_pages(self, first: int, last: int) -> None:
        if last - first > len(self.pages):
            doomed = [p for p in self.pages.values() if first <= p.address >> 12 <= last]
        else:
            contexts = {c for _, c in self.pages}
            doomed = [p for n in range(first, last + 1) for c in contexts if (p := self.pages.get((n << 12, c)))]
        if doomed:
            self._drop(doomed)

    def _drop(self, doomed: list[CodePage]) -> None:
        """Remove pages from the tables."""
        self._pc, self._record = self.pc, 0
        for page in doomed:
            del self.pages[page.address, page.context]
            del self._by_block[page.geometry.block, page.block]
            page.generation += 1
            self.release_block(page)
            ctypes.memset(self.granules + (page.address >> 12) * 8, 0, 8)
            self.space.mark_code(page.address, code=False)
        ctypes.memset(self._table, 0, self._table_size * PAGE_ENTRY)
        for page in self.pages.values():
            self._enter_page(page)
            self._mark_code(page.address)
        self._forget_jumps()
        self.library.dropped(doomed)

    def _mark_code(self, address: int) -> None:
        """Watch stores to a page with decoded code; through a mirror every store counts."""
        self.space.mark_code(address, code=True)
        for other in self.space.mirrors.get(address >> 12, ()):
            self.space.mark_code(other << 12, code=True)
            ctypes.memset(self.granules + other * 8, 0xFF, 8)

    def _forget_jumps(self) -> None:
        """Empty the jump cache: a key of all ones is no address."""
        ctypes.memset(self.block + JUMP_CACHE, 0xFF, JUMP_ENTRIES * 16)

    def _code_written(self) -> None:
        """Forget the decoded instructions of a page the guest has just stored to."""
        address, size = self.cells[CELL["code_write"]] - 1, self.cells[CELL["code_write_size"]]
        self.cells[CELL["code_write"]] = 0
        self.rewritten[address & ~4095] = self.rewritten.get(address & ~4095, 0) + 1
        self.code_changed(address, size)

    def locate_record(self, record: int) -> tuple[CodePage, int] | None:
        """Return the page and address of a record, if its page still exists."""
        for size in self._block_next:
            page = self._by_block.get((size, record & -size))
            if page is not None:
                return page, page.address + ((record & (size - 1)) >> page.geometry.shift)
        return None

    def guard_of(self, record: int) -> int:
        """Return the guard (ITSTATE) a record was decoded for."""
        return ctypes.c_uint8.from_address(record + GUARD).value

    def code_around(self, page: CodePage) -> dict[int, bytes]:
        """Return the bytes of a page and its executable neighbours."""
        out = {}
        for address in (page.address - 4096, page.address, page.address + 4096):
            if 0 <= address < self.space.limit and self.space.flags[address >> 12] & EXEC:
                out[address] = self.space.peek(address, 4096) or bytes(4096)
        return out

    def targets(self, code: dict[int, bytes], context: int) -> list[int]:
        """Return the addresses in these pages that branches were seen to go to."""
        out: list[int] = []
        for address in code:
            page = self.pages.get((address, context))
            if page is not None:
                g = page.geometry
                flags = memoryview(ctypes.string_at(page.block + g.cold, g.count * COLD)).cast("I")[COLD_FLAGS // 4::4]
                out.extend(address + i * g.unit for i, flag in enumerate(flags) if flag & (TARGET | PINNED))
        return out

    def pin(self, page: CodePage, pc: int, function: int) -> None:
        """Make the record of pc run `function` (a region)."""
        record, cold = page.record(pc), page.cold(pc)
        (handler,) = struct.unpack("<Q", ctypes.string_at(record, 8))
        (plain,) = struct.unpack("<Q", ctypes.string_at(cold, 8))
        if not plain:
            ctypes.memmove(cold, struct.pack("<Q", handler), 8)
        ctypes.memmove(cold + COLD_FLAGS, struct.pack("<I", PINNED), 4)
        ctypes.memmove(record, struct.pack("<Q", function), 8)

    def stop_counting(self, page: CodePage, pc: int) -> None:
        """Run a branch target without counting: it is never compiled."""
        record = page.record(pc)
        if ctypes.c_uint64.from_address(record).value == self.library.natives[f"heat_{self.target.iset(page.context).name}"]:
            ctypes.memmove(record, page.cold(pc), 8)

    def unpin(self, pc: int, context: int) -> None:
        """Undo `pin` where the page still exists."""
        page = self.pages.get((pc & ~4095, context))
        if page is None or pc & (page.geometry.unit - 1):
            return
        record, cold = page.record(pc), page.cold(pc)
        if not ctypes.c_uint32.from_address(cold + COLD_FLAGS).value & PINNED:
            return
        ctypes.memmove(record, ctypes.string_at(cold, 8), 8)
        ctypes.memset(cold, 0, COLD)

    # -- points and watches ----------------------------------------------------------------------------------------
    def set_point(self, pc: int, condition: tuple[Any, ...] | None = None) -> None:
        """Stop before the instruction at pc; where there is a condition (see condition.py), only if it is not 0.

        Decoded code elsewhere, and regions that do not contain pc, stay as they are.
        """
        if pc in self.points:
            self._unpin_everywhere(pc)
        self.points[pc] = self.library.condition(condition) if condition is not None else {}
        self.library.exclude(pc)
        for context in {c for _, c in self.pages}:
            page = self.pages.get((pc & ~4095, context))
            if page is not None:
                self._pin_point(page, pc)

    def clear_point(self, pc: int) -> None:
        """Forget a point."""
        if self.points.pop(pc, None) is not None:
            self._unpin_everywhere(pc)
            self.library.drop_regions(pc & ~4095)          # those that were made to leave there

    def _unpin_everywhere(self, pc: int) -> None:
        for context in {c for _, c in self.pages}:
            self.unpin(pc, context)

    def _pin_points(self, page: CodePage) -> None:
        """Set the points of a page that was just made."""
        for pc in self.points:
            if pc & ~4095 == page.address:
                self._pin_point(page, pc)

    def _pin_point(self, page: CodePage, pc: int) -> None:
        if not pc & (page.geometry.unit - 1):
            name = self.target.iset(page.context).name
            self.pin(page, pc, self.points[pc].get(name) or self.library.natives[f"point_{name}"])

    def pass_point(self) -> None:
        """Let the next instruction run even where a point is set (not one that is set there later)."""
        self.passing = self.pc if self.pc in self.points else -1

    def pass_nothing(self) -> None:
        """Have points and watches stop the next instruction, too: the guest has been put somewhere else."""
        self.passing, self._unwatched = -1, False

    def _run_lifted(self) -> Exit | None:
        """Run the one instruction at pc whose point has been passed."""
        pc, context, before = self._pc, self.cells[CTX_KEY] >> 48, self.insns
        self.passing = -1
        self.unpin(pc, context)
        out = self._run(1)
        page = self.pages.get((pc & ~4095, context))
        if page is not None and pc in self.points:
            self._pin_point(page, pc)
        if out.kind is ExitKind.BUDGET:
            return None
        if out.kind is ExitKind.KICK and self.insns == before:
            self.passing = pc
        return out

    def _run_unwatched(self) -> Exit | None:
        """Run one instruction whose accesses have been passed."""
        before = self.insns
        self.cells[CELL["watch_count"]] = 0
        try:
            out = self._run(1)
        finally:
            self._unwatched = False
            self.cells[CELL["watch_count"]] = 0 if self.cells[CELL["points_off"]] else len(self.watches)
        if out.kind is ExitKind.KICK and self.insns == before:
            self._unwatched = True
        return None if out.kind is ExitKind.BUDGET else out

    def watch(self, ranges: list[tuple[int, int, int]]) -> None:
        """Stop before accesses to these ranges: (address, length in bytes, READ | WRITE)."""
        self.watches = [(address, min(address + length - 1, MASK64), access) for address, length, access in ranges][:WATCHES]
        table = b"".join(struct.pack("<QQQ", *entry) for entry in self.watches)
        if not self.cells[CELL["watches"]]:
            self.cells[CELL["watches"]] = host.reserve(WATCHES * WATCH)
        ctypes.memmove(self.cells[CELL["watches"]], table, len(table))
        self.cells[CELL["watch_count"]] = 0 if self.cells[CELL["points_off"]] else len(self.watches)
        pages: dict[int, int] = {}
        for first, last, access in self.watches:
            for page in range(first >> 12, min((last >> 12) + 1, self.space.pages)):
                pages[page] = pages.get(page, 0) | access
        self.slow.watch(pages)

    def quiet(self, *, on: bool) -> None:
        """Have neither points nor watches stop anything, or stop again."""
        self.cells[CELL["points_off"]] = int(on)
        self.cells[CELL["watch_count"]] = 0 if on else len(self.watches)
        self.pass_nothing()

    @property
    def watching(self) -> bool:
        """Whether accesses to watched ranges stop the run now."""
        return self.cells[CELL["watch_count"]] != 0

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is to stop the guest."""
        return bool(self.cells[CELL["points_off"]])

    def pass_watches(self) -> None:
        """Let the next instruction make its accesses unseen."""
        self._unwatched = True

    def check_watches(self, address: int, size: int, access: int) -> None:
        """Raise WatchError where an access of the evaluator is watched."""
        if self.cells[CELL["watch_count"]]:
            for number, (first, last, wanted) in enumerate(self.watches):
                if first < address + size and address <= last and wanted & access:
                    raise WatchError(number, access)

    # -- what pages held ---------------------------------------------------------------------------------------------
    def keep_pages(self) -> None:
        """Have the contents of CLEAN pages kept before their first change; see `take_kept`."""
        if not self.cells[CELL["kept"]]:
            self.cells[CELL["kept"]] = host.reserve(KEPT_ROOM * KEPT)
        self.cells[CELL["kept_room"]] = KEPT_ROOM
        self.space.keep = self.keep_page

    def keep_no_pages(self) -> None:
        """Keep nothing any more."""
        self.cells[CELL["kept_room"]] = self.cells[CELL["kept_count"]] = 0
        self.space.keep = None
        self.kept.clear()

    def keep_page(self, page: int) -> None:
        """Keep a page's contents; it is about to be changed by something that is not an instruction."""
        self._drain_kept()
        self.kept.append((page, self.space.page(page)))

    def keep_absence(self, page: int) -> None:
        """Note that a page was not there."""
        self._drain_kept()
        self.kept.append((page, None))

    def _drain_kept(self) -> None:
        count, at = self.cells[CELL["kept_count"]], self.cells[CELL["kept"]]
        self.cells[CELL["kept_count"]] = 0
        for i in range(count):
            entry = at + i * KEPT
            self.kept.append((ctypes.c_uint64.from_address(entry).value, ctypes.string_at(entry + 16, 4096)))

    @property
    def has_kept(self) -> bool:
        """Whether a page was changed since `take_kept`."""
        return bool(self.kept) or self.cells[CELL["kept_count"]] != 0

    def take_kept(self) -> list[tuple[int, bytes | None]]:
        """Return (page number, contents before the change) in the order of the changes since the last time."""
        self._drain_kept()
        kept, self.kept = self.kept, []
        return kept

    # -- devices -------------------------------------------------------------------------------------------------
    def connect_devices(self, access: DeviceAccess) -> None:
        """Have accesses to device pages call access(address, size, write, value) -> value; it may raise GuestFault."""
        self.device = access
        self._device = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64)(self._device_access)
        self.cells[CELL["device"]] = ctypes.cast(self._device, ctypes.c_void_p).value or 0
        self._posted = host.reserve(POSTED_ROOM * POSTED)
        self.posted = memoryview((ctypes.c_uint64 * (POSTED_ROOM * 2)).from_address(self._posted)).cast("B").cast("Q")
        self.cells[CELL["posted"]], self.cells[CELL["posted_room"]] = self._posted, POSTED_ROOM

    def take_posted(self) -> list[int]:
        """Return the writes that native code has kept since the last time: address << 32 | value each."""
        count = self.cells[CELL["posted_count"]]
        if not count:
            return []
        self.cells[CELL["posted_count"]] = 0
        return self.posted[1:2 * count:2].tolist()

    def _device_access(self, address: int, info: int, value: int) -> int:
        """Serve native code: faults are left in the state."""
        try:
            self.in_native = True
            return self.device(address, info & 0xFFFFFFFF, bool(info >> 48 & 1), value)
        except GuestFault as e:
            cells = self.cells
            cells[CELL["fault"]], cells[CELL["fault_address"]], cells[CELL["fault_access"]] = F_ACCESS, e.address, e.access
            return 0
        finally:
            self.in_native = False

    def slow_access(self, address: int, size: int, *, write: bool, value: int = 0) -> int:
        """Access memory that may be a device's or have fine rights, for the evaluator."""
        if address >> 12 != address + size - 1 >> 12:                   # across pages: byte by byte
            parts = [self.slow_access(address + i, 1, write=write, value=value >> 8 * i & 0xFF) for i in range(size)]
            return int.from_bytes(bytes(parts), "little")
        page, access = address >> 12, WRITE if write else READ
        if self.slow.is_device(page) or (write and page in self.slow.read_only):
            return self.device(address, size, write, value)
        if page in self.slow.rights:
            self.slow.allowed(address, size, access)
            if not write:
                return int.from_bytes(self.space.peek(address, size) or b"", "little")
            self.space.poke(address, value.to_bytes(size, "little"))
            return 0
        if write:
            self.space.write(address, value.to_bytes(size, "little"))
            return 0
        return int.from_bytes(self.space.read(address, size), "little")

    @property
    def count(self) -> int:
        """Instructions executed so far; exact inside a device access too."""
        return self.cells[INSN_END] - self.cells[BUDGET] if self.in_native else self.insns

    @property
    def skipped(self) -> int:
        """Beats that passed while no instruction ran."""
        return self.cells[SKIPPED]

    @skipped.setter
    def skipped(self, beats: int) -> None:
        self.cells[SKIPPED] = beats

    def cut(self) -> None:
        """End the run after the instruction that is being executed: something changed that comes before the next one."""
        self.kicked = True
        if self.in_native and not self.cells[DEFERRED]:
            self.cells[DEFERRED] = self.cells[BUDGET] - 1

    # -- running -------------------------------------------------------------------------------------------------
    def kick(self) -> None:
        """Make `run` return at the next slice end."""
        self.kicked = True

    def run(self, budget: int) -> Exit:
        """Execute at most `budget` instructions; return why it stopped."""
        if self._unwatched and budget > 0:
            before = self.insns
            out = self._run_unwatched()
            if out is not None:
                return out
            budget -= self.insns - before
        return self._run(budget)

    def _run(self, budget: int) -> Exit:
        cells, end, enter, block = self.cells, self.insns + budget, self._enter, self.block
        while True:
            if self.kicked:
                self.kicked = False
                return Exit(ExitKind.KICK, self.pc)
            size = min(end - self.insns, SLICE)
            if size <= 0:
                return Exit(ExitKind.BUDGET, self.pc)
            record = self._record
            if not record:
                try:
                    record = self.record(self._pc, cells[CTX_KEY] >> 48)
                except GuestFault as e:
                    return self._fault(e.address, e.access)
            cells[INSN_END] = self.insns + size
            enter(block, record, size)
            rest = cells[BUDGET]
            if cells[DEFERRED]:
                rest += cells[DEFERRED]
                cells[DEFERRED] = 0
            self.insns += size - rest
            self._looks += 1
            if cells[EXIT_REASON] == TRAP_BASE and not cells[CODE_WRITE] and self._looks & 63 and not self.options.tracing:
                self._pc, self._record = -1, cells[EXIT_RECORD]          # a system call: nothing else to look at
                number = cells[EXIT_PC]
                return PLAIN_CALL if number == 0 else Exit(ExitKind.SYSCALL, self.pc, number)
            result = self._after()
            if result is not None:
                return result

    def _after(self) -> Exit | None:
        """Handle what native code stopped for; None: go on."""
        cells = self.cells
        reason = cells[CELL["exit_reason"]]
        if reason == NEW_PAGE:
            self._pc, self._record = cells[CELL["exit_pc"]], 0
            cells[CELL["ctx_key"]] = cells[CELL["exit_context"]]
        else:
            self._locate(cells[CELL["exit_record"]])
        if cells[CELL["code_write"]]:
            self._code_written()
        if cells[CELL["ring_head"]]:
            self._collect_hot()
        if self.library.client.busy or self.library.hot:
            self.library.poll()
        if reason in (STOP, NEW_PAGE):
            return None
        if reason == NEED_HANDLER:
            return self._missing_handler()
        if reason == NO_ROW:
            address = cells[CELL["exit_pc"]]
            return self._fault(address, EXEC) if address != self._pc else Exit(ExitKind.UNDEFINED, self._pc)
        if reason == POINT:
            if self._pc == self.passing:
                return self._run_lifted()
            return Exit(ExitKind.POINT, self._pc)
        if reason not in _COMPLETE:                          # take back what its prefix did
            self._restore_guard(cells[CELL["exit_record"]])
        if reason == FAULT:
            return self._native_fault()
        kind = TRAPS[reason - TRAP_BASE]
        if kind == "event":
            self._record = 0                                 # the instruction may have changed the context
        return self._trap(kind, cells[CELL["exit_pc"]])

    def _restore_guard(self, record: int) -> None:
        """Put back the guard (ITSTATE) of an instruction that did not complete."""
        iset = self.target.iset(self.cells[CELL["ctx_key"]] >> 48)
        if iset.guard:
            self.state.set(self.target.layout.cells[iset.guard], 0, self.guard_of(record))

    def _trap(self, kind: str, number: int) -> Exit | None:
        if kind == "syscall" and self.options.tracing:
            self._fold(self._pc)
        if kind == "again":                                  # another process was faster: the instruction starts anew
            return None
        if kind == "align":
            return Exit(ExitKind.FAULT, self._pc, fault=Fault(number, 1, "ALIGN"))
        return Exit(ExitKind(kind), self._pc, number)

    def folded(self, pc: int) -> None:
        """Note an exception entry or return in the trace hash."""
        if self.options.tracing:
            self._fold(pc)

    def _fold(self, pc: int) -> None:
        """Fold a system call into the trace hash, as branches are folded natively."""
        h = self.cells[CELL["hash"]]
        h = (h << 7 | h >> 57) & MASK64
        self.cells[CELL["hash"]] = ((h ^ self.insns) * HASH_MULTIPLIER + pc) & MASK64

    def _native_fault(self) -> Exit | None:
        cells = self.cells
        kind, address, access = cells[CELL["fault"]], cells[CELL["fault_address"]], cells[CELL["fault_access"]]
        if kind == F_ALIGN:
            return Exit(ExitKind.FAULT, self._pc, fault=Fault(address, access, "ALIGN"))
        if kind == F_SLOW:
            return self.evaluate_one()
        if kind == F_WATCH:
            self.watch_access = access
            return Exit(ExitKind.WATCH, self._pc, address, Fault(self.watches[address][0], access, "WATCH"))
        if kind == F_FULL:
            self._drain_kept()
            return None
        if access == WRITE and address >> 12 in self.slow.read_only and address >> 12 in self.space.hidden:
            return self.evaluate_one()                       # what may only be read is somebody's matter; its page is watched
        return self._fault(address, access)

    def _fault(self, address: int, access: int) -> Exit:
        mapped = True
        try:
            self.space.view(address, 1, access)
        except GuestFault as e:
            mapped = e.mapped
        return Exit(ExitKind.FAULT, self._pc, fault=Fault(address, access, "ACCERR" if mapped else "MAPERR"))

    # -- the evaluator standing in ---------------------------------------------------------------------------------
    def _missing_handler(self) -> Exit | None:
        """Have the handler (and its neighbours) compiled; meanwhile the evaluator executes the instruction."""
        context = self.cells[CELL["ctx_key"]] >> 48
        if self.library.compile_around(self._pc, context):
            return None
        return self.evaluate_one()

    def evaluate_one(self, memory: SpaceMemory | None = None) -> Exit | None:
        """Execute one instruction in the evaluator, in the guest's memory or another that behaves like it."""
        context = self.cells[CELL["ctx_key"]] >> 48
        pc = self.pc
        try:
            decoded = self.library.decode(pc, context)
        except GuestFault as e:
            return self._fault(e.address, e.access)
        if decoded is None:
            return Exit(ExitKind.UNDEFINED, pc)
        self.stats["evaluated"] += 1
        self.state.insns = self.insns
        try:
            outcome = self.library.evaluate(decoded, pc, context, self.state, memory or self._memory)
        except GuestFault as e:
            return self._fault(e.address, e.access)
        except AlignmentFaultError as e:
            return Exit(ExitKind.FAULT, pc, fault=Fault(e.address, e.access, "ALIGN"))
        except WatchError as e:
            self.watch_access = e.access
            return Exit(ExitKind.WATCH, pc, e.number, Fault(self.watches[e.number][0], e.access, "WATCH"))
        if outcome.abort is not None:
            return self._trap(outcome.abort[0], outcome.abort[1])
        self.insns += 1
        if self.options.tracing and outcome.taken:
            self._fold(outcome.next_pc)
        self.set_position(outcome.next_pc, context if outcome.context is None else outcome.context)
        return self._trap(*outcome.trap) if outcome.trap else None

    # -- regions -------------------------------------------------------------------------------------------------
    def _collect_hot(self) -> None:
        """Offer hot records to the compiler."""
        head = self.cells[CELL["ring_head"]]
        self.cells[CELL["ring_head"]] = 0
        self.library.offer(list(self._ring[:head]))

    # -- life of the process -----------------------------------------------------------------------------------------
    def before_fork(self) -> None:
        """Get ready for a host fork."""
        self.library.before_fork()

    def after_fork(self) -> None:
        """Go on in the child of a host fork."""
        self.library.after_fork()

    def worker_pids(self) -> set[int]:
        """Return the host's ids of compiler processes: children of this process that are none of the guest's."""
        return self.library.client.pids

    def close(self) -> None:
        """Say that this engine runs no more: what is hot is left to the compiler, for the next run."""
        self.library.close()

    def reset_space(self) -> None:
        """Forget all decoded code (execve emptied the window)."""
        self._drop(list(self.pages.values()))

    @property
    def trace_hash(self) -> int:
        """The trace hash so far."""
        return self.cells[CELL["hash"]]

    @trace_hash.setter
    def trace_hash(self, value: int) -> None:
        self.cells[CELL["hash"]] = value


__all__ = ["Engine", "Exit", "ExitKind", "Fault", "Options"]
