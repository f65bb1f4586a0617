"""Words that show values, memory, code and the stack."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any

from xemu.errors import UsageError, XemuError
from xemu.tui.commands import LOOK, Context, command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.frames import Frame

LINES = 10               # of source that `list` shows
MOST = 4096              # units that x shows
FLOATS = {2: "e", 4: "f", 8: "d"}
SIZES = {"b": 1, "h": 2, "w": 4, "g": 8}
FORMATS = "xduotcafsiz"


@command("print", "[/FORMAT] EXPRESSION", LOOK, completes="expression", aliases="p inspect")
def print_(c: Context, rest: str) -> None:
    """Show the value of an expression; formats: x d u o t c a f z s. An assignment (n = 3) changes it."""
    if not rest:
        raise UsageError("print what?")
    if len(c.form) > 1 or (c.form and c.form not in FORMATS.replace("i", "")):
        raise UsageError(f"/{c.form}: formats are x d u o t c a f z s")
    if re.search(r"[^=!<>]=[^=]", rest):
        left, _, right = rest.partition("=")
        c.say(c.d.assign(left.strip(), right.strip(), c.selected, c.thread).text(c.form))
        c.changed = True
        return
    c.say(c.value(rest).text(c.form))


@command("whatis", "EXPRESSION", LOOK, completes="expression")
def whatis(c: Context, rest: str) -> None:
    """Show the type of an expression."""
    c.say(str(c.value(rest).type))


# -- memory --------------------------------------------------------------------------------------------------------------
@command("x", "[/COUNT FORMAT SIZE] ADDRESS", LOOK, completes="expression", again="on")
def examine(c: Context, rest: str) -> None:
    """Show memory: x/8xw buf, x/4i $pc, x/2s text; sizes b h w g; without an address it goes on."""
    kept = c.kept.setdefault("x", {"form": "x", "unit": "w", "next": None, "count": 1})
    match = re.fullmatch(r"(-?\d*)([a-z]*)", c.form)
    letters = match[2] if match else ""
    if match is None or any(letter not in FORMATS + "bhwg" for letter in letters):
        raise UsageError(f"/{c.form}: a count, a format ({' '.join(FORMATS)}) and a size (b h w g)")
    count = min(abs(int(match[1])), MOST) if match[1] not in ("", "-") else 1 if c.form or rest else kept["count"]
    form = next((letter for letter in letters if letter in FORMATS), kept["form"])
    unit = next((letter for letter in letters if letter in SIZES), "w" if form == "a" else "b" if form == "c" else kept["unit"])
    address = address_of(c, rest) if rest else kept["next"]
    if address is None:
        raise UsageError("x needs an address at first")
    kept |= {"form": form, "unit": unit, "count": count}
    if form == "i":
        kept["next"] = _instructions(c, address, count)
    elif form == "s":
        kept["next"] = _strings(c, address, count)
    else:
        kept["next"] = _units(c, address, count, form, SIZES[unit])


def address_of(c: Context, text: str) -> int:
    """Return the address that an expression means: of a function or an object its own, of a pointer or number its value."""
    try:
        value = c.value(text)
    except XemuError as unknown:
        try:
            return c.d.resolve(text if text.startswith("*") or ":" in text else f"*{text}")
        except XemuError:
            try:
                return c.d.resolve(text)
            except XemuError:
                raise unknown from None
    if value.address is not None and value.type.plain.kind in ("array", "struct", "union", "function"):
        return int(value.address)
    return int(value.number())


def _label(c: Context, address: int) -> str:
    symbol = c.d.modules.where(address)
    return f"{address:#x} <{symbol}>:" if not symbol.startswith("0x") else f"{address:#x}:"


def _read(c: Context, address: int, length: int) -> bytes:
    data = c.d.read_memory(address, length)
    if not data:
        raise UsageError(f"memory at {address:#x} cannot be read")
    return data


def _units(c: Context, address: int, count: int, form: str, size: int) -> int:
    """Show numbers, 16 bytes in a line (of characters 8); returns the address behind them."""
    data = _read(c, address, count * size)
    little = c.d.source.architecture.little
    per_line = 8 if form == "c" else max(16 // size, 1) if form != "t" else max(8 // size, 1)
    for first in range(0, count, per_line):
        words = []
        for number in range(first, min(first + per_line, count)):
            piece = data[number * size:number * size + size]
            words.append(unit_text(c, piece, form, little=little) if len(piece) == size else "<cannot be read>")
            if len(piece) < size:
                break
        c.say("  ".join([_label(c, address + first * size), *words]))
        if len(data) < (first + per_line) * size and len(data) < count * size:
            break
    return address + count * size


def unit_text(c: Context, piece: bytes, form: str, *, little: bool) -> str:
    """Return a few bytes in a format."""
    from xemu.debug.printing import char_text

    raw, bits = int.from_bytes(piece, "little" if little else "big"), 8 * len(piece)
    signed = raw - (1 << bits) if raw >> (bits - 1) else raw
    match form:
        case "d": return f"{signed}"
        case "u": return f"{raw}"
        case "o": return f"0{raw:0{(bits + 2) // 3}o}"
        case "t": return f"{raw:0{bits}b}"
        case "c": return f"{signed} {char_text(raw & 0xFF)}"
        case "a": return _label(c, raw).removesuffix(":")
        case "f" if len(piece) in FLOATS: return f"{struct.unpack(('<' if little else '>') + FLOATS[len(piece)], piece)[0]:g}"
    return f"0x{raw:0{bits // 4}x}"


def _instructions(c: Context, address: int, count: int) -> int:
    for item in instructions(c, address, count):
        c.say(item)
        address = c.kept["behind"]
    return address


def instructions(c: Context, address: int, count: int) -> Iterator[str]:
    """Yield instructions as lines; `kept["behind"]` is the address behind each."""
    mark = c.d.pc if c.selected is None else c.selected.pc
    for item in c.d.disassemble(address, count):
        c.kept["behind"] = item.address + max(item.size, 1)
        yield f"{'=>' if item.address == mark else '  '} {_label(c, item.address)}  {item.text}"


def _strings(c: Context, address: int, count: int) -> int:
    from xemu.debug.printing import ELEMENTS, string_text

    for _ in range(count):
        data = _read(c, address, ELEMENTS)
        text, zero, _rest = data.partition(b"\0")
        c.say(f"{_label(c, address)}  {string_text(text)}{'' if zero else '...'}")
        address += len(text) + len(zero)
    return address


# -- code ----------------------------------------------------------------------------------------------------------------
@command("list", "[PLACE | LINE | -]", LOOK, completes="place", aliases="l", again="on")
def list_(c: Context, rest: str) -> None:
    """Show source lines: around here, a function, FILE:LINE; again: those behind; -: those before."""
    kept = c.kept.setdefault("list", {"file": "", "first": 0, "next": 0, "at": None})
    at = (c.d.position, c.thread, c.frame)
    if kept["at"] != at:
        kept |= {"at": at, "file": "", "next": 0}
    if not rest and kept["file"] and kept["next"]:
        file, first = kept["file"], kept["next"]
    elif rest == "-" and kept["file"]:
        file, first = kept["file"], max(1, kept["first"] - LINES)
    elif rest.isdecimal():
        file, first = kept["file"] or _here(c).file, max(1, int(rest) - LINES // 2)
    else:
        place = c.d.source_line(c.d.resolve(rest)) if rest not in ("", "-") else _here(c)
        if place is None or not place.line:
            raise UsageError(f"{rest or 'this place'} has no source line")
        file, first = place.file, max(1, place.line - LINES // 2)
    module = next((m for m in c.d.modules if m.lines is not None and file in m.lines.files()), None)
    lines = c.d.source.sources.lines(file, module)
    if not lines:
        raise UsageError(f"{file}: the source is not here; see --source-map")
    if first > len(lines):
        raise UsageError(f"{file.rpartition('/')[2]} has {len(lines)} lines")
    here = c.d.source_line() if c.selected is None else getattr(c.selected, "place", None)
    for number in range(first, min(first + LINES, len(lines) + 1)):
        mark = "▶" if here is not None and (here.file, here.line) == (file, number) else " "
        c.say(f"{mark}{number:5}  {lines[number - 1]}".rstrip())
    kept |= {"file": file, "first": first, "next": first + LINES}


def _here(c: Context) -> Any:
    place = c.d.source_line() if c.selected is None else c.selected.place
    if place is None or not place.line:
        raise UsageError("this place has no source line")
    return place


@command("disassemble", "[PLACE]", LOOK, completes="place", aliases="disas")
def disassemble(c: Context, rest: str) -> None:
    """Show the instructions of a function, of this one without a place."""
    address = address_of(c, rest) if rest else c.d.pc if c.selected is None else c.selected.pc
    function, start, end = c.d.modules.function(address), address, 0
    if function is not None:
        start, end = function.start, function.end
    else:
        symbol = next((s for m in c.d.modules if (s := m.symbol_at(address)) is not None), None)
        if symbol is not None:
            start, end = symbol.address, symbol.limit
    for item in instructions(c, start, min((end - start) // 2, MOST) if end > start else LINES):
        c.say(item)
        if end > start and c.kept["behind"] >= end:
            break


# -- the stack -----------------------------------------------------------------------------------------------------------
def frame_text(frame: Frame) -> str:
    """Return a frame as a line."""
    where = f" at {frame.place.name}" if frame.place is not None and frame.place.line else ""
    path = frame.module.path if not where and frame.module is not None else None
    module = f" from {path.rpartition('/')[2]}" if path else ""
    name = frame.function or "??"
    guess = f"   {frame.method}" if frame.method.endswith("?") else ""
    return f"#{frame.level:<3} {frame.pc:#010x} in {name} ()" + where + module + guess


@command("backtrace", "[COUNT]", LOOK, aliases="bt where")
def backtrace(c: Context, rest: str) -> None:
    """Show the call stack, the newest frame first."""
    limit = abs(c.number(rest)) if rest and rest != "full" else 64
    frames = c.d.backtrace(c.thread, limit + 1)
    for frame in frames[:limit]:
        c.say(frame_text(frame))
    if len(frames) > limit:
        c.say("(more frames follow)")


def _select(c: Context, number: int) -> None:
    frames = c.d.backtrace(c.thread, number + 1) if number >= 0 else []
    if number >= len(frames) or number < 0:
        raise UsageError("this is the newest frame" if number < 0 else f"there is no frame {number}")
    c.act("select", c.thread, number)
    c.say(frame_text(frames[number]))


@command("frame", "[NUMBER]", LOOK, aliases="f")
def frame_(c: Context, rest: str) -> None:
    """Select a frame, and show which one is selected."""
    _select(c, c.number(rest) if rest else c.frame)


@command("up", "[COUNT]", LOOK, again="same")
def up(c: Context, rest: str) -> None:
    """Select the frame that has called this one."""
    _select(c, c.frame + (c.number(rest) if rest else 1))


@command("down", "[COUNT]", LOOK, again="same", aliases="dow")
def down(c: Context, rest: str) -> None:
    """Select the frame that this one has called."""
    _select(c, c.frame - (c.number(rest) if rest else 1))


@command("thread", "[NUMBER]", LOOK)
def thread_(c: Context, rest: str) -> None:
    """Select a thread, and show which one is selected."""
    number = c.number(rest) if rest else c.thread or c.d.system.thread
    info = next((t for t in c.d.system.threads() if t.id == number), None)
    if info is None:
        raise UsageError(f"there is no thread {number}")
    if rest:
        c.act("select", number, 0)
    c.say(f"thread {info.id} {info.name}: {info.state}")
