"""The screen without a terminal: `xemu debug --text` and `--picture`."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.support.boot import FIRMWARE
from xemu.cli.debug import main, place_in_time, without_serve
from xemu.errors import UsageError, XemuError
from xemu.hw.start import read_image
from xemu.tui.picture import key_presses

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AN385 = FIRMWARE / "mps2-an385"
STATION = str(AN385 / "station.elf")
HELLO = FIRMWARE.parents[1] / "arm/hello"
ECHO = "#include <stdio.h>\nint got(int c) { return c; }\nint main(void) { return got(getchar()); }\n"


def text_of(svg: str) -> str:
    """Return the words of a picture."""
    return " ".join(" ".join(ET.fromstring(svg).itertext()).split())


def test_text_and_picture_are_the_same_every_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed, drawn = [], []
    for number in (1, 2):
        picture = tmp_path / f"{number}.svg"
        assert main(["--text", "--picture", str(picture), "--size", "110x34", "--break", "measure", "--keys", "n x 5", STATION]) == 0
        printed.append(capsys.readouterr().out)
        drawn.append(picture.read_text(encoding="utf-8"))
    assert printed[0] == printed[1]
    assert drawn[0] == drawn[1]
    lines = printed[0].splitlines()
    assert len(lines) == 34
    assert max(map(len, lines)) == 110
    assert "measure () at station.c:" in lines[0]
    for words in ("station.elf", "5 Memory", "c run"):
        assert words in printed[0]
        assert words in text_of(drawn[0])
    assert not re.search(r"https?://(?!www\.w3\.org|www\.textualize\.io)", drawn[0])           # nothing comes from the network


@pytest.mark.parametrize(("where", "expected"), [("insn:3,000", "insn 3,0"), ("time:5ms", " 5.000 ms"), ("end", "insn 0")])
def test_the_screen_at_a_place_in_time(where: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--text", "--at", where, STATION]) == 0
    assert expected in capsys.readouterr().out.splitlines()[0]


def test_keys_go_back_to_the_write_that_broke_the_pointer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--text", "--ascii", "--break", "on_exception", "--keys", "w 'sensors[1].read' enter C", STATION]) == 0
    shown = capsys.readouterr().out
    assert "rename () at station.c:38" in shown.splitlines()[0]
    assert shown.isascii()


def test_a_script_runs_before_the_first_stop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "first.py"
    script.write_text("print(d.cont() if d.break_at('measure') else '')\nprint('at', d.where())\nd.nothing()\n", encoding="utf-8")
    assert main(["--text", "-x", str(script), "--keys", "@log", STATION]) == 0
    shown = capsys.readouterr().out
    assert "measure" in shown.splitlines()[0]
    assert "insn 0" not in shown.splitlines()[0]
    assert "at measure () at station.c:" in shown
    assert "AttributeError: 'Debugger' object has no attribute 'nothing'" in shown
    with pytest.raises(XemuError, match=r"nothing\.py: No such file"):
        main(["--text", "-x", str(tmp_path / "nothing.py"), STATION])


def test_sources_are_found_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elf = tmp_path / "bin/station.elf"
    (tmp_path / "moved").mkdir()
    elf.parent.mkdir()
    elf.write_bytes((FIRMWARE / "mps2-an385/station.elf").read_bytes())
    (tmp_path / "moved/station.c").write_text("\n" * 37 + "    a line of another place;\n", encoding="utf-8")
    assert main(["--text", "--source-map", f"src={tmp_path}/moved", "--break", "station.c:38", str(elf)]) == 0
    assert "a line of another place;" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "message"), [
    (["--text", "--break", "nowhere", STATION], "nowhere"),
    (["--text", "/no/such.elf"], "/no/such.elf: no such file"),
    (["--text", "--at", "later", STATION], "'later' is no place in time"),
    (["--text", STATION, "more", "words"], "firmware takes no arguments: more words"),
    (["--text", "-L", "/no/root", str(HELLO)], "-L /no/root: no such directory"),
    (["--text", "--gdb", "nowhere", STATION], "nowhere: not a place to listen at"),
    (["--text", "--at", "insn:-1", STATION], "that is before the start of the history"),
    (["--text", "--base", "x", STATION], "--base x: not an ADDRESS"),
    (["--at", "x:1", STATION], "--at x:1: not an insn:N|time:T"),
    (["--text", "--size", "9x9", STATION], "--size 9x9: not a COLUMNSxROWS"),
    (["--theme", "drak", STATION], r"--theme drak: not a dark\|light\|ansi"),
    (["--text", "--limit", "0", STATION], "--limit 0: not a COUNT"),
    (["--text", "--keys", "'a", STATION], "--keys 'a: No closing quotation"),
    (["--text", "--keys", "@lgo", STATION], "no pane 'lgo'; did you mean 'log'"),
    (["--keys", "n", STATION], "--keys, --size and --limit are for"),
    (["--picture", "/no/such/place.svg", STATION], "/no/such/place.svg: No such file"),
    ([STATION], "are no terminal; --text prints the screen"),
    (["--serve", "9000", STATION], r"pip install 'xemu\[serve\]'")])
def test_what_is_wrong_is_said_in_one_line(words: list[str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "textual_serve.server", None)
    with pytest.raises(XemuError, match=message) as caught:
        main(words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("words", "first", "message"), [
    (["--break", "on_exception", AN385 / "uartirq.elf"], "insn 1,387",
     r"on_exception was never reached \(idle for ever at 0x00000162 \(main\+0x66\), instruction 1,387\); nothing comes from outside here"),
    (["--break", "fault", "--break", "leave", "--limit", "100,000", AN385 / "console.elf"], "insn 100,000 ",
     r"fault or leave was never reached \(paused at its limit, instruction 100,000\); --limit"),
    (["--at", "insn:9_999_999", AN385 / "station.elf"], "■ exited", r"9,999,999 was never reached \(exited, instruction 9,981\)$"),
    (["--break", "memcpy", HELLO], "■ exited with 0", r"memcpy was never reached \(exited with 0, ")])
def test_a_place_that_is_never_reached(words: list[object], first: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(XemuError, match=message):
        main(["--text", *map(str, words)])
    assert first in capsys.readouterr().out.splitlines()[0]                  # the screen shows where it stands instead


def test_what_waits_for_input_gets_what_keys_type(need: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--text", "--keys", "@uart0 enter 'id' enter 'exit' enter ctrl+] c", str(AN385 / "console.elf")]) == 0
    shown = capsys.readouterr().out
    assert "■ exited" in shown.splitlines()[0]
    assert "cpuid 0x412fc231" in shown
    need("arm-linux-gnueabihf-gcc")
    source, program = tmp_path / "echo.c", str(tmp_path / "echo")
    source.write_text(ECHO, encoding="utf-8")
    subprocess.run(["arm-linux-gnueabihf-gcc", "-static", "-g", "-o", program, str(source)], check=True)
    with pytest.raises(XemuError, match=r"got was never reached \(waits for input, instruction [0-9,]+\); nothing comes from outside"):
        main(["--text", "--break", "got", program])
    assert main(["--text", "--keys", "@terminal enter 'a' enter ctrl+] c", program]) == 0
    assert "■ exited with 97" in capsys.readouterr().out


def test_a_raw_binary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = tmp_path / "raw.bin"
    raw.write_bytes(read_image(STATION).pieces[0].data)
    with pytest.raises(XemuError, match=r"of a raw binary say where it goes \(--base ADDRESS\)"):
        main(["--text", "-M", "mps2-an385", str(raw)])
    assert main(["--text", "-M", "mps2-an385", "--base", "0", "--keys", "c", str(raw)]) == 0
    assert "raw.bin · mps2-an385 │ insn 9,981 ·" in capsys.readouterr().out.splitlines()[0]


def test_words_of_the_command_line() -> None:
    assert place_in_time("insn:1_000") == 1000
    assert place_in_time("time:12.5ms") == "12.5ms"
    assert place_in_time("start") == "start"
    assert key_presses("n 5 ctrl+o 'a b' ? @log") == ["n", "5", "ctrl+o", "a", "space", "b", "question_mark", "@log"]
    assert key_presses("+ ctrl+] ctrl+up") == ["plus", "ctrl+right_square_bracket", "ctrl+up"]
    assert without_serve(["--ascii", "--serve", "host:80", "--theme", "light"]) == ["--ascii", "--theme", "light"]
    assert without_serve(["--serve", "--ascii"]) == ["--ascii"]


def test_no_target_lists_the_samples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = re.findall(r"^  (\S+)", capsys.readouterr().out, re.MULTILINE)
    assert len(shown) == 9
    assert all(path.endswith(("elf", "hello", "primes", "life")) for path in shown)


def test_names_of_keys_are_checked() -> None:
    from xemu.tui.keys import KEYS, check_keymap

    check_keymap({"move.cont": "r", "event.back.same": "y"}, KEYS)
    with pytest.raises(UsageError, match=r"keymap: no action 'move\.con'; did you mean 'move\.cont'\?"):
        check_keymap({"move.con": "r"}, KEYS)


@pytest.mark.parametrize(("theme", "light"), [("dark", False), ("light", True), ("ansi", None)])
def test_themes(theme: str, light: bool | None, tmp_path: Path) -> None:
    picture = tmp_path / "screen.svg"
    assert main(["--theme", theme, "--size", "80x24", "--picture", str(picture), STATION]) == 0
    svg = picture.read_text(encoding="utf-8")
    assert "station.elf" in text_of(svg)
    ((background, _),) = Counter(re.findall(r'<rect fill="#(\w\w)\w{4}"', svg)).most_common(1)
    assert light in (None, int(background, 16) > 0x80)          # with the terminal's own colours the background is the terminal's
