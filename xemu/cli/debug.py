"""`xemu debug`: the screen."""

from __future__ import annotations

import sys

from xemu.cli.options import Option, help_text, parse
from xemu.cli.targets import OPTIONS as TARGET
from xemu.errors import UsageError

USAGE = """usage: xemu debug [OPTIONS] TARGET [ARGUMENTS]

TARGET is a program of another architecture, firmware, a recording or a snapshot. ? shows the keys."""

OPTIONS = (
    *TARGET,
    Option("--svd", "FILE", "name registers that are not modelled"),
    Option("--theme", "dark|light|ansi", "colours; ansi: the terminal's own sixteen"),
    Option("--ascii", None, "no characters beyond ASCII"),
    Option("--layout", "code|machine|data", "how the panes lie"),
    Option("-h --help", None, "show this"),
)


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    values, words = parse(OPTIONS, arguments)
    if values.get("help"):
        sys.stdout.write(help_text(USAGE, OPTIONS))
        return 0
    if not words:
        raise UsageError("no target given; " + USAGE.partition("\n")[0])
    from xemu.tui.app import Debug
    from xemu.tui.messages import Target

    target = Target(tuple(words), values.get("machine"), values.get("sysroot"), tuple(values.get("env") or ()), values.get("svd"))
    app = Debug(target, theme=values.get("theme") or "dark", ascii_only=bool(values.get("ascii")), layout=values.get("layout") or "code")
    return app.run() or 0
