"""The devices of the LM3S6965 evaluation board, by its data sheet and by what QEMU does."""

from __future__ import annotations

import pytest

from tests.support.registers import program, under_qemu, under_xemu
from xemu.hw.devices.i2c import I2cSlave
from xemu.hw.machine import make_machine
from xemu.hw.registers import RW, Reg

BOARD = "lm3s6965evb"
UART1, GPIOA, SSI, I2C, ADC, FLASHCTL, SYSCTL = 0x4000_D000, 0x4000_4000, 0x4000_8000, 0x4002_0000, 0x4003_8000, 0x400F_D000, 0x400F_E000
MHZ = 12                                    # of the board: beats in a microsecond


@pytest.fixture(scope="module")
def board():
    return make_machine(BOARD)


@pytest.fixture
def m(board):
    board.sysctl.cause = "power"
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
    "uart": reads(UART1, 0, 4, 0x18, 0x24, 0x28, 0x2C, 0x30, 0x34, 0x38, 0x3C, 0x40, *range(0xFE0, 0x1000, 4))
    + writes(UART1, (0x30, 0x301), (0, 65)) + reads(UART1, 0x18, 0x3C) + writes(UART1, (0x38, 0x7FF)) + reads(UART1, 0x38, 0x40)
    + writes(UART1, (0x44, 0x20), (0x24, 6), (0x28, 33), (0x2C, 0x70)) + reads(UART1, 0x3C, 0x40, 0x24, 0x28, 0x2C),
    "gpio": reads(GPIOA, 0x3FC, *range(0x400, 0x420, 4), 0x420, 0x500, 0x504, 0x508, 0x50C, 0x51C, 0x520, 0x524)
    + writes(GPIOA, (0x400, 0xF0), (0x3FC, 0xA5)) + reads(GPIOA, 0x3FC, 0x3C0, 0x280) + writes(GPIOA, (0x040, 0xFF)) + reads(GPIOA, 0x3FC)
    + writes(GPIOA, (0x40C, 0xFF), (0x404, 0xFF), (0x410, 0x90)) + reads(GPIOA, 0x414, 0x418),
    "ssi": reads(SSI, 0, 4, 8, 12, 16, 20, 24, 28) + writes(SSI, (0, 7), (4, 3), (8, 0x1A5)) + reads(SSI, 12, 8, 12),
    "system control": reads(SYSCTL, 0, 4, 8, 0x10, 0x14, 0x18, 0x1C, 0x30, 0x34, 0x40, 0x50, 0x54, 0x58, 0x64, 0x70)
    + writes(SYSCTL, (0x60, 0x078E_1AC0)) + [("until", SYSCTL + 0x50, 0x40)] + reads(SYSCTL, 0x50, 0x60)
    + writes(SYSCTL, (0x54, 0x40)) + reads(SYSCTL, 0x58) + writes(SYSCTL, (0x58, 0x40)) + reads(SYSCTL, 0x50, 0x58),
    "adc": reads(ADC, 0, 4, 8, 12, 16, 20, 24, 0x30, 0x40, 0x44, 0x4C, 0x6C, 0x8C, 0xAC),
    "i2c": reads(I2C, 0, 4, 8, 12, 16, 20, 24, 32),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_registers_read_as_under_qemu(need, name):
    elf = program(need("arm-none-eabi-gcc"), SEQUENCES[name])
    seen = under_xemu(BOARD, elf)
    assert seen == under_qemu(need("qemu-system-arm"), BOARD, elf)
    assert len(seen) == sum(kind == "r" for kind, *_ in SEQUENCES[name])


# -- UART -----------------------------------------------------------------------------------------------------------------


def on(uart, *, fifos: bool = True) -> None:
    for offset, value in ((0x24, 6), (0x28, 33), (0x2C, 0x70 if fifos else 0x60), (0x30, 0x301), (0x38, 0x7F0)):
        uart.write(offset, 4, value)


