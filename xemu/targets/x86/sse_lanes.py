"""Arithmetic between lanes and on some of them: SSE3's ADDSUB and horizontal sums, SSE4.1's dot products and rounding, F16C."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, Lanes, cat, const, mux, sext
from xemu.core.fp import BENIGN, pick
from xemu.core.softnumber import INEXACT
from xemu.targets.x86.floating import SIZES, Floating, halves, lanes_of, write_halves
from xemu.targets.x86.isa import x86
from xemu.targets.x86.sse_arithmetic import packed, packed_legacy

if TYPE_CHECKING:
    from xemu.targets.x86.operands import Operand, Vector
    from xemu.targets.x86.state import X86Cpu

#: the prefix of SSE3's instructions that says the format
SSE3 = (("F2", "ps", "f32"), ("66", "pd", "f64"))


def alternating(fmt: str) -> Lanes:
    """Return ones in the odd lanes."""
    size = SIZES[fmt]
    ones = (1 << size) - 1
    return Lanes(const(sum(ones << i for i in range(size, 128, 2 * size)), 128), size)


def benign(fmt: str) -> Lanes:
    """Return ones (the number) in all lanes: no operation on them raises anything."""
    return Lanes.splat(const(BENIGN[fmt], SIZES[fmt]), lanes_of(fmt))


def two_ways(fp: Floating, fmt: str, odd: str, even: str, values: list[tuple[Bits, ...]]) -> Bits:
    """Do one operation on the odd lanes and another on the even ones; `values` are the operands of both."""
    mask, one, results = alternating(fmt), benign(fmt), []
    for name, kept, operands in zip((odd, even), (mask, ~mask), values, strict=True):
        given = [pick(kept, Lanes(v, SIZES[fmt]), one).bits for v in operands]
        results.append(Lanes(fp(name, fmt, *given, lanes=lanes_of(fmt)), SIZES[fmt]))
    return pick(mask, *results).bits


def add_and_subtract(fp: Floating, fmt: str, x: Bits, y: Bits) -> Bits:
    """ADDSUBPS, ADDSUBPD: sums in the odd lanes, differences in the even ones."""
    return two_ways(fp, fmt, "add", "sub", [(x, y), (x, y)])


def horizontal(name: str) -> object:
    """Return HADDPS and the like: neighbours in x, then in y."""
    def combine(fp: Floating, fmt: str, x: Bits, y: Bits) -> Bits:
        n = lanes_of(fmt)
        a, b = Lanes(x, SIZES[fmt]), Lanes(y, SIZES[fmt])
        first, second = (a.shuffle(b, range(at, 2 * n, 2)).bits for at in (0, 1))
        return fp(name, fmt, first, second, lanes=n)
    return combine


for opcode, mnemonic, function in (("D0", "addsub", add_and_subtract), ("7C", "hadd", horizontal("add")),
                                   ("7D", "hsub", horizontal("sub"))):
    for prefix, suffix, fmt in SSE3:
        x86.row(packed_legacy, f"{prefix} 0F {opcode} /r", f"{mnemonic}{suffix} V{suffix}, W{suffix}", f=function, fmt=fmt)
        x86.row(packed, f"VEX.{prefix}.0F.WIG {opcode} /r", f"v{mnemonic}{suffix} V{suffix}, H{suffix}, W{suffix}", f=function, fmt=fmt)


# -- dot products -----------------------------------------------------------------------------------------------------------


def chosen(bits: Bits, fmt: str) -> Lanes:
    """Return ones in the lanes whose bit is set."""
    return Lanes(cat(*[sext(bits[i], SIZES[fmt]) for i in reversed(range(lanes_of(fmt)))]), SIZES[fmt])


def dot(cpu: X86Cpu, fmt: str, pairs: list[tuple[Bits, ...]], imm: Bits) -> list[Bits]:
    """DPPS, DPPD: products of the lanes that bits 7:4 choose, their sum in the lanes that bits 3:0 choose; 0 elsewhere.

    An exception of the products that is not masked comes before those of the sums.
    """
    n, size = lanes_of(fmt), SIZES[fmt]
    wanted, zero = chosen(imm[7:4], fmt), Lanes(const(0, 128), size)
    given = [[pick(wanted, Lanes(v, size), benign(fmt)).bits for v in pair] for pair in pairs]
    with Floating(cpu) as fp:
        products = [pick(wanted, Lanes(fp("mul", fmt, *pair, lanes=n), size), zero) for pair in given]
    neighbours = [p.shuffle(p, [i ^ 1 for i in range(n)]) for p in products]
    with Floating(cpu) as fp:
        if fmt == "f64":
            totals = [fp("add", fmt, p.bits, q.bits, lanes=n) for p, q in zip(products, neighbours, strict=True)]
        else:                                        # all lanes have the same sum, but of NaNs the first one of theirs
            totals = [fp("add", fmt, q.bits, p.bits, lanes=n) for p, q in zip(products, neighbours, strict=True)]
    if fmt == "f32":
        with Floating(cpu) as fp:
            sums = [Lanes(total, size) for total in totals]
            totals = [fp("add", fmt, s.bits, s.shuffle(s, (2, 3, 0, 1)).bits, lanes=n) for s in sums]
    return [pick(chosen(imm[3:0], fmt), Lanes(total, size), zero).bits for total in totals]


def dot_legacy(cpu: X86Cpu, dst: Operand, src: Operand, imm: Operand, *, fmt: str) -> None:
    """The destination is the first source."""
    (result,) = dot(cpu, fmt, halves(dst, src), imm.read())
    dst.write(result)


def dot_vex(cpu: X86Cpu, dst: Operand, x: Operand, y: Operand, imm: Operand, *, fmt: str) -> None:
    """Each half by itself."""
    write_halves(dst, dot(cpu, fmt, halves(x, y), imm.read()))


x86.row(dot_legacy, "66 0F 3A 40 /r ib", "dpps Vps, Wps, Ib", fmt="f32")
x86.row(dot_vex, "VEX.66.0F3A.WIG 40 /r ib", "vdpps Vps, Hps, Wps, Ib", fmt="f32")
x86.row(dot_legacy, "66 0F 3A 41 /r ib", "dppd Vpd, Wpd, Ib", fmt="f64")
x86.row(dot_vex, "VEX.128.66.0F3A.WIG 41 /r ib", "vdppd Vdq, Hdq, Wdq, Ib", fmt="f64")


# -- rounding -----------------------------------------------------------------------------------------------------------------


def rounding(fp: Floating, imm: Bits) -> Bits:
    """Return the control word that an immediate asks for: its own rounding mode, or MXCSR's if bit 2 is set."""
    return mux(imm[2], fp.ctl, cat(fp.ctl[7:2], imm[0], imm[1]))


