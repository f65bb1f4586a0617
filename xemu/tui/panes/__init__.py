"""The panes. A new one is a class in a file here, and its name in `MODULES`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xemu.tui.pane import Pane

#: in the order of their tabs
MODULES = (
    "registers",
    "code",
    "stack",
    "locals",
    "watch",
    "points",
    "devices",
    "threads",
    "map",
    "memory",
    "console",
    "trace",
    "events",
    "calls",
    "log",
)


def make_panes() -> list[Pane]:
    """Return one of each pane."""
    return [pane() for module in MODULES for pane in import_module(f"{__name__}.{module}").PANES]
