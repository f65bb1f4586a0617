"""Decoding of ARM's instruction sets: every row against capstone, random words, and that no two rows claim one word."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Final

import capstone
import pytest

from tests.oracle.rows import should_be, variant_encoding
from tests.support.evaluator import find_variant
from xemu.core.checks import check_overlaps
from xemu.targets.arm import target
from xemu.targets.arm.isa import a32, t16, t32

if TYPE_CHECKING:
    from xemu.core.isa import FixedWidthIsa, Row, Variant

target.load_rows()

INTEGER: Final = ("a32_", "t32_", "t16_", "operations_")  # files of the rows this module compares by name
PER_VARIANT: Final = 3
RANDOM_WORDS: Final = 12_000
A32 = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_ARM)
T32 = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB)

#: rows that capstone names otherwise: a part of the row's name -> what it may say, and why
OTHER_NAMES: Final = {
    r"MOV_register_(shifted|rrx)": "lsl lsr asr ror rrx",  # MOV with a shift has names of its own
    r"ADR_": "add sub",  # ADR is the name of ADD and SUB with the PC
    r"(LDM|STM)IA": "ldm stm pop push",  # IA is the default; with SP they have older names
    r"STMDB": "push",
    r"t32.*_rrx": "rrx",
    r"DSB": "dfb",  # an option of it
    r"PLDW_literal": "pld",  # ARMv7 has no literal PLDW; a hint in any case
}
#: rows whose encodings capstone takes for invalid, and why
NOT_IN_CAPSTONE: Final = {
    r"UDF|BKPT|a32.HVC": "conditional forms (UNPREDICTABLE; xemu: the instruction's own exception)",
    r"HINT": "unallocated memory hints: the manual's NOP",
    r"MSR_": "a mask of 0 (UNPREDICTABLE; xemu: nothing changes)",
    r"CPS": "reserved forms (UNPREDICTABLE; xemu: nothing, as all of CPS in user mode)",
    r"PLDW_literal": "literal form of PLDW (UNPREDICTABLE; xemu: a hint)",
    r"V(LD|ST)M|VPUSH|VPOP": "FLDMX and FSTMX, and lists that go beyond the last register",
    r"V(LD|ST)\d_": "lists that go beyond the last register (UNPREDICTABLE)",
    r"t32.LDM": "lists of no or one register",
    r"shift|STREX|LDREXD|extend": "registers that must differ (UNPREDICTABLE; xemu: what the pseudocode does)",
}
#: where capstone knows an UNPREDICTABLE encoding that xemu does not: it names the PC, or an odd doubleword
UNPREDICTABLE: Final = r"\bpc\b|^(ldrd|strd|ldrexd|strexd)"
#: what capstone knows and ARMv7-A does not have
LATER: Final = re.compile(
    r"\S*\.f16|v(ld|st|mov|cvt|add|sub|mul|div|fm|fnm|nm|ml|cmp|sel|max|min|rint|abs|neg|sqrt|ins|c[ma]|[su]dot|jcvt|nmul|nml)|"
    r"crc32|lda|stl|hlt|sha|aes|dcps|sevl|esb|tsb|csdb|sb|setpan|sg|tt|bxns|blxns|bf|wls|dls|le|ls|clrm|cs|cx|dfb|pac|bti|aut"
)


def disassembly(isa: FixedWidthIsa, word: int) -> str | None:
    """Return capstone's text, or None."""
    if isa is a32:
        found = next(A32.disasm(word.to_bytes(4, "little"), 0x1000), None)
    elif isa is t16:
        found = next(T32.disasm(word.to_bytes(2, "little"), 0x1000), None)
    else:
        halves = (word >> 16).to_bytes(2, "little") + (word & 0xFFFF).to_bytes(2, "little")
        found = next(T32.disasm(halves, 0x1000), None)
    return f"{found.mnemonic} {found.op_str}" if found else None


def integer_variants(isa: FixedWidthIsa) -> list[Variant]:
    """Return the variants of the integer rows."""
    return [v for v in isa.variants if v.row.source.startswith(INTEGER)]


def agrees(row: Row, text: str | None) -> bool:
    """Return whether capstone's text is what the row's template says, or a known other name."""
    if text is None:
        return row.source.endswith("undefined.py") or any(re.search(p, row.name) for p in NOT_IN_CAPSTONE)
    plain = re.sub(r"\{.*?\}.*", "", row.template.split()[0]).removesuffix(".w")
    if text.startswith(plain) or row.source.endswith("undefined.py"):
        return True
    return any(re.search(p, row.name) and text.startswith(tuple(names.split())) for p, names in OTHER_NAMES.items())


@pytest.mark.parametrize("isa", [a32, t32, t16], ids=lambda isa: isa.name)
def test_every_integer_row_has_capstones_name(isa: FixedWidthIsa) -> None:
    """Random encodings of each variant decode to it, and capstone calls them the same."""
    rng, wrong = random.Random(2), []
    for v in integer_variants(isa):
        for _ in range(PER_VARIANT):
            word = variant_encoding(v, rng)
            if word is None:
                continue
            found = find_variant(isa, word | v.splits.get("InIT", 0) << isa.bits)
            assert found is not None
            if found is v and not agrees(v.row, disassembly(isa, word)):
                wrong.append(f"{v.name} {word:x}: {disassembly(isa, word)}")
    assert wrong == []


def has_reason(word: int, found: Variant | None, text: str | None) -> bool:
    """Return whether it is right that only one of xemu and capstone knows a word."""
    if found is None:  # rows exclude the PC where it is UNPREDICTABLE; capstone often prints it
        return text is not None and (bool(re.search(UNPREDICTABLE, text)) or bool(LATER.match(text)))
    mask, value = should_be(found.row)
    pc_named = any(word >> p.shift & 15 in (13, 15) for p in found.row.places.values() if p.width == 4)
    return word & mask != value or agrees(found.row, None) or pc_named


def random_words(isa: FixedWidthIsa, rng: random.Random) -> list[int]:
    """Return words to decode: all of T16; else random ones, half of A32's unconditional."""
    if isa is t16:
        return list(range(0xE800))
    if isa is t32:
        return [rng.randrange(0xE800, 0x10000) << 16 | rng.getrandbits(16) for _ in range(RANDOM_WORDS)]
    return [rng.choice((14, 15)) << 28 | rng.getrandbits(28) for _ in range(RANDOM_WORDS)]


@pytest.mark.parametrize("isa", [a32, t32, t16], ids=lambda isa: isa.name)
def test_random_words_are_known_to_both_or_to_none(isa: FixedWidthIsa) -> None:
    """Xemu and capstone know the same words, but for the reasons above."""
    wrong = []
    for word in random_words(isa, random.Random(4)):
        found, text = find_variant(isa, word), disassembly(isa, word)
        undefined = found is None or found.row.source.endswith("undefined.py")
        if undefined != (text is None) and not (found and text) and not has_reason(word, found, text):
            wrong.append(f"{word:x}: {found.name if found else 'undefined'}, capstone {text}")
    assert wrong == []


@pytest.mark.parametrize("isa", [a32, t32, t16], ids=lambda isa: isa.name)
def test_no_two_rows_claim_one_word(isa: FixedWidthIsa) -> None:
    """Of two variants that match a word one is more specific."""
    assert check_overlaps(isa) == []