def rounded(fp: Floating, fmt: str, x: Bits, imm: Bits, lanes: int) -> Bits:
    """Round to integral numbers; with bit 3 of the immediate a number that is none is no exception."""
    ctl = rounding(fp, imm)
    if ctl.op == "const":
        return fp("round_int" if imm.attr & 8 else "rint", fmt, x, lanes=lanes, ctl=ctl)
    value, flags = fp.both("rint", fmt, x, lanes=lanes, ctl=ctl)
    fp.raises(mux(imm[3], flags & ~INEXACT & 0xFF, flags))
    return value


def round_packed(cpu: X86Cpu, dst: Operand, src: Operand, imm: Operand, *, fmt: str) -> None:
    """ROUNDPS, ROUNDPD."""
    with Floating(cpu) as fp:
        write_halves(dst, [rounded(fp, fmt, x, imm.read(), lanes_of(fmt)) for (x,) in halves(src)])


def round_scalar_legacy(cpu: X86Cpu, dst: Vector, src: Operand, imm: Operand, *, fmt: str) -> None:
    """ROUNDSS, ROUNDSD: the rest of the destination stays."""
    with Floating(cpu) as fp:
        dst.write_low(rounded(fp, fmt, src.read(), imm.read(), 1))


def round_scalar(cpu: X86Cpu, dst: Vector, x: Vector, src: Operand, imm: Operand, *, fmt: str) -> None:
    """VROUNDSS, VROUNDSD: the rest comes from the first source."""
    with Floating(cpu) as fp:
        dst.merge_low(rounded(fp, fmt, src.read(), imm.read(), 1), x)


for opcode, suffix, fmt in ("08", "ps", "f32"), ("09", "pd", "f64"):
    x86.row(round_packed, f"66 0F 3A {opcode} /r ib", f"round{suffix} V{suffix}, W{suffix}, Ib", fmt=fmt)
    x86.row(round_packed, f"VEX.66.0F3A.WIG {opcode} /r ib", f"vround{suffix} V{suffix}, W{suffix}, Ib", fmt=fmt)
for opcode, suffix, fmt in ("0A", "ss", "f32"), ("0B", "sd", "f64"):
    x86.row(round_scalar_legacy, f"66 0F 3A {opcode} /r ib", f"round{suffix} V{suffix}, W{suffix}, Ib", fmt=fmt)
    x86.row(round_scalar, f"VEX.LIG.66.0F3A.WIG {opcode} /r ib", f"vround{suffix} V{suffix}, H{suffix}, W{suffix}, Ib", fmt=fmt)


# -- half precision -------------------------------------------------------------------------------------------------------------


def from_halves(cpu: X86Cpu, dst: Operand, src: Operand) -> None:
    """VCVTPH2PS."""
    value = src.read()
    with Floating(cpu) as fp:
        write_halves(dst, [fp("to_float", ("f16", "f32"), value[at + 63:at], lanes=4) for at in range(0, value.width, 64)])


def to_halves(cpu: X86Cpu, dst: Operand, src: Operand, imm: Operand) -> None:
    """VCVTPS2PH: the immediate chooses the rounding as ROUNDPS's does; results are never flushed."""
    values = [x for (x,) in halves(src)]
    with Floating(cpu) as fp:
        ctl = rounding(fp, imm.read())
        if ctl.op == "const":
            parts = [fp("to_float", ("f32", "f16"), x, lanes=4, ctl=ctl) for x in values]
        else:
            parts = []
            for x in values:
                value, flags = fp.both("to_float", ("f32", "f16"), x, lanes=4, ctl=ctl)
                fp.raises(flags)
                parts.append(value)
    dst.write(cat(*reversed(parts)))


x86.row(from_halves, "VEX.128.66.0F38.W0 13 /r", "vcvtph2ps Vdq, Wq")
x86.row(from_halves, "VEX.256.66.0F38.W0 13 /r", "vcvtph2ps Vqq, Wdq")
x86.row(to_halves, "VEX.128.66.0F3A.W0 1D /r ib", "vcvtps2ph Wq, Vdq, Ib")
x86.row(to_halves, "VEX.256.66.0F3A.W0 1D /r ib", "vcvtps2ph Wdq, Vqq, Ib")
