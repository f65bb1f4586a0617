"""Vector-scalar loads and stores. Power ISA Book I, 7.6.1.2 and 7.6.1.3.

In little-endian mode a quadword stands in memory lowest byte first, and so does each element of the forms that name one.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from xemu.core.bits import Bits, cat, const, mux, sext, ult, zext
from xemu.core.record import when
from xemu.targets.ppc.fp_load_store import double, single
from xemu.targets.ppc.isa import ppc64
from xemu.targets.ppc.state import plus32
from xemu.targets.ppc.vsx import reversed_lanes, scalar, set_scalar, splat

if TYPE_CHECKING:
    from xemu.targets.ppc.state import PpcCpu


def _quadword(cpu: PpcCpu, address: Bits) -> Bits:
    """Return 16 bytes, the first as the lowest."""
    cpu.probe(address, 16)
    return cpu.mem_read(address, 16, checked=False)


def _set_quadword(cpu: PpcCpu, address: Bits, value: Bits) -> None:
    cpu.probe(address, 16, write=True)
    cpu.mem_write(address, value, checked=False)


def _indexed(cpu: PpcCpu, RA0, RB) -> Bits:
    address: Bits = cpu.base(RA0) + cpu.GPR[RB]
    return address


# -- whole registers ----------------------------------------------------------------------------------------------------


@ppc64("61:6 T RA0 DQ TX 001", "lxv {XT}, {DQ}({RA0})")
def lxv(cpu, XT, RA0, DQ):
    """Load VSX Vector. Book I, 7.6.1.2."""
    cpu.VSR[XT] = _quadword(cpu, cpu.base(RA0) + sext(cat(DQ, const(0, 4)), 64))


@ppc64("61:6 S RA0 DQ SX 101", "stxv {XS}, {DQ}({RA0})")
def stxv(cpu, XS, RA0, DQ):
    """Store VSX Vector. Book I, 7.6.1.3."""
    _set_quadword(cpu, cpu.base(RA0) + sext(cat(DQ, const(0, 4)), 64), cpu.VSR[XS])


def load_vector(cpu, XT, RA0, RB, order):
    """Load VSX Vector Indexed, in the order of the elements. Book I, 7.6.1.2."""
    cpu.VSR[XT] = order(_quadword(cpu, _indexed(cpu, RA0, RB)))


def store_vector(cpu, XS, RA0, RB, order):
    """Store VSX Vector Indexed, in the order of the elements. Book I, 7.6.1.3."""
    _set_quadword(cpu, _indexed(cpu, RA0, RB), order(cpu.VSR[XS]))



for _xo, _name, _order in (
    ("0100 - 01100", "v", lambda x: x),
    ("844:10", "vd2", partial(reversed_lanes, size=64)), ("780:10", "vw4", partial(reversed_lanes, size=32)),
    ("812:10", "vh8", partial(reversed_lanes, size=16)), ("876:10", "vb16", partial(reversed_lanes, size=8)),
):
    _store = "396:10" if _name == "v" else f"{int(_xo[:3]) + 128}:10"
    ppc64.row(load_vector, f"31:6 T RA0 RB {_xo} TX", f"lx{_name}x {{XT}}, {{RA0}}, {{RB}}", order=_order)
    ppc64.row(store_vector, f"31:6 S RA0 RB {_store} SX", f"stx{_name}x {{XS}}, {{RA0}}, {{RB}}", order=_order)


def load_splat(cpu, XT, RA0, RB, size):
    """Load VSX Vector Doubleword or Word & Splat Indexed. Book I, 7.6.1.2."""
    cpu.VSR[XT] = splat(cpu.mem_read(_indexed(cpu, RA0, RB), size))


ppc64.row(load_splat, "31:6 T RA0 RB 332:10 TX", "lxvdsx {XT}, {RA0}, {RB}", size=8)
ppc64.row(load_splat, "31:6 T RA0 RB 364:10 TX", "lxvwsx {XT}, {RA0}, {RB}", size=4)


# -- with a length ---------------------------------------------------------------------------------------------------------


def _length(cpu: PpcCpu, RB) -> Bits:
    """Return how many bytes: the top byte of RB, at most 16."""
    length = cpu.GPR[RB][63:56]
    return mux(ult(length, 16), length, const(16, 8))


def _pieces(length: Bits) -> list[tuple[int, Bits, Bits]]:
    """Return the powers of two that make up a length: bytes, whether there is this piece, its offset."""
    out = []
    for log in (4, 3, 2, 1, 0):
        before = length & (0x1F & -(2 << log))
        out.append((1 << log, length[log], before))
    return out


def load_with_length(cpu, XT, RA0, RB, left):
    """Load VSX Vector with Length, justified to the right or (`left`) with byte 0 as element 0. Book I, 7.6.1.2."""
    address, length = cpu.base(RA0), _length(cpu, RB)
    cpu.probe(address, length)
    total = const(0, 128)
    for size, there, offset in _pieces(length):
        with when(there):
            piece = cpu.mem_read(address + zext(offset, 64), size, checked=False)
        total = total | zext(piece, 128) << zext(offset, 128) * 8
    cpu.VSR[XT] = reversed_lanes(total, 8) if left else total


def store_with_length(cpu, XS, RA0, RB, left):
    """Store VSX Vector with Length, likewise. Book I, 7.6.1.3."""
    address, length, value = cpu.base(RA0), _length(cpu, RB), cpu.VSR[XS]
    value = reversed_lanes(value, 8) if left else value
    cpu.probe(address, length, write=True)
    for size, there, offset in _pieces(length):
        piece = (value >> zext(offset, 128) * 8)[8 * size - 1:0]
        with when(there):
            cpu.mem_write(address + zext(offset, 64), piece, checked=False)


for _opcode, _suffix, _left in (269, "", False), (301, "l", True):
    ppc64.row(load_with_length, f"31:6 T RA0 RB {_opcode}:10 TX", f"lxvl{_suffix} {{XT}}, {{RA0}}, {{RB}}", left=_left)
    ppc64.row(store_with_length, f"31:6 S RA0 RB {_opcode + 128}:10 SX", f"stxvl{_suffix} {{XS}}, {{RA0}}, {{RB}}", left=_left)


# -- scalars ---------------------------------------------------------------------------------------------------------------


def loaded(cpu: PpcCpu, value: Bits, becomes: str) -> Bits:
    """Return what a loaded scalar becomes: a doubleword, an integer with its sign or zeros, a double."""
    return double(cpu, value) if becomes == "single" else sext(value, 64) if becomes == "sign" else zext(value, 64)


def load_scalar(cpu, XT, RA0, RB, size, becomes):
    """Load VSX Scalar Indexed. Book I, 7.6.1.2."""
    set_scalar(cpu, XT, loaded(cpu, cpu.mem_read(_indexed(cpu, RA0, RB), size), becomes))


def store_scalar(cpu, XS, RA0, RB, size):
    """Store VSX Scalar Indexed: the low bytes of doubleword 0. Book I, 7.6.1.3."""
    cpu.mem_write(_indexed(cpu, RA0, RB), scalar(cpu, XS)[8 * size - 1:0])


for _opcode, _name, _size, _becomes in (
    (588, "lxsdx", 8, "zero"), (524, "lxsspx", 4, "single"), (76, "lxsiwax", 4, "sign"), (12, "lxsiwzx", 4, "zero"),
    (781, "lxsibzx", 1, "zero"), (813, "lxsihzx", 2, "zero"),
):
    ppc64.row(load_scalar, f"31:6 T RA0 RB {_opcode}:10 TX", f"{_name} {{XT}}, {{RA0}}, {{RB}}", size=_size, becomes=_becomes)
for _opcode, _name, _size in (716, "stxsdx", 8), (140, "stxsiwx", 4), (909, "stxsibx", 1), (941, "stxsihx", 2):
    ppc64.row(store_scalar, f"31:6 S RA0 RB {_opcode}:10 SX", f"{_name} {{XS}}, {{RA0}}, {{RB}}", size=_size)


@ppc64("31:6 S RA0 RB 652:10 SX", "stxsspx {XS}, {RA0}, {RB}")
def stxsspx(cpu, XS, RA0, RB):
    """Store VSX Scalar Single-Precision Indexed. Book I, 7.6.1.3."""
    cpu.mem_write(_indexed(cpu, RA0, RB), single(cpu, scalar(cpu, XS)))


def _displaced(cpu: PpcCpu, RA0, DS: Bits) -> Bits:
    address: Bits = cpu.base(RA0) + sext(cat(DS, const(0, 2)), 64)
    return address


@ppc64("57:6 VRT RA0 DS 10", "lxsd {VRT}, {DS}({RA0})", size=8, becomes="zero")
@ppc64("57:6 VRT RA0 DS 11", "lxssp {VRT}, {DS}({RA0})", size=4, becomes="single")
def lxsd(cpu, VRT, RA0, DS, size, becomes):
    """Load VSX Scalar Doubleword or Single-Precision. Book I, 7.6.1.2."""
    set_scalar(cpu, plus32(VRT), loaded(cpu, cpu.mem_read(_displaced(cpu, RA0, DS), size), becomes))


@ppc64("61:6 VRS RA0 DS 10", "stxsd {VRS}, {DS}({RA0})")
def stxsd(cpu, VRS, RA0, DS):
    """Store VSX Scalar Doubleword. Book I, 7.6.1.3."""
    cpu.mem_write(_displaced(cpu, RA0, DS), scalar(cpu, plus32(VRS)))


@ppc64("61:6 VRS RA0 DS 11", "stxssp {VRS}, {DS}({RA0})")
def stxssp(cpu, VRS, RA0, DS):
    """Store VSX Scalar Single-Precision. Book I, 7.6.1.3."""
    cpu.mem_write(_displaced(cpu, RA0, DS), single(cpu, scalar(cpu, plus32(VRS))))
