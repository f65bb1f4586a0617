"""Source lines: address to line, line to addresses, where a function's body starts, inlined calls.

What a line is and where a breakpoint goes follows GDB: its users compare.
"""

from __future__ import annotations

import posixpath
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from xemu.debug.dwarf_forms import DAMAGE, unit_length
from xemu.debug.dwarf_names import AT, TAG
from xemu.debug.line_program import END, PROLOGUE_END, STATEMENT, line_header, line_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.dwarf import Dwarf
    from xemu.debug.dwarf_unit import Die, Unit
    from xemu.debug.line_program import LineHeader, LineTable

_VARIABLES = {TAG.variable, TAG.formal_parameter}
MAX_NESTING = 200
#: the numbers of languages (7.12) whose functions have no prologue to skip: assembler (DW_LANG_Mips_Assembler, and DWARF 6's)
ASSEMBLER = {0x8001, 0x8010, 0x0031}


@dataclass(frozen=True, slots=True)
class Place:
    """A source line and the code that one row of the table gives it."""

    file: str          # full path, as compiled
    line: int          # 0: code without a line
    column: int        # 0: not known
    start: int
    end: int

    @property
    def name(self) -> str:
        """The file's last part and the line: "main.c:12"."""
        return f"{posixpath.basename(self.file)}:{self.line}"


class Function(NamedTuple):
    """A function with code, from the debug information."""

    start: int         # its entry
    end: int           # of the part that starts there
    name: str          # "ns::Class::method"
    die: Die
    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """An inlined call around an address: the function that was inlined, and where it is called."""

    name: str
    die: Die
    file: str          # of the call
    line: int
    ranges: tuple[tuple[int, int], ...]


