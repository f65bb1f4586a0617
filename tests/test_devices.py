"""What every device of every board keeps: its declaration is the law, a look has no effect, a snapshot is all of its state."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

import pytest

from xemu.core.memory import GuestFault
from xemu.hw.device import BusError, Device
from xemu.hw.machine import Machine, make_machine
from xemu.hw.machines import board_names, find_board

ACCESSES = 400                       # of one round of random traffic
ROUNDS = 3
BEATS = 20_000                       # that pass after it

#: what survives a reset on purpose: registers and variables by class
KEPT: dict[str, set[str]] = {
    "Rcc": {"CSR", "BDCR"},
    "Rtc": {"TR", "DR", "shown", "ticks"},
    "SysCtl": {"RESC", "cause"},
}
#: devices whose registers take writes after a key only
GUARDED = {"Rtc", "Watchdog", "StellarisWatchdog"}


def boards_devices() -> list[Any]:
    """Return (board, part name) of one device per class, as pytest parameters."""
    seen: dict[type, Any] = {}
    for board in board_names():
        machine = Machine(board)
        find_board(board).build(machine)
        for name, part in machine:
            if isinstance(part, Device) and type(part) not in seen and type(part).registers:
                seen[type(part)] = pytest.param((board, name), id=f"{type(part).__name__}-{board}.{name}")
    return list(seen.values())


@cache
def ready(board: str) -> tuple[Machine, dict[str, Any]]:
    """Return a machine and its state at power-up."""
    machine = make_machine(board)
    return machine, machine.save()


@pytest.fixture(params=boards_devices())
def device(request) -> Device:
    """Return a device as it is at power-up."""
    board, name = request.param
    machine, state = ready(board)
    machine.load(state)
    return machine[name]


def slots_of(device: Device) -> list[Any]:
    return list(enumerate(device._slots))


def hookless(slot: Any) -> bool:
    """Whether a register does what its fields say and nothing else."""
    return not (slot.computed or slot.live or slot.counts or slot.on_read or slot.on_write)


def absent(device: Device, slot: Any) -> bool:
    """Whether this variant of the device lacks a register that its class has."""
    return hasattr(device, "_absent") and device._absent(slot.offset)


def store(device: Device, offset: int, size: int, value: int) -> None:
    """Write as the guest does, without what the device makes of it afterwards."""
    device.__dict__["update"] = lambda: None
    try:
        device.write(offset, size, value)
    finally:
        del device.__dict__["update"]


def numbers(device: Device) -> Random:
    return Random(type(device).__name__)


def traffic(device: Device, random: Random) -> None:
    """Access the device at random, mostly where registers are, and let time pass."""
    known = [slot.offset for slot in device._slots]
    for _ in range(ACCESSES):
        offset = random.choice(known) if random.random() < 0.9 else random.randrange(0, device.size, 4)
        offset += random.choice((0, 0, 0, 0, 1, 2, 3))
        size = random.choice((1, 2, 4, 4))
        value = random.choice((0, 1, 0xFFFFFFFF, random.getrandbits(32), 1 << random.randrange(32))) & ((1 << 8 * size) - 1)
        try:
            if random.random() < 0.5:
                device.write(offset, size, value)
            else:
                assert 0 <= device.read(offset, size) < 1 << 8 * size
        except (BusError, GuestFault):
            pass
    wait(device.machine, BEATS)


def wait(machine: Machine, beats: int) -> None:
    """Let beats pass as if the CPU slept."""
    end = machine.now + beats
    while machine.now < end:
        goal = min(max(machine.events.next, machine.now), end)
        machine.engine.skipped += goal - machine.now
        machine.events.run(machine.now)


def difference(a: dict[str, Any], b: dict[str, Any], device: Device) -> set[str]:
    """Return the names of state and registers that differ."""
    names = {n for n in a if n != "registers" and a[n] != b[n]}
    return names | {slot.reg.name for i, slot in slots_of(device) if a["registers"][i] != b["registers"][i]}


def test_registers_have_their_declared_values_after_reset(device):
    """What a register does by itself, without what the device computes."""
    own = {n: device.__dict__.get(n) for n in ("update", "after_reset")}
    assert not any(own.values())
    device.__dict__.update(update=lambda: None, after_reset=lambda: None)
    try:
        for i, _ in slots_of(device):
            device._set(i, ~device._values[i] & device._slots[i].reg.full)
        Device.reset(device)
    finally:
        del device.__dict__["update"], device.__dict__["after_reset"]
    for i, slot in slots_of(device):
        if hookless(slot):
            assert device._values[i] == slot.reg.reset, device._title(i)
            assert device.read(slot.offset, max(slot.sizes)) == slot.reg.reset & slot.reg.readable, device._title(i)


def test_reset_gives_the_state_of_power_up(device):
    before = device.save()
    traffic(device, numbers(device))
    device.reset()
    after = device.save()
    kept = difference(before, after, device) - KEPT.get(type(device).__name__, set())
    timers = {n for n, part in type(device).declared.items() if n in kept and without_phase(before[n]) == without_phase(after[n])}
    assert kept - timers == set()


def without_phase(saved: Any) -> Any:
    """Return a timer's saved state without the beat at which it was started and, where it stands, its frequency."""
    if isinstance(saved, list) and len(saved) == 2 and isinstance(saved[0], list):
        return [without_phase(saved[0]), saved[1]]
    if not isinstance(saved, list) or len(saved) != 6:
        return saved
    hz, divide, base, _, running, goal = saved
    return [hz if running else 0, divide, base, running, goal]


