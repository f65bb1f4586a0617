"""Compiling the kernels: builds of the same sources for each architecture and natively, kept in a build directory."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import cold
from xemu.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE: Final = Path(__file__).parent
START: Final = HERE.parent / "samples" / "src"
BUILD: Final = HERE.parent / "build" / "bench"
COMMON: Final = [
    "-O2", "-std=gnu11", "-ffreestanding", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-fno-stack-protector",
    "-ffp-contract=off", "-fno-math-errno", "-Wl,--build-id=none", f"-I{START}",
]  # fmt: skip
CROSS: Final = ["arm-linux-gnueabihf-gcc", "-mcpu=cortex-a15", "-mfpu=neon-vfpv4"]
X86: Final = ["x86_64-linux-gnu-gcc"]
PPC64LE: Final = ["powerpc64le-linux-gnu-gcc", "-mcpu=power9"]
PPC: Final = ["powerpc-linux-gnu-gcc", "-mcpu=7400"]
X86_32: Final = [*X86, "-m32", "-march=i686"]
X86_ARCHES: Final = ("x86_64", "i386")  # what may run natively


@dataclass(frozen=True)
class Build:
    """One way to compile a kernel. It runs `repeat` times, so that QEMU's start is a small part of what is measured."""

    name: str
    arch: str  # of xemu; "" is the host's own, for comparison
    compiler: list[str]
    options: tuple[str, ...] = ()  # after the common ones: they win
    repeat: int = 1
    #: the kernels' group -> the name of that group in this build; empty: all, under their own names
    groups: tuple[tuple[str, str], ...] = ()
    cold: str = "arm"  # whose assembly the cold program is in

    def group(self, group: str) -> str | None:
        """Return what a group of kernels is called in this build; None where it has no such kernels."""
        return dict(self.groups).get(group) if self.groups else group


BUILDS: Final = {b.name: b for b in (
    Build("native", "", ["gcc"], cold="x86_64"),
    Build("native-4", "", ["gcc"], repeat=4, cold="x86_64"),
    Build("arm", "arm", [*CROSS, "-marm"]),
    Build("thumb", "arm", [*CROSS, "-mthumb"]),
    Build("x86-64", "x86_64", X86, repeat=4, cold="x86_64"),
    Build("x86-64-v3", "x86_64", X86, ("-O3", "-march=x86-64-v3", "-ffp-contract=fast"), 4,
          (("floating point", "floating point, AVX2 and FMA"),)),
    Build("i386", "i386", [*X86_32, "-msse2", "-mfpmath=sse"], ("-lgcc",), 4, cold="i386"),
    Build("x87", "i386", [*X86_32, "-mfpmath=387"], ("-lgcc",), 1, (("floating point", "x87"),)),    # QEMU takes seconds as it is
    Build("ppc64le", "ppc64le", PPC64LE, ("-lgcc",), 4, cold="ppc64le"),
    Build("ppc", "ppc", PPC, ("-Wl,--start-group", "-lm", "-lc", "-lgcc", "-lgcc_eh", "-Wl,--end-group"), 4, cold="ppc"),  # no fsqrt
)}  # fmt: skip
ONCE: Final = {"cold", "chase", "syscalls"}  # kernels that a second run would change, or that take long enough
VECTORS: Final = {"neon"}  # kernels in vector intrinsics: there is nothing of them in a build for the x87
FIRMWARE: Final = HERE / "firmware"
BARE: Final = ["arm-none-eabi-gcc", "-mthumb", "-T", FIRMWARE / "firmware.ld"]
#: board -> what its processor is compiled for
BOARDS: Final = {
    "mps2-an385": ["-mcpu=cortex-m3"],
    "mps2-an386": ["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
    "mps2-an500": ["-mcpu=cortex-m7", "-mfpu=fpv5-d16", "-mfloat-abi=hard"],
}


def program(name: str, build_name: str) -> Path:
    """Return where a build of a kernel lies."""
    return BUILD / build_name / name


def build(kernels: Iterable[tuple[str, str]]) -> None:
    """Compile the kernels, each with the name of its build, that are missing or older than their sources."""
    wanted = list(kernels)
    for name in dict.fromkeys(build_name for _, build_name in wanted):
        check(BUILDS[name])
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda kernel: _build(*kernel), wanted))


