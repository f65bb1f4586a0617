"""The ABIs of PowerPC Linux: 32-bit big-endian (System V) and 64-bit little-endian (ELFv2)."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any

from xemu.core.layout import LITTLE
from xemu.core.memory import EXEC, PAGE, READ, WINDOW_BITS, WRITE
from xemu.errors import ImageError
from xemu.targets.ppc.layout import ALIGNMENT, FLOATING_POINT, PRIVILEGED, TRAP, PpcContext
from xemu.user import signals as sig
from xemu.user.abi import Abi, Cause, register_offset
from xemu.user.ppc import frames64, terminal, vdso
from xemu.user.ppc.layouts64 import LAYOUTS64
from xemu.user.ppc.numbers import NUMBERS64

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemu.core.memory import AddressSpace
    from xemu.loaders.image import Image
    from xemu.user.process import Process
    from xemu.user.signals import Action, SigInfo
    from xemu.user.task import Task

# O_DIRECTORY, O_NOFOLLOW, O_LARGEFILE, O_DIRECT (arch/powerpc/include/uapi/asm/fcntl.h); the host needs no O_LARGEFILE
_OPEN_BITS = ((0o40000, os.O_DIRECTORY, "O_DIRECTORY"), (0o100000, os.O_NOFOLLOW, "O_NOFOLLOW"), (0o200000, 0, "O_LARGEFILE"),
              (0o400000, os.O_DIRECT, "O_DIRECT"))
# SO_RCVLOWAT SO_SNDLOWAT SO_RCVTIMEO SO_SNDTIMEO SO_PASSCRED SO_PEERCRED (uapi/asm/socket.h)
_SOCKET_OPTIONS = {16: 18, 17: 19, 18: 20, 19: 21, 20: 16, 21: 17}
# asm/cputable.h
HWCAP = {"32": 0x80000000, "64": 0x40000000, "ALTIVEC": 0x10000000, "FPU": 0x08000000, "MMU": 0x04000000, "SMT": 0x4000,
          "ICACHE_SNOOP": 0x2000, "DFP": 0x400, "ARCH_2_06": 0x100, "VSX": 0x80, "TRUE_LE": 2}  # fmt: skip
_HWCAP2 = {"ARCH_2_07": 0x80000000, "DSCR": 0x20000000, "ISEL": 0x08000000, "TAR": 0x04000000, "VEC_CRYPTO": 0x02000000,
           "ARCH_3_00": 0x00800000, "IEEE128": 0x00400000, "DARN": 0x00200000, "SCV": 0x00100000}  # fmt: skip
CPUINFO64 = """processor\t: 0
cpu\t\t: POWER9 (architected), altivec supported
clock\t\t: 1000.000000MHz
revision\t: 2.2 (pvr 004e 1202)

