"""PowerPC's registers as manuals and debuggers name them, worked out of the state's cells: CR, XER, VSCR, parts of registers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.targets.ppc.fpscr import fpscr_of, set_fpscr
from xemu.targets.ppc.layout import BITS, PpcContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.state import StateBlock

    Read = Callable[[StateBlock], int]
    Write = Callable[[StateBlock, int], None]

#: places of XER's bits (Book I, 3.2.2)
XER = {"SO": 31, "OV": 30, "CA": 29, "OV32": 19, "CA32": 18}
M64 = (1 << 64) - 1


def _get(state: StateBlock, name: str, index: int = 0) -> int:
    return state.get(state.layout.cells[name], index)


def _set(state: StateBlock, name: str, value: int, index: int = 0) -> None:
    state.set(state.layout.cells[name], index, value)


def cr_of(state: StateBlock) -> int:
    """Return CR."""
    value = sum(_get(state, "CRB", n) << 31 - n for n in range(32))
    for field in range(8):
        kind, x, y = (_get(state, name, field) for name in ("CRKIND", "CRX", "CRY"))
        if kind != BITS:
            top = 1 << state.layout.cells["CRX"].width - 1
            x, y = x ^ top, y ^ top
            place = 28 - 4 * field
            value = value & ~(14 << place) | (8 if x < y else 4 if x > y else 2) << place
    return value


def set_cr(state: StateBlock, value: int) -> None:
    """Set CR."""
    for n in range(32):
        _set(state, "CRB", value >> 31 - n & 1, n)
    for field in range(8):
        _set(state, "CRKIND", BITS, field)


def xer_of(state: StateBlock) -> int:
    """Return XER."""
    return sum(_get(state, name) << place for name, place in XER.items()) | _get(state, "LEN")


def set_xer(state: StateBlock, value: int) -> None:
    """Set XER."""
    for name, place in XER.items():
        _set(state, name, value >> place & 1)
    _set(state, "LEN", value & 0x7F)


def vscr_of(state: StateBlock) -> int:
    """Return VSCR's word (Book I, 6.3.2)."""
    return _get(state, "NJ") << 16 | _get(state, "SAT")


def set_vscr(state: StateBlock, value: int) -> None:
    """Set VSCR, and what decoding depends on it for."""
    _set(state, "NJ", value >> 16 & 1)
    _set(state, "SAT", value & 1)
    context = PpcContext.of64(state.context)
    state.context = context._replace(JAVA=value >> 16 & 1 ^ 1).word


def _msr_of(state: StateBlock) -> int:
    return MSR[state.layout.cells["GPR"].width]


def _keep(state: StateBlock, value: int) -> None:
    """Leave what is as it is: programs cannot change MSR, and system calls here do not start again by what debuggers write."""


def _general(number: int) -> tuple[Read, Write]:
    return lambda state: _get(state, "GPR", number), lambda state, value: _set(state, "GPR", value, number)


#: MSR of a program (Book III, 3.2.1): SF (64-bit), VEC, VSX (64-bit), EE, PR, FP, ME, FE0, FE1, IR, DR, RI, LE (64-bit)
MSR = {32: 0x0200_F932, 64: 0x8000_0000_0280_F933}
PROGRAM_INTERRUPT = 0x700            # the vector that Linux's debuggers see of a stopped program

#: `sp` is r1; `orig_r3` and `trap` are Linux's for debuggers
DERIVED: dict[str, tuple[Read, Write]] = {
    "fpscr": (fpscr_of, set_fpscr),
    "cr": (cr_of, set_cr), "xer": (xer_of, set_xer), "vscr": (vscr_of, set_vscr), "msr": (_msr_of, _keep), "sp": _general(1),
    "orig_r3": (_general(3)[0], _keep), "trap": (lambda _: PROGRAM_INTERRUPT, _keep),
}


def _part(name: str) -> tuple[str, int] | None:
    """Return the cell and index of a register that is part of a vector-scalar one: f3, vr3, vs3h (doubleword 1 of vs3)."""
    letters = name.rstrip("0123456789h")
    number = name[len(letters):].removesuffix("h")
    if not number.isdecimal() or int(number) > 31:          # each file has 32
        return None
    n, half = int(number), name.endswith("h")
    return {("f", False): ("D", 2 * n + 1), ("vr", False): ("VSR", 32 + n), ("v", False): ("VSR", 32 + n),
            ("vs", True): ("D", 2 * n)}.get((letters, half))


def read_register(state: StateBlock, name: str) -> int | None:
    """Return a register that is no cell by itself; None: there is none of this name."""
    if name in DERIVED:
        return DERIVED[name][0](state)
    part = _part(name)
    return None if part is None else _get(state, *part)


def write_register(state: StateBlock, name: str, value: int) -> bool:
    """Set such a register."""
    if name in DERIVED:
        DERIVED[name][1](state, value)
        return True
    part = _part(name)
    if part is None:
        return False
    _set(state, part[0], value, part[1])
    return True
