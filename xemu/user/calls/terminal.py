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
TIOCSIG, SIOCATMARK, SIOCINQ, SIOCOUTQ, TCGETS2, TCGETA = 0x40045436, 0x8905, 0x541B, 0x5411, 0x802C542A, 0x5405

_TERMIOS, _TERMIOS2 = "4IB19s", "4IB19s2I"  # flags, line discipline, control characters, speeds
# requests whose argument has the same fields on every 32- and 64-bit Linux with these numbers: (codes of `struct`, direction)
_PLAIN = {
    0x5401: (_TERMIOS, "r"), 0x5402: (_TERMIOS, "w"), 0x5403: (_TERMIOS, "w"), 0x5404: (_TERMIOS, "w"),  # TCGETS TCSETS TCSETSW TCSETSF
    TCGETS2: (_TERMIOS2, "r"), 0x402C542B: (_TERMIOS2, "w"), 0x402C542C: (_TERMIOS2, "w"), 0x402C542D: (_TERMIOS2, "w"),  # … TCSETSF2
    0x5413: ("4H", "r"), 0x5414: ("4H", "w"),  # TIOCGWINSZ TIOCSWINSZ
    FIONREAD: ("i", "r"), SIOCOUTQ: ("i", "r"), SIOCATMARK: ("i", "r"), TIOCGPTN: ("I", "r"), TIOCSPTLCK: ("i", "w"),
    0x5415: ("i", "r"), 0x5416: ("i", "w"), 0x5417: ("i", "w"), 0x5418: ("i", "w"),  # TIOCMGET TIOCMBIS TIOCMBIC TIOCMSET
    0x5424: ("i", "r"), 0x5423: ("i", "w"), 0x5412: ("B", "w"), 0x5420: ("i", "w"), 0x80045432: ("I", "r"),  # TIOCGETD … TIOCGDEV
    0x80045438: ("i", "r"), 0x80045439: ("i", "r"), 0x80045440: ("i", "r"), 0x541F: ("i", "w"),  # TIOCGPKT TIOCGPTLCK TIOCGEXCL
    0x5419: ("i", "r"), 0x541A: ("i", "w"),  # TIOCGSOFTCAR TIOCSSOFTCAR
    0x125D: ("i", "r"), 0x1260: ("I", "r"), 0x80081272: ("Q", "r"), 0x1268: ("i", "r"),  # BLKROGET… BLKGETSIZE64 BLKSSZGET
    0x80086601: ("i", "r"), 0x40086602: ("i", "w"),  # FS_IOC_GETFLAGS FS_IOC_SETFLAGS (64-bit numbers)
    0x8901: ("i", "w"), 0x8902: ("i", "w"), 0x8903: ("i", "r"), 0x8904: ("i", "r"),  # FIOSETOWN SIOCSPGRP FIOGETOWN SIOCGPGRP
}  # fmt: skip
_SIZES = {codes: struct.calcsize("=" + codes) for codes, _ in _PLAIN.values()}
_NUMBER = frozenset((TCSBRK, TCXONC, TCFLSH, TIOCSCTTY, TIOCNOTTY, TIOCSBRK, TIOCCBRK, TCSBRKP, TIOCEXCL, TIOCNXCL, TIOCSIG))
# TCSETA TCSETAW TCSETAF and what sets a struct termios2 at the same time
_OLD = {0x5406: 0x402C542B, 0x5407: 0x402C542C, 0x5408: 0x402C542D}
_PIDS = {TIOCGPGRP: "r", TIOCSPGRP: "w", TIOCGSID: "r"}
_OTHER_NUMBERS = {0x80046601: 0x80086601, 0x40046602: 0x40086602, 0x80041272: 0x80081272}  # numbers that hold sizeof(long)
# network interface requests and what follows the name: ifreq is 32 bytes on 32-bit Linux, 40 on 64-bit
_IFREQ = {
    0x8910: "i", 0x8913: "H", 0x8915: "H", 0x8917: "H", 0x8919: "H", 0x891B: "H", 0x891D: "i", 0x8921: "i", 0x8927: "H", 0x8933: "i",
    0x8929: "i", 0x8935: "H", 0x8942: "i",
}  # fmt: skip
SIOCGIFCONF, SIOCGIFMAP, IFREQ = 0x8912, 0x8970, 40
FICLONE = 0x40049409


