"""PrimeCell GPIO PL061. Arm DDI 0190. And the Stellaris variant, LM3S6965 data sheet, chapter 9."""

from __future__ import annotations

from typing import ClassVar

from xemu.hw.device import Device, KiB
from xemu.hw.parts import IrqOut, Param, Pins, Var
from xemu.hw.registers import RO, RW, WO, Reg


class PL061(Device, size=4 * KiB, sizes=(1, 2, 4)):
    """Eight pins. Address bits 9:2 of a data access say which take part."""

    identity: ClassVar[tuple[int, ...]] = (0, 0, 0, 0, 0x61, 0x10, 0x04, 0x00, 0x0D, 0xF0, 0x05, 0xB1)

    irq = IrqOut()
    pins = Pins(8)
    edges = Var(0)                           # seen and not cleared

    DATA = Reg(0x000, "Data; address bits 9:2 are the mask", count=256, VALUE=RW[7:0])
    DIR = Reg(0x400, "Direction, 1 is output", VALUE=RW[7:0])
    IS = Reg(0x404, "Interrupt on levels (1) or edges", VALUE=RW[7:0])
    IBE = Reg(0x408, "Interrupt on both edges", VALUE=RW[7:0])
    IEV = Reg(0x40C, "Interrupt on rising or high (1), or falling or low", VALUE=RW[7:0])
    IE = Reg(0x410, "Interrupt mask", VALUE=RW[7:0])
    RIS = Reg(0x414, "Raw interrupt status", VALUE=RO[7:0])
    MIS = Reg(0x418, "Masked interrupt status", VALUE=RO[7:0])
    IC = Reg(0x41C, "Interrupt clear", VALUE=WO[7:0])
    AFSEL = Reg(0x420, "Mode control: pins of another peripheral", VALUE=RW[7:0])
    ID = Reg(0xFD0, "Identification: PeriphID4-7, PeriphID0-3, PCellID0-3", count=12, access=RO)
    outputs = Var(0)

    def after_reset(self):
        for i, value in enumerate(self.identity):
            self.ID[i] = value

    @DATA.live
    def _levels(self, mask):
        return self.pins.levels & mask

    @DATA.on_write
    def _set_outputs(self, mask, value):
        mask &= int(self.DIR)
        self.outputs = self.outputs & ~mask | value & mask

    @pins.changed
    def _edge(self, before, now):
        both, rising = int(self.IBE), int(self.IEV)
        wanted = now & ~before & (rising | both) | before & ~now & (~rising | both)
        self.edges |= wanted & ~self.IS & ~self.DIR & 0xFF           # outputs make no edges

    @IS.on_write
    def _sense(self, value):
        self.edges &= ~value

    @IC.on_write
    def _clear(self, value):
        self.edges &= ~value

    def driven(self) -> tuple[int, int, int]:
        """Return levels of outputs, which pins are outputs, which are pulled up."""
        return self.outputs, int(self.DIR & ~self.AFSEL), 0

    def update(self):
        self.pins.drive(*self.driven())
        raw, on_level = self.edges, int(self.IS)
        if on_level:
            raw |= ~(self.pins.levels ^ self.IEV) & on_level
        if raw != self.RIS:
            self.RIS = raw
        self.MIS = raw & self.IE
        self.irq.set(self.MIS)


class StellarisGpio(PL061):
    """Stellaris GPIO: drive strengths, pulls, open drain, and JTAG pins that need unlocking. `jtag`: their mask."""

    identity = (0, 0, 0, 0, 0x61, 0x00, 0x18, 0x01, 0x0D, 0xF0, 0x05, 0xB1)

    jtag: int = Param(0)
    locked = Var(default=True)

    AFSEL = Reg(0x420, "Alternate function select", VALUE=RW[7:0])
    DR2R = Reg(0x500, "2 mA drive", reset=0xFF, VALUE=RW[7:0])
    DR4R = Reg(0x504, "4 mA drive", VALUE=RW[7:0])
    DR8R = Reg(0x508, "8 mA drive", VALUE=RW[7:0])
    ODR = Reg(0x50C, "Open drain", VALUE=RW[7:0])
    PUR = Reg(0x510, "Pull-up", VALUE=RW[7:0])
    PDR = Reg(0x514, "Pull-down", VALUE=RW[7:0])
    SLR = Reg(0x518, "Slew rate", VALUE=RW[7:0])
    DEN = Reg(0x51C, "Digital enable", VALUE=RW[7:0])
    LOCK = Reg(0x520, "Lock: reads as 1 where locked", reset=1)
    CR = Reg(0x524, "Commit: pins whose AFSEL may change", reset=0xFF, VALUE=RO[7:0])

    def after_reset(self):
        super().after_reset()
        self.CR = 0xFF & ~self.jtag
        for register in (self.AFSEL, self.PUR, self.DEN):
            register.value = self.jtag

    @LOCK.computed
    def _lock(self):
        return self.locked

    @LOCK.on_write
    def _unlock(self, value):
        self.locked = value != 0x1ACC_E551

    @CR.on_write
    def _commit(self, value):
        if not self.locked:
            self.CR = value & self.jtag | 0xFF & ~self.jtag

    def _guarded(self, register, old: int) -> None:
        register.value = register & self.CR | old & ~self.CR

    @AFSEL.on_write
    def _alternate(self, _value, old):
        self._guarded(self.AFSEL, old)

    @DR2R.on_write
    def _drive2(self, value):
        self.DR4R, self.DR8R = self.DR4R & ~value, self.DR8R & ~value

    @DR4R.on_write
    def _drive4(self, value):
        self.DR2R, self.DR8R = self.DR2R & ~value, self.DR8R & ~value

    @DR8R.on_write
    def _drive8(self, value):
        self.DR2R, self.DR4R = self.DR2R & ~value, self.DR4R & ~value

    @PUR.on_write
    def _pull_up(self, value):
        self.PDR = self.PDR & ~value

    @PDR.on_write
    def _pull_down(self, value):
        self.PUR = self.PUR & ~value

    def driven(self) -> tuple[int, int, int]:
        """Return levels of outputs, which pins are outputs (open drain: where they are 0), which are pulled up."""
        outputs = self.outputs
        return outputs, self.DIR & ~int(self.AFSEL) & ~(outputs & int(self.ODR)), int(self.PUR)
