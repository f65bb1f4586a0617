"""Instruction rows: a bit diagram, an assembly template and a function in `Bits`; patterns, fields and their checks.

A diagram lists tokens from the top bit down: a field name (declared on the ISA, or `name:width` here), literal bits
(`0110`), don't-care bits (`--`), a decimal opcode (`21:6`) or a should-be bit (`(0)`, decoded as don't-care). A row is
expanded into *variants*: one for each combination of its split fields, and of "is it 15?" for register fields declared
with `pc=True`. Each variant has one handler.
"""

from __future__ import annotations

import inspect
import itertools
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from xemu.core.bits import Bits, cat, const, make, new_graph
from xemu.core.record import Environment, Recorder, RegNo, set_current
from xemu.errors import IsaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PC_NUMBER = 15


@dataclass(frozen=True)
class Field:
    """Bits of the instruction that a row sees as a value. Joined from other fields where `of` names them, top first."""

    width: int = 0
    of: str = ""


@dataclass(frozen=True)
class Split:
    """Bits that change the shape of the work: a Python int in every stage, one handler for each value."""

    width: int
    of: str = ""


@dataclass(frozen=True)
class Reg:
    """A register number. `pc`: being `number` makes it another variant. `prefix`: 15 reads as the program counter."""

    width: int = 4
    of: str = ""
    pc: bool = False
    prefix: bool = True
    number: int = PC_NUMBER


AnyField = Field | Split | Reg


def apart(field: AnyField) -> int:
    """Return the number of a register field that is another variant."""
    return field.number if isinstance(field, Reg) else PC_NUMBER


def _other(field: AnyField) -> str:
    """Return how a variant's name says that its register is not that number."""
    return "lt15" if apart(field) == PC_NUMBER else f"not{apart(field)}"


TOKEN = re.compile(
    r"(?P<bits>[01]+)$|(?P<any>-+)$|\((?P<should>[01])\)$|(?P<opcode>\d+):(?P<opwidth>\d+)$|"
    r"(?P<name>[A-Za-z]\w*)(:(?P<width>\d+))?$")


@dataclass(frozen=True)
class Place:
    """Where a raw field stands in the word."""

    shift: int
    width: int


@dataclass(eq=False)
class Variant:
    """A row with its split fields fixed: the unit of decoding and of handlers."""

    row: Row
    mask: int
    value: int
    splits: dict[str, int]
    never: frozenset[str]                     # register fields that are not 15 (Reg.number) here
    excludes: tuple[tuple[int, int], ...]     # (mask, value) of encodings that are not this row
    index: int = 0

    @cached_property
    def name(self) -> str:
        """Return the id: ISA, row, splits."""
        registers = (f"{n}{_other(self.row.field(n))}" for n in sorted(self.never))
        return ".".join([self.row.name, *(f"{k}{v}" for k, v in self.splits.items()), *registers])

    def matches(self, word: int) -> bool:
        """Return whether `word` is an encoding of this variant."""
        return word & self.mask == self.value and not any(word & m == v for m, v in self.excludes)


