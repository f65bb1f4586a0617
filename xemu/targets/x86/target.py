"""x86 for the core: layouts, contexts, derived registers. Light: imports no rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.target import IsaSet, Target
from xemu.targets.x86.layout import LAYOUT32, LAYOUT64, REGISTERS32, X86Context

if TYPE_CHECKING:
    from xemu.core.state import StateBlock

_ISA, _STATE, _SCAN = "xemu.targets.x86.isa", "xemu.targets.x86.state", "xemu.targets.x86.scan"
X64 = IsaSet("x64", _ISA, _STATE, ("x86",), (8,), scan=f"{_SCAN}:scan64")
X32 = IsaSet("x32", _ISA, _STATE, ("x86",), (8,), scan=f"{_SCAN}:scan32")

M64 = (1 << 64) - 1
USER_FLAGS = 0x00244500          # TF, NT, AC, ID … of EFLAGS that user mode may change, but for DF and the status flags


def load_rows() -> None:
    """Import the rows."""
    import xemu.targets.x86.rows  # noqa: F401, PLC0415


def _get(state: StateBlock, name: str, index: int = 0) -> int:
    return state.get(state.layout.cells[name], index)


def _set(state: StateBlock, name: str, value: int, index: int = 0) -> None:
    state.set(state.layout.cells[name], index, value)


def flags_of(state: StateBlock) -> int:
    """Return EFLAGS (SDM vol. 1, figure 3-8)."""
    x, y, total = (_get(state, n) for n in ("FX", "FY", "FSUM"))
    sign = _get(state, "SRES")
    carry = (x & y | (x | y) & ~total) >> 63 & 1
    overflow = ((x ^ total) & (y ^ total)) >> 63 & 1
    parity = (sign & 0xFF).bit_count() & 1 ^ 1
    zero = int(_get(state, "ZRES") == 0)
    return (_get(state, "EFL") & ~0xFFF | carry | 2 | parity << 2 | ((x ^ y ^ total) >> 4 & 1) << 4 | zero << 6
            | (sign >> 63) << 7 | _get(state, "EFL") & 0x300 | _get(state, "DF") << 10 | overflow << 11)


def set_flags(state: StateBlock, value: int) -> None:
    """Set EFLAGS."""
    carry, overflow = value & 1, value >> 11 & 1
    _set(state, "ZRES", value >> 6 & 1 ^ 1)
    _set(state, "SRES", (value >> 7 & 1) << 63 | (value >> 2 & 1 ^ 1))
    _set(state, "FX", carry << 63)
    _set(state, "FY", carry << 63)
    _set(state, "FSUM", (carry ^ overflow) << 63 | (value >> 4 & 1) << 4)
    _set(state, "DF", value >> 10 & 1)
    _set(state, "EFL", value & USER_FLAGS & ~0x400 | 0x202)


#: bits of FPFLAGS in the order of MXCSR's exceptions IE DE ZE OE UE PE
_EXCEPTIONS = (0, 7, 1, 2, 3, 4)


def mxcsr_of(state: StateBlock) -> int:
    """Return MXCSR (SDM vol. 1, figure 10-3)."""
    flags = _get(state, "FPFLAGS")
    return _get(state, "MXMODE") | sum((flags >> bit & 1) << i for i, bit in enumerate(_EXCEPTIONS))


def set_mxcsr(state: StateBlock, value: int) -> None:
    """Set MXCSR and what decoding depends on it for."""
    _set(state, "MXMODE", value & 0xFFC0)
    _set(state, "FPFLAGS", sum((value >> i & 1) << bit for i, bit in enumerate(_EXCEPTIONS)))
    state.context = X86Context.of64(state.context)._replace(FP=int(value & 0xE040 != 0)).word


def read_register(state: StateBlock, name: str) -> int | None:
    """Return derived registers: eflags, mxcsr, and in 32-bit mode the low halves of general registers."""
    if name in ("eflags", "rflags"):
        return flags_of(state)
    if name == "mxcsr":
        return mxcsr_of(state)
    if name == "rip" or name == "eip":
        return state.pc  # type: ignore[attr-defined, no-any-return]
    return None


def write_register(state: StateBlock, name: str, value: int) -> bool:
    """Set them."""
    if name in ("eflags", "rflags"):
        set_flags(state, value)
        return True
    if name == "mxcsr":
        set_mxcsr(state, value)
        return True
    if name == "rip" or name == "eip":
        state.pc = value & (M64 if state.layout is LAYOUT64 else 0xFFFFFFFF)  # type: ignore[attr-defined]
        return True
    if state.layout is LAYOUT32 and name in _REGISTERS32:
        _set(state, "R", value & 0xFFFFFFFF, _REGISTERS32.index(name))
        return True
    return False


_REGISTERS32 = REGISTERS32.split()


def capstone64(_context: int) -> tuple[int, int]:
    """Return capstone's (architecture, mode): CS_ARCH_X86, CS_MODE_64."""
    return 3, 1 << 3


def capstone32(_context: int) -> tuple[int, int]:
    """Return capstone's (architecture, mode): CS_ARCH_X86, CS_MODE_32."""
    return 3, 1 << 2


def fp_slow() -> Any:
    """Import and return what slow floating-point operations do."""
    from xemu.targets.x86.fp_rules import slow  # noqa: PLC0415

    return slow


X86_64 = Target("x86_64", "x86", LAYOUT64, 64, X86Context.of64, (X64,), lambda _: 0, load_rows, read_register, write_register, capstone64)
I386 = Target("i386", "x86", LAYOUT32, 32, X86Context.of32, (X32,), lambda _: 0, load_rows, read_register, write_register, capstone32)
