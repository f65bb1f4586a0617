"""The nRF51's peripherals, register by register: what the reference manual says they do, and when."""

from __future__ import annotations

from typing import Any

import pytest

from xemu.core.memory import GuestFault
from xemu.hw.devices.nrf51_base import Event, Nordic, Task
from xemu.hw.machine import make_machine

POWER, RADIO, UART, TWI, SPI, GPIOTE, ADC = (0x4000_0000 + n * 0x1000 for n in (0, 1, 2, 3, 4, 6, 7))
TIMER0, TIMER1, TIMER2, RTC0, TEMP, RNG, ECB, CCM = (0x4000_8000 + n * 0x1000 for n in range(8))
WDT, RTC1, QDEC, LPCOMP, NVMC, PPI, GPIO = 0x4001_0000, 0x4001_1000, 0x4001_2000, 0x4001_3000, 0x4001_E000, 0x4001_F000, 0x5000_0000
RAM, UICR = 0x2000_0000, 0x1000_1000
INTENSET, INTENCLR, SHORTS, ENABLE = 0x304, 0x308, 0x200, 0x500
MICROSECOND = 16                     # beats


class Chip:
    """A micro:bit whose CPU loops on one instruction, with a hand on the bus."""

    def __init__(self, seed: int = 0) -> None:
        self.m: Any = make_machine("microbit", seed=seed)
        self.m.write_memory(0, b"".join(word.to_bytes(4, "little") for word in (0x2000_4000, 0x41)))
        self.m.write_memory(0x40, b"\xfe\xe7")                     # b .
        self.m.cpu.reset()

    def write(self, address: int, value: int) -> None:
        self.m.bus_write(address, 4, value)

    def read(self, address: int) -> int:
        return int(self.m.bus_read(address, 4))

    def run(self, microseconds: float) -> None:
        assert self.m.run(int(microseconds * MICROSECOND)).reason == "beats"

    def interrupt(self, peripheral: int) -> bool:
        """Whether the interrupt line of a peripheral is high: its number is in its address."""
        return bool(self.m.cpu.levels >> 16 + (peripheral >> 12 & 31) & 1)

    def wait(self, event: int, microseconds: int = 1_000_000) -> int:
        """Run until an event register is set; return how many beats it took."""
        start = self.m.now
        while not self.read(event):                                # nothing changes between two events of the machine
            assert self.m.events.next - start < microseconds * MICROSECOND
            self.m.run(self.m.events.next - self.m.now)
        return int(self.m.now - start)


@pytest.fixture
def chip() -> Chip:
    return Chip()


def peripherals() -> list[tuple[str, int]]:
    return [(name, part.at) for name, part in Chip().m.parts.items() if isinstance(part, Nordic)]


@pytest.mark.parametrize(("name", "base"), peripherals())
def test_every_peripherals_tasks_events_and_interrupts(chip: Chip, name: str, base: int) -> None:
    """INTENSET has the bit of each event; an enabled event that is set raises the line; a task register reads as 0."""
    part = chip.m[name]
    rest = part.save()
    for reg in part.registers:
        if isinstance(reg, Task):
            assert chip.read(base + reg.offset) == 0
        if not isinstance(reg, Event):
            continue
        for i in range(reg.count or 1):
            event, bit = base + reg.offset + 4 * i, 1 << (reg.offset - 0x100 >> 2 & 31) + i
            chip.write(base + INTENCLR, 0xFFFF_FFFF)
            chip.write(base + INTENSET, bit)
            assert (chip.read(base + INTENSET), chip.read(base + INTENCLR)) == (bit, bit)
            assert not chip.interrupt(base)
            chip.write(event, 1)
            assert chip.interrupt(base)
            chip.write(event, 0)
            assert not chip.interrupt(base)
    chip.m.reset()
    assert part.save() == rest


# -- timers --------------------------------------------------------------------------------------------------------------


def start_timer(chip: Chip, base: int, prescaler: int = 4, bits: int = 0, **cc: int) -> None:
    chip.write(base + 0x508, bits)
    chip.write(base + 0x510, prescaler)
    for name, value in cc.items():
        chip.write(base + 0x540 + 4 * int(name[-1]), value)
    chip.write(base + 0x000, 1)


