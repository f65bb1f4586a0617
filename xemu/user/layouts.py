"""Structs whose fields are the same in every Linux ABI, whatever its width (`include/uapi/linux`): only the byte order differs."""

from __future__ import annotations

from functools import cache

from xemu.core.layout import Layout

_TIMES = " ".join(f"{name}:q {name}_ns:I _:4x" for name in ("atime", "btime", "ctime", "mtime"))
_COMMON = {
    "timespec64": "sec:q nsec:q",
    "itimerspec64": "interval_sec:q interval_nsec:q sec:q nsec:q",
    "rlimit64": "cur:Q max:Q",
    "pollfd": "fd:i events:h revents:h",
    "statx": "mask:I blksize:I attributes:Q nlink:I uid:I gid:I mode:H _:2x ino:Q size:Q blocks:Q attributes_mask:Q "
             f"{_TIMES} rdev_major:I rdev_minor:I dev_major:I dev_minor:I _:112x",
    "dirent64": "ino:Q off:q reclen:H type:B",
    "open_how": "flags:Q mode:Q resolve:Q",
    "clone_args": "flags:Q pidfd:Q child_tid:Q parent_tid:Q exit_signal:Q stack:Q stack_size:Q tls:Q",
    "signalfd_siginfo": "signo:I errno:i code:i pid:I uid:I fd:i tid:I band:I overrun:I trapno:I status:i int:i ptr:Q utime:Q stime:Q "
                        "addr:Q _:48x",
    "sembuf": "num:H op:h flags:h",
}


@cache
def common(order: str) -> dict[str, Layout]:
    """Return them in a byte order ('<' or '>')."""
    return {name: Layout(text, order) for name, text in _COMMON.items()}
