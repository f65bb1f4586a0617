"""ioctl: terminals, queue sizes, flags, and the few others programs use. ioctl(2), termios(3)."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from errno import EINVAL, ENOTTY
from typing import TYPE_CHECKING

from xemu.core.memory import READ, WRITE
from xemu.user import host
from xemu.user.rows import call

if TYPE_CHECKING:
    from xemu.user.task import Task

FIOCLEX, FIONCLEX, FIONBIO, FIOASYNC, FIONREAD, FIOQSIZE = 0x5451, 0x5450, 0x5421, 0x5452, 0x541B, 0x5460
TCSBRK, TCXONC, TCFLSH, TIOCSCTTY, TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCNOTTY = (
    0x5409, 0x540A, 0x540B, 0x540E, 0x540F, 0x5410, 0x5429, 0x5422)  # fmt: skip
TIOCGPTN, TIOCSPTLCK, TIOCGPTPEER, TIOCSBRK, TIOCCBRK, TCSBRKP, TIOCEXCL, TIOCNXCL = (
    0x80045430, 0x40045431, 0x5441, 0x5427, 0x5428, 0x5425, 0x540C, 0x540D)  # fmt: skip
SIOCATMARK, SIOCINQ, SIOCOUTQ = 0x8905, 0x541B, 0x5411

# requests whose argument has the same layout on every 32- and 64-bit Linux with these numbers: (bytes, direction)
_PLAIN = {
    0x5401: (36, "r"), 0x5402: (36, "w"), 0x5403: (36, "w"), 0x5404: (36, "w"),  # TCGETS TCSETS TCSETSW TCSETSF
    0x5405: (18, "r"), 0x5406: (18, "w"), 0x5407: (18, "w"), 0x5408: (18, "w"),  # TCGETA TCSETA…
    0x802C542A: (44, "r"), 0x402C542B: (44, "w"), 0x402C542C: (44, "w"), 0x402C542D: (44, "w"),  # TCGETS2 …
    0x5413: (8, "r"), 0x5414: (8, "w"),  # TIOCGWINSZ TIOCSWINSZ
    FIONREAD: (4, "r"), SIOCOUTQ: (4, "r"), SIOCATMARK: (4, "r"), TIOCGPTN: (4, "r"), TIOCSPTLCK: (4, "w"),
    0x5415: (4, "r"), 0x5416: (4, "w"), 0x5417: (4, "w"), 0x5418: (4, "w"),  # TIOCMGET TIOCMBIS TIOCMBIC TIOCMSET
    0x5424: (4, "r"), 0x5423: (4, "w"), 0x5412: (1, "w"), 0x5420: (4, "w"), 0x80045432: (4, "r"),  # TIOCGETD … TIOCGDEV
    0x80045438: (4, "r"), 0x80045439: (4, "r"), 0x541F: (4, "w"),  # TIOCGPKT TIOCGPTLCK
    0x125D: (4, "r"), 0x1260: (4, "r"), 0x80081272: (8, "r"), 0x1268: (4, "r"),  # BLKROGET… BLKGETSIZE64 BLKSSZGET
    0x80086601: (4, "r"), 0x40086602: (4, "w"),  # FS_IOC_GETFLAGS FS_IOC_SETFLAGS (64-bit numbers)
    0x8901: (4, "w"), 0x8902: (4, "w"), 0x8903: (4, "r"), 0x8904: (4, "r"),  # FIOSETOWN SIOCSPGRP FIOGETOWN SIOCGPGRP
}  # fmt: skip
_TERMIOS = frozenset((0x5401, 0x5402, 0x5403, 0x5404, 0x802C542A, 0x402C542B, 0x402C542C, 0x402C542D))
_NUMBER = frozenset((TCSBRK, TCXONC, TCFLSH, TIOCSCTTY, TIOCNOTTY, TIOCSBRK, TIOCCBRK, TCSBRKP, TIOCEXCL, TIOCNXCL))
_PIDS = {TIOCGPGRP: "r", TIOCSPGRP: "w", TIOCGSID: "r"}
_OTHER_NUMBERS = {0x80046601: 0x80086601, 0x40046602: 0x40086602, 0x80041272: 0x80081272}  # numbers that hold sizeof(long)
# network interface requests: ifreq is 32 bytes on 32-bit Linux, 40 on 64-bit
_IFREQ = {
    0x8913: "rw", 0x8915: "rw", 0x8917: "rw", 0x8919: "rw", 0x891B: "rw", 0x8921: "rw", 0x8927: "rw", 0x8933: "rw",
    0x8910: "rw", 0x891D: "rw", 0x8942: "rw",
}  # fmt: skip
SIOCGIFCONF, IFREQ = 0x8912, 40
FICLONE = 0x40049409


@call("ioctl fd enum:ioctl ptr")
def ioctl(task: Task, fd: int, request: int, argument: int) -> int:
    """ioctl(2): one branch per kind of argument."""
    entry, abi = task.fds.get(fd), task.process.abi
    host_fd = entry.host
    request = abi.requests.get(request & 0xFFFFFFFF, request & 0xFFFFFFFF)
    request = _OTHER_NUMBERS.get(request, request)
    if request in _PLAIN:
        size, direction = _PLAIN[request]
        view = task.space.view(argument, size, WRITE if direction == "r" else READ)
        given = abi.termios_to_host(bytes(view)) if request in _TERMIOS else bytes(view)
        data = ctypes.create_string_buffer(given, 64)
        result = host.ioctl(host_fd, request, data)
        if direction == "r":
            view[:] = abi.termios_to_guest(data.raw[:size]) if request in _TERMIOS else data.raw[:size]
        return result
    if request in (FIOCLEX, FIONCLEX):
        entry.cloexec = request == FIOCLEX
        return 0
    if request in (FIONBIO, FIOASYNC):
        flag = os.O_NONBLOCK if request == FIONBIO else os.O_ASYNC
        flags = fcntl.fcntl(host_fd, fcntl.F_GETFL)
        flags = flags | flag if task.space.read_u32(argument) else flags & ~flag
        fcntl.fcntl(host_fd, fcntl.F_SETFL, flags)
        return 0
    if request in _PIDS:
        return _process_number(task, host_fd, request, argument)
    if request in _NUMBER:
        return host.ioctl(host_fd, request, argument)
    if request == TIOCGPTPEER:
        flags = abi.open_flags(argument)
        new = host.ioctl(host_fd, request, flags | os.O_CLOEXEC)
        return task.fds.add_host(new, cloexec=bool(flags & os.O_CLOEXEC))
    if request == FIOQSIZE:
        task.space.write_u64(argument, os.fstat(host_fd).st_size)
        return 0
    if request in _IFREQ:
        return _interface(task, host_fd, request, argument)
    if request == SIOCGIFCONF:
        return _interfaces(task, host_fd, argument)
    if request == FICLONE:
        return host.ioctl(host_fd, request, task.fds.host(argument))
    task.process.note(f"ioctl {request:#x} on descriptor {fd}: not known")
    return -ENOTTY


def _process_number(task: Task, fd: int, request: int, argument: int) -> int:
    pids = task.process.pids
    value = ctypes.c_int(0)
    if _PIDS[request] == "w":
        value.value = pids.host(struct.unpack("<i", task.space.view(argument, 4, READ))[0])
    result = host.ioctl(fd, request, ctypes.byref(value))
    if _PIDS[request] == "r":
        task.space.view(argument, 4, WRITE)[:] = struct.pack("<i", pids.guest(value.value))
    return result


def _ifreq_size(task: Task) -> int:
    return 32 if task.process.abi.bits == 32 else IFREQ


def _interface(task: Task, fd: int, request: int, argument: int) -> int:
    size = _ifreq_size(task)
    view = task.space.view(argument, size, READ | WRITE)
    data = ctypes.create_string_buffer(bytes(view), IFREQ)
    result = host.ioctl(fd, request, data)
    view[:] = data.raw[:size]
    return result


def _interfaces(task: Task, fd: int, argument: int) -> int:
    size, word = _ifreq_size(task), task.process.abi.word
    length = struct.unpack("<i", task.space.view(argument, 4, READ))[0]
    pointer = task.read_word(argument + word.size)
    if length < 0:
        return -EINVAL
    room = min(length // size, 256) * IFREQ
    data = ctypes.create_string_buffer(room or 1)
    conf = ctypes.create_string_buffer(struct.pack("=i4xQ", room if pointer else 0, ctypes.addressof(data) if pointer else 0))
    host.ioctl(fd, SIOCGIFCONF, conf)
    used = struct.unpack_from("=i", conf.raw)[0]
    count = used // IFREQ
    if pointer:
        records = b"".join(data.raw[IFREQ * n : IFREQ * n + size] for n in range(count))
        task.space.write(pointer, records)
    task.space.write(argument, struct.pack("<i", count * size))
    return 0
