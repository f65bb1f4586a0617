"""All that matters in three lines, for terminals that have room for one pane."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from xemu.errors import XemuError
from xemu.tui.queries import query

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger

MOST_LOCALS, MOST_FRAMES = 6, 6


class Summary(NamedTuple):
    """Registers, variables and frames, in short."""

    registers: tuple[tuple[str, int], ...]
    locals: tuple[tuple[str, str], ...]
    frames: tuple[str, ...]


@query()
def summary(d: Debugger) -> Summary:
    """Return what matters."""
    arch = d.source.architecture
    general = [name for name in dict.fromkeys(arch.dwarf.values()) if arch.register_bytes(name) == arch.word and name not in arch.parts]
    found = {name: d.read_register(name) for name in general}
    registers = tuple((name, value) for name, value in found.items() if value is not None and name != arch.pc)
    variables: list[tuple[str, str]] = []
    frames: list[str] = []
    with suppress(XemuError):
        variables = [(v.name, v.value.text()) for v in d.locals()[:MOST_LOCALS]]
        frames = [f"{f.function or hex(f.pc)}:{f.place.line}" if f.place and f.place.line else f.function or hex(f.pc)
                  for f in d.backtrace(limit=MOST_FRAMES)]
    return Summary(registers, tuple(variables), tuple(frames))
