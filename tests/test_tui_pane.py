"""Panes of a user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.screen import HERE, Screen, drive
from xemu.errors import XemuError
from xemu.tui.panes import make_panes

if TYPE_CHECKING:
    from pathlib import Path

KERNEL = HERE.parent / "samples/firmware/elf/mps2-an385/kernel.elf"
STACKS = HERE.parent / "samples/panes/stack_use.py"


def test_the_pane_of_the_docs() -> None:
    async def work(s: Screen) -> None:
        await s.type_break("produce_thread")
        await s.press("c")
        s.app.action_show("stack_use")
        await s.until(lambda: any("thread 0  █" in text for text in s.lines("stack_use")))

    drive(work, KERNEL, panes=(STACKS,))


def test_the_docs_have_the_sample() -> None:
    page = (HERE.parent / "docs/adding-a-pane.md").read_text(encoding="utf-8")
    diff = page.partition("+++ b/samples/panes/stack_use.py\n")[2].partition("```")[0]
    shown = [text.removeprefix("+") for text in diff.splitlines() if text != "+"]
    real = [text for text in STACKS.read_text(encoding="utf-8").splitlines() if text][1:]
    assert shown == real


@pytest.mark.parametrize(("text", "words"), [
    ("", "there are no PANES in it; see docs/adding-a-pane.md"), ("def (", r"mine\.py: SyntaxError"),
    ("x = 1\n1 / 0", r"mine\.py:2: ZeroDivisionError"),
    ("from xemu.tui.panes.log import Log\nPANES = (Log,)", "there is a pane log already")])
def test_a_bad_file_is_one_clear_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(XemuError, match=words):
        make_panes([str(path)])


FAILING = """
from xemu.tui.pane import Pane
from xemu.tui.queries import query
@query()
def nothing(d):
    return 1 // 0
class Failing(Pane):
    pane, title, group, query_name = "failing", "Failing", 4, "failing.nothing"
    def view(self, data, before):
        return []
class Worse(Pane):
    pane, title, group, query_name = "worse", "Worse", 4, "registers.registers"
    def view(self, data, before):
        return data.nonsense
PANES = (Failing, Worse)
"""


def test_a_pane_that_fails_says_so_in_its_frame_and_the_rest_lives(tmp_path: Path) -> None:
    path = tmp_path / "failing.py"
    path.write_text(FAILING)

    async def work(s: Screen) -> None:
        s.app.action_show("failing")
        await s.until(lambda: "ZeroDivisionError: integer division or modulo by zero" in "".join(s.lines("failing")))
        s.app.action_show("worse")
        await s.until(lambda: "AttributeError" in "".join(s.lines("worse")))
        await s.press("n")
        assert "AttributeError" in s.lines("worse")[0]
        assert any("ZeroDivisionError" in text for text in s.lines("log"))

    drive(work, KERNEL, panes=(path,))
