"""Devices and machines: what a board file needs."""

from xemu.hw.device import BusError, Device, KiB, MiB
from xemu.hw.memory import Alias, Flash, Hole, Ram, Rom
from xemu.hw.parts import Fifo, IrqOut, IrqOuts, Param, Pins, SerialPort, Timer, Var
from xemu.hw.registers import RC, RO, RW, TODO, W1C, W1S, WO, Reg

__all__ = ["RC", "RO", "RW", "TODO", "W1C", "W1S", "WO", "Alias", "BusError", "Device", "Fifo", "Flash", "Hole", "IrqOut", "IrqOuts", "KiB",
           "MiB", "Param", "Pins", "Ram", "Reg", "Rom", "SerialPort", "Timer", "Var"]
