"""User mode of PowerPC: layouts, calls, frames and terminals without a CPU; programs in C with one."""

from __future__ import annotations

import os
import re
import select
import struct
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.support.programs import run, xemu_command
from tests.support.user import DATA, Guest, guest
from xemu.core.memory import EXEC, PAGE, READ
from xemu.loaders.elf import bytes_reader, read_elf
from xemu.targets.ppc.layout import ALIGNMENT, FACILITY, FLOATING_POINT, PRIVILEGED, TRAP
from xemu.user import signals as sig
from xemu.user.abi import get_abi
from xemu.user.calls import load_rows
from xemu.user.ppc import frames64, terminal
from xemu.user.ppc.numbers import NUMBERS32, NUMBERS64
from xemu.user.rows import ROWS
from xemu.user.signals import Action, SigInfo
from xemu.user.strace import Strace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOURCES = Path(__file__).parent / "user_programs"
COMPILERS = {"ppc64le": ["powerpc64le-linux-gnu-gcc"], "ppc": ["powerpc-linux-gnu-gcc", "-maltivec"]}
STATIC = ["-O1", "-w", "-static", "-pthread"]
STACK = DATA + 0x8000


@pytest.fixture
def g() -> Iterator[Guest]:
    """Give a process of ppc64le."""
    with guest("ppc64le") as made:
        made.process.engine.state.write("r1", STACK)
        yield made


# --- tables -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "number"), [
    ("read", 3), ("mmap", 90), ("clone", 120), ("rt_sigreturn", 172), ("getdents64", 202), ("exit_group", 234), ("newfstatat", 291),
    ("sync_file_range2", 308), ("socket", 326), ("renameat2", 357), ("statx", 383), ("semtimedop", 392), ("clone3", 435),
])  # fmt: skip
def test_numbers(name: str, number: int) -> None:
    load_rows()
    assert NUMBERS64[name] == number
    assert name in ROWS


def test_every_call_has_a_row_or_is_known_to_be_missing() -> None:
    load_rows()
    missing = {name for name in {*NUMBERS32, *NUMBERS64} if name not in ROWS}
    assert len(missing) < 90, sorted(missing)
    assert not missing & {"signal", "ssetmask", "umount", "old_select", "ppc_fadvise64_64", "ugetrlimit", "fstatat64"}


# sizeof in C, and offsets of fields
SIZES = {"stat": 144, "statfs": 120, "flock": 32, "shmid_ds": 112, "semid_ds": 88, "msqid_ds": 120, "iovec": 16, "sysinfo": 112,
         "epoll_event": 16, "rusage": 144, "tms": 32, "msghdr": 56, "sigaction": 32, "stack": 24, "sigevent": 64}
OFFSETS = {("stat", "size"): 48, ("stat", "mtime"): 88, ("stat", "uid"): 28, ("shmid_ds", "size"): 72, ("shmid_ds", "nattch"): 88,
           ("semid_ds", "nsems"): 64, ("msqid_ds", "lspid"): 96, ("epoll_event", "data"): 8}


def test_layouts_have_the_sizes_and_offsets_of_the_c_compiler() -> None:
    layouts = get_abi("ppc64le", "", "").layouts
    assert {name: layouts[name].size for name in SIZES} == SIZES
    for (name, field), offset in OFFSETS.items():
        layout = layouts[name]
        packed = layout.pack(**{field: (1 << layout.width(field) - 1) - 1})
        assert len(packed) - len(packed.lstrip(b"\0")) == offset, (name, field)


# --- calls ------------------------------------------------------------------------------------------


def test_an_error_is_positive_with_summary_overflow_and_negative_after_scv(g: Guest) -> None:
    process, state = g.process, g.process.engine.state
    process.set_result(-9)
    assert (state.read("r3"), state.read("cr") >> 28) == (9, 1)
    process.set_result(7)
    assert (state.read("r3"), state.read("cr") >> 28) == (7, 0)
    process.set_result(-5000)                                 # no error: a number that a call returns
    assert (state.read("r3"), state.read("cr") >> 28) == ((1 << 64) - 5000, 0)
    state.write("cr", 0x30000000)
    state.write("scv", 1)
    process.set_result(-9)
    assert (state.read("r3"), state.read("cr") >> 28) == ((1 << 64) - 9, 3)