def test_timer_compares_at_the_exact_tick(chip: Chip) -> None:
    start_timer(chip, TIMER0, prescaler=4, cc0=100)
    assert chip.wait(TIMER0 + 0x140) == 100 * MICROSECOND
    start_timer(chip, TIMER2, prescaler=0, cc1=50)
    assert chip.wait(TIMER2 + 0x144) == 50


def test_timer_shortcut_makes_it_periodic(chip: Chip) -> None:
    chip.write(TIMER1 + SHORTS, 1)
    start_timer(chip, TIMER1, cc0=250)
    for _ in range(4):
        assert chip.wait(TIMER1 + 0x140) == 250 * MICROSECOND
        chip.write(TIMER1 + 0x140, 0)
    chip.write(TIMER1 + SHORTS, 1 << 8)                            # COMPARE[0] -> STOP
    chip.wait(TIMER1 + 0x140)
    chip.write(TIMER1 + 0x40, 1)
    stopped = chip.read(TIMER1 + 0x540)
    chip.run(100)
    chip.write(TIMER1 + 0x40, 1)
    assert chip.read(TIMER1 + 0x540) == stopped == 250


@pytest.mark.parametrize(("base", "mode", "bits"), [(TIMER0, 1, 8), (TIMER0, 0, 16), (TIMER0, 2, 24), (TIMER1, 1, 8), (TIMER1, 3, 16)])
def test_timer_width(chip: Chip, base: int, mode: int, bits: int) -> None:
    """TIMER1 and TIMER2 have 16 bits whatever BITMODE says."""
    start_timer(chip, base, prescaler=0, bits=mode, cc0=5)
    chip.run((1 << bits) / MICROSECOND)
    chip.write(base + 0x40, 1)                                     # CAPTURE[0]
    assert chip.read(base + 0x540) == 0
    chip.write(base + 0x540, 5)
    assert chip.wait(base + 0x140) <= 5


def test_timer_counts_tasks_in_counter_mode(chip: Chip) -> None:
    chip.write(TIMER0 + 0x504, 1)
    start_timer(chip, TIMER0, cc2=3)
    for n in range(4):
        assert chip.read(TIMER0 + 0x148) == int(n >= 3)
        chip.write(TIMER0 + 0x08, 1)
    chip.run(100)
    chip.write(TIMER0 + 0x44, 1)
    assert chip.read(TIMER0 + 0x544) == 4
    chip.write(TIMER0 + 0x0C, 1)
    chip.write(TIMER0 + 0x44, 1)
    assert chip.read(TIMER0 + 0x544) == 0


def start_lfclk(chip: Chip, source: int = 0) -> int:
    chip.write(POWER + 0x104, 0)
    chip.write(POWER + 0x518, source)
    chip.write(POWER + 0x008, 1)
    return chip.wait(POWER + 0x104)


def test_clocks_start_and_stop(chip: Chip) -> None:
    assert (chip.read(POWER + 0x40C), chip.read(POWER + 0x418)) == (0, 0)
    chip.write(POWER + 0x000, 1)
    assert chip.read(POWER + 0x408) == 1
    assert chip.wait(POWER + 0x100) > 0
    assert chip.read(POWER + 0x40C) == 0x10001                     # the crystal
    assert start_lfclk(chip, source=1) > start_lfclk(chip, source=0)
    assert chip.read(POWER + 0x418) == 0x10000
    chip.write(POWER + 0x004, 1)
    chip.write(POWER + 0x00C, 1)
    assert (chip.read(POWER + 0x40C), chip.read(POWER + 0x418), chip.read(POWER + 0x408)) == (0, 0, 0)
    chip.write(POWER + 0x538, 2)
    chip.write(POWER + 0x014, 1)
    assert chip.wait(POWER + 0x110) == 500_000 * MICROSECOND       # CTIV counts quarters of a second


def test_rtc_counts_only_while_lfclk_runs(chip: Chip) -> None:
    chip.write(RTC1 + 0x508, 32)                                   # 32768 / 33 Hz
    chip.write(RTC1 + 0x000, 1)
    chip.run(10_000)
    assert chip.read(RTC1 + 0x504) == 0
    start_lfclk(chip)
    before = chip.read(RTC1 + 0x504)
    chip.run(100_000)
    assert chip.read(RTC1 + 0x504) - before in (99, 100)
    chip.write(POWER + 0x00C, 1)
    stopped = chip.read(RTC1 + 0x504)
    chip.run(100_000)
    assert chip.read(RTC1 + 0x504) == stopped


