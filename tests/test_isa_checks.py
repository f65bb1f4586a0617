"""The overlap check on small instruction sets."""

from __future__ import annotations

from xemu.core.checks import check_overlaps
from xemu.core.isa import FixedWidthIsa, Reg, Split


def small(*rows: tuple[str, str]) -> FixedWidthIsa:
    """Return an 8-bit instruction set with rows of the given diagrams and where clauses."""
    isa = FixedWidthIsa("tiny", 8, {"S": Split(1), "Rd": Reg(2)})

    def row(cpu: object) -> None:
        """Do nothing."""

    for i, (pattern, where) in enumerate(rows):
        isa.add(row, pattern, f"op{i}", name=f"row{i}", where=where, source=f"rows.py:{i}")
    return isa


def test_rows_with_different_fixed_bits_are_fine():
    assert check_overlaps(small(("0000 S - Rd", ""), ("0001 S - Rd", ""))) == []


def test_a_more_specific_row_is_fine():
    assert check_overlaps(small(("0000 ----", ""), ("0000 11 --", ""))) == []


def test_rows_that_cross_are_told_with_a_word_that_both_match():
    assert check_overlaps(small(("0000 11 --", ""), ("0000 -- 01", ""))) == [
        (
            "rows.py:0: tiny.row0 [0000 11 --] and tiny.row1 [0000 -- 01] (rows.py:1) both match 0d; "
            "fix more bits in one of them, or exclude with where="
        )
    ]


def test_equal_rows_are_told():
    assert len(check_overlaps(small(("0000 ----", ""), ("0000 ----", "")))) == 1


def test_an_exclusion_keeps_rows_apart():
    assert check_overlaps(small(("0000 11 Rd", "Rd != 1"), ("0000 -- 01", ""))) == []


def test_an_exclusion_of_something_else_does_not():
    assert len(check_overlaps(small(("0000 11 Rd", "Rd != 2"), ("0000 -- 01", "")))) == 1
