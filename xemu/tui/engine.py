"""The guest's process: `python -m xemu.tui.engine DESCRIPTOR`. It has the debugger; the screen is at the other end of a socket.

The guest is alone in a process so that it keeps its speed and its signals, whatever the screen does, and the screen stays alive
whatever the guest does. A program's standard input and output are a terminal that the screen shows; it is the session's own.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from time import monotonic
from typing import TYPE_CHECKING, Any

from xemu.debug.session import start_deaf
from xemu.errors import XemuError
from xemu.tui import messages as m
from xemu.tui.actions import ACTIONS, MOTIONS
from xemu.tui.queries import find

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.debug.debugger import Debugger
    from xemu.debug.stops import Stop

AT_ONCE = 0.02           # seconds of a stop's queries that go into its first message
TICK = 1 / 15            # seconds between updates while the guest runs
LIVE = 0.25              # … at least so many times what the last one took
QUEUED = 64              # messages that wait for a screen that is busy, before output makes the guest wait


def unselected(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a query's arguments for the newest frame of the thread that runs: a stop ends the selection of another."""
    return {name: {"thread": None, "frame": 0}.get(name, value) for name, value in arguments.items()}


class Sender(threading.Thread):
    """Sends messages: a screen that is busy makes nobody wait, and gets the newest update only."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(name="to the screen", daemon=True)
        self.connection = connection
        self.messages: queue.Queue[Any] = queue.Queue()
        self.room = threading.Semaphore(QUEUED)
        self.lock = threading.Lock()
        self.update: m.Update | None = None

    def send(self, message: Any) -> None:
        """Send a message some time."""
        if isinstance(message, m.Update) and message.number == 0:
            with self.lock:
                waiting, self.update = self.update, message
            if waiting is not None:
                return                               # in its place
            message = None
        self.messages.put(message)

    def send_output(self, message: m.Output) -> None:
        """Send what the guest prints; one that prints faster than it can be shown waits."""
        self.room.acquire(timeout=5)
        self.messages.put(message)

    def run(self) -> None:
        """Send until the screen is gone."""
        while True:
            message = self.messages.get()
            if isinstance(message, m.Output):
                self.room.release()
            if message is None:
                with self.lock:
                    message, self.update = self.update, None
            try:
                self.connection.send(message)
            except OSError:
                return
            if isinstance(message, m.Ended):
                return


class Guest:
    """A debugger with its session, as the screen asks for it."""

    def __init__(self, connection: Connection, target: m.Target) -> None:
        self.connection, self.target = connection, target
        self.sender = Sender(connection)
        start_deaf(self.sender)
        self.send = self.sender.send
        self.wants: dict[str, m.Want] = {}
        self.stops = 0
        self.view: m.StopView | None = None
        self.ticking = threading.Event()
        self.took = 0.0

    # -- setting up ------------------------------------------------------------------------------------------------------
    def open(self) -> None:
        """Load the guest."""
        from xemu.debug.events import events_of
        from xemu.debug.session import Session
        from xemu.tui.console import Console
        from xemu.tui.guest import Channels, hello, open_debugger, prepare
        from xemu.tui.stub import Stubs

        self.debugger: Debugger = open_debugger(self.target)
        self.events = events_of(self.debugger)
        self.channels = Channels(self.debugger, self.sender.send_output)
        self.session = Session(self.debugger)
        self.console = Console(self.debugger, self.session, self._refresh)
        self.session.subscribe(self._told)
        self.debugger.on_slice = partial(self._between, self.debugger.on_slice)
        self.debugger.log = lambda text: self.send(m.Log(text))
        prepare(self.debugger, self.target)
        self.stubs = Stubs(self.session, self.send, self.target.sysroot)
        self.send(hello(self.debugger, self.target, self.channels.names))
        if self.target.gdb is not None:
            self.stubs.listen(self.target.gdb)

    def run(self) -> None:
        """Serve the screen until it has enough."""
        start_deaf(threading.Thread(target=self._receive, name="from the screen", daemon=True))
        start_deaf(threading.Thread(target=self._tick, name="ticks", daemon=True))
        self._told(self.debugger.stop)
        self.session.serve()
        self.stubs.close()

    # -- from the screen, in a thread of its own -------------------------------------------------------------------------
    def _receive(self) -> None:
        while True:
            try:
                message = self.connection.recv()
            except (EOFError, OSError):
                self.session.close()
                return
            if isinstance(message, m.Want):
                self._want(message)
            elif isinstance(message, m.Do):
                self._do(message)
            elif isinstance(message, m.Pause):
                self.session.pause()
                self.console.paused()
            elif isinstance(message, m.Input):
                self.session.call(partial(self.channels.feed, message.channel, message.data))

    def _want(self, want: m.Want) -> None:
        if not want.query:
            self.wants.pop(want.pane, None)
            return
        self.wants[want.pane] = want
        if not self.session.moving:
            self.session.call(lambda: self._answer_want(want))

    def _answer_want(self, want: m.Want) -> None:
        if self.view is not None and self.wants.get(want.pane) is want and not self.session.moving:
            self.send(m.Update(self.view.number, self.view.insns, self.view.beat, {want.pane: self._ask(want)}))

    def _do(self, do: m.Do) -> None:
        if do.name == "command":
            self.console.start(**do.arguments, by=self).add_done_callback(lambda done: self._answer(do, done))
        elif do.name == "completion.complete":
            names = self.console.kept.get("python")
            self.session.call(lambda: find(do.name)[0](self.debugger, python=names, **do.arguments)).add_done_callback(
                lambda done: self._answer(do, done))
        elif do.name in MOTIONS:
            future = self.session.start(lambda debugger: MOTIONS[do.name](debugger, **do.arguments), by=self)
            future.add_done_callback(lambda done: self._answer(do, done, motion=True))
        elif do.name in ACTIONS:
            self.session.call(lambda: self._act(do)).add_done_callback(lambda done: self._answer(do, done))
        elif do.name in self.stubs.services:
            self.stubs.services[do.name]().add_done_callback(lambda done: self._answer(do, done))
        else:
            self.session.call(lambda: find(do.name)[0](self.debugger, **do.arguments)).add_done_callback(
                lambda done: self._answer(do, done))

    def _act(self, do: m.Do) -> Any:
        value = ACTIONS[do.name](self.debugger, **do.arguments)
        if not self.session.moving:
            self._refresh()
        return value

    def _answer(self, do: m.Do, future: Any, *, motion: bool = False) -> None:
        from xemu.debug.session import ControlError

        error = future.exception()
        if error is not None and not isinstance(error, XemuError):
            import traceback

            self.send(m.Log("".join(traceback.format_exception(error))))
        text = str(error) if error is not None else ""
        if isinstance(error, ControlError) and self.session.controller is not None:
            text += ": continue or detach there, or disconnect it here (Ctrl-G)"
        self.send(m.Answer(do.number, None if error is not None or motion else future.result(), text))

    # -- on the engine's thread ------------------------------------------------------------------------------------------
    def _between(self, calls: Callable[[], None]) -> None:
        """Between two slices of a guest that runs."""
        calls()
        self.channels.poll()

    def _told(self, event: Any) -> None:
        from xemu.debug.session import Ended, Running
        from xemu.debug.stops import Stop

        if isinstance(event, Running):
            if self.target.limit is not None:
                self.debugger.bound = self.debugger.position.beat + self.target.limit
            self.send(m.Moving(event.back))
            self.ticking.set()
        elif isinstance(event, Stop):
            self.channels.poll()
            self.ticking.clear()
            self.stops += 1
            self.events.stopped(event)
            self.wants = {name: want._replace(arguments=unselected(want.arguments)) for name, want in self.wants.items()}
            self._show(event)
        elif isinstance(event, Ended):
            self.send(m.Ended())

    def _refresh(self) -> None:
        """Something has changed what panes show."""
        self._show(self.debugger.stop)

    def _show(self, stop: Stop) -> None:
        """Tell of a stop, with as much as is there at once."""
        self.view = self._view(stop)
        wanted = list(self.wants.values())
        began, data = monotonic(), {}
        while wanted and monotonic() - began < AT_ONCE:
            want = wanted.pop(0)
            data[want.pane] = self._ask(want)
        self.send(m.Stopped(self.view, data))
        if wanted:
            self._later(self.view, wanted)

    def _show_rest(self, view: m.StopView, wanted: list[m.Want]) -> None:
        if view is not self.view or self.session.moving:
            return                                   # it is no longer true
        want = wanted.pop(0)
        if self.wants.get(want.pane) is want:
            self.send(m.Update(view.number, view.insns, view.beat, {want.pane: self._ask(want)}))
        if wanted:
            self._later(view, wanted)

    def _later(self, view: m.StopView, wanted: list[m.Want]) -> None:
        self.session.call(lambda: self._show_rest(view, wanted))

    def _ask(self, want: m.Want) -> Any:
        try:
            return find(want.query)[0](self.debugger, **want.arguments)
        except XemuError as error:
            return m.Failed(str(error))
        except Exception as error:  # noqa: BLE001  it is the pane that fails, not the guest: its frame says so
            import traceback

            self.send(m.Log(f"{want.query}: " + "".join(traceback.format_exception(error))))
            return m.Failed(f"{type(error).__name__}: {error}")

    def _view(self, stop: Stop) -> m.StopView:
        from xemu.debug.stops import StopKind

        d = self.debugger
        first, last = (d.history.first.insns, d.history.last.insns) if d.recording else (0, 0)
        text = stop.text
        if stop.kind is StopKind.BREAKPOINT and not any(getattr(point, "where", "") for point in stop.points):
            text += f", {d.where()}"                     # of GDB's points the address was known, not the place
        return m.StopView(self.stops, stop.kind.value, text, d.position.insns, d.position.beat, d.position.transition, stop.pc,
                          stop.thread, d.system.live, tuple(p.id for p in stop.points), stop.kind.final, first, last)

    # -- while the guest runs --------------------------------------------------------------------------------------------
    def _tick(self) -> None:
        while True:
            self.ticking.wait()
            threading.Event().wait(max(TICK, self.took / LIVE))
            if self.session.moving:
                with suppress(Exception):
                    self.session.call(self._live).result()

    def _live(self) -> None:
        if not self.session.moving:
            return
        began, d = monotonic(), self.debugger
        data = {w.pane: self._ask(w) for w in list(self.wants.values()) if find(w.query)[1]}
        self.took = monotonic() - began
        self.send(m.Update(0, d.position.insns, d.position.beat, data))


def _claim_terminal() -> None:
    """Make standard input the session's own terminal: the guest's Ctrl-C and job control work on it."""
    import fcntl
    import termios

    with suppress(OSError):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def main(descriptor: int) -> int:
    """Serve the screen at a socket; standard error is what the screen's log shows."""
    connection = Connection(descriptor)
    _claim_terminal()
    errors = os.dup(2)
    os.set_inheritable(errors, False)
    os.dup2(0, 2)                                    # the guest's standard error is the terminal
    sys.stderr = os.fdopen(errors, "w", buffering=1)
    guest = Guest(connection, connection.recv())
    try:
        guest.open()
    except XemuError as error:
        guest.send(m.Ended(str(error)))
        guest.sender.join(5)
        return error.exit_code
    guest.run()
    guest.sender.join(5)
    return 0


def start(target: m.Target, terminal: int, errors: int, receive: Callable[[Connection], None]) -> Any:
    """Start a guest's process on a terminal; returns it. `receive` gets the connection before the target is sent."""
    import socket
    import subprocess

    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "xemu.tui.engine", str(theirs.fileno())], pass_fds=[theirs.fileno()], start_new_session=True,
            stdin=terminal, stdout=terminal, stderr=errors)
    connection = Connection(ours.detach())
    receive(connection)
    connection.send(target)
    return process


if __name__ == "__main__":
    code = main(int(sys.argv[1]))
    sys.stderr.flush()
    os._exit(code)       # threads that wait for the screen need no good-bye
