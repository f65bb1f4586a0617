"""x86's registers as manuals and debuggers name them, worked out of the state's cells: EFLAGS, MXCSR, the x87's, parts of registers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from xemu.targets.x86.layout import LAYOUT32, LAYOUT64, REGISTERS32, REGISTERS64, X86Context, unusual_modes

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.state import StateBlock

    Read = Callable[[StateBlock], int]
    Write = Callable[[StateBlock, int], None]

M64, M80 = (1 << 64) - 1, (1 << 80) - 1
RSP = 4
USER_FLAGS = 0x00244500          # TF, NT, AC, ID … of EFLAGS that user mode may change, but for DF and the status flags
EMPTY, ZERO, SPECIAL = 3, 1, 2   # tags of x87 registers; 0: valid
TOP = 11                         # place of TOP in the status word
STATUS = 0x477F                  # what FSW keeps of it: C3, C2, C1, C0, SF, exceptions
ERROR = 0x8080                   # B and ES: an exception that is not masked
CONTROL = 0x1F3F                 # what the control word keeps: infinity control, RC, PC, masks; bit 6 is always 1
MASKS = 0x3F                     # its exception masks


def _get(state: StateBlock, name: str, index: int = 0) -> int:
    return state.get(state.layout.cells[name], index)


def _set(state: StateBlock, name: str, value: int, index: int = 0) -> None:
    state.set(state.layout.cells[name], index, value)


# -- flags -------------------------------------------------------------------------------------------------------------------
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
    state.context = X86Context.of64(state.context)._replace(FP=unusual_modes(value)).word


# -- the x87 (SDM vol. 1, 8.1) -------------------------------------------------------------------------------------------------
def control_of(state: StateBlock) -> int:
    """Return the control word."""
    return _get(state, "FCW")


def set_control(state: StateBlock, value: int) -> None:
    """Set the control word and what decoding depends on it for."""
    _set(state, "FCW", value & CONTROL | 0x40)
    state.context = X86Context.of64(state.context)._replace(X87=int(value & MASKS != MASKS)).word


def status_of(state: StateBlock) -> int:
    """Return the status word."""
    kept = _get(state, "FSW") & STATUS
    return kept | (_get(state, "FTOP") & 7) << TOP | (ERROR if kept & ~_get(state, "FCW") & 0x3F else 0)


def set_status(state: StateBlock, value: int) -> None:
    """Set the status word; st0 to st7 keep their values, as in FXSAVE's image, which debuggers write to (SDM vol. 1, 10.5.1)."""
    stack = [_stack(state, number) for number in range(8)]
    _set(state, "FSW", value & STATUS)
    _set(state, "FTOP", value >> TOP & 7)
    for number, register in enumerate(stack):
        _set_stack(number, state, register)


def tags_of(state: StateBlock) -> int:
    """Return the tag word: two bits for each physical register (SDM vol. 1, 8.1.7)."""
    valid, out = _get(state, "FVALID"), 0
    for number in range(8):
        tag = _tag(_get(state, "FPR", number)) if valid >> number & 1 else EMPTY
        out |= tag << 2 * number
    return out


def _tag(value: int) -> int:
    exponent, mantissa = value >> 64 & 0x7FFF, value & M64
    if not exponent and not mantissa:
        return ZERO
    return SPECIAL if exponent in (0, 0x7FFF) or not mantissa >> 63 else 0


def set_tags(state: StateBlock, value: int) -> None:
    """Set the tag word: which registers are empty; the rest is worked out."""
    _set(state, "FVALID", sum(1 << number for number in range(8) if value >> 2 * number & 3 != EMPTY))


def _stack(state: StateBlock, number: int) -> int:
    return _get(state, "FPR", _get(state, "FTOP") + number & 7)


def _set_stack(number: int, state: StateBlock, value: int) -> None:
    _set(state, "FPR", value & M80, _get(state, "FTOP") + number & 7)


def _last(state: StateBlock, index: int, shift: int, mask: int) -> int:
    return _get(state, "FLAST", index) >> shift & mask


def _set_last(index: int, shift: int, mask: int, state: StateBlock, value: int) -> None:
    _set(state, "FLAST", _get(state, "FLAST", index) & ~(mask << shift) | (value & mask) << shift, index)


# -- parts ---------------------------------------------------------------------------------------------------------------------
def _part(state: StateBlock, index: int, shift: int, bits: int) -> int:
    return _get(state, "R", index) >> shift & (1 << bits) - 1


