"""The files that a debugger may read: the guest's as it sees them, and a /proc made from what is known. Read-only.

Where strangers can connect (a TCP address that is not loopback), only the program, what is under the sysroot, and /proc.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xemu.gdbstub.facts import fact, fact_or

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_LINKS = 40


def refused(number: int, path: str) -> OSError:
    """Return the error for a path."""
    return OSError(number, os.strerror(number), path)


class FileSystem:
    """Paths of the guest, as files of the host."""

    def __init__(self, system: Any, sysroot: str | None, *, open_to_all: bool) -> None:
        self.system, self.open_to_all = system, open_to_all
        self.sysroot = os.path.realpath(sysroot) if sysroot else None

    # -- /proc ------------------------------------------------------------------------------------------------------------
    def _own(self, path: str) -> str | None:
        """Return what follows /proc/PID/ in a path that means the program."""
        who, _, rest = path.removeprefix("/proc/").partition("/")
        if not path.startswith("/proc/") or self.system is None or who not in ("self", str(fact_or("", self.system, "pid"))):
            return None
        if rest.startswith("task/"):
            rest = rest[5:].partition("/")[2]
        return rest

    def made(self, path: str) -> bytes | None:
        """Return the contents of a file that is made up; None for others. The engine's thread calls it."""
        rest = self._own(path)
        if rest is None:
            return None
        contents = fact_or(None, self.system, "proc_file", rest)        # the process knows better, where it does
        if contents is not None:
            return bytes(contents)
        maker = PROC.get(rest)
        return maker(self.system) if maker is not None else None

    def is_made(self, path: str) -> bool:
        """Whether a path is in /proc: never the host's, which shows xemu itself."""
        return path.startswith("/proc/") or path == "/proc"

    def link(self, path: str) -> str:
        """Return where a link leads; OSError."""
        rest = self._own(path)
        if rest in ("exe", "cwd", "root"):
            return "/" if rest == "root" else str(fact_or("/", self.system, {"exe": "exe_path", "cwd": "directory"}[rest]))
        if self.is_made(path):
            raise refused(errno.ENOENT, path)
        return os.readlink(self.find(path, last=False))      # noqa: PTH115

    # -- files of the host -------------------------------------------------------------------------------------------------
    def find(self, path: str, *, last: bool = True) -> str:
        """Return the host's path of a guest's; `last`: follow a link at the end too. OSError where it may not be read."""
        if self._own(path) == "exe":
            path = str(fact_or("", self.system, "exe_path"))
        elif self.is_made(path):
            raise refused(errno.ENOENT, path)
        if not path.startswith("/"):
            raise refused(errno.ENOENT, path)
        inside = self._walk(path, last=last) if self.sysroot else None
        if inside is not None and os.path.lexists(inside):
            return inside
        if self.open_to_all or self._is_program(path):
            return path
        raise refused(errno.EACCES, path)

    def _is_program(self, path: str) -> bool:
        return self.system is not None and path in {fact_or(None, self.system, name) for name in ("exe_path", "exe_host")}

    def _walk(self, path: str, *, last: bool) -> str | None:
        """Follow a path below the sysroot, where absolute links start at the sysroot again; None for one that circles."""
        assert self.sysroot is not None
        rest, done, links = [word for word in reversed(path.split("/")) if word], [self.sysroot], 0
        while rest:
            word = rest.pop()
            if word in (".", ".."):
                if word == ".." and len(done) > 1:
                    done.pop()
                continue
            place = "/".join([*done, word])
            if os.path.islink(place) and (rest or last):  # noqa: PTH114
                links += 1
                if links > MOST_LINKS:
                    return None
                target = os.readlink(place)  # noqa: PTH115
                if target.startswith("/"):
                    done = [self.sysroot]
                rest += [piece for piece in reversed(target.split("/")) if piece]
                continue
            done.append(word)
        return "/".join(done)

    def open(self, path: str) -> int:
        """Open a file of the host for reading; OSError. Only plain files: reading must not wait."""
        descriptor = os.open(self.find(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise refused(errno.EACCES, path)
        return descriptor


def maps(system: Any) -> bytes:
    """Return the memory map as /proc/PID/maps has it."""
    lines = []
    for entry in system.memory_map():
        rights = entry.rights.ljust(3, "-")[:3]
        head = f"{entry.start:08x}-{entry.end:08x} {rights}p {getattr(entry, 'offset', 0):08x} 00:00 0 "
        lines.append(f"{head:<73}{entry.name}".rstrip() + "\n" if entry.name else head + "\n")
    return os.fsencode("".join(lines))


def status(system: Any) -> bytes:
    """Return the first lines of /proc/PID/status."""
    pid, count = fact_or(1, system, "pid"), len(list(system.threads()))
    return f"Name:\t{system.name[:15]}\nState:\tt (tracing stop)\nTgid:\t{pid}\nPid:\t{pid}\nThreads:\t{count}\n".encode()


#: file below /proc/PID -> what makes it, where the process has nothing better
PROC: dict[str, Callable[[Any], bytes]] = {
    "maps": maps,
    "smaps": maps,
    "status": status,
    "auxv": lambda system: bytes(fact(system, "auxv")),
    "cmdline": lambda system: b"".join(os.fsencode(word) + b"\0" for word in getattr(system, "arguments", [])),
    "coredump_filter": lambda _system: Path("/proc/self/coredump_filter").read_bytes(),       # the guest's process is this one
    "comm": lambda system: os.fsencode(system.name[:15]) + b"\n",
}
