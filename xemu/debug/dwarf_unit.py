"""DWARF's units and entries, versions 2 to 5: abbreviations, attributes, references, address ranges (DWARF 5, section 7.5).

Entries are decoded one at a time; what is damaged raises one of `dwarf_forms.DAMAGE`. Addresses are as in the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.debug.dwarf_forms import DAMAGE, DamagedError, Format, format_of, sleb, text, uleb, unit_length
from xemu.debug.dwarf_names import AT, FORM, TAG, UT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.dwarf import Dwarf

    Value = tuple[int, Any]                            # (form, value)

MAX_DEPTH = 64             # of references followed for one answer
_STRINGS = {FORM.strp: ".debug_str", FORM.line_strp: ".debug_line_str"}
_STRING_INDEX = {FORM.strx, FORM.strx1, FORM.strx2, FORM.strx3, FORM.strx4, FORM.GNU_str_index}
_ADDRESS_INDEX = {FORM.addrx, FORM.addrx1, FORM.addrx2, FORM.addrx3, FORM.addrx4, FORM.GNU_addr_index}
_UNIT_REFERENCE = {FORM.ref1, FORM.ref2, FORM.ref4, FORM.ref8, FORM.ref_udata}
_ALTERNATE_REFERENCE = {FORM.GNU_ref_alt, FORM.ref_sup4, FORM.ref_sup8}
_CONSTANTS = {FORM.data1, FORM.data2, FORM.data4, FORM.data8, FORM.sdata, FORM.udata, FORM.implicit_const, FORM.flag, FORM.flag_present}
BLOCKS = {FORM.block, FORM.block1, FORM.block2, FORM.block4, FORM.exprloc}
SIGNED_FORMS = {FORM.sdata, FORM.implicit_const}


class Abbreviation:
    """What entries of one code have: tag, whether children follow, attributes with their forms."""

    __slots__ = ("attributes", "children", "readers", "tag")

    def __init__(self, tag: int, children: bool, attributes: list[tuple[int, int, int]]) -> None:
        self.tag, self.children, self.attributes = tag, children, attributes
        self.readers: dict[Format, list[tuple[int, int, Any]]] = {}

    def prepare(self, form: Format) -> list[tuple[int, int, Any]]:
        """Return (attribute, form, reader or constant) for units that write numbers as `form` says."""
        found = [(at, code, constant if code == FORM.implicit_const else form.forms.get(code)) for at, code, constant in self.attributes]
        bad = next((code for _, code, reader in found if reader is None and code != FORM.indirect), None)
        if bad is not None:
            raise DamagedError(f"form {bad:#x} is not known")
        self.readers[form] = found
        return found


class Abbreviations:
    """A table of abbreviations (7.5.3), decoded as far as somebody asked: most units are only asked for their own entry."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        self._known: dict[int, Abbreviation] = {}
        self._ended = False

    def get(self, code: int) -> Abbreviation | None:
        """Return the abbreviation with a code."""
        known = self._known
        while code not in known and not self._ended:
            self._read_next()
        return known.get(code)

    def _read_next(self) -> None:
        data = self._data
        self._ended = True                             # also if what comes is damaged
        code, at = uleb(data, self._at)
        if not code:
            return
        tag, at = uleb(data, at)
        children, at = data[at], at + 1
        attributes = []
        while True:
            attribute, at = uleb(data, at)
            form, at = uleb(data, at)
            constant = 0
            if form == FORM.implicit_const:
                constant, at = sleb(data, at)
            if not attribute and not form:
                break
            attributes.append((attribute, form, constant))
        self._known[code] = Abbreviation(tag, bool(children), attributes)
        self._at, self._ended = at, False


