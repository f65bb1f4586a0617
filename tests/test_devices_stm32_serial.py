"""The STM32F405's USART, SPI and I²C, driven as RM0090 says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.stm32 import MS, RAM, Echo, Registers, address, board, i2c_with_a_memory, interrupt, of, start_pll, uart, until

if TYPE_CHECKING:
    from xemu.hw.machine import Machine


@pytest.fixture
def m() -> Machine:
    return board()


@pytest.fixture
def i2c(m: Machine) -> Any:
    return i2c_with_a_memory(m)


# -- USART ----------------------------------------------------------------------------------------------------------------


def test_transmitting(m):
    usart = uart(m)
    usart.DR = 0x141
    assert usart.SR == 0xC0
    assert m.serials[1].output == b"A"
    usart.CR1 = 0x2004
    usart.DR = 0x42
    assert m.serials[1].output == b"A"


def test_baud_rate_follows_the_bus(m):
    usart = uart(m)
    assert m["usart2"].line.baud == 16_000_000 // 0x8B
    start_pll(m)
    assert m["usart2"].line.baud == 42_000_000 // 0x8B
    usart.CR1 |= 1 << 15
    usart.BRR = 0x113                                        # 17 + 3/8, of 8 samples
    assert m["usart2"].line.baud == 42_000_000 // (17 * 8 + 3)


def test_received_bytes_come_a_character_apart_and_wait_for_room(m):
    usart = uart(m)
    m.serials[1].feed(b"xyz")
    m.run(10 * MS)
    assert usart.SR == 0xE0
    got = []
    for _ in range(3):
        got.append(usart.DR)
        assert not usart.SR & 0x20
        m.run(MS)
    assert bytes(got) == b"xyz"
    assert usart.SR == 0xD0                                  # idle now


def test_idle_is_cleared_by_sr_then_dr(m):
    usart = uart(m)
    m.serials[1].feed(b"x")
    m.run(10 * MS)
    usart.DR  # noqa: B018  a read without SR before it clears RXNE only
    assert usart.SR == 0xD0
    usart.DR  # noqa: B018
    assert usart.SR == 0xC0
    m.run(10 * MS)
    assert usart.SR == 0xC0                                  # not again before another byte


def test_overrun_keeps_the_first_byte(m):
    usart = uart(m)
    m["usart2"].line.take(1)
    m["usart2"].line.take(2)
    assert usart.SR & 0x28 == 0x28
    assert usart.DR == 1
    assert not usart.SR & 0x28


def test_flags_that_a_written_zero_clears(m):
    usart = uart(m)
    m["usart2"].line.take(1)
    usart.SR = 0x3FF & ~0x60
    assert usart.SR & 0x60 == 0
    usart.SR = 0x3FF
    assert usart.SR & 0x60 == 0


@pytest.mark.parametrize(("enable", "status"), [(0x20, 0x20), (0x40, 0x40), (0x80, 0x80), (0x10, 0x10)])
def test_uart_interrupts(m, enable, status):
    usart = uart(m)
    usart.SR = 0
    if status & 0x30:
        m.serials[1].feed(b"x")
        m.run(10 * MS)
        usart.CR1 |= enable
        assert interrupt(m, 38)
        usart.SR, usart.DR  # noqa: B018
        assert not interrupt(m, 38)
    else:
        usart.DR = 1
        usart.CR1 |= enable
        assert interrupt(m, 38)


@pytest.mark.parametrize(("name", "irq", "line"), [("usart1", 37, 0), ("usart3", 39, 2), ("uart4", 52, 3), ("uart5", 53, 4),
                                                   ("usart6", 71, 5)])
def test_each_uart_has_its_line_and_interrupt(m, name, irq, line):
    usart, = of(m, name)
    usart.CR1 = 0x200C
    usart.DR = 0x21
    usart.CR1 |= 0x80
    assert m.serials[line].output == b"!"
    assert interrupt(m, irq)


def test_a_guest_that_prints(m):
    """A status poll and a data write per byte: both are native code's."""
    uart(m)
    program = ("0949"            # ldr r1, =SR
               "0a4a"            # ldr r2, =2000
               "4120"            # movs r0, #'A'
               "0b68"            # again: ldr r3, [r1]
               "1b06"            # lsls r3, r3, #24: TXE to N
               "fcd5"            # bpl again
               "4860"            # str r0, [r1, #4]
               "013a"            # subs r2, #1
               "f9d1"            # bne again
               "fee7")           # b .
    m.write_memory(RAM + 0x200, bytes.fromhex(program))
    m.write_memory(RAM + 0x228, (0x4000_4400).to_bytes(4, "little") + (2000).to_bytes(4, "little"))
    m.cpu.reset()
    m.run(MS)
    assert m.serials[1].output == b"A" * 2000
    device = m["usart2"]
    (status, at), (data, to) = (device._cells[device._words[view.slot][0]] for view in (device.SR, device.DR))
    assert status.reads[at] & 4
    assert data.posts[to] & 4
    Registers(m, "usart2").CR1 |= 0x80                       # with an interrupt for each byte it must be seen
    assert not data.posts[to]


# -- SPI ------------------------------------------------------------------------------------------------------------------


