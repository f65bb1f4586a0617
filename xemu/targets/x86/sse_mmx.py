"""Conversions between MMX registers and vectors of numbers: CVTPI2PS, CVTPS2PI and the like (SDM vol. 1, 10.4.4, 11.4.1.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.targets.x86.floating import Floating
from xemu.targets.x86.isa import x86
from xemu.targets.x86.operands import Mmx
from xemu.targets.x86.vectors import enter_mmx

if TYPE_CHECKING:
    from xemu.targets.x86.operands import Operand, Vector
    from xemu.targets.x86.state import X86Cpu


def from_words(cpu: X86Cpu, dst: Vector, src: Operand, *, fmt: str) -> None:
    """CVTPI2PS, where the upper half of the destination stays, CVTPI2PD. The x87 is left alone if the operand is in memory."""
    value = src.read()
    if isinstance(src, Mmx):
        enter_mmx(cpu)
    with Floating(cpu) as fp:
        result = fp("from_sint", (32, fmt, 0), value, lanes=2)
    if fmt == "f32":
        dst.write_low(result)
    else:
        dst.write(result)


def to_words(cpu: X86Cpu, dst: Operand, src: Operand, *, fmt: str, rounding: str) -> None:
    """CVTPS2PI, CVTTPS2PI, CVTPD2PI, CVTTPD2PI."""
    value = src.read()
    enter_mmx(cpu)
    with Floating(cpu) as fp:
        dst.write(fp("to_sint", (fmt, 32, rounding, 0), value, lanes=2))


for prefix, suffix, fmt, size in ("NP", "ps", "f32", "q"), ("66", "pd", "f64", "dq"):
    x86.row(from_words, f"{prefix} 0F 2A /r", f"cvtpi2{suffix} Vdq, Qq", fmt=fmt)
    for opcode, t, rounding in ("2C", "t", "zero"), ("2D", "", "current"):
        x86.row(to_words, f"{prefix} 0F {opcode} /r", f"cvt{t}{suffix}2pi Pq, W{size}", fmt=fmt, rounding=rounding)
