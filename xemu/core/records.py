"""How decoded code is laid out: one record per possible instruction start, in blocks of one per guest page.

A block is aligned to its size, so a record's address says where in the page it stands. Hot part: `{handler, body,
operands…}`, 32 bytes each, and two records past the last one that continue on the next page. Cold part, behind it:
`{plain, heat, flags}`, 16 bytes each, untouched for most records.
"""

from __future__ import annotations

from dataclasses import dataclass

PAGE = 4096
RECORD = 32
OPERANDS = 16            # byte offset of the operands in a record
OPERAND_BYTES = 15       # the last byte is the guard (ARM: the ITSTATE the record was decoded for)
GUARD = 31
COLD = 16
COLD_HEAT = 8
COLD_FLAGS = 12
TARGET = 1               # cold flag: something branches here, count its executions
PINNED = 2               # cold flag: `handler` is a region or breakpoint; decoding stores `plain` only

JUMP_CACHE = 0x4000      # byte offset of the jump cache in the state block
JUMP_ENTRIES = 4096      # entries of {key, record}
STATE_BYTES = JUMP_CACHE + JUMP_ENTRIES * 16


@dataclass(frozen=True)
class Geometry:
    """Layout of the blocks of an instruction set whose instructions start at multiples of `unit` bytes."""

    unit: int

    @property
    def count(self) -> int:
        """Return the records of a page."""
        return PAGE // self.unit

    @property
    def block(self) -> int:
        """Return the bytes (and alignment) of a block."""
        return self.count * RECORD * 2

    @property
    def cold(self) -> int:
        """Return the byte offset of the cold part."""
        return self.count * RECORD + self.count * RECORD // 4

    @property
    def shift(self) -> int:
        """Return log2 of record bytes per guest byte."""
        return (RECORD // self.unit).bit_length() - 1
