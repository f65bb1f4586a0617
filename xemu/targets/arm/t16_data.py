"""16-bit T32 data processing, branches and miscellaneous instructions. ARM ARM A6.2.

Inside an IT block these instructions set no flags: `InIT` is a decode-time bit, and each value has its own handler.
"""

from __future__ import annotations

from xemu.core.bits import bswap, cat, const, sext, zext
from xemu.core.record import when
from xemu.targets.arm import operations_media as media
from xemu.targets.arm import operations_multiply as multiply
from xemu.targets.arm.isa import t16
from xemu.targets.arm.operations import (
    ASR,
    BY_NAME,
    LSL,
    LSR,
    ROR,
    alu,
    imm_shift,
    pc_relative,
    reg_shift,
    titled,
)
from xemu.targets.arm.operations_system import set_endianness
from xemu.targets.arm.state import condition

# -- shift, add, subtract, move and compare (A6.2.1) -----------------------------------------------------------------


def shift_immediate(cpu, InIT, imm5, Rm, Rd, shift_type):
    """Shift by an immediate that is not LSL #0."""
    y, carry = imm_shift(cpu.R[Rm], shift_type, imm5)
    alu(cpu, BY_NAME["MOV"], 1 - InIT, Rd, const(0, 32), y, carry)


for _name, _opcode, _type, _section in (("LSL", "00", LSL, 94), ("LSR", "01", LSR, 96), ("ASR", "10", ASR, 16)):
    t16.add(
        titled(shift_immediate, f"{_name}_immediate", f"{_name} (immediate), T1", f"A8.8.{_section}"),
        f"000 {_opcode} imm5 Rm Rd",
        f"{_name.lower()}{{s}} {{Rd}}, {{Rm}}, #{{imm5}}",
        bound={"shift_type": _type},
        source="t16_data.py",
    )


@t16("000 00 00000 Rm Rd", "mov{s} {Rd}, {Rm}")
def MOVS_register(cpu, InIT, Rm, Rd):
    """MOV (register), T2. ARM ARM A8.8.103."""
    alu(cpu, BY_NAME["MOV"], 1 - InIT, Rd, const(0, 32), cpu.R[Rm])


def three_registers(cpu, InIT, Rm, Rn, Rd, op):
    """Operate on two registers, the result to a third."""
    alu(cpu, op, 1 - InIT, Rd, cpu.R[Rn], cpu.R[Rm])


def immediate3(cpu, InIT, imm3, Rn, Rd, op):
    """Operate on a register and a 3-bit immediate."""
    alu(cpu, op, 1 - InIT, Rd, cpu.R[Rn], zext(imm3, 32))


def immediate8(cpu, InIT, Rdn, imm8, op):
    """Operate on a register and an 8-bit immediate."""
    alu(cpu, op, 1 - InIT, Rdn, cpu.R[Rdn], zext(imm8, 32))


for _name, _bit, _sections in (("ADD", 0, (6, 4)), ("SUB", 1, (223, 221))):
    _bound, _text = {"op": BY_NAME[_name]}, _name.lower() + "{s}"
    t16.add(
        titled(three_registers, f"{_name}_register", f"{_name} (register), T1", f"A8.8.{_sections[0]}"),
        f"000110 {_bit} Rm Rn Rd",
        f"{_text} {{Rd}}, {{Rn}}, {{Rm}}",
        bound=_bound,
        source="t16_data.py",
    )
    t16.add(
        titled(immediate3, f"{_name}_imm3", f"{_name} (immediate), T1", f"A8.8.{_sections[1]}"),
        f"000111 {_bit} imm3 Rn Rd",
        f"{_text} {{Rd}}, {{Rn}}, #{{imm3}}",
        bound=_bound,
        source="t16_data.py",
    )
    t16.add(
        titled(immediate8, f"{_name}_imm8", f"{_name} (immediate), T2", f"A8.8.{_sections[1]}"),
        f"0011 {_bit} Rdn imm8",
        f"{_text} {{Rdn}}, #{{imm8}}",
        bound=_bound,
        source="t16_data.py",
    )


@t16("00100 Rd imm8", "mov{s} {Rd}, #{imm8}")
def MOV_immediate(cpu, InIT, Rd, imm8):
    """MOV (immediate), T1. ARM ARM A8.8.102."""
    alu(cpu, BY_NAME["MOV"], 1 - InIT, Rd, const(0, 32), zext(imm8, 32))


