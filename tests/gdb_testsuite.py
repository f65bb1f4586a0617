"""GDB's own testsuite against `xemu gdbserver`, with gdbserver as the yardstick and QEMU's stub for comparison.

    python -m tests.gdb_testsuite [OPTIONS] [FILES]      FILES are patterns: gdb.base/break*.exp

The tests are those of Debian's source package, downloaded, never part of xemu. Files run one by one, two at a time, and
what each gave is kept (under $XDG_CACHE_HOME/xemu-tests/gdb-testsuite): a run that was interrupted goes on where it was. What
xemu passes less than gdbserver needs a reason in tests/gdb_testsuite.toml. The exit code is 1 if one is missing.
"""

from __future__ import annotations

import argparse
import queue
import shutil
import signal
import sys
import threading
from typing import TYPE_CHECKING

from tests.packages import PackageError
from tests.support import gdb_report
from tests.support.gdb_runs import (
    ALL_BOARDS,
    ARCHES,
    Outcome,
    has_gdbserver,
    keep,
    load_outcome,
    prepare,
    run_file,
    select,
    testsuite,
    work,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

TOOLS = ("runtest", "expect", "gdb-multiarch", "gdbserver", "qemu-arm", "gcc", "g++", "arm-linux-gnueabihf-gcc", "arm-linux-gnueabihf-g++")
LIMIT = 900  # seconds for a file


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the files that have no result yet, then compare."""
    options = read_options(arguments)
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        return fail(f"not installed: {', '.join(missing)} (make test-gdb installs them)")
    try:
        suite = testsuite()
    except PackageError as error:
        return fail(f"GDB's source package: {error}")
    files = select(suite, options.files)
    if not files:
        return fail(f"no test file matches {' '.join(options.files)}; they are named like gdb.base/break.exp")
    wanted = options.boards or ARCHES[options.arch]
    boards = [name for name in wanted if has_gdbserver(ALL_BOARDS[name]) or say(f"{name} has no gdbserver command; left out")]
    if options.below:
        files = [file for file in files if gdb_report.is_below(file, ARCHES[options.arch][-1])]
    if not options.report:
        again = options.again or options.below
        tasks = [(board, file) for file in files for board in boards if again or load_outcome(board, file) is None]
        for board in boards:
            prepare(ALL_BOARDS[board], suite)
        if not Runner(options.jobs, options.limit).run(tasks):
            return 130
    return report(files, options.arch, docs=options.docs) if set(wanted) & set(ARCHES[options.arch]) else 0


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.gdb_testsuite", description="GDB's own testsuite against xemu gdbserver.")
    parser.add_argument("files", nargs="*", metavar="FILES", help="patterns like gdb.base/break*.exp (all of six directories)")
    parser.add_argument("--boards", type=board_names, default=None, metavar="NAME,…",
                        help=f"of {', '.join(ALL_BOARDS)} (those of the architecture)")
    parser.add_argument("--arch", choices=list(ARCHES), default="armhf", help="what the tests are built for (armhf)")
    parser.add_argument("--again", action="store_true", help="run files that have a result, too")
    parser.add_argument("--below", action="store_true", help="run those again in which xemu passes less than gdbserver")
    parser.add_argument("--report", action="store_true", help="run nothing, compare what is there")
    parser.add_argument("--docs", action="store_true", help="write the page in docs")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="files at a time (2)")
    parser.add_argument("--limit", type=float, default=LIMIT, metavar="SECONDS", help=f"time for a file ({LIMIT})")
    return parser.parse_args(arguments)


def board_names(text: str) -> list[str]:
    """Read --boards."""
    names = text.split(",")
    if unknown := [name for name in names if name not in ALL_BOARDS]:
        raise argparse.ArgumentTypeError(f"no board {unknown[0]}; there are {', '.join(ALL_BOARDS)}")
    return names


def report(files: list[str], arch: str, *, docs: bool) -> int:
    """Print the comparison, write the page if asked; return 1 if a difference has no reason."""
    boards, page = ARCHES[arch], gdb_report.PAGES[arch]
    results = gdb_report.results(files, boards)
    reasons = gdb_report.read_reasons(arch)
    print(gdb_report.summary(results), end="")
    print(f"logs: {work() / 'run'}")
    if docs:
        measured = {file: outcomes for file, outcomes in results.items() if boards[-1] in outcomes or arch == "armhf"}
        page.write_text(gdb_report.page(measured, reasons, arch), encoding="utf-8")
        print(f"written: {page.name}")
    unexplained = gdb_report.unexplained(results, reasons, boards[-1])
    for file in unexplained:
        print(f"{file}: xemu passes less than gdbserver, and tests/gdb_testsuite.toml does not say why")
    return 1 if unexplained else 0


def say(text: str) -> None:
    """Say something about the tool itself."""
    sys.stderr.write(f"gdb_testsuite: {text}\n")


def fail(text: str) -> int:
    """Say why nothing is run."""
    say(text)
    return 2


class Runner:
    """Threads that take (board, file) from a queue; each has ports of its own."""

    def __init__(self, jobs: int, limit: float) -> None:
        self.jobs, self.limit = jobs, limit
        self.queue: queue.Queue[tuple[str, str]] = queue.Queue()
        self.total = self.done = 0
        self.stopping = threading.Event()
        self.lock = threading.Lock()

    def run(self, tasks: list[tuple[str, str]]) -> bool:
        """Run everything; False if Ctrl-C or SIGTERM came first."""
        for task in tasks:
            self.queue.put(task)
        self.total = len(tasks)
        threads = [threading.Thread(target=self._work, args=(slot,)) for slot in range(self.jobs)]
        for thread in threads:
            thread.start()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.5)
        except KeyboardInterrupt:
            say("stopped; the same command goes on from here")
            self.stopping.set()
            for thread in threads:
                thread.join()
        return not self.stopping.is_set()

    def _work(self, slot: int) -> None:
        while not self.stopping.is_set():
            try:
                board, file = self.queue.get_nowait()
            except queue.Empty:
                return
            outcome = run_file(board, file, slot=slot, limit=self.limit, stopped=self.stopping.is_set)
            if outcome.end == "stopped":
                return
            if outcome.end != "no result":
                keep(outcome)
            self._show(outcome)

    def _show(self, outcome: Outcome) -> None:
        with self.lock:
            self.done += 1
            end = "" if outcome.end == "done" else f"  {outcome.end}"
            print(f"[{self.done}/{self.total}] {outcome.file:44} {outcome.board:10} {outcome.passes:5} pass {outcome.failures:4} fail "
                  f"{outcome.seconds:6.1f} s{end}", flush=True)  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
