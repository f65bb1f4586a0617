"""The STM32F405's timers, clock and watchdogs, random numbers and CRC, driven as RM0090 says."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.stm32 import MS, RAM, US, board, interrupt, of, start_pll, timer

if TYPE_CHECKING:
    from xemu.hw.machine import Machine


@pytest.fixture
def m() -> Machine:
    return board()


# -- timers ---------------------------------------------------------------------------------------------------------------
def test_timer_counts_up_and_overflows(m):
    tim = timer(m)
    tim.CR1 = 1
    m.run(500 * US)
    assert tim.CNT == 500
    m.run(499 * US)
    assert (tim.CNT, tim.SR & 1) == (999, 0)
    m.run(US)
    assert (tim.CNT, tim.SR & 1) == (0, 1)
    tim.SR = 0
    m.run(5000 * US)
    assert (tim.CNT, tim.SR & 1) == (0, 1)


def test_timer_stops_and_goes_on(m):
    tim = timer(m)
    tim.CR1 = 1
    m.run(100 * US)
    tim.CR1 = 0
    m.run(100 * US)
    assert tim.CNT == 100
    tim.CR1 = 1
    m.run(100 * US)
    assert tim.CNT == 200
    tim.CNT = 990
    m.run(20 * US)
    assert tim.CNT == 10


def test_timer_counts_down(m):
    tim = timer(m)
    tim.CR1 = 0x10
    tim.EGR = 1
    tim.SR = 0
    tim.CR1 = 0x11
    assert tim.CNT == 999
    m.run(999 * US)
    assert (tim.CNT, tim.SR & 1) == (0, 0)
    m.run(US)
    assert (tim.CNT, tim.SR & 1) == (999, 1)


def test_timer_centre_aligned(m):
    tim = timer(m, arr=100)
    tim.CCR[0] = 30
    tim.CR1 = 0x61
    m.run(99 * US)
    assert (tim.CNT, tim.SR & 3) == (99, 2)
    tim.SR = 0
    m.run(2 * US)
    assert (tim.CNT, tim.SR & 3) == (99, 1)
    tim.SR = 0
    m.run(70 * US)
    assert (tim.CNT, tim.SR & 3) == (29, 2)
    m.run(29 * US)
    assert (tim.CNT, tim.SR & 3) == (0, 3)


def test_timer_prescaler_and_preloaded_limit_act_at_the_update(m):
    tim = timer(m)
    tim.CR1 = 0x81
    m.run(500 * US)
    tim.PSC, tim.ARR = 31, 99
    m.run(400 * US)
    assert tim.CNT == 900
    m.run(100 * US)
    assert tim.CNT == 0
    m.run(100 * US)
    assert tim.CNT == 50
    m.run(100 * US)
    assert tim.CNT == 0


def test_timer_limit_without_preload_acts_at_once(m):
    tim = timer(m)
    tim.CR1 = 1
    m.run(50 * US)
    tim.ARR = 99
    m.run(60 * US)
    assert (tim.CNT, tim.SR & 1) == (10, 1)


def test_timer_one_pulse(m):
    tim = timer(m)
    tim.CR1 = 9
    m.run(1500 * US)
    assert (tim.CNT, tim.CR1, tim.SR & 1) == (0, 8, 1)


def test_timer_update_generation(m):
    tim, = of(m, "tim6")
    tim.EGR = 1
    assert tim.SR == 1
    tim.SR = 0
    tim.CR1 = 4
    tim.EGR = 1
    assert tim.SR == 0
    tim.CR1 = 2
    tim.PSC = 9
    tim.EGR = 1
    assert tim.SR == 0


@pytest.mark.parametrize(("name", "irq"), [("tim2", 28), ("tim3", 29), ("tim4", 30), ("tim5", 50), ("tim6", 54), ("tim7", 55), ("tim1", 25),
                                           ("tim8", 44), ("tim9", 24), ("tim10", 25), ("tim11", 26), ("tim12", 43), ("tim13", 44),
                                           ("tim14", 45)])
def test_timer_interrupt(m, name, irq):
    tim = timer(m, name)
    tim.DIER, tim.CR1 = 1, 1
    m.run(1000 * US)
    assert interrupt(m, irq)
    tim.SR = 0
    assert not interrupt(m, irq)


def test_timer_compare_flags_and_interrupts(m):
    tim = timer(m, "tim1")
    tim.CCR[0], tim.CCR[3] = 100, 700
    tim.DIER, tim.CR1 = 1 << 4, 1
    m.run(100 * US)
    assert tim.SR & 0x1F == 2
    assert not interrupt(m, 27)
    m.run(600 * US)
    assert tim.SR & 0x1F == 0x12
    assert interrupt(m, 27)


def test_timer_repetition_counter(m):
    tim, = of(m, "tim1")
    tim.PSC, tim.ARR, tim.RCR = 15, 99, 2
    tim.EGR = 1
    tim.SR = 0
    tim.CR1 = 1
    m.run(299 * US)
    assert not tim.SR & 1
    m.run(US)
    assert tim.SR & 1


def test_timer_of_32_bits(m):
    tim, small = of(m, "tim2", "tim3")
    assert (tim.ARR, small.ARR) == (0xFFFF_FFFF, 0xFFFF)
    tim.CNT, tim.CR1 = 0xFFFF_FFF0, 1
    m.run(168 * 2)
    assert tim.CNT == 0x10                                   # 32 cycles of 16 MHz
    small.CNT = 0x12345
    assert small.CNT == 0x2345


def test_timer_input_capture_by_software(m):
    tim = timer(m)
    tim.CCMR[0], tim.CCER = 1, 1
    tim.CNT = 321
    tim.EGR = 2
    assert tim.SR & 0x202 == 2
    tim.EGR = 2
    assert tim.SR & 0x202 == 0x202
    assert tim.CCR[0] == 321
    assert tim.SR & 0x202 == 0x200                           # reading the capture clears its flag


def test_timer_clock_follows_rcc(m):
    tim = timer(m, psc=0, arr=0xFFFF)
    start_pll(m)
    tim.CR1 = 1
    m.run(1000)
    assert tim.CNT == 500


@pytest.mark.parametrize("control", [0x01, 0x11, 0x61])
def test_native_reads_of_a_counter_are_python_s(m, control):
    """A guest that reads CNT in a loop stores what the model says at those beats."""
    tim = timer(m, psc=6, arr=50)
    program = ("0449"            # ldr r1, =CNT
               "054a"            # ldr r2, =table
               "0b68"            # again: ldr r3, [r1]
               "1360"            # str r3, [r2]
               "0432"            # adds r2, #4
               "fbe7")           # b again
    m.write_memory(RAM + 0x200, bytes.fromhex(program))
    m.write_memory(RAM + 0x214, tim.at("CNT").to_bytes(4, "little") + (RAM + 0x2000).to_bytes(4, "little"))
    m.cpu.reset()
    tim.CR1 = control
    begin = m.now
    m.run(8000)
    stored = [int.from_bytes(m.peek(RAM + 0x2000 + 4 * i, 4) or b"", "little") for i in range(1500)]
    other = board()
    tim = timer(other, psc=6, arr=50)
    other.run(begin - other.now)
    tim.CR1 = control
    expected, at = [], begin + 2
    for _ in range(1500):
        other.run(at - other.now)
        expected.append(tim.CNT)
        at += 4
    assert stored == expected
    assert len(set(stored)) == 51


# -- RTC ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def rtc(m: Machine) -> Any:
    rcc, pwr, rtc = of(m, "rcc", "pwr", "rtc")
    rcc.APB1ENR |= 1 << 28
    pwr.CR |= 1 << 8
    rcc.BDCR = 1
    rcc.BDCR |= 1 << 8 | 1 << 15
    rtc.WPR = 0xCA
    rtc.WPR = 0x53
    return rtc


def set_clock(rtc: Any, time: int, date: int) -> None:
    rtc.ISR |= 0x80
    assert rtc.ISR & 0x40
    rtc.TR, rtc.DR = time, date
    rtc.ISR &= ~0x80


SECOND = 168_000_000


def test_rtc_midnight_at_the_end_of_a_year(rtc):
    set_clock(rtc, 0x235958, 0x24_5231)                      # Tuesday, 31 December 2024
    assert (rtc.TR, rtc.DR) == (0x235958, 0x24_5231)
    rtc.m.run(SECOND)
    assert rtc.TR == 0x235959
    rtc.m.run(SECOND)
    assert (rtc.TR, rtc.DR) == (0, 0x25_6101)                # Wednesday, 1 January 2025
    assert rtc.ISR & 0x10


def test_rtc_leap_day_and_twelve_hours(rtc):
    rtc.CR = 0x40
    set_clock(rtc, 1 << 22 | 0x115959, 0x24_8228)            # 11:59:59 PM, Wednesday, 28 February 2024… WDU 4
    rtc.m.run(SECOND)
    assert (rtc.TR, rtc.DR) == (0x120000, 0x24_A229)


def test_rtc_sub_seconds(rtc):
    set_clock(rtc, 0, 0x2101)
    assert rtc.SSR == 0xFF
    rtc.m.run(SECOND // 4)
    assert rtc.SSR == 0xFF - 64


def test_rtc_reads_of_a_guest_are_right_at_the_next_second(rtc):
    set_clock(rtc, 0, 0x2101)
    seen = []
    for _ in range(6):
        seen.append(rtc.TR)
        rtc.m.run(SECOND // 2)
    assert seen == [0, 0, 1, 1, 2, 2]


def test_rtc_alarm_through_exti(rtc):
    m, (exti,) = rtc.m, of(rtc.m, "exti")
    exti.IMR = exti.RTSR = 1 << 17
    set_clock(rtc, 0x081458, 0x2101)
    rtc.ALRMAR = 1 << 31 | 0x081500
    rtc.CR |= 1 << 8 | 1 << 12
    assert not rtc.ISR & 1
    m.run(2 * SECOND - MS)
    assert not rtc.ISR & 0x100
    m.run(2 * MS)
    assert rtc.ISR & 0x100
    assert interrupt(m, 41)
    rtc.ISR &= ~0x100
    exti.PR = 1 << 17
    assert not interrupt(m, 41)


def test_rtc_alarm_on_a_weekday_ignores_masked_fields(rtc):
    set_clock(rtc, 0x235959, 0x2101)                         # Monday
    rtc.ALRMBR = 1 << 30 | 2 << 24 | 0x80_8080               # Tuesday, whenever
    rtc.CR |= 1 << 9
    rtc.m.run(SECOND // 2)
    assert not rtc.ISR & 0x200
    rtc.m.run(SECOND)
    assert rtc.ISR & 0x200


def test_rtc_wakeup_timer(rtc):
    m, (exti,) = rtc.m, of(rtc.m, "exti")
    exti.IMR = exti.RTSR = 1 << 22
    rtc.WUTR = 2047
    rtc.CR |= 1 << 10 | 1 << 14                              # RTCCLK / 16: a second
    m.run(SECOND - MS)
    assert not rtc.ISR & 0x400
    m.run(2 * MS)
    assert interrupt(m, 3)
    rtc.ISR &= ~0x400
    m.run(SECOND)
    assert rtc.ISR & 0x400


def test_rtc_is_protected_by_keys(rtc):
    rtc.WPR = 0xFF
    rtc.PRER = 1
    rtc.ISR |= 0x80
    assert (rtc.PRER, rtc.ISR & 0xC0) == (0x007F_00FF, 0)


def test_rtc_backup_reset(rtc):
    rcc, = of(rtc.m, "rcc")
    rtc.BKPR[19] = 7
    set_clock(rtc, 0x101010, 0x2101)
    rcc.BDCR |= 1 << 16
    assert (rtc.BKPR[19], rcc.BDCR) == (0, 1 << 16)
    rcc.BDCR = 0
    assert rtc.TR == 0


# -- watchdogs, RNG, CRC --------------------------------------------------------------------------------------------------


def test_iwdg_bites_when_it_is_not_fed(m):
    iwdg, rcc = of(m, "iwdg", "rcc")
    rcc.CSR = 1 << 24
    iwdg.RLR = 5
    assert iwdg.RLR == 0xFFF
    iwdg.KR = 0x5555
    iwdg.PR, iwdg.RLR = 0, 799                               # 100 ms
    iwdg.KR = 0xCCCC
    for _ in range(3):
        m.run(90 * MS)
        iwdg.KR = 0xAAAA
    assert m.resets == 0
    m.run(101 * MS)
    assert m.resets == 1
    assert rcc.CSR >> 24 == 0x24


def test_wwdg_window(m):
    wwdg, rcc = of(m, "wwdg", "rcc")
    rcc.CSR = 1 << 24
    wwdg.CFR = 0x150 & 0x1FF | 0x200                         # 4 × 4096 cycles of 16 MHz a step; window 0x50
    wwdg.CR = 0xFF
    step = 4 * 4096 * 168 // 16
    m.run(0x30 * step)
    assert wwdg.CR == 0xFF - 0x30
    wwdg.CR = 0xFF
    assert m.resets == 0
    m.run(0x3F * step + 100)
    assert wwdg.SR == 1
    assert interrupt(m, 0)
    m.run(step)
    assert m.resets == 1
    assert rcc.CSR >> 24 == 0x44


def test_wwdg_refreshed_too_early(m):
    wwdg, = of(m, "wwdg")
    wwdg.CFR = 0x50
    wwdg.CR = 0xFF
    wwdg.CR = 0xFF
    m.run(10)
    assert m.resets == 1


def test_rng_depends_on_the_seed_alone():
    def numbers(seed: int) -> list[int]:
        rng, = of(board(seed=seed), "rng")
        rng.CR = 4
        assert rng.SR == 1
        return [rng.DR for _ in range(4)]

    assert numbers(1) == numbers(1)
    assert len({*numbers(1), *numbers(2)}) == 8


def test_crc_is_crc_32_of_words_from_the_top(m):
    crc, = of(m, "crc")
    words = [0x1234_5678, 0xDEAD_BEEF, 0]
    for word in words:
        crc.DR = word
    mirrored = bytes(int(f"{b:08b}"[::-1], 2) for w in words for b in w.to_bytes(4, "big"))
    assert int(f"{zlib.crc32(mirrored) ^ 0xFFFF_FFFF:032b}"[::-1], 2) == crc.DR
    crc.CR = 1
    assert crc.DR == 0xFFFF_FFFF
