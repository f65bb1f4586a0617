"""Running guest programs under xemu, under QEMU's user mode and natively, and what they gave."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
SAMPLES: Final = ROOT / "samples" / "arm"
START: Final = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from xemu.cli.main import entry; entry()"
XEMU: Final = (sys.executable, "-P", "-c", START)
QEMU: Final = ("qemu-arm", "-cpu", "cortex-a15")
QEMU_OF: Final = {"arm": QEMU, "i386": ("qemu-i386", "-cpu", "max"), "x86_64": ("qemu-x86_64", "-cpu", "max"),
                  "ppc64le": ("qemu-ppc64le", "-cpu", "power9"), "ppc": ("qemu-ppc", "-cpu", "7400")}
X86: Final = ("i386", "x86_64")
#: those that Debian has programs for
ARCHES: Final = ("arm", "i386", "x86_64", "ppc64le")
#: the same, all but ARM among the slow tests
ARM_FIRST: Final = tuple(pytest.param(arch, marks=() if arch == "arm" else pytest.mark.slow) for arch in ARCHES)
MACHINES: Final = {3: "i386", 20: "ppc", 21: "ppc64le", 40: "arm", 62: "x86_64"}  # ELF's e_machine
#: compiling everything at first sight takes minutes for a real program
EAGER: Final = pytest.param("eager", marks=pytest.mark.slow)
TIERS: Final[dict[str, tuple[str, ...]]] = {"default": (), "interpreter": ("--no-jit",), "eager": ("--eager-jit",)}
PLAIN: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "TERM": "dumb", "TZ": "UTC"}
TIMED_OUT: Final = 124
KEPT: Final = ("XDG_CACHE_HOME", "HOME", "PYTHONPATH")  # what xemu itself may need from this environment


@dataclass(frozen=True)
class Result:
    """What a program wrote and its exit code (128 + N if signal N ended it)."""

    stdout: bytes
    code: int
    stderr: bytes = b""

    def same_as(self, other: Result) -> bool:
        """Compare what a user of the program would see; standard error is the emulator's too."""
        return (self.stdout, self.code) == (other.stdout, other.code)


def on_each(names: Iterable[str], quick: Sequence[str]) -> list[Any]:
    """Return (architecture, name) parameters: all names on every one, slow where neither on ARM nor `quick`."""
    return [
        pytest.param(arch, name, marks=() if arch == "arm" or name in quick else pytest.mark.slow)
        for name in names
        for arch in ARCHES
    ]


def missing_tools(*names: str) -> list[str]:
    """Return those of the named tools that are not installed; `gcc -m32` is one that makes programs of 32 bits."""
    return [name for name in names if not (_makes_32_bits() if name == "gcc -m32" else shutil.which(name))]


@cache
def _makes_32_bits() -> bool:
    parts = [["gcc", "-m32", "-print-libgcc-file-name"], ["gcc", "-m32", "-print-file-name=libc.a"]]
    return bool(shutil.which("gcc")) and all(
        Path(subprocess.run(part, capture_output=True, text=True, check=False).stdout.strip()).exists() for part in parts)


def run(
    command: Sequence[str | Path],
    *,
    stdin: bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> Result:
    """Run a command in a plain environment and return what it gave; TIMED_OUT is the code of one that did not end."""
    environment = {**PLAIN, **{name: os.environ[name] for name in KEPT if name in os.environ}, **(env or {})}
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd or ROOT,
        env=environment,
        start_new_session=True,
    )
    try:
        stdout, stderr = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the session this call started, with its children
        process.communicate()
        return Result(b"", TIMED_OUT, f"ran longer than {timeout:.0f} s".encode())
    code = process.returncode if process.returncode >= 0 else 128 - process.returncode
    return Result(stdout, code, stderr)


def xemu_command(
    program: str | Path, *arguments: str | Path, sysroot: Path | None = None, options: Sequence[str] = ()
) -> list[str | Path]:
    """Return the command line that runs a guest program under xemu."""
    return [*XEMU, "run", *options, *(("-L", sysroot) if sysroot else ()), program, *arguments]


def arch_of(program: str | Path) -> str:
    """Return the architecture of an ELF file."""
    with Path(program).open("rb") as file:
        head = file.read(20)
    return MACHINES[int.from_bytes(head[18:], "little" if head[5] == 1 else "big")]


def host_command(program: str | Path, *arguments: str | Path) -> list[str | Path]:
    """Return the command line that runs a static program natively if the host can, else under QEMU (less exact in x87 and threads)."""
    native = os.uname().machine == "x86_64" and arch_of(program) in X86
    return [program, *arguments] if native else qemu_command(program, *arguments)


def qemu_command(program: str | Path, *arguments: str | Path, sysroot: Path | None = None) -> list[str | Path]:
    """Return the command line that runs a guest program under QEMU."""
    return [*QEMU_OF[arch_of(program)], *(("-L", sysroot) if sysroot else ()), program, *arguments]
