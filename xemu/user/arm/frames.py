"""Signal frames of 32-bit ARM Linux (`arch/arm/kernel/signal.c`, `uapi/asm/{sigcontext,ucontext}.h`).

rt frame:   siginfo (128) · ucontext (744) · return code (16)
old frame:  ucontext (744) · return code (16)
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from xemu.core.layout import Layout

if TYPE_CHECKING:
    from xemu.user.signals import Action, SigInfo
    from xemu.user.task import Task

UCONTEXT = Layout(
    "flags:I link:I ss_sp:I ss_flags:i ss_size:I trap_no:I error_code:I oldmask:I "
    "r0:I r1:I r2:I r3:I r4:I r5:I r6:I r7:I r8:I r9:I r10:I r11:I r12:I sp:I lr:I pc:I cpsr:I fault_address:I "
    "sigmask:Q _:120x regspace:512s"
)
VFP = Layout("magic:I size:I " + " ".join(f"d{n}:Q" for n in range(32)) + " fpscr:I _:4x fpexc:I fpinst:I fpinst2:I _:4x")
VFP_MAGIC, FPEXC_EN, OLD_FRAME_FLAGS = 0x56465001, 0x40000000, 0x5AC3C35A
SIGINFO_SIZE, RETCODE_SIZE = 128, 16
REGISTERS = (*(f"r{n}" for n in range(13)), "sp", "lr", "pc", "cpsr")
SA_SIGINFO, SA_RESTORER, SA_THIRTYTWO = 4, 0x04000000, 0x02000000
T_BIT, IT_BITS, J_BIT, E_BIT = 0x20, 0x0600FC00, 1 << 24, 1 << 9
USER_BITS = 0xF80F0000 | IT_BITS | T_BIT | E_BIT | 0x10  # what sigreturn may change: NZCVQ GE IT E T

# mov r7, #119/173; svc 0 in ARM and Thumb: where handlers without SA_RESTORER return to
TRAMPOLINES = 0xFFFF0500
_RETCODE = ((0xE3A07077, 0xEF000000), (0xDF002777,), (0xE3A070AD, 0xEF000000), (0xDF0027AD,))
RETCODE_AT = (0, 8, 12, 20)


def put_trampolines(page: bytearray) -> None:
    """Write the signal return code into the vectors page."""
    for offset, words in zip(RETCODE_AT, _RETCODE, strict=True):
        struct.pack_into(f"<{len(words)}I", page, (TRAMPOLINES & 0xFFF) + offset, *words)


def _context(task: Task, state: Any, mask: int) -> bytes:
    """Return the ucontext of the present state."""
    read = state.read
    values = {name: read(name) for name in REGISTERS}
    registers = {f"d{n}": read(f"d{n}") for n in range(32)}
    vfp = VFP.pack(magic=VFP_MAGIC, size=VFP.size, fpscr=read("fpscr"), fpexc=FPEXC_EN, **registers)
    trap, error, address = task.fault
    return UCONTEXT.pack(
        ss_sp=task.stack_sp, ss_size=task.stack_size, ss_flags=task.stack_flags_now(values["sp"]),
        trap_no=trap, error_code=error, fault_address=address, oldmask=mask & 0xFFFFFFFF, sigmask=mask,
        regspace=vfp, **values,
    )  # fmt: skip


def push(task: Task, state: Any, info: SigInfo, action: Action, mask: int, top: int) -> None:
    """Build the frame below `top` and enter the handler; GuestFault if the stack cannot take it."""
    rt = bool(action.flags & SA_SIGINFO)
    context = bytearray(_context(task, state, mask))
    if not rt:
        struct.pack_into("<I", context, 0, OLD_FRAME_FLAGS)
    thumb = action.handler & 1
    which = (2 if rt else 0) + thumb
    retcode = struct.pack(f"<{len(_RETCODE[which])}I", *_RETCODE[which]).ljust(RETCODE_SIZE, b"\0")
    frame = (info.pack(32, "<") if rt else b"") + bytes(context) + retcode
    sp = (top - len(frame)) & ~7
    task.space.write(sp, frame)
    lr = action.restorer if action.flags & SA_RESTORER else TRAMPOLINES + RETCODE_AT[which] + thumb
    write = state.write
    write("r0", info.signo)
    if rt:
        write("r1", sp)
        write("r2", sp + SIGINFO_SIZE)
    write("sp", sp)
    write("lr", lr)
    cpsr = state.read("cpsr") & ~(IT_BITS | J_BIT | T_BIT | E_BIT)
    write("cpsr", cpsr | (T_BIT if thumb else 0))
    write("pc", action.handler & ~1)


def pop(task: Task, state: Any, *, rt: bool) -> int:
    """Restore what a frame holds and return its signal mask; GuestFault if there is no frame."""
    sp = state.read("sp")
    if sp & 7:
        raise ValueError("misaligned signal frame")
    data = task.space.read(sp + (SIGINFO_SIZE if rt else 0), UCONTEXT.size)
    context = UCONTEXT.unpack(data)
    if context.cpsr & 0x1F not in (0, 0x10):
        raise ValueError("signal frame with a privileged mode")
    vfp = VFP.unpack(context.regspace)
    if vfp.magic == VFP_MAGIC and vfp.size == VFP.size:
        for n in range(32):
            state.write(f"d{n}", getattr(vfp, f"d{n}"))
        state.write("fpscr", vfp.fpscr)
    elif vfp.magic:
        raise ValueError("signal frame without a VFP block")
    for name in REGISTERS[:-2]:
        state.write(name, getattr(context, name))
    state.write("cpsr", context.cpsr & USER_BITS | 0x10)
    state.write("pc", context.pc)
    if rt:
        task.restore_stack(context.ss_sp, context.ss_flags, context.ss_size)
    return int(context.sigmask)
