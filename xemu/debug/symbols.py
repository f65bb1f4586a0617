"""Loaded files and what their symbols say: address to name, name to address, modes of code.

A `Module` is one ELF file at its place in memory; all its methods take and give run-time addresses without Thumb bit. `Modules`
are all that are loaded. Nothing is read before it is asked for; what is damaged is a note in `problems` and no answer.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from xemu.debug.architectures import ARCHITECTURES, unknown
from xemu.debug.dwarf_forms import DAMAGE
from xemu.debug.elffile import ElfFile, section_rows
from xemu.errors import ImageError, XemuError
from xemu.loaders.symbols import SymbolTable, symbols_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from xemu.debug.architectures import Architecture
    from xemu.debug.cfi import CallFrames
    from xemu.debug.dwarf import Dwarf
    from xemu.debug.exidx import UnwindTable
    from xemu.debug.lines import Call, Lines, Place
    from xemu.debug.lines import Function as SourceFunction
    from xemu.loaders.symbols import Symbol

    Registers = Mapping[str, int]                     # name -> value: "r0" … "sp" "lr" "pc" "cpsr" or "xpsr", "d0" …

T = TypeVar("T")
PLT_FIRST = 20             # bytes of the first entry of ARM's procedure linkage table


class ReadMemory(Protocol):
    """What reads the guest's memory: all the bytes, or None where any is missing. Never an effect on a device."""

    def __call__(self, address: int, length: int, /) -> bytes | None:
        """Return memory."""


class Function(NamedTuple):
    """A function's bounds and name."""

    start: int
    end: int           # equal to start where nobody says
    name: str


