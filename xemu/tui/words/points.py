"""Words for breakpoints, watchpoints and catchpoints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from xemu.errors import UsageError
from xemu.tui.commands import POINTS, Context, command

if TYPE_CHECKING:
    from xemu.debug.points import Point

_CONDITION = re.compile(r"(?:^|\s)if\b\s*(.*)\Z", re.DOTALL)
_THREAD = re.compile(r"(?:^|\s)thread\s+(\d+)\s*\Z")


def _parts(rest: str) -> tuple[str, str | None, int | None]:
    """Return the place, condition and thread of "PLACE thread N if CONDITION"."""
    found = _CONDITION.search(rest)
    condition = found[1].strip() if found else None
    if found:
        rest = rest[:found.start()]
        if not condition:
            raise UsageError("if what?")
    threads = _THREAD.search(rest)
    if threads:
        rest = rest[:threads.start()]
    return rest.strip(), condition, int(threads[1]) if threads else None


def _break(c: Context, rest: str, *, once: bool) -> None:
    where, condition, thread = _parts(rest)
    place: int | str = where
    if not where:
        frame = c.selected
        place = c.d.pc if frame is None else frame.pc
    elif where.isdecimal():
        line = c.d.source_line() if c.selected is None else getattr(c.selected, "place", None)
        if line is None or not line.line:
            raise UsageError(f"{where}: there is no source file here that it could be a line of; *{where} is an address")
        place = f"{line.file}:{where}"
    point = c.d.break_at(place, condition=condition, once=once, thread=thread)
    c.say(f"{'Temporary breakpoint' if once else 'Breakpoint'} {point.id} at {places_of(c, point)}")


def places_of(c: Context, point: Any) -> str:
    """Return where a breakpoint is, in words."""
    if not point.addresses:
        return f"{point.where} (pending)"
    if len(point.addresses) > 1:
        return f"{len(point.addresses)} places of {point.where}"
    return f"{point.address:#x}: {c.d.source.describe(point.address)}"


@command("break", "[PLACE] [thread N] [if CONDITION]", POINTS, completes="place", changes=True, aliases="b br brea")
def break_(c: Context, rest: str) -> None:
    """Stop at a function, FILE:LINE, line, *ADDRESS, or here."""
    _break(c, rest, once=False)


@command("tbreak", "[PLACE] [thread N] [if CONDITION]", POINTS, completes="place", changes=True, aliases="tb")
def tbreak(c: Context, rest: str) -> None:
    """Set a breakpoint that goes with its first stop."""
    _break(c, rest, once=True)


@command("log", "PLACE, TEXT", POINTS, completes="place", changes=True, aliases="dprintf")
def log(c: Context, rest: str) -> None:
    """Log a text with {EXPRESSION}s at a place instead of stopping there."""
    where, comma, text = rest.partition(",")
    if not comma:
        raise UsageError("log PLACE, TEXT: there is no text")
    point = c.d.break_at(where.strip(), log=text.strip().strip('"'))
    c.say(f"Log point {point.id} at {places_of(c, point)}")


def _watch(c: Context, rest: str, access: str, name: str) -> None:
    where, condition, thread = _parts(rest)
    where = re.sub(r"^-l(ocation)?\s+", "", where)
    if not where:
        raise UsageError(f"{name} what?")
    point = c.d.watch(where, None, access, condition=condition, thread=thread)
    c.say(f"{str(point).capitalize()}")


@command("watch", "EXPRESSION [if CONDITION]", POINTS, completes="expression", changes=True)
def watch(c: Context, rest: str) -> None:
    """Stop when what an expression names is written; $REGISTER when it changes."""
    _watch(c, rest, "w", "watch")


@command("rwatch", "EXPRESSION [if CONDITION]", POINTS, completes="expression", changes=True)
def rwatch(c: Context, rest: str) -> None:
    """Stop when it is read."""
    _watch(c, rest, "r", "rwatch")


@command("awatch", "EXPRESSION [if CONDITION]", POINTS, completes="expression", changes=True)
def awatch(c: Context, rest: str) -> None:
    """Stop when it is read or written."""
    _watch(c, rest, "a", "awatch")


@command("catch", "KIND [NUMBERS | PART.REGISTER]", POINTS, completes="catch", changes=True)
def catch(c: Context, rest: str) -> None:
    """Stop at a kind of event: syscall, signal, exception, irq, device, fork, exec, thread."""
    kind, _, detail = rest.partition(" ")
    if not kind:
        raise UsageError("catch what? " + c_kinds())
    wanted: Any = detail.strip() or None
    if wanted is not None and kind != "device":
        wanted = {c.number(word) for word in wanted.replace(",", " ").split()}
    c.say(str(c.d.catch(kind, wanted)).capitalize())


def c_kinds() -> str:
    """Return the kinds that can be caught."""
    from xemu.debug.points import CATCHES

    return ", ".join(CATCHES)


def numbered(c: Context, rest: str) -> list[Point]:
    """Return the points that some numbers and ranges name; all of the user's without any."""
    users = {number: point for number, point in c.d.points.by_id.items() if number > 0 and point.owner == "user"}
    if not rest:
        return list(users.values())
    found = []
    for word in rest.replace(",", " ").split():
        first, dash, last = word.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UsageError(f"{word}: no breakpoint's number")
        numbers = range(int(first), int(last) + 1) if dash else [int(first)]
        there = [users[n] for n in numbers if n in users]
        if not there:
            raise UsageError(f"there is no breakpoint {word}")
        found += there
    return found


