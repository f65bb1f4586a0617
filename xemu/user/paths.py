"""From guest paths to host paths: the sysroot, and names that mean the guest itself.

With `-L SYSROOT` an absolute path that exists under the sysroot means the file there; symbolic links with
absolute targets are resolved under the sysroot. Everything else is the host's file. Directories in which users
keep their own files are never taken from the sysroot.
"""

from __future__ import annotations

import os
import stat
from errno import ENAMETOOLONG, ENOENT
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xemu.user.process import Process
    from xemu.user.task import Task

AT_FDCWD = -100
PATH_MAX = 4096
MAX_LINKS = 40
# roots unpacked from packages may have /bin and /usr/bin apart; on today's systems they are one directory
UNMERGED = (b"/bin/", b"/sbin/", b"/lib/", b"/lib64/", b"/usr/bin/", b"/usr/sbin/", b"/usr/lib/", b"/usr/lib64/")
HOST_ONLY = frozenset((b"proc", b"sys", b"dev", b"tmp", b"run", b"home", b"root", b"mnt", b"media", b"srv", b""))


class Paths:
    """Path translation of one process."""

    def __init__(self, process: Process, sysroot: str | None) -> None:
        """`sysroot` None: guest paths are host paths."""
        self.process = process
        self.sysroot = os.path.realpath(os.fsencode(sysroot)).rstrip(b"/") if sysroot else b""
        self._directories: dict[bytes, bytes] = {}

    def translate(self, path: bytes, *, follow: bool = True) -> bytes:
        """Return the host path for an absolute guest path."""
        if path.startswith((b"/proc/", b"/dev/")):
            return self.process.proc.translate(path)
        if self.sysroot:
            found = self.under_sysroot(path, follow=follow)
            if found is not None:
                return found
        return path

    def under_sysroot(self, path: bytes, *, follow: bool = True) -> bytes | None:
        """Return where an absolute path exists under the sysroot, or None."""
        found = self._find(path, follow=follow)
        if found is None and path.startswith(UNMERGED):
            other = path[4:] if path.startswith(b"/usr/") else b"/usr" + path
            found = self._find(other, follow=follow)
        return found

    def _find(self, path: bytes, *, follow: bool) -> bytes | None:
        first = path.lstrip(b"/").partition(b"/")[0]
        if first in HOST_ONLY:
            return None
        directory, _, name = path.rpartition(b"/")
        if name in (b"", b".", b".."):
            return self._walk(path, follow=follow)
        start = self._directories.get(directory)
        if start is None:
            start = self._walk(directory, follow=True) if directory else self.sysroot
            if start is None:
                return None
            self._directories[directory] = start
        found = start + b"/" + name
        try:
            mode = os.lstat(found).st_mode
        except OSError:
            return None
        if follow and stat.S_ISLNK(mode):
            return self._walk(path, follow=True)
        return found

    def _walk(self, path: bytes, *, follow: bool) -> bytes | None:
        """Resolve component by component, links with absolute targets under the sysroot."""
        todo = [part for part in reversed(path.split(b"/")) if part]
        done: list[bytes] = []
        links = 0
        while todo:
            part = todo.pop()
            if part == b".":
                continue
            if part == b"..":
                del done[-1:]
                continue
            here = b"/".join((self.sysroot, *done, part))
            try:
                mode = os.lstat(here).st_mode
            except OSError:
                return None
            if stat.S_ISLNK(mode) and (todo or follow):
                links += 1
                if links > MAX_LINKS:
                    return None
                target = os.readlink(here)
                if target.startswith(b"/"):
                    done.clear()
                todo.extend(p for p in reversed(target.split(b"/")) if p)
            else:
                done.append(part)
        return b"/".join((self.sysroot, *done)) or b"/"


def path_argument(task: Task, address: int) -> bytes:
    """Read a path; ENOENT if empty, ENAMETOOLONG; GuestFault."""
    path = task.space.c_string(address, PATH_MAX)
    if not path:
        raise OSError(ENOENT, os.strerror(ENOENT))
    if len(path) >= PATH_MAX:
        raise OSError(ENAMETOOLONG, os.strerror(ENAMETOOLONG))
    return path


def host_path(task: Task, dirfd: int, address: int, *, follow: bool = True) -> tuple[bytes, int | None]:
    """Return (path, dir_fd) for `os` functions from an at-style pair."""
    path = path_argument(task, address)
    if path[0] == 0x2F:
        return task.process.paths.translate(path, follow=follow), None
    if dirfd == AT_FDCWD:
        return path, None
    return path, task.fds.host(dirfd)


def plain_path(task: Task, address: int, *, follow: bool = True) -> bytes:
    """Return the host path for a call without a directory descriptor."""
    path = path_argument(task, address)
    return task.process.paths.translate(path, follow=follow) if path[0] == 0x2F else path