timebase\t: 512000000
platform\t: pSeries
model\t\t: xemu
machine\t\t: CHRP xemu
MMU\t\t: Radix
"""
AT_DCACHEBSIZE, AT_ICACHEBSIZE, AT_UCACHEBSIZE, AT_SYSINFO_EHDR, AT_L1I_CACHESIZE = 19, 20, 21, 33, 40
# vectors of exceptions (Power ISA Book III, 6.5), as frames show them
DATA_STORAGE, INSTRUCTION_STORAGE, ALIGNMENT_INTERRUPT, PROGRAM, FACILITY_UNAVAILABLE = 0x300, 0x400, 0x600, 0x700, 0xF60
DSISR_NO_PAGE, DSISR_PROTECTION, DSISR_STORE = 0x40000000, 0x08000000, 0x02000000
# exceptions enabled in FPSCR and what is raised: (enable, sticky, code), as the kernel looks (__parse_fpscr)
_FP_CODES = ((0x80, 0x20000000, sig.FPE_FLTINV), (0x40, 0x10000000, sig.FPE_FLTOVF), (0x20, 0x08000000, sig.FPE_FLTUND),
             (0x10, 0x04000000, sig.FPE_FLTDIV), (0x08, 0x02000000, sig.FPE_FLTRES))
NON_JAVA = 0x10000  # VSCR.NJ: vectors flush denormal numbers until a program asks for Java mode
FPE_FLTUNK, ILL_PRVOPC = 14, 5
PR_GET_FPEXC, PR_SET_FPEXC = 11, 12
PR_FP_EXC_SW_ENABLE, PR_FP_EXC_MODES = 0x80, 3


def caches(line: int, *sizes: tuple[int, int]) -> dict[int, int]:
    """Return what the auxiliary vector says of the caches: (bytes, ways) of those for instructions and data, and of levels 2 and 3."""
    entries = {AT_DCACHEBSIZE: line, AT_ICACHEBSIZE: line, AT_UCACHEBSIZE: 0}
    for n, (size, ways) in enumerate(sizes):
        entries |= {AT_L1I_CACHESIZE + 2 * n: size, AT_L1I_CACHESIZE + 2 * n + 1: ways << 16 | line}
    return entries


class PowerAbi(Abi):
    """What both have in common."""

    open_bits = _OPEN_BITS
    requests = terminal.REQUESTS
    termios_line, termios_characters, old_characters = 35, 16, 10
    socket_options = _SOCKET_OPTIONS
    lock_flags = 0xE000
    number_register = "r0"
    result_register = "r3"
    stack_register = "r1"
    arguments = tuple(f"r{n}" for n in range(3, 9))
    crash_registers = (*(tuple(f"r{n}" for n in range(first, first + 4)) for first in range(0, 32, 4)), ("pc", "lr", "ctr"),
                       ("cr", "xer", "fpscr"))
    returns: tuple[vdso.Return, ...] = ()  # what handlers return to
    trampolines: tuple[int, ...] = ()  # addresses of their code
    tls_register = ""
    context_size = 0  # bytes of a ucontext

    def load_rows(self) -> None:
        """Import them."""
        import xemu.user.ppc.calls  # noqa: F401

    def save_context(self, task: Task, state: Any, at: int) -> None:
        """Write registers and signal mask into a ucontext; GuestFault."""
        raise NotImplementedError

    def restore_context(self, task: Task, state: Any, at: int) -> int:
        """Take the registers of a ucontext but for the thread pointer, and return its signal mask; GuestFault."""
        raise NotImplementedError

    def place_vdso(self, address: int) -> None:
        """Say where the page with the signal return code is: stacks are not executable."""
        self._vdso, places = vdso.image(self.bits, self.order, list(self.returns))
        self.trampolines = tuple(address + place for place in places)
        self.auxv = {**self.auxv, AT_SYSINFO_EHDR: address}

    def prepare_space(self, space: AddressSpace) -> None:
        """Map it."""
        address = self.auxv[AT_SYSINFO_EHDR]
        space.map(address, PAGE, READ | EXEC, path="[vdso]")
        space.poke(address, self._vdso)

    def start(self, state: Any, entry: int, stack: int) -> None:
        """Set the registers for the first instruction (start_thread); ELFv2 has the entry in R12."""
        for cell in state.layout.owners():
            for n in range(cell.count):
                state.set(cell, n, 0)
        state.context = PpcContext().word
        state.write("vscr", NON_JAVA)
        state.write("r1", stack)
        if self.bits == 64:
            state.write("r12", entry)
        state.write("pc", entry & -4)

    def set_tls(self, task: Task, value: int) -> None:
        """Set the register that the ABI reserves for it."""
        task.process.engine.state.write(self.tls_register, value)

    def syscall_size(self, state: Any) -> int:  # noqa: ARG002
        """SC and SCV have four bytes."""
        return 4

    def result_setter(self, state: Any) -> Callable[[int], None]:
        """An error is a positive number with CR0.SO set; after SCV it is as in the kernel."""
        where, buffer, mask = register_offset(state, self.result_register), state.buffer, (1 << self.bits) - 1
        cells = state.layout.cells
        flag, vectored = cells["CRB"].at(3), cells["SCV"].at(0) if "SCV" in cells else None
        pack = struct.Struct(LITTLE + self.word.format[1:]).pack_into

        def set_result(value: int) -> None:
            if vectored is None or not buffer[vectored]:
                failed = -4096 < value < 0
                buffer[flag] = failed
                pack(buffer, where, -value if failed else value & mask)
            else:
                pack(buffer, where, value & mask)

        return set_result

    def termios_to_host(self, codes: str, data: bytes) -> bytes:  # noqa: ARG002
        """Translate flags and the order of control characters."""
        return terminal.to_host(data, self.order)

    def termios_to_guest(self, codes: str, data: bytes) -> bytes:  # noqa: ARG002
        """Translate them back."""
        return terminal.to_guest(data, self.order)

    def prctl(self, task: Task, option: int, value: int) -> int | None:
        """PR_SET_FPEXC: whether floating-point exceptions that FPSCR enables interrupt. Every way to have them is the exact one."""
        state = task.process.engine.state
        cell = state.layout.cells["FE"]
        if option == PR_SET_FPEXC:
            if value & PR_FP_EXC_SW_ENABLE or value & ~PR_FP_EXC_MODES:
                return -22
            state.set(cell, 0, value)
            return 0
        if option == PR_GET_FPEXC:
            task.space.write_u32(value, state.get(cell, 0))
            return 0
        return None

    # --- faults and exceptions: arch/powerpc/mm/fault.c, arch/powerpc/kernel/traps.c ------------------

    def fault(self, process: Process, task: Task, fault: Any) -> Cause | None:  # noqa: ARG002
        """SIGSEGV or SIGBUS."""
        address = fault.address & (1 << self.bits) - 1
        if fault.access == EXEC:
            vector, status = INSTRUCTION_STORAGE, DSISR_PROTECTION << 1 if fault.kind == "ACCERR" else DSISR_NO_PAGE
        else:
            vector, status = DATA_STORAGE, DSISR_PROTECTION if fault.kind == "ACCERR" else DSISR_NO_PAGE
            status |= DSISR_STORE if fault.access & WRITE else 0
        if fault.kind == "ALIGN":
            return Cause(sig.SIGBUS, sig.BUS_ADRALN, address, (ALIGNMENT_INTERRUPT, status & DSISR_STORE, address))
        if fault.kind == "BUS":
            return Cause(sig.SIGBUS, sig.BUS_ADRERR, address, (vector, status, address))
        code = sig.SEGV_ACCERR if fault.kind == "ACCERR" else sig.SEGV_MAPERR
        return Cause(sig.SIGSEGV, code, address, (vector, status, address))

    def page_lost(self, address: int) -> Cause:
        """SIGBUS."""
        return Cause(sig.SIGBUS, sig.BUS_ADRERR, address, (DATA_STORAGE, DSISR_NO_PAGE, address))

    def undefined(self, process: Process, address: int) -> Cause:  # noqa: ARG002
        """SIGILL."""
        return Cause(sig.SIGILL, sig.ILL_ILLOPC, address, (PROGRAM, 0, 0))

    def breakpoint(self, address: int) -> Cause:
        """SIGTRAP."""
        return Cause(sig.SIGTRAP, sig.TRAP_BRKPT, address, (PROGRAM, 0, 0))

    def exception(self, state: Any, number: int, address: int) -> Cause | None:
        """Signals by kind. A floating-point exception shows its instruction, which has ended: `address` is that of the next."""
        if number == FLOATING_POINT:
            if not state.get(state.layout.cells["FE"], 0):
                return None
            state.write("pc", address - 4)
            fpscr = state.read("fpscr")
            code = next((code for enable, sticky, code in _FP_CODES if fpscr & enable and fpscr & sticky), FPE_FLTUNK)
            return Cause(sig.SIGFPE, code, address - 4, (PROGRAM, 0, 0))
        if number == TRAP:
            return self.breakpoint(address)
        if number == ALIGNMENT:
            return Cause(sig.SIGBUS, sig.BUS_ADRALN, address, (ALIGNMENT_INTERRUPT, 0, address))
        code = ILL_PRVOPC if number == PRIVILEGED else sig.ILL_ILLOPC
        return Cause(sig.SIGILL, code, address, (PROGRAM if number == PRIVILEGED else FACILITY_UNAVAILABLE, 0, 0))


class Ppc64leAbi(PowerAbi):
    """ppc64le. Addresses as many as the window of the guest's memory has; pages have 4 KiB, though segments are aligned to 64 KiB."""

    name = "ppc64le"
    machine = "ppc64le"
    machine32 = "ppcle"
    platform = base_platform = b"power9"
    bits = 64
    address_bits = 64
    numbers = NUMBERS64
    layouts = LAYOUTS64
    hwcap = sum(HWCAP.values())
    hwcap2 = sum(_HWCAP2.values())
    auxv = caches(128, (32 << 10, 8), (32 << 10, 8), (512 << 10, 8), (10 << 20, 20))
    frame_size = frames64.SIGNAL_FRAME + frames64.FRAME
    task_size = (1 << WINDOW_BITS) - 2 * PAGE
    program_base = 1 << 32
    returns = (frames64.RETURN,)
    tls_register = "r13"
    context_size = frames64.UCONTEXT_SIZE
    cpuinfo = CPUINFO64

    def fit(self, window_bits: int) -> None:
        """Place things as Linux does, in proportion."""
        self.task_size = (1 << window_bits) - 2 * PAGE
        self.stack_top = self.task_size - PAGE
        self.place_vdso(self.task_size)

    def check_image(self, image: Image, name: str) -> None:
        """Refuse programs of the first ELF ABI, which has function descriptors."""
        if image.flags & 3 == 1:
            raise ImageError(f"{name}: a program of the ELFv1 ABI; xemu runs little-endian ones of ELFv2")

    def push_frame(self, task: Task, state: Any, info: SigInfo, action: Action, mask: int, top: int) -> None:
        """Enter a handler."""
        frames64.push(task, state, info, action, mask, top, self.trampolines[0])

    def pop_frame(self, task: Task, state: Any, *, rt: bool) -> int:  # noqa: ARG002
        """Leave one."""
        return frames64.pop(task, state, state.read("r1"))

    def save_context(self, task: Task, state: Any, at: int) -> None:
        """Write a ucontext."""
        frames64.save_context(task, state, at)

    def restore_context(self, task: Task, state: Any, at: int) -> int:
        """Take one."""
        return frames64.restore_context(task, state, at, keep=(self.tls_register,))
