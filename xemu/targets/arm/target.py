"""ARM as the core sees it: instruction sets by context, R15, conditions, IT blocks, derived registers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.target import IsaSet, Target
from xemu.targets.arm.layout import LAYOUT, ArmContext

if TYPE_CHECKING:
    from xemu.core.state import StateBlock

CPSR_USER = 0xF80F0000
FPMODE = 0x07F70000       # AHP DN FZ RMode Stride Len (the trap enables are RAZ/WI)


_MODULES = ("xemu.targets.arm.isa", "xemu.targets.arm.state")
A32 = IsaSet("a32", *_MODULES, ("a32",), (32,), pc_offset=8)
T32 = IsaSet("t32", *_MODULES, ("t16", "t32"), (16, 32), wide_from=0xE800, pc_offset=4, guard="ITSTATE")


def load_rows() -> None:
    """Import the rows."""
    import xemu.targets.arm.rows  # noqa: F401


def _get(state: StateBlock, name: str) -> int:
    return state.get(state.layout.cells[name])


def _set(state: StateBlock, name: str, value: int) -> None:
    state.set(state.layout.cells[name], 0, value)


# -- what the A and the M profile keep in the same way -----------------------------------------------------------------


def flags_of(state: StateBlock) -> int:
    """Return N, Z, C, V and Q in bits 31:27, from what produced them."""
    nz, x, y, s = (_get(state, n) for n in ("NZ", "CX", "CY", "CS"))
    y = ~y
    n, z = nz >> 63, int(nz & 0xFFFFFFFF == 0)
    c = ((x & y) | ((x | y) & ~s)) >> 31 & 1
    v = ((x ^ s) & (y ^ s)) >> 31 & 1
    return n << 31 | z << 30 | c << 29 | v << 28 | _get(state, "Q") << 27


def set_flags(state: StateBlock, value: int) -> None:
    """Set the flags, Q and GE from a status register."""
    n, z, c, v = value >> 31 & 1, value >> 30 & 1, value >> 29 & 1, value >> 28 & 1
    _set(state, "NZ", n << 63 | (1 - z))
    _set(state, "CX", c << 31)
    _set(state, "CY", (1 - c) << 31)
    _set(state, "CS", (c ^ v) << 31)
    _set(state, "Q", value >> 27 & 1)
    _set(state, "GE", value >> 16 & 15)


def fpscr_of(state: StateBlock) -> int:
    """Return FPSCR."""
    return _get(state, "FPNZCV") << 28 | _get(state, "FPQC") << 27 | _get(state, "FPMODE") | _get(state, "FPFLAGS")


def set_fpscr(state: StateBlock, value: int, modes: int) -> None:
    """Set FPSCR; `modes` are the mode bits that exist. The context is the caller's."""
    _set(state, "FPNZCV", value >> 28)
    _set(state, "FPQC", value >> 27 & 1)
    _set(state, "FPMODE", value & modes)
    _set(state, "FPFLAGS", value & 0x9F)


def read_register(state: StateBlock, name: str) -> int | None:
    """Return the user's view of CPSR and FPSCR (ARM ARM A2.4, A2.5.3)."""
    if name == "cpsr":
        it = _get(state, "ITSTATE")
        return (flags_of(state) | (it & 3) << 25 | _get(state, "GE") << 16
                | (it >> 2) << 10 | (state.context & 1) << 5 | (state.context >> 1 & 1) << 9 | 0x10)
    if name == "fpscr":
        return fpscr_of(state)
    return None


def write_register(state: StateBlock, name: str, value: int) -> bool:
    """Set CPSR (flags, Q, GE, IT, T, E) or FPSCR."""
    if name == "cpsr":
        set_flags(state, value)
        _set(state, "ITSTATE", (value >> 10 & 0x3F) << 2 | value >> 25 & 3)
        state.context = state.context & ~3 | value >> 5 & 1 | (value >> 9 & 1) << 1
        return True
    if name == "fpscr":
        set_fpscr(state, value, FPMODE)
        state.context = state.context & ~4 | (4 if value & FPMODE else 0)
        return True
    return False


def capstone_mode(context: int) -> tuple[int, int]:
    """Return capstone's (architecture, mode): CS_ARCH_ARM, CS_MODE_ARM or CS_MODE_THUMB."""
    return 0, (1 << 4) if context & 1 else 0


def fp_slow() -> Any:
    """Import and return what slow floating-point operations do."""
    from xemu.targets.arm.fp_rules import slow

    return slow


TARGET = Target("arm", "arm", LAYOUT, 32, ArmContext.of, (A32, T32), lambda word: word & 1, load_rows, read_register, write_register,
                capstone_mode, fp_slow=fp_slow, scratch=("R", 15), monitors=("EXSIZE",))
