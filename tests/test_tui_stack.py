"""The screen's stack, locals and watch panes, and the frame that is selected."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

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
        assert any(text.startswith(" ◁") and "00000108" in text for text in s.lines("code"))
        assert any("▶pc   00000108" in text for text in s.lines("registers"))
        assert any(text.startswith(" primask   -") for text in s.lines("registers"))       # nobody knows it there
        await s.press("i")
        assert s.app.frame == 0
        assert "◁" not in s.text("code")
        assert "of frame" not in s.text("registers")

    drive(work, KERNEL)


def rows(s: Screen, pane: str) -> list[str]:
    """Return a pane's lines with single blanks."""
    return [" ".join(text.split()) for text in s.lines(pane)]


async def cursor_on(s: Screen, pane: str, words: str) -> None:
    """Put the cursor on the line of a pane that begins with some words."""
    found = next(i for i, text in enumerate(rows(s, pane)) if text.startswith(words))
    s.app.desk.show(pane)
    s.app.desk.panes[pane].move_to(found)
    await s.pilot.pause()


def test_variables_say_what_they_were_and_can_be_changed() -> None:
    async def work(s: Screen) -> None:
        await s.app.client.do("break_at", where="produce")
        await s.press("c")
        s.app.desk.show("locals")
        await s.settled()
        await s.press("n", "n", "n")
        assert rows(s, "locals")[:2] == ["i unsigned int 0", "value uint32_t 1015568748"]
        await s.press("n", "n", "n")
        here = rows(s, "locals")
        assert "value uint32_t 1586005467 was 1015568748" in here
        assert "value uint32_t <optimized out>" in here                      # of an inner block
        await cursor_on(s, "locals", "value uint32_t 1586")
        await s.keys("x")
        await s.until(lambda: "value uint32_t 0x5e8885db /x" in rows(s, "locals"))
        await s.keys("e")
        assert s.app.prompt.value == "0x5e8885db"
        s.app.prompt.value = ""
        await s.type("raw.count + 7")
        await s.until(lambda: "value uint32_t 0x7 /x" in rows(s, "locals"))
        assert await s.app.client.do("evaluate", text="value") == "7"
        await cursor_on(s, "locals", "▸ globals")                           # opened only now
        await s.keys("enter")
        await s.until(lambda: any("▸ threads" in text for text in rows(s, "locals")))
        await cursor_on(s, "locals", "▸ threads")
        await s.keys("enter")
        await s.until(lambda: any("▸ [0] struct" in text for text in rows(s, "locals")))
        await cursor_on(s, "locals", "▸ [0] struct")
        await s.keys("enter")
        await s.until(lambda: any(text.startswith("wake ") for text in rows(s, "locals")))
        await cursor_on(s, "locals", "wake")
        await s.keys("a")
        await cursor_on(s, "locals", "wake")
        await s.keys("w")
        await s.until(lambda: "watchpoint 2 on threads[0].wake" in s.text())
        s.app.desk.show("watch")
        await s.until(lambda: rows(s, "watch") == ["threads[0].wake uint32_t 0"])
        await s.press("c", "c")
        assert "threads[0].wake" in s.app.stop.text
        assert rows(s, "watch") == ["threads[0].wake uint32_t 4 was 2"]

    drive(work, KERNEL)


@pytest.fixture(scope="session")
def data(need: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program with data of all types."""
    program = tmp_path_factory.mktemp("data") / "data"
    source = Path(__file__).parent / "debug_programs/data.c"
    subprocess.run([need("arm-linux-gnueabihf-gcc"), "-g", "-O0", "-static", source, "-o", program], check=True)
    return program


def test_a_tree_shows_what_is_opened(data: Path) -> None:
    async def work(s: Screen) -> None:
        await s.app.client.do("until", where="main")
        await s.settled()
        s.app.desk.show("watch")
        for text in ("many", "alias", "nothing_such", "wide * 2"):
            await s.keys("a")
            await s.type(text)
        await s.until(lambda: len(rows(s, "watch")) == 4)
        assert rows(s, "watch")[0].startswith("▸ many int [300] {1, 2, 2, 2, 0 <repeats")
        assert rows(s, "watch")[2] == "nothing_such no variable or symbol 'nothing_such' here"
        assert rows(s, "watch")[3] == "wide * 2 double 0.66666666666666663"
        await cursor_on(s, "watch", "▸ many")
        await s.keys("enter")
        await s.until(lambda: "▸ [200…299]" in rows(s, "watch"))
        await cursor_on(s, "watch", "▸ [0…99]")
        await s.keys("enter")
        await s.until(lambda: "[99] int 0" in rows(s, "watch"))
        assert "[100] int 0" not in rows(s, "watch")
        await cursor_on(s, "watch", "[3] int 2")
        await s.keys("e")
        await s.type("20")
        await s.until(lambda: "[3] int 20" in rows(s, "watch"))
        await s.keys("asterisk")
        assert s.app.pane("memory").address == await s.app.client.do("address_of", text="&many[3]") & ~15
        await cursor_on(s, "watch", "▸ alias")
        await s.keys("enter")
        await s.until(lambda: any("▸ list" in text for text in rows(s, "watch")))
        for words in ("▸ list struct", "▸ [1] struct", "▸ <anonymous>"):
            await cursor_on(s, "watch", words)
            await s.keys("enter")
            await s.pilot.pause()
            await s.until(lambda words=words: any(text.startswith(words.replace("▸", "▾")) for text in rows(s, "watch")))
        assert "f float 2.5" in rows(s, "watch")
        assert s.app.pane("watch").row(("alias", "list", "[1]", "<anonymous>", "f")).expression == "alias->list[1].f"
        await cursor_on(s, "watch", "nothing_such")
        await s.keys("d")
        await s.until(lambda: not any(text.startswith("nothing_such") for text in rows(s, "watch")))

    drive(work, data)


def test_tab_turns_the_tabs_of_a_frame() -> None:
    async def work(s: Screen) -> None:
        seen = []
        await s.keys("3")
        for _ in range(4):
            seen.append(s.app.desk.focused_pane.pane)
            await s.keys("tab")
        assert seen == ["stack", "locals", "watch", "points"]
        assert s.app.focused is s.app.pane("stack")
        await s.keys("shift+tab")
        assert s.app.focused is s.app.pane("points")

    drive(work, KERNEL)
