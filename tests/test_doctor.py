"""`xemu doctor`: what it finds, and what it says about what is missing."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from xemu.cli import doctor
from xemu.core import hostmem
from xemu.errors import UsageError

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with no programs, no terminal, nothing kept and nothing configured."""
    for name, where in (("XDG_CACHE_HOME", "cache"), ("XDG_STATE_HOME", "state"), ("XDG_CONFIG_HOME", "config"), ("PATH", "bin")):
        monkeypatch.setenv(name, str(tmp_path / where))
    for name in ("NO_COLOR", "COLORTERM", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "bin").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def found(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    """Return what --json says, by name."""
    doctor.main(["--json"])
    return {row["name"]: row for row in json.loads(capsys.readouterr().out)}


def program(place: Path, name: str, text: str) -> None:
    """Put a program on the PATH."""
    path = place / "bin" / name
    path.write_text(f"#!{sys.executable}\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def test_what_is_there_and_what_is_missing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program(place, "arm-none-eabi-gdb", "print('GNU gdb (Arm 14.2) 15.90.20241130-git\\nmore')")
    program(place, "qemu-arm", "raise SystemExit(1)")
    rows = found(capsys)
    assert rows["llvmlite"]["state"] == "ok"
    assert rows["arm-none-eabi-gdb"]["detail"] == f"15.90.20241130 at {place}/bin/arm-none-eabi-gdb"
    assert rows["qemu-arm"]["state"] == "ok"
    assert rows["arm-none-eabi-gcc"] == {"group": "tools", "name": "arm-none-eabi-gcc", "state": "missing", "detail": "not found",
                                         "cost": "no firmware can be built here", "command": "sudo apt-get install gcc-arm-none-eabi"}
    assert all(row["cost"] and row["command"] for row in rows.values() if row["state"] != "ok")
    assert rows["64-bit guests"]["detail"] == "addresses of 46 bits"
    assert doctor.main([]) == 0
    text = capsys.readouterr().out
    assert "  -   gdbserver " in text
    assert "mended by: sudo apt-get install gdbserver" in text
    assert text.endswith("\nxemu can run\n")


def test_a_package_without_which_nothing_runs(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    del place
    monkeypatch.setattr(doctor, "PACKAGES", {"llvmlite-of-nowhere": ("nothing runs", True)})
    assert doctor.main([]) == 1
    text = capsys.readouterr().out
    assert "  !!  llvmlite-of-nowhere" in text
    assert text.endswith("xemu does not run without llvmlite-of-nowhere\n")


@pytest.mark.parametrize(("environment", "name", "state", "detail"), [
    ({"TERM": "dumb"}, "TERM", "missing", "dumb"), ({"TERM": "xterm-256color"}, "TERM", "ok", "xterm-256color"),
    ({"TERM": "no-such-thing"}, "TERM", "ok", "no-such-thing (not in terminfo)"),
    ({"TERM": "xterm-256color"}, "colours", "ok", "256"), ({"TERM": "vt100"}, "colours", "missing", "0"),
    ({"TERM": "vt100", "COLORTERM": "truecolor"}, "colours", "ok", "16 million (COLORTERM)"),
    ({"NO_COLOR": "1"}, "colours", "ok", "none: NO_COLOR is set"),
    ({"COLUMNS": "60", "LINES": "20"}, "size", "missing", "60×20"), ({"COLUMNS": "160", "LINES": "48"}, "size", "ok", "160×48")])
def test_the_terminal(environment: dict[str, str], name: str, state: str, detail: str, place: Path) -> None:
    command = [sys.executable, "-m", "xemu", "doctor", "--json"]          # a process has one terminal for all its life
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, cwd=place, capture_output=True, check=True)
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert (rows[name]["state"], rows[name]["detail"]) == (state, detail)


def test_what_is_kept_and_configured(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(capsys)["cache"]["detail"] == f"{place}/cache/xemu: empty"
    (place / "cache/xemu/build").mkdir(parents=True)
    (place / "cache/xemu/build/handlers").write_bytes(bytes(5000))
    (place / "here/xemu.toml").write_text('script = "x.py"\n', encoding="utf-8")
    rows = found(capsys)
    assert rows["cache"]["detail"] == f"{place}/cache/xemu: 1 file, 5 KiB"
    assert rows["configuration"]["detail"] == f"{place}/here/xemu.toml, not trusted"
    assert (rows["configuration"]["cost"], rows["configuration"]["command"]) == ("script cannot be used", "xemu trust")
    (place / "here/xemu.toml").write_text("them = 1\n", encoding="utf-8")
    assert "did you mean 'theme'?" in found(capsys)["configuration"]["detail"]
    if os.getuid():
        (place / "cache").chmod(0o500)
        assert found(capsys)["cache"]["state"] == "missing"


def test_it_takes_no_arguments() -> None:
    with pytest.raises(UsageError, match="takes no arguments"):
        doctor.main(["now"])


@pytest.mark.parametrize(("most", "detail"), [(1 << 40, "addresses of 38 bits; the host refuses 46"),
                                              (1 << 20, "the host refuses to reserve 2**38 bytes (Cannot allocate memory); see ulimit -v")])
@pytest.mark.usefixtures("place")
def test_a_host_with_little_address_space(most: int, detail: str, capsys: pytest.CaptureFixture[str],
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    def mmap(address: int, length: int, *rest: int) -> int:
        if length > most:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        return mmap_of_host(address, length, *rest)

    mmap_of_host = hostmem.mmap
    monkeypatch.setattr(hostmem, "mmap", mmap)
    row = found(capsys)["64-bit guests"]
    assert (row["state"], row["detail"], row["command"]) == ("missing", detail, "ulimit -v unlimited")
