"""Debugging firmware: motions in both directions, on the samples, against what stepping forwards has shown."""

from __future__ import annotations

import random
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from xemu.debug import open_machine
from xemu.debug.debugger import Debugger, DebuggerError
from xemu.debug.stops import StopKind
from xemu.errors import XemuError

SAMPLES = Path(__file__).parent.parent / "samples" / "firmware" / "elf"
KERNEL = SAMPLES / "mps2-an385" / "kernel.elf"
BOARDS = {"stm32": "olimex-stm32-h405"}
UART = SAMPLES / "lm3s6965evb" / "uartirq.elf"


def debug(image: Path, **options: Any) -> Debugger:
    return open_machine(image, BOARDS.get(image.parent.name, image.parent.name), **options)


def state(d: Debugger) -> tuple[Any, ...]:
    registers = [d.read_register(name) for name in ("sp", "lr", "xpsr", "r0", "r1", "r2", "r3", "r4", "r7", "r12", "msp", "psp")]
    return d.pc, d.position, *registers, d.read_memory(0x2000_0000, 0x1000)


@pytest.fixture(params=[True, False], ids=["regions", "interpreter"])
def kernel(request: pytest.FixtureRequest) -> Debugger:
    return debug(KERNEL, jit=request.param)


def test_a_breakpoint_by_name_and_the_way_back(kernel: Debugger) -> None:
    kernel.break_at("main")
    stop = kernel.cont()
    assert stop.kind is StopKind.BREAKPOINT
    main = kernel.pc
    assert [p.hits for p in stop.points] == [1]
    kernel.step(20)
    assert kernel.cont(back=True).kind is StopKind.BREAKPOINT
    assert kernel.pc == main
    assert kernel.cont(back=True).kind is StopKind.HISTORY_BEGIN
    assert kernel.position.insns == 0
    assert kernel.cont().kind is StopKind.BREAKPOINT
    assert kernel.cont().kind is StopKind.HISTORY_END
    assert kernel.cont().kind is StopKind.EXITED
    assert kernel.cont().kind is StopKind.EXITED                    # it stays so
    assert kernel.step(back=True).kind is StopKind.STEP


def test_a_breakpoint_stops_a_guest_that_was_put_there(kernel: Debugger) -> None:
    main = kernel.break_at("main").address
    kernel.write_register("pc", main)
    assert kernel.cont().kind is StopKind.BREAKPOINT
    assert (kernel.pc, kernel.position.insns) == (main, 0)
    kernel.step()
    assert kernel.pc != main


def test_a_breakpoint_is_found_again_where_a_snapshot_lies(kernel: Debugger) -> None:
    point = kernel.break_at("main")
    kernel.cont()
    main = kernel.position
    kernel.history._snapshot()
    kernel.delete(point)
    kernel.run_to(insns=main.insns + 20)
    kernel.break_at("main")
    assert kernel.cont(back=True).kind is StopKind.BREAKPOINT
    assert kernel.position == main


def test_every_step_back_undoes_a_step(kernel: Debugger) -> None:
    kernel.break_at("produce_thread")
    kernel.cont()
    states = [state(kernel)]
    for _ in range(300):
        kernel.step()
        states.append(state(kernel))
    for wanted in reversed(states[:-1]):
        assert kernel.step(back=True).kind is StopKind.STEP
        assert state(kernel) == wanted


def test_any_place_can_be_reached_in_any_order(kernel: Debugger) -> None:
    rng = random.Random(7)
    kernel.cont()
    last = kernel.position.insns
    seen: dict[int, Any] = {}
    for _ in range(60):
        insns = rng.randrange(last)
        kernel.seek(insns)
        assert kernel.position.insns == insns
        assert seen.setdefault(insns, state(kernel)) == state(kernel)
        if rng.random() < 0.5:
            kernel.seek(rng.choice(list(seen)))
            assert state(kernel) == seen[kernel.position.insns]
    assert kernel.seek("end").position.insns == last


def test_who_wrote_this_last(kernel: Debugger) -> None:
    kernel.cont()
    at = kernel.resolve("counter")
    value = kernel.read_memory(at, 4)
    kernel.watch("counter", 4)
    stop = kernel.cont(back=True)
    assert stop.kind is StopKind.WATCHPOINT
    assert stop.watch is not None
    assert stop.watch.new == value
    assert kernel.read_memory(at, 4) == stop.watch.old != value
    kernel.step()
    assert kernel.read_memory(at, 4) == value
    forwards = []
    kernel.seek("start")
    while (found := kernel.cont()).kind is StopKind.WATCHPOINT:
        assert found.watch is not None
        forwards.append((found.watch.old, found.watch.new))
    assert forwards[-1] == (stop.watch.old, stop.watch.new)
    kernel.seek("end")
    backwards = []
    while (found := kernel.cont(back=True)).kind is StopKind.WATCHPOINT:
        assert found.watch is not None
        backwards.append((found.watch.old, found.watch.new))
    assert backwards == forwards[::-1]


