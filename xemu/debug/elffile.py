"""An ELF file as a debugger needs it: sections on demand (compressed ones too), contents by address, build-id.

System V ABI edition 4.1, chapters 4 and 5; "Section Compression" of the generic ABI. Nothing is read before it is asked for.
"""

from __future__ import annotations

import os
import struct
import weakref
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.errors import ImageError, NotFoundError
from xemu.loaders.elf import ElfHeader, bytes_reader, program_headers, section_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.loaders.elf import Reader

SHT_NOBITS, SHT_NOTE, SHT_ARM_EXIDX = 8, 7, 0x70000001
SHF_ALLOC, SHF_EXECINSTR, SHF_COMPRESSED = 2, 4, 1 << 11
PF_X = 1
PT_LOAD, PT_NOTE, PT_ARM_EXIDX = 1, 4, 0x70000001
NT_GNU_BUILD_ID = 3
ELFCOMPRESS_ZLIB = 1
MAX_UNPACKED = 1 << 29     # bytes of a section after decompression
PLAIN = 1 << 20            # a section may always become as large as this …
MAX_RATIO = 200            # … and larger if it was not squeezed more than this (text of DWARF: 3 to 10)


class Section(NamedTuple):
    """A section header with its name."""

    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    align: int


class Segment(NamedTuple):
    """A program header."""

    type: int
    address: int
    offset: int
    file_size: int
    size: int
    flags: int


