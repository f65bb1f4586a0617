"""Machines as a whole: wild firmware, storms of interrupts, snapshots, exact times; every tier does the same."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.boot import FIRMWARE
from tests.support.thumb import RAM, constant, leave, read, semihosting, stored, write
from xemu.core.engine import Exit, ExitKind, Fault, Options
from xemu.core.memory import GuestFault
from xemu.errors import MachineError
from xemu.hw import Device, Ram, Var
from xemu.hw.machine import Machine, Stop, make_machine
from xemu.hw.start import load_image, read_image

if TYPE_CHECKING:
    from pathlib import Path

TIERS: Final = (Options(tracing=True), Options(jit=False, tracing=True), Options(eager=True, tracing=True))
CODE: Final = 0x200
BEATS: Final = 60_000
BOARDS: Final = {"mps2-an385": RAM, "mps2-an386": RAM, "mps2-an500": RAM, "microbit": RAM}


def started(board: str, code: bytes, options: Options | None = None, vectors: dict[int, int] | None = None) -> Machine:
    """Return a board with code at CODE; every vector goes there but those given."""
    m = make_machine(board, options or Options(tracing=True), seed=1)
    table = [BOARDS[board] + 0x2000] + [CODE | 1] * 47
    for number, address in (vectors or {}).items():
        table[number] = address
    m.write_memory(0, struct.pack("<48I", *table))
    m.write_memory(CODE, code)
    m.reset(cold=True)
    return m


def thumb(*parts: list[int]) -> bytes:
    return b"".join(struct.pack("<H", half) for part in parts for half in part)


def outcome(m: Machine, beats: int) -> tuple[Any, ...]:
    """Run; return all that a guest could know."""
    stop = m.run(beats)
    state = m.engine.state
    registers = [state.read(f"r{i}") for i in range(13)] + [state.read(n) for n in ("sp", "lr", "pc", "xpsr")]
    return stop.reason, stop.code, m.now, m.engine.trace_hash, registers, m.peek(RAM, 0x2000)


@pytest.mark.parametrize("board", BOARDS)
def test_wild_firmware_ends_no_process_and_does_the_same_in_every_tier(board: str) -> None:
    """Random bytes as code and vectors: faults, lockups, devices written at random."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rnd = random.Random(seed)
    for _ in range(6):
        code = rnd.randbytes(600)
        vectors = {n: rnd.choice([CODE | 1, CODE + 2 * rnd.randrange(300) | 1, rnd.getrandbits(32)]) for n in range(2, 48)}
        vectors[1] = CODE | 1
        results = []
        for options in TIERS:
            m = started(board, code, options, vectors)
            results.append(outcome(m, BEATS))
            m.engine.close()
            m.space.close()
        assert results[1:] == results[:1] * 2, f"seed {seed}"


@pytest.mark.parametrize("board", ["mps2-an385", "microbit"])
def test_a_line_that_stays_high_is_a_storm_that_can_be_stopped(board: str) -> None:
    m = started(board, thumb([0xE7FE]), vectors={16 + 3: 0x400 | 1})
    m.write_memory(0x400, thumb([0x3401, 0x4770]))                        # adds r4, #1; bx lr
    m.cpu.enabled |= 1 << 16 + 3
    m.cpu.irq[3].drive(1, level=True)
    assert m.run(100_000) == Stop("beats")
    assert m.engine.state.read("r4") == 50_000                           # and nothing else came to run
    m.cpu.irq[3].drive(1, level=False)
    m.run(1000)
    assert m.engine.state.read("r4") <= 50_001
    assert m.engine.state.read("pc") == CODE


def test_systick_is_exact_to_the_beat() -> None:
    ticks = thumb([0x3401, 0x4770])
    code = thumb(write(0xE000E014, 249), write(0xE000E018, 0), write(0xE000E010, 7), [0xE7FE])
    m = started("mps2-an385", code, vectors={15: 0x400 | 1})
    m.write_memory(0x400, ticks)
    m.run(20)
    began = m.now
    while m.scs.tick.goal is None:
        m.run(1)
        began = m.now
    m.run(250 * 1000 + 10 - (m.now - began))
    assert m.engine.state.read("r4") == 1000