@dataclass(eq=False)
class Row:
    """One encoding of one instruction."""

    isa: FixedWidthIsa
    name: str
    function: Callable[..., None]
    pattern: str
    template: str
    places: dict[str, Place]
    mask: int
    value: int
    excludes: tuple[tuple[int, int], ...]
    bound: dict[str, Any]
    features: str
    source: str                               # file:line, for messages
    parameters: tuple[str, ...] = ()
    unpredicated: bool = False

    @property
    def written(self) -> Callable[..., None]:
        """Return the function as it stands in the source."""
        function: Callable[..., None] = inspect.unwrap(self.function)
        return function

    def field(self, name: str) -> AnyField:
        """Return the declaration of a field of this row."""
        declared = self.isa.fields.get(name)
        if declared is not None:
            return declared
        if name in self.places:
            return Field(self.places[name].width)
        msg = f"{self.source}: {self.name}: no field {name!r} in {self.isa.name}{_near(name, [*self.isa.fields, *self.places])}"
        raise IsaError(msg)

    def raw_places(self, name: str) -> list[tuple[str, Place]]:
        """Return the places of a field or of the fields it joins, top first."""
        of = self.field(name).of
        names = of.split() if of else [name]
        out = []
        for n in names:
            place = self.places.get(n) or self.isa.extra_places.get(n)
            if place is None:
                msg = f"{self.source}: {self.name}: {name} needs field {n!r}, which the diagram does not have"
                raise IsaError(msg)
            out.append((n, place))
        return out

    # -- variants ------------------------------------------------------------------------------------------------
    def variants(self) -> Iterable[Variant]:
        """Yield the row for each combination of its split fields and pc registers."""
        axes: list[list[tuple[str, int | None, int, int]]] = []      # name, split value (None: register), mask, value
        for name in self.parameters:
            spec = self.field(name)
            if isinstance(spec, Split):
                axes.append(self._split_axis(name))
            elif isinstance(spec, Reg) and spec.pc:
                (_, place), = self.raw_places(name)
                full = ((1 << place.width) - 1) << place.shift
                if self.mask & full == 0 and not any(m == full for m, _ in self.excludes):
                    axes.append([(name, None, 0, 0), (name, None, full, spec.number << place.shift)])
        for combo in itertools.product(*axes):
            mask, value, splits, excludes, never = self.mask, self.value, {}, self.excludes, set()
            for name, number, m, v in combo:
                if number is not None:
                    splits[name] = number
                elif m == 0:
                    (_, place), = self.raw_places(name)
                    excludes += ((((1 << place.width) - 1) << place.shift, apart(self.field(name)) << place.shift),)
                    never.add(name)
                mask, value = mask | m, value | v
            never |= self._never_pc()
            if any(value & m == v and mask & m == m for m, v in excludes):
                continue
            yield Variant(self, mask, value, splits, frozenset(never), tuple((m, v) for m, v in excludes if (value ^ v) & mask & m == 0))

    def _split_axis(self, name: str) -> list[tuple[str, int | None, int, int]]:
        parts = self.raw_places(name)
        total = sum(p.width for _, p in parts)
        axis: list[tuple[str, int | None, int, int]] = []
        for number in range(1 << total):
            m = v = 0
            left = total
            for _, p in parts:
                left -= p.width
                piece = number >> left & ((1 << p.width) - 1)
                m |= ((1 << p.width) - 1) << p.shift
                v |= piece << p.shift
            if (self.mask & m) & (self.value ^ v) == 0:
                axis.append((name, number, m, v))
        return axis

    def _never_pc(self) -> set[str]:
        out = set()
        for name in self.parameters:
            spec = self.field(name)
            if isinstance(spec, Reg) and len(parts := self.raw_places(name)) == 1:
                place = parts[0][1]
                full = ((1 << place.width) - 1) << place.shift
                if (full, spec.number << place.shift) in self.excludes:
                    out.add(name)
        return out


