"""Names of firmware: address to name and offset, name to address, sizes of functions.

System V ABI edition 4.1, chapter 4, "Symbol Table"; ELF for the Arm Architecture (AAELF32), "Symbol Values" and
"Mapping symbols".
"""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.errors import ImageError, NotFoundError
from xemu.loaders.elf import (
    STT_FUNC,
    STT_NOTYPE,
    STT_OBJECT,
    ElfHeader,
    bytes_reader,
    raw_symbols,
    section_headers,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from xemu.loaders.elf import Reader

STT_GNU_IFUNC, STT_ARM_TFUNC = 10, 13
SHN_ABS = 0xFFF1
KINDS = {STT_FUNC: "function", STT_GNU_IFUNC: "function", STT_ARM_TFUNC: "function", STT_OBJECT: "object", STT_NOTYPE: "label"}
LOCAL_ENTRIES = (0, 0, 4, 8, 16, 32, 64, 0)  # by the top bits of st_other
BINDINGS = {1: 0, 2: 1, 0: 2}  # global before weak before local where several names fit


class Symbol(NamedTuple):
    """A name; `kind` is "function", "object", "label" (assembler, linker script) or "constant" (not an address)."""

    address: int  # Thumb bit removed
    size: int  # bytes; 0 where the file does not say
    name: str
    kind: str
    rank: int = 0  # 0: global, 1: weak, 2: local
    limit: int = 1 << 64  # the end of its section: no symbol reaches past it
    local: int = 0  # bytes to where calls from the same file enter it, behind what sets up the TOC pointer (64-bit ELF V2 ABI, 3.4.1)


class SymbolTable:
    """Names by address and addresses by name."""

    path = ""            # the file they are from, where it is known, and what was added to its addresses
    bias = 0

    def __init__(self, symbols: Iterable[Symbol], offset: int = 0) -> None:
        """Take symbols in any order; `offset` is added to all addresses (constants excepted)."""
        moved = [s if s.kind == "constant" or not offset else s._replace(address=s.address + offset, limit=s.limit + offset)
                 for s in symbols]  # fmt: skip
        self.symbols = sorted(moved)
        self._by_name: dict[str, Symbol] = {}
        for symbol in sorted(self.symbols, key=attrgetter("rank"), reverse=True):
            self._by_name[symbol.name] = symbol
        self._starts, self._owners = _flatten([s for s in self.symbols if s.kind != "constant"])

    def __len__(self) -> int:
        """How many names there are."""
        return len(self.symbols)

    def __repr__(self) -> str:
        """Show how much there is."""
        return f"<SymbolTable {len(self.symbols)} names, {sum(1 for _ in self.functions())} functions>"

    def holder(self, address: int) -> Symbol | None:
        """Return the innermost symbol whose bytes an address is one of (a name without size reaches to the next name)."""
        index = bisect_right(self._starts, address) - 1
        return self._owners[index] if index >= 0 else None

    def at(self, address: int) -> tuple[str, int] | None:
        """Return (name, offset) for an address, None where nothing is known."""
        symbol = self.holder(address)
        return (symbol.name, address - symbol.address) if symbol else None

    def text(self, address: int) -> str:
        """Return "main+0x12", or the address alone where nothing is known."""
        found = self.at(address)
        if found is None:
            return f"{address:#x}"
        return f"{found[0]}+{found[1]:#x}" if found[1] else found[0]

    def find(self, name: str) -> Symbol | None:
        """Return the symbol of a name; a global one where several have it."""
        return self._by_name.get(name)

    def address_of(self, name: str) -> int | None:
        """Return the address of a name."""
        symbol = self.find(name)
        return symbol.address if symbol else None

    def size_of(self, name: str) -> int | None:
        """Return the size of a name in bytes, 0 where the file does not say."""
        symbol = self.find(name)
        return symbol.size if symbol else None

    def functions(self) -> Iterator[Symbol]:
        """Yield the functions by address."""
        return (symbol for symbol in self.symbols if symbol.kind == "function")


def _preference(symbol: Symbol) -> tuple[bool, bool, int, int, str]:
    """Order the names of one address: with a size, functions and objects, global, without underscores, by alphabet."""
    return not symbol.size, symbol.kind == "label", symbol.rank, len(symbol.name) - len(symbol.name.lstrip("_")), symbol.name


def _flatten(symbols: list[Symbol]) -> tuple[list[int], list[Symbol | None]]:
    """Return sorted addresses and who owns the bytes from each to the next.

    Names with sizes may nest; the inner one wins. Names without take what no sized one holds.
    """
    starts: list[int] = []
    owners: list[Symbol | None] = []

    def own(address: int, owner: Symbol | None) -> None:
        if starts and starts[-1] == address:
            owners[-1] = owner
        elif not owners or owners[-1] is not owner:
            starts.append(address)
            owners.append(owner)

    open_: list[tuple[int, Symbol]] = []  # (end, symbol), outermost first

    def close(until: int) -> None:
        while open_ and open_[-1][0] <= until:
            end, _ = open_.pop()
            while open_ and open_[-1][0] <= end:  # ends with, or before, the one inside it
                open_.pop()
            own(end, open_[-1][1] if open_ else None)

    best: dict[int, Symbol] = {}
    for symbol in symbols:
        known = best.get(symbol.address)
        if known is None or _preference(symbol) < _preference(known):
            best[symbol.address] = symbol
    for address in sorted(best):
        symbol = best[address]
        close(address)
        if open_ and not open_[-1][1].size:  # a name without size ends where the next one starts
            open_.pop()
            own(address, None)
        end = address + symbol.size if symbol.size else symbol.limit
        if end > address and (symbol.size or not open_):
            open_.append((end, symbol))
            own(address, symbol)
    close(1 << 65)
    return starts, owners


def load_symbols(path: str | os.PathLike[str], *, offset: int = 0) -> SymbolTable:
    """Read the names of an ELF file; `offset` is added to all addresses. NotFoundError, ImageError."""
    path = Path(path)
    try:
        blob = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"{path}: no such file") from None
    except OSError as error:
        raise ImageError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    table = read_table(blob, str(path), offset)
    if not len(table):
        raise ImageError(f"{path}: no symbols in it; was it stripped?")
    table.path, table.bias = str(path), offset
    return table


