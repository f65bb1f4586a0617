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


def load(cpu, FRT, address: Bits, kind: str) -> None:
    """Load a register: a double, a single, or a word as an integer with its sign (a) or with zeros (z)."""
    value = cpu.mem_read(address, 8 if kind == "d" else 4)
    cpu.set_fpr(FRT, {"d": lambda: value, "s": lambda: double(cpu, value),
                      "a": lambda: sext(value, 64), "z": lambda: zext(value, 64)}[kind]())


def store(cpu, FRS, address: Bits, kind: str) -> None:
    """Store a register: a double, a single, or its lower word (w)."""
    value = cpu.fpr(FRS)
    cpu.mem_write(address, {"d": lambda: value, "s": lambda: single(cpu, value), "w": lambda: value[31:0]}[kind]())


# -- forms: D and X, with update ----------------------------------------------------------------------------------------


def load_d(cpu, FRT, RA0, D, kind):
    """Load Floating-Point. Book I, 4.6.2."""
    load(cpu, FRT, _address(cpu, cpu.base(RA0), D), kind)


def load_d_update(cpu, FRT, RA, D, kind):
    """Load Floating-Point with Update. Book I, 4.6.2."""
    address = _address(cpu, cpu.GPR[RA], D)
    load(cpu, FRT, address, kind)
    cpu.GPR[RA] = address


def load_x(cpu, FRT, RA0, RB, kind):
    """Load Floating-Point Indexed. Book I, 4.6.2."""
    load(cpu, FRT, _address(cpu, cpu.base(RA0), cpu.GPR[RB]), kind)


def load_x_update(cpu, FRT, RA, RB, kind):
    """Load Floating-Point with Update Indexed. Book I, 4.6.2."""
    address = _address(cpu, cpu.GPR[RA], cpu.GPR[RB])
    load(cpu, FRT, address, kind)
    cpu.GPR[RA] = address


def store_d(cpu, FRS, RA0, D, kind):
    """Store Floating-Point. Book I, 4.6.3."""
    store(cpu, FRS, _address(cpu, cpu.base(RA0), D), kind)


def store_d_update(cpu, FRS, RA, D, kind):
    """Store Floating-Point with Update. Book I, 4.6.3."""
    address = _address(cpu, cpu.GPR[RA], D)
    store(cpu, FRS, address, kind)
    cpu.GPR[RA] = address


def store_x(cpu, FRS, RA0, RB, kind):
    """Store Floating-Point Indexed. Book I, 4.6.3."""
    store(cpu, FRS, _address(cpu, cpu.base(RA0), cpu.GPR[RB]), kind)


def store_x_update(cpu, FRS, RA, RB, kind):
    """Store Floating-Point with Update Indexed. Book I, 4.6.3."""
    address = _address(cpu, cpu.GPR[RA], cpu.GPR[RB])
    store(cpu, FRS, address, kind)
    cpu.GPR[RA] = address


for _kind, _load, _store, _index in (("s", 48, 52, 535), ("d", 50, 54, 599)):
    ppc.row(load_d, f"{_load}:6 FRT RA0 D", f"lf{_kind} {{FRT}}, {{D}}({{RA0}})", kind=_kind)
    ppc.row(load_d_update, f"{_load + 1}:6 FRT RA D", f"lf{_kind}u {{FRT}}, {{D}}({{RA}})", where="RA != 0", kind=_kind)
    ppc.row(load_x, f"31:6 FRT RA0 RB {_index}:10 -", f"lf{_kind}x {{FRT}}, {{RA0}}, {{RB}}", kind=_kind)
    ppc.row(load_x_update, f"31:6 FRT RA RB {_index + 32}:10 -", f"lf{_kind}ux {{FRT}}, {{RA}}, {{RB}}", where="RA != 0", kind=_kind)
    ppc.row(store_d, f"{_store}:6 FRS RA0 D", f"stf{_kind} {{FRS}}, {{D}}({{RA0}})", kind=_kind)
    ppc.row(store_d_update, f"{_store + 1}:6 FRS RA D", f"stf{_kind}u {{FRS}}, {{D}}({{RA}})", where="RA != 0", kind=_kind)
    ppc.row(store_x, f"31:6 FRS RA0 RB {_index + 128}:10 -", f"stf{_kind}x {{FRS}}, {{RA0}}, {{RB}}", kind=_kind)
    ppc.row(store_x_update, f"31:6 FRS RA RB {_index + 160}:10 -", f"stf{_kind}ux {{FRS}}, {{RA}}, {{RB}}", where="RA != 0", kind=_kind)

ppc.row(store_x, "31:6 FRS RA0 RB 983:10 -", "stfiwx {FRS}, {RA0}, {RB}", kind="w")
ppc64.row(load_x, "31:6 FRT RA0 RB 855:10 -", "lfiwax {FRT}, {RA0}, {RB}", kind="a")
ppc64.row(load_x, "31:6 FRT RA0 RB 887:10 -", "lfiwzx {FRT}, {RA0}, {RB}", kind="z")


# -- pairs --------------------------------------------------------------------------------------------------------------
# 64-bit alone, little-endian: the odd register's doubleword stands first in memory (Book I, 4.6.4)


def _pair(number: Bits) -> tuple[RegNo, RegNo]:
    return RegNo(cat(number, const(1, 1))), RegNo(cat(number, const(0, 1)))


def _load_pair(cpu, FRTp: Bits, address: Bits) -> None:
    values = [cpu.mem_read(address + at, 8) for at in (0, 8)]
    for register, value in zip(_pair(FRTp), values, strict=True):
        cpu.set_fpr(register, value)


def _store_pair(cpu, FRSp: Bits, address: Bits) -> None:
    for register, at in zip(_pair(FRSp), (0, 8), strict=True):
        cpu.mem_write(address + at, cpu.fpr(register))


@ppc64("57:6 FRTp:4 0 RA0 DS 00", "lfdp {FRTp}, {DS}({RA0})")
def lfdp(cpu, FRTp, RA0, DS):
    """Load Floating-Point Double Pair. Book I, 4.6.4."""
    _load_pair(cpu, FRTp, cpu.base(RA0) + sext(cat(DS, const(0, 2)), 64))


@ppc64("31:6 FRTp:4 0 RA0 RB 791:10 -", "lfdpx {FRTp}, {RA0}, {RB}")
def lfdpx(cpu, FRTp, RA0, RB):
    """Load Floating-Point Double Pair Indexed. Book I, 4.6.4."""
    _load_pair(cpu, FRTp, cpu.base(RA0) + cpu.GPR[RB])


@ppc64("61:6 FRSp:4 0 RA0 DS 00", "stfdp {FRSp}, {DS}({RA0})")
def stfdp(cpu, FRSp, RA0, DS):
    """Store Floating-Point Double Pair. Book I, 4.6.4."""
    _store_pair(cpu, FRSp, cpu.base(RA0) + sext(cat(DS, const(0, 2)), 64))


@ppc64("31:6 FRSp:4 0 RA0 RB 919:10 -", "stfdpx {FRSp}, {RA0}, {RB}")
def stfdpx(cpu, FRSp, RA0, RB):
    """Store Floating-Point Double Pair Indexed. Book I, 4.6.4."""
    _store_pair(cpu, FRSp, cpu.base(RA0) + cpu.GPR[RB])
