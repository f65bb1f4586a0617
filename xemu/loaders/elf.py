"""Read ELF files: what running needs (headers, segments) and, on demand, symbols.

System V ABI edition 4.1, chapters 4 and 5. Every malformed file raises ImageError with one line.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from xemu.core.layout import BIG, LITTLE, Layout
from xemu.errors import ImageError
from xemu.loaders.image import Image, Segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Reader = Callable[[int, int], bytes]  # (offset, length) -> at most that many bytes

IDENT = Layout("magic:4s bits:B data:B version:B abi:B _:8x")
_HEADER = "type:H machine:H version:I entry:{a} phoff:{a} shoff:{a} flags:I ehsize:H phentsize:H phnum:H shentsize:H shnum:H shstrndx:H"
_PHDR32 = "type:I offset:I vaddr:I paddr:I filesz:I memsz:I flags:I align:I"
_PHDR64 = "type:I flags:I offset:Q vaddr:Q paddr:Q filesz:Q memsz:Q align:Q"
_SHDR = "name:I type:I flags:{a} addr:{a} offset:{a} size:{a} link:I info:I addralign:{a} entsize:{a}"
_SYM32 = "name:I value:I size:I info:B other:B shndx:H"
_SYM64 = "name:I info:B other:B shndx:H value:Q size:Q"

ET_EXEC, ET_DYN = 2, 3
PT_LOAD, PT_INTERP, PT_PHDR, PT_GNU_STACK = 1, 3, 6, 0x6474E551
PN_XNUM = 0xFFFF
SHT_SYMTAB, SHT_DYNSYM = 2, 11
STT_FUNC, STT_OBJECT, STT_NOTYPE = 2, 1, 0
MAX_HEADERS = 512
MAX_INTERPRETER = 4096
MAX_NAME = 1 << 16

# ELF machine number -> (xemu's name, the name people use)
MACHINES = {
    2: ("sparc", "SPARC"), 3: ("i386", "32-bit x86"), 4: ("m68k", "68000"), 8: ("mips", "MIPS"),
    20: ("ppc", "32-bit PowerPC"), 21: ("ppc64", "64-bit PowerPC"), 22: ("s390x", "IBM Z"),
    40: ("arm", "32-bit ARM"), 43: ("sparc64", "SPARC V9"), 50: ("ia64", "Itanium"), 62: ("x86_64", "x86-64"),
    183: ("aarch64", "AArch64"), 243: ("riscv", "RISC-V"), 258: ("loongarch", "LoongArch"),
}  # fmt: skip
# … where the byte order makes another one of it
ORDERS = {
    ("ppc64", LITTLE): ("ppc64le", "64-bit little-endian PowerPC"), ("ppc64", BIG): ("ppc64", "64-bit big-endian PowerPC"),
    ("ppc", LITTLE): ("ppcle", "32-bit little-endian PowerPC"), ("arm", BIG): ("armeb", "big-endian 32-bit ARM"),
}  # fmt: skip
_RIGHTS = {4: 1, 2: 2, 1: 4}  # PF_R, PF_W, PF_X -> READ, WRITE, EXEC


class ElfLayouts:
    """The tables of one class (32 or 64) and byte order."""

    def __init__(self, bits: int, order: str) -> None:
        """Make the layouts for `bits` and `order` ('<' or '>')."""
        word = "I" if bits == 32 else "Q"
        self.header = Layout(_HEADER.format(a=word), order)
        self.program = Layout(_PHDR32 if bits == 32 else _PHDR64, order)
        self.section = Layout(_SHDR.format(a=word), order)
        self.symbol = Layout(_SYM32 if bits == 32 else _SYM64, order)


class ElfHeader:
    """The file header with what follows from its first 16 bytes."""

    def __init__(self, read: Reader, name: str) -> None:
        """Parse; ImageError if this is not an ELF file or cut short."""
        start = read(0, 64)
        if len(start) < IDENT.size or start[:4] != b"\x7fELF":
            raise ImageError(f"{name}: not an ELF program ({describe(start)})")
        ident = IDENT.unpack(start)
        if ident.bits not in (1, 2) or ident.data not in (1, 2):
            raise ImageError(f"{name}: ELF header with class {ident.bits} and byte order {ident.data}; is the file damaged?")
        self.bits = 32 * ident.bits
        self.order = LITTLE if ident.data == 1 else BIG
        self.layouts = ElfLayouts(self.bits, self.order)
        if len(start) < IDENT.size + self.layouts.header.size:
            raise ImageError(f"{name}: the file ends inside its ELF header")
        self.fields = self.layouts.header.unpack(start, IDENT.size)
        self.name = name

    @property
    def machine(self) -> tuple[str, str]:
        """The architecture: xemu's name and the usual one."""
        number = self.fields.machine
        arch, title = MACHINES.get(number, (f"elf{number}", f"ELF machine {number}"))
        return ORDERS.get((arch, self.order), (arch, title))


