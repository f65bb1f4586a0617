"""16-bit T32 loads and stores. ARM ARM A6.2.4, A6.2.5, A6.2."""

from __future__ import annotations

from xemu.core.bits import cat, const, zext
from xemu.core.record import RegNo
from xemu.targets.arm.isa import t16
from xemu.targets.arm.operations import pc_relative, titled
from xemu.targets.arm.operations_memory import OFFSET, load, load_literal, load_multiple, store, store_multiple

SP = RegNo(13)


def load_register(cpu, Rm, Rn, Rt, size, signed):
    """Load from a base and a register."""
    load(cpu, Rt, Rn, cpu.R[Rm], OFFSET, size, signed=signed)


def store_register(cpu, Rm, Rn, Rt, size):
    """Store to a base and a register."""
    store(cpu, Rt, Rn, cpu.R[Rm], OFFSET, size)


def load_immediate(cpu, imm5, Rn, Rt, size):
    """Load from a base and an immediate."""
    load(cpu, Rt, Rn, zext(imm5, 32) * size, OFFSET, size)


def store_immediate(cpu, imm5, Rn, Rt, size):
    """Store to a base and an immediate."""
    store(cpu, Rt, Rn, zext(imm5, 32) * size, OFFSET, size)


for _name, _opcode, _size, _section in (("STR", "000", 4, 205), ("STRH", "001", 2, 218), ("STRB", "010", 1, 208)):
    t16.add(
        titled(store_register, f"{_name}_register", f"{_name} (register), T1", f"A8.8.{_section}"),
        f"0101 {_opcode} Rm Rn Rt",
        f"{_name.lower()} {{Rt}}, [{{Rn}}, {{Rm}}]",
        bound={"size": _size},
        source="t16_memory.py",
    )
for _name, _opcode, _size, _section in (
    ("LDRSB", "011", 1, 86),
    ("LDR", "100", 4, 65),
    ("LDRH", "101", 2, 82),
    ("LDRB", "110", 1, 70),
    ("LDRSH", "111", 2, 90),
):
    t16.add(
        titled(load_register, f"{_name}_register", f"{_name} (register), T1", f"A8.8.{_section}"),
        f"0101 {_opcode} Rm Rn Rt",
        f"{_name.lower()} {{Rt}}, [{{Rn}}, {{Rm}}]",
        bound={"size": _size, "signed": "S" in _name},
        source="t16_memory.py",
    )
for _suffix, _opcode, _size, _sections in (
    ("", "0110", 4, (203, 62)),
    ("B", "0111", 1, (206, 67)),
    ("H", "1000", 2, (216, 79)),
):
    for _bit, (_verb, _function) in enumerate((("STR", store_immediate), ("LDR", load_immediate))):
        _name = _verb + _suffix
        t16.add(
            titled(_function, f"{_name}_immediate", f"{_name} (immediate), T1", f"A8.8.{_sections[_bit]}"),
            f"{_opcode} {_bit} imm5 Rn Rt",
            f"{_name.lower()} {{Rt}}, [{{Rn}}, #{{imm}}]",
            bound={"size": _size},
            source="t16_memory.py",
        )


def _words(imm8):
    return zext(cat(imm8, const(0, 2)), 32)


@t16("01001 Rt imm8", "ldr {Rt}, {label}")
def LDR_literal(cpu, Rt, imm8):
    """LDR (literal), T1. ARM ARM A8.8.64."""
    load_literal(cpu, Rt, pc_relative(cpu, _words(imm8)), 4)


@t16("10010 Rt imm8", "str {Rt}, [sp, #{imm}]")
def STR_sp(cpu, Rt, imm8):
    """STR (immediate), T2. ARM ARM A8.8.203."""
    store(cpu, Rt, SP, _words(imm8), OFFSET, 4)


@t16("10011 Rt imm8", "ldr {Rt}, [sp, #{imm}]")
def LDR_sp(cpu, Rt, imm8):
    """LDR (immediate), T2. ARM ARM A8.8.62."""
    load(cpu, Rt, SP, _words(imm8), OFFSET, 4)


# -- register lists --------------------------------------------------------------------------------------------------


@t16("10110100 list8:8", "push {registers}", where="list8 != 0")
def PUSH(cpu, list8):
    """PUSH, T1. ARM ARM A8.8.133."""
    store_multiple(cpu, SP, list8, "DB", writeback=1)


@t16("10110101 list8:8", "push {registers}")
def PUSH_lr(cpu, list8):
    """PUSH, T1, with LR. ARM ARM A8.8.133."""
    store_multiple(cpu, SP, cat(const(0b0100_0000, 7), list8), "DB", writeback=1)


@t16("10111100 list8:8", "pop {registers}", where="list8 != 0")
def POP(cpu, list8):
    """POP, T1. ARM ARM A8.8.131."""
    load_multiple(cpu, SP, list8, 0, "IA", writeback=1)


@t16("10111101 list8:8", "pop {registers}")
def POP_pc(cpu, list8):
    """POP, T1, with the PC. ARM ARM A8.8.131."""
    load_multiple(cpu, SP, list8, 1, "IA", writeback=1)


@t16("11000 Rn list8:8", "stm {Rn}!, {registers}", where="list8 != 0")
def STM(cpu, Rn, list8):
    """STM, T1. ARM ARM A8.8.199."""
    store_multiple(cpu, Rn, list8, "IA", writeback=1)


@t16("11001 Rn list8:8", "ldm {Rn}{!}, {registers}", where="list8 != 0")
def LDM(cpu, Rn, list8):
    """LDM, T1: a base in the list keeps what it loads. ARM ARM A8.8.57."""
    load_multiple(cpu, Rn, list8, 0, "IA", writeback=1)
