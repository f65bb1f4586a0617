"""Who may touch the guest: the engine's thread alone. Everybody else posts functions here.

`serve` is that thread's loop. While a motion runs, what was posted with `call` is done at the ends of slices (10 ms).
"""

from __future__ import annotations

import signal
import threading
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.errors import XemuError

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.debug.debugger import Debugger
    from xemu.debug.stops import Stop

    Listener = Callable[[Any], None]


class Running(NamedTuple):
    """Sent to listeners when the guest starts to move."""

    back: bool = False


class Ended(NamedTuple):
    """Sent to listeners when the session is over."""


class ControlError(XemuError):
    """Somebody else moves the guest."""


def start_deaf(thread: threading.Thread) -> None:
    """Start a thread that gets no signals: they are the guest's, and one that another thread takes is lost for it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Session:
    """A debugger, its engine thread's work, and who listens."""

    def __init__(self, debugger: Debugger) -> None:
        self.debugger = debugger
        self.moving = False                          # a motion runs or is about to
        self.controller: object = None               # who alone may move the guest, if anybody
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._motion: tuple[Callable[[Debugger], Stop], Future[Stop]] | None = None
        self._work = threading.Condition()
        self._closed = False
        self._listeners: list[Listener] = []
        self.interrupted: Callable[[], bool] = lambda: False         # whether something outside ends the session
        self._thread: int | None = None
        debugger.on_slice = self._do_calls

    # -- for every thread ------------------------------------------------------------------------------------------------
    def call(self, function: Callable[[], Any]) -> Future[Any]:
        """Have the engine's thread call a function soon, also while the guest runs; it must not move the guest."""
        future: Future[Any] = Future()
        with self._work:
            if self._closed:
                future.set_exception(ControlError("the session is over"))
                return future
            self._calls.append((function, future))
            self._work.notify()
        if self.moving:
            self.debugger.system.nudge()
        return future

    def start(self, motion: Callable[[Debugger], Stop], by: object = None) -> Future[Stop]:
        """Have the guest moved. ControlError in the future where another motion runs or somebody else controls."""
        future: Future[Stop] = Future()
        with self._work:
            refused = ("the session is over" if self._closed else "the guest is running" if self.moving
                       else f"{self.controller} controls the guest" if self.controller not in (None, by) else "")
            if refused:
                future.set_exception(ControlError(refused))
                return future
            self.moving, self.controller = True, None       # whoever controls gives that up until a stop is told
            self._motion = motion, future
            self._work.notify()
        return future

    def pause(self) -> None:
        """End the motion that runs; nothing where none does."""
        if self.moving:
            self.debugger.system.kick()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have a listener told of Running, Stop and Ended, on the engine's thread; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def close(self) -> None:
        """Have `serve` return."""
        with self._work:
            self._closed = True
            self._work.notify()
        self.pause()

    # -- the engine's thread ---------------------------------------------------------------------------------------------
    def serve(self) -> None:
        """Work until `close`."""
        self._thread = threading.get_ident()
        while True:
            with self._work:
                while not self._calls and self._motion is None and not self._closed and not self.interrupted():
                    self._work.wait(0.2)                # signals of the main thread are noticed between waits
                motion, self._motion = self._motion, None
                closed = self._closed = self._closed or self.interrupted()
            self._do_calls()
            if motion is not None and closed:
                motion[1].set_exception(ControlError("the session is over"))
            elif motion is not None:
                self._move(*motion)
            elif closed:
                self._tell(Ended())
                return

    def _do_calls(self) -> None:
        while self._calls:
            function, future = self._calls.popleft()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function())
                except BaseException as error:  # noqa: BLE001  whoever waits for it gets it
                    future.set_exception(error)

    def _move(self, motion: Callable[[Debugger], Stop], future: Future[Stop]) -> None:
        self._tell(Running())
        try:
            stop = motion(self.debugger)
        except BaseException as error:
            self.moving = False
            future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            self._tell(self.debugger.stop)
            return
        self.moving = False
        self._tell(stop)
        future.set_result(stop)

    def _tell(self, event: Any) -> None:
        for listener in list(self._listeners):
            listener(event)


__all__ = ["ControlError", "Ended", "Running", "Session", "start_deaf"]
