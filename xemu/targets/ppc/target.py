"""PowerPC for the core: layouts, contexts, derived registers. Light: imports no rows."""

from __future__ import annotations

from typing import Any

from xemu.core.target import IsaSet, Target
from xemu.targets.ppc.layout import LAYOUT32, LAYOUT64, PpcContext
from xemu.targets.ppc.registers import read_register, write_register

_MODULES = ("xemu.targets.ppc.isa", "xemu.targets.ppc.state")
BE32 = IsaSet("ppc32", *_MODULES, ("p32",), (32,), big=True)
LE64 = IsaSet("ppc64", *_MODULES, ("p64",), (32,))
PPC, LITTLE, BIG, B64, B32 = 4, 0, 1 << 31, 1 << 3, 1 << 2          # capstone's CS_ARCH_PPC and modes


def load_rows() -> None:
    """Import the rows."""
    import xemu.targets.ppc.rows  # noqa: F401


def fp_slow() -> Any:
    """Import and return what slow floating-point operations do."""
    from xemu.targets.ppc.fp_rules import slow

    return slow


def capstone32(_context: int) -> tuple[int, int]:
    """Return capstone's (architecture, mode)."""
    return PPC, B32 | BIG


def capstone64(_context: int) -> tuple[int, int]:
    """Return capstone's (architecture, mode)."""
    return PPC, B64 | LITTLE


PPC32 = Target("ppc", "ppc", LAYOUT32, 32, PpcContext.of32, (BE32,), lambda _: 0, load_rows, read_register, write_register,
               capstone32, fp_slow=fp_slow, monitors=("EXSIZE",))
PPC64LE = Target("ppc64le", "ppc", LAYOUT64, 64, PpcContext.of64, (LE64,), lambda _: 0, load_rows, read_register, write_register,
                 capstone64, fp_slow=fp_slow, monitors=("EXSIZE",))
