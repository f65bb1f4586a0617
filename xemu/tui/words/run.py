"""Words that move the guest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.errors import UsageError
from xemu.tui import actions
from xemu.tui.commands import RUN, TIME, Context, command

if TYPE_CHECKING:
    from xemu.debug.stops import Stop


def _count(c: Context, rest: str) -> int:
    count = c.number(rest) if rest else 1
    if count < 1:
        raise UsageError(f"{rest}: a count is 1 or more")
    return count


@command("continue", "[HITS]", RUN, motion=True, aliases="c fg", again="same")
def continue_(c: Context, rest: str) -> Stop:
    """Run to the next stop; with a number, the breakpoint that it stands at is passed so often."""
    count = _count(c, rest)
    for point in c.d.stop.points if count > 1 else ():
        point.ignore = point.hits + count - 1
    return c.d.cont()


@command("step", "[COUNT]", RUN, motion=True, aliases="s", again="same")
def step(c: Context, rest: str) -> Stop:
    """Step lines, into calls."""
    return actions.step(c.d, count=_count(c, rest))


@command("next", "[COUNT]", RUN, motion=True, aliases="n", again="same")
def next_(c: Context, rest: str) -> Stop:
    """Step lines, over calls."""
    return actions.next(c.d, count=_count(c, rest))


@command("stepi", "[COUNT]", RUN, motion=True, aliases="si", again="same")
def stepi(c: Context, rest: str) -> Stop:
    """Step instructions."""
    return c.d.step(_count(c, rest))


@command("nexti", "[COUNT]", RUN, motion=True, aliases="ni", again="same")
def nexti(c: Context, rest: str) -> Stop:
    """Step instructions, over calls."""
    return actions.next_instruction(c.d, count=_count(c, rest))


@command("finish", "", RUN, motion=True, aliases="fin")
def finish(c: Context, _rest: str) -> Stop:
    """Run to the end of the function, and say what it returns."""
    return c.d.finish()


@command("until", "[PLACE]", RUN, motion=True, completes="place", aliases="u")
def until(c: Context, rest: str) -> Stop:
    """Run to a place in this frame, or out of a loop: to a line further down."""
    return c.d.until(rest or None)


@command("advance", "PLACE", RUN, motion=True, completes="place")
def advance(c: Context, rest: str) -> Stop:
    """Run to a place, whoever comes there."""
    if not rest:
        raise UsageError("advance where?")
    return c.d.advance(rest)


@command("reverse-continue", "", RUN, motion=True, aliases="rc", again="same")
def reverse_continue(c: Context, _rest: str) -> Stop:
    """Go back to the last stop."""
    return c.d.cont(back=True)


@command("reverse-step", "[COUNT]", RUN, motion=True, aliases="rs", again="same")
def reverse_step(c: Context, rest: str) -> Stop:
    """Go back by lines, into calls."""
    return actions.step(c.d, back=True, count=_count(c, rest))


@command("reverse-next", "[COUNT]", RUN, motion=True, aliases="rn", again="same")
def reverse_next(c: Context, rest: str) -> Stop:
    """Go back by lines, over calls."""
    return actions.next(c.d, back=True, count=_count(c, rest))


@command("reverse-stepi", "[COUNT]", RUN, motion=True, aliases="rsi", again="same")
def reverse_stepi(c: Context, rest: str) -> Stop:
    """Go back by instructions."""
    return c.d.step(_count(c, rest), back=True)


@command("reverse-nexti", "[COUNT]", RUN, motion=True, aliases="rni", again="same")
def reverse_nexti(c: Context, rest: str) -> Stop:
    """Go back by instructions, over calls."""
    return actions.next_instruction(c.d, back=True, count=_count(c, rest))


@command("reverse-finish", "", RUN, motion=True)
def reverse_finish(c: Context, _rest: str) -> Stop:
    """Go back to the call of this function."""
    return c.d.finish(back=True)


@command("reverse-advance", "PLACE", RUN, motion=True, completes="place")
def reverse_advance(c: Context, rest: str) -> Stop:
    """Go back to the last time that a place was executed."""
    if not rest:
        raise UsageError("reverse-advance where?")
    return c.d.advance(rest, back=True)


@command("seek", "PLACE", TIME, motion=True, completes="time")
def seek(c: Context, rest: str) -> Stop:
    """Go to an instruction, a time (12.5ms), a checkpoint, start or end."""
    return c.d.seek(rest)


@command("branch", "NUMBER", TIME, motion=True, completes="branch")
def branch(c: Context, rest: str) -> Stop:
    """Put another future in the place of the present one."""
    return c.d.switch(c.number(rest, "a branch's number"))


@command("reset", "", RUN, motion=True)
def reset(c: Context, _rest: str) -> Stop:
    """Reset the machine: go back to its first instruction."""
    if c.d.system.kind != "machine":
        raise UsageError("a program cannot be reset; run starts it again")
    return c.d.seek("start")


@command("run", "", RUN, aliases="r start restart")
def run(c: Context, _rest: str) -> None:
    """Load the program again and stand at its start; breakpoints stay."""
    c.act("press", "reload")
