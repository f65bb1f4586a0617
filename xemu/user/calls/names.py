"""Calls on names: stat, links, modes, owners, times, extended attributes."""

from __future__ import annotations

import os
import stat as stat_module
from errno import E2BIG, EINVAL, ENOSYS, EOVERFLOW, ERANGE
from typing import TYPE_CHECKING, Any

from xemu.core.memory import READ, WRITE
from xemu.user import host
from xemu.user.calls.identity import plain_id
from xemu.user.calls.times import nanoseconds_of
from xemu.user.paths import AT_FDCWD, PATH_MAX, host_path, path_argument, plain_path
from xemu.user.rows import call

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.user.task import Task

AT_SYMLINK_NOFOLLOW, AT_REMOVEDIR, AT_EACCESS, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH = 0x100, 0x200, 0x200, 0x400, 0x1000
UTIME_NOW, UTIME_OMIT = 0x3FFFFFFF, 0x3FFFFFFE
XATTR_MAX = 65536
MASK32 = 0xFFFFFFFF


# --- stat ---------------------------------------------------------------------------------------


def _write_stat(task: Task, address: int, s: os.stat_result, layout_name: str = "stat64") -> int:
    layout = task.process.abi.layouts[layout_name]
    view = task.space.view(address, layout.size, WRITE)
    (atime, atime_ns), (mtime, mtime_ns), (ctime, ctime_ns) = (
        divmod(t, 1_000_000_000) for t in (s.st_atime_ns, s.st_mtime_ns, s.st_ctime_ns)
    )
    values = {
        "dev": s.st_dev, "low_ino": s.st_ino & MASK32, "mode": s.st_mode, "nlink": s.st_nlink, "uid": s.st_uid, "gid": s.st_gid,
        "rdev": s.st_rdev, "size": s.st_size, "blksize": s.st_blksize, "blocks": s.st_blocks, "atime": atime, "atime_ns": atime_ns,
        "mtime": mtime, "mtime_ns": mtime_ns, "ctime": ctime, "ctime_ns": ctime_ns, "ino": s.st_ino,
    }  # fmt: skip
    for name in layout.names:
        value, bits = values[name], layout.width(name)
        if value >> bits and name in ("ino", "nlink", "size", "dev", "rdev", "blocks"):
            return -EOVERFLOW
        values[name] = value & (1 << bits) - 1
    view[:] = layout.pack(**{name: values[name] for name in layout.names})
    return 0


def _old_stat(name: str, layout: str, *, follow: bool) -> None:
    @call(f"{name} path out:{layout}")
    def run(task: Task, path: int, address: int) -> int:
        return _write_stat(task, address, status_at(task, AT_FDCWD, path, 0 if follow else AT_SYMLINK_NOFOLLOW), layout)


for _prefix, _layout in (("", "stat"), ("old", "old_stat")):
    _old_stat(_prefix + "stat", _layout, follow=True)
    _old_stat(_prefix + "lstat", _layout, follow=False)


@call("fstat fd out:stat")
def fstat(task: Task, fd: int, address: int) -> int:
    """fstat(2) with the struct that has longs."""
    return _write_stat(task, address, os.fstat(task.fds.host(fd)), "stat")


@call("oldfstat fd out:old_stat")
def oldfstat(task: Task, fd: int, address: int) -> int:
    """fstat(2) with the first struct."""
    return _write_stat(task, address, os.fstat(task.fds.host(fd)), "old_stat")


def status_at(task: Task, dirfd: int, path: int, flags: int) -> os.stat_result:
    """Return the status of a name, or of `dirfd` itself with AT_EMPTY_PATH."""
    if flags & AT_EMPTY_PATH and (not path or task.space.c_string(path, 2) == b""):
        return os.stat(b".") if dirfd == AT_FDCWD else os.fstat(task.fds.host(dirfd))
    follow = not flags & AT_SYMLINK_NOFOLLOW
    name, dir_fd = host_path(task, dirfd, path, follow=follow)
    if not follow and _is_own_link(task, path):
        follow = False
        name = b"/proc/self/exe"
    return os.stat(name, dir_fd=dir_fd, follow_symlinks=follow)


def _is_own_link(task: Task, path: int) -> bool:
    name = task.space.c_string(path, PATH_MAX)
    return name.startswith(b"/proc/") and task.process.proc.link(name) is not None


