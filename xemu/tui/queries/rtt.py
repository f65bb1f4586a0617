"""SEGGER RTT: text in ring buffers of the guest's memory, which a debugger reads and writes while the guest runs.

A control block has the words "SEGGER RTT" in 16 bytes, how many up-buffers and how many down-buffers there are, and for each
a descriptor of six words: name, buffer, size, write offset, read offset, flags. The guest writes up-buffers and reads down-buffers;
the host does the other half. One byte of a buffer stays free. Reading has an effect: the read offset moves, as it must for a
guest that waits for room. It is a change of memory by the debugger, so it is part of the recording and happens again when the
past is repeated.
"""

from __future__ import annotations

import struct
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.debugger import Debugger

IDENTIFIER = b"SEGGER RTT\0\0\0\0\0\0"
HEADER, DESCRIPTOR = 24, 24
MOST = 16                # buffers of a direction that are believed
LARGEST = 1 << 20        # bytes of a buffer that are believed
SEARCHED = 1 << 20       # bytes of each memory in which the control block is looked for
AGAIN = 1.0              # seconds between two searches
QUEUED = 1 << 16         # bytes for a down-buffer that wait


class Ring(NamedTuple):
    """A descriptor."""

    at: int                                          # its address
    name: int
    buffer: int
    size: int
    write: int
    read: int

    @property
    def sound(self) -> bool:
        """Whether it can be used."""
        return bool(self.buffer) and 1 < self.size <= LARGEST and self.write < self.size and self.read < self.size


class Rtt:
    """The channels of a guest, "rtt0" and so on."""

    def __init__(self, d: Debugger) -> None:
        self.debugger = d
        self.address: int | None = None              # of the control block
        self.named = False                           # the guest has symbols: without one for it there is none
        self.known: set[str] = set()                 # channels that somebody was told of
        self.waiting: dict[int, bytearray] = {}      # for the guest
        self._next = 0.0
        self._looked = False

    # -- the control block -----------------------------------------------------------------------------------------------
    def _look(self) -> None:
        """Learn where the control block is: its symbol says it, and without symbols it is searched for."""
        if not self._looked:
            self._looked = True
            symbols = [module.find("_SEGGER_RTT") for module in self.debugger.modules]
            self.address = next((symbol.address for symbol in symbols if symbol is not None), None)
            self.named = any(len(module.symbols) for module in self.debugger.modules)
        if self.address is None and not self.named and monotonic() >= self._next:
            self._next = monotonic() + AGAIN
            self.address = self._search()

    def _search(self) -> int | None:
        for entry in self.debugger.system.memory_map():
            if entry.kind == "ram":
                data = self.debugger.read_memory(entry.start, min(entry.end - entry.start, SEARCHED))
                at = data.find(IDENTIFIER)
                if at >= 0:
                    return entry.start + at
        return None

    def _rings(self) -> tuple[list[Ring], list[Ring]]:
        """Return the up-buffers and down-buffers as they are now."""
        read = self.debugger.read_memory
        if self.address is None:
            return [], []
        header = read(self.address, HEADER)
        if header[:16] != IDENTIFIER:
            return [], []                            # not yet, or no longer
        ups, downs = struct.unpack_from("<II", header, 16)
        if ups > MOST or downs > MOST:
            return [], []
        data = read(self.address + HEADER, (ups + downs) * DESCRIPTOR)
        if len(data) < (ups + downs) * DESCRIPTOR:
            return [], []
        rings = [Ring(self.address + HEADER + i * DESCRIPTOR, *struct.unpack_from("<5I", data, i * DESCRIPTOR)) for i in range(ups + downs)]
        return rings[:ups], rings[ups:]

    # -- its buffers -----------------------------------------------------------------------------------------------------
    def poll(self) -> Iterator[tuple[str, bytes]]:
        """Read all up-buffers and fill the down-buffers; yields (channel, bytes), with no bytes for a channel that is new."""
        self._look()
        ups, downs = self._rings()
        for number, ring in enumerate(ups):
            name = f"rtt{number}"
            if not ring.sound:
                continue
            if ring.write != ring.read:
                yield name, self._take(ring)
            elif name not in self.known:
                yield name, b""
            self.known.add(name)
        for number, ring in enumerate(downs):
            if ring.sound and self.waiting.get(number):
                self._give(ring, self.waiting[number])

    def _take(self, ring: Ring) -> bytes:
        read = self.debugger.read_memory
        if ring.read < ring.write:
            data = read(ring.buffer + ring.read, ring.write - ring.read)
        else:
            data = read(ring.buffer + ring.read, ring.size - ring.read) + read(ring.buffer, ring.write)
        self.debugger.write_memory(ring.at + 16, struct.pack("<I", ring.write))
        return data

    def _give(self, ring: Ring, waiting: bytearray) -> None:
        write = ring.write
        while waiting:
            room = (ring.read - write - 1) % ring.size
            count = min(room, ring.size - write, len(waiting))
            if not count:
                break
            self.debugger.write_memory(ring.buffer + write, bytes(waiting[:count]))
            del waiting[:count]
            write = (write + count) % ring.size
        if write != ring.write:
            self.debugger.write_memory(ring.at + 12, struct.pack("<I", write))

    def feed(self, channel: str, data: bytes) -> None:
        """Have the guest find bytes in a down-buffer, when there is room."""
        number = channel.removeprefix("rtt")
        if number.isdecimal():
            waiting = self.waiting.setdefault(int(number), bytearray())
            waiting += data[:max(QUEUED - len(waiting), 0)]