class Die:
    """One entry: tag and attributes; `children` yields what it holds."""

    __slots__ = ("after", "attributes", "has_children", "offset", "tag", "unit")

    def __init__(self, unit: Unit, offset: int, tag: int, has_children: bool, attributes: dict[int, Value], after: int) -> None:
        self.unit, self.offset, self.tag, self.has_children = unit, offset, tag, has_children
        self.attributes, self.after = attributes, after

    def __repr__(self) -> str:
        return f"<Die {self.offset:#x} tag {self.tag:#x} {self.name!r}>"

    def __contains__(self, attribute: int) -> bool:
        return attribute in self.attributes

    # -- values ------------------------------------------------------------------------------------------------------------
    def string(self, attribute: int) -> str:
        """Return a string; empty where there is none."""
        value = self.attributes.get(attribute)
        if value is None:
            return ""
        try:
            return self.unit.string(*value)
        except DAMAGE as error:                        # a thing without a name is better than no thing
            self.unit.dwarf.elf.note(f"{self.unit.section}: {error}")
            return ""

    def integer(self, attribute: int) -> int | None:
        """Return a constant; None where there is none, or an expression."""
        value = self.attributes.get(attribute)
        if value is None or value[0] not in _CONSTANTS:
            return None
        return int(value[1])

    def flag(self, attribute: int) -> bool:
        """Return whether a flag is set."""
        value = self.attributes.get(attribute)
        return bool(value and value[1])

    def address(self, attribute: int) -> int | None:
        """Return an address; None where there is none."""
        value = self.attributes.get(attribute)
        return None if value is None else self.unit.address(*value)

    def block(self, attribute: int) -> bytes | None:
        """Return an expression or a block; None where there is none."""
        value = self.attributes.get(attribute)
        return value[1] if value is not None and value[0] in BLOCKS else None

    def reference(self, attribute: int) -> Die | None:
        """Return the entry that an attribute refers to."""
        value = self.attributes.get(attribute)
        return None if value is None else self.unit.reference(*value)

    @property
    def name(self) -> str:
        """The entry's own name."""
        return self.string(AT.name)

    def origins(self) -> Iterator[Die]:
        """Yield this entry and those whose attributes hold for it too: abstract instance, declaration."""
        die: Die | None = self
        for _ in range(MAX_DEPTH):
            if die is None:
                return
            yield die
            die = die.reference(AT.abstract_origin) or die.reference(AT.specification)

    def inherited(self, attribute: int) -> Die | None:
        """Return the entry that has an attribute: this one or an origin of it."""
        return next((die for die in self.origins() if attribute in die), None)

    def full_name(self) -> str:
        """Return the name with its namespaces and classes: "ns::Class::method"."""
        named = self.inherited(AT.name)
        if named is None:
            return ""
        declared = list(self.origins())[-1]
        outer = declared.unit.scope_of(declared)
        return f"{outer}::{named.name}" if outer else named.name

    def ranges(self) -> list[tuple[int, int]]:
        """Return the (start, end) of the code this entry stands for (2.17)."""
        if AT.ranges in self.attributes:
            return self.unit.range_list(*self.attributes[AT.ranges])
        low = self.address(AT.low_pc)
        high = self.attributes.get(AT.high_pc)
        if low is None or high is None:
            return []
        end = low + int(high[1]) if high[0] in _CONSTANTS else self.unit.address(*high)
        return [(low, end)] if end > low else []

    # -- structure ---------------------------------------------------------------------------------------------------------
    def children(self) -> Iterator[Die]:
        """Yield the entries directly inside."""
        if not self.has_children:
            return
        at = self.after
        while True:
            die = self.unit.entry(at)
            if die is None:
                return
            yield die
            at = die.end()

    def end(self) -> int:
        """Return the offset behind this entry and what it holds."""
        if not self.has_children:
            return self.after
        sibling = self.attributes.get(AT.sibling)
        if sibling is not None and sibling[0] in _UNIT_REFERENCE and self.unit.start + sibling[1] > self.after:
            return self.unit.start + int(sibling[1])
        at, depth = self.after, 1
        while depth:
            die = self.unit.entry(at)
            if die is None:
                depth, at = depth - 1, at + 1
            else:
                depth, at = depth + die.has_children, die.after
        return at


