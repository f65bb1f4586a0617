"""The calls that only PowerPC has."""

from __future__ import annotations

from errno import EINVAL
from typing import TYPE_CHECKING, Any, cast

from xemu.core.memory import GuestFault
from xemu.user import signals as sig
from xemu.user.calls.signals import set_blocked
from xemu.user.rows import call
from xemu.user.signals import SigInfo
from xemu.user.task import KEEP

if TYPE_CHECKING:
    from xemu.user.ppc.abi import PowerAbi
    from xemu.user.task import Task


@call("swapcontext ptr ptr size")
def swapcontext(task: Task, old: int, new: int, size: int) -> Any:
    """Save registers and signal mask, and go on with others (`arch/powerpc/kernel/signal_{32,64}.c`)."""
    abi, state = cast("PowerAbi", task.process.abi), task.process.engine.state
    if size < abi.context_size:
        return -EINVAL
    if old:
        abi.save_context(task, state, old)
    if not new:
        return 0
    try:
        mask = abi.restore_context(task, state, new)
    except GuestFault:
        task.process.signals.force(task, SigInfo(sig.SIGSEGV, sig.SI_KERNEL, "fault", 0))
        return KEEP
    set_blocked(task, mask)
    return KEEP
