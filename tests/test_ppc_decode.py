"""Decoding of PowerPC: random encodings of every row carry the name that binutils gives them; no two rows clash."""

from __future__ import annotations

import random
from functools import cache

import pytest

from tests.conftest import give_up
from tests.oracle.ppc.rows import LEFT_OUT, Form, disassembler, encoding, fields_of, forms, mnemonics, put, set_of
from xemu.core import decoder
from xemu.core.checks import check_overlaps

LEFT_OUT_MODULES = ("privileged.py",)       # what programs may not do; binutils knows it for few processors
NAMES = ("ppc", "ppc64le")
COUNT = 4                             # encodings of each row
#: what objdump calls what we call by the width that L names, or by what a field says
ALIASES = {
    "cmpwi": ("cmpi",), "cmpdi": ("cmpi",), "cmpw": ("cmp",), "cmpd": ("cmp",), "cmplwi": ("cmpli",), "cmpldi": ("cmpli",),
    "cmplw": ("cmpl",), "cmpld": ("cmpl",), "mftbu": ("mftb",), "reserved-nop": (".long", "hashst", "hashstp", "hashchk", "hashchkp"),
    **{f"m{way}{name}": (f"m{way}spr",) for way in "tf" for name in ("xer", "lr", "ctr")},
}


#: BO without bits that the manual calls z and without its reserved hint (Book I, figure 40)
DEFINED_BO = (0, 2, 4, 6, 7, 8, 10, 12, 14, 15, 16, 18, 20, 24, 25, 26, 27)


def shaped(form: Form, word: int, rng: random.Random) -> int:
    """Return the encoding with BO as assemblers write it."""
    return put(form.row, word, BO=rng.choice([bo for bo in DEFINED_BO if bo & 4 or form.mnemonic != "bcctr"]))


@cache
def some(target: str) -> list[tuple[Form, int]]:
    """Return encodings of each row."""
    rng = random.Random(1)
    found = [(form, encoding(form, rng)) for form in forms(target, everything=True).values() for _ in range(COUNT)
             if form.row.source.split(":")[0] not in LEFT_OUT_MODULES]
    return [(form, shaped(form, word, rng)) for form, word in found if word is not None]


def names_of(form: Form, word: int) -> set[str]:
    """Return the names that an encoding may have: with o, dot, l and a as its fields say."""
    f = fields_of(form.row, word)
    end = ("o" if f.get("OE") and "{o}" in form.row.template else "") + ("." if f.get("Rc") and "{Rc}" in form.row.template else "")
    end += "".join(letter for field, letter in (("LK", "l"), ("AA", "a"), ("RO", "o"), ("EX", "x")) if f.get(field))
    return {name + end for name in (form.mnemonic, *ALIASES.get(form.mnemonic, ()))}


@pytest.mark.parametrize("target", NAMES)
def test_mnemonics_are_those_of_binutils(target: str) -> None:
    if not disassembler():
        give_up("powerpc64le-linux-gnu-objdump not installed")
    cases = some(target)
    theirs = mnemonics([word for _, word in cases], target)
    wrong = [f"{word:08x} {form.name}: {'/'.join(sorted(names_of(form, word)))}, {' '.join(sorted(names))}"
             for (form, word), names in zip(cases, theirs, strict=True) if not names_of(form, word) & names]
    assert not wrong, f"{len(wrong)} of {len(cases)}\n" + "\n".join(wrong[:20])


@pytest.mark.parametrize("target", NAMES)
def test_every_row_has_encodings_that_it_alone_decodes(target: str) -> None:
    isa = set_of(target)
    table = decoder.build(isa)
    seen = set()
    for form, word in some(target):
        index = decoder.walk(table, word)
        assert index is not None, form.name
        if isa.variants[index].row is form.row:
            seen.add(form.name)
    assert seen == {form.name for form, _ in some(target)}
    assert {row.name for row in isa.rows if row.source.split(":")[0] not in LEFT_OUT_MODULES} == seen


@pytest.mark.parametrize("target", NAMES)
def test_no_two_rows_clash(target: str) -> None:
    assert check_overlaps(set_of(target)) == []


def test_a_bit_that_came_later_is_reserved_for_older_processors() -> None:
    isa = set_of("ppc")
    found = [decoder.walk(decoder.build(isa), word) for word in (0xFDFE058E, 0xFFFE058E)]           # mtfsf 255, f0 without and with L
    assert None not in found
    assert found[0] == found[1]


def test_what_is_left_out_of_the_oracle_has_rows_here() -> None:
    assert {form.mnemonic.rstrip(".") for form in forms("ppc64le", everything=True).values()} & LEFT_OUT.keys()
