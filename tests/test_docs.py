"""The documents: shown changes are in the sources, shown commands print what is shown, links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from xemu.cli.main import main

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]
LONGEST_DIFF = 40
VARYING = re.compile(r"(\.py:)\d+|\b\d+ of \d+ in ")  # line numbers and variant numbers move with every change


def blocks(path: Path, kind: str) -> list[list[str]]:
    """Return the lines of the fenced blocks of a kind."""
    found: list[list[str]] = []
    inside = wanted = False
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("```"):
            if inside and wanted:
                found[-1].append(line)
            continue
        inside = not inside
        wanted = line == f"```{kind}"
        if inside and wanted:
            found.append([])
    return found


DIFFS = [(p, b) for p in DOCUMENTS for b in blocks(p, "diff")]
COMMANDS = [(p, b) for p in DOCUMENTS for b in blocks(p, "") if b[0].startswith("$ xemu decode")]


@pytest.mark.parametrize(("path", "lines"), DIFFS, ids=[p.name for p, _ in DIFFS])
def test_a_shown_change_is_in_the_sources(path: Path, lines: list[str]) -> None:
    assert len(lines) <= LONGEST_DIFF, path.name
    source: list[str] = []
    for line in lines:
        if line.startswith("+++ b/"):
            source = (ROOT / line.removeprefix("+++ b/")).read_text(encoding="utf-8").splitlines()
        elif line.startswith("+"):
            assert line[1:] in source
        elif line.startswith("-") and not line.startswith("--- "):
            assert line[1:] not in source


@pytest.mark.parametrize(("path", "lines"), COMMANDS, ids=[b[0] for _, b in COMMANDS])
def test_a_shown_command_prints_what_is_shown(path: Path, lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split(lines[0].removeprefix("$ xemu "))) == 0
    shown, printed = ("\n".join(text).rstrip() for text in (lines[1:], capsys.readouterr().out.splitlines()))
    assert VARYING.sub(r"\1", printed) == VARYING.sub(r"\1", shown), path.name


@pytest.mark.parametrize("path", DOCUMENTS, ids=[p.name for p in DOCUMENTS])
def test_links_and_named_files_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    links = [path.parent / name.partition("#")[0] for name in re.findall(r"\]\(([^):]+)\)", text)]
    named = [ROOT / name for name in re.findall(r"`((?:xemu|tests|bench|samples|docs)/[\w/.-]+)`", text)]
    missing = {p.resolve().relative_to(ROOT).as_posix() for p in (*links, *named) if not p.exists()}
    assert missing == set()
