"""Watchdogs, random numbers, CRC and debug identification of the STM32F405. RM0090, chapters 21, 22, 24, 4 and 38."""

from __future__ import annotations

from xemu.hw.device import Device, KiB
from xemu.hw.devices.stm32_rcc import Clocked
from xemu.hw.parts import IrqOut, Timer, Var
from xemu.hw.registers import RO, RW, TODO, WO, Reg

POLYNOMIAL = 0x04C1_1DB7
WWDG_CYCLES = 4096


class Iwdg(Clocked, size=0x400):
    """Independent watchdog, 21.4: runs from LSI and resets the part."""

    ticks = Timer()                                        # of LSI since the last reload
    unlocked, running = Var(False), Var(False)

    KR = Reg(0x00, "Key", KEY=WO[15:0])
    PR = Reg(0x04, "Prescaler", PR=RW[2:0])
    RLR = Reg(0x08, "Reload", reset=0xFFF, RL=RW[11:0])
    SR = Reg(0x0C, "Status", PVU=RO[0], RVU=RO[1])

    def clock_changed(self):
        self.ticks.hz = self.rcc.hz("LSI")

    @KR.on_write
    def _key(self, value):
        self.unlocked = value == 0x5555
        if value == 0xCCCC:
            self.running = True
        if value in (0xAAAA, 0xCCCC) and self.running:
            self._reload()

    def _reload(self) -> None:
        self.ticks.start(0)
        self.ticks.after((self.RLR.RL + 1) * (4 << min(self.PR.PR, 6)))

    @PR.on_write
    def _set_prescaler(self, value, old):
        if not self.unlocked:
            self.PR = old

    @RLR.on_write
    def _set_reload(self, value, old):
        if not self.unlocked:
            self.RLR = old

    @ticks.expired
    def _bite(self):
        self.rcc.cause = "IWDG"
        self.machine.request_reset("IWDG")


class Wwdg(Clocked, size=0x400):
    """Window watchdog, 22.6: counts down from T with PCLK1 / 4096 / 2^WDGTB; below 0x40 it resets the part."""

    irq = IrqOut()
    ticks = Timer()                                        # of PCLK1 since T was written

    CR = Reg(0x00, "Control", reset=0x7F, T=RW[6:0], WDGA=RW[7])
    CFR = Reg(0x04, "Configuration", reset=0x7F, W=RW[6:0], WDGTB=RW[8:7], EWI=RW[9])
    SR = Reg(0x08, "Status", EWIF=RO[0])

    def clock_changed(self):
        self.ticks.hz = self.clock

    def _cycle(self) -> int:
        return int(WWDG_CYCLES << self.CFR.WDGTB)

    def _counter(self) -> int:
        loaded = self._values[self.CR.slot] & 0x7F
        return int(loaded - self.ticks.value // self._cycle() if self.ticks.running else loaded)

    @CR.live
    def _read(self):
        return self._values[self.CR.slot] & 0x80 | max(self._counter(), 0)

    @CR.on_write
    def _control(self, value, old):
        wanted, loaded = value & 0xFF | old & 0x80, self._values[self.CR.slot]
        if self.ticks.running:
            self._values[self.CR.slot] = old
            early = self._counter() > self.CFR.W
            self._values[self.CR.slot] = loaded | old & 0x80
            if early:
                self._bite("refreshed before its window")
                return
        self.CR = wanted
        if wanted & 0x80:
            if not wanted & 0x40:
                self._bite("T is below 0x40")
                return
            self.ticks.start(0)
            self._schedule()

    def _schedule(self) -> None:
        left = self._counter() - 0x40
        self.ticks.expire_at((self.ticks.value // self._cycle() + (left if left > 0 else 1)) * self._cycle())

    @ticks.expired
    def _reached(self):
        if self._counter() < 0x40:
            self._bite("it was not refreshed")
            return
        self.SR.EWIF = 1
        self._schedule()

    def _bite(self, why: str) -> None:
        self.rcc.cause = "WWDG"
        self.machine.request_reset(f"WWDG: {why}")

    @CFR.on_write
    def _configure(self, value, old):
        if old & 0x200:
            self.CFR.EWI = 1                               # once set, only a reset clears it

    @SR.on_write
    def _clear(self, value):
        self.SR = self.SR & value

    def update(self):
        self.irq.set(self.SR.EWIF and self.CFR.EWI)


class Rng(Clocked, size=0x400):
    """Random number generator, 24.4, seeded by the machine's seed: a number is always ready."""

    irq = IrqOut()
    number = Var(0)

    CR = Reg(0x00, "Control", RNGEN=RW[2], IE=RW[3])
    SR = Reg(0x04, "Status", DRDY=RO[0], CECS=RO[1], SECS=RO[2], CEIS=RO[5], SEIS=RO[6])
    DR = Reg(0x08, "Data", RNDATA=RO[31:0])

    @CR.on_write
    def _control(self, value, old):
        if value & 4 and not old & 4:
            self._draw()

    def _draw(self) -> None:
        self.number = self.machine.random.getrandbits(32)

    @DR.computed
    def _data(self):
        return self.number if self.CR.RNGEN else 0

    @DR.on_read
    def _next(self):
        if self.CR.RNGEN:
            self._draw()

    def update(self):
        self.SR.DRDY = self.CR.RNGEN
        self.irq.set(self.SR.DRDY and self.CR.IE)


def _table() -> list[int]:
    out = []
    for byte in range(256):
        crc = byte << 24
        for _ in range(8):
            crc = crc << 1 ^ (POLYNOMIAL if crc >> 31 else 0)
            crc &= 0xFFFF_FFFF
        out.append(crc)
    return out


TABLE = _table()


class Crc(Clocked, size=0x400):
    """CRC-32 over words, most significant bit first, 4.4."""

    DR = Reg(0x00, "Data", reset=0xFFFF_FFFF)
    IDR = Reg(0x04, "Independent data", IDR=RW[7:0])
    CR = Reg(0x08, "Control", RESET=WO[0])

    @DR.on_write
    def _add(self, value, old):
        crc = old
        for byte in value.to_bytes(4, "big"):
            crc = crc << 8 & 0xFFFF_FFFF ^ TABLE[crc >> 24 ^ byte]
        self.DR = crc

    @CR.on_write
    def _restart(self, value):
        if value & 1:
            self.DR = 0xFFFF_FFFF


class Dbgmcu(Device, size=KiB, sizes=(1, 2, 4)):
    """Debug MCU, 38.16: identification; what freezes under a debugger is up to the debugger."""

    IDCODE = Reg(0x00, "Identification", reset=0x1007_6413, DEV_ID=RO[11:0], REV_ID=RO[31:16])
    CR = Reg(0x04, "Control", DBG=TODO[2:0], TRACE=TODO[7:5])
    APB1_FZ = Reg(0x08, "APB1 freeze", FZ=RW[31:0])
    APB2_FZ = Reg(0x0C, "APB2 freeze", FZ=RW[31:0])
