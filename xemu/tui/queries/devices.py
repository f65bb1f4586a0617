"""The devices of a machine: their registers, what the world does to them, interrupts, and what is due next. All of it by peeking."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from xemu.errors import UsageError
from xemu.tui.queries import query

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger
    from xemu.tui.queries.looking import Looking

EVENTS = 4               # next events that are told
CONTROLLER = "interrupts"                          # what opens the list of interrupts


class Field(NamedTuple):
    """Bits of a register. `kind`: RW, RO, W1C … as in `xemu.hw.registers`, or as an SVD file says it."""

    name: str
    high: int
    low: int
    kind: str = ""
    names: tuple[tuple[int, str], ...] = ()
    text: str = ""


class Register(NamedTuple):
    """A register as it is declared."""

    name: str
    title: str
    address: int | None                            # None: the guest has to ask the device over some bus of its own
    width: int
    fields: tuple[Field, ...]                      # none: it is one number
    array: str = ""                                # the array it is an element of
    acts: bool = False                             # a guest's read has side effects
    modelled: bool = True


class Layout(NamedTuple):
    """The registers of a device, in the order of `State.values`."""

    device: str
    text: str
    registers: tuple[Register, ...]


class Row(NamedTuple):
    """A device."""

    name: str
    at: int | None
    lines: str                                     # where its interrupts go: "irq 5 6"
    modelled: bool = True
    picture: bool = False                          # it has something to be looked at


class Pins(NamedTuple):
    """Pins of a device, a bit each."""

    name: str                                      # "gpioa.pins"
    total: int
    levels: int
    driven: int                                    # by the device
    held: int                                      # from outside


class Setting(NamedTuple):
    """A value that the world sets: "temp.celsius"."""

    name: str
    text: str
    switch: bool = False                           # it is true or false


class State(NamedTuple):
    """An opened device."""

    values: tuple[int, ...]
    times: tuple[tuple[int, int], ...] | None      # reads and writes since it was opened; None in the past
    pins: tuple[Pins, ...] = ()
    settings: tuple[Setting, ...] = ()
    picture: str = ""


class Interrupt(NamedTuple):
    """One interrupt or exception (see `xemu.hw.cpu`)."""

    number: int
    name: str
    enabled: bool
    pending: bool
    active: bool
    priority: int
    wire: str
    source: str = ""                               # which device drives it


class Interrupts(NamedTuple):
    """The interrupt controller: what is handled, what holds others back."""

    running: str
    priority: int | None
    masks: str
    lines: tuple[Interrupt, ...]


class Countdown(NamedTuple):
    """The CPU's own timer; `due`: the beat at which it comes to zero."""

    name: str
    running: bool
    value: int
    reload: int
    due: int | None


class Devices(NamedTuple):
    """All devices, and the state of those that are opened."""

    rows: tuple[Row, ...]
    opened: dict[str, State]
    now: int = 0
    rate: int = 1
    events: tuple[tuple[int, str], ...] = ()       # (beat, what)
    interrupts: Interrupts | None = None
    timer: Countdown | None = None


_LOOKING: WeakKeyDictionary[Debugger, Looking] = WeakKeyDictionary()


def _looking(d: Debugger) -> Looking | None:
    machine = getattr(d.system, "machine", None)
    if machine is None:
        return None
    if d not in _LOOKING:
        from xemu.tui.queries.looking import Looking

        _LOOKING[d] = Looking(machine)
    return _LOOKING[d]


@query(live=True)
def devices(d: Debugger, *, opened: tuple[str, ...] = ()) -> Devices:
    """Return all devices and the state of those that are opened: only these are looked at, and counted."""
    looking = _looking(d)
    if looking is None:
        return Devices((), {})
    machine = looking.machine
    looking.count(opened)
    state, timer = machine.cpu.interrupt_state(), machine.cpu.countdown()
    lines = tuple(Interrupt(*line, looking.sources.get(line.wire, "")) for line in state.lines) if state is not None else ()
    return Devices(looking.rows, {name: looking.state(name) for name in opened if name != CONTROLLER}, machine.now, machine.rate,
                   tuple(machine.events.upcoming(EVENTS)), None if state is None else Interrupts(*state[:3], lines),
                   None if timer is None else Countdown(*timer))


@query()
def describe(d: Debugger, *, device: str) -> Layout:
    """Return the registers of a device as they are declared, or as the SVD file has them."""
    looking = _looking(d)
    if looking is None:
        raise UsageError("a program has no devices")
    return looking.layout(device)
