"""Fixed-point arithmetic, comparison, logic, rotates and shifts. Power ISA Book I, 3.3.8 to 3.3.14."""

from __future__ import annotations

from xemu.core.bits import Bits, carry_of, cat, const, overflow_of, sext
from xemu.targets.ppc.isa import ppc, ppc64


def _narrow(cpu, value: Bits) -> Bits:
    return value[31:0] if cpu.context.SF else value


def _finish(cpu, RT, result, OE, Rc, overflow=None, overflow32=None) -> None:
    """Write a result, OV (OE = 1) and CR0 (Rc = 1)."""
    cpu.GPR[RT] = result
    if OE:
        cpu.set_overflow(overflow, overflow32)
    if Rc:
        cpu.record(result)


def add_to(cpu, RT, x, y, carry, OE=0, Rc=0, *, sets_carry=False) -> None:
    """RT = x + y + carry, with OV and CA as asked for; a subtraction passes ~x. Book I, 3.3.9."""
    total = x + y + carry
    overflow = overflow32 = None
    if OE:
        overflow = overflow_of(x, y, total)
        overflow32 = overflow_of(x[31:0], y[31:0], total[31:0]) if cpu.context.SF else None
    if sets_carry:
        cpu.CA = carry_of(x, y, total)
        if cpu.context.SF:                # the carry out of bit 32 is bit 32 of x ^ y ^ total
            cpu.CA32 = (x ^ y ^ total)[32]
    _finish(cpu, RT, total, OE, Rc, overflow, overflow32)


@ppc("14:6 RT RA0 SI", "addi {RT}, {RA0}, {SI}", shift=0)
@ppc("15:6 RT RA0 SI", "addis {RT}, {RA0}, {SI}", shift=16)
def addi(cpu, RT, RA0, SI, shift):
    """Add Immediate (Shifted). Book I, 3.3.9."""
    value = sext(cat(SI, const(0, shift)) if shift else SI, cpu.xlen)
    cpu.GPR[RT] = cpu.base(RA0) + value


@ppc("31:6 RT RA RB OE 266:9 Rc", "add{o}{Rc} {RT}, {RA}, {RB}")
def add(cpu, RT, RA, RB, OE, Rc):
    """Add. Book I, 3.3.9."""
    add_to(cpu, RT, cpu.GPR[RA], cpu.GPR[RB], 0, OE, Rc)


@ppc("31:6 RT RA RB OE 138:9 Rc", "adde{o}{Rc} {RT}, {RA}, {RB}")
def adde(cpu, RT, RA, RB, OE, Rc):
    """Add Extended. Book I, 3.3.9."""
    add_to(cpu, RT, cpu.GPR[RA], cpu.GPR[RB], cpu.extend(cpu.CA), OE, Rc, sets_carry=True)


@ppc("11:6 BF - 0 RA SI", "cmpwi {BF}, {RA}, {SI}")
def cmpwi(cpu, BF, RA, SI):
    """Compare Immediate, words. Book I, 3.3.10."""
    cpu.compare(BF, _narrow(cpu, cpu.GPR[RA]), sext(SI, 32), signed=True)


@ppc64("11:6 BF - 1 RA SI", "cmpdi {BF}, {RA}, {SI}")
def cmpdi(cpu, BF, RA, SI):
    """Compare Immediate, doublewords. Book I, 3.3.10."""
    cpu.compare(BF, cpu.GPR[RA], sext(SI, 64), signed=True)
