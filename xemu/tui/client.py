"""The screen's end of the guest's process: what comes from there, and asking it for things."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

from xemu.errors import XemuError
from xemu.tui import messages as m

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

CHUNK = 1 << 16          # bytes of a terminal that are read at once
RATE = 1 / 30            # seconds between two reads: a guest that prints faster waits


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

    def start(self, target: m.Target) -> None:
        """Start the process; call it in the loop."""
        from xemu.tui.engine import start

        self._loop = asyncio.get_running_loop()
        self._master, slave = os.openpty()
        self._errors, errors = os.pipe()
        self.resize(*self._size)
        self.process = start(target, slave, errors, self._connect)
        os.close(slave)
        os.close(errors)
        self._loop.add_reader(self._master, self._print)
        self._loop.add_reader(self._errors, self._complain)

    def _connect(self, connection: Connection) -> None:
        self.connection = connection
        threading.Thread(target=self._read, args=(connection, self._loop), name="from the guest", daemon=True).start()

    def _read(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            try:
                message = connection.recv()
            except (EOFError, OSError):
                message = None
            try:
                loop.call_soon_threadsafe(self._take, connection, message)
            except RuntimeError:                     # the loop is closed
                return
            if message is None:
                return

    def _take(self, connection: Connection, message: Any) -> None:
        if connection is not self.connection:        # of a process that was replaced
            return
        if message is None:
            self._over("the guest's process has ended")
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
        try:
            data = os.read(self._master, CHUNK)
        except OSError:                              # all programs on it have ended
            data = b""
        self._loop.remove_reader(self._master)
        if data:
            self.printed(data)
            self._loop.call_later(RATE if len(data) > CHUNK // 16 else 0, self._print_again, self._master)

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
            try:
                self.connection.send(message)
            except OSError:
                self._over("the guest's process has ended")

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
            try:
                os.write(self._master, data)
            except OSError:
                return
        else:
            self.send(m.Input(channel, data))

    def resize(self, rows: int, columns: int) -> None:
        """Tell the terminal its size."""
        import fcntl
        import struct
        import termios

        self._size = rows, columns
        if self._master >= 0:
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        """End the process."""
        for future in self._answers.values():
            future.cancel()
        self._answers.clear()
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()
        if self._loop is not None:
            for descriptor in (self._master, self._errors):
                self._loop.remove_reader(descriptor)
                os.close(descriptor)
            self._master = self._errors = -1
            self._loop = None
        if self.process is not None:
            process, self.process = self.process, None
            try:
                process.wait(2)
            except Exception:  # noqa: BLE001  it hangs: it has had its chance
                process.kill()
                process.wait()
