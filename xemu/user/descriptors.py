"""The guest's descriptor table: guest number -> host descriptor, lowest free number first.

The guest cannot name descriptors that are not in the table, so xemu's own are out of its reach. Host
descriptors 0-2 are never given back to the host: when the guest closes them they become /dev/null.
"""

from __future__ import annotations

import os
import stat
from errno import EBADF, EMFILE
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE, STREAM, UNKNOWN = 0, 1, 2  # does reading block? never; perhaps; not asked yet
STANDARD = 3


class Descriptor:
    """One entry: the host's number and what xemu must know about it."""

    __slots__ = ("cloexec", "data", "host", "kind", "nowait")

    def __init__(self, host: int, *, cloexec: bool = False, kind: int = UNKNOWN, data: object = None) -> None:
        """Wrap a host descriptor; `data` belongs to synthesized files, epoll sets and timers."""
        self.host = host
        self.cloexec = cloexec
        self.kind = kind
        self.nowait = True  # the host knows RWF_NOWAIT for it (until it says it does not)
        self.data = data

    def blocks(self) -> bool:
        """Tell whether reading or writing can block."""
        if self.kind == UNKNOWN:
            mode = os.fstat(self.host).st_mode
            regular = stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISBLK(mode)
            self.kind = FILE if regular else STREAM
        return self.kind == STREAM


class Descriptors:
    """The table of one process."""

    def __init__(self) -> None:
        """Start with what the host process was given as 0, 1 and 2."""
        self.table: dict[int, Descriptor] = {}
        self.limit = os.sysconf("SC_OPEN_MAX")
        self._low = 0

    def inherit(self, numbers: Iterable[int]) -> None:
        """Take over open host descriptors under the same numbers."""
        for number in numbers:
            try:
                os.fstat(number)
            except OSError:
                continue
            self.table[number] = Descriptor(number)

    def host(self, number: int) -> int:
        """Return the host's descriptor; OSError(EBADF)."""
        try:
            return self.table[number].host
        except KeyError:
            raise OSError(EBADF, "bad descriptor") from None

    def get(self, number: int) -> Descriptor:
        """Return an entry; OSError(EBADF)."""
        try:
            return self.table[number]
        except KeyError:
            raise OSError(EBADF, "bad descriptor") from None

    def add(self, entry: Descriptor, at_least: int = 0) -> int:
        """Enter a descriptor under the lowest free number; EMFILE closes it again."""
        table = self.table
        number = max(self._low, at_least)
        while number in table:
            number += 1
        if number >= self.limit:
            os.close(entry.host)
            raise OSError(EMFILE, os.strerror(EMFILE))
        table[number] = entry
        if at_least <= self._low:
            self._low = number + 1
        return number

    def add_host(self, host: int, *, cloexec: bool = False, kind: int = UNKNOWN, at_least: int = 0) -> int:
        """Enter a host descriptor under the lowest free number."""
        return self.add(Descriptor(host, cloexec=cloexec, kind=kind), at_least)

    def put(self, number: int, entry: Descriptor) -> None:
        """Enter a descriptor under a number, closing what was there."""
        if number in self.table:
            self.close(number)
        self.table[number] = entry

    def close(self, number: int) -> None:
        """Close an entry; OSError(EBADF)."""
        entry = self.table.pop(number, None)
        if entry is None:
            raise OSError(EBADF, "bad descriptor")
        self._low = min(self._low, number)
        release(entry.host)

    def close_on_exec(self) -> None:
        """Close what execve(2) closes."""
        for number in [n for n, entry in self.table.items() if entry.cloexec]:
            self.close(number)


def release(host: int) -> None:
    """Close a host descriptor; 0, 1 and 2 are kept as /dev/null so that nothing of xemu's lands there."""
    if host < STANDARD:
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        os.dup2(null, host, inheritable=True)
        os.close(null)
    else:
        os.close(host)
