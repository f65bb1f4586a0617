"""The ABI of 32-bit ARM Linux (armhf and armel, EABI version 5)."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any

from xemu.core.memory import EXEC, READ, WRITE
from xemu.errors import ImageError
from xemu.user import signals as sig
from xemu.user.abi import Abi, Cause
from xemu.user.arm import frames
from xemu.user.arm.layouts import LAYOUTS
from xemu.user.arm.numbers import NUMBERS

if TYPE_CHECKING:
    from xemu.core.memory import AddressSpace
    from xemu.loaders.image import Image
    from xemu.user.process import Process
    from xemu.user.signals import Action, SigInfo
    from xemu.user.task import Task

_HWCAPS = {
    "SWP": 0, "HALF": 1, "THUMB": 2, "FAST_MULT": 4, "VFP": 6, "EDSP": 7, "NEON": 12, "VFPv3": 13, "TLS": 15,
    "VFPv4": 16, "IDIVA": 17, "IDIVT": 18, "VFPD32": 19, "LPAE": 20,
}  # fmt: skip
EF_ARM_EABI_MASK, EF_ARM_EABI_VER5, EF_ARM_BE8 = 0xFF000000, 0x05000000, 0x00800000
THUMB_BIT = 0x20
# O_DIRECTORY, O_NOFOLLOW, O_DIRECT, O_LARGEFILE (arch/arm/include/uapi/asm/fcntl.h); the host needs no O_LARGEFILE
_OPEN_BITS = ((0o40000, os.O_DIRECTORY, "O_DIRECTORY"), (0o100000, os.O_NOFOLLOW, "O_NOFOLLOW"), (0o200000, os.O_DIRECT, "O_DIRECT"),
              (0o400000, 0, "O_LARGEFILE"))
CPUINFO = """processor\t: 0
model name\t: ARMv7 Processor rev 4 (v7l)
BogoMIPS\t: 100.00
Features\t: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae
CPU implementer\t: 0x41
CPU architecture: 7
CPU variant\t: 0x0
CPU part\t: 0xc0f
CPU revision\t: 4