class Module:
    """One ELF file at its place in memory."""

    def __init__(self, elf: ElfFile, bias: int = 0, name: str | None = None, debug_places: Sequence[str] | None = None) -> None:
        """Take a file, what is added to its addresses, and where separate debug information may be (None: the usual places)."""
        self.elf, self.bias, self.name, self.debug_places = elf, bias, name or elf.name, debug_places
        self.architecture: Architecture = ARCHITECTURES.get(elf.machine) or unknown(
            elf.machine, elf.bits, "little" if elf.order == "<" else "big")  # fmt: skip
        self.ranges = [(start + bias & self.architecture.mask, end + bias) for start, end in elf.loaded()]

    @classmethod
    def open(cls, source: bytes | str | os.PathLike[str], bias: int = 0, name: str | None = None,
             debug_places: Sequence[str] | None = None) -> Module:  # fmt: skip
        """Open a path or take a file's bytes; NotFoundError, ImageError."""
        return cls(ElfFile.open(source, name), bias, name, debug_places)

    def __repr__(self) -> str:
        return f"<Module {self.name} at {self.ranges[0][0] if self.ranges else 0:#x}>"

    @property
    def path(self) -> str | None:
        """The file; None for bytes in memory."""
        return self.elf.path

    @property
    def problems(self) -> list[str]:
        """What could not be read, a line each."""
        found = list(self.elf.problems)
        if "debug_elf" in self.__dict__ and self.debug_elf is not self.elf:
            found += self.debug_elf.problems
        return found

    def guard(self, what: str, work: Callable[[], T], otherwise: T) -> T:
        """Do something with the file's data; damage is noted and gives `otherwise`."""
        try:
            return work()
        except DAMAGE as error:
            self.elf.note(f"{what}: {error or type(error).__name__}")
        except MemoryError:
            self.elf.note(f"{what}: needs more memory than there is")
        return otherwise

    def is_code(self, address: int) -> bool:
        """Whether an address is in what the file says can be executed."""
        return any(start <= address < end for start, end in self._code)

    @cached_property
    def _code(self) -> list[tuple[int, int]]:
        return [(start + self.bias, end + self.bias) for start, end in self.elf.code()]

    def stub_start(self, address: int) -> int | None:
        """Return where code starts that an address of the procedure linkage table belongs to; None outside of it.

        The table's first entry (ELF for the Arm Architecture, "PLT sequences") pushes LR; the others leave the stack alone.
        """
        for section in self.elf.sections.values():
            start = self.bias + section.address
            if section.name.startswith((".plt", ".iplt")) and start <= address < start + section.size:
                return start if address < start + PLT_FIRST else address
        return None

    def dynamic_name(self, number: int) -> str:
        """Return the name of a symbol for the dynamic linker; "" where there is none."""
        rows: list[Any] = list(section_rows(self.elf, ".dynsym"))
        if number >= len(rows):
            return ""
        return self.elf.data(".dynstr")[rows[number][0]:].partition(b"\0")[0].decode("utf-8", "replace")

    def holds(self, address: int) -> bool:
        """Whether an address is in what the file loads."""
        return any(start <= address < end for start, end in self.ranges)

    # -- symbols -----------------------------------------------------------------------------------------------------------
    @cached_property
    def symbols(self) -> SymbolTable:
        """The names, at run-time addresses: of the file, or of its separate debug information where it has been stripped."""
        elf = self.elf
        if not elf.has(".symtab") and self.debug_elf.has(".symtab"):
            elf = self.debug_elf
        return self.guard("symbols", lambda: _read_symbols(elf, self.bias), SymbolTable([]))

    def symbol_at(self, address: int) -> Symbol | None:
        """Return the innermost symbol that holds an address."""
        found = self.symbols.holder(address)
        return found if found is not None and (found.size or self.holds(address)) else None

    def find(self, name: str) -> Symbol | None:
        """Return the symbol with a name."""
        return self.symbols.find(name)

    @cached_property
    def _modes(self) -> tuple[list[int], list[str]]:
        """Where which kind of code starts: mapping symbols ($a $t $d, AAELF32), else functions' Thumb bits."""
        if self.architecture.name not in ("arm", "armeb"):
            return [], []
        elf = self.elf if self.elf.has(".symtab") else self.debug_elf
        rows: list[tuple[int, str]] = self.guard("symbols", lambda: _mapping_symbols(elf), [])
        if not rows:
            rows = self.guard("symbols", lambda: _function_modes(self.elf), [])
        rows.sort()
        return [address + self.bias for address, _ in rows], [mode for _, mode in rows]

    def mode_at(self, address: int) -> str:
        """Return "arm", "thumb" or "data" for an address; "" where nothing says or there is one mode only."""
        starts, modes = self._modes
        index = bisect_right(starts, address) - 1
        return modes[index] if index >= 0 and self.holds(address) else ""

    @cached_property
    def cortex_m(self) -> bool:
        """Whether the file is for the M profile (its build attributes say so)."""
        from xemu.loaders.arm_attributes import architecture_name, read_attributes

        found = read_attributes(self.elf.data(".ARM.attributes"), self.elf.order)
        name = architecture_name(found) or ""
        return "-m" in name or name == "armv7e-m"

    def code_mode(self, address: int, fallback: str = "") -> str:
        """Return the mode in which an address is disassembled; `fallback` where the file does not say."""
        mode = self.mode_at(address)
        mode = mode if mode not in ("", "data") else fallback
        if mode == "thumb" and self.cortex_m:
            return "thumb-m"
        return mode

    # -- debug information -------------------------------------------------------------------------------------------------
    @cached_property
    def debug_elf(self) -> ElfFile:
        """The file with the debug information: this one, or the one that its build-id or debug link names."""
        if self.elf.has(".debug_info"):
            return self.elf
        from xemu.debug.separate import find_debug_file

        return self.guard("debug link", lambda: find_debug_file(self.elf, self.debug_places), None) or self.elf

    @cached_property
    def dwarf(self) -> Dwarf | None:
        """The debug information; None without any."""
        if not self.debug_elf.has(".debug_info"):
            return None
        from xemu.debug.dwarf import Dwarf

        return Dwarf(self.debug_elf, _open_quietly)

    @cached_property
    def lines(self) -> Lines | None:
        """Source lines, at addresses as in the file; use `place`, `line_addresses` … for run-time ones. None without any."""
        if self.dwarf is None:
            return None
        from xemu.debug.lines import Lines

        return Lines(self.dwarf)

    @cached_property
    def call_frames(self) -> list[CallFrames]:
        """The call frame tables: .debug_frame, then .eh_frame; addresses as in the file."""
        from xemu.debug.cfi import CallFrames

        found = []
        for name in (".debug_frame", ".eh_frame"):
            elf = self.elf if name == ".eh_frame" or self.elf.has(name) else self.debug_elf
            if elf.has(name):
                found.append(CallFrames(elf, name))
        return found

    @cached_property
    def unwind_table(self) -> UnwindTable | None:
        """ARM's exception index table; addresses as in the file. None without one."""
        if self.architecture.name not in ("arm", "armeb"):
            return None
        from xemu.debug.exidx import UnwindTable

        return self.guard("exception index", lambda: UnwindTable.of(self.elf), None)

    # -- lines and functions -----------------------------------------------------------------------------------------------
    def _moved(self, place: Place | None) -> Place | None:
        if place is None or not self.bias:
            return place
        from xemu.debug.lines import Place

        return Place(place.file, place.line, place.column, place.start + self.bias, place.end + self.bias)

    def place(self, address: int) -> Place | None:
        """Return the source line of an address."""
        lines = self.lines
        return self.guard("lines", lambda: self._moved(lines.at(address - self.bias)), None) if lines else None

    def line_range(self, address: int) -> tuple[int, int] | None:
        """Return (start, end) of the code around an address that belongs to its line, for stepping."""
        lines = self.lines
        found = self.guard("lines", lambda: lines.line_range(address - self.bias), None) if lines else None
        return (found[0] + self.bias, found[1] + self.bias) if found else None

    def line_addresses(self, file: str, line: int) -> list[Place]:
        """Return where a breakpoint on a line goes; `file` is a full path or its last parts."""
        lines = self.lines
        found: list[Place] = self.guard("lines", lambda: lines.line_addresses(file, line), []) if lines else []
        return [moved for place in found if (moved := self._moved(place))]

    def calls_at(self, address: int) -> list[Call]:
        """Return the inlined calls around an address, innermost first (their ranges are as in the file)."""
        lines = self.lines
        return self.guard("inlined calls", lambda: lines.calls_at(address - self.bias), []) if lines else []

    def source_function(self, address: int) -> SourceFunction | None:
        """Return the function of an address from the debug information; addresses as in the file."""
        lines = self.lines
        return self.guard("functions", lambda: lines.function_at(address - self.bias), None) if lines else None

    def function(self, address: int) -> Function | None:
        """Return the bounds of the function an address is in: from symbols, else from debug information."""
        symbol = self.symbol_at(address)
        if symbol is not None and symbol.kind != "object" and symbol.size:
            return Function(symbol.address, symbol.address + symbol.size, symbol.name)
        found = self.source_function(address)
        if found is not None:
            return Function(found.start + self.bias, found.end + self.bias, found.name)
        if symbol is None or symbol.kind == "object":
            return None
        return Function(symbol.address, symbol.address, symbol.name)

    def local_entry(self, address: int) -> int:
        """Return where calls from the same file enter the function that starts at an address."""
        symbol = self.symbol_at(address)
        return address + symbol.local if symbol is not None and symbol.address == address else address

    def body(self, address: int) -> int:
        """Return where a breakpoint on the function at an address goes: behind its prologue, or where all calls come by."""
        lines, function = self.lines, self.source_function(address)
        entry = self.local_entry(address)
        if lines is None or function is None:
            return entry
        return max(self.guard("lines", lambda: lines.body(function) + self.bias, entry), entry)

    def named_functions(self, name: str) -> list[int]:
        """Return the entries of all functions with a name, also of C++ functions by "ns::Class::method" or a part of it from a "::"."""
        symbol = self.find(name)
        if symbol is not None and symbol.kind != "object":
            return [symbol.address]
        lines = self.lines
        if lines is None:
            return []
        return self.guard("functions", lambda: [start + self.bias for start in _entries(lines, name)], [])

    def inlined_entries(self, name: str) -> list[int]:
        """Return where inlined copies of a function start: in its source file if it has a body of its own, else anywhere."""
        lines = self.lines
        if lines is None:
            return []
        symbol = self.find(name)
        last = name.rsplit("::", 1)[-1]
        units = lines.units_of(symbol.address - self.bias) if symbol is not None else lines.dwarf.units_with(last)

        def search() -> list[int]:
            return [start + self.bias for unit in units for start in lines.inlined_entries(unit, name)]

        return self.guard("functions", search, [])

    def names(self) -> list[str]:
        """Return the names of all symbols, sorted."""
        return sorted({symbol.name for symbol in self.symbols.symbols})


