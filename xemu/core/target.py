"""What the core needs to know of a target: its state, its instruction sets and the names of its registers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.reference import StateBlock
    from xemu.core.runtime import IsaSet
    from xemu.core.state import StateLayout


@dataclass(frozen=True)
class Target:
    """One architecture. `load_rows` imports the rows; nothing before it does."""

    name: str
    layout: StateLayout
    address_bits: int
    context: Callable[[int], Any]                       # context word -> what rows see
    sets: tuple[Any, ...]                               # the IsaSets, by number
    set_of: Callable[[int], int]                        # context word -> number in `sets`
    load_rows: Callable[[], None]
    read: Callable[[StateBlock, str], int | None]       # derived registers (cpsr); None: not one of them
    write: Callable[[StateBlock, str, int], bool]
    package: str = ""                                   # directory whose sources key the cache
    capstone: Callable[[int], tuple[int, int]] | None = None      # context word -> capstone architecture and mode

    scratch: tuple[str, int] = ("", 0)                  # a register that holds nothing between instructions (ARM's R15)

    def is_scratch(self, name: str, index: int) -> bool:
        """Return whether a register need not be kept."""
        return (name, index) == self.scratch

    def iset(self, context: int) -> IsaSet:
        """Return the instruction set that a context decodes."""
        result: IsaSet = self.sets[self.set_of(context)]
        return result
