"""One instruction in QEMU, by hand: what it changes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.oracle.ppc.compare import differences, how, situation
from tests.oracle.ppc.machine import Qemu
from tests.oracle.ppc.rows import disassembled
from tests.oracle.ppc.state import NAMES, Case, Machine, Outcome
from tests.oracle.ppc.values import random_state

if TYPE_CHECKING:
    from collections.abc import Sequence


def show(words: Sequence[int], machine: Machine, seed: int, values: Sequence[str]) -> None:
    """Run code from a random state with some registers given ("r3=5", "cr=0x41", "f1=…", "vs3=…", "v2=…") and print what changed."""
    state = random_state(random.Random(seed), machine)
    case = Case(list(words), state, machine)
    state.pc = case.at
    for word in values:
        name, _, text = word.partition("=")
        number = int(text, 0)
        if name in (*NAMES, "vscr"):
            setattr(state, name, number)
        elif name[:1] == "r":
            state.r[int(name[1:])] = number
        elif name[:1] == "f":
            state.vsr[int(name[1:])] = number << 64
        else:
            state.vsr[int(name.lstrip("vs")) + (0 if name.startswith("vs") else 32)] = number
    text = "; ".join(disassembled(words, machine.name))
    print(f"{machine.cpu} {' '.join(f'{word:08x}' for word in words)}: {text}  --seed {seed}\n      {situation(case, text)}")
    with Qemu(machine) as qemu:
        outcome = qemu.run([case])[0]
    print(f"→ {how(outcome)}")
    for line in differences(case, outcome, Outcome(outcome.ended, state, {}, outcome.address), "show"):
        left, _, right = line.partition(", expected ")
        print(f"  {left.replace(': ', ' was ', 1)}, is {right}")