class Lines:
    """The lines of one file; addresses as in the file."""

    def __init__(self, dwarf: Dwarf) -> None:
        self.dwarf = dwarf
        self.align = 2 if dwarf.elf.machine == "arm" else 1          # GNU as marks functions of Thumb code by an odd address
        self._naming: dict[str, list[Unit]] = {}

    def units_of(self, address: int) -> list[Unit]:
        """Return the units that may hold an address."""
        return self.dwarf.units_of(address)

    # -- address to line ---------------------------------------------------------------------------------------------------
    def row_of(self, address: int) -> tuple[LineTable, int] | None:
        """Return the table and the number of the row that an address belongs to."""
        for unit in self.dwarf.units_of(address):
            table = self._table(unit)
            index = table.index_of(address) if table else None
            if table is not None and index is not None:
                return table, index
        return None

    def at(self, address: int) -> Place | None:
        """Return the line of an address; None where nothing is known."""
        found = self.row_of(address)
        if found is None:
            return None
        table, index = found
        row = table.rows[index]
        return Place(table.file_name(row.file), row.line, row.column, row.address, table.end_of(index))

    def line_range(self, address: int) -> tuple[int, int] | None:
        """Return the code around an address that is all of its line, for stepping: neighbouring rows of one line are one."""
        found = self.row_of(address)
        if found is None:
            return None
        table, index = found
        rows, row = table.rows, table.rows[index]
        first = index
        while first and not rows[first - 1].flags & END and (rows[first - 1].file, rows[first - 1].line) == (row.file, row.line):
            first -= 1
        last = index
        while (last + 1 < len(rows) and not rows[last + 1].flags & END
               and (rows[last + 1].file, rows[last + 1].line) == (row.file, row.line)):
            last += 1
        return rows[first].address, table.end_of(last)

    def _table(self, unit: Unit) -> LineTable | None:
        try:
            return line_table(unit)
        except DAMAGE as error:
            self.dwarf.elf.note(f".debug_line: {error}")
            return None

    # -- line to addresses -------------------------------------------------------------------------------------------------
    def files(self) -> list[str]:
        """Return the full paths of all files that are named by a line table, sorted."""
        return sorted({path for unit in self.dwarf.code_units() if (header := self._header(unit)) for path in header.files if path})

    def _header(self, unit: Unit) -> LineHeader | None:
        try:
            return line_header(unit)
        except DAMAGE as error:
            self.dwarf.elf.note(f".debug_line: {error}")
            return None

    def _units_naming(self, name: str) -> list[Unit]:
        """Return the units whose line tables may name a file: by the bytes of their headers, which need not be decoded for that."""
        if name not in self._naming:
            word, texts = name.encode() + b"\0", self.dwarf.data(".debug_line_str") + self.dwarf.data(".debug_str")
            if self.dwarf.elf.has(".debug_str_offsets"):
                word = b""
            offsets = self._starts(".debug_line_str", word) | self._starts(".debug_str", word) if word and texts else set()
            self._naming[name] = [unit for unit in self.dwarf.code_units() if self._may_name(unit, word, offsets)]
        return self._naming[name]

    def _starts(self, section: str, word: bytes) -> set[bytes]:
        """Return where strings that end so start, as line tables write offsets."""
        data, found = self.dwarf.data(section), set()
        at = data.find(word)
        while at >= 0:
            start = data.rfind(b"\0", 0, at) + 1
            found |= {offset.to_bytes(4, "little" if self.dwarf.order == "<" else "big") for offset in (start, at)}
            at = data.find(word, at + 1)
        return found

    def _may_name(self, unit: Unit, word: bytes, offsets: set[bytes]) -> bool:
        try:
            value = unit.base.top.attributes.get(AT.stmt_list)
            if value is None or not isinstance(value[1], int):
                return False
            data = self.dwarf.data(".debug_line")
            end, at, size = unit_length(data, value[1], self.dwarf.order)
            skip = 2 if data[at + (self.dwarf.order == ">")] < 5 else 4
            length = int.from_bytes(data[at + skip : at + skip + size], "little" if self.dwarf.order == "<" else "big")
            end = min(end, at + skip + size + length)
        except DAMAGE as error:
            self.dwarf.elf.note(f".debug_line: {error}")
            return False
        return size == 8 or data.find(word, at, end) >= 0 or any(data.find(offset, at, end) >= 0 for offset in offsets) or \
            unit.name.encode().endswith(word[:-1])

    def tables_of(self, file: str) -> Iterator[tuple[Unit, LineTable, set[int]]]:
        """Yield (unit, table, numbers) for the files a name means: a full path, or its last parts."""
        parts = posixpath.normpath(file).lstrip("/").split("/")
        absolute = file.startswith("/")
        for unit in self._units_naming(parts[-1]):
            header = self._header(unit)
            numbers = {number for number, path in enumerate(header.files if header else []) if path.endswith(parts[-1])}
            files = header.files if header else []
            wanted = posixpath.normpath(file)
            fitting = {n for n in numbers if (files[n] == wanted if absolute else files[n].split("/")[-len(parts) :] == parts)}
            table = self._table(unit) if fitting else None
            if table is not None:
                yield unit, table, fitting

    def code_lines(self, file: str) -> list[int]:
        """Return the lines of a file that have code."""
        return sorted({row.line for _, table, numbers in self.tables_of(file) for row in table.rows
                       if row.file in numbers and row.line and row.flags & STATEMENT})  # fmt: skip

    def line_addresses(self, file: str, line: int) -> list[Place]:
        """Return where a breakpoint on a line goes: on it, or on the next line with code; one place per function or inlined copy.

        At a function's first line that is after its prologue.
        """
        tables = list(self.tables_of(file))
        best = min((row.line for _, table, numbers in tables for row in table.rows
                    if row.file in numbers and row.line >= line and row.flags & STATEMENT), default=0)  # fmt: skip
        found: dict[int, Place] = {}
        for _, table, numbers in tables if best else ():
            blocks: set[int] = set()
            for row in table.rows:
                if row.line != best or row.file not in numbers or row.flags & (STATEMENT | END) != STATEMENT:
                    continue
                function = self.function_at(row.address)
                block = self._block_of(function, row.address) if function else row.address
                if block not in blocks:
                    blocks.add(block)
                    start = self._behind_prologue(function, row.address)
                    found[start] = Place(table.file_name(row.file), row.line, row.column, start, start)
        return [self._ending(found[address]) for address in sorted(found)]

    def _behind_prologue(self, function: Function | None, address: int) -> int:
        """Return an address, or if it is in its function's prologue where that ends."""
        if function is None:
            return address
        body = self.body(function)
        return body if function.start <= address < body else address

    def _ending(self, place: Place) -> Place:
        """Return a place with the end of its row, and with the row's line where it was moved behind a prologue."""
        row = self.at(place.start)
        return row if row is not None and row.start == place.start else place

    def _block_of(self, function: Function, address: int) -> int:
        """Return what tells the innermost block with variables around an address from others: of one block, a line has one place."""
        for die in reversed(self.blocks(function.die, address)):
            if die.tag == TAG.inlined_subroutine or any(child.tag in _VARIABLES for child in die.children()):
                return die.offset
        return function.die.offset

    # -- functions ---------------------------------------------------------------------------------------------------------
    def functions(self, unit: Unit) -> list[Function]:
        """Return a unit's functions with code, by address; read once."""
        known: list[Function] | None = unit.facts.get("functions")
        if known is None:
            known = unit.facts["functions"] = []
            unit.facts["abstract"] = []
            try:
                self._collect(unit.full.top, known, 0)
            except DAMAGE as error:
                self.dwarf.elf.note(f".debug_info: {error}")
            known.sort(key=lambda function: function.start)
        return known

    def _collect(self, outer: Die, found: list[Function], depth: int) -> None:
        """Gather functions, also those declared in namespaces, classes and other functions (GNU C)."""
        from xemu.debug.dwarf_unit import SCOPES

        for die in outer.children():
            if die.tag == TAG.subprogram:
                ranges = [(start - start % self.align, end - end % self.align) for start, end in die.ranges()]
                if AT.inline in die:
                    die.unit.base.facts["abstract"].append(die)
                if ranges:
                    found += [Function(start, end, "", die, tuple(ranges)) for start, end in ranges]
            elif die.tag in SCOPES and depth < MAX_NESTING and die.tag != TAG.enumeration_type:
                self._collect(die, found, depth + 1)

    def function_at(self, address: int) -> Function | None:
        """Return the function whose code an address is in, with its name; its `start` is the entry."""
        for unit in self.dwarf.units_of(address):
            functions = self.functions(unit)
            starts = unit.facts.get("starts")
            if starts is None:
                starts = unit.facts["starts"] = [function.start for function in functions]
            index = bisect_right(starts, address) - 1
            if index >= 0 and address < functions[index].end:
                return self._named(functions[index])
        return None

    def _named(self, function: Function) -> Function:
        try:
            entry = function.ranges[0][0]
            return function._replace(start=entry, end=function.ranges[0][1], name=function.die.full_name())
        except DAMAGE as error:
            self.dwarf.elf.note(f".debug_info: {error}")
            return function

    def body(self, function: Function) -> int:
        """Return the first address behind a function's prologue, as GDB's skip_prologue_using_sal finds it."""
        found = self.row_of(function.start)
        if found is None or self._is_assembler(function):
            return function.start
        table, index = found
        end = function.end
        marked = self._marked(table, function.start, end)
        if marked is not None:
            return marked
        rows = table.rows
        before = bisect_left(table.addresses, function.start)
        if self._no_prologue(table, before, function.start):
            return function.start
        prologue_end = table.end_of(index)
        if rows[index].line == 0 or prologue_end >= end:
            return function.start                      # one line covers all of it
        line, file = rows[index].line, rows[index].file
        while prologue_end < end:
            following = table.index_of(prologue_end)
            if following is None or rows[following].line == 0:
                break
            if rows[following].line >= line or rows[following].file != file:
                break
            if self.calls_at(prologue_end):
                break                                  # something inlined
            line, prologue_end = rows[following].line, table.end_of(following)
        return prologue_end if prologue_end < end else function.start

    @staticmethod
    def _marked(table: LineTable, start: int, end: int) -> int | None:
        """Return the first address that the compiler marked as behind the prologue (LLVM does)."""
        index = bisect_left(table.addresses, start)
        while index < len(table.rows) and table.rows[index].address < end:
            if table.rows[index].flags & PROLOGUE_END:
                return table.rows[index].address
            index += 1
        return None

    @staticmethod
    def _no_prologue(table: LineTable, first: int, start: int) -> bool:
        """Whether two rows stand at the entry, which is how compilers say that there is no prologue."""
        following = table.rows[first + 1 : first + 2]
        return bool(following) and following[0].address == start and following[0].line != 0 and not following[0].flags & END

    def inlined_entries(self, unit: Unit, name: str) -> list[int]:
        """Return where copies of a function start that were inlined in a unit; `name` as in `symbols.Module.named_functions`."""
        self.functions(unit)
        last = name.rsplit("::", 1)[-1]
        wanted = {die.offset for die in unit.facts["abstract"] if die.name in ("", last) and fits(die, name)}
        if not wanted:
            return []
        found = []
        for outer in self.functions(unit):
            for die in self._inlined(outer.die):
                origin = die.reference(AT.abstract_origin)
                ranges = die.ranges()
                if origin is not None and origin.offset in wanted and ranges:
                    entry = die.address(AT.entry_pc) if AT.entry_pc in die else None
                    start = entry if entry is not None and any(a <= entry < b for a, b in ranges) else ranges[0][0]
                    found.append(self._behind_prologue(self.function_at(start), start))
        return sorted(set(found))

    @staticmethod
    def _inlined(outer: Die) -> Iterator[Die]:
        """Yield the inlined calls in a function, at any depth."""
        at, end, unit = outer.after, outer.end(), outer.unit
        while outer.has_children and at < end:
            die = unit.entry(at)
            at = at + 1 if die is None else die.after
            if die is not None and die.tag == TAG.inlined_subroutine:
                yield die

    @staticmethod
    def _is_assembler(function: Function) -> bool:
        return function.die.unit.top.integer(AT.language) in ASSEMBLER

    # -- inlined calls -----------------------------------------------------------------------------------------------------
    def calls_at(self, address: int) -> list[Call]:
        """Return the inlined calls around an address, innermost first."""
        function = self.function_at(address)
        if function is None:
            return []
        return self._chain(function.die.unit, address, function)

    def _chain(self, _unit: Unit, address: int, function: Function | None) -> list[Call]:
        if function is None:
            return []
        try:
            return [self._call(die) for die in reversed(self.blocks(function.die, address)) if die.tag == TAG.inlined_subroutine]
        except DAMAGE as error:
            self.dwarf.elf.note(f".debug_info: {error}")
            return []

    def _call(self, die: Die) -> Call:
        header = line_header(die.unit.base)
        number = die.integer(AT.call_file) or 0
        file = header.files[number] if header and number < len(header.files) else ""
        return Call(die.full_name(), die, file, die.integer(AT.call_line) or 0, tuple(die.ranges()))

    @staticmethod
    def blocks(die: Die, address: int) -> list[Die]:
        """Return the blocks and inlined calls of a function that an address is in, outermost first."""
        found: list[Die] = []
        for _ in range(MAX_NESTING):
            inner = next((child for child in die.children() if child.tag in (TAG.lexical_block, TAG.inlined_subroutine)
                          and any(start <= address < end for start, end in child.ranges())), None)  # fmt: skip
            if inner is None:
                break
            found.append(inner)
            die = inner
        return found


def fits(die: Die, name: str) -> bool:
    """Whether a name means an entry: its full name, or its end from a "::" on."""
    full = die.full_name()
    return full == name or full.endswith("::" + name)