@pytest.mark.parametrize("cut", [1, 1000, 50_000, 300_000])
def test_a_machine_goes_on_from_a_snapshot_as_it_did(cut: int) -> None:
    m = make_machine("mps2-an386", Options(tracing=True))
    load_image(m, read_image(FIRMWARE / "mps2-an386" / "kernel.elf", None))
    m.cpu.reset()
    m.run(cut)
    saved = m.save()
    text = bytes(m.serials[0].output)

    def rest() -> tuple[Any, ...]:
        m.serials[0].output[:] = text
        stop = m.run(10_000_000)
        return stop, m.now, bytes(m.serials[0].output), [m.engine.state.read(f"r{i}") for i in range(13)]
    first = rest()
    m.load(saved)
    assert m.save() == saved
    assert rest() == first
    assert first[0].reason == "exit"


def in_evaluator(m: Machine) -> None:
    """Have a machine execute in the evaluator alone, as it does while handlers are being compiled."""
    engine = m.engine

    def run(budget: int) -> Exit:
        for _ in range(budget):
            if engine.kicked:
                engine.kicked = False
                return Exit(ExitKind.KICK, engine.pc)
            try:
                out = engine.evaluate_one()
            except GuestFault as e:
                out = Exit(ExitKind.FAULT, engine.pc, fault=Fault(e.address, e.access, "MAPERR"))
            if out is not None:
                return out
        return Exit(ExitKind.BUDGET, engine.pc)
    engine.run = run  # type: ignore[method-assign]


@pytest.mark.parametrize(("program", "board"), [("fpirq", "mps2-an500"), ("exceptions", "mps2-an386"), ("faults", "mps2-an385"),
                                                ("mpu", "lm3s6965evb"), ("nrf51", "microbit")])
