"""Analogue-to-digital converters of the STM32F405. RM0090, chapter 13. Dual and triple mode are not modelled."""

from __future__ import annotations

from typing import Any

from xemu.errors import MachineError
from xemu.hw.devices.stm32_dma import remaining
from xemu.hw.devices.stm32_rcc import Clocked
from xemu.hw.parts import IrqOut, Param, Timer, Var, Wire
from xemu.hw.registers import RO, RW, TODO, W1S, Reg

AWD, EOC, JEOC, JSTRT, STRT, OVR = (1 << i for i in range(6))
SAMPLE_CYCLES = (3, 15, 28, 56, 84, 112, 144, 480)
TEMPERATURE, VREFINT, VBAT = 16, 17, 18                    # channels of ADC1 that are inside the part
VREF_MV = 3300


class AdcCommon(Clocked, size=0x100):
    """What the converters share, 13.13.15, and the voltages at the pins: `set(3, 1.65)`, `temperature` in °C."""

    outside = ("millivolts", "temperature")
    adcs: list[Any] = Param()
    millivolts: list[int] = Var([0] * 16)                  # type: ignore[assignment]  # by channel
    temperature = Var(25)

    CSR = Reg(0x00, "Common status", access=RO)
    CCR = Reg(0x04, "Common control", MULTI=TODO[4:0], DELAY=RW[11:8], DDS=RW[13], DMA=TODO[15:14], ADCPRE=RW[17:16], VBATE=RW[22],
              TSVREFE=RW[23])

    def reset(self) -> None:
        """Reset; what is at the pins comes from outside and stays."""
        outside = self.millivolts, self.temperature
        super().reset()
        self.millivolts, self.temperature = outside

    def set(self, channel: int, volts: float) -> None:
        """Put a voltage at an input (0 to 15); the reference is 3.3 V."""
        if not 0 <= channel < 16:
            msg = f"{self.name} has inputs 0 to 15, not {channel}"
            raise MachineError(msg)
        self.millivolts[channel] = round(volts * 1000)

    def voltage(self, channel: int) -> int:
        """Return the voltage of a channel in millivolts."""
        if channel < 16:
            return self.millivolts[channel]
        if channel == VBAT:
            return VREF_MV // 2 if self.CCR.VBATE else 0
        if not self.CCR.TSVREFE or channel > VBAT:
            return 0
        return 1210 if channel == VREFINT else 760 + (self.temperature - 25) * 5 // 2      # data sheet 5.3.22

    @CSR.live
    def _status(self):
        return sum((int(adc.SR) & 0x3F) << 8 * i for i, adc in enumerate(self.adcs))

    @CCR.on_write
    def _control(self, value):
        for adc in self.adcs:
            adc.clock_changed()


