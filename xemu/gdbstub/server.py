"""The stub's server: one asyncio loop in a thread of its own, listening at TCP ports, Unix sockets or standard input.

The first client is the writer: it may move the machine and change it. Others look on. Nothing in here waits for the
engine but by awaiting futures, so all clients are answered while the guest runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import stat
import sys
import threading
import weakref
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.debug.session import start_deaf
from xemu.errors import UsageError, XemuError
from xemu.gdbstub import packets as _packets  # noqa: F401 - fills the table
from xemu.gdbstub.client import Client
from xemu.gdbstub.facts import fact_or
from xemu.gdbstub.filesystem import FileSystem
from xemu.gdbstub.outcomes import CLOSED, ENDED, LEFT
from xemu.gdbstub.sharing import Sharing

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.gdbstub.sharing import State

#: kinds of stops from which a program does not go on by itself
OVER = ("EXITED", "KILLED", "LOCKUP", "IDLE", "STRICT")
LOOPBACK = ("127.0.0.1", "::1", "localhost")


#: servers of this process, whose sockets a forked guest must not keep open
SERVERS: weakref.WeakSet[Server] = weakref.WeakSet()


def _after_fork() -> None:
    for server in SERVERS:
        server.abandon()


os.register_at_fork(after_in_child=_after_fork)


class Endpoint(NamedTuple):
    """Where to listen."""

    kind: str                    # "tcp", "unix", "stdio"
    host: str = ""               # or the path of a socket
    port: int = 0

    @property
    def trusted(self) -> bool:
        """Whether only this machine's users can connect."""
        return self.kind != "tcp" or self.host in LOOPBACK


def parse_endpoint(text: str) -> Endpoint:
    """Read `PORT`, `:PORT`, `HOST:PORT`, `unix:PATH`, `/PATH`, `-` or `stdio`; UsageError. No host: loopback."""
    if text in ("-", "stdio"):
        return Endpoint("stdio")
    if text.startswith("unix:") or "/" in text:
        return Endpoint("unix", text.removeprefix("unix:"))
    host, _, port = _TCP.sub("", text).rpartition(":")
    plain = host.strip("[]")
    if ":" in plain and not _is_address(plain):
        raise UsageError(f"{text}: cannot resolve name: {plain}")
    if not port.isdigit() or int(port) > 0xFFFF:
        raise UsageError(f"{text}: not a place to listen at; it is PORT, HOST:PORT, unix:PATH or -")
    return Endpoint("tcp", plain or LOOPBACK[0], int(port))


_TCP = re.compile(r"^tcp[46]?:(?=.)")


def _is_address(text: str) -> bool:
    """Whether text is an address of IPv6."""
    try:
        socket.inet_pton(socket.AF_INET6, text)
    except OSError:
        return False
    return True


@dataclass
class Launch:
    """What `vRun` asks for, gathered from the packets before it."""

    program: str = ""                                # "": the same as before
    arguments: list[str] = field(default_factory=list)
    environment: dict[str, str | None] = field(default_factory=dict)       # None: unset
    directory: str = ""
    randomize: bool = False


