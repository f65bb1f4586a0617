"""Windows of memory, with the names of what lies there. Devices are peeked at: nothing happens to them."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from xemu.tui.queries import query

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger


class Memory(NamedTuple):
    """A window. Bytes that cannot be read are missing: `data` has what can, by address of its row."""

    address: int
    row: int                                         # bytes
    data: tuple[bytes | None, ...]                   # of each row; None: nothing is there
    labels: tuple[tuple[int, str, int], ...]         # (address, name, size) of what begins in it
    region: str                                      # where it is
    pointers: tuple[tuple[str, int], ...] = ()       # registers that point into it


@query(live=True)
def memory(d: Debugger, *, address: int, rows: int, row: int = 16) -> Memory:
    """Return rows of memory."""
    top = 1 << d.source.architecture.bits
    data: list[bytes | None] = []
    for number in range(rows):
        at = address + number * row
        found = d.read_memory(at, row) if 0 <= at < top else b""
        data.append(found or None)
    end = address + rows * row
    entry = next((e for e in d.system.memory_map() if e.start <= address < e.end), None)
    pointers = []
    for name in ("sp", "pc"):
        value = d.read_register(name)
        if value is not None and address <= value < end:
            pointers.append((name, value))
    return Memory(address, row, tuple(data), tuple(_labels(d, address, end)), entry.name if entry else "", tuple(pointers))


def _labels(d: Debugger, start: int, end: int) -> list[tuple[int, str, int]]:
    """Return the symbols that begin in a range."""
    found = []
    for module in d.modules:
        symbols = module.symbols.symbols             # in the order of their addresses
        at = bisect_left(symbols, start, key=lambda s: s.address)
        while at < len(symbols) and symbols[at].address < end:
            if symbols[at].kind != "constant":
                found.append((symbols[at].address, symbols[at].name, symbols[at].size))
            at += 1
    return found
