"""Timers of the nRF51: TIMER, RTC and watchdog. nRF51 Reference Manual 3.0, 18, 19, 23."""

from __future__ import annotations

from xemu.hw.devices.nrf51_base import HFCLK, LFCLK, Event, Nordic, Switched, Task
from xemu.hw.parts import Count, Param, Timer, Var
from xemu.hw.registers import RO, RW, TODO, WO, Reg


class Nrf51Timer(Switched):
    """TIMER: counts 16 MHz / 2^PRESCALER, or COUNT tasks. `width`: bits of the counter at most."""

    width: int = Param(16)
    watches = frozenset({"ppi"})
    ticks = Timer(HFCLK >> 4)
    started = Var(default=False)

    START = Task(0x000, "Start")
    STOP = Task(0x004, "Stop")
    COUNT = Task(0x008, "Count (counter mode)")
    CLEAR = Task(0x00C, "Clear")
    SHUTDOWN = Task(0x010, "Stop and power down")
    CAPTURE = Task(0x040, "Copy the counter to CC", count=4)
    COMPARE = Event(0x140, "The counter has reached CC", count=4)
    SHORTS = Reg(0x200, "Shortcuts", COMPARE0_CLEAR=RW[0], COMPARE1_CLEAR=RW[1], COMPARE2_CLEAR=RW[2], COMPARE3_CLEAR=RW[3],
                 COMPARE0_STOP=RW[8], COMPARE1_STOP=RW[9], COMPARE2_STOP=RW[10], COMPARE3_STOP=RW[11])
    MODE = Reg(0x504, "Mode", MODE=RW[0](timer=0, counter=1))
    BITMODE = Reg(0x508, "Width", BITMODE=RW[1:0](bits16=0, bits8=1, bits24=2, bits32=3))
    PRESCALER = Reg(0x510, "Prescaler", reset=4, PRESCALER=RW[3:0])
    CC = Reg(0x540, "Capture/compare", count=4)
    SWITCH = Reg(0xC0C, "Power of the timer (PAN 73; not in the manual)")

    def _mask(self) -> int:
        return (1 << min((16, 8, 24, 32)[self.BITMODE.value & 3], self.width)) - 1

    @PRESCALER.on_write
    def _prescale(self, value):
        self.ticks.hz = HFCLK >> min(value & 15, 9)

    @START.does
    def _start(self):
        self.started = True
        if not self.MODE:
            self.ticks.start()

    @STOP.does
    def _stop(self):
        self.started = False
        self.ticks.stop()

    @SHUTDOWN.does
    def _shut_down(self):
        self._stop()

    @CLEAR.does
    def _clear(self):
        self.ticks.value = 0

    @COUNT.does
    def _count(self):
        if self.MODE and self.started:
            self.ticks.value = self.ticks.value + 1 & self._mask()
            self._compare()

    @CAPTURE.does
    def _capture(self, index):
        self.CC[index] = self.ticks.value & self._mask()

    @ticks.expired
    def _compare(self):
        mask = self._mask()
        count = self.ticks.value & mask
        for i in range(4):
            if self.CC[i].value & mask == count:
                self.fire(self.COMPARE[i])

    def update(self) -> None:
        """Plan the next comparison that anybody can notice."""
        super().update()
        goal = None
        if self.ticks.running:
            now, mask = self.ticks.value, self._mask()
            cc, compare = self._places[0x540], self._places[0x140]
            counts = [now + (self._values[cc + i] - now - 1 & mask) + 1
                      for i in range(4) if not self._values[compare + i] or self.routed(self.COMPARE[i])]
            goal = min(counts) if counts else None
        if goal != self.ticks.goal:
            if goal is None:
                self.ticks.cancel()
            else:
                self.ticks.expire_at(goal)


