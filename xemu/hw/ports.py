"""The host side of serial lines: standard input and output, pseudo-terminals, TCP, files; and waiting for all of them.

`Hub` is what a machine asks between slices (`machine.poll`) and while its CPU sleeps (`machine.idle`). It waits on all
descriptors and on a wake pipe that signals write to, so nothing here blocks where an interruption would not be noticed.
"""

from __future__ import annotations

import os
import select
import time
from typing import TYPE_CHECKING, Any

from xemu.hw.events import NEVER, Outside
from xemu.hw.machine import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.hw.machine import Machine
    from xemu.hw.serial import SerialLine

MILLISECOND, SECOND = 1_000_000, 1_000_000_000       # in nanoseconds
LOOK = 5 * MILLISECOND           # between two looks at the outside while the guest is busy
STEP = 5 * MILLISECOND           # what a paced guest runs in one go
LATE = 50 * MILLISECOND          # a paced guest that is this far behind is not made to catch up
WAITING = 1 << 16                # bytes for the guest that wait inside; more stay in the descriptor
BUFFER = 1 << 16                 # bytes of output kept before they are written
BACKLOG = 1 << 20                # bytes kept for a reader that is not there or slow; older ones are dropped
FIRST_USE = 10                   # 1/seconds of virtual time that a UART has to send something before input chooses it
URGENT = ("signal", "timeout")
IN, OUT, GONE = select.POLLIN, select.POLLOUT, select.POLLHUP | select.POLLERR | select.POLLNVAL


class Pace:
    """Virtual time in step with the host's clock: `speed` virtual seconds in a second."""

    def __init__(self, machine: Machine, speed: float) -> None:
        self.machine, self.speed = machine, speed
        self.step = max(1, int(machine.rate * speed * STEP / SECOND))
        self.start()

    def start(self) -> None:
        """Take now, here and there, for the same moment."""
        self.beat, self.host = self.machine.now, time.monotonic_ns()

    def due(self, beat: int) -> int:
        """Return the host's time of a beat."""
        return self.host + int((beat - self.beat) * SECOND / (self.machine.rate * self.speed))

    def beat_at(self, host: int) -> int:
        """Return the beat of a host's time."""
        return self.beat + int((host - self.host) * self.machine.rate * self.speed / SECOND)

    def beats(self) -> int | None:
        """Return how many beats the guest may run before it is to be slowed down: None if it sleeps with nothing to come."""
        if not self.machine.cpu.sleeping:
            return self.step
        coming = self.machine.events.next
        return None if coming >= NEVER else max(coming - self.machine.now, 0) + self.step


class Port:
    """What a serial line is connected to outside. `target` takes what comes in (a SerialLine, or what has its `feed`)."""

    title = ""
    person = False                   # somebody may sit in front of it: the guest runs at its own speed

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.target: Any = None
        self.pending = bytearray()   # what came in before anybody was there to take it

    def write(self, data: bytes) -> None:
        """Take what the guest sends."""

    def incoming(self, data: bytes) -> None:
        """Hand bytes to the guest."""
        if self.target is None:
            self.pending += data
        else:
            self.target.feed(data)

    def connect(self, target: Any) -> None:
        """Say where input goes."""
        self.target = target
        if self.pending:
            data, self.pending = bytes(self.pending), bytearray()
            target.feed(data)

    @property
    def full(self) -> bool:
        """Whether enough input waits."""
        waiting = self.pending if self.target is None else self.target.waiting
        return len(waiting) >= WAITING

    def watches(self) -> list[tuple[int, int]]:
        """Return (descriptor, events) to wait for."""
        return []

    def ready(self, descriptor: int, events: int) -> None:
        """Serve a descriptor."""

    @property
    def open(self) -> bool:
        """Whether input may still come from it."""
        return False

    def flush(self) -> None:
        """Write what waits to be written."""

    def close(self) -> None:
        """Let go of the descriptors."""


