"""What is soldered around the micro:bit's processor: buttons and the LED matrix (micro:bit V1 schematic, 1.5)."""

from __future__ import annotations

from typing import Any

from xemu.hw.device import Device
from xemu.hw.devices.outside import Sensing
from xemu.hw.parts import Param, Var

#: ROW.COLUMN of each LED, as one sees them
WIRING = """
    1.1 2.4 1.2 2.5 1.3
    3.4 3.5 3.6 3.7 3.8
    2.2 1.9 2.3 3.9 2.1
    1.8 1.7 1.6 1.5 1.4
    3.3 2.7 3.1 2.6 3.2
"""
LEDS = [(int(row), int(column)) for row, column in (led.split(".") for led in WIRING.split())]


class LedMatrix(Device):
    """5 x 5 LEDs in three rows (pin high: on) and nine columns (pin low: on), lit in turn.

    What one sees is the mean over the last milliseconds of virtual time.
    """

    gpio: Any = Param()
    first_row: int = Param(13)                  # pins of row 1 and column 1; the others follow
    first_column: int = Param(4)
    milliseconds: int = Param(36)               # what the eye averages: two frames of the official firmware
    history = Var([[0, 0]])                     # [beat, LEDs lit from then on]

    def start(self) -> None:
        self.gpio.pins.watchers.append(self._changed)

    def _changed(self, levels: int, enabled: int) -> None:
        high, low = levels & enabled, ~levels & enabled
        lit = 0
        for i, (row, column) in enumerate(LEDS):
            if high >> (self.first_row + row - 1) & 1 and low >> (self.first_column + column - 1) & 1:
                lit |= 1 << i
        if lit != self.history[-1][1]:
            self.history.append([self.machine.now, lit])
            if len(self.history) > 200:
                self._forget()

    def _window(self) -> int:
        return self.milliseconds * self.machine.rate // 1000

    def _forget(self) -> None:
        start = self.machine.now - self._window()
        while len(self.history) > 1 and self.history[1][0] <= start:
            del self.history[0]

    def brightness(self) -> list[float]:
        """Return, for each LED line by line, which part of the time it was lit (a third is all a row can have)."""
        now = end = self.machine.now
        start = max(now - self._window(), 0)
        times: dict[int, int] = {}                  # LEDs lit together -> beats
        for beat, lit in reversed(self.history):
            times[lit] = times.get(lit, 0) + end - max(beat, start)
            if beat <= start:
                break
            end = beat
        return [sum(length for lit, length in times.items() if lit >> i & 1) / max(now - start, 1) for i in range(len(LEDS))]

    def text(self) -> str:
        """Return five lines of five characters: `#` lit, `+` dim (less than a third of what is possible), `.` dark."""
        shown = "".join("#" if b > 0.11 else "+" if b else "." for b in self.brightness())
        return "\n".join(shown[i:i + 5] for i in range(0, 25, 5))


class Button(Sensing):
    """A push button that pulls its pin to ground; a resistor pulls it up."""

    outside = ("pressed",)
    gpio: Any = Param()
    pin: int = Param()
    pressed = Var(default=False)

    def press(self) -> None:
        """Press it."""
        self.feel("pressed", value=True)

    def release(self) -> None:
        """Release it."""
        self.feel("pressed", value=False)

    def update(self) -> None:
        self.gpio.pins.set(self.pin, int(not self.pressed))
