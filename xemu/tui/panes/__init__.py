"""The panes. A new one is a class in a file here, and its name in `MODULES`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from xemu.errors import XemuError
from xemu.tui.queries import load

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def make_panes(files: Sequence[str] = ()) -> list[Pane]:
    """Return one of each pane, and of those in a user's files; XemuError."""
    own = [pane() for module in MODULES for pane in import_module(f"{__name__}.{module}").PANES]
    names = {pane.pane for pane in own}
    for path in files:
        found = getattr(load(path), "PANES", ())
        if not found:
            raise XemuError(f"{path}: there are no PANES in it; see docs/adding-a-pane.md")
        for kind in found:
            if kind.pane in names:
                raise XemuError(f"{path}: there is a pane {kind.pane} already")
            names.add(kind.pane)
            own.append(kind())
    return own
