"""System calls without a CPU: argument layout, descriptors, wild pointers, strace texts, the clock."""

from __future__ import annotations

import os
import random
import re
import struct
from typing import TYPE_CHECKING

import pytest

from tests.support.user import DATA, DATA_SIZE, Guest, guest
from xemu.core.memory import PAGE, READ, WRITE
from xemu.errors import XemuError
from xemu.user.arm import frames
from xemu.user.arm.abi import helper_page
from xemu.user.clock import VirtualClock
from xemu.user.paths import Paths
from xemu.user.rows import ROWS, argument_reader, argument_registers, find_row
from xemu.user.signals import SigInfo
from xemu.user.stack import InitialStack
from xemu.user.strace import Strace
from xemu.user.task import Keep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WILD = (0, 1, 0x1000, 0xFFFFF000, 0xFFFFFFFF, 0x7FFFFFFF, 0xDEADBEEF, DATA + DATA_SIZE - 1)
# calls that act on the whole host process or machine, whatever their arguments
MAKES_OBJECTS = {"semget": 2, "msgget": 13, "shmget": 23}  # which stay on the host; and their numbers in ipc(2)
DANGEROUS = frozenset((
    "exit", "exit_group", "fork", "vfork", "clone", "clone3", "kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo",
    "setsid", "setpgid", "chroot", "mount", "umount2", "sync", "setuid", "setgid", "setreuid", "setregid", "setresuid",
    "setresgid", "setuid32", "setgid32", "setreuid32", "setregid32", "setresuid32", "setresgid32", "setgroups", "setgroups32",
    "setrlimit", "prlimit64", "nice", "setpriority", "umask", "chdir", "fchdir", "close", "close_range", "dup2", "dup3", "reboot",
    "prctl", "getrandom", "pause", "brk", "ioctl",
))  # fmt: skip


@pytest.fixture
def g() -> Iterator[Guest]:
    """Give a guest process."""
    with guest() as made:
        yield made


# --- arguments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("types", "words", "expected"), [
    ("fd ptr size", (0xFFFFFFFF, 0xFFFFFFFF, 5), (-1, 0xFFFFFFFF, 5)),
    ("fd ptr size off64", (3, 0x1000, 5, 0x99, 0xFFFFFFFE, 0xFFFFFFFF), (3, 0x1000, 5, -2)),
    ("fd off64", (3, 0x99, 1, 2), (3, 0x200000001)),
    ("path off64", (0x10, 0x99, 7, 0), (0x10, 7)),
    ("fd enum off64 off64", (3, 4, 1, 0, 2, 0), (3, 4, 1, 2)),
])  # fmt: skip
def test_arguments_on_arm(types: str, words: tuple[int, ...], expected: tuple[int, ...]) -> None:
    read = argument_reader(tuple(types.split()), WORDS, bits=32, order="<", pairs_aligned=True)
    assert read(struct.pack("<8I", 7, *(*words, *[0] * (7 - len(words)))), 4) == expected


WORDS = [4 * n for n in range(7)]


def test_arguments_of_other_architectures() -> None:
    wide = argument_reader(("fd", "ptr", "off64"), [0, 8, 16], bits=64, order="<")
    assert wide(struct.pack("<QQq", 0xFFFFFFFF, 1 << 40, -5), 0) == (-1, 1 << 40, -5)
    big = argument_reader(("fd", "off64"), WORDS, bits=32, order=">")
    assert big(struct.pack(">III", 3, 0, 9), 0) == (3, 9)
    mixed = struct.pack("<8Q", *range(0x100, 0x108))
    i386 = argument_reader(("fd", "ptr", "size", "off64"), [0, -16, -8, 24, 32, 16], bits=32, order="<")
    assert i386(mixed, 24) == (0x103, 0x101, 0x102, 0x106 | 0x107 << 32)
    assert argument_reader(("fd", "i64"), [0, -16, -8], bits=32, order="<")(struct.pack("<3q", 5, -1, 3), 16) == (3, -(1 << 32) | 5)
    clone = argument_reader(("flags", "ptr", "ptr", "ptr", "ptr"), [8 * n for n in range(6)], bits=64, order="<", registers=(0, 1, 2, 4, 3))
    assert clone(mixed, 0) == (0x100, 0x101, 0x102, 0x104, 0x103)


