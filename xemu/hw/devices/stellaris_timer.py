"""Stellaris general-purpose timer module. LM3S6965 data sheet, chapter 10."""

from __future__ import annotations

from typing import Any

from xemu.hw.device import Device, KiB
from xemu.hw.devices.countdown import Countdown
from xemu.hw.parts import Count, IrqOut, Param, Pins, Timer, Var
from xemu.hw.registers import RO, RW, TODO, WO, Reg

ONE_SHOT, PERIODIC, CAPTURE = 1, 2, 3                  # TnMR
WHOLE, RTC, HALVES = 0, 1, 4                           # CFG
TO, CM, CE, RTCM = 1, 2, 4, 8                          # bits of timer A in RIS; timer B's (but RTCM) are 8 higher


class Gptm(Device, size=4 * KiB):
    """Two 16-bit timers, or one of 32 bits, or a clock of seconds. Pins `ccp`: capture inputs of A (0) and B (1).

    PWM outputs are not modelled. `trigger` starts conversions of the ADC.
    """

    clock: int = Param()
    irq_a, irq_b, trigger = IrqOut(), IrqOut(), IrqOut()
    ccp = Pins(2)
    counter_a, counter_b = Countdown(), Countdown()
    seconds = Timer(1)
    counted = Var([0, 0])                  # edges counted down, by timer
    captured = Var([0, 0])                 # the count at an edge, by timer

    CFG = Reg(0x000, "Configuration", CFG=RW[2:0](whole=WHOLE, rtc=RTC, halves=HALVES))
    MR = Reg(0x004, "Mode of timer A, B", count=2, MR=RW[1:0](one_shot=ONE_SHOT, periodic=PERIODIC, capture=CAPTURE),
             CMR=RW[2](count=0, time=1), AMS=TODO[3])
    CTL = Reg(0x00C, "Control", TAEN=RW[0], TASTALL=RW[1], TAEVENT=RW[3:2], RTCEN=RW[4], TAOTE=RW[5], TAPWML=RW[6], TBEN=RW[8],
              TBSTALL=RW[9], TBEVENT=RW[11:10], TBOTE=RW[13], TBPWML=RW[14])
    IMR = Reg(0x018, "Interrupt mask", TATOIM=RW[0], CAMIM=RW[1], CAEIM=RW[2], RTCIM=RW[3], TBTOIM=RW[8], CBMIM=RW[9], CBEIM=RW[10])
    RIS = Reg(0x01C, "Raw interrupt status", TATORIS=RO[0], CAMRIS=RO[1], CAERIS=RO[2], RTCRIS=RO[3], TBTORIS=RO[8], CBMRIS=RO[9],
              CBERIS=RO[10])
    MIS = Reg(0x020, "Masked interrupt status", VALUE=RO[10:0])
    ICR = Reg(0x024, "Interrupt clear", VALUE=WO[10:0])
    TAILR = Reg(0x028, "Interval load of timer A, or of the whole", reset=0xFFFFFFFF)
    TBILR = Reg(0x02C, "Interval load of timer B", reset=0xFFFF, VALUE=RW[15:0])
    TAMATCHR = Reg(0x030, "Match of timer A, or of the clock", reset=0xFFFFFFFF)
    TBMATCHR = Reg(0x034, "Match of timer B", reset=0xFFFF, VALUE=RW[15:0])
    PR = Reg(0x038, "Prescale of timer A, B", count=2, PSR=RW[7:0])
    PMR = Reg(0x040, "Prescale match of timer A, B", count=2, PSMR=TODO[7:0])
    TAR = Reg(0x048, "Timer A", reset=0xFFFFFFFF, access=RO)
    TBR = Reg(0x04C, "Timer B", reset=0xFFFF, access=RO)

    def after_reset(self):
        for counter, full in ((self.counter_a, 0xFFFFFFFF), (self.counter_b, 0xFFFF)):
            counter.hz = self.clock
            counter.put(full)
        self.counted = [0xFFFF, 0xFFFF]

    def set_clock(self, hz: int) -> None:
        """Run from a clock of another frequency."""
        self.clock = self.counter_a.hz = self.counter_b.hz = hz

    # -- what timer i (0: A, 1: B) does now --------------------------------------------------------------------------------
    def _counter(self, i: int) -> Any:
        return self.counter_b if i else self.counter_a

    def _enabled(self, i: int) -> bool:
        return bool(self.CTL >> 8 * i & 1)

    def _load(self, i: int) -> int:
        if i:
            return int(self.TBILR)
        return int(self.TAILR) & (0xFFFF if self.CFG.CFG == HALVES else 0xFFFFFFFF)

    def _match(self, i: int) -> int:
        return int(self.TBMATCHR if i else self.TAMATCHR) & 0xFFFF

    def _captures(self, i: int) -> bool:
        return bool(self.CFG.CFG == HALVES and self.MR[i].MR == CAPTURE)

    def _counts_edges(self, i: int) -> bool:
        return self._captures(i) and not self.MR[i].CMR

    # -- starting and stopping ---------------------------------------------------------------------------------------------
    @CTL.on_write
    def _control(self, value, old):
        for i in (0, 1):
            on, was = value >> 8 * i & 1, old >> 8 * i & 1
            if on and not was:
                self._start(i)
            elif was and not on:
                self._stop(i)

    def _start(self, i: int) -> None:
        if self.CFG.CFG == RTC:
            if i == 0:
                self.seconds.start()
                self._expect_match()
        elif self.CFG.CFG == HALVES or i == 0:
            self._begin(i)

    def _begin(self, i: int) -> None:
        counter, mode = self._counter(i), self.MR[i].MR
        if self._counts_edges(i):
            self.counted[i] = self._load(i)
        elif mode:
            prescaled = self.CFG.CFG == HALVES and mode != CAPTURE
            counter.divide = self.PR[i] + 1 if prescaled else 1
            counter.top = None if mode == ONE_SHOT else self._load(i)
            counter.put(self._load(i))
            counter.start()

    def _stop(self, i: int) -> None:
        self._counter(i).stop()
        if i == 0:
            self.seconds.stop()

    @TAILR.on_write
    def _load_a(self, _value):
        self._reload(0)

    @TBILR.on_write
    def _load_b(self, _value):
        self._reload(1)

    def _reload(self, i: int) -> None:
        """A new interval takes effect at once (10.3.2)."""
        if i == 0 and self.CFG.CFG == RTC:
            self.seconds.value = int(self.TAILR)
            self._expect_match()
        elif self._enabled(i) and not self._counts_edges(i):
            self._begin(i)

    # -- counting to zero ----------------------------------------------------------------------------------------------------
    @counter_a.zero
    def _zero_a(self):
        self._zero(0)

    @counter_b.zero
    def _zero_b(self):
        self._zero(1)

    def _zero(self, i: int) -> None:
        if self._captures(i):
            return
        self.RIS = self.RIS | TO << 8 * i
        if self.CTL & 0x20 << 8 * i:
            self.trigger.pulse()
        if self.MR[i].MR == ONE_SHOT:
            self.CTL = self.CTL & ~(1 << 8 * i)
            counter = self._counter(i)
            counter.stop()
            counter.put(self._load(i))

    # -- the clock of seconds: the 32.768 kHz input is divided by 32768 ----------------------------------------------------
    def _expect_match(self) -> None:
        match = int(self.TAMATCHR)
        if match > self.seconds.value:
            self.seconds.expire_at(match)
        else:
            self.seconds.cancel()

    @TAMATCHR.on_write
    def _set_match(self, _value):
        self._expect_match()

    @seconds.expired
    def _second(self):
        self.RIS = self.RIS | RTCM

    # -- capture -----------------------------------------------------------------------------------------------------------------
    @ccp.changed
    def _edges(self, before, now):
        for i in (0, 1):
            rising, falling = now & ~before & 1 << i, before & ~now & 1 << i
            event = self.CTL >> 8 * i + 2 & 3                    # 0 rising, 1 falling, 3 both
            wanted = event in (0, 3) if rising else event in (1, 3)
            if (rising or falling) and wanted and self._captures(i) and self._enabled(i):
                self._capture(i)

    def _capture(self, i: int) -> None:
        if self.MR[i].CMR:
            self.captured[i] = self._counter(i).left
            self.RIS = self.RIS | CE << 8 * i
            return
        self.counted[i] = self.counted[i] - 1 & 0xFFFF
        if self.counted[i] == self._match(i):
            self.RIS = self.RIS | CM << 8 * i
            self.counted[i] = self._load(i)
            self.CTL = self.CTL & ~(1 << 8 * i)                  # 10.2.3.2: it stops and is loaded again

    # -- what is seen -------------------------------------------------------------------------------------------------------------
    def _shown(self, i: int) -> Any:
        if self._captures(i):
            return self.captured[i] if self.MR[i].CMR else self.counted[i]
        return self._counter(i).shown()

    @TAR.counts
    def _timer_a(self):
        if self.CFG.CFG == RTC:
            return Count(self.seconds)
        return self._shown(0)

    @TBR.counts
    def _timer_b(self):
        return self._shown(1)

    @MIS.computed
    def _masked(self):
        return self.RIS & self.IMR

    @ICR.on_write
    def _clear(self, value):
        self.RIS = self.RIS & ~value

    def update(self):
        raised = self.RIS & self.IMR
        self.irq_a.set(raised & 0xFF)
        self.irq_b.set(raised & 0xF00)