def test_uart_interrupts_at_the_chosen_level_and_after_a_silence(m):
    uart, line = m.uart0, m.serials[0]
    on(uart)                                              # interrupts when half full
    assert line.port.baud == 115_107                      # 12 MHz * 4 / (6 * 64 + 33)
    line.feed(b"0123456")
    wait(m, 7 * 1100)
    assert (uart.read(0x3C, 4), uart.irq.level) == (0, False)
    line.feed(b"7")
    wait(m, 1100)
    assert (uart.read(0x3C, 4), uart.irq.level) == (0x10, True)
    assert [uart.read(0, 4) for _ in range(3)] == list(b"012")
    assert (uart.read(0x3C, 4), uart.irq.level) == (0, False)
    wait(m, 40 * 105)
    assert (uart.read(0x3C, 4), uart.irq.level) == (0x40, True)
    assert [uart.read(0, 4) for _ in range(5)] == list(b"34567")
    assert (uart.read(0x3C, 4), uart.read(0x18, 4), uart.irq.level) == (0, 0x90, False)


def test_uart_loses_nothing_that_is_pasted(m):
    uart, line = m.uart0, m.serials[0]
    on(uart)
    text = bytes(range(100))
    line.feed(text)
    wait(m, 1_000_000)
    assert uart.read(0x18, 4) == 0xC0                     # full
    got = bytearray()
    while len(got) < len(text):
        got.append(uart.read(0, 4))
        wait(m, 2000)
    assert bytes(got) == text
    assert uart.read(0x18, 4) == 0x90


def test_uart_without_fifos_holds_one_byte(m):
    on(m.uart0, fifos=False)
    m.serials[0].feed(b"ab")
    wait(m, 5000)
    assert (m.uart0.read(0x18, 4), m.uart0.read(0x3C, 4) & 0x10) == (0xC0, 0x10)
    assert m.uart0.read(0, 4) == ord("a")
    wait(m, 5000)
    assert m.uart0.read(0, 4) == ord("b")


def test_uart_loops_back(m):
    on(m.uart0)
    before = bytes(m.serials[0].output)
    m.uart0.write(0x30, 4, 0x381)
    for byte in b"xyz":
        m.uart0.write(0, 4, byte)
    assert [m.uart0.read(0, 4) for _ in range(3)] == list(b"xyz")
    assert bytes(m.serials[0].output) == before


def test_uart_sends_while_off_and_says_so(m):
    m.said.clear()
    m.reports.clear()
    before = len(m.serials[2].output)
    m.uart2.write(0, 4, 65)
    m.uart2.write(0, 4, 66)
    assert m.serials[2].output[before:] == b"AB"
    assert [text for *_, text in m.reports] == ["uart2: a byte is written while CR.UARTEN or CR.TXE is 0; it is sent all the same"]


# -- GPIO -----------------------------------------------------------------------------------------------------------------


def test_gpio_interrupts_on_edges_and_levels(m):
    port = m.gpiod
    for offset, value in ((0x408, 1), (0x40C, 2), (0x404, 8), (0x410, 0xF)):      # 0 both edges, 1 rising, 2 falling, 3 low
        port.write(offset, 4, value)
    assert port.read(0x414, 4) == 8
    for pin, level, raw in ((3, 1, 0), (0, 1, 1), (1, 1, 3), (2, 1, 3), (2, 0, 7), (3, 0, 15), (3, 1, 7)):
        port.pins.set(pin, level)
        assert (port.read(0x414, 4), port.irq.level) == (raw, bool(raw))
    port.write(0x41C, 4, 5)
    assert port.read(0x414, 4) == 2
    port.pins.set(0, 0)
    assert port.read(0x418, 4) == 3
    for pin in range(4):
        port.pins.set(pin, None)


