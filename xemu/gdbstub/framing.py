"""Packets as bytes on a line: checksums, escapes, run lengths, acknowledgements. Knows nothing of what packets mean.

GDB manual, appendix E.1 "Overview", E.5 "Notification Packets" and E.10 "Interrupts".
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

#: the largest packet that the stub takes, as it says in qSupported
PACKET_SIZE = 0x20000
#: what may wait for the end of a packet: the data, its escapes, and what frames it
LIMIT = 2 * PACKET_SIZE + 16
ESCAPE, XOR = 0x7D, 0x20
#: a run is written as `*` and the count of further copies plus 29; counts that would give `#`, `$`, `+` or `-` are left out
RUN_OFFSET, SHORTEST_RUN, LONGEST_RUN = 29, 3, 97
FORBIDDEN_RUNS = {code - RUN_OFFSET for code in b"#$+-"}

_SPECIAL = re.compile(rb"[#$}*]")
_RUNS = re.compile(rb"([^}])\1{3,}", re.DOTALL)
_RUN_MARK = re.compile(rb"\*(.)", re.DOTALL)
_INTERESTING = re.compile(rb"[$%+\-\x03]")


class Kind(Enum):
    """What came in."""

    PACKET = "packet"
    NOTIFICATION = "notification"
    ACK = "+"
    NAK = "-"
    INTERRUPT = "interrupt"
    DAMAGED = "damaged"            # checksum, escape or run length is wrong
    TOO_LONG = "too long"


class Piece(NamedTuple):
    """One thing that came in."""

    kind: Kind
    data: bytes = b""


def checksum(data: bytes) -> int:
    """Return the sum of the bytes as they stand on the line."""
    return sum(data) & 0xFF


def escape(data: bytes) -> bytes:
    """Return data with the four special bytes escaped."""
    return _SPECIAL.sub(lambda found: bytes((ESCAPE, found[0][0] ^ XOR)), data)


def unescape(data: bytes) -> bytes:
    """Undo `escape`; ValueError for a lone escape at the end."""
    if ESCAPE not in data:
        return data
    pieces = data.split(b"}")
    result = bytearray(pieces[0])
    rest = iter(pieces[1:])
    for piece in rest:
        if not piece:                       # an escaped "}" would be `}]`; `}}` means 0x5D
            following = next(rest, None)
            if following is None:
                raise ValueError("an escape at the end")
            result.append(ESCAPE ^ XOR)
            result += following
            continue
        result.append(piece[0] ^ XOR)
        result += piece[1:]
    return bytes(result)


def compress(data: bytes) -> bytes:
    """Write runs of four and more equal bytes as run lengths; `data` is escaped already."""
    return _RUNS.sub(lambda found: _run(found[0][:1], len(found[0])), data)


def _run(byte: bytes, length: int) -> bytes:
    parts = []
    while length:
        more = min(length - 1, LONGEST_RUN)
        while more in FORBIDDEN_RUNS:
            more -= 1
        if more < SHORTEST_RUN:
            parts.append(byte * length)
            break
        parts.append(byte + b"*" + bytes([more + RUN_OFFSET]))
        length -= more + 1
    return b"".join(parts)


def expand(data: bytes, limit: int = LIMIT) -> bytes:
    """Undo `compress`; ValueError for a run without a byte, a bad count, or more than `limit` bytes."""
    if b"*" not in data:
        return data
    result = bytearray()
    at = 0
    for found in _RUN_MARK.finditer(data):
        result += data[at:found.start()]
        count = found[1][0] - RUN_OFFSET
        if not result or count < SHORTEST_RUN:
            raise ValueError("a run length out of place")
        result += result[-1:] * count
        if len(result) > limit:
            raise ValueError("too long when expanded")
        at = found.end()
    if b"*" in data[at:]:
        raise ValueError("a run length without count")
    return bytes(result + data[at:])


def encode(data: bytes, *, runs: bool = True, start: bytes = b"$") -> bytes:
    """Return a packet ready to be sent; `runs` allows run lengths where they are shorter."""
    text = escape(data)
    if runs:
        text = compress(text)
    return start + text + b"#%02x" % checksum(text)


def decode(text: bytes) -> bytes:
    """Return the data of a packet from what stands between `$` and `#`; ValueError."""
    return unescape(expand(text))


class Decoder:
    """Takes bytes as they come, in any pieces, and gives packets. What it keeps is bounded by `LIMIT`."""

    def __init__(self) -> None:
        self.checking = True           # False once acknowledgements are off: the line is reliable then
        self._waiting = bytearray()
        self._scanned = 0
        self._skipping = False         # inside a packet that was too long: nothing counts until its end

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Yield what is complete now."""
        self._waiting += data
        while self._waiting:
            before = len(self._waiting)
            piece = None
            if self._skipping:
                self._skip()
            else:
                piece = self._next()
            if piece is not None:
                yield piece
            elif len(self._waiting) == before:
                return

    def _take(self, count: int) -> bytes:
        taken = bytes(self._waiting[:count])
        del self._waiting[:count]
        self._scanned = 0
        return taken

    def _next(self) -> Piece | None:
        first = self._waiting[0]
        if first in b"+-":
            return Piece(Kind(chr(self._take(1)[0])))
        if first == 3:
            self._take(1)
            return Piece(Kind.INTERRUPT)
        if first not in b"$%":
            found = _INTERESTING.search(self._waiting)
            self._take(found.start() if found else len(self._waiting))      # noise on the line
            return None
        return self._packet()

    def _packet(self) -> Piece | None:
        end = self._waiting.find(b"#", max(self._scanned, 1))
        restart = self._waiting.find(b"$", max(self._scanned, 1), end if end >= 0 else len(self._waiting))
        if restart >= 0:                       # a packet that never ended; `$` cannot stand inside one
            self._take(restart)
            return Piece(Kind.DAMAGED)
        self._scanned = len(self._waiting)
        if end < 0 or len(self._waiting) < end + 3:
            if len(self._waiting) > LIMIT:
                self._take(len(self._waiting))
                self._skipping = end < 0
                return Piece(Kind.TOO_LONG)
            if end >= 0:
                self._scanned = end
            return None
        raw = self._take(end + 3)
        return self._finished(raw[:1], raw[1:end], raw[end + 1:])

    def _finished(self, start: bytes, text: bytes, digits: bytes) -> Piece:
        if len(text) > LIMIT:
            return Piece(Kind.TOO_LONG)
        try:
            if self.checking and int(digits, 16) != checksum(text):
                return Piece(Kind.DAMAGED)
            return Piece(Kind.PACKET if start == b"$" else Kind.NOTIFICATION, decode(text))
        except ValueError:
            return Piece(Kind.DAMAGED)

    def _skip(self) -> None:
        """Drop the rest of a packet that was too long."""
        end = self._waiting.find(b"#")
        self._skipping = end < 0
        self._take(len(self._waiting) if end < 0 else end + 1)
