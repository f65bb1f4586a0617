"""docs/performance.md and its plot."""

from __future__ import annotations

import math
import os
import platform
import subprocess
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.budgets import SLOWER, budgets, geometric_mean

if TYPE_CHECKING:
    from bench.measure import Result

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
INTRODUCTION: Final = """\
Written by `make bench`; do not edit. One run, all three side by side on the same machine, medians of {rounds}
alternating runs. Times are wall clock from the start of the process to its end and include xemu's start.
Machine: {machine}.

A job's output was compared with QEMU's before it was measured. “Empty cache” is the very first run; the next column
follows runs that filled the cache."""
LEAST: Final = {"integer": 1.5, "floating point": 3.0, "indirect calls": 1.0}


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _times(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}×"


def machine() -> str:
    """Return one line about the machine and the versions; nothing that names it."""
    model = "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0] if lines else model
    version = subprocess.run(["qemu-arm", "--version"], capture_output=True, text=True, check=False).stdout
    qemu = version.splitlines()[0].partition("(")[0].replace("version", "").strip() if version else "no QEMU"
    return f"{model}, {os.cpu_count()} cores; {qemu}; Python {platform.python_version()}"


def table(results: list[Result]) -> str:
    """Return the table of all jobs, with the geometric mean of each group that has several."""
    lines = [
        "| job | native s | QEMU s | xemu, empty cache s | xemu s | speed, QEMU = 1 | time, native = 1 |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for group in dict.fromkeys(result.group for result in results):
        members = [result for result in results if result.group == group]
        lines.append(f"| **{group}** | | | | | | |")
        lines += [_line(result) for result in members]
        if len(members) > 2:
            mean, native = (geometric_mean(getattr(r, n) for r in members) for n in ("speed", "to_native"))
            lines.append(f"| *geometric mean* | | | | | **{_times(mean)}** | {_times(native)} |")
    return "\n".join(lines)


def _line(result: Result) -> str:
    times = (_seconds(getattr(result, name)) for name in ("native", "qemu", "empty", "xemu"))
    if result.failure:
        native, qemu, *_ = times
        return f"| {result.label} | {native} | {qemu} | fails: {result.failure.replace('|', '/')} | – | – | – |"
    return f"| {result.label} | {' | '.join(times)} | {_times(result.speed)} | {_times(result.to_native)} |"


def budget_table(results: list[Result]) -> str:
    """Return the budgets of design.md §9 with the measured values."""
    lines = ["| what | measured | at least | aim | |", "|---|--:|--:|--:|---|"]
    for row in budgets(results):
        value = "–" if row.value is None else f"{row.value:.3g} {row.unit}"
        verdict = f"{row.verdict}: {row.why}" if row.why else row.verdict
        sign = "≤" if row.lower else "≥"
        lines.append(f"| {row.what} | {value} | {sign} {row.least:g} | {sign} {row.aim:g} | {verdict} |")
    return "\n".join(lines)


def slower(results: list[Result]) -> str:
    """Return the list of what is slower than QEMU, each with its reason and plan."""
    lines = [
        f"- **{result.label}** ({_times(result.speed)}): {SLOWER.get(result.name, 'not explained yet')}"
        for result in results
        if result.speed and result.speed < 1
    ]
    return "\n".join(lines) or "Nothing."


def plot(results: list[Result]) -> str:
    """Return an SVG: one bar per job, speed as a multiple of QEMU's on a logarithmic scale."""
    known = [result for result in results if result.speed]
    left, width, step, top = 210, 560, 16, 40
    speeds = [result.speed or 1 for result in known]
    low, high = min([0.25, *speeds]), max([4, *speeds])
    span = math.log(high / low)

    def at(value: float) -> float:
        return left + width * math.log(value / low) / span

    bottom = top + step * len(known)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 60} {bottom + 20}" '
            'font-family="sans-serif" font-size="11">'
        ),
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{left}" y="16" font-size="13">Speed of xemu as a multiple of QEMU user mode (logarithmic)</text>',
    ]
    for mark in (0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32):
        if low <= mark <= high:
            colour = "#333" if mark == 1 else "#ccc"
            parts.append(f'<line x1="{at(mark):.1f}" x2="{at(mark):.1f}" y1="{top - 6}" y2="{bottom}" stroke="{colour}"/>')
            parts.append(f'<text x="{at(mark):.1f}" y="{top - 9}" text-anchor="middle">{mark:g}</text>')
    for row, result in enumerate(known):
        y, speed = top + row * step, result.speed or 1
        colour = "#2a7" if speed >= LEAST.get(result.group, 1) else "#d95" if speed >= 1 else "#c44"
        x, end = sorted((at(1), at(speed)))
        parts += [
            f'<text x="{left - 6}" y="{y + 11}" text-anchor="end">{escape(result.label)}</text>',
            f'<rect x="{x:.1f}" y="{y + 2}" width="{max(end - x, 1):.1f}" height="{step - 4}" fill="{colour}"/>',
            f'<text x="{max(end, at(1)) + 4:.1f}" y="{y + 11}">{speed:.2f}</text>',
        ]
    return "\n".join([*parts, "</svg>\n"])


def write(results: list[Result], rounds: int) -> Path:
    """Write docs/performance.md and docs/performance.svg; return the page."""
    notes = [f"- {result.label}: {result.note}." for result in results if result.note]
    page = "\n\n".join([
        "# Performance",
        INTRODUCTION.format(rounds=rounds, machine=machine()),
        "![speed against QEMU](performance.svg)",
        "## Budgets", budget_table(results),
        "## All jobs", table(results),
        "## Slower than QEMU, and what is planned", slower(results),
        *(["## Notes", "\n".join(notes)] if notes else []),
    ])  # fmt: skip
    DOCS.mkdir(exist_ok=True)
    (DOCS / "performance.svg").write_text(plot(results))
    (DOCS / "performance.md").write_text(page + "\n")
    return DOCS / "performance.md"
