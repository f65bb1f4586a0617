"""Struct layouts of x86, 32-bit and 64-bit, as data (`arch/x86/include/uapi/asm`, `include/uapi/linux`).

On i386 64-bit fields are aligned to 4 bytes. Fields that the kernel keeps apart as a low and a high word are one here.
"""

from __future__ import annotations

from xemu.core.layout import Layout
from xemu.user.layouts import COMMON64

_PERM32 = "key:i uid:I gid:I cuid:I cgid:I mode:H _:2x seq:H _:10x "
_PERM64 = "key:i uid:I gid:I cuid:I cgid:I mode:H _:2x seq:H _:22x "

LAYOUTS32 = {
    "long": Layout("value:i"),
    "old_stat": Layout("dev:H ino:H mode:H nlink:H uid:H gid:H rdev:H _:2x size:I atime:I mtime:I ctime:I"),
    "stat": Layout(
        "dev:I ino:I mode:H nlink:H uid:H gid:H rdev:I size:I blksize:I blocks:I atime:I atime_ns:I mtime:I mtime_ns:I ctime:I "
        "ctime_ns:I _:8x"
    ),
    "stat64": Layout(
        "dev:Q _:4x low_ino:I mode:I nlink:I uid:I gid:I rdev:Q _:4x size:q blksize:I blocks:Q "
        "atime:I atime_ns:I mtime:I mtime_ns:I ctime:I ctime_ns:I ino:Q"
    ),
    "statfs": Layout(
        "type:I bsize:I blocks:I bfree:I bavail:I files:I ffree:I fsid0:I fsid1:I namelen:I frsize:I flags:I _:16x"
    ),
    "statfs64": Layout(
        "type:I bsize:I blocks:Q bfree:Q bavail:Q files:Q ffree:Q fsid0:I fsid1:I namelen:I frsize:I flags:I _:16x"
    ),
    "timespec": Layout("sec:i nsec:i"),
    "timeval": Layout("sec:i usec:i"),
    "iovec": Layout("base:I length:I"),
    "flock": Layout("type:h whence:h start:i len:i pid:i"),
    "flock64": Layout("type:h whence:h start:q len:q pid:i"),
    "rlimit": Layout("cur:I max:I"),
    "sysinfo": Layout(
        "uptime:i load0:I load1:I load2:I totalram:I freeram:I sharedram:I bufferram:I totalswap:I freeswap:I "
        "procs:H _:2x totalhigh:I freehigh:I unit:I _:8x"
    ),
    "rusage": Layout(
        "utime:i utime_us:i stime:i stime_us:i maxrss:i ixrss:i idrss:i isrss:i minflt:i majflt:i nswap:i inblock:i "
        "oublock:i msgsnd:i msgrcv:i nsignals:i nvcsw:i nivcsw:i"
    ),
    "tms": Layout("utime:i stime:i cutime:i cstime:i"),
    "sigaction": Layout("handler:I flags:I restorer:I mask:8s"),
    "old_sigaction": Layout("handler:I mask:I flags:I restorer:I"),
    "siginfo_rt": Layout("_:8x code:i pid:i uid:i value:I"),
    "stack": Layout("sp:I flags:i size:I"),
    "msghdr": Layout("name:I namelen:I iov:I iovlen:I control:I controllen:I flags:i"),
    "cmsghdr": Layout("len:I level:i type:i"),
    "epoll_event": Layout("events:I data:Q"),
    "itimerspec": Layout("interval_sec:i interval_nsec:i sec:i nsec:i"),
    "itimerval": Layout("interval_sec:i interval_usec:i sec:i usec:i"),
    "sigevent": Layout("value:I signo:i notify:i tid:i _:48x"),
    "shmid_ds": Layout(_PERM32 + "size:I atime:Q dtime:Q ctime:Q cpid:i lpid:i nattch:I _:8x"),
    "semid_ds": Layout(_PERM32 + "otime:Q ctime:Q nsems:I _:8x"),
    "msqid_ds": Layout(_PERM32 + "stime:Q rtime:Q ctime:Q cbytes:I qnum:I qbytes:I lspid:i lrpid:i _:8x"),
    "user_desc": Layout("entry_number:i base_addr:I limit:I flags:I"),
}

LAYOUTS64 = COMMON64 | {
    "stat": Layout(
        "dev:Q ino:Q nlink:Q mode:I uid:I gid:I _:4x rdev:Q size:q blksize:q blocks:q atime:Q atime_ns:Q mtime:Q mtime_ns:Q "
        "ctime:Q ctime_ns:Q _:24x"
    ),
    "statfs": Layout(
        "type:q bsize:q blocks:Q bfree:Q bavail:Q files:Q ffree:Q fsid0:I fsid1:I namelen:q frsize:q flags:q _:32x"
    ),
    "epoll_event": Layout("events:I data:Q"),
    "shmid_ds": Layout(_PERM64 + "size:Q atime:Q dtime:Q ctime:Q cpid:i lpid:i nattch:Q _:16x"),
    "semid_ds": Layout(_PERM64 + "otime:Q _:8x ctime:Q _:8x nsems:Q _:16x"),
    "msqid_ds": Layout(_PERM64 + "stime:Q rtime:Q ctime:Q cbytes:Q qnum:Q qbytes:Q lspid:i lrpid:i _:16x"),
    "user_desc": Layout("entry_number:i base_addr:I limit:I flags:I"),
}
