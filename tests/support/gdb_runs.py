"""One file of GDB's testsuite on one board: preparation, the run, its results as JSON."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.packages import PackageError, cache_root, source
from tests.support.programs import ROOT, XEMU

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DIRECTORIES: Final = ("gdb.base", "gdb.threads", "gdb.reverse", "gdb.server", "gdb.python", "gdb.mi")
SYSROOT: Final = "/usr/arm-linux-gnueabihf"
PPC, PPC64LE = "/usr/powerpc-linux-gnu", "/usr/powerpc64le-linux-gnu"
GDB: Final = "/usr/bin/gdb-multiarch"
BOARDS: Final = ROOT / "tests" / "gdb_boards"
UNPACKED: Final = ("gdb", "include")  # what tests use of the source tree
VERDICT: Final = re.compile(r"^(PASS|FAIL|XPASS|XFAIL|KPASS|KFAIL|UNTESTED|UNSUPPORTED|UNRESOLVED|ERROR|WARNING): (.*)$", re.MULTILINE)
MARK: Final = "XEMU_GDB_TESTSUITE"
PORTS: Final = 1000  # for each of the runs at a time
SUMMARY: Final = "=== gdb Summary ==="  # in the file of a run that came to its end
KEPT: Final = ("gdb.log", "gdb.sum")


@dataclass(frozen=True)
class Board:
    """A board file with the server behind it."""

    name: str
    title: str
    triplet: str
    server: tuple[str, ...]
    sysroot: str = SYSROOT


HOST: Final = f"{os.uname().machine}-pc-linux-gnu"
ARM: Final = "arm-unknown-linux-gnueabihf"
ALL_BOARDS: Final = {
    "gdbserver": Board("gdbserver-native", "gdbserver", HOST, ("/usr/bin/gdbserver",)),
    "qemu": Board("qemu-armhf", "QEMU", ARM, (sys.executable, str(ROOT / "tests" / "support" / "qemu_gdbserver.py"), SYSROOT)),
    "xemu": Board("xemu-armhf", "xemu", ARM, (*XEMU, "gdbserver", "-L", SYSROOT)),
    "native": Board("xemu-native", "xemu", HOST, (*XEMU, "gdbserver")),
    "gdbserver32": Board("gdbserver-i386", "gdbserver", HOST, ("/usr/bin/gdbserver",)),
    "i386": Board("xemu-i386", "xemu", HOST, (*XEMU, "gdbserver")),
    "ppc": Board("xemu-ppc", "xemu", "powerpc-unknown-linux-gnu", (*XEMU, "gdbserver", "-L", PPC), PPC),
    "ppc64le": Board("xemu-ppc64le", "xemu", "powerpc64le-unknown-linux-gnu", (*XEMU, "gdbserver", "-L", PPC64LE), PPC64LE),
}
#: architecture of the builds -> the boards that are compared: the yardstick first, xemu last
ARCHES: Final = {"armhf": ("gdbserver", "qemu", "xemu"), "x86_64": ("gdbserver", "native"), "i386": ("gdbserver32", "i386")}


def yardstick(subject: str) -> str:
    """Return the board that an xemu board is compared with."""
    return next(boards[0] for boards in ARCHES.values() if boards[-1] == subject)


@dataclass
class Outcome:
    """What a file gave on a board."""

    file: str
    board: str
    counts: dict[str, int] = field(default_factory=dict)
    tests: dict[str, list[str]] = field(default_factory=dict)  # verdict -> names of tests
    seconds: float = 0.0
    end: str = "done"  # or "time limit", "no result"

    @property
    def passes(self) -> int:
        """The number of tests that passed, those included that are known to fail elsewhere."""
        return self._sum("PASS", "KPASS", "XPASS")

    @property
    def failures(self) -> int:
        """The number of unexpected failures and of tests that could not be judged."""
        return self._sum("FAIL", "UNRESOLVED")

    def _sum(self, *verdicts: str) -> int:
        return sum(self.counts.get(verdict, 0) for verdict in verdicts)


def parse_summary(text: str, file: str) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Return ({verdict: count}, {verdict: names}) of a gdb.sum."""
    tests: dict[str, list[str]] = {}
    for verdict, name in VERDICT.findall(text):
        tests.setdefault(verdict, []).append(name.removeprefix(f"{file}: "))
    return dict(Counter({verdict: len(names) for verdict, names in tests.items()})), tests


# --- preparation -----------------------------------------------------------------------------------


def work() -> Path:
    """Return the directory of everything that is downloaded, built and measured."""
    return cache_root().resolve() / "gdb-testsuite"  # GDB prints paths without symbolic links


def testsuite() -> Path:
    """Return GDB's testsuite, downloaded and unpacked at the first call; PackageError."""
    archives = source("gdb").resolve()
    tree = archives / "tree"
    if not (tree / ".complete").exists():
        found = sorted(archives.glob("gdb_*.orig.tar.*z*"))
        if not found:
            raise PackageError("the source package gdb has no orig.tar")
        shutil.rmtree(tree, ignore_errors=True)
        with tarfile.open(next(path for path in found if path.suffix != ".asc")) as archive:
            wanted = [m for m in archive if m.name.partition("/")[2].partition("/")[0] in UNPACKED]
            archive.extractall(tree, wanted, filter="tar")
        (tree / ".complete").touch()
    return next(tree.glob("*/gdb/testsuite"))


