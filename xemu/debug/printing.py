"""Values as text, as GDB prints them (GDB manual, "Print Settings" with its defaults, "Output Formats")."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xemu.debug.dwarf_forms import DAMAGE
from xemu.debug.location import UnavailableError
from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.types import Field, Type
    from xemu.debug.values import Value

ELEMENTS = 200             # of an array or string that are shown
REPEATS = 10               # equal elements from which on they are counted
MAX_DEPTH = 20
MAX_TEXT = 20_000          # characters
_ESCAPES = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 27: "\\033", 0: "\\000", 92: "\\\\"}


def show(value: Value, form: str = "") -> str:
    """Return a value's text; what cannot be known is said in angle brackets."""
    text = _show(value, form, 0)
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"


def _show(value: Value, form: str, depth: int) -> str:
    try:
        return _value(value, form, depth)
    except UnavailableError as error:
        return f"<{error}>" if not str(error).startswith("cannot access") else f"<error: {str(error)[0].upper()}{str(error)[1:]}>"
    except UsageError as error:
        return f"<{error}>"
    except DAMAGE as error:
        return f"<damaged debug information: {error}>"


def _value(value: Value, form: str, depth: int) -> str:
    plain = value.type.plain
    match plain.kind:
        case "struct" | "union" | "class": return _aggregate(value, form, depth)
        case "array": return _array(value, form, depth)
        case "void": return "void"
        case "function":
            address = value.address or 0
            return f"{{{value.type}}} {address:#x}{_symbol(value, address)}"
        case "reference":
            target = value.dereference()
            if value.indirect is not None:
                return f"<synthetic pointer>: {_show(target, form, depth)}"
            return f"@{target.address or 0:#x}: {_show(target, form, depth)}"
        case "complex": return _complex(value)
    if value.indirect is not None:
        return "(synthetic pointer)"
    if form and form != "s":
        return _formatted(value, form)
    return _scalar(value)


