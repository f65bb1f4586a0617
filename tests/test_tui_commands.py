"""The command line, help, palette and jump overlay."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.screen import Screen, drive
from xemu.errors import UsageError
from xemu.tui.commands import commands, find
from xemu.tui.help import help_lines, sections
from xemu.tui.jump import LETTERS, labels
from xemu.tui.keys import KEYS, Key
from xemu.tui.text import plain

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
KERNEL = SAMPLES / "firmware/elf/mps2-an385/kernel.elf"
LIFE = SAMPLES / "arm/life"


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the history of tests out of the user's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


# -- words ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("typed", "meant"), [
    ("b main", "break//main"), ("br main if n > 2", "break//main if n > 2"), ("c", "continue//"), ("s 3", "step//3"), ("si", "stepi//"),
    ("n", "next//"), ("ni", "nexti//"), ("fin", "finish//"), ("u 12", "until//12"), ("adv f", "advance//f"),
    ("rc", "reverse-continue//"),
    ("reverse-n", "reverse-next//"), ("p/x n", "print/x/n"), ("p -1", "print//-1"), ("x/8xw &buf", "x/8xw/&buf"), ("bt 3", "backtrace//3"),
    ("i r pc", "info registers//pc"), ("info b", "info breakpoints//"), ("i lo", "info locals//"), ("l", "list//"), ("d 1", "delete//1"),
    ("dis", "disable//"), ("set var x = 1", "set var//x = 1"), ("set x = 1", "set//x = 1"), ("set $r0 = 1", "set//$r0 = 1"),
    ("set reg r0 = 1", "set register//r0 = 1"), ("py 1 + 1", "py//1 + 1"), ("!1", "py//1"), ("r", "run//"),
    ("monitor devices", "devices//"),
    ("monitor reset", "reset//"), ("cond 1 n > 2", "condition//1 n > 2")])
def test_words_may_be_short(typed: str, meant: str) -> None:
    row, form, rest = find(typed)
    assert f"{row.name}/{form}/{rest}" == meant


@pytest.mark.parametrize(("typed", "said"), [
    ("brake main", "brake: no command; did you mean break?"), ("re", "re: reset, reverse-advance"),
    ("info", "info what? There are address, args"), ("info lcoals", "info lcoals: no command; did you mean info locals?"),
    ("?", "?: no command"), ("w", "w: watch, whatis?")])
def test_what_is_wrong_with_a_word_is_said(typed: str, said: str) -> None:
    with pytest.raises(UsageError, match="^" + re.escape(said)):
        find(typed)


def test_every_word_says_what_it_does() -> None:
    for row in commands().values():
        assert row.help.endswith("."), row.name
        assert find(row.name)[0] is row


# -- answers -------------------------------------------------------------------------------------------------------------
async def ask(s: Screen, text: str) -> str:
    """Do a command and return what the console says of it."""
    console = s.app.desk.panes["console"]
    before = len(console.shown)
    s.app.command(text)
    await s.until(lambda: s.app.commands.busy == 0, text)
    await s.settled()
    return plain(console.shown[before + 1:]).replace("\n  ", "\n").removeprefix("  ")


def test_a_session_of_words() -> None:
    async def work(s: Screen) -> None:
        assert await ask(s, "b on_tick if ticks == 3") == "Breakpoint 1 at 0x2a8: on_tick () at kernel.c:72"
        assert (await ask(s, "tb kernel.c:259")).endswith(": produce () at kernel.c:259")
        assert "breakpoint 2" in await ask(s, "c")
        assert "breakpoint 1, on_tick () at kernel.c:72" in await ask(s, "c")
        assert "on_tick" in s.text("code")
        assert await ask(s, "i b") == "1    on  breakpoint  0x2a8: on_tick () at kernel.c:72 if ticks == 3   hit 1 time"
        assert await ask(s, "p ticks") == "3"
        assert await ask(s, "p/x ticks + 13") == "0x10"
        assert await ask(s, "p/t ticks") == "11"
        assert await ask(s, "whatis current") == "struct thread *"
        assert await ask(s, "x/2dw &ticks") == "0x20000aa8 <ticks>:  3  0"
        assert await ask(s, "x/2i on_tick") == ("=> 0x2a8 <on_tick>:  ldr r3, [pc, #0x50]  ; = 0x20000000 threads\n"
                                                "   0x2aa <on_tick+0x2>:  push {r4, lr}")
        assert (await ask(s, "")).startswith("   0x2ac <on_tick+0x4>:  ldr.w")                    # it goes on
        assert (await ask(s, "l on_tick")).splitlines()[5] == "▶   72      ticks++;"
        assert (await ask(s, "")).splitlines()[0].startswith("    77")
        assert "#0   0x000002a8 in on_tick () at kernel.c:72\n#1 " in await ask(s, "bt")
        assert (await ask(s, "up")).startswith("#1   ")
        assert s.app.frame == 1
        assert (await ask(s, "down")).startswith("#0   ")
        assert await ask(s, "down") == "✗ this is the newest frame"
        assert await ask(s, "info line on_tick") == "src/kernel.c:72: 0x2a8 <on_tick> to 0x2aa <on_tick+0x2>"
        assert await ask(s, "info symbol &ticks") == "ticks is 0x20000aa8"
        assert "pc         0x2a8        on_tick" in await ask(s, "i r pc")
        assert "xpsr" in await ask(s, "i r")
        assert await ask(s, "info functions ^on_") == "0x000002a8  on_tick\n0x00000750  on_exception"
        assert "uart0: " in await ask(s, "info events 40")
        assert await ask(s, "watch ticks") == "Watchpoint 3 on ticks"
        assert "03000000 → 04000000" in await ask(s, "c")
        assert "watchpoint 3 on ticks" in await ask(s, "rc")
        assert await ask(s, "checkpoint here") == f"checkpoint here at instruction {s.app.stop.insns:,}"
        here = s.app.stop.insns
        assert "instruction 0" in await ask(s, "seek start")
        assert f"instruction {here:,}" in await ask(s, "seek here")
        assert not await ask(s, "disable 1-3")
        assert (await ask(s, "i b")).count(" off ") == 2
        assert (await ask(s, "condition 1 nonsense + 1")).startswith("✗ ")
        assert await ask(s, "condition 1") == "breakpoint 1 at on_tick stops always"
        assert await ask(s, "ignore 1 5") == "breakpoint 1 at on_tick lets 5 hits pass"
        assert await ask(s, "delete") == "deleted 2 points"
        assert await ask(s, "delete 7") == "✗ there is no breakpoint 7"
        assert await ask(s, "set var ticks = 77") == "ticks = 77"
        assert await ask(s, "set mem &ticks = 01 02") == "2 bytes at 0x20000aa8"
        assert await ask(s, "p ticks") == str(0x201)
        assert await ask(s, "set reg r3 = 0x55") == "r3 = 0x55"
        await s.until(lambda: "00000055" in s.text("registers"), "panes show what a command has changed")
        assert await ask(s, "echo r3={$r3:x}, {ticks} ticks") == "r3=0x55, 513 ticks"
        assert "uart0" in await ask(s, "devices")
        assert "DATA" in await ask(s, "device uart0")
        assert "✗ brake: no command; did you mean break?" in await ask(s, "brake")
        assert await ask(s, "catch irq 15") == "Catchpoint 4 (irq)"
        assert not await ask(s, "layout machine")
        assert s.app.desk.arrangement.layout == "machine"
        await ask(s, "show regi")
        assert s.app.desk.panes["registers"].has_focus

    drive(work, KERNEL)


def test_python_has_the_debugger_and_its_motions_are_motions() -> None:
    async def work(s: Screen) -> None:
        assert await ask(s, "py 6 * 7") == "42"
        assert await ask(s, "py names = [t.name for t in d.system.threads()]; print(len(names))") == "1"
        assert await ask(s, "py names") == "['Cortex-M3']"                                         # names stay
        before = s.stops
        assert await ask(s, "py for _ in range(3): d.step()") == "step\nstep\nstep"
        assert s.app.stop.insns == 3
        assert s.stops > before
        assert "insn 3" in s.text()
        assert await ask(s, "py d.break_at('nowhere')") == "✗ no function or symbol 'nowhere'"
        assert await ask(s, "py 1 / 0") == "✗ <py>:1, in <module>\nZeroDivisionError: division by zero"
        assert (await ask(s, "py (")).startswith("✗")
        s.app.command("py while True: pass")
        await s.until(lambda: s.app.moving is not None, "it runs")
        await s.pilot.press("ctrl+c")
        await s.until(lambda: s.app.commands.busy == 0, "Python is told of the pause")
        assert "Interrupted" in s.lines("console")[-1]
        assert await ask(s, "c")
        assert s.app.stop.insns > 3, "the pause was for Python only"

    drive(work, SAMPLES / "firmware/elf/mps2-an385/timer.elf")


def test_words_work_while_the_guest_runs() -> None:
    async def work(s: Screen) -> None:
        s.app.command("c")
        await s.until(lambda: s.app.moving is not None, "it runs")
        await asyncio.sleep(0.05)
        console = s.app.desk.panes["console"]
        s.app.command("p 1 + 1")
        await s.until(lambda: "  2" in [item.text for item in console.shown], "an answer in between")
        s.app.command("py 1")
        await s.until(lambda: any("the guest is running" in item.text for item in console.shown))
        await s.press("ctrl+c")

    drive(work, SAMPLES / "firmware/elf/mps2-an385/uartirq.elf")


def test_a_program_has_the_same_words() -> None:
    async def work(s: Screen) -> None:
        assert "Temporary breakpoint 1" in await ask(s, "tb main")
        assert "breakpoint 1, main" in await ask(s, "c")
        assert await ask(s, "reset") == "✗ a program cannot be reset; run starts it again"
        assert await ask(s, "info clocks") == "✗ there are no clocks here"
        assert "catchpoint" in (await ask(s, "catch syscall")).lower()
        assert "system call" in await ask(s, "c")

    drive(work, LIFE)


# -- typing --------------------------------------------------------------------------------------------------------------
async def completed(s: Screen, text: str) -> str:
    """Type a text and Tab; return what then stands there."""
    await s.keys("colon")
    s.app.prompt.value = text
    s.app.prompt.cursor_position = len(text)
    said = s.app.main.footer.text
    await s.keys("tab")
    await s.until(lambda: s.app.prompt.value != text or s.app.main.footer.text != said, f"{text} is completed")
    value = s.app.prompt.value
    await s.keys("escape")
    return value


def test_tab_completes_what_is_certain_and_shows_what_there_is() -> None:
    async def work(s: Screen) -> None:
        for text, result in (("tbr", "tbreak "), ("b on_t", "b on_tick "), ("b kern", "b kernel.c:"), ("b kernel.c:25", "b kernel.c:25"),
                             ("p pree", "p preemptions "), ("p 1 + curr", "p 1 + current "), ("p current->wa", "p current->wake "),
                             ("p $xp", "p $xpsr "), ("info lo", "info locals "), ("b main if tic", "b main if ticks "),
                             ("show cons", "show console "), ("py d.read_m", "py d.read_memory("), ("device uar", "device uart"),
                             ("help info", "help info "), ("catch sy", "catch syscall ")):
            if result == text:
                await s.keys("colon")
                s.app.prompt.value = text
                await s.keys("end", "tab")
                await s.until(lambda: "kernel.c:258  kernel.c:259" in s.app.main.footer.text, "candidates")
                await s.keys("escape")
            else:
                assert await completed(s, text) == result
        await s.keys("colon")
        s.app.prompt.value = "frobnicate x"
        await s.keys("tab")
        assert s.app.prompt.value == "frobnicate x"
        await s.keys("escape")

    drive(work, KERNEL)


def test_history_is_kept(tmp_path: Path) -> None:
    async def first(s: Screen) -> None:
        await s.keys("colon")
        await s.type("p 1")
        await s.keys("colon")
        await s.type("p 2")
        await s.until(lambda: s.app.commands.busy == 0)

    async def second(s: Screen) -> None:
        await s.keys("colon", "up", "up")
        assert s.app.prompt.value == "p 1"
        await s.keys("down")
        assert s.app.prompt.value == "p 2"
        await s.keys("enter")
        await s.until(lambda: s.lines("console")[-2:] == [": p 2", "  2"])

    drive(first, KERNEL)
    assert (tmp_path / "xemu/history").read_text() == "p 1\np 2\n"
    drive(second, KERNEL)


# -- help, palette, jumping ----------------------------------------------------------------------------------------------
def test_help_has_all_keys_and_commands_and_can_be_searched() -> None:
    found = sections(None, lambda key: key.label)
    everything = plain(help_lines(found))
    assert all(key.text in everything for key in KEYS)
    assert all(row.usage in everything for row in commands().values())
    assert plain(help_lines(found, "rwatch")).splitlines()[1].startswith("  rwatch EXPRESSION [if CONDITION]")
    assert plain(help_lines(found, "no such thing")) == "nothing about no such thing"


def test_labels_are_no_beginnings_of_others() -> None:
    for count in (1, len(LETTERS), len(LETTERS) + 1, 400):
        made = labels(count)
        assert len(set(made)) == count
        assert not any(a != b and b.startswith(a) for a in made for b in made)


def test_help_palette_and_jumping_on_the_screen() -> None:
    async def work(s: Screen) -> None:
        await s.keys("2", "question_mark")
        assert "Keys of Code" in s.text()
        await s.keys(*"tbreak")
        assert "Set a breakpoint that goes with its first stop." in s.text()
        assert "Keys of Code" not in s.text()
        await s.keys("escape")
        assert "Set a breakpoint that goes" not in s.text()

        await s.keys("ctrl+o")
        overlay = s.app.screen.overlay
        mark = next(m for m, spot in overlay.marks.items() if (spot.x, spot.y) == _place(s, "Locals"))
        assert mark in s.text()
        await s.keys(*mark)
        await s.until(lambda: s.app.desk.focused_pane.pane == "locals", "the tab")
        await s.keys("ctrl+o", "9")
        assert s.app.screen is s.app.main

        await s.keys("ctrl+p")
        await s.keys(*"preemptio")
        await s.until(lambda: "in the memory pane" in s.text(), "a symbol")
        await s.keys("escape", "escape")

    drive(work, KERNEL)


def _place(s: Screen, words: str) -> tuple[int, int]:
    """Return where on the screen some words are, as the overlay has hidden them."""
    rows = ["".join(segment.text for segment in strip) for strip in s.app.screen.overlay.below]
    return next((row.index(words), y) for y, row in enumerate(rows) if words in row)


def test_a_key_row_has_its_aliases_in_the_help() -> None:
    found = [("All", [])]
    assert plain(help_lines(found)) == "nothing about"
    from xemu.tui.help import key_line

    assert key_line(Key("a", "do", "Do it", aliases="f5 ctrl+x"), lambda key: key.label).text == f"  {'a':<14}Do it  (f5 ^x)"
