"""VFPv4-D32 data processing: arithmetic, comparison, conversion. ARM ARM A7.5; A32 and T32 share the diagrams.

Each instruction is written once, over numbers of a format, and becomes a single and a double row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, cat, const, sext, zext
from xemu.core.fp import fp_op
from xemu.core.record import when
from xemu.targets.arm.fp_rules import half_conversion, scaled, to_integer
from xemu.targets.arm.simd import add_simd, simd

if TYPE_CHECKING:
    from collections.abc import Callable

SIGN = {"f32": 1 << 31, "f64": 1 << 63}
NEAREST_ONLY = 0b1111_1000           # control word bits that stay when an instruction always rounds to nearest


def cpu_ctl(cpu) -> Bits:
    """Return the control word of ordinary instructions: FPSCR's AHP, DN, FZ and RMode (ARM numbers modes as fp.py does)."""
    if not cpu.context.FP:
        return const(0, 8)
    mode = cpu.FPMODE
    return cat(const(0, 2), mode[26:24], const(0, 1), mode[23:22])


def scalar_only(cpu) -> None:
    """Make an instruction that older processors repeat for short vectors undefined if FPSCR.Len or Stride is set.

    VFPv4 has the fields but no short vectors.
    """
    if cpu.context.FP:
        mode = cpu.FPMODE
        with when((mode[21:20] != 0) | (mode[18:16] != 0)):
            cpu.undefined()


def gather(cpu, flags: Bits) -> None:
    """Add exceptions that a row has computed itself to FPSCR's cumulative ones."""
    cpu.FPFLAGS = cpu.FPFLAGS | flags


def neg(x: Bits) -> Bits:
    """Return FPNeg(): NaNs too change sign."""
    return x ^ (1 << (x.width - 1))


# -- instructions of two operands ------------------------------------------------------------------------------------------


def vadd(cpu, fmt, d, n, m):
    """Return n + m."""
    return fp_op(cpu, "add", fmt, (n, m), cpu_ctl(cpu))


def vsub(cpu, fmt, d, n, m):
    """Return n - m."""
    return fp_op(cpu, "sub", fmt, (n, m), cpu_ctl(cpu))


def vmul(cpu, fmt, d, n, m):
    """Return n * m."""
    return fp_op(cpu, "mul", fmt, (n, m), cpu_ctl(cpu))


def vdiv(cpu, fmt, d, n, m):
    """Return n / m."""
    return fp_op(cpu, "div", fmt, (n, m), cpu_ctl(cpu))


def vnmul(cpu, fmt, d, n, m):
    """Return -(n * m)."""
    return neg(vmul(cpu, fmt, d, n, m))


def vmla(cpu, fmt, d, n, m):
    """Return d + n * m, rounded twice."""
    return vadd(cpu, fmt, d, d, vmul(cpu, fmt, d, n, m))


def vmls(cpu, fmt, d, n, m):
    """Return d - n * m, rounded twice."""
    return vadd(cpu, fmt, d, d, vnmul(cpu, fmt, d, n, m))


def vnmla(cpu, fmt, d, n, m):
    """Return -d - n * m, rounded twice."""
    return vadd(cpu, fmt, d, neg(d), vnmul(cpu, fmt, d, n, m))


def vnmls(cpu, fmt, d, n, m):
    """Return -d + n * m, rounded twice."""
    return vadd(cpu, fmt, d, neg(d), vmul(cpu, fmt, d, n, m))


def vfma(cpu, fmt, d, n, m):
    """Return d + n * m, rounded once."""
    return fp_op(cpu, "fma", fmt, (n, m, d), cpu_ctl(cpu))


def vfms(cpu, fmt, d, n, m):
    """Return d - n * m, rounded once."""
    return vfma(cpu, fmt, d, neg(n), m)


def vfnma(cpu, fmt, d, n, m):
    """Return -d - n * m, rounded once."""
    return vfma(cpu, fmt, neg(d), neg(n), m)


def vfnms(cpu, fmt, d, n, m):
    """Return -d + n * m, rounded once."""
    return vfma(cpu, fmt, neg(d), n, m)


