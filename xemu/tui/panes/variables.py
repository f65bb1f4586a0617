"""What the panes of local variables and of watched expressions share: a tree with types, values and what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from xemu.tui.keys import Key
from xemu.tui.messages import Failed
from xemu.tui.pane import Pane
from xemu.tui.text import Line, Span, line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xemu.tui.queries.locals import Path, Row
    from xemu.tui.queries.locals import Tree as Data

#: formats by their letter, in the order in which the key shows them
FORMS = {"": "as its type has it", "x": "hexadecimal", "d": "decimal", "u": "unsigned", "t": "binary", "o": "octal", "c": "character",
         "a": "address"}
CALLS = 64               # calls of functions whose last values are remembered
NAME, TYPE = 24, 32      # columns at most, where there is room
WIDE = 64                # columns from which on there is


def cut(text: str, width: int) -> str:
    """Return a text in so many columns."""
    return text if len(text) <= width else text[:width - 1] + "…"


def row_line(row: Row, was: str | None, name: int, kind: int) -> Line:
    """Return a variable's line: "▸ name  type  value  was …"."""
    depth = len(row.path) - 1
    mark = "▾ " if row.open else "▸ " if row.opens else "  "
    spans = [Span("  " * depth + mark, "label", ("fold", row.path) if row.opens else ()),
             Span(f"{row.name:<{max(name - 2 * depth, 1)}} ", "title" if row.kind == "group" else "label")]
    if kind and not row.failed:
        spans.append(Span(f"{cut(row.type, kind):<{kind}} ", "type"))
    changed = was is not None
    style = "error" if row.failed else "changed" if changed else "dim" if row.value.startswith("<") else ""
    edit = ("edit", row.path) if row.writable else ()
    spans.append(Span(row.value.replace("\n", " "), style, edit))
    if changed:
        spans.append(Span(f"  was {was}", "dim"))
    if row.form:
        spans.append(Span(f"  /{row.form}", "dim"))
    return Line(tuple(spans), row.path, act=("fold", row.path) if row.opens else edit)


def tree_lines(data: Data, old: Mapping[Path, tuple[str, str]], width: int) -> list[Line]:
    """Return the lines of a tree; `old`: format and value of each path as they were at the stop before."""
    name = min(max((len(r.name) + 2 * (len(r.path) - 1) for r in data.rows), default=0), NAME if width >= WIDE else width // 4)
    kind = min(max((len(r.type) for r in data.rows), default=0), TYPE if width >= WIDE else width // 3)
    lines = []
    for row in data.rows:
        before = old.get(row.path)
        was = before[1] if before is not None and before[0] == row.form and before[1] != row.value and not row.failed else None
        lines.append(row_line(row, was, name, kind))
    if data.note:
        lines.append(line((data.note, "dim")))
    return lines


class Tree(Pane):
    """A tree of variables."""

    expressions_only: ClassVar[bool] = False                  # its roots are watched expressions
    keys: ClassVar[tuple[Key, ...]] = (
        Key("e", "edit", "Change the value"), Key("x", "form", "Another format: hexadecimal, decimal, binary, character …"),
        Key("w", "watchpoint", "Stop when it is written"), Key("asterisk", "memory", "Show its memory"),
        Key("a", "add", "Watch it in the watch pane"))

    def __init__(self) -> None:
        super().__init__()
        self.opened: set[Path] = set()
        self.forms: dict[Path, str] = {}
        self.past: dict[Any, dict[Path, tuple[str, str]]] = {}           # key -> what was shown before this stop
        self.present: dict[Any, dict[Path, tuple[str, str]]] = {}        # … and at this stop

    def arguments(self) -> dict[str, Any]:
        """Return what the tree is asked with."""
        return {**self.screen_app.selection, "opened": frozenset(self.opened), "forms": dict(self.forms)}

    def put(self, data: Any, stop: int) -> None:
        """Take a tree."""
        if stop and stop != self.stop:
            self.past.update(self.present)
            self.present = {}
            while len(self.past) > CALLS:
                del self.past[next(iter(self.past))]
        if not isinstance(data, Failed):
            self.past[data.key] = self.past.pop(data.key, {})            # the newest is last
            self.present.setdefault(data.key, {}).update({row.path: (row.form, row.value) for row in data.rows})
        super().put(data, stop)

    def view(self, data: Data, before: Any) -> list[Line]:
        """Return the lines."""
        del before
        self.subtitle(data.title + (f" #{data.frame}" if data.frame else ""))
        return tree_lines(data, self.past.get(data.key, {}), self.size.width)

    # -- the row under the cursor --------------------------------------------------------------------------------------------
    def row(self, path: Path | None = None) -> Row | None:
        """Return the row of a path, or the one under the cursor."""
        wanted = self.here.key if path is None else path
        return next((row for row in getattr(self.data, "rows", ()) if row.path == wanted), None)

    def act_fold(self, path: Path) -> None:
        """Open or close a node."""
        self.opened ^= {path}
        self.ask()

    def act_edit(self, path: Path) -> None:
        """Change a value."""
        row = self.row(path)
        if row is None or not row.writable:
            self.screen_app.say(f"{row.name if row else 'this'} cannot be changed", error=True)
            return
        text = row.value.split(" ", 1)[0] if not row.value.startswith(("(", "'")) else ""
        self.screen_app.prompt.open(f"{row.name} =", text, lambda value: self.screen_app.act_do(
            "set_variable", path=path, value=value, watch=self.expressions_only, **self.screen_app.selection))

    def action_edit(self) -> None:
        """Change the value under the cursor."""
        if self.row() is not None:
            self.act_edit(self.here.key)

    def action_form(self) -> None:
        """Show it in another format."""
        row = self.row()
        if row is not None:
            forms = list(FORMS)
            form = forms[(forms.index(row.form) + 1) % len(forms)]
            self.forms[row.path] = form
            self.screen_app.say(f"{row.name}: {FORMS[form]}")
            self.ask()

    def action_watchpoint(self) -> None:
        """Set a watchpoint on it."""
        row, app = self.row(), self.screen_app
        if row is None or (row.address is None and not row.register):
            app.say("this is nowhere in memory: it cannot be watched", error=True)
            return
        where: dict[str, Any] = {"where": f"${row.register}"} if row.register else \
            {"where": row.expression} if row.expression and app.frame == 0 else {"where": row.address, "length": row.size}

        async def watch() -> None:
            app.say(f"watchpoint {await app.client.do('watch', **where)} on {row.expression or row.name}")

        app.go(watch())

    def action_memory(self) -> None:
        """Show its memory."""
        row = self.row()
        if row is not None and row.address is not None:
            self.screen_app.act_goto("memory", row.address)
        else:
            self.screen_app.say("this is nowhere in memory", error=True)

    def action_add(self) -> None:
        """Watch it in the watch pane."""
        row = self.row()
        if row is not None and row.expression:
            self.screen_app.pane("watch").add(row.expression)  # type: ignore[attr-defined]
            self.screen_app.say(f"{row.expression} is in the watch pane")
