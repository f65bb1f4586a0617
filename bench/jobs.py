"""What is measured: the kernels, and real programs of Debian for armhf."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - Job is built at run time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from bench import build
from tests.packages import sysroot
from tests.support import programs

ROOT: Final = Path(__file__).resolve().parents[1]
XEMU: Final = list(programs.XEMU)
QEMU: Final = list(programs.QEMU)
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
    xemu: list[str | Path]
    qemu: list[str | Path]
    native: list[str | Path] | None = None
    stdin: Callable[[], bytes] | None = None
    note: str = ""
    settle: int = 2  # runs that fill the cache before the warm ones count
    command: str = "run"

    @property
    def label(self) -> str:
        """Return the name that tells this job from all others."""
        return f"{self.name} ({self.build})" if self.build else self.name

    def xemu_command(self, *options: str) -> list[str | Path]:
        """Return xemu's command line."""
        return [*XEMU, self.command, *options, *self.xemu]


def kernel_jobs(names: list[str]) -> list[Job]:
    """Return the A32 and T32 jobs of the named kernels."""
    jobs = []
    for group, members in GROUPS.items():
        for name in members:
            if name in names:
                paths = build.programs(name)
                jobs += [
                    Job(name, group, kind, [paths[kind]], [*QEMU, paths[kind]], [paths["native"]])
                    for kind in ("arm", "thumb")
                ]
    return jobs


def firmware_jobs(names: list[str]) -> list[Job]:
    """Return the jobs that run without an operating system, compared with QEMU's system emulator."""
    jobs = []
    for group, members in FIRMWARE.items():
        for name, board in members:
            if "firmware" in names:
                path = build.firmware(name, board)
                under_qemu = ["qemu-system-arm", "-M", board, "-display", "none", "-monitor", "none", "-serial", "null",
                              "-semihosting-config", "enable=on,target=native", "-kernel", path]
                ours = ["--machine", board, "--uart", "none", path]
                jobs.append(Job(name, group, board, ours, list(under_qemu), command="boot"))
    return jobs


def program_jobs(names: list[str]) -> list[Job]:
    """Return the jobs that run programs of Debian (downloaded on first use)."""
    makers = {"hello": _hello, "shell": _shell, "python3": _python, "gzip": _gzip}
    return [makers[name]() for name in names if name in makers]


KERNELS: Final = [name for members in GROUPS.values() for name in members]
PROGRAMS: Final = ["hello", "shell", "python3", "gzip", "firmware"]


@cache
def _root(arch: str, *packages: str) -> Path:
    return sysroot(arch, *packages)


def _hello() -> Job:
    program = ROOT / "samples" / "arm" / "hello"
    return Job("hello", "start-up", "", [program], [*QEMU, program])


def _shell() -> Job:
    root = _root("armhf", "dash", "coreutils")
    native = ["sh", "-c", SHELL_LOOP.format(true="/bin/true")]
    under_qemu = " ".join(str(word) for word in [*QEMU, "-L", root, root / "bin" / "true"])
    return Job(
        "shell loop of 200 × /bin/true", "processes", "",
        ["-L", root, root / "bin" / "dash", "-c", SHELL_LOOP.format(true="/bin/true")],
        ["sh", "-c", SHELL_LOOP.format(true=under_qemu)],
        native,
        note="QEMU cannot run a guest's exec without binfmt_misc: the native shell starts it 200 times",
    )  # fmt: skip


def _python() -> Job:
    root = _root("armhf", "python3.11")
    program = root / "usr" / "bin" / "python3.11"
    arguments = ["-I", "-S", "-c", PYTHON_WORK]
    command = ["-L", root, program, *arguments]
    return Job("python3", "programs", "", command, [*QEMU, *command], note=f"warm after {LARGE} runs", settle=LARGE)


def _gzip() -> Job:
    root = _root("armhf", "gzip")
    program = root / "bin" / "gzip"
    return Job(
        "gzip", "programs", "", ["-L", root, program, "-9n"], [*QEMU, "-L", root, program, "-9n"],
        ["gzip", "-9n"], stdin=_text, note=f"warm after {LARGE} runs", settle=LARGE,
    )  # fmt: skip


@cache
def _text() -> bytes:
    """Return six megabytes that compress like text."""
    words = [bytes(97 + (i * k + i // 7) % 26 for k in range(2 + i % 9)) for i in range(4000)]
    state, out = 12345, []
    for _ in range(900_000):
        state = state * 1103515245 + 12345 & 0x7FFF_FFFF
        out.append(words[(state >> 8) * (state >> 16 & 255) % 4000])
    return b" ".join(out)[:6_000_000]