def test_rtc_events_need_to_be_enabled(chip: Chip) -> None:
    start_lfclk(chip)
    chip.write(RTC0 + 0x540, 10)
    chip.write(RTC0 + 0x000, 1)
    chip.run(1000)
    assert chip.read(RTC0 + 0x504) in (32, 33)
    assert (chip.read(RTC0 + 0x140), chip.read(RTC0 + 0x100)) == (0, 0)
    chip.write(RTC0 + 0x008, 1)                                    # CLEAR
    chip.write(RTC0 + 0x344, 1 << 16)
    assert (chip.read(RTC0 + 0x340), chip.read(RTC0 + 0x348)) == (1 << 16, 1 << 16)
    chip.wait(RTC0 + 0x140)
    assert chip.read(RTC0 + 0x504) == 10
    assert not chip.interrupt(RTC0)
    chip.write(RTC0 + INTENSET, 2)
    chip.write(RTC0 + 0x00C, 1)                                    # TRIGOVRFLW
    assert chip.read(RTC0 + 0x504) == 0xFFFFF0
    chip.wait(RTC0 + 0x104)
    assert chip.read(RTC0 + 0x504) == 0
    assert chip.interrupt(RTC0)
    chip.write(RTC0 + INTENSET, 1)
    first = chip.wait(RTC0 + 0x100)
    chip.write(RTC0 + 0x100, 0)
    assert first <= 489
    assert chip.wait(RTC0 + 0x100) in (488, 489)                   # 16 MHz / 32,768 Hz


def test_watchdog_resets_unless_it_is_fed(chip: Chip) -> None:
    chip.write(WDT + 0x504, 3276)                                  # 100 ms
    chip.write(WDT + 0x508, 0b101)
    chip.write(POWER + 0x51C, 0xA5)
    chip.write(WDT + 0x000, 1)
    assert (chip.read(WDT + 0x400), chip.read(WDT + 0x404)) == (1, 0b101)
    chip.write(WDT + 0x504, 5)                                     # too late
    for _ in range(5):
        chip.run(60_000)
        chip.write(WDT + 0x600, 0x6E524635)
        assert chip.read(WDT + 0x404) == 0b100
        chip.write(WDT + 0x608, 0x6E524635)
        assert chip.read(WDT + 0x404) == 0b101
    assert chip.m.resets == 0
    chip.run(60_000)
    chip.write(WDT + 0x600, 0x6E524635)                            # one of two is not enough
    chip.run(60_000)
    assert (chip.m.resets, chip.read(POWER + 0x400), chip.read(POWER + 0x51C), chip.read(WDT + 0x400)) == (1, 2, 0xA5, 0)
    chip.write(POWER + 0x400, 2)
    assert chip.read(POWER + 0x400) == 0


# -- pins, PPI -----------------------------------------------------------------------------------------------------------


def test_pins(chip: Chip) -> None:
    pins = chip.m.gpio.pins
    chip.write(GPIO + 0x508, 0x0000_0011)
    chip.write(GPIO + 0x518, 0x0000_0010)
    assert (chip.read(GPIO + 0x504), chip.read(GPIO + 0x514), chip.read(GPIO + 0x710) & 1) == (0x11, 0x10, 1)
    assert pins.levels & 0x11 == 0x10                              # pin 0 is no output
    assert chip.read(GPIO + 0x510) & 0x10 == 0                     # and the input buffer of pin 4 is off
    chip.write(GPIO + 0x710, 1)
    assert chip.read(GPIO + 0x510) & 0x10
    pins.set(2, 1)
    assert not chip.read(GPIO + 0x510) & 4
    chip.write(GPIO + 0x708, 0)
    assert chip.read(GPIO + 0x510) & 4
    pins.set(2, None)
    assert not chip.read(GPIO + 0x510) & 4
    chip.write(GPIO + 0x708, 3 << 2)
    assert chip.read(GPIO + 0x510) & 4                             # pulled up
    chip.write(GPIO + 0x700 + 4 * 6, 6 << 8 | 1)                   # S0D1: open at 1
    chip.write(GPIO + 0x508, 1 << 6)
    assert not pins.enabled >> 6 & 1
    chip.write(GPIO + 0x50C, 1 << 6)
    assert pins.enabled >> 6 & 1


