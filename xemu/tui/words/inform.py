"""The family `info`."""

from __future__ import annotations

import re
from typing import Any

from xemu.errors import UsageError
from xemu.tui.commands import LOOK, Context, command
from xemu.tui.words.look import address_of, frame_text
from xemu.tui.words.points import places_of

MOST = 200               # names that are listed


def _table(c: Context, name: str) -> None:
    """Print one of the tables that `monitor info` has, too."""
    from xemu.gdbstub.monitor import aligned
    from xemu.gdbstub.transfer import table_rows

    rows = table_rows(c.d, name)
    if rows is None:
        raise UsageError(f"there are no {name} here")
    c.say(aligned(rows) or f"no {name}")


@command("info registers", "[NAMES]", LOOK, completes="register", aliases="r reg")
def registers(c: Context, rest: str) -> None:
    """Show registers, in hexadecimal and decimal."""
    from xemu.tui.queries.registers import registers as ask

    found = ask(c.d, thread=c.thread, frame=c.frame)
    values = {value.name: value for group in found.groups for value in group.values}
    wanted = rest.replace("$", "").split() or [value.name for group in found.groups if not group.name for value in group.values]
    arch = c.d.source.architecture
    for name in wanted:
        value = values.get(name)
        if value is None:
            raise UsageError(f"there is no register {name}")
        where = c.d.modules.where(value.value) if value.value is not None and name in (arch.pc, arch.link, arch.sp) else ""
        words = f"{value.value:#x}" if value.value is not None else "-"
        c.say(f"{name:<10} {words:<12} {where if where and not where.startswith('0x') else value.value if value.value is not None else ''}")


@command("info breakpoints", "", LOOK, aliases="b break watchpoints")
def breakpoints(c: Context, _rest: str) -> None:
    """Show breakpoints, watchpoints and catchpoints with their conditions and hits."""
    from xemu.debug.points import Breakpoint

    found = [p for number, p in sorted(c.d.points.by_id.items()) if number > 0 and p.owner == "user"]
    if not found:
        c.say("no breakpoints")
    for point in found:
        words = f"{point.id:<4} {'on ' if point.enabled else 'off'} "
        words += f"breakpoint  {places_of(c, point)}" if isinstance(point, Breakpoint) else str(point).replace(f" {point.id}", "", 1)
        words += f" thread {point.thread}" if point.thread is not None else ""
        words += f" if {point.condition}" if point.condition is not None else ""
        words += " once" if point.once else ""
        words += f' log "{point.log}"' if point.log else ""
        words += f"   hit {point.hits} time{'s' * (point.hits != 1)}" if point.hits else ""
        c.say(words + (f", lets {point.ignore - point.hits} more pass" if point.ignore > point.hits else ""))


def _variables(c: Context, kinds: tuple[str, ...], what: str) -> None:
    found = [v for v in c.d.locals(c.selected, c.thread) if v.kind in kinds]
    for variable in found:
        c.say(f"{variable.name} = {variable.text}")
    if not found:
        c.say(f"no {what}")


@command("info locals", "", LOOK)
def locals_(c: Context, _rest: str) -> None:
    """Show the local variables of the selected frame."""
    _variables(c, ("local", "static"), "locals")


@command("info args", "", LOOK)
def arguments(c: Context, _rest: str) -> None:
    """Show the parameters of the selected frame."""
    _variables(c, ("parameter",), "parameters")


@command("info frame", "", LOOK)
def frame(c: Context, _rest: str) -> None:
    """Show the selected frame: where it is, what it has saved."""
    found = c.selected or c.d.source.frame()
    c.say(frame_text(found))
    c.say(f"     sp {found.sp:#x}" + (f", cfa {found.cfa:#x}" if found.cfa is not None else "") + f", found by {found.method}")


@command("info threads", "", LOOK)
def threads(c: Context, _rest: str) -> None:
    """Show threads or cores."""
    now = c.thread or c.d.system.thread
    for info in c.d.system.threads():
        c.say(f"{'*' if info.id == now else ' '} {info.id:<6} {info.name:<20} {info.state}")


