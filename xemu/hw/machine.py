"""A machine: parts on a bus, a CPU, time and what comes from outside. A board is a function that fills one.

    @machine("my-board", "What it is.")
    def my_board(m):
        m.cpu   = CortexM3(rate=16 * MHz, irqs=32, priority_bits=3)
        m.flash = Rom(at=0, size=256 * KiB)
        m.uart0 = PL011(at=0x4000_C000, irq=m.cpu.irq[5], line=m.serial(0))

Assigning names a part. Time is one integer, beats: instructions executed plus beats skipped while the CPU slept.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.core.engine import Engine, Options
from xemu.core.memory import PAGE, READ, WRITE, AddressSpace, GuestFault, make_space
from xemu.errors import MachineError
from xemu.hw.device import BusError, Device
from xemu.hw.door import Door
from xemu.hw.events import NEVER, Events
from xemu.hw.memory import Alias, Hole, Memory
from xemu.hw.serial import SerialLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xemu.hw.cpu import Cpu

SLICE = 1 << 22          # instructions between two looks at the outside
OUTSIDE = "outside"      # text of a Stop "watch": no instruction made the access, and it has been made
KHz, MHz = 1_000, 1_000_000


class Stop(NamedTuple):
    """Why `Machine.run` returned: "beats", "insns", "exit" (code), "idle", "lockup", "request", "strict".

    For debuggers: "point" and "watch" (before the next instruction; `code`: which watch), "settled", "exception" (`code`: its number).
    """

    reason: str
    code: int = 0
    text: str = ""


class Window(NamedTuple):
    """A part on the bus."""

    start: int
    end: int
    part: Any


class Machine:
    """One board. Parts are attributes; `run` runs it."""

    name: str
    options: Options
    seed: int
    said: set[str]
    space: AddressSpace
    engine: Engine
    cpu: Cpu
    events: Events
    parts: dict[str, Any]
    sources: dict[str, str]              # where each part was named
    serials: list[SerialLine]
    door: Door                           # everything that came from outside
    posted_at: Sequence[int]             # beats of the posted writes that a device is given just now
    moved: int                           # changes of the state that no instruction made, but for events: see `transitions`
    watcher: Callable[[], int] | None                 # returns which watched memory others than instructions have changed, or -1
    on_exception: Callable[[int], bool] | None        # told of each exception entry: True stops the run after it
    reports: list[tuple[int, int | None, str]]        # (beat, pc, text)
    listeners: list[Callable[[str], None]]            # called with each report
    windows: dict[int, list[Window]]     # page number -> devices on it
    holes: list[Window]                  # ranges that answer where nothing else does
    symbols: list[Any]                   # tables that name addresses
    rate: int                            # beats per second
    epoch: int                           # what the machine's clock starts from, in seconds since 1970
    resets: int
    random: Random                       # what devices draw from (RNG, noise)
    poll: Callable[[], None] | None      # called between slices: looks at the outside
    idle: Callable[[int], bool] | None   # called when the CPU sleeps, with the beat of the next event: may wait; False: nothing can come
    svd: Any
    running: bool
    stopping: Stop | None
    no_reboot: bool
    _memories: dict[int, Memory | Alias | None]       # by page number, as far as asked
    strict: bool

    def __init__(self, name: str = "machine", options: Options | None = None, *, seed: int = 0, strict: bool = False) -> None:
        self.__dict__.update(
            name=name, options=options or Options(), seed=seed, strict=strict, no_reboot=False, running=False, stopping=None,
            _end=NEVER, _insns=NEVER, _slice_end=0, moved=0, posted_at=(), on_exception=None, watcher=None,
            parts={}, sources={}, _memories={}, windows={}, holes=[], serials=[], symbols=[], svd=None,
            events=Events(self._sooner, self._event_failed), rate=1, epoch=946_684_800, random=Random(seed),       # 1 January 2000
            door=None, poll=None, idle=None, said=set(), reports=[], listeners=[], resets=0)
        self.__dict__["door"] = Door(self)

    # -- building ------------------------------------------------------------------------------------------------------
    def __setattr__(self, name: str, part: Any) -> None:
        if hasattr(part, "attach"):
            self[name] = part
        elif name in self.__dict__ or isinstance(getattr(type(self), name, None), property):
            super().__setattr__(name, part)
        else:
            self[name] = part                              # which says what is wrong with it

    def __setitem__(self, name: str, part: Any) -> None:
        if not hasattr(part, "attach"):
            msg = f"{self.name}.{name}: {part!r} is no part of a machine"
            raise MachineError(msg)
        frame = sys._getframe(1)  # noqa: SLF001  where the board says it, for messages
        while frame.f_code.co_filename == __file__ and frame.f_back:
            frame = frame.f_back
        source = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        if name not in self.parts and (name in self.__dict__ or hasattr(type(self), name)):
            msg = f"{self.name}: the machine has something of its own called {name!r}; choose another name ({source})"
            raise MachineError(msg)
        if name in self.parts:
            msg = f"{self.name}: {name} is named twice, at {self.sources[name]} and at {source}"
            raise MachineError(msg)
        self.parts[name] = part
        self.sources[name] = source
        self.__dict__[name] = part
        part.attach(self, name)

    def __getitem__(self, name: str) -> Any:
        try:
            return self.parts[name]
        except KeyError:
            import difflib

            near = difflib.get_close_matches(name, list(self.parts), 1)
            msg = f"{self.name} has no part {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
            raise MachineError(msg) from None

    def serial(self, number: int) -> SerialLine:
        """Return the board's serial line of that number."""
        while len(self.serials) <= number:
            self.serials.append(SerialLine(self, len(self.serials)))
        line: SerialLine = self.serials[number]
        return line

    def build(self) -> None:
        """Check the board, make memory and engine, reset all."""
        if "cpu" not in self.parts:
            msg = f"{self.name}: a machine needs a CPU: m.cpu = CortexM3(...)"
            raise MachineError(msg)
        self._check_overlaps()
        self.__dict__["space"] = make_space(self.cpu.address_bits)
        self.space.alone = True
        self.__dict__["engine"] = Engine(self.cpu.target(), self.space, self.options)
        self.engine.connect_devices(self._device_access)
        placed = [p for p in self.parts.values() if isinstance(p, Memory)] + [p for p in self.parts.values() if isinstance(p, Alias)]
        for part in placed:
            part.place()
        for name in self._by_address():
            self._place_windows(name)
        for part in self.parts.values():
            if isinstance(part, Device):
                part.start()
        self.cpu.start()
        self.reset(cold=True)

    def _by_address(self) -> list[str]:
        """Return the names of devices and holes: devices first, for a hole is what is left."""
        found = [(isinstance(p, Hole), p.at, n) for n, p in self.parts.items() if isinstance(p, (Device, Hole)) and p.at is not None]
        return [n for _, _, n in sorted(found)]

    def _check_overlaps(self) -> None:
        spans = sorted((p.at, p.at + p.size, n) for n, p in self.parts.items()
                       if isinstance(p, (Memory, Alias, Device)) and p.at is not None)
        for (a, end, first), (b, _, second) in pairwise(spans):
            if b < end:
                msg = (f"{self.name}: {first} ({a:#x} to {end - 1:#x}, {self.sources[first]}) and {second} (at {b:#x}, "
                       f"{self.sources[second]}) overlap")
                raise MachineError(msg)

    def _place_windows(self, name: str) -> None:
        part = self.parts[name]
        window = Window(part.at, part.at + part.size, part)
        if isinstance(part, Hole):
            self.holes.append(window)
            self.holes.sort(key=lambda w: w.end - w.start)             # a small one inside a larger one counts
            for at, end in self._gaps(window):
                self.engine.slow.window(at, end - at)
            return
        for page in range(part.at // PAGE, -(-window.end // PAGE)):
            self.windows.setdefault(page, []).append(window)
        if type(part).registers:
            part.place_cells(self.engine.slow.device)
        self.engine.slow.window(part.at & -PAGE, window.end - (part.at & -PAGE))

    def _gaps(self, window: Window) -> Iterator[tuple[int, int]]:
        """Yield what of a hole no memory covers."""
        at = window.start & -PAGE
        for area in list(self.space.areas()):
            if area.end <= at or area.start >= window.end:
                continue
            if area.start > at:
                yield at, area.start
            at = area.end
        if at < window.end:
            yield at, window.end

    # -- time ------------------------------------------------------------------------------------------------------------
    @property
    def now(self) -> int:
        """Beats since the start. Exact inside a device access; in an event the beat it was due at."""
        beat = self.events.beat
        return beat if beat is not None else self.engine.count + self.engine.skipped

    @property
    def skipped(self) -> int:
        """Beats that passed while the CPU slept."""
        return self.engine.skipped

    @property
    def seconds(self) -> float:
        """Virtual seconds since the start."""
        return self.now / self.rate

    @property
    def transitions(self) -> int:
        """Changes of the state that no instruction made: events, exceptions entered and left, input. With the beat it names a state."""
        return self.moved + self.events.done

    def _sooner(self, beat: int) -> None:
        if self.running and beat < self._slice_end:
            self.engine.cut()

    # -- the bus -----------------------------------------------------------------------------------------------------------
    def _window(self, address: int) -> Window | None:
        for window in self.windows.get(address >> 12, ()):
            if window.start <= address < window.end:
                return window
        for window in self.holes:
            if window.start <= address < window.end and not self.memory_at(address):
                return window
        return None

    def _device_access(self, address: int, size: int, write: bool, value: int) -> int:
        """Serve a guest's access: native code and the evaluator come here."""
        self.deliver_posted()
        self.cpu.check_access(address, size, write=write)
        if size == 8:
            low = self._device_access(address, 4, write, value & 0xFFFFFFFF)
            return low | self._device_access(address + 4, 4, write, value >> 32) << 32
        window = self._window(address)
        if window is None:
            return self._memory_access(address, size, write=write, value=value)
        part, offset = window.part, address - window.start
        try:
            if write:
                part.write(offset, size, value & ((1 << 8 * size) - 1))
                return 0
            return part.read(offset, size) & ((1 << 8 * size) - 1)  # type: ignore[no-any-return]
        except BusError as e:
            self.report(f"{e}: the bus refuses it")
            raise GuestFault(address, WRITE if write else READ, mapped=True) from None
        except GuestFault:
            raise
        except Exception as e:  # noqa: BLE001  a mistake in a device model is the guest's bus fault; the run goes on
            self._device_failed(part, offset, size, value if write else None, e)
            raise GuestFault(address, WRITE if write else READ, mapped=True) from None

    def _memory_access(self, address: int, size: int, *, write: bool, value: int) -> int:
        """Serve what lies in memory: a write to ROM or flash; anything else is a hole in the bus."""
        part = self.memory_at(address)
        if part is None or not write or not hasattr(part, "guest_write"):
            raise GuestFault(address, WRITE if write else READ, mapped=False)
        part.guest_write(address, size, value & ((1 << 8 * size) - 1))
        return 0

    def _device_failed(self, part: Any, offset: int, size: int, value: int | None, error: Exception) -> None:
        what = f"read of {size} bytes" if value is None else f"write of {value:#x} ({size} bytes)"
        register = part._title(part._places[offset & ~3]) if isinstance(part, Device) and offset & ~3 in part._places else f"+{offset:#x}"  # noqa: SLF001
        self._model_failed(part.name, f"{what} at {register}", error, "the guest gets a bus fault")

    def _event_failed(self, action: Any, error: Exception) -> None:
        """Report a device model that fails in an event of its own: nobody accesses it, so nobody gets a fault."""
        owner = getattr(action, "__self__", None)
        part = getattr(owner, "device", owner)
        self._model_failed(getattr(part, "name", "a device"), "in an event", error, "the run goes on")

    def _model_failed(self, name: str, what: str, error: Exception, then: str) -> None:
        import traceback

        where = traceback.extract_tb(error.__traceback__)[-1]
        self.report(f"the model of {name} failed: {what}: {type(error).__name__}: {error} "
                    f"({where.filename.rsplit('/', 1)[-1]}:{where.lineno}); {then}")

    def memory_at(self, address: int) -> Memory | Alias | None:
        """Return the memory part at an address."""
        page = address >> 12
        if page not in self._memories:
            self._memories[page] = next((p for p in self.parts.values() if isinstance(p, (Memory, Alias))
                                         and p.at <= address < p.at + p.size), None)
        return self._memories[page]

    def deliver_posted(self) -> None:
        """Give devices the writes that native code has kept for them, at their beats, in order."""
        words = self.engine.take_posted()
        start, count = 0, len(words)
        while start < count:
            address = words[start] >> 32
            end = start + 1
            while end < count and words[end] >> 32 == address:
                end += 1
            window = self._window(address)
            if window is not None:
                self.__dict__["posted_at"] = self.engine.posted[2 * start:2 * end:2]
                try:
                    window.part.posted_writes(address - window.start, [w & 0xFFFFFFFF for w in words[start:end]])
                except Exception as e:  # noqa: BLE001  as in an event
                    self._model_failed(window.part.name, f"writes to +{address - window.start:#x}", e, "the run goes on")
            start = end
        if count:
            self.__dict__["posted_at"] = ()

    def written_at(self, count: int) -> Sequence[int]:
        """Return the beats at which the guest wrote so many bytes that a device is passing on just now."""
        return self.posted_at if len(self.posted_at) == count else (self.now,) * count

    def bus_read(self, address: int, size: int) -> int:
        """Read as a bus master (DMA): devices with their effects, memory without rights; GuestFault where nothing is."""
        window = self._window(address)
        if window is not None:
            return window.part.read(address - window.start, size)  # type: ignore[no-any-return]
        data = self.space.peek(address, size)
        if data is None:
            raise GuestFault(address, READ, mapped=False)
        return int.from_bytes(data, "little")

    def bus_write(self, address: int, size: int, value: int) -> None:
        """Write as a bus master (DMA)."""
        window = self._window(address)
        if window is not None:
            window.part.write(address - window.start, size, value)
            return
        part = self.memory_at(address)
        if part is None:
            raise GuestFault(address, WRITE, mapped=False)
        if hasattr(part, "guest_write"):
            part.guest_write(address, size, value)
        else:
            self.space.poke(address, value.to_bytes(size, "little"))

    def peek(self, address: int, length: int) -> bytes | None:
        """Return what is there, as a debugger sees it: no effect on devices; None where nothing is."""
        out = bytearray()
        while len(out) < length:
            at = address + len(out)
            window = self._window(at)
            if window is not None:
                size = 4 if at % 4 == 0 and length - len(out) >= 4 else 1
                value = window.part.peek(at - window.start, size) if isinstance(window.part, Device) else 0
                out += (value or 0).to_bytes(size, "little")
                continue
            step = min(length - len(out), PAGE - at % PAGE)
            data = self.space.peek(at, step)
            if data is None:
                return None
            out += data
        return bytes(out)

    def write_memory(self, address: int, data: bytes) -> None:
        """Change memory contents, whatever the guest may do there (loaders, flash controllers)."""
        if not self.space.poke(address, data):
            msg = f"{self.name} has no memory from {address:#x} to {address + len(data) - 1:#x}"
            raise MachineError(msg)

    # -- messages --------------------------------------------------------------------------------------------------------
    def report(self, text: str, *, once: bool = True, svd: int | None = None) -> None:
        """Say what the model lacks or the guest did wrong; the same text once. With `strict` the run stops."""
        if svd is not None and self.svd is not None and (name := self.svd.register_at(svd)):
            text = f"{text} ({name})"
        if self.door.replaying or (once and text in self.said):
            return
        self.said.add(text)
        pc = self.engine.pc if not self.engine.in_native else None
        self.reports.append((self.now, pc, text))
        for listener in self.listeners:
            listener(text)
        if self.strict:
            self.stop(Stop("strict", 1, text))

    def where(self, address: int) -> str:
        """Return an address with its symbol."""
        for table in self.symbols:
            found = table.at(address)
            if found:
                name, offset = found
                return f"{address:#010x} ({name}{f'+{offset:#x}' if offset else ''})"
        return f"{address:#010x}"

    def reset_value(self, address: int) -> int:
        """Return what an unmodelled register reads as: its reset value where an SVD file gives one, else 0."""
        return self.svd.reset_value(address) if self.svd is not None else 0

    # -- life ------------------------------------------------------------------------------------------------------------
    def reset(self, *, cold: bool = False) -> None:
        """Reset all parts; memory keeps its contents. The CPU starts from its vector."""
        self.events.clear()
        for part in self.parts.values():
            if part is not self.cpu:
                part.reset()
        for line in self.serials:
            line.load([list(line.waiting), line.due])
        if not cold:
            self.resets += 1
        self.cpu.reset()
        self.engine.cut()

    def request_reset(self, why: str) -> None:
        """Reset after this instruction (SYSRESETREQ, watchdog), or stop where `no_reboot` is set."""
        if self.no_reboot:
            self.stop(Stop("exit", 0, f"the guest asked for a reset ({why})"))
            return
        self.events.at(self.now, self.reset)
        self.engine.cut()

    def stop(self, stop: Stop) -> None:
        """Have `run` return after this instruction."""
        if self.stopping is None:
            self.stopping = stop
        self.engine.cut()

    def save(self, *, memory: bool = True) -> dict[str, Any]:
        """Return the whole state as plain data, but for the events (a snapshot). `memory`: with contents of memories."""
        self.deliver_posted()
        parts = {n: p.save() for n, p in self.parts.items() if memory or not isinstance(p, Memory)}
        return {"parts": parts, "insns": self.engine.insns, "skipped": self.skipped, "hash": self.engine.trace_hash,
                "serials": [line.save() for line in self.serials], "random": self.random.getstate(), "resets": self.resets,
                "moved": self.moved, "events": (self.events.save(), self.events.sequence, self.events.done)}

    def load(self, data: dict[str, Any]) -> None:
        """Go back to a snapshot."""
        self.events.clear()
        self.engine.insns = data["insns"]
        self.engine.skipped = data["skipped"]
        for n, p in self.parts.items():
            if p is not self.cpu and n in data["parts"]:
                p.load(data["parts"][n])
        self.cpu.load(data["parts"]["cpu"])           # last: interrupt lines that come up again are not new ones
        for line, saved in zip(self.serials, data["serials"], strict=True):
            line.load(saved)
        self.random.setstate(data["random"])
        self.__dict__.update(resets=data["resets"], moved=data["moved"], stopping=None)
        events, sequence, done = data["events"]
        self.events.load(events, sequence)
        self.events.done = done
        self.engine.trace_hash = data["hash"]
        self.engine.kicked = False

    # -- running ---------------------------------------------------------------------------------------------------------
    @property
    def deadline(self) -> int:
        """The beat up to which the CPU may run without a look."""
        return min(self.events.next, self._end, self.door.next_beat)

    def run(self, beats: int | None = None, *, insns: int | None = None) -> Stop:
        """Run for so many beats, up to an instruction count, or until something stops the machine."""
        end = NEVER if beats is None else self.now + beats
        self._end, self._insns = end, NEVER if insns is None else insns
        return self._run(None)

    def settle(self, transition: int | None = None) -> Stop:
        """Do all that comes before the next instruction, or what comes up to a transition: no instruction is executed.

        Only to get to a transition instructions may be tried that fault.
        """
        self._end, self._insns = NEVER, self.engine.insns
        return self._run(-1 if transition is None else transition)

    def _run(self, settle: int | None) -> Stop:
        self.stopping = None
        events, cpu, engine, end = self.events, self.cpu, self.engine, self._end
        self.running = True
        try:
            while True:
                if settle is not None and self.transitions >= settle >= 0:
                    return self.stopping or Stop("settled")
                if self.door.at is not None:
                    self.door.feed()
                now = engine.insns + engine.skipped
                if events.next <= now:
                    events.run(now)
                if self.watcher is not None and (number := self.watcher()) >= 0:
                    self.stop(Stop("watch", number, OUTSIDE))
                if self.stopping is not None:
                    stop: Stop = self.stopping
                    self.stopping = None
                    return stop
                if settle is None and (now >= end or engine.insns >= self._insns):
                    return Stop("beats" if now >= end else "insns")
                if self.door.at is not None:
                    self.door.feed()
                if self.poll is not None:
                    self.poll()
                cpu.interrupts()
                if cpu.sleeping:
                    stop_idle = self._sleep(end)
                    if stop_idle is not None:
                        return stop_idle
                    continue
                if settle is not None:
                    if events.next <= now or self.stopping is not None:
                        continue
                    if settle < 0 or self.transitions >= settle:
                        return Stop("settled")
                    budget = 1
                else:
                    budget = min(self.deadline - engine.insns - engine.skipped, SLICE, self._insns - engine.insns)
                if budget > 0:
                    self._slice_end = engine.insns + engine.skipped + budget
                    cpu.run(budget)
                self.deliver_posted()
                if settle is not None and engine.insns != self._insns:
                    return Stop("diverged", 1, f"an instruction was executed at beat {now} where none was before")
        finally:
            self.running = False
            self.deliver_posted()

    def _sleep(self, end: int) -> Stop | None:
        """The CPU waits for an interrupt: jump to the next event, or wait for the outside."""
        goal = min(self.events.next, end, self.door.next_beat)
        if self.door.at is not None:
            if goal >= NEVER:
                return Stop("idle", 0, "idle for ever")
        elif self.idle is not None and not self.idle(goal):
            goal = min(self.events.next, end)
            if goal >= NEVER:
                return Stop("idle", 0, "idle for ever")
        elif self.idle is None and goal >= NEVER:
            return Stop("idle", 0, "idle for ever")
        goal = min(self.events.next, end, self.door.next_beat)
        if NEVER > goal > self.now and self.stopping is None:      # the idle hook may have moved time itself
            self.engine.skipped += goal - self.now
        return None

    # -- what debuggers do -------------------------------------------------------------------------------------------------
    def debug_write(self, address: int, data: bytes) -> bool:
        """Change memory, or a device's registers as a guest's write would; False where nothing takes it. An entry of the door."""
        window = self._window(address)
        if window is not None:
            size = len(data) if len(data) in (1, 2, 4) and not address % len(data) else 1
            for i in range(0, len(data), size):
                try:
                    window.part.write(address + i - window.start, size, int.from_bytes(data[i:i + size], "little"))
                except (BusError, GuestFault):
                    return False
        elif not self.space.poke(address, data):
            return False
        self.door.note("memory", f"{address:x}", bytes(data))
        return True

    def entered(self, number: int) -> None:
        """Say that the CPU has entered an exception."""
        self.moved += 1
        if self.on_exception is not None and self.on_exception(number):
            self.stop(Stop("exception", number))

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(self.parts.items())


# -- the registry --------------------------------------------------------------------------------------------------------


class Board(NamedTuple):
    """A machine that can be made by name."""

    name: str
    title: str
    build: Callable[[Machine], None]
    aliases: tuple[str, ...] = ()


BOARDS: dict[str, Board] = {}


def machine(name: str, title: str, *, aliases: tuple[str, ...] = ()) -> Callable[[Callable[[Machine], None]], Callable[[Machine], None]]:
    """Register the decorated function as a board."""
    def register(function: Callable[[Machine], None]) -> Callable[[Machine], None]:
        board = Board(name, title, function, aliases)
        for n in (name, *aliases):
            if n in BOARDS and BOARDS[n].build.__code__.co_filename != function.__code__.co_filename:
                msg = f"machine {n!r} is defined in {BOARDS[n].build.__code__.co_filename} and in {function.__code__.co_filename}"
                raise MachineError(msg)
            BOARDS[n] = board
        return function
    return register


def make_machine(name: str, options: Options | None = None, *, seed: int = 0, strict: bool = False) -> Machine:
    """Return a board by name, or from a file (`my_board.py`), ready to be loaded and run."""
    from xemu.hw.machines import find_board

    board = find_board(name)
    m = Machine(board.name, options, seed=seed, strict=strict)
    board.build(m)
    m.build()
    return m