def test_pin_events_and_detect(chip: Chip) -> None:
    chip.write(GPIOTE + 0x510, 1 | 5 << 8 | 1 << 16)               # IN[0]: pin 5 rises
    chip.write(GPIOTE + 0x514, 1 | 5 << 8 | 2 << 16)               # IN[1]: pin 5 falls
    chip.write(GPIO + 0x700 + 4 * 9, 3 << 16)                      # pin 9 senses low
    chip.m.gpio.pins.set(9, 1)
    chip.write(GPIOTE + 0x17C, 0)
    chip.m.gpio.pins.set(5, 1)
    assert [chip.read(GPIOTE + o) for o in (0x100, 0x104, 0x17C)] == [1, 0, 0]
    chip.m.gpio.pins.set(5, 0)
    assert [chip.read(GPIOTE + o) for o in (0x100, 0x104, 0x17C)] == [1, 1, 0]
    chip.m.gpio.pins.set(9, 0)
    assert chip.read(GPIOTE + 0x17C) == 1


def test_ppi_toggles_a_pin_from_a_timer(chip: Chip) -> None:
    edges: list[tuple[int, int]] = []
    chip.m.gpio.pins.watchers.append(lambda levels, _: edges.append((chip.m.now, levels >> 3 & 1)))
    chip.write(GPIOTE + 0x510, 3 | 3 << 8 | 3 << 16 | 1 << 20)     # a task toggles pin 3, which starts high
    chip.write(PPI + 0x510 + 8 * 7, TIMER2 + 0x140)
    chip.write(PPI + 0x514 + 8 * 7, GPIOTE + 0x000)
    chip.write(PPI + 0x504, 1 << 7)
    chip.write(TIMER2 + SHORTS, 1)
    start_timer(chip, TIMER2, cc0=20)
    begin = chip.m.now
    chip.run(100)
    assert edges == [(begin, 1), *((begin + 20 * MICROSECOND * n, 1 - n % 2) for n in range(1, 6))]
    chip.write(PPI + 0x508, 1 << 7)
    chip.run(100)
    assert len(edges) == 6


def test_ppi_groups_and_wired_channels(chip: Chip) -> None:
    chip.write(PPI + 0x804, 1 << 27)
    chip.write(PPI + 0x008, 1)                                     # CHG[1].EN
    assert chip.read(PPI + 0x500) == 1 << 27
    chip.write(PPI + 0x00C, 1)                                     # CHG[1].DIS
    assert chip.read(PPI + 0x500) == 0
    chip.write(PPI + 0x500, 0xFFFF_FFFF)
    assert chip.read(PPI + 0x500) == 0xFFF0_FFFF
    chip.write(PPI + 0x500, 1 << 21)                               # TIMER0 COMPARE[0] -> RADIO RXEN
    start_timer(chip, TIMER0, cc0=10)
    chip.run(11)
    assert chip.read(RADIO + 0x550) == 1                           # RXRU


def test_system_off_ends_by_a_pin(chip: Chip) -> None:
    chip.write(GPIO + 0x700 + 4 * 17, 3 << 16 | 3 << 2)            # pin 17 (button A) senses low
    start_timer(chip, TIMER0, cc0=100)
    chip.write(TIMER0 + INTENSET, 1 << 16)
    chip.m.run(1)
    chip.write(POWER + 0x500, 1)
    assert chip.m.run(16_000_000).reason in ("beats", "idle")
    assert chip.m.cpu.sleeping
    assert chip.m.resets == 0
    chip.m.button_a.press()
    chip.run(1000)
    assert (chip.m.resets, chip.read(POWER + 0x400), chip.m.cpu.sleeping) == (1, 1 << 16, False)


