"""What symbols, call frames and disassembly must know of an instruction set: one row per architecture.

Register numbers of DWARF: DWARF for the Arm Architecture (IHI 0040) and for AArch64 (IHI 0057), 3.1; System V ABI for AMD64
(figure 3.36), i386 (table 2.14) and PowerPC (its supplement, table 3.20; 64-bit ELF V2 ABI, table 2.26). In .eh_frame, GCC's own
numbers of PowerPC's special registers are used instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def _numbered(first: int, names: str) -> dict[int, str]:
    return {first + index: name for index, name in enumerate(names.split())}


def _row(prefix: str, count: int) -> str:
    return " ".join(f"{prefix}{n}" for n in range(count))


@dataclass(frozen=True)
class Architecture:
    """Names and conventions of one instruction set."""

    name: str
    bits: int                           # of an address
    dwarf: Mapping[int, str]            # DWARF's register number -> name
    pc: str
    sp: str
    frame: str                          # the frame pointer; its word is the caller's, the next one the return address
    link: str = ""                      # the register that holds the return address at a function's start, if one does
    saved: frozenset[str] = frozenset()  # what a function leaves as it was (callee-saved)
    order: str = "little"               # or "big"
    word: int = 4                       # bytes of a general register
    wide: Mapping[str, int] = field(default_factory=dict)        # bytes of registers that are not a word, by first letter(s)
    parts: Mapping[str, tuple[str, int, int]] = field(default_factory=dict)  # name -> (register that holds it, byte, bytes)
    modes: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)  # mode -> capstone's names
    unit: int = 1                       # instructions start at multiples of this
    thumb: tuple[tuple[str, int], ...] = ()  # (status register, mask): Thumb state if the bit is set
    pc_ahead: Mapping[str, int] = field(default_factory=dict)    # mode -> what PC reads as, minus the instruction's address
    eh_numbers: Mapping[int, int] = field(default_factory=dict)  # .eh_frame's register number -> .debug_frame's, where they differ
    status: tuple[str, ...] = ()        # registers without a number of DWARF that front ends show
    aliases: Mapping[str, str] = field(default_factory=dict)     # other names of registers
    pops: int = 0                       # bytes of arguments that functions may take off the stack when they return, at most
    thread: str = ""                    # the register through which thread-local variables are found
    thread_bias: int = 0                # what it points behind the end of the thread's own words
    thread_head: int = 2                # those words behind it, before the program's variables (where blocks stand behind it)
    calls: str = ""                     # what is shown as a register and tells which system call a thread is in
    rows: str = ""                      # the target whose rows name instructions that capstone does not know
    doubles: str = ""                   # first letter of registers that hold floating-point numbers of any type as doubles
    back_link: int = 0                  # where a function stores its return address in its caller's frame, whose first word is SP's chain

    @property
    def address_bytes(self) -> int:
        """Return the bytes of an address."""
        return self.bits // 8

    @property
    def mask(self) -> int:
        """Return the largest address."""
        return (1 << self.bits) - 1

    @property
    def little(self) -> bool:
        """Whether data has its low byte first."""
        return self.order == "little"

    def number(self, data: bytes) -> int:
        """Return the unsigned number that some bytes hold."""
        return int.from_bytes(data, "little" if self.order == "little" else "big")

    def encode(self, value: int, size: int) -> bytes:
        """Return the bytes that hold a number, cut to `size` bytes."""
        return (value & ((1 << 8 * size) - 1)).to_bytes(size, "little" if self.order == "little" else "big")

    @property
    def pushed(self) -> int:
        """Return the bytes of the stack that a call takes: the return address, where no register holds it."""
        return 0 if self.link else self.address_bytes

    def code(self, address: int) -> int:
        """Return the address of the code that a pointer to a function or a return address means."""
        return address & ~1 if self.thumb else address

    def mode_at(self, address: int, mode: str) -> str:
        """Return the mode in which code runs that a pointer or return address leads to; `mode`: what it runs in otherwise."""
        return ("thumb" if address & 1 else "arm") if self.thumb else mode

    def register_bytes(self, name: str) -> int:
        """Return the size of a register in bytes."""
        if name in self.parts:
            return self.parts[name][2]
        return self.wide.get(name.rstrip("0123456789"), self.word)

    def mode_of(self, registers: Mapping[str, int]) -> str:
        """Return the mode ("arm", "thumb"; "" where there is one only) that registers say the CPU is in."""
        for name, mask in self.thumb:
            if name in registers:
                return "thumb" if registers[name] & mask else "arm"
        return "" if "" in self.modes else next(iter(self.modes), "")


_ARM_MODES = {"arm": ("CS_ARCH_ARM", ("CS_MODE_ARM",)), "thumb": ("CS_ARCH_ARM", ("CS_MODE_THUMB",)),
              "thumb-m": ("CS_ARCH_ARM", ("CS_MODE_THUMB", "CS_MODE_MCLASS"))}  # fmt: skip


def _arm(name: str, order: str) -> Architecture:
    return Architecture(
        name, 32, _numbered(0, _row("r", 13) + " sp lr pc") | _numbered(64, _row("s", 32)) | _numbered(256, _row("d", 32)),
        pc="pc", sp="sp", frame="r11", link="lr", order=order,
        saved=frozenset([f"r{n}" for n in range(4, 12)] + [f"d{n}" for n in range(8, 16)]),
        wide={"d": 8, "s": 4, "q": 16}, parts={f"s{n}": (f"d{n // 2}", 4 * (n % 2), 4) for n in range(32)},
        modes=_ARM_MODES, unit=2, thumb=(("xpsr", 1 << 24), ("cpsr", 1 << 5)), pc_ahead={"arm": 8, "thumb": 4, "thumb-m": 4},
        status=("cpsr", "xpsr", "fpscr", "msp", "psp", "primask", "basepri", "faultmask", "control"),
        aliases={"r13": "sp", "r14": "lr", "r15": "pc"}, thread="tpidruro",
    )  # fmt: skip


_PPC_SPECIAL = {64: "cr", 67: "vscr", 101: "xer", 108: "lr", 109: "ctr", 356: "vrsave"}
_PPC_EH = {65: 108, 66: 109, 70: 64, 76: 101, 109: 356, 110: 67} | {77 + n: 1124 + n for n in range(32)}


def _ppc(name: str, bits: int, order: str, mode: str) -> Architecture:
    return Architecture(
        name, bits, _numbered(0, _row("r", 32)) | _numbered(32, _row("f", 32)) | _PPC_SPECIAL | _numbered(1124, _row("vr", 32)),
        pc="pc", sp="r1", frame="r31", link="lr", order=order, word=bits // 8,
        wide={"f": 8, "vr": 16, "vs": 16, "cr": 4, "xer": 4, "vscr": 4, "vrsave": 4, "fpscr": 8},
        saved=frozenset(["r1", "r2", *(f"r{n}" for n in range(14, 32)), *(f"f{n}" for n in range(14, 32)),
                         *(f"vr{n}" for n in range(20, 32)), "cr"]),
        modes={"": ("CS_ARCH_PPC", (mode, "CS_MODE_BIG_ENDIAN" if order == "big" else "CS_MODE_LITTLE_ENDIAN"))}, unit=4,
        eh_numbers=_PPC_EH, status=("fpscr", "msr", *(("tar", "dscr") if bits == 64 else ())),
        thread="r13" if bits == 64 else "r2", thread_bias=0x7000, thread_head=0, rows="" if name == "ppc64" else name, doubles="f",
        back_link=16 if bits == 64 else 4,
    )  # fmt: skip


_INDEXES = ("si", "di", "bp", "sp")                # "sp" is the stack pointer, whatever its size
_X86_STATUS = ("cs", "ss", "ds", "es", "fs", "gs", "mxcsr", "fctrl", "fstat", "ftag", *(f"ymm{n}h" for n in range(16)))


def _halves(letters: str, prefix: str) -> dict[str, tuple[str, int, int]]:
    """Return the parts of x86's first four registers: al, ah, ax; eax of rax."""
    found: dict[str, tuple[str, int, int]] = {}
    for letter in letters:
        whole = f"{prefix}{letter}x"
        found |= {f"{letter}l": (whole, 0, 1), f"{letter}h": (whole, 1, 1), f"{letter}x": (whole, 0, 2)}
        if prefix == "r":
            found[f"e{letter}x"] = (whole, 0, 4)
    return found


