"""Mach-O: firmware as Apple's linker makes it, such as Embedded Swift's for Cortex-M. lief reads the file.

Segments are taken where they run (Mach-O has no second address for where they are stored). OS X ABI Mach-O File Format Reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.layout import Layout
from xemu.errors import ImageError
from xemu.loaders.formats import FirmwareImage, MiB, Request, loader
from xemu.loaders.pieces import Piece

if TYPE_CHECKING:
    from xemu.loaders.symbols import SymbolTable

HEADER = Layout("magic:I processor:I model:I kind:I commands:I size:I flags:I")
MAGIC = b"\xce\xfa\xed\xfe"      # MH_MAGIC, 32 bits, little-endian
ARM = 12                         # CPU_TYPE_ARM
LINKED = (2, 5)                  # MH_EXECUTE, MH_PRELOAD
LINKEDIT = "__LINKEDIT"          # the linker's own tables
STABS = 0xE0                     # N_STAB: an entry for debuggers
DEFINED = 0x0E                   # N_SECT, of N_TYPE
EXTERNAL = 0x01                  # N_EXT


@loader("macho", "Mach-O file", limit=64 * MiB, sniff=lambda start: start.startswith(MAGIC))
def load_macho(blob: bytes, name: str, request: Request) -> FirmwareImage:
    """Read the segments; ImageError for what is not linked, not for ARM, or damaged."""
    del request
    if len(blob) < HEADER.size:
        raise ImageError(f"{name}: the file ends inside its Mach-O header")
    header = HEADER.unpack(blob, 0)
    if header.processor != ARM:
        raise ImageError(f"{name}: a Mach-O file for another processor (CPU type {header.processor}); boards are ARM")
    if header.kind not in LINKED:
        raise ImageError(f"{name}: a Mach-O file that is not linked for an address (file type {header.kind})")
    import lief

    lief.logging.disable()
    found = lief.MachO.parse(blob)
    file = found.at(0) if found is not None else None
    if file is None or len(file.commands) != header.commands:
        raise ImageError(f"{name}: a Mach-O file that cannot be read; is it damaged?")
    pieces = sorted(_piece(segment, name) for segment in file.segments if segment.file_size and segment.name != LINKEDIT)
    if not pieces:
        raise ImageError(f"{name}: a Mach-O file with no segment to load")
    return FirmwareImage(name, "Mach-O", "arm", None, pieces, read_symbols=lambda: _symbols(file, pieces))


def _piece(segment: Any, name: str) -> Piece:
    data = bytes(segment.content)
    if len(data) != segment.file_size:
        raise ImageError(f"{name}: segment {segment.name} ends behind the file; is it cut short?")
    return Piece(segment.virtual_address, data[:segment.virtual_size], segment.virtual_size)


def _symbols(file: Any, pieces: list[Piece]) -> SymbolTable:
    """Return the names of what is loaded, as they are in C: without the underscore."""
    from xemu.loaders.symbols import Symbol, SymbolTable

    found = []
    for row in file.symbols:
        piece = next((piece for piece in pieces if piece.address <= row.value < piece.end), None)
        if piece is not None and not row.raw_type & STABS and row.raw_type & DEFINED == DEFINED:
            rank = 0 if row.raw_type & EXTERNAL else 2
            found.append(Symbol(row.value & ~1, 0, str(row.name).removeprefix("_"), "label", rank, piece.end))
    return SymbolTable(found)
