"""Conditions in C: as nodes of `expressions` where the place in the code is known, so that they can run as native code.

At one address, a variable is in one place: in memory at a register plus a constant, in a register, or it is a constant. Where all
variables are integers or pointers in such places, the condition becomes a tree. All others are evaluated as `evaluate` does, at each hit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from xemu.debug import syntax
from xemu.debug.dwarf_forms import DAMAGE, sleb
from xemu.debug.dwarf_lists import location_list
from xemu.debug.dwarf_names import AT
from xemu.debug.evaluate import COMPARISONS, _Evaluator, is_type, truth
from xemu.debug.expressions import MASK, Binary, Const, Extend, Load, Register, Select, Unary
from xemu.debug.location import UnavailableError
from xemu.debug.types import Type
from xemu.debug.unwind import Frame
from xemu.errors import UsageError

if TYPE_CHECKING:
    from xemu.debug.dwarf_unit import Die
    from xemu.debug.expressions import Expression, ReadMemory, ReadRegister
    from xemu.debug.source import Source
    from xemu.debug.symbols import Module
    from xemu.debug.variables import Scope

ADDR, DEREF, FBREG, CALL_FRAME_CFA = 0x03, 0x06, 0x91, 0x9C
REG0, BREG0 = 0x50, 0x70
SIGNED = {"/": "div_signed", "%": "rem_signed", "<": "less_signed"}
UNSIGNED = {"/": "div_unsigned", "%": "rem_unsigned", "<": "less_unsigned"}
PLAIN = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor"}
SIZES = (1, 2, 4, 8)


class NotLoweredError(Exception):
    """Only `evaluate` can do it."""


class Term(NamedTuple):
    """A part of a condition: its type, its value (64 bits, extended as the type says), its address if it is in memory."""

    type: Type
    value: Expression | None          # None: a structure or an array
    address: Expression | None = None


class SourceCondition:
    """A condition in C, for a breakpoint or watchpoint."""

    def __init__(self, source: Source, text: str) -> None:
        """UsageError where the text is no expression."""
        self.source, self.text = source, text
        self._lowered: dict[int, Expression] = {}
        syntax.parse(text, lambda _name: False) if "(" not in text else syntax.tokenize(text)

    def __str__(self) -> str:
        return self.text

    def at(self, address: int) -> Expression:
        """Return it as it is at an address: a tree, or what evaluates it."""
        known = self._lowered.get(address)
        if known is None:
            try:
                known = lowered(self.source, self.text, address)
            except UsageError:                          # a name that is not known there: each hit will say so
                known = None
            known = self._lowered[address] = known or ByHand(self.source, self.text)
        return known

    def evaluate(self, read_register: ReadRegister, read_memory: ReadMemory) -> int:
        """Return the value where the guest stands."""
        return self.at(read_register(self.source.architecture.pc) or 0).evaluate(read_register, read_memory)

    def native(self, _place: object) -> None:
        """Nothing is known without an address: see `at`."""
        return


class ByHand:
    """A condition that is evaluated in the newest frame at each hit."""

    def __init__(self, source: Source, text: str) -> None:
        self.source, self.text = source, text

    def evaluate(self, _read_register: ReadRegister, _read_memory: ReadMemory) -> int:
        """Return 1 or 0; UsageError."""
        return int(truth(self.text, self.source.scope()))

    def native(self, _place: object) -> None:
        """There is no native form."""
        return


def check(source: Source, text: str, addresses: tuple[int, ...]) -> None:
    """Raise UsageError where a condition makes no sense at any of the addresses."""
    for number, address in enumerate(addresses):
        try:
            lowered(source, text, address)
        except UsageError:
            if number == len(addresses) - 1:
                raise
        else:
            return


def lowered(source: Source, text: str, address: int) -> Expression | None:
    """Return a condition as a tree that holds at an address; None where only `evaluate` can do it. UsageError: nobody can."""
    from xemu.debug.variables import Scope

    module = source.latest.at(address)
    arch = source.architecture
    calls = module.calls_at(address) if module is not None else []
    frame = Frame(0, address, 0, None, "", 0, module, None, {}, "registers", lookup=address, inline=bool(calls),
                  call=calls[0] if calls else None)
    scope = Scope(source.latest, source.read_memory, frame, architecture=arch)
    try:
        tree = syntax.parse(text, lambda name: is_type(scope, name))
        return Lowering(scope, module, address).truth(tree)
    except (NotLoweredError, UnavailableError, *DAMAGE):
        return None


class Lowering:
    """Makes trees of expressions at one address."""

    def __init__(self, scope: Scope, module: Module | None, address: int) -> None:
        self.scope, self.module, self.address = scope, module, address
        self.arch = scope.architecture
        self.rules = _Evaluator(scope)                  # C's types: promotions, conversions
        self.word, self.big = self.arch.bits, not self.arch.little

    # -- trees -------------------------------------------------------------------------------------------------------------
    def truth(self, node: syntax.Node) -> Expression:
        """Return 1 or 0 for a condition."""
        return Unary("not", Unary("not", self.rvalue(self.term(node)).value))           # type: ignore[arg-type]

    def term(self, node: syntax.Node) -> Term:
        """Return a node's term."""
        match node:
            case syntax.Number() | syntax.Char() | syntax.SizeOf():
                value = self.rules.value(node)
                return Term(value.type, Const(value.integer() & MASK))
            case syntax.Name(name): return self._name(name)
            case syntax.Register(name): return self._register(name)
            case syntax.Unary(op, operand): return self._unary(op, operand)
            case syntax.Binary(op, left, right): return self._binary(op, left, right)
            case syntax.Conditional(condition, yes, no):
                one, other = self.rvalue(self.term(yes)), self.rvalue(self.term(no))
                if one.type.plain.kind == "pointer":
                    return Term(one.type, Select(self.truth(condition), self.of(one), self.of(other)))
                kind = self.rules._common(one.type, other.type)  # noqa: SLF001  C's rules are there
                return Term(kind, Select(self.truth(condition), self.converted(one, kind), self.converted(other, kind)))
            case syntax.Cast(kind, operand):
                wanted = self.rules.type(kind)
                return Term(wanted, self.converted(self.rvalue(self.term(operand)), wanted))
            case syntax.Member(operand, name, arrow): return self._member(operand, name, arrow=arrow)
            case syntax.Index(operand, index):
                return self._star(self._add(self.rvalue(self.term(operand)), self.rvalue(self.term(index)), 1))
        raise NotLoweredError

    @staticmethod
    def of(term: Term) -> Expression:
        """Return a term's value."""
        if term.value is None:
            raise NotLoweredError
        return term.value

    def rvalue(self, term: Term) -> Term:
        """Return a scalar; arrays become pointers."""
        plain = term.type.plain
        if plain.kind == "array" and term.address is not None:
            return Term(self.scope.pointer(plain.target), term.address)
        if plain.kind == "float" or term.value is None:
            raise NotLoweredError
        return term

    def _fits(self, value: Expression, kind: Type) -> Expression:
        """Return a value cut to a type."""
        plain = kind.plain
        if plain.kind == "bool":
            return Unary("not", Unary("not", value))
        if not (kind.is_integer or plain.kind == "pointer") or plain.size not in SIZES:
            raise NotLoweredError
        return value if plain.size == 8 else Extend(value, 8 * plain.size, plain.signed)

    def converted(self, term: Term, kind: Type) -> Expression:
        """Return a term's value in another type."""
        return self._fits(self.of(term), kind)

    def _in_memory(self, kind: Type, address: Expression) -> Term:
        """Return what is at an address."""
        plain = kind.plain
        cut = Extend(address, self.word, signed=False) if self.word < 64 else address
        if (kind.is_integer or plain.kind == "pointer") and plain.size in SIZES:
            return Term(kind, Load(plain.size, cut, plain.signed, big=self.big), cut)
        if plain.kind == "reference":
            return self._in_memory(plain.target, Load(plain.size, cut, big=self.big))
        return Term(kind, None, cut)

    # -- leaves ------------------------------------------------------------------------------------------------------------
    def _name(self, name: str) -> Term:
        for block in reversed(self.scope.blocks()):
            for die in self.scope._dies(block):  # noqa: SLF001  one package
                named = die.inherited(AT.name)
                if named is not None and named.name == name:
                    return self._variable(die)
        value = self.scope.find_global(name)
        if value is None:
            self.rules.value(syntax.Name(name))          # says what could have been meant
            raise NotLoweredError
        if value.address is not None:
            return self._in_memory(value.type, Const(value.address))
        if value.type.is_integer and len(value.pieces) == 1 and value.pieces[0].constant is not None:
            return Term(value.type, Const(value.integer() & MASK))
        raise NotLoweredError

    def _variable(self, die: Die) -> Term:
        """Return a variable of the frame."""
        module = self.module
        assert module is not None
        kind = self.scope.type_reader(module).of(die)
        holder = next((item for item in die.origins() if AT.location in item or AT.const_value in item), None)
        if holder is None:
            raise NotLoweredError
        if AT.const_value in holder:
            value = self.scope.value_of(die)
            return Term(kind, Const(value.integer() & MASK))
        block = self.scope._expression(holder, module)  # noqa: SLF001
        if not block:
            raise NotLoweredError
        register = self._only_register(block)
        if register is not None:
            return Term(kind, self._fits(Register(register), kind))
        return self._in_memory(kind, self._address(block))

    def _only_register(self, block: bytes) -> str | None:
        if len(block) == 1 and REG0 <= block[0] < REG0 + 32:
            return self.arch.dwarf.get(block[0] - REG0)
        return None

    def _address(self, block: bytes) -> Expression:
        """Return the address that a location of one operation gives."""
        module = self.module
        assert module is not None
        if block[0] == ADDR:
            return Const(self.arch.number(block[1:]) + module.bias & self.arch.mask)
        if block[0] == FBREG:
            offset, end = sleb(block, 1)
            if end == len(block):
                return self._sum(self._frame_base(), offset)
        if BREG0 <= block[0] < BREG0 + 32:
            offset, end = sleb(block, 1)
            name = self.arch.dwarf.get(block[0] - BREG0)
            if end == len(block) and name:
                return self._sum(Register(name), offset)
        raise NotLoweredError

    @staticmethod
    def _sum(base: Expression, offset: int) -> Expression:
        return Binary("add", base, Const(offset & MASK)) if offset else base

    def _frame_base(self) -> Expression:
        """Return DW_AT_frame_base of the function: a register, a register and an offset, or the frame's address from call frames."""
        module = self.module
        assert module is not None
        function = module.source_function(self.address)
        if function is None:
            raise NotLoweredError
        die = function.die
        block = die.block(AT.frame_base)
        if block is None and AT.frame_base in die:
            form, value = die.attributes[AT.frame_base]
            at = self.address - module.bias
            block = next((text for start, end, text in location_list(die.unit, form, value) if start <= at < end), None)
        if not block:
            raise NotLoweredError
        if block[0] == CALL_FRAME_CFA and len(block) == 1:
            return self._cfa(module)
        register = self._only_register(block)
        return Register(register) if register is not None else self._address(block)

    def _cfa(self, module: Module) -> Expression:
        at = self.address - module.bias
        for frames in module.call_frames:
            fde = frames.find(at)
            if fde is not None:
                row = frames.row_at(fde, at)
                name = self.arch.dwarf.get(row.cfa.value)
                if row.cfa.kind == "register" and name:
                    return self._sum(Register(name), row.cfa_offset)
        raise NotLoweredError

    def _register(self, name: str) -> Term:
        arch = self.arch
        name = {"pc": arch.pc, "sp": arch.sp, "fp": arch.frame, "lr": arch.link}.get(name, name)
        if name == arch.pc:
            return Term(self.rules.basic("unsigned"), Const(self.address))
        if name not in arch.dwarf.values() or name in arch.parts or arch.register_bytes(name) not in (4, 8) or name.startswith("d"):
            raise NotLoweredError
        size = arch.register_bytes(name)
        return Term(Type("int", f"uint{8 * size}_t", size), Register(name))

    # -- operators ---------------------------------------------------------------------------------------------------------
    def _unary(self, op: str, operand: syntax.Node) -> Term:
        if op == "!":
            return Term(self.rules.int, Unary("not", self.of(self.rvalue(self.term(operand)))))
        term = self.term(operand)
        if op == "&":
            if term.address is None:
                raise NotLoweredError
            return Term(self.scope.pointer(term.type), term.address)
        term = self.rvalue(term)
        if op == "*":
            return self._star(term if term.type.plain.kind == "pointer" else Term(self.scope.pointer(self.rules.int), term.value))
        kind = self.rules._promoted(term.type)  # noqa: SLF001
        value = self.converted(term, kind)
        made: Expression = value if op == "+" else Unary("invert", value) if op == "~" else Binary("sub", Const(0), value)
        return Term(kind, self._fits(made, kind))

    def _star(self, term: Term) -> Term:
        if term.type.plain.kind != "pointer" or term.type.plain.target.plain.kind in ("void", "function"):
            raise NotLoweredError
        return self._in_memory(term.type.plain.target, self.of(term))

    def _binary(self, op: str, left: syntax.Node, right: syntax.Node) -> Term:
        if op in ("&&", "||"):
            first, second = self.truth(left), self.truth(right)
            return Term(self.rules.int, Select(first, second, Const(0)) if op == "&&" else Select(first, Const(1), second))
        if op in (",", "@"):
            raise NotLoweredError
        one, other = self.rvalue(self.term(left)), self.rvalue(self.term(right))
        pointers = [term.type.plain.kind == "pointer" for term in (one, other)]
        if any(pointers) and op in COMPARISONS:
            return self._compared(op, self._cut(one), self._cut(other), signed=False)
        if any(pointers):
            if op not in ("+", "-") or all(pointers) or (op == "-" and pointers[1]):
                raise NotLoweredError
            return self._add(one, other, -1 if op == "-" else 1)
        if op in ("<<", ">>"):
            kind = self.rules._promoted(one.type)  # noqa: SLF001
            name = "lsh" if op == "<<" else "rsh_signed" if kind.plain.signed else "rsh_unsigned"
            return Term(kind, self._fits(Binary(name, self.converted(one, kind), self.of(other)), kind))
        kind = self.rules._common(one.type, other.type)  # noqa: SLF001
        a, b = self.converted(one, kind), self.converted(other, kind)
        if op in COMPARISONS:
            return self._compared(op, a, b, signed=kind.plain.signed)
        name = (SIGNED if kind.plain.signed else UNSIGNED).get(op) or PLAIN[op]
        return Term(kind, self._fits(Binary(name, a, b), kind))

    def _cut(self, term: Term) -> Expression:
        return Extend(self.of(term), self.word, signed=False) if self.word < 64 else self.of(term)

    def _compared(self, op: str, a: Expression, b: Expression, *, signed: bool) -> Term:
        less = SIGNED["<"] if signed else UNSIGNED["<"]
        if op in (">", "<="):
            a, b = b, a
        value: Expression = Binary("equal" if op in ("==", "!=") else less, a, b)
        if op in ("!=", "<=", ">="):
            value = Unary("not", value)
        return Term(self.rules.int, value)

    def _add(self, one: Term, other: Term, sign: int) -> Term:
        """Add a number to a pointer."""
        pointer, number = (one, other) if one.type.plain.kind == "pointer" else (other, one)
        if pointer.type.plain.kind != "pointer":
            raise NotLoweredError
        size = max(1, pointer.type.plain.target.plain.size)
        moved = Binary("mul", self.of(number), Const(size * sign & MASK))
        return Term(pointer.type, self._fits(Binary("add", self.of(pointer), moved), pointer.type))

    def _member(self, operand: syntax.Node, name: str, *, arrow: bool) -> Term:
        term = self.term(operand)
        if arrow or term.type.plain.kind == "pointer":
            term = self._star(self.rvalue(term))
        item = next((f for f in term.type.plain.fields if f.name == name and not f.base and f.static is None), None) \
            if term.type.is_aggregate else None
        if item is None or term.address is None:        # members of bases and of anonymous parts, static ones
            raise NotLoweredError
        if not item.bits:
            return self._in_memory(item.type, self._sum(term.address, item.offset))
        first, shift = item.bit // 8, item.bit % 8
        size = next((size for size in SIZES if 8 * size >= shift + item.bits), None)
        if size is None or not item.type.is_integer:
            raise NotLoweredError
        whole = Load(size, self._sum(term.address, first), big=self.big)
        shift = 8 * size - shift - item.bits if self.big else shift
        return Term(item.type, Extend(Binary("rsh_unsigned", whole, Const(shift)), item.bits, item.type.plain.signed))


__all__ = ["SourceCondition", "check", "lowered"]
