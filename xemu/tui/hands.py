"""What the keys do that work everywhere: motions, points, places, panes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.app import App

from xemu.errors import XemuError
from xemu.tui.desk import LAYOUTS
from xemu.tui.pointwords import SYNTAX

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from textual import events

    from xemu.tui.app import DeskScreen
    from xemu.tui.client import Client
    from xemu.tui.commandline import CommandLine
    from xemu.tui.desk import Desk
    from xemu.tui.motions import Motions
    from xemu.tui.pane import Pane
    from xemu.tui.panes.points import Points
    from xemu.tui.prompt import Prompt
    from xemu.tui.reload import Life


class Hands(App[int]):
    """The app as far as keys go; `Debug` lays out and routes."""

    main: DeskScreen
    client: Client
    motions: Motions
    commands: CommandLine
    life: Life

    # -- parts -----------------------------------------------------------------------------------------------------------
    @property
    def desk(self) -> Desk:
        """The panes."""
        return self.main.desk

    @property
    def prompt(self) -> Prompt:
        """The line in which something is typed."""
        return self.main.prompt

    def pane(self, name: str) -> Pane:
        """Return a pane by name."""
        return self.desk.panes[name]

    def say(self, text: str, *, error: bool = False) -> None:
        """Show a line at the bottom until something happens."""
        raise NotImplementedError

    # -- asking the guest ------------------------------------------------------------------------------------------------
    def go(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something that waits for the guest; errors go to the bottom line."""
        async def guarded() -> None:
            try:
                await work
            except XemuError as error:
                self.say(str(error), error=True)

        self.run_worker(guarded(), exit_on_error=False)

    def act_do(self, what: str, /, **arguments: Any) -> None:
        """Have a motion or action done."""
        self.go(self.client.do(what, **arguments))

    # -- motions ---------------------------------------------------------------------------------------------------------
    def action_move(self, name: str) -> None:
        """Move the guest."""
        self.motions.ask(name)

    def action_move_back(self, name: str) -> None:
        """Move it backwards."""
        self.motions.ask(name, back=True)

    def action_event(self, direction: str, which: str = "") -> None:
        """Go to another event."""
        self.act_do("event", back=direction == "back", same=bool(which))

    def action_pause(self) -> None:
        """Stop it."""
        self.motions.forget()
        self.client.pause()

    def action_hand_over(self) -> None:
        """Give a GDB that waits the guest as it stands."""
        self._told("hand_over")

    def action_disconnect_gdb(self) -> None:
        """End GDB's connection."""
        self._told("disconnect_gdb")

    def _told(self, what: str) -> None:
        async def work() -> None:
            self.say(await self.client.do(what))

        self.go(work())

    def action_until_cursor(self) -> None:
        """Run to the cursor of the code pane."""
        self._until(back=False)

    def action_until_cursor_back(self) -> None:
        """Go back to when the cursor's place was executed last."""
        self._until(back=True)

    def _until(self, *, back: bool) -> None:
        address = self.code_address()
        if address is not None:
            self.motions.ask("until", where=address, back=back)

    def code_address(self) -> int | None:
        """Return the address under the code pane's cursor."""
        address: int | None = self.pane("code").here.key if isinstance(self.pane("code").here.key, int) else None
        if address is None:
            self.say("there is no code on this line", error=True)
        return address

    # -- points ----------------------------------------------------------------------------------------------------------
    def action_toggle_break(self) -> None:
        """Set or delete a breakpoint under the cursor."""
        async def toggle(address: int) -> None:
            self.say(await self.client.do("toggle_break", address=address))

        address = self.code_address()
        if address is not None:
            self.go(toggle(address))

    def action_edit_point(self, first: str = "") -> None:
        """Set a breakpoint with all that belongs to it, or change the one that is there; `first`: what is typed already."""
        points: Points = self.pane("points")  # type: ignore[assignment]

        async def edit(address: int) -> None:
            there = await self.client.do("points.point_at", address=address)
            if there is not None:
                points.edit(there, "" if there.options.log else first)
            else:
                self.prompt.open(f"break: {SYNTAX}", first, lambda text: points.set(f"*{address:#x} {text}"), allow_empty=True)

        address = self.code_address()
        if address is not None:
            self.go(edit(address))

    def action_log_point(self) -> None:
        """Set a breakpoint that logs."""
        self.action_edit_point("log ")

    def action_watch(self) -> None:
        """Watch what an expression names."""
        self.prompt.open(f"watch EXPRESSION {SYNTAX}", "", lambda text: self.pane("points").set(f"watch {text}"))  # type: ignore[attr-defined]

    # -- places ----------------------------------------------------------------------------------------------------------
    def action_goto(self) -> None:
        """Show a place in the code or memory pane."""
        pane = self.desk.focused_pane
        name = pane.pane if pane is not None and hasattr(pane, "act_goto") else "code"

        async def show(text: str) -> None:
            self.act_goto(name, await self.client.do("address_of", text=text))

        self.prompt.open(f"go to ({name})", "", lambda text: self.go(show(text)))

    def act_goto(self, pane: str, address: int) -> None:
        """Show an address in a pane."""
        self.desk.show(pane)
        self.pane(pane).act_goto(address)  # type: ignore[attr-defined]

    def action_home(self) -> None:
        """Show where the guest stands."""
        self.pane("code").act_home()  # type: ignore[attr-defined]

    def action_find(self) -> None:
        """Search in the pane that has the keys."""
        pane = self.desk.focused_pane
        if pane is not None:
            def search(text: str) -> None:
                if not pane.find(text):
                    self.say(f"{text}: not found", error=True)

            self.prompt.open("find", "", search)

    def action_seek(self) -> None:
        """Go to a place in time."""
        self.prompt.open("go to instruction, time (12.5ms), name, start or end", "",
                         lambda text: self.act_do("seek", where=int(text.replace(",", "")) if text.replace(",", "").isdigit() else text))

    def action_checkpoint(self) -> None:
        """Give this moment a name."""
        async def name(text: str) -> None:
            self.say(f"checkpoint {await self.client.do('checkpoint', name=text)}")

        self.prompt.open("name of this moment", "", lambda text: self.go(name(text)), allow_empty=True)

    # -- panes -----------------------------------------------------------------------------------------------------------
    def action_group(self, number: int) -> None:
        """Give a group the keys; its next tab if it has them."""
        arrangement = self.desk.arrangement
        pane = self.desk.focused_pane
        if arrangement.focus == number and pane is not None and pane.has_focus:
            self.desk.turn(number, 1)
        else:
            arrangement.show(number)
            self.desk.rearrange()

    def action_show(self, name: str) -> None:
        """Show a pane."""
        self.desk.show(name)

    def action_tab(self, count: int) -> None:
        """Show another tab."""
        self.desk.turn(self.desk.arrangement.focus, count)

    def action_zoom(self) -> None:
        """Show one pane alone, or all again."""
        self.desk.arrangement.zoomed = not self.desk.arrangement.zoomed
        self.desk.rearrange()

    def action_layout(self) -> None:
        """Show the next layout."""
        names = list(LAYOUTS)
        arrangement = self.desk.arrangement
        arrangement.layout = names[(names.index(arrangement.layout) + 1) % len(names)]
        self.desk.rearrange()
        self.say(f"layout {arrangement.layout}")

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """A click has given a pane the keys."""
        pane = self.desk.panes.get(event.widget.id or "")
        if pane is not None:
            self.desk.arrangement.focus = pane.group

    def action_reload(self) -> None:
        """Load the program anew and start it; points, panes and layout stay."""
        self.life.again()

    def action_hide_hint(self) -> None:
        """Hide the hint."""
        self.main.hint.display = False

    def action_redraw(self) -> None:
        """Draw everything anew."""
        self.screen.refresh(layout=True)

    def action_command(self, words: str = "") -> None:
        """Open the command line."""
        self.commands.open(words)

    def command(self, words: str) -> None:
        """Do what was typed at the command line."""
        self.commands.do(words)

    def run_action_soon(self, action: str) -> None:
        """Do what a key does."""
        self.call_later(self.run_action, action)
