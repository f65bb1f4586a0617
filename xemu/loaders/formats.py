"""The table of firmware formats, and what each of their readers returns."""

from __future__ import annotations

import io
import re  # noqa: TC003  (annotations of dataclass fields)
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xemu.loaders.pieces import Piece
    from xemu.loaders.symbols import SymbolTable

MiB = 1 << 20


@dataclass
class FirmwareImage:
    """A firmware file as data: what is to be placed where, and what the file says about itself.

    `arch` is xemu's name of the instruction set ("arm"), None where the format does not say. `entry` is the start
    address as the file gives it (Thumb bit included), None if it gives none; Cortex-M starts from its vector table
    all the same. `attributes` holds format-specific facts ("e_flags", "Tag_CPU_arch", "header", "families");
    `notes` are sentences a user should see (what was skipped, and why).
    """

    name: str
    kind: str
    arch: str | None
    entry: int | None
    pieces: list[Piece]
    attributes: dict[str, int | str | list[int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    bits: int = 32
    order: str = "<"
    read_symbols: Callable[[], SymbolTable] | None = field(default=None, repr=False)

    @cached_property
    def symbols(self) -> SymbolTable:
        """The names in the file, read when first asked for; empty where the format has none."""
        from xemu.loaders.symbols import SymbolTable

        read, self.read_symbols = self.read_symbols, None  # the reader holds the file's bytes
        return read() if read else SymbolTable([])

    @property
    def size(self) -> int:
        """How many bytes the file itself gives."""
        return sum(len(piece.data) for piece in self.pieces)

    def read(self, address: int, length: int) -> bytes | None:
        """Return bytes that the file gives for an address range, None if it does not give all of them."""
        for piece in self.pieces:
            if piece.address <= address and address + length <= piece.address + len(piece.data):
                return piece.data[address - piece.address : address - piece.address + length]
        return None

    def word(self, address: int) -> int | None:
        """Return the 32-bit word at an address, None if the file does not give it."""
        data = self.read(address, 4)
        return None if data is None else int.from_bytes(data, "little" if self.order == "<" else "big")

    def __repr__(self) -> str:
        """Show what matters."""
        arch = f" {self.attributes.get('architecture', self.arch)}" if self.arch else ""
        entry = "" if self.entry is None else f" entry={self.entry:#x}"
        shown = ", ".join(map(repr, self.pieces[:8])) + (", …" if len(self.pieces) > 8 else "")
        return f"<FirmwareImage {self.name!r} {self.kind}{arch}{entry} {self.size:#x} bytes: [{shown}]>"


@dataclass(frozen=True)
class Request:
    """What the user asked for beside the file: where a raw image goes, which family of a UF2 file."""

    base: int | None = None
    family: int | None = None


@dataclass(frozen=True)
class Format:
    """A row of the table."""

    kind: str
    title: str  # as in "this is an Intel HEX file"
    limit: int  # bytes; larger files are refused before they are read
    sniff: Callable[[bytes], bool]  # is it this format? gets the first SNIFFED bytes
    load: Callable[[bytes, str, Request], FirmwareImage]  # (bytes, name for messages, request); ImageError
    record: re.Pattern[bytes] | None = None  # text formats: what the first line looks like in a sound file

    def surely(self, start: bytes) -> bool:
        """Whether a file that sniffs like this format is to be taken for it even if the user treats it as raw bytes."""
        return self.record is None or bool(self.record.match(_text(start)))


SNIFFED = 1024
FORMATS: dict[str, Format] = {}


def loader(
    kind: str, title: str, *, limit: int, sniff: Callable[[bytes], bool], record: re.Pattern[bytes] | None = None
) -> Callable[[Callable[[bytes, str, Request], FirmwareImage]], Callable[[bytes, str, Request], FirmwareImage]]:
    """Register a reader; formats are tried in the order of registration."""

    def register(load: Callable[[bytes, str, Request], FirmwareImage]) -> Callable[[bytes, str, Request], FirmwareImage]:
        FORMATS[kind] = Format(kind, title, limit, sniff, load, record)
        return load

    return register


def starts_text_record(start: bytes, mark: bytes) -> bool:
    """Whether a file begins, after blank lines, with `mark` and goes on as text.

    Deliberately generous: a damaged file of records is to be reported with its line number, not taken for raw bytes.
    """
    text = _text(start)[:64].rstrip(b"\0\x1a")
    return text.startswith(mark) and all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in text)


def text_lines(blob: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (line number, text) of all lines that hold something; any line ends, and padding that tools leave, are fine."""
    text = blob.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for number, line in enumerate(io.BytesIO(text), 1):
        if kept := line.strip(b" \t\n\0\x1a"):
            yield number, kept


def _text(start: bytes) -> bytes:
    return start.removeprefix(b"\xef\xbb\xbf").lstrip()