#: function, bits 23:20 without D, bit 6, section of A8.8
THREE = (
    (vmla, "0", "00", "0", 337), (vmls, "0", "00", "1", 337), (vnmls, "0", "01", "0", 355), (vnmla, "0", "01", "1", 355),
    (vmul, "0", "10", "0", 351), (vnmul, "0", "10", "1", 355), (vadd, "0", "11", "0", 283), (vsub, "0", "11", "1", 415),
    (vdiv, "1", "00", "0", 312), (vfnms, "1", "01", "0", 318), (vfnma, "1", "01", "1", 318),
    (vfma, "1", "10", "0", 317), (vfms, "1", "10", "1", 317),
)


def _three(operation: Callable[..., Bits], section: int) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return the row functions of an operation on singles and on doubles."""
    def single(cpu, Sd, Sn, Sm):
        scalar_only(cpu)
        cpu.S[Sd] = operation(cpu, "f32", cpu.S[Sd], cpu.S[Sn], cpu.S[Sm])

    def double(cpu, Dd, Dn, Dm):
        scalar_only(cpu)
        cpu.D[Dd] = operation(cpu, "f64", cpu.D[Dd], cpu.D[Dn], cpu.D[Dm])

    name = operation.__name__.upper()
    single.__doc__ = f"{name} (floating-point), single. ARM ARM A8.8.{section}."
    double.__doc__ = f"{name} (floating-point), double. ARM ARM A8.8.{section}."
    return single, double


for _op, _a, _b, _c, _section in THREE:
    for _row, _sz, _r in zip(_three(_op, _section), "01", "SD", strict=True):
        add_simd(_row, f"cond 1110 {_a} D {_b} Vn Vd 101 {_sz} N {_c} M 0 Vm",
                 f"{_op.__name__}{{cond}}.f{32 << int(_sz)} {{{_r}d}}, {{{_r}n}}, {{{_r}m}}",
                 name=f"{_op.__name__.upper()}_{'single' if _r == 'S' else 'double'}")


# -- instructions of one operand -----------------------------------------------------------------------------------------------


def vmov(cpu, fmt, m):
    """Return m."""
    return m


def vabs(cpu, fmt, m):
    """Return |m|."""
    return m & (SIGN[fmt] - 1)


def vneg(cpu, fmt, m):
    """Return -m."""
    return neg(m)


def vsqrt(cpu, fmt, m):
    """Return the square root of m."""
    return fp_op(cpu, "sqrt", fmt, (m,), cpu_ctl(cpu))


#: function, bits 19:16, bits 7:6, section of A8.8
TWO = ((vmov, "0000", "01", 340), (vabs, "0000", "11", 280), (vneg, "0001", "01", 355), (vsqrt, "0001", "11", 401))


def _two(operation: Callable[..., Bits], section: int) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return the row functions of an operation on a single and on a double."""
    def single(cpu, Sd, Sm):
        scalar_only(cpu)
        cpu.S[Sd] = operation(cpu, "f32", cpu.S[Sm])

    def double(cpu, Dd, Dm):
        scalar_only(cpu)
        cpu.D[Dd] = operation(cpu, "f64", cpu.D[Dm])

    name = operation.__name__.upper()
    single.__doc__ = f"{name} (floating-point), single. ARM ARM A8.8.{section}."
    double.__doc__ = f"{name} (floating-point), double. ARM ARM A8.8.{section}."
    return single, double


for _unary, _a, _b, _section in TWO:
    for _row, _sz, _r in zip(_two(_unary, _section), "01", "SD", strict=True):
        add_simd(_row, f"cond 1110 1 D 11 {_a} Vd 101 {_sz} {_b} M 0 Vm",
                 f"{_unary.__name__}{{cond}}.f{32 << int(_sz)} {{{_r}d}}, {{{_r}m}}",
                 name=f"{_unary.__name__.upper()}_{'single' if _r == 'S' else 'double'}")


