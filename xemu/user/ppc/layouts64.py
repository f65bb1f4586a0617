"""Struct layouts of ppc64le, as data (`arch/powerpc/include/uapi/asm`, `include/uapi/linux`)."""

from __future__ import annotations

from xemu.core.layout import Layout

_PERM = "key:i uid:I gid:I cuid:I cgid:I mode:I seq:I _:20x "
_STATFS = "type:q bsize:q blocks:Q bfree:Q bavail:Q files:Q ffree:Q fsid0:I fsid1:I namelen:q frsize:q flags:q _:32x"

LAYOUTS64 = {
    "long": Layout("value:q"),
    "stat": Layout(
        "dev:Q ino:Q nlink:Q mode:I uid:I gid:I _:4x rdev:Q size:q blksize:Q blocks:Q atime:Q atime_ns:Q mtime:Q mtime_ns:Q "
        "ctime:Q ctime_ns:Q _:24x"
    ),
    "statfs": Layout(_STATFS),
    "statfs64": Layout(_STATFS),
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
    "epoll_event": Layout("events:I _:4x data:Q"),
    "itimerspec": Layout("interval_sec:q interval_nsec:q sec:q nsec:q"),
    "itimerval": Layout("interval_sec:q interval_usec:q sec:q usec:q"),
    "sigevent": Layout("value:Q signo:i notify:i tid:i _:44x"),
    "shmid_ds": Layout(_PERM + "atime:Q dtime:Q ctime:Q size:Q cpid:i lpid:i nattch:Q _:16x"),
    "semid_ds": Layout(_PERM + "otime:Q ctime:Q nsems:Q _:16x"),
    "msqid_ds": Layout(_PERM + "stime:Q rtime:Q ctime:Q cbytes:Q qnum:Q qbytes:Q lspid:i lrpid:i _:16x"),
}
