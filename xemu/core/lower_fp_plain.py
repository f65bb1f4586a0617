"""Floating point on scalars and vectors alike, for rules whose results are IEEE's but for NaNs: PowerPC's.

With a constant control word the host's operation is done on all lanes and one guard looks at all results; where one may not be kept
(a NaN; the smallest normal number, where hosts differ in when they call it tiny), slow functions do every lane. Exceptions are the
host's but for "invalid", whose kinds only slow functions know (StateLayout.host_exceptions leaves it out). A control word that is not
constant is always the slow functions', and what they raise is a value (`fpflags`).

Operations that raise nothing need the host in another mode: its exceptions mean nothing then, and it flushes denormals if they do.
Which mode it is in, a cell says. Each operation has it changed where it is not the one it needs; it stays until another one is needed.
Where it may change halfway, LLVM must move no operation that denormals matter to: all are constrained then.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

from xemu.core import host
from xemu.core.bits import cat, const, mux, ult, zext
from xemu.core.softfloat import COMPARES
from xemu.core.softnumber import FORMATS
from xemu.core.state import ENGINE_CELLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.bits import Bits
    from xemu.core.state import StateLayout

TYPES = {"f32": "float", "f64": "double"}
ARITHMETIC = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "sqrt": "sqrt", "fma": "fma", "fms": "fma"}
#: operations whose results are exact where they are as small as the smallest normal number
EXACT_WHERE_SMALL = frozenset({"add", "sub", "sqrt", "rint", "round_int", "to_float"})
EXTREMES = frozenset({"min", "max", "minnum", "maxnum"})
#: rounding modes of control words -> operations that raise nothing for a result that is not exact
INTEGRAL = {0: "roundeven", 1: "ceil", 2: "floor", 3: "trunc"}
PREDICATES = {"lt": "olt", "le": "ole", "eq": "oeq", "unordered": "uno"}
FLUSH = 8
#: modes of the host
MODES = USUAL, QUIET, FLUSHING = range(3)
#: the first place in the table of slow functions that is one that switches to a mode
SWITCH = 500
UNLIKELY = ", !prof !10"
#: doubles that singles are near: half of a unit in the last place, and the smallest normal number
LOWEST, HALF, SMALLEST_SINGLE = (1 << 29) - 1, 1 << 28, 0x3810000000000000
SMALLEST = {"f32": "0x3810000000000000", "f64": "0x0010000000000000"}
#: the largest number whose integer surely fits, by format and bits
MOST = {("f32", 32): "2147483520.0", ("f64", 32): "2147483647.0",
        ("f32", 64): "9223371487098961920.0", ("f64", 64): "9223372036854774784.0"}
FLOATS = {32: "float", 64: "double"}


class PlainLowering:
    """The part of an Emitter for such rules."""

    if TYPE_CHECKING:
        floats: dict[int, str]
        singles: dict[int, str]
        journal: list[Any]
        declared: set[str]
        layout: StateLayout
        host_mode: int | None
        modes_change: bool
        label: Callable[[str], None]
        new: Callable[..., str]
        put: Callable[[str], None]
        let: Callable[[str], str]
        call: Callable[..., str]
        value: Callable[[Bits], str]
        vector: Callable[[Bits, int], str]
        from_vector: Callable[[Bits, int, str], str]
        as_float: Callable[[Bits, str], str]
        from_float: Callable[[Bits, str], str]
        get_cell: Callable[..., str]
        set_cell: Callable[[int, str], None]
        constrained: Callable[..., str]
        slow_call: Callable[..., str]
        _joined: Callable[..., str]
        _diamond: Callable[..., str]

    def plain(self, node: Bits, *, quiet: bool = False) -> str:
        """Emit an operation with a constant control word; `quiet`: it raises nothing."""
        name, fmt, lanes, _ = node.attr
        source = fmt if isinstance(fmt, str) else fmt[0]
        if name == "cut":
            return self._cut(node.args[0])
        ints = [self._ints(a, lanes) for a in node.args[:-1]]
        for a in node.args[:-1]:                     # here: what they are computed from may need another mode
            if lanes == 1 and source in TYPES:
                self.as_float(a, source)
            elif lanes == 1:
                self.value(a)
        if self.layout.quiet:
            self._host_in(USUAL if not quiet else FLUSHING if node.args[-1].attr & FLUSH else QUIET)
        change, self.modes_change = self.modes_change, self.modes_change or quiet
        result = self._emitted(node, name, fmt, source, ints, Slow(self, node, ints, quiet=quiet))
        self.modes_change = change
        return result

    def _host_in(self, mode: int) -> None:
        """Make sure that the host is in a mode."""
        if self.host_mode == mode:
            return
        self.host_mode = mode
        other = self.let(f"icmp ne i64 {self.get_cell(ENGINE_CELLS['host_mode'])}, {mode}")
        change, on = self.new("mode"), self.new("on")
        self.put(f"br i1 {other}, label %{change}, label %{on}{UNLIKELY}")
        self.label(change)
        table = self.get_cell(ENGINE_CELLS["fp_slow"], "ptr")
        function = self.let(f"load ptr, ptr {self.let(f'getelementptr i8, ptr {table}, i64 {(SWITCH + mode) * 8}')}")
        self.put(f"call preserve_mostcc void {function}(ptr %st)")
        self.put(f"br label %{on}")
        self.label(on)

    def _emitted(self, node: Bits, name: str, fmt: Any, source: Any, ints: list[str], slow: Slow) -> str:
        lanes, ctl = node.attr[2], node.args[-1].attr & ~FLUSH
        if name.startswith(("to_sint", "to_uint", "from_")):
            return self._each(node, name, fmt, ints, slow)
        if not isinstance(fmt, str) and "f16" in fmt:
            return slow.value()
        xs = [self._floating(a, i, source, lanes) for a, i in zip(node.args, ints, strict=False)]
        if name in COMPARES:
            return self._compared(node, name, source, lanes, xs)
        kind = shaped(TYPES[source], lanes)
        if name in EXTREMES and node.args[-1].attr & FLUSH:
            return slow.value()
        if ctl and (name != "round_int" or ctl not in INTEGRAL):
            return self._plain_result(node, source, slow.floats(), lanes)
        if name.endswith("_f32"):
            return self._singly(node, name.removesuffix("_f32"), xs, slow)
        if name == "widen":
            return self._widened(node, xs[0])
        target, result = source, ""
        match name:
            case name if name in EXTREMES:
                result = self._extreme(name, kind, source, lanes, xs, ints)
            case "round_int":
                result = self.constrained(INTEGRAL[ctl], kind, [f"{kind} {xs[0]}"])
            case "rint":
                result = self.constrained("rint", kind, [f"{kind} {xs[0]}"])
            case "to_float":
                target = fmt[1]
                result = self.constrained("fpext" if target == "f64" else "fptrunc", shaped(TYPES[target], lanes), [f"{kind} {xs[0]}"])
            case _:
                result = self._arithmetic(name, kind, xs)
        kind = shaped(TYPES[target], lanes)
        bad = self.let(f"fcmp uno {kind} {xs[0]}, {xs[1]}") if name in EXTREMES else self._doubtful(name, fmt, target, lanes, result)
        return self._plain_result(node, target, self._joined(self._any(bad, lanes), result, kind, slow.floats), lanes)

    def _doubtful(self, name: str, fmt: Any, target: str, lanes: int, result: str) -> str:
        """Return where a result may not be kept."""
        kind = shaped(TYPES[target], lanes)
        if name in EXACT_WHERE_SMALL and fmt != ("f64", "f32"):
            return self.let(f"fcmp uno {kind} {result}, {result}")
        size = self.call(kind, f"llvm.fabs.{mangled(target, lanes)}", f"{kind} {result}")
        return self.let(f"fcmp ueq {kind} {size}, {splat(TYPES[target], SMALLEST[target], lanes)}")

    # -- operands and results --------------------------------------------------------------------------------------
    def _ints(self, node: Bits, lanes: int) -> str:
        """Return a vector operand's lanes as integers; nothing for a scalar, whose bits may be known as a float alone."""
        return self.vector(node, lanes) if lanes > 1 else ""

    def _floating(self, node: Bits, ints: str, fmt: str, lanes: int) -> str:
        """Return an operand as a floating-point number or vector."""
        if lanes == 1:
            return self.as_float(node, fmt)
        kind = shaped(TYPES[fmt], lanes)
        name = self.let(f"bitcast {shaped(f'i{FORMATS[fmt].width}', lanes)} {ints} to {kind}")
        return host.opaque(self, kind, name) if node.op == "const" else name

    def _plain_result(self, node: Bits, fmt: str, name: str, lanes: int) -> str:
        """Return a floating-point number or vector as the node's value."""
        if lanes == 1:
            return self.from_float(node, name)
        whole = shaped(f"i{FORMATS[fmt].width}", lanes)
        return self.from_vector(node, lanes, self.let(f"bitcast {shaped(TYPES[fmt], lanes)} {name} to {whole}"))

    def _any(self, mask: str, lanes: int) -> str:
        if lanes == 1:
            return mask
        return self.let(f"icmp ne i{lanes} {self.let(f'bitcast <{lanes} x i1> {mask} to i{lanes}')}, 0")

    # -- operations ------------------------------------------------------------------------------------------------
    def _arithmetic(self, name: str, kind: str, xs: list[str]) -> str:
        if name == "fms":
            xs = [*xs[:2], self.let(f"fneg {kind} {xs[2]}")]
        return self.constrained(ARITHMETIC[name], kind, [f"{kind} {x}" for x in xs])

    # -- singles in the format of doubles ------------------------------------------------------------------------------
    def _remember_single(self, node: Bits, name: str) -> None:
        """Note that a double is a single, and its name as float."""
        self.singles[node.id] = name
        self.journal.append((self.singles, node.id))

    def _singly(self, node: Bits, name: str, xs: list[str], slow: Slow) -> str:
        """Emit an operation on doubles whose result is a single; on singles it is the operation of singles."""
        known = [self.singles.get(a.id, "") for a in node.args[:-1]]

        def called() -> str:
            return self._resized("fptrunc", slow.floats())
        if name in ARITHMETIC and all(known):
            result = self._arithmetic(name, "float", known)
            single = self._joined(self._doubtful(name, "f32", "f32", 1, result), result, "float", called)
        else:
            single = self._narrowed(name, xs, called)
        self._remember_single(node, single)
        return self.from_float(node, self._resized("fpext", single))

    def _widened(self, node: Bits, x: str) -> str:
        """Emit a single's load: a NaN's bits are moved, for an operation would make it quiet."""
        self._remember_single(node, x)
        number = self._resized("fpext", x)

        def moved() -> str:
            bits = self.let(f"zext i32 {self.let(f'bitcast float {x} to i32')} to i64")
            low = self.let(f"shl i64 {self.let(f'and i64 {bits}, {(1 << 31) - 1}')}, 29")
            high = self.let(f"shl i64 {self.let(f'and i64 {bits}, {1 << 31}')}, 32")
            whole = self.let(f"or i64 {self.let(f'or i64 {low}, {high}')}, {0x7FF << 52}")
            return self.let(f"bitcast i64 {whole} to double")
        return self.from_float(node, self._joined(self.let(f"fcmp uno float {x}, {x}"), number, "double", moved))

    def _cut(self, x: Bits) -> str:
        """Emit a single's store (softfloat.cut)."""
        single = self.singles.get(x.id)
        if single is not None:
            return self.let(f"bitcast float {single} to i32")
        exponent = zext(x[62:52], 32)
        small = zext(cat(const(1, 1), x[51:29]), 32) >> (897 - exponent)
        denormal = cat(x[63], const(0, 8), small[22:0])
        return self.value(mux(ult(const(896, 32), exponent), cat(x[63:62], x[58:29]), denormal))

    def _narrowed(self, name: str, xs: list[str], slow: Callable[[], str]) -> str:
        """Emit an operation on doubles rounded to float: rounded twice, which is once unless the first result is a tie.

        Nor does a tie of numbers with a single's precision matter, for twice that and two bits are enough (sums of products apart:
        theirs must be exact).
        """
        double = xs[0] if name == "round" else self._arithmetic(name, "double", xs)
        bits = self.let(f"bitcast double {double} to i64")
        size = self.let(f"and i64 {bits}, {(1 << 63) - 1}")
        tiny = self.let(f"icmp ult i64 {self.let(f'add i64 {size}, -1')}, {SMALLEST_SINGLE}")
        bad = self.let(f"or i1 {tiny}, {self.let(f'fcmp uno double {double}, {double}')}")

        def rounded() -> str:
            return self.constrained("fptrunc", "float", [f"double {double}"])
        if name == "round":
            return self._diamond(bad, rounded, slow, "float")
        given = [self.let(f"bitcast double {x} to i64") for x in xs]
        every = reduce(lambda a, b: self.let(f"or i64 {a}, {b}"), given)
        precise = self.let(f"icmp ne i64 {self.let(f'and i64 {every}, {LOWEST}')}, 0")
        tie = self.let(f"icmp eq i64 {self.let(f'and i64 {bits}, {LOWEST}')}, {HALF}")
        if len(xs) < 3:
            return self._diamond(self.let(f"or i1 {bad}, {self.let(f'and i1 {tie}, {precise}')}"), rounded, slow, "float")

        def doubtful() -> str:
            hopeless = self.let(f"or i1 {bad}, {precise}")
            harmless = [self.let(f"select i1 {hopeless}, double 0.0, double {x}") for x in (double, *xs)]   # raise nothing
            wrong = self.let(f"or i1 {hopeless}, {self._inexact_sum(name, *harmless)}")
            return self._diamond(wrong, rounded, slow, "float")
        return self._diamond(self.let(f"or i1 {bad}, {tie}"), rounded, doubtful, "float")

    def _inexact_sum(self, name: str, total: str, a: str, b: str, addend: str) -> str:
        """Return whether singles' a * b + c was rounded to a double (Knuth, The Art of Computer Programming, vol. 2, 4.2.2, theorem B)."""
        product = self._arithmetic("mul", "double", [a, b])        # exact
        if name == "fms":
            addend = self.let(f"fneg double {addend}")
        part = self._arithmetic("sub", "double", [total, product])
        rest = self._arithmetic("sub", "double", [total, part])
        errors = [self._arithmetic("sub", "double", pair) for pair in ([product, rest], [addend, part])]
        return self._fcmp("une", "f64", 1, [self._arithmetic("add", "double", errors), "0.0"])

    def _extreme(self, name: str, kind: str, fmt: str, lanes: int, xs: list[str], ints: list[str]) -> str:
        """Emit the smaller or larger of two numbers; of two zeros the negative or the positive one."""
        x, y = xs
        whole = shaped(f"i{FORMATS[fmt].width}", lanes)
        a, b = ints if lanes > 1 else [self.let(f"bitcast {kind} {v} to {whole}") for v in xs]
        both = self.let(f"{'and' if name == 'maxnum' else 'or'} {whole} {a}, {b}")
        flag = shaped("i1", lanes)
        first = self._fcmp("ogt" if name.startswith("max") else "olt", fmt, lanes, xs)
        same = self._fcmp("oeq", fmt, lanes, xs)
        pick = self.let(f"select {flag} {first}, {kind} {x}, {kind} {y}")
        return self.let(f"select {flag} {same}, {kind} {self.let(f'bitcast {whole} {both} to {kind}')}, {kind} {pick}")

    # -- comparisons -----------------------------------------------------------------------------------------------
    def _fcmp(self, predicate: str, fmt: str, lanes: int, xs: list[str]) -> str:
        """Compare numbers."""
        kind = shaped(TYPES[fmt], lanes)
        if not self.modes_change:
            return self.let(f"fcmp {predicate} {kind} {xs[0]}, {xs[1]}")
        function, mask = f"llvm.experimental.constrained.fcmp.{mangled(fmt, lanes)}", shaped("i1", lanes)
        self.declared.add(f"declare {mask} @{function}({kind}, {kind}, metadata, metadata)")
        return self.let(f'call {mask} @{function}({kind} {xs[0]}, {kind} {xs[1]}, metadata !"{predicate}", '
                        'metadata !"fpexcept.strict") strictfp')

    def _resized(self, name: str, x: str) -> str:
        """Extend a float or cut a double that has the value of one."""
        source, target = ("float", "double") if name == "fpext" else ("double", "float")
        if self.modes_change:
            return self.constrained(name, target, [f"{source} {x}"])
        return self.let(f"{name} {source} {x} to {target}")

    def _compared(self, node: Bits, name: str, fmt: str, lanes: int, xs: list[str]) -> str:
        """Compare; what is raised is `plain_flags`' business."""
        mask = self._fcmp(PREDICATES[COMPARES[name][0]], fmt, lanes, xs)
        if lanes == 1:
            return mask
        whole = shaped(f"i{FORMATS[fmt].width}", lanes)
        return self.from_vector(node, lanes, self.let(f"sext <{lanes} x i1> {mask} to {whole}"))

    def plain_flags(self, node: Bits) -> None:
        """Raise an operation's exceptions: those of comparisons; others have theirs from computing the value."""
        name, fmt, lanes, _ = node.attr
        self.value(node)
        if name not in COMPARES:
            return
        ints = [self._ints(a, lanes) for a in node.args[:2]]
        x, y = (self._floating(a, i, fmt, lanes) for a, i in zip(node.args[:2], ints, strict=True))
        bad = self._any(self.let(f"fcmp uno {shaped(TYPES[fmt], lanes)} {x}, {y}"), lanes)
        slow = Slow(self, node, ints, quiet=False)

        def called() -> str:
            slow.lanes()
            return "true"
        self._joined(bad, "false", "i1", called)

    # -- integers --------------------------------------------------------------------------------------------------
    def _each(self, node: Bits, name: str, fmt: Any, ints: list[str], slow: Slow) -> str:
        """Convert from or to integers, lane by lane."""
        lanes, to = node.attr[2], name.startswith("to_")
        if node.args[-1].attr & ~FLUSH:
            return slow.value()
        convert = self._integer if to else self._number
        if lanes == 1:
            x = self.as_float(node.args[0], fmt[0]) if to else self.value(node.args[0])
            result = convert(name, fmt, x, lambda: slow.lane(0))
            return result if to else self.from_float(node, result)
        if (name, fmt[0]) == ("from_sint", 32):                # the host has it for vectors, and it needs no guard
            number = self.constrained("sitofp", shaped(TYPES[fmt[1]], lanes), [f"{shaped('i32', lanes)} {ints[0]}"])
            return self._plain_result(node, fmt[1], number, lanes)
        if (name, *fmt[:3], lanes) == ("to_sint", "f32", 32, "zero", 4):
            return self._words(node, ints[0], slow)
        wide, size = node.args[0].width // lanes, node.width // lanes
        total = "poison"
        for i in range(lanes):
            x = self.let(f"extractelement <{lanes} x i{wide}> {ints[0]}, i32 {i}")
            given = self.let(f"bitcast i{wide} {x} to {TYPES[fmt[0]]}") if to else x
            one = convert(name, fmt, given, lambda i=i: slow.lane(i))         # type: ignore[misc]
            one = one if to else self.let(f"bitcast {TYPES[fmt[1]]} {one} to i{size}")
            total = self.let(f"insertelement <{lanes} x i{size}> {total}, i{size} {one}, i32 {i}")
        return self.from_vector(node, lanes, total)

    def _words(self, node: Bits, ints: str, slow: Slow) -> str:
        """Convert four singles to words, towards zero, by one host operation if all surely fit."""
        kind = shaped("float", 4)
        x = self.let(f"bitcast {shaped('i32', 4)} {ints} to {kind}")
        size = self.call(kind, f"llvm.fabs.{mangled('f32', 4)}", f"{kind} {x}")
        bad = self.let(f"fcmp ugt {kind} {size}, {splat('float', MOST['f32', 32], 4)}")
        result = self._diamond(self._any(bad, 4), lambda: host.vector_to_int(self, x), slow.lanes, shaped("i32", 4))
        return self.from_vector(node, 4, result)

    def _integer(self, name: str, fmt: Any, x: str, slow: Callable[[], str]) -> str:
        """Convert a number to an integer: the host's conversion where it surely fits."""
        source, width, rounding, fbits = fmt
        assert fbits == 0
        kind, truncate = TYPES[source], rounding == "zero"
        unsigned = name == "to_uint"
        bits = 64 if unsigned else width
        limit = "4294967040.0" if unsigned and width == 32 else MOST[source, bits]
        if unsigned:
            low = self.let(f"fcmp ole {kind} {x}, {'-1.0' if truncate else '-0.5'}")
            bad = self.let(f"or i1 {low}, {self.let(f'fcmp ugt {kind} {x}, {limit}')}")
        else:
            size = self.call(kind, f"llvm.fabs.{source}", f"{kind} {x}")
            bad = self.let(f"fcmp ugt {kind} {size}, {limit}")

        def fast() -> str:
            result = host.to_int(self, x, source, bits, truncate=truncate)
            return result if bits == width else self.let(f"trunc i{bits} {result} to i{width}")
        return self._diamond(bad, fast, slow, f"i{width}")

    def _number(self, name: str, fmt: Any, x: str, slow: Callable[[], str]) -> str:
        """Convert an integer to a number: the host's result is right as it rounds to nearest."""
        width, target, fbits = fmt
        assert fbits == 0
        kind = "float" if name.endswith("_f32") else TYPES[target]

        def fast() -> str:
            wide, bits = x, width
            if name == "from_uint" and width < 64:
                wide, bits = self.let(f"zext i{width} {x} to i64"), 64
            number = self.constrained("sitofp", kind, [f"i{bits} {wide}"])
            return number if kind == TYPES[target] else self.constrained("fpext", TYPES[target], [f"{kind} {number}"])
        if name.startswith("from_uint") and width == 64:
            bad = self.let(f"icmp slt i64 {x}, 0")
            return self._diamond(bad, fast, slow, TYPES[target])
        return fast()


