"""x86 for the core: layouts, contexts, derived registers. Light: imports no rows."""

from __future__ import annotations

from typing import Any

from xemu.core.target import IsaSet, Target
from xemu.targets.x86.layout import LAYOUT32, LAYOUT64, X86Context
from xemu.targets.x86.registers import read_register, write_register

_ISA, _STATE, _SCAN = "xemu.targets.x86.isa", "xemu.targets.x86.state", "xemu.targets.x86.scan"
X64 = IsaSet("x64", _ISA, _STATE, ("x86",), (8,), scan=f"{_SCAN}:scan64")
X32 = IsaSet("x32", _ISA, _STATE, ("x86",), (8,), scan=f"{_SCAN}:scan32")


def load_rows() -> None:
    """Import the rows."""
    import xemu.targets.x86.rows  # noqa: F401


def capstone64(_context: int) -> tuple[int, int]:
    """Return capstone's (architecture, mode): CS_ARCH_X86, CS_MODE_64."""
    return 3, 1 << 3


def capstone32(_context: int) -> tuple[int, int]:
    """Return capstone's (architecture, mode): CS_ARCH_X86, CS_MODE_32."""
    return 3, 1 << 2


def fp_slow() -> Any:
    """Import and return what slow floating-point operations do."""
    from xemu.targets.x86.fp_rules import slow

    return slow


X86_64 = Target("x86_64", "x86", LAYOUT64, 64, X86Context.of64, (X64,), lambda _: 0,
                load_rows, read_register, write_register, capstone64, fp_slow=fp_slow)
I386 = Target("i386", "x86", LAYOUT32, 32, X86Context.of32, (X32,), lambda _: 0,
              load_rows, read_register, write_register, capstone32, fp_slow=fp_slow)
