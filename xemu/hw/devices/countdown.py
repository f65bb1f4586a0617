"""A counter that runs down to zero and starts again: what most timers and watchdogs have inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.hw.parts import Count, LiveTimer, Part

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.hw.device import Device


class Countdown(Part["LiveCountdown"]):
    """A declared down-counter. Its hook `zero()` is called whenever it comes to 0 from above."""

    def __init__(self) -> None:
        self.hook, self.hz = "", 0

    def zero(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Name what happens at zero."""
        self.hook = function.__name__
        return function

    def bind(self, device: Device, name: str) -> LiveCountdown:
        """Return the live object."""
        return LiveCountdown(device, name, self)


class LiveCountdown(LiveTimer):
    """`device.counter`: `left` ticks to zero; the tick after zero shows `top` (None: it stays at zero).

    The ticks behind it count up to 0, where the counter is zero; they are never set back, so no tick is lost.
    """

    def __init__(self, device: Device, name: str, declared: Any) -> None:
        super().__init__(device, name, declared)
        self._top: int | None = None

    @property
    def top(self) -> int | None:
        """What follows zero."""
        return self._top

    @top.setter
    def top(self, top: int | None) -> None:
        left, self._top = self.left, top
        self.put(left)

    @property
    def period(self) -> int:
        """Ticks from zero to zero; 0 where none follows."""
        return self._top + 1 if self._top else 0

    @property
    def left(self) -> int:
        """The count."""
        ticks = self.value
        if ticks <= 0:
            return -ticks
        return -ticks % self.period if self.period else 0

    def put(self, count: int) -> None:
        """Set the count; the next zero is `count` ticks away, or a whole period after 0."""
        self.value = -count
        if count:
            self.expire_at(0)
        elif self.period:
            self.expire_at(self.period)
        else:
            self.cancel()

    def shown(self) -> Count | int:
        """Return what a register shows of it (for `counts` hooks)."""
        if not self.running or (self.value >= 0 and not self.period):
            return self.left
        return Count(self, 0, down=True, modulus=self.period if -self.value < self.period else 1 << 32)

    def _expire(self) -> None:
        goal = self._goal or 0
        self._event = None
        self._goal = goal + self.period if self.period else None
        self._schedule()
        if self.declared.hook:
            getattr(self.device, self.declared.hook)()
        self.device.settle()

    def reset(self) -> None:
        """Stop at 0."""
        self._top = None
        super().reset()

    def save(self) -> Any:
        """Return the state as plain data."""
        return [super().save(), self._top]

    def load(self, data: Any) -> None:
        """Take back what `save` gave."""
        self._top = data[1]
        super().load(data[0])
