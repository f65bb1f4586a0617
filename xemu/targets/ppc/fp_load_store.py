"""Floating-point loads and stores. Power ISA Book I, 4.6.2 to 4.6.4."""

from __future__ import annotations

from xemu.core.bits import Bits, cat, const, sext, zext
from xemu.core.fp import fp_op
from xemu.core.record import RegNo
from xemu.targets.ppc.isa import ppc, ppc64


def double(cpu, word: Bits) -> Bits:
    """Return a single as a double (DOUBLE): no exception, a signalling NaN stays one."""
    return fp_op(cpu, "widen", ("f32", "f64"), (word,), 0, "ppc", raises=False)


def single(cpu, x: Bits) -> Bits:
    """Return a double as a single (SINGLE): cut, not rounded."""
    return fp_op(cpu, "cut", ("f64", "f32"), (x,), 0, "ppc", raises=False)


def _address(cpu, base: Bits, offset: Bits) -> Bits:
    return base + (offset if offset.width == cpu.xlen else sext(offset, cpu.xlen))


def load(cpu, FR: RegNo, address: Bits, kind: str) -> None:
    """Load a register: a double, a single, or a word as an integer with its sign (a) or with zeros (z)."""
    value = cpu.mem_read(address, 8 if kind == "d" else 4)
    cpu.set_fpr(FR, {"d": lambda: value, "s": lambda: double(cpu, value),
                     "a": lambda: sext(value, 64), "z": lambda: zext(value, 64)}[kind]())


def store(cpu, FR: RegNo, address: Bits, kind: str) -> None:
    """Store a register: a double, a single, or its lower word (w)."""
    value = cpu.fpr(FR)
    cpu.mem_write(address, {"d": lambda: value, "s": lambda: single(cpu, value), "w": lambda: value[31:0]}[kind]())


# -- forms: D and X, with update; `move` is load or store, `kind` what ------------------------------------------------------


def d_form(cpu, FR, RA0, D, move, kind):
    """Load or Store Floating-Point. Book I, 4.6.2, 4.6.3."""
    move(cpu, FR, _address(cpu, cpu.base(RA0), D), kind)


def d_form_update(cpu, FR, RA, D, move, kind):
    """Load or Store Floating-Point with Update. Book I, 4.6.2, 4.6.3."""
    address = _address(cpu, cpu.GPR[RA], D)
    move(cpu, FR, address, kind)
    cpu.GPR[RA] = address


def x_form(cpu, FR, RA0, RB, move, kind):
    """Load or Store Floating-Point Indexed. Book I, 4.6.2, 4.6.3."""
    move(cpu, FR, _address(cpu, cpu.base(RA0), cpu.GPR[RB]), kind)


def x_form_update(cpu, FR, RA, RB, move, kind):
    """Load or Store Floating-Point with Update Indexed. Book I, 4.6.2, 4.6.3."""
    address = _address(cpu, cpu.GPR[RA], cpu.GPR[RB])
    move(cpu, FR, address, kind)
    cpu.GPR[RA] = address


for _name, _move, _kind, _d, _x in (("lfs", load, "s", 48, 535), ("lfd", load, "d", 50, 599),
                                    ("stfs", store, "s", 52, 663), ("stfd", store, "d", 54, 727)):
    ppc.row(d_form, f"{_d}:6 FR RA0 D", f"{_name} {{FR}}, {{D}}({{RA0}})", move=_move, kind=_kind)
    ppc.row(d_form_update, f"{_d + 1}:6 FR RA D", f"{_name}u {{FR}}, {{D}}({{RA}})", where="RA != 0", move=_move, kind=_kind)
    ppc.row(x_form, f"31:6 FR RA0 RB {_x}:10 -", f"{_name}x {{FR}}, {{RA0}}, {{RB}}", move=_move, kind=_kind)
    ppc.row(x_form_update, f"31:6 FR RA RB {_x + 32}:10 -", f"{_name}ux {{FR}}, {{RA}}, {{RB}}", where="RA != 0", move=_move, kind=_kind)

ppc.row(x_form, "31:6 FR RA0 RB 983:10 -", "stfiwx {FR}, {RA0}, {RB}", move=store, kind="w")
ppc64.row(x_form, "31:6 FR RA0 RB 855:10 -", "lfiwax {FR}, {RA0}, {RB}", move=load, kind="a")
ppc64.row(x_form, "31:6 FR RA0 RB 887:10 -", "lfiwzx {FR}, {RA0}, {RB}", move=load, kind="z")


# -- pairs --------------------------------------------------------------------------------------------------------------
# 64-bit alone, little-endian: the odd register's doubleword stands first in memory (Book I, 4.6.4)


def _pair(number: Bits) -> tuple[RegNo, RegNo]:
    return RegNo(cat(number, const(1, 1))), RegNo(cat(number, const(0, 1)))


def load_pair(cpu, FRp: Bits, address: Bits) -> None:
    """Load two registers."""
    values = [cpu.mem_read(address + at, 8) for at in (0, 8)]
    for register, value in zip(_pair(FRp), values, strict=True):
        cpu.set_fpr(register, value)


def store_pair(cpu, FRp: Bits, address: Bits) -> None:
    """Store two registers."""
    for register, at in zip(_pair(FRp), (0, 8), strict=True):
        cpu.mem_write(address + at, cpu.fpr(register))


def ds_form_pair(cpu, FRp, RA0, DS, move):
    """Load or Store Floating-Point Double Pair. Book I, 4.6.4."""
    move(cpu, FRp, cpu.base(RA0) + sext(cat(DS, const(0, 2)), 64))


def x_form_pair(cpu, FRp, RA0, RB, move):
    """Load or Store Floating-Point Double Pair Indexed. Book I, 4.6.4."""
    move(cpu, FRp, cpu.base(RA0) + cpu.GPR[RB])


for _name, _move_pair, _ds, _x in (("lfdp", load_pair, 57, 791), ("stfdp", store_pair, 61, 919)):
    ppc64.row(ds_form_pair, f"{_ds}:6 FRp:4 0 RA0 DS 00", f"{_name} {{FRp}}, {{DS}}({{RA0}})", move=_move_pair)
    ppc64.row(x_form_pair, f"31:6 FRp:4 0 RA0 RB {_x}:10 -", f"{_name}x {{FRp}}, {{RA0}}, {{RB}}", move=_move_pair)
