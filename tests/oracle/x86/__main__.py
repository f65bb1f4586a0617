"""Compare the rows of x86 with this host's processor.

    python -m tests.oracle.x86 --rows 'adc|sbb' --cases 300     the rows of these mnemonics, 300 cases each
    python -m tests.oracle.x86 --cases 1000                     the long campaign: every row
    python -m tests.oracle.x86 --rows 'x86.adc#3' --show 5      one row by its id (or by its opcode column: --rows '11 /r')
    python -m tests.oracle.x86 --rows movs. --tier evaluator    only in the evaluator: fast, no compiler
    python -m tests.oracle.x86 --rows 'f.*' --masked            floating point with all its exceptions masked
    python -m tests.oracle.x86 --fuzz 20000 --bits 32           random bytes: what decodes here and not there, and what it does
    python -m tests.oracle.x86 --run 'f3 a4' --bits 32 --seed 7 rcx=5 rdi=0x10002000    one instruction on the host: what it changes

Rows are chosen by a regular expression for the whole mnemonic. For each row: how many cases, how many are wrong and in which tier;
for the first wrong ones (`--show`) bytes, disassembly, the state before, and what differs: "ours, expected the host's".
A row's cases depend on --seed (printed) and its id alone, so that a mismatch can be repeated after a change. Exit status 1: mismatches.
All is compared: registers, all flags (on processors that are not Intel's without those that the manual leaves undefined), vector and x87
registers, MXCSR, memory, the exception and its address, and what a faulting instruction left behind. Not compared: x87's last
instruction, rows in rows.py's LEFT_OUT.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from tests.oracle.x86.native import missing
from tests.oracle.x86.tiers import TIERS


def main() -> int:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.x86", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="", metavar="PATTERN")
    parser.add_argument("--cases", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 20))
    parser.add_argument("--show", type=int, default=2, help="mismatches to show for each row")
    parser.add_argument("--tier", action="append", choices=TIERS, help="evaluator, handlers, region (default: all)")
    parser.add_argument("--bits", type=int, choices=(32, 64), default=0)
    parser.add_argument("--masked", action="store_true", help="no floating-point exception is unmasked")
    parser.add_argument("--quiet", action="store_true", help="only rows that are wrong")
    parser.add_argument("--fuzz", type=int, metavar="COUNT", help="random bytes instead of rows: is it an instruction, and which?")
    parser.add_argument("--run", metavar="BYTES")
    parser.add_argument("values", nargs="*", metavar="REGISTER=VALUE")
    chosen = parser.parse_args()
    if why := missing():
        print(why)
        return 2
    if chosen.run:
        from tests.oracle.x86.show import show

        show(bytes.fromhex(chosen.run), chosen.bits or 64, chosen.seed, chosen.values)
        return 0
    if chosen.fuzz:
        from tests.oracle.x86.fuzz import report

        print(f"{chosen.fuzz} random instructions, --seed {chosen.seed}")
        return report(chosen.seed, chosen.fuzz, chosen.bits or 64, chosen.show)
    from tests.oracle.x86.campaign import run
    from tests.oracle.x86.rows import forms

    found = forms(chosen.rows)
    if chosen.bits:
        found = {name: form.only(chosen.bits) for name, form in found.items() if chosen.bits in form.modes}
    if not found:
        print(f"no row's mnemonic matches {chosen.rows!r}")
        return 2
    print(f"{len(found)} rows, {chosen.cases} cases each, --seed {chosen.seed}")
    began, bad, cases = time.time(), 0, 0
    for result in run(found, chosen.seed, chosen.cases, tuple(chosen.tier or TIERS), masked=chosen.masked):
        cases += result.cases
        bad += bool(result.wrong)
        if result.wrong or not chosen.quiet:
            print(result.summary())
        if result.wrong:
            print(result.details(chosen.show), flush=True)
    print(f"{cases} cases in {time.time() - began:.0f} s: {bad} of {len(found)} rows differ" if bad else
          f"{cases} cases in {time.time() - began:.0f} s: all equal")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
