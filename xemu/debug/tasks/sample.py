"""The kernel of our firmware samples (samples/firmware/src/kernel.c): an array of threads, one of which is current."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemu.debug.tasks import Program, Task, TaskReader, task_reader
from xemu.debug.tasks.cortex_m import unstack

if TYPE_CHECKING:
    from collections.abc import Iterator


@task_reader
class SampleKernel(TaskReader):
    """Reads `threads`, `current` and `stacks`."""

    name = "sample kernel"
    symbols = ("threads", "current", "switch_stacks")

    def tasks(self, program: Program) -> Iterator[Task]:
        """Yield the threads that were created."""
        for number, thread in enumerate(program["threads"]):
            running = int(program["current"]) == thread.address
            if not running and not thread["sp"]:
                continue
            stack = program["stacks"][number]
            state = "running" if running else str(thread["state"]).lower()
            if state == "waiting":
                state += f" in {str(thread['reason']).lower()}"
            yield Task(thread.address, f"thread {number}", state, None, running,
                       None if running else unstack(program, int(thread["sp"])), (stack.address, stack.address + stack.value.size))
