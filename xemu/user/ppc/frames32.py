"""Signal frames of 32-bit PowerPC Linux (`arch/powerpc/kernel/signal_32.c`, `uapi/asm/{sigcontext,ucontext,elf}.h`).

From low to high addresses, above a stack frame for the handler, whose first word is a back chain:

rt:    (80) · siginfo (128) · ucontext (192), which ends in the registers (992) · 224 bytes of the interrupted function
old:   (64) · sigcontext (32) · registers (992) · 224 bytes of the interrupted function
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from xemu.core.layout import BIG, Layout
from xemu.core.memory import READ, WRITE, GuestFault
from xemu.user.ppc import vdso
from xemu.user.ppc.frames64 import SYSTEM_CALL, exception_bits

if TYPE_CHECKING:
    from xemu.user.signals import Action, SigInfo
    from xemu.user.task import Task

_GPRS = [f"r{n}" for n in range(32)]
# struct mcontext: the registers at the places of struct pt_regs, the floating-point ones with FPSCR, the return code where there is no
# vDSO, and the vector registers with a quadword that has VRSAVE and VSCR
CONTEXT = Layout(
    " ".join(f"{name}:I" for name in _GPRS) + " nip:I msr:I orig_r3:I ctr:I link:I xer:I ccr:I mq:I trap:I dar:I dsisr:I result:I _:16x "
    "floats:264s retcode:8s vectors:512s vrsave:I _:8x vscr:I", BIG)
UCONTEXT = Layout("flags:I link:I ss_sp:I ss_flags:i ss_size:I _:28x regs:I sigmask:8s _:132x", BIG)
REGS_AT, MASK_AT = 48, 52
SIGCONTEXT = Layout("_:12x mask_high:I signal:i handler:I oldmask:I regs:I", BIG)
_FLOATS = struct.Struct(">33Q")
SIGINFO = 128
OLD_HEAD, RT_HEAD = 64, 80
GAP = 224
FRAME = RT_HEAD + SIGINFO + UCONTEXT.size + CONTEXT.size + GAP + 16  # the most that a frame takes, with what aligning it may cost
CONTEXT_SIZE = UCONTEXT.size + CONTEXT.size
SA_SIGINFO = 4
#: external interrupts, problem state, floating point, machine checks, translation
MSR, MSR_VEC = 0xF032, 1 << 25

#: where handlers return to: li r0, sigreturn; sc and li r0, rt_sigreturn; sc
_OLD_CODE, _RT_CODE = struct.pack(">II", 0x38000077, 0x44000002), struct.pack(">II", 0x380000AC, 0x44000002)
_OLD_AT, _RT_AT = OLD_HEAD + SIGCONTEXT.size, RT_HEAD + SIGINFO + UCONTEXT.size
RETURNS = tuple(vdso.Return(code, at, at + 192, at + 464, indirect=False) for code, at in ((_OLD_CODE, _OLD_AT), (_RT_CODE, _RT_AT)))


def _registers(state: Any, retcode: bytes, fault: tuple[int, int, int]) -> bytes:
    """Return the present registers."""
    read = state.read
    trap, dsisr, dar = fault
    floats = _FLOATS.pack(*(read(f"f{n}") for n in range(32)), read("fpscr") & 0xFFFFFFFF)
    vectors = b"".join(read(f"vr{n}").to_bytes(16, "big") for n in range(32))
    return CONTEXT.pack(
        nip=read("pc"), msr=MSR | MSR_VEC | exception_bits(state), orig_r3=read("r3"), ctr=read("ctr"), link=read("lr"),
        xer=read("xer"), ccr=read("cr"), trap=trap, dar=dar, dsisr=dsisr, floats=floats, retcode=retcode, vectors=vectors,
        vrsave=read("vrsave"), vscr=read("vscr"), **{name: read(name) for name in _GPRS},
    )  # fmt: skip


def _context(task: Task, state: Any, mask: int, at: int, retcode: bytes, fault: tuple[int, int, int]) -> bytes:
    """Return the ucontext of the present state, which will lie at `at` (a multiple of 16)."""
    head = UCONTEXT.pack(
        ss_sp=task.stack_sp, ss_flags=task.stack_flags_now(state.read("r1")), ss_size=task.stack_size, regs=at + UCONTEXT.size,
        sigmask=task.process.abi.bitmap_bytes(mask),
    )  # fmt: skip
    return head + _registers(state, retcode, fault)


def push(task: Task, state: Any, info: SigInfo, action: Action, mask: int, top: int, back: tuple[int, ...]) -> None:
    """Build the frame below `top` and enter the handler, which returns to `back`; GuestFault if the stack cannot take it."""
    rt = bool(action.flags & SA_SIGINFO)
    fault = task.fault if info.form == "fault" else (SYSTEM_CALL, 0, 0)
    if rt:
        at = top - (SIGINFO + UCONTEXT.size + CONTEXT.size + GAP) & -16
        sp, ucontext = at - RT_HEAD, at + SIGINFO
        frame = info.pack(32, BIG) + _context(task, state, mask, ucontext, _RT_CODE, fault)
        registers = {"r4": at, "r5": ucontext, "r6": at}
    else:
        at = top - (SIGCONTEXT.size + CONTEXT.size + GAP) & -16
        sp = at - OLD_HEAD
        frame = SIGCONTEXT.pack(
            mask_high=mask >> 32, signal=info.signo, handler=action.handler, oldmask=mask & 0xFFFFFFFF, regs=at + SIGCONTEXT.size
        ) + _registers(state, _OLD_CODE, fault)
        registers = {"r4": at}
    _check_stack(task, state.read("r1"), top, sp)
    task.space.write(at, frame)
    task.write_word(sp, state.read("r1"))
    registers |= {"r1": sp, "r3": info.signo, "pc": action.handler & -4, "lr": back[rt], "fpscr": 0}
    for name, value in registers.items():
        state.write(name, value)


def _check_stack(task: Task, sp: int, top: int, at: int) -> None:
    """A frame that leaves the alternate stack is not written."""
    entering = task.stack_size and top == task.stack_sp + task.stack_size
    if (entering or task.on_stack(sp)) and not task.on_stack(at):
        raise GuestFault(at, WRITE, mapped=True)


def pop(task: Task, state: Any, *, rt: bool) -> int:
    """Restore what a frame holds and return its signal mask; GuestFault if there is no frame."""
    sp = state.read("r1")
    if rt:
        ucontext = sp + RT_HEAD + SIGINFO
        mask = restore_context(task, state, ucontext)
        head = UCONTEXT.unpack(task.space.view(ucontext, UCONTEXT.size, READ))
        task.restore_stack(head.ss_sp, head.ss_flags, head.ss_size)
        return mask
    saved = SIGCONTEXT.unpack(task.space.view(sp + OLD_HEAD, SIGCONTEXT.size, READ))
    _restore_registers(task, state, saved.regs, ())
    return int(saved.oldmask | saved.mask_high << 32)


def save_context(task: Task, state: Any, at: int) -> None:
    """Write registers and signal mask into a ucontext, and nothing else; GuestFault."""
    registers = at + UCONTEXT.size & -16
    task.space.write(registers, _registers(state, bytes(8), (SYSTEM_CALL, 0, 0)))
    task.write_word(at + REGS_AT, registers)
    task.space.write(at + MASK_AT, task.process.abi.bitmap_bytes(task.blocked))


def restore_context(task: Task, state: Any, at: int, *, keep: tuple[str, ...] = ()) -> int:
    """Restore the registers of a ucontext but for those in `keep`, and return its signal mask; GuestFault if there is none."""
    head = UCONTEXT.unpack(task.space.view(at, UCONTEXT.size, READ))
    _restore_registers(task, state, head.regs, keep)
    return task.process.abi.bitmap(head.sigmask)


def _restore_registers(task: Task, state: Any, at: int, keep: tuple[str, ...]) -> None:
    saved = CONTEXT.unpack(task.space.view(at, CONTEXT.size, READ))
    *floats, fpscr = _FLOATS.unpack(saved.floats)
    for n, value in enumerate(floats):
        state.write(f"f{n}", value)
    in_use = saved.msr & MSR_VEC
    for n in range(32):
        state.write(f"vr{n}", int.from_bytes(saved.vectors[16 * n : 16 * n + 16], "big") if in_use else 0)
    for name in _GPRS:
        if name not in keep:
            state.write(name, getattr(saved, name))
    for name, value in (("fpscr", fpscr & 0xFFFFFFFF), ("vscr", saved.vscr if in_use else 0), ("vrsave", saved.vrsave), ("ctr", saved.ctr),
                        ("lr", saved.link), ("xer", saved.xer), ("cr", saved.ccr), ("pc", saved.nip & -4)):  # fmt: skip
        state.write(name, value)
