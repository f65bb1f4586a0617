"""What outlives a guest: points, panes and layout, over new builds of its file and from one run of the screen to the next."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.screen import Screen, drive
from tests.support.boot import FIRMWARE
from xemu.cli.demo import sample
from xemu.tui.keeping import moved
from xemu.tui.reload import Opening

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STATION = FIRMWARE / "mps2-an385/station.elf"
BARE = "arm-none-eabi-"
PROGRAM = """
int counter, limit;
void reset(void);
__attribute__((section(".vectors"))) void *vectors[] = {(void *)0x20001000, reset};
static int twice(int x) {
    return 2 * x;
}
void reset(void) {
    for (;;) {
        counter += twice(counter);
        limit++;
    }
}
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the screen remembers things."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state/xemu/programs"


def compiled(place: Path, source: str) -> Path:
    """Build firmware at its place."""
    program = place / "program.c"
    program.write_text(source, encoding="utf-8")
    output = place / "program.elf"
    subprocess.run([f"{BARE}gcc", program, "-o", output, "-mcpu=cortex-m3", "-mthumb", "-g", "-O0", "-nostdlib",
                    "-Wl,-Ttext=0x100,-Tdata=0x20000000", "-Wl,--section-start=.vectors=0,-e,reset,--build-id=none"], check=True)
    return output


def points(s: Screen) -> list[dict[str, Any]]:
    return list(s.app.keeper.points)


def test_everything_is_there_again_the_next_time(state: Path) -> None:
    async def first(s: Screen) -> None:
        await s.app.client.do("break_at", where="measure", condition="now == 20", ignore=1)
        await s.app.client.do("break_at", where=0x10E, log="a letter {*name}")
        await s.app.client.do("watch", where="sensors[1].read", access="a")
        await s.app.client.do("catch", kind="irq", detail=(8,))
        await s.app.client.do("enable", number=1, on=False)
        await s.keys("1", "x", "2", "m", "v", "z")
        await s.until(lambda: len(points(s)) == 4)

    async def second(s: Screen) -> None:
        await s.until(lambda: s.app.life.opened)
        await s.app.client.do("keeping.points")
        await s.until(lambda: len(points(s)) == 4)
        assert s.app.desk.arrangement.layout == "machine"
        assert s.app.desk.arrangement.zoomed
        assert s.app.pane("code").mode == "source"
        assert s.app.pane("registers").radix == "unsigned"
        one, two, three, four = points(s)
        assert (one["where"], one["condition"], one["ignore"], one["enabled"]) == ("measure", "now == 20", 1, False)
        assert (two["address"], two["where"], two["log"]) == (0x10E, "src/station.c:38", "a letter {*name}")
        assert (three["where"], three["length"], three["access"]) == ("sensors[1].read", 4, "a")
        assert (four["kind"], four["catch"]) == ("catch", "irq")

    drive(first, STATION, keep=True)
    assert len(list(state.glob("*.json"))) == 1
    drive(second, STATION, keep=True)
    drive(lambda s: s.until(lambda: s.app.desk.arrangement.layout == "data"), STATION, keep=True, layout="data")


