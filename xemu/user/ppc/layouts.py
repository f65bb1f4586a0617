"""Struct layouts of 32-bit PowerPC, big-endian, as data (`arch/powerpc/include/uapi/asm`, `include/uapi/linux`).

Fields that the kernel keeps apart as a high and a low word are one here.
"""

from __future__ import annotations

from xemu.core.layout import BIG, Layout

_TIMES = "atime:I atime_ns:I mtime:I mtime_ns:I ctime:I ctime_ns:I _:8x"
_PERM = "key:i uid:I gid:I cuid:I cgid:I mode:I seq:I _:20x "

_TEXTS = {
    "long": "value:i",
    "old_stat": "dev:H ino:H mode:H nlink:H uid:H gid:H rdev:H _:2x size:I atime:I mtime:I ctime:I",
    "stat": "dev:I ino:I mode:I nlink:H _:2x uid:I gid:I rdev:I size:I blksize:I blocks:I " + _TIMES,
    "stat64": "dev:Q ino:Q mode:I nlink:I uid:I gid:I rdev:Q _:8x size:q blksize:I _:4x blocks:Q " + _TIMES,
    "statfs": "type:I bsize:I blocks:I bfree:I bavail:I files:I ffree:I fsid0:I fsid1:I namelen:I frsize:I flags:I _:16x",
    "statfs64": "type:I bsize:I blocks:Q bfree:Q bavail:Q files:Q ffree:Q fsid0:I fsid1:I namelen:I frsize:I flags:I _:16x",
    "timespec": "sec:i nsec:i",
    "timeval": "sec:i usec:i",
    "iovec": "base:I length:I",
    "flock": "type:h whence:h start:i len:i pid:i",
    "flock64": "type:h whence:h _:4x start:q len:q pid:i _:4x",
    "rlimit": "cur:I max:I",
    "sysinfo": "uptime:i load0:I load1:I load2:I totalram:I freeram:I sharedram:I bufferram:I totalswap:I freeswap:I procs:H _:2x "
               "totalhigh:I freehigh:I unit:I _:8x",
    "rusage": "utime:i utime_us:i stime:i stime_us:i maxrss:i ixrss:i idrss:i isrss:i minflt:i majflt:i nswap:i inblock:i oublock:i "
              "msgsnd:i msgrcv:i nsignals:i nvcsw:i nivcsw:i",
    "tms": "utime:i stime:i cutime:i cstime:i",
    "sigaction": "handler:I flags:I restorer:I mask:8s",
    "old_sigaction": "handler:I mask:I flags:I restorer:I",
    "siginfo_rt": "_:8x code:i pid:i uid:i value:I",
    "stack": "sp:I flags:i size:I",
    "msghdr": "name:I namelen:I iov:I iovlen:I control:I controllen:I flags:i",
    "cmsghdr": "len:I level:i type:i",
    "epoll_event": "events:I _:4x data:Q",
    "itimerspec": "interval_sec:i interval_nsec:i sec:i nsec:i",
    "itimerval": "interval_sec:i interval_usec:i sec:i usec:i",
    "sigevent": "value:I signo:i notify:i tid:i _:48x",
    "shmid_ds": _PERM + "atime:Q dtime:Q ctime:Q _:4x size:I cpid:i lpid:i nattch:I _:12x",
    "semid_ds": _PERM + "otime:Q ctime:Q nsems:I _:12x",
    "msqid_ds": _PERM + "stime:Q rtime:Q ctime:Q cbytes:I qnum:I qbytes:I lspid:i lrpid:i _:12x",
}
LAYOUTS32 = {name: Layout(text, BIG) for name, text in _TEXTS.items()}
