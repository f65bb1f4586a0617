"""`python -m bench`: what it measures of which architecture, and the page it writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import build, cold, jobs, report
from bench.budgets import LIMITS, TITLES, budgets
from bench.measure import Result, Run, WrongError, _checked

if TYPE_CHECKING:
    from pathlib import Path


def results(arch: str, speed: float) -> list[Result]:
    """Return a result for each job of an architecture, all of one speed."""
    own = [c for c in jobs.candidates() if c.arch == arch]
    return [Result(f"{c.name} ({c.build})", c.name, c.group, arch, qemu=speed, xemu=1.0, empty=2.0) for c in own]


def test_every_architecture_has_all_kernels_and_programs_and_its_own_groups() -> None:
    found = {arch: [c for c in jobs.candidates() if c.arch == arch] for arch in jobs.ARCHS}
    for arch, candidates in found.items():
        programs = set(jobs.NAMES) if arch in jobs.DEBIAN else {*jobs.KERNELS, "hello"}
        assert {c.name for c in candidates} - {"firmware"} == programs - {"firmware"}
        assert set(LIMITS[arch]) - {"cold"} <= {c.group for c in candidates}
    x87 = [c for c in found["i386"] if c.build == "x87"]
    assert {c.group for c in x87} == {"x87"}
    assert {c.name for c in x87} == set(jobs.GROUPS["floating point"]) - build.VECTORS


def test_a_section_is_written_anew_and_the_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "DOCS", tmp_path)
    page = report.write([*results("i386", 2.0), *results("arm", 1.5)], 3)
    first = page.read_text(encoding="utf-8")
    headings = [line for line in first.splitlines() if line.startswith("## ")]
    assert headings == ["## ARM: A32, T32 and Cortex-M", "## i386"]
    assert "| hot x87 code | 2 × QEMU | ≥ 1 | ≥ 2 | aim reached |" in first
    report.write(results("x86_64", 0.5), 1)
    second = page.read_text(encoding="utf-8")
    before, _, rest = second.partition("## x86-64\n")
    own, _, after = rest.partition("## i386\n")
    assert before.strip() == first.partition("## i386\n")[0].strip()
    assert after == first.partition("## i386\n")[2]
    assert "| hot integer code | 0.5 × QEMU | ≥ 1.3 | ≥ 2 | missed |" in own
    assert {p.name for p in tmp_path.iterdir()} == {"performance.md", "performance.svg", "performance-x86_64.svg", "performance-i386.svg"}


def test_a_system_calls_time_counts_the_repetitions() -> None:
    hello = Result("hello", "hello", "start-up", "i386", qemu=1, xemu=0.5)
    calls = Result("syscalls", "syscalls", "system calls", "i386", qemu=1, xemu=2.5, repeat=4)
    (row,) = [row for row in budgets([hello, calls], "i386") if row.what == "a system call"]
    assert row.value == pytest.approx(1.0)
    assert {row.what for row in budgets([], "x86_64")} >= {TITLES["floating point, AVX2 and FMA"], "cold code"}


@pytest.mark.parametrize("code", [-4, 132])
def test_an_instruction_that_is_missing_is_named(code: int) -> None:
    with pytest.raises(WrongError, match=r"SIGILL: an instruction that xemu does not have: 00401044 660fefd2 pxor xmm2, xmm2"):
        _checked(Run(1, b"", code, errors="xemu: SIGILL\nxemu:      00401044 660fefd2    pxor xmm2, xmm2"), Run(1, b"1", 0))


def test_the_cold_program_is_as_long_for_all_and_changes_no_stack_pointer() -> None:
    texts = cold.sources()
    assert len({text.count("call f") + text.count("bl f") for text in texts.values()}) == 1
    assert texts["i386"].count("pushl") == texts["i386"].count("addl $4, %esp") > 1_000
