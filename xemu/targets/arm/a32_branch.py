"""A32 branches, SVC and BKPT, hints, barriers, status and coprocessor registers. ARM ARM A5.2.11-12, A5.5-A5.7."""

from __future__ import annotations

from xemu.core.bits import cat, const, sext, zext
from xemu.targets.arm.isa import a32
from xemu.targets.arm.operations import arm_expand_imm, titled
from xemu.targets.arm.operations_system import read_apsr, set_endianness, user_registers, write_apsr

#: tokens of should-be-one and should-be-zero nibbles
ONES, ZEROS = "(1) (1) (1) (1)", "(0) (0) (0) (0)"


# -- branches (A5.5) -------------------------------------------------------------------------------------------------


@a32("cond 1010 imm24", "b{cond} {label}")
def B(cpu, imm24):
    """B, A1. ARM ARM A8.8.18."""
    cpu.branch_to(cpu.pc + 8 + sext(cat(imm24, const(0, 2)), 32))


@a32("cond 1011 imm24", "bl{cond} {label}")
def BL(cpu, imm24):
    """BL, A1. ARM ARM A8.8.25."""
    cpu.R[14] = cpu.pc + 4
    cpu.branch_to(cpu.pc + 8 + sext(cat(imm24, const(0, 2)), 32), kind="call")


@a32("1111 101 H:1 imm24", "blx {label}")
def BLX_immediate(cpu, H, imm24):
    """BLX (immediate), A2: to T32. ARM ARM A8.8.25."""
    cpu.R[14] = cpu.pc + 4
    cpu.bx_to((cpu.pc + 8 + sext(cat(imm24, H, const(0, 1)), 32)) | 1, kind="call")


@a32(f"cond 00010010 {ONES} {ONES} {ONES} 0011 Rm", "blx{cond} {Rm}", where="Rm != 15")
def BLX_register(cpu, Rm):
    """BLX (register), A1. ARM ARM A8.8.26."""
    target = cpu.R[Rm]
    cpu.R[14] = cpu.pc + 4
    cpu.bx_to(target, kind="call")


@a32(f"cond 00010010 {ONES} {ONES} {ONES} 0001 Rm", "bx{cond} {Rm}")
def BX(cpu, Rm):
    """BX, A1. ARM ARM A8.8.27."""
    cpu.bx_to(cpu.R[Rm])


@a32(f"cond 00010010 {ONES} {ONES} {ONES} 0001 1110", "bx{cond} lr")
def BX_lr(cpu):
    """BX, A1: return. ARM ARM A8.8.27."""
    cpu.bx_to(cpu.R[14], kind="return")


@a32(f"cond 00010010 {ONES} {ONES} {ONES} 0010 Rm", "bxj{cond} {Rm}", where="Rm != 15")
def BXJ(cpu, Rm):
    """BXJ, A1: BX, without Jazelle. ARM ARM A8.8.28."""
    cpu.bx_to(cpu.R[Rm])


# -- exceptions a program asks for -----------------------------------------------------------------------------------


@a32("cond 1111 imm24", "svc{cond} #{imm24}")
def SVC(cpu, imm24):
    """SVC, A1. ARM ARM A8.8.228."""
    cpu.trap("syscall", zext(imm24, 32))


@a32("cond 00010010 imm12 0111 imm4", "bkpt #{imm16}")
def BKPT(cpu, imm12, imm4):
    """BKPT, A1. ARM ARM A8.8.24."""
    cpu.abort("breakpoint", zext(cat(imm12, imm4), 32))


@a32("cond 01111111 imm12 1111 imm4", "udf #{imm16}")
def UDF(cpu, imm12, imm4):
    """UDF, A1. ARM ARM A8.8.247."""
    cpu.undefined()


# -- hints and preloads: nothing a program could see -----------------------------------------------------------------


def nothing(cpu):
    """Do nothing."""


def _nothing(name, pattern, syntax, section, title=""):
    a32.add(titled(nothing, name, title or f"{name}, A1", section), pattern, syntax, source="a32_branch.py")


