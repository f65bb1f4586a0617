"""Counting how often the guest reads and writes the registers of a part, while somebody looks.

Nobody looks: nothing is counted and nothing costs anything. Somebody looks: native code counts the cells it reads by itself, and
what goes through the part's own functions is counted there. What is done again in the past does not count.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from xemu.hw.device import Device


class Times(NamedTuple):
    """How often a register was accessed."""

    reads: int = 0
    writes: int = 0


class Accesses:
    """The accesses of a part of the bus from now on, until `close`."""

    def __init__(self, part: Any) -> None:
        self.part, self.machine = part, part.machine
        self.reads: Counter[int] = Counter()               # by offset, of those that came to Python
        self.writes: Counter[int] = Counter()
        self._repeated = False                             # native code may have counted what was done again
        self._base: dict[int, int] = {}                    # register number -> what native code had counted that does not count
        self._native: dict[int, int] = {}                  # … and what counts, when somebody looked last
        for name in ("read", "write", "posted_writes"):
            if hasattr(part, name):
                part.__dict__[name] = getattr(self, f"_{name}")
        if isinstance(part, Device):
            part.count_reads(on=True)
            self._base = {number: part.native_reads(number) for number in range(len(part.slots))}

    def close(self) -> None:
        """Count no more."""
        for name in ("read", "write", "posted_writes"):
            self.part.__dict__.pop(name, None)
        if isinstance(self.part, Device):
            self.part.count_reads(on=False)

    # -- in the place of the part's own ----------------------------------------------------------------------------------
    def _read(self, offset: int, size: int) -> int:
        if not self.machine.door.replaying:
            self.reads[offset] += 1
        return type(self.part).read(self.part, offset, size)  # type: ignore[no-any-return]

    def _write(self, offset: int, size: int, value: int) -> None:
        if not self.machine.door.replaying:
            self.writes[offset] += 1
        type(self.part).write(self.part, offset, size, value)

    def _posted_writes(self, offset: int, values: list[int]) -> None:
        if not self.machine.door.replaying:
            self.writes[offset] += len(values)
        type(self.part).posted_writes(self.part, offset, values)

    # -- looking ---------------------------------------------------------------------------------------------------------
    def of_registers(self) -> list[Times] | None:
        """Return the accesses of each register of a device, None while the machine repeats its past: they are of its present.

        It has to be asked at every stop: that is how it knows what was repeated.
        """
        if self.machine.door.replaying:
            self._repeated = True
            return None
        part: Device = self.part
        reads, writes = self._by_register(self.reads), self._by_register(self.writes)
        out = []
        for number in range(len(part.slots)):
            now = part.native_reads(number)
            if self._repeated:
                self._base[number] = now - self._native.get(number, 0)
            native = self._native[number] = now - self._base[number] & 0xFFFF_FFFF
            out.append(Times(reads[number] + native, writes[number]))
        self._repeated = False
        return out

    def _by_register(self, counts: Counter[int]) -> Counter[int]:
        found: Counter[int] = Counter()
        for offset, times in counts.items():
            number = self.part.register_at(offset)
            if number is not None:
                found[number] += times
        return found

    def at(self, offset: int, size: int) -> Times:
        """Return the accesses of some bytes of a part that has no registers there."""
        def total(counts: Counter[int]) -> int:
            return sum(counts[at] for at in range(offset, offset + size))

        return Times(total(self.reads), total(self.writes))
