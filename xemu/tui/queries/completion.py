"""What could stand where the cursor is on the command line."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.errors import XemuError
from xemu.tui.commands import Context, find, first_words
from xemu.tui.queries import query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xemu.debug.debugger import Debugger

MOST = 200               # candidates
SYMBOLS = ("function", "object", "label")
NAME = re.compile(r"(?:[A-Za-z_]\w*(?:\[\w*\])*(?:->|\.))*\$?[A-Za-z_]?\w*\Z")       # the last name of an expression, with its owners


class Completion(NamedTuple):
    """`candidates` stand in the place of what begins at `start`."""

    start: int
    candidates: tuple[str, ...]


class Found(NamedTuple):
    """A symbol."""

    name: str
    address: int
    kind: str


@query()
def complete(d: Debugger, *, text: str, thread: int | None = None, frame: int = 0, names: tuple[str, ...] = (),
             python: dict[str, Any] | None = None) -> Completion:
    """Complete a command's text up to the cursor. `names`: what only the screen knows, panes and layouts."""
    word, blank, rest = text.lstrip().partition(" ")
    offset = len(text) - len(text.lstrip())
    if not blank and not word.startswith("!"):
        return Completion(offset, _beginning(word, first_words()))
    family = first_words().get(word, ())
    if len(family) > 1 and " " not in rest:
        seconds = [row.name.partition(" ")[2] for row in family]
        if _beginning(rest, seconds):
            return Completion(len(text) - len(rest), _beginning(rest, [name for name in seconds if name]))
    try:
        row, _form, arguments = find(text + "." if text.endswith(" ") else text)
    except XemuError:
        return Completion(len(text), ())
    if text.endswith(" "):
        arguments = arguments[:-1]
    finder = FINDERS.get(row.completes)
    if finder is None:
        return Completion(len(text), ())
    with suppress(XemuError):
        cut, found = finder(Context(d, thread, frame, kept={"python": python or {}}), arguments, names)
        return Completion(len(text) - len(arguments) + cut, tuple(found)[:MOST])
    return Completion(len(text), ())


def _beginning(word: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if name.startswith(word)}))


@query()
def symbols(d: Debugger, *, text: str, limit: int = 30) -> tuple[Found, ...]:
    """Return symbols with a text in their names, those that begin with it first, then the shortest."""
    wanted = text.lower()
    found = {(s.name, s.address): s.kind for module in d.modules for s in module.symbols.symbols
             if s.kind in SYMBOLS and wanted in s.name.lower() and not s.name.startswith("$")}
    best = sorted(found, key=lambda pair: (not pair[0].lower().startswith(wanted), len(pair[0]), pair))
    return tuple(Found(name, address, found[name, address]) for name, address in best[:limit])


# -- what arguments may be -----------------------------------------------------------------------------------------------
Finder = tuple[int, "Iterable[str]"]


def _symbol_names(c: Context, word: str, kinds: tuple[str, ...] = SYMBOLS) -> set[str]:
    return {s.name for module in c.d.modules for s in module.symbols.symbols
            if s.kind in kinds and s.name.startswith(word) and not s.name.startswith("$")} if word else set()


def _files(c: Context) -> dict[str, list[Any]]:
    """Return the names of source files, with (path, lines) of each."""
    found: dict[str, list[Any]] = {}
    for module in c.d.modules:
        if module.lines is not None:
            for path in module.lines.files():
                found.setdefault(path.rpartition("/")[2], []).append((path, module.lines))
    return found


def _place(c: Context, text: str, _names: tuple[str, ...]) -> Finder:
    condition = text.rfind(" if ")
    if condition >= 0:
        cut, found = _expression(c, text[condition + 4:], ())
        return condition + 4 + cut, found
    word = text.rpartition(" ")[2]
    cut = len(text) - len(word)
    if word.startswith("*"):
        inner, found = _expression(c, word[1:], ())
        return cut + 1 + inner, found
    file, colon, line = word.partition(":")
    if colon:
        lines = {str(number) for path, table in _files(c).get(file, ()) for number in table.code_lines(path)}
        return cut, [f"{file}:{number}" for number in sorted(lines, key=int) if number.startswith(line)]
    return cut, sorted(_symbol_names(c, word, ("function", "label")) | {f"{name}:" for name in _files(c) if name.startswith(word) and word})


