"""Boards with an STM32F405: Netduino Plus 2 and Olimex STM32-H405. Data sheet DS8626, reference manual RM0090."""

from __future__ import annotations

from typing import Any

from xemu.hw import Alias, Flash, Hole, KiB, MiB, Ram
from xemu.hw.cortex_m import CortexM4
from xemu.hw.devices.stm32_adc import Adc, AdcCommon
from xemu.hw.devices.stm32_dma import Dma
from xemu.hw.devices.stm32_flash import FlashController
from xemu.hw.devices.stm32_gpio import PORTS, Exti, Gpio, Syscfg
from xemu.hw.devices.stm32_i2c import I2c
from xemu.hw.devices.stm32_misc import Crc, Dbgmcu, Iwdg, Rng, Wwdg
from xemu.hw.devices.stm32_rcc import Pwr, Rcc
from xemu.hw.devices.stm32_rtc import Rtc
from xemu.hw.devices.stm32_spi import Spi
from xemu.hw.devices.stm32_tim import AdvancedTim, BasicTim, GeneralTim
from xemu.hw.devices.stm32_usart import Usart
from xemu.hw.machine import MHz, machine

#: what has no model, by name: RM0090 table 1
UNMODELLED = {
    "i2s2ext": 0x4000_3400, "i2s3ext": 0x4000_4000, "can1": 0x4000_6400, "can2": 0x4000_6800, "dac": 0x4000_7400, "sdio": 0x4001_2C00,
    "bkpsram": 0x4002_4000, "ethernet": 0x4002_8000, "otg_hs": 0x4004_0000, "otg_fs": 0x5000_0000, "dcmi": 0x5005_0000, "fsmc": 0xA000_0000,
}
#: name: address, receive and transmit interrupt, bus, (controller, stream, channel) of the DMA requests; RM0090 tables 42, 43
USARTS = {
    "usart1": (0x4001_1000, 37, "APB2", [(2, 2, 4), (2, 5, 4)], [(2, 7, 4)]),
    "usart2": (0x4000_4400, 38, "APB1", [(1, 5, 4)], [(1, 6, 4)]),
    "usart3": (0x4000_4800, 39, "APB1", [(1, 1, 4)], [(1, 3, 4), (1, 4, 7)]),
    "uart4": (0x4000_4C00, 52, "APB1", [(1, 2, 4)], [(1, 4, 4)]),
    "uart5": (0x4000_5000, 53, "APB1", [(1, 0, 4)], [(1, 7, 4)]),
    "usart6": (0x4001_1400, 71, "APB2", [(2, 1, 5), (2, 2, 5)], [(2, 6, 5), (2, 7, 5)]),
}
SPIS = {
    "spi1": (0x4001_3000, 35, "APB2", [(2, 0, 3), (2, 2, 3)], [(2, 3, 3), (2, 5, 3)]),
    "spi2": (0x4000_3800, 36, "APB1", [(1, 3, 0)], [(1, 4, 0)]),
    "spi3": (0x4000_3C00, 51, "APB1", [(1, 0, 0), (1, 2, 0)], [(1, 5, 0), (1, 7, 0)]),
}
I2CS = {
    "i2c1": (0x4000_5400, 31, [(1, 0, 1), (1, 5, 1)], [(1, 6, 1), (1, 7, 1)]),
    "i2c2": (0x4000_5800, 33, [(1, 2, 7), (1, 3, 7)], [(1, 7, 7)]),
    "i2c3": (0x4000_5C00, 72, [(1, 2, 3)], [(1, 4, 3)]),
}
#: name: address, interrupt, bits, DMA requests for update and the channels
GENERAL_TIMERS = {
    "tim2": (0x4000_0000, 28, 32, [[(1, 1, 3), (1, 7, 3)], [(1, 5, 3)], [(1, 6, 3)], [(1, 1, 3)], [(1, 7, 3), (1, 6, 3)]]),
    "tim3": (0x4000_0400, 29, 16, [[(1, 2, 5)], [(1, 4, 5)], [(1, 5, 5)], [(1, 7, 5)], [(1, 2, 5)]]),
    "tim4": (0x4000_0800, 30, 16, [[(1, 6, 2)], [(1, 0, 2)], [(1, 3, 2)], [(1, 7, 2)], []]),
    "tim5": (0x4000_0C00, 50, 32, [[(1, 0, 6), (1, 6, 6)], [(1, 2, 6)], [(1, 4, 6)], [(1, 0, 6)], [(1, 1, 6), (1, 3, 6)]]),
}
#: name: address, interrupts (break, update, trigger, compare), DMA requests as above
ADVANCED_TIMERS = {
    "tim1": (0x4001_0000, (24, 25, 26, 27), [[(2, 5, 6)], [(2, 1, 6), (2, 3, 6), (2, 6, 0)], [(2, 2, 6), (2, 6, 0)], [(2, 6, 6), (2, 6, 0)],
                                             [(2, 4, 6)]]),
    "tim8": (0x4001_0400, (43, 44, 45, 46), [[(2, 1, 7)], [(2, 2, 7), (2, 2, 0)], [(2, 3, 7), (2, 2, 0)], [(2, 4, 7), (2, 2, 0)],
                                             [(2, 7, 7)]]),
}
#: name: address, interrupt, channels, bus; they share interrupts with TIM1 and TIM8
SMALL_TIMERS = {
    "tim9": (0x4001_4000, 24, 2, "TIM2"), "tim10": (0x4001_4400, 25, 1, "TIM2"), "tim11": (0x4001_4800, 26, 1, "TIM2"),
    "tim12": (0x4000_1800, 43, 2, "TIM1"), "tim13": (0x4000_1C00, 44, 1, "TIM1"), "tim14": (0x4000_2000, 45, 1, "TIM1"),
}
TRIGGERS = {"tim2": 6, "tim3": 8, "tim8": 14}                                     # EXTSEL of their TRGO (13.6, table 69)
INJECTED_TRIGGERS = {"tim1": 1, "tim2": 3, "tim4": 9, "tim5": 11}                 # JEXTSEL (table 70)


