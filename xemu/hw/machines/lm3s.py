"""Stellaris LM3S6965 evaluation board. Data sheet DS-LM3S6965; board manual EK-LM3S6965."""

from __future__ import annotations

from xemu.hw import Flash, Hole, KiB, Ram
from xemu.hw.cortex_m import CortexM3
from xemu.hw.devices.pl011 import StellarisUart
from xemu.hw.devices.pl022 import StellarisSsi
from xemu.hw.devices.pl061 import StellarisGpio
from xemu.hw.devices.stellaris import StellarisFlash, StellarisWatchdog, SysCtl
from xemu.hw.devices.stellaris_analog import StellarisAdc, StellarisI2c
from xemu.hw.devices.stellaris_timer import Gptm
from xemu.hw.machine import MHz, machine
from xemu.hw.parts import Wire

DID = (0x1001_0002, 0x1073_402E)
DC = (0x00FF_007F, 0x0011_33FF, 0x030F_5317, 0x0F0F_87FF, 0x5000_007F)
GPIOS = [("a", 0x4000_4000, 0, 0), ("b", 0x4000_5000, 1, 0x80), ("c", 0x4000_6000, 2, 0x0F), ("d", 0x4000_7000, 3, 0),
         ("e", 0x4002_4000, 4, 0), ("f", 0x4002_5000, 30, 0), ("g", 0x4002_6000, 31, 0)]       # name, address, IRQ, JTAG pins
HOLES = [("pwm", 0x4002_8000), ("qei0", 0x4002_C000), ("qei1", 0x4002_D000), ("comparators", 0x4003_C000), ("ethernet", 0x4004_8000),
         ("hibernation", 0x400F_C000)]


class Oled:
    """The board's display (Solomon Systech SSD0323) takes what is sent to it and shows nothing."""

    @staticmethod
    def transfer(_value: int, _bits: int) -> int:
        """Take a frame; the display has no data output."""
        return 0


@machine("lm3s6965evb", "Stellaris LM3S6965 evaluation board: Cortex-M3 at 12 MHz")
def lm3s6965evb(m) -> None:
    """Interrupt numbers: data sheet, table 2-9."""
    clock = 12 * MHz
    m.cpu = CortexM3(rate=clock, irqs=64, priority_bits=3)
    irq = m.cpu.irq
    m.flash = Flash(at=0, size=256 * KiB)
    m.sram = Ram(at=0x2000_0000, size=64 * KiB)
    m.sysctl = SysCtl(at=0x400F_E000, did=DID, dc=DC, irq=irq[28])
    m.flashctl = StellarisFlash(at=0x400F_D000, flash=m.flash, sysctl=m.sysctl, irq=irq[29])
    m.watchdog = StellarisWatchdog(at=0x4000_0000, clock=clock, sysctl=m.sysctl, irq=irq[18])
    for n, (at, number) in enumerate([(0x4000_C000, 5), (0x4000_D000, 6), (0x4000_E000, 33)]):
        m[f"uart{n}"] = StellarisUart(at=at, clock=clock, irq=irq[number], line=m.serial(n))
    for name, at, number, jtag in GPIOS:
        m[f"gpio{name}"] = StellarisGpio(at=at, irq=irq[number], jtag=jtag)
    m.ssi0 = StellarisSsi(at=0x4000_8000, clock=clock, irq=irq[7], slave=Oled())
    m.i2c0 = StellarisI2c(at=0x4002_0000, irq=irq[8])
    m.i2c1 = StellarisI2c(at=0x4002_1000, irq=irq[37])
    m.adc = StellarisAdc(at=0x4003_8000, irq=irq[14:18])
    trigger = Wire("adc.timer_event", m.adc.timer_event)
    for n, a in enumerate((19, 21, 23, 35)):
        m[f"timer{n}"] = Gptm(at=0x4003_0000 + 0x1000 * n, clock=clock, irq_a=irq[a], irq_b=irq[a + 1], trigger=trigger)
    for name, at in HOLES:
        m[name] = Hole(at=at, size=4 * KiB)
