"""System calls of big-endian guests, without a CPU.

Every family of structs and words is in the guest's order, and what the host gives and takes is translated.
"""

from __future__ import annotations

import os
import random
import socket
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.user import DATA, Guest, guest
from tests.test_user_calls import DANGEROUS, MAKES_OBJECTS
from xemu.core.layout import BIG
from xemu.errors import ImageError
from xemu.loaders.elf import ElfHeader, bytes_reader
from xemu.user import signals as sig
from xemu.user.abi import get_abi
from xemu.user.calls.socket_data import address_to_guest, address_to_host, swap_option
from xemu.user.netlink import Netlink
from xemu.user.ppc import frames32
from xemu.user.rows import ROWS, argument_reader
from xemu.user.signals import Action, SigInfo
from xemu.user.stack import InitialStack
from xemu.user.strace import Strace
from xemu.user.task import Keep

if TYPE_CHECKING:
    from collections.abc import Iterator

PAST = 0x12345678


@pytest.fixture
def g() -> Iterator[Guest]:
    """Give a guest process."""
    with guest("ppc") as made:
        yield made


def word(g: Guest, at: int) -> int:
    """Read a word as the guest does."""
    return int.from_bytes(g.space.read(at, 4), "big")


# --- registers and words ------------------------------------------------------------------------


def test_a_pair_of_registers_has_the_upper_half_first() -> None:
    places = [4 * n for n in range(8)]
    read = argument_reader(("fd", "off64"), places, bits=32, order="<", pairs=BIG, pairs_aligned=True)
    assert read(struct.pack("<4I", 3, 0x99, 0xFFFFFFFF, 0xFFFFFFFE), 0) == (3, -2)
    assert read(struct.pack("<4I", 3, 0x99, 1, 0x40000000), 0) == (3, 0x140000000)
    memory = argument_reader(("fd", "u64"), places, bits=32, order=BIG)
    assert memory(struct.pack(">3I", 3, 1, 2), 0) == (3, 0x100000002)


