"""CMSIS-SVD files: names and reset values of registers that are not modelled. CMSIS-SVD 1.3.

A file is read when the first name or value is wanted, and only what is needed for that.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.errors import ImageError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from xml.etree.ElementTree import Element

LIMIT = 1 << 16          # registers of an array; more is a mistake


class SvdRegister(NamedTuple):
    """A register: its address, its size in bytes, "UART0.BAUD", and what it holds after reset."""

    address: int
    size: int
    name: str
    reset: int


class SvdField(NamedTuple):
    """Bits of a register."""

    name: str
    low: int
    high: int
    text: str = ""                       # what it is
    names: tuple[tuple[int, str], ...] = ()      # values that have a name


class SvdDetails(NamedTuple):
    """What a file says of a register besides its place."""

    text: str = ""
    fields: tuple[SvdField, ...] = ()
    reading_acts: bool = False           # a read has side effects
    access: str = ""                     # "read-only" …


class SvdPeripheral(NamedTuple):
    """Registers that belong together."""

    name: str
    address: int
    text: str = ""
    interrupts: tuple[tuple[str, int], ...] = ()


class SvdMap:
    """Registers by address. `say` is told if the file turns out to be damaged; then nothing in it has a name."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self.path, self.say = path, say
        self._registers: list[SvdRegister] | None = None
        self._starts: list[int] = []
        self._reader: _Reader | None = None

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, str, int]]) -> SvdMap:
        """Return a map of registers that are known already."""
        made = cls(Path(), lambda _text: None)
        made._registers = sorted(SvdRegister(int(at), int(size), str(name), int(reset)) for at, size, name, reset in rows)
        made._starts = [r.address for r in made._registers]
        return made

    @property
    def registers(self) -> list[SvdRegister]:
        """All registers by address."""
        if self._registers is None:
            try:
                self._reader, self._registers = _read(self.path)
            except ImageError as error:
                self._registers = []
                self.say(str(error))
            self._starts = [r.address for r in self._registers]
        return self._registers

    def _at(self, address: int) -> SvdRegister | None:
        registers = self.registers
        index = bisect_right(self._starts, address) - 1
        # several registers may share an address; the first that reaches this far is it
        while index > 0 and registers[index - 1].address == registers[index].address:
            index -= 1
        if index < 0 or address >= registers[index].address + registers[index].size:
            return None
        return registers[index]

    def register_at(self, address: int) -> str | None:
        """Return the name of the register at an address ("UART0.BAUD"), None where there is none."""
        found = self._at(address)
        return found.name if found else None

    def reset_value(self, address: int) -> int:
        """Return what an address reads as after reset; 0 where nothing is known."""
        found = self._at(address)
        return found.reset >> 8 * (address - found.address) if found else 0


    @property
    def peripherals(self) -> list[SvdPeripheral]:
        """All peripherals by address."""
        registers = self.registers
        if self._reader is not None:
            return sorted(self._reader.found, key=lambda p: p.address)
        starts: dict[str, int] = {}
        for register in registers:
            starts.setdefault(register.name.partition(".")[0], register.address)
        return [SvdPeripheral(name, at) for name, at in starts.items()]

    def of_peripheral(self, name: str) -> list[SvdRegister]:
        """Return the registers of a peripheral by address."""
        return [r for r in self.registers if r.name.partition(".")[0] == name]

    def details(self, name: str) -> SvdDetails:
        """Return what a file says of a register ("UART0.BAUD"); what is damaged is left out."""
        known = self._reader.elements.get(name) if self.registers and self._reader else None
        if known is None:
            return SvdDetails()
        try:
            return _details(*known)
        except (ValueError, KeyError) as error:
            self.say(f"--svd {self.path}: {name}: {error}")
            return SvdDetails()


def load_svd(path: str, say: Callable[[str], None]) -> SvdMap:
    """Return the map of a file; NotFoundError, ImageError if it is no SVD file. `say`: see SvdMap."""
    file = Path(path)
    try:
        with file.open("rb") as opened:
            start = opened.read(4096)
    except FileNotFoundError:
        raise NotFoundError(f"--svd {path}: no such file") from None
    except OSError as error:
        raise ImageError(f"--svd {path}: {error.strerror}") from None
    if b"<device" not in start:
        raise ImageError(f"--svd {path}: not an SVD file (no <device> in it)")
    return SvdMap(file, say)


