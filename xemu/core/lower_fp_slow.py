"""Slow floating-point functions as LLVM text: a target's own description, and the host operations it uses.

They are part of the natives object; regions and handlers call them through a table (fp.SLOW_OPERATIONS is its order).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core import host
from xemu.core.bits import make, new_graph
from xemu.core.extended import operand_widths
from xemu.core.extended_slow import NAMES, slow
from xemu.core.fp import AGAIN, SLOW_OPERATIONS, operands_of, result_width, source_width
from xemu.core.lower import Emitter
from xemu.core.lower_extended import FIRST_SLOW
from xemu.core.lower_fp import SLOW_CALL, TYPES
from xemu.core.lower_fp_plain import FLUSHING, MODES, SWITCH, mine
from xemu.core.softnumber import FORMATS
from xemu.core.state import ENGINE_CELLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.bits import Bits
    from xemu.core.state import StateLayout


HOST_WORD = 64
NARROW = 8                       # bits of exceptions where there are no kinds of invalid operations


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


def helper_name(name: str, fmt: Any) -> str:
    """Return the name of the helper for a host operation."""
    return "host_" + "_".join([name, *([fmt] if isinstance(fmt, str) else map(str, fmt))])


def slow_functions(rules: Callable[..., tuple[Bits, Bits]], layout: StateLayout) -> tuple[str, set[str]]:
    """Return the text of a target's slow functions (fp_0, fp_1 … as in SLOW_OPERATIONS) and their declarations."""
    text, declared, helpers, known, kinds = "", set(host.FLOAT_DECLARATIONS), {}, [], False
    for index, (name, fmt) in enumerate(SLOW_OPERATIONS):
        new_graph()
        width, count = source_width(fmt), operands_of(name, fmt)
        params = [make("param", width, (), f"p{i}") for i in range(count)]
        try:
            value, flags = rules(name, fmt, params, make("param", 8, (), "ctl"))
        except KeyError:
            continue
        if width <= HOST_WORD:
            known.append((index, width, count, value.width))
        em = SlowEmitter()
        result, raised = em.value(value), em.value(flags)
        cell = ENGINE_CELLS["fp_raised"]
        em.set_cell(cell, f"i64 {em.let(f'or i64 {em.get_cell(cell)}, ' + em.let(f'zext i{flags.width} {raised} to i64'))}")
        em.put(f"ret i{value.width} {result}")
        head = ", ".join(["ptr %st", *[f"i{width} %p{i}" for i in range(count)], "i8 %ctl"])
        text += "\n".join([f"define dso_local {SLOW_CALL} i{value.width} @fp_{index}({head}) #0 {{", "entry:", *em.lines, "}", ""])
        declared |= em.declared
        helpers.update(em.helpers)
        kinds = flags.width > NARROW
    if kinds:
        text += _again(known)
    if layout.quiet:
        text += "".join(_switch(mode, layout.host_exceptions) for mode in MODES)
    for helper, (name, fmt) in helpers.items():
        body, more = _helper(helper, name, fmt)
        text, declared = text + body, declared | more
    return text, declared


def _again(known: list[tuple[int, int, int, int]]) -> str:
    """Return a function that gives the exceptions of operation number n (a place in SLOW_OPERATIONS, from 1) on operands of 64 bits."""
    cell = ENGINE_CELLS["fp_raised"]
    em = SlowEmitter()
    before = em.get_cell(cell)
    em.set_cell(cell, "i64 0")
    cases = " ".join(f"i8 {index + 1}, label %o{index}" for index, *_ in known)
    em.put(f"switch i8 %op, label %done [ {cases} ]")
    for index, width, count, result in known:
        em.label(f"o{index}")
        given = [f"i{width} {em.let(f'trunc i64 %p{i} to i{width}') if width < HOST_WORD else f'%p{i}'}" for i in range(count)]
        em.put(f"call {SLOW_CALL} i{result} @fp_{index}(ptr %st, {', '.join(given)}, i8 %ctl)")
        em.put("br label %done")
    em.label("done")
    raised = em.let(f"trunc i64 {em.get_cell(cell)} to i16")
    em.set_cell(cell, f"i64 {before}")
    em.put(f"ret i16 {raised}")
    head = "ptr %st, i8 %op, i64 %p0, i64 %p1, i64 %p2, i8 %ctl"
    return "\n".join([f"define dso_local {SLOW_CALL} i16 @fp_{AGAIN}({head}) #0 {{", "entry:", *em.lines, "}", ""])


def _switch(mode: int, exceptions: int) -> str:
    """Return a function that switches the host to a mode (lower_fp_plain.py); exceptions raised so far are kept if they mean something."""
    em, cell = SlowEmitter(), ENGINE_CELLS["fp_raised"]
    flags = mine(em, em.let(f"and i8 {host.take_flags(em)}, {exceptions}"))
    em.set_cell(cell, f"i64 {em.let(f'or i64 {em.get_cell(cell)}, ' + em.let(f'zext i8 {flags} to i64'))}")
    host.set_modes(em, flush=mode == FLUSHING)
    em.set_cell(ENGINE_CELLS["host_mode"], f"i64 {mode}")
    em.put("ret void")
    return "\n".join([f"define dso_local {SLOW_CALL} void @fp_{SWITCH + mode}(ptr %st) #0 {{", "entry:", *em.lines, "}", ""])


def extended_functions() -> tuple[str, set[str]]:
    """Return the text of the slow functions for 80-bit operations (extended_slow.NAMES), and their declarations."""
    text, declared = "", set()
    for index, name in enumerate(NAMES):
        new_graph()
        params = [make("param", width, (), f"p{i}") for i, width in enumerate(operand_widths(name))]
        status, value = slow(name, params, make("param", 16, (), "control"), make("param", 16, (), "before"))
        em = SlowEmitter()
        pair = f"{{ i{value.width}, i16 }}"
        first = em.let(f"insertvalue {pair} poison, {em.typed(value)}, 0")
        em.put(f"ret {pair} {em.let(f'insertvalue {pair} {first}, {em.typed(status)}, 1')}")
        head = ", ".join(["ptr %st", *[f"i{p.width} %p{i}" for i, p in enumerate(params)], "i16 %control", "i16 %before"])
        place = FIRST_SLOW + index
        text += "\n".join([f"define dso_local {SLOW_CALL} {pair} @fp_{place}({head}) #0 {{", "entry:", *em.lines, "}", ""])
        declared |= em.declared
    return text, declared


def _helper(helper: str, name: str, fmt: Any) -> tuple[str, set[str]]:
    """Return a function that does a host operation in a rounding mode and gives (value, the exceptions it raised)."""
    em = SlowEmitter()
    source, target = (fmt, fmt) if isinstance(fmt, str) else fmt[:2]
    width = source if isinstance(source, int) else FORMATS[source].width
    count = operands_of(name, fmt)
    saved = host.begin_operation(em, "%mode")
    args = [f"%p{i}" for i in range(count)]
    kind = TYPES[target]
    if name.startswith("from_"):
        wide = "%p0" if width == HOST_WORD else em.let(f"{'sext' if name == 'from_sint' else 'zext'} i{width} %p0 to i64")
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
