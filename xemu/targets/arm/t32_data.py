"""32-bit T32 data processing: immediates, shifted registers, shifts by register. ARM ARM A6.3.1-A6.3.3, A6.3.11-12."""

from __future__ import annotations

from typing import Any

from xemu.core.bits import cat, const, zext
from xemu.targets.arm.isa import t32
from xemu.targets.arm.operations import (
    BY_NAME,
    alu,
    imm_shift,
    pc_relative,
    reg_shift,
    rrx,
    thumb_expand_imm,
    titled,
)

# The forms. MOV and MVN have no Rn, compares have no Rd: the table binds None to it.


def _first(cpu, Rn):
    return const(0, 32) if Rn is None else cpu.R[Rn]


def immediate(cpu, op, S, Rn, Rd, i, imm3, imm8):
    """Take a rotated immediate; its carry out is its top bit."""
    value = thumb_expand_imm(i, imm3, imm8)
    alu(cpu, op, S, Rd, _first(cpu, Rn), value, value[31])


def immediate_unrotated(cpu, op, S, Rn, Rd, imm2, imm8):
    """Take an immediate that is not rotated: the carry stays."""
    alu(cpu, op, S, Rd, _first(cpu, Rn), thumb_expand_imm(const(0, 1), zext(imm2, 3), imm8))


def register(cpu, op, S, Rn, Rd, Rm):
    """Take a register."""
    alu(cpu, op, S, Rd, _first(cpu, Rn), cpu.R[Rm])


def register_rrx(cpu, op, S, Rn, Rd, Rm):
    """Take a register rotated by one through the carry."""
    y, carry = rrx(cpu, cpu.R[Rm])
    alu(cpu, op, S, Rd, _first(cpu, Rn), y, carry)


def register_shifted(cpu, op, S, Rn, Rd, imm3_2, type, Rm):
    """Take a register shifted by an immediate."""
    y, carry = imm_shift(cpu.R[Rm], type, imm3_2)
    alu(cpu, op, S, Rd, _first(cpu, Rn), y, carry)


#: function, diagram with {op} {s} {rn} {rd}, operand text, index of the section
FORMS = (
    (immediate, "11110 i:1 0 {op} {s} {rn} 0 imm3 {rd} imm8", "#{const}", 0),
    (immediate_unrotated, "11110 0 0 {op} {s} {rn} 0 0 imm2 {rd} imm8", "#{const}", 0),
    (register, "1110101 {op} {s} {rn} (0) 000 {rd} 00 00 Rm", "{Rm}", 1),
    (register_rrx, "1110101 {op} {s} {rn} (0) 000 {rd} 00 11 Rm", "{Rm}, rrx", 1),
    (register_shifted, "1110101 {op} {s} {rn} (0) imm3 {rd} imm2 type Rm", "{Rm}, {type} #{imm5}", 1),
)
#: name, opcode, sections of the immediate and register forms, encoding numbers of the same
OPERATIONS = (
    ("AND", "0000", (13, 14), "T1 T2"),
    ("TST", "0000", (240, 241), "T1 T2"),
    ("BIC", "0001", (21, 22), "T1 T2"),
    ("ORR", "0010", (122, 123), "T1 T2"),
    ("MOV", "0010", (102, 103), "T2 T3"),
    ("ORN", "0011", (120, 121), "T1 T1"),
    ("MVN", "0011", (115, 116), "T1 T2"),
    ("EOR", "0100", (46, 47), "T1 T2"),
    ("TEQ", "0100", (237, 238), "T1 T1"),
    ("ADD", "1000", (4, 6), "T3 T3"),
    ("CMN", "1000", (34, 35), "T1 T2"),
    ("ADC", "1010", (1, 2), "T1 T2"),
    ("SBC", "1011", (161, 162), "T1 T2"),
    ("SUB", "1101", (221, 223), "T3 T2"),
    ("CMP", "1101", (37, 38), "T2 T3"),
    ("RSB", "1110", (152, 153), "T2 T1"),
)


