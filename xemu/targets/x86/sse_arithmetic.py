"""Arithmetic of packed and scalar numbers: SSE, SSE2, SSE3, AVX (SDM vol. 1, 10.4.1.2, 11.4.1.2, 12.3, 14.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import const
from xemu.targets.x86.floating import Floating, halves, lanes_of, write_halves
from xemu.targets.x86.isa import x86

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.bits import Bits
    from xemu.targets.x86.operands import Operand, Vector
    from xemu.targets.x86.state import X86Cpu

    #: (operations, format, operands of 128 bits) -> 128 bits
    Function = Callable[..., Bits]

#: the prefix that says the format: of packed numbers, of scalars
PACKED = (("NP", "ps", "f32"), ("66", "pd", "f64"))
SCALAR = (("F3", "ss", "f32"), ("F2", "sd", "f64"))


def packed(cpu: X86Cpu, dst: Operand, *sources: Operand, f: Function, fmt: str) -> None:
    """Do an operation on vectors, half by half."""
    with Floating(cpu) as fp:
        write_halves(dst, [f(fp, fmt, *values) for values in halves(*sources)])


def packed_legacy(cpu: X86Cpu, dst: Operand, src: Operand, *, f: Function, fmt: str) -> None:
    """The destination is the first source."""
    packed(cpu, dst, dst, src, f=f, fmt=fmt)


def scalar_legacy(cpu: X86Cpu, dst: Vector, src: Operand, *, f: Function, fmt: str) -> None:
    """The destination is the first source; the rest of it stays."""
    with Floating(cpu) as fp:
        dst.write_low(f(fp, fmt, dst.read(), src.read()))


def scalar(cpu: X86Cpu, dst: Vector, x: Vector, y: Operand, *, f: Function, fmt: str) -> None:
    """The rest comes from the first source."""
    with Floating(cpu) as fp:
        dst.merge_low(f(fp, fmt, x.read(), y.read()), x)


def scalar_of_one_legacy(cpu: X86Cpu, dst: Vector, src: Operand, *, f: Function, fmt: str) -> None:
    """An operation of one operand; the rest of the destination stays."""
    with Floating(cpu) as fp:
        dst.write_low(f(fp, fmt, src.read()))


def scalar_of_one(cpu: X86Cpu, dst: Vector, x: Vector, y: Operand, *, f: Function, fmt: str) -> None:
    """An operation of one operand; the rest comes from the first source."""
    with Floating(cpu) as fp:
        dst.merge_low(f(fp, fmt, y.read()), x)


def on_lanes(name: str) -> Function:
    """Return a function for all lanes of 128 bits."""
    return lambda fp, fmt, *values: fp(name, fmt, *values, lanes=lanes_of(fmt))


def on_scalars(name: str) -> Function:
    """Return a function for scalars."""
    return lambda fp, fmt, *values: fp(name, fmt, *values)


for opcode, name, operation in ((58, "add", "add"), ("5C", "sub", "sub"), (59, "mul", "mul"), ("5E", "div", "div"),
                                ("5D", "min", "lesser"), ("5F", "max", "greater")):
    for prefix, suffix, fmt in PACKED:
        x86.row(packed_legacy, f"{prefix} 0F {opcode} /r", f"{name}{suffix} V{suffix}, W{suffix}", f=on_lanes(operation), fmt=fmt)
        x86.row(packed, f"VEX.{prefix}.0F.WIG {opcode} /r", f"v{name}{suffix} V{suffix}, H{suffix}, W{suffix}",
                f=on_lanes(operation), fmt=fmt)
    for prefix, suffix, fmt in SCALAR:
        x86.row(scalar_legacy, f"{prefix} 0F {opcode} /r", f"{name}{suffix} V{suffix}, W{suffix}", f=on_scalars(operation), fmt=fmt)
        x86.row(scalar, f"VEX.LIG.{prefix}.0F.WIG {opcode} /r", f"v{name}{suffix} V{suffix}, H{suffix}, W{suffix}",
                f=on_scalars(operation), fmt=fmt)

def estimated(name: str, lanes: int) -> Function:
    """Return RCPPS or RSQRTPS, which raise nothing whatever the modes are."""
    return lambda fp, fmt, x: fp(name, fmt, x, lanes=lanes, ctl=const(0, 8), raises=False)


for opcode, name in (53, "rcp"), (52, "rsqrt"):
    x86.row(packed, f"NP 0F {opcode} /r", f"{name}ps Vps, Wps", f=estimated(name, 4), fmt="f32")
    x86.row(packed, f"VEX.NP.0F.WIG {opcode} /r", f"v{name}ps Vps, Wps", f=estimated(name, 4), fmt="f32")
    x86.row(scalar_of_one_legacy, f"F3 0F {opcode} /r", f"{name}ss Vss, Wss", f=estimated(name, 1), fmt="f32")
    x86.row(scalar_of_one, f"VEX.LIG.F3.0F.WIG {opcode} /r", f"v{name}ss Vss, Hss, Wss", f=estimated(name, 1), fmt="f32")

for prefix, suffix, fmt in PACKED:
    x86.row(packed, f"{prefix} 0F 51 /r", f"sqrt{suffix} V{suffix}, W{suffix}", f=on_lanes("sqrt"), fmt=fmt)
    x86.row(packed, f"VEX.{prefix}.0F.WIG 51 /r", f"vsqrt{suffix} V{suffix}, W{suffix}", f=on_lanes("sqrt"), fmt=fmt)
for prefix, suffix, fmt in SCALAR:
    x86.row(scalar_of_one_legacy, f"{prefix} 0F 51 /r", f"sqrt{suffix} V{suffix}, W{suffix}", f=on_scalars("sqrt"), fmt=fmt)
    x86.row(scalar_of_one, f"VEX.LIG.{prefix}.0F.WIG 51 /r", f"vsqrt{suffix} V{suffix}, H{suffix}, W{suffix}",
            f=on_scalars("sqrt"), fmt=fmt)