class Modules:
    """All files that are loaded."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self._modules: list[Module] = []
        self._starts: list[tuple[int, int, Module]] = []
        for module in modules:
            self.add(module)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def add(self, module: Module) -> Module:
        """Take a file that has been loaded; it hides older ones at its place."""
        self._modules.append(module)
        self._sort()
        return module

    def remove(self, module: Module) -> None:
        """Forget a file."""
        self._modules.remove(module)
        self._sort()

    def _sort(self) -> None:
        self._starts = sorted(((start, end, module) for module in self._modules for start, end in module.ranges), key=lambda row: row[0])

    @property
    def architecture(self) -> Architecture | None:
        """The instruction set of the first file."""
        return self._modules[0].architecture if self._modules else None

    @property
    def problems(self) -> list[str]:
        """What could not be read in any of them."""
        return [f"{module.name}: {text}" for module in self._modules for text in module.problems]

    def at(self, address: int) -> Module | None:
        """Return the file that is loaded at an address."""
        index = bisect_right(self._starts, address, key=lambda row: row[0]) - 1
        while index >= 0:
            _, end, module = self._starts[index]
            if address < end:
                return module
            index -= 1
        return None

    # -- symbols -----------------------------------------------------------------------------------------------------------
    def where(self, address: int) -> str:
        """Return "main+0x12", with the file where several are loaded ("malloc+0x8 (libc.so.6)"); the number if nothing is known."""
        module = self.at(address)
        symbol = module.symbol_at(address) if module else None
        if module is None or symbol is None:
            return f"{address:#x}"
        offset = address - symbol.address
        text = f"{symbol.name}+{offset:#x}" if offset else symbol.name
        return text if module is self._modules[0] else f"{text} ({module.name.rsplit('/', 1)[-1]})"

    def address_of(self, name: str) -> int | None:
        """Return the address of a symbol, of the first file that has it; functions of C++ also by their names in the source."""
        for module in self._modules:
            symbol = module.find(name)
            if symbol is not None:
                return symbol.address
        if re.match(r"[A-Za-z_~].*$", name):
            for module in self._modules:
                found = module.named_functions(name)
                if found:
                    return found[0]
        return None

    def resolve(self, text: str) -> list[int]:
        """Return the addresses that a place means: "0x8000", "main", "main+4", "*main" (no prologue skipped), "file.c:12".

        A function stands for the first address behind its prologue. XemuError where nothing fits.
        """
        from xemu.debug.places import resolve

        return resolve(self, text)

    def function(self, address: int) -> Function | None:
        """Return the bounds of the function an address is in."""
        module = self.at(address)
        return module.function(address) if module else None

    def place(self, address: int) -> Place | None:
        """Return the source line of an address."""
        module = self.at(address)
        return module.place(address) if module else None

    def line_range(self, address: int) -> tuple[int, int] | None:
        """Return the code around an address that belongs to its line."""
        module = self.at(address)
        return module.line_range(address) if module else None

    def line_addresses(self, file: str, line: int) -> list[Place]:
        """Return where a breakpoint on a line goes, in all files that have the nearest line with code."""
        found = [place for module in self._modules for place in module.line_addresses(file, line)]
        best = min((place.line for place in found if place.line >= line), default=0)
        exact = [place for place in found if place.line == best or place.line < line]
        return sorted(exact, key=lambda place: place.start)

    def mode_at(self, address: int, fallback: str = "") -> str:
        """Return the mode of code at an address, for `disassemble`."""
        module = self.at(address)
        return module.code_mode(address, fallback) if module else fallback


def _entries(lines: Lines, name: str) -> list[int]:
    """Return the entries of functions by the name of the source."""
    from xemu.debug.dwarf_names import AT
    from xemu.debug.lines import fits

    last = name.rsplit("::", 1)[-1]
    found = []
    for unit in lines.dwarf.units_with(last):
        for function in lines.functions(unit):
            if function.start != function.ranges[0][0]:
                continue
            named = function.die.inherited(AT.name)
            if named is not None and named.name == last and fits(function.die, name):
                found.append(function.start)
    return sorted(set(found))


def _read_symbols(elf: ElfFile, bias: int) -> SymbolTable:
    return symbols_of(elf.header, elf.read_file, elf.size, bias)


def _mapping_symbols(elf: ElfFile) -> list[tuple[int, str]]:
    """Return (address, mode) of $a, $t and $d (AAELF32, "Mapping symbols")."""
    modes = {ord("a"): "arm", ord("t"): "thumb", ord("d"): "data"}
    names = elf.data(".strtab")
    found = []
    for name, value, _, info, _, index in section_rows(elf, ".symtab"):
        if not info and index and names[name : name + 1] == b"$" and names[name + 2 : name + 3] in (b"\0", b"."):
            mode = modes.get(names[name + 1])
            if mode:
                found.append((value, mode))
    return found


def _function_modes(elf: ElfFile) -> list[tuple[int, str]]:
    """Return (address, mode) of the functions of a stripped file, and "" for what follows each: nothing says what that is."""
    rows: list[Any] = section_rows(elf, ".dynsym")
    functions = {value & ~1: (value & 1, size) for _, value, size, info, _, index in rows if info & 15 in (2, 10) and index}
    starts = [(at, "thumb" if thumb else "arm") for at, (thumb, _) in functions.items()]
    return starts + [(at + size, "") for at, (_, size) in functions.items() if size and at + size not in functions]


def _open_quietly(path: str) -> ElfFile | None:
    try:
        return ElfFile.open(path)
    except (ImageError, XemuError):
        return None
