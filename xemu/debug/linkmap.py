"""The code files of a process, from the dynamic loader's own list (System V ABI, chapter 5, "Dynamic Linking"; glibc's <link.h>).

The program's dynamic section has a word for debuggers, DT_DEBUG: the loader puts the address of its `r_debug` there, from which
the list of `link_map` entries starts. All of it is the guest's memory, so it is as true in the past as in the present.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

AT_PHDR, AT_PHENT, AT_PHNUM, AT_BASE = 3, 4, 5, 7
PT_DYNAMIC, PT_INTERP = 2, 3
DT_NULL, DT_DEBUG = 0, 21
MOST_LIBRARIES = 4096      # a list without end is damaged
MOST_TAGS = 512
MOST_HEADERS = 64
PATH_MAX = 4096


class Entry(NamedTuple):
    """One file in the loader's list."""

    bias: int              # what its addresses are off by
    name: bytes            # as the guest names it; empty for the program
    dynamic: int           # address of its dynamic section
    link: int              # address of the entry


class LinkMap:
    """The list of one process. `read(address, length)` gives memory as far as it can be read."""

    def __init__(self, read: Callable[[int, int], bytes], auxv: bytes, bias: int, *, size: int = 4, order: str = "<") -> None:
        """Take the auxiliary vector, what the program's addresses are off by, the bytes of a word, and their order."""
        self.read, self.size = read, size
        self._order = "little" if order == "<" else "big"
        numbers = self._numbers(auxv)
        facts = dict(zip(numbers[::2], numbers[1::2], strict=False))
        self.base = facts.get(AT_BASE, 0)
        headers = {row[0]: row for row in self._headers(facts)}
        # program headers: the address is the third word of 32-bit ones, the third of 64-bit ones too (their flags come early)
        address = 2
        self.dynamic = headers[PT_DYNAMIC][address] + bias if PT_DYNAMIC in headers else 0
        self.interpreter = self.text(headers[PT_INTERP][address] + bias) if PT_INTERP in headers else b""
        self._slot = self._debug_word() if self.dynamic else 0

    def _numbers(self, data: bytes) -> list[int]:
        size = self.size
        return [int.from_bytes(data[at:at + size], self._order) for at in range(0, len(data) - size + 1, size)]  # type: ignore[arg-type]

    def words(self, address: int, count: int) -> list[int]:
        """Return words of memory; zeros where it cannot be read."""
        length = count * self.size
        return self._numbers(self.read(address, length).ljust(length, b"\0"))

    def text(self, address: int) -> bytes:
        """Return the bytes up to a zero."""
        return self.read(address, PATH_MAX).partition(b"\0")[0]

    def _headers(self, facts: dict[int, int]) -> list[list[int]]:
        start, step = facts.get(AT_PHDR, 0), facts.get(AT_PHENT, 0)
        count = min(facts.get(AT_PHNUM, 0), MOST_HEADERS)
        rows = [self.words(start + i * step, 4) for i in range(count)] if start else []
        kind = (1 << 32) - 1                                       # the type has four bytes everywhere
        return [[row[0] & kind, *row[1:]] for row in rows]

    def _debug_word(self) -> int:
        """Return the address of DT_DEBUG's value; 0 where the program has none."""
        at = self.dynamic
        for _ in range(MOST_TAGS):
            tag = self.words(at, 1)[0]
            if tag == DT_DEBUG:
                return at + self.size
            if tag == DT_NULL:
                return 0
            at += 2 * self.size
        return 0

    @property
    def changes_at(self) -> int:
        """The address of the function that the loader calls when its list changes; 0 while nobody knows."""
        found = self.words(self._slot, 1)[0] if self._slot else 0
        return self.words(found, 3)[2] if found else 0

    def entries(self) -> list[Entry]:
        """Return the list as it is now; empty for static programs, and before the loader has made it."""
        found = self.words(self._slot, 1)[0] if self._slot else 0
        link = self.words(found, 2)[1] if found else 0
        out: list[Entry] = []
        while link and len(out) < MOST_LIBRARIES:
            bias, name, dynamic, following = self.words(link, 4)
            out.append(Entry(bias, self.text(name), dynamic, link))
            link = following
        return out


__all__ = ["Entry", "LinkMap"]
