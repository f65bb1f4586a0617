"""Raw binary: bytes that go to an address the user names."""

from __future__ import annotations

from xemu.errors import ImageError
from xemu.loaders.formats import FirmwareImage, MiB, Request, loader
from xemu.loaders.pieces import SPACE_END, Piece


@loader("raw", "raw binary", limit=256 * MiB, sniff=lambda _start: False)  # never guessed: it is what is left over
def load_raw(blob: bytes, name: str, request: Request) -> FirmwareImage:
    """Put all bytes at `request.base`."""
    base = request.base
    if base is None:
        raise ImageError(f"{name}: {what_it_is_not(blob)}; of a raw binary say where it goes (--base ADDRESS)")
    if not blob:
        raise ImageError(f"{name}: the file is empty")
    if base < 0 or base + len(blob) > SPACE_END:
        raise ImageError(f"{name}: {len(blob):#x} bytes do not fit at {base:#x}")
    bits = 32 if base + len(blob) <= 1 << 32 else 64
    return FirmwareImage(name, "raw", None, None, [Piece(base, blob, len(blob))], bits=bits)


def what_it_is_not(blob: bytes) -> str:
    """Say what was looked for and what the file starts with."""
    from xemu.loaders.elf import describe

    return f"not ELF, Intel HEX, S-record, UF2 or Mach-O ({describe(blob[:64])})"
