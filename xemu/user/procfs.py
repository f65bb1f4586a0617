"""/proc/self as the guest must see it: names translated, contents made from our own tables. proc(5)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from xemu.core import hostmem
from xemu.core.memory import PAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.memory import Area
    from xemu.user.process import Process

_STANDARD = {b"/dev/stdin": 0, b"/dev/stdout": 1, b"/dev/stderr": 2}


class Listing:
    """A directory xemu makes up, as an open file: its path and how far it was read."""

    def __init__(self, path: bytes) -> None:
        """Start at the first name."""
        self.path = path
        self.position = 0


class Proc:
    """The /proc entries of one process."""

    def __init__(self, process: Process) -> None:
        """Keep the process to describe."""
        self.process = process
        self._files: dict[bytes, Callable[[], bytes]] = {
            b"maps": self.maps, b"smaps": self.smaps, b"auxv": self.auxv, b"cmdline": self.cmdline,
            b"environ": self.environ, b"stat": self.stat, b"status": self.status, b"comm": self.comm_line,
            b"statm": self.statm,
        }  # fmt: skip

    def own(self, path: bytes) -> bytes | None:
        """Return what follows /proc/self/ in a path that means this process, else None."""
        if not path.startswith(b"/proc/"):
            return None
        who, _, rest = path[6:].partition(b"/")
        if who.isdigit():
            if int(who) != self.process.pids.own() and int(who) not in self.process.tasks:
                return None
        elif who not in (b"self", b"thread-self"):
            return None
        if rest.startswith(b"task/"):
            tid, _, below = rest[5:].partition(b"/")
            return below if tid.isdigit() else rest
        return rest

    def translate(self, path: bytes) -> bytes:
        """Return the host path for a name under /proc or /dev."""
        if path in _STANDARD:
            return self._descriptor(_STANDARD[path], path)
        if path.startswith(b"/dev/fd/") and path[8:].isdigit():
            return self._descriptor(int(path[8:]), path)
        rest = self.own(path)
        if rest is None:
            return self._other(path)
        if rest == b"exe":
            return self.process.exe_host
        if rest.startswith(b"fd/") and rest[3:].isdigit():
            return self._descriptor(int(rest[3:]), path)
        if rest.startswith(b"fdinfo/") and rest[7:].isdigit():
            entry = self.process.fds.table.get(int(rest[7:]))
            return b"/proc/self/fdinfo/%d" % entry.host if entry else path
        return b"/proc/self/" + rest if rest else b"/proc/self"

    def _other(self, path: bytes) -> bytes:
        """Translate the number of another guest process."""
        who, separator, rest = path[6:].partition(b"/")
        if path.startswith(b"/proc/") and who.isdigit():
            return b"/proc/%d" % self.process.pids.host(int(who)) + separator + rest
        return path

    def _descriptor(self, number: int, path: bytes) -> bytes:
        entry = self.process.fds.table.get(number)
        return b"/proc/self/fd/%d" % entry.host if entry else path + b"/none"

    def contents(self, path: bytes) -> bytes | None:
        """Return the text of a file that must be made up, None for any other path."""
        if path == b"/proc/cpuinfo":
            return self.process.abi.cpuinfo.encode()
        rest = self.own(path)
        maker = self._files.get(rest) if rest else None
        return maker() if maker else None

    def listing(self, path: bytes) -> list[bytes] | None:
        """Return the names in a directory that must be made up (fd, task)."""
        rest = self.own(path.rstrip(b"/"))
        if rest in (b"fd", b"fdinfo") or path.rstrip(b"/") == b"/dev/fd":
            return [b"%d" % number for number in sorted(self.process.fds.table)]
        if rest == b"task":
            return [b"%d" % tid for tid in sorted(self.process.tasks)]
        return None

    def link(self, path: bytes) -> bytes | None:
        """Return the target of a link that must be made up, None for any other path."""
        if path == b"/proc/self":
            return b"%d" % self.process.pids.own()
        rest = self.own(path)
        return self.process.exe if rest == b"exe" else None

    # --- contents -------------------------------------------------------------------------------

    def maps(self) -> bytes:
        """One line per mapping."""
        return b"".join(map(self._mapping, self.process.space.areas())) + self.process.abi.fixed_maps.encode()

    def smaps(self) -> bytes:
        """Return the same with sizes: all that is mapped counts as present."""
        text = b""
        for area in self.process.space.areas():
            size = (area.end - area.start) >> 10
            anonymous = 0 if area.shared else size
            if anonymous and area.path.startswith("/") and not area.prot & 2:
                anonymous = hostmem.copied(self.process.space.base + area.start, area.end - area.start) * PAGE >> 10
            flags = [name for bit, name in ((1, "rd"), (2, "wr"), (4, "ex")) if area.prot & bit] + ["mr", "mw", "me"] + ["sh"] * area.shared
            text += self._mapping(area) + (f"Size: {size:>18} kB\nRss: {size:>19} kB\nAnonymous: {anonymous:>13} kB\n"
                                           f"VmFlags: {' '.join(flags)}\n").encode()  # fmt: skip
        return text

    def _mapping(self, area: Area) -> bytes:
        """Return the line of a mapping."""
        process = self.process
        rwx = "".join(c if area.prot & bit else "-" for c, bit in (("r", 1), ("w", 2), ("x", 4)))
        device, inode = area.inode
        start = (
            f"{area.start:08x}-{area.end:08x} {rwx}{'s' if area.shared else 'p'} {area.offset:08x} "
            f"{os.major(device):02x}:{os.minor(device):02x} {inode} "
        )
        path = os.fsdecode(process.exe) if area.path == os.fsdecode(process.exe_host) else area.path
        return os.fsencode(f"{start:<73}{path}".rstrip() + "\n" if path else start + "\n")

    def auxv(self) -> bytes:
        """Return the auxiliary vector as it was put on the stack."""
        info = self.process.stack_info
        return info.auxv if info else b""

    def cmdline(self) -> bytes:
        """Return the arguments, each with a zero byte."""
        return b"".join(text + b"\0" for text in self.process.argv)

    def environ(self) -> bytes:
        """Return the first environment."""
        return b"".join(text + b"\0" for text in self.process.environment)

    def comm_line(self) -> bytes:
        """Return the thread name."""
        return self.process.comm + b"\n"

    def _sizes(self) -> tuple[int, int]:
        areas = list(self.process.space.areas())
        total = sum(a.end - a.start for a in areas)
        return total, sum(a.end - a.start for a in areas if a.prot & 2 and not a.shared)

    def statm(self) -> bytes:
        """Return sizes in pages."""
        total, data = self._sizes()
        return b"%d %d 0 0 0 %d 0\n" % (total >> 12, data >> 12, data >> 12)

    def stat(self) -> bytes:
        """Return the 52 fields of /proc/PID/stat; the host's where they mean the same."""
        process = self.process
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        fields[1] = b"%d" % process.pids.parent()
        fields[17] = b"%d" % len(process.tasks)
        fields[20] = b"%d" % self._sizes()[0]
        info = process.stack_info
        fields[25] = b"%d" % (process.stack_range[1] if not info else info.pointer)
        if info:
            fields[45:49] = [b"%d" % n for n in (info.arg_start, info.env_start, info.env_start, info.env_end)]
        return b"%d (%s) R " % (process.pids.own(), process.comm) + b" ".join(fields[1:]) + b"\n"

    def status(self) -> bytes:
        """Return /proc/PID/status with our own names, ids and sizes."""
        process = self.process
        total, data = self._sizes()
        own = process.pids.own()
        blocked = next(iter(process.tasks.values())).blocked if process.tasks else 0
        actions = process.signals.actions
        ignored = sum(1 << (n - 1) for n in range(1, 65) if actions[n].handler == 1)
        handled = sum(1 << (n - 1) for n in range(1, 65) if actions[n].handler > 1)
        replace = {
            "Name": os.fsdecode(process.comm), "Tgid": own, "Pid": own, "PPid": process.pids.parent(),
            "TracerPid": 0, "Threads": len(process.tasks), "VmPeak": f"{total >> 10:8} kB", "VmSize": f"{total >> 10:8} kB",
            "VmData": f"{data >> 10:8} kB", "SigBlk": f"{blocked:016x}", "SigIgn": f"{ignored:016x}",
            "SigCgt": f"{handled:016x}", "NSpid": own, "NStgid": own, "FDSize": max(64, len(process.fds.table)),
        }  # fmt: skip
        lines = []
        with open("/proc/self/status") as file:
            for line in file:
                name, _, value = line.partition(":\t")
                lines.append(f"{name}:\t{replace.get(name, value.rstrip())}\n")
        return "".join(lines).encode()