def test_flags_of_open_are_powerpcs_own(g: Guest, tmp_path: Path) -> None:
    path = g.put(os.fsencode(tmp_path))
    fd = g.call("open", path, 0o40000)
    assert fd >= 0
    assert g.call("fcntl", fd, 3, 0) & 0o40000
    assert g.call("open", g.put(os.fsencode(__file__)), 0o40000) == -20
    (tmp_path / "link").symlink_to("x")
    assert g.call("open", g.put(os.fsencode(tmp_path / "link")), 0o100000) == -40


def test_mlockall_and_prctl(g: Guest) -> None:
    assert [g.call("mlockall", flags) for flags in (0x2000, 0x8000, 1, 0)] == [0, 0, -22, -22]
    assert g.call("prctl", 11, DATA, 0, 0, 0) == 0
    assert g.space.read_u32(DATA) == 0
    assert [g.call("prctl", 12, mode, 0, 0, 0) for mode in (3, 0x80)] == [0, -22]
    assert g.call("prctl", 11, DATA, 0, 0, 0) == 0
    assert g.space.read_u32(DATA) == 3


def test_terminals_have_their_own_numbers_and_struct(g: Guest) -> None:
    master, slave = os.openpty()
    fd = g.process.fds.add_host(slave, cloexec=False)
    try:
        assert g.call("ioctl", fd, 0x402C7413, DATA) == 0     # TCGETS
        iflag, oflag, cflag, lflag = struct.unpack("<4I", g.space.read(DATA, 16))
        assert lflag & 0x588 == 0x588                         # ISIG ICANON ECHO IEXTEN
        assert oflag & 3 == 3                                 # OPOST ONLCR
        assert cflag & 0x300 == 0x300                         # CS8
        assert iflag & 0x300 == 0x300                         # ICRNL IXON
        characters = g.space.read(DATA + 16, 19)
        assert (characters[0], characters[5], characters[7], characters[12]) == (3, 1, 0, 26)     # VINTR VMIN VTIME VSUSP
        g.space.write(DATA + 12, struct.pack("<I", lflag & ~0x108))
        g.space.write(DATA + 16 + 7, b"\5")
        assert g.call("ioctl", fd, 0x802C7414, DATA) == 0     # TCSETS
        import termios

        there = termios.tcgetattr(slave)
        assert not there[3] & (termios.ICANON | termios.ECHO)
        assert there[6][termios.VTIME] == b"\5" or there[6][termios.VTIME] == 5
        g.space.write(DATA, struct.pack("<4H", 30, 90, 0, 0))
        assert g.call("ioctl", fd, 0x80087467, DATA) == 0     # TIOCSWINSZ
        assert g.call("ioctl", fd, 0x40087468, DATA + 16) == 0
        assert struct.unpack("<2H", g.space.read(DATA + 16, 4)) == (30, 90)
        assert g.call("ioctl", fd, 0x5401, DATA) == -25       # what others call TCGETS
        os.write(master, b"abc")
        assert select.select([slave], [], [], 30)[0]          # the kernel hands it on when it likes
        assert g.call("ioctl", fd, 0x4004667F, DATA) == 0
        assert g.space.read_u32(DATA) == 3                    # FIONREAD
    finally:
        os.close(master)


def test_termios_comes_back_as_it_went() -> None:
    flags = (0x7FFF, 0x1FDFF, 0xFF00 | 0x12 | 0x140000 | 0x80000000, 0xF0C045FF)
    every = struct.pack("<IIII19sBII", *flags, bytes(range(17)) + bytes(2), 3, 9600, 38400)
    host = terminal.to_host(every, "<")
    assert struct.unpack("=IIII", host[:16])[2] & 0x100F == 0x1003       # B230400
    assert terminal.to_guest(host, "<") == every
    assert terminal.to_guest(terminal.to_host(every, "<"), ">")[:4] == every[:4][::-1]


