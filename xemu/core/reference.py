"""The evaluator: executes a staged instruction on plain integers. It defines what the native tiers must do.

It also stands in while a handler is being compiled, and it is what tests compare with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from xemu.core.evaluate import EVALUATE
from xemu.core.fp import NEVER_STICKY
from xemu.core.record import Abort, CompareStore, Load, OnFault, Probe, Raise, Recorder, Store

if TYPE_CHECKING:
    from xemu.core.bits import Bits
    from xemu.core.record import Write
    from xemu.core.state import Cell, StateBlock

    Commit = tuple[Cell, int, int]


class Memory(Protocol):
    """What the evaluator needs of memory. Each raises GuestFault (or any exception the caller understands)."""

    def load(self, addr: int, size: int, align: int) -> int:
        """Return `size` bytes at addr as a little-endian number."""

    def store(self, addr: int, size: int, align: int, value: int) -> None:
        """Write `size` bytes."""

    def probe(self, addr: int, size: int, align: int, *, write: bool) -> None:
        """Raise unless the range can be accessed."""


@dataclass
class Outcome:
    """What an instruction did besides registers and memory."""

    next_pc: int
    context: int | None = None      # new context word, if the instruction changed it
    taken: bool = False             # a branch was taken
    trap: tuple[str, int] | None = None
    abort: tuple[str, int] | None = None


class Evaluation:
    """Values of the nodes of one staged instruction in one state."""

    def __init__(self, state: StateBlock) -> None:
        self.state = state
        self.memo: dict[int, int] = {}

    def value(self, node: Bits) -> int:
        """Return the value of a node."""
        if node.op == "const":
            return int(node.attr)
        known = self.memo.get(node.id)
        if known is not None:
            return known
        if node.op == "read":
            name, index = node.attr
            cell = self.state.layout.cells[name]
            result = self.state.get(cell, index if index is not None else self.value(node.args[0]))
        elif node.op == "hostflags":
            result = 0
        elif node.op == "insns":
            result = self.state.insns
        else:
            args = [self.value(a) for a in node.args]
            result = EVALUATE[node.op](node.width, node.attr, [a.width for a in node.args], *args)
        self.memo[node.id] = result
        return result

    def holds(self, pred: Bits | None) -> bool:
        """Return whether an effect happens."""
        return pred is None or self.value(pred) == 1


def execute(cpu: Recorder, state: StateBlock, memory: Memory, pc: int) -> Outcome:
    """Execute a staged instruction: change `state` and `memory`, say where to go on.

    An exception changes no register but those that the instruction says (`OnFault`).
    """
    ev = Evaluation(state)
    kept: list[Commit] = []
    try:
        return _execute(cpu, ev, memory, pc, kept)
    except Exception:
        _commit(state, kept)
        raise


def _execute(cpu: Recorder, ev: Evaluation, memory: Memory, pc: int, kept: list[Commit]) -> Outcome:
    state = ev.state
    for effect in cpu.effects:
        if isinstance(effect, Raise):
            _gather(_exceptions(effect.node, ev), state)        # they stay, whatever happens next
        elif isinstance(effect, Load):
            ev.memo[effect.result.id] = (
                memory.load(ev.value(effect.addr), effect.size, effect.align) if ev.holds(effect.pred) else 0)
        elif isinstance(effect, CompareStore):
            ev.memo[effect.result.id] = int(ev.holds(effect.pred) and _compare_store(effect, ev, memory))
        elif not ev.holds(effect.pred):
            continue
        elif isinstance(effect, OnFault):
            kept[:] = _commits(effect.writes, ev)
        elif isinstance(effect, Store):
            memory.store(ev.value(effect.addr), effect.size, effect.align, ev.value(effect.value))
        elif isinstance(effect, Probe):
            size = effect.size if isinstance(effect.size, int) else ev.value(effect.size)
            if size:
                memory.probe(ev.value(effect.addr), size, effect.align, write=effect.write)
        elif isinstance(effect, Abort):
            return Outcome(pc, abort=(effect.kind, ev.value(effect.number)))
    outcome = _control(cpu, ev)
    commits = _commits(cpu.writes, ev)
    kept.clear()
    _commit(state, commits)
    return outcome


def _exceptions(node: Bits, ev: Evaluation) -> int:
    """Return what a floating-point operation raises, or the value of a node that says it."""
    if node.op != "fp":
        return ev.value(node)
    return EVALUATE["fpflags"](0, node.attr, [a.width for a in node.args], *[ev.value(a) for a in node.args])


def _gather(exceptions: int, state: StateBlock) -> None:
    exceptions &= ~NEVER_STICKY
    if exceptions:
        cell = state.layout.cells[state.layout.sticky]
        state.set(cell, 0, state.get(cell) | exceptions)


def _commits(writes: list[Write], ev: Evaluation) -> list[Commit]:
    """Return what writes come to."""
    return [(w.cell, w.index if isinstance(w.index, int) else ev.value(w.index), ev.value(w.value)) for w in writes if ev.holds(w.pred)]


def _commit(state: StateBlock, commits: list[Commit]) -> None:
    for cell, index, value in commits:
        state.set(cell, index, value)


def _compare_store(effect: CompareStore, ev: Evaluation, memory: Memory) -> bool:
    at, size = ev.value(effect.addr), effect.value.width // 8
    same = memory.load(at, size, 1) == ev.value(effect.expected)
    if same:
        memory.store(at, size, 1, ev.value(effect.value))
    return same


def _control(cpu: Recorder, ev: Evaluation) -> Outcome:
    out = Outcome(ev.value(cpu.next_pc))
    for t in cpu.traps:
        if ev.holds(t.pred):
            out.trap = (t.kind, ev.value(t.number))
            break
    for b in cpu.branches:
        if ev.holds(b.pred):
            out.next_pc, out.taken = ev.value(b.target), True
            out.context = None if b.context is None else ev.value(b.context)
            break
    return out
