"""What a word of the guest may point to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger

TEXT = 24                # characters of a string that are shown
SMALL = 0x400            # numbers below are most likely numbers, even where memory begins at 0: the vectors are there
LEAST = 4                # characters that make bytes a string


class Pointed(NamedTuple):
    """What is at an address. `kind`: code ram stack constant device, as styles have it."""

    kind: str
    name: str = ""                                   # "main+0x12", "uart0"
    text: str = ""                                   # the string there
    value: int | None = None                         # the word there
    place: int = 0                                   # of code: where its instruction is


def follow(d: Debugger, address: int, *, code: bool = False) -> Pointed | None:
    """Return what an address points to; None where nothing is. `code`: it is one for sure."""
    entry = next((e for e in d.system.memory_map() if e.start <= address < e.end), None)
    if entry is None or entry.kind == "hole":
        return None
    if entry.kind == "device":
        return Pointed("device", f"{entry.name}+{address - entry.start:#x}" if address - entry.start else entry.name)
    name = name_of(d, address)
    place = d.source.architecture.code(address)
    module = d.modules.at(place)
    if address < SMALL and not code:
        symbol = module.symbol_at(place) if module is not None else None
        if symbol is None or symbol.kind != "function" or not address & 1:
            return None
    if "x" in entry.rights and module is not None and module.is_code(place):
        return Pointed("code", name, place=place)
    sp = d.read_register("sp") or 0
    kind = "stack" if entry.name == "[stack]" or (entry.start <= sp < entry.end and sp <= address < sp + 0x2000) else \
        "ram" if "w" in entry.rights else "constant"
    text = string_at(d, address)
    word = d.source.architecture.word
    data = d.read_memory(address, word)
    value = d.source.architecture.number(data) if len(data) == word and not text else None
    return Pointed(kind, name or entry.name, text, value)


def name_of(d: Debugger, address: int) -> str:
    """Return "main+0x12" for an address, "" where no symbol has it."""
    place = d.source.architecture.code(address)
    module = d.modules.at(place)
    symbol = module.symbol_at(place) if module else None
    if symbol is None:
        return ""
    offset = place - symbol.address
    return f"{symbol.name}+{offset:#x}" if offset else symbol.name


def string_at(d: Debugger, address: int) -> str:
    """Return the string at an address if there is one."""
    data = d.read_memory(address, TEXT + 1)
    text, end, _ = data.partition(b"\0")
    if len(text) < LEAST or not (end or len(data) > TEXT) or not all(0x20 <= c < 0x7F or c in b"\n\r\t" for c in text):
        return ""
    return text[:TEXT].decode("ascii")
