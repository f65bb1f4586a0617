"""Which memory PowerPC's instructions access, by their encodings (Power ISA Books I and II)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.debug.accesses import Operand
from xemu.debug.ppc_code import displacement, fields

if TYPE_CHECKING:
    from collections.abc import Mapping

#: opcode -> (kind, bytes, whether RT is a general register); opcodes with an update have the bit behind it set
_FORMS: Mapping[int, tuple[str, int, bool]] = {
    32: ("r", 4, True), 34: ("r", 1, True), 36: ("w", 4, True), 38: ("w", 1, True), 40: ("r", 2, True), 42: ("r", 2, True),
    44: ("w", 2, True), 48: ("r", 4, False), 50: ("r", 8, False), 52: ("w", 4, False), 54: ("w", 8, False),
}
_MULTIPLE = {46: "r", 47: "w"}              # lmw, stmw
#: (opcode, its lowest bits, mask of them) of forms with DS or DQ
_EXTENDED = {
    (58, 0, 3): ("r", 8, True), (58, 1, 3): ("r", 8, True), (58, 2, 3): ("r", 4, True),
    (62, 0, 3): ("w", 8, True), (62, 1, 3): ("w", 8, True), (62, 2, 3): ("w", 16, False),
    (57, 2, 3): ("r", 8, False), (57, 3, 3): ("r", 4, False), (57, 0, 3): ("r", 16, False),
    (61, 0, 3): ("w", 16, False), (61, 2, 3): ("w", 8, False), (61, 3, 3): ("w", 4, False), (61, 1, 7): ("r", 16, False),
    (61, 5, 7): ("w", 16, False),
}
#: extended opcodes of opcode 31, by kind, bytes and whether RT is a general register
_INDEXED_TEXT = """
    r 1 g  87 119 52
    r 2 g  279 311 343 375 790 116
    r 4 g  23 55 341 373 534 20
    r 8 g  21 53 532 84
    r 16 - 276 844 780 812 876 268 103 359
    w 1 g  215 247 694
    w 2 g  407 439 918 726
    w 4 g  151 183 662 150
    w 8 g  149 181 660 214
    w 16 - 182 972 908 940 1004 396 231 487
    r 1 -  7 781
    r 2 -  39 813
    r 4 -  535 567 855 887 71 364 524 76 12
    r 8 -  599 631 332 588
    w 1 -  135 909
    w 2 -  167 941
    w 4 -  663 695 983 199 652 140
    w 8 -  727 759 716
"""
_INDEXED = {int(number): (kind, int(size), form == "g") for kind, size, form, *numbers in map(str.split, _INDEXED_TEXT.strip().splitlines())
            for number in numbers}
_ALIGNED = {7: 1, 39: 2, 71: 4, 103: 16, 359: 16, 135: 1, 167: 2, 199: 4, 231: 16, 487: 16}    # VMX leaves low bits of addresses out
_QUAD = 56                                  # lq, with DQ


def operands(word: int) -> tuple[Operand, ...]:
    """Return where an instruction's accesses go."""
    kind, (rt, ra, rb) = word >> 26, fields(word)
    base = f"r{ra}" if ra else ""
    if kind == 31:
        number = word >> 1 & 0x3FF
        if number not in _INDEXED:
            return ()
        way, size, general = _INDEXED[number]
        return (Operand(way, size, base, f"r{rb}", 1, 0, 0, data=f"r{rt}" if general else "", align=_ALIGNED.get(number, 1)),)
    if kind in _MULTIPLE:
        return (Operand(_MULTIPLE[kind], 4, base, "", 1, 0, displacement(word), 32 - rt),)
    if kind == _QUAD:
        return (Operand("r", 16, base, "", 1, 0, displacement(word) & -16),)
    found, away = _FORMS.get(kind & -2) if 32 <= kind < 56 else None, displacement(word)
    if found is None:
        bits, found = next(((mask, form) for (primary, low, mask), form in _EXTENDED.items() if (primary, low) == (kind, word & mask)),
                           (0, None))
        away = displacement(word) & ~bits
    if found is None:
        return ()
    way, size, general = found
    return (Operand(way, size, base, "", 1, 0, away, data=f"r{rt}" if general else ""),)


__all__ = ["operands"]