class ElfFile:
    """One file; addresses are as in the file. Damage is a note in `problems` and nothing where the damage is."""

    def __init__(self, read: Reader, size: int, name: str, path: str | None = None) -> None:
        """Read the headers; ImageError if it is no ELF file."""
        self.read_file, self.size, self.name, self.path = read, size, name, path
        self.header = ElfHeader(read, name)
        self.bits = self.header.bits
        self.order = self.header.order
        self.machine = self.header.machine[0]
        self.problems: list[str] = []
        self.sections = self._read_sections()
        self.segments = self._read_segments()
        self._unpacked: dict[str, bytes] = {}

    @classmethod
    def open(cls, source: bytes | str | os.PathLike[str], name: str | None = None) -> ElfFile:
        """Open a path, or take a file's bytes; NotFoundError, ImageError."""
        if isinstance(source, (bytes, bytearray, memoryview)):
            blob = bytes(source)
            return cls(bytes_reader(blob), len(blob), name or "memory")
        path = os.fspath(source)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFoundError(f"{path}: no such file") from None
        except OSError as error:
            raise ImageError(f"{path}: {(error.strerror or str(error)).lower()}") from None
        try:
            elf = cls(_reader(fd), os.fstat(fd).st_size, name or path, path)
        except BaseException:
            os.close(fd)
            raise
        weakref.finalize(elf, os.close, fd)
        return elf

    def note(self, text: str) -> None:
        """Remember a problem, once."""
        if text not in self.problems and len(self.problems) < 100:
            self.problems.append(text)

    # -- sections ----------------------------------------------------------------------------------------------------------
    def _read_sections(self) -> dict[str, Section]:
        """Return the sections by name; of several with one name, the first."""
        try:
            headers = section_headers(self.header, self.read_file, self.size)
        except struct.error:
            headers = []
        index = self.header.fields.shstrndx
        names = self._raw(headers[index].offset, headers[index].size) if index < len(headers) else b""
        found: dict[str, Section] = {}
        for entry in headers:
            end = names.find(b"\0", entry.name)
            name = names[entry.name : end if end >= 0 else len(names)].decode("utf-8", "replace")
            found.setdefault(name, Section(name, entry.type, entry.flags, entry.addr, entry.offset, entry.size, entry.link,
                                           entry.addralign))  # fmt: skip
        return found

    def _read_segments(self) -> list[Segment]:
        try:
            headers = program_headers(self.header, self.read_file, self.size)
        except (ImageError, struct.error):
            return []
        return [Segment(p.type, p.vaddr, p.offset, p.filesz, p.memsz, p.flags) for p in headers]

    def _raw(self, offset: int, size: int) -> bytes:
        if offset >= self.size:
            return b""
        return self.read_file(offset, min(size, self.size - offset))

    def has(self, name: str) -> bool:
        """Whether the file has a section with contents, compressed or not."""
        section = self.sections.get(name) or self.sections.get(_old_name(name))
        return section is not None and section.type != SHT_NOBITS and section.size > 0

    def data(self, name: str) -> bytes:
        """Return the contents of a section, uncompressed; nothing where it is missing or damaged."""
        known = self._unpacked.get(name)
        if known is None:
            known = self._unpacked[name] = self._load(name)
        return known

    def _load(self, name: str) -> bytes:
        section = self.sections.get(name)
        old = section is None
        if section is None:
            section = self.sections.get(_old_name(name))
        if section is None or section.type == SHT_NOBITS:
            return b""
        data = self._raw(section.offset, section.size)
        if len(data) < section.size:
            self.note(f"{section.name}: the file ends inside it")
        if old:
            if data[:4] == b"ZLIB" and len(data) >= 12:
                return self._inflate(section.name, data[12:], int.from_bytes(data[4:12], "big"))
            return data
        if section.flags & SHF_COMPRESSED:
            return self._decompress(section.name, data)
        return data

    def _decompress(self, name: str, data: bytes) -> bytes:
        """Return what follows a compression header (generic ABI, Elf32_Chdr and Elf64_Chdr)."""
        layout = struct.Struct(self.order + ("III" if self.bits == 32 else "I4xQQ"))
        if len(data) < layout.size:
            self.note(f"{name}: cut short")
            return b""
        kind, size, _ = layout.unpack_from(data)
        if kind != ELFCOMPRESS_ZLIB:
            self.note(f"{name}: compressed in a way xemu does not know ({'Zstandard' if kind == 2 else kind})")
            return b""
        return self._inflate(name, data[layout.size :], size)

    def _inflate(self, name: str, data: bytes, size: int) -> bytes:
        if size > MAX_UNPACKED or size > max(PLAIN, MAX_RATIO * len(data)):
            self.note(f"{name}: {size} bytes out of {len(data)}; is the file damaged?")
            return b""
        try:
            result = zlib.decompressobj().decompress(data, size) if size else b""
        except zlib.error as error:
            self.note(f"{name}: {error}")
            return b""
        if len(result) < size:
            self.note(f"{name}: the compressed data end early")
        return result

    # -- contents by address -----------------------------------------------------------------------------------------------
    def read(self, address: int, length: int) -> bytes | None:
        """Return what memory has at an address when the file has been loaded; None where it has nothing."""
        for segment in self.segments:
            start = address - segment.address
            if segment.type != PT_LOAD or start < 0 or start + length > segment.size or length > MAX_UNPACKED:
                continue
            size = max(0, min(length, segment.file_size - start))
            data = self._raw(segment.offset + start, size) if size else b""
            return data.ljust(length, b"\0") if len(data) == size else None
        return None

    def loaded(self) -> list[tuple[int, int]]:
        """Return (start, end) of what is loaded: of segments, or of sections where there are none."""
        found = [(s.address, s.address + s.size) for s in self.segments if s.type == PT_LOAD and s.size]
        if not found:
            found = [(s.address, s.address + s.size) for s in self.sections.values() if s.flags & SHF_ALLOC and s.size]
        return sorted(found)

    def code(self) -> list[tuple[int, int]]:
        """Return (start, end) of what can be executed: of sections, or of segments where there are none."""
        found = [(s.address, s.address + s.size) for s in self.sections.values() if s.flags & (SHF_ALLOC | SHF_EXECINSTR) == 6 and s.size]
        return found or [(s.address, s.address + s.size) for s in self.segments if s.type == PT_LOAD and s.flags & PF_X]

    # -- notes -------------------------------------------------------------------------------------------------------------
    @property
    def build_id(self) -> str:
        """The build-id in hexadecimal; empty if there is none."""
        data = self.data(".note.gnu.build-id")
        found = self._build_id_in(data)
        for segment in self.segments:
            if not found and segment.type == PT_NOTE:
                found = self._build_id_in(self._raw(segment.offset, min(segment.file_size, 1 << 16)))
        return found

    def _build_id_in(self, data: bytes) -> str:
        at = 0
        while at + 12 <= len(data):
            name_size, size, kind = struct.unpack_from(self.order + "III", data, at)
            name = data[at + 12 : at + 12 + name_size]
            start = at + 12 + (name_size + 3 & ~3)
            if kind == NT_GNU_BUILD_ID and name == b"GNU\0" and 0 < size <= 64:
                return data[start : start + size].hex()
            at = start + (size + 3 & ~3)
        return ""

    @property
    def debug_link(self) -> tuple[str, int] | None:
        """The name and CRC-32 of the file with the debug information (.gnu_debuglink)."""
        data = self.data(".gnu_debuglink")
        end = data.find(b"\0")
        if end <= 0 or len(data) < (end + 4 & ~3) + 4:
            return None
        return data[:end].decode("utf-8", "replace"), struct.unpack_from(self.order + "I", data, end + 4 & ~3)[0]


def _old_name(name: str) -> str:
    """Return the name of a section compressed as GNU tools did before the ABI had a way (.zdebug_info)."""
    return ".z" + name[1:]


def _reader(fd: int) -> Callable[[int, int], bytes]:
    def read(offset: int, length: int) -> bytes:
        if length <= 0:
            return b""
        try:
            return os.pread(fd, length, offset)
        except (OSError, OverflowError):
            return b""

    return read


def section_rows(elf: ElfFile, name: str) -> list[Any]:
    """Return the entries of a symbol table as tuples (System V ABI, "Symbol Table"): name value size info other shndx."""
    layout = struct.Struct(elf.order + ("IIIBBH" if elf.bits == 32 else "IBBHQQ"))
    data = elf.data(name)
    rows = layout.iter_unpack(data[: len(data) - len(data) % layout.size])
    return list(rows) if elf.bits == 32 else [(n, value, size, info, other, index) for n, info, other, index, value, size in rows]
