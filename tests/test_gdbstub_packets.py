"""The packets of the stub, against a debugger without a guest: transcripts, `>` what a client sends, `<` the reply."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fake_debugger import RAM, FakeDebugger, Served, serve
from xemu.debug.points import Breakpoint, Watchpoint
from xemu.debug.stops import Position, Stop, StopKind, WatchHit
from xemu.debug.system import ThreadInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.fake_debugger import Line

NOW = Position(9, 0, 9)
REGISTERS = "07:00000000;0b:00000000;0d:00080020;0e:00000000;0f:00800000;19:00000000;"
T05 = f"T05thread:1;core:0;{REGISTERS}"


@pytest.fixture
def process() -> Iterator[Served]:
    served = serve(FakeDebugger())
    with contextlib.closing(served):
        yield served


@pytest.fixture
def machine() -> Iterator[Served]:
    served = serve(FakeDebugger("machine", "arm-m"), attached=True)
    with contextlib.closing(served):
        yield served


def transcript(served: Served, text: str, line: Line | None = None) -> None:
    """Play a transcript; `…` at the end of a reply stands for anything."""
    line, sent = line or served.connect(), ""
    for row in text.strip().splitlines():
        mark, _, packet = row.strip().partition(" ")
        if mark == ">":
            sent = packet
            line.send(packet)
        else:
            reply = line.receive()
            if packet.endswith("…"):
                assert reply.startswith(packet[:-1]), sent
            else:
                assert (sent, reply) == (sent, packet)


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(2000):
        if holds():
            return
        time.sleep(0.005)
    pytest.fail("it has not come about")


def test_the_first_packets_of_gdb(process: Served) -> None:
    transcript(process, f"""
        > qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+
        < PacketSize=20000;multiprocess+;error-message+;vContSupported+;…
        > vMustReplyEmpty
        <
        > QStartNoAckMode
        < OK
        > !
        < OK
        > Hgp0.0
        < OK
        > QTStatus
        <
        > ?
        < T05thread:p2a.1;core:0;{REGISTERS}
        > qfThreadInfo
        < mp2a.1,p2a.2
        > qsThreadInfo
        < l
        > qAttached:2a
        < 0
        > qC
        < QCp2a.1
        > Hc-1
        < OK
        > qOffsets
        < Text=1000;Data=1000;Bss=1000
        > Tp2a.2
        < OK
        > Tp2a.9
        < E.this thread has ended
        > qThreadExtraInfo,p2a.2
        < 776f726b6572203c263e
        > vCont?
        < vCont;c;C;s;S;t;r
    """)


def test_registers(process: Served) -> None:
    process.debugger.registers["d1", 1] = 0x0123456789ABCDEF
    transcript(process, f"""
        > pf
        < 00800000
        > p1b
        < efcdab8967452301
        > p3c
        < {"x" * 8}
        > P0=78563412
        < OK
        > p0
        < 78563412
        > P0=7856
        < E.r0 has 4 bytes, not 2
        > p99
        < E.no register 153
        > Pzz=1
        < E.malformed P packet
        > Hg2
        < OK
        > p0
        < 00000000
        > p0;thread:1;
        < 78563412
        > Hg7
        < E.no thread 7
        > QSaveRegisterState;thread:1;
        < 1
        > P0=00000000;thread:1;
        < OK
        > QRestoreRegisterState:1;thread:1;
        < OK
        > p0;thread:1;
        < 78563412
        > QRestoreRegisterState:1
        < E.no registers are kept under 1
    """)
    line = process.lines[0]
    line.send("Hg1")
    assert line.receive() == "OK"
    everything = line.ask("g")
    process.debugger.registers.pop(("r1", 1))
    assert len(everything) == 2 * (17 * 4 + 32 * 8 + 4 + 4 + 4)
    assert line.ask("G" + "01000000" + everything[8:]) == "OK"
    assert process.debugger.registers["r0", 1] == 1
    assert ("r1", 1) not in process.debugger.registers
    assert line.ask("G" + everything + "00") == "E.more bytes than there are registers"
    assert line.ask("G0102") == "OK"


def test_the_place_in_time_is_a_register_of_machines(machine: Served) -> None:
    transcript(machine, """
        > p31
        < 0700000000000000
        > P31=0000000000000001
        < E.insns shows where the program is in time; `monitor seek` goes elsewhere
    """)


def test_memory(process: Served) -> None:
    transcript(process, f"""
        > m0,4
        < 00010203
        > mffe,10
        < feff
        > m5000,4
        < E0e
        > m0,0
        <
        > M{RAM:x},2:abcd
        < OK
        > m{RAM:x},3
        < abcd00
        > M{RAM:x},3:abcd
        < E.3 bytes are announced, 2 are there
        > M6000,1:00
        < E.0x6000 cannot be written
        > X{RAM:x},0:
        < OK
        > x0,3
        < b\x00\x01\x02
        > x0,0
        <
        > qSearch:memory:0;1000;\x10\x11
        < 1,10
        > qSearch:memory:0;1000;\x11\x10
        < 0
        > qCRC:0,9
        < C…
    """)
    line = process.lines[0]
    assert line.ask(b"X%x,4:#$*}" % RAM) == "OK"
    assert process.debugger.read_memory(RAM, 4) == b"#$*}"
    process.debugger.write_memory(RAM, b"123456789")
    assert line.ask(f"qCRC:{RAM:x},9") == "C376e6e7"          # CRC-32/MPEG-2 of the usual check string


def test_points(process: Served) -> None:
    transcript(process, f"""
        > Z0,8000,4
        < OK
        > Z0,8000,4
        < OK
        > Z1,8000,4
        < OK
        > Z2,{RAM:x},4
        < OK
        > Z4,{RAM:x},100
        < OK
        > Z2,{RAM:x},0
        < E.a watchpoint on 0 bytes
        > Z5,0,4
        <
        > z5,0,4
        <
        > z3,0,4
        < OK
        > z2,{RAM:x},4
        < OK
        > Z0,6000,2
        < E.0x6000 cannot be read: there is no code
        > Z1,6000,2
        < OK
        > z1,6000,2
        < OK
        > Z0,9000,2;X5,22052205
        < E.an agent expression is shorter than announced
        > Z0,9000,2;5,22
        < E.malformed agent expression
        > Z0,9000,2;X6,220522051327
        < OK
        > Z0,9000,2;X6,260000220013
        < OK
        > Z0,9100,2;X2,0127
        < OK
        > Z0,9200,2;cmds:0,X2,0127
        < E.this command cannot be done here: bytecode 0x01 cannot be expressed; use `set dprintf-style gdb`
        > QCatchSyscalls:1;4;1
        < OK
        > QCatchSyscalls:1
        < OK
        > QCatchSyscalls:0
        < OK
        > QCatchSyscalls:1;zz
        < E.malformed list of system calls
        > QPassSignals:e;1e
        < OK
    """)
    points = process.debugger.points
    assert [(p.address, p.condition is not None) for p in points if isinstance(p, Breakpoint)] == [
        (0x8000, False), (0x8000, False), (0x9000, False), (0x9100, False)]
    assert [(p.address, p.length, p.access) for p in points if isinstance(p, Watchpoint)] == [(RAM, 0x100, "a")]
    assert len(points) == 5
    assert process.debugger.pass_signals == {14, 10}


def test_moving(process: Served) -> None:
    debugger = process.debugger
    transcript(process, f"""
        > vCont;c
        < {T05}
        > vCont;s:1;c
        < {T05}
        > vCont;r8000,8010:1;c:-1
        < {T05}
        > vCont;r8000,8010:2;c:-1
        < {T05}
        > s
        < {T05}
        > c8000
        < {T05}
        > bs
        < {T05}
        > bc
        < {T05}
        > C0b
        < {T05}
        > vCont;x
        < E.malformed action x
        > vCont;t
        < OK
    """)
    assert debugger.moves == [("cont", False), ("step", 1, False, 1), ("range", 0x8000, 0x8010, False, 1),
                              ("range", 0x8000, 0x8010, False, 2), ("step", 1, False, 1),
                              ("cont", False), ("step", 1, True, None), ("cont", True), ("cont", False)]
    assert debugger.registers["pc", 1] == 0x8000


@pytest.mark.parametrize(("actions", "only", "signals", "move"), [
    ("c", None, {1: 0, 2: 0}, ("cont", False)),
    ("s:2;c", None, {1: 0, 2: 0}, ("step", 1, False, 2)),
    ("s:2", {2}, {2: 0}, ("step", 1, False, 2)),                           # scheduler-locking
    ("C0b:2", {2}, {2: 11}, ("cont", False)),
    ("C0b:2;c", None, {1: 0, 2: 11}, ("cont", False)),
    ("c:1;t", {1}, {1: 0}, ("cont", False)),
    ("t:1;c", {2}, {2: 0}, ("cont", False)),
    ("c:1;c:2", {1, 2}, {1: 0, 2: 0}, ("cont", False)),                    # a third one that begins is held
    ("s:1;r8000,8010:2;c", None, {1: 0, 2: 0}, ("step", 1, False, 1)),     # the thread that stopped last leads
    ("r8000,8010:2;c:1", {1, 2}, {1: 0, 2: 0}, ("range", 0x8000, 0x8010, False, 2)),
])
def test_for_each_thread_the_first_action_that_fits_counts(process: Served, actions: str, only: set[int] | None, signals: dict[int, int],
                                                           move: tuple[Any, ...]) -> None:
    debugger, gone_on = process.debugger, []
    debugger.system.resume_with = gone_on.append
    assert process.connect().ask(f"vCont;{actions}").startswith("T05")
    assert (debugger.moves, debugger.only, gone_on) == ([move], only, [signals])


def test_threads_stop_one_by_one(process: Served) -> None:
    debugger = process.debugger
    debugger.coming = [None, None, stop(StopKind.BREAKPOINT, thread=2), stop(StopKind.EXITED, code=3)]
    transcript(process, f"""
        > QNonStop:1
        < OK
        > ?
        < {T05}
        > vStopped
        < T00thread:2;…
        > vStopped
        < OK
        > vCont;c
        < OK
        > vCont;t:1
        < OK
        < %Stop:T00thread:1;…
        > vStopped
        < OK
        > vCtrlC
        < OK
        < %Stop:T02thread:2;…
        > vStopped
        < OK
        > vCont;c:1;c:2
        < OK
        < %Stop:T05thread:2;…
    """)
    reports = process.server.clients[0].nonstop.reports
    wait_until(lambda: len(reports) == 2)                        # the second one waits until the first is confirmed
    transcript(process, """
        > vStopped
        < W03
        > vStopped
        < OK
        > bc
        < E.in non-stop mode there is no way back
        > QNonStop:2
        < E.it is 0 or 1
        > QNonStop:0
        < OK
        > vStopped
        < OK
    """, process.lines[0])
    assert debugger.system.restricted == [{1, 2}, {2}, {1, 2}, {1}]


def test_threads_that_step_take_turns_and_new_ones_run(process: Served) -> None:
    debugger, line = process.debugger, process.connect()
    debugger.system.begins = {1: ThreadInfo(3, "new", "ready")}           # during the second motion
    debugger.coming = [None, stop(StopKind.STEP, thread=2), stop(StopKind.STEP, thread=1), None]
    assert line.ask("QNonStop:1") == "OK"
    assert line.ask("vCont;s") == "OK"
    assert line.receive().startswith("%Stop:T05thread:2;")                # the first one's turn had passed without a stop
    nonstop = process.server.clients[0].nonstop
    wait_until(lambda: len(nonstop.reports) == 2 and nonstop.running.keys() == {3})
    assert line.ask("vStopped").startswith("T05thread:1;")
    assert line.ask("vStopped") == "OK"
    assert line.ask("vCont;t") == "OK"
    assert line.receive().startswith("%Stop:T00thread:3;")
    assert debugger.moves == [("step", 1, False, 1), ("step", 1, False, 2), ("step", 1, False, 1), ("cont", False)]
    assert debugger.system.restricted == [{1}, {2}, {1, 3}, {3}]


def test_a_thread_whose_stop_gdb_has_not_confirmed_is_not_moved(process: Served) -> None:
    """It runs, as far as GDB knows: GDB may be about to move it from where it steps a copied instruction."""
    line = process.connect()
    process.debugger.coming = [stop(StopKind.STEP, thread=2), None, None, None]
    assert line.ask("QNonStop:1") == "OK"
    assert line.ask("vCont;c") == "OK"
    assert line.receive().startswith("%Stop:T05thread:2;")
    running = process.server.clients[0].nonstop.running
    assert line.ask("vCont;c") == "OK"
    assert running.keys() == {1}
    assert line.ask("vStopped") == "OK"
    assert line.ask("vCont;c") == "OK"
    assert running.keys() == {1, 2}
    assert line.ask("vCont;t") == "OK"
    assert line.receive().startswith("%Stop:T00thread:1;")


def test_packets_are_about_the_thread_of_the_last_stop(process: Served) -> None:
    process.debugger.coming = [stop(StopKind.BREAKPOINT, thread=2)]
    transcript(process, """
        > Hg1
        < OK
        > vCont;c
        < T05thread:2;…
        > Pf=00900000
        < OK
    """)
    assert process.debugger.registers == {("pc", 2): 0x9000}


def test_who_leaves_holds_nobody(process: Served) -> None:
    line = process.connect()
    line.ask("vCont;c:2")
    assert process.debugger.only == {2}
    line.close()
    wait_until(lambda: process.debugger.only is None)


def test_nobody_left_to_run(process: Served) -> None:
    process.debugger.coming = [stop(StopKind.HELD, text="held"), stop(StopKind.HELD, text="held")]
    transcript(process, """
        > vCont;c:2
        < O68656c640a
        < T05thread:1;…
        > qSupported:no-resumed+
        < PacketSize=…
        > vCont;c:2
        < O68656c640a
        < N
    """)


def test_information_of_a_signal_is_read_and_changed(process: Served) -> None:
    system, changes = process.debugger.system, []
    system.siginfo = lambda thread, *, stopped: bytes([10, thread, stopped]).ljust(128, b"\0")
    system.change_siginfo = lambda *change: changes.append(change) or change[0] == 2
    line = process.connect()
    assert line.ask("qXfer:siginfo:read::0,3") == "m\n\x01\x01"
    assert line.ask("Hg2") == "OK"
    assert line.ask("qXfer:siginfo:read::0,3") == "m\n\x02\x00"
    assert line.ask(b"qXfer:siginfo:write::c:ab\x00d") == "4"
    assert changes == [(2, 12, b"ab\0d")]
    assert line.ask("Hg1") == "OK"
    assert line.ask("qXfer:siginfo:write::0:x") == "E.no signal waits for this thread"


def test_thread_local_variables(process: Served) -> None:
    transcript(process, """
        > qGetTLSAddr:2,10,0
        < 12
        > qGetTLSAddr:p2a.2,10,7000
        < 7012
    """)


def stop(kind: StopKind, **more: Any) -> Stop:
    return Stop(kind, NOW, 0x8000, **more)


@pytest.mark.parametrize(("coming", "reply"), [
    (stop(StopKind.SIGNAL, number=11), "T0bthread:1;"),
    (stop(StopKind.SIGNAL, number=10), "T1ethread:1;"),                   # SIGUSR1 is GDB's 30
    (stop(StopKind.EXITED, code=3), "W03"),
    (stop(StopKind.KILLED, number=6), "X06"),
    (stop(StopKind.SYSCALL_ENTRY, number=4), "T05syscall_entry:4;thread:1;"),
    (stop(StopKind.SYSCALL_RETURN, number=0x14), "T05syscall_return:14;thread:1;"),
    (stop(StopKind.HISTORY_BEGIN), "T05replaylog:begin;thread:1;"),
    (stop(StopKind.HISTORY_END), "T05replaylog:end;thread:1;"),
    (stop(StopKind.BREAKPOINT), "T05thread:1;"),                          # somebody else's
    (stop(StopKind.BREAKPOINT, thread=2), "T05thread:2;core:1;"),
    (stop(StopKind.FORK, number=77), "T05thread:1;"),                     # not offered
])
def test_reasons(coming: Stop, reply: str) -> None:
    served = serve(FakeDebugger(), leaves=False)
    with contextlib.closing(served):
        served.debugger.coming = [coming]
        transcript(served, f"> vCont;c\n< {reply}…")


def test_reasons_that_name_points(process: Served) -> None:
    debugger, line = process.debugger, process.connect()
    assert line.ask("qSupported:swbreak+;hwbreak+;fork-events+;exec-events+;multi-wp-addr+").startswith("Packet")
    assert [line.ask(p) for p in ("Z0,8000,4", "Z1,8000,4", "Z2,20000000,4", "Z4,20000002,1")] == ["OK"] * 4
    software, hardware, write, both = debugger.points
    hit = WatchHit(write, RAM + 2, "w", b"", b"")
    debugger.coming = [stop(StopKind.BREAKPOINT, points=(software,)), stop(StopKind.BREAKPOINT, points=(hardware,)),
                       stop(StopKind.BREAKPOINT, points=(software, hardware)),
                       stop(StopKind.WATCHPOINT, points=(write, both), watch=hit),
                       stop(StopKind.FORK, number=77), stop(StopKind.EXEC, name="/bin/x")]
    words = [line.ask("vCont;c").partition("thread:")[0] for _ in range(6)]
    assert words == ["T05swbreak:;", "T05hwbreak:;", "T05swbreak:;", "T05watch:20000002;awatch:20000002;", "T05fork:4d;",
                     "T05exec:2f62696e2f78;"]


def test_a_forked_child_has_no_points_that_gdb_could_remove(process: Served) -> None:
    process.debugger.coming = [stop(StopKind.FORK, number=77)]
    transcript(process, """
        > qSupported:fork-events+;multiprocess+
        < PacketSize=…
        > Z0,8000,4
        < OK
        > Hgp4d.4d
        < E.no process 77
        > vCont;c
        < T05fork:p4d.4d;…
        > Hgp4d.4d
        < OK
        > z0,8000,4
        < OK
        > Z0,8010,4
        < E.a forked child runs without a debugger
        > Hgp2a.1
        < OK
        > D;4d
        < OK
        > Hgp4d.4d
        < E.no process 77
    """)
    assert [p.address for p in process.debugger.points if isinstance(p, Breakpoint)] == [0x8000]


def test_a_step_behind_a_fork_ends_the_system_call(process: Served) -> None:
    """Linux stops for a fork within the system call's instruction; GDB goes on with its step."""
    process.debugger.coming = [stop(StopKind.FORK, number=77), stop(StopKind.BREAKPOINT)]
    transcript(process, """
        > qSupported:fork-events+
        < PacketSize=…
        > vCont;s:1;c
        < T05fork:4d;…
        > vCont;s:1;c
        < T05thread:1;…
    """)
    assert [s.kind for s in process.debugger.coming] == [StopKind.BREAKPOINT]