def test_every_row_has_as_many_types_as_arguments_and_fits_the_registers(g: Guest) -> None:
    assert g.process.table
    for row in ROWS.values():
        registers = argument_registers(row.types, bits=32, pairs_aligned=row.name.startswith("arm_"))
        assert max([n for held in registers for n in held], default=0) < 6, row.name


def test_every_call_of_arm_has_a_row_or_is_known_to_be_missing(g: Guest) -> None:
    missing = {name for name in g.process.abi.numbers if name not in ROWS}
    assert len(missing) < 62, sorted(missing)
    assert not missing & {"read", "mmap2", "futex", "clone", "rt_sigreturn", "ARM_set_tls", "statx", "sendmsg"}


def test_near_miss_of_a_call_name(g: Guest) -> None:
    assert g.process.table
    with pytest.raises(XemuError, match="did you mean 'openat'"):
        find_row("opennat")


# --- wild pointers ------------------------------------------------------------------------------


def wild_word(rng: random.Random, kind: str, fd: int) -> int:
    """Return an argument nobody would pass."""
    if kind in ("fd", "dirfd") and rng.random() < 0.7:
        return fd
    return rng.choice(WILD) if rng.random() < 0.7 else rng.getrandbits(32) >> rng.randrange(32)


@pytest.mark.parametrize("seed", range(3))
def test_wild_arguments_never_do_more_than_fail(g: Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.chdir(tmp_path)
    rng = random.Random(seed)
    g.process.fds.table.clear()  # nothing of the test's own may be written to or closed
    fd = g.process.fds.add_host(os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC), at_least=5)
    for name, row in sorted(ROWS.items()):
        if name in DANGEROUS or name not in g.process.abi.numbers:
            continue
        for _ in range(25):
            words = [wild_word(rng, kind, fd) for kind in row.types]
            if name in MAKES_OBJECTS or (name == "ipc" and words[0] & 0xFFFF in MAKES_OBJECTS.values()):
                continue
            if name in ("munmap", "mremap", "mprotect", "mmap2", "madvise"):
                words[0] |= 1 << 31  # leave our own data alone
            result = g.call(name, *words)
            if hasattr(result, "close"):
                result.close()
            else:
                assert isinstance(result, (int, Keep)), name
                assert not isinstance(result, bool), name
    g.space.read(DATA, 16)


@pytest.mark.parametrize(("name", "words"), [
    ("read", ("fd", 1, 10)), ("pread64", ("fd", 1, 10)), ("readv", ("fd", 1, 1)), ("getdents64", ("fd", 1, 100)),
    ("stat64", (1, DATA)), ("stat64", ("path", 1)), ("fstat64", ("fd", 1)), ("openat", (-100, 1, 0)), ("uname", (1,)),
    ("pipe", (1,)), ("poll", (1, 1, 0)), ("clock_gettime", (0, 1)), ("rt_sigaction", (10, 1, 0, 8)), ("futex", (4, 0, 0)),
    ("getcwd", (1, 4096)), ("readlink", (1, DATA, 10)), ("execve", (1, 0, 0)), ("times", (1,)), ("sysinfo", (1,)),
    ("rt_sigprocmask", (0, 1, 0, 8)), ("setitimer", (0, 1, 0)), ("nanosleep", (1, 0)), ("write", ("fd", 1, 10)),
    ("epoll_ctl", ("fd", 1, "fd", 1)), ("sigaltstack", (1, 0)), ("statfs64", ("path", 84, 1)), ("ugetrlimit", (3, 1)),
])  # fmt: skip
def test_wild_pointer_is_efault(g: Guest, name: str, words: tuple[object, ...]) -> None:
    fd = g.process.fds.add_host(os.open("/", os.O_RDONLY | os.O_DIRECTORY)) if name == "getdents64" else None
    if fd is None:
        fd = g.process.fds.add_host(os.open("/dev/zero", os.O_RDWR))
    path = g.put(b"/")
    values = [fd if w == "fd" else path if w == "path" else w for w in words]
    assert g.call(name, *values) == -14  # type: ignore[arg-type]


