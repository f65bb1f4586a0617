"""Taking turns with a screen that moves the same guest.

GDB controls from its stop reply until its next resume. While it is resumed, the screen may pause, step and go back, and GDB keeps
waiting: it gets its stop reply when the screen hands over, at one of its own points, at the end of the guest, or at its Ctrl-C.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.debug.stops import StopKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.debug.session import Session
    from xemu.gdbstub.client import Client
    from xemu.gdbstub.server import Server

#: stops after which only a debugger can say how to go on
TOLD = {StopKind.EXITED, StopKind.KILLED, StopKind.LOCKUP, StopKind.DIVERGED}


class State(NamedTuple):
    """What the screen says about GDB: how many look on, who controls, who waits for its turn."""

    clients: int = 0
    controls: str = ""
    waits: str = ""


class Sharing:
    """The turns of a server's writer. `changed` is told of every new state, in any thread."""

    def __init__(self, server: Server, session: Session, changed: Callable[[State], None]) -> None:
        self.server, self.session, self.changed = server, session, changed
        self.turn: asyncio.Future[Any] | None = None         # the stop for which the writer waits
        self.own = False                                     # its own motion runs
        self.wanted = False                                  # Ctrl-C was pressed
        self._told = State()

    # -- in the stub's loop ------------------------------------------------------------------------------------------------
    def begin(self) -> asyncio.Future[Any]:
        """Begin a motion of the writer; returns the stop that will be told."""
        self.turn = asyncio.get_running_loop().create_future()
        self.own, self.wanted = True, False
        return self.turn

    def end(self) -> None:
        """The writer does not wait any more."""
        self.turn = None
        self.own = self.wanted = False
        self.tell()

    def take(self, client: Client) -> None:
        """Have the writer control, from its connection on."""
        self.session.controller = client
        self.tell()

    def leave(self, client: Client) -> None:
        """The writer is gone."""
        if self.session.controller is client:
            self.session.controller = None
        self.tell()

    def interrupt(self) -> None:
        """The writer wants its stop now."""
        self.wanted = True
        self.session.pause()
        self.session.call(self.hand_over)                    # where the guest stands already

    def tell(self) -> None:
        """Tell the screen what has changed."""
        controller, writer = self.session.controller, self.server.writer
        owner = writer.owner if writer is not None else ""
        state = State(len(self.server.clients), owner if controller is writer else "", owner if self.turn is not None else "")
        if state != self._told:
            self._told = state
            self.changed(state)

    # -- on the engine's thread --------------------------------------------------------------------------------------------
    def event(self, event: Any) -> None:
        """Take Running or a stop: from one that is the writer's it controls."""
        writer = self.server.writer
        if writer is not None and self.turn is not None and hasattr(event, "kind"):
            if self._is_for(writer, event):
                self._give(writer, event)
            self.own = False                                 # what moves next is the screen's doing
        self.tell()

    def _is_for(self, writer: Client, stop: Any) -> bool:
        if self.wanted or stop.kind in TOLD or any(point.owner == writer.owner for point in stop.points):
            return True
        return self.own and not stop.points and stop.kind is not StopKind.PAUSE

    def hand_over(self) -> bool:
        """Give the writer the guest as it stands; returns whether it has waited for that."""
        writer = self.server.writer
        if writer is None or self.turn is None or self.session.moving:
            return False
        self._give(writer, self.session.debugger.stop)
        self.tell()
        return True

    def _give(self, writer: Client, stop: Any) -> None:
        self.session.controller = writer
        turn = self.turn
        assert turn is not None
        turn.get_loop().call_soon_threadsafe(lambda: None if turn.done() else turn.set_result(stop))
