"""Comparisons of floating-point numbers: COMISS and UCOMISS set flags, CMPPS and the like give masks. SDM vol. 2A, CMPPD, COMISD."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, const, mux, sext, zext
from xemu.core.fp import BENIGN
from xemu.core.softfloat import EQUAL, GREATER, HOLDS, LESS, UNORDERED
from xemu.targets.x86.floating import SIZES, Floating, halves, lanes_of, write_halves
from xemu.targets.x86.isa import x86

if TYPE_CHECKING:
    from xemu.targets.x86.operands import Operand, Vector
    from xemu.targets.x86.state import X86Cpu

PACKED = (("NP", "ps", "f32"), ("66", "pd", "f64"))
SCALAR = (("F3", "ss", "f32"), ("F2", "sd", "f64"))


def comi(cpu: X86Cpu, x: Operand, y: Operand, *, fmt: str, signals: bool) -> None:
    """COMISS, COMISD; UCOMISS, UCOMISD do not signal quiet NaNs."""
    a, b = x.read(), y.read()
    with Floating(cpu) as fp:
        unordered = fp("unordered_s" if signals else "unordered", fmt, a, b)
        less, equal = (fp(name, fmt, a, b, raises=False) for name in ("lt", "eq"))
    cpu.set_flags(ZF=equal | unordered, PF=unordered, CF=less | unordered, OF=0, SF=0, AF=0)


for opcode, name, signals in (("2E", "ucomi", False), ("2F", "comi", True)):
    for prefix, suffix, fmt in ("NP", "ss", "f32"), ("66", "sd", "f64"):
        operands = f"V{suffix}, W{suffix}"
        x86.row(comi, f"{prefix} 0F {opcode} /r", f"{name}{suffix} {operands}", fmt=fmt, signals=signals)
        x86.row(comi, f"VEX.LIG.{prefix}.0F.WIG {opcode} /r", f"v{name}{suffix} {operands}", fmt=fmt, signals=signals)


# -- masks ------------------------------------------------------------------------------------------------------------------


#: of each relation: the comparisons that hold for it, a bit each
HOLDING = {r: sum((holds >> r & 1) << n for n, holds in enumerate(HOLDS)) for r in (LESS, EQUAL, GREATER, UNORDERED)}


def compared(fp: Floating, fmt: str, x: Bits, y: Bits, number: Bits, lanes: int) -> Bits:
    """Return ones where comparison `number` holds, else zeros. A number that is not constant takes the masks of all relations."""
    if number.op == "const":
        return fp(f"cmp{number.attr}", fmt, x, y, lanes=lanes)
    signals = (number[0] ^ number[1]) ^ number[4]
    benign = const(sum(BENIGN[fmt] << i for i in range(0, x.width, SIZES[fmt])), x.width)
    fp("cmp19", fmt, *(mux(signals, v, benign) for v in (x, y)), lanes=lanes)          # unordered, and signals it
    unordered, less, equal = (fp(name, fmt, x, y, lanes=lanes) for name in ("cmp3", "cmp17", "cmp0"))
    masks = {UNORDERED: unordered, LESS: less, EQUAL: equal, GREATER: ~(unordered | less | equal)}
    result = const(0, x.width)
    for relation, mask in masks.items():
        wanted = (const(HOLDING[relation], 16) >> zext(number[3:0], 16))[0]
        result = result | (mask & sext(wanted, x.width))
    return result


def predicate(imm: Operand, *, vex: bool) -> Bits:
    """Return the number of the comparison: legacy forms have eight."""
    value = imm.read()
    return value[4:0] if vex else zext(value[2:0], 5)


def cmp_legacy(cpu: X86Cpu, dst: Operand, src: Operand, imm: Operand, *, fmt: str) -> None:
    """CMPPS, CMPPD: the destination is the first operand."""
    ((x, y),) = halves(dst, src)
    with Floating(cpu) as fp:
        dst.write(compared(fp, fmt, x, y, predicate(imm, vex=False), lanes_of(fmt)))


def cmp_vex(cpu: X86Cpu, dst: Operand, x: Operand, y: Operand, imm: Operand, *, fmt: str) -> None:
    """VCMPPS, VCMPPD."""
    with Floating(cpu) as fp:
        write_halves(dst, [compared(fp, fmt, a, b, predicate(imm, vex=True), lanes_of(fmt)) for a, b in halves(x, y)])


def cmp_scalar_legacy(cpu: X86Cpu, dst: Vector, src: Operand, imm: Operand, *, fmt: str) -> None:
    """CMPSS, CMPSD: the rest of the destination stays."""
    with Floating(cpu) as fp:
        dst.write_low(compared(fp, fmt, dst.read(), src.read(), predicate(imm, vex=False), 1))


def cmp_scalar(cpu: X86Cpu, dst: Vector, x: Vector, y: Operand, imm: Operand, *, fmt: str) -> None:
    """VCMPSS, VCMPSD: the rest comes from the first operand."""
    with Floating(cpu) as fp:
        dst.merge_low(compared(fp, fmt, x.read(), y.read(), predicate(imm, vex=True), 1), x)


for prefix, suffix, fmt in PACKED:
    x86.row(cmp_legacy, f"{prefix} 0F C2 /r ib", f"cmp{suffix} V{suffix}, W{suffix}, Ib", fmt=fmt)
    x86.row(cmp_vex, f"VEX.{prefix}.0F.WIG C2 /r ib", f"vcmp{suffix} V{suffix}, H{suffix}, W{suffix}, Ib", fmt=fmt)
for prefix, suffix, fmt in SCALAR:
    x86.row(cmp_scalar_legacy, f"{prefix} 0F C2 /r ib", f"cmp{suffix} V{suffix}, W{suffix}, Ib", fmt=fmt)
    x86.row(cmp_scalar, f"VEX.LIG.{prefix}.0F.WIG C2 /r ib", f"vcmp{suffix} V{suffix}, H{suffix}, W{suffix}, Ib", fmt=fmt)
