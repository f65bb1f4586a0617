"""Fixed-point loads and stores. Power ISA Book I, 3.3.2 to 3.3.7."""

from __future__ import annotations

from xemu.core.bits import sext
from xemu.targets.ppc.isa import ppc


@ppc("32:6 RT RA0 D", "lwz {RT}, {D}({RA0})")
def lwz(cpu, RT, RA0, D):
    """Load Word and Zero. Book I, 3.3.2."""
    cpu.GPR[RT] = cpu.extend(cpu.mem_read(cpu.base(RA0) + sext(D, cpu.xlen), 4))


@ppc("36:6 RS RA0 D", "stw {RS}, {D}({RA0})")
def stw(cpu, RS, RA0, D):
    """Store Word. Book I, 3.3.3."""
    cpu.mem_write(cpu.base(RA0) + sext(D, cpu.xlen), cpu.GPR[RS][31:0])
