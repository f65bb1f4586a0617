"""Timing: alternating runs of the three runners, medians, equal output."""

from __future__ import annotations

import os
import re
import resource
import signal
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.jobs import Job

LIMIT: Final = 120.0  # seconds a single run may take


@dataclass
class Run:
    """One run: wall-clock seconds, output, exit code, peak memory in megabytes."""

    seconds: float
    output: bytes
    code: int
    megabytes: float = 0.0
    errors: str = ""


@dataclass
class Result:
    """The medians of one job, in seconds; None where it did not run. `failure` says why xemu's are missing."""

    label: str
    name: str
    group: str
    arch: str
    native: float | None = None
    qemu: float | None = None
    empty: float | None = None
    xemu: float | None = None
    interpreter: float | None = None
    insns: int | None = None
    megabytes: float | None = None
    failure: str = ""
    note: str = ""
    repeat: int = 1
    runs: dict[str, list[float]] = field(default_factory=dict)

    @property
    def speed(self) -> float | None:
        """Return how many times as fast as QEMU xemu is with a warm cache."""
        return self.qemu / self.xemu if self.qemu and self.xemu else None

    @property
    def to_native(self) -> float | None:
        """Return how many times as long as the native build xemu takes."""
        return self.xemu / self.native if self.native and self.xemu else None


class WrongError(Exception):
    """A run under xemu failed or gave another output."""


def timed(command: Sequence[str | Path], stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Run:
    """Run a command; wall-clock time includes start and end of the process."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as errors:
        source.write(stdin)
        source.seek(0)
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=source, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **(env or {})},
        )  # fmt: skip
        try:
            output, _ = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return Run(LIMIT, b"", 124, errors=f"longer than {LIMIT:.0f} s")
        seconds = time.perf_counter() - start
        errors.seek(0)
        return Run(seconds, output, process.returncode, _peak(), errors.read().decode(errors="replace"))


def _peak() -> float:
    """Return the largest resident size of any child so far; meaningful in a fresh process only."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def measure(job: Job, rounds: int, *, interpreter: bool) -> Result:
    """Measure a job under all its runners, alternating, xemu first with an empty cache."""
    result = Result(job.label, job.name, job.group, job.arch, note=job.note, repeat=job.repeat)
    stdin = job.stdin() if job.stdin else b""
    expected = timed(job.qemu, stdin)
    with tempfile.TemporaryDirectory(prefix="xemu-bench-") as cache:
        env = {"XDG_CACHE_HOME": cache}
        runners: dict[str, tuple[Sequence[str | Path], Mapping[str, str]]] = {"qemu": (job.qemu, {})}
        if job.native:
            runners["native"] = (job.native, {})
        try:
            result.empty = _checked(timed(job.xemu_command(), stdin, env), expected).seconds
            for _ in range(job.settle - 1):
                _checked(timed(job.xemu_command(), stdin, env), expected)
            if interpreter:
                run = _checked(timed(job.xemu_command("--no-jit", "--stats"), stdin, env), expected)
                result.interpreter, result.insns = run.seconds, instructions(run.errors)
            runners["xemu"] = (job.xemu_command(), env)
        except WrongError as error:
            result.failure = str(error)
        times: dict[str, list[float]] = {name: [] for name in runners}
        for _ in range(rounds):
            for name, (command, extra) in runners.items():
                times[name].append(timed(command, stdin, extra).seconds)
    for name, values in times.items():
        setattr(result, name, statistics.median(values))
    result.runs = times
    return result


def _checked(run: Run, expected: Run) -> Run:
    if (run.output, run.code) == (expected.output, expected.code):
        return run
    said = run.errors.replace(str(Path.cwd()), ".").strip().splitlines()
    what = "output differs" if run.code == expected.code else f"exit code {run.code} instead of {expected.code}"
    if run.code in (-signal.SIGILL, 128 + signal.SIGILL):
        what = "SIGILL: an instruction that xemu does not have"
    raise WrongError(f"{what}: {' '.join(said[-1].removeprefix('xemu:').split())}"[:160] if said else what)


def instructions(text: str) -> int | None:
    """Return the number of guest instructions that --stats reports."""
    match = re.search(r"([\d,_]+)\s+(?:guest )?(?:insns|instructions)|(?:insns|instructions)\W+([\d,_]+)", text)
    return int(re.sub(r"\D", "", match[1] or match[2])) if match else None
