"""Code that no compiler makes: how a piece of it lies in the region that the programs bad.c run it in."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

PAGE: Final = 4096
READ, WRITE, EXEC, NO_PAGE = 1, 2, 4, 8
ALL: Final = READ | WRITE | EXEC


@dataclass(frozen=True)
class Placed:
    """Code, where it lies in the region, where it is entered, the rights of the region's pages."""

    code: str
    offset: int = 0x100
    entry: int = 0                                   # from the code's first byte
    rights: tuple[int, int, int] = (ALL, ALL, ALL)

    def placed(self, code: bytes, order: str) -> bytes:
        """Return the piece as bad.c reads it."""
        return struct.pack(order + "6i", self.offset, self.offset + self.entry, *self.rights, len(code)) + code
