"""Rows that only the M profile has: special registers, CPS, hints that wait, coprocessors, division. DDI 0403E B5.2, A7.7."""

from __future__ import annotations

from xemu.core.bits import Bits, cat, const, mux, ult, zext
from xemu.core.record import when
from xemu.targets.arm import operations_multiply as multiply
from xemu.targets.arm.layout import (
    CONTROL_WRITTEN,
    DIVIDE_BY_ZERO,
    NO_FP,
    UNMASKED,
    V6M,
    V7EM,
    WAIT_EVENT,
    WAIT_INTERRUPT,
)
from xemu.targets.arm.m_isa import V6_M, V7_M, add_m_row, m16, m32, m_row, titled

NMI, HARD_FAULT = 2, 3
FEATURE = {True: V7_M, False: V6_M}          # of a register: is it missing in ARMv6-M?

# -- reading special registers (B5.2.2) ---------------------------------------------------------------------------------


def apsr(cpu) -> Bits:
    """Return APSR: the flags, and GE where there are DSP instructions."""
    ge = cpu.GE if cpu.context.ARCH == V7EM else const(0, 4)
    q = const(0, 1) if cpu.context.ARCH == V6M else cpu.Q
    return cat(cpu.nzcv, q, const(0, 7), ge, const(0, 16))


def ipsr(cpu) -> Bits:
    """Return IPSR: the number of the exception that is being handled."""
    return zext(cpu.IPSR, 32)


def if_privileged(cpu, value: Bits) -> Bits:
    """Return a value that only privileged code may see; others read 0."""
    return mux(cpu.privileged, zext(value, 32), const(0, 32))


def stack_pointer(cpu, process: int) -> Bits:
    """Return the main (0) or the process (1) stack pointer."""
    in_use = cpu.uses_process_stack if process else ~cpu.uses_process_stack
    return mux(in_use, cpu.R[13], cpu.SPOTHER)


def read_control(cpu) -> Bits:
    """Return CONTROL, which unprivileged code may read; FPCA where there is floating point."""
    control = cpu.CONTROL
    return zext(control if cpu.context.FPU != NO_FP else control[1:0], 32)


#: name, SYSm, what MRS gives (EPSR reads as 0), is it missing in ARMv6-M?
READ = (
    ("APSR", 0, apsr, False), ("IAPSR", 1, lambda cpu: apsr(cpu) | ipsr(cpu), False),
    ("EAPSR", 2, apsr, False), ("XPSR", 3, lambda cpu: apsr(cpu) | ipsr(cpu), False),
    ("IPSR", 5, ipsr, False), ("EPSR", 6, lambda _: const(0, 32), False), ("IEPSR", 7, ipsr, False),
    ("MSP", 8, lambda cpu: if_privileged(cpu, stack_pointer(cpu, 0)), False),
    ("PSP", 9, lambda cpu: if_privileged(cpu, stack_pointer(cpu, 1)), False),
    ("PRIMASK", 16, lambda cpu: if_privileged(cpu, cpu.PRIMASK), False),
    ("BASEPRI", 17, lambda cpu: if_privileged(cpu, cpu.BASEPRI), True),
    ("BASEPRI_MAX", 18, lambda cpu: if_privileged(cpu, cpu.BASEPRI), True),
    ("FAULTMASK", 19, lambda cpu: if_privileged(cpu, cpu.FAULTMASK), True),
    ("CONTROL", 20, read_control, False),
)
MRS = "11110 0 1111 1 (0) (1) (1) (1) (1) 10 (0) 0 Rd {sysm}"


def mrs(cpu, Rd, value):
    """Read a special register."""
    cpu.R[Rd] = value(cpu)


def mrs_reserved(cpu, Rd):
    """MRS, T1, of a register that does not exist (UNPREDICTABLE; xemu: 0). ARMv7-M ARM B5.2.2."""
    cpu.R[Rd] = const(0, 32)


for _name, _sysm, _value, _later in READ:
    add_m_row(titled(mrs, f"MRS_{_name}", f"MRS, T1, {_name}", "B5.2.2"), m32, FEATURE[_later], MRS.format(sysm=f"{_sysm}:8"),
              f"mrs {{Rd}}, {_name.lower()}", where="Rd != 15", bound={"value": _value})
add_m_row(mrs_reserved, m32, V6_M, MRS.format(sysm="--------"), "mrs {Rd}, {sysm}", where="Rd != 15")


# -- writing them (B5.2.3) --------------------------------------------------------------------------------------------------


