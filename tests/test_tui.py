"""The screen: driven by keys, on real guests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.screen import SIZES, Screen, drive, same_picture

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
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