Hardware\t: xemu
Revision\t: 0000
Serial\t\t: 0000000000000000
"""

# The helpers at fixed addresses (Documentation/arch/arm/kernel_user_helpers.rst), our own code:
VECTORS = 0xFFFF0000
_HELPERS = {
    0xFFFF0F60: (  # kuser_cmpxchg64(old *, new *, ptr *): 0 and C set if *ptr was *old
        0xE92D40F0,  # push {r4, r5, r6, r7, lr}
        0xE1C040D0,  # ldrd r4, r5, [r0]
        0xE1C160D0,  # ldrd r6, r7, [r1]
        0xE1B20F9F,  # ldrexd r0, r1, [r2]
        0xE0303004,  # eors r3, r0, r4
        0x00313005,  # eorseq r3, r1, r5
        0x01A23F96,  # strexdeq r3, r6, r7, [r2]
        0x03330001,  # teqeq r3, #1
        0x0AFFFFF9,  # beq the ldrexd
        0xE2730000,  # rsbs r0, r3, #0
        0xE8BD80F0,  # pop {r4, r5, r6, r7, pc}
    ),
    0xFFFF0FA0: (0xF57FF05B, 0xE12FFF1E),  # kuser_memory_barrier: dmb ish; bx lr
    0xFFFF0FC0: (  # kuser_cmpxchg(old, new, ptr)
        0xE1923F9F,  # ldrex r3, [r2]
        0xE0533000,  # subs r3, r3, r0
        0x01823F91,  # strexeq r3, r1, [r2]
        0x03330001,  # teqeq r3, #1
        0x0AFFFFFA,  # beq the first instruction
        0xE2730000,  # rsbs r0, r3, #0
        0xE12FFF1E,  # bx lr
    ),
    0xFFFF0FE0: (0xEE1D0F70, 0xE12FFF1E),  # kuser_get_tls: mrc p15, 0, r0, c13, c0, 3; bx lr
}  # fmt: skip
HELPER_VERSION = 5


def helper_page() -> bytes:
    """Return the page at 0xffff0000: helpers, their version, and the signal return trampolines."""
    page = bytearray(struct.pack("<I", 0xE7FDDEF1) * 1024)  # undefined instructions everywhere else
    for address, words in _HELPERS.items():
        struct.pack_into(f"<{len(words)}I", page, address - VECTORS, *words)
    struct.pack_into("<I", page, 0xFFC, HELPER_VERSION)
    frames.put_trampolines(page)
    return bytes(page)


class ArmAbi(Abi):
    """32-bit ARM, little-endian."""

    name = "arm"
    machine = "armv7l"
    platform = b"v7l"
    pairs_aligned = True
    short_ids = True
    cpuinfo = CPUINFO
    numbers = NUMBERS
    layouts = LAYOUTS
    hwcap = sum(1 << bit for bit in _HWCAPS.values())
    task_size = 0xBF000000
    open_bits = _OPEN_BITS
    stack_top = 0xBEFFF000
    program_base = 0x00400000
    number_register = "r7"
    result_register = "r0"
    arguments = tuple(f"r{n}" for n in range(7))
    crash_registers = (("r0", "r1", "r2", "r3"), ("r4", "r5", "r6", "r7"), ("r8", "r9", "r10", "r11"), ("r12", "sp", "lr", "pc"),
                       ("cpsr", "fpscr"))

    def load_rows(self) -> None:
        """Import them."""
        import xemu.user.arm.calls  # noqa: F401

    def prepare_space(self, space: AddressSpace) -> None:
        """Map the vectors page with the kernel's helpers."""
        space.map(VECTORS, 4096, READ | EXEC, path="[vectors]")
        space.poke(VECTORS, helper_page())

    def check_image(self, image: Image, name: str) -> None:
        """Refuse old-ABI and big-endian programs."""
        if image.flags & EF_ARM_BE8:
            raise ImageError(f"{name}: a big-endian ARM program; xemu runs little-endian ones")
        if image.flags & EF_ARM_EABI_MASK not in (EF_ARM_EABI_VER5, 0x04000000):
            raise ImageError(f"{name}: an ARM program of the old ABI (flags {image.flags:#x}); build it for EABI")

    def start(self, state: Any, entry: int, stack: int) -> None:
        """Set the registers for the first instruction (fs/binfmt_elf.c, ELF_PLAT_INIT)."""
        for index in range(13):
            state.write(f"r{index}", 0)
        state.write("sp", stack)
        state.write("lr", 0)
        for index in range(32):
            state.write(f"d{index}", 0)
        state.write("fpscr", 0)
        state.write("tpidruro", 0)
        state.write("cpsr", 0x10 | (THUMB_BIT if entry & 1 else 0))
        state.write("pc", entry & ~1)

    def set_tls(self, task: Task, value: int) -> None:
        """Write TPIDRURO, which user code can only read."""
        task.process.engine.state.write("tpidruro", value)

    def syscall_size(self, state: Any) -> int:
        """2 bytes in Thumb state, else 4."""
        return 2 if state.read("cpsr") & THUMB_BIT else 4

    def push_frame(self, task: Task, state: Any, info: SigInfo, action: Action, mask: int, top: int) -> None:
        """Enter a handler."""
        frames.push(task, state, info, action, mask, top)

    def pop_frame(self, task: Task, state: Any, *, rt: bool) -> int:
        """Leave one."""
        return frames.pop(task, state, rt=rt)

    # --- faults: trap numbers and fault status as arch/arm/mm/fault.c has them --------------------

    def fault(self, process: Process, task: Task, fault: Any) -> Cause:  # noqa: ARG002
        """SIGSEGV or SIGBUS."""
        write = 0x800 if fault.access & WRITE else 0
        address = process.engine.state.read("pc") if fault.access == EXEC else fault.address
        if fault.kind == "ALIGN":
            return Cause(sig.SIGBUS, sig.BUS_ADRALN, address, (14, write | 1, address))
        if fault.kind == "BUS":
            return Cause(sig.SIGBUS, sig.BUS_ADRERR, address, (14, write | 8, address))
        mapped = fault.kind == "ACCERR"
        code = sig.SEGV_ACCERR if mapped else sig.SEGV_MAPERR
        return Cause(sig.SIGSEGV, code, address, (14, write | (15 if mapped else 7), address))

    def page_lost(self, address: int) -> Cause:
        """SIGBUS."""
        return Cause(sig.SIGBUS, sig.BUS_ADRERR, address, (14, 8, address))

    def undefined(self, process: Process, address: int) -> Cause:
        """SIGILL, or SIGTRAP for the patterns debuggers use as breakpoints (arch/arm/kernel/ptrace.c)."""
        value = int.from_bytes(process.space.peek(address & ~1, 4) or bytes(4), "little")
        if value == 0xE7F001F0 or value & 0xFFFF == 0xDE01:
            return self.breakpoint(address)
        return Cause(sig.SIGILL, sig.ILL_ILLOPC, address, (6, 0, 0))

    def breakpoint(self, address: int) -> Cause:
        """SIGTRAP."""
        return Cause(sig.SIGTRAP, sig.TRAP_BRKPT, address, (3, 0, 0))
