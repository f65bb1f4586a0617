"""A debugger without a guest, for tests of the stub: registers and memory are tables, stops come from a list."""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from xemu.debug.architectures import ARCHITECTURES
from xemu.debug.points import Breakpoint, Catchpoint, Watchpoint
from xemu.debug.session import Session
from xemu.debug.stops import Position, Stop, StopKind
from xemu.debug.system import Library, MapEntry, ThreadInfo
from xemu.gdbstub.framing import Decoder, Kind, encode
from xemu.gdbstub.server import Endpoint, Server

PID = 42
RAM = 0x2000_0000
LOADER = RAM + 0x400
CODE = 0x8000


def loader_data() -> bytes:
    """Return what link_map follows: program headers, dynamic section, r_debug, two entries, a name."""
    data = struct.pack("<8I", 2, 0, LOADER + 0x20, 0, 0, 0, 0, 0)
    data += struct.pack("<8I", 1, 0, 21, LOADER + 0x40, 0, 0, 0, 0)
    data += struct.pack("<8I", 1, LOADER + 0x60, 0, 0, 0, 0, 0, 0)
    data += struct.pack("<8I", 0x1000, LOADER + 0xB0, 0, LOADER + 0x80, 0, 0, 0, 0)
    data += struct.pack("<8I", 0x4000, LOADER + 0xA0, 0x5000, 0, LOADER + 0x60, 0, 0, 0)
    return data + b"/lib/libc.so.6\0"


class FakeSystem:
    """A system of either kind."""

    name, exe_path, exe_host, arguments = "prog", "/bin/prog", "", ["prog", "a b"]

    def __init__(self, kind: str, arch: str) -> None:
        self.live = True
        self.kind, self.arch, self.pid = kind, arch, PID if kind == "process" else 0
        self.kicked = threading.Event()
        self.restricted: list[Any] = []
        self.begins: dict[int, ThreadInfo] = {}      # motion -> a thread that begins during it
        self.begun: list[ThreadInfo] = []
        self.engine = SimpleNamespace(kick=self.nudge)
        self.map = [MapEntry(0, 0x1000, "r-x", "flash", "flash", 0x400), MapEntry(RAM, RAM + 0x1000, "rw-", "ram", "ram"),
                    MapEntry(0x4000_0000, 0x4000_1000, "rw-", "uart", "device")]

    def threads(self) -> list[ThreadInfo]:
        return [ThreadInfo(1, "main", "running"), ThreadInfo(2, "worker <&>", "sleeping", 1), *self.begun]

    def memory_map(self) -> list[MapEntry]:
        return self.map

    def libraries(self) -> list[Library]:
        return [Library("/bin/prog", 0x1000)]

    def auxv(self) -> bytes:
        return struct.pack("<10I", 6, 4096, 3, LOADER, 4, 32, 5, 1, 0, 0)

    def devices(self) -> list[dict[str, Any]]:
        return [{"name": "uart0", "start": 0x4000_0000, "irq": 5}]

    def restrict(self, only: frozenset[int] | None, *, follow: bool = False) -> None:
        self.restricted.append(set(only) if only is not None and follow else only)

    def give_way(self) -> None:
        pass

    def kick(self) -> None:
        self.kicked.set()

    def nudge(self) -> None:
        pass

    def close(self) -> None:
        pass


