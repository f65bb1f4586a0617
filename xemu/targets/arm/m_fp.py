"""Floating-point rows that only the M profile has: FPSCR without vectors, words of D registers, FPv5. DDI 0403E A7.7.

FPv5's operations are written out in `Bits` (fp_rules5.py): the core has no slow functions for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import cat, const, mux, zext
from xemu.core.softnumber import AWAY, DOWN, NEAREST, UP, ZERO
from xemu.targets.arm.fp_rules import half_conversion, to_integer
from xemu.targets.arm.fp_rules5 import max_num, round_to_integral
from xemu.targets.arm.m_isa import DOUBLE, FPV5, SINGLE, add_m_row, m32, m_row, titled
from xemu.targets.arm.state import condition
from xemu.targets.arm.vfp import cpu_ctl, gather
from xemu.targets.arm.vfp_transfer import EXCEPTIONS, host_exceptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.bits import Bits

MODES = 0x07C0_0000          # AHP, DN, FZ, RMode


# -- moves ---------------------------------------------------------------------------------------------------------------


@m_row(m32, SINGLE, "1110 1110 1110 0001 Rt 1010 (0) (0) (0) 1 (0) (0) (0) (0)", "vmsr fpscr, {Rt}", where="Rt != 15")
def VMSR(cpu, Rt):
    """VMSR, T1. ARMv7-M ARM A7.7.247. Code behind it is decoded anew, for the modes are part of the context."""
    value = cpu.R[Rt]
    modes = value & MODES
    cpu.FPNZCV, cpu.FPMODE = value[31:28], modes
    # the host's exceptions are read, which clears them, and dropped (bits 6:5 of both are 0)
    cpu.FPFLAGS = (value[7:0] & EXCEPTIONS) | (host_exceptions() & 0x60)
    context = const(cpu.context._replace(FP=0).word, 16) | zext(modes != 0, 16) << 2
    cpu.branch(cpu.pc + cpu.length, context=context)


@m_row(m32, SINGLE, "1110 1110 00 H 0 Vd Rt 1011 0 00 1 (0) (0) (0) (0)", "vmov.32 {Dd}[{H}], {Rt}", where="Rt != 15")
def VMOV_to_word(cpu, Sx, Rt):
    """VMOV (ARM core register to scalar), T1: half a D register is an S register. ARMv7-M ARM A7.7.241."""
    cpu.S[Sx] = cpu.R[Rt]


@m_row(m32, SINGLE, "1110 1110 00 H 1 Vd Rt 1011 0 00 1 (0) (0) (0) (0)", "vmov.32 {Rt}, {Dd}[{H}]", where="Rt != 15")
def VMOV_from_word(cpu, Sx, Rt):
    """VMOV (scalar to ARM core register), T1. ARMv7-M ARM A7.7.242."""
    cpu.R[Rt] = cpu.S[Sx]


# -- half and double precision -----------------------------------------------------------------------------------------------


def _add_half(t: int) -> None:
    """Add VCVTB (t = 0: the bottom half of a register) or VCVTT (1: the top half) with doubles."""
    name, low = ("vcvtt", 16) if t else ("vcvtb", 0)

    def from_half(cpu, Dd, Sm):
        """VCVTB, VCVTT, T1: half to double. ARMv7-M ARM A7.7.231."""
        cpu.D[Dd], flags = half_conversion(("f16", "f64"), cpu.S[Sm][low + 15:low], cpu_ctl(cpu))
        gather(cpu, flags)

    def to_half(cpu, Sd, Dm):
        """VCVTB, VCVTT, T1: double to half. ARMv7-M ARM A7.7.231."""
        value, flags = half_conversion(("f64", "f16"), cpu.D[Dm], cpu_ctl(cpu))
        old = cpu.S[Sd]
        cpu.S[Sd] = cat(value, old[15:0]) if low else cat(old[31:16], value)
        gather(cpu, flags)

    for row, op, text in (from_half, 0, "f64.f16 {Dd}, {Sm}"), (to_half, 1, "f16.f64 {Sd}, {Dm}"):
        add_m_row(row, m32, DOUBLE, _two(f"001 {op}", 1, f"{t} 1"), f"{name}.{text}", name=f"{name.upper()}_{row.__name__}_f64")


def _two(opc2: str, sz: int, opc3: str, head: str = "1110") -> str:
    """Return the diagram of a data-processing instruction of two registers (A6.4)."""
    return f"{head} 1110 1 D 11 {opc2} Vd 101 {sz} {opc3} M 0 Vm"


_add_half(0)
_add_half(1)


# -- FPv5 ----------------------------------------------------------------------------------------------------------------------

#: what the two bits of an instruction's name say: A, N, P, M; None is "to nearest, halves away from zero"
DIRECTIONS = (("a", AWAY), ("n", NEAREST), ("p", UP), ("m", DOWN))
#: conditions of VSEL's two bits: EQ VS GE GT
CONDITIONS = (0, 6, 10, 12)
FORMATS = (("f32", "S", FPV5), ("f64", "D", DOUBLE))


def _add(sz: int, pattern: str, template: str, name: str, section: int, single: Callable[..., None], double: Callable[..., None]) -> None:
    """Add the row of one precision; in the template {r} stands for the letter of the registers."""
    fmt, letter, feature = FORMATS[sz]
    row = titled((single, double)[sz], f"{name}_{fmt}", f"{name}, T1, {('single', 'double')[sz]}", f"A7.7.{section}")
    add_m_row(row, m32, feature, pattern, template.replace("{r", "{" + letter), name=f"{name}_{fmt}")


def select_single(cpu, cc, Sd, Sn, Sm):
    """Choose one of two singles by a condition."""
    cpu.S[Sd] = mux(condition(cpu, CONDITIONS[cc]), cpu.S[Sn], cpu.S[Sm])


def select_double(cpu, cc, Dd, Dn, Dm):
    """Choose one of two doubles by a condition."""
    cpu.D[Dd] = mux(condition(cpu, CONDITIONS[cc]), cpu.D[Dn], cpu.D[Dm])


def _add_number(sz: int, op: int) -> None:
    """Add VMAXNM (op 0) or VMINNM (1)."""
    def single(cpu, Sd, Sn, Sm):
        cpu.S[Sd], flags = max_num("f32", cpu.S[Sn], cpu.S[Sm], cpu_ctl(cpu), smallest=bool(op))
        gather(cpu, flags)

    def double(cpu, Dd, Dn, Dm):
        cpu.D[Dd], flags = max_num("f64", cpu.D[Dn], cpu.D[Dm], cpu_ctl(cpu), smallest=bool(op))
        gather(cpu, flags)

    name = ("VMAXNM", "VMINNM")[op]
    _add(sz, f"1111 1110 1 D 00 Vn Vd 101 {sz} N {op} M 0 Vm", f"{name.lower()}.{FORMATS[sz][0]} {{rd}}, {{rn}}, {{rm}}",
         name, 237, single, double)


def _add_convert(sz: int, letter: str, rounding: int, rm: int, signed: int) -> None:
    """Add VCVTA, VCVTN, VCVTP or VCVTM to an integer."""
    def single(cpu, Sd, Sm):
        cpu.S[Sd], flags = to_integer(cpu.S[Sm], "f32", 32, 0, const(rounding, 3), cpu_ctl(cpu), signed=bool(signed))
        gather(cpu, flags)

    def double(cpu, Sd, Dm):
        cpu.S[Sd], flags = to_integer(cpu.D[Dm], "f64", 32, 0, const(rounding, 3), cpu_ctl(cpu), signed=bool(signed))
        gather(cpu, flags)

    kind = "us"[signed] + "32"
    _add(sz, _two(f"11 {rm:02b}", sz, f"{signed} 1", "1111"), f"vcvt{letter}.{kind}.{FORMATS[sz][0]} {{Sd}}, {{rm}}",
         f"VCVT{letter.upper()}_{kind}", 227, single, double)


def _add_round(sz: int, letter: str, rounding: int | str, opc: tuple[str, str, str], section: int) -> None:
    """Add a VRINT: `opc` are bits 19:16, bits 7:6 and the first four; rounding "current" is FPSCR's."""
    exact = letter == "x"

    def single(cpu, Sd, Sm):
        cpu.S[Sd], flags = round_to_integral("f32", cpu.S[Sm], _mode(cpu, rounding), cpu_ctl(cpu), exact=exact)
        gather(cpu, flags)

    def double(cpu, Dd, Dm):
        cpu.D[Dd], flags = round_to_integral("f64", cpu.D[Dm], _mode(cpu, rounding), cpu_ctl(cpu), exact=exact)
        gather(cpu, flags)

    _add(sz, _two(opc[0], sz, opc[1], opc[2]), f"vrint{letter}.{FORMATS[sz][0]} {{rd}}, {{rm}}",
         f"VRINT{letter.upper()}", section, single, double)


def _mode(cpu, rounding: int | str) -> Bits:
    """Return a rounding mode as a value."""
    return cpu_ctl(cpu)[1:0] if isinstance(rounding, str) else const(rounding, 3)


for _sz in 0, 1:
    _add(_sz, f"1111 1110 0 D cc Vn Vd 101 {_sz} N 0 M 0 Vm", f"vsel{{cc}}.{FORMATS[_sz][0]} {{rd}}, {{rn}}, {{rm}}",
         "VSEL", 256, select_single, select_double)
    for _i in 0, 1:
        _add_number(_sz, _i)
    for _rm, (_letter, _rounding) in enumerate(DIRECTIONS):
        _add_round(_sz, _letter, _rounding, (f"10 {_rm:02b}", "0 1", "1111"), 253)
        for _i in 0, 1:
            _add_convert(_sz, _letter, _rounding, _rm, _i)
    _add_round(_sz, "x", "current", ("0111", "0 1", "1110"), 254)
    _add_round(_sz, "z", ZERO, ("0110", "1 1", "1110"), 255)
    _add_round(_sz, "r", "current", ("0110", "0 1", "1110"), 255)