@call("stat64 path out:stat64")
def stat64(task: Task, path: int, address: int) -> int:
    """stat(2)."""
    return _write_stat(task, address, os.stat(plain_path(task, path)))


@call("lstat64 path out:stat64")
def lstat64(task: Task, path: int, address: int) -> int:
    """lstat(2)."""
    return _write_stat(task, address, status_at(task, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW))


@call("fstat64 fd out:stat64")
def fstat64(task: Task, fd: int, address: int) -> int:
    """fstat(2)."""
    return _write_stat(task, address, os.fstat(task.fds.host(fd)))


@call("fstatat64 dirfd path out:stat64 flags:at")
def fstatat64(task: Task, dirfd: int, path: int, address: int, flags: int) -> int:
    """fstatat(2)."""
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | 0x800):
        return -EINVAL
    return _write_stat(task, address, status_at(task, dirfd, path, flags))


@call("newfstatat dirfd path out:stat flags:at")
def newfstatat(task: Task, dirfd: int, path: int, address: int, flags: int) -> int:
    """fstatat(2) with the struct that has longs."""
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | 0x800):
        return -EINVAL
    return _write_stat(task, address, status_at(task, dirfd, path, flags), "stat")


STATX_BASIC_STATS, STATX_BTIME = 0x7FF, 0x800


@call("statx dirfd path flags:at flags:hex out:statx")
def statx(task: Task, dirfd: int, path: int, flags: int, mask: int, address: int) -> int:
    """statx(2), without birth times."""
    if mask >> 31 or flags & 0x6000 == 0x6000:
        return -EINVAL
    s = status_at(task, dirfd, path, flags)
    (atime, atime_ns), (mtime, mtime_ns), (ctime, ctime_ns) = (
        divmod(t, 1_000_000_000) for t in (s.st_atime_ns, s.st_mtime_ns, s.st_ctime_ns)
    )
    task.space.write(address, task.process.abi.layouts["statx"].pack(
        mask=STATX_BASIC_STATS, blksize=s.st_blksize, nlink=s.st_nlink, uid=s.st_uid, gid=s.st_gid, mode=s.st_mode, ino=s.st_ino,
        size=s.st_size, blocks=s.st_blocks, atime=atime, atime_ns=atime_ns, mtime=mtime, mtime_ns=mtime_ns, ctime=ctime,
        ctime_ns=ctime_ns, rdev_major=os.major(s.st_rdev), rdev_minor=os.minor(s.st_rdev), dev_major=os.major(s.st_dev),
        dev_minor=os.minor(s.st_dev),
    ))  # fmt: skip
    return 0


# --- existence and rights -----------------------------------------------------------------------


def _access(task: Task, dirfd: int, path: int, mode: int, flags: int) -> int:
    if mode & ~7:
        return -EINVAL
    follow = not flags & AT_SYMLINK_NOFOLLOW
    name, dir_fd = host_path(task, dirfd, path, follow=follow)
    os.stat(name, dir_fd=dir_fd, follow_symlinks=follow)  # the right error if it is not there
    if not mode or os.access(name, mode, dir_fd=dir_fd, effective_ids=bool(flags & AT_EACCESS), follow_symlinks=follow):
        return 0
    if mode & os.W_OK and os.statvfs(name if dir_fd is None else dir_fd).f_flag & os.ST_RDONLY:
        return -30
    return -13


@call("access path flags:access")
def access(task: Task, path: int, mode: int) -> int:
    """access(2)."""
    return _access(task, AT_FDCWD, path, mode, 0)


@call("faccessat dirfd path flags:access")
def faccessat(task: Task, dirfd: int, path: int, mode: int) -> int:
    """faccessat(2)."""
    return _access(task, dirfd, path, mode, 0)


@call("faccessat2 dirfd path flags:access flags:at")
def faccessat2(task: Task, dirfd: int, path: int, mode: int, flags: int) -> int:
    """faccessat2(2)."""
    if flags & AT_EMPTY_PATH and not task.space.c_string(path, 2):
        return 0 if os.access(b"/proc/self/fd/%d" % task.fds.host(dirfd), mode) else -13
    return _access(task, dirfd, path, mode, flags)


