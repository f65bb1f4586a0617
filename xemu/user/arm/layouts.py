"""Struct layouts of 32-bit ARM EABI, as data (`arch/arm/include/uapi/asm`, `include/uapi/linux`)."""

from __future__ import annotations

from xemu.core.layout import Layout

LAYOUTS = {
    "stat64": Layout(
        "dev:Q _:4x low_ino:I mode:I nlink:I uid:I gid:I rdev:Q _:8x size:q blksize:I _:4x blocks:Q "
        "atime:I atime_ns:I mtime:I mtime_ns:I ctime:I ctime_ns:I ino:Q"
    ),
    "stat": Layout(
        "dev:I ino:I mode:H nlink:H uid:H gid:H rdev:I size:I blksize:I blocks:I atime:I atime_ns:I mtime:I mtime_ns:I ctime:I "
        "ctime_ns:I _:8x"
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
    "flock64": Layout("type:h whence:h _:4x start:q len:q pid:i _:4x"),
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
    "stack": Layout("sp:I flags:i size:I"),
    "msghdr": Layout("name:I namelen:I iov:I iovlen:I control:I controllen:I flags:i"),
    "cmsghdr": Layout("len:I level:i type:i"),
    "epoll_event": Layout("events:I _:4x data:Q"),
    "itimerspec": Layout("interval_sec:i interval_nsec:i sec:i nsec:i"),
    "itimerval": Layout("interval_sec:i interval_usec:i sec:i usec:i"),
    "sigevent": Layout("value:I signo:i notify:i tid:i _:48x"),
    "long": Layout("value:i"),
    "siginfo_rt": Layout("_:8x code:i pid:i uid:i value:I"),
    "shmid_ds": Layout(
        "key:i uid:I gid:I cuid:I cgid:I mode:H _:2x seq:H _:10x size:I atime:Q dtime:Q ctime:Q cpid:i lpid:i nattch:I _:8x"
    ),
    "semid_ds": Layout("key:i uid:I gid:I cuid:I cgid:I mode:H _:2x seq:H _:10x otime:Q ctime:Q nsems:I _:8x"),
    "msqid_ds": Layout(
        "key:i uid:I gid:I cuid:I cgid:I mode:H _:2x seq:H _:10x stime:Q rtime:Q ctime:Q cbytes:I qnum:I qbytes:I lspid:i lrpid:i _:8x"
    ),
    "mq_attr": Layout("flags:i maxmsg:i msgsize:i curmsgs:i _:16x"),
}
