"""The STM32F405's DMA and converters, driven as RM0090 says."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.stm32 import CCM, MS, RAM, US, Echo, Registers, address, board, i2c_with_a_memory, interrupt, of, timer, uart

if TYPE_CHECKING:
    from xemu.hw.machine import Machine


@pytest.fixture
def m() -> Machine:
    return board()


@pytest.fixture
def i2c(m: Machine) -> Any:
    return i2c_with_a_memory(m)


# -- DMA ------------------------------------------------------------------------------------------------------------------


def test_dma_memory_to_memory(m):
    dma, = of(m, "dma2")
    data = bytes(range(100))
    m.write_memory(RAM + 0x4000, data)
    dma.PAR[1], dma.M0AR[1], dma.NDTR[1] = RAM + 0x4000, RAM + 0x5000, 25
    dma.CR[1] = 1 << 13 | 1 << 14 | 2 << 6 | 1 << 11 << 1 | 1 << 10 | 1 << 9 | 1 << 4 | 1
    m.run(MS)
    assert m.peek(RAM + 0x5000, 100) == data
    assert dma.NDTR[1] == 0
    assert dma.CR[1] & 1 == 0
    assert dma.LISR == (0x20 | 0x10) << 6
    assert interrupt(m, 57)
    dma.LIFCR = 0x20 << 6
    assert dma.LISR == 0x10 << 6
    assert not interrupt(m, 57)


@pytest.mark.parametrize(("source", "target"), [(0, 2), (2, 0), (1, 2), (0, 1)])
def test_dma_packs_items(m, source, target):
    """NDTR counts the items of the peripheral's size; the bytes are the same (10.3.10)."""
    dma, = of(m, "dma2")
    data = bytes(range(1, 33))
    m.write_memory(RAM + 0x4000, data)
    dma.PAR[0], dma.M0AR[0], dma.NDTR[0], dma.FCR[0] = RAM + 0x4000, RAM + 0x5000, 32 >> source, 7
    dma.CR[0] = target << 13 | source << 11 | 2 << 6 | 3 << 9 | 1
    m.run(MS)
    assert m.peek(RAM + 0x5000, 40) == data + bytes(8)


def test_dma_sends_through_a_uart(m):
    usart, dma = uart(m), Registers(m, "dma1")
    m.write_memory(RAM + 0x4000, b"hello, dma")
    dma.PAR[6], dma.M0AR[6], dma.NDTR[6] = usart.at("DR"), RAM + 0x4000, 10
    dma.CR[6] = 4 << 25 | 1 << 10 | 1 << 6 | 1 << 4 | 1
    m.run(MS)
    assert not m.serials[1].output                           # nobody has asked
    usart.CR3 = 1 << 7
    m.run(MS)
    assert m.serials[1].output == b"hello, dma"
    assert dma.HISR == 0x30 << 16
    assert interrupt(m, 17)


def test_dma_receives_from_a_uart_into_a_ring(m):
    usart, dma = uart(m), Registers(m, "dma1")
    dma.PAR[5], dma.M0AR[5], dma.NDTR[5] = usart.at("DR"), RAM + 0x4000, 4
    dma.CR[5] = 4 << 25 | 1 << 10 | 1 << 8 | 1
    usart.CR3 = 1 << 6
    m.serials[1].feed(b"abcdef")
    m.run(10 * MS)
    assert m.peek(RAM + 0x4000, 4) == b"efcd"
    assert dma.NDTR[5] == 2
    assert dma.CR[5] & 1
    assert usart.SR & 0x30 == 0x10                           # idle, nothing lost


def test_dma_double_buffer(m):
    usart, dma = uart(m), Registers(m, "dma1")
    dma.PAR[5], dma.M0AR[5], dma.M1AR[5], dma.NDTR[5] = usart.at("DR"), RAM + 0x4000, RAM + 0x4100, 3
    dma.CR[5] = 4 << 25 | 1 << 10 | 1 << 18 | 1
    usart.CR3 = 1 << 6
    m.serials[1].feed(b"abcdefgh")
    m.run(10 * MS)
    assert m.peek(RAM + 0x4000, 3) == b"ghc"
    assert m.peek(RAM + 0x4100, 3) == b"def"
    assert dma.CR[5] & 1 << 19 == 0


