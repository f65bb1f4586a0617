"""The screen: driven by keys, on real guests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.screen import SIZES, Screen, drive, same_picture

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
CONSOLE = SAMPLES / "firmware/elf/mps2-an385/console.elf"
KERNEL = SAMPLES / "firmware/elf/mps2-an385/kernel.elf"


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_first_stops(size: tuple[int, int]) -> None:
    async def work(s: Screen) -> None:
        await s.press("n", "n", "n")
        same_picture(s, f"kernel-{size[0]}x{size[1]}")

    drive(work, KERNEL, size=size)


def test_every_motion_goes_back() -> None:
    async def work(s: Screen) -> None:
        app = s.app
        await s.press("s", "i", "n")
        there = app.stop.insns
        await s.press("i", "I")
        assert app.stop.insns == there
        assert "in the past" in s.text()
        await s.press("C")
        assert app.stop.insns == 0

    drive(work, KERNEL)


def test_a_register_is_changed_by_hand() -> None:
    async def work(s: Screen) -> None:
        await s.keys("1", "home", "e")
        s.app.prompt.value = ""
        await s.type("0x1234")
        await s.until(lambda: "00001234" in s.text("registers"))

    drive(work, KERNEL)


def test_a_missing_file_is_one_clear_line() -> None:
    async def work(s: Screen) -> None:
        await s.until(lambda: "no-such-file: no such file" in s.text())

    drive(work, "/no-such-file", settle=False)


def test_memory_is_edited_followed_searched_and_shown_in_every_form() -> None:
    async def work(s: Screen) -> None:
        pane = s.app.desk.panes["memory"]
        await s.keys("5", "g")
        await s.type("stack_top-0x40")
        await s.until(lambda: "203fffc0" in s.text("memory"))
        await s.keys("home", "e")
        await s.type('"needle in a haystack"')
        await s.until(lambda: "needle in a hays" in s.text("memory"))
        await s.keys("e")
        await s.type("0x20000010")
        await s.until(lambda: "does not fit in 8 bits" in s.text())
        await s.keys("e")
        await s.type("10 00 00 20")
        await s.until(lambda: "10 00 00 20" in s.text("memory"))
        await s.keys("asterisk")
        await s.until(lambda: any(item.key == 0x20000010 for item in pane.lines))
        await s.keys("slash")
        await s.type("haystack")
        await s.until(lambda: "found at 0x203fffcc" in s.text())
        seen = set()
        for _ in range(9):
            await s.keys("x")
            seen.add(s.lines("memory")[0])
        assert len(seen) == 9
        await s.keys("slash")
        await s.type("nowhere to be found")
        await s.until(lambda: "not found in memory" in s.text())

    drive(work, KERNEL)


def test_heat_shows_what_was_touched_and_moves_nothing() -> None:
    async def work(s: Screen) -> None:
        await s.type_break("on_tick")
        await s.press("c", "n")
        there = s.app.stop.insns
        await s.keys("5", "g")
        await s.type("ticks")
        await s.keys("H")
        pane = s.app.desk.panes["memory"]
        await s.until(lambda: pane.extra.get("heat") is not None and "w" in {kind for kind, _ in pane.extra["heat"].touches.values()})
        await s.press("i")
        assert s.app.stop.insns == there + 1

    drive(work, KERNEL)


def test_code_can_be_looked_at_anywhere() -> None:
    async def work(s: Screen) -> None:
        await s.keys("2", "g")
        await s.type("on_tick")
        await s.until(lambda: "on_tick:" in s.text("code"))
        await s.keys("m")
        await s.until(lambda: "kernel.c · source" in s.text("code"))
        await s.keys("slash")
        await s.type("preemptions")
        await s.keys("b")
        await s.until(lambda: "●" in s.text("code"))
        await s.press("c")
        assert "breakpoint 1" in s.text()
        await s.keys("full_stop", "pageup", "pageup", "pagedown", "full_stop")
        await s.until(lambda: "▶" in s.text("code"))

    drive(work, KERNEL)


def test_steps_that_are_typed_fast_are_all_made() -> None:
    async def work(s: Screen) -> None:
        await s.keys(*"iiiiiiii")
        await s.until(lambda: s.app.stop.insns == 8, "eight steps")
        await s.keys("c", "i")
        await s.until(lambda: "Ctrl-C pauses it" in s.text())
        await s.press("ctrl+c")
        assert s.app.stop.kind == "pause"

    drive(work, CONSOLE)                                                # runs for ever


def test_a_source_that_assemblers_name_without_its_directory_is_found() -> None:
    async def work(s: Screen) -> None:
        assert "ldr r0, =start" in s.text("code")
        assert "is not there" not in s.text("code")

    drive(work, KERNEL)