def _expression(c: Context, text: str, _names: tuple[str, ...]) -> Finder:
    match = NAME.search(text)
    start = match.start() if match is not None else len(text)
    word = text[start:]
    if word.startswith("$"):
        return start, ["$" + name for name in _register_names(c, word[1:])]
    owner, dot, member = _member(word)
    if dot:
        return start, sorted(f"{owner}{dot}{name}" for name in _members(c, owner) if name.startswith(member))
    locals_ = {variable.name for variable in c.d.locals(c.selected, c.thread)} if word is not None else set()
    return start, sorted(_symbol_names(c, word, ("object", "function")) | {name for name in locals_ if name and name.startswith(word)})


def _member(word: str) -> tuple[str, str, str]:
    for dot in ("->", "."):
        owner, found, member = word.rpartition(dot)
        if found and ("." not in member and "->" not in member):
            return owner, dot, member
    return "", "", word


def _members(c: Context, owner: str) -> list[str]:
    kind = c.value(owner).type.plain
    while kind.kind in ("pointer", "reference"):
        kind = kind.target.plain
    return [item.name for item in getattr(kind, "fields", ()) or () if item.name]


def _register_names(c: Context, word: str) -> list[str]:
    from xemu.gdbstub.target_xml import describe

    return [row.name for feature in describe(c.d.system.arch).features for row in feature.registers if row.name.startswith(word)]


def _register(c: Context, text: str, _names: tuple[str, ...]) -> Finder:
    word = text.rpartition(" ")[2].removeprefix("$")
    return len(text) - len(word), _register_names(c, word)


def _point(c: Context, text: str, _names: tuple[str, ...]) -> Finder:
    word = text.rpartition(" ")[2]
    return len(text) - len(word), [str(n) for n, p in c.d.points.by_id.items() if n > 0 and p.owner == "user" and str(n).startswith(word)]


def _of(source: Callable[[Context], Iterable[str]]) -> Callable[[Context, str, tuple[str, ...]], Finder]:
    """Return a finder of names that begin with the last word."""
    def finder(c: Context, text: str, _names: tuple[str, ...]) -> Finder:
        word = text.rpartition(" ")[2]
        return len(text) - len(word), _beginning(word, source(c))

    return finder


def _named(c: Context, text: str, names: tuple[str, ...]) -> Finder:
    del c
    return 0, _beginning(text, names)


def _catches(_c: Context) -> Iterable[str]:
    from xemu.debug.points import CATCHES

    return CATCHES


def _python(c: Context, text: str, _names: tuple[str, ...]) -> Finder:
    import rlcompleter

    match = re.search(r"[\w.]*\Z", text)
    word = match[0] if match else ""
    completer = rlcompleter.Completer({**c.kept["python"], "d": c.d})
    found: list[str] = []
    while word and len(found) < MOST and (name := completer.complete(word, len(found))) is not None:
        found.append(name)
    return len(text) - len(word), [name for name in found if not name.rpartition(".")[2].startswith("_")]


FINDERS: dict[str, Callable[[Context, str, tuple[str, ...]], Finder]] = {
    "place": _place, "expression": _expression, "register": _register, "point": _point, "pane": _named, "layout": _named,
    "command": _of(lambda _c: first_words()), "catch": _of(_catches), "python": _python,
    "time": _of(lambda c: [*c.d.checkpoints, "start", "end"]), "branch": _of(lambda c: [str(b.number) for b in c.d.branches]),
    "device": _of(lambda c: list(getattr(getattr(c.d.system, "machine", None), "parts", {}))),
}
