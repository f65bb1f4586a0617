"""What CPUID says: an x86-64-v3 processor, with exactly the features that there are rows for (SDM vol. 2A, CPUID).

One table for the instruction and for what programs read of it elsewhere (AT_HWCAP, /proc/cpuinfo).
"""

from __future__ import annotations

from typing import NamedTuple

VENDOR = b"GenuineIntel"
BRAND = b"xemu virtual CPU"
SIGNATURE = 0x000306C3                            # family 6, model 3Ch, stepping 3
LINE = 64                                         # bytes of a cache line
XCR0 = 7                                          # state that XSAVE saves: x87, SSE, AVX
XSAVE_BYTES, AVX_OFFSET, AVX_BYTES = 0x340, 0x240, 0x100
TOPOLOGY = 0xB                                    # the leaf whose ECX has the subleaf in bits 7:0
LAST_BASIC, FIRST_EXTENDED, LAST_EXTENDED = 0xD, 0x80000000, 0x80000008

#: names of the bits that are set, as Linux has them
LEAF1_EDX = {"fpu": 0, "tsc": 4, "cx8": 8, "cmov": 15, "clflush": 19, "mmx": 23, "fxsr": 24, "sse": 25, "sse2": 26}
LEAF1_ECX = {"pni": 0, "pclmulqdq": 1, "ssse3": 9, "fma": 12, "cx16": 13, "sse4_1": 19, "sse4_2": 20, "movbe": 22, "popcnt": 23, "aes": 25,
             "xsave": 26, "osxsave": 27, "avx": 28, "f16c": 29}
LEAF7_EBX = {"fsgsbase": 0, "bmi1": 3, "avx2": 5, "bmi2": 8, "adx": 19, "sha_ni": 29}
EXTENDED_ECX = {"lahf_lm": 0, "abm": 5}
EXTENDED_EDX = {"nx": 20, "rdtscp": 27, "lm": 29}
SYSCALL_BIT = 11                                  # of EXTENDED_EDX: in 64-bit mode alone
XSAVE_FORMS = {"xsaveopt": 0, "xsavec": 1}
POWER_EDX = {"nonstop_tsc": 8}                    # the time-stamp counter counts at one rate always


class Registers(NamedTuple):
    """What one leaf returns."""

    eax: int = 0
    ebx: int = 0
    ecx: int = 0
    edx: int = 0


def _bits(names: dict[str, int]) -> int:
    return sum(1 << at for at in names.values())


def _words(text: bytes) -> list[int]:
    return [int.from_bytes(text[at:at + 4], "little") for at in range(0, len(text), 4)]


def _cache(kind: int, level: int, ways: int, sets: int) -> Registers:
    """Return leaf 4's description of a cache (1: data, 2: instructions, 3: both) of one core and thread."""
    return Registers(kind | level << 5 | 1 << 8, (ways - 1) << 22 | LINE - 1, sets - 1)


def table(bits: int) -> dict[tuple[int, int | None], Registers]:
    """Return all leaves of a mode (64 or 32): by number and subleaf (None: any)."""
    vendor = _words(VENDOR)
    brand = _words(BRAND.ljust(48, b"\0"))
    syscall = 1 << SYSCALL_BIT if bits == 64 else 0
    return {
        (0, None): Registers(LAST_BASIC, vendor[0], vendor[2], vendor[1]),
        (1, None): Registers(SIGNATURE, LINE // 8 << 8 | 1 << 16, _bits(LEAF1_ECX), _bits(LEAF1_EDX)),
        (2, None): Registers(0x00FEFF01, 0xF0),                                # see leaf 4; prefetches of 64 bytes
        (4, 0): _cache(1, 1, 8, 64),
        (4, 1): _cache(2, 1, 8, 64),
        (4, 2): _cache(3, 2, 16, 1024),
        (4, 3): _cache(3, 3, 16, 8192),
        (7, 0): Registers(0, _bits(LEAF7_EBX)),
        (TOPOLOGY, 0): Registers(0, 1, 1 << 8),
        (TOPOLOGY, 1): Registers(0, 1, 2 << 8),
        (0xD, 0): Registers(XCR0, XSAVE_BYTES, XSAVE_BYTES),
        (0xD, 1): Registers(_bits(XSAVE_FORMS), XSAVE_BYTES),
        (0xD, 2): Registers(AVX_BYTES, AVX_OFFSET),
        (0x80000000, None): Registers(LAST_EXTENDED),
        (0x80000001, None): Registers(0, 0, _bits(EXTENDED_ECX), _bits(EXTENDED_EDX) | syscall),
        (0x80000002, None): Registers(*brand[0:4]),
        (0x80000003, None): Registers(*brand[4:8]),
        (0x80000004, None): Registers(*brand[8:12]),
        (0x80000006, None): Registers(0, 0, 1024 << 16 | 8 << 12 | LINE),      # L2: 1 MB, 16 ways
        (0x80000007, None): Registers(0, 0, 0, _bits(POWER_EDX)),
        (0x80000008, None): Registers(48 << 8 | 46),
    }


def cpuid(leaf: int, subleaf: int, bits: int = 64) -> Registers:
    """Return what CPUID returns; a leaf that is not there reads as the last basic one."""
    leaves = table(bits)
    if not leaf <= LAST_BASIC and not FIRST_EXTENDED <= leaf <= LAST_EXTENDED:
        leaf = LAST_BASIC
    found = leaves.get((leaf, None)) or leaves.get((leaf, subleaf)) or Registers()
    return found._replace(ecx=found.ecx & ~0xFF | subleaf & 0xFF) if leaf == TOPOLOGY else found


def flag_names() -> list[str]:
    """Return the names of all features in Linux's order (/proc/cpuinfo)."""
    groups = (LEAF1_EDX, {**EXTENDED_EDX, "syscall": SYSCALL_BIT}, POWER_EDX, LEAF1_ECX, EXTENDED_ECX, LEAF7_EBX, XSAVE_FORMS)
    return [name for group in groups for name, _ in sorted(group.items(), key=lambda item: item[1]) if name != "osxsave"]


def hwcap() -> int:
    """Return AT_HWCAP: EDX of leaf 1."""
    return _bits(LEAF1_EDX)
