"""gcc's own torture programs: for Cortex-M built against newlib, for Linux against musl or glibc; which of them pass elsewhere.

Debian's source package of gcc 12 is downloaded when they are first asked for; the programs check themselves and end with exit
code 0 if all is well, on boards through semihosting. The oracle is QEMU for boards, the host for its own programs. What is built
and what the oracle said is kept in the cache directory of tests/packages.py.

    python -m tests.torture mps2-an385 i386     builds, runs, says how many pass
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.packages import PackageError, _locked, cache_root, source
from tests.support.programs import QEMU_OF, X86, host_command
from tests.support.roots import MUSL_GCC, musl_link

PACKAGE: Final = "gcc-12"
EXECUTE: Final = "gcc/testsuite/gcc.c-torture/execute/"
HERE: Final = Path(__file__).parent / "support"
START: Final = HERE / "torture_start.c"
SCRIPT: Final = HERE / "torture.ld"
GCC: Final = "arm-none-eabi-gcc"
CROSS_GCC: Final = {"ppc": "powerpc-linux-gnu-gcc"}
QEMU: Final = "qemu-system-arm"
OPTIONS: Final = ("-mthumb", "-O2", "-w", "-ffunction-sections", "-fdata-sections", "--specs=rdimon.specs", "-nostartfiles",
                  "-Wl,--gc-sections", "-Wl,--strip-debug", "-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments")  # fmt: skip
PATIENCE: Final = 20  # seconds for one program; most take a tenth of one
#: write and remove a file "torture.tmp" in the current directory: they need semihosting with files
WRITE_FILES: Final = frozenset({"fprintf-2", "printf-2", "user-printf"})
#: an option that the program asks for on every target; those for some targets only come with a list of them
DG_OPTIONS: Final = re.compile(r'dg-(?:additional-)?options\s+"([^"]*)"\s*\}')


@dataclass(frozen=True)
class Board:
    """How to build for a board: processor options and memories (bytes; the vector table is at 0)."""

    cpu: tuple[str, ...]
    rom_size: int
    ram_size: int
    ram_start: int = 0x2000_0000


MPS2: Final = 4 << 20
BOARDS: Final = {
    "microbit": Board(("-mcpu=cortex-m0",), 256 << 10, 16 << 10),
    "mps2-an385": Board(("-mcpu=cortex-m3",), MPS2, MPS2),
    "mps2-an386": Board(("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"), MPS2, MPS2),
    "mps2-an500": Board(("-mcpu=cortex-m7", "-mfpu=fpv5-d16", "-mfloat-abi=hard"), MPS2, MPS2),
}


@dataclass(frozen=True)
class Linux:
    """How to build for Linux: with musl, or with the C library of the cross compiler where Debian has no musl."""

    arch: str
    options: tuple[str, ...]


LINUX: Final = {
    "x86_64": Linux("x86_64", ("-O2",)),
    "x86_64-v3": Linux("x86_64", ("-O3", "-march=x86-64-v3")),
    "i386": Linux("i386", ("-O2", "-march=i686")),
    "i386-sse": Linux("i386", ("-O3", "-march=pentium4", "-mfpmath=sse")),
    "ppc64le": Linux("ppc64le", ("-O2", "-mcpu=power8")),
    "ppc64le-power9": Linux("ppc64le", ("-O3", "-mcpu=power9")),
    "ppc": Linux("ppc", ("-O2", "-mcpu=7400")),
    "ppc-altivec": Linux("ppc", ("-O3", "-mcpu=7450", "-maltivec")),
}
KINDS: Final[dict[str, Board | Linux]] = {**BOARDS, **LINUX}


def programs(kind: str) -> list[Path]:
    """Return the ELF files for a board or a kind of Linux, sorted by name; building them takes minutes at the first call.

    A program that does not compile, or does not fit, is left out. Raises PackageError without compiler or source.
    """
    out = cache_root() / f"torture-{kind}-{_build_key(kind)}"
    if not (out / ".complete").exists():
        with _locked(f"torture-{kind}"):
            if not (out / ".complete").exists():
                _build(kind, out)
    return sorted(out.glob("*.elf"))


def passing(kind: str) -> set[str]:
    """Return the names (file names without .elf) of the programs that end with exit code 0 under the oracle."""
    found = programs(kind)
    record = found[0].parent / f"passing-{hashlib.sha256(_oracle(kind).encode()).hexdigest()[:8]}.json"
    with _locked(f"torture-{kind}"):
        if not record.exists():
            with ThreadPoolExecutor(_workers()) as pool:
                codes = list(pool.map(lambda elf: _run(kind, elf), found))
            passed = [elf.stem for elf, code in zip(found, codes, strict=True) if code == 0]
            record.write_text(json.dumps(passed, indent=0))
    return set(json.loads(record.read_text()))


def _oracle(kind: str) -> str:
    facts = KINDS[kind]
    return _version(QEMU if isinstance(facts, Board) else QEMU_OF[facts.arch][0]) if needs_qemu(kind) else os.uname().release


def needs_qemu(kind: str) -> bool:
    """Tell whether the oracle is QEMU: the host does not run such programs itself."""
    facts = KINDS[kind]
    return isinstance(facts, Board) or facts.arch not in X86


def oracle_command(kind: str, elf: Path) -> list[str | Path]:
    """Return the command that runs a program under the oracle."""
    if kind in LINUX:
        return host_command(elf)
    return [QEMU, "-M", kind, "-display", "none", "-monitor", "none", "-serial", "null",
            "-semihosting-config", "enable=on,target=native", "-kernel", elf]  # fmt: skip


def _run(kind: str, elf: Path) -> int:
    with tempfile.TemporaryDirectory() as directory:
        try:
            done = subprocess.run(oracle_command(kind, elf), stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE,
                                  check=False, cwd=directory)  # fmt: skip
        except subprocess.TimeoutExpired:
            return 124
        return done.returncode


def sources() -> Path:
    """Return the directory with the programs' sources, unpacked at the first call."""
    root = cache_root() / f"{PACKAGE}-torture"
    with _locked(f"{PACKAGE}-torture"):
        if not (root / ".complete").exists():
            _unpack(root)
    return root


