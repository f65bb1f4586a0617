"""Windows of memory, with the names of what lies there. Devices are peeked at: nothing happens to them."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from xemu.loaders.elf import PT_LOAD
from xemu.tui.queries import query

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger


PF_W = 2                 # a segment that may be written (System V ABI, table 5-3)
CHUNK = 1 << 16          # bytes that are searched at once


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


class Heat(NamedTuple):
    """Which bytes were touched: address -> ("r" or "w", instructions ago)."""

    touches: dict[int, tuple[str, int]]
    insns: int                                       # that were looked at


@query()
def heat(d: Debugger, *, address: int, length: int) -> Heat:
    """Return which bytes of a range the last instructions have read and written."""
    from xemu.debug.heat import touched

    found, insns = touched(d, address, length)
    return Heat({at: (touch.kind, touch.ago) for at, touch in found.items()}, insns)


@query()
def search(d: Debugger, *, text: str, start: int) -> int | None:
    """Return where bytes are found next: a text, or hexadecimal bytes ("de ad be ef"), from an address on and round again."""
    wanted = pattern(text)
    entries = [e for e in d.system.memory_map() if e.kind not in ("device", "hole")]
    for low, high in ((start, 1 << 64), (0, start)):
        for entry in entries:
            at, end = max(entry.start, low), min(entry.end, high + len(wanted) - 1)
            while at < end:
                data = d.read_memory(at, min(CHUNK, end - at))
                if not data:
                    at = (at | 4095) + 1
                    continue
                found = data.find(wanted)
                if found >= 0:
                    return at + found
                if at + len(data) >= end:
                    break
                at += max(len(data) - len(wanted) + 1, 1)
    return None


def pattern(text: str) -> bytes:
    """Return the bytes that a search is for."""
    words = text.replace(" ", "")
    if len(words) % 2 == 0 and (" " in text or words.startswith("0x")) and all(c in "0123456789abcdefABCDEFx" for c in words):
        return bytes.fromhex(words.removeprefix("0x"))
    return text.encode()


@query()
def home(d: Debugger) -> int:
    """Return where there is something to see at first: firmware's first variable, else the stack."""
    ram = [e for e in d.system.memory_map() if e.kind == "ram"]
    if d.system.kind == "machine":
        for module in d.modules:
            data = [(s.address, s.address + s.size) for s in module.elf.segments if s.type == PT_LOAD and s.flags & PF_W]
            for symbol in module.symbols.symbols:
                at = symbol.address
                if symbol.kind == "object" and any(a <= at < b for a, b in data) and any(e.start <= at < e.end for e in ram):
                    return at
    return d.read_register("sp") or 0


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
