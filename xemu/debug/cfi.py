"""Call frame information: .debug_frame and .eh_frame (DWARF 5, 6.4; LSB 5, 10.6 for .eh_frame; its search table is not needed)."""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from xemu.debug.dwarf_forms import DAMAGE, DamagedError, Format, format_of, sleb, take, text, uleb, unit_length

if TYPE_CHECKING:
    from xemu.debug.elffile import ElfFile

MAX_OPERATIONS = 100_000
MAX_ENTRIES = 4_000_000
MAX_REMEMBERED = 100


class Rule(NamedTuple):
    """How to find a register of the caller (6.4.1).

    `kind`: undefined, same, offset (stored at CFA + value), value (CFA + value), register (in register `value`),
    expression (stored at the address it gives), value_expression.
    """

    kind: str
    value: int = 0
    expression: bytes = b""


UNDEFINED = Rule("undefined")


@dataclass(slots=True)
class Row:
    """The rules at one address."""

    cfa: Rule = UNDEFINED                              # register (number in `value`, offset in `cfa_offset`) or expression
    cfa_offset: int = 0
    rules: dict[int, Rule] = field(default_factory=dict)

    def copy(self) -> Row:
        """Return a row that can be changed."""
        return Row(self.cfa, self.cfa_offset, dict(self.rules))


class Cie(NamedTuple):
    """What several functions have in common (6.4.1)."""

    form: Format
    code_factor: int
    data_factor: int
    return_register: int
    instructions: tuple[int, int]      # (start, end) in the section
    encoding: int                      # of addresses in .eh_frame
    signal: bool                       # the frame of a signal handler: return addresses are exact
    augmented: bool


class Fde(NamedTuple):
    """A function's entry."""

    start: int
    end: int
    cie: Cie
    instructions: tuple[int, int]


