"""The image that the kernel maps into PowerPC programs: code that signal handlers return to, and how to unwind through it.

Unwinders of programs know that code by its bytes, too, but what they find then (GCC's since version 10) names a vector register as
the one with the return address, and they give up. Here is what the kernel's own image says (`arch/powerpc/kernel/vdso/sigtramp64.S`).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from xemu.core.layout import LITTLE
from xemu.loaders.elf import ElfLayouts

SONAMES = {32: b"linux-vdso32.so.1", 64: b"linux-vdso64.so.1"}
VERSION = b"LINUX_2.6.15"
MACHINES = {32: 20, 64: 21}
NOP = 0x60000000
PT_LOAD, PT_DYNAMIC, PT_GNU_EH_FRAME = 1, 2, 0x6474E550
DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT, DT_SONAME = 4, 5, 6, 10, 11, 14
DT_VERSYM, DT_VERDEF, DT_VERDEFNUM = 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFD
# DWARF: numbers of registers (the first floating-point one, LR, CTR, where the return address is, CR, XER, the first vector one), …
FPR, LR, CTR, RETURN, CR, XER, VR = 32, 65, 66, 67, 70, 76, 77
# … instructions and operations, and encodings of pointers: signed words from where they are, and from the start of the table
CFA_EXPRESSION, REGISTER_EXPRESSION, BREG1, DEREF, PLUS = 0x0F, 0x10, 0x71, 0x06, 0x23
FROM_HERE, FROM_TABLE, WORD = 0x1B, 0x3B, 0x03
_NIP, _CTR, _LINK, _XER, _CCR = 32, 35, 36, 37, 38  # places among the saved registers


class Return(NamedTuple):
    """One way to return: its code, and where registers are in its frame, in bytes from the handler's caller's stack pointer."""

    code: bytes
    registers: int
    floats: int
    vectors: int
    indirect: bool  # at `vectors` is where they are


def image(bits: int, order: str, returns: list[Return]) -> tuple[bytes, list[int]]:
    """Return the image and where the code of each way to return lies in it."""
    layouts, word = ElfLayouts(bits, order), bits // 8
    data = bytearray(layouts.header.size + 16 + 3 * layouts.program.size)
    names = b"\0" + SONAMES[bits] + b"\0" + VERSION + b"\0"
    strings = _append(data, names)
    symbols = _append(data, bytes(layouts.symbol.size))
    table = _append(data, struct.pack(order + "4I", 1, 1, 0, 0))  # one bucket, one symbol (none)
    versions, defined = _append(data, bytes(2)), _append(data, _definitions(bits, order))
    entries = ((DT_SONAME, 1), (DT_HASH, table), (DT_STRTAB, strings), (DT_SYMTAB, symbols), (DT_STRSZ, len(names)),
               (DT_SYMENT, layouts.symbol.size), (DT_VERSYM, versions), (DT_VERDEF, defined), (DT_VERDEFNUM, 2), (0, 0))  # fmt: skip
    dynamic = _append(data, b"".join(struct.pack(order + ("2I" if bits == 32 else "2Q"), *entry) for entry in entries))
    dynamic_size = len(data) - dynamic
    code = [_append(data, struct.pack(order + "I", NOP) + one.code) + 4 for one in returns]  # unwinders look one byte before
    frames, rows = _frames(len(data) + -len(data) % 16, order, word, returns, code)
    start = _append(data, frames)
    header = _append(data, _header(len(data) + -len(data) % 16, start, order, rows))
    data[: layouts.header.size + 16] = _elf_header(bits, order, layouts)
    segments = ((PT_LOAD, 5, 0, len(data)), (PT_DYNAMIC, 4, dynamic, dynamic_size), (PT_GNU_EH_FRAME, 4, header, len(data) - header))
    for n, (kind, flags, at, size) in enumerate(segments):
        place = layouts.header.size + 16 + n * layouts.program.size
        data[place : place + layouts.program.size] = layouts.program.pack(
            type=kind, flags=flags, offset=at, vaddr=at, paddr=at, filesz=size, memsz=size, align=16)
    return bytes(data), code


def _definitions(bits: int, order: str) -> bytes:
    """Return the versions that there are: the image's own and that of its functions, if it had any (Go's runtime looks)."""
    text = b""
    for index, (name, place) in enumerate(((SONAMES[bits], 1), (VERSION, len(SONAMES[bits]) + 2))):
        base, following = (0, 0) if index else (1, 28)
        text += struct.pack(order + "4H5I", 1, base, index + 1, 1, _hash(name), 20, following, place, 0)
    return text


def _hash(name: bytes) -> int:
    """Return the hash of a name (System V ABI, chapter 5)."""
    value = 0
    for byte in name:
        value = (value << 4) + byte
        value = (value ^ value >> 24 & 0xF0) & 0x0FFFFFFF
    return value


def _append(data: bytearray, piece: bytes) -> int:
    """Add a piece on a multiple of 16 and return where it is."""
    data += bytes(-len(data) % 16)
    data += piece
    return len(data) - len(piece)


def _elf_header(bits: int, order: str, layouts: ElfLayouts) -> bytes:
    ident = b"\x7fELF" + bytes((bits // 32, 1 if order == LITTLE else 2, 1)) + bytes(9)
    return ident + layouts.header.pack(
        type=3, machine=MACHINES[bits], version=1, phoff=layouts.header.size + 16, flags=2 if bits == 64 else 0,
        ehsize=layouts.header.size + 16, phentsize=layouts.program.size, phnum=3,
    )  # fmt: skip


# --- unwinding --------------------------------------------------------------------------------------


def _uleb(value: int) -> bytes:
    return bytes((value,)) if value < 0x80 else bytes((value & 0x7F | 0x80,)) + _uleb(value >> 7)


def _sleb(value: int) -> bytes:
    """Return a number that is not negative as a signed one."""
    return bytes((value,)) if value < 0x40 else bytes((value & 0x7F | 0x80,)) + _sleb(value >> 7)


def _rule(register: int, expression: bytes) -> bytes:
    return bytes((REGISTER_EXPRESSION,)) + _uleb(register) + _uleb(len(expression)) + expression


def _rules(one: Return, word: int) -> bytes:
    """Say where the registers of the interrupted function are. What is relative to R1 is so in the frame below."""
    def saved(number: int) -> bytes:
        return bytes((BREG1,)) + _sleb(one.registers + word * number)

    stack = saved(1) + bytes((DEREF,))
    text = bytes((CFA_EXPRESSION,)) + _uleb(len(stack)) + stack
    others = {LR: _LINK, CTR: _CTR, RETURN: _NIP, CR: _CCR, XER: _XER}
    for register, number in {**{n: n for n in range(32) if n != 1}, **others}.items():
        text += _rule(register, saved(number))
    for n in range(32):
        text += _rule(FPR + n, bytes((BREG1,)) + _sleb(one.floats + 8 * n))
        if one.indirect:
            text += _rule(VR + n, bytes((BREG1,)) + _sleb(one.vectors) + bytes((DEREF, PLUS)) + _uleb(16 * n))
        else:
            text += _rule(VR + n, bytes((BREG1,)) + _sleb(one.vectors + 16 * n))
    return text


def _entry(order: str, body: bytes) -> bytes:
    body += bytes(-(len(body) + 4) % 8)
    return struct.pack(order + "I", len(body)) + body


def _frames(at: int, order: str, word: int, returns: list[Return], code: list[int]) -> tuple[bytes, list[tuple[int, int]]]:
    """Return .eh_frame, which will lie at `at`, and its search table: (start of code, place of its entry)."""
    data = _entry(order, bytes(4) + b"\x01zRS\0" + _uleb(4) + bytes((-word & 0x7F,)) + bytes((RETURN, 1, FROM_HERE)))
    rows = []
    for one, start in zip(returns, code, strict=True):
        place = len(data)
        rows.append((start - 4, at + place))
        head = struct.pack(order + "IiI", place + 4, start - 4 - (at + place + 8), 4 + len(one.code))
        data += _entry(order, head + b"\0" + _rules(one, word))
    return data + bytes(4), rows


def _header(at: int, frames: int, order: str, rows: list[tuple[int, int]]) -> bytes:
    """Return .eh_frame_hdr, which will lie at `at`."""
    head = bytes((1, FROM_HERE, WORD, FROM_TABLE)) + struct.pack(order + "iI", frames - (at + 4), len(rows))
    return head + b"".join(struct.pack(order + "ii", start - at, place - at) for start, place in rows)
