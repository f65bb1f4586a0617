"""Scanning instructions of variable length: a target's straight-line description, run on Python's integers or as native code.

A scan turns bytes into a word of fixed width, whose low 64 bits (the head) the decode tables look at. It sees its bytes through
a `Machine`, combines values with Python's operators (all are unsigned; comparisons give 0 or 1) and chooses with `sel`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from xemu.core.handlers import CodeEmitter


class Machine(Protocol):
    """What a scan may do besides arithmetic."""

    def start(self, *values: int) -> tuple[Any, ...]:
        """Return values of the machine for constants."""

    def sel(self, c: Any, x: Any, y: Any) -> Any:
        """Return x where c is 1, y where it is 0."""

    def byte(self, at: Any) -> Any:
        """Return a byte of the instruction."""

    def unsigned(self, at: Any, size: Any) -> Any:
        """Return `size` bytes (0 to 8) from `at`."""

    def signed(self, at: Any, size: Any) -> Any:
        """Return `size` bytes (0, 1, 2, 4) from `at` as a signed number of 64 bits."""

    def lookup(self, table: bytes, index: Any) -> Any:
        """Return an entry of a table."""

    def is_zero(self, value: Any) -> bool:
        """Return whether a value is known to be 0."""


class Integers:
    """A machine on Python's integers."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def start(self, *values: int) -> tuple[int, ...]:
        """Return the constants."""
        return values

    def sel(self, c: int, x: int, y: int) -> int:
        """Choose."""
        return x if c else y

    def byte(self, at: int) -> int:
        """Read a byte."""
        return self.data[at]

    def unsigned(self, at: int, size: int) -> int:
        """Read a number."""
        return int.from_bytes(self.data[at:at + size], "little")

    def signed(self, at: int, size: int) -> int:
        """Read a signed number."""
        return int.from_bytes(self.data[at:at + size], "little", signed=True) & 0xFFFFFFFFFFFFFFFF

    def lookup(self, table: bytes, index: int) -> int:
        """Look up."""
        return table[index]

    def is_zero(self, value: int) -> bool:
        """Test."""
        return value == 0


class Value:
    """A value of native code: the name of an i64."""

    __slots__ = ("machine", "name")

    def __init__(self, machine: NativeMachine, name: str) -> None:
        self.machine, self.name = machine, name

    def _two(self, op: str, other: Value | int) -> Value:
        return self.machine.new(f"{op} i64 {self.name}, {self.machine.operand(other)}")

    def _swapped(self, op: str, other: int) -> Value:
        return self.machine.new(f"{op} i64 {other}, {self.name}")

    def _compare(self, op: str, other: Value | int) -> Value:
        bit = self.machine.em.let(f"icmp {op} i64 {self.name}, {self.machine.operand(other)}")
        return self.machine.new(f"zext i1 {bit} to i64")

    def __add__(self, other: Value | int) -> Value:
        return self._two("add", other)

    __radd__ = __add__

    def __and__(self, other: Value | int) -> Value:
        return self._two("and", other)

    __rand__ = __and__

    def __or__(self, other: Value | int) -> Value:
        return self._two("or", other)

    __ror__ = __or__

    def __xor__(self, other: Value | int) -> Value:
        return self._two("xor", other)

    def __lshift__(self, other: int) -> Value:
        return self._two("shl", other)

    def __rshift__(self, other: int) -> Value:
        return self._two("lshr", other)

    def __eq__(self, other: object) -> Value:  # type: ignore[override]
        return self._compare("eq", other)  # type: ignore[arg-type]

    def __ne__(self, other: object) -> Value:  # type: ignore[override]
        return self._compare("ne", other)  # type: ignore[arg-type]

    def __gt__(self, other: Value | int) -> Value:
        return self._compare("ugt", other)

    __hash__ = None  # type: ignore[assignment]


class NativeMachine:
    """A machine that emits LLVM text. `globals` gets the tables, to stand before the function."""

    def __init__(self, em: CodeEmitter, bytes_at: str) -> None:
        self.em, self.bytes_at = em, bytes_at
        self.globals: dict[bytes, str] = {}

    def new(self, expression: str) -> Value:
        """Name an expression."""
        return Value(self, self.em.let(expression))

    def operand(self, value: Value | int) -> str:
        """Return the name of a value, or a constant."""
        return value.name if isinstance(value, Value) else str(int(value))

    def start(self, *values: int) -> tuple[Value, ...]:
        """Return the constants."""
        return tuple(Value(self, str(v)) for v in values)

    def sel(self, c: Value, x: Value | int, y: Value | int) -> Value:
        """Choose."""
        bit = self.em.let(f"trunc i64 {c.name} to i1")
        return self.new(f"select i1 {bit}, i64 {self.operand(x)}, i64 {self.operand(y)}")

    def _load(self, at: Value | int, kind: str) -> str:
        place = self.em.let(f"getelementptr i8, ptr {self.bytes_at}, i64 {self.operand(at)}")
        return self.em.let(f"load {kind}, ptr {place}, align 1")

    def byte(self, at: Value | int) -> Value:
        """Read a byte."""
        return self.new(f"zext i8 {self._load(at, 'i8')} to i64")

    def unsigned(self, at: Value, size: Value) -> Value:
        """Read a number."""
        whole = Value(self, self._load(at, "i64"))
        count = size.name
        ones = self.em.let("shl i64 1, " + self.em.let(f"shl i64 {count}, 3"))
        mask = self.em.let(f"sub i64 {ones}, 1")
        return self.sel(size > 7, whole, whole & Value(self, self.em.let(f"select i1 {self._short(count)}, i64 {mask}, i64 0")))

    def _short(self, count: str) -> str:
        return self.em.let(f"icmp ult i64 {count}, 8")

    def signed(self, at: Value, size: Value) -> Value:
        """Read a signed number."""
        result: Value | int = 0
        for n in (1, 2, 4):
            result = self.sel(size == n, self.new(f"sext i{8 * n} {self._load(at, f'i{8 * n}')} to i64"), result)
        assert isinstance(result, Value)
        return result

    def lookup(self, table: bytes, index: Value) -> Value:
        """Look up."""
        name = self.globals.setdefault(table, f"@scan_table_{len(self.globals)}")
        place = self.em.let(f"getelementptr i8, ptr {name}, i64 {index.name}")
        return self.new(f"zext i8 {self.em.let(f'load i8, ptr {place}, align 1')} to i64")

    def is_zero(self, _value: Value) -> bool:
        """Return that nothing is known."""
        return False

    def tables(self, prefix: str) -> str:
        """Return the definitions of the tables, named after `prefix`."""
        out = ""
        for table, name in self.globals.items():
            text = "".join(f"\\{byte:02X}" for byte in table)
            out += f"{name.replace('@scan', '@' + prefix)} = private constant [{len(table)} x i8] c\"{text}\"\n"
        return out