class CallFrames:
    """One section's tables; addresses as in the file."""

    def __init__(self, elf: ElfFile, name: str) -> None:
        self.elf, self.name = elf, name
        self.eh = name == ".eh_frame"
        self.base = elf.sections[name].address if name in elf.sections else 0
        self._cies: dict[int, Cie] = {}
        self._index: tuple[list[int], list[tuple[int, int, Cie, int]]] | None = None

    def find(self, address: int) -> Fde | None:
        """Return the entry of the function an address is in."""
        if self._index is None:
            self._index = self._read_index()
        starts, rows = self._index
        index = bisect_right(starts, address) - 1
        if index < 0 or address >= rows[index][0]:
            return None
        end, at, cie, after = rows[index]
        return Fde(starts[index], end, cie, (at, after))

    def row_at(self, fde: Fde, address: int) -> Row:
        """Return the rules at an address of a function."""
        first = Row()
        data = self.elf.data(self.name)
        _Program(data, fde.cie, first, None).run(*fde.cie.instructions, fde.start, None)
        row = first.copy()
        program = _Program(data, fde.cie, row, first)
        program.run(*fde.instructions, fde.start, address)
        return program.row

    # -- reading -----------------------------------------------------------------------------------------------------------
    def _read_index(self) -> tuple[list[int], list[tuple[int, int, Cie, int]]]:
        """Walk all entries once: (start, end, where its instructions are, CIE, where they end)."""
        data, order = self.elf.data(self.name), self.elf.order
        found: list[tuple[int, int, int, Cie, int]] = []
        at = 0
        try:
            while at + 8 <= len(data) and len(found) < MAX_ENTRIES:
                end, at, size = unit_length(data, at, order)
                if end <= at:
                    if self.eh and end == at:          # the terminator
                        continue
                    break
                if end > len(data):
                    raise DamagedError(f"an entry ends at {end:#x}, the section at {len(data):#x}")
                self._read_entry(data, at, end, size, found)
                at = end
        except DAMAGE as error:
            self.elf.note(f"{self.name}: {error}")
        found.sort(key=lambda row: row[0])
        return [row[0] for row in found], [row[1:] for row in found]

    def _read_entry(self, data: bytes, at: int, end: int, size: int, found: list[tuple[int, int, int, Cie, int]]) -> None:
        order = self.elf.order
        if self.eh:
            (pointer,) = struct.unpack_from(order + "I", data, at)
            if pointer == 0:
                return
            cie_at, at = at - pointer, at + 4
        else:
            (cie_at,) = struct.unpack_from(order + ("I" if size == 4 else "Q"), data, at)
            if cie_at == (0xFFFF_FFFF if size == 4 else 0xFFFF_FFFF_FFFF_FFFF):
                return
            at += size
        try:
            cie = self._cies.get(cie_at)
            if cie is None:
                cie = self._cies[cie_at] = self._read_cie(data, cie_at)
            if self.eh:
                start, at = self._encoded(data, at, cie.encoding, cie.form)
                length, at = self._encoded(data, at, cie.encoding & 0x0F, cie.form)
                if cie.augmented:
                    skip, at = uleb(data, at)
                    at += skip
            else:
                start, at = cie.form.address(data, at)
                length, at = cie.form.address(data, at)
        except DAMAGE as error:
            self.elf.note(f"{self.name}: {error}")
            return
        if length > 0 and at <= end and start:
            found.append((start, start + length, at, cie, end))

    def _read_cie(self, data: bytes, at: int) -> Cie:
        if at < 0:
            raise DamagedError("a function without a CIE")
        end, at, size = unit_length(data, at, self.elf.order)
        if end > len(data):
            raise DamagedError("a CIE that is longer than the section")
        at += 4 if self.eh else size
        version, at = data[at], at + 1
        augmentation, at = text(data, at)
        address_size = self.elf.bits // 8
        if version >= 4:
            address_size, at = data[at], at + 2
        form = format_of(self.elf.order, address_size, size, 4)
        if augmentation.startswith("eh"):
            at += address_size
        code_factor, at = uleb(data, at)
        data_factor, at = sleb(data, at)
        if version == 1:
            return_register, at = data[at], at + 1
        else:
            return_register, at = uleb(data, at)
        encoding = 0
        if augmentation.startswith("z"):
            length, at = uleb(data, at)
            encoding = self._augmentation(data, at, augmentation, form)
            at += length
        return Cie(form, code_factor, data_factor, return_register, (at, end), encoding, "S" in augmentation, augmentation[:1] == "z")

    def _augmentation(self, data: bytes, at: int, letters: str, form: Format) -> int:
        """Return how addresses are written (LSB 5, 10.6.1.1.1)."""
        encoding = 0
        for letter in letters[1:]:
            if letter == "R":
                encoding, at = data[at], at + 1
            elif letter == "P":
                kind, at = data[at], at + 1
                _, at = self._encoded(data, at, kind, form)
            elif letter == "L":
                at += 1
            elif letter not in "SBG":
                break
        return encoding

    def _encoded(self, data: bytes, at: int, encoding: int, form: Format) -> tuple[int, int]:
        """Read a pointer of .eh_frame (LSB 5, 10.5.1)."""
        place = self.base + at
        kind = encoding & 0x0F
        value: int
        match kind:
            case 0x00: value, at = form.address(data, at)
            case 0x01: value, at = uleb(data, at)
            case 0x02: value, at = form.u2(data, at)
            case 0x03: value, at = form.u4(data, at)
            case 0x04 | 0x0C: value, at = form.u8(data, at)
            case 0x09: value, at = sleb(data, at)
            case 0x0A:
                value, at = form.u2(data, at)
                value -= (value & 0x8000) << 1
            case 0x0B:
                value, at = form.u4(data, at)
                value -= (value & 0x8000_0000) << 1
            case _: raise DamagedError(f"a pointer with encoding {encoding:#x}")
        if encoding & 0x70 == 0x10:
            value += place
        elif encoding & 0x70:
            raise DamagedError(f"a pointer with encoding {encoding:#x}")
        return value & ((1 << self.elf.bits) - 1), at