def test_socket_options_have_their_own_numbers(g: Guest) -> None:
    assert g.call("socketpair", 1, 1, 0, DATA) == 0
    (fd, _) = struct.unpack("<2i", g.space.read(DATA, 8))
    g.space.write(DATA, struct.pack("<qq", 3, 0))
    assert g.call("setsockopt", fd, 1, 18, DATA, 16) == 0     # SO_RCVTIMEO
    g.space.write_u32(DATA + 64, 16)
    assert g.call("getsockopt", fd, 1, 18, DATA + 32, DATA + 64) == 0
    assert struct.unpack("<qq", g.space.read(DATA + 32, 16)) == (3, 0)
    g.space.write_u32(DATA + 64, 12)
    assert g.call("getsockopt", fd, 1, 21, DATA + 32, DATA + 64) == 0     # SO_PEERCRED
    assert g.space.read_u32(DATA + 36) == os.getuid()


def test_strace_names_what_is_different(g: Guest, capfd: pytest.CaptureFixture[str]) -> None:
    process = g.process
    process.log_fd = 2
    trace = Strace(process)
    for name, words in (("ioctl", (99, 0x402C7413, DATA)), ("mmap", (0, 0x1000, 1, 0x62, -1, 0)), ("open", (g.put(b"x"), 0o340000, 0)),
                        ("setsockopt", (99, 1, 20, DATA, 4))):
        function, unpack, row = g.entry(name)
        for register, word in zip(process.abi.arguments, words, strict=False):
            process.engine.state.write(register, word & (1 << 64) - 1)
        _, block, first = process.call_access()
        trace.printing(row, function)(g.task, *unpack(block, first))
    text = capfd.readouterr().err
    assert "ioctl(99, TCGETS" in text
    assert "MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE" in text
    assert "O_DIRECTORY|O_NOFOLLOW|O_LARGEFILE" in text
    assert "SOL_SOCKET, SO_PASSCRED" in text


# --- signals ----------------------------------------------------------------------------------------


def fill(state: object, salt: int) -> dict[str, int]:
    """Set every register of a program, and return them."""
    values = {f"r{n}": salt * 1000 + n for n in range(2, 32)} | {f"f{n}": salt << 60 | n for n in range(32)}
    values |= {f"vr{n}": salt << 120 | n << 64 | n for n in range(32)} | {f"vs{n}h": salt << 56 | n for n in range(32)}
    values |= {"lr": salt << 40, "ctr": salt << 20, "cr": 0x12345678 * salt & 0xFFFFFFFF, "xer": 0xA0000000 | salt, "vscr": 0x10001,
               "vrsave": salt, "fpscr": 0x80 | salt & 3, "pc": 0x10000 * salt}
    for name, value in values.items():
        state.write(name, value)  # type: ignore[attr-defined]
    return values


def test_a_frame_is_where_the_kernel_puts_it_and_gives_everything_back(g: Guest) -> None:
    state, task = g.process.engine.state, g.task
    values = fill(state, 5)
    task.fault = (0x300, 0x42000000, 0xDEAD)
    action = Action(0x10002000, sig.SA_SIGINFO)
    frames64.push(task, state, SigInfo(sig.SIGSEGV, 1, "fault", 0xDEAD), action, 0x1234, STACK, g.process.abi.trampolines[0])
    sp = state.read("r1")
    assert sp % 16 == 0
    assert sp == (STACK - 2400 & -16) - 128
    assert task.read_word(sp) == STACK                        # the back chain
    assert (state.read("pc"), state.read("r12"), state.read("ctr"), state.read("fpscr")) == (0x10002000, 0x10002000, 0x10002000, 0)
    context = state.read("r5")
    assert context == sp + 128
    assert (state.read("r3"), state.read("r4")) == (sig.SIGSEGV, context + 1760)
    assert state.read("lr") == g.process.abi.trampolines[0]
    assert struct.unpack("<iii4xQ", g.space.read(state.read("r4"), 24)) == (sig.SIGSEGV, 0, 1, 0xDEAD)
    word = task.read_word
    assert word(context + 40) == 0x1234                       # uc_sigmask
    assert word(context + 224) == context + 232               # uc_mcontext.regs, where unwinders look (0xe0)
    registers = {n: word(context + 232 + 8 * n) for n in range(44)}
    assert registers[14] == values["r14"]
    assert registers[32] == values["pc"]
    assert registers[33] == 0x800000000280F033
    assert [registers[n] for n in range(35, 39)] == [values[name] for name in ("ctr", "lr", "xer", "cr")]
    assert [registers[n] for n in range(40, 43)] == [0x300, 0xDEAD, 0x42000000]
    assert word(context + 232 + 384 + 8 * 7) == values["f7"]
    vectors = word(context + 880)
    assert vectors % 16 == 0
    assert int.from_bytes(g.space.read(vectors + 16 * 9, 16), "little") == values["vr9"]
    assert g.space.read_u32(vectors + 512) == 0x10001         # VSCR
    assert g.space.read_u32(vectors + 528) == 5               # VRSAVE
    assert word(vectors + 544 + 8 * 3) == values["vs3h"]
    assert g.space.read(context + 1712, 12) == bytes.fromhex("80002138 ac000038 02000044")
    fill(state, 9)
    state.write("r1", context)
    assert g.process.abi.pop_frame(task, state, rt=True) == 0x1234
    assert {name: state.read(name) for name in values} == values
    assert state.read("r1") == STACK


