"""Names of a whole program: global variables, types, enumerators, functions; per unit one walk over what is not inside functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xemu.debug.dwarf_names import AT, TAG
from xemu.debug.types import Type, TypeReader, basic, sized
from xemu.debug.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.dwarf_unit import Die, Unit
    from xemu.debug.symbols import Module
    from xemu.debug.variables import Scope

MAX_NESTING = 60
ModuleTypes = TypeReader
UNKNOWN = Type("void", "<unknown type>", 1)
_TYPES = {TAG.structure_type, TAG.class_type, TAG.union_type, TAG.enumeration_type, TAG.typedef, TAG.base_type, TAG.interface_type}
_TAGGED = {TAG.structure_type: "struct", TAG.class_type: "class", TAG.union_type: "union", TAG.enumeration_type: "enum"}
_CPLUSPLUS = {0x04, 0x1A, 0x21, 0x2B, 0x3A}


@dataclass(slots=True)
class UnitNames:
    """What one unit declares outside of functions, by the last part of its name."""

    variables: dict[str, list[Die]] = field(default_factory=dict)
    types: dict[str, list[Die]] = field(default_factory=dict)
    enumerators: dict[str, list[tuple[Die, Die]]] = field(default_factory=dict)    # (enumeration, constant)
    functions: dict[str, list[Die]] = field(default_factory=dict)


def names(unit: Unit) -> UnitNames:
    """Return a unit's names, read once."""
    found: UnitNames | None = unit.facts.get("names")
    if found is None:
        found = unit.facts["names"] = UnitNames()
        _collect(unit.full.top, found, 0)
    return found


def _collect(outer: Die, found: UnitNames, depth: int) -> None:
    for die in outer.children():
        tag = die.tag
        if tag in (TAG.variable, TAG.member) and (tag == TAG.variable or die.flag(AT.external)):
            named = die.inherited(AT.name)
            if named is not None:
                found.variables.setdefault(named.name, []).append(die)
        elif tag == TAG.subprogram:
            named = die.inherited(AT.name)
            if named is not None:
                found.functions.setdefault(named.name, []).append(die)
        elif tag in _TYPES:
            if die.name:
                found.types.setdefault(die.name, []).append(die)
            if tag == TAG.enumeration_type:
                for child in die.children():
                    if child.tag == TAG.enumerator:
                        found.enumerators.setdefault(child.name, []).append((die, child))
        if tag in (TAG.namespace, *_TAGGED) and tag != TAG.enumeration_type and die.has_children and depth < MAX_NESTING:
            _collect(die, found, depth + 1)


def types_of(module: Module) -> TypeReader:
    """Return what reads a module's types, one for each."""
    found: TypeReader | None = module.__dict__.get("_types")
    if found is None:
        def definition(name: str, tag: int) -> Die | None:
            for die in _type_entries(module, name, None):
                if die.tag == tag and not die.flag(AT.declaration):
                    return die
            return None

        found = module.__dict__["_types"] = TypeReader(module.architecture, definition)
    return found


# -- search ------------------------------------------------------------------------------------------------------------------


def _units(module: Module, near: Unit | None, name: str) -> Iterator[Unit]:
    """Yield the units in which a name may be, the near one first; none if the name is nowhere in the debug information."""
    if near is not None:
        yield near
    for unit in module.dwarf.units_with(name) if module.dwarf is not None else ():
        if unit is not near:
            yield unit


def _near(scope: Scope) -> Unit | None:
    frame, module = scope.frame, scope.module
    if frame is None or module is None or module.dwarf is None:
        return None
    return next(iter(module.dwarf.units_of(frame.lookup - module.bias)), None)


def _modules(scope: Scope) -> list[Module]:
    own = scope.module
    return ([own] if own else []) + [module for module in scope.modules if module is not own]


def _fits(die: Die, name: str) -> bool:
    """Whether a name means an entry: without "::" any of its last name will do."""
    if "::" not in name:
        return True
    full = die.full_name()
    return full == name or full.endswith("::" + name)


def find(scope: Scope, name: str) -> Value | None:
    """Return a global or static variable, an enumerator, a function, or what a symbol without debug information names."""
    near, last = _near(scope), name.rsplit("::", 1)[-1]
    for module in _modules(scope):
        found = module.guard("variables", lambda module=module: _in_units(scope, module, near, name, last), None)  # type: ignore[misc]
        if found is not None:
            return found
    return _by_symbol(scope, name)


def _in_units(scope: Scope, module: Module, near: Unit | None, name: str, last: str) -> Value | None:
    """Return a variable or enumerator: one with a place rather than a declaration."""
    declared: Value | None = None
    for unit in _units(module, near if module is scope.module else None, last):
        known = names(unit)
        for die in known.variables.get(last, ()):
            if not _fits(die, name):
                continue
            value = scope.value_of(die, module)
            if not value.missing:
                return value
            declared = declared or value
        for kind, constant in known.enumerators.get(last, ()):
            if _fits(constant, name):
                return Value.number_of(scope.access, types_of(module).read(kind), constant.integer(AT.const_value) or 0)
    return declared