def test_dma_does_not_reach_the_ccm(m):
    dma, = of(m, "dma2")
    dma.PAR[0], dma.M0AR[0], dma.NDTR[0] = RAM, CCM, 4
    dma.CR[0] = 2 << 6 | 3 << 9 | 1 << 2 | 1
    m.run(MS)
    assert dma.LISR == 8
    assert not dma.CR[0] & 1
    assert interrupt(m, 56)


def test_dma1_does_not_copy_memory(m):
    dma, = of(m, "dma1")
    dma.PAR[0], dma.M0AR[0], dma.NDTR[0] = RAM, RAM + 64, 4
    dma.CR[0] = 2 << 6 | 3 << 9 | 1
    assert dma.LISR == 8
    assert not dma.CR[0] & 1


def test_dma_both_ways_through_spi(m):
    m["spi1"].slave = Echo()
    spi, dma = of(m, "spi1", "dma2")
    spi.CR1, spi.CR2 = 0x344, 0
    m.write_memory(RAM + 0x4000, bytes(range(64)))
    for stream, address_, control in ((0, RAM + 0x5000, 0), (3, RAM + 0x4000, 1 << 6 | 3 << 16)):
        dma.PAR[stream], dma.M0AR[stream], dma.NDTR[stream] = spi.at("DR"), address_, 64
        dma.CR[stream] = 3 << 25 | 1 << 10 | control | 1
    spi.CR2 = 3
    m.run(MS)
    assert m.peek(RAM + 0x5000, 64) == bytes(255 - i for i in range(64))
    assert not spi.SR & 0x40


def test_dma_by_a_timer(m):
    tim, dma = timer(m, "tim6", arr=9), Registers(m, "dma1")
    port, = of(m, "gpioe")
    port.MODER = 0x5555_5555
    m.write_memory(RAM + 0x4000, b"".join(i.to_bytes(4, "little") for i in (1, 2, 4, 8)))
    dma.PAR[1], dma.M0AR[1], dma.NDTR[1] = port.at("ODR"), RAM + 0x4000, 4
    dma.CR[1] = 7 << 25 | 2 << 13 | 2 << 11 | 1 << 10 | 1 << 8 | 1 << 6 | 1
    seen = []
    m["gpioe"].pins.watchers.append(lambda value, _: seen.append((m.now, value)))
    tim.DIER, tim.CR1 = 1 << 8, 1
    m.run(51 * US)
    assert [v for _, v in seen] == [1, 2, 4, 8, 1]
    assert {b - a for (a, _), (b, _) in pairwise(seen)} == {10 * US}


def test_i2c_dma_refuses_after_the_last_byte(i2c):
    m, slave, (dma,) = i2c.m, i2c.device.slaves[0x50], of(i2c.m, "dma1")
    slave.place = 0x30
    dma.PAR[0], dma.M0AR[0], dma.NDTR[0] = i2c.at("DR"), RAM + 0x4000, 6
    dma.CR[0] = 1 << 25 | 1 << 10 | 1
    i2c.CR2 |= 1 << 11 | 1 << 12
    i2c.CR1 |= 1 << 10
    address(i2c, 0xA1)
    i2c.SR2  # noqa: B018
    m.run(10 * MS)
    assert dma.LISR & 0x20
    i2c.CR1 |= 1 << 9
    m.run(MS)
    assert m.peek(RAM + 0x4000, 6) == bytes(range(0x30, 0x36))
    assert slave.log == ["r", *["?"] * 6, "p"]


# -- ADC ------------------------------------------------------------------------------------------------------------------


def test_adc_single_conversion_takes_its_cycles(m):
    adc, = of(m, "adc1")
    m["adc"].set(5, 1.65)
    adc.SQR3, adc.SMPR2, adc.CR2 = 5, 2 << 15, 1
    adc.CR2 |= 1 << 30
    assert adc.SR == 0x10
    m.run(40 * 21 - 1)                                       # (28 + 12) cycles of 8 MHz
    assert not adc.SR & 2
    m.run(1)
    assert adc.SR & 2
    assert adc.DR == 2048
    assert not adc.SR & 2


