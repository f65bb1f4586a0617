"""Clocks, resets and power of the STM32F405: RCC and PWR. RM0090, chapters 5 and 7.

Oscillators are ready as soon as they are switched on. Every other device of the part derives from `Clocked`.
"""

from __future__ import annotations

from typing import Any

from xemu.hw.device import Device
from xemu.hw.parts import IrqOut, Param, Var
from xemu.hw.registers import RO, RW, TODO, WO, Reg

HSI, LSI = 16_000_000, 32_000          # Hz
AHB1 = {**{f"GPIO{port}": i for i, port in enumerate("ABCDEFGHI")}, "CRC": 12, "BKPSRAM": 18, "CCMDATARAM": 20, "DMA1": 21, "DMA2": 22,
        "ETHMAC": 25, "ETHMACTX": 26, "ETHMACRX": 27, "ETHMACPTP": 28, "OTGHS": 29, "OTGHSULPI": 30}
AHB2 = {"DCMI": 0, "RNG": 6, "OTGFS": 7}
AHB3 = {"FSMC": 0}
APB1 = {**{f"TIM{n}": n - 2 for n in (2, 3, 4, 5, 6, 7)}, "TIM12": 6, "TIM13": 7, "TIM14": 8, "WWDG": 11, "SPI2": 14, "SPI3": 15,
        "USART2": 17, "USART3": 18, "UART4": 19, "UART5": 20, "I2C1": 21, "I2C2": 22, "I2C3": 23, "CAN1": 25, "CAN2": 26, "PWR": 28,
        "DAC": 29}
APB2 = {"TIM1": 0, "TIM8": 1, "USART1": 4, "USART6": 5, "ADC1": 8, "ADC2": 9, "ADC3": 10, "SDIO": 11, "SPI1": 12, "SYSCFG": 14,
        "TIM9": 16, "TIM10": 17, "TIM11": 18}
APB2_RESETS = {**{n: b for n, b in APB2.items() if n not in ("ADC1", "ADC2", "ADC3")}, "ADC": 8}
CAUSES = {"power": 1 << 27 | 1 << 25, "software": 1 << 28, "IWDG": 1 << 29, "WWDG": 1 << 30}      # bits of CSR


def _bits(table: dict[str, int], suffix: str) -> dict[str, Any]:
    return {name + suffix: RW[bit] for name, bit in table.items()}


class Clocked(Device, sizes=(1, 2, 4)):
    """A device with a clock from the RCC. Its name is also the name of its bits in the enable and reset registers."""

    rcc: Any = Param()
    bus: str = Param("")                 # "AHB", "APB1", "APB2"; timers "TIM1", "TIM2": see Rcc.hz

    @property
    def clock(self) -> int:
        """Hz of the device's clock now."""
        return int(self.rcc.hz(self.bus))

    def clock_changed(self) -> None:
        """Take the clock's new frequency."""

    def write(self, offset: int, size: int, value: int) -> None:
        """Do a guest's write; where RCC has not switched the clock on, hardware would ignore it: say so."""
        gate = self.rcc.gates.get(self.name)
        if gate and not gate[0].value & gate[1]:
            self.log(f"written while its clock is off (RCC_{gate[0].reg.name}); hardware ignores that")
        super().write(offset, size, value)


