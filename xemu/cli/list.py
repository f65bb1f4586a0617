"""`xemu list`: which machines, devices and processors there are; a board's map; a device's registers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from xemu.cli.options import Option, help_text, parse
from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xemu.hw.device import Device
    from xemu.hw.machine import Board, Machine

USAGE = """usage: xemu list machines|devices|cpus [NAME] [--json]

`xemu list machines` names the boards, `xemu list machines NAME` (or FILE.py) prints one's map: addresses, parts,
interrupt lines, what can be set from outside. `xemu list devices NAME` prints a device's registers with their fields."""
OPTIONS = (
    Option("--json", None, "as JSON, for programs"),
    Option("-h --help", None, "show this"),
)
WORDS = ("machines", "devices", "cpus")
Row = dict[str, Any]


def main(arguments: list[str]) -> int:
    """Run the command."""
    values, words = _read(arguments)
    if values.get("help"):
        sys.stdout.write(help_text(USAGE, OPTIONS))
        return 0
    if not words or words[0] not in WORDS or len(words) > 2:
        raise UsageError(f"list what? xemu list {'|'.join(WORDS)} [NAME]")
    name = words[1] if len(words) == 2 else None
    found, text = {"machines": machines, "devices": devices, "cpus": cpus}[words[0]](name)
    if values.get("json"):
        import json

        text = json.dumps(found, indent=2)
    sys.stdout.write(text + "\n")
    return 0


def _read(arguments: list[str]) -> tuple[dict[str, Any], list[str]]:
    values, rest = parse(OPTIONS, arguments)
    words: list[str] = []
    while rest:
        words.append(rest.pop(0))
        more, rest = parse(OPTIONS, rest)
        values |= more
    return values, words