@dataclass(eq=False)
class FixedWidthIsa:
    """A set of rows of one width. `predicate` names the condition field that wraps every row that has it."""

    name: str
    bits: int
    fields: dict[str, AnyField]
    predicate: str = ""
    extra: str = ""                            # decode-time bits above the instruction: "InIT:1"
    cpu: type[Recorder] = Recorder
    rows: list[Row] = field(default_factory=list)
    _names: dict[str, int] = field(default_factory=dict)     # how many rows a function has

    @cached_property
    def extra_places(self) -> dict[str, Place]:
        """Return where the decode-time bits stand (above the instruction, in the order given)."""
        out, at = {}, self.bits
        for token in self.extra.split():
            name, width = token.split(":")
            out[name] = Place(at, int(width))
            at += int(width)
        return out

    def length(self, word: int) -> int:  # noqa: ARG002  of other instruction sets it depends on the word
        """Return the length of an instruction in bytes."""
        return self.bits // 8

    def handler_length(self) -> Bits | int:
        """Return the length for a handler; where it is no constant, as a field of the word."""
        return self.bits // 8

    def __call__(self, pattern: str, template: str, *, where: str = "", features: str = "", unpredicated: bool = False,
                 **bound: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Register a row for the decorated function. `bound` arguments are passed to it as they are."""
        frame = inspect.currentframe()
        caller = frame.f_back if frame else None
        source = f"{caller.f_code.co_filename.rsplit('/', 1)[-1]}:{caller.f_lineno}" if caller else "?"

        def register(function: Callable[..., None]) -> Callable[..., None]:
            self.add(function, pattern, template, where=where, features=features, bound=bound, source=source,
                     unpredicated=unpredicated)
            return function
        return register

    def add(self, function: Callable[..., None], pattern: str, template: str, *, where: str = "", features: str = "",
            bound: dict[str, Any] | None = None, source: str = "?", name: str = "", unpredicated: bool = False) -> Row:
        """Register a row (see the module for diagrams). `where`: "Rd != 15, S == 1"."""
        places, mask, value = self._parse(pattern, source)
        base = f"{self.name}.{name or getattr(function, '__name__', 'row')}"
        same = self._names[base] = self._names.get(base, 0) + 1
        row = Row(self, base if same == 1 else f"{base}#{same}", function, pattern, template, places, mask, value, (),
                  bound or {}, features, source, unpredicated=unpredicated)
        self._apply_where(row, where)
        if self.predicate in places:                       # the all-ones condition is another table (ARM ARM A5.1)
            condition = places[self.predicate]
            full = ((1 << condition.width) - 1) << condition.shift
            row.excludes += ((full, full),)
        names, optional = _parameters(function)
        row.parameters = tuple(n for n in names if n not in row.bound and (n in places or n in self.fields))
        for n in names:
            if n not in row.bound and n not in row.parameters and n not in optional:
                row.field(n)        # raises with the near miss
        self.rows.append(row)
        return row

    def _parse(self, pattern: str, source: str) -> tuple[dict[str, Place], int, int]:
        """Read a diagram: the places of its fields, and mask and value of its fixed bits."""
        at, places, mask, value = self.bits, {}, 0, 0
        for token in pattern.split():
            m = TOKEN.match(token)
            if m is None:
                msg = f"{source}: {token!r} is no field, bits, dashes, (0) or value:width"
                raise IsaError(msg)
            if m["bits"]:
                width, fixed = len(m["bits"]), int(m["bits"], 2)
            elif m["opcode"]:
                width, fixed = int(m["opwidth"]), int(m["opcode"])
            else:
                width = 1 if m["should"] else len(m["any"]) if m["any"] else self._token_width(m["name"], m["width"], source)
                fixed = None
            at -= width
            if at < 0:
                break
            if fixed is not None:
                mask |= ((1 << width) - 1) << at
                value |= fixed << at
            elif m["name"]:
                if m["name"] in places:
                    msg = f"{source}: field {m['name']!r} stands twice in the diagram"
                    raise IsaError(msg)
                places[m["name"]] = Place(at, width)
        if at != 0:
            used = self.bits - at
            msg = f"{source}: the diagram has {used if at > 0 else f'more than {self.bits}'} bits, {self.name} has {self.bits}: {pattern}"
            raise IsaError(msg)
        return places, mask, value

    def _token_width(self, name: str, width: str | None, source: str) -> int:
        if width:
            return int(width)
        spec = self.fields.get(name)
        if spec is None or spec.of:
            msg = f"{source}: no field {name!r} in {self.name}{_near(name, list(self.fields))}"
            raise IsaError(msg)
        return spec.width

    def _apply_where(self, row: Row, where: str) -> None:
        for clause in filter(None, (c.strip() for c in where.split(","))):
            m = re.match(r"(\w+) *(==|!=) *(\w+)$", clause)
            if m is None:
                msg = f"{row.source}: where clause {clause!r} is not `field == number` or `field != number`"
                raise IsaError(msg)
            number, mask, value = int(m[3], 0), 0, 0
            parts = row.raw_places(m[1])
            left = sum(p.width for _, p in parts)
            for _, p in parts:
                left -= p.width
                mask |= ((1 << p.width) - 1) << p.shift
                value |= (number >> left & ((1 << p.width) - 1)) << p.shift
            if m[2] == "==":
                row.mask, row.value = row.mask | mask, row.value | value
            else:
                row.excludes += ((mask, value),)

    @cached_property
    def variants(self) -> list[Variant]:
        """Return all variants, numbered by name: whoever imports rows in whatever order agrees. Rows must not be added after."""
        out = [v for row in sorted(self.rows, key=lambda r: r.name) for v in row.variants()]
        for i, v in enumerate(out):
            v.index = i
        return out


def _parameters(function: Callable[..., None]) -> tuple[list[str], set[str]]:
    """Return the names of a row function's parameters but the first, and those that have a default."""
    code = getattr(function, "__code__", None)
    if code is not None and not hasattr(function, "__wrapped__"):           # what inspect does, thirty times faster
        names = list(code.co_varnames[:code.co_argcount + code.co_kwonlyargcount])
        defaults = function.__defaults__ or ()
        optional = {*names[code.co_argcount - len(defaults):code.co_argcount], *(function.__kwdefaults__ or ())}
        return names[1:], optional
    signature = inspect.signature(function).parameters
    return list(signature)[1:], {n for n, p in signature.items() if p.default is not inspect.Parameter.empty}


def _near(name: str, names: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


# -- staging --------------------------------------------------------------------------------------------------------


def constant_arguments(variant: Variant, word: int) -> dict[str, Any]:
    """Return the row function's arguments for one encoding: constants, register numbers, ints for split fields."""
    row, out = variant.row, dict(variant.row.bound)
    for name in row.parameters:
        if name in variant.splits:
            out[name] = variant.splits[name]
            continue
        value = width = 0
        for _, p in row.raw_places(name):
            value = value << p.width | (word >> p.shift & ((1 << p.width) - 1))
            width += p.width
        spec = row.field(name)
        out[name] = value if isinstance(spec, Split) else RegNo(value) if isinstance(spec, Reg) else const(value, width)
    return out


def field_arguments(variant: Variant) -> dict[str, Any]:
    """Return the row function's arguments with run-time fields: `field` nodes, ints for split fields."""
    row, out = variant.row, dict(variant.row.bound)
    for name in row.parameters:
        if name in variant.splits:
            out[name] = variant.splits[name]
            continue
        node = cat(*[_field(p, variant) for _, p in row.raw_places(name)])
        spec = row.field(name)
        out[name] = node if not isinstance(spec, Reg) else RegNo(
            node.attr if node.op == "const" else node, frozenset({spec.number}) if name in variant.never else frozenset())
    return out


def _field(place: Place, variant: Variant) -> Bits:
    full = ((1 << place.width) - 1) << place.shift
    if variant.mask & full == full:
        return const(variant.value >> place.shift, place.width)
    return make("field", place.width, (), (place.shift, place.width))


def run_row(variant: Variant, cpu: Recorder, arguments: dict[str, Any]) -> Recorder:
    """Run the row's function against `cpu`; errors name the row and its source line."""
    set_current(cpu)
    try:
        variant.row.function(cpu, **arguments)
    except IsaError as e:
        if str(e).startswith(variant.row.source):
            raise
        msg = f"{_body_line(e) or variant.row.source}: {variant.row.name}: {e}"
        raise IsaError(msg) from e
    finally:
        set_current(None)
    return cpu


def _body_line(error: BaseException) -> str:
    """Return file:line of the target's code that caused an error."""
    found, tb = "", error.__traceback__
    while tb is not None:
        file = tb.tb_frame.f_code.co_filename
        if "/core/" not in file:
            found = f"{file.rsplit('/', 1)[-1]}:{tb.tb_lineno}"
        tb = tb.tb_next
    return found


def stage(variant: Variant, word: int, pc: int, context: Any, layout: Any, *, address_bits: int = 32,
          environment: Environment | None = None, fresh: bool = True) -> Recorder:
    """Stage one encoding with constant fields at address `pc`."""
    if fresh:
        new_graph()
    cpu = variant.row.isa.cpu(layout, const(pc, address_bits), variant.row.isa.length(word), context, environment)
    return run_row(variant, cpu, constant_arguments(variant, word))