def _by_symbol(scope: Scope, name: str) -> Value | None:
    """Return a function, or data of which no type is known: words of the symbol's size, as far as C has such."""
    address = scope.modules.address_of(name)
    module = scope.modules.at(address) if address is not None else None
    if address is None:
        return None
    source = module.source_function(address) if module else None
    if module is not None and source is not None and source.start + module.bias == address:
        return Value.at(scope.access, types_of(module).read(source.die), address)
    symbol = next((found for item in _modules(scope) if (found := item.find(name))), None)
    if symbol is None or symbol.kind == "function":
        return Value.at(scope.access, Type("function", "", 1, target=basic(["int"], scope.architecture)), address)
    if symbol.kind == "constant":
        unsigned = basic(["unsigned"], scope.architecture)
        assert unsigned is not None
        return Value.number_of(scope.access, unsigned, symbol.address)
    word = sized(f"uint{8 * symbol.size}_t", scope.architecture) or basic(["unsigned"], scope.architecture)
    assert word is not None
    if symbol.size > 8:
        byte = basic(["unsigned", "char"], scope.architecture)
        assert byte is not None
        word = scope.array(byte, symbol.size)
    return Value.at(scope.access, word, address)


def find_scoped(scope: Scope, place: str, name: str) -> Value | None:
    """Return a variable of a source file, or one that is static in a function."""
    for module in _modules(scope):
        found = module.guard("variables", lambda module=module: _scoped(scope, module, place, name), None)  # type: ignore[misc]
        if found is not None:
            return found
    return None


def _scoped(scope: Scope, module: Module, place: str, name: str) -> Value | None:
    if module.dwarf is None:
        return None
    for unit in module.dwarf.code_units():
        path = unit.name
        if path == place or path.endswith("/" + place):
            for die in names(unit).variables.get(name, ()):
                return scope.value_of(die, module)
    last = place.rsplit("::", 1)[-1]
    for unit in _units(module, _near(scope) if module is scope.module else None, last):
        for die in names(unit).functions.get(last, ()):
            found = _inside(scope, module, die, name) if _fits(die, place) else None
            if found is not None:
                return found
    return None


def _inside(scope: Scope, module: Module, outer: Die, name: str) -> Value | None:
    """Return a variable of a function, at any depth, that has a place without a frame."""
    from xemu.debug.variables import Scope

    bare = Scope(scope.modules, scope.read_memory, architecture=scope.architecture)
    at, end, unit = outer.after, outer.end(), outer.unit
    while outer.has_children and at < end:
        die = unit.entry(at)
        at = at + 1 if die is None else die.after
        if die is not None and die.tag == TAG.variable and AT.location in die:
            named = die.inherited(AT.name)
            if named is not None and named.name == name:
                value = bare.value_of(die, module)
                if not value.missing:
                    return value
    return None


# -- types -------------------------------------------------------------------------------------------------------------------


def _type_entries(module: Module, name: str, near: Unit | None) -> Iterator[Die]:
    words = name.split()
    tag = words[0] if len(words) > 1 and words[0] in _TAGGED.values() else ""
    wanted = words[-1] if tag else name
    last = wanted.rsplit("::", 1)[-1]
    for unit in _units(module, near, last):
        for die in names(unit).types.get(last, ()):
            kind = _TAGGED.get(die.tag)
            if not _fits(die, wanted):
                continue
            fits_tag = {kind, "struct" if kind == "class" else kind, "class" if kind == "struct" else kind}
            if (tag and tag in fits_tag) or (not tag and (kind is None or unit.top.integer(AT.language) in _CPLUSPLUS)):
                yield die


def find_type(scope: Scope, name: str) -> Type | None:
    """Return a type by its name: of C's own words, a typedef, "struct node", "ns::Class"."""
    words = name.split()
    built_in = basic(words, scope.architecture) if words else None
    if built_in is not None:
        return built_in
    near = _near(scope)
    declared: Type | None = None
    for module in _modules(scope):
        entries: list[Die] = module.guard(
            "types", lambda module=module: list(_type_entries(module, name, near if module is scope.module else None)), [])  # type: ignore[misc]
        for die in entries:
            found = module.guard("types", lambda module=module, die=die: types_of(module).read(die), None)  # type: ignore[misc]
            if found is not None and (found.size or found.plain.kind not in ("struct", "union", "class")):
                return found
            declared = declared or found
    return declared or sized(name, scope.architecture)


def type_names(scope: Scope) -> list[str]:
    """Return the names of types near the frame, for suggestions."""
    unit = _near(scope)
    return sorted(names(unit).types) if unit else []
