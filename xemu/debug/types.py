"""Types of C and C++ programs, from debug information or built in (DWARF 5, section 5).

A type's size is in bytes. Targets and members are read when they are asked for: types refer to themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from xemu.debug.dwarf_forms import DAMAGE, DamagedError
from xemu.debug.dwarf_names import AT, ATE, FORM, TAG

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.debug.architectures import Architecture
    from xemu.debug.dwarf_unit import Die

MAX_DEPTH = 64             # typedefs and qualifiers around one type
MAX_MEMBERS = 20_000
INTEGERS = {"int", "char", "bool", "enum"}


class Field(NamedTuple):
    """A member of a structure, union or class."""

    name: str              # "" for an anonymous structure or union; a base class has its type's name
    type: Type
    offset: int            # bytes
    bits: int = 0          # of a bit-field; 0: it is none
    bit: int = 0           # where a bit-field starts: bits from the structure's start, counted as DW_AT_data_bit_offset does
    base: bool = False     # a base class
    static: Die | None = None    # of a static member: its declaration


class Enumerator(NamedTuple):
    """A constant of an enumeration."""

    name: str
    value: int


class Type:
    """A type. `kind`: int char bool float complex void pointer reference struct union class array enum typedef qualified function."""

    __slots__ = ("_count", "_enumerators", "_fields", "_target", "bitsize", "die", "kind", "name", "reader", "signed", "size", "word")

    def __init__(self, kind: str, name: str, size: int, *, signed: bool = False, target: Type | None = None, count: int | None = None,
                 die: Die | None = None, reader: TypeReader | None = None, word: str = "") -> None:  # fmt: skip
        self.kind, self.name, self.size, self.signed = kind, name, size, signed
        self.die, self.reader, self.word = die, reader, word       # word: "const", "volatile", "&", "&&", "struct"
        self._target, self._count = target, count
        self._fields: list[Field] | None = None
        self._enumerators: list[Enumerator] | None = None

    def __repr__(self) -> str:
        return f"<Type {self}>"

    def __str__(self) -> str:
        try:
            return declare(self)
        except DAMAGE:
            return "<damaged type>"

    @property
    def target(self) -> Type:
        """What a pointer points to, an array's elements, what a typedef stands for, what a function returns."""
        if self._target is None:
            self._target = self.reader.target_of(self) if self.reader else VOID
        return self._target

    @property
    def plain(self) -> Type:
        """The type without typedefs and qualifiers."""
        found = self
        for _ in range(MAX_DEPTH):
            if found.kind not in ("typedef", "qualified"):
                return found
            found = found.target
        raise DamagedError("typedefs that stand for each other")

    @property
    def count(self) -> int | None:
        """The number of an array's elements; None where nobody says."""
        return self._count

    @property
    def fields(self) -> list[Field]:
        """The members of a structure, union or class, base classes first."""
        if self._fields is None:
            self._fields = []
            if self.reader is not None:
                self._fields = self.reader.fields_of(self)
        return self._fields

    @property
    def enumerators(self) -> list[Enumerator]:
        """The constants of an enumeration."""
        if self._enumerators is None:
            self._enumerators = self.reader.enumerators_of(self) if self.reader else []
        return self._enumerators

    @property
    def vector(self) -> bool:
        """Whether it is a vector that registers hold whole."""
        return self.kind == "array" and self.die is not None and self.die.flag(AT.GNU_vector)

    @property
    def parameters(self) -> list[Type]:
        """The types of a function's parameters."""
        return self.reader.parameters_of(self) if self.reader else []

    @property
    def is_integer(self) -> bool:
        """Whether arithmetic on it is on integers."""
        return self.plain.kind in INTEGERS

    @property
    def is_scalar(self) -> bool:
        """Whether it has one value: a number or a pointer."""
        return self.plain.kind in INTEGERS or self.plain.kind in ("float", "pointer")

    @property
    def is_aggregate(self) -> bool:
        """Whether it has members."""
        return self.plain.kind in ("struct", "union", "class")

    @property
    def is_text(self) -> bool:
        """Whether it is a character type: of one byte, or one that C++ prints as a character."""
        return self.plain.kind == "char"


VOID = Type("void", "void", 1)


def pointer_to(target: Type, size: int) -> Type:
    """Return the type of pointers to a type."""
    return Type("pointer", "", size, target=target)


