"""GDB stubs in the guest's process, on the screen's own session: one for users' GDBs, one for the hidden GDB, which only reads."""

from __future__ import annotations

import shutil
import tempfile
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from xemu.debug.session import start_deaf
from xemu.errors import UsageError
from xemu.tui import messages as m

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.debug.session import Session
    from xemu.gdbstub.server import Server
    from xemu.gdbstub.sharing import State


def in_thread(function: Callable[[], str]) -> Future[str]:
    """Have a thread of its own do something that takes long and does not touch the guest."""
    future: Future[str] = Future()

    def work() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001  whoever waits for it gets it
            future.set_exception(error)

    start_deaf(threading.Thread(target=work, name="service", daemon=True))
    return future


class Stubs:
    """The stubs of a session."""

    def __init__(self, session: Session, send: Callable[[Any], None], sysroot: str | None) -> None:
        self.session, self.send, self.sysroot = session, send, sysroot
        self.server: Server | None = None            # for users' GDBs
        self.hidden: Server | None = None
        self.directory = ""                          # of the hidden one's socket; nobody else may look into it
        self.place = ""

    def listen(self, place: str) -> None:
        """Wait for users' GDBs; XemuError."""
        from xemu.gdbstub.server import Server, parse_endpoint

        self.server = Server(self.session, leaves=False, attached=True, sysroot=self.sysroot, shared=self._changed, say=self._say)
        for endpoint in self.server.listen(parse_endpoint(place)):
            self.place = endpoint.host if endpoint.kind == "unix" else \
                f"{'' if endpoint.trusted else endpoint.host}:{endpoint.port}"
        self.send(m.Stub(self.place))
        self.send(m.Log(f"waiting for GDB: target remote {self.place}"))

    def _changed(self, state: State) -> None:
        self.send(m.Stub(self.place, *state))

    def _say(self, text: str) -> None:
        self.send(m.Log(text))

    # -- what the screen asks for ------------------------------------------------------------------
    def hand_over(self) -> str:
        """Give GDB the guest as it stands."""
        sharing = self.server.sharing if self.server is not None else None
        if sharing is None:
            raise UsageError("no GDB can come: start with --gdb PORT")
        if not sharing.hand_over():
            raise UsageError("GDB controls already" if self.session.controller is not None else "no GDB waits for a stop")
        return "GDB controls the guest now"

    def disconnect(self) -> str:
        """End the connection of the GDB that may move the guest."""
        if self.server is None or self.server.writer is None:
            raise UsageError("no GDB is connected")
        self.server.disconnect()
        return "GDB has been disconnected"

    def hidden_place(self) -> str:
        """Return the socket at which a GDB may look at everything and move nothing."""
        if self.hidden is None:
            from xemu.gdbstub.server import Endpoint, Server

            self.directory = tempfile.mkdtemp(prefix="xemu-gdb-")
            self.hidden = Server(self.session, leaves=False, attached=True, sysroot=self.sysroot, say=self._say, reads_only=True)
            self.hidden.listen(Endpoint("unix", f"{self.directory}/stub"))
        return f"{self.directory}/stub"

    @property
    def services(self) -> dict[str, Callable[[], Future[str]]]:
        """What the screen may ask for, by name."""
        call = self.session.call
        return {"hand_over": lambda: call(self.hand_over), "disconnect_gdb": lambda: call(self.disconnect),
                "hidden_place": lambda: in_thread(self.hidden_place)}

    def close(self) -> None:
        """End all connections."""
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)
        for server in (self.server, self.hidden):
            if server is not None:
                with suppress(Exception):            # the guest's process is about to end: nothing must keep it
                    server.close()
