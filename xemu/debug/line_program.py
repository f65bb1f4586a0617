"""Line-number programs (DWARF 2 to 5, section 6.2): the table of one unit."""

from __future__ import annotations

import posixpath
import struct
from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.debug.dwarf_forms import DAMAGE, DamagedError, Format, format_of, sleb, text, uleb, unit_length
from xemu.debug.dwarf_names import AT

if TYPE_CHECKING:
    from xemu.debug.dwarf_unit import Unit

MAX_ROWS = 4_000_000
MAX_FILES = 1 << 20
DW_LNCT_path, DW_LNCT_directory_index = 1, 2
STATEMENT, PROLOGUE_END, END = 1, 2, 4             # Row.flags


class Row(NamedTuple):
    """One row; the code up to the next row's address belongs to it."""

    address: int
    file: int
    line: int        # 0: no line of the source
    column: int
    flags: int


class LineTable:
    """The rows of one unit by address, and its files."""

    def __init__(self, rows: list[Row], files: list[str]) -> None:
        """Take rows of all sequences, sorted by address within each, and full paths by file number."""
        self.rows, self.files = rows, files
        self.addresses = [row.address for row in rows]

    def index_of(self, address: int) -> int | None:
        """Return the number of the row that an address belongs to: of several at one address, the last that starts a statement."""
        index = bisect_right(self.addresses, address) - 1
        if index < 0 or self.rows[index].flags & END:
            return None
        best = index
        while best > 0 and not self.rows[best].flags & STATEMENT and self.addresses[best - 1] == self.addresses[index]:
            best -= 1
        return best if self.rows[best].flags & STATEMENT and not self.rows[best].flags & END else index

    def end_of(self, index: int) -> int:
        """Return the end of a row's code: the next higher address with a row."""
        address = self.rows[index].address
        following = bisect_right(self.addresses, address)
        return self.addresses[following] if following < len(self.addresses) else address + 1

    def file_name(self, number: int) -> str:
        """Return a file's path; empty for a number that does not exist."""
        return self.files[number] if 0 <= number < len(self.files) else ""


class LineHeader:
    """The header of a program (6.2.4)."""

    def __init__(self, unit: Unit, at: int) -> None:
        data = self.data = unit.dwarf.data(".debug_line")
        dwarf = unit.dwarf
        self.unit = unit
        self.end, at, size = unit_length(data, at, dwarf.order)
        if self.end > len(data):
            raise DamagedError(f".debug_line: a program ends at {self.end:#x}, the section at {len(data):#x}")
        (self.version,) = struct.unpack_from(dwarf.order + "H", data, at)
        at += 2
        address_size = unit.form.address_size
        if not 2 <= self.version <= 5:
            raise DamagedError(f".debug_line: version {self.version}")
        if self.version >= 5:
            address_size, at = data[at], at + 2
        self.form = format_of(dwarf.order, address_size, size, self.version)
        length, at = self.form.offset(data, at)
        self.program = at + length
        self.minimum, at = data[at], at + 1
        if self.version >= 4:
            at += 1                                    # operations of a VLIW instruction: none of the targets has them
        self.is_statement = bool(data[at])
        self.line_base = data[at + 1] - 256 if data[at + 1] > 127 else data[at + 1]
        self.line_range, self.opcode_base = data[at + 2], data[at + 3]
        self.lengths = data[at + 4 : at + 3 + self.opcode_base]
        at += 3 + self.opcode_base
        self.files = self._files_5(at) if self.version >= 5 else self._files_2(at)

    def _files_2(self, at: int) -> list[str]:
        """Read the lists of version 2 to 4: strings, files from 1."""
        directories = [self.unit.comp_dir]
        while self.data[at]:
            name, at = text(self.data, at)
            directories.append(name)
        at += 1
        files = [self.unit.name]
        while self.data[at]:
            name, at = text(self.data, at)
            directory, at = uleb(self.data, at)
            _, at = uleb(self.data, at)
            _, at = uleb(self.data, at)
            files.append(posixpath.join(directories[directory], name) if directory < len(directories) else name)
        return [self._absolute(name) for name in files]

    def _files_5(self, at: int) -> list[str]:
        """Read the lists of version 5: described by formats, files from 0."""
        directories, at = self._entries(at)
        files, _ = self._entries(at)
        names = [str(entry.get(DW_LNCT_path, "")) for entry in directories]
        found = []
        for entry in files:
            name, directory = str(entry.get(DW_LNCT_path, "")), entry.get(DW_LNCT_directory_index, 0)
            found.append(self._absolute(posixpath.join(names[directory], name) if directory < len(names) else name))
        return found

    def _entries(self, at: int) -> tuple[list[dict[int, Any]], int]:
        data, forms = self.data, self.form.forms
        count, at = data[at], at + 1
        formats = []
        for _ in range(count):
            content, at = uleb(data, at)
            form, at = uleb(data, at)
            formats.append((content, form))
        number, at = uleb(data, at)
        if number > MAX_FILES or (number and not formats):
            raise DamagedError(f".debug_line: {number} files")
        found = []
        for _ in range(number):
            entry: dict[int, Any] = {}
            for content, form in formats:
                value, at = forms[form](data, at)
                entry[content] = self.unit.string(form, value) if content == DW_LNCT_path else value
            found.append(entry)
        return found, at

    def _absolute(self, name: str) -> str:
        return posixpath.normpath(posixpath.join(self.unit.comp_dir, name)) if name else ""


