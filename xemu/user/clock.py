"""Time and entropy for the guest: the host's, or derived from the instruction count and a seed.

All times are integer nanoseconds. `monotonic` starts somewhere, `realtime` counts from 1970.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_EPOCH = 1_735_689_600  # 2025-01-01 00:00:00 UTC
CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS, CLOCK_THREAD = 0, 1, 2, 3
SECOND = 1_000_000_000


class HostClock:
    """The host's clocks."""

    virtual = False

    def monotonic(self) -> int:
        """CLOCK_MONOTONIC."""
        return time.monotonic_ns()

    def realtime(self) -> int:
        """CLOCK_REALTIME."""
        return time.time_ns()

    def read(self, clock: int) -> int:
        """Any host clock by number; OSError(EINVAL)."""
        return time.clock_gettime_ns(clock)

    def resolution(self, clock: int) -> int:
        """clock_getres(2) in nanoseconds."""
        return int(time.clock_getres(clock) * SECOND) or 1

    def waited(self, _time: int) -> None:
        """Nothing to do: time passes while a call of the host waits."""

    def entropy(self, length: int) -> bytes:
        """Random bytes."""
        return os.urandom(length)


class VirtualClock:
    """One instruction is one nanosecond; idle time is skipped."""

    virtual = True

    def __init__(self, count: Callable[[], int], epoch: int, seed: int) -> None:
        """`count` returns the instructions so far, `epoch` is seconds since 1970."""
        self._count = count
        self._epoch = epoch * SECOND
        self.skipped = 0
        self._random = seed & 0xFFFFFFFFFFFFFFFF

    def monotonic(self) -> int:
        """Instructions executed plus nanoseconds skipped while idle."""
        return self._count() + self.skipped

    def realtime(self) -> int:
        """The epoch plus the time since the start."""
        return self._epoch + self.monotonic()

    def read(self, clock: int) -> int:
        """Every clock shows the same time but for the epoch of the realtime ones."""
        if clock in (0, 5, 8, 11):  # REALTIME, its coarse and alarm forms, TAI
            return self.realtime()
        if clock < 0 or clock in (1, 2, 3, 4, 6, 7, 9):
            return self.monotonic()
        raise OSError(22, os.strerror(22))

    def resolution(self, clock: int) -> int:
        """One nanosecond."""
        self.read(clock)
        return 1

    def waited(self, time: int) -> None:
        """Have the time pass that a call of the host has waited."""
        self.skipped += time

    def entropy(self, length: int) -> bytes:
        """Bytes that follow from the seed (SplitMix64; for repeatable runs, not for secrets)."""
        mask = 0xFFFFFFFFFFFFFFFF
        words = []
        for _ in range((length + 7) // 8):
            self._random = x = (self._random + 0x9E3779B97F4A7C15) & mask
            x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & mask
            x = (x ^ x >> 27) * 0x94D049BB133111EB & mask
            words.append((x ^ x >> 31).to_bytes(8, "little"))
        return b"".join(words)[:length]
