"""The app: it lays out, and routes what comes from the guest to the panes."""

from __future__ import annotations

import os
import select
import shutil
import termios
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import App, ComposeResult, SystemCommand
from textual.geometry import Size
from textual.screen import Screen

from xemu.tui import messages as m
from xemu.tui.client import Client
from xemu.tui.commandline import CommandLine
from xemu.tui.desk import Desk, size_class
from xemu.tui.hands import Hands
from xemu.tui.header import Footer, Header
from xemu.tui.help import HelpScreen
from xemu.tui.hidden_gdb import Oracle
from xemu.tui.hint import Hint
from xemu.tui.jump import JumpScreen
from xemu.tui.keys import KEYS, key_name
from xemu.tui.motions import Motions
from xemu.tui.palette import Symbols, entries
from xemu.tui.panes import make_panes
from xemu.tui.panes.terminal import Terminal
from xemu.tui.prompt import Prompt
from xemu.tui.reload import POINTS, Life, Opening
from xemu.tui.saved import Keeper
from xemu.tui.summary import Summary
from xemu.tui.text import Palette
from xemu.tui.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xemu.tui.keys import Key

FIRST = ("command_palette", "quit", "help_quit", "copy_text", "screen.copy_text")        # actions of keys that Textual looks at first


class DeskScreen(Screen[None], inherit_bindings=False):         # Tab is ours: it does not move the focus
    """The one screen behind all dialogs."""

    app: Debug

    def __init__(self, hint: str = "", panes: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.hint = Hint(hint)
        self.header, self.timeline, self.desk = Header(), Timeline(), Desk(make_panes(panes))
        self.summary, self.prompt, self.footer = Summary(), Prompt(), Footer()

    def compose(self) -> ComposeResult:
        """Yield what it is made of."""
        yield from (self.header, self.timeline, self.desk, self.summary, self.hint, self.prompt, self.footer)

    def on_mount(self) -> None:
        """Begin."""
        self.app.begin()

    def on_resize(self) -> None:
        """Choose the layout that fits."""
        self.app.fit()


class Debug(Hands):
    """`xemu debug`."""

    CSS_PATH = "styles.tcss"
    TITLE = "xemu"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    COMMANDS: ClassVar[set[Any]] = App.COMMANDS | {Symbols}
    BINDINGS: ClassVar[list[Any]] = [key.binding() for key in KEYS]
    ESCAPE_TO_MINIMIZE = False

    def __init__(self, target: m.Target, *, theme: str = "dark", ascii_only: bool = False, layout: str | None = None,
                 opening: Opening | None = None, keymap: dict[str, str] | None = None, keep: bool = False, hint: str = "",
                 gdb: str | None = None) -> None:
        """`layout` None: as it was kept; `keep`: on disk; `keymap`: {id of an action: key}; `hint`: lines about what to do.

        `gdb`: which one helps with values, "": the first that is found, None: none.
        """
        super().__init__(ansi_color=theme == "ansi")
        self.target = target
        self.styles_by_name = Palette(theme, ascii_only=ascii_only)
        self.theme = {"dark": "textual-dark", "light": "textual-light", "ansi": "ansi-dark"}[theme]
        self.client = Client(self.received, self.printed)
        self.first_layout = layout
        self.keymap = keymap or {}
        self.main = DeskScreen(hint, target.panes)
        self.commands, self.motions = CommandLine(self), Motions(self)
        self.keeper, self.life = Keeper(self, on_disk=keep), Life(self, opening or Opening())
        self.oracle = Oracle(self, gdb)
        self.hello: m.Hello | None = None
        self.stop: m.StopView | None = None
        self.moving: m.Moving | None = None
        self.thread: int | None = None               # whose frame the panes show; None: the thread that runs
        self.frame = 0
        self.insns = self.beat = 0
        self.stub: m.Stub | None = None              # where a user's GDB may come, and who is there
        self.log_lines: list[str] = []
        self._terminal_size = Size(0, 0)
        self.ended: str | None = None
        self.waiters: list[Callable[[Any], None]] = []           # told of every message, for tests and pictures

    def get_default_screen(self) -> Screen[Any]:
        """Return the screen."""
        return self.main

    def begin(self) -> None:
        """Start the guest's process; the first frame does not wait for it."""
        self.desk.arrangement.layout = self.first_layout or "code"
        self.set_keymap(self.keymap)
        self.fit()
        if self.styles_by_name.ascii_only:
            self.main.add_class("-ascii")
        self.life.begin()
        if not self.is_headless:
            self.set_interval(1.0, self._look_at_terminal)

    def _look_at_terminal(self) -> None:
        """See what signals may not have told: the terminal has gone (where it does not control us), or has another size.

        Nor does every SIGCONT bring a suspended screen back: where the terminal is ours and does what it does for a shell, go on.
        """
        poll = select.poll()
        poll.register(0, 0)
        if any(events & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, events in poll.poll(0)):
            self.exit()
            return
        with suppress(OSError, termios.error):
            if termios.tcgetattr(0)[3] & termios.ICANON and os.tcgetpgrp(0) == os.getpgrp() and self._driver is not None:
                self._driver.resume_application_mode()
        size = Size(*shutil.get_terminal_size())
        if size != self._terminal_size:
            self._terminal_size = size
            if size != self.size:
                self.post_message(events.Resize(size, size))

    def forget(self) -> None:
        """The guest's process is about to be another one."""
        self.stop, self.moving, self.ended = None, None, None
        self.insns = self.beat = 0
        self.desk.remove_class("-running")
        for pane in self.desk.panes.values():
            pane.stop, pane.before = 0, None
        self.stub = None
        self.go(self.oracle.close())

    async def on_unmount(self) -> None:
        """End the guest's process."""
        self.life.keep()
        await self.oracle.close()
        self.client.close()

    # -- parts -----------------------------------------------------------------------------------------------------------
    def label(self, key: Key) -> str:
        """Return the key of a row as the user has it, as people write it."""
        return key_name(self.keymap[key.id].split(",")[0]) if key.id in self.keymap else key.label

    def terminal(self, channel: str) -> Terminal:
        """Return a channel's terminal, a new one if there is none yet."""
        pane = self.desk.panes.get(channel)
        if isinstance(pane, Terminal):
            return pane
        pane = Terminal(channel, self.hello.rate if self.hello else 1)
        self.desk.add(pane)
        self._offer(pane)
        return pane

    def _offer(self, pane: Terminal) -> None:
        """Have a terminal on top of its group, while nobody has chosen a tab there and no other terminal has said anything."""
        top = self.desk.panes.get(self.desk.arrangement.active.get(pane.group, ""))
        if pane.group not in self.desk.chosen and top is not pane and not (isinstance(top, Terminal) and (pane.quiet or not top.quiet)):
            self.desk.arrangement.active[pane.group] = pane.pane
            self.desk.rearrange(focus=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A terminal that is typed at gets all keys, also those that come first otherwise."""
        if action in FIRST and isinstance(self.focused, Terminal) and self.focused.typing:
            return False
        return super().check_action(action, parameters)

    def fit(self) -> None:
        """Choose the layout that fits the terminal."""
        arrangement = self.desk.arrangement
        size = size_class(self.size)
        if size != arrangement.size:
            arrangement.size = size
            self.main.summary.ask(on=size == "narrow")
        self.desk.rearrange(focus=not self.prompt.is_open)

    def _bars(self) -> None:
        self.main.header.refresh()
        self.main.timeline.refresh()

    # -- what comes from the guest -------------------------------------------------------------------------------------------
    def received(self, message: Any) -> None:
        """Take a message of the guest's process."""
        if isinstance(message, m.Stopped):
            moved = self.stop is None or self.stop.number != message.stop.number       # else something else has changed
            if moved:
                self.main.footer.say("", error=False)
                self.thread, self.frame = None, 0                # the guest's process does the same
            self.stop, self.moving = message.stop, None
            self.insns, self.beat = message.stop.insns, message.stop.beat
            self.desk.remove_class("-running")
            for pane in self.desk.panes.values() if moved else ():
                pane.extra.clear()
                pane.stopped(message.stop)
            self._put(message.data, message.stop.number)
            self._ask_all()
            self.oracle.begin()
        elif isinstance(message, m.Update):
            self.insns, self.beat = message.insns, message.beat
            if message.number in (0, self.stop.number if self.stop else 0):
                self._put(message.data, message.number)
        elif isinstance(message, m.Moving):
            self.moving = message
            self.desk.add_class("-running")
        elif isinstance(message, m.Hello):
            self.hello = message
            for channel in message.channels:
                self.terminal(channel)
            self.life.met(message)
            for pane in self.desk.panes.values():
                pane.met(message)
                pane.ask(again=True)
            self.main.timeline.ask(again=True)
            self.main.summary.ask(on=self.desk.arrangement.size == "narrow")
        elif isinstance(message, m.Output):
            self.main.summary.printed(message.data.decode(errors="replace"))
            terminal = self.terminal(message.channel)
            quiet = terminal.quiet
            for pane in self.desk.panes.values():
                pane.output(message)
            self._offer(terminal)
            if quiet and not terminal.quiet:
                self.desk.rearrange(focus=False)     # it has a tab now
        elif isinstance(message, m.Log):
            self.log_text(message.text)
        elif isinstance(message, m.Stub):
            self.stub = message
        elif isinstance(message, m.Ended):
            if message.text and not self.ended:      # the first to say why knows best
                self.say(message.text, error=True)
            self.ended = self.ended or message.text
        self._bars()
        for waiter in list(self.waiters):
            waiter(message)

    def printed(self, data: bytes) -> None:
        """Take what the guest's terminal shows."""
        self.received(m.Output("terminal", self.beat, data))

    def _put(self, data: dict[str, Any], number: int) -> None:
        for name, value in data.items():
            if name == "timeline":
                self.main.timeline.put(value)
                continue
            if name == "summary":
                self.main.summary.put(value, number)
                continue
            if name == POINTS:
                self.keeper.put(value)
                continue
            pane, _, more = name.partition(".")
            if pane in self.desk.panes and more:
                self.desk.panes[pane].put_more(more, value)
            elif pane in self.desk.panes:
                self.desk.panes[pane].put(value, number)

    # -- the selected frame ----------------------------------------------------------------------------------------------
    @property
    def selection(self) -> dict[str, Any]:
        """What queries are asked with to show the selected thread and frame."""
        return {"thread": self.thread, "frame": self.frame}

    def select(self, thread: int | None = None, frame: int = 0) -> None:
        """Show a thread and frame in all panes until the next stop."""
        self.thread, self.frame = thread, frame
        for pane in self.desk.panes.values():
            pane.selected()
        self._ask_all()

    def _ask_all(self) -> None:
        for pane in self.desk.panes.values():
            pane.ask()

    # -- telling the user ------------------------------------------------------------------------------------------------
    def say(self, text: str, *, error: bool = False) -> None:
        """Show a line at the bottom until something happens."""
        self.main.footer.say(text, error=error)
        if error:
            self.log_text(text)

    def log_text(self, text: str) -> None:
        """Write a line to the log pane."""
        self.log_lines += text.splitlines()
        del self.log_lines[:-5000]
        pane = self.desk.panes.get("log")
        if pane is not None:
            pane.put(list(self.log_lines), 0)

    def report(self, what: str, error: Exception) -> None:
        """Write an error of xemu's own to the log."""
        self.log_text(f"{what}: " + "".join(traceback.format_exception(error)))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Yield everything that has a name, for the palette."""
        del screen
        return entries(self)

    def action_help(self) -> None:
        """Show the help."""
        self.push_screen(HelpScreen(self.desk.focused_pane, self.label))

    def action_jump(self) -> None:
        """Put letters on everything that can be clicked."""
        self.push_screen(JumpScreen(self))
