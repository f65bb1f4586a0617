"""What one target has in native code: the engine's functions, handlers, decode tables; compiled on demand and cached."""

from __future__ import annotations

import ctypes
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xemu.core import decoder, host
from xemu.core.reference import Outcome, execute
from xemu.core.runtime import PREFIXES, TABLES, VARIANT, V_PREDICATED

if TYPE_CHECKING:
    from xemu.core.compiler import Region
    from xemu.core.engine import CodePage, Engine
    from xemu.core.isa import FixedWidthIsa, Variant
    from xemu.core.reference import Memory, StateBlock
    from xemu.core.runtime import IsaSet

CONTEXTS = 64            # context words a target may have
LOOK_AHEAD = 48          # instructions after a missing handler that are looked at for others
ALWAYS = 14


@dataclass(frozen=True)
class Decoded:
    """One instruction found in memory."""

    variant: Variant
    word: int
    iset: IsaSet
    guard: int


class Library:
    """Native code shared by all pages of an engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.target = engine, engine.target
        self.tables = host.reserve(CONTEXTS * TABLES)
        self.fp_table = host.reserve(4096)
        self.prepared: dict[int, dict[str, int]] = {}       # context -> address of the variants table by ISA name
        self.tries: dict[str, bytes] = {}
        self._keep: list[Any] = []
        self.installed: set[tuple[int, str, int]] = set()
        self.rows_loaded = False
        self.covered: set[tuple[int, int]] = set()           # (context, pc) of region entries
        self.regions: list[tuple[int, list[int], list[int]]] = []
        self.natives: dict[str, int] = {}
        self._load_natives()

    # -- native functions ------------------------------------------------------------------------------------------
    def _load_natives(self) -> None:
        from xemu.core.llvm import compile_text
        from xemu.core.runtime import native_text

        text, self.prefix_names = native_text(list(self.target.sets), self.target.layout)
        self.natives = self.engine.code.load(compile_text(text))

    def load_rows(self) -> None:
        """Import the target's rows."""
        if not self.rows_loaded:
            self.target.load_rows()
            self.rows_loaded = True

    def trie(self, isa: FixedWidthIsa) -> bytes:
        """Return the decode trie of an ISA."""
        if isa.name not in self.tries:
            self.load_rows()
            self.tries[isa.name] = decoder.build(isa)
        return self.tries[isa.name]

    def _place(self, data: bytes) -> int:
        """Copy data to memory that stays where it is; return its address."""
        buffer = ctypes.create_string_buffer(data, len(data))
        self._keep.append(buffer)
        return ctypes.addressof(buffer)

    def prepare(self, context: int) -> None:
        """Make the decode tables of a context."""
        if context in self.prepared:
            return
        iset = self.target.iset(context)
        number = self.target.set_of(context)
        tables = {isa.name: host.reserve(max(len(isa.variants), 1) * VARIANT) for isa in (self._loaded(i) for i in iset.isas)}
        prefixes = [0] * PREFIXES
        for index, name in self.prefix_names[number].items():
            prefixes[index] = self.natives[name]
        tries = [self._place(self.trie(isa)) for isa in iset.isas]
        variants = [tables[isa.name] for isa in iset.isas]
        wide = iset.wide is not None
        entry = struct.pack("<5Q24x", tries[0], tries[1] if wide else 0, variants[0], variants[1] if wide else 0,
                            self._place(struct.pack(f"<{PREFIXES}Q", *prefixes)))
        ctypes.memmove(self.tables + context * TABLES, entry, TABLES)
        self.prepared[context] = tables

    def _loaded(self, isa: FixedWidthIsa) -> FixedWidthIsa:
        self.load_rows()
        return isa

    # -- decoding in Python ------------------------------------------------------------------------------------------
    def decode(self, pc: int, context: int) -> Decoded | None:
        """Return the instruction at pc as the running thread would decode it; None: no row. Raises GuestFault."""
        iset = self.target.iset(context)
        guard = 0
        if iset.guard:
            guard = self.engine.state.get(self.target.layout.cells[iset.guard])
        return self.decode_with(pc, iset, guard)

    def decode_with(self, pc: int, iset: IsaSet, guard: int) -> Decoded | None:
        """Return the instruction at pc for a given guard value."""
        unit = iset.narrow.bits // 8
        word = int.from_bytes(self.engine.space.read(pc, unit), "little")
        isa = iset.narrow
        if iset.wide is not None and word >= iset.wide_from:
            isa = iset.wide
            word = word << 8 * unit | int.from_bytes(self.engine.space.read(pc + unit, unit), "little")
        if guard & 15:
            word |= 1 << isa.bits
        index = decoder.walk(self.trie(isa), word)
        return None if index is None else Decoded(isa.variants[index], word, iset, guard)

    # -- the evaluator ------------------------------------------------------------------------------------------------
    def evaluate(self, d: Decoded, pc: int, context: int, state: StateBlock, memory: Memory) -> Outcome:
        """Execute one decoded instruction in the evaluator, with its condition and guard."""
        from xemu.core.instruction import evaluate_instruction

        return evaluate_instruction(self.target, d, pc, context, state, memory)

    # -- handlers --------------------------------------------------------------------------------------------------------
    def compile_around(self, pc: int, context: int) -> bool:
        """Make the handler for pc and those of what follows it; return whether the one for pc is installed now."""
        wanted: dict[tuple[str, int], Variant] = {}
        iset = self.target.iset(context)
        first = self.decode(pc, context)
        if first is None:
            return False
        for variant in self._ahead(first, pc, iset):
            key = (context, variant.row.isa.name, variant.index)
            if key not in self.installed:
                wanted[variant.row.isa.name, variant.index] = variant
        by_isa: dict[str, list[Variant]] = {}
        for variant in wanted.values():
            by_isa.setdefault(variant.row.isa.name, []).append(variant)
        for variants in by_isa.values():
            self._compile(variants, context, iset)
        return (context, first.variant.row.isa.name, first.variant.index) in self.installed

    def _ahead(self, first: Decoded, pc: int, iset: IsaSet) -> list[Variant]:
        out, at = [first.variant], pc
        end = (pc | 4095) - 3
        for _ in range(LOOK_AHEAD):
            d = self.decode_with(at, iset, 0) if at < end else None
            if d is None:
                at += iset.narrow.bits // 8
                continue
            out.append(d.variant)
            at += d.variant.row.length
        return out

    def _compile(self, variants: list[Variant], context: int, iset: IsaSet) -> None:
        from xemu.core.instruction import handler_module
        from xemu.core.llvm import compile_text

        text, infos = handler_module(variants, self.target, context, iset, tracing=self.engine.options.tracing)
        names = self.engine.code.load(compile_text(text))
        for v in variants:
            if v.index in infos:
                self._install(v.row.isa.name, context, v.index, names[f"h{v.index}"], names[f"xh{v.index}"], infos[v.index])

    def _install(self, isa: str, context: int, index: int, body: int, extract: int, info: bytes) -> None:
        at = self.prepared[context][isa] + index * VARIANT
        ctypes.memmove(at + V_PREDICATED, info, VARIANT - V_PREDICATED)
        ctypes.memmove(at, struct.pack("<QQ", body, extract), 16)
        self.installed.add((context, isa, index))
        self.engine.stats["handlers"] += 1

    # -- regions -----------------------------------------------------------------------------------------------------------
    def poll(self) -> None:
        """Publish what the compiler has finished."""

    def offer(self, records: list[int]) -> None:
        """Have the regions at hot records compiled."""
        if not self.engine.options.jit:
            return
        from xemu.core.compiler import compile_region

        for record in records:
            found = self.engine.locate_record(record)
            if found is None:
                continue
            page, pc = found
            if (page.context, pc) in self.covered:
                continue
            t = time.perf_counter()
            code = self.engine.code_around(page)
            region = compile_region(self.target, page.context, code, pc, tracing=self.engine.options.tracing)
            self.engine.stats["compile"] += time.perf_counter() - t
            if region is not None:
                self.publish(region, page.context)

    def publish(self, region: Region, context: int) -> None:
        """Install a region at its entries."""
        address = self.engine.code.load(region.blob)["region"]
        self.engine.stats["regions"] += 1
        pages = [self.engine.page(p, context) for p in region.pages]
        for pc in region.entries:
            if (context, pc) in self.covered:
                continue
            self.covered.add((context, pc))
            self.engine.pin(self.engine.page(pc, context), pc, address)
        self.regions.append((context, region.entries, [p.address for p in pages]))

    def dropped(self, pages: list[CodePage]) -> None:
        """Forget the regions that were made from these pages."""
        gone = {(p.context, p.address) for p in pages}
        kept = []
        for context, entries, addresses in self.regions:
            if any((context, a) in gone for a in addresses):
                for pc in entries:
                    self.covered.discard((context, pc))
                    self.engine.unpin(pc, context)
            else:
                kept.append((context, entries, addresses))
        self.regions = kept

    def after_fork(self) -> None:
        """Go on in a forked child."""


__all__ = ["Library", "execute"]
