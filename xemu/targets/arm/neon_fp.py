"""Advanced SIMD on single-precision numbers (ARM ARM A7.4).

Comparisons, maxima and fixed point are written out on lanes of integers; arithmetic is "fp" operations.
"""

from __future__ import annotations

from xemu.core.bits import Bits, Lanes, cat, const, join, zext
from xemu.core.fp import STANDARD, LaneParts, pick
from xemu.targets.arm.fp_rules import half_conversion
from xemu.targets.arm.neon_estimate import vrecpe, vrecpe_u32, vrsqrte, vrsqrte_u32
from xemu.targets.arm.neon_fp_lanes import (
    HALF,
    INFINITY,
    NAN,
    SIGNS,
    THREE,
    TWO,
    fp,
    lanes_of,
    magnitudes,
    negated,
    raise_lanes,
    singles,
    splat,
)
from xemu.targets.arm.neon_lanes import scalar_operand
from xemu.targets.arm.simd import add_vector, simd, vector
from xemu.targets.arm.vfp import gather

# -- three registers of the same length (A7.4.1) ---------------------------------------------------------------------------


def vadd(cpu, d, n, m):
    """Return n + m."""
    return fp(cpu, "add", n, m)


def vsub(cpu, d, n, m):
    """Return n - m."""
    return fp(cpu, "sub", n, m)


def vabd(cpu, d, n, m):
    """Return |n - m|."""
    return fp(cpu, "sub", n, m) & splat(~SIGNS & 0xFFFFFFFF, n)


def vmul(cpu, d, n, m):
    """Return n * m."""
    return fp(cpu, "mul", n, m)


def vmla(cpu, d, n, m):
    """Return d + n * m, rounded twice."""
    return fp(cpu, "add", d, fp(cpu, "mul", n, m))


def vmls(cpu, d, n, m):
    """Return d - n * m, rounded twice."""
    return fp(cpu, "add", d, negated(fp(cpu, "mul", n, m)))


def vfma(cpu, d, n, m):
    """Return d + n * m, rounded once."""
    return fp(cpu, "fma", n, m, d)


def vfms(cpu, d, n, m):
    """Return d - n * m, rounded once."""
    return fp(cpu, "fma", negated(n), m, d)


def largest(cpu, n: Bits, m: Bits, op: str) -> Bits:
    """Return FPMax() or FPMin() of lanes (`op` smax or smin): +0 is above -0."""
    given = [LaneParts(singles(x), "f32") for x in (n, m)]
    x, y = (p.flushed() for p in given)
    nan = x.is_nan | y.is_nan
    raise_lanes(cpu, invalid=x.is_signalling | y.is_signalling, denormal=given[0].is_denormal | given[1].is_denormal)
    order = x.order.op(op, y.order)
    return pick(nan, singles(splat(NAN, n)), LaneParts(order, "f32").order).bits


def vmax(cpu, d, n, m):
    """Return the larger."""
    return largest(cpu, n, m, "smax")


def vmin(cpu, d, n, m):
    """Return the smaller."""
    return largest(cpu, n, m, "smin")


def pairs(n: Bits, m: Bits) -> tuple[Bits, Bits]:
    """Return the even and the odd elements of two doublewords."""
    x, y = singles(n), singles(m)
    return x.shuffle(y, [0, 2]).bits, x.shuffle(y, [1, 3]).bits


def vpadd(cpu, d, n, m):
    """Return the sums of neighbours."""
    return fp(cpu, "add", *pairs(n, m))


def vpmax(cpu, d, n, m):
    """Return the larger of neighbours."""
    return largest(cpu, *pairs(n, m), "smax")


def vpmin(cpu, d, n, m):
    """Return the smaller of neighbours."""
    return largest(cpu, *pairs(n, m), "smin")


def without_infinity_times_zero(n: Bits, m: Bits) -> tuple[Bits, Bits]:
    """Return the factors; an infinity that meets a zero is replaced by 0, for that product counts as 0."""
    x, y = LaneParts(singles(n), "f32"), LaneParts(singles(m), "f32")
    x0, y0 = (p.magnitude.op("ult", 1 << 23) for p in (x, y))          # zeros and what is flushed to zero
    x8, y8 = (p.magnitude.op("eq", INFINITY) for p in (x, y))
    return (x.bits & ~(x8 & y0)).bits, (y.bits & ~(y8 & x0)).bits


