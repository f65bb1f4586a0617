"""What measures in the nRF51: ADC, TEMP, RNG, LPCOMP, QDEC. nRF51 Reference Manual 3.0, 21, 22, 30 to 32."""

from __future__ import annotations

from xemu.errors import MachineError
from xemu.hw.devices.nrf51_base import Event, Switched, Task, disconnected
from xemu.hw.devices.outside import Sensing
from xemu.hw.parts import Param, Timer, Var
from xemu.hw.registers import RO, RW, TODO, Reg

AIN_PINS = (26, 27, 1, 2, 3, 4, 5, 6)           # GPIO pin of each analog input (PS 2.2)
BAND_GAP = 1.2                                  # volts


class Nrf51Adc(Switched, Sensing):
    """ADC. `set(n, volts)` says what is on analog input n; an input nobody sets has its pin's level. `supply`: volts."""

    supply: float = Param(3.3)
    clock = Timer(1_000_000)
    outside = ("volts",)
    volts = Var([None] * 8)

    START = Task(0x000, "Start a conversion")
    STOP = Task(0x004, "Stop")
    END = Event(0x100, "The conversion is complete")
    BUSY = Reg(0x400, "Busy", BUSY=RO[0])
    ENABLE = Reg(0x500, "Enable", ENABLE=RW[1:0](disabled=0, enabled=1))
    CONFIG = Reg(0x504, "Configuration", reset=0x18, RES=RW[1:0](bits8=0, bits9=1, bits10=2),
                 INPSEL=RW[4:2](ain=0, ain_2_3=1, ain_1_3=2, supply_2_3=5, supply_1_3=6),
                 REFSEL=RW[6:5](vbg=0, external=1, supply_1_2=2, supply_1_3=3), PSEL=RW[15:8], EXTREFSEL=RW[17:16])
    RESULT = Reg(0x508, "Result", RESULT=RO[9:0])

    def set(self, n: int, volts: float | None) -> None:
        """Put a voltage on analog input n (None: let go)."""
        if not 0 <= n < 8:
            msg = f"{self.name} has analog inputs 0 to 7, not {n}"
            raise MachineError(msg)
        self.feel("volts", [*self.volts[:n], volts, *self.volts[n + 1:]])

    def update(self) -> None:
        """The comparator looks at the same inputs."""
        super().update()
        self.machine["lpcomp"].settle()

    def level(self, n: int) -> float:
        """Return the voltage on analog input n."""
        if self.volts[n] is not None:
            return float(self.volts[n])
        return self.supply * int(self.machine["gpio"].pins.levels >> AIN_PINS[n] & 1)

    @START.does
    def _start(self):
        if self.ENABLE == 1:
            self.BUSY = 1
            self.clock.start(0)
            self.clock.expire_at((20, 36, 68, 68)[self.CONFIG.RES])

    @STOP.does
    def _stop(self):
        self.BUSY = 0
        self.clock.cancel()

    def _measured(self) -> float:
        """Return the input in volts after the prescaler."""
        config = self.CONFIG
        chosen = int(config.PSEL)
        pin = self.level(chosen.bit_length() - 1) if chosen else 0.0
        return {0: pin, 1: pin * 2 / 3, 2: pin / 3, 5: self.supply * 2 / 3, 6: self.supply / 3}.get(config.INPSEL, 0.0)

    def _reference(self) -> float:
        select = self.CONFIG.REFSEL
        if select == 1:
            external = {1: 26, 2: 6}.get(self.CONFIG.EXTREFSEL)           # AREF0, AREF1: pins of AIN0 and AIN7
            return self.level(AIN_PINS.index(external)) if external else 0.0
        return (BAND_GAP, 0.0, self.supply / 2, self.supply / 3)[select]

    @clock.expired
    def _converted(self):
        self.BUSY = 0
        top = (256, 512, 1024, 1024)[self.CONFIG.RES]
        reference = self._reference()
        self.RESULT = max(0, min(top - 1, int(self._measured() * top / reference + 0.5))) if reference else top - 1
        self.fire(self.END)


