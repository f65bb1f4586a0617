"""Floating point to LLVM: the host's operation where its result is surely right, else a call of the slow function.

Host operations are constrained intrinsics (never moved, dropped or made up), so the host's sticky exceptions are the
guest's. Two ways to be sure of a result:

*Plain* (control word 0): IEEE results of the host are right but for NaNs, and exceptions but for a result that equals the
smallest normal number, where hosts differ in when they call it tiny. One compare afterwards finds both.

*Flushing* (the flush bit may be set): the operands are looked at first, for denormals and for a product that may underflow,
because exceptions that the host has raised cannot be taken back; sums are looked at afterwards too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core import host
from xemu.core.bits import make, new_graph
from xemu.core.evaluate import split
from xemu.core.fp import SLOW_OPERATIONS, result_width
from xemu.core.softfloat import COMPARES, FORMATS, Format
from xemu.core.state import ENGINE_CELLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.bits import Bits

TYPES = {"f32": "float", "f64": "double"}
INTRINSICS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "sqrt": "sqrt", "fma": "fma", "rint": "rint"}
PREDICATES = {"lt": "olt", "le": "ole", "eq": "oeq", "unordered": "uno"}
STRICT = 'metadata !"fpexcept.strict"'
UNLIKELY = ", !prof !10"
SLOW_CALL = "preserve_allcc"             # the rare call must not cost the common path its registers
WIDE = 4                                 # vectors are padded to this many lanes
ONE = 0x3F800000


class FloatLowering:
    """The floating-point operations of an Emitter."""

    if TYPE_CHECKING:
        lines: list[str]
        block: str
        declared: set[str]
        journal: list[Any]
        floats: dict[int, str]
        new: Callable[..., str]
        put: Callable[[str], None]
        let: Callable[[str], str]
        label: Callable[[str], None]
        call: Callable[..., str]
        value: Callable[[Bits], str]
        vector: Callable[[Bits, int], str]
        from_vector: Callable[[Bits, int, str], str]
        get_cell: Callable[..., str]
        set_cell: Callable[[int, str], None]

    # -- names ---------------------------------------------------------------------------------------------------
    def as_float(self, node: Bits, fmt: str) -> str:
        """Return the name of a node as float or double."""
        known = self.floats.get(node.id)
        if known is None:
            known = self.let(f"bitcast i{node.width} {self.value(node)} to {TYPES[fmt]}")
            self.remember_float(node, known)
        return known

    def remember_float(self, node: Bits, name: str) -> None:
        """Note the name a node has as float or double."""
        self.floats[node.id] = name
        self.journal.append((self.floats, node.id))

    def from_float(self, node: Bits, name: str) -> str:
        """Return a result as iN, remembering the float."""
        self.remember_float(node, name)
        return self.let(f"bitcast {'float' if node.width == 32 else 'double'} {name} to i{node.width}")  # noqa: PLR2004

    def constrained(self, name: str, result: str, args: list[str], *, mode: str = "round.tonearest") -> str:
        """Emit a constrained intrinsic; arguments are "type value"."""
        types = [a.rsplit(" ", 1)[0] for a in args]
        suffix = _mangle(result) + (f".{_mangle(types[0])}" if types[0] != result else "")
        extra = [] if name == "fpext" else [f'metadata !"{mode}"']
        function = f"llvm.experimental.constrained.{name}.{suffix}"
        declared = ", ".join([*types, *["metadata"] * (len(extra) + 1)])
        self.declared.add(f"declare {result} @{function}({declared})")
        return self.let(f"call {result} @{function}({', '.join([*args, *extra, STRICT])}) strictfp")

    # -- dispatch ------------------------------------------------------------------------------------------------
    def op_fp(self, node: Bits) -> str:
        """Emit an operation of any kind."""
        name, fmt, lanes, _ = node.attr
        ctl = node.args[-1]
        plain = ctl.op == "const" and ctl.attr == 0
        if name in COMPARES:
            return self._compare_value(node, plain=plain)
        if lanes > 1:
            if name in ("to_uint", "from_uint"):
                return self._each_lane(node)
            return self._wide(node)
        if name.startswith("to_") and name != "to_float":
            return self._to_integer(node, plain=plain)
        if name.startswith("from_"):
            return self._from_integer(node)
        args = [self.as_float(a, fmt if isinstance(fmt, str) else fmt[0]) for a in node.args[:-1]]
        if plain:
            return self.from_float(node, self._plain_scalar(node, name, fmt, args))
        return self.from_float(node, self._flushing_scalar(node, name, fmt, args))

    def raise_flags(self, node: Bits) -> None:
        """Make sure that an operation's exceptions are raised. Comparisons are the only ones whose value does not do it."""
        name, fmt, lanes, _ = node.attr
        ctl = node.args[-1]
        self.value(node)
        if name in COMPARES and lanes == 1 and ctl.op == "const" and ctl.attr == 0:
            x, y = (self.as_float(a, fmt) for a in node.args[:2])
            bad, cold, on = self.let(f"fcmp uno {TYPES[fmt]} {x}, {y}"), self.new("cold"), self.new("on")
            self.put(f"br i1 {bad}, label %{cold}, label %{on}{UNLIKELY}")
            self.label(cold)
            self.slow_call(node)
            self.put(f"br label %{on}")
            self.label(on)

    # -- the slow function ---------------------------------------------------------------------------------------
    def slow_call(self, node: Bits, args: list[str] | None = None) -> str:
        """Call the slow function of an operation on scalars; return its result as iN. It raises the exceptions itself."""
        name, fmt, _, _ = node.attr
        index = SLOW_OPERATIONS.index((name, fmt))
        width = result_width(name, fmt)
        given = args or [f"i{a.width} {self._late(a)}" for a in node.args[:-1]]
        table = self.get_cell(ENGINE_CELLS["fp_slow"], "ptr")
        function = self.let(f"load ptr, ptr {self.let(f'getelementptr i8, ptr {table}, i64 {index * 8}')}")
        return self.let(f"call {SLOW_CALL} i{width} {function}(ptr %st, {', '.join(given)}, i8 {self.value(node.args[-1])})")

    def _late(self, node: Bits) -> str:
        """Return a scalar operand as iN, made here from the float: the common path is to know the float alone."""
        known = self.floats.get(node.id)
        if known is None:
            return self.value(node)
        return self.let(f"bitcast {'float' if node.width == 32 else 'double'} {known} to i{node.width}")  # noqa: PLR2004

    def _joined(self, bad: str, fast: str, kind: str, slow: Callable[[], str]) -> str:
        """Return `fast`, or where `bad` what `slow` emits in a cold block."""
        cold, join, here = self.new("cold"), self.new("join"), self.block
        self.put(f"br i1 {bad}, label %{cold}, label %{join}{UNLIKELY}")
        self.label(cold)
        other = slow()
        last = self.block
        self.put(f"br label %{join}")
        self.label(join)
        return self.let(f"phi {kind} [ {fast}, %{here} ], [ {other}, %{last} ]")

    def _slow_float(self, node: Bits, kind: str) -> str:
        result = self.slow_call(node)
        return self.let(f"bitcast i{node.width} {result} to {kind}")

    # -- scalars, control word 0 ---------------------------------------------------------------------------------
    def _operation(self, name: str, fmt: Any, kinds: tuple[str, str], args: list[str], mode: str = "round.tonearest") -> str:
        """Emit the host's operation; `kinds` are the types of the arguments and of the result."""
        operands = [f"{kinds[0]} {a}" for a in args]
        if name == "to_float":
            wider = FORMATS[fmt[1]].width > FORMATS[fmt[0]].width
            return self.constrained("fpext" if wider else "fptrunc", kinds[1], operands, mode=mode)
        return self.constrained(INTRINSICS[name], kinds[1], operands, mode=mode)

    def _plain_scalar(self, node: Bits, name: str, fmt: Any, args: list[str]) -> str:
        source, target = (fmt, fmt) if isinstance(fmt, str) else fmt
        kind = TYPES[target]
        result = self._operation(name, fmt, (TYPES[source], kind), args)
        if name in ("add", "sub", "sqrt") or fmt == ("f32", "f64"):     # exact where they are small
            bad = self.let(f"fcmp uno {kind} {result}, {result}")
        else:
            size = self.call(kind, f"llvm.fabs.{target}", f"{kind} {result}")
            bad = self.let(f"fcmp ueq {kind} {size}, {_smallest(target)}")
        return self._joined(bad, result, kind, lambda: self._slow_float(node, kind))

    # -- scalars and vectors with flushing ------------------------------------------------------------------------
    def _flushing_scalar(self, node: Bits, name: str, fmt: Any, args: list[str]) -> str:
        """Emit a scalar whose control word may flush, or round differently, at run time."""
        source, target = (fmt, fmt) if isinstance(fmt, str) else fmt
        bits = [self.value(a) for a in node.args[:-1]]
        check = Check(self, FORMATS[source], 1)
        bad = check.before(name, fmt, bits)
        ctl = node.args[-1]
        if ctl.op != "const":
            mode = self.let(f"and i8 {self.value(ctl)}, 7")
            bad = self.let(f"or i1 {bad}, {self.let(f'icmp ne i8 {mode}, 0')}")
        kind = TYPES[target]
        fast, cold, join = self.new("fast"), self.new("cold"), self.new("join")
        self.put(f"br i1 {bad}, label %{cold}, label %{fast}{UNLIKELY}")
        self.label(fast)
        result = self._operation(name, fmt, (TYPES[source], kind), args)
        after = Check(self, FORMATS[target], 1).after(name, fmt, self.let(f"bitcast {kind} {result} to i{node.width}"))
        here = self.block
        if after:
            self.put(f"br i1 {after}, label %{cold}, label %{join}{UNLIKELY}")
        else:
            self.put(f"br label %{join}")
        self.label(cold)
        other = self._slow_float(node, kind)
        self.put(f"br label %{join}")
        self.label(join)
        return self.let(f"phi {kind} [ {result}, %{here} ], [ {other}, %{cold} ]")

    def _wide(self, node: Bits) -> str:
        """Emit an operation on two or four singles with ARM's standard control word."""
        name, _, lanes, _ = node.attr
        ints = [self._padded(a, lanes) for a in node.args[:-1]]
        check = Check(self, FORMATS["f32"], WIDE)
        bad = check.before(name, "f32", ints)
        fast, cold, join = self.new("fast"), self.new("cold"), self.new("join")
        if bad:
            maybe = self.new("maybe")
            self.put(f"br i1 {bad}, label %{maybe}, label %{fast}{UNLIKELY}")
            self.label(maybe)
            self.put(f"br i1 {check.surely(name, ints)}, label %{cold}, label %{fast}")
        else:
            self.put(f"br label %{fast}")
        self.label(fast)
        result = self._wide_operation(name, ints)
        after = check.after(name, "f32", result)
        here = self.block
        if after:
            self.put(f"br i1 {after}, label %{cold}, label %{join}{UNLIKELY}")
        else:
            self.put(f"br label %{join}")
        if bad or after:
            self.label(cold)
            other = self._lanes_slow(node, lanes)
            last = self.block
            self.put(f"br label %{join}")
        self.label(join)
        if bad or after:
            result = self.let(f"phi <{WIDE} x i32> [ {result}, %{here} ], [ {other}, %{last} ]")
        if lanes < WIDE:
            result = self.let(f"shufflevector <4 x i32> {result}, <4 x i32> poison, <2 x i32> <i32 0, i32 1>")
        return self.from_vector(node, lanes, result)

    def _padded(self, node: Bits, lanes: int) -> str:
        """Return a vector as four lanes of integers; lanes that are not there hold 1.0."""
        if node.op == "const":
            items = [*split(node.attr, lanes, 32), *[ONE] * (WIDE - lanes)]
            return "<" + ", ".join(f"i32 {v - (1 << 32) if v >> 31 else v}" for v in items) + ">"
        name = self.vector(node, lanes)
        if lanes == WIDE:
            return name
        ones = "<" + ", ".join([f"i32 {ONE}"] * lanes) + ">"
        return self.let(f"shufflevector <2 x i32> {name}, <2 x i32> {ones}, <4 x i32> <i32 0, i32 1, i32 2, i32 3>")

    def _wide_operation(self, name: str, ints: list[str]) -> str:
        """Emit the host's operation on four lanes; return integers."""
        kind = f"<{WIDE} x float>"
        if name == "from_sint":
            result = self.constrained("sitofp", kind, [f"<{WIDE} x i32> {ints[0]}"])
        else:
            floats = [self.let(f"bitcast <{WIDE} x i32> {x} to {kind}") for x in ints]
            if name == "to_sint":
                return host.vector_to_int(self, floats[0])
            result = self.constrained(INTRINSICS[name], kind, [f"{kind} {x}" for x in floats])
        return self.let(f"bitcast {kind} {result} to <{WIDE} x i32>")

    def _lanes_slow(self, node: Bits, lanes: int) -> str:
        """Call the slow function for each lane; return four lanes of integers."""
        result = "poison"
        for i in range(lanes):
            given = [f"i32 {self.let(f'extractelement <{lanes} x i32> {self.vector(a, lanes)}, i32 {i}')}" for a in node.args[:-1]]
            one = self.slow_call(node, given)
            result = self.let(f"insertelement <{WIDE} x i32> {result}, i32 {one}, i32 {i}")
        return result

    def _each_lane(self, node: Bits) -> str:
        """Emit a conversion from or to unsigned integers lane by lane."""
        name, _, lanes, _ = node.attr
        vector, result = self.vector(node.args[0], lanes), "poison"
        for i in range(lanes):
            x = self.let(f"extractelement <{lanes} x i32> {vector}, i32 {i}")
            one = self._lane_to_unsigned(node, x) if name == "to_uint" else self._lane_from_unsigned(x)
            result = self.let(f"insertelement <{lanes} x i32> {result}, i32 {one}, i32 {i}")
        return self.from_vector(node, lanes, result)

    def _lane_to_unsigned(self, node: Bits, x: str) -> str:
        check = Check(self, FORMATS["f32"], 1)
        bad = check.before("to_uint", "f32", [x])
        number = self.let(f"bitcast i32 {x} to float")
        bad = self.let(f"or i1 {bad}, {self._outside(number, 'f32', 'zero')}")
        return self._diamond(bad, lambda: self._to_unsigned(number, "f32", "zero"), lambda: self.slow_call(node, [f"i32 {x}"]), "i32")

    def _lane_from_unsigned(self, x: str) -> str:
        wide = self.let(f"zext i32 {x} to i64")
        return self.let(f"bitcast float {self.constrained('sitofp', 'float', [f'i64 {wide}'])} to i32")

    def _diamond(self, bad: str, fast: Callable[[], str], slow: Callable[[], str], kind: str) -> str:
        """Emit `slow` where bad, else `fast`."""
        good, cold, join = self.new("good"), self.new("cold"), self.new("join")
        self.put(f"br i1 {bad}, label %{cold}, label %{good}{UNLIKELY}")
        self.label(good)
        a = fast()
        last_a = self.block
        self.put(f"br label %{join}")
        self.label(cold)
        b = slow()
        last_b = self.block
        self.put(f"br label %{join}")
        self.label(join)
        return self.let(f"phi {kind} [ {a}, %{last_a} ], [ {b}, %{last_b} ]")

    # -- integers ------------------------------------------------------------------------------------------------
    def _outside(self, x: str, fmt: str, rounding: str) -> str:
        """Return whether a number may not fit an unsigned word."""
        low = "-1.0" if rounding == "zero" else "-0.5"
        high = "4294967296.0" if rounding == "zero" else "4294967040.0"
        inside = self.let(f"and i1 {self.let(f'fcmp ogt {TYPES[fmt]} {x}, {low}')}, {self.let(f'fcmp olt {TYPES[fmt]} {x}, {high}')}")
        return self.let(f"xor i1 {inside}, true")

    def _to_unsigned(self, x: str, fmt: str, rounding: str) -> str:
        wide = host.to_int(self, x, fmt, 64, truncate=rounding == "zero")
        return self.let(f"trunc i64 {wide} to i32")

    def _to_integer(self, node: Bits, *, plain: bool) -> str:
        """Convert a scalar to a word: the host's conversion where the number fits."""
        name, (fmt, width, rounding, fbits), _, _ = node.attr
        assert (width, fbits) == (32, 0)
        x, ctl = self.as_float(node.args[0], fmt), node.args[-1]
        slow: Callable[[], str] = lambda: self.slow_call(node)
        if plain and name == "to_sint":
            result = host.to_int(self, x, fmt, 32, truncate=rounding == "zero")
            return self._joined(self.let(f"icmp eq i32 {result}, -2147483648"), result, "i32", slow)
        bad = self._outside(x, fmt, rounding) if name == "to_uint" else self._beyond(x, fmt)
        if not plain:
            bad = self.let(f"or i1 {bad}, {Check(self, FORMATS[fmt], 1).before(name, fmt, [self.value(node.args[0])])}")
            if rounding != "zero":
                mode = self.let(f"and i8 {self.value(ctl)}, 7")
                bad = self.let(f"or i1 {bad}, {self.let(f'icmp ne i8 {mode}, 0')}")
        if name == "to_uint":
            return self._diamond(bad, lambda: self._to_unsigned(x, fmt, rounding), slow, "i32")
        return self._diamond(bad, lambda: host.to_int(self, x, fmt, 32, truncate=rounding == "zero"), slow, "i32")

    def _beyond(self, x: str, fmt: str) -> str:
        """Return whether a number may not fit a signed word."""
        size = self.call(TYPES[fmt], f"llvm.fabs.{fmt}", f"{TYPES[fmt]} {x}")
        return self.let(f"fcmp uge {TYPES[fmt]} {size}, 2147483520.0")

    def _from_integer(self, node: Bits) -> str:
        """Convert a word to a number: the host's result is right if it rounds to nearest."""
        name, (_, fmt, _), _, _ = node.attr
        ctl, kind = node.args[-1], TYPES[fmt]

        def fast() -> str:
            x = self.value(node.args[0])
            if name == "from_sint":
                return self.constrained("sitofp", kind, [f"i32 {x}"])
            return self.constrained("sitofp", kind, [f"i64 {self.let(f'zext i32 {x} to i64')}"])
        if ctl.op == "const" and ctl.attr & 7 == 0:
            return self.from_float(node, fast())
        self.value(node.args[0])
        mode = self.let(f"and i8 {self.value(ctl)}, 7")
        bad = self.let(f"icmp ne i8 {mode}, 0")
        return self.from_float(node, self._diamond(bad, fast, lambda: self._slow_float(node, kind), kind))

    # -- comparisons ---------------------------------------------------------------------------------------------
    def _compare_value(self, node: Bits, *, plain: bool) -> str:
        """Compare: with control word 0 a plain comparison, whose exceptions `raise_flags` sees to."""
        name, fmt, _, _ = node.attr
        if not plain:
            return self.slow_call(node)
        x, y = (self.as_float(a, fmt) for a in node.args[:2])
        return self.let(f"fcmp {PREDICATES[COMPARES[name][0]]} {TYPES[fmt]} {x}, {y}")

    # -- exceptions of the host ----------------------------------------------------------------------------------
    def op_hostflags(self, node: Bits) -> str:  # noqa: ARG002  one signature for all operations
        """Return what the guest has raised since it was last asked; forget it."""
        raised = self.get_cell(ENGINE_CELLS["fp_raised"])
        self.set_cell(ENGINE_CELLS["fp_raised"], "i64 0")
        self.declared.update(host.FLOAT_DECLARATIONS)
        return self.let(f"or i8 {host.take_flags(self)}, {self.let(f'trunc i64 {raised} to i8')}")