def table(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Return rows as aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join((indent + "  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True))).rstrip() for row in rows)


def _title(thing: type) -> str:
    """Return the first line of a docstring."""
    return (thing.__doc__ or "").strip().split("\n")[0]


# -- machines ----------------------------------------------------------------------------------------------------------


def machines(name: str | None) -> tuple[Any, str]:
    """Return all boards, or one board's map."""
    from xemu.hw.facts import sketch
    from xemu.hw.machines import board_names, find_board

    if name is not None:
        board = find_board(name)
        return board_map(board, sketch(board))
    rows = []
    for each in board_names():
        board = find_board(each)
        rows.append({"name": board.name, "title": board.title, "cpu": getattr(sketch(board).cpu, "title", "")})
    return rows, table([(r["name"], r["cpu"], r["title"]) for r in rows])


def board_map(board: Board, machine: Machine) -> tuple[Row, str]:
    """Return what a board has, by address."""
    cpu: Any = machine.cpu
    parts = sorted(_parts(machine), key=lambda row: (row["start"], -row["end"]))
    settings = [row for name, part in machine for row in _settings(name, part)]
    found = {"name": board.name, "title": board.title, "cpu": cpu.title, "rate": machine.rate, "parts": parts,
             "uarts": [{"number": line.number, "name": line.name} for line in machine.serials], "outside": settings}
    rows = [(f"{r['start']:08x}-{r['end']:08x}", r["name"], r["kind"], " ".join(f"{k}={v}" for k, v in r["lines"].items()), r["title"])
            for r in parts]
    uarts = ", ".join(f"{line.number} {line.name}" for line in machine.serials) or "none"
    text = f"{board.name}: {board.title}\n{cpu.title}, {machine.rate:,} beats a second; UARTs: {uarts}\n\n{table(rows)}"
    if settings:
        text += "\n\nset from outside:\n" + table([(f"{r['option']} {r['name']}={r['value']}", r["title"]) for r in settings], "  ")
    return found, text


def _parts(machine: Machine) -> Iterator[Row]:
    """Yield the parts that have an address."""
    from xemu.hw.device import Device
    from xemu.hw.memory import Alias, Hole, Memory

    for name, part in machine.parts.items():
        at = getattr(part, "at", None)
        if at is None:
            continue
        kind = getattr(part, "kind", type(part).__name__)
        row = {"name": name, "start": at, "end": at + part.size - 1, "kind": kind, "lines": {}, "title": ""}
        if isinstance(part, Device):
            row |= {"kind": type(part).__name__, "lines": _lines(part), "title": _title(type(part))}
        elif isinstance(part, Alias):
            row["title"] = f"of {part.of.name}" + (f"+{part.offset:#x}" if part.offset else "")
        elif isinstance(part, Memory):
            row["title"] = size_text(part.size)
        elif isinstance(part, Hole):
            row["title"] = "says what is touched" if type(part) is Hole else _title(type(part))
        yield row


def _settings(name: str, part: Any) -> Iterator[Row]:
    """Yield the pins of a device, and the values that it measures: what --pin and --set are for."""
    from xemu.hw.device import Device
    from xemu.hw.parts import LivePins

    if not isinstance(part, Device):
        return
    title = _title(type(part))
    groups = {n: p for n, p in vars(part).items() if isinstance(p, LivePins)}
    for group, pins in groups.items():
        where = name if len(groups) == 1 else f"{name}.{group}"
        yield {"option": "--pin", "name": f"{where}.N", "value": "0|1|z", "title": f"N from 0 to {pins.count - 1}"}
    for variable in type(part).declared:
        value = getattr(part, variable)
        if variable in type(part).outside or isinstance(value, float):        # what is measured need not be a whole number
            numbers = isinstance(value, list)
            yield {"option": "--set", "name": f"{name}.{variable}" + ".N" * numbers, "value": value[0] if numbers else value,
                   "title": f"N from 0 to {len(value) - 1}; {title}" if numbers else title}


def _lines(device: Device) -> dict[str, str]:
    """Return where a device's interrupt lines lead."""
    from xemu.hw.parts import LiveIrq

    return {n: ",".join(getattr(w, "name", "?") for w in p.wires) for n, p in vars(device).items() if isinstance(p, LiveIrq) and p.wires}


def size_text(size: int) -> str:
    """Return a size as people say it."""
    return f"{size >> 20} MiB" if size >= 1 << 20 and size % (1 << 20) == 0 else f"{size / 1024:g} KiB"


# -- devices -----------------------------------------------------------------------------------------------------------


def device_classes() -> dict[str, type[Device]]:
    """Return all device classes by name."""
    import importlib
    import pkgutil

    import xemu.hw.cortex_m
    import xemu.hw.devices
    from xemu.hw.device import Device

    for package in (xemu.hw.devices, xemu.hw.cortex_m):
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
    found: dict[str, type[Device]] = {}
    todo = [Device]
    while todo:
        for kind in todo.pop().__subclasses__():
            todo.append(kind)
            if kind.registers and kind.__module__.startswith("xemu.hw."):
                found[kind.__name__] = kind
    return dict(sorted(found.items()))


def devices(name: str | None) -> tuple[Any, str]:
    """Return all devices, or one device's registers."""
    classes = device_classes()
    if name is None:
        rows: list[Row] = [{"name": n, "title": _title(k), "registers": len(k.registers), "module": k.__module__}
                           for n, k in classes.items()]
        return rows, table([(r["name"], f"{r['registers']} register{'s' * (r['registers'] != 1)}", r["title"]) for r in rows])
    if name not in classes:
        raise UsageError(f"no device {name}{_near(name, classes)}")
    return registers(classes[name])


def registers(kind: type[Device]) -> tuple[Row, str]:
    """Return the registers of a device with their fields."""
    rows, lines = [], []
    for reg in kind.registers:
        fields = [{"name": n, "bits": [f.high, f.low], "access": f.kind, "values": f.names} for n, f in reg.fields.items()]
        rows.append({"name": reg.name, "offset": reg.offset, "title": reg.title, "reset": reg.reset, "width": reg.width,
                     "count": reg.count, "stride": reg.stride, "hooks": sorted(reg.hooks), "fields": fields})
        words = []
        for n, f in reg.fields.items():
            bits = f"[{f.high}:{f.low}]" if f.high != f.low else f"[{f.low}]"
            names = f"({', '.join(f'{k}={v}' for k, v in f.names.items())})" if f.names else ""
            words.append(f"{f.kind}{bits}{names}" if n == "VALUE" else f"{n}={f.kind}{bits}{names}")
        label = f"{reg.name}[{reg.count}]" if reg.count else reg.name
        lines.append((f"{reg.offset:03x}", label, f"{reg.reset:#x}", reg.title, " ".join(words)))
    sizes = ", ".join(str(8 * s) for s in kind.sizes)
    found = {"name": kind.__name__, "title": _title(kind), "size": kind.size, "sizes": list(kind.sizes), "registers": rows}
    head = f"{kind.__name__}: {_title(kind)}\n{size_text(kind.size)}; accesses of {sizes} bits\n\n"
    return found, head + table([("at", "register", "reset", "", "fields"), *lines])


# -- processors --------------------------------------------------------------------------------------------------------


def cpus(name: str | None) -> tuple[Any, str]:
    """Return the processors of machines, or one of them."""
    from xemu.hw.cortex_m import cores
    from xemu.hw.facts import architecture

    kinds = {n: k for n, k in vars(cores).items() if isinstance(k, type) and issubclass(k, cores.CortexM) and k is not cores.CortexM}
    found: list[Row] = [{"name": n, "title": k.title, "arch": architecture(k), "cpuid": k.cpuid, "fpu": _fpu(k),
                         "description": _title(k)} for n, k in kinds.items()]
    if name is not None:
        found = [r for r in found if name in (r["name"], r["title"].lower())]
        if not found:
            raise UsageError(f"no processor {name}{_near(name, [*kinds, *(k.title.lower() for k in kinds.values())])}")
    return found, table([(r["name"], r["arch"], r["fpu"], f"CPUID {r['cpuid']:#010x}") for r in found])


def _fpu(kind: Any) -> str:
    from xemu.targets.arm import layout

    return {layout.NO_FP: "no FPU", layout.FPV4_SP: "FPv4-SP", layout.FPV5_DP: "FPv5-DP"}.get(kind.fpu, "FPU")


def _near(name: str, known: Any) -> str:
    import difflib

    near = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]}?" if near else "; see xemu list"
