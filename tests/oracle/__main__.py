"""Compare the rows of ARM with QEMU: `python -m tests.oracle [--isa a32] [--count 4] [--seed N] [NAME] [-- OPTIONS]`.

NAME selects rows by a part of their name; OPTIONS go to `xemu run` (as --no-jit). Prints what differs.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.oracle.compare import report
from tests.oracle.machine import build, run_program
from tests.oracle.rows import row_cases
from tests.support.programs import QEMU, XEMU


def main() -> int:
    """Run the comparison and return 1 if anything differs."""
    words = sys.argv[1:]
    options = words[words.index("--") + 1 :] if "--" in words else []
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("name", nargs="?", default="")
    parser.add_argument("--isa", default="a32,t32,t16")
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--limit", type=int, default=20)
    chosen = parser.parse_args(words[: words.index("--")] if "--" in words else words)

    from xemu.targets.registry import get_target

    get_target("arm").load_rows()
    from xemu.targets.arm import isa

    rng = random.Random(chosen.seed)
    cases = list(row_cases([getattr(isa, name) for name in chosen.isa.split(",")], rng, chosen.count, named=chosen.name))
    print(f"{len(cases)} cases, --seed {chosen.seed}")
    with tempfile.TemporaryDirectory() as directory:
        program = build(cases, Path(directory))
        expected = run_program(program, QEMU, len(cases))
        got = run_program(program, [*XEMU, "run", *options], len(cases))
        text = report(cases, expected, got, chosen.limit)
    print(text or "all equal")
    return bool(text)


if __name__ == "__main__":
    raise SystemExit(main())
