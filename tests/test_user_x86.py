"""x86's Linux without a CPU: numbers, layouts, signal frames, segments, old calls, faults. Figures are the C compiler's."""

from __future__ import annotations

import os
import random
import struct
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.support.programs import run, xemu_command
from tests.support.user import DATA, DATA_SIZE, Guest, guest
from tests.test_user_calls import DANGEROUS, MAKES_OBJECTS, WILD
from xemu.core.memory import EXEC, READ, WRITE, GuestFault
from xemu.targets.x86.cpuid import cpuid
from xemu.targets.x86.layout import DIVIDE_ERROR, GENERAL_PROTECTION, INT80, SIMD_ERROR, SYSCALL, X87_ERROR
from xemu.targets.x86.registers import tags_of
from xemu.user import signals as sig
from xemu.user.abi import get_abi
from xemu.user.calls import load_rows
from xemu.user.rows import ROWS
from xemu.user.signals import Action, SigInfo
from xemu.user.strace import Strace
from xemu.user.task import KEEP, Inner, Keep
from xemu.user.x86 import frames, segments
from xemu.user.x86.registers import Registers
from xemu.user.x86.vsyscall import PAGE as VSYSCALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAPPING = frozenset(("munmap", "mremap", "mprotect", "mmap2", "mmap", "madvise"))
BOTH = ("i386", "x86_64")
ENOSYS, EFAULT, EINVAL = 38, 14, 22


@pytest.fixture
def g32() -> Iterator[Guest]:
    with guest("i386") as made:
        yield made


@pytest.fixture
def g64() -> Iterator[Guest]:
    with guest("x86_64") as made:
        yield made


# --- numbers and layouts --------------------------------------------------------------------------


@pytest.mark.parametrize(("arch", "name", "number"), [
    ("i386", "exit", 1), ("i386", "waitpid", 7), ("i386", "old_select", 82), ("i386", "old_mmap", 90), ("i386", "socketcall", 102),
    ("i386", "ipc", 117), ("i386", "sigreturn", 119), ("i386", "clone", 120), ("i386", "_newselect", 142), ("i386", "rt_sigreturn", 173),
    ("i386", "pread64", 180), ("i386", "mmap2", 192), ("i386", "fcntl64", 221), ("i386", "set_thread_area", 243),
    ("i386", "exit_group", 252), ("i386", "statx", 383), ("i386", "clock_gettime64", 403), ("i386", "faccessat2", 439),
    ("x86_64", "read", 0), ("x86_64", "mmap", 9), ("x86_64", "rt_sigreturn", 15), ("x86_64", "select", 23), ("x86_64", "clone", 56),
    ("x86_64", "arch_prctl", 158), ("x86_64", "time", 201), ("x86_64", "exit_group", 231), ("x86_64", "newfstatat", 262),
    ("x86_64", "statx", 332), ("x86_64", "rseq", 334), ("x86_64", "clone3", 435),
])  # fmt: skip
def test_numbers(arch: str, name: str, number: int) -> None:
    load_rows()
    get_abi(arch, "", "").load_rows()
    assert get_abi(arch, "", "").numbers[name] == number
    assert name in ROWS


@pytest.mark.parametrize("arch", BOTH)
def test_every_call_has_a_row_or_is_known_to_be_missing(arch: str) -> None:
    with guest(arch) as g:
        missing = {name for name in g.process.abi.numbers if name not in ROWS}
        assert len(missing) < 75, sorted(missing)
        assert "set_thread_area" not in missing
        assert ("set_thread_area" in g.process.abi.numbers) == (arch == "i386")


# sizeof in C, and offsets of fields
SIZES32 = {"old_stat": 32, "stat": 64, "stat64": 96, "statfs": 64, "statfs64": 84, "flock": 16, "flock64": 24, "shmid_ds": 84,
           "semid_ds": 64, "msqid_ds": 88, "user_desc": 16, "iovec": 8, "sysinfo": 64,
           "epoll_event": 12, "rusage": 72, "tms": 16, "sigevent": 64}
SIZES64 = {"stat": 144, "statfs": 120, "flock": 32, "shmid_ds": 112, "semid_ds": 104, "msqid_ds": 120, "user_desc": 16, "iovec": 16,
           "sysinfo": 112, "epoll_event": 12, "rusage": 144, "tms": 32, "msghdr": 56, "sigaction": 32, "stack": 24, "sigevent": 64}
OFFSETS = {
    ("i386", "stat64", "size"): 44, ("i386", "stat64", "blocks"): 56, ("i386", "stat64", "mtime"): 72, ("i386", "stat64", "ino"): 88,
    ("i386", "stat", "size"): 20, ("i386", "stat", "mtime"): 40, ("i386", "shmid_ds", "nattch"): 72, ("i386", "semid_ds", "nsems"): 52,
    ("i386", "msqid_ds", "lspid"): 72, ("i386", "sysinfo", "unit"): 52, ("x86_64", "stat", "size"): 48, ("x86_64", "stat", "mtime"): 88,
    ("x86_64", "stat", "blocks"): 64, ("x86_64", "shmid_ds", "nattch"): 88, ("x86_64", "shmid_ds", "size"): 48,
    ("x86_64", "semid_ds", "nsems"): 80, ("x86_64", "msqid_ds", "lspid"): 96, ("x86_64", "sysinfo", "unit"): 104,
}  # fmt: skip


