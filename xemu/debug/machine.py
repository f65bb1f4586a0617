"""A machine as the debugger drives it."""

from __future__ import annotations

import os
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from xemu.debug.arm_frames import exception_name
from xemu.debug.stops import Position, StopKind
from xemu.debug.system import Event, Library, MapEntry, System, ThreadInfo
from xemu.errors import XemuError
from xemu.hw.device import Device
from xemu.hw.door import ReplayError
from xemu.hw.events import NEVER
from xemu.hw.machine import OUTSIDE, Stop
from xemu.hw.memory import Flash, Hole

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.hw.machine import Machine
    from xemu.hw.ports import Hub

SLICE = 0.01                     # seconds that a slice should take
FIRST_CHUNK = 1 << 18            # beats of the first one
ASYNCHRONOUS = 14                # exceptions from here on (PendSV, SysTick, interrupts) come between instructions; NMI too
NMI = 2
PAGE = 4096

#: what machines stop for -> what that is to a debugger
KINDS = {"exit": StopKind.EXITED, "idle": StopKind.IDLE, "lockup": StopKind.LOCKUP, "strict": StopKind.STRICT, "pause": StopKind.PAUSE,
         "point": StopKind.BREAKPOINT, "watch": StopKind.WATCHPOINT, "insns": StopKind.REACHED, "exception": StopKind.EXCEPTION,
         "diverged": StopKind.DIVERGED}