def line_header(unit: Unit) -> LineHeader | None:
    """Return the header of a unit's program, read once; None if it has none."""
    if "line_header" not in unit.facts:
        value = unit.base.top.attributes.get(AT.stmt_list)
        unit.facts["line_header"] = None
        if value is not None and isinstance(value[1], int):
            unit.facts["line_header"] = LineHeader(unit.base, value[1])
    found: LineHeader | None = unit.facts["line_header"]
    return found


def line_table(unit: Unit) -> LineTable | None:
    """Return a unit's line table, read once; None if it has none. What stands before damage is kept."""
    if "lines" not in unit.facts:
        unit.facts["lines"] = None
        header = line_header(unit)
        if header is not None:
            sequences: list[list[Row]] = []
            try:
                _run(header, sequences)
            except DAMAGE as error:
                unit.dwarf.elf.note(f".debug_line: {error}")
            sequences.sort(key=lambda rows: rows[0].address)
            unit.facts["lines"] = LineTable(_join(sequences), header.files)
    found: LineTable | None = unit.facts["lines"]
    return found


def _join(sequences: list[list[Row]]) -> list[Row]:
    """Join sequences in the order of their addresses; one that lies in another (code thrown away by the linker) is left out."""
    rows: list[Row] = []
    for sequence in sequences:
        if not rows or sequence[0].address >= rows[-1].address:
            if rows and sequence[0].address == rows[-1].address:
                rows.pop()                             # the end marker
            rows += sequence
    return rows


def _run(header: LineHeader, sequences: list[list[Row]]) -> None:
    """Run the program (6.2.5). One function, because a table may have a hundred thousand rows.

    Where discriminators tell the blocks of a line apart, its rows in sequence count as one, as in GDB: a step is not to end in the
    middle of an expression.
    """
    data, at, end, form = header.data, header.program, header.end, header.form
    minimum, base, span, first_special = header.minimum, header.line_base, header.line_range, header.opcode_base
    rows: list[Row] = []
    total, discriminator, blocks, last = 0, 0, False, (-1, 0)      # blocks: the line has discriminators; last: file and line
    address, file, line, column, statement, prologue = 0, 1, 1, 0, header.is_statement, False
    while at < end:
        opcode, at = data[at], at + 1
        if opcode >= first_special:
            adjusted = opcode - first_special
            address += adjusted // span * minimum
            if base + adjusted % span:
                line += base + adjusted % span
                blocks = discriminator != 0
            if not blocks or (file, line) != last or prologue:
                rows.append(Row(address, file, line, column, statement | prologue << 1))
                last = (file, line)
            prologue, discriminator = False, 0
        elif opcode == 0:                              # extended (6.2.5.3)
            size, at = uleb(data, at)
            following = at + size
            if not size or following > end:
                raise DamagedError("an operation that is longer than its program")
            kind = data[at]
            if kind == 1:                              # end_sequence
                rows.append(Row(address, file, line, column, END))
                _keep(rows, sequences)
                total += len(rows)
                rows, discriminator, blocks, last = [], 0, False, (-1, 0)
                address, file, line, column, statement, prologue = 0, 1, 1, 0, header.is_statement, False
            elif kind == 2:                            # set_address; its length says how wide
                address = _address(form, data, at + 1, size - 1)
            elif kind == 4:                            # set_discriminator
                discriminator, _ = uleb(data, at + 1)
                blocks = blocks or discriminator != 0
            at = following
        elif opcode == 1:                              # copy
            if not blocks or (file, line) != last or prologue:
                rows.append(Row(address, file, line, column, statement | prologue << 1))
                last = (file, line)
            prologue, discriminator = False, 0
        elif opcode == 2:
            value, at = uleb(data, at)
            address += value * minimum
        elif opcode == 3:
            value, at = sleb(data, at)
            line += value
            blocks = discriminator != 0 if value else blocks
        elif opcode == 4:
            file, at = uleb(data, at)
        elif opcode == 5:
            column, at = uleb(data, at)
        elif opcode == 6:
            statement = not statement
        elif opcode == 8:
            address += (255 - first_special) // span * minimum
        elif opcode == 9:
            address, at = address + form.u2(data, at)[0], at + 2
        elif opcode == 10:
            prologue = True
        else:                                          # of no interest: skip its operands
            for _ in range(header.lengths[opcode - 1]):
                _, at = uleb(data, at)
        if len(rows) + total > MAX_ROWS:
            raise DamagedError("a program without end")


def _address(form: Format, data: bytes, at: int, size: int) -> int:
    reader = {4: form.u4, 8: form.u8, 2: form.u2}.get(size)
    if reader is None:
        raise DamagedError(f"an address of {size} bytes")
    return int(reader(data, at)[0])


def _keep(rows: list[Row], sequences: list[list[Row]]) -> None:
    """Keep a sequence that stands for code; linkers give thrown away code the address 0 or -1 and no length."""
    if rows[-1].address > rows[0].address:
        if any(a.address > b.address for a, b in pairwise(rows)):
            rows.sort(key=lambda row: row.address)
        sequences.append(rows)
