"""80-bit operations to LLVM: the host's own instructions where it has them; elsewhere rows that use them are evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core import extended_host
from xemu.core.extended import conditions, result_widths
from xemu.core.extended_host import Control
from xemu.core.extended_number import EXCEPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.bits import Bits


class ExtendedLowering:
    """The 80-bit operations of an Emitter."""

    if TYPE_CHECKING:
        let: Callable[[str], str]
        value: Callable[[Bits], str]

    def op_extended(self, node: Bits) -> str:
        """Emit an operation: its results, the first lowest, and above them the status word."""
        if not extended_host.AVAILABLE:
            msg = "this host has no 80-bit floating point"
            raise NotImplementedError(msg)
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


def known(control: Bits) -> Control:
    """Return what is known of a control word."""
    if control.op == "const" and control.attr == extended_host.DEFAULT_CONTROL:
        return Control.USUAL
    if control.op == "or" and control.args[1].op == "const" and control.args[1].attr & EXCEPTIONS == EXCEPTIONS:
        return Control.MASKED
    return Control.ANY
