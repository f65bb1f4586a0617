"""What is measured: the kernels, firmware, and real programs of Debian, for each architecture."""

from __future__ import annotations

import platform
from collections.abc import Callable  # noqa: TC003 - Job is built at run time
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final

from bench import build
from tests.packages import sysroot
from tests.support import programs

ROOT: Final = Path(__file__).resolve().parents[1]
XEMU: Final = list(programs.XEMU)
QEMU: Final = {arch: list(command) for arch, command in programs.QEMU_OF.items()}
DEBIAN: Final = {"arm": "armhf", "x86_64": "amd64", "i386": "i386", "ppc64le": "ppc64el"}  # there is no 32-bit PowerPC in Debian
X86: Final = build.X86_ARCHES
ON_X86: Final = platform.machine() == "x86_64"  # what runs natively here
GROUPS: Final = {
    "integer": ["sieve", "crc", "sort", "hash", "imatrix", "bytecode", "strings", "fib"],
    "floating point": ["nbody", "dmatrix", "smatrix", "fft", "mandel", "smandel", "neon"],
    "memory": ["chase", "copy"],
    "calls": ["calls"],
    "indirect calls": ["icalls"],
    "system calls": ["syscalls"],
    "cold code": ["cold"],
}
#: firmware without an operating system: group -> (program, board)
FIRMWARE: Final = {
    "firmware: integer (Cortex-M3)": [(name, "mps2-an385") for name in GROUPS["integer"]],
    "firmware: floating point (Cortex-M4F, M7)": [
        ("smatrix", "mps2-an386"), ("smandel", "mps2-an386"), ("dmatrix", "mps2-an500"), ("nbody", "mps2-an500"),
        ("fft", "mps2-an500"), ("mandel", "mps2-an500"),
    ],
    "firmware: interrupts": [("interrupts", "mps2-an385")],
    "firmware: context switches": [("switches", "mps2-an385")],
    "firmware: UART output": [("uart", "mps2-an385")],
    "firmware: polling a register": [("poll", "mps2-an385")],
}  # fmt: skip
LARGE: Final = 6  # runs that fill the cache for a program whose time is spread over hundreds of functions
SHELL_LOOP: Final = "i=0; while [ $i -lt 200 ]; do {true}; i=$((i+1)); done; echo $i"
PYTHON_WORK: Final = """
import hashlib, json, re
words = [f"w{i * 7919 % 30011}" for i in range(60000)]
table = {}
for word in words:
    table[word] = table.get(word, 0) + len(word)
text = json.dumps(table)
back = json.loads(text)
hits = len(re.findall(r"w(\\d)\\1", text))
total = sum(i * i % 7 for i in range(900000))
print(len(back), hits, total, hashlib.sha256(text.encode()).hexdigest())
"""


@dataclass(frozen=True)
class Job:
    """One program to measure: command lines for the three runners (None: that runner has no such run)."""

    name: str
    group: str
    build: str
    arch: str
    xemu: list[str | Path]
    qemu: list[str | Path]
    native: list[str | Path] | None = None
    stdin: Callable[[], bytes] | None = None
    note: str = ""
    settle: int = 2  # runs that fill the cache before the warm ones count
    command: str = "run"
    repeat: int = 1  # times the kernel's work is done

    @property
    def label(self) -> str:
        """Return the name that tells this job from all others."""
        return f"{self.name} ({self.build})" if self.build else self.name

    def xemu_command(self, *options: str) -> list[str | Path]:
        """Return xemu's command line."""
        return [*XEMU, self.command, *options, *self.xemu]


@dataclass(frozen=True)
class Candidate:
    """A job that is not made yet: making it compiles or downloads."""

    name: str
    group: str
    build: str
    arch: str
    make: Callable[[], Job]


ARCHS: Final = ("arm", "x86_64", "i386", "ppc64le", "ppc")
KERNELS: Final = [name for members in GROUPS.values() for name in members]
NAMES: Final = (*KERNELS, "hello", "shell", "python3", "gzip", "firmware")


def candidates() -> list[Candidate]:
    """Return all jobs there are, in the order of the page."""
    found = []
    for arch in ARCHS:
        builds = [how for how in build.BUILDS.values() if how.arch == arch]
        for group, members in GROUPS.items():
            for how in (h for h in builds if not h.groups):
                found += [_kernel(name, group, how) for name in members]
            for how in (h for h in builds if h.groups):
                own = how.group(group)
                found += [_kernel(name, own, how) for name in members if own and name not in build.VECTORS]
        found += [Candidate(name, group, "", arch, partial(make, arch)) for name, (group, make) in _PROGRAMS.items()
                  if arch in DEBIAN or name == "hello"]
    for group, runs in FIRMWARE.items():
        found += [Candidate("firmware", group, board, "arm", partial(_firmware, name, group, board)) for name, board in runs]
    return found