def test_read_is_cut_where_the_buffer_ends(g: Guest) -> None:
    fd = g.process.fds.add_host(os.open("/dev/zero", os.O_RDONLY))
    assert g.call("read", fd, DATA + DATA_SIZE - 100, 0x7FFFFFFF) == 100


# --- descriptors --------------------------------------------------------------------------------


def test_descriptors_are_the_lowest_free_numbers(g: Guest) -> None:
    path = g.put(b"/dev/null")
    table = g.process.fds.table
    first = g.call("open", path, 0, 0)
    assert [g.call("open", path, 0, 0) for _ in range(3)] == [first + 1, first + 2, first + 3]
    assert g.call("close", first + 1) == 0
    assert g.call("close", first + 1) == -9
    assert g.call("dup", first) == first + 1
    assert g.call("dup2", first, 100) == 100
    assert g.call("fcntl64", first, 0, 50) == 50
    assert g.call("open", path, 0, 0) == first + 4
    assert sorted(table)[-2:] == [50, 100]


def test_the_guest_cannot_name_descriptors_of_xemu(g: Guest) -> None:
    own = os.open("/dev/null", os.O_RDONLY)
    try:
        assert g.call("close", own) == -9
        assert g.call("read", -1, DATA, 1) == -9
        assert g.call("dup2", 0, -1) == -9
    finally:
        os.close(own)


def test_close_on_exec_is_kept_per_descriptor(g: Guest) -> None:
    fd = g.call("open", g.put(b"/dev/null"), 0o2000000, 0)
    assert g.call("fcntl64", fd, 1) == 1
    copy = g.call("dup", fd)
    assert g.call("fcntl64", copy, 1) == 0
    g.process.fds.close_on_exec()
    assert fd not in g.process.fds.table
    assert copy in g.process.fds.table


def test_open_flags_differ_from_the_host(g: Guest) -> None:
    abi = g.process.abi
    assert abi.open_flags(0o40000) == os.O_DIRECTORY
    assert abi.open_flags(0o100000) == os.O_NOFOLLOW
    assert abi.open_flags(0o400001) == os.O_WRONLY
    assert abi.guest_open_flags(os.O_DIRECTORY | os.O_RDWR) == 0o40002
    assert g.call("open", g.put(b"/dev/null"), 0o40000, 0) == -20


