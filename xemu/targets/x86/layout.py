"""x86's state and context words, 32-bit and 64-bit: what a run needs even when no row is imported."""

from __future__ import annotations

from typing import NamedTuple

from xemu.core.state import StateLayout

REGISTERS64 = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15"
REGISTERS32 = "eax ecx edx ebx esp ebp esi edi"
SEGMENTS = ("es", "cs", "ss", "ds", "fs", "gs")           # in the order of their numbers (SDM vol. 2A, table 3-1)
NO_REGISTER = 16                                          # the number of a base or index that is not there: R[16] is always 0
FLAT = 3                                                  # a segment whose base is always 0 (DS): no override that matters


def declare(layout: StateLayout, registers: str) -> None:
    """Declare what both modes have. General registers are 64 bits wide in both; in 32-bit mode the upper halves are 0."""
    layout.file("R", NO_REGISTER + 1, 64, registers)
    layout.view("W", "R", 16, (NO_REGISTER + 1) * 4)      # ax is 0, cx 4 …
    layout.view("B", "R", 8, (NO_REGISTER + 1) * 8)       # al is 0, ah 1, cl 8 …
    # EFLAGS (SDM vol. 1, 3.4.3) are derived from what produced them; `state.py` has the formulas:
    layout.word("ZRES", 64, hidden=True)                  # ZF: is it zero?
    layout.word("SRES", 64, hidden=True)                  # SF is bit 63, PF the parity of bits 7:0
    layout.word("FX", 64, hidden=True)                    # CF, OF and AF are those of FX + FY (+ a carry) = FSUM
    layout.word("FY", 64, hidden=True)
    layout.word("FSUM", 64, hidden=True)
    layout.word("DF", 1)
    layout.word("EFL", 32, hidden=True)                   # the other bits of EFLAGS in their places: TF, IF, NT, AC, ID
    layout.file("SEL", 8, 16, " ".join(SEGMENTS))         # segment selectors
    layout.file("SEG", 8, 64, " ".join(f"{s}_base" for s in SEGMENTS))      # segment bases; all but FS's and GS's are 0
    layout.file("GDT", 4, 64, hidden=True)                # bases of the descriptors that set_thread_area gives (GDT entries 12 to 14)
    layout.word("MXMODE", 32, hidden=True)                # MXCSR but for its exceptions: DAZ, masks, RC, FTZ in their places
    layout.word("FPFLAGS", 8, hidden=True)                # MXCSR: exceptions in the order of fp.py: IE 0, ZE 1, OE 2, UE 3, PE 4, DE 7
    layout.file("X", 32, 128, " ".join(f"xmm{n} ymm{n}h" for n in range(16)))     # xmm n is X[2n], the upper half of ymm n X[2n+1]
    layout.view("X64", "X", 64, 64)                       # the low double of xmm n is X64[4n]
    layout.view("X32", "X", 32, 128)                      # the low single of xmm n is X32[8n]
    # x87 (SDM vol. 1, chapter 8): physical registers; st(i) is FPR[(FTOP + i) & 7]. mm n is the low 64 bits of FPR[n].
    layout.file("FPR", 8, 80, " ".join(f"fpr{n}" for n in range(8)), hidden=True, resident=True)
    layout.view("MM", "FPR", 64, 16)                      # mm n is MM[2n]
    layout.word("FTOP", 8, hidden=True)
    layout.word("FCW", 16, hidden=True)
    layout.word("FSW", 16, hidden=True)                   # the status word but for TOP: exceptions 5:0, SF 6, C0 8, C1 9, C2 10, C3 14
    layout.word("FVALID", 8, hidden=True)                 # a bit for each physical register that is not empty
    layout.file("FLAST", 4, 64, hidden=True)              # the last x87 instruction: address, operand's address, opcode
    layout.sticky = "FPFLAGS"
    layout.host_exceptions = 0x9F


LAYOUT64 = StateLayout("x86_64")
declare(LAYOUT64, REGISTERS64)
LAYOUT32 = StateLayout("i386")
declare(LAYOUT32, REGISTERS32)


#: MXCSR after a reset: all exceptions masked, nothing else; and its bits that are modes
MXCSR_USUAL, MXCSR_MODES = 0x1F80, 0xFFC0


def unusual_modes(mxcsr: int) -> int:
    """Return the context's bit FP."""
    return int(mxcsr & MXCSR_MODES != MXCSR_USUAL)


class X86Context(NamedTuple):
    """What decoding and staging may depend on. L is the target's; the word has the rest."""

    L: int = 1          # 1: 64-bit mode; 0: 32-bit protected mode, flat segments
    FP: int = 0         # 1: MXCSR has other modes than after a reset: RC, DAZ, FTZ, an exception that is not masked
    X87: int = 0        # 1: the x87 control word does not mask all exceptions

    @property
    def word(self) -> int:
        """Return the context word."""
        return self.FP | self.X87 << 1

    @classmethod
    def of64(cls, word: int) -> X86Context:
        """Return the context for a context word of x86-64."""
        return cls(1, word & 1, word >> 1 & 1)

    @classmethod
    def of32(cls, word: int) -> X86Context:
        """Return the context for a context word of i386."""
        return cls(0, word & 1, word >> 1 & 1)


#: numbers of `trap("syscall", n)`: which way into the kernel
SYSCALL, SYSENTER, INT80 = 0, 1, 0x80
#: numbers of `trap("event", n)` (the instruction is complete: INT3, INTO, ICEBP) and `abort("exception", n)` (it did not happen):
#: vectors of SDM vol. 3A, table 6-1
DIVIDE_ERROR, DEBUG, BREAKPOINT, OVERFLOW, BOUND, GENERAL_PROTECTION, X87_ERROR, SIMD_ERROR = 0, 1, 3, 4, 5, 13, 16, 19
