"""Serial lines: what stands between a UART and the outside. All input comes through the machine's door.

Text sent by the guest is kept and handed to listeners. Bytes for the guest wait here: they come one character time
apart, and only while the UART has room, so pasted text is never lost. With --uart-timing (`timed`) bytes for the outside
take their time too, and a byte that finds no room is an overrun.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.hw.machine import Machine
    from xemu.hw.parts import LiveSerial

KEEP = 1 << 20           # bytes of output kept for `expect` and panes


class SerialLine:
    """One line of a board, `machine.serials[n]`."""

    def __init__(self, machine: Machine, number: int) -> None:
        self.machine, self.number = machine, number
        self.port: LiveSerial | None = None
        self.listeners: list[Callable[[bytes], None]] = []
        self.output = bytearray()              # what the guest has sent, the last KEEP bytes
        self.dropped = 0                       # bytes forgotten before those
        self.waiting: deque[int] = deque()     # bytes for the guest
        self.due = 0                           # beat of the next one
        self.timed = False                     # --uart-timing: sending takes time too, and what finds no room is lost
        self._event: Any = None

    @property
    def name(self) -> str:
        """The name of the UART behind it."""
        return self.port.device.name if self.port else f"serial{self.number}"

    def connect(self, port: LiveSerial) -> None:
        """Take the UART's end."""
        self.port = port

    def watch(self, *, on: bool) -> None:
        """Have (or no longer need) every byte at its beat, not a batch at the end of a slice: what waits for words does."""
        if self.port is not None:
            self.port.device.watched += 1 if on else -1
            self.port.device.settle()

    def keep_time(self) -> None:
        """Have both directions take the time of their bits."""
        self.timed = True
        self.watch(on=True)

    # -- from the guest ------------------------------------------------------------------------------------------------
    def sent(self, data: bytes) -> None:
        """Take what the UART sends; when it is sent again, it has been heard."""
        if self.machine.door.replaying:
            return
        self.output += data
        if len(self.output) > 2 * KEEP:
            self.dropped += len(self.output) - KEEP
            del self.output[:-KEEP]
        for listener in self.listeners:
            listener(data)

    # -- to the guest --------------------------------------------------------------------------------------------------
    def feed(self, data: bytes) -> None:
        """Have bytes arrive from now on (a door entry: call it between runs, or at an event)."""
        self.machine.door.note("serial", self.name, bytes(data))
        self.arrive(data)

    def arrive(self, data: bytes) -> None:
        """Take bytes, as the door has them."""
        self.waiting.extend(data)
        self._arm()

    @property
    def character(self) -> int:
        """The beats a character takes on the line."""
        baud = self.port.baud if self.port else 115_200
        return max(1, 10 * self.machine.rate // max(baud, 1))

    def _arm(self) -> None:
        if self.waiting and self._event is None:
            self.due = max(self.due, self.machine.now)
            self._event = self.machine.events.at(self.due, self._deliver)

    def _deliver(self) -> None:
        """One character has come in; where the UART has no room it waits until there is some."""
        self._event = None
        if self.port is None or not self.waiting:
            return
        if self.port.has_room():
            self.port.take(self.waiting.popleft())
        elif self.timed and self.port.lose():
            self.waiting.popleft()
        else:
            self.port.when_room(self._room)
            return
        self.due = self.machine.now + self.character
        self._arm()

    def _room(self) -> None:
        """The guest has made room: a character time later the next one is there."""
        self.due = max(self.due, self.machine.now + self.character)
        self._arm()

    def save(self) -> Any:
        """Return what is under way."""
        return [list(self.waiting), self.due]

    def load(self, data: Any) -> None:
        """Take back what `save` gave."""
        self.waiting, self.due = deque(data[0]), data[1]
        self._event = None
        self._arm()
