"""What a function of PowerPC has returned, as the bytes of its type.

System V ABI, PowerPC supplement, "Return Values" (structures in memory, as Linux has them); 64-bit ELF V2 ABI, 2.2.4.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.debug.location import UnavailableError
from xemu.debug.types import INTEGERS
from xemu.debug.values import BINARY128, decode_float, encode_float

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.debug.architectures import Architecture
    from xemu.debug.types import Type

    ReadRegister = Callable[[str], int | None]

MOST = 8                     # members of a structure that is returned in registers of its members' kind
VECTOR = 16


def returned_bytes(kind: Type, arch: Architecture, read_register: ReadRegister) -> bytes | None:
    """Return the value's bytes; None where nobody can say: the callee need not have kept the address of one in memory."""
    plain, size = kind.plain, kind.plain.size
    if plain.kind == "void" or not size:
        return None

    def register(name: str, length: int) -> bytes:
        value = read_register(name)
        if value is None:
            raise UnavailableError(f"{name} is not known")
        return arch.encode(value, length)

    def floating(first: int, length: int) -> bytes:
        """Return a floating-point number: registers hold doubles, a long double takes two."""
        if length == 2 * 8:
            return register(f"f{first}", 8) + register(f"f{first + 1}", 8)
        data = register(f"f{first}", 8)
        return data if length == 8 else encode_float(decode_float(data, arch), length, arch)

    parts = _equal(kind)
    if plain.kind == "float" or (parts and arch.bits == 64 and parts[0].plain.kind == "float"):
        length = parts[0].plain.size
        if arch.bits == 64 and _is_binary128(parts[0]):
            return b"".join(register(f"vr{2 + i}", VECTOR) for i in range(len(parts)))
        step = 2 if length == VECTOR else 1
        return b"".join(floating(1 + step * i, length) for i in range(len(parts))) if step * len(parts) <= MOST else None
    if parts and (arch.bits == 64 or plain.kind == "array"):           # vectors
        return b"".join(register(f"vr{2 + i}", VECTOR) for i in range(len(parts)))
    word = arch.address_bytes
    if kind.is_aggregate or plain.kind == "array":
        if arch.bits == 32 or size > 2 * word:
            return None
        data = register("r3", word) + register("r4", word)
        return data[:size] if arch.little or size > word else data[word - size:word]
    if plain.kind not in INTEGERS | {"pointer", "reference", "complex"} or size > 2 * word:
        return None
    return register("r3", size) if size <= word else register("r3", word) + register("r4", word)


def _is_binary128(kind: Type) -> bool:
    """Whether a number of 16 bytes is IEEE's: the other one, of two doubles, is called long double."""
    return kind.plain.size == VECTOR and kind.plain.name in BINARY128


def _equal(kind: Type) -> list[Type]:
    """Return the members of a type that consists of up to eight equal floating-point numbers or vectors; else nothing."""
    plain = kind.plain
    if plain.kind == "float" and plain.size in (4, 8, VECTOR):
        return [plain]
    parts: list[Type] = []
    if plain.kind == "array":
        if plain.vector and plain.size == VECTOR:
            return [plain]
        if plain.count and plain.count <= MOST and not plain.vector:
            parts = [part for _ in range(plain.count) for part in _equal(plain.target)]
    elif plain.kind in ("struct", "class"):
        for item in plain.fields:
            found = [] if item.bits else _equal(item.type) if item.static is None else []
            if not found and item.static is None:
                return []
            parts += found
    same = {(part.plain.kind, part.plain.size) for part in parts}
    return parts if len(same) == 1 and len(parts) <= MOST and plain.size == len(parts) * parts[0].plain.size else []


__all__ = ["returned_bytes"]
