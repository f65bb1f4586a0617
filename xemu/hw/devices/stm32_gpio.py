"""Ports, pin routing and external interrupts of the STM32F405: GPIO, SYSCFG, EXTI. RM0090, chapters 8, 9 and 12."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from xemu.hw.device import Device
from xemu.hw.devices.stm32_rcc import Clocked
from xemu.hw.parts import IrqOut, Param, Pins, Var, Wire
from xemu.hw.registers import RO, RW, TODO, W1C, WO, Reg

PORTS = "ABCDEFGHI"
RESET = {"A": (0xA800_0000, 0x0C00_0000, 0x6400_0000), "B": (0x0000_0280, 0x0000_00C0, 0x0000_0100)}      # MODER, OSPEEDR, PUPDR
LINES = 23


@lru_cache
def _pairs(value: int, wanted: int) -> int:
    """Return a mask of the pins whose two bits are `wanted`; the same few configurations come with every access."""
    return sum(1 << i for i in range(16) if value >> 2 * i & 3 == wanted)


def _spread(mask: int, width: int) -> int:
    """Return a mask with `width` bits for each bit of a mask."""
    return sum(((1 << width) - 1) << width * i for i in range(16) if mask >> i & 1)


class Gpio(Clocked, size=0x400):
    """General-purpose port, RM0090 8.4. `port`: its letter. Pins in alternate function are driven by nobody here."""

    port: str = Param()
    exti: Any = Param(None)
    pins = Pins(16)
    key = Var(0)                           # steps of the lock sequence that have been seen

    MODER = Reg(0x00, "Mode")
    OTYPER = Reg(0x04, "Output type", OT=RW[15:0])
    OSPEEDR = Reg(0x08, "Output speed")
    PUPDR = Reg(0x0C, "Pull-up/pull-down")
    IDR = Reg(0x10, "Input data", IDR=RO[15:0])
    ODR = Reg(0x14, "Output data", ODR=RW[15:0])
    BSRR = Reg(0x18, "Bit set/reset", BS=WO[15:0], BR=WO[31:16])
    LCKR = Reg(0x1C, "Configuration lock", LCK=RW[15:0], LCKK=RO[16])
    AFR = Reg(0x20, "Alternate function", count=2)

    def after_reset(self):
        self.MODER, self.OSPEEDR, self.PUPDR = RESET.get(self.port, (0, 0, 0))

    @IDR.computed
    def _levels(self):
        return self.pins.levels & ~_pairs(int(self.MODER), 3)         # analog: the input is off and reads 0

    @BSRR.on_write
    def _set_reset(self, value):
        self.ODR = self.ODR & ~(value >> 16) | value & 0xFFFF

    # -- lock (8.3.6): LCKK 1, 0, 1 with the same pins, then a read -----------------------------------------------------------
    @LCKR.on_write
    def _lock(self, value, old):
        if old & 1 << 16:
            self.LCKR = old
            return
        right = self.key < 3 and value >> 16 & 1 == (1, 0, 1)[self.key] and (self.key == 0 or value & 0xFFFF == old & 0xFFFF)
        self.key = self.key + 1 if right else 0
        if self.key == 3:
            self.LCKR = value & 0xFFFF | 1 << 16

    def _keep_locked(self, view: Any, old: int, width: int, pins: int) -> None:
        if self.LCKR & 1 << 16:
            held = _spread(self.LCKR & pins, width) if width * 16 <= 32 else _spread(self.LCKR >> view.index * 8 & 0xFF, 4)
            view.value = view.value & ~held | old & held

    @MODER.on_write
    def _mode(self, value, old):
        self._keep_locked(self.MODER, old, 2, 0xFFFF)

    @OTYPER.on_write
    def _type(self, value, old):
        self._keep_locked(self.OTYPER, old, 1, 0xFFFF)

    @OSPEEDR.on_write
    def _speed(self, value, old):
        self._keep_locked(self.OSPEEDR, old, 2, 0xFFFF)

    @PUPDR.on_write
    def _pull(self, value, old):
        self._keep_locked(self.PUPDR, old, 2, 0xFFFF)

    @AFR.on_write
    def _alternate(self, index, value, old):
        self._keep_locked(self.AFR[index], old, 4, 0xFF)

    def update(self):
        outputs, odr = _pairs(int(self.MODER), 1), int(self.ODR)
        self.pins.drive(odr, outputs & ~(self.OTYPER & odr), _pairs(int(self.PUPDR), 1))      # open drain: a 1 lets go

    @pins.changed
    def _changed(self, before, now):
        if self.exti is not None:
            self.exti.port_changed(PORTS.index(self.port), before, now)


class Syscfg(Clocked, size=0x400):
    """System configuration, RM0090 9.2. The main flash is at address 0 for good."""

    MEMRMP = Reg(0x00, "Memory remap", MEM_MODE=TODO[1:0](flash=0, system=1, fsmc=2, sram=3))
    PMC = Reg(0x04, "Peripheral mode", MII_RMII_SEL=TODO[23])
    EXTICR = Reg(0x08, "External interrupt configuration", count=4, VALUE=RW[15:0])
    CMPCR = Reg(0x20, "Compensation cell control", CMP_PD=RW[0], READY=RO[8])

    def update(self):
        self.CMPCR.READY = self.CMPCR.CMP_PD

    def port_of(self, line: int) -> int:
        """Return the number of the port (0 is A) that an external interrupt line listens to."""
        return int(self.EXTICR[line // 4]) >> 4 * (line % 4) & 0xF


class Exti(Device, size=0x400, sizes=(1, 2, 4)):
    """External interrupts and events, RM0090 12.3. Lines 0 to 15 are pins; 16 and above come from devices (`line`)."""

    syscfg: Any = Param()
    irq0, irq1, irq2, irq3, irq4, irq9_5, irq15_10 = IrqOut(), IrqOut(), IrqOut(), IrqOut(), IrqOut(), IrqOut(), IrqOut()
    pvd, alarm, usb_fs, eth, usb_hs, tamper, wakeup = IrqOut(), IrqOut(), IrqOut(), IrqOut(), IrqOut(), IrqOut(), IrqOut()
    adc, adc_injected = IrqOut(), IrqOut()              # lines 11 and 15 start conversions

    IMR = Reg(0x00, "Interrupt mask", MR=RW[22:0])
    EMR = Reg(0x04, "Event mask", MR=RW[22:0])
    RTSR = Reg(0x08, "Rising trigger selection", TR=RW[22:0])
    FTSR = Reg(0x0C, "Falling trigger selection", TR=RW[22:0])
    SWIER = Reg(0x10, "Software interrupt event", SWIER=RW[22:0])
    PR = Reg(0x14, "Pending", PR=W1C[22:0])

    def line(self, number: int) -> Wire:
        """Return the wire of a line that a device drives (16 to 22)."""
        return Wire(f"exti{number}", lambda level: self._edge(number, level))

    def port_changed(self, port: int, before: int, now: int) -> None:
        """Take new levels of a port's pins."""
        changed = before ^ now
        for number in range(16):
            if changed >> number & 1 and self.syscfg.port_of(number) == port:
                self._edge(number, bool(now >> number & 1))

    def _edge(self, number: int, level: bool) -> None:
        if (self.RTSR if level else self.FTSR) >> number & 1:
            self._trigger(1 << number)
            self.settle()

    def _trigger(self, lines: int) -> None:
        self.PR = self.PR | lines & self.IMR
        for line, out in ((11, self.adc), (15, self.adc_injected)):
            if (lines & self.EMR) >> line & 1:
                out.pulse()
        if lines & self.EMR:
            cpu: Any = self.machine.cpu
            cpu.set_event()

    @SWIER.on_write
    def _software(self, value, old):
        self._trigger(self.SWIER & ~old)

    @PR.on_write
    def _clear(self, value):
        self.SWIER = self.SWIER & ~value

    def update(self):
        pending = int(self.PR) & int(self.IMR)
        singles = (self.irq0, self.irq1, self.irq2, self.irq3, self.irq4)
        others = (self.pvd, self.alarm, self.usb_fs, self.eth, self.usb_hs, self.tamper, self.wakeup)
        for first, outs in ((0, singles), (16, others)):
            for i, out in enumerate(outs):
                out.set(pending >> (first + i) & 1)
        self.irq9_5.set(pending & 0x03E0)
        self.irq15_10.set(pending & 0xFC00)