def test_a_step_runs_through_interrupts(kernel: Debugger) -> None:
    kernel.break_at("produce_thread")
    kernel.cont()
    threads = set()
    for _ in range(2000):
        kernel.step()
        threads.add(kernel.read_register("xpsr") & 0x1FF)               # type: ignore[operator]
    assert threads <= {0, 11, 14}       # thread code, the supervisor calls it makes, and PendSV as a part of their return
    kernel.step_into_irq = True
    kernel.catch("irq")
    assert kernel.cont().kind is StopKind.IRQ


def test_supervisor_calls_are_caught_wherever_they_are_entered(kernel: Debugger) -> None:
    kernel.run_to(insns=60_000)                  # nobody looks: native code enters them
    end = kernel.position
    kernel.catch("exception")
    kernel.catch("irq", [14])
    backwards = []
    while (found := kernel.cont(back=True)).kind in (StopKind.EXCEPTION, StopKind.IRQ):
        backwards.append((found.position, found.number, found.pc))
    assert {number for _, number, _ in backwards} == {11, 14}
    assert all(found[0] > before[0] for found, before in pairwise(backwards))
    forwards = []
    while (found := kernel.cont()).kind in (StopKind.EXCEPTION, StopKind.IRQ) and found.position < end:
        forwards.append((found.position, found.number, found.pc))
    assert forwards == backwards[::-1]
    calls = [position for position, number, _ in forwards if number == 11]
    kernel.seek(end)
    assert kernel.position == end
    assert kernel.history.verify() == ""
    other = debug(KERNEL, jit=True)              # here every one is seen as it happens
    other.catch("exception")
    seen = []
    while (found := other.cont()).position < end:
        seen.append(found.position)
    assert seen == calls
    assert other.history.verify() == ""


def test_a_place_that_is_refused_leaves_the_guest_in_the_present() -> None:
    fresh = debug(KERNEL)
    fresh.run_to(insns=100)
    with pytest.raises(XemuError, match="before the start of the history"):
        fresh.seek(-1)
    assert fresh.system.live
    assert fresh.seek(100).position.insns == 100
    assert fresh.seek(50).position.insns == 50


def test_an_exception_that_led_to_a_snapshot_is_found_again(kernel: Debugger) -> None:
    kernel.catch("irq")
    kernel.cont()
    entered = kernel.cont()
    assert entered.kind is StopKind.IRQ
    kernel.step(back=True)                       # leaves a snapshot right behind the entry
    kernel.seek(entered.position.insns + 5_000)
    while (found := kernel.cont(back=True)).position > entered.position:
        assert found.kind is StopKind.IRQ
    assert (found.kind, found.position, found.number) == (StopKind.IRQ, entered.position, entered.number)
    assert kernel.cont(back=True).position < entered.position


def test_checkpoints_and_times(kernel: Debugger) -> None:
    kernel.seek(5000)
    assert kernel.position.insns == 5000
    here = state(kernel)
    kernel.checkpoint("here")
    kernel.seek("2ms")
    assert kernel.position.beat == 50_000
    kernel.seek("here")
    assert state(kernel) == here
    with pytest.raises(DebuggerError, match="'nowhere' is no place in time"):
        kernel.seek("nowhere")


def test_points_do_not_change_the_run() -> None:
    plain = debug(KERNEL)
    end = plain.cont()
    busy = debug(KERNEL)
    main = busy.resolve("main")
    for address in range(main, main + 64, 2):
        busy.break_at(address)
    busy.watch(0x2000_0000, 0x1000, "a")
    stops = 0
    while not (stop := busy.cont()).kind.final:
        stops += 1
        if stops == 200:
            for point in list(busy.points.by_id.values()):
                busy.delete(point)
    assert stop.position == end.position
    assert stops >= 200


def test_input_from_outside_is_repeated() -> None:
    d = debug(UART)
    machine = d.system.machine                                        # type: ignore[attr-defined]
    d.seek("20ms")
    machine.serials[0].feed(b"hello, world\r")
    d.seek("60ms")
    after, text = state(d), bytes(machine.serials[0].output)
    for place in ("10ms", "30ms", "25ms", "1ms"):
        d.seek(place)
        assert d.seek("60ms").kind is StopKind.REACHED
        assert state(d) == after
    assert bytes(machine.serials[0].output) == text                   # printed once


def test_a_change_in_the_past_begins_another_future(kernel: Debugger) -> None:
    kernel.break_at("main")
    kernel.cont()
    kernel.cont()
    kernel.cont(back=True)
    assert kernel.write_register("r0", 0x1234)
    assert kernel.read_register("r0") == 0x1234
    kernel.step()
    assert kernel.step(back=True).kind is StopKind.STEP
    assert kernel.read_register("r0") == 0x1234
    assert kernel.cont().kind is StopKind.HISTORY_END
    assert kernel.cont().kind is StopKind.EXITED


@cache
def samples() -> list[Path]:
    return sorted(SAMPLES.glob("*/*.elf"))