def test_what_gdb_has_no_word_for_is_printed(machine: Served) -> None:
    machine.debugger.coming = [stop(StopKind.IRQ, text="interrupt 3")]
    transcript(machine, "> vCont;c\n< O696e7465727275707420330a\n< T05thread:1;…")


@pytest.mark.parametrize("how", [b"\x03", b"$vCtrlC#4e"])
def test_an_interrupt_ends_a_motion(process: Served, how: bytes) -> None:
    line = process.connect()
    process.debugger.coming = [None]
    line.send("vCont;c")
    line.socket.sendall(how)
    replies = [line.receive()]
    if how != b"\x03":
        assert replies == ["OK"]
        replies.append(line.receive())
    assert replies[-1].startswith("T02thread:1;")


def test_an_interrupt_that_comes_after_a_stop_ends_the_next_motion(process: Served) -> None:
    line = process.connect()
    assert line.ask("vCont;s").startswith(T05)
    line.socket.sendall(b"\x03")
    assert line.ask("vCont;s").startswith("T02thread:1;")
    assert line.ask("vCont;s").startswith(T05)


def test_a_stop_chooses_its_thread(process: Served) -> None:
    process.debugger.registers |= {("r0", 1): 0x11, ("r0", 2): 0x22}
    process.debugger.coming = [stop(StopKind.BREAKPOINT, thread=2)]
    process.debugger.stop = stop(StopKind.STEP)
    transcript(process, """
        > Hg1
        < OK
        > p0
        < 11000000
        > vCont;c
        < T05thread:2;…
        > p0
        < 22000000
        > Hg1
        < OK
        > p0
        < 11000000
    """)