@call("chmod path mode")
def chmod(task: Task, path: int, mode: int) -> int:
    """chmod(2)."""
    os.chmod(plain_path(task, path), mode & 0o7777)
    return 0


@call("fchmod fd mode")
def fchmod(task: Task, fd: int, mode: int) -> int:
    """fchmod(2)."""
    os.fchmod(task.fds.host(fd), mode & 0o7777)
    return 0


@call("fchmodat dirfd path mode")
def fchmodat(task: Task, dirfd: int, path: int, mode: int) -> int:
    """fchmodat(2)."""
    name, dir_fd = host_path(task, dirfd, path)
    os.chmod(name, mode & 0o7777, dir_fd=dir_fd)
    return 0


@call("fchmodat2 dirfd path mode flags:at")
def fchmodat2(task: Task, dirfd: int, path: int, mode: int, flags: int) -> int:
    """fchmodat2(2)."""
    if flags & AT_SYMLINK_NOFOLLOW:
        return -ENOSYS
    return fchmodat(task, dirfd, path, mode)


def _owner(value: int) -> int:
    return -1 if value == MASK32 else value


def _chown(name: str, convert: Callable[[Task, int], int], *, follow: bool) -> None:
    @call(f"{name} path uid uid")
    def run(task: Task, path: int, user: int, group: int) -> int:
        os.chown(plain_path(task, path, follow=follow), convert(task, user), convert(task, group), follow_symlinks=follow)
        return 0


_chown("chown32", lambda _task, value: _owner(value), follow=True)
_chown("lchown32", lambda _task, value: _owner(value), follow=False)
_chown("chown", plain_id, follow=True)
_chown("lchown", plain_id, follow=False)


@call("fchown32 fd uid uid")
def fchown32(task: Task, fd: int, user: int, group: int) -> int:
    """fchown(2)."""
    os.fchown(task.fds.host(fd), _owner(user), _owner(group))
    return 0


@call("fchown fd uid uid")
def fchown(task: Task, fd: int, user: int, group: int) -> int:
    """fchown(2); where there is fchown32, with ids of 16 bits."""
    os.fchown(task.fds.host(fd), plain_id(task, user), plain_id(task, group))
    return 0


@call("fchownat dirfd path uid uid flags:at")
def fchownat(task: Task, dirfd: int, path: int, user: int, group: int, flags: int) -> int:
    """fchownat(2)."""
    if flags & AT_EMPTY_PATH and not task.space.c_string(path, 2):
        return fchown32(task, dirfd, user, group)
    follow = not flags & AT_SYMLINK_NOFOLLOW
    name, dir_fd = host_path(task, dirfd, path, follow=follow)
    os.chown(name, _owner(user), _owner(group), dir_fd=dir_fd, follow_symlinks=follow)
    return 0


# --- making, moving and removing names ----------------------------------------------------------


@call("link path path")
def link(task: Task, old: int, new: int) -> int:
    """link(2)."""
    os.link(plain_path(task, old, follow=False), plain_path(task, new, follow=False), follow_symlinks=False)
    return 0


@call("linkat dirfd path dirfd path flags:at")
def linkat(task: Task, old_dir: int, old: int, new_dir: int, new: int, flags: int) -> int:
    """linkat(2)."""
    target, target_dir = host_path(task, new_dir, new, follow=False)
    if flags & AT_EMPTY_PATH and not task.space.c_string(old, 2):
        source, source_dir = b"/proc/self/fd/%d" % task.fds.host(old_dir), None
        os.link(source, target, dst_dir_fd=target_dir, follow_symlinks=True)
        return 0
    follow = bool(flags & AT_SYMLINK_FOLLOW)
    source, source_dir = host_path(task, old_dir, old, follow=follow)
    os.link(source, target, src_dir_fd=source_dir, dst_dir_fd=target_dir, follow_symlinks=follow)
    return 0


@call("symlink str path")
def symlink(task: Task, target: int, path: int) -> int:
    """symlink(2)."""
    os.symlink(path_argument(task, target), plain_path(task, path, follow=False))
    return 0


@call("symlinkat str dirfd path")
def symlinkat(task: Task, target: int, dirfd: int, path: int) -> int:
    """symlinkat(2)."""
    name, dir_fd = host_path(task, dirfd, path, follow=False)
    os.symlink(path_argument(task, target), name, dir_fd=dir_fd)
    return 0