def _complex(value: Value) -> str:
    from xemu.debug.types import Type

    half = Type("float", "double", value.size // 2, signed=True)
    return f"{_scalar(value.part(half, 0))} + {_scalar(value.part(half, 4 * value.size))}i"


# -- scalars -----------------------------------------------------------------------------------------------------------------


def _scalar(value: Value) -> str:
    plain = value.type.plain
    number = value.number()
    if plain.kind == "float":
        return float_text(float(number), plain.size)
    number = int(number)
    match plain.kind:
        case "bool": return {0: "false", 1: "true"}.get(number, str(number))
        case "char": return f"{number} {char_text(number & 0xFF)}" if plain.size == 1 else str(number)
        case "enum": return enum_text(plain, number)
        case "pointer": return _pointer(value, number)
    return str(number)


def float_text(number: float, size: int) -> str:
    """Return a floating-point number with as many digits as tell it from its neighbours."""
    if math.isnan(number):
        return "-nan" if math.copysign(1, number) < 0 else "nan"
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    return f"{number:.{9 if size == 4 else 5 if size == 2 else 17}g}"


def char_text(byte: int, quote: str = "'") -> str:
    """Return a character in quotes."""
    return f"{quote}{_escape(byte, quote)}{quote}"


def _escape(byte: int, quote: str) -> str:
    if chr(byte) == quote:
        return "\\" + quote
    if byte in _ESCAPES:
        return _ESCAPES[byte]
    return chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"


def enum_text(kind: Type, number: int) -> str:
    """Return an enumeration's value by name; of flags, the names of the bits that are set."""
    items = kind.enumerators
    for item in items:
        if item.value == number:
            return item.name
    values = [item.value for item in items]
    if values and all(value >= 0 and value & (value - 1) == 0 for value in values) and number > 0:
        names = [item.name for item in items if item.value & number]
        rest = number & ~sum({value for value in values if value & number})
        if names:
            return f"({' | '.join([*names, f'unknown: {rest:#x}'] if rest else names)})"
        return f"(unknown: {number:#x})"
    return str(number)


def _pointer(value: Value, address: int) -> str:
    target = value.type.plain.target
    text = f"{address:#x}"
    if target.is_text and target.plain.size == 1 and address:
        string = read_string(value, address)
        return f"{text} {string}" if string is not None else f"{text} <error: Cannot access memory at address {text}>"
    return text + _symbol(value, address)


def _symbol(value: Value, address: int) -> str:
    """Return " <name+4>" for an address that a symbol of the program holds."""
    modules = value.access.modules
    module = modules.at(address)
    if module is None:
        return ""
    is_code = module.is_code(address)
    symbol = module.symbol_at(value.access.architecture.code(address) if is_code else address)
    if symbol is None:
        return ""
    offset = address - symbol.address
    if is_code and offset == address - value.access.architecture.code(address):
        offset = 0
    return f" <{symbol.name}+{offset}>" if offset else f" <{symbol.name}>"


def read_string(value: Value, address: int) -> str | None:
    """Return the string at an address in quotes; None where memory cannot be read."""
    data = bytearray()
    while len(data) < ELEMENTS:
        size = min(ELEMENTS - len(data), 64 - (address + len(data)) % 64)
        part = value.access.read_memory(address + len(data), size)
        if part is None:
            size = 1
            part = value.access.read_memory(address + len(data), 1)
        if part is None:
            if not data:
                return None
            return string_text(bytes(data)) + f"<error: Cannot access memory at address {address + len(data):#x}>"
        end = part.find(0)
        data += part if end < 0 else part[:end]
        if end >= 0:
            return string_text(bytes(data))
    return string_text(bytes(data)) + "..."


def string_text(data: bytes) -> str:
    """Return bytes as C writes a string; long runs of one character are counted."""
    if not data:
        return '""'
    parts: list[tuple[bool, str]] = []
    at = 0
    while at < len(data):
        end = at
        while end < len(data) and data[end] == data[at]:
            end += 1
        if end - at >= REPEATS:
            parts.append((False, f"{char_text(data[at])} <repeats {end - at} times>"))
            at = end
        else:
            piece = "".join(_escape(byte, '"') for byte in data[at:end])
            if parts and parts[-1][0]:
                parts[-1] = (True, parts[-1][1] + piece)
            else:
                parts.append((True, piece))
            at = end
    return ", ".join(f'"{text}"' if plain else text for plain, text in parts)


def _formatted(value: Value, form: str) -> str:
    """Return a scalar in one of GDB's formats."""
    plain = value.type.plain
    bits = value.bits or 8 * plain.size
    if plain.kind == "float" and form in "fz" + "":
        return _scalar(value)
    raw = int(value.number()) if plain.kind == "float" else value.access.architecture.number(value.data())
    raw &= (1 << bits) - 1
    signed = raw - (1 << bits) if raw >> (bits - 1) else raw
    match form:
        case "x": return f"{raw:#x}"
        case "z": return f"0x{raw:0{(bits + 3) // 4}x}"
        case "d": return str(signed)
        case "u": return str(raw)
        case "o": return f"0{raw:o}" if raw else "0"
        case "t": return f"{raw:b}"
        case "c": return f"{signed if plain.signed else raw} {char_text(raw & 0xFF)}"
        case "a": return f"{raw:#x}{_symbol(value, raw)}"
        case "f": return _scalar(value)
    raise UsageError(f"{form!r} is no output format; known are x d u o t c a f z s")


# -- aggregates --------------------------------------------------------------------------------------------------------------


def _aggregate(value: Value, form: str, depth: int) -> str:
    if depth >= MAX_DEPTH:
        return "{...}"
    if value.missing:
        return f"<{value.missing}>"
    parts = []
    for item in value.type.plain.fields:
        if item.static is not None:
            static = _static(value, item, form, depth)
            if static:
                parts.append(f"static {item.name} = {static}")
            continue
        inner = _show(value.member(item), form, depth + 1)
        if item.base:
            parts.append(f"<{item.type}> = {inner}")
        else:
            parts.append(f"{item.name} = {inner}" if item.name else inner)
    return "{" + ", ".join(parts) + "}"


def _static(value: Value, item: Field, form: str, depth: int) -> str:
    """Return a static member's text; empty where its place is not known."""
    from xemu.debug.dwarf_names import AT
    from xemu.debug.values import Value as Made

    assert item.static is not None
    name = item.static.string(AT.linkage_name) or item.static.string(AT.MIPS_linkage_name)
    address = value.access.modules.address_of(name) if name else None
    return "" if address is None else _show(Made.at(value.access, item.type, address), form, depth + 1)


def _array(value: Value, form: str, depth: int) -> str:
    kind = value.type.plain
    target, count = kind.target, kind.count or 0
    address = value.address
    if kind.count is None and address is not None:     # a flexible array member: nobody knows its length
        return f"{address:#x}{_symbol(value, address)}"
    if target.is_text and target.plain.size == 1 and form in ("", "s"):
        return _text(value.data(), whole=True)
    if depth >= MAX_DEPTH:
        return "{...}"
    if value.missing:
        return f"<{value.missing}>"
    parts, shown = [], 0
    texts = _elements(value, form, depth, min(count, ELEMENTS * REPEATS))
    repeated, times = "", 0
    at = 0
    for text in [*texts, None]:
        if text == repeated and times:
            times += 1
        else:
            if times:
                parts += [f"{repeated} <repeats {times} times>"] if times >= REPEATS else [repeated] * times
                shown += 1 if times >= REPEATS else times
            repeated, times = text or "", 1
        at += text is not None
        if shown + times > ELEMENTS and times < REPEATS:
            break
    more = "..." if at < count or len(parts) > ELEMENTS else ""
    return "{" + ", ".join(parts[:ELEMENTS]) + more + "}"


def _elements(value: Value, form: str, depth: int, count: int) -> Iterator[str]:
    return (_show(value.element(index), form, depth + 1) for index in range(count))


def _text(data: bytes, *, whole: bool) -> str:
    """Return a character array: without its last zero, and not more than is shown of arrays."""
    if len(data) > ELEMENTS:
        zeros = data.rstrip(b"\0")
        if len(zeros) < ELEMENTS:                      # the zeros at the end are one run
            return string_text(data[:-1])
        return string_text(data[:ELEMENTS]) + "..."
    if whole and data[-1:] == b"\0":
        data = data[:-1]
    return string_text(data) if data else '""'
