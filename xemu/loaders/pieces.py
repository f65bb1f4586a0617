"""Bytes with addresses: the pieces of a firmware image, and how records of a file become them."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from xemu.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_RUNS = 1 << 18  # a file of this many separate records is no firmware; keeps memory bounded
SPACE_END = 1 << 64


class Piece(NamedTuple):
    """`size` bytes at `address`: `data`, then zeros up to `size`."""

    address: int
    data: bytes
    size: int

    @property
    def end(self) -> int:
        """The address after the last byte."""
        return self.address + self.size

    def __repr__(self) -> str:
        """Show the range; say which part of it is not in the file."""
        zeros = self.size - len(self.data)
        what = "" if not zeros else " zeros" if not self.data else f" (the last {zeros:#x} zeros)"
        return f"{self.address:#x}..{self.end:#x}{what}"


class _Run:
    """Records that follow each other without a gap; `starts` and `places` say which byte came from where."""

    __slots__ = ("address", "data", "places", "starts")

    def __init__(self, address: int, data: bytes, place: int) -> None:
        self.address = address
        self.data = bytearray(data)
        self.starts = array("Q", [address])
        self.places = array("Q", [place])

    @property
    def end(self) -> int:
        return self.address + len(self.data)

    def place_of(self, address: int) -> int:
        return self.places[bisect_right(self.starts, address) - 1]


class Collector:
    """Gathers records in file order; `pieces()` sorts and joins them.

    Memory is what the records hold, whatever lies between their addresses.
    """

    def __init__(self, name: str, place: Callable[[int], str], *, space_end: int = 1 << 32) -> None:
        """Take the file's name, how to name a place in it ("line 7"), and where addresses end."""
        self.name = name
        self.describe = place
        self.space_end = space_end
        self.runs: list[_Run] = []

    def add(self, address: int, data: bytes, place: int) -> None:
        """Take a record of the file; ImageError if it leaves the address space."""
        if not data:
            return
        if address + len(data) > self.space_end:
            raise ImageError(
                f"{self.name}: {self.describe(place)}: {len(data)} bytes at {address:#x} end past {self.space_end:#x}; is the file damaged?"
            )
        if self.runs and self.runs[-1].end == address:
            last = self.runs[-1]
            last.data += data
            last.starts.append(address)
            last.places.append(place)
            return
        if len(self.runs) >= MAX_RUNS:
            raise ImageError(f"{self.name}: {self.describe(place)}: more than {MAX_RUNS} separate areas; is the file damaged?")
        self.runs.append(_Run(address, data, place))

    def pieces(self) -> list[Piece]:
        """Return the areas by address; ImageError where two records disagree about a byte."""
        areas: list[tuple[int, bytearray]] = []
        order = sorted(self.runs, key=lambda run: run.address)
        for index, run in enumerate(order):
            if not areas or run.address > areas[-1][0] + len(areas[-1][1]):
                areas.append((run.address, bytearray(run.data)))
                continue
            start, data = areas[-1]
            offset = run.address - start
            shared = min(len(data) - offset, len(run.data))
            if data[offset : offset + shared] != run.data[:shared]:
                differs = next(i for i in range(shared) if data[offset + i] != run.data[i])
                self._refuse(order[:index], run, run.address + differs)
            data += run.data[shared:]
        return [Piece(address, bytes(data), len(data)) for address, data in areas]

    def _refuse(self, before: Iterable[_Run], run: _Run, address: int) -> NoReturn:
        """Name the byte about which `run` and a run before it disagree, and both records."""
        other = next(other for other in before if other.address <= address < other.end)
        first, second = map(self.describe, sorted((other.place_of(address), run.place_of(address))))
        what = f"{first} and {second} give different bytes for address {address:#x}"
        raise ImageError(f"{self.name}: {what}; is it two programs in one file?")