@t16("00101 Rn imm8", "cmp {Rn}, #{imm8}")
def CMP_immediate(cpu, Rn, imm8):
    """CMP (immediate), T1. ARM ARM A8.8.37."""
    alu(cpu, BY_NAME["CMP"], 1, None, cpu.R[Rn], zext(imm8, 32))


# -- data processing (A6.2.2) ----------------------------------------------------------------------------------------


def two_registers(cpu, InIT, Rm, Rdn, op):
    """Operate on two registers, the result to the first."""
    alu(cpu, op, 1 - InIT, Rdn, cpu.R[Rdn], cpu.R[Rm])


def compare_registers(cpu, Rm, Rn, op):
    """Compare two registers."""
    alu(cpu, op, 1, None, cpu.R[Rn], cpu.R[Rm])


def shift_register(cpu, InIT, Rm, Rdn, shift_type):
    """Shift a register by a register."""
    y, carry = reg_shift(cpu, cpu.R[Rdn], shift_type, cpu.R[Rm])
    alu(cpu, BY_NAME["MOV"], 1 - InIT, Rdn, const(0, 32), y, carry)


for _name, _opcode, _section in (
    ("AND", "0000", 14),
    ("EOR", "0001", 47),
    ("ADC", "0101", 2),
    ("SBC", "0110", 162),
    ("ORR", "1100", 123),
    ("BIC", "1110", 22),
):
    t16.add(
        titled(two_registers, f"{_name}_register", f"{_name} (register), T1", f"A8.8.{_section}"),
        f"010000 {_opcode} Rm Rdn",
        f"{_name.lower()}{{s}} {{Rdn}}, {{Rm}}",
        bound={"op": BY_NAME[_name]},
        source="t16_data.py",
    )
for _name, _opcode, _section in (("TST", "1000", 241), ("CMP", "1010", 38), ("CMN", "1011", 35)):
    t16.add(
        titled(compare_registers, f"{_name}_register", f"{_name} (register), T1", f"A8.8.{_section}"),
        f"010000 {_opcode} Rm Rn",
        f"{_name.lower()} {{Rn}}, {{Rm}}",
        bound={"op": BY_NAME[_name]},
        source="t16_data.py",
    )
for _name, _opcode, _type, _section in (
    ("LSL", "0010", LSL, 95),
    ("LSR", "0011", LSR, 97),
    ("ASR", "0100", ASR, 17),
    ("ROR", "0111", ROR, 150),
):
    t16.add(
        titled(shift_register, f"{_name}_register", f"{_name} (register), T1", f"A8.8.{_section}"),
        f"010000 {_opcode} Rm Rdn",
        f"{_name.lower()}{{s}} {{Rdn}}, {{Rm}}",
        bound={"shift_type": _type},
        source="t16_data.py",
    )


@t16("010000 1001 Rn Rd", "rsb{s} {Rd}, {Rn}, #0")
def RSB_immediate(cpu, InIT, Rn, Rd):
    """RSB (immediate), T1. ARM ARM A8.8.152."""
    alu(cpu, BY_NAME["RSB"], 1 - InIT, Rd, cpu.R[Rn], const(0, 32))


@t16("010000 1101 Rn Rdn", "mul{s} {Rdn}, {Rn}, {Rdn}")
def MUL(cpu, InIT, Rn, Rdn):
    """MUL, T1. ARM ARM A8.8.114."""
    multiply.multiply(cpu, 1 - InIT, Rdn, Rn, Rdn, None)


@t16("010000 1111 Rm Rd", "mvn{s} {Rd}, {Rm}")
def MVN_register(cpu, InIT, Rm, Rd):
    """MVN (register), T1. ARM ARM A8.8.116."""
    alu(cpu, BY_NAME["MVN"], 1 - InIT, Rd, const(0, 32), cpu.R[Rm])


# -- high registers, branch and exchange (A6.2.3) --------------------------------------------------------------------


@t16("01000100 Rdn_top Rm4 Rdn_low", "add {Rdn}, {Rm}")
def ADD_high(cpu, Rdn4, Rm4):
    """ADD (register), T2. ARM ARM A8.8.6."""
    cpu.R[Rdn4] = cpu.R[Rdn4] + cpu.R[Rm4]