def array_of(target: Type, count: int) -> Type:
    """Return an array type."""
    return Type("array", "", target.size * count, target=target, count=count)


#: names of types as people write them, for GCC's
_USUAL = {
    "short int": "short", "short unsigned int": "unsigned short", "long int": "long", "long unsigned int": "unsigned long",
    "long long int": "long long", "long long unsigned int": "unsigned long long",
}  # fmt: skip


def _element(kind: Type) -> Type:
    """Return what an array consists of, of several dimensions the innermost."""
    for _ in range(MAX_DEPTH):
        if kind.kind != "array":
            break
        kind = kind.target
    return kind


def declare(kind: Type, inner: str = "") -> str:
    """Return a type as C writes it around a name: "int (*)(char)", "char [8]"."""
    parts: list[str] = []
    for _ in range(MAX_DEPTH):
        if kind.kind in ("pointer", "reference"):
            mark = kind.word if kind.kind == "reference" else "*"
            target = kind.target
            inner = f"({mark}{inner})" if target.kind in ("array", "function") else f"{mark}{inner}"
            kind = target
        elif kind.kind == "array":
            inner = f"{inner}[{'' if kind.count is None else kind.count}]"
            kind = kind.target
        elif kind.kind == "function":
            inner = f"{inner}({', '.join(map(str, kind.parameters)) or 'void'})"
            kind = kind.target
        elif kind.kind == "qualified":
            if kind.target.kind == "pointer":
                inner = f" {kind.word}{' ' if inner and inner[0].isalnum() else ''}{inner}"
            elif kind.target.kind != "array" or _element(kind.target).kind != "qualified":    # of an array: its elements are
                parts.append(kind.word)
            kind = kind.target
        else:
            break
    word = f"{kind.word} " if kind.word and not kind.name.startswith(kind.word) else ""
    base = " ".join([*sorted(parts), f"{word}{_USUAL.get(kind.name, kind.name)}".strip()])
    return f"{base} {inner}" if inner and not inner.startswith(" ") else f"{base}{inner}"


# -- built in --------------------------------------------------------------------------------------------------------------

_WORDS = {"char", "short", "int", "long", "signed", "unsigned", "float", "double", "void", "_Bool", "bool"}
BASIC_WORDS = frozenset(_WORDS)


def basic(words: list[str], architecture: Architecture) -> Type | None:
    """Return the type that C's words for it mean ("unsigned", "long", "int"); None for words that are none.

    On 64-bit targets long has 8 bytes (LP64); plain char is unsigned where the architecture's ABI says so.
    """
    rest = sorted(word for word in words if word != "int")
    unsigned = "unsigned" in rest
    signed = "signed" in rest
    rest = [word for word in rest if word not in ("unsigned", "signed")]
    plain_char_signed = architecture.name in ("i386", "x86_64")
    name = ("unsigned " if unsigned else "") + (" ".join(rest) or "int")
    match rest:
        case ["void"]: return VOID
        case ["char"]: return Type("char", "signed char" if signed else name, 1, signed=signed or (plain_char_signed and not unsigned))
        case ["short"]: return Type("int", name, 2, signed=not unsigned)
        case []: return Type("int", name, 4, signed=not unsigned)
        case ["long"]: return Type("int", name, architecture.address_bytes, signed=not unsigned)
        case ["long", "long"]: return Type("int", name, 8, signed=not unsigned)
        case ["float"]: return Type("float", "float", 4, signed=True)
        case ["double"] | ["double", "long"]: return Type("float", "double", 8, signed=True)
        case ["bool"] | ["_Bool"]: return Type("bool", rest[0], 1)
    return None


