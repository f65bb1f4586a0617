"""General-purpose I/O of Arm's Cortex-M System Design Kit. Technical Reference Manual, Arm DDI 0479 3.4."""

from __future__ import annotations

from xemu.hw.devices.cmsdk import Cmsdk
from xemu.hw.parts import IrqOut, IrqOuts, Param, Pins
from xemu.hw.registers import RO, RW, W1C, W1S, Reg

BITS = 0xFFFF


class CmsdkGpio(Cmsdk, sizes=(1, 2, 4)):
    """AHB GPIO: 16 pins. Interrupts are kept until cleared; `irq` is their OR, `each` one line per pin."""

    part: int = Param(0x20)
    irq = IrqOut()
    each = IrqOuts(16)
    pins = Pins(16)

    DATA = Reg(0x000, "Pin levels; a write sets the outputs", VALUE=RW[15:0])
    DATAOUT = Reg(0x004, "Outputs", VALUE=RW[15:0])
    OUTENSET = Reg(0x010, "Output enable set", VALUE=W1S[15:0])
    OUTENCLR = Reg(0x014, "Output enable clear", VALUE=RO[15:0])
    ALTFUNCSET = Reg(0x018, "Alternative function set", VALUE=W1S[15:0])
    ALTFUNCCLR = Reg(0x01C, "Alternative function clear", VALUE=RO[15:0])
    INTENSET = Reg(0x020, "Interrupt enable set", VALUE=W1S[15:0])
    INTENCLR = Reg(0x024, "Interrupt enable clear", VALUE=RO[15:0])
    INTTYPESET = Reg(0x028, "Interrupt on edges set", VALUE=W1S[15:0])
    INTTYPECLR = Reg(0x02C, "Interrupt on edges clear (then: on levels)", VALUE=RO[15:0])
    INTPOLSET = Reg(0x030, "Interrupt on high or rising set", VALUE=W1S[15:0])
    INTPOLCLR = Reg(0x034, "Interrupt on high or rising clear (then: low or falling)", VALUE=RO[15:0])
    INTSTATUS = Reg(0x038, "Interrupt status; 1 clears", VALUE=W1C[15:0])
    MASKLOWBYTE = Reg(0x400, "Data of the low byte; address bits 9:2 are the mask", count=256, VALUE=RW[7:0])
    MASKHIGHBYTE = Reg(0x800, "Data of the high byte; address bits 9:2 are the mask", count=256, VALUE=RW[15:8])

    @DATA.computed
    def _levels(self):
        return self.pins.levels

    @DATA.on_write
    def _set_outputs(self, value):
        self.DATAOUT = value & BITS

    @MASKLOWBYTE.live
    def _low(self, i):
        return self.pins.levels & i

    @MASKLOWBYTE.on_write
    def _set_low(self, i, value):
        self.DATAOUT = self.DATAOUT & ~i | value & i

    @MASKHIGHBYTE.live
    def _high(self, i):
        return self.pins.levels & i << 8

    @MASKHIGHBYTE.on_write
    def _set_high(self, i, value):
        self.DATAOUT = self.DATAOUT & ~(i << 8) | value & i << 8

    # A pair shows one value.
    @OUTENSET.on_write
    def _set_outen(self, _value):
        self.OUTENCLR = int(self.OUTENSET)

    @OUTENCLR.on_write
    def _clear_outen(self, value):
        self.OUTENSET = self.OUTENCLR = self.OUTENSET & ~value

    @ALTFUNCSET.on_write
    def _set_altfunc(self, _value):
        self.ALTFUNCCLR = int(self.ALTFUNCSET)

    @ALTFUNCCLR.on_write
    def _clear_altfunc(self, value):
        self.ALTFUNCSET = self.ALTFUNCCLR = self.ALTFUNCSET & ~value

    @INTENSET.on_write
    def _set_inten(self, _value):
        self.INTENCLR = int(self.INTENSET)

    @INTENCLR.on_write
    def _clear_inten(self, value):
        self.INTENSET = self.INTENCLR = self.INTENSET & ~value

    @INTTYPESET.on_write
    def _set_inttype(self, _value):
        self.INTTYPECLR = int(self.INTTYPESET)

    @INTTYPECLR.on_write
    def _clear_inttype(self, value):
        self.INTTYPESET = self.INTTYPECLR = self.INTTYPESET & ~value

    @INTPOLSET.on_write
    def _set_intpol(self, _value):
        self.INTPOLCLR = int(self.INTPOLSET)

    @INTPOLCLR.on_write
    def _clear_intpol(self, value):
        self.INTPOLSET = self.INTPOLCLR = self.INTPOLSET & ~value

    @pins.changed
    def _edges(self, before, now):
        rising, falling, high = now & ~before, before & ~now, int(self.INTPOLSET)
        edges = rising & high | falling & ~high
        self.INTSTATUS = self.INTSTATUS | edges & self.INTENSET & self.INTTYPESET

    def update(self):
        self.pins.drive(int(self.DATAOUT), int(self.OUTENSET))
        levels, high = self.pins.levels, int(self.INTPOLSET)
        if on_level := self.INTENSET & ~self.INTTYPESET:
            self.INTSTATUS = self.INTSTATUS | ~(levels ^ high) & BITS & on_level
        self.each.set(int(self.INTSTATUS))
        self.irq.set(self.INTSTATUS)
