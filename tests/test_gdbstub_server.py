"""The stub's server: several clients, clients that vanish, hostile bytes, and how serving ends."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fake_debugger import FakeDebugger, Line, Served, serve
from tests.support.programs import ROOT
from xemu.debug.stops import Position, Stop, StopKind
from xemu.errors import UsageError, XemuError
from xemu.gdbstub import framing
from xemu.gdbstub.outcomes import DETACHED, ENDED, KILLED, LEFT
from xemu.gdbstub.server import Endpoint, Launch, Server, parse_endpoint
from xemu.gdbstub.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def served() -> Iterator[Served]:
    made = serve(FakeDebugger())
    with contextlib.closing(made):
        yield made


def wait_for(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


ONLY_LOOK = "another debugger controls this program; this connection can only look"


def test_the_first_client_writes_and_others_look(served: Served) -> None:
    first, second = served.connect(), served.connect()
    assert first.ask("?").startswith("T05")
    assert second.ask("?").startswith("T05")
    assert len(second.ask("g")) > 100
    assert second.ask("m0,4") == "00010203"
    for packet, name in (("vCont;c", "vCont"), ("M20000000,1:00", "M"), ("P0=00000000", "P"), ("Z0,8000,4", "Z"), ("bc", "bc"),
                         ("k", "")):
        if name:
            assert second.ask(packet) == f"E.{name}: {ONLY_LOOK}"
        else:
            second.send(packet)
    assert first.ask("Z0,8000,4") == "OK"
    assert len(served.debugger.points) == 1
    assert not served.server.finished.done()


def test_a_writer_that_vanishes_takes_its_points_along_and_the_next_one_writes(served: Served) -> None:
    first, second = served.connect(), served.connect()
    assert first.ask("Z0,8000,4") == "OK"
    assert first.ask("QCatchSyscalls:1") == "OK"
    assert second.ask("m0,1") == "00"
    first.close()
    wait_for(lambda: not served.debugger.points)
    assert second.ask("Z0,8000,4") == "OK"


def test_a_client_that_vanishes_while_the_program_runs(served: Served) -> None:
    first = served.connect()
    served.debugger.coming = [None]
    assert first.ask("Z0,8000,4") == "OK"
    first.send("vCont;c")
    wait_for(lambda: served.session.moving)
    first.close()
    wait_for(lambda: not served.server.clients)
    assert served.session.moving
    second = served.connect()
    assert second.ask("?").startswith("T02")                # connecting stops it
    assert not served.debugger.points


def test_queries_are_answered_while_another_client_waits_for_a_stop(served: Served) -> None:
    first, second = served.connect(), served.connect()
    served.debugger.coming = [None]
    first.send("vCont;c")
    wait_for(lambda: served.session.moving)
    assert second.ask("m0,4") == "00010203"
    first.socket.sendall(b"\x03")
    assert first.receive().startswith("T02")


def test_log_points_print_while_gdb_waits(served: Served) -> None:
    line = served.connect()
    text = b"hi %d\n\0"
    code = "2205220022003401" + f"{len(text):04x}" + text.hex() + "27"
    assert line.ask(f"Z0,8000,4;cmds:0,X{len(code) // 2:x},{code}") == "OK"
    served.debugger.coming = [None]
    line.send("vCont;c")
    wait_for(lambda: served.session.moving)
    served.session.call(served.debugger.points[0].action).result(5)
    assert line.receive() == "O" + b"hi 5\n".hex()
    line.socket.sendall(b"\x03")
    assert line.receive().startswith("T02")


def test_acknowledgements(served: Served) -> None:
    line = served.connect()
    line.socket.sendall(b"$qC#00")
    assert line.socket.recv(10) == b"-"
    assert line.ask("qC") == "QC1"
    line.socket.sendall(b"-")                               # damaged on its way: once more
    assert line.receive() == "QC1"
    assert line.ask("QStartNoAckMode") == "OK"
    before = line.acks
    line.socket.sendall(b"$qC#00")
    assert line.receive() == "QC1"
    assert line.acks == before


def test_packets_that_are_split_or_come_together(served: Served) -> None:
    line = served.connect()
    data = framing.encode(b"m0,4") + b"+" + framing.encode(b"qC") + framing.encode(b"vMustReplyEmpty")
    for at in range(0, len(data), 3):
        line.socket.sendall(data[at:at + 3])
        time.sleep(0.001)
    assert [line.receive() for _ in range(3)] == ["00010203", "QC1", ""]


def test_a_packet_that_is_too_long_is_refused_and_nothing_is_kept(served: Served) -> None:
    line = served.connect()
    line.socket.sendall(b"$" + b"a" * (framing.LIMIT + 100))
    assert line.receive() == "E07"
    line.socket.sendall(b"a" * 100 + b"#00")
    assert line.ask("qC") == "QC1"


def hostile(rnd: random.Random) -> bytes:
    """Return bytes that a fuzzer would send: packets, nearly packets, noise."""
    names = (b"m M X x p P G g Z0, Z2, z H T qXfer:features:read:target.xml: qRcmd, vCont; vFile:open: vFile:pread: qSearch:memory: qCRC: "
             b"qSupported: QPassSignals: vFlashWrite: qMemoryRegionInfo: QSaveRegisterState qGetTLSAddr: QCatchSyscalls: vRun; "
             b"qThreadExtraInfo, jThreadsInfo").split()
    pieces = [*b"0 1 ffffffffffffffff , ; : = -1 p . X3,220127 cmds:1, zz 20000000 4 deadbeef 2f70726f63 * }".split(), b"\x00\xff", b" "]
    data = rnd.choice(names) + b"".join(rnd.choice(pieces) for _ in range(rnd.randrange(8)))
    match rnd.randrange(8):
        case 0:
            return rnd.randbytes(rnd.randrange(60))
        case 1:
            return b"$" + data + b"#" + b"%02x" % rnd.randrange(256)
        case 2:
            return framing.encode(data)[:rnd.randrange(1, 20)]
        case _:
            return framing.encode(data.replace(b"qSearch:memory:0;ffff", b"qSearch"), runs=bool(rnd.randrange(2)))


@pytest.mark.parametrize("seed", range(4))
def test_hostile_clients(served: Served, seed: int) -> None:
    """No crash, no hang: after all that the next client is served."""
    rnd = random.Random(seed)
    for _ in range(6):
        line = served.connect()
        with contextlib.suppress(ConnectionError, TimeoutError):
            for _ in range(60):
                line.socket.sendall(hostile(rnd))
                line.socket.sendall(b"\x03")
            line.socket.settimeout(0.05)
            line.socket.recv(1 << 16)
        line.close()
    wait_for(lambda: not served.server.clients)
    assert served.connect().ask("qC") == "QC1"
    assert not served.debugger.points


@pytest.mark.slow
def test_hostile_clients_for_a_minute() -> None:
    """The same on a machine that runs: it stays alive and does not grow."""
    from xemu.debug import open_machine

    rnd = random.Random(time.time_ns())
    image = ROOT / "samples/firmware/elf/mps2-an386/uartirq.elf"
    made = serve(open_machine(image, "mps2-an386"), leaves=False, attached=True)
    with contextlib.closing(made):
        sizes, end = [], time.monotonic() + 60
        while time.monotonic() < end:
            line = made.connect()
            with contextlib.suppress(ConnectionError, TimeoutError):
                for _ in range(200):
                    line.socket.sendall(hostile(rnd))
                    line.socket.sendall(b"\x03")
                line.socket.settimeout(0.05)
                line.socket.recv(1 << 16)
            line.close()
            made.lines.remove(line)
            wait_for(lambda: not made.server.clients)
            sizes.append(resident())
        line = made.connect()
        assert line.ask("?").startswith("T")
        assert sizes[-1] - sizes[len(sizes) // 4] < 60 << 20, sizes[::10]


def resident() -> int:
    """Return the bytes of memory in use."""
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096


@pytest.mark.parametrize(("text", "endpoint"), [
    ("1234", Endpoint("tcp", "127.0.0.1", 1234)),
    (":1234", Endpoint("tcp", "127.0.0.1", 1234)),
    ("localhost:0", Endpoint("tcp", "localhost", 0)),
    ("0.0.0.0:99", Endpoint("tcp", "0.0.0.0", 99)),
    ("[::1]:99", Endpoint("tcp", "::1", 99)),
    ("tcp:localhost:5", Endpoint("tcp", "localhost", 5)),
    ("tcp6:::1:5", Endpoint("tcp", "::1", 5)),
    ("unix:s", Endpoint("unix", "s")),
    ("/tmp/s", Endpoint("unix", "/tmp/s")),
    ("-", Endpoint("stdio")),
])
def test_places_to_listen_at(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint


def test_only_this_machine_is_trusted() -> None:
    assert [parse_endpoint(t).trusted for t in ("1", "unix:s", "-", "0.0.0.0:1", "[::1]:1")] == [True, True, True, False, True]
    for text in ("x", "a:b", "1:99999"):
        with pytest.raises(UsageError, match="not a place to listen at"):
            parse_endpoint(text)
    for text in ("tcp8:1:2", "udp:1:2", "udp123::::5"):
        with pytest.raises(UsageError, match="cannot resolve name"):
            parse_endpoint(text)


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(XemuError, match="cannot listen at 127"):
        Server(None).listen(Endpoint("tcp", "127.0.0.1", taken.getsockname()[1]))


def test_unix_sockets(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    for _ in range(2):
        server = Server(None)
        server.listen(Endpoint("unix", path))
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(path)
            line.sendall(framing.encode(b"?"))
            assert line.makefile("rb").read(8) == b"+" + framing.encode(b"W00")
        server.close()
        assert not os.path.exists(path)  # noqa: PTH110


@pytest.mark.parametrize(("packet", "how", "why"), [
    ("D", {}, DETACHED), ("vKill;2a", {}, KILLED), ("k", {}, KILLED), ("D", {"multi": True}, None), ("k", {"multi": True}, None),
    ("D", {"attached": True}, None), ("D;63", {}, None)])
def test_how_serving_ends(packet: str, how: dict[str, Any], why: str | None) -> None:
    made = serve(FakeDebugger(), **how)
    with contextlib.closing(made):
        line = made.connect()
        line.send(packet)
        if packet != "k":
            assert line.receive() == "OK"
        if why is None:
            time.sleep(0.1)
            assert not made.server.finished.done()
        else:
            assert made.server.finished.result(5) == why


def test_serving_ends_with_the_program() -> None:
    made = serve(FakeDebugger())
    with contextlib.closing(made):
        made.debugger.coming = [Stop(StopKind.EXITED, Position(1), 0, code=3)]
        assert made.connect().ask("vCont;c") == "W03"
        assert made.server.finished.result(5) == ENDED


def test_an_ended_program_is_shown_at_its_end_where_serving_goes_on() -> None:
    made = serve(FakeDebugger(), leaves=False)
    with contextlib.closing(made):
        made.debugger.coming = [Stop(StopKind.EXITED, Position(1), 0, code=3)]
        line = made.connect()
        assert line.ask("vCont;c") == "W03"
        assert line.ask("qfThreadInfo") == "l"           # GDB has no program any more
        other = made.connect()
        assert other.ask("?").startswith("T05")
        assert other.ask("qfThreadInfo") == "m1,2"
        assert line.ask("?").startswith("T05")
        assert line.ask("qfThreadInfo") == "m1,2"


def test_once() -> None:
    made = serve(FakeDebugger(), once=True)
    with contextlib.closing(made):
        line = made.connect()
        assert line.ask("qC") == "QC1"
        with pytest.raises(OSError, match=r".+"):
            Line(made.port).ask("qC")
        line.close()
        assert made.server.finished.result(5) == LEFT


def test_programs_are_started_with_what_was_set() -> None:
    asked: list[Launch] = []

    def open_session(request: Launch) -> Any:
        from xemu.debug.session import Session

        asked.append(request)
        if request.program == "bad":
            raise XemuError("bad: there is no such file")
        return Session(FakeDebugger())

    stage = Stage(open_session)
    server = Server(launch=stage.launch, multi=True, say=lambda _text: None)
    port = server.listen(Endpoint("tcp", "127.0.0.1", 0))[0].port
    import threading

    thread = threading.Thread(target=stage.run, args=(server,))
    thread.start()
    line = Line(port)
    for packet in ("!", "QEnvironmentHexEncoded:413d31", "QEnvironmentUnset:42", "QSetWorkingDir:2f", "QDisableRandomization:1",
                   "QStartupWithShell:0"):
        assert line.ask(packet) == "OK"
    assert line.ask("?") == "W00"
    assert line.ask("g") == "E.no program is being debugged"
    assert line.ask("vRun;" + b"bad".hex()) == "E.bad: there is no such file"
    assert line.ask("vRun;" + b"good".hex() + ";" + b"x".hex()).startswith("T05")
    last = asked[-1]
    assert (last.program, last.arguments, last.environment, last.directory) == ("good", ["x"], {"A": "1", "B": None}, "/")
    assert line.ask("Z0,8000,4") == "OK"
    assert line.ask("vRun;").startswith("T05")              # again
    assert line.ask("vAttach;2a").startswith("T05")
    assert line.ask("vAttach;1") == "E.no process 1: programs outside the emulator cannot be attached to"
    assert line.ask("vKill;2a") == "OK"
    assert line.ask("?") == "W00"
    line.close()
    server.finish("test")
    thread.join(5)
    assert not thread.is_alive()
    assert server.bugs == []