class Peripherals(Hole):
    """A peripheral block: says the name of what is touched and not modelled."""

    def _named(self, offset: int) -> str:
        below = [(at, name) for name, at in UNMODELLED.items() if at <= self.at + offset]
        at, name = max(below, default=(self.at, self.name))
        return f"{name}+{self.at + offset - at:#x}" if self.at <= at and self.at + offset - at < 0x400 else f"{self.name}+{offset:#x}"

    def read(self, offset: int, size: int) -> int:
        """Say that nothing is there."""
        self.machine.report(f"{self._named(offset)}: read where nothing is modelled", svd=self.at + offset)
        return self.machine.reset_value(self.at + offset) & ((1 << 8 * size) - 1)

    def write(self, offset: int, size: int, value: int) -> None:
        """Say that nothing is there."""
        del size, value
        self.machine.report(f"{self._named(offset)}: write where nothing is modelled", svd=self.at + offset)


def memories(m: Any) -> None:
    """Add the memories. SRAM is 128 KiB (112 + 16); images made for QEMU's 192 KiB run, too: the rest stands for the CCM's 64."""
    m.flash = Flash(at=0x0800_0000, size=MiB)
    m.boot = Alias(m.flash, at=0)
    m.ccm = Ram(at=0x1000_0000, size=64 * KiB, executable=False)
    m.sram = Ram(at=0x2000_0000, size=192 * KiB)
    m.system_memory = Flash(at=0x1FFF_0000, size=32 * KiB)              # boot loader (empty), OTP, identification
    m.option_bytes = Flash(at=0x1FFF_C000, size=4 * KiB)


def system(m: Any) -> None:
    """Add what every program needs: clocks, flash control, ports, external interrupts."""
    irq, rcc = m.cpu.irq, m.rcc
    m.pwr = Pwr(at=0x4000_7000, rcc=rcc)
    m.flash_ctrl = FlashController(at=0x4002_3C00, rcc=rcc, main=m.flash, system=m.system_memory, options=m.option_bytes, irq=irq[4])
    for flash in (m.flash, m.system_memory, m.option_bytes):
        flash.controller = m.flash_ctrl
    m.syscfg = Syscfg(at=0x4001_3800, rcc=rcc)
    m.exti = Exti(at=0x4001_3C00, syscfg=m.syscfg, irq0=irq[6], irq1=irq[7], irq2=irq[8], irq3=irq[9], irq4=irq[10], irq9_5=irq[23],
                  irq15_10=irq[40], pvd=irq[1], alarm=irq[41], usb_fs=irq[42], eth=irq[62], usb_hs=irq[76], tamper=irq[2], wakeup=irq[3],
                  adc=[a.trigger(15) for a in m.adc.adcs], adc_injected=[a.trigger(15, injected=True) for a in m.adc.adcs])
    for i, port in enumerate(PORTS):
        m[f"gpio{port.lower()}"] = Gpio(at=0x4002_0000 + 0x400 * i, rcc=rcc, port=port, exti=m.exti)
    m.rtc = Rtc(at=0x4000_2800, rcc=rcc, alarm=m.exti.line(17), wakeup=m.exti.line(22))
    m.iwdg = Iwdg(at=0x4000_3000, rcc=rcc)
    m.wwdg = Wwdg(at=0x4000_2C00, rcc=rcc, bus="APB1", irq=irq[0])
    m.rng = Rng(at=0x5006_0800, rcc=rcc, irq=irq[80])
    m.crc = Crc(at=0x4002_3000, rcc=rcc)
    m.dbgmcu = Dbgmcu(at=0xE004_2000)


