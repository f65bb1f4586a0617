"""What debuggers show of a core: interrupts and SysTick, without effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.hw.cortex_m import exceptions as ex
from xemu.hw.cortex_m.describe import exception_name
from xemu.hw.cpu import Countdown, Interrupt, Interrupts

if TYPE_CHECKING:
    from xemu.hw.cortex_m.cores import CortexM

MASKS = ("PRIMASK", "FAULTMASK", "BASEPRI")


def interrupts(core: CortexM) -> Interrupts:
    """Return what is handled, what waits and what may come."""
    pending, active, enabled = core.pending, core.active, core.enabled
    wanted = enabled & ~ex.ALWAYS_ENABLED | pending | active
    lines = []
    while wanted:
        number = (wanted & -wanted).bit_length() - 1
        wanted &= wanted - 1
        wire = core.irq[number - ex.FIRST_IRQ].name if number >= ex.FIRST_IRQ else ""
        lines.append(Interrupt(number, exception_name(number), bool(enabled >> number & 1), bool(pending >> number & 1),
                               bool(active >> number & 1), core.priority[number], wire))
    now, priority = core.cells["IPSR"].value, core.execution_priority()
    masks = [f"{name}={core.cells[name].value:x}" for name in MASKS if core.cells[name].value]
    return Interrupts(exception_name(now) if now else "", None if priority == ex.NO_PRIORITY else priority, " ".join(masks), tuple(lines))


def systick(core: CortexM) -> Countdown:
    """Return SysTick."""
    scs = core.scs
    return Countdown("SysTick", bool(scs.SYST_CSR.ENABLE), int(scs.SYST_CVR), int(scs.SYST_RVR), scs.systick_due)
