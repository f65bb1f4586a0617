"""Reading DWARF's values: LEB128 and the forms of attributes (DWARF 5, 7.5.5, 7.5.6, 7.6)."""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Any

from xemu.debug.dwarf_names import FORM

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[[bytes, int], tuple[Any, int]]     # (data, position) -> (value, position behind it)

#: what reading damaged data raises; at the interface it becomes "no information" and a note
DAMAGE = (ValueError, LookupError, struct.error, ArithmeticError, RecursionError)
MAX_LEB = 12               # bytes of a LEB128 number that can make sense


class DamagedError(ValueError):
    """Debug information that does not make sense."""


def uleb(data: bytes, at: int) -> tuple[int, int]:
    """Read an unsigned LEB128 number."""
    byte = data[at]
    if byte < 128:
        return byte, at + 1
    value, shift, last = byte & 127, 7, at + MAX_LEB
    while True:
        at += 1
        if at > last:
            raise DamagedError("a number without end")
        byte = data[at]
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at + 1
        shift += 7


def sleb(data: bytes, at: int) -> tuple[int, int]:
    """Read a signed LEB128 number."""
    start = at
    value, at = uleb(data, at)
    bits = 7 * (at - start)
    return (value - (1 << bits) if value >> (bits - 1) & 1 else value), at


def text(data: bytes, at: int) -> tuple[str, int]:
    """Read a string up to its zero."""
    end = data.find(b"\0", at)
    if end < 0 or at > len(data):
        raise DamagedError("a string without end")
    return data[at:end].decode("utf-8", "replace"), end + 1


def fixed(code: str) -> Read:
    """Return a reader of one value of `struct`."""
    layout = struct.Struct(code)
    unpack, size = layout.unpack_from, layout.size

    def read(data: bytes, at: int) -> tuple[Any, int]:
        return unpack(data, at)[0], at + size

    return read


def _three(order: str) -> Read:
    name: Any = "little" if order == "<" else "big"

    def read(data: bytes, at: int) -> tuple[int, int]:
        return int.from_bytes(data[at : at + 3], name), at + 3

    return read


def take(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    """Read some bytes; all of them must be there."""
    end = at + size
    if end > len(data):
        raise DamagedError("a block that is longer than its section")
    return data[at:end], end


def _block(length: Read) -> Read:
    def read(data: bytes, at: int) -> tuple[bytes, int]:
        size, at = length(data, at)
        return take(data, at, size)

    return read


def _constant(_data: bytes, at: int) -> tuple[bool, int]:
    return True, at


class Format:
    """How one unit writes numbers: byte order, bytes of addresses and of offsets."""

    def __init__(self, order: str, address_size: int, offset_size: int, version: int) -> None:
        """Make the readers; DamagedError for sizes that do not exist."""
        codes = {1: "B", 2: "H", 4: "I", 8: "Q"}
        if address_size not in codes or offset_size not in (4, 8):
            raise DamagedError(f"addresses of {address_size} bytes")
        self.order, self.address_size, self.offset_size = order, address_size, offset_size
        one, two, four, eight = (fixed(order + code) for code in "BHIQ")
        self.u1, self.u2, self.u4, self.u8 = one, two, four, eight
        self.address = fixed(order + codes[address_size])
        self.offset = offset = four if offset_size == 4 else eight
        three = _three(order)
        F = FORM  # noqa: N806 - a table
        self.forms: dict[int, Read] = {
            F.addr: self.address, F.block2: _block(two), F.block4: _block(four), F.data2: two, F.data4: four, F.data8: eight,
            F.string: text, F.block: _block(uleb), F.block1: _block(one), F.data1: one, F.flag: one, F.sdata: sleb, F.strp: offset,
            F.udata: uleb, F.ref_addr: self.address if version == 2 else offset, F.ref1: one, F.ref2: two, F.ref4: four, F.ref8: eight,
            F.ref_udata: uleb, F.sec_offset: offset, F.exprloc: _block(uleb), F.flag_present: _constant, F.strx: uleb, F.addrx: uleb,
            F.ref_sup4: four, F.strp_sup: offset, F.data16: lambda data, at: take(data, at, 16), F.line_strp: offset, F.ref_sig8: eight,
            F.loclistx: uleb, F.rnglistx: uleb, F.ref_sup8: eight, F.strx1: one, F.strx2: two, F.strx3: three, F.strx4: four,
            F.addrx1: one, F.addrx2: two, F.addrx3: three, F.addrx4: four,
            F.GNU_addr_index: uleb, F.GNU_str_index: uleb, F.GNU_ref_alt: offset, F.GNU_strp_alt: offset,
        }  # fmt: skip


@cache
def format_of(order: str, address_size: int, offset_size: int, version: int) -> Format:
    """Return the readers for a unit's header."""
    return Format(order, address_size, offset_size, min(version, 3))


def unit_length(data: bytes, at: int, order: str) -> tuple[int, int, int]:
    """Read a unit's length (7.4): (position behind the unit, position behind the length, bytes of an offset)."""
    (length,) = struct.unpack_from(order + "I", data, at)
    if length < 0xFFFF_FFF0:
        return at + 4 + length, at + 4, 4
    (length,) = struct.unpack_from(order + "Q", data, at + 4)
    return at + 12 + length, at + 12, 8
