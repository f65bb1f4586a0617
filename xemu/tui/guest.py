"""Opening what the screen debugs, and the channels on which a machine talks."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xemu.debug.events import events_of
from xemu.errors import NotFoundError, UsageError, XemuError
from xemu.hw.ports import Hub, Pace, Port
from xemu.tui import messages as m
from xemu.tui.queries import load
from xemu.tui.queries.rtt import Rtt

MESSAGE = 2048           # bytes of output that are sent at once

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.debug.debugger import Debugger
    from xemu.debug.events import Events


def open_debugger(target: m.Target) -> Debugger:
    """Return a debugger on a program, firmware, a recording or a snapshot."""
    from xemu import debug
    from xemu.debug.sections import is_recording

    path, *arguments = target.words
    if not Path(path).exists():
        raise NotFoundError(f"{path}: no such file")
    if is_recording(path):
        return debug.open_recording(path, machine=target.machine)
    if debug.is_program(path):                       # a board that is named (a setting, perhaps) is for firmware
        d = debug.open_process(path, *arguments, sysroot=target.sysroot, env=list(target.env))
        d.system.alone = target.limit is not None
        return d
    from xemu.debug.debugger import Debugger
    from xemu.debug.machine import MachineSystem
    from xemu.hw.harness import build_board

    if arguments:
        raise UsageError(f"firmware takes no arguments: {' '.join(arguments)}")
    machine = build_board(target.machine, path, base=target.base)
    hub = Hub(machine)
    d = Debugger(MachineSystem(machine, hub))
    d.system.alone = target.limit is not None
    hub.pace = None if d.system.alone else Pace(machine, 1.0)
    if target.svd is not None:
        from xemu.hw.svd import load_svd

        machine.svd = load_svd(target.svd, d.log)
    return d


def prepare(d: Debugger, target: m.Target) -> None:
    """Have a debugger find its sources, and run the user's script with it."""
    from xemu.debug.sources import Sources
    from xemu.tui import keeping  # noqa: F401  its actions

    for path in target.panes:
        load(path)
    if target.source_map:
        d.source.sources = Sources(target.source_map)
    if target.script is not None:
        run_script(d, target.script)


def run_script(d: Debugger, path: str) -> None:
    """Run Python with the debugger as `d`; what it prints, and what is wrong with it, goes to the log."""
    import contextlib
    import io
    import traceback

    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise NotFoundError(f"{path}: {error.strerror}") from None
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            exec(compile(text, path, "exec"), {"__name__": "__main__", "__file__": path, "d": d})
        except Exception as error:  # noqa: BLE001  the user's, not ours: the screen opens all the same
            said.write(f"{path}: " + "".join(traceback.format_exception(error)))
    if said.getvalue():
        d.log(said.getvalue().rstrip("\n"))


def hello(d: Debugger, target: m.Target, channels: tuple[str, ...]) -> m.Hello:
    """Describe a guest."""
    path = str(Path(target.words[0]).absolute())
    architecture = d.source.architecture
    machine = getattr(d.system, "machine", None)
    title = f"{machine.name} ({getattr(machine.cpu, 'title', d.system.arch)})" if machine is not None else f"Linux {d.system.arch}"
    return m.Hello(Path(path).name, title, d.system.kind, d.system.rate, build_of(path), (path,), channels,
                   architecture.bits, architecture.little)


def build_of(path: str) -> str:
    """Return what tells one build of a program from others: its build-id, else a digest of the file."""
    from xemu.debug.elffile import ElfFile

    with suppress(XemuError):
        found = ElfFile.open(path).build_id
        if found:
            return found
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha1").hexdigest()


class Outlet:
    """What the guest sends on a channel: at once to the list of events, which asks for beats, by lines to the screen.

    Bytes that come one by one would be many messages.
    """

    def __init__(self, name: str, send: Callable[[m.Output], None], events: Events) -> None:
        self.name, self.send, self.events = name, send, events
        self.beat, self.waiting = 0, bytearray()

    def write(self, data: bytes) -> None:
        """Take bytes."""
        if not self.waiting:
            self.beat = self.events.machine.written_at(len(data))[0]
        self.events.output(self.name, data)
        self.waiting += data
        if len(self.waiting) >= MESSAGE or data.endswith(b"\n"):
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self.waiting:
            data, self.waiting = bytes(self.waiting), bytearray()
            self.send(m.Output(self.name, self.beat, data))


class Channel(Port):
    """The screen's end of a serial line."""

    def __init__(self, hub: Hub, line: Any, outlet: Outlet, *, alone: bool) -> None:
        super().__init__(hub)
        self.outlet, self.alone = outlet, alone
        line.listeners.append(outlet.write)

    @property
    def open(self) -> bool:
        """Somebody may always type: the machine waits for that."""
        return not self.alone

    def flush(self) -> None:
        """The machine is about to wait."""
        self.outlet.flush()


class Channels:
    """All channels of a guest: serial lines, semihosting, RTT. A program has its terminal instead, which is no matter of messages."""

    def __init__(self, d: Debugger, send: Callable[[m.Output], None]) -> None:
        self.debugger, self.send, self.events = d, send, events_of(d)
        self.feeds: dict[str, Callable[[bytes], None]] = {}
        self.outlets: list[Outlet] = []
        self.names: tuple[str, ...] = ()
        self.rtt: Rtt | None = None
        machine = getattr(d.system, "machine", None)
        if machine is None or not d.system.live:
            self.names = ("terminal",) if d.system.live else ()
            return
        hub: Any = d.system.hub                      # type: ignore[attr-defined]
        for line in machine.serials:
            if line.port is not None:
                hub.ports.append(Channel(hub, line, self._outlet(line.name), alone=d.system.alone))
                self.feeds[line.name] = line.feed
        semihosting = getattr(machine.cpu, "semihosting", None)
        if semihosting is not None:
            semihosting.console = self._outlet("semihosting").write
            self.feeds["semihosting"] = semihosting.input.extend
        self.names = tuple(self.feeds)
        self.rtt = Rtt(d)

    def _outlet(self, name: str) -> Outlet:
        outlet = Outlet(name, self.send, self.events)
        self.outlets.append(outlet)
        return outlet

    def feed(self, channel: str, data: bytes) -> None:
        """Have the guest receive bytes; in the past that would be another future, which typing does not begin."""
        if not self.debugger.system.live:
            return
        if channel in self.feeds:
            self.feeds[channel](data)
        elif self.rtt is not None:
            self.rtt.feed(channel, data)

    def poll(self) -> None:
        """Between slices and at stops: send what waits, read and write RTT's buffers."""
        for outlet in self.outlets:
            outlet.flush()
        if self.rtt is not None and self.debugger.system.live:
            for name, data in self.rtt.poll():
                self.events.output(name, data)
                self.send(m.Output(name, self.debugger.position.beat, data))
