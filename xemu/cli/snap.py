"""`xemu snap`: write a snapshot of a run at some place, and say in what two snapshots differ."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from xemu.cli.options import Option, help_text, parse
from xemu.cli.targets import OPTIONS as TARGET_OPTIONS
from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.names import Names
    from xemu.debug.recording import Recording

USAGE = """usage: xemu snap [OPTIONS] TARGET [ARGUMENTS] -o FILE --at WHERE
       xemu snap --diff SNAPSHOT SNAPSHOT

TARGET is a program, firmware or a recording. WHERE is an instruction count, a time (12.5ms), an address, a symbol, or end.
The snapshot of a machine goes on with xemu boot FILE."""

OPTIONS = (
    *TARGET_OPTIONS,
    Option("-o --output", "FILE", "where the snapshot goes"),
    Option("--at", "WHERE", "when it is taken"),
    Option("--with-symbols", None, "pack the files of code into it, with their symbols"),
    Option("--diff", None, "say in what two snapshots (or the starts of two recordings) differ; exit code 1 if they do"),
    Option("-h --help", None, "show this"),
)
GAP = 16                 # bytes that are the same between two differences of one range


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    values, rest = parse(OPTIONS, arguments)
    words: list[str] = []
    while rest and not ("output" in values and "at" in values):              # options behind the target, before its arguments
        words.append(rest.pop(0))
        more, rest = parse(tuple(o for o in OPTIONS if not o.environment), rest)
        values |= more
    words += rest
    if values.get("help"):
        sys.stdout.write(help_text(USAGE, OPTIONS))
        return 0
    if values.get("diff"):
        if len(words) != 2:
            raise UsageError("two snapshots; usage: xemu snap --diff SNAPSHOT SNAPSHOT")
        return _diff(words[0], words[1], values)
    if not words or "output" not in values or "at" not in values:
        raise UsageError("a target, -o FILE and --at WHERE; see xemu snap --help")
    return _snap(words, values)


def _snap(words: list[str], values: dict[str, Any]) -> int:
    from xemu.cli.targets import go, open_to_run
    from xemu.debug.names import Names
    from xemu.debug.recording import Tape

    debugger = open_to_run(words, values)
    names = Names(debugger.system)
    stop = go(debugger, names, values["at"])
    tape = Tape(values["output"], debugger.system)
    try:
        tape.start()
        tape.end(stop.kind, stop.text, symbols=bool(values.get("with_symbols")),
                 files=[words[0]] if debugger.system.kind == "machine" and debugger.system.live else [])
    except BaseException:
        tape.abandon()
        raise
    where = names.where(debugger.pc)
    sys.stdout.write(f"{values['output']}: {debugger.position}, at {debugger.pc:#x}{f' ({where})' if where else ''}\n")
    debugger.system.close()
    return 0


# -- comparing ---------------------------------------------------------------------------------------------------------------


def _diff(first: str, second: str, values: dict[str, Any]) -> int:
    from xemu.debug.names import Names
    from xemu.debug.recorded import open_system
    from xemu.debug.recording import Recording

    one, other = Recording.read(first), Recording.read(second)
    for name in ("kind", "target"):
        if one.head[name] != other.head[name]:
            raise UsageError(f"{first} is of a {one.head[name]}, {second} of a {other.head[name]}")
    systems = [open_system(recording, machine=values.get("machine")) for recording in (one, other)]
    names = Names(systems[0])
    found = False
    for line in _differences(one, other, systems, names):
        sys.stdout.write(line + "\n")
        found = True
    for system in systems:
        system.close()
    return int(found)


def _differences(one: Recording, other: Recording, systems: list[Any], names: Names) -> Iterator[str]:
    """Yield what differs, a line each: time, registers, devices, memory."""
    before, after = (s.position for s in systems)
    if (before.insns, before.beat) != (after.insns, after.beat):
        yield f"instructions: {before.insns} → {after.insns}"
    yield from _registers(systems)
    if one.kind == "machine":
        yield from _devices(one.first.state["machine"]["parts"], other.first.state["machine"]["parts"], systems[0].machine)
    for start, old, new in _memory(one.pages, other.pages):
        name = names.where(start)
        shown = f"{old[:16].hex()} → {new[:16].hex()}" + (" …" if len(old) > 16 else "")
        yield f"memory {start:08x} {len(old):6} bytes{f' {name}' if name else ''}: {shown}"


def _registers(systems: list[Any]) -> Iterator[str]:
    target = systems[0].engine.target
    listed = [name for cell in target.layout.cells.values() if not cell.hidden and cell.width <= 64 and cell.name != "S"
              for i, name in enumerate(cell.names) if not target.is_scratch(cell.name, i)]
    for name in ["pc", *listed, "cpsr", "xpsr", "fpscr", "eflags", "mxcsr"]:
        old, new = (system.read_register(name) for system in systems)
        if old != new:
            yield f"{name}: {old or 0:#x} → {new or 0:#x}"


def _devices(old: Any, new: Any, machine: Any) -> Iterator[str]:
    from xemu.hw.device import Device

    for part, saved in old.items():
        now, device = new.get(part), machine.parts[part]
        if saved == now or not isinstance(saved, dict):
            continue
        for key, value in saved.items():
            if value == now.get(key) or key in ("state", "dirty"):
                continue
            if key == "registers" and isinstance(device, Device):
                for number, (a, b) in enumerate(zip(value, now[key], strict=False)):
                    if a != b:
                        yield f"{part}.{device._title(number)}: {a:#x} → {b:#x}"  # noqa: SLF001  the device's own name of its register
            else:
                yield f"{part}.{key}: {value} → {now.get(key)}"


def _memory(old: dict[int, bytes], new: dict[int, bytes]) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (address, before, after) of ranges that differ; near ones are one."""
    empty = bytes(4096)
    start, end = -1, -1
    before, after = bytearray(), bytearray()
    for page in sorted(old.keys() | new.keys()):
        a, b = old.get(page, empty), new.get(page, empty)
        if a == b:
            continue
        for i in range(4096):
            if a[i] == b[i]:
                continue
            at = page * 4096 + i
            if start < 0 or at - end > GAP or page != start >> 12:
                if start >= 0:
                    yield start, bytes(before), bytes(after)
                start, before, after = at, bytearray(), bytearray()
                end = at
            before += a[end - page * 4096:i + 1]
            after += b[end - page * 4096:i + 1]
            end = at + 1
    if start >= 0:
        yield start, bytes(before), bytes(after)
