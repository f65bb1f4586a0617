"""What a switch of tasks leaves on the stack of a Cortex-M: registers that the kernel pushes, then the processor's frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.debug.arm_frames import EXC_RETURN, unstack_exception
from xemu.errors import UsageError

if TYPE_CHECKING:
    from xemu.debug.tasks.program import Program

TO_PROCESS_STACK = 0xFFFF_FFFD             # EXC_RETURN: to Thread mode on the process stack, without a floating-point frame
SAVED = tuple(f"r{number}" for number in range(4, 12))
FLOATS = 16                                # S16 to S31, the ones that the processor does not push by itself


def unstack(program: Program, sp: int, saved: dict[str, int] | None = None, exc_return: int | None = None) -> dict[str, int] | None:
    """Return the registers of a task that was switched away from; None where its stack cannot be read.

    `sp` is its stack pointer as the kernel keeps it. At it are R4 to R11, then EXC_RETURN where the kernel pushes it (it does if
    tasks may use floating point), then S16 to S31 if EXC_RETURN says so, then the frame of the exception that switched. A kernel
    that keeps R4 to R11 elsewhere gives them as `saved`, then `sp` is where the frame is.
    """
    found = dict(saved or {})
    if saved is None:
        try:
            *values, link = program.words(sp, len(SAVED) + 1)
        except UsageError:
            return None
        found |= zip(SAVED, values, strict=True)
        sp += 4 * len(SAVED)
        if link >= EXC_RETURN and exc_return is None:
            exc_return = link
            sp += 4
            if not link & 0x10:
                sp += 4 * FLOATS
    process = {**found, "sp": sp, "psp": sp, "xpsr": 1 << 24}
    frame = unstack_exception(TO_PROCESS_STACK if exc_return is None else exc_return | 4, process, program.debugger.source.read_memory)
    return None if frame is None else frame.registers