class Server:
    """Serves a session to any number of clients. `launch` starts another program and returns its session."""

    def __init__(self, session: Any = None, *, kind: str = "", launch: Callable[[Launch], Any] | None = None, once: bool = False,
                 multi: bool = False, leaves: bool = True, sysroot: str | None = None, attached: bool = False,
                 say: Callable[[str], None] | None = None, log: Callable[[str], None] | None = None,
                 shared: Callable[[State], None] | None = None, reads_only: bool = False) -> None:
        """`shared`: a screen moves the same guest, and is told who controls it. `reads_only`: nobody may move or change anything."""
        self.session: Any = None
        self._kind, self.launch = kind, launch
        self.once, self.multi, self.sysroot = once, multi, sysroot
        self.leaves = leaves and not multi           # serving ends with the program: when it is killed, detached from, or has ended
        self.attached = attached                     # whether the program was there before: GDB then leaves it alone when it quits
        self.stop_at_exit = False                    # a program stops in front of its end, from where one can go back
        self.stdio: tuple[int, int] | None = None    # descriptors to use instead of standard input and output
        self.say, self.log = say or _to_standard_error, log
        self.reads_only = reads_only
        self.sharing = Sharing(self, session, shared) if shared is not None else None
        self.request = Launch()
        self.branch_trace, self.branch_count = False, 10_000
        self.clients: list[Client] = []
        self.writer: Client | None = None
        self.motions: set[asyncio.Future[Any]] = set()
        self.bugs: list[BaseException] = []
        self.endpoints: list[Endpoint] = []
        self.trusted = True
        self.finished: Future[str] = Future()        # why serving ended; set once
        self._count = 0
        self._events: set[asyncio.Future[Any]] = set()
        self._servers: list[asyncio.AbstractServer] = []
        self._tasks: set[asyncio.Future[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._main, name="gdbstub", daemon=True)
        self.adopt(session)
        SERVERS.add(self)

    # -- the program -----------------------------------------------------------------------------------------------------
    def adopt(self, session: Any) -> None:
        """Serve another session from now on; None: no program."""
        self.session = session
        if session is not None:
            session.subscribe(self._on_event)

    @property
    def kind(self) -> str:
        """Whether a process or a machine is debugged."""
        return self.session.debugger.system.kind if self.session is not None else self._kind or "process"

    @property
    def process(self) -> int:
        """The process's number; 1 for a machine."""
        system = self.session.debugger.system if self.session is not None else None
        return fact_or(1, system, "pid") or 1

    @property
    def filesystem(self) -> FileSystem:
        """The files that clients may read."""
        system = self.session.debugger.system if self.session is not None else None
        return FileSystem(system, self.sysroot, open_to_all=self.trusted)

    def _on_event(self, event: Any) -> None:
        """Take an event on the engine's thread."""
        if self.sharing is not None:
            self.sharing.event(event)
        with contextlib.suppress(RuntimeError):              # the loop has ended
            self._loop.call_soon_threadsafe(self._deliver, event)

    def _deliver(self, event: Any) -> None:
        if hasattr(event, "kind"):                           # a stop
            for waiting in list(self._events):
                if not waiting.done():
                    waiting.set_result(event)
            if event.kind.name in OVER and self.leaves and not self.clients:
                self._finish(ENDED)

    def print_for(self, client: Client, text: bytes) -> None:
        """Have a client print what its log point says; the engine's thread calls it."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(client.log, text)

    async def halt(self) -> None:
        """Have the machine stand still: GDB takes for granted that what it connects to is stopped."""
        if self.session is None:
            return
        if self.sharing is not None and self.writer is not None:
            self.sharing.take(self.writer)
        for client in self.clients:
            if client.nonstop is not None:
                await client.nonstop.halt()
        if self.motions:
            self.session.pause()
            await asyncio.wait(set(self.motions))
        elif self.session.moving:
            stopped = self._loop.create_future()
            self._events.add(stopped)
            self.session.pause()
            while self.session.moving and not stopped.done():       # it may have stopped before we listened
                await asyncio.wait((stopped,), timeout=0.05)
            self._events.discard(stopped)

    def run_free(self) -> None:
        """Have the program run on; nobody waits for its next stop. If serving has ended, the session ends with it."""
        session = self.session

        def ended(done: Future[Any]) -> None:
            if not done.cancelled() and done.exception() is None and self.finished.done():
                session.close()

        def motion(debugger: Any) -> Any:
            debugger.pass_signals = frozenset(range(1, 65))       # nobody looks at them now
            return debugger.cont()

        session.start(motion).add_done_callback(ended)

    def end_session(self) -> None:
        """End the program."""
        session, self.session = self.session, None
        if session is not None:
            session.close()

    def claim(self, client: Client) -> bool:
        """Make a client the writer if nobody is; return whether it is."""
        if self.writer is None and not self.reads_only:
            self.writer = client
        return self.writer is client

    def bug(self, error: BaseException, data: bytes) -> None:
        """Note an error of the stub itself."""
        import traceback

        self.bugs.append(error)
        self.say(f"bug in the GDB stub, in packet {data[:80]!r}:\n" + "".join(traceback.format_exception(error)[-3:]))

    # -- clients ---------------------------------------------------------------------------------------------------------
    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._count += 1
        client = Client(self, reader, writer, self._count)
        self.clients.append(client)
        self.claim(client)
        _no_delay(writer)
        if self.once:
            self._stop_listening()
        try:
            await client.serve()
        finally:
            await self._gone(client)
            self._tasks.discard(task)

    async def _gone(self, client: Client) -> None:
        self.clients.remove(client)
        if self.writer is client:
            self.writer = None
        if self.sharing is not None:
            self.sharing.leave(client)
        if client.nonstop is not None:
            client.nonstop.forget()
        await client.release()
        client.writer.close()
        with contextlib.suppress(ConnectionError, OSError):
            await client.writer.wait_closed()
        alone = not self.clients and not self.finished.done()
        if alone and (self.once or (self.session is None and not self.multi)):
            self._finish(LEFT)

    def finish(self, why: str) -> None:
        """End serving; any thread may call it."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._finish, why)

    def _finish(self, why: str) -> None:
        self._stop_listening()
        if not self.finished.done():
            self.finished.set_result(why)

    def disconnect(self) -> None:
        """End the connection of the writer; any thread may call it."""
        def close() -> None:
            if self.writer is not None:
                self.writer.writer.close()

        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(close)

    # -- listening -------------------------------------------------------------------------------------------------------
    def listen(self, *endpoints: Endpoint) -> list[Endpoint]:
        """Start listening, and the thread if need be; returns the endpoints with their port numbers; XemuError."""
        if not self._thread.is_alive():
            start_deaf(self._thread)
        try:
            return asyncio.run_coroutine_threadsafe(self._listen(endpoints), self._loop).result()
        except OSError as error:
            self.close()
            raise XemuError(f"cannot listen at {_place(endpoints)}: {error.strerror or error}") from None

    async def _listen(self, endpoints: tuple[Endpoint, ...]) -> list[Endpoint]:
        result = []
        for endpoint in endpoints:
            if endpoint.kind == "stdio":
                task = asyncio.ensure_future(self._stdio())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                result.append(endpoint)
                continue
            if endpoint.kind == "unix":
                _remove_stale(endpoint.host)
                server: asyncio.AbstractServer = await asyncio.start_unix_server(self._connected, endpoint.host)
                result.append(endpoint)
            else:
                tcp = await asyncio.start_server(self._connected, endpoint.host, endpoint.port, reuse_address=True)
                server = tcp
                result.append(endpoint._replace(port=tcp.sockets[0].getsockname()[1]))
            self._servers.append(server)
        self.endpoints += result
        self.trusted = all(endpoint.trusted for endpoint in self.endpoints)
        return result

    async def _stdio(self) -> None:
        """Serve standard input and output as one client."""
        source, sink = self.stdio or (0, 1)
        if stat.S_ISSOCK(os.fstat(source).st_mode):          # GDB's `target remote | COMMAND`: one socket for both ways
            streams = await asyncio.open_connection(sock=socket.socket(fileno=source))
        else:
            loop = asyncio.get_running_loop()
            reader = asyncio.StreamReader()
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(source, "rb", buffering=0))
            pipe = os.fdopen(sink, "wb", buffering=0)
            transport, protocol = await loop.connect_write_pipe(lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), pipe)
            streams = reader, asyncio.StreamWriter(transport, protocol, None, loop)
        await self._connected(*streams)
        self.finish(LEFT)

    def _stop_listening(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()
        for endpoint in self.endpoints:
            if endpoint.kind == "unix":
                _remove_stale(endpoint.host)

    def abandon(self) -> None:
        """Close the sockets in a forked child, which runs without a debugger."""
        numbers = [handle.fileno() for server in self._servers for handle in getattr(server, "sockets", ())]
        for client in self.clients:
            handle = client.writer.get_extra_info("socket")
            if handle is not None:
                numbers.append(handle.fileno())
        for number in numbers:
            with contextlib.suppress(OSError):
                os.close(number)

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def close(self) -> None:
        """End all connections and the thread; returns when nothing of it runs any more."""
        if not self._thread.is_alive():
            if not self._loop.is_closed():
                self._loop.close()
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    async def _close(self) -> None:
        self._finish(CLOSED)
        for client in self.clients:
            client.writer.close()
        pending = {task for task in self._tasks if task is not asyncio.current_task()}
        if pending:
            _, late = await asyncio.wait(pending, timeout=1)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


def _to_standard_error(text: str) -> None:
    sys.stderr.write(f"xemu: {text}\n")


def _place(endpoints: tuple[Endpoint, ...]) -> str:
    return ", ".join(f"{e.host}:{e.port}" if e.kind == "tcp" else e.host or e.kind for e in endpoints)


def _no_delay(writer: asyncio.StreamWriter) -> None:
    handle = writer.get_extra_info("socket")
    if handle is not None and handle.family in (socket.AF_INET, socket.AF_INET6):
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _remove_stale(path: str) -> None:
    """Remove a socket that nobody listens at any more; anything else stays."""
    probe = socket.socket(socket.AF_UNIX)
    try:
        probe.connect(path)
    except ConnectionRefusedError:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108
    except OSError:
        pass
    finally:
        probe.close()


__all__ = ["Endpoint", "Launch", "Server", "parse_endpoint"]
