"""Values of a program: where they are, what they hold, how they are written and changed.

A value is a type and the pieces it is made of: memory, registers, constants. Nothing is read before it is asked for.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from xemu.debug.dwarf_forms import DamagedError
from xemu.debug.location import Piece, UnavailableError, read_register
from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xemu.debug.architectures import Architecture
    from xemu.debug.symbols import Modules, ReadMemory
    from xemu.debug.types import Field, Type

MAX_VALUE = 1 << 20        # bytes that are read for one value
OPTIMIZED_OUT = "optimized out"
_FLOATS = {2: "e", 4: "f", 8: "d"}
BINARY128 = ("_Float128", "__float128", "__ieee128")       # where long double is something else


class Write(NamedTuple):
    """What to store to change a value: bytes at an address, or the value of a register."""

    address: int | None
    data: bytes            # empty for a register
    register: str = ""
    value: int = 0


@dataclass(slots=True)
class Access:
    """Where values come from: memory, and the registers of a frame."""

    architecture: Architecture
    read_memory: ReadMemory
    modules: Modules
    registers: Mapping[str, int] = field(default_factory=dict)
    saved: Mapping[str, int] = field(default_factory=dict)     # where registers of this frame have been stored since
    newest: bool = True                                        # registers of this frame are the CPU's


class Value:
    """A type, and the pieces that hold it. `missing` says why there is none."""

    __slots__ = ("access", "bits", "indirect", "missing", "pieces", "type")

    def __init__(self, access: Access, kind: Type, pieces: list[Piece], missing: str = "", bits: int = 0) -> None:
        self.access, self.type, self.pieces, self.missing = access, kind, pieces, missing
        self.bits = bits               # of a bit-field; 0: it is none
        self.indirect: Value | None = None     # what an implicit pointer points to

    @classmethod
    def at(cls, access: Access, kind: Type, address: int) -> Value:
        """Return what is in memory at an address."""
        return cls(access, kind, [Piece(address=address & access.architecture.mask)])

    @classmethod
    def of(cls, access: Access, kind: Type, data: bytes) -> Value:
        """Return a value that is nowhere: the result of a computation."""
        return cls(access, kind, [Piece(constant=data)])

    @classmethod
    def number_of(cls, access: Access, kind: Type, number: float) -> Value:
        """Return a number as a value of a scalar type, cut to its size."""
        return cls.of(access, kind, encode(access, kind, number))

    @classmethod
    def none(cls, access: Access, kind: Type, reason: str = OPTIMIZED_OUT) -> Value:
        """Return a value that cannot be known."""
        return cls(access, kind, [], reason)

    def __repr__(self) -> str:
        return f"<Value {self.type} {self.text()}>"

    # -- where it is -------------------------------------------------------------------------------------------------------
    @property
    def address(self) -> int | None:
        """Where it is in memory; None if it is not, or not at a byte."""
        if len(self.pieces) != 1 or self.pieces[0].address is None or self.pieces[0].offset % 8 or self.bits:
            return None
        return self.pieces[0].address + self.pieces[0].offset // 8

    @property
    def register(self) -> str | None:
        """The register that holds all of it; None if none does."""
        return self.pieces[0].register if len(self.pieces) == 1 else None

    @property
    def size(self) -> int:
        """Bytes."""
        return self.type.plain.size

    @property
    def writable(self) -> bool:
        """Whether it can be changed: every part is in memory or in a register whose place is known."""
        return bool(self.pieces) and not self.missing and all(
            piece.address is not None or (piece.register is not None and self._home(piece.register) is not None) for piece in self.pieces)

    def _home(self, register: str) -> int | str | None:
        """Return where a register of this frame is: its name, or where it was saved; None if that is not known."""
        access = self.access
        if access.newest:
            return register
        if register in access.saved:
            return access.saved[register]
        return register if register in access.registers and register in access.architecture.saved else None

    # -- what it holds -----------------------------------------------------------------------------------------------------
    def data(self) -> bytes:
        """Return its bytes; UnavailableError says why they cannot be known."""
        if self.missing:
            raise UnavailableError(self.missing)
        if not self.pieces:
            raise UnavailableError(OPTIMIZED_OUT)
        size = self.size
        if size > MAX_VALUE:
            raise UnavailableError(f"a value of {size} bytes; at most {MAX_VALUE} are shown")
        first = self.pieces[0]
        if len(self.pieces) == 1 and first.address is not None and not self.bits and not first.offset % 8:
            return self._memory(first.address + first.offset // 8, size)
        total = at = 0
        little = self.access.architecture.little
        for piece in self.pieces:
            bits = min(piece.bits if piece.bits is not None else self.bits or 8 * size, 8 * MAX_VALUE)
            part = self._part(piece, bits)
            total = total | part << at if little else total << bits | part
            at += bits
        return self.access.architecture.encode(total, size)

    def _memory(self, address: int, size: int) -> bytes:
        data = self.access.read_memory(address, size) if size else b""
        if data is None:
            raise UnavailableError(f"cannot access memory at address {address:#x}")
        return data

    def _part(self, piece: Piece, bits: int) -> int:
        """Return the number in one piece."""
        arch, offset, mask = self.access.architecture, piece.offset, (1 << bits) - 1
        if piece.register is not None:
            whole = read_register(arch, self.access.registers, piece.register)
            if self._as_double(piece.register, bits):
                return arch.number(encode_float(decode_float(arch.encode(whole, 8), arch), bits // 8, arch))
            if arch.little or not offset:
                return whole >> offset & mask
            return whole >> max(0, 8 * arch.register_bytes(piece.register) - offset - bits) & mask
        if piece.address is not None:
            first, last = offset // 8, (offset + bits + 7) // 8
            data, offset = self._memory(piece.address + first, last - first), offset % 8
        elif piece.constant is not None:
            data = piece.constant
        else:
            raise UnavailableError(OPTIMIZED_OUT)
        shift = offset if arch.little else max(0, 8 * len(data) - offset - bits)
        return arch.number(data) >> shift & mask

    def _as_double(self, register: str, bits: int) -> bool:
        """Whether a floating-point number is kept in a register of more bits than it has."""
        letter = self.access.architecture.doubles
        return bool(letter) and bits == 32 and register.startswith(letter) and register[len(letter):].isdigit() and \
            self.type.plain.kind == "float"

    def number(self) -> int | float:
        """Return a scalar's value; UnavailableError, UsageError if it is none."""
        plain = self.type.plain
        if plain.kind in ("array", "function") and self.address is not None:
            return self.address
        if not self.type.is_scalar:
            raise UsageError(f"a value of type {self.type} is no number")
        data = self.data()
        if plain.kind == "float":
            return decode_float(data, self.access.architecture, plain.name)
        value = self.access.architecture.number(data)
        bits = self.bits or 8 * plain.size
        if plain.signed and bits and value >> (bits - 1) & 1:
            value -= 1 << bits
        return value

    def integer(self) -> int:
        """Return an integer or a pointer's address; UsageError for a floating-point number."""
        value = self.number()
        if not isinstance(value, int):
            raise UsageError(f"an integer is needed, not {self.type}")
        return value

    # -- parts ---------------------------------------------------------------------------------------------------------------
    def part(self, kind: Type, bit: int, bits: int = 0) -> Value:
        """Return a part of it: a type, where it starts in bits, and its bits if it is a bit-field."""
        if self.missing or not self.pieces:
            return Value.none(self.access, kind, self.missing or OPTIMIZED_OUT)
        wanted, found, at = bits or 8 * kind.plain.size, [], 0
        for piece in self.pieces:
            length = piece.bits if piece.bits is not None else max(8 * self.size, bit + wanted)
            low, high = max(at, bit), min(at + length, bit + wanted)
            if low < high:
                size = high - low
                offset = piece.offset + low - at
                whole = size == wanted
                found.append(Piece(None if whole and not bits else size, piece.address, piece.register, piece.constant, offset))
            at += length
        if not wanted and self.pieces[0].address is not None:
            found = [Piece(address=self.pieces[0].address, offset=self.pieces[0].offset + bit)]
        return Value(self.access, kind, found, "" if found else OPTIMIZED_OUT, bits)

    def member(self, item: Field) -> Value:
        """Return a member of a structure."""
        if item.bits:
            return self.part(item.type, item.bit, item.bits)
        return self.part(item.type, 8 * item.offset)

    def element(self, index: int) -> Value:
        """Return an element of an array."""
        target = self.type.plain.target
        if index < 0 and self.address is not None:
            return Value.at(self.access, target, self.address + index * target.plain.size)
        return self.part(target, 8 * index * target.plain.size)

    def dereference(self) -> Value:
        """Return what a pointer points to, or a reference stands for."""
        if self.indirect is not None:
            return self.indirect
        plain = self.type.plain
        if plain.kind == "array":
            return self.element(0)
        if plain.kind == "function":
            return self
        if plain.kind not in ("pointer", "reference"):
            raise UsageError(f"a value of type {self.type} does not point to anything")
        return Value.at(self.access, plain.target, self.access.architecture.number(self.data()))

    def text(self, form: str = "") -> str:
        """Return it as GDB prints it; `form` is one of GDB's letters (x d u o t c a f z s)."""
        from xemu.debug.printing import show

        return show(self, form)

    # -- changing --------------------------------------------------------------------------------------------------------------
    def assign(self, other: Value | float) -> list[Write]:
        """Return what to write to give it another value; UsageError if that is not possible."""
        if not self.writable:
            raise UsageError(f"it cannot be changed: {self.missing or 'it is not stored anywhere'}")
        if not isinstance(other, Value):
            data = encode(self.access, self.type, other)
        elif self.type.is_scalar:
            data = encode(self.access, self.type, other.number())
        elif other.size == self.size:
            data = other.data()
        else:
            raise UsageError(f"a value of type {other.type} for one of type {self.type}")
        arch = self.access.architecture
        total = arch.number(data)
        bits = [piece.bits if piece.bits is not None else self.bits or 8 * len(data) for piece in self.pieces]
        found, at = [], 0 if arch.little else sum(bits)
        for piece, size in zip(self.pieces, bits, strict=True):
            if not arch.little:
                at -= size
            found.append(self._write(piece, size, total >> at & ((1 << size) - 1)))
            if arch.little:
                at += size
        return found

    def _write(self, piece: Piece, bits: int, number: int) -> Write:
        arch = self.access.architecture
        if piece.register is not None:
            return self._write_register(piece, bits, number)
        assert piece.address is not None
        first, last = piece.offset // 8, (piece.offset + bits + 7) // 8
        address, offset = piece.address + first, piece.offset % 8
        if not offset and not bits % 8:
            return Write(address, arch.encode(number, bits // 8))
        data = self._memory(address, last - first)
        shift = offset if arch.little else 8 * len(data) - offset - bits
        mask = (1 << bits) - 1
        return Write(address, arch.encode(arch.number(data) & ~(mask << shift) | (number & mask) << shift, len(data)))

    def _write_register(self, piece: Piece, bits: int, number: int) -> Write:
        arch, name = self.access.architecture, piece.register or ""
        size = arch.register_bytes(name)
        plain = self.type.plain
        if self._as_double(name, bits):
            number = arch.number(encode_float(decode_float(arch.encode(number, 4), arch), 8, arch))
        elif bits < 8 * size and not piece.offset and plain.kind in ("int", "char", "enum", "bool") and bits == 8 * plain.size:
            if plain.signed and number >> (bits - 1):  # registers hold small integers extended
                number |= ~((1 << bits) - 1) & ((1 << 8 * size) - 1)
        elif bits < 8 * size:
            whole, mask = read_register(arch, self.access.registers, name), (1 << bits) - 1
            number = whole & ~(mask << piece.offset) | number << piece.offset
        home = self._home(name)
        if isinstance(home, int):
            return Write(home, arch.encode(number, size))
        return Write(None, b"", name, number)


def encode(access: Access, kind: Type, number: float) -> bytes:
    """Return the bytes of a number in a scalar type, converted as C does."""
    plain, arch = kind.plain, access.architecture
    if plain.kind == "float":
        return encode_float(float(number), plain.size, arch)
    if not kind.is_scalar and plain.kind != "reference":
        raise UsageError(f"a number for a value of type {kind}")
    if isinstance(number, float):
        if not math.isfinite(number):
            raise UsageError(f"{number} is no integer")
        number = int(number)
    return arch.encode(int(bool(number)) if plain.kind == "bool" else number, plain.size)


def decode_float(data: bytes, arch: Architecture, name: str = "") -> float:
    """Return a floating-point number; those of 10 to 16 bytes are x87's, PowerPC's sums of two or IEEE binary128, rounded to double.

    `name`: of the type, which tells the last two apart.
    """
    code = _FLOATS.get(len(data))
    if code:
        return float(struct.unpack(("<" if arch.little else ">") + code, data)[0])
    number = arch.number(data)
    if len(data) not in (10, 12, 16):
        raise DamagedError(f"a floating-point number of {len(data)} bytes")
    if arch.doubles and name not in BINARY128:
        return math.fsum(struct.unpack(("<" if arch.little else ">") + "2d", data)) if len(data) == 16 else 0.0
    if arch.name in ("i386", "x86_64"):
        sign, exponent, mantissa, width = number >> 79 & 1, number >> 64 & 0x7FFF, number & ((1 << 64) - 1), 63
    else:
        sign, exponent, width = number >> 127, number >> 112 & 0x7FFF, 112
        mantissa = number & ((1 << 112) - 1) | (1 << 112 if exponent else 0)
    if exponent == 0x7FFF:
        result = float("nan") if mantissa & ((1 << width) - 1) else float("inf")
    else:
        try:
            result = mantissa * 2.0 ** (exponent - 16383 - width) if exponent > 16383 - 900 + width else 0.0
        except OverflowError:
            result = float("inf")
    return -result if sign else result


def encode_float(number: float, size: int, arch: Architecture) -> bytes:
    """Return the bytes of a floating-point number; too large ones become infinite."""
    code = _FLOATS.get(size)
    if code is None:
        raise UsageError(f"floating-point numbers of {size} bytes cannot be written")
    order = "<" if arch.little else ">"
    try:
        return struct.pack(order + code, number)
    except OverflowError:
        return struct.pack(order + code, float("inf") if number > 0 else float("-inf"))
