"""FPSCR as a number, for debuggers: worked out of the cells by the definition of the operations (status.py is the same in rows)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.targets.ppc.layout import FPSCR_MODES, PpcContext

if TYPE_CHECKING:
    from xemu.core.state import StateBlock

#: exceptions of fp.py -> bits of FPSCR
PLACES = {1: 26, 2: 28, 3: 27, 4: 25, 8: 24, 9: 23, 10: 22, 11: 21, 12: 20, 13: 19, 14: 9, 15: 8}
FX, FEX, VX, STICKY, INVALIDS = 1 << 31, 1 << 30, 1 << 29, 0x9FF8_0700, 0x01F8_0700
CONTROLS, KNOWN = 0xFF, 0x7_9FFF_F7FF
SINGLE, INTEGER = 10, 11
LEAST = {0: 1 << 52, 1: 0x381 << 52}
INFINITY, QUIET, SIGN = 0x7FF << 52, 0b10001, 1 << 63


def _get(state: StateBlock, name: str, index: int = 0) -> int:
    return state.get(state.layout.cells[name], index)


def _set(state: StateBlock, name: str, value: int) -> None:
    state.set(state.layout.cells[name], 0, value)


def _class(value: int, single: int) -> int:
    """Return FPRF for a double, or a single as a double."""
    negative, size = value >> 63, value & (SIGN - 1)
    if size > INFINITY:
        return QUIET
    if size == 0:
        return 0b10010 if negative else 0b00010
    denormal = 0b10000 if size < LEAST[single] else 0
    return denormal | (0b01000 if negative else 0b00100) | int(size == INFINITY)


def _last(state: StateBlock) -> int:
    """Return FR, FI and FPRF."""
    from xemu.core.softfloat import evaluate_again

    op, cc = _get(state, "FPOP"), _get(state, "FPCC")
    if op & 0xFF == 0:
        bits = _get(state, "FPLAST") & 0x7F
    else:
        operands = [_get(state, "FPARG", n) for n in range(3)]
        flags = evaluate_again(16, "ppc", [], op & 0xFF, *operands, op >> 8 & 3)
        rounding = (flags >> 5 & 1) << 6 | (flags >> 4 & 1) << 5
        bits = rounding | (0 if op >> INTEGER & 1 else _class(_get(state, "FPRES"), op >> SINGLE & 1))
    return bits & ~15 | cc & 15 if cc >> 4 else bits


def fpscr_of(state: StateBlock) -> int:
    """Return FPSCR (Book I, 4.2.2)."""
    flags, old, controls = (_get(state, name) for name in ("FPFLAGS", "FPSTICKY", "FPCTL"))
    new = sum((flags >> bit & 1) << place for bit, place in PLACES.items())
    word = old | new | (FX if new & ~old else 0)
    if word & INVALIDS:
        word |= VX
    # VX OX UX ZX XX and their enables VE OE UE ZE XE stand in the same order
    if word >> 25 & 31 & controls >> 3:
        word |= FEX
    return _get(state, "DRN") << 32 | word | _last(state) << 12 | controls


def set_fpscr(state: StateBlock, value: int) -> None:
    """Set FPSCR, and what decoding depends on it for."""
    value &= KNOWN
    _set(state, "DRN", value >> 32)
    _set(state, "FPSTICKY", value & STICKY)
    _set(state, "FPLAST", value >> 12 & 0x7F)
    _set(state, "FPCTL", value & CONTROLS)
    for name in ("FPFLAGS", "FPOP", "FPCC"):
        _set(state, name, 0)
    context = PpcContext.of64(state.context)
    state.context = context._replace(FP=int(value & FPSCR_MODES != 0)).word
