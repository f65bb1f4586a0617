"""Variables of a frame and of the program: found by name, valued, as a tree (DWARF 5, sections 2.6, 3.3, 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xemu.debug import program
from xemu.debug.dwarf_forms import DAMAGE
from xemu.debug.dwarf_lists import location_list
from xemu.debug.dwarf_names import AT, FORM, TAG
from xemu.debug.location import Context, Piece, UnavailableError, compute, evaluate
from xemu.debug.types import Type, array_of, pointer_to
from xemu.debug.values import Access, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xemu.debug.architectures import Architecture
    from xemu.debug.dwarf_unit import Die
    from xemu.debug.symbols import Module, Modules, ReadMemory
    from xemu.debug.unwind import Frame

MAX_CHILDREN = 10_000
MAX_NESTING = 200
CALL_SITES, SITE_PARAMETERS = {0x48, 0x4109}, {0x49, 0x410A}
VARIABLES = {TAG.variable, TAG.formal_parameter}


@dataclass(frozen=True, slots=True)
class Variable:
    """A named value; `children` are read when they are asked for."""

    name: str
    value: Value
    kind: str = "local"        # "parameter" "local" "static" "global" "member" "element" "target" "register"
    line: int = 0              # of its declaration

    @property
    def type_name(self) -> str:
        """The type as C writes it."""
        return str(self.value.type)

    @property
    def address(self) -> int | None:
        """Where it is in memory."""
        return self.value.address

    @property
    def register(self) -> str | None:
        """The register that holds it."""
        return self.value.register

    @property
    def size(self) -> int:
        """Bytes."""
        return self.value.size

    @property
    def writable(self) -> bool:
        """Whether it can be changed (`value.assign`)."""
        return self.value.writable

    @property
    def text(self) -> str:
        """The value as GDB prints it."""
        return self.value.text()

    @property
    def has_children(self) -> bool:
        """Whether it can be opened."""
        try:
            plain = self.value.type.plain
            if plain.kind == "pointer":
                return plain.target.plain.kind not in ("void", "function")
        except DAMAGE:
            return False
        return plain.kind in ("struct", "union", "class", "array", "reference")

    def children(self) -> list[Variable]:
        """Return members, elements, or what a pointer points to."""
        try:
            return list(self._children())
        except (UnavailableError, *DAMAGE):
            return []

    def _children(self) -> Iterator[Variable]:
        value, plain = self.value, self.value.type.plain
        if plain.kind in ("pointer", "reference") and self.has_children:
            target = value.dereference()
            if target.type.is_aggregate:
                yield from Variable(self.name, target).children()
            else:
                yield Variable(f"*{self.name}", target, "target")
        elif plain.kind == "array":
            for index in range(min(plain.count or 0, MAX_CHILDREN)):
                yield Variable(f"[{index}]", value.element(index), "element")
        else:
            for item in plain.fields:
                if item.static is None:
                    name = f"<{item.type}>" if item.base else item.name or "<anonymous>"
                    yield Variable(name, value.member(item), "member")


class Scope:
    """What names mean in a frame; without a frame, in the program."""

    def __init__(self, modules: Modules, read_memory: ReadMemory, frame: Frame | None = None, callers: Sequence[Frame] = (), *,
                 architecture: Architecture | None = None,
                 thread_local: Callable[[Module, int], int | None] | None = None) -> None:  # fmt: skip
        """Take a frame, and the frames above it (for values that only callers know).

        `thread_local(module, offset)` returns where a module's thread-local variable with an offset is.
        """
        self.modules, self.frame, self.callers = modules, frame, callers
        chosen = architecture or modules.architecture
        if chosen is None:
            raise ValueError("an architecture, or a module that has one")
        self.architecture: Architecture = chosen
        self.read_memory, self._thread_local = read_memory, thread_local
        self.access = Access(chosen, read_memory, modules, frame.registers if frame else {}, frame.saved if frame else {},
                             newest=frame is None or frame.innermost)  # fmt: skip

    @property
    def module(self) -> Module | None:
        """The file whose code the frame runs."""
        return self.frame.module if self.frame else None

    # -- the frame's blocks ------------------------------------------------------------------------------------------------
    def blocks(self) -> list[Die]:
        """Return the entries whose variables the frame sees: its function or inlined call, then blocks, outermost first."""
        frame, module = self.frame, self.module
        if frame is None or module is None or frame.signal or frame.exception:
            return []
        address = frame.lookup - module.bias
        if frame.call is not None:
            outer = frame.call.die
        else:
            function = module.source_function(frame.lookup)
            if function is None:
                return []
            outer = function.die
        return module.guard("blocks", lambda: [outer, *_lexical(outer, address)], [])

    def parameters(self) -> list[Variable]:
        """Return the parameters of the frame's function, in their order."""
        blocks = self.blocks()
        return self._made([die for die in self._dies(blocks[0]) if die.tag == TAG.formal_parameter], "parameter") if blocks else []

    def locals(self) -> list[Variable]:
        """Return the variables of the frame's blocks, innermost first; outer ones that are hidden come too."""
        found = []
        for block in reversed(self.blocks()):
            found += self._made([die for die in self._dies(block) if die.tag == TAG.variable], "local")
        return [variable for variable in found if variable.name]

    def _made(self, dies: list[Die], kind: str) -> list[Variable]:
        """Return variables of this frame's file; damaged ones are left out."""
        module = self.module
        made: list[Variable | None] = [module.guard("variables", lambda die=die: self._variable(die, kind), None)  # type: ignore[misc]
                                       for die in dies] if module else []  # fmt: skip
        return [variable for variable in made if variable is not None]

    def globals(self) -> list[Variable]:
        """Return the global and static variables of the frame's source file."""
        module = self.module
        if module is None or module.dwarf is None or self.frame is None:
            return []
        units = module.dwarf.units_of(self.frame.lookup - module.bias)

        def read() -> list[Die]:
            return [die for unit in units for group in program.names(unit).variables.values() for die in group]

        dies: list[Die] = module.guard("variables", read, [])
        return self._made([die for die in dies if die.flag(AT.external)], "global") \
            + self._made([die for die in dies if not die.flag(AT.external)], "static")

    def _dies(self, block: Die) -> list[Die]:
        """Return the variables declared in a block, also those of its abstract instance that have been optimized out."""
        module = self.module
        assert module is not None

        def read() -> list[Die]:
            own = [die for die in block.children() if die.tag in VARIABLES]
            origin = block.reference(AT.abstract_origin)
            if origin is None:
                return own
            seen = {target.offset for die in own if (target := die.reference(AT.abstract_origin))}
            return own + [die for die in origin.children() if die.tag in VARIABLES and die.offset not in seen]

        return module.guard("variables", read, [])

    def _variable(self, die: Die, kind: str) -> Variable:
        named = die.inherited(AT.name)
        declared = die.inherited(AT.decl_line)
        line = declared.integer(AT.decl_line) if declared else None
        if kind == "local" and AT.location in die and self._is_static(die):
            kind = "static"
        return Variable(named.name if named else "", self.value_of(die), kind, line or 0)

    @staticmethod
    def _is_static(die: Die) -> bool:
        block = die.block(AT.location)
        return bool(block) and block[0] == 0x03 if block else False

    # -- values ------------------------------------------------------------------------------------------------------------
    def type_reader(self, module: Module) -> program.ModuleTypes:
        """Return what reads a module's types."""
        return program.types_of(module)

    def value_of(self, die: Die, module: Module | None = None) -> Value:
        """Return the value of a variable's entry."""
        owner = module or self.module or next(iter(self.modules))
        reader = program.types_of(owner)
        try:
            kind = reader.of(die)
        except DAMAGE as error:
            owner.elf.note(f"types: {error}")
            return Value.none(self.access, program.UNKNOWN, "damaged debug information")
        try:
            value = self._locate(die, kind, owner)
        except UnavailableError as error:
            return Value.none(self.access, kind, str(error))
        except DAMAGE as error:
            owner.elf.note(f"variables: {error}")
            return Value.none(self.access, kind, "damaged debug information")
        return value

    def _locate(self, die: Die, kind: Type, module: Module) -> Value:
        access = self.access
        holder = next((item for item in die.origins() if AT.location in item or AT.const_value in item), None)
        if holder is None:
            return self._elsewhere(die, kind, module)
        if AT.const_value in holder:
            return self._constant(holder, kind)
        expression = self._expression(holder, module)
        if expression is None:
            return Value.none(access, kind)
        pieces = evaluate(expression, self.context(module, holder), holder.unit)
        if len(pieces) == 1 and pieces[0].pointer is not None:
            return self._implicit(pieces[0], kind, module)
        if all(piece.address is None and piece.register is None and piece.constant is None for piece in pieces):
            return Value.none(access, kind)
        return Value(access, kind, pieces)

    def _expression(self, die: Die, module: Module) -> bytes | None:
        """Return the location that holds at the frame's address."""
        block = die.block(AT.location)
        if block is not None:
            return block
        if self.frame is None:
            return None
        form, value = die.attributes[AT.location]
        if form not in (FORM.sec_offset, FORM.data4, FORM.data8, FORM.loclistx):
            return None
        address = self.frame.lookup - module.bias
        default = None
        for start, end, expression in location_list(die.unit, form, value):
            if start == 0 and end > (1 << die.unit.form.address_size * 8) - 1:
                default = expression
            elif start <= address < end:
                return expression
        return default

    def _elsewhere(self, die: Die, kind: Type, module: Module) -> Value:
        """Return a variable that is only declared here: by its symbol."""
        named = die.inherited(AT.linkage_name)
        name = named.string(AT.linkage_name) if named else die.full_name()
        symbol = module.find(name) if die.inherited(AT.external) else None
        if symbol is None:
            address = self.modules.address_of(name) if die.inherited(AT.declaration) else None
            return Value.at(self.access, kind, address) if address is not None else Value.none(self.access, kind)
        return Value.at(self.access, kind, symbol.address)

    def _constant(self, die: Die, kind: Type) -> Value:
        form, value = die.attributes[AT.const_value]
        if isinstance(value, bytes):
            return Value.of(self.access, kind, value)
        if form in (FORM.string, FORM.strp, FORM.line_strp, FORM.strx, FORM.strx1, FORM.strx2, FORM.strx3, FORM.strx4):
            return Value.of(self.access, kind, die.string(AT.const_value).encode() + b"\0")
        return Value.of(self.access, kind, self.architecture.encode(int(value), max(1, kind.plain.size)))

    def _implicit(self, piece: Piece, kind: Type, module: Module) -> Value:
        """Return a pointer that is not stored, to a variable that may be (2.6.1.1.4)."""
        assert piece.pointer is not None
        die, offset = piece.pointer
        value = Value(self.access, kind, [Piece()], "synthetic pointer")
        if die is not None and kind.plain.kind in ("pointer", "reference"):
            target = self.value_of(die, module)
            wanted = kind.plain.target
            value.indirect = target if not offset and str(target.type) == str(wanted) else target.part(wanted, 8 * offset)
        return value

    def context(self, module: Module, die: Die | None = None) -> Context:
        """Return what location expressions of a module may ask for."""
        frame = self.frame
        thread_local = self._thread_local

        def thread(offset: int) -> int | None:
            return thread_local(module, offset) if thread_local else None

        return Context(self.architecture, frame.registers if frame else {}, self.read_memory, module.bias,
                       cfa=lambda: frame.cfa if frame else None, frame_base=lambda: self._frame_base(die),
                       thread_pointer=thread, entry_value=self._entry_value)  # fmt: skip

    def _frame_base(self, _die: Die | None) -> int | None:
        """Return what DW_OP_fbreg counts from: the physical function's DW_AT_frame_base (3.3.5)."""
        frame, module = self.frame, self.module
        function = module.source_function(frame.lookup) if frame and module else None
        if frame is None or module is None or function is None:
            return None
        die = function.die
        block = die.block(AT.frame_base)
        if block is None and AT.frame_base in die:
            form, value = die.attributes[AT.frame_base]
            address = frame.lookup - module.bias
            block = next((text for start, end, text in location_list(die.unit, form, value) if start <= address < end), None)
        if block is None:
            return None
        context = Context(self.architecture, frame.registers, self.read_memory, module.bias, cfa=lambda: frame.cfa)
        return compute(block, context, die.unit)

    def _entry_value(self, expression: bytes) -> int | None:
        """Return what a register held when the function was entered, if the call in the caller says so (3.4.2)."""
        frame = self.frame
        caller = next((item for item in self.callers if frame and item.level > frame.level and not item.inline), None)
        module = caller.module if caller else None
        if frame is None or caller is None or module is None or caller.exception or caller.signal:
            return None
        function = module.source_function(caller.lookup)
        if function is None:
            return None
        site = _call_site(function.die, caller.pc - module.bias)
        for child in site.children() if site else ():
            if child.tag in SITE_PARAMETERS and child.block(AT.location) == expression:
                block = child.block(AT.call_value) or child.block(AT.GNU_call_site_value)
                if block:
                    scope = Scope(self.modules, self.read_memory, caller, [item for item in self.callers if item.level > caller.level],
                                  architecture=self.architecture)  # fmt: skip
                    context = scope.context(module)
                    context.depth = 2
                    return compute(block, context, child.unit)
        return None

    # -- names -------------------------------------------------------------------------------------------------------------
    def find(self, name: str) -> Value | None:
        """Return what a name means here: a variable of the blocks, inner ones first, of this, of the file, of the program."""
        for block in reversed(self.blocks()):
            for die in self._dies(block):
                named = die.inherited(AT.name)
                if named is not None and named.name == name:
                    return self.value_of(die)
        this = self._member_of_this(name) if name != "this" else None
        return this or self.find_global(name)

    def _member_of_this(self, name: str) -> Value | None:
        blocks = self.blocks()
        for die in self._dies(blocks[0]) if blocks else ():
            if die.name == "this" or ((named := die.inherited(AT.name)) and named.name == "this"):
                from xemu.debug.evaluate import find_member

                try:
                    return find_member(self, self.value_of(die).dereference(), name)
                except (UnavailableError, *DAMAGE):
                    return None
        return None

    def find_global(self, name: str) -> Value | None:
        """Return a global or static variable, a function, an enumerator, or what a symbol names."""
        return program.find(self, name)

    def find_scoped(self, scope: str, name: str) -> Value | None:
        """Return a variable of a source file ("main.c") or a function."""
        return program.find_scoped(self, scope, name)

    def find_type(self, name: str) -> Type | None:
        """Return a type by its name: "node", "struct node", "ns::Class"."""
        return program.find_type(self, name)

    def names(self) -> list[str]:
        """Return the names that could have been meant: of variables here, then of symbols."""
        here = [variable.name for variable in (*self.parameters(), *self.locals())]
        return [*here, *(name for module in self.modules for name in module.names())]

    # -- conveniences --------------------------------------------------------------------------------------------------------
    def pointer(self, target: Type) -> Type:
        """Return the type of pointers to a type."""
        return pointer_to(target, self.architecture.address_bytes)

    def array(self, target: Type, count: int) -> Type:
        """Return an array type."""
        return array_of(target, count)


def _lexical(outer: Die, address: int) -> list[Die]:
    """Return the lexical blocks around an address, outermost first; inlined calls are other frames."""
    found = []
    for _ in range(MAX_NESTING):
        inner = next((die for die in outer.children() if die.tag == TAG.lexical_block
                      and any(start <= address < end for start, end in die.ranges())), None)  # fmt: skip
        if inner is None:
            break
        found.append(inner)
        outer = inner
    return found


def _call_site(outer: Die, address: int) -> Die | None:
    """Return the call in a function after which an address is."""
    at, end, unit = outer.after, outer.end(), outer.unit
    while outer.has_children and at < end:
        die = unit.entry(at)
        at = at + 1 if die is None else die.after
        if die is not None and die.tag in CALL_SITES:
            place = die.address(AT.call_return_pc)
            if place is None:
                place = die.address(AT.low_pc)
            if place == address:
                return die
    return None


def variables(frame: Frame, modules: Modules, read_memory: ReadMemory, callers: Sequence[Frame] = ()) -> list[Variable]:
    """Return the parameters and locals of a frame."""
    scope = Scope(modules, read_memory, frame, callers)
    return [*scope.parameters(), *scope.locals()]
