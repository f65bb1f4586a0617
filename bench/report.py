"""docs/performance.md and its plot."""

from __future__ import annotations

import math
import os
import platform
import subprocess
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.budgets import LIMITS, SLOWER, WHY, budgets, geometric_mean

if TYPE_CHECKING:
    from bench.measure import Result

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
TITLES: Final = {"arm": "ARM: A32, T32 and Cortex-M",
                 "x86_64": "x86-64", "i386": "i386", "ppc64le": "ppc64le", "ppc": "PowerPC, 32-bit big-endian"}
INTRODUCTION: Final = """\
# Performance

Written by `make bench`; do not edit. All of a job's runs are side by side on the same machine; figures are medians of alternating
runs. Times are wall clock from the start of the process to its end and include xemu's start. A job's output was compared with
QEMU's before it was measured. “Empty cache” is the very first run; the next column follows runs that filled the cache.

`python -m bench --arch ARCH` measures one architecture and writes its section anew."""
SECTION: Final = """\
## {title}

Medians of {rounds} runs. Machine: {machine}.

![speed against QEMU]({plot})"""


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _times(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}×"


def machine(qemu: str = "qemu-arm") -> str:
    """Return one line about the machine and the versions; nothing that names it."""
    model = "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0] if lines else model
    version = subprocess.run([qemu, "--version"], capture_output=True, text=True, check=False).stdout
    name = version.splitlines()[0].partition("(")[0].replace("version", "").strip() if version else "no QEMU"
    return f"{model}, {os.cpu_count()} cores; {name}; Python {platform.python_version()}"


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


def budget_table(results: list[Result], arch: str) -> str:
    """Return the budgets of design.md §9 with an architecture's measured values."""
    lines = ["| what | measured | at least | aim | |", "|---|--:|--:|--:|---|"]
    for row in budgets(results, arch):
        value = "–" if row.value is None else f"{row.value:.3g} {row.unit}"
        why = WHY.get(arch, {}).get(row.what) if row.verdict == "missed" else None
        verdict = f"{row.verdict}: {why}" if why else row.verdict
        sign = "≤" if row.lower else "≥"
        lines.append(f"| {row.what} | {value} | {sign} {row.least:g} | {sign} {row.aim:g} | {verdict} |")
    return "\n".join(lines)


def slower(results: list[Result]) -> str:
    """Return the list of what is slower than QEMU, each with its reason and plan."""
    lines = [
        f"- **{result.label}** ({_times(result.speed)}): {SLOWER.get(result.arch, {}).get(result.name, 'not explained yet')}"
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

    bottom, least = top + step * len(known), LIMITS[results[0].arch]
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
        colour = "#2a7" if speed >= least.get(result.group, (1,))[0] else "#d95" if speed >= 1 else "#c44"
        x, end = sorted((at(1), at(speed)))
        parts += [
            f'<text x="{left - 6}" y="{y + 11}" text-anchor="end">{escape(result.label)}</text>',
            f'<rect x="{x:.1f}" y="{y + 2}" width="{max(end - x, 1):.1f}" height="{step - 4}" fill="{colour}"/>',
            f'<text x="{max(end, at(1)) + 4:.1f}" y="{y + 11}">{speed:.2f}</text>',
        ]
    return "\n".join([*parts, "</svg>\n"])


def section(results: list[Result], arch: str, rounds: int) -> str:
    """Return an architecture's part of the page."""
    notes = [f"- {result.label}: {result.note}." for result in results if result.note]
    return "\n\n".join([
        SECTION.format(title=TITLES[arch], rounds=rounds, machine=machine(f"qemu-{arch}"), plot=_plot_name(arch)),
        "### Budgets", budget_table(results, arch),
        "### All jobs", table(results),
        "### Slower than QEMU, and what is planned", slower(results),
        *(["### Notes", "\n".join(notes)] if notes else []),
    ])  # fmt: skip


def _plot_name(arch: str) -> str:
    return "performance.svg" if arch == "arm" else f"performance-{arch}.svg"


def write(results: list[Result], rounds: int) -> Path:
    """Write the sections of the architectures that were measured into docs/performance.md, and their plots; return the page."""
    page = DOCS / "performance.md"
    before = page.read_text(encoding="utf-8").split("\n## ")[1:] if page.exists() else []
    kept = {text.partition("\n")[0]: f"## {text.strip()}" for text in before}
    for arch in TITLES:
        own = [result for result in results if result.arch == arch]
        if own:
            kept[TITLES[arch]] = section(own, arch, rounds)
            (DOCS / _plot_name(arch)).write_text(plot(own), encoding="utf-8")
    page.write_text("\n\n".join([INTRODUCTION, *(kept[title] for title in TITLES.values() if title in kept)]) + "\n", encoding="utf-8")
    return page
