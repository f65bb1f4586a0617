"""Watchpoints by what they watch: an address, an expression in C, a register; those on local variables end with their frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xemu.debug.expressions import Binary, Const, Register
from xemu.debug.location import UnavailableError
from xemu.debug.points import Breakpoint, Watchpoint
from xemu.errors import UsageError, XemuError

if TYPE_CHECKING:
    from xemu.debug.expressions import Expression
    from xemu.debug.points import Point
    from xemu.debug.source import Source
    from xemu.debug.values import Value


@dataclass(eq=False)
class ScopeEnd(Breakpoint):
    """Ends a watchpoint on a local variable: where its function returns to, and (backwards) where it was entered."""

    watchpoint: Watchpoint | None = None
    stack: str = "sp"
    stacks: tuple[int, ...] = ()         # the stack pointer at each of the addresses

    def condition_at(self, address: int) -> Expression | None:
        """Return what tells this call of the function from others."""
        return Binary("equal", Register(self.stack), Const(self.stacks[self.addresses.index(address)]))

    def __str__(self) -> str:
        return f"{self.watchpoint} ends with its frame"


def watched(source: Source, where: int | str, length: int | None, access: str) -> tuple[Watchpoint, Point | None]:
    """Return a watchpoint, and what ends it. UsageError where there is nothing to watch."""
    if length is not None and length < 1:
        raise UsageError(f"a watchpoint on {length} bytes")
    if isinstance(where, str) and where.startswith("$"):
        if access != "w":
            raise UsageError("registers are watched for changes only")
        name = where[1:]
        if source.system.read_register(name) is None:
            raise UsageError(f"no register {where}")
        return Watchpoint(register=name, where=where, length=0), None
    address = _number(where)
    words = where if isinstance(where, str) else ""
    if address is not None:
        return Watchpoint(address=address, length=length or source.architecture.word, access=access, where=words), None
    try:
        value = source.evaluate(words)
        address, size = _place(words, value)
    except XemuError:
        found = _symbol(source, words)
        if found is None:
            raise
        return Watchpoint(address=found[0], length=length or found[1] or source.architecture.word, access=access, where=words), None
    point = Watchpoint(address=address, length=length or size, access=access, where=words)
    return point, _scope_end(source, point)


def _number(where: int | str) -> int | None:
    try:
        return int(where, 0) if isinstance(where, str) else where
    except ValueError:
        return None


def _symbol(source: Source, words: str) -> tuple[int, int] | None:
    """Return address and size of a symbol."""
    for module in source.modules:
        symbol = module.find(words)
        if symbol is not None:
            return symbol.address, symbol.size
    known = source.system.address_of(words)
    return (known, 0) if known is not None else None


def _place(words: str, value: Value) -> tuple[int, int]:
    """Return address and length of what an expression names."""
    if value.register is not None:
        raise UsageError(f"{words} is in a register here: watch ${value.register}")
    piece = value.pieces[0] if len(value.pieces) == 1 else None
    if piece is None or piece.address is None:
        try:
            value.data()
        except UnavailableError as error:
            raise UsageError(f"{words} cannot be watched: {error}") from None
        raise UsageError(f"{words} cannot be watched: it is not in memory")
    first = piece.offset // 8
    bits = value.bits or 8 * value.size
    return piece.address + first, (piece.offset % 8 + bits + 7) // 8


def _scope_end(source: Source, point: Watchpoint) -> Point | None:
    """Return what ends a watchpoint with the newest frame, if it watches that frame's memory."""
    frames = source.frames(limit=8)
    frame = frames[0]
    caller = next((f for f in frames if f.registers is not frame.registers and not f.exception and not f.signal), None)
    if frame.cfa is None or caller is None or not frame.sp <= point.address < frame.cfa:
        return None
    arch = source.architecture
    stack = caller.sp
    places = {caller.pc: stack}
    function = frame.module.function(frame.lookup) if frame.module else None
    if function is not None and frame.module is not None:
        for entry in (function.start, frame.module.local_entry(function.start)):
            places[entry] = frame.cfa if arch.link else frame.cfa - arch.address_bytes
    return ScopeEnd(owner="scope", once=True, addresses=tuple(places), watchpoint=point, where=point.where,
                    stacks=tuple(places.values()), stack=arch.sp)


__all__ = ["ScopeEnd", "watched"]
