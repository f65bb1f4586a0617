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


BCTR, SAVE_TOC = 0x4E80_0420, 0xF841_0018         # bctr; std r2, 24(r1)
LONGEST_STUB = 24          # instructions of code that leads to a function, the loader's entry among them
_SCRATCH = (0, 2, 11, 12)  # registers that it may use


def leads_on(read_memory: ReadMemory, address: int, arch: Architecture) -> bool:
    """Whether code is of the linkage table: it works out an address in scratch registers and goes there, and does nothing else.

    A stub saves the TOC pointer in its place and loads r12 (64-bit) or r11 (32-bit) from the table. Before a function has been
    looked up, that leads to a branch to what goes to the loader.
    """
    for _ in range(LONGEST_STUB):
        word = word_at(read_memory, address, arch)
        if word == BCTR:
            return True
        if word >> 26 == 18 and not word & 1:
            address = branch_target(word, address, arch) or 0
            continue
        if not _works_out_address(word):
            return False
        address += 4
    return False


def _works_out_address(word: int) -> bool:
    kind, (rt, ra, _) = opcode(word), fields(word)
    if word in (HERE, NOP, SAVE_TOC) or word & 0xFC1F_FFFF in (MFLR, MTLR, MTCTR):
        return True
    if kind in (ADDI, ADDIS) and rt == 2:              # a function that sets up its TOC pointer
        return False
    if kind in (ADDI, ADDIS, LWZ, LD):
        return rt in _SCRATCH
    if kind == 30:                                     # srdi
        return ra in _SCRATCH
    return kind == 31 and word >> 1 & 0x1FF in (40, 266) and rt in _SCRATCH            # subf, add


__all__ = ["branch_target", "displacement", "fields", "is_branch_register", "is_call", "is_return", "is_unconditional", "leads_on",
           "opcode", "word_at", "words"]
