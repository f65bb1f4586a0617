"""Vector loads and stores, VSCR, data streams. Power ISA Book I, 6.3.2, 6.7, 6.8.4, 6.18; data streams: AltiVec, 3.2.

Memory depends on the byte order, registers do not: a little-endian quadword has element 0 at its highest address.
"""

from __future__ import annotations

from xemu.core.bits import Bits, Lanes, cat, const, zext
from xemu.targets.ppc.isa import ppc
from xemu.targets.ppc.vmx_lanes import B, H, Q, W, choose, lane_is, lanes_of, shifted_bytes


def _address(cpu, RA0, RB) -> Bits:
    addr: Bits = cpu.base(RA0) + cpu.GPR[RB]
    return addr


@ppc("31:6 VRT RA0 RB 103:10 -", "lvx {VRT}, {RA0}, {RB}")
@ppc("31:6 VRT RA0 RB 359:10 -", "lvxl {VRT}, {RA0}, {RB}")
def load_vector(cpu, VRT, RA0, RB):
    """Load Vector Indexed (Last). Book I, 6.7.2. The low four bits of the address are ignored."""
    addr = _address(cpu, RA0, RB) & -16
    cpu.probe(addr, 16)
    cpu.set_vr(VRT, cpu.mem_read(addr, 16, checked=False))


@ppc("31:6 VRS RA0 RB 231:10 -", "stvx {VRS}, {RA0}, {RB}")
@ppc("31:6 VRS RA0 RB 487:10 -", "stvxl {VRS}, {RA0}, {RB}")
def store_vector(cpu, VRS, RA0, RB):
    """Store Vector Indexed (Last). Book I, 6.7.3. The low four bits of the address are ignored."""
    addr = _address(cpu, RA0, RB) & -16
    cpu.probe(addr, 16, write=True)
    cpu.mem_write(addr, cpu.vr(VRS), checked=False)


def _lane(cpu, addr: Bits, size: int) -> Bits:
    """Return the lane that an element at this address has (8 bits): elements stand in the register as in memory."""
    number = zext(addr[3:size.bit_length() - 4], 8)
    return Q // size - 1 - number if cpu.big else number


@ppc("31:6 VRT RA0 RB 7:10 -", "lvebx {VRT}, {RA0}, {RB}", size=B)
@ppc("31:6 VRT RA0 RB 39:10 -", "lvehx {VRT}, {RA0}, {RB}", size=H)
@ppc("31:6 VRT RA0 RB 71:10 -", "lvewx {VRT}, {RA0}, {RB}", size=W)
def load_element(cpu, VRT, RA0, RB, size):
    """Load Vector Element Indexed. Book I, 6.7.2. The other elements, undefined in the manual, stay."""
    addr = _address(cpu, RA0, RB) & -(size // 8)
    old, value = Lanes(cpu.vr(VRT), size), cpu.mem_read(addr, size // 8)
    cpu.set_vr(VRT, choose(lane_is(_lane(cpu, addr, size), size), Lanes.splat(value, old.count), old).bits)


@ppc("31:6 VRS RA0 RB 135:10 -", "stvebx {VRS}, {RA0}, {RB}", size=B)
@ppc("31:6 VRS RA0 RB 167:10 -", "stvehx {VRS}, {RA0}, {RB}", size=H)
@ppc("31:6 VRS RA0 RB 199:10 -", "stvewx {VRS}, {RA0}, {RB}", size=W)
def store_element(cpu, VRS, RA0, RB, size):
    """Store Vector Element Indexed. Book I, 6.7.3."""
    addr = _address(cpu, RA0, RB) & -(size // 8)
    first = _lane(cpu, addr, size) * (size // 8)
    cpu.mem_write(addr, shifted_bytes(cpu.vr(VRS), first, left=False)[size - 1:0])


@ppc("31:6 VRT RA0 RB 6:10 -", "lvsl {VRT}, {RA0}, {RB}", left=True)
@ppc("31:6 VRT RA0 RB 38:10 -", "lvsr {VRT}, {RA0}, {RB}", left=False)
def load_shift(cpu, VRT, RA0, RB, left):
    """Load Vector for Shift Left/Right: numbers for Vector Permute. Book I, 6.7.4. The same in both byte orders."""
    shift = zext(_address(cpu, RA0, RB)[3:0], 8)
    numbers = lanes_of(range(15, -1, -1), B)
    cpu.set_vr(VRT, (numbers + Lanes.splat(shift if left else 16 - shift, 16)).bits)


@ppc("4:6 VRT 00000 00000 1540:11", "mfvscr {VRT}")
def mfvscr(cpu, VRT):
    """Move From Vector Status and Control Register. Book I, 6.18."""
    cpu.set_vr(VRT, cat(const(0, 111), cpu.NJ, const(0, 15), cpu.SAT))


@ppc("4:6 00000 00000 VRB 1604:11", "mtvscr {VRB}")
def mtvscr(cpu, VRB):
    """Move To Vector Status and Control Register. Book I, 6.18. How floating point treats denormals is part of the context."""
    value = cpu.vr(VRB)
    cpu.NJ, cpu.SAT = value[16], value[0]
    cpu.branch(cpu.next_pc, context=cat(const(0, 14), ~value[16], const(cpu.context.FP, 1)))


@ppc("31:6 - -- STRM RA RB 342:10 -", "dst {RA}, {RB}, {STRM}", where="RA != 0")
@ppc("31:6 - -- STRM RA RB 374:10 -", "dstst {RA}, {RB}, {STRM}", where="RA != 0")
@ppc("31:6 - -- STRM ----- ----- 822:10 -", "dss {STRM}")
def data_stream(cpu):
    """Data Stream Touch (for Store), Stop: hints, whether transient or not, of one stream or all. AltiVec Programming Environments, 6.2."""
