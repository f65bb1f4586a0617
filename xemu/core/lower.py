"""Bits to LLVM text: one small method per operation. Where registers, fields and memory come from, subclasses decide.

Values are named on demand. Each has type iN; operations on lanes convert with bitcasts, which LLVM folds away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.evaluate import split
from xemu.core.lower_extended import ExtendedLowering
from xemu.core.lower_fp import FloatLowering
from xemu.core.lower_host import HostLowering

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.bits import Bits

#: the signature of everything that dispatch reaches: state, record, guest memory, page flags, budget
SIGNATURE = "ptr %st, ptr %rec, ptr %mem, ptr %perm, i64 %budget"
CONVENTION = "preserve_nonecc"

#: metadata that every module ends with: branch weights and alias sets (state, flags, guest memory, records)
METADATA = """
!0 = !{!"branch_weights", i32 2000, i32 1}
!1 = !{!"xemu"}
!2 = !{!"state", !1}
!3 = !{!"flags", !1}
!4 = !{!"guest", !1}
!5 = !{!"records", !1}
!6 = !{!2, !2, i64 0}
!7 = !{!3, !3, i64 0}
!8 = !{!4, !4, i64 0}
!9 = !{!5, !5, i64 0}
"""
LIKELY = ", !prof !0"
STATE, FLAGS, GUEST, RECORDS = ", !tbaa !6", ", !tbaa !7", ", !tbaa !8", ", !tbaa !9"

PLAIN = {"add": "add", "sub": "sub", "mul": "mul", "and": "and", "or": "or", "xor": "xor"}
SHIFTS = {"shl": "shl", "shr": "lshr", "sar": "ashr"}
INTRINSIC2 = {"umin": "umin", "umax": "umax", "smin": "smin", "smax": "smax", "uadds": "uadd.sat", "sadds": "sadd.sat",
              "usubs": "usub.sat", "ssubs": "ssub.sat"}
PREDICATES = {"eq": "eq", "ult": "ult", "ule": "ule", "slt": "slt", "sle": "sle"}
FLOAT = {"f16": ("half", 16), "f32": ("float", 32), "f64": ("double", 64)}


def maximum(node: Bits) -> int:
    """Return an upper bound of an unsigned value, for shift counts."""
    full = (1 << node.width) - 1
    match node.op:
        case "const":
            return int(node.attr)
        case "zext" if node.attr is None:
            return maximum(node.args[0])
        case "and":
            return min(maximum(node.args[0]), maximum(node.args[1]))
        case "mux":
            return max(maximum(node.args[1]), maximum(node.args[2]))
        case "clz" | "ctz" | "popcount" if node.attr is None:
            return node.width
    return full


class Emitter(FloatLowering, ExtendedLowering, HostLowering):
    """LLVM text of one function body under construction."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[int, str] = {}                       # node id -> name, in the block that is open
        self.vectors: dict[tuple[int, int], str] = {}         # (node id, lanes) -> name as a vector
        self.floats: dict[int, str] = {}                      # node id -> name as float or double
        self.journal: list[tuple[dict[Any, str], Any]] = []   # names in the order they were given, for rollback
        self.counter = 0
        self.declared: set[str] = set()
        self.singles: dict[int, str] = {}                     # id of a double that is a single -> name as float
        self.block = "entry"
        self.asked = False                                    # the open instruction has asked what floating point has raised
        self.modes_change = False                             # the code may change the host's floating-point modes halfway
        self.host_mode: int | None = None                     # the host's floating-point modes here, if they are known

    def forget(self) -> None:
        """Forget all names: the next nodes are of another graph, or stand where these do not hold."""
        self.names.clear()
        self.vectors.clear()
        self.floats.clear()
        self.singles.clear()
        self.journal.clear()
        self.host_mode = None

    # -- text ----------------------------------------------------------------------------------------------------
    def new(self, prefix: str = "v") -> str:
        """Return a fresh name without its sigil."""
        self.counter += 1
        return f"{prefix}{self.counter}"

    def put(self, line: str) -> None:
        """Add one line."""
        self.lines.append("  " + line)

    def let(self, expression: str) -> str:
        """Add a line that names an expression; return the name."""
        self.counter += 1
        name = f"%v{self.counter}"
        self.lines.append(f"  {name} = {expression}")
        return name

    def label(self, name: str) -> None:
        """Open a basic block."""
        self.lines.append(f"{name}:")
        self.block = name

    def call(self, result: str, function: str, *args: str) -> str:
        """Call an intrinsic; declare it once. Arguments are "type value"."""
        self.declare(result, function, args)
        return self.let(f"call {result} @{function}({', '.join(args)})")

    def declare(self, result: str, function: str, args: tuple[str, ...]) -> None:
        """Remember a declaration for the end of the module."""
        types = ", ".join(_type(a) for a in args)
        self.declared.add(f"declare {result} @{function}({types})")

    # -- values --------------------------------------------------------------------------------------------------
    def value(self, node: Bits) -> str:
        """Return the name (or literal) of a node as iN."""
        if node.op == "const":
            return _literal(node.attr, node.width)
        name = self.names.get(node.id)
        if name is None and (node.id, 2) in self.vectors:         # of 128 bits, known as a vector alone
            name = self.let(f"bitcast <2 x i{node.width // 2}> {self.vectors[node.id, 2]} to i{node.width}")
            self.remember(node, name)
        if name is None:
            method: Callable[[Bits], str] | None = getattr(self, "op_" + node.op, None)
            if method is None:
                msg = f"no lowering for {node.op}"
                raise NotImplementedError(msg)
            name = method(node)
            self.remember(node, name)
        return name

    def remember(self, node: Bits, name: str) -> None:
        """Note the name of a node."""
        self.names[node.id] = name
        self.journal.append((self.names, node.id))

    def remember_vector(self, node: Bits, lanes: int, name: str) -> None:
        """Note the name of a node as a vector."""
        self.vectors[node.id, lanes] = name
        self.journal.append((self.vectors, (node.id, lanes)))

    def checkpoint(self) -> int:
        """Return a mark for `rollback`, when a conditional part begins."""
        return len(self.journal)

    def rollback(self, mark: int) -> None:
        """Forget the names given since the mark: they do not dominate what follows."""
        self.host_mode = None
        while len(self.journal) > mark:
            table, key = self.journal.pop()
            table.pop(key, None)

    def typed(self, node: Bits) -> str:
        """Return "iN name"."""
        return f"i{node.width} {self.value(node)}"

    def vector(self, node: Bits, lanes: int) -> str:
        """Return the name of a node as <lanes x iK>."""
        size = node.width // lanes
        if node.op == "const":
            items = ", ".join(f"i{size} {_literal(v, size)}" for v in split(node.attr, lanes, size))
            return f"<{items}>"
        key = (node.id, lanes)
        name = self.vectors.get(key)
        if name is None and (node.id, 2) in self.vectors:
            name = self.let(f"bitcast <2 x i{node.width // 2}> {self.vectors[node.id, 2]} to <{lanes} x i{size}>")
            self.remember_vector(node, lanes, name)
        if name is None:
            scalar = self.value(node)
            name = self.vectors.get(key)         # lowering the node may have left its vector
            if name is None:
                name = self.let(f"bitcast i{node.width} {scalar} to <{lanes} x i{size}>")
                self.remember_vector(node, lanes, name)
        return name

    def from_vector(self, node: Bits, lanes: int, name: str) -> str:
        """Return a vector result as iN, remembering the vector."""
        self.remember_vector(node, lanes, name)
        return self.let(f"bitcast <{lanes} x i{node.width // lanes}> {name} to i{node.width}")

    def operand_type(self, node: Bits, lanes: int | None) -> tuple[str, Callable[[Bits], str]]:
        """Return the LLVM type of a node with so many lanes, and how to name values of it."""
        if lanes is None:
            return f"i{node.width}", self.value
        return f"<{lanes} x i{node.width // lanes}>", lambda n: self.vector(n, lanes)

    def lanewise(self, node: Bits, text: Callable[[str, list[str]], str]) -> str:
        """Emit an operation on all lanes of its arguments (same lane count and type as the result)."""
        kind, name = self.operand_type(node, node.attr)
        result = text(kind, [name(a) for a in node.args])
        return result if node.attr is None else self.from_vector(node, node.attr, result)

    def _plain(self, node: Bits) -> str:
        return self.lanewise(node, lambda kind, a: self.let(f"{PLAIN[node.op]} {kind} {a[0]}, {a[1]}"))

    op_add = op_sub = op_mul = op_and = op_or = op_xor = _plain

    def _shift(self, node: Bits) -> str:
        """Total shifts: a select only where the count is not provably in range."""
        size = node.width // (node.attr or 1)
        count = node.args[1]
        bound = maximum(count) if node.attr is None else (
            max(split(count.attr, node.attr, size)) if count.op == "const" else size)

        def text(kind: str, a: list[str]) -> str:
            x, n = a
            if bound < size:
                return self.let(f"{SHIFTS[node.op]} {kind} {x}, {n}")
            limit = _splat(size - 1 if node.op == "sar" else size, size, node.attr)
            if node.op == "sar":
                small = self.call(kind, f"llvm.umin.{_mangle(kind)}", f"{kind} {n}", f"{kind} {limit}")
                return self.let(f"ashr {kind} {x}, {small}")
            flag = "i1" if node.attr is None else f"<{node.attr} x i1>"
            ok = self.let(f"icmp ult {kind} {n}, {limit}")
            shifted = self.let(f"{SHIFTS[node.op]} {kind} {x}, {n}")
            return self.let(f"select {flag} {ok}, {kind} {shifted}, {kind} {_splat(0, size, node.attr)}")
        return self.lanewise(node, text)

    op_shl = op_shr = op_sar = _shift

    def op_ror(self, node: Bits) -> str:
        """Rotate: a funnel shift of a value with itself takes the count modulo the width."""
        return self.lanewise(node, lambda kind, a: self.call(
            kind, f"llvm.fshr.{_mangle(kind)}", f"{kind} {a[0]}", f"{kind} {a[0]}", f"{kind} {a[1]}"))

    def _intrinsic2(self, node: Bits) -> str:
        return self.lanewise(node, lambda kind, a: self.call(
            kind, f"llvm.{INTRINSIC2[node.op]}.{_mangle(kind)}", f"{kind} {a[0]}", f"{kind} {a[1]}"))

    op_umin = op_umax = op_smin = op_smax = op_uadds = op_sadds = op_usubs = op_ssubs = _intrinsic2

    def _compare(self, node: Bits) -> str:
        x, y = node.args
        return self.let(f"icmp {PREDICATES[node.op]} {self.typed(x)}, {self.value(y)}")

    op_eq = op_ult = op_ule = op_slt = op_sle = _compare

    def _lane_compare(self, node: Bits) -> str:
        def text(kind: str, a: list[str]) -> str:
            bit = self.let(f"icmp {PREDICATES[node.op[1:]]} {kind} {a[0]}, {a[1]}")
            return self.let(f"sext {'i1' if node.attr is None else f'<{node.attr} x i1>'} {bit} to {kind}")
        return self.lanewise(node, text)

    op_veq = op_vult = op_vule = op_vslt = op_vsle = _lane_compare

    def _count(self, node: Bits) -> str:
        name = {"clz": "ctlz", "ctz": "cttz"}[node.op]
        return self.lanewise(node, lambda kind, a: self.call(kind, f"llvm.{name}.{_mangle(kind)}", f"{kind} {a[0]}", "i1 false"))

    op_clz = op_ctz = _count

    def _unary(self, node: Bits) -> str:
        name = {"popcount": "ctpop", "bitrev": "bitreverse", "bswap": "bswap"}[node.op]
        return self.lanewise(node, lambda kind, a: self.call(kind, f"llvm.{name}.{_mangle(kind)}", f"{kind} {a[0]}"))

    op_popcount = op_bitrev = _unary

    def op_bswap(self, node: Bits) -> str:
        """Reverse bytes: of 128 bits where vectors are."""
        if node.width != 128 or node.attr is not None:
            return self._unary(node)
        x, order = self.vector(node.args[0], 16), ", ".join(f"i32 {i}" for i in range(15, -1, -1))
        return self.from_vector(node, 16, self.let(f"shufflevector <16 x i8> {x}, <16 x i8> poison, <16 x i32> <{order}>"))

    def op_udiv(self, node: Bits) -> str:
        """Unsigned division; by zero gives 0."""
        kind, x, y = f"i{node.width}", self.value(node.args[0]), self.value(node.args[1])
        zero = self.let(f"icmp eq {kind} {y}, 0")
        safe = self.let(f"select i1 {zero}, {kind} 1, {kind} {y}")
        q = self.let(f"{node.op} {kind} {x}, {safe}")
        return self.let(f"select i1 {zero}, {kind} 0, {kind} {q}")

    op_urem = op_udiv

    def op_sdiv(self, node: Bits) -> str:
        """Signed division; by zero gives 0, the most negative by -1 itself."""
        kind, x, y = f"i{node.width}", self.value(node.args[0]), self.value(node.args[1])
        zero, minus = self.let(f"icmp eq {kind} {y}, 0"), self.let(f"icmp eq {kind} {y}, -1")
        odd = self.let(f"or i1 {zero}, {minus}")
        safe = self.let(f"select i1 {odd}, {kind} 1, {kind} {y}")
        q, negated = self.let(f"sdiv {kind} {x}, {safe}"), self.let(f"sub {kind} 0, {x}")
        q = self.let(f"select i1 {minus}, {kind} {negated}, {kind} {q}")
        return self.let(f"select i1 {zero}, {kind} 0, {kind} {q}")

    def op_mux(self, node: Bits) -> str:
        """Select."""
        c, x, y = node.args
        return self.let(f"select i1 {self.value(c)}, {self.typed(x)}, {self.typed(y)}")

    def op_slice(self, node: Bits) -> str:
        """Cut bits out."""
        x = node.args[0]
        name = self.value(x)
        if node.attr:
            name = self.let(f"lshr i{x.width} {name}, {node.attr}")
        return self.let(f"trunc i{x.width} {name} to i{node.width}")

    def _extend(self, node: Bits) -> str:
        x = node.args[0]
        if node.attr is None:
            return self.let(f"{node.op} {self.typed(x)} to i{node.width}")
        n = node.attr
        name = self.let(f"{node.op} <{n} x i{x.width // n}> {self.vector(x, n)} to <{n} x i{node.width // n}>")
        return self.from_vector(node, n, name)

    op_zext = op_sext = _extend

    def op_trunc(self, node: Bits) -> str:
        """Narrow each lane."""
        x, n = node.args[0], node.attr
        name = self.let(f"trunc <{n} x i{x.width // n}> {self.vector(x, n)} to <{n} x i{node.width // n}>")
        return self.from_vector(node, n, name)

    def op_cat(self, node: Bits) -> str:
        """Join: shifts and ors of disjoint parts."""
        kind, at, total = f"i{node.width}", node.width, ""
        for part in node.args:
            at -= part.width
            if part.op == "const" and part.attr == 0:
                continue
            name = self.let(f"zext {self.typed(part)} to {kind}")
            if at:
                name = self.let(f"shl {kind} {name}, {at}")
            total = name if not total else self.let(f"or disjoint {kind} {total}, {name}")
        return total

    def op_carry(self, node: Bits) -> str:
        """Carry out of the top bit: majority of x, y and not total."""
        x, y, total = (self.value(a) for a in node.args)
        kind = f"i{node.args[0].width}"
        both, either = self.let(f"and {kind} {x}, {y}"), self.let(f"or {kind} {x}, {y}")
        lost = self.let(f"and {kind} {either}, {self.let(f'xor {kind} {total}, -1')}")
        return self.let(f"icmp slt {kind} {self.let(f'or {kind} {both}, {lost}')}, 0")

    def op_overflow(self, node: Bits) -> str:
        """Return signed overflow: both operands differ from the total in sign."""
        x, y, total = (self.value(a) for a in node.args)
        kind = f"i{node.args[0].width}"
        a, b = self.let(f"xor {kind} {x}, {total}"), self.let(f"xor {kind} {y}, {total}")
        return self.let(f"icmp slt {kind} {self.let(f'and {kind} {a}, {b}')}, 0")

    # -- lanes ---------------------------------------------------------------------------------------------------
    def op_splat(self, node: Bits) -> str:
        """Copy a scalar into all lanes."""
        n, x = node.attr, node.args[0]
        one = self.let(f"insertelement <{n} x i{x.width}> poison, {self.typed(x)}, i32 0")
        name = self.let(f"shufflevector <{n} x i{x.width}> {one}, <{n} x i{x.width}> poison, <{n} x i32> zeroinitializer")
        return self.from_vector(node, n, name)

    def op_shuffle(self, node: Bits) -> str:
        """Pick lanes of two vectors in a constant order."""
        lanes, order = node.attr
        x, y = node.args
        kind = f"<{lanes} x i{x.width // lanes}>"
        picks = ", ".join(f"i32 {i}" for i in order)
        name = self.let(f"shufflevector {kind} {self.vector(x, lanes)}, {kind} {self.vector(y, lanes)}, <{len(order)} x i32> <{picks}>")
        if len(order) == 1:
            return self.let(f"bitcast <1 x i{node.width}> {name} to i{node.width}")
        return self.from_vector(node, len(order), name)

    def op_reduce(self, node: Bits) -> str:
        """Combine all lanes."""
        op, lanes = node.attr
        kind = f"<{lanes} x i{node.width}>"
        return self.call(f"i{node.width}", f"llvm.vector.reduce.{op}.v{lanes}i{node.width}", f"{kind} {self.vector(node.args[0], lanes)}")

    # -- engine cells --------------------------------------------------------------------------------------------
    def cell(self, offset: int, base: str = "%st") -> str:
        """Return the address of a byte offset in the state block."""
        return self.let(f"getelementptr i8, ptr {base}, i64 {offset}") if offset else base

    def get_cell(self, offset: int, kind: str = "i64") -> str:
        """Load an engine cell."""
        return self.let(f"load {kind}, ptr {self.cell(offset)}{STATE}")

    def set_cell(self, offset: int, typed_value: str) -> None:
        """Store an engine cell."""
        self.put(f"store {typed_value}, ptr {self.cell(offset)}{STATE}")


def _type(argument: str) -> str:
    """Return the type of "type value"."""
    return argument[:argument.index(">") + 1] if argument.startswith("<") else argument.split(" ", 1)[0]


def _literal(value: int, width: int) -> str:
    """Return a constant as LLVM prints it: i1 as true/false, others signed."""
    if width == 1:
        return "true" if value else "false"
    return str(value - (1 << width) if value >> (width - 1) & 1 else value)


def _splat(value: int, size: int, lanes: int | None) -> str:
    """Return a constant in every lane."""
    text = _literal(value & ((1 << size) - 1), size)
    if lanes is None:
        return text
    return "<" + ", ".join([f"i{size} {text}"] * lanes) + ">"


def _mangle(kind: str) -> str:
    """Return a type as intrinsic names spell it: i32, v4i32."""
    if kind.startswith("<"):
        n, _, element = kind[1:-1].split()
        return f"v{n}{element}"
    return kind


__all__ = ["Any", "Emitter"]