def select(suite: Path, patterns: Sequence[str]) -> list[str]:
    """Return the test files that match a pattern (`gdb.base/break*.exp`); without patterns all of DIRECTORIES."""
    chosen = patterns or [f"{directory}/*.exp" for directory in DIRECTORIES]
    directories = sorted({pattern.partition("/")[0] for pattern in chosen})
    files = [path.relative_to(suite).as_posix() for d in suite.glob("gdb.*") if any(fnmatch(d.name, p) for p in directories)
             for path in d.rglob("*.exp")]  # fmt: skip
    return sorted(file for file in files if any(fnmatch(file, pattern) for pattern in chosen))


def directory(board: Board) -> Path:
    """Return where a board's files run."""
    return work() / "run" / board.name


def prepare(board: Board, suite: Path) -> None:
    """Write site.exp and the server's script of a board."""
    place = directory(board)
    place.mkdir(parents=True, exist_ok=True)
    (place / "Makefile").touch()  # tests use it as a file that is there
    server = place / "server"
    words = [*board.server]
    if board.name.startswith("gdbserver") and board.triplet.startswith("x86_64"):
        library = place / "xstate.so"
        source_file = ROOT / "tests" / "support" / "gdb_xstate.c"
        subprocess.run(["gcc", "-O1", "-shared", "-fPIC", str(source_file), "-o", str(library), "-ldl"], check=True)
        words[:0] = ["env", f"LD_PRELOAD={library}"]
    if board.name.startswith("xemu"):
        words[:0] = ["env", f"XDG_CACHE_HOME={cache_root().parent}"]  # where xemu has what it compiled
    if board.triplet.startswith("x86_64"):           # GDB's own recording does not know what the library's functions are made of
        words[:0] = ["env", "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2"]
    server.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    server.chmod(0o755)
    settings = {
        "host_triplet": HOST, "build_triplet": HOST, "target_triplet": board.triplet, "tool": "gdb",
        "srcdir": suite, "objdir": place, "GDB": GDB, "GDBSERVER": server, "xemu_sysroot": board.sysroot, "enable_libctf": "no",
    }  # fmt: skip
    lines = [f'set {name} "{value}"\n' for name, value in settings.items()]
    (place / "site.exp").write_text("".join(lines) + f'lappend boards_dir "{BOARDS}" "{suite}/boards"\n')


def has_gdbserver(board: Board) -> bool:
    """Tell whether the server of a board can be started."""
    try:
        done = subprocess.run([*board.server, "--help"], capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 or "qemu" in board.name


# --- results ---------------------------------------------------------------------------------------


def result_path(board: str, file: str) -> Path:
    """Return where the outcome of a file on a board is kept."""
    return (work() / "results" / board / file).with_suffix(".json")


def load_outcome(board: str, file: str) -> Outcome | None:
    """Return the outcome kept for a file, None if there is none."""
    try:
        return Outcome(**json.loads(result_path(board, file).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def keep(outcome: Outcome) -> None:
    """Write an outcome where `load_outcome` finds it."""
    path = result_path(outcome.board, outcome.file)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(outcome), indent=1) + "\n")
    partial.replace(path)


# --- running ---------------------------------------------------------------------------------------


def environment(mark: str) -> dict[str, str]:
    """Return what the testsuite's processes see: nothing of the user's; each carries the mark."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(work()), "LC_ALL": "C", "TERM": "dumb", "TZ": "UTC",
        "USER": "nobody", MARK: mark,
    }  # fmt: skip


def run_file(key: str, file: str, *, slot: int, limit: float, stopped: Callable[[], bool]) -> Outcome:
    """Run one file on a board and return what it gave; nothing of it is alive afterwards."""
    board = ALL_BOARDS[key]
    place = directory(board)
    out = place / "outputs" / file.removesuffix(".exp")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    port = 20000 + PORTS * (slot * len(ALL_BOARDS) + list(ALL_BOARDS).index(key))
    mark = f"{os.getpid()}-{slot}"
    # A shell leads the session: runtest would get the first terminal that it opens as its own, and die with it.
    command = ["sh", "-c", '"$0" "$@"; exit $?', "runtest", "--status", "GDB_PARALLEL=yes", f"FIRST_PORT={port}",
               f"--outdir={out}", f"--target_board={board.name}", file]  # fmt: skip
    began = time.monotonic()
    with (out / "console").open("wb") as console:
        process = subprocess.Popen(command, cwd=place, env=environment(mark), stdin=subprocess.DEVNULL,
                                   stdout=console, stderr=console, start_new_session=True)  # fmt: skip
    end = _wait(process, began + limit, stopped)
    kill_marked(mark)
    process.wait()
    try:
        text = (out / "gdb.sum").read_text(errors="replace")
    except OSError:
        text = ""
    counts, tests = parse_summary(text, file)
    if end == "done" and SUMMARY not in text:
        end = "no result"
    tidy(out)
    return Outcome(file, key, counts, tests, round(time.monotonic() - began, 1), end)


def _wait(process: subprocess.Popen[bytes], until: float, stopped: Callable[[], bool]) -> str:
    while time.monotonic() < until and not stopped():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.5)
            return "done"
    return "stopped" if stopped() else "time limit"


def kill_marked(mark: str) -> None:
    """Kill every process that a run has left: they all inherit its mark, whatever session they are in."""
    wanted = f"{MARK}={mark}".encode()
    for _ in range(5):
        found = [pid for pid in os.listdir("/proc") if pid.isdigit() and wanted in _environment_of(pid)]  # noqa: PTH208 - names are wanted
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        if not found:
            return
        time.sleep(0.1)


def _environment_of(pid: str) -> list[bytes]:
    try:
        return Path("/proc", pid, "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def tidy(out: Path) -> None:
    """Remove what a run has built; logs stay."""
    for path in out.iterdir():
        if path.name in KEPT or path.name.startswith(("gdb.cmd", "gdb.in", "gdbserver.cmd", "console")):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