@pytest.mark.parametrize(("res", "right", "left"), [(0, 0xFFF, 0xFFF0), (1, 0x3FF, 0xFFC0), (2, 0xFF, 0xFF00), (3, 0x3F, 0xFC)])
def test_adc_resolution_and_alignment(m, res, right, left):
    adc, = of(m, "adc2")
    m["adc"].set(0, 3.3)
    adc.CR1 = res << 24
    for align, wanted in ((0, right), (1, left)):
        adc.CR2 = 1 | align << 11
        adc.CR2 |= 1 << 30
        m.run(MS)
        assert wanted == adc.DR


def test_adc_scan_through_dma(m):
    adc, dma = of(m, "adc1", "dma2")
    for channel in range(4):
        m["adc"].set(channel, 0.5 + channel / 2)
    dma.PAR[0], dma.M0AR[0], dma.NDTR[0] = adc.at("DR"), RAM + 0x4000, 8
    dma.CR[0] = 1 << 13 | 1 << 11 | 1 << 10 | 1 << 8 | 1
    adc.CR1, adc.SQR1, adc.SQR3 = 1 << 8, 3 << 20, 3 | 2 << 5 | 1 << 10
    adc.CR2 = 0x303
    adc.CR2 |= 1 << 30
    m.run(MS)
    got = [int.from_bytes(m.peek(RAM + 0x4000 + 2 * i, 2) or b"", "little") for i in range(8)]
    assert got == 2 * [2482, 1861, 1241, 620]
    assert not adc.SR & 0x20


def test_adc_overrun(m):
    adc, = of(m, "adc1")
    adc.CR1, adc.CR2 = 1 << 26, 1 | 1 << 1 | 1 << 10
    adc.CR2 |= 1 << 30
    m.run(MS)
    assert adc.SR & 0x20
    assert interrupt(m, 18)
    adc.SR = ~0x20
    assert not adc.SR & 0x20
    assert not interrupt(m, 18)


def test_adc_injected_sequence(m):
    adc, = of(m, "adc1")
    m["adc"].set(1, 1.0)
    m["adc"].set(2, 2.0)
    adc.JSQR, adc.CR1, adc.CR2 = 1 << 20 | 1 << 10 | 2 << 15, 1 << 8 | 1 << 7, 1
    adc.JOFR[1] = 2500
    adc.CR2 |= 1 << 22
    m.run(MS)
    assert adc.SR == 0xC
    assert (adc.JDR[0], adc.JDR[1]) == (1241, (2482 - 2500) & 0xFFFF)
    assert interrupt(m, 18)


def test_adc_watchdog(m):
    adc, = of(m, "adc1")
    adc.CR1, adc.HTR, adc.LTR, adc.CR2 = 1 << 23 | 1 << 9, 3000, 1000, 1
    for volts, outside in ((1.5, 0), (3.0, 1), (0.1, 1)):
        m["adc"].set(0, volts)
        adc.CR2 |= 1 << 30
        m.run(MS)
        assert outside == adc.SR & 1
        adc.SR = 0


def test_adc_internal_channels(m):
    adc, common = of(m, "adc1", "adc")
    common.CCR = 1 << 23
    adc.SQR3, adc.CR2 = 17, 1
    adc.CR2 |= 1 << 30
    m.run(MS)
    assert abs(adc.DR - m.bus_read(0x1FFF_7A2A, 2)) <= 1
    m["adc"].temperature = 110
    adc.SQR3 = 16
    adc.CR2 |= 1 << 30
    m.run(MS)
    assert abs(adc.DR - m.bus_read(0x1FFF_7A2E, 2)) <= 1


def test_adc_started_by_a_timer(m):
    adc, tim = Registers(m, "adc1"), timer(m, "tim3")
    adc.CR2 = 1 | 8 << 24 | 1 << 28
    tim.CR2 = 2 << 4
    tim.CR1 = 1
    m.run(990 * US)
    assert not adc.SR
    m.run(20 * US)
    assert adc.SR & 2
