"""pytest fixtures for firmware: `machine` starts boards, `uart` is the console of the one started last.

    def test_greets(machine, uart):
        machine("mps2-an385", "build/firmware.elf")
        uart.expect("ready")

docs/testing-firmware.md shows more. What an emulated machine does depends on nothing but the test.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from xemu.hw.harness import Pattern, RunningBoard


class Machines:
    """The `machine` fixture: call it to start a board."""

    def __init__(self, places: list[Path]) -> None:
        self.places = places
        self.boards: list[RunningBoard] = []

    def __call__(self, machine: str | None, *images: str | Path, **options: Any) -> RunningBoard:
        """Start a machine by name or board file (None: guess it from the image). Options: see `start_board`.

        Files are looked for beside the test, in pytest's root directory and in the current one.
        """
        from xemu.hw.harness import find_file, start_board

        if machine is not None and (machine.endswith(".py") or ".py:" in machine):
            file, suffix, name = machine.partition(".py")
            machine = f"{find_file(file + suffix, self.places)}{name}"
        board = start_board(machine, *[find_file(image, self.places) for image in images], **options)
        self.boards.append(board)
        return board

    @property
    def last(self) -> RunningBoard:
        """The board started last."""
        if not self.boards:
            pytest.fail("no machine is running: call the machine fixture first", pytrace=False)
        return self.boards[-1]

    def close(self) -> None:
        """End all boards."""
        while self.boards:
            self.boards.pop().close()


class FirstUart:
    """The `uart` fixture: the UART that the last board's firmware uses first."""

    def __init__(self, machines: Machines) -> None:
        self._machines = machines

    @property
    def text(self) -> str:
        """All that was printed so far."""
        return self._machines.last.uart().text

    @property
    def rest(self) -> str:
        """What was printed after the last `expect`."""
        return self._machines.last.uart().rest

    def send(self, text: str | bytes) -> None:
        """Type."""
        self._machines.last.uart().send(text)

    def expect(self, pattern: Pattern, vtime: float = 10.0) -> re.Match[str]:
        """Run until words (or a compiled regular expression) are printed, at most `vtime` virtual seconds."""
        __tracebackhide__ = True
        return self._machines.last.uart().expect(pattern, vtime)


@pytest.fixture
def machine(request: pytest.FixtureRequest) -> Iterator[Machines]:
    """Start emulated boards: machine("mps2-an385", "firmware.elf")."""
    machines = Machines([request.path.parent, request.config.rootpath, Path.cwd()])
    yield machines
    machines.close()


@pytest.fixture
def uart(machine: Machines) -> FirstUart:
    """Talk to the first UART that the firmware uses: expect(pattern, vtime=…), send(text), text."""
    return FirstUart(machine)
