"""Separate debug information: found by build-id or .gnu_debuglink, where GDB looks.

GDB manual, "Debugging Information in Separate Files".
"""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

from xemu.debug.elffile import ElfFile
from xemu.errors import XemuError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PLACES = ("/usr/lib/debug",)
CHUNK = 1 << 20


def find_debug_file(elf: ElfFile, places: Sequence[str] | None = None) -> ElfFile | None:
    """Return the file with the debug information of another; `places` are directories like /usr/lib/debug, a sysroot's too."""
    where = PLACES if places is None else places
    build_id = elf.build_id
    if len(build_id) > 2:
        for place in where:
            found = _open(os.path.join(place, ".build-id", build_id[:2], build_id[2:] + ".debug"))
            if found is not None and found.build_id == build_id:
                return found
    link = elf.debug_link
    if link is None:
        return None
    name, checksum = link
    if "/" in name or name in (".", ".."):
        elf.note(f".gnu_debuglink names {name!r}, which is not a file name")
        return None
    for path in _link_paths(elf.path, name, where):
        if path == elf.path:
            continue
        found = _open(path)
        if found is None:
            continue
        if found.build_id == build_id if build_id and found.build_id else _checksum(found) == checksum:
            return found
        elf.note(f"{path} is not the debug information of {elf.name}: they were built separately")
    return None


def _link_paths(path: str | None, name: str, places: Sequence[str]) -> Iterator[str]:
    if path is None:
        return
    directory = os.path.dirname(os.path.realpath(path))
    yield os.path.join(directory, name)
    yield os.path.join(directory, ".debug", name)
    for place in places:
        yield os.path.join(place, directory.lstrip("/"), name)
        root = os.path.dirname(os.path.dirname(os.path.dirname(place)))    # SYSROOT of SYSROOT/usr/lib/debug
        if root != "/" and directory.startswith(root + "/"):
            yield os.path.join(place, directory[len(root) + 1 :], name)


def _open(path: str) -> ElfFile | None:
    try:
        return ElfFile.open(path)
    except XemuError:
        return None


def _checksum(elf: ElfFile) -> int:
    """Return the CRC-32 of a whole file."""
    value = offset = 0
    while chunk := elf.read_file(offset, CHUNK):
        value = zlib.crc32(chunk, value)
        offset += len(chunk)
    return value
