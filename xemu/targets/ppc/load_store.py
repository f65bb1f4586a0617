"""Fixed-point loads and stores of one register, of two and with the bytes reversed. Power ISA Book I, 3.3.2 to 3.3.5."""

from __future__ import annotations

from typing import NamedTuple

from xemu.core.bits import Bits, cat, const, sext
from xemu.core.record import RegNo, when
from xemu.targets.ppc.isa import Family, ppc, ppc64


class Access(NamedTuple):
    """What the rows of one mnemonic do with memory."""

    size: int               # bytes
    signed: bool = False    # extended with its sign (algebraic)
    reverse: bool = False   # in the other byte order


def loaded(cpu, at: Bits, access: Access) -> Bits:
    """Return what a load gives a register."""
    value = cpu.mem_read(at, access.size, reverse=access.reverse)
    return sext(value, cpu.xlen) if access.signed else cpu.extend(value)


def stored(cpu, at: Bits, RS: RegNo, access: Access) -> None:
    """Write the low bytes of a register."""
    cpu.mem_write(at, cpu.GPR[RS][8 * access.size - 1:0], reverse=access.reverse)


def displacement(cpu, D: Bits, zeros: int = 0) -> Bits:
    """Return a displacement as wide as an address; DS and DQ fields have zeros behind them."""
    return sext(cat(D, const(0, zeros)) if zeros else D, cpu.xlen)


def load(cpu, RT, RA0, D, access):
    """Load. Book I, 3.3.2."""
    cpu.GPR[RT] = loaded(cpu, cpu.base(RA0) + displacement(cpu, D), access)


def load_ds(cpu, RT, RA0, DS, access):
    """Load, DS-form. Book I, 3.3.2."""
    cpu.GPR[RT] = loaded(cpu, cpu.base(RA0) + displacement(cpu, DS, 2), access)


def load_indexed(cpu, RT, RA0, RB, access):
    """Load Indexed. Book I, 3.3.2."""
    cpu.GPR[RT] = loaded(cpu, cpu.base(RA0) + cpu.GPR[RB], access)


def _load_update(cpu, RT: RegNo, RA: RegNo, offset: Bits, access: Access) -> None:
    with when(RA == RT):                # an invalid form
        cpu.undefined()
    at = cpu.GPR[RA] + offset
    value = loaded(cpu, at, access)
    cpu.GPR[RA] = at
    cpu.GPR[RT] = value


def load_update(cpu, RT, RA, D, access):
    """Load with Update. Book I, 3.3.2."""
    _load_update(cpu, RT, RA, displacement(cpu, D), access)


def load_update_ds(cpu, RT, RA, DS, access):
    """Load with Update, DS-form. Book I, 3.3.2."""
    _load_update(cpu, RT, RA, displacement(cpu, DS, 2), access)


def load_update_indexed(cpu, RT, RA, RB, access):
    """Load with Update Indexed. Book I, 3.3.2."""
    _load_update(cpu, RT, RA, cpu.GPR[RB], access)


def store(cpu, RS, RA0, D, access):
    """Store. Book I, 3.3.3."""
    stored(cpu, cpu.base(RA0) + displacement(cpu, D), RS, access)


def store_ds(cpu, RS, RA0, DS, access):
    """Store, DS-form. Book I, 3.3.3."""
    stored(cpu, cpu.base(RA0) + displacement(cpu, DS, 2), RS, access)


def store_indexed(cpu, RS, RA0, RB, access):
    """Store Indexed. Book I, 3.3.3."""
    stored(cpu, cpu.base(RA0) + cpu.GPR[RB], RS, access)


def _store_update(cpu, RS: RegNo, RA: RegNo, offset: Bits, access: Access) -> None:
    at = cpu.GPR[RA] + offset
    stored(cpu, at, RS, access)
    cpu.GPR[RA] = at


def store_update(cpu, RS, RA, D, access):
    """Store with Update. Book I, 3.3.3."""
    _store_update(cpu, RS, RA, displacement(cpu, D), access)


def store_update_ds(cpu, RS, RA, DS, access):
    """Store with Update, DS-form. Book I, 3.3.3."""
    _store_update(cpu, RS, RA, displacement(cpu, DS, 2), access)


def store_update_indexed(cpu, RS, RA, RB, access):
    """Store with Update Indexed. Book I, 3.3.3."""
    _store_update(cpu, RS, RA, cpu.GPR[RB], access)


#: mnemonic; access; opcodes: D-form, D-form with update, X-form, X-form with update
Forms = tuple[str, Access, int, int, int, int]
LOADS: list[Forms] = [
    ("lbz", Access(1), 34, 35, 87, 119), ("lhz", Access(2), 40, 41, 279, 311), ("lha", Access(2, signed=True), 42, 43, 343, 375),
    ("lwz", Access(4), 32, 33, 23, 55),
]
STORES: list[Forms] = [
    ("stb", Access(1), 38, 39, 215, 247), ("sth", Access(2), 44, 45, 407, 439), ("stw", Access(4), 36, 37, 151, 183),
]


