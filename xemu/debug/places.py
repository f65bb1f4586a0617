"""Places as people write them: "main", "main.c:12", "0x8000", "main+4", "*main"."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from xemu.errors import UsageError

if TYPE_CHECKING:
    from xemu.debug.symbols import Modules

MAX_ALIKE = 500            # names that are compared letter by letter
_LINE = re.compile(r"(?P<file>.*[^:]):(?P<line>\d+)$")
_OFFSET = re.compile(r"(?P<name>[^+\s-]+)\s*(?P<offset>[+-]\s*(0[xX][0-9a-fA-F]+|\d+))$")


def resolve(modules: Modules, text: str) -> list[int]:
    """Return the addresses that a place means (see `Modules.resolve`); UsageError where nothing fits."""
    text = text.strip()
    exact = text.startswith("*")
    name = text[1:].strip() if exact else text
    number = _number(name)
    if number is not None:
        return [number]
    if (match := _OFFSET.match(name)) and (base := modules.address_of(match["name"])) is not None:
        return [base + int(match["offset"].replace(" ", ""), 0)]
    if match := _LINE.match(name):
        return _line(modules, match["file"], int(match["line"]))
    found = [address for module in modules for address in module.named_functions(name)]
    copies = [] if exact else [address for module in modules for address in module.inlined_entries(name)]
    if found or copies:
        moved = found if exact else sorted({_body(modules, address) for address in found} | set(copies))
        return list(dict.fromkeys(moved))
    address = modules.address_of(name)
    if address is not None:
        return [address]
    raise UsageError(f"no function or symbol {name!r}{suggestion(name, [n for module in modules for n in module.names()])}")


def _number(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None


def _body(modules: Modules, address: int) -> int:
    module = modules.at(address)
    return module.body(address) if module else address


def _line(modules: Modules, file: str, line: int) -> list[int]:
    found = modules.line_addresses(file, line)
    if found:
        return [place.start for place in found]
    files = [path for module in modules if module.lines for path in module.lines.files()]
    base = file.rsplit("/", 1)[-1]
    if any(path.rsplit("/", 1)[-1] == base for path in files):
        raise UsageError(f"{file} has no code on line {line} or behind it")
    raise UsageError(f"no source file {file!r}{suggestion(base, sorted({path.rsplit('/', 1)[-1] for path in files}))}")


def suggestion(name: str, known: list[str]) -> str:
    """Return "; did you mean 'main'?" if a name is near one that is known."""
    alike = [word for word in known if abs(len(word) - len(name)) <= 2 and word[:1].lower() == name[:1].lower()]
    near = difflib.get_close_matches(name, alike[:MAX_ALIKE], n=1, cutoff=0.7) or \
        difflib.get_close_matches(name, [word for word in known[:MAX_ALIKE] if abs(len(word) - len(name)) <= 2], n=1, cutoff=0.7)
    return f"; did you mean {near[0]!r}?" if near else ""
