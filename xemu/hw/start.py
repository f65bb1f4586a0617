"""Making a machine ready to run: which one, what goes into its memory, and whether it can start from that."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from xemu.errors import ImageError, MachineError, UsageError
from xemu.hw.facts import memory_words
from xemu.hw.memory import Alias, Flash, Memory

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    from xemu.hw.machine import Machine
    from xemu.hw.parts import LivePins
    from xemu.loaders.formats import FirmwareImage
    from xemu.loaders.symbols import SymbolTable

PLAIN = (int, float, str, bytes, list)
EMPTY_WORDS = (0, 0xFFFF_FFFF)      # what a memory holds that nobody has written


class LazySymbols:
    """The names of an image, read when the first address is to be named. Damaged ones are as good as none."""

    def __init__(self, image: FirmwareImage) -> None:
        self.image = image
        self._table: SymbolTable | None = None

    @property
    def table(self) -> SymbolTable:
        """The names."""
        if self._table is None:
            from xemu.loaders.symbols import SymbolTable

            try:
                self._table = self.image.symbols
            except ImageError:
                self._table = SymbolTable([])
        return self._table

    def at(self, address: int) -> tuple[str, int] | None:
        """Return (name, offset) for an address, None where nothing is known."""
        return self.table.at(address)

    def address_of(self, name: str) -> int | None:
        """Return the address of a name."""
        return self.table.address_of(name)


def choose_machine(image: FirmwareImage) -> tuple[str, str]:
    """Return the name of the machine an image is for and why; UsageError with the candidates where that is not clear."""
    from xemu.hw.facts import all_facts
    from xemu.hw.machines import board_names
    from xemu.loaders.guess import clear_winner, guess_machine

    candidates = guess_machine(image, all_facts(board_names()))
    winner = clear_winner(candidates)
    if winner is not None:
        return winner.name, winner.why
    possible = [c for c in candidates if c.certainty > 0]
    if not possible:
        raise UsageError(f"{image.name} fits no machine that xemu knows ({candidates[0].name}: {candidates[0].why}); "
                         "name one with --machine, a board of your own as FILE.py")
    shown = ", ".join(f"{c.name} ({c.certainty:.0%})" for c in possible[:4] if c.certainty >= possible[0].certainty / 8)
    raise UsageError(f"{image.name} could be for {shown}; say which with --machine NAME")


def load_image(machine: Machine, image: FirmwareImage) -> None:
    """Put an image's bytes into memory; ImageError where there is none."""
    for piece in image.pieces:
        if not piece.data:
            continue
        at = _first_missing(machine, piece.address, len(piece.data))
        if at is None:
            machine.write_memory(piece.address, piece.data)
            continue
        last = piece.address + len(piece.data) - 1
        if at > piece.address:
            raise ImageError(f"{image.name}: {len(piece.data)} bytes from {piece.address:#x} are {last - at + 1} more than fit: "
                             f"the memory of {machine.name} there ends at {at - 1:#x}")
        raise ImageError(f"{image.name}: {machine.name} has no memory from {at:#x} to {last:#x}; it has {memory_words(machine)}")
    machine.symbols.append(LazySymbols(image))


def _first_missing(machine: Machine, address: int, length: int) -> int | None:
    """Return the first address of a range that is in no memory, or where the same memory is seen again."""
    end = address + length
    seen: set[Memory] = set()
    while address < end:
        part = machine.memory_at(address)
        memory = part.of if isinstance(part, Alias) else part
        if part is None or memory is None or memory in seen:
            return address
        seen.add(memory)
        address = part.at + part.size
    return None


def report_overlaps(machine: Machine, images: Sequence[FirmwareImage]) -> None:
    """Say where an image takes the place of what an earlier one has put into memory."""
    spans = sorted((p.address, p.address + len(p.data), i) for i, image in enumerate(images) for p in image.pieces if p.data)
    for (_, end, first), (at, last, second) in pairwise(spans):
        if at < end and first != second:
            before, after = sorted((first, second))
            machine.report(f"{images[after].name} replaces bytes of {images[before].name}, {at:#x} to {min(end, last) - 1:#x}")


def check_vectors(machine: Machine, images: Sequence[FirmwareImage]) -> None:
    """See that the CPU can start: a vector table that points to code; ImageError."""
    cpu: Any = machine.cpu
    at, names = cpu.vectors, ", ".join(image.name for image in images) or "nothing is loaded"
    words = machine.peek(at, 8)
    if words is None:
        raise ImageError(f"{machine.name} starts from a vector table at {at:#x}, where it has no memory")
    stack, start = int.from_bytes(words[:4], "little"), int.from_bytes(words[4:], "little")
    if start in EMPTY_WORDS and stack in EMPTY_WORDS:
        lowest = min((p.address for i in images for p in i.pieces if p.data), default=None)
        hint = f"; it begins at {lowest:#x} (is a bootloader missing? --load FILE)" if lowest not in (None, at) else ""
        raise ImageError(f"{names}: nothing at {at:#x}, where {machine.name} expects the vector table{hint}")
    if not start & 1:
        raise ImageError(f"{names}: the reset vector at {at + 4:#x} is {start:#x}, an even address, which is no Thumb code; "
                         f"is the image for {machine.name}?")
    if machine.memory_at(start & ~1) is None:
        raise ImageError(f"{names}: the reset vector at {at + 4:#x} points to {start:#x}, where {machine.name} has no memory")
    if stack and machine.memory_at(stack - 4) is None:
        machine.report(f"the stack starts at {stack:#x}, where {machine.name} has no memory")


# -- flash contents --------------------------------------------------------------------------------------------------------