@t16("01000100 1 Rm4 111", "add pc, {Rm}")
def ADD_pc(cpu, Rm4):
    """ADD (register), T2, to the PC. ARM ARM A8.8.6."""
    cpu.branch_to(cpu.pc + 4 + cpu.R[Rm4])


@t16("01000101 Rdn_top Rm4 Rdn_low", "cmp {Rn}, {Rm}")
def CMP_high(cpu, Rdn4, Rm4):
    """CMP (register), T2. ARM ARM A8.8.38."""
    alu(cpu, BY_NAME["CMP"], 1, None, cpu.R[Rdn4], cpu.R[Rm4])


@t16("01000101 1 Rm4 111", "cmp pc, {Rm}")
def CMP_pc(cpu, Rm4):
    """CMP (register), T2, with the PC first: UNPREDICTABLE, does what the pseudocode says. ARM ARM A8.8.38."""
    alu(cpu, BY_NAME["CMP"], 1, None, cpu.pc + 4, cpu.R[Rm4])


@t16("01000110 Rdn_top Rm4 Rdn_low", "mov {Rd}, {Rm}")
def MOV_high(cpu, Rdn4, Rm4):
    """MOV (register), T1. ARM ARM A8.8.103."""
    cpu.R[Rdn4] = cpu.R[Rm4]


@t16("01000110 1 Rm4 111", "mov pc, {Rm}")
def MOV_pc(cpu, Rm4):
    """MOV (register), T1, to the PC. ARM ARM A8.8.103."""
    cpu.branch_to(cpu.R[Rm4])


@t16("010001110 Rm4 (0) (0) (0)", "bx {Rm}")
def BX(cpu, Rm4):
    """BX, T1. ARM ARM A8.8.27."""
    cpu.bx_to(cpu.R[Rm4])


@t16("010001110 1110 (0) (0) (0)", "bx lr")
def BX_lr(cpu):
    """BX, T1: return. ARM ARM A8.8.27."""
    cpu.bx_to(cpu.R[14], kind="return")


@t16("010001111 Rm4 (0) (0) (0)", "blx {Rm}", where="Rm4 != 15")
def BLX_register(cpu, Rm4):
    """BLX (register), T1. ARM ARM A8.8.26."""
    target = cpu.R[Rm4]
    cpu.R[14] = (cpu.pc + 2) | 1
    cpu.bx_to(target, kind="call")


# -- addresses (A6.2) and miscellaneous (A6.2.5) ---------------------------------------------------------------------


def _words(imm):
    """Return an immediate that counts words, as bytes."""
    return zext(cat(imm, const(0, 2)), 32)


@t16("10100 Rd imm8", "adr {Rd}, {label}")
def ADR(cpu, Rd, imm8):
    """ADR, T1. ARM ARM A8.8.12."""
    cpu.R[Rd] = pc_relative(cpu, _words(imm8))


@t16("10101 Rd imm8", "add {Rd}, sp, #{imm}")
def ADD_sp_immediate(cpu, Rd, imm8):
    """ADD (SP plus immediate), T1. ARM ARM A8.8.9."""
    cpu.R[Rd] = cpu.R[13] + _words(imm8)


@t16("10110000 0 imm7:7", "add sp, sp, #{imm}")
def ADD_sp(cpu, imm7):
    """ADD (SP plus immediate), T2. ARM ARM A8.8.9."""
    cpu.R[13] = cpu.R[13] + _words(imm7)


@t16("10110000 1 imm7:7", "sub sp, sp, #{imm}")
def SUB_sp(cpu, imm7):
    """SUB (SP minus immediate), T1. ARM ARM A8.8.225."""
    cpu.R[13] = cpu.R[13] - _words(imm7)


@t16("1011 nonzero 0 i:1 1 imm5 Rn", "cb{n}z {Rn}, {label}")
def CBZ(cpu, nonzero, i, imm5, Rn):
    """CBNZ, CBZ, T1. ARM ARM A8.8.29."""
    zero = cpu.R[Rn] == 0
    with when(~zero if nonzero else zero):
        cpu.branch_to(cpu.pc + 4 + zext(cat(i, imm5, const(0, 1)), 32))


def extend(cpu, Rm, Rd, kind, signed):
    """Extend bytes or halfwords, with an addend where there is Rn."""
    media.extend(cpu, Rd, None, Rm, None, kind, signed=signed)


