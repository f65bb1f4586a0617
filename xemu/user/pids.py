"""Process numbers: the host's, or under the virtual clock small ones that repeat from run to run."""

from __future__ import annotations

import mmap
import os
import struct

FIRST = 1000
TABLE = 65536


class HostPids:
    """The guest sees the host's numbers."""

    def __init__(self) -> None:
        """Ask the host."""
        self._own = os.getpid()

    def own(self) -> int:
        """getpid(2)."""
        return self._own

    def parent(self) -> int:
        """getppid(2)."""
        return os.getppid()

    def guest(self, host: int) -> int:
        """Translate a host number."""
        return host

    def host(self, guest: int) -> int:
        """Translate a guest number."""
        return guest

    def before_fork(self) -> int:
        """Choose a number for a child; 0: the host will."""
        return 0

    def in_child(self, _number: int) -> None:
        """Become the child."""
        self._own = os.getpid()

    def in_parent(self, _number: int, host: int) -> int:
        """Return the guest's number of a new child."""
        return host


class VirtualPids(HostPids):
    """Numbers counted from 1000 in a table all guest processes of a run share."""

    def __init__(self) -> None:
        """Enter this process as the first."""
        super().__init__()
        self._table = mmap.mmap(-1, 4 * TABLE)
        self._count = 0
        self._parent = 1
        self._own = self.before_fork()
        self._put(self._own, os.getpid())

    def _put(self, number: int, host: int) -> None:
        struct.pack_into("=I", self._table, 4 * (number - FIRST + 1), host)

    def parent(self) -> int:
        """Return the parent's number, 1 for the first process."""
        return self._parent

    def guest(self, host: int) -> int:
        """Translate a host number; strangers keep theirs."""
        used = struct.unpack_from("=I", self._table)[0]
        known = struct.unpack_from(f"={used}I", self._table, 4)
        return FIRST + known.index(host) if host in known else host

    def host(self, guest: int) -> int:
        """Translate a guest number."""
        used = struct.unpack_from("=I", self._table)[0]
        if FIRST <= guest < FIRST + used:
            return int(struct.unpack_from("=I", self._table, 4 * (guest - FIRST + 1))[0]) or guest
        return guest

    def before_fork(self) -> int:
        """Take the next number."""
        used = int(struct.unpack_from("=I", self._table)[0])
        struct.pack_into("=I", self._table, 0, min(used + 1, TABLE - 2))
        return FIRST + used

    def in_child(self, number: int) -> None:
        """Become the child."""
        self._parent, self._own = self._own, number
        self._put(number, os.getpid())

    def in_parent(self, number: int, host: int) -> int:
        """Enter a child."""
        self._put(number, host)
        return number
