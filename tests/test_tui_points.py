"""The screen's breakpoints pane, and points as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.screen import Screen, drive
from xemu.errors import UsageError
from xemu.tui.pointwords import Options, options_text, parse_options, parse_point

KERNEL = Path(__file__).resolve().parent.parent / "samples/firmware/elf/mps2-an385/kernel.elf"


@pytest.mark.parametrize(("text", "options"), [
    ("if n > 2", Options("n > 2")),
    ("if n > 2 ignore 9 thread 4 once log n is {n} if once", Options("n > 2", 9, 4, True, "n is {n} if once")),
    ("once", Options(once=True)),
    ("if log > ignore", Options("log > ignore")),
    ("if once && thread", Options("once && thread")),
    ("log", None),
    ("", Options()),
])
def test_options_are_read_and_written(text: str, options: Options | None) -> None:
    if options is None:
        with pytest.raises(UsageError):
            parse_options(text)
        return
    assert parse_options(text) == options
    assert options_text(options) == text


@pytest.mark.parametrize(("text", "error"), [
    ("n > 2", "n > 2: it is if CONDITION"), ("if ", "if without a condition"), ("once once", "once twice"),
    ("ignore x", "ignore x: it is"),
])
def test_what_makes_no_sense_is_said(text: str, error: str) -> None:
    with pytest.raises(UsageError, match=error):
        parse_options(text)


def test_points_are_read() -> None:
    assert parse_point("kernel.c:88 if n > 2 once") == ("break_at", {"where": "kernel.c:88", "condition": "n > 2", "once": True})
    assert parse_point("break main") == ("break_at", {"where": "main"})
    assert parse_point("rwatch s->len ignore 2") == ("watch", {"where": "s->len", "access": "r", "ignore": 2})
    assert parse_point("catch irq 15") == ("catch", {"kind": "irq", "words": "15"})
    with pytest.raises(UsageError, match="catch what"):
        parse_point("catch")


def rows(s: Screen) -> list[str]:
    return [" ".join(text.split()) for text in s.lines("points")]


async def cursor_on(s: Screen, words: str) -> None:
    s.app.desk.show("points")
    s.app.pane("points").move_to(next(i for i, text in enumerate(rows(s)) if text.startswith(words)))
    await s.pilot.pause()


def test_points_are_set_changed_and_deleted() -> None:
    async def work(s: Screen) -> None:
        app = s.app
        app.desk.show("points")
        await s.until(lambda: any("catch irq 15" in text for text in rows(s)))           # what may be typed
        for text in ("on_tick if ticks == 3", "watch preemptions", "catch exception HardFault", "catch device uart0.DATA", "kernel.c:260"):
            await s.keys("a")
            await s.type(text)
            await s.until(lambda: "set " in app.main.footer.text)
            app.main.footer.text = ""
        await s.until(lambda: len(rows(s)) == 6)
        assert rows(s) == ["●1 on_tick kernel.c:72", "if ticks == 3", "●2 watch preemptions", "●3 catch exception HardFault",
                           "●4 catch device uart0.DATA", "●5 kernel.c:260"]
        await cursor_on(s, "●4")
        await s.keys("space")
        await s.until(lambda: rows(s)[4].startswith("○4"))
        await cursor_on(s, "●2")
        await s.keys("d")
        await s.until(lambda: len(rows(s)) == 5)
        await cursor_on(s, "●5")
        await s.keys("e")
        await s.type("ignore 1 log value {value} of {i}")
        await s.until(lambda: "◆5 kernel.c:260" in rows(s))
        assert rows(s)[-1] == "ignore 1 log value {value} of {i}"
        await cursor_on(s, "◆5")
        await s.keys("enter")
        await s.until(lambda: any(text.startswith("◆") and "00000228" in text for text in s.lines("code")), "the code of 5")
        await s.press("c")
        assert app.stop.text.startswith("breakpoint 1")
        assert rows(s)[0] == "●1 on_tick kernel.c:72 ×1"
        assert any("value 1586005467 of 1" in text for text in app.log_lines)            # not the first one
        assert not any("of 0" in text for text in app.log_lines)
        assert next(text for text in rows(s) if text.startswith("◆5")).startswith("◆5 kernel.c:260 ×")
        await cursor_on(s, "●1")
        await s.keys("e")
        assert app.prompt.value == "if ticks == 3"
        await s.type("if tiks == 3")
        await s.until(lambda: "tiks" in app.main.footer.text)
        assert "if ticks == 3" in rows(s)                                               # it has stayed
        await s.keys("a")
        await s.type("catch exception HardFalt")
        await s.until(lambda: "did you mean HardFault?" in s.text())
        await cursor_on(s, "●1")
        await s.keys("2", "B")                                                          # in the code pane: the one that is there
        await s.until(lambda: app.prompt.is_open)
        assert app.prompt.value == "if ticks == 3"
        await s.type("if ticks == 5 once")
        await s.until(lambda: "if ticks == 5 once" in rows(s))
        await s.press("c")
        assert await app.client.do("evaluate", text="ticks") == "5"
        assert not any(text.startswith("●1") for text in rows(s))

    drive(work, KERNEL)
