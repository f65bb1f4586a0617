"""32-bit T32 loads and stores: single, dual, exclusive, register lists. ARM ARM A6.3.5-A6.3.10."""

from __future__ import annotations

from xemu.core.bits import cat, const, mux, zext
from xemu.targets.arm.isa import t32
from xemu.targets.arm.operations import pc_relative, titled
from xemu.targets.arm.operations_memory import (
    OFFSET,
    POST,
    PRE,
    exclusive_pair,
    load,
    load_dual,
    load_exclusive,
    load_literal,
    load_multiple,
    read_pair,
    store,
    store_dual,
    store_exclusive,
    store_multiple,
)


def _words(imm8, add):
    value = zext(cat(imm8, const(0, 2)), 32)
    return mux(add, value, -value)


def _bytes(imm, add):
    value = zext(imm, 32)
    return mux(add, value, -value)


# -- single (A6.3.7-A6.3.10) -----------------------------------------------------------------------------------------


def load_imm12(cpu, Rn, Rt_pc, imm12, size, signed):
    """Load from a base and a 12-bit immediate."""
    load(cpu, Rt_pc, Rn, zext(imm12, 32), OFFSET, size, signed=signed)


def load_imm8(cpu, Rn, Rt_pc, add, imm8, form, size, signed):
    """Load from a base and an 8-bit immediate, perhaps with writeback."""
    load(cpu, Rt_pc, Rn, _bytes(imm8, add), form, size, signed=signed)


def load_register(cpu, Rn, Rt_pc, imm2, Rm, size, signed):
    """Load from a base and a register."""
    load(cpu, Rt_pc, Rn, cpu.R[Rm] << zext(imm2, 32), OFFSET, size, signed=signed)


def load_label(cpu, add, Rt_pc, imm12, size, signed):
    """Load from an address near the PC."""
    load_literal(cpu, Rt_pc, pc_relative(cpu, _bytes(imm12, add)), size, signed=signed)


def store_imm12(cpu, Rn, Rt, imm12, size):
    """Store to a base and a 12-bit immediate."""
    store(cpu, Rt, Rn, zext(imm12, 32), OFFSET, size)


def store_imm8(cpu, Rn, Rt, add, imm8, form, size):
    """Store to a base and an 8-bit immediate, perhaps with writeback."""
    store(cpu, Rt, Rn, _bytes(imm8, add), form, size)


def store_register(cpu, Rn, Rt, imm2, Rm, size):
    """Store to a base and a register."""
    store(cpu, Rt, Rn, cpu.R[Rm] << zext(imm2, 32), OFFSET, size)


#: forms of an 8-bit immediate: addressing form, suffixes of row and mnemonic, bits 11…8 (1 P U W), U if fixed, address
IMM8_FORMS = (
    (OFFSET, "negative", "", "1 1 0 0", 0, "[{Rn}, #-{imm8}]"),
    (PRE, "pre", "", "1 1 add:1 1", None, "[{Rn}, #{+/-}{imm8}]!"),
    (POST, "post", "", "1 0 add:1 1", None, "[{Rn}], #{+/-}{imm8}"),
    (OFFSET, "unprivileged", "t", "1 1 1 0", 1, "[{Rn}, #{imm8}]"),  # user mode: nothing is different
)
#: name, size code, L bit, signed, size; sections: immediate, literal, register, unprivileged
SINGLES = (
    ("STRB", "00", 0, 0, 1, (206, 0, 208, 209)),
    ("STRH", "01", 0, 0, 2, (216, 0, 218, 219)),
    ("STR", "10", 0, 0, 4, (203, 0, 205, 220)),
    ("LDRB", "00", 1, 0, 1, (67, 69, 70, 71)),
    ("LDRH", "01", 1, 0, 2, (79, 81, 82, 83)),
    ("LDR", "10", 1, 0, 4, (62, 64, 65, 92)),
    ("LDRSB", "00", 1, 1, 1, (84, 85, 86, 87)),
    ("LDRSH", "01", 1, 1, 2, (88, 89, 90, 91)),
)