class Check:
    """Integer tests on the bits of operands and results that flushing modes need; on one lane or a vector."""

    def __init__(self, em: Any, fmt: Format, lanes: int) -> None:
        self.em, self.fmt, self.lanes = em, fmt, lanes
        self.kind = f"i{fmt.width}" if lanes == 1 else f"<{lanes} x i{fmt.width}>"
        self.smallest, self.infinity = 1 << fmt.fraction, fmt.infinity

    def const(self, value: int) -> str:
        """Return a constant in every lane."""
        value &= (1 << self.fmt.width) - 1
        text = str(value - (1 << self.fmt.width) if value >> (self.fmt.width - 1) else value)
        return text if self.lanes == 1 else "<" + ", ".join([f"i{self.fmt.width} {text}"] * self.lanes) + ">"

    def op(self, name: str, x: str, y: str | int) -> str:
        """Emit an operation or a comparison ("icmp ult")."""
        other = self.const(y) if isinstance(y, int) else y
        return str(self.em.let(f"{name} {self.kind} {x}, {other}"))

    def bits(self, name: str, x: str, y: str) -> str:
        """Combine two masks."""
        flag = "i1" if self.lanes == 1 else f"<{self.lanes} x i1>"
        return str(self.em.let(f"{name} {flag} {x}, {y}"))

    def any(self, mask: str) -> str:
        """Return whether a mask has a lane set."""
        if self.lanes == 1:
            return mask
        number = self.em.let(f"bitcast <{self.lanes} x i1> {mask} to i{self.lanes}")
        return str(self.em.let(f"icmp ne i{self.lanes} {number}, 0"))

    def pick(self, name: str, x: str, y: str) -> str:
        """Emit umin or umax."""
        suffix = f"v{self.lanes}i{self.fmt.width}" if self.lanes > 1 else f"i{self.fmt.width}"
        return str(self.em.call(self.kind, f"llvm.{name}.{suffix}", f"{self.kind} {x}", f"{self.kind} {y}"))

    def size(self, x: str) -> str:
        """Return the number without its sign."""
        return self.op("and", x, self.fmt.sign - 1)

    def denormal(self, size: str) -> str:
        """Return where a size is denormal."""
        return self.op("icmp ult", self.op("add", size, -1), self.smallest - 1)

    def before(self, name: str, fmt: Any, operands: list[str]) -> str:
        """Return whether the operation may not be done on the host; empty: it always may."""
        sizes = [self.size(x) for x in operands] if not name.startswith("from_") else []
        match name:
            case "mul" | "div":
                return self.any(self._far(name, sizes[0], sizes[1]))
            case "fma":
                return self.any(self.bits("or", self._far(name, sizes[0], sizes[1]), self.denormal(sizes[2])))
            case "to_float" if fmt == ("f64", "f32"):
                low = 1 + self.fmt.bias - FORMATS["f32"].bias + 1
                small = self.op("icmp ult", sizes[0], low << self.fmt.fraction)
                zero = self.op("icmp eq", sizes[0], 0)
                large = self.op("icmp uge", sizes[0], self.infinity)
                return self.bits("or", self.bits("and", small, self.bits("xor", zero, "true")), large)
            case "from_sint" | "from_uint":
                return ""
        if len(sizes) == 1:
            return self.any(self.denormal(sizes[0]))
        lower = self.pick("umin", self.op("add", sizes[0], -1), self.op("add", sizes[1], -1))
        return self.any(self.op("icmp ult", lower, self.smallest - 1))

    def _far(self, name: str, x: str, y: str) -> str:
        """Return where a factor is not normal and finite, or the result may be tiny."""
        f = self.fmt
        odd = self.bits("or", self.op("icmp slt", self.pick("umin", x, y), self.smallest),
                        self.op("icmp sge", self.pick("umax", x, y), self.infinity))
        if name == "div":
            tiny = self.op("icmp slt", self.op("sub", x, y), (2 - f.bias) << f.fraction)
        else:                                  # of a fused product, every bit must fit above the smallest denormal
            least = (f.bias + 2 + (f.fraction if name == "fma" else 0)) << f.fraction
            tiny = self.op("icmp slt", y, self.op("sub", self.const(least), x))
        return self.bits("or", odd, tiny)

    def surely(self, name: str, operands: list[str]) -> str:
        """Return whether it really may not be done, after `before` has said so: products with zeros may."""
        if name not in ("mul", "fma"):
            return "true"
        x, y = (self.size(v) for v in operands[:2])
        far = self._far(name, x, y)
        low, high = self.pick("umin", x, y), self.pick("umax", x, y)
        zero = self.op("icmp eq", low, 0)
        other = self.op("icmp ult", self.op("sub", high, self.smallest), self.infinity - self.smallest)
        other = self.bits("or", other, self.op("icmp eq", high, 0))
        fine = self.bits("and", zero, other)
        flag = "true" if self.lanes == 1 else "<" + ", ".join(["i1 true"] * self.lanes) + ">"
        bad = self.bits("and", far, self.bits("xor", fine, flag))
        if name == "fma":
            bad = self.bits("or", bad, self.denormal(self.size(operands[2])))
        return self.any(bad)

    def after(self, name: str, fmt: Any, result: str) -> str:
        """Return whether the host's result may not be kept; empty: it always may."""
        if name in ("mul", "div") or name.startswith("from_") or fmt == ("f64", "f32"):
            return ""
        if name == "to_sint":
            return self.any(self.op("icmp eq", result, 1 << 31))
        size = self.size(result)
        return self.any(self.bits("or", self.denormal(size), self.op("icmp sgt", size, self.infinity)))


