"""What the screen can have done to the guest, by name: motions, which run it, and actions, which do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.debug.debugger import Debugger
    from xemu.debug.stops import Stop

    Motion = Callable[..., Stop]
    Action = Callable[..., Any]

F = TypeVar("F", bound="Callable[..., Any]")
MOTIONS: dict[str, Motion] = {}
ACTIONS: dict[str, Action] = {}


def motion(function: F) -> F:
    """Declare a motion: a function of the debugger and named arguments that returns the stop."""
    MOTIONS[function.__name__] = function
    return function


def action(function: F) -> F:
    """Declare an action: it is done between slices while the guest runs."""
    ACTIONS[function.__name__] = function
    return function


# -- motions -------------------------------------------------------------------------------------------------------------
@motion
def cont(d: Debugger, *, back: bool = False) -> Stop:
    """Run to the next stop, or to the last one."""
    return d.cont(back=back)


@motion
def step(d: Debugger, *, back: bool = False, count: int = 1) -> Stop:
    """Step a line, into calls; an instruction where there are no lines."""
    return d.step_line(count, back=back) if has_line(d) else d.step(count, back=back)


@motion
def next(d: Debugger, *, back: bool = False, count: int = 1) -> Stop:  # noqa: A001  the name that debuggers have for it
    """Step a line, over calls."""
    return d.next_line(count, back=back) if has_line(d) else next_instruction(d, back=back, count=count)


@motion
def step_instruction(d: Debugger, *, back: bool = False, count: int = 1) -> Stop:
    """Step an instruction."""
    return d.step(count, back=back)


@motion
def next_instruction(d: Debugger, *, back: bool = False, count: int = 1) -> Stop:
    """Step an instruction, over calls."""
    stop = d.stop
    for _ in range(count):
        stop = _over(d, back=back)
    return stop


def _over(d: Debugger, *, back: bool) -> Stop:
    if back:
        return d.step(back=True)
    code = d.disassemble(None, 1)
    if not code or d.source.rules.flow(code[0].mnemonic, code[0].operands) != "call":
        return d.step()
    return d.advance(code[0].address + code[0].size)


@motion
def finish(d: Debugger, *, back: bool = False) -> Stop:
    """Run to the end of the function, or back to the call of it."""
    return d.finish(back=back)


@motion
def until(d: Debugger, *, where: int | str, back: bool = False) -> Stop:
    """Run to a place, in whatever frame."""
    return d.advance(where, back=back)


@motion
def seek(d: Debugger, *, where: int | str) -> Stop:
    """Go to a place in time."""
    return d.seek(where)


@motion
def seek_position(d: Debugger, *, beat: int, transition: int = 0, insns: int = 0) -> Stop:
    """Go to an exact place in time that was recorded."""
    from xemu.debug.stops import Position

    return d.seek(Position(beat, transition, insns))


@motion
def seek_event(d: Debugger, *, beat: int, transition: int, insns: int, kind: str) -> Stop:
    """Go to an event, which is at an exact place or (transition -1) at a beat."""
    from xemu.debug.events import Event, events_of

    return events_of(d).go(Event(beat, transition, insns, kind, ""))


@motion
def seek_between(d: Debugger, *, low: int, high: int) -> Stop:
    """Go to the foremost event between two beats, or else to the first of them."""
    from xemu.debug.events import events_of

    return events_of(d).go_between(low, high)


@motion
def event(d: Debugger, *, back: bool = False, same: bool = False) -> Stop:
    """Go to the next or last event; `same`: of the kind that came last."""
    from xemu.debug.events import events_of

    return events_of(d).go_next(back=back, same=same)


def has_line(d: Debugger) -> bool:
    """Whether the place where the guest stands has a source line."""
    place = d.source_line()
    return place is not None and bool(place.line)


# -- points --------------------------------------------------------------------------------------------------------------
@action
def break_at(d: Debugger, *, where: int | str, condition: str | None = None, ignore: int = 0, once: bool = False,
             log: str | None = None, thread: int | None = None) -> int:
    """Set a breakpoint; returns its number."""
    return d.break_at(where, condition=condition, ignore=ignore, once=once, log=log, thread=thread).id


@action
def toggle_break(d: Debugger, *, address: int) -> str:
    """Take away the user's breakpoints at an address, or set one; returns what was done in words."""
    from xemu.debug.points import Breakpoint

    there = [p for p in d.points.by_id.values() if p.owner == "user" and isinstance(p, Breakpoint) and address in p.addresses]
    for point in there:
        d.delete(point)
    if there:
        return f"deleted {', '.join(map(str, there))}"
    return f"set {d.break_at(address)}"