class Slow:
    """Calls of slow functions for an operation, emitted where they stand in a cold block."""

    def __init__(self, em: Any, node: Bits, ints: list[str], *, quiet: bool) -> None:
        self.em, self.node, self.ints, self.quiet = em, node, ints, quiet
        name, fmt, self.count, _ = node.attr
        self.size = node.width // self.count
        source = fmt if isinstance(fmt, str) else fmt[0]
        self.wide = source if isinstance(source, int) else FORMATS[source].width
        self.number = not name.startswith("to_") or name == "to_float"

    def _call(self, given: list[str] | None) -> str:
        em, cell = self.em, ENGINE_CELLS["fp_raised"]
        before = em.get_cell(cell) if self.quiet else ""
        one = str(em.slow_call(self.node, given))
        if self.quiet:
            em.set_cell(cell, f"i64 {before}")
        if self.count > 1 and self.node.attr[0] in COMPARES:
            one = str(em.let(f"sext i1 {one} to i{self.size}"))
        return one

    def _integers(self, i: int) -> str:
        if self.count == 1:
            return self._call(None)
        return self._call([f"i{self.wide} {self.em.let(f'extractelement <{self.count} x i{self.wide}> {x}, i32 {i}')}" for x in self.ints])

    def lane(self, i: int) -> str:
        """Return one lane: an integer, or a number."""
        one = self._integers(i)
        return str(self.em.let(f"bitcast i{self.size} {one} to {FLOATS[self.size]}")) if self.number else one

    def lanes(self) -> str:
        """Return all lanes as integers."""
        if self.count == 1:
            return self._integers(0)
        result = "poison"
        for i in range(self.count):
            result = self.em.let(f"insertelement <{self.count} x i{self.size}> {result}, i{self.size} {self._integers(i)}, i32 {i}")
        return result

    def floats(self) -> str:
        """Return all lanes as numbers."""
        kind = shaped(f"i{self.size}", self.count)
        return str(self.em.let(f"bitcast {kind} {self.lanes()} to {shaped(FLOATS[self.size], self.count)}"))

    def value(self) -> str:
        """Return the node's value."""
        return self.lanes() if self.count == 1 else str(self.em.from_vector(self.node, self.count, self.lanes()))


def mine(f: Any, flags: str) -> str:
    """Return the host's exceptions (i8), or none if they mean nothing in its mode."""
    usual = f.let(f"icmp eq i64 {f.get_cell(ENGINE_CELLS['host_mode'])}, {USUAL}")
    return str(f.let(f"select i1 {usual}, i8 {flags}, i8 0"))


def shaped(kind: str, lanes: int) -> str:
    """Return the type of so many lanes."""
    return kind if lanes == 1 else f"<{lanes} x {kind}>"


def splat(kind: str, value: str, lanes: int) -> str:
    """Return a constant in every lane."""
    return value if lanes == 1 else "<" + ", ".join([f"{kind} {value}"] * lanes) + ">"


def mangled(fmt: str, lanes: int) -> str:
    """Return a type as intrinsic names spell it."""
    return fmt if lanes == 1 else f"v{lanes}{fmt}"