class FakeDebugger:
    """What a Debugger is to the stub."""

    def __init__(self, kind: str = "process", arch: str = "arm") -> None:
        self.system = FakeSystem(kind, arch)
        self.memory = {0: bytearray(range(256)) * 16, CODE: bytearray(0x2000), RAM: bytearray(0x1000)}
        self.memory[RAM][0x400:0x400 + len(loader_data())] = loader_data()
        self.registers: dict[tuple[str, int], int] = {}
        self.points: list[Any] = []
        self.coming: list[Stop | None] = []          # None: runs until it is paused
        self.moves: list[tuple[Any, ...]] = []
        self.checkpoints: dict[str, Position] = {}
        self.step_into_irq = self.before_access = False
        self.only: Any = None
        self.pass_signals: set[int] = set()
        self.position = Position(7, 0, 7)
        self.history = (Position(0), Position(7, 0, 7))
        self.tells = frozenset({"exec", "fork", "vfork"})
        self.on_slice: Any = lambda: None
        self.stop = Stop(StopKind.STEP, self.position, 0x8000)
        self.symbols: dict[str, int] = {}
        self.source = SimpleNamespace(modules=SimpleNamespace(address_of=self.symbols.get), architecture=ARCHITECTURES["arm"])

    def read_register(self, name: str, thread: int | None = None) -> int | None:
        if name == "tpidrurw":
            return None
        default = {"pc": 0x8000, "sp": RAM + 0x800}.get(name, 0)
        return self.registers.get((name, thread or 1), default)

    def write_register(self, name: str, value: int, thread: int | None = None) -> bool:
        self.registers[name, thread or 1] = value
        return True

    def read_memory(self, address: int, length: int) -> bytes:
        for start, data in self.memory.items():
            if start <= address < start + len(data):
                return bytes(data[address - start:address - start + length])
        return b""

    def write_memory(self, address: int, data: bytes) -> bool:
        for start, old in self.memory.items():
            if start <= address and address + len(data) <= start + len(old):
                old[address - start:address - start + len(data)] = data
                return True
        return False

    def break_at(self, address: int, **how: Any) -> Breakpoint:
        return self._add(Breakpoint(address=address, **how))

    def watch(self, address: int, length: int, access: str = "w", **how: Any) -> Watchpoint:
        return self._add(Watchpoint(address=address, length=length, access=access, **how))

    def catch(self, kind: str, detail: Any = None, **how: Any) -> Catchpoint:
        return self._add(Catchpoint(kind=kind, detail=detail, **how))

    def _add(self, point: Any) -> Any:
        self.points.append(point)
        return point

    def delete(self, point: Any) -> None:
        self.points.remove(point)

    def branch_trace(self, count: int) -> list[tuple[int, int]]:
        return [(0x8000, 0x8004), (0x7000, 0x7008)][:count]

    def checkpoint(self, name: str = "") -> str:
        self.checkpoints[name] = self.position
        return name

    def thread_local(self, link: int, offset: int, thread: int | None = None) -> int:
        return link + offset + (thread or 0)

    def _move(self, *what: Any) -> Stop:
        if (begun := self.system.begins.get(len(self.moves))) is not None:
            self.system.begun.append(begun)
        self.moves.append(what)
        following = self.coming.pop(0) if self.coming else Stop(StopKind.STEP, self.position, 0x8000)
        if following is None:
            while not self.system.kicked.wait(0.005):
                self.on_slice()
            following = Stop(StopKind.PAUSE, self.position, 0x8000, self.stop.thread)
        self.system.kicked.clear()
        self.stop = following
        return following

    def cont(self, *, back: bool = False) -> Stop:
        return self._move("cont", back)

    def step(self, count: int = 1, *, back: bool = False, thread: int | None = None) -> Stop:
        return self._move("step", count, back, thread)

    def step_range(self, low: int, high: int, *, back: bool = False, thread: int | None = None) -> Stop:
        return self._move("range", low, high, back, thread)

    def seek(self, where: Any) -> Stop:
        return self._move("seek", where)


class Line:
    """A client's end of a connection: packets out, packets in."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(10)
        self.decoder = Decoder()
        self.pending: list[bytes] = []
        self.acks = 0

    def send(self, packet: str | bytes) -> None:
        """Send a packet."""
        self.socket.sendall(encode(packet.encode("latin-1") if isinstance(packet, str) else packet, runs=False))

    def receive(self) -> str:
        """Return the next packet."""
        while not self.pending:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            for piece in self.decoder.feed(data):
                if piece.kind in (Kind.PACKET, Kind.NOTIFICATION):
                    self.pending.append(b"%" * (piece.kind is Kind.NOTIFICATION) + piece.data)
                elif piece.kind in (Kind.ACK, Kind.NAK):
                    self.acks += 1
        return self.pending.pop(0).decode("latin-1")

    def ask(self, packet: str | bytes) -> str:
        """Send a packet and return the reply."""
        self.send(packet)
        return self.receive()

    def close(self) -> None:
        """End the connection."""
        self.socket.close()


@dataclass
class Served:
    """A stub that serves a debugger in this process."""

    debugger: Any
    session: Session
    server: Server
    port: int
    thread: threading.Thread
    lines: list[Line]

    def connect(self) -> Line:
        """Return a new connection."""
        line = Line(self.port)
        self.lines.append(line)
        return line

    def close(self) -> None:
        """End all; a bug of the stub fails the test."""
        for line in self.lines:
            line.close()
        self.server.close()
        self.session.close()
        self.thread.join(10)
        assert not self.thread.is_alive()
        assert self.server.bugs == []


def serve(debugger: Any, **how: Any) -> Served:
    """Serve a debugger at a free port."""
    session = Session(debugger)
    server = Server(session, say=lambda _text: None, **how)
    endpoint = server.listen(Endpoint("tcp", "127.0.0.1", 0))[0]
    thread = threading.Thread(target=session.serve, daemon=True)
    thread.start()
    return Served(debugger, session, server, endpoint.port, thread, [])
