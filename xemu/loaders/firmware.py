"""Firmware files of any format: bytes in, `FirmwareImage` out. Nothing here touches a CPU, memory or devices."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from xemu.errors import ImageError, NotFoundError
from xemu.loaders import elf_firmware, ihex, macho, raw, srec, uf2  # each registers its format
from xemu.loaders.formats import FORMATS, SNIFFED, FirmwareImage, Format, MiB, Request
from xemu.loaders.pieces import Piece

__all__ = ["FORMATS", "FirmwareImage", "Piece", "elf_firmware", "ihex", "load_bytes", "load_firmware", "macho", "raw", "srec", "uf2"]

NO_FILE = "no such file"


def load_firmware(path: str | os.PathLike[str], *, base: int | None = None, family: int | None = None) -> FirmwareImage:
    """Read a firmware file of any known format.

    `base` is the address of a raw binary's first byte; the other formats carry their addresses and refuse one.
    `family` chooses among the programs of a UF2 file that has several. NotFoundError if there is no such file,
    ImageError for all else that is wrong with it.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
                raise ImageError(f"{path}: not a regular file")
            start = file.read(SNIFFED)
            row = choose_format(start)
            size = os.fstat(file.fileno()).st_size
            rest = b"" if size > row.limit else file.read(row.limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"{path}: {NO_FILE}") from None
    except OSError as error:
        raise ImageError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except ValueError:  # a NUL in the name
        raise NotFoundError(f"{str(path)!r}: {NO_FILE}") from None
    if max(size, len(start) + len(rest)) > row.limit:
        shown = f"{size} bytes" if size > row.limit else "its data"
        raise ImageError(f"{path}: {shown} exceed the {row.limit // MiB} MiB that a {row.title} may have; is it the right file?")
    return load_bytes(start + rest, str(path), base=base, family=family)


def load_bytes(blob: bytes, name: str, *, base: int | None = None, family: int | None = None) -> FirmwareImage:
    """Read a firmware file that is in memory; `name` is for messages."""
    row = choose_format(blob[:SNIFFED])
    if base is not None and not row.surely(blob[:SNIFFED]):
        row = FORMATS["raw"]  # data that happens to begin with ':', say
    if base is not None and row.kind != "raw":
        raise ImageError(f"{name}: this is {_article(row.title)}, which says itself where it goes; leave out the address {base:#x}")
    return row.load(blob, name, Request(base, family))


def choose_format(start: bytes) -> Format:
    """Return the format that a file's first bytes show; raw if none does."""
    for row in FORMATS.values():
        if row.sniff(start):
            return row
    return FORMATS["raw"]


def _article(title: str) -> str:
    return f"an {title}" if title[0] in "AEIOS" else f"a {title}"
