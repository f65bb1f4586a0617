"""What a function has returned, by its type (ARM: Procedure Call Standard, IHI 0042, 5.4 and 6.1.2; of others: there)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.debug.dwarf_forms import DAMAGE
from xemu.debug.dwarf_names import AT
from xemu.debug.location import Piece, UnavailableError
from xemu.debug.program import types_of
from xemu.debug.values import Value
from xemu.errors import XemuError

if TYPE_CHECKING:
    from xemu.debug.source import Source
    from xemu.debug.symbols import Module
    from xemu.debug.types import Type
    from xemu.debug.unwind import Frame

HARD_FLOAT = 0x400           # e_flags: EF_ARM_ABI_FLOAT_HARD
TAG_VFP_ARGS = "Tag_ABI_VFP_args"
MOST_FLOATS = 4              # members of a structure that is returned in floating-point registers


def returned(source: Source, frame: Frame) -> str:
    """Return the value in words, for a function that was in a frame and has just returned; "" where there is none to show."""
    module = frame.module
    if module is None or source.architecture.name not in CALLS:
        return ""
    try:
        function = module.source_function(frame.lookup)
        die = function.die.inherited(AT.type) if function is not None else None
        if die is None:
            return ""
        kind = types_of(module).of(die)
        value = CALLS[source.architecture.name](source, module, kind)
        return value.text() if value is not None else ""
    except (XemuError, UnavailableError, *DAMAGE):
        return ""


def _arm(source: Source, module: Module, kind: Type) -> Value | None:
    plain = kind.plain
    access = source.scope().access
    floats = _floats(kind) if _hard_float(module) else []
    if floats:
        size = floats[0].plain.size
        names = [f"d{i}" if size == 8 else f"s{i}" for i in range(len(floats))]
        pieces = [Piece(bits=8 * size, register=name) for name in names]
        return Value(access, kind, pieces if len(pieces) > 1 else [Piece(register=names[0])])
    if plain.kind == "void" or plain.size > 8 or (kind.is_aggregate and plain.size > 4):
        return None                                    # in memory, whose address the callee need not have kept
    if plain.size > 4:
        return Value(access, kind, [Piece(bits=32, register="r0"), Piece(bits=32, register="r1")])
    return Value(access, kind, [Piece(register="r0")])


def _hard_float(module: Module) -> bool:
    """Whether floating-point values are passed in registers of the floating-point unit."""
    from xemu.loaders.arm_attributes import read_attributes

    if module.elf.header.fields.flags & HARD_FLOAT:
        return True
    return read_attributes(module.elf.data(".ARM.attributes"), module.elf.order).get(TAG_VFP_ARGS) == 1


def _floats(kind: Type) -> list[Type]:
    """Return the members of a type that consists of up to four equal floating-point numbers."""
    plain = kind.plain
    if plain.kind == "float" and plain.size in (4, 8):
        return [plain]
    parts: list[Type] = []
    if plain.kind == "array" and plain.count and plain.count <= MOST_FLOATS:
        parts = [part for _ in range(plain.count) for part in _floats(plain.target)]
    elif plain.kind == "struct":
        for item in plain.fields:
            found = _floats(item.type)
            if not found:
                return []
            parts += found
    same = {part.size for part in parts}
    return parts if len(same) == 1 and len(parts) <= MOST_FLOATS and plain.size == len(parts) * parts[0].size else []


def _x86(source: Source, _module: Module, kind: Type) -> Value | None:
    from xemu.debug.x86_returned import returned_bytes

    data = returned_bytes(kind, source.architecture, source.system.read_register, source.read_memory)
    return Value(source.scope().access, kind, [Piece(constant=data)]) if data is not None else None


def _ppc(source: Source, _module: Module, kind: Type) -> Value | None:
    from xemu.debug.ppc_returned import returned_bytes

    data = returned_bytes(kind, source.architecture, source.system.read_register)
    return Value(source.scope().access, kind, [Piece(constant=data)]) if data is not None else None


#: architecture -> what knows where its functions return values
CALLS = {"arm": _arm, "armeb": _arm, "x86_64": _x86, "i386": _x86, "ppc": _ppc, "ppc64le": _ppc}


__all__ = ["returned"]