for _name, _opcode, _kind, _section in (
    ("SXTH", "00", "H", 235),
    ("SXTB", "01", "B", 233),
    ("UXTH", "10", "H", 276),
    ("UXTB", "11", "B", 274),
):
    t16.add(
        titled(extend, _name, f"{_name}, T1", f"A8.8.{_section}"),
        f"10110010 {_opcode} Rm Rd",
        f"{_name.lower()} {{Rd}}, {{Rm}}",
        bound={"kind": _kind, "signed": _name[0] == "S"},
        source="t16_data.py",
    )


@t16("10111010 00 Rm Rd", "rev {Rd}, {Rm}")
def REV(cpu, Rm, Rd):
    """REV, T1. ARM ARM A8.8.145."""
    cpu.R[Rd] = bswap(cpu.R[Rm])


@t16("10111010 01 Rm Rd", "rev16 {Rd}, {Rm}")
def REV16(cpu, Rm, Rd):
    """REV16, T1. ARM ARM A8.8.146."""
    cpu.R[Rd] = media.byte_swap_halves(cpu.R[Rm])


@t16("10111010 11 Rm Rd", "revsh {Rd}, {Rm}")
def REVSH(cpu, Rm, Rd):
    """REVSH, T1. ARM ARM A8.8.147."""
    cpu.R[Rd] = sext(bswap(cpu.R[Rm][15:0]), 32)


@t16("10110110010 (1) E_big (0) (0) (0)", "setend {endian}")
def SETEND(cpu, E_big):
    """SETEND, T1. ARM ARM A8.8.167."""
    set_endianness(cpu, E_big)


@t16("10110110011 - (0) ---", "cps{effect} {iflags}")
def CPS(cpu):
    """CPS, T1: nothing in user mode. ARM ARM B9.3.2."""


@t16("10111110 imm8", "bkpt #{imm8}", unpredicated=True)
def BKPT(cpu, imm8):
    """BKPT, T1: also where an IT block would skip it. ARM ARM A8.8.24."""
    cpu.abort("breakpoint", zext(imm8, 32))


@t16("10111111 firstcond:4 mask:4", "it{x}{y}{z} {firstcond}", where="mask != 0, InIT == 0")
def IT(cpu, firstcond, mask):
    """IT, T1. ARM ARM A8.8.54."""
    cpu.ITSTATE = cat(firstcond, mask)


def nothing(cpu):
    """Do nothing."""


for _name, _opcode, _section in (
    ("NOP", "0000", 119),
    ("YIELD", "0001", 426),
    ("WFE", "0010", 424),
    ("WFI", "0011", 425),
    ("SEV", "0100", 168),
):
    t16.add(
        titled(nothing, _name, f"{_name}, T1", f"A8.8.{_section}"),
        f"10111111 {_opcode} 0000",
        _name.lower(),
        source="t16_data.py",
    )
t16.add(
    titled(nothing, "HINT", "Unallocated hints, executed as NOP", "A6.2.5"),
    "10111111 ---- 0000",
    "hint #{number}",
    source="t16_data.py",
)


# -- branches (A6.2.6, A6.2): B<cond> and IT are UNPREDICTABLE inside an IT block; here undefined, as in QEMU -----------


@t16("1101 cond_b imm8", "b{cond} {label}", where="cond_b != 14, cond_b != 15, InIT == 0")
def B_conditional(cpu, cond_b, imm8):
    """B, T1. ARM ARM A8.8.18."""
    with when(condition(cpu, cond_b)):
        cpu.branch_to(cpu.pc + 4 + sext(cat(imm8, const(0, 1)), 32))


@t16("11100 imm11:11", "b {label}")
def B(cpu, imm11):
    """B, T2. ARM ARM A8.8.18."""
    cpu.branch_to(cpu.pc + 4 + sext(cat(imm11, const(0, 1)), 32))


@t16("11011110 imm8", "udf #{imm8}")
def UDF(cpu, imm8):
    """UDF, T1. ARM ARM A8.8.247."""
    cpu.undefined()


@t16("11011111 imm8", "svc #{imm8}")
def SVC(cpu, imm8):
    """SVC, T1. ARM ARM A8.8.228."""
    cpu.trap("syscall", zext(imm8, 32))