@simd("cond 1110 1 D 11 imm4H:4 Vd 101 0 (0) 0 (0) 0 imm4L:4", "vmov{cond}.f32 {Sd}, #{imm}")
def VMOV_immediate_single(cpu, Sd, imm4H, imm4L):
    """VMOV (immediate), A2, single: VFPExpandImm(). ARM ARM A8.8.339."""
    scalar_only(cpu)
    b = imm4H[2]
    cpu.S[Sd] = cat(imm4H[3], ~b, b, b, b, b, b, imm4H[1:0], imm4L, const(0, 19))


@simd("cond 1110 1 D 11 imm4H:4 Vd 101 1 (0) 0 (0) 0 imm4L:4", "vmov{cond}.f64 {Dd}, #{imm}")
def VMOV_immediate_double(cpu, Dd, imm4H, imm4L):
    """VMOV (immediate), A2, double: VFPExpandImm(). ARM ARM A8.8.339."""
    scalar_only(cpu)
    b = imm4H[2]
    cpu.D[Dd] = cat(imm4H[3], ~b, b, b, b, b, b, b, b, b, imm4H[1:0], imm4L, const(0, 48))


# -- comparison ------------------------------------------------------------------------------------------------------------------


def compare(cpu, fmt: str, x: Bits, y: Bits, signals: str) -> None:
    """Set FPSCR.NZCV as FPCompare() does: 1000 less, 0110 equal, 0010 greater, 0011 unordered."""
    ctl = cpu_ctl(cpu)
    less = fp_op(cpu, "lt" + signals, fmt, (x, y), ctl, raises=False)
    unordered = fp_op(cpu, "unordered" + signals, fmt, (x, y), ctl, raises=False)
    equal = fp_op(cpu, "eq" + signals, fmt, (x, y), ctl)
    cpu.FPNZCV = cat(less, equal, ~less, unordered)


def _add_compare(e: str) -> None:
    """Add VCMP (e = "0") or VCMPE ("1"): single, double, and both with zero."""
    name, signals = ("vcmpe", "_s") if e == "1" else ("vcmp", "")

    def single(cpu, Sd, Sm):
        """VCMP, VCMPE, A1, single. ARM ARM A8.8.303."""
        compare(cpu, "f32", cpu.S[Sd], cpu.S[Sm], signals)

    def double(cpu, Dd, Dm):
        """VCMP, VCMPE, A1, double. ARM ARM A8.8.303."""
        compare(cpu, "f64", cpu.D[Dd], cpu.D[Dm], signals)

    def single_zero(cpu, Sd):
        """VCMP, VCMPE, A2: single with zero. ARM ARM A8.8.303."""
        compare(cpu, "f32", cpu.S[Sd], const(0, 32), signals)

    def double_zero(cpu, Dd):
        """VCMP, VCMPE, A2: double with zero. ARM ARM A8.8.303."""
        compare(cpu, "f64", cpu.D[Dd], const(0, 64), signals)

    zero = f"{e} 1 (0) 0 (0) (0) (0) (0)"
    for row, low, operands in (
            (single, f"0100 Vd 1010 {e} 1 M 0 Vm", ".f32 {Sd}, {Sm}"), (double, f"0100 Vd 1011 {e} 1 M 0 Vm", ".f64 {Dd}, {Dm}"),
            (single_zero, f"0101 Vd 1010 {zero}", ".f32 {Sd}, #0.0"), (double_zero, f"0101 Vd 1011 {zero}", ".f64 {Dd}, #0.0")):
        add_simd(row, f"cond 1110 1 D 11 {low}", f"{name}{{cond}}{operands}", name=f"{name.upper()}_{row.__name__}")


_add_compare("0")
_add_compare("1")


# -- conversion between formats ------------------------------------------------------------------------------------------------------


@simd("cond 1110 1 D 11 0111 Vd 101 0 11 M 0 Vm", "vcvt{cond}.f64.f32 {Dd}, {Sm}")
def VCVT_double_single(cpu, Dd, Sm):
    """VCVT (between double-precision and single-precision), to double. ARM ARM A8.8.309."""
    cpu.D[Dd] = fp_op(cpu, "to_float", ("f32", "f64"), (cpu.S[Sm],), cpu_ctl(cpu))


