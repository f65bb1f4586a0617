"""80-bit operations to LLVM: the host's own instructions where it has them, else calls of slow functions.

Rows with an operation that has no slow function either are left to the evaluator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core import extended_host
from xemu.core.extended import conditions, result_widths
from xemu.core.extended_host import Control
from xemu.core.extended_number import EXCEPTIONS
from xemu.core.extended_slow import NAMES
from xemu.core.lower_fp import SLOW_CALL
from xemu.core.state import ENGINE_CELLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.bits import Bits

#: the first place in the table of slow functions that is an 80-bit operation's
FIRST_SLOW = 256


class ExtendedLowering:
    """The 80-bit operations of an Emitter."""

    if TYPE_CHECKING:
        let: Callable[[str], str]
        value: Callable[[Bits], str]
        get_cell: Callable[..., str]

    def op_extended(self, node: Bits) -> str:
        """Emit an operation: its results, the first lowest, and above them the status word."""
        if not is_native(node.attr):
            msg = f"this host has no 80-bit floating point, and nothing else does {node.attr}"
            raise NotImplementedError(msg)
        if not extended_host.AVAILABLE:
            return self._extended_call(node)
        *operands, control, before = node.args
        given = [(a.width, self.value(a)) for a in operands]
        if node.attr.startswith("load."):
            given.insert(0, (80, ""))                        # the operand in memory is always the second one
        status = self.value(before)
        widths = result_widths(node.attr)
        word, results = extended_host.emit(self, node.attr, given, self.value(control), known(control), status, widths)
        kept = self.let(f"and i16 {status}, {EXCEPTIONS}")
        raised = self.let(f"and i16 {word}, {EXCEPTIONS | conditions(node.attr)}")
        parts = [*zip(widths, results, strict=True), (16, self.let(f"or i16 {raised}, {kept}"))]
        kind, total, at = f"i{node.width}", "", 0
        for width, name in parts:
            part = self.let(f"zext i{width} {name} to {kind}") if width < node.width else name
            part = self.let(f"shl {kind} {part}, {at}") if at else part
            total, at = part if not total else self.let(f"or disjoint {kind} {total}, {part}"), at + width
        return total

    def _extended_call(self, node: Bits) -> str:
        """Call the slow function of an operation; it returns result and status word."""
        width = max(node.width - 16, 1)
        args = ", ".join(["ptr %st", *[f"i{a.width} {self.value(a)}" for a in node.args]])
        table = self.get_cell(ENGINE_CELLS["fp_slow"], "ptr")
        place = self.let(f"getelementptr i8, ptr {table}, i64 {(FIRST_SLOW + NAMES.index(node.attr)) * 8}")
        pair = self.let(f"call {SLOW_CALL} {{ i{width}, i16 }} {self.let(f'load ptr, ptr {place}')}({args})")
        status = self.let(f"extractvalue {{ i{width}, i16 }} {pair}, 1")
        if node.width == 16:
            return status
        low = self.let(f"zext i{width} {self.let(f'extractvalue {{ i{width}, i16 }} {pair}, 0')} to i{node.width}")
        high = self.let(f"shl i{node.width} {self.let(f'zext i16 {status} to i{node.width}')}, {width}")
        return self.let(f"or disjoint i{node.width} {low}, {high}")


def is_native(name: str) -> bool:
    """Return whether native code can do an operation on this host."""
    return extended_host.AVAILABLE or name in NAMES


def known(control: Bits) -> Control:
    """Return what is known of a control word."""
    if control.op == "const" and control.attr == extended_host.DEFAULT_CONTROL:
        return Control.USUAL
    if control.op == "or" and control.args[1].op == "const" and control.args[1].attr & EXCEPTIONS == EXCEPTIONS:
        return Control.MASKED
    return Control.ANY
