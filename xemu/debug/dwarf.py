"""The debug information of a file: its units, found by address, by offset or by a name that they mention; other files it needs.

Written for debuggers: nothing is read before it is asked for. What is damaged raises one of `dwarf_forms.DAMAGE` or is left out;
`symbols.Module` turns it into a note.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from typing import TYPE_CHECKING

from xemu.debug.dwarf_forms import DAMAGE, DamagedError, unit_length
from xemu.debug.dwarf_names import UT
from xemu.debug.dwarf_unit import Abbreviations, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xemu.debug.elffile import ElfFile

MAX_MENTIONS = 1000        # names whose units are remembered


class Dwarf:
    """The debug information of one file."""

    def __init__(self, elf: ElfFile, open_file: Callable[[str], ElfFile | None] | None = None, *, split: bool = False) -> None:
        """Take a file; `open_file` finds others that it names (.dwo, .dwp, dwz's); `split`: it is a .dwo."""
        self.elf, self.order, self.split = elf, elf.order, split
        self._open = open_file
        self._abbreviations: dict[int, Abbreviations] = {}
        self._units: dict[str, tuple[list[int], list[Unit]]] = {}
        self._types: dict[int, Unit] | None = None
        self._index: tuple[list[int], list[tuple[int, Unit]]] | None = None
        self._alternate: Dwarf | None = None
        self._looked = False
        self._parts: dict[Unit, dict[str, int]] = {}
        self._packages: dict[str, Dwarf | None] = {}
        self._mentions: dict[str, list[Unit]] = {}

    def data(self, section: str) -> bytes:
        """Return a section; of a .dwo file, the one named so."""
        if self.split:
            found = self.elf.data(section + ".dwo")
            if found:
                return found
        return self.elf.data(section)

    def part(self, unit: Unit, section: str) -> int:
        """Return where a unit's part of a section starts: 0 except in packages (.dwp)."""
        return self._parts.get(unit, {}).get(section, 0)

    def abbreviations(self, at: int) -> Abbreviations:
        """Return the abbreviations at an offset."""
        if at not in self._abbreviations:
            self._abbreviations[at] = Abbreviations(self.data(".debug_abbrev"), at)
        return self._abbreviations[at]

    # -- units -------------------------------------------------------------------------------------------------------------
    def units(self, section: str = ".debug_info") -> list[Unit]:
        """Return the units of a section; those behind damage are left out."""
        if section not in self._units:
            found: list[Unit] = []
            at, data = 0, self.data(section)
            while at + 12 <= len(data):
                try:
                    end = unit_length(data, at, self.order)[0]
                    found.append(Unit(self, section, at))
                except DAMAGE as error:
                    self.elf.note(f"{section}: {error}")
                    if end <= at or end > len(data):
                        break
                at = end
            self._units[section] = ([unit.start for unit in found], found)
        return self._units[section][1]

    def named_units(self) -> Iterator[Unit]:
        """Yield the units of source files, then those of types."""
        yield from self.code_units()
        yield from (unit for unit in self.units() if unit.type in (UT.type, UT.split_type))
        yield from self.units(".debug_types")

    def unit_at(self, offset: int, section: str = ".debug_info") -> Unit:
        """Return the unit that holds an offset of a section."""
        units = self.units(section)
        index = bisect_right(self._units[section][0], offset) - 1
        if index < 0 or offset >= units[index].end:
            raise DamagedError(f"no unit holds {offset:#x}")
        return units[index]

    def code_units(self) -> Iterator[Unit]:
        """Yield the units that stand for source files."""
        return (unit for unit in self.units() if unit.type in (UT.compile, UT.skeleton, UT.split_compile))

    def type_unit(self, signature: int) -> Unit | None:
        """Return the type unit with a signature (.debug_types of version 4, .debug_info of 5)."""
        if self._types is None:
            every = self.units(".debug_types") + self.units()
            self._types = {unit.signature: unit for unit in every if unit.type in (UT.type, UT.split_type)}
        return self._types.get(signature)

    def units_of(self, address: int) -> list[Unit]:
        """Return the units whose code an address may be in (one; several where ranges overlap)."""
        if self._index is None:
            self._index = self._build_index()
        starts, rows = self._index
        index = bisect_right(starts, address) - 1
        found = []
        for end, unit in reversed(rows[max(0, index - 8) : index + 1]):
            if address < end and unit not in found:
                found.append(unit)
        return found

    def _build_index(self) -> tuple[list[int], list[tuple[int, Unit]]]:
        """Return sorted starts and (end, unit): from .debug_aranges, for units without an entry there from their ranges."""
        from xemu.debug.dwarf_lists import address_ranges

        ranges = address_ranges(self)
        rows: list[tuple[int, int, int]] = []
        units = list(self.code_units())
        for number, unit in enumerate(units):
            try:
                own = ranges.get(unit.start) or unit.top.ranges() or (unit.full.top.ranges() if unit.full is not unit else [])
                rows += [(start, end, number) for start, end in own if start < end]
            except DAMAGE as error:
                self.elf.note(f"unit at {unit.start:#x}: {error}")
        rows.sort()
        return [start for start, _, _ in rows], [(end, units[number]) for _, end, number in rows]

    # -- search ------------------------------------------------------------------------------------------------------------
    def units_with(self, name: str) -> list[Unit]:
        """Return the units in which a name may be: found by its bytes, without decoding entries."""
        if name not in self._mentions:
            if len(self._mentions) > MAX_MENTIONS:
                self._mentions.clear()
            word = name.encode() + b"\0"
            if self.elf.has(".debug_str_offsets") or self.elf.has(".debug_addr") or self.elf.has(".gnu_debugaltlink"):
                self._mentions[name] = list(self.named_units())        # names by index, or in other files
            else:
                offsets = list(_occurrences(self.data(".debug_str"), word)) + list(_occurrences(self.data(".debug_line_str"), word))
                self._mentions[name] = [unit for unit in self.named_units() if self._mentioned(unit, word, offsets)]
        return self._mentions[name]

    def _mentioned(self, unit: Unit, word: bytes, offsets: list[int]) -> bool:
        if unit.data.find(word, unit.first, unit.end) >= 0:
            return True
        size, order = unit.form.offset_size, "little" if self.order == "<" else "big"
        return any(unit.data.find(offset.to_bytes(size, order), unit.first, unit.end) >= 0 for offset in offsets)  # type: ignore[arg-type]

    # -- other files -------------------------------------------------------------------------------------------------------
    def find_split(self, name: str, comp_dir: str, identity: int) -> Unit | None:
        """Return the unit of a .dwo file, or of a package next to the program."""
        if self._open is None:
            return None
        from xemu.debug.dwarf_package import find_in_package

        for path in _candidates(name, comp_dir, self.elf.path):
            if path not in self._packages:
                elf = self._open(path)
                self._packages[path] = Dwarf(elf, self._open, split=True) if elf else None
            found = self._packages[path]
            if found is None:
                continue
            unit = find_in_package(found, identity) if path.endswith(".dwp") else next(found.code_units(), None)
            if unit is not None:
                return unit
        self.elf.note(f"{name}: not found; it has the debug information of one source file")
        return None

    @property
    def alternate(self) -> Dwarf | None:
        """The file that dwz moved common entries to (.gnu_debugaltlink, .debug_sup)."""
        if not self._looked:
            self._looked = True
            data = self.elf.data(".gnu_debugaltlink")
            name = data[: data.find(b"\0")].decode("utf-8", "replace") if b"\0" in data else ""
            if name and self._open is not None:
                directory = os.path.dirname(self.elf.path or "")
                elf = self._open(os.path.join(directory, name))
                self._alternate = Dwarf(elf, self._open) if elf else None
            if name and self._alternate is None:
                self.elf.note(f"{name}: not found; it has a part of the debug information")
        return self._alternate

    def set_parts(self, unit: Unit, parts: dict[str, int]) -> None:
        """Say where the parts of a unit of a package start."""
        self._parts[unit] = parts


def _occurrences(data: bytes, word: bytes) -> Iterator[int]:
    """Yield where a string stands, also at the end of a longer one."""
    at = data.find(word)
    while at >= 0:
        yield at
        at = data.find(word, at + 1)


def _candidates(name: str, comp_dir: str, program: str | None) -> list[str]:
    """Return the paths at which a .dwo file may be: as written, next to the program, in a package."""
    paths = [os.path.join(comp_dir, name)]
    if program:
        directory = os.path.dirname(program)
        paths += [os.path.join(directory, name), os.path.join(directory, os.path.basename(name)), program + ".dwp"]
    return list(dict.fromkeys(os.path.normpath(path) for path in paths))
