"""Lists of address ranges and of locations, and .debug_aranges (DWARF 5, 2.17.3, 2.6.2, 6.1.2, 7.25, 7.28, 7.29; DWARF 4, 2.6.2)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from xemu.debug.dwarf_forms import DAMAGE, DamagedError, fixed, take, uleb, unit_length
from xemu.debug.dwarf_names import AT, FORM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.dwarf import Dwarf
    from xemu.debug.dwarf_unit import Unit

MAX_LIST = 100_000         # entries of one list
ENTRIES = ("end", "base_addressx", "startx_endx", "startx_length", "offset_pair", "default_location", "base_address", "start_end",
           "start_length")  # DW_LLE_*; DW_RLE_* are the same without default_location
_WITHOUT_DEFAULT = tuple(name for name in ENTRIES if name != "default_location")


def range_list(unit: Unit, form: int, value: int) -> list[tuple[int, int]]:
    """Return the ranges of a DW_AT_ranges."""
    base = unit.low_pc
    if unit.version < 5:
        start = unit.base._base(AT.GNU_ranges_base) or 0 if unit.skeleton else 0  # noqa: SLF001
        rows = ((begin, end) for begin, end, _ in _old_list(unit, ".debug_ranges", start + value, base, data_follows=False))
    else:
        data = unit.dwarf.data(".debug_rnglists")
        at = list_start(unit, ".debug_rnglists", value, AT.rnglists_base) if form == FORM.rnglistx else value
        rows = ((begin, end) for begin, end, _ in _new_list(unit, data, at, base, _WITHOUT_DEFAULT))
    return [(start, end) for start, end in rows if start < end]


def location_list(unit: Unit, form: int, value: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield (start, end, expression) of a location list; the whole address space for a default."""
    base = unit.low_pc
    if unit.version >= 5:
        data = unit.dwarf.data(".debug_loclists")
        at = list_start(unit, ".debug_loclists", value, AT.loclists_base) if form == FORM.loclistx else value
        yield from _new_list(unit, data, at, base, ENTRIES)
    elif unit.dwarf.split:
        yield from _gnu_split_list(unit, value)
    else:
        yield from _old_list(unit, ".debug_loc", value, base, data_follows=True)


def list_start(unit: Unit, section: str, index: int, attribute: int) -> int:
    """Return the offset of a list by its index (7.28)."""
    size = unit.form.offset_size
    base = unit._base(attribute)  # noqa: SLF001
    if base is None:                                   # a split unit: behind the section's first header
        base = unit.dwarf.part(unit, section) + (12 if size == 4 else 20)
    return base + int(unit.form.offset(unit.dwarf.data(section), base + index * size)[0])


def _old_list(unit: Unit, section: str, at: int, base: int, *, data_follows: bool) -> Iterator[tuple[int, int, bytes]]:
    """Yield the entries of a list of DWARF 2 to 4: pairs of offsets from a base."""
    data, read = unit.base.dwarf.data(section), unit.form.address
    largest = (1 << 8 * unit.form.address_size) - 1
    for _ in range(MAX_LIST):
        start, at = read(data, at)
        end, at = read(data, at)
        if start == largest:
            base = end
        elif start == end == 0:
            return
        else:
            expression = b""
            if data_follows:
                size, at = unit.form.u2(data, at)
                expression, at = take(data, at, size)
            yield start + base, end + base, expression
    raise DamagedError(f"{section}: a list without end")


def _new_list(unit: Unit, data: bytes, at: int, base: int, kinds: tuple[str, ...]) -> Iterator[tuple[int, int, bytes]]:
    """Yield the entries of a list of DWARF 5."""
    read = unit.form.address
    everything = (0, 1 << 8 * unit.form.address_size)
    for _ in range(MAX_LIST):
        kind, at = kinds[data[at]], at + 1
        match kind:
            case "end":
                return
            case "base_addressx":
                index, at = uleb(data, at)
                base = unit.indexed_address(index)
                continue
            case "base_address":
                base, at = read(data, at)
                continue
            case "startx_endx":
                first, at = uleb(data, at)
                second, at = uleb(data, at)
                start, end = unit.indexed_address(first), unit.indexed_address(second)
            case "startx_length":
                first, at = uleb(data, at)
                length, at = uleb(data, at)
                start = unit.indexed_address(first)
                end = start + length
            case "offset_pair":
                start, at = uleb(data, at)
                end, at = uleb(data, at)
                start, end = start + base, end + base
            case "default_location":
                start, end = everything
            case "start_end":
                start, at = read(data, at)
                end, at = read(data, at)
            case _:
                start, at = read(data, at)
                length, at = uleb(data, at)
                end = start + length
        expression = b""
        if "default_location" in kinds:
            size, at = uleb(data, at)
            expression, at = take(data, at, size)
        yield start, end, expression
    raise DamagedError("a list without end")


def _gnu_split_list(unit: Unit, at: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield the entries of a list in a .dwo of version 4 (GCC's DebugFission: kinds 0 end, 1 base, 2 start and end, 3 start, length)."""
    data = unit.dwarf.data(".debug_loc")
    for _ in range(MAX_LIST):
        kind, at = data[at], at + 1
        if kind == 0:
            return
        index, at = uleb(data, at)
        if kind == 1:
            continue
        start = unit.indexed_address(index)
        if kind == 2:
            index, at = uleb(data, at)
            end = unit.indexed_address(index)
        else:
            length, at = unit.form.u4(data, at)
            end = start + length
        size, at = unit.form.u2(data, at)
        expression, at = take(data, at, size)
        yield start, end, expression
    raise DamagedError("a list without end")


def address_ranges(dwarf: Dwarf) -> dict[int, list[tuple[int, int]]]:
    """Return the ranges of .debug_aranges by the offset of their unit (6.1.2); none behind damage."""
    data, order = dwarf.data(".debug_aranges"), dwarf.order
    found: dict[int, list[tuple[int, int]]] = {}
    at = 0
    try:
        while at + 12 <= len(data):
            start = at
            end, at, size = unit_length(data, at, order)
            at += 2
            unit, at = fixed(order + ("I" if size == 4 else "Q"))(data, at)
            address_size, segment_size = data[at], data[at + 1]
            if address_size not in (4, 8) or segment_size or end > len(data):
                raise DamagedError(f".debug_aranges: the set at {start:#x} does not make sense")
            width = 2 * address_size
            at = start + (at + 2 - start + width - 1) // width * width
            pairs = struct.Struct(order + ("II" if address_size == 4 else "QQ"))
            rows = found.setdefault(unit, [])
            rows += [(a, a + n) for a, n in pairs.iter_unpack(data[at : end - (end - at) % width]) if n]
            at = end
    except DAMAGE as error:
        dwarf.elf.note(str(error))
    return found