@call("unlink path")
def unlink(task: Task, path: int) -> int:
    """unlink(2)."""
    os.unlink(plain_path(task, path, follow=False))
    return 0


@call("unlinkat dirfd path flags:unlink")
def unlinkat(task: Task, dirfd: int, path: int, flags: int) -> int:
    """unlinkat(2)."""
    if flags & ~AT_REMOVEDIR:
        return -EINVAL
    name, dir_fd = host_path(task, dirfd, path, follow=False)
    (os.rmdir if flags else os.unlink)(name, dir_fd=dir_fd)
    return 0


@call("rmdir path")
def rmdir(task: Task, path: int) -> int:
    """rmdir(2)."""
    os.rmdir(plain_path(task, path, follow=False))
    return 0


@call("mkdir path mode")
def mkdir(task: Task, path: int, mode: int) -> int:
    """mkdir(2)."""
    os.mkdir(plain_path(task, path, follow=False), mode & 0o7777)
    return 0


@call("mkdirat dirfd path mode")
def mkdirat(task: Task, dirfd: int, path: int, mode: int) -> int:
    """mkdirat(2)."""
    name, dir_fd = host_path(task, dirfd, path, follow=False)
    os.mkdir(name, mode & 0o7777, dir_fd=dir_fd)
    return 0


@call("mknod path mode dev")
def mknod(task: Task, path: int, mode: int, device: int) -> int:
    """mknod(2)."""
    os.mknod(plain_path(task, path, follow=False), _node_mode(mode), device)
    return 0


@call("mknodat dirfd path mode dev")
def mknodat(task: Task, dirfd: int, path: int, mode: int, device: int) -> int:
    """mknodat(2)."""
    name, dir_fd = host_path(task, dirfd, path, follow=False)
    os.mknod(name, _node_mode(mode), device, dir_fd=dir_fd)
    return 0


def _node_mode(mode: int) -> int:
    mode &= 0o177777
    return mode if stat_module.S_IFMT(mode) else mode | stat_module.S_IFREG


@call("rename path path")
def rename(task: Task, old: int, new: int) -> int:
    """rename(2)."""
    os.rename(plain_path(task, old, follow=False), plain_path(task, new, follow=False))
    return 0


@call("renameat dirfd path dirfd path")
def renameat(task: Task, old_dir: int, old: int, new_dir: int, new: int) -> int:
    """renameat(2)."""
    return renameat2(task, old_dir, old, new_dir, new, 0)


@call("renameat2 dirfd path dirfd path flags:rename")
def renameat2(task: Task, old_dir: int, old: int, new_dir: int, new: int, flags: int) -> int:
    """renameat2(2)."""
    source, source_dir = host_path(task, old_dir, old, follow=False)
    target, target_dir = host_path(task, new_dir, new, follow=False)
    if not flags:
        os.rename(source, target, src_dir_fd=source_dir, dst_dir_fd=target_dir)
        return 0
    import ctypes

    first, second = ctypes.create_string_buffer(source), ctypes.create_string_buffer(target)
    return host.syscall(
        "renameat2", AT_FDCWD if source_dir is None else source_dir, ctypes.addressof(first),
        AT_FDCWD if target_dir is None else target_dir, ctypes.addressof(second), flags,
    )  # fmt: skip


def _read_link(task: Task, dirfd: int, path: int, address: int, size: int) -> int:
    if size <= 0 or size >> 31:
        return -EINVAL
    raw = task.space.c_string(path, PATH_MAX)
    if not raw and dirfd != AT_FDCWD:
        target = os.readlink(b"", dir_fd=task.fds.host(dirfd))
    else:
        made = task.process.proc.link(raw) if raw.startswith(b"/proc/") else None
        if made is None:
            name, dir_fd = host_path(task, dirfd, path, follow=False)
            made = os.readlink(name, dir_fd=dir_fd)
        target = made
    data = target[:size]
    task.space.write(address, data)
    return len(data)


@call("readlink path out:ret size")
def readlink(task: Task, path: int, address: int, size: int) -> int:
    """readlink(2)."""
    return _read_link(task, AT_FDCWD, path, address, size)


