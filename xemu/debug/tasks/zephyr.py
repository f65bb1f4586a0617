"""Zephyr with CONFIG_THREAD_MONITOR: the kernel keeps a list of all its threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.debug.tasks import MOST, Program, Task, TaskReader, task_reader
from xemu.debug.tasks.cortex_m import SAVED, unstack
from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xemu.debug.tasks.program import View

#: bit of thread_state -> its name; what comes first says most
DUMMY = 0
STATES = {3: "dead", 5: "aborting", 4: "suspended", 1: "pending", 2: "sleeping", 7: "ready"}


@task_reader
class Zephyr(TaskReader):
    """Reads `_kernel`."""

    name = "Zephyr"
    symbols = ("_kernel",)

    def fits(self, program: Program) -> bool:
        """Without CONFIG_THREAD_MONITOR there is no list of threads."""
        return super().fits(program) and (kernel := program.get("_kernel")) is not None and "threads" in kernel and "cpus" in kernel

    def tasks(self, program: Program) -> Iterator[Task]:
        """Yield the threads, the newest first."""
        kernel = program["_kernel"]
        current = int(kernel["cpus"][0]["current"])
        thread = kernel["threads"]
        for _ in range(MOST):
            if not thread:
                return
            yield self._task(program, thread.target, current)
            thread = thread["next_thread"]
        raise UsageError("the list of threads does not end: it is damaged")

    def _task(self, program: Program, thread: View, current: int) -> Task:
        base, running = thread["base"], thread.address == current
        bits = int(base["thread_state"])
        state = "running" if running else next((name for bit, name in STATES.items() if bits >> bit & 1), "ready")
        name = str(thread["name"]) if "name" in thread else ""
        if not name and "entry" in thread:
            name = program.function(int(thread["entry"]["pEntry"]))
        stack = None
        if "stack_info" in thread:
            start = int(thread["stack_info"]["start"])
            stack = start, start + int(thread["stack_info"]["size"])
        registers = None
        if not running and not bits & (1 << 3 | 1 << DUMMY):
            registers = self._registers(program, thread)
        return Task(thread.address, name or f"thread {thread.address:#x}", state, int(base["prio"]), running, registers, stack)

    def _registers(self, program: Program, thread: View) -> dict[str, int] | None:
        """Return where a thread goes on: R4 to R11 are in its structure, the rest is in the frame at its PSP."""
        kept, arch = thread["callee_saved"], thread["arch"]
        saved = {name: int(kept[f"v{number}"]) for number, name in enumerate(SAVED, 1)}
        returns = 0xFFFF_FF00 | int(arch["mode_exc_return"]) & 0xFF if "mode_exc_return" in arch else None
        return unstack(program, int(kept["psp"]), saved, returns)
