"""The registers of the thread that runs, with what they point to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.tui.queries import query
from xemu.tui.queries.pointers import Pointed, follow
from xemu.tui.queries.stack import chosen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xemu.debug.debugger import Debugger


class Value(NamedTuple):
    """A register. `flags`: (name, value) of its fields, one-bit fields by letter."""

    name: str
    value: int | None
    bits: int
    kind: str
    flags: tuple[tuple[str, int, int], ...] = ()     # (name, value, bits), the highest first
    text: str = ""                                   # its fields in words
    pointed: Pointed | None = None


class Group(NamedTuple):
    """Registers that belong together."""

    name: str
    values: tuple[Value, ...]


class Registers(NamedTuple):
    """All registers."""

    groups: tuple[Group, ...]
    thread: int
    frame: int = 0
    pc: str = "pc"                                   # what the program counter is called


#: x86's flags as people write them (SDM vol. 1, 3.4.3.1)
LETTERS = {f"{letter}F": letter for letter in "ODITSZAPC"}
NAMES = {"core": "", "m-profile": "", "vfp": "fpu", "m-system": "system", "system": "system", "tls": "tls", "time": "time"}


@query(live=True)
def registers(d: Debugger, *, thread: int | None = None, frame: int = 0, follow_pointers: bool = True) -> Registers:
    """Return all registers in the groups of the target's description; of a caller's frame, those that are known."""
    from xemu.gdbstub.target_xml import Flags, describe

    fpu = bool(getattr(getattr(getattr(d.system, "machine", None), "cpu", None), "fpu", True))
    there = chosen(d, thread, frame) if frame else None
    known = there.registers if there is not None else None
    found: dict[str, list[Value]] = {}
    description = describe(d.system.arch, fpu=fpu)
    for feature in description.features:
        name = NAMES.get(feature.name.rpartition(".")[2], feature.name.rpartition(".")[2])
        types = {kind.name: kind for kind in feature.types if isinstance(kind, Flags)}
        for row in feature.registers:
            where = row.section or name
            found.setdefault(where, []).append(
                _value(d, row, types.get(row.kind), thread, known, follow_pointers=follow_pointers and not where))
    rank = {name: place for place, name in enumerate(description.leading)}
    groups = tuple(Group(name, tuple(sorted(values, key=lambda value: rank.get(value.name, len(rank))))) for name, values in found.items())
    return Registers(groups, d.system.thread if thread is None else thread, frame, d.source.architecture.pc)


def _value(d: Debugger, row: Any, flags: Any, thread: int | None, known: Mapping[str, int] | None, *,
           follow_pointers: bool) -> Value:
    value = d.read_register(row.name, thread) if known is None else known.get(row.name)
    fields: tuple[tuple[str, int, int], ...] = ()
    if flags is not None and value is not None:
        fields = tuple((LETTERS.get(name, name), value >> low & (1 << high - low + 1) - 1, high - low + 1)
                       for name, low, high in reversed(flags.fields) if name)
    plain = flags is None and row.words is None
    pointed = follow(d, value, code=row.name == d.source.architecture.pc) if follow_pointers and value and plain else None
    text = row.words(value) if row.words is not None and value is not None else ""
    return Value(row.name, value, row.bits, row.kind, fields, text, pointed)
