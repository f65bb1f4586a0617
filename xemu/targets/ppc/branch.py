"""Branches, condition register logic, system call, traps. Power ISA Book I, 2.4 to 2.7, 3.3.11."""

from __future__ import annotations

from xemu.core.bits import Bits, cat, const, mux, sext, slt, ult
from xemu.core.record import when
from xemu.targets.ppc.isa import ppc, ppc64
from xemu.targets.ppc.layout import SC, SCV, TRAP


def _target(cpu, displacement: Bits, aa: int) -> Bits:
    """Return the address of a branch: relative to this instruction, or absolute (AA = 1)."""
    offset = sext(cat(displacement, const(0, 2)), cpu.xlen)
    return offset if aa else cpu.pc + offset


def _link(cpu, lk: int) -> None:
    if lk:
        cpu.LR = cpu.next_pc


def _taken(cpu, BO: int, BI: Bits) -> Bits:
    """Return whether a conditional branch is taken; CTR is counted down first (Book I, figure 40)."""
    taken = const(1, 1)
    if not BO & 0b00100:
        count = cpu.CTR - 1
        cpu.CTR = count
        taken = (count == 0) if BO & 0b00010 else (count != 0)
    if not BO & 0b10000:
        bit = cpu.cr_bit(BI)
        taken = taken & (bit if BO & 0b01000 else ~bit)
    return taken


@ppc("18:6 LI AA LK", "b{LK}{AA} {LI}")
def b(cpu, LI, AA, LK):
    """Branch. Book I, 2.4."""
    target = _target(cpu, LI, AA)
    _link(cpu, LK)
    cpu.branch(target, kind="call" if LK else "jump")


@ppc("16:6 BO BI BD AA LK", "bc{LK}{AA} {BO}, {BI}, {BD}")
def bc(cpu, BO, BI, BD, AA, LK):
    """Branch Conditional. Book I, 2.4. `bcl 20, 31, $+4` finds the place of the code: it is no call."""
    target, always = _target(cpu, BD, AA), BO & 0b10100 == 0b10100
    taken = _taken(cpu, BO, BI)
    _link(cpu, LK)
    with when(taken):
        cpu.branch(target, kind="call" if LK and not always else "jump")


@ppc("19:6 BO BI --- -- 16:10 LK", "bclr{LK} {BO}, {BI}", register="LR", kind="return")
@ppc64("19:6 BO BI --- -- 560:10 LK", "bctar{LK} {BO}, {BI}", register="TAR", kind="jump")
def branch_to_register(cpu, BO, BI, LK, register, kind):
    """Branch Conditional to LR or TAR. Book I, 2.4. BH is a hint."""
    target = getattr(cpu, register) & -4
    taken = _taken(cpu, BO, BI)
    _link(cpu, LK)
    with when(taken):
        cpu.branch(target, kind="call" if LK else kind)


@ppc("19:6 BO BI --- -- 528:10 LK", "bcctr{LK} {BO}, {BI}")
def bcctr(cpu, BO, BI, LK):
    """Branch Conditional to CTR. Book I, 2.4.

    A form that counts down is invalid; processors with 64 bits test CTR first, and count if the test holds.
    """
    count, tested = cpu.CTR, const(1, 1)
    if not BO & 0b00100:
        if not cpu.context.SF:
            cpu.undefined()
        tested = (count == 0) if BO & 0b00010 else (count != 0)
        with when(tested):
            cpu.CTR = count - 1
    taken = tested & _taken(cpu, BO | 0b00100, BI)
    _link(cpu, LK)
    with when(taken):
        cpu.branch(count & -4, kind="call" if LK else "jump")


#: condition register logic: mnemonic, extended opcode, operation (Book I, 2.5.1)
LOGIC = {
    "crand": (257, lambda a, b: a & b), "cror": (449, lambda a, b: a | b), "crxor": (193, lambda a, b: a ^ b),
    "crnand": (225, lambda a, b: ~(a & b)), "crnor": (33, lambda a, b: ~(a | b)), "creqv": (289, lambda a, b: ~(a ^ b)),
    "crandc": (129, lambda a, b: a & ~b), "crorc": (417, lambda a, b: a | ~b),
}  # fmt: skip


def condition_logic(cpu, BT, BA, BB, operation):
    """Condition register logic: one bit of CR from two. Book I, 2.5.1."""
    field, result = BT[4:2], operation(cpu.cr_bit(BA), cpu.cr_bit(BB))
    cpu.set_cr(field, [mux(BT[1:0] == n, result, old) for n, old in enumerate(cpu.cr(field))])


for _name, (_opcode, _operation) in LOGIC.items():
    ppc.row(condition_logic, f"19:6 BT BA BB {_opcode}:10 -", f"{_name} {{BT}}, {{BA}}, {{BB}}", operation=_operation)


@ppc("19:6 BF -- BFA -- ----- 0:10 -", "mcrf {BF}, {BFA}")
def mcrf(cpu, BF, BFA):
    """Move Condition Register Field. Book I, 2.5.2."""
    cpu.set_cr(BF, cpu.cr(BFA))


@ppc("17:6 ----- ----- ---- ------- --- 1 -", "sc")
def sc(cpu):
    """System Call. Book I, 2.6."""
    if cpu.context.SF:
        cpu.SCV = const(0, 1)
    cpu.trap("syscall", SC)


@ppc64("17:6 ----- ----- ---- ------- --- 0 1", "scv")
def scv(cpu):
    """System Call Vectored. Book I, 2.6."""
    cpu.SCV = const(1, 1)
    cpu.trap("syscall", SCV)


def _trap(cpu, TO: Bits, x: Bits, y: Bits) -> None:
    hit = (TO[4] & slt(x, y)) | (TO[3] & slt(y, x)) | (TO[2] & (x == y)) | (TO[1] & ult(x, y)) | (TO[0] & ult(y, x))
    with when(hit):
        cpu.abort("exception", TRAP)


@ppc("3:6 TO RA SI", "twi {TO}, {RA}, {SI}")
def twi(cpu, TO, RA, SI):
    """Trap Word Immediate. Book I, 3.3.11."""
    _trap(cpu, TO, cpu.GPR[RA][31:0], sext(SI, 32))


@ppc("31:6 TO RA RB 4:10 -", "tw {TO}, {RA}, {RB}")
def tw(cpu, TO, RA, RB):
    """Trap Word. Book I, 3.3.11."""
    _trap(cpu, TO, cpu.GPR[RA][31:0], cpu.GPR[RB][31:0])


@ppc64("2:6 TO RA SI", "tdi {TO}, {RA}, {SI}")
def tdi(cpu, TO, RA, SI):
    """Trap Doubleword Immediate. Book I, 3.3.11.1."""
    _trap(cpu, TO, cpu.GPR[RA], sext(SI, 64))


@ppc64("31:6 TO RA RB 68:10 -", "td {TO}, {RA}, {RB}")
def td(cpu, TO, RA, RB):
    """Trap Doubleword. Book I, 3.3.11.1."""
    _trap(cpu, TO, cpu.GPR[RA], cpu.GPR[RB])
