"""What one target has in native code: the engine's functions, handlers, regions, decode tables; from the cache or the worker."""

from __future__ import annotations

import ctypes
import struct
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.core import decoder, host
from xemu.core.cache import Cache, page_digest
from xemu.core.client import Client
from xemu.core.memory import EXEC, GuestFault
from xemu.core.objects import BadObjectError
from xemu.core.records import AGAIN, PREFIXES, TABLES, V_PREDICATED, VARIANT

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.decoder import Decoded
    from xemu.core.engine import CodePage, Engine
    from xemu.core.isa import Variant
    from xemu.core.reference import Memory, Outcome
    from xemu.core.state import StateBlock
    from xemu.core.target import IsaSet

CONTEXTS = 1 << 16       # context words: they have 16 bits
LOOK_AHEAD = 64          # instructions after a missing handler that are looked at for others
QUEUE = 4096             # hot heads that may wait for the compiler
LEFT_BEHIND = 64         # hot heads that are compiled for the next run when a program ends
QUIET = 0.15             # seconds without a missing handler before a region is compiled: it would hold up the handlers
FORK_RUNS = 30_000_000   # instructions after which a forked child starts a compiler of its own
FORK_EVALUATES = 500     # instructions evaluated for want of handlers after which it does
REWRITTEN = 32           # a page whose code changed more often is interpreted only


class Heat:
    """How hot a head is, in first counts of its branch target, and the generation of its page."""

    __slots__ = ("generation", "score")

    def __init__(self, generation: int) -> None:
        self.score, self.generation = 1, generation


class PublishedRegion(NamedTuple):
    """A region that is installed: its context, entries, pages and instructions."""

    context: int
    entries: list[int]
    pages: list[int]
    inside: list[int]


