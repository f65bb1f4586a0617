"""--uart-timing: both directions take the time of their bits, and a byte that comes too soon is an overrun."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.boot import FIRMWARE, boot
from xemu.hw.harness import start_board
from xemu.hw.machine import make_machine

#: board -> where its samples are
BOARDS = {"mps2-an385": "mps2-an385", "lm3s6965evb": "lm3s6965evb", "microbit": "microbit", "netduinoplus2": "stm32"}
CHARACTER = 10 / 115_200                 # seconds


@pytest.mark.parametrize("name", BOARDS)
def test_a_polled_uart_takes_its_time(name: str) -> None:
    board = start_board(name, FIRMWARE / BOARDS[name] / "console.elf", uart_timing=True)
    uart = board.uart()
    uart.expect("> ")
    assert board.seconds == pytest.approx(len(uart.text) * CHARACTER, rel=0.1)
    board.close()


@pytest.mark.parametrize("name", BOARDS)
def test_an_interrupt_driven_uart_loses_nothing(name: str) -> None:
    """It echoes what comes at full speed: sending one byte while the next comes in."""
    board = start_board(name, FIRMWARE / BOARDS[name] / "uartirq.elf", uart_timing=True)
    uart = board.uart()
    uart.expect("ends")
    start, text = board.seconds, "all of this comes back at the speed of the line\r"
    uart.send(text)
    uart.expect(text[:-1])
    assert board.seconds - start == pytest.approx(len(text) * CHARACTER, rel=0.1)
    uart.send("quit\r")
    assert uart.expect(re.compile(r"lost (\d+)"))[1] == "0"
    board.close()


#: board -> UART, registers that turn it on, its status, and the bits that say full, idle and overrun
PARTS: dict[str, tuple[str, dict[str, int], str, int, int, str, int]] = {
    "mps2-an385": ("uart0", {"BAUDDIV": 217, "CTRL": 3}, "STATE", 1, 0, "STATE", 8),
    "lm3s6965evb": ("uart0", {"IBRD": 6, "FBRD": 33, "LCRH": 0x60, "CR": 0x301}, "FR", 0x28, 0x80, "RIS", 0x400),
    "netduinoplus2": ("usart1", {"BRR": 139, "CR1": 0x200C}, "SR", 0, 0xC0, "SR", 8),
}


def on(name: str) -> tuple[Any, Any]:
    """Return a machine and its first UART, on and with timing."""
    machine: Any = make_machine(name)
    part, registers, *_ = PARTS[name]
    device = machine[part]
    if name == "netduinoplus2":
        machine.rcc.APB2ENR = 1 << 4
    for register, value in registers.items():
        machine.bus_write(device.at + getattr(type(device), register).offset, 4, value)
    device.line.line.keep_time()
    return machine, device


def wait(machine: Any, characters: float) -> None:
    """Let the time of some characters pass while the CPU sleeps."""
    end = machine.now + int(characters * CHARACTER * machine.rate)
    while machine.now < end:
        goal = min(max(machine.events.next, machine.now), end)
        machine.engine.skipped += goal - machine.now
        machine.events.run(machine.now)


@pytest.mark.parametrize("name", PARTS)
def test_status_shows_what_is_on_its_way(name: str) -> None:
    machine, device = on(name)
    _, _, status, full, idle, *_ = PARTS[name]
    data = device.at + (type(device).DR if hasattr(type(device), "DR") else type(device).DATA).offset
    at = device.at + getattr(type(device), status).offset
    mask = full | idle
    assert machine.bus_read(at, 4) & mask == idle
    for byte in b"ab":
        machine.bus_write(data, 4, byte)
    assert machine.bus_read(at, 4) & mask == full
    wait(machine, 0.9)
    assert bytes(device.line.line.output) == b""
    saved = machine.save()
    for _ in range(2):                               # from a snapshot it goes on the same
        wait(machine, 0.2)
        assert bytes(device.line.line.output) == b"a"
        wait(machine, 1)
        assert bytes(device.line.line.output) == b"ab"
        assert machine.bus_read(at, 4) & mask == idle
        machine.load(saved)
        del device.line.line.output[:]


@pytest.mark.parametrize("name", PARTS)
def test_what_finds_no_room_is_an_overrun(name: str) -> None:
    machine, device = on(name)
    *_, status, overrun = PARTS[name]
    at = device.at + getattr(type(device), status).offset
    device.line.line.feed(b"12")
    wait(machine, 0.9)
    assert not machine.bus_read(at, 4) & overrun
    wait(machine, 0.2)
    assert machine.bus_read(at, 4) & overrun
    assert not device.line.line.waiting


def test_what_is_on_its_way_at_the_end_comes_out() -> None:
    done = boot("--machine", "mps2-an385", "--uart-timing", FIRMWARE / "mps2-an385" / "uartirq.elf", stdin=b"quit\r")
    assert done.stdout.endswith("lost 0\r\n")
