"""The guest's descriptor table: guest number -> host descriptor, lowest free number first.

The guest cannot name descriptors that are not in the table, so xemu's own are out of its reach. Host
descriptors 0-2 are never given back to the host: when the guest closes them they become /dev/null.

For debuggers, which go back in time, a closed entry keeps what it takes to open its file again.
"""

from __future__ import annotations

import fcntl
import os
import stat
from errno import EBADF, EMFILE
from typing import TYPE_CHECKING, NamedTuple

from xemu.errors import XemuError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xemu.user.records import Records

FILE, STREAM, UNKNOWN = 0, 1, 2  # does reading block? never; perhaps; not asked yet
STANDARD = 3
_ONCE = os.O_CREAT | os.O_EXCL | os.O_TRUNC  # what opening a file again must not do


class LostError(XemuError):
    """A call needs something that only another future of the process has."""


class Origin(NamedTuple):
    """What it takes to open a file again: its path, what it was, how it was opened."""

    path: str
    mode: int
    identity: tuple[int, int, int]  # device, inode, device number
    flags: int

    @classmethod
    def of(cls, host: int) -> Origin:
        """Ask about an open host descriptor."""
        status = os.fstat(host)
        path = os.readlink(f"/proc/self/fd/{host}")
        return cls(path, status.st_mode, (status.st_dev, status.st_ino, status.st_rdev), fcntl.fcntl(host, fcntl.F_GETFL))

    def open(self) -> int:
        """Open the same file again; LostError."""
        if stat.S_ISFIFO(self.mode) or stat.S_ISSOCK(self.mode):
            raise LostError("the pipe it was" if stat.S_ISFIFO(self.mode) else "the socket it was")
        try:
            host = os.open(self.path, self.flags & ~_ONCE | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            raise LostError(f"{self.path} ({error.strerror})") from None
        status = os.fstat(host)
        if (status.st_dev, status.st_ino, status.st_rdev) != self.identity:
            os.close(host)
            raise LostError(f"{self.path}, which is another file now")
        fcntl.fcntl(host, fcntl.F_SETFL, self.flags)
        return host


FIRST_SHORT = 1 << 30  # offsets of directories from here on are numbers of those that 32-bit programs cannot have


class OpenFile:
    """An open file description (open(2)): what duplicates of a descriptor share. `entries`: those that are open."""

    __slots__ = ("_numbers", "_offsets", "entries", "origin", "records")

    def __init__(self) -> None:
        """Start with nobody."""
        self.entries: list[Descriptor] = []
        self.origin: Origin | None = None
        self.records: Records | None = None  # to translate what is read and written: the guest has another byte order
        self._offsets: list[int] = []
        self._numbers: dict[int, int] = {}

    @property
    def is_shortened(self) -> bool:
        """Tell whether any offset has been."""
        return bool(self._offsets)

    def short_offset(self, offset: int) -> int:
        """Return an offset of a directory as 31 bits: the host's may be a hash of 63."""
        if offset < FIRST_SHORT:
            return offset
        if offset not in self._numbers:
            self._numbers[offset] = FIRST_SHORT + len(self._offsets)
            self._offsets.append(offset)
        return self._numbers[offset]

    def long_offset(self, offset: int) -> int:
        """Return the host's offset again."""
        number = offset - FIRST_SHORT
        return self._offsets[number] if 0 <= number < len(self._offsets) else offset


class Descriptor:
    """One entry: the host's number (-1: closed) and what xemu must know about it."""

    __slots__ = ("cloexec", "data", "file", "host", "kind", "nowait")

    def __init__(self, host: int, *, cloexec: bool = False, kind: int = UNKNOWN, data: object = None,
                 file: OpenFile | None = None) -> None:
        """Wrap a host descriptor; `data` belongs to synthesized files, epoll sets and timers."""
        self.host = host
        self.cloexec = cloexec
        self.kind = kind
        self.nowait = True  # the host knows RWF_NOWAIT for it (until it says it does not)
        self.data = data
        self.file = file or OpenFile()
        self.file.entries.append(self)

    def copy(self, *, cloexec: bool) -> Descriptor:
        """Return a duplicate, as dup(2) makes it."""
        made = Descriptor(os.dup(self.host), cloexec=cloexec, kind=self.kind, data=self.data, file=self.file)
        made.nowait = self.nowait
        return made

    def close(self) -> None:
        """Give the host's descriptor back."""
        host, self.host = self.host, -1
        self.file.entries.remove(self)
        release(host)

    def reopen(self) -> None:
        """Open what was closed again; LostError where that is impossible."""
        if self.host >= 0:
            return
        if self.file.entries:
            self.host = fcntl.fcntl(self.file.entries[0].host, fcntl.F_DUPFD_CLOEXEC, STANDARD)
        elif self.file.origin is None:
            raise LostError("what nobody remembers")
        else:
            self.host = self.file.origin.open()
        self.file.entries.append(self)

    def blocks(self) -> bool:
        """Tell whether reading or writing can block."""
        if self.kind == UNKNOWN:
            mode = os.fstat(self.host).st_mode
            regular = stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISBLK(mode)
            self.kind = FILE if regular else STREAM
        return self.kind == STREAM


class LostDescriptor(Descriptor):
    """Stands for one that cannot be opened again: whatever needs it raises LostError."""

    __slots__ = ("of", "why")

    def __init__(self, of: Descriptor, number: int, why: str) -> None:  # it has no host's descriptor
        """Stand for another entry."""
        self.of, self.why = of, f"descriptor {number} needs {why}: only another future of the process has that"
        self.cloexec, self.kind, self.data, self.nowait, self.file = of.cloexec, of.kind, of.data, of.nowait, of.file

    @property
    def host(self) -> int:  # type: ignore[override]
        """There is none."""
        raise LostError(self.why)

    def close(self) -> None:
        """Nothing is open."""


class Descriptors:
    """The table of one process."""

    def __init__(self) -> None:
        """Start with what the host process was given as 0, 1 and 2."""
        self.table: dict[int, Descriptor] = {}
        self.remember = False  # closed files may be opened again, for a debugger
        self.limit = os.sysconf("SC_OPEN_MAX")
        self._records_of: Callable[[int], Records | None] | None = None  # says what those of a host descriptor are
        self._low = 0

    def inherit(self, numbers: Iterable[int]) -> None:
        """Take over open host descriptors under the same numbers."""
        for number in numbers:
            try:
                os.fstat(number)
            except OSError:
                continue
            self.table[number] = Descriptor(number)

    def translate_records(self, order: str) -> None:
        """Have records that the kernel gives and takes translated for a guest of this byte order, as `struct` has it."""
        from xemu.user.records import records_of

        self._records_of = lambda host: records_of(host, order)
        for entry in self.table.values():
            entry.file.records = self._records_of(entry.host)

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
            entry.close()
            raise OSError(EMFILE, os.strerror(EMFILE))
        table[number] = entry
        if self._records_of is not None and entry.file.records is None:
            entry.file.records = self._records_of(entry.host)
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
        if self.remember and not isinstance(entry, LostDescriptor):
            entry.file.origin = Origin.of(entry.host)
        entry.close()

    def set_table(self, table: dict[int, Descriptor]) -> None:
        """Have other entries; none is closed."""
        self.table = table
        self._low = next(n for n in range(len(table) + 1) if n not in table)

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