# -- measuring -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("config", "volts", "result"), [
    (2 | 2 << 2 | 0 << 5, 1.8, 512),           # a third of the input against 1.2 V
    (0 | 2 << 2 | 0 << 5, 3.6, 255),           # 8 bits, at the top
    (1 | 0 << 2 | 0 << 5, 0.6, 256),           # 9 bits, the input as it is
    (2 | 1 << 2 | 2 << 5, 2.475, 1023),        # two thirds of the input against half the supply
    (2 | 6 << 2 | 0 << 5, 0.0, 939),           # a third of the supply of 3.3 V
])
def test_adc(chip: Chip, config: int, volts: float, result: int) -> None:
    chip.m.adc.set(3, volts)
    chip.write(ADC + ENABLE, 1)
    chip.write(ADC + 0x504, config | 1 << 11)
    chip.write(ADC + 0x000, 1)
    assert chip.read(ADC + 0x400) == 1
    assert chip.wait(ADC + 0x100) == (20, 36, 68)[config & 3] * MICROSECOND
    assert (chip.read(ADC + 0x508), chip.read(ADC + 0x400)) == (result, 0)


def test_temperature(chip: Chip) -> None:
    for celsius, quarters in ((21.25, 85), (-3.5, 0xFFFF_FFF2)):
        chip.m.temp.set(celsius)
        chip.write(TEMP + 0x100, 0)
        chip.write(TEMP + 0x000, 1)
        chip.wait(TEMP + 0x100)
        assert chip.read(TEMP + 0x508) == quarters


def test_random_numbers_come_from_the_seed() -> None:
    def draw(seed: int) -> bytes:
        chip, out = Chip(seed), bytearray()
        chip.write(RNG + 0x000, 1)
        for _ in range(8):
            chip.wait(RNG + 0x100)
            out.append(chip.read(RNG + 0x508))
            chip.write(RNG + 0x100, 0)
        chip.write(RNG + SHORTS, 1)
        chip.wait(RNG + 0x100)
        chip.write(RNG + 0x100, 0)
        chip.run(2000)
        assert chip.read(RNG + 0x100) == 0                         # VALRDY -> STOP
        return bytes(out)
    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_comparator(chip: Chip) -> None:
    chip.m.adc.set(2, 1.0)
    chip.write(LPCOMP + 0x504, 2)
    chip.write(LPCOMP + 0x508, 3)                                  # half of 3.3 V
    chip.write(LPCOMP + ENABLE, 1)
    chip.write(LPCOMP + SHORTS, 1)                                 # READY -> SAMPLE
    chip.write(LPCOMP + 0x000, 1)
    chip.wait(LPCOMP + 0x100)
    assert chip.read(LPCOMP + 0x400) == 0
    chip.m.adc.set(2, 2.0)
    assert [chip.read(LPCOMP + o) for o in (0x104, 0x108, 0x10C)] == [0, 1, 1]
    chip.m.adc.set(2, 1.5)
    chip.write(LPCOMP + 0x008, 1)
    assert [chip.read(LPCOMP + o) for o in (0x104, 0x400)] == [1, 0]


def test_quadrature_decoder(chip: Chip) -> None:
    for offset, value in ((0x520, 1), (0x524, 2), (0x508, 0), (0x510, 0), (ENABLE, 1), (0x000, 1)):
        chip.write(QDEC + offset, value)
    for a, b in [(0, 1), (1, 1), (1, 0), (0, 0)] * 3 + [(1, 0), (1, 1)]:
        chip.m.gpio.pins.set(1, a)
        chip.m.gpio.pins.set(2, b)
        chip.run(128)
    assert chip.read(QDEC + 0x104) == 1
    assert chip.read(QDEC + 0x514) == 12 - 2
    chip.m.gpio.pins.set(1, 0)
    chip.m.gpio.pins.set(2, 0)                                     # two steps at once
    chip.run(128)
    assert (chip.read(QDEC + 0x544), chip.read(QDEC + 0x50C)) == (1, 2)
    chip.write(QDEC + 0x008, 1)                                    # READCLRACC
    assert [chip.read(QDEC + o) for o in (0x514, 0x518, 0x544, 0x548)] == [0, 10, 0, 1]


# -- AES -----------------------------------------------------------------------------------------------------------------


