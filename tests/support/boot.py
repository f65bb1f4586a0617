"""Running `xemu boot` as its users do: a process of its own, with files, pipes or a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import subprocess
import termios
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.support.programs import ROOT, XEMU

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRMWARE: Final = ROOT / "samples" / "firmware" / "elf"
CONSOLE: Final = FIRMWARE / "mps2-an385" / "console.elf"
AN385: Final = ("--machine", "mps2-an385")
PATIENCE: Final = 60.0  # seconds until a test gives up: the first run of all compiles its handlers


@dataclass(frozen=True)
class Booted:
    """What a run printed and its exit code."""

    stdout: str
    stderr: str
    code: int


def boot(*words: str | Path, stdin: bytes | Path | None = None, cwd: Path | None = None) -> Booted:
    """Run `xemu boot` to its end; bytes come through a pipe, a path is opened, None is /dev/null."""
    command = [*XEMU, "boot", *map(str, words)]
    with contextlib.ExitStack() as stack:
        if isinstance(stdin, bytes):
            done = subprocess.run(command, input=stdin, capture_output=True, timeout=PATIENCE, cwd=cwd, check=False)
        else:
            file = subprocess.DEVNULL if stdin is None else stack.enter_context(stdin.open("rb"))
            done = subprocess.run(command, stdin=file, capture_output=True, timeout=PATIENCE, cwd=cwd, check=False)
    return Booted(done.stdout.decode(), done.stderr.decode(), done.returncode)


def raw(path: Path, blob: bytes) -> tuple[str, ...]:
    """Write a raw image for address 0 and return the words that name it."""
    path.write_bytes(blob)
    return (*AN385, "--base", "0", str(path))


class Terminal:
    """A process on a pseudo-terminal: type at it, wait for what it prints."""

    def __init__(self, *words: str | Path) -> None:
        self.master, self.slave = os.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.text = ""
        self.at = 0
        self.process = subprocess.Popen([*XEMU, "boot", *map(str, words)], stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                        start_new_session=True, preexec_fn=self._own)  # fmt: skip  # noqa: PLW1509

    @staticmethod
    def _own() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.master, text.encode())

    def expect(self, text: str) -> None:
        """Wait for words behind those that came last."""
        end = time.monotonic() + PATIENCE
        while (found := self.text.find(text, self.at)) < 0:
            assert time.monotonic() < end, f"no {text!r} in {self.text!r}"
            ended = self.process.poll() is not None
            if select.select([self.master], [], [], 0.1)[0]:
                self.text += os.read(self.master, 4096).decode("utf-8", "replace")
            else:
                assert not ended, f"no {text!r} in {self.text!r}"
        self.at = found + len(text)

    @property
    def is_raw(self) -> bool:
        """Whether keys reach the program one by one."""
        return not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    @property
    def is_restored(self) -> bool:
        """Whether the terminal is as it was before."""
        return termios.tcgetattr(self.slave) == self.before

    def wait(self) -> int:
        """Wait for the end; returns the exit code."""
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """Let go of all."""
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@contextlib.contextmanager
def on_a_terminal(*words: str | Path) -> Iterator[Terminal]:
    """Run `xemu boot` on a terminal of its own."""
    terminal = Terminal(*words)
    try:
        yield terminal
    finally:
        terminal.close()


def started(*words: str | Path, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start `xemu boot` in the background, with pipes."""
    return subprocess.Popen([*XEMU, "boot", *map(str, words)], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
