"""Struct layouts declared as text: `Layout("type:I offset:I _:4x")`.

Codes are those of the `struct` module; names that start with `_` are padding or not of interest.
"""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

LITTLE, BIG = "<", ">"


class Layout:
    """A packed struct with named fields."""

    def __init__(self, text: str, order: str = LITTLE) -> None:
        """Read `name:code` words; `order` is '<' (little-endian) or '>'."""
        words = [word.rpartition(":") for word in text.split()]
        self.struct = struct.Struct(order + "".join(code for _, _, code in words))
        self.size = self.struct.size
        self.names = tuple(name for name, _, code in words if not code.endswith("x"))
        self._widths = {name: 8 * struct.calcsize(order + code) for name, _, code in words}
        self._blank: dict[str, Any] = {
            name: b"" if code.endswith("s") else 0 for name, _, code in words if not code.endswith("x")
        }

    def width(self, name: str) -> int:
        """Return the bits of a field."""
        return self._widths[name]

    def pack(self, **values: int | bytes) -> bytes:
        """Make the bytes; fields left out are zero, integers are cut to their width by the caller."""
        if unknown := values.keys() - self._blank.keys():
            raise AssertionError(f"no field {sorted(unknown)} in {self.names}")
        return self.struct.pack(*(self._blank | values).values())

    def unpack(self, data: bytes | memoryview, offset: int = 0) -> Any:
        """Read a record whose attributes are the fields; struct.error if `data` is too short."""
        return SimpleNamespace(**dict(zip(self.names, self.struct.unpack_from(data, offset), strict=True)))
