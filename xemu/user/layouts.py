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


#: structs of the ABIs with 64 bits and little-endian memory that have nothing of their own
COMMON64 = {
    "long": Layout("value:q"),
    "timespec": Layout("sec:q nsec:q"),
    "timeval": Layout("sec:q usec:q"),
    "iovec": Layout("base:Q length:Q"),
    "flock": Layout("type:h whence:h _:4x start:q len:q pid:i _:4x"),
    "flock64": Layout("type:h whence:h _:4x start:q len:q pid:i _:4x"),
    "rlimit": Layout("cur:Q max:Q"),
    "sysinfo": Layout(
        "uptime:q load0:Q load1:Q load2:Q totalram:Q freeram:Q sharedram:Q bufferram:Q totalswap:Q freeswap:Q "
        "procs:H _:6x totalhigh:Q freehigh:Q unit:I _:4x"
    ),
    "rusage": Layout(
        "utime:q utime_us:q stime:q stime_us:q maxrss:q ixrss:q idrss:q isrss:q minflt:q majflt:q nswap:q inblock:q "
        "oublock:q msgsnd:q msgrcv:q nsignals:q nvcsw:q nivcsw:q"
    ),
    "tms": Layout("utime:q stime:q cutime:q cstime:q"),
    "sigaction": Layout("handler:Q flags:Q restorer:Q mask:8s"),
    "siginfo_rt": Layout("_:8x code:i _:4x pid:i uid:i value:Q"),
    "stack": Layout("sp:Q flags:i _:4x size:Q"),
    "msghdr": Layout("name:Q namelen:I _:4x iov:Q iovlen:Q control:Q controllen:Q flags:i _:4x"),
    "cmsghdr": Layout("len:Q level:i type:i"),
    "itimerspec": Layout("interval_sec:q interval_nsec:q sec:q nsec:q"),
    "itimerval": Layout("interval_sec:q interval_usec:q sec:q usec:q"),
    "sigevent": Layout("value:Q signo:i notify:i tid:i _:44x"),
}
