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
from xemu.core.evaluate import split
from xemu.core.fp import AGAIN, NEVER_STICKY, SLOW_OPERATIONS, result_width
from xemu.core.lower_fp_check import Check
from xemu.core.lower_fp_exact import ExactLowering
from xemu.core.lower_fp_plain import INTEGRAL, PlainLowering, mine
from xemu.core.softfloat import COMPARES
from xemu.core.softnumber import FORMATS, QUIETLY, RULES
from xemu.core.state import ENGINE_CELLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.bits import Bits
    from xemu.core.state import StateLayout

TYPES = {"f32": "float", "f64": "double"}
INTRINSICS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "sqrt": "sqrt", "fma": "fma", "rint": "rint"}
PREDICATES = {"lt": "olt", "le": "ole", "eq": "oeq", "unordered": "uno"}
UNROUNDED = frozenset({"fpext", *INTEGRAL.values()})         # intrinsics that take no rounding mode
STRICT = 'metadata !"fpexcept.strict"'
UNLIKELY = ", !prof !10"
# Keeps general registers. preserve_allcc would keep vector registers too, but loses some of them (LLVM 22, AVX-512 host).
SLOW_CALL = "preserve_mostcc"
WIDE = 4                                 # vectors are padded to this many lanes
ONE = 0x3F800000