_HINT = f"cond 00110010 0000 {ONES} {ZEROS}"
_nothing("NOP", f"{_HINT} 00000000", "nop{cond}", "A8.8.119")
_nothing("YIELD", f"{_HINT} 00000001", "yield{cond}", "A8.8.426")
_nothing("WFE", f"{_HINT} 00000010", "wfe{cond}", "A8.8.424")
_nothing("WFI", f"{_HINT} 00000011", "wfi{cond}", "A8.8.425")
_nothing("SEV", f"{_HINT} 00000100", "sev{cond}", "A8.8.168")
_nothing("DBG", f"{_HINT} 1111 ----", "dbg{cond} #{option}", "A8.8.42")
_nothing("HINT", f"{_HINT} --------", "hint{cond} #{number}", "A5.2.11", "Unallocated hints, executed as NOP")
_nothing(
    "PLD_immediate",
    f"1111 0101 - 1 01 ---- {ONES} ------------",
    "pld [{Rn}, #{+/-}{imm12}]",
    "A8.8.126",
    "PLD (immediate, literal), A1",
)
_nothing(
    "PLDW_immediate",
    f"1111 0101 - 0 01 ---- {ONES} ------------",
    "pldw [{Rn}, #{+/-}{imm12}]",
    "A8.8.126",
    "PLDW (immediate), A1",
)
_nothing(
    "PLD_register",
    f"1111 0111 - 1 01 ---- {ONES} ----- -- 0 ----",
    "pld [{Rn}, {+/-}{Rm}{shift}]",
    "A8.8.128",
    "PLD (register), A1",
)
_nothing(
    "PLDW_register",
    f"1111 0111 - 0 01 ---- {ONES} ----- -- 0 ----",
    "pldw [{Rn}, {+/-}{Rm}{shift}]",
    "A8.8.128",
    "PLDW (register), A1",
)
_nothing(
    "PLI_immediate",
    f"1111 0100 - 1 01 ---- {ONES} ------------",
    "pli [{Rn}, #{+/-}{imm12}]",
    "A8.8.129",
    "PLI (immediate, literal), A1",
)
_nothing(
    "PLI_register",
    f"1111 0110 - 1 01 ---- {ONES} ----- -- 0 ----",
    "pli [{Rn}, {+/-}{Rm}{shift}]",
    "A8.8.130",
    "PLI (register), A1",
)
_nothing(
    "MEMORY_HINT",
    "1111 0100 - 0 01 ---- ---- ------------",
    "hint",
    "A5.7.1",
    "Unallocated memory hint (immediate), executed as NOP",
)
_nothing(
    "MEMORY_HINT",
    "1111 0110 - 0 01 ---- ---- ----- -- 0 ----",
    "hint",
    "A5.7.1",
    "Unallocated memory hint (register), executed as NOP",
)

# -- barriers: one guest thread runs at a time, and code is looked at when it changes --------------------------------

_BARRIER = f"1111 01010111 {ONES} {ONES} {ZEROS}"
_nothing("DSB", f"{_BARRIER} 0100 ----", "dsb {option}", "A8.8.44")
_nothing("DMB", f"{_BARRIER} 0101 ----", "dmb {option}", "A8.8.43")
_nothing("ISB", f"{_BARRIER} 0110 ----", "isb {option}", "A8.8.53")


@a32(f"{_BARRIER} 0001 {ONES}", "clrex")
def CLREX(cpu):
    """CLREX, A1. ARM ARM A8.8.32."""
    cpu.EXSIZE = const(0, 8)


# -- the status register ---------------------------------------------------------------------------------------------


@a32(f"cond 00010000 {ONES} Rd (0) (0) 0 (0) 0000 {ZEROS}", "mrs{cond} {Rd}, apsr", where="Rd != 15")
def MRS(cpu, Rd):
    """MRS, A1. ARM ARM A8.8.109, B9.3.8."""
    cpu.R[Rd] = read_apsr(cpu)


@a32(f"cond 00110010 nzcvq g x - {ONES} rotation:4 imm8", "msr{cond} apsr_{bits}, #{const}")
def MSR_immediate(cpu, nzcvq, g, x, rotation, imm8):
    """MSR (immediate), A1. ARM ARM A8.8.111."""
    write_apsr(cpu, arm_expand_imm(rotation, imm8), nzcvq, g, x)


@a32(f"cond 00010010 nzcvq g x - {ONES} (0) (0) 0 (0) 0000 Rn", "msr{cond} apsr_{bits}, {Rn}", where="Rn != 15")
def MSR_register(cpu, nzcvq, g, x, Rn):
    """MSR (register), A1. ARM ARM A8.8.112."""
    write_apsr(cpu, cpu.R[Rn], nzcvq, g, x)


@a32("1111 00010000 (0) (0) (0) 1 (0) (0) (0) (0) (0) (0) E_big (0) 0000 (0) (0) (0) (0)", "setend {endian}")
def SETEND(cpu, E_big):
    """SETEND, A1. ARM ARM A8.8.167."""
    set_endianness(cpu, E_big)


@a32("1111 00010000 -- - 0 (0) (0) (0) (0) (0) (0) - - - - 0 -----", "cps{effect} {iflags}, #{mode}")
def CPS(cpu):
    """CPS, A1: nothing in user mode. ARM ARM B9.3.2."""


# -- coprocessor 15 --------------------------------------------------------------------------------------------------


user_registers(a32, "cond 1110", "{cond}")
