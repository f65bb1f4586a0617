"""How decoded code is laid out: one record per possible instruction start, in blocks of one per guest page.

A block is aligned to its size, so a record's address says where in the page it stands. Hot part: `{handler, body,
operands…}`, 32 bytes each, and two records past the last one that continue on the next page. Cold part, behind it:
`{plain, heat, flags}`, 16 bytes each, untouched for most records.
"""

from __future__ import annotations

PAGE = 4096
RECORD = 32
OPERANDS = 16            # byte offset of the operands in a record
OPERAND_BYTES = 15       # the last byte is the guard (ARM: the ITSTATE the record was decoded for)
GUARD = 31
COLD = 16
COLD_HEAT = 8
COLD_FLAGS = 12
AGAIN = 8                # a branch target is offered again after so many times the first count
TARGET = 1               # cold flag: something branches here, count its executions
PINNED = 2               # cold flag: `handler` is a region or breakpoint; decoding stores `plain` only

SCANNED = 15             # the most bytes of an instruction of variable length
SCAN_READS = 64          # bytes a scan may look at
HEAD = 64                # bits of a scanned word that decode tables look at

JUMP_CACHE = 0x4000      # byte offset of the jump cache in the state block
JUMP_ENTRIES = 4096      # entries of {key, record}
STATE_BYTES = JUMP_CACHE + JUMP_ENTRIES * 16


class Geometry:
    """Layout of the blocks of an instruction set whose instructions start at multiples of `unit` bytes."""

    __slots__ = ("beyond", "block", "cold", "count", "shift", "unit")

    def __init__(self, unit: int) -> None:
        self.unit = unit
        self.count = PAGE // unit                                  # records of a page
        self.block = self.count * RECORD * 2                       # bytes (and alignment) of a block
        self.cold = self.count * RECORD + self.count * RECORD // 4    # byte offset of the cold part
        self.beyond = max(2, 16 // unit)                           # records after the last one, which continue on the next page
        self.shift = (RECORD // unit).bit_length() - 1             # log2 of record bytes per guest byte


# -- what native code and the engine agree on ---------------------------------------------------------------------------

#: exit reasons that native code stores; traps and aborts follow, in the order of TRAPS
STOP, NEW_PAGE, NEED_HANDLER, NO_ROW, FAULT, POINT = 1, 2, 3, 4, 5, 6
TRAPS = ("syscall", "event", "undefined", "breakpoint", "align", "exception", "again")
COMPLETE = 2             # the first so many leave after their instruction, the others instead of it
TRAP_BASE = 16
HASH_MULTIPLIER = 0x9E3779B97F4A7C15

RING = 256               # hot records the engine has not seen yet
VARIANT = 32             # bytes of a variant's entry in decode tables: body, extract, and bytes as below
V_PREDICATED, _, V_BRANCH, V_CALL, V_REGISTERS = 16, 17, 18, 19, 20
TABLES = 64              # bytes of one context's decode tables
T_NARROW, T_WIDE, T_NARROW_VARIANTS, T_WIDE_VARIANTS, T_PREFIXES = 0, 8, 16, 24, 32
PREFIXES = 128           # entries of a prefix table
PAGE_ENTRY = 32          # bytes of an entry of the page table: key, block, shift, counting handler
PAGE_HASH = 0x9E3779B97F4A7C15
PROBE = 1 << 49          # in the description of a slow access: check only
# kinds of failed accesses; F_SLOW: let the evaluator do this instruction; F_WATCH: somebody watches; F_FULL: no room for the
# old contents of a page
F_ACCESS, F_ALIGN, F_SLOW, F_WATCH, F_FULL = 1, 2, 3, 4, 5
WATCH = 24               # bytes of a watched range: first and last address, the accesses that count (READ, WRITE)
WATCHES = 4096           # ranges that can be watched
KEPT = 4096 + 16         # bytes of an entry of the ring of old page contents: page number, 8 bytes of nothing, the page

# -- slow pages: the table `slow_pages` has the address of a block for each (see slowpages.py), plus FINE for kind FINE ---------
FINE = 1                 # the block has a byte of rights (READ, WRITE) for each GRAIN bytes of memory; else it has device cells
GRAIN = 32
CELL_VALUES, CELL_READS, CELL_POSTS, CELL_COUNTS, CELL_BLOCK = 0, 4096, 5120, 6144, 10240
COUNTER = 8              # with the sizes that a cell may be read in: its value is the number of a counter
COUNTED = 16             # … : somebody wants to know how often it is read
COUNTER_BYTES = 64       # of a counter: base, hz, remainder, den, start, down, modulus, limit (u64 each; see slowpages.py)
POSTED = 16              # bytes of an entry of the ring of posted writes: beat, address << 32 | value
