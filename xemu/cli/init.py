"""`xemu init`: files with which an editor debugs by xemu."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from xemu.cli.options import Option, help_text, parse
from xemu.config import settings, write_atomically
from xemu.errors import NotFoundError, UsageError, XemuError

USAGE = """usage: xemu init vscode [OPTIONS] PROGRAM

Writes .vscode/launch.json and .vscode/tasks.json in this directory: F5 then debugs PROGRAM under xemu, through the C/C++ extension
(ms-vscode.cpptools) and GDB. Where they exist already nothing is written."""


def _port(text: str) -> int:
    number = int(text)
    if not 0 < number < 65536:
        raise ValueError(text)
    return number


OPTIONS = (
    *settings("machine sysroot gdb-path"),
    Option("--port", "PORT", "where GDB finds xemu (3333)", read=_port),
    Option("--force", None, "replace files that exist"),
    Option("-h --help", None, "show this"),
)
WORDS = ("vscode",)
TASK = "xemu gdbserver"


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    values, words = parse(OPTIONS, arguments)
    kind, rest = (words[0], words[1:]) if words else ("", [])
    more, rest = parse(OPTIONS, rest)                            # options may stand behind the kind, too
    values |= more
    if values.get("help"):
        sys.stdout.write(help_text(USAGE, OPTIONS))
        return 0
    if kind not in WORDS:
        raise UsageError("for which editor? xemu init " + "|".join(WORDS))
    if len(rest) != 1:
        raise UsageError("which program? " + USAGE.partition("\n")[0])
    program = rest[0]
    if not os.path.exists(program):
        raise NotFoundError(f"{program}: no such file; build it first, so that its kind can be seen")
    files = {os.path.join(".vscode", "launch.json"): launch(program, values), os.path.join(".vscode", "tasks.json"): tasks(program, values)}
    there = [path for path in files if os.path.exists(path)]
    if there and not values.get("force"):
        raise UsageError(f"{' and '.join(there)} exist{'s' * (len(there) == 1)}; --force replaces")
    for path, content in files.items():
        try:
            write_atomically(path, json.dumps(content, indent=4) + "\n")
        except OSError as error:
            raise XemuError(f"{path}: {error.strerror}") from None
        sys.stdout.write(f"{path} written\n")
    return 0


def in_workspace(path: str) -> str:
    """Return a path as it is named in an editor's files: relative to the workspace where it lies in it."""
    relative = os.path.relpath(os.path.abspath(path))
    return os.path.abspath(path) if relative.startswith("..") else "${workspaceFolder}/" + relative.replace(os.sep, "/")


def launch(program: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return launch.json: GDB connects to what the task serves."""
    setup = [{"text": "-enable-pretty-printing", "ignoreFailures": True}]
    if values.get("sysroot"):
        setup.append({"text": f"set sysroot {in_workspace(values['sysroot'])}", "ignoreFailures": False})
    name = os.path.basename(program)
    return {"version": "0.2.0", "configurations": [{
        "name": f"{name} under xemu", "type": "cppdbg", "request": "launch", "program": in_workspace(program), "args": [],
        "cwd": "${workspaceFolder}", "MIMode": "gdb", "miDebuggerPath": values.get("gdb_path") or "gdb-multiarch",
        "miDebuggerServerAddress": f"localhost:{values.get('port') or 3333}", "stopAtEntry": True, "setupCommands": setup,
        "preLaunchTask": TASK}]}


def tasks(program: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return tasks.json: the server, which is ready when it says that it listens, and ends with the debugger."""
    words = ["gdbserver", "--once"]
    for name in ("machine", "sysroot"):
        value = values.get(name)
        if value:
            words += [f"--{name}", in_workspace(value) if os.path.exists(value) else value]
    words += [f"localhost:{values.get('port') or 3333}", in_workspace(program)]
    return {"version": "2.0.0", "tasks": [{
        "label": TASK, "type": "process", "command": "xemu", "args": words, "isBackground": True,
        "presentation": {"reveal": "silent", "panel": "dedicated"},
        "problemMatcher": {"pattern": {"regexp": "^xemu: (.*)$", "message": 1, "file": 1},
                           "background": {"activeOnStart": True, "beginsPattern": "^Process .* created",
                                          "endsPattern": "^Listening on port"}}}]}
