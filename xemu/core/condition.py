"""Conditions of points, as native code: a handler that stops where an expression is not 0, and else runs the instruction.

An expression is a tree of tuples over 64-bit values:

    ("const", value)                 ("state", byte offset, bits)            a register of the state block, zero-extended
    ("load", size, signed, address)  ("extend", bits, signed, value)         little-endian memory; the low bits of a value
    ("load_big", size, signed, address)                                      big-endian memory
    ("not", value)  ("invert", value)  (BINARY, left, right)  ("select", condition, then, otherwise)

What cannot be decided here (memory off the fast path, a division by zero) stops: whoever set the point decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.memory import READ
from xemu.core.records import POINT
from xemu.core.runtime import Native, cold_of

if TYPE_CHECKING:
    from xemu.core.target import IsaSet, Target

BINARY = {"add": "add", "sub": "sub", "mul": "mul", "and": "and", "or": "or", "xor": "xor"}
COMPARE = {"equal": "eq", "less_signed": "slt", "less_unsigned": "ult"}
DIVIDE = {"div_signed": "sdiv", "div_unsigned": "udiv", "rem_signed": "srem", "rem_unsigned": "urem"}
SHIFT = {"lsh": "shl", "rsh_unsigned": "lshr", "rsh_signed": "ashr"}
MOST_NODES = 500


class ConditionEmitter(Native):
    """Emits one condition; `leave` is the label of the way out that stops."""

    def __init__(self, iset: IsaSet, address_bits: int) -> None:
        super().__init__(f"condition_{iset.name}", geometry=iset.geometry, address_bits=address_bits)
        self.address_mask = (1 << address_bits) - 1
        self.nodes = 0

    def tree(self, node: tuple[Any, ...]) -> str:
        """Return the value of a node, as i64."""
        self.nodes += 1
        if self.nodes > MOST_NODES:
            msg = f"more than {MOST_NODES} parts"
            raise ValueError(msg)
        kind, *rest = node
        if kind == "const":
            return str(rest[0] - (1 << 64) if rest[0] >> 63 else rest[0])
        if kind == "state":
            return self.extended(self.get("%st", rest[0], f"i{rest[1]}"), rest[1], signed=False)
        if kind in ("load", "load_big"):
            return self.loaded(*rest, big=kind == "load_big")
        if kind == "extend":
            bits, signed, value = rest[0], rest[1], self.tree(rest[2])
            return value if bits >= 64 else self.extended(self.let(f"trunc i64 {value} to i{bits}"), bits, signed=signed)
        if kind == "not":
            return self.flag(f"icmp eq i64 {self.tree(rest[0])}, 0")
        if kind == "invert":
            return self.op2("xor", self.tree(rest[0]), -1)
        if kind == "select":
            return self.selected(*rest)
        left, right = self.tree(rest[0]), self.tree(rest[1])
        if kind in BINARY:
            return self.op2(BINARY[kind], left, right)
        if kind in COMPARE:
            return self.flag(f"icmp {COMPARE[kind]} i64 {left}, {right}")
        if kind in SHIFT:
            return self.shifted(kind, left, right)
        if kind in DIVIDE:
            return self.divided(kind, left, right)
        msg = f"unknown operation {kind}"
        raise ValueError(msg)

    def flag(self, test: str) -> str:
        """Return a comparison as 0 or 1."""
        return self.let(f"zext i1 {self.let(test)} to i64")

    def extended(self, value: str, bits: int, *, signed: bool) -> str:
        """Return a narrow value as i64."""
        return value if bits == 64 else self.let(f"{'sext' if signed else 'zext'} i{bits} {value} to i64")

    def need(self, ok: str) -> None:
        """Go on where ok, else stop."""
        on = self.new("on")
        self.branch_if(ok, on, "leave")
        self.label(on)

    def loaded(self, size: int, signed: int, address: tuple[Any, ...], *, big: bool) -> str:
        """Return memory, where the guest itself could read it without ado."""
        if self.wide:
            at = self.tree(address)
            last = self.op2("add", at, size - 1)
            self.need(self.in_window(at))                    # the page after the window's last one has a flag, too
        else:
            at = self.op2("and", self.tree(address), self.address_mask)
            last = self.op2("and", self.op2("add", at, size - 1), self.address_mask)
            self.need(self.let(f"icmp ule i64 {at}, {last}"))
        for edge in (at, last):
            flag = self.get(self.state("flags", "ptr"), self.op2("lshr", edge, 12), "i8")
            self.need(self.let(f"icmp ne i8 {self.op2('and', flag, READ, 'i8')}, 0"))
        kind = f"i{8 * size}"
        value = self.get("%mem", at, kind)
        if big and size > 1:
            value = self.call(kind, f"llvm.bswap.{kind}", f"{kind} {value}")
        return self.extended(value, 8 * size, signed=bool(signed))

    def shifted(self, kind: str, left: str, right: str) -> str:
        """Shift; a count of 64 or more gives 0, or the sign."""
        if kind == "rsh_signed":
            return self.op2("ashr", left, self.call("i64", "llvm.umin.i64", f"i64 {right}", "i64 63"))
        count = self.op2("and", right, 63)
        small = self.let(f"icmp ult i64 {right}, 64")
        return self.let(f"select i1 {small}, i64 {self.op2(SHIFT[kind], left, count)}, i64 0")

    def divided(self, kind: str, left: str, right: str) -> str:
        """Divide; by zero (and the one quotient that does not fit) is not for us."""
        self.need(self.let(f"icmp ne i64 {right}, 0"))
        if kind.endswith("_signed"):
            self.need(self.let(f"icmp ne i64 {right}, -1"))
        return self.op2(DIVIDE[kind], left, right)

    def selected(self, condition: tuple[Any, ...], then: tuple[Any, ...], otherwise: tuple[Any, ...]) -> str:
        """Return one of two values; the other one is not worked out."""
        yes, no, end = self.new("yes"), self.new("no"), self.new("end")
        self.branch_if(self.let(f"icmp ne i64 {self.tree(condition)}, 0"), yes, no)
        parts = []
        for label, node in ((yes, then), (no, otherwise)):
            self.label(label)
            value = self.tree(node)
            parts.append(f"[ {value}, %{self.block} ]")
            self.go(end)
        self.label(end)
        return self.let(f"phi i64 {', '.join(parts)}")


def condition_text(iset: IsaSet, address_bits: int, tree: tuple[Any, ...]) -> str:
    """Return the handler of a conditional point for one instruction set."""
    f = ConditionEmitter(iset, address_bits)
    f.branch_if(f.let(f"icmp eq i64 {f.state('points_off')}, 0"), "test", "run")
    f.label("test")
    f.branch_if(f.let(f"icmp ne i64 {f.tree(tree)}, 0"), "leave", "run")
    f.label("leave")
    f.set_state("exit_reason", f"i64 {POINT}")
    f.tail_slot("trap", "%rec", "%budget")
    f.label("run")
    f.tail(f.get(cold_of(f, "%rec", iset.geometry), 0, "ptr"), "%rec", "%budget")
    return f.text() + "\n".join(sorted(f.declared)) + "\n"


def compile_condition(target: Target, tree: tuple[Any, ...]) -> list[tuple[str, bytes]]:
    """Return an object for each instruction set: (its name, the object with `condition_NAME`)."""
    from xemu.core.llvm import compile_text

    return [(iset.name, compile_text(condition_text(iset, target.address_bits, tree))) for iset in target.sets]
