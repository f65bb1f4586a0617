"""Pins of the nRF51 and their tasks and events. nRF51 Reference Manual 3.0, 13, 14."""

from __future__ import annotations

from xemu.hw.device import Device, KiB
from xemu.hw.devices.nrf51_base import Event, Switched, Task
from xemu.hw.parts import Pins, Var
from xemu.hw.registers import RO, RW, Reg

ALL = 0xFFFF_FFFF
PULL_UP, SENSE_HIGH, SENSE_LOW = 3, 2, 3
OPEN_AT_0, OPEN_AT_1 = (4, 5), (6, 7)       # DRIVE values that leave the pin open at a level


class Nrf51Gpio(Device, size=4 * KiB, sizes=(1, 2, 4)):
    """GPIO: 32 pins. What is connected to them sets and watches `pins`."""

    pins = Pins(32)
    taken = Var(0)                              # pins that GPIOTE drives, and their levels
    taken_levels = Var(0)
    seen = Var(0)                               # levels behind the input buffers
    detect = Var(default=False)                 # the DETECT signal: a pin has the level it is to sense
    # Derived from PIN_CNF, one bit for a pin:
    buffered, pull_up, sense_high, sense_low, open_at_0, open_at_1 = Var(0), Var(0), Var(0), Var(0), Var(0), Var(0)

    OUT = Reg(0x504, "Output")
    OUTSET = Reg(0x508, "Output; 1 sets", access=RO)
    OUTCLR = Reg(0x50C, "Output; 1 clears", access=RO)
    IN = Reg(0x510, "Input", access=RO)
    DIR = Reg(0x514, "Direction: 1 is output")
    DIRSET = Reg(0x518, "Direction; 1 makes an output", access=RO)
    DIRCLR = Reg(0x51C, "Direction; 1 makes an input", access=RO)
    PIN_CNF = Reg(0x700, "Configuration", count=32, reset=2, DIR=RW[0], INPUT=RW[1](connect=0, disconnect=1),
                  PULL=RW[3:2](none=0, down=1, up=3), DRIVE=RW[10:8](S0S1=0, H0S1=1, S0H1=2, H0H1=3, D0S1=4, D0H1=5, S0D1=6, H0D1=7),
                  SENSE=RW[17:16](off=0, high=2, low=3))

    @OUTSET.computed
    def _out(self):
        return self.OUT

    @OUTCLR.computed
    def _out_too(self):
        return self.OUT

    @OUTSET.on_write
    def _set_out(self, value):
        self.OUT |= value

    @OUTCLR.on_write
    def _clear_out(self, value):
        self.OUT &= ~value

    @IN.computed
    def _in(self):
        return self.seen

    @DIRSET.computed
    def _dir(self):
        return self.DIR

    @DIRCLR.computed
    def _dir_too(self):
        return self.DIR

    @DIR.on_write
    def _direct(self, value, old):
        """DIR and the DIR bits of PIN_CNF are the same bits."""
        for n in range(32):
            if (value ^ old) >> n & 1:
                self.PIN_CNF[n].DIR = value >> n & 1

    @DIRSET.on_write
    def _make_outputs(self, value):
        old = int(self.DIR)
        self.DIR = old | value
        self._direct(old | value, old)

    @DIRCLR.on_write
    def _make_inputs(self, value):
        old = int(self.DIR)
        self.DIR = old & ~value
        self._direct(old & ~value, old)

    @PIN_CNF.on_write
    def _configure(self, pin, value):
        cnf, bit = self.PIN_CNF[pin], 1 << pin
        del value
        facts = {"buffered": not cnf.INPUT, "pull_up": cnf.PULL == PULL_UP, "sense_high": cnf.SENSE == SENSE_HIGH,
                 "sense_low": cnf.SENSE == SENSE_LOW, "open_at_0": cnf.DRIVE in OPEN_AT_0, "open_at_1": cnf.DRIVE in OPEN_AT_1}
        for name, fact in facts.items():
            setattr(self, name, getattr(self, name) | bit if fact else getattr(self, name) & ~bit)
        self.DIR = self.DIR | bit if cnf.DIR else self.DIR & ~bit

    def take(self, pin: int, level: int | None) -> None:
        """GPIOTE drives a pin, or gives it back (None)."""
        bit = 1 << pin
        self.taken = self.taken | bit if level is not None else self.taken & ~bit
        self.taken_levels = self.taken_levels | bit if level else self.taken_levels & ~bit
        self.settle()

    def update(self) -> None:
        """Drive the pins and look at what is on them, again where that has made GPIOTE drive something else."""
        for _ in range(4):
            before = self.taken, self.taken_levels
            self._drive()
            if (self.taken, self.taken_levels) == before:
                return

    def _drive(self) -> None:
        out = int(self.OUT) & ~self.taken | self.taken_levels
        enabled = (int(self.DIR) | self.taken) & ~(out & self.open_at_1) & ~(~out & self.open_at_0 & ALL)
        self.pins.drive(out, enabled, self.pull_up)
        levels = self.pins.levels
        gpiote = self.machine["gpiote"]
        before, self.seen = self.seen, levels & (self.buffered | gpiote.listened())
        if before != self.seen:
            gpiote.pins_changed(before, self.seen)
        detect = bool(levels & self.sense_high | ~levels & self.sense_low)
        if detect and not self.detect:
            gpiote.detected()
            self.machine["power"].wake("OFF")
        self.detect = detect


