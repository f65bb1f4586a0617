"""Time on the screen: the strip, events, the trace, the tree of calls, and how often code was executed."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.screen import Screen, drive
from xemu.debug import open_machine, open_process, open_recording
from xemu.debug.events import ANY, Event, Events, events_of
from xemu.debug.excursion import counts, excursion, go
from xemu.debug.outputs import MANY, TEXT, WINDOW, Lines
from xemu.debug.recording import Recording
from xemu.debug.trace import Registers
from xemu.errors import UsageError
from xemu.tui.guest import Channels, open_debugger
from xemu.tui.messages import Output, Target
from xemu.tui.panes.calls import tree_lines
from xemu.tui.panes.events import events_lines
from xemu.tui.panes.trace import trace_lines
from xemu.tui.queries import ask
from xemu.tui.queries.coverage import coverage
from xemu.tui.queries.timeline import Strip, timeline
from xemu.tui.text import plain
from xemu.tui.timeline import mark, strip_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.debugger import Debugger

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
KERNEL = SAMPLES / "firmware/elf/mps2-an385/kernel.elf"
STATION = SAMPLES / "firmware/elf/mps2-an385/station.elf"
FAULTS = SAMPLES / "firmware/elf/mps2-an385/faults.elf"
LIFE = SAMPLES / "arm/life"


@pytest.fixture
def kernel() -> Iterator[Debugger]:
    d = open_machine(KERNEL)
    Events(d)
    yield d
    d.system.close()


@pytest.fixture
def life(capfd: pytest.CaptureFixture[str]) -> Iterator[Debugger]:
    del capfd
    d = open_process(LIFE)
    Events(d)
    yield d
    d.system.close()


def single_steps(d: Debugger, start: int, end: int) -> list[tuple[int, int]]:
    """Return (instruction count, pc) of all instructions, one at a time."""
    out = []
    with excursion(d):
        go(d, start)
        d.engine.quiet(on=True)
        while d.position.insns < end:
            d.system.settle()
            out.append((d.position.insns, d.pc))
            while d.system.run(insns=out[-1][0] + 1).kind is None:
                pass
    return out


# -- counts --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("guest", ["kernel", "life"])
def test_counts_are_those_of_single_steps(guest: str, request: pytest.FixtureRequest) -> None:
    d: Debugger = request.getfixturevalue(guest)
    d.run_to(insns=60_000)
    assert counts(d, 57_000, 60_000) == Counter(pc for _, pc in single_steps(d, 57_000, 60_000))
    assert d.position.insns == 60_000
    assert d.system.live


def test_coverage_follows_the_present_place(kernel: Debugger) -> None:
    d = kernel
    d.run_to(insns=40_000)
    waiter, main = d.resolve("*waiter"), d.resolve("*main")
    late = coverage(d, [waiter, main, waiter + 1], budget=60.0)
    assert late[main].times == 1
    assert late[main].tier != "never"
    assert late[waiter].times == sum(pc == waiter for _, pc in single_steps(d, 0, 40_000)) > 50
    assert late[waiter + 1] == (0, "never")                      # no instruction begins there
    d.seek(20_000)
    early = coverage(d, [waiter, main], budget=60.0)
    assert early[waiter].times == sum(pc == waiter for _, pc in single_steps(d, 0, 20_000)) < (late[waiter].times or 0)
    d.seek(0)
    assert coverage(d, [waiter, main], budget=60.0) == {waiter: (0, "never"), main: (0, "never")}


def test_what_is_compiled_stays_compiled(life: Debugger) -> None:
    d = life
    d.run_to(insns=3_000_000)
    d.engine.library.client.wait()
    d.run_to(insns=4_000_000)
    before = {pc for region in d.engine.library.regions for pc in region.inside}
    assert before
    counts(d, 3_900_000, 4_000_000)
    assert {pc for region in d.engine.library.regions for pc in region.inside} >= before
    found = coverage(d, before)
    assert {c.tier for pc, c in found.items() if c.times} == {"compiled"}


# -- nothing moves the guest ---------------------------------------------------------------------------------------------
QUERIES = (("timeline.timeline", {"width": 80}), ("events.events", {}), ("trace.steps", {"most": 60}), ("calls.tree", {"most": 60}),
           ("coverage.executed", {"addresses": (0, 8, 0x100)}))


def state(d: Debugger) -> tuple[Any, ...]:
    registers = Registers(d)
    registers.start()
    memory = d.read_memory(d.read_register("sp") or 0, 256)
    return d.position, d.pc, registers.before, memory, d.system.live, d.stop, d.engine.is_quiet, len(d.engine.watches)


def test_questions_move_no_machine() -> None:
    def run(*, asking: bool) -> tuple[Any, ...]:
        d = open_machine(KERNEL)
        Events(d)
        out = []
        d.watch("counter", 4)
        motions = [d.cont, d.cont, lambda: d.break_at("on_tick"), d.cont, lambda: d.step(3),
                   lambda: d.step(2, back=True), lambda: d.cont(back=True), d.cont, lambda: d.seek("end"), d.step,
                   lambda: d.write_register("r11", 5), lambda: d.run_to(insns=30_000)]
        for motion in motions:
            motion()
            before = state(d)
            for name, arguments in QUERIES if asking else ():
                ask(d, name, arguments)
                assert state(d) == before, name
            out.append((*before[:5], d.stop.text))
        for point in list(d.points):
            d.delete(point)
        out.append((d.cont().text, d.position, bytes(d.system.machine.serials[0].output), d.engine.trace_hash))  # type: ignore[attr-defined]
        d.system.close()
        return out  # type: ignore[return-value]

    assert run(asking=True) == run(asking=False)


def test_questions_move_no_process(capfd: pytest.CaptureFixture[str]) -> None:
    def run(*, asking: bool) -> list[Any]:
        d = open_process(LIFE)
        Events(d)
        out: list[Any] = []
        d.catch("syscall", (4,))
        for _ in range(4):
            d.cont()
            before = state(d)[1:4]
            for name, arguments in QUERIES if asking else ():
                whole = state(d)
                ask(d, name, arguments)
                assert state(d) == whole, name
            out.append((before, d.position.insns))
        d.system.close()
        return [*out, capfd.readouterr().out]

    assert run(asking=True) == run(asking=False)


# -- events --------------------------------------------------------------------------------------------------------------
def test_every_exception_is_an_event_that_can_be_gone_to(kernel: Debugger) -> None:
    d, handlers = kernel, {"SysTick": "systick_handler", "PendSV": "pendsv_handler", "SVCall": "svc_handler"}
    d.run_to(insns=120_000)
    events = d.events
    assert events is not None
    found = [e for e in events.all() if e.kind in ("irq", "exception")]
    ticks = [e for e in found if e.name == "SysTick"]
    assert len(ticks) > 3
    assert len({b.beat - a.beat for a, b in itertools.pairwise(ticks)}) == 1
    assert [e for e in found if e.beat == ticks[2].beat] == [ticks[2]]
    kept = list(events.all())
    for event in (found[-1], found[2], found[5]):
        events.go(event)
        assert (d.position.beat, d.pc) == (event.beat, d.resolve(f"*{handlers[event.name]}"))
    events.go(ticks[1])
    events.go_next(back=False, same=True)
    assert d.position.beat == ticks[2].beat
    events.go_next(back=True, same=True)
    assert d.position.beat == ticks[1].beat
    d.seek("end")
    assert events.all() == kept
    assert d.system.live
    with pytest.raises(UsageError, match="no event after this place"):
        events.go_next(back=False)


def test_checkpoints_and_stops_are_events_and_a_branch_takes_those_after_it(kernel: Debugger) -> None:
    d, events = kernel, kernel.events
    assert events is not None
    d.break_at("main")
    events.stopped(d.cont())
    d.run_to(insns=50_000)
    d.checkpoint("here")
    d.run_to(insns=80_000)
    assert [(e.kind, e.insns) for e in events.all() if e.kind in ("stop", "checkpoint")] == [
        ("stop", d.seek(events.items[0].insns).position.insns), ("checkpoint", 50_000)]
    d.seek(30_000)
    late = [e for e in events.all() if e.insns > 30_000 and e.kind == "irq"]
    early = [e for e in events.all() if e.insns <= 30_000]
    assert late
    d.write_register("r11", 7)
    assert [e for e in events.all() if e.kind != "checkpoint"] == early
    d.run_to(insns=31_000)
    d.switch(d.branches[0].number)
    assert [e for e in events.all() if e.insns > 30_000 and e.kind == "irq"] == late


def test_output_is_an_event_for_each_line_at_the_beat_of_its_first_byte(kernel: Debugger) -> None:
    d, events = kernel, kernel.events
    assert events is not None
    line = d.system.machine.serials[0]  # type: ignore[attr-defined]
    line.listeners.append(lambda data: events.output("uart0", data))
    d.cont()
    found = [e for e in events.all() if e.kind == "output"]
    assert "\n".join(e.text for e in found) == bytes(line.output).decode().replace("\r", "").strip()
    events.go(found[1])
    assert abs(d.position.beat - found[1].beat) <= 1


def output_events(path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Event], bytes, int, int]:
    """Return the events of what firmware prints, the bytes, the beat of the first, and how many instructions the evaluator executed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    d = open_debugger(Target((str(path),)))
    sent: list[Output] = []
    channels = Channels(d, sent.append)
    d.run_to(insns=6_000)
    channels.poll()
    events = events_of(d)
    events.stopped(d.stop)
    evaluated = d.system.engine.stats["evaluated"]
    d.system.close()
    return [e for e in events.all() if e.kind == "output"], b"".join(o.data for o in sent), sent[0].beat, evaluated


