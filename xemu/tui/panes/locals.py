"""The local variables of the selected frame, and the globals of its file."""

from __future__ import annotations

from xemu.tui.panes.variables import Tree


class Locals(Tree):
    """Parameters and local variables."""

    pane, title, group = "locals", "Locals", 3
    query_name = "locals.variables"


PANES = (Locals,)
