"""GDB's agent bytecode as expressions: what conditions of breakpoints and `dprintf` in agent style are made of.

GDB manual, appendix F "The GDB Agent Expression Mechanism". `translate` executes the bytecode on a stack of expressions;
a conditional branch takes both ways and joins the results with Select. What comes out is a tree of frozen nodes that can be
compiled; `evaluate` says what each node means. Loops and floating point are refused (AgentError): GDB then gets a stop each
time and evaluates the condition itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from xemu.debug.expressions import (
    OPERATIONS,
    Binary,
    Const,
    EvaluationError,
    Expression,
    Extend,
    Load,
    Register,
    Select,
    Unary,
    extended,
    signed,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    ReadRegister = Callable[[str], int | None]
    Names = Callable[[int], str]                      # number in packets -> name; AgentError
    ReadMemory = Callable[[int, int], bytes]          # maybe shorter than asked for
    Operation = Callable[[int, int], int]

MASK = (1 << 64) - 1
MOST_STEPS = 20_000                # of the translation, over all ways
MOST_NODES, DEEPEST = 2_000, 200   # of an expression, written out as a tree
LONGEST_STRING = 4096


class AgentError(Exception):
    """The bytecode is wrong, or cannot be expressed."""


# -- text: what printf in bytecode makes ---------------------------------------------------------------------------------
_CONVERSION = re.compile(rb"%([-+ #0]*)(\d*)(\.\d+)?(hh|h|ll|l|j|z|t|L)?([diouxXcsp%])", re.DOTALL)
_WIDTHS = {b"hh": 8, b"h": 16, None: 32}


@dataclass(frozen=True)
class Text:
    """A format and its arguments, as C's printf has them."""

    template: bytes
    arguments: tuple[Expression, ...]

    def text(self, read_register: ReadRegister, read_memory: ReadMemory, word: int) -> bytes:
        """Return the text; arguments that have no value show as such. `word` is the size of the guest's long."""
        rest = iter(self.arguments)

        def convert(found: re.Match[bytes]) -> bytes:
            flags, width, precision, size, letter = found.groups()
            if letter == b"%":
                return b"%"
            try:
                value = next(rest).evaluate(read_register, read_memory)
            except StopIteration:
                return found[0]
            except EvaluationError as error:
                return f"<{error}>".encode()
            if letter == b"s":
                shown: int | bytes = c_string(value, read_memory)
            elif letter == b"c":
                shown = bytes((value & 0xFF,))
            else:
                bits = 8 * word if size in (b"l", b"z", b"t") or letter == b"p" else _WIDTHS.get(size, 64)
                number = extended(value, bits, signed=letter in b"di")
                shown = signed(number) if letter in b"di" else number
            if letter == b"p":
                flags, letter = flags + b"#", b"x"
            return (b"%" + flags + width[:3] + (precision or b"")[:4] + letter.replace(b"u", b"d")) % shown

        return _CONVERSION.sub(convert, self.template)


def c_string(address: int, read_memory: ReadMemory) -> bytes:
    """Return the bytes up to a zero byte."""
    result = b""
    while len(result) < LONGEST_STRING:
        piece = read_memory(address + len(result), 64)
        if not piece:
            return result or f"<{address:#x} cannot be read>".encode()
        text, zero, _ = piece.partition(b"\0")
        result += text
        if zero:
            break
    return result


_QUOTED = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_PLAIN = dict(zip(b"abefnrtv", b"\a\b\x1b\f\n\r\t\v", strict=True))


def unquote(text: bytes) -> bytes:
    """Return a format with its backslashes replaced: GDB sends the words as they were typed."""
    def plain(found: re.Match[bytes]) -> bytes:
        code = found[1]
        return bytes((int(code, 8) & 0xFF if code.isdigit() else _PLAIN.get(code[0], code[0]),))

    return _QUOTED.sub(plain, text)


# -- translation ---------------------------------------------------------------------------------------------------------
BINARY = {0x02: "add", 0x03: "sub", 0x04: "mul", 0x05: "div_signed", 0x06: "div_unsigned", 0x07: "rem_signed", 0x08: "rem_unsigned",
          0x09: "lsh", 0x0A: "rsh_signed", 0x0B: "rsh_unsigned", 0x0F: "and", 0x10: "or", 0x11: "xor", 0x13: "equal",
          0x14: "less_signed", 0x15: "less_unsigned"}
UNARY = {0x0E: "not", 0x12: "invert"}
LOADS = {0x17: 1, 0x18: 2, 0x19: 4, 0x1A: 8}
CONSTANTS = {0x22: 1, 0x23: 2, 0x24: 4, 0x25: 8}
EXT, IF_GOTO, GOTO, REG, END, DUP, POP, ZERO_EXT, SWAP, PICK, ROT, PRINTF = (
    0x16, 0x20, 0x21, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x2B, 0x32, 0x33, 0x34)


class _Way(NamedTuple):
    """How far the execution of one way through the bytecode has come."""

    at: int
    stack: tuple[Expression, ...]


