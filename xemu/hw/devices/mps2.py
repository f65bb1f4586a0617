"""What the MPS2 boards' FPGA images add. Arm DAI 0385 (AN385), chapter 4; Arm 100112 (MPS2 TRM)."""

from __future__ import annotations

from typing import Any

from xemu.hw.device import Device, KiB
from xemu.hw.parts import Count, Param, Pins, Timer, Var
from xemu.hw.registers import RO, RW, WO, Reg


class FpgaIo(Device, size=4 * KiB):
    """FPGA system control and I/O: LEDs, buttons, counters. Pins: `leds`, `buttons` (1 is pressed), `misc`."""

    clock: int = Param()
    leds, buttons, misc = Pins(2), Pins(2), Pins(10)
    clk1hz, clk100hz, cycles = Timer(1), Timer(100), Timer()

    LED0 = Reg(0x000, "LEDs", LED=RW[1:0])
    BUTTON = Reg(0x008, "Buttons", BUTTON=RO[1:0])
    CLK1HZ = Reg(0x010, "Counts at 1 Hz")
    CLK100HZ = Reg(0x014, "Counts at 100 Hz")
    COUNTER = Reg(0x018, "Counts when the prescaler comes to zero")
    PRESCALE = Reg(0x01C, "Reload value of the prescaler")
    PSCNTR = Reg(0x020, "The prescaler, counts down")
    MISC = Reg(0x04C, "Display and SPI control lines", CLCD_CS=RW[0], SPI_nSS=RW[1], CLCD_RESET=RW[3], CLCD_RS=RW[4], CLCD_RD=RW[5],
               CLCD_BL_CTRL=RW[6], ADC_SPI_nCS=RW[7], SHIELD0_SPI_nCS=RW[8], SHIELD1_SPI_nCS=RW[9])

    def after_reset(self):
        self.cycles.hz = self.clock
        for timer in (self.clk1hz, self.clk100hz, self.cycles):
            timer.start(0)

    @BUTTON.computed
    def _buttons(self):
        return self.buttons.levels

    @CLK1HZ.counts
    def _seconds(self):
        return Count(self.clk1hz)

    @CLK1HZ.on_write
    def _set_seconds(self, value):
        self.clk1hz.value = value

    @CLK100HZ.counts
    def _hundredths(self):
        return Count(self.clk100hz)

    @CLK100HZ.on_write
    def _set_hundredths(self, value):
        self.clk100hz.value = value

    # COUNTER and PSCNTR are one count of clock periods: COUNTER * (PRESCALE + 1) + PRESCALE - PSCNTR
    @COUNTER.counts
    def _counter(self):
        return Count(self.cycles, divide=self.PRESCALE + 1)

    @PSCNTR.counts
    def _prescaler(self):
        return Count(self.cycles, start=int(self.PRESCALE), down=True, modulus=self.PRESCALE + 1)

    def _place(self, counter: int, prescaler: int, scale: int) -> None:
        self.cycles.value = counter * (scale + 1) + max(scale - prescaler, 0)

    @COUNTER.on_write
    def _set_counter(self, value):
        self._place(value, self._prescaler().value, int(self.PRESCALE))

    @PSCNTR.on_write
    def _set_prescaler(self, value):
        self._place(self._counter().value, value, int(self.PRESCALE))

    @PRESCALE.on_write
    def _set_scale(self, value, old):
        counter, left = self.cycles.value // (old + 1), old - self.cycles.value % (old + 1)
        self._place(counter, min(left, value), value)

    def update(self):
        self.leds.drive(int(self.LED0), 3)
        self.misc.drive(int(self.MISC), 0x3FB)


class Scc(Device, size=4 * KiB):
    """Serial configuration controller. `identity` is what ID reads as; pins: `leds`, `switches` of the board's controller.

    The configuration bus reads and sets the oscillators (function 1); other functions and devices are errors.
    """

    identity: int = Param()
    oscillators: Any = Param((50_000_000, 24_576_000, 25_000_000), "frequencies in Hz at power-up")
    leds, switches = Pins(8), Pins(8)
    oscclk = Var([])

    CFG_REG0 = Reg(0x000, "Memory remap", REMAP=RW[0])
    CFG_REG1 = Reg(0x004, "LEDs", LEDS=RW[7:0])
    CFG_REG3 = Reg(0x00C, "Switches", SWITCHES=RO[7:0])
    CFG_REG4 = Reg(0x010, "Board revision", reset=2, REVISION=RO[3:0])
    SYS_CFGDATA_RTN = Reg(0x0A0, "Configuration data read", access=RO)
    SYS_CFGDATA_OUT = Reg(0x0A4, "Configuration data to write")
    SYS_CFGCTRL = Reg(0x0A8, "Configuration control", reset=0x0010_0000, DEVICE=RW[11:0], FUNCTION=RW[25:20], WRITE=RW[30],
                      START=RW[31])
    SYS_CFGSTAT = Reg(0x0AC, "Configuration status", COMPLETE=RW[0], ERROR=RW[1])
    SCC_DLL = Reg(0x100, "Delay-locked loops", reset=0xFFFF0001, LOCKED=RO[0], LOCK_MASK=RO[31:16])
    SCC_AID = Reg(0xFF8, "FPGA build", reset=0x00200008, access=RO)
    SCC_ID = Reg(0xFFC, "Identification", access=RO)

    def after_reset(self):
        self.SCC_ID = self.identity
        self.oscclk = list(self.oscillators)

    @CFG_REG3.computed
    def _switches(self):
        return self.switches.levels

    @SYS_CFGCTRL.on_write
    def _configure(self, _value):
        if not self.SYS_CFGCTRL.START:
            return
        self.SYS_CFGCTRL.START = 0
        device = self.SYS_CFGCTRL.DEVICE
        known = self.SYS_CFGCTRL.FUNCTION == 1 and device < len(self.oscclk)
        self.SYS_CFGSTAT = 1 if known else 3
        if not known:
            self.log(f"no device {device} of configuration function {self.SYS_CFGCTRL.FUNCTION}")
        elif self.SYS_CFGCTRL.WRITE:
            self.oscclk[device] = int(self.SYS_CFGDATA_OUT)
        else:
            self.SYS_CFGDATA_RTN = self.oscclk[device]

    def update(self):
        self.leds.drive(int(self.CFG_REG1), 0xFF)


class SbconI2c(Device, size=4 * KiB):
    """Two-wire serial bus interface of the Versatile boards, driven by software. Arm DUI 0225, 4.3.

    `lines`: pin 0 is SCL, 1 is SDA; open drain with pull-ups.
    """

    lines = Pins(2)

    SB_CONTROL = Reg(0x000, "Line levels; a 1 lets a line go up", SCL=RW[0], SDA=RW[1])
    SB_CONTROLC = Reg(0x004, "A 1 pulls a line down", SCL=WO[0], SDA=WO[1])
    released = Var(3)                     # lines that are let go

    @SB_CONTROL.computed
    def _levels(self):
        return self.lines.levels

    @SB_CONTROL.on_write
    def _let_go(self, value):
        self.released |= value & 3

    @SB_CONTROLC.on_write
    def _pull(self, value):
        self.released &= ~value

    def update(self):
        self.lines.drive(0, ~self.released & 3, 3)
