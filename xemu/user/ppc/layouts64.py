"""Struct layouts of ppc64le, as data (`arch/powerpc/include/uapi/asm`, `include/uapi/linux`)."""

from __future__ import annotations

from xemu.core.layout import Layout
from xemu.user.layouts import COMMON64

_PERM = "key:i uid:I gid:I cuid:I cgid:I mode:I seq:I _:20x "
_STATFS = "type:q bsize:q blocks:Q bfree:Q bavail:Q files:Q ffree:Q fsid0:I fsid1:I namelen:q frsize:q flags:q _:32x"

LAYOUTS64 = COMMON64 | {
    "stat": Layout(
        "dev:Q ino:Q nlink:Q mode:I uid:I gid:I _:4x rdev:Q size:q blksize:Q blocks:Q atime:Q atime_ns:Q mtime:Q mtime_ns:Q "
        "ctime:Q ctime_ns:Q _:24x"
    ),
    "statfs": Layout(_STATFS),
    "statfs64": Layout(_STATFS),
    "epoll_event": Layout("events:I _:4x data:Q"),
    "shmid_ds": Layout(_PERM + "atime:Q dtime:Q ctime:Q size:Q cpid:i lpid:i nattch:Q _:16x"),
    "semid_ds": Layout(_PERM + "otime:Q ctime:Q nsems:Q _:16x"),
    "msqid_ds": Layout(_PERM + "stime:Q rtime:Q ctime:Q cbytes:Q qnum:Q qbytes:Q lspid:i lrpid:i _:16x"),
}
