"""The compiler: pure functions from (guest bytes, address, context, options) to objects. The worker process calls them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xemu.core import decoder
from xemu.core.cache import Cache, page_digest
from xemu.core.instruction import handler_module
from xemu.core.llvm import compile_text
from xemu.core.region import LIMIT, MOST_LINES, Code, RegionEmitter
from xemu.core.runtime import native_text
from xemu.core.tiers import sampler

if TYPE_CHECKING:
    from xemu.core.target import Target

REGION_PASSES = ("sroa", "instcombine", "simplifycfg", "newgvn", "dse", "adce", "simplifycfg", "instcombine")


def natives(target: Target, cache: Cache | None = None) -> tuple[bytes, list[dict[int, str]]]:
    """Return the object with the engine's native functions, and the prefix names of each instruction set."""
    text, names = native_text(list(target.sets), target.layout, target.address_bits, target.fp_slow() if target.fp_slow else None)
    result = (compile_text(text + sampler()), names)
    if cache:
        cache.store("natives", result)
    return result


@dataclass(frozen=True)
class Region:
    """A compiled region: its object, where it may be entered, the pages and granules it was made from, instructions, variants."""

    blob: bytes
    entries: list[int]
    pages: list[int]
    inside: list[int]
    variants: list[tuple[str, int]]
    granules: dict[int, int]


def compile_region(target: Target, context: int, pages: dict[int, bytes], head: int, *, targets: list[int] | None = None,
                   points: list[int] | None = None, tracing: bool = False, cache: Cache | None = None) -> Region | None:
    """Compile the region around `head`, leaving at `points`; None if nothing there is worth it."""
    target.load_rows()
    tries = decoder.tries(target, cache)
    for limit in (LIMIT, LIMIT // 8):
        em = RegionEmitter(target, context, Code(pages), tries, targets=targets, points=points, tracing=tracing)
        text = em.build(head, limit)
        if text is None:
            return None
        if text.text.count("\n") < MOST_LINES:
            break
    else:
        return None
    return Region(compile_text(text.text, passes=REGION_PASSES, opt=2), text.entries, text.pages, text.inside,
                  text.variants, text.granules)


def remember_region(cache: Cache, context: int, pages: dict[int, bytes], region: Region, *, tracing: bool) -> None:
    """Write a region to the cache: the object first, then the index entry that names it."""
    digests = [(p, page_digest(pages[p])) for p in region.pages]
    offset = cache.append(f"regions-{int(tracing)}", (region.blob, region.entries, region.granules, digests, region.inside))
    if offset is not None:
        cache.append(f"index-{int(tracing)}", (context, digests, offset))


def compile_handlers(target: Target, context: int, wanted: list[tuple[str, int]], *,
                     tracing: bool = False) -> list[tuple[str, bytes, dict[int, bytes]]]:
    """Compile handlers by (ISA name, variant index): for each ISA its name, object and decode entries."""
    target.load_rows()
    iset = target.iset(context)
    out: list[Any] = []
    for isa in iset.isas:
        variants = [isa.variants[i] for name, i in wanted if name == isa.name]
        if variants:
            text, infos = handler_module(variants, target, context, iset, tracing=tracing)
            out.append((isa.name, compile_text(text), infos))
    return out
