"""System calls as rows: name, argument types, function. One table drives dispatch, --strace and logs.

    @call("pread64 fd out:size size off64")
    def pread64(task, fd, address, count, offset): ...

Each word is an argument type: `TYPE` or `TYPE:DETAIL` (see `TYPES` here and the formatters in strace.py).
The function gets the guest thread and the arguments as Python integers, signed or not as their type says,
and returns the result or a negative errno. OSError and GuestFault it raises become -errno and -EFAULT. A
call that must wait returns a generator (see schedule.py).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from xemu.core.layout import LITTLE
from xemu.errors import XemuError
from xemu.user.task import KEEP, Inner, Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import TypeVar

    from xemu.user.abi import Abi
    from xemu.user.task import Task, Wait

    Function = Callable[..., Any]
    F = TypeVar("F", bound=Function)

# type -> kind: i u 32 bits (signed, unsigned), l p one register (signed, unsigned), q Q 64 bits
TYPES = {
    "int": "i", "uint": "u", "long": "l", "ulong": "p", "size": "p", "ssize": "l", "hex": "p", "i64": "q", "u64": "Q",
    "fd": "i", "dirfd": "i", "pid": "i", "uid": "u", "mode": "u", "dev": "u", "signal": "i", "off": "l", "off64": "q",
    "ptr": "p", "path": "p", "str": "p", "in": "p", "out": "p", "iov": "p", "msg": "p", "argv": "p", "set": "p",
    "struct": "p", "sockaddr": "p", "flags": "u", "enum": "i", "lflags": "p", "ints": "p", "sigset": "p",
    "uid16": "u",
}  # fmt: skip


class Row:
    """One system call."""

    __slots__ = ("details", "function", "name", "names", "restart", "result", "types")

    def __init__(self, spec: str, function: Function, result: str, *, restart: bool) -> None:
        """Read "name type type:detail …"."""
        self.name, *words = spec.split()
        self.types = tuple(word.partition(":")[0] for word in words)
        self.details = tuple(word.partition(":")[2] for word in words)
        self.function = function
        self.names = function.__code__.co_varnames[1 : function.__code__.co_argcount]
        self.result = result
        self.restart = restart
        if len(self.names) != len(self.types):
            raise AssertionError(f"{self.name}: {len(self.types)} types for {self.names}")


ROWS: dict[str, Row] = {}


def call(spec: str, result: str = "int", *, restart: bool = True) -> Callable[[F], F]:
    """Register a system call; `restart`: an interrupted call starts again under SA_RESTART (signal(7))."""

    def register(function: F) -> F:
        row = Row(spec, function, result, restart=restart)
        if row.name in ROWS:
            raise AssertionError(f"system call {row.name} is defined twice")
        ROWS[row.name] = row
        return function

    return register


Entry = tuple["Function", "Callable[[Any, int], tuple[int, ...]]", Row]


def argument_registers(types: tuple[str, ...], *, bits: int, pairs_aligned: bool = False) -> list[tuple[int, ...]]:
    """Return which registers of arguments hold each argument of a call: one, or two where it is wider than a register."""
    found: list[tuple[int, ...]] = []
    used = 0
    for name in types:
        wide = bits == 32 and TYPES[name] in "qQ"
        if wide and pairs_aligned:
            used += used & 1
        found.append((used, used + 1) if wide else (used,))
        used += len(found[-1])
    return found


def argument_reader(
    types: tuple[str, ...], places: list[int], *, bits: int, order: str, pairs: str = "", pairs_aligned: bool = False,
    registers: tuple[int, ...] = (), start: int = 0,
) -> Callable[[Any, int], tuple[int, ...]]:
    """Return what reads a call's arguments from a buffer, given the place of the first register of arguments.

    `order`: that of the bytes in the buffer; `pairs`: of the two registers that hold what one cannot ('>': the upper half is
    first), if it is another.
    `places`: of all registers, from the first; `registers`: those of the arguments where that is not their order; `start`: where the
    first one really is.
    """
    fields: list[tuple[int, str]] = []  # place and code of each part of an argument
    parts: list[list[int]] = []  # of each argument, numbers of fields: one, or the low and the high part
    held = [(n,) for n in registers] if registers else argument_registers(types, bits=bits, pairs_aligned=pairs_aligned)
    for name, numbers in zip(types, held, strict=True):
        kind = TYPES[name]
        narrow = kind in "iu" or (bits == 32 and kind in "lp")
        signed = "il" if kind in "il" else "q" if kind == "q" else ""
        if narrow:
            shift = 4 if bits == 64 and order != LITTLE else 0
            pieces = [(places[numbers[0]] + shift, "i" if signed else "I")]
        elif len(numbers) == 1:
            pieces = [(places[numbers[0]], "q" if signed else "Q")]
        elif places[numbers[1]] - places[numbers[0]] == 4 and pairs in ("", order):
            pieces = [(places[numbers[0]], kind)]
        else:
            low, high = numbers if (pairs or order) == LITTLE else numbers[::-1]
            pieces = [(places[low], "I"), (places[high], "i" if signed else "I")]
        parts.append(list(range(len(fields), len(fields) + len(pieces))))
        fields += pieces
    return _reader(fields, parts, order, start)


def _reader(fields: list[tuple[int, str]], parts: list[list[int]], order: str, start: int) -> Callable[[Any, int], tuple[int, ...]]:
    """Return a function that reads fields and puts the arguments together: `struct` alone where memory has them in order."""
    by_place = sorted(range(len(fields)), key=lambda n: fields[n][0])
    codes, at = order, min([place for place, _ in fields], default=0)
    first = at + start
    for number in by_place:
        place, code = fields[number]
        codes += f"{place - at}x{code}" if place > at else code
        at = place + struct.calcsize(code)
    unpack = struct.Struct(codes).unpack_from
    if first == 0 and [[n] for n in by_place] == parts:
        return unpack
    names = {number: f"v{i}" for i, number in enumerate(by_place)}
    values = "".join((names[p[0]] if len(p) == 1 else f"{names[p[0]]} | {names[p[1]]} << 32") + "," for p in parts)
    arrange = eval(f"lambda {', '.join(f'v{i}' for i in range(len(fields)))}: ({values})")
    return lambda buffer, where: arrange(*unpack(buffer, where + first))


def memory_reader(row: Row, abi: Abi) -> Callable[[Any, int], tuple[int, ...]]:
    """Return what reads a call's arguments from an array of words (socketcall)."""
    word = abi.bits // 8
    return argument_reader(row.types, [word * n for n in range(8)], bits=abi.bits, order=abi.order, pairs=abi.order)