class MachineSystem(System):
    """`hub`: what connects the machine to the outside, if anything does."""

    kind = "machine"

    def __init__(self, machine: Machine, hub: Hub | None = None) -> None:
        super().__init__()
        self.machine, self.hub, self.engine = machine, hub, machine.engine
        self.name, self.arch = machine.name, machine.engine.target.name
        self.rate = machine.rate
        self._chunk = FIRST_CHUNK
        machine.poll = self._poll
        machine.idle = self._idle
        machine.on_exception = self._entered

    # -- what the machine calls ------------------------------------------------------------------------------------------
    def _poll(self) -> None:
        if self.pausing:
            self.machine.stop(Stop("pause"))
        elif self.nudged:
            self.nudged = False
            self.machine.stop(Stop("input"))
        elif self.hub is not None and self.live:
            self.hub.poll()

    def _idle(self, goal: int) -> bool:
        if self.hub is not None:
            return self.hub.idle(goal)
        if goal >= NEVER:
            self.machine.stop(Stop("idle", 0, "idle for ever"))
        return True

    def _entered(self, number: int) -> bool:
        kind = "irq" if is_asynchronous(number) else "exception"
        return self.catches(kind, number, "")

    # -- running ---------------------------------------------------------------------------------------------------------
    @property
    def position(self) -> Position:
        machine = self.machine
        return Position(machine.now, machine.transitions, machine.engine.insns)

    def nudge(self) -> None:
        super().nudge()
        if self.hub is not None:
            with suppress(BlockingIOError, OSError):
                os.write(self.hub.wake_out, b"\0")

    def run(self, *, insns: int | None = None, beat: int | None = None) -> Event:
        machine, pace = self.machine, self.hub.pace if self.hub is not None and self.live else None
        if insns is not None and insns <= self.engine.insns:
            return Event(StopKind.REACHED)
        chunk = self._chunk
        if pace is not None and (step := pace.beats()) is not None:
            chunk = min(chunk, step)
        last = beat is not None and beat - machine.now <= chunk
        began = monotonic()
        try:
            stop = machine.run(beat - machine.now if last and beat is not None else chunk, insns=insns)
        except ReplayError as error:
            stop = Stop("diverged", 1, str(error))
        took = monotonic() - began
        if took < SLICE / 4:
            self._chunk = min(self._chunk * 2, 1 << 40)
        elif took > SLICE and self._chunk > 1 << 12:
            self._chunk //= 2
        if pace is not None and self.hub is not None and stop.reason in ("beats", "input"):
            self.hub.keep_pace()
        if stop.reason in ("beats", "input"):
            return Event(StopKind.REACHED if last and stop.reason == "beats" else None)
        return self._event(stop)

    def _event(self, stop: Stop) -> Event:
        if stop.reason == "pause":
            self.pausing = False
        kind = KINDS.get(stop.reason, StopKind.REQUEST)
        text = stop.text
        if kind is StopKind.IDLE:
            text = f"idle for ever at {self.where(self.pc)}"
        if kind is StopKind.EXCEPTION:
            if is_asynchronous(stop.code):
                kind = StopKind.IRQ
            return Event(kind, number=stop.code, text=text or exception_name(stop.code))
        return Event(kind, name=stop.reason, text=text, code=stop.code, watch=stop.code if kind is StopKind.WATCHPOINT else -1,
                     done=stop.text == OUTSIDE)

    def watch_outside(self, changed: Callable[[], int] | None) -> None:
        self.machine.watcher = changed

    def settle(self) -> Event | None:
        try:
            stop = self.machine.settle()
        except ReplayError as error:
            stop = Stop("diverged", 1, str(error))
        return None if stop.reason == "settled" else self._event(stop)

    def cross(self, goal: Position) -> Event | None:
        machine = self.machine
        machine.door.limit = (goal.beat, goal.transition)
        try:
            stop = machine.settle(goal.transition)
        except ReplayError as error:
            stop = Stop("diverged", 1, str(error))
        finally:
            machine.door.limit = (NEVER, NEVER)
        return None if stop.reason == "settled" else self._event(stop)

    def reach(self, goal: Position) -> str:
        machine = self.machine
        machine.door.limit = (goal.beat, goal.transition)
        try:
            stop = Stop("beats")
            while machine.now < goal.beat and stop.reason in ("beats", "input"):
                stop = machine.run(min(goal.beat - machine.now, self._chunk))
            if stop.reason == "beats" and machine.transitions < goal.transition:
                stop = machine.settle(goal.transition)
            if stop.reason == "pause":
                self.pausing = False
                return "interrupted"
        except ReplayError as error:
            return str(error)
        finally:
            machine.door.limit = (NEVER, NEVER)
        if self.position != goal:
            return f"replay diverged: at beat {machine.now}.{machine.transitions} instead of {goal.beat}.{goal.transition} ({stop.reason})"
        return ""

    # -- the past --------------------------------------------------------------------------------------------------------
    def save(self) -> Any:
        door = self.machine.door
        return {"machine": self.machine.save(memory=False), "door": len(door.entries) if door.at is None else door.at}

    def load(self, state: Any) -> None:
        self.machine.load(state["machine"])
        if not self.live:
            self.machine.door.at = state["door"]

    def rewind(self) -> None:
        self.live = False

    def resume(self, *, cut: bool = False) -> Any:
        future = self.swap_future([]) if cut else None
        self.live, self.machine.door.at = True, None
        if self.hub is not None:
            self.hub.resumed()
        return future

    def swap_future(self, future: Any) -> Any:
        return self.machine.door.swap(future)

    def difference(self, state: Any) -> str:
        now, then = self.machine.save(memory=False), state["machine"]
        for key in ("insns", "skipped", "moved", "random", "resets", "hash"):
            if now[key] != then[key]:
                return key
        for name, saved in then["parts"].items():
            if isinstance(saved, dict) and "dirty" in saved:          # what the CPU has to work out yet is no state
                saved, now["parts"][name] = {**saved, "dirty": 0}, {**now["parts"][name], "dirty": 0}  # noqa: PLW2901
            if now["parts"][name] != saved:
                return _first(name, saved, now["parts"][name], self.machine.parts[name])
        return "" if now["serials"] == then["serials"] else "a serial line"

    # -- state -----------------------------------------------------------------------------------------------------------
    @property
    def thread(self) -> int:
        return 1

    def threads(self) -> list[ThreadInfo]:
        cpu: Any = self.machine.cpu
        state = "locked up" if getattr(cpu, "locked_up", False) else "sleeping" if cpu.sleeping else "running"
        return [ThreadInfo(1, getattr(cpu, "title", "CPU"), state)]

    def read_register(self, name: str, thread: int | None = None) -> int | None:
        saved = self.tasks(thread) if thread not in (None, self.thread) else None
        return self.machine.cpu.read_register(name) if saved is None else saved.get(name)

    def write_register(self, name: str, value: int, thread: int | None = None) -> bool:
        if thread not in (None, self.thread) and self.tasks(thread) is not None:
            return False                                 # it is in the task's memory
        if not self.machine.cpu.write_register(name, value):
            return False
        self.machine.door.note("register", name, value)
        return True

    def read_memory(self, address: int, length: int) -> bytes:
        out = bytearray()
        while len(out) < length:
            at = address + len(out)
            step = min(length - len(out), PAGE - at % PAGE)
            data = self.machine.peek(at, step)
            if data is None:
                break
            out += data
        return bytes(out)

    def write_memory(self, address: int, data: bytes) -> bool:
        return self.machine.debug_write(address, data)

    def memory_map(self) -> list[MapEntry]:
        out = []
        for name, part in self.machine.parts.items():
            at, size = getattr(part, "at", None), getattr(part, "size", 0)
            if at is None or not size or part is self.machine.cpu:
                continue
            if isinstance(part, Device):
                out.append(MapEntry(at, at + size, "rw-", name, "device"))
            elif isinstance(part, Hole):
                out.append(MapEntry(at, at + size, "rw-", name, "hole"))
            else:
                kind = getattr(getattr(part, "of", part), "kind", "ram").lower()
                rights = "rwx" if kind == "ram" else "r-x"
                out.append(MapEntry(at, at + size, rights, name, kind, block=_sector(part) if isinstance(part, Flash) else 0))
        return sorted(out, key=lambda e: (e.start, e.end))

    def level(self) -> Any:
        cpu: Any = self.machine.cpu
        return cpu.active, cpu.read_register("sp")

    def address_of(self, name: str) -> int | None:
        return next((at for table in self.machine.symbols if (at := table.address_of(name)) is not None), None)

    def register_range(self, name: str) -> tuple[int, int]:
        part, _, register = name.partition(".")
        device: Any = self.machine[part]
        for number, slot in enumerate(getattr(device, "_slots", ())):
            if device._title(number) == register:  # noqa: SLF001  the device's own name of its register
                return device.at + slot.offset, slot.reg.width // 8
        raise XemuError(f"{part} has no register {register!r}")

    def set_pin(self, name: str, level: int | None) -> None:
        from xemu.hw.start import set_pin

        set_pin(self.machine, name, level)

    def set_value(self, name: str, text: str) -> None:
        from xemu.hw.start import set_value

        set_value(self.machine, name, text)

    def where(self, address: int) -> str:
        return self.machine.where(address)

    def libraries(self) -> list[Library]:
        """Return the ELF files that were loaded, then those that were named for their symbols."""
        found = []
        for table in self.machine.symbols:
            image = getattr(table, "image", None)
            if image is not None and image.kind == "ELF":
                found.append(Library(image.name, 0, image.name))
        found += [Library(table.path, table.bias, table.path) for table in self.machine.symbols if getattr(table, "path", "")]
        return [library for library in found if os.path.isfile(library.path)]

    def close(self) -> None:
        if self.hub is not None:
            self.hub.close()
        self.engine.close()


def is_asynchronous(number: int) -> bool:
    """Whether an exception comes between instructions."""
    return number >= ASYNCHRONOUS or number == NMI


def _sector(flash: Flash) -> int:
    """Return the bytes of flash that are erased together, where the controller says so; else a page."""
    return int(getattr(flash.controller, "sector", 0) or PAGE)


def _first(name: str, saved: Any, now: Any, part: Any) -> str:
    """Return which declared thing of a part differs."""
    if not isinstance(saved, dict) or not isinstance(now, dict):
        return name
    for key, value in saved.items():
        if now.get(key) == value:
            continue
        if key == "registers" and isinstance(part, Device):
            number = next(i for i, (a, b) in enumerate(zip(value, now[key], strict=True)) if a != b)
            return f"{name}.{part._title(number)}"  # noqa: SLF001  the device's own name of its register
        return f"{name}.{key}"
    return name
