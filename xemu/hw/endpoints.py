"""What serial lines can be connected to: standard input and output, pseudo-terminals, TCP, files."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Any

from xemu.errors import UsageError
from xemu.hw.machine import Stop
from xemu.hw.ports import BACKLOG, GONE, IN, OUT, Output, Port

if TYPE_CHECKING:
    import socket

    from xemu.hw.ports import Hub

ESCAPE = 0x01                    # Ctrl-A
HELP = """Ctrl-A x       end xemu
Ctrl-A h       this help
Ctrl-A Ctrl-A  send Ctrl-A
All other keys, Ctrl-C too, go to the guest."""


class RawTerminal:
    """A terminal in raw mode: keys go to the guest as they are. What the guest prints still gets its carriage returns."""

    def __init__(self, descriptor: int) -> None:
        import termios

        self.termios, self.descriptor = termios, descriptor
        self.before = termios.tcgetattr(descriptor)
        self.enter()

    def enter(self) -> None:
        """Switch to raw mode."""
        t = self.termios
        mode: list[Any] = self.termios.tcgetattr(self.descriptor)
        mode[0] &= ~(t.BRKINT | t.ICRNL | t.INLCR | t.IGNCR | t.INPCK | t.ISTRIP | t.IXON)
        mode[3] &= ~(t.ECHO | t.ICANON | t.IEXTEN | t.ISIG)
        mode[6][t.VMIN], mode[6][t.VTIME] = 1, 0
        t.tcsetattr(self.descriptor, t.TCSANOW, mode)

    def leave(self) -> None:
        """Restore what was before; never raises."""
        with contextlib.suppress(OSError, self.termios.error):
            self.termios.tcsetattr(self.descriptor, self.termios.TCSANOW, self.before)


class Stdio(Port):
    """Standard input and output. A regular file is all there from the start; a terminal is put into raw mode."""

    title = "standard input and output"

    def __init__(self, hub: Hub, output: Output, descriptor: int = 0) -> None:
        super().__init__(hub)
        self.output, self.descriptor = output, descriptor
        self.terminal: RawTerminal | None = None
        self._escaped = False
        self._open = False
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError:                              # closed
            return
        self.regular = stat.S_ISREG(mode)
        self._open = not self.regular
        if os.isatty(descriptor):
            self._open = self.person = os.tcgetpgrp(descriptor) == os.getpgrp()      # in the background there are no keys

    def start(self) -> None:
        """Read a file, or take the terminal; OSError."""
        if self.person:
            self.terminal = RawTerminal(self.descriptor)
        elif not self._open and getattr(self, "regular", False):
            with open(os.dup(self.descriptor), "rb") as file:  # noqa: PTH123  it has no path
                data = file.read()
            if data:
                self.incoming(data)

    @property
    def open(self) -> bool:
        return self._open

    def watches(self) -> list[tuple[int, int]]:
        return [(self.descriptor, IN)] if self._open and not self.full else []

    def ready(self, descriptor: int, events: int) -> None:
        del events
        try:
            data = os.read(descriptor, 4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._open = False
            if self.person:                          # the terminal is gone
                self.hub.end(Stop("signal", 129))
            return
        if self.terminal is not None:
            data = self._keys(data)
        if data:
            self.incoming(data)

    def _keys(self, data: bytes) -> bytes:
        """Take out what is meant for xemu."""
        out = bytearray()
        for byte in data:
            if not self._escaped:
                self._escaped = byte == ESCAPE
                if not self._escaped:
                    out.append(byte)
                continue
            self._escaped = False
            if byte == ESCAPE:
                out.append(byte)
            elif byte in b"xX\x18":
                self.hub.end(Stop("quit"))
            elif byte in b"hH?":
                self.hub.say(HELP)
            else:
                self.hub.say(f"Ctrl-A {chr(byte) if 32 < byte < 127 else hex(byte)} means nothing; Ctrl-A h helps")
        return bytes(out)

    def write(self, data: bytes) -> None:
        self.output.write(data)

    def close(self) -> None:
        if self.terminal is not None:
            self.terminal.leave()


class File(Port):
    """A file that gets what the guest sends; UsageError if it cannot be written."""

    def __init__(self, hub: Hub, path: str) -> None:
        super().__init__(hub)
        self.title = path
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UsageError(f"--uart {path}: {(error.strerror or str(error)).lower()}") from None
        self.output = Output(hub, descriptor, path)

    def write(self, data: bytes) -> None:
        self.output.write(data)

    def close(self) -> None:
        os.close(self.output.descriptor)


class Unhurried(Port):
    """A port whose reader may be absent or slow: output waits for it up to a limit, the guest does not."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self.backlog = bytearray()

    def write(self, data: bytes) -> None:
        self.backlog += data
        if len(self.backlog) > BACKLOG:
            del self.backlog[:-BACKLOG]
            self.hub.machine.report(f"{self.title}: its reader does not keep up; old output is dropped")

    @property
    def open(self) -> bool:
        return True


