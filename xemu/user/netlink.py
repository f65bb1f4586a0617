"""Messages of NETLINK_ROUTE sockets in the other byte order: rtnetlink(7), `include/uapi/linux/{netlink,rtnetlink,if_link,…}.h`.

A message is a head, a struct of its type, and attributes. Attributes whose fields are not known here are text, addresses in network
order or single bytes, and stay as they are.
"""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING, NamedTuple

from xemu.core.layout import BIG, LITTLE

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEAD, _ATTRIBUTE = "IHHII", "HH"
ERROR, DONE = 2, 3
HEAD_SIZE = 16
NESTED_MASK = 0x3FFF  # of an attribute's type; the rest are flags


class Kind(NamedTuple):
    """A group of four message types (new, delete, get, set): the struct and the attributes that have fields to swap."""

    codes: str
    attributes: Mapping[int, str | dict[int, str]]


def _all(numbers: str, codes: str) -> dict[int, str]:
    return {int(number): codes for number in numbers.split()}


_LINK = Kind("BBHiII", {
    **_all("4 5 10 13 15 19 21 27 28 29 30 31 32 35 37 40 41 47 48 49 50 51 58 59 60 61 63 64", "I"), 7: "24I", 14: "QQQHBB", 23: "25Q",
    18: {1: ""},
})  # fmt: skip
_ADDRESS = Kind("BBBBI", {6: "4I", 8: "I", 9: "I", 10: "I"})
_ROUTE = Kind("BBBBBBBBI", {**_all("3 4 6 11 15 16 23 25", "I"), 8: _all(" ".join(map(str, range(1, 18))), "I"), 12: "8I"})
_NEIGHBOUR = Kind("BBHiHBB", {3: "4I", 4: "I", 5: "H", 7: "I", 8: "I", 9: "I", 10: "I"})
_RULE = Kind("BBBBBBBBI", _all("4 6 10 13 14 15 16", "I"))
_QUEUE = Kind("BBHiIII", {})
_KINDS = {16: _LINK, 20: _ADDRESS, 24: _ROUTE, 28: _NEIGHBOUR, 32: _RULE, 36: _QUEUE, 40: _QUEUE, 44: _QUEUE}


class Netlink:
    """The messages of one socket."""

    def __init__(self, order: str) -> None:
        """Take the guest's byte order, as `struct` has it."""
        self.guest, self.host = order, LITTLE if sys.byteorder == "little" else BIG

    def to_guest(self, data: bytes) -> bytes:
        """Translate what was read."""
        return _Swap(data, self.host, self.guest).messages()

    def to_host(self, data: bytes) -> bytes:
        """Translate what is to be written."""
        return _Swap(data, self.guest, self.host).messages()


class _Swap:
    """One translation: `data` is in the order `here`."""

    def __init__(self, data: bytes, here: str, there: str) -> None:
        self.data, self.here, self.there = data, here, there
        self.result = bytearray(data)

    def messages(self) -> bytes:
        at = 0
        while at + HEAD_SIZE <= len(self.data):
            length, kind, *_ = self._swap(_HEAD, at, len(self.data))
            if length < HEAD_SIZE:
                break
            self._body(kind, at + HEAD_SIZE, min(at + length, len(self.data)))
            at += length + 3 & ~3
        return bytes(self.result)

    def _body(self, kind: int, at: int, end: int) -> None:
        if kind in (ERROR, DONE):
            self._swap("i", at, end)
            if kind == ERROR and at + 4 + HEAD_SIZE <= end:
                self._swap(_HEAD, at + 4, end)  # of the message that it is about; what follows is a copy of that
            return
        found = _KINDS.get(kind & ~3)
        if found is None:
            return
        size = struct.calcsize(LITTLE + found.codes)
        if at + size > end:
            return  # a request with less: the family alone
        self._swap(found.codes, at, end)
        self._attributes(found.attributes, at + (size + 3 & ~3), end)

    def _attributes(self, known: Mapping[int, str | dict[int, str]], at: int, end: int) -> None:
        while at + 4 <= end:
            length, kind = self._swap(_ATTRIBUTE, at, end)
            if length < 4:
                return
            inner, stop = known.get(kind & NESTED_MASK, ""), min(at + length, end)
            if isinstance(inner, dict):
                self._attributes(inner, at + 4, stop)
            else:
                self._fields(inner, at + 4, stop)
            at += length + 3 & ~3

    def _fields(self, codes: str, at: int, end: int) -> None:
        """Swap the fields of an attribute; of an array as many as there are."""
        if codes[:1].isdigit():
            unit = codes[-1]
            codes = f"{(end - at) // struct.calcsize(LITTLE + unit)}{unit}"
        self._swap(codes, at, end)

    def _swap(self, codes: str, at: int, end: int) -> tuple[int, ...]:
        if at + struct.calcsize(LITTLE + codes) > end:
            return (0, 0)
        values = struct.unpack_from(self.here + codes, self.data, at)
        struct.pack_into(self.there + codes, self.result, at, *values)
        return values