def test_steps_stop_at_signals_that_pass(process: Served) -> None:
    debugger, line = process.debugger, process.connect()
    assert line.ask("QPassSignals:e") == "OK"
    passed = []
    debugger.step = lambda *_words, **_more: passed.append(debugger.pass_signals) or debugger.cont()
    line.ask("vCont;s")
    assert (passed, debugger.pass_signals) == ([frozenset()], {14})


def test_an_interrupt_of_nothing_is_nothing(process: Served) -> None:
    line = process.connect()
    line.socket.sendall(b"\x03\x03")
    assert line.ask("qC") == "QC1"


def test_objects(process: Served) -> None:
    transcript(process, """
        > qXfer:features:read:other.xml:0,40
        < E.no other.xml
        > qXfer:auxv:read::2,4
        < m\x00\x00\x00\x10
        > qXfer:auxv:read::99,4
        < l
        > qXfer:exec-file:read:2a:0,1000
        < l/bin/prog
        > qXfer:memory-map:read::0,1000
        <
        > qXfer:nothing:read::0,1000
        <
        > qXfer:osdata:read:nothing:0,1000
        < E.no table nothing; `info os` lists them
        > qXfer:btrace-conf:read::0,1000
        < E.branch trace is off
        > Qbtrace:bts
        < OK
        > Qbtrace-conf:bts:size=0x30
        < OK
        > qXfer:btrace:read:all:0,1000
        < l<?xml version="1.0"?>…
        > Qbtrace:off
        < OK
        > Qbtrace:off
        < E.branch trace is off
    """)


