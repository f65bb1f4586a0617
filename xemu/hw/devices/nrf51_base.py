"""What the peripherals of Nordic's nRF51 share: tasks, events, interrupts, shortcuts, PPI. nRF51 Reference Manual 3.0, 10."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from xemu.hw.device import Device, KiB
from xemu.hw.parts import IrqOut
from xemu.hw.registers import RW, W1C, W1S, WO, Reg, RegView

if TYPE_CHECKING:
    from collections.abc import Callable

HFCLK, LFCLK = 16_000_000, 32_768          # Hz


class Task(Reg):
    """A task register: writing 1 starts something. `@NAME.does` names what; in an array it takes the index."""

    def __init__(self, offset: int, title: str = "", *, count: int = 0, stride: int = 0) -> None:
        super().__init__(offset, title, count=count, stride=stride, TASK=WO[0])

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        offset, stride = self.offset, self.stride

        def written(device: Nordic, value: int) -> None:
            if value & 1:
                device.trigger(offset)

        def written_one(device: Nordic, index: int, value: int) -> None:
            if value & 1:
                device.trigger(offset + index * stride)
        self.hooks["on_write"] = f"_write_{name}"
        setattr(owner, f"_write_{name}", written_one if self.count else written)

    def does(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Name what the task does: f(device), or f(device, index)."""
        return self._hook("task", function)


class Event(Reg):
    """An event register: 1 after the event, until the guest writes 0."""

    def __init__(self, offset: int, title: str = "", *, count: int = 0) -> None:
        super().__init__(offset, title, count=count, EVENT=RW[0])

    @property
    def bit(self) -> int:
        """The event's bit in INTENSET: its place among the event registers."""
        return self.offset - 0x100 >> 2 & 31


class Nordic(Device, size=4 * KiB, sizes=(1, 2, 4)):
    """A peripheral with tasks and events. Its interrupt number is its place in the address space.

    INTENSET, INTENCLR follow from the declared events; each field EVENT_TASK of SHORTS is a shortcut.
    """

    irq = IrqOut()
    watches: ClassVar[frozenset[str]] = frozenset()        # what changes its update(): "ppi", "lfclk"
    INTENSET: Any                               # made from the events
    INTENCLR: Any

    _tasks: dict[int, Callable[[], None]]       # by offset
    _events: list[tuple[int, int]]              # (slot, bit in INTENSET)
    _shorts: dict[int, list[tuple[int, int]]]   # by the event's offset: (bit in SHORTS, offset of the task)
    _enabled: int                               # slot of INTENSET
    _shorts_slot: int
    _ppi: Any

    def __init_subclass__(cls, **more: Any) -> None:
        events = {n: v for base in reversed(cls.__mro__) for n, v in vars(base).items() if isinstance(v, Event)}
        if events:
            fields: dict[str, Any] = {}
            for name, event in events.items():
                for i in range(event.count or 1):
                    fields[f"{name}{i}" if event.count else name] = W1S[event.bit + i]
            enable = Reg(0x304, "Interrupt enable; 1 sets", **fields)
            disable = Reg(0x308, "Interrupt enable; 1 clears", **{n: W1C[f.low] for n, f in fields.items()})  # type: ignore[arg-type]
            enable.hooks["on_write"], disable.hooks["on_write"] = "_enable_interrupts", "_disable_interrupts"
            for name, reg in (("INTENSET", enable), ("INTENCLR", disable)):
                setattr(cls, name, reg)
                reg.__set_name__(cls, name)
        super().__init_subclass__(**more)

    def __init__(self, **wiring: Any) -> None:
        super().__init__(**wiring)
        tasks: dict[int, Callable[[], None]] = {}
        events: list[tuple[int, int]] = []
        for number, slot in enumerate(self._slots):
            reg = slot.reg
            if isinstance(reg, Task):
                tasks[slot.offset] = self._task(reg, slot.index)
            elif isinstance(reg, Event):
                events.append((number, 1 << (reg.bit + slot.index)))
        self.__dict__.update(_tasks=tasks, _events=events, _shorts=self._shortcuts(),
                             _enabled=self._places.get(0x304), _shorts_slot=self._places.get(0x200), _ppi=None)

    def _task(self, reg: Task, index: int) -> Callable[[], None]:
        hook = reg.hooks.get("task")
        if not hook:
            return lambda: None
        method = getattr(self, hook)
        return (lambda: method(index)) if reg.count else method

    def _shortcuts(self) -> dict[int, list[tuple[int, int]]]:
        """Return, by the event's offset, (bit of SHORTS, offset of the task)."""
        cls = type(self)
        out: dict[int, list[tuple[int, int]]] = {}
        shorts = getattr(cls, "SHORTS", None)
        for field, spec in (shorts.fields.items() if shorts else ()):
            source, _, target = field.partition("_")
            event, index = getattr(cls, source, None), 0
            if event is None:
                event, index = getattr(cls, source[:-1]), int(source[-1])
            out.setdefault(event.offset + 4 * index, []).append((spec.low, getattr(cls, target).offset))
        return out

    def start(self) -> None:
        self.irq.wire(self.machine.cpu.irq[self.at >> 12 & 31])  # type: ignore[attr-defined]
        self.__dict__["_ppi"] = self.machine.parts.get("ppi")

    # -- tasks and events ------------------------------------------------------------------------------------------
    def trigger(self, offset: int) -> None:
        """Start the task at an offset (the guest, a shortcut or a PPI channel does)."""
        task = self._tasks.get(offset)
        if task is None:
            self.log(f"no task at {offset:#x}")
        else:
            task()

    def fire(self, event: RegView) -> None:
        """Let an event happen: its register is set, shortcuts and PPI channels start their tasks."""
        number = event.slot
        self._set(number, 1)
        self.route(self._slots[number].offset)

    def route(self, offset: int) -> None:
        """Start the tasks that shortcuts and PPI channels connect to an event."""
        if offset in self._shorts:
            chosen = self._values[self._shorts_slot]
            for bit, task in self._shorts[offset]:
                if chosen >> bit & 1:
                    self.trigger(task)
        if self._ppi is not None:
            self._ppi.happened(self.at + offset)

    def routed(self, event: RegView) -> bool:
        """Whether a shortcut or a PPI channel is connected to an event now."""
        offset = self._slots[event.slot].offset
        chosen = self._values[self._shorts_slot] if offset in self._shorts else 0
        if any(chosen >> bit & 1 for bit, _ in self._shorts.get(offset, ())):
            return True
        return self._ppi is not None and self._ppi.listens(self.at + offset)

    # -- interrupts --------------------------------------------------------------------------------------------------
    def _enable_interrupts(self, value: int) -> None:
        """Both registers read as what is enabled."""
        self._set(self._places[0x308], self._values[self._enabled])

    def _disable_interrupts(self, value: int) -> None:
        self._set(self._enabled, self._values[self._places[0x308]])

    def update(self) -> None:
        enabled, values = self._values[self._enabled], self._values
        self.irq.set(enabled and any(enabled & bit and values[number] for number, bit in self._events))


class Switched(Nordic):
    """A peripheral with the POWER register at 0xFFC: 0 resets it and keeps it so."""

    POWER = Reg(0xFFC, "Peripheral power", reset=1, POWER=RW[0])

    @POWER.on_write
    def _switch(self, value: int) -> None:
        if not value & 1:
            self.reset()
            self._set(self._places[0xFFC], 0)


def disconnected(pin: int) -> bool:
    """Whether a PSEL register selects no pin."""
    return bool(pin & 0x8000_0000) or pin > 31