@simd("cond 1110 1 D 11 0111 Vd 101 1 11 M 0 Vm", "vcvt{cond}.f32.f64 {Sd}, {Dm}")
def VCVT_single_double(cpu, Sd, Dm):
    """VCVT (between double-precision and single-precision), to single. ARM ARM A8.8.309."""
    cpu.S[Sd] = fp_op(cpu, "to_float", ("f64", "f32"), (cpu.D[Dm],), cpu_ctl(cpu))


def _add_half(t: str) -> None:
    """Add VCVTB (t = "0": the bottom half of a register) or VCVTT ("1": the top half)."""
    name, low = ("vcvtt", 16) if t == "1" else ("vcvtb", 0)

    def from_half(cpu, Sd, Sm):
        """VCVTB, VCVTT: half to single. ARM ARM A8.8.311."""
        cpu.S[Sd], flags = half_conversion(("f16", "f32"), cpu.S[Sm][low + 15:low], cpu_ctl(cpu))
        gather(cpu, flags)

    def to_half(cpu, Sd, Sm):
        """VCVTB, VCVTT: single to half. ARM ARM A8.8.311."""
        value, flags = half_conversion(("f32", "f16"), cpu.S[Sm], cpu_ctl(cpu))
        old = cpu.S[Sd]
        cpu.S[Sd] = cat(value, old[15:0]) if low else cat(old[31:16], value)
        gather(cpu, flags)

    for row, op, types in (from_half, "0", "f32.f16"), (to_half, "1", "f16.f32"):
        add_simd(row, f"cond 1110 1 D 11 001 {op} Vd 101 0 {t} 1 M 0 Vm", f"{name}{{cond}}.{types} {{Sd}}, {{Sm}}",
                 name=f"{name.upper()}_{row.__name__}")


_add_half("0")
_add_half("1")


# -- conversion to and from integers ---------------------------------------------------------------------------------------------------


def _add_integer(sz: str, signed: str) -> None:
    """Add the conversions between a 32-bit integer and a format."""
    fmt, kind, sign = f"f{32 << int(sz)}", "sint" if signed == "1" else "uint", "s32" if signed == "1" else "u32"
    r = "SD"[int(sz)]

    def single_from(cpu, Sd, Sm):
        """VCVT, VCVTR (between floating-point and integer): to single. ARM ARM A8.8.306."""
        cpu.S[Sd] = fp_op(cpu, "from_" + kind, (32, fmt, 0), (cpu.S[Sm],), cpu_ctl(cpu))

    def double_from(cpu, Dd, Sm):
        """VCVT, VCVTR (between floating-point and integer): to double. ARM ARM A8.8.306."""
        cpu.D[Dd] = fp_op(cpu, "from_" + kind, (32, fmt, 0), (cpu.S[Sm],), cpu_ctl(cpu))

    def single_to(cpu, rounding, Sd, Sm):
        """VCVT, VCVTR (between floating-point and integer): from single. ARM ARM A8.8.306."""
        cpu.S[Sd] = fp_op(cpu, "to_" + kind, (fmt, 32, rounding, 0), (cpu.S[Sm],), cpu_ctl(cpu))

    def double_to(cpu, rounding, Sd, Dm):
        """VCVT, VCVTR (between floating-point and integer): from double. ARM ARM A8.8.306."""
        cpu.S[Sd] = fp_op(cpu, "to_" + kind, (fmt, 32, rounding, 0), (cpu.D[Dm],), cpu_ctl(cpu))

    frm, to = ((single_from, single_to), (double_from, double_to))[int(sz)]
    add_simd(frm, f"cond 1110 1 D 11 1000 Vd 101 {sz} {signed} 1 M 0 Vm", f"vcvt{{cond}}.{fmt}.{sign} {{{r}d}}, {{Sm}}",
             name=f"VCVT_{fmt}_{sign}")
    for op, name, rounding in ("1", "vcvt", "zero"), ("0", "vcvtr", "current"):
        add_simd(to, f"cond 1110 1 D 11 110 {signed} Vd 101 {sz} {op} 1 M 0 Vm", f"{name}{{cond}}.{sign}.{fmt} {{Sd}}, {{{r}m}}",
                 name=f"{name.upper()}_{sign}_{fmt}", bound={"rounding": rounding})


