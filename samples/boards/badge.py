"""A conference badge, as docs/adding-a-machine.md and docs/adding-a-device.md build it."""

from xemu.hw import RO, RW, W1C, Device, Hole, IrqOut, KiB, MiB, Param, Ram, Reg, Rom
from xemu.hw.cortex_m import CortexM3
from xemu.hw.devices.cmsdk import CmsdkTimer, CmsdkUart
from xemu.hw.machine import MHz, machine

CLOCK = 16 * MHz


class Thermometer(Device, size=4 * KiB):
    """Thermometer with an alarm. Badge manual, chapter 4."""

    celsius = Param(21.5)                # what it measures: `--set thermometer.celsius=30`
    irq = IrqOut()

    CTRL = Reg(0x00, "Control", ENABLE=RW[0], ALARMIE=RW[1])
    TEMP = Reg(0x04, "Temperature in 1/16 of a degree", VALUE=RO[11:0])
    LIMIT = Reg(0x08, "Alarm from this temperature on", reset=0xFFF, VALUE=RW[11:0])
    STATUS = Reg(0x0C, "Status; 1 clears", ALARM=W1C[0])

    @TEMP.computed
    def _measured(self):
        return int(self.celsius * 16) if self.CTRL.ENABLE else 0

    def update(self):
        if self.CTRL.ENABLE and self.TEMP >= self.LIMIT:
            self.STATUS.ALARM = 1
        self.irq.set(self.STATUS.ALARM and self.CTRL.ALARMIE)


@machine("badge", "A conference badge: Cortex-M3 at 16 MHz")
def badge(m):
    m.cpu = CortexM3(rate=CLOCK, irqs=16, priority_bits=3)
    m.flash = Rom(at=0, size=256 * KiB)
    m.sram = Ram(at=0x2000_0000, size=4 * MiB)
    m.peripherals = Hole(at=0x4000_0000, size=64 * KiB)
    m.timer0 = CmsdkTimer(at=0x4000_0000, clock=CLOCK, irq=m.cpu.irq[8])
    m.uart0 = CmsdkUart(at=0x4000_4000, clock=CLOCK, rx=m.cpu.irq[0], tx=m.cpu.irq[1], line=m.serial(0))
    m.thermometer = Thermometer(at=0x4000_8000, irq=m.cpu.irq[3])
