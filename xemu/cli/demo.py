"""`xemu demo`: the screen on a sample that has a bug to find; and the samples that come with xemu."""

from __future__ import annotations

import os
import sys
from typing import Any

from xemu.cli import debug
from xemu.cli.options import command
from xemu.errors import NotFoundError

USAGE = """usage: xemu demo [OPTIONS]

Opens the screen on firmware that crashes some time after the mistake that is the cause, with a hint how to go back to it. Without
a terminal the screen at the crash is printed."""

OPTIONS = tuple(row for row in debug.OPTIONS if row.name in ("theme", "ascii", "layout", "text", "picture", "size", "keys", "help"))
STATION = "firmware/elf/mps2-an385/station.elf"

#: what samples come with xemu: file -> what it is
SAMPLES = {
    STATION: "a weather station that crashes: find out why (xemu demo)",
    "firmware/elf/mps2-an385/kernel.elf": "three preemptive threads, mutex and queues on a Cortex-M3 board",
    "firmware/elf/mps2-an385/console.elf": "a command line on a UART",
    "firmware/elf/mps2-an385/timer.elf": "ten ticks of a periodic interrupt",
    "firmware/elf/mps2-an385/uartirq.elf": "echo through interrupts and ring buffers",
    "firmware/elf/mps2-an385/faults.elf": "every fault of the architecture, taken on purpose",
    "arm/hello": "a Linux program of a few instructions",
    "arm/primes": "a Linux program: prime numbers",
    "arm/life": "a Linux program: Conway's life",
}

HINT = """
This weather station crashes. c runs it there: breakpoint on_exception is set.
It jumped to 0x32206572, no code: who has broken the pointer sensors[1].read?
Watch it: w, then sensors[1].read, Enter. C (shift-c): back to the write.
s n f i go on, S N F I back in time; pane 3 says who called, with which name.
t goes to any moment (start, 12ms, end); ^P has everything by name.
Escape hides this hint, ? shows all keys, q ends.
"""


def samples_directory() -> str:
    """Return where the samples are."""
    return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "samples")


def sample(name: str) -> str:
    """Return the path of a sample; NotFoundError."""
    path = os.path.join(samples_directory(), name)
    if not os.path.exists(path):
        raise NotFoundError(f"{path}: this sample is missing from the installation")
    return path


def list_samples() -> str:
    """Return what `xemu debug` without a target says."""
    rows = [(os.path.join(samples_directory(), name), text) for name, text in SAMPLES.items()]
    width = max(len(path) for path, _ in rows)
    lines = [f"  {path:{width}}  {text}" for path, text in rows if os.path.exists(path)]
    return "no target given; xemu debug --help says what there may be. Samples:\n\n" + "\n".join(lines) + "\n"


@command(USAGE, OPTIONS, "xemu demo takes no target, xemu debug does", least=0, most=0)
def main(values: dict[str, Any], _words: list[str]) -> int:
    """Run the command; returns the exit code."""
    values["machine"] = "mps2-an385"
    from xemu.tui.reload import Opening

    opening = Opening(places=("on_exception",))
    if not (values.get("text") or values.get("picture") or (sys.stdin.isatty() and sys.stdout.isatty())):
        values["text"] = True
        values.setdefault("keys", "c")
    return debug.show(values, [sample(STATION)], opening=opening, hint=HINT)
