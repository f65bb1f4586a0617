"""PowerPC's instructions as unwinding and motions look at them: words in the program's byte order (Power ISA Book I, 1.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.architectures import Architecture
    from xemu.debug.symbols import ReadMemory

BLR, SC, SCV, NOP = 0x4E80_0020, 0x4400_0002, 0x4400_0001, 0x6000_0000
HERE = 0x429F_0005         # bcl 20, 31, $+4: code finds out where it is; no call
MFLR, MTLR, MFCR, MTCTR = 0x7C08_02A6, 0x7C08_03A6, 0x7C00_0026, 0x7C09_03A6       # with the register in bits 25:21
ADDI, ADDIS, LWZ, STW, STWU, LD, STD, STDU, LFD, STFD = 14, 15, 32, 36, 37, 58 << 2, 62 << 2, 62 << 2 | 1, 50, 54


def words(read_memory: ReadMemory, start: int, end: int, arch: Architecture) -> Iterator[tuple[int, int]]:
    """Yield (address, instruction), to the end of what can be read."""
    data = read_memory(start, end - start) if end > start else None
    while data is None and end - start > 4:
        end = start + ((end - start) // 2 & -4)
        data = read_memory(start, end - start)
    for at in range(0, len(data or b"") - 3, 4):
        yield start + at, arch.number((data or b"")[at:at + 4])


def word_at(read_memory: ReadMemory, address: int, arch: Architecture) -> int:
    """Return an instruction; 0, which is none, where it cannot be read."""
    data = read_memory(address, 4) if not address & 3 else None
    return 0 if data is None else arch.number(data)


def opcode(word: int) -> int:
    """Return the primary opcode; of opcodes 58 and 62, with the two bits that extend it."""
    primary = word >> 26
    return primary << 2 | word & 3 if primary in (58, 62) else primary


def fields(word: int) -> tuple[int, int, int]:
    """Return RT, RA and RB."""
    return word >> 21 & 31, word >> 16 & 31, word >> 11 & 31


def displacement(word: int) -> int:
    """Return D, or DS with its zeros."""
    value = word & (0xFFFC if word >> 26 in (58, 62) else 0xFFFF)
    return value - 0x10000 if value & 0x8000 else value


def branch_target(word: int, address: int, arch: Architecture) -> int | None:
    """Return where b or bc leads; None of any other instruction."""
    primary = word >> 26
    if primary not in (16, 18):
        return None
    mask = 0x03FF_FFFC if primary == 18 else 0xFFFC
    offset = word & mask
    if offset & (mask + 4) >> 1:
        offset -= mask + 4
    return (offset if word & 2 else address + offset) & arch.mask


def is_branch_register(word: int) -> bool:
    """Whether it is bclr, bcctr or bctar."""
    return word >> 26 == 19 and word >> 1 & 0x3FF in (16, 528, 560)


def is_call(word: int) -> bool:
    """Whether it is a branch that sets LR, and not to find out where it is."""
    return bool(word & 1) and word != HERE and (word >> 26 in (16, 18) or is_branch_register(word))


def is_return(word: int) -> bool:
    """Whether it is blr, conditional or not."""
    return word >> 26 == 19 and word >> 1 & 0x3FF == 16 and not word & 1


def is_unconditional(word: int) -> bool:
    """Whether nothing behind it is reached from it: b, blr, bctr."""
    return (word >> 26 == 18 and not word & 1) or (is_branch_register(word) and not word & 1 and word >> 21 & 0x14 == 0x14)


#: what stubs of the linkage table consist of: (mask, word); the first ones need not be there
_STUB = ((0xFFE0_0000, 0x3D80_0000), (0xFFE0_0000, 0x3D60_0000), (0xFFFF_0000, 0xF841_0000), (0xFFE0_0000, 0x8160_0000),
         (0xFFE0_0003, 0xE980_0000), (0xFFE0_0000, 0x3980_0000), (0xFFE0_0000, 0x3960_0000))
LONGEST_STUB = 8           # instructions


def stub_end(read_memory: ReadMemory, address: int, arch: Architecture) -> int | None:
    """Return the `bctr` of the linkage stub that an address is in or at; None of other code.

    A stub saves the TOC pointer in its place (std r2, 24(r1)), loads r12 (64-bit) or r11 (32-bit) from the table, and goes there.
    """
    load = False
    for at, word in words(read_memory, address, address + 4 * LONGEST_STUB, arch):
        if word == 0x4E80_0420:                        # bctr
            return at
        if word & 0xFFE0_FFFF == MTCTR:
            load = True
            continue
        if load or not any(word & mask == value for mask, value in _STUB):
            return None
    return None


__all__ = ["branch_target", "displacement", "fields", "is_branch_register", "is_call", "is_return", "is_unconditional", "opcode",
           "stub_end", "word_at", "words"]