class Library:
    """Native code shared by all pages of an engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.target, self.options = engine, engine.target, engine.options
        self.cache = Cache(self.target, enabled=self.options.cache)
        self.client = Client(self.cache)
        self.tables = host.reserve(CONTEXTS * TABLES)
        self.fp_table = host.reserve(4096)
        self.prepared: dict[int, dict[str, int]] = {}       # context -> address of the variants table by ISA name
        self._keep: list[Any] = []
        self._placed: dict[str, int] = {}
        self.installed: set[tuple[int, str, int]] = set()
        self.asked: set[tuple[int, str, int]] = set()
        self.missed: set[tuple[int, str, int]] = set()       # evaluated for want of handlers
        self._handlers_end: dict[int, int] = {}              # context -> how far its handlers in the cache are known
        self.rows_loaded = False
        self.covered: set[tuple[int, int]] = set()           # (context, pc) of region entries, and of heads that gave none
        self.regions: list[PublishedRegion] = []
        self.hot: dict[tuple[int, int], Heat] = {}           # (context, pc) waiting for the compiler
        self.index: dict[tuple[int, int, bytes], list[tuple[list[tuple[int, bytes]], int]]] = {}
        self.index_end = 0
        self.aside = False                                   # regions and pages are somewhere else for a while (`Aside`)
        self.natives: dict[str, int] = {}
        self._conditions: dict[tuple[Any, ...], dict[str, int]] = {}
        self.handlers_asked = 0.0                            # when handlers were last missing
        self.forked_at = -1                                  # instruction count at the fork this process came from
        self.evaluated_at = 0                                # instructions evaluated until then
        self._load_natives()
        if self.options.jit:
            self._read_index()

    # -- what does not depend on the guest -------------------------------------------------------------------------
    def _load_natives(self) -> None:
        found = self.cache.load("natives")
        for attempt in (found, None):
            blob, self.prefix_names = attempt if attempt is not None else self.client.ask_now(
                ("natives", self.target.name, 0, False), meanwhile=self.tries)
            try:
                self.natives = self.engine.code.load(blob)
                slow = [self.natives.get(f"fp_{i}", 0) for i in range(512)]
                ctypes.memmove(self.fp_table, struct.pack("<512Q", *slow), 4096)
            except BadObjectError:
                if attempt is None:
                    raise
            else:
                return

    def load_rows(self) -> None:
        """Import the target's rows."""
        if not self.rows_loaded:
            self.target.load_rows()
            self.rows_loaded = True

    def tries(self) -> decoder.Tries:
        """Return the number of variants and the decode trie of each ISA."""
        return decoder.tries(self.target, self.cache)

    def _place(self, data: bytes) -> int:
        """Copy data to memory that stays where it is; return its address."""
        buffer = ctypes.create_string_buffer(data, len(data))
        self._keep.append(buffer)
        return ctypes.addressof(buffer)

    def _trie_address(self, isa: str) -> int:
        if isa not in self._placed:
            self._placed[isa] = self._place(self.tries()[isa][1])
        return self._placed[isa]

    def prepare(self, context: int) -> None:
        """Make the decode tables of a context, with the handlers that the cache has."""
        if context in self.prepared:
            return
        iset = self.target.iset(context)
        tables = {isa: host.reserve(max(self.tries()[isa][0], 1) * VARIANT) for isa in iset.names}
        prefixes = [0] * PREFIXES
        for index, name in self.prefix_names[self.target.set_of(context)].items():
            prefixes[index] = self.natives[name]
        tries = [self._trie_address(isa) for isa in iset.names] + [0]
        variants = [tables[isa] for isa in iset.names] + [0]
        entry = struct.pack("<5Q24x", tries[0], tries[1], variants[0], variants[1], self._place(struct.pack(f"<{PREFIXES}Q", *prefixes)))
        ctypes.memmove(self.tables + context * TABLES, entry, TABLES)
        self.prepared[context] = tables
        self._read_handlers(context)

    def _read_handlers(self, context: int) -> bool:
        """Install the handlers that have come into the cache since it was read last; return whether there were any."""
        before = len(self.installed)
        for _, end, done in self.cache.entries(f"handlers-{context}-{int(self.options.tracing)}", self._handlers_end.get(context, 0)):
            self._handlers_end[context] = end
            self._install_handlers(context, done)
            self.engine.stats["cache_hits"] += 1
        return len(self.installed) > before

    # -- decoding in Python ------------------------------------------------------------------------------------------
    def decode(self, pc: int, context: int) -> Decoded | None:
        """Return the instruction at pc as the running thread would decode it; None: no row. Raises GuestFault."""
        iset = self.target.iset(context)
        guard = self.engine.state.get(self.target.layout.cells[iset.guard]) if iset.guard else 0
        return self.decode_with(pc, iset, guard)

    def decode_with(self, pc: int, iset: IsaSet, guard: int) -> Decoded | None:
        """Return the instruction at pc for a given guard value."""
        self.load_rows()
        return decoder.decode(iset, self.tries(), self._fetch, pc, guard)

    def _fetch(self, pc: int, size: int) -> int:
        return int.from_bytes(self.engine.space.view(pc, size, EXEC), "little")

    def evaluate(self, d: Decoded, pc: int, context: int, state: StateBlock, memory: Memory) -> Outcome:
        """Execute one decoded instruction in the evaluator, with its condition and guard."""
        from xemu.core.instruction import evaluate_instruction

        return evaluate_instruction(self.target, d, pc, context, state, memory)

    # -- handlers --------------------------------------------------------------------------------------------------------
    def compile_around(self, pc: int, context: int) -> bool:
        """Ask for the handler at pc and those of what follows it; return whether there may be one for pc now."""
        if not self.client.busy and self._read_handlers(context):  # what others have had compiled costs no import of rows
            return True
        iset = self.target.iset(context)
        first = self.decode(pc, context)
        if first is None:
            return False
        key = (context, first.variant.row.isa.name, first.variant.index)
        if key in self.installed:
            return True
        self.missed.add(key)
        if key not in self.asked and self._may_compile(FORK_EVALUATES):
            self._ask_handlers(context, [(v.row.isa.name, v.index) for v in self._ahead(first, pc, iset)], urgent=True)
            self.handlers_asked = monotonic()
        self.poll()
        return key in self.installed

    def _ask_handlers(self, context: int, variants: list[tuple[str, int]], *, urgent: bool) -> None:
        """Have those of the handlers compiled that are neither there nor asked for."""
        wanted = [key for v in dict.fromkeys(variants) if (key := (context, *v)) not in self.asked and key not in self.installed]
        if wanted:
            self.asked.update(wanted)
            self.client.ask(("handlers", self.target.name, context, self.options.tracing, [key[1:] for key in wanted]),
                            partial(self._handlers_done, context, wanted), urgent=urgent)

    def _may_compile(self, evaluated: int | None) -> bool:
        """Return whether compiling is worth a worker: a forked child, of which shells make thousands, must have run for a while.

        `evaluated`: having evaluated so many instructions counts too.
        """
        if self.forked_at < 0 or self.client.pid:
            return True
        if evaluated is not None and self.engine.stats["evaluated"] - self.evaluated_at > evaluated:
            return True
        return self.engine.insns - self.forked_at > FORK_RUNS

    def _ahead(self, first: Decoded, pc: int, iset: IsaSet) -> list[Variant]:
        out, at = [first.variant], pc
        end = (pc | 4095) - 3
        for _ in range(LOOK_AHEAD):
            try:
                d = self.decode_with(at, iset, 0) if at < end else None
            except GuestFault:               # an instruction that goes on in a page that is not there
                break
            if d is None:
                at += iset.bits[0] // 8
                continue
            out.append(d.variant)
            at += d.length
        return out

    def _handlers_done(self, context: int, wanted: list[tuple[int, str, int]], done: Any) -> None:
        """Install what a request for handlers gave; a request that failed may be made again."""
        if done is None:
            self.asked.difference_update(wanted)
        self._install_handlers(context, done)

    def _install_handlers(self, context: int, done: Any) -> None:
        for isa, blob, infos in done or ():
            if self.installed.issuperset((context, isa, index) for index in infos):
                continue
            try:
                names = self.engine.code.load(blob)
            except BadObjectError:
                continue
            for index, info in infos.items():
                at = self.prepared[context][isa] + index * VARIANT
                ctypes.memmove(at + V_PREDICATED, info, VARIANT - V_PREDICATED)
                ctypes.memmove(at, struct.pack("<QQ", names[f"h{index}"], names["extract"]), 16)
                self.installed.add((context, isa, index))
                self.engine.stats["handlers"] += 1

    def condition(self, tree: tuple[Any, ...]) -> dict[str, int]:
        """Return the handlers of a conditional point by instruction set (see condition.py); empty where it cannot be compiled."""
        if tree not in self._conditions:
            answers: list[Any] = []
            self.client.ask(("condition", self.target.name, 0, False, tree), answers.append, urgent=True)
            self.client.wait()
            found = answers[0] if answers and answers[0] else ()
            self._conditions[tree] = {name: self.engine.code.load(blob)[f"condition_{name}"] for name, blob in found}
        return self._conditions[tree]

    # -- regions -----------------------------------------------------------------------------------------------------------
    def poll(self) -> None:
        """Publish what the compiler has finished; give it the next hot head when it is idle."""
        if self.client.busy:
            self.client.poll(0)
        if self.hot and self.options.jit and not self.client.busy and self._may_compile(None) and monotonic() - self.handlers_asked > QUIET:
            self._next_region()

    def offer(self, records: list[int]) -> None:
        """Take note of hot records."""
        if not self.options.jit:
            return
        for record in records:
            found = self.engine.locate_record(record)
            if found is None:
                continue
            page, pc = found
            never = self.engine.guard_of(record) or self.engine.rewritten.get(page.address, 0) > REWRITTEN
            if never or (page.context, pc) in self.covered:
                self.engine.stop_counting(page, pc)
                continue
            heat = self.hot.get((page.context, pc))
            if heat is None or heat.generation != page.generation:
                self.hot[page.context, pc] = Heat(page.generation)
            else:
                heat.score += AGAIN
        if len(self.hot) > QUEUE:
            hottest = sorted(self.hot.items(), key=lambda item: -item[1].score)
            self.hot = dict(hottest[:QUEUE // 2])
        if self.options.eager:
            while self.hot:
                self._next_region()
                self.client.wait()

    def close(self) -> None:
        """Leave the hottest heads to a worker that is running anyway: it writes them to the cache for the next run."""
        if self.forked_at >= 0:
            self._leave_word()
            return
        if not self.client.pid or not self.cache.directory:
            return
        self.client.leave()
        for _ in range(min(len(self.hot), LEFT_BEHIND)):
            self._next_region()
        self.client.finish()

    def _leave_word(self) -> None:
        """End in a forked child, whose work is for its successors: have compiled what it had to evaluate."""
        wanted: dict[int, list[tuple[str, int]]] = {}
        for context, isa, index in sorted(self.missed - self.installed):
            wanted.setdefault(context, []).append((isa, index))
        if wanted:
            self.client.leave_word([("handlers", self.target.name, context, self.options.tracing, variants)
                                    for context, variants in wanted.items()])
        else:
            self.client.kill()

    def _next_region(self) -> None:
        """Send the hottest head that is still wanted to the compiler."""
        while self.hot:
            context, pc = key = max(self.hot, key=lambda k: self.hot[k].score)
            generation = self.hot.pop(key).generation
            page = self.engine.pages.get((pc & ~4095, context))
            if page is None or page.generation != generation or key in self.covered:
                continue
            self.covered.add((context, pc))
            code = self.engine.code_around(page)
            generations = {p: self.engine.pages[p, context].generation for p in code if (p, context) in self.engine.pages}
            targets = self.engine.targets(code, context)
            points = [p for p in self.engine.points if p & ~4095 in code]
            if pc in points:
                self.covered.discard((context, pc))
                continue
            request = ("region", self.target.name, context, self.options.tracing, list(code.items()), pc, targets, points)
            self.client.ask(request, partial(self._region_done, context, pc, code, generations))
            return

    def _region_done(self, context: int, pc: int, code: dict[int, bytes], generations: dict[int, int], done: Any) -> None:
        if not done:                                  # nothing to compile there, or it cannot be: not asked for again
            return
        self.covered.discard((context, pc))
        if self.aside:                                # the code it is for is not there now: it gets hot again
            return
        blob, entries, pages, inside, variants, granules = done
        for p in pages:
            known = self.engine.pages.get((p, context))
            if known is not None and known.generation != generations.get(p, known.generation):
                return
            if not self._same(code[p], self.engine.space.peek(p, 4096), granules[p]):
                return
        if not self.engine.points.keys().isdisjoint(inside):
            return                                    # a point was set meanwhile
        self._publish(context, blob, entries, granules, inside)
        self._ask_handlers(context, variants, urgent=False)      # for where the region is left; nothing else may ever have run there
        for i in inside:                              # no longer hot; they count on, and come back if the region does not help
            self.hot.pop((context, i), None)

    @staticmethod
    def _same(before: bytes, now: bytes | None, granules: int) -> bool:
        """Whether the granules of a page that a region was made from are as they were; the others may be data."""
        if now is None:
            return False
        return now == before or all(before[at:at + 64] == now[at:at + 64] for at in range(0, 4096, 64) if granules >> at // 64 & 1)

    def _publish(self, context: int, blob: bytes, entries: list[int], granules: dict[int, int], inside: list[int]) -> None:
        """Install a region at its entries; stores to its code are seen from now on, also where it has never run."""
        fresh = [pc for pc in entries if (context, pc) not in self.covered]
        if not fresh:
            return
        try:
            address = self.engine.code.load(blob)["region"]
            for p in granules:
                self.engine.page(p, context)
        except (BadObjectError, KeyError, GuestFault):
            return
        for p, bits in granules.items():
            ctypes.c_uint64.from_address(self.engine.granules + (p >> 12) * 8).value |= bits
        self.engine.stats["regions"] += 1
        for pc in fresh:
            self.covered.add((context, pc))
            self.engine.pin(self.engine.page(pc, context), pc, address)
        self.regions.append(PublishedRegion(context, fresh, list(granules), inside))

    def _read_index(self) -> None:
        """Learn which regions the cache has."""
        for _, end, (context, digests, offset) in self.cache.entries(f"index-{int(self.options.tracing)}", self.index_end):
            self.index_end = end
            for address, digest in digests:
                self.index.setdefault((context, address, digest), []).append((digests, offset))

    def page_decoded(self, page: CodePage) -> None:
        """Publish the regions that the cache has for a page that was just entered for the first time."""
        if not self.index or not self.options.jit:
            return
        data = self.engine.space.peek(page.address, 4096)
        if data is None:
            return
        for digests, offset in self.index.get((page.context, page.address, page_digest(data)), ()):
            if all(self._digest_is(a, d) for a, d in digests):
                done = self.cache.read(f"regions-{int(self.options.tracing)}", offset)
                if done is not None and done[3] == digests and self.engine.points.keys().isdisjoint(done[4]):
                    self.engine.stats["cache_hits"] += 1           # (the file may have been started anew since, hence the digests)
                    self._publish(page.context, done[0], done[1], done[2], done[4])

    def _digest_is(self, address: int, digest: bytes) -> bool:
        space = self.engine.space
        if address >= space.limit or not space.flags[address >> 12] & EXEC:
            return False
        data = space.peek(address, 4096)
        return data is not None and page_digest(data) == digest

    def _drop_where(self, wanted: Callable[[PublishedRegion], bool]) -> None:
        kept = []
        for region in self.regions:
            if wanted(region):
                for pc in region.entries:
                    self.covered.discard((region.context, pc))
                    self.engine.unpin(pc, region.context)
            else:
                kept.append(region)
        self.regions = kept

    def exclude(self, pc: int) -> None:
        """Drop the regions that contain an instruction: a point stands there now."""
        self._drop_where(lambda region: pc in region.inside)

    def drop_regions(self, page: int) -> None:
        """Drop the regions made from a page, and compile anew what is hot there."""
        self._drop_where(lambda region: page in region.pages)
        self.covered = {(c, pc) for c, pc in self.covered if pc & ~4095 != page}

    def dropped(self, pages: list[CodePage]) -> None:
        """Forget the regions that were made from these pages."""
        gone = {(p.context, p.address) for p in pages}
        self._drop_where(lambda region: any((region.context, a) in gone for a in region.pages))
        self.covered = {(c, pc) for c, pc in self.covered if (c, pc & ~4095) not in gone}

    def before_fork(self) -> None:
        """Take in what other processes have had compiled, children of this one among them: the next child inherits it."""
        for context in self.prepared:
            self._read_handlers(context)
        if self.options.jit:
            self._read_index()

    def after_fork(self) -> None:
        """Go on in a forked child: the worker belongs to the parent."""
        self.client.forget()
        self.forked_at, self.evaluated_at = self.engine.insns, self.engine.stats["evaluated"]
        self.asked &= self.installed
        self.missed.clear()
