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

from xemu.errors import XemuError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

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


def argument_struct(types: tuple[str, ...], *, bits: int, order: str, pairs_aligned: bool) -> struct.Struct:
    """Return how to read a call's arguments from the argument registers as they lie in memory."""
    codes, used = order, 0
    for name in types:
        kind = TYPES[name]
        if bits == 64:
            low = {"i": "i4x", "u": "I4x"} if order == "<" else {"i": "4xi", "u": "4xI"}
            codes += low.get(kind, "q" if kind in "lq" else "Q")
            used += 1
        elif kind in "qQ":
            if pairs_aligned and used & 1:
                codes, used = codes + "4x", used + 1
            codes, used = codes + kind, used + 2
        else:
            codes += "i" if kind in "il" else "I"
            used += 1
    return struct.Struct(codes)


Entry = tuple["Function", "Callable[..., tuple[int, ...]]", Row]


def dispatch_table(abi: Any) -> list[Entry | None]:
    """Return the rows by number for one architecture; holes are None."""
    numbers: dict[str, int] = abi.numbers
    table: list[Entry | None] = [None] * (max(n for n in numbers.values() if n < 0x1000) + 1)
    cache: dict[tuple[str, ...], Callable[..., tuple[int, ...]]] = {}
    for name, row in ROWS.items():
        number = numbers.get(name)
        if number is None:
            continue
        unpack = cache.get(row.types)
        if unpack is None:
            layout = argument_struct(row.types, bits=abi.bits, order=abi.order, pairs_aligned=abi.pairs_aligned)
            unpack = cache[row.types] = layout.unpack_from
        if number < len(table):
            table[number] = (row.function, unpack, row)
        else:
            abi.private_calls[number] = (row.function, unpack, row)
    return table


def find_row(name: str) -> Row:
    """Return a row by name; XemuError names the near miss."""
    if name not in ROWS:
        import difflib

        near = difflib.get_close_matches(name, ROWS, 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise XemuError(f"no system call '{name}'{hint}")
    return ROWS[name]
