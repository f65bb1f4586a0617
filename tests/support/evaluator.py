"""ARM instructions run one by one in the evaluator, from exact states, as the oracle's cases describe them."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

from tests.oracle.machine import SLOTS, WINDOW, WINDOW_SIZE, Case, Outcome, State, window_bytes
from xemu.core.bits import const, new_graph
from xemu.core.isa import stage
from xemu.core.record import set_current
from xemu.core.reference import Evaluation, execute
from xemu.core.state import StateBlock
from xemu.targets.arm import target as arm
from xemu.targets.arm.isa import a32, t16, t32
from xemu.targets.arm.state import LAYOUT, ArmContext, condition

if TYPE_CHECKING:
    from xemu.core.isa import FixedWidthIsa, Variant

ALWAYS: Final = 14
MOST_STEPS: Final = 20
WIDE: Final = 0xE800  # the lowest first halfword of a 32-bit T32 instruction


class Fault(Exception):  # noqa: N818  not an error of ours
    """A memory access of the guest that fails."""

    def __init__(self, kind: str, address: int) -> None:
        super().__init__(f"{kind} {address:#x}")
        self.kind, self.address = kind, address


@dataclass
class Memory:
    """Pieces of guest memory by address; those in `constant` cannot be written."""

    pieces: dict[int, bytearray]
    constant: frozenset[int] = frozenset()

    def _find(self, address: int, size: int, *, write: bool) -> tuple[bytearray, int]:
        for start, piece in self.pieces.items():
            if start <= address < start + len(piece) and not (write and start in self.constant):
                if address + size <= start + len(piece):
                    return piece, address - start
                address = start + len(piece)
        raise Fault("segv", address)

    def load(self, addr: int, size: int, align: int) -> int:
        """Return `size` bytes as a little-endian number."""
        if addr % align:
            raise Fault("bus", addr)
        piece, at = self._find(addr, size, write=False)
        return int.from_bytes(piece[at : at + size], "little")

    def store(self, addr: int, size: int, align: int, value: int) -> None:
        """Write `size` bytes."""
        if addr % align:
            raise Fault("bus", addr)
        piece, at = self._find(addr, size, write=True)
        piece[at : at + size] = value.to_bytes(size, "little")

    def probe(self, addr: int, size: int, align: int, *, write: bool) -> None:
        """Raise Fault unless the range can be accessed."""
        if addr % align:
            raise Fault("bus", addr)
        self._find(addr, size, write=write)


@cache
def _index(isa: FixedWidthIsa) -> dict[int, list[Variant]]:
    """Return the variants by the top eight bits of a word, the most specific first."""
    arm.load_rows()
    order = sorted(isa.variants, key=lambda v: -v.mask.bit_count())
    shift = isa.bits - 8
    return {top: [v for v in order if (v.value ^ top << shift) & v.mask & 0xFF << shift == 0] for top in range(256)}


def find_variant(isa: FixedWidthIsa, word: int) -> Variant | None:
    """Return the variant that a word (with its decode-time bits above) decodes to."""
    return next((v for v in _index(isa)[word >> (isa.bits - 8) & 0xFF] if v.matches(word)), None)


@dataclass
class Machine:
    """One ARM core in the evaluator."""

    memory: Memory
    state: StateBlock = field(default_factory=lambda: StateBlock(LAYOUT))
    pc: int = 0

    def __post_init__(self) -> None:
        self.state.context = 0

    def get(self, name: str, index: int = 0) -> int:
        """Return a register of the layout."""
        return self.state.get(LAYOUT.cells[name], index)

    def set(self, name: str, index: int, value: int) -> None:
        """Change a register of the layout."""
        self.state.set(LAYOUT.cells[name], index, value)

    @property
    def thumb(self) -> bool:
        """Return whether T32 is executing."""
        return bool(self.state.context & 1)

    def load_state(self, before: State, *, thumb: bool) -> None:
        """Take over all registers."""
        arm.write_register(self.state, "cpsr", before.cpsr & ~0x0600FC20 | thumb << 5)
        arm.write_register(self.state, "fpscr", before.fpscr)
        for i, value in enumerate(before.r):
            self.set("R", i, value)
        for i, value in enumerate(before.d):
            self.set("D", i, value)

    def save_state(self) -> State:
        """Return all registers."""
        cpsr, fpscr = (arm.read_register(self.state, name) or 0 for name in ("cpsr", "fpscr"))
        return State(
            tuple(self.get("R", i) for i in range(15)),
            cpsr & 0xF80F0000,
            fpscr,
            tuple(self.get("D", i) for i in range(32)),
        )

    def fetch(self) -> tuple[FixedWidthIsa, int]:
        """Return the instruction set and word at pc."""
        if not self.thumb:
            return a32, self.memory.load(self.pc, 4, 4)
        half = self.memory.load(self.pc, 2, 2)
        if half < WIDE:
            return t16, half
        return t32, half << 16 | self.memory.load(self.pc + 2, 2, 2)

    def step(self) -> str:
        """Execute one instruction; return "" or why it did not complete: "undefined", "trap", "svc". Raises Fault."""
        isa, word = self.fetch()
        it = self.get("ITSTATE")
        if isa is not a32:
            word |= bool(it & 15) << isa.bits
        variant = find_variant(isa, word)
        if isa is a32:
            cond = word >> 28 if variant is None or isa.predicate in variant.row.places else ALWAYS
        else:
            cond = it >> 4 if it & 15 and not (variant and variant.row.unpredicated) else ALWAYS
        if cond < ALWAYS and not self._passed(isa, cond):
            self._advance(it, isa.bits // 8)
            return ""
        if variant is None:
            return "undefined"
        staged = stage(variant, word, self.pc, ArmContext.of(self.state.context), LAYOUT)
        outcome = execute(staged, self.state, self.memory, self.pc)
        if outcome.abort:
            return {"breakpoint": "trap"}.get(outcome.abort[0], outcome.abort[0])
        self._advance(it, outcome.next_pc - self.pc)
        if outcome.context is not None:
            self.state.context = outcome.context
        return "svc" if outcome.trap else ""

    def _passed(self, isa: FixedWidthIsa, cond: int) -> bool:
        new_graph()
        cpu = isa.cpu(LAYOUT, const(self.pc, 32), 4, ArmContext.of(self.state.context))
        set_current(cpu)
        return Evaluation(self.state).value(condition(cpu, cond)) == 1

    def _advance(self, it: int, length: int) -> None:
        if it & 15:
            self.set("ITSTATE", 0, it & 0xE0 | it << 1 & 0x1F if it & 7 else 0)
        self.pc += length


def run_case(case: Case, address: int = SLOTS + 16, slots: bytes = b"") -> Outcome:
    """Run one case of the oracle at `address`; `slots` is what lies at SLOTS. Leaving the code gives kind "left"."""
    window = window_bytes()
    memory = Memory({WINDOW: bytearray(window), SLOTS: bytearray(slots)}, frozenset((SLOTS,)))
    if not slots:
        memory.pieces[address] = bytearray(case.code)
    machine = Machine(memory, pc=address)
    machine.load_state(case.before, thumb=case.thumb)
    kind, fault, steps, end = "", 0, 0, address + len(case.code)
    while address <= machine.pc < end and steps < MOST_STEPS and not kind:
        try:
            kind = machine.step()
        except Fault as e:
            kind, fault = e.kind, e.address
        steps += 1
    if not kind:
        kind = (
            "done"
            if machine.pc == end and machine.thumb == case.thumb
            else "endless"
            if address <= machine.pc < end
            else "left"
        )
    return Outcome(kind, machine.save_state(), _changes(window, memory.pieces[WINDOW]), machine.pc, fault)


def _changes(before: bytes, after: bytearray) -> dict[int, int]:
    old, new = (struct.unpack(f"<{WINDOW_SIZE // 4}I", b) for b in (before, after))
    return {WINDOW + 4 * i: n for i, (o, n) in enumerate(zip(old, new, strict=True)) if o != n}