class _Program:
    """The instructions of a CIE or an FDE (6.4.2)."""

    def __init__(self, data: bytes, cie: Cie, row: Row, initial: Row | None) -> None:
        self.data, self.cie, self.row, self.initial = data, cie, row, initial
        self.remembered: list[Row] = []

    def run(self, at: int, end: int, location: int, stop: int | None) -> None:
        """Change `row` by the instructions up to those that hold behind address `stop`."""
        data, cie = self.data, self.cie
        for _ in range(MAX_OPERATIONS):
            if at >= end:
                return
            opcode, at = data[at], at + 1
            high, low = opcode & 0xC0, opcode & 0x3F
            if high == 0x40:                           # advance_loc
                location += low * cie.code_factor
            elif high == 0x80:                         # offset
                value, at = uleb(data, at)
                self.row.rules[low] = Rule("offset", value * cie.data_factor)
            elif high == 0xC0:                         # restore
                self._restore(low)
            elif opcode in (0x01, 0x02, 0x03, 0x04, 0x1D):
                location, at = self._advance(opcode, at, location)
            else:
                at = self._other(opcode, at)
            if stop is not None and location > stop:
                return
        raise DamagedError("call frame instructions without end")

    def _advance(self, opcode: int, at: int, location: int) -> tuple[int, int]:
        form = self.cie.form
        if opcode == 0x01:                             # set_loc
            return form.address(self.data, at)
        reader = {0x02: form.u1, 0x03: form.u2, 0x04: form.u4, 0x1D: form.u8}[opcode]
        delta, at = reader(self.data, at)
        return location + delta * self.cie.code_factor, at

    def _restore(self, register: int) -> None:
        rule = self.initial.rules.get(register) if self.initial else None
        if rule is None:
            self.row.rules.pop(register, None)
        else:
            self.row.rules[register] = rule

    def _other(self, opcode: int, at: int) -> int:
        """Do an instruction with its operands at `at`; return where the next one is (7.24, table 7.29)."""
        data, row, factor = self.data, self.row, self.cie.data_factor
        register = value = 0
        if opcode in _WITH_REGISTER:
            register, at = uleb(data, at)
        if opcode in _WITH_VALUE:
            value, at = sleb(data, at) if opcode in _SIGNED else uleb(data, at)
        block = b""
        if opcode in _WITH_BLOCK:
            size, at = uleb(data, at)
            block, at = take(data, at, size)
        match opcode:
            case 0x00 | 0x2E: pass                                              # nop, GNU_args_size
            case 0x05: row.rules[register] = Rule("offset", value * factor)     # offset_extended
            case 0x06: self._restore(register)                                  # restore_extended
            case 0x07: row.rules[register] = Rule("undefined")
            case 0x08: row.rules[register] = Rule("same")
            case 0x09: row.rules[register] = Rule("register", value)
            case 0x0A:                                                          # remember_state
                if len(self.remembered) >= MAX_REMEMBERED:
                    raise DamagedError("call frame instructions that fill their stack")
                self.remembered.append(row.copy())
            case 0x0B:                                                          # restore_state
                saved = self.remembered.pop()
                row.cfa, row.cfa_offset, row.rules = saved.cfa, saved.cfa_offset, saved.rules
            case 0x0C: row.cfa, row.cfa_offset = Rule("register", register), value             # def_cfa
            case 0x0D: row.cfa = Rule("register", register)                     # def_cfa_register
            case 0x0E: row.cfa_offset = value                                   # def_cfa_offset
            case 0x0F: row.cfa = Rule("expression", 0, block)                   # def_cfa_expression
            case 0x10: row.rules[register] = Rule("expression", 0, block)
            case 0x11: row.rules[register] = Rule("offset", value * factor)     # offset_extended_sf
            case 0x12: row.cfa, row.cfa_offset = Rule("register", register), value * factor    # def_cfa_sf
            case 0x13: row.cfa_offset = value * factor                          # def_cfa_offset_sf
            case 0x14 | 0x15: row.rules[register] = Rule("value", value * factor)
            case 0x16: row.rules[register] = Rule("value_expression", 0, block)
            case 0x2D: pass                                                     # GNU_window_save, AARCH64_negate_ra_state
            case 0x2F: row.rules[register] = Rule("offset", -value * factor)    # GNU_negative_offset_extended
            case _: raise DamagedError(f"call frame instruction {opcode:#x}")
        return at


_WITH_REGISTER = {0x05, 0x06, 0x07, 0x08, 0x09, 0x0C, 0x0D, 0x10, 0x11, 0x12, 0x14, 0x15, 0x16, 0x2F}
_WITH_VALUE = {0x05, 0x09, 0x0C, 0x0E, 0x11, 0x12, 0x13, 0x14, 0x15, 0x2E, 0x2F}
_SIGNED = {0x11, 0x12, 0x13, 0x15}
_WITH_BLOCK = {0x0F, 0x10, 0x16}
