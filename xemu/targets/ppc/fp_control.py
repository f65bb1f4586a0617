"""FPSCR instructions. Power ISA Book I, 4.6.10.

Those that change nothing but the control bits leave FR, FI, FPRF and the exceptions as lazy as they are.
"""

from __future__ import annotations

from xemu.core.bits import Bits, cat, const, mux, sar, zext
from xemu.core.record import when
from xemu.targets.ppc.isa import ppc, ppc32, ppc64
from xemu.targets.ppc.layout import FLOATING_POINT
from xemu.targets.ppc.status import (
    CONTROLS,
    STICKY,
    context,
    read,
    record,
    result_flags,
    rounding_flags,
    settle,
    summarized,
    write_status,
)

ENABLES, RN = 0xF8, 3
FEX, VX = 30, 29
LOW = 0xFFFFFFFF


def controls(cpu) -> Bits:
    """Return DRN, the enables, NI and RN in their places."""
    return cat(const(0, 29), cpu.DRN, cpu.FPCTL)


def set_controls(cpu, value: Bits) -> None:
    """Set the enables, NI and RN; where that changes the context, decoding begins anew behind the instruction."""
    value = value & CONTROLS
    cpu.FPCTL = value
    usual = (value & 0xFB) == 0
    with when(usual if cpu.context.FP else ~usual):
        cpu.branch(cpu.next_pc, context=context(cpu, value))


def write(cpu, word: Bits) -> None:
    """Set FPSCR's low word, but for FEX and VX; an enabled exception in it interrupts."""
    write_status(cpu, word)
    with when(summarized(word & STICKY, word)[FEX] & (cpu.FE != 0)):
        cpu.trap("event", FLOATING_POINT)
    set_controls(cpu, word)


# -- reading ----------------------------------------------------------------------------------------------------------


def mffs(cpu, FRT, Rc):
    """Move From FPSCR."""
    word = read(cpu)
    settle(cpu, word)
    cpu.set_fpr(FRT, word)
    if Rc:
        record(cpu)


ppc64.row(mffs, "63:6 FRT 00000 ----- 583:10 Rc", "mffs{Rc} {FRT}")
ppc32.row(mffs, "63:6 FRT ----- ----- 583:10 Rc", "mffs{Rc} {FRT}")  # ISA 3.0 has uses for what was reserved


@ppc64("63:6 FRT 11000 ----- 583:10 -", "mffsl {FRT}")
def mffsl(cpu, FRT):
    """Move From FPSCR Lightweight: the control bits, FR, FI and FPRF."""
    cpu.set_fpr(FRT, controls(cpu) | zext(cat(rounding_flags(cpu, const(1, 1)), result_flags(cpu), const(0, 12)), 64))


@ppc64("63:6 FRT 00001 ----- 583:10 -", "mffsce {FRT}")
def mffsce(cpu, FRT):
    """Move From FPSCR & Clear Enables."""
    word = read(cpu)
    settle(cpu, word)
    cpu.set_fpr(FRT, word)
    set_controls(cpu, cpu.FPCTL & ~ENABLES & LOW)


@ppc64("63:6 FRT 10100 FRB 583:10 -", "mffscdrn {FRT}, {FRB}")
def mffscdrn(cpu, FRT, FRB):
    """Move From FPSCR Control & Set DRN."""
    value = cpu.fpr(FRB)[34:32]
    cpu.set_fpr(FRT, controls(cpu))
    cpu.DRN = value


@ppc64("63:6 FRT 10101 -- DRM:3 583:10 -", "mffscdrni {FRT}, {DRM}")
def mffscdrni(cpu, FRT, DRM):
    """Move From FPSCR Control & Set DRN Immediate."""
    cpu.set_fpr(FRT, controls(cpu))
    cpu.DRN = DRM


def _set_rn(cpu, FRT, mode: Bits) -> None:
    cpu.set_fpr(FRT, controls(cpu))
    set_controls(cpu, (cpu.FPCTL & ~RN & LOW) | zext(mode, 32))


@ppc64("63:6 FRT 10110 FRB 583:10 -", "mffscrn {FRT}, {FRB}")
def mffscrn(cpu, FRT, FRB):
    """Move From FPSCR Control & Set RN."""
    _set_rn(cpu, FRT, cpu.fpr(FRB)[1:0])


