"""Signal frames of ppc64le Linux (`arch/powerpc/kernel/signal_64.c`, `uapi/asm/{sigcontext,ucontext,elf}.h`).

From low to high addresses, above the frame that the handler's stack pointer is at (128 bytes, the first of them a back chain):

ucontext (1696), at its end the vector registers · unused (16) · return code (28, unused 4) · pointers to the next and to the first
(16) · siginfo (128) · 512 bytes that belong to the interrupted function
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from xemu.core.layout import Layout
from xemu.core.memory import READ
from xemu.user.ppc import vdso

if TYPE_CHECKING:
    from xemu.user.signals import Action, SigInfo
    from xemu.user.task import Task

SIGNAL_FRAME = 128
#: where handlers return to: addi r1, r1, SIGNAL_FRAME; li r0, rt_sigreturn; sc
RETCODE = struct.pack("<III", 0x38210000 + SIGNAL_FRAME, 0x380000AC, 0x44000002)
#: 64-bit, vectors, vector-scalar, external interrupts, problem state, floating point, machine checks, translation, little-endian
MSR = 0x800000000280F033
MSR_VEC, MSR_VSX, MSR_FE0, MSR_FE1 = 1 << 25, 1 << 23, 0x800, 0x100
SYSTEM_CALL = 0xC00  # the vector that frames of signals show that no fault has raised

_GPRS = [f"r{n}" for n in range(32)]
# The registers at their places (asm/ptrace.h), the words after them up to 48, the floating-point registers and FPSCR, then where
# the vector registers are and room for them: they begin on a multiple of 16
CONTEXT = Layout(
    "_:32x signal:i _:4x handler:Q oldmask:Q regs:Q " + " ".join(f"{name}:Q" for name in _GPRS)
    + " nip:Q msr:Q orig_r3:Q ctr:Q link:Q xer:Q ccr:Q softe:Q trap:Q dar:Q dsisr:Q result:Q _:32x fp_regs:264s v_regs:Q vectors:808s"
)
UCONTEXT = Layout("flags:Q link:Q ss_sp:Q ss_flags:i _:4x ss_size:Q sigmask:Q _:120x")
CONTEXT_AT, MASK_AT = UCONTEXT.size, 40
REGISTERS_AT = CONTEXT_AT + 64
VECTORS_AT = CONTEXT_AT + CONTEXT.size - 808 + 8  # the next multiple of 16
_FPRS = struct.Struct("<33Q")
VR_BYTES, VSX_AT = 33 * 16, 34 * 16  # VR0-VR31 and VSCR; VRSAVE has the place of one more register
UCONTEXT_SIZE = CONTEXT_AT + CONTEXT.size
_TAIL = struct.Struct("<16x12s20xQQ")
GAP = 512
_SAVED_AT = SIGNAL_FRAME + REGISTERS_AT
RETURN = vdso.Return(RETCODE, _SAVED_AT, _SAVED_AT + 48 * 8, _SAVED_AT + 81 * 8, indirect=True)
FRAME = UCONTEXT_SIZE + _TAIL.size + 128 + GAP


def exception_bits(state: Any) -> int:
    """Return FE0 and FE1 of the machine state register."""
    mode = state.read("fe")
    return (MSR_FE0 if mode & 2 else 0) | (MSR_FE1 if mode & 1 else 0)


def _vectors(state: Any) -> bytes:
    """Return the vector registers with VSCR and VRSAVE, and the other halves of the first 32 vector-scalar ones."""
    read = state.read
    vectors = b"".join(read(f"vr{n}").to_bytes(16, "little") for n in range(32))
    control = struct.pack("<I12xI12x", read("vscr"), read("vrsave"))
    return vectors + control + b"".join(read(f"vs{n}h").to_bytes(8, "little") for n in range(32))


def context(task: Task, state: Any, mask: int, at: int, *, signal: int = 0, handler: int = 0, fault: tuple[int, int, int]) -> bytes:
    """Return the ucontext of the present state, which will lie at `at` (a multiple of 16)."""
    read = state.read
    trap, dsisr, dar = fault
    head = UCONTEXT.pack(
        ss_sp=task.stack_sp, ss_flags=task.stack_flags_now(read("r1")), ss_size=task.stack_size, sigmask=mask
    )
    floating = _FPRS.pack(*(read(f"f{n}") for n in range(32)), read("fpscr"))
    return head + CONTEXT.pack(
        signal=signal, handler=handler, oldmask=mask, regs=at + REGISTERS_AT, nip=read("pc"), msr=MSR | exception_bits(state),
        orig_r3=read("r3"), ctr=read("ctr"), link=read("lr"), xer=read("xer"), ccr=read("cr"), softe=1, trap=trap, dar=dar, dsisr=dsisr,
        fp_regs=floating, v_regs=at + VECTORS_AT, vectors=bytes(8) + _vectors(state), **{name: read(name) for name in _GPRS},
    )  # fmt: skip


def push(task: Task, state: Any, info: SigInfo, action: Action, mask: int, top: int, back: int) -> None:
    """Build the frame below `top` and enter the handler, which returns to `back`; GuestFault if the stack cannot take it."""
    at = top - FRAME & -16
    sp, siginfo = at - SIGNAL_FRAME, at + UCONTEXT_SIZE + _TAIL.size
    fault = task.fault if info.form == "fault" else (SYSTEM_CALL, 0, 0)
    frame = context(task, state, mask, at, signal=info.signo, handler=action.handler, fault=fault)
    task.space.write(at, frame + _TAIL.pack(RETCODE, siginfo, at) + info.pack(64, "<"))
    task.write_word(sp, state.read("r1"))
    has_info = action.flags & 4  # SA_SIGINFO
    registers = {
        "r1": sp, "r3": info.signo, "r4": siginfo if has_info else at + CONTEXT_AT, "r12": action.handler, "ctr": action.handler,
        "lr": back, "pc": action.handler & -4, "fpscr": 0,
    }  # fmt: skip
    if has_info:
        registers |= {"r5": at, "r6": at}
    for name, value in registers.items():
        state.write(name, value)


def pop(task: Task, state: Any, at: int) -> int:
    """Restore a ucontext with its stack and return its signal mask; GuestFault if there is none."""
    mask = restore_context(task, state, at)
    head = UCONTEXT.unpack(task.space.view(at, UCONTEXT.size, READ))
    task.restore_stack(head.ss_sp, head.ss_flags, head.ss_size)
    return mask


def restore_context(task: Task, state: Any, at: int, *, keep: tuple[str, ...] = ()) -> int:
    """Restore the registers of a ucontext but for those in `keep`, and return its signal mask; GuestFault if there is none."""
    head = UCONTEXT.unpack(task.space.view(at, UCONTEXT.size, READ))
    saved = CONTEXT.unpack(task.space.view(at + CONTEXT_AT, CONTEXT.size, READ))
    vectors = task.space.read(saved.v_regs, VSX_AT + 256) if saved.v_regs else bytes(VSX_AT + 256)
    _restore_vectors(state, vectors, saved.msr)
    *floating, fpscr = _FPRS.unpack(saved.fp_regs)
    for n, value in enumerate(floating):
        state.write(f"f{n}", value)
    state.write("fpscr", fpscr & 0xFFFFFFFFFF)
    for name in _GPRS:
        if name not in keep:
            state.write(name, getattr(saved, name))
    for name, value in (("ctr", saved.ctr), ("lr", saved.link), ("xer", saved.xer), ("cr", saved.ccr & 0xFFFFFFFF), ("pc", saved.nip & -4)):
        state.write(name, value)
    return int(head.sigmask)


def save_context(task: Task, state: Any, at: int) -> None:
    """Write registers and signal mask into a ucontext, and nothing else; GuestFault."""
    task.space.write(at + CONTEXT_AT, context(task, state, 0, at, fault=(SYSTEM_CALL, 0, 0))[CONTEXT_AT:])
    task.space.write_u64(at + MASK_AT, task.blocked)


def _restore_vectors(state: Any, data: bytes, msr: int) -> None:
    """Restore what `_vectors` gives; parts that the machine state register says are not in use become 0."""
    (vrsave,) = struct.unpack_from("<I", data, VR_BYTES)
    vectors = data[:VR_BYTES] if msr & MSR_VEC else bytes(VR_BYTES)
    halves = data[VSX_AT:] if msr & MSR_VSX else bytes(256)
    for n in range(32):
        state.write(f"vr{n}", int.from_bytes(vectors[16 * n : 16 * n + 16], "little"))
        state.write(f"vs{n}h", int.from_bytes(halves[8 * n : 8 * n + 8], "little"))
    state.write("vscr", struct.unpack_from("<I", vectors, 512)[0])
    state.write("vrsave", vrsave)
