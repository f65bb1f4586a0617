"""The same cases in xemu: in the evaluator, in the interpreter's handlers and in regions."""

from __future__ import annotations

import random
import struct
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from tests.oracle.x86 import driver as d
from tests.oracle.x86.state import Case, Outcome, State, background
from tests.oracle.x86.values import BASES
from tests.support.law import Law, LawCase
from xemu.core import decoder
from xemu.core.engine import Engine, Exit, ExitKind, Options
from xemu.core.memory import EXEC, READ, SMALL_WINDOW_BITS, WRITE, AddressSpace
from xemu.core.state import ENGINE_BYTES
from xemu.targets.x86.layout import X86Context, unusual_modes
from xemu.targets.x86.target import I386, X86_64

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xemu.core.target import Target

TIERS: Final = ("evaluator", "handlers", "region")
SEGMENTS: Final = ("es", "cs", "ss", "ds", "fs", "gs")
LONGEST: Final = 20_000               # iterations of a string instruction
UNDEFINED, GENERAL_PROTECTION, PAGE_FAULT = 6, 13, 14
X87_MASKS = 0x3F
CANONICAL: Final = 1 << 47
NATIVE_ROOM: Final = 3                # instructions beyond the one: for what repeats


@cache
def tiers(bits: int) -> Tiers:
    """Return the engine of this process for a mode."""
    return Tiers(bits)


