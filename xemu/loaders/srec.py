"""Motorola S-records: `Stllaaaa data cc`, address of two, three or four bytes by type.

Motorola, "M68000 Family Programmer's Reference Manual" (M68000PM/AD), appendix C, "S-Record Output Format".
"""

from __future__ import annotations

import re

from xemu.errors import ImageError
from xemu.loaders.formats import FirmwareImage, MiB, Request, loader, starts_text_record, text_lines
from xemu.loaders.pieces import Collector

ADDRESS_BYTES = {0: 2, 1: 2, 2: 3, 3: 4, 5: 2, 6: 3, 7: 4, 8: 3, 9: 2}  # by type; S4 is reserved


def _sniff(start: bytes) -> bool:
    return any(starts_text_record(start, b"S%d" % kind) for kind in range(10))


@loader("srec", "S-record file", limit=64 * MiB, sniff=_sniff, record=re.compile(rb"S[0-9][0-9A-Fa-f]{8,}[ \t]*[\r\n]"))
def load_srec(blob: bytes, name: str, _request: Request) -> FirmwareImage:
    """Read all records; ImageError names the line."""
    reader = SRecords(name)
    number = 0
    lines = text_lines(blob)
    for number, text in lines:
        reader.take(number, text)
        if reader.ended:
            rest = sum(1 for _ in lines)
            return reader.image(f"{rest} lines after the end record of line {number} are ignored" if rest else "")
    raise ImageError(f"{name}: no end record (S7, S8 or S9) after line {number}; is the file cut short?")


def parse_record(text: bytes, where: str) -> tuple[int, int, bytes]:
    """Return (type, address, data) of one line; ImageError if it is damaged."""
    if not text.startswith(b"S"):
        raise ImageError(f"{where}: a record starts with 'S', this line with {text[:1].decode('latin-1')!r}")
    kind = text[1] - 0x30 if len(text) > 1 else -1
    if kind not in ADDRESS_BYTES:
        raise ImageError(f"{where}: record type {text[:2].decode('latin-1')!r} is not known; is this an S-record file?")
    try:
        record = bytes.fromhex(text[2:].decode("ascii"))
    except ValueError:
        raise ImageError(f"{where}: not hexadecimal digits in pairs; is the file damaged?") from None
    data_at = 1 + ADDRESS_BYTES[kind]
    if not record or len(record) != record[0] + 1:
        said = f"its length byte says {record[0] + 1}" if record else f"at least {data_at + 1} are needed"
        raise ImageError(f"{where}: a record of {len(record)} bytes, but {said}; is the line cut short?")
    if len(record) < data_at + 1:
        raise ImageError(f"{where}: a record of type S{kind} has at least {data_at + 1} bytes, this one {len(record)}")
    if sum(record) & 0xFF != 0xFF:
        expected = ~sum(record[:-1]) & 0xFF
        raise ImageError(f"{where}: checksum {record[-1]:02X}, but the bytes before it give {expected:02X}; is the file damaged?")
    return kind, int.from_bytes(record[1:data_at], "big"), record[data_at:-1]


class SRecords:
    """The state between records: header text, number of data records, what was collected."""

    def __init__(self, name: str) -> None:
        """Start with nothing."""
        self.name = name
        self.collector = Collector(name, lambda number: f"line {number}")
        self.header = ""
        self.entry: int | None = None
        self.count = 0
        self.ended = False

    def take(self, number: int, text: bytes) -> None:
        """Process one line that is not blank."""
        where = f"{self.name}: line {number}"
        kind, address, data = parse_record(text, where)
        if kind > 3 and data:
            raise ImageError(f"{where}: a record of type S{kind} has no data, this one {len(data)} bytes; is the file damaged?")
        match kind:
            case 0: self.header = self.header or data.rstrip(b"\0 ").decode("latin-1")
            case 1 | 2 | 3:
                self.count += 1
                self.collector.add(address, data, number)
            case 5 | 6:
                if address != self.count:
                    raise ImageError(f"{where}: {address} data records announced, {self.count} read; is a part of the file missing?")
            case _: self.entry, self.ended = address, True

    def image(self, note: str) -> FirmwareImage:
        """Return what was read; ImageError if that is nothing."""
        pieces = self.collector.pieces()
        if not pieces:
            raise ImageError(f"{self.name}: no data in it")
        attributes: dict[str, int | str | list[int]] = {"header": self.header} if self.header else {}
        return FirmwareImage(self.name, "S-record", None, self.entry, pieces, attributes, [note] if note else [])
