"""Timers of the STM32F405. RM0090, chapters 17 to 20.

The counter is computed from time. The position in the counting pattern, `place`, goes from 0 to `length` - 1 and round
again: counting up it is CNT, counting down ARR - CNT, centre-aligned it goes up to ARR and down again. Only places where
something happens that is not known already (a flag to set, a request, a preloaded register) are events. Outputs do not reach pins;
input capture happens by `EGR` and `capture()`; slave modes are not modelled.
"""

from __future__ import annotations

from xemu.hw.devices.stm32_rcc import Clocked
from xemu.hw.parts import Count, IrqOut, Param, Timer, Var
from xemu.hw.registers import RO, RW, TODO, WO, Reg

UIF = 1
CHANNELS = range(1, 5)


class BasicTim(Clocked, size=0x400):
    """TIM6, TIM7: an upcounter with an update event, 20.4."""

    irq, dma_up, trgo = IrqOut(), IrqOut(), IrqOut()
    bits: int = Param(16)
    ticks = Timer()                       # of CK_PSC since `place` was `origin`
    origin = Var(0)
    prescale = Var(0)                     # PSC, ARR and CCR as they act now; the registers are the preload
    limit = Var(0xFFFF)
    repeats = Var(0)                      # updates to leave out
    going = Var(False)

    CR1 = Reg(0x00, "Control 1", CEN=RW[0], UDIS=RW[1], URS=RW[2], OPM=RW[3], DIR=RW[4], CMS=RW[6:5], ARPE=RW[7], CKD=RW[9:8])
    CR2 = Reg(0x04, "Control 2", CCPC=RW[0], CCUS=RW[2], CCDS=RW[3], MMS=RW[6:4](reset=0, enable=1, update=2), TI1S=TODO[7], OIS=RW[14:8])
    DIER = Reg(0x0C, "DMA and interrupt enable", UIE=RW[0], CCIE=RW[4:1], COMIE=RW[5], TIE=RW[6], BIE=RW[7], UDE=RW[8], CCDE=RW[12:9],
               COMDE=RW[13], TDE=TODO[14])
    SR = Reg(0x10, "Status", FLAGS=RO[7:0], CCOF=RO[12:9])
    EGR = Reg(0x14, "Event generation", UG=WO[0], CCG=WO[4:1], COMG=WO[5], TG=WO[6], BG=WO[7])
    CNT = Reg(0x24, "Counter")
    PSC = Reg(0x28, "Prescaler", PSC=RW[15:0])
    ARR = Reg(0x2C, "Auto-reload", reset=0xFFFF_FFFF)

    def after_reset(self):
        self.ARR = self.limit = self.most
        self.clock_changed()

    def clock_changed(self):
        self.ticks.hz = self.clock

    # -- the counting pattern ------------------------------------------------------------------------------------------------
    @property
    def most(self) -> int:
        """The greatest value of CNT."""
        return (1 << self.bits) - 1

    @property
    def centred(self) -> bool:
        """Whether it counts up and down."""
        return bool(self.CR1.CMS)

    def _length(self) -> int:
        return int(2 * self.limit if self.centred else self.limit + 1) or 1

    def _steps(self) -> int:
        """Return the steps counted since `origin`."""
        return int(self.ticks.value // (self.prescale + 1))

    def _place(self) -> int:
        return self._place_after(self._steps())

    def _place_after(self, steps: int) -> int:
        steps += self.origin
        if self.origin < self._length():
            return int(steps % self._length())
        return int(steps if steps <= self.most else (steps - self.most - 1) % self._length())      # CNT beyond ARR: on to the end

    def _count_at(self, place: int) -> int:
        if self.centred:
            return place if place <= self.limit else self._length() - place
        return max(int(self.limit) - place, 0) if self.CR1.DIR else place

    def _place_of(self, count: int) -> int:
        return int(self.limit - min(count, self.limit)) if self.CR1.DIR and not self.centred else count

    def _marks(self) -> list[tuple[int, int]]:
        """Return (place, flags): what happens where."""
        return [(0, UIF), (self.limit, UIF)] if self.centred else [(0, UIF)]

    def _watched(self) -> int:
        """Return the flags whose events must happen at their time: those that change something."""
        watched, requests = ~int(self.SR) & 0x1F, int(self.DIER) >> 8 & 0x1F & self._connected()
        output = self.CR2.MMS if self.trgo.wires else 0
        if self.repeats or self.CR1.OPM or output == 2 or self._preloaded():
            watched |= UIF
        if output == 3:
            watched |= 2
        watched |= requests
        return watched & ~UIF if self.CR1.UDIS else watched

    def _connected(self) -> int:
        """Return which DMA requests somebody could hear, as flags of SR."""
        return UIF if self.dma_up.wires else 0

    def _preloaded(self) -> bool:
        return bool(self.prescale != int(self.PSC) or self.limit != int(self.ARR))

    # -- time ------------------------------------------------------------------------------------------------------------------
    def _rebase(self, count: int) -> None:
        """Go on from a value of CNT, at the start of a prescaler period."""
        self.origin = self._place_of(count)
        self.ticks.value = 0

    def _schedule(self) -> None:
        """Expire at the next place where something watched happens."""
        self.ticks.cancel()
        if not self.CR1.CEN or not self.limit:
            return
        length, watched, here = self._length(), self._watched(), self._place()
        away = []
        for place, flags in self._marks():
            if flags & watched:
                if here < length:
                    away.append((place - here) % length or length)
                elif place == 0:
                    away.append(self.most + 1 - here)
        if away:
            self.ticks.expire_at((self._steps() + min(away)) * (self.prescale + 1))

    @ticks.expired
    def _arrived(self):
        here, flags = self._place(), 0
        for place, what in self._marks():
            if place == here:
                flags |= what
        self._happen(flags)
        if flags & UIF and not self.CR1.UDIS:
            if self.repeats:
                self.repeats -= 1
            else:
                self._update_event(by_count=True)
        self._schedule()

    def _happen(self, flags: int) -> None:
        """Set compare flags and make their requests."""

    def _update_event(self, *, by_count: bool) -> None:
        """UEV: take the preloaded registers, set UIF."""
        late = self.ticks.value % (self.prescale + 1) if by_count else 0
        count = self._count_at(self._place())
        if by_count or not self.CR1.URS:
            self.SR = self.SR | UIF
        if self._preloaded():
            self._take_preloads()
            if not by_count or not self.centred:
                count = self._first()
            self._rebase(min(count, self.limit))
            self.ticks.value = late
        if by_count and self.CR1.OPM:
            self.CR1.CEN = 0
            self._stop()
        if self.DIER.UDE:
            self.dma_up.pulse()
        if self.CR2.MMS == 2:
            self.trgo.pulse()

    def _first(self) -> int:
        return int(self.limit) if self.CR1.DIR and not self.centred else 0

    def _take_preloads(self) -> None:
        self.prescale, self.limit = int(self.PSC), int(self.ARR)

    def _stop(self) -> None:
        self.ticks.stop()
        self.ticks.cancel()
        self.going = False

    # -- registers ---------------------------------------------------------------------------------------------------------------
    @CNT.counts
    def _counter(self):
        length, divide = self._length(), self.prescale + 1
        if self.centred or self.origin >= length:
            return Count(self.ticks, divide=divide, shape=lambda steps: self._count_at(self._place_after(steps)))
        if self.CR1.DIR:
            return Count(self.ticks, self.limit - self.origin, down=True, modulus=length, divide=divide)
        return Count(self.ticks, self.origin, modulus=length, divide=divide)

    def _count(self) -> int:
        return self._count_at(self._place())

    @CNT.on_write
    def _set_count(self, value):
        self._rebase(value & self.most)
        self._schedule()

    @CR1.on_write
    def _control(self, value, old):
        if (value ^ old) & 0x70:                          # another pattern: keep the count
            new, self.CR1 = int(self.CR1), old
            count, self.CR1 = self._count(), new
            self._rebase(count)
        if self.CR1.CEN and not self.going:
            self.ticks.start()
            self.going = True
            if self.CR2.MMS == 1:
                self.trgo.set(1)
        elif not self.CR1.CEN and self.going:
            self._stop()
            self.trgo.set(0)
        self._schedule()

    @ARR.on_write
    def _set_limit(self, value):
        self.ARR = value & self.most
        if not self.CR1.ARPE:
            count = self._count()
            late = self.ticks.value % (self.prescale + 1)
            self.limit = int(self.ARR)
            self._rebase(count)
            self.ticks.value = late
        self._schedule()

    @PSC.on_write
    def _set_prescaler(self, value):
        self._schedule()

    @DIER.on_write
    def _enable(self, value):
        self._schedule()

    @CR2.on_write
    def _control2(self, value):
        self._schedule()

    @SR.on_write
    def _clear(self, value):
        self.SR = self.SR & value
        self._schedule()

    @EGR.on_write
    def _generate(self, value):
        self.SR = self.SR | value & 0xE0 & self._events()
        self._capture_compare(value & 0x1E)
        if value & 1:
            if not self.CR1.UDIS:
                self._reload_repeats()
                self._update_event(by_count=False)
            self._rebase(self._first())
            if self.CR2.MMS == 0:
                self.trgo.pulse()
        self._schedule()

    def _events(self) -> int:
        return 0

    def _capture_compare(self, flags: int) -> None:
        """Take EGR's CCG bits."""

    def _reload_repeats(self) -> None:
        """Take RCR."""

    def update(self):
        self.irq.set(self.SR & self.DIER & UIF)


class GeneralTim(BasicTim):
    """TIM2 to TIM5, TIM9 to TIM14: with `channels` capture/compare channels; 18.4, 19.4 and 19.5."""

    channels: int = Param(4)
    dma_cc1, dma_cc2, dma_cc3, dma_cc4 = IrqOut(), IrqOut(), IrqOut(), IrqOut()
    compare: list[int] = Var([0, 0, 0, 0])               # type: ignore[assignment]

    SMCR = Reg(0x08, "Slave mode control", SMS=TODO[2:0], TS=RW[6:4], MSM=RW[7], ETF=RW[11:8], ETPS=RW[13:12], ECE=TODO[14], ETP=RW[15])
    CCMR = Reg(0x18, "Capture/compare mode", count=2, VALUE=RW[15:0])
    CCER = Reg(0x20, "Capture/compare enable", VALUE=RW[15:0])
    CCR = Reg(0x34, "Capture/compare", count=4)
    DCR = Reg(0x48, "DMA control", DBA=RW[4:0], DBL=RW[12:8])
    DMAR = Reg(0x4C, "DMA address for burst", VALUE=TODO[31:0])
    OR = Reg(0x50, "Option", VALUE=TODO[11:0])

    def _connected(self) -> int:
        outs = (self.dma_cc1, self.dma_cc2, self.dma_cc3, self.dma_cc4)
        return super()._connected() | sum(1 << n for n, out in zip(CHANNELS, outs, strict=True) if out.wires)

    def _mode(self, channel: int) -> int:
        """Return the byte of CCMR for a channel: CCxS in bits 1:0, OCxPE in bit 3."""
        return int(self.CCMR[(channel - 1) // 2]) >> 8 * ((channel - 1) % 2) & 0xFF

    def _marks(self) -> list[tuple[int, int]]:
        marks = super()._marks()
        for channel in range(1, self.channels + 1):
            if self._mode(channel) & 3:
                continue                                  # an input
            at, flag = self.compare[channel - 1], 1 << channel
            if at > self.limit:
                marks.append((0, flag))                   # 18.3.8: with the overflow
                continue
            directions = self.CR1.CMS if self.centred else 0
            if not self.centred or directions & 2:
                marks.append((self._place_of(at), flag))
            if directions & 1:
                marks.append(((self._length() - at) % self._length(), flag))
        return marks

    def _happen(self, flags: int) -> None:
        self._flag(flags & 0x1E)

    def _flag(self, flags: int) -> None:
        self.SR = self.SR | flags
        requests = flags & self.DIER >> 8
        for channel, out in zip(CHANNELS, (self.dma_cc1, self.dma_cc2, self.dma_cc3, self.dma_cc4), strict=True):
            if requests >> channel & 1:
                out.pulse()
        if self.CR2.MMS == 3 and flags & 2:
            self.trgo.pulse()

    def _capture_compare(self, flags: int) -> None:
        for channel in range(1, self.channels + 1):
            if flags >> channel & 1:
                if self._mode(channel) & 3:
                    self.capture(channel)
                else:
                    self._flag(1 << channel)

    def capture(self, channel: int) -> None:
        """Capture the counter into CCR, as an edge at the channel's input does."""
        if self.SR >> channel & 1:
            self.SR = self.SR | 1 << (8 + channel)        # over-capture
        self.CCR[channel - 1] = self.compare[channel - 1] = self._count()
        self._flag(1 << channel)
        self.settle()

    @CCR.on_read
    def _read_capture(self, index):
        if self._mode(index + 1) & 3:
            self.SR = self.SR & ~(2 << index)
            self._schedule()

    @CCR.on_write
    def _set_compare(self, index, value):
        self.CCR[index] = value & self.most
        if not self._mode(index + 1) & 8:
            self.compare[index] = value & self.most
        self._schedule()

    @CCMR.on_write
    def _set_mode(self, index, value):
        self._schedule()

    def _preloaded(self) -> bool:
        return super()._preloaded() or self.compare != [int(r) for r in self.CCR]

    def _take_preloads(self) -> None:
        super()._take_preloads()
        self.compare = [int(r) for r in self.CCR]

    def _events(self) -> int:
        return 1 << 6

    def update(self):
        for view in self.CCR:
            self.quiet(view, not self._mode(view.index + 1) & 3)
        self.irq.set(self.SR & self.DIER & 0x5F)


class AdvancedTim(GeneralTim):
    """TIM1 and TIM8: with a repetition counter and an interrupt for each kind of event, 17.4."""

    irq_break, irq_update, irq_trigger, irq_compare = IrqOut(), IrqOut(), IrqOut(), IrqOut()

    RCR = Reg(0x30, "Repetition counter", REP=RW[7:0])
    BDTR = Reg(0x44, "Break and dead-time", DTG=RW[7:0], LOCK=RW[9:8], OSSI=RW[10], OSSR=RW[11], BKE=RW[12], BKP=RW[13], AOE=RW[14],
               MOE=RW[15])

    def _reload_repeats(self) -> None:
        self.repeats = int(self.RCR)

    def _update_event(self, *, by_count: bool) -> None:
        super()._update_event(by_count=by_count)
        self._reload_repeats()

    def _events(self) -> int:
        return 0xE0

    def update(self):
        super().update()
        active = int(self.SR) & int(self.DIER)
        self.irq_break.set(active & 0x80)
        self.irq_update.set(active & UIF)
        self.irq_trigger.set(active & 0x60)
        self.irq_compare.set(active & 0x1E)