def flash_parts(machine: Machine) -> list[Flash]:
    """Return the flash memories by address; UsageError where the machine has none."""
    found = sorted((p for p in machine.parts.values() if isinstance(p, Flash)), key=lambda p: p.at)
    if not found:
        raise UsageError(f"{machine.name} has no flash memory to keep")
    return found


def load_flash(machine: Machine, path: Path) -> None:
    """Take the contents of the flash memories, one after the other, from a file if there is one; ImageError."""
    parts = flash_parts(machine)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ImageError(f"--flash {path}: {error.strerror}") from None
    wanted = sum(p.size for p in parts)
    if len(data) != wanted:
        names = " and ".join(p.name for p in parts)
        raise ImageError(f"--flash {path}: {len(data)} bytes, but {names} of {machine.name} have {wanted}; it is another machine's")
    for part in parts:
        machine.write_memory(part.at, data[:part.size])
        data = data[part.size:]


def save_flash(machine: Machine, path: Path) -> None:
    """Write the contents of the flash memories to a file, whole or not at all; ImageError."""
    data = b"".join(machine.space.peek(p.at, p.size) or b"\xFF" * p.size for p in flash_parts(machine))
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(data)
        new.replace(path)
    except OSError as error:
        raise ImageError(f"--flash {path}: {error.strerror}") from None


# -- what the outside sets ------------------------------------------------------------------------------------------------


def set_pin(machine: Machine, name: str, level: int | None) -> None:
    """Drive a pin from outside: "gpioa.5", or "gpio.pins.17" where a device has several groups. UsageError, MachineError."""
    drive_pin(machine, name, level)
    machine.door.note("pin", name, level)


def pins_of(device: Any) -> dict[str, LivePins]:
    """Return the groups of pins of a device by name."""
    from xemu.hw.parts import LivePins

    return {n: p for n, p in vars(device).items() if isinstance(p, LivePins)}


def drive_pin(machine: Machine, name: str, level: int | None) -> None:
    """The same as the door has it."""
    part, _, rest = name.partition(".")
    device = _device(machine, part, f"--pin {name}")
    groups = pins_of(device)
    if not groups:
        raise UsageError(f"--pin {name}: {part} has no pins")
    group, dot, number = rest.rpartition(".")
    if dot and group not in groups:
        raise UsageError(f"--pin {name}: {part} has no pins called {group!r}; it has {', '.join(groups)}")
    if not dot and len(groups) > 1:
        raise UsageError(f"--pin {name}: {part} has several groups of pins: {', '.join(f'{part}.{g}.NUMBER' for g in groups)}")
    if not number.isdecimal():
        raise UsageError(f"--pin {name}: {number!r} is no pin number")
    pins = groups[group] if dot else next(iter(groups.values()))
    if int(number) >= pins.count:
        raise UsageError(f"--pin {name}: {part} has pins 0 to {pins.count - 1}")
    pins.set(int(number), level)


def _device(machine: Machine, name: str, option: str) -> Any:
    """Return a part that an option names; UsageError."""
    try:
        return machine[name]
    except MachineError as error:
        raise UsageError(f"{option}: {error}") from None


def set_value(machine: Machine, name: str, text: str) -> None:
    """Set a value of a device, as a sensor would: "temp.celsius", or one of a list: "adc.inputs.3". UsageError."""
    put_value(machine, name, text)
    machine.door.note("set", name, text)


def put_value(machine: Machine, name: str, text: str) -> None:
    """The same as the door has it."""
    from xemu.hw.parts import Parameter, Var

    part, _, rest = name.partition(".")
    variable, _, index = rest.partition(".")
    device = _device(machine, part, f"--set {name}")
    declared = getattr(type(device), "declared", {})
    settable = [n for n, d in declared.items() if isinstance(d, (Parameter, Var)) and isinstance(getattr(device, n), PLAIN)]
    if variable not in settable:
        import difflib

        near = difflib.get_close_matches(variable, settable, 1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(settable) or 'none'}"
        raise UsageError(f"--set {name}: {part} has no value {variable!r}; {hint}")
    old = getattr(device, variable)
    if not isinstance(old, list):
        setattr(device, variable, _parse_like(old, text, name))
    elif index.isdecimal() and int(index) < len(old):
        old[int(index)] = _parse_like(old[int(index)], text, name)
    elif not index and text.count(",") == len(old) - 1:
        setattr(device, variable, [_parse_like(o, word.strip(), name) for o, word in zip(old, text.split(","), strict=True)])
    else:
        raise UsageError(f"--set {name}: {variable} is a list of {len(old)}; give them all with commas between, "
                         f"or one as {part}.{variable}.0 to {part}.{variable}.{len(old) - 1}")
    device.settle()


def _parse_like(old: Any, text: str, name: str) -> Any:
    """Read a value of the same kind as the one it replaces; UsageError."""
    try:
        if isinstance(old, bool):
            return {"0": False, "1": True, "false": False, "true": True, "no": False, "yes": True}[text.lower()]
        if isinstance(old, int):
            return int(text, 0)
        if isinstance(old, float) or old is None:
            return float(text)
    except (ValueError, KeyError):
        kind = "yes or no" if isinstance(old, bool) else "a whole number" if isinstance(old, int) else "a number"
        raise UsageError(f"--set {name}={text}: not {kind}") from None
    return text.encode() if isinstance(old, bytes) else text


def read_image(path: str | os.PathLike[str], base: int | None = None) -> FirmwareImage:
    """Read a firmware file."""
    from xemu.loaders.firmware import load_firmware

    return load_firmware(path, base=base)
