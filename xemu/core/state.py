"""CPU state, declared once: from it come the struct layout, the register views, save and restore, and trace names.

The engine's own cells (budget, exit reason, tables) stand first in the same block; a target declares what follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.errors import IsaError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: bytes of the block that belong to the engine (see ENGINE_CELLS)
ENGINE_BYTES = 1024
#: bytes of it that hold operands of single host instructions (extended_host.py)
SCRATCH = ENGINE_BYTES - 64
STATE_HEAD = 16              # bytes of PC and context in a saved state, before the cells

#: engine cells: name -> byte offset; all are 8 bytes wide
ENGINE_CELLS = {
    name: 8 * i
    for i, name in enumerate((
        "page_va",          # virtual address of the page that is executing
        "ctx_key",          # context word << 48
        "budget",           # instructions left, while native code is not holding it in a register
        "deferred",         # instructions taken off the budget to end the run early; added back when it ends
        "exit_reason",      # see engine.ExitReason
        "exit_record",      # record at which native code stopped
        "exit_pc",          # target of a branch to a page nobody knows yet, or the trap number
        "exit_context",     # context key that goes with it
        "fault",            # non-zero: the access that just went slow failed (kind)
        "fault_address",
        "fault_access",
        "code_write",       # address of a store that hit decoded bytes, plus 1; 0: none
        "code_write_size",
        "memory",           # host address of guest address 0
        "flags",            # host address of the page flag table
        "granules",         # host address of the code granule bitmap (one u64 per page)
        "jump_cache",       # host address of the jump cache
        "page_table",       # host address of the table of known code pages
        "page_table_mask",
        "decode_tables",    # host address of the decode tables
        "ring",             # host address of the ring of hot records
        "ring_head",
        "stop",             # native function: end of slice
        "jump",             # native function: continue at exit_pc / exit_context
        "resume",           # native function: continue with the plain handler of the record for exit_pc
        "trap",             # native function: leave with exit_reason
        "load",             # native function: slow load
        "store",            # native function: slow store
        "fp_slow",          # host address of the table of slow floating-point functions
        "host_fp",          # scratch for the host's floating-point control
        "hash",             # trace hash
        "insn_end",         # instruction count at which the budget reaches 0
        "heat",             # executions of a branch target before it is offered to the compiler
        "fp_raised",        # floating-point exceptions that slow functions have raised, until they are merged
        "slow_pages",       # host address of the table of slow pages' blocks (one u64 per page)
        "device",           # host function for device accesses: (address, description, value) -> value
        "counters",         # host address of the counters that device cells show
        "skipped",          # beats that passed while no instruction ran
        "posted",           # host address of the ring of posted writes
        "posted_count",     # how many are in it
        "posted_room",      # how many it holds
        "watches",          # host address of the table of watched ranges (see records.WATCH)
        "watch_count",      # how many of its entries count
        "points_off",       # non-zero: points stop nobody
        "kept",             # host address of the ring of old contents of pages that were CLEAN
        "kept_count",       # how many are in it
        "kept_room",        # how many it holds; 0: nobody wants them
        "host_mode",        # the host's floating-point modes: 0 as usual; else its exceptions mean nothing (lower_fp_plain.py)
    ))
}


class Cell(NamedTuple):
    """One register or register file: `count` elements of `width` bits, `stride` bytes apart, at byte `offset`."""

    name: str
    width: int
    count: int  # type: ignore[assignment]  # shadows tuple.count
    offset: int
    storage: str                 # name of the cell that owns the bytes (itself, or the one it is a view of)
    names: tuple[str, ...] = ()  # element names, for people
    hidden: bool = False         # how a register is kept, not what a manual calls a register
    resident: bool = False       # regions keep it in the state block, too: its elements are picked at run time

    @property
    def stride(self) -> int:
        """Return the bytes from one element to the next."""
        return storage_bytes(self.width)

    def at(self, index: int) -> int:
        """Return the byte offset of element `index`; raises IsaError outside the file."""
        if not 0 <= index < self.count:
            msg = f"{self.name}[{index}]: the file has {self.count} registers"
            raise IsaError(msg)
        return self.offset + index * self.stride


def storage_bytes(width: int) -> int:
    """Return the bytes that hold `width` bits: 1, 2, 4, 8, 16 …"""
    return 1 << (width - 1 >> 3).bit_length()


class StateLayout:
    """The declared cells of one target. `file`, `word` and `view` add; the order is the layout."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cells: dict[str, Cell] = {}
        self.size = ENGINE_BYTES
        self.sticky = ""         # name of the cell that gathers floating-point exceptions (IEEE bits, see fp.py)
        self.quiet = False       # has floating-point operations that raise nothing
        self.host_exceptions = 0x1F          # those that native code leaves to the host to gather (x86: denormal operands, too)

    def _add(self, cell: Cell) -> Cell:
        if cell.name in self.cells:
            msg = f"state {self.name}: {cell.name} is declared twice"
            raise IsaError(msg)
        self.cells[cell.name] = cell
        return cell

    def file(self, name: str, count: int, width: int, names: str = "", *, hidden: bool = False, resident: bool = False) -> Cell:
        """Declare `count` registers of `width` bits."""
        stride = storage_bytes(width)
        offset = (self.size + stride - 1) // stride * stride
        self.size = offset + stride * count
        return self._add(Cell(name, width, count, offset, name, tuple(names.split()), hidden, resident))

    def word(self, name: str, width: int, *, hidden: bool = False) -> Cell:
        """Declare one register."""
        return self.file(name, 1, width, name.lower(), hidden=hidden)

    def view(self, name: str, of: str, width: int, count: int, names: str = "") -> Cell:
        """Declare narrower (or wider) elements over the bytes of another file."""
        owner = self.cells[of]
        return self._add(Cell(name, width, count, owner.offset, of, tuple(names.split()), resident=owner.resident))

    def owners(self) -> Iterator[Cell]:
        """Yield the cells that own bytes, in layout order."""
        return (c for c in self.cells.values() if c.storage == c.name)


class StateBlock:
    """Registers as bytes in a buffer, laid out by a StateLayout, and the context word."""

    context = 0
    insns = 0                # how many instructions have run: what an evaluated instruction sees of time

    def __init__(self, layout: StateLayout, buffer: Any = None) -> None:
        self.layout = layout
        self.buffer = buffer if buffer is not None else bytearray(layout.size)

    def get(self, cell: Cell, index: int = 0) -> int:
        """Return one register."""
        at, n = cell.at(index), cell.stride
        return int.from_bytes(self.buffer[at:at + n], "little") & ((1 << cell.width) - 1)

    def set(self, cell: Cell, index: int, value: int) -> None:
        """Change one register."""
        at, n = cell.at(index), cell.stride
        self.buffer[at:at + n] = value.to_bytes(n, "little")
