"""The language in which instructions are described: fixed-width values that record what is done to them.

A `Bits` is a node of a graph. Rows in `targets/` combine them; `evaluate.py` defines what each operation means on plain
integers, `lower.py` turns the same nodes into LLVM text. Nodes are interned while they are built, and constructors fold:
a row staged with constant fields shrinks by itself.

Rules: widths never change implicitly (`zext`, `sext`, slices), shifts are total, signedness is in the operator, and a
`Bits` has no truth value (`with when(c):` and `mux` decide at run time).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from xemu.core.evaluate import EVALUATE, split
from xemu.errors import IsaError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: operations on two values of one width, lane by lane where `attr` is a lane count
COMMUTATIVE = frozenset({"add", "mul", "and", "or", "xor", "umin", "umax", "smin", "smax", "uadds", "sadds", "eq"})


class Graph:
    """The nodes of one staging: the interning table and the numbering."""

    def __init__(self) -> None:
        self.table: dict[tuple[Any, ...], Bits] = {}
        self.count = 0


_graph = Graph()


def new_graph() -> Graph:
    """Start a staging: forget all nodes (values of an earlier staging must not be mixed in)."""
    global _graph
    _graph = Graph()
    return _graph


def unique() -> int:
    """Return a number no node of this staging has: it keeps two loads of one address apart."""
    _graph.count += 1
    return _graph.count


class Bits:
    """A value of `width` bits: an operation on other values. See the module for the rules."""

    __slots__ = ("args", "attr", "id", "op", "width")

    op: str
    width: int
    args: tuple[Bits, ...]
    attr: Any
    id: int

    # -- refusals ------------------------------------------------------------------------------------------------
    def __bool__(self) -> NoReturn:
        msg = ("a Bits value has no truth value at staging time; use `with when(c):` or `mux(c, a, b)`, "
               "or declare the field as Split to use Python `if`")
        raise IsaError(msg)

    def _ordering(self, _other: object) -> NoReturn:
        msg = "Bits have no sign: use ult/ule/slt/sle(a, b) instead of < <= > >="
        raise IsaError(msg)

    __lt__ = __le__ = __gt__ = __ge__ = _ordering

    def __index__(self) -> int:
        if self.op != "const":
            msg = f"a run-time value ({self.op}) is used where a Python int is needed; use a Split field"
            raise IsaError(msg)
        return int(self.attr)

    def __iter__(self) -> NoReturn:
        msg = "a Bits value cannot be iterated; use `for i in range(x.width): x[i]`"
        raise IsaError(msg)

    # -- arithmetic ----------------------------------------------------------------------------------------------
    def __add__(self, other: Bits | int) -> Bits:
        return binary("add", self, other)

    def __radd__(self, other: int) -> Bits:
        return binary("add", self, other)

    def __sub__(self, other: Bits | int) -> Bits:
        return binary("sub", self, other)

    def __rsub__(self, other: int) -> Bits:
        return binary("sub", const(other, self.width), self)

    def __mul__(self, other: Bits | int) -> Bits:
        return binary("mul", self, other)

    __rmul__ = __mul__

    def __and__(self, other: Bits | int) -> Bits:
        return binary("and", self, other)

    __rand__ = __and__

    def __or__(self, other: Bits | int) -> Bits:
        return binary("or", self, other)

    __ror__ = __or__

    def __xor__(self, other: Bits | int) -> Bits:
        return binary("xor", self, other)

    __rxor__ = __xor__

    def __lshift__(self, other: Bits | int) -> Bits:
        return binary("shl", self, other)

    def __rshift__(self, other: Bits | int) -> Bits:
        return binary("shr", self, other)

    def __invert__(self) -> Bits:
        return binary("xor", self, const(-1, self.width))

    def __neg__(self) -> Bits:
        return binary("sub", const(0, self.width), self)

    def __eq__(self, other: object) -> Bits:  # type: ignore[override]
        return compare("eq", self, other)  # type: ignore[arg-type]

    def __ne__(self, other: object) -> Bits:  # type: ignore[override]
        return ~compare("eq", self, other)  # type: ignore[arg-type]

    def __hash__(self) -> int:
        return self.id

    def __getitem__(self, key: slice | int) -> Bits:
        if isinstance(key, slice):
            high, low = key.start, key.stop
        else:
            high = low = int(key)
        if not 0 <= low <= high < self.width:
            msg = f"bits [{high}:{low}] of a {self.width}-bit value"
            raise IsaError(msg)
        return extract(self, low, high - low + 1)

    def __repr__(self) -> str:
        if self.op == "const":
            return f"{self.attr:#x}:{self.width}"
        inner = ", ".join(map(repr, self.args))
        attr = "" if self.attr is None else f"[{self.attr}]"
        return f"{self.op}{attr}:{self.width}({inner})"


def make(op: str, width: int, args: tuple[Bits, ...] = (), attr: Any = None) -> Bits:
    """Return the one node for this operation; fold it when all arguments are constants (not "fp": it raises exceptions)."""
    key = (op, width, attr, *[a.id for a in args])
    node = _graph.table.get(key)
    if node is not None:
        return node
    if args and op in EVALUATE and op != "fp" and all(a.op == "const" for a in args):
        value = EVALUATE[op](width, attr, [a.width for a in args], *[a.attr for a in args])
        node = const(value, width)
        _graph.table[key] = node
        return node
    node = Bits.__new__(Bits)
    node.op, node.width, node.args, node.attr = op, width, args, attr
    _graph.count += 1
    node.id = _graph.count
    _graph.table[key] = node
    return node


def const(value: int, width: int) -> Bits:
    """Return the constant `value` modulo 2**width."""
    value &= (1 << width) - 1
    key = ("const", width, value)
    node = _graph.table.get(key)
    if node is None:
        node = Bits.__new__(Bits)
        node.op, node.width, node.args, node.attr = "const", width, (), value
        _graph.count += 1
        node.id = _graph.count
        _graph.table[key] = node
    return node


def coerce(value: Bits | int, width: int) -> Bits:
    """Return `value` as Bits of `width`; a Python int must fit, a Bits must have that width."""
    if isinstance(value, Bits):
        if value.width != width:
            msg = f"a {value.width}-bit value meets a {width}-bit one; widen with zext/sext or cut with [hi:lo]"
            raise IsaError(msg)
        return value
    if hasattr(value, "as_bits"):
        return coerce(value.as_bits(), width)
    if not isinstance(value, int):
        msg = f"{value!r} is neither Bits nor int"
        raise IsaError(msg)
    if not -(1 << (width - 1)) <= value < (1 << width):
        msg = f"{value:#x} does not fit into {width} bits"
        raise IsaError(msg)
    return const(value, width)


def binary(op: str, x: Bits, other: Bits | int, lanes: int = 1) -> Bits:
    """Build a two-operand operation of one width, with the identities that staging with constants meets most."""
    y = other if isinstance(other, Bits) and other.width == x.width else coerce(other, x.width)
    if x.op == "const" and op in COMMUTATIVE and y.op != "const":
        x, y = y, x
    if y.op == "const" and lanes == 1:
        short = _identity(op, x, y.attr)
        if short is not None:
            return short
        if op == "add" and x.op == "add" and x.args[1].op == "const" and x.attr is None:
            return binary("add", x.args[0], const(x.args[1].attr + y.attr, x.width))
        if op == "sub":
            return binary("add", x, const(-y.attr, x.width))
    elif x is y and op in ("xor", "sub") and lanes == 1:
        return const(0, x.width)
    elif x is y and op in ("and", "or"):
        return x
    return make(op, x.width, (x, y), lanes if lanes > 1 else None)


def _identity(op: str, x: Bits, value: int) -> Bits | None:
    """Return what `x op value` is when it needs no operation."""
    if value == 0:
        if op in ("add", "sub", "or", "xor", "shl", "shr", "sar", "ror"):
            return x
        if op in ("and", "mul"):
            return const(0, x.width)
    elif value == (1 << x.width) - 1:
        if op == "and":
            return x
        if op == "or":
            return const(-1, x.width)
        if op == "xor" and x.op == "xor" and x.args[1].op == "const" and x.args[1].attr == value:
            return x.args[0]
    elif op == "mul" and value == 1:
        return x
    elif op in ("shl", "shr") and value >= x.width:
        return const(0, x.width)
    return None


def compare(op: str, x: Bits, other: Bits | int) -> Bits:
    """Build a one-bit comparison: eq, ult, ule, slt or sle."""
    y = other if isinstance(other, Bits) and other.width == x.width else coerce(other, x.width)
    if x is y:
        return const(op in ("eq", "ule", "sle"), 1)
    if op == "eq":
        if x.op == "const" and y.op != "const":
            x, y = y, x
        if y.op == "const" and x.width == 1:
            return x if y.attr else ~x
    return make(op, 1, (x, y))


def ult(x: Bits, y: Bits | int) -> Bits:
    """Return x < y, unsigned."""
    return compare("ult", x, y)


def ule(x: Bits, y: Bits | int) -> Bits:
    """Return x <= y, unsigned."""
    return compare("ule", x, y)


def slt(x: Bits, y: Bits | int) -> Bits:
    """Return x < y, signed."""
    return compare("slt", x, y)


def sle(x: Bits, y: Bits | int) -> Bits:
    """Return x <= y, signed."""
    return compare("sle", x, y)


def mux(c: Bits | bool, x: Bits | int, y: Bits | int) -> Bits:
    """Return x where c is 1, else y. One of x and y must be Bits."""
    if isinstance(x, Bits):
        y = coerce(y, x.width)
    elif isinstance(y, Bits):
        x = coerce(x, y.width)
    else:
        msg = "mux needs at least one Bits value to know its width; use const(value, width)"
        raise IsaError(msg)
    if isinstance(c, (bool, int)):
        return x if c else y
    if c.width != 1:
        msg = f"the condition of mux has {c.width} bits; compare it with something"
        raise IsaError(msg)
    if c.op == "const":
        return x if c.attr else y
    if x is y:
        return x
    if x.width == 1 and x.op == "const" and y.op == "const":
        return c if x.attr else ~c
    return make("mux", x.width, (c, x, y))


def extract(x: Bits, low: int, width: int) -> Bits:
    """Return bits low+width-1…low of x."""
    if width == x.width:
        return x
    if x.op == "const":
        return const(x.attr >> low, width)
    if x.op == "slice":
        return extract(x.args[0], x.attr + low, width)
    if x.op == "zext" and x.attr is None:
        inner = x.args[0]
        if low + width <= inner.width:
            return extract(inner, low, width)
        if low >= inner.width:
            return const(0, width)
    if x.op == "sext" and x.attr is None:
        inner = x.args[0]
        if low + width <= inner.width:
            return extract(inner, low, width)
        if low >= inner.width - 1 and width == 1:
            return extract(inner, inner.width - 1, 1)
    if x.op == "cat":
        at = 0
        for part in reversed(x.args):
            if at <= low and low + width <= at + part.width:
                return extract(part, low - at, width)
            at += part.width
    return make("slice", width, (x,), low)


def zext(x: Bits, width: int) -> Bits:
    """Return x widened to `width` bits with zeros."""
    return _widen("zext", x, width)


def sext(x: Bits, width: int) -> Bits:
    """Return x widened to `width` bits with copies of its top bit."""
    return _widen("sext", x, width)


def _widen(op: str, x: Bits, width: int) -> Bits:
    if width < x.width:
        msg = f"{op} to {width} bits would cut a {x.width}-bit value; use [hi:lo]"
        raise IsaError(msg)
    if width == x.width:
        return x
    if x.op == "zext" and x.attr is None:
        return zext(x.args[0], width)
    return make(op, width, (x,))


def cat(*parts: Bits) -> Bits:
    """Return the parts joined, the first in the top bits."""
    if len(parts) == 1:
        return parts[0]
    if all(p.op == "const" and p.attr == 0 for p in parts[:-1]):
        return zext(parts[-1], sum(p.width for p in parts))
    return make("cat", sum(p.width for p in parts), parts)


def sar(x: Bits, count: Bits | int) -> Bits:
    """Return x shifted right arithmetically; a count of the width or more gives all sign bits."""
    return binary("sar", x, count)


def ror(x: Bits, count: Bits | int) -> Bits:
    """Return x rotated right by count modulo the width."""
    return binary("ror", x, count)


def unary(op: str, x: Bits, lanes: int = 1) -> Bits:
    """Build clz, ctz, popcount, bitrev or bswap."""
    return make(op, x.width, (x,), lanes if lanes > 1 else None)


def clz(x: Bits) -> Bits:
    """Return the number of leading zeros; the width for 0."""
    return unary("clz", x)


def ctz(x: Bits) -> Bits:
    """Return the number of trailing zeros; the width for 0."""
    return unary("ctz", x)


def popcount(x: Bits) -> Bits:
    """Return the number of one bits."""
    return unary("popcount", x)


def bitrev(x: Bits) -> Bits:
    """Return x with its bits in reverse order."""
    return unary("bitrev", x)


def bswap(x: Bits) -> Bits:
    """Return x with its bytes in reverse order."""
    return x if x.width == 8 else unary("bswap", x)


def udiv(x: Bits, y: Bits) -> Bits:
    """Return x / y, unsigned; 0 where y is 0."""
    return binary("udiv", x, y)


def sdiv(x: Bits, y: Bits) -> Bits:
    """Return x / y rounded towards zero, signed, modulo 2**width; 0 where y is 0."""
    return binary("sdiv", x, y)


def add_with_carry(x: Bits, y: Bits, carry: Bits) -> tuple[Bits, Bits, Bits]:
    """Return (sum, carry out, signed overflow) of x + y + carry; carry has one bit."""
    total = add_carry(x, y, carry)
    return total, carry_of(x, y, total), overflow_of(x, y, total)


def add_carry(x: Bits, y: Bits, carry: Bits) -> Bits:
    """Return x + y + carry, where carry has one bit."""
    if carry.op == "const":
        if y.op == "xor" and y.args[1].op == "const" and y.args[1].attr == (1 << y.width) - 1 and carry.attr:
            return binary("sub", x, y.args[0])            # x + ~b + 1
        return binary("add", x + y, carry.attr)
    return x + y + zext(carry, x.width)


def carry_of(x: Bits, y: Bits, total: Bits) -> Bits:
    """Return the carry out of the top bit, given total = x + y + carry in (or any three values)."""
    plain = _as_compare("carry", x, y, total)
    return plain if plain is not None else make("carry", 1, (x, y, total))


def overflow_of(x: Bits, y: Bits, total: Bits) -> Bits:
    """Return the signed overflow, given total = x + y + carry in (or any three values)."""
    return make("overflow", 1, (x, y, total))


def inverted(y: Bits) -> Bits | None:
    """Return b where y is ~b."""
    if y.op == "xor" and y.attr is None and y.args[1].op == "const" and y.args[1].attr == (1 << y.width) - 1:
        return y.args[0]
    if y.op == "const":
        return const(~y.attr, y.width)
    return None


def is_difference(x: Bits, y: Bits, total: Bits) -> Bits | None:
    """Return b where total is x - b and y is ~b: the operands of a subtraction or comparison."""
    b = inverted(y)
    if (b is not None and x.op != "const") or (b is not None and y.op != "const"):
        return b if binary("sub", x, b) is total else None
    return None


def _as_compare(_op: str, x: Bits, y: Bits, total: Bits) -> Bits | None:
    b = is_difference(x, y, total)
    if b is not None:
        return ule(b, x)
    if binary("add", x, y) is total and total.op != "const":
        return ult(total, x)
    if binary("sub", total, y) is x and x.op != "const":       # the borrow of total - y
        return ult(total, y)
    return None


def equal_signs(negative: Bits, overflow: Bits) -> Bits:
    """Return N == V; a signed comparison where both come from one subtraction."""
    if overflow.op == "overflow" and negative.op == "slice":
        x, y, total = overflow.args
        if negative.args[0] is total and negative.attr == total.width - 1:
            b = is_difference(x, y, total)
            if b is not None:
                return sle(b, x)
        if negative.args[0] is x and negative.attr == x.width - 1 and binary("sub", total, y) is x:
            return sle(y, total)
    return negative == overflow


class Lanes:
    """A view of a value as lanes of `size` bits each; operators work lane by lane (lane 0 in the lowest bits)."""

    __slots__ = ("bits", "count", "size")

    def __init__(self, bits: Bits, size: int) -> None:
        if bits.width % size:
            msg = f"a {bits.width}-bit value has no lanes of {size} bits"
            raise IsaError(msg)
        self.bits, self.size, self.count = bits, size, bits.width // size

    def __bool__(self) -> NoReturn:
        bool(self.bits)
        raise AssertionError

    def _two(self, op: str, other: Lanes | int) -> Lanes:
        """Apply a two-operand operation; an int means that value in every lane."""
        if isinstance(other, int):
            other = Lanes.splat(const(other, self.size), self.count)
        if other.size != self.size or other.count != self.count:
            msg = f"{self.count} lanes of {self.size} bits meet {other.count} of {other.size}"
            raise IsaError(msg)
        return Lanes(binary(op, self.bits, other.bits, self.count), self.size)

    @staticmethod
    def splat(value: Bits, count: int) -> Lanes:
        """Return `count` copies of a scalar."""
        return Lanes(make("splat", value.width * count, (value,), count) if count > 1 else value, value.width)

    def __add__(self, other: Lanes | int) -> Lanes:
        return self._two("add", other)

    def __sub__(self, other: Lanes | int) -> Lanes:
        return self._two("sub", other)

    def __mul__(self, other: Lanes | int) -> Lanes:
        return self._two("mul", other)

    def __and__(self, other: Lanes | int) -> Lanes:
        return self._two("and", other)

    def __or__(self, other: Lanes | int) -> Lanes:
        return self._two("or", other)

    def __xor__(self, other: Lanes | int) -> Lanes:
        return self._two("xor", other)

    def __invert__(self) -> Lanes:
        return self._two("xor", -1)

    def __lshift__(self, other: Lanes | int) -> Lanes:
        return self._two("shl", other)

    def __rshift__(self, other: Lanes | int) -> Lanes:
        return self._two("shr", other)

    def sar(self, other: Lanes | int) -> Lanes:
        """Shift right arithmetically."""
        return self._two("sar", other)

    def op(self, name: str, other: Lanes | int) -> Lanes:
        """Apply umin umax smin smax uadds sadds usubs ssubs, or a comparison eq ult ule slt sle (lanes of all ones or zeros)."""
        return self._two(name if name not in COMPARES else "v" + name, other)

    def unary(self, name: str) -> Lanes:
        """Apply clz, ctz, popcount, bitrev or bswap to each lane."""
        return Lanes(unary(name, self.bits, self.count), self.size)

    def widen(self, *, signed: bool, size: int = 0) -> Lanes:
        """Return the lanes zero- or sign-extended to `size` bits (default: twice the size); the value grows as much."""
        size = size or self.size * 2
        node = make("sext" if signed else "zext", self.count * size, (self.bits,), self.count if self.count > 1 else None)
        return Lanes(node, size)

    def narrow(self, size: int = 0) -> Lanes:
        """Return the low `size` bits (default: half) of each lane; the value shrinks as much."""
        size = size or self.size // 2
        if self.count == 1:
            return Lanes(self.bits[size - 1:0], size)
        return Lanes(make("trunc", self.count * size, (self.bits,), self.count), size)

    def lane(self, index: int) -> Bits:
        """Return one lane as a scalar."""
        return extract(self.bits, index * self.size, self.size)

    def shuffle(self, other: Lanes, order: Sequence[int]) -> Lanes:
        """Return lanes picked by `order` from self (0…count-1) and other (count…2*count-1)."""
        if list(order) == list(range(self.count)):
            return self
        node = make("shuffle", self.size * len(order), (self.bits, other.bits), (self.count, tuple(order)))
        return Lanes(node, self.size)

    def lookup(self, table: Bits, fallback: Bits) -> Lanes:
        """Return, for byte lanes, table bytes by index; an index outside the table gives the fallback's byte."""
        if self.bits.op == "const" and table.width == self.bits.width:
            n = self.count
            order = [i if i < n else n + at for at, i in enumerate(split(self.bits.attr, n, 8))]
            return Lanes(table, 8).shuffle(Lanes(fallback, 8), order)
        return Lanes(make("lookup", self.bits.width, (self.bits, table, fallback)), 8)

    def reduce(self, op: str) -> Bits:
        """Combine all lanes with add, and, or, xor, umin, umax, smin or smax into one."""
        return make("reduce", self.size, (self.bits,), (op, self.count)) if self.count > 1 else self.bits

    def any(self) -> Bits:
        """Return one bit: is any bit set?"""
        return binary("xor", compare("eq", self.bits, 0), const(1, 1))


COMPARES = frozenset({"eq", "ult", "ule", "slt", "sle"})


def join(lanes: Sequence[Bits]) -> Bits:
    """Return scalars of one size joined into a value, the first in the lowest lane."""
    return cat(*reversed(lanes))


# -- floating point: see fp.py for the formats, rules and control word ----------------------------------------------


def fp(name: str, width: int, args: Sequence[Bits], attr: tuple[Any, ...]) -> Bits:
    """Build a floating-point operation; `attr` is (operation name, format, lanes, rules)."""
    return make(name, width, tuple(args), attr)
