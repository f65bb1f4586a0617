"""Mach-O firmware: segments and names, and one line for each file that is none."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tests.support.boot import FIRMWARE, boot
from xemu.errors import ImageError
from xemu.loaders.firmware import load_bytes, load_firmware

if TYPE_CHECKING:
    from pathlib import Path

ARM, X86, OBJECT, PRELOAD = 12, 7, 1, 5
STATION = load_firmware(FIRMWARE / "mps2-an385/station.elf")
CODE = STATION.pieces[0].data


def macho(cpu: int = ARM, kind: int = PRELOAD, segments: dict[str, tuple[int, bytes, int]] | None = None,
          symbols: dict[str, tuple[int, int]] | None = None) -> bytes:
    """Return a file of segments {name: (address, data, size)} and symbols {name: (address, n_type)}."""
    segments, symbols = segments or {"__TEXT": (0, CODE, len(CODE))}, symbols or {}
    commands, data = b"", b""
    head = 28 + 56 * len(segments) + 24
    for name, (address, content, size) in segments.items():
        commands += struct.pack("<II16s8I", 1, 56, name.encode(), address, size, head + len(data), len(content), 7, 7, 0, 0)
        data += content
    names, rows = b"\0", b""
    for name, (address, form) in symbols.items():
        rows += struct.pack("<IBBHI", len(names), form, 1, 8, address)
        names += name.encode() + b"\0"
    at = head + len(data)
    commands += struct.pack("<6I", 2, 24, at, len(symbols), at + len(rows), len(names))
    return struct.pack("<7I", 0xFEEDFACE, cpu, 9, kind, len(segments) + 1, len(commands), 0) + commands + data + rows + names


def test_segments_and_names() -> None:
    segments = {"__DATA": (0x2000_0000, b"data", 16), "__TEXT": (0x100, b"codecode", 8), "__ZERO": (0, b"", 64)}
    symbols = {"_main": (0x101, 0x0F), "_local": (0x104, 0x0E), "_elsewhere": (0, 0x01), "_stab": (0x100, 0x24)}
    image = load_bytes(macho(segments=segments, symbols=symbols), "f")
    assert [(piece.address, piece.data, piece.size) for piece in image.pieces] == [(0x100, b"codecode", 8), (0x2000_0000, b"data", 16)]
    assert (image.kind, image.arch) == ("Mach-O", "arm")
    assert [(s.name, s.address, s.rank) for s in image.symbols.symbols] == [("main", 0x100, 0), ("local", 0x104, 2)]


def test_it_boots_like_the_same_elf(tmp_path: Path) -> None:
    elf, file = FIRMWARE / "mps2-an385/station.elf", tmp_path / "station"
    file.write_bytes(macho(symbols={f"_{s.name}": (s.address, 0x0F) for s in STATION.symbols.symbols if s.kind == "function"}))
    runs = [boot("--machine", "mps2-an385", "--trace-hash", image) for image in (elf, file)]
    assert runs[0].code == runs[1].code
    assert runs[0].stdout == runs[1].stdout
    assert "unexpected exception" in runs[1].stdout
    assert runs[0].stderr == runs[1].stderr


@pytest.mark.parametrize(("blob", "message"), [
    (macho(kind=OBJECT), r"f: a Mach-O file that is not linked for an address \(file type 1\)"),
    (macho(cpu=X86), r"f: a Mach-O file for another processor \(CPU type 7\); boards are ARM"),
    (macho(segments={"__ZERO": (0, b"", 64)}), "f: a Mach-O file with no segment to load"),
    (macho()[:20], "f: the file ends inside its Mach-O header"),
    (macho()[:60], "f: a Mach-O file that cannot be read; is it damaged"),
    (macho()[:600], "f: segment __TEXT ends behind the file; is it cut short"),
    (b"\xcf\xfa\xed\xfe" + bytes(100), "it looks like a macOS program")])
def test_what_is_wrong_is_said(blob: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        load_bytes(blob, "f")