@pytest.mark.parametrize("image", [p for p in samples() if p.stem in ("kernel", "exceptions", "faults", "mpu", "uartirq", "fpirq", "dma")],
                         ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_samples_repeat_exactly(image: Path) -> None:
    d = debug(image)
    d.run_to(beat=3_000_000)
    end, history = d.position, d.history
    places = [end.insns * i // 7 for i in range(7)]
    for insns in places[::-1]:
        d.seek(insns)
        d.seek(end)
        assert d.position == end
        history.leave_present()
    saved = history.snapshots[-1].state
    d.seek(places[3])
    history.place(history.find_insns(places[3]))
    assert d.system.reach(end) == ""
    assert d.system.difference(saved) == ""


@pytest.mark.parametrize(("kind", "detail", "words"), [
    ("irqs", None, "did you mean irq"), ("device", "uart9.DATA", "no part 'uart9'"), ("device", "uart0.DATUM", "no register 'DATUM'")])
def test_what_cannot_be_caught(kernel: Debugger, kind: str, detail: str | None, words: str) -> None:
    with pytest.raises(XemuError, match=words):
        kernel.catch(kind, detail)


def test_the_branch_trace_has_the_blocks_that_ran(kernel: Debugger) -> None:
    kernel.break_at("produce_thread")
    kernel.cont()
    here, now = kernel.position, state(kernel)
    blocks = kernel.branch_trace(20)
    assert kernel.position == here
    assert state(kernel) == now
    assert len(blocks) == 20
    assert blocks[0] == (kernel.pc, kernel.pc)
    for later, earlier in pairwise(blocks):
        kernel.step(back=True)
        assert kernel.pc == earlier[1]
        while kernel.pc != earlier[0]:
            kernel.step(back=True)
        assert later[0] != earlier[1]


def test_another_future_and_back(kernel: Debugger) -> None:
    first = kernel.cont()
    there = state(kernel)
    kernel.seek(first.position.insns // 2)
    middle = state(kernel)
    at = kernel.resolve("counter")
    assert kernel.write_memory(at, b"\x55\x55\0\0")
    second = kernel.cont()
    assert state(kernel) != there
    other = state(kernel)
    assert [(b.fork.position, b.end) for b in kernel.branches] == [(middle[1], first.position)]
    kernel.switch(kernel.branches[0].number)
    assert state(kernel) == middle
    kernel.seek("end")
    assert state(kernel) == there
    assert kernel.cont() == first                         # it had ended
    kernel.step(30, back=True)
    kernel.switch(kernel.branches[0].number)
    kernel.seek("end")
    assert state(kernel) == other
    assert kernel.position == second.position
    with pytest.raises(DebuggerError, match="no branch 9"):
        kernel.switch(9)


def test_a_call_in_the_past_leaves_it_as_it_was(kernel: Debugger) -> None:
    kernel.cont()
    end = state(kernel)
    kernel.break_at("produce_thread")
    kernel.cont(back=True)
    before = state(kernel)
    names = [*(f"r{i}" for i in range(13)), "sp", "lr", "pc", "xpsr"]
    saved = {name: kernel.read_register(name) for name in names}
    back = kernel.pc                                       # what GDB does for `call board_ticks()`
    kernel.write_register("lr", back | 1)
    kernel.write_register("pc", kernel.resolve("board_ticks") & ~1)
    stop = kernel.cont()
    assert stop.pc == back
    for name in names:
        kernel.write_register(name, saved[name] or 0)
    assert not kernel.system.live
    assert state(kernel) == before
    kernel.delete(next(iter(kernel.points)))
    assert kernel.cont().kind is StopKind.EXITED             # as it did then
    assert state(kernel) == end


@pytest.mark.parametrize("back", [False, True])
def test_a_repeat_that_goes_another_way_is_said(back: bool) -> None:
    d = debug(KERNEL, jit=True)
    d.run_to(insns=60_000)
    for insns in (20_000, 40_000):
        d.seek(insns)
        d.history.insert()
    wrong = d.history.snapshots[d.history.base]
    registers = wrong.state["machine"]["parts"]["timer0"]["registers"]
    number = registers.index(max(registers))
    wrong.state["machine"]["parts"]["timer0"]["registers"] = [v + (i == number) for i, v in enumerate(registers)]
    d.seek("end" if back else 10_000)
    stop = d.cont(back=back)
    assert stop.kind is StopKind.DIVERGED       # backwards it is the way from there that ends elsewhere
    places = ("40,000", "60,000") if back else ("20,000", "40,000")
    assert stop.text.startswith("replay diverged between instruction {} and instruction {}: first timer0.".format(*places))
    d.seek(30_000)                               # what lies before can still be looked at
    assert d.position.insns == 30_000


def test_reset_starts_a_machine_anew() -> None:
    d = debug(KERNEL, jit=True)
    first = state(d)
    d.run_to(insns=30_000)
    there = state(d)
    d.assign("ticks", "1000")
    assert (d.reset().text, state(d), d.system.live) == ("reset", first, True)
    d.run_to(insns=30_000)
    assert state(d) == there
    d.switch(d.branches[0].number)
    d.seek("end")
    assert d.evaluate("ticks").number() == 1000
    assert d.reset().text == "reset"
