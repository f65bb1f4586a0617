"""What a device declares besides registers: state, FIFOs, timers, interrupt lines, serial ports, pins, parameters.

A declaration stands in the class; each device has its own live object under the same name. All state is reset, saved
and restored from here.
"""

from __future__ import annotations

import copy
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, overload

from xemu.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

    from xemu.hw.device import Device
    from xemu.hw.events import Event
    from xemu.hw.serial import SerialLine


Live = TypeVar("Live")


class Parameter:
    """What `Param` declares."""

    REQUIRED: Any = object()

    def __init__(self, default: Any = REQUIRED, doc: str = "") -> None:
        self.default, self.doc = default, doc


def Param(default: Any = Parameter.REQUIRED, doc: str = "") -> Any:
    """Declare a constant of a device, given by keyword when a board makes it. Without a default it must be given."""
    return Parameter(default, doc)


class Var:
    """A value that the device keeps (int, bool, str, bytes, list or dict of those): part of its snapshot."""

    def __init__(self, default: Any = 0) -> None:
        self.default = default
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, device: Any, owner: type) -> Any:
        return self if device is None else device.__dict__[self.name]

    def __set__(self, device: Any, value: Any) -> None:
        device.__dict__[self.name] = value

    def fresh(self) -> Any:
        """Return the value at reset."""
        return copy.deepcopy(self.default)


class Part(Generic[Live]):
    """A declared part. `bind` makes the live object of one device, which stands in the device under the same name."""

    if TYPE_CHECKING:
        @overload
        def __get__(self, device: None, owner: type) -> Self: ...
        @overload
        def __get__(self, device: Device, owner: type) -> Live: ...
        def __get__(self, device: Any, owner: type) -> Any: ...

    def bind(self, device: Device, name: str) -> Live:
        """Return the live object."""
        raise NotImplementedError


class LivePart:
    """The live object behind a declaration."""

    def __init__(self, device: Device, name: str) -> None:
        self.device, self.name = device, name

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.device.name}.{self.name}"

    def wire(self, other: Any) -> None:
        """Connect to what the board gives by keyword."""
        msg = f"{type(self.device).__name__}.{self.name} cannot be connected to {other!r}"
        raise MachineError(msg)

    def reset(self) -> None:
        """Go back to the state after reset."""

    def save(self) -> Any:
        """Return the state as plain data, or None."""
        return None

    def load(self, data: Any) -> None:
        """Take back what `save` gave."""


# -- FIFOs -----------------------------------------------------------------------------------------------------------


class Fifo(Part["LiveFifo"]):
    """A queue of numbers, `depth` long."""

    def __init__(self, depth: int) -> None:
        self.depth = depth

    def bind(self, device: Device, name: str) -> LiveFifo:
        return LiveFifo(device, name, self.depth)


class LiveFifo(LivePart):
    """`device.rx`."""

    def __init__(self, device: Device, name: str, depth: int) -> None:
        super().__init__(device, name)
        self.depth = depth
        self.items: deque[int] = deque()

    def put(self, item: int) -> bool:
        """Append; False (and nothing happens) where it is full."""
        if len(self.items) >= self.depth:
            return False
        self.items.append(item)
        return True

    def pop(self, default: int = 0) -> int:
        """Take the oldest; `default` where it is empty."""
        return self.items.popleft() if self.items else default

    def front(self, default: int = 0) -> int:
        """Return the oldest without taking it."""
        return self.items[0] if self.items else default

    def clear(self) -> None:
        """Drop all."""
        self.items.clear()

    def __len__(self) -> int:
        return len(self.items)

    @property
    def empty(self) -> bool:
        """Whether nothing is in it."""
        return not self.items

    @property
    def full(self) -> bool:
        """Whether nothing fits."""
        return len(self.items) >= self.depth

    def reset(self) -> None:
        self.items.clear()

    def save(self) -> Any:
        return list(self.items)

    def load(self, data: Any) -> None:
        self.items = deque(data)


