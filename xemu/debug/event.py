"""One thing that has happened to a guest."""

from __future__ import annotations

from typing import NamedTuple

ANY = -1                 # in the place of a transition: any at that beat
KINDS = ("checkpoint", "stop", "signal", "exception", "irq", "output", "call", "process")


class Event(NamedTuple):
    """Something that happened. It is told apart from others at the same place by all it says."""

    beat: int
    transition: int                  # or ANY
    insns: int
    kind: str                        # one of KINDS
    name: str                        # "SysTick", "uart0", "write", "SIGINT"
    text: str = ""
    times: int = 1                   # it stands for so many

    @property
    def words(self) -> str:
        """Say it."""
        many = f" ×{self.times}" if self.times > 1 else ""
        return f"{self.name}{many}" + (f": {self.text}" if self.text else "")


__all__ = ["ANY", "KINDS", "Event"]
