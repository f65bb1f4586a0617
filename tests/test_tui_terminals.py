"""Terminals: what they show of bytes, and typing at UARTs, RTT and programs."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.packages import sysroot
from tests.screen import Screen, drive
from tests.support.debug import BARE, build
from xemu.tui.panes.terminal import key_bytes, with_cursor
from xemu.tui.terminal import LIMIT, SLACK, Teletype
from xemu.tui.text import Palette, line, plain
from xemu.tui.vt import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
BOARD = SAMPLES / "firmware/elf/mps2-an385"
LAYOUT = ("-mcpu=cortex-m3", "-mthumb", "-Os", "-g", "-ffreestanding", "-nostdlib", "-Wl,--section-start=.vectors=0", "-Wl,-Ttext=0x100",
          "-Wl,-Tbss=0x20000000", "-Wl,--defsym=stack_end=0x20010000", "-Wl,-e,reset", "-Wl,--build-id=none")


def emulate(*chunks: bytes, rows: int = 4, columns: int = 20) -> str:
    """Return what a program's terminal shows, with what has scrolled away."""
    terminal = Emulator(rows, columns)
    for chunk in chunks:
        terminal.feed(chunk, 0)
    return plain(terminal.lines).rstrip("\n")


def teletype(*chunks: bytes) -> str:
    """Return what a serial line's terminal shows."""
    terminal = Teletype()
    for chunk in chunks:
        terminal.feed(chunk, 0)
    return plain(terminal.lines)


# -- serial lines --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("sent", "shown"), [
    (b"one\r\ntwo\nthree", "one\ntwo\nthree"),
    (b"12345\rab", "ab345"),
    (b"abc\b\b\x1b[K!", "a!"),                                   # line editing, as MicroPython's
    (b"abc\x1b[2D*", "a*c"),
    (b"a\tb", "a       b"),
    (b"\x1b[31mred\x1b[0m plain", "red plain"),
    (b"\x1b[2J\x1b[1;1H\x1b]0;title\x07", "^[[2J^[[1;1H^[]0;title^G"),      # shown, not obeyed
    (b"\x00\x7f\x9b\xff", "^@^?\\x9b\\xff"),
    ("\u202egro.\u0085".encode(), "\N{REPLACEMENT CHARACTER}gro.\N{REPLACEMENT CHARACTER}"),
])
def test_a_serial_line_edits_its_line_and_shows_the_rest(sent: bytes, shown: str) -> None:
    assert teletype(sent) == shown
    assert teletype(*[bytes([byte]) for byte in sent]) == shown


def test_lines_of_a_serial_line_have_the_time_of_their_first_byte() -> None:
    terminal = Teletype()
    terminal.feed(b"first ", 10)
    terminal.feed(b"more\nsecond\n", 20)
    terminal.feed(b"third", 30)
    assert [(item.text, item.key) for item in terminal.lines] == [("first more", 10), ("second", 20), ("third", 30)]


def test_a_serial_line_without_line_ends_is_broken_at_the_edge() -> None:
    terminal = Teletype()
    terminal.resize(10, 25)
    terminal.feed(b"x" * 60, 0)
    assert [len(item.text) for item in terminal.lines] == [25, 25, 10]


def test_moving_back_leaves_one_mark() -> None:
    terminal = Teletype()
    terminal.feed(b"tick\nhalf", 5)
    terminal.mark("back at 1")
    terminal.mark("back at 0")
    terminal.feed(b"new", 9)
    assert plain(terminal.lines) == "tick\nhalf\n── back at 0 ──\nnew"


# -- programs ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("sent", "shown"), [
    (b"one\r\ntwo", "one\ntwo"),
    (b"1\r\n2\r\n3\r\n4\r\n5", "1\n2\n3\n4\n5"),                      # the first has scrolled away
    (b"abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrst\nuvwxyz"),
    (b"abcdefghijklmnopqrst\r\nx", "abcdefghijklmnopqrst\nx"),        # the last column waits
    (b"\x1b[?7labcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrsz"),
    (b"\x1b[2;3Hx\x1b[Ay\x1b[Hz", "z  y\n  x"),
    (b"abc\x1b[2D\x1b[@X\x1b[2P!", "aX!"),
    (b"1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[3;1H\n\x1b[r\x1b[4;2H*", "1\n3\n\n4*"),          # only the middle scrolls
    (b"1\r\n2\x1b[H\x1b[L0\r\n\x1b[M\x1b[3;1H3", "0\n2\n3"),
    (b"keep\x1b[?1049h\x1b[2Jfull\x1b[?1049l!", "keep!"),
    (b"\x1b(0lqk\x1b(B.", "┌─┐."),
    ("a\u0301\u6f22x\x1b[2D\x1b[D.".encode(), "a\u0301. x"),             # half of a wide character is none
    (b"\x1b]0;title\x07\x1b]52;c;AAAA\x1b\\\x1bP1$q\x1b\\ok", "ok"),
    (b"\x1b[>4;2m\x1b[?1u\x1b[38;5;1mok", "ok"),
    (b"x\x1b[5bz", "xxxxxxz"),
])
def test_a_program_gets_a_terminal(sent: bytes, shown: str) -> None:
    assert emulate(sent) == shown
    assert emulate(*[bytes([byte]) for byte in sent]) == shown


