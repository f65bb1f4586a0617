"""The ABI of 32-bit big-endian PowerPC Linux (System V)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xemu.core.layout import BIG
from xemu.core.memory import PAGE
from xemu.user.ppc import frames32
from xemu.user.ppc.abi import HWCAP, PowerAbi, caches
from xemu.user.ppc.layouts import LAYOUTS32
from xemu.user.ppc.numbers import NUMBERS32

if TYPE_CHECKING:
    from xemu.user.signals import Action, SigInfo
    from xemu.user.task import Task

CPUINFO32 = """processor\t: 0
cpu\t\t: 7400, altivec supported
clock\t\t: 1000.000000MHz
revision\t: 2.9 (pvr 000c 0209)
bogomips\t: 50.00

timebase\t: 25000000
platform\t: PowerMac
model\t\t: xemu
machine\t\t: xemu
"""


class PpcAbi(PowerAbi):
    """ppc."""

    name = "ppc"
    machine = "ppc"
    platform = base_platform = b"ppc7400"
    order = BIG
    pairs_aligned = True
    numbers = NUMBERS32
    layouts = LAYOUTS32
    hwcap = sum(HWCAP[name] for name in ("32", "ALTIVEC", "FPU", "MMU"))
    auxv = caches(32, (32 << 10, 8), (32 << 10, 8), (0, 0), (0, 0))
    frame_size = frames32.FRAME
    cpuinfo = CPUINFO32
    task_size = 0xC0000000
    stack_top = 0xBFFFF000
    program_base = 0x00400000  # movable programs; Linux has 0x00400000 | random
    returns = frames32.RETURNS
    tls_register = "r2"
    context_size = frames32.CONTEXT_SIZE

    def fit(self, window_bits: int) -> None:
        """Put the code that handlers return to behind the program's addresses."""
        self.place_vdso((1 << window_bits) - 2 * PAGE)

    def push_frame(self, task: Task, state: Any, info: SigInfo, action: Action, mask: int, top: int) -> None:
        """Enter a handler."""
        frames32.push(task, state, info, action, mask, top, self.trampolines)

    def pop_frame(self, task: Task, state: Any, *, rt: bool) -> int:
        """Leave one."""
        return frames32.pop(task, state, rt=rt)

    def save_context(self, task: Task, state: Any, at: int) -> None:
        """Write a ucontext."""
        frames32.save_context(task, state, at)

    def restore_context(self, task: Task, state: Any, at: int) -> int:
        """Take one."""
        return frames32.restore_context(task, state, at, keep=(self.tls_register,))