def test_gpio_jtag_pins_need_a_commit(m):
    port = m.gpioc
    assert [port.read(offset, 4) for offset in (0x420, 0x51C, 0x520, 0x524)] == [0x0F, 0x0F, 1, 0xF0]
    port.write(0x420, 4, 0xF0)
    assert port.read(0x420, 4) == 0xFF
    port.write(0x524, 4, 0xFF)                            # locked
    assert port.read(0x524, 4) == 0xF0
    port.write(0x520, 4, 0x1ACC_E551)
    port.write(0x524, 4, 0xF1)
    port.write(0x420, 4, 0)
    assert [port.read(offset, 4) for offset in (0x520, 0x524, 0x420)] == [0, 0xF1, 0x0E]


def test_gpio_open_drain_lets_go(m):
    port = m.gpioe
    for offset, value in ((0x50C, 1), (0x510, 1), (0x400, 1), (0x3FC, 1)):
        port.write(offset, 4, value)
    assert port.read(0x3FC, 4) == 1
    port.pins.set(0, 0)
    assert port.read(0x3FC, 4) == 0
    port.pins.set(0, None)
    port.write(0x3FC, 4, 0)
    assert port.read(0x3FC, 4) == 0


# -- timers ---------------------------------------------------------------------------------------------------------------


def test_timer_runs_periodically(m):
    timer = m.timer0
    for offset, value in ((4, 2), (0x28, 999), (0x18, 1), (0xC, 1)):
        timer.write(offset, 4, value)
    wait(m, 998)
    assert (timer.read(0x48, 4), timer.read(0x1C, 4)) == (1, 0)
    wait(m, 1)
    assert (timer.read(0x48, 4), timer.read(0x20, 4), timer.irq_a.level) == (0, 1, True)
    timer.write(0x24, 4, 1)
    wait(m, 1)
    assert (timer.read(0x48, 4), timer.read(0x20, 4), timer.irq_a.level) == (999, 0, False)
    wait(m, 999)
    assert timer.read(0x1C, 4) == 1


def test_timer_runs_once(m):
    timer = m.timer1
    for offset, value in ((4, 1), (0x28, 500), (0xC, 1)):
        timer.write(offset, 4, value)
    wait(m, 500)
    assert [timer.read(offset, 4) for offset in (0x1C, 0xC, 0x48)] == [1, 0, 500]
    timer.write(0x24, 4, 1)
    wait(m, 2000)
    assert timer.read(0x1C, 4) == 0


def test_halves_run_apart_with_prescalers(m):
    timer = m.timer2
    for offset, value in ((0, 4), (4, 2), (8, 2), (0x28, 0xF_0009), (0x2C, 99), (0x38, 9), (0x18, 0x101), (0xC, 0x101)):
        timer.write(offset, 4, value)
    wait(m, 91)
    assert (timer.read(0x1C, 4), timer.irq_a.level, timer.irq_b.level) == (1, True, False)
    wait(m, 10)
    assert (timer.read(0x1C, 4), timer.irq_a.level, timer.irq_b.level) == (0x101, True, True)


def test_timer_counts_edges(m):
    timer = m.timer3
    for offset, value in ((0, 4), (4, 3), (0x28, 10), (0x30, 7), (0xC, 1)):
        timer.write(offset, 4, value)
    for n in range(3):
        assert (timer.read(0x48, 4), timer.read(0x1C, 4)) == (10 - n, 0)
        timer.ccp.set(0, 1)
        timer.ccp.set(0, 0)
    assert [timer.read(offset, 4) for offset in (0x1C, 0xC, 0x48)] == [2, 0, 10]
    timer.ccp.set(0, None)


def test_timer_notes_the_time_of_an_edge(m):
    timer = m.timer3
    for offset, value in ((0, 4), (8, 7), (0x2C, 0xFFFF), (0xC, 0x500)):              # B, falling edges
        timer.write(offset, 4, value)
    timer.ccp.set(1, 1)
    wait(m, 300)
    timer.ccp.set(1, 0)
    wait(m, 50)
    assert (timer.read(0x4C, 4), timer.read(0x1C, 4)) == (0xFFFF - 300, 0x400)
    timer.ccp.set(1, None)


