"""Devices: a register map, hooks and declared state. docs/adding-a-device.md shows how to write one.

From the declaration come dispatch, access rules, looks without effect, reset, snapshots, names and documentation. After
each guest access, event and change from outside the framework calls `update()` and recomputes computed registers; what
a guest may read without effect stands in a native cell, so polling it never enters Python.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar

from xemu.core.memory import READ, WRITE, GuestFault
from xemu.core.records import COUNTED, COUNTER
from xemu.errors import MachineError
from xemu.hw.parts import Count, LivePart, Parameter, Part, Var
from xemu.hw.registers import Reg, RegArray, RegView

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.slowpages import DeviceCells
    from xemu.hw.machine import Machine
    from xemu.hw.parts import LiveSerial

KiB, MiB = 1 << 10, 1 << 20


RESERVED = {"at", "name", "machine", "size", "sizes", "registers", "declared", "native", "parked", "watched", "observed", "slots", "text"}


class BusError(Exception):
    """An access that the device refuses."""


class Slot:
    """One register of a device: where it is, and its hooks bound to the device."""

    __slots__ = ("computed", "counts", "index", "live", "offset", "on_posted", "on_read", "on_write", "reg", "sizes", "with_old")

    computed: Callable[[], Any] | None
    live: Callable[[], Any] | None
    counts: Callable[[], Any] | None
    on_read: Callable[[], Any] | None
    on_write: Callable[..., Any] | None
    on_posted: Callable[[list[int]], Any] | None

    def __init__(self, device: Device, reg: Reg, index: int) -> None:
        self.reg, self.index = reg, index
        self.offset = reg.offset + index * reg.stride
        self.sizes = reg.sizes or type(device).sizes
        for kind in ("computed", "live", "counts", "on_read", "on_write", "on_posted"):
            setattr(self, kind, self._bound(device, reg.hooks.get(kind, "")))
        hook = reg.hooks.get("on_write")
        code = getattr(type(device), hook).__code__ if hook else None
        self.with_old = code is not None and code.co_argcount == 3 + bool(reg.count)

    def _bound(self, device: Device, hook: str) -> Callable[..., Any] | None:
        if not hook:
            return None
        method = getattr(device, hook)
        if not self.reg.count:
            return method  # type: ignore[no-any-return]
        index = self.index
        return lambda *args: method(index, *args)


class Device:
    """The base of all devices. A subclass says `size=` in bytes, and `sizes=` if it takes other than 32-bit accesses."""

    size: ClassVar[int] = 4 * KiB
    sizes: ClassVar[tuple[int, ...]] = (4,)
    native: ClassVar[bool] = True        # False: every access must be seen (it depends on who makes it)
    registers: ClassVar[list[Reg]] = []
    declared: ClassVar[dict[str, Any]] = {}
    outside: ClassVar[tuple[str, ...]] = ()           # variables that belong to the world: what --set is for

    at: int
    name: str
    machine: Machine
    _slots: list[Slot]
    _views: dict[str, Any]
    _values: list[int]
    _places: dict[int, int]              # byte offset -> slot number
    _words: list[Any]                    # by slot: word address, shift and mask of its native cell, or None
    _cells: dict[int, tuple[DeviceCells, int]]        # word address -> cells of its page, index; None before the board is built
    _posted: set[int]                    # slots whose writes native code keeps
    _computed: list[int]                 # slots with a computed value
    _settling: bool
    _counting: list[int]                 # slots that show a timer
    _counters: dict[int, int | None]     # slot -> number of its native counter
    _quiet: set[int]                     # slots with on_read whose reads have no effect now
    parked: dict[Callable[[], None], LiveSerial]      # what waits for room, and where
    watched: int                                      # how many want each write at its beat: then nothing is posted
    observed: int                        # COUNTED while somebody wants to know how often registers are read (see accesses.py)

    def __init_subclass__(cls, size: int = 0, sizes: tuple[int, ...] = (), **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.size, cls.sizes = size or cls.size, sizes or cls.sizes
        found: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            found.update({n: v for n, v in vars(base).items() if isinstance(v, (Reg, Part, Parameter, Var))})
        cls.declared = {n: v for n, v in found.items() if not isinstance(v, Reg)}
        cls.registers = sorted((v for v in found.values() if isinstance(v, Reg)), key=lambda r: r.offset)
        for n in cls.declared:
            if n in RESERVED:
                msg = f"{cls.__name__}.{n}: every device has something of that name; choose another"
                raise MachineError(msg)
        seen: dict[int, Reg] = {}
        for reg in cls.registers:
            for i in range(reg.count or 1):
                at = reg.offset + i * reg.stride
                if at in seen:
                    msg = f"{cls.__name__}: {reg.name} and {seen[at].name} are both at {at:#x}"
                    raise MachineError(msg)
                seen[at] = reg

    def __init__(self, *, at: int | None = None, **wiring: Any) -> None:
        self.__dict__.update(at=at, name=type(self).__name__.lower(), machine=None, parked={}, watched=0, observed=0, _cells=None,
                             _wiring=wiring, _settling=False)
        cls = type(self)
        unknown = [n for n in wiring if n not in cls.declared]
        if unknown:
            import difflib

            near = difflib.get_close_matches(unknown[0], list(cls.declared), 1)
            msg = f"{cls.__name__} has nothing called {unknown[0]!r}" + (f"; did you mean {near[0]!r}?" if near else "")
            raise MachineError(msg)
        for n, declared in cls.declared.items():
            if isinstance(declared, Parameter):
                if n not in wiring and declared.default is Parameter.REQUIRED:
                    msg = f"{cls.__name__} needs {n}="
                    raise MachineError(msg)
                self.__dict__[n] = wiring.get(n, declared.default)
            elif isinstance(declared, Var):
                self.__dict__[n] = declared.fresh()
            else:
                self.__dict__[n] = declared.bind(self, n)
        self._make_registers()
        for n, other in wiring.items():
            if isinstance(self.__dict__[n], LivePart):
                self.__dict__[n].wire(other)

    def _make_registers(self) -> None:
        self._slots: list[Slot]
        slots: list[Slot] = []
        views: dict[str, Any] = {}
        places: dict[int, int] = {}
        for reg in type(self).registers:
            row: list[RegView] = []
            for i in range(reg.count or 1):
                places[reg.offset + i * reg.stride] = len(slots)
                row.append(reg.view_class(self, reg, len(slots), i))
                slots.append(Slot(self, reg, i))
            views[reg.name] = RegArray(row) if reg.count else row[0]
        self.__dict__.update(_slots=slots, _views=views, _places=places, _values=[s.reg.reset for s in slots],
                             _computed=[i for i, s in enumerate(slots) if s.computed], _words=[None] * len(slots),
                             _posted=set(), _quiet=set(), _counters={},
                             _counting=[i for i, s in enumerate(slots) if s.counts])

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__dict__ and name not in type(self).declared and not isinstance(getattr(type(self), name, None), Reg):
            msg = f"{type(self).__name__}.{name} is not declared; make it a Var, a Param, a register or a part"
            raise MachineError(msg)
        super().__setattr__(name, value)

    # -- what a subclass may define --------------------------------------------------------------------------------
    def start(self) -> None:
        """Get ready, once, when the board is complete: connect to other parts, open nothing."""

    def after_reset(self) -> None:
        """Go on from reset: registers, parts and variables have their reset values."""

    def update(self) -> None:
        """Drive lines and status from the state. Called after each access and event; it touches no other device's bus."""

    # -- life ------------------------------------------------------------------------------------------------------
    def attach(self, machine: Machine, name: str) -> None:
        """Take the name and place the board gives."""
        self.__dict__.update(machine=machine, name=name)

    def reset(self) -> None:
        """Go back to the state after reset."""
        for i, slot in enumerate(self._slots):
            self._set(i, slot.reg.reset)
        for n, declared in type(self).declared.items():
            if isinstance(declared, Var):
                self.__dict__[n] = declared.fresh()
            elif isinstance(declared, Part):
                self.__dict__[n].reset()
        self.after_reset()
        self.settle()

    def save(self) -> dict[str, Any]:
        """Return all declared state as plain data."""
        out: dict[str, Any] = {"registers": list(self._values)}
        for n, declared in type(self).declared.items():
            if isinstance(declared, Var):
                out[n] = copy.deepcopy(self.__dict__[n])
            elif isinstance(declared, Part):
                out[n] = self.__dict__[n].save()
        return out

    def load(self, data: dict[str, Any]) -> None:
        """Take back what `save` gave."""
        for i, value in enumerate(data["registers"]):
            self._set(i, value)
        for n, declared in type(self).declared.items():
            if isinstance(declared, Var):
                self.__dict__[n] = copy.deepcopy(data[n])
            elif isinstance(declared, Part):
                self.__dict__[n].load(data[n])
        self.settle()                      # what native code may do follows from the state, too

    # -- registers, as device code sees them -------------------------------------------------------------------------
    def _get(self, number: int) -> int:
        slot = self._slots[number]
        if slot.computed:
            return int(slot.computed()) & slot.reg.full
        if slot.live:
            return int(slot.live()) & slot.reg.full
        if slot.counts:
            count = slot.counts()
            return (count.value if isinstance(count, Count) else int(count)) & slot.reg.full
        return self._values[number]

    def _set(self, number: int, value: int) -> None:
        self._values[number] = value
        if self._words[number] is not None:                # computed ones too: `_refresh` takes the cell for equal to the value
            self._show(number, value & self._slots[number].reg.readable)

    def _show(self, number: int, value: int) -> None:
        """Put what a register reads as into its native cell."""
        word, shift, mask = self._words[number]
        values = self._cells[word][0].values
        at = self._cells[word][1]
        values[at] = values[at] & ~mask | value << shift & mask

    def settle(self) -> None:
        """Bring lines and computed registers up to date."""
        if self._settling:
            return
        self.__dict__["_settling"] = True
        try:
            self.update()
        finally:
            self.__dict__["_settling"] = False
        self._refresh()
        if self.parked:
            for action in [action for action, port in self.parked.items() if port.has_room()]:
                del self.parked[action]
                action()

    def _refresh(self) -> None:
        for i in self._computed:
            slot = self._slots[i]
            value = int(slot.computed()) & slot.reg.full  # type: ignore[misc]
            if value != self._values[i]:
                self._values[i] = value
                if self._words[i] is not None:
                    self._show(i, value & slot.reg.readable)
        for i in self._counting if self._cells is not None else ():
            self._show_count(i)

    def _show_count(self, number: int) -> None:
        """Let native code work out a counter, or show the number at which it stands."""
        slot = self._slots[number]
        count = slot.counts()  # type: ignore[misc]
        cells, at = self._cells[self._words[number][0]]
        sizes = sum(slot.sizes) & 7 if slot.reg.width == 32 and self.native else 0
        if not isinstance(count, Count) or not count.timer.running:
            cells.values[at] = (count.value if isinstance(count, Count) else int(count)) & slot.reg.full
            cells.reads[at] = sizes and sizes | self.observed
            return
        counters = self.machine.engine.slow.counters
        entry = self._counters.get(number)
        if entry is None:
            entry = self._counters[number] = counters.allocate()
        if entry is None or count.modulus > 1 << 32 or count.shape is not None:
            cells.reads[at] = 0
            return
        base, hz, remainder, den, value = count.timer.native()
        steps, part = divmod(value, count.divide)
        counters.set(entry, base=base, hz=hz, remainder=remainder + part * den, den=den * count.divide,
                     start=count.start - steps if count.down else count.start + steps, down=count.down, modulus=count.modulus)
        cells.values[at] = entry
        cells.reads[at] = sizes and sizes | COUNTER | self.observed

    def post(self, view: RegView, on: Any) -> None:
        """Have native code keep writes to a register for `on_posted` instead of calling Python for each.

        Only where a write changes nothing that the guest can see: no status, no interrupt.
        """
        number = view.slot
        on = on and not self.watched
        if bool(on) == (number in self._posted):
            return
        if on:
            self._posted.add(number)
        else:
            self._posted.discard(number)
        self._permit(number)

    def quiet(self, view: RegView, on: Any) -> None:
        """Say whether reads of a register with `on_read` have no effect as things stand: then native code answers them."""
        number = view.slot
        if bool(on) == (number in self._quiet):
            return
        if on:
            self._quiet.add(number)
        else:
            self._quiet.discard(number)
        self._permit(number)

    # -- native cells ------------------------------------------------------------------------------------------------
    def place_cells(self, cells: Callable[[int], DeviceCells]) -> None:
        """Connect the registers to native cells: `cells` gives those of a page by address."""
        pages: dict[int, tuple[DeviceCells, int]] = {}
        for i, slot in enumerate(self._slots):
            address = self.at + slot.offset
            word = address >> 2
            if word not in pages:
                pages[word] = (cells(address & -4096), word & 1023)
            reg = slot.reg
            self._words[i] = (word, 8 * (slot.offset & 3), reg.full << 8 * (slot.offset & 3))
        self.__dict__["_cells"] = pages
        for i, slot in enumerate(self._slots):
            self._permit(i)
            self._show(i, self._values[i] & slot.reg.readable)

    def _permit(self, number: int) -> None:
        """Say which accesses of a register native code may do by itself."""
        if self._cells is None or not self.native:
            return
        slot = self._slots[number]
        whole = slot.reg.width == 32
        sizes = sum(slot.sizes) & 7 if whole else 0
        quiet = not slot.live and not slot.counts and (number in self._quiet or not (slot.on_read or slot.reg.rc))
        cells, at = self._cells[self._words[number][0]]
        cells.reads[at] = sizes | self.observed if quiet and sizes else 0
        cells.posts[at] = sizes if number in self._posted else 0

    def count_reads(self, *, on: bool) -> None:
        """Have native code count what it reads, or no longer."""
        self.observed = COUNTED if on else 0
        for number in range(len(self._slots)):
            self._permit(number)
        for number in self._counting if self._cells is not None else ():
            self._show_count(number)

    def native_reads(self, number: int) -> int:
        """Return how often native code has read a register since it counts (modulo 2**32)."""
        if self._cells is None or not self.native or self._slots[number].reg.width != 32:
            return 0
        cells, at = self._cells[self._words[number][0]]
        return cells.counts[at]

    # -- guest accesses ------------------------------------------------------------------------------------------------
    def _find(self, offset: int, size: int, access: int) -> tuple[int, int]:
        """Return (slot, shift in bits) of an access; raises BusError, or KeyError where no register is."""
        number = self._places.get(offset)
        if number is None:
            number = self._places.get(offset & ~1)
            if number is None or self._slots[number].reg.width < 16:
                number = self._places[offset & ~3]
        slot = self._slots[number]
        if size not in slot.sizes or offset & (size - 1) or offset + size > slot.offset + slot.reg.width // 8:
            msg = f"{self.name}.{self._title(number)}: {'write' if access == WRITE else 'read'} of {size} bytes at offset {offset:#x}"
            raise BusError(msg)
        return number, 8 * (offset - slot.offset)

    def _title(self, number: int) -> str:
        slot = self._slots[number]
        return f"{slot.reg.name}[{slot.index}]" if slot.reg.count else slot.reg.name

    def read(self, offset: int, size: int) -> int:
        """Answer a guest's read."""
        try:
            number, shift = self._find(offset, size, READ)
        except KeyError:
            return self.unmodelled(offset, size, None)
        slot = self._slots[number]
        value = self._get(number) & slot.reg.readable
        if slot.on_read:
            slot.on_read()
        if slot.reg.rc:
            self._set(number, self._values[number] & ~slot.reg.rc)
        if slot.on_read or slot.reg.rc:
            self.settle()                      # nothing else changes by being read
        return value >> shift & ((1 << 8 * size) - 1)

    def write(self, offset: int, size: int, value: int) -> None:
        """Do a guest's write."""
        try:
            number, shift = self._find(offset, size, WRITE)
        except KeyError:
            self.unmodelled(offset, size, value)
            return
        slot, reg = self._slots[number], self._slots[number].reg
        lanes = ((1 << 8 * size) - 1) << shift
        old = self._values[number]
        value = (value << shift) & lanes
        given = value | old & reg.writable & ~lanes
        if reg.todo and (value ^ old) & reg.todo & lanes:
            self._touched(number, (value ^ old) & reg.todo & lanes)
        new = (old & ~(reg.writable & lanes) | value & reg.writable) & ~(value & reg.w1c) | value & reg.w1s
        if new != old:
            self._set(number, new)
        if slot.on_write:
            if slot.with_old:
                slot.on_write(given, old)
            else:
                slot.on_write(given)
        self.settle()

    def posted_writes(self, offset: int, values: list[int]) -> None:
        """Take writes that native code has kept."""
        slot = self._slots[self._places[offset & ~3]]
        if slot.on_posted:
            slot.on_posted(values)
        self.settle()

    # -- what debuggers see ----------------------------------------------------------------------------------------------
    @property
    def slots(self) -> list[Slot]:
        """All registers, those of arrays one by one, in the order of their numbers."""
        return self._slots

    def title_of(self, number: int) -> str:
        """Return the name of a register: "CR", "CC[2]"."""
        return self._title(number)

    def value_of(self, number: int) -> int:
        """Return what the guest would read from a register, without effect."""
        return self._get(number) & self._slots[number].reg.readable

    def register_at(self, offset: int) -> int | None:
        """Return the number of the register that has a byte, None where none is."""
        return next((n for at in (offset, offset & ~1, offset & ~3) if (n := self._places.get(at)) is not None), None)

    def text(self) -> str:
        """Return what a person sees of it, as lines of text; "" for what is not to be looked at."""
        return ""

    def peek(self, offset: int, size: int) -> int | None:
        """Return what a read would give, without effect; None where no register is."""
        number = self.register_at(offset)
        if number is None:
            return None
        slot = self._slots[number]
        return self.value_of(number) >> 8 * (offset - slot.offset) & ((1 << 8 * size) - 1)

    def _touched(self, number: int, bits: int) -> None:
        names = " ".join(n for n, f in self._slots[number].reg.fields.items() if f.mask & bits)
        self.machine.report(f"{self.name}.{self._title(number)}.{names}: known, not modelled")

    def unmodelled(self, offset: int, size: int, value: int | None) -> int:
        """Answer an access where no register is: say so once, read as zero."""
        kind = "read of" if value is None else "write to"
        self.machine.report(f"{self.name}+{offset:#x}: {kind} a register that is not modelled",
                            svd=self.at + offset if self.at is not None else None)
        return self.machine.reset_value(self.at + offset) if value is None else 0

    def log(self, text: str) -> None:
        """Say something once."""
        self.machine.report(f"{self.name}: {text}")

    def fault(self, offset: int, *, write: bool) -> GuestFault:
        """Return the fault for an access the device refuses (raise it)."""
        return GuestFault(self.at + offset, WRITE if write else READ, mapped=True)
