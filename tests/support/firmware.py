"""Writers of firmware formats: what the readers are tested against."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Records = list[tuple[int, bytes]]  # (address, data) in file order


def ihex_line(kind: int, data: bytes = b"", address: int = 0) -> str:
    """Return one Intel HEX record with its line end."""
    record = bytes([len(data), address >> 8, address & 0xFF, kind]) + data
    return f":{(record + bytes([-sum(record) & 0xFF])).hex().upper()}\n"


def ihex(records: Records, *, entry: int | None = None, end: bool = True) -> bytes:
    """Return an Intel HEX file with linear addresses; records may have up to 255 bytes."""
    lines, upper = [], 0
    for address, data in records:
        if address >> 16 != upper:
            upper = address >> 16
            lines.append(ihex_line(4, upper.to_bytes(2, "big")))
        lines.append(ihex_line(0, data, address & 0xFFFF))
    if entry is not None:
        lines.append(ihex_line(5, entry.to_bytes(4, "big")))
    return "".join([*lines, ihex_line(1) if end else ""]).encode()


def universal_hex(blocks: Iterable[tuple[int, Records]]) -> bytes:
    """Return a Universal Hex; data of boards other than V1 is in records of type 0D, as the specification wants it."""
    lines = []
    for board, records in blocks:
        kind = 0x00 if board in (0x9900, 0x9901) else 0x0D
        lines += [ihex_line(4, b"\0\0"), ihex_line(0x0A, board.to_bytes(2, "big") + b"\xc0\xde")]
        for address, data in records:
            lines += [ihex_line(4, (address >> 16).to_bytes(2, "big")), ihex_line(kind, data, address & 0xFFFF)]
        lines += [ihex_line(0x0C, b"\xff" * 16), ihex_line(0x0B, b"\xff" * 4)]
    return "".join([*lines, ihex_line(1)]).encode()


def srec_line(kind: int, address: int, data: bytes = b"") -> str:
    """Return one S-record with its line end."""
    width = {0: 2, 1: 2, 2: 3, 3: 4, 5: 2, 6: 3, 7: 4, 8: 3, 9: 2}[kind]
    body = address.to_bytes(width, "big") + data
    record = bytes([len(body) + 1]) + body
    return f"S{kind}{(record + bytes([~sum(record) & 0xFF])).hex().upper()}\n"


def srec(records: Records, *, kind: int = 3, entry: int = 0, header: bytes = b"") -> bytes:
    """Return an S-record file with S1, S2 or S3 records, a count and an end record."""
    lines = [srec_line(0, 0, header)] if header else []
    lines += [srec_line(kind, address, data) for address, data in records]
    lines += [srec_line(5, len(records)), srec_line(10 - kind, entry)]
    return "".join(lines).encode()


def uf2_block(
    address: int, data: bytes, number: int, count: int, *, flags: int = 0, family: int = 0, tail: bytes = b""
) -> bytes:
    """Return one block; `tail` goes to the end of its data area."""
    head = struct.pack("<8I", 0x0A324655, 0x9E5D5157, flags, address, len(data), number, count, family)
    return head + data + bytes(476 - len(data) - len(tail)) + tail + struct.pack("<I", 0x0AB16F30)


def uf2(records: Records, *, family: int | None = None) -> bytes:
    """Return a UF2 file; blocks are numbered in the order given."""
    flags = 0 if family is None else 0x2000
    return b"".join(
        uf2_block(address, data, number, len(records), flags=flags, family=family or 0)
        for number, (address, data) in enumerate(records)
    )


def elf(
    segments: list[tuple[int, int, bytes, int]], *, entry: int = 0, machine: int = 40, bits: int = 32, order: str = "<", kind: int = 2
) -> bytes:
    """Return an ELF file; a segment is (vaddr, paddr, data, size in memory)."""
    word, head_size, program_size = ("I", 52, 32) if bits == 32 else ("Q", 64, 56)
    ident = b"\x7fELF" + bytes([bits // 32, 1 if order == "<" else 2, 1]) + bytes(9)
    head = ident + struct.pack(
        f"{order}HHI{word * 3}IHHHHHH", kind, machine, 1, entry, head_size, 0, 0x05000200, head_size, program_size, len(segments), 40, 0, 0
    )
    offset, programs, bodies = head_size + program_size * len(segments), b"", b""
    for vaddr, paddr, data, size in segments:
        place = offset + len(bodies)
        if bits == 32:
            programs += struct.pack(order + "8I", 1, place, vaddr, paddr, len(data), size, 7, 4)
        else:
            programs += struct.pack(order + "IIQQQQQQ", 1, 7, place, vaddr, paddr, len(data), size, 4)
        bodies += data
    return head + programs + bodies


def arm_attributes(pairs: bytes) -> bytes:
    """Return the contents of .ARM.attributes with file-wide attributes given as encoded tags and values."""
    inner = b"\x01" + struct.pack("<I", 5 + len(pairs)) + pairs
    vendor = b"aeabi\0" + inner
    return b"A" + struct.pack("<I", 4 + len(vendor)) + vendor
