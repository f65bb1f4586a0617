"""Real-time clock of the STM32F405. RM0090, chapter 26. The calendar is computed from RTCCLK's ticks.

Time stamps, tamper detection, calibration and the sub-second part of alarms are not modelled.
"""

from __future__ import annotations

from datetime import date, timedelta

from xemu.hw.devices.stm32_rcc import Clocked
from xemu.hw.parts import Count, IrqOut, Timer, Var
from xemu.hw.registers import RO, RW, TODO, WO, Reg

INIT, RSF, INITF, INITS = 1 << 7, 1 << 5, 1 << 6, 1 << 4
ALRAF, ALRBF, WUTF = 1 << 8, 1 << 9, 1 << 10
FIRST_DAY, CENTURY, DAY = date(2000, 1, 1), 36525, 86_400
TIME, DATE = 0x007F_7F7F, 0x00FF_FF3F                      # the bits of TR and DR
OPEN = (0x0C, 0x24, 0x40)                                  # offsets that need no key: ISR (but for INIT), WPR, TAFCR


def bcd(number: int) -> int:
    """Return a number below 100 in BCD."""
    return number // 10 << 4 | number % 10


def unbcd(bits: int) -> int:
    """Return the number that BCD digits stand for."""
    return (bits >> 4) * 10 + (bits & 15)