def test_output_has_the_beats_of_its_writes_whoever_executed_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cold, _, warm = (output_events(STATION, tmp_path, monkeypatch) for _ in range(3))
    assert cold[3] > 2 * warm[3]                         # the evaluator wrote in one, native code in the other
    assert cold[:3] == warm[:3]
    lines = cold[1].decode().split("\r\n")
    assert [e.text for e in cold[0]] == [line for line in lines if line]
    assert cold[0][0].beat == cold[2]
    assert len({e.beat for e in cold[0]}) == len(cold[0]) > 5


def test_events_of_output_do_not_depend_on_the_pieces_it_comes_in() -> None:
    text = b"a line\r\n\n" + b"long " * 60 + b"\n" + b"".join(b"%d\n" % i for i in range(3 * MANY)) + b"no end"
    beats = [17 * i for i in range(len(text) - 4)] + [WINDOW + 5, WINDOW + 9, 3 * WINDOW, 3 * WINDOW + 1]
    found = []
    for piece in (1, 7, 1_000, len(text)):
        events: list[Event] = []

        def grow(event: Event, lines: int, events: list[Event] = events) -> Event:
            events[-1] = events[-1]._replace(times=event.times + lines)
            return events[-1]

        lines = Lines("uart0", events.append, grow)
        for at in range(0, len(text), piece):
            data = text[at:at + piece]
            if not lines.goes_on(data):
                lines.take(data, beats[at:at + piece], 3)
        lines.end()
        lines.settle()
        found.append(events)
    assert found[0] == found[1] == found[2] == found[3]
    first, second, *_ = found[0]
    assert (first.beat, first.insns, first.text, second.text) == (0, -3, "a line", ("long " * 20)[:TEXT])
    assert sum(e.times for e in found[0]) > 3 * MANY > len(found[0])
    assert found[0][-1].beat == WINDOW + 5


