"""What the core needs to know of a target: its state, its instruction sets and the names of its registers.

Light on purpose: a run whose code is all cached imports this, but no rows and nothing of the language.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.core.records import Geometry

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.bits import Bits
    from xemu.core.isa import FixedWidthIsa, Row
    from xemu.core.state import StateBlock, StateLayout


class IsaSet(NamedTuple):
    """The instructions that one context decodes: all of one width, or narrow ones and wide ones told apart by the first unit.

    `isas` in `module` are named here and imported when rows are needed; so are `condition` and `advance`.
    """

    name: str
    module: str                    # where the ISA objects are
    staging: str                   # where condition(cpu, number) and advance(cpu, guard) are, if it is `prefixed`
    names: tuple[str, ...]         # the ISA objects: narrow, or narrow and wide
    bits: tuple[int, ...]          # their widths
    wide_from: int = 0             # first unit >= this: a wide instruction
    pc_offset: int = 0             # what R15 reads as, from the instruction
    guard: str = ""                # cell that holds the guard ("ITSTATE"), or none
    condition_shift: int = 28      # place of the condition field of predicated rows
    big: bool = False              # units stand in memory with the most significant byte first
    scan: str = ""                 # for instructions of variable length: "module:function" that makes words of them (scanner.py)

    @property
    def prefixed(self) -> bool:
        """Return whether there are conditions, guards, or a register that is the program counter: work before an instruction's own."""
        return bool(self.pc_offset)

    @property
    def scanner(self) -> Callable[[Any], tuple[Any, Any, Any]]:
        """Return the scan."""
        module, _, name = self.scan.partition(":")
        result: Callable[[Any], tuple[Any, Any, Any]] = getattr(import_module(module), name)
        return result

    @property
    def geometry(self) -> Geometry:
        """Return the record layout."""
        return Geometry(self.bits[0] // 8)

    @property
    def narrow(self) -> FixedWidthIsa:
        """Return the narrow (or only) instructions."""
        result: FixedWidthIsa = getattr(import_module(self.module), self.names[0])
        return result

    @property
    def wide(self) -> FixedWidthIsa | None:
        """Return the wide instructions."""
        return getattr(import_module(self.module), self.names[1]) if len(self.names) > 1 else None

    @property
    def isas(self) -> list[FixedWidthIsa]:
        """Return narrow, then wide."""
        module = import_module(self.module)
        return [getattr(module, name) for name in self.names]

    @property
    def condition(self) -> Callable[[Any, int], Bits]:
        """Return the test of a condition number."""
        result: Callable[[Any, int], Bits] = import_module(self.staging).condition
        return result

    @property
    def advance(self) -> Callable[[Any, Bits], Bits]:
        """Return what the guard becomes after an instruction."""
        result: Callable[[Any, Bits], Bits] = import_module(self.staging).advance
        return result


class Target(NamedTuple):
    """One architecture. `load_rows` imports the rows; nothing before it does."""

    name: str
    package: str                                        # directory whose sources key the cache
    layout: StateLayout
    address_bits: int
    context: Callable[[int], Any]                       # context word -> what rows see
    sets: tuple[IsaSet, ...]
    set_of: Callable[[int], int]                        # context word -> number in `sets`
    load_rows: Callable[[], None]
    read: Callable[[StateBlock, str], int | None]       # derived registers (cpsr); None: not one of them
    write: Callable[[StateBlock, str, int], bool]
    capstone: Callable[[int], tuple[int, int]]          # context word -> capstone architecture and mode
    monitors: tuple[str, ...] = ()                      # cells that a change of thread clears (exclusive monitors)
    fp_slow: Callable[[], Any] | None = None            # gives slow(name, format, arguments, control word), see fp.py
    misread: tuple[int, int] = (0, -1)                  # (mask, value) of words that capstone takes for another instruction
    assembly: Callable[[Row, int, int], str] | None = None   # (row, word, address) -> an instruction in its template's words
    scratch: tuple[str, int] = ("", 0)                  # a register that holds nothing between instructions (ARM's R15)

    def is_scratch(self, name: str, index: int) -> bool:
        """Return whether a register need not be kept."""
        return (name, index) == self.scratch

    def iset(self, context: int) -> IsaSet:
        """Return the instruction set that a context decodes."""
        return self.sets[self.set_of(context)]