def test_read_only_bits_keep_their_value(device):
    random = numbers(device)
    for i, slot in slots_of(device):
        reg = slot.reg
        fixed = reg.full & ~(reg.writable | reg.w1c | reg.w1s | reg.rc)
        if not hookless(slot) or not fixed or max(slot.sizes) * 8 < reg.width:
            continue
        before = device._values[i]
        for value in (0, reg.full, random.getrandbits(reg.width)):
            store(device, slot.offset, reg.width // 8, value)
            assert device._values[i] & fixed == before & fixed, device._title(i)


def test_plain_bits_read_back(device):
    random = numbers(device)
    for i, slot in slots_of(device):
        reg = slot.reg
        if not hookless(slot) or absent(device, slot) or not reg.writable or max(slot.sizes) * 8 < reg.width:
            continue
        value = random.getrandbits(reg.width)
        store(device, slot.offset, reg.width // 8, value)
        if type(device).__name__ not in GUARDED:
            assert device._values[i] & reg.writable == value & reg.writable, device._title(i)


def test_writing_one_clears_and_nothing_else_does(device):
    random = numbers(device)
    for i, slot in slots_of(device):
        reg = slot.reg
        if not reg.w1c or slot.computed or slot.live or slot.counts:
            continue
        for value in (0, random.getrandbits(reg.width), reg.full):
            device._set(i, reg.full)
            store(device, slot.offset, min(max(slot.sizes), reg.width // 8), value)
            assert device._values[i] & reg.w1c == reg.w1c & ~value, f"{device._title(i)} after writing {value:#x}"


def test_write_only_bits_read_as_zero(device):
    for i, slot in slots_of(device):
        hidden = slot.reg.full & ~slot.reg.readable
        if not hidden or max(slot.sizes) * 8 < slot.reg.width:
            continue
        device._set(i, slot.reg.full)
        assert not device.peek(slot.offset, slot.reg.width // 8) & hidden, device._title(i)
        assert not device.read(slot.offset, slot.reg.width // 8) & hidden, device._title(i)


def test_a_look_has_no_effect(device):
    traffic(device, numbers(device))
    state = device.machine.save()
    looks = [[device.peek(offset, size) for offset in range(0, device.size, size)] for size in (1, 2, 4)]
    assert device.machine.save() == state
    assert [[device.peek(offset, size) for offset in range(0, device.size, size)] for size in (1, 2, 4)] == looks


def test_a_read_gives_what_a_look_gives(device):
    traffic(device, numbers(device))
    for i, slot in slots_of(device):
        size = slot.reg.width // 8
        if size in slot.sizes:
            seen = device.peek(slot.offset, size)
            assert device.read(slot.offset, size) == seen, device._title(i)


def test_a_snapshot_is_the_whole_state(device):
    random, machine = numbers(device), device.machine
    start = machine.save()
    traffic(device, random)
    there = machine.save()
    ends = []
    for _ in range(2):
        machine.load(start)
        machine.load(there)
        assert machine.save() == there
        traffic(device, Random("onward"))
        ends.append(machine.save())
    assert ends[0] == ends[1]


def test_accesses_of_other_sizes_are_refused(device):
    for i, slot in slots_of(device):
        for size in (1, 2, 4):
            taken = size in slot.sizes and size * 8 <= slot.reg.width
            if taken or slot.offset % size or absent(device, slot):
                continue
            with pytest.raises(BusError):
                device.read(slot.offset, size)
            with pytest.raises(BusError):
                device.write(slot.offset, size, 0)
        if 2 in slot.sizes and slot.reg.width == 32:
            with pytest.raises(BusError):
                device.read(slot.offset + 1, 2)
        assert device._title(i)


def test_random_accesses_are_served_or_refused_and_cells_agree(device):
    random = numbers(device)
    for _ in range(ROUNDS):
        traffic(device, random)
        assert_cells(device)


def assert_cells(device: Device) -> None:
    """What native code would read by itself is what the device says."""
    for i, slot in slots_of(device):
        value = device._get(i)
        if slot.computed:
            assert device._values[i] == value, device._title(i)
        if device._words[i] is None or slot.live or slot.counts:
            continue
        word, shift, mask = device._words[i]
        cells, at = device._cells[word]
        if cells.reads[at]:
            assert (cells.values[at] & mask) >> shift == value & slot.reg.readable, device._title(i)
