"""The devices of the MPS2 boards, by what their manuals say and by what QEMU does."""

from __future__ import annotations

import pytest

from tests.support.registers import program, under_qemu, under_xemu
from xemu.hw.machine import make_machine

UART1, TIMER0, DUAL, WATCHDOG, SPI0 = 0x4000_5000, 0x4000_0000, 0x4000_2000, 0x4000_8000, 0x4002_0000
FPGAIO, SCC = 0x4002_8000, 0x4002_F000


@pytest.fixture(scope="module")
def board():
    return make_machine("mps2-an385")


@pytest.fixture
def m(board):
    board.reset(cold=True)
    return board


def wait(machine, beats: int) -> None:
    """Let beats pass as if the CPU slept."""
    end = machine.now + beats
    while machine.now < end:
        machine.engine.skipped += min(max(machine.events.next, machine.now), end) - machine.now
        machine.events.run(machine.now)


def reads(base: int, *offsets: int):
    return [("r", base + offset) for offset in offsets]


def writes(base: int, *pairs: tuple[int, int]):
    return [("w", base + offset, value) for offset, value in pairs]


# What both models must give: what manuals leave open, and where QEMU differs from them, is not here.
SEQUENCES = {
    "uart": reads(UART1, 0, 4, 8, 12, 16, *range(0xFD0, 0x1000, 4)) + writes(UART1, (16, 217), (8, 1), (0, 65)) + reads(UART1, 4, 12)
    + writes(UART1, (8, 0xFF), (16, 0xFFFF_FFFF)) + reads(UART1, 8, 16),
    "uart, sending while off": writes(UART1, (0, 65)) + reads(UART1, 4) + writes(UART1, (0, 66)) + reads(UART1, 4, 12),
    "timer": reads(TIMER0, 0, 4, 8, 12, *range(0xFD0, 0x1000, 4)) + writes(TIMER0, (8, 100)) + reads(TIMER0, 4)
    + writes(TIMER0, (4, 50)) + reads(TIMER0, 4, 8) + writes(TIMER0, (0, 9)) + [("until", TIMER0 + 12, 1)] + reads(TIMER0, 12)
    + writes(TIMER0, (0, 0), (12, 1)) + reads(TIMER0, 0, 12),
    "dual timer": reads(DUAL, 0, 4, 8, 16, 20, 24, 0x20, 0x24, 0x28) + writes(DUAL, (0, 1000)) + reads(DUAL, 4, 0, 24)
    + writes(DUAL, (24, 77)) + reads(DUAL, 4, 0, 24) + writes(DUAL, (8, 0xE3)) + [("until", DUAL + 16, 1)] + reads(DUAL, 16, 20, 4, 8)
    + writes(DUAL, (12, 0)) + reads(DUAL, 16, 20),
    "watchdog": reads(WATCHDOG, 0, 8, 16, 20, 0xC00) + writes(WATCHDOG, (0xC00, 0)) + reads(WATCHDOG, 0xC00)
    + writes(WATCHDOG, (0, 500)) + reads(WATCHDOG, 0) + writes(WATCHDOG, (0xC00, 0x1ACC_E551), (0, 500)) + reads(WATCHDOG, 0xC00, 0),
    "fpgaio": reads(FPGAIO, 0, 8, 0x1C, 0x4C) + writes(FPGAIO, (0, 0xFFFF_FFFF), (0x1C, 25)) + reads(FPGAIO, 0, 0x1C),
    "scc": reads(SCC, 0, 4, 12, 16, 0xA0, 0xA4, 0xA8, 0xAC, 0x100, 0xFF8, 0xFFC) + writes(SCC, (0xA8, 0x8010_0001))
    + reads(SCC, 0xA0, 0xA8, 0xAC) + writes(SCC, (0xA8, 0x8010_0003)) + reads(SCC, 0xA8, 0xAC)
    + writes(SCC, (0xA4, 123), (0xA8, 0xC010_0001)) + reads(SCC, 0xA8, 0xAC) + writes(SCC, (0xA8, 0x8010_0001)) + reads(SCC, 0xA0),
    "spi": reads(SPI0, 0, 4, 8, 12, 16, 20, 24, 28, 36, *range(0xFD0, 0x1000, 4)) + writes(SPI0, (0, 7), (4, 3), (8, 0x1A5))
    + reads(SPI0, 12, 8, 12),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_registers_read_as_under_qemu(need, name):
    elf = program(need("arm-none-eabi-gcc"), SEQUENCES[name])
    seen = under_xemu("mps2-an385", elf)
    assert seen == under_qemu(need("qemu-system-arm"), "mps2-an385", elf)
    assert len(seen) == sum(kind == "r" for kind, *_ in SEQUENCES[name])


@pytest.mark.parametrize("name", ["mps2-an385", "mps2-an386", "mps2-an500"])
def test_images_tell_themselves_apart_as_under_qemu(need, name):
    elf = program(need("arm-none-eabi-gcc"), reads(SCC, 0x10, 0xFF8, 0xFFC))
    assert under_xemu(name, elf) == under_qemu(need("qemu-system-arm"), name, elf)


# -- UART -----------------------------------------------------------------------------------------------------------------


def test_uart_interrupts_when_a_byte_has_gone_and_when_one_has_come(m):
    m.uart0.write(8, 4, 0xF)
    m.uart0.write(0, 4, 65)
    assert (m.uart0.read(12, 4), m.uart0.tx.level, m.uart0.rx.level) == (1, True, False)
    m.serials[0].feed(b"x")
    wait(m, 1)
    assert (m.uart0.read(12, 4), m.uart0.read(4, 4), m.uart0.rx.level) == (3, 2, True)
    m.uart0.write(12, 4, 3)
    assert (m.uart0.read(0, 4), m.uart0.read(4, 4), m.uart0.read(12, 4), m.uart0.rx.level) == (120, 0, 0, False)


def test_uart_keeps_a_byte_until_it_may_send(m):
    before = len(m.serials[1].output)
    m.uart1.write(0, 4, 65)
    m.uart1.write(8, 4, 0x10)
    m.uart1.write(0, 4, 66)
    assert (m.uart1.read(4, 4), m.uart1.read(12, 4), m.uart1.overrun.level) == (5, 4, True)
    m.uart1.write(8, 4, 1)
    assert m.serials[1].output[before:] == b"B"
    m.uart1.write(4, 4, 4)
    assert (m.uart1.read(4, 4), m.uart1.read(12, 4), m.uart1.overrun.level) == (0, 0, False)


# -- timers ---------------------------------------------------------------------------------------------------------------


def test_timer_shows_reload_one_tick_after_zero(m):
    m.timer0.write(8, 4, 9)
    m.timer0.write(0, 4, 9)
    shown = []
    for _ in range(13):
        shown.append((m.timer0.read(4, 4), m.timer0.read(12, 4)))
        wait(m, 1)
    assert shown == [(n, 0) for n in range(9, 0, -1)] + [(0, 1), (9, 1), (8, 1), (7, 1)]


def test_timer_stops_where_it_is_and_goes_on(m):
    m.timer0.write(8, 4, 1000)
    m.timer0.write(0, 4, 1)
    wait(m, 300)
    m.timer0.write(0, 4, 0)
    wait(m, 300)
    assert m.timer0.read(4, 4) == 700
    m.timer0.write(0, 4, 1)
    wait(m, 1)
    assert m.timer0.read(4, 4) == 699


def test_timer_with_reload_zero_stays_at_zero(m):
    m.timer0.write(4, 4, 5)
    m.timer0.write(0, 4, 9)
    wait(m, 5)
    assert (m.timer0.read(4, 4), m.timer0.read(12, 4)) == (0, 1)
    m.timer0.write(12, 4, 1)
    wait(m, 100)
    assert (m.timer0.read(4, 4), m.timer0.read(12, 4), m.timer0.irq.level) == (0, 0, False)


@pytest.mark.parametrize(("bits", "divide"), [(0, 1), (1, 16), (2, 256)])
def test_dual_timer_divides_its_clock(m, bits, divide):
    m.dualtimer.write(0, 4, 100)
    m.dualtimer.write(8, 4, 0xC2 | bits << 2)
    start = m.dualtimer.read(4, 4)
    wait(m, 10 * divide)
    assert start - m.dualtimer.read(4, 4) == 10


def test_dual_timer_goes_round_by_its_mode(m):
    for mode, after in ((0xE2, 50), (0xA2, 0xFFFF_FFFF), (0xA0, 0xFFFF), (0xE3, 0)):
        m.dualtimer.write(0x28, 4, 0)
        m.dualtimer.write(0x20, 4, 50)
        m.dualtimer.write(0x28, 4, mode)
        wait(m, 50)
        assert (m.dualtimer.read(0x24, 4), m.dualtimer.read(0x30, 4), m.dualtimer.irq.level) == (0, 1, True), hex(mode)
        m.dualtimer.write(0x2C, 4, 0)
        wait(m, 1)
        assert (m.dualtimer.read(0x24, 4), m.dualtimer.irq.level) == (after, False), hex(mode)


def test_dual_timer_takes_the_background_value_at_the_next_zero(m):
    m.dualtimer.write(0, 4, 50)
    m.dualtimer.write(8, 4, 0xE2)
    m.dualtimer.write(0x18, 4, 20)
    assert m.dualtimer.read(4, 4) == 50
    wait(m, 51)
    assert m.dualtimer.read(4, 4) == 20


# -- watchdog ---------------------------------------------------------------------------------------------------------------


def test_watchdog_interrupts_first_and_resets_the_second_time(m):
    resets = m.resets
    m.watchdog.write(0, 4, 100)
    m.watchdog.write(8, 4, 3)
    wait(m, 100)
    assert (m.watchdog.read(0x10, 4), m.watchdog.irq.level, m.resets) == (1, True, resets)
    wait(m, 102)
    assert m.resets == resets + 1
    assert (m.watchdog.read(8, 4), m.watchdog.read(0, 4)) == (0, 0xFFFF_FFFF)


def test_watchdog_fed_in_time_never_bites(m):
    resets = m.resets
    m.watchdog.write(0, 4, 100)
    m.watchdog.write(8, 4, 3)
    for _ in range(5):
        wait(m, 150)
        m.watchdog.write(12, 4, 1)
        assert (m.watchdog.read(0x10, 4), m.watchdog.read(4, 4)) == (0, 100)
    assert m.resets == resets


# -- pins -------------------------------------------------------------------------------------------------------------------


def test_gpio_interrupts_on_what_was_chosen_and_keeps_it(m):
    port = m.gpio0
    port.write(0x28, 4, 0b0011)                       # pins 0, 1 by edge, 2, 3 by level
    port.write(0x30, 4, 0b0101)                       # 0 rising, 1 falling, 2 high, 3 low
    port.pins.set(3, 1)
    port.write(0x20, 4, 0xF)
    assert port.read(0x38, 4) == 0
    for pin, level, status in ((0, 1, 1), (1, 1, 1), (1, 0, 3), (2, 1, 7), (3, 0, 15)):
        port.pins.set(pin, level)
        assert port.read(0x38, 4) == status
    assert [line.level for line in port.each.lines[:5]] == [True] * 4 + [False]
    port.write(0x38, 4, 0xF)
    assert port.read(0x38, 4) == 0b1100               # levels are still there
    for pin in range(4):
        port.pins.set(pin, None)


def test_gpio_outputs_are_masked_by_the_address(m):
    port = m.gpio1
    port.write(0x10, 4, 0xFF0F)
    port.write(0x004, 4, 0xFFFF)
    port.write(0x400 + 4 * 0x05, 4, 0)
    port.write(0x800 + 4 * 0xF0, 4, 0x5A00)
    assert port.read(4, 4) == 0x5FFA
    assert port.pins.levels == 0x5F0A
    assert (port.read(0, 4), port.read(0x400 + 4 * 2, 4), port.read(0x800 + 4 * 0x0F, 4)) == (0x5F0A, 2, 0x0F00)
    port.write(0x14, 4, 0x00FF)
    assert (port.read(0x10, 4), port.read(0x14, 4), port.pins.levels) == (0xFF00, 0xFF00, 0x5F00)


def test_buttons_leds_and_switches(m):
    m.fpgaio.buttons.set(1, 1)
    m.scc.switches.set(7, 1)
    assert (m.fpgaio.read(8, 4), m.scc.read(12, 4)) == (2, 0x80)
    m.fpgaio.write(0, 4, 2)
    m.scc.write(4, 4, 0x81)
    assert (m.fpgaio.leds.levels, m.scc.leds.levels) == (2, 0x81)
    m.fpgaio.buttons.set(1, None)
    m.scc.switches.set(7, None)


def test_counters_of_the_fpga(m):
    m.fpgaio.write(0x1C, 4, 24)
    m.fpgaio.write(0x20, 4, 24)
    for offset in (0x10, 0x14, 0x18):
        m.fpgaio.write(offset, 4, 7)
    wait(m, 25_000_000)
    assert [m.fpgaio.read(offset, 4) for offset in (0x10, 0x14, 0x18, 0x20)] == [8, 107, 1_000_007, 24]
    wait(m, 26)
    assert [m.fpgaio.read(offset, 4) for offset in (0x18, 0x20)] == [1_000_008, 23]
    m.fpgaio.write(0x1C, 4, 9)
    assert [m.fpgaio.read(offset, 4) for offset in (0x18, 0x20)] == [1_000_008, 9]


def test_two_wire_lines_are_open_drain(m):
    bus = m.touch_i2c
    assert bus.read(0, 4) == 3
    bus.write(4, 4, 1)
    assert bus.read(0, 4) == 2
    bus.lines.set(1, 0)
    assert bus.read(0, 4) == 0
    bus.write(0, 4, 3)
    assert bus.read(0, 4) == 1
    bus.lines.set(1, None)
    assert bus.read(0, 4) == 3


# -- SPI --------------------------------------------------------------------------------------------------------------------


class Inverter:
    """A slave that answers each frame with its complement."""

    @staticmethod
    def transfer(value: int, bits: int) -> int:
        return ~value & (1 << bits) - 1


def test_spi_exchanges_frames_with_a_slave_and_overruns(m):
    spi = m.spi0
    spi.slave = Inverter()
    spi.write(0, 4, 0x0B)                             # 12 bits
    for value in range(8):
        spi.write(8, 4, 0x100 + value)
    assert (spi.read(12, 4), len(spi.waiting)) == (0b00000, 8)
    spi.write(4, 4, 2)
    assert spi.read(12, 4) == 0b01111                 # sent, received, full
    spi.write(8, 4, 0)
    assert spi.read(0x18, 4) == 0b1101                # transmit, receive, overrun
    assert [spi.read(8, 4) for _ in range(8)] == [0xEFF - value for value in range(8)]
    spi.write(0x20, 4, 1)
    assert spi.read(0x18, 4) == 0b1000
    spi.slave = None


def test_spi_times_out_when_nobody_reads(m):
    spi = m.spi0
    for offset, value in ((0, 7), (4, 2), (0x10, 2), (0x14, 2), (8, 1)):
        spi.write(offset, 4, value)
    wait(m, 60)
    assert (spi.read(0x18, 4), spi.irq.level) == (8, False)
    wait(m, 4)                                        # 32 bits of two clock periods
    assert (spi.read(0x18, 4), spi.irq.level) == (10, True)
    spi.read(8, 4)
    assert (spi.read(0x18, 4), spi.irq.level) == (8, False)
