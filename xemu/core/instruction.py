"""Whole instructions: a row with the condition and guard that wrap it, staged for each tier. Imports the rows' machinery."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from xemu.core.bits import const, new_graph
from xemu.core.handlers import Extraction, handler_text
from xemu.core.isa import Reg, Variant, stage
from xemu.core.record import set_current
from xemu.core.reference import Evaluation, Memory, Outcome, execute
from xemu.errors import IsaError

if TYPE_CHECKING:
    from xemu.core.decoder import Decoded
    from xemu.core.record import Recorder
    from xemu.core.state import StateBlock
    from xemu.core.target import IsaSet, Target

ALWAYS = 14
REMEMBERED = 1024        # staged instructions that are kept

_staged: dict[tuple[str, Variant, int, int, int], Recorder] = {}


def condition_of(d: Decoded) -> int:
    """Return the condition an instruction runs under (14: always)."""
    row = d.variant.row
    if row.unpredicated:
        return ALWAYS
    if d.guard & 15:
        return min(d.guard >> 4, ALWAYS)
    if row.isa.predicate and row.isa.predicate in row.places:
        return min(d.word >> d.iset.condition_shift & 15, ALWAYS)
    return ALWAYS


def evaluate_instruction(target: Target, d: Decoded, pc: int, context: int, state: StateBlock, memory: Memory) -> Outcome:
    """Execute one decoded instruction in the evaluator."""
    layout, row = target.layout, d.variant.row
    cond = condition_of(d)
    passed, advanced = True, None
    if cond != ALWAYS or d.guard & 15:
        new_graph()
        cpu = row.isa.cpu(layout, const(pc, target.address_bits), d.length, target.context(context))
        set_current(cpu)
        ev = Evaluation(state)
        if cond != ALWAYS:
            passed = ev.value(d.iset.condition(cpu, cond)) == 1
        if d.guard & 15:
            advanced = ev.value(d.iset.advance(cpu, cpu.read(layout.cells[d.iset.guard], 0)))
        set_current(None)
    if passed:
        staged = _staged_once(target, d, pc, context)
        outcome = execute(staged, state, memory, pc)
        if outcome.abort is not None:
            return outcome
    else:
        outcome = Outcome(pc + d.length & ((1 << target.address_bits) - 1))
    if advanced is not None and not (passed and any(w.cell.name == d.iset.guard for w in staged.writes)):
        state.set(layout.cells[d.iset.guard], 0, advanced)
    return outcome


def _staged_once(target: Target, d: Decoded, pc: int, context: int) -> Recorder:
    """Return a staged instruction; remembered, for what waits for its handler is mostly in a loop."""
    key = target.name, d.variant, d.word, pc, context
    staged = _staged.get(key)
    if staged is None:
        staged = stage(d.variant, d.word, pc, target.context(context), target.layout, address_bits=target.address_bits)
        staged.next_pc  # noqa: B018  no node of it may be made later, in another graph
        if len(_staged) >= REMEMBERED:
            _staged.clear()
        _staged[key] = staged
    return staged


def handler_module(variants: list[Variant], target: Target, context: int, iset: IsaSet, *, tracing: bool) -> tuple[str, dict[int, bytes]]:
    """Return the text of a module with the handlers of `variants`, and for each what its decode entry holds."""
    text: list[str] = []
    declared: set[str] = set()
    infos: dict[int, bytes] = {}
    extraction = Extraction()
    for v in variants:
        try:
            h = handler_text(v, target.context(context), target.layout, iset.geometry, extraction, tracing=tracing,
                             address_bits=target.address_bits)
        except (IsaError, NotImplementedError):       # a row that cannot be staged stays with the evaluator
            if os.environ.get("XEMU_DEBUG"):
                raise
            continue
        text.append(h.text)
        declared |= h.declarations
        condition = 2 if v.row.unpredicated else int(is_predicated(v))
        infos[v.index] = struct.pack("<4B8s4x", condition, 0, h.branch_offset, int(h.call), pc_fields(v))
    return "\n".join([*text, extraction.text(), *sorted(declared | extraction.em.declared), ""]), infos


def is_predicated(v: Variant) -> bool:
    """Return whether the instruction's condition field wraps it."""
    return bool(v.row.isa.predicate) and v.row.isa.predicate in v.row.places


def pc_fields(v: Variant) -> bytes:
    """Return the places of four-bit register fields that read as the program counter when they are 15."""
    places = []
    for name in v.row.parameters:
        spec = v.row.field(name)
        if isinstance(spec, Reg) and spec.prefix and not spec.of and name not in v.never:
            (_, place), = v.row.raw_places(name)
            full = ((1 << place.width) - 1) << place.shift
            if place.width == 4 and v.mask & full != full:
                places.append(place.shift)
    return bytes(places[:8]).ljust(8, b"\xff")
