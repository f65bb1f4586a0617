"""The screen's stack, locals and watch panes, and the frame that is selected."""

from __future__ import annotations

from pathlib import Path

from tests.screen import Screen, drive

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
KERNEL = SAMPLES / "firmware/elf/mps2-an385/kernel.elf"


async def to_tick(s: Screen) -> None:
    """Run to the tenth tick, which has interrupted a thread."""
    await s.app.client.do("break_at", where="on_tick", condition="ticks == 10")
    await s.press("c")


def test_a_selected_frame_is_shown_by_all_panes() -> None:
    async def work(s: Screen) -> None:
        await to_tick(s)
        s.app.desk.show("stack")
        await s.settled()
        rows = [text for text in s.lines("stack") if "#" in text]
        assert rows[0].startswith("▶#0  on_tick kernel.c:72")
        assert rows[1].startswith(" #1  <SysTick>")
        assert rows[3].startswith(" #3  work kernel.c:278 inlined")
        assert any("stack from sp up" in text for text in s.lines("stack"))
        await s.keys("home", "j", "j", "enter")
        await s.until(lambda: "◁" in s.text("code"))
        await s.until(lambda: "of frame #2" in s.text("registers"))
        assert s.lines("stack")[2].startswith("◁#2")
        assert any(text.startswith(" ◁00000108") for text in s.lines("code"))
        assert any("▶pc   00000108" in text for text in s.lines("registers"))
        assert any(text.startswith(" primask   -") for text in s.lines("registers"))       # nobody knows it there
        await s.press("i")
        assert s.app.frame == 0 and "◁" not in s.text("code") and "of frame" not in s.text("registers")

    drive(work, KERNEL)
