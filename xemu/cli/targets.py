"""Opening what a command line names, a program, firmware, a recording or a snapshot; and going to places in it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from xemu.cli.options import Option, number
from xemu.config import settings
from xemu.errors import NotFoundError, UsageError, XemuError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xemu.debug.debugger import Debugger
    from xemu.debug.names import Names
    from xemu.debug.stops import Stop

BASE = Option("--base", "ADDRESS", "where a raw binary goes", read=number)

#: what every command with a TARGET takes
OPTIONS = (
    *settings("sysroot"),
    Option("-E --env", "NAME[=VALUE]", "set (or, without =, remove) an environment variable of a program", repeat=True),
    *settings("machine"),
    BASE,
)


def is_elf(path: str) -> bool:
    """Whether a file is an ELF file."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def open_target(words: Sequence[str], values: dict[str, Any], *, at: str = "start", directory: str = "",
                randomize: bool = False) -> Debugger:
    """Return a debugger on a target at its first instruction (a recording: `at` its start or end).

    `directory`: a program's working directory; `randomize`: its addresses.
    """
    from xemu import debug
    from xemu.debug.sections import is_recording

    path, *arguments = words
    if not os.path.exists(path):
        raise NotFoundError(f"{path}: no such file")
    machine = values.get("machine")
    if is_recording(path):
        from xemu.debug.recorded import open_debugger
        from xemu.debug.recording import Recording

        recording = Recording.read(path)
        debugger = open_debugger(recording, at=at, machine=machine)
        for note in recording.notes:
            sys.stderr.write(f"xemu: {note}\n")
        return debugger
    if not debug.is_program(path):                   # a board that is named (a setting, perhaps) is for firmware
        if arguments:
            raise UsageError(f"firmware takes no arguments: {' '.join(arguments)}")
        return debug.open_machine(path, machine, base=values.get("base"))
    if directory:
        os.chdir(directory)
    return debug.open_process(path, *arguments, sysroot=values.get("sysroot"), env=values.get("env"), aslr=randomize)


def open_to_run(words: Sequence[str], values: dict[str, Any]) -> Debugger:
    """Return a debugger on a target that is to run by itself: firmware's output comes out, signals do not stop programs."""
    debugger = open_target(words, values)
    if debugger.system.kind == "process":
        debugger.pass_signals = frozenset(range(1, 65))
    elif debugger.system.live:
        _show_output(debugger.system)
    return debugger


def _show_output(system: Any) -> None:
    """Have what firmware prints come out."""
    def show(data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    for line in system.machine.serials:
        line.listeners.append(show)
    semihosting = getattr(system.machine.cpu, "semihosting", None)
    if semihosting is not None:
        semihosting.console = show


def go(debugger: Debugger, names: Names, where: str) -> Stop:
    """Go to a place: an instruction count, a time, start, end, or forward to an address or symbol."""
    from xemu.debug.debugger import DebuggerError
    from xemu.debug.stops import StopKind

    if where == "end" and debugger.system.live:
        return to_the_end(debugger)
    try:
        stop = debugger.seek(where)
    except DebuggerError as error:
        address = names.address_of(where)
        if address is None:
            raise UsageError(f"{error}; nor a symbol or address") from None
        point = debugger.break_at(address, owner="place")
        stop = debugger.cont()
        debugger.delete(point)
        if stop.kind is not StopKind.BREAKPOINT:
            raise XemuError(f"{where} was never reached ({stop.text})") from None
        return stop
    if stop.kind not in (StopKind.REACHED, StopKind.PAUSE):
        raise XemuError(f"{where} was never reached ({stop.text}, {stop.position})")
    return stop


def to_the_end(debugger: Debugger) -> Stop:
    """Run until nothing comes any more, or somebody interrupts."""
    from xemu.debug.stops import StopKind

    ends = (StopKind.HISTORY_END, StopKind.PAUSE, StopKind.IDLE, StopKind.DIVERGED, StopKind.REQUEST, StopKind.STRICT)
    while True:
        stop = debugger.cont()
        if stop.kind.final or stop.kind in ends:
            return stop
