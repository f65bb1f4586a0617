"""One connection: what a GDB has said it can do, which thread it looks at, its points, and the loop over its packets."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xemu.debug.stops import StopKind
from xemu.errors import XemuError
from xemu.gdbstub import stops
from xemu.gdbstub.errors import RspError, UnsupportedError
from xemu.gdbstub.facts import fact_or
from xemu.gdbstub.framing import Decoder, Kind, encode
from xemu.gdbstub.replies import hexed
from xemu.gdbstub.signals import to_gdb, to_linux
from xemu.gdbstub.table import ANY_THREAD, ThreadId, dispatch
from xemu.gdbstub.target_xml import Description, describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.gdbstub.nonstop import NonStop
    from xemu.gdbstub.server import Server
    from xemu.gdbstub.table import Row

WAITING = 32                     # packets that may wait; more stay in the socket
OUTPUT_ROOM = 1 << 20            # bytes of console output that may wait for a client that does not read
READ = 1 << 16
#: packets whose errors are numbers unless GDB says that it takes words (appendix E.4.3, `error-message`)
NUMERIC_ERRORS = (b"m", b"qRcmd")
#: packets that act at once, although the reply to a resume is still to come
AT_ONCE = {b"vCtrlC"}


class Client:
    """A connection to one GDB or LLDB."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.owner = f"gdb{number}"
        self.decoder = Decoder()
        self.acknowledging = True
        self.offered: set[str] = set()               # what the client says it can do
        self.error_strings = False                   # LLDB's QEnableErrorStrings
        self.thread_suffix = False
        self.list_threads = False
        self.extended = False
        self.general = self.moving_thread = ANY_THREAD      # Hg, Hc
        self.points: dict[tuple[int, int, int], Any] = {}   # (Z kind, address, length) -> point
        self.catches: dict[str, Any] = {}
        self.objects: dict[tuple[str, str], bytes] = {}     # what qXfer reads are pieces of
        self.files: dict[int, int] = {}                     # vFile descriptors -> ours
        self.saved: dict[int, dict[str, int]] = {}          # QSaveRegisterState
        self.flash: list[tuple[int, bytes]] = []
        self.traced_at = ""                                 # where the branch trace was read last
        self.motion: asyncio.Future[Any] | None = None      # the resume whose reply is owed
        self.last_stop: Any = None                          # instead of the debugger's, where the two differ
        self.nonstop: NonStop | None = None                 # what runs, where threads stop one by one
        self.children: set[int] = set()                     # forked processes that it has been told of: they run free
        self.vfork_done = False                             # the stop after a vfork has been told
        self.closing = False
        self._last_sent = b""
        self._received = self._handling = 0                 # numbers of packets
        self._interrupted = -1                              # the last one before an interrupt
        self._moved = False                                 # something was moved before: an interrupt is for a motion
        self._unseen = False                                # … and no stop has told of it
        self._packets: asyncio.Queue[bytes] = asyncio.Queue(WAITING)

    # -- what the handlers use -------------------------------------------------------------------------------------------
    @property
    def session(self) -> Any:
        """The session; RspError while there is no program."""
        self.require_target()
        return self.server.session

    @property
    def kind(self) -> str:
        """Whether a process or a machine is debugged."""
        return self.server.kind

    def fits(self, row: Row) -> bool:
        """Whether a packet makes sense for what is debugged."""
        session = self.server.session
        return row.kind in ("", self.kind) and (not row.needs or (session is not None and hasattr(session.debugger, row.needs)))

    @property
    def multiprocess(self) -> bool:
        """Whether thread ids name the process too."""
        return "multiprocess+" in self.offered

    @property
    def process(self) -> int:
        """The process's number; 1 for a machine."""
        return self.server.process

    @property
    def description(self) -> Description:
        """The registers."""
        system = self.session.debugger.system
        return describe(system.arch, fpu=fact_or(True, system, "fpu"))

    @property
    def told_of_end(self) -> bool:
        """Whether this client was told that the program has ended: there is nothing left for it."""
        return self.last_stop is not None and self.last_stop.kind in (StopKind.EXITED, StopKind.KILLED)

    def require_target(self) -> None:
        """Refuse where no program is loaded."""
        if self.server.session is None:
            raise RspError("no program is being debugged", 3)

    def require_writer(self, what: str) -> None:
        """Refuse unless this client is the one that may change things."""
        if not self.server.claim(self):
            raise RspError(f"{what}: another debugger controls this program; this connection can only look", 1)

    def told_signal(self, linux: int) -> int:
        """Return a Linux signal as this client numbers it: GDB has numbers of its own, LLDB takes the target's."""
        return linux if self.thread_suffix else to_gdb(linux)

    def meant_signal(self, number: int) -> int:
        """Return the Linux signal that this client means; 0 where there is none."""
        return number if self.thread_suffix else to_linux(number)

    def thread_text(self, thread: int, process: int | None = None) -> str:
        """Return a thread as packets name it."""
        return f"p{process or self.process:x}.{thread:x}" if self.multiprocess else f"{thread:x}"

    @property
    def at_child(self) -> bool:
        """Whether packets are about a forked child, which has no points."""
        return self.general.process in self.children

    def find_thread(self, thread: ThreadId) -> int | None:
        """Return the number of one thread, None for any; RspError for another process's."""
        if thread.process not in (None, -1, 0, self.process):
            raise RspError(f"no process {thread.process}", 3)
        return thread.thread if thread.thread > 0 else None

    async def ask(self, function: Callable[[Any], Any]) -> Any:
        """Run a function with the debugger on the engine's thread."""
        session = self.session
        return await asyncio.wrap_future(session.call(lambda: function(session.debugger)))

    async def move(self, motion: Callable[[Any], Any]) -> Any:
        """Move the machine and return the stop; an interrupt ends the motion, or the next where another stop came first."""
        sharing = self.server.sharing
        turn = sharing.begin() if sharing is not None else None
        future = asyncio.wrap_future(self.session.start(motion, by=self))
        self.motion = future
        self.server.motions.add(future)
        future.add_done_callback(self.server.motions.discard)
        self._moved = True
        if self._interrupted >= self._handling or self._unseen:            # Ctrl-C came before the motion had begun
            self.interrupt()
        try:
            stop = await asyncio.shield(future)          # a client that vanishes does not end what it began
            if turn is not None:
                stop = await turn
        finally:
            self.motion = None
            if sharing is not None:
                sharing.end()
        if self._unseen and stop.kind is StopKind.STEP:
            stop = replace(stop, kind=StopKind.PAUSE)
        self._unseen = self._unseen and stop.kind is not StopKind.PAUSE
        return stop

    async def stop_text(self, stop: Any = None, **how: Any) -> str:
        """Return the stop reply about a stop, the last one if none is given. Its thread is what packets are about from here on."""
        def reply(debugger: Any) -> str:
            told = stop or self.last_stop or debugger.stop
            if "thread" not in how:
                self.general = ThreadId(None, told.thread)
            return stops.stop_reply(self, debugger, told, **how)

        text: str = await self.ask(reply)
        return text

    async def console(self, text: str | bytes) -> None:
        """Have GDB print text; only while it waits for a stop or a monitor command."""
        data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        for at in range(0, len(data), 4096):
            await self.send("O" + hexed(data[at:at + 4096]))

    def interrupt(self) -> None:
        """End the motion that is running, or that a packet which has come already begins."""
        if self.nonstop is not None:
            self.nonstop.interrupt()
            return
        self._interrupted = self._received
        self._unseen = self._moved and not self.thread_suffix
        if self.motion is not None and self.server.sharing is not None:
            self.server.sharing.interrupt()
        elif self.motion is not None and self.server.session is not None:
            self.server.session.pause()

    def __str__(self) -> str:
        return f"GDB ({self.owner})"

    def log(self, text: bytes) -> None:
        """Print what a log point says, while GDB waits for a stop; dropped for a client that does not read."""
        if self.motion is not None and self.nonstop is None and self.writer.transport.get_write_buffer_size() < OUTPUT_ROOM:
            self._write(b"O" + hexed(text).encode())

    # -- the line --------------------------------------------------------------------------------------------------------
    async def send(self, reply: bytes | str) -> None:
        """Send a packet."""
        self._write(reply.encode("utf-8", "surrogateescape") if isinstance(reply, str) else reply)
        await self.writer.drain()

    def notify(self, text: str) -> None:
        """Send a notification."""
        data = text.encode("utf-8", "surrogateescape")
        self._note("to", b"%" + data)
        if not self.writer.is_closing():
            self.writer.write(encode(data, start=b"%"))

    def _note(self, which: str, data: bytes) -> None:
        if self.server.log is not None:
            self.server.log(f"{self.owner}: {which} GDB: {data[:512].decode('ascii', 'backslashreplace')}")

    def _write(self, data: bytes) -> None:
        self._note("to", data)
        self._last_sent = encode(data)
        self.writer.write(self._last_sent)

    async def serve(self) -> None:
        """Handle packets until the connection ends."""
        worker = asyncio.ensure_future(self._work())
        try:
            while not self.closing and (data := await self.reader.read(READ)):
                for piece in self.decoder.feed(data):
                    await self._take(piece.kind, piece.data, worker)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            worker.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await worker

    async def _take(self, kind: Kind, data: bytes, worker: asyncio.Future[None]) -> None:
        if kind is Kind.INTERRUPT:
            self._note("from", b"\x03")
            self.interrupt()
        elif kind is Kind.NAK:
            self.writer.write(self._last_sent)
        elif kind in (Kind.DAMAGED, Kind.TOO_LONG):
            if self.acknowledging:
                self.writer.write(b"-" if kind is Kind.DAMAGED else b"+" + encode(b"E07"))
            elif kind is Kind.TOO_LONG:
                self._write(b"E07")
        elif kind is Kind.PACKET:
            if self.acknowledging:
                self.writer.write(b"+")
            if data in AT_ONCE:
                self._write(b"OK")
                self.interrupt()
                return
            self._received += 1
            put = asyncio.ensure_future(self._packets.put(data))
            await asyncio.wait((put, worker), return_when=asyncio.FIRST_COMPLETED)
            if worker.done():
                put.cancel()
                raise ConnectionResetError

    async def _work(self) -> None:
        while not self.closing:
            data = await self._packets.get()
            self._handling += 1
            reply = await self.handle(data)
            if reply is not None:
                await self.send(reply)
        self.writer.close()                              # also ends the loop that reads

    async def handle(self, data: bytes) -> bytes | str | None:
        """Return the reply to a packet."""
        self._note("from", data)
        try:
            return await dispatch(self, data)
        except UnsupportedError:
            return ""
        except RspError as error:
            return self._error(data, error)
        except XemuError as error:
            return self._error(data, RspError(str(error)))
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - one packet's bug must not end the session; tests look at `bugs`
            self.server.bug(error, data)
            return self._error(data, RspError(f"bug in xemu: {type(error).__name__}: {error}", 0x7F))

    def _error(self, data: bytes, error: RspError) -> str:
        if self.error_strings:
            return f"E{error.number & 0xFF:02x};{hexed(error.text)}"
        if not error.text or ("error-message+" not in self.offered and data.startswith(NUMERIC_ERRORS) and data[1:2] != b"u"):
            return f"E{error.number & 0xFF:02x}"
        return "E." + error.text.replace("\n", " ")

    # -- leaving ---------------------------------------------------------------------------------------------------------
    async def release(self) -> None:
        """Take back what this client has set: points, catches, open files, threads that are held."""
        import os

        for descriptor in self.files.values():
            os.close(descriptor)
        self.files.clear()
        points = [*self.points.values(), *self.catches.values()]
        self.points, self.catches = {}, {}

        def take_back(debugger: Any) -> None:
            for point in points:
                debugger.delete(point)
            if self.server.writer in (None, self):
                debugger.only = None

        if self.server.session is not None:
            with contextlib.suppress(RspError, XemuError):
                await self.ask(take_back)
