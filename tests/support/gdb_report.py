"""What GDB's testsuite gave: a summary for the terminal, the page docs/gdb-testsuite.md, the differences without a reason."""

from __future__ import annotations

import re
import subprocess
import tomllib
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Final

from tests.support.gdb_runs import ALL_BOARDS, ARCHES, GDB, Outcome, load_outcome, yardstick
from tests.support.programs import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    Results = Mapping[str, Mapping[str, Outcome]]  # file -> board -> outcome

DOCS: Final = ROOT / "docs"
PAGES: Final = {"armhf": DOCS / "gdb-testsuite.md", "x86_64": DOCS / "gdb-testsuite-x86_64.md", "i386": DOCS / "gdb-testsuite-i386.md"}
REASONS: Final = ROOT / "tests" / "gdb_testsuite.toml"
ARM_HEAD: Final = """\
# GDB's own testsuite

Written by `make test-gdb`: the tests of Debian's source package of GDB, which is downloaded for it. *xemu* is `xemu gdbserver` on
armhf builds; the yardstick is *gdbserver* on builds of the same files for the host; *QEMU* is the stub of `qemu-arm` on the armhf
builds. The GDB is the same. How the boards are set up stands in [tests/gdb_boards](../tests/gdb_boards), the reasons come from
[gdb_testsuite.toml](../tests/gdb_testsuite.toml). The same for x86-64: [gdb-testsuite-x86_64.md](gdb-testsuite-x86_64.md).

"""
X86_HEAD: Final = """\
# GDB's own testsuite on x86-64

Written by `make test-gdb ARCH=x86_64 GDB_OPTIONS=--docs`: the tests of [gdb-testsuite.md](gdb-testsuite.md), built for x86-64
Linux. *xemu* is `xemu gdbserver`, the yardstick is GDB's own *gdbserver* on the same programs, with the same GDB. How the boards are set up
stands in [tests/gdb_boards](../tests/gdb_boards), the reasons come from [gdb_testsuite.toml](../tests/gdb_testsuite.toml).

"""
I386_HEAD: Final = """\
# GDB's own testsuite on i386

Written by `make test-gdb ARCH=i386 FILES='gdb.reverse/*.exp' GDB_OPTIONS=--docs`: as [gdb-testsuite-x86_64.md](gdb-testsuite-x86_64.md),
with builds of `gcc -m32`.

"""
HEADS: Final = {"armhf": ARM_HEAD, "x86_64": X86_HEAD, "i386": I386_HEAD}
#: architecture -> its table in REASONS
TABLES: Final = {"armhf": "armhf", "x86_64": "x86", "i386": "x86"}
VERSIONED: Final = {"GDB": GDB, "gdbserver": "gdbserver", "QEMU": "qemu-arm"}


def results(files: Iterable[str], boards: Iterable[str] = ARCHES["armhf"]) -> dict[str, dict[str, Outcome]]:
    """Return what is kept of these files on some boards."""
    return {file: {board: outcome for board in boards if (outcome := load_outcome(board, file))} for file in files}


def is_below(file: str, subject: str = "xemu") -> bool:
    """Tell whether xemu passes less than gdbserver in a file."""
    return below(results([file], (yardstick(subject), subject))[file], subject)


def below(outcomes: Mapping[str, Outcome], subject: str = "xemu") -> bool:
    """Tell whether both have run and xemu passes less; `subject`: its board."""
    other = yardstick(subject)
    return subject in outcomes and other in outcomes and outcomes[subject].passes < outcomes[other].passes


# --- reasons ---------------------------------------------------------------------------------------


def read_reasons(arch: str = "armhf", path: Path = REASONS) -> dict[str, str]:
    """Return {file or pattern: why xemu passes less there}."""
    reasons: dict[str, str] = tomllib.loads(path.read_text(encoding="utf-8"))[TABLES[arch]]
    return reasons


def reason_for(file: str, reasons: Mapping[str, str]) -> str:
    """Return the reason that names a file, else the longest pattern's, else nothing."""
    matching = [pattern for pattern in reasons if pattern == file or fnmatch(file, pattern)]
    return reasons[max(matching, key=lambda pattern: (pattern == file, len(pattern)))] if matching else ""


def unexplained(results: Results, reasons: Mapping[str, str], subject: str = "xemu") -> list[str]:
    """Return the files in which xemu passes less than gdbserver and no reason says why."""
    return [file for file, outcomes in results.items() if below(outcomes, subject) and not reason_for(file, reasons)]


# --- tables ----------------------------------------------------------------------------------------


