"""The memory map: what is where, with what rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from xemu.tui.queries import query

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger
    from xemu.debug.system import MapEntry


class Range(NamedTuple):
    """A range of addresses. `here`: which of the registers point into it."""

    start: int
    end: int
    rights: str
    name: str
    kind: str                                        # as `xemu.debug.system.MapEntry` has it
    here: tuple[str, ...] = ()


@query()
def ranges(d: Debugger) -> tuple[Range, ...]:
    """Return the memory map by address; where ranges lie in each other, the narrower one is where a register points."""
    entries = sorted(d.system.memory_map(), key=lambda e: (e.start, -e.end))
    here: dict[MapEntry, list[str]] = {}
    for name in ("pc", "sp"):
        value = d.read_register(name)
        inside = [e for e in entries if value is not None and e.start <= value < e.end]
        if inside:
            here.setdefault(min(inside, key=lambda e: e.end - e.start), []).append(name)
    return tuple(Range(e.start, e.end, e.rights, e.name, e.kind, tuple(here.get(e, ()))) for e in entries)
