"""Arm MPS2 and MPS2+ with Cortex-M FPGA images. Application Notes DAI 0385 (AN385), DAI 0386 (AN386), DAI 0400 (AN500)."""

from __future__ import annotations

from xemu.hw import Alias, Hole, KiB, MiB, Ram
from xemu.hw.cortex_m import CortexM3
from xemu.hw.devices.cmsdk import CmsdkTimer, CmsdkUart
from xemu.hw.machine import MHz, machine

SYSCLK = 25 * MHz


def peripherals(m) -> None:
    """Add what the images share."""
    irq = m.cpu.irq
    m.peripherals = Hole(at=0x4000_0000, size=0x40000)
    for n, (at, rx) in enumerate([(0x4000_4000, 0), (0x4000_5000, 2), (0x4000_6000, 4), (0x4000_7000, 18), (0x4000_9000, 20)]):
        m[f"uart{n}"] = CmsdkUart(at=at, clock=SYSCLK, rx=irq[rx], tx=irq[rx + 1], overrun=irq[12], line=m.serial(n))
    m.timer0 = CmsdkTimer(at=0x4000_0000, clock=SYSCLK, irq=irq[8])
    m.timer1 = CmsdkTimer(at=0x4000_1000, clock=SYSCLK, irq=irq[9])


@machine("mps2-an385", "Arm MPS2, AN385: Cortex-M3 at 25 MHz")
def mps2_an385(m) -> None:
    m.cpu = CortexM3(rate=SYSCLK, irqs=32, priority_bits=3)
    m.ssram1 = Ram(at=0, size=4 * MiB)
    m.ssram1_mirror = Alias(m.ssram1, at=0x0040_0000)
    m.block_ram = Ram(at=0x0100_0000, size=16 * KiB)
    m.ssram23 = Ram(at=0x2000_0000, size=4 * MiB)
    m.ssram23_mirror = Alias(m.ssram23, at=0x2040_0000)
    m.psram = Ram(at=0x2100_0000, size=16 * MiB)
    peripherals(m)