def buses(m: Any, requests: Any) -> None:
    """Add the serial interfaces; `requests` turns triples into DMA lines."""
    irq, rcc = m.cpu.irq, m.rcc
    for n, (name, (at, line, bus, rx, tx)) in enumerate(USARTS.items()):
        m[name] = Usart(at=at, rcc=rcc, bus=bus, irq=irq[line], dma_rx=requests(rx), dma_tx=requests(tx), line=m.serial(n))
    for name, (at, line, bus, rx, tx) in SPIS.items():
        m[name] = Spi(at=at, rcc=rcc, bus=bus, irq=irq[line], dma_rx=requests(rx), dma_tx=requests(tx))
    for name, (at, line, rx, tx) in I2CS.items():
        m[name] = I2c(at=at, rcc=rcc, bus="APB1", event=irq[line], error=irq[line + 1], dma_rx=requests(rx), dma_tx=requests(tx))


def timers(m: Any, requests: Any) -> None:
    """Add the timers."""
    irq, rcc = m.cpu.irq, m.rcc

    def lines(name: str, dma: list[Any]) -> dict[str, Any]:
        outputs = [a.trigger(TRIGGERS[name]) for a in m.adc.adcs if name in TRIGGERS]
        outputs += [a.trigger(INJECTED_TRIGGERS[name], injected=True) for a in m.adc.adcs if name in INJECTED_TRIGGERS]
        names = ("dma_up", "dma_cc1", "dma_cc2", "dma_cc3", "dma_cc4")
        return {"trgo": outputs, **{n: requests(d) for n, d in zip(names, dma, strict=True)}}

    for name, (at, (broken, update, trigger, compare), dma) in ADVANCED_TIMERS.items():
        m[name] = AdvancedTim(at=at, rcc=rcc, bus="TIM2", irq_break=irq[broken], irq_update=irq[update], irq_trigger=irq[trigger],
                              irq_compare=irq[compare], **lines(name, dma))
    for name, (at, line, bits, dma) in GENERAL_TIMERS.items():
        m[name] = GeneralTim(at=at, rcc=rcc, bus="TIM1", irq=irq[line], bits=bits, **lines(name, dma))
    for name, (at, line, channels, bus) in SMALL_TIMERS.items():
        m[name] = GeneralTim(at=at, rcc=rcc, bus=bus, irq=irq[line], channels=channels)
    m.tim6 = BasicTim(at=0x4000_1000, rcc=rcc, bus="TIM1", irq=irq[54], dma_up=requests([(1, 1, 7)]))
    m.tim7 = BasicTim(at=0x4000_1400, rcc=rcc, bus="TIM1", irq=irq[55], dma_up=requests([(1, 2, 1), (1, 4, 1)]))


def stm32f405(m: Any, *, hse: int) -> None:
    """Add an STM32F405 with a crystal of `hse` Hz. Time runs at 168 MHz whatever the PLL says; device clocks follow it."""
    m.cpu = CortexM4(rate=168 * MHz, irqs=82, priority_bits=4, reference=21 * MHz)
    memories(m)
    m.rcc = Rcc(at=0x4002_3800, hse=hse, irq=m.cpu.irq[5])
    lines = ([11, 12, 13, 14, 15, 16, 17, 47], [56, 57, 58, 59, 60, 68, 69, 70])
    dmas = [Dma(at=at, rcc=m.rcc, memory_to_memory=at == 0x4002_6400, **{f"irq{i}": m.cpu.irq[x] for i, x in enumerate(numbers)})
            for at, numbers in zip((0x4002_6000, 0x4002_6400), lines, strict=True)]

    def requests(triples: list[tuple[int, int, int]]) -> list[Any]:
        return [dmas[number - 1].request(stream, channel) for number, stream, channel in triples]

    adcs = [Adc(at=0x4001_2000 + 0x100 * n, rcc=m.rcc, bus="APB2", irq=m.cpu.irq[18], dma=requests(dma))
            for n, dma in enumerate(([(2, 0, 0), (2, 4, 0)], [(2, 2, 1), (2, 3, 1)], [(2, 0, 2), (2, 1, 2)]))]
    m.adc = AdcCommon(at=0x4001_2300, rcc=m.rcc, adcs=adcs)
    m.adc1, m.adc2, m.adc3 = adcs
    system(m)
    buses(m, requests)
    timers(m, requests)
    m.dma1, m.dma2 = dmas                       # last: a snapshot gives them their requests after those who make them
    m.peripherals = Peripherals(at=0x4000_0000, size=0x8_0000)
    m.ahb2 = Peripherals(at=0x5000_0000, size=0x6_1000)
    m.fsmc = Peripherals(at=0xA000_0000, size=0x1000)


@machine("netduinoplus2", "Netduino Plus 2: STM32F405, Cortex-M4F at 168 MHz; LED PA10, button PB11")
def netduinoplus2(m: Any) -> None:
    """The Netduino Plus 2."""
    stm32f405(m, hse=25 * MHz)


@machine("olimex-stm32-h405", "Olimex STM32-H405: STM32F405, Cortex-M4F at 168 MHz; LED PC12 (low lights it), button PA0")
def olimex_stm32_h405(m: Any) -> None:
    """The Olimex STM32-H405."""
    stm32f405(m, hse=8 * MHz)