def test_a_programs_output_and_calls_are_events(life: Debugger) -> None:
    d, events = life, life.events
    assert events is not None
    d.cont()
    first = next(e for e in events.all() if e.kind == "output")
    assert first.name == "stdout"
    assert first.text
    events.go(first)
    assert d.position.insns == first.insns
    assert d.read_register("r7") == 4
    assert d.read_register("r0") == 1
    assert d.read_memory(d.read_register("r1") or 0, 8).decode().strip("\n") in first.text


def test_many_events_get_thin_with_age_but_rare_ones_stay(kernel: Debugger) -> None:
    events = Events(kernel, limit=1_000)
    for beat in range(20_000):
        events.add(Event(beat, beat, beat, "irq", "SysTick"))
        if beat % 5_000 == 0:
            events.add(Event(beat, beat, beat, "signal", "SIGINT"))
    irqs = [e for e in events.items if e.kind == "irq"]
    assert len(events.items) <= 1_000
    assert sum(e.times for e in irqs) == 20_000
    assert [e.beat for e in events.items if e.kind == "signal"] == [0, 5_000, 10_000, 15_000]
    assert irqs[0].times > irqs[len(irqs) // 2].times
    assert irqs[-1].times == 1
    assert events.beats["irq"] == [e.beat for e in irqs]


def test_order_and_places_of_single_events(kernel: Debugger) -> None:
    events = Events(kernel)
    late, early = Event(20, 1, 20, "irq", "IRQ 1"), Event(10, ANY, 10, "output", "uart0", "text")
    events.add(late)
    events.add(early)
    events.add(late._replace(beat=5))
    events.add(early)
    assert [e.beat for e in events.items] == [5, 10, 20]
    assert events.beats["irq"] == [5, 20]


def test_a_recordings_events_are_found_by_repeating_it(kernel: Debugger, tmp_path: Path) -> None:
    kernel.run_to(insns=60_000)
    Recording.write(str(tmp_path / "rec"), kernel)
    d = open_recording(tmp_path / "rec")
    events = Events(d)
    for _ in range(2):
        d.seek(100)
        d.run_to(insns=59_000)
        assert events.all() == kernel.events.all()  # type: ignore[union-attr]
    d.system.close()


# -- the strip -----------------------------------------------------------------------------------------------------------
def test_the_strip_has_everything_in_its_column(kernel: Debugger) -> None:
    d = kernel
    d.run_to(insns=100_000)
    d.checkpoint("mark")
    d.seek(50_000)
    strip = timeline(d, width=50)
    for event in d.events.all():  # type: ignore[union-attr]
        column = strip.column(event.beat)
        assert event.kind in dict(strip.columns[column])
        assert strip.beats(column)[0] <= event.beat <= strip.beats(column)[1]
    assert sum(n for found in strip.columns.values() for _, n in found) == len(d.events.items)  # type: ignore[union-attr]
    assert strip.beats(49)[0] == d.history.last.beat


def test_how_the_strip_is_drawn() -> None:
    strip = Strip(12, 0, 110, 50, {0: (("stop", 1),), 2: (("irq", 1),), 3: (("irq", 9),), 8: (("output", 2), ("irq", 1))}, None,
                  near_here=False)
    assert strip_line(strip, None, 27).text == " ├■─▁▄─●──┴───┤ 110"
    assert mark((("checkpoint", 1), ("stop", 1)))[0] == "◆"
    assert len({mark(((kind, 1),))[0] for kind in ("checkpoint", "stop", "signal", "process", "output", "irq")}) == 6


# -- trace and calls -----------------------------------------------------------------------------------------------------
def test_the_trace_grows_with_the_guest(kernel: Debugger) -> None:
    d = kernel
    d.run_to(insns=20_000)
    for motion in (lambda: None, lambda: d.step(2), lambda: d.seek(19_990), lambda: d.seek(500), lambda: d.seek("end")):
        motion()
        data = ask(d, "trace.steps", {"most": 100})
        here = d.position.insns
        assert [(s.insns, s.pc) for s in data.steps if not s.note] == single_steps(d, here - 100, here)
    text = plain(trace_lines(data))
    assert "→" in text
    assert text.splitlines()[-1].endswith(data.next.partition("  ;")[0].strip())


def test_exceptions_are_in_the_trace(kernel: Debugger) -> None:
    d = kernel
    d.break_at("*systick_handler")
    d.cont()
    d.step()
    steps = ask(d, "trace.steps", {"most": 10}).steps
    assert [s.note or s.pc for s in steps][-2:] == ["SysTick", d.resolve("*systick_handler")]


def test_calls_are_those_that_single_steps_find(kernel: Debugger) -> None:
    d = kernel
    d.run_to(insns=40_000)
    data = ask(d, "calls.tree", {"most": 100_000})
    begins = {s.address & ~1: s.name for m in d.modules for s in m.symbols.symbols if s.kind not in ("object", "constant")}
    steps = single_steps(d, data.start, 40_000)
    entered = Counter(begins[pc] for _, pc in steps if pc in begins)
    for name in ("waiter", "systick_handler", "on_tick", "switch_stacks", "system_call"):
        assert sum(r.times for r in data.rows if r.name == name) == entered[name] > 0
    waiter = next(m.function(d.resolve("*waiter")) for m in d.modules if m.find("waiter"))
    assert waiter is not None
    row = next(r for r in data.rows if r.name == "waiter" and not r.open)
    inside = [pc for insns, pc in steps if row.insns <= insns < row.insns + row.inside]
    assert inside[0] == waiter.start
    assert all(waiter.start <= pc < waiter.end for pc in inside)
    after = next(pc for insns, pc in steps if insns == row.insns + row.inside)
    assert not waiter.start <= after < waiter.end
    d.seek(row.insns + 2)                                        # in the middle of it
    again = ask(d, "calls.tree", {"most": 100_000})
    assert again.rows[-1][:1] + again.rows[-1][4:7] == (row.depth, row.insns, 2, True)
    assert "waiter" in plain(tree_lines(again)).splitlines()[-1]


# -- on the screen -------------------------------------------------------------------------------------------------------
def test_events_on_the_screen() -> None:
    async def work(s: Screen) -> None:
        app = s.app
        app.act_do("until", where="on_tick")
        await s.until(lambda: s.stops > 1)
        await s.settled()
        app.desk.show("events")
        await s.settled()
        assert any("SysTick" in text for text in s.lines("events"))
        here = app.stop.beat
        await s.press("left_square_bracket")
        assert app.stop.beat < here
        assert not app.stop.live
        assert any("the guest is here" in text for text in s.lines("events"))
        await s.keys("x")
        await s.until(lambda: "only: stop" in s.lines("events")[0] or "only: interrupt" in s.lines("events")[0])
        while "interrupt" not in s.lines("events")[0]:
            await s.keys("x")
            await s.settled()
        await s.until(lambda: all("SysTick" in t or "only" in t or "here" in t or "PendSV" in t for t in s.lines("events")))
        app.desk.panes["events"].move_to(next(i for i, t in enumerate(s.lines("events")) if "SysTick" in t))
        await s.press("enter")
        assert "systick_handler" in s.text("code")
        strip = app.main.timeline
        await s.until(lambda: strip.data is not None and strip.data.near_here)
        before = s.stops
        await s.pilot.click("#timeline", offset=(2, 0))
        await s.until(lambda: s.stops > before)
        assert app.stop.insns == 0

    drive(work, KERNEL)


def test_trace_and_calls_on_the_screen() -> None:
    async def work(s: Screen) -> None:
        app = s.app
        app.act_do("until", where="on_tick")
        await s.until(lambda: s.stops > 1)
        await s.settled()
        app.desk.show("trace")
        await s.until(lambda: s.lines("trace") and "▶" in s.lines("trace")[-1])
        await s.keys("slash")
        await s.type("Sys.ick$")
        pane = app.desk.panes["trace"]
        assert "SysTick" in pane.here.text
        insns = app.stop.insns
        await s.press("enter")
        assert app.stop.insns < insns
        assert "systick_handler" in s.text("code")
        app.desk.show("calls")
        await s.until(lambda: any("main" in text for text in s.lines("calls")))
        app.desk.panes["calls"].move_to(next(i for i, t in enumerate(s.lines("calls")) if t.split()[-2:-1] and "main" in t.split()))
        await s.press("enter")
        assert app.stop.pc == await app.client.do("address_of", text="*main") & ~1

    drive(work, KERNEL, size=(120, 40))


def test_nothing_happened_yet() -> None:
    d = open_machine(FAULTS)
    data = ask(d, "events.events", {})
    assert plain(events_lines(data, "")) == "nothing has happened yet"
    d.system.close()