def test_timer_counts_seconds(m):
    timer = m.timer0
    for offset, value in ((0, 1), (0x28, 40), (0x30, 42), (0x18, 8), (0xC, 1)):
        timer.write(offset, 4, value)
    wait(m, 24_000_000)
    assert (timer.read(0x48, 4), timer.read(0x1C, 4), timer.irq_a.level) == (42, 8, True)


# -- system control --------------------------------------------------------------------------------------------------------


def test_pll_locks_after_a_while_and_gives_the_devices_their_clock(m):
    sysctl = m.sysctl
    assert sysctl.hz == 12_000_000
    sysctl.write(0x60, 4, 0x078E_3AC0 & ~(1 << 13) | 1 << 22)
    assert sysctl.read(0x50, 4) == 0
    wait(m, 500 * MHZ)
    assert sysctl.read(0x50, 4) == 0x40
    sysctl.write(0x60, 4, 3 << 23 | 1 << 22 | 0xE << 6)                               # 200 MHz / 4, from a crystal of 8 MHz
    assert (sysctl.hz, m.timer0.clock, m.timer0.counter_a.hz, m.uart0.clock, m.scs.tick.hz) == (50_000_000,) * 5
    saved = m.save()
    sysctl.write(0x60, 4, 0x078E_3AD1)
    assert (sysctl.hz, m.uart0.clock, m.scs.tick.hz) == (12_000_000,) * 3
    m.load(saved)
    assert (sysctl.hz, m.uart0.clock, m.scs.tick.hz) == (50_000_000,) * 3


def test_causes_of_resets_add_up(m):
    assert m.sysctl.read(0x5C, 4) == 2
    m.reset()
    assert m.sysctl.read(0x5C, 4) == 2 | 16
    for offset, value in ((0, 10), (8, 3)):
        m.watchdog.write(offset, 4, value)
    wait(m, 30)
    assert m.sysctl.read(0x5C, 4) == 2 | 16 | 8
    m.sysctl.write(0x5C, 4, 0)
    m.reset()
    assert m.sysctl.read(0x5C, 4) == 16


def test_watchdog_cannot_be_switched_off(m):
    m.watchdog.write(8, 4, 1)
    m.watchdog.write(8, 4, 0)
    assert m.watchdog.read(8, 4) == 1
    before = m.watchdog.read(4, 4)
    wait(m, 100)
    assert m.watchdog.read(4, 4) == before - 100


# -- flash -----------------------------------------------------------------------------------------------------------------


def flash(machine, address: int, data: int, command: int) -> None:
    for offset, value in ((0, address), (4, data), (8, 0xA442_0000 | command)):
        machine.flashctl.write(offset, 4, value)


def test_flash_is_programmed_and_erased(m):
    m.write_memory(0x8000, bytes(2048))
    flash(m, 0x8404, 0, 2)
    assert m.peek(0x83FC, 8) == bytes(4) + b"\xFF" * 4
    assert m.peek(0x87FC, 8) == b"\xFF" * 8
    flash(m, 0x8404, 0x1234_5678, 1)
    flash(m, 0x8404, 0xFFFF_0000, 1)                       # bits only go to 0
    assert m.peek(0x8400, 12) == b"\xFF" * 4 + bytes((0, 0, 0x34, 0x12)) + b"\xFF" * 4
    assert m.flashctl.read(12, 4) == 2
    m.flashctl.write(0x10, 4, 2)
    assert (m.flashctl.read(0x14, 4), m.flashctl.irq.level) == (2, True)
    m.flashctl.write(0x14, 4, 2)
    assert (m.flashctl.read(12, 4), m.flashctl.irq.level) == (0, False)


