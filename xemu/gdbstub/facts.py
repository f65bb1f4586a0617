"""What the stub tells of a guest beyond what `System` has: numbers and files of a process, devices and interrupts of a machine.

A system that has something of the name itself is asked first.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class NoFactError(LookupError):
    """There is nothing of the kind in this guest."""


# -- a process -----------------------------------------------------------------------------------------------------------
def _proc_file(system: Any, name: str) -> bytes | None:
    process = system.process
    contents: bytes | None = process.proc.contents(b"/proc/self/" + os.fsencode(name))
    return contents


AT_PHDR, AT_PHENT, AT_PHNUM, PT_DYNAMIC, PT_PHDR, DT_NULL, DT_DEBUG = 3, 4, 5, 2, 6, 0, 21
TYPE = 0xFFFF_FFFF
MOST_LIBRARIES, MOST_SPACES = 4096, 64


class Words:
    """The guest's memory as words of its size, for following the loader's lists."""

    def __init__(self, debugger: Any) -> None:
        self.debugger, self.arch = debugger, debugger.source.architecture
        self.size: int = self.arch.address_bytes

    def at(self, address: int, count: int = 1) -> tuple[int, ...]:
        """Return words; zeros where memory cannot be read."""
        data = self.debugger.read_memory(address, count * self.size).ljust(count * self.size, b"\0")
        return self.numbers(data)

    def numbers(self, data: bytes) -> tuple[int, ...]:
        """Return bytes as words."""
        return tuple(self.arch.number(data[i:i + self.size]) for i in range(0, len(data), self.size))

    def text(self, address: int) -> str:
        """Return the bytes up to a zero as text."""
        data: bytes = self.debugger.read_memory(address, 4096)
        return os.fsdecode(data.partition(b"\0")[0])


def link_map(debugger: Any) -> list[dict[str, Any]]:
    """Return the dynamic loader's list of code files, the program first: System V ABI chapter 5, "Dynamic Linking", r_debug.

    Empty for static programs, and before the loader has made it.
    """
    mask = debugger.source.architecture.mask
    words = Words(debugger)
    data = bytes(fact(debugger.system, "auxv"))
    numbers = words.numbers(data)
    auxv = dict(zip(numbers[::2], numbers[1::2], strict=False))
    head, size = auxv.get(AT_PHDR, 0), auxv.get(AT_PHENT, 0)
    # the type has four bytes everywhere, the address is the third word of 32-bit headers and of 64-bit ones, whose flags come early
    rows = {row[0] & TYPE: row for i in range(min(auxv.get(AT_PHNUM, 0), 64)) if (row := words.at(head + i * size, 3))}
    if PT_DYNAMIC not in rows:
        return []
    bias = head - rows[PT_PHDR][2] if PT_PHDR in rows else 0
    entry, found = (bias + rows[PT_DYNAMIC][2]) & mask, 0
    for _ in range(256):
        tag, value = words.at(entry, 2)
        if tag in (DT_NULL, DT_DEBUG):
            found = value if tag == DT_DEBUG else 0
            break
        entry += 2 * words.size
    out: list[dict[str, Any]] = []
    spaces: list[int] = []                                # r_debug of each name space: dlmopen makes more
    while found and found not in spaces and len(spaces) < MOST_SPACES:
        spaces.append(found)
        version, link, *_, following_space = words.at(found, 6)
        version &= TYPE
        while link and len(out) < MOST_LIBRARIES:
            at, name, dynamic, following, _ = words.at(link, 5)
            out.append({"name": words.text(name), "link": link, "bias": at, "dynamic": dynamic, "space": found})
            link = following
        found = following_space if version > 1 else 0
    return out


# -- a machine -----------------------------------------------------------------------------------------------------------
def devices(system: Any) -> list[dict[str, Any]]:
    """Return devices with their addresses and interrupts."""
    from xemu.hw.device import Device

    rows = []
    for name, part in system.machine.parts.items():
        if isinstance(part, Device) and part.at is not None:
            what = (type(part).__doc__ or "").partition("\n")[0]
            rows.append({"name": name, "start": part.at, "end": part.at + part.size, "what": what})
    return sorted(rows, key=lambda row: int(row["start"]))


def device_text(system: Any, name: str) -> str:
    """Return a device's registers with their fields; MachineError for an unknown one."""
    from xemu.errors import MachineError

    device = system.machine[name]
    registers = getattr(type(device), "registers", None)
    if not registers:
        raise MachineError(f"{name} has no registers")
    lines = []
    for register in registers:
        for i in range(register.count or 1):
            offset = register.offset + i * register.stride
            value = device.peek(offset, register.width // 8)
            title = f"{register.name}[{i}]" if register.count else register.name
            shown = "-" if value is None else f"{value:0{register.width // 4}x}"
            lines.append(f"{device.at + offset:08x}  {title:12} {shown:>8}  {_fields(register, value or 0)}".rstrip())
    return "\n".join(lines)


def _fields(register: Any, value: int) -> str:
    words = []
    for name, spec in register.fields.items():
        bits = (value & spec.mask) >> spec.low
        known = next((word for word, number in spec.names.items() if number == bits), None)
        if spec.high == spec.low:
            words += [name] if bits else []
        elif name != "VALUE":
            words.append(f"{name}={known or f'{bits:x}'}")
    return " ".join(words)


def interrupts(system: Any) -> list[dict[str, Any]]:
    """Return exceptions that are enabled, pending or active; NoFactError where the processor is another kind."""
    from xemu.hw.cortex_m.describe import exception_name

    cpu = system.machine.cpu
    if not hasattr(cpu, "pending"):
        raise NoFactError("interrupts")
    active, rows = int(getattr(cpu, "active", 0)), []
    for number in range(1, len(cpu.priority)):
        bits = {"enabled": cpu.enabled >> number & 1, "pending": cpu.pending >> number & 1, "active": active >> number & 1}
        if number >= 16 and not any(bits.values()):
            continue
        rows.append({"number": number, "name": exception_name(number), "priority": cpu.priority[number]}
                    | {name: "yes" if bit else "" for name, bit in bits.items()})
    return rows


def events(system: Any) -> list[dict[str, Any]]:
    """Return what is planned, soonest first."""
    machine, rows = system.machine, []
    for event in sorted(machine.events.heap):
        if event.action is not None:
            owner = getattr(event.action, "__self__", None)
            name = getattr(event.action, "__qualname__", repr(event.action))
            rows.append({"beat": event.beat, "in": f"{(event.beat - machine.now) / machine.rate * 1e6:.3f} us",
                         "what": f"{getattr(owner, 'name', '')} {name}".strip()})
    return rows


def clocks(system: Any) -> list[dict[str, Any]]:
    """Return the machine's clock and where it stands."""
    machine = system.machine
    return [{"name": "cpu", "hertz": machine.rate, "beats": machine.now, "seconds": f"{machine.seconds:.9f}"}]


def _set_pin(system: Any, name: str, level: int | None) -> None:
    from xemu.hw.start import set_pin

    set_pin(system.machine, name, level)


def _set_value(system: Any, name: str, text: str) -> None:
    from xemu.hw.start import set_value

    set_value(system.machine, name, text)


def _add_symbols(system: Any, path: str, offset: int) -> int:
    from xemu.loaders.symbols import load_symbols

    table = load_symbols(path, offset=offset)
    system.machine.symbols.insert(0, table)
    return len(table)


#: kind of system -> fact -> how it is found
FACTS: dict[str, dict[str, Callable[..., Any]]] = {
    "process": {
        "pid": lambda system: system.process.pids.own(),
        "exe_path": lambda system: os.fsdecode(system.process.exe),
        "exe_host": lambda system: os.fsdecode(system.process.exe_host),
        "auxv": lambda system: system.process.proc.auxv(),
        "proc_file": _proc_file,
        "directory": lambda _system: os.getcwd(),  # noqa: PTH109
    },
    "machine": {
        "pid": lambda _system: 1, "devices": devices, "device_text": device_text, "interrupts": interrupts, "events": events,
        "clocks": clocks, "set_pin": _set_pin, "set_value": _set_value, "add_symbols": _add_symbols,
        "fpu": lambda system: bool(getattr(system.machine.cpu, "fpu", True)),
    },
}


def fact(system: Any, name: str, *arguments: Any, **named: Any) -> Any:
    """Return what is known; NoFactError. The engine's thread calls it."""
    own = getattr(system, name, None)
    if own is not None:
        return own(*arguments, **named) if callable(own) else own
    maker = FACTS.get(system.kind, {}).get(name)
    if maker is None or not hasattr(system, system.kind):
        raise NoFactError(name)
    return maker(system, *arguments, **named)


def fact_or(default: Any, system: Any, name: str, *arguments: Any, **named: Any) -> Any:
    """Return what is known, or a default."""
    try:
        return fact(system, name, *arguments, **named)
    except NoFactError:
        return default


def rows_of(name: str) -> Callable[[Any], Iterable[Any]]:
    """Return what gives a table of a debugger's system."""
    def rows(debugger: Any) -> Iterable[Any]:
        found: Iterable[Any] = fact(debugger.system, name)
        return found

    return rows
