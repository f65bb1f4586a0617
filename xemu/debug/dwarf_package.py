"""Packages of split units, .dwp files (DWARF 5, 7.3.5; GCC's version 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.debug.dwarf_forms import DAMAGE, fixed

if TYPE_CHECKING:
    from xemu.debug.dwarf import Dwarf
    from xemu.debug.dwarf_unit import Unit

#: columns of the index (7.3.5.3, table 7.1), by version
COLUMNS = {
    5: {1: ".debug_info", 3: ".debug_abbrev", 4: ".debug_line", 5: ".debug_loclists", 6: ".debug_str_offsets", 8: ".debug_rnglists"},
    2: {1: ".debug_info", 2: ".debug_types", 3: ".debug_abbrev", 4: ".debug_line", 5: ".debug_loc", 6: ".debug_str_offsets"},
}


def find_in_package(dwarf: Dwarf, identity: int) -> Unit | None:
    """Return the unit with an identity from a package."""
    try:
        return _find(dwarf, identity)
    except DAMAGE as error:
        dwarf.elf.note(f".debug_cu_index: {error}")
        return None


def _find(dwarf: Dwarf, identity: int) -> Unit | None:
    from xemu.debug.dwarf_unit import Unit

    data = dwarf.elf.data(".debug_cu_index")
    u4, u8 = fixed(dwarf.order + "I"), fixed(dwarf.order + "Q")
    version = u4(data, 0)[0] & 0xFFFF                   # two bytes of version and two of zero; four bytes in version 2
    if dwarf.order == ">" and version == 0:
        version = u4(data, 0)[0] >> 16
    columns, units, slots = (u4(data, at)[0] for at in (4, 8, 12))
    names = COLUMNS.get(version, {})
    hashes, indices = 16, 16 + 8 * slots
    table = indices + 4 * slots
    for slot in range(min(slots, len(data) // 12)):
        row = u4(data, indices + 4 * slot)[0]
        if not row or row > units or u8(data, hashes + 8 * slot)[0] != identity:
            continue
        parts = {}
        for column in range(min(columns, 16)):
            name = names.get(u4(data, table + 4 * column)[0])
            if name:
                parts[name] = int(u4(data, table + 4 * columns * row + 4 * column)[0])
        unit = Unit(dwarf, ".debug_info", parts.get(".debug_info", 0))
        unit.abbreviations_at += parts.get(".debug_abbrev", 0)
        dwarf.set_parts(unit, parts)
        return unit
    return None