def test_seeks_above_four_gigabytes(g: Guest, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    fd = g.call("open", g.put(os.fsencode(path)), os.O_RDWR, 0)
    assert g.call("_llseek", fd, 1, 5, DATA, os.SEEK_SET) == 0
    assert g.space.read(DATA, 8) == bytes([0, 0, 0, 1, 0, 0, 0, 5])
    assert g.call("ftruncate64", fd, 0, 1, 7) == 0
    assert path.stat().st_size == (1 << 32) + 7
    g.put(b"abc")
    assert g.call("pwrite64", fd, DATA, 3, 0, 1, 1) == 3
    assert g.call("pread64", fd, DATA + 16, 8, 0, 1, 0) == 7
    assert g.space.read(DATA + 16, 7) == b"\0abc\0\0\0"


def test_pipes_and_pairs_of_sockets_are_words(g: Guest) -> None:
    for name, arguments in (("pipe", (DATA,)), ("socketpair", (socket.AF_UNIX, socket.SOCK_STREAM, 0, DATA))):
        assert g.call(name, *arguments) == 0
        first, second = struct.unpack(">2i", g.space.read(DATA, 8))
        assert second == first + 1
        assert first in g.process.fds.table


def test_vectors_and_initial_stack(g: Guest) -> None:
    ends = os.pipe()
    fds = [g.process.fds.add_host(fd) for fd in ends]
    g.put(b"onetwo", DATA + 64)
    g.space.write(DATA, struct.pack(">4I", DATA + 67, 3, DATA + 64, 3))
    assert g.call("writev", fds[1], DATA, 2) == 6
    assert os.read(ends[0], 9) == b"twoone"
    stack = InitialStack(0xBFFFF000, [b"a"], [b"X=1"], {6: 4096}, program=b"/a", platform=b"ppc7400", random=bytes(16), bits=32, order=BIG)
    assert struct.unpack_from(">2I", stack.data) == (1, stack.arg_start)
    assert struct.unpack_from(">2I", stack.auxv) == (6, 4096)


# --- sets of bits -------------------------------------------------------------------------------


def test_signal_sets_have_the_low_word_first(g: Guest) -> None:
    g.space.write(DATA, struct.pack(">2I", 1 << sig.SIGUSR1 - 1, 1 << 40 - 33))
    assert g.call("rt_sigprocmask", 2, DATA, 0, 8) == 0
    assert g.task.blocked == 1 << sig.SIGUSR1 - 1 | 1 << 39
    assert g.call("rt_sigprocmask", 0, 0, DATA + 8, 8) == 0
    assert g.space.read(DATA + 8, 8) == g.space.read(DATA, 8)
    g.process.signals.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    g.task.pending.append(SigInfo(40, 0))
    assert g.call("rt_sigpending", DATA, 8) == 0
    assert struct.unpack(">2I", g.space.read(DATA, 8)) == (0, 1 << 7)
    os.close(g.process.signals.fd)


def test_actions_of_signals(g: Guest) -> None:
    g.space.write(DATA, struct.pack(">5I", 0x1000, sig.SA_RESTART, 0x2000, 1 << 2, 1 << 30))
    assert g.call("rt_sigaction", 10, DATA, 0, 8) == 0
    action = g.process.signals.actions[10]
    assert (action.handler, action.flags, action.restorer, action.mask) == (0x1000, sig.SA_RESTART, 0x2000, 1 << 2 | 1 << 62)
    assert g.call("rt_sigaction", 10, 0, DATA + 32, 8) == 0
    assert g.space.read(DATA + 32, 20) == g.space.read(DATA, 20)
    assert "mask=0x4000000000000004" in Strace(g.process)._call_text(g.task, g.entry("rt_sigaction")[2], (10, DATA, 0, 8), 0)


def test_select_numbers_bits_in_words(g: Guest) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"x")
    g.process.fds.add_host(reading, at_least=37)
    g.process.fds.add_host(writing, at_least=66)
    g.space.write(DATA, struct.pack(">3I", 0, 1 << 5, 0) + struct.pack(">3I", 0, 0, 1 << 2) + struct.pack(">2i", 0, 0))
    assert g.call("_newselect", 67, DATA, DATA + 12, 0, DATA + 24) == 2
    assert struct.unpack(">6I", g.space.read(DATA, 24)) == (0, 1 << 5, 0, 0, 0, 1 << 2)


def test_affinity_and_groups(g: Guest) -> None:
    assert g.call("sched_getaffinity", 0, 8, DATA) == 4
    assert word(g, DATA) == 1
    assert g.call("sched_setaffinity", 0, 4, DATA) == 0
    g.space.write(DATA, b"\1\0\0\0")
    assert g.call("sched_setaffinity", 0, 4, DATA) == -22
    count = g.call("getgroups", 64, DATA)
    assert list(struct.unpack(f">{count}I", g.space.read(DATA, 4 * count))) == os.getgroups()


# --- structs ------------------------------------------------------------------------------------


def test_polls(g: Guest) -> None:
    reading, writing = os.pipe()
    first, second = (g.process.fds.add_host(fd) for fd in (reading, writing))
    g.space.write(DATA, struct.pack(">ihhihhihh", first, 1, -1, second, 4, 0, 999, 1, 0))
    assert g.call("poll", DATA, 3, 0) == 2
    assert struct.unpack(">ihhihhihh", g.space.read(DATA, 24)) == (first, 1, 0, second, 4, 4, 999, 1, 32)
    epoll = g.call("epoll_create1", 0)
    g.space.write(DATA, struct.pack(">I4xQ", 4, 0x0102030405060708))
    assert g.call("epoll_ctl", epoll, 1, second, DATA) == 0
    assert g.call("epoll_wait", epoll, DATA + 64, 4, 0) == 1
    assert g.space.read(DATA + 64, 16) == struct.pack(">I4xQ", 4, 0x0102030405060708)


