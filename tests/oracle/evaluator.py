"""The same cases in xemu's evaluator: no native code, so a difference is a row's (or the evaluator's) own."""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Final

from tests.oracle.machine import SLOTS, THUMB_BIT, USER_CPSR, WINDOW, WINDOW_SIZE, Outcome, State, window_bytes
from xemu.core import decoder
from xemu.core.decoder import Decoded
from xemu.core.instruction import evaluate_instruction
from xemu.core.state import StateBlock
from xemu.targets.registry import get_target

if TYPE_CHECKING:
    from tests.oracle.machine import Case
    from xemu.core.isa import FixedWidthIsa
    from xemu.core.target import Target

WIDE: Final = 0xE800
STACK_ROOM: Final = 16 << 20  # before SLOTS lie the driver's code and, under QEMU, the stack
CODE_REACH: Final = 64 << 20  # what lies so near after SLOTS is taken for the code of other cases


class MemoryFaultError(Exception):
    """An access outside the window, or one that is not aligned as it must be."""

    def __init__(self, address: int, kind: str) -> None:
        super().__init__(f"{kind} {address:#x}")
        self.address, self.kind = address, kind


class ElsewhereError(Exception):
    """The case reads or writes where the code of others lies."""


def _is_elsewhere(address: int) -> bool:
    """Return whether the driver, the code of other cases, QEMU's stack or the kernel's page may lie there."""
    near = SLOTS - STACK_ROOM <= address < SLOTS + CODE_REACH
    return near or 0x6000_0000 <= address < 0x6800_0000 or address >= 0xFFFF_0000


class Window:
    """The scratch memory and nothing else."""

    def __init__(self) -> None:
        self.before = window_bytes()
        self.bytes = bytearray(self.before)

    def _at(self, address: int, size: int, align: int) -> int:
        if align > 1 and address % align:
            raise MemoryFaultError(address, "bus")
        for at in (address, address + size - 1):
            if _is_elsewhere(at):
                raise ElsewhereError
            if not WINDOW <= at < WINDOW + WINDOW_SIZE:
                raise MemoryFaultError(at if at == address else at & -4096, "segv")
        return address - WINDOW

    def load(self, addr: int, size: int, align: int) -> int:
        """Return `size` bytes as a little-endian number."""
        at = self._at(addr, size, align)
        return int.from_bytes(self.bytes[at : at + size], "little")

    def store(self, addr: int, size: int, align: int, value: int) -> None:
        """Write `size` bytes."""
        at = self._at(addr, size, align)
        self.bytes[at : at + size] = value.to_bytes(size, "little")

    def probe(self, addr: int, size: int, align: int, *, write: bool) -> None:
        """Raise unless the range lies in the window."""
        del write
        self._at(addr, size, align)

    def changes(self) -> dict[int, int]:
        """Return the words that differ from before."""
        pairs = zip(struct.iter_unpack("<I", self.before), struct.iter_unpack("<I", self.bytes), strict=True)
        return {WINDOW + 4 * i: new[0] for i, (old, new) in enumerate(pairs) if old != new}


@cache
def _target() -> Target:
    target = get_target("arm")
    target.load_rows()
    return target


@cache
def _trie(isa: FixedWidthIsa) -> bytes:
    return decoder.build(isa)


def _decode(case: Case, offset: int, state: StateBlock) -> Decoded | None:
    target = _target()
    iset = target.iset(state.context)
    guard = state.get(target.layout.cells[iset.guard]) if iset.guard else 0
    code = case.code + bytes(4)
    isa: FixedWidthIsa = iset.narrow
    if not case.thumb:
        (word,) = struct.unpack_from("<I", code, offset)
    else:
        word, low = struct.unpack_from("<HH", code, offset)
        if word >= WIDE and iset.wide is not None:
            isa, word = iset.wide, word << 16 | low
    if guard & 15:
        word |= 1 << isa.bits  # InIT
    index = decoder.walk(_trie(isa), word)
    return None if index is None else Decoded(isa.variants[index], word, iset, guard, isa.bits // 8)


def evaluate(case: Case, address: int) -> Outcome | None:
    """Run a case in the evaluator as if its code lay at `address`; None: it touched others' code."""
    target, memory = _target(), Window()
    state = StateBlock(target.layout)
    _load(state, case)
    pc = address
    while address <= pc < address + len(case.code) and (state.context & 1) == case.thumb:
        decoded = _decode(case, pc - address, state)
        if decoded is None:
            return _ended("undefined", state, memory, pc)
        try:
            outcome = evaluate_instruction(target, decoded, pc, state.context, state, memory)
        except MemoryFaultError as fault:
            return _ended(fault.kind, state, memory, pc, fault.address)
        except ElsewhereError:
            return None
        if outcome.abort is not None:
            kind = "trap" if outcome.abort[0] == "breakpoint" else "undefined"
            return _ended(kind, state, memory, pc)
        if outcome.context is not None:
            state.context = outcome.context
        if outcome.taken and outcome.next_pc == pc:
            return _ended("endless", state, memory, 0) if (state.context & 1) == case.thumb else None
        pc = outcome.next_pc
    if pc == address + len(case.code) and (state.context & 1) == case.thumb:
        return Outcome("done", _store(state), memory.changes())
    return _landed(case, state, memory, pc, address)


def _landed(case: Case, state: StateBlock, memory: Window, pc: int, address: int) -> Outcome | None:
    """Return the outcome of a branch away from the case's code."""
    if address + len(case.code) < pc < address + len(case.code) + 20 or (_is_elsewhere(pc) and abs(pc - address) >= case.room):
        return None  # into the middle of the branch back, or beyond what this case knows
    if abs(pc - address) < case.room and pc % 4 == 0:
        return _ended("undefined", state, memory, pc)
    return None if _is_elsewhere(pc) else _ended("segv", state, memory, pc, pc)


def _load(state: StateBlock, case: Case) -> None:
    target, before = _target(), case.before
    cells = target.layout.cells
    state.context = int(case.thumb)
    target.write(state, "cpsr", before.cpsr | THUMB_BIT * case.thumb)
    target.write(state, "fpscr", before.fpscr)
    for number, value in enumerate(before.r):
        state.set(cells["R"], number, value)
    for number, value in enumerate(before.d):
        state.set(cells["D"], number, value)


def _store(state: StateBlock) -> State:
    target, cells = _target(), _target().layout.cells
    cpsr, fpscr = target.read(state, "cpsr"), target.read(state, "fpscr")
    assert cpsr is not None
    assert fpscr is not None
    r = tuple(state.get(cells["R"], number) for number in range(15))
    d = tuple(state.get(cells["D"], number) for number in range(32))
    return State(r, cpsr & USER_CPSR, fpscr, d)


def _ended(kind: str, state: StateBlock, memory: Window, pc: int, fault: int | None = None) -> Outcome:
    if kind == "endless":
        return Outcome(kind, State(), {})
    after = _store(state)
    thumb = THUMB_BIT if state.context & 1 else 0
    after = State(after.r, after.cpsr | thumb)
    return Outcome(kind, after, memory.changes(), pc=pc, fault=pc if fault is None else fault)
