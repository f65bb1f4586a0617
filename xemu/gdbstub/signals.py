"""Signal numbers: GDB has its own, the same for all systems (GDB manual, appendix E.3 "Stop Reply Packets")."""

from __future__ import annotations

SIGINT, SIGTRAP, SIGKILL = 2, 5, 9

#: Linux's number on ARM, x86 and PowerPC -> GDB's, for all below 32
_GDB = dict(zip(range(1, 32), (
    1, 2, 3, 4, 5, 6, 10, 8, 9, 30, 11, 31, 13, 14, 15, 16,       # HUP … TERM, STKFLT (GDB has none: URG's place)
    20, 19, 17, 18, 21, 22, 16, 24, 25, 26, 27, 28, 23, 32, 12), strict=True))   # CHLD … SYS
_GDB[16] = 143                                                    # GDB_SIGNAL_UNKNOWN
#: real-time signals: 33 … 63 are 45 … 75, 32 is 77, 64 is 78
_GDB |= {32: 77, 64: 78} | {number: number + 12 for number in range(33, 64)}
_LINUX = {gdb: linux for linux, gdb in reversed(_GDB.items())}
UNKNOWN = 143


def to_gdb(linux: int) -> int:
    """Return GDB's number of a Linux signal."""
    return _GDB.get(linux, UNKNOWN) if linux else 0


def to_linux(gdb: int) -> int:
    """Return Linux's number of one of GDB's; 0 where there is none."""
    return _LINUX.get(gdb, 0)
