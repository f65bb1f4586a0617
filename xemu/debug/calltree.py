"""Which function called which in a piece of the past: it is repeated with points where functions begin and where calls return to.

A call belongs to the stack whose innermost known call lies nearest above its stack pointer: threads, tasks and handlers need no
other rule. Functions that are entered without a call (tail calls) take the place of the one that jumped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xemu.core.aside import Aside
from xemu.debug.arm_frames import EXC_RETURN
from xemu.debug.excursion import excursion, go
from xemu.debug.stops import StopKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from xemu.debug.debugger import Debugger
    from xemu.debug.names import Names
    from xemu.debug.stops import Position

NAMELESS = 4_096         # instructions without a symbol that are looked at for calls


@dataclass(slots=True, eq=False)
class Call:
    """One call of a function."""

    pc: int
    position: Position
    depth: int
    returns: int                     # address to which it returns
    sp: int
    end: int = -1                    # instruction count at its return; -1: not yet
    handler: bool = False            # entered by an exception


def entries(d: Debugger, names: Names, executed: Iterable[int]) -> set[int]:
    """Return which of these instructions begin a function: by symbols, else because one of the others calls them."""
    found, nameless = set(), []
    for address in executed:
        module = d.modules.at(address)
        symbol = module.symbol_at(address) if module is not None else None
        if symbol is None:
            nameless.append(address)
        elif d.source.architecture.code(symbol.address) == address and symbol.kind not in ("object", "constant"):
            found.add(address)
    known = set(nameless)
    for address in nameless[:NAMELESS]:
        line = names.line(address)
        if line is not None and line.target is not None and d.source.rules.flow(line.mnemonic, line.operands) == "call":
            found |= known & {d.source.architecture.code(line.target)}
    return found


class Recorder:
    """Follows calls and returns."""

    def __init__(self, d: Debugger, begins: set[int]) -> None:
        self.d, self.begins = d, begins
        self.arch = d.source.architecture
        self.m_profile = d.system.arch.endswith("-m")
        self.calls: list[Call] = []
        self.stacks: list[list[Call]] = []           # the one that was used last is the last

    def record(self, start: int, end: int) -> list[Call]:
        """Return the calls between two instruction counts of the past, in order."""
        d, system, engine = self.d, self.d.system, self.d.engine
        with excursion(d):
            go(d, start)
            with Aside(engine, self.begins) as aside:
                while True:
                    event = system.run(insns=end)
                    if event.kind is None:
                        continue
                    if event.kind is not StopKind.BREAKPOINT:
                        return self.calls
                    returns = self._met(engine.pc)
                    if returns is not None:
                        aside.add_point(returns)
                    engine.pass_point()

    def _met(self, pc: int) -> int | None:
        """Look at where the guest stands; return where the call that begins here returns to."""
        sp = self.d.read_register(self.arch.sp) or 0
        self._return(pc, sp)
        return self._enter(pc, sp) if pc in self.begins else None

    def _return(self, pc: int, sp: int) -> None:
        for stack in reversed(self.stacks):
            for at in range(len(stack) - 1, -1, -1):
                if stack[at].returns == pc and 0 <= sp - stack[at].sp <= self.arch.pops:
                    insns = self.d.engine.insns
                    for call in stack[at:]:
                        call.end = insns
                    del stack[at:]
                    self._use(stack)
                    return

    def _use(self, stack: list[Call]) -> None:
        self.stacks.remove(stack)
        if stack:
            self.stacks.append(stack)

    def _enter(self, pc: int, sp: int) -> int | None:
        motion = self.d.motions
        returns, sp = self.arch.code(motion.returns()), motion.caller_sp
        handler = self.m_profile and returns >= EXC_RETURN
        stack = self._stack_of(sp, handler=handler)
        if stack and stack[-1].returns == returns and stack[-1].sp == sp:
            if stack[-1].pc == pc:                   # a loop to its first instruction
                return None
            stack.pop().end = self.d.engine.insns
        call = Call(pc, self.d.position, len(stack), returns, sp, handler=handler)
        stack.append(call)
        self.calls.append(call)
        return returns

    def _stack_of(self, sp: int, *, handler: bool) -> list[Call]:
        """Return the stack on which a call is made; a handler runs on top of whatever ran last."""
        if handler and self.stacks:
            return self.stacks[-1]
        above = [stack for stack in self.stacks if stack[-1].sp >= sp]
        if above:
            stack = min(reversed(above), key=lambda s: s[-1].sp)
            self._use(stack)
            return stack
        self.stacks.append([])
        return self.stacks[-1]


def calls(d: Debugger, names: Names, start: int, end: int, executed: Mapping[int, int]) -> list[Call]:
    """Return the calls between two instruction counts; `executed`: what is executed there."""
    return Recorder(d, entries(d, names, executed)).record(start, end)


__all__ = ["Call", "calls", "entries"]
