"""What a function of x86 has returned (System V ABI: AMD64, 3.2.3; Intel386, 2.2.3), as the bytes of its type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.debug.location import UnavailableError
from xemu.debug.types import INTEGERS
from xemu.debug.values import decode_float, encode_float

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.debug.architectures import Architecture
    from xemu.debug.symbols import ReadMemory
    from xemu.debug.types import Field, Type

    ReadRegister = Callable[[str], int | None]

SCALARS = INTEGERS | {"pointer", "reference", "float"}
EXTENDED = 10                # bytes of an x87 register


def returned_bytes(kind: Type, arch: Architecture, read_register: ReadRegister, read_memory: ReadMemory) -> bytes | None:
    """Return the value's bytes; None where nobody can say."""
    size = kind.plain.size
    if kind.plain.kind == "void" or not size:
        return None
    if arch.bits == 32:
        return _i386(kind, size, arch, read_register, read_memory)
    classes = _classes(kind)
    if classes is None:                                        # in memory: its address is returned
        return read_memory(_register(read_register, "rax"), size)
    integers, vectors, out = iter(("rax", "rdx")), iter(("xmm0", "xmm1")), b""
    for one in classes:
        if one == "x87":
            return _register(read_register, "st0").to_bytes(EXTENDED, "little").ljust(size, b"\0")
        name = next(vectors if one == "sse" else integers)
        out += (_register(read_register, name) & (1 << 64) - 1).to_bytes(8, "little")
    return out[:size]


def _i386(kind: Type, size: int, arch: Architecture, read_register: ReadRegister, read_memory: ReadMemory) -> bytes | None:
    plain = kind.plain
    if plain.kind == "float":
        data = _register(read_register, "st0").to_bytes(EXTENDED, "little")
        return data.ljust(size, b"\0") if size > 8 else encode_float(decode_float(data, arch), size, arch)
    if kind.is_aggregate or plain.kind == "array":
        return read_memory(_register(read_register, "eax"), size)
    if size > 8:
        return None
    return (_register(read_register, "eax") | _register(read_register, "edx") << 32).to_bytes(8, "little")[:size]


def _register(read_register: ReadRegister, name: str) -> int:
    value = read_register(name)
    if value is None:
        raise UnavailableError(f"{name} is not known")
    return value


def _classes(kind: Type) -> list[str] | None:
    """Return the class of each eight bytes; None: the value is returned in memory."""
    size = kind.plain.size
    found = ["none"] * (-(-size // 8))
    if (size > 16 and kind.plain.kind != "float") or not _classify(kind, 0, found):
        return None
    return ["x87"] if found[0] == "x87" and len(found) == 2 else None if "x87" in found else found


def _classify(kind: Type, offset: int, found: list[str]) -> bool:
    """Note the classes of a type's parts at an offset; False: it is returned in memory."""
    plain = kind.plain
    if kind.is_aggregate:
        return all(_member(item, offset, found) for item in plain.fields if item.static is None)
    if plain.kind == "array":
        count = plain.count
        return count is not None and all(_classify(plain.target, offset + i * plain.target.plain.size, found) for i in range(count))
    if plain.kind not in SCALARS or (plain.size and offset % min(plain.size, 8)):        # packed: not aligned
        return False
    one = "integer" if plain.kind != "float" else "sse" if plain.size <= 8 else "x87"
    for at in range(offset // 8, min(-(-(offset + plain.size) // 8), len(found))):
        found[at] = one if found[at] in ("none", one) else "integer" if "integer" in (one, found[at]) else "memory"
    return "memory" not in found


def _member(item: Field, offset: int, found: list[str]) -> bool:
    if not item.bits:
        return _classify(item.type, offset + item.offset, found)
    at = (8 * offset + item.bit) // 64
    found[at] = "integer"
    return True


__all__ = ["returned_bytes"]
