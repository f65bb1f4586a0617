"""Disassembly by capstone, with the names of what instructions refer to.

Data between code is shown as data where mapping symbols say so; a load from a literal pool shows what it loads.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.architectures import Architecture
    from xemu.debug.symbols import Modules, ReadMemory

MAX_BACK = 64              # bytes looked back for where an instruction starts


@dataclass(frozen=True, slots=True)
class Line:
    """One instruction, or a piece of data."""

    address: int
    size: int              # bytes
    code: bytes
    mnemonic: str          # "bl", ".word", ".byte"; "??" for memory that cannot be read (size 0 at the end of what can)
    operands: str
    comment: str = ""      # "main+0x12", "= 0x20000400 buf"
    mode: str = ""         # "data" for data
    target: int | None = None      # of a branch or call with a fixed target
    symbol: str = ""       # "main" at its first instruction

    @property
    def text(self) -> str:
        """Return "bl 0x8000  ; main"."""
        words = f"{self.mnemonic} {self.operands}".rstrip()
        return f"{words}  ; {self.comment}" if self.comment else words


@cache
def _engine(architecture: str, modes: tuple[str, ...]) -> Any:
    import capstone

    total = 0
    for name in modes:
        total |= getattr(capstone, name)
    return capstone.Cs(getattr(capstone, architecture), total)


def disassemble(read_memory: ReadMemory, address: int, count: int, mode: str, modules: Modules,
                architecture: Architecture | None = None) -> list[Line]:  # fmt: skip
    """Return `count` lines from an address on.

    `mode` is what the CPU is in ("arm", "thumb", "thumb-m"; "" where there is one): it holds where the files' symbols do not say.
    """
    arch = architecture or modules.architecture
    if arch is None:
        return []
    lines: list[Line] = []
    while len(lines) < count and 0 <= address <= arch.mask:
        line = _line(read_memory, address, mode, modules, arch)
        lines.append(line)
        if not line.size:
            break
        address += line.size
    return lines


def instructions(read_memory: ReadMemory, start: int, end: int, mode: str, arch: Architecture) -> Iterator[tuple[int, int, str, str]]:
    """Yield (address, bytes, mnemonic, operands) of code; it ends at the first bytes that are no instruction."""
    code = read_memory(start, end - start) if end > start else None
    while code is None and end - start > 1:            # to the end of what can be read
        end = start + (end - start) // 2
        code = read_memory(start, end - start)
    if code:
        yield from _engine(*arch.modes[mode]).disasm_lite(code, start)


def _line(read_memory: ReadMemory, address: int, mode: str, modules: Modules, arch: Architecture) -> Line:
    module = modules.at(address)
    name = _start_name(modules, address)
    if module is not None and module.mode_at(address) == "data":
        return _data(read_memory, address, modules, arch, name)
    actual = modules.mode_at(address, mode) or mode or next(iter(arch.modes), "")
    code = b""
    for size in (16, 8, 4, 2, 1):                      # the last instruction before a hole
        code = read_memory(address, size) or b""
        if code:
            break
    if not code:
        return Line(address, 0, b"", "??", "", "cannot be read", actual, symbol=name)
    engine = _engine(*arch.modes[actual]) if actual in arch.modes else None
    unit = arch.unit if address % arch.unit == 0 else 1          # no instruction begins in between
    found = next(engine.disasm_lite(code, address, 1), None) if engine is not None and unit == arch.unit else None
    if arch.rows and len(code) >= unit == arch.unit and (found is None or _misread(arch.rows, arch.number(code[:unit]))):
        found = _by_rows(arch.rows, code[:unit], address)
    if found is None:
        size = min(unit, len(code))
        words = f"{arch.number(code[:size]):#0{2 + 2 * size}x}"
        return Line(address, size, code[:size], {1: ".byte", 2: ".short", 4: ".word"}[size], words, "", actual, symbol=name)
    _, size, mnemonic, operands = found
    target, comment = _refers(read_memory, address, size, mnemonic, operands, actual, modules, arch)
    return Line(address, size, code[:size], mnemonic, operands, comment, actual, target, name)


@cache
def _misread_of(name: str) -> tuple[int, int]:
    from xemu.targets.registry import get_target

    return get_target(name).misread


def _misread(name: str, word: int) -> bool:
    """Whether capstone takes an instruction for another one."""
    mask, value = _misread_of(name)
    return word & mask == value


@lru_cache(maxsize=4096)
def _by_rows(name: str, code: bytes, address: int) -> tuple[int, int, str, str] | None:
    """Return an instruction that capstone does not know in the words of its row; None where there is none."""
    from xemu.core import decoder
    from xemu.core.cache import Cache
    from xemu.targets.registry import get_target

    target = get_target(name)
    target.load_rows()
    number = int.from_bytes(code, "little")
    found = decoder.decode(target.sets[0], decoder.tries(target, Cache(target)), lambda _pc, _size: number, address, 0)
    if found is None or target.assembly is None:
        return None
    mnemonic, _, operands = target.assembly(found.variant.row, found.word, address).partition(" ")
    return address, len(code), mnemonic, operands


def _start_name(modules: Modules, address: int) -> str:
    module = modules.at(address)
    symbol = module.symbol_at(address) if module else None
    return symbol.name if symbol is not None and symbol.address == address else ""


def _data(read_memory: ReadMemory, address: int, modules: Modules, arch: Architecture, name: str) -> Line:
    """Return a line of data: a word where it is aligned, else less."""
    for size, mnemonic in ((4, ".word"), (2, ".short"), (1, ".byte")):
        data = read_memory(address, size) if address % size == 0 else None
        module = modules.at(address + size - 1)
        if data is not None and module is not None and module.mode_at(address + size - 1) == "data":
            value = arch.number(data)
            return Line(address, size, data, mnemonic, f"{value:#0{2 + 2 * size}x}", _named(modules, value), "data", symbol=name)
    return Line(address, 0, b"", "??", "", "cannot be read", "data", symbol=name)


def _named(modules: Modules, value: int) -> str:
    """Return the name of an address, "" where it has none."""
    text = modules.where(value & ~1 if modules.mode_at(value & ~1) else value)
    return "" if text.startswith("0x") else text


def _refers(read_memory: ReadMemory, address: int, size: int, mnemonic: str, operands: str, mode: str, modules: Modules,
            arch: Architecture) -> tuple[int | None, str]:  # fmt: skip
    """Return the target of a branch, and what an instruction refers to in words."""
    last = operands.rsplit(" ", 1)[-1].lstrip("#")
    if last.startswith("0x") and not operands.endswith("]") and _is_branch(mnemonic, arch):
        target = int(last, 16)
        return target, _named(modules, target)
    if "[pc" in operands and mnemonic.startswith(("ldr", "vldr")):
        place = _literal(address, operands, arch.pc_ahead.get(mode, 0))
        width = 8 if mnemonic.startswith("vldr") and operands.startswith("d") else _WIDTHS.get(mnemonic.split(".", maxsplit=1)[0], 4)
        data = read_memory(place, width) if place is not None else None
        if place is None or data is None:
            return None, ""
        value = arch.number(data)
        name = _named(modules, value) if width == arch.address_bytes else ""
        return None, f"= {value:#x}{f' {name}' if name else ''}"
    if "rip" in operands:                              # x86-64: [rip + 0x10]
        inside = operands.partition("[rip ")[2].partition("]")[0].replace(" ", "")
        if inside[1:].startswith("0x"):
            return None, _named(modules, address + size + int(inside, 16))
    return None, ""


_WIDTHS = {"ldrb": 1, "ldrsb": 1, "ldrh": 2, "ldrsh": 2, "ldrd": 8}


def _literal(address: int, operands: str, ahead: int) -> int | None:
    """Return the address that "[pc, #0x10]" means: from the instruction's, aligned, plus what PC is ahead."""
    inside = operands.partition("[pc")[2].partition("]")[0].lstrip(", #")
    if not inside:
        return (address & ~3) + ahead
    try:
        return (address & ~3) + ahead + int(inside, 0)
    except ValueError:
        return None