def test_ecb_with_the_standards_example(chip: Chip) -> None:
    """FIPS 197, C.1."""
    chip.m.write_memory(RAM, bytes(range(16)) + bytes.fromhex("00112233445566778899aabbccddeeff"))
    chip.write(ECB + 0x504, RAM)
    chip.write(ECB + 0x000, 1)
    chip.wait(ECB + 0x100)
    assert chip.m.peek(RAM + 32, 16) == bytes.fromhex("69c4e0d86a7b0430d8cdb78070b4c55a")
    chip.write(ECB + 0x504, 0x3000_0000)
    chip.write(ECB + 0x000, 1)
    chip.wait(ECB + 0x104)


def test_ccm_with_the_standards_example(chip: Chip) -> None:
    """Bluetooth Core 4.0, volume 6, part C, 1.2: START_ENC_RSP from master to slave; and back."""
    key, vector = bytes.fromhex("99AD1B5226A37E3E058E3B8E27C2C666"), bytes.fromhex("24ABDCBABEBAAFDE")
    chip.m.write_memory(RAM, key + bytes(8) + b"\x01" + vector)
    chip.m.write_memory(RAM + 0x40, bytes.fromhex("0F010006"))
    for offset, value in ((ENABLE, 2), (0x504, 0), (0x508, RAM), (0x50C, RAM + 0x40), (0x510, RAM + 0x80), (SHORTS, 1), (0x000, 1)):
        chip.write(CCM + offset, value)
    chip.wait(CCM + 0x104)
    assert chip.m.peek(RAM + 0x80, 8) == bytes.fromhex("0F0500 9FCDA7F448")
    for wrong in (False, True):
        if wrong:
            chip.m.write_memory(RAM + 0x83, b"\x9e")
        for offset, value in ((0x104, 0), (0x504, 1), (0x50C, RAM + 0x80), (0x510, RAM + 0xC0), (0x000, 1)):
            chip.write(CCM + offset, value)
        chip.wait(CCM + 0x104)
        assert chip.read(CCM + 0x400) == int(not wrong)
        assert chip.m.peek(RAM + 0xC0, 4) == bytes.fromhex("0F010007" if wrong else "0F010006")


def test_address_resolution_with_the_standards_example(chip: Chip) -> None:
    """Bluetooth Core 4.2, volume 3, part H, D.7: the hash of prand 708194 is 0dfbaa."""
    key = bytes.fromhex("ec0234a357c8ad05341010a60a397d9b")
    chip.m.write_memory(RAM, bytes(16) + key)
    chip.m.write_memory(RAM + 0x40, bytes(3) + bytes.fromhex("0dfbaa")[::-1] + bytes.fromhex("708194")[::-1])
    for offset, value in ((ENABLE, 3), (0x504, 2), (0x508, RAM), (0x510, RAM + 0x40), (0x000, 1)):
        chip.write(CCM + offset, value)
    chip.wait(CCM + 0x100)
    assert [chip.read(CCM + o) for o in (0x104, 0x108, 0x400)] == [1, 0, 1]
    chip.write(CCM + 0x504, 1)                                     # without the second key
    chip.write(CCM + 0x000, 1)
    chip.wait(CCM + 0x108)


# -- serial --------------------------------------------------------------------------------------------------------------


def start_uart(chip: Chip) -> None:
    for offset, value in ((0x50C, 24), (0x514, 25), (0x524, 0x01D7_E000), (ENABLE, 4), (0x008, 1), (0x000, 1)):
        chip.write(UART + offset, value)


def test_uart_sends_and_receives(chip: Chip) -> None:
    start_uart(chip)
    for byte in b"out":
        chip.write(UART + 0x11C, 0)
        chip.write(UART + 0x51C, byte)
        assert chip.read(UART + 0x11C) == 1
    assert chip.m.serials[0].output == b"out"
    chip.m.serials[0].feed(b"0123456789")
    chip.run(10_000)
    received = bytearray()
    while chip.read(UART + 0x108):
        chip.write(UART + 0x108, 0)
        received.append(chip.read(UART + 0x518))
        if len(received) in (3, 9):
            chip.run(10_000)                                       # the rest waits outside for room
    assert received == b"0123456789"
    chip.write(UART + 0x004, 1)
    assert chip.read(UART + 0x144) == 1                            # RXTO
    chip.m.serials[0].feed(b"x")
    chip.run(1000)
    assert chip.read(UART + 0x108) == 0


