"""Watchdogs that interrupt first and reset the second time.

PrimeCell SP805 (Arm DDI 0270), which is the Cortex-M System Design Kit's (Arm DDI 0479 4.4), and the Stellaris variant
(LM3S6965 data sheet, chapter 11).
"""

from __future__ import annotations

from xemu.hw.device import Device, KiB
from xemu.hw.devices.countdown import Countdown
from xemu.hw.parts import IrqOut, Param, Var
from xemu.hw.registers import RO, RW, TODO, WO, Reg

KEY = 0x1ACC_E551


class Watchdog(Device, size=4 * KiB):
    """SP805 as in the kit. Writes to other registers than LOCK need the key."""

    clock: int = Param()
    part: int = Param(0x24)
    irq = IrqOut()
    counter = Countdown()
    locked = Var(default=False)

    LOAD = Reg(0x000, "Load: a write starts from it", reset=0xFFFFFFFF)
    VALUE = Reg(0x004, "Current value", reset=0xFFFFFFFF, access=RO)
    CTRL = Reg(0x008, "Control", INTEN=RW[0], RESEN=RW[1])
    INTCLR = Reg(0x00C, "Interrupt clear and reload", access=WO)
    RIS = Reg(0x010, "Raw interrupt status", RIS=RO[0])
    MIS = Reg(0x014, "Masked interrupt status", MIS=RO[0])
    LOCK = Reg(0xC00, "Lock: reads as 1 where locked")
    ITCR = Reg(0xF00, "Integration test control", ITEN=TODO[0])
    ITOP = Reg(0xF04, "Integration test output", RES=WO[0], INT=WO[1])
    ID = Reg(0xFD0, "Identification: PID4-7, PID0-3, CID0-3", count=12, access=RO)

    def identification(self) -> tuple[int, ...]:
        """Return what ID shows."""
        return (0x04, 0, 0, 0, self.part, 0xB8, 0x1B, 0, 0x0D, 0xF0, 0x05, 0xB1)

    def after_reset(self):
        for i, value in enumerate(self.identification()):
            self.ID[i] = value
        self.counter.hz = self.clock
        self.counter.top = 0xFFFFFFFF
        self.counter.put(0xFFFFFFFF)

    def set_clock(self, hz: int) -> None:
        """Run from a clock of another frequency."""
        self.clock = self.counter.hz = hz

    def write(self, offset: int, size: int, value: int) -> None:
        """Do a guest's write, unless the registers are locked."""
        if self.locked and offset & ~3 != type(self).LOCK.offset and offset & ~3 in self._places:
            self.log("a write while its registers are locked has no effect")
            return
        super().write(offset, size, value)

    @LOCK.computed
    def _locked(self):
        return self.locked

    @LOCK.on_write
    def _lock(self, value):
        self.locked = value != KEY

    @VALUE.counts
    def _value(self):
        return self.counter.shown()

    def _restart(self) -> None:
        self.counter.top = int(self.LOAD)
        self.counter.put(int(self.LOAD))

    @LOAD.on_write
    def _load(self, _value):
        self._restart()

    @CTRL.on_write
    def _control(self, value, old):
        if value & 1 and not old & 1:
            self._restart()
            self.counter.start()
        elif not value & 1:
            self.counter.stop()

    @INTCLR.on_write
    def _clear(self, _value):
        self.RIS = 0
        self._restart()

    @counter.zero
    def _zero(self):
        if self.RIS and self.CTRL.RESEN:
            self.counter.stop()
            self._bite()
        self.RIS = 1

    def _bite(self) -> None:
        self.machine.request_reset(f"watchdog {self.name}")

    @MIS.computed
    def _masked(self):
        return self.RIS & self.CTRL.INTEN

    def update(self):
        self.irq.set(self.RIS & self.CTRL.INTEN)