class Tiers(Law):
    """An engine for one mode, and cases in it; it borrows the law's ways to install handlers and regions."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.random = random.Random(0)
        self.target: Target = X86_64 if bits == 64 else I386
        self.target.load_rows()
        self.space = AddressSpace(SMALL_WINDOW_BITS if bits == 64 else 32)
        self.engine = Engine(self.target, self.space, Options(jit=False))
        self.cells = self.target.layout.cells
        self.tries = decoder.tries(self.target)
        self.image = background()
        self.space.map(d.WINDOW, d.WINDOW_SIZE, READ | WRITE)
        self.space.write(d.WINDOW, self.image)
        for page in (d.WINDOW, d.WRITABLE + d.WRITABLE_SIZE):
            self.space.protect(page, 4096, READ)

    def outcomes(self, cases: Sequence[Case], tiers: Sequence[str] = TIERS) -> dict[str, list[Outcome | None]]:
        """Run cases (at most as many as have a place) in each tier; None: this tier has no code for the case."""
        self.space.map(d.CODE, d.CODE_SIZE, READ | WRITE | EXEC)
        self.space.write(d.CODE, b"\xcc" * d.CODE_SIZE)
        codes = {(case.at, context_of(case.state, self.bits)): case for case in cases}      # what is compiled: some states share it
        laws = [LawCase(case.code, 1, context, b"", b"", case.note, at) for (at, context), case in codes.items()]
        for case in cases:
            self.space.write(case.at, case.code)
        self.space.protect(d.CODE, d.CODE_SIZE, READ | EXEC)
        self.starts: dict[int, bytes] = {}             # what was loaded for a case
        self.ends: dict[tuple[bytes, int], State] = {}
        counts: list[int] = []
        found: dict[str, list[Outcome | None]] = {"evaluator": []}
        for case in cases:
            outcome, ran = self._evaluated(case)
            found["evaluator"].append(outcome)
            counts.append(ran)
        for tier in tiers:
            if tier == "evaluator":
                continue
            getattr(self, f"_install_{tier}")(laws)
            found[tier] = [self._ran(case, ran) for case, ran in zip(cases, counts, strict=True)]
        self.space.unmap(d.CODE, d.CODE_SIZE)
        return found

    # -- one case ----------------------------------------------------------------------------------------------------
    def _start(self, case: Case) -> None:
        for address, data in case.memory.items():
            low, high = max(address, d.WRITABLE), min(address + len(data), d.WRITABLE + d.WRITABLE_SIZE)
            if low < high:
                self.space.write(low, data[low - address:high - address])
        self.before = bytes(self.space.read(d.WRITABLE, d.WRITABLE_SIZE))
        self.engine.set_position(case.at, context_of(case.state, self.bits))
        buffer = self.engine.state.buffer
        if id(case) not in self.starts:
            buffer[ENGINE_BYTES:self.target.layout.size] = bytes(self.target.layout.size - ENGINE_BYTES)
            load(self.engine.state, case.state)
            self.starts[id(case)] = bytes(buffer[ENGINE_BYTES:self.target.layout.size])
        buffer[ENGINE_BYTES:self.target.layout.size] = self.starts[id(case)]

    def _evaluated(self, case: Case) -> tuple[Outcome, int]:
        self._start(case)
        stop = None
        before = self.engine.insns
        for _ in range(LONGEST):
            stop = self.engine.evaluate_one()
            if stop is not None and stop.kind is ExitKind.EXCEPTION and stop.number == -1:
                continue
            if stop is not None or case.step or self.engine.pc != case.at:
                break
        return self._outcome_of(case, stop), self.engine.insns - before

    def _ran(self, case: Case, ran: int) -> Outcome:
        self._start(case)
        self.engine.cells[0] = 0
        stop: Exit | None = self.engine.run(max(ran, 1))
        assert stop is not None
        if stop.kind is ExitKind.BUDGET and ran and self.engine.pc == case.at and not case.step:
            stop = self.engine.run(1)                       # it stopped there in the evaluator: why?
        return self._outcome_of(case, None if stop.kind is ExitKind.BUDGET else stop)

    def _outcome_of(self, case: Case, stop: Exit | None) -> Outcome:
        block = self.engine.state
        key = bytes(block.buffer[ENGINE_BYTES:self.target.layout.size]), block.pc
        state = self.ends.get(key) or self.ends.setdefault(key, store(block))
        after = bytes(self.space.read(d.WRITABLE, d.WRITABLE_SIZE))
        memory: dict[int, int] = {}
        if after != self.before:
            new, old = (struct.unpack(f"<{d.WRITABLE_SIZE // 8}Q", data) for data in (after, self.before))
            memory = {d.WRITABLE + 8 * i: word for i, word in enumerate(new) if word != old[i]}
        clean = self.image[d.WRITABLE - d.WINDOW:][:d.WRITABLE_SIZE]
        if after != clean:
            self.space.write(d.WRITABLE, clean)
        return Outcome(*ending(stop, case)[:1], state, memory, *ending(stop, case)[1:])


def ending(stop: Exit | None, case: Case) -> tuple[str, int, int, int, int]:
    """Return how a run ended in the terms of an Outcome: what, vector, signal (not known here), code (likewise), address."""
    if stop is None:
        return "done", 0, 0, 0, 0
    match stop.kind:
        case ExitKind.UNDEFINED:
            return "fault", UNDEFINED, 0, 0, 0
        case ExitKind.EXCEPTION:
            return "fault", stop.number, 0, 0, 0
        case ExitKind.EVENT:
            return "trap", stop.number, 0, 0, 0
        case ExitKind.FAULT:
            assert stop.fault is not None
            outside = stop.fault.kind == "ALIGN" or CANONICAL <= stop.fault.address < (1 << 64) - CANONICAL
            return ("fault", GENERAL_PROTECTION, 0, 0, 0) if outside else ("fault", PAGE_FAULT, 0, 0, stop.fault.address)
    return stop.kind.value, stop.number, 0, 0, case.at


def context_of(state: State, bits: int) -> int:
    """Return the context word for a state."""
    return X86Context(int(bits == 64), unusual_modes(state.mxcsr), int(state.fcw & X87_MASKS != X87_MASKS)).word


def load(block: Any, state: State) -> None:
    """Put a state into an engine's state block."""
    cells = block.layout.cells
    block.write("eflags", state.flags)
    block.write("mxcsr", state.mxcsr)

    def put(name: str, *numbers: int) -> None:
        for i, value in enumerate(numbers):
            block.set(cells[name], i, value)
    put("R", *state.r)
    put("SEL", *(getattr(state, name) for name in SEGMENTS))
    put("SEG", 0, 0, 0, 0, state.fs_base, state.gs_base)
    put("GDT", *BASES)
    put("X", *(half for v in state.v for half in (v & (1 << 128) - 1, v >> 128)))
    put("FPR", *state.fpr)
    put("FTOP", state.top)
    put("FCW", state.fcw)
    put("FSW", state.fsw & 0x477F)
    put("FVALID", state.valid)


def store(block: Any) -> State:
    """Return the state that an engine's state block holds."""
    cells = block.layout.cells

    def get(name: str, i: int = 0) -> int:
        return int(block.get(cells[name], i))
    top, fcw, fsw = get("FTOP"), get("FCW"), get("FSW")
    if fsw & ~fcw & 0x3F:
        fsw |= 0x8080
    selectors = {name: get("SEL", i) for i, name in enumerate(SEGMENTS)}
    return State([get("R", i) for i in range(16)], block.pc, block.read("eflags"), get("SEG", 4), get("SEG", 5), **selectors,
                 v=[get("X", 2 * i) | get("X", 2 * i + 1) << 128 for i in range(16)], mxcsr=block.read("mxcsr"),
                 fpr=[get("FPR", i) for i in range(8)], fcw=fcw, fsw=fsw | top << 11, valid=get("FVALID"))
