"""`xemu trace`, `xemu snap` and `xemu replay` as commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.programs import SAMPLES as PROGRAMS
from xemu.debug.accesses import holds

ROOT = Path(__file__).parent.parent
FIRMWARE = ROOT / "samples" / "firmware" / "elf"
KERNEL = FIRMWARE / "mps2-an385" / "kernel.elf"
FAULTS = FIRMWARE / "mps2-an385" / "faults.elf"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}


def xemu(*words: object, code: int = 0) -> tuple[str, str]:
    done = subprocess.run([sys.executable, "-m", "xemu", *map(str, words)], capture_output=True, timeout=240, env=ENVIRONMENT, check=False,
                          stdin=subprocess.DEVNULL, text=True)
    assert done.returncode == code, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout, done.stderr


# -- trace -------------------------------------------------------------------------------------------------------------------


def test_the_last_instructions_of_a_program() -> None:
    out, trace = xemu("trace", "--last", 4, PROGRAMS / "hello")
    assert out == "Hello from 32-bit ARM.\n"
    lines = trace.splitlines()
    assert [line.split()[0] for line in lines] == ["288", "289", "290", "291", "292"]
    assert "r7=f8" in lines[0]                                # exit_group
    assert lines[-1].endswith("-- exited with 0")


def test_lines_of_json(tmp_path: Path) -> None:
    xemu("trace", "--last", 20, "--format", "jsonl", "-o", tmp_path / "t", PROGRAMS / "hello")
    rows = [json.loads(line) for line in (tmp_path / "t").read_text().splitlines()]
    assert [row["insn"] for row in rows] == list(range(272, 293))
    assert {"insn", "beat", "thread", "pc", "symbol", "code", "text", "registers"} <= rows[0].keys()
    assert any(access["access"] == "w" for row in rows for access in row.get("memory", ()))
    assert rows[-1]["note"] == "exited with 0"


def test_from_a_place_to_a_place() -> None:
    out, _ = xemu("trace", "-M", "mps2-an385", "--start", "main", "--stop", "produce_thread", "-o", "-", KERNEL)
    lines = [line for line in out.splitlines() if line.startswith("    ")]
    assert " main  " in lines[0]
    assert len(lines) > 100
    counts = [int(line.split()[0]) for line in lines if " -- " not in line]
    assert counts == list(range(counts[0], counts[0] + len(counts)))


def test_interrupts_are_lines_and_every_instruction_is_there(tmp_path: Path) -> None:
    xemu("trace", "-M", "mps2-an385", "--start", "290000", "--stop", "291500", "--format", "jsonl", "-o", tmp_path / "t", KERNEL)
    rows = [json.loads(line) for line in (tmp_path / "t").read_text().splitlines()]
    notes = [row for row in rows if "note" in row]
    assert [row["note"] for row in notes] == ["SysTick"]
    assert notes[0]["symbol"] == "systick_handler"
    done = [row["insn"] for row in rows if "note" not in row]
    assert done == list(range(290_000, 291_500))
    assert any(row.get("text") == "exception return" for row in rows)


def test_filters() -> None:
    out, _ = xemu("trace", "-M", "mps2-an385", "--last", 2000, "--filter", "uart_put", "-o", "-", KERNEL)
    lines = [line for line in out.splitlines() if line.startswith("    ")]
    assert lines
    assert all(" uart_put" in line for line in lines)
    calls, _ = xemu("trace", "-M", "mps2-an385", "--last", 2000, "--calls", "-o", "-", KERNEL)
    calls = "\n".join(line for line in calls.splitlines() if line.startswith("    "))
    assert "uart_put " in calls
    assert "uart_put+" not in calls
    _, error = xemu("trace", "-M", "mps2-an385", "--filter", "nowhere", "--last", 5, KERNEL, code=2)
    assert "--filter nowhere: no such symbol" in error


def test_the_way_to_a_crash_is_fast() -> None:
    """`--last` runs at full speed up to the end; 150 million instructions are not traced."""
    began = time.monotonic()
    _, trace = xemu("trace", "--last", 100, PROGRAMS / "primes-thumb")
    assert time.monotonic() - began < 60
    assert len(trace.splitlines()) == 101


def test_faults_are_lines() -> None:
    out, _ = xemu("trace", "-M", "mps2-an385", "--last", 5000, "-o", "-", FAULTS)
    assert "Fault" in out


@pytest.mark.parametrize(("words", "message"), [
    (("trace",), "no target given"), (("trace", "none"), "none: no such file"), (("trace", "--last", "0", "x"), "--last 0: not a COUNT"),
    (("trace", "--format", "xml", "x"), "--format xml: not a text|jsonl"), (("snap", "x"), "a target, -o FILE and --at WHERE"),
    (("replay",), "one recording"), (("replay", KERNEL), "is no recording of xemu"),
], ids=lambda value: " ".join(map(str, value))[-20:] if isinstance(value, tuple) else None)
def test_bad_command_lines(words: tuple[object, ...], message: str) -> None:
    done = subprocess.run([sys.executable, "-m", "xemu", *map(str, words)], capture_output=True, env=ENVIRONMENT, check=False, text=True)
    assert done.returncode in (2, 126, 127)
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("condition", "flags", "wanted"), [(0, 4, True), (1, 4, False), (8, 2, True), (9, 2, False), (12, 0, True),
                                                            (13, 8, True), (14, 0, True), (10, 9, True), (11, 8, True)])
def test_conditions(condition: int, flags: int, wanted: bool) -> None:
    assert holds(condition, flags << 28) is wanted


# -- snapshots ---------------------------------------------------------------------------------------------------------------


def test_a_snapshot_of_a_machine_goes_on(tmp_path: Path) -> None:
    snap = tmp_path / "a.snap"
    whole, _ = xemu("boot", "-M", "mps2-an385", KERNEL)
    before, _ = xemu("snap", "-M", "mps2-an385", KERNEL, "-o", snap, "--at", "100000", "--with-symbols")
    printed, _, said = before.rpartition(f"{snap}: instruction 100,000, at 0x")
    assert "(" in said
    rest, _ = xemu("boot", snap)
    assert printed + rest == whole
    assert "the same as recorded" in xemu("replay", snap)[0]


def test_what_two_snapshots_differ_in(tmp_path: Path) -> None:
    for name, where in (("a", "main"), ("b", "10ms")):
        xemu("snap", "-M", "mps2-an385", "--with-symbols", KERNEL, "-o", tmp_path / name, "--at", where)
    out, _ = xemu("snap", "--diff", tmp_path / "a", tmp_path / "b", code=1)
    assert "pc: 0x434 → " in out
    assert "sp: " in out
    assert "scs." in out
    assert any(line.startswith("memory 2000") and " bytes threads" in line for line in out.splitlines())
    assert xemu("snap", "--diff", tmp_path / "a", tmp_path / "a") == ("", "")


def test_snapshots_of_programs_are_looked_at_but_do_not_go_on(tmp_path: Path) -> None:
    snap = tmp_path / "p.snap"
    xemu("snap", PROGRAMS / "primes-thumb", "-o", snap, "--at", "1000000")
    assert "is of a program" in xemu("boot", snap, code=126)[1]
    xemu("snap", snap, "-o", tmp_path / "again", "--at", "start")
    assert xemu("snap", "--diff", snap, tmp_path / "again") == ("", "")


def test_a_snapshot_of_a_recording(tmp_path: Path) -> None:
    recording, snap = tmp_path / "r", tmp_path / "s"
    xemu("boot", "-M", "mps2-an385", "--record", recording, KERNEL)
    assert "to go on from its end: xemu snap" in xemu("boot", recording, code=126)[1]
    xemu("snap", recording, "-o", snap, "--at", "200000")
    direct = tmp_path / "d"
    xemu("snap", "-M", "mps2-an385", KERNEL, "-o", direct, "--at", "200000")
    assert xemu("snap", "--diff", snap, direct) == ("", "")


def test_a_place_that_is_never_reached(tmp_path: Path) -> None:
    assert "was never reached" in xemu("snap", PROGRAMS / "hello", "-o", tmp_path / "x", "--at", "99999999", code=125)[1]
    assert "nor a symbol or address" in xemu("snap", PROGRAMS / "hello", "-o", tmp_path / "x", "--at", "nowhere", code=2)[1]
    assert not (tmp_path / "x").exists()
