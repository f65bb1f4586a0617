"""What a machine sends on a channel as events, one for each line, whatever pieces it is told of in.

How many bytes are passed on at once depends on who executed the writes (native code keeps them for a while), so nothing here
may depend on it: only on the bytes and the beats at which the guest wrote them.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from xemu.debug.event import ANY, Event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TEXT = 96                # bytes of output that an event shows
MANY = 256               # lines within WINDOW that are events of their own; the last of them stands for the others
WINDOW = 1 << 20         # beats


class Lines:
    """One channel's lines. `add` takes an event, `grow` one that was added and now stands for more lines."""

    __slots__ = ("_add", "_begun", "_count", "_data", "_grow", "_last", "_more", "_skipped", "_window", "channel")

    def __init__(self, channel: str, add: Callable[[Event], None], grow: Callable[[Event, int], Event]) -> None:
        self.channel, self._add, self._grow = channel, add, grow
        self._data = bytearray()                         # of the line that has begun,
        self._begun = self._skipped = 0                  # at this beat, after so many in which no instruction ran
        self._window, self._count = -1, 0                # the window that the last line began in, and how many did
        self._last: Event | None = None
        self._more = 0                                   # lines since then for which it stands

    def goes_on(self, data: bytes) -> bool:
        """Take a byte that neither begins nor ends a line, the most frequent case; False: it is not that."""
        if len(data) == 1 and 0 < len(self._data) < TEXT - 1 and data != b"\n":
            self._data += data
            return True
        return False

    def take(self, data: bytes, beats: Sequence[int], skipped: int) -> None:
        """Take bytes that were written at these beats."""
        at = 0
        while at < len(data):
            if not self._data:
                begun = beats[at]
                if begun // WINDOW != self._window:
                    self.settle()
                    self._window, self._count = begun // WINDOW, 0
                elif self._count == MANY:
                    end = bisect_left(beats, (self._window + 1) * WINDOW, at)
                    self._more += data.count(b"\n", at, end)
                    at = end
                    continue
                self._count += 1
                self._begun, self._skipped = begun, skipped
            end = min(data.find(b"\n", at) + 1 or len(data), at + TEXT - len(self._data))
            self._data += data[at:end]
            if data[end - 1] == 10 or len(self._data) == TEXT:
                self.end()
            at = end

    def end(self) -> None:
        """The line ends here, or the guest stands in the middle of it."""
        text = shown(self._data)
        if text:
            self.settle()
            self._last = Event(self._begun, ANY, self._begun - self._skipped, "output", self.channel, text)
            self._add(self._last)
        self._data.clear()

    def settle(self) -> None:
        """Have the last event say how many lines it stands for."""
        if self._last is not None and self._more:
            self._last = self._grow(self._last, self._more)
            self._more = 0


def shown(data: bytes | bytearray) -> str:
    """Return output as an event shows it."""
    return data.decode("utf-8", "replace").strip("\r\n\0")


__all__ = ["MANY", "TEXT", "WINDOW", "Lines", "shown"]
