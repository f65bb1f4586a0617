"""PowerPC's state and context words, 32-bit and 64-bit: what a run needs even when no row is imported."""

from __future__ import annotations

from typing import NamedTuple

from xemu.core.state import StateLayout


def declare(layout: StateLayout, width: int) -> None:
    """Declare what both widths have; `width` is that of general registers, LR and CTR."""
    layout.file("GPR", 32, width, " ".join(f"r{n}" for n in range(32)))
    layout.word("LR", width)
    layout.word("CTR", width)
    layout.file("CRB", 32, 1, hidden=True)   # the bits of CR, as branches number them: 4n LT, 4n+1 GT, 4n+2 EQ, 4n+3 SO of field n
    # LT, GT and EQ of a field are kept as what was compared, and worked out where they are read
    layout.file("CRKIND", 8, 8, hidden=True)     # BITS: in CRB; COMPARED: CRX and CRY, signed
    layout.file("CRX", 8, width, hidden=True)
    layout.file("CRY", 8, width, hidden=True)
    # XER (Book I, 3.2.2), bit by bit; LEN is the byte count of string instructions
    layout.word("SO", 1, hidden=True)
    layout.word("OV", 1, hidden=True)
    layout.word("CA", 1, hidden=True)
    layout.word("OV32", 1, hidden=True)      # 64-bit alone
    layout.word("CA32", 1, hidden=True)      # 64-bit alone
    layout.word("LEN", 7, hidden=True)
    # Vector-scalar registers: floating-point register n is doubleword 0 (bits 127:64) of VSR[n], vector register n is VSR[32 + n]
    layout.file("VSR", 64, 128, " ".join(f"vs{n}" for n in range(64)))
    layout.view("D", "VSR", 64, 128)         # doublewords: FPR n is D[2n + 1], the other half of its VSR D[2n]
    # FPSCR (Book I, 4.2.2). What the last operation left in FR, FI and FPRF is kept as what it was, and worked out when it is read.
    layout.word("FPCTL", 32, hidden=True)    # VE OE UE ZE XE NI RN: bits 7:0 in their places
    layout.word("DRN", 3, hidden=True)       # rounding mode of decimal arithmetic
    layout.word("FPSTICKY", 32, hidden=True)  # FX and the exceptions (bits 31, 28:19, 10:8) as they were when FPSCR was last written
    layout.word("FPFLAGS", 16, hidden=True)  # exceptions since then: 7:0 as in fp.py, 15:8 which kind of invalid (see fp_rules.py)
    layout.word("FPOP", 16, hidden=True)     # the last operation (status.py): 9:8 rounding mode, 7:0 which; 0: FR, FI, FPRF are in FPLAST
    layout.word("FPLAST", 8, hidden=True)    # FR 6, FI 5, C 4, FPCC 3:0
    layout.word("FPCC", 5, hidden=True)      # bit 4: bits 3:0 are FPCC (of a comparison that came after the last operation)
    layout.file("FPARG", 3, 64, hidden=True)  # operands of the last operation
    layout.word("FPRES", 64, hidden=True)    # its result
    # Vectors (Book I, 6.3)
    layout.word("NJ", 1, hidden=True)        # VSCR
    layout.word("SAT", 1, hidden=True)
    layout.word("VRSAVE", 32)
    # special-purpose registers that programs may use (Book II)
    layout.word("TAR", width)
    layout.word("DSCR", width)
    layout.word("PPR", 64, hidden=True)
    layout.word("SPRG3", width, hidden=True)  # Linux: number of the processor, for getcpu
    layout.word("FE", 2, hidden=True)        # MSR.FE0 and FE1 (user mode: prctl): 0: enabled floating-point exceptions interrupt nothing
    # the reservation (Book II, 1.7.2): address, size in bytes (0: there is none), value read
    layout.word("EXADDR", width, hidden=True)
    layout.word("EXSIZE", 8, hidden=True)
    layout.word("EXVALUE", 128, hidden=True)
    layout.sticky = "FPFLAGS"
    layout.quiet = True
    layout.host_exceptions = 0x1E            # which kind of invalid operation it was, the host does not know


LAYOUT32 = StateLayout("ppc")
declare(LAYOUT32, 32)
LAYOUT64 = StateLayout("ppc64le")
declare(LAYOUT64, 64)
LAYOUT64.word("SCV", 1, hidden=True)         # 1: the last system call was made with SCV, whose errors are negative numbers

#: FPCTL where nothing unusual is asked for: bits that decoding depends on
FPSCR_MODES = 0xFB        # VE OE UE ZE XE RN; NI changes nothing


class PpcContext(NamedTuple):
    """What decoding and staging may depend on. SF and LE are the target's; the word has the rest."""

    SF: int = 1         # 1: 64-bit
    LE: int = 1         # 1: little-endian
    FP: int = 0         # 1: FPSCR rounds in another way than to nearest, or enables an exception
    JAVA: int = 0       # 1: VSCR.NJ is 0: vector floating point keeps denormals (a Linux process starts with NJ = 1)

    @property
    def word(self) -> int:
        """Return the context word."""
        return self.FP | self.JAVA << 1

    @classmethod
    def of64(cls, word: int) -> PpcContext:
        """Return the context for a context word of ppc64le."""
        return cls(1, 1, word & 1, word >> 1 & 1)

    @classmethod
    def of32(cls, word: int) -> PpcContext:
        """Return the context for a context word of ppc."""
        return cls(0, 0, word & 1, word >> 1 & 1)


#: CRKIND
BITS, COMPARED = range(2)
#: numbers of `trap("syscall", n)`
SC, SCV = 0, 1
#: numbers of `abort("exception", n)`: the instruction did not happen
TRAP, ALIGNMENT, PRIVILEGED, FACILITY = 1, 2, 3, 4
#: numbers of `trap("event", n)`: it did, but for what the exception says
FLOATING_POINT = 5