def unmask(cpu, lower: Bits) -> None:
    """Let the machine look where a mask went down while an exception waits."""
    with when(lower & (cpu.PENDING == 1)):
        cpu.trap("event", UNMASKED)


def write_stack_pointer(cpu, process: int, value: Bits) -> None:
    """Write the main (0) or the process (1) stack pointer; bits 1:0 are 0."""
    in_use = cpu.uses_process_stack if process else ~cpu.uses_process_stack
    privileged = cpu.privileged
    with when(privileged & in_use):
        cpu.R[13] = value
    with when(privileged & ~in_use):
        cpu.SPOTHER = value & -4


def write_primask(cpu, value: Bits) -> None:
    """Write PRIMASK."""
    with when(cpu.privileged):
        unmask(cpu, cpu.PRIMASK & ~value[0])
        cpu.PRIMASK = value[0]


def write_faultmask(cpu, value: Bits) -> None:
    """Write FAULTMASK: it cannot be set where the priority is that of HardFault or NMI already."""
    allowed = ~value[0] | ((cpu.IPSR != NMI) & (cpu.IPSR != HARD_FAULT))
    with when(cpu.privileged & allowed):
        cpu.FAULTMASK = value[0]
        cpu.trap("event", CONTROL_WRITTEN)             # it may switch the MPU off or on, too


def write_basepri(cpu, value: Bits) -> None:
    """Write BASEPRI; larger numbers mask less, and 0 masks nothing."""
    old, new = cpu.BASEPRI, value[7:0] & cpu.PRIOMASK
    with when(cpu.privileged):
        unmask(cpu, (old != 0) & ((new == 0) | ult(old, new)))
        cpu.BASEPRI = new


def write_basepri_max(cpu, value: Bits) -> None:
    """Write BASEPRI where that masks more."""
    old, new = cpu.BASEPRI, value[7:0] & cpu.PRIOMASK
    with when(cpu.privileged & (new != 0) & ((old == 0) | ult(new, old))):
        cpu.BASEPRI = new


def write_control(cpu, value: Bits) -> None:
    """Write CONTROL. SPSEL changes in Thread mode only, and with it which stack pointer R13 is.

    Cortex-M0 has no unprivileged mode (the extension is optional in ARMv6-M): nPRIV stays 0.
    """
    old, thread = cpu.CONTROL, cpu.IPSR == 0
    spsel = mux(thread, value[1], old[1])
    fpca = value[2] if cpu.context.FPU != NO_FP else old[2]
    used, other = cpu.R[13], cpu.SPOTHER
    with when(cpu.privileged):
        with when(spsel != old[1]):
            cpu.R[13] = other
            cpu.SPOTHER = used
        cpu.CONTROL = cat(fpca, spsel, old[0] if cpu.context.ARCH == V6M else value[0])
        cpu.trap("event", CONTROL_WRITTEN)


#: name, SYSm, what MSR does, is it missing in ARMv6-M?
WRITE = (
    ("MSP", 8, lambda cpu, value: write_stack_pointer(cpu, 0, value), False),
    ("PSP", 9, lambda cpu, value: write_stack_pointer(cpu, 1, value), False),
    ("PRIMASK", 16, write_primask, False), ("BASEPRI", 17, write_basepri, True),
    ("BASEPRI_MAX", 18, write_basepri_max, True), ("FAULTMASK", 19, write_faultmask, True),
    ("CONTROL", 20, write_control, False),
)
MSR = "11110 0 1110 0 (0) Rn 10 (0) 0 {mask} (0) (0) {sysm}"


def msr(cpu, Rn, write):
    """Write a special register."""
    write(cpu, cpu.R[Rn])


def msr_apsr(cpu, Rn, nzcvq, g):
    """Write the flags and, where there are DSP instructions, GE."""
    value = cpu.R[Rn]
    if nzcvq:
        cpu.set_nzcv(value[31:28])
        if cpu.context.ARCH != V6M:
            cpu.Q = value[27]
    if g and cpu.context.ARCH == V7EM:
        cpu.GE = value[19:16]


def msr_nothing(cpu):
    """MSR, T1, of a register that cannot be written or does not exist: nothing changes. ARMv7-M ARM B5.2.3."""


for _name, _sysm, _write, _later in WRITE:
    add_m_row(titled(msr, f"MSR_{_name}", f"MSR, T1, {_name}", "B5.2.3"), m32, FEATURE[_later],
              MSR.format(mask="--", sysm=f"{_sysm}:8"), f"msr {_name.lower()}, {{Rn}}", where="Rn != 15", bound={"write": _write})