class Nrf51Temp(Switched, Sensing):
    """TEMP: the temperature of the die in quarters of a degree. `set(celsius)` says it."""

    clock = Timer(1_000_000)
    outside = ("celsius",)
    celsius = Var(25.0)

    START = Task(0x000, "Start a measurement")
    STOP = Task(0x004, "Stop")
    DATARDY = Event(0x100, "The measurement is complete")
    TEMP = Reg(0x508, "Temperature in 0.25 degrees, signed", access=RO)
    TRIM = Reg(0x504, "Trim (PAN 28; not in the manual)", count=1)
    TRIMS = Reg(0x520, "Trims that the start-up code copies (not in the manual)", count=8)

    def set(self, celsius: float) -> None:
        """Say the temperature in degrees Celsius."""
        self.feel("celsius", celsius)

    @START.does
    def _start(self):
        self.clock.start(0)
        self.clock.expire_at(35)

    @STOP.does
    def _stop(self):
        self.clock.cancel()

    @clock.expired
    def _measured(self):
        self.TEMP = round(self.celsius * 4)
        self.fire(self.DATARDY)


class Nrf51Rng(Switched):
    """RNG: a byte every 167 or (with bias correction) 677 microseconds, from the machine's seed."""

    clock = Timer(1_000_000)

    START = Task(0x000, "Start")
    STOP = Task(0x004, "Stop")
    VALRDY = Event(0x100, "A new byte is in VALUE")
    SHORTS = Reg(0x200, "Shortcuts", VALRDY_STOP=RW[0])
    CONFIG = Reg(0x504, "Configuration", DERCEN=RW[0])
    VALUE = Reg(0x508, "Random byte", VALUE=RO[7:0])

    def _next(self) -> None:
        self.clock.start(0)
        self.clock.expire_at(677 if self.CONFIG.DERCEN else 167)

    @START.does
    def _start(self):
        self._next()

    @STOP.does
    def _stop(self):
        self.clock.cancel()

    @clock.expired
    def _generated(self):
        self.VALUE = self.machine.random.getrandbits(8)
        self._next()
        self.fire(self.VALRDY)


class Nrf51LowPowerComparator(Switched):
    """LPCOMP: compares an analog input with a part of the supply or another input."""

    clock = Timer(1_000_000)
    running = Var(default=False)
    above = Var(default=False)

    START = Task(0x000, "Start")
    STOP = Task(0x004, "Stop")
    SAMPLE = Task(0x008, "Sample the comparison to RESULT")
    READY = Event(0x100, "Running")
    DOWN = Event(0x104, "The input fell below the reference")
    UP = Event(0x108, "The input rose above the reference")
    CROSS = Event(0x10C, "Either")
    SHORTS = Reg(0x200, "Shortcuts", READY_SAMPLE=RW[0], READY_STOP=RW[1], DOWN_STOP=RW[2], UP_STOP=RW[3], CROSS_STOP=RW[4])
    RESULT = Reg(0x400, "Last comparison", RESULT=RO[0](below=0, above=1))
    ENABLE = Reg(0x500, "Enable", ENABLE=RW[1:0](disabled=0, enabled=1))
    PSEL = Reg(0x504, "Analog input", PSEL=RW[2:0])
    REFSEL = Reg(0x508, "Reference: (n + 1)/8 of the supply, or 7: EXTREFSEL", REFSEL=RW[2:0])
    EXTREFSEL = Reg(0x50C, "Analog input that is the reference", EXTREFSEL=RW[0](aref0=0, aref1=1))
    ANADETECT = Reg(0x520, "What wakes from SYSTEM OFF", ANADETECT=TODO[1:0](cross=0, up=1, down=2))

    @START.does
    def _start(self):
        if self.ENABLE == 1:
            self.clock.start(0)
            self.clock.expire_at(140)

    @STOP.does
    def _stop(self):
        self.running = False
        self.clock.cancel()

    def _compare(self) -> bool:
        adc = self.machine["adc"]
        share = int(self.REFSEL)
        reference = adc.level(7 if self.EXTREFSEL else 0) if share == 7 else adc.supply * (share + 1) / 8
        return bool(adc.level(int(self.PSEL)) > reference)

    @clock.expired
    def _ready(self):
        self.running, self.above = True, self._compare()
        self.fire(self.READY)

    @SAMPLE.does
    def _sample(self):
        self.RESULT = self._compare()

    def update(self) -> None:
        if self.running and self._compare() != self.above:
            self.above = not self.above
            self.fire(self.UP if self.above else self.DOWN)
            self.fire(self.CROSS)
        super().update()


