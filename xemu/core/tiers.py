"""Where native time goes: interpreter and regions call each other, so a timer looks which of them runs.

The timer counts this thread's processor time. Its signal may come anywhere, inside Python too, so its handler is native code
that only notes the program counter.
"""

from __future__ import annotations

import ctypes
import threading
from bisect import bisect_right
from typing import TYPE_CHECKING

from xemu.core import host, hostmem

if TYPE_CHECKING:
    from xemu.core.objects import CodeMemory

SAMPLES = 1 << 16
INTERVAL = 4_000_000  # ns; Linux looks at such timers every 1 to 10 ms
SIGTRAP = 5           # one of those that xemu leaves to the host; a guest sees its own only
CLOCK_THREAD_CPUTIME_ID, SIGEV_THREAD_ID = 3, 4
SI_VALUE = 24         # offset in a siginfo_t of 64 bits


def sampler() -> str:
    """Return the handler: the ring that the signal brings has a count and then program counters."""
    from xemu.core.runtime import Native

    f = Native("sample", "i32 %signal, ptr %info, ptr %context", "")
    ring = f.get("%info", SI_VALUE, "ptr")
    count = f.get(ring)
    f.put_at(f.at(ring, f.op2("shl", f.op2("and", count, SAMPLES - 1), 3)), 8, f"i64 {f.get('%context', host.CONTEXT_PC)}")
    f.put_at(ring, 0, f"i64 {f.op2('add', count, 1)}")
    f.put("ret void")
    return f.text()


class _Event(ctypes.Structure):
    """The C library's struct sigevent."""

    _fields_ = (("value", ctypes.c_void_p), ("signal", ctypes.c_int), ("notify", ctypes.c_int), ("thread", ctypes.c_int),
                ("_", ctypes.c_int * 11))  # fmt: skip


class _Times(ctypes.Structure):
    """The C library's struct itimerspec."""

    _fields_ = (("interval", ctypes.c_long * 2), ("first", ctypes.c_long * 2))


class TierSamples:
    """Samples of one engine, from its making on; keeps quiet where the host has no such timer."""

    current: TierSamples | None = None  # the signal has one handler

    def __init__(self, code: CodeMemory, handler: int) -> None:
        self.code = code
        self.ring = (ctypes.c_uint64 * (1 + SAMPLES))()
        self.timer = ctypes.c_void_p()
        if TierSamples.current is not None:
            TierSamples.current.stop()
        TierSamples.current = self
        self._start(handler)

    def _start(self, handler: int) -> None:
        libc = ctypes.CDLL(None)
        if not hasattr(libc, "timer_create"):
            return
        hostmem.handle_natively(SIGTRAP, handler)
        event = _Event(ctypes.addressof(self.ring), SIGTRAP, SIGEV_THREAD_ID, threading.get_native_id())
        if libc.timer_create(CLOCK_THREAD_CPUTIME_ID, ctypes.byref(event), ctypes.byref(self.timer)) == 0:
            times = _Times((0, INTERVAL), (0, INTERVAL))
            libc.timer_settime(self.timer, 0, ctypes.byref(times), None)

    def stop(self) -> None:
        """Take no more samples."""
        libc = ctypes.CDLL(None)
        if hasattr(libc, "timer_delete"):
            libc.timer_delete(self.timer)

    def share_of_regions(self) -> float | None:
        """Return which part of the native samples was in regions; None without samples."""
        objects = sorted(self.code.objects)
        starts = [start for start, _, _ in objects]
        hits = [0, 0]
        for pc in self.ring[1 : 1 + min(self.ring[0], SAMPLES)]:
            index = bisect_right(starts, pc) - 1
            if index >= 0 and pc < objects[index][1]:
                hits[objects[index][2]] += 1
        return hits[1] / sum(hits) if sum(hits) else None