for _sysm, _name in enumerate(("APSR", "IAPSR", "EAPSR", "XPSR")):
    add_m_row(titled(msr_apsr, f"MSR_{_name}", f"MSR, T1, {_name}", "B5.2.3"), m32, V6_M,
              MSR.format(mask="nzcvq g", sysm=f"{_sysm}:8"), f"msr {_name.lower()}_{{mask}}, {{Rn}}", where="Rn != 15")
add_m_row(msr_nothing, m32, V6_M, MSR.format(mask="--", sysm="--------").replace("Rn", "----"), "msr {sysm}, {Rn}")


# -- CPS (B5.2.1) -----------------------------------------------------------------------------------------------------------


@m_row(m16, V6_M, "10110110011 im (0) (0) I F", "cps{effect} {iflags}")
def CPS(cpu, im, I, F):
    """CPS, T1: PRIMASK and FAULTMASK. ARMv7-M ARM B5.2.1."""
    value = const(im, 32)
    if F and cpu.context.ARCH != V6M:              # first: its event asks for more than PRIMASK's, and there is one for an instruction
        write_faultmask(cpu, value)
    if I:
        write_primask(cpu, value)


# -- hints that wait (A7.7.261, A7.7.262, A7.7.129) ----------------------------------------------------------------------------


def wfi(cpu):
    """Wait for an interrupt: the machine does."""
    cpu.trap("event", WAIT_INTERRUPT)


def wfe(cpu):
    """Wait for an event, unless one has been registered."""
    happened = cpu.EVENT == 1
    with when(~happened):
        cpu.trap("event", WAIT_EVENT)
    with when(happened):
        cpu.EVENT = const(0, 1)


def sev(cpu):
    """Register an event."""
    cpu.EVENT = const(1, 1)


for _function, _name, _number, _section in ((wfe, "WFE", 2, 261), (wfi, "WFI", 3, 262), (sev, "SEV", 4, 129)):
    add_m_row(titled(_function, _name, f"{_name}, T1", f"A7.7.{_section}"), m16, V6_M, f"10111111 {_number}:4 0000", _name.lower())
    add_m_row(titled(_function, _name, f"{_name}, T2", f"A7.7.{_section}"), m32, V7_M,
              f"11110 0 1110 1 0 (1) (1) (1) (1) 10 (0) 0 (0) 000 {_number}:8", f"{_name.lower()}.w")


# -- division (A7.7.127, A7.7.195) -----------------------------------------------------------------------------------------------


def divide(cpu, Rn, Rd, Rm, signed):
    """Divide; by zero gives zero, or a UsageFault where CCR.DIV_0_TRP says so."""
    with when((cpu.DIV0TRAP == 1) & (cpu.R[Rm] == 0)):
        cpu.abort("exception", DIVIDE_BY_ZERO)
    multiply.divide(cpu, Rd, Rn, Rm, signed=signed)


for _name, _opcode, _signed, _section in (("SDIV", "001", True, 127), ("UDIV", "011", False, 195)):
    add_m_row(titled(divide, _name, f"{_name}, T1", f"A7.7.{_section}"), m32, V7_M,
              f"111110111 {_opcode} Rn (1) (1) (1) (1) Rd 1111 Rm", f"{_name.lower()} {{Rd}}, {{Rn}}, {{Rm}}",
              where="Rd != 15, Rn != 15, Rm != 15", bound={"signed": _signed})


# -- coprocessors (A5.3.18): none exists but floating point, numbers 10 and 11, whose rows are more specific -----------------


def coprocessor(cpu):
    """An instruction of a coprocessor that does not exist: NOCP. ARMv7-M ARM A5.3.18, B1.5.7."""
    cpu.no_coprocessor()


def floating_point(cpu):
    """An encoding of coprocessors 10 and 11 that no extension has: undefined, where these exist. ARMv7-M ARM A5.3.18, A6.4."""
    if cpu.context.FPU == NO_FP or cpu.context.FPOFF:
        cpu.no_coprocessor()
    else:
        cpu.undefined()


for _name, _head in (("transfer", "111 - 110 - ---- ----"), ("operation", "111 - 1110 ---- ----")):
    add_m_row(titled(coprocessor, f"coprocessor_{_name}", f"Coprocessor {_name}: NOCP", "A5.3.18"), m32, V7_M,
              f"{_head} ---- ---- --------", "{coprocessor}")
    add_m_row(titled(floating_point, f"floating_{_name}", f"Unallocated floating-point {_name}", "A6.4"), m32, V7_M,
              f"{_head} ---- 101 - --------", "{undefined}")
