"""32-bit T32 branches, hints, barriers, status and coprocessor registers. ARM ARM A6.3.4, A6.3.6, A6.3.18."""

from __future__ import annotations

from xemu.core.bits import Bits, cat, const, sext, zext
from xemu.core.record import when
from xemu.targets.arm.isa import t32
from xemu.targets.arm.operations import titled
from xemu.targets.arm.operations_system import read_apsr, user_registers, write_apsr
from xemu.targets.arm.state import condition

ONES, ZEROS = "(1) (1) (1) (1)", "(0) (0) (0) (0)"


# -- branches (A6.3.4): J1 and J2 are inverted by S to extend the reach of the first Thumb's BL ----------------------


def _offset(s: Bits, j1: Bits, j2: Bits, *low: Bits) -> Bits:
    """Return the offset S:I1:I2:low of B, BL and BLX."""
    return sext(cat(s, ~(j1 ^ s), ~(j2 ^ s), *low), 32)


@t32("11110 s:1 cond_b imm6 10 j1:1 0 j2:1 imm11:11", "b{cond}.w {label}", where="cond_b != 14, cond_b != 15, InIT == 0")
def B_conditional(cpu, s, cond_b, imm6, j1, j2, imm11):
    """B, T3. ARM ARM A8.8.18."""
    with when(condition(cpu, cond_b)):
        cpu.branch_to(cpu.pc + 4 + sext(cat(s, j2, j1, imm6, imm11, const(0, 1)), 32))


@t32("11110 s:1 imm10:10 10 j1:1 1 j2:1 imm11:11", "b.w {label}")
def B(cpu, s, imm10, j1, j2, imm11):
    """B, T4. ARM ARM A8.8.18."""
    cpu.branch_to(cpu.pc + 4 + _offset(s, j1, j2, imm10, imm11, const(0, 1)))


@t32("11110 s:1 imm10:10 11 j1:1 1 j2:1 imm11:11", "bl {label}")
def BL(cpu, s, imm10, j1, j2, imm11):
    """BL, T1. ARM ARM A8.8.25."""
    cpu.R[14] = (cpu.pc + 4) | 1
    cpu.branch_to(cpu.pc + 4 + _offset(s, j1, j2, imm10, imm11, const(0, 1)), kind="call")


@t32("11110 s:1 imm10:10 11 j1:1 0 j2:1 imm10L:10 0", "blx {label}")
def BLX(cpu, s, imm10, j1, j2, imm10L):
    """BLX (immediate), T2: to A32. ARM ARM A8.8.25."""
    cpu.R[14] = (cpu.pc + 4) | 1
    cpu.bx_to((cpu.pc & -4) + 4 + _offset(s, j1, j2, imm10, imm10L, const(0, 2)), kind="call")


@t32(f"11110 0 1111 0 0 Rm 10 (0) 0 {ONES} {ZEROS} {ZEROS}", "bxj {Rm}", where="Rm != 15")
def BXJ(cpu, Rm):
    """BXJ, T1: BX, without Jazelle. ARM ARM A8.8.28."""
    cpu.bx_to(cpu.R[Rm])


@t32(f"11101000 1101 Rn {ONES} {ZEROS} 0000 Rm", "tbb [{Rn}, {Rm}]")
def TBB(cpu, Rn, Rm):
    """TBB, T1. ARM ARM A8.8.236."""
    cpu.branch_to(cpu.pc + 4 + (zext(cpu.mem_read(cpu.R[Rn] + cpu.R[Rm], 1), 32) << 1))


@t32(f"11101000 1101 Rn {ONES} {ZEROS} 0001 Rm", "tbh [{Rn}, {Rm}, lsl #1]")
def TBH(cpu, Rn, Rm):
    """TBH, T1. ARM ARM A8.8.236."""
    cpu.branch_to(cpu.pc + 4 + (zext(cpu.mem_read(cpu.R[Rn] + (cpu.R[Rm] << 1), 2), 32) << 1))


@t32("11110 1111111 imm4 1010 imm12", "udf.w #{imm16}")
def UDF(cpu, imm4, imm12):
    """UDF, T2. ARM ARM A8.8.247."""
    cpu.undefined()


# -- hints and barriers ----------------------------------------------------------------------------------------------


def nothing(cpu):
    """Do nothing."""


def _nothing(name, pattern, syntax, section, title=""):
    t32.add(titled(nothing, name, title or name, section), pattern, syntax, source="t32_branch.py")


_HINT = f"11110 0 1110 1 0 {ONES} 10 (0) 0 (0) 000"
_nothing("NOP", f"{_HINT} 00000000", "nop.w", "A8.8.119", "NOP, T2")
_nothing("YIELD", f"{_HINT} 00000001", "yield.w", "A8.8.426", "YIELD, T2")
_nothing("WFE", f"{_HINT} 00000010", "wfe.w", "A8.8.424", "WFE, T2")
_nothing("WFI", f"{_HINT} 00000011", "wfi.w", "A8.8.425", "WFI, T2")
_nothing("SEV", f"{_HINT} 00000100", "sev.w", "A8.8.168", "SEV, T2")
_nothing("DBG", f"{_HINT} 1111 ----", "dbg #{option}", "A8.8.42", "DBG, T1")
_nothing("HINT", f"{_HINT} --------", "hint #{number}", "A6.3.4", "Unallocated hints, executed as NOP")
_nothing(
    "CPS",
    f"11110 0 1110 1 0 {ONES} 10 (0) 0 (0) --- -- - -----",
    "cps{effect} {iflags}, #{mode}",
    "B9.3.2",
    "CPS, T2: nothing in user mode",
)

_CONTROL = f"11110 0 1110 1 1 {ONES} 10 (0) 0 {ONES}"
_nothing("DSB", f"{_CONTROL} 0100 ----", "dsb {option}", "A8.8.44", "DSB, T1")
_nothing("DMB", f"{_CONTROL} 0101 ----", "dmb {option}", "A8.8.43", "DMB, T1")
_nothing("ISB", f"{_CONTROL} 0110 ----", "isb {option}", "A8.8.53", "ISB, T1")


@t32(f"{_CONTROL} 0010 {ONES}", "clrex")
def CLREX(cpu):
    """CLREX, T1. ARM ARM A8.8.32."""
    cpu.EXSIZE = const(0, 8)


# -- the status register and coprocessor 15 --------------------------------------------------------------------------


@t32(f"11110 0 1111 1 0 {ONES} 10 (0) 0 Rd (0) (0) 0 (0) {ZEROS}", "mrs {Rd}, apsr", where="Rd != 15")
def MRS(cpu, Rd):
    """MRS, T1. ARM ARM A8.8.109, B9.3.8."""
    cpu.R[Rd] = read_apsr(cpu)


@t32(f"11110 0 1110 0 0 Rn 10 (0) 0 nzcvq g x - (0) (0) 0 (0) {ZEROS}", "msr apsr_{bits}, {Rn}", where="Rn != 15")
def MSR_register(cpu, Rn, nzcvq, g, x):
    """MSR (register), T1. ARM ARM A8.8.112."""
    write_apsr(cpu, cpu.R[Rn], nzcvq, g, x)


user_registers(t32, "1110 1110", "")