def read_object(line: Any, name: str, annex: str = "") -> str:
    text, reply = "", "m"
    while reply[0] == "m":
        reply = line.ask(f"qXfer:{name}:read:{annex}:{len(text):x},80")
        text += reply[1:]
    return text


def test_documents_are_well_formed(process: Served, machine: Served) -> None:
    from xml.etree import ElementTree as ET

    line, other = process.connect(), machine.connect()
    assert ET.fromstring(read_object(line, "features", "target.xml")).findtext("osabi") == "GNU/Linux"
    time = ET.fromstring(read_object(other, "features", "target.xml")).find(".//reg[@name='insns']")
    assert time is not None
    assert time.get("save-restore") == "no"  # GDB writes all others back after a call of the program's functions
    names = [row.get("name") for row in ET.fromstring(read_object(line, "threads"))]
    assert names == ["main", "worker <&>"]
    process.debugger.symbols["_thread_db_sizeof_pthread"] = RAM + 0x100
    process.debugger.write_memory(RAM + 0x100, bytes([0xC0, 4, 0, 0]))
    process.debugger.registers |= {("tpidruro", 1): 0xB6FF_24C0, ("tpidruro", 2): 0}
    assert [row.get("handle") for row in ET.fromstring(read_object(line, "threads"))] == ["0020ffb6", None]
    libraries = ET.fromstring(read_object(line, "libraries-svr4"))
    assert (libraries.get("main-lm"), [row.get("name") for row in libraries]) == ("0x20000460", ["/lib/libc.so.6"])
    assert len(ET.fromstring(read_object(line, "libraries-svr4", "start=20000480;prev=20000460"))) == 1
    memory = ET.fromstring(read_object(other, "memory-map"))
    assert [row.get("type") for row in memory] == ["flash", "ram", "ram"]
    assert memory[0][0].text == "0x400"
    tables = [item[0].text for item in ET.fromstring(read_object(other, "osdata"))]
    assert tables == ["devices", "map", "threads", "libraries", "checkpoints"]
    devices = ET.fromstring(read_object(other, "osdata", "devices"))
    assert {column.get("name"): column.text for column in devices[0]} == {"name": "uart0", "start": "0x40000000", "irq": "5"}


