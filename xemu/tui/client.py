"""The screen's end of the guest's process: what comes from there, and asking it for things."""

from __future__ import annotations

import asyncio
import contextvars
import os
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from xemu.errors import XemuError
from xemu.tui import messages as m

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

CHUNK = 1 << 18          # bytes of a terminal that are shown at once: a guest that prints faster waits
BURST = 1 << 12          # … from which on the rest of the screen gets a turn, too
TURN = 0.005             # seconds of it at least; else as many as showing them took
AHEAD = 16               # messages with output that wait in the loop
TYPED = 1 << 20          # bytes that wait for a program that does not read


class Client:
    """A guest's process. `received` gets every message, `printed` the bytes of its terminal, both in the loop's thread."""

    def __init__(self, received: Callable[[Any], None], printed: Callable[[bytes], None]) -> None:
        self.received, self.printed = received, printed
        self.connection: Connection | None = None
        self.process: Any = None
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._master = self._errors = -1
        self._size = (24, 80)
        self._typed = bytearray()                    # what the terminal has had no room for
        self._ahead = threading.Semaphore(AHEAD)
        self._lock = threading.Lock()
        self._update: m.Update | None = None         # of a guest that runs, the newest that has come

    def start(self, target: m.Target) -> None:
        """Start the process; call it in the loop."""
        from xemu.tui.engine import start

        self._loop = asyncio.get_running_loop()
        self._master, slave = os.openpty()
        os.set_blocking(self._master, False)
        self._errors, errors = os.pipe()
        self.resize(*self._size)
        self.process = start(target, slave, errors, self._connect)
        os.close(slave)
        os.close(errors)
        self._loop.add_reader(self._master, self._print)
        self._loop.add_reader(self._errors, self._complain)

    def _connect(self, connection: Connection) -> None:
        self.connection = connection
        context = contextvars.copy_context()
        threading.Thread(target=self._read, args=(connection, self._loop, context), name="from the guest", daemon=True).start()

    def _read(self, connection: Connection, loop: asyncio.AbstractEventLoop, context: contextvars.Context) -> None:
        """Read messages, in a thread that owns the connection: nobody else closes what it reads from."""
        with connection:
            message: Any = True
            while message is not None:
                try:
                    message = connection.recv()
                except (EOFError, OSError):
                    message = None
                if isinstance(message, m.Output):
                    while not self._ahead.acquire(timeout=1):
                        if connection is not self.connection:
                            return
                if isinstance(message, m.Update) and message.number == 0:
                    with self._lock:
                        waiting, self._update = self._update, message
                    if waiting is not None:
                        continue                     # a screen that is behind gets the newest only
                try:
                    loop.call_soon_threadsafe(self._take, connection, message, context=context)
                except RuntimeError:                 # the loop is closed
                    return

    def _take(self, connection: Connection, message: Any) -> None:
        if isinstance(message, m.Output):
            self._ahead.release()
        elif isinstance(message, m.Update) and message.number == 0:
            with self._lock:
                message, self._update = self._update or message, None
        if connection is not self.connection:        # of a process that was replaced
            return
        if message is None:
            self._over("the guest's process has ended")
        elif isinstance(message, m.Ended):
            self._over(message.text)
        elif isinstance(message, m.Answer):
            future = self._answers.pop(message.number, None)
            if future is not None and not future.done():
                if message.error:
                    future.set_exception(XemuError(message.error))
                else:
                    future.set_result(message.value)
        else:
            self.received(message)

    def _over(self, text: str) -> None:
        for future in self._answers.values():
            if not future.done():
                future.set_exception(XemuError(text))
        self._answers.clear()
        self.connection = None
        self.received(m.Ended(text))

    def _print(self) -> None:
        """Take what the terminal has, and leave the rest for a moment: the screen has other things to do."""
        assert self._loop is not None
        data, ended = bytearray(), False
        try:
            while len(data) < CHUNK and not ended:
                some = os.read(self._master, CHUNK)
                data += some
                ended = not some
        except BlockingIOError:
            pass
        except OSError:                              # all programs on it have ended
            ended = True
        self._loop.remove_reader(self._master)
        if data:
            began = self._loop.time()
            self.printed(bytes(data))
            took = self._loop.time() - began
            if not ended:
                self._loop.call_later(max(took, TURN) if len(data) >= BURST else 0, self._print_again, self._master)

    def _print_again(self, master: int) -> None:
        if self._loop is not None and master == self._master:
            self._loop.add_reader(master, self._print)

    def _complain(self) -> None:
        assert self._loop is not None
        data = os.read(self._errors, CHUNK)
        if data:
            self.received(m.Log(data.decode(errors="replace").rstrip("\n")))
        else:
            self._loop.remove_reader(self._errors)

    @property
    def busy(self) -> bool:
        """Whether answers are awaited."""
        return bool(self._answers)

    # -- asking ----------------------------------------------------------------------------------------------------------
    def send(self, message: Any) -> None:
        """Send a message; nothing happens where the process has ended."""
        if self.connection is not None:
            with suppress(OSError):                  # it has ended: what it still said is read first
                self.connection.send(message)

    def want(self, pane: str, query: str, **arguments: Any) -> None:
        """Have a pane's data come with every stop from now on, and once at once."""
        self.send(m.Want(pane, query, arguments))

    async def do(self, what: str, /, **arguments: Any) -> Any:
        """Have a motion, action or query done and return its result; XemuError."""
        if self.connection is None:
            raise XemuError("the guest's process has ended; R starts it again")
        self._number += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[self._number] = future
        self.send(m.Do(self._number, what, arguments))
        return await future

    def pause(self) -> None:
        """Stop the guest."""
        self.send(m.Pause())

    def type(self, channel: str, data: bytes) -> None:
        """Have the guest receive bytes."""
        if channel == "terminal":
            if self._master >= 0 and len(self._typed) < TYPED:
                self._typed += data
                self._write_typed()
        else:
            self.send(m.Input(channel, data))

    def _write_typed(self) -> None:
        """Write as much as the terminal takes, the rest when it has room."""
        assert self._loop is not None
        try:
            del self._typed[:os.write(self._master, self._typed)]
        except BlockingIOError:
            pass
        except OSError:                              # all programs on it have ended
            self._typed.clear()
        if self._typed:
            self._loop.add_writer(self._master, self._write_typed)
        else:
            self._loop.remove_writer(self._master)

    def resize(self, rows: int, columns: int) -> None:
        """Tell the terminal its size."""
        import fcntl
        import struct
        import termios

        self._size = rows, columns
        if self._master >= 0:
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self, *, wait: bool = True) -> None:
        """End the process; `wait` False: it ends while something else happens."""
        for future in self._answers.values():
            future.cancel()
        self._answers.clear()
        connection, self.connection = self.connection, None
        if connection is not None:
            hang_up(connection)
        if self._loop is not None:
            self._loop.remove_writer(self._master)
            self._typed.clear()
            for descriptor in (self._master, self._errors):
                self._loop.remove_reader(descriptor)
                os.close(descriptor)
            self._master = self._errors = -1
            self._loop = None
        if self.process is not None:
            process, self.process = self.process, None
            if wait:
                _end(process)
            else:
                threading.Thread(target=_end, args=(process,), name="ends the guest").start()


def hang_up(connection: Connection) -> None:
    """Have both ends read no more: closing would not, while a thread here still reads."""
    import socket

    with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as both:
        both.shutdown(socket.SHUT_RDWR)


def _end(process: Any) -> None:
    """Wait for a process that should end; one that hangs has had its chance."""
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
