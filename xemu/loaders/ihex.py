"""Intel HEX, and the Universal Hex of the micro:bit.

Intel, "Hexadecimal Object File Format Specification", revision A (1988): `:LLAAAATT data CC`. The Micro:bit
Foundation's "Universal Hex Format Specification" 0.4.0 adds record types 0A to 0E: the file has blocks for several
boards, and all but those for the board at hand are skipped.
"""

from __future__ import annotations

import re

from xemu.errors import ImageError
from xemu.loaders.formats import FirmwareImage, MiB, Request, loader, starts_text_record, text_lines
from xemu.loaders.pieces import Collector

MICROBIT_V1 = frozenset({0x9900, 0x9901})  # nRF51; 0x9903 to 0x9906 are V2 boards (nRF52)
BLOCK_MARK = b"\xc0\xde"
DATA, END, SEGMENT, START_SEGMENT, LINEAR, START_LINEAR = range(6)
BLOCK_START, BLOCK_END, PADDING, CUSTOM_DATA, OTHER_DATA = range(0x0A, 0x0F)
LENGTHS = {END: (0,), SEGMENT: (2,), START_SEGMENT: (4,), LINEAR: (2,), START_LINEAR: (4,), BLOCK_START: (4,)}


@loader(
    "ihex",
    "Intel HEX file",
    limit=64 * MiB,
    sniff=lambda start: starts_text_record(start, b":"),
    record=re.compile(rb":[0-9A-Fa-f]{10,}[ \t]*[\r\n]"),
)
def load_ihex(blob: bytes, name: str, _request: Request) -> FirmwareImage:
    """Read all records; ImageError names the line."""
    reader = IntelHex(name)
    number = 0
    lines = text_lines(blob)
    for number, text in lines:
        reader.take(number, text)
        if reader.ended:
            rest = sum(1 for _ in lines)
            return reader.image(f"{rest} lines after the end record of line {number} are ignored" if rest else "")
    raise ImageError(f"{name}: no end record (:00000001FF) after line {number}; is the file cut short?")


def parse_record(text: bytes, where: str) -> tuple[int, int, bytes]:
    """Return (address, type, data) of one line; ImageError if it is damaged."""
    if not text.startswith(b":"):
        raise ImageError(f"{where}: a record starts with ':', this line with {text[:1].decode('latin-1')!r}")
    try:
        record = bytes.fromhex(text[1:].decode("ascii"))
    except ValueError:
        raise ImageError(f"{where}: not hexadecimal digits in pairs; is the file damaged?") from None
    if len(record) < 5 or len(record) != record[0] + 5:
        said = f"its length byte says {record[0] + 5}" if record else "at least 5 are needed"
        raise ImageError(f"{where}: a record of {len(record)} bytes, but {said}; is the line cut short?")
    if sum(record) & 0xFF:
        expected = -sum(record[:-1]) & 0xFF
        raise ImageError(f"{where}: checksum {record[-1]:02X}, but the bytes before it give {expected:02X}; is the file damaged?")
    return record[1] << 8 | record[2], record[3], record[4:-1]


class IntelHex:
    """The state between records: address base, block of a Universal Hex, what was collected."""

    def __init__(self, name: str) -> None:
        """Start at address 0, as the format says."""
        self.name = name
        self.collector = Collector(name, lambda number: f"line {number}")
        self.base = 0
        self.segmented = False
        self.entry: int | None = None
        self.board: int | None = None  # of the block we are in
        self.boards: list[int] = []
        self.ended = False

    def take(self, number: int, text: bytes) -> None:
        """Process one line that is not blank."""
        where = f"{self.name}: line {number}"
        address, kind, data = parse_record(text, where)
        if kind in LENGTHS and len(data) not in LENGTHS[kind]:
            raise ImageError(f"{where}: a record of type {kind:02X} has {LENGTHS[kind][0]} data bytes, this one {len(data)}")
        match kind:
            case 0x00 | 0x0D: self._data(address, data, number)
            case 0x01: self.ended = True
            case 0x02: self.base, self.segmented = int.from_bytes(data, "big") << 4, True
            case 0x04: self.base, self.segmented = int.from_bytes(data, "big") << 16, False
            case 0x03: self._start((int.from_bytes(data[:2], "big") << 4) + int.from_bytes(data[2:], "big"))
            case 0x05: self._start(int.from_bytes(data, "big"))
            case 0x0A: self._block(data, where)
            case 0x0B: self.board = None
            case 0x0C | 0x0E: pass  # padding; whatever an editor wants to keep in the file
            case _: raise ImageError(f"{where}: record type {kind:02X} is not known; is this an Intel HEX file?")

    @property
    def wanted(self) -> bool:
        """Whether records here are for the board at hand (those outside blocks are for all)."""
        return self.board is None or self.board in MICROBIT_V1

    def _start(self, address: int) -> None:
        if self.wanted:
            self.entry = address

    def _block(self, data: bytes, where: str) -> None:
        if data[2:] != BLOCK_MARK:
            raise ImageError(f"{where}: a block of a Universal Hex starts with its board and C0DE, this one with {data.hex().upper()}")
        self.board = data[0] << 8 | data[1]
        if self.board not in self.boards:
            self.boards.append(self.board)

    def _data(self, address: int, data: bytes, number: int) -> None:
        if not self.wanted:
            return
        room = 0x10000 - address
        if self.segmented and len(data) > room:  # offsets wrap within a segment, linear addresses run on
            self.collector.add(self.base + address, data[:room], number)
            self.collector.add(self.base, data[room:], number)
        else:
            self.collector.add(self.base + address, data, number)

    def image(self, note: str) -> FirmwareImage:
        """Return what was read; ImageError if there is nothing for us."""
        pieces = self.collector.pieces()
        skipped = [board for board in self.boards if board not in MICROBIT_V1]
        if not pieces:
            if skipped:
                raise ImageError(f"{self.name}: a Universal Hex with blocks for {_names(skipped)} only; a micro:bit V1 needs 9900 or 9901")
            raise ImageError(f"{self.name}: no data in it")
        attributes: dict[str, int | str | list[int]] = {"boards": self.boards} if self.boards else {}
        notes = [note] if note else []
        if skipped:
            notes.append(f"blocks for {_names(skipped)} (micro:bit V2) are skipped")
        kind = "Universal Hex" if self.boards else "Intel HEX"
        return FirmwareImage(self.name, kind, None, self.entry, pieces, attributes, notes)


def _names(boards: list[int]) -> str:
    return "board " + ", ".join(f"{board:04X}" for board in boards)
