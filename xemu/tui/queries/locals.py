"""Variables and watched expressions as trees: only what is opened is read.

A path names a node: the root's name, then its children's. Arrays with many elements have pieces ("[0…99]") for children.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from xemu.debug.dwarf_forms import DAMAGE
from xemu.debug.variables import Variable
from xemu.errors import UsageError, XemuError
from xemu.tui.queries import query
from xemu.tui.queries.stack import chosen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xemu.debug.debugger import Debugger
    from xemu.debug.values import Value

    Path = tuple[str, ...]

PIECE = 100              # elements of an array that are shown together
MOST = 2000              # rows
TEXT = 300               # characters of a value
GLOBALS = "globals"


class Row(NamedTuple):
    """A variable. `opens`: it has parts; `failed`: `value` says why there is none."""

    path: Path
    name: str
    type: str
    value: str
    expression: str = ""                             # in C; "" where none names it
    opens: bool = False
    open: bool = False
    writable: bool = False
    address: int | None = None
    size: int = 0
    register: str = ""
    kind: str = ""                                   # of `Variable`, or "group"
    form: str = ""                                   # the letter of its format
    failed: bool = False


class Tree(NamedTuple):
    """The rows that are seen. `key`: two trees with the same one show the same call of a function."""

    key: tuple[Any, ...]
    title: str
    frame: int
    rows: tuple[Row, ...]
    note: str = ""


class Item(NamedTuple):
    """A node: a variable, or the elements `start` to `stop` of an array; or a name with children of its own."""

    name: str
    variable: Variable | None
    expression: str = ""
    start: int = 0
    stop: int = 0
    children: tuple[Item, ...] | None = None
    failed: str = ""


# -- nodes ---------------------------------------------------------------------------------------------------------------
def parts(item: Item) -> list[Item]:
    """Return the children of a node."""
    if item.children is not None:
        return list(item.children)
    if item.variable is None:
        return []
    try:
        plain = item.variable.value.type.plain
        if plain.kind == "array":
            return _elements(item, item.start, item.stop or plain.count or 0)
        return [_child(item, child) for child in item.variable.children()]
    except DAMAGE:
        return []


def _elements(item: Item, start: int, stop: int) -> list[Item]:
    """Return elements, or pieces of a hundred, ten thousand … of them."""
    assert item.variable is not None
    value = item.variable.value
    if stop - start <= PIECE:
        return [Item(f"[{i}]", Variable(f"[{i}]", value.element(i), "element"), f"{item.expression}[{i}]" if item.expression else "")
                for i in range(start, stop)]
    piece = PIECE
    while (stop - start) > piece * PIECE:
        piece *= PIECE
    ranges = [(at, min(at + piece, stop)) for at in range(start, stop, piece)]
    return [item._replace(name=f"[{first}…{end - 1}]", start=first, stop=end) for first, end in ranges]


def _child(item: Item, child: Variable) -> Item:
    assert item.variable is not None
    outer, name = item.expression, child.name
    kind = item.variable.value.type.plain.kind
    if not outer or name.startswith("<"):            # a base class or an anonymous member: names go through it
        expression = outer
    elif child.kind == "target":
        expression = f"(*{outer})" if kind == "pointer" else outer
    else:
        expression = f"{outer}{'->' if kind == 'pointer' else '.'}{name}"
    return Item(name, child, expression)


def local_items(d: Debugger, thread: int | None, frame: int) -> list[Item]:
    """Return the variables of a frame, then a node with the globals of its file."""
    found, times = [], dict[str, int]()
    where = chosen(d, thread, frame)
    for variable in d.locals(where, thread):
        times[variable.name] = count = times.get(variable.name, 0) + 1
        hidden = count > 1                           # by one of an inner block
        found.append(Item(f"{variable.name}~{count - 1}" if hidden else variable.name, variable, "" if hidden else variable.name))
    globals_ = tuple(Item(v.name, v, v.name) for v in d.source.scope(where, thread).globals())
    if globals_:
        found.append(Item(GLOBALS, None, children=globals_))
    return found


def watch_items(d: Debugger, expressions: tuple[str, ...], thread: int | None, frame: int) -> list[Item]:
    """Return watched expressions; what cannot be evaluated says why."""
    found = []
    where = chosen(d, thread, frame)
    for text in expressions:
        try:
            found.append(Item(text, Variable(text, d.evaluate(text, where, thread), "watch"), _bracketed(text)))
        except XemuError as error:
            found.append(Item(text, None, failed=str(error)))
    return found


def _bracketed(text: str) -> str:
    return text if text.replace("_", "a").replace("$", "a").isalnum() else f"({text})"


def find(items: list[Item], path: Path) -> Item:
    """Return the node of a path; UsageError."""
    item: Item | None = None
    for name in path:
        item = next((i for i in (items if item is None else parts(item)) if i.name == name), None)
        if item is None:
            raise UsageError(f"there is no {'.'.join(path)} here")
    assert item is not None
    return item


# -- rows ----------------------------------------------------------------------------------------------------------------
def rows(items: list[Item], opened: frozenset[Path], forms: Mapping[Path, str], before: Path = ()) -> Iterator[Row]:
    """Yield the rows of nodes and of what is opened below them."""
    for item in items:
        path = (*before, item.name)
        row = _row(item, path, path in opened, forms.get(path, forms.get(path[:-1], "")))
        yield row
        if row.open:
            yield from rows(parts(item), opened, forms, path)


def _row(item: Item, path: Path, opened: bool, form: str) -> Row:
    if item.failed:
        return Row(path, item.name, "", item.failed, form=form, failed=True)
    if item.variable is None:
        return Row(path, item.name, "", "", opens=True, open=opened, kind="group")
    if item.stop:
        return Row(path, item.name, "", "", opens=True, open=opened, kind="piece", form=form)
    variable = item.variable
    value = variable.value
    opens = variable.has_children and not _null(value)
    return Row(path, item.name.partition("~")[0], variable.type_name, _text(value, form), item.expression, opens, opens and opened,
               value.type.is_scalar and variable.writable, variable.address, variable.size, variable.register or "", variable.kind, form)


def _null(value: Value) -> bool:
    try:
        return value.type.plain.kind == "pointer" and value.indirect is None and not value.number()
    except (XemuError, *DAMAGE):
        return True


def _text(value: Value, form: str) -> str:
    try:
        text = value.text(form)
    except XemuError:
        text = value.text()                          # the format does not fit
    return text if len(text) <= TEXT else text[:TEXT] + "…"


def _limited(found: Iterator[Row]) -> tuple[tuple[Row, ...], str]:
    out: list[Row] = []
    for row in found:
        if len(out) == MOST:
            return tuple(out), f"only {MOST} lines are shown"
        out.append(row)
    return tuple(out), ""


@query()
def variables(d: Debugger, *, opened: frozenset[Path] = frozenset(), forms: Mapping[Path, str] | None = None,
              thread: int | None = None, frame: int = 0) -> Tree:
    """Return the parameters and local variables of a frame."""
    where = chosen(d, thread, frame) or d.source.frame(thread)
    items = local_items(d, thread, frame)
    found, note = _limited(rows(items, opened, forms or {}))
    module = where.module
    if not items:
        note = "no debug information here" if module is None or where.place is None else "no variables here"
    return Tree((thread, where.function, where.cfa, where.level if where.inline else 0), where.function, frame, found, note)


@query()
def watches(d: Debugger, *, expressions: tuple[str, ...] = (), opened: frozenset[Path] = frozenset(),
            forms: Mapping[Path, str] | None = None, thread: int | None = None, frame: int = 0) -> Tree:
    """Return watched expressions."""
    found, note = _limited(rows(watch_items(d, expressions, thread, frame), opened, forms or {}))
    return Tree(("watch", thread, frame), "", frame, found, note)
