"""Machines for tests and scripts: start one with an image, type at its UARTs, wait for what it prints.

Waiting is measured in virtual time, and everything repeats exactly: the same calls give the same run.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xemu.errors import UsageError
from xemu.hw.events import NEVER
from xemu.hw.machine import Stop, make_machine
from xemu.hw.ports import FirstUsed
from xemu.hw.start import check_vectors, choose_machine, load_image, read_image, report_overlaps, set_pin, set_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xemu.hw.machine import Machine
    from xemu.hw.serial import SerialLine

    Pattern = str | re.Pattern[str]

LAST_LINES = 12                  # of output, shown when something expected does not come
LAST_REPORTS = 5
TAIL = 4096                      # characters that are searched again when more come
PATIENCE = 10.0                  # virtual seconds that `expect` waits if not told


class FirmwareError(AssertionError):
    """The firmware did not do what was expected; the message shows what it did."""


class Uart:
    """What one UART (or the semihosting console) has printed, and a keyboard for it."""

    def __init__(self, board: RunningBoard, name: str) -> None:
        self.board, self.name = board, name
        self.target: Any = None                      # a SerialLine, or what chooses one
        self.pending = bytearray()                   # typed before it is known for which UART
        self.data = bytearray()
        self.seen = 0                                # characters of `text` that `expect` has gone past
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._tail, self._before = "", 0             # the last characters, and how many there were before them
        self._wanted: re.Pattern[str] | None = None

    @property
    def text(self) -> str:
        """All that was printed so far."""
        return self.data.decode("utf-8", "replace")

    @property
    def rest(self) -> str:
        """What was printed after the last `expect`."""
        return self.text[self.seen:]

    def send(self, text: str | bytes) -> None:
        """Type: the bytes arrive one character time apart, as fast as the guest takes them."""
        self.target.feed(text.encode() if isinstance(text, str) else bytes(text))

    def expect(self, pattern: Pattern, vtime: float = PATIENCE) -> re.Match[str]:
        """Run until words (or a compiled regular expression) are printed, from behind the last ones on; FirmwareError.

        An expression matches as soon as it can: say what follows, too, where more of the same may come.
        """
        __tracebackhide__ = True
        wanted = re.compile(re.escape(pattern)) if isinstance(pattern, str) else pattern
        self._wanted = wanted
        found = wanted.search(self.text, self.seen)
        stop = Stop("found") if found else self.board.run(vtime)
        self._wanted = None
        found = found or wanted.search(self.text, self.seen)
        if found is None:
            raise FirmwareError(f"{pattern if isinstance(pattern, str) else wanted.pattern!r} did not come on {self.name} "
                                f"{self.board.ending(stop, vtime)}\n{self.board.describe(self)}")
        self.seen = found.end()
        return found

    # -- as a port ---------------------------------------------------------------------------------------------------------
    def write(self, data: bytes) -> None:
        """Take what the guest prints."""
        self.data += data
        self._tail += self._decoder.decode(data)
        if len(self._tail) > 2 * TAIL:
            self._before += len(self._tail) - TAIL
            self._tail = self._tail[-TAIL:]
        if self._wanted is not None and self._wanted.search(self._tail, max(0, self.seen - self._before)):
            self.board.machine.stop(Stop("found"))

    def connect(self, target: Any) -> None:
        """Say where typed bytes go."""
        self.target = target
        if isinstance(target, FirstUsed):
            return
        self.name = target.name
        if self.pending:
            data, self.pending = bytes(self.pending), bytearray()
            target.feed(data)


class Console(Uart):
    """The semihosting console."""

    def feed(self, data: bytes) -> None:
        """Put bytes where semihosting calls read them."""
        self.board.cpu.semihosting.input += data


class RunningBoard:
    """A machine with an image in it, reset and ready. Nothing happens until `run` or a UART's `expect`."""

    cpu: Any                                         # the core, with what only its kind has

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.cpu = machine.cpu
        self._uarts: dict[int, Uart] = {}
        self._first = Uart(self, "the first UART that is used")
        lines = self._lines()
        self._first.connect(FirstUsed(machine, lines, self._first))        # type: ignore[arg-type]
        for line in lines:
            uart = self._uarts[line.number] = Uart(self, line.name)
            line.listeners.append(uart.write)
            line.watch(on=True)
            uart.connect(line)
        self.console = Console(self, "the semihosting console")
        self.console.target = self.console
        self.cpu.semihosting.console = self.console.write
        self._sent: dict[str, Any] = {}
        machine.poll, machine.idle = self._after_reset, self._idle
        self._resets = 0

    def _lines(self) -> list[SerialLine]:
        return [line for line in self.machine.serials if line.port is not None and line.port.device.name != "itm"]

    # -- running -----------------------------------------------------------------------------------------------------------
    def run(self, seconds: float) -> Stop:
        """Run for so much virtual time, or until something stops the machine; returns why (see `Stop`)."""
        return self.machine.run(max(1, round(seconds * self.machine.rate)))

    def exit_code(self, vtime: float = PATIENCE) -> int:
        """Run until the firmware ends by semihosting; FirmwareError if it does not."""
        __tracebackhide__ = True
        stop = self.run(vtime)
        if stop.reason != "exit":
            raise FirmwareError(f"the firmware did not exit {self.ending(stop, vtime)}\n{self.describe(self._first)}")
        return stop.code

    @property
    def seconds(self) -> float:
        """Virtual seconds since the start."""
        return self.machine.seconds

    # -- the outside -------------------------------------------------------------------------------------------------------
    def uart(self, which: int | str | None = None) -> Uart:
        """Return a UART by number or name; without one, the first that is used."""
        if which is None:
            return self._first
        for line in self._lines():
            if which in (line.number, line.name):
                return self._uarts[line.number]
        known = ", ".join(f"{line.number} ({line.name})" for line in self._lines())
        raise UsageError(f"{self.machine.name} has no UART {which}; it has {known}")

    def pin(self, name: str, level: int | None) -> None:
        """Drive a pin, "gpioa.5", from outside: 0, 1, or None to let go."""
        set_pin(self.machine, name, level)

    def set(self, name: str, value: Any) -> None:
        """Set what a sensor measures: "temp.celsius". It stays over a reset."""
        text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        self._sent[name] = text
        set_value(self.machine, name, text)

    def _after_reset(self) -> None:
        if self.machine.resets != self._resets:
            self._resets = self.machine.resets
            for name, text in self._sent.items():
                set_value(self.machine, name, text)

    def _idle(self, _goal: int) -> bool:
        """The CPU sleeps: nothing comes from outside by itself."""
        if self.machine.events.next >= NEVER:
            self.machine.stop(Stop("idle", 0, "idle for ever"))
        return True

    # -- looking -----------------------------------------------------------------------------------------------------------
    @property
    def pc(self) -> int:
        """The address of the next instruction."""
        return self.machine.engine.pc

    @property
    def reports(self) -> list[str]:
        """What the machine has said: faults, registers that are not modelled."""
        return [text for _, _, text in self.machine.reports]

    def address(self, symbol: str) -> int:
        """Return the address of a name in the image; UsageError."""
        for table in self.machine.symbols:
            found = table.address_of(symbol)
            if found is not None:
                return int(found)
        raise UsageError(f"no symbol {symbol!r}")

    def read(self, where: int | str, length: int) -> bytes:
        """Return memory or registers as a debugger sees them: looking changes nothing."""
        address = self.address(where) if isinstance(where, str) else where
        data = self.machine.peek(address, length)
        if data is None:
            raise UsageError(f"{self.machine.name} has nothing at {address:#x}")
        return data

    def word(self, where: int | str) -> int:
        """Return 32 bits at an address or a name."""
        return int.from_bytes(self.read(where, 4), "little")

    # -- words -------------------------------------------------------------------------------------------------------------
    def ending(self, stop: Stop, vtime: float) -> str:
        """Say why a run ended."""
        words = {"beats": f"within {vtime:g} s of virtual time", "idle": "before the firmware went idle for ever",
                 "exit": f"before the firmware exited with {stop.code}{f' ({stop.text})' if stop.text else ''}",
                 "lockup": "before the processor locked up", "strict": f"before this: {stop.text}"}
        return words.get(stop.reason, f"before the machine stopped ({stop.reason})")

    def describe(self, uart: Uart) -> str:
        """Return several lines: the last output, where the processor is, what the machine said."""
        lines = [f"  at {self.machine.where(self.pc)}, {self.seconds:.6f} s after the start"]
        lines += [f"  said: {text}" for text in self.reports[-LAST_REPORTS:]]
        if self.cpu.locked_up:
            from xemu.hw.cortex_m.describe import describe_lockup

            lines += ["  " + line for line in describe_lockup(self.cpu, "it faulted while it was handling a fault").split("\n")]
        last = uart.text.splitlines()[-LAST_LINES:]
        lines.append(f"  last lines of {uart.name}:" if last else f"  {uart.name} has printed nothing")
        lines += [f"    {line}" for line in last]
        if self.console is not uart and self.console.data:
            lines += ["  last lines of the semihosting console:", *(f"    {t}" for t in self.console.text.splitlines()[-LAST_LINES:])]
        return "\n".join(lines)

    def close(self) -> None:
        """Give back memory; the board is not used any more."""
        self.machine.engine.close()
        self.machine.space.close()