def _smallest(fmt: str) -> str:
    """Return the smallest normal number as LLVM writes it."""
    return "0x3810000000000000" if fmt == "f32" else "0x0010000000000000"


def _mangle(kind: str) -> str:
    """Return a type as intrinsic names spell it."""
    if kind.startswith("<"):
        n, _, element = kind[1:-1].split()
        return f"v{n}{_mangle(element)}"
    return {"float": "f32", "double": "f64"}.get(kind, kind)


# -- slow functions ---------------------------------------------------------------------------------------------------


def slow_emitter() -> Any:
    """Return an emitter for the body of a slow function."""
    from xemu.core.lower import Emitter

    class SlowEmitter(Emitter):
        """Operands are parameters; host operations are calls of helpers that give value and exceptions."""

        def __init__(self) -> None:
            super().__init__()
            self.helpers: dict[str, tuple[str, Any]] = {}
            self.calls: dict[tuple[Any, ...], str] = {}

        def op_param(self, node: Bits) -> str:
            """Return a parameter."""
            return f"%{node.attr}"

        def _host(self, node: Bits) -> str:
            name, fmt = node.attr
            key = (node.attr, *[a.id for a in node.args])
            if key not in self.calls:
                args = ", ".join(f"i{a.width} {self.value(a)}" for a in node.args)
                helper = helper_name(name, fmt)
                self.helpers[helper] = node.attr
                self.calls[key] = self.let(f"call {{ i{result_width(name, fmt)}, i8 }} @{helper}({args})")
            return f"{{ i{result_width(name, fmt)}, i8 }} {self.calls[key]}"

        def op_hostfp(self, node: Bits) -> str:
            """Return the value of a host operation."""
            return self.let(f"extractvalue {self._host(node)}, 0")

        def op_hostfpflags(self, node: Bits) -> str:
            """Return its exceptions."""
            return self.let(f"extractvalue {self._host(node)}, 1")

    return SlowEmitter()