class Rtc(Clocked, size=0x400):
    """RTC, 26.6. It is in the backup domain: only a backup reset (RCC_BDCR.BDRST) resets it."""

    alarm, wakeup = IrqOut(), IrqOut()
    ticks = Timer()                                        # of RTCCLK since the calendar was at `seconds`
    wake, sync = Timer(), Timer()
    seconds = Var(0)                                       # since 2000
    weekday = Var(0)                                       # that 1 January 2000 counts as, 0 is Monday (so DR at reset)
    keys = Var(0)                                          # of WPR that have been given; 2 opens
    powered = Var(False)
    shown = Var(False)                                     # TR and DR were read in this second: native code answers until the next

    TR = Reg(0x00, "Time", SU=RW[3:0], ST=RW[6:4], MNU=RW[11:8], MNT=RW[14:12], HU=RW[19:16], HT=RW[21:20], PM=RW[22])
    DR = Reg(0x04, "Date", reset=0x2101, DU=RW[3:0], DT=RW[5:4], MU=RW[11:8], MT=RW[12], WDU=RW[15:13], YU=RW[19:16], YT=RW[23:20])
    CR = Reg(0x08, "Control", WUCKSEL=RW[2:0], TSEDGE=RW[3], REFCKON=RW[4], BYPSHAD=RW[5], FMT=RW[6], DCE=TODO[7], ALRAE=RW[8],
             ALRBE=RW[9], WUTE=RW[10], TSE=TODO[11], ALRAIE=RW[12], ALRBIE=RW[13], WUTIE=RW[14], TSIE=RW[15], ADD1H=WO[16], SUB1H=WO[17],
             BKP=RW[18], COSEL=RW[19], POL=RW[20], OSEL=RW[22:21], COE=TODO[23])
    ISR = Reg(0x0C, "Initialization and status", reset=7, ALRAWF=RO[0], ALRBWF=RO[1], WUTWF=RO[2], SHPF=RO[3], INITS=RO[4], RSF=RO[5],
              INITF=RO[6], INIT=RW[7], ALRAF=RO[8], ALRBF=RO[9], WUTF=RO[10], TSF=RO[11], TSOVF=RO[12], TAMP1F=RO[13], RECALPF=RO[16])
    PRER = Reg(0x10, "Prescaler", reset=0x007F_00FF, PREDIV_S=RW[14:0], PREDIV_A=RW[22:16])
    WUTR = Reg(0x14, "Wakeup timer", reset=0xFFFF, WUT=RW[15:0])
    CALIBR = Reg(0x18, "Coarse calibration", DC=TODO[4:0], DCS=RW[7])
    ALRMAR = Reg(0x1C, "Alarm A")
    ALRMBR = Reg(0x20, "Alarm B")
    WPR = Reg(0x24, "Write protection", KEY=WO[7:0])
    SSR = Reg(0x28, "Sub second", SS=RO[15:0])
    SHIFTR = Reg(0x2C, "Shift control", SUBFS=TODO[14:0], ADD1S=TODO[31])
    TSTR = Reg(0x30, "Time stamp time", access=RO)
    TSDR = Reg(0x34, "Time stamp date", access=RO)
    TSSSR = Reg(0x38, "Time stamp sub second", access=RO)
    CALR = Reg(0x3C, "Smooth calibration", CALM=TODO[8:0], CALW16=TODO[13], CALW8=TODO[14], CALP=TODO[15])
    TAFCR = Reg(0x40, "Tamper and alternate function", TAMP1E=TODO[0], TAMP1TRG=RW[1], TAMPIE=RW[2], TAMPTS=RW[7], TAMPFREQ=RW[10:8],
                TAMPFLT=RW[12:11], TAMPPRCH=RW[14:13], TAMPPUDIS=RW[15], TAMP1INSEL=RW[16], TSINSEL=RW[17], ALARMOUTTYPE=RW[18])
    ALRMASSR = Reg(0x44, "Alarm A sub second", SS=RW[14:0], MASKSS=TODO[27:24])
    ALRMBSSR = Reg(0x48, "Alarm B sub second", SS=RW[14:0], MASKSS=TODO[27:24])
    BKPR = Reg(0x50, "Backup", count=20)

    # -- the backup domain -----------------------------------------------------------------------------------------------------
    def reset(self) -> None:
        """Take a system reset: all but the write protection stays."""
        kept = self.save() if self.powered else None
        super().reset()
        if kept is not None:
            self.load({**kept, "keys": 0})
        self.powered = True
        self.clock_changed()

    def power_on(self) -> None:
        """Take a reset of the backup domain."""
        self.powered = False
        self.reset()

    def clock_changed(self):
        for timer in (self.ticks, self.wake, self.sync):
            timer.hz = self.rcc.hz("RTC")
        self.wake.start()
        self.sync.start()
        if not self.ISR.INITF:
            self.ticks.start()
        if not self.ISR.RSF and self.sync.goal is None:
            self.sync.after(2)
        self._schedule()

    def write(self, offset: int, size: int, value: int) -> None:
        """Do a guest's write where the two protections allow it (26.3.5)."""
        if not self.rcc.backup_open:
            self.log("written while PWR_CR.DBP is 0; hardware ignores that")
        elif self.keys < 2 and offset & ~3 < 0x50 and offset & ~3 not in OPEN:
            self.log("written without the keys to WPR; hardware ignores that")
        else:
            super().write(offset, size, value)

    @WPR.on_write
    def _key(self, value):
        self.keys = self.keys + 1 if self.keys < 2 and value & 0xFF == (0xCA, 0x53)[self.keys] else 0

    # -- the calendar ----------------------------------------------------------------------------------------------------------
    def _period(self) -> int:
        """Return the ticks of a second."""
        bits = int(self.PRER)
        return ((bits >> 16 & 0x7F) + 1) * ((bits & 0x7FFF) + 1)

    def _now(self) -> int:
        return int(self.seconds + self.ticks.value // self._period()) % (CENTURY * DAY)

    def _time_bits(self, now: int) -> int:
        second = now % DAY
        hour, pm = second // 3600, 0
        if self.CR.FMT:
            hour, pm = (hour + 11) % 12 + 1, hour // 12
        return pm << 22 | bcd(hour) << 16 | bcd(second // 60 % 60) << 8 | bcd(second % 60)

    def _date_bits(self, now: int) -> int:
        days = now // DAY
        day = FIRST_DAY + timedelta(days)
        return bcd(day.year - 2000) << 16 | (int(self.weekday + days) % 7 + 1) << 13 | bcd(day.month) << 8 | bcd(day.day)

    @TR.computed
    def _time(self):
        return self._values[self.TR.slot] if self.ISR.INITF else self._time_bits(self._now())

    @DR.computed
    def _date(self):
        return self._values[self.DR.slot] if self.ISR.INITF else self._date_bits(self._now())

    @TR.on_read
    def _time_read(self):
        self._show_second()

    @DR.on_read
    def _date_read(self):
        self._show_second()

    def _show_second(self) -> None:
        self.shown = self.ticks.running
        self._schedule()

    @SSR.counts
    def _sub_second(self):
        s = self.PRER.PREDIV_S
        return Count(self.ticks, s, down=True, modulus=s + 1, divide=self.PRER.PREDIV_A + 1)

    @TR.on_write
    def _set_time(self, value, old):
        self._only_in_init(self.TR, old)

    @DR.on_write
    def _set_date(self, value, old):
        self._only_in_init(self.DR, old)

    @PRER.on_write
    def _set_prescaler(self, value, old):
        self._only_in_init(self.PRER, old)

    def _only_in_init(self, view, old: int) -> None:
        if not self.ISR.INITF:
            view.value = old
            self.log(f"{view.reg.name} written while ISR.INITF is 0; hardware ignores that")

    @ISR.on_write
    def _status(self, value, old):
        self.ISR = old & (value | ~0x3F20)                 # flags that a 0 clears
        if value & INIT and self.keys == 2 and not old & INIT:
            self._refresh()                                # TR and DR stand as they are now
            self.ticks.stop()
            self.shown = False
            self.ISR = self.ISR | INIT | INITF
        elif not value & INIT and self.keys == 2 and old & INIT:
            self._leave_init()
        if not self.ISR.RSF and self.sync.goal is None:
            self.sync.after(2)
        self._schedule()

    def _leave_init(self) -> None:
        time, day = self._values[self.TR.slot], self._values[self.DR.slot]
        hour = unbcd(time >> 16 & 0x3F)
        if self.CR.FMT:
            hour = hour % 12 + 12 * (time >> 22 & 1)
        try:
            days = (date(2000 + unbcd(day >> 16 & 0xFF), unbcd(day >> 8 & 0x1F), unbcd(day & 0x3F)) - FIRST_DAY).days
        except ValueError:
            self.log(f"DR={day:#x} is no date")
            days = 0
        self.seconds = days * DAY + hour * 3600 + unbcd(time >> 8 & 0x7F) * 60 + unbcd(time & 0x7F)
        self.weekday = ((day >> 13 & 7) - 1 - days) % 7
        self.ISR = self.ISR & ~(INIT | INITF | INITS) | (INITS if days >= 366 else 0)        # the year is not 0
        self.ticks.start(0)

    @sync.expired
    def _synchronised(self):
        self.ISR.RSF = 1

    # -- alarms and wakeup -----------------------------------------------------------------------------------------------------
    @CR.on_write
    def _control(self, value, old):
        if value >> 16 & 1:
            self.seconds += 3600
        if value >> 17 & 1:
            self.seconds -= 3600
        if not value >> 10 & 1:
            self.wake.cancel()
        elif not old >> 10 & 1:
            self._begin_wake()
        self._schedule()

    def _begin_wake(self) -> None:
        select, steps = self.CR.WUCKSEL, self.WUTR.WUT + 1
        if select & 4:
            steps = (steps + (0x10000 if select & 2 else 0)) * self._period()
        else:
            steps *= (16, 8, 4, 2)[select]
        self.wake.start(0)
        self.wake.after(steps)

    @wake.expired
    def _woken(self):
        self.ISR.WUTF = 1
        self._begin_wake()

    @ticks.expired
    def _second(self):
        now, self.shown = self._now(), False
        for alarm, enabled, flag in ((self.ALRMAR, self.CR.ALRAE, ALRAF), (self.ALRMBR, self.CR.ALRBE, ALRBF)):
            if enabled and self._matches(int(alarm), now):
                self.ISR = self.ISR | flag
        self._schedule()

    def _matches(self, alarm: int, now: int) -> bool:
        """Compare the fields that the MSK bits 7, 15, 23 and 31 leave (26.6.7)."""
        time, day = self._time_bits(now), self._date_bits(now)
        days = day >> 13 & 7 if alarm >> 30 & 1 else day & 0x3F
        given = time & 0x7F7F7F | days << 24
        compared = 0x3F7F_7F7F
        for bit in (7, 15, 23, 31):
            compared &= ~(0xFF << (bit - 7)) if alarm >> bit & 1 else ~0
        return (alarm ^ given) & compared == 0

    def _schedule(self) -> None:
        """Look at every second while an alarm is on, and at the end of one that the guest reads."""
        self.ticks.cancel()
        if (self.CR.ALRAE or self.CR.ALRBE or self.shown) and self.ticks.running:
            self.ticks.expire_at((self.ticks.value // self._period() + 1) * self._period())

    def update(self):
        control, status = int(self.CR), int(self.ISR)
        free = ~control >> 8 & 7                           # ALRAE, ALRBE, WUTE stand as ALRAWF, ALRBWF, WUTWF do
        if status & 7 != free:
            self.ISR = status & ~7 | free
        for view in (self.TR, self.DR):
            self.quiet(view, self.shown or status & INITF)
        self.alarm.set(status >> 8 & control >> 12 & 3)    # ALRAF, ALRBF with ALRAIE, ALRBIE
        self.wakeup.set(status >> 10 & control >> 14 & 1)
