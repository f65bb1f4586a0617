"""Code in terms of the source, as steps look at it: rows of line tables, functions, inlined calls, what instructions do to the flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.debug.line_program import STATEMENT

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger
    from xemu.debug.lines import Call
    from xemu.debug.symbols import Module

JUMPS = ("longjmp", "_longjmp", "siglongjmp", "__longjmp_chk", "__restore_core_regs", "restore_core_regs")
VENEERS = ("_veneer", "_from_arm", "_from_thumb")            # ends of names of code that the linker puts between


class Row(NamedTuple):
    """A row of a line table, at run-time addresses."""

    file: str
    line: int
    start: int
    end: int
    statement: bool

    def same(self, other: Row | Call | None) -> bool:
        """Whether it is of the same line, or an inlined call is on it."""
        return other is not None and (self.line, self.file) == (other.line, other.file)


class Routine(NamedTuple):
    """The function around an address."""

    start: int               # its entry
    key: Any                 # the same for all of its parts
    lines: bool              # whether its source lines are known


class Code:
    """Lines and functions by address, remembered: steps ask for the same ones again and again."""

    def __init__(self, debugger: Debugger) -> None:
        self.source = debugger.source
        self._rows: dict[tuple[int, int], Row | None] = {}
        self._routines: dict[tuple[int, int], Routine | None] = {}
        self._jumps: dict[int, list[int]] = {}
        self._starting: dict[tuple[int, int], list[Call]] = {}
        self._chains: dict[tuple[int, int], tuple[int, ...]] = {}

    def module(self, pc: int) -> Module | None:
        """Return the file at an address; one that has just been loaded is found, too."""
        return self.source.latest.at(pc) or self.source.modules.at(pc)

    def row(self, pc: int) -> Row | None:
        """Return the row of an address; None where nothing is known."""
        module = self.module(pc)
        key = id(module), pc
        if key not in self._rows:
            self._rows[key] = module.guard("lines", lambda: _row(module, pc), None) if module is not None else None
        return self._rows[key]

    def routine(self, pc: int) -> Routine | None:
        """Return the function of an address."""
        module = self.module(pc)
        key = id(module), pc
        if key not in self._routines:
            self._routines[key] = self._find_routine(module, pc) if module is not None else None
        return self._routines[key]

    def _find_routine(self, module: Module, pc: int) -> Routine | None:
        found = module.source_function(pc)
        if found is not None:
            start = found.start + module.bias
            return Routine(start, (id(module), found.die.offset), self.row(start) is not None)
        function = module.function(pc)
        if function is None or module.stub_start(pc) is not None:
            return None
        row = self.row(function.start)
        return Routine(function.start, (id(module), function.start), row is not None and row.line > 0)

    def chain(self, pc: int) -> tuple[int, ...]:
        """Return what tells the inlined calls around an address, outermost first."""
        module = self.module(pc)
        key = id(module), pc
        if key not in self._chains:
            self._chains[key] = tuple(call.die.offset for call in reversed(module.calls_at(pc))) if module is not None else ()
        return self._chains[key]

    def starting(self, pc: int) -> list[Call]:
        """Return the inlined calls that start at an address, innermost first."""
        module = self.module(pc)
        key = id(module), pc
        if key not in self._starting:
            found = []
            for call in module.calls_at(pc) if module is not None else ():
                if not any(start + module.bias == pc for start, _ in call.ranges[:1]):          # type: ignore[union-attr]
                    break
                found.append(call)
            self._starting[key] = found
        return self._starting[key]

    def jumps(self) -> tuple[int, ...]:
        """Return the functions through which calls are left without returning: `longjmp`, the unwinder of C++."""
        found: dict[int, None] = {}
        for module in self.source.latest:
            if id(module) not in self._jumps:
                symbols = [symbol for name in JUMPS if (symbol := module.find(name)) is not None]
                self._jumps[id(module)] = [s.address for s in symbols if s.kind == "function" and module.stub_start(s.address) is None]
            found |= dict.fromkeys(self._jumps[id(module)])
        return tuple(found)

    def body(self, routine: Routine) -> int:
        """Return the first address behind a function's prologue."""
        module = self.module(routine.start)
        return module.body(routine.start) if module is not None else routine.start

    def enters(self, pc: int, routine: Routine) -> bool:
        """Whether calls of a function come in at an address."""
        module = self.module(routine.start)
        return pc == routine.start or (module is not None and pc == module.local_entry(routine.start))

    def between(self, pc: int) -> bool:
        """Whether an address is in code that only leads to a function: of the linkage table, or a veneer."""
        module = self.module(pc)
        if module is None:
            return False
        symbol = module.symbol_at(pc)
        if module.stub_start(pc) is not None or (symbol is not None and symbol.name.endswith(VENEERS)):
            return True
        return self.source.rules.between(self.source.read_memory, pc) and module.source_function(pc) is None

    def begins(self, pc: int) -> Row | None:
        """Return the row of an address that begins a statement."""
        row = self.row(pc)
        return row if row is not None and row.line and row.statement and row.start == pc else None

    def group(self, pc: int) -> tuple[int, int]:
        """Return the code around an address that belongs to its line."""
        module = self.module(pc)
        return (module.line_range(pc) if module is not None else None) or (pc, pc + 1)


def _row(module: Module, pc: int) -> Row | None:
    found = module.lines.row_of(pc - module.bias) if module.lines is not None else None
    if found is None:
        return None
    table, index = found
    row = table.rows[index]
    return Row(table.file_name(row.file), row.line, row.address + module.bias, table.end_of(index) + module.bias,
               bool(row.flags & STATEMENT))


__all__ = ["Code", "Routine", "Row"]