def test_flash(machine: Served) -> None:
    transcript(machine, """
        > vFlashErase:0,400
        < OK
        > vFlashErase:20000000,400
        < E.memtype
        > vFlashWrite:10:abc
        < OK
        > vFlashDone
        < OK
        > mf,5
        < ff616263ff
    """)


def test_monitor(machine: Served) -> None:
    line = machine.connect()

    def monitor(text: str) -> tuple[str, str]:
        line.send(f"qRcmd,{text.encode().hex()}")
        printed = ""
        while (reply := line.receive()).startswith("O") and reply != "OK":
            printed += bytes.fromhex(reply[1:]).decode()
        return printed, reply

    assert monitor("help")[0].startswith("The following monitor commands are supported:\n")
    assert "list devices" in monitor("help devices")[0]
    assert "Unknown monitor command" in monitor("")[0]
    assert monitor("set remote-debug 0") == ("Protocol debug output disabled.\n", "OK")
    assert "0x40000000" in monitor("devices")[0]
    assert monitor("dev")[1] == "E01"                          # devices or device?
    assert "did you mean 'seek'" in monitor("sek 5")[0]
    assert "usage: monitor seek PLACE" in monitor("seek")[0]
    assert monitor("info clocks")[0] == "there are no clocks here\n"
    assert monitor("seek 1,000")[1] == "OK"
    assert machine.debugger.moves == [("seek", 1000)]
    assert monitor("checkpoint a")[1] == "OK"
    assert "a     instruction 7" in monitor("checkpoints")[0]
    assert monitor("set step-into-irq on")[1] == "OK"
    assert line.ask("qqemu.sstep") == "0x1"
    assert line.ask("Qqemu.sstep=7") == "OK"
    assert not machine.debugger.step_into_irq
    assert line.ask("qqemu.sstepbits") == "ENABLE=1,NOIRQ=2,NOTIMER=4"
    assert "nothing of the kind" in monitor("pin gpio.3 1")[0]
    assert monitor("trace 1")[0] == "0x8000 … 0x8004\n"
    assert monitor("'")[1] == "E01"


