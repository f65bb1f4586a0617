"""A32 loads and stores of bytes, halfwords, words and doublewords. ARM ARM A5.2.8, A5.2.9, A5.3.

Immediate offsets take their sign from the U bit as a value (`add`), so that decoding computes the offset; register
offsets take it as a split field.
"""

from __future__ import annotations

from xemu.core.bits import cat, mux, zext
from xemu.targets.arm.isa import a32
from xemu.targets.arm.operations import any_imm_shift, pc_relative, titled
from xemu.targets.arm.operations_memory import (
    OFFSET,
    POST,
    PRE,
    even_pair,
    load,
    load_dual,
    load_literal,
    read_pair,
    store,
    store_dual,
)

#: addressing form: P, W, suffix of the row's name, of the mnemonic, how the address is written
FORMS = (
    (OFFSET, 1, 0, "", "", "[{Rn}, %s]"),
    (PRE, 1, 1, "_pre", "", "[{Rn}, %s]!"),
    (POST, 0, 0, "_post", "", "[{Rn}], %s"),
    (POST, 0, 1, "_unprivileged", "t", "[{Rn}], %s"),  # user mode: nothing is different
)


def _immediate(offset, add):
    value = zext(offset, 32)
    return mux(add, value, -value)


def _register(cpu, Rm, U):
    return cpu.R[Rm] if U else -cpu.R[Rm]


def _shifted(cpu, Rm, type, imm5, U):
    value = any_imm_shift(cpu, cpu.R[Rm], type, imm5)
    return value if U else -value


# -- words and unsigned bytes (A5.3) ---------------------------------------------------------------------------------


def load_immediate(cpu, Rt_pc, Rn, add, imm12, form, size):
    """Load from a base and an immediate."""
    load(cpu, Rt_pc, Rn, _immediate(imm12, add), form, size)


def load_register(cpu, Rt_pc, Rn, U, Rm, form, size):
    """Load from a base and a register."""
    load(cpu, Rt_pc, Rn, _register(cpu, Rm, U), form, size)


def load_shifted(cpu, Rt_pc, Rn, U, imm5, type, Rm, form, size):
    """Load from a base and a shifted register."""
    load(cpu, Rt_pc, Rn, _shifted(cpu, Rm, type, imm5, U), form, size)


def store_immediate(cpu, Rt, Rn, add, imm12, form, size):
    """Store to a base and an immediate."""
    store(cpu, Rt, Rn, _immediate(imm12, add), form, size)


def store_register(cpu, Rt, Rn, U, Rm, form, size):
    """Store to a base and a register."""
    store(cpu, Rt, Rn, _register(cpu, Rm, U), form, size)


def store_shifted(cpu, Rt, Rn, U, imm5, type, Rm, form, size):
    """Store to a base and a shifted register."""
    store(cpu, Rt, Rn, _shifted(cpu, Rm, type, imm5, U), form, size)


#: offset: A bit of A5.3, diagram of U, of bits 11…0, operand text, functions for loads and stores
OFFSETS = (
    ("immediate", "010", "add:1", "imm12", "#{+/-}{imm12}", load_immediate, store_immediate),
    ("register", "011", "U", "00000 00 0 Rm", "{+/-}{Rm}", load_register, store_register),
    ("register_shifted", "011", "U", "imm5 type 0 Rm", "{+/-}{Rm}, {type} #{imm5}", load_shifted, store_shifted),
)
#: mnemonic, B and L bits, size, sections of the immediate, register and unprivileged rows
SINGLES = (
    ("LDR", 0, 1, 4, (63, 66, 92)),
    ("LDRB", 1, 1, 1, (68, 70, 71)),
    ("STR", 0, 0, 4, (204, 205, 220)),
    ("STRB", 1, 0, 1, (207, 208, 209)),
)