def test_statuses_and_times_of_files(g: Guest, tmp_path: Path) -> None:
    path = tmp_path / "name"
    path.write_bytes(b"12345")
    name = g.put(os.fsencode(path), DATA + 0x800)
    g.space.write(DATA, struct.pack(">4i", PAST, 5, PAST + 1, 6))
    assert g.call("utimensat", -100, name, DATA, 0) == 0
    status = path.stat()
    assert (status.st_atime_ns, status.st_mtime_ns) == (PAST * 10**9 + 5, (PAST + 1) * 10**9 + 6)
    assert g.call("stat64", name, DATA) == 0
    fields = struct.unpack_from(">QQIIIIQ8xqI4xQ4I", g.space.read(DATA, 104))
    assert fields == (status.st_dev, status.st_ino, status.st_mode, 1, status.st_uid, status.st_gid, 0, 5, status.st_blksize,
                      status.st_blocks, PAST, 5, PAST + 1, 6)
    assert g.call("statx", -100, name, 0, 0x7FF, DATA) == 0
    record = g.space.read(DATA, 256)
    assert struct.unpack_from(">H", record, 28) == (status.st_mode,)
    assert struct.unpack_from(">QQ", record, 32) == (status.st_ino, 5)
    assert struct.unpack_from(">qI", record, 64) == (PAST, 5)
    assert struct.unpack_from(">qI", record, 112) == (PAST + 1, 6)
    fd = g.call("open", g.put(os.fsencode(tmp_path)), os.O_RDONLY, 0)
    size = g.call("getdents64", fd, DATA, 1024)
    records, at, names = g.space.read(DATA, size), 0, {}
    while at < size:
        inode, _, length, kind = struct.unpack_from(">QqHB", records, at)
        names[records[at + 19 : at + length].split(b"\0")[0]] = (inode, kind)
        at += length
    assert names.keys() == {b".", b"..", b"name"}
    assert names[b"name"] == (status.st_ino, 8)


def test_locks_and_limits(g: Guest, tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"")
    fd = g.call("open", g.put(os.fsencode(tmp_path / "lock")), os.O_RDWR, 0)
    g.space.write(DATA, struct.pack(">hh4xqqi4x", 1, 0, 1 << 33, 7, 0))
    assert g.call("fcntl64", fd, 38 - 1, DATA) == 0  # F_OFD_SETLK
    other = g.call("open", g.put(os.fsencode(tmp_path / "lock"), DATA + 256), os.O_RDWR, 0)
    g.space.write(DATA, struct.pack(">hh4xqqi4x", 0, 0, 0, 0, 0))
    assert g.call("fcntl64", other, 36, DATA) == 0  # F_OFD_GETLK
    assert struct.unpack(">hh4xqqi4x", g.space.read(DATA, 32)) == (1, 0, 1 << 33, 7, -1)
    assert g.call("prlimit64", 0, 7, 0, DATA) == 0
    soft, hard = struct.unpack(">QQ", g.space.read(DATA, 16))
    assert 0 < soft <= hard
    assert g.call("ugetrlimit", 7, DATA) == 0
    assert struct.unpack(">II", g.space.read(DATA, 8)) == (min(soft, 0xFFFFFFFF), min(hard, 0xFFFFFFFF))


def test_clocks_and_timers(g: Guest) -> None:
    assert g.call("clock_gettime", 0, DATA) == 0
    assert g.call("clock_gettime64", 0, DATA + 8) == 0
    seconds, _, wide, nanoseconds = struct.unpack(">iiqq", g.space.read(DATA, 24))
    assert 0 <= wide - seconds < 100
    assert 0 <= nanoseconds < 10**9
    g.space.write(DATA, struct.pack(">4i", 0, 0, 100, 0))
    assert g.call("setitimer", 0, DATA, 0) == 0
    assert g.call("setitimer", 0, 0, DATA + 32) == 0
    assert struct.unpack(">4i", g.space.read(DATA + 32, 16))[2] in (99, 100)
    g.space.write(DATA, struct.pack(">Iiii48x", 0x01020304, 40, 0, 0))
    assert g.call("timer_create", 1, DATA, DATA + 64) == 0
    assert g.process.posix_timers[word(g, DATA + 64)].value == 0x01020304