class Hub:
    """All ports of a machine, and the waiting."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.ports: list[Port] = []
        self.outputs: list[Output] = []
        self.pace: Pace | None = None
        self.ending: Stop | None = None              # the outside wants the run to end
        self.urgent = False                          # … and nothing may be waited for any more
        self.say: Callable[[str], None] = lambda _text: None
        self.after_reset: Callable[[], None] = lambda: None        # the guest has reset the machine: called before its next instruction
        self.wake_in, self.wake_out = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._next_look = 0
        self._resets = machine.resets
        self._sleep_goal: int | None = None          # the CPU sleeps until this beat
        machine.poll, machine.idle = self.poll, self.idle

    def end(self, stop: Stop) -> None:
        """Have the run end; signal handlers may call it."""
        self.ending = self.ending or stop
        self.urgent = self.urgent or stop.reason in URGENT
        self.machine.stop(self.ending)

    # -- what the machine calls ------------------------------------------------------------------------------------------
    def poll(self) -> None:
        """Look at the outside now and then; not while the machine repeats what it has done."""
        if self.machine.door.replaying:
            return
        if self.machine.resets != self._resets:
            self._resets = self.machine.resets
            self.after_reset()
        if self.ending is not None:
            self.machine.stop(self.ending)
        elif time.monotonic_ns() >= self._next_look:
            self.look(0)

    def resumed(self) -> None:
        """The machine goes on from another place in its time."""
        self._resets = self.machine.resets
        if self.pace is not None:
            self.pace.start()

    def idle(self, goal: int) -> bool:
        """Wait, where that makes sense, until the beat `goal` or until something comes in."""
        if self.ending is not None:
            return True
        coming = self.machine.events.next
        if coming >= NEVER:
            if self.look(0) or self.ending is not None:
                return True
            if not self._open():
                self.machine.stop(Stop("idle", 0, "idle for ever"))
                return True
        if self.pace is not None:
            self._sleep_goal = goal
            came = self.look(None if goal >= NEVER else self.pace.due(goal) - time.monotonic_ns())
            self._sleep_goal = None
            if came:
                self.machine.stop(Stop("input"))     # run on in small steps
        elif goal >= NEVER and coming >= NEVER:
            self.look(None)
        else:
            self.poll()
        return True

    def keep_pace(self) -> None:
        """Between runs: sleep while the guest is ahead of the host."""
        if self.pace is None:
            return
        slack = 0
        while self.ending is None:
            ahead = self.pace.due(self.machine.now) - time.monotonic_ns()
            if ahead <= slack:
                if ahead < -LATE:
                    self.pace.start()
                return
            if self.look(ahead):
                slack = STEP                         # a key: answer at once, as long as that is no more than a step

    def _open(self) -> bool:
        return any(port.open for port in self.ports)

    # -- waiting ---------------------------------------------------------------------------------------------------------
    def look(self, limit: int | None) -> bool:
        """Wait at most `limit` nanoseconds (None: for ever) for any descriptor and serve all; True if one was ready."""
        self.flush()
        waiter = select.poll()
        waiter.register(self.wake_in, IN)
        owners: dict[int, Port] = {}
        for port in self.ports:
            for descriptor, events in port.watches():
                waiter.register(descriptor, events)
                owners[descriptor] = port
        if limit is not None:
            limit = max(0, -(-limit // MILLISECOND))
        found = waiter.poll(limit) if self.ending is None or limit == 0 else []
        served = False
        for descriptor, events in found:
            if descriptor == self.wake_in:
                self._drain()
            else:
                self._advance()
                owners[descriptor].ready(descriptor, events)
                served = True
        self._next_look = time.monotonic_ns() + LOOK
        if self.ending is not None:
            self.machine.stop(self.ending)
        return served

    def _advance(self) -> None:
        """Bring a sleeping guest's time up to the host's before something comes in."""
        if self._sleep_goal is not None and self.pace is not None:
            beat = min(self._sleep_goal, self.pace.beat_at(time.monotonic_ns()))
            self.machine.engine.skipped += max(0, beat - self.machine.now)

    def _drain(self) -> None:
        try:
            while os.read(self.wake_in, 512):
                pass
        except BlockingIOError:
            pass

    def writable(self, descriptor: int, *, last: bool = False) -> bool:
        """Wait until a descriptor takes bytes; False where the run is to end before that.

        `last`: the run is over and these are its last bytes: only what is urgent keeps them from being written.
        """
        waiter = select.poll()
        waiter.register(descriptor, OUT)
        waiter.register(self.wake_in, IN)
        while True:
            hurry = self.urgent or (self.ending is not None and not last)
            found = dict(waiter.poll(0 if hurry else None))
            if self.wake_in in found:
                self._drain()
            if descriptor in found:
                return True
            if hurry:
                return False

    def flush(self) -> None:
        """Write all output."""
        for output in self.outputs:
            output.flush()
        for port in self.ports:
            port.flush()

    def close(self) -> None:
        """Write what is left, close all."""
        for output in self.outputs:
            output.finish()
        for port in self.ports:
            port.close()


class Output:
    """Bytes for a descriptor that must not be lost: where its reader is slow, the guest waits."""

    def __init__(self, hub: Hub, descriptor: int, name: str) -> None:
        self.hub, self.descriptor, self.name = hub, descriptor, name
        self.buffer = bytearray()
        self.chunk = 512 if os.isatty(descriptor) else 4096        # what a descriptor that is ready takes without blocking
        self.broken = False
        self.last = b""
        hub.outputs.append(self)

    def write(self, data: bytes) -> None:
        """Take bytes."""
        self.last = data[-1:] or self.last
        if not self.broken:
            self.buffer += data
            if len(self.buffer) >= BUFFER:
                self.flush()

    def flush(self) -> None:
        """Write what is there; what is left when the run is to end stays."""
        while self.buffer and not self.broken and self.hub.writable(self.descriptor):
            self._some()

    def finish(self) -> None:
        """Write the rest; after a signal or time-out only what goes at once."""
        while self.buffer and not self.broken and self.hub.writable(self.descriptor, last=True):
            self._some()

    def _some(self) -> None:
        try:
            del self.buffer[:os.write(self.descriptor, self.buffer[:self.chunk])]
        except BlockingIOError:
            pass
        except OSError as error:
            self.broken = True
            self.buffer.clear()
            code = 141 if isinstance(error, BrokenPipeError) else 1        # as a program that SIGPIPE ends
            self.hub.end(Stop("output", code, "" if code == 141 else f"{self.name}: {error.strerror}"))


class FirstUsed:
    """Connects a port to the UART that is used first: the one that sends, or else the one that could receive its input."""

    def __init__(self, machine: Machine, lines: list[SerialLine], port: Port) -> None:
        self.machine, self.lines, self.port = machine, lines, port
        self.chosen: SerialLine | None = None
        self._offered = False
        for line in lines:
            line.listeners.append(lambda data, line=line: self._sent(line, data))      # type: ignore[misc]
            line.watch(on=True)                      # the beat of the first byte counts

    def _sent(self, line: SerialLine, data: bytes) -> None:
        if self.chosen is None:
            self.choose(line)
        if self.chosen is line:
            self.port.write(data)

    def choose(self, chosen: SerialLine) -> None:
        """Take a UART for good."""
        self.chosen = chosen
        for line in self.lines:
            line.watch(on=False)
        self.port.connect(chosen)

    def feed(self, data: bytes) -> None:
        """Take input while no UART is chosen: keep it, and see which of them opens its receiver."""
        self.port.pending += data
        if not self._offered:
            self._offered = True
            for line in self.lines:
                if line.port is not None:
                    line.port.when_room(lambda line=line: self._opened(line))          # type: ignore[misc]
                    line.port.device.settle()

    @property
    def waiting(self) -> bytearray:
        """What is kept."""
        return self.port.pending

    def _opened(self, line: SerialLine) -> None:
        if self.chosen is None:
            beat = self.machine.now + self.machine.rate // FIRST_USE
            self.machine.events.at(beat, Outside(lambda: self._fall_back(line), lambda: self.machine.door.replaying))

    def _fall_back(self, line: SerialLine) -> None:
        if self.chosen is None:
            self.choose(line)