class FloatLowering(ExactLowering, PlainLowering):
    """The floating-point operations of an Emitter."""

    if TYPE_CHECKING:
        layout: StateLayout
        lines: list[str]
        block: str
        declared: set[str]
        journal: list[Any]
        floats: dict[int, str]
        asked: bool
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
            if node.op == "const":
                known = host.opaque(self, TYPES[fmt], known)
            self.remember_float(node, known)
        return known

    def remember_float(self, node: Bits, name: str) -> None:
        """Note the name a node has as float or double."""
        self.floats[node.id] = name
        self.journal.append((self.floats, node.id))

    def from_float(self, node: Bits, name: str) -> str:
        """Return a result as iN, remembering the float."""
        self.remember_float(node, name)
        return self.let(f"bitcast {'float' if node.width == 32 else 'double'} {name} to i{node.width}")

    def constrained(self, name: str, result: str, args: list[str], *, mode: str = "round.tonearest") -> str:
        """Emit a constrained intrinsic; arguments are "type value"."""
        types = [a.rsplit(" ", 1)[0] for a in args]
        suffix = _mangle(result) + (f".{_mangle(types[0])}" if types[0] != result else "")
        extra = [] if name in UNROUNDED else [f'metadata !"{mode}"']
        function = f"llvm.experimental.constrained.{name}.{suffix}"
        declared = ", ".join([*types, *["metadata"] * (len(extra) + 1)])
        self.declared.add(f"declare {result} @{function}({declared})")
        return self.let(f"call {result} @{function}({', '.join([*args, *extra, STRICT])}) strictfp")

    # -- dispatch ------------------------------------------------------------------------------------------------
    def op_fp(self, node: Bits) -> str:
        """Emit an operation of any kind."""
        name, fmt, lanes, rules = node.attr
        if RULES[rules].separate_flushing:
            return self.exact(node)
        ctl = node.args[-1]
        if RULES[rules].adjusts:
            return self.plain(node, quiet=rules in QUIETLY) if ctl.op == "const" and "f128" not in fmt else self.called(node)
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
        """Make sure that an operation's exceptions are raised. Comparisons are the only ones whose value does not do it.

        The exceptions may also be given as a value.
        """
        if node.op != "fp":
            cell = ENGINE_CELLS["fp_raised"]
            raised = self.let(f"zext i{node.width} {self.value(node)} to i64")
            self.set_cell(cell, f"i64 {self.let(f'or i64 {self.get_cell(cell)}, {raised}')}")
            return
        name, fmt, lanes, rules = node.attr
        if RULES[rules].separate_flushing:
            self.exact_flags(node)
            return
        if RULES[rules].adjusts:
            self.plain_flags(node)
            return
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
    def slow_call(self, node: Bits, args: list[str] | None = None, operation: tuple[str, Any] | None = None) -> str:
        """Call the slow function of an operation on scalars; return its result as iN. It raises the exceptions itself."""
        name, fmt = operation or node.attr[:2]
        index = SLOW_OPERATIONS.index((name, fmt))
        width = result_width(name, fmt)
        given = args or [f"i{a.width} {self._late(a)}" for a in node.args[:-1]]
        table = self.get_cell(ENGINE_CELLS["fp_slow"], "ptr")
        function = self.let(f"load ptr, ptr {self.let(f'getelementptr i8, ptr {table}, i64 {index * 8}')}")
        return self.let(f"call {SLOW_CALL} i{width} {function}(ptr %st, {', '.join(given)}, i8 {self.value(node.args[-1])})")

    def op_fpagain(self, node: Bits) -> str:
        """Return the exceptions of an operation given by its number."""
        table = self.get_cell(ENGINE_CELLS["fp_slow"], "ptr")
        function = self.let(f"load ptr, ptr {self.let(f'getelementptr i8, ptr {table}, i64 {AGAIN * 8}')}")
        given = ", ".join(f"i{a.width} {self.value(a)}" for a in node.args)
        return self.let(f"call {SLOW_CALL} i16 {function}(ptr %st, {given})")

    def _late(self, node: Bits) -> str:
        """Return a scalar operand as iN, made here from the float: the common path is to know the float alone."""
        known = self.floats.get(node.id)
        if known is None:
            return self.value(node)
        return self.let(f"bitcast {'float' if node.width == 32 else 'double'} {known} to i{node.width}")

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
            return host.opaque(self, f"<{WIDE} x i32>", "<" + ", ".join(f"i32 {v - (1 << 32) if v >> 31 else v}" for v in items) + ">")
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

        def slow() -> str:
            return self.slow_call(node)
        if plain and name == "to_sint":
            result = host.to_int(self, x, fmt, 32, truncate=rounding == "zero")
            return self._joined(self.let(f"icmp eq i32 {result}, -2147483648"), result, "i32", slow)
        bad = self._outside(x, fmt, rounding) if name == "to_uint" else self._beyond(x, fmt)
        if not plain:
            self.value(ctl)                      # here: what follows may need it too, not in the cold block alone
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
    def op_hostflags(self, node: Bits) -> str:
        """Return what the guest has raised since it was last asked; it is forgotten when the instruction is certain to be completed."""
        self.asked = True
        self.declared.update(host.FLOAT_DECLARATIONS)
        gathered = self.let(f"and i8 {host.read_flags(self)}, {self.layout.host_exceptions}")
        if self.layout.quiet:
            gathered = mine(self, gathered)
        wide = self.let(f"and i64 {self.get_cell(ENGINE_CELLS['fp_raised'])}, {~NEVER_STICKY}")
        total = self.let(f"or i64 {self.let(f'zext i8 {gathered} to i64')}, {wide}")
        return self.let(f"trunc i64 {total} to i{node.width}")

    def forget_raised(self) -> None:
        """Forget what the guest has raised, if the open instruction has asked for it."""
        if not self.asked:
            return
        self.asked = False
        self.set_cell(ENGINE_CELLS["fp_raised"], "i64 0")
        host.clear_flags(self)


def _smallest(fmt: str) -> str:
    """Return the smallest normal number as LLVM writes it."""
    return "0x3810000000000000" if fmt == "f32" else "0x0010000000000000"


def _mangle(kind: str) -> str:
    """Return a type as intrinsic names spell it."""
    if kind.startswith("<"):
        n, _, element = kind[1:-1].split()
        return f"v{n}{_mangle(element)}"
    return {"float": "f32", "double": "f64"}.get(kind, kind)