def _read(path: Path) -> tuple[_Reader, list[SvdRegister]]:
    """Return all registers of a file by address, and what knows more of them."""
    from xml.etree import ElementTree as ET

    try:
        reader = _Reader(ET.parse(path).getroot())
        return reader, sorted(reader.registers())
    except (ET.ParseError, ValueError, KeyError, OSError) as error:
        raise ImageError(f"--svd {path}: {error}") from None


class _Reader:
    """One file. Elements inherit size and reset value from those around them."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self.elements: dict[str, tuple[Element, Element]] = {}   # register -> its element, and the one it is derived from
        self.found: list[SvdPeripheral] = []
        self.peripherals = {_text(p, "name"): p for p in root.iterfind("peripherals/peripheral")}

    def registers(self) -> Iterator[SvdRegister]:
        """Yield the registers of all peripherals."""
        defaults = _defaults(self.root, {"size": 32, "reset": 0})
        for element in self.peripherals.values():
            chain = self._chain(element)
            inherited = defaults
            for ancestor in reversed(chain):
                inherited = _defaults(ancestor, inherited)
            owner = next((e for e in chain if e.find("registers") is not None), None)
            if owner is None:
                continue
            lines = tuple((_text(i, "name"), _number(_text(i, "value"))) for i in element.iterfind("interrupt"))
            for offset, name in _copies(element, "baseAddress"):
                self.found.append(SvdPeripheral(name, offset, _words(element, *chain), lines))
                yield from self._inside(owner.find("registers"), offset, name, inherited)

    def _chain(self, element: Element) -> list[Element]:
        """Return a peripheral and those it is derived from."""
        chain = [element]
        while (base := chain[-1].get("derivedFrom")) is not None:
            if base not in self.peripherals:
                raise ValueError(f"{_text(element, 'name')} is derived from {base}, which is not there")
            if self.peripherals[base] in chain:
                raise ValueError(f"{_text(element, 'name')} is derived from itself")
            chain.append(self.peripherals[base])
        return chain

    def _inside(self, where: Any, base: int, prefix: str, inherited: dict[str, int]) -> Iterator[SvdRegister]:
        """Yield the registers and clusters inside an element."""
        siblings = {_text(e, "name"): e for e in where if e.tag in ("register", "cluster")}
        for element in where:
            if element.tag not in ("register", "cluster"):
                continue
            origin = siblings.get((element.get("derivedFrom") or "").rpartition(".")[2], element)
            values = _defaults(element, _defaults(origin, inherited))
            for offset, name in _copies(element, "addressOffset", origin):
                full = f"{prefix}.{name}"
                if element.tag == "cluster":
                    yield from self._inside(origin if element.find("register") is None else element, base + offset, full, values)
                else:
                    self.elements[full] = element, origin
                    yield SvdRegister(base + offset, max(1, values["size"] // 8), full, values["reset"])


def _first(tag: str, *elements: Element) -> str:
    """Return a text of the first element that has it."""
    return next((text.strip() for element in elements if (text := element.findtext(tag))), "")


def _words(*elements: Element) -> str:
    """Return the description, in one line."""
    return " ".join(_first("description", *elements).split())


def _details(element: Element, origin: Element) -> SvdDetails:
    """Return what an element says of a register."""
    holder = element if element.find("fields") is not None else origin
    siblings = {_text(f, "name"): f for f in holder.iterfind("fields/field")}
    fields: list[SvdField] = []
    acts = bool(_first("readAction", element, origin))
    for field in holder.iterfind("fields/field"):
        base = siblings.get((field.get("derivedFrom") or "").rpartition(".")[2], field)
        acts = acts or bool(_first("readAction", field, base))
        low, high = _bits(field) or _bits(base) or (0, 0)
        names = _names(field, siblings) or _names(base, siblings)
        for shift, name in _shifts(field):
            fields.append(SvdField(name, low + shift, high + shift, _words(field, base), names))
    return SvdDetails(_words(element, origin), tuple(sorted(fields, key=lambda f: -f.high)), acts, _first("access", element, origin))


def _bits(field: Element) -> tuple[int, int] | None:
    """Return the lowest and highest bit of a field, as whichever of the three ways says them."""
    span = re.fullmatch(r"\[(\d+):(\d+)\]", _first("bitRange", field))
    if span:
        return int(span[2]), int(span[1])
    if field.find("lsb") is not None:
        return _number(_text(field, "lsb")), _number(_text(field, "msb"))
    if field.find("bitOffset") is None:
        return None
    low = _number(_text(field, "bitOffset"))
    return low, low + _number(_first("bitWidth", field) or "1") - 1


def _shifts(field: Element) -> Iterator[tuple[int, str]]:
    """Yield (bits further up, name) of a field, or of all of an array of it."""
    name = _text(field, "name")
    if field.find("dim") is None:
        yield 0, name
        return
    count, step = _number(_text(field, "dim")), _number(_text(field, "dimIncrement"))
    indices = _indices(field.findtext("dimIndex"), min(count, 64))
    for i in range(min(count, 64)):
        yield i * step, name.replace("%s", indices[i])


def _names(field: Element, siblings: dict[str, Element]) -> tuple[tuple[int, str], ...]:
    """Return the values that have a name."""
    values = field.find("enumeratedValues")
    if values is not None and (of := values.get("derivedFrom")):
        values = next((v for f in siblings.values() for v in f.iterfind("enumeratedValues")
                       if of.rpartition(".")[2] in (v.findtext("name"), _text(f, "name"))), values)
    if values is None:
        return ()
    return tuple((_number(number), _text(value, "name")) for value in values.iterfind("enumeratedValue")
                 if (number := value.findtext("value")))


def _text(element: Element, tag: str, default: str | None = None) -> str:
    text = element.findtext(tag, default)
    if text is None:
        raise ValueError(f"a {element.tag} has no {tag}")
    return text.strip()


def _number(text: str) -> int:
    """Read a scaledNonNegativeInteger: 12, 0x1F, #0110, 0b0110."""
    text = text.strip().lower().removeprefix("+")
    if text.startswith("0b"):
        text = "#" + text[2:]
    return int(text[1:].replace("x", "0"), 2) if text.startswith("#") else int(text, 0) if not text.isdecimal() else int(text)


