"""Cases for the rows of an instruction set: random encodings of each variant, random states."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tests.oracle.generate import code_bytes, in_it_block, random_state
from tests.oracle.machine import Case

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Iterator

    from xemu.core.isa import FixedWidthIsa, Row, Variant

TRIES: Final = 200
NEAR: Final = {"imm8": 1024, "imm11": 2304, "imm6": 256, "imm5": 256}  # reach of T16 branches by their field
ALWAYS: Final = 14
NOT_IN_IT: Final = ("B_conditional", "CBZ", "CBNZ", "CPS", "SETEND")
COPROCESSOR: Final = ("LDC", "STC", "CDP", "MCR", "MRC", "MRRC")
PAIRWISE: Final = ("VTRN", "VZIP", "VUZP", "VSWP")
STRUCTURES: Final = tuple(f"V{what}{n}" for what in ("LD", "ST") for n in (1, 2, 3, 4))
# calls the system; turn the driver's own accesses and branches around; reads what an earlier case wrote
LEFT_OUT: Final = ("SVC", "SETEND", "IT", "MRC_TPIDRURW")


def should_be(row: Row) -> tuple[int, int]:
    """Return mask and value of the row's should-be bits, "(0)" and "(1)": QEMU calls other values undefined."""
    at, mask, value = row.isa.bits, 0, 0
    for token in row.pattern.split():
        name = token.partition(":")[0]
        if match := re.fullmatch(r"\(([01])\)", token):
            at -= 1
            mask |= 1 << at
            value |= int(match[1]) << at
        elif name in row.places:
            at -= row.places[name].width
        elif ":" in token:
            at -= int(token.partition(":")[2])
        else:
            at -= len(token)
    return mask, value


def variant_encoding(variant: Variant, rng: random.Random) -> int | None:
    """Return a random encoding of a variant, or None if none was found; A32 conditions are mostly "always"."""
    isa = variant.row.isa
    free = ~variant.mask & ((1 << isa.bits) - 1)
    known, wanted = should_be(variant.row)
    condition = variant.row.places.get("cond") if isa.predicate else None
    for _ in range(TRIES):
        word = variant.value & ((1 << isa.bits) - 1) | rng.getrandbits(isa.bits) & free & ~known | wanted
        if condition and rng.random() < 0.7:
            word = word & ~(15 << condition.shift) | ALWAYS << condition.shift
        in_it = variant.splits.get("InIT", 0) << isa.bits
        if variant.matches(word | in_it) and not (condition and word >> condition.shift & 15 == 15):
            return word
    return None


def is_predictable(variant: Variant, word: int) -> bool:
    """Return whether the ARM ARM defines this encoding; QEMU and xemu choose differently where it does not."""
    name = variant.row.function.__name__

    def get(field: str) -> int:
        place = variant.row.places.get(field)
        return word >> place.shift & ((1 << place.width) - 1) if place else 0

    if name.startswith(COPROCESSOR) and word >> 8 & 15 in (1, 2, 9, 10, 11):
        return False  # QEMU emulates the FPA at 1 and 2, as old kernels did; 9 to 11 are VFP's
    if name in ("SBFX", "UBFX", "BFI", "BFC"):
        return _bit_field_fits(name, variant.row.isa.name, word)
    if "LDM" in name or "STM" in name:
        return not (variant.splits.get("W") and word >> get("Rn") & 1)  # base in the list and written back
    if "LDRD" in name or "STRD" in name:
        first = word >> 12 & 15  # in both instruction sets; T32 has no form with Rm
        pair = (first, first + 1) if variant.row.isa.name == "a32" else (get("Rt"), get("Rt2"))
        return get("Rm") not in pair and get("Rn") not in pair and pair[0] != pair[1]
    if name.startswith("VSTR") and get("Rn") == 15:
        return False
    if name == "LDREXD" and "Rt2" in variant.row.places and get("Rt") == get("Rt2"):
        return False
    if variant.row.isa.name == "t32" and "REX" in name and 13 in (get("Rd"), get("Rt"), get("Rt2"), get("Rn")):
        return False
    if name.startswith("STREX"):
        status, first = (get("Rd"), word & 15) if variant.row.isa.name == "a32" else (get("Rd"), get("Rt"))
        second = get("Rt2") if "Rt2" in variant.row.places else first + 1 if name.endswith("D") else first
        return status not in (get("Rn"), first, second)
    if name.startswith(PAIRWISE):
        return (get("D"), get("Vd") | get("Qd3") << 1) != (get("M"), get("Vm") | get("Qm3") << 1)
    if name.startswith(("VLD", "VST")) and variant.row.name.partition(".")[2].startswith(STRUCTURES):
        # the list of registers must end at d31; QEMU does not check the alignment of 256 bits
        return (get("D") << 4 | get("Vd")) < 25 and variant.splits.get("align") != 3
    return name != "CPS" and not (name == "SMMLS" and get("Ra") == 15)


def _bit_field_fits(name: str, isa: str, word: int) -> bool:
    """Return whether lsb and width (or msb) of a bit-field instruction stay within 32 bits."""
    wide = isa == "t32"
    lsb = (word >> 10 & 0x1C | word >> 6 & 3) if wide else word >> 7 & 31
    other = word & 31 if wide else word >> 16 & 31
    return lsb + other < 32 if name.endswith("X") else other >= lsb


def row_cases(
    isas: Iterable[FixedWidthIsa],
    rng: random.Random,
    count: int,
    *,
    named: str = "",
    accept: Callable[[Variant, int], bool] = is_predictable,
) -> Iterator[Case]:
    """Yield `count` cases for each variant whose row's name contains `named`. Notes name the variant."""
    for isa in isas:
        for variant in isa.variants:
            if named in variant.name and variant.row.function.__name__ not in LEFT_OUT:
                yield from _variant_cases(variant, rng, count, accept)


def _variant_cases(
    variant: Variant, rng: random.Random, count: int, accept: Callable[[Variant, int], bool]
) -> Iterator[Case]:
    isa = variant.row.isa
    thumb = isa.name.startswith("t")
    for _ in range(count):
        word = variant_encoding(variant, rng)
        if word is None or not accept(variant, word):
            continue
        code = code_bytes(word, isa.bits, thumb=thumb)
        in_it = variant.splits.get("InIT", rng.getrandbits(1) if thumb else 0)
        if thumb and in_it and variant.row.function.__name__ not in NOT_IN_IT:
            code = in_it_block(code, rng.randrange(14))
        state = random_state(rng, vector=True)
        yield Case(code, state, thumb, note=variant.name, room=_room(variant) if thumb else 0)


def _room(variant: Variant) -> int:
    """Return the filler that keeps short relative branches from meeting other cases."""
    name = variant.row.function.__name__
    if not name.startswith(("B_", "B", "CB")) or variant.row.isa.bits != 16:
        return 0
    return max((NEAR.get(field, 0) for field in variant.row.places), default=0)