def _add_single(name, code, is_load, signed, size, sections):
    """Add the rows of one instruction. Rt = 15 is the PC for LDR, a hint for shorter loads, undefined for stores."""
    rt, mnemonic, head = "Rt_pc" if is_load else "Rt", name.lower(), f"1111100 {signed}"
    bound = {"size": size} | ({"signed": bool(signed)} if is_load else {})
    not_pc = "" if name == "LDR" else f", {rt} != 15"

    def add(function, kind, section, pattern, syntax, where="Rn != 15" + not_pc, **more):
        t32.add(
            titled(function, f"{name}_{kind}", f"{name} ({kind.replace('_', ' ')})", f"A8.8.{sections[section]}"),
            pattern,
            syntax,
            where=where,
            bound=bound | more,
            source="t32_memory.py",
        )

    add(
        load_imm12 if is_load else store_imm12,
        "immediate",
        0,
        f"{head} 1 {code} {is_load} Rn {rt} imm12",
        f"{mnemonic}.w {{Rt}}, [{{Rn}}, #{{imm12}}]",
    )
    for form, suffix, t, bits, up, text in IMM8_FORMS:
        where = f"Rn != 15, {rt} != 15" if t else "Rn != 15" + not_pc
        add(
            load_imm8 if is_load else store_imm8,
            suffix,
            3 if t else 0,
            f"{head} 0 {code} {is_load} Rn {rt} {bits} imm8",
            f"{mnemonic}{t} {{Rt}}, {text}",
            where,
            form=form,
            **({} if up is None else {"add": up}),
        )
    add(
        load_register if is_load else store_register,
        "register",
        2,
        f"{head} 0 {code} {is_load} Rn {rt} 000000 imm2 Rm",
        f"{mnemonic}.w {{Rt}}, [{{Rn}}, {{Rm}}, lsl #{{imm2}}]",
    )
    if is_load:
        add(
            load_label,
            "literal",
            1,
            f"{head} add:1 {code} 1 1111 {rt} imm12",
            f"{mnemonic}.w {{Rt}}, {{label}}",
            not_pc.removeprefix(", "),
        )


for _single in SINGLES:
    _add_single(*_single)


# -- preloads: loads of bytes and halfwords to R15 (A6.3.8, A6.3.9) --------------------------------------------------


def nothing(cpu):
    """Do nothing."""


for _name, _signed, _size, _sections in (
    ("PLD", 0, "00", (126, 127, 128)),
    ("PLDW", 0, "01", (126, 127, 128)),
    ("PLI", 1, "00", (129, 129, 130)),
    ("HINT", 1, "01", (90, 89, 90)),
):
    for _kind, _pattern, _text, _which in (
        ("immediate", f"1111100 {_signed} 1 {_size} 1 Rn 1111 ------------", "[{Rn}, #{imm12}]", 0),
        ("negative", f"1111100 {_signed} 0 {_size} 1 Rn 1111 1100 --------", "[{Rn}, #-{imm8}]", 0),
        ("register", f"1111100 {_signed} 0 {_size} 1 Rn 1111 000000 -- ----", "[{Rn}, {Rm}, lsl #{imm2}]", 2),
        ("literal", f"1111100 {_signed} - {_size} 1 1111 1111 ------------", "{label}", 1),
    ):
        _title = f"{_name} ({_kind})" if _name != "HINT" else f"Unallocated memory hint ({_kind}), executed as NOP"
        t32.add(
            titled(nothing, f"{_name}_{_kind}", _title, f"A8.8.{_sections[_which]}" if _name != "HINT" else "A6.3.8"),
            _pattern,
            f"{_name.lower()} {_text}",
            source="t32_memory.py",
            where="" if _kind == "literal" else "Rn != 15",
        )


# -- dual (A6.3.6) ---------------------------------------------------------------------------------------------------


def load_dual_immediate(cpu, Rn, Rt, Rt2, add, imm8, form):
    """Load two registers from a base and an immediate."""
    load_dual(cpu, Rt, Rt2, Rn, _words(imm8, add), form)


def store_dual_immediate(cpu, Rn, Rt, Rt2, add, imm8, form):
    """Store two registers to a base and an immediate."""
    store_dual(cpu, Rt, Rt2, Rn, _words(imm8, add), form)


for _form, _p, _w, _suffix, _text in (
    (OFFSET, 1, 0, "", "[{Rn}, #{+/-}{imm}]"),
    (PRE, 1, 1, "_pre", "[{Rn}, #{+/-}{imm}]!"),
    (POST, 0, 1, "_post", "[{Rn}], #{+/-}{imm}"),
):
    for _name, _bit, _function, _section in (
        ("STRD", 0, store_dual_immediate, 210),
        ("LDRD", 1, load_dual_immediate, 72),
    ):
        t32.add(
            titled(_function, f"{_name}_immediate{_suffix}", f"{_name} (immediate, {_form}), T1", f"A8.8.{_section}"),
            f"1110100 {_p} add:1 1 {_w} {_bit} Rn Rt Rt2 imm8",
            f"{_name.lower()} {{Rt}}, {{Rt2}}, {_text}",
            where="Rn != 15, Rt != 15, Rt2 != 15",
            bound={"form": _form},
            source="t32_memory.py",
        )


@t32("1110100 1 add:1 1 0 1 1111 Rt Rt2 imm8", "ldrd {Rt}, {Rt2}, {label}", where="Rt != 15, Rt2 != 15")
def LDRD_literal(cpu, add, Rt, Rt2, imm8):
    """LDRD (literal), T1. ARM ARM A8.8.73."""
    first, second = read_pair(cpu, pc_relative(cpu, _words(imm8, add)))
    cpu.R[Rt] = first
    cpu.R[Rt2] = second


# -- exclusives (A6.3.6) ---------------------------------------------------------------------------------------------


@t32("11101000 0101 Rn Rt (1) (1) (1) (1) imm8", "ldrex {Rt}, [{Rn}, #{imm}]", where="Rn != 15, Rt != 15")
def LDREX(cpu, Rn, Rt, imm8):
    """LDREX, T1. ARM ARM A8.8.75."""
    cpu.R[Rt] = load_exclusive(cpu, cpu.R[Rn] + _words(imm8, 1), 4)