def _defaults(element: Element, inherited: dict[str, int]) -> dict[str, int]:
    """Return size and reset value as an element says, or as inherited."""
    size, reset = element.findtext("size"), element.findtext("resetValue")
    return {"size": _number(size) if size else inherited["size"], "reset": _number(reset) if reset else inherited["reset"]}


def _copies(element: Element, tag: str, origin: Element | None = None) -> Iterator[tuple[int, str]]:
    """Yield (address, name) of an element, or of all elements of an array of it."""
    origin = element if origin is None else origin
    address, name = _number(_text(element, tag)), _text(element, "name")
    dim = element if element.find("dim") is not None else origin
    if dim.find("dim") is None:
        yield address, name
        return
    count, step = _number(_text(dim, "dim")), _number(_text(dim, "dimIncrement"))
    if count > LIMIT:
        raise ValueError(f"{name}: an array of {count}")
    indices = _indices(dim.findtext("dimIndex"), count)
    for i in range(count):
        yield address + i * step, name.replace("[%s]", f"[{i}]").replace("%s", indices[i])


def _indices(text: str | None, count: int) -> list[str]:
    """Return what stands for %s: "0-3", "A-D", "A,B,C", or numbers."""
    if text and (span := re.fullmatch(r"\s*([0-9]+)-([0-9]+)\s*|\s*([A-Z])-([A-Z])\s*", text)):
        names = ([str(i) for i in range(int(span[1]), int(span[2]) + 1)] if span[1]
                 else [chr(c) for c in range(ord(span[3]), ord(span[4]) + 1)])
    else:
        names = [part.strip() for part in text.split(",")] if text else []
    return names if len(names) >= count else [str(i) for i in range(count)]
