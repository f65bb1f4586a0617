"""How the devices of a machine are looked at: what is declared, and what there is now. All of it by peeking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.errors import UsageError
from xemu.hw.accesses import Accesses
from xemu.hw.device import Device
from xemu.hw.parts import LiveIrq, LiveIrqs
from xemu.hw.start import PLAIN, pins_of
from xemu.tui.queries.devices import CONTROLLER, Field, Layout, Pins, Register, Row, Setting, State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.hw.machine import Machine

FEW = 32                 # values of a list that are told one by one


class Looking:
    """What is kept of one machine from query to query."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.accesses: dict[str, Accesses] = {}
        self.layouts: dict[str, Layout] = {}
        self.sources = dict(_sources(machine))
        self.rows = tuple(_rows(machine))

    def layout(self, name: str) -> Layout:
        """Return the registers of a device or peripheral."""
        if name not in self.layouts:
            part = self.machine.parts.get(name)
            self.layouts[name] = _layout(self.machine, part) if isinstance(part, Device) else _svd_layout(self.machine, name)
        return self.layouts[name]

    def count(self, opened: tuple[str, ...]) -> None:
        """Count the accesses of opened devices, and of no others. Peripherals without a model are what holes have in them."""
        wanted = {self._bus_part(name): None for name in opened}
        for name in [name for name in self.accesses if name not in wanted]:
            self.accesses.pop(name).close()
        for name in wanted:
            if name and name not in self.accesses:
                self.accesses[name] = Accesses(self.machine.parts[name])

    def _bus_part(self, name: str) -> str:
        """Return the part that answers the accesses of a device or peripheral."""
        if name in self.machine.parts:
            return name
        registers = self.layout(name).registers if name != CONTROLLER else ()
        return next((w.part.name for w in self.machine.holes if registers and w.start <= (registers[0].address or 0) < w.end), "")

    def state(self, name: str) -> State:
        """Return the state of an opened device."""
        machine, part = self.machine, self.machine.parts.get(name)
        accesses = self.accesses.get(self._bus_part(name))
        registers = self.layout(name).registers
        if not isinstance(part, Device):
            times = tuple(self._unmodelled(accesses, r) for r in registers)
            return State(tuple(machine.reset_value(r.address or 0) for r in registers), times)
        known = len(part.slots)
        values = [part.value_of(number) for number in range(known)] + [machine.reset_value(r.address or 0) for r in registers[known:]]
        counted = accesses.of_registers() if accesses is not None else None
        times_of = None if counted is None else (*counted, *(self._unmodelled(accesses, r) for r in registers[known:]))
        groups = tuple(Pins(f"{name}.{group}", p.count, p.levels, p.enabled, p.held) for group, p in pins_of(part).items())
        return State(tuple(values), times_of, groups, tuple(_settings(name, part)), part.text())

    @staticmethod
    def _unmodelled(accesses: Accesses | None, register: Register) -> tuple[int, int]:
        if accesses is None or register.address is None:
            return 0, 0
        return accesses.at(register.address - accesses.part.at, register.width // 8)


# -- the board -----------------------------------------------------------------------------------------------------------
def _lines_of(part: Device) -> list[LiveIrq]:
    lines: list[LiveIrq] = []
    for live in vars(part).values():
        lines += [live] if isinstance(live, LiveIrq) else live.lines if isinstance(live, LiveIrqs) else []
    return lines


def _sources(machine: Machine) -> Iterator[tuple[str, str]]:
    """Yield interrupt lines, and the devices' lines that drive them."""
    found: dict[str, list[str]] = {}
    for part in machine.parts.values():
        for line in _lines_of(part) if isinstance(part, Device) else ():
            for wire in line.wires:
                found.setdefault(wire.name, []).append(f"{part.name}.{line.name}")
    return ((wire, " ".join(names)) for wire, names in found.items())


def _rows(machine: Machine) -> list[Row]:
    """Return the devices: first those that people touch, then by address, then peripherals that only the SVD file knows."""
    rows = []
    for name, part in machine.parts.items():
        if isinstance(part, Device):
            numbers = sorted({int(w.name[3:]) for line in _lines_of(part) for w in line.wires
                              if w.name.startswith("irq") and w.name[3:].isdigit()})
            lines = "irq " + " ".join(map(str, numbers)) if numbers else ""
            rows.append(Row(name, part.at, lines, picture=type(part).text is not Device.text))
    rows.sort(key=lambda row: (not row.picture, row.at is not None, row.at or 0))
    taken = [(row.at, row.at + machine.parts[row.name].size) for row in rows if row.at is not None]
    for peripheral in machine.svd.peripherals if machine.svd is not None else ():
        if not any(start <= peripheral.address < end for start, end in taken):
            lines = " ".join(str(number) for _, number in peripheral.interrupts)
            rows.append(Row(_free(peripheral.name, machine), peripheral.address, f"irq {lines}" if lines else "", modelled=False))
    return rows


def _free(name: str, machine: Machine) -> str:
    """Return a peripheral's name, told apart from a part of the board that has the same."""
    return f"{name} (SVD)" if name in machine.parts else name


def _layout(machine: Machine, part: Device) -> Layout:
    """Return what a device declares; registers that it lacks come from the SVD file."""
    registers = []
    for number, slot in enumerate(part.slots):
        reg = slot.reg
        fields = tuple(Field(name, f.high, f.low, f.kind, tuple((value, word) for word, value in f.names.items()))
                       for name, f in sorted(reg.fields.items(), key=lambda item: -item[1].high))
        plain = len(fields) == 1 and fields[0].name == "VALUE"
        registers.append(Register(part.title_of(number), reg.title, None if part.at is None else part.at + slot.offset, reg.width,
                                  () if plain and not fields[0].names else fields, reg.name if reg.count > 1 else "",
                                  bool(slot.on_read or reg.rc)))
    if machine.svd is not None and part.at is not None:
        registers += [_svd_register(machine, row) for row in machine.svd.registers
                      if part.at <= row.address < part.at + part.size and part.register_at(row.address - part.at) is None]
    return Layout(part.name, (type(part).__doc__ or "").partition("\n")[0], tuple(registers))


def _svd_layout(machine: Machine, name: str) -> Layout:
    plain = name.removesuffix(" (SVD)")
    found = next((p for p in machine.svd.peripherals if p.name == plain), None) if machine.svd is not None else None
    if found is None:
        raise UsageError(f"{machine.name} has no device {name!r}")
    return Layout(name, found.text, tuple(_svd_register(machine, row) for row in machine.svd.of_peripheral(plain)))


def _svd_register(machine: Machine, row: Any) -> Register:
    details = machine.svd.details(row.name)
    fields = tuple(Field(f.name, f.high, f.low, "", f.names, f.text) for f in details.fields)
    return Register(row.name.partition(".")[2] or row.name, details.text, row.address, 8 * row.size, fields, "", details.reading_acts,
                    modelled=False)


def _settings(name: str, part: Device) -> Iterator[Setting]:
    """Yield the values that belong to the world."""
    for variable in type(part).outside:
        value = getattr(part, variable)
        if isinstance(value, list) and len(value) <= FEW:
            for number, item in enumerate(value):
                yield Setting(f"{name}.{variable}.{number}", str(item))
        elif isinstance(value, bool):
            yield Setting(f"{name}.{variable}", "yes" if value else "no", switch=True)
        elif isinstance(value, PLAIN):
            yield Setting(f"{name}.{variable}", str(value))
