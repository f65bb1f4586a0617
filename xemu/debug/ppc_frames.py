"""Frames that Linux's kernel pushes for signals on PowerPC (arch/powerpc/kernel/signal_32.c, signal_64.c; asm/ptrace.h: struct pt_regs)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.debug.ppc_code import SC, word_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xemu.debug.architectures import Architecture
    from xemu.debug.symbols import ReadMemory

SIGRETURN, RT_SIGRETURN = 119, 172
LI_R0, POP_FRAME = 0x3800_0000, 0x3821_0080       # li r0, number; addi r1, r1, 128
FRAME64 = 128              # bytes of the frame that the handler is entered with, below the context
CONTEXT64 = 168 + 64       # ucontext: where the general registers are: behind uc_mcontext's first eight words
INFO32 = 80                # 32-bit: bytes in front of siginfo_t
USER32 = INFO32 + 128      # … of ucontext
POINTER32 = 48             # ucontext: the address of the registers
OLD32 = 64 + 28            # sigframe: that address in struct sigcontext
GENERAL = 48               # words of general registers; floating-point registers follow
#: what is behind the 32 general registers
SPECIAL = ("pc", "msr", "orig_r3", "ctr", "lr", "xer", "cr")


def _trampoline(pc: int, read_memory: ReadMemory, arch: Architecture) -> tuple[int, int] | None:
    """Return the number of the system call and how many bytes of the frame are still to be taken off."""
    extra, at = 0, pc
    if arch.bits == 64 and word_at(read_memory, at, arch) == POP_FRAME:
        extra, at = FRAME64, at + 4
    word = word_at(read_memory, at, arch)
    if word == SC and not extra:                       # the call itself is the next one
        at -= 4
        word = word_at(read_memory, at, arch)
    if arch.bits == 64 and word_at(read_memory, at - 4, arch) != POP_FRAME:
        return None
    numbers = (RT_SIGRETURN,) if arch.bits == 64 else (RT_SIGRETURN, SIGRETURN)
    if word - LI_R0 not in numbers or word_at(read_memory, at + 4, arch) != SC:
        return None
    return word - LI_R0, extra


def signal_trampoline(pc: int, read_memory: ReadMemory, arch: Architecture) -> int | None:
    """Return the number of the system call if the code at `pc` ends a signal's handler."""
    found = _trampoline(pc, read_memory, arch)
    return found[0] if found is not None else None


def unstack_signal(registers: Mapping[str, int], read_memory: ReadMemory, arch: Architecture) -> dict[str, int] | None:
    """Return the registers that a signal interrupted, from the frame of the trampoline that is about to be executed."""
    found = _trampoline(registers[arch.pc], read_memory, arch)
    if found is None:
        return None
    number, extra = found
    size, at = arch.address_bytes, registers[arch.sp] + extra
    if arch.bits == 64:
        place = at + CONTEXT64
    else:
        pointer = read_memory(at + (OLD32 if number == SIGRETURN else USER32 + POINTER32), size)
        if pointer is None:
            return None
        place = arch.number(pointer)
    data = read_memory(place, size * GENERAL)
    if data is None:
        return None
    values = [arch.number(data[size * i:size * i + size]) for i in range(GENERAL)]
    out = {**registers, **{f"r{n}": values[n] for n in range(32)}, **dict(zip(SPECIAL, values[32:], strict=False))}
    floats = read_memory(place + size * GENERAL, 8 * 32)
    if floats is not None:
        out |= {f"f{n}": arch.number(floats[8 * n:8 * n + 8]) for n in range(32)}
    return out


__all__ = ["signal_trampoline", "unstack_signal"]
