"""The real program in a real terminal: driven by keys through tmux, resized, suspended, hung up, its guest killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent
KERNEL = ROOT / "samples/firmware/elf/mps2-an385/kernel.elf"
CONSOLE = ROOT / "samples/firmware/elf/mps2-an385/console.elf"
NUMBERS = count()
LONG = 90                # seconds that anything may take


class Tmux:
    """A terminal with `xemu debug` on it."""

    def __init__(self, name: str, state: Path) -> None:
        self.name, self.state = name, state

    def run(self, *words: str) -> str:
        """Give tmux a command."""
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "TMUX")}
        return subprocess.run(["tmux", "-L", self.name, "-f", "/dev/null", *words], capture_output=True, text=True, check=True,
                              env=environment).stdout

    def start(self, *words: object, size: tuple[int, int] = (120, 40)) -> None:
        """Start the screen."""
        command = f"exec {sys.executable} -m xemu debug {' '.join(map(str, words))}"
        environment = [f"XDG_STATE_HOME={self.state}", "TERM=tmux-256color", f"PYTHONPATH={ROOT}"]
        values = [word for row in environment for word in ("-e", row)]
        self.run("new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), *values, command)
        self.run("set-option", "-g", "remain-on-exit", "on")

    def keys(self, *keys: str) -> None:
        """Press keys."""
        for key in keys:
            self.run("send-keys", key)

    @property
    def text(self) -> str:
        """What is on the screen."""
        return self.run("capture-pane", "-p")

    def until(self, words: str) -> str:
        """Wait until something is on the screen."""
        end = time.monotonic() + LONG
        while not re.search(words, text := self.text):
            assert time.monotonic() < end, f"{words!r} never came:\n{text}"
            time.sleep(0.05)
        return text

    @property
    def process(self) -> int:
        """The number of the screen's process."""
        return int(self.run("list-panes", "-F", "#{pane_pid}"))

    def guest(self) -> int:
        """Return the number of the guest's process."""
        found = subprocess.run(["pgrep", "-P", str(self.process), "-f", "xemu.tui.engine"], capture_output=True, text=True, check=False)
        return int(found.stdout.split()[0])


def gone(process: int) -> bool:
    """Whether a process ends soon."""
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        try:
            if "\nState:\tZ" in Path(f"/proc/{process}/status").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def tmux(need: Callable[..., str], tmp_path: Path) -> Iterator[Tmux]:
    need("tmux")
    need("pgrep")
    terminal = Tmux(f"xemu-{os.getpid()}-{next(NUMBERS)}", tmp_path)     # a server that ends cannot be asked for a session
    yield terminal
    subprocess.run(["tmux", "-L", terminal.name, "kill-server"], capture_output=True, check=False)


def test_the_real_program_by_keys(tmux: Tmux) -> None:
    tmux.start(KERNEL)
    tmux.until(r"▶[0-9a-f]{8}|▶. +[0-9a-f]{8}")
    tmux.keys("n", "n", "n")
    tmux.until(r"start \(\) at runtime.c:21")
    tmux.keys("N")
    tmux.until("in the past")
    tmux.run("resize-window", "-x", "20", "-y", "5")
    tmux.until("xemu")
    tmux.keys("i")
    tmux.run("resize-window", "-x", "160", "-y", "48")
    tmux.until("4 Devices.*Threads.*Map")
    tmux.keys("q")
    assert gone(tmux.process)
    assert "Traceback" not in tmux.text


def test_a_guest_whose_process_dies_can_be_started_again(tmux: Tmux) -> None:
    tmux.start(KERNEL)
    tmux.until("at the start")
    os.kill(tmux.guest(), signal.SIGKILL)
    tmux.until("the guest's process has ended")
    tmux.keys("R")
    tmux.until("at the start")
    tmux.keys("i")
    tmux.until("insn 1 ")


def test_a_terminal_that_goes_away_takes_everything_along(tmux: Tmux) -> None:
    tmux.start(CONSOLE)
    tmux.until("at the start")
    screen, guest = tmux.process, tmux.guest()
    tmux.keys("c")
    tmux.until("RUNNING")
    tmux.run("kill-session")
    assert gone(screen)
    assert gone(guest)


def test_a_terminal_that_is_nobodys_goes_away(tmp_path: Path) -> None:
    master, slave = os.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "XDG_STATE_HOME": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-m", "xemu", "debug", str(CONSOLE)], stdin=slave, stdout=slave, stderr=slave,
                          env=environment, start_new_session=True) as process:                # which is no controlling terminal
        os.close(slave)
        shown = b""
        while b"Registers" not in shown:
            shown += os.read(master, 65536)
        os.close(master)
        process.wait(LONG)


def test_it_can_be_suspended(tmux: Tmux) -> None:
    tmux.start(CONSOLE)
    tmux.until("at the start")
    process = tmux.process
    os.kill(process, signal.SIGTSTP)
    end = time.monotonic() + LONG
    while not re.search(r"insn [1-9]", tmux.text):                       # keys are lost while it is stopped
        assert time.monotonic() < end, tmux.text
        if "\nState:\tT" in Path(f"/proc/{process}/status").read_text():
            os.kill(process, signal.SIGCONT)     # tmux does that, too, though not always
        tmux.keys("i")
        time.sleep(0.3)
