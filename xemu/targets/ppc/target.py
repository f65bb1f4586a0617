"""PowerPC for the core: layouts, contexts, derived registers. Light: imports no rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.target import IsaSet, Target
from xemu.targets.ppc.layout import LAYOUT32, LAYOUT64, PpcContext
from xemu.targets.ppc.registers import read_register, write_register

if TYPE_CHECKING:
    from xemu.core.isa import Row

_MODULES = ("xemu.targets.ppc.isa", "xemu.targets.ppc.state")
BE32 = IsaSet("ppc32", *_MODULES, ("p32",), (32,), big=True)
LE64 = IsaSet("ppc64", *_MODULES, ("p64",), (32,))
ALWAYS = (0xFE80_0000, 0x4280_0000)              # bc with a condition that always holds: `bcl 20, 31, $+4`
PPC, LITTLE, BIG, B64, B32 = 4, 0, 1 << 31, 1 << 3, 1 << 2          # capstone's CS_ARCH_PPC and modes


def load_rows() -> None:
    """Import the rows."""
    import xemu.targets.ppc.rows  # noqa: F401


def fp_slow() -> Any:
    """Import and return what slow floating-point operations do."""
    from xemu.targets.ppc.fp_rules import slow

    return slow


def fp_slow64() -> Any:
    """Import and return the same for ppc64le, which has quad precision."""
    from xemu.targets.ppc.fp_rules import with_quads

    return with_quads


def assembly(row: Row, word: int, pc: int) -> str:
    """Return an instruction in the words of its row's template."""
    from xemu.targets.ppc import assembly as words

    return words.assembly(row, word, pc)


def capstone32(_context: int) -> tuple[int, int]:
    """Return capstone's (architecture, mode)."""
    return PPC, B32 | BIG


def capstone64(_context: int) -> tuple[int, int]:
    """Return capstone's (architecture, mode)."""
    return PPC, B64 | LITTLE


PPC32 = Target("ppc", "ppc", LAYOUT32, 32, PpcContext.of32, (BE32,), lambda _: 0, load_rows, read_register, write_register,
               capstone32, fp_slow=fp_slow, monitors=("EXSIZE",), misread=ALWAYS, assembly=assembly)
PPC64LE = Target("ppc64le", "ppc", LAYOUT64, 64, PpcContext.of64, (LE64,), lambda _: 0, load_rows, read_register, write_register,
                 capstone64, fp_slow=fp_slow64, monitors=("EXSIZE",), misread=ALWAYS, assembly=assembly)