def test_layouts_have_the_sizes_and_offsets_of_the_c_compiler() -> None:
    for arch, sizes in (("i386", SIZES32), ("x86_64", SIZES64)):
        layouts = get_abi(arch, "", "").layouts
        assert {name: layouts[name].size for name in sizes} == sizes
    for (arch, name, field), offset in OFFSETS.items():
        layout = get_abi(arch, "", "").layouts[name]
        packed = layout.pack(**{field: (1 << layout.width(field) - 1) - 1})
        assert len(packed) - len(packed.lstrip(b"\0")) == offset, (arch, name, field)


def test_stat_in_every_form(g32: Guest, g64: Guest, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1234)
    os.utime(path, ns=(5_000_000_007, 6_000_000_008))
    s = path.stat()
    for g, name, layout in ((g32, "stat64", "stat64"), (g64, "stat", "stat"), (g64, "lstat", "stat")):
        assert g.call(name, g.put(os.fsencode(path)), DATA + 0x1000) == 0
        found = g.process.abi.layouts[layout].unpack(g.space.read(DATA + 0x1000, 144))
        assert (found.ino, found.size, found.mode, found.uid) == (s.st_ino, 1234, s.st_mode, s.st_uid)
        assert (found.atime, found.atime_ns, found.mtime, found.mtime_ns) == (5, 7, 6, 8)
    assert g64.call("newfstatat", -100, g64.put(os.fsencode(path)), DATA + 0x1000, 0) == 0
    small = 0 if s.st_ino < 1 << 32 and s.st_dev < 1 << 32 else -75
    assert g32.call("stat", g32.put(os.fsencode(path)), DATA + 0x1000) == small
    os.truncate(path, 1 << 33)
    assert g32.call("stat", g32.put(os.fsencode(path)), DATA + 0x1000) == -75  # EOVERFLOW


@pytest.mark.parametrize("arch", BOTH)
@pytest.mark.parametrize("seed", range(2))
def test_wild_arguments_never_do_more_than_fail(arch: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = random.Random(seed)
    wild = (*WILD, 1 << 46, (1 << 46) - 1, 1 << 63, (1 << 64) - 1, 0xFFFFFFFFFFFFF000)
    unusual = {"old_mmap", "socketcall", "ipc", "umount", "signal", "ssetmask", "waitpid", "set_thread_area"}
    with guest(arch) as g:
        g.process.fds.table.clear()
        fd = g.process.fds.add_host(os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC), at_least=5)
        for name, row in sorted(ROWS.items()):
            if name in DANGEROUS or name not in g.process.abi.numbers or name in MAPPING:
                continue
            for _ in range(12 if name not in unusual else 40):
                words = [fd if kind in ("fd", "dirfd") and rng.random() < 0.7 else rng.choice(wild) for kind in row.types]
                if name in MAKES_OBJECTS or (name == "ipc" and words[0] & 0xFFFF in MAKES_OBJECTS.values()):
                    continue
                result = g.call(name, *words)
                if hasattr(result, "close"):
                    result.close()
                else:
                    assert isinstance(result, (int, Keep, Inner)), name


# --- signal frames ----------------------------------------------------------------------------------


def fill(g: Guest, names: tuple[str, ...]) -> dict[str, int]:
    """Put something into every register; return what."""
    state = g.process.engine.state
    bits = g.process.abi.bits
    values = {name: (0x1111111111111111 * (n + 1) ^ 0x8000000000000000 >> n) & (1 << bits) - 1 for n, name in enumerate(names)}
    for name, value in values.items():
        state.write(name, value)
    state.write("pc", 0x123456)
    state.write("eflags", 0x246 | 0x400)
    for n in range(16):
        state.write(f"xmm{n}", n << 100 | n)
        state.write(f"ymm{n}h", n << 99 | 1)
    view = Registers(state)
    view.fcw, view.fsw, view.mxcsr = 0x27F, 0x3800 | 0x4142, 0x9FA3
    for n in range(8):
        state.set(state.layout.cells["FPR"], n, n << 64 | 0x8000000000000001 + n if n else 0)
    state.set(state.layout.cells["FVALID"], 0, 0b10000111)
    return values


def everything(g: Guest) -> bytes:
    """Return all registers."""
    return bytes(g.process.engine.state.save())


