"""The STM32F405 as a part: clocks, resets, flash, ports, external interrupts, the boards; driven as RM0090 says."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.support.stm32 import CCM, FLASH, MS, RAM, board, interrupt, of, start_pll, uart
from xemu.core.memory import GuestFault
from xemu.hw.device import BusError, Device
from xemu.hw.machine import Machine, make_machine


@pytest.fixture
def m() -> Machine:
    return board()


# -- RCC, PWR -------------------------------------------------------------------------------------------------------------


def test_reset_values(m):
    rcc, pwr, flash = of(m, "rcc", "pwr", "flash_ctrl")
    assert (rcc.CR, rcc.PLLCFGR, rcc.CFGR, rcc.AHB1ENR) == (0x8083, 0x2400_3010, 0, 0x0010_0000)
    assert (pwr.CR, flash.CR, flash.OPTCR) == (0x4000, 0x8000_0000, 0x0FFF_AAED)
    assert rcc.CSR == 0x0E00_0000                            # 7.3.21: after power-on


def test_pll_gives_the_clocks_of_the_buses(m):
    rcc, = of(m, "rcc")
    assert m["rcc"].clocks["AHB"] == 16_000_000
    start_pll(m)
    assert rcc.CR & 0x0303_0003 == 0x0303_0003
    assert rcc.CFGR & 0xC == 0x8
    clocks = m["rcc"].clocks
    assert (clocks["AHB"], clocks["APB1"], clocks["APB2"]) == (168_000_000, 42_000_000, 84_000_000)
    assert (clocks["TIM1"], clocks["TIM2"]) == (84_000_000, 168_000_000)


def test_the_running_clock_cannot_be_switched_off(m):
    rcc, = of(m, "rcc")
    rcc.CR &= ~1
    assert rcc.CR & 3 == 3
    start_pll(m)
    rcc.CR = 0
    assert rcc.CR & 0x0301_0000 == 0x0301_0000


def test_a_source_that_is_not_ready_is_not_taken(m):
    rcc, = of(m, "rcc")
    rcc.CFGR = 1
    assert rcc.CFGR == 1
    rcc.CR |= 1 << 16
    assert rcc.CFGR == 5


def test_pll_configuration_is_held_while_it_runs(m):
    start_pll(m)
    rcc, = of(m, "rcc")
    before = rcc.PLLCFGR
    rcc.PLLCFGR = 0x2400_3010
    assert before == rcc.PLLCFGR


def test_ready_interrupt(m):
    rcc, = of(m, "rcc")
    rcc.CIR = 1 << 11
    rcc.CR |= 1 << 16
    assert rcc.CIR & 0x3F == 8
    assert interrupt(m, 5)
    rcc.CIR = 1 << 19 | 1 << 11
    assert not interrupt(m, 5)


def test_systick_counts_with_the_system_clock(m):
    scs, = of(m, "scs")
    scs.SYST_RVR = 15_999
    scs.SYST_CVR = 0
    scs.SYST_CSR = 5
    m.run(5 * MS + 21)
    assert scs.SYST_CVR == 15_998                           # two periods of 16 MHz after the fifth zero
    start_pll(m)
    before = scs.SYST_CVR
    m.run(100)
    assert (before - scs.SYST_CVR) % 16_000 == 100


def test_peripheral_reset(m):
    rcc, usart = of(m, "rcc", "usart2")
    rcc.APB1ENR |= 1 << 17
    usart.BRR = 0x8B
    rcc.APB1RSTR = 1 << 17
    rcc.APB1RSTR = 0
    assert usart.BRR == 0


def test_a_device_without_its_clock_says_so_once(m):
    usart, = of(m, "usart2")
    usart.BRR = 1
    usart.BRR = 2
    assert [r[2] for r in m.reports] == ["usart2: written while its clock is off (RCC_APB1ENR); hardware ignores that"]


def test_software_reset_sets_its_flag_and_keeps_the_backup_domain(m):
    rcc, pwr, rtc, scs = of(m, "rcc", "pwr", "rtc", "scs")
    rcc.APB1ENR |= 1 << 28
    pwr.CR |= 1 << 8
    rcc.BDCR = 0x8101
    rtc.BKPR[3] = 0xCAFE
    rcc.CSR = 1 << 24
    assert rcc.CSR >> 24 == 0
    start_pll(m)
    scs.AIRCR = 0x05FA_0004
    m.run(100)
    assert rcc.CSR >> 24 == 0x14
    assert (rcc.CFGR, rcc.BDCR, rtc.BKPR[3], pwr.CR) == (0, 0x8103, 0xCAFE, 0x4000)
    assert m["rcc"].clocks["AHB"] == 16_000_000


def test_backup_domain_is_protected(m):
    rcc, rtc = of(m, "rcc", "rtc")
    rcc.BDCR = 1
    rtc.BKPR[0] = 1
    assert (rcc.BDCR, rtc.BKPR[0]) == (0, 0)


# -- flash ----------------------------------------------------------------------------------------------------------------


def unlocked(m: Machine) -> Any:
    flash, = of(m, "flash_ctrl")
    flash.KEYR = 0x45670123
    flash.KEYR = 0xCDEF89AB
    return flash


def wait(m: Machine, flash: Any) -> None:
    m.run(200 * MS)
    assert not flash.SR & 1 << 16


def test_locked_flash_refuses(m):
    flash, = of(m, "flash_ctrl")
    flash.CR = 1
    assert flash.CR == 0x8000_0000
    m.bus_write(FLASH + 0x4000, 4, 0)
    assert flash.SR == 0x80
    assert m.bus_read(FLASH + 0x4000, 4) == 0xFFFF_FFFF
    flash.SR = 0x80
    assert flash.SR == 0


def test_wrong_key_locks_until_reset(m):
    flash, = of(m, "flash_ctrl")
    with pytest.raises(BusError):
        flash.KEYR = 1
    with pytest.raises(BusError):
        flash.KEYR = 0x45670123
    m.reset()
    assert unlocked(m).CR == 0


@pytest.mark.parametrize(("size", "value"), [(1, 0x5A), (2, 0x1234), (4, 0xDEAD_BEEF)])
def test_programming_clears_bits(m, size, value):
    flash = unlocked(m)
    psize = size.bit_length() - 1
    flash.CR = 1 | psize << 8
    at = FLASH + 0x8000
    m.bus_write(at, size, value)
    assert flash.SR & 1 << 16
    wait(m, flash)
    m.bus_write(at, size, 0xF0)
    wait(m, flash)
    assert m.bus_read(at, size) == value & 0xF0
    assert m.bus_read(at - FLASH, size) == value & 0xF0      # the alias at 0


def test_programming_with_the_wrong_width(m):
    flash = unlocked(m)
    flash.CR = 1 | 2 << 8
    m.bus_write(FLASH + 0x8000, 2, 0)
    assert flash.SR == 0x40
    assert m.bus_read(FLASH + 0x8000, 2) == 0xFFFF


@pytest.mark.parametrize(("sector", "start", "size"), [(0, 0, 0x4000), (3, 0xC000, 0x4000), (4, 0x10000, 0x10000), (5, 0x20000, 0x20000),
                                                       (11, 0xE0000, 0x20000)])
def test_sector_erase(m, sector, start, size):
    m.write_memory(FLASH, bytes(1 << 20))
    flash = unlocked(m)
    flash.CR = 2 | sector << 3
    flash.CR |= 1 << 16
    assert flash.CR & 1 << 16
    wait(m, flash)
    assert 2 | sector << 3 == flash.CR
    assert m.peek(FLASH, 1 << 20) == bytes(start) + b"\xFF" * size + bytes((1 << 20) - start - size)


def test_mass_erase_and_its_interrupt(m):
    flash = unlocked(m)
    flash.CR = 4 | 1 << 24
    flash.CR |= 1 << 16
    m.run(200 * MS)
    assert flash.SR == 1
    assert interrupt(m, 4)
    assert m.peek(FLASH, 1 << 20) == b"\xFF" * (1 << 20)
    flash.SR = 1
    assert not interrupt(m, 4)


def test_write_protected_sector(m):
    flash = unlocked(m)
    flash.OPTKEYR = 0x08192A3B
    flash.OPTKEYR = 0x4C5D6E7F
    flash.OPTCR = 0x0FFF_AAEC & ~(1 << 18)
    flash.OPTCR |= 2
    wait(m, flash)
    assert m.bus_read(0x1FFF_C008, 4) == 0x0004_FFFB         # nWRP and its complement
    flash.CR = 2 | 2 << 3
    flash.CR |= 1 << 16
    assert flash.SR == 0x10
    flash.SR = 0x10
    flash.CR = 1
    m.bus_write(FLASH + 0x8000, 1, 0)
    assert flash.SR == 0x10
    m.bus_write(FLASH + 0x4000, 1, 0)
    assert m.bus_read(FLASH + 0x4000, 1) == 0
    m.reset()
    assert flash.OPTCR == 0x0FFB_AAED


def test_one_time_programmable_bytes(m):
    flash = unlocked(m)
    flash.CR = 1
    m.bus_write(0x1FFF_7800, 1, 0x12)
    wait(m, flash)
    m.bus_write(0x1FFF_7A00, 1, 0)                           # lock the first 32
    wait(m, flash)
    m.bus_write(0x1FFF_7801, 1, 0)
    assert flash.SR == 0x10
    assert m.bus_read(0x1FFF_7800, 2) == 0xFF12


def test_identification(m):
    assert m.bus_read(0x1FFF_7A22, 2) == 1024
    assert m.peek(0x1FFF_7A10, 12) == m["flash_ctrl"].uid
    assert m.bus_read(0xE004_2000, 4) & 0xFFF == 0x413


# -- GPIO, SYSCFG, EXTI ---------------------------------------------------------------------------------------------------


def test_outputs(m):
    port, = of(m, "gpioc")
    port.MODER = 1 << 24
    port.BSRR = 1 << 12
    assert (port.ODR, port.IDR, m["gpioc"].pins.levels) == (0x1000, 0x1000, 0x1000)
    port.BSRR = 1 << 28 | 1 << 3
    assert (port.ODR, port.IDR) == (8, 0)                    # pin 3 is no output
    port.BSRR = 1 << 16 | 1
    assert port.ODR == 9                                     # set wins (8.4.7)
    m.bus_write(port.at("BSRR") + 2, 2, 1)
    assert port.ODR == 8


def test_inputs_and_pulls(m):
    port, = of(m, "gpiod")
    port.PUPDR = 0b0110                                      # pin 0 down, pin 1 up… in pairs: 10, 01
    assert port.IDR == 2
    m["gpiod"].pins.set(0, 1)
    m["gpiod"].pins.set(1, 0)
    assert port.IDR == 1
    port.MODER = 3
    assert port.IDR == 0                                     # analog
    m["gpiod"].pins.set(1, None)
    assert port.IDR == 2


def test_open_drain(m):
    port, = of(m, "gpiod")
    port.MODER, port.OTYPER, port.PUPDR = 1, 1, 1
    port.ODR = 1
    assert port.IDR == 1
    m["gpiod"].pins.set(0, 0)
    assert port.IDR == 0
    m["gpiod"].pins.set(0, 1)
    port.ODR = 0
    assert port.IDR == 0


def test_reset_state_of_the_debug_pins(m):
    a, b = of(m, "gpioa", "gpiob")
    assert (a.MODER, a.PUPDR, b.MODER, b.OSPEEDR) == (0xA800_0000, 0x6400_0000, 0x280, 0xC0)
    assert a.IDR & 0xE000 == 0xA000


def test_configuration_lock(m):
    port, = of(m, "gpiod")
    port.MODER = 0b0101
    for word in (0x1_0001, 0x0001, 0x1_0001):
        port.LCKR = word
    assert port.LCKR == 0x1_0001
    port.MODER, port.AFR[0], port.LCKR = 0, 0xFF, 0
    assert (port.MODER, port.AFR[0], port.LCKR) == (0b0001, 0xF0, 0x1_0001)


def test_a_broken_lock_sequence_locks_nothing(m):
    port, = of(m, "gpiod")
    for word in (0x1_0001, 0x0003, 0x1_0001):
        port.LCKR = word
    assert not port.LCKR >> 16


@pytest.mark.parametrize(("pin", "irq"), [(0, 6), (1, 7), (4, 10), (5, 23), (9, 23), (10, 40), (15, 40)])
def test_external_interrupt_of_a_pin(m, pin, irq):
    syscfg, exti = of(m, "syscfg", "exti")
    syscfg.EXTICR[pin // 4] = 1 << 4 * (pin % 4)             # port B
    exti.IMR = exti.RTSR = 1 << pin
    m["gpioc"].pins.set(pin, 1)
    assert not exti.PR
    m["gpiob"].pins.set(pin, 0)
    m["gpiob"].pins.set(pin, 1)
    assert 1 << pin == exti.PR
    assert interrupt(m, irq)
    exti.PR = 1 << pin
    m["gpiob"].pins.set(pin, 0)
    assert not exti.PR
    assert not interrupt(m, irq)


def test_software_and_falling_triggers(m):
    exti, = of(m, "exti")
    exti.IMR, exti.FTSR = 3, 1
    m["gpioa"].pins.set(0, 1)
    m["gpioa"].pins.set(0, 0)
    exti.SWIER = 2
    assert (exti.PR, exti.SWIER) == (3, 2)
    exti.PR = 2
    assert (exti.PR, exti.SWIER) == (1, 0)


def test_event_wakes_the_cpu_without_an_interrupt(m):
    m.write_memory(RAM + 0x200, bytes.fromhex("20bf 0120 fee7"))           # wfe; movs r0, #1; b .
    m.cpu.reset()
    exti, = of(m, "exti")
    exti.EMR = exti.RTSR = 1
    m.run(1000)
    assert m.cpu.r[0] == 0  # type: ignore[attr-defined]
    m["gpioa"].pins.set(0, 1)
    m.run(1000)
    assert m.cpu.r[0] == 1  # type: ignore[attr-defined]


# -- the board ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["netduinoplus2", "olimex-stm32-h405"])
def test_boards(name):
    m = board(name)
    assert m.bus_read(0, 4) == RAM + 0x1000
    m.bus_write(CCM, 4, 5)
    assert m.bus_read(CCM, 4) == 5


def test_holes_have_names(m):
    assert m.bus_read(0x4000_6404, 4) == 0
    m.bus_write(0x5000_0010, 4, 1)
    assert m.bus_read(0x4001_5004, 4) == 0
    assert [r[2] for r in m.reports] == ["can1+0x4: read where nothing is modelled", "otg_fs+0x10: write where nothing is modelled",
                                         "peripherals+0x15004: read where nothing is modelled"]
    with pytest.raises(GuestFault):
        m.bus_read(0x3000_0000, 4)


DEVICES = [n for n, p in make_machine("netduinoplus2").parts.items() if isinstance(p, Device) and "stm32" in type(p).__module__]


@pytest.mark.parametrize("name", DEVICES)
def test_any_accesses_leave_the_model_whole(m, name):
    """Random writes and reads of all registers, with time between them: nothing raises but what the bus refuses."""
    device, random = m[name], Random(name)
    start_pll(m)
    for _ in range(600):
        slot = random.choice(device._slots)
        value = random.choice([0, 0xFFFF_FFFF, random.getrandbits(32), 1 << random.randrange(32)])
        size = random.choice(slot.sizes)
        try:
            if random.random() < 0.6:
                m.bus_write(device.at + slot.offset, size, value)
            else:
                before = m.peek(device.at + slot.offset, size)
                assert m.peek(device.at + slot.offset, size) == before
                assert m.bus_read(device.at + slot.offset, size).to_bytes(size, "little") == before
        except BusError:
            assert name == "flash_ctrl"
        m.run(random.choice([1, 100, 10_000]))
    saved = m.save()
    m.load(saved)
    assert m.save() == saved


def test_a_snapshot_has_the_same_future(m):
    usart, adc, dma, tim = uart(m), *of(m, "adc1", "dma2", "tim2")
    start_pll(m)
    m["adc"].set(0, 1.2)
    dma.PAR[0], dma.M0AR[0], dma.NDTR[0] = adc.at("DR"), RAM + 0x4000, 300
    dma.CR[0] = 1 << 13 | 1 << 11 | 1 << 10 | 1 << 8 | 1
    adc.CR2 = 0x303 | 6 << 24
    adc.CR2 |= 1 << 30
    tim.PSC, tim.ARR, tim.CCR[1] = 83, 500, 123
    tim.DIER, tim.CR1 = 0x101, 0x81
    usart.CR1 |= 0x20
    m.serials[1].feed(b"0123456789")
    m.run(12_345)
    saved = m.save()
    futures = []
    for _ in range(2):
        m.load(saved)
        m.run(54_321)
        futures.append(m.save())
    assert futures[0] == futures[1]
    assert futures[0] != saved
