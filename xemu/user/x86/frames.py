"""Signal frames of x86 Linux (`arch/x86/kernel/signal_{32,64}.c`, `asm/sigframe.h`, `uapi/asm/sigcontext.h`).

From low to high addresses (the stack pointer of the handler is at the first):

x86_64:     return address (8) · ucontext (304) · siginfo (128) | floating-point state
i386, rt:   return address, signal, pointers to the next two (16) · siginfo (128) · ucontext (116) · return code (8) | …
i386, old:  return address, signal (8) · sigcontext (88) · unused (624) · upper half of the mask (4) · return code (8) | …

The floating-point state is an XSAVE image on a multiple of 64, with a note for its reader in the bytes that FXSAVE leaves to
software and a number behind it; on i386 the 112 bytes of FSAVE and its status precede it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from xemu.core.layout import Layout
from xemu.core.memory import READ, WRITE, GuestFault
from xemu.user.x86 import registers as fp
from xemu.user.x86 import segments
from xemu.user.x86.registers import Registers

if TYPE_CHECKING:
    from xemu.user.signals import Action, SigInfo
    from xemu.user.task import Task

_NAMES64 = ("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rdi", "rsi", "rbp", "rbx", "rdx", "rax", "rcx", "rsp")
_NAMES32 = ("edi", "esi", "ebp", "esp", "ebx", "edx", "ecx", "eax")
UCONTEXT64 = Layout(
    "uc_flags:Q link:Q ss_sp:Q ss_flags:i _:4x ss_size:Q " + " ".join(f"{name}:Q" for name in _NAMES64)
    + " rip:Q eflags:Q cs:H gs:H fs:H ss:H error:Q trap:Q oldmask:Q cr2:Q fpstate:Q _:64x sigmask:Q"
)
_SIGCONTEXT32 = (
    "gs:I fs:I es:I ds:I " + " ".join(f"{name}:I" for name in _NAMES32)
    + " trap:I error:I eip:I cs:I eflags:I sp_at_signal:I ss:I fpstate:I oldmask:I cr2:I"
)
SIGCONTEXT32 = Layout(_SIGCONTEXT32)
UCONTEXT32 = Layout(f"uc_flags:I link:I ss_sp:I ss_flags:i ss_size:I {_SIGCONTEXT32} sigmask:Q")
SIGINFO = 128
OLD_UNUSED, RETCODE = 624, 8
FSAVE = 112
UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS = 1, 2, 4
SA_SIGINFO, SA_RESTORER = 4, 0x04000000
MAGIC1, MAGIC2 = 0x46505853, 0x46505845
NOTE_AT = 464
_NOTE = struct.Struct("<IIQI")  # magic, bytes of all, parts, bytes of the XSAVE image
TF, DF, RF = 0x100, 0x400, 0x10000
FLAGS = 0x50DD5  # what sigreturn may change: AC RF OF DF TF SF ZF AF PF CF

# pop eax; mov eax, 119; int 0x80 and mov eax, 173; int 0x80: where i386 handlers without SA_RESTORER return to
TRAMPOLINES = 0xFFFFE000
_RETCODE_OLD, _RETCODE_RT = bytes.fromhex("58b877000000cd80"), bytes.fromhex("b8ad000000cd8000")
OLD_AT, RT_AT = 0x400, 0x420


def trampoline_page() -> bytes:
    """Return the page with the signal return code."""
    page = bytearray(b"\x0f\x0b" * 2048)  # undefined instructions everywhere else
    page[OLD_AT : OLD_AT + RETCODE] = _RETCODE_OLD
    page[RT_AT : RT_AT + RETCODE] = _RETCODE_RT
    return bytes(page)


FP_SIZE = fp.XSAVE + 4
# the most that a frame takes, with what aligning it may cost
FRAME64 = 8 + UCONTEXT64.size + SIGINFO + FP_SIZE + 64 + 16
FRAME32 = 16 + SIGINFO + UCONTEXT32.size + RETCODE + FSAVE + FP_SIZE + 64 + 16


# --- floating-point state -------------------------------------------------------------------------


def _fp_place(top: int, *, wide: bool) -> int:
    """Return where the floating-point state goes."""
    at = top - FP_SIZE & -64
    return at if wide else at - FSAVE


def _push_fp(task: Task, state: Any, at: int, *, wide: bool) -> None:
    count = 16 if wide else 8
    view = Registers(state)
    image = bytearray(view.xsave(count))
    size = FP_SIZE
    _NOTE.pack_into(image, NOTE_AT, MAGIC1, size if wide else size + FSAVE, fp.X87 | fp.SSE | fp.AVX, fp.XSAVE)
    data = bytes(image) + struct.pack("<I", MAGIC2)
    if not wide:
        data = view.fsave() + struct.pack("<HH", view.fsw, 0) + data
    task.space.write(at, data)


def _pop_fp(task: Task, state: Any, at: int, *, wide: bool) -> None:
    """Take the floating-point state back; a null pointer resets it."""
    view = Registers(state)
    if not at:
        view.reset()
        return
    count = 16 if wide else 8
    legacy = b"" if wide else task.space.read(at, FSAVE)
    start = at + len(legacy)
    image = task.space.read(start, fp.FXSAVE)
    magic, size, parts, length = _NOTE.unpack_from(image, NOTE_AT)
    whole = fp.AVX_AT <= length <= fp.XSAVE and size >= length + 4
    if magic == MAGIC1 and whole and task.space.read_u32(start + length) == MAGIC2:
        data = bytearray(task.space.read(start, length).ljust(fp.XSAVE, b"\0"))
        struct.pack_into("<Q", data, fp.FXSAVE, struct.unpack_from("<Q", data, fp.FXSAVE)[0] & parts)
        view.xrstor(bytes(data), count)
    else:
        view.fxrstor(image, count)
    if legacy:
        view.frstor(legacy)


# --- what both ABIs do ----------------------------------------------------------------------------


def _check_stack(task: Task, sp: int, top: int, at: int) -> None:
    """A frame that leaves the alternate stack is not written."""
    entering = task.stack_size and top == task.stack_sp + task.stack_size
    if (entering or task.on_stack(sp)) and not task.on_stack(at):
        raise GuestFault(at, WRITE, mapped=True)


def _enter(state: Any, **registers: int) -> None:
    for name, value in registers.items():
        state.write(name, value)
    state.write("eflags", state.read("eflags") & ~(TF | DF | RF))


# --- x86_64 ---------------------------------------------------------------------------------------


def push64(task: Task, state: Any, info: SigInfo, action: Action, mask: int, top: int) -> None:
    """Build the frame below `top` and enter the handler; GuestFault if the stack cannot take it."""
    read = state.read
    fpstate = _fp_place(top, wide=True)
    at = (fpstate - 8 - UCONTEXT64.size - SIGINFO & -16) - 8
    _check_stack(task, read("rsp"), top, at)
    if not action.flags & SA_RESTORER:
        raise GuestFault(at, WRITE, mapped=True)  # the kernel has no code to return to either
    _push_fp(task, state, fpstate, wide=True)
    trap, error, address = task.fault
    context = UCONTEXT64.pack(
        uc_flags=UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS, ss_sp=task.stack_sp, ss_size=task.stack_size,
        ss_flags=task.stack_flags_now(read("rsp")), rip=read("pc"), eflags=read("eflags"), cs=read("cs"), ss=read("ss"),
        error=error, trap=trap, cr2=address, oldmask=mask, fpstate=fpstate, sigmask=mask, **{name: read(name) for name in _NAMES64},
    )  # fmt: skip
    task.space.write(at, struct.pack("<Q", action.restorer) + context + info.pack(64, "<"))
    _enter(state, rdi=info.signo, rax=0, rsi=at + 8 + UCONTEXT64.size, rdx=at + 8, rsp=at, pc=action.handler)


def pop64(task: Task, state: Any) -> int:
    """Restore what a frame holds and return its signal mask; GuestFault if there is no frame."""
    at = state.read("rsp") - 8
    context = UCONTEXT64.unpack(task.space.view(at + 8, UCONTEXT64.size, READ))
    _pop_fp(task, state, context.fpstate, wide=True)
    for name in _NAMES64:
        state.write(name, getattr(context, name))
    state.write("eflags", state.read("eflags") & ~FLAGS | context.eflags & FLAGS)
    state.write("pc", context.rip)
    task.restore_stack(context.ss_sp, context.ss_flags, context.ss_size)
    return int(context.sigmask)


# --- i386 -----------------------------------------------------------------------------------------


def _context32(task: Task, state: Any, mask: int, fpstate: int) -> dict[str, int]:
    read = state.read
    trap, error, address = task.fault
    return {
        "trap": trap, "error": error, "cr2": address, "eip": read("pc"), "eflags": read("eflags"), "sp_at_signal": read("esp"),
        "fpstate": fpstate, "oldmask": mask & 0xFFFFFFFF, **{name: read(name) for name in _NAMES32},
        **{name: read(name) for name in ("gs", "fs", "es", "ds", "cs", "ss")},
    }  # fmt: skip


def push32(task: Task, state: Any, info: SigInfo, action: Action, mask: int, top: int) -> None:
    """Build the frame below `top` and enter the handler; GuestFault if the stack cannot take it."""
    fpstate = _fp_place(top, wide=False)
    values = _context32(task, state, mask, fpstate)
    rt = bool(action.flags & SA_SIGINFO)
    size = 16 + SIGINFO + UCONTEXT32.size + RETCODE if rt else 8 + SIGCONTEXT32.size + OLD_UNUSED + 4 + RETCODE
    at = (fpstate - size + 4 & -16) - 4
    _check_stack(task, values["esp"], top, at)
    _push_fp(task, state, fpstate, wide=False)
    back = action.restorer if action.flags & SA_RESTORER else TRAMPOLINES + (RT_AT if rt else OLD_AT)
    if rt:
        context = UCONTEXT32.pack(
            uc_flags=UC_FP_XSTATE, ss_sp=task.stack_sp, ss_size=task.stack_size, ss_flags=task.stack_flags_now(values["esp"]),
            sigmask=mask, **values,
        )  # fmt: skip
        head = struct.pack("<IIII", back, info.signo, at + 16, at + 16 + SIGINFO)
        task.space.write(at, head + info.pack(32, "<") + context + _RETCODE_RT)
    else:
        rest = bytes(OLD_UNUSED) + struct.pack("<I", mask >> 32) + _RETCODE_OLD
        task.space.write(at, struct.pack("<II", back, info.signo) + SIGCONTEXT32.pack(**values) + rest)
    _enter(state, eax=info.signo, edx=at + 16 if rt else 0, ecx=at + 16 + SIGINFO if rt else 0, esp=at, pc=action.handler)
    for name in ("ds", "es", "ss"):
        segments.load(state, name, segments.DATA)


def pop32(task: Task, state: Any, *, rt: bool) -> int:
    """Restore what a frame holds and return its signal mask; GuestFault or ValueError if there is no frame."""
    sp = state.read("esp")
    if rt:
        at = sp - 4
        context = UCONTEXT32.unpack(task.space.view(at + 16 + SIGINFO, UCONTEXT32.size, READ))
        mask = context.sigmask
    else:
        at = sp - 8
        context = SIGCONTEXT32.unpack(task.space.view(at + 8, SIGCONTEXT32.size, READ))
        mask = context.oldmask | task.space.read_u32(at + 8 + SIGCONTEXT32.size + OLD_UNUSED) << 32
    _pop_fp(task, state, context.fpstate, wide=False)
    for name in ("gs", "fs", "es", "ds"):
        segments.load(state, name, getattr(context, name) & 0xFFFF)
    for name in _NAMES32:
        state.write(name, getattr(context, name))
    state.write("eflags", state.read("eflags") & ~FLAGS | context.eflags & FLAGS)
    state.write("pc", context.eip)
    if rt:
        task.restore_stack(context.ss_sp, context.ss_flags, context.ss_size)
    return int(mask)
