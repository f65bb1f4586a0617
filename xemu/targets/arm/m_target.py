"""The M profile as the core sees it: instruction sets by context, derived registers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.target import IsaSet, Target
from xemu.targets.arm.layout import M_LAYOUT, MContext
from xemu.targets.arm.target import flags_of, fp_slow, fpscr_of, set_flags, set_fpscr

if TYPE_CHECKING:
    from xemu.core.state import StateBlock

FPMODE = 0x07C00000       # AHP DN FZ RMode
FP_CONTEXT = 1 << 2       # MContext.FP
SPSEL = 1 << 1

_MODULES = ("xemu.targets.arm.m_isa", "xemu.targets.arm.state")
T32 = IsaSet("m", *_MODULES, ("m16", "m32"), (16, 32), wide_from=0xE800, pc_offset=4, guard="ITSTATE")
NONE = IsaSet("m_invalid", *_MODULES, ("m_none",), (16,), pc_offset=4)         # EPSR.T is clear


def load_rows() -> None:
    """Import the rows."""
    import xemu.targets.arm.m_rows  # noqa: F401


def _get(state: StateBlock, name: str) -> int:
    return state.get(M_LAYOUT.cells[name])


def _set(state: StateBlock, name: str, value: int) -> None:
    state.set(M_LAYOUT.cells[name], 0, value)


def _uses_process_stack(state: StateBlock) -> bool:
    return _get(state, "IPSR") == 0 and bool(_get(state, "CONTROL") & SPSEL)


def read_register(state: StateBlock, name: str) -> int | None:
    """Return a derived register (ARMv7-M ARM B1.4): xpsr apsr fpscr msp psp."""
    if name in ("xpsr", "apsr"):
        apsr = flags_of(state) | _get(state, "GE") << 16
        it = _get(state, "ITSTATE")
        rest = (it & 3) << 25 | (state.context & 1) << 24 | (it >> 2) << 10 | _get(state, "IPSR")
        return apsr | (rest if name == "xpsr" else 0)
    if name == "fpscr":
        return fpscr_of(state)
    if name in ("msp", "psp"):
        used = _uses_process_stack(state) == (name == "psp")
        return state.get(M_LAYOUT.cells["R"], 13) if used else _get(state, "SPOTHER")
    return None


def write_register(state: StateBlock, name: str, value: int) -> bool:
    """Set a derived register. Which stack pointer R13 is follows IPSR and CONTROL; rights are the machine's."""
    if name in ("sp", "r13", "msp", "psp"):
        used = name in ("sp", "r13") or _uses_process_stack(state) == (name == "psp")
        if used:
            state.set(M_LAYOUT.cells["R"], 13, value & 0xFFFF_FFFC)
        else:
            _set(state, "SPOTHER", value & 0xFFFF_FFFC)
    elif name in ("xpsr", "apsr"):
        set_flags(state, value)
        if name == "xpsr":
            _set(state, "ITSTATE", (value >> 10 & 0x3F) << 2 | value >> 25 & 3)
            state.context = state.context & ~1 | value >> 24 & 1
            _choose_stack(state, value & 0x1FF, _get(state, "CONTROL"))
    elif name == "control":
        _choose_stack(state, _get(state, "IPSR"), value & 7)
    elif name == "basepri":
        _set(state, "BASEPRI", value & _get(state, "PRIOMASK"))
    elif name == "fpscr":
        set_fpscr(state, value & ~(1 << 27), FPMODE)
        state.context = state.context & ~FP_CONTEXT | (FP_CONTEXT if value & FPMODE else 0)
    else:
        return False
    return True


def _choose_stack(state: StateBlock, ipsr: int, control: int) -> None:
    """Set IPSR and CONTROL, and exchange the stack pointers if the other one is in use then."""
    before = _uses_process_stack(state)
    _set(state, "IPSR", ipsr)
    _set(state, "CONTROL", control)
    if _uses_process_stack(state) != before:
        used, other = state.get(M_LAYOUT.cells["R"], 13), _get(state, "SPOTHER")
        state.set(M_LAYOUT.cells["R"], 13, other)
        _set(state, "SPOTHER", used)


def capstone_mode(context: int) -> tuple[int, int]:
    """Return capstone's (architecture, mode): CS_ARCH_ARM, CS_MODE_THUMB and CS_MODE_MCLASS."""
    return 0, 1 << 4 | 1 << 5


TARGET = Target("arm-m", "arm", M_LAYOUT, 32, MContext.of, (T32, NONE), lambda word: ~word & 1, load_rows, read_register,
                write_register, capstone_mode, fp_slow=fp_slow, scratch=("R", 15), monitors=("EXSIZE",))