class Nrf51QuadratureDecoder(Switched):
    """QDEC: samples two pins and adds up the steps."""

    clock = Timer(1_000_000)
    running = Var(default=False)
    before = Var(0)                             # the pins at the last sample: A in bit 1, B in bit 0
    steps = Var(0)                              # samples since the last report

    START = Task(0x000, "Start")
    STOP = Task(0x004, "Stop")
    READCLRACC = Task(0x008, "Move ACC to ACCREAD and clear it")
    SAMPLERDY = Event(0x100, "Sampled")
    REPORTRDY = Event(0x104, "REPORTPER samples have been taken, and ACC is not 0")
    ACCOF = Event(0x108, "ACC or ACCDBL has overflowed")
    SHORTS = Reg(0x200, "Shortcuts", REPORTRDY_READCLRACC=RW[0], SAMPLERDY_STOP=RW[1])
    ENABLE = Reg(0x500, "Enable", ENABLE=RW[0])
    LEDPOL = Reg(0x504, "LED's polarity", LEDPOL=RW[0])
    SAMPLEPER = Reg(0x508, "Sample period: 128 us * 2^n", SAMPLEPER=RW[2:0])
    SAMPLE = Reg(0x50C, "Last sample: -1, 0, 1, or 2 for a step over two", access=RO)
    REPORTPER = Reg(0x510, "Samples for a report", REPORTPER=RW[2:0])
    ACC = Reg(0x514, "Sum of steps, signed", access=RO)
    ACCREAD = Reg(0x518, "ACC at READCLRACC", access=RO)
    PSELLED = Reg(0x51C, "LED's pin", reset=0xFFFFFFFF)
    PSELA = Reg(0x520, "Pin A", reset=0xFFFFFFFF)
    PSELB = Reg(0x524, "Pin B", reset=0xFFFFFFFF)
    DBFEN = Reg(0x528, "Debounce filter", DBFEN=TODO[0])
    LEDPRE = Reg(0x540, "Microseconds of light before a sample", reset=0x10, LEDPRE=RW[8:0])
    ACCDBL = Reg(0x544, "Steps over two", ACCDBL=RO[3:0])
    ACCDBLREAD = Reg(0x548, "ACCDBL at READCLRACC", ACCDBLREAD=RO[3:0])

    REPORTS = (10, 40, 80, 120, 160, 200, 240, 280)
    TURN = (0b00, 0b01, 0b11, 0b10)             # the order of the two pins' levels when turning forwards

    def _pins(self) -> int:
        levels = self.machine["gpio"].pins.levels
        a, b = (0 if disconnected(int(p)) else levels >> (p & 31) & 1 for p in (self.PSELA, self.PSELB))
        return a << 1 | b

    def _plan(self) -> None:
        self.clock.start(0)
        self.clock.expire_at(128 << int(self.SAMPLEPER))

    @START.does
    def _start(self):
        if self.ENABLE:
            self.running, self.before, self.steps = True, self._pins(), 0
            self._plan()

    @STOP.does
    def _stop(self):
        self.running = False
        self.clock.cancel()

    @READCLRACC.does
    def _read_and_clear(self):
        self.ACCREAD, self.ACCDBLREAD = self.ACC, self.ACCDBL
        self.ACC = self.ACCDBL = 0

    @clock.expired
    def _sampled(self):
        now = self._pins()
        moved = (self.TURN.index(now) - self.TURN.index(self.before)) % 4
        self.before = now
        self.SAMPLE = (0, 1, 2, 0xFFFFFFFF)[moved]
        self._add(moved)
        self._plan()
        self.fire(self.SAMPLERDY)
        self.steps += 1
        if self.steps >= self.REPORTS[self.REPORTPER]:
            self.steps = 0
            if self.ACC or self.ACCDBL:
                self.fire(self.REPORTRDY)

    def _add(self, moved: int) -> None:
        total = self.ACC.value - (self.ACC.value >> 31 << 32) + (0, 1, 0, -1)[moved]
        doubles = self.ACCDBL + (moved == 2)
        if not -1024 <= total <= 1023 or doubles > 15:
            self.fire(self.ACCOF)
            return
        self.ACC, self.ACCDBL = total, doubles
