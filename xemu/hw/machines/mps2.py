"""Arm MPS2 and MPS2+ with Cortex-M FPGA images. Application Notes DAI 0385 (AN385), DAI 0386 (AN386), DAI 0400 (AN500)."""

from __future__ import annotations

from xemu.hw import Alias, Hole, KiB, MiB, Ram
from xemu.hw.cortex_m import CortexM3, CortexM4, CortexM7
from xemu.hw.devices.cmsdk import CmsdkDualTimer, CmsdkTimer, CmsdkUart
from xemu.hw.devices.cmsdk_gpio import CmsdkGpio
from xemu.hw.devices.mps2 import FpgaIo, SbconI2c, Scc
from xemu.hw.devices.pl022 import PL022
from xemu.hw.devices.watchdog import Watchdog
from xemu.hw.machine import MHz, machine

SYSCLK = 25 * MHz
UARTS = [(0x4000_4000, 0), (0x4000_5000, 2), (0x4000_6000, 4), (0x4000_7000, 18), (0x4000_9000, 20)]       # address, receive IRQ
SPIS = [(0x4002_0000, 11), (0x4002_1000, 11), (0x4002_5000, 22), (0x4002_6000, 23), (0x4002_7000, 23)]
I2CS = [("touch_i2c", 0x4002_2000), ("audio_i2c", 0x4002_3000), ("shield0_i2c", 0x4002_9000), ("shield1_i2c", 0x4002_A000)]


def memories(m, *, psram: int) -> None:
    """Add the static memories."""
    m.ssram1 = Ram(at=0, size=4 * MiB)
    m.ssram1_mirror = Alias(m.ssram1, at=0x0040_0000)
    m.ssram23 = Ram(at=0x2000_0000, size=4 * MiB)
    m.ssram23_mirror = Alias(m.ssram23, at=0x2040_0000)
    m.psram = Ram(at=psram, size=16 * MiB)


def block_ram(m) -> None:
    """Add the FPGA's memory, seen four times."""
    m.block_ram = Ram(at=0x0100_0000, size=16 * KiB)
    for n in (1, 2, 3):
        m[f"block_ram_mirror{n}"] = Alias(m.block_ram, at=0x0100_0000 + n * 16 * KiB)


def peripherals(m, *, identity: int, ethernet: int) -> None:
    """Add what the images share."""
    irq = m.cpu.irq
    m.peripherals = Hole(at=0x4000_0000, size=0x40000)
    m.timer0 = CmsdkTimer(at=0x4000_0000, clock=SYSCLK, irq=irq[8])
    m.timer1 = CmsdkTimer(at=0x4000_1000, clock=SYSCLK, irq=irq[9])
    m.dualtimer = CmsdkDualTimer(at=0x4000_2000, clock=SYSCLK, irq=irq[10])
    for n, (at, rx) in enumerate(UARTS):
        m[f"uart{n}"] = CmsdkUart(at=at, clock=SYSCLK, rx=irq[rx], tx=irq[rx + 1], overrun=irq[12], line=m.serial(n))
    m.watchdog = Watchdog(at=0x4000_8000, clock=SYSCLK, irq=m.cpu.nmi)
    for n, combined in enumerate((6, 7, 16, 17)):
        m[f"gpio{n}"] = CmsdkGpio(at=0x4001_0000 + n * 0x1000, irq=irq[combined], each=irq[24:32] if n == 0 else [])
    for n, (at, number) in enumerate(SPIS):
        m[f"spi{n}"] = PL022(at=at, clock=SYSCLK, irq=irq[number])
    for name, at in I2CS:
        m[name] = SbconI2c(at=at)
    m.fpgaio = FpgaIo(at=0x4002_8000, clock=SYSCLK)
    m.scc = Scc(at=0x4002_F000, identity=identity)
    m.ethernet = Hole(at=ethernet, size=4 * KiB)
    m.vga = Hole(at=0x4100_0000, size=0x20_0000)


@machine("mps2-an385", "Arm MPS2, AN385: Cortex-M3 at 25 MHz")
def mps2_an385(m) -> None:
    """Arm DAI 0385."""
    m.cpu = CortexM3(rate=SYSCLK, irqs=32, priority_bits=3)
    memories(m, psram=0x2100_0000)
    block_ram(m)
    peripherals(m, identity=0x4104_3850, ethernet=0x4020_0000)


@machine("mps2-an386", "Arm MPS2, AN386: Cortex-M4 with FPU at 25 MHz")
def mps2_an386(m) -> None:
    """Arm DAI 0386."""
    m.cpu = CortexM4(rate=SYSCLK, irqs=32, priority_bits=3)
    memories(m, psram=0x2100_0000)
    block_ram(m)
    peripherals(m, identity=0x4104_3860, ethernet=0x4020_0000)


@machine("mps2-an500", "Arm MPS2, AN500: Cortex-M7 with double-precision FPU at 25 MHz")
def mps2_an500(m) -> None:
    """Arm DAI 0400: no block RAM, PSRAM and Ethernet elsewhere."""
    m.cpu = CortexM7(rate=SYSCLK, irqs=32, priority_bits=3)
    memories(m, psram=0x6000_0000)
    peripherals(m, identity=0x4104_5000, ethernet=0xA000_0000)
