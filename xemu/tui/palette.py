"""The command palette: everything by name. Keys of all panes, panes, layouts, commands, and the guest's symbols."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from textual.app import SystemCommand
from textual.command import Hit, Provider

from xemu.errors import XemuError
from xemu.tui.commands import commands
from xemu.tui.desk import LAYOUTS
from xemu.tui.keys import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.command import Hits

    from xemu.tui.app import Debug
    from xemu.tui.keys import Key
    from xemu.tui.pane import Pane
    from xemu.tui.queries.completion import Found

SHORTEST = 2             # characters from which on symbols are looked for


def entries(app: Debug) -> Iterator[SystemCommand]:
    """Yield everything that has a name on the screen."""
    for key in KEYS:
        yield SystemCommand(key.text, f"{key.section}   {app.label(key)}", partial(app.run_action_soon, key.action))
    seen: set[tuple[type[Pane], str]] = set()
    for pane in app.desk.panes.values():
        yield SystemCommand(f"Show {pane.title}", f"pane {pane.group}", partial(app.desk.show, pane.pane))
        for key in pane.keys:
            if (type(pane), key.action) not in seen:
                seen.add((type(pane), key.action))
                yield SystemCommand(f"{pane.title}: {key.text}", app.label(key), partial(_press, app, pane, key))
    for name in LAYOUTS:
        yield SystemCommand(f"Layout {name}", "where panes are", partial(app.commands.do, f"layout {name}"))
    for row in commands().values():
        yield SystemCommand(f":{row.name}", row.help, partial(app.action_command, f"{row.name} " if row.arguments else row.name))


def _press(app: Debug, pane: Pane, key: Key) -> None:
    """Do what a key of a pane does, in that pane."""
    top = app.desk.focused_pane
    wanted = top if type(top) is type(pane) else pane
    if wanted is not None:
        app.desk.show(wanted.pane)
        app.call_later(app.run_action, key.action, wanted)


class Symbols(Provider):
    """The guest's symbols: the code pane shows functions, the memory pane objects."""

    async def search(self, query: str) -> Hits:
        """Yield symbols with the words in their names."""
        app, matcher = cast("Debug", self.app), self.matcher(query)
        if len(query) < SHORTEST or app.hello is None:
            return
        try:
            found: tuple[Found, ...] = await app.client.do("completion.symbols", text=query)
        except XemuError:
            return
        for symbol in found:
            pane = "memory" if symbol.kind == "object" else "code"
            yield Hit(matcher.match(symbol.name) or 0.1, matcher.highlight(symbol.name), partial(app.act_goto, pane, symbol.address),
                      help=f"{symbol.address:#x}, in the {pane} pane")