class Pty(Unhurried):
    """A pseudo-terminal for another program."""

    person = True

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        try:
            self.master, self.slave = os.openpty()   # the slave stays open: a program may come, go and come again
        except OSError as error:
            raise UsageError(f"--uart pty: {error.strerror}") from None
        import tty

        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.title = os.ttyname(self.slave)

    def watches(self) -> list[tuple[int, int]]:
        return [(self.master, (0 if self.full else IN) | (OUT if self.backlog else 0))]

    def ready(self, descriptor: int, events: int) -> None:
        if events & IN:
            with contextlib.suppress(BlockingIOError):
                self.incoming(os.read(descriptor, 4096))
        if events & OUT:
            self.flush()

    def flush(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self.backlog:
                del self.backlog[:os.write(self.master, self.backlog[:4096])]

    def close(self) -> None:
        self.flush()
        os.close(self.master)
        os.close(self.slave)


class Tcp(Unhurried):
    """A TCP server for one client at a time. Output from before the first one is kept for it."""

    def __init__(self, hub: Hub, host: str, port: int) -> None:
        super().__init__(hub)
        import socket

        self.client: socket.socket | None = None
        try:
            self.server = socket.create_server((host, port), backlog=1)
        except (OSError, OverflowError) as error:
            number = getattr(error, "errno", None)
            why = os.strerror(number) if number and number > 0 else str(error)
            raise UsageError(f"--uart tcp:{host}:{port}: {why.lower()}") from None
        self.server.setblocking(False)
        self.title = "tcp {}:{}".format(*self.server.getsockname()[:2])

    def watches(self) -> list[tuple[int, int]]:
        if self.client is None:
            return [(self.server.fileno(), IN)]
        return [(self.client.fileno(), (0 if self.full else IN) | (OUT if self.backlog else 0))]

    def ready(self, descriptor: int, events: int) -> None:
        if self.client is None:
            with contextlib.suppress(OSError):
                self.client, _ = self.server.accept()
                self.client.setblocking(False)
            return
        del descriptor
        if events & OUT:
            self.flush()
        if events & (IN | GONE) and self.client is not None:
            self._receive(self.client)

    def _receive(self, client: socket.socket) -> None:
        try:
            data = client.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.incoming(data)
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        if self.client is not None:
            self.client.close()
            self.client = None

    def flush(self) -> None:
        try:
            while self.backlog and self.client is not None:
                del self.backlog[:self.client.send(self.backlog[:65536])]
        except BlockingIOError:
            pass
        except OSError:
            self._hang_up()

    def close(self) -> None:
        self.flush()
        self._hang_up()
        self.server.close()


def make_port(hub: Hub, what: str, stdio: Stdio) -> Port | None:
    """Return the port that a word of `--uart` names ("stdio", "pty", "tcp:PORT", "none", a file); UsageError."""
    if what == "none":
        return None
    if what == "stdio":
        return stdio
    if what == "pty":
        return Pty(hub)
    if what.startswith("tcp:"):
        host, _, port = what[4:].rpartition(":")
        if not port.isdecimal():
            raise UsageError(f"--uart {what}: it is tcp:PORT or tcp:HOST:PORT")
        return Tcp(hub, host.strip("[]") or "127.0.0.1", int(port))
    return File(hub, what.removeprefix("file:"))