@command("delete", "[NUMBERS]", POINTS, completes="point", changes=True, aliases="d")
def delete(c: Context, rest: str) -> None:
    """Delete points by number (1 3 5-7), or all."""
    found = numbered(c, rest)
    for point in found:
        c.d.delete(point)
    c.say(f"deleted {len(found)} point{'s' * (len(found) != 1)}")


@command("clear", "[PLACE]", POINTS, completes="place", changes=True)
def clear(c: Context, rest: str) -> None:
    """Delete the breakpoints at a place, or here."""
    addresses = set(c.d.source.addresses(rest)) if rest else {c.d.pc}
    found = [p for p in numbered(c, "") if addresses & set(getattr(p, "addresses", ()))]
    if not found:
        raise UsageError(f"there is no breakpoint at {rest or 'this place'}")
    for point in found:
        c.d.delete(point)
    c.say("deleted " + ", ".join(map(str, found)))


def _switch(c: Context, rest: str, *, on: bool) -> None:
    for point in numbered(c, rest):
        point.enabled = on
    c.d.apply()


@command("enable", "[NUMBERS]", POINTS, completes="point", changes=True, aliases="en")
def enable(c: Context, rest: str) -> None:
    """Switch points on."""
    _switch(c, rest, on=True)


@command("disable", "[NUMBERS]", POINTS, completes="point", changes=True, aliases="dis")
def disable(c: Context, rest: str) -> None:
    """Switch points off."""
    _switch(c, rest, on=False)


def _one(c: Context, rest: str) -> tuple[Any, str]:
    number, _, more = rest.partition(" ")
    if not number:
        raise UsageError("the number of a breakpoint is missing")
    return numbered(c, number)[0], more.strip()


@command("condition", "NUMBER [CONDITION]", POINTS, completes="point", changes=True, aliases="cond")
def condition(c: Context, rest: str) -> None:
    """Have a point stop only if a condition holds; without one, always."""
    from xemu.debug.conditions import SourceCondition, check

    point, text = _one(c, rest)
    if text:
        made = SourceCondition(c.d.source, text)
        if hasattr(point, "addresses"):
            check(c.d.source, text, point.addresses)
        point.condition = made
    else:
        point.condition = None
    c.d.apply()
    c.say(f"{point} stops if {text}" if text else f"{point} stops always")


@command("ignore", "NUMBER COUNT", POINTS, completes="point", changes=True)
def ignore(c: Context, rest: str) -> None:
    """Have a point not stop for so many hits."""
    point, text = _one(c, rest)
    count = c.number(text, "a count")
    point.ignore = point.hits + count if count > 0 else 0
    c.say(f"{point} lets {count} hits pass" if count > 0 else f"{point} stops at its next hit")