def _set_part(index: int, shift: int, bits: int, state: StateBlock, value: int) -> None:
    mask = (1 << bits) - 1
    # what writes 32 bits clears the upper half, as instructions do (SDM vol. 1, 3.4.1.1)
    kept = 0 if bits == 32 else _get(state, "R", index) & ~(mask << shift)
    _set(state, "R", kept | (value & mask) << shift, index)


def _parts() -> dict[str, tuple[int, int, int]]:
    """Return name -> (number of the register, lowest bit, bits)."""
    found: dict[str, tuple[int, int, int]] = {}
    for number, name in enumerate(REGISTERS64.split()):
        short = name[1:]
        if number >= 8:
            found |= {f"{name}d": (number, 0, 32), f"{name}w": (number, 0, 16), f"{name}b": (number, 0, 8)}
            continue
        found |= {f"e{short}": (number, 0, 32), short: (number, 0, 16)}
        if number < RSP:
            found |= {f"{short[0]}l": (number, 0, 8), f"{short[0]}h": (number, 8, 8)}
        else:
            found[f"{short}l"] = (number, 0, 8)
    return found


def _ymm(state: StateBlock, number: int) -> int:
    return _get(state, "X", 2 * number) | _get(state, "X", 2 * number + 1) << 128


def _set_ymm(number: int, state: StateBlock, value: int) -> None:
    _set(state, "X", value & (1 << 128) - 1, 2 * number)
    _set(state, "X", value >> 128 & (1 << 128) - 1, 2 * number + 1)


def _pc(state: StateBlock) -> int:
    return state.pc  # type: ignore[attr-defined]


def _set_pc(state: StateBlock, value: int) -> None:
    state.pc = value & (M64 if state.layout is LAYOUT64 else 0xFFFF_FFFF)  # type: ignore[attr-defined]


def _set_mm(number: int, state: StateBlock, value: int) -> None:
    _set(state, "FPR", 0xFFFF << 64 | value & M64, number)


def _nothing(_state: StateBlock, _value: int) -> None:
    """A debugger may set ORIG_RAX to say that no system call is to be made again; none ever is behind its back."""


#: the x87's registers about its last instruction -> (which of FLAST, lowest bit, mask)
_LAST = {"fioff": (0, 0, 0xFFFF_FFFF), "fiseg": (0, 32, 0xFFFF), "fooff": (1, 0, 0xFFFF_FFFF), "foseg": (1, 32, 0xFFFF),
         "fop": (2, 0, 0x7FF)}
_BOTH: dict[str, tuple[Read, Write]] = {
    "eflags": (flags_of, set_flags), "rflags": (flags_of, set_flags), "mxcsr": (mxcsr_of, set_mxcsr), "rip": (_pc, _set_pc),
    "eip": (_pc, _set_pc), "fctrl": (control_of, set_control), "fstat": (status_of, set_status), "ftag": (tags_of, set_tags),
    **{f"st{n}": (partial(_stack, number=n), partial(_set_stack, n)) for n in range(8)},
    **{f"mm{n}": (partial(_get, name="MM", index=2 * n), partial(_set_mm, n)) for n in range(8)},
    **{f"ymm{n}": (partial(_ymm, number=n), partial(_set_ymm, n)) for n in range(16)},
    **{name: (partial(_last, index=i, shift=s, mask=m), partial(_set_last, i, s, m)) for name, (i, s, m) in _LAST.items()},
    **{name: (partial(_part, index=i, shift=s, bits=b), partial(_set_part, i, s, b)) for name, (i, s, b) in _parts().items()},
    "sp": (partial(_part, index=RSP, shift=0, bits=64), partial(_set_part, RSP, 0, 64)),          # the stack pointer, as debuggers say
    **{name: (lambda _state: M64, _nothing) for name in ("orig_rax", "orig_eax")},
}
#: registers whose names are those of cells in 32-bit mode: they can be read there
_OWN32 = frozenset(REGISTERS32.split())


def read_register(state: StateBlock, name: str) -> int | None:
    """Return a register that is no cell; None: it is one, or there is none."""
    found = _BOTH.get(name)
    if found is None or (name in _OWN32 and state.layout is LAYOUT32):
        return None
    return found[0](state)


def write_register(state: StateBlock, name: str, value: int) -> bool:
    """Set one; False: it is a cell, or there is none."""
    found = _BOTH.get(name)
    if found is None:
        return False
    found[1](state, value)
    return True


__all__ = ["flags_of", "mxcsr_of", "read_register", "set_flags", "set_mxcsr", "write_register"]