class Nrf51Rtc(Switched):
    """RTC: 24 bits at 32,768 Hz / (PRESCALER + 1). It counts while LFCLK runs. `channels`: compare registers."""

    channels: int = Param(4)
    watches = frozenset({"ppi", "lfclk"})
    ticks = Timer(LFCLK)
    started = Var(default=False)

    START = Task(0x000, "Start")
    STOP = Task(0x004, "Stop")
    CLEAR = Task(0x008, "Clear")
    TRIGOVRFLW = Task(0x00C, "Set the counter to 0xFFFFF0")
    TICK = Event(0x100, "The counter has counted")
    OVRFLW = Event(0x104, "The counter has overflowed")
    COMPARE = Event(0x140, "The counter has reached CC", count=4)
    EVTEN = Reg(0x340, "Event enable", TICK=RW[0], OVRFLW=RW[1], COMPARE=RW[19:16])
    EVTENSET = Reg(0x344, "Event enable; 1 sets", access=RO)
    EVTENCLR = Reg(0x348, "Event enable; 1 clears", access=RO)
    COUNTER = Reg(0x504, "Counter", COUNTER=RO[23:0])
    PRESCALER = Reg(0x508, "Prescaler", PRESCALER=RW[11:0])
    CC = Reg(0x540, "Compare", count=4, COMPARE=RW[23:0])

    @EVTENSET.computed
    def _routed_events(self):
        return self.EVTEN

    @EVTENCLR.computed
    def _routed_events_too(self):
        return self.EVTEN

    @EVTENSET.on_write
    def _route_more(self, value):
        self.EVTEN |= value & 0xF0003

    @EVTENCLR.on_write
    def _route_less(self, value):
        self.EVTEN &= ~value

    @COUNTER.counts
    def _counter(self):
        return Count(self.ticks, modulus=1 << 24)

    @PRESCALER.on_write
    def _prescale(self, value):
        self.ticks.divide = value + 1

    @START.does
    def _start(self):
        self.started = True

    @STOP.does
    def _stop(self):
        self.started = False

    @CLEAR.does
    def _clear(self):
        self.ticks.value = 0

    @TRIGOVRFLW.does
    def _near_overflow(self):
        self.ticks.value = 0xFFFFF0

    def _wanted(self) -> list[tuple[int, int, object]]:
        """Return (bit in INTEN and EVTEN, counter value, event) of all but TICK."""
        return [(1 << 1, 0, self.OVRFLW), *((1 << 16 + i, int(self.CC[i]), self.COMPARE[i]) for i in range(self.channels))]

    @ticks.expired
    def _counted(self):
        """Events happen only where INTEN or EVTEN has them; EVTEN alone gives them to the PPI."""
        enabled, count = self.INTENSET | self.EVTEN, self.ticks.value & 0xFFFFFF
        for bit, at, event in [(1, count, self.TICK), *self._wanted()]:
            if enabled & bit and at == count:
                self._set(event.slot, 1)
                if self.EVTEN & bit:
                    self.route(self._slots[event.slot].offset)

    def update(self) -> None:
        """Count while LFCLK runs; plan the next event that is enabled."""
        super().update()
        running = self.started and self.machine["power"].lfclk_running
        if running != self.ticks.running:
            (self.ticks.start if running else self.ticks.stop)()
        enabled, count, goal = self.INTENSET | self.EVTEN, self.ticks.value, None
        if enabled and running:
            counts = [count + ((at - count - 1) & 0xFFFFFF) + 1 for bit, at, _ in self._wanted() if enabled & bit]
            if enabled & 1:
                counts.append(count + 1)
            goal = min(counts) if counts else None
        if goal != self.ticks.goal:
            if goal is None:
                self.ticks.cancel()
            else:
                self.ticks.expire_at(goal)


class Nrf51Watchdog(Nordic):
    """WDT: resets the chip (CRV + 1) / 32,768 s after the last reload of all enabled request registers."""

    RELOAD = 0x6E524635
    watches = frozenset({"lfclk"})
    ticks = Timer(LFCLK)
    biting = Var(default=False)

    START = Task(0x000, "Start; there is no stop")
    TIMEOUT = Event(0x100, "Two LFCLK cycles before the reset")
    RUNSTATUS = Reg(0x400, "Running", RUNSTATUS=RO[0])
    REQSTATUS = Reg(0x404, "Reload requests not yet made", reset=1, RR=RO[7:0])
    CRV = Reg(0x504, "Reload value", reset=0xFFFFFFFF)
    RREN = Reg(0x508, "Reload request enable", reset=1, RR=RW[7:0])
    CONFIG = Reg(0x50C, "What stops it", reset=1, SLEEP=TODO[0](pause=0, run=1), HALT=RW[3](pause=0, run=1))
    RR = Reg(0x600, "Reload request", count=8, access=WO)

    def write(self, offset: int, size: int, value: int) -> None:
        """Configuration stands still once the watchdog runs."""
        if self.RUNSTATUS and 0x504 <= offset < 0x510:
            return
        super().write(offset, size, value)

    @START.does
    def _start(self):
        if not self.RUNSTATUS:
            self.RUNSTATUS = 1
            self._reload()

    def _reload(self) -> None:
        self.REQSTATUS = self.RREN
        self.biting = False
        self.ticks.start(0)
        self.ticks.expire_at(max(int(self.CRV), 15) + 1)

    @RR.on_write
    def _request(self, index, value):
        if value == self.RELOAD and self.RUNSTATUS:
            self.REQSTATUS &= ~(1 << index)
            if not self.REQSTATUS:
                self._reload()

    @ticks.expired
    def _expired(self):
        if self.biting:
            self.machine["power"].reset_by("DOG")
            self.machine.request_reset("watchdog")
        else:
            self.biting = True
            self.ticks.expire_at(self.ticks.value + 2)
            self.fire(self.TIMEOUT)