def test_a_frame_without_vectors_clears_them(g: Guest) -> None:
    state = g.process.engine.state
    fill(state, 3)
    frames64.push(g.task, state, SigInfo(sig.SIGUSR1, 0, "kill", 1, 2), Action(0x4000), 0, STACK, 0)
    context = state.read("r1") + 128
    assert state.read("r4") == context + 168                  # without SA_SIGINFO: the machine context
    at = context + 232 + 8 * 33
    g.task.write_word(at, g.task.read_word(at) & ~(frames64.MSR_VEC | frames64.MSR_VSX))
    assert g.task.read_word(context + 232 + 8 * 40) == 0xC00
    state.write("r1", context)
    g.process.abi.pop_frame(g.task, state, rt=True)
    assert (state.read("vr5"), state.read("vs5h"), state.read("f5")) == (0, 0, 3 << 60 | 5)


@pytest.mark.parametrize(("what", "signo", "code", "words"), [
    (SimpleNamespace(address=0x10, kind="MAPERR", access=1), sig.SIGSEGV, 1, (0x300, 0x40000000, 0x10)),
    (SimpleNamespace(address=0x20, kind="ACCERR", access=2), sig.SIGSEGV, 2, (0x300, 0x0A000000, 0x20)),
    (SimpleNamespace(address=0x40, kind="ACCERR", access=4), sig.SIGSEGV, 2, (0x400, 0x10000000, 0x40)),
    (SimpleNamespace(address=0x41, kind="ALIGN", access=1), sig.SIGBUS, 1, (0x600, 0, 0x41)),
    (SimpleNamespace(address=0x50, kind="BUS", access=1), sig.SIGBUS, 2, (0x300, 0x40000000, 0x50)),
])  # fmt: skip
def test_page_faults(g: Guest, what: SimpleNamespace, signo: int, code: int, words: tuple[int, ...]) -> None:
    cause = g.process.abi.fault(g.process, g.task, what)
    assert cause == (signo, code, what.address, words)


def test_exceptions(g: Guest) -> None:
    abi, state = g.process.abi, g.process.engine.state
    found = [abi.exception(state, number, 0x1000) for number in (TRAP, ALIGNMENT, PRIVILEGED, FACILITY)]
    assert [(cause.signo, cause.code) for cause in found if cause] == [(sig.SIGTRAP, 1), (sig.SIGBUS, 1), (sig.SIGILL, 5), (sig.SIGILL, 1)]
    state.write("fpscr", 0x10 | 0x04000000)                   # ZE ZX
    assert abi.exception(state, FLOATING_POINT, 0x1004) is None
    state.write("fe", 3)
    cause = abi.exception(state, FLOATING_POINT, 0x1004)
    assert cause is not None
    assert (cause.signo, cause.code, cause.address, state.read("pc")) == (sig.SIGFPE, sig.FPE_FLTDIV, 0x1000, 0x1000)


def test_registers_of_a_new_program(g: Guest) -> None:
    abi, state = g.process.abi, g.process.engine.state
    fill(state, 7)
    abi.start(state, 0x10000500, STACK)
    assert (state.read("pc"), state.read("r12"), state.read("r1"), state.read("vscr")) == (0x10000500, 0x10000500, STACK, 0x10000)
    assert {state.read(f"r{n}") for n in range(32) if n not in (1, 12)} == {0}
    assert (state.read("f5"), state.read("cr"), state.read("lr"), state.context) == (0, 0, 0, 0)
    assert abi.auxv[19] == abi.auxv[41] & 0xFFFF == 128
    assert abi.hwcap2 & 0x40000000 == 0                       # no transactional memory


