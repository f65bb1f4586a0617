"""`python -m bench [--arch ARCH] [--group GROUP] [--quick] [--rounds N] [NAME…]`: measure all jobs or those that are named.

What is measured in full of an architecture becomes its section in docs/performance.md; a selection or --quick only prints.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from typing import Final

from bench import build, jobs, measure, report
from xemu.errors import XemuError

ROUNDS: Final = 5
INTERPRETED: Final = ("sieve", "crc", "sort", "bytecode", "fib")  # also measured with --no-jit


def main() -> int:
    """Measure, print, and write the page."""
    known = jobs.candidates()
    groups = list(dict.fromkeys(c.group for c in known))
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(jobs.NAMES)}")
    parser.add_argument("--arch", action="append", choices=jobs.ARCHS, help="only this architecture; may be given again")
    parser.add_argument("--group", action="append", metavar="GROUP", help=f"only groups that begin so, of {', '.join(groups)}")
    parser.add_argument("--quick", action="store_true", help="one round, without T32")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--no-interpreter", action="store_true", help="leave out the --no-jit runs")
    options = parser.parse_args()
    if unknown := set(options.names) - set(jobs.NAMES):
        parser.error(f"no job named {', '.join(sorted(unknown))}")
    if lost := [g for g in options.group or () if not any(name.startswith(g) for name in groups)]:
        parser.error(f"no group {lost[0]!r}; there are: {', '.join(groups)}")
    rounds = 1 if options.quick else options.rounds
    results = []
    for candidate in known:
        if not _selected(candidate, options):
            continue
        try:
            job = candidate.make()
        except XemuError as error:
            print(f"bench: {error}", file=sys.stderr)
            return error.exit_code
        alone = not options.no_interpreter and job.name in INTERPRETED and job.build in ("arm", "x86-64", "i386")
        results.append(measure.measure(job, rounds, interpreter=alone))
        _print_line(results[-1])
    _memory(results)
    for arch in dict.fromkeys(result.arch for result in results):
        print(f"\n{report.TITLES[arch]}\n{report.budget_table(results, arch)}")
    if not options.names and not options.quick and not options.group:
        build.BUILD.mkdir(parents=True, exist_ok=True)
        (build.BUILD / "results.json").write_text(json.dumps([asdict(result) for result in results], indent=1))
        page = report.write(results, rounds)
        print(f"\nwritten: {page.relative_to(jobs.ROOT)}")
    return sum(1 for result in results if result.failure)


def _selected(candidate: jobs.Candidate, options: argparse.Namespace) -> bool:
    """Say whether a job is to be measured."""
    return not (
        (options.names and candidate.name not in options.names)
        or (options.arch and candidate.arch not in options.arch)
        or (options.group and not candidate.group.startswith(tuple(options.group)))
        or (options.quick and candidate.build == "thumb")
    )


def _print_line(result: measure.Result) -> None:
    label = f"{result.arch:6} {result.label}"
    if result.failure:
        print(f"{label:32} fails: {result.failure}", flush=True)
        return
    cells = [("native", result.native), ("qemu", result.qemu), ("empty", result.empty), ("xemu", result.xemu)]
    cells += [("no-jit", result.interpreter)] if result.interpreter else []
    text = "  ".join(f"{name} {value:7.3f}" if value is not None else f"{name}       –" for name, value in cells)
    print(f"{label:32} {text}  = {result.speed or 0:5.2f} × QEMU", flush=True)


def _memory(results: list[measure.Result]) -> None:
    """Measure peak memory of hello in a process of its own, whose children nothing else has used."""
    for result in results:
        if result.name == "hello" and not result.failure:
            code = f"from bench import jobs, measure; print(measure.timed(jobs.hello({result.arch!r}).xemu_command()).megabytes)"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=jobs.ROOT)
            result.megabytes = float(done.stdout) if done.returncode == 0 else None


if __name__ == "__main__":
    raise SystemExit(main())