def start_board(machine: str | None, *images: str | Path, base: int | None = None, seed: int = 0, strict: bool = False,
                jit: bool = True, eager_jit: bool = False, no_reboot: bool = False, svd: str | None = None,
                semihosting: str | Path | None = None, arguments: str = "", pins: Mapping[str, int] | None = None,
                values: Mapping[str, Any] | None = None, uart_timing: bool = False) -> RunningBoard:
    """Make a machine (None: guess it), load images and reset it.

    `base`: where raw binaries go; `semihosting`: the directory the guest may use; `arguments`: its command line;
    `pins` and `values`: as `RunningBoard.pin` and `set` take them. The rest is as `xemu boot` has it.
    """
    made = build_board(machine, *images, base=base, seed=seed, strict=strict, jit=jit, eager_jit=eager_jit, svd=svd)
    made.no_reboot = no_reboot
    board = RunningBoard(made)
    for line in board._lines() if uart_timing else ():  # noqa: SLF001
        line.keep_time()
    _semihosting(board, semihosting, arguments)
    _outside(board, pins or {}, values or {})
    return board


def build_board(machine: str | None, *images: str | Path, base: int | None = None, seed: int = 0, strict: bool = False,
                jit: bool = True, eager_jit: bool = False, svd: str | None = None) -> Machine:
    """Make a machine (None: guess it), load images and reset it. Nothing is connected to it."""
    from xemu.core.engine import Options

    loaded = [read_image(path, base) for path in images]
    if machine is None and not loaded:
        raise UsageError("which machine?")
    name = machine or choose_machine(loaded[0])[0]
    made = make_machine(name, Options(jit=jit, eager=eager_jit), seed=seed)
    for image in loaded:
        load_image(made, image)
    report_overlaps(made, loaded)
    if svd is not None:
        from xemu.hw.svd import load_svd

        made.svd = load_svd(svd, made.report)
    check_vectors(made, loaded)
    made.cpu.reset()
    made.strict = strict
    return made


def _semihosting(board: RunningBoard, root: str | Path | None, arguments: str) -> None:
    board.cpu.semihosting.root = None if root is None else Path(root)
    board.cpu.semihosting.command_line = arguments


def _outside(board: RunningBoard, pins: Mapping[str, int], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        board.set(name, value)
    for name, level in pins.items():
        board.pin(name, level)


def find_file(name: str | Path, places: Sequence[Path]) -> Path:
    """Return the first place that has a file; the name itself where none has it."""
    return next((place / name for place in places if (place / name).exists()), Path(name))