def _add(name, opcode, section, encoding, function, diagram, text):
    """Add the row of one operation in one form."""
    op, form = BY_NAME[name], function.__name__
    bound: dict[str, Any] = {"op": op}
    where, s = "Rd != 15", "S"
    rn = "Rn" if op.has_rn else "1111"
    if not op.has_rn:
        bound["Rn"] = None
    elif name in ("ORR", "ORN"):
        where += ", Rn != 15"  # MOV, MVN
    if not op.has_rd:
        bound |= {"S": 1, "Rd": None}
        s, where = "1", ""
    elif form == "immediate_unrotated":
        s, bound["S"] = "1", 1  # only the carry differs: without S the general row is as good
    operands = ", ".join(["{Rd}"] * op.has_rd + ["{Rn}"] * op.has_rn + [text])
    t32.add(
        titled(function, f"{name}_{form}", f"{name} ({form.replace('_', ' ')}), {encoding}", f"A8.8.{section}"),
        diagram.format(op=opcode, s=s, rn=rn, rd="Rd" if op.has_rd else "1111"),
        f"{name.lower()}{'{S}' if op.has_rd else ''} {operands}",
        where=where,
        bound=bound,
        source="t32_data.py",
    )


for _name, _opcode, _sections, _encodings in OPERATIONS:
    for _function, _diagram, _text, _which in FORMS:
        if BY_NAME[_name].logical or _function is not immediate_unrotated:
            _add(_name, _opcode, _sections[_which], _encodings.split()[_which], _function, _diagram, _text)


# -- plain 12- and 16-bit immediates (A6.3.3) ------------------------------------------------------------------------


def plain_immediate(cpu, Rn, i, imm3, Rd, imm8, op):
    """Add or subtract a 12-bit immediate; flags stay."""
    alu(cpu, op, 0, Rd, cpu.R[Rn], zext(cat(i, imm3, imm8), 32))


for _name, _opcode, _section in (("ADD", "00000", 4), ("SUB", "01010", 221)):
    t32.add(
        titled(plain_immediate, f"{_name}W", f"{_name} (immediate), T4", f"A8.8.{_section}"),
        f"11110 i:1 1 {_opcode} Rn 0 imm3 Rd imm8",
        f"{_name.lower()}w {{Rd}}, {{Rn}}, #{{imm12}}",
        where="Rd != 15",
        bound={"op": BY_NAME[_name]},
        source="t32_data.py",
    )


@t32("11110 i:1 1 01010 1111 0 imm3 Rd imm8", "adr {Rd}, {label}", where="Rd != 15")
def ADR_before(cpu, i, imm3, Rd, imm8):
    """ADR, T2: a label before this instruction. ARM ARM A8.8.12."""
    cpu.R[Rd] = pc_relative(cpu, -zext(cat(i, imm3, imm8), 32))


@t32("11110 i:1 1 00000 1111 0 imm3 Rd imm8", "adr {Rd}, {label}", where="Rd != 15")
def ADR_after(cpu, i, imm3, Rd, imm8):
    """ADR, T3: a label after this instruction. ARM ARM A8.8.12."""
    cpu.R[Rd] = pc_relative(cpu, zext(cat(i, imm3, imm8), 32))


@t32("11110 i:1 1 00100 imm4 0 imm3 Rd imm8", "movw {Rd}, #{imm16}", where="Rd != 15")
def MOVW(cpu, i, imm4, imm3, Rd, imm8):
    """MOV (immediate), T3. ARM ARM A8.8.102."""
    cpu.R[Rd] = zext(cat(imm4, i, imm3, imm8), 32)


@t32("11110 i:1 1 01100 imm4 0 imm3 Rd imm8", "movt {Rd}, #{imm16}", where="Rd != 15")
def MOVT(cpu, i, imm4, imm3, Rd, imm8):
    """MOVT, T1. ARM ARM A8.8.106."""
    cpu.R[Rd] = cat(imm4, i, imm3, imm8, cpu.R[Rd][15:0])


# -- shifts by register (A6.3.12) ------------------------------------------------------------------------------------


@t32("11111010 0 type S Rn 1111 Rd 0000 Rm", "{type}{S} {Rd}, {Rn}, {Rm}", where="Rd != 15")
def shift_register(cpu, type, S, Rn, Rd, Rm):
    """LSL, LSR, ASR, ROR (register), T2. ARM ARM A8.8.95, A8.8.97, A8.8.17, A8.8.150."""
    y, carry = reg_shift(cpu, cpu.R[Rn], type, cpu.R[Rm])
    alu(cpu, BY_NAME["MOV"], S, Rd, const(0, 32), y, carry)