for _sz in "01":
    for _signed in "01":
        _add_integer(_sz, _signed)


# -- conversion to and from fixed point ---------------------------------------------------------------------------------------------------


def fraction_bits(size: int, imm4: Bits, i: Bits) -> Bits:
    """Return the fraction bits of a fixed-point number: size - imm4:i, modulo 2**16."""
    return size - zext(cat(imm4, i), 16)


def from_fixed(cpu, fmt: str, x: Bits, fbits: Bits, *, signed: bool) -> Bits:
    """Return FixedToFP() of a 16- or 32-bit number, rounded to nearest."""
    number = sext(x, 32) if signed else zext(x, 32)
    result = fp_op(cpu, "from_sint" if signed else "from_uint", (32, fmt, 0), (number,), cpu_ctl(cpu) & NEAREST_ONLY)
    return scaled(result, fmt, fbits[6:0])


def to_fixed(cpu, fmt: str, x: Bits, size: int, fbits: Bits, *, signed: bool) -> Bits:
    """Return FPToFixed(), rounded towards zero and widened to the register."""
    result, flags = to_integer(x, fmt, size, fbits, const(3, 2), cpu_ctl(cpu), signed=signed)
    gather(cpu, flags)
    return sext(result, x.width) if signed else zext(result, x.width)


def _add_fixed(sz: str, unsigned: str, sx: str) -> None:
    """Add the conversions between a fixed-point number of 16 or 32 bits and a format; both stand in one register."""
    size, signed, fmt, r = 16 << int(sx), unsigned == "0", f"f{32 << int(sz)}", "SD"[int(sz)]

    def single_from(cpu, Sd, imm4, i):
        """VCVT (between floating-point and fixed-point), A1, to single. ARM ARM A8.8.308."""
        cpu.S[Sd] = from_fixed(cpu, fmt, cpu.S[Sd][size - 1:0], fraction_bits(size, imm4, i), signed=signed)

    def double_from(cpu, Dd, imm4, i):
        """VCVT (between floating-point and fixed-point), A1, to double. ARM ARM A8.8.308."""
        cpu.D[Dd] = from_fixed(cpu, fmt, cpu.D[Dd][size - 1:0], fraction_bits(size, imm4, i), signed=signed)

    def single_to(cpu, Sd, imm4, i):
        """VCVT (between floating-point and fixed-point), A1, from single. ARM ARM A8.8.308."""
        cpu.S[Sd] = to_fixed(cpu, fmt, cpu.S[Sd], size, fraction_bits(size, imm4, i), signed=signed)

    def double_to(cpu, Dd, imm4, i):
        """VCVT (between floating-point and fixed-point), A1, from double. ARM ARM A8.8.308."""
        cpu.D[Dd] = to_fixed(cpu, fmt, cpu.D[Dd], size, fraction_bits(size, imm4, i), signed=signed)

    frm, to = ((single_from, single_to), (double_from, double_to))[int(sz)]
    kind = f"{'s' if signed else 'u'}{size}"
    for row, op, types in (frm, "0", (fmt, kind)), (to, "1", (kind, fmt)):
        add_simd(row, f"cond 1110 1 D 11 1 {op} 1 {unsigned} Vd 101 {sz} {sx} 1 i:1 0 imm4",
                 f"vcvt{{cond}}.{'.'.join(types)} {{{r}d}}, {{{r}d}}, #{{fbits}}", name=f"VCVT_{'_'.join(types)}_fixed")


for _sz in "01":
    for _unsigned in "01":
        for _sx in "01":
            _add_fixed(_sz, _unsigned, _sx)