def test_error_words(process: Served) -> None:
    line = process.connect()
    assert line.ask("m5000,4") == "E0e"
    line.ask("qSupported:error-message+")
    assert line.ask("m5000,4") == "E.0x5000 cannot be read"
    assert line.ask("QEnableErrorStrings") == "OK"
    assert line.ask("m5000,4") == "E0e;" + b"0x5000 cannot be read".hex()


@pytest.mark.parametrize("packet", ["", "y", "qCX", "qNothing", "QNothing:1", "vNothing", "v", "jNothing", "_M1", "qRcmdX", "A", "\x00",
                                    "vFile:nothing:1", "Qqemu.PhyMem"])
def test_unknown_packets_get_the_empty_reply(process: Served, packet: str) -> None:
    assert process.connect().ask(packet) == ""


@pytest.mark.parametrize("packet", ["m", "m1", "m1,", "m1,2,3", "mfffffffffffffffff,1", "M0,1", "M0,1:0", "X0,5:1", "p", "pzz", "P0", "Gx",
                                    "H", "Hgz", "T", "Z", "Z0", "Z0,0", "z0,zz,1", "vCont;", "vCont;c:zz", "vCont;S", "vFile:open:zz,0,0",
                                    "qSearch:memory:0;1", "qCRC:0", "qRcmd,abc", "QPassSignals:zz"])
