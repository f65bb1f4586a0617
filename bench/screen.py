"""`python -m bench.screen`: how fast the screen of `xemu debug` is, in a real terminal of 160×48; writes docs/performance-screen.md."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from typing import TYPE_CHECKING, Final

from bench.debugging import programs
from bench.report import DOCS, machine

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = DOCS.parent
KERNEL: Final = ROOT / "samples/firmware/elf/mps2-an385/kernel.elf"
CONSOLE: Final = KERNEL.with_name("console.elf")      # runs for ever
LONG: Final = 120                    # seconds that anything may take
QUIET: Final = 0.06                  # seconds without output after which the screen is taken for painted
ROUNDS: Final = "400000"
STEPS: Final = 30
_ESCAPE: Final = re.compile(rb"\x1b\[[0-9;?<>=]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b.")
INTRODUCTION: Final = """Written by `python -m bench.screen`: {machine}. The screen runs in a pseudo-terminal of 160×48; times are
from the key to the last byte that it writes about it. The start is that of the process; an empty cache is an empty `XDG_CACHE_HOME`."""


class Terminal:
    """A terminal with a program on it."""

    def __init__(self, *command: str, cache: str | None = None) -> None:
        self.began = time.monotonic()
        state = tempfile.mkdtemp()
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "XDG_STATE_HOME": state, "PYTHONPATH": str(ROOT)}
        if cache is not None:
            environment["XDG_CACHE_HOME"] = cache
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 48, 160, 0, 0))
        self.process = subprocess.Popen([sys.executable, "-m", "xemu", *command], stdin=slave, stdout=slave, stderr=slave,
                                        env=environment, start_new_session=True)
        os.close(slave)
        self.shown = b""

    def seen(self, words: str, wait: float) -> bool:
        """Read for a while, until some words were written; returns whether they were."""
        end = time.monotonic() + wait
        while words.encode() not in _ESCAPE.sub(b"", self.shown) and time.monotonic() < end:
            self._read(0.05)
        return words.encode() in _ESCAPE.sub(b"", self.shown)

    def until(self, words: str) -> float:
        """Read until some words were written; returns when."""
        end = time.monotonic() + LONG
        while words.encode() not in _ESCAPE.sub(b"", self.shown):
            if time.monotonic() > end or not self._read(1.0):
                raise SystemExit(f"{words!r} never came:\n{_ESCAPE.sub(b'', self.shown)[-2000:].decode(errors='replace')}")
        return time.monotonic()

    def painted(self) -> float:
        """Read until nothing more is written; returns when the last came."""
        last = time.monotonic()
        while self._read(QUIET):
            last = time.monotonic()
        return last

    def _read(self, wait: float) -> bool:
        end = time.monotonic() + wait
        while not select.select([self.master], [], [], max(0.0, min(0.5, end - time.monotonic())))[0]:
            if time.monotonic() >= end:
                return wait >= 1.0 and self.process.poll() is None
        try:
            self.shown += os.read(self.master, 1 << 20)
        except OSError:
            return False
        return True

    def drain(self) -> None:
        """Read what is there."""
        while self._read(0.0):
            continue

    def press(self, keys: bytes) -> float:
        """Press keys; returns when."""
        self.shown = b""
        os.write(self.master, keys)
        return time.monotonic()

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        os.close(self.master)


def start(*command: str, cache: str | None = None) -> tuple[float, float]:
    """Return the seconds to the first frame and to the panes that show the guest."""
    terminal = Terminal("debug", *command, cache=cache)
    first = terminal.until("Registers") - terminal.began
    ready = terminal.until("▶") - terminal.began
    terminal.close()
    return first, ready


def motion(key: bytes) -> tuple[float, float]:
    """Return the median and the longest time from a key that moves the guest to the last byte of what it has changed."""
    terminal = Terminal("debug", str(KERNEL))
    terminal.until("▶")
    terminal.painted()
    times = []
    for _ in range(STEPS):
        pressed = terminal.press(key)
        terminal.until("insn")
        times.append(terminal.painted() - pressed)
    terminal.close()
    return statistics.median(times), max(times)


def pause() -> float:
    """Return the time from Ctrl-C to the stop on the screen."""
    terminal = Terminal("debug", str(CONSOLE))
    terminal.until("▶")
    terminal.painted()
    times: list[float] = []
    while len(times) < 5:                            # only what changes is written: sometimes that is not the whole word
        terminal.press(b"c")
        terminal.seen("RUNNING", 1.0)
        time.sleep(0.5)
        terminal.drain()
        pressed = terminal.press(b"\x03")
        if terminal.seen("■", 1.0):
            times.append(time.monotonic() - pressed)
        terminal.painted()
    terminal.close()
    return statistics.median(times)


def running() -> tuple[float, float]:
    """Return the seconds that a program takes alone, and under the screen."""
    program, _ = programs()

    def alone() -> float:
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "xemu", "run", str(program), ROUNDS], check=True, cwd=ROOT)
        return time.monotonic() - began

    def screen() -> float:
        terminal = Terminal("debug", str(program), ROUNDS)
        terminal.until("▶")
        terminal.painted()
        pressed = terminal.press(b"c")
        took = terminal.until("exited with 0") - pressed
        terminal.close()
        return took

    alone()
    return _least(alone), _least(screen)


def _least(measure: Callable[[], float]) -> float:
    return min(measure() for _ in range(3))


def main() -> int:
    """Measure and write the page."""
    with tempfile.TemporaryDirectory() as cache:
        empty = start(str(KERNEL), cache=cache)
    warm = start(str(KERNEL))
    steps, backs = motion(b"n"), motion(b"I")
    paused = pause()
    alone, screen = running()
    table = [
        ("the first frame", f"{warm[0]:.2f} s", "1 s"),
        ("… with an empty cache", f"{empty[0]:.2f} s", "1 s"),
        ("the guest in all panes", f"{warm[1]:.2f} s", ""),
        ("… with an empty cache", f"{empty[1]:.2f} s", ""),
        ("`n`: all panes show the next line (median, longest)", f"{1e3 * steps[0]:.0f} ms, {1e3 * steps[1]:.0f} ms", "50 ms"),
        ("`I`: … the instruction before", f"{1e3 * backs[0]:.0f} ms, {1e3 * backs[1]:.0f} ms", "50 ms"),
        ("Ctrl-C: the guest stands", f"{1e3 * paused:.0f} ms", "50 ms"),
        (f"a program's speed while the screen shows it run ({alone:.1f} s alone)", f"{alone / screen:.2f}", "0.95"),
    ]
    lines = ["| what | xemu | budget |", "|---|---|---|", *("| " + " | ".join(row) + " |" for row in table)]
    page = "\n\n".join(["# Performance of the screen", INTRODUCTION.format(machine=machine()), "\n".join(lines)]) + "\n"
    (DOCS / "performance-screen.md").write_text(page)
    sys.stdout.write(page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