def vrecps(cpu, d, n, m):
    """Return 2 - n * m (FPRecipStep)."""
    product = fp(cpu, "mul", *without_infinity_times_zero(n, m))
    return fp(cpu, "sub", splat(TWO, n), product)


def vrsqrts(cpu, d, n, m):
    """Return (3 - n * m) / 2 (FPRSqrtStep)."""
    product = fp(cpu, "mul", *without_infinity_times_zero(n, m))
    return fp(cpu, "mul", fp(cpu, "sub", splat(THREE, n), product), splat(HALF, n))


def compare(cpu, x: Bits, y: Bits, relation: str) -> Bits:
    """Return FPCompareEQ/GE/GT of lanes as masks (`relation` eq, sle or slt says how y relates to x).

    eq is quiet, the others raise invalid for any NaN.
    """
    given = [LaneParts(singles(v), "f32") for v in (x, y)]
    a, b = (p.flushed() for p in given)
    nan = a.is_nan | b.is_nan
    invalid = a.is_signalling | b.is_signalling if relation == "eq" else nan
    raise_lanes(cpu, invalid=invalid, denormal=given[0].is_denormal | given[1].is_denormal)
    return (rank(b).op(relation, rank(a)) & ~nan).bits


def rank(x: LaneParts) -> Lanes:
    """Return signed integers that order like the numbers; both zeros are 0."""
    sign = x.bits.sar(31)
    return (x.magnitude ^ sign) - sign


def vceq(cpu, d, n, m):
    """Return n == m."""
    return compare(cpu, n, m, "eq")


def vcge(cpu, d, n, m):
    """Return n >= m."""
    return compare(cpu, n, m, "sle")


def vcgt(cpu, d, n, m):
    """Return n > m."""
    return compare(cpu, n, m, "slt")


def vacge(cpu, d, n, m):
    """Return |n| >= |m|."""
    x, y = magnitudes(n, m)
    return compare(cpu, x, y, "sle")


def vacgt(cpu, d, n, m):
    """Return |n| > |m|."""
    x, y = magnitudes(n, m)
    return compare(cpu, x, y, "slt")


#: function, U, bits 21:20 (op, sz = 0), bits 11:8, bit 4, section of A8.8, forms
THREE_SAME = (
    (vadd, "0", "00", "1101", "0", 283, "DQ"), (vsub, "0", "10", "1101", "0", 415, "DQ"), (vpadd, "1", "00", "1101", "0", 363, "D"),
    (vabd, "1", "10", "1101", "0", 279, "DQ"), (vmla, "0", "00", "1101", "1", 337, "DQ"), (vmls, "0", "10", "1101", "1", 337, "DQ"),
    (vmul, "1", "00", "1101", "1", 351, "DQ"), (vfma, "0", "00", "1100", "1", 317, "DQ"), (vfms, "0", "10", "1100", "1", 317, "DQ"),
    (vceq, "0", "00", "1110", "0", 290, "DQ"), (vcge, "1", "00", "1110", "0", 292, "DQ"), (vcgt, "1", "10", "1110", "0", 294, "DQ"),
    (vacge, "1", "00", "1110", "1", 281, "DQ"), (vacgt, "1", "10", "1110", "1", 281, "DQ"),
    (vmax, "0", "00", "1111", "0", 335, "DQ"), (vmin, "0", "10", "1111", "0", 335, "DQ"),
    (vpmax, "1", "00", "1111", "0", 366, "D"), (vpmin, "1", "10", "1111", "0", 366, "D"),
    (vrecps, "0", "00", "1111", "1", 384, "DQ"), (vrsqrts, "0", "10", "1111", "1", 398, "DQ"),
)


def _three(operation, section):
    """Return the row function of an operation."""
    def row(cpu, V, d, n, m):
        V[d] = operation(cpu, V[d], V[n], V[m])
    row.__doc__ = f"{operation.__name__.upper()} (floating-point), Advanced SIMD. ARM ARM A8.8.{section}."
    return row


for _op, _u, _size, _a, _b, _section, _forms in THREE_SAME:
    add_vector(_three(_op, _section), f"1111001 {_u} 0 D {_size} Vn Vd {_a} N Q M {_b} Vm",
               f"{_op.__name__}.f32 {{d}}, {{n}}, {{m}}", name=f"{_op.__name__.upper()}_float", forms=_forms)