def test_a_damaged_file_is_ignored_and_the_log_says_so(state: Path) -> None:
    async def nothing(s: Screen) -> None:
        await s.until(lambda: s.app.life.opened)

    async def damaged(s: Screen) -> None:
        await s.until(lambda: s.app.life.opened)
        assert any(": damaged, ignored" in text for text in s.app.log_lines)
        assert s.app.desk.arrangement.layout == "code"

    drive(nothing, STATION, keep=True)
    (path,) = state.glob("*.json")
    good = path.read_text(encoding="utf-8")
    for text in (good[: len(good) // 2], json.dumps({"format": 1, "active": {"x": "code"}})):
        path.write_text(text, encoding="utf-8")
        drive(damaged, STATION, keep=True)
        assert json.loads(path.read_text(encoding="utf-8"))["format"] == 1           # a good one stands there again


def test_a_new_build_has_the_points_of_the_old_one(state: Path, tmp_path: Path, need: Callable[..., str]) -> None:
    need(f"{BARE}gcc")
    elf = compiled(tmp_path, PROGRAM)
    source = tmp_path / "program.c"

    async def first(s: Screen) -> None:
        line = PROGRAM.splitlines().index("        limit++;") + 1
        await s.app.client.do("break_at", where=f"{source.name}:{line}")
        await s.app.client.do("break_at", where="twice")
        await s.app.client.do("watch", where="limit")
        await s.until(lambda: len(points(s)) == 3)
        await s.press("c")
        assert "twice" in s.app.stop.text
        assert "built anew" not in s.text()
        compiled(tmp_path, "\n\n" + PROGRAM.replace("counter, limit", "other, counter, limit"))
        await s.until(lambda: "built anew" in s.text(), "the header says it")
        await s.press("R")
        await s.until(lambda: s.app.life.opened and len(points(s)) == 3)
        assert "built anew" not in s.text()
        assert (s.app.stop.insns, s.app.stop.live) == (0, True)
        assert any(f"{source.name}:{line} has moved with its line to {source.name}:{line + 2}" in text for text in s.app.log_lines)
        await s.press("c")
        await s.press("c")
        assert f"{source.name}:{line + 2}" in s.app.stop.text
        compiled(tmp_path, PROGRAM.replace("limit++", "limit += 3"))
        await s.until(lambda: "built anew" in s.text())
        await s.press("R")
        await s.until(lambda: any("stays there, but the line has changed: it was limit++;" in text for text in s.app.log_lines))

    async def second(s: Screen) -> None:
        await s.until(lambda: s.app.keeper.build == s.app.hello.build and len(points(s)) == 3)
        assert [row["where"].rpartition("/")[2] for row in points(s)][1:] == ["twice", "limit"]

    drive(first, elf, machine="mps2-an385", keep=True)
    compiled(tmp_path, PROGRAM + "int more;\n")      # built while the screen is closed
    drive(second, elf, machine="mps2-an385", keep=True)
    assert len(list(state.glob("*.json"))) == 2


def test_a_watched_file_is_loaded_when_it_has_settled(tmp_path: Path) -> None:
    copy = tmp_path / "copy.elf"
    copy.write_bytes(STATION.read_bytes())

    async def work(s: Screen) -> None:
        await s.app.client.do("break_at", where="measure")
        await s.press("c")
        copy.write_bytes(b"")                        # as a linker begins
        copy.write_bytes((FIRMWARE / "mps2-an385/timer.elf").read_bytes())
        await s.until(lambda: s.app.life.starts == 2 and s.app.stop is not None and s.app.life.opened)
        assert any("measure: not found; the breakpoint waits for it" in text for text in s.app.log_lines)
        copy.write_bytes(b"\x7fELF nonsense")
        await s.until(lambda: s.app.life.starts == 3 and s.app.ended)
        copy.write_bytes(STATION.read_bytes())
        await s.until(lambda: s.app.life.starts == 4 and s.app.stop is not None and s.app.life.opened)
        await s.press("c")
        assert "measure" in s.app.stop.text

    drive(work, copy, machine="mps2-an385", opening=Opening(watch=True))


def test_a_guest_that_has_ended_or_died_is_started_again() -> None:
    async def work(s: Screen) -> None:
        await s.press("c")
        assert s.app.stop.final
        await s.press("R")
        assert (s.app.stop.insns, s.app.ended) == (0, None)
        await s.press("n")
        os.kill(s.app.client.process.pid, signal.SIGKILL)
        await s.until(lambda: s.app.ended is not None)
        assert "ENDED" in s.text()
        await s.press("R")
        await s.press("n")
        assert "ENDED" not in s.text()
        assert s.app.stop.insns > 0

    drive(work, STATION)


@pytest.mark.parametrize(("now", "line", "expected"), [
    ("a\nb\nc", 2, 2), ("x\na\nb\nc", 2, 3), ("b\na\nc\nb", 3, 4), ("a\nc", 2, None), ("  b", 2, 1), ("", 2, 2)])
def test_a_line_is_found_where_it_moved_to(now: str, line: int, expected: int | None) -> None:
    assert moved(now.splitlines(), line, "b") == expected


def test_a_linux_program_is_started_again_with_its_points() -> None:
    async def work(s: Screen) -> None:
        await s.app.client.do("break_at", where="main")
        await s.press("c")
        assert "main" in s.app.stop.text
        there = s.app.stop.insns
        await s.press("R")
        await s.until(lambda: s.app.life.opened)
        assert s.app.stop.insns == 0
        await s.press("c")
        assert (s.app.stop.insns, len(points(s))) == (there, 1)

    drive(work, sample("arm/primes"))