@command("info line", "[PLACE]", LOOK, completes="place")
def line(c: Context, rest: str) -> None:
    """Show where the code of a line is."""
    address = c.d.resolve(rest) if rest else c.d.pc
    place = c.d.source_line(address)
    if place is None or not place.line:
        raise UsageError(f"{address:#x} has no source line")
    start, end = (f"{at:#x} <{c.d.modules.where(at)}>" for at in (place.start, place.end))
    c.say(f"{place.file}:{place.line}: {start} to {end}")


@command("info symbol", "ADDRESS", LOOK, completes="expression")
def symbol(c: Context, rest: str) -> None:
    """Show which symbol an address belongs to."""
    address = address_of(c, rest)
    where = c.d.modules.where(address)
    c.say(f"no symbol holds {address:#x}" if where.startswith("0x") else f"{where} is {address:#x}")


@command("info address", "SYMBOL", LOOK, completes="place")
def address_(c: Context, rest: str) -> None:
    """Show where a symbol is."""
    c.say(f"{rest} is at {address_of(c, rest):#x}")


def _named(c: Context, rest: str, kind: str) -> None:
    try:
        wanted = re.compile(rest)
    except re.error as error:
        raise UsageError(f"{rest}: no regular expression: {error}") from None
    symbols = (s for module in c.d.modules for s in module.symbols.symbols)
    found = sorted({(s.address, s.name) for s in symbols if s.kind == kind and wanted.search(s.name)})
    for at, name in found[:MOST]:
        c.say(f"{at:#010x}  {name}")
    if len(found) > MOST:
        c.say(f"and {len(found) - MOST} more")
    if not found:
        c.say("no symbols")


@command("info functions", "[REGEXP]", LOOK)
def functions(c: Context, rest: str) -> None:
    """Show functions whose names match."""
    _named(c, rest, "function")


@command("info variables", "[REGEXP]", LOOK)
def variables(c: Context, rest: str) -> None:
    """Show variables whose names match."""
    _named(c, rest, "object")


@command("info sharedlibrary", "", LOOK, aliases="libraries")
def libraries(c: Context, _rest: str) -> None:
    """Show the files with code that are in memory."""
    for module in c.d.modules:
        c.say(f"{module.path or module}")


@command("info events", "[COUNT]", LOOK)
def events(c: Context, rest: str) -> None:
    """Show the last things that have happened, and what is planned next."""
    from xemu.debug.events import events_of

    here: Any = c.d.position
    past = [e for e in events_of(c.d).all() if (e.beat, e.transition) <= (here.beat, here.transition)]
    for item in past[-(c.number(rest) if rest else 20):]:
        c.say(f"instruction {item.insns:<14,} {item.words}")
    if c.d.system.kind == "machine":
        c.say("planned:")
        _table(c, "events")


@command("info time", "", LOOK, aliases="position history")
def time_(c: Context, _rest: str) -> None:
    """Show the place in code and time, and how far back the history goes."""
    history = c.d.history
    c.say(c.d.where())
    c.say(f"{c.d.position}; history from {history.first} to {history.last}" + ("" if c.d.system.live else "; this is the past"))


@command("info checkpoints", "", LOOK)
def checkpoints(c: Context, _rest: str) -> None:
    """Show named moments."""
    _table(c, "checkpoints")


@command("info map", "", LOOK, aliases="mem proc files")
def map_(c: Context, _rest: str) -> None:
    """Show what is where in the address space."""
    _table(c, "map")


@command("info interrupts", "", LOOK)
def interrupts(c: Context, _rest: str) -> None:
    """Show interrupts: enabled, pending, active."""
    _table(c, "interrupts")


@command("info clocks", "", LOOK)
def clocks(c: Context, _rest: str) -> None:
    """Show clocks."""
    _table(c, "clocks")


@command("info branches", "", LOOK, aliases="futures")
def branches(c: Context, _rest: str) -> None:
    """Show other futures, which began where something was changed in the past."""
    found = c.d.branches
    for item in found:
        c.say(f"{item.number}: from {item.fork.position} to {item.end}")
    if not found:
        c.say("no branches")


@command("devices", "", LOOK)
def devices(c: Context, _rest: str) -> None:
    """List devices and where they are."""
    _table(c, "devices")


@command("device", "NAME", LOOK, completes="device")
def device(c: Context, rest: str) -> None:
    """Show a device's registers; looking has no effect."""
    from xemu.gdbstub.facts import fact

    c.say(fact(c.d.system, "device_text", rest).rstrip())
