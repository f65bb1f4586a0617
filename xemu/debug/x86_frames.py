"""Frames that Linux's kernel pushes for signals on x86 (arch/x86/include/uapi/asm/sigcontext.h, ucontext.h; asm/sigframe.h)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xemu.debug.architectures import Architecture
    from xemu.debug.symbols import ReadMemory

SIGRETURN, RT_SIGRETURN32, RT_SIGRETURN64 = 119, 173, 15
#: code that ends a signal's handler -> (number of the system call, where in it execution may be: bytes from its start -> bytes popped)
TRAMPOLINES64 = {b"\x48\xc7\xc0\x0f\0\0\0\x0f\x05": (RT_SIGRETURN64, {0: 0, 7: 0}),
                 b"\xb8\x0f\0\0\0\x0f\x05": (RT_SIGRETURN64, {0: 0, 5: 0})}
TRAMPOLINES32 = {b"\x58\xb8\x77\0\0\0\xcd\x80": (SIGRETURN, {0: 0, 1: 4, 6: 4}), b"\xb8\xad\0\0\0\xcd\x80": (RT_SIGRETURN32, {0: 0, 5: 0})}
CONTEXT64, CONTEXT32 = 40, 20            # ucontext: flags, link, stack_t in front of the registers
NAMES64 = [*(f"r{n}" for n in range(8, 16)), "rdi", "rsi", "rbp", "rbx", "rdx", "rax", "rcx", "rsp", "rip", "eflags"]
NAMES32 = ["gs", "fs", "es", "ds", "edi", "esi", "ebp", "esp", "ebx", "edx", "ecx", "eax", "-", "-", "eip", "cs", "eflags"]


class Trampoline(NamedTuple):
    """Where in a trampoline execution is."""

    number: int            # of the system call
    popped: int            # bytes of the stack it has taken off


def _trampoline(pc: int, read_memory: ReadMemory, arch: Architecture) -> Trampoline | None:
    for code, (number, places) in (TRAMPOLINES64 if arch.bits == 64 else TRAMPOLINES32).items():
        for offset, popped in places.items():
            if read_memory(pc - offset, len(code)) == code:
                return Trampoline(number, popped)
    return None


def signal_trampoline(pc: int, read_memory: ReadMemory, arch: Architecture) -> int | None:
    """Return the number of the system call if the code at `pc` ends a signal's handler."""
    found = _trampoline(pc, read_memory, arch)
    return found.number if found is not None else None


def unstack_signal(registers: Mapping[str, int], read_memory: ReadMemory, arch: Architecture) -> dict[str, int] | None:
    """Return the registers that a signal interrupted, from the frame of the trampoline that is about to be executed."""
    found = _trampoline(registers[arch.pc], read_memory, arch)
    if found is None:
        return None
    size, names = (8, NAMES64) if arch.bits == 64 else (4, NAMES32)
    at = registers[arch.sp] - found.popped
    if found.number == RT_SIGRETURN64:
        context = at + CONTEXT64
    elif found.number == SIGRETURN:
        context = at + size                            # behind the signal's number
    else:
        pointer = read_memory(at + 2 * size, size)     # behind the signal's number and the address of its siginfo_t
        if pointer is None:
            return None
        context = arch.number(pointer) + CONTEXT32
    data = read_memory(context, size * len(names))
    if data is None:
        return None
    words = [arch.number(data[size * i:size * i + size]) for i in range(len(names))]
    return {**registers, **{name: word for name, word in zip(names, words, strict=True) if name != "-"}}


__all__ = ["signal_trampoline", "unstack_signal"]