def read_elf(read: Reader, size: int, name: str) -> Image:
    """Read what is needed to run a program from a file of `size` bytes."""
    header = ElfHeader(read, name)
    fields = header.fields
    if fields.type not in (ET_EXEC, ET_DYN):
        kinds = {1: "an object file; link it first", 4: "a core dump"}
        raise ImageError(f"{name}: not a program but {kinds.get(fields.type, f'ELF type {fields.type}')}")
    image = Image(header.machine[0], fields.entry, [], bits=header.bits, movable=fields.type == ET_DYN,
                  header_size=header.layouts.program.size, header_count=fields.phnum, flags=fields.flags)  # fmt: skip
    for index, program in enumerate(program_headers(header, read, size)):
        _take_header(image, index, program, read, size, name)
    if not image.segments:
        raise ImageError(f"{name}: no segment to load; is it a debug-information file?")
    if not image.header_address:
        image.header_address = _find_headers(image, fields.phoff)
    return image


def program_headers(header: ElfHeader, read: Reader, size: int) -> list[Any]:
    """Return the program headers of a file of `size` bytes; ImageError if there are none or they are damaged."""
    fields, layout, name = header.fields, header.layouts.program, header.name
    if fields.phnum == 0:
        raise ImageError(f"{name}: no program headers; it cannot be run")
    if fields.phentsize != layout.size or fields.phnum > MAX_HEADERS:
        raise ImageError(f"{name}: {fields.phnum} program headers of {fields.phentsize} bytes; is the file damaged?")
    end = fields.phoff + fields.phnum * layout.size
    if end > size:
        raise ImageError(f"{name}: program headers end at {end:#x}, the file at {size:#x}")
    data = read(fields.phoff, fields.phnum * layout.size)
    if len(data) < fields.phnum * layout.size:
        raise ImageError(f"{name}: the file ends inside its program headers")
    return [layout.unpack(data, index * layout.size) for index in range(fields.phnum)]


def _take_header(image: Image, index: int, program: Any, read: Reader, size: int, name: str) -> None:
    """Add what one program header says to the image."""
    if program.type == PT_LOAD:
        if program.memsz or program.filesz:
            image.segments.append(_segment(image, index, program, size, name))
    elif program.type == PT_PHDR:
        image.header_address = program.vaddr
    elif program.type == PT_GNU_STACK:
        image.executable_stack = bool(program.flags & 1)
    elif program.type == PT_INTERP:
        if not 2 <= program.filesz <= MAX_INTERPRETER or program.offset + program.filesz > size:
            raise ImageError(f"{name}: the name of its loader is {program.filesz} bytes at {program.offset:#x}; is the file damaged?")
        path = read(program.offset, program.filesz)
        if not path.endswith(b"\0"):
            raise ImageError(f"{name}: the name of its loader does not end; is the file damaged?")
        image.interpreter = path[: path.index(0)]


def _segment(image: Image, index: int, program: Any, size: int, name: str) -> Segment:
    """Check one PT_LOAD header and return its segment."""
    end = program.offset + program.filesz
    where = f"{name}: segment {index}"
    if program.filesz > program.memsz:
        raise ImageError(f"{where} has {program.filesz:#x} bytes in the file for {program.memsz:#x} in memory")
    if program.filesz and end > size:
        raise ImageError(f"{where} ends at {end:#x}, the file at {size:#x}")
    if program.vaddr + program.memsz > 1 << image.bits:
        raise ImageError(f"{where} ends at {program.vaddr + program.memsz:#x}, past the address space")
    if program.filesz and (program.vaddr - program.offset) & 0xFFF:
        raise ImageError(f"{where} has address {program.vaddr:#x} and offset {program.offset:#x}, which cannot be mapped")
    if image.segments and program.vaddr < image.segments[-1].end:
        raise ImageError(f"{where} starts at {program.vaddr:#x}, before the end of the one before it")
    prot = sum(right for bit, right in _RIGHTS.items() if program.flags & bit)
    align = program.align if program.align and program.align & (program.align - 1) == 0 else 1
    return Segment(program.vaddr, program.memsz, program.offset, program.filesz, prot, align)