class Rcc(Device, size=0x400, sizes=(1, 2, 4)):
    """Reset and clock control, RM0090 7.3. `hse` and `lse`: the board's crystals in Hz, 0 for none."""

    hse: int = Param(8_000_000)
    lse: int = Param(32_768)
    irq = IrqOut()
    cause = Var("power")                 # of the next reset: a key of CAUSES
    clocks: dict[str, int] = Var({})     # type: ignore[assignment]  # Hz by name, see `hz`
    gates: dict[str, Any] = Param(None)  # part name -> (enable register, bit)
    pwr: Any = Param(None)

    CR = Reg(0x00, "Clock control", reset=0x8083, HSION=RW[0], HSIRDY=RO[1], HSITRIM=RW[7:3], HSICAL=RO[15:8], HSEON=RW[16], HSERDY=RO[17],
             HSEBYP=RW[18], CSSON=TODO[19], PLLON=RW[24], PLLRDY=RO[25], PLLI2SON=RW[26], PLLI2SRDY=RO[27])
    PLLCFGR = Reg(0x04, "PLL configuration", reset=0x2400_3010, PLLM=RW[5:0], PLLN=RW[14:6], PLLP=RW[17:16], PLLSRC=RW[22](HSI=0, HSE=1),
                  PLLQ=RW[27:24], KEEP=RW[31:28])
    CFGR = Reg(0x08, "Clock configuration", SW=RW[1:0](HSI=0, HSE=1, PLL=2), SWS=RO[3:2](HSI=0, HSE=1, PLL=2), HPRE=RW[7:4],
               PPRE1=RW[12:10], PPRE2=RW[15:13], RTCPRE=RW[20:16], MCO1=RW[22:21],
               I2SSRC=RW[23], MCO1PRE=RW[26:24], MCO2PRE=RW[29:27], MCO2=RW[31:30])
    CIR = Reg(0x0C, "Clock interrupt", READY=RO[5:0], CSSF=RO[7], READYIE=RW[13:8], READYC=WO[21:16], CSSC=WO[23])
    AHB1RSTR = Reg(0x10, "AHB1 peripheral reset", **_bits(AHB1, "RST"))
    AHB2RSTR = Reg(0x14, "AHB2 peripheral reset", **_bits(AHB2, "RST"))
    AHB3RSTR = Reg(0x18, "AHB3 peripheral reset", **_bits(AHB3, "RST"))
    APB1RSTR = Reg(0x20, "APB1 peripheral reset", **_bits(APB1, "RST"))
    APB2RSTR = Reg(0x24, "APB2 peripheral reset", **_bits(APB2_RESETS, "RST"))
    AHB1ENR = Reg(0x30, "AHB1 peripheral clock enable", reset=0x0010_0000, **_bits(AHB1, "EN"))
    AHB2ENR = Reg(0x34, "AHB2 peripheral clock enable", **_bits(AHB2, "EN"))
    AHB3ENR = Reg(0x38, "AHB3 peripheral clock enable", **_bits(AHB3, "EN"))
    APB1ENR = Reg(0x40, "APB1 peripheral clock enable", **_bits(APB1, "EN"))
    APB2ENR = Reg(0x44, "APB2 peripheral clock enable", **_bits(APB2, "EN"))
    AHB1LPENR = Reg(0x50, "AHB1 clock enable in Sleep", reset=0x7E67_91FF)
    AHB2LPENR = Reg(0x54, "AHB2 clock enable in Sleep", reset=0x0000_00F1)
    AHB3LPENR = Reg(0x58, "AHB3 clock enable in Sleep", reset=0x0000_0001)
    APB1LPENR = Reg(0x60, "APB1 clock enable in Sleep", reset=0x36FE_C9FF)
    APB2LPENR = Reg(0x64, "APB2 clock enable in Sleep", reset=0x0007_5F33)
    BDCR = Reg(0x70, "Backup domain control", LSEON=RW[0], LSERDY=RO[1], LSEBYP=RW[2], RTCSEL=RW[9:8](none=0, LSE=1, LSI=2, HSE=3),
               RTCEN=RW[15], BDRST=RW[16])
    CSR = Reg(0x74, "Control and status", LSION=RW[0], LSIRDY=RO[1], RMVF=WO[24], BORRSTF=RO[25], PINRSTF=RO[26], PORRSTF=RO[27],
              SFTRSTF=RO[28], IWDGRSTF=RO[29], WWDGRSTF=RO[30], LPWRRSTF=RO[31])
    SSCGR = Reg(0x80, "Spread spectrum", MODPER=RW[12:0], INCSTEP=RW[27:13], SPREADSEL=RW[30], SSCGEN=TODO[31])
    PLLI2SCFGR = Reg(0x84, "PLLI2S configuration", reset=0x2000_3000, PLLI2SN=RW[14:6], PLLI2SR=RW[30:28])

    def start(self):
        self.gates = {}
        for reg in type(self).registers:
            for field, spec in reg.fields.items():
                if field.endswith("EN") and reg.name.endswith("ENR"):
                    self.gates[field[:-2].lower()] = (self._views[reg.name], spec.mask)
        self.pwr = next((p for p in self.machine.parts.values() if isinstance(p, Pwr)), None)

    # -- resets ------------------------------------------------------------------------------------------------------------
    def reset(self) -> None:
        """Reset all but the backup domain and what tells the causes of resets."""
        cause, backup, flags = self.cause, int(self.BDCR), int(self.CSR) & 0xFE00_0000
        super().reset()
        self.BDCR = backup if cause != "power" else 0
        # The reset pin goes low with every internal reset (7.1.1).
        self.CSR = flags | CAUSES[cause] | 1 << 26
        self.cause = "software"
        self.settle()

    @AHB1RSTR.on_write
    def _reset_ahb1(self, value, old):
        self._reset_parts(AHB1, value & ~old)

    @AHB2RSTR.on_write
    def _reset_ahb2(self, value, old):
        self._reset_parts(AHB2, value & ~old)

    @APB1RSTR.on_write
    def _reset_apb1(self, value, old):
        self._reset_parts(APB1, value & ~old)

    @APB2RSTR.on_write
    def _reset_apb2(self, value, old):
        self._reset_parts(APB2_RESETS, value & ~old)

    def _reset_parts(self, table: dict[str, int], bits: int) -> None:
        for name, bit in table.items():
            if bits >> bit & 1:
                for wanted in ("adc1", "adc2", "adc3", "adc") if name == "ADC" else (name.lower(),):
                    part = self.machine.parts.get(wanted)
                    if isinstance(part, Device):
                        part.reset()

    @CSR.on_write
    def _remove_flags(self, value):
        if value & 1 << 24:
            self.CSR = self.CSR & 0x3

    # -- the backup domain: written only with PWR_CR.DBP ---------------------------------------------------------------------
    @property
    def backup_open(self) -> bool:
        """Whether the backup domain may be written (5.1.2)."""
        return self.pwr is None or bool(self.pwr.CR.DBP)

    @BDCR.on_write
    def _backup_control(self, value, old):
        if not self.backup_open:
            self.BDCR = old
            self.log("BDCR written while PWR_CR.DBP is 0; hardware ignores that")
        elif value & 1 << 16:
            self.BDCR = 1 << 16
            if not old & 1 << 16 and "rtc" in self.machine.parts:
                self.machine["rtc"].power_on()
        elif old >> 8 & 3:
            self.BDCR.RTCSEL = old >> 8 & 3              # once chosen, only a backup reset changes it (7.3.20)

    # -- clocks --------------------------------------------------------------------------------------------------------------
    @PLLCFGR.on_write
    def _pll(self, value, old):
        if self.CR.PLLON and value != old:
            self.PLLCFGR = old
            self.log("PLLCFGR written while the PLL is on; hardware ignores that")

    @CIR.on_write
    def _clear_ready(self, value):
        self.CIR = self.CIR & ~(value >> 16 & 0xBF)

    def update(self):
        before = self._ready()
        source = self.CFGR.SWS
        if source == 0 or (source == 2 and not self.PLLCFGR.PLLSRC):
            self.CR.HSION = 1                            # what the system runs from cannot be switched off
        elif source == 1 or self.PLLCFGR.PLLSRC:
            self.CR.HSEON = 1
        if source == 2:
            self.CR.PLLON = 1
        self.CR.HSIRDY = self.CR.HSION
        self.CR.HSERDY = self.CR.HSEON and self.hse > 0
        running = self.CR.HSERDY if self.PLLCFGR.PLLSRC else self.CR.HSIRDY
        self.CR.PLLRDY = self.CR.PLLON and running
        self.CR.PLLI2SRDY = self.CR.PLLI2SON and running
        self.BDCR.LSERDY = self.BDCR.LSEON and self.lse > 0
        self.CSR.LSIRDY = self.CSR.LSION
        wanted = self.CFGR.SW
        if (self.CR.HSIRDY, self.CR.HSERDY, self.CR.PLLRDY, 0)[wanted]:
            self.CFGR.SWS = wanted
        self.CIR = self.CIR | self._ready() & ~before
        self.irq.set(self.CIR.READY & self.CIR.READYIE)
        self._derive()

    def _ready(self) -> int:
        cr = self.CR
        return int(self.CSR.LSIRDY | self.BDCR.LSERDY << 1 | cr.HSIRDY << 2 | cr.HSERDY << 3 | cr.PLLRDY << 4 | cr.PLLI2SRDY << 5)

    def _system_clock(self) -> int:
        source = self.CFGR.SWS
        if source < 2:
            return (HSI, self.hse)[source]
        pll = self.PLLCFGR
        return int((self.hse if pll.PLLSRC else HSI) * pll.PLLN // max(pll.PLLM, 1) // (2 * pll.PLLP + 2))

    def _derive(self) -> None:
        """Work out all clocks, and tell where they have changed."""
        cfgr = self.CFGR
        hclk = self._system_clock() // ((1, 2, 4, 8, 16, 64, 128, 256, 512)[cfgr.HPRE - 7] if cfgr.HPRE & 8 else 1) or 1
        apb1, apb2 = ((2 << (p & 3)) if p & 4 else 1 for p in (cfgr.PPRE1, cfgr.PPRE2))
        rtc = (0, self.lse * self.BDCR.LSERDY, LSI * self.CSR.LSIRDY, self.hse * self.CR.HSERDY // max(cfgr.RTCPRE, 1))[self.BDCR.RTCSEL]
        clocks = {"AHB": hclk, "APB1": hclk // apb1, "APB2": hclk // apb2, "TIM1": hclk // apb1 * min(apb1, 2),
                  "TIM2": hclk // apb2 * min(apb2, 2), "RTC": rtc * self.BDCR.RTCEN, "LSI": LSI}
        if clocks != self.clocks:
            self.clocks = clocks
            self._tell()

    def hz(self, name: str) -> int:
        """Return a clock's frequency: "AHB", "APB1", "APB2", "TIM1" and "TIM2" (timers on APB1, APB2), "RTC", "LSI"."""
        return self.clocks.get(name, 0)

    def _tell(self) -> None:
        cpu: Any = self.machine.cpu
        scs, hclk = self.machine["scs"], self.clocks["AHB"]
        cpu.rate, cpu.reference = hclk, hclk // 8                           # what SysTick counts with (7.2); beats stay as they are
        scs.tick.hz = hclk if scs.SYST_CSR & 4 else hclk // 8
        for part in self.machine.parts.values():
            if isinstance(part, Clocked):
                part.clock_changed()

    def load(self, data: dict[str, Any]) -> None:
        """Take back a snapshot: SysTick's clocks are not the core's state, so they are derived again."""
        super().load({**data, "clocks": {}})


class Pwr(Clocked, size=0x400):
    """Power control, RM0090 5.4. Sleep and Stop are a WFI; Standby is not modelled."""

    CR = Reg(0x00, "Power control", reset=0x4000, LPDS=RW[0], PDDS=TODO[1], CWUF=WO[2], CSBF=WO[3], PVDE=TODO[4], PLS=RW[7:5], DBP=RW[8],
             FPDS=RW[9], VOS=RW[14])
    CSR = Reg(0x04, "Power control and status", WUF=RO[0], SBF=RO[1], PVDO=RO[2], BRR=RO[3], EWUP=RW[8], BRE=RW[9], VOSRDY=RO[14])

    @CR.on_write
    def _clear(self, value):
        if value & 4:
            self.CSR.WUF = 0
        if value & 8:
            self.CSR.SBF = 0

    def update(self):
        self.CSR.BRR = self.CSR.BRE
        self.CSR.VOSRDY = 1
