"""The assembly text of Advanced SIMD encodings, from the templates of their rows.

`SHOW[name](fields)` is the text of a name in a template that is no field of the diagram. `fields` has the value of
every field of the encoding (registers: their numbers) and every argument bound by the row.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xemu.core.isa import Variant

    Fields = Mapping[str, Any]


def _esize(fields: Fields) -> str:
    """Return the element size in bits."""
    if "esize" in fields:
        return str(fields["esize"])
    return str(8 << fields["esize1" if "esize1" in fields else "size"])


def _scalar(fields: Fields) -> str:
    """Return the scalar operand of A7.4.3."""
    m, vm = fields["M"], fields["Vm"]
    return f"d{vm & 7}[{m << 1 | vm >> 3}]" if fields["size"] == 1 else f"d{vm}[{m}]"


def _registers(first: int, count: int, spacing: int = 1, lane: str = "") -> str:
    """Return a register list: {d0, d1}, {d0[2], d2[2]}, {d31[], d0[]}."""
    return "{" + ", ".join(f"d{(first + spacing * i) % 32}{lane}" for i in range(count)) + "}"


def _list(fields: Fields) -> str:
    """Return the registers of an element or structure load or store."""
    first = fields["D"] << 4 | fields["Vd"]
    if "index" in fields:
        return _registers(first, fields["ways"], fields["spacing"], f"[{fields['index']}]")
    if "groups" in fields:
        return _registers(first, fields["ways"] * fields["groups"], fields["spacing"])
    if "align" in fields:
        return _registers(first, fields["count"])
    return _registers(first, fields.get("ways") or fields["count"], fields.get("spacing", 1), "[]")


def _alignment(fields: Fields) -> str:
    """Return the alignment an element or structure load or store asks for, in bits."""
    if "align" in fields:
        return ("", ":64", ":128", ":256")[fields["align"]]
    if "alignment" in fields:
        return f":{8 * fields['alignment']}" if fields["alignment"] > 1 else ""
    return f":{8 << fields['size']}" if fields["a"] else ""


def _write_back(fields: Fields) -> str:
    """Return what follows the address."""
    number = fields["Rm_wb"]
    return {13: "!", 15: ""}.get(number, f", r{number}" if number != 14 else ", lr")


def _lane(fields: Fields) -> str:
    """Return the index of VMOV between a scalar and a core register."""
    width = {8: 2, 16: 1}.get(fields["esize"], 0)
    return str(fields["x1"] << width | fields.get("x2", 0))


def _modified(fields: Fields) -> str:
    """Return the operand of a modified immediate, one element of it."""
    imm8, shape = fields["i"] << 7 | fields["imm3"] << 4 | fields["imm4"], fields["shape"]
    if shape == "f32":
        exponent = (imm8 >> 4 & 7 ^ 4) - 3
        return f"{(-1) ** (imm8 >> 7) * (16 + (imm8 & 15)) * 2.0 ** (exponent - 4):e}"
    if shape == "i64":
        return f"{sum(0xFF << 8 * i for i in range(8) if imm8 >> i & 1):#x}"
    count = int(shape.rpartition("<")[2])
    return f"{imm8 << count | ((1 << count) - 1 if '<<' in shape else 0):#x}"


SHOW: dict[str, Callable[[Fields], str]] = {
    "su": lambda f: "su"[f["U"]],
    "esize": _esize,
    "esize2": lambda f: str(2 * int(_esize(f))),
    "scalar": _scalar,
    "right": lambda f: f"#{min(f['esize'], 64) - f['amount']}",
    "left": lambda f: f"#{f['amount']}",
    "list": _list,
    "alignment": _alignment,
    "writeback": _write_back,
    "table": lambda f: _registers(f["N"] << 4 | f["Vn"], f["len"] + 1),
    "x": _lane,
    "modified": _modified,
}

CONDITIONS = ("eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "", "")


def fields_of(variant: Variant, word: int) -> dict[str, Any]:
    """Return all fields of an encoding, joined ones too, and what the row binds."""
    row, out = variant.row, dict(variant.row.bound)
    for name, place in row.places.items():
        out[name] = word >> place.shift & ((1 << place.width) - 1)
    for name, spec in row.isa.fields.items():
        if spec.of and all(part in row.places for part in spec.of.split()):
            value = 0
            for _, place in row.raw_places(name):
                value = value << place.width | word >> place.shift & ((1 << place.width) - 1)
            out[name] = value
    return out


def text_of(variant: Variant, word: int) -> str:
    """Return the assembly text of an encoding."""
    fields = fields_of(variant, word)

    def show(match: re.Match[str]) -> str:
        name = match[1]
        if name in SHOW:
            return SHOW[name](fields)
        if name == "cond":
            return CONDITIONS[fields.get("cond", 14)]
        prefix = name[0].lower() if name[0] in "QDR" else ""
        return f"{prefix}{fields[name]}"

    return re.sub(r"\{(\w+)\}", show, variant.row.template)
