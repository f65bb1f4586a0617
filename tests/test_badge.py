"""The badge of the documents: a board and a device of a user's own."""

from __future__ import annotations

from tests.support.boot import CONSOLE
from tests.support.programs import ROOT
from xemu.hw.harness import start_board
from xemu.hw.machine import make_machine
from xemu.hw.start import set_value

BADGE = str(ROOT / "samples/boards/badge.py")
CTRL, TEMP, LIMIT, STATUS = (0x4000_8000 + offset for offset in (0, 4, 8, 12))


def test_firmware_runs_on_the_badge() -> None:
    uart = start_board(BADGE, CONSOLE).uart()
    uart.expect("> ")
    uart.send("id\r")
    uart.expect("cpuid 0x412fc231")


def test_the_alarm_rings_when_it_is_warm() -> None:
    m = make_machine(BADGE)
    m.bus_write(CTRL, 4, 3)
    m.bus_write(LIMIT, 4, 30 * 16)
    assert (m.bus_read(TEMP, 4), m.thermometer.irq.level) == (344, False)       # 21.5 degrees
    set_value(m, "thermometer.celsius", "30.25")
    assert (m.bus_read(STATUS, 4), m.thermometer.irq.level) == (1, True)
    m.bus_write(STATUS, 4, 1)
    assert m.thermometer.irq.level                                              # it is still warm
    set_value(m, "thermometer.celsius", "20")
    m.bus_write(STATUS, 4, 1)
    assert (m.bus_read(STATUS, 4), m.thermometer.irq.level) == (0, False)