def helper_name(name: str, fmt: Any) -> str:
    """Return the name of the helper for a host operation."""
    return "host_" + "_".join([name, *([fmt] if isinstance(fmt, str) else map(str, fmt))])


def slow_functions(slow: Callable[..., tuple[Bits, Bits]]) -> tuple[str, set[str]]:
    """Return the text of a target's slow functions (fp_0, fp_1 … as in SLOW_OPERATIONS) and their declarations."""
    text, declared, helpers = "", set(host.FLOAT_DECLARATIONS), {}
    for index, (name, fmt) in enumerate(SLOW_OPERATIONS):
        new_graph()
        source = fmt if isinstance(fmt, str) else fmt[0]
        width = source if isinstance(source, int) else FORMATS[source].width
        count = 3 if name == "fma" else 1 if name == "sqrt" or not isinstance(fmt, str) else 2
        params = [make("param", width, (), f"p{i}") for i in range(count)]
        try:
            value, flags = slow(name, fmt, params, make("param", 8, (), "ctl"))
        except KeyError:
            continue
        em = slow_emitter()
        result, raised = em.value(value), em.value(flags)
        cell = ENGINE_CELLS["fp_raised"]
        em.set_cell(cell, f"i64 {em.let(f'or i64 {em.get_cell(cell)}, ' + em.let(f'zext i8 {raised} to i64'))}")
        em.put(f"ret i{value.width} {result}")
        head = ", ".join(["ptr %st", *[f"i{width} %p{i}" for i in range(count)], "i8 %ctl"])
        text += "\n".join([f"define dso_local {SLOW_CALL} i{value.width} @fp_{index}({head}) #0 {{", "entry:", *em.lines, "}", ""])
        declared |= em.declared
        helpers.update(em.helpers)
    for helper, (name, fmt) in helpers.items():
        body, more = _helper(helper, name, fmt)
        text, declared = text + body, declared | more
    return text, declared