_SIZED = {f"{sign}int{bits}_t": (bits // 8, not sign) for sign in ("", "u") for bits in (8, 16, 32, 64)}


def sized(name: str, architecture: Architecture) -> Type | None:
    """Return int8_t to uint64_t, size_t and the like, for programs that do not have them."""
    if name in _SIZED:
        size, signed = _SIZED[name]
        return Type("char" if size == 1 else "int", name, size, signed=signed)
    if name in ("size_t", "uintptr_t", "ssize_t", "intptr_t", "ptrdiff_t"):
        return Type("int", name, architecture.address_bytes, signed=not name.startswith(("size", "uint")))
    return None


# -- from debug information ------------------------------------------------------------------------------------------------

_ENCODINGS = {
    ATE.boolean: ("bool", False), ATE.float_: ("float", True), ATE.signed: ("int", True), ATE.signed_char: ("char", True),
    ATE.unsigned: ("int", False), ATE.unsigned_char: ("char", False), ATE.UTF: ("char", False), ATE.address: ("int", False),
    ATE.complex_float: ("complex", True),
}  # fmt: skip
_AGGREGATES = {TAG.structure_type: "struct", TAG.union_type: "union", TAG.class_type: "class", TAG.interface_type: "class"}
_QUALIFIERS = {TAG.const_type: "const", TAG.volatile_type: "volatile", TAG.restrict_type: "restrict", TAG.atomic_type: "_Atomic"}
_CPLUSPLUS = {0x04, 0x1A, 0x21, 0x2B, 0x3A}


@dataclass
class TypeReader:
    """Makes types of entries, each once."""

    architecture: Architecture
    find_definition: Callable[[str, int], Die | None]      # (full name, tag) -> an entry that has the members

    def __post_init__(self) -> None:
        self._known: dict[tuple[int, str, int], Type] = {}

    def of(self, die: Die | None) -> Type:
        """Return the type of the thing that an entry describes."""
        if die is None:
            return VOID
        holder = die.inherited(AT.type)
        found = holder.reference(AT.type) if holder else None
        return self.read(found) if found else VOID

    def read(self, die: Die) -> Type:
        """Return the type that an entry describes."""
        key = (id(die.unit.dwarf), die.unit.section, die.offset)
        if key not in self._known:
            self._known[key] = self._make(die)
        return self._known[key]

    def _make(self, die: Die) -> Type:
        elsewhere = die.reference(AT.signature) if AT.signature in die else None
        if elsewhere is not None and elsewhere.offset != die.offset:
            return self.read(elsewhere)                # in a unit of its own (DWARF 5, 3.1.4)
        tag, name, size = die.tag, die.name, die.integer(AT.byte_size) or 0
        address_bytes = self.architecture.address_bytes
        if tag == TAG.base_type:
            kind, signed = _ENCODINGS.get(die.integer(AT.encoding) or 0, ("int", False))
            return Type(kind, name, size, signed=signed, die=die, reader=self)
        if tag in (TAG.pointer_type, TAG.ptr_to_member):
            return Type("pointer", name, size or address_bytes, die=die, reader=self)
        if tag in (TAG.reference_type, TAG.rvalue_reference_type):
            return Type("reference", name, size or address_bytes, die=die, reader=self, word="&" if tag == TAG.reference_type else "&&")
        if tag in _AGGREGATES:
            return self._aggregate(die, size)
        if tag == TAG.array_type:
            return self._array(die)
        if tag == TAG.enumeration_type:
            inner = self.of(die) if AT.type in die else None
            word = "" if self._is_cplusplus(die) else "enum"
            signed = inner.plain.signed if inner else any(item.value < 0 for item in self.enumerators_of_die(die))
            return Type("enum", die.full_name() or "{...}", size or 4, signed=signed, die=die, reader=self, word=word)
        if tag == TAG.typedef:
            found = Type("typedef", die.full_name(), 0, die=die, reader=self)
            self._known[id(die.unit.dwarf), die.unit.section, die.offset] = found
            found.size = self._size_of(found)
            return found
        if tag in _QUALIFIERS:
            found = Type("qualified", "", 0, die=die, reader=self, word=_QUALIFIERS[tag])
            self._known[id(die.unit.dwarf), die.unit.section, die.offset] = found
            found.size = self._size_of(found)
            return found
        if tag in (TAG.subroutine_type, TAG.subprogram):
            return Type("function", "", 1, die=die, reader=self)
        if tag == TAG.unspecified_type:
            return Type("void", name or "void", 1, die=die, reader=self)
        if tag == TAG.subrange_type:                   # Pascal, Ada: a range of a base type
            inner = self.of(die)
            return Type("int", name or str(inner), size or inner.size, signed=inner.signed, die=die, reader=self)
        raise DamagedError(f"an entry with tag {tag:#x} as a type")

    @staticmethod
    def _size_of(kind: Type) -> int:
        try:
            return kind.plain.size
        except DamagedError:
            return 0

    @staticmethod
    def _is_cplusplus(die: Die) -> bool:
        return die.unit.top.integer(AT.language) in _CPLUSPLUS

    def _aggregate(self, die: Die, size: int) -> Type:
        """Return a structure; of one that is only declared here, its definition if there is one."""
        if die.flag(AT.declaration):
            full = die.full_name()
            other = self.find_definition(full, die.tag) if full else None
            if other is not None and not other.flag(AT.declaration):
                return self.read(other)
        kind = _AGGREGATES[die.tag]
        word = "" if self._is_cplusplus(die) else kind
        return Type(kind, die.full_name() or "{...}", size, die=die, reader=self, word=word)

    def _array(self, die: Die) -> Type:
        """Return an array of arrays for several dimensions, the last one inside."""
        element = self.of(die)
        counts = [self._dimension(child) for child in die.children() if child.tag in (TAG.subrange_type, TAG.enumeration_type)]
        found = element
        for count in reversed(counts or [None]):
            found = Type("array", "", found.size * (count or 0), target=found, count=count, die=die, reader=self)
        return found

    @staticmethod
    def _dimension(die: Die) -> int | None:
        count = die.integer(AT.count)
        if count is None:
            upper = die.integer(AT.upper_bound)
            if upper is None:
                return None
            form, _ = die.attributes[AT.upper_bound]
            if form in (FORM.data4, FORM.data8) and upper >= (1 << 31):      # -1 of an array without elements
                upper -= 1 << (32 if form == FORM.data4 else 64)
            count = upper - (die.integer(AT.lower_bound) or 0) + 1
        return count if 0 <= count < 1 << 40 else None

    # -- parts ---------------------------------------------------------------------------------------------------------------
    def target_of(self, kind: Type) -> Type:
        """Return what a type refers to."""
        return self.of(kind.die)

    def fields_of(self, kind: Type) -> list[Field]:
        """Return the members of an aggregate."""
        found: list[Field] = []
        for child in kind.die.children() if kind.die else ():
            if len(found) >= MAX_MEMBERS:
                raise DamagedError("a structure with too many members")
            if child.tag == TAG.inheritance:
                target = self.of(child)
                found.append(Field(target.name, target, self._offset(child), base=True))
            elif child.tag == TAG.member and not child.flag(AT.declaration) and not (child.flag(AT.external) and AT.const_value in child):
                found.append(self._member(child))
            elif child.tag in (TAG.member, TAG.variable) and (child.flag(AT.declaration) or child.flag(AT.external)):
                found.append(Field(child.name, self.of(child), 0, static=child))
        return found

    @staticmethod
    def _offset(die: Die) -> int:
        """Return where a member is: a constant, or the expression "plus_uconst" of DWARF 2; virtual bases are not followed."""
        value = die.integer(AT.data_member_location)
        if value is not None:
            return value
        block = die.block(AT.data_member_location)
        if block and block[0] in (0x23, 0x10):
            from xemu.debug.dwarf_forms import uleb

            return uleb(block, 1)[0]
        return 0

    def _member(self, die: Die) -> Field:
        kind, offset = self.of(die), self._offset(die)
        bits = die.integer(AT.bit_size)
        if bits is None:
            return Field(die.name, kind, offset)
        start = die.integer(AT.data_bit_offset)
        if start is None:                              # DWARF 2 and 3: counted from the storage unit's highest bit
            storage = 8 * (die.integer(AT.byte_size) or kind.size)
            high = die.integer(AT.bit_offset) or 0
            start = 8 * offset + (storage - high - bits if self.architecture.little else high)
        elif AT.data_member_location in die:
            start += 8 * offset
        return Field(die.name, kind, offset, bits, start)

    def enumerators_of(self, kind: Type) -> list[Enumerator]:
        """Return an enumeration's constants."""
        return self.enumerators_of_die(kind.die) if kind.die else []

    @staticmethod
    def enumerators_of_die(die: Die) -> list[Enumerator]:
        """Return the constants of an enumeration's entry."""
        return [Enumerator(child.name, child.integer(AT.const_value) or 0) for child in die.children() if child.tag == TAG.enumerator]

    def parameters_of(self, kind: Type) -> list[Type]:
        """Return the types of a function's parameters, that of `this` left out."""
        return [self.of(child) for child in kind.die.children()
                if child.tag == TAG.formal_parameter and not child.flag(AT.artificial)] if kind.die else []  # fmt: skip