def test_uart_without_a_pin_says_what_is_lost(chip: Chip) -> None:
    start_uart(chip)
    chip.write(UART + 0x50C, 0xFFFF_FFFF)
    chip.write(UART + 0x51C, ord("x"))
    assert chip.read(UART + 0x11C) == 1
    assert chip.m.serials[0].output == b""
    assert "PSELTXD" in chip.m.reports[0][2]


def test_spi_exchanges_bytes() -> None:
    chip = Chip()
    chip.m.twi1.spi = lambda byte: byte ^ 0xFF
    chip.write(SPI + ENABLE, 1)
    chip.write(SPI + 0x524, 0x8000_0000)                           # 8 MHz: a byte in 16 beats
    chip.write(SPI + 0x51C, 0x12)
    chip.write(SPI + 0x51C, 0x34)                                  # TXD is double-buffered
    assert chip.wait(SPI + 0x108) == 16
    chip.write(SPI + 0x108, 0)
    chip.run(10)
    assert chip.read(SPI + 0x108) == 0                             # the second byte waits behind the first
    assert chip.read(SPI + 0x518) == 0x12 ^ 0xFF
    assert chip.read(SPI + 0x108) == 1
    assert chip.read(SPI + 0x518) == 0x34 ^ 0xFF


def test_twi_reads_and_writes_registers(chip: Chip) -> None:
    """The accelerometer's control register, with a repeated start; then an address where nobody is."""
    for offset, value in ((ENABLE, 5), (0x524, 0x0198_0000), (0x588, 0x1D), (0x008, 1)):
        chip.write(TWI + offset, value)
    for byte in (0x2A, 0x19):
        chip.write(TWI + 0x11C, 0)
        chip.write(TWI + 0x51C, byte)
        assert chip.wait(TWI + 0x11C) > 9 * 16_000_000 / 100_000 - 10
    chip.write(TWI + 0x014, 1)
    chip.wait(TWI + 0x104)
    assert int(chip.m.accelerometer.CTRL_REG1) == 0x19
    chip.write(TWI + 0x104, 0)
    chip.write(TWI + 0x11C, 0)
    chip.write(TWI + 0x008, 1)
    chip.write(TWI + 0x51C, 0x0D)                                  # WHO_AM_I
    chip.wait(TWI + 0x11C)
    chip.write(TWI + SHORTS, 2)                                    # BB -> STOP: one byte
    chip.write(TWI + 0x000, 1)
    chip.wait(TWI + 0x108)
    assert chip.read(TWI + 0x518) == 0x5A
    chip.wait(TWI + 0x104)
    chip.write(TWI + 0x588, 0x33)
    chip.write(TWI + 0x000, 1)
    chip.wait(TWI + 0x124)
    assert chip.read(TWI + 0x4C4) == 2                             # ANACK
    chip.write(TWI + 0x4C4, 2)
    assert chip.read(TWI + 0x4C4) == 0


def test_twi_reads_byte_by_byte_with_suspend(chip: Chip) -> None:
    chip.m.magnetometer.set(12_300, -500, 0)
    for offset, value in ((ENABLE, 5), (0x524, 0x0668_0000), (0x588, 0x0E)):
        chip.write(TWI + offset, value)

    def send(*data: int) -> None:
        chip.write(TWI + 0x008, 1)
        for byte in data:
            chip.write(TWI + 0x51C, byte)
            chip.wait(TWI + 0x11C)
            chip.write(TWI + 0x11C, 0)
    send(0x10, 0x01)                                               # active at 80 Hz
    chip.write(TWI + 0x014, 1)
    chip.run(20_000)
    assert chip.m.gpio.pins.levels >> 29 & 1                       # its interrupt line
    send(0x01)
    chip.write(TWI + SHORTS, 1)                                    # BB -> SUSPEND
    chip.write(TWI + 0x000, 1)
    data = bytearray()
    for n in range(4):
        chip.wait(TWI + 0x108)
        chip.write(TWI + 0x108, 0)
        data.append(chip.read(TWI + 0x518))
        chip.run(1000)
        assert chip.read(TWI + 0x108) == 0                         # nothing more while it is suspended
        if n == 2:
            chip.write(TWI + SHORTS, 2)
        chip.write(TWI + 0x020, 1)
    assert data == (123).to_bytes(2, "big") + (-5).to_bytes(2, "big", signed=True)
    assert not chip.m.gpio.pins.levels >> 29 & 1


