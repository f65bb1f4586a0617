"""What the next instructions will do: executed by the evaluator on a copy of the state, so that nothing happens to the guest.

It ends where the rest of the world has a say: at accesses to devices, system calls, faults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from xemu.core.engine import AlignmentFaultError
from xemu.core.memory import GuestFault
from xemu.core.state import ENGINE_BYTES, StateBlock
from xemu.debug.accesses import Access

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.core.state import Cell
    from xemu.debug.debugger import Debugger

HEAD = 16                # bytes of PC and context in a saved state, before the cells


class Foreseen(NamedTuple):
    """One instruction of the future."""

    pc: int
    next_pc: int
    taken: bool                                      # a branch was taken
    reads: tuple[tuple[str, int], ...]               # general registers, before it
    writes: tuple[tuple[str, int], ...]              # … that it changes, after it
    accesses: tuple[Access, ...]                     # to memory
    end: str = ""                                    # why nothing further is known


class OutsideError(Exception):
    """The rest of the world has a say in what comes now."""


class Copy(StateBlock):
    """A copy of the registers that notes which are used."""

    def __init__(self, debugger: Debugger) -> None:
        saved = debugger.engine.state.save()
        super().__init__(debugger.engine.target.layout, bytearray(ENGINE_BYTES) + bytearray(saved[HEAD:]))
        self.pc = debugger.pc
        self.position = debugger.engine.state.context
        self.known = set(debugger.source.architecture.dwarf.values())
        self.used: dict[str, int] = {}
        self.changed: dict[str, int] = {}

    def get(self, cell: Cell, index: int = 0) -> int:
        """Return a register."""
        value = super().get(cell, index)
        name = cell.names[index] if index < len(cell.names) else cell.name
        if name in self.known:
            self.used.setdefault(name, value)
        return value

    def set(self, cell: Cell, index: int, value: int) -> None:
        """Change a register."""
        super().set(cell, index, value)
        name = cell.names[index] if index < len(cell.names) else cell.name
        if name in self.known:
            self.changed[name] = value


class Overlay:
    """The guest's memory with what the future writes on top."""

    def __init__(self, debugger: Debugger) -> None:
        self.system, self.number = debugger.system, debugger.source.architecture.number
        self.devices = [(e.start, e.end, e.name) for e in self.system.memory_map() if e.kind in ("device", "hole")]
        self.bytes: dict[int, int] = {}
        self.accesses: list[Access] = []

    def _look(self, address: int, size: int, align: int) -> bytes:
        if align > 1 and address & (align - 1):
            raise OutsideError("a misaligned access")
        name = next((name for start, end, name in self.devices if start <= address < end), "")
        if name:
            raise OutsideError(name)
        data = self.system.read_memory(address, size)
        if len(data) < size:
            raise OutsideError(f"nothing is at {address:#x}")
        return bytes(self.bytes.get(address + i, c) for i, c in enumerate(data))

    def load(self, address: int, size: int, align: int) -> int:
        """Read."""
        self.accesses.append(Access("r", address, size, None))
        data = self._look(address, size, align)
        self.accesses[-1] = Access("r", address, size, self.number(data))
        return int.from_bytes(data, "little")

    def store(self, address: int, size: int, align: int, value: int) -> None:
        """Write."""
        data = value.to_bytes(size, "little")
        self.accesses.append(Access("w", address, size, self.number(data)))
        self._look(address, size, align)
        self.bytes.update({address + i: c for i, c in enumerate(data)})

    def probe(self, address: int, size: int, align: int, *, write: bool) -> None:
        """Check that the range is there."""
        del write
        self._look(address, size, align)


def foresee(debugger: Debugger, count: int) -> Iterator[Foreseen]:
    """Yield what up to `count` instructions will do from here on."""
    engine = debugger.engine
    state, memory = Copy(debugger), Overlay(debugger)
    for _ in range(count):
        state.used, state.changed, memory.accesses = {}, {}, []
        pc, end = state.pc, ""
        try:
            iset = engine.target.iset(state.position)
            guard = StateBlock.get(state, engine.target.layout.cells[iset.guard]) if iset.guard else 0
            decoded = engine.library.decode_with(pc, iset, guard)
            if decoded is None:
                return
            outcome = engine.library.evaluate(decoded, pc, state.position, state, memory)
        except (OutsideError, GuestFault, AlignmentFaultError) as error:
            yield Foreseen(pc, pc, False, tuple(state.used.items()), (), tuple(memory.accesses), str(error))
            return
        if outcome.abort is not None or outcome.trap is not None:
            end = (outcome.abort or outcome.trap or ("",))[0]
        yield Foreseen(pc, outcome.next_pc, outcome.taken, tuple(state.used.items()), tuple(state.changed.items()),
                       tuple(memory.accesses), end)
        if end:
            return
        state.pc = outcome.next_pc
        state.position = state.position if outcome.context is None else outcome.context


__all__ = ["Foreseen", "foresee"]
