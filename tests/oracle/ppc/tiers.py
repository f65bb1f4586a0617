"""The same cases in xemu: in the evaluator, in the interpreter's handlers and in regions."""

from __future__ import annotations

import random
import struct
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from tests.oracle.ppc.state import (
    BATCH,
    CODE,
    NAMES,
    PAGE,
    SLOT,
    WINDOW,
    WINDOW_SIZE,
    WRITABLE,
    WRITABLE_SIZE,
    Case,
    Machine,
    Outcome,
    State,
    background,
)
from tests.support.law import Law, LawCase
from xemu.core import decoder
from xemu.core.engine import Engine, Exit, ExitKind, Options
from xemu.core.memory import EXEC, READ, SMALL_WINDOW_BITS, WRITE, AddressSpace
from xemu.core.state import ENGINE_BYTES
from xemu.targets.ppc.layout import ALIGNMENT, FPSCR_MODES, TRAP, PpcContext
from xemu.targets.registry import get_target

if TYPE_CHECKING:
    from collections.abc import Sequence

TIERS: Final = ("evaluator", "handlers", "region")
ROOM: Final = BATCH * SLOT + PAGE                      # regions look at the page behind their own, too
TRAPS: Final = b"\x7f\xe0\x00\x08"                    # trap
EXCEPTIONS: Final = {TRAP: "trap", ALIGNMENT: "bus"}
DERIVED: Final = ("cr", "xer", "fpscr", "vscr")


@cache
def tiers(machine: Machine) -> Tiers:
    """Return the engine of this process for a machine."""
    return Tiers(machine)


