"""Steps while the program counter is in a range. What repeats in it runs at full speed, to points around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.debug.disassembly import disassemble
from xemu.debug.stops import StopKind

if TYPE_CHECKING:
    from xemu.debug.stepping import Stepping
    from xemu.debug.stops import Stop

PATIENCE = 48            # instructions that are stepped before points are set around their code


def step_range(motion: Stepping, within: range, thread: int | None = None) -> Stop:
    """Execute instructions of a thread until the next one is outside of a range."""
    debugger, stepped, around = motion.debugger, 0, list[int]()
    while True:
        stop = motion.breathe() or motion.instruction(thread)
        if stop.kind is not StopKind.STEP or debugger.pc not in within:
            return stop
        stepped += 1
        if stepped == PATIENCE:
            around = exits(motion, within, into=True)
        found = motion.arrived()
        if found is None and around and debugger.pc not in around:
            found = motion.run_to(around, lambda: debugger.system.thread == motion.thread)
        if found is not None:
            return found
        if debugger.pc not in within:
            return motion.done()


def exits(motion: Stepping, within: range, *, into: bool) -> list[int]:
    """Return the addresses at which some code is left, or where only stepping shows what happens; none: nobody can say.

    `into`: calls leave it, too.
    """
    source = motion.source
    mode = source.architecture.mode_of(source.registers())
    found, at = {within.stop}, within.start
    while at in within:
        line = disassemble(source.read_memory, at, 1, mode, source.latest, source.architecture)[0]
        if not line.size:
            return []
        kind = source.rules.flow(line.mnemonic, line.operands)
        if (kind == "jump" and line.target is None) or (kind == "call" and into):
            found.add(at)
        elif kind == "jump" and line.target is not None and line.target not in within:
            found.add(line.target)
        at += line.size
    return sorted(found)


__all__ = ["PATIENCE", "exits", "step_range"]
