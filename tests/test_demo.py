"""`xemu demo`: the bug of the sample is found as its hint says, also from a wheel in a clean place."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.screen import Screen, drive
from xemu.cli.demo import HINT, SAMPLES, STATION, main, sample
from xemu.tui.reload import Opening

ROOT = Path(__file__).resolve().parents[1]


def test_the_bug_is_found_as_the_hint_says() -> None:
    async def work(s: Screen) -> None:
        for line in HINT.strip().splitlines():
            assert line in s.text()
        await s.press("c")
        assert "on_exception () at runtime.c" in s.app.stop.text
        assert "measure" in s.text("stack")
        assert await s.app.client.do("evaluate", text="sensors[1].read") == "0x32206573"
        await s.keys("w")
        await s.type("sensors[1].read")
        await s.press("C")
        assert "rename () at station.c" in s.app.stop.text
        stack = s.text("stack")
        assert stack.index("rename") < stack.index("commands") < stack.index("main")
        assert await s.app.client.do("evaluate", text="sensor->name") == '"greenhou"'
        await s.keys("escape")
        assert HINT.strip().splitlines()[0] not in s.text()

    drive(work, sample(STATION), machine="mps2-an385", opening=Opening(places=("on_exception",)), hint=HINT)


def test_the_hint_has_six_lines_that_fit() -> None:
    lines = HINT.strip().splitlines()
    assert len(lines) == 6
    assert max(map(len, lines)) < 80


@pytest.mark.parametrize("size", ["160x48", "80x24"])
def test_without_a_terminal_it_is_text(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--size", size]) == 0
    shown = capsys.readouterr().out
    assert "on_exception () at" in shown.splitlines()[0]
    assert "sensors[1].read" in shown


def test_all_samples_are_there() -> None:
    assert [name for name in SAMPLES if not Path(sample(name)).is_file()] == []


@pytest.mark.slow
def test_a_wheel_in_a_clean_place(tmp_path: Path) -> None:
    """Two lines of a user, with an empty HOME: pip install . and xemu demo."""
    skipped = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__", "build", "*.egg-info", ".cache", ".hypothesis")
    shutil.copytree(ROOT, tmp_path / "source", symlinks=True, ignore=skipped)
    home = tmp_path / "home"
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}

    def run(*words: object, home: Path = home) -> str:
        done = subprocess.run(list(map(str, words)), cwd=home, env={**environment, "HOME": str(home)}, capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    run(sys.executable, "-m", "venv", tmp_path / "env", home=tmp_path)
    python = tmp_path / "env/bin/python"
    packages = Path(pytest.__file__).parents[1]                # what xemu needs is here already: nothing is fetched
    run(sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, "install", "--quiet", "--no-deps",
        tmp_path / "source", home=tmp_path)
    (site,) = (tmp_path / "env/lib").glob("python*/site-packages")
    (site / "needed.pth").write_text(f"{packages}\n", encoding="utf-8")
    xemu = tmp_path / "env/bin/xemu"
    assert str(site) in run(python, "-c", "import xemu; print(xemu.__file__)")
    shown = run(xemu, "demo")
    assert "on_exception () at runtime.c" in shown
    assert HINT.strip().splitlines()[0] in shown
    listed = re.findall(r"^  (\S+)", run(xemu, "debug"), re.MULTILINE)
    assert len(listed) == len(SAMPLES)
    assert all(path.startswith(str(site)) for path in listed)
    for path in (listed[3], listed[-1]):
        assert Path(path).name in run(xemu, "debug", "--text", path).splitlines()[0]
    shown = run(xemu, "debug", "--text", "--break", "main", listed[1])
    assert 'print("kernel on %s\\n", BOARD);' in shown        # its source came along
    assert "xemu can run" in run(xemu, "doctor")
    assert sorted(path.name for path in home.iterdir()) == [".cache"]
