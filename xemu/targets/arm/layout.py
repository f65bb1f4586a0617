"""ARM's state and context words: what a run needs even when no row is imported."""

from __future__ import annotations

from typing import NamedTuple

from xemu.core.state import StateLayout

LAYOUT = StateLayout("arm")
LAYOUT.file("R", 16, 32, "r0 r1 r2 r3 r4 r5 r6 r7 r8 r9 r10 r11 r12 sp lr pc")    # R[15] is scratch: see ArmCpu.special_read
# N and Z come from one result, C and V from the operands and the result of an addition (ARM ARM A2.2.1):
LAYOUT.word("NZ", 64, hidden=True)       # N is bit 63, Z is "bits 31:0 are zero": the sign-extended result
LAYOUT.word("CX", 32, hidden=True)       # C = carry_of(CX, ~CY, CS), V = overflow_of(CX, ~CY, CS): CY is what a compare subtracts
LAYOUT.word("CY", 32, hidden=True)
LAYOUT.word("CS", 32, hidden=True)
LAYOUT.word("Q", 1)
LAYOUT.word("GE", 4)
LAYOUT.word("ITSTATE", 8)
LAYOUT.word("FPNZCV", 4)                 # FPSCR[31:28]
LAYOUT.word("FPQC", 1)                   # FPSCR[27]
LAYOUT.word("FPMODE", 32, hidden=True)   # FPSCR's AHP, DN, FZ, RMode, Stride, Len in their places
LAYOUT.word("FPFLAGS", 8, hidden=True)   # FPSCR's cumulative exceptions: IOC 0, DZC 1, OFC 2, UFC 3, IXC 4, IDC 7
LAYOUT.word("TPIDRURW", 32)
LAYOUT.word("TPIDRURO", 32)
LAYOUT.word("EXADDR", 32, hidden=True)   # exclusive monitor: address, size in bytes (0: open), value read
LAYOUT.word("EXSIZE", 8, hidden=True)
LAYOUT.word("EXVALUE", 64, hidden=True)
LAYOUT.file("Q128", 16, 128, " ".join(f"q{i}" for i in range(16)))
LAYOUT.view("D", "Q128", 64, 32, " ".join(f"d{i}" for i in range(32)))
LAYOUT.view("S", "Q128", 32, 32, " ".join(f"s{i}" for i in range(32)))
LAYOUT.sticky = "FPFLAGS"


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
