"""Parts on an I2C bus: what a bus master calls. NXP UM10204."""

from __future__ import annotations

from typing import ClassVar

from xemu.hw.device import Device
from xemu.hw.parts import Var


class I2cSlave(Device, size=256, sizes=(1,)):
    """A part with byte registers behind a pointer that the first byte written sets and each access moves on.

    It has no place on the CPU's bus (`at` is left out): its registers have 8 bits and their numbers as offsets.
    """

    i2c_address: ClassVar[int]
    pointer = Var(0)
    fresh = Var(default=False)                  # the next byte written is the pointer

    def begin(self, *, reading: bool) -> None:
        """Take a (repeated) start condition with this part's address; it is acknowledged."""
        self.fresh = not reading

    def put(self, byte: int) -> bool:
        """Take a byte; say whether it is acknowledged."""
        if self.fresh:
            self.pointer, self.fresh = byte, False
        else:
            self.write(self.pointer, 1, byte)
            self.pointer = self.following(self.pointer)
        return True

    def get(self) -> int:
        """Give a byte."""
        value = self.read(self.pointer, 1)
        self.pointer = self.following(self.pointer)
        return value

    def end(self) -> None:
        """Take a stop condition."""

    def following(self, pointer: int) -> int:
        """Return where the pointer goes after an access."""
        return pointer + 1 & 0xFF

    def unmodelled(self, offset: int, size: int, value: int | None) -> int:
        """Say once that a register is not modelled."""
        del size
        self.log(f"{'read of' if value is None else 'write to'} register {offset:#04x}, which is not modelled")
        return 0
