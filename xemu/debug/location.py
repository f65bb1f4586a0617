"""DWARF expressions (DWARF 5, 2.5 and 2.6): where a value is, or what it is."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xemu.debug.dwarf_forms import DamagedError, sleb, take, uleb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xemu.debug.architectures import Architecture
    from xemu.debug.dwarf_unit import Die, Unit
    from xemu.debug.symbols import ReadMemory

MAX_STEPS = 10_000
MAX_STACK = 200
MAX_DEPTH = 8              # of entry values and calls


class UnavailableError(Exception):
    """A value cannot be known here: the reason is the message ("optimized out", "r3 is not known in this frame")."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Where a part of a value is: in memory, in a register, a constant, or nowhere (all None: optimized out)."""

    bits: int | None = None            # size; None: the whole value
    address: int | None = None
    register: str | None = None
    constant: bytes | None = None
    offset: int = 0                    # bits into memory, register or constant
    pointer: tuple[Any, int] | None = None   # implicit pointer: (the entry pointed to, byte offset)


@dataclass(slots=True)
class Context:
    """What expressions may ask for. Addresses of the file become run-time ones by adding `bias`."""

    architecture: Architecture
    registers: Mapping[str, int]
    read_memory: ReadMemory
    bias: int = 0
    cfa: Callable[[], int | None] = lambda: None
    frame_base: Callable[[], int | None] = lambda: None
    thread_pointer: Callable[[int], int | None] | None = None   # offset in the module's thread-local block -> address
    entry_value: Callable[[bytes], int | None] = lambda _: None
    object_address: int | None = None
    numbers: Mapping[int, int] = field(default_factory=dict)    # translation of register numbers (.eh_frame)
    depth: int = 0

    def register_name(self, number: int) -> str:
        """Return the name of a register; DamagedError for a number the architecture does not have."""
        name = self.architecture.dwarf.get(self.numbers.get(number, number))
        if name is None:
            raise DamagedError(f"register {number} of {self.architecture.name}")
        return name

    def register(self, number: int) -> int:
        """Return a register's value; UnavailableError if it is not known."""
        return read_register(self.architecture, self.registers, self.register_name(number))

    def load(self, address: int, size: int) -> int:
        """Return a number in memory; UnavailableError if it cannot be read."""
        data = self.read_memory(address, size)
        if data is None:
            raise UnavailableError(f"cannot access memory at address {address:#x}")
        return self.architecture.number(data)


def read_register(architecture: Architecture, registers: Mapping[str, int], name: str) -> int:
    """Return a register, also one that is a part of another; UnavailableError."""
    value = registers.get(name)
    if value is not None:
        return value
    if name in architecture.parts:
        whole, at, size = architecture.parts[name]
        if whole in registers:
            return registers[whole] >> 8 * at & ((1 << 8 * size) - 1)
    raise UnavailableError(f"{name} is not known in this frame")


def evaluate(expression: bytes, context: Context, unit: Unit | None = None, *, initial: int | None = None) -> list[Piece]:
    """Return where a value is: one piece, or several that make it up, lowest first; no piece: optimized out."""
    return _Machine(context, unit, initial).locate(expression)


def compute(expression: bytes, context: Context, unit: Unit | None = None, *, initial: int | None = None) -> int:
    """Return the number that an expression leaves on its stack (call frames, frame bases, bounds)."""
    machine = _Machine(context, unit, initial)
    pieces = machine.locate(expression)
    if len(pieces) != 1:
        raise UnavailableError("optimized out")
    piece = pieces[0]
    if piece.register is not None:                     # DW_OP_regN as a frame base means what the register holds
        return read_register(context.architecture, context.registers, piece.register)
    if piece.constant is not None:
        return context.architecture.number(piece.constant)
    if piece.address is None:
        raise UnavailableError("optimized out")
    return piece.address