@action
def watch(d: Debugger, *, where: int | str, length: int | None = None, access: str = "w", condition: str | None = None,
          ignore: int = 0, once: bool = False, log: str | None = None, thread: int | None = None) -> int:
    """Set a watchpoint; returns its number."""
    return d.watch(where, length, access, condition=condition, ignore=ignore, once=once, log=log, thread=thread).id


@action
def catch(d: Debugger, *, kind: str, detail: Any = None, words: str = "", **options: Any) -> int:
    """Set a catchpoint, narrowed by `detail` or by words for it; returns its number."""
    from xemu.debug.catches import detail_of

    point = d.catch(kind, detail_of(d, kind, words) if words else detail)
    if options:
        d.change(point, **options)
    return point.id


@action
def change_point(d: Debugger, *, number: int, condition: str = "", ignore: int = 0, thread: int | None = None, once: bool = False,
                 log: str = "") -> None:
    """Replace what belongs to a point."""
    d.change(_point(d, number), condition=condition, ignore=ignore, thread=thread, once=once, log=log)


def _point(d: Debugger, number: int) -> Any:
    point = d.points.by_id.get(number)
    if point is None or number < 0:
        raise UsageError(f"there is no breakpoint {number}")
    return point


@action
def delete(d: Debugger, *, number: int) -> None:
    """Delete a point."""
    d.delete(_point(d, number))


@action
def enable(d: Debugger, *, number: int, on: bool) -> None:
    """Switch a point on or off."""
    _point(d, number).enabled = on
    d.apply()


# -- state ---------------------------------------------------------------------------------------------------------------
@action
def write_register(d: Debugger, *, name: str, value: int) -> None:
    """Change a register."""
    if not d.write_register(name, value):
        raise UsageError(f"register {name} cannot be written")


@action
def write_memory(d: Debugger, *, address: int, data: bytes) -> None:
    """Change memory."""
    if not d.write_memory(address, data):
        raise UsageError(f"memory at {address:#x} cannot be written")


@action
def evaluate(d: Debugger, *, text: str) -> str:
    """Return the value of an expression in words."""
    return d.evaluate(text).text()


@action
def assign(d: Debugger, *, text: str, value: str) -> str:
    """Give what an expression names a value; returns it in words."""
    return d.assign(text, value).text()


@action
def set_variable(d: Debugger, *, path: tuple[str, ...], value: str, watch: bool = False, thread: int | None = None, frame: int = 0) -> None:
    """Give a node of the tree of variables (or of watched expressions) the value of an expression."""
    from xemu.tui.queries import locals as tree
    from xemu.tui.queries.stack import chosen

    items = tree.watch_items(d, path[:1], thread, frame) if watch else tree.local_items(d, thread, frame)
    item = tree.find(items, path)
    if item.variable is None:
        raise UsageError(item.failed or f"{item.name} has no value of its own")
    d.store(item.variable.value.assign(d.evaluate(value, chosen(d, thread, frame), thread)), item.name, thread)


@action
def address_of(d: Debugger, *, text: str) -> int:
    """Return the address that an expression, symbol or place means."""
    return find_address(d, text)


def find_address(d: Debugger, text: str) -> int:
    """Return the address of a symbol, line or number; of an expression: where a pointer points, what an object lies at."""
    text = text.strip()
    try:
        return d.resolve(text)
    except UsageError as unknown:
        try:
            value = d.evaluate(text)
        except UsageError:
            raise unknown from None
    if value.address is not None and not _points(value):
        return value.address
    return int(value.number())


def _points(value: Any) -> bool:
    return value.type.plain.kind in ("pointer", "function")


@action
def checkpoint(d: Debugger, *, name: str = "") -> str:
    """Give this moment a name."""
    return d.checkpoint(name)


# -- devices -------------------------------------------------------------------------------------------------------------
@action
def set_pin(d: Debugger, *, name: str, level: int | None) -> None:
    """Drive a pin from outside; None: let go."""
    d.set_pin(name, level)


@action
def set_value(d: Debugger, *, name: str, text: str) -> None:
    """Set what a device feels."""
    d.set_value(name, text)


@action
def exact_times(d: Debugger, *, channel: str, on: bool) -> None:
    """Have (or no longer have) a serial line's bytes come with the beat of each, not in batches; that costs speed."""
    for item in getattr(getattr(d.system, "machine", None), "serials", ()):
        if item.name == channel:
            item.watch(on=on)