def _indexed(family: Family, name: str, access: Access, opcode: int, *, stores: bool = False) -> None:
    r = "RS" if stores else "RT"
    family.row(store_indexed if stores else load_indexed, f"31:6 {r} RA0 RB {opcode}:10 -",
               f"{name} {{{r}}}, {{RA0}}, {{RB}}", access=access)


def _indexed_update(family: Family, name: str, access: Access, opcode: int, *, stores: bool = False) -> None:
    r = "RS" if stores else "RT"
    family.row(store_update_indexed if stores else load_update_indexed, f"31:6 {r} RA RB {opcode}:10 -",
               f"{name} {{{r}}}, {{RA}}, {{RB}}", where="RA != 0", access=access)


def _rows(forms: list[Forms], *, stores: bool) -> None:
    r, plain, update = ("RS", store, store_update) if stores else ("RT", load, load_update)
    for name, access, d, du, x, ux in forms:
        ppc.row(plain, f"{d}:6 {r} RA0 D", f"{name} {{{r}}}, {{D}}({{RA0}})", access=access)
        ppc.row(update, f"{du}:6 {r} RA D", f"{name}u {{{r}}}, {{D}}({{RA}})", where="RA != 0", access=access)
        _indexed(ppc, name + "x", access, x, stores=stores)
        _indexed_update(ppc, name + "ux", access, ux, stores=stores)


_rows(LOADS, stores=False)
_rows(STORES, stores=True)

DOUBLEWORD, ALGEBRAIC = Access(8), Access(4, signed=True)
ppc64.row(load_ds, "58:6 RT RA0 DS 00", "ld {RT}, {DS}({RA0})", access=DOUBLEWORD)
ppc64.row(load_update_ds, "58:6 RT RA DS 01", "ldu {RT}, {DS}({RA})", where="RA != 0", access=DOUBLEWORD)
ppc64.row(load_ds, "58:6 RT RA0 DS 10", "lwa {RT}, {DS}({RA0})", access=ALGEBRAIC)
ppc64.row(store_ds, "62:6 RS RA0 DS 00", "std {RS}, {DS}({RA0})", access=DOUBLEWORD)
ppc64.row(store_update_ds, "62:6 RS RA DS 01", "stdu {RS}, {DS}({RA})", where="RA != 0", access=DOUBLEWORD)
_indexed(ppc64, "ldx", DOUBLEWORD, 21)
_indexed_update(ppc64, "ldux", DOUBLEWORD, 53)
_indexed(ppc64, "lwax", ALGEBRAIC, 341)
_indexed_update(ppc64, "lwaux", ALGEBRAIC, 373)
_indexed(ppc64, "stdx", DOUBLEWORD, 149, stores=True)
_indexed_update(ppc64, "stdux", DOUBLEWORD, 181, stores=True)

# -- byte-reversed (3.3.5) ---------------------------------------------------------------------------------------------

for _family, _name, _size, _load, _store in ((ppc, "h", 2, 790, 918), (ppc, "w", 4, 534, 662), (ppc64, "d", 8, 532, 660)):
    _indexed(_family, f"l{_name}brx", Access(_size, reverse=True), _load)
    _indexed(_family, f"st{_name}brx", Access(_size, reverse=True), _store, stores=True)

# -- quadwords (3.3.4): the even register has the upper half, in both byte orders ----------------------------------------


def even_pair(number: Bits) -> tuple[RegNo, RegNo]:
    """Return registers 2n and 2n + 1."""
    return RegNo(cat(number, const(0, 1))), RegNo(cat(number, const(1, 1)))


def read_quadword(cpu, at: Bits) -> Bits:
    """Read 16 bytes."""
    cpu.probe(at, 16)
    value: Bits = cpu.mem_read(at, 16, checked=False)
    return value


@ppc64("56:6 RTp:4 0 RA0 DQ ----", "lq {RTp}, {DQ}({RA0})")
def lq(cpu, RTp, RA0, DQ):
    """Load Quadword. Book I, 3.3.4."""
    high, low = even_pair(RTp)
    with when((high == RA0) & (RA0 != 0)):               # an invalid form
        cpu.undefined()
    value = read_quadword(cpu, cpu.base(RA0) + displacement(cpu, DQ, 4))
    cpu.GPR[high], cpu.GPR[low] = value[127:64], value[63:0]


@ppc64("62:6 RSp:4 0 RA0 DS 10", "stq {RSp}, {DS}({RA0})")
def stq(cpu, RSp, RA0, DS):
    """Store Quadword. Book I, 3.3.4."""
    high, low = even_pair(RSp)
    at = cpu.base(RA0) + displacement(cpu, DS, 2)
    cpu.probe(at, 16, write=True)
    cpu.mem_write(at, cat(cpu.GPR[high], cpu.GPR[low]), checked=False)


