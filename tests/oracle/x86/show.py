"""One instruction on the host, by hand: what it changes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.oracle.x86 import driver as d
from tests.oracle.x86.compare import differences, how, situation
from tests.oracle.x86.native import Native
from tests.oracle.x86.rows import disassembled
from tests.oracle.x86.state import NAMES, Case, Outcome
from tests.oracle.x86.values import random_state

if TYPE_CHECKING:
    from collections.abc import Sequence


def show(code: bytes, bits: int, seed: int, values: Sequence[str]) -> None:
    """Run `code` from a random state with some registers given ("rax=5", "flags=0x41", "ymm3=…") and print what changed."""
    state = random_state(random.Random(seed), bits, want_x87=True)
    case = Case(code, state, bits=bits, step=False)
    state.rip = case.at
    for word in values:
        name, _, number = word.partition("=")
        value = int(number, 0)
        if name in NAMES:
            state.r[NAMES.index(name)] = value
        elif name.startswith(("ymm", "xmm")):
            state.v[int(name[3:])] = value
        elif name.startswith("fpr"):
            state.fpr[int(name[3:])] = value
        else:
            setattr(state, name, value)
    text = disassembled(code, bits, case.at)
    print(f"{bits}-bit {code.hex(' ')}: {text}  --seed {seed}\n      {situation(case, text)}")
    with Native() as native:
        outcome = native.run([case])[0]
    print(f"→ {how(outcome)}")
    for line in differences(case, outcome, Outcome(outcome.ended, state, {}, outcome.vector, address=outcome.address)):
        left, _, right = line.partition(", expected ")
        print(f"  {left.replace(': ', ' was ', 1)}, is {right}")


__all__ = ["d", "show"]
