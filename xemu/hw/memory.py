"""Memories of a board: RAM, ROM, aliases, holes. Flash with a controller is a device's matter (see FlashArray)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.memory import EXEC, PAGE, READ, WRITE
from xemu.errors import MachineError

if TYPE_CHECKING:
    from xemu.hw.machine import Machine


class Memory:
    """Memory that the guest reads and executes directly. `at` and `size` are bytes, multiples of 4096."""

    kind = "memory"
    prot = READ | EXEC

    def __init__(self, *, at: int, size: int, executable: bool = True) -> None:
        self.at, self.size, self.name = at, size, self.kind
        self.executable = executable
        self.mirrored = False              # an alias shows it too
        self.machine: Machine
        if at % PAGE or size % PAGE or size <= 0:
            msg = f"memory at {at:#x} of {size:#x} bytes: both must be multiples of 4096"
            raise MachineError(msg)

    def attach(self, machine: Machine, name: str) -> None:
        """Take the name the board gives."""
        self.machine, self.name = machine, name

    @property
    def rights(self) -> int:
        """READ, WRITE, EXEC as the bus allows them."""
        return self.prot & ~(0 if self.executable else EXEC)

    def place(self) -> None:
        """Put it into the address space."""
        self.machine.space.map(self.at, self.size, self.rights, path=self.name, shared=self.mirrored)
        if not self.rights & WRITE:
            for page in range(self.at, self.at + self.size, PAGE):
                self.machine.engine.slow.watch_writes(page)

    def reset(self) -> None:
        """Memory keeps its contents over a reset."""

    def save(self) -> Any:
        """Return the contents, without empty pages."""
        data = self.machine.space.peek(self.at, self.size) or b""
        empty = bytes(PAGE)
        return {i: page for i in range(0, self.size, PAGE) if (page := data[i:i + PAGE]) != empty}

    def load(self, data: Any) -> None:
        """Take back what `save` gave."""
        space, empty = self.machine.space, bytes(PAGE)
        for i in range(0, self.size, PAGE):
            wanted = data.get(i, empty)
            if space.peek(self.at + i, PAGE) != wanted:
                space.poke(self.at + i, wanted)


class Ram(Memory):
    """Memory that the guest may write."""

    kind = "RAM"
    prot = READ | WRITE | EXEC


class Rom(Memory):
    """Memory that ignores writes, and says so once. `written(address, size, value)` may be replaced by a flash controller."""

    kind = "ROM"

    def guest_write(self, address: int, size: int, value: int) -> None:
        """Take a guest's write: it changes nothing."""
        del size, value
        self.machine.report(f"{self.name}: write to read-only memory at {address:#x}")


class Flash(Rom):
    """Flash memory: a controller device takes writes and changes contents with `program` and `erase`."""

    kind = "flash"

    def __init__(self, *, at: int, size: int, controller: Any = None) -> None:
        super().__init__(at=at, size=size)
        self.controller = controller
        self.written = False               # contents changed by the guest

    def place(self) -> None:
        super().place()
        self.machine.space.poke(self.at, b"\xFF" * self.size)

    def guest_write(self, address: int, size: int, value: int) -> None:
        """Hand a guest's write to the controller: flash_write(flash, offset, size, value)."""
        if self.controller is None:
            super().guest_write(address, size, value)
        else:
            self.controller.flash_write(self, address - self.at, size, value)

    def program(self, offset: int, data: bytes) -> None:
        """Clear the bits that are 0 in `data`."""
        old = self.machine.space.peek(self.at + offset, len(data)) or b""
        self.change(offset, bytes(a & b for a, b in zip(old, data, strict=True)))

    def erase(self, offset: int, size: int) -> None:
        """Set all bits of a sector."""
        self.change(offset, b"\xFF" * size)

    def change(self, offset: int, data: bytes) -> None:
        """Replace contents."""
        self.written = True
        self.machine.write_memory(self.at + offset, data)


class Alias:
    """Addresses at which another memory is seen too. Writes go to the original."""

    kind = "alias"

    def __init__(self, of: Memory, *, at: int, size: int = 0, offset: int = 0) -> None:
        self.of, self.at, self.offset = of, at, offset
        of.mirrored = True
        self.size = size or of.size - offset
        self.name = self.kind
        self.machine: Machine

    def attach(self, machine: Machine, name: str) -> None:
        """Take the name the board gives."""
        self.machine, self.name = machine, name

    def place(self) -> None:
        """Show the original's memory here."""
        self.machine.space.alias(self.at, self.size, self.of.at + self.offset, self.of.rights)
        if not self.of.rights & WRITE:
            for page in range(self.at, self.at + self.size, PAGE):
                self.machine.engine.slow.watch_writes(page)

    def guest_write(self, address: int, size: int, value: int) -> None:
        """Hand a write to read-only memory to the original."""
        self.of.guest_write(address - self.at + self.offset + self.of.at, size, value)  # type: ignore[attr-defined]

    def reset(self) -> None:
        """Nothing of its own."""

    def save(self) -> Any:
        """Nothing of its own."""
        return None

    def load(self, data: Any) -> None:
        """Nothing of its own."""


class Hole:
    """Addresses that answer reads with zero and ignore writes, and say so once per place. Devices may lie in it."""

    kind = "hole"

    def __init__(self, *, at: int, size: int) -> None:
        self.at, self.size, self.name = at, size, self.kind
        self.machine: Machine

    def attach(self, machine: Machine, name: str) -> None:
        """Take the name the board gives."""
        self.machine, self.name = machine, name

    def read(self, offset: int, size: int) -> int:
        """Say that nothing is there."""
        self.machine.report(f"{self.name}+{offset:#x}: read where nothing is modelled", svd=self.at + offset)
        return self.machine.reset_value(self.at + offset) & ((1 << 8 * size) - 1)

    def write(self, offset: int, size: int, value: int) -> None:
        """Say that nothing is there."""
        del size, value
        self.machine.report(f"{self.name}+{offset:#x}: write where nothing is modelled", svd=self.at + offset)

    def reset(self) -> None:
        """Nothing to reset."""

    def save(self) -> Any:
        """Nothing to keep."""
        return None

    def load(self, data: Any) -> None:
        """Nothing to keep."""
