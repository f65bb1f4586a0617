"""`xemu trust`: allow the code that a project's configuration names."""

from __future__ import annotations

import sys
from typing import Any

from xemu.cli.options import Option, command
from xemu.config import is_trusted, project_file, trust
from xemu.errors import UsageError

USAGE = """usage: xemu trust [OPTIONS] [DIRECTORY]

A project's xemu.toml may name code: a script, a board in a file, another GDB. It runs only after this command, which counts until
the configuration changes. Read what it names first."""

OPTIONS = (
    Option("--remove", None, "no longer allow it"),
    Option("-h --help", None, "show this"),
)


@command(USAGE, OPTIONS, "one directory at a time", least=0, most=1)
def main(values: dict[str, Any], words: list[str]) -> int:
    """Run the command; returns the exit code."""
    file = project_file(words[0] if words else None)
    if file is None:
        raise UsageError("there is no xemu.toml here or above, and no pyproject.toml with [tool.xemu]")
    if values.get("remove"):
        trust(file.path, on=False)
        sys.stdout.write(f"{file.path} is no longer trusted\n")
        return 0
    known = is_trusted(file.path)
    trust(file.path)
    named = "".join(f"\n  {name}: {path}" for name, paths in file.code().items() for path in paths)
    sys.stdout.write(f"{file.path} is {'still' if known else 'now'} trusted; it {f'may run:{named}' if named else 'names no code'}\n")
    return 0