@call("ioctl fd enum:ioctl ptr")
def ioctl(task: Task, fd: int, request: int, argument: int) -> int:
    """ioctl(2): one branch per kind of argument."""
    entry, abi = task.fds.get(fd), task.process.abi
    host_fd = entry.host
    request = abi.requests.get(request & 0xFFFFFFFF, request & 0xFFFFFFFF)
    request = _OTHER_NUMBERS.get(request, request)
    if request in _PLAIN:
        codes, direction = _PLAIN[request]
        size = _SIZES[codes]
        view = task.space.view(argument, size, WRITE if direction == "r" else READ)
        convert = codes in (_TERMIOS, _TERMIOS2)
        given = abi.termios_to_host(codes, bytes(view)) if convert else abi.swapped(codes, bytes(view))
        data = ctypes.create_string_buffer(given, 64)
        result = host.ioctl(host_fd, request, data)
        if direction == "r":
            found = data.raw[:size]
            view[:] = abi.termios_to_guest(codes, found) if convert else abi.swapped(codes, found)
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
    if request == SIOCGIFMAP:
        return _interface_map(task, host_fd, argument)
    if request == TCGETA or request in _OLD:
        return _old_terminal(task, host_fd, request, argument)
    if request == FICLONE:
        return host.ioctl(host_fd, request, task.fds.host(argument))
    task.process.note(f"ioctl {request:#x} on descriptor {fd}: not known")
    return -ENOTTY


def _old_terminal(task: Task, fd: int, request: int, argument: int) -> int:
    """Read or set a struct termio: the lower halves of a struct termios's flags and the first of its characters."""
    abi, buffer = task.process.abi, ctypes.create_string_buffer(64)
    host.ioctl(fd, TCGETS2, buffer)
    termios = bytearray(abi.termios_to_guest(_TERMIOS2, buffer.raw[: _SIZES[_TERMIOS2]]))
    flags, line, place = abi.order + "4I", abi.termios_line, abi.termios_characters
    characters = slice(place, place + abi.old_characters)
    fields = struct.Struct(f"{abi.order}4HB{abi.old_characters}s")
    view = task.space.view(argument, fields.size + fields.size % 2, WRITE if request == TCGETA else READ)
    before = struct.unpack_from(flags, termios)
    if request == TCGETA:
        fields.pack_into(view, 0, *(value & 0xFFFF for value in before), termios[line], bytes(termios[characters]))
        return 0
    *after, termios[line], termios[characters] = fields.unpack_from(view)
    struct.pack_into(flags, termios, 0, *(old & ~0xFFFF | new for old, new in zip(before, after, strict=True)))
    return host.ioctl(fd, _OLD[request], ctypes.create_string_buffer(abi.termios_to_host(_TERMIOS2, bytes(termios)), 64))


def _process_number(task: Task, fd: int, request: int, argument: int) -> int:
    pids = task.process.pids
    value = ctypes.c_int(0)
    if _PIDS[request] == "w":
        value.value = pids.host(task.space.read_i32(argument))
    result = host.ioctl(fd, request, ctypes.byref(value))
    if _PIDS[request] == "r":
        task.space.write_u32(argument, pids.guest(value.value))
    return result


def _ifreq_size(task: Task) -> int:
    return 32 if task.process.abi.bits == 32 else IFREQ


def _interface(task: Task, fd: int, request: int, argument: int) -> int:
    size, codes = _ifreq_size(task), "16s" + _IFREQ[request]
    view = task.space.view(argument, size, READ | WRITE)
    data = ctypes.create_string_buffer(task.process.abi.swapped(codes, bytes(view)), IFREQ)
    result = host.ioctl(fd, request, data)
    view[:] = task.process.abi.swapped(codes, data.raw[:size])
    return result


def _interface_map(task: Task, fd: int, argument: int) -> int:
    """SIOCGIFMAP: a struct with longs follows the name."""
    abi = task.process.abi
    view = task.space.view(argument, _ifreq_size(task), READ | WRITE)
    data = ctypes.create_string_buffer(bytes(view[:16]), IFREQ)
    result = host.ioctl(fd, SIOCGIFMAP, data)
    start, end, *rest = struct.unpack_from("=2QH3B", data.raw, 16)
    mask = (1 << abi.bits) - 1
    struct.pack_into(f"{abi.order}{'2I' if abi.bits == 32 else '2Q'}H3B", view, 16, start & mask, end & mask, *rest)
    return result


def _interfaces(task: Task, fd: int, argument: int) -> int:
    size, word = _ifreq_size(task), task.process.abi.word
    length = task.space.read_i32(argument)
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
        records = b"".join(task.process.abi.swapped("16sH", data.raw[IFREQ * n : IFREQ * n + size]) for n in range(count))
        task.space.write(pointer, records)
    task.space.write_u32(argument, count * size)
    return 0