def test_frame_of_x86_64(g64: Guest) -> None:
    state, task = g64.process.engine.state, g64.task
    fill(g64, frames._NAMES64)
    state.write("rsp", DATA + 0xF123)
    segments.set_base(state, "fs", 0, 0x7000)
    segments.load(state, "cs", segments.CODE64)
    segments.load(state, "ss", segments.DATA)
    before = everything(g64)
    task.fault = (14, 6, 0xDEAD0000BEEF)
    info = SigInfo(sig.SIGSEGV, sig.SEGV_MAPERR, "fault", 0xDEAD0000BEEF)
    action = Action(0x400000, frames.SA_SIGINFO | frames.SA_RESTORER, 0, 0x401000)
    g64.process.abi.push_frame(task, state, info, action, 0x8000000000000005, state.read("rsp") - 128)
    sp = state.read("rsp")
    assert sp % 16 == 8
    assert (state.read("pc"), state.read("rdi"), state.read("rax")) == (0x400000, sig.SIGSEGV, 0)
    assert (state.read("rdx"), state.read("rsi")) == (sp + 8, sp + 8 + 304)
    assert g64.space.read_u64(sp) == 0x401000
    assert state.read("eflags") & 0x400 == 0
    siginfo = struct.unpack("<iii4xQ", g64.space.read(state.read("rsi"), 24))
    assert siginfo == (sig.SIGSEGV, 0, 1, 0xDEAD0000BEEF)
    context = state.read("rdx")
    assert g64.space.read_u64(context) == 7

    def word(offset: int) -> int:
        return g64.space.read_u64(context + offset)

    assert word(40 + 15 * 8) == DATA + 0xF123  # uc_mcontext.gregs[REG_RSP]
    assert (word(40 + 16 * 8), word(40 + 17 * 8)) == (0x123456, 0x646)
    assert word(40 + 18 * 8) == 0x33 | 0x2B << 48
    assert (word(40 + 19 * 8), word(40 + 20 * 8), word(40 + 22 * 8)) == (6, 14, 0xDEAD0000BEEF)
    assert word(296) == 0x8000000000000005
    image = word(40 + 23 * 8)
    assert image % 64 == 0
    assert image + 836 <= DATA + 0xF123 - 128
    data = g64.space.read(image, 836)
    assert struct.unpack_from("<HHB", data) == (0x27F, 0x3800 | 0x4142, 0b10000111)
    assert struct.unpack_from("<II", data, 24) == (0x9FA3, 0xFFFF)
    assert data[32:42] == (7 << 64 | 0x8000000000000008).to_bytes(10, "little")  # ST(0) is physical register 7
    assert data[160 + 16 * 5 : 176 + 16 * 5] == (5 << 100 | 5).to_bytes(16, "little")
    assert struct.unpack_from("<IIQI", data, 464) == (0x46505853, 836, 7, 832)
    assert struct.unpack_from("<QQ", data, 512) == (7, 0)
    assert data[576 + 32 : 576 + 48] == (2 << 99 | 1).to_bytes(16, "little")
    assert data[832:] == bytes.fromhex("45585046")
    # back: the handler's ret has popped the return address
    for name in ("rbx", "r15", "xmm3", "ymm3h", "eflags"):
        state.write(name, 0x257)
    Registers(state).reset()
    state.write("rsp", sp + 8)
    assert g64.process.abi.pop_frame(task, state, rt=True) == 0x8000000000000005
    assert everything(g64) == before


def test_x86_64_needs_a_restorer_and_room(g64: Guest) -> None:
    state, task = g64.process.engine.state, g64.task
    info = SigInfo(sig.SIGUSR1, 0, "kill", 1, 2)
    with pytest.raises(GuestFault):
        g64.process.abi.push_frame(task, state, info, Action(0x400000, frames.SA_SIGINFO), 0, DATA + 0xF000)
    task.stack_sp, task.stack_size = DATA + 0x8000, 0x1000
    good = Action(0x400000, frames.SA_RESTORER, 0, 1)
    g64.process.abi.push_frame(task, state, info, good, 0, DATA + 0x9000)
    assert DATA + 0x8000 < state.read("rsp") < DATA + 0x9000
    assert state.read("rdx") == state.read("rsp") + 8  # as with SA_SIGINFO
    state.write("rsp", DATA + 0x8100)
    with pytest.raises(GuestFault):  # on the alternate stack, and nearly at its end
        g64.process.abi.push_frame(task, state, info, good, 0, DATA + 0x8100)


@pytest.mark.parametrize("rt", [True, False])
def test_frame_of_i386(g32: Guest, rt: bool) -> None:
    state, task, space = g32.process.engine.state, g32.task, g32.space
    g32.process.abi.prepare_space(space)
    fill(g32, frames._NAMES32)
    state.write("esp", DATA + 0xF124)
    state.set(state.layout.cells["GDT"], 0, 0x56700)
    for name, selector in (("cs", segments.CODE32), ("ss", segments.DATA), ("ds", segments.DATA), ("es", segments.DATA), ("gs", 0x63)):
        segments.load(state, name, selector)
    for n in range(8, 16):
        state.write(f"xmm{n}", 0)
        state.write(f"ymm{n}h", 0)
    before = everything(g32)
    task.fault = (13, 0, 0)
    info = SigInfo(sig.SIGUSR1, 0, "kill", 77, 88)
    action = Action(0x8048000, frames.SA_SIGINFO if rt else 0)
    g32.process.abi.push_frame(task, state, info, action, 0x500000002, state.read("esp"))
    sp = state.read("esp")
    assert (sp + 4) % 16 == 0
    back, number = struct.unpack("<II", space.read(sp, 8))
    assert number == state.read("eax") == sig.SIGUSR1
    if rt:
        pinfo, pcontext = struct.unpack("<II", space.read(sp + 8, 8))
        assert (pinfo, pcontext) == (state.read("edx"), state.read("ecx")) == (sp + 16, sp + 16 + 128)
        assert struct.unpack("<iiiiI", space.read(pinfo, 20)) == (sig.SIGUSR1, 0, 0, 77, 88)
        context = pcontext + 20
        assert struct.unpack("<Q", space.read(pcontext + 108, 8)) == (0x500000002,)
        assert space.read(back, 7) == bytes.fromhex("b8ad000000cd80")
        assert space.read(pcontext + 116, 7) == bytes.fromhex("b8ad000000cd80")
    else:
        context = sp + 8
        assert (space.read_u32(context + 80), space.read_u32(context + 88 + 624)) == (2, 5)
        assert space.read(back, 8) == bytes.fromhex("58b877000000cd80")
        assert space.read(context + 88 + 624 + 4, 8) == bytes.fromhex("58b877000000cd80")
    words = struct.unpack("<22I", space.read(context, 88))
    assert words[:4] == (0x63, 0, 0x2B, 0x2B)
    assert words[7] == words[17] == DATA + 0xF124
    assert words[12:17] == (13, 0, 0x123456, 0x23, 0x646)
    assert words[18] == 0x2B
    image = words[19]
    assert (image + 112) % 64 == 0
    assert struct.unpack("<3I", space.read(image, 12)) == (0xFFFF027F, 0xFFFF7942, 0xFFFF0000 | 0b00_11_11_11_11_00_00_01)
    assert space.read(image + 28, 10) == (7 << 64 | 0x8000000000000008).to_bytes(10, "little")
    assert struct.unpack("<HH", space.read(image + 108, 4)) == (0x7942, 0)
    assert struct.unpack("<IIQI", space.read(image + 112 + 464, 20)) == (0x46505853, 836 + 112, 7, 832)
    assert space.read_u32(image + 112 + 832) == 0x46505845
    for name in ("ebx", "edi", "xmm3", "ymm3h", "eflags"):
        state.write(name, 0x257)
    segments.load(state, "gs", 0)
    Registers(state).reset()
    state.write("esp", sp + 4 if rt else sp + 8)
    assert g32.process.abi.pop_frame(task, state, rt=rt) == 0x500000002
    assert everything(g32) == before


