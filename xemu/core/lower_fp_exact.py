"""Floating point whose rules may be the host's: one instruction of the host, or a host operation and a check, or slow functions.

With control word 0 (and rounding to integers in any mode) an instruction of the host that follows the same rules does it all.
Elsewhere a host's IEEE operation is kept if no operand is a denormal and the result is neither a NaN nor the smallest normal
number; everything else is a call for each lane. If the control word is not constant, nothing is raised: `fpflags` gives the exceptions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core import host_float
from xemu.core.bits import make
from xemu.core.fp import result_width, source_width
from xemu.core.softfloat import COMPARES, NUMBERED, holds, is_signalling
from xemu.core.softnumber import FORMATS, RULES
from xemu.core.state import ENGINE_CELLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.bits import Bits

FLOATS = {32: "float", 64: "double"}
VECTOR, PAIR = 128, "<2 x i64>"
UNLIKELY = ", !prof !10"
GUARDED = frozenset({"add", "sub", "mul", "div", "sqrt"})
PREDICATES = {"lt": "olt", "le": "ole", "eq": "oeq", "unordered": "uno"}


class ExactLowering:
    """The part of an Emitter for rules that some host has."""

    if TYPE_CHECKING:
        floats: dict[int, str]
        new: Callable[..., str]
        put: Callable[[str], None]
        let: Callable[[str], str]
        value: Callable[[Bits], str]
        vector: Callable[[Bits, int], str]
        from_vector: Callable[[Bits, int, str], str]
        block: str
        label: Callable[[str], None]
        checkpoint: Callable[[], int]
        rollback: Callable[[int], None]
        remember: Callable[[Bits, str], None]
        remember_vector: Callable[[Bits, int, str], None]
        get_cell: Callable[..., str]
        set_cell: Callable[[int, str], None]
        as_float: Callable[[Bits, str], str]
        from_float: Callable[[Bits, str], str]
        slow_call: Callable[..., str]
        constrained: Callable[..., str]
        _joined: Callable[..., str]
        _plain_scalar: Callable[..., str]

    def exact(self, node: Bits) -> str:
        """Emit an operation."""
        name, fmt, lanes, _ = node.attr
        ctl = node.args[-1]
        if ctl.op == "const":
            if name in COMPARES and ctl.attr == 0 and lanes == 1:
                x, y = (self.as_float(a, fmt) for a in node.args[:2])
                return self.let(f"fcmp {PREDICATES[COMPARES[name][0]]} {FLOATS[FORMATS[fmt].width]} {x}, {y}")
            instruction = host_float.instruction(name, fmt, lanes, ctl.attr)
            if instruction:
                given = [self._given(a, kind) for a, kind in zip(node.args, instruction.operands, strict=False)]
                return self._result(node, instruction.result, host_float.emit(self, instruction, given))
            if name.startswith("from_") and lanes == 1 and ctl.attr == 0:
                kind = FLOATS[node.width]
                return self.from_float(node, self.constrained("sitofp", kind, [f"i{fmt[0]} {self.value(node.args[0])}"]))
            if name in GUARDED and ctl.attr == 0 and lanes == 1:
                return self._guarded(node)
            return self._lanes(node)
        return self._apart(node)

    def exact_flags(self, node: Bits) -> None:
        """Make sure that an operation's exceptions are raised: computing the value does it, but for comparisons with a bit as value."""
        name, fmt, lanes, _ = node.attr
        ctl = node.args[-1]
        if name not in COMPARES or lanes > 1 or ctl.op != "const" or ctl.attr:
            self.value(node)
        elif host_float.RULES:
            host_float.compare(self, fmt, *(self.as_float(a, fmt) for a in node.args[:2]), signals=COMPARES[name][1])
        else:
            self.slow_call(node)

    # -- instructions ------------------------------------------------------------------------------------------------
    def _given(self, node: Bits, kind: str) -> str:
        """Return an operand in the type that an instruction wants."""
        if kind in ("float", "double"):
            return self.as_float(node, "f32" if kind == "float" else "f64")
        if node.width == VECTOR:
            count = int(kind[1])
            name = self.vector(node, count)
            integers = f"<{count} x i{VECTOR // count}>"
        else:                                        # a short vector: in the low half
            name = self.let(f"insertelement <2 x i64> zeroinitializer, i64 {self.value(node)}, i32 0")
            integers = "<2 x i64>"
        return name if integers == kind else self.let(f"bitcast {integers} {name} to {kind}")

    def _result(self, node: Bits, kind: str, name: str) -> str:
        """Return a result as iN."""
        if kind in ("float", "double"):
            return self.from_float(node, name)
        if kind[0] == "i":
            return name
        if node.width == VECTOR:
            lanes = node.attr[2]
            kept = f"<{lanes} x i{VECTOR // lanes}>"
            return self.from_vector(node, lanes, name if kept == kind else self.let(f"bitcast {kind} {name} to {kept}"))
        pair = self.let(f"bitcast {kind} {name} to <2 x i64>")
        return self.let(f"extractelement <2 x i64> {pair}, i32 0")

    # -- other hosts, other control words ------------------------------------------------------------------------------
    def _guarded(self, node: Bits) -> str:
        """Emit the host's IEEE operation on scalars and a check of operands and result."""
        name, fmt, _, _ = node.attr
        f, bits = FORMATS[fmt], FORMATS[fmt].width
        args = [self.as_float(a, fmt) for a in node.args[:-1]]
        kind = FLOATS[bits]
        result = self.constrained({"sqrt": "sqrt"}.get(name, "f" + name), kind, [f"{kind} {a}" for a in args])
        magnitude = self.let(f"and i{bits} {self.let(f'bitcast {kind} {result} to i{bits}')}, {f.sign - 1}")
        bad = self.let(f"icmp ugt i{bits} {magnitude}, {f.infinity}")
        least = self.let(f"icmp eq i{bits} {magnitude}, {1 << f.fraction}")
        bad = self.let(f"or i1 {bad}, {least}")
        for a in node.args[:-1]:
            below = self.let(f"add i{bits} {self.let(f'and i{bits} {self.value(a)}, {f.sign - 1}')}, -1")
            denormal = self.let(f"icmp ult i{bits} {below}, {(1 << f.fraction) - 1}")
            bad = self.let(f"or i1 {bad}, {denormal}")
        return self.from_float(node, self._joined(bad, result, kind, lambda: self.let(f"bitcast i{bits} {self.slow_call(node)} to {kind}")))

    def _lanes(self, node: Bits) -> str:
        """Call the slow function for each lane."""
        _, fmt, lanes, _ = node.attr
        size, wide = node.width // lanes, source_width(fmt)
        if lanes == 1:
            return self._slow_lane(node, [f"i{a.width} {self.value(a)}" for a in node.args[:-1]])
        vectors = [self.vector(a, lanes) for a in node.args[:-1]]
        self.value(node.args[-1])
        result = "poison"
        for i in range(lanes):
            given = [f"i{wide} {self.let(f'extractelement <{lanes} x i{wide}> {v}, i32 {i}')}" for v in vectors]
            result = self.let(f"insertelement <{lanes} x i{size}> {result}, i{size} {self._slow_lane(node, given)}, i32 {i}")
        return self.from_vector(node, lanes, result)

    def _slow_lane(self, node: Bits, given: list[str]) -> str:
        """Do one lane; a numbered comparison is read off the relation of its operands."""
        name, fmt, lanes, _ = node.attr
        if name in COMPARES and lanes > 1:
            return self.let(f"sext i1 {self.slow_call(node, given)} to i{node.width // lanes}")
        if name not in NUMBERED:
            return self.slow_call(node, given)
        number, width = NUMBERED[name], node.width // lanes
        relation = self.slow_call(node, given, ("relation_s" if is_signalling(number) else "relation", fmt))
        bit = self.let(f"lshr i8 {holds(number)}, {relation}")
        return self.let(f"sext i1 {self.let(f'trunc i8 {bit} to i1')} to i{width}")

    def op_fpflags(self, node: Bits) -> str:
        """Return the exceptions of an operation whose control word is not constant."""
        other = twin(node, "fp")
        if RULES[node.attr[3]].adjusts:
            self.remember(other, self.called(other))
        else:
            self._apart(other)
        return self.value(node)

    def _apart(self, node: Bits) -> str:
        """Do an operation; what it raises is a value, apart from what was raised before.

        The host's instruction does it in modes that the host is switched to, unless an exception is not masked.
        """
        name, fmt, lanes, _ = node.attr
        instruction = host_float.instruction(name, fmt, lanes, None)
        for a in node.args:
            self.value(a)
        if instruction is None:
            return self.called(node)
        given = [self._given(a, kind) for a, kind in zip(node.args, instruction.operands, strict=False)]
        ctl = self.value(node.args[-1])
        kind = instruction.result if instruction.result in ("float", "double") else PAIR if node.width == VECTOR else f"i{node.width}"
        fast, cold, join = self.new("fast"), self.new("cold"), self.new("join")
        traps = self.let(f"icmp ne i8 {self.let(f'and i8 {ctl}, {host_float.TRAPS}')}, 0")
        self.put(f"br i1 {traps}, label %{cold}, label %{fast}{UNLIKELY}")
        self.label(fast)
        saved = host_float.begin(self, ctl)
        done = self._cast(host_float.emit(self, instruction, given), instruction.result, kind)
        flags = host_float.end(self, saved)
        self.put(f"br label %{join}")
        self.label(cold)
        mark = self.checkpoint()
        other = self._cast(self.called(node), f"i{node.width}", kind)
        others = self.value(twin(node, "fpflags"))
        self.rollback(mark)
        last = self.block
        self.put(f"br label %{join}")
        self.label(join)
        result = self.let(f"phi {kind} [ {done}, %{fast} ], [ {other}, %{last} ]")
        self.remember(twin(node, "fpflags"), self.let(f"phi i8 [ {flags}, %{fast} ], [ {others}, %{last} ]"))
        if kind in ("float", "double"):
            result = self.from_float(node, result)
        elif kind == PAIR:
            self.remember_vector(node, 2, result)
            result = self.let(f"bitcast {PAIR} {result} to i{node.width}")
        self.remember(node, result)
        return result

    def _cast(self, name: str, kind: str, wanted: str) -> str:
        """Return a value as another type: of as many bits, or the low half of a vector."""
        if kind == wanted:
            return name
        if kind[0] == "<" and wanted[0] == "i":
            return self.let(f"extractelement {PAIR} {self._cast(name, kind, PAIR)}, i32 0")
        return self.let(f"bitcast {kind} {name} to {wanted}")

    def called(self, node: Bits) -> str:
        """Do an operation by slow functions, likewise."""
        cell = ENGINE_CELLS["fp_raised"]
        before = self.get_cell(cell)
        self.set_cell(cell, "i64 0")
        result = self._lanes(node)
        kind = f"i{RULES[node.attr[3]].width}"
        flags = self.let(f"trunc i64 {self.get_cell(cell)} to {kind}")
        self.set_cell(cell, f"i64 {before}")
        self.remember(node, result)
        self.remember(twin(node, "fpflags"), flags)
        return result


def twin(node: Bits, op: str) -> Bits:
    """Return the value ("fp") or the exceptions ("fpflags") of the same operation."""
    name, fmt, lanes, _ = node.attr
    return make(op, RULES[node.attr[3]].width if op == "fpflags" else result_width(name, fmt, lanes), node.args, node.attr)