def test_stat_layout(g: Guest, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    os.utime(path, ns=(1_000_000_005, 2_000_000_007))
    assert g.call("stat64", g.put(os.fsencode(path)), DATA + 0x1000) == 0
    status = path.stat()
    mode, links = struct.unpack("<II", g.space.read(DATA + 0x1010, 8))
    size = g.space.read_u64(DATA + 0x1030)
    times = struct.unpack("<6I", g.space.read(DATA + 0x1048, 24))
    assert (mode, links, size) == (status.st_mode, 1, 5)
    assert times[:4] == (1, 5, 2, 7)
    assert g.space.read_u64(DATA + 0x1060) == status.st_ino


def test_smaps_tells_private_and_shared_memory_apart(g: Guest) -> None:
    private = g.call("mmap2", 0, 0x2000, 3, 0x22, -1, 0)
    shared = g.call("mmap2", 0, 0x3000, 1, 0x21, -1, 0)
    text = (g.process.proc.contents(b"/proc/self/smaps") or b"").decode()
    lines = re.findall(r"^([0-9a-f]+)-.*\n((?:[A-Z].*\n)+)", text, re.MULTILINE)
    found = {int(start, 16): " ".join(fields.split()) for start, fields in lines}
    assert found[private] == "Size: 8 kB Rss: 8 kB Anonymous: 8 kB VmFlags: rd wr mr mw me"
    assert found[shared] == "Size: 12 kB Rss: 12 kB Anonymous: 0 kB VmFlags: rd mr mw me sh"


def test_smaps_counts_pages_of_files_that_were_written(g: Guest, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(0x3000))
    fd = g.call("openat", -100, g.put(bytes(path)), 0)
    address = g.call("mmap2", 0, 0x3000, 3, 2, fd, 0)
    g.space.write(address + 0x1000, b"x")
    assert g.call("mprotect", address, 0x3000, 1) == 0
    text = (g.process.proc.contents(b"/proc/self/smaps") or b"").decode()
    assert re.search(rf"^{address:08x}-.*\nSize: +12 kB\nRss: +12 kB\nAnonymous: +4 kB$", text, re.MULTILINE)


def test_directory_listing_of_made_up_descriptors(g: Guest) -> None:
    fd = g.call("openat", -100, g.put(b"/proc/self/fd"), 0o40000)
    used = g.call("getdents64", fd, DATA + 0x1000, 0x1000)
    data, names, at = g.space.read(DATA + 0x1000, used), [], 0
    while at < used:
        length = struct.unpack_from("<H", data, at + 16)[0]
        names.append(data[at + 19 : at + length].split(b"\0")[0])
        at += length
    assert {b".", b"..", b"0", b"1", b"2"} <= set(names)
    assert len(names) == 2 + len(g.process.fds.table)


def test_descriptors_may_be_closed_while_they_are_listed(g: Guest) -> None:
    opened = [g.process.fds.add_host(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)) for _ in range(30)]
    listing = g.call("openat", -100, g.put(b"/proc/self/fd"), 0o40000)
    seen = []
    while used := g.call("getdents64", listing, DATA + 0x1000, 100):
        at = 0
        while at < used:
            length = g.space.read_u32(DATA + 0x1000 + at + 16) & 0xFFFF
            name = g.space.read(DATA + 0x1000 + at + 19, length - 19).split(b"\0")[0]
            at += length
            if name.isdigit():
                seen.append(int(name))
                if int(name) in opened:
                    assert g.call("close", int(name)) == 0
    assert set(opened) <= set(seen)


# --- memory calls -------------------------------------------------------------------------------


def test_brk_grows_shrinks_and_refuses(g: Guest) -> None:
    start = g.call("brk", 0)
    assert g.call("brk", start + 5000) == start + 5000
    g.space.write(start + 4999, b"x")
    assert g.call("brk", start + 100) == start + 100
    assert g.call("brk", 0xF0000000) == start + 100


def test_mmap_places_and_refusals(g: Guest) -> None:
    first = g.call("mmap2", 0, 5000, 3, 0x22, -1, 0)
    second = g.call("mmap2", 0, 4096, 3, 0x22, -1, 0)
    assert second == first - 4096
    assert g.call("mmap2", 0, 0, 3, 0x22, -1, 0) == -22
    assert g.call("mmap2", 0, 4096, 3, 0x20, -1, 0) == -22
    assert g.call("mmap2", 0, 4096, 3, 2, 77, 0) == -9
    assert g.call("mmap2", 0x123, 4096, 3, 0x32, -1, 0) == -22
    assert g.call("mmap2", 0, 0xFFFFF000, 3, 0x22, -1, 0) == -12
    assert g.call("mmap2", first, 4096, 3, 0x100022, -1, 0) == -17
    assert g.call("munmap", first, 8192) == 0
    assert g.space.area_at(first) is None


# --- signals ------------------------------------------------------------------------------------