# -- two registers and a scalar (A7.4.3) ---------------------------------------------------------------------------------------


def _scalar(operation, section):
    """Return the row function of an operation with a scalar."""
    def row(cpu, V, d, n, M, Vm):
        factor = V[n]
        V[d] = operation(cpu, V[d], factor, splat(scalar_operand(cpu, Vm, M, 2), factor))
    row.__doc__ = f"{operation.__name__.upper()} (by scalar, floating-point). ARM ARM A8.8.{section}."
    return row


for _op, _a, _section in (vmla, "0001", 338), (vmls, "0101", 338), (vmul, "1001", 352):
    add_vector(_scalar(_op, _section), f"1111001 Q 1 D 10 Vn Vd {_a} N 1 M 0 Vm",
               f"{_op.__name__}.f32 {{d}}, {{n}}, {{scalar}}", name=f"{_op.__name__.upper()}_by_scalar_float", quads="dn")


# -- two registers (A7.4.5) --------------------------------------------------------------------------------------------------------


def vcgt_zero(cpu, m):
    """Return m > 0."""
    return compare(cpu, m, splat(0, m), "slt")


def vcge_zero(cpu, m):
    """Return m >= 0."""
    return compare(cpu, m, splat(0, m), "sle")


def vceq_zero(cpu, m):
    """Return m == 0."""
    return compare(cpu, m, splat(0, m), "eq")


def vcle_zero(cpu, m):
    """Return m <= 0."""
    return compare(cpu, splat(0, m), m, "sle")


def vclt_zero(cpu, m):
    """Return m < 0."""
    return compare(cpu, splat(0, m), m, "slt")


def vabs(cpu, m):
    """Return |m|."""
    return magnitudes(m)[0]


def vneg(cpu, m):
    """Return -m."""
    return negated(m)


def vcvt_f32_s32(cpu, m):
    """Return signed words as numbers."""
    return fp(cpu, "from_sint", m, fmt=(32, "f32", 0))


def vcvt_f32_u32(cpu, m):
    """Return unsigned words as numbers."""
    return fp(cpu, "from_uint", m, fmt=(32, "f32", 0))


def vcvt_s32_f32(cpu, m):
    """Return numbers as signed words."""
    return fp(cpu, "to_sint", m, fmt=("f32", 32, "zero", 0))


def vcvt_u32_f32(cpu, m):
    """Return numbers as unsigned words."""
    return fp(cpu, "to_uint", m, fmt=("f32", 32, "zero", 0))


#: function, bits 17:16, bits 11:7, mnemonic and operands, section of A8.8
TWO_REGISTERS = (
    (vcgt_zero, "01", "01000", "vcgt.f32 {d}, {m}, #0", 295), (vcge_zero, "01", "01001", "vcge.f32 {d}, {m}, #0", 293),
    (vceq_zero, "01", "01010", "vceq.f32 {d}, {m}, #0", 291), (vcle_zero, "01", "01011", "vcle.f32 {d}, {m}, #0", 297),
    (vclt_zero, "01", "01100", "vclt.f32 {d}, {m}, #0", 299), (vabs, "01", "01110", "vabs.f32 {d}, {m}", 280),
    (vneg, "01", "01111", "vneg.f32 {d}, {m}", 355),
    (vrecpe_u32, "11", "01000", "vrecpe.u32 {d}, {m}", 383), (vrsqrte_u32, "11", "01001", "vrsqrte.u32 {d}, {m}", 397),
    (vrecpe, "11", "01010", "vrecpe.f32 {d}, {m}", 383), (vrsqrte, "11", "01011", "vrsqrte.f32 {d}, {m}", 397),
    (vcvt_f32_s32, "11", "01100", "vcvt.f32.s32 {d}, {m}", 305), (vcvt_f32_u32, "11", "01101", "vcvt.f32.u32 {d}, {m}", 305),
    (vcvt_s32_f32, "11", "01110", "vcvt.s32.f32 {d}, {m}", 305), (vcvt_u32_f32, "11", "01111", "vcvt.u32.f32 {d}, {m}", 305),
)


def _two(operation, section):
    """Return the row function of an operation."""
    def row(cpu, V, d, m):
        V[d] = operation(cpu, V[m])
    row.__doc__ = f"{operation.__name__.upper()}, Advanced SIMD. ARM ARM A8.8.{section}."
    return row


