"""Configuration files, the environment and the command line; trust; completion and an editor's files made of the same rows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.boot import FIRMWARE
from xemu.cli import completion, init, trust
from xemu.cli.debug import OPTIONS
from xemu.cli.main import COMMANDS, main
from xemu.cli.options import parse
from xemu.config import SETTINGS, keymap
from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
STATION = FIRMWARE / "mps2-an385/station.elf"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with nothing in it and above it, below which commands run."""
    for row in SETTINGS:
        for name in row.environment.split():
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    inside = tmp_path / "project/src"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    return inside.parent


def user(project: Path, text: str) -> None:
    """Write the user's file."""
    path = project.parent / "config/xemu/config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def values(*words: str) -> dict[str, Any]:
    """Return what `xemu debug` takes."""
    return parse(OPTIONS, list(words))[0]


def test_the_nearer_place_wins(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert values() == {}
    user(project, 'theme = "light"\nlayout = "data"\nascii = true\nwatch = true\n')
    assert values() == {"theme": "light", "layout": "data", "ascii": True, "watch": True}
    (project / "xemu.toml").write_text('theme = "ansi"\nlayout = "machine"\nwatch = false\n', encoding="utf-8")
    assert values() == {"theme": "ansi", "layout": "machine", "ascii": True, "watch": False}
    monkeypatch.setenv("XEMU_THEME", "dark")
    monkeypatch.setenv("XEMU_ASCII", "0")
    assert values() == {"theme": "dark", "layout": "machine", "ascii": False, "watch": False}
    assert values("--theme", "light", "--ascii") == {"theme": "light", "layout": "machine", "ascii": True, "watch": False}


def test_paths_are_relative_to_the_file_and_lists_are_replaced(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "xemu.toml").write_text('sysroot = "root"\nsvd = "/abs/x.svd"\nsource-map = ["/a=/b", "c=d"]\nmachine = "microbit"\n',
                                       encoding="utf-8")
    assert values() == {"sysroot": str(project / "root"), "svd": "/abs/x.svd", "source_map": ["/a=/b", "c=d"], "machine": "microbit"}
    monkeypatch.setenv("XEMU_SOURCE_MAP", "e=f:g=h")
    assert values()["source_map"] == ["e=f", "g=h"]
    assert values("--source-map", "i=j", "--source-map", "k=l")["source_map"] == ["i=j", "k=l"]


def test_pyproject_counts_where_it_has_the_table(project: Path) -> None:
    (project / "xemu.toml").write_text('theme = "light"\n', encoding="utf-8")
    (project / "src/pyproject.toml").write_text("[project]\nname = 'x'\n", encoding="utf-8")
    assert values() == {"theme": "light"}
    (project / "src/pyproject.toml").write_text("[tool.xemu]\nlayout = 'data'\n", encoding="utf-8")
    assert values() == {"layout": "data"}


@pytest.mark.parametrize(("text", "message"), [
    ('them = "dark"', r"no setting 'them'; did you mean 'theme'\?"),
    ('source_map = "a=b"', r"no setting 'source_map'; did you mean 'source-map'\?"),
    ("zzz = 1", "no setting 'zzz'; see docs/configuration.md"),
    ('theme = "drak"', r"theme = 'drak': it is a text dark\|light\|ansi"),
    ("theme = 3", "theme = 3: it is a text"),
    ('ascii = "yes"', "ascii = 'yes': it is true or false"),
    ("source-map = [1]", r"source-map = \[1\]: it is a list of texts OLD=NEW"),
    ("keymap = 3", "keymap is a table"),
    ("theme = ", "Invalid value"),
    ("\xff", "codec can't decode")])
def test_what_is_wrong_in_a_file_is_said_in_one_line(project: Path, text: str, message: str) -> None:
    path = project / "xemu.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=message) as caught:
        values()
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_keys_of_both_files(project: Path) -> None:
    user(project, '[keymap]\nmove.cont = "r"\n"zoom" = "ctrl+z"\n')
    (project / "xemu.toml").write_text('[keymap]\n"move.cont" = "y"\n', encoding="utf-8")
    assert keymap() == {"move.cont": "y", "zoom": "ctrl+z"}
    (project / "xemu.toml").write_text("[keymap]\nzoom = 1\n", encoding="utf-8")
    with pytest.raises(UsageError, match="keymap: zoom = 1: a key is a text"):
        keymap()


def test_a_projects_code_runs_when_it_is_trusted(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "xemu.toml"
    path.write_text('script = "first.py"\nmachine = "boards/mine.py"\ntheme = "light"\n', encoding="utf-8")
    (project / "first.py").write_text("print('the script has run')\n", encoding="utf-8")
    command = ["debug", "--text", "--keys", "@log", "--machine", "mps2-an385", str(STATION)]
    assert main(command) == 2
    refused = f'{path} names code to run (script = "first.py"); `xemu trust` allows it, once you have read it'
    assert capsys.readouterr().err == f"xemu: {refused}\n"
    assert main([*command[:-1], "-x", str(project / "first.py"), command[-1]]) == 0          # who names it runs it
    assert main(["debug", "--help"]) == 0
    assert main(["trust"]) == 0
    shown = f"{path} is now trusted; it may run:\n  machine: {project / 'boards/mine.py'}\n  script: {project / 'first.py'}\n"
    assert shown in capsys.readouterr().out
    assert main(command) == 0
    assert "the script has run" in capsys.readouterr().out
    path.write_text(path.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert main(command) == 2
    assert trust.main([]) == 0
    assert values()["machine"] == str(project / "boards/mine.py")
    path.write_text('pane = ["own.py", "/abs/other.py"]\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r'pane = "own\.py, /abs/other\.py"'):
        values()
    assert trust.main([]) == 0
    assert values() == {"pane": [str(project / "own.py"), "/abs/other.py"]}
    path.write_text('script = "first.py"\n', encoding="utf-8")
    assert trust.main([]) == 0
    assert trust.main(["--remove"]) == 0
    with pytest.raises(UsageError, match="names code to run"):
        values()
    user(project, f'script = "{project}/first.py"\n')                                        # one's own needs no trust
    path.unlink()
    assert values() == {"script": f"{project}/first.py"}
    with pytest.raises(UsageError, match=r"there is no xemu\.toml"):
        trust.main([])


def test_another_gdb_of_a_project_is_code_only_with_a_path(project: Path) -> None:
    from xemu.cli.gdb import read_options

    (project / "xemu.toml").write_text('gdb-path = "gdb-multiarch"\n', encoding="utf-8")
    assert read_options(["x"])[0]["gdb_path"] == "gdb-multiarch"
    (project / "xemu.toml").write_text('gdb-path = "./gdb"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="names code to run"):
        read_options(["x"])


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert [name for name in re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE) if name != "keymap"] == [row.name for row in SETTINGS]
    for row in SETTINGS:
        for name in row.environment.split():
            assert f"`{name}`" in text
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert example is not None


def test_the_example_in_the_documentation_is_good(project: Path) -> None:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert example is not None
    (project / "xemu.toml").write_text(example[1], encoding="utf-8")
    assert trust.main([]) == 0
    assert values()["source_map"]
    from xemu.tui.keys import KEYS, PANE_KEYS, check_keymap

    check_keymap(keymap(), [*KEYS, *PANE_KEYS])


# -- completion ------------------------------------------------------------------------------------------------------------
def completed(*words: str) -> list[str]:
    """Return what bash offers for the last word."""
    quoted = " ".join(f"'{word}'" for word in words)
    script = f'{completion.bash()}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _xemu; printf "%s\\n" "${{COMPREPLY[@]}}"'
    return subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=True, cwd=ROOT / "docs").stdout.split()


def test_bash_completes_commands_options_and_values() -> None:
    assert completed("xemu", "d") == ["debug", "decode", "demo", "doctor"]
    assert completed("xemu", "debug", "--pic") == ["--picture"]
    assert completed("xemu", "debug", "--theme", "") == ["dark", "light", "ansi"]
    assert completed("xemu", "boot", "--machine", "micro") == ["microbit"]
    assert completed("xemu", "list", "m") == ["machines"]
    assert completed("xemu", "completion", "") == ["bash", "zsh", "fish"]
    assert completed("xemu", "run", "config") == ["configuration.md"]
    assert completed("xemu", "debug", "--svd", "config") == ["configuration.md"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_know_every_command_and_option(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert completion.main([shell]) == 0
    text = capsys.readouterr().out
    for row in completion.commands():
        line = next(line for line in text.splitlines() if re.search(rf"^ +{row.name}\) _arg|-a {row.name} ", line))
        assert line
        for option in row.options:
            for name in option.names:
                if shell == "zsh":
                    assert f"'{name}[" in line or f"'*{name}[" in line
                else:
                    assert f"-{'l' if name.startswith('--') else 's'} {name.lstrip('-')} " in text
    assert {row.name for row in completion.commands()} == set(COMMANDS)
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=text, text=True, check=True)


# -- editors ---------------------------------------------------------------------------------------------------------------
def test_vscode_debugs_what_the_task_serves(project: Path, need: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    gdb = need("gdb-multiarch")
    program = project / "src/station.elf"
    program.write_bytes(STATION.read_bytes())
    assert init.main(["vscode", "--port", "39127", "--machine", "mps2-an385", "station.elf"]) == 0
    assert capsys.readouterr().out.split() == [".vscode/launch.json", "written", ".vscode/tasks.json", "written"]
    here = project / "src"
    (launch,) = json.loads((here / ".vscode/launch.json").read_text(encoding="utf-8"))["configurations"]
    (task,) = json.loads((here / ".vscode/tasks.json").read_text(encoding="utf-8"))["tasks"]
    assert launch["preLaunchTask"] == task["label"]
    words = [word.replace("${workspaceFolder}", str(here)) for word in task["args"]]
    with subprocess.Popen([sys.executable, "-m", task["command"], *words], stderr=subprocess.PIPE, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)}) as server:
        assert server.stderr is not None
        ready = re.compile(task["problemMatcher"]["background"]["endsPattern"])
        assert any(ready.search(line) for line in server.stderr)
        commands = [f"target remote {launch['miDebuggerServerAddress']}", "break measure", "continue", "bt 1", "kill"]
        done = subprocess.run([gdb, "-nx", "-batch", *[word for text in commands for word in ("-ex", text)],
                               launch["program"].replace("${workspaceFolder}", str(here))], capture_output=True, text=True, timeout=60,
                              check=False)
        assert "#0  measure" in done.stdout, done.stdout + done.stderr
        deadline = time.monotonic() + 20
        while server.poll() is None and time.monotonic() < deadline:                         # --once: it ends with its client
            time.sleep(0.02)
        assert server.poll() is not None
    for words_, message in ((["vscode", "station.elf"], r"\.vscode/launch\.json and \.vscode/tasks\.json exist; --force replaces"),
                            (["emacs", "station.elf"], "for which editor"), (["vscode"], "which program"),
                            (["vscode", "nothing.elf"], "nothing.elf: no such file")):
        with pytest.raises(Exception, match=message):
            init.main(words_)
    assert init.main(["vscode", "--force", "station.elf"]) == 0
    assert "localhost:3333" in (here / ".vscode/launch.json").read_text(encoding="utf-8")
