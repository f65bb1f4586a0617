"""Semihosting: BKPT 0xAB asks the host for console, files and time. Arm Semihosting 2.0 (ABI release 2022Q3).

Console, exit, time and the like are always on. Files lie under the directory the user starts in, and only where
`--semihosting` allows them; paths cannot leave it. Time is the machine's.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from xemu.core.memory import GuestFault
from xemu.hw.machine import Stop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from xemu.hw.cortex_m.cores import CortexM

FAILED = 0xFFFFFFFF
APPLICATION_EXIT = 0x20026
MODES = ("r", "rb", "r+", "r+b", "w", "wb", "w+", "w+b", "a", "ab", "a+", "a+b")
FLAGS = {"r": os.O_RDONLY, "r+": os.O_RDWR, "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC, "w+": os.O_RDWR | os.O_CREAT | os.O_TRUNC,
         "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND, "a+": os.O_RDWR | os.O_CREAT | os.O_APPEND}
CONSOLE_IN, CONSOLE_OUT, CONSOLE_ERR, FEATURES = "stdin", "stdout", "stderr", "features"
FEATURE_BITS = bytes((0x53, 0x48, 0x46, 0x42, 0x03))       # magic "SHFB", extended exit, stdout and stderr apart
LONGEST = 1 << 20


class Semihosting:
    """The calls of one core."""

    def __init__(self, core: CortexM) -> None:
        self.core = core
        self.files: dict[int, Any] = {}
        self.error = 0
        self.root: Path | None = None                      # where files may be; None: nowhere
        self.command_line = ""
        self.console: Callable[[bytes], None] = lambda _data: None
        self.errors: Callable[[bytes], None] | None = None
        self.output = bytearray()                          # what went to the console
        self.input = bytearray()                           # what console reads give
        self.heap = (0, 0, 0, 0)
        self.written: list[tuple[int, bytes]] = []         # what the last call has put into memory

    def call(self) -> None:
        """Do the call that r0 (number) and r1 (parameter or address of a block) name; the result goes to r0."""
        core = self.core
        number, parameter = core.r[0], core.r[1]
        function = CALLS.get(number)
        if function is None:
            core.machine.report(f"semihosting call {number:#x} is not known")
            core.r[0] = FAILED
            return
        if number in INSIDE:
            core.r[0] = self._do(function, parameter)
            return
        name = function.__name__[4:]
        core.r[0], self.written = core.machine.door.answer("semihosting", name, lambda: (self._do(function, parameter), self.written))
        if core.machine.door.replaying:
            for address, data in self.written:
                core.space.poke(address, data)

    def _do(self, function: Callable[[Semihosting, int], int], parameter: int) -> int:
        self.written = []
        try:
            return function(self, parameter) & 0xFFFFFFFF
        except GuestFault as e:
            self.core.machine.report(f"semihosting {function.__name__[4:]}: no memory at {e.address:#x}")
            return FAILED

    # -- memory and descriptors ----------------------------------------------------------------------------------------------
    def _words(self, address: int, count: int) -> list[int]:
        data = self._bytes(address, 4 * count)
        return [int.from_bytes(data[i:i + 4], "little") for i in range(0, 4 * count, 4)]

    def _bytes(self, address: int, length: int) -> bytes:
        data = self.core.space.peek(address, length) if length <= LONGEST else None
        if data is None:
            raise GuestFault(address, 1, mapped=False)
        return data

    def _put(self, address: int, data: bytes) -> None:
        if data and not self.core.space.poke(address, data):
            raise GuestFault(address, 2, mapped=False)
        self.written.append((address, bytes(data)))

    def _fail(self, number: int) -> int:
        self.error = number
        return FAILED

    def _path(self, name: str) -> Path | None:
        """Return a path inside the root, or None."""
        if self.root is None:
            return None
        path = (self.root / name).resolve()
        return path if path.is_relative_to(self.root.resolve()) else None

    def _out(self, data: bytes, *, error: bool = False) -> None:
        self.output += data
        del self.output[:-LONGEST]
        (self.errors if error and self.errors else self.console)(data)

    # -- calls ---------------------------------------------------------------------------------------------------------------
    def sys_open(self, block: int) -> int:
        """SYS_OPEN 0x01."""
        address, mode, length = self._words(block, 3)
        name = self._bytes(address, length).decode("utf-8", "replace")
        if mode >= len(MODES):
            return self._fail(errno.EINVAL)
        if name == ":tt":
            opened: Any = CONSOLE_IN if mode < 4 else CONSOLE_OUT if mode < 8 else CONSOLE_ERR
        elif name == ":semihosting-features":
            opened = [FEATURES, 0]
        else:
            path = self._path(name)
            if path is None:
                self.core.machine.report(f"semihosting: the guest opens {name!r}; allow files with --semihosting")
                return self._fail(errno.EACCES)
            try:
                opened = os.open(path, FLAGS[MODES[mode].replace("b", "")] | os.O_CLOEXEC | os.O_NONBLOCK, 0o644)
            except (OSError, ValueError) as e:
                return self._fail(getattr(e, "errno", None) or errno.EINVAL)
        handle = next(n for n in range(1, 1 << 16) if n not in self.files)
        self.files[handle] = opened
        return handle

    def sys_close(self, block: int) -> int:
        """SYS_CLOSE 0x02."""
        opened = self.files.pop(self._words(block, 1)[0], None)
        if opened is None:
            return self._fail(errno.EBADF)
        if isinstance(opened, int):
            os.close(opened)
        return 0

    def sys_writec(self, address: int) -> int:
        """SYS_WRITEC 0x03: r0 stays as it is undefined afterwards."""
        self._out(self._bytes(address, 1))
        return 0

    def sys_write0(self, address: int) -> int:
        """SYS_WRITE0 0x04."""
        out = bytearray()
        while len(out) < LONGEST and (byte := self._bytes(address + len(out), 1)) != b"\0":
            out += byte
        self._out(bytes(out))
        return 0

    def sys_write(self, block: int) -> int:
        """SYS_WRITE 0x05: the number of bytes not written."""
        handle, address, length = self._words(block, 3)
        opened = self.files.get(handle)
        data = self._bytes(address, length)
        if opened in (CONSOLE_OUT, CONSOLE_ERR):
            self._out(data, error=opened == CONSOLE_ERR)
            return 0
        if not isinstance(opened, int):
            self.error = errno.EBADF
            return length
        try:
            return length - os.write(opened, data)
        except OSError as e:
            self.error = e.errno or errno.EIO
            return length

    def sys_read(self, block: int) -> int:
        """SYS_READ 0x06: the number of bytes not read."""
        handle, address, length = self._words(block, 3)
        opened = self.files.get(handle)
        if opened == CONSOLE_IN:
            data = bytes(self.input[:length])
            del self.input[:length]
        elif isinstance(opened, list):
            data = FEATURE_BITS[opened[1]:opened[1] + length]
            opened[1] += len(data)
        elif isinstance(opened, int):
            try:
                data = os.read(opened, min(length, LONGEST))
            except OSError as e:
                self.error = e.errno or errno.EIO
                return length
        else:
            self.error = errno.EBADF
            return length
        self._put(address, data)
        return length - len(data)

    def sys_readc(self, _unused: int) -> int:
        """SYS_READC 0x07: a byte of the console, or -1 where there is none."""
        return self.input.pop(0) if self.input else FAILED

    def sys_iserror(self, block: int) -> int:
        """SYS_ISERROR 0x08."""
        return int(self._words(block, 1)[0] >> 31)

    def sys_istty(self, block: int) -> int:
        """SYS_ISTTY 0x09."""
        return int(isinstance(self.files.get(self._words(block, 1)[0]), str))

    def sys_seek(self, block: int) -> int:
        """SYS_SEEK 0x0A."""
        handle, position = self._words(block, 2)
        opened = self.files.get(handle)
        if isinstance(opened, list):
            opened[1] = position
            return 0
        if not isinstance(opened, int):
            return self._fail(errno.EBADF)
        try:
            os.lseek(opened, position, os.SEEK_SET)
        except OSError as e:
            return self._fail(e.errno or errno.EIO)
        return 0

    def sys_flen(self, block: int) -> int:
        """SYS_FLEN 0x0C."""
        opened = self.files.get(self._words(block, 1)[0])
        if isinstance(opened, list):
            return len(FEATURE_BITS)
        if not isinstance(opened, int):
            return self._fail(errno.EBADF)
        return os.fstat(opened).st_size

    def sys_tmpnam(self, block: int) -> int:
        """SYS_TMPNAM 0x0D."""
        address, number, length = self._words(block, 3)
        name = b"xemu%03d.tmp\0" % (number & 0xFF)
        if length < len(name):
            return FAILED
        self._put(address, name)
        return 0

    def sys_remove(self, block: int) -> int:
        """SYS_REMOVE 0x0E."""
        address, length = self._words(block, 2)
        path = self._path(self._bytes(address, length).decode("utf-8", "replace"))
        if path is None:
            return self._fail(errno.EACCES)
        try:
            path.unlink()
        except OSError as e:
            return self._fail(e.errno or errno.EIO)
        return 0

    def sys_rename(self, block: int) -> int:
        """SYS_RENAME 0x0F."""
        old_at, old_length, new_at, new_length = self._words(block, 4)
        old = self._path(self._bytes(old_at, old_length).decode("utf-8", "replace"))
        new = self._path(self._bytes(new_at, new_length).decode("utf-8", "replace"))
        if old is None or new is None:
            return self._fail(errno.EACCES)
        try:
            old.rename(new)
        except OSError as e:
            return self._fail(e.errno or errno.EIO)
        return 0

    def sys_clock(self, _unused: int) -> int:
        """SYS_CLOCK 0x10: hundredths of a second."""
        return self.core.machine.now * 100 // self.core.machine.rate

    def sys_time(self, _unused: int) -> int:
        """SYS_TIME 0x11: seconds since 1970: the machine's epoch plus its own time."""
        return self.core.machine.epoch + self.core.machine.now // self.core.machine.rate

    def sys_system(self, _block: int) -> int:
        """SYS_SYSTEM 0x12: host commands are never run."""
        self.core.machine.report("semihosting: the guest wants to run a host command; xemu does not do that")
        return FAILED

    def sys_errno(self, _unused: int) -> int:
        """SYS_ERRNO 0x13."""
        return self.error

    def sys_get_cmdline(self, block: int) -> int:
        """SYS_GET_CMDLINE 0x15."""
        address, length = self._words(block, 2)
        line = self.command_line.encode() + b"\0"
        if length < len(line):
            return FAILED
        self._put(address, line)
        self._put(block + 4, (len(line) - 1).to_bytes(4, "little"))
        return 0

    def sys_heapinfo(self, block: int) -> int:
        """SYS_HEAPINFO 0x16: heap base and limit, stack base and limit; 0 lets the program use its own."""
        (address,) = self._words(block, 1)
        self._put(address, b"".join(w.to_bytes(4, "little") for w in self.heap))
        return 0

    def sys_exit(self, reason: int) -> int:
        """SYS_EXIT 0x18: success where the application says it is done."""
        self.core.machine.stop(Stop("exit", 0 if reason == APPLICATION_EXIT else 1))
        return 0

    def sys_exit_extended(self, block: int) -> int:
        """SYS_EXIT_EXTENDED 0x20: with a code of the application's."""
        reason, code = self._words(block, 2)
        self.core.machine.stop(Stop("exit", code & 0xFF if reason == APPLICATION_EXIT else 1))
        return 0

    def sys_elapsed(self, block: int) -> int:
        """SYS_ELAPSED 0x30: ticks since the start."""
        self._put(block, self.core.machine.now.to_bytes(8, "little"))
        return 0

    def sys_tickfreq(self, _unused: int) -> int:
        """SYS_TICKFREQ 0x31: ticks per second."""
        return self.core.machine.rate


