"""The shared object that the kernel gives every program (vdso(7)), here with the code that signal handlers return to.

What unwinds the stack, for exceptions or the cancellation of a thread, finds in it where a signal frame has the registers
(`arch/powerpc/kernel/vdso/sigtramp{32,64}.S`; DWARF 5, 6.4; Linux Standard Base, "Exception Frames"). It exports nothing: the C
library makes system calls instead.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from xemu.core.layout import BIG
from xemu.loaders.elf import ET_DYN, IDENT, PT_LOAD, ElfLayouts

EM_PPC, EM_PPC64, ELFV2 = 20, 21, 2
PT_DYNAMIC, PT_GNU_EH_FRAME = 2, 0x6474E550
AT_SYSINFO_EHDR = 33
NOP = 0x60000000
# places in struct pt_regs, in words, and the columns of .eh_frame
NIP, LINK, CCR, FLOATS = 32, 36, 38, 48
LR_COLUMN, NIP_COLUMN, CR_COLUMN, FLOAT_COLUMN, VECTOR_COLUMN = 65, 67, 70, 32, 77
DEF_CFA_EXPRESSION, EXPRESSION = 0x0F, 0x10
BREG1, DEREF, PLUS = 0x71, 0x06, 0x23
PCREL_SDATA4, UDATA4, DATAREL_SDATA4 = 0x1B, 0x03, 0x3B


class Trampoline(NamedTuple):
    """Code that a handler returns to, and how far above R1 the pointer to the registers is then."""

    code: bytes
    registers: int


def make(bits: int, order: str, trampolines: list[Trampoline]) -> tuple[bytes, list[int]]:
    """Return the object, which fits a page, and where in it the codes are."""
    layouts = ElfLayouts(bits, order)
    count = 3
    at = IDENT.size + layouts.header.size + count * layouts.program.size
    code, places = b"", []
    for trampoline in trampolines:
        code += struct.pack(order + "I", NOP)  # unwinders look up the instruction before a return address
        places.append(at + len(code))
        code += trampoline.code
    header_at = at + len(code) + 7 & -8
    frames_at = header_at + 12 + 8 * len(trampolines)
    frames, entries = _frames(bits, order, trampolines, places, frames_at)
    header = struct.pack(order + "BBBBiI", 1, PCREL_SDATA4, UDATA4, DATAREL_SDATA4, frames_at - header_at - 4, len(entries))
    header += b"".join(struct.pack(order + "ii", place - header_at, entry - header_at) for place, entry in entries)
    dynamic_at = frames_at + len(frames) + 7 & -8
    dynamic = bytes(2 * bits // 8)  # its end, and nothing else
    size = dynamic_at + len(dynamic)
    parts = [(PT_LOAD, 0, size, 5), (PT_DYNAMIC, dynamic_at, len(dynamic), 4), (PT_GNU_EH_FRAME, header_at, len(header), 4)]
    head = IDENT.pack(magic=b"\x7fELF", bits=bits // 32, data=2 if order == BIG else 1, version=1) + layouts.header.pack(
        type=ET_DYN, machine=EM_PPC if bits == 32 else EM_PPC64, version=1, phoff=IDENT.size + layouts.header.size,
        flags=0 if bits == 32 else ELFV2, ehsize=IDENT.size + layouts.header.size, phentsize=layouts.program.size, phnum=count,
    )  # fmt: skip
    for kind, place, length, flags in parts:
        head += layouts.program.pack(type=kind, offset=place, vaddr=place, paddr=place, filesz=length, memsz=length, flags=flags, align=8)
    image = (head + code).ljust(header_at, b"\0") + header + frames
    return image.ljust(dynamic_at, b"\0") + dynamic, places


def _frames(bits: int, order: str, trampolines: list[Trampoline], places: list[int], at: int) -> tuple[bytes, list[tuple[int, int]]]:
    """Return .eh_frame, which will be at `at`, and (first instruction, entry) of each trampoline."""
    head = bytes(4) + b"\1zRS\0" + _uleb(4) + _sleb(-bits // 8) + bytes((NIP_COLUMN, 1, PCREL_SDATA4))
    data, entries = _entry(order, head), []
    for trampoline, place in zip(trampolines, places, strict=True):
        start = at + len(data)
        entries.append((place - 4, start))
        body = struct.pack(order + "IiI", len(data) + 4, place - 4 - (start + 8), len(trampoline.code) + 4) + b"\0"
        data += _entry(order, body + _rules(bits, order, trampoline.registers))
    return data + bytes(4), entries


def _entry(order: str, body: bytes) -> bytes:
    """Return an entry with its length; zeros at its end do nothing."""
    body = body.ljust(len(body) + 4 + 7 & -8, b"\0")[: (len(body) + 4 + 7 & -8) - 4]
    return struct.pack(order + "I", len(body)) + body


def _rules(bits: int, order: str, registers: int) -> bytes:
    """Say where everything is, given the pointer at `registers` from R1."""
    word = bits // 8
    base = bytes((BREG1,)) + _sleb(registers) + bytes((DEREF,))
    vectors = FLOATS * word + 33 * 8 + (8 if bits == 32 else 0)
    frame = base + _plus(word) + bytes((DEREF,))
    rules = bytes((DEF_CFA_EXPRESSION,)) + _uleb(len(frame)) + frame
    places = {n: n * word for n in range(32) if n != 1} | {FLOAT_COLUMN + n: FLOATS * word + 8 * n for n in range(32)}
    places |= {LR_COLUMN: LINK * word, NIP_COLUMN: NIP * word, CR_COLUMN: CCR * word + (word - 4 if order == BIG else 0)}
    for column, place in places.items():
        rules += _rule(column, base + _plus(place))
    if bits == 64:
        base, vectors = base + _plus(vectors) + bytes((DEREF,)), 0
    for n in range(32):
        rules += _rule(VECTOR_COLUMN + n, base + _plus(vectors + 16 * n))
    return rules


def _rule(column: int, expression: bytes) -> bytes:
    return bytes((EXPRESSION,)) + _uleb(column) + _uleb(len(expression)) + expression


def _plus(distance: int) -> bytes:
    return bytes((PLUS,)) + _uleb(distance) if distance else b""


def _uleb(value: int) -> bytes:
    result = bytearray()
    while value >> 7:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*result, value))


def _sleb(value: int) -> bytes:
    result = bytearray()
    while not -64 <= value < 64:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*result, value & 0x7F))