_BINARY: dict[int, Callable[[int, int, int], int]] = {
    0x1A: lambda a, b, _: a & b, 0x1C: lambda a, b, _: a - b, 0x1E: lambda a, b, _: a * b,
    0x21: lambda a, b, _: a | b, 0x22: lambda a, b, _: a + b, 0x27: lambda a, b, _: a ^ b,
    0x24: lambda a, b, bits: a << b if b < bits else 0, 0x25: lambda a, b, bits: a >> b if b < bits else 0,
    0x26: lambda a, b, bits: signed(a, bits) >> min(b, bits),
}  # fmt: skip
_COMPARE: dict[int, Callable[[int, int], bool]] = {
    0x29: lambda a, b: a == b, 0x2A: lambda a, b: a >= b, 0x2B: lambda a, b: a > b,
    0x2C: lambda a, b: a <= b, 0x2D: lambda a, b: a < b, 0x2E: lambda a, b: a != b,
}  # fmt: skip
_CONSTANTS = {0x08: "B", 0x09: "b", 0x0A: "H", 0x0B: "h", 0x0C: "I", 0x0D: "i", 0x0E: "Q", 0x0F: "q"}


def signed(value: int, bits: int) -> int:
    """Return a number of `bits` bits as a signed one."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


class _Machine:
    """The stack machine (2.5.1). Operations on typed values (2.5.1.6) compute on integers of the type's size."""

    def __init__(self, context: Context, unit: Unit | None, initial: int | None) -> None:
        self.context, self.unit = context, unit
        self.bits = context.architecture.bits
        self.mask = (1 << self.bits) - 1
        self.order = "<" if context.architecture.little else ">"
        self.stack: list[int] = [] if initial is None else [initial]
        self.place: Piece | None = None                # set by operations that name a place instead of computing one
        self.is_value = False
        self.data = b""
        self.at = 0

    def push(self, value: int) -> None:
        if len(self.stack) >= MAX_STACK:
            raise DamagedError("an expression that fills its stack")
        self.stack.append(value & self.mask)

    def pop(self) -> int:
        return self.stack.pop()

    def locate(self, expression: bytes) -> list[Piece]:
        """Run an expression and return the places."""
        pieces: list[Piece] = []
        self.data, self.at = expression, 0
        if self.context.depth > MAX_DEPTH:
            raise DamagedError("expressions that use each other")
        if not expression and not self.stack:
            return []
        for _ in range(MAX_STEPS):
            if self.at >= len(self.data):
                break
            opcode, self.at = self.data[self.at], self.at + 1
            if opcode in (0x93, 0x9D):                 # piece, bit_piece
                size, self.at = uleb(self.data, self.at)
                offset = 0
                if opcode == 0x9D:
                    offset, self.at = uleb(self.data, self.at)
                pieces.append(self._finish(size if opcode == 0x9D else 8 * size, offset))
            else:
                self._step(opcode)
        else:
            raise DamagedError("an expression without end")
        if pieces:
            return pieces
        return [self._finish(None, 0)]

    def _finish(self, bits: int | None, offset: int) -> Piece:
        """Make the piece of what was computed since the last one."""
        place, self.place = self.place, None
        value, self.is_value = self.is_value, False
        if place is not None:
            return Piece(bits, place.address, place.register, place.constant, offset, place.pointer)
        if not self.stack:
            return Piece(bits)
        top = self.stack.pop()
        if value:
            return Piece(bits, constant=self.context.architecture.encode(top, self.bits // 8), offset=offset)
        return Piece(bits, address=top, offset=offset)

    def _number(self, code: str) -> int:
        layout = struct.Struct(self.order + code)
        (value,) = layout.unpack_from(self.data, self.at)
        self.at += layout.size
        return int(value)

    def _uleb(self) -> int:
        value, self.at = uleb(self.data, self.at)
        return value

    def _sleb(self) -> int:
        value, self.at = sleb(self.data, self.at)
        return value

    def _block(self) -> bytes:
        size = self._uleb()
        block, self.at = take(self.data, self.at, size)
        return block

    def _step(self, opcode: int) -> None:
        """Do one operation (7.7.1, table 7.9)."""
        stack, bits = self.stack, self.bits
        if 0x30 <= opcode <= 0x4F:                     # lit0 …
            self.push(opcode - 0x30)
        elif 0x50 <= opcode <= 0x6F:                   # reg0 …
            self.place = Piece(register=self.context.register_name(opcode - 0x50))
        elif 0x70 <= opcode <= 0x8F:                   # breg0 …
            offset = self._sleb()
            self.push(self.context.register(opcode - 0x70) + offset)
        elif opcode in _CONSTANTS:
            self.push(self._number(_CONSTANTS[opcode]))
        elif opcode in _BINARY:
            second, first = self.pop(), self.pop()
            self.push(_BINARY[opcode](first, second, bits))
        elif opcode in _COMPARE:
            second, first = self.pop(), self.pop()
            self.push(int(_COMPARE[opcode](signed(first, bits), signed(second, bits))))
        else:
            self._other(opcode, stack)

    def _other(self, opcode: int, stack: list[int]) -> None:
        context, bits = self.context, self.bits
        match opcode:
            case 0x03: self.push(self._number("I" if bits == 32 else "Q") + context.bias)   # addr
            case 0x06: self.push(context.load(self.pop(), bits // 8))                       # deref
            case 0x10: self.push(self._uleb())                                              # constu
            case 0x11: self.push(self._sleb())                                              # consts
            case 0x12: self.push(stack[-1])                                                 # dup
            case 0x13: self.pop()                                                           # drop
            case 0x14: self.push(stack[-2])                                                 # over
            case 0x15: self.push(stack[-1 - self._index()])                                 # pick
            case 0x16: stack[-1], stack[-2] = stack[-2], stack[-1]                          # swap
            case 0x17: stack[-1], stack[-2], stack[-3] = stack[-2], stack[-3], stack[-1]    # rot
            case 0x19: self.push(abs(signed(self.pop(), bits)))                             # abs
            case 0x1B | 0x1D: self._divide(opcode)                                          # div, mod
            case 0x1F: self.push(-self.pop())                                               # neg
            case 0x20: self.push(~self.pop())                                               # not
            case 0x23: self.push(self.pop() + self._uleb())                                 # plus_uconst
            case 0x28 | 0x2F: self._jump(opcode)                                            # bra, skip
            case 0x90: self.place = Piece(register=context.register_name(self._uleb()))     # regx
            case 0x91: self._frame_base()                                                   # fbreg
            case 0x92:                                                                      # bregx
                number, offset = self._uleb(), self._sleb()
                self.push(context.register(number) + offset)
            case 0x94: self._sized_load()                                                   # deref_size
            case 0x96: pass                                                                 # nop
            case 0x97:                                                                      # push_object_address
                if context.object_address is None:
                    raise UnavailableError("no object here")
                self.push(context.object_address)
            case 0x98 | 0x99 | 0x9A: self._call(opcode)                                     # call2, call4, call_ref
            case 0x9B | 0xE0: self._thread_local()                                          # form_tls_address, GNU_push_tls_address
            case 0x9C: self.push(self._required(context.cfa(), "the frame's address"))      # call_frame_cfa
            case 0x9E: self.place = Piece(constant=self._block())                           # implicit_value
            case 0x9F: self.is_value = True                                                 # stack_value
            case 0xA0 | 0xF2: self._implicit_pointer(opcode)                                # implicit_pointer, GNU_…
            case 0xA1 | 0xFB: self.push(self._indexed(self._uleb()) + context.bias)         # addrx, GNU_addr_index
            case 0xA2 | 0xFC: self.push(self._indexed(self._uleb()))                        # constx, GNU_const_index
            case 0xA3 | 0xF3: self._entry_value()                                           # entry_value, GNU_entry_value
            case 0xA4 | 0xF4: self._typed_constant()                                        # const_type, GNU_const_type
            case 0xA5 | 0xF5:                                                               # regval_type, GNU_regval_type
                number, _ = self._uleb(), self._uleb()
                self.push(context.register(number))
            case 0xA6 | 0xF6:                                                               # deref_type, GNU_deref_type
                self._sized_load()
                self._uleb()
            case 0xA8 | 0xA9 | 0xF7 | 0xF9: self._uleb()                                    # convert, reinterpret: integers stay
            case 0xF0: raise UnavailableError("optimized out")                              # GNU_uninit
            case _: raise UnavailableError(f"DWARF operation {opcode:#x} is not known")

    def _index(self) -> int:
        value, self.at = self.data[self.at], self.at + 1
        return value

    def _divide(self, opcode: int) -> None:
        second, first = self.pop(), self.pop()
        if not second:
            raise UnavailableError("division by zero in an expression")
        if opcode == 0x1B:
            a, b = signed(first, self.bits), signed(second, self.bits)
            quotient = abs(a) // abs(b)
            self.push(quotient if (a < 0) == (b < 0) else -quotient)
        else:
            self.push(first % second)

    def _jump(self, opcode: int) -> None:
        offset = self._number("h")
        if opcode == 0x2F or self.pop():
            self.at += offset
            if not 0 <= self.at <= len(self.data):
                raise DamagedError("a jump out of its expression")

    def _frame_base(self) -> None:
        offset = self._sleb()
        self.push(self._required(self.context.frame_base(), "the frame base") + offset)

    @staticmethod
    def _required(value: int | None, what: str) -> int:
        if value is None:
            raise UnavailableError(f"{what} is not known")
        return value

    def _sized_load(self) -> None:
        size = self._index()
        if not 1 <= size <= self.bits // 8:
            raise UnavailableError(f"a load of {size} bytes")
        self.push(self.context.load(self.pop(), size))

    def _thread_local(self) -> None:
        offset = self.pop()
        address = self.context.thread_pointer(offset) if self.context.thread_pointer else None
        if address is None:
            raise UnavailableError("the thread's own memory is not known")
        self.push(address)

    def _indexed(self, index: int) -> int:
        if self.unit is None:
            raise DamagedError("an address index outside of a unit")
        return self.unit.indexed_address(index)

    def _entry_value(self) -> None:
        value = self.context.entry_value(self._block())
        if value is None:
            raise UnavailableError("optimized out")
        self.push(value)

    def _typed_constant(self) -> None:
        self._uleb()
        size = self._index()
        block, self.at = take(self.data, self.at, size)
        self.push(self.context.architecture.number(block))

    def _implicit_pointer(self, opcode: int) -> None:
        size = self.unit.form.offset_size if self.unit else 4
        target, offset = self._number("I" if size == 4 else "Q"), self._sleb()
        self.place = Piece(pointer=(self._entry(target) if opcode else None, offset))

    def _entry(self, offset: int) -> Die | None:
        return self.unit.dwarf.unit_at(offset, self.unit.section).entry(offset) if self.unit else None

    def _call(self, opcode: int) -> None:
        """Run the location of another entry (call2, call4: in this unit)."""
        from xemu.debug.dwarf_names import AT

        if self.unit is None:
            raise DamagedError("a call outside of a unit")
        offset = self._number({0x98: "H", 0x99: "I"}.get(opcode, "I" if self.unit.form.offset_size == 4 else "Q"))
        die = self._entry(offset + (0 if opcode == 0x9A else self.unit.start))
        block = die.block(AT.location) if die else None
        if block:
            self.context.depth += 1
            if self.context.depth > MAX_DEPTH:
                raise DamagedError("expressions that call each other")
            data, at = self.data, self.at
            self.data, self.at = block, 0
            while self.at < len(self.data):
                opcode, self.at = self.data[self.at], self.at + 1
                self._step(opcode)
            self.data, self.at = data, at
            self.context.depth -= 1