def test_mxcsr_and_control_word_decide_the_context(g64: Guest) -> None:
    state = g64.process.engine.state
    view = Registers(state)
    for mxcsr, fcw, context in ((0x1F80, 0x37F, 0), (0x9F80, 0x37F, 1), (0x1FBF, 0x27B, 2), (0x3F80, 0xF5F, 3)):
        view.mxcsr, view.fcw = mxcsr, fcw
        assert (view.mxcsr, view.fcw, state.context) == (mxcsr, fcw, context)
    view.fcw, view.fsw = 0x37E, 0x1  # an exception that is not masked
    assert view.fsw == 0x8081


# --- segments and threads -----------------------------------------------------------------------------


def test_thread_area_of_i386(g32: Guest) -> None:
    state = g32.process.engine.state
    g32.space.write(DATA, struct.pack("<iIII", -1, 0x77000, 0xFFFFF, 0x51))
    assert g32.call("set_thread_area", DATA) == 0
    assert g32.space.read_u32(DATA) == 12
    assert state.get(state.layout.cells["GDT"], 0) == 0x77000
    segments.load(state, "gs", 12 << 3 | 3)
    g32.space.write(DATA, struct.pack("<iIII", 12, 0x88000, 0xFFFFF, 0x51))
    assert g32.call("set_thread_area", DATA) == 0
    assert state.read("gs_base") == 0x88000
    g32.space.write(DATA, struct.pack("<iIII", 12, 0, 0, 0))
    assert g32.call("get_thread_area", DATA) == 0
    assert struct.unpack("<iIII", g32.space.read(DATA, 16)) == (12, 0x88000, 0xFFFFF, 0x51)
    for entry, flags in ((11, 0x51), (15, 0x51), (12, 0x50), (12, 0x71), (12, 0x55)):
        g32.space.write(DATA, struct.pack("<iIII", entry, 1, 1, flags))
        assert g32.call("set_thread_area", DATA) == -EINVAL
    assert g32.call("set_thread_area", 1) == -EFAULT


def test_arch_prctl(g64: Guest) -> None:
    assert g64.call("arch_prctl", 0x1002, 0x123456789A) == 0
    assert g64.call("arch_prctl", 0x1001, 0x4444) == 0
    assert g64.call("arch_prctl", 0x1003, DATA) == g64.call("arch_prctl", 0x1004, DATA + 8) == 0
    assert struct.unpack("<QQ", g64.space.read(DATA, 16)) == (0x123456789A, 0x4444)
    assert g64.call("arch_prctl", 0x1002, 1 << 47) == -1
    assert g64.call("arch_prctl", 0x3001, 0) == -EINVAL
    assert g64.process.engine.state.read("fs_base") == 0x123456789A


CLONE_THREAD_FLAGS = 0x10000 | 0x800 | 0x100 | 0x80000 | 0x100000 | 0x200000 | 0x1000000


def test_clone_takes_its_arguments_in_each_order(g32: Guest, g64: Guest) -> None:
    tid = g64.call("clone", CLONE_THREAD_FLAGS, DATA + 0x800, DATA, DATA + 8, 0x70007000)
    child = g64.process.tasks[tid]
    assert g64.space.read_u32(DATA) == g64.space.read_u32(DATA + 8) == tid
    state = g64.process.engine.state
    own = everything(g64)
    state.load(child.registers)
    assert (state.read("rsp"), state.read("fs_base"), state.read("rax")) == (DATA + 0x800, 0x70007000, 0)
    state.load(own)
    assert state.read("fs_base") == 0

    state = g32.process.engine.state
    state.set(state.layout.cells["GDT"], 0, 0x1000)
    segments.load(state, "gs", 12 << 3 | 3)
    g32.space.write(DATA + 0x100, struct.pack("<iIII", 12, 0x99000, 0xFFFFF, 0x51))
    tid = g32.call("clone", CLONE_THREAD_FLAGS, DATA + 0x800, DATA, DATA + 0x100, DATA + 8)
    child = g32.process.tasks[tid]
    assert g32.space.read_u32(DATA) == g32.space.read_u32(DATA + 8) == tid
    assert state.read("gs_base") == 0x1000
    state.load(child.registers)
    assert (state.read("esp"), state.read("gs_base"), state.read("gs")) == (DATA + 0x800, 0x99000, 12 << 3 | 3)


