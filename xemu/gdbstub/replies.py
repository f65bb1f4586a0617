"""Small pieces of reply text."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

OK = "OK"
_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})
_UNPRINTABLE = dict.fromkeys([*range(9), 11, 12, *range(14, 32)], "?")


def hexed(text: str | bytes) -> str:
    """Return text as hex digits."""
    return (text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text).hex()


def register_text(value: int | None, size: int, *, big: bool = False) -> str:
    """Return a register in the guest's byte order; `x` where it cannot be read."""
    if value is None:
        return "xx" * size
    return (value & ((1 << 8 * size) - 1)).to_bytes(size, "big" if big else "little").hex()


def chunk(data: bytes, offset: int, length: int) -> bytes:
    """Return a piece of an object for a qXfer packet: `m` and data where more follows, else `l`."""
    piece = data[offset:offset + length]
    return (b"m" if offset + len(piece) < len(data) else b"l") + piece


def escape(text: str) -> str:
    """Return text as XML has it; what XML cannot have becomes a question mark."""
    return text.translate(_UNPRINTABLE).translate(_MARKUP).encode("utf-8", "replace").decode()


def quoteattr(text: str) -> str:
    """Return text as the value of an attribute."""
    return f'"{escape(text)}"'


def element(name: str, attributes: dict[str, Any], text: str = "") -> str:
    """Return an XML element."""
    words = "".join(f" {key}={quoteattr(str(value))}" for key, value in attributes.items() if value is not None)
    return f"<{name}{words}>{escape(text)}</{name}>" if text else f"<{name}{words}/>"


def document(name: str, body: Iterable[str], attributes: str = "", doctype: str = "") -> str:
    """Return an XML document."""
    head = '<?xml version="1.0"?>\n' + (f'<!DOCTYPE {name} SYSTEM "{doctype}">\n' if doctype else "")
    return head + f"<{name}{' ' * bool(attributes)}{attributes}>\n" + "\n".join(body) + f"\n</{name}>\n"


def osdata(kind: str, rows: Iterable[dict[str, Any]]) -> str:
    """Return a table as `info os` reads it."""
    items = ["<item>" + "".join(f"<column name={quoteattr(str(key))}>{escape(str(value))}</column>" for key, value in row.items())
             + "</item>" for row in rows]
    return document("osdata", items, f"type={quoteattr(kind)}", "osdata.dtd")


STAT = struct.Struct(">IIIIIIIQQQIII")      # struct stat of the File-I/O protocol, appendix E.13.8


def stat_bytes(status: Any) -> bytes:
    """Return what vFile:fstat answers; fields that do not fit are cut."""
    low = 0xFFFF_FFFF
    return STAT.pack(status.st_dev & low, status.st_ino & low, status.st_mode, status.st_nlink & low, status.st_uid & low,
                     status.st_gid & low, status.st_rdev & low, status.st_size, status.st_blksize, status.st_blocks,
                     int(status.st_atime) & low, int(status.st_mtime) & low, int(status.st_ctime) & low)