def _unpack(root: Path) -> None:
    outer = next(source(PACKAGE).glob("*.orig.tar.*"))
    with tarfile.open(outer) as archive:
        name = next(name for name in archive.getnames() if re.search(r"/gcc-[\d.]+.*\.tar\.xz$", name))
        inner = archive.extractfile(name)
        with tarfile.open(fileobj=inner, mode="r|xz") as gcc:
            for member in gcc:
                _, found, path = member.name.partition(EXECUTE)
                content = gcc.extractfile(member) if found and member.isfile() else None
                if content is not None:
                    target = root / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content.read())
    (root / ".complete").touch()


def _cases(root: Path) -> dict[str, list[Path]]:
    """Return the files of every program: one, or three for those that bring a library function of their own."""
    cases = {path.stem: [path] for path in root.glob("*.c")}
    cases |= {f"ieee-{path.stem}": [path] for path in root.glob("ieee/*.c")}
    for library in root.glob("builtins/*-lib.c"):
        name = library.stem.removesuffix("-lib")
        cases[f"builtins-{name}"] = [root / "builtins" / f"{name}.c", library, root / "builtins" / "lib" / "main.c"]
    return cases


def _build(kind: str, out: Path) -> None:
    partial = out.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    facts = KINDS[kind]
    if isinstance(facts, Board):
        subprocess.run([GCC, *facts.cpu, *OPTIONS, "-ffreestanding", "-c", str(START), "-o", str(partial / "start.o")], check=True)
    with ThreadPoolExecutor(_workers()) as pool:
        for done in [pool.submit(_compile, facts, files, partial / f"{name}.elf") for name, files in _cases(sources()).items()]:
            done.result()
    if not any(partial.glob("*.elf")):
        raise PackageError(f"no torture program could be built for {kind}: is a C library for it installed?")
    (partial / ".complete").touch()
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)


def _compile(facts: Board | Linux, files: list[Path], elf: Path) -> None:
    wanted = [option for options in DG_OPTIONS.findall(files[0].read_text(errors="replace")) for option in options.split()]
    if isinstance(facts, Board):
        symbols = [f"-Wl,--defsym={name}={getattr(facts, name)}" for name in ("rom_size", "ram_start", "ram_size")]
        command = [GCC, *facts.cpu, *OPTIONS, *wanted, *files, elf.parent / "start.o", f"-T{SCRIPT}", *symbols, "-lm", "-o", elf]
    elif facts.arch in MUSL_GCC:
        command = musl_link(facts.arch, [*facts.options, "-s", *wanted], files, elf)
    else:
        command = [compiler(facts), "-static", "-w", *facts.options, "-s", *wanted, *files, "-lm", "-o", elf]
    subprocess.run(command, capture_output=True, check=False, cwd=elf.parent)  # what does not build leaves no file


def _build_key(kind: str) -> str:
    facts = KINDS[kind]
    gcc = compiler(facts)
    if not shutil.which(gcc):
        raise PackageError(f"{gcc} is needed to build the torture programs")
    key = (facts, OPTIONS, _version(gcc), START.read_text(), SCRIPT.read_text())
    return hashlib.sha256(repr(key).encode()).hexdigest()[:12]


def compiler(facts: Board | Linux) -> str:
    """Return the name of the compiler that makes programs for a board or a kind of Linux."""
    if isinstance(facts, Board):
        return GCC
    return MUSL_GCC[facts.arch][0] if facts.arch in MUSL_GCC else CROSS_GCC[facts.arch]


def _version(tool: str) -> str:
    return subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


def _workers() -> int:
    return min(os.cpu_count() or 1, 4)


def main() -> int:
    """Build for the boards and kinds of Linux named on the command line, run under the oracle, say how many pass."""
    for kind in sys.argv[1:] or KINDS:
        built = len(programs(kind))
        print(f"{kind}: {built} built, {len(passing(kind))} pass under the oracle", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
