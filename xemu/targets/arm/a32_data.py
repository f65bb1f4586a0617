"""A32 data processing: sixteen operations with each form of the second operand, wide moves. ARM ARM A5.2.1-A5.2.3."""

from __future__ import annotations

from xemu.core.bits import cat, const, zext
from xemu.targets.arm.isa import a32
from xemu.targets.arm.operations import ALU, alu, arm_expand_imm, imm_shift, pc_relative, reg_shift, rrx, titled

#: sections of A8.8 with the immediate, register and register-shifted forms of an operation
SECTIONS = {
    "AND": (13, 14, 15),
    "EOR": (46, 47, 48),
    "SUB": (222, 223, 224),
    "RSB": (152, 153, 154),
    "ADD": (5, 7, 8),
    "ADC": (1, 2, 3),
    "SBC": (161, 162, 163),
    "RSC": (155, 156, 157),
    "TST": (240, 241, 242),
    "TEQ": (237, 238, 239),
    "CMP": (37, 38, 39),
    "CMN": (34, 35, 36),
    "ORR": (122, 123, 124),
    "MOV": (102, 104, 104),
    "BIC": (21, 22, 23),
    "MVN": (115, 116, 117),
}


# The forms. MOV and MVN have no Rn, compares have no Rd: the table binds None to it.


def _first(cpu, Rn):
    return const(0, 32) if Rn is None else cpu.R[Rn]


def immediate(cpu, op, S, Rn, Rd_pc, rotation, imm8):
    """Take a rotated immediate; its carry out is its top bit."""
    value = arm_expand_imm(rotation, imm8)
    alu(cpu, op, S, Rd_pc, _first(cpu, Rn), value, value[31])


def immediate_unrotated(cpu, op, S, Rn, Rd_pc, imm8):
    """Take an immediate that is not rotated: the carry stays."""
    alu(cpu, op, S, Rd_pc, _first(cpu, Rn), zext(imm8, 32))


def register(cpu, op, S, Rn, Rd_pc, Rm):
    """Take a register."""
    alu(cpu, op, S, Rd_pc, _first(cpu, Rn), cpu.R[Rm])


def register_rrx(cpu, op, S, Rn, Rd_pc, Rm):
    """Take a register rotated by one through the carry."""
    y, carry = rrx(cpu, cpu.R[Rm])
    alu(cpu, op, S, Rd_pc, _first(cpu, Rn), y, carry)


def register_shifted(cpu, op, S, Rn, Rd_pc, imm5, type, Rm):
    """Take a register shifted by an immediate."""
    y, carry = imm_shift(cpu.R[Rm], type, imm5)
    alu(cpu, op, S, Rd_pc, _first(cpu, Rn), y, carry)


def register_shifted_register(cpu, op, S, Rn, Rd, Rs, type, Rm):
    """Take a register shifted by a register."""
    y, carry = reg_shift(cpu, cpu.R[Rm], type, cpu.R[Rs])
    alu(cpu, op, S, Rd, _first(cpu, Rn), y, carry)


#: function, I bit, diagram from bit 11 down, operand text, which section
FORMS = (
    (immediate, "001", "rotation:4 imm8", "#{const}", 0),
    (immediate_unrotated, "001", "0000 imm8", "#{imm8}", 0),
    (register, "000", "00000 00 0 Rm", "{Rm}", 1),
    (register_rrx, "000", "00000 11 0 Rm", "{Rm}, rrx", 1),
    (register_shifted, "000", "imm5 type 0 Rm", "{Rm}, {type} #{imm5}", 1),
    (register_shifted_register, "000", "Rs 0 type 1 Rm", "{Rm}, {type} {Rs}", 2),
)


def _add(opcode, op, function, head, operand, text, section):
    """Add the row of one operation in one form."""
    form = function.__name__
    rd_field = "Rd" if form == "register_shifted_register" else "Rd_pc"
    bound = {"op": op}
    if not op.has_rn:
        bound["Rn"] = None
    if not op.has_rd:
        bound |= {"S": 1, rd_field: None}
    s = "S" if op.has_rd else "1"
    if form == "immediate_unrotated":
        s, bound["S"] = "1", 1  # only the carry differs: without S the general row is as good
    rn, rd = "Rn" if op.has_rn else "0000", rd_field if op.has_rd else "0000"
    operands = ", ".join(["{Rd}"] * op.has_rd + ["{Rn}"] * op.has_rn + [text])
    a32.add(
        titled(function, f"{op.name}_{form}", f"{op.name} ({form.replace('_', ' ')}), A1", f"A8.8.{section}"),
        f"cond {head} {opcode:04b} {s} {_should(rn)} {_should(rd)} {operand}",
        f"{op.name.lower()}{'{S}' if op.has_rd else ''}{{cond}} {operands}",
        bound=bound,
        source="a32_data.py",
    )


def _should(field):
    return "(0) (0) (0) (0)" if field == "0000" else field


for _opcode, _op in ALU.items():
    for _function, _head, _operand, _text, _which in FORMS:
        if _op.logical or _function is not immediate_unrotated:
            _add(_opcode, _op, _function, _head, _operand, _text, SECTIONS[_op.name][_which])


# -- ADR: PC-relative addresses need no register ---------------------------------------------------------------------


@a32("cond 001 0100 0 1111 Rd_pc rotation:4 imm8", "adr{cond} {Rd}, {label}")
def ADR_after(cpu, Rd_pc, rotation, imm8):
    """ADR, A1: a label after this instruction. ARM ARM A8.8.12."""
    alu(cpu, ALU[0b1101], 0, Rd_pc, const(0, 32), pc_relative(cpu, arm_expand_imm(rotation, imm8)))


@a32("cond 001 0010 0 1111 Rd_pc rotation:4 imm8", "adr{cond} {Rd}, {label}")
def ADR_before(cpu, Rd_pc, rotation, imm8):
    """ADR, A2: a label before this instruction. ARM ARM A8.8.12."""
    alu(cpu, ALU[0b1101], 0, Rd_pc, const(0, 32), pc_relative(cpu, -arm_expand_imm(rotation, imm8)))


# -- 16-bit immediates -----------------------------------------------------------------------------------------------


@a32("cond 00110000 imm4 Rd imm12", "movw{cond} {Rd}, #{imm16}", where="Rd != 15")
def MOVW(cpu, Rd, imm4, imm12):
    """MOV (immediate), A2. ARM ARM A8.8.102."""
    cpu.R[Rd] = zext(cat(imm4, imm12), 32)


@a32("cond 00110100 imm4 Rd imm12", "movt{cond} {Rd}, #{imm16}", where="Rd != 15")
def MOVT(cpu, Rd, imm4, imm12):
    """MOVT, A1. ARM ARM A8.8.106."""
    cpu.R[Rd] = cat(imm4, imm12, cpu.R[Rd][15:0])