# -- time ------------------------------------------------------------------------------------------------------------


class Timer(Part["LiveTimer"]):
    """A counter that runs with a clock of `hz`: ticks are computed from the machine's time, never accumulated.

    `title`: what people call it, where that is not DEVICE.NAME.
    """

    def __init__(self, hz: int = 0, title: str = "") -> None:
        self.hz, self.title = hz, title
        self.hook = ""

    def expired(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Name what happens when the value set by `expire_at` or `after` is reached."""
        self.hook = function.__name__
        return function

    def bind(self, device: Device, name: str) -> LiveTimer:
        return LiveTimer(device, name, self)


class LiveTimer(LivePart):
    """`device.timer`: counts up from `value` while it runs. `hz` and `divide` (ints) may change at any time."""

    def __init__(self, device: Device, name: str, declared: Timer) -> None:
        super().__init__(device, name)
        self.declared = declared
        self._hz, self._divide = declared.hz, 1
        self._base, self._since, self._running = 0, 0, False     # value at `_since` ticks of the clock
        self._goal: int | None = None
        self._event: Event | None = None

    @property
    def title(self) -> str:
        return self.declared.title or super().title

    def _ticks(self) -> int:
        machine = self.device.machine
        return machine.now * self._hz // (machine.rate * self._divide)

    @property
    def value(self) -> int:
        """Ticks counted."""
        return self._base + self._ticks() - self._since if self._running else self._base

    @value.setter
    def value(self, ticks: int) -> None:
        self._base, self._since = ticks, self._ticks()
        self._schedule()

    @property
    def running(self) -> bool:
        """Whether it counts."""
        return self._running

    @property
    def hz(self) -> int:
        """Ticks per second."""
        return self._hz

    @hz.setter
    def hz(self, hz: int) -> None:
        if hz != self._hz:
            self._base = self.value
            self._hz = hz
            self._since = self._ticks()
            self._schedule()

    @property
    def divide(self) -> int:
        """A prescaler: clock periods of `hz` in a tick."""
        return self._divide

    @divide.setter
    def divide(self, divide: int) -> None:
        if divide != self._divide:
            self._base = self.value
            self._divide = divide
            self._since = self._ticks()
            self._schedule()

    def native(self) -> tuple[int, int, int, int, int]:
        """Return base beat, hz, remainder, denominator and the value at that beat, for native counters."""
        machine = self.device.machine
        now, den = machine.now, machine.rate * self._divide
        return now, self._hz, now * self._hz % den, den, self.value

    def start(self, value: int | None = None) -> None:
        """Count on, or from `value`."""
        self._base = self.value if value is None else value
        self._since, self._running = self._ticks(), True
        self._schedule()

    def restart(self, goal: int | None) -> None:
        """Count from 0 again, to expire at `goal`."""
        self._base, self._since, self._goal = 0, self._ticks(), goal
        self._schedule()

    def stop(self) -> None:
        """Keep the value."""
        self._base, self._running = self.value, False
        self._schedule()

    def expire_at(self, value: int) -> None:
        """Call the hook once when `value` is reached (at once in the next event if it is in the past)."""
        self._goal = value
        self._schedule()

    def after(self, ticks: int) -> None:
        """Call the hook once `ticks` from now."""
        self.expire_at(self.value + ticks)

    def cancel(self) -> None:
        """Expire no more."""
        self._goal = None
        self._schedule()

    @property
    def goal(self) -> int | None:
        """The value at which it expires, if any."""
        return self._goal

    @property
    def due(self) -> int | None:
        """The beat at which it expires, if it does."""
        return None if self._event is None else self._event.beat

    def _schedule(self) -> None:
        machine = self.device.machine
        if self._event is not None:
            machine.events.cancel(self._event)
            self._event = None
        if self._goal is None or not self._running or not self._hz:
            return
        ticks = self._goal - self._base + self._since
        beat = max(machine.now, -(-ticks * machine.rate * self._divide // self._hz))
        self._event = machine.events.at(beat, self._expire)

    def _expire(self) -> None:
        self._event, self._goal = None, None
        if self.declared.hook:
            getattr(self.device, self.declared.hook)()
        self.device.settle()

    def reset(self) -> None:
        self._hz, self._divide = self.declared.hz or self._hz, 1
        self._base, self._running, self._goal = 0, False, None
        self._since = 0
        self._schedule()

    def save(self) -> Any:
        return [self._hz, self._divide, self._base, self._since, self._running, self._goal]

    def load(self, data: Any) -> None:
        self._hz, self._divide, self._base, self._since, self._running, self._goal = data
        self._schedule()


class Count(NamedTuple):
    """What a register shows of a running timer: (start + steps) % modulus, or start - steps where it counts down.

    A step is `divide` ticks since the timer was 0. `shape`: what else to show of the steps; then native code does not count.
    """

    timer: LiveTimer
    start: int = 0
    down: bool = False
    modulus: int = 1 << 32
    divide: int = 1
    shape: Callable[[int], int] | None = None

    @property
    def value(self) -> int:
        """The number now."""
        ticks = self.timer.value // self.divide
        if self.shape is not None:
            return self.shape(ticks)
        return (self.start - ticks if self.down else self.start + ticks) % self.modulus


# -- interrupt lines -------------------------------------------------------------------------------------------------


class Wire:
    """Where interrupt lines end: the OR of what drives it. `changed` is called with the new level."""

    def __init__(self, name: str, changed: Callable[[bool], None]) -> None:
        self.name, self.changed = name, changed
        self.high: set[int] = set()

    def drive(self, source: int, level: bool) -> None:
        """Set one source's level."""
        before = bool(self.high)
        if level:
            self.high.add(source)
        else:
            self.high.discard(source)
        if bool(self.high) != before:
            self.changed(not before)

    def __repr__(self) -> str:
        return f"<{self.name}>"


class IrqOut(Part["LiveIrq"]):
    """An interrupt (or DMA request, or reset) line that the device drives."""

    def bind(self, device: Device, name: str) -> LiveIrq:
        return LiveIrq(device, name)


class LiveIrq(LivePart):
    """`device.irq`."""

    _serial = 0

    def __init__(self, device: Device, name: str) -> None:
        super().__init__(device, name)
        self.level = False
        self.wires: list[Wire] = []
        LiveIrq._serial += 1
        self.source = LiveIrq._serial

    def wire(self, other: Wire | Iterable[Wire] | None) -> None:
        self.wires.extend([] if other is None else [other] if isinstance(other, Wire) else other)

    def set(self, level: Any) -> None:
        """Drive the line: anything true is high."""
        level = bool(level)
        if level != self.level:
            self.level = level
            for wire in self.wires:
                wire.drive(self.source, level)

    def pulse(self) -> None:
        """Drive it high and low again."""
        self.set(1)
        self.set(0)

    def reset(self) -> None:
        self.set(0)

    def save(self) -> Any:
        return self.level

    def load(self, data: Any) -> None:
        self.set(data)


class IrqOuts(Part["LiveIrqs"]):
    """`count` lines of one kind, `device.lines[i]`. The board gives a list of wires (or None), by number."""

    def __init__(self, count: int) -> None:
        self.count = count

    def bind(self, device: Device, name: str) -> LiveIrqs:
        return LiveIrqs(device, name, self.count)


class LiveIrqs(LivePart):
    """`device.lines`: index it."""

    def __init__(self, device: Device, name: str, count: int) -> None:
        super().__init__(device, name)
        self.lines = [LiveIrq(device, f"{name}[{i}]") for i in range(count)]
        self._levels = 0

    def wire(self, other: Iterable[Wire | None]) -> None:
        wires = list(other)
        if len(wires) > len(self.lines):
            msg = f"{type(self.device).__name__}.{self.name} has {len(self.lines)} lines, not {len(wires)}"
            raise MachineError(msg)
        for line, wire in zip(self.lines, wires, strict=False):
            line.wire(wire)

    def __getitem__(self, number: int) -> LiveIrq:
        return self.lines[number]

    def __len__(self) -> int:
        return len(self.lines)

    def set(self, levels: int) -> None:
        """Drive all lines: bit i is line i's level."""
        changed, self._levels = levels ^ self._levels, levels
        for i, line in enumerate(self.lines) if changed else ():
            line.set(levels >> i & 1)

    def reset(self) -> None:
        self.set(0)

    def save(self) -> Any:
        return self._levels

    def load(self, data: Any) -> None:
        self.set(data)


# -- serial ports ----------------------------------------------------------------------------------------------------


class SerialPort(Part["LiveSerial"]):
    """The device's end of a serial line. Hooks: `received(byte)`; `room()` says whether one more byte fits.

    Hooks for --uart-timing: `sent()` after each byte; `overrun()` takes note of a byte that finds no room, False: let it wait.
    """

    def __init__(self) -> None:
        self.hooks = {"received": "", "room": "", "sent": "", "overrun": ""}

    def received(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Name what takes a byte that came in."""
        self.hooks["received"] = function.__name__
        return function

    def room(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Name what says whether a byte would be taken now; bytes wait outside until then."""
        self.hooks["room"] = function.__name__
        return function

    def sent(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Name what is called when the last bit of a byte is out."""
        self.hooks["sent"] = function.__name__
        return function

    def overrun(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Name what takes note of a byte that is lost; it returns False where the receiver is off."""
        self.hooks["overrun"] = function.__name__
        return function

    def bind(self, device: Device, name: str) -> LiveSerial:
        return LiveSerial(device, name, self.hooks)


class LiveSerial(LivePart):
    """`device.line`. Transmitting takes no time, with --uart-timing that of the bits; received bytes come a character time apart."""

    def __init__(self, device: Device, name: str, hooks: dict[str, str]) -> None:
        super().__init__(device, name)
        self.hooks = hooks
        self.line: SerialLine | None = None
        self.baud = 115_200                        # bits per second; ten bits are a character
        self.leaving: deque[int] = deque()         # with --uart-timing: the byte whose bits go out, and those behind it
        self.due = 0                               # beat at which the first of them is out
        self._event: Any = None

    def wire(self, other: SerialLine | None) -> None:
        self.line = other
        if other is not None:
            other.connect(self)

    def put(self, byte: int) -> None:
        """Send a byte."""
        if self.line is None:
            return
        if not self.line.timed:
            self.line.sent(bytes((byte & 0xFF,)))
            return
        self.leaving.append(byte & 0xFF)
        if len(self.leaving) == 1:
            self._begin()

    def put_many(self, data: bytes) -> None:
        """Send bytes (of posted writes: there are none with --uart-timing)."""
        if self.line is not None:
            self.line.sent(data)

    @property
    def queued(self) -> int:
        """Bytes that are not out: the one in the shift register and those behind it."""
        return len(self.leaving)

    def _begin(self) -> None:
        if self.line is not None:
            self.due = self.device.machine.now + self.line.character
            self._event = self.device.machine.events.at(self.due, self._out)

    def _out(self) -> None:
        """The last bit of a byte is out."""
        if self.line is not None:
            self.line.sent(bytes((self.leaving.popleft(),)))
        if self.leaving:
            self._begin()
        if self.hooks["sent"]:
            getattr(self.device, self.hooks["sent"])()
        self.device.settle()

    def finish(self) -> None:
        """Have all that is on its way out arrive: the run is over, the wire is not."""
        if self.line is not None and self.leaving:
            self.line.sent(bytes(self.leaving))
            self.leaving.clear()

    def reset(self) -> None:
        self.baud = 115_200
        if self.leaving:
            self.leaving.clear()
            self.device.machine.events.cancel(self._event)

    def has_room(self) -> bool:
        """Whether the device would take a byte now."""
        return not self.hooks["room"] or bool(getattr(self.device, self.hooks["room"])())

    def when_room(self, action: Callable[[], None]) -> None:
        """Have `action` called once, after the access or event that makes room for a byte."""
        self.device.parked[action] = self

    def take(self, byte: int) -> None:
        """Receive a byte (called at its beat)."""
        if self.hooks["received"]:
            getattr(self.device, self.hooks["received"])(byte)
            self.device.settle()

    def lose(self) -> bool:
        """Take note of a byte that comes when there is no room; False: it may wait."""
        lost = bool(self.hooks["overrun"] and getattr(self.device, self.hooks["overrun"])())
        if lost:
            self.device.settle()
        return lost

    def save(self) -> Any:
        return [self.baud, list(self.leaving), self.due]

    def load(self, data: Any) -> None:
        self.baud, self.leaving, self.due = data[0], deque(data[1]), data[2]
        if self.leaving:
            self._event = self.device.machine.events.at(self.due, self._out)


# -- pins ------------------------------------------------------------------------------------------------------------


class Pins(Part["LivePins"]):
    """`count` pins: levels from outside, and what the device drives. Hook `changed(before, now)`: input levels."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.hook = ""

    def changed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Name what takes a change of levels, f(before, now): masks."""
        self.hook = function.__name__
        return function

    def bind(self, device: Device, name: str) -> LivePins:
        return LivePins(device, name, self)


class LivePins(LivePart):
    """`device.pins`. A pin's level: what the device drives, else what is set from outside, else its pull."""

    def __init__(self, device: Device, name: str, declared: Pins) -> None:
        super().__init__(device, name)
        self.count, self.hook = declared.count, declared.hook
        self.outside = 0               # levels given from outside, of the pins in `held`
        self.held = 0                  # pins that something outside drives
        self.value = 0                 # levels the device drives, of the pins in `enabled`
        self.enabled = 0
        self.pull = 0                  # level where nobody drives
        self.watchers: list[Callable[[int, int], None]] = []      # f(driven values, enabled)

    @property
    def levels(self) -> int:
        """The level of every pin, as a mask."""
        idle = self.outside & self.held | self.pull & ~self.held
        return self.value & self.enabled | idle & ~self.enabled

    def drive(self, value: int, enabled: int, pull: int | None = None) -> None:
        """Say what the device drives: levels, and which pins are outputs (and where idle pins are pulled)."""
        before = self.levels
        same = value & enabled == self.value & self.enabled and enabled == self.enabled
        self.value, self.enabled = value, enabled
        self.pull = self.pull if pull is None else pull
        if not same:
            for watcher in self.watchers:
                watcher(value & enabled, enabled)
        self._levels_changed(before)

    def set(self, pin: int, level: int | None) -> None:
        """Drive a pin from outside (None: let go)."""
        if not 0 <= pin < self.count:
            msg = f"{self.device.name}.{self.name} has pins 0 to {self.count - 1}, not {pin}"
            raise MachineError(msg)
        before, bit = self.levels, 1 << pin
        self.held = self.held | bit if level is not None else self.held & ~bit
        self.outside = self.outside | bit if level else self.outside & ~bit
        self._levels_changed(before)
        self.device.settle()

    def _levels_changed(self, before: int) -> None:
        now = self.levels
        if now != before and self.hook:
            getattr(self.device, self.hook)(before, now)

    def reset(self) -> None:
        self.drive(0, 0, 0)

    def save(self) -> Any:
        return [self.outside, self.held, self.value, self.enabled, self.pull]

    def load(self, data: Any) -> None:
        self.outside, self.held, self.value, self.enabled, self.pull = data
