"""Random words as instructions: do QEMU and xemu agree on what is one, and what it does?

What is an instruction in one of them only, or does another thing, is counted by the name that objdump has for it.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Final

from tests.oracle.kinds import Kinds
from tests.oracle.ppc.campaign import describe
from tests.oracle.ppc.compare import differences
from tests.oracle.ppc.machine import Qemu
from tests.oracle.ppc.rows import LEFT_OUT, disassembled
from tests.oracle.ppc.state import BATCH, CODE, PROLOGUE, SLOT, WRITABLE, Case
from tests.oracle.ppc.tiers import tiers
from tests.oracle.ppc.values import random_state

if TYPE_CHECKING:
    from random import Random

    from tests.oracle.ppc.state import Machine

SYSTEM_CALL, BRANCHES = 17, (16, 18)                  # primary opcodes that are not run
TO_REGISTER: Final = (16, 528, 560)                   # extended opcodes of 19: bclr, bcctr, bctar
#: primary opcodes with extended ones, met more often
RICH: Final = (4, 4, 19, 31, 31, 31, 59, 60, 60, 60, 63, 63, 30, 56, 57, 58, 61, 62)


def word(rng: Random) -> int:
    """Return a random word that may be run."""
    while True:
        value = rng.getrandbits(32)
        if rng.random() < 0.8:
            value = value & 0x3FF_FFFF | rng.choice(RICH) << 26
        if rng.random() < 0.5:
            value &= ~(rng.choice((1, 0x1F << 16, 0x1F << 11, 0x3FF << 11)))      # reserved fields are rarely 0 by chance
        opcode = value >> 26
        if opcode != SYSTEM_CALL and opcode not in BRANCHES and not (opcode == 19 and value >> 1 & 0x3FF in TO_REGISTER):
            return value


def fuzz(seed: int, count: int, machine: Machine) -> Kinds:
    """Return the mismatches of `count` random words."""
    rng, kinds = random.Random(seed), Kinds()
    with Qemu(machine) as qemu:
        engine = tiers(machine)
        for _ in range(0, count, BATCH):
            cases = []
            for i in range(BATCH):
                state = random_state(rng, machine)
                state.pc = CODE + i * SLOT + PROLOGUE
                for n in range(32):
                    if rng.random() < 0.6:
                        state.r[n] = WRITABLE + 0x1000 + (rng.randrange(-0x800, 0x800) & -16)
                cases.append(Case([word(rng)], state, machine, at=state.pc))
            texts = disassembled([case.words[0] for case in cases], machine.name)
            expected = qemu.run(cases)
            got = engine.outcomes(cases, ("evaluator",))["evaluator"]
            for one, theirs, mine, text in zip(cases, expected, got, texts, strict=True):
                name = text.partition(" ")[0]
                if name in LEFT_OUT or not (lines := differences(one, theirs, mine, name)):
                    continue
                what = lines[0] if "undefined" in lines[0] else re.sub(r": .*", "", lines[0])
                what = re.sub("^([a-z]+)[0-9]+", r"\1", what)
                kinds.add(f"{name} {one.words[0] >> 26}: {what}", one, lines)
    return kinds


def report(seed: int, count: int, machine: Machine, show: int) -> int:
    """Print what differs; return 1 if anything does."""
    return fuzz(seed, count, machine).report(describe, show)
