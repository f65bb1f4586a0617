"""Expressions that the user wants to see at every stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from xemu.tui.keys import Key
from xemu.tui.panes.variables import Tree
from xemu.tui.text import Line, line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xemu.tui.queries.locals import Tree as Data


class Watch(Tree):
    """Watched expressions."""

    pane, title, group = "watch", "Watch", 3
    query_name = "locals.watches"
    expressions_only = True
    kept: ClassVar = {"expressions": None}
    keys: ClassVar[tuple[Key, ...]] = (
        *(key for key in Tree.keys if key.key != "a"), Key("a", "add", "Watch an expression"),
        Key("d", "delete", "Watch it no longer", aliases="delete"))

    def __init__(self) -> None:
        super().__init__()
        self.expressions: list[str] = []

    def arguments(self) -> dict[str, Any]:
        """Return what the tree is asked with."""
        return {**super().arguments(), "expressions": tuple(self.expressions)}

    def view(self, data: Data, before: Any) -> list[Line]:
        """Return the lines."""
        return super().view(data, before) or [line(("a adds an expression: threads[0].wake, *p, $sp + 4", "dim"))]

    def put(self, data: Any, stop: int) -> None:
        """Take a tree; what xemu's own reader cannot evaluate a GDB may know."""
        super().put(data, stop)
        unknown = [row.name for row in getattr(data, "rows", ()) if row.failed]
        if unknown:
            self.screen_app.oracle.ask(unknown, self._found)

    def _found(self, found: Mapping[str, tuple[str, str]]) -> None:
        """Show what GDB knows."""
        data: Data = self.data
        rows = [row._replace(value=found[row.name][0], type="(gdb)", failed=False) if row.failed and found.get(row.name, ("", "?"))[1] == ""
                else row for row in data.rows]
        super().put(data._replace(rows=tuple(rows)), self.stop)

    def add(self, text: str) -> None:
        """Watch one more expression."""
        if text not in self.expressions:
            self.expressions.append(text)
        self.ask()

    def action_add(self) -> None:
        """Ask for an expression."""
        self.screen_app.prompt.open("watch expression", "", self.add)

    def action_delete(self) -> None:
        """Take the expression under the cursor away."""
        row = self.row()
        if row is not None:
            self.expressions.remove(row.path[0])
            self.ask()


PANES = (Watch,)