def _kernel(name: str, group: str, how: build.Build) -> Candidate:
    return Candidate(name, group, how.name, how.arch, partial(_kernel_job, name, group, how))


def _kernel_job(name: str, group: str, how: build.Build) -> Job:
    """Compile a kernel. x86 programs are their own native builds where the host is one."""
    native = build.reference(how)
    wanted = [how.name, native] if ON_X86 or native != how.name else [how.name]
    build.build((name, b) for b in dict.fromkeys(wanted))
    path = build.program(name, how.name)
    return Job(name, group, how.name, how.arch, [path], [*QEMU[how.arch], path],
               [build.program(name, native)] if native in wanted else None, repeat=build.repeat(name, how))


def _firmware(name: str, group: str, board: str) -> Job:
    """Compile a program that runs without an operating system; it is compared with QEMU's system emulator."""
    path = build.firmware(name, board)
    under_qemu = ["qemu-system-arm", "-M", board, "-display", "none", "-monitor", "none", "-serial", "null",
                  "-semihosting-config", "enable=on,target=native", "-kernel", path]
    ours = ["--machine", board, "--uart", "none", path]
    return Job(name, group, board, "arm", ours, list(under_qemu), command="boot")


@cache
def _root(arch: str, *packages: str) -> Path:
    return sysroot(DEBIAN[arch], *packages)


def _natively(arch: str, root: Path, program: Path) -> list[str | Path] | None:
    """Return the command that runs a program of an unpacked Debian tree on this machine, with the tree's own libraries."""
    if arch not in X86 or not ON_X86:
        return None
    triplet, loader = {"x86_64": ("x86_64-linux-gnu", "ld-linux-x86-64.so.2"), "i386": ("i386-linux-gnu", "ld-linux.so.2")}[arch]
    libraries = ":".join(str(root / at / triplet) for at in ("lib", "usr/lib"))
    return [root / "lib" / triplet / loader, "--library-path", libraries, program]


def hello(arch: str) -> Job:
    """Return the job of the smallest program: what remains is the start."""
    program = ROOT / "samples" / "arm" / "hello" if arch == "arm" else build.sample("hello", _plain(arch))
    return Job("hello", "start-up", "", arch, [program], [*QEMU[arch], program], [program] if arch in X86 and ON_X86 else None)


def _plain(arch: str) -> str:
    """Return the name of an architecture's first build."""
    return next(how.name for how in build.BUILDS.values() if how.arch == arch)


def _shell(arch: str) -> Job:
    root = _root(arch, "dash", "coreutils")
    native = ["sh", "-c", SHELL_LOOP.format(true="/bin/true")]
    under_qemu = " ".join(str(word) for word in [*QEMU[arch], "-L", root, root / "bin" / "true"])
    return Job(
        "shell loop of 200 × /bin/true", "processes", "", arch,
        ["-L", root, root / "bin" / "dash", "-c", SHELL_LOOP.format(true="/bin/true")],
        ["sh", "-c", SHELL_LOOP.format(true=under_qemu)],
        native,
        note="QEMU cannot run a guest's exec without binfmt_misc: the native shell starts it 200 times",
    )  # fmt: skip


def _python(arch: str) -> Job:
    root = _root(arch, "python3.11")
    program = root / "usr" / "bin" / "python3.11"
    arguments = ["-I", "-S", "-c", PYTHON_WORK]
    command, native = ["-L", root, program, *arguments], _natively(arch, root, program)
    return Job("python3", "programs", "", arch, command, [*QEMU[arch], *command], [*native, *arguments] if native else None,
               note=f"warm after {LARGE} runs", settle=LARGE)


def _gzip(arch: str) -> Job:
    root = _root(arch, "gzip")
    program = root / "bin" / "gzip"
    native = _natively(arch, root, program) or ["gzip"]
    return Job(
        "gzip", "programs", "", arch, ["-L", root, program, "-9n"], [*QEMU[arch], "-L", root, program, "-9n"],
        [*native, "-9n"], stdin=_text, note=f"warm after {LARGE} runs", settle=LARGE,
    )  # fmt: skip


_PROGRAMS: Final = {"hello": ("start-up", hello), "shell": ("processes", _shell),
                    "python3": ("programs", _python), "gzip": ("programs", _gzip)}


@cache
def _text() -> bytes:
    """Return six megabytes that compress like text."""
    words = [bytes(97 + (i * k + i // 7) % 26 for k in range(2 + i % 9)) for i in range(4000)]
    state, out = 12345, []
    for _ in range(900_000):
        state = state * 1103515245 + 12345 & 0x7FFF_FFFF
        out.append(words[(state >> 8) * (state >> 16 & 255) % 4000])
    return b" ".join(out)[:6_000_000]
