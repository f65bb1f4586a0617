"""Names and disassembly of what a system runs, for commands that print addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.debug.architectures import ARCHITECTURES, unknown
from xemu.debug.symbols import Module, Modules
from xemu.errors import XemuError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.disassembly import Line
    from xemu.debug.system import System

LONGEST = 16             # bytes of an instruction


class Names:
    """What is where in a system's code; `modules`: its files, where somebody has read them."""

    def __init__(self, system: System, modules: Modules | None = None) -> None:
        self.system = system
        name = system.arch.removesuffix("-m")
        self.architecture = ARCHITECTURES.get(name) or unknown(name, system.engine.target.address_bits, "little")
        self.modules = Modules() if modules is None else modules
        self._places: dict[int, str] = {}
        self._lines: dict[tuple[int, str, bytes], Line] = {}
        for path, bias in dict(_files(system)).items() if modules is None else ():
            try:
                self.modules.add(Module.open(path, bias))
            except XemuError:
                continue

    def read(self, address: int, length: int) -> bytes | None:
        """Return memory, None where any of it is missing."""
        data = self.system.read_memory(address, length)
        return data if len(data) == length else None

    def where(self, address: int) -> str:
        """Return "main+0x12"; "" where nothing has a name."""
        if address not in self._places:
            module = self.modules.at(address)
            symbol = module.symbol_at(address) if module is not None else None
            text = "" if symbol is None else symbol.name if address == symbol.address else f"{symbol.name}+{address - symbol.address:#x}"
            self._places[address] = text
        return self._places[address]

    def address_of(self, text: str) -> int | None:
        """Return the address of a symbol or of a number."""
        try:
            return int(text.removeprefix("*"), 0)
        except ValueError:
            found = self.modules.address_of(text)
            return self.system.address_of(text) if found is None else found

    def range_of(self, text: str) -> tuple[int, int] | None:
        """Return the addresses of a function, or of FIRST-LAST."""
        first, dash, last = text.partition("-")
        if dash and (low := self.address_of(first)) is not None and (high := self.address_of(last)) is not None:
            return low, high + 1
        address = self.address_of(text)
        if address is None:
            return None
        function = self.modules.function(address)
        return (function.start, function.end) if function is not None and function.end > address else (address, address + 1)

    @property
    def mode(self) -> str:
        """What instructions the processor reads now."""
        if not self.architecture.thumb:
            return ""
        thumb = bool(self.system.engine.state.context & 1)
        return "thumb-m" if self.system.arch.endswith("-m") else "thumb" if thumb else "arm"

    def line(self, address: int) -> Line | None:
        """Return the instruction at an address, which is about to be executed; None where none can be read."""
        from xemu.debug.disassembly import disassemble

        mode = self.mode
        code = self.system.read_memory(address, LONGEST if self.architecture.unit == 1 else 4)
        key = address, mode, code
        if key not in self._lines:
            lines = disassemble(self.read, address, 1, mode, self.modules, self.architecture)
            if not lines:
                return None
            self._lines[key] = lines[0]
        return self._lines[key]


def _files(system: Any) -> Iterator[tuple[str, int]]:
    """Yield (path, bias) of the files of code."""
    for library in system.libraries():
        yield library.path, library.bias
    if system.kind == "process":
        known = {library.path for library in system.libraries()}
        if system.live:
            for entry in system.memory_map():
                if entry.kind == "file" and entry.offset == 0 and entry.name not in known:
                    yield entry.name, entry.start
    else:
        for table in system.machine.symbols:
            image = getattr(table, "image", None)
            if image is not None:
                yield image.name, 0


__all__ = ["Names"]
