"""Instructions in the words of their rows' templates, for those that the disassembler does not know."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from xemu.core.isa import Reg

if TYPE_CHECKING:
    from xemu.core.isa import Row

TOKEN = re.compile(r"\{(\w+)\}")
#: fields that are written as something else than a number: letters of the mnemonic where the bit is set
LETTERS = {"Rc": ".", "OE": "o", "o": "o", "LK": "l", "AA": "a"}
FIELD_OF = {"o": "OE"}                   # a name of the template -> its field
SHIFTED = {"DS": 2, "DQ": 4, "BD": 2, "LI": 2}          # fields with zeros appended
SIGNED = {"SI", "D", "DS", "DQ", "BD", "LI", "SIM"}
PREFIXES = (("FR", "f"), ("VR", "v"), ("X", "vs"), ("R", "r"))           # of registers' fields


def assembly(row: Row, word: int, pc: int) -> str:
    """Return an instruction as its row's template says it: `add{o}{Rc} {RT}, {RA}, {RB}` -> "addo. r3, r4, r5"."""
    def fill(m: re.Match[str]) -> str:
        return _field(row, m[1], word, pc)

    return TOKEN.sub(fill, row.template)


def _field(row: Row, name: str, word: int, pc: int) -> str:
    field = FIELD_OF.get(name, name)
    if field not in row.isa.fields and field not in row.places:
        return str(row.bound.get(field, ""))
    if field in row.bound:
        return str(row.bound[field])
    value = width = 0
    for _, place in row.raw_places(field):
        value = value << place.width | (word >> place.shift & ((1 << place.width) - 1))
        width += place.width
    if name in LETTERS:
        return LETTERS[name] if value else ""
    spec = row.field(field)
    if isinstance(spec, Reg):
        prefix = next((text for start, text in PREFIXES if field.startswith(start)), "")
        return "0" if field == "RA0" and not value else f"{prefix}{value}"
    if field in ("BF", "BFA"):
        return f"cr{value}"
    if field in SIGNED and value >> (width - 1):
        value -= 1 << width
    value <<= SHIFTED.get(field, 0)
    if field in ("BD", "LI"):
        absolute = "AA" in row.places and word >> row.places["AA"].shift & 1
        return f"{(value if absolute else pc + value) & 0xFFFF_FFFF_FFFF_FFFF:#x}"
    return str(value)


__all__ = ["assembly"]