def test_futexes_are_words_of_the_guest(g: Guest) -> None:
    g.space.write(DATA, struct.pack(">II", 5, 0x100))
    assert g.call("futex", DATA, 0, 0x05000000, 0, 0, 0) == -11
    operation = 1 << 28 | 0 << 24 | 3 << 12 | 0x100  # add 3, wake if it was 0x100
    assert g.call("futex", DATA, 5, 1, 1, DATA + 4, operation) == 0
    assert word(g, DATA + 4) == 0x103
    g.space.write(DATA, bytes(4))
    assert g.call("futex", DATA, 6, 0, 0, 0, 0) == 0  # FUTEX_LOCK_PI
    assert word(g, DATA) == g.task.tid
    assert g.process.abi.host_word(1) == int.from_bytes((1).to_bytes(4, "big"), sys.byteorder)


def test_robust_lists_name_the_dead(g: Guest) -> None:
    from xemu.user.calls.threads import end_thread

    head, entry = DATA, DATA + 64
    g.space.write(head, struct.pack(">IiI", entry, 8, 0))
    g.space.write(entry, struct.pack(">III", head, 0, g.task.tid))
    assert g.call("set_robust_list", head, 12) == 0
    end_thread(g.task)
    assert word(g, entry + 8) == 0x40000000


# --- sockets ------------------------------------------------------------------------------------


def test_messages_with_descriptors(g: Guest) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    fd = g.process.fds.add_host(theirs.detach())
    extra = g.process.fds.add_host(os.open("/dev/null", os.O_RDONLY))
    g.put(b"hello", DATA + 256)
    g.space.write(DATA, struct.pack(">7I", 0, 0, DATA + 64, 1, DATA + 128, 16, 0))
    g.space.write(DATA + 64, struct.pack(">2I", DATA + 256, 5))
    g.space.write(DATA + 128, struct.pack(">Iiii", 16, socket.SOL_SOCKET, socket.SCM_RIGHTS, extra))
    assert g.call("sendmsg", fd, DATA, 0) == 5
    data, descriptors, *_ = socket.recv_fds(ours, 10, 4)
    assert data == b"hello"
    socket.send_fds(ours, [b"back"], descriptors)
    assert g.call("recvmsg", fd, DATA, 0) == 4
    control = word(g, DATA + 20)
    length, level, kind, number = struct.unpack(">Iiii", g.space.read(DATA + 128, 16))
    assert (control, length, level, kind) == (16, 16, socket.SOL_SOCKET, socket.SCM_RIGHTS)
    assert Path(f"/proc/self/fd/{g.process.fds.host(number)}").readlink() == Path("/dev/null")
    ours.close()
    os.close(descriptors[0])


def test_socket_addresses_and_options(g: Guest) -> None:
    abi = g.process.abi
    for given, expected in (
        (struct.pack("=H", 2) + b"\x12\x34\x7f\0\0\1", b"\0\2\x12\x34\x7f\0\0\1"),
        (struct.pack("=H2s4s16sI", 10, b"\0\x50", b"flow", b"sixteen bytes it", 7), b"\0\x0a\0\x50flowsixteen bytes it\0\0\0\7"),
        (struct.pack("=HHII", 16, 0, 0x01020304, 5), b"\0\x10\0\0\1\2\3\4\0\0\0\5"),
        (struct.pack("=H", 1) + b"/path\0", b"\0\1/path\0"),
        (struct.pack("=H", 0), b"\0\0"),
        (b"", b""),
    ):
        assert address_to_guest(abi, given) == expected
        assert address_to_host(abi, expected) == given
    assert swap_option(abi, 1, 13, struct.pack("=2i", 1, 9)) == struct.pack(">2i", 1, 9)
    assert swap_option(abi, 6, 13, b"cubic") == b"cubic"
    fd = g.call("socket", socket.AF_INET, socket.SOCK_DGRAM, 0)
    g.space.write(DATA, b"\0\2\0\0\x7f\0\0\1" + bytes(8))
    assert g.call("bind", fd, DATA, 16) == 0
    g.space.write(DATA + 64, struct.pack(">I", 16))
    assert g.call("getsockname", fd, DATA, DATA + 64) == 0
    assert word(g, DATA + 64) == 16
    assert g.space.read(DATA, 2) == b"\0\2"
    assert g.space.read(DATA + 4, 4) == b"\x7f\0\0\1"