class Nrf51Gpiote(Switched):
    """GPIOTE: four channels that make events of edges or levels of tasks, and PORT for any pin that senses its level."""

    levels = Var([0, 0, 0, 0])                  # of channels in task mode
    pins_of = Var([-1, -1, -1, -1])             # pins that channels in task mode drive

    OUT = Task(0x000, "Change the pin", count=4)
    IN = Event(0x100, "The pin has changed", count=4)
    PORT = Event(0x17C, "A pin has the level it is to sense")
    CONFIG = Reg(0x510, "Channel", count=4, MODE=RW[1:0](disabled=0, event=1, task=3), PSEL=RW[12:8],
                 POLARITY=RW[17:16](none=0, rising=1, falling=2, toggle=3), OUTINIT=RW[20])

    def reset(self) -> None:
        for n in range(4):
            self._release(n)
        super().reset()

    def _release(self, n: int) -> None:
        pin, self.pins_of[n] = self.pins_of[n], -1
        if pin >= 0 and pin not in self.pins_of:
            self.machine["gpio"].take(pin, None)

    @CONFIG.on_write
    def _configure(self, n, value):
        config, gpio = self.CONFIG[n], self.machine["gpio"]
        del value
        pin = int(config.PSEL) & 31 if config.MODE == 3 else -1
        if pin != self.pins_of[n]:
            self._release(n)
            if pin >= 0:
                self.pins_of[n] = pin
                self.levels[n] = config.OUTINIT
                gpio.take(pin, self.levels[n])
        gpio.settle()

    @OUT.does
    def _change(self, n):
        if self.pins_of[n] >= 0:
            self.levels[n] = {1: 1, 2: 0, 3: 1 - self.levels[n]}.get(self.CONFIG[n].POLARITY, self.levels[n])
            self.machine["gpio"].take(self.pins_of[n], self.levels[n])

    def listened(self) -> int:
        """Return the pins whose input buffers the channels in event mode need."""
        mask = 0
        for config in self._values[self._places[0x510]:self._places[0x510] + 4]:
            if config & 3 == 1:
                mask |= 1 << (config >> 8 & 31)
        return mask

    def pins_changed(self, before: int, now: int) -> None:
        """Let the events of edges happen."""
        for n in range(4):
            config = self.CONFIG[n]
            bit = 1 << (config.PSEL & 31)
            if config.MODE == 1 and (before ^ now) & bit and config.POLARITY & (1 if now & bit else 2):
                self.fire(self.IN[n])
        self.settle()

    def detected(self) -> None:
        """DETECT has gone high."""
        self.fire(self.PORT)
        self.settle()
