"""Devices that feel the world: what is set from outside (a script, `--set`) stays over the guest's resets."""

from __future__ import annotations

from xemu.hw.device import Device


class Sensing(Device):
    """A device with variables that belong to the world: those that `outside` names."""

    def reset(self) -> None:
        """Go back to the state after reset, but for the world's part."""
        kept = {n: self.__dict__[n] for n in self.outside}
        super().reset()
        self.__dict__.update(kept)
        self.settle()

    def feel(self, name: str, value: object) -> None:
        """Set one of the variables: an entry of the door."""
        self.machine.door.note("feel", f"{self.name}.{name}", value)
        self.take(name, value)

    def take(self, name: str, value: object) -> None:
        """Set one of the variables, as the door has it."""
        setattr(self, name, value)
        self.settle()