def test_malformed_packets_get_an_error(process: Served, packet: str) -> None:
    assert process.connect().ask(packet)[:1] == "E"


def test_lldb(process: Served) -> None:
    transcript(process, """
        > QThreadSuffixSupported
        < OK
        > QListThreadsInStopReply
        < OK
        > qHostInfo
        < triple:61726d2d2d6c696e75782d676e75656162696866;endian:little;ptrsize:4;…
        > qProcessInfo
        < pid:2a;…
        > qMemoryRegionInfo:20000010
        < start:20000000;size:1000;permissions:rw;name:72616d;
        > qMemoryRegionInfo:1000
        < start:1000;size:1ffff000;
        > qMemoryRegionInfo:ffffffff
        < start:40001000;size:bffff000;
        > qThreadStopInfo2
        < T00thread:2;core:1;threads:1,2;…
        > jThreadsInfo
        < [{"tid":1,"name":"main","reason":"trap"},{"tid":2,"name":"worker <&>","reason":"none"}]
        > qRegisterInfo0
        < name:r0;bitsize:32;offset:0;encoding:uint;format:hex;…
        > qRegisterInfo99
        < E.no more registers
        > ?
        < T05thread:1;core:0;threads:1,2;…
    """)


def test_files(process: Served, tmp_path: Any) -> None:
    from xemu.gdbstub.replies import STAT

    file = tmp_path / "a b"
    file.write_bytes(b"#hello" * 10)
    line = process.connect()
    assert line.ask("vFile:setfs:0") == "F0"
    assert line.ask(f"vFile:open:{str(file).encode().hex()},0,0") == "F3"
    assert line.ask("vFile:pread:3,6,6") == "F6;#hello"
    assert line.ask("vFile:pread:3,6,ff") == "F0;"
    assert line.ask("vFile:pread:4,6,0") == "F-1,9"
    status = line.ask("vFile:fstat:3")
    assert STAT.unpack(status.partition(";")[2].encode("latin-1"))[7] == 60
    assert line.ask("vFile:close:3") == "F0"
    assert line.ask("vFile:close:3") == "F-1,9"
    assert line.ask(f"vFile:open:{str(file).encode().hex()},1,0") == "F-1,1e"
    assert line.ask(f"vFile:unlink:{str(file).encode().hex()}") == "F-1,1e"
    assert line.ask(f"vFile:open:{str(tmp_path).encode().hex()},0,0") == "F-1,d"
    assert line.ask(f"vFile:open:{b'/nowhere'.hex()},0,0") == "F-1,2"
    assert line.ask(f"vFile:stat:{str(file).encode().hex()}").startswith("F40;")
    assert line.ask(f"vFile:open:{b'/proc/42/maps'.hex()},0,0") == "F3"
    maps = line.ask("vFile:pread:3,1000,0").partition(";")[2]
    assert maps.splitlines()[1] == "20000000-20001000 rw-p 00000000 00:00 0".ljust(73) + "ram"
    assert line.ask(f"vFile:open:{b'/proc/42/cmdline'.hex()},0,0") == "F4"
    assert line.ask("vFile:pread:4,1000,0") == "F9;prog\0a b\0"
    assert line.ask(f"vFile:readlink:{b'/proc/42/exe'.hex()}") == "F9;/bin/prog"
    for path in (b"/proc/1/maps", b"/proc/self/environ", b"/proc/version"):
        assert line.ask(f"vFile:open:{path.hex()},0,0") == "F-1,2"
    line.close()


def test_every_packet_is_documented() -> None:
    from xemu.gdbstub.table import TABLE

    assert all(row.handler.__doc__ for row in TABLE.rows)
    assert len({row.template for row in TABLE.rows}) == len(TABLE.rows)
