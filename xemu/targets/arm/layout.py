"""ARM's state and context words, of the A and the M profile: what a run needs even when no row is imported."""

from __future__ import annotations

from typing import NamedTuple

from xemu.core.state import StateLayout


def declare_common(layout: StateLayout) -> None:
    """Declare what both profiles have: core and extension registers, flags, the exclusive monitor."""
    layout.file("R", 16, 32, "r0 r1 r2 r3 r4 r5 r6 r7 r8 r9 r10 r11 r12 sp lr pc")    # R[15] is scratch: see ArmCpu.special_read
    # N and Z come from one result, C and V from the operands and the result of an addition (ARM ARM A2.2.1):
    layout.word("NZ", 64, hidden=True)       # N is bit 63, Z is "bits 31:0 are zero": the sign-extended result
    layout.word("CX", 32, hidden=True)       # C = carry_of(CX, ~CY, CS), V = overflow_of(CX, ~CY, CS): CY is what a compare subtracts
    layout.word("CY", 32, hidden=True)
    layout.word("CS", 32, hidden=True)
    layout.word("Q", 1)
    layout.word("GE", 4)
    layout.word("ITSTATE", 8)
    layout.word("FPNZCV", 4)                 # FPSCR[31:28]
    layout.word("FPQC", 1)                   # FPSCR[27]
    layout.word("FPMODE", 32, hidden=True)   # FPSCR's AHP, DN, FZ, RMode, Stride, Len in their places
    layout.word("FPFLAGS", 8, hidden=True)   # FPSCR's cumulative exceptions: IOC 0, DZC 1, OFC 2, UFC 3, IXC 4, IDC 7
    layout.word("EXADDR", 32, hidden=True)   # exclusive monitor: address, size in bytes (0: open), value read
    layout.word("EXSIZE", 8, hidden=True)
    layout.word("EXVALUE", 64, hidden=True)
    layout.file("Q128", 16, 128, " ".join(f"q{i}" for i in range(16)))
    layout.view("D", "Q128", 64, 32, " ".join(f"d{i}" for i in range(32)))
    layout.view("S", "Q128", 32, 32, " ".join(f"s{i}" for i in range(32)))
    layout.sticky = "FPFLAGS"


LAYOUT = StateLayout("arm")
declare_common(LAYOUT)
LAYOUT.word("TPIDRURW", 32)
LAYOUT.word("TPIDRURO", 32)

M_LAYOUT = StateLayout("arm-m")
declare_common(M_LAYOUT)
M_LAYOUT.word("SPOTHER", 32, hidden=True)     # the stack pointer that R13 is not: PSP where CONTROL.SPSEL is in effect, else MSP
M_LAYOUT.word("PRIMASK", 1)
M_LAYOUT.word("FAULTMASK", 1)
M_LAYOUT.word("BASEPRI", 8)
M_LAYOUT.word("CONTROL", 3)                   # nPRIV 0, SPSEL 1, FPCA 2
M_LAYOUT.word("IPSR", 9)                      # number of the exception that is being handled; 0: Thread mode
M_LAYOUT.word("EVENT", 1, hidden=True)        # the event register of WFE
M_LAYOUT.word("PENDING", 1, hidden=True)      # an exception waits that priority or masks hold back: unmasking leaves to the machine
M_LAYOUT.word("DIV0TRAP", 1, hidden=True)     # CCR.DIV_0_TRP
M_LAYOUT.word("ASUSER", 1, hidden=True)       # LDRT and the like: 1: leave to the machine, which checks the rights of users
M_LAYOUT.file("ACTIVE", 16, 32, hidden=True)  # active exceptions, a bit each (8 words; 16 as IPSR has nine bits)
M_LAYOUT.file("PENDED", 16, 32, hidden=True)  # pending exceptions, likewise
M_LAYOUT.word("SWITCH", 1, hidden=True)       # PendSV alone is pending, and only it would be taken on return to Thread mode
M_LAYOUT.word("NACTIVE", 9, hidden=True)      # how many there are
M_LAYOUT.word("LINES", 1, hidden=True)        # some interrupt line is high
M_LAYOUT.word("VTOR", 32, hidden=True)
M_LAYOUT.word("FAST", 2, hidden=True)         # see m_exceptions.py
M_LAYOUT.word("PRIOMASK", 8, hidden=True)     # the bits of BASEPRI that the processor has: 0xE0 for 3 bits of priority


class ArmContext(NamedTuple):
    """What decoding and staging may depend on: instruction set, data endianness, unusual FPSCR modes."""

    T: int = 0          # 1: T32
    E: int = 0          # 1: big-endian data
    FP: int = 0         # 1: FPSCR's DN, FZ, RMode, AHP, Stride or Len is not 0

    @property
    def word(self) -> int:
        """Return the context word."""
        return self.T | self.E << 1 | self.FP << 2

    @classmethod
    def of(cls, word: int) -> ArmContext:
        """Return the context for a context word."""
        return cls(word & 1, word >> 1 & 1, word >> 2 & 1)


#: numbers of `abort("exception", n)` of M-profile rows: nothing of the instruction has happened
NO_COPROCESSOR, DIVIDE_BY_ZERO, AS_USER, RETURN = 1, 2, 3, 4
#: numbers of `trap("event", n)` of M-profile rows: the instruction is complete, the machine has to look
WAIT_INTERRUPT, WAIT_EVENT, UNMASKED, CONTROL_WRITTEN, SEND_EVENT = 1, 2, 3, 4, 5

#: what the page of EXC_RETURN values is filled with, so that a jump there decodes to m_exceptions.exception_return
EXCEPTION_RETURN_WORD = 0xDEEE
V6M, V7M, V7EM = 0, 1, 2                      # MContext.ARCH
NO_FP, FPV4_SP, FPV5_DP = 0, 1, 2             # MContext.FPU


class MContext(NamedTuple):
    """What decoding and staging of the M profile may depend on."""

    T: int = 1          # 0: EPSR.T is clear, whatever comes next is an INVSTATE fault
    FP: int = 0         # 1: FPSCR's DN, FZ, RMode or AHP is not 0
    FPOFF: int = 0      # 1: floating-point instructions leave to the machine first (disabled, lazy state to save, FPCA to set)
    STRICT: int = 0     # 1: every access must be aligned (ARMv6-M, CCR.UNALIGN_TRP)
    USER: int = 0       # 1: unprivileged while an MPU is on, so that the two may differ in what is executable
    ARCH: int = V7M
    FPU: int = NO_FP
    E: int = 0          # data is little-endian

    @property
    def word(self) -> int:
        """Return the context word."""
        return self.T | self.FPOFF << 1 | self.FP << 2 | self.STRICT << 3 | self.USER << 4 | self.ARCH << 5 | self.FPU << 7

    @classmethod
    def of(cls, word: int) -> MContext:
        """Return the context for a context word."""
        return cls(T=word & 1, FPOFF=word >> 1 & 1, FP=word >> 2 & 1, STRICT=word >> 3 & 1, USER=word >> 4 & 1,
                   ARCH=word >> 5 & 3, FPU=word >> 7 & 3)
