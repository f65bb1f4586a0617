"""`xemu trace`: what every instruction did, as lines of text or JSON."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C module: `signal` itself costs milliseconds
import contextlib
import sys
from typing import TYPE_CHECKING, Any

from xemu.cli.options import Option, command, count
from xemu.cli.targets import OPTIONS as TARGET_OPTIONS
from xemu.errors import UsageError, XemuError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from xemu.debug.names import Names
    from xemu.debug.trace import Step

USAGE = """usage: xemu trace [OPTIONS] TARGET [ARGUMENTS]

TARGET is a program, firmware or a recording. It runs at full speed; then its past is repeated one instruction at a time. A place
(WHERE) is an instruction count, a time (12.5ms), an address or a symbol. The trace goes to standard error, or to a file."""


def _format(text: str) -> str:
    if text not in ("text", "jsonl"):
        raise ValueError(text)
    return text


OPTIONS = (
    *TARGET_OPTIONS,
    Option("--start", "WHERE", "begin there"),
    Option("--stop", "WHERE", "run no further than there"),
    Option("--last", "COUNT", "only so many instructions before the end", read=count(1)),
    Option("--filter", "SYMBOL|FIRST-LAST", "only instructions of a function or of these addresses", repeat=True),
    Option("--blocks", None, "only instructions that something jumped to"),
    Option("--calls", None, "only the first instructions of functions"),
    Option("--format", "text|jsonl", "how lines look (text)", read=_format),
    Option("-o --output", "FILE", "write the trace there; - is standard output"),
    Option("-h --help", None, "show this"),
)


@command(USAGE, OPTIONS, "no target given")
def main(values: dict[str, Any], words: list[str]) -> int:
    """Run the command; returns the exit code."""
    if values.get("start") and values.get("last"):
        raise UsageError("--start and --last exclude each other")
    with _opened(values.get("output")) as write:
        return _trace(values, words, write)


@contextlib.contextmanager
def _opened(path: str | None) -> Iterator[Callable[[str], object]]:
    if path in (None, "-"):
        yield (sys.stdout if path else sys.stderr).write
        return
    try:
        with open(str(path), "w", encoding="utf-8", errors="backslashreplace") as file:
            yield file.write
    except OSError as error:
        raise XemuError(f"{path}: {error.strerror}") from None


def _trace(values: dict[str, Any], words: list[str], write: Callable[[str], object]) -> int:
    from xemu.cli.targets import go, open_to_run, to_the_end
    from xemu.debug.names import Names
    from xemu.debug.trace import FORMATS, trace

    debugger = open_to_run(words, values)
    if debugger.system.kind == "machine":            # of a program, Ctrl-C is the program's
        _signal.signal(_signal.SIGINT, lambda *_: debugger.system.kick())
    names = Names(debugger.system)
    start = go(debugger, names, values["start"]).position.insns if "start" in values else debugger.position.insns
    ending = go(debugger, names, values["stop"]) if "stop" in values else to_the_end(debugger)
    end = debugger.position
    if "last" in values:
        start = max(end.insns - values["last"], debugger.history.first.insns)
    names = Names(debugger.system)                   # with what was loaded meanwhile
    line = FORMATS[values.get("format", "text")]
    for step in _wanted(trace(debugger, names, start, end, ending), names, values):
        write(line(step) + "\n")
    debugger.system.close()
    return 0


def _wanted(steps: Iterable[Step], names: Names, values: dict[str, Any]) -> Iterator[Step]:
    """Yield the steps that the options ask for."""
    ranges = []
    for text in values.get("filter", []):
        found = names.range_of(text)
        if found is None:
            raise UsageError(f"--filter {text}: no such symbol, no address, no FIRST-LAST")
        ranges.append(found)
    following = -1
    for step in steps:
        jumped = step.pc != following
        following = step.pc + len(step.code)
        if ranges and not any(low <= step.pc < high for low, high in ranges):
            continue
        entered = jumped and "+" not in step.place
        if not step.note and ((values.get("blocks") and not jumped) or (values.get("calls") and not entered)):
            continue
        yield step
