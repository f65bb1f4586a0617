"""Expressions over registers and memory: conditions of points and arguments of log points.

A tree of frozen nodes; every value has 64 bits. `evaluate` says what a node means, `native` gives the form that the core
compiles (None where a part is known to Python only).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from xemu.errors import XemuError

if TYPE_CHECKING:
    from collections.abc import Callable

    ReadRegister = Callable[[str], int | None]
    ReadMemory = Callable[[int, int], bytes]          # maybe shorter than asked for
    Place = Callable[[str], "tuple[int, int] | None"]       # register -> byte offset in the state block and bits
    Operation = Callable[[int, int], int]
    Tree = tuple[Any, ...]

MASK = (1 << 64) - 1
WIDTHS = (8, 16, 32, 64)


class EvaluationError(XemuError):
    """An expression has no value here: unreadable memory, division by zero."""


class Expression(Protocol):
    """A value of 64 bits."""

    def evaluate(self, read_register: ReadRegister, read_memory: ReadMemory) -> int:
        """Return the value; EvaluationError."""

    def native(self, place: Place) -> Tree | None:
        """Return the tree that the core compiles."""


@dataclass(frozen=True)
class Const:
    """A number."""

    value: int

    def evaluate(self, _read_register: ReadRegister, _read_memory: ReadMemory) -> int:
        """Return the number."""
        return self.value & MASK

    def native(self, _place: Place) -> Tree | None:
        """Return the tree."""
        return "const", self.value & MASK


@dataclass(frozen=True)
class Register:
    """A register."""

    name: str

    def evaluate(self, read_register: ReadRegister, _read_memory: ReadMemory) -> int:
        """Return what it holds, zero-extended; EvaluationError where there is none."""
        value = read_register(self.name)
        if value is None:
            raise EvaluationError(f"no register {self.name}")
        return value & MASK

    def native(self, place: Place) -> Tree | None:
        """Return the tree; None for registers that are worked out when they are read."""
        found = place(self.name)
        return None if found is None or found[1] not in WIDTHS else ("state", *found)


@dataclass(frozen=True)
class Load:
    """`size` bytes of memory, lowest first unless it is `big`; zero- or sign-extended."""

    size: int
    address: Expression
    signed: bool = False
    big: bool = False

    def evaluate(self, read_register: ReadRegister, read_memory: ReadMemory) -> int:
        """Return what is there; EvaluationError where it cannot be read."""
        address = self.address.evaluate(read_register, read_memory)
        data = read_memory(address, self.size)
        if len(data) < self.size:
            raise EvaluationError(f"{address:#x} cannot be read")
        return int.from_bytes(data[:self.size], "big" if self.big else "little", signed=self.signed) & MASK

    def native(self, place: Place) -> Tree | None:
        """Return the tree."""
        address = self.address.native(place)
        return None if address is None or self.size not in (1, 2, 4, 8) else \
            ("load_big" if self.big else "load", self.size, self.signed, address)


@dataclass(frozen=True)
class Extend:
    """The low `bits` of a value, zero- or sign-extended."""

    value: Expression
    bits: int
    signed: bool

    def evaluate(self, read_register: ReadRegister, read_memory: ReadMemory) -> int:
        """Return the extended value."""
        return extended(self.value.evaluate(read_register, read_memory), self.bits, signed=self.signed)

    def native(self, place: Place) -> Tree | None:
        """Return the tree."""
        value = self.value.native(place)
        return None if value is None or self.bits <= 0 else ("extend", self.bits, self.signed, value)


def extended(value: int, bits: int, *, signed: bool) -> int:
    """Return the low bits of a value, extended to 64."""
    if not 0 < bits < 64:
        return value & MASK if bits else 0
    low = value & ((1 << bits) - 1)
    return (low - (1 << bits)) & MASK if signed and low >> (bits - 1) else low


@dataclass(frozen=True)
class Unary:
    """`not` (1 for 0, else 0) or `invert`."""

    operation: str
    value: Expression

    def evaluate(self, read_register: ReadRegister, read_memory: ReadMemory) -> int:
        """Return the result."""
        value = self.value.evaluate(read_register, read_memory)
        return int(value == 0) if self.operation == "not" else ~value & MASK

    def native(self, place: Place) -> Tree | None:
        """Return the tree."""
        value = self.value.native(place)
        return None if value is None else (self.operation, value)


@dataclass(frozen=True)
class Binary:
    """An operation of OPERATIONS."""

    operation: str
    left: Expression
    right: Expression

    def evaluate(self, read_register: ReadRegister, read_memory: ReadMemory) -> int:
        """Return the result; EvaluationError for a division by zero."""
        left = self.left.evaluate(read_register, read_memory)
        right = self.right.evaluate(read_register, read_memory)
        try:
            return OPERATIONS[self.operation](left, right) & MASK
        except ZeroDivisionError:
            raise EvaluationError("division by zero") from None

    def native(self, place: Place) -> Tree | None:
        """Return the tree."""
        left, right = self.left.native(place), self.right.native(place)
        return None if left is None or right is None else (self.operation, left, right)


@dataclass(frozen=True)
class Select:
    """One of two values; the other one is not evaluated."""

    condition: Expression
    then: Expression
    otherwise: Expression

    def evaluate(self, read_register: ReadRegister, read_memory: ReadMemory) -> int:
        """Return the chosen value."""
        chosen = self.then if self.condition.evaluate(read_register, read_memory) else self.otherwise
        return chosen.evaluate(read_register, read_memory)

    def native(self, place: Place) -> Tree | None:
        """Return the tree."""
        parts = [part.native(place) for part in (self.condition, self.then, self.otherwise)]
        return None if None in parts else ("select", *parts)


def signed(value: int) -> int:
    """Return a 64-bit value as a signed number."""
    return value - (1 << 64) if value >> 63 else value


def _quotient(left: int, right: int) -> int:
    result = abs(left) // abs(right)
    return result if (left < 0) == (right < 0) else -result


OPERATIONS: dict[str, Operation] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div_signed": lambda a, b: _quotient(signed(a), signed(b)),
    "div_unsigned": lambda a, b: a // b,
    "rem_signed": lambda a, b: signed(a) - signed(b) * _quotient(signed(a), signed(b)),
    "rem_unsigned": lambda a, b: a % b,
    "lsh": lambda a, b: a << b if b < 64 else 0,
    "rsh_signed": lambda a, b: signed(a) >> min(b, 63),
    "rsh_unsigned": lambda a, b: a >> b if b < 64 else 0,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "equal": lambda a, b: int(a == b),
    "less_signed": lambda a, b: int(signed(a) < signed(b)),
    "less_unsigned": lambda a, b: int(a < b),
}
