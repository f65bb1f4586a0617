"""The ABIs of x86 Linux: i386 and x86_64."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from xemu.core.memory import EXEC, PAGE, READ, WINDOW_BITS, WRITE
from xemu.errors import ImageError
from xemu.targets.x86.cpuid import BRAND, LAST_BASIC, LINE, SIGNATURE, VENDOR, flag_names, hwcap
from xemu.targets.x86.layout import (
    BREAKPOINT,
    DEBUG,
    DIVIDE_ERROR,
    GENERAL_PROTECTION,
    INT80,
    SIMD_ERROR,
    X87_ERROR,
)
from xemu.user import signals as sig
from xemu.user.abi import Abi, Cause
from xemu.user.x86 import frames, segments, vsyscall
from xemu.user.x86.layouts import LAYOUTS32, LAYOUTS64
from xemu.user.x86.numbers import NUMBERS32, NUMBERS64
from xemu.user.x86.registers import Registers

if TYPE_CHECKING:
    from xemu.core.memory import AddressSpace
    from xemu.loaders.image import Image
    from xemu.user.process import Process
    from xemu.user.signals import Action, SigInfo
    from xemu.user.task import Task

# O_DIRECT, O_LARGEFILE, O_DIRECTORY, O_NOFOLLOW (asm-generic/fcntl.h); the host needs no O_LARGEFILE
_OPEN_BITS = ((0o40000, os.O_DIRECT, "O_DIRECT"), (0o100000, 0, "O_LARGEFILE"), (0o200000, os.O_DIRECTORY, "O_DIRECTORY"),
              (0o400000, os.O_NOFOLLOW, "O_NOFOLLOW"))
KERNEL = (1 << 47) - PAGE  # behind the last user address of a 64-bit kernel
_FAMILY, _MODEL, _STEPPING = SIGNATURE >> 8 & 15, SIGNATURE >> 12 & 0xF0 | SIGNATURE >> 4 & 15, SIGNATURE & 15
CPUINFO = f"""processor\t: 0
vendor_id\t: {VENDOR.decode()}
cpu family\t: {_FAMILY}
model\t\t: {_MODEL}
model name\t: {BRAND.decode()}
stepping\t: {_STEPPING}
cpu MHz\t\t: 1000.000
cache size\t: 8192 KB
physical id\t: 0
siblings\t: 1
core id\t\t: 0
cpu cores\t: 1
apicid\t\t: 0
initial apicid\t: 0
fpu\t\t: yes
fpu_exception\t: yes
cpuid level\t: {LAST_BASIC}
wp\t\t: yes
flags\t\t: {" ".join(flag_names())}
bugs\t\t:
bogomips\t: 2000.00
clflush size\t: {LINE}
cache_alignment\t: {LINE}
address sizes\t: 46 bits physical, 48 bits virtual
power management:

"""
HWCAP2 = 2  # FSGSBASE
FLAGS = 0x202  # IF and the bit that is always set
PF_PRESENT, PF_WRITE, PF_USER, PF_FETCH = 1, 2, 4, 16  # the error code of a page fault
PAGE_FAULT, INVALID_OPCODE = 14, 6
# bits of the status word and of MXCSR, and what SIGFPE says of the first that is set and not masked
_FP_CODES = ((0x01, sig.FPE_FLTINV), (0x04, sig.FPE_FLTDIV), (0x08, sig.FPE_FLTOVF), (0x12, sig.FPE_FLTUND), (0x20, sig.FPE_FLTRES))


class X86Abi(Abi):
    """What both have in common."""

    cpuinfo = CPUINFO
    hwcap = hwcap()
    hwcap2 = HWCAP2
    open_bits = _OPEN_BITS
    low_map_flag = 0x40  # MAP_32BIT
    _code = _data = 0  # selectors

    def load_rows(self) -> None:
        """Import them."""
        import xemu.user.x86.calls  # noqa: F401

    def start(self, state: Any, entry: int, stack: int) -> None:
        """Set the registers for the first instruction (start_thread, ELF_PLAT_INIT)."""
        cells = state.layout.cells
        for name in ("R", "SEL", "SEG", "GDT"):
            for n in range(cells[name].count):
                state.set(cells[name], n, 0)
        segments.load(state, "cs", self._code)
        segments.load(state, "ss", segments.DATA)
        for name in ("ds", "es", "fs", "gs"):
            segments.load(state, name, self._data if name in ("ds", "es") else 0)
        Registers(state).reset()
        state.write(self.stack_register, stack)
        state.write("eflags", FLAGS)
        state.write("pc", entry)

    def syscall_size(self, state: Any) -> int:  # noqa: ARG002
        """SYSCALL, SYSENTER and INT 80H have two bytes."""
        return 2

    # --- faults and exceptions: arch/x86/mm/fault.c, arch/x86/kernel/traps.c -------------------------

    def fault(self, process: Process, task: Task, fault: Any) -> Cause | None:
        """SIGSEGV or SIGBUS: a page fault; a misaligned access, and an address that is not canonical, are #GP."""
        address = fault.address & (1 << self.bits) - 1
        if fault.kind == "ALIGN" or (self.bits == 64 and not _is_canonical(address)):
            return self._protection(task)
        if fault.access == EXEC and vsyscall.covers(self, address):
            if vsyscall.run(process, task, address):
                return None
            return self._protection(task)
        error = PF_USER | (PF_WRITE if fault.access & WRITE else 0) | (PF_FETCH if fault.access == EXEC else 0)
        if fault.kind == "BUS":
            return Cause(sig.SIGBUS, sig.BUS_ADRERR, address, (PAGE_FAULT, error, address))
        if fault.kind == "ACCERR":
            area = process.space.area_at(address)
            present = PF_PRESENT if area is None or area.prot else 0  # a page without rights is not in the page tables
            return Cause(sig.SIGSEGV, sig.SEGV_ACCERR, address, (PAGE_FAULT, error | present, address))
        above = PF_PRESENT if address >= KERNEL else 0  # the kernel hides whether its own memory is there
        return Cause(sig.SIGSEGV, sig.SEGV_MAPERR, address, (PAGE_FAULT, error | above, address))

    def _protection(self, task: Task) -> Cause:
        return Cause(sig.SIGSEGV, sig.SI_KERNEL, 0, (GENERAL_PROTECTION, 0, task.fault[2]))

    def page_lost(self, address: int) -> Cause:
        """SIGBUS."""
        return Cause(sig.SIGBUS, sig.BUS_ADRERR, address, (PAGE_FAULT, PF_USER, address))

    def undefined(self, process: Process, address: int) -> Cause:  # noqa: ARG002
        """SIGILL."""
        return Cause(sig.SIGILL, sig.ILL_ILLOPN, address, (INVALID_OPCODE, 0, 0))

    def breakpoint(self, address: int) -> Cause:  # noqa: ARG002
        """SIGTRAP, from the kernel."""
        return Cause(sig.SIGTRAP, sig.SI_KERNEL, 0, (BREAKPOINT, 0, 0))

    def exception(self, state: Any, number: int, address: int) -> Cause:
        """Signals by vector."""
        words = (number, 0, 0)
        if number == DIVIDE_ERROR:
            return Cause(sig.SIGFPE, sig.FPE_INTDIV, address, words)
        if number == DEBUG:
            return Cause(sig.SIGTRAP, sig.TRAP_BRKPT, state.read("pc"), words)
        if number == BREAKPOINT:
            return self.breakpoint(address)
        if number in (X87_ERROR, SIMD_ERROR):
            view = Registers(state)
            raised = view.fsw & ~view.fcw if number == X87_ERROR else view.mxcsr & ~(view.mxcsr >> 7)
            code = next((code for bits, code in _FP_CODES if raised & bits), sig.FPE_FLTINV)
            return Cause(sig.SIGFPE, code, address, words)
        return Cause(sig.SIGSEGV, sig.SI_KERNEL, 0, words)  # #OF, #BR, #GP