def test_frame_layout_has_the_sizes_of_linux() -> None:
    assert frames.UCONTEXT.size == 744
    assert frames.VFP.size == 288


def test_signal_frame_and_return_restore_everything(g: Guest) -> None:
    from xemu.user.signals import Action

    state = g.process.engine.state
    for index in range(13):
        state.write(f"r{index}", index + 100)
    for name, value in (("sp", DATA + 0x8000), ("lr", 0x1234), ("pc", 0x8004), ("cpsr", 0x60000030), ("d3", 42), ("fpscr", 0x400000)):
        state.write(name, value)
    before = {name: state.read(name) for name in (*frames.REGISTERS, "d3", "fpscr")}
    action = Action(0x9001, 4 | 0x04000000, 0, 0x7777)
    frames.push(g.task, state, SigInfo(11, 1, "fault", 0xBAD), action, 0x123, state.read("sp"))
    assert (state.read("r0"), state.read("pc"), state.read("lr")) == (11, 0x9000, 0x7777)
    sp = state.read("sp")
    assert sp % 8 == 0
    assert state.read("r1") == sp
    assert state.read("r2") == sp + 128
    assert state.read("cpsr") & 0x20
    assert struct.unpack("<iiiI", g.space.read(sp, 16)) == (11, 0, 1, 0xBAD)
    assert g.space.read_u32(sp + 128 + 20 + 4 * 18) == 0x8004  # uc_mcontext.arm_pc
    assert g.space.read_u64(sp + 128 + 104) == 0x123  # uc_sigmask
    for name in before:
        state.write(name, 0 if name != "sp" else sp)
    assert frames.pop(g.task, state, rt=True) == 0x123
    assert {name: state.read(name) for name in before} == before


def test_helper_page_has_version_helpers_and_trampolines() -> None:
    page = helper_page()
    assert struct.unpack_from("<I", page, 0xFFC)[0] == 5
    assert struct.unpack_from("<II", page, 0xFE0) == (0xEE1D0F70, 0xE12FFF1E)
    assert struct.unpack_from("<II", page, 0x500) == (0xE3A07077, 0xEF000000)


def test_real_time_signals_queue_and_standard_ones_do_not(g: Guest) -> None:
    signals, task = g.process.signals, g.task
    task.blocked = (1 << 63) | (1 << 9)
    for value in (1, 2):
        signals.send(SigInfo(64, -1, "rt", 1, 0, value))
        signals.send(SigInfo(10, 0, "kill", value, 0))
    assert len(signals.pending) == 3
    task.blocked = 0
    signals.actions[10].handler = signals.actions[64].handler = 0x8000
    taken = [signals.next_for(task) for _ in range(3)]
    assert [info.signo for info in taken if info] == [10, 64, 64]
    assert [info.values[2] for info in taken if info and info.form == "rt"] == [1, 2]


def test_ignored_signals_are_dropped_unless_blocked(g: Guest) -> None:
    signals = g.process.signals
    signals.send(SigInfo(17, 0))
    assert not signals.pending
    g.task.blocked = 1 << 16
    signals.send(SigInfo(17, 0))
    assert len(signals.pending) == 1


# --- strace, stack, clock, paths ----------------------------------------------------------------


def test_strace_lines(g: Guest) -> None:
    trace = Strace(g.process)

    def line(name: str, *values: int, result: int = 0) -> str:
        return trace._call_text(g.task, ROWS[name], values, result) + " = " + trace._result(ROWS[name], result)

    path = g.put(b"/etc/x\n")
    assert line("openat", -100, path, 0o2000101, 0o644, result=-2) == (
        r'openat(AT_FDCWD, "/etc/x\n", O_WRONLY|O_CREAT|O_CLOEXEC, 0644) = -1 ENOENT (No such file or directory)'
    )
    assert line("openat", -100, path, 0, 0, result=3) == r'openat(AT_FDCWD, "/etc/x\n", O_RDONLY) = 3'
    assert line("write", 1, path, 7, result=7) == r'write(1, "/etc/x\n", 7) = 7'
    assert line("mmap2", 0, 4096, 3, 0x22, -1, 0, result=0xB6F00000) == (
        "mmap2(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0xb6f00000"
    )
    g.space.write_u64(DATA + 64, 1 << 13)
    assert line("rt_sigprocmask", 0, DATA + 64, 0, 8) == "rt_sigprocmask(SIG_BLOCK, [ALRM], NULL, 8) = 0"
    assert line("read", 0, 1, 10, result=-14) == "read(0, 0x1, 10) = -1 EFAULT (Bad address)"
    assert line("kill", 5, 9) == "kill(5, SIGKILL) = 0"