def _add_single(mnemonic, b, is_load, size, sections, offset, form):
    kind, head, up, tail, text, loads, stores = offset
    name, p, w, suffix, t, brackets = form
    field = "Rt_pc" if is_load else "Rt"
    where = [] if name == OFFSET else ["Rn != 15"]
    if is_load and (size != 4 or t):
        where.append("Rt_pc != 15")
    section = sections[2] if t else sections[kind != "immediate"]
    title = f"{mnemonic}{t.upper()} ({kind.replace('_', ' ')}{'' if t else ', ' + name})"
    a32.add(
        titled(loads if is_load else stores, f"{mnemonic}_{kind}{suffix}", title, f"A8.8.{section}"),
        f"cond {head} {p} {up} {b} {w} {is_load} Rn {field} {tail}",
        f"{mnemonic.lower()}{t}{{cond}} {{Rt}}, {brackets % text}",
        where=", ".join(where),
        bound={"form": name, "size": size},
        source="a32_memory.py",
    )


for _single in SINGLES:
    for _offset in OFFSETS:
        for _form in FORMS:
            _add_single(*_single, _offset, _form)


@a32("cond 010 1 add:1 0 0 1 1111 Rt_pc imm12", "ldr{cond} {Rt}, {label}")
def LDR_literal(cpu, Rt_pc, add, imm12):
    """LDR (literal), A1. ARM ARM A8.8.64."""
    load_literal(cpu, Rt_pc, pc_relative(cpu, _immediate(imm12, add)), 4)


@a32("cond 010 1 add:1 1 0 1 1111 Rt imm12", "ldrb{cond} {Rt}, {label}", where="Rt != 15")
def LDRB_literal(cpu, Rt, add, imm12):
    """LDRB (literal), A1. ARM ARM A8.8.69."""
    load_literal(cpu, Rt, pc_relative(cpu, _immediate(imm12, add)), 1)


# -- halfwords and signed bytes (A5.2.8, A5.2.9) ---------------------------------------------------------------------


def load_split_immediate(cpu, Rt, Rn, add, imm4H, imm4L, form, size, signed):
    """Load from a base and an immediate in two fields."""
    load(cpu, Rt, Rn, _immediate(cat(imm4H, imm4L), add), form, size, signed=signed)


def load_extra_register(cpu, Rt, Rn, U, Rm, form, size, signed):
    """Load a halfword or signed byte from a base and a register."""
    load(cpu, Rt, Rn, _register(cpu, Rm, U), form, size, signed=signed)


def load_extra_literal(cpu, Rt, add, imm4H, imm4L, size, signed):
    """Load a halfword or signed byte from an address near the PC."""
    load_literal(cpu, Rt, pc_relative(cpu, _immediate(cat(imm4H, imm4L), add)), size, signed=signed)


def store_split_immediate(cpu, Rt, Rn, add, imm4H, imm4L, form, size, signed):
    """Store to a base and an immediate in two fields."""
    store(cpu, Rt, Rn, _immediate(cat(imm4H, imm4L), add), form, size)


def store_extra_register(cpu, Rt, Rn, U, Rm, form, size, signed):
    """Store a halfword to a base and a register."""
    store(cpu, Rt, Rn, _register(cpu, Rm, U), form, size)


def load_dual_immediate(cpu, Rt_half, Rn, add, imm4H, imm4L, form, size, signed):
    """Load two registers from a base and an immediate."""
    load_dual(cpu, *even_pair(Rt_half), Rn, _immediate(cat(imm4H, imm4L), add), form)


def load_dual_register(cpu, Rt_half, Rn, U, Rm, form, size, signed):
    """Load two registers from a base and a register."""
    load_dual(cpu, *even_pair(Rt_half), Rn, _register(cpu, Rm, U), form)


def store_dual_immediate(cpu, Rt_half, Rn, add, imm4H, imm4L, form, size, signed):
    """Store two registers to a base and an immediate."""
    store_dual(cpu, *even_pair(Rt_half), Rn, _immediate(cat(imm4H, imm4L), add), form)