def test_a_program_may_ask_where_its_cursor_is() -> None:
    assert Emulator().feed(b"ab\r\nc\x1b[6n\x1b[5n\x1b[c", 0) == b"\x1b[2;2R\x1b[0n\x1b[?6c"


@pytest.mark.parametrize("make", [Emulator, Teletype])
def test_a_flood_is_the_same_as_its_drops(make: Callable[[], Emulator | Teletype]) -> None:
    """Many lines at once are shown by a shorter way; the result is the same."""
    data = b"start " + b"".join(b"%d %s\r\n" % (i, b"x" * (i % 90)) for i in range(300)) + b"end"
    at_once, slowly = make(), make()
    at_once.feed(data, 0)
    for start in range(0, len(data), 50):
        slowly.feed(data[start:start + 50], 0)
    assert plain(at_once.lines) == plain(slowly.lines)
    assert at_once.cursor == slowly.cursor


@pytest.mark.parametrize("make", [Emulator, Teletype])
def test_what_has_scrolled_away_is_bounded(make: Callable[[], Emulator | Teletype]) -> None:
    terminal = make()
    for _ in range(5):
        terminal.feed(b"".join(b"line %d\r\n" % i for i in range(LIMIT)), 0)
    assert len(terminal.lines) < LIMIT + SLACK + 30
    assert len(terminal.lines) + terminal.dropped >= 5 * LIMIT
    assert f"line {LIMIT - 1}" in plain(terminal.lines[-30:])


@pytest.mark.parametrize("make", [Emulator, Teletype])
def test_garbage_never_gets_through(make: Callable[[], Emulator | Teletype]) -> None:
    import random

    rng = random.Random(5)
    terminal, palette = make(), Palette()
    for _ in range(300):
        terminal.feed(rng.choice([rng.randbytes(40), b"\x1b[" + rng.randbytes(3), b"\x1b[%d;%d%c" % (rng.randrange(60), rng.randrange(200),
                                                                                          rng.randrange(64, 127))]), 0)
        terminal.resize(rng.randrange(1, 30), rng.randrange(1, 100))
    assert all(palette.strip(item, 200).text.isprintable() for item in terminal.lines)
    assert terminal.cursor[0] <= len(terminal.lines)


def test_a_terminal_that_changes_its_size_keeps_its_rows() -> None:
    terminal = Emulator(4, 20)
    terminal.feed(b"1\r\n2\r\n3\r\n4", 0)
    terminal.resize(2, 30)
    assert (plain(terminal.lines), terminal.base) == ("1\n2\n3\n4", 2)
    terminal.feed(b"\x1b[?1049h\x1b[Hfull", 0)
    terminal.resize(6, 20)
    terminal.feed(b"\x1b[?1049l", 0)
    assert plain(terminal.lines).rstrip() == "1\n2\n3\n4"


# -- keys ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("key", "character", "sent"), [
    ("a", "a", b"a"), ("upper_a", "A", b"A"), ("enter", "\r", b"\r"), ("ctrl+c", None, b"\x03"), ("ctrl+z", "\x1a", b"\x1a"),
    ("up", None, b"\x1b[A"), ("shift+tab", None, b"\x1b[Z"), ("alt+b", None, b"\x1bb"), ("f5", None, b"\x1b[15~"), ("é", "é", "é".encode()),
    ("ctrl+shift+super+up", None, b"")])
def test_keys_are_what_an_xterm_sends(key: str, character: str | None, sent: bytes) -> None:
    assert key_bytes(key, character) == sent


def test_the_cursor_is_drawn_in_a_line_and_behind_it() -> None:
    assert [(s.text, s.style) for s in with_cursor(line("abc"), 1).spans] == [("a", ""), ("b", " a-reverse"), ("c", "")]
    assert with_cursor(line("abc"), 5).text == "abc   "


