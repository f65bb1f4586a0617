"""The main thread's part: it is the engine's thread of one session after another, while the stub serves clients.

stage = Stage(open_session)
server = Server(stage.open(Launch("a.out")), launch=stage.launch)
server.listen(Endpoint("tcp", "127.0.0.1", 1234))
code = stage.run(server)
"""

from __future__ import annotations

import queue
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from xemu.debug.session import start_deaf
from xemu.errors import XemuError
from xemu.gdbstub.outcomes import DETACHED
from xemu.gdbstub.programs import find_gdb
from xemu.gdbstub.server import Endpoint, Launch, Server, parse_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable


class Stage:
    """Opens sessions and runs them, all on the thread that calls `run`."""

    def __init__(self, open_session: Callable[[Launch], Any] | None = None) -> None:
        self.open_session = open_session
        self.session: Any = None
        self.last: Any = None                        # the last stop of the last session
        self._wanted: queue.SimpleQueue[tuple[Launch, Future[Any]] | None] = queue.SimpleQueue()

    def open(self, request: Launch) -> Any:
        """Open a session; the main thread calls it."""
        if self.open_session is None:
            raise XemuError("programs cannot be started here")
        self.session = self.open_session(request)
        return self.session

    def launch(self, request: Launch) -> Any:
        """Have the main thread open a session, and return it; another thread calls it."""
        result: Future[Any] = Future()
        self._wanted.put((request, result))
        return result.result()

    def run(self, server: Server, session: Any = None) -> int:
        """Run sessions until serving has ended and, after a detach, the program too; returns the exit code."""
        self.session = session or self.session
        server.finished.add_done_callback(self._finished)
        try:
            while True:
                if self.session is not None:
                    self._serve()
                if server.finished.done():
                    return self._code()
                wanted = self._wanted.get()
                if wanted is None:
                    return self._code()
                self._open_for(*wanted)
        finally:
            server.close()

    def _serve(self) -> None:
        session = self.session
        session.serve()
        self.last = session.debugger.stop
        session.debugger.system.close()
        if self.session is session:
            self.session = None

    def _open_for(self, request: Launch, result: Future[Any]) -> None:
        try:
            result.set_result(self.open(request))
        except Exception as error:  # noqa: BLE001 - GDB is told
            result.set_exception(error)

    def _finished(self, future: Future[str]) -> None:
        self._wanted.put(None)
        session = self.session
        if session is not None and future.result() != DETACHED:       # detached: it runs on to its end
            session.close()

    def _code(self) -> int:
        kind = self.last.kind.name if self.last is not None else ""
        return {"EXITED": lambda: int(self.last.code), "KILLED": lambda: 128 + int(self.last.number)}.get(kind, lambda: 0)()


def serve_program(session: Any, place: str, *, sysroot: str | None = None) -> int:
    """Do `xemu run -g PLACE`: wait for a debugger; returns the program's exit code. After a detach the program runs on."""
    server = Server(session, sysroot=sysroot)
    for endpoint in server.listen(parse_endpoint(place)):
        announce(endpoint)
    return Stage().run(server, session)


def serve_machine(session: Any, place: str, *, stopped: bool) -> int:
    """Do `xemu boot --gdb PLACE`: debuggers may come and go; `stopped`: the machine waits for the first one (-S)."""
    server = Server(session, attached=True)
    for endpoint in server.listen(parse_endpoint(place)):
        announce(endpoint)
    if not stopped:
        server.run_free()
    return Stage().run(server, session)


# -- GDB in the foreground -------------------------------------------------------------------------------------------------
def gdb_command(gdb: str, place: str, *, file: str | None = None, sysroot: str | None = None, kind: str = "process",
                more: list[str] | None = None) -> list[str]:
    """Return the command line of a GDB that connects to a socket."""
    before = ["set confirm off"] if kind == "machine" else []
    if sysroot:
        before.append(f"set sysroot {sysroot}")
    words = [gdb, "-q"]
    for text in before:
        words += ["-iex", text]
    words += ["-ex", f"target extended-remote {place}", *(more or [])]
    return [*words, file] if file else words


def run_with_gdb(session: Any, *, gdb_path: str | None = None, file: str | None = None, sysroot: str | None = None,
                 more: list[str] | None = None) -> int:
    """Start GDB in the foreground, connected to a session; returns GDB's exit code when it has ended.

    Ctrl-C is GDB's: the terminal sends it to both, and only GDB acts on it.
    """
    gdb = find_gdb(gdb_path)
    system = session.debugger.system
    directory = tempfile.mkdtemp(prefix="xemu-gdb-")
    place = f"{directory}/stub"
    server = Server(session, leaves=False, sysroot=sysroot, attached=system.kind == "machine")
    before = signal.signal(signal.SIGINT, _nothing)          # a handler, unlike SIG_IGN, is not inherited by GDB
    try:
        server.listen(Endpoint("unix", place))
        command = gdb_command(gdb, place, file=file, sysroot=sysroot, kind=system.kind, more=more)
        with subprocess.Popen(command) as child:
            import threading

            start_deaf(threading.Thread(target=_wait, args=(child, server), daemon=True))
            stage = Stage()
            stage.run(server, session)
            return child.wait()
    finally:
        signal.signal(signal.SIGINT, before)
        shutil.rmtree(directory, ignore_errors=True)


def _nothing(_number: int, _frame: object) -> None:
    return


def _wait(child: subprocess.Popen[bytes], server: Server) -> None:
    child.wait()
    server.finish("GDB has ended")


def announce(endpoint: Endpoint, *, stream: Any = None) -> None:
    """Say how to connect: the line to type into GDB."""
    out = stream or sys.stderr
    place = f":{endpoint.port}" if endpoint.kind == "tcp" else endpoint.host
    if endpoint.kind == "tcp" and not endpoint.trusted:
        place = f"{endpoint.host}:{endpoint.port}"
    out.write(f"xemu: waiting for GDB: target remote {place}\n")
    out.flush()