class Adc(Clocked, size=0x100):
    """ADC1 to ADC3, 13.13."""

    irq, dma = IrqOut(), IrqOut()
    conversion = Timer()                                   # in ADC clocks
    doing = Var("")                                        # what ends when it expires: regular, injected
    step, injected_step = Var(0), Var(0)                     # places in the sequences
    waiting = Var(False)                                   # a regular sequence that an injected one interrupted
    unread = Var(False)                                    # DR has a result that nobody has read

    SR = Reg(0x00, "Status", AWD=RO[0], EOC=RO[1], JEOC=RO[2], JSTRT=RO[3], STRT=RO[4], OVR=RO[5])
    CR1 = Reg(0x04, "Control 1", AWDCH=RW[4:0], EOCIE=RW[5], AWDIE=RW[6], JEOCIE=RW[7], SCAN=RW[8], AWDSGL=RW[9], JAUTO=RW[10],
              DISCEN=TODO[11], JDISCEN=TODO[12], DISCNUM=RW[15:13], JAWDEN=RW[22], AWDEN=RW[23], RES=RW[25:24], OVRIE=RW[26])
    CR2 = Reg(0x08, "Control 2", ADON=RW[0], CONT=RW[1], DMA=RW[8], DDS=RW[9], EOCS=RW[10], ALIGN=RW[11], JEXTSEL=RW[19:16],
              JEXTEN=RW[21:20], JSWSTART=W1S[22], EXTSEL=RW[27:24], EXTEN=RW[29:28], SWSTART=W1S[30])
    SMPR1 = Reg(0x0C, "Sample time, channels 10 to 18", SMP=RW[26:0])
    SMPR2 = Reg(0x10, "Sample time, channels 0 to 9", SMP=RW[29:0])
    JOFR = Reg(0x14, "Injected channel offset", count=4, JOFFSET=RW[11:0])
    HTR = Reg(0x24, "Watchdog higher threshold", reset=0xFFF, HT=RW[11:0])
    LTR = Reg(0x28, "Watchdog lower threshold", LT=RW[11:0])
    SQR1 = Reg(0x2C, "Regular sequence 1", SQ=RW[19:0], L=RW[23:20])
    SQR2 = Reg(0x30, "Regular sequence 2", SQ=RW[29:0])
    SQR3 = Reg(0x34, "Regular sequence 3", SQ=RW[29:0])
    JSQR = Reg(0x38, "Injected sequence", JSQ=RW[19:0], JL=RW[21:20])
    JDR = Reg(0x3C, "Injected data", count=4, JDATA=RO[15:0])
    DR = Reg(0x4C, "Regular data", DATA=RO[15:0])

    def trigger(self, number: int, *, injected: bool = False) -> Wire:
        """Return the wire of an external trigger: a value of EXTSEL or JEXTSEL (13.6)."""
        return Wire(f"{self.name}.trigger{number}", lambda level: self._triggered(number, level, injected=injected))

    def _triggered(self, number: int, level: bool, *, injected: bool) -> None:
        cr2 = self.CR2
        select, edges = (cr2.JEXTSEL, cr2.JEXTEN) if injected else (cr2.EXTSEL, cr2.EXTEN)
        if select == number and edges & (1 if level else 2) and cr2.ADON:
            self._start("injected" if injected else "regular")
            self.settle()

    # -- conversions -----------------------------------------------------------------------------------------------------------------
    @property
    def board(self) -> AdcCommon:
        """The common part."""
        return next(p for p in self.machine.parts.values() if isinstance(p, AdcCommon) and self in p.adcs)

    def clock_changed(self):
        self.conversion.hz = self.clock // (2 * self.board.CCR.ADCPRE + 2)

    def _channel(self) -> int:
        if self.doing == "injected":
            return int(int(self.JSQR) >> 5 * (3 - self.JSQR.JL + self.injected_step) & 31)
        view = (self.SQR3, self.SQR2, self.SQR1)[self.step // 6]
        return int(int(view) >> 5 * (self.step % 6) & 31)

    def _start(self, what: str) -> None:
        if what == "injected":
            self.waiting = self.doing == "regular"
            self.SR.JSTRT, self.injected_step = 1, 0
        else:
            self.SR.STRT, self.step = 1, 0
            if self.doing == "injected":
                self.waiting = True
                return
        self._convert(what)

    def _convert(self, what: str) -> None:
        self.doing = what
        self.clock_changed()
        channel = self._channel()
        sample = int(self.SMPR1) >> 3 * (channel - 10) if channel > 9 else int(self.SMPR2) >> 3 * channel
        self.conversion.start(0)
        self.conversion.after(SAMPLE_CYCLES[sample & 7] + 12 - 2 * self.CR1.RES)

    def _sample(self) -> int:
        """Return the conversion's result, right-aligned, and watch its thresholds (13.3.7)."""
        channel = self._channel()
        full = min(max(self.board.voltage(channel) * 4095 + VREF_MV // 2, 0) // VREF_MV, 4095) >> 2 * self.CR1.RES << 2 * self.CR1.RES
        watched = self.CR1.JAWDEN if self.doing == "injected" else self.CR1.AWDEN
        if watched and (not self.CR1.AWDSGL or channel == self.CR1.AWDCH) and not self.LTR <= full <= self.HTR:
            self.SR.AWD = 1
        return int(full >> 2 * self.CR1.RES)

    @conversion.expired
    def _converted(self):
        self.conversion.stop()
        if self.doing == "injected":
            self._injected_done()
        else:
            self._regular_done()

    def _regular_done(self) -> None:
        cr1, cr2, value = self.CR1, self.CR2, self._sample()
        listening = cr2.DMA and (cr2.DDS or any(remaining(w) for w in self.dma.wires))
        if self.unread and (cr2.EOCS or listening):
            self.SR.OVR, self.doing = 1, ""               # 13.8.2: no more until the flag is cleared
            return
        self.DR = value << (4, 6, 8, 2)[cr1.RES] if cr2.ALIGN else value
        last = not cr1.SCAN or self.step >= self.SQR1.L
        self.unread = True
        self.SR.EOC = self.SR.EOC or cr2.EOCS or last
        if not last:
            self.step += 1
            self._convert("regular")
            return
        self.doing, self.step = "", 0
        if cr1.JAUTO:
            self._start("injected")
            self.waiting = bool(cr2.CONT)
        elif cr2.CONT:
            self._convert("regular")

    def _injected_done(self) -> None:
        offset, value = int(self.JOFR[self.injected_step]), self._sample()
        self.JDR[self.injected_step] = (value - offset << (3 if self.CR2.ALIGN else 0)) & 0xFFFF
        if self.injected_step < (self.JSQR.JL if self.CR1.SCAN else 0):
            self.injected_step += 1
            self._convert("injected")
            return
        self.SR.JEOC, self.doing = 1, ""
        if self.waiting:
            self.waiting = False
            self._convert("regular")

    # -- registers -------------------------------------------------------------------------------------------------------------------
    @CR2.on_write
    def _control(self, value):
        self.CR2 = self.CR2 & ~(1 << 22 | 1 << 30)        # cleared by hardware as soon as the conversion starts
        if not value & 1:
            self.doing, self.waiting = "", False
            self.conversion.cancel()
            return
        if value >> 22 & 1:
            self._start("injected")
        if value >> 30 & 1 and not self.SR.OVR:
            self._start("regular")

    @SR.on_write
    def _clear(self, value):
        self.SR = self.SR & value
        if not value & OVR:
            self.unread = False

    @DR.on_read
    def _read(self):
        self.SR.EOC, self.unread = 0, False

    def update(self):
        status, cr1 = int(self.SR), self.CR1
        self.quiet(self.DR, not (status & EOC or self.unread))
        enabled = (EOC * cr1.EOCIE) | (AWD * cr1.AWDIE) | (JEOC * cr1.JEOCIE) | (OVR * cr1.OVRIE)
        self.irq.set(status & enabled)
        self.dma.set(self.CR2.DMA and self.unread and not status & OVR)