class _Translation:
    """Executes bytecode on expressions."""

    def __init__(self, code: bytes, names: Names, *, big: bool) -> None:
        self.code, self.names, self.big = code, names, big
        self.texts: list[Text] = []
        self.budget = MOST_STEPS
        self.measured: dict[int, tuple[Expression, int, int]] = {}      # id -> node, nodes below it, depth

    def operand(self, at: int, size: int) -> int:
        if at + size > len(self.code):
            raise AgentError("the bytecode ends inside an instruction")
        return int.from_bytes(self.code[at:at + size], "big")

    def run(self, way: _Way) -> Expression:
        """Follow one way to its end and return what is on top of the stack then."""
        at, stack = way.at, list(way.stack)
        while True:
            self.budget -= 1
            if self.budget < 0:
                raise AgentError("a loop, or too many ways through the bytecode")
            code = self.operand(at, 1)
            at += 1
            try:
                if code == END:
                    return stack[-1] if stack else Const(0)
                if code == GOTO:
                    at = self._target(at)
                elif code == IF_GOTO:
                    condition = stack.pop()
                    taken, following = _Way(self._target(at), tuple(stack)), _Way(at + 2, tuple(stack))
                    if isinstance(condition, Const):
                        at = taken.at if condition.value else following.at
                    else:
                        result = select(condition, self.run(taken), self.run(following))
                        self.measure(result)
                        return result
                else:
                    at = self._plain(code, at, stack)
                    if stack:
                        self.measure(stack[-1])
            except IndexError:
                raise AgentError("the bytecode takes more from its stack than there is") from None

    def measure(self, node: Expression) -> tuple[int, int]:
        """Return how large and deep a node is; AgentError for one that is too large. `dup add` again and again doubles it."""
        known = self.measured.get(id(node))
        if known is None:
            below = [self.measure(child) for child in vars(node).values() if hasattr(child, "evaluate")]
            known = node, 1 + sum(size for size, _ in below), 1 + max((depth for _, depth in below), default=0)
            self.measured[id(node)] = known
        if known[1] > MOST_NODES or known[2] > DEEPEST:
            raise AgentError("the expression is too large")
        return known[1:]

    def _target(self, at: int) -> int:
        target = self.operand(at, 2)
        if target < at:                              # GDB makes no loops; a fuzzer does
            raise AgentError("the bytecode jumps back")
        return target

    def _plain(self, code: int, at: int, stack: list[Expression]) -> int:
        """Execute an instruction that goes on to the next one; returns where that is."""
        if code in BINARY:
            right, left = stack.pop(), stack.pop()
            stack.append(binary(BINARY[code], left, right))
        elif code in UNARY:
            stack.append(Unary(UNARY[code], stack.pop()))
        elif code in LOADS:
            stack.append(Load(LOADS[code], stack.pop(), big=self.big))
        elif code in CONSTANTS:
            size = CONSTANTS[code]
            stack.append(Const(self.operand(at, size)))
            return at + size
        elif code in (EXT, ZERO_EXT):
            stack.append(extend(stack.pop(), self.operand(at, 1), signed=code == EXT))
            return at + 1
        elif code == REG:
            stack.append(Register(self.names(self.operand(at, 2))))
            return at + 2
        elif code == PICK:
            stack.append(stack[-1 - self.operand(at, 1)])
            return at + 1
        elif code == PRINTF:
            return self._printf(at, stack)
        else:
            self._shuffle(code, stack)
        return at

    @staticmethod
    def _shuffle(code: int, stack: list[Expression]) -> None:
        if code == DUP:
            stack.append(stack[-1])
        elif code == POP:
            stack.pop()
        elif code == SWAP:
            stack[-2:] = [stack[-1], stack[-2]]
        elif code == ROT:                            # a b c => c a b
            stack[-3:] = [stack[-1], stack[-3], stack[-2]]
        else:
            raise AgentError(f"bytecode {code:#04x} cannot be expressed")

    def _printf(self, at: int, stack: list[Expression]) -> int:
        count, length = self.operand(at, 1), self.operand(at + 1, 2)
        self.operand(at + 3, length)                 # all of it must be there
        template = self.code[at + 3:at + 3 + length]
        stack.pop()                                  # function and channel: ours goes to whoever set the point
        stack.pop()
        arguments = tuple(stack.pop() for _ in range(count))
        self.texts.append(Text(unquote(template.rstrip(b"\0")), arguments))
        return at + 3 + length


def binary(operation: str, left: Expression, right: Expression) -> Expression:
    """Return an operation; of constants, its result."""
    if isinstance(left, Const) and isinstance(right, Const) and not (right.value == 0 and operation.startswith(("div", "rem"))):
        return Const(OPERATIONS[operation](left.value, right.value) & MASK)
    return Binary(operation, left, right)


def extend(value: Expression, bits: int, *, signed: bool) -> Expression:
    """Return an extension; what comes from memory is extended as it is loaded."""
    if isinstance(value, Const):
        return Const(extended(value.value, bits, signed=signed))
    if isinstance(value, Load) and bits == 8 * value.size:
        return replace(value, signed=signed)
    return value if bits >= 64 else Extend(value, bits, signed)


def select(condition: Expression, then: Expression, otherwise: Expression) -> Expression:
    """Return a choice; where both are the same, that."""
    return then if then == otherwise else Select(condition, then, otherwise)


def translate(code: bytes, names: Names, *, big: bool = False) -> Expression:
    """Return the expression that a condition's bytecode computes; `big`: memory has the highest byte first. AgentError."""
    return _translated(code, names, big=big)[0]


def translate_command(code: bytes, names: Names, *, big: bool = False) -> tuple[Text, ...]:
    """Return what a command's bytecode prints; AgentError for one that does something else."""
    texts = _translated(code, names, big=big)[1]
    if not texts:
        raise AgentError("a command that prints nothing")
    return texts


def _translated(code: bytes, names: Names, *, big: bool) -> tuple[Expression, tuple[Text, ...]]:
    translation = _Translation(code, names, big=big)
    try:
        result = translation.run(_Way(0, ()))
        for text in translation.texts:
            for argument in text.arguments:
                translation.measure(argument)
        return result, tuple(translation.texts)
    except RecursionError:
        raise AgentError("too many ways through the bytecode") from None


def any_of(conditions: list[Expression]) -> Expression | None:
    """Return a condition that holds where one of several does."""
    result: Expression | None = None
    for condition in conditions:
        result = condition if result is None else select(result, Const(1), condition)
    return result
