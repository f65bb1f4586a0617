"""Accesses of a block that share one check: those at constant distances from one base, a stack frame say.

A region checks the whole span once, at the first of them. Where that fails (the span crosses a page's end, or one of its pages
is special), each access checks for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xemu.core.bits import Bits, make, unique
from xemu.core.record import Environment, Load, Probe, Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.record import Recorder
    from xemu.core.region import Block, Insn
    from xemu.core.state import Cell

LONGEST = 256            # bytes of a span: the longer, the more often it crosses a page's end
WORTH = 3                # accesses from which on one check for all is less than one for each

Place = tuple[int, int]  # address of an instruction, number of its effect


@dataclass
class Span:
    """Accesses that share a check."""

    low: int                 # the lowest byte, from the base
    high: int                # behind the last one
    write: bool = False
    read: bool = False
    count: int = 0
    bit: str = ""            # the name of the check's result, once it has been emitted

    @property
    def size(self) -> int:
        """Return the bytes that are checked."""
        return self.high - self.low


@dataclass(frozen=True)
class Member:
    """One access: how far from the base, and the span it belongs to."""

    offset: int
    span: Span


class Values(Environment):
    """Register values inside a block, as nodes that only say what equals what."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[tuple[str, int, int], Bits] = {}

    def read(self, cell: Cell, index: int | Bits) -> Bits:
        """Return a register."""
        if not isinstance(index, int):
            return make("slot", cell.width, (), unique())
        key = (cell.storage, index * cell.stride, cell.width)
        node = self.known.get(key)
        if node is None:
            self._forget(key)
            node = self.known[key] = make("slot", cell.width, (), unique())
        return node

    def write(self, cell: Cell, index: int | Bits, value: Bits | None) -> None:
        """Note a value, or None for one that is not known."""
        if not isinstance(index, int):
            self.known = {key: node for key, node in self.known.items() if key[0] != cell.storage}
            return
        key = (cell.storage, index * cell.stride, cell.width)
        self._forget(key)
        self.known[key] = value if value is not None else make("slot", cell.width, (), unique())

    def _forget(self, key: tuple[str, int, int]) -> None:
        storage, at, width = key
        end = at + (width + 7) // 8
        for other in [k for k in self.known if k[0] == storage and k != key]:
            if other[1] < end and at < other[1] + (other[2] + 7) // 8:
                del self.known[other]


def split(addr: Bits) -> tuple[Bits, int]:
    """Return base and constant distance of an address."""
    if addr.op == "add" and addr.attr is None and addr.args[1].op == "const":
        width, value = addr.width, addr.args[1].attr
        return addr.args[0], value - (1 << width) if value >> (width - 1) else value
    return addr, 0


def plan(block: Block, stage: Callable[[Insn, Environment], Recorder | None]) -> dict[Place, Member]:
    """Return the spans of a block. `stage` runs an instruction's row; None: it may not happen, or is the interpreter's."""
    values, members = Values(), dict[Place, Member]()
    open_spans: dict[int, Span] = {}
    for insn in block.insns:
        cpu = stage(insn, values)
        if cpu is None:
            values.known.clear()
            continue
        for number, e in enumerate(cpu.effects):
            if e.pred is not None or not isinstance(e, Load | Store | Probe) or not isinstance(e.size, int):
                continue
            if isinstance(e, Load | Store) and not e.checked:
                continue
            base, offset = split(e.addr)
            if base.op == "const" or not e.size:
                continue
            span = open_spans.get(base.id)
            low, high = offset, offset + e.size
            if span is not None:
                low, high = min(low, span.low), max(high, span.high)
            if span is None or high - low > LONGEST:
                span = open_spans[base.id] = Span(offset, offset + e.size)
                low, high = span.low, span.high
            span.low, span.high, span.count = low, high, span.count + 1
            write = e.write if isinstance(e, Probe) else isinstance(e, Store)
            span.write, span.read = span.write or write, span.read or not write
            members[insn.pc, number] = Member(offset, span)
        for w in cpu.writes:
            values.write(w.cell, w.index, w.value if w.pred is None else None)
    return {place: m for place, m in members.items() if m.span.count >= WORTH}