def store_dual_register(cpu, Rt_half, Rn, U, Rm, form, size, signed):
    """Store two registers to a base and a register."""
    store_dual(cpu, *even_pair(Rt_half), Rn, _register(cpu, Rm, U), form)


#: mnemonic, L bit, bits 7…4, size, signed, functions and sections: immediate, register (and unprivileged)
EXTRA = (
    ("LDRH", 1, "1011", 2, False, (load_split_immediate, load_extra_register), (80, 82, 83)),
    ("LDRSB", 1, "1101", 1, True, (load_split_immediate, load_extra_register), (84, 86, 87)),
    ("LDRSH", 1, "1111", 2, True, (load_split_immediate, load_extra_register), (88, 90, 91)),
    ("STRH", 0, "1011", 2, False, (store_split_immediate, store_extra_register), (217, 218, 219)),
    ("LDRD", 0, "1101", 8, False, (load_dual_immediate, load_dual_register), (72, 74, 0)),
    ("STRD", 0, "1111", 8, False, (store_dual_immediate, store_dual_register), (210, 211, 0)),
)


def _add_extra(mnemonic, l_bit, op2, size, signed, functions, sections, form):
    name, p, w, suffix, t, brackets = form
    dual = size == 8
    if dual and t:
        return
    rt, rt_text = ("Rt_half:3 0", "{Rt}, {Rt2}") if dual else ("Rt", "{Rt}")
    where = ["Rt_half != 7" if dual else "Rt != 15"] + ([] if name == OFFSET else ["Rn != 15"])
    for i, (kind, up, high, low, text) in enumerate(
        (
            ("immediate", "add:1", "imm4H:4", "imm4L:4", "#{+/-}{imm8}"),
            ("register", "U", "(0) (0) (0) (0)", "Rm", "{+/-}{Rm}"),
        )
    ):
        title = f"{mnemonic}{t.upper()} ({kind}{'' if t else ', ' + name})"
        a32.add(
            titled(functions[i], f"{mnemonic}_{kind}{suffix}", title, f"A8.8.{sections[2] if t else sections[i]}"),
            f"cond 000 {p} {up} {1 - i} {w} {l_bit} Rn {rt} {high} {op2} {low}",
            f"{mnemonic.lower()}{t}{{cond}} {rt_text}, {brackets % text}",
            where=", ".join(where),
            bound={"form": name, "size": size, "signed": signed},
            source="a32_memory.py",
        )


for _extra in EXTRA:
    for _form in FORMS:
        _add_extra(*_extra, _form)

for _mnemonic, _l, _op2, _size, _is_signed, _functions, _numbers in EXTRA[:3]:
    a32.add(
        titled(load_extra_literal, f"{_mnemonic}_literal", f"{_mnemonic} (literal), A1", f"A8.8.{_numbers[0] + 1}"),
        f"cond 000 1 add:1 1 0 1 1111 Rt imm4H:4 {_op2} imm4L:4",
        f"{_mnemonic.lower()}{{cond}} {{Rt}}, {{label}}",
        where="Rt != 15",
        bound={"size": _size, "signed": _is_signed},
        source="a32_memory.py",
    )


@a32(
    "cond 000 1 add:1 1 0 0 1111 Rt_half:3 0 imm4H:4 1101 imm4L:4",
    "ldrd{cond} {Rt}, {Rt2}, {label}",
    where="Rt_half != 7",
)
def LDRD_literal(cpu, Rt_half, add, imm4H, imm4L):
    """LDRD (literal), A1. ARM ARM A8.8.73."""
    Rt, Rt2 = even_pair(Rt_half)
    first, second = read_pair(cpu, pc_relative(cpu, _immediate(cat(imm4H, imm4L), add)))
    cpu.R[Rt] = first
    cpu.R[Rt2] = second
