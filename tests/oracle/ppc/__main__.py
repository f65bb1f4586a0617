"""Compare the rows of PowerPC with QEMU.

    python -m tests.oracle.ppc --rows 'addc|subf' --cases 300      the rows of these mnemonics, 300 cases each, for both targets
    python -m tests.oracle.ppc --cases 1000                        the long campaign: every row
    python -m tests.oracle.ppc --rows 'p64.lwz' --show 5           one row by its id
    python -m tests.oracle.ppc --rows 'v.*' --tier evaluator       only in the evaluator: fast, no compiler
    python -m tests.oracle.ppc --rows 'f.*' --enabled 0            no floating-point exception is enabled (0.5: in half of the cases)
    python -m tests.oracle.ppc --arch ppc64le --fuzz 20000         random words: what decodes here and not there, and what it does
    python -m tests.oracle.ppc --arch ppc --run 7c632215 --seed 7 r3=5 r4=0xffffffff     one instruction in QEMU: what it changes

Rows are chosen by a regular expression for the whole mnemonic, without what Rc and OE append to it ("add" for add, addo, add. and addo.).
For each row: how many cases, how many are wrong and in which tier; for the first wrong ones (`--show`; those with the fewest differences
come first) code, disassembly, the state before, and what differs: "ours, expected QEMU's". A row's cases depend on --seed (printed) and
its id alone, so that a mismatch can be repeated after a change. Exit status 1: mismatches.
All is compared: general registers, CR, XER, LR, CTR, TAR, VRSAVE, FPSCR, VSCR, vector-scalar registers, memory, the signal and its address,
and what a faulting instruction left behind. Not compared: what compare.py and rows.py list with reasons.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from tests.oracle.ppc.machine import missing
from tests.oracle.ppc.state import MACHINES, USUAL
from tests.oracle.ppc.tiers import TIERS


def main() -> int:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.ppc", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="", metavar="PATTERN")
    parser.add_argument("--cases", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 20))
    parser.add_argument("--show", type=int, default=2, help="mismatches to show for each row")
    parser.add_argument("--tier", action="append", choices=TIERS, help="evaluator, handlers, region (default: all)")
    parser.add_argument("--arch", choices=USUAL, help="default: both")
    parser.add_argument("--cpu", choices=MACHINES, help="default: power9 and 7400")
    parser.add_argument("--enabled", type=float, default=0.05, help="how often floating-point exceptions are enabled")
    parser.add_argument("--quiet", action="store_true", help="only rows that are wrong")
    parser.add_argument("--fuzz", type=int, metavar="COUNT", help="random words instead of rows: is it an instruction, and which?")
    parser.add_argument("--run", metavar="WORD[,WORD]")
    parser.add_argument("values", nargs="*", metavar="REGISTER=VALUE")
    chosen = parser.parse_args()
    names = [chosen.cpu] if chosen.cpu else [USUAL[chosen.arch]] if chosen.arch else list(USUAL.values())
    machines = [MACHINES[name] for name in names]
    if why := missing(*[machine.name for machine in machines]):
        print(why)
        return 2
    if chosen.run:
        from tests.oracle.ppc.show import show

        show([int(word, 16) for word in chosen.run.split(",")], machines[0], chosen.seed, chosen.values)
        return 0
    if chosen.fuzz:
        from tests.oracle.ppc.fuzz import report

        print(f"{chosen.fuzz} random words, --seed {chosen.seed}")
        return max(report(chosen.seed, chosen.fuzz, machine, chosen.show) for machine in machines)
    return max(_compare(chosen, name) for name in names)


def _compare(chosen: argparse.Namespace, name: str) -> int:
    from tests.oracle.ppc.campaign import run
    from tests.oracle.ppc.rows import forms

    machine = MACHINES[name]
    found = forms(machine.name, chosen.rows)
    if not found:
        print(f"{machine.name}: no row's mnemonic matches {chosen.rows!r}")
        return 0
    print(f"{machine.name}, QEMU's {name}: {len(found)} rows, {chosen.cases} cases each, --seed {chosen.seed}")
    began, bad, cases = time.time(), 0, 0
    for result in run(found, machine, chosen.seed, chosen.cases, tuple(chosen.tier or TIERS), enabled=chosen.enabled):
        cases += result.cases
        bad += bool(result.wrong)
        if result.wrong or not chosen.quiet:
            print(result.summary())
        if result.wrong:
            print(result.details(chosen.show), flush=True)
    print(f"{cases} cases in {time.time() - began:.0f} s: " + (f"{bad} of {len(found)} rows differ" if bad else "all equal"))
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
