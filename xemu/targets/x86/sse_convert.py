"""Conversions between integers, singles and doubles: SSE, SSE2, AVX (SDM vol. 1, 10.4.3, 11.4.4). Those with MMX are in sse_mmx.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import join
from xemu.targets.x86.floating import Floating, halves, write_halves
from xemu.targets.x86.isa import x86

if TYPE_CHECKING:
    from xemu.targets.x86.operands import Operand, Vector
    from xemu.targets.x86.state import X86Cpu

FORMATS = {"ss": "f32", "sd": "f64", "ps": "f32", "pd": "f64"}


# -- scalars --------------------------------------------------------------------------------------------------------------


def from_integer_legacy(cpu: X86Cpu, dst: Vector, src: Operand, *, fmt: str) -> None:
    """CVTSI2SS, CVTSI2SD: the rest of the destination stays."""
    value = src.read()
    with Floating(cpu) as fp:
        dst.write_low(fp("from_sint", (value.width, fmt, 0), value))


def from_integer(cpu: X86Cpu, dst: Vector, x: Vector, src: Operand, *, fmt: str) -> None:
    """VCVTSI2SS, VCVTSI2SD: the rest comes from the first source."""
    value = src.read()
    with Floating(cpu) as fp:
        dst.merge_low(fp("from_sint", (value.width, fmt, 0), value), x)


def to_integer(cpu: X86Cpu, dst: Operand, src: Operand, *, fmt: str, rounding: str) -> None:
    """CVTSS2SI, CVTTSS2SI and the like: what does not fit gives the smallest integer."""
    with Floating(cpu) as fp:
        dst.write(fp("to_sint", (fmt, dst.width, rounding, 0), src.read()))


def scalar_legacy(cpu: X86Cpu, dst: Vector, src: Operand, *, fmts: tuple[str, str]) -> None:
    """CVTSS2SD, CVTSD2SS: the rest of the destination stays."""
    with Floating(cpu) as fp:
        dst.write_low(fp("to_float", fmts, src.read()))


def scalar(cpu: X86Cpu, dst: Vector, x: Vector, src: Operand, *, fmts: tuple[str, str]) -> None:
    """VCVTSS2SD, VCVTSD2SS: the rest comes from the first source."""
    with Floating(cpu) as fp:
        dst.merge_low(fp("to_float", fmts, src.read()), x)


for prefix, suffix, other, fmt in ("F3", "ss", "sd", "f32"), ("F2", "sd", "ss", "f64"):
    x86.row(from_integer_legacy, f"{prefix} 0F 2A /r", f"cvtsi2{suffix} V{suffix}, Ey", fmt=fmt)
    x86.row(from_integer, f"VEX.LIG.{prefix}.0F 2A /r", f"vcvtsi2{suffix} V{suffix}, H{suffix}, Ey", fmt=fmt)
    for opcode, t, rounding in ("2C", "t", "zero"), ("2D", "", "current"):
        x86.row(to_integer, f"{prefix} 0F {opcode} /r", f"cvt{t}{suffix}2si Gy, W{suffix}", fmt=fmt, rounding=rounding)
        x86.row(to_integer, f"VEX.LIG.{prefix}.0F {opcode} /r", f"vcvt{t}{suffix}2si Gy, W{suffix}", fmt=fmt, rounding=rounding)
    fmts = (fmt, FORMATS[other])
    x86.row(scalar_legacy, f"{prefix} 0F 5A /r", f"cvt{suffix}2{other} V{other}, W{suffix}", fmts=fmts)
    x86.row(scalar, f"VEX.LIG.{prefix}.0F.WIG 5A /r", f"vcvt{suffix}2{other} V{other}, H{other}, W{suffix}", fmts=fmts)


# -- vectors --------------------------------------------------------------------------------------------------------------


def same_size(cpu: X86Cpu, dst: Operand, src: Operand, *, how: tuple[str, object]) -> None:
    """Singles and doublewords: CVTDQ2PS, CVTPS2DQ, CVTTPS2DQ."""
    with Floating(cpu) as fp:
        write_halves(dst, [fp(*how, x, lanes=4) for (x,) in halves(src)])


def widened(cpu: X86Cpu, dst: Operand, src: Operand, *, how: tuple[str, object]) -> None:
    """Doubles from half as many bits: CVTPS2PD, CVTDQ2PD."""
    value = src.read()
    with Floating(cpu) as fp:
        write_halves(dst, [fp(*how, value[at + 63:at], lanes=2) for at in range(0, value.width, 64)])


def narrowed(cpu: X86Cpu, dst: Operand, src: Operand, *, how: tuple[str, object]) -> None:
    """Half as many bits from doubles: CVTPD2PS, CVTPD2DQ, CVTTPD2DQ. The rest of 128 bits is 0."""
    with Floating(cpu) as fp:
        parts = [fp(*how, x, lanes=2) for (x,) in halves(src)]
        dst.write(join(parts) if len(parts) > 1 else parts[0])


TO_DOUBLES = {"ps": ("to_float", ("f32", "f64")), "dq": ("from_sint", (32, "f64", 0))}
FROM_DOUBLES = {"pd2ps": ("to_float", ("f64", "f32")), "pd2dq": ("to_sint", ("f64", 32, "current", 0)),
                "tpd2dq": ("to_sint", ("f64", 32, "zero", 0))}
WORDS = {"dq2ps": ("from_sint", (32, "f32", 0)), "ps2dq": ("to_sint", ("f32", 32, "current", 0)),
         "tps2dq": ("to_sint", ("f32", 32, "zero", 0))}
for prefix, opcode, what in ("NP", "5B", "dq2ps"), ("66", "5B", "ps2dq"), ("F3", "5B", "tps2dq"):
    how = WORDS[what]
    x86.row(same_size, f"{prefix} 0F {opcode} /r", f"cvt{what} Vps, Wps", how=how)
    x86.row(same_size, f"VEX.{prefix}.0F.WIG {opcode} /r", f"vcvt{what} Vps, Wps", how=how)
for prefix, opcode, source in ("NP", "5A", "ps"), ("F3", "E6", "dq"):
    how = TO_DOUBLES[source]
    x86.row(widened, f"{prefix} 0F {opcode} /r", f"cvt{source}2pd Vpd, Wq", how=how)
    x86.row(widened, f"VEX.128.{prefix}.0F.WIG {opcode} /r", f"vcvt{source}2pd Vdq, Wq", how=how)
    x86.row(widened, f"VEX.256.{prefix}.0F.WIG {opcode} /r", f"vcvt{source}2pd Vqq, Wdq", how=how)
for prefix, opcode, what in ("66", "5A", "pd2ps"), ("F2", "E6", "pd2dq"), ("66", "E6", "tpd2dq"):
    how = FROM_DOUBLES[what]
    x86.row(narrowed, f"{prefix} 0F {opcode} /r", f"cvt{what} Vdq, Wdq", how=how)
    x86.row(narrowed, f"VEX.128.{prefix}.0F.WIG {opcode} /r", f"vcvt{what} Vdq, Wdq", how=how)
    x86.row(narrowed, f"VEX.256.{prefix}.0F.WIG {opcode} /r", f"vcvt{what} Vdq, Wqq", how=how)