@ppc64("63:6 FRT 10111 --- RM:2 583:10 -", "mffscrni {FRT}, {RM}")
def mffscrni(cpu, FRT, RM):
    """Move From FPSCR Control & Set RN Immediate."""
    _set_rn(cpu, FRT, RM)


@ppc("63:6 BF -- BFA -- ----- 64:10 -", "mcrfs {BF}, {BFA}")
def mcrfs(cpu, BF, BFA):
    """Move to Condition Register from FPSCR. The exceptions among the bits are cleared."""
    word = read(cpu)[31:0]
    place = zext(7 - BFA, 32) << 2
    field = word >> place
    cpu.set_cr(BF, [field[n] for n in (3, 2, 1, 0)])
    cleared = (const(0xF, 32) << place) & STICKY
    write_status(cpu, word & ~cleared)


# -- writing ----------------------------------------------------------------------------------------------------------


def _nibbles(mask: Bits) -> Bits:
    """Return 32 bits, four for each bit of an 8-bit mask."""
    return cat(*[sar(cat(mask[n], const(0, 3)), 3) for n in range(7, -1, -1)])


def _masked(cpu, value: Bits, mask: Bits, Rc: int) -> None:
    """Set the bits of FPSCR's low word that a mask says; bits of FEX and VX do nothing."""
    old = read(cpu, ~mask[17])[31:0]                     # FR and FI are worked out only if they stay
    write(cpu, (old & ~mask) | (value & mask))
    if Rc:
        _record_written(cpu, (old & ~mask) | (value & mask))


def _record_written(cpu, word: Bits) -> None:
    """Set CR1 from the word that has just been written."""
    word = summarized(word & STICKY, word)
    cpu.set_cr(1, [word[n] for n in (31, FEX, VX, 28)])


def mtfsf(cpu, L, FLM, W, FRB, Rc):
    """Move to FPSCR Fields."""
    value = cpu.fpr(FRB)
    if L or W:
        with when(const(1, 1) if L else FLM[0]):
            cpu.DRN = value[34:32]
    if L or not W:
        _masked(cpu, value[31:0], const(LOW, 32) if L else _nibbles(FLM), Rc)
    elif Rc:
        record(cpu)


def mtfsfi(cpu, BF, W, U, Rc):
    """Move to FPSCR Field Immediate."""
    if W:
        with when(BF == 7):
            cpu.DRN = U[2:0]
        if Rc:
            record(cpu)
        return
    place = zext(7 - BF, 32) << 2
    _masked(cpu, zext(U, 32) << place, const(0xF, 32) << place, Rc)


ppc64.row(mtfsf, "63:6 L FLM W FRB 711:10 Rc", "mtfsf{Rc} {FLM}, {FRB}, {L}, {W}")
ppc64.row(mtfsfi, "63:6 BF -- ---- W U - 134:10 Rc", "mtfsfi{Rc} {BF}, {U}, {W}")
ppc32.row(mtfsf, "63:6 - FLM 0 FRB 711:10 Rc", "mtfsf{Rc} {FLM}, {FRB}", L=0, W=0)
ppc32.row(mtfsfi, "63:6 BF -- ---- 0 U - 134:10 Rc", "mtfsfi{Rc} {BF}, {U}", W=0)


def set_bit(cpu, BT, Rc, value):
    """Move to FPSCR Bit 0, 1. An exception that is set sets FX; FEX and VX cannot be set."""
    bit = const(1 << 31, 32) >> zext(BT, 32)
    old = read(cpu)[31:0]
    word = old & ~bit
    if value:
        new = bit & ~old & STICKY
        word = old | bit | mux(new != 0, const(1 << 31, 32), const(0, 32))
    write(cpu, word)
    if Rc:
        _record_written(cpu, word)


ppc.row(set_bit, "63:6 BT ----- ----- 38:10 Rc", "mtfsb1{Rc} {BT}", value=1)
ppc.row(set_bit, "63:6 BT ----- ----- 70:10 Rc", "mtfsb0{Rc} {BT}", value=0)