# -- flash, radio ----------------------------------------------------------------------------------------------------------


def test_flash_is_written_by_words_and_erased_by_pages(chip: Chip) -> None:
    page = 0x20000
    chip.write(page, 0x1234_5678)
    assert chip.read(page) == 0xFFFF_FFFF                          # CONFIG does not allow it, which is said
    assert "CONFIG.WEN" in chip.m.reports[-1][2]
    chip.write(NVMC + 0x504, 1)
    chip.write(page, 0x1234_5678)
    assert chip.read(NVMC + 0x400) == 0
    chip.wait(NVMC + 0x400)
    chip.write(page, 0xFFFF_0000)
    chip.write(page + 1024, 7)
    chip.write(UICR + 0x80, 5)
    assert (chip.read(page), chip.read(UICR + 0x80)) == (0x1234_0000, 5)       # bits only go from 1 to 0
    with pytest.raises(GuestFault):
        chip.m.bus_write(page, 2, 0)
    chip.write(NVMC + 0x508, page)
    assert chip.read(page) == 0x1234_0000                          # erasing is not enabled
    chip.write(NVMC + 0x504, 2)
    chip.write(NVMC + 0x508, page)
    assert (chip.read(page), chip.read(page + 1024)) == (0xFFFF_FFFF, 7)
    chip.write(NVMC + 0x514, 1)
    assert chip.read(UICR + 0x80) == 0xFFFF_FFFF
    chip.write(NVMC + 0x50C, 1)
    assert chip.read(page + 1024) == 0xFFFF_FFFF
    assert chip.read(0) == 0xFFFF_FFFF


def test_protected_blocks_stay(chip: Chip) -> None:
    chip.write(POWER + 0x604, 1 << 2)                              # block 34: 0x22000
    chip.write(NVMC + 0x504, 1)
    for address in (0x21FFC, 0x22000):
        chip.write(address, 1)
    assert (chip.read(0x21FFC), chip.read(0x22000)) == (1, 0xFFFF_FFFF)
    assert "protected" in chip.m.reports[-1][2]


def test_radio_states(chip: Chip) -> None:
    chip.m.write_memory(RAM, b"\x03abc")
    for offset, value in ((0x504, RAM), (0x514, 8), (0x518, 32 | 4 << 16), (0x534, 2), (SHORTS, 0b11)):
        chip.write(RADIO + offset, value)                          # READY -> START, END -> DISABLE
    sent: list[bytes] = []
    chip.m.radio.listeners.append(sent.append)
    chip.write(RADIO + 0x000, 1)
    assert chip.read(RADIO + 0x550) == 9
    assert chip.wait(RADIO + 0x100) == 140 * MICROSECOND
    assert chip.read(RADIO + 0x550) == 11
    assert chip.wait(RADIO + 0x10C) == (8 + 40 + 8 * (4 + 2)) * MICROSECOND    # preamble, address, packet and CRC at 1 Mbit/s
    chip.wait(RADIO + 0x110)
    assert (chip.read(RADIO + 0x550), sent) == (0, [b"\x03abc"])
    assert not chip.m.radio.receive(b"\x01z")                      # not listening
    chip.write(RADIO + 0x110, 0)
    chip.write(RADIO + 0x004, 1)
    chip.run(500)
    assert chip.read(RADIO + 0x550) == 3
    assert chip.m.radio.receive(b"\x01z", signal=-50)
    assert (chip.read(RADIO + 0x400), chip.read(RADIO + 0x548), chip.m.peek(RAM, 2)) == (1, 50, b"\x01z")
    chip.wait(RADIO + 0x110)
    assert chip.read(RADIO + 0x550) == 0


def test_a_peripheral_switched_off_is_reset(chip: Chip) -> None:
    start_timer(chip, TIMER0, cc0=100)
    chip.write(TIMER0 + 0xFFC, 0)
    assert (chip.read(TIMER0 + 0xFFC), chip.read(TIMER0 + 0x540)) == (0, 0)
    chip.run(200)
    assert chip.read(TIMER0 + 0x140) == 0
    chip.write(TIMER0 + 0xFFC, 1)
    assert chip.read(TIMER0 + 0xFFC) == 1