def load_exclusive_short(cpu, Rn, Rt, size):
    """Load a byte or halfword and set the monitor."""
    cpu.R[Rt] = zext(load_exclusive(cpu, cpu.R[Rn], size), 32)


@t32(
    "11101000 1101 Rn Rt Rt2 0111 (1) (1) (1) (1)", "ldrexd {Rt}, {Rt2}, [{Rn}]", where="Rn != 15, Rt != 15, Rt2 != 15"
)
def LDREXD(cpu, Rn, Rt, Rt2):
    """LDREXD, T1. ARM ARM A8.8.77."""
    both = load_exclusive(cpu, cpu.R[Rn], 8)
    first, second = (both[63:32], both[31:0]) if cpu.context.E else (both[31:0], both[63:32])
    cpu.R[Rt] = first
    cpu.R[Rt2] = second


@t32("11101000 0100 Rn Rt Rd imm8", "strex {Rd}, {Rt}, [{Rn}, #{imm}]", where="Rn != 15, Rt != 15, Rd != 15")
def STREX(cpu, Rn, Rt, Rd, imm8):
    """STREX, T1. ARM ARM A8.8.212."""
    cpu.R[Rd] = store_exclusive(cpu, cpu.R[Rn] + _words(imm8, 1), cpu.R[Rt])


def store_exclusive_short(cpu, Rn, Rt, Rd, size):
    """Store a byte or halfword if the monitor is set for it."""
    cpu.R[Rd] = store_exclusive(cpu, cpu.R[Rn], cpu.R[Rt][8 * size - 1 : 0])


@t32(
    "11101000 1100 Rn Rt Rt2 0111 Rd",
    "strexd {Rd}, {Rt}, {Rt2}, [{Rn}]",
    where="Rn != 15, Rt != 15, Rt2 != 15, Rd != 15",
)
def STREXD(cpu, Rn, Rt, Rt2, Rd):
    """STREXD, T1. ARM ARM A8.8.214."""
    cpu.R[Rd] = store_exclusive(cpu, cpu.R[Rn], exclusive_pair(cpu, cpu.R[Rt], cpu.R[Rt2]))


for _suffix, _opcode, _count, _pair in (("B", "0100", 1, (76, 213)), ("H", "0101", 2, (78, 215))):
    t32.add(
        titled(load_exclusive_short, f"LDREX{_suffix}", f"LDREX{_suffix}, T1", f"A8.8.{_pair[0]}"),
        f"11101000 1101 Rn Rt (1) (1) (1) (1) {_opcode} (1) (1) (1) (1)",
        f"ldrex{_suffix.lower()} {{Rt}}, [{{Rn}}]",
        where="Rn != 15, Rt != 15",
        bound={"size": _count},
        source="t32_memory.py",
    )
    t32.add(
        titled(store_exclusive_short, f"STREX{_suffix}", f"STREX{_suffix}, T1", f"A8.8.{_pair[1]}"),
        f"11101000 1100 Rn Rt (1) (1) (1) (1) {_opcode} Rd",
        f"strex{_suffix.lower()} {{Rd}}, {{Rt}}, [{{Rn}}]",
        where="Rn != 15, Rt != 15, Rd != 15",
        bound={"size": _count},
        source="t32_memory.py",
    )


# -- register lists (A6.3.5): SP cannot be in them -------------------------------------------------------------------


def LDM(cpu, Rn, W, lr, list13, pc, mode):
    """Load the registers of a list."""
    load_multiple(cpu, Rn, cat(lr, const(0, 1), list13), pc, mode, writeback=W)


def STM(cpu, Rn, W, lr, list13, mode):
    """Store the registers of a list."""
    store_multiple(cpu, Rn, cat(lr, const(0, 1), list13), mode, writeback=W)


for _mode, _bits, _both in (("IA", "01", (57, 199)), ("DB", "10", (60, 201))):
    for _pc in (0, 1):
        t32.add(
            titled(
                LDM,
                f"LDM{_mode}{'_pc' * _pc}",
                f"LDM{_mode}{', with the PC' * _pc}, {'T2' if _mode == 'IA' else 'T1'}",
                f"A8.8.{_both[0]}",
            ),
            f"1110100 {_bits} 0 W 1 Rn {_pc} lr:1 (0) list13:13",
            f"ldm{_mode.lower()}.w {{Rn}}{{!}}, {{registers}}",
            where="Rn != 15",
            bound={"mode": _mode, "pc": _pc},
            source="t32_memory.py",
        )
    t32.add(
        titled(STM, f"STM{_mode}", f"STM{_mode}, {'T2' if _mode == 'IA' else 'T1'}", f"A8.8.{_both[1]}"),
        f"1110100 {_bits} 0 W 0 Rn (0) lr:1 (0) list13:13",
        f"stm{_mode.lower()}.w {{Rn}}{{!}}, {{registers}}",
        where="Rn != 15",
        bound={"mode": _mode},
        source="t32_memory.py",
    )