def by_directory(results: Results) -> dict[str, dict[str, Outcome]]:
    """Return {directory: {board: sum over the files that every measured board has run}}; "all" comes last."""
    boards = [board for board in ALL_BOARDS if any(board in outcomes for outcomes in results.values())]
    sums: dict[str, dict[str, Outcome]] = {}
    for file, outcomes in results.items():
        if not all(board in outcomes for board in boards):
            continue
        for name in (file.partition("/")[0], "all"):
            row = sums.setdefault(name, {board: Outcome(name, board, {"files": 0}) for board in boards})
            for board in boards:
                row[board].counts["files"] += 1
                for verdict, count in outcomes[board].counts.items():
                    row[board].counts[verdict] = row[board].counts.get(verdict, 0) + count
    return dict(sorted(sums.items(), key=lambda item: (item[0] == "all", item[0])))


def summary(results: Results) -> str:
    """Return the sums as text."""
    lines = []
    for name, row in by_directory(results).items():
        files = next(iter(row.values())).counts["files"]
        cells = [f"{ALL_BOARDS[board].title} {total.passes} pass, {total.failures} fail" for board, total in row.items()]
        lines.append(f"{name:12} {files:4} files   {'   '.join(cells)}\n")
    return "".join(lines) or "nothing has been run on all boards yet\n"


def table(head: list[str], rows: list[list[str]], *, numbers: int) -> str:
    """Return a Markdown table; columns 1 to `numbers` are right-aligned."""
    rule = ["---:" if 0 < i <= numbers else "---" for i in range(len(head))]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *rows)) + "\n"


def directory_table(results: Results) -> str:
    """Return passes and failures by directory."""
    sums = by_directory(results)
    boards = list(next(iter(sums.values()))) if sums else []
    head = ["directory", "files", *(f"{ALL_BOARDS[b].title} {what}" for b in boards for what in ("pass", "fail"))]
    rows = [[name, str(next(iter(row.values())).counts["files"]),
             *(str(n) for board in boards for n in (row[board].passes, row[board].failures))] for name, row in sums.items()]  # fmt: skip
    return table(head, rows, numbers=len(head))


def cell(outcome: Outcome | None) -> str:
    """Return a file's passes, with its failures and an end that was not its own."""
    if outcome is None:
        return "–"
    text = f"{outcome.passes}" + (f" ({outcome.failures} fail)" if outcome.failures else "")
    return text if outcome.end == "done" else f"{text}, {outcome.end}"


def file_table(results: Results, reasons: Mapping[str, str], boards: Mapping[str, str], subject: str) -> str:
    """Return the files in which xemu passes less than gdbserver. `boards`: which are shown, and what they are called."""
    rows = [[file.removesuffix(".exp"), *(cell(outcomes.get(board)) for board in boards),
             reason_for(file, reasons) or "**none yet**"] for file, outcomes in results.items() if below(outcomes, subject)]  # fmt: skip
    return table(["file", *boards.values(), "reason"], rows, numbers=len(boards))


def versions() -> str:
    """Return "GDB 13.1, gdbserver 13.1, QEMU 7.2.22"."""
    found = []
    for name, program in VERSIONED.items():
        try:
            text = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
        except OSError:
            continue
        if number := re.search(r"\b\d+\.\d+(?:\.\d+)*\s*$|version (\d+(?:\.\d+)*)", text.partition("\n")[0]):
            found.append(f"{name} {number[1] or number[0].strip()}")
    return ", ".join(found)


def page(results: Results, reasons: Mapping[str, str], arch: str = "armhf") -> str:
    """Return the text of an architecture's page."""
    subject = ARCHES[arch][-1]
    measured = {board for outcomes in results.values() for board in outcomes}
    text = f"{HEADS[arch]}Measured with {versions()}.\n\n"
    text += "## By directory\n\nFiles that all have run. *Fail* counts what was not expected or could not be judged.\n\n"
    text += directory_table(results)
    if subject not in measured:
        return text.rstrip("\n") + "\n\nxemu has not been measured yet.\n"
    less = sum(below(outcomes, subject) for outcomes in results.values())
    text += f"## Where xemu passes less than gdbserver\n\n{less} of {len(results)} files.\n\n"
    shown = {yardstick(subject): "gdbserver", subject: "xemu", "qemu": "QEMU"}
    text += file_table(results, reasons, {board: name for board, name in shown.items() if board in ARCHES[arch]}, subject)
    behind = [file for file, o in results.items() if "qemu" in o and "xemu" in o and o["xemu"].passes < o["qemu"].passes]
    if behind:
        text += "QEMU's stub passes more in: " + ", ".join(behind) + ".\n"
    return text.rstrip("\n") + "\n"
