"""`xemu doctor`: what is installed, what the terminal can do, what is on disk; and for each missing thing what it costs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.cli.options import Option, command

if TYPE_CHECKING:
    from collections.abc import Iterator

USAGE = """usage: xemu doctor [--json]

Shows what is installed, what the terminal can do and what xemu keeps on disk. Exit code 1: something is missing without which
xemu does not run."""

OPTIONS = (
    Option("--json", None, "as JSON, for programs"),
    Option("-h --help", None, "show this"),
)
PATIENCE = 10            # seconds for a tool to say its version


class Finding(NamedTuple):
    """One thing that was looked at. `state`: ok; missing; broken: xemu does not run without it."""

    group: str
    name: str
    state: str
    detail: str
    cost: str = ""                                   # of its being missing
    command: str = ""                                # what mends it


class Tool(NamedTuple):
    """A program of the host: names, best first; what is missing without it; its Debian package."""

    names: tuple[str, ...]
    cost: str
    package: str


#: Python package -> (what is missing without it, needed); extras are named by their extra
PACKAGES = {
    "llvmlite": ("nothing runs: it is the compiler", True),
    "capstone": ("no disassembly", False),
    "textual": ("no screen: xemu debug, xemu demo", False),
    "textual-serve": ("no xemu debug --serve, the screen in a browser", False),
}
TOOLS = (
    Tool(("gdb-multiarch", "arm-none-eabi-gdb", "arm-linux-gnueabihf-gdb"), "no xemu gdb", "gdb-multiarch"),
    Tool(("gdbserver",), "nothing but comparisons in xemu's own tests", "gdbserver"),
    Tool(("arm-none-eabi-gcc",), "no firmware can be built here", "gcc-arm-none-eabi"),
    Tool(("arm-linux-gnueabihf-gcc",), "no Linux programs for ARM can be built here", "gcc-arm-linux-gnueabihf"),
    Tool(("qemu-arm",), "nothing but comparisons in xemu's own tests", "qemu-user"),
    Tool(("qemu-system-arm",), "nothing but comparisons in xemu's own tests", "qemu-system-arm"),
)


# -- Python --------------------------------------------------------------------------------------------------------------
def python() -> Iterator[Finding]:
    """Look at Python and its packages."""
    from importlib.metadata import PackageNotFoundError, version

    from xemu import __version__

    yield Finding("python", "xemu", "ok", f"{__version__} in {os.path.dirname(os.path.dirname(os.path.dirname(__file__)))}")
    yield Finding("python", "python", "ok", f"{sys.version.partition(' ')[0]} at {sys.executable}")
    for name, (cost, needed) in PACKAGES.items():
        try:
            yield Finding("python", name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding("python", name, "broken" if needed else "missing", "not installed", cost, f"pip install {name}")


# -- tools ---------------------------------------------------------------------------------------------------------------
def tools() -> Iterator[Finding]:
    """Look for programs of the host."""
    import shutil
    from concurrent.futures import ThreadPoolExecutor

    found = [next(filter(None, map(shutil.which, tool.names)), None) for tool in TOOLS]
    with ThreadPoolExecutor() as pool:
        versions = list(pool.map(lambda path: version_of(path) if path else "", found))
    for tool, path, version in zip(TOOLS, found, versions, strict=True):
        if path:
            yield Finding("tools", os.path.basename(path), "ok", f"{version} at {path}".strip())
        else:
            yield Finding("tools", tool.names[0], "missing", "not found", tool.cost, f"sudo apt-get install {tool.package}")


def version_of(path: str) -> str:
    """Return the number that a program prints with --version."""
    import re
    import subprocess

    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return "does not start"
    first = done.stdout.decode(errors="replace").partition("\n")[0]
    numbers = re.findall(r"\d+(?:\.\d+)+", first)
    return numbers[-1] if numbers else first.strip()


# -- memory --------------------------------------------------------------------------------------------------------------
def memory() -> Iterator[Finding]:
    """Look at how much address space guests can have."""
    from xemu.core.memory import WINDOW_BITS, make_space
    from xemu.errors import XemuError

    cost, command = "programs that want addresses above do not run", "ulimit -v unlimited"
    try:
        space = make_space(64)
    except XemuError as error:
        yield Finding("memory", "64-bit guests", "missing", str(error), "no program for a 64-bit processor runs", command)
        return
    text = f"addresses of {space.bits} bits"
    if space.bits < WINDOW_BITS:
        yield Finding("memory", "64-bit guests", "missing", f"{text}; the host refuses {WINDOW_BITS}", cost, command)
    else:
        yield Finding("memory", "64-bit guests", "ok", text)
    space.close()


# -- the terminal --------------------------------------------------------------------------------------------------------
def terminal() -> Iterator[Finding]:
    """Look at what the screen can do here."""
    import locale
    import shutil

    if not sys.stdout.isatty():
        yield Finding("terminal", "terminal", "ok", "standard output is none: xemu debug has --text and --picture")
    name = os.environ.get("TERM", "")
    known, colours, mouse = terminfo(name)
    if name in ("", "dumb", "unknown"):
        yield Finding("terminal", "TERM", "missing", name or "not set", "no screen", "export TERM=xterm-256color")
    else:
        yield Finding("terminal", "TERM", "ok", name + ("" if known else " (not in terminfo)"))
    yield _colours(colours)
    encoding = locale.getpreferredencoding(do_setlocale=False)
    if encoding.lower().replace("-", "") == "utf8":
        yield Finding("terminal", "characters", "ok", encoding)
    else:
        yield Finding("terminal", "characters", "missing", encoding, "frames and marks are garbage, unless --ascii is given",
                      "export LANG=C.UTF-8")
    size = shutil.get_terminal_size()
    text = f"{size.columns}×{size.lines}"
    if size.columns < 80 or size.lines < 24:
        yield Finding("terminal", "size", "missing", text, "the screen is made for 80×24 and more", "make the window larger")
    else:
        roomy = size.columns >= 140 and size.lines >= 32
        yield Finding("terminal", "size", "ok", text + ("" if roomy else "; at 140×32 all panes have room"))
    yield Finding("terminal", "mouse", "ok", "as terminfo says" if mouse else "terminfo does not say; keys do everything")


def _colours(colours: int) -> Finding:
    if os.environ.get("NO_COLOR"):
        return Finding("terminal", "colours", "ok", "none: NO_COLOR is set")
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return Finding("terminal", "colours", "ok", "16 million (COLORTERM)")
    if colours >= 256:
        return Finding("terminal", "colours", "ok", f"{colours}")
    return Finding("terminal", "colours", "missing", f"{max(colours, 0)}", "the themes dark and light look coarse",
                   "xemu debug --theme ansi")


def terminfo(name: str) -> tuple[bool, int, bool]:
    """Return whether a terminal is known, its colours, and whether it has a mouse."""
    try:
        import curses

        curses.setupterm(name or "dumb", os.open(os.devnull, os.O_WRONLY))
    except Exception:  # noqa: BLE001  no module, no database, an unknown terminal: one and the same here
        return False, 0, False
    return True, curses.tigetnum("colors"), bool(curses.tigetstr("kmous"))


# -- the disk ------------------------------------------------------------------------------------------------------------
def disk() -> Iterator[Finding]:
    """Look at what xemu keeps, and at configuration files."""
    from xemu.config import files, is_trusted, state_home
    from xemu.core.cache import root
    from xemu.errors import UsageError

    yield _directory("cache", root(), "what was compiled is compiled again at every start")
    yield _directory("state", state_home(), "breakpoints and layouts are not remembered")
    try:
        for file in files():
            code = file.project and file.code()
            if code and not is_trusted(file.path):
                yield Finding("disk", "configuration", "missing", f"{file.path}, not trusted", f"{', '.join(code)} cannot be used",
                              "xemu trust")
            else:
                yield Finding("disk", "configuration", "ok", file.path)
    except UsageError as error:
        yield Finding("disk", "configuration", "missing", str(error), "no command that reads it runs", "correct it: docs/configuration.md")


def _directory(name: str, path: str, cost: str) -> Finding:
    from xemu.cli.list import size_text

    there = path
    while not os.path.exists(there):
        there = os.path.dirname(there)
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding("disk", name, "missing", f"{path} cannot be written", cost, f"chown -R {os.getuid()} {there}")
    size = count = 0
    for directory, _, names in os.walk(path):
        count += len(names)
        size += sum(os.lstat(os.path.join(directory, each)).st_size for each in names)
    text = f"{count:,} file{'s' * (count != 1)}, {size_text(-(-size // 1024) * 1024)}" if count else "empty"
    return Finding("disk", name, "ok", f"{path}: {text}")


# -- telling -------------------------------------------------------------------------------------------------------------
MARKS = {"ok": "ok", "missing": "-", "broken": "!!"}


def report(findings: list[Finding]) -> str:
    """Return the findings as text."""
    width = max(len(row.name) for row in findings)
    lines: list[str] = []
    group = ""
    for row in findings:
        if row.group != group:
            group = row.group
            lines += ["", group] if lines else [group]
        lines.append(f"  {MARKS[row.state]:2}  {row.name:{width}}  {row.detail}")
        if row.state != "ok":
            lines.append(f"      {'':{width}}  {row.cost}; mended by: {row.command}")
    bad = [row.name for row in findings if row.state == "broken"]
    lines += ["", f"xemu does not run without {', '.join(bad)}" if bad else "xemu can run"]
    return "\n".join(lines) + "\n"


@command(USAGE, OPTIONS, "xemu doctor takes no arguments", least=0, most=0)
def main(values: dict[str, Any], _words: list[str]) -> int:
    """Run the command; returns the exit code."""
    findings = [*python(), *tools(), *memory(), *terminal(), *disk()]
    if values.get("json"):
        import json

        rows: list[dict[str, Any]] = [row._asdict() for row in findings]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    else:
        sys.stdout.write(report(findings))
    return 1 if any(row.state == "broken" for row in findings) else 0