class Tiers(Law):
    """An engine for one machine, and cases in it; it borrows the law's ways to install handlers and regions."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.random = random.Random(0)
        self.target = get_target(machine.name)
        self.target.load_rows()
        self.space = AddressSpace(SMALL_WINDOW_BITS if machine.bits == 64 else 32)
        self.engine = Engine(self.target, self.space, Options(jit=False))
        self.cells = self.target.layout.cells
        self.tries = decoder.tries(self.target)
        self.image = background(machine)
        self.space.map(WINDOW, WINDOW_SIZE, READ | WRITE)
        self.space.write(WINDOW, self.image)
        for page in (WINDOW, WRITABLE + WRITABLE_SIZE):
            self.space.protect(page, PAGE, READ)
        self.filler = (TRAPS if machine.order == "big" else TRAPS[::-1]) * (BATCH * SLOT // 4)
        self.derived = [name for name in DERIVED if self.target.read(self.engine.state, name) is not None]

    def outcomes(self, cases: Sequence[Case], tiers: Sequence[str] = TIERS) -> dict[str, list[Outcome]]:
        """Run cases (at most BATCH, each in a slot of its own) in each tier."""
        self.space.map(CODE, ROOM, READ | WRITE | EXEC)
        self.space.write(CODE, self.filler)
        laws = [LawCase(case.code, len(case.words), context_of(case.state), b"", b"", case.note, case.at) for case in cases]
        for case in cases:
            self.space.write(case.at, case.code)
        self.space.protect(CODE, ROOM, READ | EXEC)
        counts: list[int] = []
        found: dict[str, list[Outcome]] = {"evaluator": []}
        for case in cases:
            outcome, ran = self._evaluated(case)
            found["evaluator"].append(outcome)
            counts.append(ran)
        for tier in tiers:
            if tier != "evaluator":
                getattr(self, f"_install_{tier}")(laws)
                found[tier] = [self._ran(case, ran) for case, ran in zip(cases, counts, strict=True)]
        self.space.unmap(CODE, ROOM)
        return {tier: found[tier] for tier in tiers}

    # -- one case ----------------------------------------------------------------------------------------------------
    def _start(self, case: Case) -> None:
        self.engine.state.buffer[ENGINE_BYTES:self.target.layout.size] = bytes(self.target.layout.size - ENGINE_BYTES)
        for address, data in case.memory.items():
            low, high = max(address, WRITABLE), min(address + len(data), WRITABLE + WRITABLE_SIZE)
            if low < high:
                self.space.write(low, data[low - address:high - address])
        self.before = bytes(self.space.read(WRITABLE, WRITABLE_SIZE))
        self.load(case.state)
        self.engine.state.set(self.cells["FE"], 0, 3)           # in QEMU enabled exceptions always interrupt
        self.engine.set_position(case.at, context_of(case.state))

    def _evaluated(self, case: Case) -> tuple[Outcome, int]:
        self._start(case)
        stop, before = None, self.engine.insns
        for n in range(len(case.words)):
            stop = self.engine.evaluate_one()
            if stop is not None or self.engine.pc != case.at + 4 * n + 4:
                break
        return self._outcome_of(case, stop), self.engine.insns - before

    def _ran(self, case: Case, ran: int) -> Outcome:
        self._start(case)
        self.engine.cells[0] = 0
        stop: Exit | None = self.engine.run(max(ran, 1))
        assert stop is not None
        if stop.kind is ExitKind.BUDGET and ran < len(case.words) and case.at <= self.engine.pc < case.at + 4 * len(case.words):
            stop = self.engine.run(1)                       # it stopped there in the evaluator: why?
        return self._outcome_of(case, None if stop.kind is ExitKind.BUDGET else stop)

    def _outcome_of(self, case: Case, stop: Exit | None) -> Outcome:
        ended, address = ending(stop)
        # an instruction that an enabled exception has ended is the one the interrupt shows
        state = self.store(case, self.engine.pc - 4 * (ended == "fpe"))
        after = bytes(self.space.read(WRITABLE, WRITABLE_SIZE))
        memory: dict[int, bytes] = {}
        if after != self.before:
            new, old = (struct.iter_unpack("8s", data) for data in (after, self.before))
            memory = {WRITABLE + 8 * i: word for i, ((word,), (was,)) in enumerate(zip(new, old, strict=True)) if word != was}
        clean = self.image[PAGE:PAGE + WRITABLE_SIZE]
        if after != clean:
            self.space.write(WRITABLE, clean)
        return Outcome(ended, state, memory, address)

    def load(self, state: State) -> None:
        """Put a state into the engine's state block."""
        block, cells = self.engine.state, self.cells
        for name in self.derived:
            block.write(name, getattr(state, name))
        for name, values in (("GPR", state.r), ("VSR", state.vsr)):
            cell = cells[name]
            block.buffer[cell.offset:cell.offset + cell.count * cell.stride] = b"".join([v.to_bytes(cell.stride, "little") for v in values])
        for name in ("lr", "ctr", "tar", "vrsave"):
            block.set(cells[name.upper()], 0, getattr(state, name))

    def store(self, case: Case, pc: int) -> State:
        """Return the state that the engine's state block holds; what xemu has no name for yet is as it was."""
        block, cells = self.engine.state, self.cells
        named: dict[str, Any] = {name: block.read(name) if name in self.derived else getattr(case.state, name) for name in DERIVED}
        named |= {name: block.get(cells[name.upper()], 0) for name in ("lr", "ctr", "tar", "vrsave")}
        return State(self._file("GPR"), pc, **named, vsr=self._file("VSR"))

    def _file(self, name: str) -> list[int]:
        cell = self.cells[name]
        raw = bytes(self.engine.state.buffer[cell.offset:cell.offset + cell.count * cell.stride])
        return [int.from_bytes(raw[at:at + cell.stride], "little") for at in range(0, len(raw), cell.stride)]


def ending(stop: Exit | None) -> tuple[str, int]:
    """Return how a run ended in the terms of an Outcome: what, and the address of a fault."""
    if stop is None:
        return "done", 0
    match stop.kind:
        case ExitKind.UNDEFINED:
            return "undefined", 0
        case ExitKind.EXCEPTION:
            return EXCEPTIONS.get(stop.number, "undefined"), 0
        case ExitKind.EVENT:
            return "fpe", 0
        case ExitKind.FAULT:
            assert stop.fault is not None
            return ("bus", 0) if stop.fault.kind == "ALIGN" else ("segv", stop.fault.address)
    return stop.kind.value, stop.number


def context_of(state: State) -> int:
    """Return the context word for a state."""
    return PpcContext(FP=int(state.fpscr & FPSCR_MODES != 0), JAVA=state.vscr >> 16 & 1 ^ 1).word


__all__ = ["NAMES", "TIERS", "Tiers", "context_of", "tiers"]