for _unary, _a, _b, _text, _section in TWO_REGISTERS:
    add_vector(_two(_unary, _section), f"1111001 1 1 D 11 10 {_a} Vd {_b} Q M 0 Vm", _text,
               name=_unary.__name__.upper() + ("_float" if _unary in (vabs, vneg, vrecpe, vrsqrte) or _a == "01" else ""))


# -- fixed point (A7.4.6) --------------------------------------------------------------------------------------------------------------


@vector("1111001 U 1 D 1 fbits:5 Vd 1110 0 Q M 1 Vm", "vcvt.f32.{su}32 {d}, {m}, #{fbits}")
def VCVT_from_fixed(cpu, V, d, m, U, fbits):
    """VCVT (between floating-point and fixed-point, Advanced SIMD), from fixed point. ARM ARM A8.8.307."""
    x = V[m]
    number = singles(fp(cpu, "from_uint" if U else "from_sint", x, fmt=(32, "f32", 0)))
    step = Lanes.splat((32 - zext(fbits, 32)) << 23, number.count)
    V[d] = (number - (step & ~number.op("eq", 0))).bits


@vector("1111001 U 1 D 1 fbits:5 Vd 1111 0 Q M 1 Vm", "vcvt.{su}32.f32 {d}, {m}, #{fbits}")
def VCVT_to_fixed(cpu, V, d, m, U, fbits):
    """VCVT (between floating-point and fixed-point, Advanced SIMD), to fixed point. ARM ARM A8.8.307."""
    x = LaneParts(singles(V[m]), "f32")
    count, size = x.bits.count, x.magnitude
    denormal, negative = x.is_denormal, x.bits.sar(31)
    zero = size.op("ult", 1 << 23)
    significand = ((x.bits & 0x7FFFFF) | 1 << 23) & ~zero
    power = (size >> 23) - 150 + Lanes.splat(32 - zext(fbits, 32), count)           # of the lowest bit
    whole_number = ~power.sar(31)
    right = lanes_of(0, size) - power
    whole = pick(whole_number, significand << power, significand >> right)
    inexact = ~(whole << right).op("eq", significand) & ~whole_number
    most = lanes_of(0xFFFFFFFF if U else 0x7FFFFFFF, size)
    limit = pick(negative, lanes_of(0 if U else SIGNS, size), most)
    bad = (lanes_of(8, size).op("slt", power) & ~zero) | x.is_nan | limit.op("ult", whole)
    result = pick(bad, limit & ~x.is_nan, pick(negative, lanes_of(0, size) - whole, whole))
    raise_lanes(cpu, invalid=bad, denormal=denormal, inexact=inexact & ~bad)
    V[d] = result.bits


# -- half precision (A7.4.5) ------------------------------------------------------------------------------------------------------------


def half_ctl(cpu) -> Bits:
    """Return the standard control word; the choice of half format is FPSCR's (AHP)."""
    ahp = cpu.FPMODE[26] if cpu.context.FP else const(0, 1)
    return cat(const(0, 2), ahp, const(STANDARD, 5))


def _halves(cpu, fmt: tuple[str, str], lanes: Lanes) -> Bits:
    """Convert every lane; return the results joined."""
    ctl = half_ctl(cpu)
    results = [half_conversion(fmt, lanes.lane(i), ctl) for i in range(lanes.count)]
    for _, flags in results:
        gather(cpu, flags)
    return join([value for value, _ in results])


@simd("1111001 1 1 D 11 01 10 Vd 0110 0 0 M 0 Qm3 0", "vcvt.f16.f32 {Dd}, {Qm}")
def VCVT_half_single(cpu, Dd, Qm):
    """VCVT (between half-precision and single-precision, Advanced SIMD), to half. ARM ARM A8.8.310."""
    cpu.D[Dd] = _halves(cpu, ("f32", "f16"), Lanes(cpu.Q128[Qm], 32))


@simd("1111001 1 1 D 11 01 10 Qd3 0 0111 0 0 M 0 Vm", "vcvt.f32.f16 {Qd}, {Dm}")
def VCVT_single_half(cpu, Qd, Dm):
    """VCVT (between half-precision and single-precision, Advanced SIMD), to single. ARM ARM A8.8.310."""
    cpu.Q128[Qd] = _halves(cpu, ("f16", "f32"), Lanes(cpu.D[Dm], 16))
