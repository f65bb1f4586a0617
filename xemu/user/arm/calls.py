"""The calls that only 32-bit ARM has (`arch/arm/kernel/traps.c`, arm_syscall)."""

from __future__ import annotations

from errno import EFAULT, EINVAL
from typing import TYPE_CHECKING, Any

from xemu.user import signals as sig
from xemu.user.rows import call
from xemu.user.task import KEEP

if TYPE_CHECKING:
    from xemu.user.task import Task


@call("ARM_set_tls ptr")
def arm_set_tls(task: Task, value: int) -> int:
    """set_tls: the thread register."""
    task.process.abi.set_tls(task, value)
    return 0


@call("ARM_get_tls", "hex")
def arm_get_tls(task: Task) -> int:
    """get_tls."""
    return int(task.process.engine.state.read("tpidruro"))


@call("ARM_breakpoint")
def arm_breakpoint(task: Task) -> Any:
    """The breakpoint call: SIGTRAP."""
    pc = task.process.engine.state.read("pc")
    task.process.signals.force(task, sig.SigInfo(sig.SIGTRAP, sig.TRAP_BRKPT, "fault", pc))
    return KEEP


@call("ARM_cacheflush ptr ptr int")
def cacheflush(task: Task, start: int, end: int, flags: int) -> int:
    """cacheflush: decoded code follows every store but one through another mapping of the same memory."""
    if end < start or flags:
        return -EINVAL
    if end > start and task.space.area_at(start) is None:
        return -EFAULT
    task.space.code_changed(start, end - start)
    return 0
