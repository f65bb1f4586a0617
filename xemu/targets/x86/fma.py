"""Fused multiply-add: FMA (SDM vol. 1, 14.5). The digits of a name say which operands are multiplied: 132 the first and the third."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.targets.x86.floating import Floating, halves, lanes_of, write_halves
from xemu.targets.x86.isa import x86
from xemu.targets.x86.sse_lanes import two_ways

if TYPE_CHECKING:
    from xemu.core.bits import Bits
    from xemu.targets.x86.operands import Operand, Vector
    from xemu.targets.x86.state import X86Cpu

#: high digit of the opcode; of the three operands: two factors, and what is added
ORDERS = {"132": ("9", (0, 2, 1)), "213": ("A", (1, 0, 2)), "231": ("B", (1, 2, 0))}
#: low digits of the opcodes of packed and scalar forms, the operation
KINDS = {"madd": ("8", "9", "fma"), "msub": ("A", "B", "fms"), "nmadd": ("C", "D", "fnma"), "nmsub": ("E", "F", "fnms")}
#: low digit of the opcode, the operations on odd and even lanes
ALTERNATING = {"maddsub": ("6", ("fma", "fms")), "msubadd": ("7", ("fms", "fma"))}


def arranged(values: tuple[Bits, ...], order: tuple[int, ...]) -> tuple[Bits, ...]:
    """Return (factor, factor, addend)."""
    return tuple(values[i] for i in order)


def fused(cpu: X86Cpu, dst: Operand, x: Operand, y: Operand, *, operation: str, order: tuple[int, ...], fmt: str) -> None:
    """Multiply and add with one rounding, on vectors."""
    with Floating(cpu) as fp:
        write_halves(dst, [fp(operation, fmt, *arranged(v, order), lanes=lanes_of(fmt)) for v in halves(dst, x, y)])


def alternating(cpu: X86Cpu, dst: Operand, x: Operand, y: Operand, *, operations: tuple[str, str], order: tuple[int, ...],
                fmt: str) -> None:
    """Add in every other lane, subtract in the others."""
    with Floating(cpu) as fp:
        write_halves(dst, [two_ways(fp, fmt, *operations, [arranged(v, order)] * 2) for v in halves(dst, x, y)])


def scalar(cpu: X86Cpu, dst: Vector, x: Vector, y: Operand, *, operation: str, order: tuple[int, ...], fmt: str) -> None:
    """Multiply and add with one rounding; the rest of the destination stays."""
    with Floating(cpu) as fp:
        dst.merge_low(fp(operation, fmt, *arranged((dst.read(), x.read(), y.read()), order)), dst)


for digits, (high, order) in ORDERS.items():
    for w, packed_suffix, scalar_suffix, fmt in ("W0", "ps", "ss", "f32"), ("W1", "pd", "sd", "f64"):
        p, s = packed_suffix, scalar_suffix
        for name, (low, low_scalar, operation) in KINDS.items():
            x86.row(fused, f"VEX.66.0F38.{w} {high}{low} /r", f"vf{name}{digits}{p} V{p}, H{p}, W{p}",
                    operation=operation, order=order, fmt=fmt)
            x86.row(scalar, f"VEX.LIG.66.0F38.{w} {high}{low_scalar} /r", f"vf{name}{digits}{s} V{s}, H{s}, W{s}",
                    operation=operation, order=order, fmt=fmt)
        for name, (low, operations) in ALTERNATING.items():
            x86.row(alternating, f"VEX.66.0F38.{w} {high}{low} /r", f"vf{name}{digits}{p} V{p}, H{p}, W{p}",
                    operations=operations, order=order, fmt=fmt)