def _is_canonical(address: int) -> bool:
    return address >> 47 in (0, (1 << 17) - 1)


class X8664Abi(X86Abi):
    """x86_64. Real programs have 47 bits of addresses; here as many as the window of the guest's memory."""

    name = "x86_64"
    machine = "x86_64"
    machine32 = "i686"
    platform = b"x86_64"
    bits = 64
    address_bits = 64
    numbers = NUMBERS64
    layouts = LAYOUTS64
    frame_size = 128 + frames.FRAME64
    fixed_maps = vsyscall.MAPS
    task_size = (1 << WINDOW_BITS) - PAGE
    red_zone = 128
    number_register = result_register = "rax"
    stack_register = "rsp"
    arguments = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
    argument_order = {"clone": (0, 1, 2, 4, 3)}  # noqa: RUF012 - the base class says that nothing changes it
    doors = {INT80: "i386-int80"}  # noqa: RUF012
    crash_registers = (("rax", "rbx", "rcx", "rdx"), ("rsi", "rdi", "rbp", "rsp"), ("r8", "r9", "r10", "r11"), ("r12", "r13", "r14", "r15"),
                       ("pc", "eflags", "fs_base"))
    _code = segments.CODE64

    def fit(self, window_bits: int) -> None:
        """Place things as Linux does, in proportion."""
        self.task_size = (1 << window_bits) - PAGE
        self.stack_top = self.task_size - PAGE
        self.program_base = (1 << window_bits) // 3 * 2 & -PAGE

    def check_image(self, image: Image, name: str) -> None:
        """Refuse programs of the x32 ABI."""
        if image.bits != 64:
            raise ImageError(f"{name}: a program of the x32 ABI; xemu runs those of x86_64 and i386")

    def set_tls(self, task: Task, value: int) -> None:
        """Set FS's base."""
        segments.set_base(task.process.engine.state, "fs", 0, value)

    def push_frame(self, task: Task, state: Any, info: SigInfo, action: Action, mask: int, top: int) -> None:
        """Enter a handler."""
        frames.push64(task, state, info, action, mask, top)

    def pop_frame(self, task: Task, state: Any, *, rt: bool) -> int:  # noqa: ARG002
        """Leave one."""
        return frames.pop64(task, state)


class I386Abi(X86Abi):
    """i386."""

    name = "i386"
    machine = "i686"
    platform = b"i686"
    short_ids = True
    numbers = NUMBERS32
    layouts = LAYOUTS32
    frame_size = frames.FRAME32
    task_size = 0xC0000000
    stack_top = 0xBFFFF000
    program_base = 0x56555000
    number_register = result_register = "eax"
    stack_register = "esp"
    arguments = ("ebx", "ecx", "edx", "esi", "edi", "ebp")
    crash_registers = (("eax", "ebx", "ecx", "edx"), ("esi", "edi", "ebp", "esp"), ("pc", "eflags", "gs_base"))
    _code, _data = segments.CODE32, segments.DATA

    def prepare_space(self, space: AddressSpace) -> None:
        """Map the signal return code."""
        space.map(frames.TRAMPOLINES, 4096, READ | EXEC, path="[sigpage]")
        space.poke(frames.TRAMPOLINES, frames.trampoline_page())

    def set_tls(self, task: Task, value: int) -> None:
        """Set the descriptor that a struct user_desc names."""
        segments.set_entry(task, value, allocate=False)

    def push_frame(self, task: Task, state: Any, info: SigInfo, action: Action, mask: int, top: int) -> None:
        """Enter a handler."""
        frames.push32(task, state, info, action, mask, top)

    def pop_frame(self, task: Task, state: Any, *, rt: bool) -> int:
        """Leave one."""
        return frames.pop32(task, state, rt=rt)


class Int80Abi(I386Abi):
    """What INT 80H means in a 64-bit program: i386's calls with their arguments in the lower halves of its registers."""

    name = "i386-int80"
    number_register = result_register = "rax"
    stack_register = "rsp"
    arguments = ("rbx", "rcx", "rdx", "rsi", "rdi", "rbp")
