"""Fixed-point addition, subtraction and comparison. Power ISA Book I, 3.3.9 and 3.3.10."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, add_carry, carry_of, cat, const, mux, overflow_of, sext, ule
from xemu.targets.ppc.isa import ppc, ppc32, ppc64

if TYPE_CHECKING:
    from xemu.core.record import RegNo


def finish(cpu, RT: RegNo, result: Bits, OE: int, Rc: int, overflow: Bits | None = None, overflow32: Bits | None = None) -> None:
    """Write a result, OV (OE = 1) and CR0 (Rc = 1)."""
    cpu.GPR[RT] = result
    if OE:
        cpu.set_overflow(overflow, overflow32)
    if Rc:
        cpu.record(result)


def add_to(cpu, RT: RegNo, x: Bits, y: Bits, carry: Bits, OE: int = 0, Rc: int = 0, *, sets_carry: bool = True) -> None:
    """RT = x + y + carry, with OV and CA as asked for; a subtraction y - x passes y and ~x. Book I, 3.3.9."""
    total = add_carry(x, y, carry)
    overflow = overflow32 = None
    if OE:
        overflow = overflow_of(x, y, total)
        overflow32 = overflow_of(x[31:0], y[31:0], total[31:0]) if cpu.context.SF else None
    if sets_carry:
        cpu.CA = carry_of(x, y, total)
        if cpu.context.SF:
            cpu.CA32 = carry32(x, y, total)
    finish(cpu, RT, total, OE, Rc, overflow, overflow32)


def carry32(x: Bits, y: Bits, total: Bits) -> Bits:
    """Return the carry into bit 31 (from the right: 32) of a sum: what makes that bit differ from x ^ y."""
    return (x ^ y ^ total)[32]


# -- addition and subtraction (3.3.9) --------------------------------------------------------------------------------


@ppc("14:6 RT RA0 SI", "addi {RT}, {RA0}, {SI}", shift=0)
@ppc("15:6 RT RA0 SI", "addis {RT}, {RA0}, {SI}", shift=16)
def addi(cpu, RT, RA0, SI, shift):
    """Add Immediate (Shifted). Book I, 3.3.9."""
    value = sext(cat(SI, const(0, shift)) if shift else SI, cpu.xlen)
    cpu.GPR[RT] = cpu.base(RA0) + value


@ppc64("19:6 RT d1:5 d0:10 2:5 d2:1", "addpcis {RT}, {d0}")
def addpcis(cpu, RT, d0, d1, d2):
    """Add PC Immediate Shifted. Book I, 3.3.9."""
    cpu.GPR[RT] = cpu.next_pc + sext(cat(d0, d1, d2, const(0, 16)), 64)


@ppc("12:6 RT RA SI", "addic {RT}, {RA}, {SI}", Rc=0)
@ppc("13:6 RT RA SI", "addic. {RT}, {RA}, {SI}", Rc=1)
def addic(cpu, RT, RA, SI, Rc):
    """Add Immediate Carrying (and Record). Book I, 3.3.9."""
    add_to(cpu, RT, cpu.GPR[RA], sext(SI, cpu.xlen), const(0, 1), 0, Rc)


@ppc("8:6 RT RA SI", "subfic {RT}, {RA}, {SI}")
def subfic(cpu, RT, RA, SI):
    """Subtract From Immediate Carrying. Book I, 3.3.9."""
    add_to(cpu, RT, sext(SI, cpu.xlen), ~cpu.GPR[RA], const(1, 1))


@ppc("31:6 RT RA RB OE 266:9 Rc", "add{o}{Rc} {RT}, {RA}, {RB}", sets_carry=False)
@ppc("31:6 RT RA RB OE 10:9 Rc", "addc{o}{Rc} {RT}, {RA}, {RB}", sets_carry=True)
def add(cpu, RT, RA, RB, OE, Rc, sets_carry):
    """Add (Carrying). Book I, 3.3.9."""
    add_to(cpu, RT, cpu.GPR[RA], cpu.GPR[RB], const(0, 1), OE, Rc, sets_carry=sets_carry)


@ppc("31:6 RT RA RB OE 40:9 Rc", "subf{o}{Rc} {RT}, {RA}, {RB}", sets_carry=False)
@ppc("31:6 RT RA RB OE 8:9 Rc", "subfc{o}{Rc} {RT}, {RA}, {RB}", sets_carry=True)
def subf(cpu, RT, RA, RB, OE, Rc, sets_carry):
    """Subtract From (Carrying). Book I, 3.3.9."""
    add_to(cpu, RT, cpu.GPR[RB], ~cpu.GPR[RA], const(1, 1), OE, Rc, sets_carry=sets_carry)


@ppc("31:6 RT RA RB OE 138:9 Rc", "adde{o}{Rc} {RT}, {RA}, {RB}")
def adde(cpu, RT, RA, RB, OE, Rc):
    """Add Extended. Book I, 3.3.9."""
    add_to(cpu, RT, cpu.GPR[RA], cpu.GPR[RB], cpu.CA, OE, Rc)


@ppc("31:6 RT RA RB OE 136:9 Rc", "subfe{o}{Rc} {RT}, {RA}, {RB}")
def subfe(cpu, RT, RA, RB, OE, Rc):
    """Subtract From Extended. Book I, 3.3.9."""
    add_to(cpu, RT, cpu.GPR[RB], ~cpu.GPR[RA], cpu.CA, OE, Rc)


@ppc("31:6 RT RA ----- OE 234:9 Rc", "addme{o}{Rc} {RT}, {RA}", other=-1)
@ppc("31:6 RT RA ----- OE 202:9 Rc", "addze{o}{Rc} {RT}, {RA}", other=0)
def add_constant(cpu, RT, RA, OE, Rc, other):
    """Add to Minus One / Zero Extended. Book I, 3.3.9."""
    add_to(cpu, RT, cpu.GPR[RA], const(other, cpu.xlen), cpu.CA, OE, Rc)


@ppc("31:6 RT RA ----- OE 232:9 Rc", "subfme{o}{Rc} {RT}, {RA}", other=-1)
@ppc("31:6 RT RA ----- OE 200:9 Rc", "subfze{o}{Rc} {RT}, {RA}", other=0)
def subf_constant(cpu, RT, RA, OE, Rc, other):
    """Subtract From Minus One / Zero Extended. Book I, 3.3.9."""
    add_to(cpu, RT, ~cpu.GPR[RA], const(other, cpu.xlen), cpu.CA, OE, Rc)


@ppc("31:6 RT RA ----- OE 104:9 Rc", "neg{o}{Rc} {RT}, {RA}")
def neg(cpu, RT, RA, OE, Rc):
    """Negate. Book I, 3.3.9."""
    value = cpu.GPR[RA]
    overflow32 = value[31:0] == const(1 << 31, 32)
    overflow = value == const(1 << 63, 64) if cpu.context.SF else overflow32
    finish(cpu, RT, -value, OE, Rc, overflow, overflow32)


@ppc64("31:6 RT RA RB 0:2 170:8 -", "addex {RT}, {RA}, {RB}, 0")
def addex(cpu, RT, RA, RB):
    """Add Extended using alternate carry: OV and OV32 take the place of CA and CA32; SO stays. Book I, 3.3.9."""
    x, y = cpu.GPR[RA], cpu.GPR[RB]
    total = add_carry(x, y, cpu.OV)
    cpu.OV, cpu.OV32 = carry_of(x, y, total), carry32(x, y, total)
    cpu.GPR[RT] = total


# -- comparison (3.3.10) ---------------------------------------------------------------------------------------------
# L says doublewords; processors with 32 bits ignore it.


@ppc32("11:6 BF - - RA SI", "cmpwi {BF}, {RA}, {SI}", size=32)
@ppc64("11:6 BF - 0 RA SI", "cmpwi {BF}, {RA}, {SI}", size=32)
@ppc64("11:6 BF - 1 RA SI", "cmpdi {BF}, {RA}, {SI}", size=64)
def cmpi(cpu, BF, RA, SI, size):
    """Compare Immediate. Book I, 3.3.10."""
    cpu.compare(BF, cpu.GPR[RA][size - 1:0], sext(SI, size), signed=True)


@ppc32("10:6 BF - - RA UI", "cmplwi {BF}, {RA}, {UI}", size=32)
@ppc64("10:6 BF - 0 RA UI", "cmplwi {BF}, {RA}, {UI}", size=32)
@ppc64("10:6 BF - 1 RA UI", "cmpldi {BF}, {RA}, {UI}", size=64)
def cmpli(cpu, BF, RA, UI, size):
    """Compare Logical Immediate. Book I, 3.3.10."""
    cpu.compare(BF, cpu.GPR[RA][size - 1:0], cat(const(0, size - 16), UI), signed=False)


@ppc32("31:6 BF - - RA RB 0:10 -", "cmpw {BF}, {RA}, {RB}", size=32, signed=True)
@ppc64("31:6 BF - 0 RA RB 0:10 -", "cmpw {BF}, {RA}, {RB}", size=32, signed=True)
@ppc64("31:6 BF - 1 RA RB 0:10 -", "cmpd {BF}, {RA}, {RB}", size=64, signed=True)
@ppc32("31:6 BF - - RA RB 32:10 -", "cmplw {BF}, {RA}, {RB}", size=32, signed=False)
@ppc64("31:6 BF - 0 RA RB 32:10 -", "cmplw {BF}, {RA}, {RB}", size=32, signed=False)
@ppc64("31:6 BF - 1 RA RB 32:10 -", "cmpld {BF}, {RA}, {RB}", size=64, signed=False)
def compare(cpu, BF, RA, RB, size, signed):
    """Compare (Logical). Book I, 3.3.10."""
    cpu.compare(BF, cpu.GPR[RA][size - 1:0], cpu.GPR[RB][size - 1:0], signed=signed)


def byte_of(value: Bits, number: int) -> Bits:
    """Return a byte, the lowest being number 0."""
    return value[8 * number + 7:8 * number]


@ppc64("31:6 BF - L RA RB 192:10 -", "cmprb {BF}, {L}, {RA}, {RB}")
def cmprb(cpu, BF, L, RA, RB):
    """Compare Ranged Byte: is the byte in the range, or in one of two? Book I, 3.3.10."""
    value, ranges = cpu.GPR[RA][7:0], cpu.GPR[RB]
    found = const(0, 1)
    for n in range(L + 1):
        found = found | (ule(byte_of(ranges, 2 * n), value) & ule(value, byte_of(ranges, 2 * n + 1)))
    cpu.set_cr(BF, [const(0, 1), found, const(0, 1), const(0, 1)])


@ppc64("31:6 BF -- RA RB 224:10 -", "cmpeqb {BF}, {RA}, {RB}")
def cmpeqb(cpu, BF, RA, RB):
    """Compare Equal Byte: is the byte one of eight? Book I, 3.3.10."""
    value, wanted = cpu.GPR[RA][7:0], cpu.GPR[RB]
    found = const(0, 1)
    for n in range(8):
        found = found | (byte_of(wanted, n) == value)
    cpu.set_cr(BF, [const(0, 1), found, const(0, 1), const(0, 1)])


@ppc64("31:6 RT BFA -- ----- 128:10 -", "setb {RT}, {BFA}")
def setb(cpu, RT, BFA):
    """Set Boolean: -1, 1 or 0 for LT, GT or neither. Book I, 3.3.10."""
    less, greater, _, _ = cpu.cr(BFA)
    cpu.GPR[RT] = mux(less, const(-1, 64), mux(greater, const(1, 64), const(0, 64)))


# -- traps (3.3.11) are in branch.py; selection ----------------------------------------------------------------------


@ppc("31:6 RT RA0 RB BC:5 15:5 -", "isel {RT}, {RA0}, {RB}, {BC}")
def isel(cpu, RT, RA0, RB, BC):
    """Integer Select. Book I, 3.3.12."""
    cpu.GPR[RT] = mux(cpu.cr_bit(BC), cpu.base(RA0), cpu.GPR[RB])
