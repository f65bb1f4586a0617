"""The guest's side of the command line: words are looked up and done here, motions as the session's."""

from __future__ import annotations

import ctypes
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from xemu.debug.stops import StopKind
from xemu.tui.commands import Context, Reply, find

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.debug.debugger import Debugger
    from xemu.debug.session import Session
    from xemu.debug.stops import Stop
    from xemu.tui.commands import Command

PATIENCE = 0.5           # seconds that Python has to notice a pause by itself, as a motion does


class Interrupted(Exception):  # noqa: N818  it is no error: the user has asked for it
    """Raised in Python that runs on and on."""


class Console:
    """Does commands. `changed` is called after one that has changed what panes show."""

    def __init__(self, d: Debugger, session: Session, changed: Callable[[], None]) -> None:
        self.debugger, self.session, self.changed = d, session, changed
        self.kept: dict[str, Any] = {}
        self._python: int | None = None              # the thread in which Python of the user's runs

    def start(self, text: str, thread: int | None, frame: int, by: object) -> Future[Any]:
        """Do a command; the future has its Reply."""
        try:
            row, form, rest = find(text)
        except Exception as error:  # noqa: BLE001  whoever has asked gets it
            refused: Future[Any] = Future()
            refused.set_exception(error)
            return refused
        context = Context(self.debugger, thread, frame, form, kept=self.kept)
        if not row.motion:
            return self.session.call(lambda: self._do(row, context, rest))
        reply: Future[Any] = Future()
        moved = self.session.start(lambda _d: self._move(row, context, rest), by=by)
        moved.add_done_callback(lambda done: self._moved(context, done, reply))
        return reply

    def _do(self, row: Command, context: Context, rest: str) -> Reply:
        row.function(context, rest)
        if (row.changes or context.changed) and not self.session.moving:
            self.changed()
        return self._reply(context)

    def _move(self, row: Command, context: Context, rest: str) -> Stop:
        self._python = threading.get_ident()
        try:
            stop: Stop = row.function(context, rest)
        finally:
            self._python = None
            self.debugger.system.pausing = False     # a pause that came too late is none of the next motion
        if not context.quiet:
            context.say(stop.text if stop.kind is not StopKind.REACHED else f"{self.debugger.where()}, {stop.position}")
        return stop

    def _moved(self, context: Context, done: Future[Stop], reply: Future[Any]) -> None:
        error = done.exception()
        if error is not None:
            reply.set_exception(error)
        else:
            reply.set_result(self._reply(context))

    @staticmethod
    def _reply(context: Context) -> Reply:
        return Reply("\n".join(context.out), context.error, tuple(context.acts))

    def paused(self) -> None:
        """The user wants a pause: a motion sees that itself; Python in a loop of its own has to be told."""
        if self._python is not None:
            timer = threading.Timer(PATIENCE, self._interrupt, [self._python])
            timer.daemon = True
            timer.start()

    def _interrupt(self, thread: int) -> None:
        if self._python == thread and self.debugger.system.pausing:
            self.debugger.system.pausing = False
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Interrupted))
