"""A real GDB under test: started with the machine interface, its answers read with pygdbmi's parser."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import subprocess
import threading
from typing import TYPE_CHECKING, Any

from pygdbmi import gdbmiparser

if TYPE_CHECKING:
    from typing import Self

SETTINGS = ("confirm off", "pagination off", "width 0", "height 0", "debuginfod enabled off", "auto-load off", "startup-with-shell off")


class GdbError(Exception):
    """GDB refused a command."""


class Gdb:
    """One GDB. `run` does a console command; `wait` waits until the program stands still."""

    def __init__(self, *arguments: str, program: str = "", timeout: float = 60) -> None:
        """`program`: which GDB; XEMU_GDB or gdb-multiarch if left out."""
        self.timeout = timeout
        program = program or os.environ.get("XEMU_GDB") or "gdb-multiarch"
        self.child = subprocess.Popen([program, "-nx", "-q", "--interpreter=mi3", *arguments], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        self.tokens = itertools.count(1)
        self.answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self.stops: queue.Queue[dict[str, Any]] = queue.Queue()
        self.printed: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        for setting in SETTINGS:
            self.run(f"set {setting}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.child.kill()
        self.child.wait(10)
        for stream in (self.child.stdin, self.child.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()

    def _read(self) -> None:
        assert self.child.stdout is not None
        with contextlib.suppress(ValueError):
            for line in self.child.stdout:
                found = gdbmiparser.parse_response(line.rstrip("\n"))
                if found["type"] == "result":
                    self.answers.put(found)
                elif found["type"] == "notify" and found["message"] == "stopped":
                    self.stops.put(found["payload"] or {})
                elif found["type"] in ("console", "target", "log") and isinstance(found["payload"], str):
                    self.printed.append(found["payload"])

    def mi(self, command: str) -> Any:
        """Do a machine-interface command and return its results; GdbError."""
        token = next(self.tokens)
        assert self.child.stdin is not None
        self.child.stdin.write(f"{token}{command}\n")
        self.child.stdin.flush()
        while True:
            answer = self.answers.get(timeout=self.timeout)
            if answer["token"] == token:
                break
        if answer["message"] == "error":
            raise GdbError((answer["payload"] or {}).get("msg", ""))
        return answer["payload"]

    def run(self, command: str) -> str:
        """Do a console command and return what it printed."""
        self.printed.clear()
        escaped = command.replace("\\", "\\\\").replace('"', '\\"')
        self.mi(f'-interpreter-exec console "{escaped}"')
        return "".join(self.printed)

    def wait(self) -> dict[str, Any]:
        """Return the next stop."""
        return self.stops.get(timeout=self.timeout)

    def go(self, command: str) -> dict[str, Any]:
        """Do a command that moves the program and return where it stops."""
        self.forget_stops()
        self.run(command)
        return self.wait()

    def forget_stops(self) -> None:
        """Drop the stops that have been told so far."""
        while not self.stops.empty():
            self.stops.get()

    def value(self, expression: str) -> str:
        """Return an expression's value."""
        return str(self.mi(f'-data-evaluate-expression "{expression}"')["value"])
