"""docs/isa-*.md: up to date; ARM and PowerPC are complete by the manual's index, x86 by what CPUID says."""

from __future__ import annotations

import re

import pytest

from xemu.targets.arm import m_target, target
from xemu.targets.arm.isa import a32, t16, t32
from xemu.targets.arm.m_isa import FEATURES, m16, m32
from xemu.targets.x86.cpuid import flag_names
from xemu.targets.x86.isa import X86Row, x86
from xemu.targets.x86.target import X86_64
from xemu.tools import isa_ppc, isa_x86
from xemu.tools.isa_doc import LAST_SECTION, WITHOUT_ROW, main, sections, title

target.load_rows()
m_target.load_rows()
X86_64.load_rows()
X86_ROWS = [row for row in x86.rows if isinstance(row, X86Row)]
ROWS = [row for isa in (a32, t16, t32) for row in isa.rows]


def test_every_section_of_the_index_has_rows_or_a_reason() -> None:
    cited = sections(ROWS)
    assert {n for n in range(1, LAST_SECTION + 1) if n not in cited} == set(WITHOUT_ROW)


def test_every_row_cites_the_manual() -> None:
    assert [row.name for row in ROWS if not re.search(r"ARM ARM [AB]\d+\.\d", title(row))] == []


def test_every_row_of_the_m_profile_cites_a_manual_and_says_what_it_needs() -> None:
    rows = [*m16.rows, *m32.rows]
    assert [r.name for r in rows if not re.search(r"ARM ARM [AB]\d+\.\d|ARMv7-M ARM [AB]\d\.\d", title(r))] == []
    assert {r.features for r in rows} == set(FEATURES)


def test_every_instruction_that_cpuid_announces_has_a_row_or_a_reason() -> None:
    assert isa_x86.missing(X86_ROWS) == []
    assert isa_x86.narrow(X86_ROWS) == []                # AVX2: integers of 256 bits


def test_the_lists_of_x86_are_those_of_the_features_and_no_reason_is_old() -> None:
    flags = {flag for group in isa_x86.GROUPS for flag in group.flags} - {"osxsave"}       # Linux does not show that one
    assert flags | set(isa_x86.WITHOUT_INSTRUCTIONS) == set(flag_names())
    names = {isa_x86.mnemonic(row) for row in X86_ROWS}
    assert names & set(isa_x86.WITHOUT_ROW) == set()
    assert [row.name for row in X86_ROWS if isa_x86.group_of(row) is None] == []


@pytest.mark.parametrize("name", isa_ppc.BOTH)
def test_every_instruction_of_power_has_a_row_or_a_reason(name: str) -> None:
    assert isa_ppc.missing(name) == []


@pytest.mark.parametrize("name", isa_ppc.BOTH)
def test_every_row_of_power_is_in_the_manuals_lists_and_has_a_title(name: str) -> None:
    assert isa_ppc.unknown(name) == []
    assert [row.name for row in isa_ppc.rows_of(name) if not title(row).endswith(".")] == []


def test_the_lists_of_power_name_nothing_twice_and_no_reason_is_old() -> None:
    listed = [(target, name) for group in isa_ppc.GROUPS for target in group.targets for name in group.mnemonics]
    assert len(listed) == len(set(listed))
    assert {name for _, name in listed} >= set(isa_ppc.WITHOUT_ROW)
    rows = {isa_ppc.mnemonic(row) for name in isa_ppc.BOTH for row in isa_ppc.rows_of(name)}
    assert rows & set(isa_ppc.WITHOUT_ROW) == set()


def test_the_files_are_up_to_date() -> None:
    assert main(["--check"]) == 0
