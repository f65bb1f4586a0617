"""The budgets of design.md §9 that user mode touches, for each architecture: what was measured, and why where it falls short."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.measure import Result

# Written by hand, kept here because the page is generated: architecture, budget or kernel → why it is missed and what to do.
WHY: Final[dict[str, dict[str, str]]] = {"arm": {
    "shell loop of 200 × `/bin/true`": (
        "a start of the dynamic loader each, half of it system calls in Python; the figure varies with the machine between 0.95 and 1.16"
    ),
    "a 2 s QEMU job (python3), empty cache": (
        "about 480 handlers at 3.3 ms are compiled while the evaluator stands in (2 s), then the interpreter runs until the "
        "regions of the hot code are there. Planned: cheaper selection of handlers' machine code, a worker that processes share"
    ),
    "a 2 s QEMU job (python3), warm cache": (
        "a flat profile over hundreds of functions: regions are left after some thirty instructions, and each change stores "
        "and loads all registers it uses. Planned: exits bound to their targets, registers passed on in host registers"
    ),
}}
SLOWER: Final[dict[str, dict[str, str]]] = {"arm": {
    "syscalls": "a system call is Python, about 2 µs. Planned: native answers for the frequent calls that change nothing.",
    "hello": "nothing runs long enough: Python's own start is half of it, and the native functions are loaded in the rest.",
    "python3": "see the budget above.",
    "interrupts": "the timer's event and the exception's entry are Python, about 40 µs together here. Planned: entry as a row, "
                  "as SVC has it.",
    "switches": "asking for PendSV is a register write that enters Python, 10 µs; entry, switch and return are native. "
                "Planned: pending bits in native cells.",
    "uart": "5 MB/s; half of the time is xemu's start. QEMU's figure is without a device behind its serial line.",
    "shell": "see the budget above.",
    "copy": "a page check for each access of the loop; noise of the machine decides.",
    "chase": "dependent loads: the page check adds to each.",
    "gzip": "three quarters are spent in a loop of byte compares whose flags stay alive over many exits; three flag words are "
            "written for each compare. Planned: flags computed where a region is left.",
    "crc": "one chain of dependent loads, where no translator wins; xemu's page check is one load more.",
    "hash": "multiplications that depend on each other, as fast as the processor; page checks are the rest.",
}}  # fmt: skip


@dataclass(frozen=True)
class Budget:
    """A row: what, the measured value with its unit, the least and the aim, and whether lower is better."""

    what: str
    value: float | None
    least: float
    aim: float
    unit: str
    lower: bool = False

    @property
    def verdict(self) -> str:
        """Return "aim reached", "reached", "missed" or "not measured"."""
        if self.value is None:
            return "not measured"
        if self._meets(self.aim):
            return "aim reached"
        return "reached" if self._meets(self.least) else "missed"

    def _meets(self, limit: float) -> bool:
        return self.value is not None and (self.value <= limit if self.lower else self.value >= limit)


def geometric_mean(values: Iterable[float | None]) -> float | None:
    """Return the geometric mean of the numbers that are known."""
    known = [value for value in values if value]
    return statistics.geometric_mean(known) if known else None


#: hot integer code, floating point, indirect calls, cold code (of QEMU's time): the least and the aim
LIMITS: Final = {
    "arm": {"integer": (1.5, 2), "floating point": (3, 8), "indirect calls": (1, 2), "cold": (0.5, 0.2)},
    "x86_64": {"integer": (1.3, 2), "floating point": (3, 8), "floating point, AVX2 and FMA": (3, 8), "indirect calls": (1, 2),
               "cold": (1, 0.5)},
    "i386": {"integer": (1.3, 2), "floating point": (3, 8), "x87": (1, 2), "indirect calls": (1, 2), "cold": (1, 0.5)},
    "ppc64le": {"integer": (1.5, 2), "floating point": (5, 8), "indirect calls": (1, 2), "cold": (1, 0.5)},
    "ppc": {"integer": (1.5, 2), "floating point": (5, 8), "indirect calls": (1, 2), "cold": (1, 0.5)},
}
TITLES: Final = {
    "integer": "hot integer code", "floating point": "hot floating-point and SIMD code",
    "floating point, AVX2 and FMA": "the same for x86-64-v3", "x87": "hot x87 code", "indirect calls": "indirect calls and returns",
}


def budgets(results: list[Result], arch: str) -> list[Budget]:
    """Return an architecture's rows, in the order of design.md §9."""
    own = [result for result in results if result.arch == arch]
    by_name = {result.name: result for result in own}
    limits = LIMITS[arch]

    def ratio(name: str, of: str) -> float | None:
        result = by_name.get(name)
        seconds = getattr(result, of) if result else None
        return seconds / result.qemu if result and result.qemu and seconds else None

    hello = by_name.get("hello")
    rows = [
        Budget(title, geometric_mean(result.speed for result in own if result.group == group), *limits[group], "× QEMU")
        for group, title in TITLES.items() if group in limits
    ]
    if arch == "arm":                                # its instructions are the unit of that figure
        rows.append(Budget("interpreter alone, scaled to QEMU at 1,600 M insns/s", _interpreter(own), 350, 600, "M insns/s"))
    return [
        *rows,
        Budget("cold code", ratio("cold", "xemu"), *limits["cold"], "× QEMU's time", lower=True),
        Budget("a 2 s QEMU job (python3), empty cache", ratio("python3", "empty"), 3, 1.5, "× QEMU's time", lower=True),
        Budget("a 2 s QEMU job (python3), warm cache", ratio("python3", "xemu"), 1, 0.5, "× QEMU's time", lower=True),
        Budget("`xemu run hello`, warm cache, to exit", hello.xemu if hello else None, 0.35, 0.15, "s", lower=True),
        Budget("shell loop of 200 × `/bin/true`", ratio("shell loop of 200 × /bin/true", "xemu"), 1, 0.5,
               "× QEMU's time", lower=True),
        Budget("a system call", _system_call(by_name), 5, 2, "µs", lower=True),
        Budget("first run ever, to the first output", hello.empty if hello else None, 5, 2, "s", lower=True),
        Budget("memory over the guest's own", hello.megabytes if hello else None, 200, 120, "MB", lower=True),
    ]  # fmt: skip


def _interpreter(results: list[Result]) -> float | None:
    """Return instructions per second of --no-jit, as if QEMU ran 1,600 M a second on each kernel."""
    known = [r for r in results if r.interpreter and r.insns and r.qemu and r.group == "integer"]
    return geometric_mean(1600 * r.qemu / r.interpreter for r in known if r.qemu and r.interpreter)


def _system_call(by_name: dict[str, Result]) -> float | None:
    calls, hello = by_name.get("syscalls"), by_name.get("hello")
    if not calls or not hello or calls.xemu is None or hello.xemu is None:
        return None
    return (calls.xemu - hello.xemu) / (500_000 * calls.repeat) * 1e6