def test_ioctls_and_limits_of_time(g: Guest) -> None:
    reading, writing = os.pipe()
    fd = g.process.fds.add_host(reading)
    os.write(writing, b"x" * 0x123)
    assert g.call("ioctl", fd, 0x4004667F, DATA) == 0  # FIONREAD
    assert word(g, DATA) == 0x123
    sock = g.call("socket", socket.AF_INET, socket.SOCK_DGRAM, 0)
    g.space.write(DATA, struct.pack(">II", 3200, DATA + 64))
    assert g.call("ioctl", sock, 0x8912, DATA) == 0  # SIOCGIFCONF
    size = word(g, DATA)
    names = {}
    for at in range(DATA + 64, DATA + 64 + size, 32):
        name, family, _, address = struct.unpack(">16sH2s4s8x", g.space.read(at, 32))
        names[name.rstrip(b"\0")] = family, address
    assert size % 32 == 0
    assert names.get(b"lo", (2, b"\x7f\0\0\1")) == (2, b"\x7f\0\0\1")
    g.space.write(DATA, b"lo".ljust(32, b"\0"))
    assert g.call("ioctl", sock, 0x8933, DATA) == 0  # SIOCGIFINDEX
    assert word(g, DATA + 16) == socket.if_nametoindex("lo")
    g.space.write(DATA, struct.pack(">3i", 3, 250000, 8))
    assert g.call("setsockopt", sock, 1, 18, DATA, 8) == 0  # SO_RCVTIMEO
    assert g.call("getsockopt", sock, 1, 18, DATA + 16, DATA + 8) == 0
    seconds, micros = struct.unpack(">2i", g.space.read(DATA + 16, 8))
    assert (seconds, micros // 10000, word(g, DATA + 8)) == (3, 25, 8)
    g.space.write(DATA, struct.pack(">II", 0x20080522, 0))
    assert g.call("capget", DATA, DATA + 16) == 0
    assert word(g, DATA + 16) in (0, 0xFFFFFFFF)


def test_netlink_messages_both_ways() -> None:
    order = Netlink(BIG)
    attributes = {3: b"lo\0", 4: 0x10000, 1: b"\1\2\3\4\5\6"}

    def message(order_: str) -> bytes:
        body = struct.pack(order_ + "BBHiII", 0, 0, 772, 1, 0x49, 0)
        for kind, value in attributes.items():
            data = value if isinstance(value, bytes) else struct.pack(order_ + "I", value)
            body += (struct.pack(order_ + "HH", 4 + len(data), kind) + data).ljust(4 + len(data) + 3 & ~3, b"\0")
        link = struct.pack(order_ + "IHHII", 16 + len(body), 16, 2, 5, 6) + body
        error = struct.pack(order_ + "IHHIIiIHHII", 36, 2, 0, 9, 6, -95, 32, 0x7FF0, 1, 9, 0)
        return link + error + struct.pack(order_ + "IHHIIi", 20, 3, 2, 5, 6, 0)

    assert order.to_guest(message("=")) == message(BIG)
    assert order.to_host(message(BIG)) == message("=")
    for size in range(len(message(BIG))):  # what is cut short or no message at all changes nothing else
        assert len(order.to_host(message(BIG)[:size])) == size
        assert len(order.to_guest(bytes([size & 255]) * size)) == size


def test_counters_and_events_are_translated(g: Guest, tmp_path: Path) -> None:
    fd = g.call("eventfd2", 0x10203, os.EFD_NONBLOCK)
    assert g.call("read", fd, DATA, 8) == 8
    assert g.space.read(DATA, 8) == (0x10203).to_bytes(8, "big")
    assert g.call("write", fd, DATA, 8) == 8
    copy = g.call("dup", fd)
    assert g.call("read", copy, DATA, 8) == 8
    assert g.space.read(DATA, 8) == (0x10203).to_bytes(8, "big")
    watch = g.call("inotify_init1", 0)
    number = g.call("inotify_add_watch", watch, g.put(os.fsencode(tmp_path)), 0x100)
    (tmp_path / "made").touch()
    size = g.call("read", watch, DATA, 4096)
    mark, mask, _, length = struct.unpack(">iIII", g.space.read(DATA, 16))
    assert (mark, mask, length + 16) == (number, 0x100, size)
    assert g.space.read(DATA + 16, 5) == b"made\0"


def test_system_v_objects(g: Guest) -> None:
    identifier = g.call("semget", 0, 2, 0o600)
    try:
        g.space.write(DATA, struct.pack(">2H", 1, 0x203))
        assert g.call("semctl", identifier, 0, 17 | 0x100, DATA) == 0
        assert g.call("semctl", identifier, 1, 12, 0) == 0x203
        assert g.call("semctl", identifier, 0, 13, DATA + 8) == 0
        assert g.space.read(DATA + 8, 4) == g.space.read(DATA, 4)
        g.space.write(DATA, struct.pack(">Hhh", 1, -2, 0))
        assert g.call("ipc", 1, identifier, 1, 0, DATA, 0) == 0
        assert g.call("semctl", identifier, 1, 12, 0) == 0x201
        assert g.call("semctl", identifier, 0, 2 | 0x100, DATA) == 0
        fields = struct.unpack(">iIIIIII20xQQI12x", g.space.read(DATA, 80))
        assert fields[1:7:4] == (os.getuid(), 0o600)
        assert fields[7] <= fields[8] + 1000
        assert fields[9] == 2
    finally:
        g.call("semctl", identifier, 0, 0, 0)


# --- signals ------------------------------------------------------------------------------------


def test_information_of_signals(g: Guest) -> None:
    info = SigInfo(40, -1, "rt", 7, 8, 0x01020304)
    assert info.pack(32, BIG)[:24] == struct.pack(">iiiiII", 40, 0, -1, 7, 8, 0x01020304)
    g.space.write(DATA, struct.pack(">iiiiII104x", 40, 0, -1, 7, 8, 0x01020304))
    g.task.blocked = 1 << 39
    assert g.call("rt_sigqueueinfo", g.process.pids.own(), 40, DATA) == 0
    queued = g.process.signals.pending[0]
    assert (queued.code, queued.values) == (-1, (7, 8, 0x01020304))


@pytest.mark.parametrize("rt", [True, False])
def test_frames_keep_every_register(g: Guest, rt: bool) -> None:
    state, values = g.process.engine.state, {}
    names = [*(f"{file}{n}" for file in ("r", "f", "vr") for n in range(32)), "lr", "ctr", "xer", "cr", "vrsave"]
    for n, name in enumerate(names):
        width = 128 if name.startswith("vr") and name != "vrsave" else 64 if name.startswith("f") else 32
        values[name] = int.from_bytes(bytes((n + k) & 127 for k in range(width // 8)), "big")
    values["r1"], values["xer"] = DATA + 0x8000, 0xE0000011
    for name, value in values.items():
        state.write(name, value)
    state.write("pc", 0x10001000)
    mask = 1 << 3 | 1 << 45
    g.process.abi.push_frame(g.task, state, SigInfo(10, 0, "kill", 5, 6), Action(0x10002000, 4 if rt else 0), mask, values["r1"])
    sp = state.read("r1")
    assert sp % 16 == 0
    assert word(g, sp) == values["r1"]
    assert (state.read("pc"), state.read("r3")) == (0x10002000, 10)
    assert state.read("lr") == g.process.abi.trampolines[rt]
    registers = state.read("r5") + 192 if rt else state.read("r4") + 32
    assert registers % 16 == 0
    assert word(g, registers + 4 * 32) == 0x10001000
    assert word(g, registers + 4 * 9) == values["r9"]
    assert g.space.read(registers + 192 + 8, 8) == values["f1"].to_bytes(8, "big")
    assert g.space.read(registers + 464 + 16, 16) == values["vr1"].to_bytes(16, "big")
    assert word(g, registers + 456) == (0x380000AC if rt else 0x38000077)
    if rt:
        assert g.space.read(state.read("r4"), 4) == bytes([0, 0, 0, 10])
        assert word(g, state.read("r5") + 48) == registers
    for name in names:
        if name != "r1":
            state.write(name, 0)
    assert g.process.abi.pop_frame(g.task, state, rt=rt) == mask
    assert {name: state.read(name) for name in names} == values
    assert state.read("pc") == 0x10001000


def test_contexts_are_swapped_without_the_thread_pointer(g: Guest) -> None:
    state, size = g.process.engine.state, frames32.CONTEXT_SIZE
    for name, value in (("r1", DATA + 0x8000), ("r2", 5), ("r31", 0x31), ("lr", 0x1234), ("pc", 0x10001000)):
        state.write(name, value)
    g.task.blocked = 1 << 40
    g.space.write(DATA, b"\xee" * size)
    assert g.call("swapcontext", DATA, 0, size - 1) == -22
    assert g.call("swapcontext", DATA, 0, size) == 0
    assert g.space.read(DATA, 48) == b"\xee" * 48  # links and stacks stay the program's
    assert word(g, DATA + 48) == DATA + 192
    for name in ("r2", "r31", "lr"):
        state.write(name, 0x77)
    g.task.blocked = 0
    assert isinstance(g.call("swapcontext", 0, DATA, size), Keep)
    assert [state.read(name) for name in ("r2", "r31", "lr", "pc")] == [0x77, 0x31, 0x1234, 0x10001000]
    assert g.task.blocked == 1 << 40
    assert isinstance(g.call("swapcontext", 0, 8, size), Keep)
    assert g.task.pending[0].signo == sig.SIGSEGV


# --- wild arguments -----------------------------------------------------------------------------

@pytest.mark.parametrize("seed", range(2))
def test_wild_structs_never_do_more_than_fail(g: Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.chdir(tmp_path)
    rng = random.Random(seed)
    g.process.fds.table.clear()  # nothing of the test's own may be written to or closed
    fds = [g.process.fds.add_host(os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC), at_least=5)]
    fds += [g.call("socket", family, socket.SOCK_DGRAM, 0) for family in (socket.AF_INET, socket.AF_UNIX, socket.AF_NETLINK)]
    fds += [g.call("eventfd2", 1, os.EFD_NONBLOCK), g.call("epoll_create1", 0)]
    done = 0
    for name, row in sorted(ROWS.items()):
        if name in DANGEROUS | {*MAKES_OBJECTS, "ipc"} or name not in g.process.abi.numbers:
            continue
        for _ in range(8):
            small = [rng.choice((0, 0, 0, rng.randrange(256))) for _ in range(512)]
            g.space.write(DATA, bytes(small))
            words = [rng.choice(fds) if kind in ("fd", "dirfd") else rng.choice((DATA + 4 * rng.randrange(96), rng.randrange(64), 0))
                     for kind in row.types]
            if name in ("munmap", "mremap", "mprotect", "mmap2", "mmap", "madvise"):
                words[0] |= 1 << 31  # leave our own data alone
            result = g.call(name, *words)
            if hasattr(result, "close"):
                result.close()
            else:
                assert isinstance(result, (int, Keep)), name
            done += 1
    assert done > 1500
    g.space.read(DATA, 16)


# --- programs -----------------------------------------------------------------------------------


def header(machine: int, bits: int, order: str) -> ElfHeader:
    """Return the header of a file that is for a machine."""
    ident = b"\x7fELF" + bytes((bits // 32, 1 if order == "<" else 2, 1)) + bytes(9)
    return ElfHeader(bytes_reader(ident + struct.pack(order + "HHI", 2, machine, 1) + bytes(64)), "prog")


def test_byte_order_is_part_of_the_architecture() -> None:
    assert header(20, 32, ">").machine[0] == "ppc"
    assert header(21, 64, "<").machine[0] == "ppc64le"
    for found in (header(21, 64, ">"), header(20, 32, "<"), header(40, 32, ">")):
        arch, title = found.machine
        with pytest.raises(ImageError, match=f"^prog: built for {title}; xemu runs .*, ppc, ppc64le, x86_64 programs"):
            get_abi(arch, "prog", title)