CALLS: dict[int, Callable[[Semihosting, int], int]] = {
    0x01: Semihosting.sys_open, 0x02: Semihosting.sys_close, 0x03: Semihosting.sys_writec, 0x04: Semihosting.sys_write0,
    0x05: Semihosting.sys_write, 0x06: Semihosting.sys_read, 0x07: Semihosting.sys_readc, 0x08: Semihosting.sys_iserror,
    0x09: Semihosting.sys_istty, 0x0A: Semihosting.sys_seek, 0x0C: Semihosting.sys_flen, 0x0D: Semihosting.sys_tmpnam,
    0x0E: Semihosting.sys_remove, 0x0F: Semihosting.sys_rename, 0x10: Semihosting.sys_clock, 0x11: Semihosting.sys_time,
    0x12: Semihosting.sys_system, 0x13: Semihosting.sys_errno, 0x15: Semihosting.sys_get_cmdline, 0x16: Semihosting.sys_heapinfo,
    0x18: Semihosting.sys_exit, 0x20: Semihosting.sys_exit_extended, 0x30: Semihosting.sys_elapsed, 0x31: Semihosting.sys_tickfreq,
}

#: calls that depend on the machine alone; all others go through its door
INSIDE = frozenset({0x10, 0x11, 0x18, 0x20, 0x30, 0x31})