def repeat(name: str, how: Build) -> int:
    """Return how often a build of a kernel does its work."""
    return 1 if name in ONCE else how.repeat


def reference(how: Build) -> str:
    """Return the name of the build that does the same work on this machine: itself, or a native one that repeats as often."""
    if how.arch in X86_ARCHES:
        return how.name
    return next(b.name for b in BUILDS.values() if not b.arch and b.repeat == how.repeat)


def check(build: Build) -> None:
    """Raise NotFoundError with what to install if a build's compiler is not there or cannot do it."""
    packages = {"arm-linux-gnueabihf-gcc": "gcc-arm-linux-gnueabihf", "gcc": "gcc", "x86_64-linux-gnu-gcc": "gcc-x86-64-linux-gnu",
                PPC64LE[0]: "gcc-powerpc64le-linux-gnu", PPC[0]: "gcc-powerpc-linux-gnu"}
    compiler = build.compiler[0]
    if not shutil.which(compiler):
        raise NotFoundError(f"builds for {build.name} need {compiler}: apt-get install {packages[compiler]}")
    library = subprocess.run([*build.compiler, "-print-libgcc-file-name"], capture_output=True, text=True, check=False).stdout.strip()
    if "-m32" in build.compiler and not Path(library).exists():
        raise NotFoundError(f"builds for {build.name} need gcc -m32: apt-get install gcc-12-multilib libc6-dev-i386 "
                               "(not gcc-multilib, which removes the ARM compilers)")


def _build(name: str, build_name: str) -> None:
    how, path = BUILDS[build_name], program(name, build_name)
    sources = _cold_sources(how) if name == "cold" else [HERE / "kernels" / f"{name}.c"]
    inputs = [*sources, START / "start.h", *(HERE / "kernels").glob("*.h"), HERE / "cold.py", HERE / "build.py"]
    if not path.exists() or path.stat().st_mtime <= max(p.stat().st_mtime for p in inputs):
        compile_program(replace(how, repeat=repeat(name, how)), path, sources)


def compile_program(how: Build, path: Path, sources: list[Path]) -> None:
    """Compile a program without a C library."""
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([*how.compiler, *COMMON, f"-DREPEAT={how.repeat}", "-o", path, *sources, *how.options], check=True)


def sample(name: str, build_name: str) -> Path:
    """Compile one of the samples; return its path."""
    how, path = BUILDS[build_name], BUILD / "samples" / build_name / name
    check(how)
    if not path.exists():
        compile_program(replace(how, repeat=1), path, [START / f"{name}.c"])
    return path


def firmware(name: str, board: str) -> Path:
    """Compile a kernel, or a program of bench/firmware, for a board without an operating system; return its path."""
    program = BUILD / board / name
    own = FIRMWARE / f"{name}.c"
    source = own if own.exists() else HERE / "kernels" / f"{name}.c"
    inputs = [source, START / "start.h", FIRMWARE / "firmware.ld", *(HERE / "kernels").glob("*.h")]
    if not program.exists() or program.stat().st_mtime <= max(path.stat().st_mtime for path in inputs):
        program.parent.mkdir(parents=True, exist_ok=True)
        command = [*BARE, *BOARDS[board], *COMMON, f"-I{HERE / 'kernels'}", "-o", program, source, "-lgcc"]
        subprocess.run(command, check=True)
    return program


def _cold_sources(how: Build) -> list[Path]:
    """Write the generated program unless it is newer than its generator."""
    directory = BUILD / "cold" / how.name
    assembly, main = directory / "cold.S", directory / "main.c"
    if not assembly.exists() or assembly.stat().st_mtime < (HERE / "cold.py").stat().st_mtime:
        directory.mkdir(parents=True, exist_ok=True)
        assembly.write_text(cold.sources()[how.cold])
        main.write_text(cold.MAIN)
    return [assembly, main]
