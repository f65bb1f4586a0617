"""`xemu gdb`: GDB in the foreground, connected to a guest at its first instruction."""

from __future__ import annotations

import sys
from typing import Any

from xemu.cli.options import Option, help_text, parse
from xemu.cli.targets import OPTIONS as TARGET
from xemu.config import settings
from xemu.errors import UsageError

USAGE = """usage: xemu gdb [OPTIONS] TARGET [ARGUMENTS] [-- GDB'S OPTIONS]

TARGET is a program of another architecture, firmware, or a recording. Time goes both ways: reverse-step, reverse-continue."""

OPTIONS = (
    *TARGET,
    *settings("gdb-path"),
    Option("-h --help", None, "show this"),
)


def read_options(arguments: list[str]) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return options, target with arguments, GDB's own words; UsageError."""
    own, more = arguments, []
    if "--" in arguments:
        at = arguments.index("--")
        own, more = arguments[:at], arguments[at + 1:]
    values, words = parse(OPTIONS, own)
    if not words and not values.get("help"):
        raise UsageError("no target given; " + USAGE.partition("\n")[0])
    return values, words, more


def main(arguments: list[str]) -> int:
    """Run the command; returns GDB's exit code."""
    values, words, more = read_options(arguments)
    if values.get("help"):
        sys.stdout.write(help_text(USAGE, OPTIONS))
        return 0
    from xemu.cli.targets import is_elf, open_target
    from xemu.debug.session import Session
    from xemu.gdbstub.programs import find_gdb
    from xemu.gdbstub.stage import run_with_gdb

    gdb = find_gdb(values.get("gdb_path"))                       # before the guest is set up
    debugger = open_target(words, values)
    file = words[0] if is_elf(words[0]) else next((library.path for library in debugger.system.libraries()), None)
    return run_with_gdb(Session(debugger), gdb_path=gdb, file=file, sysroot=values.get("sysroot"), more=more)