def _helper(helper: str, name: str, fmt: Any) -> tuple[str, set[str]]:
    """Return a function that does a host operation in a rounding mode and gives (value, the exceptions it raised)."""
    em = slow_emitter()
    source, target = (fmt, fmt) if isinstance(fmt, str) else fmt[:2]
    width = source if isinstance(source, int) else FORMATS[source].width
    count = 3 if name == "fma" else 1 if name == "sqrt" or not isinstance(fmt, str) else 2
    saved = host.begin_operation(em, "%mode")
    args = [f"%p{i}" for i in range(count)]
    kind = TYPES[target]
    if name.startswith("from_"):
        wide = em.let(f"{'sext' if name == 'from_sint' else 'zext'} i{width} %p0 to i64")
        result = em.constrained("sitofp", kind, [f"i64 {wide}"], mode="round.dynamic")
    else:
        floats = [em.let(f"bitcast i{width} {a} to {TYPES[source]}") for a in args]
        result = em._operation(name, fmt, (TYPES[source], kind), floats, "round.dynamic")  # noqa: SLF001  its own part
    out = FORMATS[target].width
    value = em.let(f"bitcast {kind} {result} to i{out}")
    flags = host.end_operation(em, saved)
    pair = em.let(f"insertvalue {{ i{out}, i8 }} poison, i{out} {value}, 0")
    pair = em.let(f"insertvalue {{ i{out}, i8 }} {pair}, i8 {flags}, 1")
    em.put(f"ret {{ i{out}, i8 }} {pair}")
    head = ", ".join([*[f"i{width} {a}" for a in args], "i8 %mode"])
    return "\n".join([f"define internal {{ i{out}, i8 }} @{helper}({head}) noinline #0 {{", "entry:", *em.lines, "}", ""]), em.declared


__all__ = ["Check", "FloatLowering", "slow_functions"]