class Unit:
    """One unit of .debug_info (or .debug_types)."""

    def __init__(self, dwarf: Dwarf, section: str, start: int) -> None:
        """Read a header (7.5.1)."""
        self.dwarf, self.section, self.start = dwarf, section, start
        self.data = data = dwarf.data(section)
        self.end, at, size = unit_length(data, start, dwarf.order)
        if self.end > len(data):
            raise DamagedError(f"the unit at {start:#x} ends at {self.end:#x}, {section} at {len(data):#x}")
        self.version = int.from_bytes(data[at : at + 2], "little" if dwarf.order == "<" else "big")
        if not 2 <= self.version <= 5:
            raise DamagedError(f"the unit at {start:#x} has version {self.version}")
        at += 2
        self.type = UT.type if section.startswith(".debug_types") else UT.compile
        if self.version >= 5:
            self.type, address_size, at = data[at], data[at + 1], at + 2
        else:
            address_size = data[at + size]
        self.form = format_of(dwarf.order, address_size, size, self.version)
        self.abbreviations_at = self.form.offset(data, at)[0]
        at += size + (self.version < 5)
        self.signature = self.type_offset = 0
        if self.type in (UT.type, UT.split_type):
            self.signature, at = self.form.u8(data, at)
            self.type_offset, at = self.form.offset(data, at)
        elif self.type in (UT.skeleton, UT.split_compile):
            self.signature, at = self.form.u8(data, at)
        self.first = at
        self.skeleton: Unit | None = None           # of a split unit: the one in the program
        self._codes: Abbreviations | None = None
        self._top: Die | None = None
        self._split: Unit | None = None
        self._searched = False
        self._scopes: dict[int, str] | None = None
        self.facts: dict[str, Any] = {}             # what other modules work out once per unit

    # -- entries -----------------------------------------------------------------------------------------------------------
    def entry(self, at: int) -> Die | None:
        """Decode the entry at an offset of the section; None for the null that ends a list (one byte)."""
        data, start = self.data, at
        if not self.first <= at < self.end:
            raise DamagedError(f"an entry at {at:#x}, outside of its unit")
        code, at = uleb(data, at)
        if not code:
            return None
        if self._codes is None:
            self._codes = self.dwarf.abbreviations(self.abbreviations_at)
        abbreviation = self._codes.get(code)
        if abbreviation is None:
            raise DamagedError(f"the entry at {start:#x} has code {code}, which is not declared")
        attributes: dict[int, Value] = {}
        for attribute, form, reader in abbreviation.readers.get(self.form) or abbreviation.prepare(self.form):
            if form == FORM.implicit_const:
                attributes[attribute] = (form, reader)
            elif form == FORM.indirect:
                actual, at = uleb(data, at)
                value, at = self.form.forms[actual](data, at)
                attributes[attribute] = (actual, value)
            else:
                value, at = reader(data, at)
                attributes[attribute] = (form, value)
        if at > self.end:
            raise DamagedError(f"the entry at {start:#x} is longer than its unit")
        return Die(self, start, abbreviation.tag, abbreviation.children, attributes, at)

    @property
    def top(self) -> Die:
        """The unit's own entry."""
        if self._top is None:
            self._top = self.entry(self.first)
            if self._top is None:
                raise DamagedError(f"the unit at {self.start:#x} is empty")
        return self._top

    def scope_of(self, die: Die) -> str:
        """Return the namespaces and classes around a declaration, joined by "::"."""
        if self._scopes is None:
            self._scopes = {}
            self._walk_scopes(self.full.top, "", 0)
        return self._scopes.get(die.offset, "")

    def _walk_scopes(self, outer: Die, name: str, depth: int) -> None:
        assert self._scopes is not None
        if depth > MAX_DEPTH:
            return
        for die in outer.children():
            if name:
                self._scopes[die.offset] = name
            if die.has_children and die.tag in SCOPES:
                own = die.name or ("(anonymous namespace)" if die.tag == TAG.namespace else "")
                self._walk_scopes(die, f"{name}::{own}" if name and own else name or own, depth + 1)

    # -- the other half of a split unit ------------------------------------------------------------------------------------
    @property
    def full(self) -> Unit:
        """The unit that has the entries: of a skeleton, the one in its .dwo file (3.1.2) where that is found."""
        if not self._searched:
            self._searched = True
            name = self.top.string(AT.dwo_name) or self.top.string(AT.GNU_dwo_name)
            if name and not self.dwarf.split:
                identity = self.signature or self.top.integer(AT.GNU_dwo_id) or 0
                self._split = self.dwarf.find_split(name, self.comp_dir, identity)
                if self._split is not None:
                    self._split.skeleton = self
        return self._split or self

    @property
    def base(self) -> Unit:
        """The unit in the program: the one that addresses come from."""
        return self.skeleton or self

    # -- what the unit's own entry says ------------------------------------------------------------------------------------
    @property
    def name(self) -> str:
        """The source file, as it was given to the compiler."""
        return self.top.string(AT.name)

    @property
    def comp_dir(self) -> str:
        """The directory in which the compiler ran."""
        return self.top.string(AT.comp_dir)

    def _base(self, *attributes: int) -> int | None:
        for attribute in attributes:
            value = self.top.attributes.get(attribute)
            if value is not None and isinstance(value[1], int):
                return value[1]
        return None

    @property
    def low_pc(self) -> int:
        """What offsets in range and location lists start from."""
        top = self.base.top
        return top.address(AT.low_pc) or 0 if AT.low_pc in top else 0

    # -- values of attributes ----------------------------------------------------------------------------------------------
    def string(self, form: int, value: Any) -> str:
        """Return the string of an attribute."""
        if isinstance(value, str):
            return value
        if form in _STRINGS:
            return text(self.dwarf.data(_STRINGS[form]), value)[0]
        if form in _STRING_INDEX:
            size = self.form.offset_size
            base = self._base(AT.str_offsets_base)
            if base is None:
                base = self.dwarf.part(self, ".debug_str_offsets") + (2 * size if self.version >= 5 else 0)
            return text(self.dwarf.data(".debug_str"), self.form.offset(self.dwarf.data(".debug_str_offsets"), base + value * size)[0])[0]
        if form in (FORM.GNU_strp_alt, FORM.strp_sup):
            other = self.dwarf.alternate
            return text(other.data(".debug_str"), value)[0] if other else ""
        raise DamagedError(f"form {form:#x} for a string")

    def address(self, form: int, value: Any) -> int:
        """Return the address of an attribute."""
        if form in _ADDRESS_INDEX:
            return self.indexed_address(value)
        if not isinstance(value, int):
            raise DamagedError(f"form {form:#x} for an address")
        return value

    def indexed_address(self, index: int) -> int:
        """Return an entry of .debug_addr (7.27)."""
        unit = self.base
        base = unit._base(AT.addr_base, AT.GNU_addr_base)  # noqa: SLF001
        if base is None:
            base = 2 * unit.form.offset_size if unit.version >= 5 else 0
        return int(unit.form.address(unit.dwarf.data(".debug_addr"), base + index * unit.form.address_size)[0])

    def reference(self, form: int, value: Any) -> Die | None:
        """Return the entry that an attribute refers to."""
        if form in _UNIT_REFERENCE:
            return self.entry(self.start + value)
        if form == FORM.ref_addr:
            unit = self.dwarf.unit_at(value, self.section)
            return unit.entry(value)
        if form == FORM.ref_sig8:
            types = self.dwarf.type_unit(value)
            return types.entry(types.start + types.type_offset) if types else None
        if form in _ALTERNATE_REFERENCE:
            other = self.dwarf.alternate
            return other.unit_at(value).entry(value) if other else None
        raise DamagedError(f"form {form:#x} for a reference")

    def range_list(self, form: int, value: int) -> list[tuple[int, int]]:
        """Return the ranges of a DW_AT_ranges (2.17.3)."""
        from xemu.debug.dwarf_lists import range_list

        return range_list(self, form, value)


SCOPES = {TAG.namespace, TAG.class_type, TAG.structure_type, TAG.union_type, TAG.interface_type, TAG.enumeration_type}