_ROWS = (
    _arm("arm", "little"),
    _arm("armeb", "big"),
    Architecture(
        "aarch64", 64, _numbered(0, _row("x", 31) + " sp pc") | _numbered(64, _row("v", 32)),
        pc="pc", sp="sp", frame="x29", link="x30", word=8, wide={"v": 16, "d": 8, "s": 4, "w": 4},
        saved=frozenset([f"x{n}" for n in range(19, 30)] + [f"v{n}" for n in range(8, 16)]),
        parts={f"d{n}": (f"v{n}", 0, 8) for n in range(32)} | {f"w{n}": (f"x{n}", 0, 4) for n in range(31)},
        modes={"": ("CS_ARCH_ARM64", ("CS_MODE_ARM",))}, unit=4,
    ),
    Architecture(
        "x86_64", 64, _numbered(0, "rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip")
        | _numbered(17, _row("xmm", 16)) | _numbered(33, _row("st", 8)) | {49: "eflags", 58: "fs_base", 59: "gs_base"},
        pc="rip", sp="rsp", frame="rbp", word=8, wide={"xmm": 16, "st": 10},
        saved=frozenset(["rbx", "rbp", "r12", "r13", "r14", "r15"]), modes={"": ("CS_ARCH_X86", ("CS_MODE_64",))},
        parts=_halves("abcd", "r") | {f"{name}{letter}": (name, 0, size) for name in _row("r", 16).split()[8:]
                                      for letter, size in (("d", 4), ("w", 2), ("b", 1))}
        | {f"e{name}": (f"r{name}", 0, 4) for name in _INDEXES} | {name: (f"r{name}", 0, 2) for name in _INDEXES[:3]}
        | {f"{name}l": (f"r{name}", 0, 1) for name in _INDEXES},
        status=("eflags", *_X86_STATUS), thread="fs_base", calls="orig_rax",
    ),
    Architecture(
        "i386", 32, _numbered(0, "eax ecx edx ebx esp ebp esi edi eip eflags") | _numbered(11, _row("st", 8))
        | _numbered(21, _row("xmm", 8)),
        pc="eip", sp="esp", frame="ebp", wide={"xmm": 16, "st": 10},
        saved=frozenset(["ebx", "ebp", "esi", "edi"]), modes={"": ("CS_ARCH_X86", ("CS_MODE_32",))},
        parts=_halves("abcd", "e") | {name: (f"e{name}", 0, 2) for name in _INDEXES[:3]},
        status=_X86_STATUS, pops=252, thread="gs_base", calls="orig_eax",
    ),
    _ppc("ppc", 32, "big", "CS_MODE_32"),
    _ppc("ppc64", 64, "big", "CS_MODE_64"),
    _ppc("ppc64le", 64, "little", "CS_MODE_64"),
)  # fmt: skip
ARCHITECTURES: Mapping[str, Architecture] = {row.name: row for row in _ROWS}


def unknown(name: str, bits: int, order: str) -> Architecture:
    """Return a description for an instruction set that has no row: names by number, nothing else known."""
    return Architecture(name, bits, {}, pc="pc", sp="sp", frame="", order=order, word=bits // 8)