def test_interrupted_call_is_made_again(g: Guest) -> None:
    process, state, task = g.process, g.process.engine.state, g.task
    process.abi.prepare_space(g.space)
    process.signals.actions[sig.SIGUSR1] = Action(0x10000600, sig.SA_RESTART)
    state.write("pc", 0x10001004)
    state.write("r3", 42)
    task.interrupted = SimpleNamespace(restart=True)
    process.signals.send(SigInfo(sig.SIGUSR1, 0, "kill", 1, 2))
    process.deliver()
    assert state.read("pc") == 0x10000600
    state.write("r1", state.read("r1") + frames64.SIGNAL_FRAME)
    g.call("rt_sigreturn")
    assert (state.read("pc"), state.read("r3")) == (0x10001000, 42)


@pytest.mark.parametrize(("arch", "ways"), [("ppc64le", 1), ("ppc", 2)])
def test_image_of_the_kernel_is_one_that_readers_of_elf_understand(arch: str, ways: int) -> None:
    with guest(arch) as made:
        abi = made.process.abi
        abi.prepare_space(made.space)
        address = abi.auxv[33]
        data = made.space.read(address, PAGE)
        elf = read_elf(bytes_reader(data), len(data), "vdso")
        (segment,) = elf.segments
        assert (elf.arch, segment.address, segment.prot) == (arch, 0, READ | EXEC)
        assert len(abi.trampolines) == ways
        for place, name in zip(abi.trampolines, (172,) if ways == 1 else (119, 172), strict=True):
            code = struct.unpack(abi.order + "4I", data[place - address - 4 : place - address + 12])
            assert code[0] == 0x60000000                      # belongs to it: unwinders look before a return address
            assert (0x38000000 | name, 0x44000002) in (code[1:3], code[2:4])
        assert struct.pack(abi.order + "I", 0x75FCBA5) in data          # the hash of LINUX_2.6.15
        assert data.count(b"linux-vdso%d.so.1" % abi.bits) == 1


# --- with a CPU -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def compiled(need: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Return a function that compiles one of the programs for an architecture."""
    directory = tmp_path_factory.mktemp("compiled")

    def build(arch: str, name: str) -> Path:
        program = directory / f"{Path(name).name}-{arch}"
        if not program.exists():
            source = SOURCES / f"{name}.c"
            need(COMPILERS[arch][0])
            subprocess.run([*COMPILERS[arch], *STATIC, str(source), "-lm", "-o", str(program)], check=True, capture_output=True)
        return program

    return build


@pytest.mark.parametrize("arch", COMPILERS)
def test_faults_frames_and_terminals_are_powerpcs(arch: str, compiled: Callable[[str, str], Path], tmp_path: Path) -> None:
    result = run(xemu_command(compiled(arch, "ppc/machine")), cwd=tmp_path)
    assert result.stdout.decode() == (SOURCES / "ppc" / f"machine-{arch}.out").read_text(), result.stderr.decode()
    assert result.code == 0


PROGRAMS = ("files", "ipc", "processes", "signals", "sockets", "threads")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the host's kernel is what decides")
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_do_what_they_do_on_the_host(
    name: str, compiled: Callable[[str, str], Path], need: Callable[..., str], tmp_path: Path
) -> None:
    native = tmp_path / name
    subprocess.run([need("gcc"), *STATIC, str(SOURCES / f"{name}.c"), "-o", str(native)], check=True, capture_output=True)
    places = [tmp_path / "native", tmp_path / "emulated"]
    for place in places:
        place.mkdir()
    expected = run([native], cwd=places[0])
    result = run(xemu_command(compiled("ppc64le", name)), cwd=places[1])
    assert _lines(result.stdout) == _lines(expected.stdout)
    assert result.code == expected.code


def _lines(text: bytes) -> list[str]:
    """Leave out addresses, and pointers to nowhere, which are an error even where there is nothing to read."""
    return [re.sub(r"addr 0x[0-9a-f]{4,}", "addr …", line) for line in text.decode().splitlines() if "(void *)1" not in line]