def _find_headers(image: Image, offset: int) -> int:
    """Return the address at which the program headers are loaded, 0 if they are not."""
    for segment in image.segments:
        if segment.offset <= offset < segment.offset + segment.file_size:
            return segment.address + offset - segment.offset
    return 0


def file_reader(fd: int) -> Reader:
    """Return a reader for an open file."""
    return lambda offset, length: os.pread(fd, length, offset)


def bytes_reader(blob: bytes) -> Reader:
    """Return a reader for bytes in memory."""
    return lambda offset, length: blob[offset : offset + length]


class Symbols:
    """Function and object names by address; values are as in the file (add the load bias)."""

    def __init__(self, rows: list[tuple[int, int, str]]) -> None:
        """Take (address, size, name) rows in any order."""
        rows.sort()
        self.rows = rows
        self._addresses = [row[0] for row in rows]

    def at(self, address: int) -> tuple[str, int] | None:
        """Return (name, offset) of the symbol that holds an address."""
        index = bisect_right(self._addresses, address) - 1
        if index < 0:
            return None
        start, size, name = self.rows[index]
        if size and address >= start + size:
            return None
        return name, address - start

    def address_of(self, name: str) -> int | None:
        """Return the address of a name."""
        return next((address for address, _, other in self.rows if other == name), None)


def read_symbols(read: Reader, size: int, name: str) -> Symbols:
    """Read .symtab, or .dynsym where there is none; damaged tables give no symbols."""
    try:
        return Symbols(_symbol_rows(ElfHeader(read, name), read, size))
    except (ImageError, struct.error, UnicodeDecodeError):
        return Symbols([])


def section_headers(header: ElfHeader, read: Reader, size: int) -> list[Any]:
    """Return the section headers; none if there are none or they are damaged (running needs none)."""
    fields, layout = header.fields, header.layouts.section
    length = fields.shnum * layout.size
    if fields.shentsize != layout.size or fields.shoff + length > size:
        return []
    table = read(fields.shoff, length)
    return [layout.unpack(table, index * layout.size) for index in range(min(fields.shnum, len(table) // layout.size))]


def _symbol_rows(header: ElfHeader, read: Reader, size: int) -> list[tuple[int, int, str]]:
    thumb = header.machine[0] == "arm"
    rows = []
    for symbol, text in raw_symbols(header, section_headers(header, read, size), read, size):
        if symbol.info & 15 <= STT_FUNC:
            value = symbol.value & ~1 if thumb and symbol.info & 15 == STT_FUNC else symbol.value
            rows.append((value, symbol.size, text))
    return rows


def raw_symbols(header: ElfHeader, sections: list[Any], read: Reader, size: int) -> Iterator[tuple[Any, str]]:
    """Yield (entry as in the file, name) of .symtab, or of .dynsym where there is none.

    Undefined and nameless entries and ARM's mapping symbols ($a $t $d) are left out.
    """
    for kind in (SHT_SYMTAB, SHT_DYNSYM):
        for section in sections:
            if section.type == kind and section.link < len(sections):
                yield from _read_table(header, section, sections[section.link], read, size)
                return


def _read_table(header: ElfHeader, section: Any, strings: Any, read: Reader, size: int) -> Iterator[tuple[Any, str]]:
    if section.offset + section.size > size or strings.offset + strings.size > size:
        return
    data, names = read(section.offset, section.size), read(strings.offset, strings.size)
    layout = header.layouts.symbol
    for offset in range(0, len(data) - layout.size + 1, layout.size):
        symbol = layout.unpack(data, offset)
        end = names.find(b"\0", symbol.name, symbol.name + MAX_NAME)
        if symbol.shndx == 0 or end < 0:
            continue
        text = names[symbol.name : end].decode("utf-8", "replace")
        if text and not text.startswith("$"):
            yield symbol, text


def describe(start: bytes) -> str:
    """Say what a file that is not ELF seems to be."""
    if not start:
        return "the file is empty"
    if start[:2] == b"#!":
        return "it is a script: run its interpreter"
    if start[:2] == b"MZ":
        return "it looks like a Windows program"
    if start[:4] in (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xfe\xed\xfa\xcf"):
        return "it looks like a macOS program"
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in start):
        return "it looks like text"
    return "its first bytes are " + start[:4].hex(" ")
