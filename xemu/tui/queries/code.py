"""Windows of code: source lines, instructions, or both."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from xemu.debug.disassembly import previous
from xemu.tui.queries import query
from xemu.tui.queries.stack import chosen_code

if TYPE_CHECKING:
    from xemu.debug.debugger import Debugger
    from xemu.debug.disassembly import Line
    from xemu.debug.frames import Frame
    from xemu.debug.symbols import Module

EDGE = 3                 # rows between the place that is shown and the end of the window
MOST_SOURCE = 12         # source lines that are shown in front of one instruction


class Row(NamedTuple):
    """A row of code. `kind`: source insn label note."""

    kind: str
    address: int | None                              # of an instruction; of a source line, of its first code
    line: int = 0                                    # of a source line
    text: str = ""
    mnemonic: str = ""
    operands: str = ""
    comment: str = ""
    code: bytes = b""
    target: int | None = None
    marks: str = ""                                  # p: the guest stands here; f: the selected frame; b: breakpoint, o: off, l: it logs
    points: tuple[int, ...] = ()


class Code(NamedTuple):
    """A window. `top` is the line or address of its first row: that is what the next question may start from."""

    mode: str
    title: str                                       # of the file or function
    file: str
    top: int
    rows: tuple[Row, ...]
    pc: int
    lines: int = 0                                   # of the file
    note: str = ""


_LAST: WeakKeyDictionary[Debugger, Code] = WeakKeyDictionary()          # the windows that were chosen last


@query()
def code(d: Debugger, *, mode: str = "mixed", top: int | None = None, file: str = "", address: int | None = None,
         rows: int = 20, thread: int | None = None, frame: int = 0) -> Code:
    """Return a window of `rows` rows.

    `top` None: so that `address` (None: PC) is seen, where the last window stood if it is seen there. Else the window starts
    at that line of `file`, or address.
    """
    if top is None:
        last = _LAST.get(d)
        if last is not None and address is None and last.mode == mode:
            found = _window(d, mode, last.top, last.file, address, rows, thread, frame)
            seen = next((i for i, row in enumerate(found.rows) if ("f" if frame else "p") in row.marks), -1)
            if 0 < seen < rows - EDGE and found.file == last.file:
                return found
        _LAST[d] = found = _window(d, mode, None, file, address, rows, thread, frame)
        return found
    return _window(d, mode, top, file, address, rows, thread, frame)


def _window(d: Debugger, mode: str, top: int | None, file: str, address: int | None, rows: int, thread: int | None,
            frame: int) -> Code:
    selected = chosen_code(d, thread, frame)
    at = address if address is not None else selected.pc if selected is not None else d.pc
    place = selected.place if selected is not None and address is None else d.source_line(at)
    if mode == "source" and (file or (place is not None and place.line)):
        found = _source(d, at, file or place.file, place.line if place else 0, top, rows, selected)  # type: ignore[union-attr]
        if found is not None:
            return found
    return _assembly(d, at, top, rows, selected, source=mode != "assembly")


def _marks(d: Debugger, address: int) -> tuple[str, tuple[int, ...]]:
    points = [p for p in d.points.by_id.values() if p.id > 0 and address in getattr(p, "addresses", ())]
    marks = "p" if address == d.pc else ""
    for point in points:
        marks += "o" if not point.enabled else "l" if point.action is not None else "b"
    return marks, tuple(p.id for p in points)


# -- source --------------------------------------------------------------------------------------------------------------
def _source(d: Debugger, at: int, file: str, line: int, top: int | None, rows: int, selected: Frame | None) -> Code | None:
    module = d.modules.at(at)
    place = d.modules.place(at)
    if place is None or place.file != file:
        module = next((m for m in d.modules if m.lines is not None and file in m.lines.files()), module)
    lines = d.source.sources.lines(file, module)
    if not lines:
        return None
    here = d.source_line()
    if top is None:
        top = line - rows // 3
    top = max(1, min(top, len(lines) - rows + 1))
    code_lines = set(module.lines.code_lines(file)) if module is not None and module.lines is not None else set()
    out = []
    for number in range(top, min(top + rows, len(lines) + 1)):
        current = here is not None and here.file == file and here.line == number
        address, marks = None, "p" if current else ""
        if selected is not None and selected.place is not None and (selected.place.file, selected.place.line) == (file, number):
            marks += "f"
        points: tuple[int, ...] = ()
        if number in code_lines and module is not None:
            places = [p for p in module.line_addresses(file, number) if p.line == number]
            address = places[0].start if places else None
            for place in places:
                found, numbers = _marks(d, place.start)
                marks += found.replace("p", "")
                points += numbers
        out.append(Row("source", d.pc if current else address, number, lines[number - 1], marks=marks, points=points))
    return Code("source", file.rpartition("/")[2], file, top, tuple(out), d.pc, len(lines), _note(d, file, module))


def _note(d: Debugger, file: str, module: Module | None) -> str:
    """Say if a source file is missing, or was changed after the program was built."""
    path = d.source.sources.find(file, module)
    if path is None:
        return f"{file} is not there; --source-map OLD=NEW says where sources are"
    with suppress(OSError):
        if module is not None and module.path and Path(path).stat().st_mtime > Path(module.path).stat().st_mtime + 1:
            return f"{file.rpartition('/')[2]} is newer than the program"
    return ""


# -- instructions --------------------------------------------------------------------------------------------------------
def _assembly(d: Debugger, at: int, top: int | None, rows: int, selected: Frame | None, *, source: bool) -> Code:
    arch = d.source.architecture
    mode = arch.mode_of(d.source.registers())
    if top is None:
        top = at
        for _ in range(rows // 4 if source else rows // 3):
            before = previous(d.source.read_memory, top, mode, d.modules, arch)
            if before is None or before >= top:
                break
            top = before
    found = d.disassemble(top, rows)
    lookup = selected.lookup if selected is not None else None
    out: list[Row] = []
    last = None
    for item in found:
        if item.symbol:
            out.append(Row("label", None, text=item.symbol))
            last = None                              # what stands between two functions belongs to neither
        if source:
            place = d.source_line(item.address)
            key = (place.file, place.line) if place is not None and place.line else None
            if key is not None and key != last:
                out += _lines_before(d, d.modules.at(item.address), key, last)
            last = key or last
        row = _instruction(d, item)
        out.append(row._replace(marks=row.marks + "f") if lookup in range(item.address, item.address + item.size) else row)
    place, note = d.source_line(at) if source else None, ""
    if place is not None and place.line:
        note = _note(d, place.file, d.modules.at(at))
    elif source:
        note = "no line information"
    return Code("mixed" if source else "assembly", d.modules.where(at), "", top, tuple(out[:rows]), d.pc, 0, note)


def _lines_before(d: Debugger, module: Module | None, place: tuple[str, int], last: tuple[str, int] | None) -> list[Row]:
    """Return the source lines in front of an instruction: those since the one before, of the same file, or its own."""
    file, line = place
    lines = d.source.sources.lines(file, module)
    first = line
    if last is not None and last[0] == file and last[1] < line <= last[1] + MOST_SOURCE:
        first = last[1] + 1
    here = d.source_line()
    rows = []
    for number in range(first, line + 1):
        text = lines[number - 1] if number <= len(lines) else f"{file.rpartition('/')[2]}:{number}"
        current = here is not None and (here.file, here.line) == (file, number)
        rows.append(Row("source", None, number, text, marks="c" if current else ""))
    return rows


def _instruction(d: Debugger, item: Line) -> Row:
    marks, points = _marks(d, item.address)
    return Row("insn", item.address, 0, "", item.mnemonic, item.operands, item.comment, item.code, item.target, marks, points)


@query()
def above(d: Debugger, *, address: int, count: int) -> int:
    """Return the address that is so many instructions in front of one."""
    arch = d.source.architecture
    mode = arch.mode_of(d.source.registers())
    for _ in range(count):
        before = previous(d.source.read_memory, address, mode, d.modules, arch)
        if before is None or before >= address:
            break
        address = before
    return address


class Ahead(NamedTuple):
    """What an instruction that comes will do, from where the guest stands."""

    values: tuple[tuple[str, int], ...]              # registers it reads
    accesses: tuple[tuple[str, int, int | None, int], ...]       # "r" or "w", address, value, bytes
    taken: bool
    target: int
    end: str


@query()
def ahead(d: Debugger, *, count: int = 16) -> dict[int, Ahead]:
    """Return what the next instructions will do, by address; of a loop the first time round."""
    from xemu.debug.foresight import foresee

    out: dict[int, Ahead] = {}
    if not d.stop.kind.final:
        for item in foresee(d, count):
            out.setdefault(item.pc, Ahead(item.reads, tuple((a.kind, a.address, a.value, a.size) for a in item.accesses), item.taken,
                                          item.next_pc, item.end))
    return out
