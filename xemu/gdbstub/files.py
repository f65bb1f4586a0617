"""Files of the guest for the debugger: vFile. GDB manual, appendix E.7 "Host I/O Packets"; numbers from E.13.9."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from xemu.gdbstub.framing import PACKET_SIZE
from xemu.gdbstub.replies import stat_bytes
from xemu.gdbstub.table import packet

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.gdbstub.client import Client

#: the host's error numbers -> the protocol's; others are EUNKNOWN
ERRORS = {getattr(errno, name): number for name, number in {
    "EPERM": 1, "ENOENT": 2, "EINTR": 4, "EIO": 5, "EBADF": 9, "EACCES": 13, "EFAULT": 14, "EBUSY": 16, "EEXIST": 17, "ENODEV": 19,
    "ENOTDIR": 20, "EISDIR": 21, "EINVAL": 22, "ENFILE": 23, "EMFILE": 24, "EFBIG": 27, "ENOSPC": 28, "ESPIPE": 29, "EROFS": 30,
    "ENOSYS": 88, "ENAMETOOLONG": 91}.items()}
EUNKNOWN = 9999
ACCESS_MODE = 3                  # of open's flags: anything but 0 is for writing
MOST_FILES = 64
LONGEST = PACKET_SIZE // 2 - 64  # bytes in one answer, all of them escaped


def failure(error: OSError) -> str:
    """Return the reply for an error."""
    return f"F-1,{ERRORS.get(error.errno or 0, EUNKNOWN):x}"


def attempt(function: Callable[[], bytes | str]) -> bytes | str:
    """Return what a function gives, or the reply for its error."""
    try:
        return function()
    except OSError as error:
        return failure(error)


def _attached(data: bytes) -> bytes:
    return f"F{len(data):x};".encode() + data


@packet("vFile:setfs:{process:hex}", needs_target=False)
async def set_filesystem(_client: Client, process: int) -> str:  # noqa: ARG001 - there is one file system
    """Choose whose files are meant."""
    return "F0"


@packet("vFile:open:{path:hextext},{flags:hex},{mode:hex}", needs_target=False)
async def open_file(client: Client, path: str, flags: int, mode: int) -> bytes | str:  # noqa: ARG001
    """Open a file for reading."""
    files = client.server.filesystem
    if flags & ACCESS_MODE:
        return failure(OSError(errno.EROFS, ""))
    if len(client.files) >= MOST_FILES:
        return failure(OSError(errno.EMFILE, ""))
    if client.server.session is not None:
        contents: bytes | None = await client.ask(lambda _debugger: files.made(path))
        if contents is not None:
            return attempt(lambda: _keep(client, _memory_file(contents)))
    return attempt(lambda: _keep(client, files.open(path)))


def _keep(client: Client, descriptor: int) -> str:
    number = next(n for n in range(3, MOST_FILES + 4) if n not in client.files)
    client.files[number] = descriptor
    return f"F{number:x}"


def _memory_file(contents: bytes) -> int:
    descriptor = os.memfd_create("proc", os.MFD_CLOEXEC)
    os.write(descriptor, contents)
    return descriptor


def _descriptor(client: Client, number: int) -> int:
    if number not in client.files:
        raise OSError(errno.EBADF, "")
    return client.files[number]


@packet("vFile:close:{number:hex}", needs_target=False)
async def close_file(client: Client, number: int) -> bytes | str:
    """Close a file."""
    def close() -> str:
        os.close(_descriptor(client, number))
        del client.files[number]
        return "F0"

    return attempt(close)


@packet("vFile:pread:{number:hex},{count:hex},{offset:hex}", needs_target=False)
async def read_file(client: Client, number: int, count: int, offset: int) -> bytes | str:
    """Read from a place in a file."""
    if offset >> 63:
        return failure(OSError(errno.EINVAL, ""))
    return attempt(lambda: _attached(os.pread(_descriptor(client, number), min(count, LONGEST), offset)))


@packet("vFile:fstat:{number:hex}", needs_target=False)
async def file_status(client: Client, number: int) -> bytes | str:
    """Return the status of an open file."""
    return attempt(lambda: _attached(stat_bytes(os.fstat(_descriptor(client, number)))))


@packet("vFile:stat:{path:hextext}", needs_target=False)
async def path_status(client: Client, path: str) -> bytes | str:
    """Return the status of a file."""
    return attempt(lambda: _attached(stat_bytes(os.stat(client.server.filesystem.find(path)))))  # noqa: PTH116


@packet("vFile:lstat:{path:hextext}", needs_target=False)
async def link_status(client: Client, path: str) -> bytes | str:
    """Return the status of a file, of a link itself."""
    return attempt(lambda: _attached(stat_bytes(os.lstat(client.server.filesystem.find(path, last=False)))))


@packet("vFile:readlink:{path:hextext}", needs_target=False)
async def read_link(client: Client, path: str) -> bytes | str:
    """Return where a link leads."""
    return attempt(lambda: _attached(os.fsencode(client.server.filesystem.link(path))))


@packet("vFile:pwrite:{rest:binary}", needs_target=False)
async def write_file(_client: Client, rest: bytes) -> str:  # noqa: ARG001
    """Refuse to write."""
    return failure(OSError(errno.EROFS, ""))


@packet("vFile:unlink:{path:hextext}", needs_target=False)
async def unlink_file(_client: Client, path: str) -> str:  # noqa: ARG001
    """Refuse to remove a file."""
    return failure(OSError(errno.EROFS, ""))


