"""The tool that runs GDB's own testsuite: which files, what they gave, what is below the yardstick and why. No GDB is run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests import gdb_testsuite
from tests.support import gdb_report, gdb_runs
from tests.support.gdb_runs import MARK, Outcome, keep, kill_marked, load_outcome, parse_summary, select
from tests.support.qemu_gdbserver import listening

if TYPE_CHECKING:
    from pathlib import Path

SUM = """\
Running target xemu-armhf
PASS: gdb.base/break.exp: break main
PASS: gdb.base/break.exp: run until main
FAIL: gdb.base/break.exp: finish (timeout)
KFAIL: gdb.base/break.exp: known (PRMS: gdb/1)
UNSUPPORTED: gdb.base/break.exp: tls
WARNING: something slow

\t\t=== gdb Summary ===

# of expected passes\t\t2
"""


def outcome(file: str, board: str, passes: int, fails: int = 0, end: str = "done") -> Outcome:
    return Outcome(file, board, {"PASS": passes, "FAIL": fails}, {}, 1.0, end)


RESULTS = {
    "gdb.base/a.exp": {"gdbserver": outcome("gdb.base/a.exp", "gdbserver", 10), "qemu": outcome("gdb.base/a.exp", "qemu", 4, 6),
                       "xemu": outcome("gdb.base/a.exp", "xemu", 12)},
    "gdb.base/b.exp": {"gdbserver": outcome("gdb.base/b.exp", "gdbserver", 7), "qemu": outcome("gdb.base/b.exp", "qemu", 6),
                       "xemu": outcome("gdb.base/b.exp", "xemu", 5, 2, "time limit")},
    "gdb.mi/c.exp": {"gdbserver": outcome("gdb.mi/c.exp", "gdbserver", 3), "xemu": outcome("gdb.mi/c.exp", "xemu", 1)},
}  # fmt: skip


def test_a_summary_is_counted_by_verdict() -> None:
    counts, tests = parse_summary(SUM, "gdb.base/break.exp")
    assert counts == {"PASS": 2, "FAIL": 1, "KFAIL": 1, "UNSUPPORTED": 1, "WARNING": 1}
    assert tests["FAIL"] == ["finish (timeout)"]


def test_a_pass_that_was_not_expected_is_a_pass() -> None:
    kept = Outcome("gdb.base/a.exp", "xemu", {"PASS": 3, "KPASS": 2, "XPASS": 1, "KFAIL": 4, "FAIL": 5, "UNRESOLVED": 6})
    assert (kept.passes, kept.failures) == (6, 11)


def test_files_are_chosen_by_patterns(tmp_path: Path) -> None:
    for name in ("gdb.base/break.exp", "gdb.base/break-always.exp", "gdb.mi/mi-break.exp", "gdb.ada/x.exp", "gdb.base/break.c"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert select(tmp_path, ["gdb.base/break*.exp"]) == ["gdb.base/break-always.exp", "gdb.base/break.exp"]
    assert select(tmp_path, ["gdb.*/*break.exp"]) == ["gdb.base/break.exp", "gdb.mi/mi-break.exp"]
    assert select(tmp_path, []) == ["gdb.base/break-always.exp", "gdb.base/break.exp", "gdb.mi/mi-break.exp"]


def test_results_are_kept_and_damaged_ones_are_no_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gdb_runs, "work", lambda: tmp_path)
    kept = RESULTS["gdb.base/b.exp"]["xemu"]
    keep(kept)
    assert load_outcome("xemu", "gdb.base/b.exp") == kept
    assert load_outcome("qemu", "gdb.base/b.exp") is None
    gdb_runs.result_path("xemu", "gdb.base/b.exp").write_text("{")
    assert load_outcome("xemu", "gdb.base/b.exp") is None


def test_what_is_below_needs_a_reason() -> None:
    assert gdb_report.unexplained(RESULTS, {}) == ["gdb.base/b.exp", "gdb.mi/c.exp"]
    assert gdb_report.unexplained(RESULTS, {"gdb.mi/*": "no MI"}) == ["gdb.base/b.exp"]
    assert gdb_report.reason_for("gdb.mi/c.exp", {"gdb.mi/*": "pattern", "gdb.mi/c.exp": "file", "gdb*": "short"}) == "file"
    assert gdb_report.reason_for("gdb.mi/d.exp", {"gdb.mi/*": "pattern", "gdb.mi/c.exp": "file", "gdb*": "short"}) == "pattern"


def test_the_page_has_sums_and_every_difference() -> None:
    text = gdb_report.page(RESULTS, {"gdb.base/b.exp": "not yet"})
    assert "| gdb.base | 2 | 17 | 0 | 10 | 6 | 17 | 2 |" in text
    assert "| gdb.base/b | 7 | 5 (2 fail), time limit | 6 | not yet |" in text
    assert "| gdb.mi/c | 3 | 1 | – | **none yet** |" in text
    assert "gdb.base/a |" not in text
    assert "QEMU's stub passes more in: gdb.base/b.exp." in text
    assert "not been measured" in gdb_report.page({file: {"qemu": o["gdbserver"]} for file, o in RESULTS.items()}, {})


def test_reasons_of_the_project_can_be_read() -> None:
    assert all(isinstance(text, str) and text for text in gdb_report.read_reasons().values())


def test_what_a_run_leaves_is_killed_whatever_its_session() -> None:
    mark = f"test-{os.getpid()}"
    sleeper = subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: mark}, start_new_session=True)
    other = subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: f"{mark}0"})
    try:
        kill_marked(mark)
        assert sleeper.wait(10) == -9
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_listening_port_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listening(port)
    assert not listening(port)


@pytest.mark.parametrize("words", [["--once", "--multi", "localhost:1"], ["localhost:1"], ["--once", "nowhere", "prog"]])
def test_what_qemu_cannot_do_fails_at_once(words: list[str]) -> None:
    done = subprocess.run([sys.executable, gdb_runs.ALL_BOARDS["qemu"].server[1], "/", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert ": cannot resolve name: " in done.stdout


def test_wrong_names_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        gdb_testsuite.read_options(["--boards", "xemu,quemu"])
    assert "no board quemu; there are gdbserver, qemu, xemu" in capsys.readouterr().err
