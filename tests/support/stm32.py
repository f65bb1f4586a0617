"""An STM32F405 whose registers a test drives, and slaves for its buses."""

from __future__ import annotations

from typing import Any

import pytest

from xemu.hw.machine import Machine, make_machine

US, MS = 168, 168_000                            # beats
FLASH, RAM, CCM = 0x0800_0000, 0x2000_0000, 0x1000_0000
SLEEP = bytes.fromhex("30bf fde7")               # wfi; b back to it


def board(name: str = "netduinoplus2", **more: Any) -> Machine:
    """Return a board whose CPU sleeps: time passes from event to event."""
    machine = make_machine(name, **more)
    machine.write_memory(FLASH, (RAM + 0x1000).to_bytes(4, "little") + (RAM + 0x201).to_bytes(4, "little"))
    machine.write_memory(RAM + 0x200, SLEEP)
    machine.cpu.reset()
    return machine


class Registers:
    """A device's registers by name, through the bus: `usart.CR1 = 0x200C`, `dma.CR[5]`."""

    def __init__(self, machine: Machine, name: str) -> None:
        self.__dict__.update(m=machine, device=machine[name], size=4)

    def at(self, name: str, index: int = 0) -> int:
        reg = getattr(type(self.device), name)
        return int(self.device.at + reg.offset + index * reg.stride)

    def __getattr__(self, name: str) -> Any:
        if getattr(type(self.device), name).count:
            return Array(self, name)
        return self.m.bus_read(self.at(name), 4)

    def __setattr__(self, name: str, value: int) -> None:
        self.m.bus_write(self.at(name), 4, value)


class Array:
    """The registers of an array."""

    def __init__(self, owner: Registers, name: str) -> None:
        self.owner, self.name = owner, name

    def __getitem__(self, index: int) -> int:
        return int(self.owner.m.bus_read(self.owner.at(self.name, index), 4))

    def __setitem__(self, index: int, value: int) -> None:
        self.owner.m.bus_write(self.owner.at(self.name, index), 4, value)


def of(m: Machine, *names: str) -> list[Any]:
    return [Registers(m, name) for name in names]


def interrupt(m: Machine, number: int) -> bool:
    """Return whether an interrupt line is high."""
    return bool(m.cpu.levels >> (16 + number) & 1)  # type: ignore[attr-defined]


def start_pll(m: Machine) -> None:
    """Switch to 168 MHz from the crystal of 25 MHz, APB1 at 42 MHz, APB2 at 84."""
    rcc, = of(m, "rcc")
    rcc.CR |= 1 << 16
    rcc.PLLCFGR = 7 << 24 | 1 << 22 | 336 << 6 | 25
    rcc.CR |= 1 << 24
    rcc.CFGR = 4 << 13 | 5 << 10 | 2


def uart(m: Machine, name: str = "usart2") -> Any:
    rcc, usart = of(m, "rcc", name)
    rcc.APB1ENR |= 1 << 17
    usart.BRR = 0x8B
    usart.CR1 = 0x200C
    return usart


def timer(m: Machine, name: str = "tim3", *, psc: int = 15, arr: int = 999) -> Any:
    """Return a timer of 1 MHz that is ready to go."""
    tim, = of(m, name)
    tim.PSC, tim.ARR = psc, arr
    tim.EGR = 1
    tim.SR = 0
    return tim


class Echo:
    """A slave that answers with the complement of a frame."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def transfer(self, value: int, bits: int) -> int:
        self.seen.append(value)
        return ~value & (1 << bits) - 1


class Memory:
    """A slave: the first byte written is the place, then bytes go there and come from there."""

    def __init__(self) -> None:
        self.bytes, self.place, self.log, self.first = bytearray(range(256)), 0, [], False  # type: ignore[var-annotated]

    def start(self, read: bool) -> bool:
        self.log.append("r" if read else "w")
        self.first = not read
        return True

    def write(self, byte: int) -> bool:
        if self.first:
            self.place, self.first = byte, False
        else:
            self.bytes[self.place] = byte
            self.place += 1
        self.log.append(byte)
        return byte != 0xEE

    def read(self) -> int:
        self.place += 1
        self.log.append("?")
        return self.bytes[self.place - 1]

    def stop(self) -> None:
        self.log.append("p")


def i2c_with_a_memory(m: Machine) -> Any:
    """Return I2C1 at 100 kHz with a slave at 0x50."""
    m["i2c1"].connect(0x50, Memory())
    i2c, = of(m, "i2c1")
    i2c.CR2, i2c.CCR, i2c.TRISE = 16, 80, 17
    i2c.CR1 = 1
    return i2c


def until(i2c: Any, mask: int) -> int:
    for _ in range(100):
        if i2c.SR1 & mask:
            return int(i2c.SR1)
        i2c.m.run(2_000)
    pytest.fail(f"SR1 is {i2c.SR1:#x}, not {mask:#x}")


def address(i2c: Any, byte: int) -> None:
    i2c.CR1 |= 1 << 8
    until(i2c, 1)
    i2c.DR = byte
    assert until(i2c, 0x402) & 2
