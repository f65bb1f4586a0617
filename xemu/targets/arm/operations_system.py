"""Status register, endianness and the coprocessor 15 registers that user mode may touch, for both instruction sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.core.bits import Bits, cat, const, zext
from xemu.targets.arm.operations import titled

if TYPE_CHECKING:
    from xemu.core.isa import FixedWidthIsa
    from xemu.core.record import RegNo
    from xemu.targets.arm.state import ArmCpu

USER_MODE = 0b10000


def read_apsr(cpu: ArmCpu) -> Bits:
    """Return the CPSR as MRS gives it: flags, Q, GE, E and the user mode; execution state reads as zero."""
    return cat(
        cpu.nzcv, cpu.Q, const(0, 7), cpu.GE, const(0, 6), const(cpu.context.E, 1), const(0, 4), const(USER_MODE, 5)
    )


def write_apsr(cpu: ArmCpu, value: Bits, nzcvq: int, g: int, x: int) -> None:
    """Write the parts of the CPSR that the mask names and user mode may write: with `x` the E bit, as SETEND does."""
    if nzcvq:
        cpu.set_nzcv(value[31:28])
        cpu.Q = value[27]
    if g:
        cpu.GE = value[19:16]
    if x:
        context = cpu.context._replace(E=0).word
        cpu.branch(cpu.pc + cpu.length, context=const(context, 16) | zext(value[9], 16) << 1)


def set_endianness(cpu: ArmCpu, big: int) -> None:
    """Change the data endianness: it is part of the context, so the next instruction is looked up anew."""
    word = cpu.context._replace(E=big).word
    cpu.branch(cpu.pc + cpu.length, context=const(word, 16))


def undefined(cpu: ArmCpu) -> None:
    """Give the undefined instruction exception."""
    cpu.undefined()


# -- coprocessor 15 (B3.17, B4.1) ------------------------------------------------------------------------------------


def MRC_TPIDRURW(cpu: ArmCpu, Rt: RegNo) -> None:
    """Read the thread's own ID register."""
    cpu.R[Rt] = cpu.TPIDRURW


def MCR_TPIDRURW(cpu: ArmCpu, Rt: RegNo) -> None:
    """Write the thread's own ID register."""
    cpu.TPIDRURW = cpu.R[Rt]


def MRC_TPIDRURO(cpu: ArmCpu, Rt: RegNo) -> None:
    """Read the thread register that the kernel sets: the TLS pointer."""
    cpu.R[Rt] = cpu.TPIDRURO


def MRC_PMUSERENR(cpu: ArmCpu, Rt: RegNo) -> None:
    """Read that user mode has no access to the performance monitors."""
    cpu.R[Rt] = const(0, 32)  # user mode has no access to the performance monitors


def barrier(cpu: ArmCpu) -> None:
    """Order nothing: one guest thread runs at a time."""


#: function, name, L bit, opc1, CRn, CRm, opc2, section
REGISTERS = (
    (MRC_TPIDRURW, "MRC_TPIDRURW", 1, 0, 13, 0, 2, "B4.1.149"),
    (MCR_TPIDRURW, "MCR_TPIDRURW", 0, 0, 13, 0, 2, "B4.1.149"),
    (MRC_TPIDRURO, "MRC_TPIDRURO", 1, 0, 13, 0, 3, "B4.1.148"),
    (MRC_PMUSERENR, "MRC_PMUSERENR", 1, 0, 9, 14, 0, "B4.1.124"),
    (barrier, "MCR_ISB", 0, 0, 7, 5, 4, "B4.2.5"),
    (barrier, "MCR_DSB", 0, 0, 7, 10, 4, "B4.2.5"),
    (barrier, "MCR_DMB", 0, 0, 7, 10, 5, "B4.2.5"),
)


def user_registers(isa: FixedWidthIsa, head: str, condition: str) -> None:
    """Add the rows of one instruction set; every other access to a coprocessor is undefined."""
    for function, name, is_read, opc1, crn, crm, opc2, section in REGISTERS:
        rt, where = ("----", "") if function is barrier else ("Rt", "Rt != 15")
        isa.add(
            titled(function, name, f"{name[:3]}, {name[4:]} in coprocessor 15, A1/T1", section),
            f"{head} {opc1:03b} {is_read} {crn:04b} {rt} 1111 {opc2:03b} 1 {crm:04b}",
            f"{name[:3].lower()}{condition} p15, {opc1}, {{Rt}}, c{crn}, c{crm}, {opc2}",
            where=where,
            source="operations_system.py",
        )
