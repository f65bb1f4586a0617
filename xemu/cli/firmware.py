"""One run of `xemu boot`: machine, images, ports, signals, and what the end means."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C module: `signal` itself costs milliseconds
import contextlib
import os
import re
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xemu.cli.recorded import open_snapshot, recording
from xemu.errors import ImageError, UsageError
from xemu.hw.endpoints import Stdio, make_port
from xemu.hw.machine import Stop, make_machine
from xemu.hw.ports import FirstUsed, Hub, Output, Pace
from xemu.hw.start import check_vectors, choose_machine, load_flash, load_image, read_image, report_overlaps, save_flash, set_pin, set_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.hw.machine import Machine
    from xemu.hw.ports import Port
    from xemu.hw.serial import SerialLine
    from xemu.loaders.formats import FirmwareImage

TIMED_OUT = 124
SIGHUP, SIGINT, SIGALRM, SIGTERM, SIGCONT = _signal.SIGHUP, _signal.SIGINT, _signal.SIGALRM, _signal.SIGTERM, _signal.SIGCONT


class TextWatch:
    """Looks for words in what several sources print."""

    def __init__(self, words: list[tuple[bytes, Stop]], found: Callable[[Stop], None]) -> None:
        self.words, self.found = words, found
        self.keep = max((len(text) for text, _ in words), default=1) - 1
        self.tails: dict[str, bytes] = {}

    def feed(self, source: str, data: bytes) -> None:
        """Look at the next bytes of a source."""
        text = self.tails.get(source, b"") + data
        self.tails[source] = text[-self.keep:] if self.keep else b""
        hits = [(at, stop) for words, stop in self.words if (at := text.find(words)) >= 0]
        if hits:
            self.found(min(hits, key=lambda hit: hit[0])[1])


def _both(first: Callable[[bytes], None], second: Callable[[bytes], None]) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        first(data)
        second(data)
    return write


class ConsoleInput:
    """Where standard input goes when no UART takes it: what semihosting calls read."""

    def __init__(self, semihosting: Any) -> None:
        self.waiting = semihosting.input

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        self.waiting += data


class Run:
    """A machine with images, connected to the outside."""

    def __init__(self, values: dict[str, Any], image: str | None, began: float) -> None:
        self.values, self.began = values, began
        self.images: list[FirmwareImage] = []
        self.hub: Hub | None = None
        self._ending: Stop | None = None             # a signal or time-out that came before there was a hub
        self._signals()
        self.snapshot = open_snapshot(image, values)
        if image is not None and self.snapshot is None:
            self.images.append(read_image(image, values.get("base")))
        self.images += [read_image(path, base) for path, base in values.get("load", [])]
        self.machine = self._make_machine()
        self.stdout = Output(hub := Hub(self.machine), 1, "standard output")
        self.stderr = Output(hub, 2, "standard error")
        self.stdio = Stdio(hub, self.stdout)
        hub.say = self.say
        self.hub = hub
        if self._ending:
            hub.end(self._ending)

    # -- setting up ------------------------------------------------------------------------------------------------------
    def _make_machine(self) -> Machine:
        from xemu.core.engine import Options

        values = self.values
        name = values.get("machine")
        if name is None or name == "auto":
            if not self.images:
                raise UsageError("which machine? --machine NAME")
            name, why = choose_machine(self.images[0])
            sys.stderr.write(f"xemu: machine {name}: {why}\n")
        tracing = any(map(values.get, ("trace_hash", "record", "check_replay")))
        options = Options(jit=not values.get("no_jit"), eager=bool(values.get("eager_jit")), tracing=tracing,
                          timing=bool(values.get("stats")))
        machine = make_machine(name, options, seed=values.get("seed", 0), strict=False)
        machine.no_reboot = bool(values.get("no_reboot"))
        return machine

    def _load(self) -> None:
        """Fill memory, name addresses, set what comes from outside."""
        machine, values = self.machine, self.values
        if "flash" in values:
            load_flash(machine, Path(values["flash"]))
        for image in self.images:
            for note in image.notes:
                self.say(f"{image.name}: {note}")
            load_image(machine, image)
        report_overlaps(machine, self.images)
        if self.snapshot is not None:
            from xemu.debug.recorded import restore_machine

            restore_machine(self.snapshot, machine)
        for path, offset in values.get("symbols", []):
            from xemu.loaders.symbols import load_symbols

            machine.symbols.insert(0, load_symbols(path, offset=offset or 0))
        if "svd" in values:
            from xemu.hw.svd import load_svd

            machine.svd = load_svd(values["svd"], self.say)
        if self.snapshot is None:
            check_vectors(machine, self.images)
            machine.cpu.reset()
        machine.strict = bool(values.get("strict"))
        self._outside()
        assert self.hub is not None
        self.hub.after_reset = self._outside

    def _outside(self) -> None:
        """Set pins and what sensors measure; a reset of the machine changes nothing outside."""
        for name, value in self.values.get("set", []):
            set_value(self.machine, name, value)
        for name, level in self.values.get("pin", []):
            set_pin(self.machine, name, level)

    def _connect(self) -> None:
        """Connect UARTs, consoles and input."""
        machine, hub = self.machine, self.hub
        assert hub is not None
        machine.listeners.append(self._report)
        uarts = [line for line in machine.serials if line.port is not None and line.port.device.name != "itm"]
        given, first = self._uart_options(uarts)
        for line in uarts if self.values.get("uart_timing") else ():
            line.keep_time()
        hub.ports.append(self.stdio)
        for line, what in given.items():
            self._attach(line, what, make_port(hub, what, self.stdio))
        others = [line for line in uarts if line not in given]
        if first not in (None, "none"):
            port = make_port(hub, str(first), self.stdio)
            assert port is not None
            self._add(port, "the first UART that is used")
            port.connect(FirstUsed(machine, others, port))
        if self.stdio.target is None:
            self.stdio.connect(ConsoleInput(machine.cpu.semihosting))      # type: ignore[attr-defined]
        for line in machine.serials:
            if line not in uarts:
                line.listeners.append(self.stdout.write)
        self._semihosting()
        self._conditions()

    def _attach(self, line: SerialLine, what: str, port: Port | None) -> None:
        if port is not None:
            line.listeners.append(port.write)
            port.connect(line)
            self._add(port, line.name if what in ("pty", "stdio") or what.startswith("tcp:") else "")

    def _add(self, port: Port, name: str) -> None:
        assert self.hub is not None
        if port is not self.stdio:
            self.hub.ports.append(port)
            if name and port.open:
                self.say(f"{name}: {port.title}")

    def _uart_options(self, uarts: list[SerialLine]) -> tuple[dict[SerialLine, str], str | None]:
        """Return what each UART is connected to, and what the first one that is used; UsageError."""
        given: dict[SerialLine, str] = {}
        loose: list[str] = []
        for text in self.values.get("uart", []):
            found = re.fullmatch(r"(\w+)=(.+)", text)
            if not found:
                loose.append(text)
                continue
            line = self._uart(found[1], uarts)
            if line in given:
                raise UsageError(f"--uart {text}: {line.name} is already connected to {given[line]}")
            given[line] = found[2]
        if len(loose) > 1:                           # in order, as the board numbers them
            free = [line for line in uarts if line not in given]
            if len(loose) > len(free):
                raise UsageError(f"--uart {loose[-1]}: {self.machine.name} has {len(uarts)} UARTs")
            given.update(zip(free, loose, strict=False))
            loose = []
        words = [*given.values(), *loose]
        if words.count("stdio") > 1:
            raise UsageError("--uart: only one UART can have stdio")
        if not all(words):
            raise UsageError("--uart: nothing given; it is stdio, pty, tcp:PORT, a file or none")
        return given, loose[0] if loose else None if "stdio" in words else "stdio"

    def _uart(self, name: str, uarts: list[SerialLine]) -> SerialLine:
        for line in uarts:
            if name in (str(line.number), line.name):
                return line
        known = ", ".join(f"{line.number} ({line.name})" for line in uarts) or "none"
        raise UsageError(f"--uart {name}=: {self.machine.name} has no such UART; it has {known}")

    def _semihosting(self) -> None:
        semihosting: Any = getattr(self.machine.cpu, "semihosting", None)
        if semihosting is None:
            return
        semihosting.console, semihosting.errors = self._in_order(self.stdout.write), self._in_order(self.stderr.write)
        if self.values.get("semihosting"):
            semihosting.root = Path.cwd()
        images = [image.name for image in self.images[:1]]
        semihosting.command_line = " ".join([*images, *filter(None, [self.values.get("semihosting_args")])])

    def _conditions(self) -> None:
        hub, values = self.hub, self.values
        assert hub is not None
        words = [(text, Stop("until", 0)) for text in values.get("until", [])]
        words += [(text, Stop("fail", 1, f"the guest printed {os.fsdecode(text)!r} (--fail-on)")) for text in values.get("fail_on", [])]
        if not words:
            return
        watch = TextWatch(words, hub.end)
        for line in self.machine.serials:
            line.listeners.append(partial(watch.feed, line.name))
        semihosting: Any = getattr(self.machine.cpu, "semihosting", None)
        if semihosting is not None:
            for attribute in ("console", "errors"):
                setattr(semihosting, attribute, _both(getattr(semihosting, attribute), partial(watch.feed, attribute)))

    # -- messages --------------------------------------------------------------------------------------------------------
    def _in_order(self, write: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """Have what UARTs have sent so far come first."""
        return _both(lambda _data: self.machine.deliver_posted(), write)

    def _report(self, text: str) -> None:
        self.machine.deliver_posted()
        self.say(text)

    def say(self, text: str) -> None:
        """Write lines of xemu's own to standard error, behind what the guest has printed."""
        self.stdout.flush()
        lines = "".join(f"xemu: {line}\n" for line in text.split("\n"))
        if self.stdout.last not in (b"", b"\n") and os.isatty(2):
            lines = "\n" + lines
            self.stdout.last = b"\n"
        self.stderr.write(lines.encode("utf-8", "backslashreplace"))
        self.stderr.flush()

    # -- signals ---------------------------------------------------------------------------------------------------------
    def _signals(self) -> None:
        """Take signals and the time-out: handlers note them, the hub's wake pipe ends all waiting."""
        for number in (SIGHUP, SIGINT, SIGTERM):
            if _signal.getsignal(number) is not _signal.SIG_IGN:
                _signal.signal(number, self._on_signal)
        _signal.signal(SIGCONT, self._on_continue)
        if "timeout" in self.values:
            _signal.signal(SIGALRM, self._on_alarm)
            left = self.began + self.values["timeout"] - time.monotonic()
            _signal.setitimer(_signal.ITIMER_REAL, max(left, 1e-6), 0.02)      # again and again: until it is noticed

    def _on_signal(self, number: int, _frame: object) -> None:
        if self._ending is not None and self._ending.reason == "signal":       # the second time: no more waiting
            self.stdio.close()
            os._exit(128 + number)
        self._end(Stop("signal", 128 + number))

    def _on_alarm(self, _number: int, _frame: object) -> None:
        self._end(Stop("timeout", TIMED_OUT, f"time-out after {self.values['timeout']:g} s"))

    def _end(self, stop: Stop) -> None:
        self._ending = self._ending or stop
        if self.hub is not None:
            self.hub.end(stop)
            with contextlib.suppress(BlockingIOError):
                os.write(self.hub.wake_out, b"\0")

    def _on_continue(self, _number: int, _frame: object) -> None:
        if self.hub is not None and self.stdio.terminal is not None:
            self.stdio.terminal.enter()

    # -- running ---------------------------------------------------------------------------------------------------------
    def main(self) -> int:
        """Run to the end; returns the exit code."""
        hub = self.hub
        assert hub is not None
        try:
            self._connect()
            self._load()
            self.stdio.start()
            factor = 0.0 if self.values.get("fast") else self.values.get("speed")
            if factor is None:
                factor = 1.0 if any(port.person and port.target is not None for port in hub.ports) else 0.0
            if factor:
                hub.pace = Pace(self.machine, factor)
            with recording(self) as recorded:
                stop = recorded.stop = self._debug(hub) if "gdb" in self.values else self._run(hub)
            code = self._finish(stop)
            return recorded.code or code
        finally:
            hub.close()
            if self.values.get("timeout"):
                _signal.setitimer(_signal.ITIMER_REAL, 0)
            self.machine.engine.close()

    def _run(self, hub: Hub) -> Stop:
        machine = self.machine
        limit = self.values.get("vtime")
        end = None if limit is None else machine.now + int(limit * machine.rate)
        while hub.ending is None:
            beats = None if end is None else end - machine.now
            if beats is not None and beats <= 0:
                return Stop("vtime", 0, f"end of the virtual time of {limit:g} s")
            if hub.pace is not None and (step := hub.pace.beats()) is not None:
                beats = step if beats is None else min(beats, step)
            stop = machine.run(beats)
            if stop.reason not in ("beats", "input"):
                return hub.ending or stop
            hub.keep_pace()
        return hub.ending

    def _debug(self, hub: Hub) -> Stop:
        """Serve the machine to debuggers."""
        from xemu.debug.debugger import Debugger
        from xemu.debug.machine import MachineSystem
        from xemu.debug.session import Session
        from xemu.gdbstub.stage import serve_machine

        session = Session(Debugger(MachineSystem(self.machine, hub)))
        session.interrupted = lambda: hub.ending is not None
        code = serve_machine(session, self.values["gdb"], stopped=bool(self.values.get("wait")))
        return hub.ending or Stop("exit", code)

    def _finish(self, stop: Stop) -> int:
        """Say why it ended and return the exit code."""
        machine, values = self.machine, self.values
        for line in machine.serials:
            if line.port is not None:
                line.port.finish()
        if "flash" in values and any(getattr(p, "written", False) for p in machine.parts.values()):
            try:
                save_flash(machine, Path(values["flash"]))
            except ImageError as error:
                self.say(str(error))
                stop = Stop("output", 1)
        text = stop.text
        if stop.reason == "idle":
            text = f"idle for ever at {machine.where(machine.engine.pc)}"
        if text and stop.reason != "strict":         # that one has been reported
            self.say(text)
        code = stop.code
        if values.get("until") and stop.reason in ("exit", "idle", "vtime", "lockup", "strict", "quit"):
            wanted = " or ".join(repr(os.fsdecode(w)) for w in values["until"])
            self.say(f"{wanted} (--until) was never printed")
            code = code or 1
        self._statistics()
        return code

    def _statistics(self) -> None:
        machine, engine = self.machine, self.machine.engine
        if self.values.get("trace_hash"):
            self.say(f"trace hash {engine.trace_hash:016x} after {engine.insns} instructions, {machine.now} beats")
        if self.values.get("stats"):
            spent = time.monotonic() - self.began
            self.say(f"{engine.insns} instructions, {machine.seconds:.6f} virtual seconds in {spent:.3f} s: "
                     f"{engine.insns / spent / 1e6:.1f} million/s; {machine.resets} resets")
            for name, value in engine.stats.items():
                self.say(f"  {name:16} {value:.3f}" if isinstance(value, float) else f"  {name:16} {value}")
