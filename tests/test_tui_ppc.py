"""The screen on PowerPC: registers with their fields, mixed source, what comes, in three sizes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.guests import freestanding
from tests.support.programs import ROOT
from xemu.gdbstub.target_ppc import WORDS
from xemu.tui.panes.registers import value_line
from xemu.tui.queries.registers import Value

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def picture(program: Path, size: str, *options: str) -> list[str]:
    """Return the screen's lines, stopped in `fact`."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    done = subprocess.run([sys.executable, "-m", "xemu", "debug", "--break", "fact", "--text", "--size", size, *options, program],
                          timeout=60, capture_output=True, text=True, env=environment, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize(("arch", "size"), [("ppc", "160x48"), ("ppc64le", "120x40"), ("ppc64le", "80x24")])
def test_the_screen(arch: str, size: str, need: Callable[..., str], tmp_path: Path) -> None:
    program = shutil.copy(freestanding(need, tmp_path, arch), tmp_path / "free")
    lines = picture(program, size)
    columns, rows = map(int, size.split("x"))
    assert len(lines) <= rows
    assert max(map(len, lines)) <= columns
    text = "\n".join(lines)
    assert "breakpoint 1, fact () at freestanding.c:23" in text
    assert "23     if (n <= 1)" in text
    for words in ("lwz     r9, ", "cmpwi   r9, 1  ; r9=5", "↓ will branch", "mr      r31, r1"):
        assert words in text, words
    if columns > 100:
        assert "bl      0x" in text
        registers = [line[1:30] for line in lines if line[1:2] in "▶ "]
        assert registers[0].startswith("▶pc  ")
        assert registers[2].startswith(" cr  20000000  cr0 EQ")
        assert [row.split()[0] for row in registers[1:6]] == ["lr", "cr", "ctr", "xer", "r0"]
    if columns > 140:
        assert "▶#0  fact freestanding.c:23" in text
        assert " #1  run freestanding.c:47" in text


@pytest.mark.parametrize(("name", "value", "words"), [
    ("cr", 0x48000021, "cr0 GT  cr1 LT  cr6 EQ  cr7 SO"), ("cr", 0, ""), ("xer", 0xA000_0007, "SO CA bytes=7"),
    ("fpscr", 0x8201_4083, "FX XX FPRF=20 VE RN=3"), ("vscr", 0x10001, "NJ SAT"), ("f3", 0x3FF8 << 48, "1.5"), ("f3", 0, "")])
def test_fields_of_registers(name: str, value: int, words: str) -> None:
    assert WORDS[name](value) == words
    shown = "".join(span.text for span in value_line(Value(name, value, 32, "int", text=WORDS[name](value)), None, 4, "hex", "pc").spans)
    assert shown.endswith(words)
