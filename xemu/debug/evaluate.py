"""Evaluates C expressions in a frame: `evaluate("list->next->value + 1", scope)` gives a `Value`.

Arithmetic is C's: integer promotions and usual conversions (C11 6.3.1.1, 6.3.1.8), wrapping instead of undefined behaviour.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xemu.debug import program, syntax
from xemu.debug.dwarf_forms import DAMAGE
from xemu.debug.location import UnavailableError, read_register
from xemu.debug.places import suggestion
from xemu.debug.types import Type, basic
from xemu.debug.values import Value, Write
from xemu.errors import UsageError

if TYPE_CHECKING:
    from xemu.debug.architectures import Architecture
    from xemu.debug.syntax import Node
    from xemu.debug.variables import Scope

MAX_COUNT = 1 << 20        # elements of an array made with "@"
MAX_NESTING = 40
COMPARISONS = {"==", "!=", "<", ">", "<=", ">="}


def evaluate(expression: str | Node, scope: Scope) -> Value:
    """Return the value of an expression; UsageError says in one line why it has none."""
    try:
        tree = syntax.parse(expression, lambda name: is_type(scope, name)) if isinstance(expression, str) else expression
        return _Evaluator(scope).value(tree)
    except UnavailableError as error:
        raise UsageError(f"{_text(expression)}: {error}") from None
    except DAMAGE as error:
        raise UsageError(f"{_text(expression)}: the debug information is damaged: {error}") from None


def truth(expression: str | Node, scope: Scope) -> bool:
    """Return whether an expression is not zero: for conditions."""
    try:
        return bool(evaluate(expression, scope).number())
    except UnavailableError as error:
        raise UsageError(f"{_text(expression)}: {error}") from None


def assignment(expression: str | Node, scope: Scope) -> list[Write]:
    """Return what to write for an assignment ("x = 3", "s.n += 1", "$r0 = 0"); UsageError."""
    worker = _Evaluator(scope)
    try:
        tree = syntax.parse(expression, lambda name: is_type(scope, name)) if isinstance(expression, str) else expression
        if not isinstance(tree, syntax.Assign):
            raise UsageError(f"no assignment: {_text(expression)!r}")
        target = worker.value(tree.target)
        value = worker.value(tree.value)
        if tree.op:
            value = worker.binary(tree.op, target, value)
        return target.assign(worker.converted(worker.decayed(value), target.type) if target.type.is_scalar else value)
    except UnavailableError as error:
        raise UsageError(f"{_text(expression)}: {error}") from None
    except DAMAGE as error:
        raise UsageError(f"{_text(expression)}: the debug information is damaged: {error}") from None


def is_type(scope: Scope, name: str) -> bool:
    """Whether a name is that of a type, and no variable hides it."""
    if any(variable == name for block in scope.blocks() for variable in _names_in(scope, block)):
        return False
    return scope.find_type(name) is not None


def _names_in(scope: Scope, block: object) -> list[str]:
    from xemu.debug.dwarf_names import AT
    from xemu.debug.dwarf_unit import Die

    assert isinstance(block, Die)
    return [named.name for die in scope._dies(block) if (named := die.inherited(AT.name))]  # noqa: SLF001 - one package


def _text(expression: str | Node) -> str:
    return expression if isinstance(expression, str) else "the expression"


def find_member(scope: Scope, value: Value, name: str, depth: int = 0) -> Value | None:
    """Return a member of a structure: its own, of anonymous members, of base classes, or a static one."""
    if not value.type.is_aggregate or depth > MAX_NESTING:
        return None
    fields = value.type.plain.fields
    for item in fields:
        if item.name == name and not item.base:
            return scope.find_global(f"{value.type.plain.name}::{name}") if item.static is not None else value.member(item)
    for item in fields:
        if item.static is None and (item.base or not item.name):
            found = find_member(scope, value.member(item), name, depth + 1)
            if found is not None:
                return found
    return None


def _member_names(kind: Type, depth: int = 0) -> list[str]:
    found = []
    for item in kind.plain.fields if kind.is_aggregate and depth < MAX_NESTING else ():
        found += _member_names(item.type, depth + 1) if item.base or not item.name else [item.name]
    return found


class _Evaluator:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.access = scope.access
        self.arch: Architecture = scope.architecture
        self.int = self.basic("int")
        self.depth = 0

    def basic(self, words: str) -> Type:
        found = basic(words.split(), self.arch)
        assert found is not None
        return found

    def number(self, kind: Type, value: float) -> Value:
        return Value.number_of(self.access, kind, value)

    def value(self, node: Node) -> Value:
        """Return the value of a node."""
        match node:
            case syntax.Number(): return self._literal(node)
            case syntax.Float(value, suffix): return self.number(self.basic("float" if suffix == "f" else "double"), value)
            case syntax.Char(value): return self.number(self.basic("char"), value)
            case syntax.String(data):
                return Value.of(self.access, self.scope.array(self.basic("char"), len(data) + 1), data + b"\0")
            case syntax.Name(name): return self._name(name)
            case syntax.Scoped(place, name):
                found = self.scope.find_scoped(place, name)
                if found is None:
                    raise UsageError(f"no variable {name!r} in {place}")
                return found
            case syntax.Register(name): return self._register(name)
            case syntax.Unary(op, operand): return self._unary(op, operand)
            case syntax.Binary(op, left, right): return self._binary(op, left, right)
            case syntax.Conditional(condition, yes, no): return self.value(yes if self._true(condition) else no)
            case syntax.Cast(kind, operand): return self._cast(self.type(kind), self.value(operand))
            case syntax.SizeOf(operand):
                size = self.type(operand).plain.size if isinstance(operand, syntax.TypeName) else self.value(operand).type.plain.size
                return self.number(self.basic("unsigned long"), size)
            case syntax.Member(operand, name, arrow): return self._member(operand, name, arrow)
            case syntax.Index(operand, index): return self._index(self.value(operand), self.value(index))
            case syntax.Assign(): raise UsageError("an assignment where a value should be; to compare, write ==")
            case syntax.TypeName(): raise UsageError(f"a type where a value should be: {node.base!r}")
        raise UsageError(f"{type(node).__name__} is not supported")

    # -- leaves --------------------------------------------------------------------------------------------------------------
    def _literal(self, node: syntax.Number) -> Value:
        """Give a number the first type that holds it (C11 6.4.4.1)."""
        unsigned = "u" in node.suffix
        for words in ("int", "long", "long long")[node.suffix.count("l") :]:
            for sign in ((True,) if unsigned else (False,) if node.decimal else (False, True)):
                kind = self.basic(("unsigned " if sign else "") + words)
                if node.value < 1 << (8 * kind.size - (not sign)):
                    return self.number(kind, node.value)
        kind = self.basic("unsigned long long")
        if node.value >= 1 << 64:
            raise UsageError(f"{node.value} is too large: numbers have 64 bits")
        return self.number(kind, node.value)

    def _name(self, name: str) -> Value:
        found = self.scope.find(name)
        if found is not None:
            return found
        if "::" in name:
            place, _, last = name.rpartition("::")
            found = self.scope.find_scoped(place, last)
            if found is not None:
                return found
        if name in ("true", "false"):
            return self.number(self.basic("bool"), name == "true")
        if self.scope.find_type(name) is not None:
            raise UsageError(f"{name!r} is a type; a value is needed")
        raise UsageError(f"no variable or symbol {name!r} here{suggestion(name, self.scope.names())}")

    def _register(self, name: str) -> Value:
        """Return a register of the frame; $pc and $sp whatever the architecture calls them, $fp too."""
        arch, registers = self.arch, self.access.registers
        aliases = {"pc": arch.pc, "sp": arch.sp, "fp": arch.frame, "lr": arch.link, **arch.aliases}
        actual = name if name in registers or name in arch.parts else aliases.get(name, name)
        known = set(arch.dwarf.values()) | set(registers) | set(arch.parts)
        if actual not in known:
            raise UsageError(f"no register ${name}{suggestion(name, sorted(known))}")
        size = arch.register_bytes(actual)
        if actual.startswith(("d", "s")) and actual[1:].isdigit() and size in (4, 8) and arch.thumb:
            kind = self.basic("float" if size == 4 else "double")
        elif actual == arch.pc:
            kind = self.scope.pointer(Type("function", "", 1, target=self.basic("void")))
        elif actual == arch.sp:
            kind = self.scope.pointer(self.basic("void"))
        elif size > 8:
            kind = self.scope.array(self.basic("unsigned char"), size)
        else:
            kind = Type("int", f"uint{8 * size}_t", size)
        read_register(arch, registers, actual)
        from xemu.debug.location import Piece

        return Value(self.access, kind, [Piece(register=actual)])

    def type(self, name: syntax.TypeName) -> Type:
        """Return the type that a name means."""
        found = self.scope.find_type(name.base)
        if found is None:
            raise UsageError(f"no type {name.base!r}{suggestion(name.base.split()[-1], program.type_names(self.scope))}")
        for step in name.derived:
            if isinstance(step, int):
                if found.plain.size * step > 1 << 32:
                    raise UsageError(f"an array of {step} elements is too large")
                found = self.scope.array(found, step)
            else:
                found = self.scope.pointer(found)
        return found

    # -- operators -------------------------------------------------------------------------------------------------------------
    def decayed(self, value: Value) -> Value:
        """Return a value as operators see it: references followed, arrays and functions as pointers."""
        plain = value.type.plain
        if plain.kind == "reference":
            return self.decayed(value.dereference())
        if plain.kind in ("array", "function"):
            address = value.address
            if address is None:
                raise UsageError("an array that is not in memory has no address")
            target = plain.target if plain.kind == "array" else plain
            return self.number(self.scope.pointer(target), address)
        return value

    def converted(self, value: Value, kind: Type) -> Value:
        """Return a scalar converted to a type."""
        return self.number(kind, value.number())

    def _true(self, node: Node) -> bool:
        value = self.decayed(self.value(node))
        if not value.type.is_scalar:
            raise UsageError(f"a value of type {value.type} is neither true nor false")
        return bool(value.number())

    def _unary(self, op: str, operand: Node) -> Value:
        if op == "&":
            return self._address_of(self.value(operand))
        if op == "!":
            return self.number(self.int, not self._true(operand))
        value = self.value(operand)
        if op == "*":
            if value.type.plain.kind == "reference":
                value = value.dereference()
            if value.type.is_integer:                  # GDB reads an int there; so do people who type *0x20000000
                return Value.at(self.access, self.int, value.integer())
            if value.type.plain.kind == "pointer" and value.type.plain.target.plain.kind == "void":
                raise UsageError("a void * points to nothing that has a size; cast it")
            return value.dereference()
        value = self.decayed(value)
        kind = self._promoted(value.type)
        if op == "~":
            if not value.type.is_integer:
                raise UsageError(f"~ needs an integer, not {value.type}")
            return self.number(kind, ~value.integer())
        if not (value.type.is_integer or value.type.plain.kind == "float"):
            raise UsageError(f"{op} needs a number, not {value.type}")
        return self.number(kind, -value.number() if op == "-" else value.number())

    def _address_of(self, value: Value) -> Value:
        if value.type.plain.kind == "reference":
            value = value.dereference()
        address = value.address
        if address is None:
            where = f"it is in {value.register}" if value.register else value.missing or "it is not in memory"
            raise UsageError(f"it has no address: {where}")
        return self.number(self.scope.pointer(value.type), address)

    def _promoted(self, kind: Type) -> Type:
        """Return the type after the integer promotions."""
        plain = kind.plain
        if plain.kind == "enum":
            return self.int if plain.signed or plain.size < 4 else self.basic("unsigned") if plain.size == 4 else plain
        if plain.kind in ("bool", "char") or (plain.kind == "int" and plain.size < 4):
            return self.int
        return plain

    def _common(self, left: Type, right: Type) -> Type:
        """Return the type in which two numbers are computed."""
        a, b = left.plain, right.plain
        if "float" in (a.kind, b.kind):
            floats = [kind for kind in (a, b) if kind.kind == "float"]
            return max(floats, key=lambda kind: kind.size)
        a, b = self._promoted(left), self._promoted(right)
        if a.size != b.size:
            return a if a.size > b.size else b
        return a if not a.signed else b

    def _binary(self, op: str, left: Node, right: Node) -> Value:
        if op == "&&":
            return self.number(self.int, self._true(left) and self._true(right))
        if op == "||":
            return self.number(self.int, self._true(left) or self._true(right))
        if op == ",":
            self.value(left)
            return self.value(right)
        if op == "@":
            return self._repeat(self.value(left), self.value(right))
        return self.binary(op, self.value(left), self.value(right))

    def _repeat(self, first: Value, count: Value) -> Value:
        number, address = self.decayed(count).integer(), first.address
        if not 1 <= number <= MAX_COUNT:
            raise UsageError(f"an array of {number} elements")
        if address is None:
            raise UsageError("only what is in memory can be repeated with @")
        return Value.at(self.access, self.scope.array(first.type, number), address)

    def binary(self, op: str, left: Value, right: Value) -> Value:
        """Apply an operator that evaluates both sides."""
        left, right = self.decayed(left), self.decayed(right)
        for value in (left, right):
            if not value.type.is_scalar:
                raise UsageError(f"{op} needs numbers, not {value.type}")
        pointers = [value.type.plain.kind == "pointer" for value in (left, right)]
        if any(pointers):
            return self._pointers(op, left, right, *pointers)
        if op in ("<<", ">>"):
            return self._shift(op, left, right)
        kind = self._common(left.type, right.type)
        a, b = self.converted(left, kind).number(), self.converted(right, kind).number()
        if op in COMPARISONS:
            return self.number(self.int, _compare(op, a, b))
        if kind.kind == "float":
            return self._floats(op, float(a), float(b), kind)
        return self.number(kind, _integers(op, int(a), int(b)))

    def _floats(self, op: str, a: float, b: float, kind: Type) -> Value:
        match op:
            case "+": result = a + b
            case "-": result = a - b
            case "*": result = a * b
            case "/": result = a / b if b else math.nan if not a or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)
            case _: raise UsageError(f"{op} needs integers, not {kind}")
        return self.number(kind, result)

    def _shift(self, op: str, left: Value, right: Value) -> Value:
        kind = self._promoted(left.type)
        if not left.type.is_integer or not right.type.is_integer:
            raise UsageError(f"{op} needs integers")
        count = right.integer()
        if not 0 <= count < 8 * kind.size:
            raise UsageError(f"a shift of {kind} by {count} bits")
        value = int(self.converted(left, kind).number())
        return self.number(kind, value << count if op == "<<" else value >> count)

    def _pointers(self, op: str, left: Value, right: Value, first: bool, second: bool) -> Value:
        """Compute with pointers: differences, sums with integers, comparisons."""
        a, b = left.integer(), right.integer()
        mask = self.arch.mask
        if op in COMPARISONS:
            return self.number(self.int, _compare(op, a & mask, b & mask))
        if op == "-" and first and second:
            size = max(1, left.type.plain.target.plain.size)
            difference = (a - b & mask ^ 1 << (self.arch.bits - 1)) - (1 << (self.arch.bits - 1))
            return self.number(self.basic("long"), difference // size)
        if op not in ("+", "-") or (first and second) or (op == "-" and second):
            raise UsageError(f"{op} does not go with pointers")
        pointer, number = (left, b) if first else (right, a)
        size = max(1, pointer.type.plain.target.plain.size)
        address = pointer.integer() + (number if op == "+" else -number) * size
        return self.number(pointer.type, address & mask)

    # -- casts and parts -------------------------------------------------------------------------------------------------------
    def _cast(self, kind: Type, value: Value) -> Value:
        plain = kind.plain
        if value.type.plain.kind == "reference":
            value = value.dereference()
        if plain.kind == "void":
            return Value.of(self.access, kind, b"\0")
        if kind.is_aggregate or plain.kind == "array":
            if value.address is not None and not value.type.is_scalar:
                return Value.at(self.access, kind, value.address)
            raise UsageError(f"{value.type} cannot be cast to {kind}; cast its address to a pointer")
        value = self.decayed(value)
        number = value.number()
        if plain.kind == "pointer":
            if isinstance(number, float):
                raise UsageError(f"{value.type} cannot be cast to {kind}")
            return self.number(kind, number & self.arch.mask)
        return self.number(kind, number)

    def _member(self, operand: Node, name: str, arrow: bool) -> Value:
        value = self.value(operand)
        if value.type.plain.kind in ("reference", "pointer") or (arrow and value.type.plain.kind == "array"):
            value = value.dereference()                # GDB lets "." do for "->" as well
            if value.type.plain.kind in ("reference", "pointer") and not value.type.is_aggregate:
                raise UsageError(f"a value of type {value.type} has no members")
        if not value.type.is_aggregate:
            raise UsageError(f"a value of type {value.type} has no members")
        last = name.rsplit("::", 1)[-1]
        found = find_member(self.scope, value, last)
        if found is None:
            known = _member_names(value.type)
            if not known:
                raise UsageError(f"what {value.type} consists of is not known")
            raise UsageError(f"{value.type} has no member {name!r}{suggestion(last, known)}")
        return found

    def _index(self, value: Value, index: Value) -> Value:
        if value.type.plain.kind == "reference":
            value = value.dereference()
        number = self.decayed(index).integer() if index.type.plain.kind != "pointer" else None
        if value.type.plain.kind == "array" and number is not None:
            return value.element(number)
        total = self.binary("+", value, index)
        if total.type.plain.kind != "pointer":
            raise UsageError(f"a value of type {value.type} has no elements")
        return total.dereference()


def _compare(op: str, a: float, b: float) -> bool:
    match op:
        case "==": return a == b
        case "!=": return a != b
        case "<": return a < b
        case ">": return a > b
        case "<=": return a <= b
    return a >= b


def _integers(op: str, a: int, b: int) -> int:
    """Compute; division rounds towards zero (C11 6.5.5)."""
    match op:
        case "+": return a + b
        case "-": return a - b
        case "*": return a * b
        case "&": return a & b
        case "|": return a | b
        case "^": return a ^ b
    if not b:
        raise UsageError("division by zero")
    quotient = abs(a) // abs(b) if (a < 0) == (b < 0) else -(abs(a) // abs(b))
    return quotient if op == "/" else a - quotient * b