def test_flash_commands_need_the_key_and_leave_protected_blocks(m):
    m.write_memory(0x10_000, b"\xFF" * 8)
    for offset, value in ((0, 0x10_000), (4, 0), (8, 1)):
        m.flashctl.write(offset, 4, value)
    assert (m.peek(0x10_000, 4), m.flashctl.read(12, 4)) == (b"\xFF" * 4, 0)
    m.sysctl.write(0x404, 4, 0xFFFF_FFFE)                  # the first 2 KB from 64 KB on
    flash(m, 0x10_000, 0, 1)
    assert (m.peek(0x10_000, 4), m.flashctl.read(12, 4)) == (b"\xFF" * 4, 1)
    m.sysctl.write(0x404, 4, 0xFFFF_FFFF)                  # protection stays
    assert m.sysctl.read(0x404, 4) == 0xFFFF_FFFE
    flash(m, 0x10_800, 0, 1)
    assert m.peek(0x10_800, 4) == bytes(4)


# -- analog, buses ----------------------------------------------------------------------------------------------------------


def test_adc_takes_samples_in_order(m):
    adc = m.adc
    adc.inputs = [0.0, 1.5, 2.999, 7.0]
    adc.celsius = 25.0
    for offset, value in ((0x60, 0x0321), (0x64, 0x6000 | 0x8 << 12), (0, 2), (8, 2)):   # 1, 2, 3, the temperature: END, IE
        adc.write(offset, 4, value)
    adc.write(0x28, 4, 2)
    assert (adc.read(0x0C, 4), adc.irq[1].level, adc.read(0x6C, 4)) == (2, True, 0x1000)
    assert [adc.read(0x68, 4) for _ in range(4)] == [512, 1023, 1023, 557]
    assert (adc.read(0x6C, 4), adc.read(0x18, 4)) == (0x100, 0)
    adc.read(0x68, 4)
    assert adc.read(0x18, 4) == 2
    for _ in range(2):
        adc.write(0x28, 4, 2)
    assert adc.read(0x10, 4) == 2
    adc.write(0x0C, 4, 2)
    assert (adc.read(4, 4), adc.irq[1].level) == (0, False)
    adc.inputs = [0.0] * 4


def test_adc_is_started_by_a_timer(m):
    adc, timer = m.adc, m.timer1
    adc.inputs = [3.0 / 4, 0.0, 0.0, 0.0]
    for offset, value in ((0x14, 5 << 12), (0xA4, 6), (0, 8)):
        adc.write(offset, 4, value)
    for offset, value in ((4, 2), (0x28, 99), (0xC, 0x21)):
        timer.write(offset, 4, value)
    wait(m, 98)
    assert adc.read(4, 4) == 0
    wait(m, 1)
    assert (adc.read(4, 4), adc.read(0xA8, 4)) == (8, 256)
    adc.inputs = [0.0] * 4


class Sensor(I2cSlave):
    """A part with two registers."""

    i2c_address = 0x48
    LOW = Reg(0, "Low", width=8, VALUE=RW[7:0])
    HIGH = Reg(1, "High", width=8, VALUE=RW[7:0])


def i2c(machine, address: int, command: int, data: int | None = None) -> int:
    machine.i2c0.write(0, 4, address)
    if data is not None:
        machine.i2c0.write(8, 4, data)
    machine.i2c0.write(4, 4, command)
    return machine.i2c0.read(4, 4)


def test_i2c_reads_and_writes_a_part(m):
    sensor = Sensor()
    sensor.attach(m, "sensor")
    m.i2c0.targets = [sensor]
    m.i2c0.write(0x20, 4, 0x10)
    assert i2c(m, 0x90, 3, 0) == 0x40                      # START RUN; the bus is busy
    assert i2c(m, 0x90, 1, 0x12) == 0x40
    assert i2c(m, 0x90, 5, 0x34) == 0x20                   # RUN STOP
    assert (int(sensor.LOW), int(sensor.HIGH), m.i2c0.read(0x14, 4)) == (0x12, 0x34, 1)
    i2c(m, 0x90, 3, 1)
    i2c(m, 0x91, 7)                                        # a repeated START, one byte, STOP
    assert (m.i2c0.read(8, 4), m.i2c0.read(4, 4)) == (0x34, 0x20)
    assert i2c(m, 0x20, 7, 0) == 0x26                      # nobody there: ERROR, ADRACK
    m.i2c0.targets = ()