def test_registers_of_a_new_program() -> None:
    for arch, code, data, stack in (("x86_64", 0x33, 0, "rsp"), ("i386", 0x23, 0x2B, "esp")):
        with guest(arch) as g:
            state = g.process.engine.state
            fill(g, g.process.abi.arguments)
            g.process.abi.start(state, 0x401000, 0x7000)
            assert (state.read("pc"), state.read(stack), state.read("eflags")) == (0x401000, 0x7000, 0x202)
            assert [state.read(n) for n in ("cs", "ss", "ds", "es", "fs", "gs")] == [code, 0x2B, data, data, 0, 0]
            assert all(state.read(n) == 0 for n in g.process.abi.arguments)
            view = Registers(state)
            assert (view.mxcsr, view.fcw, view.fsw, tags_of(state)) == (0x1F80, 0x37F, 0, 0xFFFF)


def test_programs_read_of_the_processor_what_cpuid_says(g64: Guest) -> None:
    text = g64.process.proc.contents(b"/proc/cpuinfo") or b""
    flags = text.decode().partition("flags\t\t: ")[2].partition("\n")[0].split()
    assert {"fpu", "sse2", "avx2", "bmi2", "fma", "movbe", "lm", "syscall"} <= set(flags)
    assert "avx512f" not in flags
    assert g64.process.abi.hwcap == cpuid(1, 0).edx


# --- calls --------------------------------------------------------------------------------------------


def test_socketcall_and_ipc_stand_for_other_calls(g32: Guest, capfd: pytest.CaptureFixture[str]) -> None:
    g32.process.log_fd = 2
    g32.process.traced = Strace(g32.process)
    words = lambda *w: g32.space.write(DATA, struct.pack(f"<{len(w)}i", *w))  # noqa: E731
    words(1, 1, 0, DATA + 0x100)  # AF_UNIX, SOCK_STREAM
    assert g32.call("socketcall", 8, DATA) == 0
    first, second = struct.unpack("<ii", g32.space.read(DATA + 0x100, 8))
    g32.put(b"hello", DATA + 0x200)
    words(first, DATA + 0x200, 5, 0)
    assert g32.call("socketcall", 9, DATA) == 5
    words(second, DATA + 0x300, 10, 0x40)
    assert g32.call("socketcall", 10, DATA) == 5
    assert g32.space.read(DATA + 0x300, 5) == b"hello"
    words(second, DATA + 0x300, 10, 0)
    waits = g32.call("socketcall", 10, DATA)
    assert isinstance(waits, Inner)
    assert waits.row.name == "recv"
    assert g32.call("socketcall", 30, DATA) == -EINVAL
    assert g32.call("socketcall", 1, 1) == -EFAULT
    assert 'send(3, "hello", 5, 0) = 5' in capfd.readouterr().err

    shared = g32.call("ipc", 23, 0, 4096, 0o600 | 0o1000, 0, 0)
    assert shared >= 0
    try:
        assert g32.call("ipc", 21, shared, 0, DATA + 0x400, 0, 0) == 0
        place = g32.space.read_u32(DATA + 0x400)
        g32.space.write(place, b"there")
        assert g32.call("ipc", 24, shared, 0x102, 0, DATA + 0x500, 0) == 0
        found = g32.process.abi.layouts["shmid_ds"].unpack(g32.space.read(DATA + 0x500, 84))
        assert (found.size, found.nattch, found.cpid) == (4096, 1, g32.task.tid)
        assert g32.call("ipc", 22, 0, 0, 0, place, 0) == 0
    finally:
        g32.call("ipc", 24, shared, 0, 0, 0, 0)
    assert g32.call("ipc", 99, 0, 0, 0, 0, 0) == -ENOSYS


def test_message_queues_have_a_long_as_type(g64: Guest) -> None:
    queue = g64.call("msgget", 0, 0o600 | 0o1000)
    try:
        g64.space.write(DATA, struct.pack("<q", 1 << 40) + b"text")
        assert g64.call("msgsnd", queue, DATA, 4, 0o4000) == 0
        assert g64.call("msgrcv", queue, DATA + 0x100, 10, 0, 0o4000) == 4
        assert g64.space.read(DATA + 0x100, 12) == struct.pack("<q", 1 << 40) + b"text"
    finally:
        g64.call("msgctl", queue, 0, 0)


