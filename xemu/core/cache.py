"""The cache on disk: native functions, decode tries, handlers and regions of earlier runs, for every process of a user.

One directory per build (sources, LLVM, host processor). Files only grow, by whole entries under a lock; every entry
carries a checksum, and what does not check is a miss. The directory is private: it holds native code.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import struct
import sys
import zlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

try:
    from _blake2 import blake2b  # hashlib's own, without loading OpenSSL on every start
except ImportError:
    from hashlib import blake2b

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.core.target import Target

FORMAT = 4
LIMIT = 256 << 20                 # bytes of one file before it is started anew
BUILDS = 8                        # directories of other builds and targets that are kept
HEADER = struct.Struct("<4sII")   # magic, length, checksum of an entry
MAGIC = b"xemu"


def root() -> str:
    """Return the directory of all builds."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "xemu")


def _sources(*packages: str) -> Iterator[str]:
    """Yield name, size and time of the sources that decide what objects hold."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for package in packages:
        for entry in sorted(os.scandir(os.path.join(here, package)), key=lambda e: e.name):
            if entry.name.endswith(".py"):
                info = entry.stat()
                yield f"{package}/{entry.name} {info.st_size} {info.st_mtime_ns}"


def _llvm() -> str:
    spec = find_spec("llvmlite")
    if spec is None or spec.origin is None:
        return "none"
    site = os.path.dirname(os.path.dirname(spec.origin))
    return ",".join(sorted(n for n in os.listdir(site) if n.startswith("llvmlite-")))


def _host() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
            lines = {line.split(":")[0].strip(): line for line in f.read(8192).splitlines()}
    except OSError:
        return ""
    return "".join(lines.get(k, "") for k in ("model name", "flags", "CPU part", "Features"))


def build_key(target: Target) -> str:
    """Return the name of the directory of a target for this build and host."""
    h = blake2b(digest_size=10)
    for text in (str(FORMAT), sys.version, _llvm(), _host(), *_sources("core", f"targets/{target.package}")):
        h.update(text.encode() + b"\n")
    return f"{target.name}-{h.hexdigest()}"


class Cache:
    """The files of one build. Every method works, as a miss, where the directory cannot be used."""

    def __init__(self, target: Target, *, enabled: bool = True) -> None:
        self.directory = ""
        if enabled:
            try:
                self.directory = self._open(os.path.join(root(), build_key(target)))
            except OSError:
                self.directory = ""

    @staticmethod
    def _open(path: str) -> str:
        fresh = not os.path.isdir(path)
        os.makedirs(path, mode=0o700, exist_ok=True)
        info = os.stat(path)
        if info.st_uid != os.geteuid() or info.st_mode & 0o077:
            return ""
        if fresh:
            _forget_old(os.path.dirname(path), path)
        return path

    def path(self, name: str) -> str:
        """Return the path of a file."""
        return os.path.join(self.directory, name)

    def entries(self, name: str, start: int = 0) -> Iterator[tuple[int, int, Any]]:
        """Yield (offset, end, value) of the entries of a file from byte `start`; stop at the first damaged one."""
        if not self.directory:
            return
        try:
            with open(self.path(name), "rb") as f:
                f.seek(start)
                data = f.read()
        except OSError:
            return
        at = 0
        while at + HEADER.size <= len(data):
            magic, length, check = HEADER.unpack_from(data, at)
            body = data[at + HEADER.size:at + HEADER.size + length]
            if magic != MAGIC or len(body) != length or zlib.crc32(body) != check:
                return
            try:
                value = marshal.loads(body)
            except (ValueError, EOFError, TypeError):
                return
            yield start + at, start + at + HEADER.size + length, value
            at += HEADER.size + length

    def read(self, name: str, offset: int) -> Any:
        """Return the entry at an offset, or None."""
        try:
            with open(self.path(name), "rb") as f:
                f.seek(offset)
                magic, length, check = HEADER.unpack(f.read(HEADER.size))
                body = f.read(length)
        except (OSError, struct.error):
            return None
        if magic != MAGIC or len(body) != length or zlib.crc32(body) != check:
            return None
        try:
            return marshal.loads(body)
        except (ValueError, EOFError, TypeError):
            return None

    def _opened(self, name: str) -> int | None:
        """Return a descriptor of a file that is there or made, None where that cannot be."""
        if not self.directory:
            return None
        try:
            return os.open(self.path(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return None

    def append(self, name: str, value: Any) -> int | None:
        """Add an entry; return its offset, or None where nothing could be written."""
        body = marshal.dumps(value)
        fd = self._opened(name)
        if fd is None:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            end = self._valid_end(fd, name)
            if end > LIMIT:
                os.ftruncate(fd, 0)
                end = 0
            os.ftruncate(fd, end)
            os.pwrite(fd, HEADER.pack(MAGIC, len(body), zlib.crc32(body)) + body, end)
        except OSError:
            return None
        finally:
            os.close(fd)
        return end

    def _valid_end(self, fd: int, name: str) -> int:
        """Return where the next entry goes: after the last whole one (what a crash left behind is cut off)."""
        size = os.fstat(fd).st_size
        known = self._ends.get(name, 0)
        if known > size:
            known = 0
        at = known
        while at + HEADER.size <= size:
            magic, length, _ = HEADER.unpack(os.pread(fd, HEADER.size, at))
            if magic != MAGIC or at + HEADER.size + length > size:
                break
            at += HEADER.size + length
        self._ends[name] = at
        return at

    _ends: dict[str, int] = {}  # noqa: RUF012  per process: how far each file is known to be whole

    def claim(self, name: str, work: Any) -> int | None:
        """Return a descriptor: while it or a copy is open, nobody else gets one. None also where `work` is what it was claimed for last."""
        text = marshal.dumps(work)
        fd = self._opened(name)
        if fd is None:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.pread(fd, len(text) + 1, 0) != text:
                os.ftruncate(fd, 0)
                os.pwrite(fd, text, 0)
                return fd
        except OSError:
            pass
        os.close(fd)
        return None

    def store(self, name: str, value: Any) -> None:
        """Write a file of one entry, replacing it as a whole."""
        if not self.directory:
            return
        body = marshal.dumps(value)
        temporary = self.path(f".{name}.{os.getpid()}")
        try:
            with open(temporary, "wb") as f:
                f.write(HEADER.pack(MAGIC, len(body), zlib.crc32(body)) + body)
            os.rename(temporary, self.path(name))
        except OSError:
            return

    def load(self, name: str) -> Any:
        """Return the entry of a file written by `store`, or None."""
        return self.read(name, 0) if self.directory else None


def _forget_old(parent: str, keep: str) -> None:
    """Remove the directories of old builds, the longest unused first."""
    found = [(e.stat().st_mtime, e.path) for e in os.scandir(parent) if e.is_dir(follow_symlinks=False) and e.path != keep]
    for _, path in sorted(found)[:-BUILDS]:
        for name in os.listdir(path):
            os.unlink(os.path.join(path, name))
        os.rmdir(path)


def page_digest(data: bytes) -> bytes:
    """Return the digest of a page's bytes that region keys use."""
    return blake2b(data, digest_size=12).digest()
