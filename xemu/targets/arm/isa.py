"""The instruction sets of ARM and the fields of their diagrams, named as the ARM ARM names them."""

from __future__ import annotations

from xemu.core.isa import AnyField, Field, FixedWidthIsa, Reg, Split
from xemu.targets.arm.state import ArmCpu

#: fields that A32 and T32 share
COMMON: dict[str, AnyField] = {
    "S": Split(1), "type": Split(2),
    "Rn": Reg(), "Rm": Reg(), "Rs": Reg(), "Ra": Reg(), "Rt": Reg(), "Rt2": Reg(), "Rd": Reg(), "RdLo": Reg(), "RdHi": Reg(),
    # the same, where the number 15 (the PC) is another variant:
    "Rd_pc": Reg(pc=True), "Rt_pc": Reg(pc=True),
    "imm3": Field(3), "imm4": Field(4), "imm5": Field(5), "imm6": Field(6), "imm8": Field(8), "imm12": Field(12), "imm24": Field(24),
    "imm2": Field(2), "imm3_2": Field(of="imm3 imm2"),
    "P": Split(1), "U": Split(1), "W": Split(1),
    # halves and variants of multiplies: which half of Rn or Rm, exchange, round
    "M_top": Split(1), "N_top": Split(1), "M_swap": Split(1), "R_round": Split(1),
    "rotate": Field(2), "tb": Split(1), "sh": Split(1), "nzcvq": Split(1), "g": Split(1), "x": Split(1), "E_big": Split(1),
    # extension registers: the number is joined from two fields (ARM ARM A7.3)
    "D": Field(1), "N": Field(1), "M": Field(1), "Vd": Field(4), "Vn": Field(4), "Vm": Field(4),
    "Dd": Reg(of="D Vd"), "Dn": Reg(of="N Vn"), "Dm": Reg(of="M Vm"),
    "Sd": Reg(of="Vd D"), "Sn": Reg(of="Vn N"), "Sm": Reg(of="Vm M"),
    "Qd": Reg(of="D Qd3"), "Qn": Reg(of="N Qn3"), "Qm": Reg(of="M Qm3"), "Qd3": Field(3), "Qn3": Field(3), "Qm3": Field(3),
    # Advanced SIMD: element size, structure alignment, list length, VEXT's byte; Rm_wb is never the PC (15: no write-back)
    "size": Split(2), "align": Split(2), "a": Split(1), "len": Split(2), "imm4_byte": Split(4), "Rm_wb": Reg(prefix=False),
}

a32 = FixedWidthIsa("a32", 32, {**COMMON, "cond": Field(4)}, predicate="cond", cpu=ArmCpu)
# 32-bit T32 instructions are written first halfword first; InIT (from ITSTATE, not a bit of the word) says "inside an IT block"
t32 = FixedWidthIsa("t32", 32, {**COMMON, "InIT": Split(1), "cond_b": Split(4)}, extra="InIT:1", cpu=ArmCpu)
t16 = FixedWidthIsa("t16", 16, {**COMMON, "Rd": Reg(3), "Rn": Reg(3), "Rm": Reg(3), "Rt": Reg(3), "Rdn": Reg(3),
                                "Rm4": Reg(4), "InIT": Split(1), "cond_b": Split(4), "nonzero": Split(1),
                                "Rdn_top": Field(1), "Rdn_low": Field(3), "Rdn4": Reg(of="Rdn_top Rdn_low")}, extra="InIT:1", cpu=ArmCpu)