@call("readlinkat dirfd path out:ret size")
def readlinkat(task: Task, dirfd: int, path: int, address: int, size: int) -> int:
    """readlinkat(2)."""
    return _read_link(task, dirfd, path, address, size)


@call("truncate path off")
def truncate(task: Task, path: int, length: int) -> int:
    """truncate(2)."""
    os.truncate(plain_path(task, path), length)
    return 0


@call("truncate64 path off64")
def truncate64(task: Task, path: int, length: int) -> int:
    """truncate(2)."""
    os.truncate(plain_path(task, path), length)
    return 0


# --- times --------------------------------------------------------------------------------------


def _set_times(task: Task, dirfd: int, path: int, times: list[tuple[int, int]] | None, flags: int) -> int:
    pair = None
    if times is not None:
        for _, nanoseconds in times:
            if not 0 <= nanoseconds < 1_000_000_000 and nanoseconds not in (UTIME_NOW, UTIME_OMIT):
                return -EINVAL
        if all(ns == UTIME_OMIT for _, ns in times):
            return 0
        pair = _absolute_times(task, dirfd, path, times, flags)
    follow = not flags & AT_SYMLINK_NOFOLLOW
    if not path or (flags & AT_EMPTY_PATH and not task.space.c_string(path, 2)):
        os.utime(task.fds.host(dirfd), ns=pair) if pair else os.utime(task.fds.host(dirfd))
        return 0
    name, dir_fd = host_path(task, dirfd, path, follow=follow)
    if pair:
        os.utime(name, ns=pair, dir_fd=dir_fd, follow_symlinks=follow)
    else:
        os.utime(name, dir_fd=dir_fd, follow_symlinks=follow)
    return 0


def _absolute_times(task: Task, dirfd: int, path: int, times: list[tuple[int, int]], flags: int) -> tuple[int, int] | None:
    """Return both times in ns, with NOW and OMIT replaced; None if both are now."""
    specials = [ns for _, ns in times if ns in (UTIME_NOW, UTIME_OMIT)]
    if specials == [UTIME_NOW, UTIME_NOW]:
        return None
    old = (0, 0)
    if UTIME_OMIT in specials:
        status = os.fstat(task.fds.host(dirfd)) if not path else status_at(task, dirfd, path, flags)
        old = (status.st_atime_ns, status.st_mtime_ns)
    now = task.process.clock.realtime()
    result = [
        now if ns == UTIME_NOW else before if ns == UTIME_OMIT else seconds * 1_000_000_000 + ns
        for (seconds, ns), before in zip(times, old, strict=True)
    ]
    return result[0], result[1]


def _two(task: Task, address: int, layout: str, scale: int = 1) -> list[tuple[int, int]] | None:
    if not address:
        return None
    codes = task.process.abi.layouts[layout].struct
    data = task.space.view(address, 2 * codes.size, READ)
    wide = layout == "timespec64"
    return [(seconds, (nanoseconds_of(task, rest) if wide else rest) * scale) for seconds, rest in codes.iter_unpack(data)]


@call("utimensat dirfd path struct:timespec2 flags:at")
def utimensat(task: Task, dirfd: int, path: int, times: int, flags: int) -> int:
    """utimensat(2)."""
    return _set_times(task, dirfd, path, _two(task, times, "timespec"), flags)


@call("utimensat_time64 dirfd path struct:timespec64_2 flags:at")
def utimensat_time64(task: Task, dirfd: int, path: int, times: int, flags: int) -> int:
    """utimensat(2) with 64-bit times."""
    return _set_times(task, dirfd, path, _two(task, times, "timespec64"), flags)


@call("utimes path ptr")
def utimes(task: Task, path: int, times: int) -> int:
    """utimes(2)."""
    return _set_times(task, AT_FDCWD, path, _two(task, times, "timeval", 1000), 0)


@call("utime path ptr")
def utime(task: Task, path: int, times: int) -> int:
    """utime(2): two times in seconds."""
    pair = None
    if times:
        pair = [(seconds, 0) for (seconds,) in task.process.abi.layouts["long"].struct.iter_unpack(
            task.space.view(times, 2 * task.process.abi.word.size, READ))]
    return _set_times(task, AT_FDCWD, path, pair, 0)


@call("futimesat dirfd path ptr")
def futimesat(task: Task, dirfd: int, path: int, times: int) -> int:
    """futimesat(2)."""
    return _set_times(task, dirfd, path, _two(task, times, "timeval", 1000), 0)


