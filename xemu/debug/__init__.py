"""The debugger: points, motions in both directions, history, symbols. Front ends use `Debugger` and nothing below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from xemu.debug.debugger import Debugger


def open_machine(image: str | Path, machine: str | None = None, **options: Any) -> Debugger:
    """Return a debugger on firmware at its reset; the options are those of `xemu.hw.harness.start_board`."""
    from xemu.debug.debugger import Debugger
    from xemu.debug.machine import MachineSystem
    from xemu.hw.harness import start_board

    return Debugger(MachineSystem(start_board(machine, image, **options).machine))
