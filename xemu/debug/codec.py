"""Values as bytes: what recordings are made of. Not pickle: reading makes plain values and five kinds of records, and runs no code.

A value is a tag byte and what the tag says; numbers of bytes and of elements are variable-length integers, seven bits a byte,
the lowest first. Bytes of PIECE or more that came before are not written again.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.core.memory import Area
from xemu.debug.episodes import NOTES, Episode
from xemu.debug.history import Saved
from xemu.debug.stops import Position
from xemu.errors import XemuError
from xemu.hw.door import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

(NONE, TRUE, FALSE, INT, NEGATIVE, FLOAT, STR, BYTES, PIECE_NEW, PIECE_KNOWN, LIST, TUPLE, DICT, RECORD) = range(14)
SMALL = 64               # tags from here on are the integers 0 to 191
PIECE = 64               # bytes
DEPTH = 40               # containers inside each other
WORDS = {LIST: "list", TUPLE: "tuple", DICT: "dict", RECORD: "record"}
AS_HOST = "surrogateescape"                      # names of files need not be UTF-8
VALUE = 64               # bytes that a value takes in memory, about


class DamagedError(XemuError):
    """Bytes that are no value."""


class Kind(NamedTuple):
    """How a record is written. `fields`: a letter each, as in CHECKS."""

    type: type
    fields: str
    take: Callable[[Any], tuple[Any, ...]]
    make: Callable[..., Any]


def _ranges(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(p, tuple) and len(p) == 2 and _natural(p[0]) and _natural(p[1]) for p in value)


def _writes(value: Any) -> bool:
    return isinstance(value, tuple) and all(_write(p) for p in value)


def _write(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and _natural(value[0]) and isinstance(value[1], bytes)


def _notes(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(p, tuple) and len(p) == 2 and p[0] in NOTES and _natural(p[1]) for p in value)


def _natural(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 1 << 64


#: letter -> whether a field is what it should be
CHECKS: dict[str, Callable[[Any], bool]] = {
    "n": _natural, "s": lambda v: isinstance(v, str), "b": lambda v: isinstance(v, bool), "v": lambda _v: True,
    "r": _ranges, "w": _writes, "d": lambda v: v is None or _write(v), "p": lambda v: isinstance(v, Position),
    "t": lambda v: v is None or (isinstance(v, tuple) and all(map(_natural, v))),
    "a": lambda v: v is None or (isinstance(v, list) and all(isinstance(a, Area) for a in v)),
    "e": _notes, "i": lambda v: isinstance(v, tuple) and len(v) == 2 and all(map(_natural, v)),
}


def _area(start: int, end: int, prot: int, shared: bool, path: str, offset: int, inode: tuple[int, int]) -> Area:
    return Area(start, end, prot, shared=shared, path=path, offset=offset, inode=inode)


#: the records; their numbers in files are their places here
KINDS = (
    Kind(Position, "nnn", lambda p: (p.beat, p.transition, p.insns), Position),
    Kind(Saved, "pv", tuple, Saved),
    Kind(Entry, "nnssv", tuple, Entry),
    Kind(Area, "nnnbsni", lambda a: (a.start, a.end, a.prot, a.shared, a.path, a.offset, a.inode), _area),
    Kind(Episode, "nsntdwar", tuple, Episode),                       # of format 1
    Kind(Episode, "nsntdware", tuple, Episode),
)
_NUMBERS = {kind.type: number for number, kind in enumerate(KINDS)}


def _length(n: int) -> bytes:
    out = bytearray()
    while n >= 128:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


class Encoder:
    """Makes bytes of values. `pieces`: those that are in the file so far, by digest; None: write all bytes out."""

    def __init__(self, pieces: dict[bytes, int] | None) -> None:
        self.pieces = pieces
        self.out = bytearray()
        self.volume = 0                              # what the values take in memory, about

    def put(self, value: Any, depth: int = 0) -> None:
        """Append a value; TypeError for what cannot be written."""
        self.volume += VALUE
        kind = type(value)
        if kind is int:
            self._int(value)
        elif kind is bool or value is None:
            self.out.append(NONE if value is None else TRUE if value else FALSE)
        elif kind in (bytes, bytearray):
            self._bytes(bytes(value))
        elif kind is str:
            self._tagged(STR, value.encode("utf-8", AS_HOST))
        elif kind is float:
            self.out += bytes((FLOAT,)) + struct.pack("<d", value)
        elif depth >= DEPTH:
            raise TypeError(f"more than {DEPTH} containers inside each other")
        elif kind in (list, tuple):
            self.out += bytes((LIST if kind is list else TUPLE,)) + _length(len(value))
            for item in value:
                self.put(item, depth + 1)
        elif kind is dict:
            self.out += bytes((DICT,)) + _length(len(value))
            for key, item in value.items():
                self.put(key, depth + 1)
                self.put(item, depth + 1)
        else:
            self._record(value, depth)

    def _record(self, value: Any, depth: int) -> None:
        number = _NUMBERS.get(type(value))
        if number is None:
            raise TypeError(f"a {type(value).__name__} cannot be recorded")
        self.out += bytes((RECORD, number))
        for item in KINDS[number].take(value):
            self.put(item, depth + 1)

    def _int(self, value: int) -> None:
        if 0 <= value < 256 - SMALL:
            self.out.append(SMALL + value)
            return
        tag, value = (INT, value) if value >= 0 else (NEGATIVE, -1 - value)
        self._tagged(tag, value.to_bytes((value.bit_length() + 7) // 8, "little"))

    def _tagged(self, tag: int, data: bytes) -> None:
        self.volume += len(data)
        self.out.append(tag)
        self.out += _length(len(data))
        self.out += data

    def _bytes(self, data: bytes) -> None:
        if self.pieces is None or len(data) < PIECE:
            self._tagged(BYTES, data)
            return
        from hashlib import blake2b

        count = len(self.pieces)
        number = self.pieces.setdefault(blake2b(data, digest_size=20).digest(), count)
        if number == count:
            self._tagged(PIECE_NEW, data)
        else:
            self.volume += len(data)
            self.out.append(PIECE_KNOWN)
            self.out += _length(number)


class Decoder:
    """Makes values of bytes; DamagedError. `pieces`: those of the file so far; `room`: how much memory values may take."""

    def __init__(self, data: bytes, pieces: list[bytes], room: int) -> None:
        self.data, self.pieces, self.room = data, pieces, room
        self.at = 0

    def value(self) -> Any:
        """Return the one value that the bytes are."""
        try:
            value = self.get()
        except (IndexError, struct.error):
            raise DamagedError("it ends in the middle of a value") from None
        if self.at != len(self.data):
            raise DamagedError("there is more than a value")
        return value

    def get(self, depth: int = 0) -> Any:
        """Return the next value."""
        tag = self.data[self.at]
        self.at += 1
        self._take(VALUE)
        if tag >= SMALL:
            return tag - SMALL
        if tag in (NONE, TRUE, FALSE):
            return None if tag == NONE else tag == TRUE
        if tag in (INT, NEGATIVE):
            number = int.from_bytes(self._bytes(), "little")
            return number if tag == INT else -1 - number
        if tag in (BYTES, PIECE_NEW, PIECE_KNOWN):
            return self._piece(tag)
        if tag == STR:
            try:
                return self._bytes().decode("utf-8", AS_HOST)
            except UnicodeDecodeError:
                raise DamagedError("a text is none") from None
        if tag == FLOAT:
            (number,) = struct.unpack_from("<d", self.data, self.at)
            self.at += 8
            return number
        if tag not in WORDS:
            raise DamagedError(f"no value begins with {tag}")
        if depth >= DEPTH:
            raise DamagedError(f"more than {DEPTH} containers inside each other")
        return self._container(tag, depth + 1)

    def _container(self, tag: int, depth: int) -> Any:
        if tag == RECORD:
            return self._record(depth)
        count = self._length()
        if count > len(self.data) - self.at:         # every element takes a byte at least
            raise DamagedError(f"a {WORDS[tag]} is longer than what follows")
        if tag == LIST:
            return [self.get(depth) for _ in range(count)]
        if tag == TUPLE:
            return tuple([self.get(depth) for _ in range(count)])
        out = {}
        for _ in range(count):
            key = self.get(depth)
            if not isinstance(key, (int, str, bytes)):
                raise DamagedError(f"a {type(key).__name__} names something")
            out[key] = self.get(depth)
        return out

    def _record(self, depth: int) -> Any:
        number = self.data[self.at]
        self.at += 1
        if number >= len(KINDS):
            raise DamagedError(f"there is no record {number}")
        kind = KINDS[number]
        values = [self.get(depth) for _ in kind.fields]
        for letter, value in zip(kind.fields, values, strict=True):
            if not CHECKS[letter](value):
                raise DamagedError(f"in a record {kind.type.__name__} something is a {type(value).__name__} that it cannot be")
        return kind.make(*values)

    def _length(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise DamagedError("a length is out of bounds")

    def _take(self, size: int) -> None:
        self.room -= size
        if self.room < 0:
            raise DamagedError("it would take far more memory than its size explains")

    def _bytes(self) -> bytes:
        size = self._length()
        if size > len(self.data) - self.at:
            raise DamagedError("something is longer than what follows")
        self._take(size)
        self.at += size
        return self.data[self.at - size:self.at]

    def _piece(self, tag: int) -> bytes:
        if tag == PIECE_KNOWN:
            number = self._length()
            if number >= len(self.pieces):
                raise DamagedError(f"piece {number} is not there")
            self._take(len(self.pieces[number]))
            return self.pieces[number]
        data = self._bytes()
        if tag == PIECE_NEW:
            self.pieces.append(data)
        return data


__all__ = ["DamagedError", "Decoder", "Encoder", "Saved"]