# --- file systems -------------------------------------------------------------------------------


def _write_statfs(task: Task, address: int, target: bytes | int, layout_name: str) -> int:
    layout = task.process.abi.layouts[layout_name]
    fields = host.statfs(target)
    names = ("type", "bsize", "blocks", "bfree", "bavail", "files", "ffree", "fsid0", "fsid1", "namelen", "frsize", "flags")
    values = dict(zip(names, fields, strict=True))
    wide = layout.width("blocks") == 64
    for name, value in values.items():
        counts = name in ("blocks", "bfree", "bavail", "files", "ffree")
        if not wide and counts and value > MASK32:
            if name in ("files", "ffree") and value == MASK32 << 32 | MASK32:
                values[name] = MASK32
                continue
            return -EOVERFLOW
        if not (wide and counts):
            values[name] = value & MASK32
    task.space.write(address, layout.pack(**values))
    return 0


@call("statfs path struct:statfs")
def statfs(task: Task, path: int, address: int) -> int:
    """statfs(2)."""
    return _write_statfs(task, address, plain_path(task, path), "statfs")


@call("fstatfs fd struct:statfs")
def fstatfs(task: Task, fd: int, address: int) -> int:
    """fstatfs(2)."""
    return _write_statfs(task, address, task.fds.host(fd), "statfs")


def _is_statfs64(task: Task, size: int) -> bool:
    """Tell whether a size is that of struct statfs64, with or without the padding that aligns it."""
    least = task.process.abi.layouts["statfs64"].size
    return size in (least, least + 7 & -8)


@call("statfs64 path size struct:statfs64")
def statfs64(task: Task, path: int, size: int, address: int) -> int:
    """statfs(2)."""
    if not _is_statfs64(task, size):
        return -EINVAL
    return _write_statfs(task, address, plain_path(task, path), "statfs64")


@call("fstatfs64 fd size struct:statfs64")
def fstatfs64(task: Task, fd: int, size: int, address: int) -> int:
    """fstatfs(2)."""
    if not _is_statfs64(task, size):
        return -EINVAL
    return _write_statfs(task, address, task.fds.host(fd), "statfs64")


# --- extended attributes ------------------------------------------------------------------------


def _attribute(task: Task, address: int) -> bytes:
    name = task.space.c_string(address, 257)
    if not name or len(name) > 255:
        raise OSError(ERANGE, os.strerror(ERANGE))
    return name


def _give(task: Task, address: int, size: int, data: bytes) -> int:
    if size:
        if len(data) > size:
            return -ERANGE
        task.space.write(address, data)
    return len(data)


def _xattr_calls(prefix: str, word: str, target: Callable[[Task, int], Any], *, follow: bool) -> None:
    """Register the four calls of one family (by path, by path without following, by descriptor)."""
    options: dict[str, Any] = {} if word == "fd" else {"follow_symlinks": follow}

    @call(f"{prefix}setxattr {word} str in:3 size int")
    def set_(task: Task, what: int, name: int, value: int, size: int, flags: int) -> int:
        path, attribute = target(task, what), _attribute(task, name)
        if size > XATTR_MAX:
            return -E2BIG
        os.setxattr(path, attribute, task.space.read(value, size), flags, **options)
        return 0

    @call(f"{prefix}getxattr {word} str out:ret size")
    def get(task: Task, what: int, name: int, value: int, size: int) -> int:
        return _give(task, value, size, os.getxattr(target(task, what), _attribute(task, name), **options))

    @call(f"{prefix}listxattr {word} out:ret size")
    def list_(task: Task, what: int, address: int, size: int) -> int:
        names = os.listxattr(target(task, what), **options)
        return _give(task, address, size, b"".join(os.fsencode(name) + b"\0" for name in names))

    @call(f"{prefix}removexattr {word} str")
    def remove(task: Task, what: int, name: int) -> int:
        os.removexattr(target(task, what), _attribute(task, name), **options)
        return 0


_xattr_calls("", "path", plain_path, follow=True)
_xattr_calls("l", "path", lambda task, path: plain_path(task, path, follow=False), follow=False)
_xattr_calls("f", "fd", lambda task, fd: task.fds.host(fd), follow=True)