def dispatch_table(abi: Abi, places: list[int], start: int = 0) -> list[Entry | None]:
    """Return the rows by number for one architecture; holes are None. `places`, `start`: as for `argument_reader`.

    Registers lie in the state block, which is little-endian whatever the guest's memory is.
    """
    numbers = abi.numbers
    table: list[Entry | None] = [None] * (max(n for n in numbers.values() if n < 0x1000) + 1)
    cache: dict[tuple[Any, ...], Callable[[Any, int], tuple[int, ...]]] = {}
    for name, row in ROWS.items():
        number = numbers.get(name)
        if number is None:
            continue
        registers = abi.argument_order.get(name, ())
        unpack = cache.get((row.types, registers))
        if unpack is None:
            unpack = cache[row.types, registers] = argument_reader(
                row.types, places, bits=abi.bits, order=LITTLE, pairs=abi.order, pairs_aligned=abi.pairs_aligned, registers=registers,
                start=start)
        if number < len(table):
            table[number] = (row.function, unpack, row)
        else:
            abi.private_calls[number] = (row.function, unpack, row)
    return table


def under(abi: Abi, function: Function) -> Function:
    """Return a call's function that sees the process as one of another ABI, as long as it runs."""

    def run(task: Task, *arguments: int) -> Any:
        process = task.process
        own, process.abi = process.abi, abi
        try:
            result = function(task, *arguments)
        finally:
            process.abi = own
        if result.__class__ is Inner:
            return Inner(waiting(task, result.call), result.row)
        return result if result.__class__ is int or result is KEEP else waiting(task, result)

    def waiting(task: Task, call: Any) -> Generator[Wait, Wait, Any]:
        process = task.process
        advance: Any = call.send
        value: Any = None
        try:
            while True:
                own, process.abi = process.abi, abi
                try:
                    wait = advance(value)
                except StopIteration as stop:
                    return stop.value
                finally:
                    process.abi = own
                try:
                    advance, value = call.send, (yield wait)
                except Interrupted as interruption:
                    advance, value = call.throw, interruption
        finally:
            call.close()

    return run


def find_row(name: str) -> Row:
    """Return a row by name; XemuError names the near miss."""
    if name not in ROWS:
        import difflib

        near = difflib.get_close_matches(name, ROWS, 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise XemuError(f"no system call '{name}'{hint}")
    return ROWS[name]