def test_the_evaluator_does_what_native_code_does_on_machines(program: str, board: str) -> None:
    """A stretch of a sample from its start and from somewhere inside; the long test above covers the native tiers."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rnd = random.Random(seed)
    for begin in (0, rnd.randrange(60_000)):
        states = []
        for evaluated in (False, True):
            m = make_machine(board, Options(tracing=True))
            load_image(m, read_image(FIRMWARE / board / f"{program}.elf", None))
            m.cpu.reset()
            m.run(begin)
            if evaluated:
                in_evaluator(m)
            states.append(outcome(m, 4000))
        assert states[0] == states[1], f"seed {seed}"


def test_writes_to_read_only_memory_are_told_once_and_change_nothing() -> None:
    m = make_machine("lm3s6965evb", Options())
    code = thumb(constant(2, 5), write(0x8000, 0x12345678), write(0x8004, 1), write(0x8000, 3), read(0x8000), [0xE7FE])
    m.write_memory(0, struct.pack("<2I", RAM + 0x1000, CODE | 1))
    m.write_memory(CODE, code)
    m.reset(cold=True)
    m.run(200)
    assert m.peek(0x8000, 8) == b"\xFF" * 8
    assert m.engine.state.read("r1") == 0xFFFFFFFF
    assert [t for _, _, t in m.reports if "0x8000" in t or "0x00008000" in t] != []
    assert m.engine.state.read("r2") == 5


def test_unaligned_and_multiple_accesses_reach_devices_as_words() -> None:
    """LDRD and STM on device registers: each word is an access of its own."""
    ipr = 0xE000_E400                                                     # priorities of interrupts, four to a word
    stm = [*constant(0, ipr), *constant(1, 0x2020_2020), *constant(2, 0x4040_4040), 0xC006]      # stmia r0!, {r1, r2}
    ldrd = [*constant(0, ipr), 0xE9D0, 0x4500]                            # ldrd r4, r5, [r0]
    m = started("mps2-an385", thumb(stm, ldrd, [0xE7FE]))
    m.run(100)
    assert (m.engine.state.read("r4"), m.engine.state.read("r5")) == (0x2020_2020, 0x4040_4040)
    assert m.cpu.priority[16:24] == [0x20] * 4 + [0x40] * 4


@pytest.mark.parametrize("vectors", [dict.fromkeys(range(2, 48), 0xFFFFFFFF), dict.fromkeys(range(2, 48), 0xFFFFFFF9), {3: 0xFFFFFFFF}])
@pytest.mark.parametrize("code", [[0xDE00], [0xDF00], [0x2000, 0x6800, 0xDF01, 0xBE00]])
@pytest.mark.parametrize("board", ["mps2-an385", "microbit"])
def test_vectors_of_erased_flash_lock_up(board: str, code: list[int], vectors: dict[int, int]) -> None:
    """What a vector names is never an exception return, even where it looks like one."""
    m = started(board, thumb(code), vectors=vectors)
    assert m.run(10_000).reason in ("lockup", "beats")
    if len(vectors) > 1:
        assert m.cpu.locked_up


def test_names_that_a_machine_or_device_has_itself_are_refused() -> None:
    m = Machine("mine")
    with pytest.raises(MachineError, match="the machine has something of its own called 'options'"):
        m.options = Ram(at=0, size=4096)
    with pytest.raises(MachineError, match="every device has something of that name"):
        class Wrong(Device):
            at = Var(0)  # type: ignore[assignment]


def test_a_device_that_fails_in_an_event_is_told_and_the_run_goes_on() -> None:
    m = started("mps2-an385", thumb([0xE7FE]))
    m.events.at(m.now + 100, lambda: 1 // 0)
    m.scs.tick.declared.hook, hook = "no_such_hook", m.scs.tick.declared.hook
    m.scs.tick.start(0)
    m.scs.tick.after(200)
    stop = m.run(1000)
    m.scs.tick.declared.hook = hook
    assert stop == Stop("beats")
    texts = [text for _, _, text in m.reports]
    assert "the model of a device failed: in an event: ZeroDivisionError" in texts[0]
    assert "the model of scs failed: in an event: AttributeError" in texts[1]


# -- semihosting -----------------------------------------------------------------------------------------------------------


def after(code: bytes, root: Path | None = None) -> Machine:
    """Run code that ends by semihosting exit."""
    m = started("mps2-an385", code)
    m.cpu.semihosting.root = root
    assert m.run(100_000).reason == "exit"
    return m


def keep(slot: int) -> list[int]:
    """Store r0 in RAM where results are kept."""
    return [0x4606, *constant(0, RAM + 0x800 + 4 * slot), 0x6006]          # mov r6, r0; str r6, [r0]


def results(m: Machine, count: int) -> list[int]:
    return list(struct.unpack(f"<{count}I", m.peek(RAM + 0x800, 4 * count) or b""))


def test_semihosting_files_stay_under_the_root(tmp_path: Path) -> None:
    name, outside = b"note.txt", b"../secret"
    text = RAM + 0x200
    code = thumb(
        stored(name, RAM + 0x100), stored(outside, RAM + 0x140), stored(b"hello world!", text),
        semihosting(0x01, RAM + 0x100, 6, len(name)), keep(0),             # open w+
        semihosting(0x05, 1, text, 12), keep(1), semihosting(0x0C, 1), keep(2), semihosting(0x0A, 1, 6), keep(3),
        semihosting(0x06, 1, RAM + 0x300, 32), keep(4), semihosting(0x02, 1), keep(5),
        semihosting(0x01, RAM + 0x140, 6, len(outside)), keep(6), semihosting(0x13), keep(7),
        semihosting(0x0F, RAM + 0x100, len(name), RAM + 0x104, 4), keep(8), semihosting(0x0E, RAM + 0x104, 4), keep(9), leave(0))
    m = after(code, tmp_path)
    assert results(m, 10) == [1, 0, 12, 0, 32 - 6, 0, 0xFFFFFFFF, 13, 0, 0]
    assert m.peek(RAM + 0x300, 6) == b"world!"
    assert list(tmp_path.iterdir()) == []
    assert not (tmp_path.parent / "secret").exists()


def test_semihosting_without_permission_has_console_and_time_but_no_files(tmp_path: Path) -> None:
    code = thumb(
        stored(b":tt\0", RAM + 0x100), stored(b"file", RAM + 0x110), semihosting(0x01, RAM + 0x100, 4, 3), keep(0),
        semihosting(0x05, 1, RAM + 0x110, 4), keep(1), semihosting(0x09, 1), keep(2),
        semihosting(0x01, RAM + 0x110, 4, 4), keep(3), semihosting(0x11), keep(4), semihosting(0x10), keep(5), semihosting(0x31), keep(6),
        semihosting(0x12, 0, 0), keep(7), semihosting(0x99), keep(8), leave(7))
    m = after(code)
    assert results(m, 9) == [1, 0, 1, 0xFFFFFFFF, m.epoch, 0, 25_000_000, 0xFFFFFFFF, 0xFFFFFFFF]
    assert bytes(m.cpu.semihosting.output) == b"file"
    assert list(tmp_path.iterdir()) == []


def test_semihosting_with_pointers_that_point_nowhere_fails_and_goes_on() -> None:
    calls = [[*constant(0, n), *constant(1, 0x90000000), 0xBEAB] for n in range(1, 0x32) if n not in (0x18, 0x20)]
    m = after(thumb(*calls, leave(3)))
    assert m.engine.state.read("r0") != 0 or m.stopping is None