def test_first_stack() -> None:
    made = InitialStack(0x10000, [b"prog", b"arg"], [b"A=1"], {6: 4096}, program=b"./prog", platform=b"v7l", random=bytes(16))
    assert made.pointer % 16 == 0
    assert len(made.data) == 0x10000 - made.pointer
    words = struct.unpack_from("<7I", made.data)
    assert words[0] == 2
    assert words[3] == 0
    assert words[5] == 0

    def text(address: int) -> bytes:
        at = address - made.pointer
        return made.data[at : made.data.index(0, at)]

    assert [text(words[n]) for n in (1, 2, 4)] == [b"prog", b"arg", b"A=1"]
    pairs = dict(struct.iter_unpack("<II", made.auxv))
    assert pairs[6] == 4096
    assert text(pairs[31]) == b"./prog"
    assert text(pairs[15]) == b"v7l"
    assert made.data.endswith(b"./prog\0" + bytes(4))


def test_virtual_clock_counts_instructions_and_repeats_its_random_bytes() -> None:
    count = 0
    clock = VirtualClock(lambda: count, 1000, 7)
    assert clock.realtime() == 1000 * 10**9
    count = 5
    clock.skipped = 10
    assert (clock.monotonic(), clock.realtime()) == (15, 1000 * 10**9 + 15)
    assert clock.entropy(20) == VirtualClock(lambda: 0, 0, 7).entropy(20)
    assert clock.entropy(20) != VirtualClock(lambda: 0, 0, 7).entropy(20)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a small sysroot with links."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "real").write_text("x")
    (tmp_path / "lib" / "absolute").symlink_to("/lib/real")
    (tmp_path / "linked").symlink_to("/lib")
    (tmp_path / "loop").symlink_to("/loop")
    (tmp_path / "tmp").mkdir()
    return tmp_path


@pytest.mark.parametrize(("path", "found"), [
    ("/lib/real", "lib/real"), ("/lib/absolute", "lib/real"), ("/linked/absolute", "lib/real"), ("/lib/../lib/real", "lib/real"),
    ("/usr/lib/real", "lib/real"), ("/lib/missing", None), ("/loop", None), ("/tmp", None), ("/../../lib/real", "lib/real"),
])  # fmt: skip
def test_sysroot_paths(g: Guest, root: Path, path: str, found: str | None) -> None:
    expected = os.fsencode(root / found) if found else path.encode()
    assert Paths(g.process, str(root)).translate(path.encode()) == expected


def test_links_of_the_sysroot_can_be_read_without_following(g: Guest, root: Path) -> None:
    paths = Paths(g.process, str(root))
    assert paths.translate(b"/lib/absolute", follow=False) == os.fsencode(root / "lib/absolute")


def test_maps_lines_look_like_the_kernel(g: Guest) -> None:
    text = g.process.proc.maps().decode()
    assert f"{DATA:08x}-{DATA + DATA_SIZE:08x} rw-p 00000000 00:00 0 \n" in text
    g.space.map(DATA + DATA_SIZE, PAGE, READ | WRITE, path="[heap]")
    line = next(t for t in g.process.proc.maps().decode().splitlines() if "[heap]" in t)
    assert line.index("[heap]") == 73
