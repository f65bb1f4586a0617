"""`python -m bench [--quick] [--rounds N] [--print] [NAME…]`: measure all jobs or the named ones.

A full run writes docs/performance.md; a selection or --quick only prints.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from typing import Final

from bench import build, jobs, measure, report

ROUNDS: Final = 5
INTERPRETED: Final = ("sieve", "crc", "sort", "bytecode", "fib")  # also measured with --no-jit


def main() -> int:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(jobs.KERNELS + jobs.PROGRAMS)}")
    parser.add_argument("--quick", action="store_true", help="one round, A32 only")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--no-interpreter", action="store_true", help="leave out the --no-jit runs")
    options = parser.parse_args()
    if unknown := set(options.names) - {*jobs.KERNELS, *jobs.PROGRAMS}:
        parser.error(f"no job named {', '.join(sorted(unknown))}")
    names = options.names or jobs.KERNELS + jobs.PROGRAMS
    rounds = 1 if options.quick else options.rounds
    build.build([name for name in names if name in jobs.KERNELS])
    results = []
    for job in _selected(names, quick=options.quick):
        alone = not options.no_interpreter and job.name in INTERPRETED and job.build == "arm"
        results.append(measure.measure(job, rounds, interpreter=alone))
        _print_line(results[-1])
    _memory(results)
    print("\n" + report.budget_table(results))
    if not options.names and not options.quick:
        build.BUILD.mkdir(parents=True, exist_ok=True)
        (build.BUILD / "results.json").write_text(json.dumps([asdict(result) for result in results], indent=1))
        page = report.write(results, rounds)
        print(f"\nwritten: {page.relative_to(jobs.ROOT)}")
    return sum(1 for result in results if result.failure)


def _selected(names: list[str], *, quick: bool) -> list[jobs.Job]:
    found = [*jobs.kernel_jobs(names), *jobs.program_jobs(names), *jobs.firmware_jobs(names)]
    return [job for job in found if not quick or job.build != "thumb"]


def _print_line(result: measure.Result) -> None:
    if result.failure:
        print(f"{result.label:32} fails: {result.failure}", flush=True)
        return
    cells = [("native", result.native), ("qemu", result.qemu), ("empty", result.empty), ("xemu", result.xemu)]
    cells += [("no-jit", result.interpreter)] if result.interpreter else []
    text = "  ".join(f"{name} {value:7.3f}" if value is not None else f"{name}       –" for name, value in cells)
    print(f"{result.label:32} {text}  = {result.speed or 0:5.2f} × QEMU", flush=True)


def _memory(results: list[measure.Result]) -> None:
    """Measure peak memory of hello in a process of its own, whose children nothing else has used."""
    for result in results:
        if result.name == "hello" and not result.failure:
            code = "from bench import jobs, measure; print(measure.timed(jobs.program_jobs(['hello'])[0].xemu_command()).megabytes)"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=jobs.ROOT)
            result.megabytes = float(done.stdout) if done.returncode == 0 else None


if __name__ == "__main__":
    raise SystemExit(main())