def read_table(blob: bytes, name: str, offset: int = 0) -> SymbolTable:
    """Read the names of an ELF file in memory; ImageError if it is none. A damaged table gives no names."""
    read = bytes_reader(blob)
    return symbols_of(ElfHeader(read, name), read, len(blob), offset)


def symbols_of(header: ElfHeader, read: Reader, size: int, offset: int = 0) -> SymbolTable:
    """Read the names of a file of `size` bytes whose header is known."""
    sections = section_headers(header, read, size)
    thumb, local = header.machine[0] in ("arm", "armeb"), header.machine[0] == "ppc64le"
    rows = (_symbol(entry, text, sections, thumb, local) for entry, text in raw_symbols(header, sections, read, size))
    return SymbolTable([row for row in rows if row], offset)


def _symbol(entry: Any, text: str, sections: list[Any], thumb: bool, local: bool) -> Symbol | None:
    """Return the symbol of one entry, None for files and sections."""
    kind = KINDS.get(entry.info & 15)
    if kind is None:
        return None
    rank = BINDINGS.get(entry.info >> 4, 1)
    if entry.shndx == SHN_ABS and kind == "label":  # `stack_size = 0x400;` in a linker script
        return Symbol(entry.value, 0, text, "constant", rank)
    value = entry.value & ~1 if thumb and kind == "function" else entry.value
    limit = 1 << 64
    if entry.shndx < len(sections):
        section = sections[entry.shndx]
        limit = section.addr + section.size
    return Symbol(value, entry.size, text, kind, rank, limit, LOCAL_ENTRIES[entry.other >> 5] if local else 0)