# -- on the screen -------------------------------------------------------------------------------------------------------
def test_a_uart_is_typed_at_and_the_keys_are_taken_back() -> None:
    async def work(s: Screen) -> None:
        await s.pilot.press("c")
        await s.until(lambda: "quit ends" in s.text("uart0"), "the greeting")
        await s.keys("6", "enter")
        assert "typing" in s.text("uart0")
        await s.keys("s", "ctrl+p", "q")
        await s.until(lambda: s.lines("uart0")[-1] == "s^Pq", "all keys are the guest's")
        await s.keys("ctrl+right_square_bracket", "a")
        await s.until(lambda: "µs echo on mps2-an385" in s.text("uart0"), "times")
        assert "typing" not in s.text("uart0")
        await s.press("ctrl+c")
        s.app.act_do("seek", where="start")
        await s.until(lambda: "── back at 0.000 µs ──" in s.text("uart0"), "the mark")
        assert "s^Pq" in s.text("uart0")
        await s.keys("enter", "x")
        await s.until(lambda: "in the past nothing can be typed" in s.text())

    drive(work, BOARD / "uartirq.elf")


def test_rtt_goes_both_ways_and_can_be_repeated(tmp_path: Path) -> None:
    elf = build(tmp_path, "rtt.c", *LAYOUT, prefix=BARE)

    async def work(s: Screen) -> None:
        await s.pilot.press("c")
        await s.until(lambda: "rtt0" in s.app.desk.panes and "sixteen bytes" in "".join(s.lines("rtt0")), "a text longer than the buffer")
        assert "the log" in s.lines("rtt1")
        assert "rtt0│rtt1" in s.text()
        s.app.action_show("rtt0")
        await s.keys("enter", *"typed over eight")
        await s.until(lambda: "TYPED" in s.text("rtt0"))
        await s.keys("ctrl+right_square_bracket")
        await s.press("ctrl+c")
        end = s.app.stop.insns
        await s.app.client.do("seek", where=end // 2)
        await s.app.client.do("seek", where="end")
        assert s.app.stop.insns == end
        assert "diverged" not in s.text()

    drive(work, elf, machine="mps2-an385")


def test_rtt_is_found_without_symbols(tmp_path: Path) -> None:
    elf = build(tmp_path, "rtt.c", *LAYOUT, "-s", prefix=BARE)

    async def work(s: Screen) -> None:
        await s.pilot.press("c")
        await s.until(lambda: "rtt1" in s.app.desk.panes and "the log" in s.lines("rtt1"))

    drive(work, elf, machine="mps2-an385")


def test_a_shell_has_a_terminal_with_job_control() -> None:
    root = sysroot("armhf", "bash", "coreutils", "less")

    async def work(s: Screen) -> None:
        shown: Callable[[str], object] = partial(_ends, s)
        await s.pilot.press("c")
        await s.until(lambda: shown("$ ") or shown("# "), "a prompt")
        await s.keys("6", "enter")
        s.app.client.type("terminal", f"PS1=\\> TERM=xterm PATH={root}/bin:{root}/usr/bin; stty size\r".encode())
        size = s.app.desk.panes["terminal"].size
        await s.until(lambda: f"{size.height} {size.width}" in s.lines("terminal"), "the size")
        s.app.client.type("terminal", b"seq 30; echo ")
        await s.keys(*"onx", "left", "delete", "e", "enter")                         # readline's
        await s.until(lambda: "30" in s.lines("terminal") and "one" in s.lines("terminal"))
        s.app.client.type("terminal", b"sleep 100\r")
        await asyncio.sleep(0.1)
        await s.keys("ctrl+z")
        await s.until(lambda: "Stopped" in s.text("terminal"))
        s.app.client.type("terminal", b"seq 100 | less\r")
        await s.until(lambda: shown(":") and "1" in s.lines("terminal"), "less")
        await s.keys("space")
        await s.until(lambda: str(2 * size.height - 2) in s.lines("terminal"), "its second page")
        await s.keys("q")
        await s.until(lambda: "Stopped" in s.text("terminal"), "what was there before")

    drive(work, root / "bin/bash", "--norc", "-i", sysroot=str(root))


def _ends(s: Screen, words: str) -> bool:
    """Return whether the last line with anything on it ends so."""
    lines = [text for text in s.lines("terminal") if text] if "terminal" in s.app.desk.panes else []
    return bool(lines) and (lines[-1] + " ").endswith((words, words + " "))
