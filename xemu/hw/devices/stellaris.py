"""Stellaris LM3S6965: system control and flash controller. Data sheet DS-LM3S6965, chapters 6 and 8."""

from __future__ import annotations

from typing import Any

from xemu.hw.device import Device, KiB
from xemu.hw.devices.watchdog import Watchdog
from xemu.hw.parts import IrqOut, Param, Timer, Var
from xemu.hw.registers import RO, RW, TODO, WO, Reg

INTERNAL = 12_000_000          # Hz of the internal oscillator
PLL = 200_000_000              # Hz that the PLL gives to the system divider
LOCK_TIME = 500                # µs until the PLL is locked: the longest of the data sheet, 22.2
CRYSTALS = (1_000_000, 1_843_200, 2_000_000, 2_457_600, 3_579_545, 3_686_400, 4_000_000, 4_096_000, 4_915_200, 5_000_000, 5_120_000,
            6_000_000, 6_144_000, 7_372_800, 8_000_000, 8_192_000)     # by RCC.XTAL
CAUSES = {"power": 1 << 1, "watchdog": 1 << 3, "software": 1 << 4}     # bits of RESC


class SysCtl(Device, size=4 * KiB):
    """System control. It gives all parts that have `set_clock` the system clock, and SysTick.

    `did`: DID0 and DID1; `dc`: DC0 to DC4. Modules may be used while their clock is off in RCGCn, where the part takes a
    bus fault.
    """

    did: Any = Param()
    dc: Any = Param()
    irq = IrqOut()
    lock = Timer(1_000_000)
    cause = Var("power")                     # of the next reset
    hz = Var(0)                              # the system clock

    DID0 = Reg(0x000, "Device identification 0", access=RO)
    DID1 = Reg(0x004, "Device identification 1", access=RO)
    DC0 = Reg(0x008, "Memory sizes", access=RO)
    DC = Reg(0x010, "Device capabilities 1 to 4", count=4, access=RO)
    PBORCTL = Reg(0x030, "Brown-out reset control", reset=0x7FFD, BORIOR=TODO[1])
    LDOPCTL = Reg(0x034, "LDO power control", VADJ=RW[5:0])
    SRCR = Reg(0x040, "Software reset control", count=3)
    RIS = Reg(0x050, "Raw interrupt status", BORRIS=RO[1], PLLLRIS=RO[6])
    IMC = Reg(0x054, "Interrupt mask control", BORIM=RW[1], PLLLIM=RW[6])
    MISC = Reg(0x058, "Masked interrupt status; 1 clears", BORMIS=RO[1], PLLLMIS=RO[6])
    RESC = Reg(0x05C, "Causes of resets", EXT=RW[0], POR=RW[1], BOR=RW[2], WDT=RW[3], SW=RW[4])
    RCC = Reg(0x060, "Run-mode clock configuration", reset=0x078E3AD1, MOSCDIS=RW[0], IOSCDIS=RW[1], OSCSRC=RW[5:4], XTAL=RW[9:6],
              BYPASS=RW[11], PWRDN=RW[13], PWMDIV=RW[19:17], USEPWMDIV=RW[20], USESYSDIV=RW[22], SYSDIV=RW[26:23], ACG=RW[27])
    PLLCFG = Reg(0x064, "Crystal to PLL translation", reset=0x1902, R=RO[4:0], F=RO[13:5])
    RCC2 = Reg(0x070, "Run-mode clock configuration 2", reset=0x07802810, OSCSRC2=RW[6:4], BYPASS2=RW[11], PWRDN2=RW[13], SYSDIV2=RW[28:23],
               USERCC2=RW[31])
    RCGC = Reg(0x100, "Run-mode clock gating", count=3)
    SCGC = Reg(0x110, "Sleep-mode clock gating", count=3)
    DCGC = Reg(0x120, "Deep-sleep-mode clock gating", count=3)
    FMPRE0 = Reg(0x130, "Flash protection, the first 64 KB: read (FMPRE[0] by another address)", reset=0xFFFFFFFF)
    FMPPE0 = Reg(0x134, "Flash protection, the first 64 KB: program (FMPPE[0] by another address)", reset=0xFFFFFFFF)
    USECRL = Reg(0x140, "Microseconds: MHz of the system clock - 1", reset=0x31, USEC=RW[7:0])
    DSLPCLKCFG = Reg(0x144, "Deep-sleep clock configuration", reset=0x07800000, DSOSCSRC=RW[6:4], DSDIVORIDE=RW[28:23])
    USER_DBG = Reg(0x1D0, "User debug", reset=0xFFFFFFFE)
    USER_REG = Reg(0x1E0, "User registers: the Ethernet address", reset=0xFFFFFFFF, count=2)
    FMPRE = Reg(0x200, "Flash protection: 2 KB blocks that may be read; bits only go to 0", reset=0xFFFFFFFF, count=4)
    FMPPE = Reg(0x400, "Flash protection: 2 KB blocks that may be written; bits only go to 0", reset=0xFFFFFFFF, count=4)

    def reset(self) -> None:
        """Reset all but what tells the causes of resets."""
        cause, seen = self.cause, 0 if self.cause == "power" else int(self.RESC)
        super().reset()
        self.RESC = seen | CAUSES[cause]
        self.cause = "software"

    def after_reset(self):
        self.DID0, self.DID1, self.DC0 = self.did[0], self.did[1], self.dc[0]
        for i in range(4):
            self.DC[i] = self.dc[i + 1]
        for gates in (self.RCGC, self.SCGC, self.DCGC):
            gates[0] = 0x40                  # the watchdog's clock and nothing else: the data sheet's reset value of RCGC0

    # -- clocks (6.1.4) ------------------------------------------------------------------------------------------------
    def _setting(self) -> tuple[int, int, int, int]:
        """Return oscillator, bypass, power-down and divider (0: none) as RCC2, where it is in use, and RCC say."""
        rcc, rcc2 = self.RCC, self.RCC2
        if rcc2.USERCC2:
            return rcc2.OSCSRC2, rcc2.BYPASS2, rcc2.PWRDN2, (rcc2.SYSDIV2 + 1) * rcc.USESYSDIV
        return rcc.OSCSRC, rcc.BYPASS, rcc.PWRDN, (rcc.SYSDIV + 1) * rcc.USESYSDIV

    def _system_hz(self) -> int:
        source, bypass, _, divider = self._setting()
        if not bypass:
            return PLL // max(divider, 1)
        sources = {0: CRYSTALS[self.RCC.XTAL], 1: INTERNAL, 2: INTERNAL // 4, 3: 30_000, 7: 32_768}
        return sources.get(source, INTERNAL) // max(divider, 1)

    @RCC.on_write
    def _configure(self, _value):
        self._power_pll()

    @RCC2.on_write
    def _configure2(self, _value):
        self._power_pll()

    def _power_pll(self) -> None:
        if self._setting()[2]:
            self.lock.stop()
            self.lock.cancel()
            self.lock.value = 0
        elif not self.lock.running:
            self.lock.start(0)
            self.lock.expire_at(LOCK_TIME)

    @lock.expired
    def _locked(self):
        self.RIS.PLLLRIS = 1

    # -- interrupts, resets ----------------------------------------------------------------------------------------------
    @MISC.computed
    def _masked(self):
        return self.RIS & self.IMC

    @MISC.on_write
    def _clear(self, value):
        self.RIS = self.RIS & ~value

    @FMPRE0.computed
    def _read_protection(self):
        return self.FMPRE[0]

    @FMPRE0.on_write
    def _protect_reads0(self, value):
        self.FMPRE[0] = self.FMPRE[0] & value

    @FMPPE0.computed
    def _write_protection(self):
        return self.FMPPE[0]

    @FMPPE0.on_write
    def _protect_writes0(self, value):
        self.FMPPE[0] = self.FMPPE[0] & value

    @FMPRE.on_write
    def _protect_reads(self, i, value, old):
        self.FMPRE[i] = value & old

    @FMPPE.on_write
    def _protect_writes(self, i, value, old):
        self.FMPPE[i] = value & old

    def may_write(self, offset: int) -> bool:
        """Whether flash at an offset may be erased and programmed."""
        block = offset // (2 * KiB)
        return bool(self.FMPPE[block // 32] >> block % 32 & 1)

    @SRCR.on_write
    def _reset_modules(self, i, value, old):
        del i
        if value & ~old:
            self.log("software resets of single modules (SRCRn) are not modelled")

    def update(self):
        self.irq.set(self.RIS & self.IMC)
        hz = self._system_hz()
        if hz != self.hz:
            self._give_clock(hz)

    def _give_clock(self, hz: int) -> None:
        self.hz = hz
        self.machine["scs"].tick.hz = hz
        for part in self.machine.parts.values():
            if hasattr(part, "set_clock"):
                part.set_clock(hz)

    def load(self, data: dict[str, Any]) -> None:
        """Take back what `save` gave, and have all parts run from the clock of that time."""
        super().load(data)
        self._give_clock(self._system_hz())


class StellarisWatchdog(Watchdog):
    """Watchdog, chapter 11. Once on it stays on."""

    sysctl: Any = Param()

    CTRL = Reg(0x008, "Control", INTEN=RW[0], RESEN=RW[1])
    TEST = Reg(0x418, "Test", STALL=RW[8])

    def identification(self) -> tuple[int, ...]:
        """Return what ID shows."""
        return (0, 0, 0, 0, 0x05, 0x18, 0x18, 0x01, 0x0D, 0xF0, 0x05, 0xB1)

    @CTRL.on_write
    def _stays_on(self, value, old):
        self.CTRL = value & 3 | old & 1
        self._control(value | old & 1, old)

    def _bite(self) -> None:
        self.sysctl.cause = "watchdog"
        super()._bite()


class StellarisFlash(Device, size=4 * KiB):
    """Flash controller, chapter 8: writes words, erases pages of 1 KB or all. Each command is over at once."""

    flash: Any = Param()
    sysctl: Any = Param()
    irq = IrqOut()

    FMA = Reg(0x000, "Address", OFFSET=RW[17:0])
    FMD = Reg(0x004, "Data")
    FMC = Reg(0x008, "Control", WRITE=RW[0], ERASE=RW[1], MERASE=RW[2], COMT=RW[3], WRKEY=WO[31:16])
    FCRIS = Reg(0x00C, "Raw interrupt status", ARIS=RO[0], PRIS=RO[1])
    FCIM = Reg(0x010, "Interrupt mask", AMASK=RW[0], PMASK=RW[1])
    FCMISC = Reg(0x014, "Masked interrupt status; 1 clears", AMISC=RO[0], PMISC=RO[1])

    @FMC.on_write
    def _command(self, value):
        self.FMC = 0
        if value >> 16 != 0xA442:
            self.log("a write to FMC without the key 0xA442 in its upper half has no effect")
            return
        offset, size = self.FMA.OFFSET & ~3, self.flash.size
        touched = range(0, size, 2 * KiB) if value & 4 else (offset,)
        if not value & 7:
            return
        if offset >= size or not all(map(self.sysctl.may_write, touched)):
            self.FCRIS.ARIS = 1
            return
        if value & 1:
            self.flash.program(offset, int(self.FMD).to_bytes(4, "little"))
        elif value & 2:
            self.flash.erase(offset & ~1023, KiB)
        else:
            self.flash.erase(0, size)
        self.FCRIS.PRIS = 1

    @FCMISC.computed
    def _masked(self):
        return self.FCRIS & self.FCIM

    @FCMISC.on_write
    def _clear(self, value):
        self.FCRIS = self.FCRIS & ~value

    def update(self):
        self.irq.set(self.FCRIS & self.FCIM)
