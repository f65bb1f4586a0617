"""The compiler: pure functions from (guest bytes, address, context, options) to objects. The worker process calls them."""

from __future__ import annotations

from dataclasses import dataclass

from xemu.core.instruction import handler_module
from xemu.core.llvm import compile_text
from xemu.core.region import Code, RegionEmitter
from xemu.core import decoder
from xemu.core.target import Target

REGION_PASSES = ("sroa", "instcombine", "simplifycfg", "newgvn", "dse", "adce", "simplifycfg", "instcombine")

_tries: dict[str, dict[str, bytes]] = {}


def tries(target: Target) -> dict[str, bytes]:
    """Return the decode tries of a target, built once per process."""
    if target.name not in _tries:
        target.load_rows()
        _tries[target.name] = {isa.name: decoder.build(isa) for iset in target.sets for isa in iset.isas}
    return _tries[target.name]


@dataclass(frozen=True)
class Region:
    """A compiled region: its object, where it may be entered, and the pages it was made from."""

    blob: bytes
    entries: list[int]
    pages: list[int]
    count: int


def compile_region(target: Target, context: int, pages: dict[int, bytes], head: int, *, tracing: bool = False) -> Region | None:
    """Compile the region around `head`; None if nothing there is worth it."""
    em = RegionEmitter(target, context, Code(pages), tries(target), tracing=tracing)
    text = em.build(head)
    if text is None:
        return None
    return Region(compile_text(text.text, passes=REGION_PASSES, opt=2), text.entries, text.pages, text.count)


def compile_handlers(target: Target, context: int, wanted: list[tuple[str, int]], *, tracing: bool = False) -> list[tuple[str, bytes, dict[int, bytes]]]:
    """Compile handlers by (ISA name, variant index): for each ISA its name, object and decode entries."""
    target.load_rows()
    iset = target.iset(context)
    out = []
    for isa in iset.isas:
        variants = [isa.variants[i] for name, i in wanted if name == isa.name]
        if variants:
            text, infos = handler_module(variants, target, context, iset, tracing=tracing)
            out.append((isa.name, compile_text(text), infos))
    return out