def test_spi_without_a_slave_reads_ones(m):
    spi, = of(m, "spi1")
    spi.CR1 = 0x344
    spi.DR = 0x12
    assert spi.SR == 3
    assert spi.DR == 0xFF
    assert spi.SR == 2


def test_spi_with_a_slave_in_both_frame_sizes(m):
    m["spi1"].slave = echo = Echo()
    spi, = of(m, "spi1")
    spi.CR1 = 0x344
    spi.DR = 0x1234
    assert spi.DR == 0xCB
    spi.CR1 = 0x344 | 1 << 11
    spi.DR = 0x1234
    assert spi.DR == 0xEDCB
    assert echo.seen == [0x34, 0x1234]


def test_spi_overrun_and_the_sequence_that_clears_it(m):
    m["spi1"].slave = Echo()
    spi, = of(m, "spi1")
    spi.CR1, spi.CR2 = 0x344, 1 << 5
    spi.DR = 1
    spi.DR = 2
    assert spi.SR == 0x43
    assert interrupt(m, 35)
    assert spi.SR == 0x43                                    # SR alone clears nothing
    assert spi.DR == 0xFE
    spi.SR  # noqa: B018
    assert spi.SR == 2
    assert not interrupt(m, 35)


def test_spi_mode_fault(m):
    spi, = of(m, "spi1")
    spi.CR1 = 0x244
    assert spi.SR == 0x22
    assert spi.CR1 == 0x200
    spi.SR  # noqa: B018
    spi.CR1 = 0x344
    assert spi.SR == 2


# -- I2C ------------------------------------------------------------------------------------------------------------------
def test_i2c_nobody_at_the_address(i2c):
    i2c.CR2 |= 1 << 8
    i2c.CR1 |= 1 << 8
    assert until(i2c, 1) == 1
    assert i2c.SR2 == 3
    i2c.DR = 0x30 << 1
    assert until(i2c, 0x402) == 0x400
    assert interrupt(i2c.m, 32)
    i2c.SR1 = 0
    i2c.CR1 |= 1 << 9
    i2c.m.run(MS)
    assert (i2c.SR1, i2c.SR2, i2c.CR1) == (0, 0, 1)
    assert not interrupt(i2c.m, 32)


def test_i2c_an_address_takes_its_time(i2c):
    i2c.CR1 |= 1 << 8
    until(i2c, 1)
    i2c.DR = 0xA0
    i2c.m.run(8 * 1680)                                      # 100 kHz: 1680 beats a bit, nine bits
    assert not i2c.SR1 & 2
    i2c.m.run(2 * 1680)
    assert i2c.SR1 & 2


def test_i2c_write_and_bytes_that_are_refused(i2c):
    slave = i2c.device.slaves[0x50]
    address(i2c, 0xA0)
    assert not i2c.SR1 & 0x80
    i2c.SR2  # noqa: B018
    for byte in (0x10, 0x77, 0xEE):
        until(i2c, 0x80)
        i2c.DR = byte
    assert until(i2c, 0x400) & 0x400
    i2c.CR1 |= 1 << 9
    i2c.m.run(MS)
    assert slave.log == ["w", 0x10, 0x77, 0xEE, "p"]
    assert slave.bytes[0x10] == 0x77
    assert i2c.SR2 == 0


def test_i2c_btf_when_nothing_follows(i2c):
    address(i2c, 0xA0)
    i2c.SR2  # noqa: B018
    i2c.DR = 1
    assert until(i2c, 4) & 0x84 == 0x84
    i2c.DR = 2
    assert not i2c.SR1 & 4


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_i2c_read(i2c, count):
    """The sequences of 27.3.3 for one, two and more bytes."""
    slave = i2c.device.slaves[0x50]
    slave.place = 0x20
    i2c.CR1 |= 1 << 10 if count != 2 else 1 << 11 | 1 << 10
    address(i2c, 0xA1)
    got = []
    if count <= 2:
        i2c.CR1 &= ~(1 << 10)
    i2c.SR2  # noqa: B018
    if count == 1:
        i2c.CR1 |= 1 << 9
        until(i2c, 0x40)
        got.append(i2c.DR)
    elif count == 2:
        until(i2c, 4)
        i2c.CR1 |= 1 << 9
        got += [i2c.DR, i2c.DR]
    else:
        for _ in range(count - 3):
            until(i2c, 0x40)
            got.append(i2c.DR)
        until(i2c, 4)
        i2c.CR1 &= ~(1 << 10)
        got.append(i2c.DR)
        until(i2c, 4)
        i2c.CR1 |= 1 << 9
        got.append(i2c.DR)
        until(i2c, 0x40)
        got.append(i2c.DR)
    i2c.m.run(MS)
    assert got == list(range(0x20, 0x20 + count))
    assert slave.log == ["r", *["?"] * count, "p"]
    assert i2c.SR2 == 0


def test_i2c_repeated_start(i2c):
    address(i2c, 0xA0)
    i2c.SR2  # noqa: B018
    i2c.DR = 0x40
    until(i2c, 4)
    address(i2c, 0xA1)
    i2c.SR2  # noqa: B018
    i2c.CR1 |= 1 << 9
    until(i2c, 0x40)
    assert i2c.DR == 0x40
    i2c.m.run(MS)
    assert i2c.device.slaves[0x50].log == ["w", 0x40, "r", "?", "p"]