def test_old_calls_of_i386(g32: Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one").write_bytes(b"0123456789")
    g32.space.write(DATA, struct.pack("<6i", 0, 8192, 3, 0x22, -1, 0))
    place = g32.call("old_mmap", DATA)
    g32.space.write(place, b"x" * 8192)
    fd = g32.call("open", g32.put(b"one"), 2, 0)
    assert g32.call("pread64", fd, DATA, 4, 3, 0) == 4
    assert g32.space.read(DATA, 4) == b"3456"
    assert g32.call("ftruncate64", fd, 0, 1) == 0
    assert (tmp_path / "one").stat().st_size == 1 << 32
    assert g32.call("truncate64", g32.put(b"one"), 5, 0) == 0
    assert g32.call("fadvise64_64", fd, 0, 0, 5, 0, 4) == 0
    assert g32.call("fadvise64", fd, 0, 0, 5, 4) == 0
    assert g32.call("sync_file_range", fd, 0, 0, 5, 0, 2) == 0
    assert g32.call("_llseek", fd, 1, 2, DATA, 0) == 0
    assert g32.space.read_u64(DATA) == 1 << 32 | 2
    assert g32.call("sendfile", 99, fd, 0, 4) == -9
    before = g32.call("signal", sig.SIGUSR1, 0x8048123)
    assert before == 0
    assert g32.call("signal", sig.SIGUSR1, 1) == 0x8048123
    assert g32.call("ssetmask", 1 << sig.SIGUSR2 - 1) == 0
    assert g32.call("sgetmask") == 1 << sig.SIGUSR2 - 1
    assert g32.call("oldolduname", DATA) == 0
    assert g32.space.read(DATA, 9) == b"Linux\0\0\0\0"
    assert g32.space.read(DATA + 36, 9) == b"i686\0\0\0\0\0"
    directory = g32.call("open", g32.put(b"."), 0o200000, 0)
    names = set()
    while g32.call("readdir", directory, DATA, 1) == 1:
        length = struct.unpack("<H", g32.space.read(DATA + 8, 2))[0]
        names.add(g32.space.read(DATA + 10, length))
    assert names == {b".", b"..", b"one"}
    assert g32.call("lseek", directory, 0, 0) == 0
    size = g32.call("getdents64", directory, DATA, 4096)
    offsets, at = [], 0
    while at < size:
        _, offset, length = struct.unpack_from("<QqH", g32.space.read(DATA + at, 18))
        offsets.append(offset)
        at += length
    assert len(offsets) == 3
    assert max(offsets) < 1 << 31
    assert g32.call("lseek", directory, offsets[1], 0) == offsets[1]
    assert g32.call("getdents64", directory, DATA, 4096) < size
    g32.space.write(DATA + 0x40, struct.pack("<ii", 0, 0))
    g32.space.write(DATA, struct.pack("<5I", 0, 0, 0, 0, DATA + 0x40))
    assert g32.call("old_select", DATA) == 0
    assert g32.call("getresuid", DATA, DATA + 2, DATA + 4) == 0
    assert struct.unpack("<H", g32.space.read(DATA, 2))[0] == os.getuid() & 0xFFFF
    assert g32.call("utime", g32.put(b"one"), 0) == 0
    assert [g32.call(n, *a) for n, a in (("iopl", (3,)), ("ioperm", (0, 8, 1)), ("modify_ldt", (0, 0, 0)))] == [-1, -1, -ENOSYS]


def test_64_bit_calls(g64: Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fd = g64.call("open", g64.put(b"big"), 0o102, 0o600)
    g64.space.write(DATA, struct.pack("<QQ", DATA + 0x100, 5))
    g64.put(b"12345", DATA + 0x100)
    assert g64.call("pwritev", fd, DATA, 1, 1 << 33, 99) == 5  # the upper half of the offset is the first one's
    assert (tmp_path / "big").stat().st_size == (1 << 33) + 5
    assert g64.call("lseek", fd, -5, 2) == 1 << 33
    g64.space.write(DATA, struct.pack("<hhqqi", 1, 0, 5, 1 << 40, 0).ljust(32, b"\0"))
    g64.space.write(DATA, struct.pack("<hh4xqqi4x", 1, 0, 5, 1 << 40, 0))
    assert g64.call("fcntl", fd, 5, DATA) == 0
    assert struct.unpack("<h", g64.space.read(DATA, 2)) == (2,)
    assert g64.call("getrlimit", 7, DATA) == 0
    assert g64.call("sched_getaffinity", 0, 8, DATA) == 8
    assert g64.space.read_u64(DATA) == 1
    assert g64.call("sched_getaffinity", 0, 4, DATA) == -EINVAL
    assert g64.call("time", DATA) == g64.space.read_u64(DATA)
    g64.space.write(DATA, struct.pack("<QQ", 1 << 3, 0))
    (tmp_path / "x").write_bytes(b"a")
    low = g64.call("mmap", 0, 4096, 3, 0x22 | 0x40, -1, 0)
    assert low < 1 << 31
    high = g64.call("mmap", 0, 4096, 3, 0x22, -1, 0)
    assert high > 1 << 45
    assert g64.call("mmap", 0, 4096, 1, 1, fd, 1 << 33) > 0
    assert g64.call("mmap", (1 << 46) - 4096, 4096, 3, 0x32, -1, 0) == -12
    assert g64.call("uname", DATA) == 0
    assert g64.space.read(DATA + 65 * 4, 7) == b"x86_64\0"
    assert g64.call("set_robust_list", DATA, 24) == 0
    assert g64.call("get_robust_list", 0, DATA + 8, DATA + 16) == 0
    assert struct.unpack("<QQ", g64.space.read(DATA + 8, 16)) == (DATA, 24)
    directory = g64.call("open", g64.put(b"."), 0o200000, 0)
    got = g64.call("getdents", directory, DATA, 4096)
    records, at = [], 0
    data = g64.space.read(DATA, got)
    while at < got:
        inode, _, length = struct.unpack_from("<QQH", data, at)
        records.append((data[at + 18 : at + length].split(b"\0")[0], inode, data[at + length - 1]))
        at += length
    assert {name for name, _, _ in records} == {b".", b"..", b"big", b"x"}
    assert [kind for name, _, kind in records if name == b"x"] == [8]


def test_epoll_events_are_packed(g64: Guest) -> None:
    epoll = g64.call("epoll_create", 1)
    event = g64.call("eventfd", 3)
    g64.space.write(DATA, struct.pack("<IQ", 1, 0x1122334455667788))
    assert g64.call("epoll_ctl", epoll, 1, event, DATA) == 0
    assert g64.call("epoll_wait", epoll, DATA + 0x100, 4, 0) == 1
    assert g64.space.read(DATA + 0x100, 12) == struct.pack("<IQ", 1, 0x1122334455667788)


def test_int80_in_a_64_bit_program_makes_calls_of_i386(g64: Guest) -> None:
    function, unpack, row = g64.process.foreign_calls[INT80][4]
    assert row.name == "write"
    assert SYSCALL not in g64.process.foreign_calls
    reader, writer = os.pipe()
    fd = g64.process.fds.add_host(writer)
    g64.put(b"hello", DATA)
    state = g64.process.engine.state
    for name, value in (("rbx", 0xFFFFFFFF00000000 | fd), ("rcx", DATA), ("rdx", 5)):
        state.write(name, value)
    _, block, first = g64.process.call_access()
    assert function(g64.task, *unpack(block, first)) == 5
    assert os.read(reader, 10) == b"hello"
    os.close(reader)
    function, unpack, row = g64.process.foreign_calls[INT80][195]
    assert row.name == "stat64"
    state.write("rbx", g64.put(b"/"))
    state.write("rcx", DATA + 0x100)
    assert function(g64.task, *unpack(block, first)) == 0
    assert g64.space.read_u64(DATA + 0x100 + 88) == Path("/").stat().st_ino
    assert g64.process.abi.name == "x86_64"


def test_strace_shows_the_flags_of_x86(g64: Guest, capfd: pytest.CaptureFixture[str]) -> None:
    g64.process.log_fd = 2
    traced = Strace(g64.process)
    g64.process.table = traced.wrap(g64.process.table)
    g64.call("openat", -100, g64.put(b"/"), 0o200000 | 0o100000 | 0o2000000, 0)
    g64.call("mmap", 0, 4096, 3, 0x22, -1, 0)
    g64.space.write(DATA + 0x100, struct.pack("<QQ", DATA, 0))
    g64.call("execve", g64.put(b"/none"), DATA + 0x100, 0)
    text = capfd.readouterr().err
    assert 'openat(AT_FDCWD, "/", O_RDONLY|O_CLOEXEC|O_LARGEFILE|O_DIRECTORY) = 3' in text
    assert "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x3" in text
    assert 'execve("/none", ["/none"], NULL) = -1 ENOENT' in text


# --- faults -------------------------------------------------------------------------------------------


def fault(address: int, access: int, kind: str) -> SimpleNamespace:
    return SimpleNamespace(address=address, access=access, kind=kind)


@pytest.mark.parametrize(("what", "signo", "code", "address", "words"), [
    (fault(0x10, READ, "MAPERR"), sig.SIGSEGV, 1, 0x10, (14, 4, 0x10)),
    (fault(0x10, WRITE, "ACCERR"), sig.SIGSEGV, 2, 0x10, (14, 7, 0x10)),
    (fault(0x10, EXEC, "MAPERR"), sig.SIGSEGV, 1, 0x10, (14, 0x14, 0x10)),
    (fault(0x10, EXEC, "ACCERR"), sig.SIGSEGV, 2, 0x10, (14, 0x15, 0x10)),
    (fault(0x10, READ, "BUS"), sig.SIGBUS, 2, 0x10, (14, 4, 0x10)),
    (fault(0x11, READ, "ALIGN"), sig.SIGSEGV, 0x80, 0, (13, 0, 7)),
    (fault(1 << 47, READ, "MAPERR"), sig.SIGSEGV, 0x80, 0, (13, 0, 7)),
    (fault(0xFFFF800000000000, READ, "MAPERR"), sig.SIGSEGV, 1, 0xFFFF800000000000, (14, 5, 0xFFFF800000000000)),
    (fault(VSYSCALL + 8, EXEC, "MAPERR"), sig.SIGSEGV, 0x80, 0, (13, 0, 7)),
])  # fmt: skip
def test_page_faults(g64: Guest, what: SimpleNamespace, signo: int, code: int, address: int, words: tuple[int, ...]) -> None:
    g64.task.fault = (0, 0, 7)
    assert g64.process.abi.fault(g64.process, g64.task, what) == (signo, code, address, words)


def test_exceptions(g64: Guest) -> None:
    abi, state = g64.process.abi, g64.process.engine.state
    view = Registers(state)
    view.reset()
    assert abi.exception(state, DIVIDE_ERROR, 0x400)[:3] == (sig.SIGFPE, sig.FPE_INTDIV, 0x400)
    assert abi.exception(state, GENERAL_PROTECTION, 0x400)[:3] == (sig.SIGSEGV, sig.SI_KERNEL, 0)
    assert abi.breakpoint(0x400)[:3] == (sig.SIGTRAP, sig.SI_KERNEL, 0)
    assert abi.undefined(g64.process, 0x400)[:3] == (sig.SIGILL, sig.ILL_ILLOPN, 0x400)
    view.mxcsr = 0x1F80 & ~0x200 | 0x24  # ZE is not masked, PE is
    assert abi.exception(state, SIMD_ERROR, 0x400)[:3] == (sig.SIGFPE, sig.FPE_FLTDIV, 0x400)
    view.fcw, view.fsw = 0x37F & ~0x20, 0x20
    assert abi.exception(state, X87_ERROR, 0x400)[:3] == (sig.SIGFPE, sig.FPE_FLTRES, 0x400)


def test_vsyscall_page(g64: Guest) -> None:
    state = g64.process.engine.state
    for offset, result in ((0, 0), (0x400, None), (0x800, 0)):
        g64.space.write_u64(DATA + 0x800, 0x401234)
        for name, value in (("rsp", DATA + 0x800), ("rdi", DATA), ("rsi", 0), ("rdx", 1)):
            state.write(name, value)
        assert g64.process.abi.fault(g64.process, g64.task, fault(VSYSCALL + offset, EXEC, "MAPERR")) is None
        assert (state.read("pc"), state.read("rsp")) == (0x401234, DATA + 0x808)
        expected = g64.space.read_u64(DATA) if result is None else result
        assert state.read("rax") == expected
    assert g64.process.proc.maps().endswith(b"[vsyscall]\n")


def test_interrupted_call_is_made_again(g64: Guest) -> None:
    state, process, task = g64.process.engine.state, g64.process, g64.task
    state.write("pc", 0x401002)
    state.write("rax", 0)
    state.write("rsp", DATA + DATA_SIZE)
    process.signals.actions[sig.SIGUSR1] = Action(0x500000, sig.SA_RESTART | sig.SA_RESTORER, 0, 0x501000)
    task.interrupted = ROWS["read"]
    process.signals.send(SigInfo(sig.SIGUSR1, 0, "kill", 1, 2))
    process.deliver()
    assert state.read("pc") == 0x500000
    state.write("rsp", state.read("rsp") + 8)
    assert g64.call("rt_sigreturn") is KEEP
    assert (state.read("pc"), state.read("rax")) == (0x401000, 0)
    process.signals.actions[sig.SIGUSR1].flags &= ~sig.SA_RESTART
    state.write("pc", 0x401002)
    task.interrupted = ROWS["read"]
    process.signals.send(SigInfo(sig.SIGUSR1, 0, "kill", 1, 2))
    process.deliver()
    state.write("rsp", state.read("rsp") + 8)
    g64.call("rt_sigreturn")
    assert (state.read("pc"), state.read("rax")) == (0x401002, (1 << 64) - 4)


# --- with a CPU ---------------------------------------------------------------------------------------

SOURCE = Path(__file__).parent / "user_programs" / "x86" / "raw.c"
RAW = ["-O1", "-w", "-nostdlib", "-ffreestanding", "-static", "-fno-pie", "-no-pie", "-mgeneral-regs-only", "-fno-stack-protector",
       "-fcf-protection=none"]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the host's kernel is what decides")
@pytest.mark.parametrize("bits", [64, 32])
def test_faults_frames_restarts_and_threads_are_those_of_the_host(bits: int, need: Callable[..., str], tmp_path: Path) -> None:
    program = tmp_path / f"raw{bits}"
    need("gcc -m32" if bits == 32 else "gcc")
    subprocess.run(["gcc", f"-m{bits}", *RAW, str(SOURCE), "-o", str(program)], check=True, capture_output=True)
    native = subprocess.run([program], capture_output=True, timeout=60, check=False)
    result = run(xemu_command(program), cwd=tmp_path)
    assert (result.code, result.stdout.decode()) == (native.returncode, native.stdout.decode())
    assert native.stdout.endswith(b" tid 1 own abcd\n")


PROGRAMS = [(name, 64) for name in ("files", "ipc", "processes", "signals", "sockets", "threads")] + [
    (name, 32) for name in ("ipc", "processes", "signals", "sockets", "threads")]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the host's kernel is what decides")
@pytest.mark.parametrize(("name", "bits"), PROGRAMS)
def test_programs_do_what_they_do_on_the_host(name: str, bits: int, need: Callable[..., str], tmp_path: Path) -> None:
    program = tmp_path / f"{name}{bits}"
    source = SOURCE.parent.parent / f"{name}.c"
    need("gcc -m32" if bits == 32 else "gcc")
    subprocess.run(["gcc", f"-m{bits}", "-O1", "-w", "-static", "-pthread", str(source), "-o", str(program)], check=True,
                   capture_output=True)
    places = [tmp_path / "native", tmp_path / "emulated"]
    for place in places:
        place.mkdir()
    native = subprocess.run([program], cwd=places[0], capture_output=True, timeout=60, check=False)
    result = run(xemu_command(program), cwd=places[1])
    end = 128 - native.returncode if native.returncode < 0 else native.returncode
    # a pointer to nowhere is an error even where there is nothing to read
    assert _lines(result.stdout) == _lines(native.stdout)
    assert result.code == end


def _lines(text: bytes) -> list[str]:
    return [line for line in text.decode().splitlines() if "(void *)1" not in line]


@pytest.mark.skipif(os.uname().machine != "x86_64" or os.geteuid() != 0, reason="only root changes the root")
def test_what_comes_after_a_change_of_root_is_loaded(need: Callable[..., str], tmp_path: Path) -> None:
    source, program = tmp_path / "root.c", tmp_path / "root"
    source.write_text('#include <unistd.h>\nint main(void) { return chroot(".") ? 1 : *(volatile int *)8; }\n')
    subprocess.run([need("gcc"), "-O1", "-static", source, "-o", program], check=True)
    result = run(xemu_command(program), cwd=tmp_path)
    assert result.code == 128 + sig.SIGSEGV
    assert b"nothing is mapped at 0x00000008" in result.stderr
    assert b"mov eax, dword ptr [8]" in result.stderr