def _is_branch(mnemonic: str, arch: Architecture) -> bool:
    """Whether an instruction's last operand may be where it goes: ARM's b, bl, cbz; AArch64's tbz; x86's j… and call; Power's b…"""
    if arch.unit == 1:
        return mnemonic.rpartition(" ")[2].startswith(("j", "call", "loop", "xbegin"))
    return mnemonic.startswith(("b", "cb", "tb")) and not mnemonic.startswith(("bic", "bfi", "bfc", "bkpt"))


def previous(read_memory: ReadMemory, address: int, mode: str, modules: Modules, architecture: Architecture | None = None) -> int | None:
    """Return the address of the instruction in front of an address, for scrolling backwards; None where memory ends.

    From a function's start, or some way back, instructions are counted forwards until one ends there.
    """
    arch = architecture or modules.architecture
    if arch is None or address < arch.unit:
        return None
    back = address - arch.unit
    module = modules.at(back)
    if module is not None and module.mode_at(back) == "data":
        start = next((address - size for size in (4, 2, 1) if address % size == 0 and module.mode_at(address - size) == "data"), back)
        return start if read_memory(start, 1) is not None else None
    actual = modules.mode_at(back, mode) or mode
    if actual == "arm":
        return address - 4 if read_memory(address - 4, 4) is not None else None
    function = modules.function(back)
    if arch.unit == 1:
        return _previous_of_any_length(read_memory, address, function.start if function is not None else None, modules, arch)
    starts = [function.start] if function is not None and address - function.start <= MAX_BACK else []
    starts += list(range(address - min(address, MAX_BACK), address, arch.unit))
    for start in starts:
        if (found := _ends_at(read_memory, start, address, actual, modules, arch)) is not None:
            return found
    return back if read_memory(back, 1) is not None else None


def _previous_of_any_length(read_memory: ReadMemory, address: int, function: int | None, modules: Modules,
                            arch: Architecture) -> int | None:  # fmt: skip
    """Do the same where instructions have any number of bytes: only a place that is known to start one can be counted from.

    That is the row of a line table, or the function; else the start with the longest way to the address, as ways soon meet.
    """
    module = modules.at(address - 1)
    row = module.place(address - 1) if module is not None else None
    starts = [row.start] if row is not None and row.start < address else []
    starts += [function] if function is not None and function < address else []
    starts += range(address - min(address, MAX_BACK), address) if function is None else []
    for start in starts:
        last = None
        for at, size, _, _ in instructions(read_memory, start, address, "", arch):
            last = (at, size)
        if last is not None and sum(last) == address:
            return last[0]
    return address - 1 if read_memory(address - 1, 1) is not None else None


def _ends_at(read_memory: ReadMemory, start: int, address: int, mode: str, modules: Modules, arch: Architecture) -> int | None:
    """Return the last instruction before `address` if one ends exactly there, counted from `start`."""
    at = start
    while at < address:
        line = _line(read_memory, at, mode, modules, arch)
        if not line.size or (line.mnemonic.startswith(".") and line.mode != "data"):
            return None
        if at + line.size == address:
            return at
        at += line.size
    return None
